"""Alpaca's official Python client, unmodified: the methods of its trading client, and each kind of order it sends."""

import json

import pytest

from tests.official_clients import alpaca_py, printed_by, standing_broker

# Runs in the environment of the client; prints what came of each step as JSON.
CLIENT = """
import json, sys
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import *
from alpaca.trading.requests import *

address, key, secret = sys.argv[1:]
trading = TradingClient(key, secret, url_override=address)
seen = {}
BUY, SELL, DAY, GTC, CLS = (
    OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.CLS)

def note(name, order):
    seen[name] = [order.order_type.value, order.order_class.value, order.status.value]
    return order

note("bought", trading.submit_order(MarketOrderRequest(
    symbol="JD", qty=50, side=BUY, time_in_force=DAY)))
note("dollars", trading.submit_order(MarketOrderRequest(
    symbol="GS", notional=100.5, side=BUY, time_in_force=DAY)))
price = float(trading.get_open_position("JD").current_price)

def at(factor):
    return round(price * factor, 2)

limit = note("limit", trading.submit_order(LimitOrderRequest(
    symbol="JD", qty=1, side=BUY, time_in_force=GTC, limit_price=at(0.8))))
stop = note("stop", trading.submit_order(StopOrderRequest(
    symbol="JD", qty=1, side=BUY, time_in_force=DAY, stop_price=at(1.2))))
note("stop_limit", trading.submit_order(StopLimitOrderRequest(
    symbol="JD", qty=1, side=BUY, time_in_force=DAY, stop_price=at(1.2), limit_price=at(1.21))))
trail = note("trailing", trading.submit_order(TrailingStopOrderRequest(
    symbol="JD", qty=1, side=SELL, time_in_force=DAY, trail_percent=5)))
note("close", trading.submit_order(LimitOrderRequest(
    symbol="T", qty=1, side=BUY, time_in_force=CLS, limit_price=1)))
bracket = note("bracket", trading.submit_order(LimitOrderRequest(
    symbol="T", qty=5, side=BUY, time_in_force=DAY, limit_price=10,
    order_class=OrderClass.BRACKET, take_profit=TakeProfitRequest(limit_price=60),
    stop_loss=StopLossRequest(stop_price=5, limit_price=4.9))))
seen["legs"] = [leg.status.value for leg in bracket.legs]
note("oco", trading.submit_order(LimitOrderRequest(
    symbol="JD", qty=10, side=SELL, time_in_force=DAY, order_class=OrderClass.OCO,
    take_profit=TakeProfitRequest(limit_price=at(1.3)),
    stop_loss=StopLossRequest(stop_price=at(0.7)))))
note("oto", trading.submit_order(LimitOrderRequest(
    symbol="T", qty=5, side=BUY, time_in_force=DAY, limit_price=10,
    order_class=OrderClass.OTO, stop_loss=StopLossRequest(stop_price=5))))

new = trading.replace_order_by_id(limit.id, ReplaceOrderRequest(qty=2, limit_price=at(0.81)))
old = trading.get_order_by_id(limit.id)
seen["replaced"] = [new.replaces == limit.id, old.status.value, old.replaced_by == new.id]
moved = trading.replace_order_by_id(stop.id, ReplaceOrderRequest(stop_price=at(1.25)))
seen["moved"] = float(moved.stop_price) == at(1.25)
trailed = trading.replace_order_by_id(trail.id, ReplaceOrderRequest(trail=4))
seen["trailed"] = trailed.trail_percent
nested = trading.get_order_by_id(bracket.id, GetOrderByIdRequest(nested=True))
seen["nested"] = len(nested.legs)
trading.cancel_order_by_id(nested.legs[0].id)
again = trading.get_order_by_id(bracket.id, GetOrderByIdRequest(nested=True))
seen["group"] = [again.status.value, *(leg.status.value for leg in again.legs)]
for order in (moved, trailed):
    trading.cancel_order_by_id(order.id)
for order in trading.get_orders(GetOrdersRequest(symbols=["JD"], side=BUY)):
    trading.cancel_order_by_id(order.id)

part = trading.close_position("JD", ClosePositionRequest(qty="1"))
half = trading.close_position("GS", ClosePositionRequest(percentage="50"))
seen["closing"] = [part.side.value, half.side.value]
closed = trading.close_all_positions(cancel_orders=True)
seen["closed"] = [[one.symbol, one.status] for one in closed]
seen["left"] = len(trading.get_all_positions())
seen["canceled"] = [one.status for one in trading.cancel_orders()]
history = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1W", timeframe="1D"))
seen["history"] = [history.timeframe, len(history.equity), history.base_value]
configuration = trading.get_account_configurations()
configuration.suspend_trade = True
seen["suspended"] = trading.set_account_configurations(configuration).suspend_trade
try:
    trading.submit_order(MarketOrderRequest(symbol="JD", qty=1, side=BUY, time_in_force=DAY))
except Exception as error:
    seen["refused"] = [error.status_code, error.code]
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_the_official_client_sends_replaces_and_closes_everything_that_it_can() -> None:
    python = alpaca_py()
    with standing_broker("--seed", "7", "--speed", "10") as told:
        seen = json.loads(printed_by(python, CLIENT, *told))
    assert seen == {
        "bought": ["market", "simple", "pending_new"],
        "dollars": ["market", "simple", "pending_new"],
        "limit": ["limit", "simple", "pending_new"],
        "stop": ["stop", "simple", "pending_new"],
        "stop_limit": ["stop_limit", "simple", "pending_new"],
        "trailing": ["trailing_stop", "simple", "pending_new"],
        "close": ["limit", "simple", "pending_new"],
        "bracket": ["limit", "bracket", "pending_new"],
        "legs": ["held", "held"],
        "oco": ["limit", "oco", "pending_new"],
        "oto": ["limit", "oto", "pending_new"],
        "replaced": [True, "replaced", True],
        "moved": True,
        "trailed": "4",
        "nested": 2,
        "group": ["canceled", "canceled", "canceled"],
        "closing": ["sell", "sell"],
        "closed": [["GS", 200], ["JD", 200]],
        "left": 0,
        "canceled": [],
        "history": ["1D", 1, 250000],
        "suspended": True,
        "refused": [403, 40310000],
    }
