"""`run` with a broker that is not ours: Alpaca's paper or live service, or a server here that speaks its protocol."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from trader.brokers.alpaca import (
    DATA_STREAM_URL,
    DATA_URL,
    LIVE_STREAM_URL,
    LIVE_URL,
    PAPER_STREAM_URL,
    PAPER_URL,
    AlpacaBroker,
    AlpacaFeed,
    Links,
    ReadOnlyAlpacaBroker,
)
from trader.brokers.alpaca.budget import PER_MINUTE
from trader.brokers.alpaca.stream import StreamDeadlines
from trader.build import Build
from trader.calendar import phase
from trader.clock import FreePace, RunningClock, machine_asleep_ns
from trader.config import BrokerName, Config, Fees
from trader.credentials import Credentials
from trader.doctor import Verdict, skew
from trader.executor import decided
from trader.exits import Exit, StartRefused
from trader.live.assembly import assembled, worker_plans
from trader.live.clock_check import clock_compared
from trader.live.controlled import controlled
from trader.live.opening import Books, halted_lines, opened, ready_lines, summary_of
from trader.live.run import STOPPED_EARLY, Ending, Stop, left_lines, run_clocked, stop_signals
from trader.live.screen import PlainScreen
from trader.live.self_test import self_test
from trader.live.summary import summary_lines
from trader.live.take_over import TakeOver, taken_over
from trader.live.telling import shown, told
from trader.live.watch import Bypass, freshness_of_run, last_check_of_late, watched
from trader.messages import Input, Statement
from trader.model import Phase
from trader.money import ZERO
from trader.outbox import SENDERS
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.reconciler import STATEMENT_SPAN_NS
from trader.state import ExecutionState
from trader.wire.alpaca_data import IEX_ONLY

HOLDINGS_NAMED_MAX = 8
# A dead connection holds the only place for about 90 s: a start outlasts it.
SERVICE_LINKS = Links(stream_deadlines=StreamDeadlines(start=100.0), requests_per_minute=PER_MINUTE)


class Addresses(Struct, frozen=True, kw_only=True):
    """Where a service's four doors are."""

    trading: str
    trading_stream: str
    data: str
    data_stream: str


PAPER = Addresses(
    trading=PAPER_URL,
    trading_stream=PAPER_STREAM_URL,
    data=DATA_URL,
    data_stream=DATA_STREAM_URL,
)
LIVE = Addresses(
    trading=LIVE_URL,
    trading_stream=LIVE_STREAM_URL,
    data=DATA_URL,
    data_stream=DATA_STREAM_URL,
)


def local(address: str) -> Addresses:
    """All four doors of one server on this machine."""
    streams = address.replace("http://", "ws://", 1)
    return Addresses(trading=address, trading_stream=streams, data=address, data_stream=streams)


class AlpacaRun(Struct, frozen=True, kw_only=True):
    """What was asked for. `speed` is market seconds a machine second: 1 but for an accelerated server of one's own."""

    config: Config
    config_path: Path | None
    database: Path
    log: Path
    broker: BrokerName
    addresses: Addresses
    credentials: Credentials
    is_local: bool
    dry_run: bool
    speed: float
    take_over: TakeOver | None = None
    bypasses: tuple[Bypass, ...] = ()


async def run_alpaca(run: AlpacaRun, build: Build, screen: PlainScreen) -> Exit:
    """Trade until somebody stops us; raises StartRefused where it can't begin."""
    async with stop_signals() as stop:
        with stop.inside:
            return await _lived(run, build, screen, stop)
    screen.say(STOPPED_EARLY)
    return stop.code


async def _lived(run: AlpacaRun, build: Build, screen: PlainScreen, stop: Stop) -> Exit:
    say = screen.say
    books = opened(
        run.database, create=not run.database.exists(), take_over=run.take_over is not None
    )
    try:
        for line in halted_lines(run.database, books.state):
            say(line)
        books = await taken_over(books, run.take_over, build, say)
        tested = await self_test()
        say(f"{build.line()} | {_headline(run)}")
        say(f"self-test: {tested}")
        ending = await _traded(run, build, books, stop, screen)
        summary = summary_of(books, ending.state)
        for line in summary_lines(summary):
            say(line)
        for line in left_lines(ending):
            say(line)
        screen.conclude(summary)
    finally:
        books.journal.close()
    if not summary.proof.holds or summary.cash_difference:
        return Exit.DIFFERENCES
    return Exit.INTERRUPTED if stop.by == "SIGINT" else ending.code


def _say_skew(broker_ns: int, screen: PlainScreen) -> None:
    apart = skew(broker_ns, time.time_ns())
    if apart.verdict is not Verdict.OK:
        screen.say(f"{apart.verdict} {apart.check}: {apart.what} ({apart.remedy})")


def _options(run: AlpacaRun) -> str:
    address = f" --address {run.addresses.trading}" if run.is_local else ""
    return f" --broker {run.broker.value}{address} --database {run.database.name}"


async def _check_unknown(
    run: AlpacaRun, books: Books, broker: ReadOnlyAlpacaBroker, since_ns: int
) -> None:
    """All that was told is heard for it only where there is something to find: it is much, with a thousand orders."""
    held = await broker.holdings()
    if any(not books.state.position(symbol).quantity for symbol in held):
        check_holdings(books, await broker.statement(since_ns), _options(run))


def check_holdings(books: Books, told: Sequence[Input], options: str = "") -> None:
    """What the account held before us is for a person to take into the books, before anything is traded.

    `options` say which account and which books, where `adopt` could not know.
    """
    unknown = unknown_holdings(books.state, told)
    if unknown:
        raise StartRefused(
            f"the account holds {', '.join(unknown[:HOLDINGS_NAMED_MAX])}, which the books don't know",
            where=str(books.journal.path),
            remedy=f"bin/trade adopt{options} takes them in, to trade or to leave alone",
        )


def unknown_holdings(state: ExecutionState, told: Sequence[Input]) -> list[str]:
    """What the account holds and the books will not, once they have heard all that was told.

    What our own orders bought while nobody was here to hear of it isn't that, nor is a sale that was taken back: the
    run books them.
    """
    statement = told[-1]
    assert isinstance(statement, Statement), "a statement ends with its Statement"
    heard, _ = decided(state, list(told[:-1]))
    return [
        f"{quantity} {symbol}"
        for symbol, quantity in sorted(statement.positions.items())
        if quantity and not heard.position(symbol).quantity
    ]


def _check_account(run: AlpacaRun, account: str) -> None:
    wanted = run.config.account
    if wanted and account != f"{run.broker.value}:{wanted}":
        raise StartRefused(
            f"these keys are of account {account}, the configuration names {wanted}",
            where=run.addresses.trading,
        )


def _with_fees(run: AlpacaRun) -> Config:
    """Alpaca's paper accounts are charged no regulatory fees, so none are accrued."""
    if run.broker is not BrokerName.ALPACA_PAPER or run.is_local:
        return run.config
    nothing = Fees(sell_notional_rate=ZERO, sell_share_rate=ZERO, sell_share_cap=ZERO)
    return replace(run.config, fees=nothing)


def _headline(run: AlpacaRun) -> str:
    money = "REAL MONEY" if run.broker is BrokerName.ALPACA_LIVE else "paper, no real money"
    where = run.addresses.trading if run.is_local else run.broker.value
    dry = " | DRY RUN: nothing is sent" if run.dry_run else ""
    return f"{run.broker.value} {where} | {money}{dry}"


async def _traded(
    run: AlpacaRun, build: Build, books: Books, stop: Stop, screen: PlainScreen
) -> Ending:
    fresh = freshness_of_run()
    clock = RunningClock(time.time_ns(), run.speed, asleep_ns=machine_asleep_ns)
    check = partial(last_check_of_late, books, fresh, lambda: clock(), run.speed)
    # One without a way to send, where nothing must be sent.
    sends = partial(AlpacaBroker, last_check=check, conservation=books.conservation)
    connect = ReadOnlyAlpacaBroker if run.dry_run else sends
    config = _with_fees(run)
    links = Links() if run.is_local else SERVICE_LINKS
    async with (
        connect(
            base_url=run.addresses.trading,
            stream_url=run.addresses.trading_stream,
            credentials=run.credentials,
            name=run.broker.value,
            market_ns=lambda: clock(),
            links=links,
        ) as broker,
        AlpacaFeed(
            rest_url=run.addresses.data,
            stream_url=run.addresses.data_stream,
            credentials=run.credentials,
            symbols=run.config.symbols,
            market_ns=lambda: clock(),
            is_expected=lambda at_ns: phase(at_ns) is Phase.REGULAR,
            links=links,
        ) as feed,
    ):
        try:
            account = await broker.identify()
            broker_ns = await broker.clock_ns()
            if run.is_local:
                clock = RunningClock(broker_ns, run.speed)  # Its market sleeps with this machine.
            else:
                _say_skew(broker_ns, screen)
            since_ns = (books.state.told_ns or clock()) - STATEMENT_SPAN_NS
            await _check_unknown(run, books, broker, max(0, since_ns))
        except (BrokerRefused, BrokerUnavailable) as error:
            raise StartRefused(str(error), where=run.addresses.trading) from None
        _check_account(run, account)
        pace = FreePace(lambda: clock(), run.speed)
        secrets, command = [run.credentials.secret()], run.config.alarm.command
        with told(books.journal, run.log, screen, secrets, command) as telling:
            parts = assembled(
                config,
                books.identity(run.broker.value, account, build),
                books.state,
                journal=books.journal,
                broker=broker,
                feed=feed,
                pace=pace,
                workers=worker_plans(run.config, run.config_path),
                last_check=books.last_check,
                conservation=books.conservation,
                listeners=telling.listeners(),
                senders=SENDERS,
            )

            def ready(state: ExecutionState) -> None:
                for line in ready_lines(run.config, state, f"account {account}, {IEX_ONLY}"):
                    screen.say(line)

            watch = watched(parts, telling, fresh, run.bypasses)
            control = controlled(parts, run.database, stop.asked, screen.say)
            clocks = clock_compared(broker.clock_skew_ns, parts.inbox.tell, clock)
            kept = clocks if run.speed == 1.0 else nullcontext()
            async with telling.following(parts), shown(screen, parts), watch, control, kept:
                return await run_clocked(parts, pace, ready=ready, stopped=stop.begins())
