"""SMA crossover: in when the fast average of closes rises above the slow one, out while it is below.

An entry is wished for at the crossing only. An exit is wished for at every bar on which the fast average is below and
the position is still there with no sale working, because a sale can be canceled, rejected or denied; it is the same
wish again, not another one. Sums are whole price ticks and are compared without a division, so neither rounding nor
the order of additions decides a trade.
"""

from collections import deque
from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Purpose, Side, Size, StrategyName
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish, exit_all

WINDOW_MAX = 10_000


class SmaCrossoverParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """fast, slow: how many bars each average is taken over; fast must be the smaller."""

    fast: Annotated[int, Meta(ge=1, le=WINDOW_MAX)] = 10
    slow: Annotated[int, Meta(ge=2, le=WINDOW_MAX)] = 30


class SmaCrossover(Strategy):
    """Holds a position from the crossing up to the first bar with the fast average below the slow one."""

    Parameters: ClassVar[type[Struct]] = SmaCrossoverParameters

    def __init__(self, name: StrategyName, size: Size, parameters: SmaCrossoverParameters) -> None:
        super().__init__(name, size, parameters)
        fast, slow = parameters.fast, parameters.slow
        if fast >= slow:
            raise StrategyError(f"fast ({fast}) must be smaller than slow ({slow})")
        self.bars_needed = slow + 1
        self._fast = MovingSum(fast)
        self._slow = MovingSum(slow)
        self._was_above = True  # until both averages exist there is no crossing

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        fast, slow = self._fast, self._slow
        fast.add(bar.close)
        slow.add(bar.close)
        if not slow.is_full():
            return ()
        difference = fast.total * slow.window - slow.total * fast.window
        crossed_up = difference > 0 and not self._was_above
        self._was_above = difference > 0
        if crossed_up and view.is_idle():
            reason = self._words("rose above")
            return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason=reason),)
        if difference < 0 and view.held_by(self.name) and not view.working:
            return exit_all(self._words("fell below"))
        return ()

    def _words(self, verb: str) -> str:
        fast, slow = self._fast.mean_text(2), self._slow.mean_text(2)
        if fast == slow:
            fast, slow = self._fast.mean_text(4), self._slow.mean_text(4)
        return f"{self._fast.window}-bar average {fast} {verb} {self._slow.window}-bar {slow}"


class MovingSum:
    """The sum of the last `window` numbers."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.total = 0
        self._numbers: deque[int] = deque()

    def add(self, number: int) -> None:
        self._numbers.append(number)
        self.total += number
        if len(self._numbers) > self.window:
            self.total -= self._numbers.popleft()

    def is_full(self) -> bool:
        return len(self._numbers) == self.window

    def mean_text(self, decimals: int) -> str:
        """The mean of a full window of price ticks, in dollars, rounded half up."""
        unit = 10**decimals
        divisor = self.window * PRICE_TICKS_PER_DOLLAR
        dollars, rest = divmod((2 * self.total * unit + divisor) // (2 * divisor), unit)
        return f"{dollars}.{rest:0{decimals}}"
