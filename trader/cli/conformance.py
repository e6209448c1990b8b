"""The verb `conformance`: asks Alpaca's paper service what only it can answer, beside the simulated broker."""

from functools import partial
from pathlib import Path

import click
import msgspec
import trio

from trader.cli.keys import credentials
from trader.cli.loopback import loopback
from trader.config import BrokerName
from trader.exits import Exit, Mistake, StartRefused
from trader.live.alpaca import PAPER, local
from trader.log.words import visible
from trader.simulator.conformance.asking import Place
from trader.simulator.conformance.comparing import Compared, Report, compared, is_known

BOOKS = Path("trading_data.db")
SAMENESS = {True: "same", False: "DIFFERS", None: "not asked"}


@click.command("conformance")
@click.option(
    "--broker",
    required=True,
    type=click.Choice([BrokerName.ALPACA_PAPER.value]),
    help="Whom to ask: never the live service.",
)
@click.option("--address", metavar="URL", help="A server on this machine instead of Alpaca's own.")
@click.option("--keys", metavar="FILE", help="The broker's keys.  [default: the environment]")
@click.option("--symbol", default="T", show_default=True, help="What the orders are of.")
@click.option("--yes-send-orders", is_flag=True, help="I know that it does.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    broker: str,
    address: str | None,
    keys: str | None,
    symbol: str,
    yes_send_orders: bool,
    as_json: bool,
) -> int:
    """Ask the paper service what its documents leave open, beside what the simulated broker answers.

    About twenty buys and sells of one share, far from the market, each sent once and canceled; about a minute. It
    wants a paper account of its own, with nothing in it. Exit code 1: an answer differs, or an order stayed open.
    """
    if not yes_send_orders:
        raise Mistake(
            "it sends orders to a paper account: one share each, far from the market, then canceled",
            remedy="say --yes-send-orders",
        )
    if not is_known(symbol):
        raise Mistake("is no symbol of the simulated broker", where=f"--symbol {symbol}")
    if BOOKS.exists():
        raise StartRefused(
            "here are books of the trader, whose account this may be",
            where=str(BOOKS),
            remedy="go to another folder",
        )
    doors = PAPER if address is None else local(loopback(address))
    place = Place(trading=doors.trading, trading_stream=doors.trading_stream, data=doors.data)
    report = trio.run(partial(compared, place, credentials(keys), symbol))
    if as_json:
        click.echo(msgspec.json.encode(_json(report, place)).decode())
    else:
        _say(report, place)
    differing = [one for one in report.answers if one.is_same is False]
    return Exit.DIFFERENCES if differing or report.left_open else Exit.WELL


def _json(report: Report, place: Place) -> dict[str, object]:
    return {
        "address": place.trading,
        **msgspec.structs.asdict(report.asked),
        "left_open": report.left_open,
        "answers": {
            one.question: {**msgspec.structs.asdict(one), "is_same": one.is_same}
            for one in report.answers
        },
    }


def _say(report: Report, place: Place) -> None:
    asked = report.asked
    hours = "open" if asked.is_open else "closed"
    click.echo(
        f"asked {place.trading}, account {visible(asked.account)} of multiplier {asked.multiplier},"
        f" market {hours}"
    )
    for one in report.answers:
        click.echo(f"{SAMENESS[one.is_same]:<10} {one.about}: {visible(_answer(one))}")
    counts = {same: sum(one.is_same is same for one in report.answers) for same in SAMENESS}
    click.echo(
        f"{counts[True]} same, {counts[False]} differ, {counts[None]} not asked; "
        f"{report.left_open} orders left open"
    )


def _answer(one: Compared) -> str:
    match one.is_same:
        case True:
            return (
                f"{one.service} ({one.service_detail})" if one.service_detail else str(one.service)
            )
        case False:
            return f"{one.service} ({one.service_detail}); simulated: {one.simulated} ({one.simulated_detail})"
        case None:
            missing = one.service_detail if one.service is None else one.simulated_detail
            return f"{missing}; simulated: {one.simulated}"
