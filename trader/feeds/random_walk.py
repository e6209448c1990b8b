"""Bars of a seeded random walk as columns: something to try a strategy on where no market is at hand."""

from random import Random

import numpy as np

from trader.feeds.columns import Columns
from trader.model import MINUTE_NS, Symbol

START_NS = 1_769_437_800 * 1_000_000_000  # 2026-01-26, 09:30 in New York
CENT_TICKS = 100
WALK = Symbol("WALK")


def random_walk(
    seed: int, bars: int, *, symbol: Symbol = WALK, cents: int = 5_000, step: int = 5
) -> Columns:
    """One-minute bars around the clock, the same for the same seed; begins at `cents`, never below one cent.

    A close is up to `step` cents away from the one before, and as often as any other not at all.
    """
    random = Random(seed)
    rows: list[tuple[int, int, int, int]] = []
    close = cents
    for _ in range(bars):
        opened, close = close, max(1, close + random.randint(-step, step))
        high = max(opened, close) + random.randint(0, step)
        low = max(1, min(opened, close) - random.randint(0, step))
        rows.append((opened, high, low, close))
    prices = np.array(rows, dtype=np.int64).reshape(-1, 4).T * CENT_TICKS
    start_ns = START_NS + MINUTE_NS * np.arange(bars, dtype=np.int64)
    return Columns(
        symbol=symbol,
        start_ns=start_ns,
        ends_ns=start_ns + MINUTE_NS,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=np.full(bars, 1_000, dtype=np.int64),
    )
