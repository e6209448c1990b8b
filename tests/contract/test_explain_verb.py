"""`trade explain` of a day that was really run: each of its subjects, and what nobody has heard of."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.journal_plays import Play, fill, opened, report, request
from tests.program import Folder
from trader.__main__ import main
from trader.exits import Exit
from trader.explanation.facts import Explained, OrderExplained, RequestExplained, SymbolExplained
from trader.journal.sqlite import open_journal
from trader.messages import Claim, Gate, GateReport
from trader.model import BrokerOrderId, ClientOrderId

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The first day, run once for all tests here."""
    folder = Folder(tmp_path_factory.mktemp("explained"))
    ended = folder.run()
    assert (ended.code, ended.err) == (0, "")
    return folder


def said(captured: Captured, folder: Folder, subject: str, *more: str) -> str:
    database = str(folder.path / "trading_data.db")
    assert main(["explain", subject, "--database", database, *more]) == Exit.WELL
    return captured.readouterr().out


def facts(captured: Captured, folder: Folder, subject: str) -> Explained:
    told: Explained = msgspec.json.decode(said(captured, folder, subject, "--json"), type=Explained)
    return told


def one(folder: Folder, question: str) -> str:
    [(found,)] = folder.ours(question)
    return str(found)


def test_the_rehearsal_is_one_order_and_seven_requests_that_ran_into_it(
    ran: Folder, capsys: Captured
) -> None:
    told = facts(capsys, ran, "GS")
    assert isinstance(told, SymbolExplained)
    assert [(each.outcome, each.side, each.count) for each in told.decisions] == [
        ("accepted", "BUY", 1),
        ("duplicate_blocked", "BUY", 7),
        ("accepted", "SELL", 1),
    ]
    bought = told.decisions[0].client_order_id
    assert bought is not None
    order = facts(capsys, ran, bought)
    assert isinstance(order, OrderExplained)
    assert len(order.blocked) == 7
    assert order.decision is not None
    assert order.decision.timestamp == "2026-01-26T15:00:00.000Z"
    text = said(capsys, ran, "GS")
    assert "10:00:00" in text
    assert f"DUPLICATE blocked by live_order {bought}  x7" in text
    assert "entries             closed: not_ready" in text


def test_the_order_whose_reply_was_lost_is_found_by_either_id(
    ran: Folder, capsys: Captured
) -> None:
    where = "FROM order_rows WHERE symbol = 'TRIP' AND side = 'BUY'"
    ours = one(ran, f"SELECT client_order_id {where}")
    text = said(capsys, ran, ours)
    assert said(capsys, ran, one(ran, f"SELECT broker_order_id {where}")) == text
    assert said(capsys, ran, one(ran, f"SELECT request_id {where}")) == text
    for words in (
        "SENT -> UNKNOWN",
        "HTTP 504: upstream request timeout",
        "the broker is asked, for the 1st time",
        "UNKNOWN -> FILLED",
        "found at the broker by its id",
    ):
        assert words in text, words
    told = facts(capsys, ran, ours)
    assert isinstance(told, OrderExplained)
    assert told.quantity_filled == "120"
    last = told.happenings[-1]
    assert last.execution is not None
    assert last.before is not None
    assert last.after is not None
    assert (last.before.quantity, last.after.quantity) == ("0", "120")
    assert last.after.cash_reserved == "0"


def test_a_forged_price_is_denied_by_the_collar_and_its_numbers_are_shown(
    ran: Folder, capsys: Captured
) -> None:
    request_id = one(ran, "SELECT request_id FROM decision_rows WHERE reason = 'price_collar'")
    told = facts(capsys, ran, request_id)
    assert isinstance(told, RequestExplained)
    (decision,) = told.decisions
    collar = next(rule for rule in decision.rules if rule.name == "price_collar")
    assert collar.verdict == "objected"
    assert collar.numbers["price"] == decision.limit_price == "40.54"
    assert collar.numbers["quote"] == "22.655"
    text = said(capsys, ran, request_id)
    assert "NO  price_collar         price 40.54, quote 22.655, deviation 0.78" in text
    assert "outcome   11:12:00  DENIED price_collar" in text


def test_a_denial_by_the_days_count_passed_all_the_rules_before_it(
    ran: Folder, capsys: Captured
) -> None:
    request_id = one(
        ran,
        "SELECT request_id FROM decision_rows WHERE reason = 'entries_per_day' ORDER BY sequence"
        " LIMIT 1",
    )
    told = facts(capsys, ran, request_id)
    assert isinstance(told, RequestExplained)
    (decision,) = told.decisions
    verdicts = {rule.name: rule.verdict for rule in decision.rules}
    assert verdicts["entries_per_minute"] == "passed"
    assert verdicts["entries_per_day"] == "objected"
    assert verdicts["buying_power"] == "not asked"
    assert decision.numbers == {"entries": "3", "entries_max": "3"}


def test_an_exit_shows_the_rules_of_exits_and_what_it_realized(
    ran: Folder, capsys: Captured
) -> None:
    where = "FROM order_rows WHERE symbol = 'TRIP' AND side = 'SELL'"
    told = facts(capsys, ran, one(ran, f"SELECT client_order_id {where}"))
    assert isinstance(told, OrderExplained)
    assert told.decision is not None
    names = [rule.name for rule in told.decision.rules]
    assert "would_oversell" in names
    assert "entries_per_day" not in names
    last = told.happenings[-1]
    assert last.after is not None
    assert last.after.quantity == "0"
    realized = one(
        ran, "SELECT realized_pnl FROM execution_rows WHERE symbol = 'TRIP' AND side = 'SELL'"
    )
    assert last.after.realized == realized
    stated = {(each.account, each.instrument): each.amount for each in last.postings}
    rows = ran.ours(
        f"SELECT account, instrument, amount FROM posting_rows WHERE sequence = {last.sequence}"
    )
    assert stated == {(account, instrument): amount for account, instrument, amount in rows}


def test_every_decision_of_the_day_is_decided_again_the_same(ran: Folder, capsys: Captured) -> None:
    for (symbol,) in ran.ours("SELECT symbol FROM position_rows"):
        told = facts(capsys, ran, str(symbol))
        assert isinstance(told, SymbolExplained)
        assert told.process == "nothing runs"
        assert {each.decided_now for each in told.decisions} <= {""}


@pytest.mark.parametrize(
    ("subject", "near"), [("jd", "near: JD"), ("forger/1.0/00000002", "forger/1.0/00000001")]
)
def test_what_nobody_has_heard_of_is_a_mistake_with_what_is_near(
    ran: Folder, capsys: Captured, subject: str, near: str
) -> None:
    database = str(ran.path / "trading_data.db")
    assert main(["explain", subject, "--database", database]) == Exit.MISTAKE
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert f"{subject}: no symbol, order or request of this name" in line
    assert near in line


@pytest.mark.parametrize("subject", ["", "%", "' OR 1=1 --", "x\n\x1b[31m", "\x00", "é" * 5_000])
def test_names_that_nobody_would_give_are_a_mistake_in_one_line(
    ran: Folder, capsys: Captured, subject: str
) -> None:
    database = str(ran.path / "trading_data.db")
    assert main(["explain", subject, "--database", database]) == Exit.MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


def write(database: Path, play: Play) -> None:
    journal = open_journal(database, create=True, since="", inline=True)
    for batch in play.batches(after=journal.head):
        journal.write(batch)
    journal.close()


def test_an_order_that_we_did_not_send_is_shown_as_it_was_heard_of(
    tmp_path: Path, capsys: Captured
) -> None:
    play = opened().hear(request("GS", key="gs"))
    foreign = replace(
        report(play.live()[0], Claim.NEW, play.state.at_ns),
        client_order_id=ClientOrderId("by-hand"),
        broker_order_id=BrokerOrderId("b-99"),
    )
    write(tmp_path / "trading_data.db", play.hear(foreign))
    for subject in ("by-hand", "b-99"):
        text = said(capsys, Folder(tmp_path), subject)
        assert "this program did not send it" in text
        assert "quarantined" in text


def test_it_explains_while_the_program_writes(tmp_path: Path, capsys: Captured) -> None:
    play = opened().hear(request("JD", key="jd"))
    name = play.live()[0].client_order_id
    journal = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=True)
    for batch in play.each():
        journal.write(batch)
    assert "INTENT" in said(capsys, Folder(tmp_path), name)
    told = facts(capsys, Folder(tmp_path), "GS")
    assert isinstance(told, SymbolExplained)
    assert (told.process, told.entries) == ("running", "open")
    play.hear(fill(play.live()[0], play.live()[0].quantity, play.state.at_ns))
    play.hear(GateReport(gate=Gate.MARKET_DATA, is_open=False, reason="no prices"))
    for batch in play.batches(after=journal.head):
        journal.write(batch)
    assert "FILLED" in said(capsys, Folder(tmp_path), name)
    assert "gate market_data, why no prices" in said(capsys, Folder(tmp_path), "GS")
    journal.close()


def test_without_a_database_it_says_what_to_type(tmp_path: Path, capsys: Captured) -> None:
    assert main(["explain", "JD", "--database", str(tmp_path / "none.db")]) == Exit.REFUSED
    assert "bin/trade run" in capsys.readouterr().err
