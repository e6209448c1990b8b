"""A copy of the program in a folder of its own, with the environment of these tests: for tests that edit sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def planted(folder: Path) -> Path:
    """Our launcher, sources and lock files, and an environment that the launcher takes for made."""
    root = folder / "repository"
    for name in ("trader", "bin", "lock"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    venv = root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copyfile(Path(sys.prefix) / "pyvenv.cfg", venv / "pyvenv.cfg")
    (venv / "made-by").write_text(f"{os.path.realpath(sys.executable)}\n")
    shutil.copyfile(root / "lock" / "run.txt", venv / "made-from")
    return root


def environment() -> dict[str, str]:
    """As a person has it: byte-code is written and believed."""
    stray = {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in stray}


def trade(root: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`bin/trade` of that copy, to its end."""
    return subprocess.run(
        [str(root / "bin" / "trade"), *arguments],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def edit_unseen(path: Path, old: str, new: str) -> None:
    """Another text of the same size, and the times of before: a look at the file's status shows nothing."""
    before = path.stat()
    text = path.read_text()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
