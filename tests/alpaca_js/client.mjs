// Alpaca's official client for JavaScript, unmodified: ADDRESS KEY SECRET. Prints what it saw as JSON.

import { ApiError, marketData, streaming, trading } from "@alpacahq/alpaca-trade-api";

const [basePath, keyId, secret] = process.argv.slice(2);
const sockets = basePath.replace("http:", "ws:");
const configuration = new trading.Configuration({ basePath, keyId, secret });
const orders = new trading.OrdersApi(configuration);
const positions = new trading.PositionsApi(configuration);
const stocks = new marketData.StockApi(new marketData.Configuration({ basePath, keyId, secret }));
const seen = { updates: [], bars: [], refusals: {} };

// What must come, comes as an event; nothing here waits for time to pass.
const waiting = [];
function noticed() {
  for (const wish of waiting.splice(0)) {
    wish.holds() ? wish.resolve() : waiting.push(wish);
  }
}
function until(holds) {
  return new Promise((resolve) => {
    waiting.push({ holds, resolve });
    noticed();
  });
}
function connected(stream) {
  return new Promise((resolve, reject) => {
    stream.onConnect(resolve);
    stream.onError(reject);
    stream.connect();
  });
}
async function refused(name, attempt) {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    seen.refusals[name] = [error.status, error.code, Boolean(error.requestId)];
  }
}

const updates = new streaming.TradingStream({
  url: `${sockets}/stream`,
  credentials: { keyId, secret },
});
updates.onTradeUpdate((update) => {
  seen.updates.push([update.event, update.order.clientOrderId]);
  noticed();
});
await connected(updates);
updates.subscribeTradeUpdates();

const bars = new streaming.StockDataStream({
  url: `${sockets}/v2/iex`,
  credentials: { keyId, secret },
});
bars.onBar((bar) => {
  seen.bars.push([bar.symbol, bar.close > 0]);
  noticed();
});
await connected(bars);
bars.subscribeForBars(["JD"]);

const account = await new trading.AccountsApi(configuration).getAccount();
seen.account = [account.status, account.cash, account.accountNumber.slice(0, 2)];
seen.clock = (await new trading.ClockApi(configuration).legacyClock()).isOpen;
seen.asset = (
  await new trading.AssetsApi(configuration).getV2AssetsSymbolOrAssetId({ symbolOrAssetId: "JD" })
).symbol;

const day = { symbol: "JD", side: "buy", timeInForce: "day" };
function sent(order) {
  return orders.postOrder({ postOrderRequest: { ...day, ...order } });
}
const resting = await sent({ type: "limit", qty: "2", limitPrice: "1", clientOrderId: "resting" });
const bought = await sent({ type: "market", qty: "5", clientOrderId: "bought" });
await until(() => seen.updates.some(([event, id]) => event === "fill" && id === "bought"));
seen.bought = (await orders.getOrderByOrderID({ orderId: bought.id })).status;
seen.found = (await orders.getOrderByClientOrderId({ clientOrderId: "bought" })).id === bought.id;
seen.open = (await orders.getAllOrders({})).map((order) => order.clientOrderId);
const moved = await orders.patchOrderByOrderId({
  orderId: resting.id,
  patchOrderRequest: { qty: "3", limitPrice: "1.5" },
});
seen.moved = [moved.replaces === resting.id, moved.qty, moved.limitPrice];
await orders.deleteOrderByOrderID({ orderId: moved.id });
await until(() => seen.updates.some(([event, id]) => event === "canceled" && id === moved.clientOrderId));
seen.left = (await orders.deleteAllOrders()).length;

await refused("twice", () => sent({ type: "market", qty: "5", clientOrderId: "bought" }));
await refused("poor", () => sent({ type: "market", qty: "1000000" }));
await refused("unknown", () => orders.getOrderByClientOrderId({ clientOrderId: "nobody's" }));

const held = await positions.getAllOpenPositions();
seen.positions = held.map((position) => [position.symbol, position.qty, position.side]);
const closing = await positions.deleteOpenPosition({ symbolOrAssetId: "JD" });
await until(() => seen.updates.some(([event, id]) => event === "fill" && id === closing.clientOrderId));
seen.flat = (await positions.getAllOpenPositions()).length;

const day_before = { start: new Date("2026-01-23T00:00:00Z"), end: new Date("2026-01-24T00:00:00Z") };
const history = await stocks.stockBars({ symbols: "JD", timeframe: "1Hour", ...day_before });
seen.history = history.bars.JD.length;
const latest = await stocks.stockLatestQuoteSingle({ symbol: "JD" });
seen.latest = latest.quote.ap > latest.quote.bp;
await until(() => seen.bars.length > 0);

updates.disconnect();
bars.disconnect();
console.log(JSON.stringify(seen));
