"""Events as a person writes them, [[event]] after [[event]]: a halt, a split, a fee, a bust … at a market time."""

from collections.abc import Collection, Iterator, KeysView
from decimal import Decimal
from functools import partial

from msgspec import Struct

from trader.calendar import iso
from trader.model import Side
from trader.money import ONE, ZERO
from trader.simulator.moments import moment_ns
from trader.simulator.scheduled import EventName, Happened, ScheduledEvent
from trader.simulator.script import (
    BadKey,
    Script,
    check_keys,
    exact,
    one_of,
    positive,
    read_tables,
    row_of,
    span,
    traded,
    whole,
)
from trader.simulator.shapes import Shape

TICKS = ("trade", "quote", "bar")


class EventRow(Struct, frozen=True, kw_only=True):
    """One [[event]]. `at` is market time; `duration` seconds of it; `account` counts from 0 on."""

    name: str
    at: object = None
    symbol: str = ""
    amount: Decimal = ZERO
    ratio: Decimal = ONE
    quantity: Decimal | None = None
    price: Decimal | None = None
    side: str = "buy"
    client_order_id: str = ""  # with wildcards
    date: str = ""
    description: str = ""
    reason: str = ""  # of a halt: its code, of a rejection: the words
    adjusts_market: bool = True
    account: int = 0
    duration: Decimal | None = None
    seconds: Decimal = ZERO  # of a clock
    what: str = "trade"


class EventWords(Struct, frozen=True, kw_only=True):
    """What an event is told, and what of it must be there."""

    says: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def _words(says: str, needs: str = "", takes: str = "") -> EventWords:
    return EventWords(says=says, needs=tuple(needs.split()), takes=tuple(takes.split()))


_CASH, _TRADE = "date description account", "symbol client_order_id"
EVENTS = {
    EventName.HALT: _words("nothing trades in it", "symbol", "duration reason"),
    EventName.RESUME: _words("it trades again", "symbol"),
    EventName.GAP: _words("its price is `ratio` times what it would have been", "symbol ratio"),
    EventName.SPLIT: _words("`ratio` new shares for each", "symbol ratio", "adjusts_market"),
    EventName.DIVIDEND: _words("`amount` for each share, to all holders", "symbol amount", "date"),
    EventName.BAD_TICK: _words(
        "a wrong trade, quote or bar (`what`), taken back after `duration`",
        "symbol",
        "price ratio what duration description",
    ),
    EventName.FEE: _words("`amount` is taken", "amount", _CASH),
    EventName.INTEREST: _words("`amount` is paid or, below zero, taken", "amount", _CASH),
    EventName.DEPOSIT: _words("`amount` comes in", "amount", _CASH),
    EventName.WITHDRAWAL: _words("`amount` goes out", "amount", _CASH),
    EventName.TRANSFER: _words("shares from another broker", "symbol quantity price", "account"),
    EventName.TRADE_BUST: _words("the latest trade never was", takes=_TRADE),
    EventName.TRADE_CORRECT: _words(
        "the latest trade was another", takes=f"{_TRADE} price quantity"
    ),
    EventName.FILL: _words(
        "the latest order trades, whatever its state", takes=f"{_TRADE} price quantity"
    ),
    EventName.REJECT: _words("the latest open order is rejected", takes=f"{_TRADE} reason"),
    EventName.HAND_TRADE: _words(
        "an order that no client sent", "symbol quantity", "side price account"
    ),
    EventName.LIQUIDATION: _words("the broker sells what is held", takes="symbol account"),
    EventName.CLOCK_JUMP: _words(
        "the clock as told is `seconds` further, or behind; the market goes on",
        "seconds",
        "duration",
    ),
    EventName.DISCONNECT: _words("every connection is cut"),
    EventName.RESTART: _words("the same, and the venue comes back from its file"),
}


def event_lines() -> Iterator[str]:
    """What a person may write, a line for each event: what it must have, and in brackets what it may."""
    for name, words in EVENTS.items():
        takes = f" [{', '.join(words.takes)}]" if words.takes else ""
        needs = f": {', '.join(words.needs)}" if words.needs else ""
        yield f"{name:<14} {words.says}{needs}{takes}"


class Scene(Struct, frozen=True, kw_only=True):
    """What events are about: `day` is that of a time without a date; `now_ns` that of an event without a time."""

    symbols: Collection[str]
    accounts: int = 1
    day: str = ""
    now_ns: int | None = None


def read_events(script: Script, scene: Scene) -> list[ScheduledEvent]:
    """Raises Mistake."""
    return read_tables(script, {"event": partial(event_of_table, scene)})["event"]


def event_of_table(scene: Scene, table: object) -> ScheduledEvent:
    """Raises BadKey."""
    row = row_of(table, EventRow)
    assert isinstance(table, dict), "it was read as one"
    name = EventName(one_of(row.name, "name", tuple(EVENTS), noun="event"))
    _check_words(name, table.keys())
    side = "SELL" if row.side.lower() == "sell" else "BUY"
    if row.side.upper() != side:
        raise BadKey("side", f"must be buy or sell, not {row.side[:40]!r}")
    if row.what not in TICKS:
        raise BadKey("what", f"must be trade, quote or bar, not {row.what[:40]!r}")
    return ScheduledEvent(
        at_ns=_moment_ns(row.at, scene),
        name=name,
        symbol=traded(row.symbol, scene.symbols),
        amount=exact(row.amount, "amount"),
        ratio=positive(row.ratio, "ratio") or ONE,
        quantity=positive(row.quantity, "quantity"),
        price=positive(row.price, "price"),
        side=Side(side),
        client_order_id=row.client_order_id,
        date=_date(row.date),
        description=row.description or row.reason,
        adjusts_market=row.adjusts_market,
        account=whole(row.account, "account", 0, scene.accounts - 1),
        by_ns=_offset(row.seconds),
        duration_ns=None if row.duration is None else span(row.duration, "duration"),
        what=row.what if name is EventName.BAD_TICK else "",
    )


def happened_shape(happened: Happened) -> Shape:
    event = happened.event
    shape: Shape = {"at": iso(event.at_ns), "name": event.name, "symbol": event.symbol}
    shape |= {"description": event.description, "undone": happened.undone}
    return {key: value for key, value in shape.items() if value}


def _check_words(name: EventName, stated: KeysView[object]) -> None:
    words = EVENTS[name]
    known = ("at", *words.needs, *words.takes)
    missing = [key for key in words.needs if key not in stated]
    check_keys(name, "name", [key for key in stated if key != "name"], known, missing)
    if name is EventName.BAD_TICK and not {"price", "ratio"} & set(stated):
        raise BadKey("name", f"{name} needs price or ratio", remedy="write price = …")


def _moment_ns(written: object, scene: Scene) -> int:
    if written is None and scene.now_ns is not None:
        return scene.now_ns
    if written is None:
        raise BadKey("at", "a market time is wanted", remedy='write at = "10:30"')
    try:
        return moment_ns(written, scene.day)
    except ValueError as error:
        raise BadKey("at", str(error)) from None


def _offset(seconds: Decimal) -> int:
    """In nanoseconds; below zero it is behind."""
    size_ns = span(abs(seconds), "seconds")
    return -size_ns if seconds < ZERO else size_ns


def _date(text: str) -> str:
    if text:
        try:
            moment_ns(f"{text}T00:00", "")
        except ValueError:
            raise BadKey("date", f"no date like 2026-01-26: {text[:40]!r}") from None
    return text
