"""Sizing by volatility: so many shares that a move against them by some average ranges costs a set sum of dollars."""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from trader.model import Bar, Size
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.strategies.base import StrategyError
from trader.strategies.indicators import AverageTrueRange

RISK_MAX = Decimal(10) ** 9
MULTIPLE_MAX = Decimal(1_000)


class SizedParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """risk: dollars that a move of atr_multiple average true ranges (ATR) against an entry shall cost.

    Without a risk an entry asks for the configured size. atr_bars: Wilder's period.
    """

    risk: Decimal | None = None
    atr_bars: Annotated[int, Meta(ge=1, le=1_000)] = 14
    atr_multiple: Decimal = Decimal(2)


class VolatilitySize:
    """risk / (multiple x ATR) in whole shares, rounded down; None where that is nothing, or nothing moves yet."""

    def __init__(self, risk: Decimal, bars: int, multiple: Decimal) -> None:
        risk = number_between("risk", risk, Decimal(0), RISK_MAX)
        multiple = number_between("atr_multiple", multiple, Decimal(0), MULTIPLE_MAX)
        self._range = AverageTrueRange(bars)
        # With an average range of so many ticks it is one share.
        self._ticks = Fraction(risk) * PRICE_TICKS_PER_DOLLAR / Fraction(multiple)

    def add(self, bar: Bar) -> None:
        self._range.add(bar)

    def size(self) -> Size | None:
        return self.size_at(self._range.value)

    def size_at(self, range_ticks: float) -> Size | None:
        """For that average range in price ticks. The division is exact: a float is a fraction."""
        if not range_ticks > 0:
            return None
        shares = self._ticks // Fraction(range_ticks)
        return Size(unit="shares", amount=Decimal(shares)) if shares else None


def volatility_size(parameters: SizedParameters) -> VolatilitySize | None:
    """What the parameters ask for; raises StrategyError where it makes no sense."""
    if parameters.risk is None:
        return None
    return VolatilitySize(parameters.risk, parameters.atr_bars, parameters.atr_multiple)


def number_between(name: str, value: Decimal, above: Decimal, most: Decimal) -> Decimal:
    """The parameter, if it is above the one and at most the other; raises StrategyError."""
    if not (value.is_finite() and above < value <= most):
        raise StrategyError(f"{name} must be above {above} and at most {most:,}, not {value}")
    return value
