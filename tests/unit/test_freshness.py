"""Stale code is found by content, is told when it changes, and is not forgiven to a module that came late."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.plays import some_order
from trader.build import sources_of
from trader.freshness import CHECK_PAUSE_S, Freshness, entry_check, stale_words, watch
from trader.messages import Gate, GateReport
from trader.model import Purpose


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "trader").mkdir()
    (tmp_path / "lock").mkdir()
    (tmp_path / "trader" / "risk.py").write_text("x = 1\n")
    (tmp_path / "trader" / "late.py").write_text("y = 1\n")
    (tmp_path / "lock" / "run.txt").write_text("z==1\n")
    return tmp_path


def fresh(tree: Path, compiled: Mapping[str, str] | None = None) -> Freshness:
    return Freshness(sources_of(tree, {}), compiled or {}, tree)


def test_nothing_differs_at_first(tree: Path) -> None:
    assert fresh(tree).check() == []


def test_an_edit_of_the_same_size_and_time_is_found(tree: Path) -> None:
    freshness = fresh(tree)
    path = tree / "trader" / "risk.py"
    before = path.stat()
    path.write_text("x = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert freshness.check() == ["trader/risk.py"]


def test_a_file_that_is_gone_and_a_changed_lock_are_found(tree: Path) -> None:
    freshness = fresh(tree)
    (tree / "trader" / "risk.py").unlink()
    (tree / "lock" / "run.txt").write_text("z==2\n")
    assert freshness.check() == ["lock/run.txt", "trader/risk.py"]


def test_a_new_file_is_not_running_code(tree: Path) -> None:
    freshness = fresh(tree)
    (tree / "trader" / "new.py").write_text("")
    assert freshness.check() == []


def test_a_module_compiled_from_an_edited_file_stays_stale_when_the_file_is_put_back(
    tree: Path,
) -> None:
    compiled: dict[str, str] = {}
    freshness = Freshness(sources_of(tree, {}), compiled, tree)
    compiled[str(tree / "trader" / "late.py")] = "of another text"
    assert freshness.check() == ["trader/late.py"]


def test_a_glance_sees_an_edit_that_hides_its_size_and_time(tree: Path) -> None:
    freshness = fresh(tree)
    assert freshness.glance() == []
    path = tree / "trader" / "risk.py"
    before = path.stat()
    while (
        path.stat().st_ctime_ns == before.st_ctime_ns
    ):  # the system's clock of files goes in ticks
        path.write_text("x = 2\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert freshness.glance() == ["trader/risk.py"]
    path.write_text("x = 1\n")
    assert freshness.glance() == []


def test_a_glance_sees_what_is_gone_and_what_was_loaded_late(tree: Path) -> None:
    compiled: dict[str, str] = {}
    freshness = Freshness(sources_of(tree, {}), compiled, tree)
    assert freshness.glance() == []
    (tree / "lock" / "run.txt").unlink()
    assert freshness.glance() == ["lock/run.txt"]
    compiled[str(tree / "trader" / "late.py")] = "of another text"
    assert freshness.glance() == ["lock/run.txt", "trader/late.py"]


def test_stale_code_holds_back_entries_and_lets_exits_go(tree: Path) -> None:
    freshness = fresh(tree)
    entry, leave = some_order(), some_order(purpose=Purpose.EXIT)
    assert (entry_check(freshness, entry), entry_check(freshness, leave)) == ("", "")
    (tree / "trader" / "risk.py").unlink()
    assert entry_check(freshness, entry) == "trader/risk.py differs from the running code"
    assert entry_check(freshness, leave) == ""


async def test_the_watch_tells_only_what_changes(
    tree: Path, autojump_clock: trio.testing.MockClock
) -> None:
    heard: list[GateReport] = []
    beats, beaten = trio.open_memory_channel[None](math.inf)

    async def hear(report: GateReport) -> None:
        heard.append(report)

    async def looks() -> list[bool]:
        """What was told once a look began and ended: files are read in a thread, of which no clock knows."""
        await beaten.receive()
        await beaten.receive()
        return [report.is_open for report in heard]

    path = tree / "trader" / "risk.py"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, fresh(tree), hear, lambda: beats.send_nowait(None))
        assert await looks() == []
        path.write_text("x = 2\n")
        assert await looks() == [False]
        assert heard[0].gate is Gate.FRESH_CODE
        assert heard[0].reason == "trader/risk.py differs from the running code"
        await looks()
        path.write_text("x = 1\n")
        assert await looks() == [False, True]
        nursery.cancel_scope.cancel()


def test_many_stale_files_are_a_few_names_and_a_number() -> None:
    assert stale_words(["a", "b", "c", "d", "e"]) == (
        "a, b, c and 2 more differ from the running code"
    )


def test_it_is_looked_at_often_enough_to_close_entries_within_five_seconds() -> None:
    assert CHECK_PAUSE_S <= 2
