"""Alpaca's official Python client, unmodified, against `trade broker`: it reads, sends, and follows both streams."""

import json

import pytest

from tests.official_clients import alpaca_py, printed_by, standing_broker

# Runs in the environment of the client; prints what it saw as JSON.
CLIENT = """
import json, sys, threading
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.live import StockDataStream
from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import GetCalendarRequest, GetOrdersRequest, LimitOrderRequest
from alpaca.trading.requests import MarketOrderRequest
from alpaca.trading.stream import TradingStream
from datetime import datetime, timezone

address, key, secret = sys.argv[1:]
ws = address.replace("http", "ws")
seen = {"updates": [], "bars": [], "quotes": []}
complete = threading.Event()

def note(kind, what):
    seen[kind].append(what)
    if len(seen["bars"]) and len(seen["quotes"]) and "fill" in seen["updates"]:
        complete.set()

async def on_update(update):
    note("updates", getattr(update.event, "value", update.event))

async def on_bar(bar):
    note("bars", [bar.symbol, bar.timestamp.isoformat(), bar.close > 0])

async def on_quote(quote):
    note("quotes", [quote.symbol, quote.ask_price > quote.bid_price])

updates = TradingStream(key, secret, url_override=ws + "/stream")
updates.subscribe_trade_updates(on_update)
data = StockDataStream(key, secret, url_override=ws + "/v2/iex")
data.subscribe_bars(on_bar, "JD")
data.subscribe_quotes(on_quote, "JD", "GS")
for stream in (updates, data):
    threading.Thread(target=stream.run, daemon=True).start()

trading = TradingClient(key, secret, url_override=address)
account = trading.get_account()
seen["account"] = [account.status.value, account.cash]
resting = trading.submit_order(LimitOrderRequest(
    symbol="JD", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=1.0))
for _ in range(100):
    order = trading.submit_order(MarketOrderRequest(
        symbol="JD", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    if complete.wait(0.2):
        break
seen["orders"] = [len(trading.get_orders()), trading.get_order_by_id(order.id).status.value]
seen["same"] = trading.get_order_by_client_id(order.client_order_id).id == order.id
everything = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500, nested=True))
seen["filled"] = sum(float(one.filled_qty) for one in everything)
position = trading.get_open_position("JD")
seen["position"] = [position.symbol, float(position.qty)]
seen["positions"] = len(trading.get_all_positions())
trading.cancel_order_by_id(resting.id)
seen["canceled"] = trading.get_order_by_id(resting.id).status.value
seen["cancel_all"] = len(trading.cancel_orders())
seen["assets"] = [asset.symbol for asset in trading.get_all_assets()]
seen["asset"] = trading.get_asset("JD").symbol
seen["clock"] = trading.get_clock().is_open
seen["calendar"] = len(trading.get_calendar(GetCalendarRequest(start="2026-01-26", end="2026-01-30")))
seen["configurations"] = trading.get_account_configurations().no_shorting
seen["activities"] = len(trading.get("/account/activities/FILL"))
history = StockHistoricalDataClient(key, secret, url_override=address)
bars = history.get_stock_bars(StockBarsRequest(
    symbol_or_symbols=["JD", "GS"], timeframe=TimeFrame.Minute, limit=700,
    start=datetime(2026, 1, 23, tzinfo=timezone.utc), end=datetime(2026, 1, 24, tzinfo=timezone.utc)))
seen["history"] = {symbol: len(found) for symbol, found in bars.data.items()}
quote = history.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="JD"))["JD"]
seen["latest"] = quote.ask_price > quote.bid_price
try:
    trading.submit_order(MarketOrderRequest(
        symbol="JD", qty=1e6, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
except Exception as error:
    seen["refused"] = [error.status_code, error.code]
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_the_official_client_reads_sends_and_follows_both_streams() -> None:
    python = alpaca_py()
    with standing_broker("--seed", "7", "--speed", "240") as told:
        seen = json.loads(printed_by(python, CLIENT, *told))
    assert seen["account"] == ["ACTIVE", "250000"]
    assert {"pending_new", "new", "fill"} <= set(seen["updates"])
    assert all(symbol == "JD" and positive for symbol, _, positive in seen["bars"])
    assert {symbol for symbol, _ in seen["quotes"]} <= {"JD", "GS"}
    assert all(uncrossed for _, uncrossed in seen["quotes"])
    assert seen["orders"][0] >= 1
    assert seen["same"]
    assert seen["position"] == ["JD", seen["filled"]]
    assert seen["positions"] == 1
    assert seen["canceled"] == "canceled"
    assert {"AAPL", "JD", "GS", "SPY", "IBM"} <= set(seen["assets"])
    assert (seen["asset"], seen["clock"], seen["calendar"]) == ("JD", True, 5)
    assert seen["configurations"] is True
    assert seen["activities"] >= 1
    assert seen["history"] == {"GS": 390, "JD": 310}
    assert seen["latest"]
    assert seen["refused"] == [403, 40310000]
