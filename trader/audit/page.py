"""The damage report as a page: what was found, tables, and charts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from trader.audit.cash import dollars
from trader.audit.cells import shown_time
from trader.audit.findings import phantom_notional
from trader.audit.words import Audit, Judged
from trader.money import ZERO
from trader.pages import BAD, GOOD, Chart, bars, figure, page, places_of, safe, table

SYMBOLS_CHARTED_MAX = 30
SYMBOLS_SHOWN_MAX = 500
MINUTE_NS = 60 * 1_000_000_000
MINUTES_CHARTED_MAX = 2_000  # beyond it, by hour or by day
REAL, PHANTOM = GOOD, BAD


def page_of(audit: Audit, script: str) -> str:
    """The page. Nothing in it comes from elsewhere, and every text from the database is escaped."""
    charts = list(charts_of(audit))
    return page(f"Audit of {_name(audit)}", _body(audit, places_of(charts)), charts, script)


def _body(audit: Audit, charts: str) -> Iterator[str]:
    yield f"<h1>Audit of {safe(_name(audit))}</h1>"
    yield f'<p class="hash">{safe(audit.path)}<br>sha256 {audit.sha256}</p>'
    yield f'<div class="figures">{"".join(_figures(audit))}</div>'
    yield "<h2>Findings</h2>"
    rows = [(one.kind.value, one.says) for one in audit.findings]
    yield table(("kind", "what"), rows, "text") if rows else "<p>None.</p>"
    yield charts
    yield "<h2>Cash</h2>"
    yield table(("check",), [(check,) for check in audit.money.checks], "text")
    profits = [(one.source, dollars(one.amount)) for one in audit.profits]
    yield table(("realized profit", "dollars"), profits)
    yield "<h2>By symbol</h2>"
    names = "symbol,buys,real,phantom,unproved,shares,phantom shares,phantom notional,recorded,explained,evidence"
    yield table(names.split(","), [_row(one) for one in audit.symbols[:SYMBOLS_SHOWN_MAX]])
    yield "<h2>Timeline</h2>"
    times = [(shown_time(at_ns), says) for at_ns, says in audit.timeline]
    yield table(("New York", "what"), times, "text")
    yield "<h2>How it was read</h2>"
    yield table(("",), [(line,) for line in (*audit.reading, *audit.notes)], "text")


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
        yield figure(name, value, is_bad=is_bad)


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
    return bars(
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
    return bars(
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
    return bars(
        "Cash, in dollars",
        [name for name, _ in known],
        ("cash", REAL, [amount for _, amount in known]),
    )
