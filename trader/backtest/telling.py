"""An outcome in words and figures for people: what the page and the table in the terminal share."""

from decimal import Decimal

from trader.backtest.outcome import Identity, Outcome
from trader.backtest.statistics import Drawdown, Statistics
from trader.calendar import iso
from trader.money import CENT, rounded

NOT_AVAILABLE = "n/a"
RELEASES = "what happened that night keeps a symbol in: --events FILE, with a split or a [[jump]]"


def told(statistics: Statistics) -> dict[str, tuple[str, str]]:
    """By name in DEFINITIONS: what it is called, and its value as text."""
    one = statistics
    return {
        "total_return": ("total return", percent(one.total_return, signed=True)),
        "cagr": ("CAGR", percent(one.cagr, signed=True)),
        "volatility": ("volatility a year", percent(one.volatility)),
        "sharpe": ("Sharpe", number(one.sharpe)),
        "sortino": ("Sortino", number(one.sortino)),
        "calmar": ("Calmar", number(one.calmar)),
        "max_drawdown": (
            "max drawdown",
            percent(one.max_drawdown.depth if one.max_drawdown else None),
        ),
        "best_day": (
            "best day",
            percent(one.best_day.returned if one.best_day else None, signed=True),
        ),
        "worst_day": (
            "worst day",
            percent(one.worst_day.returned if one.worst_day else None, signed=True),
        ),
        "trades": ("trades", _trades(one)),
        "win_rate": ("win rate", percent(one.win_rate)),
        "profit_factor": ("profit factor", number(one.profit_factor)),
        "average_win": ("average win", money(one.average_win)),
        "average_loss": ("average loss", money(one.average_loss)),
        "exposure_time": ("sessions exposed", percent(one.exposure_time)),
        "exposure_invested": ("invested, mean", percent(one.exposure_invested)),
        "turnover": ("turnover a year", number(one.turnover)),
        "fees": ("fees", money(one.fees)),
        "fees_share": ("fees of gross", percent(one.fees_share)),
    }


def _trades(statistics: Statistics) -> str:
    still_open = f" + {statistics.trades_open:,} open" if statistics.trades_open else ""
    return f"{statistics.trades:,}{still_open}"


def drawdown_told(drawdown: Drawdown | None) -> str:
    """When it was, and how long it took; empty where there was none."""
    if drawdown is None or drawdown.trough is None:
        return ""
    recovered = f"recovered {drawdown.recovered}" if drawdown.recovered else "not recovered"
    since = drawdown.peak or "the start"
    return f"from {since}, lowest {drawdown.trough}, {recovered}: {counted(drawdown.sessions, 'session')}"


def period_of(outcome: Outcome) -> str:
    """Its first and last session; where none ended, the dates of its data (UTC)."""
    if outcome.equity:
        return f"{outcome.equity[0].session} to {outcome.equity[-1].session}"
    return f"{iso(outcome.first_ns)[:10]} to {iso(outcome.last_ns)[:10]}"


def orders_told(outcome: Outcome) -> str:
    """How many, and what became of them."""
    filled = counted(len(outcome.fills), "fill")
    return (
        f"{counted(outcome.orders, 'order')}, {filled}, {outcome.unfilled:,} still open at the end"
    )


def requests_told(outcome: Outcome) -> str:
    """What the executor made of the strategy's wishes."""
    denied = sum(outcome.denied.values())
    return (
        f"{outcome.accepted:,} accepted, {denied:,} denied, {outcome.blocked:,} duplicates blocked"
    )


def identity_told(identity: Identity) -> dict[str, str]:
    """The four that the outcome is a function of."""
    return {
        "code": identity.code,
        "data": identity.data,
        "parameters": identity.parameters,
        "seed": str(identity.seed),
    }


def parameters_told(outcome: Outcome) -> str:
    """'fast=10, slow=30': of the only strategy without its name, of several with theirs."""
    own = f"{outcome.strategy}."
    return ", ".join(
        f"{name.removeprefix(own)}={value}" for name, value in outcome.parameters.items()
    )


def counted(count: int, noun: str) -> str:
    """'1 fill', '2,000 fills'."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def percent(fraction: float | None, *, signed: bool = False) -> str:
    """'+5.75 %'."""
    if fraction is None:
        return NOT_AVAILABLE
    shown = round(fraction * 100, 2) + 0.0  # No "-0.00".
    return f"{shown:+,.2f} %" if signed else f"{shown:,.2f} %"


def number(value: float | None) -> str:
    """Two decimals."""
    return NOT_AVAILABLE if value is None else f"{round(value, 2) + 0.0:,.2f}"


def money(amount: Decimal | None) -> str:
    """Dollars to the cent, half-even."""
    return NOT_AVAILABLE if amount is None else f"{rounded(amount, CENT):,.2f}"
