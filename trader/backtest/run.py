"""From a request to an outcome: puts workers, executor, venue and history together, and says what came of it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

import msgspec
import numpy as np

from trader.backtest.broker import ACCOUNT, ReplayBroker
from trader.backtest.days import Day, Days, RoundTheClock, Sessions
from trader.backtest.driver import Driver
from trader.backtest.fitness import fit
from trader.backtest.hearing import OneByOne, Ways
from trader.backtest.lanes import Lane
from trader.backtest.listening import ListeningWorker
from trader.backtest.outcome import EquityPoint, Identity, Outcome
from trader.backtest.recorder import Recorder, Written
from trader.backtest.request import BacktestRequest, Fills, Hearing
from trader.backtest.shares import ShareHistory
from trader.backtest.visits import day_stops
from trader.build import Build
from trader.calendar import iso
from trader.config import AtClose
from trader.feeds.columns import Columns, from_place
from trader.feeds.quotes import dates_of
from trader.live.assembly import Identity as LifeIdentity
from trader.live.assembly import boot_of, worker_plans
from trader.messages import Boot, Gate, GateReport, LifeEnd
from trader.model import Symbol
from trader.money import ZERO, plain
from trader.simulator.scheduled import ScheduledEvent
from trader.state import ExecutionState
from trader.strategies import settings_of
from trader.supervisor import WorkerPlan
from trader.worker import Worker

EPOCH = 1
PID = 0
GATES = (Gate.TRADING_STREAM, Gate.MARKET_DATA)
WHY = "history"
DATES_NAMED_MAX = 3


def backtested(
    request: BacktestRequest,
    build: Build,
    *,
    data: str,
    journal: Written | None = None,
    progress: Callable[[int, int], None] = lambda bars, of: None,
) -> Outcome:
    """Run it; `data` is the identity of the histories. Raises Mistake where a strategy can't be made."""
    days: Days = RoundTheClock() if request.is_always_open else Sessions()
    request, unfit = fit(request)
    request, past = _begun(request)
    lanes, stops = _lanes(request, past, days)
    recorder = Recorder(journal, None if request.brakes else request.config.limits)
    points = _Points(progress, request.histories)
    first_ns, last_ns = _span(request)
    events, events_told = _befalling(request, days, first_ns, last_ns)
    broker = ReplayBroker(
        request.symbols,
        terms=request.venue_terms(),
        cash=request.cash,
        at_ns=first_ns,
        seed=request.seed,
    )
    driver = Driver(
        lanes=lanes,
        stops=stops,
        broker=broker,
        days=days,
        write=recorder.write,
        trades_at_open=request.fills is not Fills.QUOTE,
        day_ended=points.day_ended,
        events=events,
        jumps=request.jumps,
        closing_minutes=_closing_minutes(request),
    )
    points.driver = driver
    driver.hear([_boot(request, build, first_ns)])
    driver.hear([GateReport(gate=gate, is_open=True, reason=WHY) for gate in GATES])
    driver.hear([broker.statement()])
    driver.run()
    driver.hear([broker.statement()])
    driver.hear([LifeEnd(at_ns=broker.venue.now_ns, exit_code=0)])
    recorder.flush()
    state = driver.executor.state
    return Outcome(
        identity=identity_of(request, build, data),
        strategy=", ".join(request.config.strategies),
        parameters=_parameters(request),
        symbols=request.symbols,
        first_ns=first_ns,
        last_ns=last_ns,
        bars=driver.course.bars,
        heard=", ".join(sorted({lane.listener.how for lane in lanes})),
        opening_cash=request.cash,
        equity=tuple(points.points),
        fills=tuple(recorder.fills),
        fees=plain(state.books.fees),
        orders=state.counts.accepted,
        unfilled=len(broker.venue.open_orders()),
        accepted=state.counts.accepted,
        blocked=state.counts.blocked,
        denied=dict(sorted(recorder.denied.items())),
        inputs=dict(sorted(driver.inputs.items())),
        assumed=(*_assumed(request), *events_told, *_passed_by(request, driver.course.bars)),
        quarantined=dict(sorted(recorder.quarantined.items())),
        would_have_halted=tuple(said for _, said in sorted(recorder.would_have_halted.items())),
        unfit=(*request.left_out, *unfit),
    )


class _Points:
    """The account at each day's end."""

    def __init__(self, progress: Callable[[int, int], None], histories: Sequence[Columns]) -> None:
        self.points: list[EquityPoint] = []
        self.driver: Driver | None = None
        self._deposits = ZERO
        self._progress = progress
        self._bars = sum(map(len, histories))
        self._in_files = [one for one in histories if not one.are_in_memory]

    def day_ended(self, day: Day, state: ExecutionState) -> None:
        assert self.driver is not None
        self._progress(self.driver.course.bars, self._bars)
        for one in self._in_files:
            one.rest()
        self.points.append(
            EquityPoint(
                at_ns=day.ends_ns,
                session=day.date,
                equity=plain(state.equity),
                cash=plain(state.books.cash),
                positions_value=plain(state.positions_value),
                deposited=plain(state.books.deposits - self._deposits),
            )
        )
        self._deposits = state.books.deposits


def _closing_minutes(request: BacktestRequest) -> int:
    """The most that a strategy has left by before the close; 0 where none leaves."""
    leave = [
        one.minutes_before_close
        for one in request.config.strategies.values()
        if one.at_close is not AtClose.KEEP
    ]
    return 0 if request.is_always_open else max(leave, default=0)


def _span(request: BacktestRequest) -> tuple[int, int]:
    histories = [one for one in request.histories if len(one)]
    first_ns = min((int(one.start_ns[0]) for one in histories), default=0)
    return first_ns, max((int(one.ends_ns[-1]) for one in histories), default=0)


def _befalling(
    request: BacktestRequest, days: Days, first_ns: int, last_ns: int
) -> tuple[Sequence[ScheduledEvent], Sequence[str]]:
    """What befalls the account, from the beginning of the first bar's day on; and a word about what doesn't."""
    if not request.events:
        return (), ()
    day = days.day_of(first_ns) if last_ns else None
    begins_ns = first_ns if day is None else min(day.begins_ns, first_ns)
    events = [one for one in request.events if begins_ns <= one.at_ns <= last_ns]
    left_out = len(request.events) - len(events)
    within = f"before {iso(begins_ns)} or after {iso(last_ns)}"
    return events, (f"events {within} are left out: {left_out}",) if left_out else ()


def _begun(request: BacktestRequest) -> tuple[BacktestRequest, Mapping[Symbol, ShareHistory]]:
    """The request over the bars that it trades on; and all that there are, by symbol."""
    past = {one.symbol: ShareHistory(one, request.events) for one in request.histories}
    if not request.begins_ns:
        return request, past
    begun = [
        from_place(one, int(np.searchsorted(one.start_ns, request.begins_ns)))
        for one in request.histories
    ]
    return msgspec.structs.replace(request, histories=begun), past


def _lanes(
    request: BacktestRequest, past: Mapping[Symbol, ShareHistory], days: Days
) -> tuple[list[Lane], list[int] | None]:
    """And the moments that are visited anyway; None where every bar is, for somebody has to hear of each."""
    stops = day_stops(request.histories, days)
    if stops is not None:
        columns = request.columns
        # What is said of a whole column is kept: of more history than memory is spent on it is too much.
        is_kept = all(one.are_in_memory for one in request.histories)
        ways = Ways(
            library=columns is Hearing.ON or (columns is Hearing.AUTO and is_kept),
            own=columns is Hearing.ON,
            ahead=request.runs_ahead,
        )
        lanes = _lanes_heard(request, past, ways)
        if not any(isinstance(lane.listener, OneByOne) for lane in lanes):
            return lanes, stops
    return _lanes_heard(request, past, Ways()), None


def _lanes_heard(
    request: BacktestRequest, past: Mapping[Symbol, ShareHistory], ways: Ways
) -> list[Lane]:
    plans, quotes = worker_plans(request.config, None), request.quotes_by_symbol
    return [
        Lane(
            number,
            columns,
            past[columns.symbol],
            partial(_hired, past, request, [one for one in plans if one.symbol == columns.symbol]),
            request.terms.spread_rate,
            ways,
            quotes.get(columns.symbol),
        )
        for number, columns in enumerate(request.histories)
    ]


def _hired(
    past: Mapping[Symbol, ShareHistory],
    request: BacktestRequest,
    plans: Sequence[WorkerPlan],
    incarnation: int,
) -> list[Worker]:
    named = f"{EPOCH}.{incarnation}"
    return [
        _listening(past, request, plan, named)
        if plan.hears
        else Worker(
            name=plan.name,
            incarnation=named,
            account=ACCOUNT,
            symbol=plan.symbol,
            strategy=plan.make(),
            extended_hours=request.config.extended_hours,
            protection=plan.protection,
        )
        for plan in plans
    ]


def _listening(
    past: Mapping[Symbol, ShareHistory],
    request: BacktestRequest,
    plan: WorkerPlan,
    incarnation: str,
) -> ListeningWorker:
    return ListeningWorker(
        name=plan.name,
        incarnation=incarnation,
        account=ACCOUNT,
        make=plan.make,
        own=past[plan.symbol],
        others=[past[one] for one in plan.hears],
        extended_hours=request.config.extended_hours,
        protection=plan.protection,
    )


def _boot(request: BacktestRequest, build: Build, at_ns: int) -> Boot:
    life = LifeIdentity(epoch=EPOCH, build=build, pid=PID, broker="backtest", account=ACCOUNT)
    return boot_of(msgspec.structs.replace(request.config, limits=request.limits), life, at_ns)


# ---------------------------------------------------------------------------------------------- saying so


def _parameters(request: BacktestRequest) -> dict[str, str]:
    """What it was run with, what was given of a strategy first, then what it is by default."""
    told: dict[str, str] = {}
    for name, strategy in request.config.strategies.items():
        settings = settings_of(strategy.kind, strategy.params)
        # Its own before those that it shares with others.
        own = type(settings).__annotations__
        ordered = sorted(settings.__struct_fields__, key=lambda key: key not in own)
        values = {key: getattr(settings, key) for key in ordered}
        for key, value in (strategy.params | values).items():
            if value is not None:
                told[f"{name}.{key}"] = str(value)
        ((unit, amount),) = strategy.size.given().items()
        told[f"{name}.size"] = f"{unit} {amount}"
    return told | {"cash": str(request.cash), "fills": request.fills.value}


def identity_of(request: BacktestRequest, build: Build, data: str) -> Identity:
    """What the outcome of the request is a function of."""
    whole = msgspec.json.encode(
        {
            "config": request.config,
            "cash": request.cash,
            "fills": request.fills,
            "terms": request.terms,
            "always": request.is_always_open,
            "brakes": request.brakes,
            "events": request.events,
            "jumps": request.jumps,
        },
        order="deterministic",
    )
    return Identity(
        code=build.identity,
        data=data,
        parameters=hashlib.sha256(whole).hexdigest(),
        seed=request.seed,
    )


def _assumed(request: BacktestRequest) -> tuple[str, ...]:
    terms, fees = request.terms, request.config.fees
    part = f"at most {terms.bar_participation * 100:f} % of a bar's volume trades with us"
    lag = f"an order needs {terms.latency_ns / 1e9:g} s to arrive" if terms.latency_ns else ""
    slip = (
        f"prices without a limit slip by {terms.slippage_rate * 100:f} %"
        if terms.slippage_rate
        else ""
    )
    cost = (
        f"sales cost {fees.sell_notional_rate} of their worth and {fees.sell_share_rate} dollars a share"
        + (
            f", and each share {terms.commission_share_rate} dollars of commission"
            if terms.commission_share_rate
            else ""
        )
    )
    clock = "the market never closes" if request.is_always_open else "the exchange's sessions"
    brakes = "brakes on" if request.brakes else "brakes for losses and repeated buys were off"
    known = [f"{one.symbol} jumped before {one.date}: {one.reason}" for one in request.jumps]
    return tuple(
        one
        for one in (*_prices(request), part, slip, lag, cost, clock, brakes, *known, *request.told)
        if one
    )


def _passed_by(request: BacktestRequest, heard: int) -> Iterator[str]:
    passed = sum(map(len, request.histories)) - heard
    if passed:
        yield f"{passed:,} bars of no session (nights, weekends, holidays) are left out"


def _prices(request: BacktestRequest) -> Iterator[str]:
    """At which prices orders traded; of quotes that were told, where they lack."""
    half = (request.terms.spread_rate / 2 * Decimal(10_000)).normalize()
    at_open = f"at the open of the next bar, {half:f} basis points worse"
    quoted = request.quotes_by_symbol
    if request.fills is Fills.QUOTE:
        yield f"an order trades at once with a quote around the close, {half:f} basis points to each side"
        return
    if request.fills is Fills.OPEN:
        yield f"an order trades {at_open}"
        return
    yield (
        "buys trade at the ask, sales at the bid of the next quote, up to its size: "
        "the next that is known once an order was decided and has arrived"
    )
    bare = [symbol for symbol in request.symbols if symbol not in quoted]
    if bare:
        yield f"{', '.join(bare)} had no quotes: orders trade {at_open}"
    for one in request.histories:
        if one.symbol not in quoted:
            continue
        lacking = sorted(dates_of(one.ends_ns - 1) - dates_of(quoted[one.symbol].at_ns))
        if lacking:
            which = ", ".join(lacking[:DATES_NAMED_MAX])
            more = (
                f" and {len(lacking) - DATES_NAMED_MAX:,} more"
                if len(lacking) > DATES_NAMED_MAX
                else ""
            )
            yield f"{one.symbol} had no quotes on {which}{more}: nothing of it trades then"
