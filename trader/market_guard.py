"""Is this tick fit to decide on? One Guard for each symbol, holding what it trusted last.

A tick far from the last trusted price is held back: it is more often another symbol's price, a slip of the feed or a
stub quote than the market. If the next CONFIRMATIONS_NEEDED ticks say the same, it was the market, and the last of
them is the new trusted price; a tick near the old one in between starts the count over. The first tick of all is
trusted when its own prices agree with each other, so feed history before live data.

Over a night a share may have been split. The first tick of a new day that is far from the day before is held, with all
that follow, until somebody has asked what the day before was worth in today's shares (`settle`).
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from trader.calendar import new_york_date
from trader.model import MINUTE_NS, SECOND_NS, Bar, PriceBand, Quote, Symbol
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.nights import is_far

CONFIRMATIONS_NEEDED = 3
JUMP_PER_MILLE_MAX = 100
NIGHT_PER_MILLE_MAX = 40  # beyond it the day before is asked about: it may have been a split
FROZEN_NS_MAX = 10 * MINUTE_NS  # of ticks that never differ, while others move
FROZEN_TICKS_MIN = 10  # of them; a few in ten minutes are a quiet market
BAND_NS_MAX = MINUTE_NS  # bands follow the market each half minute: which it has left for longer, that is an old one
AGE_NS_MAX = 90 * SECOND_NS
AHEAD_NS_MAX = 10 * SECOND_NS  # the venue's clock may run that far ahead of ours
LIMIT_STATE = "limit state: a quote at its price band"
PRICE_MAX = 10_000_000 * PRICE_TICKS_PER_DOLLAR
SHARES_MAX = 10**12


class Rejection(StrEnum):
    """Why a tick is not fit to decide on; closed."""

    WRONG_SYMBOL = "wrong_symbol"
    NON_POSITIVE = "non_positive"  # a price of a bar, both sides of a quote, or a negative anything
    OVERSIZED = "oversized"  # beyond any price or number of shares there is
    CROSSED = "crossed"  # bid above ask; a locked quote (equal) is fit
    INCONSISTENT = "inconsistent"  # open or close outside low to high, or no span
    OUT_OF_ORDER = "out_of_order"  # before what came earlier, a repeated bar, or ahead of the clock
    STALE = "stale"
    FAR_FROM_LAST = "far_from_last"
    OUTSIDE_BAND = "outside_band"  # where nobody may trade
    FROZEN = "frozen"  # the same values for too long, while other symbols move
    HELD = "held"  # for a moment, while the day before is asked about; it is judged again


class Guard:
    """Judges the ticks of one symbol and one bar span, in the order in which they come."""

    def __init__(
        self,
        symbol: Symbol,
        *,
        jump_per_mille_max: int = JUMP_PER_MILLE_MAX,
        age_ns_max: int = AGE_NS_MAX,
        confirmations_needed: int = CONFIRMATIONS_NEEDED,
    ) -> None:
        self.symbol = symbol
        self.rejections: Counter[Rejection] = Counter()
        self.trusted: int | None = None  # price ticks
        self.jump: tuple[int, int] | None = None  # over a night: from, to; nobody has been told yet
        self.is_held = False
        self._trusted_ns = -1
        self._close, self._close_ns = 0, -1  # of the last trusted bar, and when it ended
        self._night_asked = ""  # the day before which it was
        self._quote_seen = _Unchanged()
        self._bar_seen = _Unchanged()
        self._jump_per_mille_max = jump_per_mille_max
        self._age_ns_max = age_ns_max
        self._confirmations_needed = confirmations_needed
        self._held_back: int | None = None  # the far price that waits for confirmation
        self._confirmations = 0
        self._bar_start_ns = -1
        self._quote_at_ns = -1
        self._band: PriceBand | None = None
        self._outside_ns = -1  # since when quotes are beyond it

    def take_band(self, band: PriceBand) -> None:
        """Quotes are held against it until the next one comes."""
        self._band, self._outside_ns = band if band.up else None, -1

    def is_limited_by(self, quote: Quote) -> bool:
        """It is where one more step would be beyond the band: trading goes on there, or pauses within seconds."""
        return self._band is not None and is_at(self._band, quote)

    def settle(self, reference: int | None, ended_ns: int = -1) -> bool:
        """The last price of the day before in today's shares, None: it isn't known. Whether there was a split.

        Where it is the close of the bar that was trusted last, it is held against that one: quotes that came after it
        may have been of quite another price, and that is no split.
        """
        self.is_held = False
        assert self.trusted is not None, "something was far from it"
        before = self._close if 0 <= ended_ns == self._close_ns else self.trusted
        if reference is None or _is_within(reference, reference, before, NIGHT_PER_MILLE_MAX):
            return False
        self.trusted = max(1, self.trusted * reference // before)
        self._close = self._close * reference // before
        self._held_back, self._confirmations = None, 0
        return True

    def seed(self, bar: Bar) -> None:
        """A bar of history is trusted, where nothing is yet."""
        if self.trusted is None:
            self._trust(bar.close, bar.start_ns + bar.span_ns)
            self._close, self._close_ns = bar.close, bar.start_ns + bar.span_ns

    @property
    def before_ns(self) -> int:
        """When the last trusted bar ended, or when there was a price at all; -1 where there is none."""
        return self._close_ns if self._close_ns >= 0 else self._trusted_ns

    @property
    def trusted_ns(self) -> int:
        """When the trusted price was told; -1 where there is none."""
        return self._trusted_ns

    def judge_bar(
        self,
        bar: Bar,
        now_ns: int,
        *,
        is_update: bool = False,
        others_moved_ns: Callable[[], int] = lambda: -1,
    ) -> Rejection | None:
        """None: fit. An update repeats the start of a bar, to correct it. For history, now is the end of the bar."""
        ends_ns = bar.start_ns + bar.span_ns
        rejection = self._bar_defect(bar)
        if rejection is None:
            is_repeated = bar.start_ns <= self._bar_start_ns and not is_update
            rejection = self._untimely(is_repeated, ends_ns, now_ns)
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        if rejection is None and self._bar_seen.is_frozen(values, ends_ns, others_moved_ns):
            rejection = Rejection.FROZEN
        if rejection is None:
            rejection = self._far(bar.close, bar.low, bar.high, ends_ns)
        if rejection is None:
            self._bar_seen.saw(values, ends_ns)
            self._bar_start_ns = max(self._bar_start_ns, bar.start_ns)
            if ends_ns >= self._close_ns:
                self._close, self._close_ns = bar.close, ends_ns
        return self._counted(rejection)

    def judge_quote(
        self, quote: Quote, now_ns: int, *, others_moved_ns: Callable[[], int] = lambda: -1
    ) -> Rejection | None:
        """None: fit. A quote with one side (the other 0) may be fit; two quotes of one moment may both be."""
        rejection = self._quote_defect(quote)
        if rejection is None:
            is_older = quote.at_ns < self._quote_at_ns
            rejection = self._untimely(is_older, quote.at_ns, now_ns)
        if rejection is None and self._band is not None and self._is_outside(self._band, quote):
            rejection = Rejection.OUTSIDE_BAND
        values = (quote.bid, quote.bid_size, quote.ask, quote.ask_size)
        if rejection is None and self._quote_seen.is_frozen(values, quote.at_ns, others_moved_ns):
            rejection = Rejection.FROZEN
        if rejection is None:
            low, high = quote.bid or quote.ask, quote.ask or quote.bid
            rejection = self._far((low + high) // 2, low, high, quote.at_ns)
        if rejection is None:
            self._quote_seen.saw(values, quote.at_ns)
            self._quote_at_ns = quote.at_ns
        return self._counted(rejection)

    def _bar_defect(self, bar: Bar) -> Rejection | None:
        if bar.symbol != self.symbol:
            return Rejection.WRONG_SYMBOL
        prices = (bar.open, bar.high, bar.low, bar.close)
        if min(prices) <= 0 or bar.volume < 0:
            return Rejection.NON_POSITIVE
        if max(prices) > PRICE_MAX or bar.volume > SHARES_MAX:
            return Rejection.OVERSIZED
        if min(prices) < bar.low or max(prices) > bar.high or bar.span_ns <= 0:
            return Rejection.INCONSISTENT
        return None

    def _quote_defect(self, quote: Quote) -> Rejection | None:
        if quote.symbol != self.symbol:
            return Rejection.WRONG_SYMBOL
        bid, ask = quote.bid, quote.ask
        if bid < 0 or ask < 0 or quote.bid_size < 0 or quote.ask_size < 0 or bid == ask == 0:
            return Rejection.NON_POSITIVE
        if bid > PRICE_MAX or ask > PRICE_MAX:
            return Rejection.OVERSIZED
        if quote.bid_size > SHARES_MAX or quote.ask_size > SHARES_MAX:
            return Rejection.OVERSIZED
        if bid > ask > 0:
            return Rejection.CROSSED
        return None

    def _is_outside(self, band: PriceBand, quote: Quote) -> bool:
        """Wholly, or in a limit state: what has one side within it can be traded at. A band is of its day."""
        low, high = quote.bid or quote.ask, quote.ask or quote.bid
        if low <= band.up and high >= band.down and not is_at(band, quote):
            self._outside_ns = -1
            return False
        if self._outside_ns < 0:
            self._outside_ns = quote.at_ns
        is_old = quote.at_ns - self._outside_ns > BAND_NS_MAX
        if is_old or new_york_date(quote.at_ns) != new_york_date(band.at_ns):
            self._band, self._outside_ns = None, -1
            return False
        return True

    def _untimely(self, is_late_in_line: bool, at_ns: int, now_ns: int) -> Rejection | None:
        # A tick of the future is no better than one of the past, and would make all that follow look old.
        if is_late_in_line or at_ns > now_ns + AHEAD_NS_MAX:
            return Rejection.OUT_OF_ORDER
        return Rejection.STALE if now_ns - at_ns > self._age_ns_max else None

    def _far(self, price: int, low: int, high: int, at_ns: int) -> Rejection | None:
        """Of the price that a tick stands for, and the lowest and the highest in it."""
        if self.is_held or self._wants_the_night_explained(low, high, at_ns):
            return Rejection.HELD
        agrees = self._are_near(low, high, price)
        if agrees and (self.trusted is None or self._are_near(low, high, self.trusted)):
            self._trust(price, at_ns)
            return None
        if not agrees:
            self._held_back = None
        elif self._held_back is not None and self._are_near(price, price, self._held_back):
            self._confirmations += 1
            if self._confirmations >= self._confirmations_needed:
                if self.trusted is not None and self._is_of_another_day(at_ns):
                    # Without a split, a person has to look.
                    self.jump = (self.trusted, price) if is_far(self.trusted, price) else None
                self._trust(price, at_ns)
                return None
        else:
            self._held_back, self._confirmations = price, 0
        return Rejection.FAR_FROM_LAST

    def _wants_the_night_explained(self, low: int, high: int, at_ns: int) -> bool:
        """Once a day, at the first tick that is far from the day before."""
        if self.trusted is None or _is_within(low, high, self.trusted, NIGHT_PER_MILLE_MAX):
            return False
        if not self._is_of_another_day(at_ns) or self._night_asked == new_york_date(at_ns):
            return False
        self._night_asked = new_york_date(at_ns)
        self.is_held = True
        return True

    def _is_of_another_day(self, at_ns: int) -> bool:
        if self.trusted is None:
            return False
        return new_york_date(at_ns) != new_york_date(self._trusted_ns)

    def _trust(self, price: int, at_ns: int) -> None:
        self.trusted, self._held_back, self._confirmations = price, None, 0
        self._trusted_ns = at_ns

    def _are_near(self, low: int, high: int, reference: int) -> bool:
        return _is_within(low, high, reference, self._jump_per_mille_max)

    def _counted(self, rejection: Rejection | None) -> Rejection | None:
        if rejection is not None and rejection is not Rejection.HELD:
            self.rejections[rejection] += 1
        return rejection


def is_at(band: PriceBand, quote: Quote) -> bool:
    """A limit state, as the exchanges' plan has it: the bid is at the upper band, or the ask at the lower."""
    return quote.bid == band.up or quote.ask == band.down


def _is_within(low: int, high: int, reference: int, per_mille: int) -> bool:
    allowed = reference * per_mille
    return (high - reference) * 1000 <= allowed and (reference - low) * 1000 <= allowed


class _Unchanged:
    """Since when the values of a symbol's quotes, or of its bars, are the same."""

    def __init__(self) -> None:
        self._values: tuple[int, ...] = ()
        self._since_ns = 0
        self._repeats = 0

    def is_frozen(
        self, values: tuple[int, ...], at_ns: int, others_moved_ns: Callable[[], int]
    ) -> bool:
        """For too long, and another symbol has moved in the second half of it: it isn't the whole market that rests."""
        if values != self._values:
            return False
        self._repeats += 1
        if at_ns - self._since_ns <= FROZEN_NS_MAX or self._repeats < FROZEN_TICKS_MIN:
            return False
        return others_moved_ns() > self._since_ns + FROZEN_NS_MAX // 2

    def saw(self, values: tuple[int, ...], at_ns: int) -> None:
        """A tick that is fit: one that isn't moves nothing."""
        if values != self._values:
            self._values, self._since_ns, self._repeats = values, at_ns, 0
