"""What any client of Alpaca may ask of the trading service beyond plain orders, over a real socket."""

from decimal import Decimal

import httpx2
import msgspec
import pytest

from tests.simulator_served import GS, JD, MONDAY, TUESDAY, JsonObject, Served, open_ns, served
from trader.model import MINUTE_NS
from trader.simulator.scheduled import EventName, ScheduledEvent

EXITS: JsonObject = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "21"},
    "stop_loss": {"stop_price": 19, "limit_price": 18.5},
}


async def patch(broker: Served, path: str, **changes: object) -> httpx2.Response:
    return await broker.client.patch(path, content=msgspec.json.encode(changes))


async def statuses(broker: Served) -> list[object]:
    orders = await broker.read_list("/v2/orders", status="all", direction="asc")
    return [order["status"] for order in orders]


# --- orders


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"type": "stop", "stop_price": 21.5, "limit_price": None}, {"stop_price": "21.5"}),
        ({"type": "stop_limit", "stop_price": "21"}, {"stop_price": "21", "limit_price": "20.05"}),
        (
            {"type": "trailing_stop", "trail_percent": 5, "limit_price": None},
            {"trail_percent": "5", "hwm": "20.02", "stop_price": "21.021", "trail_price": None},
        ),
        ({"time_in_force": "cls"}, {"time_in_force": "cls"}),
        (
            {"type": "market", "limit_price": None, "qty": None, "notional": "50"},
            {"notional": "50", "qty": None},
        ),
        ({"qty": 0.5}, {"qty": "0.5"}),
        ({"time_in_force": "gtc", "extended_hours": True}, {"extended_hours": True}),
    ],
)
async def test_every_type_of_order_is_taken(changes: JsonObject, shown: JsonObject) -> None:
    async with served() as broker:
        order = await broker.order(**changes)
        assert order["status"] == "pending_new"
        assert {key: order[key] for key in shown} == shown


async def test_an_order_may_name_its_asset_by_id() -> None:
    async with served() as broker:
        asset = await broker.read("/v2/assets/JD")
        order = await broker.order(symbol=asset["id"])
        assert (order["symbol"], order["asset_id"]) == ("JD", asset["id"])


async def test_dollars_are_spent_in_fractions_of_a_share() -> None:
    async with served() as broker:
        order = await broker.order(type="market", limit_price=None, qty=None, notional=50)
        again = await broker.read(f"/v2/orders/{order['id']}")
        assert (again["status"], again["qty"], again["notional"]) == ("filled", None, "50")
        assert again["filled_qty"] == "2.497502497"
        position = await broker.read("/v2/positions/JD")
        assert position["qty"] == "2.497502497"


async def test_the_legs_of_a_bracket_are_shown_within_it_where_that_is_asked_for() -> None:
    async with served() as broker:
        entry = await broker.order(limit_price="19.50", **EXITS)
        legs = msgspec.convert(entry["legs"], list[JsonObject])
        assert [leg["status"] for leg in legs] == ["held", "held"]
        assert [leg["type"] for leg in legs] == ["limit", "stop_limit"]
        assert {leg["order_class"] for leg in legs} == {"bracket"}
        assert {leg["position_intent"] for leg in legs} == {"sell_to_close"}
        (nested,) = await broker.read_list("/v2/orders", nested="True")
        assert nested["legs"] == entry["legs"]
        flat = await broker.read_list("/v2/orders")
        assert [order["legs"] for order in flat] == [None] * 3
        assert (await broker.read(f"/v2/orders/{entry['id']}"))["legs"] is None
        one = await broker.read(f"/v2/orders/{entry['id']}", nested="true")
        assert one["legs"] == entry["legs"]
        assert (await broker.client.delete(f"/v2/orders/{legs[0]['id']}")).status_code == 204
        assert await statuses(broker) == ["canceled"] * 3


async def test_an_oco_order_takes_its_limit_from_its_profit() -> None:
    async with served() as broker:
        await broker.order()
        order = await broker.order(
            side="sell",
            limit_price=None,
            order_class="oco",
            take_profit={"limit_price": "21"},
            stop_loss={"stop_price": "19"},
        )
        assert (order["order_class"], order["limit_price"]) == ("oco", "21")
        position = await broker.read("/v2/positions/JD")
        assert (position["qty"], position["qty_available"]) == ("10", "0")


@pytest.mark.parametrize(
    "changes",
    [
        {"order_class": "mleg"},
        {"order_class": "bracket", "take_profit": {}, "stop_loss": {"stop_price": 1}},
        {"order_class": "bracket", "take_profit": {"limit_price": 21}, "stop_loss": {}},
        {"order_class": "bracket", "take_profit": 21},
        {"take_profit": {"limit_price": "21"}},
        {"qty": None, "notional": "0.5", "type": "market", "limit_price": None},
    ],
)
async def test_a_group_that_is_none_is_refused(changes: JsonObject) -> None:
    async with served() as broker:
        assert (await broker.post_order(**changes)).status_code == 422


# --- replacing


async def test_a_replaced_order_and_its_replacement_name_each_other_and_both_are_told() -> None:
    async with served() as broker, broker.trading_stream() as stream:
        order = await broker.order(limit_price="19.00", client_order_id="a")
        response = await patch(broker, f"/v2/orders/{order['id']}", limit_price=19.5, qty="12")
        assert response.status_code == 200
        new = response.json()
        assert (new["status"], new["replaces"], new["qty"]) == ("pending_new", order["id"], "12")
        assert (new["limit_price"], new["client_order_id"] != "a") == ("19.5", True)
        old = await broker.read(f"/v2/orders/{order['id']}")
        assert (old["status"], old["replaced_by"]) == ("replaced", new["id"])
        assert old["replaced_at"] is not None
        kinds = [msgspec.json.decode(await stream.get_message())["data"]["event"] for _ in range(6)]
        assert kinds == ["pending_new", "new", "pending_replace", "pending_new", "replaced", "new"]
        again = await patch(broker, f"/v2/orders/{order['id']}", qty=5)
        assert (again.status_code, again.json()["code"]) == (422, 42210000)
        assert again.json()["message"] == "order is not open"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422),
        (b"", 422),
        (b"[]", 422),
        (b'{"qty":"x"}', 422),
        (b'{"qty":"1.5"}', 422),
        (b'{"time_in_force":"never"}', 422),
        (b'{"qty":"100000"}', 403),
    ],
)
async def test_a_replacement_that_is_none_is_refused(body: bytes, status: int) -> None:
    async with served() as broker:
        order = await broker.order(limit_price="19.00")
        response = await broker.client.patch(f"/v2/orders/{order['id']}", content=body)
        assert response.status_code == status
        assert isinstance(response.json()["code"], int)
        assert await statuses(broker) == ["new"]


async def test_an_order_that_is_not_there_cannot_be_replaced() -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    async with served() as broker:
        assert (await patch(broker, f"/v2/orders/{nobody}", qty=5)).status_code == 404


# --- closing positions


@pytest.mark.parametrize(
    ("query", "left"),
    [("", None), ("?qty=4", "6"), ("?percentage=25", "7.5"), ("?qty=0.5", "9.5")],
)
async def test_a_position_is_closed_wholly_or_in_part(query: str, left: str | None) -> None:
    async with served() as broker:
        await broker.order()
        response = await broker.client.delete(f"/v2/positions/JD{query}")
        assert response.status_code == 200
        order = response.json()
        assert (order["side"], order["type"], order["symbol"]) == ("sell", "market", "JD")
        positions = await broker.read_list("/v2/positions")
        assert [position["qty"] for position in positions] == ([] if left is None else [left])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/positions/GS", 404),
        ("/v2/positions/NONE", 404),
        ("/v2/positions/JD?qty=11", 403),
        ("/v2/positions/JD?qty=x", 422),
        ("/v2/positions/JD?qty=-1", 422),
        ("/v2/positions/JD?percentage=101", 422),
        ("/v2/positions/JD?percentage=1&qty=1", 422),
    ],
)
async def test_a_position_that_cannot_be_closed_stays(path: str, status: int) -> None:
    async with served() as broker:
        await broker.order()
        response = await broker.client.delete(path)
        assert response.status_code == status
        assert isinstance(response.json()["code"], int)
        assert (await broker.read("/v2/positions/JD"))["qty"] == "10"


async def test_shares_that_an_order_holds_cannot_be_closed_before_it_is_canceled() -> None:
    async with served() as broker:
        await broker.order()
        holder = await broker.order(side="sell", limit_price="25")
        response = await broker.client.delete("/v2/positions/JD")
        assert response.status_code == 403
        assert response.json() == {
            "code": 40310000,
            "message": "insufficient qty available for order (requested: 10, available: 0)",
            "symbol": "JD",
            "existing_qty": "10",
            "held_for_orders": "10",
            "available": "0",
            "related_orders": [holder["id"]],
        }


async def test_all_positions_are_closed_each_with_its_own_answer() -> None:
    async with served() as broker:
        await broker.order()
        await broker.order(symbol=GS, limit_price="100.20")
        await broker.order(side="sell", limit_price="25")
        response = await broker.client.delete("/v2/positions")
        assert response.status_code == 207
        assert [(one["symbol"], one["status"]) for one in response.json()] == [
            ("GS", 200),
            ("JD", 403),
        ]
        response = await broker.client.delete("/v2/positions?cancel_orders=true")
        ((symbol, status, body),) = [tuple(one.values()) for one in response.json()]
        assert (symbol, status, body["side"]) == ("JD", 200, "sell")
        assert await broker.read_list("/v2/positions") == []


# --- the account


async def test_a_margin_account_shows_its_powers_and_what_it_owes() -> None:
    async with served() as broker:
        broker.broker.account.multiplier = 2
        account = await broker.read("/v2/account")
        assert (account["multiplier"], account["buying_power"]) == ("2", "500000")
        assert (account["shorting_enabled"], account["cash"]) == (True, "250000")
        order = await broker.order(side="sell", limit_price="20.00")
        assert order["position_intent"] == "sell_to_open"
        position = await broker.read("/v2/positions/JD")
        assert (position["side"], position["qty"]) == ("short", "-10")
        assert (position["qty_available"], position["cost_basis"]) == ("-10", "-200")
        account = await broker.read("/v2/account")
        assert (account["short_market_value"], account["long_market_value"]) == ("-200", "0")
        assert account["cash"] == "250200"
        # The fee is accrued, but not charged before the day ends.
        assert account["equity"] == "250000"
        assert (account["initial_margin"], account["maintenance_margin"]) == ("100", "60")
        assert account["buying_power"] == "499799.98"
        assert (await broker.client.delete("/v2/positions/JD")).json()["side"] == "buy"
        assert await broker.read_list("/v2/positions") == []


ACCOUNT_KEYS = """
id account_number status currency cash equity last_equity buying_power regt_buying_power
non_marginable_buying_power options_buying_power multiplier long_market_value short_market_value
initial_margin maintenance_margin last_maintenance_margin sma accrued_fees pending_reg_taf_fees
pending_transfer_in pending_transfer_out intraday_adjustments balance_asof portfolio_value
trading_blocked account_blocked transfers_blocked trade_suspended_by_user shorting_enabled created_at
"""


async def test_an_account_has_all_its_keys() -> None:
    async with served() as broker:
        account = await broker.read("/v2/account")
        assert set(ACCOUNT_KEYS.split()) <= account.keys()
        flags = {key for key, value in account.items() if isinstance(value, bool)}
        assert "shorting_enabled" in flags
        assert all(isinstance(account[key], str) for key in account.keys() - flags)


async def test_what_the_owner_sets_stays_set_and_works(tmp_path: object) -> None:
    async with served() as broker:
        before = await broker.read("/v2/account/configurations")
        assert (before["suspend_trade"], before["max_margin_multiplier"]) == (False, "1")
        response = await patch(broker, "/v2/account/configurations", suspend_trade=True)
        assert response.json() == before | {"suspend_trade": True}
        assert (await broker.read("/v2/account"))["trade_suspended_by_user"] is True
        assert (await broker.post_order()).status_code == 403
        for nonsense in (b'{"suspend_trade":"maybe"}', b'{"max_margin_multiplier":"3"}', b"["):
            path = "/v2/account/configurations"
            assert (await broker.client.patch(path, content=nonsense)).status_code == 422
        assert await broker.read("/v2/account/configurations") == response.json()


async def test_the_ledger_is_told_by_kind_category_and_order() -> None:
    events = (
        ScheduledEvent(
            at_ns=open_ns(MONDAY) + MINUTE_NS,
            name=EventName.DIVIDEND,
            symbol=JD,
            amount=Decimal("0.3"),
        ),
        ScheduledEvent(
            at_ns=open_ns(MONDAY) + MINUTE_NS, name=EventName.INTEREST, amount=Decimal("1.5")
        ),
    )
    async with served(events=events) as broker:
        order = await broker.order()
        await broker.order(symbol=GS, limit_price="100.20")
        while await broker.broker.advance() is not None:
            pass
        path = "/v2/account/activities"

        async def kinds(**query: str) -> list[object]:
            entries = await broker.read_list(path, direction="asc", **query)
            return [one["activity_type"] for one in entries]

        assert await kinds() == ["FILL", "FILL", "DIV", "INT"]
        assert await kinds(category="trade_activity") == ["FILL", "FILL"]
        assert await kinds(category="non_trade_activity") == ["DIV", "INT"]
        assert await kinds(order_id=str(order["id"])) == ["FILL"]
        assert await kinds(activity_types="DIV,INT") == ["DIV", "INT"]
        assert await kinds(activity_types="MISC") == ["INT"], "all but cash, dividends and fills"
        both = await broker.get(path, category="trade_activity", activity_types="FILL")
        assert both.status_code == 422
        (dividend,) = await broker.read_list(f"{path}/DIV")
        assert (dividend["net_amount"], dividend["per_share_amount"]) == ("3", "0.3")
        assert (dividend["activity_sub_type"], dividend["currency"]) == ("CDIV", "USD")
        assert (await broker.get(path, category="other")).status_code == 422


# --- worth over time


async def test_the_worth_of_an_account_is_told_by_day_and_by_minute() -> None:
    async with served() as broker:
        await broker.order()
        while await broker.broker.advance() is not None:
            pass
        broker.broker.begin_session(TUESDAY)
        await broker.broker.advance()
        await broker.order(side="sell", limit_price="20.00")
        await broker.broker.advance()
        days = await broker.read("/v2/account/portfolio/history", timeframe="1D", period="1W")
        assert days["timeframe"] == "1D"
        # Bought at 20.02, held at 20.01 overnight, sold at 20.00.
        assert days["equity"] == [249999.9, 249999.8]
        assert days["profit_loss"] == [-0.1, -0.2]
        assert (days["base_value"], days["base_value_asof"]) == (250000, "2026-01-23")
        minutes = await broker.read("/v2/account/portfolio/history", period="1D", timeframe="1Min")
        assert minutes["equity"] == [249999.8, 249999.8]
        assert minutes["timestamp"] == [open_ns(TUESDAY) // 10**9, open_ns(TUESDAY) // 10**9 + 60]
        assert minutes["profit_loss"] == [-0.1, -0.1]


async def test_what_is_paid_in_is_no_profit() -> None:
    deposit = ScheduledEvent(
        at_ns=open_ns(MONDAY) + MINUTE_NS, name=EventName.DEPOSIT, amount=Decimal(1000)
    )
    async with served(events=(deposit,)) as broker:
        while await broker.broker.advance() is not None:
            pass
        days = await broker.read("/v2/account/portfolio/history", timeframe="1D")
        assert (days["equity"], days["profit_loss"]) == ([251000], [0])
        assert days["cashflow"] == {"CSD": [1000]}


@pytest.mark.parametrize(
    "query",
    [
        {"period": "x"},
        {"period": "3M", "timeframe": "1Min"},
        {"timeframe": "2D"},
        {"period": "1D", "start": "2026-01-20", "end": "2026-01-26"},
        {"start": "yesterday"},
        {"pnl_reset": "never"},
    ],
)
async def test_a_history_that_cannot_be_told_is_refused(query: dict[str, str]) -> None:
    async with served() as broker:
        assert (await broker.get("/v2/account/portfolio/history", **query)).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"period": "999A"},
        {"start": "1970-01-01"},
        {"end": "1990-01-01"},
        {"end": "1990-01-01", "period": "2D"},
    ],
)
async def test_before_the_account_there_is_nothing(query: dict[str, str]) -> None:
    async with served() as broker:
        history = await broker.read("/v2/account/portfolio/history", **query)
        assert len(msgspec.convert(history["equity"], list[float])) <= 1


# --- assets, clocks


async def test_assets_are_told_with_what_may_be_done_with_them() -> None:
    async with served() as broker:
        asset = await broker.read("/v2/assets/JD")
        assert asset["fractionable"] is asset["shortable"] is asset["easy_to_borrow"] is True
        assert asset["borrow_status"] == "easy_to_borrow"
        for query in ({"exchange": "NYSE"}, {"asset_class": "crypto"}, {"status": "inactive"}):
            assert await broker.read_list("/v2/assets", **query) == []


async def test_the_newer_clock_knows_phases_and_other_times() -> None:
    async with served() as broker:
        (clock,) = msgspec.convert((await broker.read("/v3/clock"))["clocks"], list[JsonObject])
        assert (clock["phase"], clock["is_market_day"]) == ("core", True)
        assert clock["phase_until"] == "2026-01-26T16:00:00-05:00"
        later = await broker.read(
            "/v3/clock", markets="NYSE,XNAS", time="2026-11-27T13:30:00-05:00"
        )
        clocks = msgspec.convert(later["clocks"], list[JsonObject])
        assert [one["phase"] for one in clocks] == ["post", "post"]
        assert (await broker.get("/v3/clock", markets="MOON")).status_code == 400
        assert (await broker.get("/v3/clock", time="noon")).status_code == 400


async def test_the_newer_calendar_has_whole_time_stamps() -> None:
    async with served() as broker:
        found = await broker.read("/v3/calendar/NYSE", start="2026-11-26", end="2026-11-28")
        (day,) = msgspec.convert(found["calendar"], list[JsonObject])
        assert day["core_end"] == "2026-11-27T13:00:00-05:00"
        week = await broker.read("/v3/calendar/XNYS")
        assert len(msgspec.convert(week["calendar"], list[JsonObject])) == 6
        assert (await broker.get("/v3/calendar/MOON")).status_code == 400


@pytest.mark.parametrize(
    "path", ["/v2/watchlists", "/v2/options/contracts", "/v2/wallets", "/v1/locates"]
)
async def test_what_is_not_offered_is_not_found(path: str) -> None:
    async with served() as broker:
        response = await broker.get(path)
        assert (response.status_code, response.json()["code"]) == (404, 40410000)
