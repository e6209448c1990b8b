"""What the market-data stream tells of a scheduled event: a trading status, a wrong tick and its correction."""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from trader.model import Bar, Quote
from trader.money import price_of, ticks_of
from trader.simulator.market_tape import Tape
from trader.simulator.market_words import MarketWord, TradeCancel, TradeCorrection, TradingStatus
from trader.simulator.scheduled import EventName, ScheduledEvent

HALT_REASON = "T1"
REASONS = {
    "T1": "Halt - News Pending",
    "LUDP": "Volatility Trading Pause",
    "MWC1": "Market Wide Circuit Breaker Halt - Level 1",
}


class Telling(Struct, frozen=True, kw_only=True):
    at_ns: int
    channel: str
    word: MarketWord


def told_of(event: ScheduledEvent, now_ns: int, tape: Tape) -> Iterator[Telling]:
    """Now and later, in order of time."""
    match event.name:
        case EventName.HALT:
            reason = event.description or HALT_REASON
            yield _status(event, now_ns, "H", "Trading Halt", reason)
        case EventName.RESUME:
            yield _status(event, now_ns, "T", "Trading Resumption", "")
        case EventName.BAD_TICK if event.what == "quote":
            yield from _bad_quote(event, now_ns, tape)
        case EventName.BAD_TICK if event.what == "bar":
            yield from _bad_bar(event, now_ns, tape)
        case EventName.BAD_TICK:
            yield from _bad_trade(event, now_ns, tape)
        case _:
            pass


def _status(event: ScheduledEvent, at_ns: int, code: str, words: str, reason: str) -> Telling:
    status = TradingStatus(
        symbol=event.symbol,
        at_ns=at_ns,
        code=code,
        words=words,
        reason=reason,
        reason_words=REASONS.get(reason, ""),
    )
    return Telling(at_ns=at_ns, channel="statuses", word=status)


def _bad_trade(event: ScheduledEvent, at_ns: int, tape: Tape) -> Iterator[Telling]:
    """Later it is cancelled or, where the event has words for it, corrected to what it should have been."""
    last = tape.latest_trade(event.symbol)
    if last is None:
        return
    number = last.number + 1
    bad = replace(last, at_ns=at_ns, number=number, price=_bad_price(event, last.price))
    yield Telling(at_ns=at_ns, channel="trades", word=bad)
    if event.duration_ns is None:
        return
    later_ns = at_ns + event.duration_ns
    if event.description == "correct":
        corrected = replace(bad, price=last.price)
        correction = TradeCorrection(
            symbol=event.symbol, at_ns=later_ns, original=bad, corrected=corrected
        )
        yield Telling(at_ns=later_ns, channel="corrections", word=correction)
    else:
        cancel = TradeCancel(symbol=event.symbol, at_ns=later_ns, trade=bad)
        yield Telling(at_ns=later_ns, channel="cancelErrors", word=cancel)


def _bad_quote(event: ScheduledEvent, at_ns: int, tape: Tape) -> Iterator[Telling]:
    """Its bid is as bad as its ask; later comes the one that was there before."""
    last = tape.quotes.get(event.symbol)
    if last is None:
        return
    bad_bid = _bad_price(event, last.bid or last.ask)
    width = max(last.ask - last.bid, 1)
    bad: Quote = replace(last, at_ns=at_ns, bid=bad_bid, ask=bad_bid + width)
    yield Telling(at_ns=at_ns, channel="quotes", word=bad)
    if event.duration_ns is not None:
        later_ns = at_ns + event.duration_ns
        yield Telling(at_ns=later_ns, channel="quotes", word=replace(last, at_ns=later_ns))


def _bad_bar(event: ScheduledEvent, at_ns: int, tape: Tape) -> Iterator[Telling]:
    """The latest bar once more, with one price too many; later its update, without it."""
    last = tape.bars.get(event.symbol)
    if last is None:
        return
    price = _bad_price(event, last.close)
    bad: Bar = replace(last, high=max(last.high, price), low=min(last.low, price), close=price)
    yield Telling(at_ns=at_ns, channel="bars", word=bad)
    if event.duration_ns is not None:
        yield Telling(at_ns=at_ns + event.duration_ns, channel="updatedBars", word=last)


def _bad_price(event: ScheduledEvent, ticks: int) -> int:
    price = event.price if event.price is not None else price_of(ticks) * event.ratio
    return max(1, ticks_of(price))
