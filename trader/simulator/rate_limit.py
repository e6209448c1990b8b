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

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As a server sends them."""
        if self._limit is None:
            return []
        return [
            (b"x-ratelimit-limit", b"%d" % self._limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, self._limit - self._used)),
            (b"x-ratelimit-reset", b"%d" % ((self._window + 1) * MINUTE_NS // SECOND_NS)),
        ]
