"""What a run came to in figures: returns, risk, trades, exposure and costs, each with its definition.

Returns are simple and of a day each, the first against the opening cash; what the account's owner brings or takes is
none of them. A year has 252 days, also where the market never closes; the risk-free rate is 0. Formulas of returns are
those of empyrical-reloaded, which a test holds them to. Statistics of returns are floats; dollars are Decimals. What
has no value is None.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from trader.backtest.outcome import EquityPoint, Fill, Outcome
from trader.backtest.trips import Trip, profit_factor, trips_of
from trader.money import CENT, ZERO, plain, ratio, rounded

DAYS_PER_YEAR = 252
Returns = Sequence[float]

DEFINITIONS = {
    "total_return": "Daily returns, compounded: final equity / opening cash - 1 where nothing was brought or taken."
    " The return of a session is its equity / (the equity before + deposits of the session - withdrawals), - 1.",
    "cagr": "(1 + total return) to the power of 252 / sessions, - 1: the return a year that compounds to it;"
    " over less than a year it is extrapolated.",
    "volatility": "Standard deviation of daily returns (sample, n - 1) x the root of 252.",
    "sharpe": "Mean of daily returns / their standard deviation (sample, n - 1) x the root of 252;"
    " risk-free rate 0.",
    "sortino": "Mean of daily returns x 252 / downside deviation, which is the root of the mean, over all days,"
    " of squared negative returns, x the root of 252.",
    "calmar": "CAGR / size of the deepest drawdown.",
    "max_drawdown": "Lowest value of equity / its highest value until then - 1, at the close of sessions,"
    " deposits and withdrawals taken out;"
    " it lasts from that height until it is reached again, in sessions.",
    "best_day": "Highest return of a session, close to close.",
    "worst_day": "Lowest return of a session, close to close.",
    "trades": "Round trips: from no shares of a symbol to none again, however many fills that took."
    " Those still open at the end are counted apart and are in no other figure of trades.",
    "win_rate": "Trades with a profit above zero / trades. The profit of a trade is what its sales brought less"
    " what its buys cost, less the fees of both; dividends are not in it.",
    "profit_factor": "Sum of the profits of trades that won / sum of the losses of trades that lost.",
    "average_win": "Mean profit of trades that won.",
    "average_loss": "Mean profit of trades that lost.",
    "exposure_time": "Sessions with a fill, or with a position at their close / sessions.",
    "exposure_invested": "Mean, over sessions, of the positions' value at the close / equity.",
    "turnover": "Half of all that was bought and sold / mean equity, a year of 252 sessions:"
    " 1 is the whole account put in and taken out once a year.",
    "fees": "All fees: of fills, as the fill model charged them, and those that the events file charges.",
    "fees_share": "Fees / what would have been made without them (profit + fees)."
    " Profit is final equity - opening cash - deposits + withdrawals.",
    "monthly": "Daily returns of the sessions of a month, or of a year, compounded.",
}


class Drawdown(Struct, frozen=True, kw_only=True):
    """The deepest fall: depth is a fraction, 0 or below; sessions counts from the peak to the recovery or the end.

    peak is None where the opening cash was the height; all are None where equity never fell below its height.
    """

    depth: float
    peak: str | None = None
    trough: str | None = None
    recovered: str | None = None
    sessions: int = 0


class Day(Struct, frozen=True, kw_only=True):
    """A session and its return."""

    session: str
    returned: float


class Statistics(Struct, frozen=True, kw_only=True):
    """See DEFINITIONS; fractions, not percent. months are '2026-01', years '2026'."""

    sessions: int
    final_equity: Decimal
    profit: Decimal
    total_return: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: Drawdown | None
    best_day: Day | None
    worst_day: Day | None
    trades: int
    trades_open: int
    win_rate: float | None
    profit_factor: float | None
    average_win: Decimal | None
    average_loss: Decimal | None
    exposure_time: float | None
    exposure_invested: float | None
    turnover: float | None
    fees: Decimal
    fees_share: float | None
    months: dict[str, float]
    years: dict[str, float]


def statistics_of(outcome: Outcome) -> Statistics:
    """All of them."""
    returns = daily_returns(outcome)
    sessions = [point.session for point in outcome.equity]
    drawdown = max_drawdown(outcome)
    days = [
        Day(session=session, returned=returned)
        for session, returned in zip(sessions, returns, strict=False)
    ]
    curve = equity_curve(outcome)
    closed, still_open = trips_of(outcome.fills)
    final = outcome.equity[-1].equity if outcome.equity else outcome.opening_cash
    brought = sum((point.deposited for point in outcome.equity), ZERO)
    profit = plain(final - outcome.opening_cash - brought)
    return Statistics(
        sessions=len(sessions),
        final_equity=final,
        profit=profit,
        total_return=total_return(curve),
        cagr=cagr(returns),
        volatility=volatility(returns),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=calmar(returns, drawdown),
        max_drawdown=drawdown,
        best_day=max(days, key=lambda day: day.returned, default=None),
        worst_day=min(days, key=lambda day: day.returned, default=None),
        trades=len(closed),
        trades_open=len(still_open),
        win_rate=win_rate(closed),
        profit_factor=profit_factor(closed),
        average_win=mean_profit([trip for trip in closed if trip.profit > 0]),
        average_loss=mean_profit([trip for trip in closed if trip.profit < 0]),
        exposure_time=exposure_time(outcome.equity, outcome.fills),
        exposure_invested=exposure_invested(outcome.equity),
        turnover=turnover(outcome.equity, outcome.fills),
        fees=outcome.fees,
        fees_share=fees_share(profit, outcome.fees),
        months=compounded([session[:7] for session in sessions], returns),
        years=compounded([session[:4] for session in sessions], returns),
    )


# ----------------------------------------------------------------------------------------------- returns


def daily_returns(outcome: Outcome) -> Returns:
    """equity / (equity of the session before + what was brought since) - 1, the first against the opening cash.

    Empty where the account wasn't above zero throughout: what is lost then has no fraction.
    """
    values = equity_curve(outcome)
    if not values or min(values) <= 0:
        return ()
    return tuple((after - before) / before for before, after in pairwise(values))


def equity_curve(outcome: Outcome) -> list[float]:
    """The opening cash, then the equity at each close as if nothing had been brought or taken; dollars.

    What comes is taken to have been there for the whole day: it thins out the day's gains and losses alike. Empty
    where a day began with nothing, or with less than was taken: what it grew by is unknown.
    """
    before, scale = outcome.opening_cash, 1.0
    curve = [float(before)]
    for point in outcome.equity:
        if point.deposited:
            began = before + point.deposited
            if before <= 0 or began <= 0:
                return []
            scale *= float(before) / float(began)
        before = point.equity
        curve.append(float(before) * scale)
    return curve


def total_return(curve: Sequence[float]) -> float | None:
    """Last / first - 1, which is the product of (1 + r), - 1; None where there was nothing to begin with."""
    return (curve[-1] - curve[0]) / curve[0] if curve and curve[0] > 0 else None


def cagr(returns: Returns) -> float | None:
    """Product of (1 + r) to the power of 252 / days, - 1; None, too, where that is beyond any float."""
    if not returns:
        return None
    try:
        return math.prod(1 + one for one in returns) ** (DAYS_PER_YEAR / len(returns)) - 1
    except OverflowError:
        return None


def volatility(returns: Returns) -> float | None:
    """Deviation x sqrt(252); None for fewer than two days."""
    deviation = _deviation(returns)
    return None if deviation is None else deviation * math.sqrt(DAYS_PER_YEAR)


def sharpe(returns: Returns) -> float | None:
    """Mean / deviation x sqrt(252) (Sharpe 1994, risk-free rate 0); None where nothing deviates."""
    deviation = _deviation(returns)
    return _mean(returns) / deviation * math.sqrt(DAYS_PER_YEAR) if deviation else None


def sortino(returns: Returns) -> float | None:
    """Mean x 252 / (sqrt(mean of min(r, 0)^2) x sqrt(252)) (Sortino and Price 1994, target 0); None without losses."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(_mean([min(one, 0.0) ** 2 for one in returns]))
    return _mean(returns) / downside * math.sqrt(DAYS_PER_YEAR) if downside else None


def calmar(returns: Returns, drawdown: Drawdown | None) -> float | None:
    """CAGR / -depth (Young 1991, over the whole run); None where there was no drawdown."""
    grown = cagr(returns)
    return None if grown is None or not drawdown or not drawdown.depth else grown / -drawdown.depth


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(returns: Returns) -> float | None:
    """sqrt(sum of (r - mean)^2 / (n - 1)); exactly 0 where all returns are one, but for how they were divided."""
    if len(returns) < 2:
        return None
    mean = _mean(returns)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in returns) / (len(returns) - 1))
    # Equal growth has dust of 1e-16 in its quotients: no deviation, and no Sharpe of 1e15.
    return deviation if max(returns) - min(returns) > 1e-14 else 0.0


def max_drawdown(outcome: Outcome) -> Drawdown | None:
    """min(equity / highest equity until then - 1), the opening cash included; None without sessions or cash."""
    values = equity_curve(outcome)
    if len(values) <= 1 or values[0] <= 0:
        return None
    names = [None, *(point.session for point in outcome.equity)]
    deepest, trough, peak_of_trough, peak = 0.0, 0, 0, 0
    for place, value in enumerate(values):
        if value >= values[peak]:
            peak = place
        if (depth := value / values[peak] - 1) < deepest:
            deepest, trough, peak_of_trough = depth, place, peak
    if not deepest:
        return Drawdown(depth=0.0)
    after = range(trough, len(values))
    recovery = next((place for place in after if values[place] >= values[peak_of_trough]), None)
    return Drawdown(
        depth=deepest,
        peak=names[peak_of_trough],
        trough=names[trough],
        recovered=None if recovery is None else names[recovery],
        sessions=(len(values) - 1 if recovery is None else recovery) - peak_of_trough,
    )


def compounded(names: Sequence[str], returns: Returns) -> dict[str, float]:
    """Product of (1 + r) by name, - 1; names may be more than returns where there are none."""
    grown: dict[str, float] = {}
    for name, one in zip(names, returns, strict=False):
        grown[name] = grown.get(name, 1.0) * (1 + one)
    return {name: value - 1 for name, value in grown.items()}


# ------------------------------------------------------------------------------- trades, exposure, costs


def win_rate(trips: Sequence[Trip]) -> float | None:
    """Trips with profit > 0 / trips; one that came out even didn't win."""
    return sum(trip.profit > 0 for trip in trips) / len(trips) if trips else None


def mean_profit(trips: Sequence[Trip]) -> Decimal | None:
    """Sum of profits / trips, to the cent."""
    if not trips:
        return None
    return rounded(ratio(sum((trip.profit for trip in trips), ZERO), Decimal(len(trips))), CENT)


def exposure_time(equity: Sequence[EquityPoint], fills: Sequence[Fill]) -> float | None:
    """Sessions with a fill or with a position at the close / sessions: what was flat at night was exposed by day."""
    traded = {fill.session for fill in fills}
    held = sum(bool(point.positions_value) or point.session in traded for point in equity)
    return held / len(equity) if equity else None


def exposure_invested(equity: Sequence[EquityPoint]) -> float | None:
    """Mean of positions_value / equity at closes; None where equity was ever zero or below."""
    if not equity or any(point.equity <= 0 for point in equity):
        return None
    return _mean([float(point.positions_value) / float(point.equity) for point in equity])


def turnover(equity: Sequence[EquityPoint], fills: Sequence[Fill]) -> float | None:
    """Sum of quantity x price of all fills / 2 / mean equity x 252 / sessions; None where mean equity isn't above 0."""
    mean = _mean([float(point.equity) for point in equity]) if equity else 0.0
    traded = float(sum((fill.quantity * fill.price for fill in fills), ZERO))
    return traded / 2 / mean * DAYS_PER_YEAR / len(equity) if mean > 0 else None


def fees_share(profit: Decimal, fees: Decimal) -> float | None:
    """Fees / (profit + fees); None where nothing would have been made without fees either."""
    gross = profit + fees
    return float(fees) / float(gross) if gross > 0 else None
