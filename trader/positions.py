"""The authoritative position map and its arithmetic: what is held of each symbol, and which orders may change it.

Only the executor holds the map. Long or flat is the policy (risk.py), but the arithmetic is of signed positions at
average cost: what the broker really executed is booked as it is, also when it should not have happened.

Total cost is kept and average cost derived: a partial sale removes cost x sold / held, rounded once to a
billionth, and the last sale removes the rest, so that cash + cost = opening + realized stays exact for ever.
"""

from decimal import Decimal

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from trader.messages import BooksMoved, ExecutionBooked
from trader.model import (
    ENTRY_PURPOSES,
    FINAL_STATES,
    STOP_TYPES,
    ClientOrderId,
    Order,
    Protection,
    Side,
    StrategyName,
    Symbol,
)
from trader.money import ZERO, plain, price_of, ratio, share, ticks_of
from trader.splits import split_mark


class Position(Struct, frozen=True, kw_only=True):
    """One symbol: the holding, who opened it, and the orders that may still change it.

    quantity and cost are signed; mark is the last price in price ticks (0: none yet). `entries` and `exits` are
    live orders, those in doubt included: UNKNOWN counts as live for everything it has left.
    """

    symbol: Symbol
    strategy: StrategyName | None = None
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    mark: int = 0
    marked_ns: int = 0  # since when that is its price
    is_adjusted: bool = False  # a split has moved the mark, and no price has confirmed that yet
    entries: tuple[ClientOrderId, ...] = ()
    exits: tuple[ClientOrderId, ...] = ()
    quantity_pending_buy: Decimal = ZERO
    quantity_pending_sell: Decimal = ZERO
    is_hands_off: bool = False  # it was there before us, counts, and is never touched
    entries_session: int = 0
    entries_filled_ns: tuple[int, ...] = ()
    protection: Protection | None = None  # of the entry that was filled last
    guarded_by: str = ""  # that entry's decision key
    stops: int = 0  # protective stops that the symbol has ever had
    high: int = 0  # the highest mark of this holding, in price ticks

    @property
    def is_flat(self) -> bool:
        """Nothing held and nothing on its way."""
        return not (self.quantity or self.entries or self.exits)

    @property
    def avg_cost(self) -> Decimal:
        """Dollars a share, derived."""
        return ratio(self.cost, self.quantity) if self.quantity else ZERO

    @property
    def value(self) -> Decimal:
        """Dollars at the mark; at cost while there is no mark."""
        return self.quantity * price_of(self.mark) if self.mark else self.cost

    @property
    def quantity_sellable(self) -> Decimal:
        """Proven shares that no live or doubtful exit may take already."""
        return self.quantity - self.quantity_pending_sell


PositionMap = Map[Symbol, Position]


class Trade(Struct, frozen=True, kw_only=True):
    """What an execution does to a position: the signed change of its cost, and profit net of fees."""

    cost: Decimal
    realized: Decimal


def traded(
    position: Position, side: Side, quantity: Decimal, notional: Decimal, fees: Decimal
) -> Trade:
    """What `quantity` shares for `notional` dollars do: what extends a position adds cost, what reduces it realizes."""
    sign = 1 if side is Side.BUY else -1
    held = position.quantity
    closing = min(quantity, abs(held)) if held * sign < 0 else ZERO
    if closing == abs(held):
        cost_closed = position.cost if closing else ZERO
    else:
        cost_closed = share(position.cost, closing, abs(held))
    notional_closed = notional if closing == quantity else share(notional, closing, quantity)
    cost_opened = sign * (notional - notional_closed)
    realized = plain(-sign * notional_closed - cost_closed - fees) if closing else plain(-fees)
    return Trade(cost=plain(cost_opened - cost_closed), realized=realized)


def with_order(position: Position, before: Order | None, now: Order) -> Position:
    """The position with one of its orders moved on: pending quantities follow what is left, final orders leave."""
    gone = now.state in FINAL_STATES
    known = before is not None and before.state not in FINAL_STATES
    was_left = before.quantity_leaves if before is not None else ZERO
    change = now.quantity_leaves - was_left
    if known and not gone and not change:
        return position  # As most of what is told of an order: it lives, and has as much left.
    if now.purpose in ENTRY_PURPOSES:
        return replace(
            position,
            entries=_listed(position.entries, now.client_order_id, known, gone),
            quantity_pending_buy=plain(position.quantity_pending_buy + change),
        )
    return replace(
        position,
        exits=_listed(position.exits, now.client_order_id, known, gone),
        stops=position.stops + (before is None and now.order_type in STOP_TYPES),
        quantity_pending_sell=plain(position.quantity_pending_sell + change),
    )


def _listed(
    ids: tuple[ClientOrderId, ...], one: ClientOrderId, known: bool, gone: bool
) -> tuple[ClientOrderId, ...]:
    if gone:
        return tuple(other for other in ids if other != one) if known else ids
    return ids if known else (*ids, one)


def released_when_flat(position: Position) -> Position:
    """A symbol that is flat, with nothing on its way, belongs to nobody."""
    if not position.is_flat or not position.strategy:
        return position
    return replace(position, strategy=None, protection=None, guarded_by="", high=0)


def booked(position: Position, event: ExecutionBooked) -> Position:
    """The position with a booked execution in it; the event says what it cost and realized."""
    sign = 1 if event.side is Side.BUY else -1
    return replace(
        position,
        strategy=position.strategy or event.strategy,  # A late fill finds the symbol ownerless.
        quantity=plain(position.quantity + sign * event.execution.quantity),
        cost=plain(position.cost + event.cost),
        realized=plain(position.realized + event.realized),
    )


def moved(position: Position, event: BooksMoved) -> Position:
    """The position after shares came or went without an execution of ours; a split's mark moves against its shares."""
    quantity = plain(position.quantity + event.quantity)
    mark, is_adjusted = position.mark, position.is_adjusted
    if event.kind == "split" and quantity:
        mark, is_adjusted = split_mark(mark, position.quantity, quantity), True
    return replace(
        position,
        quantity=quantity,
        cost=plain(position.cost + event.cost),
        realized=plain(position.realized + event.realized),
        mark=mark,
        is_adjusted=is_adjusted,
        strategy=event.strategy or position.strategy,
        is_hands_off=position.is_hands_off or event.kind == "hands_off",
    )


def with_entry_filled(position: Position, before: Order, at_ns: int) -> Position:
    """The first execution of an entry counts it; `before` is the order without that execution."""
    if before.purpose not in ENTRY_PURPOSES or before.quantity_filled:
        return position
    return replace(position, entries_filled_ns=(*position.entries_filled_ns, at_ns))


def mark_of(event: ExecutionBooked) -> int:
    """A fill is a price, too: in price ticks."""
    return ticks_of(event.execution.price)
