"""An order that is taken while its reply says 504: what a client makes of it that sends again, and what ours does."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from tests.alpaca_fakes import an_order
from tests.official_clients import alpaca_py
from tests.simulator_served import KEYS, Served, served
from trader.brokers.alpaca import AlpacaBroker
from trader.credentials import Credentials
from trader.messages import OrderReport, SendOutcome
from trader.simulator.faults import FaultRule, FaultVerb

# The first two orders that arrive are taken, and the reply is lost on its way.
TWICE = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, method="POST", path_prefix="/v2/orders", times=2)

# Alpaca's own client for Python; one call. Prints what the caller gets to see of it.
CLIENT = """
import json, sys
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest

address, key, secret, *identifier = sys.argv[1:]
trading = TradingClient(key, secret, url_override=address)
try:
    trading.submit_order(LimitOrderRequest(
        symbol="JD", qty=33, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=19,
        client_order_id=identifier[0] if identifier else None))
    print(json.dumps("submitted"))
except Exception as error:
    print(json.dumps([error.status_code, error.message]))
"""


@pytest.fixture
def python() -> Path:
    """One that has the official client."""
    return alpaca_py()


async def called_once(python: Path, on: Served, *identifier: str) -> object:
    """What the caller of the official client was told, having called it once."""
    shown = [on.address, KEYS.key, KEYS.secret, *identifier]
    ended = await trio.run_process(
        [str(python), "-W", "ignore", "-c", CLIENT, *shown], capture_stdout=True
    )
    return json.loads(ended.stdout)


def shares(on: Served) -> list[Decimal]:
    """What the broker has been made to buy, order by order."""
    return [order.quantity for order in on.broker.venue.state.orders.values()]


@pytest.mark.slow
async def test_the_official_client_makes_three_orders_of_one_call(python: Path) -> None:
    async with served(faults=(TWICE,)) as on:
        assert await called_once(python, on) == "submitted"
        assert shares(on) == [33, 33, 33]
        assert len({one.client_order_id for one in on.broker.venue.state.orders.values()}) == 3


@pytest.mark.slow
async def test_with_an_id_of_its_caller_it_makes_one_and_says_that_there_is_none(
    python: Path,
) -> None:
    async with served(faults=(TWICE,)) as on:
        assert await called_once(python, on, "mine-1") == [422, "client_order_id must be unique"]
        assert shares(on) == [33]


async def test_our_adapter_makes_one_says_that_it_does_not_know_and_finds_it() -> None:
    async with served(faults=(TWICE,)) as on:
        order = an_order(limit_price=Decimal(19), reserve_price=Decimal(19))
        async with AlpacaBroker(
            base_url=on.address,
            stream_url=on.address.replace("http:", "ws:"),
            credentials=Credentials(KEYS.key, KEYS.secret),
            name="simulated",
            market_ns=lambda: on.broker.now_ns,
        ) as ours:
            outcome = await ours.submit(order)
            assert isinstance(outcome, SendOutcome)
            assert outcome.outcome == "unknown"
            assert on.broker.faults.strikes == [1], "the second lost reply was there for a retry"
            found = await ours.lookup(order, 1)
        assert isinstance(found, list)
        assert {one.client_order_id for one in found if isinstance(one, OrderReport)} == {
            order.client_order_id
        }
        assert shares(on) == [33]
