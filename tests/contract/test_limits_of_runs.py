"""Limits from the door to the log: whose they are, a change between runs, what is left, a canary's promotion."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.program import Folder
from trader.cli.new_config import TEMPLATE

OWNED = TEMPLATE.replace('owner = ""', 'owner = "ada"').replace('reason = ""', 'reason = "so"')


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def configured(folder: Folder, text: str) -> None:
    (folder.path / "trader.toml").write_text(text)


def typed(folder: Folder, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        folder.command(*words),
        cwd=folder.path,
        env=folder.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


# A working copy has no commit that its sources are of, and a live start asks for one.
LIVE = ("run", "--broker", "alpaca-live", "--live", "--bypass", "commit", "--reason", "a test")
ACCOUNT = ('account = ""', 'account = "123"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            TEMPLATE,
            "live needs an owner and a reason for each limit; missing for: order_notional_max,",
        ),
        (OWNED.replace('owner = "ada"', 'owner = ""'), "missing for: order_notional_max,"),
        (
            OWNED.replace('reason = "so"', 'reason = ""'),
            "adds_max, stop_required, canary.order_notional_max, canary.position_notional_max,",
        ),
        (OWNED.partition("[limits.canary]")[0], "missing: canary.order_notional_max,"),
        (
            OWNED.replace("entries_notional_per_day_max = 100_000", ""),
            "missing: entries_notional_per_day_max\n",
        ),
    ],
)
def test_real_money_wants_every_limit_its_owner_and_its_reason(
    folder: Folder, text: str, says: str
) -> None:
    configured(folder, text.replace(*ACCOUNT))
    ended = typed(folder, *LIVE)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "trader.toml" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_with_all_of_them_it_goes_on_to_the_keys(folder: Folder) -> None:
    configured(folder, OWNED.replace(*ACCOUNT))
    ended = typed(folder, *LIVE)
    assert ended.returncode == 2
    assert "APCA_API_KEY_ID" in ended.stderr


def test_a_limit_that_is_changed_between_runs_is_in_journal_log_and_status(folder: Folder) -> None:
    configured(folder, OWNED)
    assert folder.run("--symbols", "JD", "--scenario", "none").code == 0
    assert not [line for line in folder.log() if line["event"] == "limit_changed"]
    configured(folder, OWNED.replace("order_notional_max = 5_000", "order_notional_max = 4_000"))
    assert folder.run("--symbols", "JD", "--scenario", "none").code == 0
    [line] = [line for line in folder.log() if line["event"] == "limit_changed"]
    assert line["message"] == "limit order_notional_max changed from 5000 to 4000 by ada: so"
    assert line["level"] == "warning"
    assert folder.ours("SELECT message FROM notice_rows WHERE kind = 'limit_changed'") == [
        ("order_notional_max: 5000, now 4000",)
    ]
    told = json.loads(typed(folder, "status", "--json").stdout)["limits"]
    by_name = {one["limit"]: one for one in told}
    assert by_name["order_notional_max"]["max"] == "4000"
    assert by_name["order_notional_max"]["owner"] == "ada"
    assert by_name["entries_per_minute_max"]["left"] == "10"
    entries = len(folder.ours("SELECT 1 FROM orders WHERE purpose = 'enter' AND epoch = 2"))
    assert by_name["entries_per_symbol_per_day_max"]["used"] == str(entries)
    assert "entries_per_minute_max 10 of 10 left" in typed(folder, "status").stdout


def test_a_new_strategy_trades_small_until_somebody_promotes_it(folder: Folder) -> None:
    small = OWNED.partition("[limits.canary]")
    canary = (
        "\norder_notional_max = 1_000\nposition_notional_max = 1_000\nentries_per_day_max = 5\n\n"
    )
    configured(folder, small[0] + small[1] + canary + "[fees]" + small[2].partition("[fees]")[2])
    day = ("--symbols", "JD,T", "--scenario", "none")
    assert folder.run(*day).code == 0
    denied = "SELECT DISTINCT reason FROM decisions WHERE outcome = 'denied'"
    assert folder.ours(denied) == [("canary",)]
    assert folder.ours("SELECT count(*) FROM orders") == [(0,)]
    status = typed(folder, "status").stdout
    assert "sma-crossover is a canary: canary.order_notional_max 1,000" in status

    nobody = typed(folder, "promote", "momentum", "--reason", "it is good")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (3, 1)
    assert "no such strategy: momentum; there are: sma-crossover" in nobody.stderr
    assert typed(folder, "promote", "sma-crossover", "--reason", " ").returncode == 2
    assert typed(folder, "promote", "sma-crossover", "--reason", "two good weeks").returncode == 0
    again = typed(folder, "promote", "sma-crossover", "--reason", "two good weeks")
    assert (again.returncode, again.stdout.count("\n")) == (0, 1)
    assert "promoted already" in again.stdout

    assert folder.run(*day).code == 0
    assert folder.ours("SELECT count(*) > 0 FROM orders") == [(1,)]
    [line] = [line for line in folder.log() if line["event"] == "promoted"]
    assert str(line["message"]).endswith(": two good weeks")
    assert "canary" not in typed(folder, "status").stdout
