"""`trade reconcile --statement`: journal, broker and statement tell the same, or it is said what each tells."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventful import activity, eventful, written
from tests.journal_plays import OPEN_NS, Play, fill, opened, report, request
from tests.program import PATIENCE_S
from tests.standing_broker import Account, standing_broker, wait_until_it_holds
from trader.__main__ import main
from trader.calendar import iso
from trader.exits import Exit
from trader.messages import Activity, Claim, ExecutionCorrected, OrderReport
from trader.model import MINUTE_NS, Side
from trader.statements.reading import BYTES_MAX

Captured = pytest.CaptureFixture[str]
Told = list[dict[str, str]]
HAND = {"Trade Date": "time", "Type": "kind", "Ticker": "symbol", "Shares": "quantity"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(eventful(), tmp_path / "trading_data.db")
    return tmp_path


def statement_of(play: Play) -> Told:
    """What Alpaca would answer: all that the play has heard of it."""
    rows: Told = []
    for heard in (entry.input for entry in play.entries):
        match heard:
            case OrderReport(execution=execution) if execution is not None:
                rows.append(_fill(heard, execution.quantity, execution, "fill"))
            case ExecutionCorrected(replacement=execution) if execution is not None:
                told = _fill(heard, execution.quantity, execution, "trade_correct")
                rows.append(told | {"previous_id": heard.execution_id, "side": "buy"})
            case Activity():
                row = {
                    "id": f"20260126093100000::{heard.activity_id}",
                    "activity_type": heard.kind,
                    "date": heard.session,
                    "net_amount": str(heard.amount),
                    "status": "executed",
                }
                if heard.symbol:
                    row |= {"symbol": heard.symbol, "qty": str(heard.quantity)}
                rows.append(row)
            case _:
                pass
    return rows


def _fill(heard: Any, quantity: object, execution: Any, word: str) -> dict[str, str]:  # noqa: ANN401  # either
    return {
        "id": f"20260126093100000::{execution.execution_id}",
        "activity_type": "FILL",
        "transaction_time": iso(execution.at_ns),
        "type": word,
        "price": str(execution.price),
        "qty": str(quantity),
        "side": getattr(heard, "side", Side.BUY).lower(),
        "symbol": heard.symbol,
        "order_id": getattr(heard, "broker_order_id", None) or "",
    }


def answered(captured: Captured, *arguments: str, code: Exit = Exit.WELL) -> dict[str, Any]:
    """In JSON; with exit code 0 or 1."""
    assert main(["reconcile", *arguments, "--json"]) == code
    told = json.loads(captured.readouterr().out)
    assert told["is_agreed"] is (code == Exit.WELL)
    assert isinstance(told, dict)
    return told


def refused(captured: Captured, *arguments: str, code: Exit = Exit.MISTAKE) -> str:
    """The one line."""
    assert main(["reconcile", *arguments]) == code
    told = captured.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    return told.err


def saved(folder: Path, rows: object, name: str = "told.json") -> str:
    (folder / name).write_text(json.dumps(rows))
    return name


def test_a_sound_statement_agrees_and_nothing_is_written(folder: Path, capsys: Captured) -> None:
    before = {file.name: file.read_bytes() for file in folder.glob("*.db")}
    name = saved(folder, statement_of(eventful()))
    told = answered(capsys, "--statement", name)
    # Two executions of JD, of which one was corrected, and a sale; DIV, CSD, SPLIT, FEE.
    assert told["counts"] == {"journal": 7, "broker": 7, "statement": 7}
    assert "not asked: " in told["broker"]
    assert main(["reconcile", "--statement", name]) == 0
    assert "well       journal = broker = statement" in capsys.readouterr().out
    assert {file.name: file.read_bytes() for file in folder.glob("*.db")} == before


def _price(rows: Told) -> None:
    rows[-1]["price"] = "15.00"


def _shares(rows: Told) -> None:
    rows[-1]["qty"] = "24"


def _side(rows: Told) -> None:
    rows[-1]["side"] = "buy"


def _symbol(rows: Told) -> None:
    rows[-1]["symbol"] = "GS"


def _dividend(rows: Told) -> None:
    [one] = [row for row in rows if row["activity_type"] == "DIV"]
    one["net_amount"] = "12.39"


def _fee(rows: Told) -> None:
    [one] = [row for row in rows if row["activity_type"] == "FEE"]
    one["net_amount"] = "-0.03"


def _split(rows: Told) -> None:
    [one] = [row for row in rows if row["activity_type"] == "SPLIT"]
    one["qty"] = "29"


def _kind(rows: Told) -> None:
    [one] = [row for row in rows if row["activity_type"] == "CSD"]
    one["activity_type"] = "INT"


CHANGES = {
    one.__name__.strip("_"): one
    for one in (_price, _shares, _side, _symbol, _dividend, _fee, _split, _kind)
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_a_statement_says_otherwise_is_one_row_with_all_three_values(
    folder: Path, capsys: Captured, change: Callable[[Told], None]
) -> None:
    rows = statement_of(eventful())
    change(rows)
    [one] = answered(capsys, "--statement", saved(folder, rows), code=Exit.DIFFERENCES)[
        "differences"
    ]
    assert None not in (one["journal"], one["broker"], one["statement"])
    told = [{k: v for k, v in one[side].items() if k != "where"} for side in ("journal", "broker")]
    assert told[0] == told[1], "the broker confirms our journal"


def test_what_is_missing_on_a_side_is_shown_as_missing(folder: Path, capsys: Captured) -> None:
    rows = statement_of(eventful())
    sale = rows.pop()
    rows.append(sale | {"id": "another", "symbol": "T", "qty": "7"})
    found = answered(capsys, "--statement", saved(folder, rows), code=Exit.DIFFERENCES)
    sides = [
        (one["symbol"], one["journal"] is None, one["statement"] is None)
        for one in found["differences"]
    ]
    assert sorted(sides) == [("JD", False, True), ("T", True, False)]
    jd = next(one for one in found["differences"] if one["symbol"] == "JD")
    assert jd["journal"]["quantity"] == "-25", "amounts are texts"


def test_what_the_broker_told_and_we_did_not_book_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Told of an order that isn't ours, which stops the symbol; the statement has it, too."""
    monkeypatch.chdir(tmp_path)
    play = opened().hear(request("JD", key="jd", shares=30))
    (order,) = play.live()
    play.hear(report(order, Claim.NEW, OPEN_NS), fill(order, order.quantity, OPEN_NS + MINUTE_NS))
    stranger = eventful().live()[0]
    play.hear(fill(stranger, stranger.quantity, OPEN_NS + 2 * MINUTE_NS))
    written(play, tmp_path / "trading_data.db")
    name = saved(tmp_path, statement_of(play))
    [one] = answered(capsys, "--statement", name, code=Exit.DIFFERENCES)["differences"]
    assert one["symbol"] == stranger.symbol
    assert (one["journal"], one["broker"]["id"]) == (None, one["statement"]["id"])


def test_fees_of_a_day_are_what_was_accrued_and_what_it_was_wrong_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The sale accrues a fee at its fill; two charges settle it; a statement may have them as one."""
    monkeypatch.chdir(tmp_path)
    play = opened().hear(request("JD", key="jd", shares=30))
    for key, side in (("jd", Side.BUY), ("sell", Side.SELL)):
        if side is Side.SELL:
            play.hear(request("JD", key=key, side=side, shares=30, at_ns=play.state.at_ns))
        (order,) = play.live()
        play.hear(
            report(order, Claim.NEW, OPEN_NS),
            fill(play.live()[0], order.quantity, OPEN_NS + MINUTE_NS),
        )
    assert play.state.books.fees, "a sale costs fees"
    play.hear(activity("fee1", "FEE", "-0.05"), activity("fee2", "FEE", "-0.01"))
    written(play, tmp_path / "trading_data.db")
    rows = statement_of(play)
    assert answered(capsys, "--statement", saved(tmp_path, rows))["agreed"] == 4
    assert rows[-2:] == [one for one in rows if one["activity_type"] == "FEE"]
    as_one = [*rows[:-2], rows[-1] | {"id": "day", "net_amount": "-0.06"}]
    assert answered(capsys, "--statement", saved(tmp_path, as_one))["agreed"] == 3
    as_one[-1]["net_amount"] = "-0.07"
    answered(capsys, "--statement", saved(tmp_path, as_one), code=Exit.DIFFERENCES)


def test_an_order_may_be_one_row_at_its_average_price(folder: Path, capsys: Captured) -> None:
    rows = statement_of(eventful())
    first = next(row for row in rows if row.get("type") == "fill")
    parts = [row for row in rows if row.get("order_id") == first["order_id"]]
    corrected = next(row for row in rows if row.get("type") == "trade_correct")
    rest = [row for row in rows if row not in (*parts, corrected)]
    # 10 at 31.50 and 20 at 31.91, which is 31.7733 on the average.
    whole = parts[0] | {"id": "", "qty": "30", "price": "31.7733"}
    assert answered(capsys, "--statement", saved(folder, [whole, *rest]))["agreed"] == 6
    off = whole | {"price": "31.7734"}
    answered(capsys, "--statement", saved(folder, [off, *rest]), code=Exit.DIFFERENCES)


# ------------------------------------------------------------------------------------------------ CSV

NAMES = ("Trade Date", "Type", "Ticker", "Buy/Sell", "Shares", "Fill Price", "Net Amount", "Notes")


def table(*, delimiter: str = ",", end: str = "\r\n", bom: bool = True) -> bytes:
    """The eventful day as somebody's export: no ids, words of their own, dollars with commas."""
    text = io.StringIO()
    lines = csv.writer(text, delimiter=delimiter, lineterminator=end)
    lines.writerow(NAMES)
    for row in _tabled():
        lines.writerow(row)
    return (b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode()


def _tabled() -> Iterator[tuple[str, ...]]:
    words = {"DIV": "Dividend", "CSD": "Deposit", "FEE": "Regulatory fee", "SPLIT": "Stock split"}
    rows = statement_of(eventful())
    taken_back = {row["previous_id"] for row in rows if "previous_id" in row}
    for row in rows:
        if row["id"].rpartition("::")[2] in taken_back:
            continue
        if row["activity_type"] == "FILL":
            # The day of a correction is the execution's; a clock without a zone is New York's.
            shown = f"{row['transaction_time'][:10]} 09:31:00"
            yield shown, "Trade", row["symbol"], row["side"], row["qty"], f"${row['price']}", "", ""
            continue
        amount = row["net_amount"].replace("1000", "$1,000.00")
        amount = f"({amount[1:]})" if amount.startswith("-") else amount
        symbol = row.get("symbol", "")
        yield (
            "01/26/2026",
            words[row["activity_type"]],
            symbol,
            "",
            row.get("qty", ""),
            "",
            amount,
            "x",
        )


@pytest.mark.parametrize(
    ("delimiter", "end", "bom"), [(",", "\r\n", True), (";", "\n", False), ("\t", "\n", True)]
)
def test_a_csv_as_people_export_it_agrees(
    folder: Path, capsys: Captured, delimiter: str, end: str, bom: bool
) -> None:
    (folder / "s.csv").write_bytes(table(delimiter=delimiter, end=end, bom=bom))
    told = answered(capsys, "--statement", "s.csv")
    assert told["agreed"] == 7
    assert told["columns"]["price"] == "Fill Price"
    assert "columns that nobody reads: Notes" in told["notes"]


def test_a_list_of_executions_is_held_against_executions(folder: Path, capsys: Captured) -> None:
    rows = [row for row in _tabled() if row[1] == "Trade"]
    lines = ["date,symbol,side,quantity,price"]
    lines += [",".join((row[0], row[2], row[3], row[4], row[5])) for row in rows]
    (folder / "s.csv").write_text("\n".join(lines))
    told = answered(capsys, "--statement", "s.csv")
    assert (told["agreed"], len(told["notes"])) == (3, 1)


def test_times_of_another_zone_want_the_zone_to_be_told(folder: Path, capsys: Captured) -> None:
    """23:00 in New York is the next day in UTC."""
    line = "2026-01-27 01:00:00,JD,buy,1,5"
    (folder / "s.csv").write_text(f"time,symbol,side,qty,price\n{line}\n")
    told = answered(capsys, "--statement", "s.csv", "--zone", "UTC", code=Exit.DIFFERENCES)
    assert told["first_day"] == "2026-01-26"
    told = answered(capsys, "--statement", "s.csv", code=Exit.DIFFERENCES)
    assert told["first_day"] == "2026-01-27"


def test_the_days_of_a_statement_may_be_told(folder: Path, capsys: Captured) -> None:
    """A quiet last day is a day on which our journal may have too much."""
    name = saved(
        folder, [statement_of(eventful())[0] | {"transaction_time": "2026-01-27T15:00:00Z"}]
    )
    told = answered(capsys, "--statement", name, code=Exit.DIFFERENCES)
    assert len(told["differences"]) == 1, "of the 27th alone"
    told = answered(capsys, "--statement", name, "--from", "2026-01-26", code=Exit.DIFFERENCES)
    assert len(told["differences"]) == 7


# ------------------------------------------------------------------------------------------------ bad files

HEAD = "id,time,symbol,side,qty,price\n"
ROW = "a,2026-01-26 09:31,JD,buy,1,5\n"
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "blank": ("\ufeff \r\n\r\n", "empty"),
    "header-only": (HEAD, "nothing in it"),
    "no-statement": ("name,age\nana,3\n", "no column looks like the time"),
    "prose": ("Dear customer\n", "no column looks like the time"),
    "page": ("<html><body>Sign in</body></html>", "no column looks like the time"),
    "binary": (bytes(range(256)), "not a text"),
    "nul": ("time\0,symbol", "not a text"),
    "same-id": (HEAD + ROW + ROW, "the id 'a' again, as in s.txt:2"),
    "column-twice": ("time,price,price\n1,2,3\n", "is there twice"),
    "column-empty": ("time,,price\n1,2,3\n", "is empty"),
    "commas": (HEAD + "a,2026-01-26,JD,buy,1,1,005.00\n", "7 cells under 6 columns"),
    "decimal-comma": (
        "time;symbol;side;qty;price\n2026-01-26;JD;buy;1;31,92\n",
        "not a number that can be read for sure: '31,92'",
    ),
    "point-and-comma": (HEAD + 'a,2026-01-26,JD,buy,1,"1.005,00"\n', "read for sure"),
    "nan": (HEAD + "a,2026-01-26,JD,buy,1,NaN\n", "read for sure"),
    "power": (HEAD + "a,2026-01-26,JD,buy,1,1e3\n", "read for sure"),
    "digits-of-others": (HEAD + "a,2026-01-26,JD,buy,1,\u0661\u0662\n", "not a plain number"),
    "huge": (HEAD + f"a,2026-01-26,JD,buy,1,{'9' * 30}\n", "beyond"),
    "no-price": (HEAD + "a,2026-01-26,JD,buy,1,\n", "without symbol, quantity or price"),
    "price-zero": (HEAD + "a,2026-01-26,JD,buy,1,0\n", "an execution at 0"),
    "side": (HEAD + "a,2026-01-26,JD,hold,1,5\n", "neither buy nor sell, or both"),
    "both-sides": (HEAD + "a,2026-01-26,JD,buy,-1,5\n", "neither buy nor sell, or both"),
    "time": (HEAD + "a,yesterday,JD,buy,1,5\n", "not a time that can be read: 'yesterday'"),
    "total": (HEAD + ROW + "Total,,,,1,5\n", "not a time that can be read: ''"),
    "two-times": ("trade_date,run_date,amount\n1,2,3\n", "trade_date or run_date?"),
    "no-amount": ("time,type,amount,qty\n2026-01-26,Dividend,,3\n", "DIV without an amount"),
    "not-json": ('[{"id": ', "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "refusal": ('{"code": 40110000, "message": "forbidden"}', "not a list of activities"),
    "no-objects": ("[1, 2]", "not an activity"),
    "none": ("[]", "nothing in it"),
    "key-twice": ('[{"id": "a", "qty": "1", "qty": "2"}]', "the key 'qty' twice"),
    "bust-of-what": (
        '[{"id": "a", "transaction_time": "2026-01-26T15:00:00Z", "symbol": "JD", "qty": "1", "price": "1",'
        ' "side": "buy", "activity_type": "FILL", "type": "trade_bust"}]',
        "no previous",
    ),
    "other-account": (
        "account,time,symbol,side,qty,price\n77,2026-01-26,JD,buy,1,5\n",
        "of account 77, and the books are of 1",
    ),
    "two-accounts": (
        "account,time,symbol,side,qty,price\n1,2026-01-26,JD,buy,1,5\n2,2026-01-26,JD,buy,1,5\n",
        "of 2 accounts",
    ),
    "before-us": (HEAD + "a,2025-12-24,JD,buy,1,5\n", "our books begin on 2026-01-26"),
    "escape": (HEAD + "a,\x1b[2J\u202e,JD,buy,1,5\n", "\\x1b"),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_a_file_that_is_no_statement_is_one_line(
    folder: Path, capsys: Captured, text: str | bytes, says: str
) -> None:
    (folder / "s.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    line = refused(capsys, "--statement", "s.txt")
    assert says in line
    assert line.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--statement", "none.csv"), "there is no such file"),
        (("--statement", "."), "not a plain file"),
        (("--statement", "s.csv", "--map", "price"), "not ROLE=COLUMN"),
        (("--statement", "s.csv", "--map", "price=Px"), "no column Px"),
        (("--statement", "s.csv", "--zone", "Mars"), "no such time zone"),
        (("--statement", "s.csv", "--from", "26.1.2026"), "not a day"),
        (("--statement", "s.csv", "--from", "2026-02-01"), "2026-02-01 to 2026-01-26"),
        (("--statement", "s.csv", "--accept", "broker", "--reason", "x"), "settles nothing"),
        (("--from", "2026-01-26"), "only with --statement"),
    ],
)
def test_wrong_options_are_one_line(
    folder: Path, capsys: Captured, arguments: tuple[str, ...], says: str
) -> None:
    (folder / "s.csv").write_text(HEAD + ROW)
    assert says in refused(capsys, *arguments)


def test_a_file_that_is_too_long_is_one_line(folder: Path, capsys: Captured) -> None:
    with (folder / "s.csv").open("wb") as file:
        file.truncate(BYTES_MAX + 1)
    assert "longer than" in refused(capsys, "--statement", "s.csv")


def test_an_account_of_which_four_digits_are_shown_passes(folder: Path, capsys: Captured) -> None:
    """The books of the play are of account 1, which is too short to be told by its end."""
    (folder / "s.csv").write_text(
        "account,time,symbol,side,qty,price\n***1,2026-01-26,JD,buy,1,5\n"
    )
    assert "of account ***1" in refused(capsys, "--statement", "s.csv")
    answered(capsys, "--statement", "s.csv", "--map", "account=-", code=Exit.DIFFERENCES)


def test_without_books_or_with_damaged_ones_it_is_one_line(
    folder: Path, capsys: Captured, tmp_path: Path
) -> None:
    (folder / "s.csv").write_text(HEAD + ROW)
    other = ("--statement", "s.csv", "--database", "none.db")
    assert "there is no database" in refused(capsys, *other, code=Exit.REFUSED)


def test_a_broker_that_was_asked_for_must_answer(folder: Path, capsys: Captured) -> None:
    (folder / "s.csv").write_text(HEAD + ROW)
    there = ("--statement", "s.csv", "--broker", "simulated")
    assert "the simulated broker's books are not there" in refused(
        capsys, *there, code=Exit.REFUSED
    )
    assert not (folder / "trading_data.broker.db").exists()


# ------------------------------------------------------------------------------------------------ asked


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


def test_beside_a_running_program_the_broker_is_asked(account: Account) -> None:
    with account.trading() as trader:
        wait_until_it_holds(trader)
        rows = account.asked("account/activities")
        saved(account.path, rows)
        told = _asked(account, "told.json")
        assert trader.process.poll() is None
        assert trader.end(signal.SIGTERM).code == 0
    assert told["is_agreed"], told
    assert told["counts"] == {"journal": len(rows), "broker": len(rows), "statement": len(rows)}
    assert told["broker"].endswith("asked now")
    assert _asked(account, "told.json")["is_agreed"], "and after it has stopped"


def _asked(account: Account, name: str) -> dict[str, Any]:
    ended = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "trader", "reconcile", "--statement", name, "--json"),
            *("--address", account.address),
        ],
        cwd=account.path,
        env=account.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    assert isinstance(told, dict)
    return told
