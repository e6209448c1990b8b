"""How many requests a minute of market time an account may make, counted as Alpaca's headers tell it."""

from trader.model import MINUTE_NS, SECOND_NS


class RateLimit:
    """A fixed window of one minute; None: unlimited, and no headers."""

    def __init__(self, requests_per_minute: int | None) -> None:
        self._limit = requests_per_minute
        self._window = 0
        self._used = 0

    def admit(self, now_ns: int) -> bool:
        if self._limit is None:
            return True
        window = now_ns // MINUTE_NS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used <= self._limit

    def headers(self) -> dict[str, str]:
        if self._limit is None:
            return {}
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(max(0, self._limit - self._used)),
            "X-RateLimit-Reset": str((self._window + 1) * MINUTE_NS // SECOND_NS),
        }
