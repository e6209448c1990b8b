"""The operator's endpoint under `/admin`: faults, events, halts, the clock's steps, and the ground truth; with a token.

It is for the machine that the broker runs on alone: whoever asks from elsewhere is refused, whatever token he shows.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial

import msgspec
import trio
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trader.calendar import iso
from trader.model import SECOND_NS, Quote
from trader.money import ZERO, ticks_of
from trader.simulator.books import OPENING_CASH
from trader.simulator.books_shape import books_shape
from trader.simulator.broker import SimulatedBroker
from trader.simulator.event_script import event_of_table, happened_shape
from trader.simulator.fault_script import fault_of_table, standing_shape
from trader.simulator.journal import accepted_orders
from trader.simulator.moments import moment_ns
from trader.simulator.replies import json_reply
from trader.simulator.requests import MALFORMED
from trader.simulator.scenes import event_scene, fault_scene
from trader.simulator.scheduled import EventName
from trader.simulator.script import BadKey, positive, row_of, span, traded, whole
from trader.simulator.venue_script import account_of_table

INSTANTS_MAX = 1_000_000
SIZE_DEFAULT = 100
ORDERS_MAX = 10_000
Endpoint = Callable[[Request], Awaitable[Response]]
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Admin(Struct, frozen=True, kw_only=True):
    """`first_session` is where a market begins that does not list its sessions; `steps`: time is the operator's."""

    token: str
    first_session: str
    steps: bool = False


class StepRow(Struct, frozen=True, kw_only=True):
    """One of them; `until` is a market time."""

    seconds: Decimal | None = None
    until: object = None
    instants: int = 1


class AccountRow(Struct, frozen=True, kw_only=True):
    """What an account may do; what is not stated stays."""

    trading_blocked: bool | None = None
    account_blocked: bool | None = None
    only_liquidation: bool | None = None
    shorting: bool | None = None


class QuoteRow(Struct, frozen=True, kw_only=True):
    """Prices in dollars; a side without a price is not there."""

    symbol: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_size: int = SIZE_DEFAULT
    ask_size: int = SIZE_DEFAULT


class AdminRest:
    """What is refused is told as `{"message": …}`: 401 without the token, 403 from afar, 409 at the wrong time, 422."""

    def __init__(self, broker: SimulatedBroker, admin: Admin) -> None:
        self._broker = broker
        self._admin = admin
        self._stepping = trio.Lock()

    def routes(self) -> list[Route]:
        endpoints: list[tuple[str, str, Endpoint]] = [
            ("GET", "/admin", self._get_overview),
            ("GET", "/admin/faults", self._get_faults),
            ("POST", "/admin/faults", self._post_fault),
            ("DELETE", "/admin/faults", self._delete_faults),
            ("DELETE", "/admin/faults/{number}", self._delete_fault),
            ("GET", "/admin/events", self._get_events),
            ("POST", "/admin/events", self._post_event),
            ("POST", "/admin/halt", partial(self._post_named, EventName.HALT)),
            ("POST", "/admin/resume", partial(self._post_named, EventName.RESUME)),
            ("POST", "/admin/accounts", self._post_account),
            ("PATCH", "/admin/accounts/{number}", self._patch_account),
            ("POST", "/admin/quotes", self._post_quote),
            ("POST", "/admin/step", self._post_step),
            ("GET", "/admin/journal", self._get_journal),
            ("GET", "/admin/books", self._get_books),
        ]
        return [
            Route(path, self._guarded(endpoint), methods=[verb])
            for verb, path, endpoint in endpoints
        ]

    def _guarded(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if not is_near(request):
                return _told("only from this machine", 403)
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            shown, right = token.strip().encode(errors="replace"), self._admin.token.encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(shown, right):
                return _told("unauthorized.", 401)
            try:
                return await endpoint(request)
            except BadKey as bad:
                return _told(str(bad), 422)

        return answer

    # --- looking

    async def _get_overview(self, request: Request) -> Response:
        broker = self._broker
        return json_reply(
            {
                "time": iso(broker.market_ns()),
                "session": broker.last_session,
                "pace": "stepped" if self._admin.steps else "clock",
                "symbols": list(broker.symbols),
                "accounts": len(broker.key_ring.owners),
                "orders": len(broker.venue.state.orders),
                "requests": broker.requests,
                "faults": len(broker.faults.standing()),
            }
        )

    async def _get_journal(self, request: Request) -> Response:
        """Accepted orders whose number is above `after`, oldest first, `limit` at most."""
        after = _number(request.query_params.get("after", "0"), "after")
        limit = _number(request.query_params.get("limit", str(ORDERS_MAX)), "limit")
        found = accepted_orders(self._broker.venue.state, after)
        most = whole(limit, "limit", 1, ORDERS_MAX)
        return json_reply([order for _, order in zip(range(most), found, strict=False)])

    async def _get_books(self, request: Request) -> Response:
        return json_reply(books_shape(self._broker.venue, self._broker.key_ring.owners))

    # --- faults

    async def _get_faults(self, request: Request) -> Response:
        return json_reply([standing_shape(one) for one in self._broker.faults.standing()])

    async def _post_fault(self, request: Request) -> Response:
        """The body is what a [[fault]] states."""
        rule = fault_of_table(fault_scene(self._broker), await _table(request))
        number = self._broker.faults.add(rule)
        shapes = (standing_shape(one) for one in self._broker.faults.standing())
        return json_reply(next(one for one in shapes if one["id"] == number), status=201)

    async def _delete_faults(self, request: Request) -> Response:
        self._broker.faults.clear()
        return Response(status_code=204)

    async def _delete_fault(self, request: Request) -> Response:
        try:
            self._broker.faults.remove(_number(request.path_params["number"], "id"))
        except KeyError:
            return _told("no such fault stands", 404)
        return Response(status_code=204)

    # --- events

    async def _get_events(self, request: Request) -> Response:
        """What has happened in this life of the broker."""
        return json_reply([happened_shape(one) for one in self._broker.happened])

    async def _post_event(self, request: Request) -> Response:
        """The body is what an [[event]] states; without `at` it happens now."""
        return self._befall(await _table(request))

    async def _post_named(self, name: EventName, request: Request) -> Response:
        table = await _table(request)
        return self._befall({"name": name.value, **table} if isinstance(table, dict) else table)

    def _befall(self, table: object) -> Response:
        broker = self._broker
        event = event_of_table(event_scene(broker), table)
        happened = broker.befall(event)
        if happened is None:
            return json_reply({"at": iso(event.at_ns), "name": event.name}, status=202)
        return json_reply(happened_shape(happened), status=409 if happened.undone else 200)

    # --- accounts

    async def _post_account(self, request: Request) -> Response:
        """The body is what an [[account]] states."""
        broker = self._broker
        taken = broker.key_ring.accounts_by_key()
        opening = account_of_table(await _table(request), OPENING_CASH, taken)
        broker.catch_up()
        account = broker.open_account(opening)
        told = {"number": len(broker.key_ring.owners) - 1, "account_id": account.account_id}
        return json_reply(told, status=201)

    async def _patch_account(self, request: Request) -> Response:
        """By its number, from 0 on in the order of opening."""
        owners = self._broker.key_ring.owners
        number = _number(request.path_params["number"], "account")
        account = self._broker.account_at(whole(number, "account", 0, len(owners) - 1))
        row = row_of(await _table(request), AccountRow)
        stands = AccountRow(
            trading_blocked=account.trading_blocked,
            account_blocked=account.account_blocked,
            only_liquidation=account.is_restricted_to_liquidation,
            shorting=account.is_shorting_allowed,
        )
        wish = {
            name: stated if (stated := getattr(row, name)) is not None else getattr(stands, name)
            for name in AccountRow.__struct_fields__
        }
        self._broker.restrict(account, may_short=wish.pop("shorting"), **wish)
        return await self._get_books(request)

    # --- time

    async def _post_quote(self, request: Request) -> Response:
        """It stands until the market's next one."""
        row = row_of(await _table(request), QuoteRow)
        bid, ask = (positive(getattr(row, side), side) or ZERO for side in ("bid", "ask"))
        if not row.symbol:
            raise BadKey("symbol", "a symbol is wanted")
        quote = Quote(
            symbol=traded(row.symbol, self._broker.symbols),
            at_ns=self._broker.market_ns(),
            bid=ticks_of(bid),
            bid_size=whole(row.bid_size, "bid_size", 0, INSTANTS_MAX) if bid else 0,
            ask=ticks_of(ask),
            ask_size=whole(row.ask_size, "ask_size", 0, INSTANTS_MAX) if ask else 0,
        )
        self._broker.give_quote(quote)
        return await self._get_overview(request)

    async def _post_step(self, request: Request) -> Response:
        """By `seconds`, `until` a time, or so many `instants` of the market: one where nothing is said."""
        if not self._admin.steps:
            return _told("time passes by itself (start with --pace stepped)", 409)
        table = await _table(request)
        row = row_of(table, StepRow)
        if isinstance(table, dict) and len(stated := list(table)) > 1:
            raise BadKey(stated[-1], "one of seconds, until, instants is wanted")
        count = whole(row.instants, "instants", 1, INSTANTS_MAX)
        async with self._stepping:
            if row.seconds is None and row.until is None:
                return await self._step_instants(request, count)
            at_ns = self._wanted_ns(row)
            await self._broker.advance_to(at_ns, self._admin.first_session)
            return await self._get_overview(request)

    async def _step_instants(self, request: Request, count: int) -> Response:
        for _ in range(count):
            if not await self._broker.advance_instant(self._admin.first_session):
                return _told("the market has no more", 409)
        return await self._get_overview(request)

    def _wanted_ns(self, row: StepRow) -> int:
        now_ns = self._broker.now_ns
        if row.seconds is not None:
            return now_ns + span(row.seconds, "seconds")
        try:
            at_ns = moment_ns(row.until, self._broker.last_session)
        except ValueError as error:
            raise BadKey("until", str(error)) from None
        if at_ns < now_ns:
            raise BadKey("until", f"it is {iso(now_ns)} already")
        span(Decimal(at_ns - now_ns) / SECOND_NS, "until")
        return at_ns


def is_near(request: Request) -> bool:
    """Did it reach us on the loopback interface? Inside one process there are no addresses."""
    ends = [request.scope.get("server"), request.scope.get("client")]
    return all(end is None or is_loopback(end[0]) for end in ends)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host == "testserver"


def _told(message: str, status: int) -> Response:
    return json_reply({"message": message}, status=status)


async def _table(request: Request) -> object:
    body = await request.body()
    try:
        return _decoder.decode(body or b"{}")
    except MALFORMED as error:
        raise BadKey("", f"not JSON: {error}") from None


def _number(text: str, key: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadKey(key, f"not a number: {text[:40]!r}")
    return int(text)
