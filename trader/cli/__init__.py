"""The command line: a table of verbs, each in a module of its own that is imported only when it is asked for."""

import importlib
import keyword
from pathlib import Path

import click

# The verbs by group, in the order a person meets them. A verb is shown once its module stands beside this one.
VERBS: dict[str, dict[str, str]] = {
    "Run": {
        "run": "Trade: a simulated day, recorded bars, or a broker's account.",
        "broker": "Run the simulated broker alone, for any client.",
        "new-config": "Write a commented trader.toml.",
        "new-strategy": "Write a strategy of your own to begin with, and its test.",
        "doctor": "Is everything fit to trade with, and what mends it.",
        "adopt": "Take into the books what the account held before.",
        "promote": "Let a strategy out of the canary's smaller limits.",
    },
    "Look": {
        "status": "Who runs, may it enter, what is open or in doubt.",
        "positions": "What is held, at what cost.",
        "orders": "The orders, their states and reasons.",
        "trades": "The executions.",
        "account": "Cash, equity, profit.",
        "pnl": "Profit and loss by symbol, strategy or day; FIFO lots.",
        "journal": "The ground truth: listed, shown, exported.",
        "logs": "The log, filtered.",
        "explain": "Why was this (not) bought?",
        "sql": "Ask the database, read-only.",
        "version": "Which program this is.",
    },
    "Stop": {
        "halt": "Stop entering, durably.",
        "resume": "Allow entries again, with a reason.",
        "flatten": "Sell a position, or everything.",
        "cancel": "Cancel an order, or all of them.",
        "stop": "End the running program; positions stay.",
    },
    "Prove": {
        "verify": "Everything in the database, recomputed from its journal.",
        "replay": "A recorded session, decided again.",
        "reconcile": "Our books against the broker's; settle a difference.",
        "backup": "A proved copy of the books, while the trader runs.",
        "restore": "A backup in the place of the books, which are moved aside.",
        "rebuild": "New books from the journal's entries alone, when its tables were changed.",
        "resolve": "Say what became of an order in doubt.",
        "audit": "What is wrong with another program's books; changes nothing.",
        "repair": "Mend another program's books by rows beside theirs.",
        "import": "Open our books from another program's audited ones.",
    },
    "Try": {
        "backtest": "Years of history through the same program.",
        "sweep": "A strategy with many parameters over history, in many processes.",
        "lookahead": "Would a strategy decide otherwise if the future were cut off?",
        "download": "Bars of the past, into files for a backtest.",
        "scenario": "What has happened to others, done to this program.",
        "check-strategy": "Are a strategy's two forms the same.",
        "simulate": "The whole program in virtual worlds in which everything goes wrong.",
        "conformance": "Ask Alpaca's paper service what only it can answer.",
    },
}


class Verbs(click.Group):
    """A group that knows its commands by name and line, and imports a module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for group in VERBS.values() for verb in group if _module_file(verb).exists()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"trader.cli.{_module_file(cmd_name).stem}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = self.list_commands(ctx)
        for group, verbs in VERBS.items():
            if lines := [(verb, line) for verb, line in verbs.items() if verb in shown]:
                with formatter.section(group):
                    formatter.write_dl(lines)


def _module_file(verb: str) -> Path:
    name = verb.replace("-", "_") + "_" * keyword.iskeyword(verb)
    return Path(__file__).with_name(f"{name}.py")


@click.group(cls=Verbs)
def trade() -> None:
    """An automated stock trader: one decision becomes at most one order, and the books always agree."""
