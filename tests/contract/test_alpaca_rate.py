"""Limits and clock of the broker, over a real socket: orders are held back, cancels go, and a 429 is believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.alpaca_fakes import (
    KEYS,
    ORDER_ID,
    HttpFake,
    Request,
    account_json,
    an_order,
    http_fake,
    order_json,
    reply,
    routed,
)
from trader.brokers.alpaca import AlpacaBroker, Links
from trader.messages import OrderReport, SendOutcome
from trader.model import SECOND_NS, BrokerOrderId, ClientOrderId, Purpose, Side


@asynccontextmanager
async def account(
    *headers: str, per_minute: int | None = None, orders: bytes = b""
) -> AsyncIterator[tuple[AlpacaBroker, HttpFake]]:
    """A broker whose answers about the account carry these headers."""

    def order(_request: Request) -> bytes:
        return orders or reply(200, order_json())

    routes = {
        "GET /v2/account": lambda _: reply(200, account_json(), *headers),
        "GET /v2/orders:by_client_order_id": order,
        "POST /v2/orders": order,
        "DELETE /v2/orders": lambda _: reply(204),
    }
    with trio.fail_after(20):
        async with (
            http_fake(routed(routes)) as fake,
            AlpacaBroker(
                base_url=fake.url,
                stream_url="ws://127.0.0.1:1",
                credentials=KEYS,
                name="test",
                market_ns=lambda: 0,
                links=Links(requests_per_minute=per_minute),
            ) as broker,
        ):
            yield broker, fake


def limits(remaining: int) -> tuple[str, str]:
    return "X-RateLimit-Limit: 200", f"X-RateLimit-Remaining: {remaining}"


EXIT = an_order(purpose=Purpose.EXIT, side=Side.SELL, client_order_id=ClientOrderId("trd1-x"))


async def test_when_little_is_left_entries_are_held_back_and_cancels_go() -> None:
    async with account(*limits(20)) as (broker, fake):
        await broker.identify()
        held = await broker.submit(an_order())
        assert isinstance(held, SendOutcome)
        assert (held.outcome, held.reason) == (
            "never_sent",
            "rate limit: 20 left, kept for cancels",
        )
        assert fake.targets("POST") == []
        canceled = await broker.cancel(an_order(broker_order_id=BrokerOrderId(ORDER_ID)))
        assert canceled.outcome == "accepted"
        # One whose broker's id must be asked for goes as well, with its question.
        assert (await broker.cancel(an_order())).outcome == "accepted"
        assert fake.targets("DELETE") == [f"/v2/orders/{ORDER_ID}"] * 2


async def test_an_exit_may_use_half_of_what_is_kept() -> None:
    async with account(*limits(15)) as (broker, fake):
        await broker.identify()
        await broker.submit(EXIT)
        assert fake.targets("POST") == ["/v2/orders"]
    async with account(*limits(10)) as (broker, fake):
        await broker.identify()
        held = await broker.submit(EXIT)
        assert isinstance(held, SendOutcome)
        assert held.outcome == "never_sent"
        assert fake.targets("POST") == []


async def test_without_a_limit_and_without_headers_nothing_is_held_back() -> None:
    async with account(orders=reply(429)) as (broker, fake):
        for _ in range(3):
            outcome = await broker.submit(an_order())
            assert isinstance(outcome, SendOutcome)
            assert outcome.outcome == "rejected"
        assert len(fake.targets("POST")) == 3


@pytest.mark.parametrize("nonsense", ["-1", "0", "1000000000", "9" * 5_000, "soon", "", "1.5"])
async def test_a_429_rejects_its_order_and_holds_the_next_one_back_whatever_it_says(
    nonsense: str,
) -> None:
    refusal = reply(429, b"", f"Retry-After: {nonsense}")
    async with account(per_minute=200, orders=refusal) as (broker, fake):
        first = await broker.submit(an_order())
        second = await broker.submit(an_order(client_order_id=ClientOrderId("trd1-2")))
        assert isinstance(first, SendOutcome)
        assert isinstance(second, SendOutcome)
        assert (first.outcome, second.outcome) == ("rejected", "never_sent")
        assert second.reason == "rate limit: the broker has told us to wait"
        assert len(fake.targets("POST")) == 1
        canceled = await broker.cancel(an_order(broker_order_id=BrokerOrderId(ORDER_ID)))
        assert canceled.outcome == "accepted"


async def test_a_limit_of_our_own_is_kept_where_the_broker_tells_nothing() -> None:
    async with account(per_minute=10) as (broker, fake):
        results = [
            await broker.submit(an_order(client_order_id=ClientOrderId(f"trd1-{number}")))
            for number in range(12)
        ]
        sent = [one for one in results if isinstance(one, OrderReport) or one.outcome == "unknown"]
        assert len(fake.targets("POST")) == len(sent) == 8, "a fifth of ten is kept for cancels"


async def test_how_far_the_brokers_clock_is_ahead_is_told_in_market_time() -> None:
    stamp = {"timestamp": "1970-01-01T00:00:05-05:00", "is_open": True}
    async with (
        http_fake(routed({"GET /v2/clock": lambda _: reply(200, stamp)})) as fake,
        AlpacaBroker(
            base_url=fake.url,
            stream_url="ws://127.0.0.1:1",
            credentials=KEYS,
            name="test",
            market_ns=lambda: 18_002 * SECOND_NS,
        ) as broker,
    ):
        assert await broker.clock_skew_ns() == 3 * SECOND_NS
