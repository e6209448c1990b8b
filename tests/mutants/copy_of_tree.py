"""A copy of the whole tree, to plant a bug in and to run tests on; the checkout itself is never touched."""

import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tests.mutants.planted import Edit
from tests.program import ROOT, Folder

LEFT_OUT = (".git", ".venv*", ".hypothesis", ".*_cache", "*.db*")


class EditDoesNotApply(Exception):
    """It would plant nothing, or more than one thing."""


class Tried(NamedTuple):
    """How tests ended. Only a failed test is red: what can't be imported, collected or set up proves nothing."""

    code: int
    said: str

    @property
    def is_green(self) -> bool:
        return self.code == 0 and not re.search(r"\b\d+ skipped\b", self._last_line)

    @property
    def is_red(self) -> bool:
        return self.code == 1 and not re.search(r"\b\d+ errors?\b", self._last_line)

    @property
    def _last_line(self) -> str:
        return self.said.rstrip().rpartition("\n")[2]


class Mutant:
    """The copy, in a folder of `path`; `folder` runs the program in it as a person would."""

    def __init__(self, path: Path) -> None:
        self.root = path / "mutant"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(*LEFT_OUT))
        self.folder = Folder(path, root=self.root)

    def edit(self, edit: Edit) -> None:
        """Raises EditDoesNotApply unless what it replaces is there exactly once."""
        source = self.root / "trader" / edit.module
        text = source.read_text()
        if (count := text.count(edit.before)) != 1:
            raise EditDoesNotApply(f"{edit.module} has {count} of {edit.before!r}")
        source.write_text(text.replace(edit.before, edit.after))

    def command(self, *tests: str) -> list[str]:
        """Runs these tests of the copy on the copy, by this Python, until the first fails."""
        program = (
            "import sys, pytest, trader\n"
            f"assert trader.__file__.startswith({str(self.root)!r}), trader.__file__\n"
            "sys.exit(pytest.main(sys.argv[1:]))"
        )
        options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0")
        return [sys.executable, "-P", "-c", program, *options, *tests]
