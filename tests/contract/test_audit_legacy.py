"""Databases as old programs leave them: columns of other names, cells of all kinds, tables that lack or contradict."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.old_books import database, incident, report
from trader.__main__ import main
from trader.exits import Exit

Captured = pytest.CaptureFixture[str]
MINUTES = [f"2026-01-26 10:0{minute}:00" for minute in range(10)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(found: dict[str, Any], kind: str) -> str:
    return "; ".join(one["says"] for one in found["findings"] if one["kind"] == kind)


def refused(captured: Captured, *arguments: str) -> str:
    assert main(["audit", *arguments]) == Exit.MISTAKE
    (line,) = captured.readouterr().err.splitlines()
    return line


# ------------------------------------------------------------------------------------- rows of all kinds


def test_rows_that_say_nothing_usable_are_named_and_in_no_sum(
    folder: Path, capsys: Captured
) -> None:
    path = database(
        folder / "old.db",
        trades=[
            ("JD", "BUY", 10, 5.0, MINUTES[0]),
            ("JD", "BUY", 10, 5.0, None),
            ("GS", "BUY", -4, 9.0, MINUTES[1]),
            ("T", "HOLD", 4, 9.0, MINUTES[2]),
            ("T", "BUY", "many", 9.0, MINUTES[3]),
            (None, "BUY", 4, 9.0, MINUTES[4]),
            ("T", "BUY", 4, "NaN", MINUTES[5]),
        ],
        positions=[("JD", 10, 5.0)],
    )
    found = report(capsys, str(path))
    says = said(found, "unreadable_rows")
    for words in (
        "6 rows can't be read",
        "row 2: no time",
        "row 3: quantity -4",
        "row 4: no side",
        "row 5: no quantity",
        "row 6: no symbol",
        "row 7: no price",
    ):
        assert words in says
    [jd] = [one for one in found["symbols"] if one["symbol"] == "JD"]
    assert (jd["buys"], jd["is_sure"], jd["why"]) == (1, False, "rows can't be read")


def test_three_forms_of_time_lower_case_and_float_dust_are_notes_and_no_findings(
    folder: Path, capsys: Captured
) -> None:
    path = database(
        folder / "old.db",
        trades=[
            ("jd", "buy", 1, 0.1 + 0.2, "2026-01-26T10:00:00-05:00"),
            ("JD ", "Sell", 1, 0.3, "01/26/2026 11:00:00"),
            ("JD", "BUY", 3, 1 / 3, 1769450400),
        ],
        positions=[("JD", 3, 1 / 3)],
    )
    found = report(capsys, str(path))
    assert found["findings"] == []
    [jd] = found["symbols"]
    assert (jd["buys"], jd["sales"]) == (2, 1)
    notes = " ".join(found["notes"])
    for words in ("times in 3 forms", "'Sell', 'buy'", "more than nine decimals", "whole cents"):
        assert words in notes


def test_times_that_seem_to_be_of_another_zone_are_doubted(folder: Path, capsys: Captured) -> None:
    hours = (15, 16, 18, 19, 20)
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 1, 5, f"2026-01-26 {hour}:30:00") for hour in hours],
        positions=[("JD", 5, 5)],
    )
    doubt = (
        "of 5 times without a zone 1 fall into the exchange's hours if they are New York's, 5 if"
    )
    assert doubt in " ".join(report(capsys, str(path))["notes"])
    assert doubt not in " ".join(report(capsys, str(path), "--zone", "UTC")["notes"])


@pytest.mark.parametrize(
    ("row", "name"),
    [(("much", 50, 0, 100), "cash"), ((None, 50, 0, 100), "cash"), ((50, 50, 0, "?"), "start")],
)
def test_a_cell_of_the_account_that_cannot_be_read_is_found(
    folder: Path, capsys: Captured, row: tuple[object, ...], name: str
) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 10, 5.0, MINUTES[0])],
        positions=[("JD", 10, 5.0)],
        account=[row],
    )
    says = said(report(capsys, str(path), "--start", "100"), "unreadable_rows")
    assert f"account without a readable {name}" in says
    assert main(["import", str(path), "--start", "100"]) == Exit.REFUSED
    assert not Path("trading_data.db").exists()


def test_a_snapshot_of_a_time_that_no_calendar_has_is_found(folder: Path, capsys: Captured) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 10, 5.0, MINUTES[0])],
        positions=[("JD", 10, 5.0)],
        account=[(50, 50, 0, 100)],
        history=[("9999-12-31T23:59:59-05:00", 50, 100)],
    )
    says = said(report(capsys, str(path)), "unreadable_rows")
    assert "1 rows can't be read and are in no sum: a row of equity_history without a time" in says


def test_duplicate_ids_two_accounts_and_orphans_are_found(folder: Path, capsys: Captured) -> None:
    path = database(folder / "old.db", account=[(100, 100, 0, 100), (90, 90, 0, 100)])
    with sqlite3.connect(path) as old:
        old.executescript(
            "DROP TABLE trades; CREATE TABLE trades(id, symbol, side, quantity, price, timestamp);"
            f"INSERT INTO trades VALUES (1, 'JD', 'BUY', 1, 10, '{MINUTES[0]}');"
            f"INSERT INTO trades VALUES (1, 'GS', 'BUY', 1, 0.5, '{MINUTES[1]}');"
            "INSERT INTO positions VALUES ('JD', 1, 10), ('T', 5, 2);"
        )
    old.close()
    found = report(capsys, str(path))
    assert "1 rows have an id" in said(found, "duplicate_ids")
    assert "2 rows of account" in said(found, "several_accounts")
    assert "GS: trades leave 1, recorded are 0" in said(found, "position_unexplained")
    assert "T: trades leave 0, recorded are 5" in said(found, "position_unexplained")
    assert "recorded 90.00, right 89.50" in said(found, "cash_unexplained")


def test_what_has_no_table_is_not_judged_and_that_is_said(folder: Path, capsys: Captured) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 1, 10, MINUTES[0]), ("JD", "BUY", 1, 10, MINUTES[0])],
        positions=None,
        account=None,
        history=None,
    )
    found = report(capsys, str(path))
    assert "no table of: positions, account, history" in found["reading"]
    assert found["cash"]["right"] is None
    assert found["cash"]["start_from"] == "nowhere recorded: --start AMOUNT"
    assert "1 repeats of which nothing can be proved" in said(found, "repeated_entries")
    known = report(capsys, str(path), "--start", "1,000.00")
    assert known["cash"]["implied"] == "980.00"


def test_books_without_anything_in_them_are_sound(folder: Path, capsys: Captured) -> None:
    assert report(capsys, str(database(folder / "old.db")))["findings"] == []


def test_buys_within_a_minute_that_are_all_held_are_found_though_they_are_real(
    folder: Path, capsys: Captured
) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 10, 5, f"2026-01-26 10:00:0{second}") for second in (0, 0, 1, 1)],
        positions=[("JD", 40, 5)],
        account=[(800, 1000, 0, 1000)],
    )
    found = report(capsys, str(path))
    assert found["totals"]["phantom_buys"] == 0
    assert "3 within a minute that the position accounts for" in said(found, "repeated_entries")
    assert "2 groups" in said(found, "same_second")
    assert found["cash"]["right"] == found["cash"]["recorded"] == "800.00"


def test_three_profits_that_differ_are_set_side_by_side(folder: Path, capsys: Captured) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 10, 5, MINUTES[0]), ("JD", "SELL", 10, 6, MINUTES[1])],
        account=[(1010, 1010, 12.5, 1000)],
    )
    says = said(report(capsys, str(path)), "profits_disagree")
    assert "the trades that happened: 10.00; account, its own column: 12.50" in says


def test_books_at_fifo_cost_are_sound_and_that_is_said(folder: Path, capsys: Captured) -> None:
    days = [f"2026-01-{day} 10:00:00" for day in (20, 21, 22)]
    path = database(
        folder / "old.db",
        trades=[
            ("JD", "BUY", 10, 5, days[0]),
            ("JD", "BUY", 10, 7, days[1]),
            ("JD", "SELL", 12, 8, days[2]),
        ],
        positions=[("JD", 8, 7)],
        account=[(976, 1032, 32, 1000)],
    )
    found = report(capsys, str(path))
    assert found["findings"] == []
    assert "first in, first out, not at average, in 1 positions: JD" in " ".join(found["notes"])
    path = database(
        path,
        trades=[("JD", "BUY", 10, 5, days[0]), ("JD", "BUY", 10, 7, days[1])],
        positions=[("JD", 20, 6.5)],
    )
    says = said(report(capsys, str(path)), "position_unexplained")
    assert "its cost is neither the average's nor FIFO's" in says


def test_deposits_are_counted_and_a_withdrawal_too(folder: Path, capsys: Captured) -> None:
    path = database(
        folder / "old.db",
        trades=[("JD", "BUY", 10, 5, MINUTES[0])],
        positions=[("JD", 10, 5)],
        account=[(1150, 1200, 0, 1000)],
    )
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE cash_flows(timestamp, amount)")
        old.execute(
            "INSERT INTO cash_flows VALUES ('2026-01-02', 250), ('2026-01-03 10:00', -50.00)"
        )
    old.close()
    assert report(capsys, str(path))["findings"] == []


# ---------------------------------------------------------------------------------------------- mapping

OTHER_NAMES = """
CREATE TABLE fills(ticker, action, shares, fill_px, avg_px, at_time);
CREATE TABLE positions(symbol, quantity, avg_cost);
CREATE TABLE account(cash); CREATE TABLE equity_history(timestamp, cash);
CREATE TABLE trades(symbol, side, quantity, price, timestamp);
"""


@pytest.fixture
def renamed(folder: Path) -> Path:
    path = database(folder / "old.db", schema=OTHER_NAMES, positions=[("JD", 10, 5)])
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE trades")
        old.execute(
            "INSERT INTO fills VALUES ('JD', 'BOT', 10, 5, 99, '2026-01-26 10:00:00')",
        )
    old.close()
    return path


def test_a_column_that_cannot_be_found_is_asked_for_by_its_option(
    renamed: Path, capsys: Captured
) -> None:
    line = refused(capsys, str(renamed))
    assert "fills has no column that looks like the time; it has ticker, action" in line
    assert "--map trades.time=COLUMN" in line
    found = report(capsys, str(renamed), "--map", "trades.time=at_time")
    assert "trades: fills(symbol=ticker, side=action, quantity=shares, price=fill_px" in " ".join(
        found["reading"]
    )
    assert found["findings"] == []


def test_two_columns_that_could_be_meant_are_both_named(renamed: Path, capsys: Captured) -> None:
    with sqlite3.connect(renamed) as old:
        old.execute("ALTER TABLE fills RENAME COLUMN avg_px TO exec_price")
    old.close()
    line = refused(capsys, str(renamed), "--map", "trades.time=at_time")
    assert "which column of fills is the price: exec_price or fill_px?" in line


def test_a_mapping_may_be_a_file(renamed: Path, capsys: Captured) -> None:
    Path("old.toml").write_text('positions = "-"\n[trades]\ntime = "at_time"\nprice = "avg_px"\n')
    found = report(capsys, str(renamed), "--map", "old.toml")
    assert "price=avg_px" in " ".join(found["reading"])
    assert "no table of: positions" in " ".join(found["reading"])


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("trades", "not ROLE=NAME"),
        ("trades.colour=x", "no such role: trades.colour"),
        ("trades=nowhere", "no such table: nowhere"),
        ("trades.price=nowhere", "fills has no column nowhere"),
        ("absent.toml", "can't be read"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_one_line(
    renamed: Path, capsys: Captured, mapping: str, says: str
) -> None:
    assert says in refused(capsys, str(renamed), "--map", mapping)


def test_wrong_options_are_one_line(folder: Path, capsys: Captured) -> None:
    path = str(incident(folder / "old.db", "before"))
    assert "no such time zone" in refused(capsys, path, "--zone", "Nowhere")
    assert "not an amount" in refused(capsys, path, "--start", "much")
    assert "--statement" in refused(capsys, path, "--statement", "nowhere.csv")
    Path("rows.csv").write_text("symbol,side,quantity,price,timestamp\nJD,BUY,x,1,2026-01-26\n")
    assert "rows.csv:2" in refused(capsys, path, "--statement", "rows.csv")
    Path("rows.csv").write_text('symbol;side;qty;price;time\nJD;BUY;1;"31,92";2026-01-26 10:00\n')
    assert "not a number that can be read for sure: '31,92'" in refused(
        capsys, path, "--statement", "rows.csv"
    )


# -------------------------------------------------------------------------------------------- statements


def three_buys(folder: Path) -> str:
    return str(
        database(
            folder / "old.db",
            trades=[
                ("JD", "BUY", shares, 29.6, f"2026-01-26 18:2{minute}:00")
                for minute, shares in enumerate((33, 160, 171))
            ],
            positions=[("JD", 33, 29.6)],
            account=[(0, 976.8, 0, 10_000)],
        )
    )


def test_a_csv_of_executions_says_which_orders_were_real(folder: Path, capsys: Captured) -> None:
    Path("fills.csv").write_text(
        "Symbol,Side,Qty,Price,Timestamp,Order_ID\n"
        "JD,BUY,100,29.60,2026-01-26 18:21:00.5,b-7\nJD,BUY,60,29.60,2026-01-26 18:21:01,b-7\n"
    )
    found = report(capsys, three_buys(folder), "--statement", "fills.csv")
    [jd] = found["symbols"]
    assert (jd["real_buys"], jd["phantom_buys"], jd["evidence"]) == (1, 2, "statement")
    assert found["cash"]["right"] == "5264.00"
    assert "JD" in said(found, "position_unexplained")
    assert "2 recorded trades are not among" in said(found, "not_in_statement")


def test_alpacas_activities_bring_executions_and_cash_that_moved(
    folder: Path, capsys: Captured
) -> None:
    fill: dict[str, object] = {
        "activity_type": "FILL",
        "symbol": "JD",
        "side": "buy",
        "order_id": "b-1",
    }
    fill |= {"price": "29.6", "transaction_time": "2026-01-26T23:20:00.1Z"}
    activities: list[dict[str, object]] = [
        fill | {"qty": "30", "id": "1"},
        fill | {"qty": "3", "id": "2", "transaction_time": "2026-01-26T23:20:02Z"},
        fill | {"qty": "4", "id": "3", "order_id": "b-2", "symbol": "GS"},
        {"activity_type": "CSD", "id": "4", "date": "2026-01-26", "net_amount": "500.25"},
    ]
    Path("activities.json").write_text(json.dumps(activities))
    found = report(capsys, three_buys(folder), "--statement", "activities.json")
    [jd] = [one for one in found["symbols"] if one["symbol"] == "JD"]
    assert (jd["phantom_buys"], jd["is_sure"]) == (2, True)
    [gs] = [one for one in found["symbols"] if one["symbol"] == "GS"]
    assert gs["missing_orders"] == ["b-2"]
    assert found["cash"]["right"] == "9405.05"
    assert found["cash"]["deposits"] == "500.25"
    assert "1 of the broker's executions are not recorded" in said(found, "missing_trades")


# ------------------------------------------------------------------------------------------ the page


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(
    folder: Path, capsys: Captured
) -> None:
    pytest.importorskip("plotly", reason="the extra 'charts' is not installed")
    path = incident(folder / "after.db")
    with sqlite3.connect(path) as old:
        old.execute("UPDATE trades SET symbol = '</script><b>JD' WHERE symbol = 'JD'")
        old.execute("UPDATE positions SET symbol = '</script><b>JD' WHERE symbol = 'JD'")
    old.close()
    assert main(["audit", str(path), "--html", "page.html"]) == Exit.DIFFERENCES
    page = Path("page.html").read_text()
    own, _, scripts = page.partition("<script>")
    assert "</script><b>" not in page.replace("<\\/script>", "").split("const charts")[1]
    assert "<b>JD" not in own.upper().replace("&LT;B&GT;JD", "")
    assert "4,976,389.90" in own
    assert "default-src 'none'" in own
    assert 'src="' not in own
    assert "href=" not in own
    assert scripts.count("Plotly.newPlot('chart'") == 1


def test_a_page_replaces_no_file_the_books_least_of_all(folder: Path, capsys: Captured) -> None:
    path = incident(folder / "before.db", "before")
    before = path.read_bytes()
    line = refused(capsys, str(path), "--html", str(path))
    assert line == f"trade: --html {path}: is there already (give a new name)"
    assert path.read_bytes() == before


def test_without_plotly_the_page_is_refused_with_what_to_type(
    folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    path = incident(folder / "before.db", "before")
    line = refused(capsys, str(path), "--html", "page.html")
    assert "charts need plotly, which is not installed" in line
    assert "pip install" in line
    assert not Path("page.html").exists()
