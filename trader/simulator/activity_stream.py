"""Activities as server-sent events (GET /v2beta1/events/activities): those of the past, then each as it happens.

The shapes are those of Alpaca's OpenAPI file, which lists no words for `activity_type` here; that a trade is a `TRD` is
taken from the name of its schema. Neither that nor what a stream without history begins with was seen at the service.
"""

from collections.abc import AsyncIterator, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from trader.calendar import iso, new_york_date
from trader.model import Side
from trader.money import ONE, ZERO, canonical
from trader.simulator.books import BrokerBooks
from trader.simulator.desk import Desk, Endpoints
from trader.simulator.parameters import time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.simulator.settlement import settlement_date
from trader.simulator.shapes import Shape, activity_subtype, asset_id, side_word
from trader.venue import Activity, ActivityKind, ExecutionKind, VenueExecution

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH = 26
MILLISECOND_NS = 1_000_000
TRADE = "TRD"
Told = tuple[str, Shape]  # event id, event


class ActivityStream(Desk):
    """See the module."""

    def endpoints(self) -> Endpoints:
        return [("GET", "/v2beta1/events/activities", self._get_activities)]

    async def _get_activities(self, request: Request, account_id: str) -> Response:
        since_ns, until_ns = time_parameter(request, "since"), time_parameter(request, "until")
        since_id, until_id = (_ulid(request, name) for name in ("since_id", "until_id"))
        if since_ns is not None and since_id:
            raise BadRequest(refused("only one of since or since_id is accepted"))
        if (until_ns is not None and since_ns is None) or (until_id and not since_id):
            raise BadRequest(refused("until requires since, and until_id requires since_id"))
        first = since_id or (None if since_ns is None else event_id(since_ns, 0, 0))
        last = until_id or (None if until_ns is None else event_id(until_ns + 1, 0, 0))
        if until_ns is not None:
            self._broker.agenda.add(until_ns, self._broker.recorded.unpark_all)
        return StreamingResponse(
            self._frames(account_id, first, last, until_ns), media_type="text/event-stream"
        )

    async def _frames(
        self, account_id: str, first: str | None, last: str | None, until_ns: int | None
    ) -> AsyncIterator[bytes]:
        """From the id `first` on, or else from now on, up to the id `last`."""
        broker = self._broker
        state = broker.venue.state
        seen = (0, 0) if first else (len(state.executions), len(state.activities))
        while True:
            state = broker.venue.state
            ends = (len(state.executions), len(state.activities))
            for told_id, event in _between(broker, account_id, seen, ends):
                if last is not None and told_id > last:
                    return
                if first is None or told_id >= first:
                    yield b"data: " + msgspec.json.encode(event) + b"\n\n"
            if ends != seen:
                # More may have been recorded while these were on their way, when nobody waited to be woken.
                seen = ends
                continue
            if until_ns is not None and broker.now_ns >= until_ns:
                return
            await broker.recorded.park()


def event_id(at_ns: int, kind: int, number: int) -> str:
    """A ULID that sorts by time, and of one instant executions (kind 0) first, each in their order."""
    milliseconds, rest = divmod(at_ns, MILLISECOND_NS)
    bits = (milliseconds << 80) | (rest << 60) | (kind << 59) | number
    digits = (bits >> 5 * place & 31 for place in reversed(range(ULID_LENGTH)))
    return "".join(CROCKFORD[digit] for digit in digits)


def _ulid(request: Request, name: str) -> str:
    text = request.query_params.get(name, "").upper()
    if text and (len(text) != ULID_LENGTH or not set(text) <= set(CROCKFORD)):
        raise BadRequest(refused(f"invalid {name}: {text[:40]}"))
    return text


def _between(
    broker: BrokerBooks, account_id: str, begins: tuple[int, int], ends: tuple[int, int]
) -> Iterator[Told]:
    state = broker.venue.state
    told: list[Told] = []
    for number in range(begins[0], ends[0]):
        execution = state.executions[number]
        if execution.account_id == account_id:
            identifier = event_id(execution.at_ns, 0, number)
            told.append((identifier, _trade_shape(broker, execution, identifier)))
    for number in range(begins[1], ends[1]):
        activity = state.activities[number]
        if activity.account_id == account_id:
            identifier = event_id(activity.at_ns, 1, number)
            (stamped,) = broker.told_clock.entries([activity])
            told.append((identifier, _other_shape(stamped, identifier)))
    yield from sorted(told, key=lambda one: one[0])


def _common(at_ns: int, identifier: str, kind: str, ref_id: str) -> Shape:
    return {
        "at": iso(at_ns),
        "event_id": identifier,
        "activity_type": kind,
        "executed_at": iso(at_ns),
        "status": "executed",
        "currency": "USD",
        "ref_id": ref_id,
    }


def _trade_shape(broker: BrokerBooks, execution: VenueExecution, identifier: str) -> Shape:
    order = broker.venue.state.orders[execution.order_id]
    # A part is a fill, too: `leaves_qty` says that it is one.
    kinds = {ExecutionKind.BUST: "trade_bust", ExecutionKind.CORRECTION: "trade_correct"}
    sign = -1 if execution.side is Side.BUY else 1
    shape = _common(
        broker.told_clock.told_ns(execution.at_ns), identifier, TRADE, execution.execution_id
    )
    shape |= {
        "settle_date": settlement_date(new_york_date(execution.at_ns)),
        "qty": canonical(execution.quantity),
        "price": canonical(execution.price),
        "net_amount": canonical(sign * execution.quantity * execution.price),
        "details": {
            "order_id": execution.order_id,
            "client_order_id": order.client_order_id,
            "asset_id": asset_id(execution.symbol),
            "symbol": execution.symbol,
            "side": side_word(execution.side),
            "cum_qty": canonical(execution.quantity_cumulative),
            "leaves_qty": canonical(execution.quantity_leaves),
            "order_status": order.status,
            "execution_type": kinds.get(execution.kind, "fill"),
        },
    }
    if execution.corrects is not None:
        shape["previous_id"] = execution.corrects
    return shape


def _other_shape(activity: Activity, identifier: str) -> Shape:
    shape = _common(activity.at_ns, identifier, activity.kind, activity.activity_id)
    shape |= {
        "settle_date": activity.date,
        "net_amount": canonical(activity.net_amount),
        "details": {"system_date": activity.date, **_details(activity)},
    }
    if subtype := activity_subtype(activity):
        shape["activity_subtype"] = subtype
    for name, value in (("qty", activity.quantity), ("price", activity.price)):
        if value is not None:
            shape[name] = canonical(value)
    return shape


def _details(activity: Activity) -> Shape:
    """What the schema wants of each kind; nobody here has a CUSIP."""
    match activity.kind:
        case ActivityKind.FEE:
            return {"parent_id": activity.activity_id}
        case ActivityKind.DIVIDEND:
            return {
                "position_date": activity.date,
                "symbol": activity.symbol,
                "cusip": "",
                "rate": canonical(activity.per_share_amount or ZERO),
                "entitled_qty": canonical(activity.quantity or ZERO),
                "cash_payout": canonical(activity.net_amount),
                "foreign": "false",
                "special": "false",
            }
        case ActivityKind.TRANSFER:
            identifier = activity.activity_id
            return {"symbol": activity.symbol, "external_id": identifier, "request_id": identifier}
        case ActivityKind.SPLIT:
            return {
                "position_date": activity.date,
                "symbol": activity.symbol,
                "old_cusip": "",
                "new_cusip": "",
                "old_rate": "1",
                "new_rate": canonical(activity.factor or ONE),
                "old_qty": canonical(activity.quantity_before or ZERO),
                "new_qty": canonical(activity.quantity_after or ZERO),
            }
        case _:
            return {}
