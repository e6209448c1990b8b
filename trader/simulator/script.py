"""Tables that a person has written, in TOML, in Python or over the admin endpoint, as typed values; or what is wrong.

Strict as trader.toml is: a key that isn't known stops the start, for a fault that never strikes looks like a program
that withstands it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import Struct

from trader.config import parse_toml
from trader.exits import Mistake, did_you_mean
from trader.model import SECOND_NS, Symbol
from trader.money import AmountError, bounded

SPAN_SECONDS_MAX = 366 * 86_400

R = TypeVar("R", bound=Struct)
V = TypeVar("V")


class Script(Struct, frozen=True, kw_only=True):
    """The text of a TOML file and what a person calls it; or the `tables` themselves, by their name."""

    name: str
    text: str = ""
    tables: Mapping[str, object] | None = None

    def content(self) -> Mapping[str, object]:
        """Raises Mistake."""
        return parse_toml(self.text, self.name) if self.tables is None else self.tables

    def place(self, table: str, number: int, key: str) -> str:
        """The line that states the key of the table, or else where the table begins."""
        if self.tables is not None:
            return f"{self.name}, {table} {number + 1}"
        line = _line_of(self.text, table, number, key) or _line_of(self.text, table, number, "")
        return f"{self.name}:{line}" if line else self.name


class ScriptError(Mistake):
    """A table makes no sense; `where` names the file and, where it is known, the line."""


class BadKey(Exception):
    """What is wrong with a key of a table; no key: with the table."""

    def __init__(self, key: str, what: str, remedy: str = "") -> None:
        super().__init__(key, what, remedy)
        self.key = key
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return described(self) + (f" ({self.remedy})" if self.remedy else "")


def read_tables(
    script: Script, kinds: Mapping[str, Callable[[object], V]], *, one: str = ""
) -> dict[str, list[V]]:
    """By name what each [[name]] states, in order; raises Mistake. A kind makes a table's value or raises BadKey.

    `one` is the name of a single table: [name].
    """
    made: dict[str, list[V]] = {name: [] for name in kinds}
    for name, tables in script.content().items():
        if name not in kinds:
            known = ", ".join(f"[{kind}]" if kind == one else f"[[{kind}]]" for kind in kinds)
            what = f"unknown table {name}{did_you_mean(name, tuple(kinds))}"
            raise ScriptError(what, where=script.place(name, 0, ""), remedy=f"it is {known}")
        if name == one and isinstance(tables, dict):
            tables = [tables]
        if not isinstance(tables, list) or (name == one and len(tables) > 1):
            wanted, place = (
                f"[{name}] once" if name == one else f"[[{name}]]",
                script.place(name, 0, ""),
            )
            raise ScriptError(f"{name} is no such table", where=place, remedy=f"write {wanted}")
        for number, table in enumerate(tables):
            try:
                made[name].append(kinds[name](table))
            except BadKey as bad:
                place = script.place(name, number, bad.key)
                raise ScriptError(described(bad), where=place, remedy=bad.remedy) from None
    return made


def described(bad: BadKey) -> str:
    return f"{bad.key}: {bad.what}" if bad.key else bad.what


def row_of(table: object, kind: type[R]) -> R:
    """The table with its keys and types checked; raises BadKey."""
    if not isinstance(table, dict):
        raise BadKey("", "a table of keys is wanted")
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key not in names:
            hint = did_you_mean(str(key), names)
            raise BadKey(str(key), f"unknown key{hint}", remedy=f"it may have {', '.join(names)}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise BadKey(path.strip(".`"), what[:1].lower() + what[1:]) from None


# --- values


def whole(number: int, key: str, least: int, most: int) -> int:
    """Raises BadKey, as those below do."""
    if not least <= number <= most:
        raise BadKey(key, f"must be {least:,} to {most:,}, not {number:,}")
    return number


def exact(amount: Decimal, key: str) -> Decimal:
    """Finite, and not beyond what amounts may be."""
    try:
        return bounded(amount)
    except AmountError as error:
        raise BadKey(key, str(error)) from None


def positive(amount: Decimal | None, key: str) -> Decimal | None:
    """Where one is stated."""
    if amount is None:
        return None
    if (value := exact(amount, key)) <= 0:
        raise BadKey(key, f"must be above 0, not {value}")
    return value


def span(seconds: Decimal, key: str) -> int:
    """In nanoseconds."""
    value = exact(seconds, key)
    if not 0 <= value <= SPAN_SECONDS_MAX:
        raise BadKey(key, f"must be 0 to {SPAN_SECONDS_MAX:,} seconds, not {value}")
    return int(value * SECOND_NS)


def traded(symbol: str, symbols: Collection[str]) -> Symbol:
    """None, or one of them."""
    if symbol and symbol not in symbols:
        raise BadKey("symbol", f"no {symbol[:40]} is traded here", ", ".join(sorted(symbols)))
    return Symbol(symbol)


# --- words


def one_of(word: str, key: str, known: Sequence[str], *, noun: str = "", remedy: str = "") -> str:
    """Raises BadKey, as the next does."""
    if word not in known:
        what = f"no such {noun or key}: {word[:40]!r}{did_you_mean(word, known)}"
        raise BadKey(key, what, remedy or ", ".join(known))
    return word


def check_keys(
    told: str, key: str, stated: Iterable[object], takes: Sequence[str], missing: Iterable[str]
) -> None:
    """A table whose `key` says `told` states nothing but what that takes, and nothing that it needs is `missing`."""
    for name in map(str, stated):
        if name not in takes:
            has = f"it has {', '.join(takes)}" if takes else "it has none"
            raise BadKey(name, f"says nothing about {told}", remedy=has)
    for name in missing:
        raise BadKey(key, f"{told} needs {name}", remedy=f"write {name} = …")


# --- where it is written


def _line_of(text: str, name: str, number: int, key: str) -> int | None:
    """As far as plain headers and `key = value` show it."""
    seen, is_inside = -1, False
    for line_number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([^\[\]]+?)\s*\]", line):
            seen += header[1] == name
            is_inside = header[1] == name and seen == number
            if is_inside and not key:
                return line_number
        elif stated := re.match(r"\s*([\w\"'-]+)\s*=", line):
            word = stated[1].strip("\"'")
            if (is_inside and word == key) or (seen < 0 and word == name and not key):
                return line_number
    return None
