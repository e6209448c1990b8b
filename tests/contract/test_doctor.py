"""`trade doctor`, really run: what it finds, what it says to type, and how it ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.program import ROOT, Folder
from trader import doctor
from trader.build import Build
from trader.doctor import Verdict
from trader.model import Symbol

CHECKS = [
    "configuration",
    "clock",
    "disk",
    "commit",
    "database",
    "journal",
    "tables",
    "lock",
    "code",
    "orders",
    "halt",
    "quarantine",
]


class Patient(Folder):
    """A folder that the doctor is asked about."""

    def doctor(self, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        ended = self.verb("doctor", "--json", *arguments)
        found = msgspec.json.decode(ended.stdout, type=list[dict[str, str]])
        return ended.returncode, {one["check"]: one for one in found}

    def verb(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env={**self.environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def change(self, *statements: str) -> None:
        """Tamper with the database, past its triggers."""
        connection = sqlite3.connect(self.path / "trading_data.db", isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traded")
    assert Patient(folder).run("--symbols", "JD,GS").code == 0
    return folder


@pytest.fixture
def patient(traded: Path, tmp_path: Path) -> Patient:
    for file in traded.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).chmod(0o600)
    return Patient(tmp_path)


def test_a_well_account_is_well(patient: Patient) -> None:
    code, found = patient.doctor()
    assert code == 0
    assert list(found) == CHECKS
    assert {one["verdict"] for one in found.values()} == {"ok"}


def test_people_read_a_line_for_each_check(patient: Patient) -> None:
    lines = patient.verb("doctor").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(CHECKS)
    assert [line[6:].split()[0] for line in lines] == CHECKS


def test_before_the_first_run_there_is_nothing_to_mend(tmp_path: Path) -> None:
    code, found = Patient(tmp_path).doctor()
    assert (code, found["database"]["verdict"]) == (0, "ok")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_entry_breaks_the_chain(patient: Patient) -> None:
    patient.change(
        "DROP TRIGGER journal_no_update",
        "UPDATE journal SET entry = replace(entry, '\"sequence\":5', '\"sequence\":5 ') WHERE sequence = 5",
    )
    code, found = patient.doctor()
    assert (code, found["journal"]["verdict"]) == (3, "FAIL")
    assert "at journal row 5" in found["journal"]["what"]
    assert "restore a backup" in found["journal"]["remedy"]


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "torn", "newer", "foreign"])
def test_a_file_that_is_no_whole_journal_fails_and_is_not_touched(
    kind: str, patient: Patient
) -> None:
    path = patient.path / "trading_data.db"
    whole = path.read_bytes()
    match kind:
        case "text":
            path.write_bytes(b"not a database" * 100)
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "torn":  # every page but the first is zeros
            path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
        case "newer":
            patient.change("PRAGMA user_version = 99")
        case _:
            patient.change("PRAGMA application_id = 1")
    before = path.read_bytes()
    code, found = patient.doctor()
    assert code == 3
    failed = [one for one in found.values() if one["verdict"] == "FAIL"]
    assert failed
    assert all(one["remedy"] for one in failed)
    assert path.read_bytes() == before


def test_who_writes_the_books_is_named_and_a_killed_process_too(tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    with patient.started("--speed", "60") as running:
        running.wait_line(lambda line: "Entries allowed" in line)
        code, found = patient.doctor()
        assert code == 0
        assert found["lock"]["what"].startswith(f"process {running.process.pid} writes these books")
        assert found["code"]["what"].endswith(" runs")
        running.end(signal.SIGKILL)
    code, found = patient.doctor()
    assert (code, found["lock"]["verdict"]) == (0, "warn")
    assert "bin/trade run" in found["lock"]["remedy"]


def test_a_halt_is_a_warning_with_the_verb_that_lifts_it(patient: Patient) -> None:
    assert patient.verb("halt", "--reason", "lunch").returncode == 0
    code, found = patient.doctor()
    assert (code, found["halt"]["verdict"]) == (0, "warn")
    assert "lunch" in found["halt"]["what"]
    assert found["halt"]["remedy"].startswith("bin/trade resume --reason")


def test_a_broken_configuration_fails(patient: Patient) -> None:
    (patient.path / "trader.toml").write_text("[limits]\nnonsense = 1\n")
    code, found = patient.doctor()
    assert (code, found["configuration"]["verdict"]) == (3, "FAIL")


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The simulated broker alone: its address and keys, as it printed them."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "trader", "broker"],
        cwd=tmp_path_factory.mktemp("broker"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().split() for _ in range(3)]
        yield {line[0]: line[1] for line in lines}
    finally:
        process.kill()
        process.communicate()


def keys_file(folder: Path, served: dict[str, str]) -> Path:
    path = folder / "keys.toml"
    path.write_text(f'key = "{served["key"]}"\nsecret = "{served["secret"]}"\n')
    path.chmod(0o600)
    return path


def test_a_broker_that_answers_is_named_and_its_clock_compared(
    served: dict[str, str], tmp_path: Path
) -> None:
    keys = keys_file(tmp_path, served)
    code, found = Patient(tmp_path).doctor("--address", served["address"], "--keys", str(keys))
    assert code == 0
    assert served["address"] in found["broker"]["what"]
    clock = found["broker clock"]
    assert clock["verdict"] == "ok", "a market of one's own has its own time: no clock is wrong"
    assert "2026-01-26T" in clock["what"]
    assert (found["holdings"]["verdict"], code) == ("ok", 0)
    assert served["secret"] not in str(found)


def test_what_the_account_holds_and_the_books_do_not_know_is_named_before_a_start_refuses_it(
    tmp_path: Path,
) -> None:
    found = doctor.holdings(tmp_path / "none.db", {Symbol("GS"): Decimal(10)})
    assert (found.verdict, found.what) == ("warn", "10 GS: not in the books")
    assert found.remedy.startswith("bin/trade adopt")
    assert doctor.holdings(tmp_path / "none.db", {}).verdict == "ok"


def test_keys_that_others_can_read_fail_with_the_command_that_mends_them(
    served: dict[str, str], tmp_path: Path
) -> None:
    keys = keys_file(tmp_path, served)
    keys.chmod(0o644)
    code, found = Patient(tmp_path).doctor("--address", served["address"], "--keys", str(keys))
    assert (code, found["credentials"]["verdict"]) == (3, "FAIL")
    assert found["credentials"]["remedy"] == f"chmod 600 {keys}"
    assert "broker" not in found


def test_wrong_keys_and_a_deaf_address_fail(served: dict[str, str], tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    wrong = keys_file(tmp_path, {"key": "WRONG", "secret": "WRONG"})
    for address in (served["address"], "http://127.0.0.1:1"):
        code, found = patient.doctor("--address", address, "--keys", str(wrong))
        assert (code, found["broker"]["verdict"]) == (3, "FAIL")


# --------------------------------------------------------------------------------- what a start refuses


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(600_000_000, Verdict.OK), (499_999_999, Verdict.WARN), (49_999_999, Verdict.FAIL)],
)
def test_little_room_warns_and_none_refuses(free: int, verdict: Verdict, tmp_path: Path) -> None:
    assert doctor.disk(free, tmp_path).verdict is verdict


def test_a_machine_that_believes_it_is_1970_is_refused() -> None:
    assert doctor.clock(0).verdict is Verdict.FAIL
    assert doctor.clock(time.time_ns()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("apart_ns", "verdict"), [(1_900_000_000, Verdict.OK), (-2_100_000_000, Verdict.WARN)]
)
def test_two_seconds_between_the_clocks_warn(apart_ns: int, verdict: Verdict) -> None:
    now_ns = time.time_ns()
    assert doctor.skew(now_ns + apart_ns, now_ns).verdict is verdict


@pytest.mark.parametrize("commit", [None, "0" * 40])
def test_changed_sources_are_refused_for_real_money_only(commit: str | None) -> None:
    build = Build(version="1", identity="", python="", lock="", commit=commit, modified=True)
    kinds = [(True, True), (True, False), (False, False)]
    verdicts = [doctor.commit(build, is_real=real, is_live=live).verdict for real, live in kinds]
    assert verdicts == [Verdict.FAIL, Verdict.WARN, Verdict.OK]


def test_a_check_is_passed_by_by_name_with_a_reason_and_the_journal_keeps_it(
    tmp_path: Path,
) -> None:
    patient = Patient(tmp_path)
    assert patient.run("--bypass", "disk", "--reason", "a test", "--symbols", "JD").code == 0
    noted = 'SELECT entry FROM journal WHERE entry LIKE \'%"verb":"bypass"%\''
    [(entry,)] = patient.ours(noted)
    assert '"subject":"disk"' in str(entry)
    assert '"reason":"a test"' in str(entry)


@pytest.mark.parametrize(
    "arguments",
    [("--bypass", "disk"), ("--bypass", "everything", "--reason", "x")],
    ids=["no reason", "no such check"],
)
def test_nothing_is_passed_by_silently(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = Patient(tmp_path).run(*arguments)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_check_refuses_unless_it_is_the_one_passed_by(tmp_path: Path) -> None:
    findings = [doctor.disk(0, tmp_path), doctor.clock(0)]
    refused = [doctor.refusing(findings, names) for names in ((), ("disk",), ("disk", "clock"))]
    assert [one and one.check for one in refused] == ["disk", "clock", None]
