"""A run as a page: what it came to, how, at what cost, and what was assumed on the way."""

from collections.abc import Iterator, Mapping, Sequence

from trader.backtest.charts import (
    SYMBOLS_CHARTED_MAX,
    equity_chart,
    invested_chart,
    price_charts,
)
from trader.backtest.outcome import Outcome
from trader.backtest.statistics import DEFINITIONS, Statistics, statistics_of
from trader.backtest.telling import (
    NOT_AVAILABLE,
    RELEASES,
    counted,
    drawdown_told,
    identity_told,
    money,
    orders_told,
    parameters_told,
    percent,
    period_of,
    requests_told,
    told,
)
from trader.feeds.columns import Columns
from trader.model import Symbol
from trader.pages import Chart, figure, page, place_of, safe, table

SYMBOLS_NAMED_MAX = 40
STRONG_RETURN = 0.1  # of a month: its cell has the full color
COLORS = {True: "43,108,176", False: "197,48,48"}  # won, lost: GOOD and BAD as red, green, blue
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
GROUPS = {
    "Returns and risk": (
        "total_return cagr volatility sharpe sortino calmar max_drawdown best_day worst_day"
    ).split(),
    "Trades": "trades win_rate profit_factor average_win average_loss".split(),
    "Exposure, turnover and costs": (
        "exposure_time exposure_invested turnover fees fees_share"
    ).split(),
}


def page_of(outcome: Outcome, prices: Mapping[Symbol, Columns], script: str) -> str:
    """The page; needs nothing else. Every text is escaped: parameters and reasons are other people's."""
    charts: list[Chart] = []
    if outcome.equity:
        charts = [
            equity_chart(outcome),
            invested_chart(outcome.equity),
        ]
    own = len(charts)
    charts.extend(price_charts(outcome, prices))
    title = f"Backtest of {outcome.strategy}"
    return page(title, _body(title, outcome, own, len(charts)), charts, script)


def _body(title: str, outcome: Outcome, own: int, charts: int) -> Iterator[str]:
    """own: how many charts are of the account; the others, up to charts, are of symbols."""
    statistics = statistics_of(outcome)
    yield f"<h1>{safe(title)}</h1>"
    yield f"<p>{_about(outcome)}</p>"
    yield f'<div class="figures">{"".join(_figures(outcome, statistics))}</div>'
    if own:
        yield place_of(0)
        yield f"<p>{safe(_drawdown(statistics))}</p>"
        yield "<h2>Returns by month</h2>"
        yield f"<p>In percent. {safe(DEFINITIONS['monthly'])}</p>"
        yield _monthly(statistics)
    else:
        yield "<p>No session ended in this run: there is no curve to draw.</p>"
    yield from _statistics(statistics, own)
    yield from _conditions(outcome)
    yield from _symbols(outcome, own, charts)
    yield from _requests(outcome)
    yield from _identity(outcome)


def _about(outcome: Outcome) -> str:
    named = ", ".join(outcome.symbols[:SYMBOLS_NAMED_MAX])
    if (more := len(outcome.symbols) - SYMBOLS_NAMED_MAX) > 0:
        named += f" and {more:,} more"
    lines = [
        f"Parameters: {parameters_told(outcome) or 'none'}.",
        f"{counted(outcome.bars, 'bar')} of {counted(len(outcome.symbols), 'symbol')}: {named}.",
        f"{period_of(outcome)}, {counted(len(outcome.equity), 'session')}."
        f" Opening cash {money(outcome.opening_cash)}; amounts are US dollars.",
    ]
    return "<br>".join(map(safe, lines))


def _figures(outcome: Outcome, statistics: Statistics) -> Iterator[str]:
    """What is looked for first; what speaks against the run in the other color."""
    cells = told(statistics)
    yield figure("final equity", money(statistics.final_equity), is_bad=statistics.profit < 0)
    for name in ("total_return", "cagr"):
        value = getattr(statistics, name)
        yield figure(*cells[name], is_bad=value is not None and value < 0)
    for name in ("max_drawdown", "sharpe", "trades", "win_rate", "fees"):
        yield figure(*cells[name])
    for name, said in (
        ("quarantined", outcome.quarantined),
        ("unfit, left out", outcome.unfit),
        ("brakes that would have halted", outcome.would_have_halted),
    ):
        if said:
            yield figure(name, f"{len(said):,}", is_bad=True)


def _drawdown(statistics: Statistics) -> str:
    said = drawdown_told(statistics.max_drawdown)
    return f"Deepest drawdown: {said}." if said else "There was no drawdown."


def _statistics(statistics: Statistics, own: int) -> Iterator[str]:
    cells = told(statistics)
    for title, names in GROUPS.items():
        yield f"<h2>{safe(title)}</h2>"
        if own and "exposure_time" in names:
            yield place_of(1)
        rows = [(*cells[name], _defined(name, statistics)) for name in names]
        yield table(("", "value", "definition"), rows, "defined")


def _defined(name: str, statistics: Statistics) -> str:
    """The definition; of the best and the worst day, also which that was."""
    day = {"best_day": statistics.best_day, "worst_day": statistics.worst_day}.get(name)
    return f"{day.session}. {DEFINITIONS[name]}" if day else DEFINITIONS[name]


def _monthly(statistics: Statistics) -> str:
    """A line a year, a column a month; the stronger the color, the more was won or lost."""
    if not statistics.years:
        return f"<p>{NOT_AVAILABLE}</p>"
    head = "".join(f"<th>{name}</th>" for name in ("", *MONTHS, "year"))
    lines = []
    for year, whole in statistics.years.items():
        months = [statistics.months.get(f"{year}-{month:02}") for month in range(1, 13)]
        cells = "".join(map(_tinted, (*months, whole)))
        lines.append(f"<tr><td>{safe(year)}</td>{cells}</tr>")
    return f'<table class="numbers months"><tr>{head}</tr>{"".join(lines)}</table>'


def _tinted(returned: float | None) -> str:
    if returned is None:
        return "<td></td>"
    strength = min(abs(returned) / STRONG_RETURN, 1) * 0.55
    color = COLORS[returned >= 0]
    return f'<td style="background: rgba({color},{strength:.2f})">{percent(returned)[:-2]}</td>'


def _symbols(outcome: Outcome, own: int, charts: int) -> Iterator[str]:
    if charts == own:
        return
    yield "<h2>Prices, buys and sales</h2>"
    said = "Times are New York's. Lines keep the highest and lowest closes, however long the run."
    if charts - own == SYMBOLS_CHARTED_MAX < len(outcome.symbols):
        said += f" The {SYMBOLS_CHARTED_MAX} symbols with most fills of {len(outcome.symbols):,}."
    yield f"<p>{safe(said)}</p>"
    yield from map(place_of, range(own, charts))


def _requests(outcome: Outcome) -> Iterator[str]:
    yield "<h2>Requests and orders</h2>"
    yield f"<p>{safe(f'Requests: {requests_told(outcome)}.')}<br>{safe(f'{orders_told(outcome)}.')}</p>"
    for title, counts in (
        ("denied because of", outcome.denied),
        ("what the executor heard", outcome.inputs),
    ):
        if counts:
            rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
            yield table((title, "count"), [(name, f"{count:,}") for name, count in rows], "numbers")


def _conditions(outcome: Outcome) -> Iterator[str]:
    """What has to be known before the figures are believed."""
    yield "<h2>Assumed</h2>"
    yield _listed(outcome.assumed)
    yield "<h2>Quarantined</h2>"
    yield _listed([f"{symbol}: {why}" for symbol, why in outcome.quarantined.items()])
    if outcome.quarantined:
        yield f"<p>{safe(RELEASES)}</p>"
    yield "<h2>What was unfit, and left out</h2>"
    yield _listed(outcome.unfit)
    yield "<h2>Brakes that were off and would have halted</h2>"
    yield _listed(outcome.would_have_halted)


def _listed(sentences: Sequence[str]) -> str:
    lines = "".join(f"<li>{safe(one)}</li>" for one in sentences)
    return f"<ul>{lines}</ul>" if sentences else "<p>None.</p>"


def _identity(outcome: Outcome) -> Iterator[str]:
    yield "<h2>Identity of the run</h2>"
    yield "<p>The same four give the same outcome.</p>"
    run = list(identity_told(outcome.identity).items())
    yield table(("", ""), run, "text hash")
