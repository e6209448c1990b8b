"""`trade cancel`: ask the broker to cancel an order, or all of them."""

import click

from trader.cli.commands import one_of, say, told
from trader.cli.options import Common, common_options


@click.command("cancel")
@click.argument("order", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every order, exits too.")
@click.option("--reason", default="cancel", metavar="TEXT", help="Why.")
@common_options
def command(common: Common, order: str | None, is_all: bool, reason: str) -> int:
    """Cancel an order; it is gone once the broker says so. Where nothing runs the next run asks for it first."""
    return say(common, told(common, "cancel", one_of(order, is_all, "ORDER"), reason))
