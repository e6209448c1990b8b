"""`trade adopt`: take into the books what the account held before us, symbol by symbol, to trade or to leave alone."""

import getpass
from collections.abc import Iterator

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trader.cli.commands import checked_reason
from trader.cli.options import Common, common_options
from trader.cli.visits import Session, Whom, broker_options, end, visit, write
from trader.exits import Exit, Mistake
from trader.log.words import visible
from trader.messages import Adoption, Input
from trader.model import StrategyName, Symbol
from trader.money import ZERO
from trader.state import ExecutionState


class Holding(Struct, frozen=True, kw_only=True):
    """What the broker holds of a symbol, and how it stands in our books."""

    symbol: str
    quantity: str
    cost: str
    treatment: str  # 'unknown', 'trade', 'hands-off'


@click.command("adopt")
@click.option("--trade", metavar="LIST", default="", help="Symbols to trade on, as JD,GS.")
@click.option("--hands-off", metavar="LIST", default="", help="Symbols that are never touched.")
@click.option("--strategy", metavar="NAME", help="Whose the traded ones become.")
@click.option("--reason", metavar="TEXT", default="adopted", show_default=True, help="Why.")
@common_options
@broker_options
def command(
    common: Common, /, whom: Whom, trade: str, hands_off: str, strategy: str | None, reason: str
) -> int:
    """List what the account held before us, and take it into the books."""
    why = checked_reason(reason)
    wanted = _wanted(trade, hands_off)
    session = visit(common, whom, create=True)
    state = session.state
    try:
        adoptions = [
            _adoption(session, state, symbol, treatment, strategy, why)
            for symbol, treatment in wanted.items()
        ]
    except BaseException:
        end(session, state, int(Exit.MISTAKE))
        raise
    if adoptions:
        state = write(session.books, state, adoptions)
        state = write(session.books, state, [replace(session.told.statement, attempts=1)])
    end(session, state, int(Exit.WELL))
    _say(common, _holdings(session, state))
    for line in () if common.json else closed_lines(state):
        click.echo(line)
    return int(Exit.WELL)


def _wanted(trade: str, hands_off: str) -> dict[Symbol, str]:
    wanted = {Symbol(one): "trade" for one in trade.split(",") if one}
    for one in hands_off.split(","):
        if one in wanted:
            raise Mistake(f"{one} can't be both", where="--trade and --hands-off")
        if one:
            wanted[Symbol(one)] = "hands-off"
    return wanted


def _adoption(
    session: Session,
    state: ExecutionState,
    symbol: Symbol,
    treatment: str,
    strategy: str | None,
    reason: str,
) -> Input:
    statement = session.told.statement
    quantity = statement.positions.get(symbol, ZERO)
    if not quantity:
        raise Mistake(f"the account holds no {symbol}", where=f"--{treatment}")
    if state.position(symbol).quantity:
        raise Mistake(f"{symbol} is in the books already", where=f"--{treatment}")
    owner = None
    if treatment == "trade":
        names = list(session.config.strategies)
        if strategy is None and len(names) != 1:
            raise Mistake("whose is it?", where="--strategy", remedy=f"one of {', '.join(names)}")
        owner = StrategyName(strategy or names[0])
        if owner not in names:
            raise Mistake(f"no such strategy: {owner}", where="--strategy")
    return Adoption(
        command_id=f"adopt-{symbol}-{session.books.journal.head}",
        symbol=symbol,
        treatment=treatment,
        quantity=quantity,
        cost=statement.costs.get(symbol, ZERO),
        strategy=owner,
        who=getpass.getuser(),
        reason=reason,
    )


def _holdings(session: Session, state: ExecutionState) -> list[Holding]:
    statement = session.told.statement
    found = []
    for symbol, quantity in sorted(statement.positions.items()):
        held = state.position(symbol)
        treatment = "trade" if held.quantity else "unknown"
        found.append(
            Holding(
                symbol=symbol,
                quantity=str(quantity),
                cost=str(statement.costs.get(symbol, ZERO)),
                treatment="hands-off" if held.is_hands_off else treatment,
            )
        )
    return found


def closed_lines(state: ExecutionState) -> Iterator[str]:
    """What else a start will find, such as an order by hand that works at the broker still."""
    for symbol, why in sorted(state.quarantined.items()):
        yield f"{symbol} takes no entries: {visible(why)} (bin/trade doctor says what ends it)"


def _say(common: Common, holdings: list[Holding]) -> None:
    if common.json:
        click.echo(msgspec.json.encode(holdings).decode())
        return
    for one in holdings:
        click.echo(
            f"{one.symbol:<8} {one.quantity:>10} shares, cost {one.cost:>12}   {one.treatment}"
        )
    if not holdings:
        click.echo("the account holds nothing")
    if any(one.treatment == "unknown" for one in holdings):
        click.echo("take them: bin/trade adopt --trade SYMBOLS --hands-off SYMBOLS")
