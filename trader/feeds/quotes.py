"""Quotes as columns: which of them could be decided on and traded with, and which one stands at a moment."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from trader.calendar import HOUR_NS, iso, new_york_date
from trader.feeds.columns import Column, Flags
from trader.market_guard import JUMP_PER_MILLE_MAX, PRICE_MAX, SHARES_MAX, Guard, Rejection
from trader.model import MINUTE_NS, Quote, Symbol
from trader.money import canonical, price_of

NUMBERS = ("at_ns", "bid", "bid_size", "ask", "ask_size")


class Quotes(Struct, frozen=True, kw_only=True):
    """All quotes of one symbol, one of each moment, in order of time; int64.

    at_ns is when a quote is known, nanoseconds since 1970 (UTC); bid and ask are price ticks, 0 where there is no side.
    """

    symbol: Symbol
    at_ns: Column
    bid: Column
    bid_size: Column
    ask: Column
    ask_size: Column

    def __len__(self) -> int:
        return len(self.at_ns)

    def quote(self, place: int) -> Quote:
        return Quote(
            symbol=self.symbol, **{name: int(getattr(self, name)[place]) for name in NUMBERS}
        )

    def standing(self, at_ns: int) -> Quote | None:
        """The last that is known at that moment."""
        place = self.place_after(at_ns) - 1
        return self.quote(place) if place >= 0 else None

    def place_after(self, at_ns: int) -> int:
        """Of the first that is known later."""
        return int(self.at_ns.searchsorted(at_ns, side="right"))


def quotes_of(symbol: Symbol, numbers: Iterable[Column]) -> Quotes:
    """Numbers in the order of NUMBERS, by time. Of several of one moment the last stands."""
    at_ns, *sides = numbers
    lasts = np.append(at_ns[1:] != at_ns[:-1], at_ns[-1:] > 0)
    kept = (column[lasts] for column in (at_ns, *sides))
    return Quotes(symbol=symbol, **dict(zip(NUMBERS, kept, strict=True)))


def dates_of(at_ns: Column) -> frozenset[str]:
    """New York's, of these moments. Raises ValueError beyond the calendar."""
    return frozenset(new_york_date(int(hour) * HOUR_NS) for hour in np.unique(at_ns // HOUR_NS))


def known_ns(stamps: Column) -> Column:
    """Stamps that are all on whole minutes are those of the last quote of the minute that begins there."""
    return stamps if (stamps % MINUTE_NS).any() else stamps + MINUTE_NS


def chosen(quotes: Quotes, flags: Flags) -> Quotes:
    """Those whose flag is set."""
    numbers = {name: getattr(quotes, name)[flags] for name in NUMBERS}
    return Quotes(symbol=quotes.symbol, **numbers)


def between(quotes: Quotes, first_ns: int, last_ns: int) -> Quotes:
    """Those that are known after the one moment and no later than the other."""
    return chosen(quotes, (quotes.at_ns > first_ns) & (quotes.at_ns <= last_ns))


def joined(parts: Sequence[Quotes]) -> Quotes:
    """One after the other, of one symbol: at least one."""
    if len(parts) == 1:
        return parts[0]
    numbers = (np.concatenate([getattr(one, name) for one in parts]) for name in NUMBERS)
    return quotes_of(parts[0].symbol, numbers)


# --- which are fit


def fit_quotes(quotes: Quotes) -> tuple[Quotes, list[str]]:
    """As the guard of a run has it, and a line about each that isn't; each day begins anew, for there may be splits.

    Nothing that comes later decides about a quote. One with a single side is fit.
    """
    keeps, lines = np.ones(len(quotes), dtype=np.bool_), []
    for place, why, trusted in _unfit(quotes):
        keeps[place] = False
        lines.append(_line(quotes.quote(place), why, trusted))
    return (chosen(quotes, keeps) if lines else quotes), lines


def _unfit(quotes: Quotes) -> Iterator[tuple[int, Rejection, int]]:
    """(place, why, the price trusted then). Where nothing is in doubt, the quote before is trusted."""
    doubtful, after = _doubtful(quotes), 0
    for place in np.flatnonzero(doubtful).tolist():
        if place < after:
            continue
        guard, after = Guard(quotes.symbol), place
        if place:
            before = quotes.quote(place - 1)
            guard.judge_quote(before, before.at_ns)
        while after < len(quotes):
            quote, trusted = quotes.quote(after), guard.trusted or 0
            why = guard.judge_quote(quote, quote.at_ns)
            if why is Rejection.HELD:  # What it was worth the day before, nobody knows here.
                guard, trusted = Guard(quotes.symbol), 0
                why = guard.judge_quote(quote, quote.at_ns)
            if why is not None:
                yield after, why, trusted
            after += 1
            if why is None and not (after < len(doubtful) and doubtful[after]):
                break


def _doubtful(quotes: Quotes) -> Flags:
    """Where a quote is none, or far from the one before it or within itself."""
    low = np.where(quotes.bid > 0, quotes.bid, quotes.ask)
    high = np.where(quotes.ask > 0, quotes.ask, quotes.bid)
    middle = (low + high) // 2
    before = np.concatenate((middle[:1], middle[:-1]))
    found: Flags = (low <= 0) | (low > high) | (high > PRICE_MAX)
    found |= np.maximum(quotes.bid_size, quotes.ask_size) > SHARES_MAX
    for reference in (before, middle):
        allowed = reference * JUMP_PER_MILLE_MAX
        found |= ((high - reference) * 1000 > allowed) | ((reference - low) * 1000 > allowed)
    return found


def _line(quote: Quote, why: Rejection, trusted: int) -> str:
    bid, ask = (canonical(price_of(one)) if one else "none" for one in (quote.bid, quote.ask))
    after = f", after {canonical(price_of(trusted))}" if trusted else ""
    what = why.value.replace("_", " ")
    return f"{quote.symbol} {iso(quote.at_ns)} quote {what}: bid {bid}, ask {ask}{after}"
