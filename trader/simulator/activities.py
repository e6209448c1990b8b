"""The ledger of an account as a query sees it: fills and all else, paged by the id of the last one seen."""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from starlette.requests import Request

from trader.calendar import new_york_date
from trader.simulator.parameters import count_parameter, one_of, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.simulator.shapes import activity_id, activity_shape, fill_shape
from trader.simulator.told_clock import ToldClock
from trader.venue import Activity, ActivityKind, VenueExecution, VenueState

PAGE_MAX = 100
DAY_PAGE_MAX = 1_000_000
FILL = "FILL"
CASH_MOVED = frozenset({"CSD", "CSW"})
GROUPS = {"TRANS": CASH_MOVED, "MISC": frozenset(ActivityKind) - CASH_MOVED - {"DIV"}}
Entry = VenueExecution | Activity


def activities_page(
    state: VenueState, account_id: str, request: Request, clock: ToldClock
) -> list[msgspec.Raw]:
    """GET /v2/account/activities[/{kind}]: newest first unless `direction` is asc."""
    # A day is given whole, unless the page is asked for smaller.
    largest = DAY_PAGE_MAX if request.query_params.get("date") else PAGE_MAX
    page_size = count_parameter(request, "page_size", largest, largest)
    category = one_of(request, "category", ("", "trade_activity", "non_trade_activity"))
    order_id = request.query_params.get("order_id")
    direction = one_of(request, "direction", ("desc", "asc"))
    kinds = _kinds(request)
    if category and request.query_params.get("activity_types"):
        raise BadRequest(refused("only one of category or activity_types is accepted"))
    is_within = _window(request)
    found = [
        entry
        for entry in clock.entries(_of_kinds(state, kinds, category))
        if entry.account_id == account_id
        and (not order_id or _order_id(entry) == order_id)
        and is_within(entry)
    ]
    # Both lists grow with time, so their order of being written is kept where the times are equal.
    found.sort(key=lambda entry: entry.at_ns)
    if direction == "desc":
        found.reverse()
    page = _after_token(found, request.query_params.get("page_token"))[:page_size]
    return [_shape(entry) for entry in page]


def _kinds(request: Request) -> frozenset[str]:
    """Of the path, else of `activity_types`; empty: all. Kinds that never occur here are simply never found."""
    given = request.path_params.get("kind") or request.query_params.get("activity_types") or ""
    kinds = frozenset(given.upper().split(",")) - {""}
    for name, members in GROUPS.items():
        kinds = kinds | members if name in kinds else kinds
    return kinds


def _of_kinds(state: VenueState, kinds: frozenset[str], category: str) -> list[Entry]:
    """Who polls asks for fills alone, or for all but fills: the other list is not looked at."""
    entries: list[Entry] = []
    if category != "non_trade_activity" and (not kinds or FILL in kinds):
        entries += state.executions
    if category != "trade_activity" and kinds != {FILL}:
        entries += [one for one in state.activities if not kinds or one.kind in kinds]
    return entries


def _order_id(entry: Entry) -> str:
    return "" if isinstance(entry, Activity) else entry.order_id


def _window(request: Request) -> Callable[[Entry], bool]:
    """Whether an entry lies within the times that are asked for; all are of when it was written down."""
    after_ns, until_ns = time_parameter(request, "after"), time_parameter(request, "until")
    day = request.query_params.get("date")

    def is_within(entry: Entry) -> bool:
        return (
            (after_ns is None or entry.at_ns > after_ns)
            and (until_ns is None or entry.at_ns < until_ns)
            and (not day or new_york_date(entry.at_ns) == day[:10])
        )

    return is_within


@lru_cache(maxsize=1024)  # What has been written down never changes.
def _shape(entry: Entry) -> msgspec.Raw:
    shape = activity_shape(entry) if isinstance(entry, Activity) else fill_shape(entry)
    return msgspec.Raw(msgspec.json.encode(shape))


def _after_token(found: list[Entry], token: str | None) -> list[Entry]:
    if not token:
        return found
    # From the end: who polls asks for what has come after the last one.
    for index in reversed(range(len(found))):
        # Most ids differ in the part that costs nothing to compare.
        if token.endswith(_identifier(found[index])) and token == _id(found[index]):
            return found[index + 1 :]
    raise BadRequest(refused(f"invalid page_token: {token[:80]}"))


def _identifier(entry: Entry) -> str:
    return entry.activity_id if isinstance(entry, Activity) else entry.execution_id


def _id(entry: Entry) -> str:
    return activity_id(entry.at_ns, _identifier(entry))
