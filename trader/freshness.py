"""Is the running code the code on disk? Looked at every two seconds by content, and before each entry leaves.

Times and sizes can lie. Only the time that the system itself keeps of an inode's last change can't be set back: files
for which it is what it was have the content that was seen last, and before an entry that look is enough.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import trio

from trader.build import ROOT, digest_of, name_of
from trader.messages import Gate, GateReport
from trader.model import ENTRY_PURPOSES, Order

CHECK_PAUSE_S = 2.0  # machine time
NAMES_TOLD_MAX = 3


# Of a file: device, inode, and when its content or anything else of it was changed.
Touched = tuple[int, int, int]


class Freshness:
    """`known` are the hashes of what this life's identity was made from, by the names of trader.build.

    `compiled` is the loader's own record, which grows: a module that is loaded only later, after an edit, is not of
    this identity, and stays so when the file is put back.
    """

    def __init__(
        self, known: Mapping[str, str], compiled: Mapping[str, str], root: Path = ROOT
    ) -> None:
        self._known = known
        self._compiled = compiled
        self._root = root
        self._last: tuple[list[Touched | None], list[str]] = ([], [])

    def glance(self) -> list[str]:
        """What check() would say; where nobody has touched a file since, what it said last."""
        touched, stale = self._last
        return stale if touched and touched == self._touched() else self.check()

    def check(self) -> list[str]:
        """The names of sources that differ from the running code, or are gone. Reads every one of them."""
        touched = self._touched()  # before: who writes while we read is seen by the next glance
        loaded = {
            name_of(Path(path), self._root): digest for path, digest in self._compiled.items()
        }
        stale = {name for name, digest in loaded.items() if self._known.get(name) != digest}
        stale.update(name for name, digest in self._known.items() if self._on_disk(name) != digest)
        self._last = (touched, sorted(stale))
        return sorted(stale)

    def _touched(self) -> list[Touched | None]:
        paths = [*(str(self._root / name) for name in self._known), *self._compiled]
        return [_touched(path) for path in paths]

    def _on_disk(self, name: str) -> str:
        try:
            return digest_of(self._root / name)
        except OSError:
            return ""


def _touched(path: str) -> Touched | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_ctime_ns)


def entry_check(freshness: Freshness, order: Order) -> str:
    """Why an entry must not leave: its code is not what is on disk any more; exits and the rest go on."""
    stale = freshness.glance() if order.purpose in ENTRY_PURPOSES else []
    return stale_words(stale) if stale else ""


async def watch(
    freshness: Freshness,
    hear: Callable[[GateReport], Awaitable[None]],
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Look for ever, and tell when the answer changes: entries close while the code is stale."""
    told: list[str] = []
    while True:
        stale = await trio.to_thread.run_sync(freshness.check)
        if stale != told:
            told = stale
            await hear(
                GateReport(gate=Gate.FRESH_CODE, is_open=not stale, reason=stale_words(stale))
            )
        beat()
        await trio.sleep(CHECK_PAUSE_S)


def stale_words(stale: list[str]) -> str:
    """Which files, in words; a few by name."""
    if not stale:
        return "the files are those of the running code again"
    names = ", ".join(stale[:NAMES_TOLD_MAX])
    more = f" and {len(stale) - NAMES_TOLD_MAX} more" if len(stale) > NAMES_TOLD_MAX else ""
    return f"{names}{more} {'differs' if len(stale) == 1 else 'differ'} from the running code"
