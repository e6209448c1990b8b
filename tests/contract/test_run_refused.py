"""What `trader run` does not start with: one line that says what and where, an exit code, and no traceback."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Ended, Folder

BARS = """symbol,timestamp,open,high,low,close,volume
JD,2013-10-07T13:30:00Z,31.90,31.95,31.88,31.92,1000
JD,2013-10-07T13:31:00Z,31.92,31.96,31.90,31.94,1000
JD,2013-10-07T13:32:00Z,31.94,31.97,31.91,31.93,1000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def is_one_line(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    assert ended.err.startswith("trade: ")
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--symbols", "XXX"), ("--symbols", "XXX")),
        (("--symbols", ","), ("--symbols",)),
        (("--symbols", "jd"), ("--symbols", "jd")),
        (("--symbols", "JD,JD"), ("--symbols", "JD")),
        (("--symbols", "JD\x1b[31m"), ("--symbols",)),
        (("--speed", "fast"), ("--speed", "fast")),
        (("--speed", "nan"), ("--speed", "nan")),
        (("--speed", "0"), ("--speed", "0")),
        (("--speed", "-5"), ("--speed", "-5")),
        (("--speed", "1e999"), ("--speed", "1e999")),
        (("--seed", "seven"), ("--seed", "seven")),
        (("--start", "2029-12-31"), ("--start", "from 2026-01-02 to 2029-09-28")),
        (("--start", "2030-01-02"), ("--start", "from 2026-01-02 to 2029-09-28")),
        (("--data", "nowhere"), ("nowhere",)),
        (("--scenario", "flood"), ("flood", "stampede")),
        (("--database", "nowhere/d.db"), ("--database", "nowhere/d.db")),
        (("--log", "."), ("--log",)),
        (("--config", "nowhere.toml"), ("nowhere.toml",)),
        (("--unheard-of",), ("--unheard-of",)),
        (("surplus",), ("surplus",)),
    ],
    ids=lambda value: " ".join(value) if len(value) > 1 or value[0].startswith("-") else None,
)
def test_a_mistake_on_the_command_line_is_one_line_and_leaves_nothing_behind(
    folder: Folder, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    is_one_line(folder.run(*arguments), 2, *words)
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nadds_max = -1\n", ("trader.toml:2", "adds_max")),
        ("[limits]\nloss_day_max = nan\n", ("trader.toml:2", "loss_day_max")),
        ("[limits]\nordr_notional_max = 1\n", ("ordr_notional_max", "order_notional_max")),
        ('symbols = "JD"\n', ("trader.toml", "symbols")),
        ("symbols = [\n", ("trader.toml",)),
        (
            '[strategies.mine]\nkind = "no-such"\n',
            ("trader.toml:2: strategies.mine.kind", "no-such"),
        ),
        (
            '[strategies.mine]\nkind = "rsi"\nparams = { bars = "x" }\n',
            ("trader.toml:3: strategies.mine.params.bars: ",),
        ),
        ('\nsymbols = ["NIX"]\n', ("trader.toml:2: the synthetic market has no NIX",)),
    ],
)
def test_a_mistake_in_the_configuration_names_file_and_key(
    folder: Folder, text: str, words: tuple[str, ...]
) -> None:
    (folder.path / "trader.toml").write_text(text)
    is_one_line(folder.run(), 2, *words)


def test_bars_that_were_traded_already_are_a_mistake(folder: Folder) -> None:
    (folder.path / "bars.csv").write_text(BARS)
    arguments = ("--data", "bars.csv", "--symbols", "JD")
    first = folder.run(*arguments)
    assert (first.code, first.err) == (0, "")
    [(journal,)] = folder.ours("SELECT count(*) FROM journal")
    is_one_line(folder.run(*arguments), 2, "traded already")
    assert folder.ours("SELECT count(*) FROM journal") == [(journal,)]


def test_a_symbol_that_the_recorded_data_lacks_is_a_mistake(folder: Folder) -> None:
    (folder.path / "bars.csv").write_text(BARS)
    is_one_line(folder.run("--data", "bars.csv", "--symbols", "JD,GS"), 2, "GS")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BARS.encode(), "there are no bars of AAPL, but of JD (--symbols JD)"),
        (BARS.replace(",", ";").encode(), "bars.csv:1: separated by ';': commas are wanted"),
        (BARS.encode() + b"\xe9\n", f"bars.csv:{BARS.count(chr(10)) + 1}: not a text in UTF-8"),
    ],
    ids=["symbols", "semicolons", "latin"],
)
def test_data_that_cannot_be_traded_says_where_and_what_to_type(
    folder: Folder, data: bytes, words: str
) -> None:
    (folder.path / "bars.csv").write_bytes(data)
    is_one_line(folder.run("--data", "bars.csv"), 2, words)


def copied(folder: Folder, source: str, target: str) -> None:
    for ending in ("", "-wal", "-shm"):
        (folder.path / (target + ending)).unlink(missing_ok=True)
        if (folder.path / (source + ending)).exists():
            shutil.copy(folder.path / (source + ending), folder.path / (target + ending))


def test_a_database_of_another_account_is_refused(folder: Folder) -> None:
    for name, seed in (("one", "1"), ("two", "2")):
        assert folder.run("--database", f"{name}.db", "--seed", seed, "--symbols", "JD").code == 0
    copied(folder, "two.broker.db", "one.broker.db")
    before = (folder.path / "one.db").read_bytes()
    is_one_line(folder.run("--database", "one.db", "--symbols", "JD"), 3, "one.db", "account")
    assert (folder.path / "one.db").read_bytes() == before


def remove_ours(folder: Folder) -> None:
    for file in folder.path.glob("trading_data.db*"):
        file.unlink()


def spoil_ours(folder: Folder) -> None:
    (folder.path / "trading_data.db").write_bytes(b"not a database at all" * 500)


@pytest.mark.parametrize("damage", [remove_ours, spoil_ours])
def test_a_database_that_is_missing_or_is_none_is_refused(
    folder: Folder, damage: Callable[[Folder], None]
) -> None:
    assert folder.run("--symbols", "JD").code == 0
    damage(folder)
    is_one_line(folder.run("--symbols", "JD"), 3, "trading_data")


def test_a_second_program_on_the_same_database_is_refused_and_disturbs_nothing(
    folder: Folder,
) -> None:
    with folder.started("--speed", "4000") as running:
        running.wait_line(lambda line: line.startswith("self-test"))
        is_one_line(folder.run(), 3, "in use by process", str(running.process.pid))
        ended = running.end(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")
    assert folder.difference() == ""


def test_starting_anew_takes_no_database_away_from_a_program_that_runs(folder: Folder) -> None:
    with folder.started("--speed", "2000") as running:
        running.wait_line(lambda line: line.startswith("self-test"))
        is_one_line(folder.run("--fresh"), 3, "in use by process")
        ended = running.end(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")
    assert not (folder.path / "archive").exists()
