"""The line that a person at the terminal reads: a time, what happened, and why, in columns; most events have none."""

from decimal import Decimal

from trader import calendar
from trader.log import events as log
from trader.log.events import Event
from trader.money import CENT, rounded

LEFT_CHARACTERS = 36  # before the reason
_BLOCKED_BY = {
    "decision": "this decision has its order already",
    "live_order": "an order is there already",
    "unknown_order": "an order is in doubt",
    "position": "the position is there already",
    "reduction": "the position is on its way out already",
}


class Transcript:
    """The lines of one screen: where one has said that a gate was closed, one says that all are open again."""

    def __init__(self) -> None:
        self._closed: set[str] = set()

    def line(self, event: Event) -> str | None:
        """'09:46 BUY      JD    33 @ 31.92  FILLED    sma-crossover: ...', None for what is only for the log."""
        told = _order_line(event) or _request_line(event) or _notice_line(event)
        if isinstance(event, log.GateMoved) and not event.is_open:
            self._closed.add(event.gate)
        elif isinstance(event, log.GateMoved) and event.gate in self._closed:
            self._closed.discard(event.gate)
            if not self._closed:
                told = "OPEN", f"every gate is open again: {event.reason}"
        return None if told is None else _in_columns(event, *told)


def _in_columns(event: Event, left: str, reason: str) -> str:
    clock = calendar.clock_text(calendar.parse_iso(event.timestamp))
    return f"{clock} {left:<{LEFT_CHARACTERS}} {reason}".rstrip()


def _order_line(event: Event) -> tuple[str, str] | None:
    match event:
        case log.OrderEnded(was_unknown=False):
            part = ""
            if event.state != "FILLED" and event.quantity_filled != "0":
                part = f"{event.quantity_filled} of {event.quantity} filled; "
            return _order(event.side, event, event.price, event.state), part + event.reason
        case log.OrderUnknown():
            stays = f"{Decimal(event.reserved):,.2f} stays reserved, {event.symbol} closed"
            if event.reserved == "0":
                stays = "it counts as live until the broker answers"
            reason = f"{event.reason}; {stays}" if event.reason else stays
            return _order(event.side, event, event.limit_price, "UNKNOWN"), reason
        case log.OrderResolved():
            return _order(event.side, event, event.price, event.state), event.reason
        case _:
            return None


def _request_line(event: Event) -> tuple[str, str] | None:
    match event:
        case log.DuplicateBlocked():
            left = f"DUPLICATE {event.side} BLOCKED: {event.symbol}  x{event.count}"
            return left, event.reason or _BLOCKED_BY.get(event.blocking, event.blocking)
        case log.RequestDenied():
            repeats = f"x{event.count}" if event.count > 1 else ""
            left = _order("DENIED", event, event.limit_price, repeats)
            return left, f"{event.reason}: {_why_denied(event)}".removesuffix(": ")
        case _:
            return None


def _why_denied(event: log.RequestDenied) -> str:
    numbers = event.numbers
    if event.reason == "price_collar" and {"price", "quote", "deviation"} <= numbers.keys():
        way = "above" if Decimal(numbers["price"]) > Decimal(numbers["quote"]) else "below"
        return f"{Decimal(numbers['deviation']):.0%} {way} the quote {numbers['quote']}"
    return ", ".join(f"{name} {value}" for name, value in numbers.items())


def _notice_line(event: Event) -> tuple[str, str] | None:
    match event:
        case log.Halted() | log.Resumed():
            word = "HALTED" if isinstance(event, log.Halted) else "RESUMED"
            return word, f"{event.who}: {event.reason}"
        case log.SecurityStatus():
            return f"{'HALT' if event.is_halted else 'RESUME':<8} {event.symbol}", event.message
        case log.ReductionBegan():
            return f"{event.kind.upper():<8} {event.symbol}", f"{event.who}: {event.reason}"
        case log.ReductionEnded():
            return f"{'FLAT':<8} {event.symbol}", f"exits: {event.exits}"
        case log.GateMoved(is_open=False, gate="shutdown"):
            return None
        case log.GateMoved(is_open=False):
            return "CLOSED", f"entries, by the gate {event.gate}: {event.reason}"
        case log.WorkerFailed():
            return f"{'FAILED':<8} {event.symbol}", event.message
        case log.Program(level="warning" | "error" | "alarm"):
            return event.subject.upper(), event.message
        case _ if event.level == "alarm":
            return f"{'ALARM':<8} {event.symbol or ''}", event.message
        case _:
            return None


_Ordered = log.OrderEnded | log.OrderUnknown | log.OrderResolved | log.RequestDenied


def _order(word: str, event: _Ordered, price: str | None, state: str) -> str:
    symbol = event.symbol or ""
    quantity = f"{event.quantity:>{max(8 - len(symbol), len(event.quantity) + 1)}}"
    return f"{word:<8} {symbol}{quantity} @ {_price(price):<6} {state:<9}"


def _price(price: str | None) -> str:
    """Cents, or as many decimals (up to four) as there are."""
    if price is None:
        return "market"
    value = Decimal(price)
    cents = rounded(value, CENT)
    return f"{cents:,.2f}" if cents == value else f"{value:,.4f}"
