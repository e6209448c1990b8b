"""The ground truth for tests: every order ever accepted with its executions, and a file of all that happened to them.

It holds what is so at the venue, whatever the clients were told of it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from trader.calendar import iso
from trader.exits import StartRefused
from trader.money import canonical
from trader.simulator.shapes import Shape, order_shape
from trader.venue import OrderEvent, VenueExecution, VenueState


class JournalFile:
    """One JSON object a line, appended before the client hears of it; written, not synced."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise StartRefused(str(error.strerror), where=str(path)) from None

    def write(self, events: Iterable[OrderEvent]) -> None:
        lines = [msgspec.json.encode(event_shape(event)) for event in events]
        if lines:
            self._file.write(b"\n".join([*lines, b""]))

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
