"""Scripted faults of the streams over real sockets: what is told wrongly or not at all, and what is counted of it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection

from tests.simulator_served import (
    GS,
    JD,
    KEYS,
    JsonObject,
    Served,
    hear,
    hear_data,
    hear_kinds,
    hear_update,
    say,
    served,
)
from trader.model import MINUTE_NS
from trader.simulator.books import Service
from trader.simulator.data_talk import ERRORS
from trader.simulator.faults import (
    AUTHENTICATE,
    CONNECT,
    EVENT,
    LISTEN,
    MARKET,
    FaultRule,
    FaultVerb,
)
from trader.simulator.keys import Keys, Opening

TOLD = ["pending_new", "new", "fill"]


def on_event(verb: FaultVerb, kind: str = "", **how: object) -> FaultRule:
    rule: JsonObject = {"verb": verb, "method": EVENT, "path_prefix": kind, **how}
    return msgspec.convert(rule, FaultRule)


@asynccontextmanager
async def told(*rules: FaultRule) -> AsyncIterator[tuple[Served, WebSocketConnection]]:
    """A broker, and a stream that has heard nothing yet."""
    async with served(faults=rules) as broker, broker.trading_stream() as stream:
        yield broker, stream


async def heard_until_the_end(stream: WebSocketConnection) -> Iterator[JsonObject]:
    frames = []
    try:
        while True:
            frames.append(msgspec.json.decode(await stream.get_message(), type=JsonObject))
    except ConnectionClosed:
        return iter(frames)


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        (on_event(FaultVerb.DROP_EVENT, "new"), ["pending_new", "fill"]),
        (on_event(FaultVerb.DUPLICATE_EVENT, "fill"), [*TOLD, "fill"]),
        (
            on_event(FaultVerb.DUPLICATE_EVENT, "new", count=2),
            ["pending_new", *["new"] * 3, "fill"],
        ),
        (on_event(FaultVerb.REORDER_EVENTS, "new"), ["pending_new", "fill", "new"]),
        (on_event(FaultVerb.REORDER_EVENTS, times=2), ["fill", "pending_new", "new"]),
        (
            on_event(FaultVerb.ODD_WORD, "new", word="pondering"),
            ["pending_new", "pondering", "fill"],
        ),
    ],
)
async def test_events_are_mistold(rule: FaultRule, kinds: list[str]) -> None:
    async with told(rule) as (broker, stream):
        await broker.order()
        assert broker.frames == ["trading"] * len(kinds)
        assert await hear_kinds(stream, len(kinds)) == kinds


@pytest.mark.parametrize(
    ("rule", "at_once", "later"),
    [
        (on_event(FaultVerb.DELAY_EVENT, "fill", delay_ns=MINUTE_NS), TOLD[:2], ["fill"]),
        (on_event(FaultVerb.REORDER_EVENTS, "fill"), TOLD[:2], ["fill"]),
        (on_event(FaultVerb.DUPLICATE_EVENT, "fill", delay_ns=MINUTE_NS), TOLD, ["fill"]),
    ],
)
async def test_an_event_comes_late_and_counts_when_it_comes(
    rule: FaultRule, at_once: list[str], later: list[str]
) -> None:
    async with told(rule) as (broker, stream):
        await broker.order()
        assert len(broker.frames) == len(at_once)
        assert await hear_kinds(stream, len(at_once)) == at_once
        await broker.broker.advance()
        assert len(broker.frames) == len(at_once) + len(later)
        assert await hear_kinds(stream, len(later)) == later


async def test_a_duplicate_is_the_same_execution() -> None:
    async with told(on_event(FaultVerb.DUPLICATE_EVENT, "fill")) as (broker, stream):
        await broker.order()
        await hear_kinds(stream, 2)
        assert await hear_update(stream) == await hear_update(stream)


async def test_an_order_reported_canceled_is_filled_afterwards() -> None:
    rule = on_event(FaultVerb.FILL_AFTER_CANCEL, "canceled", delay_ns=MINUTE_NS, times=None)
    async with told(rule) as (broker, stream):
        order = await broker.order(limit_price="19.00", client_order_id="dead")
        await broker.client.delete(f"/v2/orders/{order['id']}")
        kinds = ["pending_new", "new", "pending_cancel", "canceled"]
        assert await hear_kinds(stream, 4) == kinds
        assert await broker.read_list("/v2/positions") == []
        await broker.broker.advance()
        fill = await hear_update(stream)
        assert (fill["event"], fill["qty"], fill["price"]) == ("fill", "10", "19")
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == "10"
        assert (await broker.read("/v2/account"))["buying_power"] == "249810"


async def test_a_part_of_an_expired_order_is_filled_afterwards() -> None:
    rule = on_event(FaultVerb.FILL_AFTER_CANCEL, "expired", quantity=4)
    async with told(rule) as (broker, stream):
        await broker.order(limit_price="19.00", client_order_id="dead")
        while await broker.broker.advance() is not None:
            pass
        broker.broker.begin_session("2026-01-27")
        kinds = ["pending_new", "new", "expired", "partial_fill"]
        assert await hear_kinds(stream, 4) == kinds
        order = await broker.read("/v2/orders:by_client_order_id", client_order_id="dead")
        assert (order["status"], order["filled_qty"]) == ("expired", "4")


async def test_a_connection_is_cut_with_the_event_and_nothing_counts_on() -> None:
    async with told(on_event(FaultVerb.DISCONNECT_STREAM, "fill")) as (broker, stream):
        await broker.order()
        events = [frame["data"] for frame in await heard_until_the_end(stream)]
        assert "fill" not in str(events)
        assert broker.streams == [("trading", True), ("trading", False)]
        async with broker.trading_stream() as again:
            await broker.order()
            assert await hear_kinds(again, 3) == TOLD


async def test_a_mute_stream_is_open_and_counts_nothing() -> None:
    async with told(on_event(FaultVerb.MUTE_SOCKET, "new")) as (broker, stream):
        await broker.order()
        await broker.order()
        assert broker.frames == ["trading"]
        assert await hear_kinds(stream, 1) == ["pending_new"]
        await stream.ping()
        async with broker.trading_stream() as again:
            await broker.order()
            assert await hear_kinds(again, 3) == TOLD


async def test_a_stream_finds_its_voice_again() -> None:
    async with told(on_event(FaultVerb.MUTE_SOCKET, duration_ns=MINUTE_NS)) as (broker, stream):
        await broker.order()
        await broker.broker.advance()
        await broker.order()
        assert await hear_kinds(stream, 3) == TOLD


async def test_a_stream_is_mute_from_the_beginning() -> None:
    rule = FaultRule(verb=FaultVerb.MUTE_SOCKET, method=LISTEN, path_prefix="/stream")
    async with told(rule) as (broker, stream):
        await broker.order()
        assert broker.frames == []
        await stream.ping()


async def test_a_stream_that_listens_again_hears_what_was_told_before() -> None:
    rule = FaultRule(verb=FaultVerb.REPLAY_EVENTS, method=LISTEN, nth=2, count=2)
    async with told(rule) as (broker, stream):
        await broker.order()
        assert await hear_kinds(stream, 3) == TOLD
        async with broker.trading_stream() as again:
            assert await hear_kinds(again, 2) == TOLD[1:]
        assert broker.frames == ["trading"] * 5


async def test_a_stream_cannot_be_opened() -> None:
    rules = [
        FaultRule(verb=FaultVerb.REFUSE_STREAM, method=CONNECT, path_prefix=path)
        for path in ("/stream", "/v2/iex")
    ]
    async with served(faults=tuple(rules)) as broker:
        for path in ("/stream", "/v2/iex"):
            with pytest.raises(Exception) as refused:  # noqa: PT011
                async with broker.websocket(path):
                    pass
            assert refused.group_contains(ConnectionRejected)
        async with broker.trading_stream(), broker.data_stream(bars=["*"]):
            pass


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        (AUTHENTICATE, 406, "connection limit exceeded"),
        (AUTHENTICATE, 402, "auth failed"),
        (LISTEN, 405, "symbol limit exceeded"),
        (LISTEN, 409, "insufficient subscription"),
    ],
)
async def test_the_data_stream_refuses(method: str, code: int, text: str) -> None:
    rule = FaultRule(
        verb=FaultVerb.REFUSE_STREAM, method=method, path_prefix="/v2/iex", status=code
    )
    async with served(faults=(rule,)) as broker, broker.websocket("/v2/iex") as stream:
        await hear_data(stream)
        await say(stream, {"action": "auth", "key": KEYS.key, "secret": KEYS.secret})
        if method == LISTEN:
            assert (await hear_data(stream))[0]["msg"] == "authenticated"
            await say(stream, {"action": "subscribe", "bars": ["*"]})
        assert await hear_data(stream) == [{"T": "error", "code": code, "msg": text}]


async def test_the_trading_stream_refuses() -> None:
    refuse = FaultVerb.REFUSE_STREAM
    rules = (FaultRule(verb=refuse, method=AUTHENTICATE), FaultRule(verb=refuse, method=LISTEN))
    async with served(faults=rules) as broker, broker.websocket("/stream") as stream:
        greeting: JsonObject = {"action": "auth", "key": KEYS.key, "secret": KEYS.secret}
        await say(stream, greeting)
        assert (await hear_update_status(stream)) == "unauthorized"
        await say(stream, greeting)
        assert (await hear_update_status(stream)) == "authorized"
        await say(stream, {"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert (await hear(stream))["action"] == "error"
        with pytest.raises(ConnectionClosed):
            await hear(stream)


async def hear_update_status(stream: WebSocketConnection) -> object:
    return (await hear_update(stream))["status"]


async def test_market_data_is_lost_doubled_and_delayed() -> None:
    def bars(verb: FaultVerb, nth: int, delay_ns: int = 0) -> FaultRule:
        return FaultRule(
            verb=verb, method=MARKET, path_prefix="bars", symbol=JD, nth=nth, delay_ns=delay_ns
        )

    rules = (
        bars(FaultVerb.DROP_EVENT, 1),
        bars(FaultVerb.DUPLICATE_EVENT, 2),
        bars(FaultVerb.DELAY_EVENT, 3, MINUTE_NS),
    )
    async with served(faults=rules) as broker, broker.data_stream(bars=["JD"]) as stream:
        for _ in range(3):
            await broker.broker.advance()
        doubled = await hear_data(stream)
        assert [bar["t"] for bar in doubled] == ["2026-01-26T14:31:00.000Z"] * 2
        assert broker.frames == ["data"]
        await broker.broker.advance()
        assert [bar["t"] for bar in await hear_data(stream)] == ["2026-01-26T14:32:00.000Z"]
        assert broker.frames == ["data"] * 2


TWO = Opening(keys=Keys(key="PKTWO", secret="two"), cash=Decimal(1_000))


@pytest.mark.parametrize(
    ("verb", "heard"),
    [
        (FaultVerb.DROP_EVENT, [32, 33]),
        (FaultVerb.DUPLICATE_EVENT, [31, 31, 32, 33]),
        (FaultVerb.DELAY_EVENT, [31, 32, 33]),
    ],
)
async def test_one_account_is_told_of_the_market_otherwise(
    verb: FaultVerb, heard: list[int]
) -> None:
    async with served(service=Service(further=[TWO])) as broker:
        account_id = broker.broker.account_at(1).account_id
        common = FaultRule(verb=FaultVerb.DROP_EVENT, method=MARKET, path_prefix="bars", symbol=GS)
        rule = FaultRule(
            verb=verb, method=MARKET, path_prefix="bars", account_id=account_id, delay_ns=MINUTE_NS
        )
        broker.broker.faults.add(rule)
        number = broker.broker.faults.add(common)
        async with (
            broker.data_stream(bars=["*"]) as one,
            broker.data_stream(keys=TWO.keys, bars=["*"]) as two,
        ):
            for _ in range(4):
                await broker.broker.advance()
            assert await bars_until(one, 33) == [(JD, 31), (GS, 32), (JD, 32), (GS, 33), (JD, 33)]
            left = [(JD, minute) for minute in heard if minute < 32]
            later = [(symbol, minute) for minute in (32, 33) for symbol in (GS, JD)]
            assert await bars_until(two, 33) == [*left, *later]
            assert broker.broker.faults.strikes[number] == 1, "for all of them together"


async def bars_until(stream: WebSocketConnection, minute: int) -> list[tuple[object, int]]:
    """(symbol, minute of its end), up to and with those of that minute."""
    told: list[tuple[object, int]] = []
    while not told or told[-1][1] < minute:
        told += [(bar["S"], int(str(bar["t"])[14:16]) + 1) for bar in await hear_data(stream)]
    return told


@pytest.mark.parametrize(("when", "code"), [(AUTHENTICATE, 406), (LISTEN, 405), (MARKET, None)])
async def test_the_streams_of_one_account_fail(when: str, code: int | None) -> None:
    verb = FaultVerb.DISCONNECT_STREAM if when == MARKET else FaultVerb.REFUSE_STREAM
    async with served(service=Service(further=[TWO])) as broker:
        account_id = broker.broker.account_at(1).account_id
        rule = FaultRule(verb=verb, method=when, account_id=account_id, status=code or 0)
        broker.broker.faults.add(rule)
        async with broker.data_stream(bars=["JD"]) as one, broker.websocket("/v2/iex") as two:
            await hear_data(two)
            await say(two, {"action": "auth", "key": "PKTWO", "secret": "two"})
            if when != AUTHENTICATE:
                assert (await hear_data(two))[0]["msg"] == "authenticated"
                await say(two, {"action": "subscribe", "bars": ["JD"]})
            (answer,) = await hear_data(two)
            assert answer.get("code") == code
            await broker.broker.advance()
            if when == MARKET:
                with pytest.raises(ConnectionClosed):
                    await hear_data(two)
            assert (await hear_data(one))[0]["S"] == JD


@pytest.mark.parametrize("verb", [FaultVerb.MUTE_SOCKET, FaultVerb.DISCONNECT_STREAM])
async def test_the_data_stream_goes_mute_or_breaks(verb: FaultVerb) -> None:
    rule = FaultRule(verb=verb, method=MARKET, path_prefix="quotes", nth=2)
    async with (
        served(faults=(rule,), first_instant=False) as broker,
        broker.data_stream(quotes=["*"], bars=["*"]) as stream,
    ):
        await broker.broker.advance()
        await broker.broker.advance()
        assert broker.frames == []
        if verb is FaultVerb.DISCONNECT_STREAM:
            assert broker.streams[-1] == ("data", False)
            with pytest.raises(ConnectionClosed):
                await hear_data(stream)
        else:
            await stream.ping()


async def test_what_goes_wrong_with_quantities_is_in_the_rule() -> None:
    text = b'{"verb": "fill-after-cancel", "method": "EVENT", "quantity": "4", "times": null}'
    rule = msgspec.json.decode(text, type=FaultRule)
    assert (rule.quantity, rule.times) == (Decimal(4), None)


@pytest.mark.parametrize("code", [*range(400, 414), 500])
@pytest.mark.parametrize("when", [AUTHENTICATE, LISTEN])
async def test_every_error_of_the_data_stream_can_be_had(code: int, when: str) -> None:
    rule = FaultRule(verb=FaultVerb.REFUSE_STREAM, method=when, path_prefix="/v2/iex", status=code)
    async with served(faults=(rule,)) as broker, broker.websocket("/v2/iex") as stream:
        await hear_data(stream)
        await say(stream, {"action": "auth", "key": KEYS.key, "secret": KEYS.secret})
        if when == LISTEN:
            assert (await hear_data(stream))[0]["msg"] == "authenticated"
            await say(stream, {"action": "subscribe", "bars": ["JD"]})
        (error,) = await hear_data(stream)
        assert (error["T"], error["code"]) == ("error", code)
        assert error["msg"] == ERRORS[code]
