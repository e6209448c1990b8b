"""`trade pnl`: profit and loss by symbol, strategy or day, from the same executions; and FIFO lots for the tax view."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

import click
import msgspec

from trader.calendar import iso
from trader.cli.answers import Row, reading, table_lines
from trader.cli.options import Common, common_options, new_file, write_page
from trader.cli.pnl_page import GROUPINGS, page_of
from trader.exits import Exit, StartRefused
from trader.log.words import visible
from trader.lots import ClosedLot, Deal, Lot, Tally, tallied
from trader.model import Side, Symbol
from trader.money import ZERO, plain
from trader.pages import plotly_script

TEXTS = frozenset({"symbol", "strategy", "day", "opened", "closed", "state"})
ACCOUNT = Symbol("(account)")  # what moved cash and is about no symbol: interest, fees corrected
_EXECUTIONS = """
SELECT sequence, 1, at_ns, session, symbol, execution_id, client_order_id, strategy, side, quantity, notional, fees,
  realized_pnl, '' FROM execution_rows
"""
# A movement comes before the execution of the same entry: a bust, then what stands for it. What a bust takes back is
# taken from the strategy whose order it was.
_MOVEMENTS = """
SELECT m.sequence, 0, m.at_ns, m.session, ifnull(m.symbol, '(account)'), m.reference, ifnull(m.client_order_id, ''),
  ifnull(o.strategy, ''), '', m.quantity, m.cost, m.fees, m.realized_pnl, m.kind
  FROM movement_rows AS m LEFT JOIN order_rows AS o ON o.client_order_id = m.client_order_id
  WHERE m.kind <> 'before_opening'
"""


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A deal, with what the books realized of it at average cost."""

    deal: Deal
    realized: Decimal


@click.command("pnl")
@click.option(
    "--by",
    type=click.Choice(["symbol", "strategy", "day"]),
    default="symbol",
    show_default=True,
    help="What a line is about.",
)
@click.option("--lots", is_flag=True, help="FIFO lots: what is open, and what closed what.")
@click.option("--html", metavar="FILE", help="Write a new page with charts, too.")
@common_options
def command(common: Common, by: str, lots: bool, html: str | None) -> int:
    """Show what was won and lost; realized is net of fees, at average cost unless it says FIFO."""
    page = None if html is None else new_file(html, "--html")
    with reading(common) as reader:
        booked = list(deals_of(reader))
        unrealized = dict(_unrealized(reader))
    tally = tallied(one.deal for one in booked)
    if booked:
        _check(common, booked, tally)
    if page is not None:
        groups = {
            one: list(_pnl_rows(one, booked, tally, unrealized)) if booked else []
            for one in GROUPINGS
        }
        write_page(page, page_of(common.database.name, groups, plotly_script()))
    if not booked:
        click.echo("[]" if common.json else "nothing was traded")
        return Exit.WELL
    rows = list(_lot_rows(tally)) if lots else list(_pnl_rows(by, booked, tally, unrealized))
    if common.json:
        click.echo(msgspec.json.encode(rows).decode())
    else:
        for line in table_lines([_shown(row) for row in rows]):
            click.echo(line)
    return Exit.WELL


def deals_of(reader: sqlite3.Connection) -> Iterator[Booked]:
    """Every execution and movement in the order of the journal."""
    for row in reader.execute(f"{_EXECUTIONS} UNION ALL {_MOVEMENTS} ORDER BY 1, 2, 3"):
        sequence, is_execution, at_ns, session, symbol, name, order, strategy = row[:8]
        side, quantity, money, fees, realized, kind = row[8:]
        profit = Decimal(realized)
        if is_execution:
            sign = 1 if side == Side.BUY else -1
            shares, flow = sign * Decimal(quantity), -sign * Decimal(money)
        else:
            # What came in for it: what was realized, less what was added to the cost, before fees.
            shares, flow = Decimal(quantity), profit - Decimal(money) + Decimal(fees)
        deal = Deal(
            symbol=symbol,
            reference=name,
            sequence=sequence,
            at_ns=at_ns,
            session=session,
            strategy=strategy,
            quantity=plain(shares),
            flow=plain(flow),
            fees=Decimal(fees),
            order=order,
            busts=name if kind == "bust" else "",
            is_split=kind == "split",
        )
        yield Booked(deal=deal, realized=profit)


def _unrealized(reader: sqlite3.Connection) -> Iterator[tuple[str, tuple[str, Decimal]]]:
    """By symbol: whose the position is, and what it would bring at its mark beyond its cost."""
    question = "SELECT symbol, ifnull(strategy, ''), unrealized_pnl FROM position_rows"
    for symbol, strategy, amount in reader.execute(question):
        yield symbol, (strategy, Decimal(amount))


def _check(common: Common, booked: list[Booked], tally: Tally) -> None:
    """Lots and books agree on open cost less realized, or the database isn't what its journal says."""
    books: defaultdict[Symbol, Decimal] = defaultdict(lambda: ZERO)
    for one in booked:
        books[one.deal.symbol] -= plain(one.deal.flow - one.deal.fees)
    for symbol, cost_less_realized in books.items():
        lots = tally.cost(symbol) - tally.realized(symbol)
        if lots != cost_less_realized:
            raise StartRefused(
                f"{symbol}: lots {lots}, books {cost_less_realized}",
                where=str(common.database),
                remedy="bin/trade verify names what differs",
            )


def _pnl_rows(
    by: str,
    booked: list[Booked],
    tally: Tally,
    unrealized: dict[str, tuple[str, Decimal]],
) -> Iterator[dict[str, str]]:
    groups: defaultdict[str, list[Booked]] = defaultdict(list)
    for one in booked:
        groups[_key(by, one.deal)].append(one)
    for key in sorted(groups):
        yield _line(by, key, groups[key], _open_of(by, key, unrealized))
    everything = sum((amount for _, amount in unrealized.values()), ZERO)
    yield _line(by, "all", booked, everything if by != "day" else None)


def _key(by: str, deal: Deal) -> str:
    match by:
        case "symbol":
            return deal.symbol
        case "strategy":
            return deal.strategy or "(none)"
        case _:
            return deal.session


def _open_of(by: str, key: str, unrealized: dict[str, tuple[str, Decimal]]) -> Decimal | None:
    """What is not realized yet; a day has none of its own."""
    match by:
        case "symbol":
            return unrealized.get(key, ("", ZERO))[1]
        case "strategy":
            own = (
                amount for strategy, amount in unrealized.values() if (strategy or "(none)") == key
            )
            return sum(own, ZERO)
        case _:
            return None


def _line(by: str, key: str, booked: Iterable[Booked], left: Decimal | None) -> dict[str, str]:
    executions, bought, sold, fees, realized = 0, ZERO, ZERO, ZERO, ZERO
    for one in booked:
        if (
            one.deal.order
        ):  # A bust takes back what was bought or sold, and counts one execution less.
            executions += -1 if one.deal.busts else 1
            is_buy = (one.deal.quantity > 0) is not bool(one.deal.busts)
            bought -= one.deal.flow if is_buy else ZERO
            sold += ZERO if is_buy else one.deal.flow
        fees += one.deal.fees
        realized += one.realized
    line = {
        by: key,
        "executions": str(executions),
        "bought": str(plain(bought)),
        "sold": str(plain(sold)),
        "fees": str(plain(fees)),
        "realized": str(plain(realized)),
    }
    return line if left is None else {**line, "unrealized": str(plain(left))}


def _lot_rows(tally: Tally) -> Iterator[dict[str, str]]:
    """What was closed, oldest first, then what is open."""
    yield from map(_lot, tally.closed)
    yield from map(_lot, tally.open)


def _lot(lot: ClosedLot | Lot) -> dict[str, str]:
    is_closed = isinstance(lot, ClosedLot)
    return {
        "symbol": lot.symbol,
        "quantity": str(lot.quantity),
        "opened": iso(lot.opened_ns if isinstance(lot, ClosedLot) else lot.at_ns),
        "closed": iso(lot.closed_ns) if isinstance(lot, ClosedLot) else "",
        "cost": str(lot.cost),
        "proceeds": str(lot.proceeds) if isinstance(lot, ClosedLot) else "",
        "realized": str(lot.realized) if isinstance(lot, ClosedLot) else "",
        "strategy": lot.strategy,
        "state": "closed" if is_closed else "open",
    }


def _shown(row: dict[str, str]) -> Row:
    """Numbers to the right; nothing is computed with them. A symbol may be called NAN or INF."""
    return {
        name: visible(cell) or None if name in TEXTS else _number(cell)
        for name, cell in row.items()
    }


def _number(cell: str) -> str | float | int | None:
    try:
        return int(cell) if cell.lstrip("-").isdecimal() else float(cell)
    except ValueError:
        return visible(cell) or None
