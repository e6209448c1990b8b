"""The tape: only ticks that are fit reach the workers, and each only those of its own symbol."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.rig import OPEN_NS, PRICES, bar_ending, quote_at
from trader.clock import FreePace
from trader.mailbox import Letter, Mailbox
from trader.market_guard import Rejection
from trader.model import MINUTE_NS, Bar, Quote, Side, Symbol
from trader.strategies.base import Fill, SymbolView
from trader.tape import Tape

JD, GS = Symbol("JD"), Symbol("GS")


class Bench:
    def __init__(self) -> None:
        self.now_ns = OPEN_NS
        self.rejected: list[tuple[Bar | Quote, Rejection]] = []
        self.tape = Tape(
            [JD, GS], lambda: self.now_ns, lambda tick, why: self.rejected.append((tick, why))
        )

    def reader(self, symbol: Symbol) -> Mailbox:
        mailbox = Mailbox(FreePace(lambda: self.now_ns), SymbolView(symbol=symbol))
        self.tape.attach(symbol, mailbox)
        return mailbox


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def letters(mailbox: Mailbox) -> list[Letter]:
    return await mailbox.take() if mailbox._has_mail() else []


async def test_every_reader_of_a_symbol_gets_its_ticks_and_no_others(bench: Bench) -> None:
    first, second, other = bench.reader(JD), bench.reader(JD), bench.reader(GS)
    ticks: list[Bar | Quote] = [quote_at("JD", OPEN_NS), bar_ending("JD", OPEN_NS)]
    for tick in ticks:
        bench.tape.deliver(tick)
    bench.tape.deliver(quote_at("TRIP", OPEN_NS))
    assert await letters(first) == ticks
    assert await letters(second) == ticks
    assert await letters(other) == []


async def test_a_tick_that_is_not_fit_reaches_nobody_and_is_told_and_counted(bench: Bench) -> None:
    reader = bench.reader(JD)
    good = quote_at("JD", OPEN_NS)
    bench.tape.deliver(good)
    foreign = replace(good, bid=PRICES["GS"], ask=PRICES["GS"] + 200)
    crossed = replace(good, bid=good.ask + 100)
    stale = replace(good, at_ns=OPEN_NS - 3 * MINUTE_NS)
    for tick in (foreign, crossed, stale):
        bench.tape.deliver(tick)
    assert await letters(reader) == [good]
    assert bench.rejected == [
        (foreign, Rejection.FAR_FROM_LAST),
        (crossed, Rejection.CROSSED),
        (stale, Rejection.OUT_OF_ORDER),
    ]
    assert bench.tape.rejections().total() == 3
    assert bench.tape.quotes == {JD: good}


async def test_a_bar_that_fills_a_gap_is_told_however_late_it_comes(bench: Bench) -> None:
    reader = bench.reader(JD)
    bars = [bar_ending("JD", OPEN_NS + minute * MINUTE_NS) for minute in range(10)]
    bench.now_ns = OPEN_NS + 9 * MINUTE_NS
    for bar in bars:
        bench.tape.deliver(bar)
    bench.tape.deliver(bars[3])
    bench.tape.deliver(quote_at("JD", OPEN_NS))
    ahead = bar_ending("JD", OPEN_NS + 11 * MINUTE_NS)
    bench.tape.deliver(ahead)
    assert await letters(reader) == bars
    assert [why for _, why in bench.rejected] == [
        Rejection.OUT_OF_ORDER,
        Rejection.STALE,
        Rejection.OUT_OF_ORDER,
    ]


async def test_who_comes_late_begins_with_the_last_quote_and_who_left_gets_nothing(
    bench: Bench,
) -> None:
    bench.tape.deliver(quote_at("JD", OPEN_NS))
    late = bench.reader(JD)
    assert await letters(late) == [quote_at("JD", OPEN_NS)]
    bench.tape.detach(JD, late)
    bench.tape.deliver(bar_ending("JD", OPEN_NS))
    assert await letters(late) == []


def test_marks_are_middles_else_closes_and_only_of_what_has_one(bench: Bench) -> None:
    bench.tape.deliver(bar_ending("JD", OPEN_NS))
    bench.tape.deliver(bar_ending("GS", OPEN_NS))
    bench.tape.deliver(quote_at("GS", OPEN_NS))
    trip = Symbol("TRIP")
    assert bench.tape.marks([JD, GS, trip]) == {JD: PRICES["JD"] + 100, GS: PRICES["GS"] + 100}
    one_sided = replace(quote_at("JD", OPEN_NS), ask=0, ask_size=0)
    bench.tape.deliver(one_sided)
    assert bench.tape.marks([JD]) == {JD: PRICES["JD"] + 100}, "a quote with one side has no middle"


async def test_the_state_of_a_symbol_is_there_before_its_fills_are_read(bench: Bench) -> None:
    reader, other = bench.reader(JD), bench.reader(GS)
    view = SymbolView(symbol=JD, quantity=Decimal(10))
    fill = Fill(
        symbol=JD, side=Side.BUY, quantity=Decimal(10), price=Decimal("31.92"), at_ns=OPEN_NS
    )
    bench.tape.publish(JD, view, [fill])
    assert reader.view == view
    assert await letters(reader) == [fill]
    assert other.view.quantity == 0
    bench.tape.publish(Symbol("TRIP"), view, [fill])  # of a symbol that nobody watches: harmless
