"""What has happened to others, done to this program: each scenario as a person runs it, and what it says of itself."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.program import PATIENCE_S, Ended, Folder
from trader.scenarios import SCENARIOS

FAST = {
    "s03-restart-in-doubt",
    "s06-fills-in-any-order",
    "s08-no-id-and-odd-words",
    "s25-tampered-books",
    "s27-stop-holds-the-shares",
    "s28-no-second-post",
}
CONCERNED = {f"S{number:02}" for number in range(1, 29)}


def scenario(folder: Folder, *arguments: str) -> Ended:
    ended = subprocess.run(
        folder.command("scenario", *arguments),
        cwd=folder.path,
        env=folder.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one.name, marks=[] if one.name in FAST else pytest.mark.slow)
        for one in SCENARIOS
    ],
)
def test_a_scenario_passes_and_leaves_nothing_behind(folder: Folder, name: str) -> None:
    ended = scenario(folder, "run", name)
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert ended.out.startswith(f"== {name}\n")
    assert "\npassed   in " in ended.out
    assert list(folder.path.iterdir()) == []


def test_every_incident_that_concerns_us_has_its_scenario() -> None:
    assert {one.number for one in SCENARIOS} == CONCERNED
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)
    for one in SCENARIOS:
        assert one.name.startswith(one.number.lower() + "-")
        assert one.story
        assert one.expectation


def test_the_list_says_what_is_done_and_what_must_come_out(folder: Folder) -> None:
    ended = scenario(folder, "list")
    assert ended.code == 0
    for one in SCENARIOS:
        assert f"{one.name}\n    {one.story}\n    -> {one.expectation}\n" in ended.out
    listed = json.loads(scenario(folder, "list", "--json").out)
    assert [one["name"] for one in listed] == [one.name for one in SCENARIOS]


def test_json_has_the_account_and_the_judgement(folder: Folder) -> None:
    ended = scenario(folder, "run", "s28-no-second-post", "--json")
    [one] = json.loads(ended.out)
    assert (one["number"], one["passed"], one["violations"]) == ("S28", True, [])
    assert any("FILLED" in line for line in one["said"])


@pytest.mark.parametrize("arguments", [(), ("no-such",), ("s01-eight-tasks", "--all")])
def test_what_can_not_be_played_is_a_mistake_in_one_line(
    folder: Folder, arguments: tuple[str, ...]
) -> None:
    ended = scenario(folder, "run", *arguments)
    assert ended.code == 2
    assert ended.err.startswith("trade: ")
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_a_watched_play_is_the_same_play_on_the_persons_own_account(folder: Folder) -> None:
    ended = folder.run("--scenario", "s03-restart-in-doubt")
    assert (ended.code, ended.err) == (0, "")
    assert "life 2 of 2: started again" in ended.out
    assert folder.ours("SELECT epoch, exit_code FROM lives") == [(1, None), (2, 0)]
    bought = folder.theirs("SELECT symbol, count(*) FROM orders GROUP BY symbol ORDER BY symbol")
    assert bought == [("JD", 1), ("T", 1)]
    assert len(folder.posts()) == len(set(folder.posts())) == 2
    assert folder.difference() == ""


def test_a_play_with_processes_of_its_own_is_not_for_a_persons_account(folder: Folder) -> None:
    ended = folder.run("--scenario", "s13-stale-code")
    assert ended.code == 2
    assert "bin/trade scenario run s13-stale-code" in ended.err
    assert list(folder.path.iterdir()) == []
