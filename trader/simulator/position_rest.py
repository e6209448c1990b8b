"""The trading service's endpoints for positions: what is held, and orders that close it."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from trader.model import Side, Symbol, TimeInForce
from trader.money import NANO, ZERO, rounded_down
from trader.simulator import shapes
from trader.simulator.desk import Desk, Endpoints, not_found
from trader.simulator.faulty import fault_of
from trader.simulator.parameters import amount_parameter, flag_parameter
from trader.simulator.replies import BadRequest, json_reply, refusal_reply
from trader.simulator.requests import refused
from trader.venue import NewOrder, OrderEvent, OrderType, Refusal, Venue

HUNDRED = Decimal(100)


class PositionRest(Desk):
    """See the module."""

    def endpoints(self) -> Endpoints:
        return [
            ("GET", "/v2/positions", self._get_positions),
            ("DELETE", "/v2/positions", self._delete_positions),
            ("GET", "/v2/positions/{symbol}", self._get_position),
            ("DELETE", "/v2/positions/{symbol}", self._delete_position),
        ]

    async def _get_positions(self, request: Request, account_id: str) -> Response:
        venue = self._seen(request)
        held = sorted(venue.account(account_id).positions)
        return json_reply([self._position(venue, account_id, symbol) for symbol in held])

    async def _get_position(self, request: Request, account_id: str) -> Response:
        venue, symbol = self._seen(request), self._symbol(request)
        if symbol not in venue.account(account_id).positions:
            raise BadRequest(not_found("position does not exist"))
        return json_reply(self._position(venue, account_id, symbol))

    async def _delete_position(self, request: Request, account_id: str) -> Response:
        """All of it, so many shares (`qty`) or so much of a hundred (`percentage`), at the market."""
        symbol = self._symbol(request)
        quantity = abs(self._broker.venue.account(account_id).quantity(symbol))
        if not quantity:
            raise BadRequest(not_found("position does not exist"))
        outcome = self._close(request, account_id, symbol, _wanted(request, quantity))
        if isinstance(outcome, Refusal):
            return refusal_reply(outcome)
        return json_reply(self._order_shape(outcome[0].order))

    async def _delete_positions(self, request: Request, account_id: str) -> Response:
        """Every one of them; each with its own status and the order or the refusal."""
        account = self._broker.venue.account(account_id)
        if flag_parameter(request, "cancel_orders"):
            for order in self._broker.venue.open_orders():
                if order.account_id == account_id:
                    self._broker.cancel(account_id, order.order_id, fault_of(request))
        replies: list[shapes.Json] = []
        for symbol in sorted(account.positions):
            quantity = abs(account.quantity(symbol))
            outcome = self._close(request, account_id, symbol, quantity)
            if isinstance(outcome, Refusal):
                body = shapes.refusal_shape(outcome)
                replies.append({"symbol": symbol, "status": outcome.status, "body": body})
            else:
                body = self._order_shape(outcome[0].order)
                replies.append({"symbol": symbol, "status": 200, "body": body})
        return json_reply(replies, status=207)

    def _close(
        self, request: Request, account_id: str, symbol: Symbol, quantity: Decimal
    ) -> Refusal | list[OrderEvent]:
        is_long = self._broker.venue.account(account_id).quantity(symbol) > ZERO
        new = NewOrder(
            symbol=symbol,
            side=Side.SELL if is_long else Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity=quantity,
        )
        return self._broker.submit(account_id, new, fault_of(request))

    def _position(self, venue: Venue, account_id: str, symbol: Symbol) -> shapes.Shape:
        lastday_price = self._broker.lastday_prices.get(symbol, ZERO)
        return shapes.position_shape(venue, venue.account(account_id), symbol, lastday_price)


def _wanted(request: Request, held: Decimal) -> Decimal:
    quantity = amount_parameter(request, "qty")
    percentage = amount_parameter(request, "percentage")
    if quantity is not None and percentage is not None:
        raise BadRequest(refused("only one of qty or percentage is accepted"))
    if percentage is None:
        return held if quantity is None else quantity
    if not ZERO < percentage <= HUNDRED:
        raise BadRequest(refused("percentage must be > 0 and <= 100"))
    return rounded_down(held * percentage / HUNDRED, NANO)
