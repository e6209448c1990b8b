"""The damage report for people: what is wrong, how much, symbol by symbol, and how sure that is."""

from collections.abc import Iterator, Sequence

from trader.audit.cash import dollars
from trader.audit.cells import shown_time
from trader.audit.findings import phantom_notional
from trader.audit.report import positions_cost
from trader.audit.words import Audit, Judged, Kind
from trader.log.words import visible

SYMBOLS_SHOWN_MAX = 60
LINE_MAX = 700


def lines_of(audit: Audit) -> Iterator[str]:
    """The whole report, line by line; nothing in it can steer a terminal."""
    yield f"{visible(audit.path)}  sha256 {audit.sha256[:16]}…  only read"
    for line in audit.reading:
        yield f"  {visible(line, LINE_MAX)}"
    yield ""
    yield from _findings(audit)
    if audit.phantoms or any(one.unproved for one in audit.symbols):
        yield from _damage(audit)
        yield from _symbols(audit.symbols)
    yield from _cash(audit)
    if audit.findings and audit.timeline:
        yield ""
        yield "timeline (New York)"
        for at_ns, says in audit.timeline:
            yield f"  {shown_time(at_ns)}  {visible(says, LINE_MAX)}"
    yield from (f"note: {visible(note, LINE_MAX)}" for note in audit.notes)
    yield from ("", *_remedy(audit))


def _findings(audit: Audit) -> Iterator[str]:
    yield f"{len(audit.findings) or 'no'} finding{'s' * (len(audit.findings) != 1)}"
    for one in audit.findings:
        yield f"  {one.kind.value:<20} {visible(one.says, LINE_MAX)}"


def _damage(audit: Audit) -> Iterator[str]:
    phantoms = sum(one.phantom_buys for one in audit.symbols)
    buys = sum(one.buys for one in audit.symbols)
    sales = sum(one.phantom_sales for one in audit.symbols)
    unproved = sum(one.unproved for one in audit.symbols)
    yield ""
    yield (
        f"damage: of {buys:,} buys {phantoms:,} are phantoms, for {dollars(phantom_notional(audit.symbols))}"
        + (f"; {sales:,} phantom sales" if sales else "")
        + (f"; {unproved:,} repeats unproved" if unproved else "")
    )


def _symbols(symbols: Sequence[Judged]) -> Iterator[str]:
    wrong = [one for one in symbols if one.phantom_buys or one.phantom_sales or one.unproved]
    names = (
        "symbol",
        "buys",
        "real",
        "phantom",
        "unproved",
        "shares",
        "phantom",
        "recorded",
        "explained",
    )
    yield (
        "".join(f"{name:>{width}}" for name, width in zip(names, _WIDTHS, strict=True))
        + f"{'notional':>16}  evidence"
    )
    for one in wrong[:SYMBOLS_SHOWN_MAX]:
        recorded = "-" if one.recorded is None else f"{one.recorded.quantity:f}"
        cells = (
            visible(one.symbol, 8),
            f"{one.buys}",
            f"{one.buys - one.phantom_buys - one.unproved}",
            f"{one.phantom_buys}",
            f"{one.unproved}",
            f"{one.shares_bought:f}",
            f"{one.phantom_shares:f}",
            recorded,
            f"{one.explained.quantity:f}",
        )
        line = "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
        sure = one.evidence.value if one.is_sure else f"not sure: {visible(one.why)}"
        yield f"{line}{dollars(one.phantom_notional):>16}  {sure}"
    if len(wrong) > SYMBOLS_SHOWN_MAX:
        yield f"  … and {len(wrong) - SYMBOLS_SHOWN_MAX:,} more: --json has all"


_WIDTHS = (9, 7, 7, 9, 10, 11, 11, 11, 11)


def _cash(audit: Audit) -> Iterator[str]:
    money = audit.money

    def said(amount: object) -> str:
        return "unknown" if amount is None else dollars(amount)  # type: ignore[arg-type]  # a Decimal

    yield ""
    yield (
        f"cash: recorded {said(money.recorded)}, implied by all rows {said(money.implied)},"
        f" right {said(money.right)}{'' if money.is_sure or money.right is None else ' (not sure)'}"
    )
    yield f"  began with {said(money.start)}, {money.start_from}"
    held = positions_cost(audit)
    if held is not None:
        yield f"  positions are recorded to have cost {dollars(held)}"
    yield from (f"  {check}" for check in money.checks)
    if len(audit.profits) > 1 or not audit.findings:
        shown = "; ".join(f"{one.source} {dollars(one.amount)}" for one in audit.profits)
        yield f"realized profit: {shown}"


def _remedy(audit: Audit) -> Iterator[str]:
    kinds = {one.kind for one in audit.findings}
    if audit.is_cleaned_up or Kind.ROWS_GONE in kinds:
        yield "next: restore the backup from before the clean-up, and audit that"
    elif audit.phantoms:
        yield "next: bin/trade repair writes a plan that changes no row; --statement FILE proves it by the broker"
    elif audit.findings:
        yield "next: nothing here can be mended by proof; --statement FILE brings the broker's word"
    else:
        yield "these books are sound as far as they can tell"
