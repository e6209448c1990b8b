"""Reads our own modules, so that what runs is what the source says now; and remembers the sources that were compiled.

Python trusts byte-code whose source has the same size and time as before. An edit that keeps both (a tool that
restores times, a second write within a second of a coarse file system) leaves the old code running, while every look
at the file shows the new one. So our modules are read by a loader that writes and believes only byte-code which holds
a hash of its source (PEP 552), whoever starts Python and however.
"""

import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import source_hash
from types import ModuleType

HEADER_BYTES = (
    16  # of byte-code: a magic number, flags, then time and size, or a hash of the source
)
CHECKED = (0b11).to_bytes(4, "little")  # the flags of byte-code that is checked against its source

compiled: dict[
    str, str
] = {}  # SHA-256 of the source of each module that was loaded, by the path of its file


class CheckedLoader(SourceFileLoader):
    """Loads one module; also one of a user's own that is to be part of the code's identity."""

    _source = b""

    def get_data(self, path: str) -> bytes:
        """The bytes of the source, or of byte-code that will be checked against it; raises OSError."""
        data = super().get_data(path)
        if path == self.path:
            self._source = data
            compiled[path] = sha256(data).hexdigest()
        elif data[4:8] != CHECKED:
            raise OSError("byte-code that nobody would check")
        return data

    def set_data(  # type: ignore[override]  # Python hands over bytes or a bytearray
        self, path: str, data: bytes | bytearray, *, _mode: int = 0o666
    ) -> None:
        """Write byte-code, with the hash of its source in place of that file's time and size."""
        header = data[:4] + CHECKED + source_hash(self._source)
        super().set_data(path, header + data[HEADER_BYTES:], _mode=_mode)


# Ours, and those that a person keeps beside the configuration (see cli/own_strategies.py).
PACKAGES = ("trader.", "strategies.")


class OwnModules:
    """Finds the modules of these packages, for the loader above."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As Python's own finder does; nothing for the modules of others."""
        if not name.startswith(PACKAGES):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckedLoader(name, spec.loader.path)
        return spec


def install(package: str) -> None:
    """Load every further module of ours like this; `package` is the file of the package itself.

    It and this module were loaded the usual way. From here on their byte-code is of the checked kind too, which
    Python itself then believes only while it fits.
    """
    sys.meta_path.insert(0, OwnModules)
    for name, path in (("trader", package), (__name__, __file__)):
        CheckedLoader(name, path).get_code(name)
