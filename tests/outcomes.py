"""Outcomes of backtests as tests state them: a curve of equity, fills in few words, and columns of closes."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import numpy as np

from trader.backtest.outcome import EquityPoint, Fill, Identity, Outcome
from trader.calendar import DAY_NS, EPOCH_ORDINAL, HOUR_NS
from trader.feeds.columns import Columns
from trader.model import Purpose, Side, StrategyName, Symbol

MONDAY = date(2026, 1, 5)
CLOSE_NS = 21 * HOUR_NS  # of New York's winter


def weekdays(count: int, first: date = MONDAY) -> list[str]:
    """Sessions, without holidays."""

    def each() -> Iterator[str]:
        day = first
        while True:
            if day.weekday() < 5:
                yield day.isoformat()
            day += timedelta(days=1)

    return [session for session, _ in zip(each(), range(count), strict=False)]


def close_ns(session: str) -> int:
    return (date.fromisoformat(session).toordinal() - EPOCH_ORDINAL) * DAY_NS + CLOSE_NS


def outcome(
    *equity: str | int,
    opening: str | int = 100,
    invested: Sequence[str | int] = (),
    fills: Sequence[Fill] = (),
    first: date = MONDAY,
    **more: object,
) -> Outcome:
    """With that equity at the close of each weekday from first; invested of it were positions."""
    sessions = weekdays(len(equity), first)
    held = [Decimal(one) for one in invested] or [Decimal(0)] * len(equity)
    points = [
        EquityPoint(
            at_ns=close_ns(session),
            session=session,
            equity=Decimal(value),
            cash=Decimal(value) - positions,
            positions_value=positions,
        )
        for session, value, positions in zip(sessions, equity, held, strict=True)
    ]
    plain = Outcome(
        heard="one by one",
        identity=Identity(code="c0de", data="da7a", parameters="9a9a", seed=7),
        strategy="sma-crossover",
        parameters={"fast": "10"},
        symbols=tuple(dict.fromkeys([Symbol("JD"), *(fill.symbol for fill in fills)])),
        first_ns=close_ns(first.isoformat()) - 6 * HOUR_NS,
        last_ns=close_ns(sessions[-1] if sessions else first.isoformat()),
        bars=390 * len(equity),
        opening_cash=Decimal(opening),
        equity=tuple(points),
        fills=tuple(fills),
        fees=sum((fill.fees for fill in fills), Decimal(0)),
        orders=len(fills),
        unfilled=0,
        accepted=len(fills),
        blocked=0,
        denied={},
        inputs={},
        assumed=(),
        quarantined={},
        would_have_halted=(),
    )
    return msgspec.structs.replace(plain, **more)


def fill(
    side: Side,
    quantity: str | int,
    price: str | int,
    *,
    left: str | int,
    fees: str | int = 0,
    symbol: str = "JD",
    session: str = MONDAY.isoformat(),
    at_ns: int | None = None,
) -> Fill:
    """left: the shares held after it."""
    return Fill(
        at_ns=close_ns(session) - HOUR_NS if at_ns is None else at_ns,
        session=session,
        symbol=Symbol(symbol),
        strategy=StrategyName("sma-crossover"),
        side=side,
        purpose=Purpose.ENTER if side == Side.BUY else Purpose.EXIT,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=Decimal(fees),
        realized=Decimal(0),
        position=Decimal(left),
        client_order_id=f"t-{symbol}-{left}",
    )


def columns(symbol: str, closes: Sequence[int], *, start_ns: int, step_ns: int) -> Columns:
    """A bar a step; closes in price ticks are all there is to them."""
    starts = start_ns + step_ns * np.arange(len(closes), dtype=np.int64)
    prices = np.array(closes, dtype=np.int64)
    return Columns(
        symbol=Symbol(symbol),
        start_ns=starts,
        ends_ns=starts + step_ns,
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        volume=np.full(len(closes), 100, dtype=np.int64),
    )
