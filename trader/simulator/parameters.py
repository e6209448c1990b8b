"""Parameters of queries, typed; each raises BadRequest with 422 when its text is not what it should be."""

from decimal import Decimal

from starlette.requests import Request

from trader.calendar import parse_iso
from trader.model import Symbol
from trader.money import AmountError, amount
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused

SYMBOLS_MAX = 1_000


def one_of(request: Request, name: str, known: tuple[str, ...]) -> str:
    """One of the known words, the first of them by default."""
    word = request.query_params.get(name, "") or known[0]
    if word not in known:
        raise BadRequest(refused(f"invalid {name}: {word[:40]}"))
    return word


def count_parameter(request: Request, name: str, default: int, largest: int) -> int:
    text = request.query_params.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= largest):
        raise BadRequest(refused(f"invalid {name}: 1 to {largest}, not {text[:40]}"))
    return int(text)


def amount_parameter(request: Request, name: str) -> Decimal | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return amount(text)
    except AmountError:
        raise BadRequest(refused(f"invalid {name}: {text[:40]}")) from None


def time_parameter(request: Request, name: str) -> int | None:
    """Nanoseconds of an RFC 3339 time, or of the midnight (UTC) that begins a date."""
    text = request.query_params.get(name)
    if not text:
        return None
    # A plus sign that was not quoted in the query arrives as a space.
    whole = text.replace(" ", "+") if "T" in text else text
    try:
        return parse_iso(whole if len(whole) > 10 else f"{whole}T00:00:00Z")
    except ValueError:
        raise BadRequest(refused(f"invalid {name}: {text[:40]}")) from None


def flag_parameter(request: Request, name: str) -> bool:
    """Clients write true, True or 1."""
    return request.query_params.get(name, "").lower() in ("true", "1", "yes")


def symbols_parameter(request: Request) -> list[Symbol]:
    """In the order given, each once; empty: not asked for."""
    texts = request.query_params.get("symbols", "").split(",")
    symbols = list(dict.fromkeys(Symbol(text.strip()) for text in texts if text.strip()))
    if len(symbols) > SYMBOLS_MAX:
        raise BadRequest(refused(f"more than {SYMBOLS_MAX} symbols"))
    return symbols
