"""Real prices, as they were: an ordinary week loses no tick, and of twenty years of nights the splits stand out."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.program import MARKET_DATA
from trader import nights
from trader.calendar import phase
from trader.feeds.recorded import RecordedMarket
from trader.market_guard import Rejection
from trader.model import MINUTE_NS, Bar, Phase, Quote, Symbol
from trader.tape import Tape

pytestmark = pytest.mark.skipif(
    not MARKET_DATA.is_dir(), reason="there is no ../shared/market-data beside the project"
)
SYMBOLS = tuple(map(Symbol, ("AIG", "BAC", "IBM", "SPY")))


class Replay:
    """A market told to a tape, with the broker's answers about nights."""

    def __init__(self, market: RecordedMarket) -> None:
        self.market = market
        self.now_ns = 0
        self.rejected: Counter[tuple[Rejection, Phase]] = Counter()
        self.nights: list[tuple[Symbol, int]] = []
        self.ticks = 0
        self.tape = Tape(market.symbols, lambda: self.now_ns, self._rejected)
        self.tape.night = lambda symbol, before_ns: self.nights.append((symbol, before_ns))

    def _rejected(self, tick: Bar | Quote, why: Rejection) -> None:
        self.rejected[why, phase(self.now_ns)] += 1

    def run(self) -> None:
        for date in self.market.session_dates():
            for instant in self.market.instants(date):
                self.now_ns = instant.at_ns
                ticks: list[Bar | Quote] = [*instant.quotes, *instant.bars]
                for tick in ticks:
                    self.ticks += 1
                    self.tape.deliver(tick)
                while self.nights:
                    symbol, trusted_ns = self.nights.pop()
                    before_ns = (trusted_ns // MINUTE_NS + 1) * MINUTE_NS
                    [bar] = self.market.history(symbol, before_ns, 1)
                    self.tape.settle(symbol, bar)


@pytest.mark.parametrize("folders", [("minute", "quote"), ("second",)])
def test_an_ordinary_week_of_four_shares_loses_no_tick(folders: tuple[str, ...]) -> None:
    replay = Replay(RecordedMarket([MARKET_DATA / one for one in folders], SYMBOLS))
    replay.run()
    assert replay.ticks > 25_000
    in_hours = {
        why: count for (why, when), count in replay.rejected.items() if when is Phase.REGULAR
    }
    assert in_hours == {}
    assert replay.rejected.total() < 10, (
        "a quote that stands still for a quarter of an hour at night"
    )
    assert set(replay.tape.marks(SYMBOLS)) == set(SYMBOLS)


def nights_of(symbol: str) -> Iterator[tuple[str, int, int]]:
    """Each morning's date, the close of the day before and its open, in price ticks."""
    with gzip.open(MARKET_DATA / "daily" / f"{symbol}.csv.gz", "rt") as file:
        for before, after in pairwise(csv.DictReader(file)):
            close, opened = float(before["close"]), float(after["open"])
            yield after["timestamp"][:10], round(close * 10_000), round(opened * 10_000)


def test_aapls_splits_jump_and_in_todays_shares_they_do_not() -> None:
    jumps = {date: (a, b) for date, a, b in nights_of("AAPL") if nights.is_far(a, b)}
    splits = {"2000-06-21": 2, "2005-02-28": 2, "2014-06-09": 7, "2020-08-31": 4}
    warning = {"2000-09-29"}  # half its price gone over a night, and no split: a person has to look
    assert jumps.keys() == splits.keys() | warning
    for date, shares in splits.items():
        close, opened = jumps[date]
        assert not nights.is_far(close // shares, opened), date
