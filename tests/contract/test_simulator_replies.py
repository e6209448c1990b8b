"""Scripted faults of requests over a real socket: what the client sees, and what the broker has done all the same."""

from decimal import Decimal

import msgspec
import pytest

from tests.simulator_served import (
    MONDAY,
    PATIENCE_SECONDS,
    JsonObject,
    Served,
    hear_kinds,
    open_ns,
    served,
)
from trader.model import MINUTE_NS
from trader.simulator.faults import FaultRule, FaultVerb

LOOKUP = "/v2/orders:by_client_order_id"


def on_post(verb: FaultVerb, **how: object) -> FaultRule:
    rule: JsonObject = {"verb": verb, "method": "POST", "path_prefix": "/v2/orders", **how}
    return msgspec.convert(rule, FaultRule)


def on_get(verb: FaultVerb, path: str, **how: object) -> FaultRule:
    rule: JsonObject = {"verb": verb, "method": "GET", "path_prefix": path, **how}
    return msgspec.convert(rule, FaultRule)


async def status_of(broker: Served, client_order_id: str) -> object:
    return (await broker.read(LOOKUP, client_order_id=client_order_id))["status"]


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_order_may_be_accepted_behind_any_error(status: int) -> None:
    rule = on_post(FaultVerb.ACCEPT_THEN_504, status=status, body="<html>")
    async with served(faults=(rule,)) as broker:
        response = await broker.post_order(client_order_id="lost")
        assert (response.status_code, response.text) == (status, "<html>")
        assert await status_of(broker, "lost") == "filled"


async def test_an_order_whose_request_was_answered_by_somebody_else_was_never_there() -> None:
    async with served(faults=(on_post(FaultVerb.ANSWER_INSTEAD),)) as broker:
        response = await broker.post_order(client_order_id="lost")
        assert (response.status_code, response.text) == (500, "internal server error")
        assert (await broker.get(LOOKUP, client_order_id="lost")).status_code == 404


async def test_an_order_that_lay_about_is_accepted_later() -> None:
    rule = on_post(FaultVerb.ACCEPT_LATE, delay_ns=2 * MINUTE_NS)
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        assert (await broker.post_order(client_order_id="late")).status_code == 504
        await broker.broker.advance()
        assert (await broker.get(LOOKUP, client_order_id="late")).status_code == 404
        await broker.broker.advance()
        assert await hear_kinds(stream, 3) == ["pending_new", "new", "fill"]
        assert await status_of(broker, "late") == "filled"


async def test_a_cancel_that_lay_about_is_done_later() -> None:
    rule = FaultRule(verb=FaultVerb.ACCEPT_LATE, method="DELETE", symbol="JD", delay_ns=MINUTE_NS)
    async with served(faults=(rule,)) as broker:
        order = await broker.order(limit_price="19.00", client_order_id="resting")
        assert (await broker.client.delete(f"/v2/orders/{order['id']}")).status_code == 504
        assert await status_of(broker, "resting") == "new"
        await broker.broker.advance()
        assert await status_of(broker, "resting") == "canceled"


async def test_a_late_reply_comes_after_the_events() -> None:
    rule = on_post(FaultVerb.DELAY_ACK, delay_s=PATIENCE_SECONDS)
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        with pytest.raises(Exception, match=r"^$|[Tt]imed? ?out"):
            await broker.client.post(
                "/v2/orders",
                json={
                    "symbol": "JD",
                    "qty": "10",
                    "side": "buy",
                    "type": "limit",
                    "limit_price": "20.05",
                    "time_in_force": "day",
                    "client_order_id": "slow",
                },
                timeout=0.3,
            )
        assert await hear_kinds(stream, 3) == ["pending_new", "new", "fill"]
        assert await status_of(broker, "slow") == "filled"


async def test_events_may_be_told_before_the_reply() -> None:
    rule = on_post(FaultVerb.EVENT_BEFORE_ACK)
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        order = await broker.order()
        assert broker.frames == ["trading"] * 3
        assert await hear_kinds(stream, 3) == ["pending_new", "new", "fill"]
        assert order["status"] == "pending_new"


@pytest.mark.parametrize(
    ("verb", "word"),
    [(FaultVerb.NO_ID, ""), (FaultVerb.ODD_WORD, "pondering")],
)
async def test_a_reply_lacks_its_id_or_says_what_nobody_knows(verb: FaultVerb, word: str) -> None:
    async with served(faults=(on_post(verb, word=word),)) as broker:
        order = await broker.order(client_order_id="odd")
        assert order["client_order_id"] == "odd"
        assert ("id" in order) is bool(word)
        assert order["status"] == (word or "pending_new")
        assert await status_of(broker, "odd") == "filled"


async def test_every_order_of_a_list_says_what_nobody_knows() -> None:
    rule = on_get(FaultVerb.ODD_WORD, "/v2/orders", word="pondering")
    async with served(faults=(rule,)) as broker:
        await broker.order()
        assert [one["status"] for one in await broker.read_list("/v2/orders", status="all")] == [
            "pondering"
        ]


@pytest.mark.parametrize(
    ("verb", "is_empty"), [(FaultVerb.EMPTY_REPLY, True), (FaultVerb.HALF_REPLY, False)]
)
async def test_a_reply_to_an_accepted_order_cannot_be_read(verb: FaultVerb, is_empty: bool) -> None:
    async with served(faults=(on_post(verb),)) as broker:
        response = await broker.post_order(client_order_id="odd")
        assert response.status_code == 200
        assert (response.content == b"") is is_empty
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(response.content)
        assert await status_of(broker, "odd") == "filled"


async def test_an_order_is_not_found_for_a_while() -> None:
    rule = on_get(FaultVerb.LOOKUP_404, LOOKUP, client_order_id_prefix="odd", times=2)
    async with served(faults=(rule,)) as broker:
        await broker.order(client_order_id="odd-1")
        for _ in range(2):
            missing = await broker.get(LOOKUP, client_order_id="odd-1")
            assert missing.status_code == 404
            assert missing.json()["code"] == 40410000
        assert await status_of(broker, "odd-1") == "filled"


@pytest.mark.parametrize("path", ["/v2/positions", "/v2/orders", "/v2/account"])
@pytest.mark.parametrize(
    ("verb", "how", "status", "content"),
    [
        (FaultVerb.ANSWER_INSTEAD, {}, 500, b"internal server error"),
        (FaultVerb.ANSWER_INSTEAD, {"status": 200, "body": "[]"}, 200, b"[]"),
        (FaultVerb.HALF_REPLY, {}, 200, None),
    ],
)
async def test_a_snapshot_fails_or_comes_back_empty(
    path: str, verb: FaultVerb, how: JsonObject, status: int, content: bytes | None
) -> None:
    async with served(faults=(on_get(verb, path, **how),)) as broker:
        await broker.order()
        response = await broker.get(path, status="all")
        assert response.status_code == status
        if content is not None:
            assert response.content == content
        else:
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(response.content)
        whole = (await broker.get(path, status="all")).content
        assert content is None or whole != content


async def test_a_stale_account_shows_nothing_of_this_instant() -> None:
    rule = FaultRule(verb=FaultVerb.STALE_GET, method="GET", times=4)
    async with served(faults=(rule,)) as broker:
        await broker.order(client_order_id="fresh")
        assert (await broker.get(LOOKUP, client_order_id="fresh")).status_code == 404
        assert await broker.read_list("/v2/orders", status="all") == []
        assert await broker.read_list("/v2/positions") == []
        assert (await broker.read("/v2/account"))["cash"] == "250000"
        assert (await broker.read("/v2/account"))["cash"] == "249799.8"


async def test_a_stale_account_is_as_old_as_the_rule_says() -> None:
    rule = on_get(FaultVerb.STALE_GET, "/v2/positions", delay_ns=MINUTE_NS, times=None)
    async with served(faults=(rule,)) as broker:
        held = []
        for _ in range(3):
            await broker.order()
            held.append([one["qty"] for one in await broker.read_list("/v2/positions")])
            await broker.broker.advance()
        assert held == [[], [], ["10"]]


async def test_a_burst_of_429_does_nothing() -> None:
    async with served(faults=(on_post(FaultVerb.TOO_MANY_REQUESTS, times=3),)) as broker:
        assert [(await broker.post_order()).status_code for _ in range(4)] == [429, 429, 429, 200]
        assert len(broker.broker.venue.state.orders) == 1


async def test_an_order_is_rejected_after_its_200() -> None:
    rule = on_post(FaultVerb.REJECT_AFTER_ACCEPT, word="no shares to borrow")
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        assert (await broker.order(client_order_id="odd"))["status"] == "pending_new"
        assert await hear_kinds(stream, 2) == ["pending_new", "rejected"]
        assert await status_of(broker, "odd") == "rejected"
        assert await broker.read_list("/v2/positions") == []
        account = await broker.read("/v2/account")
        assert account["buying_power"] == account["cash"] == "250000"


async def test_an_order_is_rejected_minutes_after_its_200() -> None:
    rule = on_post(FaultVerb.REJECT_AFTER_ACCEPT, delay_ns=MINUTE_NS)
    async with served(faults=(rule,)) as broker:
        await broker.order(client_order_id="odd")
        assert await status_of(broker, "odd") == "pending_new"
        await broker.broker.advance()
        assert await status_of(broker, "odd") == "rejected"


@pytest.mark.parametrize(
    ("quantity", "kinds", "status"),
    [
        (None, ["pending_cancel", "fill"], "filled"),
        (Decimal(4), ["pending_cancel", "partial_fill", "canceled"], "canceled"),
    ],
)
async def test_an_order_trades_while_its_cancel_is_pending(
    quantity: Decimal | None, kinds: list[str], status: str
) -> None:
    rule = FaultRule(verb=FaultVerb.FILL_WHILE_CANCELLING, method="DELETE", quantity=quantity)
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        order = await broker.order(limit_price="19.00", client_order_id="odd")
        assert (await broker.client.delete(f"/v2/orders/{order['id']}")).status_code == 204
        await broker.broker.advance()
        assert await hear_kinds(stream, 2 + len(kinds)) == ["pending_new", "new", *kinds]
        assert await status_of(broker, "odd") == status


async def test_a_cancel_is_rejected_after_its_204() -> None:
    rule = FaultRule(verb=FaultVerb.REJECT_CANCEL, method="DELETE")
    async with served(faults=(rule,)) as broker, broker.trading_stream() as stream:
        order = await broker.order(limit_price="19.00", client_order_id="odd")
        assert (await broker.client.delete(f"/v2/orders/{order['id']}")).status_code == 204
        kinds = ["pending_new", "new", "pending_cancel", "order_cancel_rejected"]
        assert await hear_kinds(stream, 4) == kinds
        await broker.broker.advance()
        assert await status_of(broker, "odd") == "new"


async def test_chance_is_seeded() -> None:
    struck = []
    for _ in range(2):
        rule = on_post(FaultVerb.ANSWER_INSTEAD, probability=0.5, times=None)
        async with served(faults=(rule,)) as broker:
            struck.append([(await broker.post_order()).status_code for _ in range(12)])
    assert struck[0] == struck[1]
    assert set(struck[0]) == {200, 500}


async def test_a_rule_for_a_stream_leaves_requests_alone() -> None:
    rules = (FaultRule(verb=FaultVerb.DROP_EVENT, times=None, from_ns=open_ns(MONDAY)),)
    async with served(faults=rules) as broker, broker.trading_stream():
        assert (await broker.order())["status"] == "pending_new"
        assert broker.frames == []
        # Two quotes and three trade updates: a rule without a method takes both streams.
        assert broker.broker.faults.strikes == [5]
