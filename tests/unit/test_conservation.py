"""The last line before the socket: three sums over rows and leaving bytes, each at its very limit."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from msgspec.structs import replace

from tests.plays import (
    ROOMY,
    TEN_NS,
    Line,
    Play,
    accepted,
    activity,
    adopted,
    boot,
    buy,
    clock,
    command,
    corrected,
    executed,
    filled,
    opened,
    reboot,
    report,
    resolved,
    sell,
    send_ended,
    sent,
    stop,
)
from trader import reducing
from trader.brokers.alpaca.last_line import judged
from trader.conservation import WHO, Conservation
from trader.messages import Claim, Command, Entry
from trader.model import MINUTE_NS, SECOND_NS, Order, OrderType, Size, Symbol
from trader.wire.alpaca import submit_body

D = Decimal


class Watched(Play):
    """A play with the last line behind it."""

    def __init__(self, play: Play | None = None) -> None:
        super().__init__((play or opened()).state)
        self.line = Conservation()
        self.line.read(_life(self))

    def __rshift__(self, line: Line) -> "Watched":
        before = len(self.entries)
        super().__rshift__(line)
        for entry in self.entries[before:]:
            self.line.read(entry)
        return self

    def leaves(self, of: int = -1, /, **changes: object) -> str:
        """What the line says when the order's bytes are about to leave."""
        return judged(self.line, submit_body(replace(self.order(of), **changes)))

    def leaves_at(self, seconds: float) -> str:
        """The same of the last order by a running clock, seconds after ten."""
        now_ns = TEN_NS + int(seconds * SECOND_NS)
        return judged(self.line, submit_body(self.order()), now_ns)


def _life(play: Play) -> Entry:
    """The row of this life, as the journal has it."""
    told = Play() >> boot(limits=play.state.limits)
    return told.entries[0]


def bought(shares: int = 86, play: Play | None = None) -> Watched:
    watched = Watched(play) >> buy("JD", shares, "31.95")
    assert watched.leaves() == ""
    return watched >> sent() >> filled(shares, "31.92")


# ---------------------------------------------------------------------------------------- what was approved


def test_what_was_approved_leaves_once() -> None:
    play = Watched() >> buy("JD", 62, "31.95")
    assert play.leaves() == ""
    assert play.line.untold() == []
    assert "62 of trd-JD-B-" in play.leaves()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantity": D(63)}, "63 of"),
        ({"quantity": D(0)}, "0 of"),
        ({"quantity": D(-62)}, "-62 of"),
        ({"symbol": "GS"}, "leaves BUY GS, approved was BUY JD"),
        ({"side": "SELL"}, "leaves SELL JD, approved was BUY JD"),
        ({"limit_price": D("319.5")}, "leaves with a limit of 319.5, approved was 31.95"),
        ({"limit_price": None}, "leaves with a limit of None, approved was 31.95"),
        ({"client_order_id": "trd-JD-B-0"}, "was never approved"),
    ],
)
def test_what_is_more_or_other_than_approved_stays(changes: dict[str, object], says: str) -> None:
    play = Watched() >> buy("JD", 62, "31.95")
    assert says in play.leaves(-1, **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"order_type": "market", "stop_price": None}, "leaves of type market, approved was stop"),
        ({"stop_price": None}, "leaves with a stop at None, approved was 31.28"),
        ({"stop_price": D("312.8")}, "leaves with a stop at 312.8, approved was 31.28"),
        ({"trail": D("0.02")}, "leaves trailing by % 2, approved was None"),
        ({"limit_price": D("31.2")}, "leaves with a limit of 31.2, approved was None"),
    ],
)
def test_a_stop_that_leaves_as_something_else_stays(changes: dict[str, object], says: str) -> None:
    play = bought(86) >> stop(86)
    assert says in play.leaves(-1, **changes)


def test_a_trailing_stop_leaves_as_it_was_approved() -> None:
    trailing = {"order_type": OrderType.TRAILING_STOP, "trail": D("0.0125")}
    play = bought(86) >> stop(86, None, **trailing)
    assert "trailing by % 12.5," in play.leaves(-1, trail=D("0.125"))
    play = bought(86) >> stop(86, None, **trailing)
    assert play.leaves() == ""


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"qty": 5}'])
def test_bytes_that_cannot_be_read_do_not_leave(body: bytes) -> None:
    line = Conservation()
    assert "can't be read" in judged(line, body)
    assert line.untold()


@pytest.mark.parametrize(("key", "word"), [("side", "sideways"), ("qty", "many"), ("qty", "NaN")])
def test_words_that_say_nothing_do_not_leave(key: str, word: str) -> None:
    play = Watched() >> buy("JD", 62, "31.95")
    body = msgspec.json.decode(submit_body(play.order()))
    assert judged(play.line, msgspec.json.encode(body | {key: word}))


# ------------------------------------------------------------------------------------------------- the pace


def test_no_more_entries_leave_in_a_minute_than_the_limit() -> None:
    play = Watched(opened(limits=replace(ROOMY, entries_per_minute_max=2)))
    for number, symbol in enumerate(("JD", "GS")):
        play >> buy(symbol, 1, None, limit_price=_price(symbol))
        assert play.leaves(number) == ""
    line = play.line
    loose = Watched(opened())  # whose rules let a third one through
    loose.line = line
    loose >> buy("T", 1, "22.47")
    assert "2 entries have left in a minute, 2 may" in loose.leaves()


def test_in_the_next_minute_they_may_and_exits_are_not_counted() -> None:
    play = bought(10, opened(limits=replace(ROOMY, entries_per_minute_max=1)))
    play >> sell("JD", 10, "31.9")
    assert play.leaves() == ""
    play >> filled(10, "31.9") >> clock(1) >> buy("JD", 10, "31.95")
    assert play.leaves() == ""


def test_by_the_clock_no_more_entries_leave_in_any_minute_and_the_one_too_many_stays_alone() -> (
    None
):
    play = Watched(opened(limits=replace(ROOMY, entries_per_minute_max=2)))
    for symbol, seconds in (("JD", 58), ("GS", 59)):
        play >> buy(symbol, 1, None, limit_price=_price(symbol))
        assert play.leaves_at(seconds) == ""
    play >> clock(1) >> buy("T", 1, "22.47")
    assert play.leaves_at(61) == "2 entries have left within a minute, 2 may"
    assert play.line.untold() == [], "nothing is wrong with the program"
    play >> send_ended("never_sent") >> buy("T", 1, "22.47")
    assert play.leaves_at(118) == "", "the first of them left a minute ago"
    play >> clock(2) >> buy("TRIP", 1, "18.44")
    assert play.leaves_at(118.9) != "", "and the second did not"
    assert play.leaves_at(119) == ""


def test_by_the_clock_exits_leave_at_any_pace() -> None:
    play = Watched(opened(limits=replace(ROOMY, entries_per_minute_max=1)))
    play >> buy("JD", 10, "31.95")
    assert play.leaves_at(0) == ""
    play >> sent() >> filled(10, "31.92") >> sell("JD", 10, "31.9")
    assert play.leaves_at(1) == ""


def test_where_time_stands_between_minutes_they_are_counted_by_these_alone() -> None:
    play = Watched(opened(limits=replace(ROOMY, entries_per_minute_max=1)))
    play >> buy("JD", 10, "31.95")
    assert play.leaves() == ""
    play >> clock(1) >> buy("GS", 1, "900.5")
    assert play.leaves() == ""


def test_a_later_life_counts_what_the_one_before_may_have_sent_last() -> None:
    play = Watched(opened(limits=replace(ROOMY, entries_per_minute_max=1)))
    play >> buy("JD", 10, "31.95")
    assert play.leaves_at(59) == ""
    for _ in range(2):
        play >> reboot
    approved = Watched(opened())
    approved.line = play.line
    approved >> clock(1) >> buy("GS", 1, "900.5")
    assert approved.leaves_at(62) == "1 entries have left within a minute, 1 may"
    assert approved.leaves_at(120) == ""


def _price(symbol: str) -> Decimal:
    return {"JD": D("31.95"), "GS": D("900.5"), "T": D("22.47")}[symbol]


# ------------------------------------------------------------------------------------------------- shares


def test_what_executions_have_brought_may_be_sold_and_not_a_share_more() -> None:
    play = bought(86)
    play >> sell("JD", 86, "31.9")
    assert "87 of" in play.leaves(quantity=D(87))
    play = bought(86) >> sell("JD", 86, "31.9")
    assert play.leaves() == ""


def test_shares_that_are_only_in_the_position_map_are_not_sold() -> None:
    play = bought(86)
    wrong = play.state.positions["JD"]  # type: ignore[index]
    doubled = play.state.positions.set(wrong.symbol, replace(wrong, quantity=D(172)))
    play.state = replace(play.state, positions=doubled)
    play >> sell("JD", 172, "31.9")
    assert "is shut: 172 JD are to be sold, 86 are there to sell" in play.leaves()


ENDS: list[tuple[str, Callable[[], Iterable[Line]], int]] = [
    ("nothing was heard", lambda: (), 0),
    ("in doubt", lambda: (send_ended("unknown"),), 0),
    ("acknowledged", lambda: (report(Claim.NEW),), 0),
    ("being canceled", lambda: (report(Claim.PENDING_CANCEL),), 0),
    ("canceled", lambda: (report(Claim.NEW), report(Claim.CANCELED)), 86),
    (
        "canceled, and the acknowledgement late",
        lambda: (report(Claim.CANCELED), report(Claim.NEW)),
        86,
    ),
    ("expired", lambda: (report(Claim.EXPIRED),), 86),
    ("rejected", lambda: (send_ended("rejected"),), 86),
    ("rejected, and alive", lambda: (send_ended("rejected"), report(Claim.NEW)), 0),
    ("acknowledged, then rejected", lambda: (report(Claim.NEW), report(Claim.REJECTED)), 86),
    (
        "rejected, and alive, and rejected",
        lambda: (report(Claim.REJECTED), report(Claim.NEW), report(Claim.REJECTED)),
        86,
    ),
    ("acknowledged, then a reply rejects", lambda: (report(Claim.NEW), send_ended("rejected")), 0),
    ("never sent", lambda: (send_ended("never_sent"),), 86),
    ("a person says so", lambda: (send_ended("unknown"), resolved("canceled")), 86),
    ("filled in part", lambda: (filled(40, "31.9"),), 0),
    ("filled in part, then canceled", lambda: (filled(40, "31.9"), report(Claim.CANCELED, 40)), 46),
    (
        "canceled, and filled in part after all",
        lambda: (report(Claim.CANCELED), filled(40, "31.9")),
        46,
    ),
    ("filled", lambda: (filled(86, "31.9"),), 0),
]


@pytest.mark.parametrize(("heard", "free"), [one[1:] for one in ENDS], ids=[one[0] for one in ENDS])
def test_a_sale_holds_all_of_its_shares_until_its_end_is_heard(
    heard: Callable[[], Iterable[Line]], free: int
) -> None:
    play = bought(86) >> sell("JD", 86, "31.9")
    assert play.leaves() == ""
    play >> sent()
    for line in heard():
        play >> line
    assert _free(play) == free


# --------------------------------------------------------------------------------------- stops and exits


def stopped(shares: int = 86) -> Watched:
    """Held, and guarded by a stop that rests at the broker."""
    play = bought(shares) >> stop(shares)
    assert play.leaves() == ""
    return play >> sent() >> report(Claim.NEW)


def beside(play: Watched, shares: int) -> str:
    """What the line says of a sale at the market that the rules would let pass by mistake."""
    flat = replace(play.state.position(Symbol("JD")), quantity_pending_sell=D(0), exits=())
    play.state = replace(
        play.state, positions=play.state.positions.set(Symbol("JD"), flat), reductions=Map()
    )
    play >> sell("JD", shares, "31.9") << accepted("JD", shares)
    return play.leaves()


def test_no_exit_leaves_beside_a_stop_that_holds_the_shares() -> None:
    assert "is shut: 86 JD are to be sold, 0 are there to sell" in beside(stopped(), 86)
    assert "is shut: 1 JD are to be sold, 0 are there to sell" in beside(stopped(), 1)


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ((), 0),
        ((report(Claim.PENDING_CANCEL),), 0),
        ((send_ended("unknown"),), 0),
        ((filled(40, "31.2"),), 0),
        ((report(Claim.PENDING_CANCEL), filled(40, "31.2"), report(Claim.CANCELED, 40)), 46),
        ((report(Claim.CANCELED), report(Claim.CANCEL_REJECTED)), 86),
        ((filled(86, "31.2"),), 0),
    ],
)
def test_a_stop_gives_back_what_it_has_not_sold_once_its_end_is_heard(
    heard: tuple[Line, ...], left: int
) -> None:
    play = stopped()
    for line in heard:
        play >> line
    assert _free(play) == left


def going(play: Watched) -> Watched:
    """A flatten that has to wait for the stop: its cancel is asked for, and nothing leaves before the proof."""
    play >> command("flatten", "JD")
    assert [step.wants.verb for step in reducing.due(play.state)] == ["cancel"]  # type: ignore[union-attr]
    return play >> next(reducing.due(play.state)).wants


def test_cancel_proof_then_exit_passes_the_line_and_sells_what_the_stop_has_left() -> None:
    play = going(stopped()) >> report(Claim.PENDING_CANCEL) >> filled(40, "31.2")
    assert list(reducing.due(play.state)) == []
    play >> report(Claim.CANCELED, 40) >> next(reducing.due(play.state)).wants
    assert play.order().quantity == 46
    assert play.leaves() == ""


def test_an_exit_that_its_stop_overtakes_stays_alone_and_the_next_one_leaves() -> None:
    """The broker called the stop canceled, and it was executed in part after all: nothing of ours is wrong."""
    play = going(stopped()) >> report(Claim.CANCELED)
    play >> next(reducing.due(play.state)).wants >> filled(1, "31.2", of=-2)
    said = play.leaves()
    assert said == "since it was approved, 86 JD are to be sold, 85 are there to sell"
    assert play.line.untold() == []
    play >> send_ended("never_sent") >> clock(1) >> next(reducing.due(play.state)).wants
    assert play.order().quantity == 85
    assert play.leaves() == ""


def test_a_sale_of_shares_that_were_taken_back_meanwhile_stays_alone() -> None:
    play = bought(86)
    name = _first_execution(play, -1)
    play >> sell("JD", 86, "31.9") >> corrected(name, of=-2)
    assert "since it was approved, 86 JD are to be sold, 0" in play.leaves()
    assert play.line.untold() == []


def test_two_sales_that_were_approved_for_the_same_shares_shut_the_line() -> None:
    """Whichever of them comes first: the one that nothing covered is the mistake."""
    said = beside(bought(86) >> sell("JD", 86, "31.9"), 86)
    assert "is shut: 86 JD are to be sold, 0 are there to sell" in said


def _free(play: Watched, symbol: str = "JD") -> Decimal:
    return play.line.free(Symbol(symbol))


def _resumed() -> Entry:
    play = opened() >> command("halt") >> command("resume")
    return play.entries[-1]


def test_the_same_execution_told_with_another_id_brings_shares_once() -> None:
    play = bought(86)
    [row] = [entry for entry in play.entries if _books(entry)]
    [event] = [one for one in row.events if hasattr(one, "execution")]
    other = replace(event, execution=replace(event.execution, execution_id="another"))
    play.line.read(replace(row, events=(other,)))
    assert _free(play) == 86


def _books(entry: Entry) -> bool:
    return any(hasattr(one, "execution") for one in entry.events)


def test_a_bust_takes_its_shares_back_and_what_fills_the_gap_counts() -> None:
    play = Watched() >> buy("JD", 10, "31.95")
    assert play.leaves() == ""
    play >> sent()
    for ends, name in ((5, "a"), (10, "b")):
        play >> report(Claim.PARTIALLY_FILLED, ends, executed(5, "31.92", ends, name))
    play >> corrected("a")
    assert _free(play) == 5
    play >> report(Claim.FILLED, 10, executed(5, "31.92", 10, "c", at_ns=TEN_NS + MINUTE_NS))
    assert _free(play) == 10


def test_shares_that_came_without_an_order_count() -> None:
    play = Watched() >> adopted("GS", 40, "36000")
    assert _free(play, "GS") == 40
    play >> activity("SPLIT", "0", "GS", "40")
    assert _free(play, "GS") == 80


# ------------------------------------------------------------------------------------------ shut, and told


def test_once_shut_nothing_leaves_and_the_program_is_halted_by_name() -> None:
    play = bought(86) >> buy("GS", 1, "900.5") >> sell("JD", 86, "31.9")
    assert "were approved" in play.leaves(-2, quantity=D(2))
    assert play.leaves(-1) == play.leaves(-2), "an exit stays as well"
    [halt] = play.line.untold()
    assert isinstance(halt, Command)
    assert (halt.verb, halt.who) == ("shut", WHO)
    assert "bin/trade resume" in halt.reason
    assert play.line.untold() == [], "told once"
    play >> halt
    assert play.state.halted.startswith(f"{WHO}: 2 of trd-GS-B-")


def test_a_later_life_finds_it_shut_until_somebody_resumes() -> None:
    play = bought(86) >> buy("GS", 1, "900.5") >> sell("JD", 86, "31.9")
    play.leaves(-2, quantity=D(2))
    for halt in play.line.untold():
        play >> halt
    later = Conservation()
    for entry in play.entries:
        later.read(entry)
    play.line = later
    assert "is shut" in play.leaves()
    play >> command("resume")
    assert play.leaves() == ""


def test_a_halt_by_somebody_else_leaves_exits_their_way() -> None:
    play = bought(86) >> command("halt") >> sell("JD", 86, "31.9")
    assert play.leaves() == ""


# ------------------------------------------------------------------------------------------------- restarts


def test_what_an_older_life_approved_is_not_sent_and_holds_its_shares() -> None:
    play = bought(86) >> sell("JD", 86, "31.9")
    later = Watched(play)
    later.line = Conservation()
    for entry in play.entries:
        later.line.read(entry)
    later.orders = play.orders
    later >> boot(2)
    assert "of them sent" in later.leaves()
    later.line.read(_resumed())
    assert _free(later) == 0


def test_sessions_go_by_and_the_shares_stay_counted() -> None:
    play = bought(86)
    for day in range(1, 4):
        play >> clock(day * 24 * 60, session=f"2026-02-0{day}")
    assert len(play.line._approved) == 0, "what ended days ago takes no room"
    assert _free(play) == 86


STEPS: dict[str, Callable[[Watched, int], Line]] = {
    "buy": lambda play, of: buy("JD", 10, "31.95"),
    "sell 4": lambda play, of: sell("JD", 4, "31.9"),
    "sell 10": lambda play, of: sell("JD", 10, "31.9"),
    "fill 1": lambda play, of: filled(1, "31.92", of=of),
    "fill 3": lambda play, of: filled(3, "31.92", of=of),
    "fill 10": lambda play, of: filled(10, "31.92", of=of),
    "new": lambda play, of: report(Claim.NEW, of=of),
    "pending": lambda play, of: report(Claim.PENDING_NEW, of=of),
    "canceled": lambda play, of: report(Claim.CANCELED, play.order(of).quantity_filled, of=of),
    "ahead": lambda play, of: report(Claim.CANCELED, play.order(of).quantity, of=of),
    "expired": lambda play, of: report(Claim.EXPIRED, play.order(of).quantity_filled, of=of),
    "rejected": lambda play, of: report(Claim.REJECTED, of=of),
    "unknown": lambda play, of: send_ended("unknown", of=of),
    "refused": lambda play, of: send_ended("rejected", of=of),
    "never sent": lambda play, of: send_ended("never_sent", of=of),
    "resolved": lambda play, of: resolved("canceled", of=of),
    "bust": lambda play, of: corrected(_first_execution(play, of), of=of),
    "minute": lambda play, of: clock(len(play.entries)),
    "clock set right": lambda play, of: clock(len(play.entries) // 2),
    "crash": lambda play, of: reboot,
    "stop 4": lambda play, of: stop(4),
    "stop 10": lambda play, of: stop(10),
    "cancel": lambda play, of: command("cancel", play.order(of).client_order_id),
    "canceling": lambda play, of: report(Claim.PENDING_CANCEL, of=of),
    "not canceled": lambda play, of: report(Claim.CANCEL_REJECTED, of=of),
    "whole": lambda play, of: sell("JD", Size(unit="target", amount=D(0)), "31.9"),
    "flatten": lambda play, of: command("flatten", "JD"),
    "reduce": lambda play, of: next((one.wants for one in reducing.due(play.state)), clock(0)),
}


def _first_execution(play: Watched, of: int) -> str:
    return next((one.execution.execution_id for one in play.order(of).executions), "none")


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 3)), max_size=40))
def test_of_a_program_that_works_the_line_is_never_in_the_way(
    steps: list[tuple[str, int]],
) -> None:
    """Whatever happens to the last few orders, what the rules accept the line lets pass."""
    play = bought(10, opened(limits=replace(ROOMY, entries_per_minute_max=2)))
    for name, back in steps:
        known = len(play.orders)
        play >> STEPS[name](play, -min(back, known))
        if len(play.orders) > known:
            assert play.leaves() == ""
            play >> sent()
    assert play.line.free(Symbol("JD")) >= play.state.position(Symbol("JD")).quantity_sellable


def test_an_order_is_what_its_bytes_say() -> None:
    """The codec is written by others; what it writes is read back here by names of our own."""
    play = Watched() >> buy("JD", 62, "31.95")
    order: Order = play.order()
    body = msgspec.json.decode(submit_body(order))
    assert (body["symbol"], body["side"], body["qty"], body["limit_price"]) == (
        "JD",
        "buy",
        "62",
        "31.95",
    )
    assert body["client_order_id"] == order.client_order_id
