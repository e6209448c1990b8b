"""bin/trade and bin/set-up, really run: on a small tree with one package of its own, and no network."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.own_tree import edit_unseen, planted
from tests.own_tree import trade as trade_of

ROOT = Path(__file__).parents[2]
PROGRAM = """\
import os, sys, hello
print(hello.WORD, os.getcwd(), *sys.argv[1:])
sys.exit(3 if "three" in sys.argv else 0)
"""


def wheel(folder: Path, word: str) -> str:
    """Make the package hello in a folder; returns its line of a lock file."""
    path = folder / "hello-1.0-py3-none-any.whl"
    files = {
        "hello.py": f'WORD = "{word}"\n',
        "hello-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
        "hello-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
                .rstrip(b"=")
                .decode()
            )
            record += f"{name},sha256={digest},{len(text)}\n"
        archive.writestr("hello-1.0.dist-info/RECORD", record + "hello-1.0.dist-info/RECORD,,\n")
    return f"hello==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def lay_out(folder: Path) -> Path:
    """A repository with our launcher and a program that says hello."""
    root = folder / "repository"
    shutil.copytree(ROOT / "bin", root / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("trader", "lock", "wheels"):
        (root / name).mkdir()
    (root / "trader" / "__main__.py").write_text(PROGRAM)
    (root / "lock" / "run.txt").write_text(wheel(root / "wheels", "hello"))
    return root


def trade(
    root: Path, *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    process = start(root / "bin" / "trade", *arguments, cwd=cwd, root=root, **environment)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(
    launcher: Path, *arguments: str, cwd: Path, root: Path, **environment: str
) -> subprocess.Popen[str]:
    """Start with the system's own folders on the PATH, no uv, an empty home and no index but the tree's wheels."""
    whole = {
        "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
        "HOME": str(root / "home"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(root / "wheels"),
        **environment,
    }
    return subprocess.Popen(
        [str(launcher), *arguments],
        cwd=cwd,
        env=whole,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose environment has been made by its first start."""
    folder = tmp_path_factory.mktemp("launcher")
    root = lay_out(folder)
    first = trade(root, cwd=folder)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("\n") == 2
    assert "setting up .venv" in first.stderr
    return root


@pytest.fixture
def tree(made: Path, tmp_path: Path) -> Path:
    """A copy of that tree, moved to another folder."""
    return shutil.copytree(made, tmp_path / "elsewhere", symlinks=True)


def test_a_second_start_sets_nothing_up(made: Path, tmp_path: Path) -> None:
    second = trade(made, "a b", "--c", cwd=tmp_path)
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == f"hello {tmp_path} a b --c\n"


def test_the_exit_code_is_the_programs(made: Path, tmp_path: Path) -> None:
    assert trade(made, "three", cwd=tmp_path).returncode == 3


def test_it_works_through_a_link_to_a_link(made: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(os.path.relpath(made / "bin" / "trade", tmp_path))
    (tmp_path / "two").symlink_to("one")
    out, err = start(tmp_path / "two", cwd=tmp_path, root=made).communicate(timeout=60)
    assert (out, err) == (f"hello {tmp_path}\n", "")


def test_a_file_in_the_working_folder_does_not_shadow_a_package(made: Path, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text('WORD = "shadow"\n')
    (tmp_path / "trader.py").write_text('print("shadow")\n')
    for path in ("", ".", str(tmp_path)):
        assert trade(made, cwd=tmp_path, PYTHONPATH=path).stdout == f"hello {tmp_path}\n"


def test_a_tree_that_was_moved_still_runs(tree: Path, tmp_path: Path) -> None:
    moved = trade(tree, cwd=tmp_path)
    assert (moved.stdout, moved.stderr) == (f"hello {tmp_path}\n", "")


def test_scripts_of_the_environment_name_the_place_where_it_stands(made: Path) -> None:
    for script in (made / ".venv" / "bin").iterdir():
        assert b".venv.new" not in script.read_bytes()


@pytest.mark.slow
def test_another_lock_makes_another_environment(tree: Path, tmp_path: Path) -> None:
    (tree / "lock" / "run.txt").write_text(wheel(tree / "wheels", "goodbye"))
    again = trade(tree, cwd=tmp_path, PIP_FIND_LINKS=str(tree / "wheels"))
    assert again.stdout == f"goodbye {tmp_path}\n"
    assert "setting up .venv" in again.stderr


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_anew(tree: Path, tmp_path: Path) -> None:
    (tree / ".venv" / "made-by").write_text("/usr/bin/python3.9-gone\n")
    assert trade(tree, cwd=tmp_path).stdout == f"hello {tmp_path}\n"
    assert "gone" not in (tree / ".venv" / "made-by").read_text()


@pytest.mark.slow
def test_a_package_with_another_hash_is_refused(tree: Path, tmp_path: Path) -> None:
    promised = wheel(tree / "wheels", "hello, again")
    wheel(tree / "wheels", "replaced")
    (tree / "lock" / "run.txt").write_text(promised)
    refused = trade(tree, cwd=tmp_path, PIP_FIND_LINKS=str(tree / "wheels"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "can't install" in refused.stderr.splitlines()[-1]
    assert not (tree / ".venv.new").exists()


@pytest.mark.slow
def test_two_first_starts_at_once_make_one_environment(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    both = [start(root / "bin" / "trade", str(n), cwd=tmp_path, root=root) for n in (1, 2)]
    ended = [process.communicate(timeout=60) for process in both]
    assert [out for out, _ in ended] == [f"hello {tmp_path} 1\n", f"hello {tmp_path} 2\n"]
    assert sum("setting up" in err for _, err in ended) == 1
    assert [path.name for path in root.glob(".venv*") if path.is_dir()] == [".venv"]


@pytest.mark.parametrize("old", ["none", "old"])
def test_without_a_python_that_will_do_one_line_says_what_to_install(
    old: str, tmp_path: Path
) -> None:
    root = lay_out(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cmp", "dirname", "readlink"):
        (tools / name).symlink_to(shutil.which(name) or "missing")
    if old == "old":  # A Python that fails the question for its version.
        (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
        (tools / "python3").chmod(0o755)
    ended = trade(root, cwd=tmp_path, PATH=str(tools))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "Python 3.11 or newer is needed" in ended.stderr
    assert not (root / ".venv").exists()


UNSEEN = [
    ("trader/cli/version.py", "no commit known", "no commit KNOWN", "no commit KNOWN"),
    ("trader/__init__.py", '"0.1.0"', '"0.9.9"', "trader 0.9.9"),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real program that has run, so that its byte-code is on disk."""
    root = planted(tmp_path_factory.mktemp("own"))
    for _ in range(2):
        assert trade_of(root, "version", cwd=root).returncode == 0
    assert list((root / "trader" / "cli" / "__pycache__").glob("version.*.pyc"))
    return root


@pytest.mark.parametrize(("name", "old", "new", "words"), UNSEEN, ids=lambda one: one)
def test_an_edit_of_the_same_size_and_time_runs_and_has_another_identity(
    own: Path, name: str, old: str, new: str, words: str
) -> None:
    identity = json.loads(trade_of(own, "version", "--json", cwd=own).stdout)["identity"]
    assert words not in trade_of(own, "version", cwd=own).stdout
    edit_unseen(own / name, old, new)
    assert words in trade_of(own, "version", cwd=own).stdout
    edited = json.loads(trade_of(own, "version", "--json", cwd=own).stdout)["identity"]
    edit_unseen(own / name, new, old)
    assert words not in trade_of(own, "version", cwd=own).stdout
    again = json.loads(trade_of(own, "version", "--json", cwd=own).stdout)["identity"]
    assert (again == identity, edited == identity) == (True, False)
