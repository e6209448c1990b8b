"""Alpaca's trading stream: frames of JSON or MessagePack, text or binary, as reports and signs of the handshake."""

import msgspec
from msgspec import Raw, Struct

from trader.messages import Claim, ExecutionCorrected, OrderReport
from trader.model import BrokerOrderId, ClientOrderId, ExecutionId, Symbol
from trader.money import ZERO
from trader.wire.alpaca import (
    CORRECTIONS,
    Identifier,
    Number,
    OrderMessage,
    OrderName,
    Stamp,
    Word,
    execution_of,
    order_report,
    quantity_of,
    side_of,
    symbol_of,
    time_of,
)
from trader.wire.alpaca_claims import claim_of_event
from trader.wire.encodings import as_bytes, decoded
from trader.wire.unreadable import Unreadable, reading, shown

TRADE_UPDATES = "trade_updates"
_FILL_EVENTS = frozenset({"fill", "partial_fill"})


# --- what is sent


class _Authenticate(Struct, frozen=True, kw_only=True, tag="auth", tag_field="action"):
    key: str
    secret: str


class _Streams(Struct, frozen=True, kw_only=True):
    streams: tuple[str, ...]


class _Listen(Struct, frozen=True, kw_only=True, tag="listen", tag_field="action"):
    data: _Streams


def authenticate(key: str, secret: str) -> str:
    """The first message of a connection."""
    return msgspec.json.encode(_Authenticate(key=key, secret=secret)).decode()


def listen() -> str:
    """The second: we want the reports of our orders."""
    return msgspec.json.encode(_Listen(data=_Streams(streams=(TRADE_UPDATES,)))).decode()


# --- what is received


class Authorization(Struct, frozen=True, kw_only=True):
    """Whether the keys were taken."""

    status: Word


class Listening(Struct, frozen=True, kw_only=True):
    """What this connection will hear."""

    streams: list[Word]


class StreamFailure(Struct, frozen=True, kw_only=True):
    """The server gives up on this connection, in its own words."""

    error_message: str = ""


class UnknownFrame(Struct, frozen=True, kw_only=True):
    """Well-formed, and of a stream that we know nothing of."""

    stream: str


TradingFrame = (
    Authorization | Listening | StreamFailure | UnknownFrame | OrderReport | ExecutionCorrected
)


class _Envelope(Struct, frozen=True, kw_only=True):
    stream: str = ""
    action: str = ""
    data: Raw = Raw(b"null")


class _TradeUpdate(Struct, frozen=True, kw_only=True):
    event: Word
    order: OrderMessage
    timestamp: Stamp | None = None
    at: Stamp | None = None
    execution_id: Identifier | None = None
    price: Number | None = None
    qty: Number | None = None
    previous_execution_id: Identifier | None = None


class _OrderNamed(Struct, frozen=True, kw_only=True):
    id: OrderName
    client_order_id: Identifier
    symbol: Identifier
    side: Word


class _UpdateNamed(Struct, frozen=True, kw_only=True):
    order: _OrderNamed


def decode_trading(frame: str | bytes) -> TradingFrame:
    """One frame; raises Unreadable. A report whose order can be named but not believed is a FOREIGN_CHANGE."""
    with reading("frame"):
        data, is_json = as_bytes(frame)
        envelope = decoded(data, _Envelope, is_json=is_json)
        if envelope.action == "error":
            return decoded(envelope.data, StreamFailure, is_json=is_json)
        if envelope.stream == "authorization":
            return decoded(envelope.data, Authorization, is_json=is_json)
        if envelope.stream == "listening":
            return decoded(envelope.data, Listening, is_json=is_json)
    if envelope.stream == TRADE_UPDATES:
        return _report(envelope.data, is_json)
    return UnknownFrame(stream=shown(envelope.stream, 40))


def _report(data: Raw, is_json: bool) -> OrderReport | ExecutionCorrected:
    try:
        with reading("trade update"):
            return _believed(decoded(data, _TradeUpdate, is_json=is_json))
    except Unreadable as trouble:
        return _suspicious(data, is_json, str(trouble))


def _corrected(update: _TradeUpdate, previous_id: str) -> ExecutionCorrected:
    order, at_ns = update.order, time_of(update.timestamp, update.at)
    replacement = None
    if update.event == "trade_correct":
        if update.execution_id is None or update.qty is None or update.price is None:
            raise Unreadable("a correction without an execution")
        cumulative = quantity_of(order.filled_qty)
        replacement = execution_of(update.execution_id, update.qty, update.price, cumulative, at_ns)
    return ExecutionCorrected(
        client_order_id=ClientOrderId(order.client_order_id),
        symbol=symbol_of(order),
        execution_id=ExecutionId(previous_id),
        replacement=replacement,
        at_ns=at_ns,
        reason=update.event,
    )


def _believed(update: _TradeUpdate) -> OrderReport | ExecutionCorrected:
    if update.event in CORRECTIONS and update.previous_execution_id is not None:
        return _corrected(update, update.previous_execution_id)
    order = order_report(update.order, "stream")
    claim, reason = claim_of_event(update.event, update.order.time_in_force)
    at_ns = time_of(update.timestamp, update.at, update.order.updated_at)
    execution = None
    # Without its details a fill is a claim: the executor asks for the execution.
    if update.event in _FILL_EVENTS and update.execution_id and update.qty and update.price:
        cumulative = quantity_of(update.order.filled_qty)
        execution = execution_of(update.execution_id, update.qty, update.price, cumulative, at_ns)
    return msgspec.structs.replace(
        order, claim=claim, reason=reason, execution=execution, at_ns=at_ns
    )


def _suspicious(data: Raw, is_json: bool, why: str) -> OrderReport:
    with reading("trade update"):
        order = decoded(data, _UpdateNamed, is_json=is_json).order
        return OrderReport(
            client_order_id=ClientOrderId(order.client_order_id),
            broker_order_id=BrokerOrderId(order.id),
            symbol=Symbol(order.symbol),
            side=side_of(order.side),
            claim=Claim.FOREIGN_CHANGE,
            quantity=None,
            quantity_cumulative=ZERO,
            at_ns=0,
            source="stream",
            reason=why,
        )
