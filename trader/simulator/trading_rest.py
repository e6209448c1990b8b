"""The trading service's REST endpoints, over the venue of a simulated broker: the account, its assets, and the rest."""

from starlette.requests import Request
from starlette.responses import Response

from trader.model import Symbol
from trader.simulator import shapes
from trader.simulator.activities import activities_page
from trader.simulator.activity_stream import ActivityStream
from trader.simulator.calendar_rest import CalendarRest
from trader.simulator.desk import Desk, Endpoints
from trader.simulator.order_rest import OrderRest
from trader.simulator.portfolio import portfolio_history
from trader.simulator.position_rest import PositionRest
from trader.simulator.replies import json_reply, refusal_reply
from trader.simulator.requests import decode_configuration
from trader.venue import Refusal


class TradingRest(Desk):
    """Watchlists, options, wallets and what else Alpaca offers beside trading are not here: 404."""

    def endpoints(self) -> Endpoints:
        return [
            # First what is asked for most: a request tries one path after the other.
            ("GET", "/v2/account/activities/{kind}", self._get_activities),
            *PositionRest(self._broker).endpoints(),
            *OrderRest(self._broker).endpoints(),
            ("GET", "/v2/account", self._get_account),
            ("GET", "/v2/account/configurations", self._get_configurations),
            ("PATCH", "/v2/account/configurations", self._patch_configurations),
            ("GET", "/v2/account/portfolio/history", self._get_portfolio_history),
            ("GET", "/v2/account/activities", self._get_activities),
            ("GET", "/v2/assets", self._get_assets),
            ("GET", "/v2/assets/{symbol}", self._get_asset),
            *CalendarRest(self._broker).endpoints(),
            *ActivityStream(self._broker).endpoints(),
        ]

    # --- account

    async def _get_account(self, request: Request, account_id: str) -> Response:
        venue = self._seen(request)
        return json_reply(shapes.account_shape(venue, venue.account(account_id)))

    async def _get_configurations(self, request: Request, account_id: str) -> Response:
        return json_reply(shapes.configurations_shape(self._seen(request).account(account_id)))

    async def _patch_configurations(self, request: Request, account_id: str) -> Response:
        account = self._broker.venue.account(account_id)
        wish = decode_configuration(await request.body(), account.configuration)
        if isinstance(wish, Refusal):
            return refusal_reply(wish)
        self._broker.do(lambda: self._broker.venue.back_office.configure(account, wish))
        return json_reply(shapes.configurations_shape(account))

    async def _get_portfolio_history(self, request: Request, account_id: str) -> Response:
        venue = self._seen(request)
        return portfolio_history(
            request, venue.state, venue.account(account_id), self._broker.market
        )

    async def _get_activities(self, request: Request, account_id: str) -> Response:
        clock = self._broker.told_clock
        page = activities_page(self._seen(request).state, account_id, request, clock)
        return json_reply(page)

    # --- assets

    async def _get_assets(self, request: Request, account_id: str) -> Response:
        """All of them are active equities of one exchange."""
        query = request.query_params
        asked = {
            "status": query.get("status") in (None, "", "active", "all"),
            "asset_class": query.get("asset_class") in (None, "", "us_equity"),
            "exchange": query.get("exchange") in (None, "", shapes.EXCHANGE),
            "attributes": not query.get("attributes"),
        }
        if not all(asked.values()):
            return json_reply([])
        return json_reply([self._asset(symbol) for symbol in self._broker.symbols])

    async def _get_asset(self, request: Request, account_id: str) -> Response:
        return json_reply(self._asset(self._symbol(request)))

    def _asset(self, symbol: Symbol) -> shapes.Shape:
        return shapes.asset_shape(symbol, self._broker.venue.asset(symbol))
