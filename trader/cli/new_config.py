"""`trade new-config`: a trader.toml to begin with, in which everything is written out and explained."""

from pathlib import Path

import click
import msgspec

from trader.cli.options import Common, common_options, file_path
from trader.exits import Mistake

TEMPLATE = """\
# What the trader may do, and by which limits. Every key has its default written out: what you leave out stays
# as it is here. An unknown key, a wrong type, or a limit that is zero or not finite stops the start.

broker = "simulated"        # or "alpaca-paper", "alpaca-live"
account = ""                # the broker's account number; live needs it
symbols = ["AAPL", "JD", "TERN", "TRIP", "SNDK", "CYBR", "GS", "T"]
extended_hours = false      # true: also before 09:30 and after 16:00 New York time

[limits]                    # live needs every key written out, and for each an owner and a reason
owner = ""                              # who answers for these numbers
reason = ""                             # and why they are these
order_notional_max = 5_000              # dollars of one order
order_quantity_max = 10_000_000         # shares of one entry
position_notional_max = 12_500          # dollars in one symbol, orders in flight counted
exposure_max = 1.0                      # of the account's equity, orders in flight counted
entries_open_max = 20                   # entry orders alive at once (one in doubt counts)
entries_per_minute_max = 10             # exits, stops and cancels are not counted
entries_per_symbol_per_day_max = 3
entries_notional_per_day_max = 100_000  # dollars of all entries of a session
executions_repeated_max = 3             # filled entries of one symbol in 10 minutes; halts
loss_day_max = 0.02                     # of the equity that the session began with; halts
drawdown_max = 0.06                     # of the highest equity; halts
price_deviation_max = 0.03              # of an order's price from the quote
quote_age_max = 90                      # seconds of market time
request_age_max = 60                    # seconds of market time
adds_max = 0                            # buys on top of an open position
# stop_required = true                  # an entry without a stop is denied; left out: with real money only

[limits.why]                # of single limits: another owner, or a reason of its own
executions_repeated_max = { reason = "thrice in ten minutes is a program gone wrong, not a strategy" }
price_deviation_max = { reason = "farther off is another share's price, or a slipped decimal point" }

[limits.canary]             # of a strategy until `bin/trade promote NAME --reason TEXT`; without this table: none
order_notional_max = 2_000
position_notional_max = 2_000
entries_per_day_max = 20                # of the strategy, in all symbols

[fees]                      # accrued on sells: SEC on the notional, FINRA on each share
sell_notional_rate = 0.0000278
sell_share_rate = 0.000166
sell_share_cap = 8.30

[alarm]                     # whom to tell of an alarm, besides the log and `bin/trade status`
# command = ["mail", "-s", "trader", "me@example.com"]  # run without a shell; the alarm is a line of JSON on its input

[strategies.sma-crossover]  # any number of [strategies.NAME] tables
kind = "sma-crossover"
params = { fast = 10, slow = 30 }
at_close = "keep"           # or "cancel" (working entries), "flatten" (positions, too), "auction" (with the close)
minutes_before_close = 5    # when that begins; from then on it enters nothing
size = { notional = 2_000 } # or shares, equity (a fraction of it), target (the position to have), volatility (the
                            # fraction of equity that a move of atr_multiple average true ranges may cost)
# What guards what it buys: fractions of the price, seconds of market time. Left out: nothing does.
# protection = { stop = 0.02, take_profit = 0.05, exit_after = 7_200 }   # or trail in place of stop
"""


@click.command("new-config")
@common_options
def command(common: Common) -> None:
    """Write a commented trader.toml (or the file named by --config); never over one that is there."""
    path = common.config or file_path("trader.toml", "--config")
    write_template(path)
    if common.json:
        click.echo(msgspec.json.encode({"written": str(path)}).decode())
    else:
        click.echo(f"written  {path}")


def write_template(path: Path) -> None:
    """Create the file; raises Mistake where there is one, or it can't be made."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise Mistake(
            "is there already",
            where=str(path),
            remedy="move it away, or name another with --config",
        ) from None
    except OSError as error:
        raise Mistake(str(error.strerror), where=str(path)) from None
