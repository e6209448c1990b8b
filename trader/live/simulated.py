"""`run` with the simulated broker: a market, an account that goes on from run to run, a play, and a summary."""

import math
import time
from functools import partial
from pathlib import Path

from msgspec import Struct

from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed, Links
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.build import Build
from trader.calendar import Session, iso
from trader.clock import FreePace
from trader.config import Config
from trader.exits import Exit, Mistake, StartRefused
from trader.feeds.market import Market
from trader.feeds.synthetic import FIRST_SESSION
from trader.journal.lock import ProcessLock
from trader.live.archive import archive, broker_books
from trader.live.assembly import assembled, worker_plans
from trader.live.controlled import controlled
from trader.live.embedded import Embedded, Sessions
from trader.live.opening import Books, Say, halted_lines, opened, ready_lines, summary_of
from trader.live.run import (
    STOPPED_EARLY,
    Ending,
    Stop,
    left_lines,
    run_clocked,
    run_embedded,
    stop_signals,
)
from trader.live.screen import PlainScreen
from trader.live.self_test import self_test
from trader.live.summary import Summary, summary_lines
from trader.live.telling import shown, told
from trader.live.watch import Bypass, freshness_of_run, last_check, watched
from trader.outbox import SENDERS
from trader.scenarios.play import Outcome, Play
from trader.simulator.market_time import LAST_SESSION
from trader.simulator.scheduled import ScheduledEvent
from trader.state import ExecutionState

# Machine time has no say in what a settled day decides: what a poll finds first is no reason for a new stream.
SETTLED_LINKS = Links(stream_deadlines=StreamDeadlines(untold=math.inf))


class SimulatedRun(Struct, frozen=True, kw_only=True):
    """What was asked for; speed None is as fast as it settles. With `clock` the market runs free at that speed."""

    config: Config
    config_path: Path | None
    database: Path
    log: Path
    market: Market
    is_recorded: bool
    seed: int
    speed: float | None
    is_clocked: bool
    sessions: int
    first: str | None  # session of a new account
    play: Play
    fresh: bool
    bypasses: tuple[Bypass, ...] = ()
    events: tuple[ScheduledEvent, ...] = ()  # what befalls the account, over all its runs


async def run_simulated(run: SimulatedRun, build: Build, screen: PlainScreen) -> Exit:
    """The whole of it; raises Mistake or StartRefused where it can't begin."""
    worker_plans(run.config, run.config_path)  # A mistake in them is told before any file is made.
    async with stop_signals() as stop:
        with stop.inside:
            return await _lived(run, build, screen, stop)
    screen.say(STOPPED_EARLY)
    return stop.code


async def _lived(run: SimulatedRun, build: Build, screen: PlainScreen, stop: Stop) -> Exit:
    say = screen.say
    if run.fresh:
        _archived(run, say)
    books = _opened(run)
    try:
        for line in halted_lines(run.database, books.state):
            say(line)
        tested = await self_test()
        embedded = Embedded(_sessions(run), run.speed)
        async with embedded.served() as address:
            session = _next_session(run, embedded)
            say(f"{build.line()} | SIMULATED broker {address} | no keys, no real money")
            say(f"self-test: {tested}")
            ending = await _traded(run, build, books, embedded, session, stop, screen)
        account_id = embedded.broker.account.account_id
        summary = summary_of(books, ending.state, embedded.broker.venue, account_id)
        is_well = _say_ending(run, books, ending, summary, embedded, say)
        screen.conclude(summary)
    finally:
        books.journal.close()
    if not is_well:
        return Exit.DIFFERENCES
    return Exit.INTERRUPTED if stop.by == "SIGINT" else ending.code


def _archived(run: SimulatedRun, say: Say) -> None:
    """Move the old account aside, unless a program still writes it."""
    lock = ProcessLock(run.database, iso(time.time_ns()))
    try:
        folder = archive(run.database, run.log, time.time_ns())
    finally:
        lock.close()
    if folder is not None:
        say(f"archived the old account in {folder}")


def _opened(run: SimulatedRun) -> Books:
    broker_file = broker_books(run.database)
    is_new = not run.database.exists()
    if is_new and broker_file.exists():
        raise StartRefused(
            f"the broker's books are there ({broker_file.name}), ours are not",
            where=str(run.database),
            remedy="restore a backup, or start anew with --fresh",
        )
    return opened(run.database, create=is_new)


def _sessions(run: SimulatedRun) -> Sessions:
    return Sessions(
        market=run.market,
        seed=run.seed,
        books=broker_books(run.database),
        fees=run.config.fees,
        pre_market=run.is_recorded,
        session_max=None if run.is_recorded else run.sessions,
        first=run.first or FIRST_SESSION,
        events=run.events,
    )


def _next_session(run: SimulatedRun, embedded: Embedded) -> Session:
    session = embedded.next_session()
    if session is None:
        raise Mistake(
            "every session of this data was traded already"
            if run.is_recorded
            else f"the simulated market has no session after {LAST_SESSION}",
            where=str(run.database),
            remedy="start anew with --fresh, or give another --database",
        )
    for fault in run.play.faults(session):
        embedded.broker.faults.add(fault)
    for event in run.play.events(session):
        embedded.broker.schedule(event)
    return session


async def _traded(
    run: SimulatedRun,
    build: Build,
    books: Books,
    embedded: Embedded,
    session: Session,
    stop: Stop,
    screen: PlainScreen,
) -> Ending:
    streams = embedded.address.replace("http://", "ws://")
    settled, fresh = embedded.pace, freshness_of_run()
    pace = FreePace(embedded.broker.market_ns, run.speed or 1.0) if run.is_clocked else settled
    secrets = [embedded.credentials.secret()]
    async with (
        AlpacaBroker(
            base_url=embedded.address,
            stream_url=streams,
            credentials=embedded.credentials,
            name="simulated",
            market_ns=pace.market_ns,
            frame_taken=settled.frame_taken,
            links=SETTLED_LINKS,
            last_check=partial(last_check, books, fresh),
            conservation=books.conservation,
            is_clocked=run.is_clocked,
        ) as broker,
        AlpacaFeed(
            rest_url=embedded.address,
            stream_url=streams,
            credentials=embedded.credentials,
            symbols=run.config.symbols,
            market_ns=pace.market_ns,
            frame_taken=settled.frame_taken,
            links=SETTLED_LINKS,
        ) as feed,
    ):
        with told(books.journal, run.log, screen, secrets, run.config.alarm.command) as telling:
            parts = assembled(
                run.config,
                books.identity("simulated", await broker.identify(), build),
                books.state,
                journal=books.journal,
                broker=broker,
                feed=feed,
                pace=pace,
                workers=run.play.cast(worker_plans(run.config, run.config_path), session),
                last_check=books.last_check,
                conservation=books.conservation,
                listeners=telling.listeners(),
                senders=SENDERS if run.is_clocked else 1,
            )

            def ready(state: ExecutionState) -> None:
                for line in ready_lines(run.config, state, f"seed {run.seed}, {_speed_words(run)}"):
                    screen.say(line)

            watch = watched(parts, telling, fresh, run.bypasses)
            control = controlled(parts, run.database, stop.asked, screen.say)
            async with telling.following(parts), shown(screen, parts), watch, control:
                stopped = stop.begins()
                if isinstance(pace, FreePace):
                    return await run_clocked(
                        parts,
                        pace,
                        ready=ready,
                        stopped=stopped,
                        market=lambda: embedded.run_clock(run.speed or 1.0),
                    )
                return await run_embedded(parts, embedded, run.play, ready=ready, stopped=stopped)


def _speed_words(run: SimulatedRun) -> str:
    return "as fast as it settles" if run.speed is None else f"a day in {23_400 / run.speed:.0f} s"


def _say_ending(
    run: SimulatedRun,
    books: Books,
    ending: Ending,
    summary: Summary,
    embedded: Embedded,
    say: Say,
) -> bool:
    """The last lines; False where something in them is not as it should be."""
    for line in summary_lines(summary):
        say(line)
    broker = embedded.broker
    outcome = Outcome(
        state=ending.state,
        accepted=tuple(broker.venue.state.orders.values()),
        symbols=run.config.symbols,
        venue=broker.venue,
        journal=books.journal.entries,
        struck=tuple(zip(broker.faults.rules, broker.faults.strikes, strict=True)),
        happened=tuple(broker.happened),
    )
    violations = run.play.judged(outcome)
    for violation in violations:
        say(f"VIOLATION {violation}")
    if not violations and (verdict := run.play.verdict(outcome)):
        say(verdict)
    for line in left_lines(ending):
        say(line)
    return summary.proof.holds and not summary.cash_difference and not violations
