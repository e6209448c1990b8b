"""What a cell of somebody's table says: an amount exactly, a time in any of the usual forms, a side."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trader.audit.words import Cell
from trader.exits import Mistake
from trader.money import CENT, MONEY_MAX, NANO, plain, rounded

NEW_YORK = "America/New_York"
_ZONES = {"ET": NEW_YORK, "EST": NEW_YORK, "EDT": NEW_YORK, "NEW_YORK": NEW_YORK, "Z": "UTC"}
_ABBREVIATED = re.compile(r"\s+(UTC|GMT|EST|EDT|ET)\Z")
_OFFSETS = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4}
_FORMS = (
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y",
    "%Y/%m/%d %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
)
_TIME_MAX_NS = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
_SECONDS_MIN = 100_000_000  # 1973: a smaller number is no time
_NUMBERED = ((10**11, 10**9, "seconds"), (10**14, 10**6, "milliseconds"), (10**17, 10**3, "µs"))
_BUYS = frozenset("buy b bot bought long buy_to_open buy_to_cover cover btc bto purchase".split())
_OUTGOING = frozenset("withdrawal withdraw withdrawn payout debit out csw".split())
_SALES = frozenset("sell s sld sold short sell_to_close sell_to_open sell_short stc sto".split())
_SEPARATED = re.compile(
    r"-?\d{1,3}(,\d{3})+(\.\d*)?"
)  # a comma that is anything else may be a decimal point
_REMEMBERED_MAX = 200_000  # amounts: the same few come again and again


class Amounts:
    """Numbers of cells as Decimals.

    REAL is read as the shortest decimal that is stored as the same bits, which is what somebody wrote unless they
    computed it; what has more than nine places is rounded half-even to nine. Text may have $, and commas
    between thousands; "31,92" is none that can be read for sure.
    """

    def __init__(self) -> None:
        self._known: dict[Cell, Decimal | None] = {}
        self.floats = 0  # different ones
        self.dust = 0  # different ones with more than nine places: computed, not written

    def read(self, cell: Cell) -> Decimal | None:
        """The amount, None where there is none to be read."""
        try:
            return self._known[cell]
        except KeyError:
            found = self._read(cell)
        if len(self._known) < _REMEMBERED_MAX:
            self._known[cell] = found
        return found

    def _read(self, cell: Cell) -> Decimal | None:
        match cell:
            case int():
                value = Decimal(cell)
            case float():
                self.floats += 1
                value = Decimal(repr(cell))
            case str() if cell.isascii() and "_" not in cell:
                text = cell.strip().replace("$", "")
                if "," in text:
                    if not _SEPARATED.fullmatch(text):
                        return None
                    text = text.replace(",", "")
                try:
                    value = Decimal(text)
                except InvalidOperation:
                    return None
            case _:
                return None
        if not value.is_finite() or (value and value.adjusted() > MONEY_MAX.adjusted()):
            return None
        exact = rounded(value, NANO)
        self.dust += exact != value
        return exact


def is_whole_cents(amount: Decimal) -> bool:
    return amount == rounded(amount, CENT)


def cents(amount: Decimal) -> Decimal:
    """To the cent, half-even: for what is shown, never for what is summed."""
    return rounded(amount, CENT)


class Moments:
    """Times of cells as nanoseconds since the epoch, UTC; those without a zone are taken as `zone`."""

    def __init__(self, zone: tzinfo, name: str) -> None:
        self.zone = zone
        self.name = name
        self._forms: Counter[str] = Counter()
        # Of times without a zone: what their clock showed, and where each hour begins, which takes time to find out.
        self.clock_hours: Counter[str] = Counter()
        self._hours: dict[str, int] = {}

    def read(self, cell: Cell) -> int | None:
        """The time, None where there is none to be read, or none from 1970 to 2199."""
        at_ns = self._read(cell)
        return at_ns if at_ns is not None and 0 <= at_ns < _TIME_MAX_NS else None

    def _read(self, cell: Cell) -> int | None:
        if isinstance(cell, str):
            try:
                found = datetime.fromisoformat(cell)
            except ValueError:
                return self._text(cell.strip())
            if found.tzinfo is not None:
                self._forms["ISO with offset"] += 1
                return round(found.timestamp() * 1_000_000) * 1_000
            self.clock_hours[cell[11:13]] += 1
            within = (found.minute * 60 + found.second) * 1_000_000_000 + found.microsecond * 1_000
            begins = self._hours.get(cell[:13])
            if begins is None:
                begins = self._hours[cell[:13]] = self._nanoseconds(found) - within
            return begins + within
        return self._number(Decimal(repr(cell))) if isinstance(cell, int | float) else None

    @property
    def forms(self) -> Counter[str]:
        """How many times of each form were read."""
        days = self.clock_hours[""]
        plain_iso = {"date only": days, "ISO without zone": self.clock_hours.total() - days}
        return +(self._forms + Counter(plain_iso))

    def _nanoseconds(self, found: datetime) -> int:
        if found.tzinfo is None:
            found = found.replace(tzinfo=self.zone)
        return round(found.timestamp() * 1_000_000) * 1_000

    def _text(self, text: str) -> int | None:
        if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
            return self._number(Decimal(text))
        zone: tzinfo | None = None
        if named := _ABBREVIATED.search(text):
            word, text = named[1], text[: named.start()]
            hours = _OFFSETS.get(word)
            zone = ZoneInfo(NEW_YORK) if hours is None else timezone(timedelta(hours=hours))
        for form in ("", *_FORMS):
            try:
                found = _parsed(text, form).replace(tzinfo=zone or self.zone)
            except ValueError:
                continue
            self._forms[f"{form or 'ISO'} {named[1] if named else ''}".strip()] += 1
            return self._nanoseconds(found)
        try:
            found = parsedate_to_datetime(text)
        except ValueError:
            return None
        self._forms["as in mail"] += 1
        return self._nanoseconds(found)

    def _number(self, value: Decimal) -> int | None:
        if not value.is_finite() or value < _SECONDS_MIN or value >= 10**20:
            return None
        for below, nanoseconds, name in _NUMBERED:
            if value < below:
                self._forms[f"{name} since 1970"] += 1
                return int(plain(value * nanoseconds))
        self._forms["ns since 1970"] += 1
        return int(value)


def _parsed(text: str, form: str) -> datetime:
    """A time that says no zone by itself; raises ValueError."""
    if not form:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007  # the caller knows the zone


def zone_named(text: str) -> tzinfo:
    """A zone by its IANA name, or ET; raises Mistake."""
    try:
        return ZoneInfo(_ZONES.get(text.upper(), text))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Mistake(
            "no such time zone", where=f"--zone {text}", remedy="UTC, ET, Europe/Berlin"
        ) from None


def is_buy(cell: Cell) -> bool | None:
    """The side, None where it can't be read."""
    word = cell.strip().lower().replace(" ", "_").replace("-", "_") if isinstance(cell, str) else ""
    return True if word in _BUYS else False if word in _SALES else None


def is_outgoing(cell: Cell) -> bool:
    """A word for money that left the account, whatever the sign of its amount."""
    return isinstance(cell, str) and cell.strip().lower() in _OUTGOING


def symbol_of(cell: Cell) -> str:
    """The symbol in capitals without space around it; empty where there is none."""
    return cell.strip().upper() if isinstance(cell, str) and cell.isprintable() else ""


def shown_time(at_ns: int) -> str:
    """New York time to the second, with its offset."""
    return datetime.fromtimestamp(at_ns // 1_000_000_000, ZoneInfo(NEW_YORK)).isoformat(
        " ", timespec="seconds"
    )


def day_of(at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, ZoneInfo(NEW_YORK)).date()


def midnight_ns(day: date) -> int:
    """The beginning of a New York day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(NEW_YORK))
    return int(midnight.astimezone(UTC).timestamp()) * 1_000_000_000
