"""Other programs' tables in ways of their own: amounts, flows, profits, rows and texts that nobody may guess."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.old_books import report
from trader.__main__ import main
from trader.exits import Exit

Captured = pytest.CaptureFixture[str]
TRADES = "CREATE TABLE trades(id INTEGER PRIMARY KEY, symbol, side, quantity, price, timestamp);"
POSITIONS = "CREATE TABLE positions(symbol, quantity, avg_cost);"
ACCOUNT = "CREATE TABLE account(cash, equity, realized_pnl, starting_cash);"
HELD = "INSERT INTO positions VALUES ('JD', 10, 5);"
BUY = "INSERT INTO trades VALUES (1, 'JD', 'BUY', 10, 5, '2026-01-26 10:00:00');"


def made(path: Path, *scripts: str) -> str:
    connection = sqlite3.connect(path)
    for script in scripts:
        connection.executescript(script)
    connection.close()
    return str(path)


def kinds(found: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in found["findings"]]


def test_a_comma_that_may_be_a_decimal_point_is_no_amount(tmp_path: Path, capsys: Captured) -> None:
    buy = BUY.replace("5,", "'5,00',")
    account = "INSERT INTO account VALUES (50, 100, 0, 100);"
    path = made(tmp_path / "old.db", TRADES + POSITIONS + ACCOUNT + buy + HELD + account)
    found = report(capsys, path)
    assert "row 1: no price" in found["findings"][0]["says"]
    assert found["cash"]["is_sure"] is False


def test_money_that_went_is_no_deposit(tmp_path: Path, capsys: Captured) -> None:
    flows = """CREATE TABLE cash_flows(timestamp, type, amount);
    INSERT INTO cash_flows VALUES ('2026-01-26 09:00:00', 'deposit', 50),
      ('2026-01-26 09:01:00', 'Withdrawal', 20), ('2026-01-26 09:02:00', 'withdraw', -5);"""
    account = "INSERT INTO account VALUES (75, 125, 0, 100);"
    path = made(tmp_path / "old.db", TRADES + POSITIONS + ACCOUNT + BUY + HELD + account + flows)
    found = report(capsys, path)
    assert found["findings"] == []
    assert found["cash"]["right"] == "75.00"


def test_a_flow_that_cannot_be_read_leaves_the_cash_unproved(
    tmp_path: Path, capsys: Captured
) -> None:
    flows = """CREATE TABLE cash_flows(timestamp, amount);
    INSERT INTO cash_flows VALUES ('2026-01-26 09:00:00', 50), ('some day', 20);"""
    account = "INSERT INTO account VALUES (120, 170, 0, 100);"
    path = made(tmp_path / "old.db", TRADES + POSITIONS + ACCOUNT + BUY + HELD + account + flows)
    found = report(capsys, path)
    assert "a row of cash_flows without a time or an amount" in found["findings"][0]["says"]
    assert found["cash"]["is_sure"] is False
    assert main(["repair", path, "--plan", str(tmp_path / "plan.json")]) == Exit.DIFFERENCES
    assert "what it should be is not proved" in capsys.readouterr().out


def test_a_fee_that_cannot_be_read_is_not_nothing(tmp_path: Path, capsys: Captured) -> None:
    trades = TRADES.replace("timestamp)", "timestamp, commission)")
    buy = BUY.replace("00')", "00', 'one dollar')")
    account = "INSERT INTO account VALUES (49, 99, 0, 100);"
    path = made(tmp_path / "old.db", trades + POSITIONS + ACCOUNT + buy + HELD + account)
    found = report(capsys, path)
    assert "row 1: no fee" in found["findings"][0]["says"]
    assert found["cash"]["is_sure"] is False


def test_a_profit_that_is_not_realized_is_no_trace_of_a_sale(
    tmp_path: Path, capsys: Captured
) -> None:
    positions = "CREATE TABLE positions(symbol, quantity, avg_cost, market_price);"
    held = "INSERT INTO positions VALUES ('JD', 10, 5, 6);"
    account = """CREATE TABLE account(cash, equity, total_pnl, starting_cash);
    INSERT INTO account VALUES (50, 110, 10, 100);"""
    path = made(tmp_path / "old.db", TRADES + positions + account + BUY + held)
    assert report(capsys, path)["findings"] == []
    more = account.replace(" 10,", " 30,")
    path = made(tmp_path / "cleaned.db", TRADES + positions + more + BUY + held)
    found = report(capsys, path)
    assert kinds(found) == ["cleaned_up", "profits_disagree"]
    assert "yet a realized 20.00 is recorded" in found["findings"][0]["says"]


def test_a_column_called_rowid_is_no_row_number(tmp_path: Path, capsys: Captured) -> None:
    trades = TRADES.replace("id INTEGER PRIMARY KEY", "rowid TEXT")
    path = made(tmp_path / "old.db", trades + POSITIONS + BUY.replace("(1,", "('x',") + HELD)
    assert report(capsys, path)["findings"] == []


def test_copies_whose_rows_have_no_numbers_are_not_compared(
    tmp_path: Path, capsys: Captured
) -> None:
    trades = TRADES.replace(");", ") WITHOUT ROWID;")
    path = made(tmp_path / "old.db", trades + POSITIONS + BUY + HELD)
    earlier = made(tmp_path / "earlier.db", TRADES + POSITIONS + BUY + HELD)
    for one, other in ((path, earlier), (earlier, path)):
        assert main(["audit", one, "--earlier", other]) == Exit.MISTAKE
        line = capsys.readouterr().err
        assert f"{path}: the rows of trades have no numbers to be compared by" in line


def test_a_text_in_another_encoding_is_an_unreadable_row(tmp_path: Path, capsys: Captured) -> None:
    odd = "INSERT INTO trades VALUES (2, CAST(x'4aff44' AS TEXT), 'BUY', 1, 1, '2026-01-26 10:00');"
    path = made(tmp_path / "old.db", TRADES + POSITIONS + BUY + HELD + odd)
    found = report(capsys, path)
    assert "row 2: no symbol" in found["findings"][0]["says"]
    assert main(["audit", path]) == Exit.DIFFERENCES
    assert main(["repair", path, "--plan", str(tmp_path / "plan.json")]) == Exit.DIFFERENCES


def statement(folder: Path, *rows: dict[str, str]) -> str:
    (folder / "told.json").write_text(json.dumps(rows))
    return str(folder / "told.json")


FILL = {
    "activity_type": "FILL",
    "symbol": "JD",
    "side": "buy",
    "qty": "10",
    "price": "5",
    "transaction_time": "2026-01-26T15:00:00Z",
}


def test_an_execution_that_was_taken_back_stands_behind_no_row(
    tmp_path: Path, capsys: Captured
) -> None:
    again = BUY.replace("(1,", "(2,").replace("10:00", "10:01")
    path = made(tmp_path / "old.db", TRADES + POSITIONS + BUY + again + HELD)
    second = FILL | {"transaction_time": "2026-01-26T15:01:00Z"}
    told = statement(
        tmp_path,
        FILL | {"id": "1::a", "order_id": "o1", "type": "fill"},
        second | {"id": "1::b", "order_id": "o2", "type": "fill"},
        second | {"id": "1::c", "order_id": "o2", "type": "trade_bust", "previous_id": "1::b"},
    )
    found = report(capsys, path, "--statement", told)
    assert found["totals"]["phantom_buys"] == 1
    assert "not_in_statement" in kinds(found)


def test_of_an_order_that_was_canceled_what_was_filled_stands(
    tmp_path: Path, capsys: Captured
) -> None:
    path = made(tmp_path / "old.db", TRADES + POSITIONS + BUY + HELD)
    order = {name: FILL[name] for name in ("symbol", "side")} | {"price": "5"}
    told = statement(
        tmp_path,
        order
        | {"qty": "25", "filled_qty": "10", "status": "canceled", "time": FILL["transaction_time"]},
        order | {"qty": "7", "filled_qty": "0", "status": "canceled"},
        order | {"qty": "7", "status": "Cancelled"},
    )
    assert report(capsys, path, "--statement", told)["findings"] == []


def test_a_file_that_lost_rows_without_a_word_is_called_damaged(
    tmp_path: Path, capsys: Captured
) -> None:
    rows = "".join(
        f"INSERT INTO trades VALUES ({number}, 'JD', 'BUY', 1, 5, '2026-01-{number:02} 10:00:00');"
        for number in range(1, 21)
    )
    account = "INSERT INTO account VALUES (50, 100, 0, 100);"
    path = made(tmp_path / "old.db", TRADES + POSITIONS + ACCOUNT + rows + HELD + account)
    data = bytearray(Path(path).read_bytes())
    [page] = [
        at
        for at in range(4096, len(data), 4096)
        if data[at : at + 1] + data[at + 3 : at + 5] == b"\r\0\24"
    ]
    data[page + 4] = 10  # of twenty cells
    Path(path).write_bytes(data)
    found = report(capsys, path)
    assert (found["totals"]["trades"], kinds(found)) == (10, ["file_damaged"])
    assert found["cash"]["is_sure"] is False
