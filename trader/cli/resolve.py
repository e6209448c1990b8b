"""`trade resolve`: a person says what became of an order that nobody else can tell; it stays in the journal."""

import getpass
import time
from decimal import Decimal

import click
import msgspec

from trader.calendar import iso
from trader.cli.commands import checked_reason
from trader.cli.options import Common, common_options
from trader.cli.visits import write
from trader.exits import Exit, Mistake
from trader.live.opening import Books, opened
from trader.messages import Resolution
from trader.model import Order
from trader.money import AmountError, amount
from trader.orders import is_live


@click.command("resolve")
@click.argument("order")
@click.option(
    "--as",
    "outcome",
    required=True,
    type=click.Choice(["filled", "canceled", "rejected", "never-sent"]),
    help="What became of it.",
)
@click.option("--quantity", metavar="SHARES", help="Of the fill that is not booked yet.")
@click.option("--price", metavar="DOLLARS", help="Of a share in it.")
@click.option("--reason", required=True, metavar="TEXT", help="How you know.")
@common_options
def command(
    common: Common,
    /,
    order: str,
    outcome: str,
    quantity: str | None,
    price: str | None,
    reason: str,
) -> int:
    """Settle an order in doubt by hand; ORDER is our id or the broker's. Exit code 1 where it stays alive."""
    why = checked_reason(reason)
    if (outcome == "filled") != (quantity is not None and price is not None):
        raise Mistake("go with --as filled, and only with it", where="--quantity and --price")
    books = opened(common.database, create=False)
    try:
        found = _found(books, order)
        told = Resolution(
            command_id=f"resolve-{books.journal.head} {iso(time.time_ns())}",
            client_order_id=found.client_order_id,
            outcome=outcome,
            quantity=_shares(found, quantity),
            price=_number(price, "--price"),
            who=getpass.getuser(),
            reason=why,
        )
        after = write(books, books.state, [told]).orders[found.client_order_id]
    finally:
        books.journal.close()
    is_settled = not is_live(after)
    if common.json:
        click.echo(msgspec.json.encode(after).decode())
    elif is_settled:
        click.echo(f"{after.client_order_id} was {found.state.value}, is {after.state.value}")
    else:
        click.echo(
            f"{after.client_order_id} is still {after.state.value}: the broker has shown that it lives, so it can't be"
            f" {outcome}; --as canceled ends it, with what is filled of it"
        )
    return Exit.WELL if is_settled else Exit.DIFFERENCES


def _found(books: Books, name: str) -> Order:
    for order in books.state.orders.values():
        if name in {order.client_order_id, order.broker_order_id}:
            if not is_live(order):
                raise Mistake(f"{name} is {order.state.value}: nothing to resolve", where="ORDER")
            return order
    raise Mistake(
        f"no such order: {name[:60]!r}", where="ORDER", remedy="bin/trade orders --unknown"
    )


def _number(text: str | None, where: str) -> Decimal | None:
    if text is None:
        return None
    try:
        value = amount(text)
    except AmountError as error:
        raise Mistake(str(error), where=where) from None
    if value <= 0:
        raise Mistake("must be more than nothing", where=where)
    return value


def _shares(order: Order, text: str | None) -> Decimal | None:
    value = _number(text, "--quantity")
    if value is not None and value > order.quantity_leaves:
        raise Mistake(f"only {order.quantity_leaves} are left", where="--quantity")
    return value
