"""Holds the two forms of a strategy together: what `signals` says of a column against what `on_bar` wishes bar by bar.

    differences(lambda: build("mine", StrategyName("mine"), {}, size), columns)

yields a line for each bar at which they differ. The strategy is driven three times: always idle, always holding, and
as somebody who follows it, with orders that take a bar to be filled, so that what it remembers of a position shows.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from trader.calendar import iso
from trader.model import OrderType, Purpose, Side, Size, Symbol
from trader.strategies.base import Strategy, SymbolView, Wish, WorkingOrder
from trader.strategies.signals import BarColumns, Signals

SHARE = Decimal(1)


def differences(make: Callable[[], Strategy], columns: BarColumns) -> Iterator[str]:
    """Where on_bar and signals differ, a line each, as long as anybody asks; nothing where they are the same.

    `make` gives a fresh strategy each time.
    """
    strategy = make()
    signals = strategy.signals(columns)
    if signals is None:
        yield f"{type(strategy).__name__} gives no signals"
        return
    wrong = ill_formed(signals, len(columns))
    if wrong:
        yield wrong
        return
    followed = _Followed(columns.symbol, strategy)
    idle, holding, following = make(), make(), make()
    for place, bar in enumerate(columns.bars()):
        for what, driven, view in (
            ("idle", idle, followed.idle),
            ("holding", holding, followed.held),
            ("following", following, followed.view),
        ):
            did = tuple(driven.on_bar(bar, view))
            wanted = wished(signals, place, view, strategy)
            if did != wanted:
                yield (
                    f"bar {place}, {iso(bar.start_ns)}, {what}: "
                    f"on_bar {_words(did)}, signals: {_words(wanted)}"
                )
        followed.goes_on(bool(signals.enter[place]), bool(signals.leave[place]))


def ill_formed(signals: Signals, bars: int) -> str:
    """What can't be of so many bars; empty where it can."""
    for name, column in (("enter", signals.enter), ("leave", signals.leave)):
        if column.dtype != bool or len(column) != bars:
            return f"{name} must be {bars} booleans, not {len(column)} of {column.dtype}"
    return ""


class _Followed:
    """The published state of somebody who does what the signals say: an order is filled while the next bar runs."""

    def __init__(self, symbol: Symbol, strategy: Strategy) -> None:
        self.idle = SymbolView(symbol=symbol)
        self.held = SymbolView(symbol=symbol, quantity=SHARE, strategy=strategy.name, cost=SHARE)
        buying = SymbolView(symbol=symbol, working=(_order(Side.BUY),))
        selling = SymbolView(
            symbol=symbol,
            quantity=SHARE,
            strategy=strategy.name,
            cost=SHARE,
            working=(_order(Side.SELL),),
        )
        self._filled = {buying: self.held, selling: self.idle}
        self._buying, self._selling = buying, selling
        self.view = self.idle

    def goes_on(self, enters: bool, leaves: bool) -> None:
        if self.view is self.idle and enters:
            self.view = self._buying
        elif self.view is self.held and leaves:
            self.view = self._selling
        else:
            self.view = self._filled.get(self.view, self.view)


def _order(side: Side) -> WorkingOrder:
    return WorkingOrder(side=side, quantity_leaves=SHARE)


def wished(signals: Signals, place: int, view: SymbolView, strategy: Strategy) -> tuple[Wish, ...]:
    """What on_bar has to wish at the bar of that place, when it is shown this view."""
    if view.is_idle() and signals.enter[place]:
        size = strategy.size if signals.size is None else signals.size(place)
        return (_wish(signals, place, Side.BUY, Purpose.ENTER, size),)
    if view.held_by(strategy.name) and not view.working and signals.leave[place]:
        return (_wish(signals, place, Side.SELL, Purpose.EXIT, None),)
    return ()


def _wish(signals: Signals, place: int, side: Side, purpose: Purpose, size: Size | None) -> Wish:
    return Wish(
        side=side,
        purpose=purpose,
        size=size,
        order_type=signals.order_type,
        reason=signals.words(place, side),
    )


def _words(wishes: tuple[Wish, ...]) -> str:
    if not wishes:
        return "nothing"
    return " and ".join(_in_full(wish) for wish in wishes)


def _in_full(wish: Wish) -> str:
    size = "" if wish.size is None else f" {wish.size.amount} {wish.size.unit}"
    plain = Wish(
        side=wish.side,
        purpose=wish.purpose,
        size=wish.size,
        order_type=wish.order_type,
        reason=wish.reason,
    )
    more = "" if wish == plain else ", with more than signals can say"
    kind = "" if wish.order_type is OrderType.LIMIT else f" {wish.order_type}"
    return f"{wish.side} {wish.purpose}{size}{kind} ({wish.reason!r}{more})"
