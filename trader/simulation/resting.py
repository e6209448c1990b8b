"""Is what is held guarded at the venue within five seconds, and does what has to go, go? By the venue's own orders.

Asked at every half second in which the broker can be reached: the world knows which faults it has let strike, and what
they leave behind lasts LINGERS_S. What is wanted (a stop, a profit to take, an end in time) is in the committed state;
prices, holdings and orders are the venue's. Nothing here shares arithmetic with protection.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import trio

from trader.model import OrderState, Phase, Side, Symbol
from trader.positions import Position
from trader.simulation.reach import Reach
from trader.simulation.shaken import OURS, Shaken
from trader.simulator.broker import SimulatedBroker
from trader.state import ExecutionState
from trader.venue import OrderStatus, OrderType, VenueOrder

LOOK_EVERY_S = 0.5
LINGERS_S = 120.0  # an order in doubt is proven absent, a line is found dead, a pause between two tries has passed
UNGUARDED_S_MAX = 5.0
ON_ITS_WAY_S_MAX = (
    1.5  # that the state which is looked at was committed before, and the order arrives after
)
REFUSED_S = 65.0  # a stop that the market has passed is refused, and is tried again after a minute at the latest
CONFIRMED_S_MAX = 200.0  # two ticks that are a minute apart confirm a level
NEXT_EXIT_S_MAX = (
    65.0  # one that ended is followed by the next in the next market minute (reducing.py)
)
STOPS = (OrderType.STOP, OrderType.TRAILING_STOP)


class Resting:
    """Of one world; `look` at each half second in which the program runs and has heard the broker."""

    def __init__(
        self,
        broker: SimulatedBroker,
        shaken: Shaken,
        reach: Reach,
        complain: Callable[[str], None],
    ) -> None:
        self._broker = broker
        self._shaken = shaken
        self._reach = reach
        self._complain = complain
        self._seen_troubles = 0
        self._calm_from_s = 0.0
        self._looks: Counter[tuple[Symbol, str]] = Counter()
        self._refused: dict[Symbol, float] = {}  # until when a stop may be missing for its price

    def passed_by(self) -> None:
        """Nobody was there to do anything."""
        self._looks.clear()

    def look(self, state: ExecutionState) -> None:
        """Looks are counted, not seconds: while a strategy computes, nobody else runs."""
        now_s, troubles = trio.current_time(), self._reach.troubles()
        if troubles != self._seen_troubles:
            self._seen_troubles, self._calm_from_s = troubles, now_s + LINGERS_S
        if now_s < self._calm_from_s or state.phase is not Phase.REGULAR:
            self._looks.clear()
            return
        missing: dict[tuple[Symbol, str], float] = {}
        for symbol, position in state.positions.items():
            if position.is_hands_off or _is_in_doubt(state, position):
                continue
            if self._is_contradicted(state, position):
                continue
            is_going = symbol in state.reductions
            is_called = symbol in state.quarantined and symbol in state.differing
            for what, seconds_max in self._missing(position, now_s, is_called=is_called):
                least_s = NEXT_EXIT_S_MAX if is_going else 0.0
                missing[symbol, what] = max(seconds_max, least_s)
        self._looks = Counter({key: self._looks[key] + 1 for key in missing})
        for (symbol, what), seconds_max in missing.items():
            looks_max = int((seconds_max + ON_ITS_WAY_S_MAX) / LOOK_EVERY_S)
            if self._looks[symbol, what] == looks_max:
                self._complain(f"A10: {symbol}: for {seconds_max:.0f} s {what}")

    def _is_contradicted(self, state: ExecutionState, position: Position) -> bool:
        """Rejected after it was partly executed: no broker can mean that, and what it means a person has to say."""
        venue, account = self._broker.venue, self._broker.account.account_id
        for name in (*position.entries, *position.exits):
            if state.orders[name].quantity_filled:
                there = venue.order_by_client_id(account, name)
                if there is not None and there.status is OrderStatus.REJECTED:
                    return True
        return False

    def _missing(
        self, position: Position, now_s: float, *, is_called: bool
    ) -> Iterator[tuple[str, float]]:
        """What should be there and isn't, and for how many seconds that may be; a difference that is called waits."""
        symbol, guard, venue = position.symbol, position.protection, self._broker.venue
        there = self._broker.account.quantity(symbol)
        if position.quantity != there and not is_called and self._shaken.since(symbol) is not None:
            yield "the books and the broker hold different quantities", UNGUARDED_S_MAX
        held = min(position.quantity, there)
        if guard is None or held <= 0:
            return
        orders = [one for one in venue.open_orders(symbol) if one.client_order_id.startswith(OURS)]
        buys = [one for one in orders if one.side is Side.BUY]
        sells = [one for one in orders if one.side is Side.SELL]
        book = venue.books[symbol]
        is_leaving = any(
            one.order_type not in STOPS or one.is_triggered or _is_ending(one) for one in sells
        )
        is_told = self._reach.is_told_truly(symbol) and not book.is_halted
        is_over = guard.exit_ns is not None and venue.now_ns >= guard.exit_ns
        if is_over and not is_leaving and not any(map(_is_ending, buys)):
            yield "its time is over, and nothing sells it", UNGUARDED_S_MAX
        profit, bid = guard.take_profit, book.bid.price
        if profit is not None and profit <= bid < 2 * profit and is_told and not is_leaving:
            yield "its profit could be taken, and nothing sells it", CONFIRMED_S_MAX
        if not guard.has_stop or sum(one.quantity_leaves for one in sells) >= held:
            return
        if guard.stop_price is not None and guard.stop_price >= book.mark():
            # No venue takes such a stop: it is held here, and fires when two ticks have said the same.
            self._refused[symbol] = now_s + REFUSED_S
            if is_told and 2 * book.mark() > guard.stop_price:
                yield "the market is beyond its stop, and nothing sells it", CONFIRMED_S_MAX
        elif buys and not all(map(_is_ending, buys)):
            yield "the rest of its entry keeps its stop away", UNGUARDED_S_MAX
        elif not buys and now_s > self._refused.get(symbol, 0.0):
            yield "no order at the venue guards it", UNGUARDED_S_MAX


def _is_ending(order: VenueOrder) -> bool:
    return order.status is OrderStatus.PENDING_CANCEL


def _is_in_doubt(state: ExecutionState, position: Position) -> bool:
    """What may be at the broker is not sent once more."""
    orders = map(state.orders.__getitem__, (*position.entries, *position.exits))
    return any(order.state is OrderState.UNKNOWN for order in orders)
