"""What all endpoints of the trading service need: the broker behind them, and the symbol that a path means."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from trader.model import Symbol
from trader.simulator import shapes
from trader.simulator.broker import SimulatedBroker
from trader.simulator.faulty import fault_of
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.venue import Refusal, Venue, VenueOrder
from trader.venue.acceptance import NOT_FOUND

Endpoint = Callable[[Request, str], Awaitable[Response]]
Endpoints = list[
    tuple[str, str, Endpoint]
]  # (verb, path, endpoint), the particular before the general


class Desk:
    """Each endpoint gets the account that the keys belong to; BadRequest is turned into its reply by the caller."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._ids = {shapes.asset_id(symbol): symbol for symbol in broker.symbols}
        self._symbols = frozenset(broker.symbols)

    def _seen(self, request: Request) -> Venue:
        """The venue, or a past state of it where the request is to see a stale one."""
        return self._broker.seen(fault_of(request))

    def _order_shape(self, order: VenueOrder, legs: list[VenueOrder] | None = None) -> shapes.Shape:
        """With the times of the broker's clock."""
        clock = self._broker.told_clock
        return shapes.order_shape(clock.order(order), clock.orders(legs or []))

    def _symbol(self, request: Request) -> Symbol:
        """The symbol in the path, or the one whose asset id is there."""
        text = request.path_params["symbol"]
        symbol = self._ids.get(text, text)
        if symbol not in self._symbols:
            raise BadRequest(not_found(f"asset not found for {text[:40]}"))
        return Symbol(symbol)


def not_found(message: str) -> Refusal:
    return refused(message, status=404, code=NOT_FOUND)
