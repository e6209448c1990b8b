"""Why a journal can't be opened or believed: each names the file, what is wrong, and what a person can do."""

from pathlib import Path

from trader.exits import Fenced, JournalBroken, StartRefused

MENDS = "keep the file as it is; bin/trade rebuild NEW.db, or restore a backup"


class JournalUnusable(StartRefused):
    """The file can't serve as this program's journal; nothing was changed in it."""

    def __init__(self, path: Path, what: str, remedy: str) -> None:
        super().__init__(what, where=str(path), remedy=remedy)


class JournalHeld(StartRefused):
    """Another process writes this journal; pid and since as that process wrote them down, 0 and '' if it did not."""

    def __init__(self, path: Path, pid: int, since: str) -> None:
        holder = f"process {pid}, since {since}" if pid else "another process"
        super().__init__(
            f"in use by {holder}",
            where=str(path),
            remedy="stop it first, or give another --database; one that hangs: run --take-over",
        )
        self.pid = pid
        self.since = since


class JournalDamaged(StartRefused):
    """The journal is not what was written: a broken chain, a gap, an entry that nobody can read. Never repaired."""

    def __init__(self, what: str, row: int, where: str = "") -> None:
        super().__init__(
            f"{what}, at journal row {row}",
            where=where,
            remedy=MENDS,
        )
        self.row = row


class JournalFenced(Fenced, JournalBroken):
    """A newer life has begun on this journal: this one may write nothing more."""
