"""Puts the parts of a run together: executor, lanes, tape and worker plans, over whichever journal, broker and feed."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from trader import __version__
from trader.build import Build
from trader.config import AtClose, Config, configured
from trader.conservation import Conservation
from trader.executor import Executor, entry_refusal
from trader.exits import Mistake
from trader.heartbeat import BeatingPace, Heart
from trader.inbox import Inbox
from trader.market_guard import Rejection
from trader.messages import Boot, Entry, Input
from trader.model import AccountId, Bar, Order, Quote, Symbol
from trader.outbox import Outbox, lanes_needed
from trader.overnight import Overnight
from trader.ports import Batch, Broker, Feed, Journal, Pace
from trader.protector import Protector
from trader.reducer import Reducer
from trader.state import ExecutionState
from trader.strategies import build
from trader.strategies.base import Strategy, StrategyError
from trader.supervisor import Parts, WorkerPlan
from trader.tape import Tape


class Identity(Struct, frozen=True, kw_only=True):
    """Whose life this is."""

    epoch: int
    build: Build
    pid: int
    broker: str
    account: AccountId


class Listeners(Struct, frozen=True, kw_only=True):
    """Who hears of what is not in the journal: unfit ticks, and inputs that could not be recorded."""

    rejected_tick: Callable[[Bar | Quote, Rejection], None] = lambda tick, why: None
    unjournaled: Callable[[Iterable[Input], str], None] = lambda requests, why: None


def assembled(
    config: Config,
    identity: Identity,
    state: ExecutionState,
    *,
    journal: Journal,
    broker: Broker,
    feed: Feed,
    pace: Pace,
    workers: Sequence[WorkerPlan],
    last_check: Callable[[Order], str],
    conservation: Conservation,
    listeners: Listeners,
    senders: int = 1,
) -> Parts:
    """The parts, wired; nothing runs yet. At a settled pace orders leave one at a time; a clock waits for nobody."""
    inbox, heart = Inbox(), Heart()
    pace = BeatingPace(pace, heart)
    outbox = Outbox(
        broker=broker,
        inbox=inbox,
        pace=pace,
        senders=senders,
        capacity=lanes_needed(state, config.limits, len(config.symbols)),
        last_check=lambda order: last_check(order) or entry_refusal(executor.state, order),
        untold=conservation.untold,
    )
    reducer = Reducer(inbox, pace)
    tape = Tape(config.symbols, pace.market_ns, listeners.rejected_tick)
    executor = Executor(
        state,
        inbox=inbox,
        journal=_ReadAlong(journal, conservation),
        put=outbox.put,
        publisher=tape,
        pace=pace,
        unjournaled=listeners.unjournaled,
        acted=reducer.look,
    )
    tape.limited = inbox.try_tell
    overnight = Overnight(tape, feed, pace, inbox, pace.market_ns)
    tape.listener = protector = Protector(
        inbox=inbox, pace=pace, state=lambda: executor.state, quotes=tape.quotes
    )
    boot = boot_of(config, identity, pace.market_ns())
    return Parts(
        boot=boot,
        broker=broker,
        feed=feed,
        pace=pace,
        inbox=inbox,
        outbox=outbox,
        executor=executor,
        tape=tape,
        overnight=overnight,
        protector=protector,
        reducer=reducer,
        workers=tuple(workers),
        heart=heart,
        extended_hours=config.extended_hours,
    )


class _ReadAlong:
    """A journal whose rows the last line reads, once they are durable and before anything is done because of them."""

    def __init__(self, journal: Journal, conservation: Conservation) -> None:
        self._journal = journal
        self._conservation = conservation

    @property
    def head(self) -> int:
        return self._journal.head

    async def commit(self, batch: Batch) -> None:
        await self._journal.commit(batch)
        for entry in batch.entries:
            self._conservation.read(entry)

    async def read(self, after: int, limit: int) -> list[Entry]:
        return await self._journal.read(after, limit)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        return self._journal.entries(after)


def boot_of(config: Config, identity: Identity, at_ns: int) -> Boot:
    """The first word of a life: who it is, by which code, limits and fees it lives."""
    build = identity.build
    return Boot(
        epoch=identity.epoch,
        build=build.identity,
        pid=identity.pid,
        version=__version__,
        broker=identity.broker,
        account=identity.account,
        symbols=tuple(sorted(config.symbols)),
        limits=config.limits,
        fees=config.fees,
        at_ns=at_ns,
        python=build.python,
        lock=build.lock,
        commit=build.commit or "",
        is_modified=bool(build.modified),
        closings={
            name: strategy.closing
            for name, strategy in sorted(config.strategies.items())
            if strategy.at_close is not AtClose.KEEP
        },
        strategies={
            name: configured(strategy) for name, strategy in sorted(config.strategies.items())
        },
    )


def worker_plans(config: Config, where: Path | None) -> list[WorkerPlan]:
    """One worker for each symbol and configured strategy; raises Mistake where a strategy can't be made."""
    plans: list[WorkerPlan] = []
    for name, wanted in config.strategies.items():
        try:
            strategy = build(wanted.kind, name, wanted.params, wanted.size.size)
            heard = heard_by(strategy, config.symbols)
        except StrategyError as error:
            raise Mistake(str(error), where=str(where or "")) from None
        for symbol in sorted(config.symbols):
            plans.append(
                WorkerPlan(
                    name=f"{symbol}/{name}",
                    symbol=Symbol(symbol),
                    make=lambda name=name, wanted=wanted: build(  # type: ignore[misc]
                        wanted.kind, name, wanted.params, wanted.size.size
                    ),
                    protection=wanted.protection,
                    hears=heard[symbol],
                )
            )
    return plans


def heard_by(strategy: Strategy, symbols: Collection[Symbol]) -> dict[Symbol, tuple[Symbol, ...]]:
    """Which others each symbol's worker hears; raises StrategyError where the strategy lacks one, or hears nobody."""
    heard = {one: tuple(sorted(set(strategy.hears(one)) - {one})) for one in symbols}
    for symbol, others in heard.items():
        if missing := set(others) - set(symbols):
            raise StrategyError(
                f"{strategy.name} on {symbol} hears {min(missing)}, which is none of the symbols"
            )
    if type(strategy).hears is not Strategy.hears and not any(heard.values()):
        raise StrategyError(f"{strategy.name} trades none of the symbols")
    return heard
