"""What a run leaves for other programs is exact, and its table fits a terminal whatever the run was."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.outcomes import fill, outcome
from trader.backtest.files import CHARACTERS_MAX, LINES_MAX, summary_lines, write_files
from trader.backtest.outcome import Outcome
from trader.exits import Mistake
from trader.model import Side, Symbol

BUY, SELL = Side.BUY, Side.SELL


def traded() -> Outcome:
    return outcome(
        "99.5",
        "101.123456789",
        invested=(31, 0),
        fills=[
            fill(BUY, "0.1", "31.92", left="0.1", fees="0.01", session="2026-01-05"),
            fill(SELL, "0.1", 320, left=0, fees="1E+1", session="2026-01-06", at_ns=1),
        ],
        denied={"CASH": 2, "HALTED": 1},
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_a_fill_with_exact_amounts_and_times_in_utc(tmp_path: Path) -> None:
    write_files(tmp_path / "new" / "folder", traded())
    bought, sold = rows(tmp_path / "new" / "folder" / "trades.csv")
    assert bought == {
        "time": "2026-01-05T20:00:00.000Z",
        "session": "2026-01-05",
        "symbol": "JD",
        "strategy": "sma-crossover",
        "side": "BUY",
        "purpose": "enter",
        "quantity": "0.1",
        "price": "31.92",
        "notional": "3.192",
        "fees": "0.01",
        "realized": "0",
        "position": "0.1",
        "client_order_id": "t-JD-0.1",
    }
    assert (sold["time"], sold["price"]) == ("1970-01-01T00:00:00.000000001Z", "320")
    assert sold["fees"] == "10", "no exponent"


def test_a_line_a_session_of_the_account(tmp_path: Path) -> None:
    write_files(tmp_path, traded())
    first, second = rows(tmp_path / "equity.csv")
    assert first == {
        "time": "2026-01-05T21:00:00.000Z",
        "session": "2026-01-05",
        "equity": "99.5",
        "cash": "68.5",
        "positions_value": "31",
        "deposited": "0",
    }
    assert second["equity"] == "101.123456789"


def test_the_summary_has_dollars_as_texts_fractions_as_numbers_and_null_for_no_value(
    tmp_path: Path,
) -> None:
    write_files(tmp_path, traded())
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["opening_cash"], summary["denied"]) == ("100", {"CASH": 2, "HALTED": 1})
    assert summary["identity"] == {
        "code": "c0de",
        "data": "da7a",
        "parameters": "9a9a",
        "seed": 7,
    }
    assert summary["last"] == "2026-01-06T21:00:00.000Z"
    statistics = summary["statistics"]
    assert statistics["final_equity"] == "101.123456789"
    assert statistics["fees"] == "10.01"
    assert statistics["total_return"] == pytest.approx(0.01123456789)
    assert statistics["max_drawdown"]["trough"] == "2026-01-05"
    assert statistics["average_loss"] is None
    assert statistics["months"] == pytest.approx({"2026-01": 0.01123456789})


def test_the_files_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    write_files(tmp_path, traded())
    write_files(tmp_path, outcome(100))
    assert rows(tmp_path / "trades.csv") == []
    assert len(rows(tmp_path / "equity.csv")) == 1


def test_a_folder_that_cannot_be_is_a_mistake_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Mistake, match=r"file: can't be written") as caught:
        write_files(tmp_path / "file", traded())
    assert "\n" not in str(caught.value)


def test_the_table_names_what_a_person_looks_for() -> None:
    lines = summary_lines(traded())
    assert lines[0] == "sma-crossover: fast=10"
    assert lines[1] == "1 symbol, 780 bars one by one, 2026-01-05 to 2026-01-06"
    assert (
        "final equity                    101.12      sessions                             2"
        in lines
    )
    assert any(line.startswith("total return                   +1.12 %") for line in lines)
    assert any("average loss                       n/a" in line for line in lines)
    said = "the drawdown: from the start, lowest 2026-01-05, recovered 2026-01-06: 2 sessions"
    assert said in lines
    assert "denied: 2 CASH, 1 HALTED" in lines
    assert lines[-1] == "run: code c0de, data da7a, parameters 9a9a, seed 7"


def test_the_table_fits_a_terminal_whatever_the_run_was() -> None:
    long = "it said \x1b[31m" + "very " * 50
    crowded = outcome(
        "900000000000000",
        "1",
        opening="999999999999999",
        fills=[fill(BUY, "1", "100000000000000", left=1, fees="999999999999")],
        parameters={f"parameter{one}": "9" * 30 for one in range(20)},
        denied={f"REASON_{one}": 10**9 for one in range(40)},
        quarantined={Symbol(f"S{one}"): long for one in range(40)},
        would_have_halted=(long,) * 40,
        assumed=(long,) * 40,
    )
    lines = summary_lines(crowded)
    assert len(lines) <= LINES_MAX
    assert max(map(len, lines)) <= CHARACTERS_MAX
    assert all(line.isprintable() for line in lines)
    assert any(line.startswith("quarantined (40): S0: it said") for line in lines)
    assert any("--events FILE" in line for line in lines)
    nothing = summary_lines(outcome(parameters={}))
    assert nothing[0] == "sma-crossover"
    assert not any("nan" in line or "inf" in line for line in nothing)


def test_a_loss_that_rounds_to_nothing_has_no_sign() -> None:
    lines = summary_lines(outcome("99.9999999", opening=Decimal(100).to_eng_string()))
    assert any(line.startswith("max drawdown                    0.00 %") for line in lines)
