"""What a run leaves for other programs, and the table that it prints."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

import msgspec

from trader.backtest.outcome import EquityPoint, Fill, Outcome
from trader.backtest.statistics import statistics_of
from trader.backtest.telling import (
    RELEASES,
    counted,
    drawdown_told,
    identity_told,
    money,
    orders_told,
    parameters_told,
    period_of,
    requests_told,
    told,
)
from trader.calendar import iso
from trader.exits import Mistake
from trader.log.words import visible
from trader.money import canonical

LINES_MAX, CHARACTERS_MAX = 25, 100
LABEL_CHARACTERS, VALUE_CHARACTERS, GAP_CHARACTERS = 18, 20, 6
LEFT = 9  # of the statistics are returns and risk: they stand to the left
HASH_CHARACTERS = 12  # of each hash of the identity: enough to tell runs apart
TRADES = (
    "time,session,symbol,strategy,side,purpose,quantity,price,notional,fees,realized,position,"
    "client_order_id"
).split(",")
EQUITY = "time,session,equity,cash,positions_value,deposited".split(",")


def write_files(folder: Path, outcome: Outcome) -> None:
    """trades.csv, equity.csv and summary.json, over those of an earlier run; raises Mistake where they can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_rows(folder / "trades.csv", TRADES, map(trade_row, outcome.fills))
        _write_rows(folder / "equity.csv", EQUITY, map(equity_row, outcome.equity))
        (folder / "summary.json").write_bytes(summary_json(outcome))
    except OSError as error:
        where = str(error.filename or folder)
        raise Mistake(f"can't be written: {error.strerror}", where=where) from None


def _write_rows(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def trade_row(fill: Fill) -> tuple[str, ...]:
    """A fill as TRADES names it: time UTC, amounts exact."""
    return (
        iso(fill.at_ns),
        fill.session,
        fill.symbol,
        fill.strategy,
        fill.side,
        fill.purpose,
        canonical(fill.quantity),
        canonical(fill.price),
        canonical(fill.quantity * fill.price),
        canonical(fill.fees),
        canonical(fill.realized),
        canonical(fill.position),
        fill.client_order_id,
    )


def equity_row(point: EquityPoint) -> tuple[str, ...]:
    """A session's close as EQUITY names it: time UTC, amounts exact."""
    amounts = (point.equity, point.cash, point.positions_value, point.deposited)
    return (iso(point.at_ns), point.session, *map(canonical, amounts))


def summary_json(outcome: Outcome) -> bytes:
    """One object: the outcome without its rows, and all statistics as fractions or null; dollars are exact texts."""
    told_otherwise = ("equity", "fills", "first_ns", "last_ns", "opening_cash", "fees")
    facts = {
        name: getattr(outcome, name)
        for name in outcome.__struct_fields__
        if name not in told_otherwise
    }
    statistics = {
        name: canonical(value) if isinstance(value, Decimal) else value
        for name, value in msgspec.structs.asdict(statistics_of(outcome)).items()
    }
    summary = {
        **facts,
        "first": iso(outcome.first_ns),
        "last": iso(outcome.last_ns),
        "opening_cash": canonical(outcome.opening_cash),
        "executions": len(outcome.fills),
        "statistics": statistics,
    }
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


# -------------------------------------------------------------------------------- the table in the terminal


def summary_lines(outcome: Outcome) -> list[str]:
    """At most LINES_MAX lines of CHARACTERS_MAX: what matters first; what doesn't fit is counted or cut."""
    lines = [_headed(outcome), _about(outcome), "", *_figures(outcome), "", *_notes(outcome)]
    assert len(lines) <= LINES_MAX, len(lines)
    # What doesn't print is longer written out: cut once more.
    return [visible(visible(line, CHARACTERS_MAX), CHARACTERS_MAX) for line in lines]


def _headed(outcome: Outcome) -> str:
    said = parameters_told(outcome)
    return f"{outcome.strategy}: {said}" if said else outcome.strategy


def _about(outcome: Outcome) -> str:
    symbols = counted(len(outcome.symbols), "symbol")
    return f"{symbols}, {counted(outcome.bars, 'bar')} {outcome.heard}, {period_of(outcome)}"


def _figures(outcome: Outcome) -> Iterator[str]:
    """Two columns: returns and risk beside trades, exposure and costs."""
    statistics = statistics_of(outcome)
    cells = list(told(statistics).values())
    left = [
        ("final equity", money(statistics.final_equity)),
        ("profit", money(statistics.profit)),
        *cells[:LEFT],
    ]
    right = [("sessions", f"{statistics.sessions:,}"), *cells[LEFT:]]
    for pair in zip_longest(left, right, fillvalue=("", "")):
        yield (" " * GAP_CHARACTERS).join(map(_cell, pair)).rstrip()
    yield f"the drawdown: {drawdown_told(statistics.max_drawdown) or 'none'}"


def _cell(cell: tuple[str, str]) -> str:
    name, value = cell
    return f"{name:<{LABEL_CHARACTERS}}{value:>{VALUE_CHARACTERS}}"


def _notes(outcome: Outcome) -> Iterator[str]:
    yield orders_told(outcome)
    yield f"requests: {requests_told(outcome)}"
    if outcome.denied:
        yield f"denied: {', '.join(f'{count:,} {reason}' for reason, count in outcome.denied.items())}"
    for name, said in (
        ("quarantined", [f"{symbol}: {why}" for symbol, why in outcome.quarantined.items()]),
        ("unfit, left out", outcome.unfit),
        ("would have halted", outcome.would_have_halted),
        ("assumed", outcome.assumed),
    ):
        if said:
            yield f"{name} ({len(said):,}): {'; '.join(said)}"
        if said and name == "quarantined":
            yield f"  {RELEASES}"
    run = identity_told(outcome.identity)
    yield "run: " + ", ".join(f"{name} {value[:HASH_CHARACTERS]}" for name, value in run.items())
