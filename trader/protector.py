"""The protector: one task that sees to it that what is held is guarded, and says so in seconds where it isn't.

It looks at committed states and at ticks that passed the market guard, and tells the executor what is wanted like any
worker: a stop that rests at the broker, the cancel of one that is too big, the exit whose level was met. It owns no
fact that has to survive: whoever looks at the same state wants the same order, under the same id.
"""

from collections.abc import Callable, Iterator, Mapping

import trio

from trader.inbox import Inbox
from trader.inquiry import entries_that_work
from trader.messages import AlarmReport, Command, Input, OrderRequest
from trader.model import (
    MINUTE_NS,
    STOP_TYPES,
    Bar,
    DecisionKey,
    Order,
    OrderState,
    OrderType,
    Phase,
    Protection,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    Symbol,
    TimeInForce,
)
from trader.money import ONE, ZERO, canonical
from trader.ports import Pace
from trader.positions import Position
from trader.protection import (
    Confirmation,
    Cover,
    Leg,
    cover_of,
    firing_key,
    fits,
    legs_met,
    moment_of,
    order_type_of,
    stop_key,
    stop_words,
    wants_stop,
)
from trader.risk import OPERATOR
from trader.state import ExecutionState
from trader.worker import POSITION_WHOLE

LOOK_EVERY_S = 0.5  # machine time, where the market runs by a clock
UNPROTECTED_S_MAX = 4.0  # and the alarm is on record before five are over
ENTRY_WAITS_S = 2.0  # that an entry filled in part keeps its stop from resting
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 60.0  # between two attempts at the same
FIRE_PAUSE_MAX_S = 5.0  # and where a level was met
STOPS_MAX = 4  # beside one another, before they are made one

PROTECTOR = "protector"
CANCELABLE = frozenset({OrderState.PENDING_NEW, OrderState.NEW, OrderState.PARTIALLY_FILLED})


class Protector:
    """`look` is what it wants now; `run` tells it. Times are `now_s`: machine seconds, or the market's when settled."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        pace: Pace,
        state: Callable[[], ExecutionState],
        quotes: Mapping[Symbol, Quote],
    ) -> None:
        self.now_s: Callable[[], float] = trio.current_time
        self._inbox = inbox
        self._pace = pace
        self._state = state
        self._quotes = quotes
        self._tellings = 0
        self._touched: set[Symbol] = set()
        self._waiting: set[Symbol] = set()  # for their time
        self._timed: dict[Symbol, int] = {}  # for nothing but this moment of the market
        self._watched: dict[Symbol, Confirmation] = {}
        self._met: dict[Symbol, tuple[Leg, str, int]] = {}  # confirmed: by which event, when
        self._since_s: dict[tuple[Symbol, str], float] = {}  # when a trouble began
        self._alarmed: set[Symbol] = set()
        self._split: set[Symbol] = set()  # and not known to be booked yet
        self._fractions: set[Symbol] = set()  # that somebody was told of
        self._again: dict[tuple[Symbol, str], tuple[float, float]] = {}  # not before, then pause
        self._wanted = trio.Event()

    # ------------------------------------------------------------------------------------------- hearing

    def changed(self, symbol: Symbol) -> None:
        """The executor has committed something about it. Never blocks."""
        self._touched.add(symbol)
        self._pace.began(self)
        self._wanted.set()

    def ticked(self, tick: Bar | Quote) -> None:
        """A tick that the guard has passed. Never blocks."""
        confirmation = self._watched.get(tick.symbol)
        if confirmation is None:
            return
        state = self._state()
        position = state.position(tick.symbol)
        cover = _cover(state, position)
        at_ns, event = moment_of(tick)
        if tick.symbol in self._split:
            if legs_met(position, tick, is_covered=False):
                return
            self._split.discard(tick.symbol)
        met = legs_met(position, tick, is_covered=cover.guarded >= cover.held)
        confirmed = confirmation.hear(met, at_ns)
        if confirmed:
            leg = Leg.STOP if Leg.STOP in confirmed else Leg.TAKE_PROFIT
            self._met[tick.symbol] = (leg, event, at_ns)
            self.changed(tick.symbol)

    def split(self, symbol: Symbol) -> None:
        """Prices are of other shares from now on: none meets a level until the levels are of those shares, too."""
        self._split.add(symbol)

    def wake(self) -> None:
        """Time has passed."""
        if self._waiting:
            self._pace.began(self)
            self._wanted.set()

    async def run(self) -> None:
        """Tell what is wanted, for ever."""
        self._touched |= set(self._state().positions)
        while True:
            for heard in self.look():
                await self._inbox.tell(heard)
            self._pace.ended(self)
            await self._wanted.wait()
            self._wanted = trio.Event()

    async def keep_waking(self) -> None:
        """For a market that runs by a clock."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.wake()

    # ------------------------------------------------------------------------------------------- looking

    def look(self) -> list[Input]:
        """What the executor shall hear, given the state as it is committed now."""
        state = self._state()
        symbols = sorted(self._touched | self._waiting)
        if not state.statements:
            self._waiting |= self._touched  # Nothing is known in this life yet.
            return []
        touched, self._touched = self._touched, set()
        self._waiting.clear()
        wanted: list[Input] = []
        for symbol in symbols:
            if symbol not in touched and self._is_early(symbol):
                continue
            position = state.position(symbol)
            if position.quantity or position.exits:
                self._timed.pop(symbol, None)
                wanted += self._of(state, position)
                if symbol in self._waiting:
                    self._timed.pop(symbol, None)  # For more than its time.
            else:
                self._forget(symbol)
        self._waiting.update(self._timed)
        return wanted

    def _is_early(self, symbol: Symbol) -> bool:
        """Nobody has touched it since it was well, and its time has not come."""
        return symbol in self._timed and self._pace.market_ns() < self._timed[symbol]

    def _forget(self, symbol: Symbol) -> None:
        """Nothing is there to look after."""
        self._timed.pop(symbol, None)
        self._watched.pop(symbol, None)
        self._met.pop(symbol, None)
        self._alarmed.discard(symbol)
        self._fractions.discard(symbol)
        self._settle(symbol, "alarm", "fire", "cancel", "stop", "entry")

    def _of(self, state: ExecutionState, position: Position) -> Iterator[Input]:
        symbol, guard, cover = position.symbol, position.protection, _cover(state, position)
        if guard is not None and cover.held:
            self._watched.setdefault(symbol, Confirmation())
        else:
            self._watched.pop(symbol, None)
        met = self._met.pop(symbol, None) if state.phase is Phase.REGULAR else None
        yield from self._alarm(state, position, cover)
        yield from self._fraction(position)
        if symbol in state.reductions or state.is_shut:
            return  # It goes, and whatever holds its shares with it; or nothing that is wanted would leave.
        if guard is not None and guard.exit_ns is not None and cover.held:
            self._timed[symbol] = guard.exit_ns
            now_ns = self._pace.market_ns()
            if now_ns >= guard.exit_ns and state.phase is Phase.REGULAR:
                minute = now_ns // MINUTE_NS
                met = met or (Leg.TIME, f"timer|{guard.exit_ns}|{minute}", now_ns)
        if met is not None and guard is not None and cover.held and _may_fire(cover, met[0]):
            if self._is_due(symbol, "fire", most_s=FIRE_PAUSE_MAX_S):
                # An entry that rests could meet the exit: until it is gone, none is taken.
                for name in position.entries:
                    yield from self._cancel(state.orders[name], "an exit can't leave beside it")
                yield self._firing(state, position, guard, *met)
            return
        if too_much := list(_too_much(cover, guard)):
            self._waiting.add(symbol)
            if self._is_due(symbol, "cancel"):
                for order in too_much:
                    yield from self._cancel(order, "the stop is not what it should be")
            return
        self._settle(symbol, "cancel")
        yield from self._resting(state, position, cover)

    def _resting(self, state: ExecutionState, position: Position, cover: Cover) -> Iterator[Input]:
        """A stop for all that no live order sells; an entry in its way is canceled when it takes too long."""
        symbol, guard = position.symbol, position.protection
        if guard is None or not guard.has_stop or not cover.missing:
            # What is sent is not there yet: were it refused, the next try would come at once.
            if not cover.unproven:
                self._settle(symbol, "stop", "entry")
            return
        self._waiting.add(symbol)
        if working := entries_that_work(state, position):
            # The broker takes no stop beside an open buy: both could meet.
            began_s = self._since_s.setdefault((symbol, "entry"), self.now_s())
            if self.now_s() - began_s >= ENTRY_WAITS_S and self._is_due(symbol, "entry"):
                for order in working:
                    yield from self._cancel(order, "its stop can't rest beside it")
        elif self._is_due(symbol, "stop"):
            yield self._stop(state, position, guard, cover)

    def _alarm(self, state: ExecutionState, position: Position, cover: Cover) -> Iterator[Input]:
        symbol = position.symbol
        if not cover.unproven or not wants_stop(position, state.limits.stop_required):
            self._since_s.pop((symbol, "alarm"), None)
            self._alarmed.discard(symbol)
            return
        self._waiting.add(symbol)
        began_s = self._since_s.setdefault((symbol, "alarm"), self.now_s())
        if self.now_s() - began_s >= UNPROTECTED_S_MAX and symbol not in self._alarmed:
            self._alarmed.add(symbol)
            yield alarm_of(symbol, cover)

    def _fraction(self, position: Position) -> Iterator[Input]:
        """Orders are of whole shares: what a split leaves beside them no stop guards, and nothing here sells."""
        symbol, left = position.symbol, position.quantity % ONE
        if not left or position.is_hands_off:
            self._fractions.discard(symbol)
        elif symbol not in self._fractions:
            self._fractions.add(symbol)
            held = f"{canonical(left)} of {canonical(position.quantity)} shares"
            what = f"{symbol}: {held} can be sold on the broker's web site only; no stop covers it"
            yield AlarmReport(alarm="fraction_held", symbol=symbol, message=what)

    # ------------------------------------------------------------------------------------------- wanting

    def _stop(
        self, state: ExecutionState, position: Position, guard: Protection, cover: Cover
    ) -> OrderRequest:
        kind = order_type_of(guard)
        stop = stop_words(guard.stop_price, guard.trail)
        words = f"guards {canonical(cover.missing)} of {canonical(cover.held)}: {stop}"
        return self._request(
            state,
            position,
            key=stop_key(state.account, position, cover.missing),
            order_type=kind,
            size=Size(unit="shares", amount=cover.missing),
            guard=guard,
            reason=words,
        )

    def _firing(
        self,
        state: ExecutionState,
        position: Position,
        guard: Protection,
        leg: Leg,
        event: str,
        at_ns: int,
    ) -> OrderRequest:
        profit = guard.take_profit if leg is Leg.TAKE_PROFIT else None
        return self._request(
            state,
            position,
            key=firing_key(state.account, position, leg, event),
            order_type=OrderType.MARKET if profit is None else OrderType.LIMIT,
            size=POSITION_WHOLE,
            guard=guard,
            reason=f"{leg.value} met: {event}",
            at_ns=at_ns,
        )

    def _request(
        self,
        state: ExecutionState,
        position: Position,
        *,
        key: DecisionKey,
        order_type: OrderType,
        size: Size,
        guard: Protection,
        reason: str,
        at_ns: int | None = None,
    ) -> OrderRequest:
        self._tellings += 1
        is_stop = order_type in STOP_TYPES
        return OrderRequest(
            request_id=RequestId(f"{PROTECTOR}/{state.epoch}/{self._tellings:08d}"),
            decision_key=key,
            at_ns=self._pace.market_ns() if at_ns is None else at_ns,
            symbol=position.symbol,
            strategy=position.strategy or OPERATOR,
            side=Side.SELL,
            purpose=Purpose.STOP,
            order_type=order_type,
            time_in_force=TimeInForce.GTC if is_stop else TimeInForce.DAY,
            size=size,
            limit_price=guard.take_profit if order_type is OrderType.LIMIT else None,
            quote=self._quotes.get(position.symbol),
            reason=reason,
            stop_price=guard.stop_price if is_stop else None,
            trail=guard.trail if is_stop else None,
        )

    def _cancel(self, order: Order, reason: str) -> Iterator[Command]:
        if order.cancel_requested or order.state not in CANCELABLE:
            return
        yield Command(
            command_id=f"{PROTECTOR} {order.client_order_id}",
            verb="cancel",
            subject=order.client_order_id,
            who=PROTECTOR,
            reason=reason,
        )

    # ------------------------------------------------------------------------------------------- patience

    def _is_due(self, symbol: Symbol, what: str, most_s: float = PAUSE_MAX_S) -> bool:
        """Now, and then later each time, as long as it is wanted without a break."""
        not_before_s, pause_s = self._again.get((symbol, what), (0.0, PAUSE_FIRST_S))
        now_s = self.now_s()
        if now_s < not_before_s:
            return False
        self._again[symbol, what] = (now_s + pause_s, min(2 * pause_s, most_s))
        return True

    def _settle(self, symbol: Symbol, *troubles: str) -> None:
        for trouble in troubles:
            self._again.pop((symbol, trouble), None)
            self._since_s.pop((symbol, trouble), None)


def _cover(state: ExecutionState, position: Position) -> Cover:
    """A first look at the broker's holding may be late; a stop makes way for a difference that has been called one."""
    symbol = position.symbol
    surplus = state.differing.get(symbol, ZERO) if symbol in state.quarantined else ZERO
    return cover_of(position, state.orders, surplus)


def _may_fire(cover: Cover, leg: Leg) -> bool:
    """Not while the shares are on their way out anyway; but an exit that only rests doesn't help against a fall."""
    resting = all(one.state in CANCELABLE for one in cover.others)
    return not cover.others or (leg is not Leg.TAKE_PROFIT and resting)


def _too_much(cover: Cover, guard: Protection | None) -> Iterator[Order]:
    """Stops to cancel: those at another price, those that sell more than there is, or all where they are too many."""
    excess, are_many = cover.excess, len(cover.stops) >= STOPS_MAX and cover.missing
    for order in reversed(cover.stops):
        if excess > 0 or are_many or (cover.held and not fits(order, guard)):
            excess -= order.quantity_leaves
            yield order


def unguarded(state: ExecutionState) -> Iterator[tuple[Symbol, Cover]]:
    """Positions whose stop is still to be sent."""
    for symbol, position in state.positions.items():
        guard, cover = position.protection, _cover(state, position)
        if guard is not None and guard.has_stop and cover.missing:
            yield symbol, cover


def alarm_of(symbol: Symbol, cover: Cover) -> AlarmReport:
    """For a person: how much of it is not safe."""
    naked, held = canonical(cover.unproven), canonical(cover.held)
    what = f"{symbol}: no stop is proven at the broker for {naked} of {held} shares"
    return AlarmReport(alarm="position_unprotected", symbol=symbol, message=what)
