"""Alpaca's official clients, unmodified, each in an environment of its own, and the broker of this machine for them."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".venv-oracles"
ALPACA_PY = "alpaca-py==0.44.0"
ALPACA_JS = ROOT / "tests" / "alpaca_js"  # with its own lock file
NODE_MIN = 20
CLIENT_S = 120  # a client that takes longer hangs


@contextmanager
def standing_broker(*options: str) -> Iterator[list[str]]:
    """`trade broker` in a process of its own: its address, key and secret."""
    command = [sys.executable, "-P", "-m", "trader", "broker", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as broker:
        try:
            assert broker.stdout is not None
            yield [broker.stdout.readline().split()[1] for _ in range(3)]
        finally:
            broker.kill()


def printed_by(python: Path, program: str, *arguments: str) -> str:
    """What a program of the client's Python prints; it must end well."""
    ended = subprocess.run(
        [python, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=CLIENT_S,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def alpaca_py() -> Path:
    """A Python that has Alpaca's client for Python."""
    return python_with(ALPACA_PY, "import alpaca.trading.stream, alpaca.data.live")


def python_with(package: str, modules: str) -> Path:
    """A Python that has a package, made once; skips the test where none can be made."""
    environment = ENVIRONMENTS / package.partition("==")[0]
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    check: list[str | Path] = [python, "-W", "ignore", "-c", modules]
    if python.exists() and not subprocess.run(check, capture_output=True).returncode:
        return python
    try:
        _make(environment, python, package)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"no environment with {package} can be made here: {error}")
    return python


def alpaca_js() -> Path:
    """A folder that has Alpaca's client for JavaScript, made once from its lock file; skips where none can be made."""
    environment = ENVIRONMENTS / "alpaca-js"
    lock, made_from = ALPACA_JS / "package-lock.json", environment / "made-from"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node or npm is missing here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    if int(version.strip().lstrip("v").partition(".")[0]) < NODE_MIN:
        pytest.skip(f"the client needs Node {NODE_MIN}, here is {version.strip()}")
    if not made_from.exists() or made_from.read_bytes() != lock.read_bytes():
        environment.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(ALPACA_JS / name, environment / name)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(
                [npm, "ci", *quiet], cwd=environment, capture_output=True, text=True, timeout=300
            )
        except subprocess.TimeoutExpired as error:
            pytest.skip(f"npm can't install the client here: {error}")
        if done.returncode:
            pytest.skip(f"npm can't install the client here: {done.stderr[-300:]}")
        shutil.copyfile(lock, made_from)
    return environment


def _make(environment: Path, python: Path, package: str) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    install: list[str | Path]
    if uv:
        make: list[str | Path] = [uv, "venv", "-q", "--clear", "-p", sys.executable, environment]
        subprocess.run(make, check=True, timeout=120, capture_output=True)
        install = [uv, "pip", "install", "-q", "-p", python]
    else:
        venv.create(environment, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "-q"]
    subprocess.run([*install, package], check=True, timeout=300, capture_output=True)
