"""When it happened: minutes with many buys, and what the trades did to cash between two recorded snapshots."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from trader.audit.words import Burst, Minutes, Snapshot, Trades
from trader.money import ZERO

MINUTE_NS = 60 * 1_000_000_000
BURST_BUYS_MIN = 10  # in a minute
BURST_PAUSE_MINUTES_MAX = 5  # quieter minutes within one burst


class Clocked:
    """Told each symbol's trades and which of them are phantoms; adds up what only shows over all symbols."""

    def __init__(self, history: Sequence[Snapshot]) -> None:
        self.minutes = Minutes(buys=Counter(), phantoms=Counter(), notional={})
        self._times = [one.at_ns for one in history]
        self._has_cash = any(one.cash is not None for one in history)
        self._told = [ZERO] * (len(history) + 1)
        self._real = [ZERO] * (len(history) + 1)
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def add(self, trades: Trades, phantoms: frozenset[int]) -> None:
        """One symbol's trades; phantoms by row id."""
        if not trades.ids:
            return
        first, last = trades.at_ns[0], trades.at_ns[-1]
        self.first_ns = first if self.first_ns is None else min(first, self.first_ns)
        self.last_ns = last if self.last_ns is None else max(last, self.last_ns)
        self.minutes.buys.update(
            at_ns // MINUTE_NS
            for buy, at_ns in zip(trades.is_buy, trades.at_ns, strict=True)
            if buy
        )
        for index, identity in enumerate(trades.ids) if phantoms else ():
            if identity in phantoms and trades.is_buy[index]:
                minute = trades.at_ns[index] // MINUTE_NS
                notional = trades.quantities[index] * trades.prices[index]
                self.minutes.phantoms[minute] += 1
                self.minutes.notional[minute] = self.minutes.notional.get(minute, ZERO) + notional
        if self._has_cash:
            self._add_flows(trades, phantoms)

    def _add_flows(self, trades: Trades, phantoms: frozenset[int]) -> None:
        times, told, real = self._times, self._told, self._real
        for identity, buy, shares, price, fees, at_ns in zip(
            trades.ids,
            trades.is_buy,
            trades.quantities,
            trades.prices,
            trades.fees,
            trades.at_ns,
            strict=True,
        ):
            flow = -shares * price if buy else shares * price
            if fees:
                flow -= fees
            place = bisect_left(times, at_ns)
            told[place] += flow
            if identity not in phantoms:
                real[place] += flow

    def flows_until(self) -> tuple[list[Decimal], list[Decimal]]:
        """At each snapshot, what all trades up to then did to cash, and what the real ones did."""
        return _running(self._told)[:-1], _running(self._real)[:-1]

    def bursts(self) -> list[Burst]:
        """Minutes in a row with many buys; to it belong quiet ones in between, and any right before or after."""
        buys = self.minutes.buys
        spans: list[tuple[int, int]] = []
        for minute in sorted(m for m, number in buys.items() if number >= BURST_BUYS_MIN):
            first = last = minute
            while first - 1 in buys:
                first -= 1
            while last + 1 in buys:
                last += 1
            if spans and first - spans[-1][1] <= BURST_PAUSE_MINUTES_MAX:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((first, last))
        return [self._burst(first, last) for first, last in spans]

    def _burst(self, first: int, last: int) -> Burst:
        inside = [minute for minute in range(first, last + 1) if minute in self.minutes.buys]
        return Burst(
            begins_ns=first * MINUTE_NS,
            ends_ns=(last + 1) * MINUTE_NS,
            buys=sum(self.minutes.buys[minute] for minute in inside),
            phantoms=sum(self.minutes.phantoms[minute] for minute in inside),
            notional=sum((self.minutes.notional.get(minute, ZERO) for minute in inside), ZERO),
        )


def _running(amounts: Sequence[Decimal]) -> list[Decimal]:
    total = ZERO
    found = []
    for amount in amounts:
        total += amount
        found.append(total)
    return found
