"""Alpaca's bytes of orders, fills and accounts become our messages, and nonsense becomes none."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.alpaca_fakes import account_json, an_order, fill_json, order_json, packed, update_json
from trader.calendar import iso
from trader.messages import Activity, Claim, OrderReport, SendOutcome, Statement
from trader.model import AccountId, ClientOrderId, OrderType, Side, Symbol, TimeInForce
from trader.wire.alpaca import (
    by_client_order_id,
    by_order_id,
    decode_account,
    decode_activities,
    decode_fills,
    decode_order,
    decode_orders,
    decode_positions,
    fill_report,
    order_report,
    stamp_ns,
    submit_body,
)
from trader.wire.alpaca_answers import AlreadySubmitted, cancel_answer, submit_answer
from trader.wire.alpaca_claims import (
    CLAIM_OF_EVENT,
    CLAIM_OF_STATUS,
    claim_of_event,
    claim_of_status,
)
from trader.wire.alpaca_statement import account_trouble, fills_lag, statement_inputs
from trader.wire.alpaca_stream import (
    Authorization,
    Listening,
    StreamFailure,
    UnknownFrame,
    decode_trading,
)
from trader.wire.unreadable import Unreadable, shown

# Every word of the protocol's documents, so that one which is forgotten in the tables is missed here.
STATUSES = (
    "accepted pending_new new partially_filled held pending_cancel pending_replace accepted_for_bidding stopped"
    " suspended calculated done_for_day filled canceled expired rejected replaced pending_review"
).split()
EVENTS = (
    "accepted pending_new new stopped suspended calculated done_for_day pending_cancel pending_replace partial_fill"
    " fill canceled expired rejected replaced order_cancel_rejected order_replace_rejected restated trade_bust"
    " trade_correct held accepted_for_bidding pending_review"
).split()
NANOSECONDS = st.integers(0, 7_000_000_000 * 10**9)

# --- what is sent


def test_the_body_of_an_order_is_exact() -> None:
    assert submit_body(an_order()) == (
        b'{"symbol":"JD","qty":"33","side":"buy","type":"limit","time_in_force":"day","limit_price":"25.5",'
        b'"client_order_id":"trd1-sma-JD-b-0f3a9c","position_intent":"buy_to_open"}'
    )


def test_a_sale_only_ever_closes_and_extended_hours_are_said_only_when_wanted() -> None:
    order = an_order(
        side=Side.SELL,
        order_type=OrderType.MARKET,
        limit_price=None,
        time_in_force=TimeInForce.GTC,
        extended_hours=True,
        quantity=Decimal("1E+2"),
    )
    assert msgspec.json.decode(submit_body(order)) == {
        "symbol": "JD",
        "qty": "100",
        "side": "sell",
        "type": "market",
        "time_in_force": "gtc",
        "client_order_id": "trd1-sma-JD-b-0f3a9c",
        "position_intent": "sell_to_close",
        "extended_hours": True,
    }


def test_what_happens_to_an_order_never_changes_its_bytes() -> None:
    later = an_order(state_reason="sent again?", cancel_requested=True, state_ns=7)
    assert submit_body(later) == submit_body(an_order())


def test_an_id_cannot_lead_to_another_path() -> None:
    assert by_order_id("../account?x=1") == "/v2/orders/..%2Faccount%3Fx%3D1"
    assert by_client_order_id("a&b=c").endswith("client_order_id=a%26b%3Dc")


# --- words


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_claim(status: str) -> None:
    claim, _ = claim_of_status(status, "day")
    assert claim is CLAIM_OF_STATUS[status]


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_its_claim(event: str) -> None:
    claim, _ = claim_of_event(event, "day")
    assert claim is CLAIM_OF_EVENT[event]


def test_the_tables_hold_nothing_else() -> None:
    assert set(CLAIM_OF_STATUS) == set(STATUSES)
    assert set(CLAIM_OF_EVENT) == set(EVENTS)


@pytest.mark.parametrize(
    "word", ["replaced", "pending_replace", "restated", "trade_bust", "trade_correct", "melted\n"]
)
def test_what_we_never_ask_for_is_a_foreign_change_with_a_reason(word: str) -> None:
    claim, reason = claim_of_event(word, "day")
    assert claim is Claim.FOREIGN_CHANGE
    assert reason
    assert "\n" not in reason


def test_done_for_the_day_ends_only_a_day_order() -> None:
    assert claim_of_status("done_for_day", "day") == (Claim.EXPIRED, "done_for_day")
    assert claim_of_status("done_for_day", "gtc") == (Claim.NEW, "done_for_day")


# --- objects


def test_an_order_object_becomes_a_report() -> None:
    report = order_report(decode_order(packed(order_json(filled_qty="20.50"))), "query")
    assert report == OrderReport(
        client_order_id=an_order().client_order_id,
        broker_order_id=report.broker_order_id,
        symbol=an_order().symbol,
        side=Side.BUY,
        claim=Claim.NEW,
        quantity=Decimal(33),
        quantity_cumulative=Decimal("20.5"),
        at_ns=1769455144_117325002,
        source="query",
    )


def test_a_fill_becomes_an_execution_under_the_id_that_the_stream_uses() -> None:
    (fill,) = decode_fills(packed([fill_json(7, type="partial_fill", qty="20", cum_qty="20")]))
    report = fill_report(fill, "ours")
    assert isinstance(report, OrderReport)
    assert report.execution is not None
    assert report.execution.execution_id == "6f1c0a52-7d3e-4c55-9f0a-000000000007"
    assert report.execution.quantity_cumulative == report.quantity_cumulative == 20
    assert (report.claim, report.source) == (Claim.PARTIALLY_FILLED, "activity")


@pytest.mark.parametrize(
    "number",
    [
        "NaN",
        "Infinity",
        "-1",
        "1_0",
        "١٢",
        "1e999999",
        "1E-30",
        "",
        " 1",
        "0x1",
        "9" * 41,
        "1" * 40,
    ],
)
def test_a_number_that_is_no_amount_makes_the_object_unreadable(number: str) -> None:
    with pytest.raises(Unreadable):
        order_report(decode_order(packed(order_json(filled_qty=number))), "query")
    with pytest.raises(Unreadable):
        fill_report(decode_fills(packed([fill_json(price=number)]))[0], "ours")


@pytest.mark.parametrize("kind", ["trade_bust", "trade_correct", "fill_reversal"])
def test_an_activity_that_is_no_fill_is_no_execution(kind: str) -> None:
    (fill,) = decode_fills(packed([fill_json(type=kind)]))
    report = fill_report(fill, "ours")
    assert isinstance(report, OrderReport)
    assert report.execution is None
    assert report.claim is Claim.FOREIGN_CHANGE
    assert kind in report.reason


@pytest.mark.parametrize("changes", [{"price": "0"}, {"qty": "0"}, {"qty": "-5"}, {"side": "lend"}])
def test_an_execution_trades_something_for_a_price(changes: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        fill_report(decode_fills(packed([fill_json(**changes)]))[0], "ours")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b'{"id":"\xff"}',
        b'{"x":' + b"[" * 100_000,
        packed(order_json(client_order_id="")),
        packed(order_json(client_order_id="x" * 129)),
        packed(order_json(filled_qty=1)),
        packed(order_json(filled_qty=None)),
    ],
)
def test_nonsense_in_place_of_an_order_is_unreadable_and_nothing_else(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_order(body)


ANSWERS = (decode_orders, decode_fills, decode_positions, decode_activities, decode_account)


@pytest.mark.parametrize("decode", ANSWERS)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"true", b"0", b'""', b"hello", b"[null]", b"[[]]", b"[] []", b"{} {}"),
        *(b"\xef\xbb\xbf[]", b'["\xff"]', b'[{"id":"\xff"}]', b'{"cash":"\xff"}'),
        *(b"[" * 100_000, b'{"cash":' + b"[" * 100_000, b'{"message":"internal server error"}'),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_nonsense_in_place_of_an_answer_is_unreadable_and_nothing_else(
    decode: Callable[[bytes], object], body: bytes
) -> None:
    with pytest.raises(Unreadable):
        decode(body)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_can_raise_anything_but_unreadable(body: bytes) -> None:
    for decode in (decode_order, *ANSWERS):
        with pytest.raises(Unreadable):
            decode(b"\xff" + body)
    for frame in (body, b"{" + body, b"\x81" + body):
        with suppress(Unreadable):
            decode_trading(frame)


@given(NANOSECONDS)
def test_times_are_exact_to_the_nanosecond_in_every_encoding(at_ns: int) -> None:
    seconds, rest = divmod(at_ns, 10**9)
    assert stamp_ns(iso(at_ns)) == at_ns
    assert stamp_ns(msgspec.msgpack.Ext(-1, (rest << 34 | seconds).to_bytes(8, "big"))) == at_ns
    long = rest.to_bytes(4, "big") + seconds.to_bytes(8, "big")
    assert stamp_ns(msgspec.msgpack.Ext(-1, long)) == at_ns
    if seconds < 2**32:
        short = msgspec.msgpack.Ext(-1, seconds.to_bytes(4, "big"))
        assert stamp_ns(short) == seconds * 10**9


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "soon",
        "2026-01-26 19:19",
        "2026-01-26T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "1970",
        "9999-01-01T00:00:00Z",
        f"2026-01-26T19:19:04.{'1' * 25}Z",
    ],
)
def test_a_bad_time_stamp_is_not_fatal(stamp: str) -> None:
    order = decode_order(packed(order_json(updated_at=stamp, submitted_at=None)))
    assert order_report(order, "query").at_ns == 0


def test_foreign_text_is_shown_on_one_line_and_cut() -> None:
    assert shown("a\nb\x1b[31m\u2028é${jndi:x}%s") == "a\\nb\\x1b[31m\\u2028\\xe9${jndi:x}%s"
    assert len(shown("\x00" * 10**6)) == 200


# --- how a send went


def outcome_of(status: int, body: object) -> str:
    raw = body if isinstance(body, bytes) else packed(body)
    match submit_answer(an_order(), status, raw):
        case OrderReport(claim=claim):
            return claim
        case SendOutcome(outcome=outcome):
            return outcome
        case AlreadySubmitted():
            return "already submitted"


REFUSAL = {"code": 40310000, "message": "insufficient buying power", "buying_power": "0"}
NOT_UNIQUE = {"code": 40010001, "message": "client_order_id must be unique"}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, order_json(status="pending_new"), "pending_new"),
        (200, order_json(status="filled", filled_qty="33"), "filled"),
        (200, order_json(status="rejected"), "rejected"),
        (200, order_json(client_order_id="another"), "unknown"),
        (200, REFUSAL, "unknown"),
        (200, b"", "unknown"),
        (200, b"<html>", "unknown"),
        (200, packed(order_json())[:-9], "unknown"),
        (201, order_json(), "unknown"),
        (204, b"", "unknown"),
        (301, b"", "unknown"),
        (400, REFUSAL, "rejected"),
        (401, {"message": "unauthorized."}, "rejected"),
        (401, b"<html>", "unknown"),
        (403, REFUSAL, "rejected"),
        (403, b"<html>blocked by a proxy", "unknown"),
        (404, REFUSAL, "unknown"),
        (408, REFUSAL, "unknown"),
        (409, NOT_UNIQUE, "unknown"),
        (422, REFUSAL, "rejected"),
        (422, NOT_UNIQUE, "already submitted"),
        (422, {"code": 40010001, "message": "invalid time_in_force"}, "rejected"),
        (422, b"", "unknown"),
        (429, b"", "rejected"),
        (429, {"message": "rate limit"}, "rejected"),
        (500, REFUSAL, "unknown"),
        (503, REFUSAL, "unknown"),
        (504, REFUSAL, "unknown"),
        (504, b"upstream request timeout", "unknown"),
    ],
)
def test_a_reply_proves_this_and_no_more(status: int, body: object, outcome: str) -> None:
    assert outcome_of(status, body) == outcome


@given(st.integers(100, 599), st.binary(max_size=80))
def test_bytes_that_are_no_refusal_never_prove_one(status: int, body: bytes) -> None:
    answer = submit_answer(an_order(), status, b"\xff" + body)
    assert isinstance(answer, SendOutcome)
    assert answer.outcome == ("rejected" if status == 429 else "unknown")
    assert answer.reason.isprintable()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (204, b"", "accepted"),
        (
            422,
            packed({"code": 42210000, "message": 'order is already in "filled" state'}),
            "rejected",
        ),
        (404, packed({"code": 40410000, "message": "order not found"}), "rejected"),
        (404, b"<html>", "unknown"),
        (429, b"", "rejected"),
        (200, b"", "unknown"),
        (500, packed(REFUSAL), "unknown"),
    ],
)
def test_a_cancel_is_accepted_rejected_or_unknown(status: int, body: bytes, outcome: str) -> None:
    assert cancel_answer(an_order(), status, body).outcome == outcome


# --- the statement


def a_statement(**account: object) -> list[object]:
    return list(
        statement_inputs(
            account=AccountId("paper:PA1"),
            at_ns=5,
            funds=decode_account(packed(account_json(**account))),
            positions=decode_positions(
                packed(
                    [
                        {"symbol": "JD", "qty": "33", "side": "long"},
                        {"symbol": "T", "qty": "-2", "side": "short"},
                        {"symbol": "GS", "qty": "1", "side": "short"},
                    ]
                )
            ),
            orders=decode_orders(
                packed(
                    [
                        order_json(status="filled", filled_qty="33"),
                        order_json(id="b", client_order_id="live"),
                        order_json(id="c", client_order_id="gone", status="replaced"),
                        order_json(id="d", client_order_id="odd", status="melted"),
                    ]
                )
            ),
            fills=decode_fills(packed([fill_json()])),
            activities=decode_activities(
                packed(
                    [
                        activity_json("1", "DIV", net_amount="3.30", qty="33", symbol="JD"),
                        activity_json("2", "SPLIT", qty="33", symbol="JD"),
                        activity_json("3", "FEE", net_amount="-0.07"),
                    ]
                )
            ),
        )
    )


def activity_json(name: str, kind: str, **told: object) -> dict[str, object]:
    return {"id": name, "activity_type": kind, "date": "2026-01-26", **told}


def test_a_statement_tells_executions_then_orders_then_activities_then_itself() -> None:
    *told, statement = a_statement(accrued_fees="0.25")
    reports, activities = told[:5], told[5:]
    assert [getattr(report, "source", None) for report in reports] == ["activity"] + 4 * ["query"]
    paid = Activity(activity_id="1", kind="DIV", at_ns=0, session="2026-01-26", amount=Decimal(0))
    assert activities == [
        replace(paid, amount=Decimal("3.3"), symbol=Symbol("JD")),
        replace(
            paid,
            activity_id="2",
            kind="SPLIT",
            symbol=Symbol("JD"),
            quantity=Decimal(33),
            held=Decimal(33),
        ),
        replace(paid, activity_id="3", kind="FEE", amount=Decimal("-0.07")),
    ]
    assert statement == Statement(
        at_ns=5,
        account=AccountId("paper:PA1"),
        cash=Decimal(1000),  # fees that wait for the day's end are still in it
        positions={
            Symbol("JD"): Decimal(33),
            Symbol("T"): Decimal(-2),
            Symbol("GS"): Decimal(-1),
        },
        open_orders={ClientOrderId("live"): Symbol("JD"), ClientOrderId("odd"): Symbol("JD")},
    )


@pytest.mark.parametrize("changes", [{"cash": "NaN"}, {"cash": "1e999"}])
def test_a_statement_without_believable_cash_is_none(changes: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        a_statement(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"status": "ACCOUNT_CLOSED"}, "not ACTIVE"),
        ({"trading_blocked": True}, "blocked"),
        ({"account_blocked": True}, "blocked"),
        ({"trade_suspended_by_user": True}, "suspended"),
        ({"currency": "EUR"}, "EUR"),
        ({"buying_power": None}, "may buy for"),
    ],
)
def test_an_account_that_cannot_be_traded_says_why(
    changes: dict[str, object], words: str | None
) -> None:
    trouble = account_trouble(decode_account(packed(account_json(**changes))))
    assert trouble is None if words is None else words in str(trouble)


def test_fills_that_lag_behind_their_order_are_noticed_where_they_should_be_known() -> None:
    orders = decode_orders(packed([order_json(filled_qty="33")]))
    fills = decode_fills(packed([fill_json()]))
    submitted_ns = stamp_ns("2026-01-26T19:19:04.117325001Z")
    assert fills_lag(orders, fills, submitted_ns) is None
    assert fills_lag(orders, [], submitted_ns) == "trd1-sma-JD-b-0f3a9c"
    assert fills_lag(orders, [], submitted_ns + 1) is None


# What Alpaca shows of an order of options with several legs.
LEGS = {"order_class": "mleg", "client_order_id": "by hand", "id": "m", "symbol": "", "side": ""}


@pytest.mark.parametrize("changes", [{}, {"symbol": None, "side": None}])
def test_an_order_with_several_legs_is_told_and_keeps_nobody_from_reading_the_others(
    changes: dict[str, object],
) -> None:
    ours, theirs = decode_orders(packed([order_json(), order_json(**LEGS | changes)]))
    assert order_report(ours, "query").symbol == "JD"
    told = order_report(theirs, "query")
    assert (told.client_order_id, told.symbol) == ("by hand", "MULTI-LEG")
    filled = decode_orders(packed([order_json(**LEGS | {"filled_qty": "1"} | changes)]))
    assert fills_lag(filled, [], 0) is None, "its fills are its legs'"
    frame = packed(
        {"stream": "trade_updates", "data": {"event": "new", "order": order_json(**LEGS | changes)}}
    )
    told_by_stream = decode_trading(frame)
    assert isinstance(told_by_stream, OrderReport)
    assert (told_by_stream.symbol, told_by_stream.claim) == ("MULTI-LEG", Claim.NEW)


@pytest.mark.parametrize("changes", [{"symbol": ""}, {"symbol": None}, {"side": ""}])
def test_any_other_order_says_what_it_is_about(changes: dict[str, object]) -> None:
    [order] = decode_orders(packed([order_json(**changes)]))
    with pytest.raises(Unreadable):
        order_report(order, "query")


# --- the trading stream


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode])
def test_a_fill_on_the_stream_carries_its_execution(encode: object) -> None:
    order = order_json(status="partially_filled", filled_qty="20")
    frame = update_json("partial_fill", order, execution_id="x1", price="25.49", qty="20")
    report = decode_trading(encode(frame))  # type: ignore[operator]
    assert isinstance(report, OrderReport)
    assert (report.claim, report.source) == (Claim.PARTIALLY_FILLED, "stream")
    assert report.execution is not None
    assert report.execution.execution_id == "x1"
    assert report.execution.quantity_cumulative == 20
    assert report.at_ns == stamp_ns("2026-01-26T19:19:06Z")


def test_text_and_binary_frames_of_json_are_the_same() -> None:
    frame = packed(update_json("new"))
    assert decode_trading(frame) == decode_trading(frame.decode())


@pytest.mark.parametrize(("last", "is_booked"), [("25.49", True), ("900", True), ("NaN", False)])
def test_of_a_key_that_comes_twice_the_last_value_counts_and_is_judged(
    last: str, is_booked: bool
) -> None:
    """Which of two values was meant nobody can know: the last one is taken, and is looked at like any other."""
    order = order_json(status="partially_filled", filled_qty="20")
    told = packed(update_json("partial_fill", order, execution_id="x1", price="1", qty="20"))
    twice = told.replace(b'"price":"1"', f'"price":"1","price":"{last}"'.encode())
    assert twice.count(b'"price":') == 2
    report = decode_trading(twice)
    assert isinstance(report, OrderReport)
    assert (report.execution is not None) is is_booked
    if report.execution is not None:
        assert report.execution.price == Decimal(last)
    else:
        assert report.claim is Claim.FOREIGN_CHANGE


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_a_report_of_its_claim(event: str) -> None:
    report = decode_trading(packed(update_json(event)))
    assert isinstance(report, OrderReport)
    assert report.claim is CLAIM_OF_EVENT[event]
    assert report.execution is None


@pytest.mark.parametrize(
    "extra",
    [
        {"execution_id": "x", "price": "0", "qty": "1"},
        {"execution_id": "x", "price": "1e999", "qty": "1"},
        {"execution_id": "x", "price": "1", "qty": "-5"},
        {"execution_id": "x", "price": 1.5, "qty": "1"},
        {"order": order_json(filled_qty="18446744073709551616")},
        {"order": order_json(filled_qty="nan")},
    ],
)
def test_a_report_that_names_its_order_but_cannot_be_believed_is_a_foreign_change(
    extra: dict[str, object],
) -> None:
    report = decode_trading(packed(update_json("fill", **extra)))
    assert isinstance(report, OrderReport)
    assert report.claim is Claim.FOREIGN_CHANGE
    assert report.client_order_id == an_order().client_order_id
    assert report.execution is None
    assert report.reason


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "hello",
        '{"stream":"trade_updates","data":{"event":"fill"}}',
        '{"stream":"trade_updates"}',
        '\ufeff{"stream":"listening","data":{"streams":[]}}',
        '{"stream":"listening","data":{"streams":[]}} {}',
        b"\xef\xbb\xbf" + packed({"stream": "listening", "data": {"streams": []}}),
        b'{"stream":"trade_updates","data":{"event":"\xff"}}',
        b'{"stream":"trade_updates","data":' + b"[" * 100_000,
        b"\x81\xa4data" + b"\x91" * 100_000,
        b"\xc1",
    ],
)
def test_a_frame_that_names_no_order_is_unreadable(frame: str | bytes) -> None:
    with pytest.raises(Unreadable):
        decode_trading(frame)


def test_the_signs_of_the_handshake_are_told_apart() -> None:
    authorized = packed({"stream": "authorization", "data": {"status": "authorized"}})
    assert decode_trading(authorized) == Authorization(status="authorized")
    listening = packed({"stream": "listening", "data": {"streams": ["trade_updates"]}})
    assert decode_trading(listening) == Listening(streams=["trade_updates"])
    failure = packed({"action": "error", "data": {"error_message": "internal server error"}})
    assert decode_trading(failure) == StreamFailure(error_message="internal server error")
    assert decode_trading(b'{"stream":"weather"}') == UnknownFrame(stream="weather")
