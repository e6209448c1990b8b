"""Bytes of a broken or hostile server: each becomes something well-formed of ours, or the one documented error.

What comes out goes into the real core, into the journal's encoding and back: it must never raise there either, and
what was not believed must not have moved the books.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import httpx2
import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests.alpaca_fakes import (
    AUTHORIZED,
    BAR,
    CONNECTED,
    KEYS,
    LISTENING,
    QUOTE,
    SUBSCRIBED,
    SYMBOLS,
    Json,
    account_json,
    an_order,
    fill_json,
    order_json,
    packed,
    update_json,
)
from tests.mutations import around, as_json, as_msgpack, changed
from tests.plays import Play, buy, opened, sent
from trader.accounting import cash_explained
from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.calendar import iso
from trader.evolve import fold
from trader.executor import decided
from trader.messages import (
    BooksMoved,
    Claim,
    ExecutionBooked,
    ExecutionCorrected,
    Input,
    LookupMissed,
    OrderReport,
    Quarantined,
    SendOutcome,
    Statement,
    decode_entry,
    encode,
)
from trader.model import Bar, BrokerOrderId, Execution, Order, Quote, Symbol, Tick
from trader.money import MONEY_MAX, bounded
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.state import ExecutionState
from trader.wire import alpaca as wire
from trader.wire.alpaca_answers import AlreadySubmitted, cancel_answer, submit_answer
from trader.wire.alpaca_data import MarketDataReader, bar_of, decode_bars
from trader.wire.alpaca_stream import TradingFrame, UnknownFrame, decode_trading
from trader.wire.unreadable import Unreadable, reading

EFFORTS = [80, pytest.param(400, marks=pytest.mark.slow)]
efforts = pytest.mark.parametrize("examples", EFFORTS)

PENNIES: Json = {"cost_basis": "841.5", "avg_entry_price": "25.5", "market_value": "850"}
POSITION: Json = {"symbol": "JD", "qty": "33", "side": "long"} | PENNIES
ACTIVITY: Json = {
    "id": "20260126000000000::a1",
    "activity_type": "SPLIT",
    "date": "2026-01-26",
    "net_amount": "0",
    "symbol": "JD",
    "qty": "33",
    "description": "two for one",
    "status": "executed",
}
CLOCK: Json = {"timestamp": "2026-01-26T14:19:04.117-05:00", "is_open": True}
REFUSAL: Json = {"code": 40310000, "message": "insufficient buying power"}
JSON_BAR: Json = {"t": "2026-01-26T15:00:00Z", "o": 25, "h": 26, "l": 24.5, "c": 25.5, "v": 900}
BARS: Json = {"bars": {"JD": [JSON_BAR], "T": [JSON_BAR]}, "next_page_token": None}


# --- what well-formed means


def sound(told: object) -> None:
    """Every number in it is one that the books, the journal and a database can hold."""
    match told:
        case Decimal():
            assert bounded(told) == told
        case Execution():
            assert told.quantity > 0
            assert told.price > 0
            assert told.quantity * told.price <= MONEY_MAX
            assert told.quantity_cumulative >= 0
        case OrderReport():
            assert told.quantity_cumulative >= 0
            assert told.quantity is None or told.quantity >= 0
            assert isinstance(told.claim, Claim)
        case str():
            told.encode()  # no half of a surrogate pair
        case Bar():
            assert min(told.open, told.high, told.low, told.close) > 0
        case Quote():
            assert min(told.bid, told.ask, told.bid_size, told.ask_size) >= 0
        case _:
            pass
    for name, value in _parts(told):
        if name.endswith("_ns"):
            assert isinstance(value, int)
            assert 0 <= value < 2**63
            iso(value)
        elif type(value) is int:
            assert abs(value) < 2**63
        sound(value)


def _parts(told: object) -> Iterator[tuple[str, object]]:
    match told:
        case Struct():
            yield from ((name, getattr(told, name)) for name in told.__struct_fields__)
        case dict():
            yield from (("", part) for pair in told.items() for part in pair)
        case list() | tuple():
            yield from (("", part) for part in told)
        case _:
            pass


# --- every decoder, alone

Decode = Callable[[bytes], object]


def fills_of(body: bytes) -> object:
    return [wire.fill_report(fill, "trd1-x") for fill in wire.decode_fills(body)]


def orders_of(body: bytes) -> object:
    return [wire.order_report(order, "query") for order in wire.decode_orders(body)]


def ticks_of(frame: bytes | str) -> object:
    ticks: list[Tick] = []
    read = MarketDataReader(SYMBOLS).read(frame, ticks.append)
    assert read.events >= len(ticks)
    return ticks


def bars_of(body: bytes) -> object:
    page = decode_bars(body)
    with reading("bar"):
        messages = [one for told in (page.bars or {}).values() for one in told]
        return [bar_of(Symbol("JD"), message) for message in messages]


FILL_UPDATE = update_json(
    "partial_fill",
    order_json(status="partially_filled", filled_qty="20"),
    execution_id="x1",
    price="25.49",
    qty="20",
)
BUST_UPDATE = update_json(
    "trade_correct",
    order_json(status="partially_filled", filled_qty="20"),
    execution_id="x2",
    previous_execution_id="x1",
    price="25.49",
    qty="19",
)
BODIES: dict[str, tuple[Decode, object]] = {
    "order": (lambda body: wire.order_report(wire.decode_order(body), "query"), order_json()),
    "orders": (orders_of, [order_json(), order_json(status="filled", filled_qty="33")]),
    "fills": (fills_of, [fill_json(1), fill_json(2, type="trade_bust", previous_id="x::x1")]),
    "positions": (wire.decode_positions, [POSITION, POSITION | {"symbol": "T"}]),
    "activities": (wire.decode_activities, [ACTIVITY, ACTIVITY | {"activity_type": "FEE"}]),
    "account": (wire.decode_account, account_json()),
    "clock": (lambda body: wire.time_of(wire.decode_clock(body).timestamp), CLOCK),
    "error": (wire.decode_error, REFUSAL),
    "bars": (bars_of, BARS),
}
FRAMES: dict[str, tuple[Callable[[bytes | str], object], object]] = {
    "authorization": (decode_trading, msgspec.json.decode(AUTHORIZED)),
    "listening": (decode_trading, msgspec.json.decode(LISTENING)),
    "failure": (decode_trading, {"action": "error", "data": {"error_message": "no"}}),
    "new": (decode_trading, update_json("new")),
    "fill": (decode_trading, FILL_UPDATE),
    "correction": (decode_trading, BUST_UPDATE),
    "ticks": (ticks_of, [QUOTE, BAR, QUOTE | {"S": "T"}]),
    "bar": (ticks_of, [JSON_BAR | {"T": "b", "S": "JD"}]),
    "connected": (ticks_of, CONNECTED),
    "subscribed": (ticks_of, SUBSCRIBED),
    "refused": (ticks_of, [{"T": "error", "code": 402, "msg": "auth failed"}]),
}


def read(decode: Callable[[bytes], object], data: bytes) -> object:
    """What a decoder makes of it; None where it says that it can't be read."""
    try:
        told = decode(data)
    except Unreadable as trouble:
        words = str(trouble)
        assert words.isascii()
        assert words.isprintable()
        assert len(words) < 400
        return None
    sound(told)
    return told


@efforts
@pytest.mark.parametrize("kind", BODIES)
def test_a_changed_body_is_well_formed_or_unreadable(kind: str, examples: int) -> None:
    decode, valid = BODIES[kind]
    assert read(decode, packed(valid)) is not None

    @settings(max_examples=examples)
    @given(st.one_of(changed(valid).map(as_json).flatmap(around), st.binary()))
    def every(body: bytes) -> None:
        read(decode, body)

    every()


@efforts
@pytest.mark.parametrize("kind", FRAMES)
def test_a_changed_frame_is_well_formed_or_unreadable(kind: str, examples: int) -> None:
    decode, valid = FRAMES[kind]
    for encoded in (as_msgpack(valid), as_json(valid)):
        assert read(decode, encoded) is not None

    @settings(max_examples=examples)
    @given(st.one_of(frames(changed(valid)), st.binary()))
    def every(frame: bytes) -> None:
        read(decode, frame)
        text = frame.decode("utf-8", "replace")  # A text frame is UTF-8, or the line is closed.
        read(lambda _: decode(text), frame)

    every()


def frames(trees: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    encoded = st.one_of(trees.map(as_json), trees.map(as_msgpack))
    return encoded.flatmap(around)


@efforts
def test_whatever_a_reply_is_a_send_and_a_cancel_have_one_outcome(examples: int) -> None:
    bodies = st.one_of(changed(order_json()), changed(REFUSAL)).map(as_json).flatmap(around)
    statuses = st.sampled_from([100, 200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500])

    @settings(max_examples=examples)
    @given(statuses, st.one_of(bodies, st.binary()))
    def every(status: int, body: bytes) -> None:
        order = an_order()
        answer = submit_answer(order, status, body)
        match answer:
            case OrderReport():
                assert status == 200
                assert answer.client_order_id == order.client_order_id
            case SendOutcome(outcome="rejected", reason=reason) | SendOutcome(reason=reason):
                assert len(reason) < 400
                assert reason.isprintable()
                assert answer.outcome != "never_sent", "a reply proves that something was sent"
                is_refusal = status in {400, 401, 403, 422, 429}
                assert answer.outcome == "unknown" or is_refusal
            case AlreadySubmitted():
                assert status == 422 or wire.decode_error(body) is not None
        assert len(cancel_answer(order, status, body).reason) < 400

    every()


def test_kinds_of_messages_that_nobody_knows_are_counted_in_bounded_memory() -> None:
    reader = MarketDataReader(SYMBOLS)
    for number in range(5_000):
        reader.read(packed([{"T": f"kind {number}"}]), lambda _: None)
    assert sum(reader.ignored.values()) == 5_000
    assert len(reader.ignored) < 100


# --- into the core


def morning() -> tuple[Play, Order]:
    """A live order that the broker may speak of."""
    play = opened() >> buy("JD", 33, "31.95") >> sent()
    return play, play.order()


def about(order: Order, **changes: object) -> Json:
    told = {"client_order_id": order.client_order_id, "id": f"B-{order.client_order_id}"}
    return order_json(**told, **changes)


def heard(state: ExecutionState, told: Input) -> ExecutionState:
    """The core takes it: nothing is raised, the journal can keep it, and only bookings move the books."""
    after, entries = decided(state, [told])
    events = [event for entry in entries for event in entry.events]
    for entry in entries:
        assert decode_entry(encode(entry)) == entry
        sound(entry.input)
    assert fold(state, entries) == after
    assert cash_explained(after.books)
    moved = [event for event in events if isinstance(event, ExecutionBooked | BooksMoved)]
    if not moved:
        assert holdings(after) == holdings(state)
        assert after.cash_at_broker == state.cash_at_broker
    if isinstance(told, OrderReport) and told.execution is None:
        assert not moved, "a claim alone books nothing"
    return after


def holdings(state: ExecutionState) -> dict[Symbol, tuple[Decimal, Decimal]]:
    held = {symbol: (one.quantity, one.cost) for symbol, one in state.positions.items()}
    return {symbol: amounts for symbol, amounts in held.items() if any(amounts)}


def updates(order: Order) -> st.SearchStrategy[object]:
    """Frames about that order, in some of which something is wrong."""
    fill = about(order, status="filled", filled_qty="33")
    part = about(order, status="partially_filled", filled_qty="20")
    told = [
        update_json("new", about(order)),
        update_json("partial_fill", part, execution_id="x1", price="31.9", qty="20"),
        update_json("fill", fill, execution_id="x2", price="31.9", qty="13"),
        update_json("canceled", about(order, status="canceled", filled_qty="20")),
        update_json("trade_bust", part, previous_execution_id="x1"),
        update_json("trade_correct", part, previous_execution_id="x1", execution_id="x3")
        | {"price": "31.8", "qty": "19"},
    ]
    return st.sampled_from(told).flatmap(lambda one: st.one_of(st.just(one), changed(one, 2)))


@efforts
def test_what_changed_frames_say_never_breaks_the_core_and_is_never_dropped(examples: int) -> None:
    play, order = morning()

    @settings(max_examples=examples)
    @given(st.lists(frames(updates(order)), min_size=1, max_size=6))
    def every(told: list[bytes]) -> None:
        state = play.state
        for frame in told:
            try:
                report = decode_trading(frame)
            except Unreadable:
                continue
            if isinstance(report, OrderReport | ExecutionCorrected):
                state = heard(state, report)
                assert is_noticed(state, report)

    every()


def is_noticed(state: ExecutionState, report: OrderReport | ExecutionCorrected) -> bool:
    """What was suspicious has closed its symbol; of what was about another order there is a record."""
    if isinstance(report, ExecutionCorrected):
        return True
    is_ours = report.client_order_id in state.used
    if report.claim is Claim.FOREIGN_CHANGE and is_ours:
        return state.orders[report.client_order_id].symbol in state.quarantined
    return is_ours or report.symbol in state.quarantined


@pytest.mark.parametrize("encode_tree", [as_json, as_msgpack])
@pytest.mark.parametrize(
    ("price", "quantity"),
    [
        *(("0", "20"), ("-1", "20"), ("1e999", "20"), ("NaN", "20"), ("31.9", "0")),
        *(("31.9", "-5"), ("31.9", "18446744073709551616"), ("1_0", "20"), ("١٢", "20")),
        *(("1000000000000000", "1000000000000000"), (31.9, "20"), ("31.9", None)),
    ],
)
def test_an_execution_that_cannot_be_is_quarantined_and_books_nothing(
    price: object, quantity: object, encode_tree: Callable[[object], bytes]
) -> None:
    play, order = morning()
    part = about(order, status="partially_filled", filled_qty="20")
    update = update_json("partial_fill", part, execution_id="x1", price=price, qty=quantity)
    report = decode_trading(encode_tree(update))
    assert isinstance(report, OrderReport)
    assert report.execution is None
    after, entries = decided(play.state, [report])
    assert holdings(after) == holdings(play.state)
    if quantity is None:
        return  # Not wrong, only not all: it is asked for.
    events = [event for entry in entries for event in entry.events]
    assert any(isinstance(event, Quarantined) for event in events)
    assert order.symbol in after.quarantined


STAMPED = [
    *("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-26T24:00:00Z"),
    *("2026-01-26T23:59:60Z", "2026-01-26T19:19:06", "2026-01-26T19:19:06.1234567890123456789Z"),
    *("soon", "", msgspec.msgpack.Ext(-1, b"\xff" * 8), msgspec.msgpack.Ext(-1, b"\x7f" * 12)),
]


@pytest.mark.parametrize("stamp", STAMPED)
def test_whatever_its_time_stamp_an_execution_is_booked_alike(stamp: object) -> None:
    play, order = morning()
    part = about(order, status="partially_filled", filled_qty="20", updated_at=stamp)
    update = update_json("partial_fill", part, execution_id="x1", price="31.9", qty="20")
    update["data"] = update["data"] | {"timestamp": stamp}  # type: ignore[operator]
    report = decode_trading(as_msgpack(update))
    assert isinstance(report, OrderReport)
    state = heard(play.state, report)
    assert state.position(order.symbol).quantity == 20


def test_large_executions_with_nine_decimals_are_booked_and_sold_without_a_rounding_trap() -> None:
    play, order = morning()
    state = play.state
    amounts = [("31.123456789", "123456789.123456789"), ("32.000000001", "999999.999999999")]
    for number, (price, quantity) in enumerate(amounts):
        part = about(order, status="partially_filled", filled_qty=str(number + 1))
        update = update_json("partial_fill", part, execution_id=f"x{number}", price=price)
        update["data"] = update["data"] | {"qty": quantity}  # type: ignore[operator]
        report = decode_trading(packed(update))
        assert isinstance(report, OrderReport)
        state = heard(state, report)
    assert state.position(order.symbol).quantity > 100_000_000


# --- every question, asked of a server that answers nonsense


class Answers(httpx2.AsyncBaseTransport):
    """A server without sockets: each request gets the next of these replies, then the first again."""

    def __init__(self, replies: dict[str, tuple[int, bytes]]) -> None:
        self._replies = replies
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        assert len(self.requests) < 10_000, "questions without end"
        path = request.url.path
        if "page_token" in request.url.params and "activities" in path:
            return httpx2.Response(200, content=b"[]")
        fitting = [one for one in self._replies if path.startswith(one)]
        if not fitting:
            return httpx2.Response(404, content=packed({"code": 40410000, "message": "none"}))
        status, body = self._replies[max(fitting, key=len)]
        return httpx2.Response(status, content=body)


def broker_of(answers: Answers) -> AlpacaBroker:
    return AlpacaBroker(
        base_url="http://127.0.0.1:1",
        stream_url="ws://127.0.0.1:1",
        credentials=KEYS,
        name="test",
        market_ns=lambda: 0,
        links=Links(http=answers),
    )


async def asked(answers: Answers, question: str, order: Order) -> list[Input]:
    """What one question brings; nothing where it says that it has no answer."""
    async with broker_of(answers) as broker:
        try:
            match question:
                case "statement":
                    return await broker.statement(0)
                case "lookup":
                    found = await broker.lookup(order, 1)
                    return [found] if isinstance(found, LookupMissed) else found
                case "submit":
                    return [await broker.submit(order)]
                case "cancel":
                    return [await broker.cancel(order)]
                case "is_absent":
                    assert isinstance(await broker.is_absent(order), bool)
                case "identify":
                    sound(await broker.identify())
                case _:
                    sound(await broker.clock_ns())
        except (BrokerRefused, BrokerUnavailable) as trouble:
            sound(str(trouble))
    return []


QUESTIONS = ["statement", "lookup", "submit", "cancel", "is_absent", "identify", "clock"]


def truth(order: Order) -> dict[str, object]:
    """What a sane server would answer."""
    name = f"B-{order.client_order_id}"
    told = about(order, status="filled", filled_qty="33")
    fills = [
        fill_json(1, order_id=name, price="31.9", qty="20", cum_qty="20", type="partial_fill"),
        fill_json(2, order_id=name, price="31.9", qty="13", cum_qty="33"),
    ]
    return {
        "/v2/account": account_json(cash="248947.3"),
        "/v2/account/activities": [ACTIVITY | {"activity_type": "CSD", "net_amount": "1"}],
        "/v2/account/activities/FILL": fills,
        "/v2/positions": [POSITION],
        "/v2/orders": [told],
        "/v2/orders:by_client_order_id": told,
        f"/v2/orders/{name}": told,
        "/v2/clock": CLOCK,
    }


def replies(order: Order) -> st.SearchStrategy[dict[str, tuple[int, bytes]]]:
    """Some of the server's answers changed."""

    def answer(value: object) -> st.SearchStrategy[tuple[int, bytes]]:
        status = st.sampled_from([200] * 12 + [201, 204, 302, 401, 403, 404, 422, 429, 500])
        body = st.one_of(changed(value).map(as_json).flatmap(around), st.binary())
        return st.one_of(st.just((200, packed(value))), st.tuples(status, body))

    return st.fixed_dictionaries({path: answer(value) for path, value in truth(order).items()})


@efforts
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_answer_to_a_question_breaks_the_adapter_or_the_core(
    question: str, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader.brokers.alpaca.rest.STATEMENT_PAUSE_SECONDS", 0)
    play, order = morning()
    known = msgspec.structs.replace(order, broker_order_id=BrokerOrderId("B-1"))

    @settings(max_examples=examples)
    @given(replies(order), st.booleans())
    def every(told: dict[str, tuple[int, bytes]], knows_id: bool) -> None:
        answers = Answers(told)
        about_order = known if knows_id else order
        inputs = trio.run(asked, answers, question, about_order)
        state = play.state
        for one in inputs:
            state = heard(state, one)
            if isinstance(one, Statement):
                sound(one)
        posts = [request for request in answers.requests if request.method == "POST"]
        assert len(posts) == (1 if question == "submit" else 0)
        for request in answers.requests:
            assert request.method != "DELETE" or request.url.path.count("/") == 3

    every()


def test_a_sane_answer_to_each_question_is_heard() -> None:
    """Otherwise the property above would be about nothing."""
    play, order = morning()
    sane = {path: (200, packed(value)) for path, value in truth(order).items()}
    for question in ("statement", "lookup", "submit"):
        inputs = trio.run(asked, Answers(sane), question, order)
        state = play.state
        for one in inputs:
            state = heard(state, one)
        filled = 0 if question == "submit" else 33
        assert state.position(order.symbol).quantity == filled
        assert not state.quarantined


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_a_brokers_id_of_dots_is_no_id_because_the_path_would_name_all_orders(name: str) -> None:
    _, order = morning()
    sane = {path: (200, packed(value)) for path, value in truth(order).items()}
    sane["/v2/orders:by_client_order_id"] = (200, packed(about(order) | {"id": name}))
    answers = Answers(sane)
    (outcome,) = trio.run(asked, answers, "cancel", order)
    assert getattr(outcome, "outcome", "") == "unknown"
    assert [request.method for request in answers.requests] == ["GET"]
    update = packed(update_json("new", about(order) | {"id": name}))
    with pytest.raises(Unreadable):
        decode_trading(update)


def test_an_order_that_is_answered_instead_of_another_makes_no_statement() -> None:
    _, order = morning()
    sane = {path: (200, packed(value)) for path, value in truth(order).items()}
    sane["/v2/orders"] = (200, b"[]")
    sane[f"/v2/orders/B-{order.client_order_id}"] = (200, packed(about(order) | {"id": "B-2"}))
    assert trio.run(asked, Answers(sane), "statement", order) == []


@pytest.mark.parametrize("quantity", ["NaN", "-1", "1e999", "1_0", ""])
def test_an_order_filled_by_no_number_is_no_answer(quantity: str) -> None:
    _, order = morning()
    told = packed(about(order, filled_qty=quantity))
    sane = {path: (200, packed(value)) for path, value in truth(order).items()}
    sane["/v2/orders:by_client_order_id"] = (200, told)
    assert trio.run(asked, Answers(sane), "lookup", order) == []


def test_a_position_told_twice_makes_no_statement() -> None:
    _, order = morning()
    sane = {path: (200, packed(value)) for path, value in truth(order).items()}
    sane["/v2/positions"] = (200, packed([POSITION, POSITION | {"qty": "1"}]))
    assert trio.run(asked, Answers(sane), "statement", order) == []


@efforts
def test_no_page_of_bars_breaks_the_history(examples: int) -> None:
    pages = st.one_of(changed(BARS).map(as_json).flatmap(around), st.binary())
    tokens = st.sampled_from(["x", "", "x" * 100_000, "\n\x00", None, 5])
    turned = tokens.map(lambda token: as_json(BARS | {"next_page_token": token}))

    @settings(max_examples=examples)
    @given(st.sampled_from([200, 200, 200, 200, 401, 403, 404, 429, 500]), pages | turned)
    def every(status: int, page: bytes) -> None:
        trio.run(history, Answers({"/v2/stocks/bars": (status, page)}))

    every()


async def history(answers: Answers) -> None:
    feed = AlpacaFeed(
        rest_url="http://127.0.0.1:1",
        stream_url="ws://127.0.0.1:1",
        credentials=KEYS,
        symbols=SYMBOLS,
        market_ns=lambda: 2**61,
        links=Links(http=answers),
    )
    async with feed:
        try:
            bars = await feed.history(Symbol("JD"), 2**61, 10)
        except BrokerUnavailable:
            return
    sound(bars)
    assert len(bars) <= 10


def test_a_frame_of_another_stream_is_told_apart_from_a_report() -> None:
    """The only well-formed frame that is not heard is one that does not say it is about orders."""
    _, order = morning()
    told = update_json("new", about(order)) | {"stream": "trade_update"}
    frame: TradingFrame = decode_trading(packed(told))
    assert isinstance(frame, UnknownFrame)
