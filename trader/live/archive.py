"""Starting anew: the files of a simulated account move to archive/<time>/; nothing is deleted."""

from pathlib import Path

from trader.calendar import iso
from trader.exits import StartRefused

LEFTOVERS = ("", "-wal", "-shm", "-journal")


def broker_books(database: Path) -> Path:
    """Where the embedded broker keeps its own books: beside ours, under our stem."""
    return database.with_name(f"{database.stem}.broker.db")


def archive(database: Path, log: Path, at_ns: int) -> Path | None:
    """Move both databases and the log aside; the folder they went to, None where there was nothing to move."""
    moving = [
        file.with_name(file.name + ending)
        for file in (database, broker_books(database), log)
        for ending in LEFTOVERS
        if file.with_name(file.name + ending).exists()
    ]
    if not moving:
        return None
    folder = archive_folder(database, at_ns)
    try:
        folder.mkdir(parents=True, exist_ok=False)
        for file in moving:
            file.rename(folder / file.name)
    except OSError as error:
        raise StartRefused(f"can't archive: {error.strerror}", where=str(folder)) from None
    return folder


def archive_folder(database: Path, at_ns: int) -> Path:
    """Where what stands aside goes, by when it went."""
    return database.parent / "archive" / iso(at_ns).replace(":", "").replace("-", "")
