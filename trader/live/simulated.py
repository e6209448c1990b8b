"""`run` with the simulated broker: a market, an account that goes on from run to run, a play, and a summary."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio
from msgspec import Struct

from trader.brokers.alpaca import AlpacaBroker, AlpacaFeed
from trader.build import Build
from trader.calendar import iso
from trader.config import Config, limits_lines
from trader.exits import Exit, Mistake, StartRefused
from trader.feeds.market import Market
from trader.journal.sqlite import SqliteJournal, entries_of, open_journal, reading_connection
from trader.live.archive import archive, broker_books
from trader.live.assembly import Identity, Listeners, assembled, worker_plans
from trader.live.embedded import Embedded, Sessions
from trader.live.run import Ending, run_embedded, stop_signals
from trader.live.self_test import self_test
from trader.live.summary import Summary, orders_of_life, proven, summary_lines, summed_up
from trader.messages import Gate
from trader.scenarios.play import Outcome, Play
from trader.state import ExecutionState, fold


class SimulatedRun(Struct, frozen=True, kw_only=True):
    """What was asked for; speed None is as fast as it settles, data None is the synthetic market."""

    config: Config
    config_path: Path | None
    database: Path
    log: Path
    market: Market
    is_recorded: bool
    seed: int
    speed: float | None
    play: Play
    fresh: bool


Say = Callable[[str], None]


async def run_simulated(run: SimulatedRun, build: Build, say: Say) -> Exit:
    """The whole of it; raises Mistake or StartRefused where it can't begin."""
    if run.fresh and (folder := archive(run.database, run.log, time.time_ns())) is not None:
        say(f"archived the old account in {folder}")
    journal = _opened(run)
    try:
        state = fold(ExecutionState(), journal.entries())
        tested = await self_test()
        embedded = Embedded(
            Sessions(
                market=run.market,
                seed=run.seed,
                books=broker_books(run.database),
                fees=run.config.fees,
                pre_market=run.is_recorded,
                session_max=None if run.is_recorded else 1,
            ),
            run.speed,
        )
        async with stop_signals() as stop, embedded.served() as address:
            say(f"{build.line()} | SIMULATED broker {address} | no keys, no real money")
            say(f"self-test: {tested}")
            ending = await _traded(run, build, journal, state, embedded, stop.event, say)
        summary = _summary(run, journal, ending, embedded)
        _say_ending(run, ending, summary, embedded, say)
    finally:
        journal.close()
    if stop.by == "SIGINT":
        return Exit.INTERRUPTED
    return ending.code if summary.proof.holds and not summary.cash_difference else Exit.DIFFERENCES


def _opened(run: SimulatedRun) -> SqliteJournal:
    books = broker_books(run.database)
    is_new = not run.database.exists()
    if is_new and books.exists():
        raise StartRefused(
            f"the broker's books are there ({books.name}), ours are not",
            where=str(run.database),
            remedy="restore a backup, or start anew with --fresh",
        )
    return open_journal(run.database, create=is_new, since=iso(time.time_ns()))


async def _traded(
    run: SimulatedRun,
    build: Build,
    journal: SqliteJournal,
    state: ExecutionState,
    embedded: Embedded,
    stopped: trio.Event,
    say: Say,
) -> Ending:
    session = embedded.next_session()
    if session is None:
        raise Mistake(
            "every session of this data was traded already",
            where=str(run.database),
            remedy="start anew with --fresh, or give another --database",
        )
    for fault in run.play.faults(session):
        embedded.broker.faults.add(fault)
    streams = embedded.address.replace("http://", "ws://")
    async with (
        AlpacaBroker(
            base_url=embedded.address,
            stream_url=streams,
            credentials=embedded.credentials,
            name="simulated",
            market_ns=embedded.pace.market_ns,
            frame_taken=embedded.pace.frame_taken,
        ) as broker,
        AlpacaFeed(
            rest_url=embedded.address,
            stream_url=streams,
            credentials=embedded.credentials,
            symbols=run.config.symbols,
            frame_taken=embedded.pace.frame_taken,
        ) as feed,
    ):
        account = await broker.identify()
        if state.account and state.account != account:
            raise StartRefused(
                f"holds the books of {state.account}, and this broker's account is {account}",
                where=str(run.database),
                remedy="give another --database",
            )
        parts = assembled(
            run.config,
            Identity(
                epoch=journal.begin_life(),
                build=build.identity,
                pid=os.getpid(),
                broker="simulated",
                account=account,
            ),
            state,
            journal=journal,
            broker=broker,
            feed=feed,
            pace=embedded.pace,
            workers=run.play.cast(worker_plans(run.config, run.config_path), session),
            last_check=lambda order: (
                "" if journal.still_ours() else "the database isn't ours any more"
            ),
            listeners=Listeners(),
        )

        def ready(state: ExecutionState) -> None:
            for line in _ready_lines(run, state):
                say(line)

        ending = await run_embedded(parts, embedded, run.play, ready=ready, stopped=stopped)
    return ending


def _ready_lines(run: SimulatedRun, state: ExecutionState) -> Sequence[str]:
    held = sum(1 for one in state.positions.values() if one.quantity)
    agrees = "differ from" if state.quarantined else "="
    allowed = "Entries allowed." if not state.halted else f"HALTED by {state.halted}."
    closed = [
        f"{gate.value}: {why}" for gate, why in state.gates_closed if gate is not Gate.SHUTDOWN
    ]
    if closed:
        allowed = f"Entries closed ({'; '.join(closed)})."
    speed = "as fast as it settles" if run.speed is None else f"a day in {23_400 / run.speed:.0f} s"
    return (
        *limits_lines(run.config.limits),
        f"books {agrees} broker: cash {state.books.cash:,.2f}, {held} positions, {_open_orders(state)} open orders. "
        f"{allowed} {len(run.config.symbols)} symbols, seed {run.seed}, {speed}",
    )


def _open_orders(state: ExecutionState) -> int:
    return sum(len(one.entries) + len(one.exits) for one in state.positions.values())


def _summary(
    run: SimulatedRun, journal: SqliteJournal, ending: Ending, embedded: Embedded
) -> Summary:
    reader = reading_connection(run.database)
    try:
        orders = orders_of_life(entries_of(reader), ending.state.epoch)
        proof = proven(
            reader,
            journal.entries(),
            ending.state,
            embedded.broker.venue,
            embedded.broker.account.account_id,
        )
    finally:
        reader.close()
    return summed_up(ending.state, orders, proof)


def _say_ending(
    run: SimulatedRun, ending: Ending, summary: Summary, embedded: Embedded, say: Say
) -> None:
    for line in summary_lines(summary):
        say(line)
    outcome = Outcome(
        state=ending.state,
        accepted=tuple(embedded.broker.venue.state.orders.values()),
        symbols=run.config.symbols,
    )
    for violation in run.play.violations(outcome):
        say(f"VIOLATION {violation}")
    if verdict := run.play.verdict(outcome):
        say(verdict)
    for one in ending.unproved:
        say(f"UNPROVED {one}: bin/trade orders --unknown")
