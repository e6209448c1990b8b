"""The acceptance list of the simulated broker's REST: each row that is listed there, by a real request."""

import msgspec
import pytest

from tests.simulator_served import JsonObject, Served, served
from trader.model import Symbol
from trader.simulator.shapes import asset_id

JD_ID = asset_id(Symbol("JD"))
NOBODY = "00000000-0000-4000-8000-000000000000"

# Verb, path (`{open}` and `{filled}` are orders that stand so), body, status.
ROWS: list[tuple[str, str, JsonObject | None, int]] = [
    ("GET", "/v2/account", None, 200),
    ("GET", "/v2/account/configurations", None, 200),
    ("PATCH", "/v2/account/configurations", {"no_shorting": True}, 200),
    ("PATCH", "/v2/account/configurations", {"no_shorting": "perhaps"}, 422),
    ("GET", "/v2/account/portfolio/history?period=1D&timeframe=5Min", None, 200),
    ("GET", "/v2/account/portfolio/history?intraday_reporting=extended_hours", None, 200),
    ("GET", "/v2/account/activities", None, 200),
    ("GET", "/v2/account/activities?activity_types=FILL,FEE&page_size=1", None, 200),
    ("GET", "/v2/account/activities/FILL", None, 200),
    ("GET", "/v2beta1/events/activities?since=2026-01-26&until=2026-01-26", None, 200),
    ("POST", "/v2/orders", {"symbol": "JD", "qty": 1, "side": "buy", "type": "market"}, 422),
    ("GET", "/v2/orders?status=all&limit=500&direction=asc&nested=True", None, 200),
    ("GET", "/v2/orders?symbols=JD,GS&side=buy&asset_class=us_equity", None, 200),
    ("GET", "/v2/orders?before_order_id={open}&status=all", None, 200),
    ("GET", "/v2/orders?limit=501", None, 422),
    ("GET", "/v2/orders?side=up", None, 422),
    ("GET", "/v2/orders:by_client_order_id?client_order_id=resting", None, 200),
    ("GET", "/v2/orders:by_client_order_id?client_order_id=nobody", None, 404),
    ("GET", "/v2/orders/{open}", None, 200),
    ("GET", "/v2/orders/{open}?nested=true", None, 200),
    ("GET", f"/v2/orders/{NOBODY}", None, 404),
    ("GET", "/v2/orders/resting", None, 422),
    ("PATCH", "/v2/orders/{open}", {"limit_price": "96.00"}, 200),
    ("PATCH", "/v2/orders/{filled}", {"limit_price": "17.00"}, 422),
    ("PATCH", f"/v2/orders/{NOBODY}", {"limit_price": "17.00"}, 404),
    ("DELETE", "/v2/orders/{open}", None, 204),
    ("DELETE", "/v2/orders/{filled}", None, 422),
    ("DELETE", f"/v2/orders/{NOBODY}", None, 404),
    ("DELETE", "/v2/orders", None, 207),
    ("GET", "/v2/positions", None, 200),
    ("GET", "/v2/positions/JD", None, 200),
    ("GET", f"/v2/positions/{JD_ID}", None, 200),
    ("GET", "/v2/positions/GS", None, 404),
    ("DELETE", "/v2/positions/JD", None, 200),
    ("DELETE", "/v2/positions/JD?qty=3", None, 200),
    ("DELETE", "/v2/positions/JD?percentage=50", None, 200),
    ("DELETE", f"/v2/positions/{JD_ID}?qty=3", None, 200),
    ("DELETE", "/v2/positions/GS", None, 404),
    ("DELETE", "/v2/positions/JD?qty=11", None, 403),
    ("DELETE", "/v2/positions?cancel_orders=true", None, 207),
    ("GET", "/v2/assets", None, 200),
    ("GET", "/v2/assets?status=active&asset_class=us_equity", None, 200),
    ("GET", "/v2/assets/JD", None, 200),
    ("GET", f"/v2/assets/{JD_ID}", None, 200),
    ("GET", "/v2/assets/NOBODY", None, 404),
    ("GET", "/v2/clock", None, 200),
    ("GET", "/v2/calendar?start=2026-01-26&end=2026-01-30", None, 200),
    ("GET", "/v2/calendar?start=soon", None, 400),
    ("GET", "/v2/calendar?start=2026-01-26&end=2026-01-30&date_type=SETTLEMENT", None, 200),
    ("GET", "/v3/clock?markets=NYSE", None, 200),
    ("GET", "/v3/calendar/NYSE?start=2026-01-26&end=2026-01-30", None, 200),
    ("GET", "/v2/stocks/bars?symbols=JD&timeframe=1Min&start=2026-01-26T14:30:00Z", None, 200),
    ("GET", "/v2/stocks/quotes?symbols=JD&start=2026-01-26T14:30:00Z", None, 200),
    ("GET", "/v2/stocks/trades?symbols=JD&start=2026-01-26T14:30:00Z", None, 200),
    ("GET", "/v2/stocks/bars/latest?symbols=JD", None, 200),
    ("GET", "/v2/stocks/quotes/latest?symbols=JD", None, 200),
    ("GET", "/v2/stocks/trades/latest?symbols=JD", None, 200),
    ("GET", "/v2/stocks/snapshots?symbols=JD", None, 200),
    ("GET", "/v2/stocks/JD/bars?timeframe=1Min", None, 200),
    ("GET", "/v2/stocks/JD/quotes", None, 200),
    ("GET", "/v2/stocks/JD/trades", None, 200),
    ("GET", "/v2/stocks/JD/bars/latest", None, 200),
    ("GET", "/v2/stocks/JD/quotes/latest", None, 200),
    ("GET", "/v2/stocks/JD/trades/latest", None, 200),
    ("GET", "/v2/stocks/JD/snapshot", None, 200),
]


async def named(broker: Served, path: str) -> str:
    """The path, with an order that rests, and one that is filled."""
    resting = await broker.order(client_order_id="resting", symbol="GS", limit_price="95.00")
    filled = await broker.order(client_order_id="filled")
    return path.replace("{open}", str(resting["id"])).replace("{filled}", str(filled["id"]))


@pytest.mark.parametrize(("verb", "path", "body", "status"), ROWS)
async def test_a_row_answers_as_it_is_listed(
    verb: str, path: str, body: JsonObject | None, status: int
) -> None:
    async with served() as broker:
        path = await named(broker, path)
        await broker.broker.advance()
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await broker.client.request(verb, path, content=content)
        assert answer.status_code == status, answer.text
        assert answer.headers["X-Request-ID"]
        if status >= 400:
            told = answer.json()
            assert isinstance(told["code"], int), told
            assert told["message"]
        elif status != 204 and "events" not in path:
            assert answer.headers["content-type"] == "application/json"
            msgspec.json.decode(answer.content)
        else:
            assert answer.headers.get("content-type") != "application/json"
        strange = {"APCA-API-SECRET-KEY": "wrong"}
        refused = await broker.client.request(verb, path, content=content, headers=strange)
        assert (refused.status_code, refused.json()) == (401, {"message": "unauthorized."})
        assert refused.headers["X-Request-ID"] != answer.headers["X-Request-ID"]
