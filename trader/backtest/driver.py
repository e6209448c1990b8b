"""History goes by: bars to the workers, their wishes to the executor, its orders to the venue, and reports back.

All in one thread and in one order, so nobody waits: an instant is over when nothing moves any more. At each instant
orders that wait meet the bars first, then workers hear what was filled and what has ended, then what they want is
decided. An order that waits for the next bar's open meets it at that bar's own time, before anything that ends later.
Where its symbol has quotes it meets each of them at its time instead, later than the moment at which it was decided.

Between what the executor hears nothing can change it: the clock is told with something else, and at each day's ends.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence

from trader.backtest.between import EVENT, Between
from trader.backtest.broker import ReplayBroker
from trader.backtest.days import Day, Days
from trader.backtest.jumps import jumps_in
from trader.backtest.lanes import Lane
from trader.backtest.pace import ReplayPace
from trader.backtest.request import KnownJump
from trader.backtest.timeline import Timeline
from trader.backtest.visits import Course, Visits
from trader.executor import Executor, entry_refusal
from trader.inbox import Inbox, in_order
from trader.journal.memory import MemoryJournal
from trader.messages import Cancel, Clock, Effect, Input, SendOutcome, Submit
from trader.model import MINUTE_NS, SECOND_NS, Order, Phase, Quote, Symbol
from trader.ports import Batch
from trader.protector import Protector
from trader.reducer import Reducer
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.state import ExecutionState
from trader.strategies.base import Fill, SymbolView

DayEnded = Callable[[Day, ExecutionState], None]


class Driver:
    """See the module. `day_ended` hears of each day that had a bar, with the state at its end.

    stops: when every bar is of a day and nobody has to hear all, the moments that are visited anyway; None: all are.
    closing_minutes: so many before the close the clock is told each minute, because somebody leaves by it.
    """

    def __init__(
        self,
        *,
        lanes: Sequence[Lane],
        stops: Sequence[int] | None,
        broker: ReplayBroker,
        days: Days,
        write: Callable[[Batch], None],
        trades_at_open: bool,
        day_ended: DayEnded,
        events: Sequence[ScheduledEvent] = (),
        jumps: Sequence[KnownJump] = (),
        closing_minutes: int = 0,
    ) -> None:
        self.inputs: defaultdict[str, int] = defaultdict(int)
        self._lanes = lanes
        self._by_symbol = {lane.symbol: lane for lane in lanes}
        self._broker = broker
        self._days = days
        self._write = write
        self._trades_at_open = trades_at_open
        self._day_ended = day_ended
        self._day: Day | None = None
        self._now_ns = self._clock_ns = broker.venue.now_ns
        self._ended_ns = 0  # all bars that end until then have ended
        self._events = events
        self._between = Between(lanes, [one.at_ns for one in events], trades_at_open=trades_at_open)
        self._working = self._between.working
        self._closing_minutes = closing_minutes
        self._jumps = {} if days.is_always_open else jumps_in(lanes, events, jumps)
        self.course: Course = (
            Timeline(lanes)
            if stops is None
            else Visits(lanes, [*stops, *self._jumps], self._is_watched)
        )
        self._effects: deque[Effect] = deque()
        self._wanted: list[Input] = []
        self._filled: list[Lane] = []
        self._held: set[Symbol] = set()
        self._guarded: set[Symbol] = set()
        self._quotes: dict[Symbol, Quote] = {}
        inbox, pace = Inbox(), ReplayPace(lambda: self._now_ns)
        self._reducer = Reducer(inbox, pace)
        self.executor = Executor(
            ExecutionState(),
            inbox=inbox,
            journal=MemoryJournal(),  # A replay is told where to write.
            put=self._effects.append,
            publisher=self,
            pace=pace,
            acted=self._reducer.look,
            shows_minutes=False,  # which are too many here, and nothing in a symbol's state changes with them
        )
        self._protector = Protector(
            inbox=inbox, pace=pace, state=lambda: self.executor.state, quotes=self._quotes
        )
        self._protector.now_s = lambda: self._now_ns / SECOND_NS

    # ------------------------------------------------------------------------------------------- history

    def hear(self, inputs: Sequence[Input]) -> None:
        """One turn of the executor, without the clock: for what comes before history begins, and after it."""
        for one in inputs:
            self.inputs[type(one).__name__] += 1
        self.executor.replay(list(inputs), self._write)

    def run(self) -> None:
        """From the first bar to the last; then the day ends."""
        while (at_ns := self.course.upcoming_ns(self._ended_ns)) is not None:
            between_ns = self._between.next_ns()
            if between_ns is not None and between_ns < at_ns:
                self._pass(between_ns)  # What comes of it may be due before then.
                continue
            if self._day is None or at_ns > self._day.ends_ns:
                self._ended_ns = at_ns - 1
                self._enter_day(at_ns)
                if self._day is None:
                    self.course.pass_by()  # Bars between two sessions are nobody's.
                    continue
            self._instant(at_ns, self.course.arrive(at_ns, self._ended_ns))
        if self._day is not None:
            self._end_day(self._day)

    def _is_watched(self, lane: Lane) -> bool:
        """Orders that wait meet every bar; and while anything has a stop, every moment is one to look after it."""
        return lane.number in self._working or bool(self._guarded)

    def _instant(self, at_ns: int, lanes: list[Lane]) -> None:
        """Bars end: what waits trades within them, then their workers hear of them."""
        self._now_ns = self._ended_ns = at_ns
        wanted = self._wanted
        quotes = self._between.take_quotes(at_ns, are_heard=True)
        if self._working:
            self._trade([lane for lane in lanes if lane.number in self._working], quotes)
        if at_ns in self._jumps:
            for turn in self._jumps[at_ns]:
                self._turn(turn)
        for lane in lanes:
            wanted += lane.heard_bar()
        if self._guarded:
            self._guard(lanes)
        if self._wanted:
            self._settle()

    def _trade(self, lanes: Sequence[Lane], quotes: Sequence[Quote]) -> None:
        """What waits at the venue meets the bars of these that have just ended, and the quotes of the moment."""
        if not lanes and not quotes:
            return
        bars = [lane.bar for lane in lanes if lane.bar is not None]
        made = [] if self._trades_at_open else self._quotes_of(lanes)
        self._turn(self._broker.advance(self._now_ns, bars, [*made, *quotes]))
        for lane in lanes:
            lane.shown = lane.place
        quoted = {self._by_symbol[quote.symbol].number for quote in quotes}
        for number in sorted(quoted.union(lane.number for lane in lanes)):
            self._look_after(self._lanes[number])
        self._settle()

    def _quotes_of(self, lanes: Sequence[Lane]) -> list[Quote]:
        return [quote for lane in lanes if (quote := lane.quote()) is not None]

    def _guard(self, lanes: Sequence[Lane]) -> None:
        """What is held with a stop is looked after."""
        for lane in lanes:
            if lane.symbol in self._guarded and lane.bar is not None:
                quote = lane.quote()
                if quote is not None:
                    self._quotes[lane.symbol] = quote
                self._protector.ticked(lane.bar)
        self._protector.wake()
        self._settle()

    # ---------------------------------------------------------------------------------------------- time

    def _pass(self, start_ns: int) -> None:
        """The next moment between two visits: quotes come, what befalls does, or bars open."""
        self._ended_ns = start_ns
        self._enter_day(start_ns)
        quotes = self._between.take_quotes(start_ns, are_heard=self._day is not None)
        if quotes:
            self._now_ns = start_ns
            self._trade([], quotes)
        due: list[Lane] = []
        while (coming := self._between.take(start_ns)) is not None:
            number, place = coming
            if number < 0:
                self._befall(place) if number == EVENT else self._tick(start_ns)
                continue
            lane = self._lanes[number]
            self.course.catch_up(lane, start_ns)
            lane.expected = -1
            if self._day is not None and number in self._working:
                lane.opening = place
                due.append(lane)
            elif number in self._working:
                self._between.expect(lane, self._now_ns, after=place)
        if due:
            self._open(start_ns, due)

    def _tick(self, at_ns: int) -> None:
        if self._day is not None:
            self._now_ns = at_ns
            self._turn([self._clock()])
            self._settle()

    def _befall(self, place: int) -> None:
        """At its moment or, where that is on no day, at the end of the one before."""
        event = self._events[place]
        if self._day is not None:
            self._now_ns = max(event.at_ns, self._now_ns)
        self._turn(self._broker.befall(event))
        lane = self._by_symbol.get(event.symbol)
        if lane is not None and event.name is EventName.SPLIT:
            self._protector.split(event.symbol)
            self.course.catch_up(lane, self._ended_ns)
            lane.split(event.ratio, event.at_ns)
            self.course.touch(lane)
            self._look_after(lane)
        self._settle()

    def _open(self, start_ns: int, lanes: Sequence[Lane]) -> None:
        self._now_ns = start_ns
        heard = self._broker.advance(start_ns)
        for lane in lanes:
            heard += self._broker.open_bar(lane.bar_at(lane.opening))
        self._turn(heard)
        for lane in lanes:
            self._look_after(lane)
        self._settle()

    def _enter_day(self, at_ns: int) -> None:
        """The day of that moment is the day; another one has ended."""
        if self._day is not None and at_ns <= self._day.ends_ns:
            return
        if self._day is not None:
            self._end_day(self._day)
        self._day = self._days.day_of(at_ns)
        if self._day is not None:
            self._now_ns = max(self._day.begins_ns, self._now_ns)
            self._turn([self._clock()])
            for minutes in range(self._closing_minutes + 1):
                minute_ns = self._day.closes_ns - minutes * MINUTE_NS
                if minute_ns > self._now_ns:
                    self._between.add_minute(minute_ns)

    def _end_day(self, day: Day) -> None:
        """What was good for the day expires, fees are charged, and the account is looked at."""
        self._now_ns = day.ends_ns
        heard = self._broker.end_day(day.date, day.ends_ns)
        self._turn([self._clock(), *heard])
        for number in sorted(self._working):
            self._look_after(self._lanes[number])
        self._settle()
        self._day_ended(day, self.executor.state)
        self._day = None

    def _clock(self) -> Clock:
        day, at_ns = self._day, self._now_ns
        assert day is not None
        self._clock_ns = at_ns
        held = [self._by_symbol[symbol] for symbol in sorted(self._held)]
        for lane in held:
            self.course.catch_up(lane, self._ended_ns)
        return Clock(
            at_ns=at_ns,
            session=day.date,
            closes_ns=day.closes_ns,
            phase=self._phase(at_ns, day),
            marks={lane.symbol: lane.close for lane in held if lane.place >= 0},
        )

    def _phase(self, at_ns: int, day: Day) -> Phase:
        """A bar that is as long as its session is judged as its last moment."""
        if at_ns == day.closes_ns:
            for lane in self._lanes:
                self.course.catch_up(lane, self._ended_ns)
                bar = lane.bar
                if bar is None or bar.start_ns + bar.span_ns != at_ns:
                    continue
                if self._days.phase(bar.start_ns - 1) is not Phase.REGULAR:
                    return Phase.REGULAR
        return self._days.phase(at_ns)

    # ------------------------------------------------------------------------------------- what it leads to

    def publish(self, symbol: Symbol, view: SymbolView, fills: list[Fill]) -> None:
        """The executor's side: the new state of a symbol, and its fills."""
        lane = self._by_symbol.get(symbol)
        if lane is None:
            return
        lane.view = view
        self.course.touch(lane)
        if fills:
            lane.fills += fills
            self._filled.append(lane)
        if view.quantity:
            self._held.add(symbol)
        else:
            self._held.discard(symbol)
        position = self.executor.state.positions.get(symbol)
        if position is not None and position.protection is not None:
            self._guarded.add(symbol)
            self.course.touch_all()
        if symbol in self._guarded:
            self._protector.changed(symbol)
            if not view.quantity and not view.working:
                self._guarded.discard(symbol)
                self.course.touch_all()

    def _turn(self, inputs: list[Input]) -> None:
        """The executor hears these, at the time that it is."""
        if not inputs:
            return
        if self._clock_ns != self._now_ns:
            inputs = [self._clock(), *inputs]
        self.hear(inputs)

    def _settle(self) -> None:
        """Until nothing moves: fills are heard, orders leave one at a time, wishes are decided."""
        while True:
            if self._filled:
                lanes, self._filled = self._filled, []
                for lane in lanes:
                    self._wanted += lane.heard_fills()
            elif self._effects:
                self._carry(self._effects.popleft())
            elif self._wanted:
                # The list is handed out: _instant adds to it.
                batch = in_order(self._wanted)
                self._wanted.clear()
                self._turn(batch)
            elif not self._look():
                return

    def _look(self) -> bool:
        """Whether a stop, or a position that has to go, wants something."""
        if self._guarded:
            self._wanted += self._protector.look()
        if self.executor.state.reductions or self.executor.state.halt is not None:
            self._wanted += self._reducer.due()
        return bool(self._wanted)

    def _carry(self, effect: Effect) -> None:
        match effect:
            case Submit():
                self._send(effect.order)
            case Cancel():
                self._turn(self._broker.cancel(effect.order))
                self._look_after(self._by_symbol[effect.order.symbol])
            case _:
                pass  # The venue answers at once, so nothing is ever in doubt.

    def _send(self, order: Order) -> None:
        refusal = entry_refusal(self.executor.state, order)
        if refusal:
            never = SendOutcome(
                client_order_id=order.client_order_id, outcome="never_sent", reason=refusal
            )
            self._turn([never])
            return
        lane = self._by_symbol[order.symbol]
        shown = self._show(lane)
        self._turn([*shown, *self._broker.send(order)])
        self._look_after(lane)

    def _show(self, lane: Lane) -> list[Input]:
        """The venue learns what its market of the symbol is; while nothing waited there, nobody had to tell it."""
        self.course.catch_up(lane, self._ended_ns)
        bar = lane.bar
        if bar is None or lane.shown == lane.place:
            return []
        lane.shown = lane.place
        is_bare = self._trades_at_open and lane.quotes is None
        return self._broker.advance(self._now_ns, [bar], [] if is_bare else self._quotes_of([lane]))

    def _look_after(self, lane: Lane) -> None:
        """Whether something of it waits at the venue; the next bar's open is waited for then."""
        self.course.touch(lane)
        self.course.catch_up(lane, self._ended_ns)
        if not self._broker.has_open(lane.symbol):
            self._working.discard(lane.number)
            return
        self._working.add(lane.number)
        self._between.expect(lane, self._now_ns)
