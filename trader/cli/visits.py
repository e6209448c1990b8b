"""What the verbs share that ask a broker and write what a person decides about its answer: adopt and reconcile."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import click
import trio
from msgspec import Struct

from trader.build import running_build
from trader.cli.keys import credentials
from trader.cli.loopback import loopback
from trader.cli.options import Common, read_config
from trader.config import BrokerName, Config
from trader.executor import decided
from trader.exits import JournalBroken, StartRefused
from trader.journal.lock import writer_of
from trader.live.archive import broker_books
from trader.live.assembly import boot_of
from trader.live.opening import Books, opened
from trader.live.visit import Told, Visit, addresses_of, asked
from trader.messages import Input, LifeEnd
from trader.model import MINUTE_NS
from trader.ports import Batch, JournalFailed
from trader.state import ExecutionState

P = ParamSpec("P")
R = TypeVar("R")
STATEMENT_SPAN_NS = 7 * 24 * 60 * MINUTE_NS


class Whom(Struct, frozen=True, kw_only=True):
    """Which broker, as it was asked for."""

    broker: str | None
    address: str | None
    keys: str | None


def broker_options(
    verb: Callable[Concatenate[Common, Whom, P], R],
) -> Callable[Concatenate[Common, P], R]:
    """Give a verb --broker --address --keys, bundled as its second argument."""

    @click.option(
        "--broker", type=click.Choice([one.value for one in BrokerName]), help="Whose account."
    )
    @click.option(
        "--address", metavar="URL", help="A server on this machine instead of Alpaca's own."
    )
    @click.option("--keys", metavar="FILE", help="The broker's keys.  [default: the environment]")
    @functools.wraps(verb)
    def with_broker(common: Common, /, *args: P.args, **kwargs: P.kwargs) -> R:
        whom = Whom(
            broker=_text(kwargs.pop("broker")),
            address=_text(kwargs.pop("address")),
            keys=_text(kwargs.pop("keys")),
        )
        return verb(common, whom, *args, **kwargs)

    return with_broker


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class Session(Struct, frozen=True, kw_only=True):
    """An open journal with a life of its own, and what the broker said to it."""

    books: Books
    told: Told
    state: ExecutionState
    config: Config


def visit(common: Common, whom: Whom, *, create: bool = False) -> Session:
    """Open the journal, ask the broker, begin a life; raises Mistake or StartRefused. The caller ends it."""
    config = read_config(common)
    if not common.database.exists():
        _there(common, _which(whom, config, ExecutionState()))
    books = opened(common.database, create=create and not common.database.exists())
    try:
        told = told_by(common, whom, config, books.state)
        broker = _which(whom, config, books.state)
        identity = books.identity(broker.value, told.account, running_build())
        boot = boot_of(config, identity, max(books.state.at_ns, told.statement.at_ns))
        state = write(books, books.state, [boot])
        state = write(books, state, list(told.inputs))
    except BaseException:
        books.journal.close()
        raise
    return Session(books=books, told=told, state=state, config=config)


def asked_beside(
    common: Common, whom: Whom, state: ExecutionState, since_ns: int | None = None
) -> Told:
    """What the broker says, while the program may be running; nothing is written. Raises Mistake or StartRefused."""
    config = read_config(common)
    if _which(whom, config, state) is BrokerName.SIMULATED:
        writer = writer_of(common.database)
        if writer is not None:
            raise StartRefused(
                f"process {writer[0]} runs, and the simulated broker within it",
                where="--broker simulated",
                remedy="stop it first, or leave --broker out",
            )
        _there(common, BrokerName.SIMULATED)
    told = told_by(common, whom, config, state, since_ns)
    if state.account and told.account != state.account:
        raise StartRefused(
            f"the broker's account is {told.account}, the books are of {state.account}",
            where="--keys",
        )
    return told


def _there(common: Common, broker: BrokerName) -> None:
    """A simulated account is made by a run, and by nobody who asks what it holds."""
    books = broker_books(common.database)
    if broker is BrokerName.SIMULATED and not books.exists():
        raise StartRefused(
            "the simulated broker's books are not there",
            where=str(books),
            remedy="which account? --broker alpaca-paper, and the --database of its run",
        )


def told_by(
    common: Common,
    whom: Whom,
    config: Config,
    state: ExecutionState,
    since_ns: int | None = None,
) -> Told:
    """What the broker of these books says; nothing is written. Raises Mistake or StartRefused.

    Of the time from `since_ns` on; else of the week before the books heard something last.
    """
    broker = _which(whom, config, state)
    address = None if whom.address is None else loopback(whom.address)
    who = Visit(
        broker=broker,
        addresses=addresses_of(broker, address),
        credentials=None if broker is BrokerName.SIMULATED else credentials(whom.keys),
        config=config,
        database=common.database,
    )
    heard_ns = state.at_ns if since_ns is None else since_ns + STATEMENT_SPAN_NS
    return trio.run(asked, who, heard_ns, STATEMENT_SPAN_NS)


def end(session: Session, state: ExecutionState, code: int) -> None:
    """End the life of this visit in order."""
    try:
        write(session.books, state, [LifeEnd(at_ns=state.at_ns, exit_code=code)])
    finally:
        session.books.journal.close()


def write(books: Books, state: ExecutionState, inputs: list[Input]) -> ExecutionState:
    """Decide and commit; returns the state after. Raises StartRefused where the journal can't be written."""
    after, entries = decided(state, inputs)
    if entries:
        try:
            books.journal.write(Batch(entries=tuple(entries), after=after))
        except (JournalFailed, JournalBroken) as error:
            raise StartRefused(str(error), where=str(books.journal.path)) from None
    return after


def _which(whom: Whom, config: Config, state: ExecutionState) -> BrokerName:
    """Asked for, or the one whose books these are, or the configured one."""
    if whom.broker is not None:
        return BrokerName(whom.broker)
    name = state.account.partition(":")[0]
    return BrokerName(name) if name in set(BrokerName) else config.broker
