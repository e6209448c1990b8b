"""`trader run` as a person runs it: days over real sockets, and what its files say afterwards."""

import sqlite3
from pathlib import Path

import pytest

from tests.program import Ended, Folder

DAYS = ("2026-01-26", "2026-01-27", "2026-01-28")


def requests_of(ended: Ended) -> int:
    """From 'requests 1,234: ...'."""
    return int(ended.line("requests ").split()[1].rstrip(":").replace(",", ""))


class Days:
    """Three runs in one folder."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.ended: list[Ended] = [folder.run() for _ in DAYS]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    return Days(Folder(tmp_path_factory.mktemp("days")))


def test_every_run_ends_well_and_says_so(days: Days) -> None:
    for ended in days.ended:
        assert (ended.code, ended.err) == (0, "")
        assert ended.line("self-test: ").endswith("1 order, 7 blocked. Safe to start.")
        assert ended.line("cash  ").endswith("to the cent")
        assert ended.line("proof ").endswith(
            "chain intact; tables = journal; positions = trades; the broker's own books agree"
        )
        assert "0 UNKNOWN" in ended.line("requests ")


def test_three_runs_trade_three_sessions_of_one_account(days: Days) -> None:
    sessions = days.folder.ours("SELECT DISTINCT session FROM orders ORDER BY session")
    assert [session for (session,) in sessions] == list(DAYS)
    lives = days.folder.ours("SELECT epoch, exit_code FROM lives")
    assert lives == [(1, 0), (2, 0), (3, 0)]
    assert len(days.folder.ours("SELECT DISTINCT account FROM lives")) == 1


def test_our_books_are_the_brokers(days: Days) -> None:
    assert days.folder.difference() == ""
    assert days.folder.ours("SELECT difference FROM proof") == [(0,)]
    assert days.folder.ours("SELECT * FROM double_entries") == []


def test_eight_tasks_wanted_gs_each_day_and_one_order_reached_the_venue(days: Days) -> None:
    bought = days.folder.theirs("SELECT count(*) FROM orders WHERE symbol = 'GS' AND side = 'BUY'")
    assert bought == [(len(DAYS),)]
    gs = [name for name in days.folder.posts() if name.startswith("trd-GS-B-")]
    assert len(gs) == len(DAYS)
    assert [ended.count("duplicates blocked") for ended in days.ended] == [7, 7, 7]
    blocked = days.folder.ours(
        "SELECT session, sum(count) FROM decisions "
        "WHERE symbol = 'GS' AND outcome = 'duplicate_blocked' GROUP BY session"
    )
    assert blocked == [(day, 7) for day in DAYS]


def test_what_the_adapter_posted_is_what_the_venue_accepted_and_what_we_intended(
    days: Days,
) -> None:
    posted = days.folder.posts()
    accepted = [name for (name,) in days.folder.theirs("SELECT client_order_id FROM orders")]
    intended = [name for (name,) in days.folder.ours("SELECT client_order_id FROM orders")]
    assert posted == accepted
    assert set(posted) == set(intended)
    assert len(set(posted)) == len(posted) > 60


def test_the_lost_reply_was_found_by_its_id_and_nothing_was_sent_twice(days: Days) -> None:
    day = DAYS[0]
    [(name, state)] = days.folder.ours(
        f"SELECT client_order_id, state FROM orders "
        f"WHERE symbol = 'TRIP' AND side = 'BUY' AND session = '{day}'"
    )
    assert state == "FILLED"
    assert days.folder.posts().count(str(name)) == 1
    was_unknown = [
        line
        for line in days.folder.log()
        if line["event"] == "order_unknown" and line.get("client_order_id") == name
    ]
    assert len(was_unknown) == 1


def test_the_forged_price_was_denied_by_the_collar(days: Days) -> None:
    denied = days.folder.ours(
        "SELECT session, outcome FROM decisions WHERE reason = 'price_collar' ORDER BY id"
    )
    assert denied == [(day, "denied") for day in DAYS]


def test_every_request_has_exactly_one_outcome(days: Days) -> None:
    for ended in days.ended:
        outcomes = ("accepted", "denied", "duplicates blocked")
        assert requests_of(ended) == sum(ended.count(one) for one in outcomes)
    [(counted,)] = days.folder.ours("SELECT sum(count) FROM decisions")
    assert counted == sum(map(requests_of, days.ended))


def test_the_operators_two_questions_have_answers(days: Days) -> None:
    lines = (days.folder.path / "trader.log").read_text().splitlines()
    found = [line for line in lines if "DUPLICATE BUY BLOCKED: GS" in line]
    assert len(found) >= len(DAYS)
    connection = sqlite3.connect(days.folder.path / "trading_data.db")
    held = connection.execute(
        "SELECT symbol, quantity, avg_cost FROM positions WHERE quantity > 0;"
    ).fetchall()
    connection.close()
    assert all(isinstance(quantity, int) for _, quantity, _ in held)


def test_the_same_seed_trades_the_same_day_again_in_another_folder(
    days: Days, tmp_path: Path
) -> None:
    other = Folder(tmp_path)
    other.run()
    question = (
        "SELECT client_order_id, quantity, limit_price, avg_price, state, timestamp FROM orders "
        f"WHERE session = '{DAYS[0]}' ORDER BY decision_id"
    )
    assert other.ours(question) == days.folder.ours(question)


def test_fresh_archives_everything_and_starts_anew(days: Days, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.run("--symbols", "JD")
    before = folder.ours("SELECT count(*) FROM journal")
    ended = folder.run("--symbols", "JD", "--fresh")
    assert ended.code == 0
    assert [str(session) for (session,) in folder.ours("SELECT session FROM account")] == [DAYS[0]]
    assert folder.ours("SELECT epoch FROM lives") == [(1,)]
    [archived] = (tmp_path / "archive").iterdir()
    names = {file.name for file in archived.iterdir()}
    assert {"trading_data.db", "trading_data.broker.db", "trader.log"} <= names
    assert Folder(archived).ours("SELECT count(*) FROM journal") == before


@pytest.mark.parametrize(
    "symbols",
    [
        pytest.param(("GS", "JD"), id="two symbols"),
        pytest.param(
            ("AAPL", "CYBR", "GS", "JD", "SNDK", "T", "TERN", "TRIP"),
            id="all symbols",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_stampede_ends_with_one_buy_for_each_symbol(
    tmp_path: Path, symbols: tuple[str, ...]
) -> None:
    folder = Folder(tmp_path)
    ended = folder.run("--scenario", "stampede", "--symbols", ",".join(symbols))
    assert (ended.code, ended.err) == (0, "")
    bought = folder.theirs("SELECT symbol, count(*) FROM orders GROUP BY symbol ORDER BY symbol")
    assert bought == [(symbol, 1) for symbol in symbols]
    assert len(folder.posts()) == len(symbols)
    requests, blocked = requests_of(ended), requests_of(ended) - len(symbols)
    assert requests > 380 * 8 * len(symbols)
    assert ended.count("duplicates blocked") == blocked
    counted = folder.ours("SELECT outcome, sum(count) FROM decisions GROUP BY outcome ORDER BY 1")
    assert counted == [("accepted", len(symbols)), ("duplicate_blocked", blocked)]
    lines = [line for line in folder.log() if line["event"] == "duplicate_blocked"]
    assert sum(int(str(line.get("count", 1))) for line in lines) == blocked
    assert len(lines) < blocked / 4, "repeats are folded"
