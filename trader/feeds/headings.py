"""Which column of a table of bars is which, by the common spellings of their names."""

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from trader.model import Symbol

# A column is known by any of its spellings, in small letters and without blanks, hyphens and underscores. The first is
# our own: where it is there, the others are columns that nobody asked for. `adj close` is none of `close`: prices that
# were changed by what came later are a choice, not a spelling.
SPELLINGS = {
    "timestamp": ("timestamp", "time", "date", "datetime", "t", "indexlevel0"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker"),
}
REQUIRED = ("timestamp", "open", "high", "low", "close", "volume")
OF_QUOTES = frozenset({"bid", "ask"})
OF_TRADES = frozenset({"price"})
SUFFIXES = (".csv", ".csv.gz", ".parquet")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,11}", re.ASCII)


class Layout(Struct, frozen=True, kw_only=True):
    """Where the columns stand: timestamp, open, high, low, close and volume; `symbol` where there is one."""

    width: int
    wanted: tuple[int, ...]
    symbol: int | None


def layout_of(names: Sequence[str]) -> Layout:
    """Raises ValueError, with what is missing or there twice."""
    known = [_plain(name) for name in names]
    places = {column: _place(column, known, names) for column in SPELLINGS}
    found = [place for column in REQUIRED if (place := places[column]) is not None]
    if len(found) < len(REQUIRED):
        missing = next(column for column in REQUIRED if places[column] is None)
        told = (
            " ('adj close' is not taken for it)" if missing == "close" and _adjusts(known) else ""
        )
        raise ValueError(f"the column {missing!r} is missing{told}; it has {_listed(names)}")
    return Layout(width=len(names), wanted=tuple(found), symbol=places["symbol"])


def is_of_something_else(names: Sequence[str]) -> bool:
    """Quotes or trades, which are no bars."""
    known = {_plain(name) for name in names}
    return bool(known & (OF_QUOTES | OF_TRADES)) and not known & {*SPELLINGS["open"]}


def symbol_of(text: str) -> Symbol | None:
    """The text as a symbol; None where it is none."""
    return Symbol(text) if _SYMBOL.fullmatch(text) else None


def symbol_named(path: Path) -> Symbol | None:
    """The symbol that a file is named after, as SPY.csv.gz is."""
    suffix = next((one for one in reversed(SUFFIXES) if path.name.endswith(one)), "")
    return symbol_of(path.name.removesuffix(suffix))


def _place(column: str, known: Sequence[str], names: Sequence[str]) -> int | None:
    own, *others = SPELLINGS[column]
    spellings = {own} if own in known else {*others}
    places = [place for place, name in enumerate(known) if name in spellings]
    if len(places) > 1:
        which = " and ".join(repr(names[place].strip()) for place in places)
        raise ValueError(f"the column {column!r} is there twice: {which}; it has {_listed(names)}")
    return places[0] if places else None


def _plain(name: str) -> str:
    return re.sub(r"[ _-]", "", name.strip().lower())


def _adjusts(known: Sequence[str]) -> bool:
    return any(name.startswith("adj") for name in known)


def _listed(names: Sequence[str]) -> str:
    return repr(",".join(names)[:120])
