"""Which orders a query asks for: GET /v2/orders with its filters, its order and its limit."""

from collections.abc import Sequence

from starlette.requests import Request

from trader.model import Side
from trader.simulator.parameters import count_parameter, one_of, symbols_parameter, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.venue import VenueOrder

LIMIT_DEFAULT, LIMIT_MAX = 50, 500


def orders_page(orders: Sequence[VenueOrder], request: Request) -> list[VenueOrder]:
    """The defaults hide things: only open orders, newest first, at most 50. `after` and `until` are exclusive."""
    status = one_of(request, "status", ("open", "closed", "all"))
    direction = one_of(request, "direction", ("desc", "asc"))
    limit = count_parameter(request, "limit", LIMIT_DEFAULT, LIMIT_MAX)
    after_ns, until_ns = time_parameter(request, "after"), time_parameter(request, "until")
    symbols = symbols_parameter(request)
    side = one_of(request, "side", ("", "buy", "sell"))
    asset_class = request.query_params.get("asset_class", "us_equity")
    found = [
        order
        for order in _between_ids(orders, request)
        if (status == "all" or order.is_open is (status == "open"))
        and (after_ns is None or order.submitted_ns > after_ns)
        and (until_ns is None or order.submitted_ns < until_ns)
        and (not symbols or order.symbol in symbols)
        and (not side or order.side is (Side.BUY if side == "buy" else Side.SELL))
        and asset_class in ("us_equity", "all", "")
    ]
    found.sort(key=lambda order: order.number, reverse=direction == "desc")
    return found[:limit]


def _between_ids(orders: Sequence[VenueOrder], request: Request) -> list[VenueOrder]:
    before, after = (
        request.query_params.get(name) for name in ("before_order_id", "after_order_id")
    )
    if before and after:
        raise BadRequest(refused("only one of before_order_id or after_order_id is accepted"))
    if (before or after) and any(request.query_params.get(one) for one in ("after", "until")):
        raise BadRequest(refused("an order id is not accepted together with after or until"))
    if not before and not after:
        return list(orders)
    numbers = {order.order_id: order.number for order in orders}
    number = numbers.get(before or after or "")
    if number is None:
        raise BadRequest(refused("before_order_id or after_order_id is not an order"))
    return [o for o in orders if (o.number < number if before else o.number > number)]
