"""The broker's keys: from the environment or from a file that only its owner can read, and never in any output."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from trader.exits import Mistake

KEY_VARIABLE = "APCA_API_KEY_ID"
SECRET_VARIABLE = "APCA_API_SECRET_KEY"
FILE_BYTES_MAX = 4_096
PART_MAX = 200  # characters of a key or secret


class Credentials:
    """A key and its secret. Not a Struct: nothing can print, compare, pickle or encode what it holds."""

    __slots__ = ("_secret", "key")

    def __init__(self, key: str, secret: str) -> None:
        self.key = key
        self._secret = secret

    def secret(self) -> str:
        """For the one line that puts it into a request's header."""
        return self._secret

    def __repr__(self) -> str:
        return f"Credentials(key={self.key[:4]}..., secret hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials don't leave the process")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: str
    secret: str


def credentials_from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Both variables, or None where neither is set; raises Mistake where only one is, or one isn't a key."""
    key, secret = environment.get(KEY_VARIABLE, ""), environment.get(SECRET_VARIABLE, "")
    if not key and not secret:
        return None
    if not key or not secret:
        raise Mistake("is set without its partner", where=KEY_VARIABLE if key else SECRET_VARIABLE)
    return _checked(key, secret, "the environment")


def credentials_from_file(path: Path) -> Credentials:
    """A TOML file with `key` and `secret`; raises Mistake unless it is a plain file of ours, 0600, outside of git."""
    where = str(path)
    try:
        # The checks are about what is read: the open file, not a name that may point elsewhere a moment later.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "a symbolic link" if path.is_symlink() else str(error.strerror)
        raise Mistake(what, where=where) from None
    try:
        _check_owner(os.fstat(descriptor), where)
        _check_outside_git(path, where)
        text = os.read(descriptor, FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
    try:
        parts = msgspec.toml.decode(text, type=_File)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # The parser's own words may quote the secret.
        raise Mistake('wanted are two lines, key = "..." and secret = "..."', where=where) from None
    return _checked(parts.key, parts.secret, where)


def _check_owner(status: os.stat_result, where: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Mistake("not a plain file", where=where)
    if status.st_uid != os.geteuid():
        raise Mistake("belongs to another user", where=where)
    if status.st_mode & 0o077:
        raise Mistake("others can read it", where=where, remedy=f"chmod 600 {where}")


def _check_outside_git(path: Path, where: str) -> None:
    for folder in path.resolve().parents:
        if (folder / ".git").exists():
            raise Mistake(f"lies in a git work tree, {folder}", where=where, remedy="move it out")


def _checked(key: str, secret: str, where: str) -> Credentials:
    for name, part in (("key", key), ("secret", secret)):
        if not (part.isascii() and part.isalnum() and len(part) <= PART_MAX):
            raise Mistake(f"the {name} is not letters and digits only", where=where)
    return Credentials(key, secret)
