"""The command that `trader.toml` names for alarms: a real script, run by the real program."""

import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
import trio

from tests.program import ROOT, Folder
from trader.alarm_command import OWN_ALARM, run_command
from trader.journal.sqlite import open_journal
from trader.live.screen import SilentScreen
from trader.live.telling import Telling
from trader.log.writer import LogWriter
from trader.messages import AlarmReport
from trader.remedies import OTHERWISE, REMEDIES, remedy

JD_ONLY = ("--symbols", "JD", "--scenario", "none")


def script(folder: Path, body: str) -> str:
    path = folder / "told.sh"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def configured(folder: Path, command: str) -> Folder:
    (folder / "trader.toml").write_text(f"[alarm]\ncommand = {command}\n")
    return Folder(folder)


def halt(folder: Folder) -> None:
    command = folder.command("halt", "--reason", "odd")
    subprocess.run(command, cwd=folder.path, env=folder.environment(), check=True)


async def test_the_alarm_is_one_line_on_standard_input_and_no_shell_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", "s3cret-s3cret")
    told = tmp_path / "told"
    command = [script(tmp_path, f'cat >> {told}; echo "$@" >> {told}; env >> {told}'), "$(id);`id`"]
    assert await run_command(command, b'{"message":"$(touch x)"}\n') == ""
    data, arguments, *environment = told.read_text().splitlines()
    assert (data, arguments) == ('{"message":"$(touch x)"}', "$(id);`id`")
    assert environment
    assert not any("s3cret" in line for line in environment), "the keys are not its business"


async def test_one_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = [script(tmp_path, f"sleep 1000 & echo $! > {pids}; echo $$ >> {pids}; wait")]
    with trio.fail_after(60):  # not the 1,000 seconds that it would have taken
        # On a busy machine a shell needs seconds to begin.
        assert "killed, it took more than" in await run_command(command, b"{}\n", seconds_max=5.0)
        first, second = map(int, pids.read_text().split())
        while _runs(first) or _runs(second):
            await trio.lowlevel.checkpoint()


def _runs(pid: int) -> bool:
    """A killed child of a killed parent may be left as a zombie where nobody reaps it: that is dead enough."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_that_fails_or_that_reads_nothing_harms_nobody(tmp_path: Path) -> None:
    failing, deaf = script(tmp_path, "exit 3"), ["true"]
    assert (await run_command([failing], b"{}\n")).endswith("told.sh: exit code 3")
    assert await run_command(deaf, b"x" * 1_000_000) == ""
    assert (await run_command([str(tmp_path / "none")], b"")).endswith("No such file or directory")


def test_a_halted_start_is_told_to_the_command_with_what_ends_it(tmp_path: Path) -> None:
    folder = configured(tmp_path, json.dumps([script(tmp_path, "cat >> told")]))
    assert folder.run(*JD_ONLY).code == 0
    assert not (tmp_path / "told").exists(), "an ordinary day raises no alarm"
    halt(folder)
    assert folder.run(*JD_ONLY).code == 4
    [alarm] = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert (alarm["alarm"], alarm["symbol"], alarm["count"]) == ("halted", None, 1)
    assert alarm["message"].startswith("still halted: ")
    assert alarm["remedy"] == 'bin/trade resume --reason "…"'
    assert alarm["database"] == str(tmp_path / "trading_data.db")


async def test_what_cannot_be_journaled_is_told_to_the_command_all_the_same(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "trading_data.db", create=True, since="", inline=True)
    writer = LogWriter(tmp_path / "trader.log", secrets=["s3cret-s3cret"])
    command = [script(tmp_path, f"cat >> {tmp_path}/told")]
    telling = Telling(journal, writer, SilentScreen(), command)
    assert telling.command is not None
    silent = AlarmReport(alarm="silent_task", message="sender: s3cret-s3cret")
    async with telling.command.running():
        for _ in range(5):  # A commit is tried again and again.
            telling.listeners().unjournaled([silent], "disk full")
    journal.close()
    told = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert {(one["alarm"], one["message"], one["count"]) for one in told} == {
        ("journal_unavailable", "disk full; 0 requests denied, nothing sent", 1),
        ("silent_task", "sender: ***", 1),
    }


def test_a_command_that_fails_is_an_alarm_in_status_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = configured(tmp_path, json.dumps([script(tmp_path, "exit 3")]))
    assert folder.run(*JD_ONLY).code == 0
    halt(folder)
    ended = folder.run(*JD_ONLY)
    assert ended.code == 4
    [(message,)] = folder.ours("SELECT message FROM notice_rows WHERE kind = 'alarm_command'")
    assert str(message).endswith("told.sh: exit code 3, for halted")
    assert [one["level"] for one in folder.log() if one.get("subject") == "alarm_command"] == [
        "warning"
    ]


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ('"mail -s trader me"', "trader.toml:2: alarm.command: a program and its arguments"),
        ("[]", "trader.toml:2: alarm.command: a program and its arguments"),
        ("[3]", "trader.toml:2: alarm.command: a program and its arguments"),
        ('["no-such-program"]', "trader.toml:2: alarm.command: no program 'no-such-program'"),
    ],
)
def test_a_mistake_in_it_is_one_line_and_nothing_is_made(
    tmp_path: Path, command: str, complaint: str
) -> None:
    ended = configured(tmp_path, command).run(*JD_ONLY)
    assert ended.code == 2
    [line] = ended.err.splitlines()
    assert complaint in line
    assert sorted(one.name for one in tmp_path.iterdir()) == ["trader.toml"]


def test_every_alarm_of_the_program_has_a_remedy_and_a_line_in_operations() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "trader").rglob("*.py"))
    raised = set(re.findall(r'alarm="([a-z_]+)"', sources)) | {"halted", "brake_tripped"}
    raised |= {"difference_found", "quarantined", "journal_unavailable", OWN_ALARM}
    assert raised == set(REMEDIES), "one table in code"
    document = (ROOT / "docs" / "operations.md").read_text()
    for name in sorted(REMEDIES):
        [row] = [line for line in document.splitlines() if line.startswith(f"| `{name}`")]
        assert remedy(name, "SYMBOL") in row, name
    assert remedy("anything else", None) == OTHERWISE
    assert remedy("foreign_order", "JD") == 'bin/trade resume --release JD --reason "…"'
