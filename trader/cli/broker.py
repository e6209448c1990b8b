"""The verb `broker`: runs the simulated broker alone, for any client that speaks Alpaca's protocol."""

import secrets
import signal
from pathlib import Path

import click
import trio

from trader.cli.options import file_path
from trader.exits import Mistake, StartRefused
from trader.feeds.csv_rows import MarketDataError
from trader.feeds.market import Market
from trader.feeds.recorded import RecordedMarket
from trader.feeds.synthetic import DEFAULT_SYMBOLS, LISTINGS, SyntheticMarket
from trader.model import Symbol
from trader.simulator.application import build_application
from trader.simulator.books import Service
from trader.simulator.broker import Keys, SimulatedBroker, new_keys
from trader.simulator.server import serve
from trader.simulator.standing import begin_next, pass_sessions

SPEED_DEFAULT = 60.0  # a bar a second
SPEED_MAX = 100_000.0


@click.command("broker")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: a free one.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the synthetic market.")
@click.option(
    "--speed",
    type=click.FloatRange(0, SPEED_MAX, min_open=True),
    default=SPEED_DEFAULT,
    show_default=True,
    help="Market seconds a second.",
)
@click.option("--data", metavar="PATH", help="Recorded bars and quotes instead: a file or folder.")
@click.option("--symbols", metavar="LIST", help="Which symbols, as JD,GS.")
@click.option("--state", metavar="FILE", help="Keep the account here, and go on with it.")
@click.option(
    "--rate-limit",
    type=click.IntRange(1),
    help="Requests a minute of market time.  [default: no limit]",
)
def command(
    port: int,
    seed: int,
    speed: float,
    data: str | None,
    symbols: str | None,
    state: str | None,
    rate_limit: int | None,
) -> None:
    """Run the simulated broker alone, for any client.

    It prints its address and the keys to use, then serves until it is told to stop: session after session, as long as
    the market has them.
    """
    wanted = None if symbols is None else [Symbol(one) for one in symbols.split(",") if one]
    keys = new_keys(secrets.choice)
    broker = SimulatedBroker(
        _market(data, seed, wanted),
        keys=keys,
        seed=seed,
        path=None if state is None else file_path(state, "--state"),
        assets=LISTINGS if data is None else (),
        service=Service(requests_per_minute=rate_limit),
    )
    try:
        trio.run(_serve, broker, keys, port, speed)
    finally:
        broker.close()


def _market(data: str | None, seed: int, symbols: list[Symbol] | None) -> Market:
    try:
        if data is not None:
            return RecordedMarket([Path(data)], symbols)
        return SyntheticMarket(seed, DEFAULT_SYMBOLS if symbols is None else symbols)
    except MarketDataError as error:
        raise Mistake(str(error)) from None
    except ValueError as error:
        raise Mistake(str(error), where="--symbols") from None


async def _serve(broker: SimulatedBroker, keys: Keys, port: int, speed: float) -> None:
    def announce(address: str) -> None:
        print(f"address {address}\nkey {keys.key}\nsecret {keys.secret}", flush=True)

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            application = build_application(broker)
            begin_next(broker)
            try:
                await nursery.start(serve, application, broker.connections, port, announce)
            except OSError as error:
                raise StartRefused(str(error.strerror), where=f"--port {port}") from None
            nursery.start_soon(pass_sessions, broker, speed)
            await anext(signals)
            nursery.cancel_scope.cancel()
