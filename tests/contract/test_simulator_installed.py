"""The simulated broker as somebody else installs it: the checkout with its extra, into an environment of its own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL_S = 300
STRAY = {"PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV"}
# What a build of the checkout needs, and what shows that packages can be had here.
BUILDING = ["setuptools>=77", "pytest>=8"]


@pytest.mark.slow
def test_a_bots_own_tests_run_where_only_the_extra_is_installed(tmp_path: Path) -> None:
    python = empty_environment(tmp_path / "environment")
    # A copy: an installation leaves its build beside the sources.
    checkout = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "trader", checkout / "trader", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, checkout / name)
    done = run(
        python, checkout, "-m", "pip", "install", "-q", "--no-build-isolation", ".[simulator]"
    )
    assert done.returncode == 0, done.stderr
    bots = tmp_path / "bots"
    bots.mkdir()
    shutil.copyfile(ROOT / "tests" / "contract" / "test_example_bot.py", bots / "test_bot.py")
    done = run(python, bots, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    where = "import trader.simulator.pytest_plugin as it; print(it.__file__)"
    assert str(tmp_path / "environment") in run(python, bots, "-c", where).stdout


def empty_environment(folder: Path) -> Path:
    """An environment with nothing but pip, pytest and what builds packages; skips where none can be made."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    try:
        venv.create(folder, with_pip=True)
        done = run(python, folder, "-m", "pip", "install", "-q", *BUILDING)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"no environment can be made here: {error}")
    if done.returncode:
        pytest.skip(f"no packages can be had here: {done.stderr[-300:]}")
    return python


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in STRAY}
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
    )
