"""The damage report as a page that needs nothing else: tables, and charts by plotly's script, which is put into it."""

import html
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec

import msgspec

from trader.audit.cash import dollars
from trader.audit.cells import shown_time
from trader.audit.findings import phantom_notional
from trader.audit.words import Audit, Judged
from trader.exits import Mistake
from trader.money import ZERO

SYMBOLS_CHARTED_MAX = 30
SYMBOLS_SHOWN_MAX = 500
MINUTE_NS = 60 * 1_000_000_000
MINUTES_CHARTED_MAX = 2_000  # beyond it, by hour or by day
REAL, PHANTOM = "#2b6cb0", "#c53030"
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a202c }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { padding: .2rem .6rem; text-align: right }
th { border-bottom: 2px solid #cbd5e0 } td { border-bottom: 1px solid #edf2f7 }
th:first-child, td:first-child, th:last-child, td:last-child, .text td, .text th { text-align: left }
.figures { display: flex; flex-wrap: wrap; gap: 1rem } .figures div { background: #f7fafc; padding: .6rem 1rem;
border-left: 4px solid #2b6cb0 } .figures b { display: block; font-size: 1.25rem }
.bad { border-color: #c53030 !important }
code, .hash { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere }
"""
Chart = dict[str, object]


def plotly_script() -> str:
    """The script that plotly's package brings along; raises Mistake with what to type where there is none."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        pip = f"{sys.executable} -m pip install"
        if find_spec("pip") is None:
            pip = f"uv pip install --python {sys.executable}"
        raise Mistake(
            "charts need plotly, which is not installed", where="--html", remedy=f"{pip} plotly"
        ) from None
    return str(get_plotlyjs())


def page_of(audit: Audit, script: str) -> str:
    """The page. Nothing in it comes from elsewhere, and every text from the database is escaped."""
    charts = list(charts_of(audit))
    placed = "".join(f'<div id="chart{number}"></div>' for number in range(len(charts)))
    # "</" in a text would end the script element.
    data = msgspec.json.encode(charts).decode().replace("</", "<\\/")
    draw = (
        f"const charts = {data};\n"
        "charts.forEach((one, number) => Plotly.newPlot('chart' + number, one.data, one.layout,"
        " {displaylogo: false, responsive: true}));"
    )
    body = "\n".join(_body(audit, placed))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';"
        " script-src 'unsafe-inline'; img-src data: blob:\">"
        f"<title>Audit of {_safe(_name(audit))}</title><style>{STYLE}</style></head>\n<body>{body}\n"
        f"<script>{script}</script>\n<script>{draw}</script></body></html>\n"
    )


def _body(audit: Audit, charts: str) -> Iterator[str]:
    yield f"<h1>Audit of {_safe(_name(audit))}</h1>"
    yield f'<p class="hash">{_safe(audit.path)}<br>sha256 {audit.sha256}</p>'
    yield f'<div class="figures">{"".join(_figures(audit))}</div>'
    yield "<h2>Findings</h2>"
    rows = [(one.kind.value, one.says) for one in audit.findings]
    yield _table(("kind", "what"), rows, "text") if rows else "<p>None.</p>"
    yield charts
    yield "<h2>Cash</h2>"
    yield _table(("check",), [(check,) for check in audit.money.checks], "text")
    profits = [(one.source, dollars(one.amount)) for one in audit.profits]
    yield _table(("realized profit", "dollars"), profits)
    yield "<h2>By symbol</h2>"
    names = "symbol,buys,real,phantom,unproved,shares,phantom shares,phantom notional,recorded,explained,evidence"
    yield _table(names.split(","), [_row(one) for one in audit.symbols[:SYMBOLS_SHOWN_MAX]])
    yield "<h2>Timeline</h2>"
    times = [(shown_time(at_ns), says) for at_ns, says in audit.timeline]
    yield _table(("New York", "what"), times, "text")
    yield "<h2>How it was read</h2>"
    yield _table(("",), [(line,) for line in (*audit.reading, *audit.notes)], "text")


def _figures(audit: Audit) -> Iterator[str]:
    money = audit.money
    figures = [
        ("phantom buys", f"{sum(one.phantom_buys for one in audit.symbols):,}", audit.phantoms > 0),
        ("phantom notional", dollars(phantom_notional(audit.symbols)), audit.phantoms > 0),
        ("cash recorded", _said(money.recorded), money.recorded != money.right),
        ("cash implied by all rows", _said(money.implied), money.implied != money.right),
        (
            "cash, right" if money.is_sure else "cash, right if all else is",
            _said(money.right),
            False,
        ),
    ]
    for name, value, is_bad in figures:
        yield f"<div{' class=bad' if is_bad else ''}>{name}<b>{value}</b></div>"


def _said(amount: Decimal | None) -> str:
    return "unknown" if amount is None else dollars(amount)


def _row(one: Judged) -> tuple[str, ...]:
    return (
        one.symbol,
        str(one.buys),
        str(one.buys - one.phantom_buys - one.unproved),
        str(one.phantom_buys),
        str(one.unproved),
        f"{one.shares_bought:f}",
        f"{one.phantom_shares:f}",
        dollars(one.phantom_notional),
        "-" if one.recorded is None else f"{one.recorded.quantity:f}",
        f"{one.explained.quantity:f}",
        one.evidence.value if one.is_sure else f"not sure: {one.why}",
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    head = "".join(f"<th>{_safe(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}"><tr>{head}</tr>{body}</table>'


def _safe(text: str) -> str:
    return html.escape("".join(one if one.isprintable() else " " for one in text))


def _name(audit: Audit) -> str:
    return audit.path.rpartition("/")[2]


# ------------------------------------------------------------------------------------------------ charts


def charts_of(audit: Audit) -> Iterator[Chart]:
    """Buys by time, phantom notional by symbol, and the cash that three ways of reckoning give."""
    if audit.minutes.buys:
        yield _buys_by_time(audit)
    wrong = [one for one in audit.symbols if one.phantom_buys][:SYMBOLS_CHARTED_MAX]
    if wrong:
        yield _by_symbol(wrong)
    yield _cash(audit)


def _buys_by_time(audit: Audit) -> Chart:
    minutes = audit.minutes
    spans = [range(one.begins_ns // MINUTE_NS, one.ends_ns // MINUTE_NS) for one in audit.bursts]
    shown = {minute for span in spans if audit.phantoms for minute in span}
    step, title = 1, "Buys by minute, in the bursts"
    if not 0 < len(shown) <= MINUTES_CHARTED_MAX:
        shown, step, title = set(minutes.buys), 24 * 60, "Buys by day (UTC)"
    real: dict[int, int] = {}
    phantom: dict[int, int] = {}
    for minute in shown:
        place = minute - minute % step
        phantoms = minutes.phantoms[minute]
        real[place] = real.get(place, 0) + minutes.buys[minute] - phantoms
        phantom[place] = phantom.get(place, 0) + phantoms
    places = sorted(real)
    times = [_clock(place, step) for place in places]
    return _bars(
        f"{title}",
        times,
        ("real", REAL, [real[place] for place in places]),
        ("phantom", PHANTOM, [phantom[place] for place in places]),
    )


def _clock(minute: int, step: int) -> str:
    if step == 1:
        return shown_time(minute * MINUTE_NS)[:19]
    return datetime.fromtimestamp(minute * 60, UTC).date().isoformat()


def _by_symbol(wrong: Sequence[Judged]) -> Chart:
    return _bars(
        "Notional of buys by symbol, in dollars",
        [one.symbol for one in wrong],
        ("real", REAL, [_bought(one) for one in wrong]),
        ("phantom", PHANTOM, [str(one.phantom_notional) for one in wrong]),
    )


def _bought(one: Judged) -> str:
    return str(one.explained.cost if one.explained.cost > 0 else ZERO)


def _cash(audit: Audit) -> Chart:
    money = audit.money
    reckoned = [
        ("recorded", money.recorded),
        ("implied by all rows", money.implied),
        ("right", money.right),
    ]
    known = [(name, str(amount)) for name, amount in reckoned if amount is not None]
    return _bars(
        "Cash, in dollars",
        [name for name, _ in known],
        ("cash", REAL, [amount for _, amount in known]),
    )


def _bars(title: str, places: Sequence[str], *bars: tuple[str, str, Sequence[int | str]]) -> Chart:
    data = [
        {
            "type": "bar",
            "name": name,
            "x": places,
            "y": values,
            "marker": {"color": color},
            **({"text": values} if len(bars) == 1 else {}),
        }
        for name, color, values in bars
    ]
    layout = {
        "title": {"text": title},
        "barmode": "stack",
        "height": 380,
        "margin": {"t": 50, "b": 60},
        "showlegend": len(bars) > 1,
    }
    return {"data": data, "layout": layout}
