"""`trade import`: open books of ours from another program's audited ones; only into a new database."""

import getpass

import click
import msgspec
from msgspec import Struct

from trader.audit.auditing import Wanted
from trader.audit.cash import dollars
from trader.audit.opening import import_books
from trader.audit.report import money
from trader.cli.commands import checked_reason
from trader.cli.foreign import audited, foreign_options
from trader.cli.options import Common, common_options, read_config
from trader.exits import Exit, Mistake
from trader.money import ZERO


class Imported(Struct, frozen=True, kw_only=True):
    """What the new books begin with; dollars."""

    database: str
    audit: str  # the hash of the file that was audited
    cash: str
    positions_cost: str
    positions: int


@click.command("import")
@click.option(
    "--strategy", metavar="NAME", help="Whose the positions become.  [default: hands off]"
)
@click.option("--reason", default="imported", show_default=True, metavar="TEXT", help="Why.")
@common_options
@foreign_options
def command(wanted: Wanted, common: Common, /, strategy: str | None, reason: str) -> int:
    """Open new books with the cash and the positions that an audit of OLD.db proves."""
    names = list(read_config(common).strategies)
    if strategy is not None and strategy not in names:
        raise Mistake(
            f"no such strategy: {strategy}", where="--strategy", remedy=f"one of {', '.join(names)}"
        )
    why = checked_reason(reason)
    found = audited(wanted)
    state = import_books(common.database, found, strategy, getpass.getuser(), why)
    held = [one for one in state.positions.values() if one.quantity]
    cost = sum((one.cost for one in held), ZERO)
    if common.json:
        imported = Imported(
            database=str(common.database),
            audit=found.sha256,
            cash=money(state.books.cash),
            positions_cost=money(cost),
            positions=len(held),
        )
        click.echo(msgspec.json.encode(imported).decode())
        return int(Exit.WELL)
    total = dollars(state.books.cash + cost)
    whose = f"{strategy}'s" if strategy else "hands off: they count, and are never touched"
    click.echo(f"{common.database} opened from audit {found.sha256[:16]} of {wanted.path.name}")
    click.echo(
        f"cash {dollars(state.books.cash)} + {len(held)} positions at cost {dollars(cost)} = {total}"
    )
    click.echo(f"positions are {whose}; the broker's word on all of it: bin/trade reconcile")
    return int(Exit.WELL)
