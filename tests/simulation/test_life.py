"""A simulated process at its ports."""

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trader.config import Config
from trader.credentials import Credentials
from trader.simulation.disk import Disk
from trader.simulation.life import Process


def process(disk: Disk) -> Process:
    return Process(
        1,
        disk=disk,
        config=Config(),
        credentials=Credentials("key", "secret"),
        workers=[],
        commit_s=(0.0, 0.0),
        random=Random(1),
        clock_ahead_ns=0,
        opened=lambda process, books: None,
        watch=lambda process, batch: None,
        note=lambda text: None,
    )


async def test_who_was_stopped_twice_is_woken_by_one_signal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A machine that sleeps, and a take-over meanwhile: a world without end was the consequence."""
    one = process(Disk(tmp_path, Random(1)))
    one.stop()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.pass_through, "hears")
        await wait_all_tasks_blocked()
        one.stop()
        one.wake()
        with trio.fail_after(1.0):
            await one.pass_through("hears")
        nursery.cancel_scope.deadline = trio.current_time() + 1.0
    assert not nursery.cancel_scope.cancelled_caught


def test_who_dies_after_its_place_was_taken_takes_no_disk_along(tmp_path: Path) -> None:
    """Two lives on one disk: else the newer one wrote on to files that no later start would find."""
    disk = Disk(tmp_path, Random(1))
    folder, disk.held_by = disk.folder, 2
    process(disk).die()
    assert disk.folder == folder
    disk.held_by = 1
    process(disk).die()
    assert disk.folder != folder
