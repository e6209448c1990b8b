"""Kills a repair at each of its statements: python repair_killed.py OLD.db PLAN FOLDER, a line of JSON for each.

A child is forked that carries the plan out on a copy, and dies by SIGKILL as its n-th statement begins, on whichever
connection; n grows until a child comes through. What each left is looked at by the parent.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from trader.audit.plan import read_plan
from trader.audit.repair import Signed, apply
from trader.audit.safekeeping import digest_of_file
from trader.money import use_exact_context

SIGNED = Signed(who="somebody", at="2026-01-27T12:00:00.000Z", reason="a test")


def die_at(statement: int) -> None:
    """From now on every connection of this process counts its statements, and the n-th is the last."""
    connect, begun = sqlite3.connect, 0

    def count(_sql: str) -> None:
        nonlocal begun
        begun += 1
        if begun == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def counting(*arguments: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401  # as they come
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = counting  # type: ignore[assignment]  # of several signatures


def left_by(old: Path, plan: Path, folder: Path, statement: int) -> dict[str, object]:
    """What a repair leaves that is killed at its n-th statement."""
    copy = folder / f"{statement}" / old.name
    copy.parent.mkdir()
    shutil.copyfile(old, copy)
    child = os.fork()
    if not child:
        die_at(statement)
        apply(copy, read_plan(plan), copy.with_name("backup.db"), SIGNED)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status)
    assert died or os.WEXITSTATUS(status) == 0
    # As the next program that opens it would: a transaction that was begun is rolled back.
    books = sqlite3.connect(copy)
    has_repairs = books.execute(
        "SELECT count(*) FROM sqlite_master WHERE name LIKE 'repair%' OR name = 'effective_trades'"
    ).fetchone()[0]
    counts = [
        books.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in (("repairs", "repair_voids", "repair_adjustments") if has_repairs else ())
    ]
    whole = books.execute("PRAGMA integrity_check").fetchone()[0]
    books.close()
    again = apply(copy, read_plan(plan), copy.with_name("backup.db"), SIGNED)
    left = {
        "died": died,
        "counts": counts,
        "whole": whole,
        "originals": digest_of_file(copy),
        "again": again,
    }
    shutil.rmtree(copy.parent)
    return left


def main() -> None:
    use_exact_context()
    old, plan, folder = map(Path, sys.argv[1:])
    statement = 0
    died = True
    while died:
        statement += 1
        left = left_by(old, plan, folder, statement)
        died = bool(left["died"])
        print(json.dumps(left), flush=True)


if __name__ == "__main__":
    main()
