"""Text from outside made harmless: one line, no steering of terminals, and never a line of ours in disguise."""

import re

TEXT_CHARACTERS_MAX = 300
_OURS = re.compile(r"duplicate\s+(buy|sell)\s+blocked", re.IGNORECASE)


def visible(text: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """The text with everything that doesn't print (line ends, ANSI, NUL, bidi marks) written out, and cut to size."""
    if len(text) > characters_max:
        text = text[: characters_max - 1] + "…"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _written_out(one) for one in text)


def outside(text: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """The same of text that is not ours, which may also not contain the phrase that operators search for."""
    return _OURS.sub(lambda found: re.sub(r"\s", r"\\x20", found[0]), visible(text, characters_max))


def because(reason: str) -> str:
    """A reason from outside, to stand after what it explains."""
    return f": {outside(reason)}" if reason else ""


def _written_out(one: str) -> str:
    return one.encode("unicode_escape", "surrogatepass").decode("ascii")


def last_words(trace: str) -> str:
    """What a traceback ends with, and where: 'KeyError: 3, in strategies.mine, line 7, in on_bar'."""
    lines = trace.strip().splitlines() or [""]
    frames = [line.strip() for line in lines if line.startswith("  ")][-1:]
    return ", in ".join((lines[-1], *frames))
