"""How many requests the account has left in its minute: queries wait, orders are held back, cancels always go."""

from collections.abc import Mapping

import trio

LIMIT, REMAINING, RETRY_AFTER = "x-ratelimit-limit", "x-ratelimit-remaining", "retry-after"
LIMIT_HEADERS = (LIMIT, REMAINING, RETRY_AFTER)
PER_MINUTE = 200  # Alpaca's own limit; its headers may name another
MINUTE_S = 60.0
RESERVE_MAX = 20  # requests that are kept for cancels
RESERVE_SHARE = 5  # of a small limit only a fifth
BACK_OFF_S_MAX = 60.0
COUNT_MAX = 1_000_000
WAIT_S_MIN = 0.001  # less is the dust of fractions, and no sleep would ever end it


class RequestBudget:
    """The broker's count where its headers tell it; between replies time gives back what it took.

    `per_minute` None: no limit is known, so nothing is held back, until a header names one. Times are machine
    seconds. What the broker says is never waited for longer than BACK_OFF_S_MAX.
    """

    def __init__(self, per_minute: int | None = None) -> None:
        self._limit = per_minute
        self._left = float(per_minute or 0)
        self._as_of_s = 0.0
        self._under_way = 0
        self._refusals = 0  # 429s in a row
        self._closed_until_s = 0.0

    async def wait_for_query(self) -> None:
        """Return when a question leaves enough for orders and for cancels."""
        seconds = self._query_wait_s()
        while seconds > WAIT_S_MIN:
            await trio.sleep(seconds)
            seconds = self._query_wait_s()

    def refusal(self, *, is_entry: bool) -> str:
        """Why an order may not be sent now, or nothing. Exits may use up half of what is kept."""
        if self._limit is None:
            return ""
        left = self._left_now()
        if trio.current_time() < self._closed_until_s:
            return "rate limit: the broker has told us to wait"
        if left < (self._reserve() if is_entry else self._reserve() // 2) + 1:
            return f"rate limit: {left:.0f} left, kept for cancels"
        return ""

    def spent(self) -> None:
        """A request leaves."""
        self._under_way += 1
        self._left = max(0.0, self._left_now() - 1)

    def ended(self) -> None:
        """It has its reply, or will never have one."""
        self._under_way -= 1

    def told(self, status: int, headers: Mapping[str, str]) -> None:
        """What a reply says of the limit, in LIMIT_HEADERS."""
        limit = _count(headers.get(LIMIT))
        remaining = _count(headers.get(REMAINING))
        self._limit = limit or self._limit
        if self._limit is None:
            return
        if remaining is not None:
            self._as_of_s = trio.current_time()
            # The broker had not counted those yet that are still on their way; this one is among them.
            self._left = float(max(0, min(remaining, self._limit) - (self._under_way - 1)))
        if status == 429:
            self._refused(_count(headers.get(RETRY_AFTER)) or 0)
        else:
            self._refusals = 0

    def _refused(self, wait_s: int) -> None:
        """Wait as long as we are told, and longer each time; but neither for ever nor not at all."""
        own_s = 2 ** min(self._refusals, 10)
        self._refusals += 1
        self._left, self._as_of_s = 0.0, trio.current_time()
        self._closed_until_s = self._as_of_s + min(max(wait_s, own_s), BACK_OFF_S_MAX)

    def _query_wait_s(self) -> float:
        if self._limit is None:
            return 0.0
        missing = 2 * self._reserve() + 1 - self._left_now()
        closed_s = self._closed_until_s - trio.current_time()
        return max(missing * MINUTE_S / self._limit, closed_s)

    def _left_now(self) -> float:
        if self._limit is not None:
            now_s = trio.current_time()
            back = (now_s - self._as_of_s) * self._limit / MINUTE_S
            self._left, self._as_of_s = min(self._limit, self._left + back), now_s
        return self._left

    def _reserve(self) -> int:
        return min(RESERVE_MAX, (self._limit or 0) // RESERVE_SHARE)


def _count(text: str | None) -> int | None:
    """Digits only: a date, a word or a sign is nothing that we wait for."""
    if not text or not (text.isascii() and text.isdigit()) or len(text) > 20:
        return None
    return min(int(text), COUNT_MAX)
