"""Market data that is wrong, told on the broker's stream beside the true: bars, quotes, a quote that stands still.

Nobody trades at any of it: the venue goes by the market as it is. What is told as a bar or a quote here no decision may
be made on; but for the lone tick, which is so near the market that no guard can know, and of which one alone may not
end a position.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from trader.feeds.market import Instant
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Symbol
from trader.simulation.draw import Setting
from trader.simulation.fault import Fault
from trader.simulator.broker import SimulatedBroker
from trader.simulator.market_tape import Tape
from trader.simulator.market_words import MarketWord

# So far off that no jump of the market makes the one look like the other.
FAR = (0.01, 0.5, 2.0, 100.0)
NEAR = (0.93, 0.97, 0.99, 1.01, 1.03, 1.07)  # what a guard lets pass
BARS = ("upside down", "zero", "negative", "far off", "another's", "again", "late")
QUOTES = ("crossed", "negative", "empty", "far off", "another's", "old", "of the future")
OTHERS_PRICE_MIN = 2  # times as dear, or as cheap: an other one's price could be its own
LATE_NS, OLD_NS, AHEAD_NS = 5 * MINUTE_NS, 50 * SECOND_NS, MINUTE_NS
EARLY_NS = (SECOND_NS, 9 * SECOND_NS)  # of a bar, before the minute is over
DISTURBS_NS = MINUTE_NS  # until the next tick is told
FROZEN_NS = (6 * MINUTE_NS, 24 * MINUTE_NS)
DRAWN = (Fault.BAD_BAR, Fault.BAD_QUOTE, Fault.LONE_TICK, Fault.FROZEN_QUOTES)


class BadData(Struct, frozen=True, kw_only=True):
    """One thing that is told wrongly: `kind` says how, `ratio` by how much, `until_ns` how long, each where it does."""

    at_ns: int
    fault: Fault
    symbol: Symbol
    kind: str = ""
    ratio: float = 1.0
    other: Symbol = Symbol("")
    until_ns: int = 0


class StuckTape(Tape):
    """Of some symbols it tells the same quote again and again, with another time."""

    def __init__(self, tape: Tape, broker: SimulatedBroker) -> None:
        super().__init__(broker.market)
        self.quotes, self.bars = tape.quotes, tape.bars
        self.stuck: dict[Symbol, Quote] = {}

    def told(
        self, instant: Instant, wants: Callable[[str], bool]
    ) -> Mapping[str, Sequence[MarketWord]]:
        """See Tape."""
        told = dict(super().told(instant, wants))
        told["quotes"] = [self._told_of(quote) for quote in instant.quotes]
        return told

    def _told_of(self, quote: Quote) -> Quote:
        stuck = self.stuck.get(quote.symbol)
        return quote if stuck is None else replace(stuck, at_ns=quote.at_ns)


class Liar:
    """Tells it when its time comes. `disturbed_ns`: until when of a symbol something else was told than the market."""

    def __init__(
        self, broker: SimulatedBroker, faults: Counter[str], note: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._faults = faults
        self._note = note
        self.disturbed_ns: dict[Symbol, int] = {}
        self.lies: set[Quote] = set()

    def is_told_truly(self, symbol: Symbol) -> bool:
        """Nothing but the market has been told of it for a while."""
        disturbed_ns = self.disturbed_ns.get(symbol)
        return disturbed_ns is None or disturbed_ns + DISTURBS_NS < self._broker.now_ns

    def expect(self, drawn: Sequence[BadData]) -> None:
        """What a world is to be told."""
        if any(one.fault is Fault.FROZEN_QUOTES for one in drawn):
            self._broker.tape = StuckTape(self._broker.tape, self._broker)
        for one in drawn:
            self._broker.agenda.add(one.at_ns, partial(self._tell, one))
            if one.until_ns:
                self._broker.agenda.add(one.until_ns, partial(self._let_go, one))

    def _tell(self, one: BadData) -> None:
        quote, bar = (
            self._broker.tape.quotes.get(one.symbol),
            self._broker.tape.bars.get(one.symbol),
        )
        if quote is None or bar is None:
            return
        self._faults[one.fault] += 1
        self._note(f"{one.fault} {one.kind} {one.symbol} {one.ratio}")
        ends_ns = max(self._broker.now_ns, one.until_ns)
        self.disturbed_ns[one.symbol] = max(self.disturbed_ns.get(one.symbol, 0), ends_ns)
        tape = self._broker.tape
        if one.fault is Fault.FROZEN_QUOTES:
            assert isinstance(tape, StuckTape), "it was put there for this"
            tape.stuck[one.symbol] = quote
        elif one.fault is Fault.BAD_BAR:
            self._say("bars", self._bar(one, bar))
        elif one.fault is Fault.LONE_TICK:
            self._say("quotes", _moved(quote, one.ratio, self._broker.now_ns))
        else:
            told = self._quote(one, quote)
            if one.kind != "old":  # Whoever has heard nothing newer may believe it.
                self.lies.add(told)
            self._say("quotes", told)

    def _let_go(self, one: BadData) -> None:
        if isinstance(tape := self._broker.tape, StuckTape):
            tape.stuck.pop(one.symbol, None)

    def _say(self, channel: str, word: Bar | Quote) -> None:
        self._broker.post.tell_market(self._broker.now_ns, {channel: [word]})

    def _bar(self, one: BadData, last: Bar) -> Bar:
        """In place of the one that is under way; or one that was told before."""
        bar = replace(last, start_ns=self._broker.now_ns // last.span_ns * last.span_ns)
        match one.kind:
            case "again":
                return last
            case "late":
                told = self._broker.market.history(one.symbol, last.start_ns - LATE_NS, 1)
                return told[-1] if told else last
            case "upside down":
                return replace(bar, high=last.low, low=last.high + 100)
            case "zero":
                return replace(bar, low=0)
            case "negative":
                return replace(bar, low=-last.low)
            case "another's":
                return _times(bar, self._others(one, last.close))
            case _:
                return _times(bar, one.ratio)

    def _quote(self, one: BadData, last: Quote) -> Quote:
        now_ns = self._broker.now_ns
        match one.kind:
            case "crossed":
                return replace(last, at_ns=now_ns, bid=last.ask + 100, ask=last.bid)
            case "negative":
                return replace(last, at_ns=now_ns, bid=-last.bid)
            case "empty":
                return replace(last, at_ns=now_ns, bid=0, ask=0)
            case "old":
                return replace(last, at_ns=now_ns - OLD_NS)
            case "of the future":
                return replace(last, at_ns=now_ns + AHEAD_NS)
            case "another's":
                return _moved(last, self._others(one, last.bid), now_ns)
            case _:
                return _moved(last, one.ratio, now_ns)

    def _others(self, one: BadData, price: int) -> float:
        """Another symbol's price as a multiple of this one's."""
        other = self._broker.tape.bars.get(one.other)
        ratio = FAR[2] if other is None else other.close / price
        return ratio if max(ratio, 1 / ratio) >= OTHERS_PRICE_MIN else one.ratio


def _times(bar: Bar, ratio: float) -> Bar:
    prices = {name: max(1, round(getattr(bar, name) * ratio)) for name in _PRICES}
    return replace(bar, **prices)


_PRICES = ("open", "high", "low", "close")


def _moved(quote: Quote, ratio: float, at_ns: int) -> Quote:
    bid = max(1, round(quote.bid * ratio))
    return replace(quote, at_ns=at_ns, bid=bid, ask=bid + max(1, quote.ask - quote.bid))


def drawn_data(setting: Setting, began_ns: int, symbols: tuple[Symbol, ...]) -> list[BadData]:
    """What the seed has drawn of it: each fault by a generator of its own, as everything else."""
    found: list[BadData] = []
    for fault in DRAWN:
        random = Random(f"{setting.seed}/{fault}/data")
        expected = setting.rate(fault) * setting.hours / 2
        for _ in range(int(expected) + (random.random() < expected % 1)):
            at_s = random.uniform(0.01, 0.97) * setting.heals_s
            at_ns = began_ns + int(at_s * SECOND_NS)
            if fault is Fault.BAD_BAR:
                # So near the end of its minute that it isn't known by its time alone.
                at_ns += MINUTE_NS - at_ns % MINUTE_NS - random.randrange(*EARLY_NS)
            one = _one(random, fault, at_ns, symbols)
            heals_ns = began_ns + int(setting.heals_s * SECOND_NS)
            found.append(replace(one, until_ns=min(one.until_ns, heals_ns)))
    return sorted(found, key=lambda one: one.at_ns)


def _one(random: Random, fault: Fault, at_ns: int, symbols: tuple[Symbol, ...]) -> BadData:
    symbol, other = random.sample(symbols, 2)
    kinds = {Fault.BAD_BAR: BARS, Fault.BAD_QUOTE: QUOTES}.get(fault, ("",))
    lasts_ns = random.randrange(*FROZEN_NS)
    return BadData(
        at_ns=at_ns,
        fault=fault,
        symbol=symbol,
        kind=random.choice(kinds),
        ratio=random.choice(NEAR if fault is Fault.LONE_TICK else FAR),
        other=other,
        until_ns=at_ns + lasts_ns if fault is Fault.FROZEN_QUOTES else 0,
    )
