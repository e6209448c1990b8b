"""Another process that is the simulated broker: `python -m tests.bench.quiet_broker`, one symbol that never moves.

It says its address; asked by a line, how many CPU seconds it has used. Its quote is large enough for every order.
"""

import sys
import time
from collections.abc import Iterator

import trio

from tests.bench.morning import TEN_NS, quote, symbols_of
from trader.feeds.market import Instant
from trader.model import Bar, Symbol
from trader.money import use_exact_context
from trader.simulator.application import build_application
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.server import serve

KEYS = Keys(key="PKBENCH", secret="bench")
DATE = "2026-01-26"


class QuietMarket:
    """One quote, at ten."""

    symbols = symbols_of(1)

    def session_dates(self) -> list[str]:
        return [DATE]

    def instants(self, session_date: str) -> Iterator[Instant]:
        yield Instant(at_ns=TEN_NS, quotes=tuple(quote(one, TEN_NS) for one in self.symbols))

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        return []


async def main() -> None:
    broker = SimulatedBroker(QuietMarket(), keys=KEYS, seed=1)
    broker.begin_session(DATE)
    await broker.advance()
    async with trio.open_nursery() as nursery:
        application = build_application(broker)
        print(await nursery.start(serve, application, broker.connections), flush=True)
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as asked:
            while await asked.receive_some():
                print(time.process_time(), flush=True)
        nursery.cancel_scope.cancel()
    broker.close()


if __name__ == "__main__":
    use_exact_context()
    trio.run(main)
