"""The command line as the shell sees it: what it prints, with which code it ends, and what it imports."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from trader import __version__
from trader.__main__ import main
from trader.cli import trade
from trader.cli.new_config import TEMPLATE
from trader.config import ConfigError
from trader.exits import Exit, Fenced, JournalBroken, Mistake, StartRefused

ROOT = Path(__file__).parents[2]


def shell(
    *arguments: str, cwd: Path, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, *python, "-m", "trader", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_version_names_the_build(tmp_path: Path) -> None:
    ended = shell("version", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"trader {__version__} build ")
    assert list(tmp_path.iterdir()) == []


def test_version_answers_in_json(tmp_path: Path) -> None:
    answer = json.loads(shell("version", "--json", cwd=tmp_path).stdout)
    assert answer["version"] == __version__
    assert len(answer["identity"]) == 64


def test_help_imports_click_and_none_of_the_other_packages(tmp_path: Path) -> None:
    packages = "trio trio_websocket httpx2 starlette hypercorn sqlite_utils sqlite3 msgspec rich immutables"
    program = (
        "import sys; from trader.__main__ import main; code = main(['--help']);"
        f"print(sorted(set({packages.split()}) & set(sys.modules)), code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    answer = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[] 0"
    assert "version" in answer.stdout


def test_help_lists_exactly_the_verbs_that_can_be_run() -> None:
    context = click.Context(trade)
    for verb in trade.list_commands(context):
        command = trade.get_command(context, verb)
        assert command is not None
        assert command.name == verb
    assert trade.get_command(context, "options") is None
    assert trade.get_command(context, "__init__") is None


def test_every_verb_takes_the_common_options() -> None:
    context = click.Context(trade)
    # The simulated broker, scenarios, worlds and backtests have books of their own, and neither ours nor our log; nor
    # has what asks a broker about itself or for bars of the past, or looks at another program's books.
    for verb in set(trade.list_commands(context)) - {
        "audit",
        "backtest",
        "broker",
        "conformance",
        "download",
        "lookahead",
        "repair",
        "scenario",
        "simulate",
        "sweep",
    }:
        command = trade.get_command(context, verb)
        assert command is not None
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        for part in parts:
            options = {option for parameter in part.params for option in parameter.opts}
            assert options >= {"--database", "--log", "--config", "--json"}, verb


PERSON_MISTAKES = {
    "an unknown verb": (["nonsense"], "No such command 'nonsense'"),
    "an unknown option": (["version", "--bogus"], "No such option '--bogus'"),
    "an option without its value": (["version", "--log"], "requires an argument"),
    "a missing folder": (["version", "--database", "none/x.db"], "there is no such folder"),
    "a folder": (["version", "--database", "."], "not a plain file"),
    "a device": (["version", "--database", "/dev/full"], "not a plain file"),
    "a memory database": (["version", "--database", ":memory:"], "not a plain path"),
    "a database address": (["version", "--database", "file:x?mode=memory"], "not a plain path"),
    "an unexpanded home": (["version", "--database", "~/x.db"], "not a plain path"),
    "an empty name": (["version", "--database", ""], "not a file name"),
    "a newline in a name": (
        ["version", "--log", "a\nDUPLICATE BUY BLOCKED: JD"],
        "not a file name",
    ),
    "one file for two things": (["version", "--database", "x", "--log", "x"], "the same file"),
}


PERSON_MISTAKES |= {
    "an option of a verb without its value": (
        ["run", "--param"],
        "'--param' requires an argument. (see: trade run --help)",
    ),
    "a choice that is missing": (
        ["journal", "export"],
        "Choose from: jsonl, csv, beancount (see: trade journal export --help)",
    ),
    "an empty token": (["broker", "--admin-token", ""], "--admin-token: not a token"),
}


def test_lines_are_not_appended_to_a_database(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "w.db"
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 100)
    for verb, option in (("account", "--log"), ("broker", "--journal")):
        assert main([verb, option, str(path)]) == Exit.MISTAKE
        line = f"trade: {option} {path}: is a database (give a new name)\n"
        assert capsys.readouterr().err == line


@pytest.mark.parametrize("case", PERSON_MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = PERSON_MISTAKES[case]
    assert main(arguments) == Exit.MISTAKE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_a_trace_replaces_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "trading_data.db"
    path.write_text("the books")
    assert main(["simulate", "--seed", "1", "--hours", "0.01", "--trace", str(path)]) == (
        Exit.MISTAKE
    )
    err = capsys.readouterr().err
    assert err == f"trade: --trace {path}: is there already (give a new name)\n"
    assert path.read_text() == "the books"


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_database_is_neither_a_pipe_nor_a_link(
    kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/etc/passwd")
    assert main(["version", "--database", str(path)]) == Exit.MISTAKE
    assert str(path) in capsys.readouterr().err


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == Exit.MISTAKE
    assert "version" in capsys.readouterr().err


@pytest.mark.parametrize("optimize", ["-O", "-OO"])
def test_a_python_that_strips_asserts_is_refused(optimize: str, tmp_path: Path) -> None:
    ended = shell("version", cwd=tmp_path, python=(optimize,))
    assert ended.returncode == Exit.MISTAKE
    assert ended.stderr.count("\n") == 1
    assert "without -O" in ended.stderr


def raising(error: BaseException) -> Callable[[], None]:
    def verb() -> None:
        raise error

    return verb


def end(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a verb that raises."""
    command = click.Command("broken", callback=raising(error))
    monkeypatch.setattr(trade, "get_command", lambda context, name: command)
    return main(["broken"])


ENDINGS = [
    (Mistake("a"), 2),
    (ConfigError("a"), 2),
    (StartRefused("a"), 3),
    (Fenced("a"), 5),
    (KeyboardInterrupt(), 130),
    (SystemExit(4), 4),
    (SystemExit(), 0),
    (RuntimeError("a"), 70),
    (AssertionError("a"), 70),
    (OSError(28, "No space left on device"), 70),
    (ExceptionGroup("nursery", [JournalBroken("a"), Mistake("b")]), 70),
    (ExceptionGroup("nursery", [ExceptionGroup("nursery", [StartRefused("a")])]), 3),
    (BaseExceptionGroup("nursery", [KeyboardInterrupt(), Mistake("a")]), 2),
    (BaseExceptionGroup("nursery", [KeyboardInterrupt(), RuntimeError("a")]), 70),
    (ExceptionGroup("nursery", [Mistake("a"), Fenced("a"), StartRefused("a")]), 5),
]


@pytest.mark.parametrize(("error", "code"), ENDINGS, ids=repr)
def test_an_exception_ends_with_its_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end(error, monkeypatch) == code
    is_bug = code == Exit.BUG and "JournalBroken" not in repr(error)
    assert ("Traceback" in capsys.readouterr().err) == is_bug


def test_a_message_can_not_forge_a_line_or_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "a\r\nDUPLICATE BUY BLOCKED: JD\u2028\x1b[2J\0\u202e"
    assert end(StartRefused(evil), monkeypatch) == 3
    line = capsys.readouterr().err
    assert line == "trade: a\\r\\nDUPLICATE BUY BLOCKED: JD\\u2028\\x1b[2J\\x00\\u202e\n"


def test_a_reader_that_goes_away_is_no_bug(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "trader", "version"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=write, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (Exit.PIPE_CLOSED, b"")


@pytest.mark.parametrize(
    ("verb", "redirected"),
    [
        ("version >/dev/full", "standard output: No space left on device (make room for it)"),
        ("broker --list-terms >/dev/full", "standard output: No space left on device"),
        ("version >&-", "stdout: is closed (>/dev/null drops what is written)"),
        ("explain \udcff", "\\udcff: not text in UTF-8"),
    ],
)
def test_what_cannot_be_written_or_read_is_one_line(
    tmp_path: Path, verb: str, redirected: str
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["/bin/sh", "-c", f"{sys.executable} -m trader {verb}"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    [line] = ended.stderr.decode().splitlines()
    assert line.startswith(f"trade: {redirected}")
    assert ended.returncode == (Exit.REFUSED if "full" in verb else Exit.MISTAKE)


def test_new_config_writes_the_template_once(tmp_path: Path) -> None:
    first = shell("new-config", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    written = tmp_path / "trader.toml"
    assert written.read_text() == TEMPLATE
    written.write_text("mine")
    second = shell("new-config", cwd=tmp_path)
    assert second.returncode == Exit.MISTAKE
    assert "is there already" in second.stderr
    assert written.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [written]


def test_new_config_writes_where_it_is_told(tmp_path: Path) -> None:
    answer = shell("new-config", "--config", "other.toml", "--json", cwd=tmp_path)
    assert json.loads(answer.stdout) == {"written": str(tmp_path / "other.toml")}
    assert (tmp_path / "other.toml").read_text() == TEMPLATE


def test_a_run_loads_nothing_that_only_a_backtest_needs() -> None:
    asked = (
        "import sys, trader.cli.run; print(sorted({'numpy', 'pandas', 'plotly'} & {*sys.modules}))"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", asked],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "[]\n"
