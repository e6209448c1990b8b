"""The operator's endpoint over real sockets: what he states comes true at once, and strangers get nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.requests import Request

from tests.simulator_served import JD, MONDAY, TUESDAY, JsonObject, Served, hear_kinds, served
from trader.feeds.synthetic import FIRST_SESSION
from trader.simulator.admin_rest import Admin, AdminRest, is_near

ADMIN = Admin(token="hush", first_session=FIRST_SESSION, steps=True)
RIGHT = {"Authorization": "Bearer hush"}


class Operated(Served):
    """A broker and its operator."""

    async def told(self, method: str, path: str, /, **body: object) -> httpx2.Response:
        content = msgspec.json.encode(body) if method in ("POST", "PATCH") else b""
        return await self.client.request(method, f"/admin{path}", headers=RIGHT, content=content)

    async def done(self, path: str, /, **body: object) -> JsonObject:
        response = await self.told("POST", path, **body)
        assert response.status_code < 300, response.text
        return msgspec.json.decode(response.content, type=JsonObject)

    async def seen(self, path: str) -> list[JsonObject]:
        response = await self.told("GET", path)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=list[JsonObject])

    async def account_books(self) -> JsonObject:
        books = (await self.told("GET", "/books")).json()
        (account,) = books["accounts"]
        assert isinstance(account, dict)
        return account


@asynccontextmanager
async def operated(
    *, admin: Admin = ADMIN, path: Path | None = None, date: str = MONDAY
) -> AsyncIterator[Operated]:
    async with served(admin=admin, path=path, date=date) as broker:
        yield Operated(broker.broker, broker.address, broker.client)


# --- who may


ROUTES = [
    ("GET", ""),
    ("GET", "/faults"),
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("DELETE", "/faults/0"),
    ("GET", "/events"),
    ("POST", "/events"),
    ("POST", "/halt"),
    ("POST", "/resume"),
    ("POST", "/accounts"),
    ("PATCH", "/accounts/0"),
    ("POST", "/quotes"),
    ("POST", "/step"),
    ("GET", "/journal"),
    ("GET", "/books"),
]


async def test_nobody_gets_in_without_the_token() -> None:
    async with operated() as broker:
        paths = {route.path for route in AdminRest(broker.broker, ADMIN).routes()}
        assert {f"/admin{path}".replace("/0", "/{number}") for _, path in ROUTES} == paths
        keys_of_a_client = dict(broker.client.headers)
        for headers in ({}, {"Authorization": "Bearer hus"}, {"Authorization": "Basic hush"}):
            for verb, path in ROUTES:
                asked = await broker.client.request(
                    verb, f"/admin{path}", headers={**keys_of_a_client, **headers}
                )
                assert asked.status_code == 401, (verb, path, headers)
                assert asked.json() == {"message": "unauthorized."}


async def test_without_an_operator_there_is_no_such_place() -> None:
    async with served() as broker:
        for verb, path in ROUTES:
            asked = await broker.client.request(verb, f"/admin{path}", headers=RIGHT)
            assert asked.status_code == 404


@pytest.mark.parametrize(
    ("server", "client", "near"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("10.0.0.5", "10.0.0.9", False),
        ("127.0.0.1", "10.0.0.9", False),
        ("10.0.0.5", "127.0.0.1", False),
        ("", "", False),
    ],
)
def test_whoever_asks_from_elsewhere_is_far(server: str, client: str, near: bool) -> None:
    scope = {"type": "http", "server": (server, 80), "client": (client, 50_000)}
    assert is_near(Request(scope)) is near


# --- faults


async def test_faults_come_strike_and_go() -> None:
    async with operated() as broker:
        added = await broker.done("/faults", verb="accept-then-504", symbol="JD", times="always")
        assert (added["id"], added["method"], added["path"]) == (0, "POST", "/v2/orders")
        assert (await broker.post_order()).status_code == 504
        assert (await broker.post_order(symbol="GS", limit_price="101")).status_code == 200
        await broker.done("/faults", verb="drop-event", event="fill", probability=0.25)
        faults = await broker.seen("/faults")
        assert [(one["id"], one["matches"], one["strikes"]) for one in faults] == [
            (0, 1, 1),
            (1, 0, 0),
        ]
        assert (await broker.told("DELETE", "/faults/0")).status_code == 204
        assert (await broker.told("DELETE", "/faults/0")).status_code == 404
        assert (await broker.post_order()).status_code == 200
        assert (await broker.told("DELETE", "/faults")).status_code == 204
        assert await broker.seen("/faults") == []


async def test_a_fault_of_one_account_leaves_the_others_alone() -> None:
    async with operated() as broker:
        await broker.done("/accounts", key="PKTWO", secret="two", cash=1_000, multiplier=2)
        two = {"APCA-API-KEY-ID": "PKTWO", "APCA-API-SECRET-KEY": "two"}
        account = (await broker.client.get("/v2/account", headers=two)).json()
        assert (account["cash"], account["multiplier"]) == ("1000", "2")
        await broker.done("/faults", verb="429-burst", method="GET", key="PKTWO", times="always")
        assert (await broker.client.get("/v2/clock", headers=two)).status_code == 429
        assert (await broker.get("/v2/clock")).status_code == 200
        await broker.done("/faults", verb="disconnect-stream", event="new", key="PKTWO")
        async with broker.trading_stream() as stream:
            order = b'{"symbol":"JD","qty":1,"side":"buy","type":"market","time_in_force":"day"}'
            taken = await broker.client.post("/v2/orders", headers=two, content=order)
            assert taken.status_code == 200
            await broker.order()
            assert await hear_kinds(stream, 3) == ["pending_new", "new", "fill"]
        assert (await broker.told("POST", "/accounts", key="PKTWO", secret="x")).status_code == 422


# --- halts and events


async def test_a_halted_symbol_does_not_trade_until_it_is_resumed() -> None:
    async with operated() as broker:
        halted = await broker.done("/halt", symbol="JD", reason="T1")
        assert (halted["name"], halted["description"]) == ("halt", "T1")
        order = await broker.order()
        await broker.done("/step")
        assert (await broker.read(f"/v2/orders/{order['id']}"))["status"] == "new"
        assert (await broker.told("GET", "/books")).json()["halted"] == ["JD"]
        await broker.done("/resume", symbol="JD")
        await broker.done("/step")
        assert (await broker.read(f"/v2/orders/{order['id']}"))["status"] == "filled"
        assert [one["name"] for one in await broker.seen("/events")] == ["halt", "resume"]


async def test_an_event_happens_now_or_later_or_not_at_all() -> None:
    async with operated() as broker:
        assert (await broker.told("POST", "/events", name="fee", amount="1.50")).status_code == 200
        later = await broker.told("POST", "/events", name="deposit", amount=100, at="09:31:30")
        assert later.status_code == 202
        undone = await broker.told("POST", "/events", name="trade-bust", symbol="GS")
        assert (undone.status_code, undone.json()["undone"]) == (409, "no such trade")
        assert (await broker.read("/v2/account"))["cash"] == "249998.5"
        await broker.done("/step", until="09:31:30")
        assert (await broker.read("/v2/account"))["cash"] == "250098.5"


async def test_a_quote_is_what_the_operator_says_until_the_market_says_another() -> None:
    async with operated() as broker:
        order = await broker.order(limit_price="15.00", qty="40")
        await broker.done("/quotes", symbol="JD", bid=14.90, ask="15.00", ask_size=30)
        seen = await broker.read(f"/v2/orders/{order['id']}")
        assert (seen["status"], seen["filled_qty"]) == ("partially_filled", "30")
        await broker.done("/step")
        quote = (await broker.read("/v2/stocks/JD/quotes/latest"))["quote"]
        assert msgspec.convert(quote, JsonObject)["ap"] == 20.02


@pytest.mark.parametrize(
    ("restriction", "words"),
    [
        ("trading_blocked", "account is not authorized to trade"),
        ("account_blocked", "account is not authorized to trade"),
        ("only_liquidation", "account is restricted to liquidation only"),
    ],
)
async def test_an_account_is_restricted_until_it_is_not(restriction: str, words: str) -> None:
    async with operated() as broker:
        await broker.order()
        assert (await broker.told("PATCH", "/accounts/0", **{restriction: True})).status_code == 200
        refused = await broker.post_order()
        assert (refused.status_code, refused.json()["code"]) == (403, 40310000)
        assert refused.json()["message"] == words
        await broker.told("PATCH", "/accounts/0", shorting=False)
        assert (await broker.post_order()).status_code == 403, "the other stays as it was"
        await broker.told("PATCH", "/accounts/0", **{restriction: False})
        assert (await broker.post_order()).status_code == 200
        assert (await broker.told("PATCH", "/accounts/1", shorting=True)).status_code == 422


async def test_halts_and_gaps_are_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with operated(path=path) as broker:
        await broker.order()
        await broker.done("/halt", symbol="GS")
        await broker.done("/halt", symbol="JD")
        await broker.done("/resume", symbol="JD")
        await broker.done("/events", name="gap", symbol="JD", ratio=0.5)
        await broker.done("/events", name="fee", amount=1)
        await broker.done("/events", name="fee", amount=7, at=f"{TUESDAY}T09:30")
        before = (await broker.told("GET", "/books")).json()["accounts"]
    async with operated(path=path) as broker:
        books = (await broker.told("GET", "/books")).json()
        assert books["halted"] == ["GS"]
        assert [one["cash"] for one in books["accounts"]] == [before[0]["cash"]]
        assert books["accounts"][0]["activities"] == before[0]["activities"]
        await broker.done("/step")
        quote = (await broker.read("/v2/stocks/JD/quotes/latest"))["quote"]
        assert msgspec.convert(quote, JsonObject)["ap"] == 10.01
        await broker.done("/step", until=f"{TUESDAY}T09:31")
        fees = await broker.read_list("/v2/account/activities/FEE")
        assert [one["net_amount"] for one in fees] == ["-7", "-1"]


# --- time


async def test_time_stands_until_it_is_stepped() -> None:
    async with operated() as broker:
        assert (await broker.told("GET", "")).json()["pace"] == "stepped"

        async def stepped(**body: object) -> object:
            return (await broker.done("/step", **body))["time"]

        assert await stepped(seconds=0.5) == "2026-01-26T14:30:00.500Z"
        assert await stepped() == "2026-01-26T14:31:00.000Z"
        assert await stepped(instants=2) == "2026-01-26T14:33:00.000Z"
        assert await stepped(until="16:30") == "2026-01-26T21:30:00.000Z"
        assert await stepped(instants=1) == "2026-01-27T14:30:00.000Z", "a night is passed over"
        assert await stepped(until="2026-01-28 09:31") == "2026-01-28T14:31:00.000Z"
        assert (await broker.read("/v2/clock"))["is_open"] is True
        ended = await broker.told("POST", "/step", instants=5)
        assert (ended.status_code, ended.json()) == (409, {"message": "the market has no more"})


async def test_a_clock_that_runs_is_not_stepped() -> None:
    admin = Admin(token="hush", first_session=FIRST_SESSION)
    async with operated(admin=admin) as broker:
        refused = await broker.told("POST", "/step")
        assert refused.status_code == 409
        assert "--pace stepped" in refused.json()["message"]


# --- the ground truth


async def test_the_journal_has_every_accepted_order_and_no_other() -> None:
    async with operated() as broker:
        await broker.done("/faults", verb="drop-after-accept", client_order_id="lost")
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await broker.post_order(client_order_id="lost")
        assert (await broker.post_order(qty="1000000")).status_code == 403
        bracket = {"take_profit": {"limit_price": "30"}, "stop_loss": {"stop_price": "10"}}
        await broker.order(client_order_id="b", order_class="bracket", limit_price="18", **bracket)
        journal = await broker.seen("/journal")
        orders = [msgspec.convert(one["order"], JsonObject) for one in journal]
        assert [one["number"] for one in journal] == [1, 2, 3, 4]
        assert [one["client_order_id"] for one in orders[:2]] == ["lost", "b"]
        assert [one["status"] for one in orders] == ["filled", "new", "held", "held"]
        (execution,) = msgspec.convert(journal[0]["executions"], list[JsonObject])
        assert (execution["qty"], execution["price"]) == ("10", "20.02")
        assert [one["number"] for one in await broker.seen("/journal?after=1&limit=2")] == [2, 3]


async def test_the_books_explain_every_cent() -> None:
    async with operated() as broker:
        await broker.order(client_order_id="a")
        await broker.order(client_order_id="b")
        await broker.order(client_order_id="c", side="sell", limit_price="19.99")
        await broker.done("/events", name="trade-correct", client_order_id="b", price=20.01)
        await broker.done("/events", name="trade-bust", client_order_id="c")
        await broker.done("/events", name="dividend", symbol="JD", amount=0.1)
        await broker.done("/events", name="split", symbol="JD", ratio=1.5)
        await broker.done("/events", name="withdrawal", amount="0.01")
        account = await broker.account_books()
        assert account["cash_unexplained"] == "0"
        assert account["cash"] == "249601.69"
        (position,) = msgspec.convert(account["positions"], list[JsonObject])
        assert (position["symbol"], position["qty"], position["cost"]) == ("JD", "30", "400.1")
        broker.broker.account.cash += 1
        assert (await broker.account_books())["cash_unexplained"] == "1"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/faults", '{"verb": "drop"}', "verb: no such fault: 'drop'"),
        ("/faults", "[]", "a table of keys is wanted"),
        ("/faults", "{", "not JSON: "),
        (
            "/faults",
            '{"verb": "no-id", "symbol": "XX"}',
            "symbol: no XX is traded here (GS, IBM, JD)",
        ),
        ("/events", '{"name": "halted"}', "name: no such event: 'halted', did you mean halt?"),
        ("/events", '{"name": "fee"}', "name: fee needs amount"),
        ("/events", '{"name": "fee", "amount": 1, "at": "25:00"}', "at: no such time of day"),
        ("/halt", "{}", "name: halt needs symbol"),
        ("/halt", '"JD"', "a table of keys is wanted"),
        ("/quotes", "{}", "object missing required field `symbol`"),
        ("/quotes", '{"symbol": "JD", "bid": -1}', "bid: must be above 0, not -1"),
        ("/step", '{"seconds": -1}', "seconds: must be 0 to"),
        ("/step", '{"seconds": 1, "instants": 1}', "instants: one of seconds, until, instants"),
        ("/step", '{"until": "09:29"}', "until: it is 2026-01-26T14:30:00.000Z already"),
        ("/step", '{"until": "2199-01-01"}', "until: no time like"),
        ("/step", '{"instants": 0}', "instants: must be 1 to"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_words(path: str, body: str, words: str) -> None:
    async with operated() as broker:
        before = broker.broker.venue.to_bytes()
        refused = await broker.client.post(f"/admin{path}", headers=RIGHT, content=body)
        assert refused.status_code == 422
        assert refused.json()["message"].startswith(words)
        assert broker.broker.venue.to_bytes() == before
        assert broker.broker.account.quantity(JD) == 0
