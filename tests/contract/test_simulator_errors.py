"""The simulated broker's refusals over real sockets, row by row: status, code, words and the further keys."""

import pytest

from tests.simulator_served import JD, JsonObject, Served, served
from trader.model import MINUTE_NS, Symbol
from trader.simulator.books import Service
from trader.simulator.faults import FaultRule, FaultVerb
from trader.venue import VenueAsset

MARKET: JsonObject = {"type": "market", "limit_price": None}
RESTRICTED = {
    Symbol("GS"): VenueAsset(is_fractionable=False, is_shortable=False),
    Symbol("IBM"): VenueAsset(is_tradable=False),
}

# What is wrong with the order; status, code, the message's beginning, and the keys beside code and message.
REFUSALS: dict[str, tuple[JsonObject, int, int, str, set[str]]] = {
    "more than can be paid": (
        {"qty": "100000"},
        403,
        40310000,
        "insufficient buying power",
        {"buying_power", "cost_basis"},
    ),
    "more than is held": (
        {"side": "sell", "qty": "11", "limit_price": "25"},
        403,
        40310000,
        "insufficient qty available for order (requested: 11, available: 10)",
        {"available", "existing_qty", "held_for_orders", "symbol", "related_orders"},
    ),
    "against one's own order": (
        {"side": "sell", "qty": "1", **MARKET},
        403,
        40310000,
        "potential wash trade detected. use complex orders",
        {"existing_order_id", "reject_reason"},
    ),
    "short, by a cash account": (
        {"symbol": "GS", "side": "sell", "qty": "1", "limit_price": "101"},
        403,
        40310000,
        "account is not allowed to short",
        set(),
    ),
    "a part of what has none": (
        {"symbol": "GS", "qty": "0.5", **MARKET},
        403,
        40310000,
        'asset "GS" is not fractionable',
        set(),
    ),
    "an id twice": (
        {"client_order_id": "held"},
        422,
        40010001,
        "client_order_id must be unique",
        set(),
    ),
    "an id that is too long": (
        {"client_order_id": "x" * 129},
        422,
        40010001,
        "client_order_id",
        set(),
    ),
    "no such time in force": (
        {"time_in_force": "never"},
        422,
        40010001,
        "invalid time_in_force",
        set(),
    ),
    "no size": ({"qty": None}, 422, 40010001, "qty or notional is required", set()),
    "a limit order without one": (
        {"limit_price": None},
        422,
        40010001,
        "limit orders require a limit price",
        set(),
    ),
    "a few cents": (
        {"qty": None, "notional": "0.99", **MARKET},
        422,
        40010001,
        "notional must be >= 1.00",
        set(),
    ),
    "a price between cents": (
        {"limit_price": "20.001"},
        422,
        42210000,
        "invalid limit_price 20.001. sub-penny increment",
        set(),
    ),
    "a stop on the wrong side": (
        {"type": "stop", "limit_price": None, "stop_price": "19"},
        422,
        42210000,
        "stop price must be greater than current price",
        {"market_price", "stop_price"},
    ),
    "a part for longer than a day": (
        {"qty": "0.5", "time_in_force": "gtc", **MARKET},
        422,
        42210000,
        "fractional orders must be DAY orders",
        set(),
    ),
    "what is not traded": (
        {"symbol": "IBM", "limit_price": "300"},
        422,
        42210000,
        'asset "IBM" is not tradable',
        set(),
    ),
    "what there is not": ({"symbol": "NONE"}, 422, 42210000, "", set()),
}


async def standing(broker: Served) -> tuple[str, str]:
    """Ten JD held, and a buy order that rests: the ids of the filled one and of the other."""
    filled = await broker.order(client_order_id="held")
    resting = await broker.order(client_order_id="resting", limit_price="15.00")
    return str(filled["id"]), str(resting["id"])


@pytest.mark.parametrize("case", REFUSALS)
async def test_an_order_is_refused_in_the_brokers_words(case: str) -> None:
    changes, status, code, words, extra = REFUSALS[case]
    async with served(service=Service(restrictions=RESTRICTED)) as broker:
        _, resting = await standing(broker)
        before = broker.broker.venue.to_bytes()
        refused = await broker.post_order(**changes)
        told = refused.json()
        assert (refused.status_code, told["code"]) == (status, code), told
        assert told["message"].startswith(words)
        assert told.keys() == {"code", "message", *extra}
        assert told.get("existing_order_id", resting) == resting
        assert broker.broker.venue.to_bytes() == before


async def test_a_short_sale_of_what_cannot_be_borrowed_is_refused() -> None:
    async with served(service=Service(restrictions=RESTRICTED, multiplier=2)) as broker:
        refused = await broker.post_order(symbol="GS", side="sell", limit_price="101")
        assert refused.status_code == 422
        assert refused.json() == {"code": 42210000, "message": 'asset "GS" cannot be sold short'}


async def test_what_is_not_there_or_no_longer_open_is_told_so() -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    async with served() as broker:
        filled, resting = await standing(broker)
        for verb, path, body, status, code, words in (
            ("GET", f"/v2/orders/{nobody}", b"", 404, 40410000, f"order not found for {nobody}"),
            ("GET", "/v2/orders:by_client_order_id", b"", 422, 40010001, "order_id is missing"),
            ("GET", "/v2/positions/GS", b"", 404, 40410000, "position does not exist"),
            ("GET", "/v2/assets/NONE", b"", 404, 40410000, "asset not found for NONE"),
            (
                "DELETE",
                f"/v2/orders/{filled}",
                b"",
                422,
                42210000,
                'order is already in "filled" state',
            ),
            (
                "PATCH",
                f"/v2/orders/{filled}",
                b'{"qty": "3"}',
                422,
                42210000,
                "order is not open",
            ),
        ):
            answer = await broker.client.request(verb, path, content=body)
            assert answer.status_code == status, path
            assert answer.json() == {"code": code, "message": words}
        for _ in range(2):
            assert (await broker.client.delete(f"/v2/orders/{resting}")).status_code == 204


async def test_an_order_that_waits_for_its_session_cannot_be_replaced() -> None:
    async with served(first_instant=False) as broker:
        while await broker.broker.advance() is not None:
            pass
        order = await broker.order(limit_price="15.00")
        assert order["status"] == "accepted"
        refused = await broker.client.patch(f"/v2/orders/{order['id']}", content=b'{"qty":"3"}')
        assert (refused.status_code, refused.json()["code"]) == (422, 42210000)
        assert refused.json()["message"] == "cannot replace order in accepted status"


async def test_beyond_the_limit_of_requests_the_headers_say_when_to_come_back() -> None:
    async with served(service=Service(requests_per_minute=2)) as broker:
        left = [(await broker.get("/v2/clock")).headers["X-RateLimit-Remaining"] for _ in range(2)]
        assert left == ["1", "0"]
        refused = await broker.get("/v2/clock")
        assert refused.status_code == 429
        assert "code" not in refused.json()
        assert refused.headers["X-RateLimit-Limit"] == "2"
        reset_ns = int(refused.headers["X-RateLimit-Reset"]) * 1_000_000_000
        assert 0 < reset_ns - broker.broker.now_ns <= MINUTE_NS
        await broker.broker.advance()
        assert (await broker.get("/v2/clock")).status_code == 200


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_failure_says_nothing_of_what_became_of_the_order(status: int) -> None:
    rule = FaultRule(verb=FaultVerb.ACCEPT_THEN_504, status=status, symbol=JD)
    async with served(faults=(rule,)) as broker:
        failed = await broker.post_order(client_order_id="mine")
        assert failed.status_code == status
        assert not failed.text.startswith("{")
        assert (await broker.post_order(client_order_id="mine")).status_code == 422
