"""The simulated broker's REST service, asked over a real socket."""

import base64
from decimal import Decimal

import httpx2
import msgspec
import pytest

from tests.simulator_served import GS, JD, KEYS, MONDAY, JsonObject, Served, served
from trader.simulator.books import Service


async def test_without_the_right_keys_nothing_is_told() -> None:
    async with served() as broker, httpx2.AsyncClient(base_url=broker.address) as stranger:
        for headers in (
            {},
            {"APCA-API-KEY-ID": KEYS.key},
            {"APCA-API-KEY-ID": KEYS.key, "APCA-API-SECRET-KEY": "guess"},
            {"Authorization": "Basic !"},
            {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()},
        ):
            response = await stranger.get("/v2/account", headers=headers)
            assert response.status_code == 401
            assert response.json() == {"message": "unauthorized."}
        basic = base64.b64encode(f"{KEYS.key}:{KEYS.secret}".encode()).decode()
        response = await stranger.get("/v2/account", headers={"Authorization": f"Basic {basic}"})
        assert response.status_code == 200


async def test_a_filled_order_shows_in_account_positions_orders_and_activities() -> None:
    async with served() as broker:
        order = await broker.order(client_order_id="mine", qty=10.0)
        assert (order["status"], order["filled_qty"]) == ("pending_new", "0")
        account = await broker.read("/v2/account")
        assert (account["cash"], account["multiplier"]) == ("249799.8", "1")
        (position,) = await broker.read_list("/v2/positions")
        assert (position["qty"], position["avg_entry_price"]) == ("10", "20.02")
        assert position == await broker.read("/v2/positions/JD")
        assert position == await broker.read(f"/v2/positions/{position['asset_id']}")
        (fill,) = await broker.read_list("/v2/account/activities/FILL")
        assert fill["order_id"] == order["id"]
        assert (fill["type"], fill["price"], fill["qty"]) == ("fill", "20.02", "10")
        same = await broker.read("/v2/orders:by_client_order_id", client_order_id="mine")
        assert same == await broker.read(f"/v2/orders/{order['id']}")
        assert (same["status"], same["filled_avg_price"]) == ("filled", "20.02")


async def test_what_is_not_there_is_404_and_what_is_no_identifier_is_422() -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    async with served() as broker:
        for path, status in (
            (f"/v2/orders/{nobody}", 404),
            ("/v2/orders:by_client_order_id", 422),
            ("/v2/orders/nonsense", 422),
            ("/v2/positions/JD", 404),
            ("/v2/assets/NONE", 404),
            ("/v2/watchlists", 404),
            ("/nowhere", 404),
        ):
            response = await broker.get(path)
            assert response.status_code == status, path
            assert isinstance(response.json()["code"], int)
        assert (await broker.client.delete(f"/v2/orders/{nobody}")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"qty": "100000"}, 403, 40310000),
        ({"side": "sell"}, 403, 40310000),
        ({"qty": None}, 422, 40010001),
        ({"notional": "10"}, 422, 40010001),
        ({"qty": None, "notional": "10"}, 422, 42210000),
        ({"limit_price": None}, 422, 40010001),
        ({"limit_price": "20.001"}, 422, 42210000),
        ({"symbol": "NONE"}, 422, 42210000),
        ({"symbol": "JD\n"}, 422, 42210000),
        ({"side": "BUY"}, 422, 40010001),
        ({"type": ""}, 422, 40010001),
        ({"type": "stop", "stop_price": "21"}, 422, 40010001),
        ({"time_in_force": "never"}, 422, 40010001),
        ({"order_class": "bracket"}, 422, 42210000),
        ({"position_intent": "sell_to_close"}, 422, 40010001),
        ({"side": "sell", "position_intent": "sell_to_open"}, 403, 40310000),
        ({"client_order_id": "x" * 129}, 422, 40010001),
        ({"client_order_id": "a\nb"}, 422, 40010001),
        *(
            ({"qty": quantity}, 422, 40010001)
            for quantity in ("NaN", "Infinity", "1_0", "١٢", "1e999", "-5", "0", 2**64, "", [1])
        ),
    ],
)
async def test_a_bad_order_is_refused_with_its_code(
    changes: JsonObject, status: int, code: int
) -> None:
    async with served() as broker:
        response = await broker.post_order(**changes)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert await broker.read_list("/v2/orders", status="all") == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b'"x"', b'{"qty":true}', b'{"symbol":"\xff"}', b"[" * 100_000],
)
async def test_a_body_that_is_no_order_is_the_clients_fault(body: bytes) -> None:
    async with served() as broker:
        assert (await broker.post_raw(body)).status_code == 422


async def test_a_body_longer_than_any_order_is_not_read() -> None:
    async with served() as broker:
        assert (await broker.post_raw(b" " * (2 << 20))).status_code == 413


async def test_the_same_client_order_id_is_refused_for_ever() -> None:
    async with served() as broker:
        await broker.order(client_order_id="mine")
        response = await broker.post_order(client_order_id="mine")
        assert response.status_code == 422
        assert response.json() == {"code": 40010001, "message": "client_order_id must be unique"}


async def test_an_order_is_canceled_once_and_all_of_them_together() -> None:
    async with served() as broker:
        filled = await broker.order()
        assert (await broker.client.delete(f"/v2/orders/{filled['id']}")).status_code == 422
        order = await broker.order(limit_price="19.00")
        for _ in range(2):
            assert (await broker.client.delete(f"/v2/orders/{order['id']}")).status_code == 204
        resting = [await broker.order(limit_price="19.00") for _ in range(2)]
        response = await broker.client.delete("/v2/orders")
        assert response.status_code == 207
        assert response.json() == [{"id": order["id"], "status": 200} for order in resting]
        assert await broker.read_list("/v2/orders") == []


async def test_the_list_of_orders_hides_things_unless_it_is_asked_for_them() -> None:
    async with served() as broker:
        ids = [(await broker.order(symbol=s, limit_price="1.00"))["id"] for s in (JD, GS, JD)]
        await broker.client.delete(f"/v2/orders/{ids[0]}")

        async def listed(**parameters: str) -> list[int]:
            found = await broker.read_list("/v2/orders", **parameters)
            return [ids.index(order["id"]) for order in found]

        assert await listed() == [2, 1]
        assert await listed(status="closed") == [0]
        assert await listed(status="all", direction="asc") == [0, 1, 2]
        assert await listed(status="all", limit="1") == [2]
        assert await listed(status="all", symbols="GS,IBM") == [1]
        assert await listed(status="all", side="sell") == []
        assert await listed(status="all", before_order_id=str(ids[2])) == [1, 0]
        assert await listed(status="all", after_order_id=str(ids[0]), direction="asc") == [1, 2]
        assert await listed(status="all", nested="True") == [2, 1, 0]
        assert await listed(status="all", after="2026-01-26T14:30:00Z") == []
        assert await listed(status="all", until="2026-01-26T14:30:00.000000001Z") == [2, 1, 0]
        for name, value in (("limit", "501"), ("limit", "x"), ("status", "x"), ("after", "x")):
            assert (await broker.get("/v2/orders", **{name: value})).status_code == 422
        for other in ("after", "until"):
            both = {"after_order_id": str(ids[0]), other: "2026-01-26T14:30:00Z"}
            assert (await broker.get("/v2/orders", **both)).status_code == 422


async def test_activities_are_paged_by_the_last_id_seen() -> None:
    async with served() as broker:
        for _ in range(5):
            await broker.order(qty="1")
        everything = await broker.read_list("/v2/account/activities/FILL", direction="asc")
        assert len(everything) == 5
        paged: list[JsonObject] = []
        while page := await broker.read_list(
            "/v2/account/activities/FILL",
            direction="asc",
            page_size="2",
            page_token=str(paged[-1]["id"]) if paged else "",
        ):
            paged.extend(page)
        assert paged == everything
        assert (await broker.get("/v2/account/activities", page_token="x")).status_code == 422


async def test_the_days_fees_are_one_activity_after_the_close() -> None:
    async with served() as broker:
        await broker.order()
        await broker.order(side="sell", limit_price="19.99")
        assert (await broker.read("/v2/account"))["accrued_fees"] == "0.01"
        while await broker.broker.advance() is not None:
            pass
        (fee,) = await broker.read_list("/v2/account/activities/FEE", date=MONDAY)
        assert (fee["net_amount"], fee["date"]) == ("-0.01", MONDAY)
        account = await broker.read("/v2/account")
        assert (account["accrued_fees"], account["cash"]) == ("0", "249999.79")
        assert Decimal(str(account["cash"])) == Decimal("249999.80") - Decimal("0.01")


async def test_clock_calendar_and_assets_tell_what_the_exchange_does() -> None:
    async with served() as broker:
        clock = await broker.read("/v2/clock")
        assert clock == {
            "timestamp": "2026-01-26T09:30:00-05:00",
            "is_open": True,
            "next_open": "2026-01-27T09:30:00-05:00",
            "next_close": "2026-01-26T16:00:00-05:00",
        }
        days = await broker.read_list("/v2/calendar", start="2026-01-16", end="2026-01-20")
        assert [day["date"] for day in days] == ["2026-01-16", "2026-01-20"]
        assert len(await broker.read_list("/v2/calendar")) > 7_000
        assert (await broker.get("/v2/calendar", start="soon")).status_code == 400
        assets = await broker.read_list("/v2/assets", status="active")
        assert [asset["symbol"] for asset in assets] == ["GS", "IBM", "JD"]
        assert (await broker.read(f"/v2/assets/{assets[0]['id']}"))["symbol"] == "GS"


async def test_bars_are_those_that_have_ended_and_come_in_pages() -> None:
    async with served() as broker:
        assert (await broker.read("/v2/stocks/bars", symbols="JD"))["bars"] == {}
        await broker.broker.advance()
        await broker.broker.advance()
        minutes = [f"2026-01-26T14:3{minute}:00.000Z" for minute in (0, 1)]
        assert await _bar_times(broker, symbols="JD") == {"JD": minutes}
        assert await _bar_times(broker, symbols="JD,GS", limit="3") == {
            "GS": minutes,
            "JD": minutes,
        }
        assert await _bar_times(broker, symbols="JD", sort="desc") == {"JD": minutes[::-1]}
        assert await _bar_times(broker, symbols="JD", start=minutes[1]) == {"JD": minutes[1:]}
        assert await _bar_times(broker, symbols="JD", end=minutes[0]) == {"JD": minutes[:1]}
        single = await broker.read("/v2/stocks/JD/bars")
        assert (single["symbol"], single["next_page_token"]) == ("JD", None)
        for name, value in (("timeframe", "x"), ("page_token", "x"), ("symbols", "")):
            parameters = {"symbols": "JD", name: value}
            assert (await broker.get("/v2/stocks/bars", **parameters)).status_code == 400


async def _bar_times(broker: Served, **parameters: str) -> dict[str, list[str]]:
    """Over all pages."""
    found: dict[str, list[str]] = {}
    token = ""
    while True:
        reply = await broker.get("/v2/stocks/bars", page_token=token, **parameters)
        page = msgspec.json.decode(reply.content, type=BarsReply)
        for symbol, bars in page.bars.items():
            found.setdefault(symbol, []).extend(str(bar["t"]) for bar in bars)
        if page.next_page_token is None:
            return found
        token = page.next_page_token


class BarsReply(msgspec.Struct):
    bars: dict[str, list[JsonObject]]
    next_page_token: str | None


async def test_longer_bars_are_made_of_minutes() -> None:
    async with served() as broker:
        while await broker.broker.advance() is not None:
            pass
        for timeframe, count, volume in (
            ("2Min", 2, 10_000),
            ("1Hour", 1, 15_000),
            ("1Day", 1, 15_000),
        ):
            reply = await broker.get("/v2/stocks/bars", symbols="JD", timeframe=timeframe)
            bars = reply.json()["bars"]["JD"]
            assert (len(bars), bars[0]["v"]) == (count, volume)
            assert (bars[0]["o"], bars[0]["h"], bars[0]["l"]) == (20.01, 20.06, 19.96)


async def test_the_latest_quote_bar_and_trade_are_of_the_instant() -> None:
    async with served() as broker:
        await broker.broker.advance()
        quotes = (await broker.get("/v2/stocks/quotes/latest", symbols="JD,NONE")).json()["quotes"]
        assert list(quotes) == ["JD"]
        assert (quotes["JD"]["bp"], quotes["JD"]["ap"], quotes["JD"]["as"]) == (20.0, 20.02, 100)
        bars = (await broker.get("/v2/stocks/bars/latest", symbols="JD")).json()["bars"]
        assert bars["JD"]["t"] == "2026-01-26T14:30:00.000Z"
        trades = (await broker.get("/v2/stocks/trades/latest", symbols="JD")).json()["trades"]
        assert (trades["JD"]["p"], trades["JD"]["t"]) == (20.01, "2026-01-26T14:30:59.999999999Z")
        snapshot = (await broker.get("/v2/stocks/snapshots", symbols="JD")).json()["JD"]
        assert snapshot["latestTrade"] == trades["JD"]


async def test_requests_beyond_the_limit_of_a_minute_of_market_time_get_429() -> None:
    async with served(service=Service(requests_per_minute=2)) as broker:
        replies = [await broker.get("/v2/clock") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
        assert int(replies[0].headers["X-RateLimit-Reset"]) == 1_769_437_860
        await broker.broker.advance()
        assert (await broker.get("/v2/clock")).status_code == 200


async def test_every_reply_has_a_request_id_of_its_own() -> None:
    async with served() as broker:
        ids = {(await broker.get("/v2/clock")).headers["X-Request-ID"] for _ in range(3)}
        assert len(ids) == 3
