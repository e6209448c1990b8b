"""The trading service's REST endpoints, over the venue of a simulated broker."""

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from trader.calendar import Session, clock_text, next_session, phase, session_of, session_on
from trader.calendar_table import FIRST_YEAR, LAST_YEAR
from trader.model import SECOND_NS, Phase, Symbol
from trader.money import ZERO
from trader.simulator import shapes
from trader.simulator.activities import activities_page
from trader.simulator.broker import SimulatedBroker
from trader.simulator.faulty import fault_of
from trader.simulator.order_query import orders_page
from trader.simulator.replies import BadRequest, json_reply, refusal_reply
from trader.simulator.requests import decode_order, refused
from trader.venue import Refusal, Venue, VenueOrder
from trader.venue.acceptance import NOT_FOUND, order_not_found

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY, LAST_DAY = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
LAST_SETTLING = f"{LAST_YEAR}-12-15"
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
Endpoint = Callable[[Request, str], Awaitable[Response]]


class TradingRest:
    """Each endpoint gets the account that the keys belong to; BadRequest is turned into its reply by the caller."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    def _venue(self, request: Request) -> Venue:
        """The venue, or a past state of it where the request is to see a stale one."""
        return self._broker.seen(fault_of(request))

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """(verb, path, endpoint), the particular before the general."""
        return [
            ("GET", "/v2/account", self._get_account),
            ("GET", "/v2/account/configurations", self._get_configurations),
            ("GET", "/v2/account/activities", self._get_activities),
            ("GET", "/v2/account/activities/{kind}", self._get_activities),
            ("POST", "/v2/orders", self._post_order),
            ("GET", "/v2/orders", self._get_orders),
            ("DELETE", "/v2/orders", self._delete_orders),
            ("GET", "/v2/orders:by_client_order_id", self._get_order_by_client_id),
            ("GET", "/v2/orders/{order_id}", self._get_order),
            ("DELETE", "/v2/orders/{order_id}", self._delete_order),
            ("GET", "/v2/positions", self._get_positions),
            ("GET", "/v2/positions/{symbol}", self._get_position),
            ("GET", "/v2/assets", self._get_assets),
            ("GET", "/v2/assets/{symbol}", self._get_asset),
            ("GET", "/v2/clock", self._get_clock),
            ("GET", "/v2/calendar", self._get_calendar),
        ]

    # --- account

    async def _get_account(self, request: Request, account_id: str) -> Response:
        venue = self._venue(request)
        return json_reply(shapes.account_shape(venue, venue.account(account_id)))

    async def _get_configurations(self, request: Request, account_id: str) -> Response:
        return json_reply(shapes.configurations_shape(self._venue(request).account(account_id)))

    async def _get_activities(self, request: Request, account_id: str) -> Response:
        page = activities_page(self._venue(request).state, account_id, request)
        return json_reply(page)

    # --- orders

    async def _post_order(self, request: Request, account_id: str) -> Response:
        new = decode_order(await request.body())
        if isinstance(new, Refusal):
            return refusal_reply(new)
        outcome = self._broker.submit(account_id, new, fault_of(request))
        if isinstance(outcome, Refusal):
            return refusal_reply(outcome)
        return json_reply(shapes.order_shape(outcome[0].order))

    async def _get_orders(self, request: Request, account_id: str) -> Response:
        orders = self._venue(request).state.orders.values()
        mine = [order for order in orders if order.account_id == account_id]
        return json_reply([shapes.order_shape(order) for order in orders_page(mine, request)])

    async def _get_order(self, request: Request, account_id: str) -> Response:
        return json_reply(shapes.order_shape(self._order(request, account_id)))

    async def _get_order_by_client_id(self, request: Request, account_id: str) -> Response:
        client_order_id = request.query_params.get("client_order_id", "")
        order = self._venue(request).order_by_client_id(account_id, client_order_id)
        if order is None:
            return refusal_reply(order_not_found(client_order_id))
        return json_reply(shapes.order_shape(order))

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
        order = self._venue(request).order(account_id, order_id.lower())
        if order is None:
            raise BadRequest(order_not_found(order_id))
        return order

    # --- positions, assets

    async def _get_positions(self, request: Request, account_id: str) -> Response:
        venue = self._venue(request)
        held = sorted(venue.account(account_id).positions)
        return json_reply([self._position(venue, account_id, symbol) for symbol in held])

    async def _get_position(self, request: Request, account_id: str) -> Response:
        symbol = self._symbol(request)
        venue = self._venue(request)
        if symbol not in venue.account(account_id).positions:
            raise BadRequest(_not_found("position does not exist"))
        return json_reply(self._position(venue, account_id, symbol))

    def _position(self, venue: Venue, account_id: str, symbol: Symbol) -> shapes.Shape:
        lastday_price = self._broker.lastday_prices.get(symbol, ZERO)
        return shapes.position_shape(venue, venue.account(account_id), symbol, lastday_price)

    async def _get_assets(self, request: Request, account_id: str) -> Response:
        if request.query_params.get("status", "active") not in ("active", "all", ""):
            return json_reply([])
        return json_reply([self._asset(symbol) for symbol in self._broker.symbols])

    async def _get_asset(self, request: Request, account_id: str) -> Response:
        return json_reply(self._asset(self._symbol(request)))

    def _asset(self, symbol: Symbol) -> shapes.Shape:
        return shapes.asset_shape(symbol, self._broker.venue.asset(symbol))

    def _symbol(self, request: Request) -> Symbol:
        """The symbol in the path, or the one whose asset id is there."""
        text = request.path_params["symbol"]
        for symbol in self._broker.symbols:
            if text in (symbol, shapes.asset_id(symbol)):
                return symbol
        raise BadRequest(_not_found(f"asset not found for {text[:40]}"))

    # --- clock, calendar

    async def _get_clock(self, request: Request, account_id: str) -> Response:
        now_ns = self._broker.now_ns
        today, coming = session_of(now_ns), next_session(now_ns)
        closing = today if today is not None and now_ns < today.close_ns else coming
        return json_reply(
            {
                "timestamp": _new_york_text(now_ns),
                "is_open": phase(now_ns) is Phase.REGULAR,
                "next_open": _new_york_text(coming.open_ns),
                "next_close": _new_york_text(closing.close_ns),
            }
        )

    async def _get_calendar(self, request: Request, account_id: str) -> Response:
        """Sessions from start to end, both included, as far as the calendar knows them."""
        first = max(_date(request, "start") or FIRST_DAY, FIRST_DAY)
        last = min(_date(request, "end") or LAST_DAY, LAST_DAY)
        days = (str(first + timedelta(days=count)) for count in range((last - first).days + 1))
        sessions = (session for day in days if (session := session_on(day)) is not None)
        return json_reply([_calendar_day(session) for session in sessions])


def _date(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadRequest(refused(f"invalid {name}", status=400)) from None


def _calendar_day(session: Session) -> shapes.Shape:
    return {
        "date": session.date,
        "open": clock_text(session.open_ns),
        "close": clock_text(session.close_ns),
        "session_open": clock_text(session.pre_open_ns).replace(":", ""),
        "session_close": clock_text(session.post_close_ns).replace(":", ""),
        "settlement_date": _settlement_date(session.date),
    }


def _settlement_date(day: str) -> str:
    """Trades settle on the next session; the last of the calendar has none to show."""
    return next_session(day).date if day < LAST_SETTLING else day


def _new_york_text(at_ns: int) -> str:
    """With New York's offset, as the clock has it."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, NEW_YORK).isoformat()


def _not_found(message: str) -> Refusal:
    return refused(message, status=404, code=NOT_FOUND)
