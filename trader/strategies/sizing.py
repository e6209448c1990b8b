"""Sizing by volatility: so many shares that a move against them by some average ranges costs a set sum.

The sum is dollars (`risk`, a parameter), or a part of the account's equity (`size.volatility` in the configuration).
A strategy knows how far its symbol moves, not what the account is worth: of a part it says shares for each dollar of
equity, and the executor multiplies.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from trader.model import Bar, Size
from trader.money import NANO, ONE, PRICE_TICKS_PER_DOLLAR, plain
from trader.strategies.base import StrategyError
from trader.strategies.indicators import AverageTrueRange

RISK_MAX = Decimal(10) ** 9
MULTIPLE_MAX = Decimal(1_000)
VOLATILITY = "volatility"  # the unit of a configured size; no request ever has it
STEPS = {"shares": ONE, "per_equity": NANO}


class SizedParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """risk: dollars that a move of atr_multiple average true ranges (ATR) against an entry shall cost.

    Without a risk an entry asks for the configured size, which may say the same of a part of equity. atr_bars:
    Wilder's period.
    """

    risk: Decimal | None = None
    atr_bars: Annotated[int, Meta(ge=1, le=1_000)] = 14
    atr_multiple: Decimal = Decimal(2)


class VolatilitySize:
    """worth / (multiple x ATR), rounded down to the step of the unit; None where that is nothing, or nothing moves yet.

    unit: 'shares', and worth is dollars; or 'per_equity', and worth is a part of equity.
    """

    def __init__(self, worth: Decimal, bars: int, multiple: Decimal, unit: str = "shares") -> None:
        multiple = number_between("atr_multiple", multiple, Decimal(0), MULTIPLE_MAX)
        self._range = AverageTrueRange(bars)
        self._unit = unit
        self._step = STEPS[unit]
        # With an average range of so many ticks it is one step.
        self._ticks = Fraction(worth) * PRICE_TICKS_PER_DOLLAR / Fraction(multiple * self._step)

    def add(self, bar: Bar) -> None:
        self._range.add(bar)

    def size(self) -> Size | None:
        return self.size_at(self._range.value)

    def size_at(self, range_ticks: float) -> Size | None:
        """For that average range in price ticks. The division is exact: a float is a fraction."""
        if not range_ticks > 0:
            return None
        steps = self._ticks // Fraction(range_ticks)
        return Size(unit=self._unit, amount=plain(steps * self._step)) if steps else None


def volatility_size(parameters: SizedParameters, size: Size) -> VolatilitySize | None:
    """What the parameters or the configured size ask for; raises StrategyError where it makes no sense."""
    bars, multiple = parameters.atr_bars, parameters.atr_multiple
    if size.unit == VOLATILITY:
        if parameters.risk is not None:
            raise StrategyError("risk and size.volatility exclude each other")
        part = number_between("size.volatility", size.amount, Decimal(0), Decimal(1))
        return VolatilitySize(part, bars, multiple, "per_equity")
    if parameters.risk is None:
        return None
    risk = number_between("risk", parameters.risk, Decimal(0), RISK_MAX)
    return VolatilitySize(risk, bars, multiple)


def number_between(name: str, value: Decimal, above: Decimal, most: Decimal) -> Decimal:
    """The parameter, if it is above the one and at most the other; raises StrategyError."""
    if not (value.is_finite() and above < value <= most):
        raise StrategyError(f"{name} must be above {above} and at most {most:,}, not {value}")
    return value
