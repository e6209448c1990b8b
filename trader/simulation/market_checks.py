"""What the broker's market has told that nobody may act on: wrong bars and quotes, and halts; held against what we did.

All are known here from the broker's side: whether the program has judged anything is not asked. What has passed its
guard is overheard: it must be what the market has told, in its order; and of a level that was met, twice in a row.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from msgspec.structs import replace

from trader.messages import OrderRequest, RequestAccepted
from trader.model import ENTRY_PURPOSES, MINUTE_NS, SECOND_NS, Bar, Order, Quote, Symbol
from trader.money import price_of
from trader.ports import Batch
from trader.protector import PROTECTOR
from trader.simulation.bad_data import Liar
from trader.simulation.checks import Complain
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.state import ExecutionState

# By then a halt has been heard of; or the line that should have told it was dead, and then the last quote is too old.
HEARD_NS_MAX = 95 * SECOND_NS


# A quote that never moves, while others do, is believed for ten minutes.
STUCK_NS_MAX = 11 * MINUTE_NS
STUCK_MIN = 12
FAR_PART = 10  # a tick that is a tenth off the one before may be the market
REMEMBERED = 64  # ticks of a symbol
AHEAD_NS_MAX = 10 * SECOND_NS


class MarketWatch:
    """Knows what is scheduled, overhears every tick that passed, and looks at every request and every order."""

    def __init__(
        self,
        events: Iterable[ScheduledEvent],
        complain: Complain,
        liar: Liar,
        true_bar: Callable[[Bar], Bar | None],
    ) -> None:
        self._complain = complain
        self._liar = liar
        self._true_bar = true_bar
        self._wrong: set[tuple[Symbol, int]] = set()
        self._halts: list[tuple[Symbol, int, int]] = []
        self._ticks: dict[Symbol, deque[Bar | Quote]] = {}
        for event in events:
            if event.name is EventName.BAD_TICK:
                self._wrong.add((event.symbol, event.at_ns))
            if event.name is EventName.HALT:
                assert event.duration_ns is not None, "each halt of a world ends by itself"
                self._halts.append((event.symbol, event.at_ns, event.at_ns + event.duration_ns))

    def life_began(self) -> None:
        """Who has heard nothing yet can't tell a repetition."""
        self._ticks.clear()

    def overheard(self, tick: Bar | Quote) -> None:
        """S16: a tick that decisions are made on."""
        ticks = self._ticks.setdefault(tick.symbol, deque(maxlen=REMEMBERED))
        if isinstance(tick, Bar):
            before = [one.start_ns for one in ticks if isinstance(one, Bar)]
            is_wrong = self._true_bar(tick) != tick
        else:
            before = [one.at_ns for one in ticks if isinstance(one, Quote)]
            is_wrong = tick in self._liar.lies or not 0 <= tick.bid <= tick.ask or not tick.ask
            self._is_stuck(tick, ticks)
        if is_wrong:
            self._complain(f"S16: heard as fit: {tick}")
        at_ns = tick.start_ns if isinstance(tick, Bar) else tick.at_ns
        if before and (at_ns < before[-1] or (isinstance(tick, Bar) and at_ns == before[-1])):
            self._complain(f"S16: heard after a newer one: {tick}")
        ticks.append(tick)

    def _is_stuck(self, tick: Quote, ticks: Iterable[Bar | Quote]) -> None:
        same = []
        for one in reversed([one for one in ticks if isinstance(one, Quote)]):
            if replace(one, at_ns=tick.at_ns) != tick:
                break
            same.append(one)
        if len(same) >= STUCK_MIN and tick.at_ns - same[-1].at_ns > STUCK_NS_MAX:
            self._complain(f"S16: heard as fit for {len(same)} times: {tick}")

    def committed(self, batch: Batch) -> None:
        """What was asked for, and what became an order."""
        for entry in batch.entries:
            if isinstance(entry.input, OrderRequest):
                self._asked(entry.input)
                self._fired(entry.input, batch.after)
            for event in entry.events:
                if isinstance(event, RequestAccepted):
                    self._ordered(event.order, batch.after)

    def _fired(self, request: OrderRequest, state: ExecutionState) -> None:
        """No single tick ends a position: the one before it, of another time, has met the level, too."""
        leg, met, event = request.reason.partition(" met: ")
        level = request.limit_price
        if leg == "stop":
            guard = state.position(request.symbol).protection
            level = None if guard is None else guard.stop_price
        if (
            not met
            or leg == "time"
            or level is None
            or not request.request_id.startswith(PROTECTOR)
        ):
            return
        ticks = self._ticks.get(request.symbol, ())
        names = [_name(one) for one in ticks]
        if event not in names:
            return  # Of a life before.
        last = len(names) - 1 - names[::-1].index(event)
        at_ns = _ends_ns(ticks[last])
        for one in reversed([*ticks][: last + 1]):
            if not _has_met(one, leg, level):
                self._complain(f"S16: {request.request_id} fires on a single tick: {event}")
                return
            if _ends_ns(one) < at_ns:
                return

    def _asked(self, request: OrderRequest) -> None:
        """S16: no tick that was judged unfit reaches a decision."""
        quote = request.quote
        if quote is None or (quote.symbol, quote.at_ns) not in self._wrong:
            return
        if not self._follows_a_near_one(quote):
            self._complain(f"S16: {request.request_id} was decided on a wrong quote: {quote}")

    def _follows_a_near_one(self, quote: Quote) -> bool:
        """Two lone ticks with nothing between them, after the close say, can lead where one can't: nobody can tell."""
        before = [one for one in self._ticks.get(quote.symbol, ()) if _ends_ns(one) < quote.at_ns]
        if not before:
            return False
        price = before[-1].bid if isinstance(before[-1], Quote) else before[-1].close
        return abs(quote.bid - price) <= price // FAR_PART

    def _ordered(self, order: Order, state: ExecutionState) -> None:
        if order.purpose not in ENTRY_PURPOSES:
            return
        if order.symbol not in state.halts and not self._liar.is_told_truly(order.symbol):
            # The line that should have told was dead; and no quote of the market's own made this one fresh.
            return
        for symbol, from_ns, _ in self._halts:
            if symbol != order.symbol:
                continue
            # Of halts that overlap, the first that ends lets the symbol trade again. The executor knows what time it is
            # once a minute.
            ends = (until for one, _, until in self._halts if one == symbol and until > from_ns)
            if from_ns + HEARD_NS_MAX < order.created_ns < min(ends) - MINUTE_NS:
                self._complain(f"S16: {order.client_order_id} enters while {symbol} is halted")


def _name(tick: Bar | Quote) -> str:
    if isinstance(tick, Quote):
        return f"quote|{tick.symbol}|{tick.at_ns}"
    return f"bar|{tick.symbol}|{tick.span_ns}|{tick.start_ns}"


def _ends_ns(tick: Bar | Quote) -> int:
    return tick.at_ns if isinstance(tick, Quote) else tick.start_ns + tick.span_ns


def _has_met(tick: Bar | Quote, leg: str, level: Decimal) -> bool:
    """A profit by what somebody bids, a stop by the middle of both sides; a bar by its close."""
    if leg == "stop":
        price = tick.close if isinstance(tick, Bar) else (tick.bid + tick.ask) // 2
        return price_of(price) <= level
    return price_of(tick.close if isinstance(tick, Bar) else tick.bid) >= level
