"""What a statement's executions were charged, and statements that say sides and shares in ways of their own."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.eventful import eventful, written
from tests.journal_plays import OPEN_NS, Play, fill, opened, request
from trader.__main__ import main
from trader.exits import Exit
from trader.messages import OrderReport
from trader.model import Side

Captured = pytest.CaptureFixture[str]
# The eventful day: of its first execution a correction stands; the sale's day was charged 0.02.
BUYS = ("2026-01-26 09:31:00,JD,buy,10,31.50", "2026-01-26 09:31:00,JD,buy,20,31.91")
SALE = "2026-01-26 09:32:00,JD,sell,25"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(eventful(), tmp_path / "trading_data.db")
    return tmp_path


def answered(captured: Captured, *lines: str, code: Exit = Exit.WELL) -> dict[str, Any]:
    Path("s.csv").write_text("\n".join(lines))
    assert main(["reconcile", "--statement", "s.csv", "--json"]) == code
    told = json.loads(captured.readouterr().out)
    assert isinstance(told, dict)
    assert told["is_agreed"] is (code == Exit.WELL)
    return told


def sale_price() -> Decimal:
    [sale] = [
        heard.execution
        for heard in (entry.input for entry in eventful().entries)
        if isinstance(heard, OrderReport) and heard.side is Side.SELL and heard.execution
    ]
    return sale.price


@pytest.mark.parametrize("name", ["Fees", "Commission", "Fees & Comm"])
def test_a_column_of_fees_is_held_against_the_days_fee(
    folder: Path, capsys: Captured, name: str
) -> None:
    head, sale = f"Time,Symbol,Side,Qty,Price,{name}", f"{SALE},{sale_price()}"
    buys = [f"{one},0" for one in BUYS]
    told = answered(capsys, head, *buys, f"{sale},0.02")
    assert told["agreed"] == 4
    assert not any("nobody reads" in note for note in told["notes"])
    assert answered(capsys, head, *buys, f"{sale},-0.02")["agreed"] == 4
    told = answered(capsys, head, *buys, f"{sale},5.00", code=Exit.DIFFERENCES)
    [fee] = told["differences"]
    assert (fee["kind"], fee["journal"]["amount"], fee["statement"]["amount"]) == (
        "FEE",
        "-0.02",
        "-5",
    )
    told = answered(capsys, head, *buys, f"{sale},0", code=Exit.DIFFERENCES)
    assert [one["statement"] for one in told["differences"]] == [None]


def test_cash_that_is_not_shares_times_price_is_a_fee(folder: Path, capsys: Captured) -> None:
    head, price = "Time,Symbol,Side,Qty,Price,Net Amount", sale_price()
    paid = [f"{one},-{Decimal(one.split(',')[3]) * Decimal(one.split(',')[4])}" for one in BUYS]
    gross = price * 25
    assert answered(capsys, head, *paid, f"{SALE},{price},{gross - Decimal('0.02')}")["agreed"] == 4
    # Without any fee in them there is nothing to hold against one.
    assert answered(capsys, head, *paid, f"{SALE},{price},{gross}")["agreed"] == 3
    for cash in (gross - 1000, gross + 1000):
        told = answered(capsys, head, *paid, f"{SALE},{price},{cash}", code=Exit.DIFFERENCES)
        assert [one["kind"] for one in told["differences"]] == ["FEE"]


def test_cash_that_the_told_fee_does_not_explain_is_a_difference_of_its_execution(
    folder: Path, capsys: Captured
) -> None:
    head, price = "Time,Symbol,Side,Qty,Price,Fee,Net Amount", sale_price()
    paid = [f"{one},0,{Decimal(one.split(',')[3]) * Decimal(one.split(',')[4])}" for one in BUYS]
    for net in (price * 25, price * 25 - Decimal("0.02")):
        assert answered(capsys, head, *paid, f"{SALE},{price},0.02,{net}")["agreed"] == 4
    wrong = f"{SALE},{price},0.02,{price * 25 - 7}"
    told = answered(capsys, head, *paid, wrong, code=Exit.DIFFERENCES)
    assert [one["kind"] for one in told["differences"]] == ["FILL"]


def test_a_fee_that_is_accrued_here_may_be_charged_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    play = _sold(opened())
    written(play, tmp_path / "trading_data.db")
    [accrued] = play.state.fees_accrued.values()
    assert accrued > 0
    rows = [
        f"2026-01-26 09:30:00,JD,{side},10,{price}"
        for side, price in (("buy", "31.92"), ("sell", "31.92"))
    ]
    head = "Time,Symbol,Side,Qty,Price,Fee"
    told = answered(capsys, head, f"{rows[0]},0", f"{rows[1]},{accrued}")
    assert f"fees of 2026-01-26, {accrued}, are accrued here, and not charged yet" in told["notes"]
    answered(capsys, head, f"{rows[0]},0", f"{rows[1]},{accrued + 1}", code=Exit.DIFFERENCES)


def _sold(play: Play) -> Play:
    play.hear(request("JD", key="jd", shares=10))
    play.hear(fill(play.live()[0], Decimal(10), OPEN_NS))
    play.hear(request("JD", key="sell", side=Side.SELL, shares=10, at_ns=play.state.at_ns))
    play.hear(fill(play.live()[0], Decimal(10), OPEN_NS))
    return play


def test_where_sales_have_a_minus_and_nothing_else_the_rest_are_buys(
    folder: Path, capsys: Captured
) -> None:
    rows = [one.replace("buy,", "") for one in BUYS] + [f"{SALE},{sale_price()}"]
    rows[-1] = rows[-1].replace("sell,", "-")
    assert answered(capsys, "Time,Symbol,Qty,Price", *rows)["agreed"] == 3


def test_of_a_list_of_orders_what_was_filled_counts(folder: Path, capsys: Captured) -> None:
    head = "Symbol,Side,Qty,Filled_Qty,Filled_Avg_Price,Status,Filled_At"
    rows = [
        "JD,buy,10,10,31.50,filled,2026-01-26T14:31:00Z",
        "JD,buy,50,20,31.91,canceled,2026-01-26T14:31:00Z",
        f"JD,sell,25,25,{sale_price()},filled,2026-01-26T14:32:00Z",
        "GS,buy,2,0,,canceled,",
    ]
    assert answered(capsys, head, *rows)["agreed"] == 3
