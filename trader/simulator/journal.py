"""The ground truth for tests: every order ever accepted with its executions, and a file of all that happened to them.

It holds what is so at the venue, whatever the clients were told of it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trader.calendar import iso
from trader.exits import StartRefused
from trader.money import canonical
from trader.simulator.shapes import Shape, activity_shape, order_shape
from trader.venue import (
    Activity,
    OrderEvent,
    VenueAccount,
    VenueExecution,
    VenueOrder,
    VenueState,
)


class JournalFile:
    """One JSON object a line, appended before the client hears of it; written, not synced.

    Its lines have an `event`: `account` when one was opened, `activity` where cash or shares moved without a trade,
    `untold` for an order that changed (or came into being, as the exits of a bracket do) with nobody being told, and
    otherwise the word of the trade update. Cash is what it was opened with, and the sum of the lines after that.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise StartRefused(str(error.strerror), where=str(path)) from None

    def write(
        self,
        events: Sequence[OrderEvent],
        touched: Sequence[VenueOrder] = (),
        activities: Sequence[Activity] = (),
    ) -> None:
        """`touched` are all orders that are new or have changed, as they are after the events."""
        told = {event.order.order_id: event.order for event in events}
        untold = [order for order in touched if told.get(order.order_id) != order]
        self._append(
            *map(event_shape, events),
            *map(_untold_shape, untold),
            *map(_activity_line, activities),
        )

    def write_account(self, account: VenueAccount) -> None:
        self._append(
            {
                "at": iso(account.created_ns) if account.created_ns else None,
                "event": "account",
                "account_id": account.account_id,
                "account_number": account.number,
                "cash": canonical(account.opening_cash),
                "multiplier": str(account.multiplier),
            }
        )

    def _append(self, *shapes: Shape) -> None:
        if shapes:
            self._file.write(b"\n".join([*map(msgspec.json.encode, shapes), b""]))

    def close(self) -> None:
        self._file.close()


def event_shape(event: OrderEvent) -> Shape:
    shape: Shape = {
        "at": iso(event.at_ns),
        "event": event.kind,
        "account_id": event.order.account_id,
        "order": order_shape(event.order),
    }
    if event.execution is not None:
        shape["execution"] = execution_shape(event.execution)
    if event.reason:
        shape["reason"] = event.reason
    return shape


def _untold_shape(order: VenueOrder) -> Shape:
    return {
        "at": iso(order.updated_ns),
        "event": "untold",
        "account_id": order.account_id,
        "order": order_shape(order),
    }


def _activity_line(activity: Activity) -> Shape:
    return {
        "at": iso(activity.at_ns),
        "event": "activity",
        "account_id": activity.account_id,
        "activity": activity_shape(activity),
    }


def execution_shape(execution: VenueExecution) -> Shape:
    return {
        "id": execution.execution_id,
        "kind": execution.kind,
        "at": iso(execution.at_ns),
        "qty": canonical(execution.quantity),
        "price": canonical(execution.price),
        "fee": canonical(execution.fee),
        "position_qty": canonical(execution.position_quantity),
        "corrects": execution.corrects,
    }


def accepted_orders(state: VenueState, after: int = 0) -> Iterator[Shape]:
    """Every order whose number is above `after`, as it is now, with its executions."""
    executions: dict[str, list[VenueExecution]] = {}
    for execution in state.executions:
        executions.setdefault(execution.order_id, []).append(execution)
    for order in state.orders.values():
        if order.number > after:
            yield {
                "number": order.number,
                "account_id": order.account_id,
                "order": order_shape(order),
                "executions": [execution_shape(one) for one in executions.get(order.order_id, ())],
            }
