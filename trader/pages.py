"""A page that needs nothing else: figures, tables, and charts by plotly's script, which is put into it."""

import html
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec

import msgspec

from trader.exits import Mistake

GOOD, BAD = "#2b6cb0", "#c53030"
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a202c }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { padding: .2rem .6rem; text-align: right }
th { border-bottom: 2px solid #cbd5e0 } td { border-bottom: 1px solid #edf2f7 }
th:first-child, td:first-child, th:last-child, td:last-child, .text td, .text th { text-align: left }
table.numbers td:last-child, table.numbers th:last-child { text-align: right }
.figures { display: flex; flex-wrap: wrap; gap: 1rem } .figures div { background: #f7fafc; padding: .6rem 1rem;
border-left: 4px solid #2b6cb0 } .figures b { display: block; font-size: 1.25rem }
.bad { border-color: #c53030 !important }
.js-plotly-plot { margin: 1rem 0 } table + table { margin-top: 1rem } .defined td:last-child { color: #4a5568 }
.defined th:nth-child(1), .defined th:nth-child(2) { width: 8rem } .defined td:nth-child(-n+2) { white-space: nowrap }
.months { font-size: .85rem }
@media print { body { margin: 0; max-width: none; font-size: 12px } .modebar { display: none }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact } h2 { break-after: avoid }
tr, .figures div, .js-plotly-plot { break-inside: avoid } }
code, .hash { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere }
"""
HEIGHT, PAPER_WIDTH = 380, 700
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


def places_of(charts: Sequence[Chart]) -> str:
    """Where the charts are to be, within the body."""
    return "".join(map(place_of, range(len(charts))))


def place_of(number: int) -> str:
    """Where that one of the charts is to be, within the body."""
    return f'<div id="chart{number}"></div>'


def page(title: str, body: Iterable[str], charts: Sequence[Chart], script: str) -> str:
    """The whole page. Nothing in it comes from elsewhere; the parts of the body are HTML already, the title is not."""
    # A text may neither end the script element nor open a comment in it.
    data = msgspec.json.encode(charts).decode().replace("<", "\\u003c")
    draw = (
        f"const charts = {data};\n"
        "charts.forEach((one, number) => Plotly.newPlot('chart' + number, one.data, one.layout,"
        " {displaylogo: false, responsive: true}));\n"
        # Paper is narrower than the window, and a chart isn't drawn anew for it by itself.
        "const drawn = changed => charts.forEach((_, number) => Plotly.relayout('chart' + number, changed));\n"
        f"addEventListener('beforeprint', () => drawn({{width: {PAPER_WIDTH}}}));\n"
        "addEventListener('afterprint', () => drawn({width: null, autosize: true}));"
    )
    lines = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';"
        " script-src 'unsafe-inline'; img-src data: blob:\">"
        f"<title>{safe(title)}</title><style>{STYLE}</style></head>\n<body>{lines}\n"
        f"<script>{script}</script>\n<script>{draw}</script></body></html>\n"
    )


def figure(name: str, value: str, *, is_bad: bool = False) -> str:
    """A number to be seen first."""
    return f"<div{' class=bad' if is_bad else ''}>{safe(name)}<b>{safe(value)}</b></div>"


def table(names: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Texts as cells; kind is a class of the style."""
    head = "".join(f"<th>{safe(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}"><tr>{head}</tr>{body}</table>'


def safe(text: str) -> str:
    """Somebody else's text within HTML."""
    return html.escape("".join(one if one.isprintable() else " " for one in text))


def bars(title: str, places: Sequence[str], *each: tuple[str, str, Sequence[int | str]]) -> Chart:
    """Stacked bars: of each its name, its color, and its values by place."""
    data = [
        {
            "type": "bar",
            "name": name,
            "x": [safe(place) for place in places],  # Plotly reads markup in them.
            "y": values,
            "marker": {"color": color},
            **({"text": values} if len(each) == 1 else {}),
        }
        for name, color, values in each
    ]
    return {"data": data, "layout": layout(title, legend=len(each) > 1, barmode="stack")}


def layout(title: str, *, legend: bool, **more: object) -> Mapping[str, object]:
    """What all charts share."""
    return {
        "title": {"text": title},
        "height": HEIGHT,
        "margin": {"t": 50, "b": 60},
        "showlegend": legend,
        **more,
    }
