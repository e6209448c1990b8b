"""Alpaca's market data: frames of the stream and pages of bars as our bars and quotes, in whole price ticks.

One frame is one decode into exact Structs and one loop over them: that is what bounds how many quotes a second the
program can take. Only where that fails is a frame taken apart message by message, to lose no more than the bad one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

from trader.calendar import iso
from trader.messages import SecurityStatus
from trader.model import MINUTE_NS, Bar, PriceBand, Quote, Symbol, Tick
from trader.money import PRICE_TICKS_PER_DOLLAR
from trader.wire.alpaca import Stamp, stamp_ns
from trader.wire.encodings import as_bytes, decoded
from trader.wire.unreadable import Unreadable, reading, shown

# NaN passes no bound, so these refuse it too. Beyond 2**53 a float would no longer be a whole number of shares, and
# less than a price tick is no price.
Price = Annotated[float, Meta(ge=1 / PRICE_TICKS_PER_DOLLAR, le=1e9)]
SidePrice = Annotated[float, Meta(ge=0, le=1e9)]  # 0: nobody there
Shares = Annotated[float, Meta(ge=0, le=2**53)]
DataSymbol = Annotated[str, Meta(min_length=1, max_length=32)]
PageToken = Annotated[str, Meta(max_length=1_024)]  # it becomes part of an address
StatusText = Annotated[str, Meta(max_length=200)]
IGNORED_KINDS_MAX = 64
# Codes of trading statuses (UTP's; CTA's, which are numbers). Others tell of prices to come and move nothing.
HALTS = frozenset({"H", "P", "2"})
RESUMPTIONS = frozenset({"T", "3"})


# --- what is sent


class _Authenticate(Struct, frozen=True, kw_only=True, tag="auth", tag_field="action"):
    key: str
    secret: str


class _Subscribe(Struct, frozen=True, kw_only=True, tag="subscribe", tag_field="action"):
    bars: list[str]
    quotes: list[str]
    statuses: list[str]
    lulds: list[str]


def authenticate(key: str, secret: str) -> bytes:
    """The answer to the server's greeting, wanted within 10 s."""
    return msgspec.msgpack.encode(_Authenticate(key=key, secret=secret))


def subscribe(symbols: Iterable[Symbol]) -> bytes:
    """Minute bars, quotes, trading statuses and price bands of these symbols."""
    names: list[str] = sorted(symbols)
    return msgspec.msgpack.encode(_Subscribe(bars=names, quotes=names, statuses=names, lulds=names))


# --- what is received


class BarMessage(Struct, frozen=True, kw_only=True, gc=False):
    """A bar of one minute; `t` is its start."""

    o: Price
    h: Price
    l: Price  # noqa: E741 - the protocol's own name
    c: Price
    v: Shares
    t: Stamp


class _StreamBar(BarMessage, frozen=True, kw_only=True, gc=False, tag_field="T", tag="b"):
    S: DataSymbol


class _StreamQuote(Struct, frozen=True, kw_only=True, gc=False, tag_field="T", tag="q"):
    S: DataSymbol
    bp: SidePrice
    bs: Shares
    ap: SidePrice
    as_: Shares = field(name="as")
    t: Stamp


class _StreamStatus(Struct, frozen=True, kw_only=True, gc=False, tag_field="T", tag="s"):
    S: DataSymbol
    sc: StatusText
    sm: StatusText = ""
    rc: StatusText = ""
    rm: StatusText = ""
    t: Stamp


class _StreamBand(Struct, frozen=True, kw_only=True, gc=False, tag_field="T", tag="l"):
    S: DataSymbol
    u: Price
    d: Price
    t: Stamp


class Success(Struct, frozen=True, kw_only=True, tag_field="T", tag="success"):
    """'connected' or 'authenticated'."""

    msg: str


class Subscribed(Struct, frozen=True, kw_only=True, tag_field="T", tag="subscription"):
    """Everything that this connection is subscribed to."""

    bars: list[str] = []
    quotes: list[str] = []
    statuses: list[str] = []


class DataError(Struct, frozen=True, kw_only=True, tag_field="T", tag="error"):
    """A refusal, by number."""

    code: int
    msg: str = ""


class _Tagged(Struct, frozen=True, kw_only=True):
    T: DataSymbol


Control = Success | Subscribed | DataError
_Item = _StreamQuote | _StreamBar | _StreamBand
_Message = _Item | _StreamStatus | Success | Subscribed | DataError


_JSON = msgspec.json.Decoder(list[_Message])
_MSGPACK = msgspec.msgpack.Decoder(list[_Message])
_JSON_ONE = msgspec.json.Decoder(_Message)
_MSGPACK_ONE = msgspec.msgpack.Decoder(_Message)


class FrameRead(Struct, frozen=True, kw_only=True):
    """What was in a frame: how many messages of market data, and the server's own words."""

    events: int
    controls: tuple[Control, ...]
    statuses: tuple[SecurityStatus, ...] = ()


class MarketDataReader:
    """Reads the frames of the stream; counts, by kind, what was not for us."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self._symbols: dict[str, Symbol] = {str(symbol): symbol for symbol in symbols}
        self.ignored: Counter[str] = Counter()

    def read(self, frame: str | bytes, deliver: Callable[[Tick], None]) -> FrameRead:
        """Deliver what is in it, in its order. Raises Unreadable where it is no array of messages at all."""
        skipped = 0
        try:
            with reading("frame"):
                data, is_json = as_bytes(frame)
                messages = (_JSON if is_json else _MSGPACK).decode(data)
        except Unreadable:
            messages, skipped = self._one_by_one(frame)
        controls: list[Control] = []
        statuses: list[SecurityStatus] = []
        for message in messages:
            match message:
                case _StreamQuote() | _StreamBar() | _StreamBand():
                    item = self._item(message)
                    if item is not None:
                        deliver(item)
                case _StreamStatus():
                    statuses += self._status(message)
                case _:
                    controls.append(message)
        return FrameRead(
            events=len(messages) - len(controls) + skipped,
            controls=tuple(controls),
            statuses=tuple(statuses),
        )

    def _item(self, message: _Item) -> Tick | None:
        symbol = self._symbols.get(message.S)
        if symbol is None:
            self.ignored["another symbol"] += 1
            return None
        try:
            if isinstance(message, _StreamQuote):
                return _quote_of(symbol, message)
            if isinstance(message, _StreamBand):
                return _band_of(symbol, message)
            return bar_of(symbol, message)
        except ValueError:
            self.ignored["time"] += 1
            return None

    def _status(self, message: _StreamStatus) -> Iterator[SecurityStatus]:
        symbol = self._symbols.get(message.S)
        if symbol is None or message.sc not in HALTS | RESUMPTIONS:
            self.ignored["another symbol" if symbol is None else "another status"] += 1
            return
        try:
            at_ns = stamp_ns(message.t)
        except ValueError:
            self.ignored["time"] += 1
            return
        said = (message.sc, message.sm, message.rc, message.rm)
        yield SecurityStatus(
            symbol=symbol,
            is_halted=message.sc in HALTS,
            reason=shown(" ".join(one for one in said if one)),
            at_ns=at_ns,
        )

    def _one_by_one(self, frame: str | bytes) -> tuple[list[_Message], int]:
        """The messages that can be read, and how many could not."""
        with reading("frame"):
            data, is_json = as_bytes(frame)
            raws = decoded(data, list[Raw], is_json=is_json)
        decoder = _JSON_ONE if is_json else _MSGPACK_ONE
        messages: list[_Message] = []
        for raw in raws:
            try:
                with reading("message"):
                    messages.append(decoder.decode(raw))
            except Unreadable:
                self._ignore(_tag(raw, is_json))
        return messages, len(raws) - len(messages)

    def _ignore(self, kind: str) -> None:
        """The sender chooses the kinds, but not how many of them are remembered."""
        is_room = kind in self.ignored or len(self.ignored) < IGNORED_KINDS_MAX
        self.ignored[kind if is_room else "another kind"] += 1


def _tag(raw: Raw, is_json: bool) -> str:
    """What a message that we can't read says that it is; the channels that we don't follow, for one."""
    try:
        with reading("message"):
            return f"T={shown(decoded(raw, _Tagged, is_json=is_json).T, 16)}"
    except Unreadable:
        return "unreadable"


def _quote_of(symbol: Symbol, message: _StreamQuote) -> Quote:
    return Quote(
        symbol=symbol,
        at_ns=stamp_ns(message.t),
        bid=round(message.bp * PRICE_TICKS_PER_DOLLAR),
        bid_size=int(message.bs),
        ask=round(message.ap * PRICE_TICKS_PER_DOLLAR),
        ask_size=int(message.as_),
    )


def _band_of(symbol: Symbol, message: _StreamBand) -> PriceBand:
    return PriceBand(
        symbol=symbol,
        at_ns=stamp_ns(message.t),
        up=round(message.u * PRICE_TICKS_PER_DOLLAR),
        down=round(message.d * PRICE_TICKS_PER_DOLLAR),
    )


def bar_of(symbol: Symbol, message: BarMessage) -> Bar:
    """In price ticks; raises ValueError where `t` is not a time."""
    return Bar(
        symbol=symbol,
        start_ns=stamp_ns(message.t),
        open=round(message.o * PRICE_TICKS_PER_DOLLAR),
        high=round(message.h * PRICE_TICKS_PER_DOLLAR),
        low=round(message.l * PRICE_TICKS_PER_DOLLAR),
        close=round(message.c * PRICE_TICKS_PER_DOLLAR),
        volume=int(message.v),
    )


# --- what a refusal means

_REMEDIES = {
    400: "the server did not understand us: a symbol may be malformed",
    401: "not authenticated",
    402: "the keys were not accepted: check them",
    404: "authentication came too late",
    405: "more symbols than the subscription allows: trade fewer, or subscribe to more",
    406: "another program holds the only connection: stop it (a dead one is dropped after about 90 s)",
    407: "we read too slowly",
    408: "the account has no access to this feed",
    409: "the subscription does not include this feed: use feed 'iex', or subscribe",
    410: "this feed has no such channel",
    411: "the keys may not read market data",
    500: "an error inside the broker's server",
}
HARMLESS = 403  # "already authenticated"
# Another try changes nothing about these: a person has to act.
_FOR_A_PERSON = frozenset({402, 405, 408, 409, 410, 411})


def needs_a_person(error: DataError) -> bool:
    """Trying again won't help."""
    return error.code in _FOR_A_PERSON


def remedy(error: DataError) -> str:
    """The refusal in words, with what to do about it."""
    words = _REMEDIES.get(error.code, "a refusal unknown to us")
    return f"market data {error.code}: {words} ({shown(error.msg, 80)})"


# --- history

IEX_ONLY = "IEX only: quotes can be wide or old"  # one exchange, of many
HISTORY_DAYS = (5, 30)  # over a long week-end; and where a symbol is seldom traded
HISTORY_PAGE_MAX = 10_000
_DAY_NS = 24 * 60 * MINUTE_NS


class BarsPage(Struct, frozen=True, kw_only=True):
    """One page of bars by symbol."""

    bars: dict[str, list[BarMessage]] | None = None
    next_page_token: PageToken | None = None


_PAGE = msgspec.json.Decoder(BarsPage)


def decode_bars(body: bytes) -> BarsPage:
    """Raises Unreadable."""
    with reading("page of bars"):
        return _PAGE.decode(body)


def bars_query(symbol: Symbol, feed: str, before_ns: int, days: int, limit: int) -> dict[str, str]:
    """Of so many days the newest bars first, up to the one that ends at `before_ns`: `end` is the start of a bar."""
    return {
        "symbols": symbol,
        "timeframe": "1Min",
        "start": iso(before_ns - days * _DAY_NS),
        "end": iso(before_ns - MINUTE_NS),
        "limit": str(min(limit, HISTORY_PAGE_MAX)),
        "adjustment": "split",
        "feed": feed,
        "sort": "desc",
    }


def gap_query(
    symbols: Iterable[Symbol], feed: str, since_ns: int, before_ns: int
) -> dict[str, str]:
    """The bars of a gap, oldest first; of one that is longer than a few days only these."""
    return {
        "symbols": ",".join(symbols),
        "timeframe": "1Min",
        "start": iso(max(since_ns, before_ns - HISTORY_DAYS[0] * _DAY_NS)),
        "end": iso(before_ns - MINUTE_NS),
        "limit": str(HISTORY_PAGE_MAX),
        "adjustment": "split",
        "feed": feed,
        "sort": "asc",
    }


def download_query(
    symbol: Symbol, timeframe: str, start_ns: int, end_ns: int, feed: str, adjustment: str
) -> dict[str, str]:
    """All bars of one symbol that start within, both ends included, oldest first."""
    return {
        "symbols": symbol,
        "timeframe": timeframe,
        "start": iso(start_ns),
        "end": iso(end_ns),
        "limit": str(HISTORY_PAGE_MAX),
        "adjustment": adjustment,
        "feed": feed,
        "sort": "asc",
    }
