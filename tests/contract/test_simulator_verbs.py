"""Each fault of the protocol's checklist, stated in as few words as a person would: it strikes where he means it to."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest
import trio
from trio_websocket import ConnectionClosed

from tests.contract.test_simulator_admin import Operated, operated
from tests.simulator_served import KEYS, JsonObject, hear, hear_kinds, say

Play = Callable[[Operated], Awaitable[None]]
TOLD = ["pending_new", "new", "fill"]
CUT = (httpx2.RemoteProtocolError, httpx2.ReadError)


async def status_of(broker: Operated, client_order_id: str) -> object:
    found = await broker.get("/v2/orders:by_client_order_id", client_order_id=client_order_id)
    return found.json().get("status", found.status_code)


async def accept_then_504(broker: Operated) -> None:
    assert (await broker.post_order(client_order_id="a")).status_code == 504
    assert await status_of(broker, "a") == "filled"


async def drop_before_accept(broker: Operated) -> None:
    with pytest.raises(CUT):
        await broker.post_order(client_order_id="a")
    assert await status_of(broker, "a") == 404


async def drop_after_accept(broker: Operated) -> None:
    with pytest.raises(CUT):
        await broker.post_order(client_order_id="a")
    assert await status_of(broker, "a") == "filled"


async def delay_ack(broker: Operated) -> None:
    began = trio.current_time()
    assert (await broker.post_order()).status_code == 200
    assert trio.current_time() - began >= 0.2


async def event_before_ack(broker: Operated) -> None:
    async with broker.trading_stream() as stream, trio.open_nursery() as nursery:
        first: list[str] = []

        async def listen() -> None:
            await hear_kinds(stream, 3)
            first.append("event")

        nursery.start_soon(listen)
        assert (await broker.post_order()).status_code == 200
        first.append("reply")
    assert first == ["event", "reply"]


async def told(broker: Operated, kinds: list[str]) -> None:
    async with broker.trading_stream() as stream:
        await broker.order()
        assert await hear_kinds(stream, len(kinds)) == kinds


async def duplicate_event(broker: Operated) -> None:
    await told(broker, [*TOLD, "fill"])


async def reorder_events(broker: Operated) -> None:
    await told(broker, ["new", "pending_new", "fill"])


async def drop_event(broker: Operated) -> None:
    await told(broker, TOLD[:2])
    assert broker.broker.account.quantity(broker.broker.symbols[2]) == 10


async def disconnect_stream(broker: Operated) -> None:
    async with broker.trading_stream() as stream:
        await broker.order()
        with pytest.raises(ConnectionClosed):
            await hear_kinds(stream, 4)


async def burst(broker: Operated) -> None:
    answers = [(await broker.get("/v2/clock")).status_code for _ in range(3)]
    assert answers == [429, 429, 200]


async def reject_after_accept(broker: Operated) -> None:
    assert (await broker.post_order(client_order_id="a")).status_code == 200
    assert await status_of(broker, "a") == "rejected"


async def fill_while_cancelling(broker: Operated) -> None:
    order = await broker.order(client_order_id="a", limit_price="15.00")
    assert (await broker.client.delete(f"/v2/orders/{order['id']}")).status_code == 204
    assert await status_of(broker, "a") == "filled"


async def stale_get(broker: Operated) -> None:
    await broker.order()
    assert (await broker.read("/v2/account"))["cash"] == "250000"
    assert (await broker.read("/v2/account"))["cash"] == "249799.8"


async def mute_socket(broker: Operated) -> None:
    async with broker.trading_stream() as stream:
        await broker.order()
        await say(stream, {"action": "auth", "key": KEYS.key, "secret": KEYS.secret})
        # Its own words are answered, and nothing else comes: the order was told before them.
        assert (await hear(stream))["stream"] == "authorization"


CHECKLIST: dict[str, tuple[JsonObject, Play]] = {
    "accept-then-504": ({}, accept_then_504),
    "drop-before-accept": ({}, drop_before_accept),
    "drop-after-accept": ({}, drop_after_accept),
    "delay-ack": ({"reply_delay": 0.2}, delay_ack),
    "event-before-ack": ({}, event_before_ack),
    "duplicate-event": ({"event": "fill"}, duplicate_event),
    "reorder-events": ({}, reorder_events),
    "drop-event": ({"event": "fill"}, drop_event),
    "disconnect-stream": ({}, disconnect_stream),
    "429-burst": ({"times": 2}, burst),
    "reject-after-accept": ({}, reject_after_accept),
    "fill-while-cancelling": ({}, fill_while_cancelling),
    "stale-GET": ({"path": "/v2/account", "delay": 60}, stale_get),
    "mute-socket": ({}, mute_socket),
}


@pytest.mark.parametrize("verb", CHECKLIST)
async def test_a_fault_strikes_where_it_is_meant_to(verb: str) -> None:
    how, play = CHECKLIST[verb]
    async with operated() as broker:
        await broker.done("/faults", verb=verb, **how)
        await play(broker)
        (fault,) = await broker.seen("/faults")
        assert fault["strikes"] == how.get("times", 1)
