"""What guards a position: the prices of its stop and its take-profit, which orders cover it, and when a level is met.

A protection is given with an entry and belongs to the position from the entry's first fill on. Its stop rests at the
broker as an order of our own (not as a leg of the entry: legs sleep until all of it is filled, and have the broker's
random ids). What can't rest there is held here, and fires when two ticks after one another say the same: one tick
alone may be anything. Pure: protector.py looks at committed states with it and tells the executor what is wanted.
"""

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from trader.messages import BooksMoved, DenyReason, OrderRequest
from trader.model import (
    ENTRY_PURPOSES,
    SECOND_NS,
    STOP_TYPES,
    AccountId,
    Bar,
    ClientOrderId,
    DecisionKey,
    Distances,
    Order,
    OrderState,
    OrderType,
    Protection,
    Purpose,
    Quote,
)
from trader.money import (
    CENT,
    MILL,
    ONE,
    ZERO,
    canonical,
    plain,
    price_of,
    rounded,
    rounded_down,
    rounded_up,
    share,
)
from trader.positions import Position
from trader.question import Denial, Question, deny

PRICE_MAX = Decimal(10) ** 7  # dollars a share
FAR = 2  # as for executions (recognition.py)
AT_BROKER = frozenset(
    {
        OrderState.PENDING_NEW,
        OrderState.NEW,
        OrderState.PARTIALLY_FILLED,
        OrderState.PENDING_CANCEL,
    }
)


def is_resting_stop(order: Order) -> bool:
    """An order that protects: it waits at the broker for its price."""
    return order.order_type in STOP_TYPES


# ------------------------------------------------------------------------------------- prices of an entry


def protection_at(
    distances: Distances | None, price: Decimal | None, at_ns: int
) -> Protection | None:
    """What shall guard an entry at this price, decided at this market time; stops round down, profits up."""
    if distances is None or distances == Distances() or price is None:
        return None
    stop, profit, after = distances.stop, distances.take_profit, distances.exit_after
    return Protection(
        stop_price=None if stop is None else _on_tick(price * (ONE - stop), up=False),
        trail=distances.trail,
        take_profit=None if profit is None else _on_tick(price * (ONE + profit), up=True),
        exit_ns=None if after is None else at_ns + after * SECOND_NS,
    )


def _on_tick(price: Decimal, *, up: bool) -> Decimal:
    tick = CENT if price >= ONE else MILL
    return rounded_up(price, tick) if up else rounded_down(price, tick)


# ---------------------------------------------------------------------------------------------- its rules


def unsound_prices(request: OrderRequest) -> Denial | None:
    """Numbers of a stop, or of an entry's protection, that no arithmetic may see."""
    is_stop = request.order_type in STOP_TYPES
    told = (request.stop_price is not None, request.trail is not None)
    if request.protection is None and not is_stop and not any(told):
        return None  # As of most.
    guard = request.protection or Protection()
    prices = (request.stop_price, guard.stop_price, guard.take_profit)
    for price in prices:
        if price is not None and not (
            price.is_finite() and ZERO < price <= PRICE_MAX and price == rounded(price, MILL)
        ):
            return _unsound(str(price))
    for trail in (request.trail, guard.trail):
        if trail is not None and not (trail.is_finite() and ZERO < trail < ONE):
            return _unsound(str(trail))
    wanted = {OrderType.STOP: (True, False), OrderType.TRAILING_STOP: (False, True)}
    if told != wanted.get(request.order_type, (False, False)) or (
        is_stop and request.purpose is not Purpose.STOP
    ):
        return _unsound(request.order_type.value)
    return None


def _unsound(what: str) -> Denial:
    return Denial(reason=DenyReason.PRICE_TICK, numbers={"unsound": what[:40]})


def stop_required(question: Question) -> Denial | None:
    """Where the limits want it, an entry brings a stop."""
    guard = question.request.protection
    if not question.limits.stop_required or (guard is not None and guard.has_stop):
        return None
    return deny(DenyReason.STOP_REQUIRED, protection="none" if guard is None else "without a stop")


def protective_prices(question: Question) -> Denial | None:
    """An entry's stop lies below the market and its profit above it, both on the price tick."""
    guard, quote = question.request.protection, question.request.quote
    if guard is None:
        return None
    assert quote is not None, "no_quote runs first"
    for name, price in (("stop_price", guard.stop_price), ("take_profit", guard.take_profit)):
        if price is None:
            continue
        if (tick := CENT if price >= ONE else MILL) and price % tick:
            return deny(DenyReason.PRICE_TICK, tick=tick, **{name: price})
        market = price_of(quote.bid if name == "stop_price" else quote.ask)
        is_wrong = price >= market if name == "stop_price" else price <= market
        if is_wrong:
            return deny(DenyReason.PRICE_COLLAR, quote=market, **{name: price})
    return None


# --------------------------------------------------------------------------------- what covers a position


def guarded(position: Position, order: Order) -> Position:
    """An entry that is executed brings its protection; one that adds, and says nothing, leaves what is there."""
    if order.purpose not in ENTRY_PURPOSES or (
        order.purpose is Purpose.ADD and order.protection is None
    ):
        return position
    return replace(position, protection=order.protection, guarded_by=order.decision_key)


def marked(position: Position, mark: int, at_ns: int) -> Position:
    """The position at a new mark, in price ticks, of this market time."""
    high = max(position.high, mark) if position.quantity else 0
    return replace(position, mark=mark, marked_ns=at_ns, is_adjusted=False, high=high)


def after_split(before: Position, after: Position, event: BooksMoved) -> Position:
    """Prices move against shares: a stop for shares of before would sell, or guard, something else."""
    guard, shares = before.protection, after.quantity
    if guard is None or event.kind != "split" or shares <= 0:
        return after
    if before.quantity <= 0:  # In which shares its prices are, nobody knows.
        return replace(after, protection=None, guarded_by="", high=0)
    prices = {
        name: None
        if (price := getattr(guard, name)) is None
        else _on_tick(share(price, before.quantity, shares), up=name == "take_profit")
        for name in ("stop_price", "take_profit")
    }
    high = int(share(Decimal(before.high), before.quantity, shares))
    return replace(after, protection=replace(guard, **prices), high=high)


def brought_back(
    after: Position, event: BooksMoved, orders: Mapping[ClientOrderId, Order]
) -> Position:
    """What was sold and is taken back is guarded as it was: by the entries that brought it, the last one last."""
    if event.kind != "bust" or after.quantity <= 0 or after.protection is not None:
        return after
    entries = [
        order
        for order in orders.values()
        if order.symbol == after.symbol
        and order.purpose in ENTRY_PURPOSES
        and order.quantity_filled
    ]
    for order in sorted(entries, key=lambda one: one.decision_id):
        after = guarded(after, order)
    return after


class Cover(Struct, frozen=True, kw_only=True):
    """How much of a position is safe. Quantities are shares, whole ones: no order sells a fraction.

    held: what is proven, by the smaller of both books. stops: live orders that protect, newest last. others: the live
    exits beside them. guarded: in stops that the broker is known to have. missing: no live order sells
    it. unproven: no order that the broker is known to have does.
    """

    held: Decimal
    stops: tuple[Order, ...]
    others: tuple[Order, ...]
    guarded: Decimal
    missing: Decimal
    unproven: Decimal

    @property
    def excess(self) -> Decimal:
        """By how much the stops could sell more than there is."""
        resting, leaving = _leaves(self.stops), _leaves(self.others)
        return max(resting - max(self.held - leaving, ZERO), ZERO)


def cover_of(
    position: Position, orders: Mapping[ClientOrderId, Order], surplus: Decimal = ZERO
) -> Cover:
    """What covers this position. `surplus`: by how much more we hold than the broker says."""
    exits = [orders[name] for name in position.exits]
    held = ZERO if position.is_hands_off else max(position.quantity - max(surplus, ZERO), ZERO)
    held = rounded_down(held, ONE)
    stops = tuple(one for one in exits if is_resting_stop(one))
    proven = [one for one in exits if one.state in AT_BROKER]
    return Cover(
        held=held,
        stops=stops,
        others=tuple(one for one in exits if not is_resting_stop(one)),
        guarded=_leaves(one for one in stops if one in proven),
        missing=plain(max(held - position.quantity_pending_sell, ZERO)),
        unproven=plain(max(held - _leaves(proven), ZERO)),
    )


def _leaves(orders: Iterable[Order]) -> Decimal:
    return sum((one.quantity_leaves for one in orders), ZERO)


def wants_stop(position: Position, is_required: bool) -> bool:
    """Somebody has to hear of it where no stop covers this position."""
    guard = position.protection
    return not position.is_hands_off and (is_required or (guard is not None and guard.has_stop))


def fits(order: Order, guard: Protection | None) -> bool:
    """A stop is at the price that the protection says now."""
    return guard is not None and (order.stop_price, order.trail) == (guard.stop_price, guard.trail)


def stop_key(account: AccountId, position: Position, quantity: Decimal) -> DecisionKey:
    """Names the decision to rest this stop: whoever makes it, before or after a crash, makes the same order.

    `position.stops` counts the stops that the symbol has had, so that a renewed one is another decision; quantity and
    prices are in it for journals that come back from a backup and decide otherwise.
    """
    guard = position.protection
    assert guard is not None, "only a protection wants a stop"
    parts = (
        account,
        position.strategy or "",
        position.symbol,
        "SELL|stop|stop",
        position.guarded_by,
        str(position.stops),
        canonical(quantity),
        "" if guard.stop_price is None else canonical(guard.stop_price),
        "" if guard.trail is None else canonical(guard.trail),
    )
    return _key(parts)


def firing_key(account: AccountId, position: Position, leg: "Leg", event: str) -> DecisionKey:
    """Names the decision to be out because of a level, or a time, that was met at this event."""
    return _key((account, position.strategy or "", position.symbol, "SELL|stop", leg, event))


def _key(parts: Iterable[str]) -> DecisionKey:
    return DecisionKey(hashlib.sha256("|".join(parts).encode()).hexdigest())


# --------------------------------------------------------------------------------- what is held by us


class Leg(StrEnum):
    """Which part of a protection it is about."""

    STOP = "stop"
    TAKE_PROFIT = "take-profit"
    TIME = "time"


def stop_level(position: Position) -> Decimal | None:
    """The price at or below which the position shall end, in dollars."""
    guard = position.protection
    if guard is None:
        return None
    if guard.stop_price is not None:
        return guard.stop_price
    if guard.trail is None or not position.high:
        return None
    return price_of(position.high) * (ONE - guard.trail)


def legs_met(position: Position, tick: Bar | Quote, *, is_covered: bool) -> frozenset[Leg]:
    """The levels that this tick is at or beyond; of the stop only while the broker doesn't hold it.

    A stop is met by the middle of both sides, not by a bid that somebody took away; a profit only by a bid. What is
    beyond a level by a factor of two is no price of these shares: a split that is not booked yet, rather.
    """
    match tick:
        case Bar():
            middle = bid = tick.close
        case Quote() if tick.bid and tick.ask:
            middle, bid = (tick.bid + tick.ask) // 2, tick.bid
        case _:
            return frozenset()
    met = set()
    level, guard = stop_level(position), position.protection
    if level is not None and not is_covered and price_of(middle) <= level < price_of(middle) * FAR:
        met.add(Leg.STOP)
    profit = None if guard is None else guard.take_profit
    if profit is not None and profit <= price_of(bid) < profit * FAR:
        met.add(Leg.TAKE_PROFIT)
    return frozenset(met)


class Confirmation:
    """Says which levels two ticks of different times, one after the other, have met: of one symbol.

    The ticks have passed the market guard; but what it lets pass may still be a slip of less than its bound.
    """

    def __init__(self) -> None:
        self._first: dict[Leg, int] = {}

    def hear(self, met: frozenset[Leg], at_ns: int) -> frozenset[Leg]:
        """The levels that are confirmed by this tick."""
        confirmed = frozenset(leg for leg in met if self._first.get(leg, at_ns) < at_ns)
        self._first = {leg: self._first.get(leg, at_ns) for leg in met}
        return confirmed


def moment_of(tick: Bar | Quote) -> tuple[int, str]:
    """When a tick was, and the name of its event: the same for whoever sees it."""
    if isinstance(tick, Quote):
        return tick.at_ns, f"quote|{tick.symbol}|{tick.at_ns}"
    return tick.start_ns + tick.span_ns, f"bar|{tick.symbol}|{tick.span_ns}|{tick.start_ns}"


def order_type_of(guard: Protection) -> OrderType:
    """How its stop rests at the broker."""
    return OrderType.STOP if guard.stop_price is not None else OrderType.TRAILING_STOP


def stop_words(stop_price: Decimal | None, trail: Decimal | None) -> str:
    """For people: 'stop 31.28', 'trailing 2 %'; nothing for what is no stop."""
    if stop_price is not None:
        return f"stop {canonical(stop_price)}"
    return "" if trail is None else f"trailing {canonical(trail * 100)} %"
