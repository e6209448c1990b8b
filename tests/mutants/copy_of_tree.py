"""Mutants: the program with one thing planted in its source, to see that somebody notices."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.program import ROOT, Folder

MUTANT_S = 60  # a mutant that hangs is a test that has no end of its own


class Mutant:
    """A copy of trader/ to edit and to run; the checkout itself is never touched."""

    def __init__(self, path: Path) -> None:
        self.root = path / "mutant"
        shutil.copytree(
            ROOT / "trader", self.root / "trader", ignore=shutil.ignore_patterns("__pycache__")
        )
        self.folder = Folder(path, root=self.root)

    def edit(self, module: str, before: str, after: str) -> None:
        """Put `after` in the place of `before`, which must be there exactly once: an edit that misses tests nothing."""
        source = self.root / "trader" / module
        text = source.read_text()
        assert text.count(before) == 1, f"{module} has {text.count(before)} of {before!r}"
        source.write_text(text.replace(before, after))

    def python(self, program: str) -> subprocess.CompletedProcess[str]:
        """Run a few lines with the mutant in the place of trader; the tests' own folder is importable, too."""
        path = f"import sys; sys.path[:0] = [{str(self.root)!r}, {str(ROOT)!r}]\n"
        return subprocess.run(
            [sys.executable, "-P", "-c", path + program],
            cwd=self.folder.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MUTANT_S,
        )

    def passes(self, *tests: str) -> bool:
        """Whether these tests of the checkout pass on the mutant; only red because of an assertion counts as red."""
        program = (
            "import pytest, trader\n"
            f"assert trader.__file__.startswith({str(self.root)!r}), trader.__file__\n"
            f"sys.exit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', '--rootdir', {str(ROOT)!r},"
            f" '-c', {str(ROOT / 'pyproject.toml')!r}, *{[str(ROOT / one) for one in tests]!r}]))"
        )
        ended = self.python(program)
        assert ended.returncode in {0, 1}, ended.stdout + ended.stderr
        return ended.returncode == 0
