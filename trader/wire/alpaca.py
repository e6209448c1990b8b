"""Alpaca's trading REST: the body of an order, and the objects of its replies as our reports."""

from decimal import Decimal
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from trader.calendar import parse_iso
from trader.messages import Claim, ExecutionCorrected, OrderReport
from trader.model import (
    SECOND_NS,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    Side,
    Symbol,
)
from trader.money import MONEY_MAX, ZERO, amount, canonical
from trader.wire.alpaca_claims import claim_of_status
from trader.wire.unreadable import Unreadable, reading, shown

# Bounds of what we take from outside. 40 digits are more than any amount has; `money.amount` judges the value.
Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
# Dots alone would be steps of a path: "/v2/orders/." is "/v2/orders", and a DELETE of that cancels every order.
OrderName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"[^.]")]
Word = Annotated[str, Meta(max_length=64)]
Number = Annotated[str, Meta(max_length=40)]
Stamp = Annotated[str, Meta(max_length=64)] | msgspec.msgpack.Ext

# --- what is sent


class NewOrderBody(Struct, frozen=True, kw_only=True):
    """The body of POST /v2/orders, every amount a string."""

    symbol: str
    qty: str
    side: str
    type: str
    time_in_force: str
    limit_price: str | UnsetType = UNSET
    stop_price: str | UnsetType = UNSET
    trail_percent: str | UnsetType = UNSET
    client_order_id: str
    position_intent: str
    extended_hours: bool | UnsetType = UNSET


def submit_body(order: Order) -> bytes:
    """The same order always gives the same bytes; the intent tells Alpaca that we neither short nor cover."""
    return msgspec.json.encode(
        NewOrderBody(
            symbol=order.symbol,
            qty=canonical(order.quantity),
            side=order.side.lower(),
            type=order.order_type,
            time_in_force=order.time_in_force,
            limit_price=_price(order.limit_price),
            stop_price=_price(order.stop_price),
            trail_percent=_price(None if order.trail is None else order.trail * 100),
            client_order_id=order.client_order_id,
            position_intent="buy_to_open" if order.side is Side.BUY else "sell_to_close",
            extended_hours=order.extended_hours or UNSET,
        )
    )


def _price(value: Decimal | None) -> str | UnsetType:
    return UNSET if value is None else canonical(value)


def by_client_order_id(client_order_id: str) -> str:
    """The request target that asks for an order by our id."""
    return f"/v2/orders:by_client_order_id?client_order_id={quote(client_order_id, safe='')}"


def by_order_id(broker_order_id: str) -> str:
    """The request target of an order by the broker's id; nothing in the id can lead elsewhere."""
    return f"/v2/orders/{quote(broker_order_id, safe='')}"


# --- what is received


class OrderMessage(Struct, frozen=True, kw_only=True):
    """An order object; of its thirty-odd keys the ones that we judge by."""

    id: OrderName
    client_order_id: Identifier
    symbol: Word | None  # empty where it has several legs, as is the side
    side: Word | None
    status: Word
    filled_qty: Number
    order_class: Word | None = None
    qty: Number | None = None  # None for an order in dollars: never ours
    time_in_force: Word = "day"
    submitted_at: Stamp | None = None
    updated_at: Stamp | None = None


MULTI_LEG = "MULTI-LEG"  # what an order that has no symbol of its own is about; no exchange has such a symbol


def has_legs(order: OrderMessage) -> bool:
    """An order of options with several legs: never ours, and not to keep us from reading the others."""
    return order.order_class == "mleg"


def symbol_of(order: OrderMessage) -> Symbol:
    """What it is about; raises ValueError where it should say so and doesn't."""
    if not order.symbol and not has_legs(order):
        raise ValueError("an order without a symbol")
    return Symbol(order.symbol or MULTI_LEG)


class FillMessage(Struct, frozen=True, kw_only=True):
    """An activity of type FILL: one execution. `id` is a time and, after '::', the execution's id."""

    id: Identifier
    order_id: OrderName
    symbol: Identifier
    side: Word
    price: Number
    qty: Number
    cum_qty: Number
    type: Word
    transaction_time: Stamp | None = None
    previous_id: Identifier | None = None  # of the execution that a bust or a correction is about


class PositionMessage(Struct, frozen=True, kw_only=True):
    """What the account holds of one symbol; `side` is long or short."""

    symbol: Identifier
    qty: Number
    side: Word = "long"
    cost_basis: Number | None = None


class AccountMessage(Struct, frozen=True, kw_only=True):
    """The account; fees that it owes but has not paid are in accrued_fees."""

    account_number: Identifier
    status: Word
    currency: Word
    cash: Number
    accrued_fees: Number | None = None
    buying_power: Number | None = "0"
    trading_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False


class ActivityMessage(Struct, frozen=True, kw_only=True):
    """What moved the account without a trade; `date` is New York's."""

    id: Identifier
    activity_type: Word
    date: Word | None = None
    net_amount: Number | None = None
    symbol: Identifier | None = None
    qty: Number | None = None
    description: Annotated[str, Meta(max_length=2_000)] | None = None
    status: Word | None = None


class ClockMessage(Struct, frozen=True, kw_only=True):
    """The broker's clock; its stamp has a New York offset."""

    timestamp: Stamp


class ErrorBody(Struct, frozen=True, kw_only=True):
    """A refusal in the broker's own words; without them a 4xx may come from anybody on the way."""

    message: str
    code: Annotated[int, Meta(ge=-(10**9), le=10**9)] | None = None


_ORDER = msgspec.json.Decoder(OrderMessage)
_ORDERS = msgspec.json.Decoder(list[OrderMessage])
_FILLS = msgspec.json.Decoder(list[FillMessage])
_ACTIVITIES = msgspec.json.Decoder(list[ActivityMessage])
_POSITIONS = msgspec.json.Decoder(list[PositionMessage])
_ACCOUNT = msgspec.json.Decoder(AccountMessage)
_CLOCK = msgspec.json.Decoder(ClockMessage)
_ERROR = msgspec.json.Decoder(ErrorBody)
_SECONDS_END = parse_iso("2199-12-31T23:59:59Z") // SECOND_NS + 1
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}


def decode_order(body: bytes) -> OrderMessage:
    """Raises Unreadable, as do the four below."""
    with reading("order"):
        return _ORDER.decode(body)


def decode_orders(body: bytes) -> list[OrderMessage]:
    with reading("list of orders"):
        return _ORDERS.decode(body)


def decode_fills(body: bytes) -> list[FillMessage]:
    with reading("list of fills"):
        return _FILLS.decode(body)


def decode_positions(body: bytes) -> list[PositionMessage]:
    with reading("list of positions"):
        return _POSITIONS.decode(body)


def decode_activities(body: bytes) -> list[ActivityMessage]:
    with reading("activity"):
        return _ACTIVITIES.decode(body)


def decode_account(body: bytes) -> AccountMessage:
    with reading("account"):
        return _ACCOUNT.decode(body)


def decode_clock(body: bytes) -> ClockMessage:
    with reading("clock"):
        return _CLOCK.decode(body)


def decode_error(body: bytes) -> ErrorBody | None:
    """The broker's refusal, or None where the body is not one (a proxy's page, nothing at all)."""
    try:
        with reading("error"):
            return _ERROR.decode(body)
    except Unreadable:
        return None


def refusal_text(status: int, body: bytes) -> str:
    """An error reply in words that are safe to print."""
    error = decode_error(body)
    if error is None:
        return f"HTTP {status}: {shown(body, 80)}"
    code = "" if error.code is None else f" {error.code}"
    return f"HTTP {status}{code}: {shown(error.message)}"


# --- reports


def order_report(message: OrderMessage, source: str) -> OrderReport:
    """What an order object claims; raises Unreadable where its numbers are not amounts."""
    with reading("order"):
        claim, reason = claim_of_status(message.status, message.time_in_force)
        return OrderReport(
            client_order_id=ClientOrderId(message.client_order_id),
            broker_order_id=BrokerOrderId(message.id),
            symbol=symbol_of(message),
            side=Side.BUY if has_legs(message) and not message.side else side_of(message.side),
            claim=claim,
            quantity=None if message.qty is None else quantity_of(message.qty),
            quantity_cumulative=quantity_of(message.filled_qty),
            at_ns=time_of(message.updated_at, message.submitted_at),
            source=source,
            reason=reason,
        )


CORRECTIONS = frozenset({"trade_bust", "trade_correct"})
EXECUTIONS = {"fill": Claim.FILLED, "partial_fill": Claim.PARTIALLY_FILLED}


def fill_report(fill: FillMessage, client_order_id: str) -> OrderReport | ExecutionCorrected:
    """One execution out of the broker's ledger, or what became of one."""
    if fill.type in CORRECTIONS and fill.previous_id is not None:
        return _corrected(fill, client_order_id, fill.previous_id)
    is_execution = fill.type in EXECUTIONS
    with reading("fill"):
        at_ns = time_of(fill.transaction_time)
        cumulative = quantity_of(fill.cum_qty)
        execution = execution_of(execution_id(fill), fill.qty, fill.price, cumulative, at_ns)
        return OrderReport(
            client_order_id=ClientOrderId(client_order_id),
            broker_order_id=BrokerOrderId(fill.order_id),
            symbol=Symbol(fill.symbol),
            side=side_of(fill.side),
            claim=EXECUTIONS.get(fill.type, Claim.FOREIGN_CHANGE),
            quantity=None,
            quantity_cumulative=cumulative,
            execution=execution if is_execution else None,
            at_ns=at_ns,
            source="activity",
            reason="" if is_execution else f"an activity of type {shown(fill.type)}",
        )


def _corrected(fill: FillMessage, client_order_id: str, previous_id: str) -> ExecutionCorrected:
    with reading("fill"):
        at_ns, cumulative = time_of(fill.transaction_time), quantity_of(fill.cum_qty)
        replacement = None
        if fill.type == "trade_correct":
            replacement = execution_of(execution_id(fill), fill.qty, fill.price, cumulative, at_ns)
    return ExecutionCorrected(
        client_order_id=ClientOrderId(client_order_id),
        symbol=Symbol(fill.symbol),
        execution_id=ExecutionId(previous_id.rpartition("::")[2]),
        replacement=replacement,
        at_ns=at_ns,
        reason=fill.type,
    )


def execution_id(fill: FillMessage) -> str:
    """The id that the stream gives the same execution."""
    return fill.id.rpartition("::")[2]


def execution_of(
    execution: str, quantity: str, price: str, cumulative: Decimal, at_ns: int
) -> Execution:
    """Raises AmountError or ValueError unless something was traded for a price, and the books can hold it."""
    traded, paid = amount(quantity), amount(price)
    if traded <= ZERO or paid <= ZERO or traded * paid > MONEY_MAX:
        raise ValueError(f"an execution of {shown(quantity, 40)} at {shown(price, 40)}")
    return Execution(
        execution_id=ExecutionId(execution),
        quantity=traded,
        price=paid,
        quantity_cumulative=cumulative,
        at_ns=at_ns,
    )


def side_of(word: str | None) -> Side:
    """Raises ValueError for anything but a buy or a sell."""
    side = _SIDES.get(word or "")
    if side is None:
        raise ValueError(f"neither buy nor sell: {shown(word or '', 40)}")
    return side


def quantity_of(text: str) -> Decimal:
    """Raises AmountError or ValueError unless the text is a quantity, 0 or more."""
    value = amount(text)
    if value < ZERO:
        raise ValueError(f"a negative quantity: {shown(text, 40)}")
    return value


def time_of(*stamps: Stamp | None) -> int:
    """The first stamp that is a time, else 0: nothing is ever decided by the broker's clock."""
    for stamp in stamps:
        if stamp is None:
            continue
        try:
            return stamp_ns(stamp)
        except ValueError:
            continue
    return 0


def stamp_ns(stamp: str | msgspec.msgpack.Ext) -> int:
    """Nanoseconds of an RFC 3339 text or of MessagePack's timestamp extension, exact; raises ValueError."""
    if isinstance(stamp, str):
        return parse_iso(stamp)
    seconds, nanoseconds = _timestamp(stamp)
    # As of the texts: no time that a database, or a calendar, could not hold.
    if not (0 <= seconds < _SECONDS_END and nanoseconds < SECOND_NS):
        raise ValueError(f"not a time before 2200: {seconds} s and {nanoseconds} ns")
    return seconds * SECOND_NS + nanoseconds


def _timestamp(stamp: msgspec.msgpack.Ext) -> tuple[int, int]:
    data = bytes(stamp.data)
    if stamp.code == -1 and len(data) == 8:
        number = int.from_bytes(data, "big")
        return number & 0x3_FFFF_FFFF, number >> 34
    if stamp.code == -1 and len(data) == 4:
        return int.from_bytes(data, "big"), 0
    if stamp.code == -1 and len(data) == 12:
        return int.from_bytes(data[4:], "big", signed=True), int.from_bytes(data[:4], "big")
    raise ValueError(f"extension {stamp.code} of {len(data)} bytes is not a timestamp")
