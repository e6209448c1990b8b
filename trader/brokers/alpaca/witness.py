"""Does the trading stream tell what polls find? Silence is normal there, so only news that it missed shows it mute."""

from collections.abc import Iterable
from decimal import Decimal

from trader.messages import Input, OrderReport
from trader.model import ClientOrderId
from trader.money import ZERO
from trader.wire.alpaca_claims import FINAL_CLAIMS

# How much of an order is known to have been filled, and whether it has ended.
News = tuple[Decimal, bool]
NOTHING: News = (ZERO, False)


class Witness:
    """Holds what one connection has told against what polls find; times are machine seconds.

    The first poll after the connection only says where it began: what happened before is told by nobody.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._began = False
        self._told: dict[ClientOrderId, News] = {}
        self._recent: set[ClientOrderId] = set()  # told of since the last poll
        self._untold: dict[ClientOrderId, tuple[float, News]] = {}  # since when, and of what

    def opened(self) -> None:
        """A new connection listens."""
        self._is_open, self._began = True, False
        self._told.clear()
        self._recent.clear()
        self._untold.clear()

    def closed(self) -> None:
        """Nobody listens."""
        self._is_open = False
        self._untold.clear()

    def told(self, report: OrderReport) -> None:
        """The stream has brought this."""
        order = report.client_order_id
        self._recent.add(order)
        self._told[order] = _both(self._told.get(order, NOTHING), _news(report))
        if order in self._untold and not _is_ahead(self._untold[order][1], self._told[order]):
            del self._untold[order]

    def polled(self, found: Iterable[Input], now_s: float) -> None:
        """A poll has found this."""
        if not self._is_open:
            return
        news: dict[ClientOrderId, News] = {}
        for report in found:
            if isinstance(report, OrderReport):
                order = report.client_order_id
                news[order] = _both(news.get(order, NOTHING), _news(report))
        for order, one in news.items():
            known = self._told.get(order, NOTHING)
            if not self._began:
                self._told[order] = _both(known, one)
            elif _is_ahead(one, known):
                since_s, _ = self._untold.get(order, (now_s, one))
                self._untold[order] = (since_s, one)
        self._began = True
        kept = news.keys() | self._recent
        self._told = {order: one for order, one in self._told.items() if order in kept}
        self._recent.clear()

    def overdue(self, now_s: float, seconds_max: float) -> ClientOrderId | None:
        """An order whose news a poll found so long ago, and the stream has still not told."""
        for order, (since_s, _) in self._untold.items():
            if now_s - since_s > seconds_max:
                return order
        return None


def _news(report: OrderReport) -> News:
    return report.quantity_cumulative, report.claim in FINAL_CLAIMS


def _both(one: News, other: News) -> News:
    return max(one[0], other[0]), one[1] or other[1]


def _is_ahead(one: News, known: News) -> bool:
    return one[0] > known[0] or (one[1] and not known[1])
