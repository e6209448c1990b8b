"""Scripted faults over a real socket: what the client sees, and what the broker has done all the same."""

import httpx2
import pytest

from tests.simulator_served import MONDAY, hear, open_ns, served
from trader.model import MINUTE_NS
from trader.simulator.faults import FaultRule, Faults, FaultVerb, Occasion


def orders_fail(verb: FaultVerb, symbol: str = "") -> tuple[FaultRule, ...]:
    return (FaultRule(verb=verb, method="POST", path_prefix="/v2/orders", symbol=symbol),)


async def test_an_order_accepted_behind_a_504_stands() -> None:
    async with served(faults=orders_fail(FaultVerb.ACCEPT_THEN_504)) as broker:
        async with broker.trading_stream() as stream:
            response = await broker.post_order(client_order_id="lost")
            assert response.status_code == 504
            assert "code" not in response.text
            assert (await hear(stream))["stream"] == "trade_updates"
        order = await broker.read("/v2/orders:by_client_order_id", client_order_id="lost")
        assert order["status"] == "filled"
        assert (await broker.post_order(client_order_id="lost")).status_code == 422
        assert (await broker.post_order(client_order_id="next")).status_code == 200


async def test_an_order_dropped_after_acceptance_stands_and_has_no_reply() -> None:
    async with served(faults=orders_fail(FaultVerb.DROP_AFTER_ACCEPT)) as broker:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await broker.post_order(client_order_id="lost")
        order = await broker.read("/v2/orders:by_client_order_id", client_order_id="lost")
        assert order["status"] == "filled"


async def test_an_order_dropped_before_acceptance_was_never_there() -> None:
    async with served(faults=orders_fail(FaultVerb.DROP_BEFORE_ACCEPT)) as broker:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await broker.post_order(client_order_id="lost")
        assert await broker.read_list("/v2/orders", status="all") == []
        assert (await broker.post_order(client_order_id="lost")).status_code == 200


@pytest.mark.parametrize("verb", [FaultVerb.ACCEPT_THEN_504, FaultVerb.DROP_AFTER_ACCEPT])
async def test_what_is_refused_is_told_as_ever(verb: FaultVerb) -> None:
    async with served(faults=orders_fail(verb)) as broker:
        assert (await broker.post_order(qty="1000000")).status_code == 403


async def test_a_rule_for_one_symbol_leaves_the_others_alone() -> None:
    async with served(faults=orders_fail(FaultVerb.ACCEPT_THEN_504, "GS")) as broker:
        assert (await broker.post_order()).status_code == 200
        assert (await broker.post_order(symbol="GS", limit_price="101")).status_code == 504


@pytest.mark.parametrize(
    ("rule", "failing"),
    [
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504), [0]),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, nth=2, times=2), [1, 2]),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, method="GET"), []),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, path_prefix="/v2/pos"), []),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, client_order_id_prefix="c2", times=9), [2]),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, from_ns=2 * MINUTE_NS, times=9), [2, 3]),
        (FaultRule(verb=FaultVerb.ACCEPT_THEN_504, until_ns=MINUTE_NS, times=9), [0]),
    ],
)
def test_a_rule_picks_its_requests(rule: FaultRule, failing: list[int]) -> None:
    faults = Faults([rule])
    verbs = [
        faults.rule_for(
            Occasion(
                method="POST",
                path="/v2/orders",
                at_ns=minute * MINUTE_NS,
                symbol="JD",
                client_order_id=f"c{minute}",
            )
        )
        for minute in range(4)
    ]
    assert [minute for minute, verb in enumerate(verbs) if verb is not None] == failing


async def test_a_rule_may_come_while_the_broker_runs_and_wait_for_its_time() -> None:
    async with served() as broker:
        broker.broker.faults.add(
            FaultRule(
                verb=FaultVerb.ACCEPT_THEN_504,
                method="POST",
                from_ns=open_ns(MONDAY) + MINUTE_NS,
            )
        )
        assert (await broker.post_order()).status_code == 200
        await broker.broker.advance()
        assert (await broker.post_order()).status_code == 504
