"""What a start looks at: do the tables say what the journal says, without writing all of them once more?"""

import sqlite3

from trader.journal import tables
from trader.journal.chain import Row
from trader.model import FINAL_STATES, Order, Symbol
from trader.state import ExecutionState

ORDER_COLUMNS = tables.columns_of("order_rows")


def standing_that_differ(reader: sqlite3.Connection, state: ExecutionState) -> list[str]:
    """The tables of what stands (account, positions, orders, kill switch) that don't say what the folded journal says.

    For a start, which has folded the journal anyway: a look at all tables costs as much as writing them once more.
    """
    [head_hash] = reader.execute("SELECT hash FROM account_row").fetchone()
    account = tables.account_row(state.sequence, head_hash, state)
    positions = _rows(reader, "position_rows")
    held = {symbol for symbol, one in state.positions.items() if one.quantity or one.cost}
    agrees = {
        "account_row": _rows(reader, "account_row") == [account],
        "position_rows": held <= {row[0] for row in positions}
        and all(
            row == tables.position_row(state, state.position(Symbol(str(row[0]))))
            for row in positions
        ),
        "order_rows": _orders_agree(reader, state),
        # An older trader's file has no mode until the next life begins.
        "mode_row": _rows(reader, "mode_row") in ([], [tables.mode_row(state)]),
        "reduction_rows": _rows(reader, "reduction_rows") == list(tables.reduction_rows(state)),
    }
    return [table for table, is_so in agrees.items() if not is_so]


def _orders_agree(reader: sqlite3.Connection, state: ExecutionState) -> bool:
    """Orders that the state knows are as it knows them; the others, which it has forgotten, are over."""
    over = ", ".join(repr(one.value) for one in FINAL_STATES)
    question = f"SELECT * FROM order_rows WHERE decision_id >= ? OR reserved <> '0' OR state NOT IN ({over})"
    first = min((one.decision_id for one in state.orders.values()), default=state.sequence + 1)
    found = {row[1]: row for row in reader.execute(question, (first,))}
    return all(name in found for name in state.orders) and all(
        _is_row_of(state.orders[name], row) if name in state.orders else _is_over(row)
        for name, row in found.items()
    )


def _is_over(row: Row) -> bool:
    cells = dict(zip(ORDER_COLUMNS, row, strict=True))
    return cells["reserved"] == "0" and cells["state"] in {one.value for one in FINAL_STATES}


def _is_row_of(order: Order, row: Row) -> bool:
    """Session, end, and the entry before are not the state's to know."""
    ours = tables.order_row(order, "", None, None)
    return all(
        mine == theirs
        for column, mine, theirs in zip(ORDER_COLUMNS, ours, row, strict=True)
        if column not in ("session", "ended_sequence", "entry_before")
    )


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
