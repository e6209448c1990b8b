"""On which line of a TOML text a key is stated, for who has to mend it there."""

import re

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]")
_STATED = re.compile(r"\s*([\w.\"'-]+?)\s*=")


def line_of(path: str, text: str) -> int | None:
    """The line that states a key path such as limits.adds_max, as far as plain [table] and key = lines show it.

    Of a table that is not stated by itself it is the first line of what is in it; of a key without a line of its own,
    that of its table.
    """
    table, _, key = re.sub(r"\[\d*\]$|\[\.\.\.\]", "", path).rpartition(".")
    within, begins = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            within = _plain(header[1])
            if within == path or within.startswith(f"{path}."):
                return number
            begins = number if within == table else begins
        elif stated := _STATED.match(line):
            full = _plain(f"{within}.{stated[1]}" if within else stated[1])
            if full in (f"{table}.{key}".strip("."), table) or full.startswith(f"{path}."):
                return number
    return begins


def _plain(name: str) -> str:
    return name.replace('"', "").replace("'", "")
