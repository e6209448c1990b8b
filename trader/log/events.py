"""Everything that trader.log can say: a closed union of typed events, described in docs/log-events.md.

Each becomes one line of JSON: timestamp, level, event, symbol, message, then what the event itself has. `sequence` is
the journal entry that it was told from; lines without one come from outside the journal. Amounts are canonical text.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from trader.log.words import outside, visible

Level = Literal["debug", "info", "warning", "error", "alarm"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error", "alarm")
FIRST_KEYS = ("timestamp", "level", "event", "symbol", "message", "sequence")
FIELD_CHARACTERS_MAX = 8_000


class LogEvent(Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events have."""

    timestamp: str
    level: Level = "info"
    symbol: str | None = None
    message: str
    sequence: int | None = None


# --- the program


class LifeBegan(LogEvent, frozen=True, kw_only=True, tag="life_began"):
    """The program has started."""

    epoch: int
    build: str
    version: str
    pid: int
    broker: str
    account: str


class LifeEnded(LogEvent, frozen=True, kw_only=True, tag="life_ended"):
    """The program ends in order; after a crash or a kill there is no such line."""

    exit_code: int


class SessionBegan(LogEvent, frozen=True, kw_only=True, tag="session_began"):
    """A trading day begins."""

    session: str
    equity: str


class GateMoved(LogEvent, frozen=True, kw_only=True, tag="gate_moved"):
    """A condition that all entries need became true or false."""

    gate: str
    is_open: bool
    reason: str


class WorkerReady(LogEvent, frozen=True, kw_only=True, tag="worker_ready"):
    """A symbol's worker is warmed up."""

    worker: str


class WorkerWarming(LogEvent, frozen=True, kw_only=True, tag="worker_warming"):
    """A symbol's worker is fed history; the symbol takes no entries until it is ready."""

    worker: str


class WorkerFailed(LogEvent, frozen=True, kw_only=True, tag="worker_failed"):
    """A symbol's worker failed; the symbol takes no entries until it is back. reason: its traceback, escaped."""

    worker: str
    reason: str


class Halted(LogEvent, frozen=True, kw_only=True, tag="halted"):
    """Somebody stopped all entries; it lasts until somebody resumes, over restarts too."""

    who: str
    reason: str


class Resumed(LogEvent, frozen=True, kw_only=True, tag="resumed"):
    """Somebody allowed entries again and released the brakes."""

    who: str
    reason: str


class SecurityStatus(LogEvent, frozen=True, kw_only=True, tag="security_status"):
    """The exchange halts the trading of a symbol, which takes no entries until it goes on; or it goes on."""

    is_halted: bool
    reason: str


class ReductionBegan(LogEvent, frozen=True, kw_only=True, tag="reduction_began"):
    """A position has to go: no entries, its orders are canceled, then exits until it is flat, over restarts too."""

    kind: str
    who: str
    reason: str


class ReductionEnded(LogEvent, frozen=True, kw_only=True, tag="reduction_ended"):
    """It is flat, with nothing on its way."""

    exits: int


class CommandAnswered(LogEvent, frozen=True, kw_only=True, tag="command_answered"):
    """What a person's command came to: `done`, `nothing` (it is so already) or `refused`; the message says why."""

    command_id: str
    verb: str
    subject: str
    who: str
    outcome: str


# --- requests


class RequestAccepted(LogEvent, frozen=True, kw_only=True, tag="request_accepted"):
    """A request became an order; its cash is reserved."""

    request_id: str
    client_order_id: str
    strategy: str
    side: str
    purpose: str
    quantity: str
    limit_price: str | None
    reason: str


class DuplicateBlocked(LogEvent, frozen=True, kw_only=True, tag="duplicate_blocked"):
    """Requests for what exists already. `count` of them, folded by symbol and minute; the rest is the first one's."""

    request_id: str
    strategy: str
    side: str
    blocking: str
    blocked_by: str
    reason: str
    count: int


class RequestDenied(LogEvent, frozen=True, kw_only=True, tag="request_denied"):
    """A rule said no. `count` requests, folded by symbol, reason and minute; the rest is the first one's."""

    request_id: str
    strategy: str
    side: str
    quantity: str
    limit_price: str | None
    reason: str
    numbers: dict[str, str]
    count: int


# --- orders


class OrderSent(LogEvent, frozen=True, kw_only=True, tag="order_sent"):
    """The order's bytes are about to leave."""

    client_order_id: str
    side: str
    quantity: str
    limit_price: str | None


class OrderAcknowledged(LogEvent, frozen=True, kw_only=True, tag="order_acknowledged"):
    """The broker has the order, or has moved it to another state in which it lives."""

    client_order_id: str
    broker_order_id: str | None
    state: str


class OrderFilled(LogEvent, frozen=True, kw_only=True, tag="order_filled"):
    """One execution, booked."""

    client_order_id: str
    execution_id: str
    side: str
    quantity: str
    price: str
    fees: str
    realized_pnl: str
    quantity_filled: str
    quantity_ordered: str


class OrderUnknown(LogEvent, frozen=True, kw_only=True, tag="order_unknown"):
    """Whether the broker has the order is not known; its cash stays reserved and its symbol takes no entries."""

    client_order_id: str
    side: str
    quantity: str
    limit_price: str | None
    reserved: str
    reason: str


class OrderResolved(LogEvent, frozen=True, kw_only=True, tag="order_resolved"):
    """The broker gave evidence about an order that was UNKNOWN; seconds of market time it took."""

    client_order_id: str
    side: str
    quantity: str
    price: str | None
    state: str
    seconds: float
    reason: str


class OrderEnded(LogEvent, frozen=True, kw_only=True, tag="order_ended"):
    """The order is final: FILLED, CANCELED, EXPIRED, REJECTED (by the broker) or NEVER_SENT."""

    client_order_id: str
    strategy: str
    side: str
    quantity: str
    quantity_filled: str
    price: str | None
    state: str
    reason: str
    was_unknown: bool


class CancelRequested(LogEvent, frozen=True, kw_only=True, tag="cancel_requested"):
    """We want the order gone; it lives until the broker proves it ended."""

    client_order_id: str
    reason: str


class LookupWanted(LogEvent, frozen=True, kw_only=True, tag="lookup_wanted"):
    """The broker is asked about an order that is in doubt."""

    client_order_id: str
    attempts: int
    reason: str


# --- the books


class OpeningBooked(LogEvent, frozen=True, kw_only=True, tag="opening_booked"):
    """The cash that the account held before our first order."""

    cash: str


class BooksMoved(LogEvent, frozen=True, kw_only=True, tag="books_moved"):
    """The books changed without an order of ours: activity, adoption, bust or adjustment; amounts in dollars."""

    kind: str
    reference: str
    cash: str
    quantity: str
    description: str


class Released(LogEvent, frozen=True, kw_only=True, tag="released"):
    """A quarantine is over, because a person said so."""

    who: str
    reason: str


class BooksCompared(LogEvent, frozen=True, kw_only=True, tag="books_compared"):
    """The broker's statement was held against our books."""

    agrees: bool
    cash: str
    positions: int
    open_orders: int


class DifferenceFound(LogEvent, frozen=True, kw_only=True, tag="difference_found"):
    """Our books and the broker's differ: subject cash, position or order."""

    subject: str
    ours: str
    theirs: str


# --- alarms


class Alarm(LogEvent, frozen=True, kw_only=True, tag="alarm"):
    """Something that a person has to know."""

    alarm: str


class Quarantined(LogEvent, frozen=True, kw_only=True, tag="quarantined"):
    """No entries in this symbol (null: in any) until a person has looked; raw is what was heard."""

    reason: str
    raw: str


class BrakeTripped(LogEvent, frozen=True, kw_only=True, tag="brake_tripped"):
    """A limit that stops entries until a person resumes."""

    brake: str
    numbers: dict[str, str]


class LimitChanged(LogEvent, frozen=True, kw_only=True, tag="limit_changed"):
    """A limit is another one than in the life before; who answers for it, and why. Empty: there was, or is, none."""

    limit: str
    before: str
    after: str
    owner: str
    reason: str


class Promoted(LogEvent, frozen=True, kw_only=True, tag="promoted"):
    """A strategy, as it is configured, has the canary's limits no more."""

    strategy: str
    who: str
    reason: str


class LogLost(LogEvent, frozen=True, kw_only=True, tag="log_lost"):
    """The log could not be written for a while; `count` lines are missing before this one."""

    count: int


# --- the rest


class Noted(LogEvent, frozen=True, kw_only=True, tag="noted"):
    """Heard and kept for the record; nothing changed."""

    subject: str


class Program(LogEvent, frozen=True, kw_only=True, tag="program"):
    """What the running program says of itself outside the journal, by subject."""

    subject: str


class Adapter(LogEvent, frozen=True, kw_only=True, tag="adapter"):
    """What the broker's adapter did: each request and its answer, connections."""

    logger: str


class Library(LogEvent, frozen=True, kw_only=True, tag="library"):
    """What a library has logged."""

    logger: str


Event = (
    LifeBegan
    | LifeEnded
    | SessionBegan
    | GateMoved
    | WorkerReady
    | WorkerWarming
    | WorkerFailed
    | Halted
    | Resumed
    | SecurityStatus
    | ReductionBegan
    | ReductionEnded
    | CommandAnswered
    | RequestAccepted
    | DuplicateBlocked
    | RequestDenied
    | OrderSent
    | OrderAcknowledged
    | OrderFilled
    | OrderUnknown
    | OrderResolved
    | OrderEnded
    | CancelRequested
    | LookupWanted
    | OpeningBooked
    | BooksMoved
    | Released
    | BooksCompared
    | DifferenceFound
    | Alarm
    | Quarantined
    | BrakeTripped
    | LimitChanged
    | Promoted
    | LogLost
    | Noted
    | Program
    | Adapter
    | Library
)

_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_ENCODER = msgspec.json.Encoder()


def line_of(event: Event) -> bytes:
    """The event as one line of JSON, its line end included; nothing in it can pass for another line."""
    fields = {"event": event.__struct_config__.tag, **msgspec.structs.asdict(event)}
    ordered = {key: fields.pop(key) for key in FIRST_KEYS} | fields
    if ordered["sequence"] is None:
        del ordered["sequence"]
    is_ours = isinstance(event, DuplicateBlocked)
    harmless = {
        key: _harmless(value, is_ours=is_ours and key == "message")
        for key, value in ordered.items()
    }
    return _ENCODER.encode(harmless) + b"\n"


def event_of(line: bytes) -> Event:
    """The event of a line; raises msgspec.MsgspecError or UnicodeDecodeError when it is not one of ours."""
    return _DECODER.decode(line)


def _harmless(value: object, *, is_ours: bool) -> object:
    match value:
        case str():
            shown = visible if is_ours else outside
            return shown(value, FIELD_CHARACTERS_MAX)
        case dict():
            return {
                outside(str(name)): _harmless(one, is_ours=False) for name, one in value.items()
            }
        case _:
            return value
