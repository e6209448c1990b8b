"""How long a signal takes to be bytes at the broker: executor, journal on disk, the real adapter, a loopback socket.

A signal is the moment at which a worker tells its request. The broker is another process that notes when the whole of
the request was there; so the decision's synced commit is in it, and whatever HTTP costs.
"""

import json
import time
from pathlib import Path

import trio

from tests.bench.measure import OtherEnd, Sample, other_end, p50_p99
from tests.bench.morning import TEN_NS, symbols_of, wish
from tests.bench.rig import durable_journal, running
from trader.brokers.alpaca import AlpacaBroker
from trader.credentials import Credentials
from trader.journal.sqlite import SqliteJournal
from trader.model import ClientOrderId

WORK = 300  # orders
WORK_TINY = 3
EVERY_S = 0.01


def once(work: int, folder: Path) -> list[Sample]:
    """A hundred orders a second, each of a symbol of its own."""
    journal = durable_journal(folder)
    with other_end("byte_broker") as server:
        seconds = trio.run(_measured, work, journal, server)
    journal.close()
    return p50_p99("signal to bytes at the broker, durable", seconds, (3.0, 10.0))


async def _measured(work: int, journal: SqliteJournal, server: OtherEnd) -> list[float]:
    address = f"127.0.0.1:{server.line()}"
    symbols, told_ns = symbols_of(work), dict[str, int]()
    async with (
        AlpacaBroker(
            base_url=f"http://{address}",
            stream_url=f"ws://{address}",
            credentials=Credentials("PKBENCH", "bench"),
            name="direct",
            market_ns=lambda: TEN_NS,
        ) as broker,
        running(symbols, journal, broker) as rig,
    ):
        for number, symbol in enumerate(symbols):
            told_ns[symbol] = time.monotonic_ns()
            await rig.inbox.tell(wish(symbol, number, TEN_NS))
            await trio.sleep(EVERY_S)
        await rig.executor.wait_until(
            lambda state: (
                len(state.orders) == work
                and all(one.broker_order_id for one in state.orders.values())
            )
        )
        orders = rig.executor.state.orders
        arrived_ns: dict[ClientOrderId, int] = json.loads(server.ask())
    assert len(arrived_ns) == work
    return [(at_ns - told_ns[orders[name].symbol]) / 1e9 for name, at_ns in arrived_ns.items()]
