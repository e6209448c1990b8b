"""The double entry, added up by Beancount, in an environment of its own."""

import subprocess
from pathlib import Path

import pytest

from tests.eventful import eventful, written
from tests.official_clients import python_with
from trader.__main__ import main

BEANCOUNT = "beancount==3.2.3"
CHECK = """
import sys
from beancount import loader
entries, errors, _ = loader.load_file(sys.argv[1])
print(len(entries), *(error.message for error in errors), sep="\\n")
"""


def checked(path: Path) -> list[str]:
    """How many directives there are, and each error."""
    python = python_with(BEANCOUNT, "import beancount.loader")
    ended = subprocess.run(
        [python, "-W", "ignore", "-c", CHECK, path], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_beancount_adds_up_the_exported_ledger_to_the_same_balances(tmp_path: Path) -> None:
    database = written(eventful(), tmp_path / "trading_data.db")
    ledger = tmp_path / "books.beancount"
    command = ["journal", "export", "--format", "beancount", "--database", str(database)]
    assert main([*command, "--output", str(ledger)]) == 0
    count, *errors = checked(ledger)
    assert errors == []
    assert int(count) > 20
    text = ledger.read_text()
    assert "Assets:Position:JD  35 JD" in text
    ledger.write_text(text.replace("Assets:Position:JD  35 JD", "Assets:Position:JD  34 JD"))
    _, error = checked(ledger)
    assert "Balance failed" in error
