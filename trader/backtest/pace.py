"""The pace of a backtest: market time is where history is, and nobody waits."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext


class ReplayPace:
    """A Pace whose turns nobody has to wait for."""

    def __init__(self, market_ns: Callable[[], int]) -> None:
        self.market_ns = market_ns

    def began(self, token: object) -> None:
        """The driver goes on when nothing moves; nothing is under way without it."""

    def ended(self, token: object) -> None:
        """See above."""

    def executor_turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def sender_turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()
