"""Every verb that reads books meets files that are none: one line says so, and nothing is made or changed."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from tests.journal_plays import opened, request
from trader.__main__ import main
from trader.exits import Exit
from trader.journal.sqlite import open_journal

Captured = pytest.CaptureFixture[str]
Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(eventful(), tmp_path_factory.mktemp("sound") / "trading_data.db")


def _data(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _pragma(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as hand:
        hand.execute(statement)
        hand.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE trades (symbol, side, quantity, price, timestamp)")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    path.symlink_to("elsewhere.db")


def _rollback(path: Path) -> None:
    """Of somebody's write that was cut off, with the header that makes SQLite roll back."""
    header = bytes.fromhex("d9d505f920a163d7") + (1).to_bytes(4) + bytes(500)
    path.with_name(path.name + "-journal").write_bytes(header)


def _log_of_another(path: Path) -> None:
    """Whole, with frames: SQLite lays it over this file, and shows the other's books as these."""
    folder = path.with_name("other")
    folder.mkdir()
    journal = open_journal(folder / path.name, create=True, since="", inline=True)
    for batch in opened().hear(request("JD", key="x")).batches():
        journal.write(batch)
    log = f"{path.name}-wal"
    shutil.copy(folder / log, path.with_name(log))
    journal.close()
    shutil.rmtree(folder)


BAD: dict[str, tuple[Spoil, str]] = {
    "missing": (lambda path: path.unlink(), "there is no"),
    "empty": (lambda path: _data(path, b""), "empty"),
    "text": (lambda path: _data(path, b"once upon a time\n" * 99), "not an SQLite database"),
    "header alone": (lambda path: _data(path, path.read_bytes()[:50]), "not an SQLite database"),
    "cut off": (
        lambda path: _data(path, path.read_bytes()[: path.stat().st_size // 2]),
        "can't be read",
    ),
    "newer": (lambda path: _pragma(path, "PRAGMA user_version = 99"), "newer trader"),
    "another's": (lambda path: _pragma(path, "PRAGMA application_id = 7"), "another program's"),
    "foreign": (_foreign, "another program's"),
    "rollback": (_rollback, "a rollback journal, which this program never writes"),
    "log of another": (_log_of_another, "the write-ahead log of another database"),
    "folder": (_folder, "not a plain file"),
    "pipe": (_pipe, "not a plain file"),
    "link": (_link, "a symbolic link"),
}
HERE = ("--database", "trading_data.db")
VERBS: dict[str, tuple[str, ...]] = {
    "verify": ("verify", "trading_data.db"),
    "backup": ("backup", "copy.db", *HERE),
    "restore": ("restore", "trading_data.db", "--database", "new.db"),
    "reconcile": ("reconcile", "--statement", "s.csv", *HERE),
    "pnl": ("pnl", *HERE),
    "positions": ("positions", "--at", "2026-01-26", *HERE),
    "replay": ("replay", "2026-01-26", *HERE),
    "journal": ("journal", "export", "--format", "jsonl", *HERE),
    "explain": ("explain", "JD", *HERE),
    "status": ("status", *HERE),
}
STATEMENT = "time,symbol,side,qty,price\n2026-01-26 09:31,JD,buy,1,5\n"


def left(folder: Path) -> dict[str, bytes | None]:
    """All that is there but locks, and what SQLite puts beside a file that it reads."""
    files = {}
    for file in folder.iterdir():
        data = file.read_bytes() if file.is_file() else None
        if not file.name.endswith((".lock", "-shm")) and (data or not file.name.endswith("-wal")):
            files[file.name] = data
    return files


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_no_sound_journal_is_one_line_and_stays_as_it_is(
    sound: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
    verb: str,
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trading_data.db"
    with closing(sqlite3.connect(sound)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    (tmp_path / "s.csv").write_text(STATEMENT)
    spoil, says = BAD[kind]
    spoil(path)
    before = left(tmp_path)
    code = main(VERBS[verb])
    told = capsys.readouterr()
    if verb == "verify" and code == Exit.DIFFERENCES:
        assert kind == "cut off", "what can be opened is proved, and the proof says what is wrong"
        assert told.out.rstrip().rpartition("\n")[2].startswith("first difference: ")
    elif verb == "status" and kind == "cut off" and code == Exit.WELL:
        pass  # What it shows is in the part that is left.
    else:
        assert code in (Exit.MISTAKE, Exit.REFUSED), told
        assert told.err.count("\n") == 1, told.err
        assert says in told.err
        assert told.err.startswith("trade: ")
    assert left(tmp_path) == before
