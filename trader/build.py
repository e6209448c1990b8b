"""Which code this is: a hash over the sources that were compiled, the interpreter and the lock file; and git's word."""

import functools
import hashlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trader import __version__, sources

ROOT = Path(__file__).resolve().parents[1]
LOCK = "lock/run.txt"
GIT_TIMEOUT = 5  # seconds


class Build(Struct, frozen=True, kw_only=True):
    """The identity of the running code."""

    version: str
    identity: str  # SHA-256, hexadecimal
    python: str
    lock: str  # SHA-256 of the lock file; empty where there is none
    commit: str | None = None  # None: not a git work tree, or no git
    modified: bool | None = None  # sources or lock differ from the commit; None: unknown

    @property
    def short(self) -> str:
        return self.identity[:7]

    def line(self) -> str:
        """As a person reads it at every start."""
        return f"trader {self.version} build {self.short}"


def running_build() -> Build:
    """The identity of this process; asks git, so not for the hot path."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", "trader", "lock") if commit else None
    known = running_sources()
    return Build(
        version=__version__,
        identity=code_identity(known),
        python=platform.python_version(),
        lock=known.get(LOCK, ""),
        commit=commit,
        modified=None if changes is None else bool(changes),
    )


def code_identity(known: Mapping[str, str]) -> str:
    """A hash over the name and hash of each source, the lock file among them, and the interpreter's version."""
    whole = hashlib.sha256()
    for name, digest in sorted(known.items()):
        whole.update(f"{name} {digest}\n".encode())
    whole.update(f"{platform.python_implementation()} {platform.python_version()}\n".encode())
    return whole.hexdigest()


@functools.cache
def running_sources() -> Mapping[str, str]:
    """The sources of this process by name, as of the first call: one process, one identity."""
    return sources_of(ROOT, sources.compiled)


def sources_of(root: Path, compiled: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of every source of ours, by its path within `root`, and of the lock file.

    A module that was loaded counts with the bytes that were compiled, whatever its file says by now; one that was not
    loaded yet with those of its file. Modules from elsewhere (a user's strategy) have their whole path for a name.
    """
    files = [*(root / "trader").rglob("*.py"), root / LOCK]
    known = {name_of(path, root): digest_of(path) for path in files if path.is_file()}
    known.update((name_of(Path(path), root), digest) for path, digest in compiled.items())
    return known


def name_of(path: Path, root: Path = ROOT) -> str:
    """A source's name: short where it is ours, whole where it is not."""
    path = path.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes; raises OSError."""
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
