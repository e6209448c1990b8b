"""The limits that a person sets, each with its owner and reason: what they are called, what changed, what lacks."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from trader.exits import did_you_mean
from trader.model import SECOND_NS
from trader.money import canonical

CANARY = "canary"
SAID_CHARACTERS_MAX = 200  # of an owner or a reason
Number = Decimal | int


class Why(Struct, frozen=True, kw_only=True):
    """Who answers for a limit, and why it is what it is; empty: as the whole table says."""

    owner: str = ""
    reason: str = ""


class CanaryLimits(Struct, frozen=True, kw_only=True):
    """Of a strategy that nobody has promoted yet: smaller ones, beside all the others."""

    order_notional_max: Decimal = Decimal(2_000)
    position_notional_max: Decimal = Decimal(2_000)
    entries_per_day_max: int = 20  # of the strategy, in all symbols together


class Limits(Struct, frozen=True, kw_only=True):
    """The bounds that risk rules hold every request to. Money in dollars, fractions of 1, ages in market time.

    owner and reason are of the whole table, `why` of single limits. canary None: a new strategy is like any other.
    """

    order_notional_max: Decimal = Decimal(5_000)
    order_quantity_max: int = (
        10_000_000  # shares; risk.QUANTITY_MAX, beyond which a number is a mistake
    )
    position_notional_max: Decimal = Decimal(12_500)
    exposure_max: Decimal = Decimal(1)  # of equity, what is in flight counted
    entries_open_max: int = 20
    entries_per_minute_max: int = 10  # exits, stops and cancels are not counted
    entries_per_symbol_per_day_max: int = 3
    entries_notional_per_day_max: Decimal = Decimal(100_000)  # at their worst prices
    executions_repeated_max: int = 3  # filled entries of one symbol in 10 minutes
    loss_day_max: Decimal = Decimal("0.02")  # of the equity that the session began with
    drawdown_max: Decimal = Decimal("0.06")  # of the highest equity
    price_deviation_max: Decimal = Decimal("0.03")  # of the quote
    quote_age_max: int = 90  # seconds
    request_age_max: int = 60  # seconds
    adds_max: int = 0  # to a position that is open
    # An entry brings a stop, or is denied. Where nothing is said of it: true with real money, else false.
    stop_required: bool = False
    canary: CanaryLimits | None = None
    owner: str = ""
    reason: str = ""
    why: dict[str, Why] = {}

    @property
    def quote_age_ns_max(self) -> int:
        return self.quote_age_max * SECOND_NS

    @property
    def request_age_ns_max(self) -> int:
        return self.request_age_max * SECOND_NS


SAID = ("owner", "reason", "why")  # what is said of the limits, and is none
NAMES = tuple(name for name in Limits.__struct_fields__ if name not in {CANARY, *SAID})
CANARY_NAMES = CanaryLimits.__struct_fields__


class Change(Struct, frozen=True, kw_only=True):
    """A limit that is another one now; an empty text: there was, or is, none."""

    limit: str
    before: str
    after: str
    why: Why


def numbers_of(limits: Limits) -> dict[str, Number]:
    """Every limit by its name, such as adds_max or canary.order_notional_max."""
    found = {name: getattr(limits, name) for name in NAMES}
    if limits.canary is not None:
        for name, value in msgspec.structs.asdict(limits.canary).items():
            found[f"{CANARY}.{name}"] = value
    return found


def why_of(limits: Limits, name: str) -> Why:
    """Whose it is and why: its own words, else those of the table."""
    own = limits.why.get(name) or limits.why.get(name.partition(".")[0]) or Why()
    return Why(owner=own.owner or limits.owner, reason=own.reason or limits.reason)


def unexplained(limits: Limits) -> list[str]:
    """The limits that nobody answers for, or that have no reason."""
    return [
        name
        for name in numbers_of(limits)
        if not (why_of(limits, name).owner and why_of(limits, name).reason)
    ]


def changes(before: Limits, after: Limits) -> Iterator[Change]:
    """Each limit that isn't what it was, in the order of the table."""
    was, now = numbers_of(before), numbers_of(after)
    for name in dict.fromkeys((*now, *was)):
        if was.get(name) != now.get(name):
            yield Change(
                limit=name,
                before=text_of(was.get(name)),
                after=text_of(now.get(name)),
                why=why_of(after, name),
            )


def text_of(value: Number | None) -> str:
    """A limit in canonical text; empty: there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else canonical(Decimal(value))


def objection(limits: Limits) -> tuple[str, str] | None:
    """The key of what makes no sense, and why: words about no limit, or a canary's limit that isn't the smaller one."""
    for name in limits.why:
        if name not in {*NAMES, CANARY}:
            return f"limits.why.{name}", f"no such limit{did_you_mean(name, NAMES)}"
    said = {f"why.{name}": why for name, why in limits.why.items()}
    for where, words in {"": limits, **said}.items():
        for key in Why.__struct_fields__:
            text = getattr(words, key)
            is_line = not text or (text.strip() and text.isprintable())
            if len(text) > SAID_CHARACTERS_MAX or not is_line:
                path = ".".join(filter(None, ("limits", where, key)))
                return path, f"one line of up to {SAID_CHARACTERS_MAX} characters is wanted"
    for name in CANARY_NAMES if limits.canary is not None else ():
        most, wanted = getattr(limits, name, None), getattr(limits.canary, name)
        if most is not None and wanted > most:
            what = f"must be at most limits.{name}, {most}, not {wanted}"
            return f"limits.{CANARY}.{name}", what
    return None


def missing(written: Mapping[str, object]) -> list[str]:
    """The keys of [limits] that a table doesn't write out; real money wants every one of them stated.

    But for stop_required: left out, it is true there, which is the safe side.
    """
    canary = written.get(CANARY)
    inner = canary if isinstance(canary, dict) else {}
    lacks = [name for name in NAMES if name not in {*written, "stop_required"}]
    return lacks + [f"{CANARY}.{name}" for name in CANARY_NAMES if name not in inner]


def lines_of(limits: Limits) -> list[str]:
    """As a person reads them at the start, a few to a line."""
    stated = [f"{name} {text_of(value)}" for name, value in numbers_of(limits).items()]
    rest = (", ".join(stated[at : at + 4]) for at in range(5, len(stated), 4))
    return ["limits: " + ", ".join(stated[:5]), *rest]
