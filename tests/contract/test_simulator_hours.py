"""The hours that `trade broker` serves beside the regular ones: recorded ticks before 09:30, and nights that pass."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.broker_process import PATIENCE_SECONDS, ROOT, running

TICKS = """timestamp,symbol,price,size,exchange,suspicious
2026-01-26T09:00:10Z,JD,20.00,300,P,0
2026-01-26T13:00:20Z,JD,20.50,300,P,0
2026-01-26T14:30:05Z,JD,21.00,300,P,0
2026-01-26T14:31:05Z,JD,21.10,300,P,0
"""
LIMIT = {"symbol": "JD", "qty": "5", "side": "buy", "type": "limit", "time_in_force": "day"}


@pytest.fixture
def data(tmp_path: Path) -> str:
    """One symbol's trades of a Monday: at 04:00:10, at 08:00:20, and after the opening."""
    folder = tmp_path / "data"
    (folder / "tick").mkdir(parents=True)
    (folder / "tick" / "JD.csv").write_text(TICKS)
    return str(folder)


def send(client: httpx2.Client, **changes: object) -> dict[str, str]:
    response = client.post("/v2/orders", json={**LIMIT, **changes})
    assert response.status_code == 200, response.text
    order: dict[str, str] = response.json()
    return order


def step(client: httpx2.Client, until: str) -> None:
    assert client.post("/admin/step", json={"until": until}).status_code == 200


def look(client: httpx2.Client, order: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = client.get(f"/v2/orders/{order['id']}").json()
    return found


def ends_as(client: httpx2.Client, order: dict[str, str], status: str) -> dict[str, str]:
    """Once it has come there by the clock; time passes by itself."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (found := look(client, order))["status"] != status:
        assert time.monotonic() < until, found
    return found


def market_line(*arguments: str) -> str:
    """What the broker says of where its market stands."""
    command = [sys.executable, "-m", "trader", "broker", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            return next(line for line in process.stdout if line.startswith("market ")).strip()
        finally:
            process.kill()


# --- before 09:30


def test_recorded_ticks_are_told_from_the_first_one_on_and_trade_what_may(data: str) -> None:
    with running("--data", data, "--pace", "stepped") as (_, client):
        clock = client.get("/v2/clock").json()
        assert (clock["timestamp"], clock["is_open"]) == ("2026-01-26T04:00:10-05:00", False)
        assert client.post("/admin/step", json={}).status_code == 200
        assert client.get("/v2/stocks/JD/trades/latest").json()["trade"]["p"] == 20
        early = send(client, limit_price="20.20", extended_hours=True)
        regular = send(client, limit_price="20.20")
        later = send(client, limit_price="20.55", extended_hours=True, side="sell", qty="2")
        assert look(client, early)["status"] == "filled"
        assert look(client, early)["filled_at"].startswith("2026-01-26T09:00:10")
        assert look(client, regular)["status"] == "accepted", "it waits for the opening"
        step(client, "08:00:20")
        assert client.get("/v2/stocks/JD/quotes/latest").json()["quote"]["ap"] == 20.5
        assert look(client, later)["status"] == "new", "its limit is above the market"
        step(client, "09:29:59")
        assert look(client, regular)["status"] == "accepted"
        step(client, "09:30:05")
        assert client.get("/v2/clock").json()["is_open"]
        assert look(client, regular)["updated_at"] == "2026-01-26T14:30:00.000Z"
        step(client, "09:31:05")
        assert [look(client, one)["status"] for one in (regular, later)] == ["new", "filled"]


def test_steps_from_the_night_before_meet_the_first_tick_of_the_next_day(tmp_path: Path) -> None:
    folder = tmp_path / "tick"
    folder.mkdir()
    tuesday = [line.replace("01-26", "01-27") for line in TICKS.splitlines()[1:]]
    (folder / "JD.csv").write_text("\n".join([*TICKS.splitlines(), *tuesday]))
    arguments = ["--data", str(tmp_path), "--pace", "stepped", "--start", "2026-01-26T10:00"]
    with running(*arguments) as (_, client):
        step(client, "2026-01-27T03:00")
        order = send(client, limit_price="20.20", extended_hours=True)
        assert look(client, order)["status"] == "new", "it trades by night, if anybody does"
        step(client, "2026-01-27T04:00:09")
        assert look(client, order)["status"] == "new"
        step(client, "2026-01-27T04:00:10")
        assert look(client, order)["status"] == "filled"
        assert client.get("/admin").json()["session"] == "2026-01-27"


def test_a_recorded_night_is_told_and_trades(tmp_path: Path) -> None:
    """From a Sunday evening on, by steps and without nights that pass: the session begins with what is told of it."""
    (tmp_path / "tick").mkdir()
    night = ["2026-01-26T01:30:00Z,JD,19.50,300,P,0", "2026-01-26T07:00:00Z,JD,19.80,300,P,0"]
    lines = TICKS.splitlines()
    (tmp_path / "tick" / "JD.csv").write_text("\n".join([lines[0], *night, *lines[1:]]))
    with running("--data", str(tmp_path), "--pace", "stepped") as (_, client):
        clock = client.get("/v2/clock").json()
        assert (clock["timestamp"], clock["is_open"]) == ("2026-01-25T20:30:00-05:00", False)
        assert client.post("/admin/step", json={}).status_code == 200
        early = send(client, limit_price="19.60", extended_hours=True)
        regular = send(client, limit_price="19.60")
        later = send(client, limit_price="19.75", extended_hours=True, side="sell", qty="2")
        assert look(client, early)["filled_at"].startswith("2026-01-26T01:30:00")
        step(client, "2026-01-26T02:00")
        assert look(client, later)["filled_avg_price"] == "19.79", "at the bid around that trade"
        assert look(client, regular)["status"] == "accepted"
        off = {"disable_overnight_trading": True}
        assert client.patch("/v2/account/configurations", json=off).status_code == 200
        by_day = send(client, limit_price="20.20", extended_hours=True)
        assert look(client, by_day)["status"] == "accepted"
        step(client, "2026-01-26T04:00")
        assert look(client, by_day)["status"] == "new"
        step(client, "2026-01-26T04:00:10")
        assert look(client, by_day)["status"] == "filled"
        step(client, "2026-01-26T09:30:05")
        assert client.get("/admin").json()["session"] == "2026-01-26"


def test_the_clock_begins_with_the_first_tick_and_passes_the_morning(data: str) -> None:
    with running("--data", data, "--pace", "clock", "--speed", "3600") as (_, client):
        early = send(client, limit_price="20.20", extended_hours=True)
        found = ends_as(client, early, "filled")
        assert "2026-01-26T09:00:10" <= found["filled_at"] < "2026-01-26T13:00:20"


def test_a_start_before_the_opening_is_taken_where_ticks_were_recorded(data: str) -> None:
    arguments = ["--data", data, "--pace", "stepped", "--start", "2026-01-26T07:00"]
    with running(*arguments) as (_, client):
        assert client.get("/v2/clock").json()["timestamp"] == "2026-01-26T07:00:00-05:00"
        assert client.get("/v2/stocks/JD/trades/latest").json()["trade"]["p"] == 20
        order = send(client, limit_price="20.60", extended_hours=True)
        assert look(client, order)["filled_avg_price"] == "20"


# --- closed hours


NIGHT = ["--nights", "pass", "--pace", "stepped"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--start", "2026-03-14T12:00"],
            "market 2026-03-16T09:30, not 2026-03-14T12:00: "
            "closed hours are left out (--nights pass has them)",
        ),
        ([], "market 2026-01-26T09:30; closed hours are left out (--nights pass has them)"),
        (["--pace", "stepped"], "market 2026-01-26T09:30"),
        (
            ["--nights", "pass", "--start", "2026-03-14T12:00"],
            "market 2026-03-14T12:00; closed hours pass, too",
        ),
        (
            [*NIGHT, "--start", "2026-01-02T02:00"],
            "market 2026-01-02T04:00, not 2026-01-02T02:00: there is nothing before",
        ),
    ],
)
def test_the_broker_says_where_the_market_stands(arguments: list[str], words: str) -> None:
    assert market_line(*arguments) == words


def test_a_start_that_an_account_has_passed_is_told(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "s.db"), "--pace", "stepped"]
    with running(*state, "--start", "2026-01-27") as (process, client):
        assert client.get("/v2/clock").status_code == 200
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    line = market_line(*state, "--start", "2026-01-26")
    assert line == "market 2026-01-27T09:30, not 2026-01-26T09:30: the account has come so far"


def test_where_nights_pass_orders_queue_and_auctions_are_shut(
    tmp_path: Path, refused_auction: Callable[[httpx2.Client, str], bool]
) -> None:
    """By steps, from a Friday evening on; after a restart in the night, too."""
    state = ["--state", str(tmp_path / "s.db")]
    with running(*NIGHT, *state, "--start", "2026-01-30T18:59") as (process, client):
        clock = client.get("/v2/clock").json()
        assert (clock["timestamp"], clock["is_open"]) == ("2026-01-30T18:59:00-05:00", False)
        assert refused_auction(client, "opg")
        assert refused_auction(client, "cls")
        extended = send(client, limit_price="20.00", extended_hours=True)
        assert look(client, extended)["status"] == "new", "the evening is still on"
        step(client, "2026-01-30T19:00")
        assert not refused_auction(client, "opg")
        queued = send(client, type="market")
        assert queued["status"] == "accepted"
        step(client, "2026-01-30T20:00")
        gone = look(client, extended)
        assert (gone["status"], gone["expired_at"]) == ("expired", "2026-01-31T01:00:00.000Z")
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    with running(*NIGHT, *state) as (_, client):
        assert client.get("/v2/clock").json()["timestamp"] == "2026-01-30T20:00:00-05:00"
        again = send(client, type="market")
        assert again["status"] == "accepted", "what it is worth is known from before"
        step(client, "2026-02-02T09:28")
        assert refused_auction(client, "opg")
        step(client, "2026-02-02T09:30")
        assert {look(client, one)["status"] for one in (queued, again)} == {"filled"}
        step(client, "2026-02-02T15:50")
        assert refused_auction(client, "cls")


@pytest.fixture
def refused_auction() -> Callable[[httpx2.Client, str], bool]:
    def is_refused(client: httpx2.Client, time_in_force: str) -> bool:
        order = {**LIMIT, "limit_price": "20.00", "time_in_force": time_in_force}
        response = client.post("/v2/orders", json=order)
        assert response.status_code in (200, 422)
        return response.status_code == 422

    return is_refused


def test_by_the_clock_a_night_passes_too_and_what_waited_trades_in_the_morning() -> None:
    arguments = ["--nights", "pass", "--speed", "10000", "--start", "2026-01-26T15:59:30"]
    with running(*arguments) as (_, client):
        until = time.monotonic() + PATIENCE_SECONDS
        while client.get("/v2/clock").json()["is_open"]:
            assert time.monotonic() < until
        clock = client.get("/v2/clock").json()
        assert clock["timestamp"].startswith(("2026-01-26", "2026-01-27T0")), clock
        queued = send(client, type="market")
        assert queued["status"] == "accepted"
        found = ends_as(client, queued, "filled")
        assert found["filled_at"] == "2026-01-27T14:30:00.000Z"


def test_by_the_clock_a_night_is_left_out_unless_it_is_asked_for() -> None:
    with running("--speed", "600", "--start", "2026-01-26T15:59") as (_, client):
        until = time.monotonic() + PATIENCE_SECONDS
        while (clock := client.get("/v2/clock").json())["timestamp"].startswith("2026-01-26"):
            # At the close itself it is shut already; of the evening nothing is told, however late a busy machine is.
            assert clock["is_open"] or clock["timestamp"] < "2026-01-26T17", clock
            assert time.monotonic() < until
        assert clock["timestamp"].startswith("2026-01-27T09"), clock


def test_a_standing_broker_with_nights_of_no_known_kind_is_a_mistake() -> None:
    command = [sys.executable, "-m", "trader", "broker", "--nights", "maybe"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, "'maybe' is not one of 'skip', 'pass'" in ended.stderr) == (2, True)
