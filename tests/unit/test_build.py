"""The identity of the code is that of its bytes."""

from pathlib import Path

import pytest

from trader.build import ROOT, code_identity, running_build


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


def test_the_same_bytes_have_the_same_identity(tree: Path) -> None:
    before = code_identity(tree)
    (tree / "trader/notes.txt").write_text("not code")
    (tree / "trader/a.py").write_text("x = 2\n")
    assert code_identity(tree) != before
    (tree / "trader/a.py").write_text("x = 1\n")
    assert code_identity(tree) == before


@pytest.mark.parametrize(
    "name", ["trader/a.py", "trader/sub/b.py", "lock/run.txt", "trader/new.py"]
)
def test_any_source_and_the_lock_change_the_identity(tree: Path, name: str) -> None:
    before = code_identity(tree)
    (tree / name).write_text("w = 1\n")
    assert code_identity(tree) != before


def test_moving_code_between_modules_changes_the_identity(tree: Path) -> None:
    before = code_identity(tree)
    (tree / "trader/a.py").rename(tree / "trader/c.py")
    assert code_identity(tree) != before


def test_the_running_build_is_that_of_this_tree() -> None:
    build = running_build()
    assert build.identity == code_identity(ROOT)
    assert build.line() == f"trader {build.version} build {build.identity[:7]}"
