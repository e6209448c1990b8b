"""Profit and loss as a page: what was realized day after day, by symbol and by strategy; tables, and charts."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from trader.audit.cash import dollars
from trader.money import ZERO, canonical
from trader.pages import BAD, GOOD, Chart, figure, layout, page, places_of, safe, table

GROUPS_CHARTED_MAX = 30  # of symbols and of strategies: those that won or lost most
LINE = "#1a202c"
Rows = Sequence[Mapping[str, str]]  # of `trade pnl`, the last of which is the sum
GROUPINGS = ("day", "symbol", "strategy")


def page_of(name: str, groups: Mapping[str, Rows], script: str) -> str:
    """The page, of the rows by day, by symbol and by strategy; every text of theirs is escaped."""
    charts = list(charts_of(groups)) if groups["day"] else []
    title = f"Profit and loss of {name}"
    return page(title, _body(title, groups, places_of(charts)), charts, script)


def _body(title: str, groups: Mapping[str, Rows], charts: str) -> Iterator[str]:
    yield f"<h1>{safe(title)}</h1>"
    if not groups["day"]:
        yield "<p>Nothing was traded.</p>"
        return
    yield f'<div class="figures">{"".join(_figures(groups))}</div>'
    yield "<p>Realized is net of fees, at average cost; days are New York's.</p>"
    yield charts
    for by in GROUPINGS:
        rows = groups[by]
        yield f"<h2>By {by}</h2>"
        yield table(list(rows[0]), [_cells(by, row) for row in rows], "numbers")


def _figures(groups: Mapping[str, Rows]) -> Iterator[str]:
    everything = groups["symbol"][-1]
    for name in ("realized", "unrealized"):
        amount = Decimal(everything[name])
        yield figure(name, dollars(amount), is_bad=amount < 0)
    yield figure("fees", dollars(Decimal(everything["fees"])))
    yield figure("executions", f"{int(everything['executions']):,}")


def _cells(by: str, row: Mapping[str, str]) -> list[str]:
    return [
        cell if name in (by, "executions") else dollars(Decimal(cell)) for name, cell in row.items()
    ]


# ------------------------------------------------------------------------------------------------ charts


def charts_of(groups: Mapping[str, Rows]) -> Iterator[Chart]:
    """Amounts are texts, exactly as the books have them."""
    yield _by_day(groups["day"][:-1])
    for by in GROUPINGS[1:]:
        rows = sorted(groups[by][:-1], key=lambda row: abs(Decimal(row["realized"])), reverse=True)
        shown = sorted(rows[:GROUPS_CHARTED_MAX], key=lambda row: -Decimal(row["realized"]))
        title = f"Realized by {by}, in dollars"
        if len(rows) > len(shown):
            title += f"; the {len(shown)} largest of {len(rows)}"
        yield _chart(title, [_bars(by, "realized", shown)], legend=False)


def _by_day(rows: Rows) -> Chart:
    """Each day, and what it had come to by then."""
    total, totals = ZERO, []
    for row in rows:
        total += Decimal(row["realized"])
        totals.append(canonical(total))
    line: Chart = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "up to then",
        "x": [row["day"] for row in rows],
        "y": totals,
        "line": {"color": LINE},
    }
    title = "Realized by day, and cumulated, in dollars"
    return _chart(title, [_bars("day", "of the day", rows), line], legend=True)


def _bars(by: str, name: str, rows: Rows) -> Chart:
    """Losses in another color."""
    values = [row["realized"] for row in rows]
    colors = [BAD if value.startswith("-") else GOOD for value in values]
    return {
        "type": "bar",
        "name": name,
        "x": [safe(row[by]) for row in rows],
        "y": values,
        "text": values,
        "marker": {"color": colors},
    }


def _chart(title: str, drawn: Sequence[Chart], *, legend: bool) -> Chart:
    """Names stay names, and days without trading take no room."""
    return {"data": drawn, "layout": layout(title, legend=legend, xaxis={"type": "category"})}
