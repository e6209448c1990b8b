"""The tables follow from the journal, however it was cut into batches."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal_plays import OPEN_NS, Play, clock, day, fill, opened, report, request
from trader import reducing
from trader.journal.comparing import compared, tables_that_differ
from trader.journal.schema import TABLES
from trader.journal.sqlite import SqliteJournal, open_journal, reading_connection
from trader.journal.standing import standing_that_differ
from trader.messages import Claim, Command, ExecutionCorrected, OrderRequest, SendOutcome
from trader.model import MINUTE_NS
from trader.ports import Batch

NUMBERS = st.lists(st.integers(0, 255), max_size=60)


def journal_at(path: Path) -> SqliteJournal:
    return open_journal(path, create=True, since="", inline=True)


def tables_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    reader = reading_connection(path)
    try:
        return {
            table: reader.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in TABLES
        }
    finally:
        reader.close()


def written(path: Path, batches: Iterable[Batch]) -> dict[str, list[tuple[object, ...]]]:
    journal = journal_at(path)
    for batch in batches:
        journal.write(batch)
    journal.close()
    return tables_of(path)


def rows(path: Path, question: str) -> list[Any]:
    reader = reading_connection(path)
    try:
        return reader.execute(question).fetchall()
    finally:
        reader.close()


@settings(max_examples=60)
@given(numbers=NUMBERS, cuts=st.lists(st.integers(1, 120), max_size=8))
def test_the_same_inputs_give_the_same_tables_however_they_are_cut_into_batches(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    play = day(numbers)
    one_by_one = written(folder / "one_by_one.db", play.each())
    assert written(folder / "cut.db", play.batches(cuts=cuts)) == one_by_one
    assert written(folder / "whole.db", play.batches()) == one_by_one


@pytest.mark.parametrize("ends", [True, False])
def test_a_busted_order_has_the_same_row_however_the_journal_is_cut(
    tmp_path: Path, ends: bool
) -> None:
    play = opened().hear(request("JD", key="a"))
    (order,) = play.live()
    play.hear(fill(order, order.quantity, OPEN_NS))
    (done,) = play.state.orders[order.client_order_id].executions
    bust = ExecutionCorrected(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        execution_id=done.execution.execution_id,
        replacement=None,
        at_ns=OPEN_NS,
    )
    play.hear(bust, clock(OPEN_NS + MINUTE_NS))
    if ends:
        play.hear(report(play.live()[0], Claim.CANCELED, OPEN_NS + MINUTE_NS))
    one_by_one = written(tmp_path / "one_by_one.db", play.each())
    assert written(tmp_path / "whole.db", play.batches()) == one_by_one


@settings(max_examples=40)
@given(
    numbers=NUMBERS, reopened=st.integers(1, 120), cuts=st.lists(st.integers(1, 120), max_size=4)
)
def test_a_journal_that_is_closed_and_opened_again_goes_on_with_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], reopened: int, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("reopened")
    play = day(numbers)
    middle = min(reopened, len(play.entries))
    first = Play()
    first.entries, first.states = play.entries[:middle], play.states[:middle]
    written(folder / "two.db", first.batches(cuts=cuts))
    resumed = written(folder / "two.db", play.batches(cuts=cuts, after=middle))
    assert resumed == written(folder / "one.db", play.batches())


@settings(max_examples=40)
@given(numbers=NUMBERS, cuts=st.lists(st.integers(1, 120), max_size=8))
def test_a_rebuild_from_the_journal_alone_gives_identical_tables(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("rebuild") / "trading_data.db"
    play = day(numbers)
    written(path, play.batches(cuts=cuts))
    reader = reading_connection(path)
    assert tables_that_differ(reader) == []
    assert standing_that_differ(reader, play.state) == []
    reader.close()


@settings(max_examples=60)
@given(numbers=NUMBERS)
def test_the_views_prove_that_cash_positions_and_trades_agree(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    path = tmp_path_factory.mktemp("proof") / "trading_data.db"
    play = day(numbers)
    written(path, play.batches())
    state = play.state
    assert rows(path, "SELECT difference, entries FROM proof") == [(0.0, len(play.entries))]
    assert rows(path, "SELECT * FROM double_entries") == []
    held = dict(rows(path, "SELECT symbol, quantity FROM position_rows WHERE quantity <> '0'"))
    assert held == {s: str(p.quantity) for s, p in state.positions.items() if p.quantity}
    sums = rows(
        path,
        "SELECT symbol, sum((CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * quantity) AS q"
        " FROM trades GROUP BY symbol HAVING q <> 0",
    )
    assert dict(sums) == {symbol: int(quantity) for symbol, quantity in held.items()}
    outcomes = rows(path, "SELECT ifnull(sum(count), 0) FROM decisions")
    assert outcomes == rows(
        path, 'SELECT count(*) FROM journal WHERE entry LIKE \'%"input":{"type":"request"%\''
    )
    unbalanced = "SELECT sequence, instrument, sum(amount) AS s FROM posting_rows GROUP BY 1, 2 HAVING abs(s) > 0.0001"
    assert rows(path, unbalanced) == []
    reserved = rows(
        path,
        "SELECT ifnull(round(sum(amount), 4), 0) FROM posting_rows WHERE account = 'cash:reserved'",
    )
    assert reserved == [(float(state.books.reserved),)]


def test_an_order_that_a_new_session_makes_the_state_forget_within_the_batch_keeps_its_last_row(
    tmp_path: Path,
) -> None:
    play = opened().hear(request("GS", key="k"))
    play.hear(report(play.live()[0], Claim.CANCELED, OPEN_NS))
    order = next(iter(play.state.orders.values()))
    play.hear(
        clock(OPEN_NS + MINUTE_NS, "2026-01-27"), clock(OPEN_NS + 2 * MINUTE_NS, "2026-01-28")
    )
    assert order.client_order_id not in play.state.orders
    written(tmp_path / "whole.db", play.batches())
    assert rows(tmp_path / "whole.db", "SELECT state, session FROM orders") == [
        ("CANCELED", "2026-01-26")
    ]


def test_an_entry_beside_a_live_entry_would_show_in_double_entries(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("GS", key="k1"))
    written(path, play.batches())
    assert rows(path, "SELECT * FROM double_entries") == []
    hand = sqlite3.connect(path)
    hand.execute("CREATE TEMP TABLE copied AS SELECT * FROM order_rows")
    hand.execute(
        "UPDATE copied SET client_order_id = 'second', decision_id = decision_id + 1, entry_before = decision_id"
    )
    hand.execute("INSERT INTO order_rows SELECT * FROM copied")
    hand.commit()
    hand.close()
    assert rows(path, "SELECT * FROM double_entries") == [("two live entry orders", "GS", "second")]
    reader = reading_connection(path)
    assert tables_that_differ(reader) == ["order_rows"]
    reader.close()


def test_the_operators_question_works_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("JD", key="k1", shares=33))
    play.hear(fill(play.live()[0], Decimal(33), OPEN_NS))
    written(path, play.batches())
    answer = rows(path, "SELECT symbol, quantity, avg_cost FROM positions WHERE quantity > 0;")
    assert answer == [("JD", 33, 31.92)]
    assert [type(cell) for cell in answer[0]] == [str, int, float]


def test_repeated_blocks_are_one_decision_with_a_count(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = opened().hear(*(request("GS", key=f"k{i}") for i in range(8)))
    play.hear(clock(OPEN_NS + MINUTE_NS), request("GS", key="later", at_ns=OPEN_NS + MINUTE_NS))
    written(path, play.batches())
    decisions = rows(path, "SELECT id, outcome, reason, count FROM decisions ORDER BY id")
    first = next(entry.sequence for entry in play.entries if isinstance(entry.input, OrderRequest))
    assert decisions == [
        (first, "accepted", "10-bar average rose above 30-bar", 1),
        (first + 1, "duplicate_blocked", "live_order", 7),
        (first + 9, "duplicate_blocked", "live_order", 1),
    ]
    assert rows(path, "SELECT decision_id FROM orders") == [(first,)]


def test_the_equity_history_has_the_account_after_each_single_fill(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("JD", key="a"), request("T", key="b"))
    play.hear(*(fill(order, order.quantity, OPEN_NS, off=-1) for order in play.live()))
    play.hear(clock(OPEN_NS + MINUTE_NS, marks={"JD": 320_200}))
    written(path, play.batches())
    assert rows(
        path, "SELECT cash, equity, unrealized_pnl FROM equity_rows WHERE cash <> '250000'"
    ) == [
        ("249680.9", "250000", "0"),
        ("249456.3", "250000", "0"),
        ("249456.3", "250001.1", "1.1"),
    ]


def test_a_life_is_a_row_that_its_end_completes(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = day([14 + 16 * 4])  # one life ends, the next begins
    written(path, play.batches())
    lives = rows(path, "SELECT epoch, pid, started_at, ended_at, exit_code FROM lives")
    at = "2026-01-26T14:30:00.000Z"
    assert lives == [(1, 4001, at, at, 0), (2, 4002, at, None, None)]
    assert rows(path, "SELECT DISTINCT epoch FROM journal") == [(1,), (2,)]


def test_a_late_fill_does_not_move_the_end_of_an_order(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("GS", key="a"))
    order = play.live()[0]
    play.hear(report(order, Claim.CANCELED, OPEN_NS))
    ended = play.state.sequence
    play.hear(fill(order, order.quantity, OPEN_NS))
    written(path, play.batches())
    assert rows(path, "SELECT state, ended_sequence FROM order_rows") == [("FILLED", ended)]


def test_an_order_that_comes_back_from_a_final_state_has_not_ended(tmp_path: Path) -> None:
    play = opened().hear(request("GS", key="a"))
    order = play.live()[0]
    never = SendOutcome(
        client_order_id=order.client_order_id, outcome="never_sent", reason="refused"
    )
    play.hear(never, report(order, Claim.NEW, OPEN_NS))
    assert play.live(), "the broker's sign of life counts"
    whole = written(tmp_path / "whole.db", play.batches())
    assert whole == written(tmp_path / "each.db", play.each())
    assert rows(tmp_path / "whole.db", "SELECT state, ended_sequence FROM order_rows") == [
        ("NEW", None)
    ]


def test_nothing_on_disk_is_money_in_floats(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    written(path, day(list(range(0, 255, 7))).batches())
    for table, columns in TABLES.items():
        for column in columns:
            name = column.split(" ")[0]
            if name not in {"PRIMARY", "UNIQUE"}:
                kinds = rows(path, f"SELECT DISTINCT typeof({name}) FROM {table}")
                assert ("real",) not in kinds, (table, name)


def test_the_rebuilt_state_is_the_executors_state(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    play = day([1, 17, 9, 25, 16, 4, 20, 5, 9])
    written(path, play.batches())
    reader = reading_connection(path)
    assert compared(reader).state == play.state
    reader.close()


def test_an_empty_position_is_flat_and_open(tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    written(path, opened().batches())
    flat = rows(
        path, "SELECT symbol, quantity, market_price, entries, closed_reason FROM positions"
    )
    assert flat == [(symbol, 0, None, "open", "") for symbol in ("GS", "JD", "T")]


def told(verb: str, subject: str = "") -> Command:
    return Command(command_id="c", verb=verb, subject=subject, who="ana", reason="lunch")


def test_the_mode_and_what_has_to_go_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    play = opened().hear(request("JD", key="jd", shares=33))
    play.hear(fill(play.live()[0], Decimal(33), OPEN_NS))
    written(path, play.batches())
    assert rows(path, "SELECT * FROM mode_row") == [(1, "ACTIVE", "", "", "")]
    play.hear(told("halt", "flatten"))
    found = written(tmp_path / "t2.db", play.batches())
    [(_, mode, since, who, reason)] = found["mode_row"]
    assert (mode, who, reason) == ("REDUCING", "ana", "lunch")
    assert str(since).startswith("2026-01-26T")
    [reduction] = found["reduction_rows"]
    assert reduction[:2] == ("JD", "flatten")
    assert reduction[5:] == (0, "", "c")
    play.hear(
        *(step.wants for step in reducing.due(play.state)),
    )
    assert written(tmp_path / "t3.db", play.batches())["reduction_rows"][0][5] == 1
    play.hear(fill(play.live()[0], Decimal(33), OPEN_NS), told("resume"))
    found = written(tmp_path / "t4.db", play.batches())
    assert found["reduction_rows"] == []
    assert found["mode_row"] == [(1, "ACTIVE", "", "", "")]
    reader = reading_connection(tmp_path / "t4.db")
    assert tables_that_differ(reader) == []
    assert standing_that_differ(reader, play.state) == []
    reader.close()


@pytest.mark.parametrize(
    "lie", ["UPDATE mode_row SET mode = 'ACTIVE'", "DELETE FROM reduction_rows"]
)
def test_a_kill_switch_that_somebody_has_changed_by_hand_is_seen(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "t.db"
    play = opened().hear(request("JD", key="jd", shares=33), told("halt", "flatten"))
    written(path, play.batches())
    hand = sqlite3.connect(path, isolation_level=None)
    hand.execute(lie)
    reader = reading_connection(path)
    assert standing_that_differ(reader, play.state)
    reader.close()
    hand.close()
