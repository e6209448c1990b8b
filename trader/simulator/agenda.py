"""What is to be done at a later market time: one list, kept by time and, at the same time, by order of entry."""

import heapq
from collections.abc import Callable

import trio

Deed = Callable[[], object]


class Agenda:
    """Deeds wait until somebody moves the market past them; nothing here knows what they are."""

    def __init__(self) -> None:
        self._deeds: list[tuple[int, int, Deed]] = []
        self._count = 0
        self._changed = trio.Event()

    def add(self, at_ns: int, deed: Deed) -> None:
        heapq.heappush(self._deeds, (at_ns, self._count, deed))
        self._count += 1
        self._changed.set()
        self._changed = trio.Event()

    def next_ns(self) -> int | None:
        """When the next deed is due; None: there is none."""
        return self._deeds[0][0] if self._deeds else None

    def take(self) -> Deed:
        """The next deed."""
        return heapq.heappop(self._deeds)[2]

    def clear(self) -> None:
        self._deeds.clear()

    async def wait_changed(self) -> None:
        """Until something is added."""
        await self._changed.wait()
