"""An account to ask on: orders of one share, far from the market, under names of this tool's own, each sent once.

This is no way for the trader to an order: nothing of the program but one verb knows it, it reads and writes no books,
and it refuses an account that holds anything, that has open orders, or that the program has ever traded on.
"""

from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import msgspec
import trio
from msgspec import Struct

from trader.brokers.alpaca.budget import PER_MINUTE, RequestBudget
from trader.brokers.alpaca.transport import HttpLink, NeverSent, NoReply
from trader.credentials import Credentials
from trader.exits import StartRefused
from trader.money import CENT, canonical, rounded_down

T = TypeVar("T")
PREFIX = "conformance-"
OURS = "trd-"  # how every order of the program begins: inquiry.py
PAPER_NUMBER = "PA"  # how the number of every paper account begins
SETTLE_S = 10.0  # for an order to end, or to be found
LOOK_EVERY_S = 0.2
PAGE = 500


class Place(Struct, frozen=True, kw_only=True):
    """Where a service's doors are."""

    trading: str
    trading_stream: str
    data: str


class Said(Struct, frozen=True, kw_only=True):
    """What a reply says of an order, or why there is none; of its other keys nothing is looked at."""

    http_status: int = 0
    id: str = ""
    client_order_id: str = ""
    status: str | int = ""
    position_intent: str | None = None
    code: int | None = None
    message: str = ""

    @property
    def is_taken(self) -> bool:
        return self.http_status == 200

    @property
    def words(self) -> str:
        """The status and the code are what clients go by; texts differ."""
        if self.is_taken:
            return "200 taken"
        return f"{self.http_status}" if self.code is None else f"{self.http_status} {self.code}"


class Silent(Exception):
    """No whole reply came; what was asked for may have been done."""


class _Price(Struct, frozen=True, kw_only=True):
    p: Decimal


class _LatestTrade(Struct, frozen=True, kw_only=True):
    trade: _Price


class Circumstances(Struct, frozen=True, kw_only=True):
    """What answers depend on: the account's margin and permission, and whether the market is open."""

    account: str
    multiplier: int
    may_short: bool
    is_open: bool


class _Account(Struct, frozen=True, kw_only=True):
    account_number: str
    status: str
    multiplier: int = 1
    shorting_enabled: bool = True


class _Clock(Struct, frozen=True, kw_only=True):
    is_open: bool


class _Named(Struct, frozen=True, kw_only=True):
    client_order_id: str = ""
    symbol: str = ""
    id: str = ""


class Asking:
    """`run` makes the ids of one run; `now` gives seconds of machine time."""

    def __init__(
        self,
        place: Place,
        credentials: Credentials,
        *,
        run: str,
        symbol: str,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        self.place = place
        self.credentials = credentials
        self.symbol = symbol
        self.now = now
        self._run = run
        self._trading = self._link(place.trading)
        self._data = self._link(place.data)
        self._price = Decimal(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._trading.aclose()
        await self._data.aclose()

    def _link(self, address: str) -> HttpLink:
        budget = RequestBudget(PER_MINUTE)
        return HttpLink(address, self.credentials, budget=budget, is_patient=True)

    # --- before

    async def checked(self) -> Circumstances:
        """Raises StartRefused where orders of this tool could be in anybody's way."""
        account = await self.read("/v2/account", _Account)
        if not account.account_number.startswith(PAPER_NUMBER):
            raise StartRefused(f"{account.account_number} is no paper account")
        if account.status != "ACTIVE":
            raise StartRefused(f"account {account.account_number} is {account.status}")
        wants = "wants a paper account of its own, with nothing in it"
        for what, target in (("holds", "/v2/positions"), ("has open orders", "/v2/orders")):
            if found := await self.read(target, list[_Named]):
                raise StartRefused(f"the account {what}: {found[0].symbol}", remedy=wants)
        last = await self.read(f"/v2/orders?status=all&limit={PAGE}", list[_Named])
        if any(one.client_order_id.startswith(OURS) for one in last):
            raise StartRefused("the program has traded on this account", remedy=wants)
        latest = f"/v2/stocks/{quote(self.symbol, safe='')}/trades/latest?feed=iex"
        self._price = (await self.read(latest, _LatestTrade, self._data)).trade.p
        return Circumstances(
            account=account.account_number,
            multiplier=account.multiplier,
            may_short=account.shorting_enabled,
            is_open=(await self.read("/v2/clock", _Clock)).is_open,
        )

    # --- orders

    def name(self, what: str) -> str:
        """A client order id that no other run has."""
        return f"{PREFIX}{self._run}-{what}"

    def body(self, name: str, **changes: object) -> dict[str, object]:
        """A buy of one share at half the price; the day ends it where nothing else does."""
        return {
            "symbol": self.symbol,
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "time_in_force": "day",
            "limit_price": canonical(rounded_down(self._price / 2, CENT)),
            "client_order_id": name,
        } | changes

    @property
    def far_above(self) -> str:
        """A price at which one share is sold to nobody."""
        return canonical(rounded_down(self._price * 2, CENT))

    async def send(self, name: str, **changes: object) -> Said:
        """Once. Raises Silent where nobody knows what became of it: then nothing more is asked."""
        return await self._said("POST", "/v2/orders", self.body(name, **changes))

    async def find(self, name: str) -> Said:
        target = f"/v2/orders:by_client_order_id?client_order_id={quote(name, safe='')}"
        return await self._said("GET", target)

    async def replace(self, order_id: str, **changes: object) -> Said:
        return await self._said("PATCH", f"/v2/orders/{quote(order_id, safe='')}", changes)

    async def cancel(self, order_id: str) -> Said:
        return await self._said("DELETE", f"/v2/orders/{quote(order_id, safe='')}")

    async def end(self, said: Said) -> Said:
        """Cancel what was taken, and see it ended; what it says in the end."""
        await self.cancel(said.id)
        return await self.settled(said.client_order_id, {"canceled", "filled", "expired"})

    async def settled(self, name: str, states: set[str]) -> Said:
        """The order as soon as it is in one of these states, or as it is when the patience ends."""
        deadline = self.now() + SETTLE_S
        while True:
            found = await self.find(name)
            if found.status in states or self.now() > deadline:
                return found
            await trio.sleep(LOOK_EVERY_S)

    async def clean(self) -> int:
        """Cancel every open order of this tool; how many are still open after that."""
        deadline = self.now() + SETTLE_S
        while True:
            found = await self.read(f"/v2/orders?status=open&limit={PAGE}", list[_Named])
            ours = [one for one in found if one.client_order_id.startswith(PREFIX)]
            if not ours or self.now() > deadline:
                return len(ours)
            for one in ours:
                await self.cancel(one.id)
            await trio.sleep(LOOK_EVERY_S)

    # --- requests

    async def read(self, target: str, kind: type[T], link: HttpLink | None = None) -> T:
        """A reply of that type; raises StartRefused where there is none."""
        try:
            reply = await (link or self._trading).exchange("GET", target)
            if reply.status == 200:
                return msgspec.json.decode(reply.body, type=kind, strict=False)
            what = f"HTTP {reply.status} to GET {target}"
        except (NeverSent, NoReply, msgspec.MsgspecError) as error:
            what = f"GET {target}: {error}"
        raise StartRefused(what, where=self.place.trading)

    async def _said(self, method: str, target: str, body: object = None) -> Said:
        content = None if body is None else msgspec.json.encode(body)
        try:
            reply = await self._trading.exchange(method, target, content)
        except (NeverSent, NoReply) as error:
            raise Silent(f"{method} {target}: {error}") from None
        try:
            said = msgspec.json.decode(reply.body or b"{}", type=Said)
        except msgspec.MsgspecError:
            said = Said()
        return msgspec.structs.replace(said, http_status=reply.status)
