"""What the day before was worth in today's shares is asked for each symbol apart, of the bar that was seen last."""

from collections.abc import Iterable

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from tests.rig import bar_ending, quote_at
from trader.brokers.direct import DirectFeed
from trader.calendar import session_on
from trader.clock import FreePace
from trader.inbox import Inbox
from trader.model import MINUTE_NS, Bar, Quote, Symbol
from trader.overnight import Overnight
from trader.ports import BrokerUnavailable
from trader.tape import Tape

JD, GS = Symbol("JD"), Symbol("GS")
DAY, NEXT = session_on("2026-01-26"), session_on("2026-01-27")
assert DAY is not None
assert NEXT is not None
CLOSE_NS, OPEN_NS = DAY.close_ns, NEXT.open_ns


class NoHistoryOfGS(DirectFeed):
    async def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        if symbol == GS:
            await trio.lowlevel.checkpoint()
            raise BrokerUnavailable("HTTP 500")
        return await super().history(symbol, before_ns, count)


class Listening:
    """Keeps which symbols were split."""

    def __init__(self) -> None:
        self.splits: list[Symbol] = []

    def ticked(self, tick: Bar | Quote) -> None: ...

    def changed(self, symbol: Symbol) -> None: ...

    def split(self, symbol: Symbol) -> None:
        self.splits.append(symbol)


class Nights:
    """A tape over two days, and who asks about the night between them."""

    def __init__(self, feed: DirectFeed) -> None:
        self.now_ns = CLOSE_NS
        self.tape = Tape([JD, GS], lambda: self.now_ns)
        self.tape.listener = self.listening = Listening()
        self.overnight = Overnight(
            self.tape, feed, FreePace(lambda: self.now_ns), Inbox(), lambda: self.now_ns
        )

    def tell(self, *ticks: Bar | Quote) -> None:
        for tick in ticks:
            ended_ns = tick.at_ns if isinstance(tick, Quote) else tick.start_ns + tick.span_ns
            self.now_ns = max(self.now_ns, ended_ns)
            self.tape.deliver(tick)

    def has_price(self, symbol: Symbol) -> bool:
        """One of the new day."""
        quote = self.tape.quotes.get(symbol)
        return quote is not None and quote.at_ns >= OPEN_NS


def bar_of(symbol: Symbol, price: int, ended_ns: int = CLOSE_NS) -> Bar:
    bar = bar_ending(symbol, ended_ns)
    return replace(bar, open=price, high=price, low=price, close=price)


def quotes_of(symbol: Symbol, price: int, at_ns: Iterable[int]) -> list[Quote]:
    return [
        replace(quote_at(symbol, one), bid=price - 100, ask=price + 100, bid_size=number + 1)
        for number, one in enumerate(at_ns)
    ]


def minutes(from_ns: int, count: int) -> list[int]:
    return [from_ns + number * MINUTE_NS for number in range(1, count + 1)]


async def test_a_symbol_without_an_answer_keeps_no_other_one_waiting(
    autojump_clock: MockClock,
) -> None:
    nights = Nights(NoHistoryOfGS([bar_of(JD, 1_000_000)]))
    nights.tell(bar_of(JD, 1_000_000), bar_of(GS, 1_000_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nights.overnight.run)
        nights.tell(*quotes_of(GS, 900_000, [OPEN_NS]))
        await trio.sleep(1)
        nights.tell(*quotes_of(JD, 930_000, [OPEN_NS]))
        await trio.sleep(1)
        assert nights.has_price(JD)
        await trio.sleep(3_600)
        assert not nights.has_price(GS), "the day before is not known"
        nursery.cancel_scope.cancel()


async def settled(nights: Nights) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nights.overnight.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("evening", [800_000, 950_000, 1_200_000])
async def test_an_evening_in_which_only_quotes_move_is_no_split(
    evening: int, autojump_clock: MockClock
) -> None:
    """After the figures: the last trade was at 100, quotes fall to 80, and the morning begins at 84."""
    bar = bar_of(JD, 1_000_000)
    nights = Nights(DirectFeed([bar]))
    nights.tell(bar, *quotes_of(JD, evening, minutes(CLOSE_NS, 6)))
    morning = evening * 105 // 100
    nights.tell(*quotes_of(JD, morning, [OPEN_NS]))
    assert not nights.has_price(JD), "it asks"
    await settled(nights)
    assert nights.listening.splits == []
    assert nights.has_price(JD)


@pytest.mark.parametrize("evening", [1_000_000, 800_000])
async def test_a_split_over_such_a_night_is_one_and_is_known_the_night_after(
    evening: int, autojump_clock: MockClock
) -> None:
    bar = bar_of(JD, 1_000_000)
    nights = Nights(DirectFeed([bar_of(JD, 500_000)]))
    nights.tell(bar, *quotes_of(JD, evening, minutes(CLOSE_NS, 6)))
    nights.tell(*quotes_of(JD, evening // 2, [OPEN_NS]))
    await settled(nights)
    assert nights.listening.splits == [JD]
    assert nights.has_price(JD), "it is near what the evening was worth in today's shares"
    nights.tell(*quotes_of(JD, evening * 45 // 100, [OPEN_NS + 24 * 60 * MINUTE_NS]))
    await settled(nights)
    assert nights.listening.splits == [JD], "the same bar says it again, and once is enough"
