"""`trade reconcile`: our books against the broker's; a person may accept one side, with a reason that stays."""

import getpass

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.cli.commands import checked_reason
from trader.cli.options import Common, common_options
from trader.cli.statement import Paper, held_against, statement_options
from trader.cli.visits import Whom, broker_options, end, visit, write
from trader.exits import Exit, Mistake
from trader.log.words import visible
from trader.messages import Acceptance, Statement
from trader.money import ZERO, plain
from trader.state import ExecutionState


class Difference(Struct, frozen=True, kw_only=True):
    """One line: cash or a symbol, what we have and what the broker has."""

    what: str
    ours: str
    theirs: str


@click.command("reconcile")
@click.option("--accept", type=click.Choice(["broker", "ours"]), help="Whose side is right.")
@click.option("--reason", metavar="TEXT", help="Why; it stays in the journal.")
@common_options
@broker_options
@statement_options
def command(
    common: Common, /, whom: Whom, accept: str | None, reason: str | None, paper: Paper | None
) -> int:
    """Hold our books against the broker's, and settle a difference by an adjusting entry.

    With --statement: our journal, the broker's executions and its statement, row by row; nothing is written.
    """
    if paper is not None:
        if accept is not None or reason is not None:
            raise Mistake("settles nothing", where="--statement", remedy="leave --accept out")
        return held_against(common, whom, paper)
    if (accept is None) != (reason is None):
        raise Mistake("go together", where="--accept and --reason")
    why = "" if reason is None else checked_reason(reason)
    session = visit(common, whom)
    state = session.state
    found = differences(state, session.told.statement)
    if accept is not None:
        told = Acceptance(
            command_id=f"reconcile-{session.books.journal.head}",
            side=accept,
            statement=session.told.statement,
            who=getpass.getuser(),
            reason=why,
        )
        state = write(session.books, state, [told])
        again = replace(session.told.statement, attempts=1)
        state = write(session.books, state, [again])
    is_open = (bool(found) and accept is None) or bool(state.quarantined)
    code = Exit.DIFFERENCES if is_open else Exit.WELL
    end(session, state, int(code))
    _say(common, found, accept, state)
    return int(code)


def differences(state: ExecutionState, statement: Statement) -> list[Difference]:
    """Where the two sides differ, in what is hands-off, too."""
    theirs = statement.positions
    found = []
    if state.cash_at_broker != statement.cash:
        ours = str(plain(state.cash_at_broker))
        found.append(Difference(what="cash", ours=ours, theirs=str(statement.cash)))
    for symbol in sorted({*state.positions.keys(), *theirs}):
        held = state.position(symbol)
        if held.quantity != theirs.get(symbol, ZERO):
            found.append(
                Difference(
                    what=symbol, ours=str(held.quantity), theirs=str(theirs.get(symbol, ZERO))
                )
            )
    return found


def _say(
    common: Common, found: list[Difference], accept: str | None, state: ExecutionState
) -> None:
    if common.json:
        left = dict(sorted(state.quarantined.items()))
        told = {"differences": found, "accepted": accept, "quarantined": left}
        click.echo(msgspec.json.encode(told).decode())
        return
    if not found:
        click.echo("books = broker" + ("" if accept is None else ": nothing to accept"))
    for one in found:
        click.echo(f"{one.what:<8} ours {one.ours}   the broker's {one.theirs}")
    if found:
        settle = 'settle it: bin/trade reconcile --accept broker --reason "…"'
        click.echo(settle if accept is None else f"accepted: {accept}")
    for symbol, why in sorted(state.quarantined.items()):
        remedy = (
            ""
            if found and accept is None
            else f' (bin/trade resume --release {symbol} --reason "…")'
        )
        click.echo(f"quarantined: {symbol}: {visible(why)}{remedy}")
