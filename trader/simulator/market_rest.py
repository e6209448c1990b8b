"""The market-data service's REST endpoints: bars, quotes and trades of the past, the latest of each, snapshots."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from trader.calendar import DAY_NS, iso
from trader.feeds.market import MarketTrade
from trader.model import Bar, Quote, Symbol
from trader.simulator.bar_query import Timeframe, aggregated, bars_between
from trader.simulator.broker import SimulatedBroker
from trader.simulator.desk import not_found
from trader.simulator.market_frames import MarketObject, market_object
from trader.simulator.market_tape import day_start_ns
from trader.simulator.parameters import one_of, symbols_parameter
from trader.simulator.plan import SIP_REFUSED
from trader.simulator.replies import BadRequest, json_reply
from trader.simulator.requests import refused
from trader.simulator.tick_history import TickHistory
from trader.simulator.window import Window, paged, window_of

V = TypeVar("V")
Endpoint = Callable[[Request, str], Awaitable[Response]]
Find = Callable[[Symbol, Window, Request], list[Bar] | list[Quote] | list[MarketTrade]]
Latest = Callable[[Symbol], Bar | Quote | MarketTrade | None]
FEEDS = ("sip", "iex", "delayed_sip", "boats", "overnight", "otc")
DAY = Timeframe(count=1, unit="D")
EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "V": "IEX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
CONDITIONS = {"trade": {"@": "Regular Sale"}, "quote": {"R": "Regular, Two-Sided Open"}}


class MarketRest:
    """Nobody sees the future: every bar had ended at market time now. Errors are 400, as this service has them."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._ticks = TickHistory(broker.market)

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """(verb, path, endpoint), the particular before the general."""
        tape = self._broker.tape
        kinds: list[tuple[str, Find, Latest]] = [
            ("bars", self._bars, tape.bars.get),
            ("quotes", lambda symbol, window, _: self._ticks.quotes(symbol, window), self._quote),
            (
                "trades",
                lambda symbol, window, _: self._ticks.trades(symbol, window),
                tape.latest_trade,
            ),
        ]
        found: list[tuple[str, Endpoint]] = []
        for kind, find, latest in kinds:
            found += [
                (kind, partial(self._get_past, kind, find)),
                (f"{kind}/latest", partial(self._get_latest, kind, latest)),
                (f"{{symbol}}/{kind}", partial(self._get_past_of_one, kind, find)),
                (f"{{symbol}}/{kind}/latest", partial(self._get_latest_of_one, kind, latest)),
            ]
        found += [
            ("snapshots", self._get_snapshots),
            ("meta/exchanges", self._get_exchanges),
            ("meta/conditions/{kind}", self._get_conditions),
            ("{symbol}/snapshot", self._get_snapshot),
        ]
        return [("GET", f"/v2/stocks/{path}", partial(_answer, one)) for path, one in found]

    # --- the past

    async def _get_past(self, kind: str, find: Find, request: Request, account_id: str) -> Response:
        page, token = self._page(find, _wanted(request), request)
        return json_reply({kind: page, "next_page_token": token})

    async def _get_past_of_one(
        self, kind: str, find: Find, request: Request, account_id: str
    ) -> Response:
        symbol = Symbol(request.path_params["symbol"])
        page, token = self._page(find, [symbol], request)
        return json_reply({kind: page.get(symbol, []), "symbol": symbol, "next_page_token": token})

    def _page(
        self, find: Find, symbols: list[Symbol], request: Request
    ) -> tuple[dict[Symbol, list[MarketObject]], str | None]:
        window = window_of(request, self._broker.now_ns)
        self._check_feed(request, window.is_recent)
        page, token = paged(symbols, window, lambda symbol: [*find(symbol, window, request)])
        return {symbol: list(map(shape_of, values)) for symbol, values in page.items()}, token

    def _bars(self, symbol: Symbol, window: Window, request: Request) -> list[Bar]:
        return bars_between(self._broker.market, symbol, window, self._broker.now_ns, request)

    # --- the latest

    async def _get_latest(
        self, kind: str, latest: Latest, request: Request, account_id: str
    ) -> Response:
        self._check_feed(request, is_recent=True)
        known = {symbol: latest(symbol) for symbol in _wanted(request)}
        return json_reply(
            {kind: {symbol: shape_of(one) for symbol, one in known.items() if one is not None}}
        )

    async def _get_latest_of_one(
        self, kind: str, latest: Latest, request: Request, account_id: str
    ) -> Response:
        self._check_feed(request, is_recent=True)
        symbol, word = Symbol(request.path_params["symbol"]), kind.removesuffix("s")
        one = latest(symbol)
        if one is None:
            raise BadRequest(not_found(f"no {word} found for {symbol[:20]}"))
        return json_reply({"symbol": symbol, word: shape_of(one)})

    def _quote(self, symbol: Symbol) -> Quote | None:
        return self._broker.tape.quotes.get(symbol)

    async def _get_snapshots(self, request: Request, account_id: str) -> Response:
        self._check_feed(request, is_recent=True)
        return json_reply({symbol: self._snapshot(symbol) for symbol in _wanted(request)})

    async def _get_snapshot(self, request: Request, account_id: str) -> Response:
        self._check_feed(request, is_recent=True)
        symbol = Symbol(request.path_params["symbol"])
        return json_reply({"symbol": symbol, **self._snapshot(symbol)})

    def _snapshot(self, symbol: Symbol) -> dict[str, MarketObject]:
        """What isn't known is left out."""
        tape = self._broker.tape
        known = {
            "latestTrade": tape.latest_trade(symbol),
            "latestQuote": tape.quotes.get(symbol),
            "minuteBar": tape.bars.get(symbol),
            "dailyBar": tape.day_bar(symbol),
            "prevDailyBar": self._day_before(symbol),
        }
        return {word: shape_of(one) for word, one in known.items() if one is not None}

    def _day_before(self, symbol: Symbol) -> Bar | None:
        latest = self._broker.tape.bars.get(symbol)
        if latest is None:
            return None
        start_ns = day_start_ns(latest.start_ns)
        bars = self._broker.market.history(symbol, start_ns, DAY_NS // latest.span_ns)
        days = aggregated(bars, DAY)
        return days[-1] if days else None

    # --- what stands in the messages

    async def _get_exchanges(self, request: Request, account_id: str) -> Response:
        return json_reply(EXCHANGES)

    async def _get_conditions(self, request: Request, account_id: str) -> Response:
        conditions = CONDITIONS.get(request.path_params["kind"])
        if conditions is None:
            raise BadRequest(refused("invalid ticktype", status=400))
        return json_reply(conditions)

    def _check_feed(self, request: Request, is_recent: bool) -> None:
        feed = one_of(request, "feed", FEEDS)
        plan = self._broker.plan
        if feed == "sip" and is_recent and plan.only_sip_of_the_past:
            raise BadRequest(refused(SIP_REFUSED, status=403))


async def _answer(endpoint: Endpoint, request: Request, account_id: str) -> Response:
    try:
        return await endpoint(request, account_id)
    except BadRequest as bad:
        status = 400 if bad.refusal.status == 422 else bad.refusal.status
        raise BadRequest(msgspec.structs.replace(bad.refusal, status=status)) from None


def shape_of(word: Bar | Quote | MarketTrade) -> MarketObject:
    return {"t": iso(word.start_ns if isinstance(word, Bar) else word.at_ns), **market_object(word)}


def _wanted(request: Request) -> list[Symbol]:
    symbols = symbols_parameter(request)
    if not symbols:
        raise BadRequest(refused("symbols is required", status=400))
    return symbols
