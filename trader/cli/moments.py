"""A moment of the past as a person types it: any beginning of a UTC time, from the year on."""

import re

from trader.calendar import parse_iso
from trader.exits import Mistake

_FORM = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d{0,9})?)?)?Z?)?)?)?", re.ASCII)
_REST = "0000-01-01T00:00:00"


def beginning(text: str, option: str) -> str:
    """The same without its Z, as timestamps are compared with it; raises Mistake where there is no such time."""
    where = f"{option} {text[:40]}"
    if not _FORM.fullmatch(text):
        raise Mistake("not a time like 2026-01-26T15:00", where=where)
    begins = text.removesuffix("Z")
    try:
        parse_iso(begins.removesuffix(".") + _REST[len(begins) :] + "Z")
    except ValueError as error:
        raise Mistake(str(error), where=where, remedy="as 2026-01-26T15:00") from None
    return begins
