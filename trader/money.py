"""Exact money and quantities: one context, one rounding, one canonical text.

Money and quantities are finite Decimals within MONEY_MAX and at most QUANTITY_DECIMALS places. Market prices
travel as whole *price ticks* (1/10,000 dollar): market data has no more precision that an order could use, and
integers are what indicators can compare without ties depending on how a sum was taken.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
    setcontext,
)
from functools import lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
MILL = Decimal("0.0001")
NANO = Decimal("0.000000001")
PRICE_TICKS_PER_DOLLAR = 10_000
MONEY_MAX = Decimal(10) ** 15
QUANTITY_DECIMALS = 9
TEXT_MAX = 40  # characters: more than any admitted amount has

# 15 digits before the point and twice 9 after it: a product of two admitted amounts is exact, and a sum
# that is not exact raises instead of losing a fraction.
EXACT = Context(
    prec=50,
    rounding=ROUND_HALF_EVEN,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, Underflow, Clamped],
)
_ROUNDING = Context(
    prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)
# A cost (fifteen digits and eighteen decimals) times a quantity (fifteen and nine).
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, Overflow])


class AmountError(ValueError):
    """A text or number that is not an amount this program works with; the message says what it was."""


def use_exact_context() -> None:
    """Make EXACT the context of this thread; the door does it once, and so does every test session."""
    setcontext(EXACT)


def plain(amount: Decimal) -> Decimal:
    """The same amount with no exponent, no trailing zeros and no minus zero, so that str() is canonical."""
    # Normalized alone, 320 would be 3.2E+2 and minus zero -0; added to a plain zero both are plain. Looking up what was
    # made plain before would take longer: a Decimal's hash costs more than this.
    return amount.normalize(_ROUNDING) + ZERO


@lru_cache(
    maxsize=4096
)  # The same few amounts are told again and again, and equal ones have one text.
def canonical(amount: Decimal) -> str:
    """The one text of an amount, in the journal and in the base tables: '33', '0.5', never '3.3E+1', '-0'."""
    return format(plain(amount), "f")


def amount(text: str | int | Decimal) -> Decimal:
    """Parse an amount that came from outside; raises AmountError unless it is plain ASCII, finite, bounded."""
    return _read(text) if isinstance(text, str) else bounded(Decimal(text))


@lru_cache(maxsize=4096)  # Who polls is told the same amounts again and again.
def _read(text: str) -> Decimal:
    if not text.isascii() or "_" in text or text != text.strip():
        raise AmountError(f"not a plain number: {text[:40]!r}")
    if len(text) > TEXT_MAX:
        raise AmountError(f"too long for a number: {text[:40]!r}")
    try:
        return bounded(Decimal(text))
    except InvalidOperation:
        raise AmountError(f"not a number: {text[:40]!r}") from None


def bounded(value: Decimal) -> Decimal:
    """The value in plain form; raises AmountError when it isn't finite, within MONEY_MAX, or has over 9 decimals."""
    if not value.is_finite():
        raise AmountError(f"not finite: {value}")
    # Compared without arithmetic: an exponent of millions must not be expanded, nor trap.
    if value and value.adjusted() > MONEY_MAX.adjusted():
        raise AmountError(f"beyond {MONEY_MAX}")
    if value and value.adjusted() < -QUANTITY_DECIMALS:
        raise AmountError(f"more than {QUANTITY_DECIMALS} decimals")
    if abs(value) > MONEY_MAX:
        raise AmountError(f"beyond {MONEY_MAX}: {value}")
    value = plain(value)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -QUANTITY_DECIMALS:
        raise AmountError(f"more than {QUANTITY_DECIMALS} decimals: {value}")
    return value


def rounded(value: Decimal, step: Decimal = NANO) -> Decimal:
    """Half-even to a multiple of a power of ten: the only rounding of money in the program besides the two below."""
    return plain(value.quantize(step, ROUND_HALF_EVEN, _ROUNDING))


def rounded_up(value: Decimal, step: Decimal = CENT) -> Decimal:
    """Away from our favour: fees, and the limit price of a buy."""
    return plain(value.quantize(step, ROUND_CEILING, _ROUNDING))


def rounded_down(value: Decimal, step: Decimal = CENT) -> Decimal:
    """Whole shares that an amount can buy, and the limit price of a sell."""
    return plain(value.quantize(step, ROUND_FLOOR, _ROUNDING))


def ratio(part: Decimal, whole: Decimal) -> Decimal:
    """part / whole to nine decimals; whole must not be zero."""
    return rounded(_ROUNDING.divide(part, whole))


def share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """total x part / whole to nine decimals, divided once and rounded once."""
    # The product of two amounts may have more digits than any amount: it is exact in a context of its own.
    return rounded(_ROUNDING.divide(_WIDE.multiply(total, part), whole))


@lru_cache(maxsize=65536)
def price_of(ticks: int) -> Decimal:
    """A market price in price ticks as dollars."""
    return plain(Decimal(ticks).scaleb(-4, _ROUNDING))


def ticks_of(price: Decimal) -> int:
    """Dollars as whole price ticks, half-even."""
    return int((price * PRICE_TICKS_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN, _ROUNDING))
