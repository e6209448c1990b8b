"""What the market has last told of each symbol, and what follows from it: made trades, the day's bar, price bands."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from trader.calendar import DAY_NS, new_york_date, session_on
from trader.feeds.market import Instant, Market, MarketTrade
from trader.model import MINUTE_NS, Bar, PriceBand, Quote, Symbol
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.simulator.market_words import MarketWord

TRADES_MADE = 4  # of a bar without trades: at its open, both ends, and its close
REFERENCE_BARS = 5
BAND_MOVES = 0.01  # of the reference price, before a new band is told
BAND_WIDTH, CHEAP_BAND_WIDTH = 0.05, 0.2  # of the reference price
CHEAP_TICKS = 3 * PRICE_TICKS_PER_DOLLAR
DAY_OPENS_BEFORE_NS = 240 * MINUTE_NS  # from New York's midnight to 04:00


class Tape:
    """What nobody asks for costs nothing."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotes: dict[Symbol, Quote] = {}
        self.bars: dict[Symbol, Bar] = {}
        self._trades: dict[Symbol, MarketTrade] = {}
        self._days: dict[Symbol, Bar] = {}
        self._bands: dict[Symbol, float] = {}

    def take(self, instant: Instant) -> None:
        for bar in instant.bars:
            self.bars[bar.symbol] = bar
            if bar.symbol in self._days:
                self._grow_day(bar)
        for quote in instant.quotes:
            self.quotes[quote.symbol] = quote
        for trade in instant.trades:
            self._trades[trade.symbol] = trade

    def told(
        self, instant: Instant, wants: Callable[[str], bool]
    ) -> Mapping[str, Sequence[MarketWord]]:
        """What is told of an instant that was taken, by channel."""
        told: dict[str, Sequence[MarketWord]] = {"quotes": instant.quotes, "bars": instant.bars}
        if wants("trades"):
            told["trades"] = [*instant.trades, *self._made_trades(instant)]
        if instant.bars and wants("dailyBars"):
            told["dailyBars"] = [self._day_of(bar) for bar in instant.bars]
        if instant.bars and wants("lulds"):
            told["lulds"] = self._new_bands(instant)
        return told

    def forget_quotes(self) -> None:
        self.quotes.clear()

    def latest_trade(self, symbol: Symbol) -> MarketTrade | None:
        """Where no trades are told one by one, the last is the one that closed the latest bar."""
        trade, bar = self._trades.get(symbol), self.bars.get(symbol)
        if bar is None or (trade is not None and trade.at_ns >= bar.start_ns):
            return trade
        made = trades_of(bar)
        return made[-1] if made else None

    def day_bar(self, symbol: Symbol) -> Bar | None:
        """Of the day of the latest bar, so far."""
        bar = self.bars.get(symbol)
        return None if bar is None else self._day_of(bar)

    def _made_trades(self, instant: Instant) -> list[MarketTrade]:
        """Of bars whose symbols are not told trade by trade."""
        return [
            trade
            for bar in instant.bars
            if not self._has_trades(bar.symbol, bar.start_ns)
            for trade in trades_of(bar)
        ]

    def _has_trades(self, symbol: Symbol, since_ns: int) -> bool:
        trade = self._trades.get(symbol)
        return trade is not None and trade.at_ns >= since_ns

    # --- the day

    def _day_of(self, bar: Bar) -> Bar:
        """The day of the bar, which is the symbol's latest."""
        day = self._days.get(bar.symbol)
        if day is None or day.start_ns != day_start_ns(bar.start_ns):
            end_ns = bar.start_ns + bar.span_ns
            start_ns = day_start_ns(bar.start_ns)
            bars = self._market.history(bar.symbol, end_ns, DAY_NS // bar.span_ns)
            today = [one for one in bars if one.start_ns >= start_ns] or [bar]
            day = merged(today, start_ns, DAY_NS)
            self._days[bar.symbol] = day
        return day

    def _grow_day(self, bar: Bar) -> None:
        day = self._days[bar.symbol]
        if day.start_ns == day_start_ns(bar.start_ns):
            self._days[bar.symbol] = merged([day, bar], day.start_ns, DAY_NS)
        else:
            del self._days[bar.symbol]

    # --- limit up, limit down

    def _new_bands(self, instant: Instant) -> list[PriceBand]:
        """Around the mean of the last five minutes, told when it has moved by a hundredth."""
        told: list[PriceBand] = []
        for bar in instant.bars:
            recent = self._market.history(bar.symbol, instant.at_ns, REFERENCE_BARS) or [bar]
            reference = fmean(one.close for one in recent)
            last = self._bands.get(bar.symbol, 0.0)
            if abs(reference - last) >= BAND_MOVES * last:
                self._bands[bar.symbol] = reference
                told.append(_band(bar.symbol, instant.at_ns, reference))
        return told


def trades_of(bar: Bar) -> list[MarketTrade]:
    """Trades that make up a bar: its open, the nearer end, the other one, its close; fewer of fewer shares."""
    ends = [bar.low, bar.high] if bar.close >= bar.open else [bar.high, bar.low]
    prices = [bar.open, *ends, bar.close][-min(TRADES_MADE, bar.volume) :] if bar.volume else []
    sizes = [bar.volume // len(prices)] * len(prices) if prices else []
    first_number = bar.start_ns // bar.span_ns * TRADES_MADE
    return [
        MarketTrade(
            symbol=bar.symbol,
            at_ns=bar.start_ns + (bar.span_ns - 1) * number // max(1, len(prices) - 1),
            price=price,
            size=size + (bar.volume - sum(sizes) if number == 0 else 0),
            number=first_number + number,
        )
        for number, (price, size) in enumerate(zip(prices, sizes, strict=True))
    ]


def merged(group: Sequence[Bar], start_ns: int, span_ns: int) -> Bar:
    """Bars that follow each other as one."""
    return Bar(
        symbol=group[0].symbol,
        start_ns=start_ns,
        span_ns=span_ns,
        open=group[0].open,
        high=max(bar.high for bar in group),
        low=min(bar.low for bar in group),
        close=group[-1].close,
        volume=sum(bar.volume for bar in group),
    )


def day_start_ns(at_ns: int) -> int:
    """New York's midnight, on days with a session; else that of Greenwich."""
    session = session_on(new_york_date(at_ns))
    return (
        at_ns // DAY_NS * DAY_NS if session is None else session.pre_open_ns - DAY_OPENS_BEFORE_NS
    )


def _band(symbol: Symbol, at_ns: int, reference: float) -> PriceBand:
    width = BAND_WIDTH if reference >= CHEAP_TICKS else CHEAP_BAND_WIDTH
    cent = PRICE_TICKS_PER_DOLLAR // 100
    up, down = (round(reference * (1 + sign * width) / cent) * cent for sign in (1, -1))
    return PriceBand(symbol=symbol, at_ns=at_ns, up=up, down=max(cent, down))
