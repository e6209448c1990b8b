"""`trade promote`: a strategy is new no more, and has the canary's smaller limits no longer."""

import click
import msgspec

from trader.cli.commands import tell_stopped
from trader.cli.options import Common, common_options


@click.command("promote")
@click.argument("strategy")
@click.option("--reason", required=True, metavar="TEXT", help="What it has shown.")
@common_options
def command(common: Common, strategy: str, reason: str) -> None:
    """Let a strategy, configured as in its last life, out of the canary's limits: from the next run on."""
    tell_stopped(common, "promote", reason, subject=strategy)
    if common.json:
        click.echo(msgspec.json.encode({"promoted": strategy}).decode())
        return
    click.echo(f"promoted {strategy}: the limits of [limits] hold for it from the next run on")
