"""`trade conformance` against our own broker over real sockets: what it tells, what it refuses, what it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.program import PATIENCE_S, ROOT, Ended
from trader.simulator.in_process import InProcessBroker, simulated_broker

YES = "--yes-send-orders"


@pytest.fixture
def broker() -> Iterator[InProcessBroker]:
    with simulated_broker() as standing:
        yield standing


def asked(folder: Path, broker: InProcessBroker, *arguments: str) -> Ended:
    command = [sys.executable, "-P", "-m", "trader", "conformance", "--broker", "alpaca-paper"]
    ended = subprocess.run(
        [*command, "--address", broker.address, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **broker.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def test_our_own_broker_says_what_our_own_broker_says(
    broker: InProcessBroker, tmp_path: Path
) -> None:
    ended = asked(tmp_path, broker, YES, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    answers = told["answers"]
    assert {name for name, one in answers.items() if not one["is_same"]} == {"id_other_day", "fees"}
    assert all(answers[name]["is_same"] is None for name in ("id_other_day", "fees"))
    assert answers["id_other_day"]["simulated"] == "422 40010001"
    assert answers["frames_auth"]["service"] == "authorized, binary frames"
    assert told["left_open"] == 0
    ids = [str(order["client_order_id"]) for order in broker.orders if not order["replaces"]]
    assert len(ids) == len(set(ids)) > 10
    assert all(one.startswith("conformance-") for one in ids)
    assert {str(order["qty"]) for order in broker.orders} == {"1"}
    assert {str(order["status"]) for order in broker.orders} == {"canceled", "replaced"}
    assert broker.positions == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "reply", "intent"),
    [
        ({"multiplier": 4}, "200 taken, pending_new", "422 42210000"),
        ({"nights": "pass", "start": "2026-01-26T20:30"}, "200 taken, accepted", "403 40310000"),
        (
            {"nights": "pass", "start": "2026-01-31T12:00", "multiplier": 2},
            "200 taken, accepted",
            "422 42210000",
        ),
    ],
    ids=["margin", "closed", "margin and closed"],
)
def test_it_is_compared_with_an_account_and_an_hour_of_its_kind(
    tmp_path: Path, how: dict[str, Any], reply: str, intent: str
) -> None:
    with simulated_broker(**how) as standing:
        ended = asked(tmp_path, standing, YES, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    answers = told["answers"]
    assert (told["multiplier"], told["is_open"]) == (how.get("multiplier", 1), "start" not in how)
    assert {name for name, one in answers.items() if one["is_same"] is False} == set()
    said = [
        (answers[name]["service"], answers[name]["simulated"])
        for name in ("reply", "position_intent")
    ]
    assert said == [(reply, reply), (intent, intent)]
    assert answers["id_other_day"]["simulated"] == "422 40010001"
    assert (
        "has never been charged any: ask on one that has sold" in answers["fees"]["service_detail"]
    )
    assert told["left_open"] == 0


def test_what_differs_is_told_beside_what_was_expected(
    broker: InProcessBroker, tmp_path: Path
) -> None:
    broker.fail("lookup-404", path="/v2/orders:by_client_order_id", nth=2)
    ended = asked(tmp_path, broker, YES)
    assert ended.code == 1
    assert "DIFFERS" in ended.out
    assert "0 orders left open" in ended.out


def test_an_order_without_an_answer_is_not_sent_again_and_is_canceled(
    broker: InProcessBroker, tmp_path: Path
) -> None:
    broker.fail("drop-after-accept", method="POST", nth=2)
    ended = asked(tmp_path, broker, YES, "--json")
    told = json.loads(ended.out)
    assert [order["status"] for order in broker.orders] == ["canceled", "canceled"]
    assert told["left_open"] == 0
    assert told["answers"]["events"]["service"] is None


def test_it_refuses_where_its_orders_could_be_in_the_way(
    broker: InProcessBroker, tmp_path: Path
) -> None:
    bare = asked(tmp_path, broker)
    assert (bare.code, YES in bare.err) == (2, True)
    live = asked(tmp_path, broker, YES, "--broker", "alpaca-live")
    assert live.code == 2
    far = asked(tmp_path, broker, YES, "--address", "https://api.alpaca.markets")
    assert (far.code, "not a server on this machine" in far.err) == (2, True)
    (tmp_path / "trading_data.db").touch()
    books = asked(tmp_path, broker, YES)
    assert (books.code, "books of the trader" in books.err) == (3, True)
    assert broker.orders == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "market"}, "the account holds: T"),
        ({"type": "limit", "limit_price": "1"}, "the account has open orders: T"),
        ({"type": "limit", "limit_price": "1", "client_order_id": "trd-T-B-1"}, "has traded on"),
    ],
    ids=["holdings", "orders", "ours"],
)
def test_it_refuses_an_account_that_is_used(
    broker: InProcessBroker, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    keys = {"APCA-API-KEY-ID": broker.key, "APCA-API-SECRET-KEY": broker.secret}
    body = {"symbol": "T", "qty": "1", "side": "buy", "time_in_force": "day"} | changes
    with httpx2.Client(base_url=broker.address, headers=keys, trust_env=False) as client:
        sent = client.post("/v2/orders", json=body)
        assert sent.status_code == 200
        if "client_order_id" in changes:
            client.delete("/v2/orders")
    before = len(broker.orders)
    ended = asked(tmp_path, broker, YES)
    assert (ended.code, words in ended.err) == (3, True), ended.err
    assert len(broker.orders) == before
    assert broker.cash <= Decimal(250_000)
