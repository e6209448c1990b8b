"""The questions that can be asked of Alpaca over HTTP: account, orders, fills, positions."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import lru_cache
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlencode

import trio
from msgspec import Struct
from msgspec.structs import replace

from trader.brokers.alpaca.transport import HttpLink, NeverSent, NoReply
from trader.calendar import iso
from trader.messages import Input, LookupMissed, OrderReport, Statement
from trader.model import SECOND_NS, AccountId, ClientOrderId, Order, Symbol
from trader.movements import ACTIVITY_LATE_NS
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.wire.alpaca import (
    AccountMessage,
    ActivityMessage,
    FillMessage,
    OrderMessage,
    by_client_order_id,
    by_order_id,
    decode_account,
    decode_activities,
    decode_clock,
    decode_error,
    decode_fills,
    decode_order,
    decode_orders,
    decode_positions,
    fill_report,
    order_report,
    quantity_of,
    refusal_text,
    time_of,
)
from trader.wire.alpaca_statement import (
    account_trouble,
    fills_lag,
    holdings,
    is_open,
    statement_inputs,
)
from trader.wire.unreadable import Unreadable, reading, shown

logger = logging.getLogger("trader.adapter")

ORDERS_PAGE = 500
FILLS_PAGE = 100
PAGES_MAX = 200
# A page of orders begins a little before the last one ended: two orders may share an instant.
PAGE_OVERLAP_NS = 1_000_000
# The broker's `after` excludes the moment itself, and a fill may be stamped before the order that it belongs to.
SLACK_NS = SECOND_NS
UNDONE = frozenset({"canceled", "pending"})
STATEMENT_ATTEMPTS = 5
STATEMENT_PAUSE_SECONDS = 0.2
AT_ONCE_SECONDS_MAX = 2.0  # a line that hangs is not waited for twice

T = TypeVar("T")


class Baseline(Struct, frozen=True, kw_only=True):
    """The last statement, and what else a look holds the broker against."""

    statement: Statement
    open_orders: dict[str, OrderMessage]
    fills_after_ns: int
    fill: str | None  # the last one's id


class Queries:
    """One account's state, asked for."""

    def __init__(self, link: HttpLink, name: str, market_ns: Callable[[], int]) -> None:
        self._link = link
        self._name = name
        self._market_ns = market_ns
        self._baseline: Baseline | None = None

    async def identify(self) -> AccountId:
        """Raises BrokerRefused where the account can't be traded, or the keys are wrong; BrokerUnavailable."""
        return self._account_id(await self._account())

    async def clock_ns(self) -> int:
        """The broker's clock. Raises BrokerUnavailable."""
        clock_ns = time_of((await self._get("/v2/clock", decode_clock)).timestamp)
        if not clock_ns:
            raise BrokerUnavailable("GET /v2/clock: no time in it")
        return clock_ns

    async def report_of(self, client_order_id: str) -> OrderReport | None:
        """What the broker claims of an order by our id; None where it knows none. Raises as above."""
        message = await self.order(client_order_id)
        if message is None:
            return None
        with relied_on():
            return order_report(message, "query")

    async def order(self, client_order_id: str) -> OrderMessage | None:
        """The same, as the broker's own object."""
        message = await get(self._link, by_client_order_id(client_order_id), decode_order)
        if message is not None and message.client_order_id != client_order_id:
            raise BrokerUnavailable("the broker answered about another order")
        return message

    async def lookup(self, order: Order, attempts: int) -> list[Input] | LookupMissed:
        """Its executions, then what it claims to be. Raises BrokerUnavailable."""
        message = await self.order(order.client_order_id)
        if message is None:
            return LookupMissed(client_order_id=order.client_order_id, attempts=attempts)
        fills = await self._fills_of(message)
        with relied_on():
            executions = [fill_report(fill, message.client_order_id) for fill in fills]
            return [*executions, order_report(message, "query")]

    async def is_absent(self, order: Order) -> bool:
        """No order under this id, open or since, nor one that any fill since belongs to. Raises BrokerUnavailable."""
        after_ns = _a_little_before(order.created_ns)
        known = await self._orders_touched(after_ns, await self._fills(after_ns, None))
        return all(one.client_order_id != order.client_order_id for one in known)

    async def holdings(self) -> dict[Symbol, Decimal]:
        """Shares by symbol. Raises BrokerUnavailable."""
        positions = await self._get("/v2/positions", decode_positions)
        with relied_on():
            return holdings(positions)

    async def statement(self, since_ns: int) -> list[Input]:
        """Whole, and of one moment: asked again while fills happen in between. Raises BrokerUnavailable."""
        why = ""
        for attempt in range(STATEMENT_ATTEMPTS):
            if attempt:
                await trio.sleep(STATEMENT_PAUSE_SECONDS)
            inputs, why = await self._statement(since_ns)
            if inputs:
                return inputs
        raise BrokerUnavailable(f"no statement of one moment in {STATEMENT_ATTEMPTS} tries: {why}")

    async def _statement(self, since_ns: int) -> tuple[list[Input], str]:
        """The statement; or nothing, and what moved while it was put together.

        Fills are the only thing that moves cash and positions between two orders of ours. So they are asked for
        first and last, and everything else in between.
        """
        at_ns = self._market_ns()
        after_ns = _a_little_before(since_ns)
        fills = await self._fills(after_ns, None)
        orders = await self._orders_touched(after_ns, fills)
        activities = await self._activities(after_ns)
        positions = await self._get("/v2/positions", decode_positions)
        funds = await self._account()
        if await self._fills(after_ns, fills[-1].id if fills else None):
            return [], "the account is trading"
        with relied_on():
            behind = fills_lag(orders, fills, since_ns)
            if behind is not None:
                return [], f"the broker's list of fills disagrees with its order {shown(behind)}"
            inputs = statement_inputs(
                account=self._account_id(funds),
                at_ns=at_ns,
                funds=funds,
                positions=positions,
                orders=orders,
                fills=fills,
                activities=activities,
            )
            statement = inputs[-1]
            assert isinstance(statement, Statement), "a statement ends with its Statement"
            self._baseline = Baseline(
                statement=statement,
                open_orders={order.id: order for order in orders if is_open(order)},
                fills_after_ns=after_ns,
                fill=fills[-1].id if fills else None,
            )
        return inputs, ""

    async def look(self, since: Statement) -> frozenset[ClientOrderId] | None:
        """See ports.Broker. Fills last: where there are no new ones, all that was told before is of one moment."""
        last = self._baseline
        if last is None or last.statement != replace(since, attempts=last.statement.attempts):
            return None
        orders = await self._orders("open", None)
        positions = await self._get("/v2/positions", decode_positions)
        with relied_on():
            has_moved = {order.id: order for order in orders} != last.open_orders or holdings(
                positions
            ) != since.positions
            if has_moved or await self._fills(last.fills_after_ns, last.fill):
                return None
            return frozenset(since.open_orders)

    async def _orders_touched(self, after_ns: int, fills: list[FillMessage]) -> list[OrderMessage]:
        """All orders submitted since, all that are open, and any older one that a fill belongs to."""
        orders = {order.id: order for order in await self._orders("open", None)}
        # Second, so that an order which was closed meanwhile is shown closed.
        orders |= {order.id: order for order in await self._orders("all", after_ns)}
        for order_id in dict.fromkeys(fill.order_id for fill in fills):
            if order_id not in orders:
                found = await self._get(by_order_id(order_id), decode_order)
                if found.id != order_id:
                    raise BrokerUnavailable("the broker answered about another order")
                orders[order_id] = found
        return sorted(orders.values(), key=lambda order: (time_of(order.submitted_at), order.id))

    async def _orders(self, status: str, after_ns: int | None) -> list[OrderMessage]:
        """All of them, page by page: by submission time; past an instant that fills a page, by the order's id.

        The broker takes a time or an id, never both. A time is what it begins with, and orders that were submitted
        while the pages were turned are not missed by it.
        """
        seen: dict[str, OrderMessage] = {}
        place = {} if after_ns is None else {"after": iso(after_ns)}
        is_by_id = False
        for _ in range(PAGES_MAX):
            query = {"status": status, "limit": str(ORDERS_PAGE), "direction": "asc", **place}
            page = await self._get(_target("/v2/orders", **query), decode_orders)
            known = len(seen)
            seen |= {order.id: order for order in page}
            if len(page) < ORDERS_PAGE:
                return list(seen.values())
            is_stuck = len(seen) == known
            if is_stuck and is_by_id:
                break
            is_by_id = is_by_id or is_stuck
            if is_by_id:
                place = {"after_order_id": page[-1].id}
            else:
                last_ns = max(time_of(order.submitted_at) for order in page)
                place = {"after": iso(last_ns - PAGE_OVERLAP_NS)}
        raise BrokerUnavailable("the broker's list of orders has no end")

    async def _fills_of(self, order: OrderMessage) -> list[FillMessage]:
        """Its executions, oldest first; as many as the ledger has by now."""
        with relied_on(), reading("order"):
            if not quantity_of(order.filled_qty):
                return []
        fills = await self._fills(_a_little_before(time_of(order.submitted_at)), None)
        return [fill for fill in fills if fill.order_id == order.id]

    async def _fills(self, after_ns: int, page_token: str | None) -> list[FillMessage]:
        """All fills since, oldest first, after the one that the token names."""
        fills: list[FillMessage] = []
        for _ in range(PAGES_MAX):
            query = {"after": iso(after_ns), "direction": "asc", "page_size": str(FILLS_PAGE)}
            if page_token is not None:
                query["page_token"] = page_token
            page = await self._get(_target("/v2/account/activities/FILL", **query), decode_fills)
            fills += page
            if len(page) < FILLS_PAGE:
                return fills
            if page[-1].id == page_token:
                break
            page_token = page[-1].id
        raise BrokerUnavailable("the broker's list of fills has no end")

    async def _activities(self, after_ns: int) -> list[ActivityMessage]:
        """What moved the account without a trade; told by the day, so a few days are asked for again."""
        activities: list[ActivityMessage] = []
        page_token: str | None = None
        for _ in range(PAGES_MAX):
            query = {
                "after": iso(max(after_ns - ACTIVITY_LATE_NS, 0)),
                "direction": "asc",
                "page_size": str(FILLS_PAGE),
                "category": "non_trade_activity",
            }
            if page_token is not None:
                query["page_token"] = page_token
            page = await self._get(_target("/v2/account/activities", **query), decode_activities)
            activities += [one for one in page if one.activity_type != "FILL"]
            if len(page) < FILLS_PAGE:
                return [one for one in activities if one.status not in UNDONE]
            if page[-1].id == page_token:
                break
            page_token = page[-1].id
        raise BrokerUnavailable("the broker's list of activities has no end")

    async def _account(self) -> AccountMessage:
        account = await self._get("/v2/account", decode_account)
        trouble = account_trouble(account)
        if trouble is not None:
            raise BrokerRefused(trouble)
        return account

    def _account_id(self, account: AccountMessage) -> AccountId:
        return AccountId(f"{self._name}:{account.account_number}")

    async def _get(self, target: str, decode: Callable[[bytes], T]) -> T:
        """One question of several: asked once more where it fails at once, so that not all of them are asked anew."""
        began_s = trio.current_time()
        try:
            found = await get(self._link, target, decode)
        except BrokerUnavailable:
            if trio.current_time() - began_s > AT_ONCE_SECONDS_MAX:
                raise
            await trio.sleep(STATEMENT_PAUSE_SECONDS)
            found = await get(self._link, target, decode)
        if found is None:
            raise BrokerUnavailable(f"GET {target.partition('?')[0]}: not found")
        return found


@lru_cache(maxsize=64)
def _target(path: str, **query: str) -> str:
    """A few are asked again and again."""
    return f"{path}?{urlencode(query)}"


def _a_little_before(at_ns: int) -> int:
    return max(at_ns - SLACK_NS, 0)


async def get(link: HttpLink, target: str, decode: Callable[[bytes], T]) -> T | None:
    """One question; None where the broker itself says that there is no such thing.

    Raises BrokerRefused where the keys are not accepted, BrokerUnavailable for every answer that can't be relied on.
    """
    path = target.partition("?")[0]
    try:
        reply = await link.exchange("GET", target)
    except (NeverSent, NoReply) as trouble:
        raise BrokerUnavailable(f"GET {path}: {trouble}") from None
    logger.debug("HTTP %d GET %s request_id=%s", reply.status, path, reply.request_id)
    if reply.status == 200:
        with relied_on():
            return decode(reply.body)
    in_its_own_words = decode_error(reply.body) is not None
    if reply.status == 404 and in_its_own_words:
        return None
    words = f"GET {path}: {refusal_text(reply.status, reply.body)}"
    if reply.status == 401 or (reply.status == 403 and in_its_own_words):
        raise BrokerRefused(f"{words} (check the keys)")
    raise BrokerUnavailable(words)


class _ReliedOn(AbstractContextManager[None]):
    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(trouble, Unreadable):
            raise BrokerUnavailable(str(trouble)) from None


_RELIED_ON = _ReliedOn()


def relied_on() -> AbstractContextManager[None]:
    """An answer that can't be read is no answer."""
    return _RELIED_ON
