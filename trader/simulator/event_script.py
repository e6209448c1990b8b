"""Events as a person writes them, [[event]] after [[event]]: a halt, a split, a fee, a bust … at a market time."""

from collections.abc import Collection, KeysView
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
    what: str = "trade"


class EventWords(Struct, frozen=True, kw_only=True):
    """What an event is told, and what of it must be there."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_CASH = EventWords(needs=("amount",), takes=("date", "description", "account"))
_TRADE = ("symbol", "client_order_id")
EVENTS = {
    EventName.HALT: EventWords(needs=("symbol",), takes=("duration", "reason")),
    EventName.RESUME: EventWords(needs=("symbol",)),
    EventName.GAP: EventWords(needs=("symbol", "ratio")),
    EventName.SPLIT: EventWords(needs=("symbol", "ratio"), takes=("adjusts_market",)),
    EventName.DIVIDEND: EventWords(needs=("symbol", "amount"), takes=("date",)),
    EventName.BAD_TICK: EventWords(
        needs=("symbol",), takes=("price", "ratio", "what", "duration", "description")
    ),
    EventName.FEE: _CASH,
    EventName.INTEREST: _CASH,
    EventName.DEPOSIT: _CASH,
    EventName.WITHDRAWAL: _CASH,
    EventName.TRANSFER: EventWords(needs=("symbol", "quantity", "price"), takes=("account",)),
    EventName.TRADE_BUST: EventWords(takes=_TRADE),
    EventName.TRADE_CORRECT: EventWords(takes=(*_TRADE, "price", "quantity")),
    EventName.FILL: EventWords(takes=(*_TRADE, "price", "quantity")),
    EventName.REJECT: EventWords(takes=(*_TRADE, "reason")),
    EventName.HAND_TRADE: EventWords(
        needs=("symbol", "quantity"), takes=("side", "price", "account")
    ),
    EventName.LIQUIDATION: EventWords(takes=("symbol", "account")),
    EventName.DISCONNECT: EventWords(),
    EventName.RESTART: EventWords(),
}


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


def _date(text: str) -> str:
    if text:
        try:
            moment_ns(f"{text}T00:00", "")
        except ValueError:
            raise BadKey("date", f"no date like 2026-01-26: {text[:40]!r}") from None
    return text
