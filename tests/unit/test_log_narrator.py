"""The narrator tells each thing once, however the entries were read, and the counts add up."""

import itertools
from collections.abc import Iterable
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.journal_plays import (
    OPEN_NS,
    Play,
    clock,
    day,
    fill,
    opened,
    report,
    request,
)
from trader import messages
from trader.log import events as log
from trader.log.events import Event, line_of
from trader.log.narrator import Narrator
from trader.log.transcript import Transcript
from trader.messages import (
    Claim,
    Command,
    Gate,
    GateReport,
    OrderRequest,
    SendOutcome,
    SendStarted,
    WorkerReport,
)
from trader.model import MINUTE_NS, Symbol

NUMBERS = st.lists(st.integers(0, 255), max_size=80)
CUTS = st.lists(st.integers(1, 150), max_size=10)


def told(play: Play, cuts: Iterable[int] = ()) -> list[Event]:
    narrator = Narrator()
    edges = [0, *sorted(set(cuts)), len(play.entries)]
    events = []
    for first, last in itertools.pairwise(edges):
        events += narrator.tell(play.entries[first:last])
    return events + narrator.close()


def lines(play: Play) -> list[str]:
    transcript = Transcript()
    return [line for event in told(play) if (line := transcript.line(event)) is not None]


def gate(which: Gate, is_open: bool, reason: str) -> GateReport:
    return GateReport(gate=which, is_open=is_open, reason=reason)


def test_the_screen_says_that_gates_are_open_again_once_all_are_that_it_said_were_closed() -> None:
    play = opened().hear(
        gate(Gate.MARKET_DATA, False, "no prices"),
        gate(Gate.FRESH_CODE, False, "changed"),
        gate(Gate.FRESH_CODE, True, "as before"),
        gate(Gate.MARKET_DATA, True, "prices"),
    )
    said = [line.split(maxsplit=1)[1] for line in lines(play)]
    assert [line.split()[0] for line in said] == ["CLOSED", "CLOSED", "ALARM", "OPEN"]
    assert said[-1].endswith("every gate is open again: prices")


def repeated(event: Event) -> bool:
    return isinstance(event, log.DuplicateBlocked | log.RequestDenied)


@given(numbers=NUMBERS, cuts=CUTS)
def test_the_counts_are_the_refused_requests_however_they_are_read(
    numbers: list[int], cuts: list[int]
) -> None:
    play = day(numbers)
    happened = [event for entry in play.entries for event in entry.events]
    blocked = sum(isinstance(event, messages.DuplicateBlocked) for event in happened)
    denied = sum(isinstance(event, messages.RequestDenied) for event in happened)
    for chunks in (cuts, range(1, 200), ()):
        events = told(play, chunks)
        assert sum(e.count for e in events if isinstance(e, log.DuplicateBlocked)) == blocked
        assert sum(e.count for e in events if isinstance(e, log.RequestDenied)) == denied


@given(numbers=NUMBERS, cuts=CUTS)
def test_everything_but_repeats_is_told_the_same_however_it_is_read(
    numbers: list[int], cuts: list[int]
) -> None:
    play = day(numbers)
    once = [event for event in told(play) if not repeated(event)]
    assert [event for event in told(play, cuts) if not repeated(event)] == once


@given(numbers=NUMBERS)
def test_a_symbol_has_at_most_two_lines_of_blocks_a_minute(numbers: list[int]) -> None:
    """The first at once, the rest when the minute is over; read one by one."""
    per_minute: dict[tuple[str, str | None, str], int] = {}
    for event in told(day(numbers), range(1, 200)):
        if isinstance(event, log.DuplicateBlocked):
            key = (event.timestamp[:16], event.symbol, event.side)
            per_minute[key] = per_minute.get(key, 0) + 1
    assert all(count <= 2 for count in per_minute.values())


def test_seven_blocks_read_together_are_one_line_with_their_count() -> None:
    play = opened().hear(*(request("GS", key=f"k{i}") for i in range(8)))
    (block,) = [event for event in told(play) if isinstance(event, log.DuplicateBlocked)]
    assert block.count == 7
    assert b"DUPLICATE BUY BLOCKED: GS" in line_of(block)


def test_the_first_block_of_a_minute_is_told_at_once_and_the_rest_when_it_is_over() -> None:
    play = opened().hear(*(request("GS", key=f"k{i}") for i in range(6)))
    narrator = Narrator()
    for_each = [narrator.tell([entry]) for entry in play.entries]
    counts = [
        [e.count for e in events if isinstance(e, log.DuplicateBlocked)] for events in for_each
    ]
    assert [one for one in counts if one] == [[1]]
    later = Play()
    later.state = play.state
    (entry,) = later.hear(clock(OPEN_NS + MINUTE_NS)).entries
    (rest,) = narrator.tell([entry])
    assert isinstance(rest, log.DuplicateBlocked)
    assert rest.count == 4


def test_every_kind_of_event_has_its_words() -> None:
    """`rare` ends in an assertion for what nobody tells: all events of rich plays come through."""
    seen = {type(event) for seed in range(40) for event in told(day([*range(seed, 256, 11)]))}
    assert len(seen) > 15


def test_the_transcript_is_in_columns() -> None:
    play = opened()
    play.hear(*(request("GS", key=f"g{i}", reason="rehearsal") for i in range(8)))
    play.hear(
        clock(OPEN_NS + MINUTE_NS), request("JD", key="j", shares=33, at_ns=OPEN_NS + MINUTE_NS)
    )
    order = play.live()[-1]
    play.hear(SendStarted(client_order_id=order.client_order_id))
    play.hear(
        SendOutcome(
            client_order_id=order.client_order_id,
            outcome="unknown",
            reason="the broker's reply was lost (504)",
        )
    )
    play.hear(fill(order, Decimal(33), OPEN_NS + MINUTE_NS))
    play.hear(request("T", key="t", price="44.10", at_ns=play.state.at_ns))
    play.hear(request("T", key="u", at_ns=play.state.at_ns))
    play.hear(fill(play.live()[-1], Decimal(10), OPEN_NS))
    assert lines(play) == [
        "09:30 DUPLICATE BUY BLOCKED: GS  x7        rehearsal",
        "09:31 BUY      JD    33 @ 31.92  UNKNOWN   the broker's reply was lost (504);"
        " 1,053.36 stays reserved, JD closed",
        "09:31 BUY      JD    33 @ 31.92  FILLED    found at the broker by its id; nothing was sent twice",
        "09:31 DENIED   T     10 @ 44.10            price_collar: 96% above the quote 22.47",
        "09:31 BUY      T     10 @ 22.47  FILLED    sma-crossover: 10-bar average rose above 30-bar",
    ]


def test_a_canceled_order_says_how_much_of_it_was_filled() -> None:
    play = opened().hear(request("T", key="t", shares=120))
    order = play.live()[0]
    play.hear(report(order, Claim.NEW, OPEN_NS), fill(order, Decimal(40), OPEN_NS))
    play.hear(report(play.live()[0], Claim.CANCELED, OPEN_NS, "end of day"))
    assert lines(play) == [
        "09:30 BUY      T    120 @ 22.47  CANCELED  40 of 120 filled; end of day"
    ]


def test_a_brokers_message_can_forge_no_line() -> None:
    play = opened().hear(request("T", key="t"))
    forged = "no\n09:30 DUPLICATE BUY BLOCKED: JD  x9\x1b[2J\u2028DUPLICATE BUY BLOCKED: JD"
    play.hear(report(play.live()[0], Claim.REJECTED, OPEN_NS, forged))
    (line,) = lines(play)
    assert line.isprintable()
    every = b"".join(line_of(event) for event in told(play)).decode() + line
    assert "DUPLICATE BUY BLOCKED" not in every
    assert "REJECTED" in line


def test_a_traceback_is_one_escaped_line() -> None:
    reason = "Traceback (most recent call last):\n  File 'x.py', line 1\nZeroDivisionError: division by zero"
    play = opened().hear(
        WorkerReport(worker="JD-1", symbol=Symbol("JD"), ready=False, reason=reason)
    )
    failed = told(play)[-1]
    assert isinstance(failed, log.WorkerFailed)
    assert line_of(failed).count(b"\n") == 1
    assert "ZeroDivisionError: division by zero" in failed.message
    assert "x.py" in failed.reason


def test_a_halt_is_an_alarm_and_a_line() -> None:
    play = opened().hear(Command(command_id="1", verb="halt", who="ana", reason="lunch"))
    assert told(play)[-1].level == "alarm"
    assert lines(play) == ["09:30 HALTED                               ana: lunch"]


def test_a_late_fill_of_the_session_before_is_told() -> None:
    play = opened().hear(request("T", key="t"))
    order = play.live()[0]
    play.hear(report(order, Claim.CANCELED, OPEN_NS), clock(OPEN_NS + MINUTE_NS, "2026-01-27"))
    play.hear(fill(order, Decimal(10), OPEN_NS + MINUTE_NS))
    assert any(isinstance(event, log.OrderFilled) for event in told(play))
    assert isinstance(play.entries[-1].input, messages.OrderReport)
    assert not isinstance(play.entries[-1].input, OrderRequest)
