"""One thing that moved an account, as one of three tells it: our journal, the broker, or its statement."""

from decimal import Decimal

from msgspec import Struct

from trader.calendar import new_york_date
from trader.movements import DEPOSITS, FEES
from trader.wire.alpaca_statement import SHARES_MOVE

FILL = "FILL"


class Line(Struct, frozen=True, kw_only=True):
    """An execution, a fee, a dividend, a deposit, …; None is what this side doesn't tell.

    quantity: shares that came, negative: that went. amount: dollars that came; of an execution before any fee.
    fee and net are a statement's alone: what an execution was charged, and the dollars that came, with the fee in them
    or not.
    """

    kind: str  # the broker's word; FILL is an execution
    id: str = ""  # the execution's or the activity's
    orders: tuple[str, ...] = ()  # every id that its order goes by
    symbol: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    fee: Decimal | None = None
    net: Decimal | None = None
    day: str  # New York's
    at_ns: int | None = None
    where: str  # for people: a row of the journal, or of the file

    @property
    def sort(self) -> str:
        """What it is the same kind of thing as; '' for a word that we don't know, which may be anything."""
        return sort_of(self.kind)


def sort_of(kind: str) -> str:
    """Brokers have several words for one thing."""
    if kind in DEPOSITS:
        return "money in or out"
    if kind in FEES:
        return "fee"
    if kind in SHARES_MOVE:
        return "shares"
    for word in (FILL, "DIV", "INT"):
        if kind.startswith(word):
            return word
    return ""


def short_id(name: str) -> str:
    """An id without the time that Alpaca's list puts before it."""
    return name.rpartition("::")[2]


def day_of(at_ns: int, otherwise: str) -> str:
    """New York's day; a time that a broker made up, or never told, is of the day on which we heard of it."""
    if at_ns <= 0:
        return otherwise
    try:
        return new_york_date(at_ns)
    except ValueError:
        return otherwise
