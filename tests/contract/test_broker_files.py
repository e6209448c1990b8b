"""`trade broker` with files that a person wrote, over real sockets: what they state comes true, or nothing starts."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.broker_process import PATIENCE_SECONDS, ROOT, post_order, running
from trader.__main__ import main
from trader.exits import Exit
from trader.feeds.synthetic import SyntheticMarket
from trader.simulator.broker import Keys, SimulatedBroker


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line of a start that is refused as a mistake."""

    def started(*arguments: str) -> str:
        assert main(["broker", *arguments]) == Exit.MISTAKE
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        return told.err

    return started


def test_a_fault_file_makes_the_named_order_lose_its_reply(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nverb = "accept-then-504"\nclient_order_id = "lost-*"\n')
    with running("--faults", str(script), "--speed", "1") as (_, client):
        assert post_order(client, "kept-1").status_code == 200
        assert post_order(client, "lost-1").status_code == 504
        assert post_order(client, "lost-2").status_code == 200, "once is the default"
        orders = client.get("/v2/orders").json()
        assert [one["client_order_id"] for one in orders] == ["lost-2", "lost-1", "kept-1"]


def test_faults_are_of_one_life_and_orders_are_not(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nverb = "accept-then-504"\n')
    arguments = ["--faults", str(script), "--state", str(tmp_path / "s.db"), "--pace", "stepped"]
    for life in range(2):
        with running(*arguments) as (process, client):
            (standing,) = client.get("/admin/faults").json()
            assert (standing["strikes"], standing["verb"]) == (0, "accept-then-504")
            assert post_order(client, f"lost-{life}").status_code == 504
            added = client.post("/admin/faults", json={"verb": "no-id", "times": "always"})
            assert added.status_code == 201
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
    with running(*arguments[2:]) as (_, client):
        assert client.get("/admin/faults").json() == []
        assert len(client.get("/v2/orders").json()) == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[fault]]\nverb = "drop"', "faults.toml:2: verb: no such fault: 'drop'"),
        ('[[fault]]\nverb = "no-id"\nsymbol = "XX"', "faults.toml:3: symbol: no XX is traded here"),
        (None, "faults.toml: No such file or directory"),
    ],
)
def test_a_wrong_fault_file_is_a_mistake_of_one_line(
    tmp_path: Path, text: str | None, line: str, refused: Callable[..., str]
) -> None:
    script = tmp_path / "faults.toml"
    if text is not None:
        script.write_text(text)
    assert line in refused("--faults", str(script))


def test_the_faults_are_listed() -> None:
    command = [sys.executable, "-m", "trader", "broker", "--list-faults"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "accept-then-504        it is done, the reply says gateway timeout [status, body]" in (
        listed.stdout
    )


VENUE = """
[terms]
latency = 0.5
slippage_rate = 0.01

[[account]]
key = "PKONE"
secret = "one"
cash = 10_000

[[account]]
key = "PKTWO"
secret = "two"
multiplier = 4
shorting = false

[[asset]]
symbol = "TERN"
tradable = false
"""
EVENTS = """
[[event]]
name = "halt"
at = 09:32:00
symbol = "T"

[[event]]
name = "fee"
at = "09:32"
amount = 1.25
account = 1
"""
TWO = {"APCA-API-KEY-ID": "PKTWO", "APCA-API-SECRET-KEY": "two"}


def step(client: httpx2.Client, until: str) -> None:
    assert client.post("/admin/step", json={"until": until}).status_code == 200


def buy(client: httpx2.Client, symbol: str) -> httpx2.Response:
    order = {"symbol": symbol, "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
    return client.post("/v2/orders", json=order)


def test_a_day_by_files_goes_on_after_the_broker_was_stopped(tmp_path: Path) -> None:
    for name, text in (("venue.toml", VENUE), ("events.toml", EVENTS)):
        (tmp_path / name).write_text(text)
    arguments = ["--pace", "stepped", "--admin-token", "hush", "--journal", str(tmp_path / "j")]
    arguments += ["--accounts", str(tmp_path / "venue.toml")]
    arguments += ["--events", str(tmp_path / "events.toml"), "--state", str(tmp_path / "s.db")]
    with running(*arguments) as (process, client):
        assert client.headers["Authorization"] == "Bearer hush"
        assert client.headers["APCA-API-KEY-ID"] == "PKONE"
        step(client, "09:31")
        assert client.get("/v2/account").json()["cash"] == "10000"
        two = client.get("/v2/account", headers=TWO).json()
        assert (two["cash"], two["multiplier"], two["shorting_enabled"]) == ("250000", "4", False)
        assert buy(client, "TERN").status_code == 422
        order_id = buy(client, "JD").json()["id"]
        assert client.get(f"/v2/orders/{order_id}").json()["status"] == "pending_new"
        step(client, "09:31:01")
        order = client.get(f"/v2/orders/{order_id}").json()
        ask = client.get("/v2/stocks/JD/quotes/latest").json()["quote"]["ap"]
        assert (order["status"], round(float(order["filled_avg_price"]), 4)) == (
            "filled",
            round(ask * 1.01, 4),
        )
        step(client, "09:33")
        books = client.get("/admin/books").json()
        assert books["halted"] == ["T"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    with running(*arguments) as (process, client):
        again = client.get("/admin/books").json()
        assert again == books
        assert again["accounts"][1]["activities"][0]["net_amount"] == "-1.25"
        assert client.get(f"/v2/orders/{order_id}").json() == order
        assert client.get("/v2/positions").json()[0]["qty"] == "5"
        assert len(client.get("/v2/account/activities").json()) == 1
    events = [json.loads(line)["event"] for line in (tmp_path / "j").read_text().splitlines()]
    assert events == ["account", "account", "pending_new", "new", "fill", "activity"]


def test_a_state_keeps_its_keys_so_that_clients_need_not_learn_new_ones(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with running("--state", str(tmp_path / "s.db"), "--cash", "77", "--multiplier", "2") as (
            process,
            client,
        ):
            account = client.get("/v2/account").json()
            assert (account["cash"], account["multiplier"]) == ("77", "2")
            shown.append((client.headers["APCA-API-KEY-ID"], account["account_number"]))
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0", "--admin-token", "x"], "--admin-token: the admin endpoint is for"),
        (["--host", "0.0.0.0", "--pace", "stepped"], "--pace stepped: the admin endpoint is for"),
        (["--cash", "much"], "--cash: not a number: 'much'"),
        (["--cash", "-1"], "--cash: must be at least 0"),
        (["--term", "latency"], "--term latency: NAME=VALUE is wanted"),
        (["--term", "latancy=1"], "--term latancy=1: latancy: unknown key, did you mean latency?"),
        (["--multiplier", "3"], "'3' is not one of '1', '2', '4'"),
        (["--pace", "settled"], "'settled' is not one of 'clock', 'stepped'"),
        (["--start", "noon"], "--start noon: no time like 10:30, 2026-01-26T10:30:00"),
        (["--start", "2025-12-01T10:00"], "no session of 2025-12-01 in this market: it has 2026-"),
        (["--start", "2029-12-03T10:00"], "it has 2026-01-02 to 2029-09-28"),
        (["--symbols", " , "], "--symbols: names no symbol (write --symbols JD,GS)"),
        (["--speed", "nan"], "--speed: above 0 and at most 100,000, not nan"),
        (["--speed", "0"], "--speed: above 0 and at most 100,000, not 0.0"),
        (["--data", "none"], "none: there is no such file or folder"),
        (["--state", ""], "--state : not a file name"),
        (["--journal", "none/j"], "there is no such folder"),
        (["--accounts", "none.toml"], "No such file"),
        (["--events", "none.toml"], "No such file"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, refused: Callable[..., str]
) -> None:
    assert words in refused(*arguments)


@pytest.mark.parametrize(
    ("host", "address"), [("::1", "http://[::1]:"), ("localhost", "http://localhost:")]
)
def test_whatever_the_host_is_called_its_address_can_be_used(host: str, address: str) -> None:
    try:
        socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except OSError as error:
        pytest.skip(f"{host} is not there: {error}")
    with running("--host", host) as (_, client):
        assert str(client.base_url).startswith(address)
        assert client.get("/v2/clock").status_code == 200
        assert client.get("/admin").status_code == 200


def test_a_port_that_is_taken_is_a_mistake_of_one_line(refused: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"--port {port}: Address already in use (--port 0 " in refused("--port", port)


DAMAGES = {
    "not the simulated broker's file: file is not a database": None,
    "damaged, in session": "UPDATE broker SET value = '{' WHERE key = 'session'",
    "damaged, in accounts": "UPDATE accounts SET account = '{}'",
    "not the simulated broker's file: no such table: executions": "DROP TABLE executions",
}


@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_state_is_a_mistake_and_stays_as_it_is(
    tmp_path: Path, words: str, refused: Callable[..., str]
) -> None:
    state = tmp_path / "state.db"
    damage = DAMAGES[words]
    if damage is None:
        state.write_bytes(b"garbage" * 100)
    else:
        broker = SimulatedBroker(
            SyntheticMarket(7), keys=Keys(key="k", secret="s"), seed=7, path=state
        )
        broker.keep_time()
        broker.close()
        with closing(sqlite3.connect(state)) as connection, connection:
            assert connection.execute(damage).rowcount, "there was something to damage"
    before = state.read_bytes()
    assert f"state.db: {words}" in refused("--state", str(state))
    assert state.read_bytes() == before


def test_a_state_that_another_broker_has_is_refused(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    state = str(tmp_path / "state.db")
    with running("--state", state) as (process, _):
        assert f"in use by process {process.pid} (stop it first" in refused("--state", state)
    with running("--state", state) as (_, client):
        assert client.get("/v2/clock").status_code == 200, "killed, it holds nothing"


@pytest.mark.parametrize(
    ("start", "stands", "is_open"),
    [
        ("2026-03-13T15:58", "2026-03-13T15:58:00-04:00", True),
        ("2026-03-14T12:00", "2026-03-16T09:30:00-04:00", True),
        ("2026-03-13", "2026-03-13T09:30:00-04:00", True),
        ("2026-03-13T16:05", "2026-03-16T09:30:00-04:00", True),
    ],
)
def test_the_market_stands_where_it_is_told_to(start: str, stands: str, is_open: bool) -> None:
    with running("--pace", "stepped", "--start", start) as (_, client):
        clock = client.get("/v2/clock").json()
        assert (clock["timestamp"], clock["is_open"]) == (stands, is_open)
        assert client.post("/admin/step", json={}).status_code == 200
        assert client.get("/v2/stocks/JD/quotes/latest").json()["quote"]["ap"] > 0


BARS = """timestamp,symbol,open,high,low,close,volume
2026-01-26T14:30:00Z,JD,20,20.1,19.9,20,10000
2026-01-26T14:31:00Z,JD,20,20.1,19.9,20.05,10000
"""
TICKS = """timestamp,symbol,price,size,exchange,suspicious
2026-01-26T14:30:07.5Z,JD,20.03,300,P,0
2026-01-26T14:30:09.5Z,GS,99.5,40,V,0
"""


def test_recorded_bars_quotes_and_trades_are_served_together(tmp_path: Path) -> None:
    ticks = TICKS.splitlines()
    files = {"bars.csv": BARS, "jd.csv": "\n".join(ticks[:2]), "gs.csv": f"{ticks[0]}\n{ticks[2]}"}
    arguments = ["--pace", "stepped"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        arguments += ["--data", str(tmp_path / name)]
    with running(*arguments) as (_, client):
        assert client.get("/admin").json()["symbols"] == ["GS", "JD"]
        step(client, "09:30:08")
        trade = client.get("/v2/stocks/JD/trades/latest").json()["trade"]
        assert (trade["p"], trade["s"], trade["x"]) == (20.03, 300, "P")
        step(client, "09:31")
        bars = client.get("/v2/stocks/bars/latest?symbols=JD,GS").json()["bars"]
        assert (bars["JD"]["c"], bars["GS"]["c"]) == (20, 99.5)


DAYS = """timestamp,symbol,open,high,low,close,volume
2026-01-26,JD,20,21,19,20.50,1000000
2026-01-27,JD,20.60,20.70,20.40,20.55,1000000
"""


def test_bars_of_days_trade_at_their_open_within_them_and_at_their_close(tmp_path: Path) -> None:
    (tmp_path / "daily.csv").write_text(DAYS)
    arguments = [
        "--data",
        str(tmp_path / "daily.csv"),
        "--start",
        "2026-01-26",
        "--pace",
        "stepped",
    ]
    with running(*arguments, "--term", "spread_rate=0.01") as (_, client):
        assert client.get("/v2/stocks/JD/quotes/latest").json()["quote"]["ap"] == 20.1
        wishes: list[dict[str, str]] = [
            {"type": "market"},
            {"type": "market", "time_in_force": "cls"},
            {"type": "limit", "limit_price": "19.05"},
            {"type": "limit", "limit_price": "19.00"},
        ]
        for wish in wishes:
            order = {"symbol": "JD", "qty": "1", "side": "buy", "time_in_force": "day"} | wish
            assert client.post("/v2/orders", json=order).status_code == 200
        step(client, "15:59")
        assert client.get("/v2/stocks/bars?symbols=JD&timeframe=1Day").json()["bars"] == {}
        step(client, "16:00")
        orders = client.get("/v2/orders?status=all&direction=asc").json()
        assert [one["filled_avg_price"] for one in orders] == ["20.1", "20.5", "19.05", None]
        (bar,) = client.get("/v2/stocks/bars?symbols=JD&timeframe=1Day").json()["bars"]["JD"]
        assert (bar["h"], bar["c"]) == (21, 20.5)
        assert client.get("/v2/positions/JD").json()["current_price"] == "20.5"


def test_quotes_alone_are_traded_against(tmp_path: Path) -> None:
    rows = ["timestamp,symbol,bid,bid_size,ask,ask_size"]
    rows += [f"2026-01-26T14:{minute}:07.5Z,JD,{minute}.00,5,{minute}.10,5" for minute in (30, 31)]
    (tmp_path / "quotes.csv").write_text("\n".join(rows))
    arguments = [
        "--data",
        str(tmp_path / "quotes.csv"),
        "--start",
        "2026-01-26",
        "--pace",
        "stepped",
    ]
    with running(*arguments) as (_, client):
        assert buy(client, "JD").status_code == 422, "no price is known yet"
        step(client, "09:31")
        assert buy(client, "JD").status_code == 200
        step(client, "09:32")
        position = client.get("/v2/positions/JD").json()
        assert (position["avg_entry_price"], position["current_price"]) == ("30.1", "31")
        assert client.get("/v2/stocks/bars?symbols=JD&timeframe=1Day").json()["bars"] == {}


def test_a_broker_for_other_machines_has_no_admin_endpoint() -> None:
    command = [sys.executable, "-m", "trader", "broker", "--host", "0.0.0.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            told = dict(process.stdout.readline().split() for _ in range(3))
            assert set(told) == {"address", "key", "secret"}
            address = told["address"].replace("0.0.0.0", "127.0.0.1")
            assert httpx2.get(f"{address}/admin", trust_env=False).status_code == 404
            assert httpx2.get(f"{address}/v2/clock", trust_env=False).status_code == 401
        finally:
            process.kill()
