"""The adapter against the simulated broker, over real sockets: the life of orders, statements, streams, faults."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial

import httpx2
import pytest
import trio
from msgspec import Struct
from msgspec.structs import replace

from tests.alpaca_fakes import Heard, an_order, order_json
from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.brokers.alpaca.transport import open_transport
from trader.credentials import Credentials
from trader.feeds.synthetic import FIRST_SESSION, SyntheticMarket
from trader.messages import (
    Activity,
    Claim,
    Gate,
    GateReport,
    Input,
    LookupMissed,
    OrderReport,
    SendOutcome,
    Statement,
)
from trader.model import MINUTE_NS, Bar, ClientOrderId, Order, PriceBand, Quote, Side, Symbol, Tick
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.simulation.link import Fate, Link
from trader.simulator.application import build_application
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.simulator.server import serve

KEYS = Keys(key="PKSIMULATED", secret="simulatedsecret")
SYMBOLS = (Symbol("JD"), Symbol("T"))
LINKS = Links(stream_deadlines=StreamDeadlines(start=2.0, back_off_min=0.01, back_off_max=0.05))


WIRE = ["sockets"]  # what connects adapter and broker in the test that runs


@pytest.fixture(autouse=True, params=["sockets", "link"])
def wire(request: pytest.FixtureRequest) -> None:
    """Everything here holds over real sockets and over the simulation's link: it is held to the same contract."""
    WIRE[0] = request.param


class Open:
    """A process that nobody kills."""

    async def pass_through(self, step: str) -> None:
        await trio.lowlevel.checkpoint()


class Clear:
    """Lines that lose nothing and need no time."""

    def request(self, method: str) -> Fate:
        return Fate(out_s=0.0, back_s=0.0)

    def frame_s(self) -> float:
        return 0.0

    def line_ends(self) -> str:
        return ""


class Bench(Struct, kw_only=True):
    """A simulated broker that is served, and the adapters that talk to it."""

    venue: SimulatedBroker
    broker: AlpacaBroker
    feed: AlpacaFeed
    told: list[str]  # kinds of the frames that the server has put on a line
    taken: list[str]  # kinds of those that the adapter has taken off it

    async def advance(self, instants: int = 1) -> None:
        for _ in range(instants):
            await self.venue.advance()


@asynccontextmanager
async def bench(
    *faults: FaultRule, key: str = KEYS.key, http: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[Bench]:
    told: list[str] = []
    taken: list[str] = []
    venue = SimulatedBroker(
        SyntheticMarket(7, SYMBOLS),
        keys=KEYS,
        seed=1,
        faults=faults,
        on_frame=lambda kind, count: told.extend([kind] * count),
    )
    venue.begin_session(FIRST_SESSION)
    async with trio.open_nursery() as nursery:
        application = build_application(venue)
        if WIRE[0] == "link" and http is None:
            link = Link(application, venue.connections, nursery, port=Open(), weather=Clear())
            url = "http://127.0.0.1:80"
            links = replace(LINKS, http=link.transport(), open_socket=link.open_socket)
        else:
            url = await nursery.start(serve, application, venue.connections)
            links = replace(LINKS, http=http)
        stream_url = url.replace("http:", "ws:")
        credentials = Credentials(key, KEYS.secret)
        broker = AlpacaBroker(
            base_url=url,
            stream_url=stream_url,
            credentials=credentials,
            name="simulated",
            market_ns=lambda: venue.now_ns,
            frame_taken=taken.append,
            links=links,
        )
        feed = AlpacaFeed(
            rest_url=url,
            stream_url=stream_url,
            credentials=credentials,
            symbols=SYMBOLS,
            market_ns=lambda: venue.now_ns,
            frame_taken=taken.append,
            links=links,
        )
        async with broker, feed:
            yield Bench(venue=venue, broker=broker, feed=feed, told=told, taken=taken)
        nursery.cancel_scope.cancel()
    venue.close()


def buy(number: int = 1, *, price: str = "40", quantity: int = 33) -> Order:
    return an_order(
        client_order_id=ClientOrderId(f"trd1-{number}"),
        quantity=Decimal(quantity),
        limit_price=Decimal(price),
        reserve_price=Decimal(price),
    )


async def filled(on: Bench, order: Order) -> None:
    """Submit, and let the market come to it."""
    await on.advance()
    report = await on.broker.submit(order)
    assert isinstance(report, OrderReport)
    await on.advance(2)


def booked(reports: list[Input]) -> dict[str, Decimal]:
    """Quantity executed by client order id."""
    sums: dict[str, Decimal] = {}
    for report in reports:
        if isinstance(report, OrderReport) and report.execution is not None:
            before = sums.get(report.client_order_id, Decimal(0))
            sums[report.client_order_id] = before + report.execution.quantity
    return sums


async def test_the_account_is_named_by_broker_and_number() -> None:
    async with bench() as on:
        assert await on.broker.identify() == f"simulated:{on.venue.account.number}"


async def test_wrong_keys_are_refused_by_every_door() -> None:
    async with bench(key="PKNOBODY") as on:
        with pytest.raises(BrokerRefused, match="401"):
            await on.broker.identify()
        with pytest.raises(BrokerRefused, match="check the keys"):
            await on.broker.follow(Heard().hear)
        with pytest.raises(BrokerRefused, match="402"):
            await on.feed.run(lambda item: None, Heard().hear)
        with pytest.raises(BrokerUnavailable, match="401"):
            await on.feed.history(SYMBOLS[0], on.venue.now_ns, 5)
        outcome = await on.broker.submit(buy())
        assert isinstance(outcome, SendOutcome)
        assert outcome.outcome == "rejected"


async def test_an_order_is_acknowledged_reported_found_and_stated_alike() -> None:
    async with bench() as on, trio.open_nursery() as nursery:
        heard = Heard()
        await nursery.start(on.broker.follow, heard.hear)
        opened = await heard.next()
        assert opened == GateReport(gate=Gate.TRADING_STREAM, is_open=True, reason="listening")
        await on.advance()
        reply = await on.broker.submit(buy())
        assert isinstance(reply, OrderReport)
        assert (reply.source, reply.client_order_id) == ("reply", "trd1-1")
        await on.advance(2)
        streamed: list[OrderReport] = []
        while not streamed or streamed[-1].claim is not Claim.FILLED:
            report = await heard.next()
            assert isinstance(report, OrderReport)
            streamed.append(report)
        looked_up = await on.broker.lookup(buy(), 1)
        assert isinstance(looked_up, list)
        *executions, claim = [one for one in looked_up if isinstance(one, OrderReport)]
        assert [report.execution for report in executions] == [
            report.execution for report in streamed if report.execution is not None
        ]
        assert (claim.claim, claim.source) == (Claim.FILLED, "query")
        assert claim.quantity_cumulative == 33
        *reports, statement = await on.broker.statement(0)
        assert booked(reports) == {"trd1-1": Decimal(33)}
        assert isinstance(statement, Statement)
        assert statement.positions == {"JD": Decimal(33)}
        assert statement.open_orders == {}
        assert statement.cash == Decimal(250_000) - sum(
            report.execution.quantity * report.execution.price
            for report in executions
            if report.execution is not None
        )
        nursery.cancel_scope.cancel()


async def test_a_statement_lists_what_is_open_and_tells_cash_before_fees_that_are_not_yet_charged() -> (
    None
):
    async with bench() as on:
        await filled(on, buy())
        sale = an_order(
            client_order_id=ClientOrderId("trd1-2"), side=Side.SELL, limit_price=Decimal(1)
        )
        await filled(on, sale)
        await on.broker.submit(buy(3, price="1"))
        *reports, statement = await on.broker.statement(0)
        assert isinstance(statement, Statement)
        assert statement.open_orders == {"trd1-3": "JD"}
        assert statement.positions == {}
        account = on.venue.account
        assert account.accrued_fees > 0
        assert statement.cash == account.cash
        assert booked(reports) == {"trd1-1": Decimal(33), "trd1-2": Decimal(33)}


async def test_a_statement_since_brings_older_orders_that_are_open_or_were_filled_since() -> None:
    async with bench() as on:
        await on.advance()
        await on.broker.submit(buy(1, price="1"))
        await on.broker.submit(buy(2, price="1"))
        await on.broker.cancel(buy(2))
        await on.advance()
        late = on.venue.now_ns
        await filled(on, buy(3))
        *reports, statement = await on.broker.statement(late)
        names = [report.client_order_id for report in reports if isinstance(report, OrderReport)]
        assert sorted(set(names)) == ["trd1-1", "trd1-3"]
        assert isinstance(statement, Statement)
        assert statement.open_orders == {"trd1-1": "JD"}


async def test_a_late_fill_of_an_older_order_does_not_hide_that_another_is_absent() -> None:
    async with bench() as on:
        await on.advance()
        await on.broker.submit(buy(1, price="1"))
        await on.advance(3)
        # Long after it was submitted, and beside one that never arrived.
        on.venue.schedule(
            ScheduledEvent(at_ns=on.venue.now_ns + 1, name=EventName.FILL, symbol=Symbol("JD"))
        )
        missing = replace(buy(2), created_ns=on.venue.now_ns)
        await on.advance()
        assert await on.broker.is_absent(missing)
        assert not await on.broker.is_absent(buy(1))


async def test_pages_of_orders_and_fills_are_all_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.brokers.alpaca.rest.ORDERS_PAGE", 3)
    monkeypatch.setattr("trader.brokers.alpaca.rest.FILLS_PAGE", 2)
    async with bench() as on:
        for number in range(8):
            # Two of them in each instant, so that pages end between equals.
            if number % 2 == 0:
                await on.advance()
            await on.broker.submit(buy(number, quantity=1))
        await on.advance(2)
        *reports, statement = await on.broker.statement(0)
        assert booked(reports) == {f"trd1-{number}": Decimal(1) for number in range(8)}
        claims = [report for report in reports if getattr(report, "source", "") == "query"]
        assert len(claims) == 8
        assert isinstance(statement, Statement)
        assert statement.positions == {"JD": Decimal(8)}
        last = await on.broker.lookup(buy(7), 1)
        assert isinstance(last, list)
        assert len(last) == 2


async def test_pages_of_orders_that_nothing_was_filled_of_are_all_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an order that was filled the list of fills would tell all the same."""
    monkeypatch.setattr("trader.brokers.alpaca.rest.ORDERS_PAGE", 3)
    async with bench() as on:
        for number in range(8):
            await on.advance()
            await on.broker.submit(buy(number, price="1", quantity=1))
        *_, statement = await on.broker.statement(0)
        assert isinstance(statement, Statement)
        assert set(statement.open_orders) == {f"trd1-{number}" for number in range(8)}
        assert not await on.broker.is_absent(buy(7))


@pytest.mark.parametrize("count", [2, 3, 5, 8])
async def test_orders_that_fill_pages_within_one_instant_are_all_found(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("trader.brokers.alpaca.rest.ORDERS_PAGE", 2)
    async with bench() as on:
        await on.advance()
        await on.broker.submit(buy(100, price="1", quantity=1))
        await on.advance()
        for number in range(count):
            await on.broker.submit(buy(number, price="1", quantity=1))
        await on.advance()
        await on.broker.submit(buy(101, price="1", quantity=1))
        *_, statement = await on.broker.statement(0)
        assert isinstance(statement, Statement)
        expected = {f"trd1-{number}" for number in (100, *range(count), 101)}
        assert set(statement.open_orders) == expected
        assert not await on.broker.is_absent(buy(count - 1))


async def test_a_page_of_orders_that_comes_again_and_again_is_no_endless_walk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trader.brokers.alpaca.rest.ORDERS_PAGE", 1)
    same = FaultRule(
        verb=FaultVerb.ANSWER_INSTEAD,
        method="GET",
        path_prefix="/v2/orders",
        times=None,
        status=200,
        body=json.dumps([order_json()]),
    )
    async with bench(same) as on:
        with pytest.raises(BrokerUnavailable, match="no end"):
            await on.broker.statement(0)


async def test_an_unknown_order_is_missed_and_a_cancel_of_it_rejected() -> None:
    async with bench() as on:
        missed = await on.broker.lookup(buy(), 3)
        assert missed == LookupMissed(client_order_id=ClientOrderId("trd1-1"), attempts=3)
        assert (await on.broker.cancel(buy())).outcome == "rejected"


async def test_a_cancel_is_accepted_and_proven_by_a_report_but_not_of_a_filled_order() -> None:
    async with bench() as on:
        await on.advance()
        await on.broker.submit(buy(1, price="1"))
        assert (await on.broker.cancel(buy(1, price="1"))).outcome == "accepted"
        (claim,) = await on.broker.lookup(buy(1), 1)  # type: ignore[misc]
        assert isinstance(claim, OrderReport)
        assert claim.claim is Claim.CANCELED
        await filled(on, buy(2))
        rejected = await on.broker.cancel(buy(2))
        assert rejected.outcome == "rejected"
        assert "422" in rejected.reason


async def test_the_broker_refuses_a_used_id_and_we_adopt_the_order_that_has_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with bench() as on:
        await on.advance()
        first = await on.broker.submit(buy(1, price="1"))
        second = await on.broker.submit(buy(1, price="1"))
        assert isinstance(first, OrderReport)
        assert isinstance(second, OrderReport)
        assert first.broker_order_id == second.broker_order_id
        assert len(on.venue.venue.state.orders) == 1
    posts = [line for line in caplog.messages if line.startswith("POST /v2/orders ")]
    assert len(posts) == 2


async def test_a_refusal_comes_back_in_the_brokers_words() -> None:
    async with bench() as on:
        await on.advance()
        outcome = await on.broker.submit(buy(1, quantity=1_000_000))
        assert isinstance(outcome, SendOutcome)
        assert outcome.outcome == "rejected"
        assert "insufficient buying power" in outcome.reason


@pytest.mark.parametrize(
    ("verb", "orders"),
    [
        (FaultVerb.ACCEPT_THEN_504, 1),
        (FaultVerb.DROP_AFTER_ACCEPT, 1),
        (FaultVerb.DROP_BEFORE_ACCEPT, 0),
    ],
)
async def test_a_lost_reply_is_unknown_sent_once_and_found_if_it_arrived(
    verb: FaultVerb, orders: int
) -> None:
    async with bench(FaultRule(verb=verb, method="POST")) as on:
        await on.advance()
        outcome = await on.broker.submit(buy(1, price="1"))
        assert isinstance(outcome, SendOutcome)
        assert outcome.outcome == "unknown"
        assert len(on.venue.venue.state.orders) == orders
        found = await on.broker.lookup(buy(1), 1)
        assert isinstance(found, list if orders else LookupMissed)


async def test_a_statement_is_whole_or_none() -> None:
    for path in ("/v2/account", "/v2/orders", "/v2/positions", "/v2/account/activities"):
        fault = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, path_prefix=path, times=99)
        async with bench(fault) as on:
            with pytest.raises(BrokerUnavailable, match="504"):
                await on.broker.statement(0)


class TradingInBetween(httpx2.AsyncBaseTransport):
    """Real sockets; once, right after the positions were told, something happens."""

    def __init__(self) -> None:
        self._sockets = open_transport()
        self.asked: list[str] = []
        self.happens: Callable[[], Awaitable[object]]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._sockets.handle_async_request(request)
        self.asked.append(request.url.path)
        if request.url.path == "/v2/positions" and self.asked.count(request.url.path) == 1:
            await self.happens()
        return response

    async def aclose(self) -> None:
        await self._sockets.aclose()


async def test_a_fill_in_the_middle_of_a_statement_makes_it_be_asked_again() -> None:
    between = TradingInBetween()
    async with bench(http=between) as on:
        await on.advance()
        between.happens = partial(on.broker.submit, buy(1))
        *reports, statement = await on.broker.statement(0)
        assert between.asked.count("/v2/positions") == 2
        assert isinstance(statement, Statement)
        assert booked(reports)["trd1-1"] == statement.positions[Symbol("JD")] == 33


async def stated(on: Bench) -> Statement:
    statement = (await on.broker.statement(0))[-1]
    assert isinstance(statement, Statement)
    return statement


async def test_a_look_tells_the_open_orders_while_nothing_moves_and_nothing_once_something_has() -> (
    None
):
    async with bench() as on:
        await filled(on, buy())
        await on.broker.submit(buy(2, price="1"))
        since = await stated(on)
        found = await on.broker.look(since)
        assert found == frozenset({ClientOrderId("trd1-2")})
        await on.advance(3)
        again = await on.broker.look(since)
        assert again == found, "prices move, and that is no news"
        await on.broker.submit(buy(3, price="1"))
        assert await on.broker.look(since) is None, "an order more"
        since = await stated(on)
        assert await on.broker.look(since)
        await on.broker.cancel(buy(3))
        assert await on.broker.look(since) is None, "one less"
        since = await stated(on)
        await filled(on, buy(4))
        assert await on.broker.look(since) is None, "a fill"


async def test_a_look_finds_shares_that_no_order_has_moved() -> None:
    async with bench() as on:
        await filled(on, buy())
        since = await stated(on)
        assert await on.broker.look(since) == frozenset()
        on.venue.schedule(
            ScheduledEvent(
                name=EventName.SPLIT,
                symbol=Symbol("JD"),
                at_ns=on.venue.now_ns,
                ratio=Decimal(2),
            )
        )
        await on.advance(2)
        assert await on.broker.look(since) is None


async def test_a_split_in_two_legs_is_told_as_the_one_thing_it_is() -> None:
    async with bench() as on:
        await filled(on, buy())
        on.venue.schedule(
            ScheduledEvent(
                name=EventName.SPLIT,
                symbol=Symbol("JD"),
                at_ns=on.venue.now_ns,
                ratio=Decimal(2),
            )
        )
        await on.advance(2)
        *told, statement = await on.broker.statement(0)
        assert isinstance(statement, Statement)
        held = statement.positions[Symbol("JD")]
        [split] = [one for one in told if isinstance(one, Activity) and one.kind == "SPLIT"]
        assert [one.quantity for one in split.legs] == [-held / 2, held]
        assert (split.quantity, split.held) == (held / 2, held)


async def test_a_look_is_about_the_last_statement_and_no_other() -> None:
    async with bench() as on:
        await on.advance()
        first = await stated(on)
        await on.advance()
        second = await stated(on)
        assert await on.broker.look(first) is None
        assert await on.broker.look(replace(second, attempts=2)) == frozenset()


async def test_a_look_with_one_question_unanswered_is_none_at_all() -> None:
    for path in ("/v2/orders", "/v2/positions", "/v2/account/activities"):
        async with bench() as on:
            since = await stated(on)
            fault = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, path_prefix=path, times=2)
            on.venue.faults.add(fault)
            with pytest.raises(BrokerUnavailable, match="504"):
                await on.broker.look(since)
            assert await on.broker.look(since) == frozenset()


@pytest.mark.parametrize(
    "verb",
    [FaultVerb.ACCEPT_THEN_504, FaultVerb.DROP_BEFORE_ACCEPT, FaultVerb.HALF_REPLY],
)
async def test_a_question_that_fails_at_once_is_asked_once_more_and_the_others_are_not(
    verb: FaultVerb,
) -> None:
    async with bench(FaultRule(verb=verb, path_prefix="/v2/positions")) as on:
        before = on.venue.requests
        assert isinstance(await stated(on), Statement)
        fills_twice, orders_twice, activities, positions_twice, account = 2, 2, 1, 2, 1
        whole = fills_twice + orders_twice + activities + positions_twice + account
        assert on.venue.requests - before == whole


async def test_a_question_that_hangs_is_not_asked_again() -> None:
    fault = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, path_prefix="/v2/positions", delay_s=2.5)
    async with bench(fault) as on:
        with pytest.raises(BrokerUnavailable, match="504"):
            await on.broker.statement(0)
        assert isinstance(await stated(on), Statement)


async def test_a_new_connection_listens_first_and_says_so() -> None:
    async with bench() as on, trio.open_nursery() as nursery:
        heard = Heard()
        await nursery.start(on.broker.follow, heard.hear)
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        on.venue.connections.cut_all()
        assert not (await heard.next()).is_open  # type: ignore[union-attr]
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        await on.advance()
        await on.broker.submit(buy())
        assert isinstance(await heard.next(), OrderReport)
        nursery.cancel_scope.cancel()


async def test_market_data_arrives_as_the_market_made_it_and_every_frame_is_counted() -> None:
    async with bench() as on, trio.open_nursery() as nursery:
        heard = Heard()
        send, receive = trio.open_memory_channel[Tick](10_000)
        await nursery.start(partial(on.feed.run, send.send_nowait, heard.hear))
        assert (await heard.next()).is_open  # type: ignore[union-attr]
        made = [instant for _ in range(5) if (instant := await on.venue.advance()) is not None]
        bars = [bar for instant in made for bar in instant.bars]
        quotes = [quote for instant in made for quote in instant.quotes]
        items: list[Tick] = []
        with trio.fail_after(10):
            while sum(not isinstance(item, PriceBand) for item in items) < len(bars) + len(quotes):
                items.append(await receive.receive())
        bands = [item for item in items if isinstance(item, PriceBand)]
        assert {band.symbol for band in bands} == set(SYMBOLS)
        assert all(band.down < band.up for band in bands)
        assert [item for item in items if isinstance(item, Bar)] == bars
        assert [item for item in items if isinstance(item, Quote)] == quotes
        with trio.fail_after(10):
            while len(on.taken) < len(on.told):
                await trio.lowlevel.checkpoint()
        assert on.taken == on.told
        nursery.cancel_scope.cancel()


async def test_history_is_the_last_bars_that_had_ended_oldest_first() -> None:
    async with bench() as on:
        await on.advance(31)
        symbol, now_ns = SYMBOLS[0], on.venue.now_ns
        for count in (1, 40, 1_000):
            bars = await on.feed.history(symbol, now_ns, count)
            assert bars == on.venue.market.history(symbol, now_ns, count)
            assert len(bars) == count
        (last,) = await on.feed.history(symbol, now_ns - 1, 1)
        assert last.start_ns + last.span_ns == now_ns - MINUTE_NS
        assert await on.feed.history(Symbol("T"), 1_700_000_000_000_000_000, 5) == []
