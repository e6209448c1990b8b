"""A statement's file, as rows of text: the JSON of Alpaca's account activities, or a CSV as people export it."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trader.exits import Mistake

BYTES_MAX = 64 << 20
DELIMITERS = ",;\t"


class Rows(Struct, frozen=True, kw_only=True):
    """What is in the file: each row by column name, without what is empty, and where it stands."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, Mapping[str, str]], ...]


def rows_of(path: Path) -> Rows:
    """All of it; raises Mistake in one line where it can't be a statement."""
    where = f"--statement {path}"
    text = _text(path, where)
    if not text.strip():
        raise Mistake("empty", where=where)
    found = _json(path, text, where) if text.lstrip()[:1] in "[{" else _csv(path, text, where)
    if not found.names:
        raise Mistake("nothing in it", where=where)
    return found


def _text(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise Mistake(f"can't be read: {error.strerror}", where=where) from None
    if len(data) > BYTES_MAX:
        raise Mistake(f"longer than {BYTES_MAX:,} bytes", where=where)
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise Mistake("not a text in UTF-8", where=where) from None
    if "\0" in text:
        raise Mistake("not a text", where=where)
    return text


def _json(path: Path, text: str, where: str) -> Rows:
    try:
        # Numbers stay the text that they are: no float on the way.
        found = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_once)
    except _Twice as error:
        raise Mistake(f"the key {str(error)[:40]!r} twice in one object", where=where) from None
    except (ValueError, RecursionError):
        raise Mistake("not JSON", where=where) from None
    if not isinstance(found, list):
        raise Mistake("not a list of activities", where=where)
    names: dict[str, None] = {}
    rows = []
    for number, row in enumerate(found, start=1):
        place = f"{path.name}: number {number}"
        if not isinstance(row, dict):
            raise Mistake("not an activity", where=place)
        cells = {key: str(cell) for key, cell in row.items() if cell is not None and cell != ""}
        names |= dict.fromkeys(cells)
        rows.append((place, cells))
    return Rows(names=tuple(names), rows=tuple(rows))


class _Twice(Exception):
    """A key that an object has twice: which of its values is meant?"""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, cell in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = cell
    return found


def _csv(path: Path, text: str, where: str) -> Rows:
    """Blank lines are nobody's row; a row of more cells than the header has can't be told apart."""
    head = next(line for line in text.splitlines() if line.strip())
    delimiter = max(DELIMITERS, key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    names: tuple[str, ...] = ()
    rows = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if not names:
                names = _names(cells, where)
                continue
            place = f"{path.name}:{lines.line_num}"
            if len(cells) > len(names):
                raise Mistake(
                    f"{len(cells)} cells under {len(names)} columns",
                    where=place,
                    remedy="an amount with commas wants quotes",
                )
            rows.append(
                (place, {name: cell for name, cell in zip(names, cells, strict=False) if cell})
            )
    except csv.Error as error:
        raise Mistake(f"not a CSV: {error}", where=where) from None
    return Rows(names=names, rows=tuple(rows))


def _names(cells: list[str], where: str) -> tuple[str, ...]:
    while cells and not cells[-1]:  # A delimiter at the end of each line.
        cells = cells[:-1]
    for place, name in enumerate(cells):
        if not name or name in cells[:place]:
            raise Mistake(
                f"column {place + 1} of the header is {'empty' if not name else 'there twice'}",
                where=where,
            )
    return tuple(cells)
