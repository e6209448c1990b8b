"""Which code this is: one hash over all our sources, the interpreter and the lock file; and what git says of it."""

import hashlib
import platform
import subprocess
from pathlib import Path

from msgspec import Struct

from trader import __version__

ROOT = Path(__file__).resolve().parents[1]
GIT_TIMEOUT = 5  # seconds


class Build(Struct, frozen=True, kw_only=True):
    """The identity of the running code."""

    version: str
    identity: str  # SHA-256, hexadecimal
    python: str
    commit: str | None = None  # None: not a git work tree, or no git
    modified: bool | None = None  # sources or lock differ from the commit; None: unknown

    @property
    def short(self) -> str:
        return self.identity[:7]

    def line(self) -> str:
        """As a person reads it at every start."""
        return f"trader {self.version} build {self.short}"


def running_build() -> Build:
    """The identity of the files as they are now; asks git, so not for the hot path."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", "trader", "lock") if commit else None
    return Build(
        version=__version__,
        identity=code_identity(),
        python=platform.python_version(),
        commit=commit,
        modified=None if changes is None else bool(changes),
    )


def code_identity(root: Path = ROOT) -> str:
    """A hash over (name, hash of the bytes) of each module, the interpreter's version, and the lock's hash."""
    whole = hashlib.sha256()
    for source in sorted((root / "trader").rglob("*.py")):
        name = source.relative_to(root).as_posix()
        whole.update(f"{name} {_file_hash(source)}\n".encode())
    lock = root / "lock" / "run.txt"
    whole.update(f"lock {_file_hash(lock) if lock.exists() else 'none'}\n".encode())
    whole.update(f"{platform.python_implementation()} {platform.python_version()}\n".encode())
    return whole.hexdigest()


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*arguments: str) -> str | None:
    """The answer of git about our own tree; None where there is no git, no repository, or no answer in time."""
    if not (ROOT / ".git").exists():
        return None  # A repository further up isn't about us.
    try:
        answer = subprocess.run(
            ["git", "-C", str(ROOT), "--no-optional-locks", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
