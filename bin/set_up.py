"""Builds an environment from a lock file with hashes; run by bin/set-up with any Python from 3.11, no packages.

The environment is built aside and renamed, under a lock: nobody ever sees half of one, and a process that still
runs from the old one isn't left without its packages while the new one is downloaded.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {
    "run": ".venv",
    "develop": ".venv-develop",
    "schemathesis": ".venv-schemathesis",
}
STRAY = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
)


class SetUpError(Exception):
    """What is missing, in one line."""


def main(name: str) -> int:
    venv = ROOT / ENVIRONMENTS[name]
    lock = ROOT / "lock" / f"{name}.txt"
    try:
        # Never removed: a lock file that is removed and made anew guards nothing.
        with open(ROOT / f"{venv.name}.lock", "w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not is_current(
                venv, lock
            ):  # Another process may have made it while this one waited.
                make(venv, lock)
    except SetUpError as error:
        print(f"trade: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"trade: can't set up {venv}: {error.strerror}: {error.filename}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def is_current(venv: Path, lock: Path) -> bool:
    """The same question that bin/set-up asks: made from this lock file, by a Python that is still there."""
    try:
        made_by = (venv / "made-by").read_text().strip()
        made_from = (venv / "made-from").read_bytes()
        return made_from == lock.read_bytes() and os.path.samefile(venv / "bin" / "python", made_by)
    except OSError:
        return False


def make(venv: Path, lock: Path) -> None:
    if os.pathsep in str(ROOT):
        raise SetUpError(
            f"the folder {ROOT} has a '{os.pathsep}' in its name, which Python's path can't hold"
        )
    python = sys.version.split()[0]
    print(f"trade: setting up {venv.name} (Python {python}), once ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    aside, old = (venv.with_name(f"{venv.name}.{state}") for state in ("new", "old"))
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        install(aside, lock)
        relocate(aside, venv)
        (aside / "made-by").write_text(f"{os.path.realpath(sys.executable)}\n")
        shutil.copyfile(lock, aside / "made-from")
        if venv.exists():
            venv.rename(old)
        aside.rename(venv)
    finally:
        for leftover in (aside, old):
            shutil.rmtree(leftover, ignore_errors=True)
    print(f"trade: {venv.name} is ready after {time.monotonic() - began:.0f} s", file=sys.stderr)


def install(venv: Path, lock: Path) -> None:
    """With uv where it is present; with pip where uv is missing or can't reach its index (pip may have another)."""
    hashed = ["--require-hashes", "--no-deps", "--requirement", str(lock)]
    if uv := shutil.which("uv"):
        base = ["--no-project", "--prompt", "trader", "--python", sys.executable]
        into = ["--compile-bytecode", "--python", str(venv)]
        made = run(uv, "-q", "venv", *base, str(venv))
        if made and run(uv, "-q", "pip", "install", *into, *hashed):
            return
        shutil.rmtree(venv, ignore_errors=True)
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        remedy = "install it (Debian, Ubuntu: apt install python3-venv) or uv"
        raise SetUpError(f"this Python has no venv: {remedy}")
    if not run(sys.executable, "-I", "-m", "venv", "--prompt", "trader", str(venv), show=True):
        raise SetUpError("this Python can't make environments: see the lines above")
    quiet = ["-q", "--disable-pip-version-check", "--no-input"]
    if not run(str(venv / "bin" / "python"), "-m", "pip", *quiet, "install", *hashed, show=True):
        raise SetUpError(f"can't install what {lock.name} lists: see the lines above")


def run(*command: str, show: bool = False) -> bool:
    """Whether a command succeeded. Variables of other environments would lead it astray."""
    environment = {key: value for key, value in os.environ.items() if key not in STRAY}
    errors = None if show else subprocess.DEVNULL
    none = subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=none, stdout=sys.stderr, stderr=errors
    )
    return done.returncode == 0


def relocate(aside: Path, venv: Path) -> None:
    """Scripts and `activate` hold the path they were made under: give them the one they will live under."""
    for file in (aside / "bin").iterdir():
        if file.is_file() and not file.is_symlink():
            data = file.read_bytes()
            if (was := os.fsencode(aside)) in data and b"\0" not in data:
                file.write_bytes(data.replace(was, os.fsencode(venv)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
