"""A broker whose clock jumps: what it stamps from then on is off, and the market goes on as ever."""

from decimal import Decimal

import msgspec
import pytest

from tests.simulator_served import (
    JD,
    MONDAY,
    JsonObject,
    Served,
    hear_update,
    open_ns,
    served,
)
from trader.model import MINUTE_NS, SECOND_NS
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.venue import OrderStatus

JUMP = ScheduledEvent(
    at_ns=open_ns(MONDAY) + MINUTE_NS, name=EventName.CLOCK_JUMP, by_ns=-3600 * SECOND_NS
)


async def clock(broker: Served) -> tuple[object, object]:
    shown = await broker.read("/v2/clock")
    return shown["timestamp"], shown["is_open"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3600, "2026-01-26T08:31:00"), (90, "2026-01-26T09:32:30")]
)
async def test_from_the_jump_on_it_shows_another_time_and_trades_as_before(
    seconds: int, shown: str
) -> None:
    jump = msgspec.structs.replace(JUMP, by_ns=seconds * SECOND_NS)
    async with served(events=(jump,)) as broker, broker.trading_stream() as stream:
        before = await broker.order(client_order_id="before")
        for _ in ("pending_new", "new", "fill"):
            assert str((await hear_update(stream))["timestamp"]).startswith("2026-01-26T14:30:00")
        assert (await clock(broker))[0] == "2026-01-26T09:30:00-05:00"
        await broker.broker.advance()
        assert await clock(broker) == (f"{shown}-05:00", True)
        newer = await broker.read("/v3/clock")
        (market,) = msgspec.convert(newer["clocks"], list[JsonObject])
        assert (market["timestamp"], market["phase"]) == (f"{shown}-05:00", "core")
        after = await broker.order(client_order_id="after")
        utc = f"{shown[:11]}{int(shown[11:13]) + 5:02}{shown[13:]}.000Z"
        assert (after["created_at"], after["submitted_at"]) == (utc, utc)
        for _ in ("pending_new", "new", "fill"):
            update = await hear_update(stream)
            assert update["timestamp"] == utc
        order = msgspec.convert(update["order"], JsonObject)
        assert (order["filled_at"], order["status"]) == (utc, "filled")
        assert await broker.read(f"/v2/orders/{order['id']}") == order
        orders = await broker.read_list("/v2/orders", status="all", after=utc.replace("0Z", "Z"))
        assert "after" not in {one["client_order_id"] for one in orders}
        fills = await broker.read_list("/v2/account/activities/FILL", direction="asc")
        stamps = {str(one["transaction_time"]) for one in fills}
        assert stamps == {"2026-01-26T14:30:00.000Z", utc}
        assert (await broker.read(f"/v2/orders/{before['id']}"))["created_at"] == before[
            "created_at"
        ]
        quote = await broker.read("/v2/stocks/JD/quotes/latest")
        assert msgspec.convert(quote["quote"], JsonObject)["t"] == "2026-01-26T14:31:00.000Z"
        held = broker.broker.venue.state.orders.values()
        assert {one.status for one in held} == {OrderStatus.FILLED}
        assert broker.broker.account.quantity(JD) == Decimal(20)


async def test_it_jumps_back_after_its_duration() -> None:
    jump = msgspec.structs.replace(JUMP, duration_ns=MINUTE_NS)
    async with served(events=(jump,)) as broker:
        times = []
        for _ in range(2):
            await broker.broker.advance()
            times.append((await clock(broker))[0])
        assert times == ["2026-01-26T08:31:00-05:00", "2026-01-26T09:32:00-05:00"]
