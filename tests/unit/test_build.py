"""The identity of the code is that of the bytes that were compiled."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

import trader.risk
from trader import sources
from trader.build import ROOT, code_identity, running_build, running_sources, sources_of

NOTHING: Mapping[str, str] = {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "trader/a.py": "x = 1\n",
        "trader/sub/b.py": "y = 1\n",
        "lock/run.txt": "z==1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def identity(root: Path, compiled: Mapping[str, str] = NOTHING) -> str:
    return code_identity(sources_of(root, compiled))


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_the_same_bytes_have_the_same_identity(tree: Path) -> None:
    before = identity(tree)
    (tree / "trader/notes.txt").write_text("not code")
    (tree / "trader/a.py").write_text("x = 2\n")
    assert identity(tree) != before
    (tree / "trader/a.py").write_text("x = 1\n")
    assert identity(tree) == before


@pytest.mark.parametrize(
    "name", ["trader/a.py", "trader/sub/b.py", "lock/run.txt", "trader/new.py"]
)
def test_any_source_and_the_lock_change_the_identity(tree: Path, name: str) -> None:
    before = identity(tree)
    (tree / name).write_text("w = 1\n")
    assert identity(tree) != before


def test_moving_code_between_modules_changes_the_identity(tree: Path) -> None:
    before = identity(tree)
    (tree / "trader/a.py").rename(tree / "trader/c.py")
    assert identity(tree) != before


def test_a_module_that_was_loaded_counts_with_what_was_compiled(tree: Path) -> None:
    before = identity(tree)
    (tree / "trader/a.py").write_text("x = 2\n")
    assert identity(tree, {str(tree / "trader/a.py"): digest("x = 1\n")}) == before


def test_a_users_own_module_is_part_of_the_identity(tree: Path) -> None:
    one, other = ({"/opt/strategies/mine.py": digest(text)} for text in ("a", "b"))
    assert len({identity(tree), identity(tree, one), identity(tree, other)}) == 3


def test_the_running_build_is_that_of_what_this_process_loaded() -> None:
    build = running_build()
    assert build.identity == code_identity(running_sources())
    assert build.line() == f"trader {build.version} build {build.identity[:7]}"
    assert build.lock == digest((ROOT / "lock/run.txt").read_text())


def test_every_loaded_module_of_ours_is_on_the_loaders_record() -> None:
    path = trader.risk.__file__
    assert path in sources.compiled
    assert str(ROOT / "trader" / "__init__.py") in sources.compiled
    assert str(ROOT / "trader" / "sources.py") in sources.compiled
