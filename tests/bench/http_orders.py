"""Orders a second over HTTP: the adapter's POST to the simulated broker in another process, up to its reply."""

from decimal import Decimal
from pathlib import Path

import trio

from tests.bench.measure import OtherEnd, Sample, Stopwatch, other_end
from tests.bench.morning import LIMIT_BUY, STRATEGY, TEN_NS, symbols_of
from tests.bench.quiet_broker import KEYS
from trader.brokers.alpaca import AlpacaBroker
from trader.credentials import Credentials
from trader.messages import OrderReport
from trader.model import (
    ClientOrderId,
    DecisionKey,
    Order,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
)

WORK = 400  # orders, for each number of senders
WORK_TINY = 8
GOAL = 300
SENDERS_MANY = 8


def once(work: int, folder: Path) -> list[Sample]:
    """One order after the other, as the program sends them; and several at once."""
    samples: list[Sample] = []
    for senders in (1, SENDERS_MANY):
        with other_end("quiet_broker") as server:
            watch, server_s = trio.run(_sent, work, senders, server)
        beside = "one after the other" if senders == 1 else f"{senders} at a time"
        goal = GOAL if senders == 1 else None
        name = f"HTTP orders, {beside}"
        samples += [
            Sample(name=name, value=work / watch.wall_s, unit="1/s", goal=goal),
            Sample(name=f"{name}: CPU here", value=1e6 * watch.cpu_s / work, unit="µs"),
            Sample(name=f"{name}: CPU of the broker", value=1e6 * server_s / work, unit="µs"),
        ]
    return samples


async def _sent(work: int, senders: int, server: OtherEnd) -> tuple[Stopwatch, float]:
    """Our time and the broker's."""
    address, watch = server.line(), Stopwatch()
    async with AlpacaBroker(
        base_url=address,
        stream_url=address.replace("http", "ws"),
        credentials=Credentials(KEYS.key, KEYS.secret),
        name="simulated",
        market_ns=lambda: TEN_NS,
    ) as broker:
        await broker.identify()
        before_s = float(server.ask())
        with watch:
            async with trio.open_nursery() as nursery:
                for sender in range(senders):
                    nursery.start_soon(_send, broker, range(sender, work, senders))
        return watch, float(server.ask()) - before_s


async def _send(broker: AlpacaBroker, numbers: range) -> None:
    for number in numbers:
        answer = await broker.submit(buy(number))
        assert isinstance(answer, OrderReport), answer


def buy(number: int) -> Order:
    """Of one share, which fills at once."""
    return Order(
        client_order_id=ClientOrderId(f"trd-AAA-B-{number:024x}"),
        decision_key=DecisionKey(f"{number:064x}"),
        decision_id=number,
        request_id=str(number),
        strategy=STRATEGY,
        symbol=symbols_of(1)[0],
        side=Side.BUY,
        purpose=Purpose.ENTER,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(1),
        limit_price=LIMIT_BUY,
        reserve_price=LIMIT_BUY,
        created_ns=TEN_NS,
        reason="bench",
        epoch=1,
        build="bench",
    )
