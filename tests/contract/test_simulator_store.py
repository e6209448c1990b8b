"""The simulated broker's own file: what it acknowledged is there after any end, and the next session goes on."""

import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.broker_process import PATIENCE_SECONDS, ROOT, post_order, running
from tests.simulator_served import JD, KEYS, MONDAY, TUESDAY, WEDNESDAY, WrittenMarket, served
from trader.exits import StartRefused
from trader.feeds.synthetic import SyntheticMarket
from trader.model import Side, TimeInForce
from trader.simulator.broker import SimulatedBroker
from trader.simulator.market_time import LAST_SESSION
from trader.venue import NewOrder, OrderType, Refusal, VenueOrder

BUY = NewOrder(
    symbol=JD,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity=Decimal(10),
    limit_price=Decimal("20.05"),
)


def broker_on(path: Path) -> SimulatedBroker:
    return SimulatedBroker(WrittenMarket(), keys=KEYS, seed=1, path=path)


def send(broker: SimulatedBroker, new: NewOrder = BUY) -> VenueOrder:
    events = broker.submit(broker.account.account_id, new)
    assert not isinstance(events, Refusal)
    return broker.venue.state.orders[events[0].order.order_id]


async def test_the_next_session_goes_on_with_the_same_account(tmp_path: Path) -> None:
    path = tmp_path / "d.broker.db"
    for date, held in ((MONDAY, 10), (TUESDAY, 20), (WEDNESDAY, 30)):
        broker = broker_on(path)
        assert broker.next_session_date("") == date
        broker.begin_session(date)
        await broker.advance()
        send(broker)
        while await broker.advance() is not None:
            pass
        assert broker.last_session == date
        assert broker.venue.account(broker.account.account_id).quantity(JD) == held
        number = broker.account.number
        broker.close()
    again = broker_on(path)
    assert again.next_session_date("") is None
    assert again.account.number == number
    assert again.account.cash == Decimal(250_000) - 30 * Decimal("20.02")
    ids = [execution.execution_id for execution in again.venue.state.executions]
    assert len(ids) == 3, "nothing that is in the file is written again"
    assert len(set(ids)) == 3, "a life that goes on gives no identifier a second time"
    again.close()


async def test_the_same_seed_gives_the_same_account_and_identifiers() -> None:
    lives = []
    for _ in range(2):
        broker = SimulatedBroker(WrittenMarket(), keys=KEYS, seed=1)
        broker.begin_session(MONDAY)
        await broker.advance()
        send(broker)
        lives.append(broker.venue.to_bytes())
        broker.close()
    assert lives[0] == lives[1]


async def test_a_session_that_was_cut_off_goes_on_where_it_stood(tmp_path: Path) -> None:
    path = tmp_path / "d.broker.db"
    broker = broker_on(path)
    broker.begin_session(MONDAY)
    for _ in range(2):
        await broker.advance()
    resting = send(broker, msgspec.structs.replace(BUY, limit_price=Decimal(10)))
    send(broker)
    broker.cancel(resting.account_id, resting.order_id)
    saved = broker.venue.to_bytes()
    broker.close()  # nothing is written by it: what was acknowledged is in the file already

    again = broker_on(path)
    assert again.venue.to_bytes() == saved
    assert again.next_session_date("") == MONDAY
    again.begin_session(MONDAY)
    instant = await again.advance()
    assert instant is not None
    assert (instant.at_ns - again.venue.state.executions[0].at_ns) == 60_000_000_000
    again.close()


async def test_a_session_that_was_cut_off_is_ended_when_another_begins(tmp_path: Path) -> None:
    path = tmp_path / "d.broker.db"
    broker = broker_on(path)
    broker.begin_session(MONDAY)
    await broker.advance()
    resting = send(broker, msgspec.structs.replace(BUY, limit_price=Decimal(10)))
    send(broker)
    send(broker, msgspec.structs.replace(BUY, side=Side.SELL, limit_price=Decimal("19.99")))
    broker.close()

    again = broker_on(path)
    again.begin_session(TUESDAY)
    assert again.venue.state.orders[resting.order_id].status == "expired"
    assert [fee.date for fee in again.venue.state.activities] == [MONDAY]
    again.close()


@pytest.mark.parametrize("date", ["2026-01-25", "2026-01-23", "1900-01-01"])
def test_there_is_no_way_back_and_no_session_on_a_sunday(date: str) -> None:
    broker = SimulatedBroker(WrittenMarket(), keys=KEYS, seed=1)
    broker.begin_session(MONDAY)
    with pytest.raises(ValueError, match=r"session|calendar"):
        broker.begin_session(date)
    broker.close()


async def test_an_ended_session_does_not_begin_again() -> None:
    broker = SimulatedBroker(WrittenMarket(), keys=KEYS, seed=1)
    broker.begin_session(MONDAY)
    while await broker.advance() is not None:
        pass
    with pytest.raises(ValueError, match="has ended"):
        broker.begin_session(MONDAY)
    broker.close()


async def test_the_file_shows_every_accepted_order_and_no_refused_one(tmp_path: Path) -> None:
    path = tmp_path / "d.broker.db"
    async with served(path=path) as broker:
        await broker.order(client_order_id="a")
        await broker.post_order(client_order_id="b", qty="1000000")
        await broker.order(client_order_id="c", limit_price="19.00")
        with sqlite3.connect(path) as connection:
            rows = connection.execute(
                "SELECT number, client_order_id, symbol, side, quantity, status FROM orders"
            ).fetchall()
        connection.close()
    assert rows == [(1, "a", "JD", "BUY", "10", "filled"), (2, "c", "JD", "BUY", "10", "new")]


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + bytes(84)]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.broker.db"
    path.write_bytes(content)
    with pytest.raises(StartRefused, match="not the simulated broker's file"):
        broker_on(path)
    assert path.read_bytes() == content


def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.broker.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(StartRefused, match="another application"):
        broker_on(path)


# --- the verb, as a process of its own


async def test_a_market_without_end_ends_before_the_calendar_does() -> None:
    market = SyntheticMarket(7, [JD])
    broker = SimulatedBroker(market, keys=KEYS, seed=7)
    broker.begin_session("2029-09-27")
    while await broker.advance():
        pass
    assert broker.next_session_date(MONDAY) == LAST_SESSION
    broker.begin_session(LAST_SESSION)
    send(broker, replace(BUY, time_in_force=TimeInForce.GTC, limit_price=Decimal(1)))
    while await broker.advance():
        pass
    assert broker.next_session_date(MONDAY) is None
    broker.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_broker_says_where_it_is_and_ends_when_told(end: signal.Signals) -> None:
    with running("--speed", "1") as (process, client):
        address, key = str(client.base_url), client.headers["APCA-API-KEY-ID"]
        assert address.startswith("http://127.0.0.1:")
        assert key.startswith("PK")
        assert key.isalnum()
        assert key == key.upper()
        assert client.get("/v2/clock").json()["timestamp"].startswith("2026-01-26T09:30:0")
        process.send_signal(end)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    with running("--state", state, "--speed", "1") as (process, client):
        for number in range(20):
            assert post_order(client, f"order-{number}").status_code == 200
        process.kill()
        process.wait(PATIENCE_SECONDS)
    with running("--state", state, "--speed", "1") as (_, client):
        for number in range(20):
            assert post_order(client, f"order-{number}").status_code == 422
        assert len(client.get("/v2/orders").json()) == 20


def test_one_session_follows_another_in_a_market_without_end() -> None:
    with running("--speed", "100000", "--symbols", "JD") as (_, client):
        dates: set[str] = set()
        while len(dates) < 3:
            dates.add(client.get("/v2/clock").json()["timestamp"][:10])


def test_a_wrong_symbol_is_a_mistake_of_one_line() -> None:
    command = [sys.executable, "-m", "trader", "broker", "--symbols", "NONE"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd=ROOT
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "NONE" in ended.stderr
