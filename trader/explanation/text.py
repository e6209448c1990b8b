"""An explanation as aligned, short lines; times are New York's, and nothing from outside can steer a terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from decimal import Decimal

from trader import calendar
from trader.explanation.facts import (
    Decision,
    Explained,
    Happening,
    Holding,
    OrderExplained,
    OrderNow,
    RequestExplained,
    RuleSeen,
    SymbolExplained,
)
from trader.log.words import outside, visible
from trader.model import SECOND_NS
from trader.money import AmountError, amount

LABEL, CLOCK, WIDTH = 10, 10, 100
BUILD_CHARACTERS = 7
LINE_CHARACTERS_MAX = 1_000
_MARKS = {"passed": "ok", "objected": "NO"}
_KINDS = {
    "request": "decided",
    "send_started": "sent",
    "send_outcome": "answer",
    "order_report": "report",
    "cancel_outcome": "cancel",
    "lookup_missed": "asked",
    "boot": "restart",
    "execution_corrected": "corrected",
    "resolution": "resolved",
}


def lines_of(explained: Explained) -> Iterator[str]:
    """The lines, without their ends."""
    match explained:
        case OrderExplained():
            told = _order(explained)
        case RequestExplained():
            told = _request(explained)
        case SymbolExplained():
            told = _symbol(explained)
    yield from (visible(line.rstrip(), LINE_CHARACTERS_MAX) for line in told)


# ------------------------------------------------------------------------------------------------ the three


def _symbol(symbol: SymbolExplained) -> Iterator[str]:
    held = symbol.holding
    yield f"{symbol.symbol}: session {symbol.session or 'none yet'}, {symbol.process}"
    yield ""
    yield _line("position", symbol.timestamp, _position(held))
    for order in symbol.orders:
        yield _line("order", "", _order_now(order))
    if not symbol.orders:
        yield _line("orders", "", "none on its way")
    yield from _entries(symbol)
    yield ""
    shown, whole = sum(one.count for one in symbol.decisions), symbol.decisions_session
    if not whole:
        yield "nobody has asked for anything in this session: no strategy wished, or it was not told"
        return
    yield f"{whole} requests in this session" + (f", the last {shown}:" if shown < whole else ":")
    for decision in symbol.decisions:
        yield from _decision_short(decision)
    last = symbol.decisions[-1]
    yield ""
    yield f"more: bin/trade explain {last.request_id}"


def _entries(symbol: SymbolExplained) -> Iterator[str]:
    if symbol.entries == "open":
        yield _line("entries", "", "open: no rule stands against one at the mark")
    elif not symbol.objections:
        yield _line("entries", "", f"closed: {symbol.process}")
    for number, rule in enumerate(symbol.objections):
        label = "" if number else "entries"
        yield _line(label, "", f"closed: {rule.name} ({_listed(rule.numbers)})")


def _request(request: RequestExplained) -> Iterator[str]:
    order = request.order
    others = [one for one in request.decisions if order is None or order.decision != one]
    for number, decision in enumerate(others):
        if number:
            yield ""
        yield f"request {request.request_id}: {_verdict(decision)}"
        yield ""
        yield from _decision(decision)
    if order is not None:
        if others:
            yield ""
        yield from _order(order)


def _order(order: OrderExplained) -> Iterator[str]:
    yield f"order {order.client_order_id}: {_summary(order)}"
    yield f"      {order.broker_order_id or 'no id'} at the broker"
    yield ""
    session = ""
    if order.decision is None:
        yield "this program did not send it; it was heard of, and its symbol quarantined"
        yield ""
    else:
        yield from _decision(order.decision)
        session = order.decision.session
    for happening in order.happenings:
        if happening.session != session:
            session = happening.session
            yield _line("session", "", session)
        yield from _happening(happening)
    if order.blocked:
        first = order.blocked[0]
        times = f"{len(order.blocked)} requests ran into it, the first: {first.request_id}"
        yield _line("blocked", first.timestamp, times)


def _summary(order: OrderExplained) -> str:
    wish = f"{order.side} {_plain(order.quantity)} {order.symbol}".replace("  ", " ")
    if order.state is None:
        return wish
    filled = f"{_plain(order.quantity_filled)} filled"
    price = f" at {_dollars(order.avg_price)}" if order.avg_price else ""
    fees = f", fees {_dollars(order.fees)}" if Decimal(order.fees) else ""
    reason = f" ({outside(order.state_reason)})" if order.state_reason else ""
    return f"{wish}, {order.state}{reason}, {filled}{price}{fees}"


# ------------------------------------------------------------------------------------------------ decisions


def _decision_short(decision: Decision) -> Iterator[str]:
    price = decision.stop or f"@ {_dollars(decision.limit_price)}"
    wish = f"{decision.side:<4} {_plain(decision.quantity or '?'):>5} {price}"
    times = f"  x{decision.count}" if decision.count > 1 else ""
    yield f"  {_clock(decision.timestamp)}  {wish:<20} {_verdict(decision)}{times}"
    yield f"  {'':8}  {decision.request_id}: {outside(decision.reason)}"


def _verdict(decision: Decision) -> str:
    match decision.outcome:
        case "accepted":
            return f"accepted as {decision.client_order_id}"
        case "duplicate_blocked":
            by = f" {decision.client_order_id}" if decision.client_order_id else ""
            return f"DUPLICATE blocked by {decision.why}{by}"
        case _:
            numbers = f" ({_listed(decision.numbers)})" if decision.numbers else ""
            return f"DENIED {decision.why}{numbers}"


def _decision(decision: Decision) -> Iterator[str]:
    quote = decision.quote
    prices = "no quote"
    if quote is not None:
        of = f", quoted {_clock(quote.timestamp)}"
        prices = f"bid {_dollars(quote.bid)}, ask {_dollars(quote.ask)}{of}"
    yield _line("market", decision.market_timestamp, f"{decision.symbol} {prices}")
    limit = f"limit {_dollars(decision.limit_price)}" if decision.limit_price else "at the market"
    limit = decision.stop or limit
    shares = f" = {_plain(decision.quantity)} shares" if decision.quantity is not None else ""
    if decision.size.endswith(" shares"):
        shares = ""
    wish = f"{decision.purpose}, {decision.side} {decision.size}{shares}, {limit}"
    yield _line("request", decision.timestamp, decision.request_id)
    yield _line("", "", wish)
    yield _line("", "", f"{decision.strategy}: {outside(decision.reason)}")
    yield _line("before", "", _position(decision.before))
    yield _line("", "", _money(decision.before))
    where = f"journal entry {decision.sequence}, life {decision.epoch}"
    yield _line("rules", "", f"{where}, build {decision.build[:BUILD_CHARACTERS]}")
    if not decision.is_running_build:
        yield _line("", "", "(another build decided: the rules shown are those of this one)")
    yield from _rules(decision.rules)
    yield _line("outcome", decision.timestamp, _verdict(decision))
    if decision.decided_now:
        yield _line("", "", f"these rules would decide otherwise: {decision.decided_now}")


def _rules(rules: Iterable[RuleSeen]) -> Iterator[str]:
    left: list[str] = []
    for rule in rules:
        if rule.verdict == "not asked":
            left.append(rule.name)
            continue
        yield f"      {_MARKS[rule.verdict]}  {rule.name:<20} {_listed(rule.numbers)}"
        if rule.verdict == "objected":
            yield f"          {rule.says}"
    if left:
        yield from textwrap.wrap(
            f"not asked: {', '.join(left)}",
            WIDTH,
            initial_indent=" " * LABEL,
            subsequent_indent=" " * LABEL,
        )


# ----------------------------------------------------------------------------------------------- happenings


def _happening(happening: Happening) -> Iterator[str]:
    if happening.kind != "request":
        yield _line(
            _KINDS.get(happening.kind, happening.kind), happening.timestamp, _said(happening)
        )
    elif happening.state_after is not None:
        yield _line("intent", happening.timestamp, "written down before anything is sent")
    if (one := happening.execution) is not None:
        amounts = f"{_plain(one.quantity)} at {_dollars(one.price)}"
        yield _line("", "", f"execution {one.execution_id}: {amounts}")
    for note in happening.notes:
        yield _line("", "", outside(note))
    before, after = happening.before, happening.after
    for number, posting in enumerate(happening.postings):
        moved = _dollars(posting.amount) if posting.instrument == "USD" else _plain(posting.amount)
        leg = f"{posting.account:<18} {moved:>14} {posting.instrument}"
        yield _line("" if number else "  books", "", leg)
    if before is not None and after is not None:
        yield from _changes(before, after)


def _said(happening: Happening) -> str:
    source = f"{happening.source}: " if happening.source else ""
    words = outside(happening.says)
    if happening.kind == "send_started":
        words = "the last checks passed, the bytes leave"
    moved = ""
    if happening.state_before != happening.state_after:
        moved = f"{happening.state_before or 'no order'} -> {happening.state_after}"
    told = happening.told_at
    at = f" (of {_clock(told)})" if told and _clock(told) != _clock(happening.timestamp) else ""
    return "; ".join(one for one in (f"{source}{words}{at}", moved) if one)


def _changes(before: Holding, after: Holding) -> Iterator[str]:
    for name, was, now in (
        ("position", _position(before), _position(after)),
        ("cash", _dollars(before.cash), _dollars(after.cash)),
        ("reserved", _dollars(before.cash_reserved), _dollars(after.cash_reserved)),
        ("realized", _dollars(before.realized), _dollars(after.realized)),
    ):
        if was != now:
            yield _line("", "", f"{name:<10} {was} -> {now}")


# --------------------------------------------------------------------------------------------------- words


def _line(label: str, timestamp: str, text: str) -> str:
    clock = _clock(timestamp) if timestamp else ""
    return f"{label:<{LABEL}}{clock:<{CLOCK}}{text}"


def _clock(timestamp: str) -> str:
    """New York's HH:MM:SS; nothing before the first clock input."""
    at_ns = calendar.parse_iso(timestamp)
    if not at_ns:
        return ""
    return f"{calendar.clock_text(at_ns)}:{at_ns // SECOND_NS % 60:02}"


def _position(held: Holding) -> str:
    if held.avg_cost is None:
        return "flat"
    owner = f", {outside(held.strategy)}" if held.strategy else ""
    return f"{_plain(held.quantity)} at {_dollars(held.avg_cost)}{owner}"


def _money(held: Holding) -> str:
    reserved = f", {_dollars(held.cash_reserved)} of it reserved"
    return f"cash {_dollars(held.cash)}{reserved}, equity {_dollars(held.equity)}"


def _order_now(order: OrderNow) -> str:
    filled = f"{_plain(order.quantity_filled)} of {_plain(order.quantity)} filled"
    reason = f": {outside(order.state_reason)}" if order.state_reason else ""
    price = order.stop or f"@ {_dollars(order.limit_price)}"
    return f"{order.side} {price}, {order.state}{reason}, {filled}, {order.client_order_id}"


def _listed(numbers: dict[str, str]) -> str:
    return ", ".join(f"{name} {outside(value)}" for name, value in numbers.items())


def _dollars(text: str | None) -> str:
    """Cents, or as many decimals as there are; 'market' where there is no price."""
    if text is None:
        return "market"
    value = _amount(text)
    if value is None:
        return text
    cents = f"{value:,.2f}"
    return cents if Decimal(cents.replace(",", "")) == value else f"{value:,f}"


def _plain(text: str) -> str:
    value = _amount(text)
    return text if value is None else f"{value:,f}"


def _amount(text: str) -> Decimal | None:
    """None for what isn't an amount, and for one whose digits would fill the screen."""
    try:
        return amount(text)
    except AmountError:
        return None
