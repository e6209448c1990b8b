"""A backtest on the work that peers are measured on: averages of 10 and 30 closes, in when the fast one is above.

Ten symbols with a hundred thousand random bars each, and five hundred with 390, around the clock; a hundred shares at
the market, filled at the next bar's open. Averages are compared as sums of price ticks, so an engine that decides
exactly has so many orders and fills, and that profit.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from tests.bench.measure import Sample, Stopwatch
from tests.bench.morning import LIMITS, symbols_of
from trader.backtest.outcome import Outcome
from trader.backtest.request import BacktestRequest, Fills, Hearing
from trader.backtest.run import backtested
from trader.build import Build
from trader.cli.options import quiet_interpreter
from trader.config import Config, Fees, SizeConfig, StrategyConfig
from trader.feeds.columns import Columns
from trader.journal.sqlite import open_journal
from trader.model import MINUTE_NS, Bar, OrderType, Purpose, Side, Size, StrategyName
from trader.money import ZERO
from trader.strategies import STRATEGIES, by_column
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.strategies.indicators import MovingSum
from trader.strategies.signals import BarColumns, Signals
from trader.venue import VenueTerms

WORK = 10_000  # bars a symbol of the first, by column the whole of it
BARS_WHOLE = 100_000
WORK_TINY = 60
NEW_YEAR_NS = 1_704_067_200_000_000_000  # 2024-01-01 00:00 UTC
BUILD = Build(version="", identity="bench", python="", lock="")
# (symbols, bars, seed): orders, fills, profit
WHOLE = {(10, 100_000, 1): (38_599, 38_598, "5754"), (500, 390, 2): (7_225, 7_194, "-2224")}


class AboveSlow(Strategy):
    """In while the fast average is above the slow one, out while it is below; at the market."""

    bars_needed = 30
    bars_alone = True

    def __init__(self, name: StrategyName, size: Size, parameters: NoParameters) -> None:
        super().__init__(name, size, parameters)
        self._fast, self._slow = MovingSum(10), MovingSum(30)

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        fast, slow = self._fast, self._slow
        fast.add(bar.close)
        slow.add(bar.close)
        if not slow.is_full():
            return ()
        difference = 3 * fast.total - slow.total
        if difference > 0 and view.is_idle():
            return (self._wish(Side.BUY, Purpose.ENTER, self.size),)
        if difference < 0 and view.held_by(self.name) and not view.working:
            return (self._wish(Side.SELL, Purpose.EXIT, None),)
        return ()

    def signals(self, columns: BarColumns) -> Signals:
        difference = 3 * by_column.sums(columns.close, 10) - by_column.sums(columns.close, 30)
        return Signals(
            enter=by_column.since(difference > 0, 29),
            leave=by_column.since(difference < 0, 29),
            words=lambda place, side: "averages",
            order_type=OrderType.MARKET,
        )

    @staticmethod
    def _wish(side: Side, purpose: Purpose, size: Size | None) -> Wish:
        return Wish(
            side=side, purpose=purpose, size=size, order_type=OrderType.MARKET, reason="averages"
        )


def once(work: int, folder: Path) -> list[Sample]:
    """Bars a second of both sets and ways; what an order adds, its books in memory and its journal on disk."""
    STRATEGIES["above-slow"] = AboveSlow
    quiet_interpreter()
    wide = (500, 390) if work >= WORK else (5, work)
    whole = BARS_WHOLE if work >= WORK else work
    few, few_cpu_s = measured(10, work, 1)
    _, wide_cpu_s = measured(*wide, 2)
    still, still_cpu_s = measured(10, work, 1, trades=False)
    _, visited_cpu_s = measured(10, work, 1, trades=False, runs_ahead=False)
    by_column, by_column_cpu_s = measured(10, whole, 1, columns=Hearing.ON)
    _, quiet_cpu_s = measured(10, whole, 1, trades=False, columns=Hearing.ON)
    assert by_column.heard == "by column"
    journal = open_journal(folder.resolve() / "bench.db", create=True, since="", inline=True)
    with Stopwatch() as watch:
        written = backtested(asked(10, work, 1), BUILD, data="", journal=journal)
    journal.close()
    assert not still.orders
    assert few.fills == written.fills
    orders = max(few.orders, 1)
    spent_s = {
        "an order's life, books in memory": (few_cpu_s - still_cpu_s, 40.0),
        "an order's life, journal written": (watch.cpu_s - still_cpu_s, 100.0),
    }
    return [
        Sample(name="bars, 10 symbols", value=few.bars / few_cpu_s, unit="1/s", goal=200_000),
        Sample(
            name="bars, 500 symbols", value=wide[0] * wide[1] / wide_cpu_s, unit="1/s", goal=130_000
        ),
        Sample(name="bars, 10 symbols, no orders", value=still.bars / still_cpu_s, unit="1/s"),
        Sample(
            name="bars, 10 symbols, no orders, each visited",
            value=still.bars / visited_cpu_s,
            unit="1/s",
        ),
        Sample(
            name="bars by column, all of 10 symbols",
            value=by_column.bars / by_column_cpu_s,
            unit="1/s",
            goal=550_000,
        ),
        Sample(
            name="bars by column, no orders",
            value=by_column.bars / quiet_cpu_s,
            unit="1/s",
            goal=5_000_000,
        ),
        *(
            Sample(
                name=name, value=max(1e6 * cpu_s / orders, 0), unit="µs", goal=goal, is_ceiling=True
            )
            for name, (cpu_s, goal) in spent_s.items()
        ),
    ]


def measured(
    symbols: int,
    bars: int,
    seed: int,
    *,
    trades: bool = True,
    columns: Hearing = Hearing.OFF,
    runs_ahead: bool = True,
) -> tuple[Outcome, float]:
    request = replace(
        asked(symbols, bars, seed, trades=trades), columns=columns, runs_ahead=runs_ahead
    )
    with Stopwatch() as watch:
        found = backtested(request, BUILD, data="")
    known = WHOLE.get((symbols, bars, seed))
    if known is not None and trades:
        profit = found.equity[-1].equity - found.opening_cash
        assert (found.orders, len(found.fills), str(profit)) == known
    return found, watch.cpu_s


def asked(symbols: int, bars: int, seed: int, *, trades: bool = True) -> BacktestRequest:
    """Nothing costs anything, and no limit binds."""
    histories = random_bars(symbols, bars, seed)
    size = SizeConfig(shares=Decimal(100))
    kind = "above-slow" if trades else "donchian"
    params: dict[str, object] = {} if trades else {"entry": 10_000, "exit": 10_000}
    return BacktestRequest(
        config=Config(
            symbols=symbols_of(symbols),
            limits=LIMITS,
            fees=Fees(sell_notional_rate=ZERO, sell_share_rate=ZERO),
            strategies={StrategyName("bench"): StrategyConfig(kind=kind, params=params, size=size)},
        ),
        histories=histories,
        cash=Decimal(900_000_000),
        fills=Fills.OPEN,
        terms=VenueTerms(spread_rate=ZERO, bar_participation=Decimal(1)),
        is_always_open=True,
    )


def random_bars(symbols: int, bars: int, seed: int) -> Sequence[Columns]:
    """A walk of 8 basis points a minute around 100 dollars, with opens a cent or so off the close before."""
    generator = np.random.default_rng(seed)
    shape = (symbols, bars)
    steps = generator.normal(0, 0.0008, shape)
    close = np.maximum(np.round(100 * np.exp(np.cumsum(steps, axis=1)), 2), 1.0)
    opened = np.full(shape, 100.0)
    opened[:, 1:] = close[:, :-1]
    opened = np.round(opened + generator.normal(0, 0.01, shape), 2)
    above, below = (np.abs(generator.normal(0, 0.02, shape)) for _ in range(2))
    high = np.round(np.maximum(opened, close) + above, 2)
    low = np.round(np.minimum(opened, close) - below, 2)
    volume = generator.integers(100_000, 1_000_000, shape)
    starts_ns = NEW_YEAR_NS + MINUTE_NS * np.arange(bars, dtype=np.int64)
    return [
        Columns(
            symbol=symbol,
            start_ns=starts_ns,
            ends_ns=starts_ns + MINUTE_NS,
            open=ticks[0],
            high=ticks[1],
            low=ticks[2],
            close=ticks[3],
            volume=volume[place].astype(np.int64),
        )
        for place, symbol in enumerate(symbols_of(symbols))
        for ticks in [
            [
                np.rint(column[place] * 10_000).astype(np.int64)
                for column in (opened, high, low, close)
            ]
        ]
    ]
