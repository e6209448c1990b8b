"""The simulated broker within a process that isn't ours: from a thread, by hand, and as an ASGI application."""

import decimal
import json
import re
import threading
import urllib.error
import urllib.request
from decimal import Decimal
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from trader.exits import Mistake
from trader.simulator.asgi import Application, application
from trader.simulator.in_process import InProcessBroker, simulated_broker

KEYS = {"key": "PKTEST", "secret": "hush"}
HEADERS = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "hush"}
BUY = {"symbol": "JD", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}


def asked(broker: InProcessBroker, path: str, body: object = None) -> Any:  # noqa: ANN401  # whatever JSON it answers
    headers = {"APCA-API-KEY-ID": broker.key, "APCA-API-SECRET-KEY": broker.secret}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(broker.address + path, data, headers), timeout=20
    ) as reply:
        return json.load(reply)


def test_time_stands_until_it_is_moved_and_goes_on_over_nights() -> None:
    with simulated_broker() as broker:
        assert asked(broker, "/v2/clock")["timestamp"].startswith("2026-01-26T09:30:00")
        broker.advance(minutes=45)
        assert asked(broker, "/v2/clock")["timestamp"].startswith("2026-01-26T10:15:00")
        broker.advance(minutes=24 * 60)
        assert asked(broker, "/v2/clock")["timestamp"].startswith("2026-01-27T10:15:00")
        assert asked(broker, "/v2/clock")["is_open"]


def test_an_order_trades_at_the_quote_that_was_set_and_the_books_are_exact() -> None:
    with simulated_broker(symbols=["JD"], cash="1000.5") as broker:
        broker.quote("JD", "20.00", Decimal("20.02"))
        assert asked(broker, "/v2/orders", BUY)["status"] == "pending_new"
        [order] = broker.orders
        assert (order["status"], order["filled_avg_price"]) == ("filled", "20.02")
        assert broker.positions == {"JD": 3}
        assert broker.cash == Decimal("940.44")


def test_the_arithmetic_of_whoever_asks_stays_as_it_was() -> None:
    with decimal.localcontext(decimal.Context(prec=3)) as mine, simulated_broker() as broker:
        broker.advance(3)
        asked(broker, "/v2/orders", BUY | {"type": "limit", "limit_price": "20.02"})
        broker.quote("JD", "20", "20.02")
        assert str(broker.cash) == "249939.94"
        assert decimal.getcontext() is mine
        assert str(Decimal(1) / Decimal(3)) == "0.333"


def test_what_befalls_it_and_what_fails_is_said_from_outside() -> None:
    with simulated_broker() as broker:
        broker.befall("deposit", amount=Decimal(5))
        assert broker.cash == 250_005
        broker.befall("fee", amount=0.25, at="09:31")
        broker.advance()
        assert broker.cash == Decimal("250004.75")
        with pytest.raises(ValueError, match="dividend: no JD is held"):
            broker.befall("dividend", symbol="JD", amount=1)
        with pytest.raises(ValueError, match="name: fee needs amount \\(write amount = …"):
            broker.befall("fee")
        broker.fail("drop-after-accept", method="POST")
        with pytest.raises((RemoteDisconnected, ConnectionError, urllib.error.URLError)):
            asked(broker, "/v2/orders", BUY)
        assert len(broker.orders) == 1
        with pytest.raises(ValueError, match="no such fault: 'mystery'"):
            broker.fail("mystery")
        with pytest.raises(ValueError, match="ofen: unknown key"):
            broker.fail("drop-event", ofen=3)


def test_faults_are_said_in_the_words_of_a_file() -> None:
    with simulated_broker() as broker:
        broker.fail("accept-then-504", symbol="JD", times="always", probability=1.0, from_="09:31")
        assert asked(broker, "/v2/orders", BUY)["status"] == "pending_new"
        broker.advance()
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="504"):
                asked(broker, "/v2/orders", BUY)
        broker.mend()
        assert asked(broker, "/v2/orders", BUY)["status"] == "pending_new"
        assert len(broker.orders) == 4


def test_a_broker_is_made_with_the_words_of_the_command_line(tmp_path: Path) -> None:
    state, events = tmp_path / "state.db", tmp_path / "events.toml"
    events.write_text('[[event]]\nname = "deposit"\nat = "15:51"\namount = 7\n')
    words: dict[str, Any] = {
        "start": "2026-11-27T12:50",  # a half day
        "cash": 1_000,
        "terms": {"latency": 0.5},
        "faults": [{"verb": "accept-then-504"}],
        "events": [{"name": "deposit", "at": "12:51", "amount": "5"}],
        "state": state,
    }
    with simulated_broker(**words) as broker:
        assert asked(broker, "/v2/clock")["next_close"].startswith("2026-11-27T13:00")
        with pytest.raises(urllib.error.HTTPError, match="504"):
            asked(broker, "/v2/orders", BUY)
        broker.advance()
        assert [order["status"] for order in broker.orders] == ["filled"]
        keys, cash = (broker.key, broker.secret), broker.cash
        assert cash > 905
    with simulated_broker(state=str(state), events=events) as broker:
        assert (broker.key, broker.secret) == keys
        assert broker.cash == cash
        assert broker.positions == {"JD": 3}
        assert asked(broker, "/v2/clock")["timestamp"].startswith("2026-11-27T12:5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"multiplier": 3}, "multiplier: not possible: 3"),
        ({"speed": 0}, "--speed: above 0 and at most 100,000, not 0"),
        ({"plan": "gold"}, "plan: not possible: 'gold'"),
        ({"rate_limit": 0}, "rate_limit: not possible: 0"),
        ({"faults": [{"verb": "no-id"}, {"verb": "no"}]}, "faults, fault 2: verb: no such fault"),
        ({"terms": {"latensy": 1}}, "--term latensy=1: latensy: unknown key"),
        ({"data": "none"}, "none: there is no such file or folder"),
    ],
)
def test_words_that_make_no_broker_are_a_mistake(words: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=re.escape(said)), simulated_broker(**words):
        pass


def test_a_clock_moves_it_where_there_is_one() -> None:
    with simulated_broker(speed=5_000) as broker:
        before = asked(broker, "/v2/clock")["timestamp"]
        while asked(broker, "/v2/clock")["timestamp"] == before:
            pass
        with pytest.raises(ValueError, match="without a speed"):
            broker.advance()


def test_a_bot_in_another_process_is_told_where_it_is() -> None:
    with simulated_broker() as broker:
        assert broker.environment == {
            "APCA_API_BASE_URL": broker.address,
            "APCA_API_KEY_ID": broker.key,
            "APCA_API_SECRET_KEY": broker.secret,
        }
        port = broker.address.rpartition(":")[2]
        assert broker.trading_stream == f"ws://127.0.0.1:{port}/stream"
        assert broker.data_stream("sip") == f"ws://127.0.0.1:{port}/v2/sip"


def test_what_is_wrong_is_raised_and_no_thread_stays() -> None:
    before = threading.active_count()
    with pytest.raises(Mistake, match="NOBODY"), simulated_broker(symbols=["NOBODY"]):
        pass
    with simulated_broker() as broker:
        port = int(broker.address.rpartition(":")[2])
        with pytest.raises(ExceptionGroup) as raised, simulated_broker(port=port):
            pass
        assert raised.group_contains(OSError)
        with pytest.raises(RuntimeError, match="the test's own"):
            raise RuntimeError("the test's own")
    assert threading.active_count() == before
    with pytest.raises(trio.RunFinishedError):
        broker.advance()


async def test_as_an_application_it_answers_without_sockets() -> None:
    app = application(**KEYS, symbols=["JD"])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://broker", headers=HEADERS
    ) as client:
        await app.broker.advance()
        assert (await client.post("/v2/orders", json=BUY)).status_code == 200
        assert len((await client.get("/v2/positions")).json()) == 1
        assert (await client.get("/v2/account", headers={"APCA-API-KEY-ID": "no"})).is_error
    app.broker.close()


async def test_with_a_speed_its_time_passes_from_a_servers_start_to_its_end() -> None:
    app = application(**KEYS, speed=5_000)
    began_ns = app.broker.now_ns
    to_app, from_server = trio.open_memory_channel[dict[str, str]](2)
    said: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lived, app, from_server, said)
        await to_app.send({"type": "lifespan.startup"})
        with trio.fail_after(20):
            while app.broker.now_ns == began_ns:
                await trio.lowlevel.checkpoint()
        await to_app.send({"type": "lifespan.shutdown"})
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def lived(
    app: Application, received: trio.MemoryReceiveChannel[dict[str, str]], said: list[str]
) -> None:
    """A server's side of an application's life."""

    async def send(message: Any) -> None:  # noqa: ANN401  # a message of ASGI
        said.append(message["type"])

    await app({"type": "lifespan"}, received.receive, send)
