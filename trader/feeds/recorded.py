"""A market out of recorded files: one-minute or one-second bars and, where there are any, quotes and trades.

Nothing is served before it could be known. A bar appears when it ends. Quotes whose stamps are all on whole minutes
are the last ones of the minute that *begins* there, so they appear a minute after their stamp; other quotes appear at
their stamp. Where a symbol has no quotes in a session, each of its bars brings one around its close (`quote_around`).

Where `everything` is wanted, trades appear at their stamp and, without quotes, bring one each around their price, as
large as they are; where a symbol has trades but no bars, minutes are made of them; and one that has quotes alone is
served without bars. A bar of a whole session tells of it what can be known: a
quote around its open stands from the opening on, and all else, with a quote around its close, comes at the close.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeVar

from trader.calendar import Session, iso, night_begins_ns, night_of, session_of, session_on
from trader.feeds.csv_rows import BarRow, CsvFile, MarketDataError, NoBars, QuoteRow
from trader.feeds.market import Instant, MarketTrade
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Symbol
from trader.money import ONE, rounded_up

__all__ = ["MarketDataError", "RecordedMarket", "quote_around"]

V = TypeVar("V", Quote, MarketTrade)
CENT_TICKS = 100
SPREAD_RATE = Decimal(
    "0.0001"
)  # a made quote is one basis point of the price wide, a cent at least
BAR_FOLDERS = ("minute", "second", "daily")  # the first that is there
GAPS_TELLING = 10  # so many gaps between bars tell a span above a minute
LONG_SPANS_NS = tuple(minutes * MINUTE_NS for minutes in (60, 30, 15, 5))


class RecordedMarket:
    """Bars and quotes of some files, read whole and checked when it is made; trades and days where they are asked for.

    paths: files, or folders of them. A folder that has no CSV files itself may have `minute` (or `second`, or `daily`),
    `quote` and `tick` folders. symbols: which to take; all that are there by default. Raises MarketDataError.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        symbols: Collection[Symbol] | None = None,
        *,
        everything: bool = False,
        spread_rate: Decimal = SPREAD_RATE,
    ) -> None:
        self._spread_rate = spread_rate
        self._bars: dict[Symbol, list[Bar]] = {}
        self._quotes: dict[Symbol, list[Quote]] = {}
        self._trades: dict[Symbol, list[MarketTrade]] = {}
        there: set[Symbol] = set()
        for path in (path for given in paths for path in _files(given, everything)):
            file = CsvFile(path, everything=everything)
            if not file.is_quotes:
                there.add(file.symbol)
            if symbols is not None and file.symbol not in symbols:
                continue
            if file.is_quotes:
                self._quotes.setdefault(file.symbol, []).extend(_quotes(file))
            elif file.is_trades:
                self._trades.setdefault(file.symbol, []).extend(_trades(file))
            else:
                self._bars.setdefault(file.symbol, []).extend(_bars(file))
        for symbol, trades in self._trades.items():
            trades.sort(key=_at_ns)
            if symbol not in self._bars:
                self._bars[symbol] = list(minutes_of(trades))
        whole = paths[0] if paths else Path()
        if everything:
            for symbol in self._quotes:
                self._bars.setdefault(symbol, [])
        for symbol in self._bars.keys() if symbols is None else symbols:
            if symbol not in self._bars:
                raise NoBars(whole, symbol, there)
        if not self._bars:
            raise MarketDataError(whole, 0, "there are quotes, but no bars")
        self.symbols = tuple(sorted(self._bars))
        for symbol in self.symbols:
            self._put_in_order(symbol, whole)
        self._ends = {
            symbol: [_end_ns(bar) for bar in self._bars[symbol]] for symbol in self.symbols
        }
        self._session_dates = self._dates(whole)

    def session_dates(self) -> list[str]:
        return list(self._session_dates)

    def instants(self, session_date: str) -> Iterator[Instant]:
        session = self._session(session_date)
        bounds = _bounds(session)
        bars: dict[int, list[Bar]] = {}
        quotes: dict[int, list[Quote]] = {}
        trades: dict[int, list[MarketTrade]] = {}
        for symbol in self.symbols:
            told_bars = self._session_bars(symbol, bounds)
            told_trades = _between(self._trades.get(symbol, []), bounds)
            recorded = self._session_quotes(symbol, bounds)
            for quote in recorded or self._made_quotes(session, told_bars, told_trades):
                quotes.setdefault(quote.at_ns, []).append(quote)
            for trade in told_trades:
                trades.setdefault(trade.at_ns, []).append(trade)
            for bar in told_bars:
                bars.setdefault(_end_ns(bar), []).append(bar)
        for at_ns in sorted(bars.keys() | quotes.keys() | trades.keys()):
            yield Instant(
                at_ns=at_ns,
                bars=tuple(bars.get(at_ns, ())),
                quotes=tuple(quotes.get(at_ns, ())),
                trades=tuple(trades.get(at_ns, ())),
            )

    def history(self, symbol: Symbol, before_ns: int, count: int) -> list[Bar]:
        if symbol not in self._bars or count <= 0:
            return []
        end = bisect_right(self._ends[symbol], before_ns)
        return self._bars[symbol][max(0, end - count) : end]

    def symbols_without_quotes(self, session_date: str) -> tuple[Symbol, ...]:
        """Those whose quotes in the session are made around their bars, for the start to say so."""
        bounds = _bounds(self._session(session_date))
        return tuple(symbol for symbol in self.symbols if not self._session_quotes(symbol, bounds))

    def _session(self, session_date: str) -> Session:
        session = session_on(session_date) if session_date in self._session_dates else None
        if session is None:
            raise ValueError(f"no session of {session_date} was recorded")
        return session

    def _made_quotes(
        self, session: Session, bars: Sequence[Bar], trades: Sequence[MarketTrade]
    ) -> Iterator[Quote]:
        """Of trades where there are any, each as large as the trade; else of bars."""
        rate = self._spread_rate
        for trade in trades:
            yield _quote_at(trade.symbol, trade.at_ns, trade.price, trade.size, rate)
        for bar in () if trades else bars:
            if bar.span_ns == session.close_ns - session.open_ns:
                yield quote_around(bar, bar.start_ns, bar.open, rate)
            yield quote_around(bar, _end_ns(bar), bar.close, rate)

    def _session_bars(self, symbol: Symbol, bounds: tuple[int, int]) -> list[Bar]:
        ends = self._ends[symbol]
        return self._bars[symbol][bisect_right(ends, bounds[0]) : bisect_right(ends, bounds[1])]

    def _session_quotes(self, symbol: Symbol, bounds: tuple[int, int]) -> list[Quote]:
        return _between(self._quotes.get(symbol, []), bounds)

    def _put_in_order(self, symbol: Symbol, whole: Path) -> None:
        """Files of one symbol may follow each other, not overlap."""
        bars = self._bars[symbol]
        bars.sort(key=lambda bar: bar.start_ns)
        for earlier, later in pairwise(bars):
            if later.start_ns < _end_ns(earlier):
                what = (
                    f"two bars of {symbol} at {iso(later.start_ns)}, in two files or of two spans"
                )
                raise MarketDataError(whole, 0, what)
        self._quotes.get(symbol, []).sort(key=lambda quote: quote.at_ns)

    def _dates(self, whole: Path) -> list[str]:
        found: set[str] = set()
        known_until_ns = -1
        known_ns = {at_ns for ends in self._ends.values() for at_ns in ends}
        for symbol in self.symbols:
            if not self._bars[symbol]:
                known_ns.update(quote.at_ns for quote in self._quotes[symbol])
        for at_ns in sorted(known_ns):
            if at_ns <= known_until_ns:
                continue
            try:
                session = session_of(at_ns) or night_of(at_ns)
            except ValueError as error:
                raise MarketDataError(whole, 0, str(error)) from None
            if session is not None and at_ns > night_begins_ns(session):
                found.add(session.date)
                known_until_ns = session.post_close_ns
        if not found:
            raise MarketDataError(whole, 0, "no bar or quote lies in a session of the exchange")
        return sorted(found)


def quote_around(
    bar: Bar, at_ns: int, price: int | None = None, spread_rate: Decimal = SPREAD_RATE
) -> Quote:
    """A quote that a bar makes plausible: bid <= its close, or the `price` in ticks, <= ask, on whole cents.

    It is that part of the price wide, a cent at least, rounded up to a cent; each size is a tenth of the bar's volume
    in round lots of 100, one lot at least. A share below a cent has no bid.
    """
    size = max(100, bar.volume // 1_000 * 100)
    return _quote_at(bar.symbol, at_ns, bar.close if price is None else price, size, spread_rate)


def _quote_at(symbol: Symbol, at_ns: int, middle: int, size: int, spread_rate: Decimal) -> Quote:
    width = max(CENT_TICKS, int(rounded_up(middle * spread_rate, ONE)))
    width = -(-width // CENT_TICKS) * CENT_TICKS
    # Rounded to the nearest cent the bid is off by half a cent at most, which no half width is below.
    bid = max(0, (middle - width // 2 + CENT_TICKS // 2 - 1) // CENT_TICKS * CENT_TICKS)
    return Quote(
        symbol=symbol,
        at_ns=at_ns,
        bid=bid,
        bid_size=size if bid else 0,
        ask=bid + width,
        ask_size=size,
    )


def _end_ns(bar: Bar) -> int:
    return bar.start_ns + bar.span_ns


def minutes_of(trades: Iterable[MarketTrade]) -> Iterator[Bar]:
    """One bar for each minute in which there was a trade."""
    for start_ns, minute in groupby(trades, lambda trade: trade.at_ns // MINUTE_NS * MINUTE_NS):
        group = list(minute)
        prices = [trade.price for trade in group]
        yield Bar(
            symbol=group[0].symbol,
            start_ns=start_ns,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=sum(trade.size for trade in group),
        )


def _at_ns(told: Quote | MarketTrade) -> int:
    return told.at_ns


def _between(told: list[V], bounds: tuple[int, int]) -> list[V]:
    first = bisect_right(told, bounds[0], key=_at_ns)
    return told[first : bisect_right(told, bounds[1], key=_at_ns)]


def _bounds(session: Session) -> tuple[int, int]:
    return night_begins_ns(session), session.post_close_ns


def _files(given: Path, everything: bool) -> list[Path]:
    """The CSV files that a path stands for, by name."""
    if not given.exists():
        raise MarketDataError(given, 0, "there is no such file or folder")
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise MarketDataError(given, 0, "neither a file nor a folder")
    found = _csv_files(given)
    if not found:
        bars = [given / name for name in BAR_FOLDERS if (given / name).is_dir()]
        found = _csv_files(bars[0]) if bars else []
        if bars or everything:
            found += _csv_files(given / "quote")
        found += _csv_files(given / "tick") if everything else []
    if not found:
        raise MarketDataError(given, 0, "there are no .csv or .csv.gz files in the folder")
    return found


def _csv_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.endswith((".csv", ".csv.gz")))


def _bars(file: CsvFile) -> Iterator[Bar]:
    rows = list(file.bars())
    span_ns = 0 if file.is_daily else _span_ns(file, rows)
    for start_ns, opened, high, low, close, volume in rows:
        yield Bar(
            symbol=file.symbol,
            start_ns=start_ns,
            span_ns=span_ns or _session_ns(start_ns),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )


def _session_ns(open_ns: int) -> int:
    session = session_of(open_ns)
    assert session is not None, "it opens then"
    return session.close_ns - session.open_ns


def _span_ns(file: CsvFile, rows: Sequence[BarRow]) -> int:
    """How long a bar lasts: a folder named for it says so, else the gaps between bars and where they start do."""
    folder = file.path.resolve().parent.name
    named = {"second": SECOND_NS, "minute": MINUTE_NS}.get(folder)
    starts = [row[0] for row in rows]
    if any(start_ns % SECOND_NS for start_ns in starts):
        raise MarketDataError(
            file.path, 0, "a bar starts within a second: minutes or seconds, please"
        )
    on_minutes = not any(start_ns % MINUTE_NS for start_ns in starts)
    if named == MINUTE_NS and not on_minutes:
        raise MarketDataError(file.path, 0, "a bar in a folder named minute starts within a minute")
    if named is not None:
        return named
    if not on_minutes:
        return SECOND_NS
    if len(rows) > GAPS_TELLING:
        for span_ns in LONG_SPANS_NS:
            if not any(start_ns % span_ns for start_ns in starts):
                return span_ns
    return MINUTE_NS


def _trades(file: CsvFile) -> Iterable[MarketTrade]:
    return [
        MarketTrade(
            symbol=file.symbol,
            at_ns=at_ns,
            price=price,
            size=size,
            number=number,
            exchange=exchange,
        )
        for number, (at_ns, price, size, exchange) in enumerate(file.trades(), 1)
    ]


def _quotes(file: CsvFile) -> Iterable[Quote]:
    rows: list[QuoteRow] = list(file.quotes())
    is_minutes = not any(row[0] % MINUTE_NS for row in rows)
    known_after_ns = MINUTE_NS if is_minutes else 0
    return [
        Quote(
            symbol=file.symbol,
            at_ns=stamp_ns + known_after_ns,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
        )
        for stamp_ns, bid, bid_size, ask, ask_size in rows
    ]
