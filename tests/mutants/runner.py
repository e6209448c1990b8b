"""Plants each bug in a copy of the tree, runs the tests that must notice it, and demands a failed test.

A red test means something only if the same test is green without the bug: that is seen first, once for each choice of
tests.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import trio

from tests.mutants.copy_of_tree import EditDoesNotApply, Mutant, Tried
from tests.mutants.planted import DEEP, Catch, Layer, Planted

AT_ONCE = 2
PATIENCE_S = 300  # tests have ends of their own; this one is for what hangs before them
SAID_LINES = 15


class Work(NamedTuple):
    """Tests to run on a copy with these bugs in it; without any they must pass."""

    name: str
    layer: Layer
    tests: tuple[str, ...]
    planted: Planted | None = None
    says: str = ""


class Outcome(NamedTuple):
    """`trouble` is empty for a bug that was caught, and for tests that are green without one."""

    work: Work
    trouble: str
    seconds: float


def works(mutants: Sequence[Planted]) -> list[Work]:
    """First the tests without any bug, each choice of them once; then each bug with each of its layers."""
    catches = [catch for one in mutants for catch in one.catches]
    bare = [
        Work(f"without a bug: {what}", layer, tests) for layer, what, tests in _choices(catches)
    ]
    bugs = [
        Work(one.name, catch.layer, catch.tests, one, catch.says)
        for one in mutants
        for catch in one.catches
    ]
    return [
        *sorted(bare, key=lambda one: one.layer not in DEEP),
        *sorted(bugs, key=lambda one: one.layer not in DEEP),
    ]


def _choices(catches: Iterable[Catch]) -> Iterable[tuple[Layer, str, tuple[str, ...]]]:
    """Fast tests of one file are run together; of the deep ones each by itself, so that two can run at once."""
    together: dict[tuple[Layer, str], dict[str, None]] = {}
    for catch in catches:
        for test in catch.tests:
            what = test.rpartition("::")[2] if catch.layer in DEEP else test.partition("::")[0]
            together.setdefault((catch.layer, what), {})[test] = None
    for (layer, what), tests in together.items():
        yield layer, what, tuple(tests)


async def run(
    todo: Sequence[Work], tell: Callable[[Outcome], None], at_once: int = AT_ONCE
) -> list[Outcome]:
    """A few at once, in this order; `tell` hears of each as it ends."""
    outcomes: list[Outcome] = []
    send, receive = trio.open_memory_channel[Work](len(todo))
    for work in todo:
        send.send_nowait(work)
    send.close()

    async def work_off() -> None:
        async for work in receive:
            began_s = trio.current_time()
            trouble = await _trouble(work)
            outcomes.append(Outcome(work, trouble, trio.current_time() - began_s))
            tell(outcomes[-1])

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work_off)
    return outcomes


async def _trouble(work: Work) -> str:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        try:
            mutant = await trio.to_thread.run_sync(Mutant, Path(folder))
            for edit in work.planted.edits if work.planted else ():
                mutant.edit(edit)
        except EditDoesNotApply as wrong:
            return f"the edit does not apply: {wrong}"
        tried = await _tried(mutant, work.tests)
    if tried is None:
        return f"no end within {PATIENCE_S} s"
    said = "\n".join(tried.said.splitlines()[-SAID_LINES:])
    if work.planted is None:
        return "" if tried.is_green else f"not green without a bug:\n{said}"
    if tried.code == 0:
        return "SURVIVED: the tests that must notice it pass"
    if not tried.is_red:
        return f"proves nothing: no test failed, but something else did (exit {tried.code})\n{said}"
    if work.says not in tried.said:
        return f"a test failed, but without saying {work.says!r}\n{said}"
    return ""


async def _tried(mutant: Mutant, tests: Sequence[str]) -> Tried | None:
    with trio.move_on_after(PATIENCE_S):
        ended = await trio.run_process(
            mutant.command(*tests),
            cwd=mutant.root,
            env=mutant.folder.environment(),
            capture_stdout=True,
            stderr=-2,
            check=False,
        )
        return Tried(ended.returncode, ended.stdout.decode("utf-8", "replace"))
    return None
