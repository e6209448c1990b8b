"""What a strategy is: told bars, quotes and fills of one symbol, it answers at once with what it would like.

A strategy never sends, sizes against the account, or prices an order: a Wish goes to its worker, which prices it and
tells the executor, which may say no. So a strategy must not remember what it wished, only what it was told: the view
it is given with each event has the position and the working orders as the executor published them last.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from decimal import Decimal
from types import NoneType
from typing import ClassVar

from msgspec import Struct

from trader.model import (
    ENTRY_PURPOSES,
    Bar,
    Distances,
    OrderType,
    Protection,
    Purpose,
    Quote,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.money import ZERO, price_of, ratio
from trader.protection import protection_at
from trader.strategies.signals import BarColumns, Signals


class StrategyError(ValueError):
    """A strategy that can't be made: unknown kind, unknown parameter, or a value that makes no sense."""


class WorkingOrder(Struct, frozen=True, kw_only=True):
    """An order that may still be executed, UNKNOWN ones included."""

    side: Side
    quantity_leaves: Decimal


class SymbolView(Struct, frozen=True, kw_only=True):
    """The executor's published state of one symbol.

    strategy is whose position it is, None while flat; cost is what all of it cost, in dollars; entries_open is False
    while no entry would be accepted (an order in doubt, warming up, halted).
    """

    symbol: Symbol
    quantity: Decimal = ZERO
    strategy: StrategyName | None = None
    cost: Decimal = ZERO
    working: tuple[WorkingOrder, ...] = ()
    entries_open: bool = True

    @property
    def avg_cost(self) -> Decimal | None:
        """Dollars a share; None while flat."""
        return ratio(self.cost, self.quantity) if self.quantity else None

    def is_idle(self) -> bool:
        """Nothing held and nothing on its way."""
        return not self.quantity and not self.working

    def held_by(self, strategy: StrategyName) -> bool:
        """There is a position, and it is this strategy's to reduce."""
        return self.quantity > 0 and self.strategy == strategy


class Wish(Struct, frozen=True, kw_only=True):
    """What a strategy would like done now.

    size None is the whole position, for exits only. limit_offset is how far through the far side of the quote a
    limit may go, as a fraction of it (None: the worker's default, 0.5 %). leg tells two wishes of one event apart.
    protection, of an entry, is what shall guard the position (None: what the configuration says). reason is for
    people: one line, with the numbers that made it so.
    """

    side: Side
    purpose: Purpose
    size: Size | None
    order_type: OrderType = OrderType.LIMIT
    limit_offset: Decimal | None = None
    leg: str = ""
    protection: Distances | None = None
    reason: str


class Fill(Struct, frozen=True, kw_only=True):
    """An execution of one of the strategy's own orders; price in dollars."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    at_ns: int


class NoParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a strategy that has nothing to set."""


class Strategy(ABC):
    """One strategy on one symbol. Handlers are synchronous and quick; they raise only when they are broken.

    Parameters is the Struct that its settings are read into. bars_needed is how many bars of history it wants fed,
    its wishes ignored, before it may trade. size is what an entry asks for.

    bars_alone says that what on_bar wishes follows from the bars it was told of and from whether the symbol is idle
    or held: from nothing else of the view (not from entries_open), and from no other symbol. A backtest then tells it
    of many bars at a time while the symbol is flat.
    """

    Parameters: ClassVar[type[Struct]] = NoParameters
    bars_needed: int = 0
    bars_alone: ClassVar[bool] = False
    sizes_by_volatility: ClassVar[bool] = False  # It can make shares of size.volatility.

    def __init__(self, name: StrategyName, size: Size, parameters: Struct) -> None:
        self.name = name
        self.size = size

    @abstractmethod
    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        """A bar has ended."""

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """The best bid or ask changed; quotes are conflated, so some are never seen."""
        return ()

    def on_fill(self, fill: Fill, view: SymbolView) -> Iterable[Wish]:
        """One of its own orders was executed; the view is the state after it."""
        return ()

    def hears(self, symbol: Symbol) -> Collection[Symbol]:
        """Other symbols whose bars it is told where it trades this one; they have to be of the same run."""
        return ()

    def on_bar_of_other(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        """A bar of a symbol that it hears has ended; the view is its own symbol's, as ever.

        Bars of one moment come in any order, so who compares them decides when all are there. A wish is listened to
        only if its own symbol's bar of that moment has come before: else nobody knows what it would cost.
        """
        return ()

    def signals(self, columns: BarColumns) -> Signals | None:
        """The same as on_bar for a whole column of bars, for speed; None: there is no such form.

        Whoever gives one must say in on_bar what follows from the bars alone: of the view it may ask whether the
        symbol is idle or held, and nothing of what was before. `equality.py:differences` holds the two together.
        """
        return None


_AMOUNT, _SIZE, _DISTANCES = (Decimal, NoneType), (Size, NoneType), (Distances, NoneType)


def exit_all(reason: str) -> tuple[Wish]:
    """The wish to be out of the position."""
    return (Wish(side=Side.SELL, purpose=Purpose.EXIT, size=None, reason=reason),)


def checked(wish: Wish) -> Wish:
    """The wish, if its parts are what they say they are; raises StrategyError.

    A strategy is anybody's code, and nothing has looked at what it made. An int for a Decimal would end the
    executor, and with it everybody's trading; a unit that is no text could be journaled and never read again. Here
    it ends its own worker.
    """
    size = wish.size
    parts = (
        ("side", wish.side, Side),
        ("purpose", wish.purpose, Purpose),
        ("order_type", wish.order_type, OrderType),
        ("limit_offset", wish.limit_offset, _AMOUNT),
        ("leg", wish.leg, str),
        ("reason", wish.reason, str),
        ("size", size, _SIZE),
        ("size's unit", "" if size is None else getattr(size, "unit", None), str),
        ("protection", wish.protection, _DISTANCES),
        ("size's amount", ZERO if size is None else getattr(size, "amount", None), Decimal),
    )
    for name, value, wanted in parts:
        if not isinstance(value, wanted):
            raise StrategyError(f"a wish's {name} can't be {ascii(value)[:50]}")
    wrong = "" if wish.protection is None else wish.protection.objection()
    if wrong:
        raise StrategyError(f"a wish's protection: {wrong}")
    if size is not None and not size.unit.isascii():
        raise StrategyError(f"a wish's size's unit can't be {ascii(size.unit)[:50]}")
    return wish


def protection_of(
    wish: Wish, configured: Distances | None, price: Decimal | None, quote: Quote | None, at_ns: int
) -> Protection | None:
    """What shall guard an entry, reckoned from its limit, or where it has none from the ask; None for exits."""
    if wish.purpose not in ENTRY_PURPOSES:
        return None
    if price is None and quote is not None and quote.ask:
        price = price_of(quote.ask)
    return protection_at(wish.protection or configured, price, at_ns)
