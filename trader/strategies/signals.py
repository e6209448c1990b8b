"""What a strategy says of a whole column of bars at once: where it would enter or leave, and in which words."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from trader.model import Bar, OrderType, Side, Size, Symbol

if TYPE_CHECKING:  # A process that trades has no need of NumPy.
    import numpy as np
    from numpy.typing import NDArray


class BarColumns(Protocol):
    """The bars of one symbol, a number a bar in each column: see feeds/columns.py:Columns."""

    @property
    def symbol(self) -> Symbol: ...
    @property
    def start_ns(self) -> "NDArray[np.int64]": ...
    @property
    def ends_ns(self) -> "NDArray[np.int64]": ...
    @property
    def open(self) -> "NDArray[np.int64]": ...
    @property
    def high(self) -> "NDArray[np.int64]": ...
    @property
    def low(self) -> "NDArray[np.int64]": ...
    @property
    def close(self) -> "NDArray[np.int64]": ...
    @property
    def volume(self) -> "NDArray[np.int64]": ...
    def __len__(self) -> int: ...
    def bar(self, place: int) -> Bar: ...
    def bars(self) -> Iterator[Bar]: ...


class Signals(Struct, frozen=True, kw_only=True):
    """Booleans, one a bar: `enter` where on_bar would wish to, were the symbol idle; `leave`, were it held.

    words(place, side) is the reason of that wish, BUY of the entry and SELL of the exit. size(place) is what an entry
    asks for; None: the strategy's own size everywhere. order_type is of all of them.
    """

    enter: "NDArray[np.bool_]"
    leave: "NDArray[np.bool_]"
    words: Callable[[int, Side], str]
    size: Callable[[int], Size] | None = None
    order_type: OrderType = OrderType.LIMIT
