"""The tape: only ticks that are fit reach the workers, and each only those of its own symbol."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.rig import OPEN_NS, PRICES, bar_ending, quote_at
from trader.calendar import DAY_NS
from trader.clock import FreePace
from trader.mailbox import Letter, Mailbox, StartOver
from trader.market_guard import LIMIT_STATE, Rejection
from trader.messages import SecurityStatus
from trader.model import MINUTE_NS, SECOND_NS, Bar, PriceBand, Quote, Side, Symbol
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


def at_its_band(at_ns: int) -> Quote:
    good = quote_at("JD", at_ns)
    return replace(good, bid=good.ask, ask=good.ask + 100)


def banded(bench: Bench) -> list[SecurityStatus]:
    """JD has been quoted, and may trade up to its ask; what is told of limit states."""
    told: list[SecurityStatus] = []
    bench.tape.limited = lambda status: not told.append(status)  # type: ignore[func-returns-value]
    bench.tape.deliver(good := quote_at("JD", OPEN_NS))
    bench.tape.deliver(PriceBand(symbol=JD, at_ns=OPEN_NS, up=good.ask, down=good.bid - 10_000))
    return told


async def test_a_quote_at_its_band_reaches_nobody_and_is_told_as_a_limit_state_once(
    bench: Bench,
) -> None:
    told, reader = banded(bench), bench.reader(JD)
    await letters(reader)
    for second in (1, 2, 3):
        bench.tape.deliver(at_its_band(OPEN_NS + second * SECOND_NS))
    assert await letters(reader) == [], "it fires nothing"
    assert [(one.is_halted, one.reason) for one in told] == [(True, LIMIT_STATE)]
    halts = {JD: (LIMIT_STATE, OPEN_NS + SECOND_NS)}
    bench.tape.deliver(bar_ending("JD", OPEN_NS + MINUTE_NS))
    assert list(bench.tape.resumptions(halts)) == [], "shares trade in it, too"
    bench.now_ns = OPEN_NS + 10 * SECOND_NS
    bench.tape.deliver(quote_at("JD", bench.now_ns))
    [over] = bench.tape.resumptions(halts)
    assert (over.symbol, over.is_halted, over.at_ns) == (JD, False, bench.now_ns)
    bench.tape.deliver(at_its_band(OPEN_NS + 11 * SECOND_NS))
    assert len(told) == 2, "another one"
    assert list(bench.tape.resumptions(halts)) == []


def test_a_price_beyond_the_band_is_no_limit_state_but_a_wrong_price(bench: Bench) -> None:
    told = banded(bench)
    good = quote_at("JD", OPEN_NS + SECOND_NS)
    bench.tape.deliver(replace(good, bid=good.ask + 100, ask=good.ask + 200))
    assert [why for _, why in bench.rejected] == [Rejection.OUTSIDE_BAND]
    assert told == []


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


def test_marks_are_of_what_two_witnesses_have_told(bench: Bench) -> None:
    bench.tape.deliver(bar_ending("JD", OPEN_NS))
    trip = Symbol("TRIP")
    assert bench.tape.marks([JD, trip]) == {}, "one witness alone is none"
    one_sided = replace(quote_at("JD", OPEN_NS), ask=0, ask_size=0)
    bench.tape.deliver(one_sided)
    assert bench.tape.marks([JD]) == {}, "a quote with one side has no middle"
    bench.tape.deliver(quote_at("JD", OPEN_NS))
    assert bench.tape.marks([JD, GS, trip]) == {JD: PRICES["JD"] + 100}


def test_one_wrong_tick_moves_no_mark_and_two_that_agree_do(bench: Bench) -> None:
    def quote(second: int, price: int) -> None:
        bench.now_ns = OPEN_NS + second * SECOND_NS
        bench.tape.deliver(replace(quote_at("JD", bench.now_ns), bid=price - 100, ask=price + 100))

    quote(0, 320_000)
    quote(1, 320_000)
    for wrong in (290_000, 350_000):  # near enough for the guard, and far enough for any stop
        quote(2, wrong)
        quote(2, wrong)
        assert bench.tape.marks([JD]) == {JD: 320_000}, "a second is one witness, however loud"
        quote(3, 320_000)
        assert bench.tape.marks([JD]) == {JD: 320_000}
        bench.now_ns = OPEN_NS
    quote(4, 295_000)
    quote(5, 300_000)
    assert bench.tape.marks([JD]) == {JD: 300_000}, "as far as both say"


class Night(Bench):
    """A tape whose symbol JD traded at 645.57 the day before: AAPL's prices around its split."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Symbol, int]] = []
        self.jumps: list[tuple[Symbol, int, int]] = []
        self.tape.night = lambda symbol, before_ns: self.asked.append((symbol, before_ns))
        self.tape.jumped = self._jumped
        self.now_ns = OPEN_NS - DAY_NS
        self.quote(6_455_700)
        self.now_ns = OPEN_NS

    def _jumped(self, symbol: Symbol, before: int, after: int) -> bool:
        self.jumps.append((symbol, before, after))
        return True

    def quote(self, price: int) -> Quote:
        self.now_ns += SECOND_NS
        tick = replace(quote_at("JD", self.now_ns), bid=price, ask=price + 200)
        self.tape.deliver(tick)
        return tick

    def bar(self, close: int) -> Bar:
        return replace(bar_ending("JD", OPEN_NS), open=close, high=close, low=close, close=close)


async def test_a_split_that_is_known_is_no_jump_and_its_workers_start_over() -> None:
    night = Night()
    reader = night.reader(JD)
    await letters(reader)
    first, second = night.quote(926_900), night.quote(927_000)
    assert night.asked == [(JD, OPEN_NS - DAY_NS + SECOND_NS)], "once"
    assert await letters(reader) == []
    assert night.rejected == [], "nothing is lost: it waits"
    night.tape.settle(JD, night.bar(922_243))
    assert night.tape.quotes[JD] == second
    assert (night.jumps, night.rejected) == ([], [])
    with pytest.raises(StartOver):
        await letters(reader)
    assert night.tape.marks([JD]) == {JD: 927_100}, "of today's shares"
    assert first.bid < second.bid


class Listening:
    """Keeps what the tape tells its listener, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def ticked(self, tick: Bar | Quote) -> None:
        self.heard.append("ticked")

    def changed(self, symbol: Symbol) -> None:
        self.heard.append("changed")

    def split(self, symbol: Symbol) -> None:
        self.heard.append("split")


def test_who_listens_hears_of_new_shares_before_their_first_price() -> None:
    night = Night()
    night.tape.listener = listening = Listening()
    night.quote(926_900)
    night.quote(927_000)
    night.tape.settle(JD, night.bar(922_243))
    assert listening.heard == ["split", "ticked", "ticked"]


async def test_a_jump_that_nothing_explains_waits_for_agreement_and_is_told() -> None:
    night = Night()
    reader = night.reader(JD)
    await letters(reader)
    night.quote(926_900)
    night.tape.settle(JD, night.bar(6_455_700))
    for number in range(2):
        night.quote(926_900 + number)
    assert (night.jumps, await letters(reader)) == ([], [])
    last = night.quote(927_000)
    assert night.jumps == [(JD, 6_455_700 + 100, 927_000 + 100)]
    assert await letters(reader) == [last], "and from then on it is the market"
    night.quote(927_000)
    assert len(night.jumps) == len(night.asked) == 1


@pytest.mark.parametrize(("price", "asks"), [(6_600_000, 0), (6_250_000, 0), (6_000_000, 1)])
def test_an_ordinary_night_asks_nobody_and_waits_for_nothing(price: int, asks: int) -> None:
    night = Night()
    tick = night.quote(price)
    assert len(night.asked) == asks
    if asks:
        night.tape.settle(JD, None)  # The broker has no history of it.
    assert night.tape.quotes[JD] == tick, "seven percent is not a lot"
    night.quote(price)
    assert (len(night.asked), night.jumps, night.rejected) == (asks, [], [])


def test_a_feed_that_repeats_itself_while_others_move_is_frozen(bench: Bench) -> None:
    def minute(number: int, jd: int, gs: int) -> None:
        bench.now_ns = OPEN_NS + number * MINUTE_NS
        for symbol, add in (("JD", jd), ("GS", gs)):
            tick = quote_at(symbol, bench.now_ns)
            bench.tape.deliver(replace(tick, bid=tick.bid + add, ask=tick.ask + add))

    for number in range(11):
        minute(number, 0, number * 100)
    assert bench.rejected == []
    minute(11, 0, 1_100)
    [(tick, why)] = bench.rejected
    assert (tick.symbol, why) == (JD, Rejection.FROZEN)
    assert bench.tape.quotes[JD].at_ns == OPEN_NS + 10 * MINUTE_NS, "it grows old from here on"
    minute(12, 100, 1_200)
    assert bench.tape.quotes[JD].at_ns == bench.now_ns, "it moves again"
    for number in range(13, 40):
        minute(number, 100, 1_200)
    assert len(bench.rejected) == 1, "where nothing moves, the market rests"


def test_a_wrong_tick_among_ones_that_stand_still_is_no_movement(bench: Bench) -> None:
    for number in range(14):
        bench.now_ns = OPEN_NS + number * MINUTE_NS
        for symbol, add in (("JD", 0), ("GS", number * 100)):
            tick = quote_at(symbol, bench.now_ns)
            bench.tape.deliver(replace(tick, bid=tick.bid + add, ask=tick.ask + add))
        if number == 5:
            far = quote_at("JD", bench.now_ns + 1)
            bench.tape.deliver(replace(far, bid=2 * far.bid, ask=2 * far.ask))
    assert [why for _, why in bench.rejected] == [Rejection.FAR_FROM_LAST, *[Rejection.FROZEN] * 3]


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


async def test_who_hears_another_symbol_gets_its_bars_and_nothing_else_of_it(bench: Bench) -> None:
    mailbox = Mailbox(FreePace(lambda: bench.now_ns), SymbolView(symbol=JD))
    bench.tape.attach(JD, mailbox, [GS])
    own, other = bar_ending("JD", OPEN_NS), bar_ending("GS", OPEN_NS)
    for tick in (quote_at("GS", OPEN_NS), other, own):
        bench.tape.deliver(tick)
    view = mailbox.view
    fill = Fill(symbol=GS, side=Side.BUY, quantity=Decimal(1), price=Decimal(1), at_ns=OPEN_NS)
    bench.tape.publish(GS, SymbolView(symbol=GS, quantity=Decimal(1)), [fill])
    assert await letters(mailbox) == [other, own]
    assert mailbox.view is view
    bench.tape.detach(JD, mailbox, [GS])
    bench.tape.deliver(bar_ending("GS", OPEN_NS + MINUTE_NS))
    assert await letters(mailbox) == []


async def test_who_hears_a_symbol_that_was_split_starts_over_too(bench: Bench) -> None:
    mailbox = Mailbox(FreePace(lambda: bench.now_ns), SymbolView(symbol=JD))
    bench.tape.attach(JD, mailbox, [GS])
    before = bar_ending("GS", OPEN_NS)
    bench.tape.deliver(before)
    await mailbox.take()
    bench.tape.settle(GS, replace(before, close=before.close // 2))
    with pytest.raises(StartOver):
        await letters(mailbox)
