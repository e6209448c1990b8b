"""The real program with a strategy that leaves many orders open, and a market for it: a thousand resting sales."""

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from tests.bench.morning import symbols_of
from tests.standing_broker import Account, is_blocked, standing_broker
from trader.__main__ import main
from trader.calendar import iso, session_on
from trader.model import MINUTE_NS, Bar, Purpose, Side, Size, Symbol
from trader.risk import EXITS_LIVE_MAX
from trader.strategies import STRATEGIES
from trader.strategies.base import Strategy, SymbolView, Wish

DAY = "2026-01-26"
MINUTES = 390  # A slow machine needs some of them for its orders.
SYMBOLS_A_PAGE = 500 // EXITS_LIVE_MAX
SHARE = Size(unit="shares", amount=Decimal(1))
RESTING = Decimal("-0.02")  # a limit that the market doesn't come to
CONFIG = """
broker = "alpaca-paper"
symbols = {symbols}
[limits]
entries_open_max = 1000
entries_per_minute_max = 1000
entries_notional_per_day_max = 1_000_000_000
[strategies.crowding]
kind = "crowding"
size = {{ shares = {shares} }}
"""


class Crowding(Strategy):
    """At every bar it wants some shares; once it has them, to be rid of one more of them by an order of its own."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        yield Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="again")
        if view.held_by(self.name) and len(view.working) < EXITS_LIVE_MAX:
            yield Wish(
                side=Side.SELL,
                purpose=Purpose.EXIT,
                size=SHARE,
                limit_offset=RESTING,
                reason="one more",
            )


class Crowd:
    """An account with so many orders open, a multiple of what one symbol may have."""

    def __init__(self, account: Account, orders: int) -> None:
        self.account = account
        self.orders = orders

    def crowded(self) -> None:
        """Trade until they are all open, and be killed."""
        with self.account.trading() as running:
            running.wait_line(is_open)
            while len(self.open_orders()) < self.orders:
                running.wait_line(lambda line: is_blocked("AAA", line))
            killed = running.end(signal.SIGKILL)
        assert killed.code == -signal.SIGKILL

    def open_orders(self) -> set[str]:
        """The client ids of all that the broker has open, asked for symbol by symbol: a page has 500."""
        symbols, found = symbols_of(self.orders // EXITS_LIVE_MAX), set[str]()
        for start in range(0, len(symbols), SYMBOLS_A_PAGE):
            some = ",".join(symbols[start : start + SYMBOLS_A_PAGE])
            page = self.account.asked(f"orders?status=open&limit=500&symbols={some}")
            found |= {order["client_order_id"] for order in page}
        return found


def is_open(line: str) -> bool:
    """The books agree, and entries are open."""
    return line.startswith("books = broker") and "Entries allowed" in line


@contextmanager
def crowd(path: Path, orders: int) -> Iterator[Crowd]:
    """An account in this folder, in a market in which nothing moves."""
    symbols, data = symbols_of(orders // EXITS_LIVE_MAX), path / "data"
    data.mkdir()
    write_market(data, symbols)
    with standing_broker(path, "--data", str(data)) as account:
        text = CONFIG.format(symbols=list(symbols), shares=EXITS_LIVE_MAX)
        (path / "trader.toml").write_text(text)
        account.program = "tests.crowded"
        yield Crowd(account, orders)


def write_market(folder: Path, symbols: tuple[Symbol, ...]) -> None:
    """A session of bars in which nothing moves."""
    session = session_on(DAY)
    assert session is not None
    stamps = [iso(session.open_ns + number * MINUTE_NS) for number in range(MINUTES)]
    for symbol in symbols:
        rows = [f"{stamp},{symbol},10.00,10.01,10.00,10.01,100000" for stamp in stamps]
        text = "\n".join(["timestamp,symbol,open,high,low,close,volume", *rows])
        (folder / f"{symbol}.csv").write_text(text)


if __name__ == "__main__":
    STRATEGIES["crowding"] = Crowding
    sys.exit(main())
