"""The question that the rules of risk.py answer, and the shape of their objections."""

from decimal import Decimal

from msgspec import Struct

from trader.config import Closing
from trader.limits import CanaryLimits, Limits
from trader.messages import Blocking, Brake, DenyReason, Gate, OrderRequest
from trader.model import Order, Phase
from trader.money import canonical
from trader.positions import Position


class Standing(Struct, frozen=True, kw_only=True):
    """What holds for the whole program or the symbol, apart from numbers."""

    at_ns: int
    phase: Phase
    gates_closed: tuple[tuple[Gate, str], ...]
    is_tradable: bool  # the symbol is one of ours
    is_warming_up: bool
    halted: str
    is_shut: bool  # the last line is: nothing that is sent leaves
    quarantined: str
    trading_halt: str  # of the symbol, by the exchange
    session_began_ns: int
    session_closes_ns: int
    closing: Closing | None  # of the strategy that asks
    brakes: tuple[Brake, ...]  # tripped, for all or for this symbol


class Wanted(Struct, frozen=True, kw_only=True):
    """What tells whether the thing that a request wants exists already; a blocked one needs no more."""

    request: OrderRequest
    position: Position
    live_entry: Order | None  # the first live entry order of the symbol
    decision_known: bool
    reduced: tuple[Blocking, str] | None = None  # an exit of a position that goes already, by this
    limits: Limits


class Question(Wanted, frozen=True, kw_only=True):
    """Everything that a rule may read about one request."""

    quantity: Decimal
    reserve_price: Decimal
    standing: Standing
    cash_free: Decimal
    equity: Decimal
    exposure: Decimal  # value of all positions and of what is reserved for buys
    entries_open: int
    entries_minute: int
    notional_session: Decimal  # of this session's entries
    entries_strategy: int  # of this session, by the strategy that asks
    canary: CanaryLimits | None  # the smaller limits of one that nobody has promoted
    equity_session: Decimal
    equity_peak: Decimal
    opposite_orders: tuple[Order, ...]  # live orders of ours on the other side
    quantity_sellable: (
        Decimal  # proven shares, by the smaller of both books, that no live exit may take already
    )

    @property
    def cost(self) -> Decimal:
        """Dollars at the worst price counted on."""
        return self.quantity * self.reserve_price


class Denial(Struct, frozen=True, kw_only=True):
    """A rule's objection, with the numbers it saw."""

    reason: DenyReason
    numbers: dict[str, str]


def deny(reason: DenyReason, **numbers: Decimal | int | str) -> Denial:
    """An objection; numbers become canonical text."""
    return Denial(
        reason=reason,
        numbers={
            name: canonical(value) if isinstance(value, Decimal) else str(value)
            for name, value in numbers.items()
        },
    )
