"""The ledger of an account as a query sees it: fills and fees, paged by the id of the last one seen."""

from starlette.requests import Request

from trader.calendar import new_york_date
from trader.simulator.parameters import count_parameter, one_of, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.simulator.shapes import Shape, fee_shape, fill_shape
from trader.venue import Fee, VenueExecution, VenueState

PAGE_MAX = 100
KINDS = frozenset({"FILL", "FEE"})
Activity = VenueExecution | Fee


def activities_page(state: VenueState, account_id: str, request: Request) -> list[Shape]:
    """GET /v2/account/activities[/{kind}]: newest first unless `direction` is asc."""
    page_size = count_parameter(request, "page_size", PAGE_MAX, PAGE_MAX)
    direction = one_of(request, "direction", ("desc", "asc"))
    found = [
        activity
        for activity in _activities(state, account_id, _kinds(request))
        if _is_within(activity, request)
    ]
    # Both lists grow with time, so their order of being written is kept where the times are equal.
    found.sort(key=lambda activity: activity.at_ns)
    if direction == "desc":
        found.reverse()
    shapes = [_shape(activity) for activity in found]
    return _after_token(shapes, request.query_params.get("page_token"))[:page_size]


def _activities(state: VenueState, account_id: str, kinds: frozenset[str]) -> list[Activity]:
    executions: list[Activity] = [*state.executions] if "FILL" in kinds else []
    fees: list[Activity] = [*state.fees] if "FEE" in kinds else []
    return [activity for activity in executions + fees if activity.account_id == account_id]


def _kinds(request: Request) -> frozenset[str]:
    """Of the path, else of `activity_types`; all by default. Kinds that never occur here are simply never found."""
    given = request.path_params.get("kind") or request.query_params.get("activity_types") or ""
    return frozenset(given.upper().split(",")) if given else KINDS


def _is_within(activity: Activity, request: Request) -> bool:
    after_ns, until_ns = time_parameter(request, "after"), time_parameter(request, "until")
    day = request.query_params.get("date")
    return (
        (after_ns is None or activity.at_ns > after_ns)
        and (until_ns is None or activity.at_ns < until_ns)
        and (not day or new_york_date(activity.at_ns) == day[:10])
    )


def _shape(activity: Activity) -> Shape:
    return fill_shape(activity) if isinstance(activity, VenueExecution) else fee_shape(activity)


def _after_token(shapes: list[Shape], token: str | None) -> list[Shape]:
    if not token:
        return shapes
    ids = [shape["id"] for shape in shapes]
    if token not in ids:
        raise BadRequest(refused(f"invalid page_token: {token[:80]}"))
    return shapes[ids.index(token) + 1 :]
