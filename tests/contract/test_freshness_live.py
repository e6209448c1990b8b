"""A source of the running program is edited: it takes no more entries, lets exits go on, and says which file."""

import json
import os
import signal
from pathlib import Path

import msgspec
import pytest

from tests.own_tree import edit_unseen, environment, planted, trade
from tests.program import ROOT, Folder, Running
from tests.standing_broker import standing_broker
from trader.messages import Entry, Gate, GateMoved, RequestAccepted, decode_entry
from trader.model import ENTRY_PURPOSES

SPEED = "780"
HELD = " SNDK "  # bought early, and sold long after entries must have closed
REASON = "trader/risk.py differs from the running code"


class Copy(Folder):
    """Runs a copy of the program through its launcher."""

    def command(self, *arguments: str) -> list[str]:
        return [str(self.root / "bin" / "trade"), *arguments]

    def environment(self) -> dict[str, str]:
        return environment()

    def entries(self) -> list[Entry]:
        rows = self.ours("SELECT entry FROM journal ORDER BY sequence")
        return [decode_entry(str(row).encode()) for (row,) in rows]

    def doctor(self) -> tuple[int, dict[str, dict[str, str]]]:
        ended = trade(self.root, "doctor", "--json", cwd=self.path)
        findings = msgspec.json.decode(ended.stdout, type=list[dict[str, str]])
        return ended.returncode, {one["check"]: one for one in findings}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    folder = tmp_path / "account"
    folder.mkdir()
    return Copy(folder, root=planted(tmp_path))


def wait(running: Running, words: str) -> str:
    return running.wait_line(lambda line: words in line)


def test_entries_stop_exits_go_on_and_the_file_is_named(copy: Copy) -> None:
    risk = copy.root / "trader" / "risk.py"
    with copy.started("--speed", SPEED) as running:
        wait(running, HELD)
        assert copy.doctor()[1]["code"]["verdict"] == "ok"
        edit_unseen(risk, "One small rule", "ONE small rule")
        assert wait(running, "CLOSED").rstrip().endswith(f"gate fresh_code: {REASON}")
        wait(running, "stale_code")
        wait(running, " SELL ")
        code, findings = copy.doctor()
        assert (code, findings["code"]["verdict"]) == (3, "FAIL")
        assert findings["code"]["what"] == REASON
        ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    entries = copy.entries()
    [closed_at] = [
        entry.sequence
        for entry in entries
        for event in entry.events
        if isinstance(event, GateMoved) and event.gate is Gate.FRESH_CODE
    ]
    later = [
        event.order
        for entry in entries
        for event in entry.events
        if isinstance(event, RequestAccepted) and entry.sequence > closed_at
    ]
    assert later, "exits went on"
    assert not [order for order in later if order.purpose in ENTRY_PURPOSES]


def test_a_file_that_is_put_back_opens_entries_and_the_episode_stays(copy: Copy) -> None:
    risk = copy.root / "trader" / "risk.py"
    with copy.started("--speed", SPEED) as running:
        wait(running, "Entries allowed")
        edit_unseen(risk, "One small rule", "ONE small rule")
        wait(running, f"gate fresh_code: {REASON}")
        edit_unseen(risk, "ONE small rule", "One small rule")
        wait(running, " BUY ")  # It may have been accepted before the file was found to differ,
        wait(running, " BUY ")  # and this one was accepted since.
        running.end(signal.SIGTERM)
    moved = [
        event.is_open
        for entry in copy.entries()
        for event in entry.events
        if isinstance(event, GateMoved) and event.gate is Gate.FRESH_CODE
    ]
    assert moved == [False, True]


def test_an_entry_on_its_way_out_is_held_back_when_a_file_was_just_edited(
    copy: Copy, tmp_path: Path
) -> None:
    """Decided by the old code, and durable; the edit comes right before its bytes leave, and nobody has looked yet."""
    with standing_broker(copy.path) as account:
        account.root = Path(f"{copy.root}{os.pathsep}{ROOT}")  # the program from the copy
        with account.watched() as trader:
            trader.hold_at(("bytes about to leave",))
            edit_unseen(copy.root / "trader" / "risk.py", "One small rule", "ONE small rule")
            trader.let_go()
            trader.close()
            wait(trader, REASON)
            trader.end(signal.SIGTERM)
        assert account.accepted() == []
        held = account.ours("SELECT state, reason FROM orders ORDER BY decision_id LIMIT 1")
        assert held == [("NEVER_SENT", REASON)]


def test_each_intent_and_each_life_carry_the_identity_of_the_code(copy: Copy) -> None:
    identity = json.loads(trade(copy.root, "version", "--json", cwd=copy.path).stdout)["identity"]
    with copy.started("--speed", "max") as running:
        assert running.end().code == 0
    assert copy.ours("SELECT DISTINCT build FROM lives") == [(identity,)]
    assert copy.ours("SELECT DISTINCT build FROM orders") == [(identity,)]
