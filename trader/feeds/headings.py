"""Which column of a table is which, by the common spellings of their names; and so what it is a table of."""

import re
from collections.abc import Sequence
from enum import Enum
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
    "bid": ("bid", "bidprice", "bp"),
    "bid_size": ("bidsize", "bs"),
    "ask": ("ask", "askprice", "offer", "ap"),
    "ask_size": ("asksize", "offersize", "as"),
    "price": ("price", "tradeprice", "p"),
    "size": ("size", "quantity", "qty", "s", "volume", "vol", "v"),
    "suspicious": ("suspicious",),
}
SUFFIXES = (".csv", ".csv.gz", ".parquet")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,11}", re.ASCII)


class Kind(Enum):
    """What the rows of a file are; the value is the columns that each of them has, after its time."""

    BARS = ("open", "high", "low", "close", "volume")
    QUOTES = ("bid", "bid_size", "ask", "ask_size")
    TRADES = ("price", "size")


class Of(Enum):
    """What a cell says."""

    PRICE = "price"
    SHARES = "shares"
    # Of one side of a quote; nothing and zero are no side.
    BID_OR_ASK = "bid or ask"
    ITS_SIZE = "its size"


MEANINGS = {
    **dict.fromkeys(("open", "high", "low", "close", "price"), Of.PRICE),
    **dict.fromkeys(("volume", "size", "suspicious"), Of.SHARES),
    **dict.fromkeys(("bid", "ask"), Of.BID_OR_ASK),
    **dict.fromkeys(("bid_size", "ask_size"), Of.ITS_SIZE),
}


class Layout(Struct, frozen=True, kw_only=True):
    """Where the columns stand: `wanted` is the time's, then those of the kind in its order; `meanings` is of these.

    `suspicious` is wanted, too, last, of trades that have it. `symbol` where there is one.
    """

    kind: Kind
    width: int
    wanted: tuple[int, ...]
    meanings: tuple[Of, ...]
    symbol: int | None


def layout_of(names: Sequence[str]) -> Layout:
    """Raises ValueError, with what is missing or there twice."""
    known, kind = [_plain(name) for name in names], kind_of(names)
    required = ("timestamp", *kind.value)
    places = {column: _place(column, known, names) for column in (*required, "symbol")}
    missing = next((column for column in required if places[column] is None), None)
    if missing is not None:
        told = (
            " ('adj close' is not taken for it)" if missing == "close" and _adjusts(known) else ""
        )
        raise ValueError(f"the column {missing!r} is missing{told}; it has {_listed(names)}")
    columns = list(required)
    if kind is Kind.TRADES and (place := _place("suspicious", known, names)) is not None:
        columns.append("suspicious")
        places["suspicious"] = place
    return Layout(
        kind=kind,
        width=len(names),
        wanted=tuple(place for column in columns if (place := places[column]) is not None),
        meanings=tuple(MEANINGS[column] for column in columns[1:]),
        symbol=places["symbol"],
    )


def kind_of(names: Sequence[str]) -> Kind:
    """Bars, unless it has no open, and what else only quotes or trades have."""
    known = {_plain(name) for name in names}
    if known & {*SPELLINGS["open"]}:
        return Kind.BARS
    if known & {*SPELLINGS["bid"], *SPELLINGS["ask"]}:
        return Kind.QUOTES
    return Kind.TRADES if known & {*SPELLINGS["price"]} else Kind.BARS


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
