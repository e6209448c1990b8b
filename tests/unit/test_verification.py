"""A sound database is proved; whatever is changed in one, in any table and column, is found and named."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.eventful import eventful, written
from tests.journal_plays import day
from trader.__main__ import main
from trader.evolve import fold
from trader.exits import Exit
from trader.journal.schema import TABLES
from trader.journal.sqlite import open_journal, reading_connection
from trader.journal.tables import columns_of, key_of
from trader.messages import ExecutionBooked
from trader.ports import Batch
from trader.state import ExecutionState
from trader.verification.verify import Verification, Wanted, proved

BUILD = "3f9a1c2"  # of the plays
CELLS = [(table, column) for table in TABLES for column in columns_of(table)]
Change = tuple[str, tuple[object, ...]]


def verified(path: Path, *, every: int = 1, decisions: str = BUILD) -> Verification:
    with closing(reading_connection(path)) as reader:
        reader.execute("BEGIN")
        return proved(reader, Wanted(every=every, decisions=decisions)).verification


def first_difference(path: Path) -> str:
    first = verified(path).first_difference
    return "" if first is None else f"{first.name}: {first.difference}"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(eventful(), tmp_path_factory.mktemp("sound") / "trading_data.db")


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "trading_data.db"))


def changed(path: Path, statement: str, *values: object) -> None:
    """By somebody who gets round the triggers and the checks, and leaves no trace of it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as hand:
        hand.execute("PRAGMA ignore_check_constraints = ON")
        made = hand.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in made:
            hand.execute(f"DROP TRIGGER {name}")
        hand.execute(statement, values)
        for _, sql in made:
            hand.execute(sql)


def test_a_sound_database_is_proved_in_every_respect(sound: Path) -> None:
    answer = verified(sound)
    assert answer.first_difference is None
    names = [one.name for one in answer.checks]
    assert names == (
        "file journal tables postings prefixes positions cash reserved equity realized views decisions".split()
    )
    assert answer.entries == len(eventful().entries)
    with closing(reading_connection(sound)) as reader:
        for table in TABLES:
            assert reader.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,), table


@settings(max_examples=30)
@given(numbers=st.lists(st.integers(0, 255), max_size=50), every=st.integers(1, 9))
@example(numbers=[1, 7, 8, 11, 9, 5, 9], every=1)  # bought in two executions, sold in one
def test_any_day_is_proved_at_each_prefix(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], every: int
) -> None:
    path = written(day(numbers), tmp_path_factory.mktemp("day") / "trading_data.db")
    answer = verified(path, every=every)
    assert answer.first_difference is None
    assert f"{answer.entries} entries decided again alike" in answer.checks[-1].says


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_cell_changed_in_any_table_is_found_and_named(
    path: Path, table: str, column: str
) -> None:
    with closing(reading_connection(path)) as reader:
        rows = reader.execute(f"SELECT * FROM {table}").fetchall()
    row = dict(zip(columns_of(table), random.Random(table + column).choice(rows), strict=True))
    where = " AND ".join(f"{name} = ?" for name in key_of(table))
    values = [row[name] for name in key_of(table)]
    changed(path, f"UPDATE {table} SET {column} = ? WHERE {where}", _other(row[column]), *values)
    found = first_difference(path)
    assert table in found or (table == "journal" and found.startswith("journal: row ")), found
    assert column in found or "CHECK constraint" in found or table in ("journal", "order_rows"), (
        found
    )


def _other(cell: object) -> object:
    """Of the same kind, and allowed by most checks."""
    match cell:
        case int():
            return cell + 1_000
        case "BUY" | "SELL":
            return "SELL" if cell == "BUY" else "BUY"
        case str() if cell[:1].isdigit() or cell[:1] == "-":
            return f"{cell}0" if "." in cell else f"{cell}.0"  # the same number in other bytes
        case str():
            return f"{cell} "
        case _:
            return "1"


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_taken_away_or_added_is_found(path: Path, table: str) -> None:
    keys = ", ".join(key_of(table))
    last = f"SELECT {keys} FROM {table} ORDER BY {keys} LIMIT 1"
    changed(path, f"DELETE FROM {table} WHERE ({keys}) = ({last})")
    found = first_difference(path)
    assert table in found or found.startswith("journal: row"), found


@pytest.mark.parametrize("table", [one for one in TABLES if one != "account_row"])
def test_the_last_rows_of_each_table_twice_are_found(path: Path, table: str) -> None:
    names, keys = columns_of(table), key_of(table)
    unique = {"client_order_id", "execution_id", "reference"} - set(keys)
    cells = [
        f"{name} + 1000"
        if name == keys[0] and name != "symbol"
        else f"{name} || 'x'"
        if (name == "symbol" and name in keys) or name in unique
        else name
        for name in names
    ]
    order = ", ".join(f"{name} DESC" for name in keys)
    changed(
        path, f"INSERT INTO {table} SELECT {', '.join(cells)} FROM {table} ORDER BY {order} LIMIT 1"
    )
    found = first_difference(path)
    assert table in found or found.startswith("journal: row"), found


def test_the_last_rows_of_the_journal_cut_away_are_found(path: Path) -> None:
    changed(path, "DELETE FROM journal WHERE sequence = (SELECT max(sequence) FROM journal)")
    assert "account_row, id 1, sequence" in " ".join(
        one.difference for one in verified(path).checks
    )


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("CREATE TRIGGER quiet AFTER INSERT ON journal BEGIN SELECT 1; END", "trigger quiet"),
        ("DROP VIEW proof", "view proof is missing"),
        ("DROP TRIGGER journal_no_update", "trigger journal_no_update is missing"),
        ("PRAGMA user_version = 0", "user_version"),
        ("UPDATE _sqlite_migrations SET name = 'other' WHERE id = 1", "_sqlite_migrations"),
        ("INSERT INTO _sqlite_migrations VALUES (7, 'x', 'y', 'z')", "_sqlite_migrations"),
    ],
)
def test_a_schema_that_was_changed_is_found(path: Path, statement: str, says: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as hand:
        hand.execute(statement)
    found = first_difference(path)
    assert found.startswith("file: ")
    assert says in found


def test_decisions_that_today_would_be_others_are_named(path: Path) -> None:
    """A journal that a program with a bug has written: whole, and all tables follow from it."""
    entries = [*eventful().entries]
    place = next(
        number
        for number, entry in enumerate(entries)
        if any(isinstance(event, ExecutionBooked) for event in entry.events)
    )
    events = tuple(
        replace(event, fees=event.fees + 1, realized=event.realized - 1, released=event.released)
        if isinstance(event, ExecutionBooked)
        else event
        for event in entries[place].events
    )
    entries[place] = replace(entries[place], events=events)
    entries = entries[: place + 1]
    wrong = path.with_name("wrong.db")
    journal = open_journal(wrong, create=True, since="", inline=True)
    state = fold(ExecutionState(), entries)
    journal.write(Batch(entries=tuple(entries), after=state))
    journal.close()
    found = first_difference(wrong)
    assert found.startswith(f"decisions: row {place + 1}, order_report: the journal has ")
    assert '"fees":"1"' in found
    assert '"fees":"0"' in found
    assert verified(wrong, decisions="another").first_difference is None
    assert verified(wrong, decisions="").first_difference is None


# ------------------------------------------------------------------------------------------ bytes of the file


def logical(path: Path) -> list[object]:
    """Everything that anybody can read in a database, but when and by which words the schema was made."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        tables = [
            name
            for (name,) in reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        # What SQLite and sqlite-utils call and word for themselves is their own business.
        schema = "SELECT type, name, sql FROM sqlite_master WHERE instr(name, 'sqlite_') = 0"
        told: list[object] = [reader.execute(schema).fetchall()]
        for name in ("user_version", "application_id", "encoding"):
            told.append(reader.execute(f"PRAGMA {name}").fetchall())
        for table in tables:
            columns = "id, migration_set, name" if table == "_sqlite_migrations" else "*"
            told.append(reader.execute(f"SELECT {columns} FROM {table}").fetchall())
        return told


def flips(size: int, count: int) -> Iterator[tuple[int, int]]:
    chance = random.Random(25)
    yield from ((offset, 1) for offset in range(0, 100, 3))  # SQLite's header
    for _ in range(count):
        yield chance.randrange(100, size), 1 << chance.randrange(8)


def check_flips(path: Path, count: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, int]:
    """Each flipped bit is found, or changes nothing that anybody can read; how many of each."""
    whole, before = path.read_bytes(), logical(path)
    found = unseen = 0
    for offset, bit in flips(len(whole), count):
        data = bytearray(whole)
        data[offset] ^= bit
        path.write_bytes(data)
        code = main(["verify", str(path)])
        told = capsys.readouterr()
        assert code in (Exit.WELL, Exit.DIFFERENCES, Exit.REFUSED), (offset, bit, told)
        if code == Exit.WELL:
            assert logical(path) == before, (offset, bit)
            unseen += 1
        else:
            found += 1
    return found, unseen


def test_a_bit_flipped_anywhere_in_the_file_is_found_or_says_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, unseen = check_flips(path, 120, capsys)
    assert found > 30
    assert unseen, "free space: nobody reads it"


def test_a_schema_that_is_no_text_any_more_is_one_line(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = path.read_bytes()
    begins = whole.index(b"CREATE TABLE")
    for offset in range(begins, begins + 60, 4):
        data = bytearray(whole)
        data[offset] ^= 1 << 7
        path.write_bytes(data)
        codes = [main(["verify", str(path)]), main(["orders", "--database", str(path)])]
        told = capsys.readouterr()
        assert Exit.BUG not in codes, (offset, told)
        assert codes[0] != Exit.WELL, offset


@pytest.mark.slow
def test_many_bits_flipped_anywhere_are_found_or_say_nothing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_flips(path, 2_000, capsys)


def test_amounts_are_compared_as_they_are_written(path: Path) -> None:
    """The same number in other digits is another text: whoever wrote it was not this program."""
    changed(path, "UPDATE account_row SET cash = cash || '.00'")
    assert "account_row, id 1, cash" in first_difference(path)
    assert Decimal("1.0") == Decimal(1)
