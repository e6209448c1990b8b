"""What a person asks about: an order by either id, a request, or a symbol; found in the database's own rows."""

import difflib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from trader.journal.chain import decoded
from trader.messages import OrderReport

NEAR_MAX = 5
CANDIDATES_MAX = 20_000


class Subject(Struct, frozen=True, kw_only=True):
    """What was found, and the journal entries about it; of a symbol all entries are."""

    kind: Literal["order", "request", "symbol"]
    name: str  # of an order our id for it, where it has one
    tellings: frozenset[int] = frozenset()  # entries that answer this request id
    mentions: frozenset[int] = frozenset()  # entries about the order

    @property
    def last(self) -> int | None:
        """The last entry needed; None: all of them."""
        return max(self.tellings | self.mentions, default=None)


def found(connection: sqlite3.Connection, text: str) -> Subject | None:
    """The order, request or symbol of this name; None where the database knows no such thing."""
    return _order(connection, text) or _request(connection, text) or _symbol(connection, text)


def near(connection: sqlite3.Connection, text: str) -> list[str]:
    """Names that somebody may have meant: those that contain it, then those that look like it."""
    return _alike(_names(connection), text)


def near_symbols(connection: sqlite3.Connection, text: str) -> list[str]:
    """The same among symbols alone."""
    rows = connection.execute("SELECT symbol FROM position_rows ORDER BY symbol")
    return _alike((name for (name,) in rows), text)


def has_symbol(connection: sqlite3.Connection, text: str) -> bool:
    """Whether the books ever heard of it."""
    return _symbol(connection, text) is not None


def _alike(known: Iterable[str], text: str) -> list[str]:
    names = list(dict.fromkeys(known))
    sought = text.casefold()
    within = [name for name in names if sought and sought in name.casefold()]
    folded = {name.casefold(): name for name in names}
    alike = difflib.get_close_matches(sought, folded, NEAR_MAX)
    return list(dict.fromkeys([*within[:NEAR_MAX], *(folded[one] for one in alike)]))[:NEAR_MAX]


def _order(connection: sqlite3.Connection, text: str) -> Subject | None:
    row = connection.execute(
        "SELECT client_order_id, decision_id FROM order_rows"
        " WHERE client_order_id = ? OR broker_order_id = ? ORDER BY decision_id DESC",
        (text, text),
    ).fetchone()
    if row is not None:
        return Subject(kind="order", name=row[0], mentions=_mentions(connection, row[0], row[1]))
    name = _foreign(connection, text)
    return (
        Subject(kind="order", name=name, mentions=_mentions(connection, name, 1)) if name else None
    )


def _foreign(connection: sqlite3.Connection, text: str) -> str:
    """Our field for the id of an order that this program did not send, but was told of; empty where there is none."""
    rows = connection.execute(
        "SELECT sequence, entry FROM journal WHERE instr(entry, ?) OR instr(entry, ?)",
        (_written("client_order_id", text), _written("broker_order_id", text)),
    )
    for sequence, data in rows:
        heard = decoded(sequence, data.encode()).input
        if isinstance(heard, OrderReport) and text in {
            heard.client_order_id,
            heard.broker_order_id,
        }:
            return heard.client_order_id
    return ""


def _mentions(connection: sqlite3.Connection, name: str, first: int) -> frozenset[int]:
    """Entries from `first` on that say this id, as bytes: without decoding each of a journal of millions."""
    rows = connection.execute(
        "SELECT sequence FROM journal WHERE sequence >= ? AND (instr(entry, ?) OR instr(entry, ?))",
        (first, _written("client_order_id", name), _written("blocked_by", name)),
    )
    return frozenset(sequence for (sequence,) in rows)


def _written(field: str, value: str) -> str:
    """As the journal's encoder writes it."""
    return f'"{field}":{msgspec.json.encode(value).decode()}'


def _request(connection: sqlite3.Connection, text: str) -> Subject | None:
    rows = connection.execute(
        "SELECT d.sequence, o.client_order_id FROM decision_rows AS d"
        " LEFT JOIN order_rows AS o ON o.decision_id = d.sequence WHERE d.request_id = ?",
        (text,),
    ).fetchall()
    if not rows:
        return None
    orders = [(name, sequence) for sequence, name in rows if name is not None]
    return Subject(
        kind="request",
        name=text,
        tellings=frozenset(sequence for sequence, _ in rows),
        mentions=frozenset().union(*(_mentions(connection, *order) for order in orders)),
    )


def _symbol(connection: sqlite3.Connection, text: str) -> Subject | None:
    row = connection.execute(
        "SELECT 1 FROM position_rows WHERE symbol = ? UNION ALL"
        " SELECT 1 FROM decision_rows WHERE symbol = ? LIMIT 1",
        (text, text),
    ).fetchone()
    return Subject(kind="symbol", name=text) if row is not None else None


def _names(connection: sqlite3.Connection) -> Iterator[str]:
    """Symbols, then orders and requests, the latest first."""
    for question in (
        "SELECT symbol FROM position_rows ORDER BY symbol LIMIT ?",
        "SELECT client_order_id FROM order_rows ORDER BY decision_id DESC LIMIT ?",
        "SELECT broker_order_id FROM order_rows WHERE broker_order_id <> ''"
        " ORDER BY decision_id DESC LIMIT ?",
        "SELECT request_id FROM decision_rows ORDER BY sequence DESC LIMIT ?",
    ):
        yield from (name for (name,) in connection.execute(question, (CANDIDATES_MAX,)))
