"""The venue's record: every order ever accepted, executions, activities, accounts, and the events told of them.

Three doors lead to an order's state, `change`, `fill` and `amend`; all go through `_put`, so that what the order holds
of its account always follows. Terminal states absorb, unless a fill comes late or a trade is undone.
"""

from collections.abc import Callable, Collection
from decimal import Decimal
from random import Random
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from trader.model import Side, Symbol
from trader.money import ZERO
from trader.venue.accounts import VenueAccount
from trader.venue.hours import Hours
from trader.venue.words import (
    Activity,
    EventKind,
    ExecutionKind,
    OrderClass,
    OrderEvent,
    OrderStatus,
    VenueExecution,
    VenueOrder,
)

AWAITING = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE})


class VenueState(Struct, kw_only=True):
    """All that must survive a restart. Books of quotes need not: the next instant brings new ones."""

    now_ns: int = 0
    accounts: dict[str, VenueAccount] = {}
    orders: dict[str, VenueOrder] = {}
    executions: list[VenueExecution] = []
    activities: list[Activity] = []

    def copy(self) -> "VenueState":
        """As it stands, whatever happens to this one."""
        return VenueState(
            now_ns=self.now_ns,
            accounts={key: account.copy() for key, account in self.accounts.items()},
            orders=dict(self.orders),
            executions=list(self.executions),
            activities=list(self.activities),
        )


class Ledger:
    """`random` gives identifiers only: nothing that happens depends on it."""

    def __init__(self, state: VenueState, random: Random, hours: Hours | None = None) -> None:
        self.state = state
        self.hours = hours or Hours()
        self._random = random
        # Kept in order of acceptance: an order that has ended never opens again.
        self._open: dict[Symbol, dict[str, VenueOrder]] = {}
        self._open_sides: dict[tuple[str, Symbol, Side], dict[str, VenueOrder]] = {}
        self._client_order_ids: dict[tuple[str, str], str] = {}
        self._told: list[OrderEvent] = []
        self._legs: dict[str, dict[str, None]] = {}
        self._fresh: dict[str, None] = {}
        self._touched: dict[str, None] = {}
        # Who looks after the rest of a group when one of its orders has changed.
        self.follow: Callable[[VenueOrder], None] = lambda order: None
        for order in state.orders.values():
            self._index(order)

    # --- reading

    def account(self, account_id: str) -> VenueAccount:
        return self.state.accounts[account_id]

    def order_by_client_id(self, account_id: str, client_order_id: str) -> VenueOrder | None:
        order_id = self._client_order_ids.get((account_id, client_order_id))
        return self.state.orders[order_id] if order_id is not None else None

    def open_orders(self, symbol: Symbol | None = None) -> list[VenueOrder]:
        """In order of acceptance, of all accounts."""
        if symbol is not None:
            return list(self._open.get(symbol, {}).values())
        everywhere = (order for orders in self._open.values() for order in orders.values())
        return sorted(everywhere, key=lambda order: order.number)

    def has_open(self, symbol: Symbol) -> bool:
        """Of any account."""
        return bool(self._open.get(symbol))

    def open_of(self, account_id: str, symbol: Symbol, side: Side) -> Collection[VenueOrder]:
        """An account's open orders on one side; not a copy."""
        return self._open_sides.get((account_id, symbol, side), {}).values()

    def legs(self, parent_id: str) -> list[VenueOrder]:
        """The exits of an entry that came with it, in order of acceptance; none where there are none."""
        return [self.state.orders[order_id] for order_id in self._legs.get(parent_id, ())]

    # --- writing

    def add(self, order: VenueOrder, kind: EventKind | None) -> None:
        """Without a kind nobody is told."""
        self._put(order)
        if kind is not None:
            self._tell(kind, order)

    def change(
        self, order_id: str, kind: EventKind | None, *, reason: str = "", **changes: object
    ) -> VenueOrder:
        before = self.state.orders[order_id]
        after = replace(before, updated_ns=self.state.now_ns, **changes)
        self._put(after)
        if kind is not None:
            self._tell(kind, after, reason=reason)
        self._follow(after)
        return self.state.orders[order_id]

    def cancel(self, order_id: str, reason: str = "") -> None:
        """Now, whoever wished it; nothing to do where the order has ended."""
        if self.state.orders[order_id].is_open:
            self.change(
                order_id,
                EventKind.CANCELED,
                status=OrderStatus.CANCELED,
                canceled_ns=self.state.now_ns,
                reason=reason,
            )

    def reject(self, order_id: str, reason: str) -> None:
        self.change(
            order_id,
            EventKind.REJECTED,
            status=OrderStatus.REJECTED,
            failed_ns=self.state.now_ns,
            reason=reason,
        )

    def fill(
        self,
        order_id: str,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        *,
        left: Decimal | None = None,
        amiss: bool = False,
    ) -> None:
        """One execution, in the order, the account and the record.

        `left` is what the order wants beyond it, where that is not the difference. `amiss`: it may come after the
        order's end, and for more than was ordered.
        """
        order = self.state.orders[order_id]
        account = self.account(order.account_id)
        signed = quantity if order.side is Side.BUY else -quantity
        cumulative = order.quantity_filled + quantity
        if left is not None:
            order = replace(order, quantity=cumulative + left)
        execution = VenueExecution(
            execution_id=self.identifier(),
            order_id=order_id,
            account_id=order.account_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            quantity_cumulative=cumulative,
            quantity_leaves=max(order.quantity - cumulative, ZERO),
            position_quantity=account.quantity(order.symbol) + signed,
            fee=fee,
            at_ns=self.state.now_ns,
        )
        assert amiss or cumulative <= order.quantity, "nobody gets more than was ordered"
        after = _after_execution(order, execution)
        self._put(after, amiss=amiss)
        account.book(execution)
        self.state.executions.append(execution)
        kind = EventKind.PARTIAL_FILL if execution.quantity_leaves else EventKind.FILL
        self._tell(kind, after, execution)
        self._follow(after)

    def amend(self, record: VenueExecution, order: VenueOrder, kind: EventKind) -> None:
        """A bust or a correction, which `record` is; the account has been told already, `order` is what it leaves."""
        self._put(order, amiss=True)
        self.state.executions.append(record)
        self._tell(kind, order, record, reason=kind.upper())

    def note(self, activity: Activity) -> None:
        """Write down what the account has been told already."""
        self.state.activities.append(activity)

    def take_told(self) -> list[OrderEvent]:
        told, self._told = self._told, []
        return told

    def take_fresh(self) -> list[str]:
        """Orders that are new, or have changed, since this was last asked."""
        fresh, self._fresh = list(self._fresh), {}
        return fresh

    def take_touched(self) -> list[VenueOrder]:
        """The same, as they stand, for whoever keeps them; told of or not."""
        touched, self._touched = self._touched, {}
        return [self.state.orders[order_id] for order_id in touched]

    def identifier(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _put(self, order: VenueOrder, *, amiss: bool = False) -> None:
        account = self.account(order.account_id)
        before = self.state.orders.get(order.order_id)
        if before is not None:
            assert before.is_open or amiss, "terminal states absorb"
            account.release(before)
        account.hold(order)
        self.state.orders[order.order_id] = order
        self._fresh[order.order_id] = None
        self._touched[order.order_id] = None
        if before is not None and before.parent_id not in (None, order.parent_id):
            self._legs[str(before.parent_id)].pop(order.order_id)
        self._index(order)

    def _follow(self, order: VenueOrder) -> None:
        if order.order_class is not OrderClass.SIMPLE:
            self.follow(order)

    def _index(self, order: VenueOrder) -> None:
        if order.parent_id is not None:
            self._legs.setdefault(order.parent_id, {})[order.order_id] = None
        self._client_order_ids[order.account_id, order.client_order_id] = order.order_id
        side = (order.account_id, order.symbol, order.side)
        if order.is_open:
            self._open.setdefault(order.symbol, {})[order.order_id] = order
            self._open_sides.setdefault(side, {})[order.order_id] = order
        elif order.order_id in self._open.get(order.symbol, ()):
            del self._open[order.symbol][order.order_id]
            del self._open_sides[side][order.order_id]

    def _tell(
        self,
        kind: EventKind,
        order: VenueOrder,
        execution: VenueExecution | None = None,
        reason: str = "",
    ) -> None:
        event = OrderEvent(
            kind=kind, order=order, at_ns=self.state.now_ns, execution=execution, reason=reason
        )
        self._told.append(event)

    def trade(self, execution_id: str) -> VenueExecution | None:
        """What of a trade counts now: itself, its last correction, or None once it is busted or where none was."""
        found: VenueExecution | None = None
        for record in self.state.executions:
            if execution_id in (record.execution_id, record.corrects):
                found = None if record.kind is ExecutionKind.BUST else record
        return found


def _after_execution(order: VenueOrder, execution: VenueExecution) -> VenueOrder:
    filled = not execution.quantity_leaves
    status = OrderStatus.FILLED if filled else OrderStatus.PARTIALLY_FILLED
    if not filled and (order.status in AWAITING or not order.is_open):
        status = order.status
    return replace(
        order,
        status=status,
        quantity_filled=execution.quantity_cumulative,
        notional_filled=order.notional_filled + execution.quantity * execution.price,
        filled_ns=execution.at_ns if filled else None,
        updated_ns=execution.at_ns,
    )
