"""A recorded market of many symbols with one quote a second each, as files for the simulated broker's `--data`."""

from pathlib import Path

from tests.bench.morning import ASK, BID, TEN_NS, symbols_of
from trader.calendar import iso
from trader.model import MINUTE_NS, SECOND_NS
from trader.money import canonical, price_of

SYMBOLS = 500
CENT_TICKS = 100
STEPS = 5  # a price goes through so many cents, each symbol at another pace of its own
BAR_HEADER = "timestamp,symbol,open,high,low,close,volume"
QUOTE_HEADER = "timestamp,symbol,bid,bid_size,ask,ask_size"


def record(folder: Path, seconds: int) -> None:
    """From the first second after ten on; a market has bars too: one a symbol, of the minute before."""
    bars, quotes = folder / "minute", folder / "quote"
    bars.mkdir()
    quotes.mkdir()
    opened = canonical(price_of(BID))
    for number, symbol in enumerate(symbols_of(SYMBOLS)):
        bar = f"{iso(TEN_NS - MINUTE_NS)},{symbol},{opened},{opened},{opened},{opened},10000"
        (bars / f"{symbol}.csv").write_text(f"{BAR_HEADER}\n{bar}\n")
        rows = (_quote_row(symbol, number, second) for second in range(1, seconds + 1))
        (quotes / f"{symbol}.csv").write_text("\n".join([QUOTE_HEADER, *rows, ""]))


def _quote_row(symbol: str, number: int, second: int) -> str:
    moved = (number + second * (1 + number % (STEPS - 1))) % STEPS * CENT_TICKS
    bid, ask = (canonical(price_of(price + moved)) for price in (BID, ASK))
    return f"{iso(TEN_NS + second * SECOND_NS)},{symbol},{bid},900,{ask},900"
