"""`trade explain`: why was this (not) bought; from the market event over each rule and report to the books."""

import click
import msgspec

from trader.build import running_build
from trader.cli.answers import reading
from trader.cli.options import Common, common_options
from trader.exits import Mistake
from trader.explanation.facts import Process
from trader.explanation.story import explained
from trader.explanation.subjects import found, near
from trader.explanation.text import lines_of
from trader.journal.lock import writer_of


@click.command("explain")
@click.argument("subject", metavar="SYMBOL|ORDER|REQUEST")
@common_options
def command(common: Common, subject: str) -> None:
    """Show the chain from a market event to the books: an order (by either id), a request, or a symbol's last ones."""
    process: Process = "running" if writer_of(common.database) is not None else "nothing runs"
    with reading(common) as database:
        what = found(database, subject)
        if what is None:
            alike = near(database, subject)
            raise Mistake(
                "no symbol, order or request of this name",
                where=subject[:100],
                remedy=f"near: {', '.join(alike)}" if alike else "bin/trade orders lists orders",
            )
        answer = explained(
            database,
            what,
            where=str(common.database),
            process=process,
            running_build=running_build().identity,
        )
    if common.json:
        click.echo(msgspec.json.encode(answer).decode())
        return
    for line in lines_of(answer):
        click.echo(line)
