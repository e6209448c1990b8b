"""The trading service's endpoints for orders: send, look up, replace, cancel."""

import re

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from trader.model import Symbol
from trader.simulator import shapes
from trader.simulator.broker import SimulatedBroker
from trader.simulator.desk import Desk, Endpoints
from trader.simulator.faulty import fault_of
from trader.simulator.order_query import orders_page
from trader.simulator.parameters import flag_parameter
from trader.simulator.replies import BadRequest, json_reply, refusal_reply
from trader.simulator.requests import decode_order, decode_replacement, refused
from trader.venue import OrderClass, Refusal, VenueOrder
from trader.venue.acceptance import order_not_found

SHOWN_MAX = 1_000  # shapes of orders that are kept
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


class OrderRest(Desk):
    """See the module."""

    def __init__(self, broker: SimulatedBroker) -> None:
        super().__init__(broker)
        self._shown: dict[str, tuple[VenueOrder, msgspec.Raw]] = {}

    def endpoints(self) -> Endpoints:
        return [
            ("GET", "/v2/orders", self._get_orders),
            ("POST", "/v2/orders", self._post_order),
            ("DELETE", "/v2/orders", self._delete_orders),
            ("GET", "/v2/orders:by_client_order_id", self._get_order_by_client_id),
            ("GET", "/v2/orders/{order_id}", self._get_order),
            ("PATCH", "/v2/orders/{order_id}", self._patch_order),
            ("DELETE", "/v2/orders/{order_id}", self._delete_order),
        ]

    async def _post_order(self, request: Request, account_id: str) -> Response:
        new = decode_order(await request.body())
        if isinstance(new, Refusal):
            return refusal_reply(new)
        if new.symbol in self._ids:
            new = replace(new, symbol=Symbol(self._ids[new.symbol]))
        outcome = self._broker.submit(account_id, new, fault_of(request))
        if isinstance(outcome, Refusal):
            return refusal_reply(outcome)
        order = outcome[0].order
        # A group is shown as it was taken, whatever has happened to it since.
        is_simple = order.order_class is OrderClass.SIMPLE
        legs = [] if is_simple else self._broker.venue.legs(order.order_id)
        return json_reply(self._order_shape(order, legs))

    async def _get_orders(self, request: Request, account_id: str) -> Response:
        venue = self._seen(request)
        stamped = self._broker.told_clock.orders
        mine = [one for one in venue.state.orders.values() if one.account_id == account_id]
        mine = stamped(mine)
        if not flag_parameter(request, "nested"):
            return json_reply([self._shape(one) for one in orders_page(mine, request)])
        entries = [one for one in mine if one.parent_id is None]
        page = orders_page(entries, request)
        return json_reply(
            [shapes.order_shape(one, stamped(venue.legs(one.order_id))) for one in page]
        )

    def _shape(self, order: VenueOrder) -> msgspec.Raw:
        """Who polls is shown the same again and again; an order that has changed is another value."""
        known = self._shown.get(order.order_id)
        if known is not None and known[0] is order:
            return known[1]
        if len(self._shown) == SHOWN_MAX:
            self._shown.clear()
        shape = msgspec.Raw(msgspec.json.encode(shapes.order_shape(order)))
        self._shown[order.order_id] = (order, shape)
        return shape

    async def _get_order(self, request: Request, account_id: str) -> Response:
        order = self._order(request, account_id)
        is_nested = flag_parameter(request, "nested")
        legs = self._seen(request).legs(order.order_id) if is_nested else []
        return json_reply(self._order_shape(order, legs))

    async def _get_order_by_client_id(self, request: Request, account_id: str) -> Response:
        client_order_id = request.query_params.get("client_order_id", "")
        if not client_order_id:
            raise BadRequest(refused("order_id is missing"))
        order = self._seen(request).order_by_client_id(account_id, client_order_id)
        if order is None:
            return refusal_reply(order_not_found(client_order_id))
        return json_reply(self._order_shape(order))

    async def _patch_order(self, request: Request, account_id: str) -> Response:
        """The new order: the old one may still trade until that arrives."""
        wish = decode_replacement(await request.body())
        if isinstance(wish, Refusal):
            return refusal_reply(wish)
        old = self._order(request, account_id)
        outcome = self._broker.replace(account_id, old.order_id, wish)
        if isinstance(outcome, Refusal):
            return refusal_reply(outcome)
        new = next(event.order for event in outcome if event.order.replaces == old.order_id)
        return json_reply(self._order_shape(new))

    async def _delete_order(self, request: Request, account_id: str) -> Response:
        order = self._order(request, account_id)
        outcome = self._broker.cancel(account_id, order.order_id, fault_of(request))
        return refusal_reply(outcome) if isinstance(outcome, Refusal) else Response(status_code=204)

    async def _delete_orders(self, request: Request, account_id: str) -> Response:
        replies: list[shapes.Json] = []
        for order in self._broker.venue.open_orders():
            if order.account_id == account_id:
                outcome = self._broker.cancel(account_id, order.order_id, fault_of(request))
                status = outcome.status if isinstance(outcome, Refusal) else 200
                replies.append({"id": order.order_id, "status": status})
        return json_reply(replies, status=207)

    def _order(self, request: Request, account_id: str) -> VenueOrder:
        order_id = request.path_params["order_id"]
        if not UUID.match(order_id):
            raise BadRequest(refused(f"order_id is not a valid UUID: {order_id[:40]}"))
        order = self._seen(request).order(account_id, order_id.lower())
        if order is None:
            raise BadRequest(order_not_found(order_id))
        return order
