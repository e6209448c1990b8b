"""The verb `broker`: runs the simulated broker alone, for any client that speaks Alpaca's protocol."""

import signal
from collections.abc import Callable, Iterator
from errno import EADDRINUSE
from typing import TypeVar

import click
import msgspec
import trio

from trader.cli.options import check_no_database, config_text, file_path, quiet_interpreter
from trader.exits import Mistake
from trader.simulator.admin_rest import Admin
from trader.simulator.application import build_application
from trader.simulator.event_script import event_lines
from trader.simulator.fault_script import verb_lines
from trader.simulator.plan import PLANS
from trader.simulator.script import Script
from trader.simulator.server import LOOPBACK, serve
from trader.simulator.standing import begin, pass_sessions, standing_words
from trader.simulator.venue_script import term_lines
from trader.simulator.wishes import NIGHTS, Served, Wishes, is_for_this_machine, served_of

SPEED_DEFAULT = 60.0  # a bar a second
CASH_DEFAULT = "250000"
SCRIPTS = {"faults": "--faults", "events": "--events", "venue": "--accounts"}
Verb = TypeVar("Verb", bound=Callable[..., object])


def _list_option(
    name: str, lines: Callable[[], Iterator[str]], words: str
) -> Callable[[Verb], Verb]:
    """An option that shows what a file may say, and ends."""

    def show(context: click.Context, option: click.Parameter, is_wanted: bool) -> None:
        if is_wanted:
            click.echo("\n".join(lines()))
            context.exit()

    return click.option(
        name, is_flag=True, is_eager=True, expose_value=False, callback=show, help=words
    )


MARKET = (
    click.option(
        "--data",
        metavar="PATH",
        multiple=True,
        help="Recorded bars, quotes and trades: a file or folder; again for more.",
    ),
    click.option("--symbols", metavar="LIST", help="Which symbols, as JD,GS."),
    click.option(
        "--seed", type=int, default=7, show_default=True, help="Of market, chances and delays."
    ),
    click.option(
        "--start",
        metavar="TIME",
        help="Where the market is to stand, as 2026-01-26 or 2026-01-26T15:50.",
    ),
    click.option(
        "--pace",
        type=click.Choice(["clock", "stepped"]),
        default="clock",
        show_default=True,
        help="Time passes by itself, or by steps over the admin endpoint.",
    ),
    click.option(
        "--speed",
        type=float,
        default=SPEED_DEFAULT,
        show_default=True,
        help="Market seconds a second; 1 is real time.",
    ),
    click.option(
        "--nights",
        type=click.Choice([*NIGHTS]),
        default="skip",
        show_default=True,
        help="Closed hours are left out, or pass like others.",
    ),
    click.option("--events", metavar="FILE", help="What befalls, in TOML: [[event]] tables."),
    _list_option("--list-events", event_lines, "Which events there are; then end."),
)
ACCOUNTS = (
    click.option(
        "--accounts",
        "venue",
        metavar="FILE",
        help="TOML: [[account]] with keys, [[asset]], [terms].",
    ),
    click.option("--cash", default=CASH_DEFAULT, show_default=True, help="Of a new account."),
    click.option(
        "--multiplier",
        type=click.Choice(["1", "2", "4"]),
        default="1",
        show_default=True,
        help="1: a cash account; 2, 4: margin, and short sales.",
    ),
    click.option(
        "--term",
        "terms",
        metavar="NAME=VALUE",
        multiple=True,
        help="Of trading, as latency=0.25, slippage_rate=0.001; again for each.",
    ),
    _list_option("--list-terms", term_lines, "Which terms there are; then end."),
    click.option("--state", metavar="FILE", help="Keep accounts here, and go on with them."),
    click.option("--journal", metavar="FILE", help="Append every order and execution, in JSON."),
)
SERVICE = (
    click.option("--host", default=LOOPBACK, show_default=True, help="To listen on."),
    click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: a free one."),
    click.option("--admin-token", metavar="TOKEN", help="Of /admin.  [default: a new one]"),
    click.option("--faults", metavar="FILE", help="What goes wrong, in TOML: [[fault]] tables."),
    _list_option("--list-faults", verb_lines, "Which faults there are; then end."),
    click.option(
        "--plan",
        type=click.Choice([*PLANS]),
        default="paid",
        show_default=True,
        help="Of market data: feeds, symbols, connections.",
    ),
    click.option("--text-frames", is_flag=True, help="Trade updates in text, not binary frames."),
    click.option(
        "--rate-limit",
        type=click.IntRange(1),
        help="Requests a minute of market time.  [default: no limit]",
    ),
)


def _options(verb: Verb) -> Verb:
    for option in reversed((*MARKET, *ACCOUNTS, *SERVICE)):
        verb = option(verb)
    return verb


@click.command("broker")
@_options
def command(**given: object) -> None:
    """Run the simulated broker alone, for any client.

    It prints its address, the keys to use, the token of its admin endpoint and where the market stands, then serves
    until it is told to stop: session after session, as long as the market has them.
    """
    for name, option in SCRIPTS.items():
        given[name] = _script(given[name], option)
    for name in ("state", "journal"):
        if given[name] is not None:
            given[name] = path = file_path(str(given[name]), f"--{name}")
            if name == "journal":
                check_no_database(path, "--journal")
    wishes = msgspec.convert(given, Wishes, strict=False)
    served = served_of(wishes)
    try:
        trio.run(_serve, served, wishes)
    finally:
        served.broker.keep_time()
        served.close()


def _script(name: object, option: str) -> Script | None:
    if name is None:
        return None
    return Script(text=config_text(file_path(str(name), option), remedy=""), name=str(name))


async def _serve(served: Served, wishes: Wishes) -> None:
    broker, keys = served.broker, served.keys
    admin = None
    if is_for_this_machine(wishes):
        admin = Admin(
            token=served.token, first_session=served.first_session, steps=wishes.is_stepped
        )

    def announce(address: str) -> None:
        print(f"address {address}\nkey {keys.key}\nsecret {keys.secret}", flush=True)
        if admin is not None:
            print(f"admin-token {admin.token}", flush=True)
        print(f"market {standing_words(served, is_stepped=wishes.is_stepped)}", flush=True)

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            application = build_application(broker, admin)
            await begin(served)
            quiet_interpreter()
            try:
                await nursery.start(
                    serve, application, broker.connections, wishes.port, announce, wishes.host
                )
            except OSError as error:
                where = f"--host {wishes.host} --port {wishes.port}"
                remedy = "--port 0 takes a free one" if error.errno == EADDRINUSE else ""
                raise Mistake(error.strerror or str(error), where=where, remedy=remedy) from None
            if not wishes.is_stepped:
                nursery.start_soon(pass_sessions, served, wishes.speed)
            await anext(signals)
            nursery.cancel_scope.cancel()
