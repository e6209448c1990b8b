"""`trade account`: cash, what is reserved of it, equity and profit."""

import click

from trader.cli.answers import answer, reading, rows_of
from trader.cli.options import Common, common_options


@click.command("account")
@common_options
def command(common: Common) -> None:
    """Show the account as of the last entry."""
    with reading(common) as database:
        rows = rows_of(
            database,
            "SELECT account, timestamp, session, cash, cash_reserved, equity, realized_pnl, unrealized_pnl,"
            " daily_pnl FROM account",
        )
    answer(common, rows, nothing="no account yet")
