"""The worth of an account over time: replayed from its executions and activities, at the market's own prices.

Nothing is kept for it: what the account had at a moment follows from the ledger, and what that was worth from the
bars that the market has of before. A window is named by its beginning and valued at its end.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from trader.calendar import (
    DAY_NS,
    HOUR_NS,
    Session,
    new_york_date,
    next_session,
    previous_session,
    session_of,
    session_on,
)
from trader.calendar_table import FIRST_YEAR
from trader.feeds.market import Market
from trader.model import MINUTE_NS, SECOND_NS, Side, Symbol
from trader.money import CENT, ZERO, price_of, ratio, rounded
from trader.simulator.parameters import flag_parameter, one_of, time_parameter
from trader.simulator.replies import BadRequest
from trader.simulator.requests import refused
from trader.venue import (
    Activity,
    ActivityKind,
    ExecutionKind,
    VenueAccount,
    VenueExecution,
    VenueState,
)

STEPS = {
    "1Min": MINUTE_NS,
    "5Min": 5 * MINUTE_NS,
    "15Min": 15 * MINUTE_NS,
    "1H": HOUR_NS,
    "1D": DAY_NS,
}
DAYS_OF = {"D": 1, "W": 7, "M": 30, "A": 365, "Y": 365}
PERIOD = re.compile(r"([1-9]\d{0,2})([DWMAY])\Z", re.ASCII)
SHORT_DAYS, MIDDLE_DAYS = 7, 30
FIRST_NS = next_session(f"{FIRST_YEAR}-01-31").open_ns  # there is a session before it
SHARES_MOVE = frozenset({ActivityKind.SPLIT, ActivityKind.TRANSFER})
DEPOSITS = frozenset({ActivityKind.DEPOSIT, ActivityKind.WITHDRAWAL})
FLOWS = DEPOSITS | {ActivityKind.DIVIDEND, ActivityKind.FEE, ActivityKind.INTEREST}
# Numbers, not strings: it is the one place of the trading service where Alpaca writes them so.
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Span(Struct, frozen=True, kw_only=True):
    """What a query asks for."""

    start_ns: int
    end_ns: int
    timeframe: str
    is_extended: bool
    resets_daily: bool


class Replay:
    """The account's cash and shares, moved forward through what was written down."""

    def __init__(self, state: VenueState, account: VenueAccount) -> None:
        entries: list[VenueExecution | Activity] = [*state.executions, *state.activities]
        mine = [one for one in entries if one.account_id == account.account_id]
        self._entries = sorted(mine, key=lambda one: one.at_ns)
        self._next = 0
        self._standing: dict[str, VenueExecution] = {}
        self.cash = account.opening_cash
        self.shares: dict[Symbol, Decimal] = {}
        self.prices: dict[Symbol, Decimal] = {}

    def move_to(self, at_ns: int) -> list[Activity]:
        """Take in all until then; gives the activities among it."""
        seen: list[Activity] = []
        while self._next < len(self._entries) and self._entries[self._next].at_ns <= at_ns:
            entry = self._entries[self._next]
            self._next += 1
            if isinstance(entry, Activity):
                self.cash += entry.net_amount
                if entry.kind in SHARES_MOVE and entry.symbol is not None:
                    self._add(entry.symbol, entry.quantity or ZERO)
                seen.append(entry)
            else:
                self._take(entry)
        return seen

    def _take(self, execution: VenueExecution) -> None:
        trade_id = execution.corrects or execution.execution_id
        before = self._standing.pop(trade_id, None)
        if before is not None:
            self._trade(before, -1)
        if execution.kind is not ExecutionKind.BUST:
            self._standing[trade_id] = execution
            self._trade(execution, 1)

    def _trade(self, execution: VenueExecution, sign: int) -> None:
        bought = sign * (execution.quantity if execution.side is Side.BUY else -execution.quantity)
        self.cash -= bought * execution.price
        self._add(execution.symbol, bought)
        self.prices[execution.symbol] = execution.price

    def _add(self, symbol: Symbol, quantity: Decimal) -> None:
        self.shares[symbol] = self.shares.get(symbol, ZERO) + quantity

    def equity(self, at_ns: int, market: Market) -> Decimal:
        """At the close of the last bar before; at the last trade's price where there is none."""
        total = self.cash
        for symbol, quantity in self.shares.items():
            if quantity:
                bars = market.history(symbol, at_ns, 1)
                price = price_of(bars[-1].close) if bars else self.prices.get(symbol, ZERO)
                total += quantity * price
        return total


def portfolio_history(
    request: Request, state: VenueState, account: VenueAccount, market: Market
) -> Response:
    """GET /v2/account/portfolio/history."""
    span = _span(request, state.now_ns, max(account.created_ns, FIRST_NS))
    replay = Replay(state, account)
    base_day, base_ns = _base(span.start_ns)
    replay.move_to(base_ns)
    base = first_base = replay.equity(base_ns, market)
    times: list[int] = []
    equities: list[Decimal] = []
    profits: list[Decimal] = []
    flows: dict[str, list[Decimal]] = {}
    session_date = ""
    for window_ns, end_ns in _windows(span, state.now_ns):
        day = new_york_date(window_ns)
        if session_date and span.resets_daily and day != session_date and equities:
            base = equities[-1]
        session_date = day
        moved = replay.move_to(end_ns)
        times.append(window_ns // SECOND_NS)
        equities.append(rounded(replay.equity(end_ns, market), CENT))
        # What was brought in or taken out is no profit.
        base += sum((one.net_amount for one in moved if one.kind in DEPOSITS), ZERO)
        profits.append(rounded(equities[-1] - base, CENT))
        _note_flows(flows, moved, len(times))
    content = {
        "timestamp": times,
        "equity": equities,
        "profit_loss": profits,
        "profit_loss_pct": [ratio(one, base) if base else ZERO for one in profits],
        "base_value": rounded(first_base, CENT),
        "base_value_asof": base_day,
        "timeframe": span.timeframe,
        "cashflow": flows,
    }
    return Response(ENCODER.encode(content), media_type="application/json")


def _note_flows(flows: dict[str, list[Decimal]], moved: list[Activity], count: int) -> None:
    for activity in moved:
        if activity.kind in FLOWS:
            flows.setdefault(activity.kind, [ZERO] * (count - 1))
    for kind, amounts in flows.items():
        of_kind = (one.net_amount for one in moved if one.kind == kind)
        amounts.append(sum(of_kind, ZERO))


def _base(start_ns: int) -> tuple[str, int]:
    """The session that the profit is counted from: the last that had closed before the span."""
    before = previous_session(start_ns)
    return before.date, before.close_ns


# --- which windows


def _windows(span: Span, now_ns: int) -> Iterator[tuple[int, int]]:
    """(beginning, end) of each that has begun; the last one ends now."""
    step_ns = STEPS[span.timeframe]
    for session in _sessions(span):
        if span.timeframe == "1D":
            if session.open_ns <= now_ns:
                yield session.open_ns, min(session.close_ns, now_ns)
            continue
        first_ns = session.pre_open_ns if span.is_extended else session.open_ns
        last_ns = session.post_close_ns if span.is_extended else session.close_ns
        for window_ns in range(first_ns, last_ns, step_ns):
            if span.start_ns <= window_ns <= min(span.end_ns, now_ns):
                yield window_ns, min(window_ns + step_ns, last_ns, now_ns)


def _sessions(span: Span) -> Iterator[Session]:
    day_ns = span.start_ns
    while day_ns <= span.end_ns + DAY_NS:
        session = session_on(new_york_date(day_ns))
        if (
            session is not None
            and session.open_ns <= span.end_ns
            and session.post_close_ns > span.start_ns
        ):
            yield session
        day_ns += DAY_NS


def _span(request: Request, now_ns: int, first_ns: int) -> Span:
    """Nothing lies before `first_ns`, nor after now."""
    start_ns, end_ns = time_parameter(request, "start"), time_parameter(request, "end")
    end_ns = None if end_ns is None else max(end_ns, FIRST_NS)
    days = _period_days(request)
    if start_ns is not None and end_ns is not None and days is not None:
        raise BadRequest(refused("period must not be given beside start and end"))
    if end_ns is None:
        length_ns = (days or DAYS_OF["M"]) * DAY_NS
        end_ns = now_ns if start_ns is None else min(start_ns + length_ns, now_ns)
    if start_ns is None:
        start_ns = _start_ns(request, end_ns, days or DAYS_OF["M"])
    days = (end_ns - start_ns) // DAY_NS
    usual = "1Min" if days < SHORT_DAYS else "15Min" if days < MIDDLE_DAYS else "1D"
    timeframe = one_of(request, "timeframe", (usual, *STEPS))
    if timeframe != "1D" and days > MIDDLE_DAYS:
        raise BadRequest(refused("only timeframe 1D is accepted for more than 30 days"))
    if timeframe == "1Min" and days > SHORT_DAYS:
        raise BadRequest(refused("timeframe 1Min is accepted for no more than 7 days"))
    reporting = one_of(
        request, "intraday_reporting", ("market_hours", "extended_hours", "continuous")
    )
    reset = one_of(request, "pnl_reset", ("per_day", "no_reset"))
    return Span(
        start_ns=min(max(start_ns, first_ns), now_ns),
        end_ns=min(end_ns, now_ns),
        timeframe=timeframe,
        is_extended=reporting != "market_hours" or flag_parameter(request, "extended_hours"),
        resets_daily=reset == "per_day" and timeframe != "1D",
    )


def _start_ns(request: Request, end_ns: int, days: int) -> int:
    """So long before; a period in days is of so many sessions, of which the last may have just begun."""
    if not request.query_params.get("period", "").endswith("D"):
        return end_ns - days * DAY_NS
    session = session_of(end_ns) or previous_session(max(end_ns, FIRST_NS))
    for _ in range(days - 1):
        session = previous_session(session.date) if session.open_ns > FIRST_NS else session
    return session.pre_open_ns


def _period_days(request: Request) -> int | None:
    text = request.query_params.get("period")
    if not text:
        return None
    match = PERIOD.match(text)
    if match is None:
        raise BadRequest(refused(f"invalid period: {text[:20]}"))
    return int(match[1]) * DAYS_OF[match[2]]
