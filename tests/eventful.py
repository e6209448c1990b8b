"""A journal in which everything happens that moves books: fills, a bust, a split, money in and out, two lives."""

from decimal import Decimal
from pathlib import Path

from tests.journal_plays import (
    DAY_NS,
    OPEN_NS,
    Play,
    boot,
    clock,
    fill,
    opened,
    report,
    request,
)
from trader.journal.sqlite import open_journal
from trader.messages import (
    Activity,
    Claim,
    Command,
    ExecutionCorrected,
    Gate,
    GateReport,
    LifeEnd,
    SendOutcome,
    SendStarted,
)
from trader.model import MINUTE_NS, Execution, ExecutionId, Side, Symbol


def activity(
    name: str, kind: str, amount: str, symbol: str | None = None, quantity: str = "0"
) -> Activity:
    return Activity(
        activity_id=name,
        kind=kind,
        at_ns=OPEN_NS + MINUTE_NS,
        session="2026-01-26",
        amount=Decimal(amount),
        symbol=None if symbol is None else Symbol(symbol),
        quantity=Decimal(quantity),
    )


def eventful() -> Play:
    """Three sessions in two lives; at the end JD is held and has to go, an order works and one is in doubt."""
    play = opened()
    play.hear(request("JD", key="jd", shares=30), request("GS", key="gs", shares=2))
    play.hear(*(request("GS", key=f"again{one}") for one in range(3)))
    play.hear(request("T", key="dear", price="44.10"))
    jd, gs = play.live()
    play.hear(SendStarted(client_order_id=jd.client_order_id), report(jd, Claim.NEW, OPEN_NS))
    play.hear(fill(play.live()[0], Decimal(10), OPEN_NS))
    play.hear(fill(play.live()[0], Decimal(20), OPEN_NS, off=-1))
    play.hear(report(gs, Claim.CANCELED, OPEN_NS))
    play.hear(clock(OPEN_NS + MINUTE_NS, marks={"JD": 320_000}))
    (first, _) = play.state.orders[jd.client_order_id].executions
    instead = Execution(
        execution_id=ExecutionId("instead"),
        quantity=Decimal(10),
        price=Decimal("31.50"),
        quantity_cumulative=Decimal(10),
        at_ns=OPEN_NS,
    )
    play.hear(
        ExecutionCorrected(
            client_order_id=jd.client_order_id,
            symbol=jd.symbol,
            execution_id=first.execution.execution_id,
            replacement=instead,
            at_ns=OPEN_NS + MINUTE_NS,
        )
    )
    play.hear(activity("div", "DIV", "12.40", "JD"), activity("csd", "CSD", "1000"))
    play.hear(activity("split", "SPLIT", "0", "JD", "30"), activity("fee", "FEE", "-0.02"))
    play.hear(clock(OPEN_NS + 2 * MINUTE_NS, marks={"JD": 160_000}))  # after the split
    play.hear(request("JD", key="sell", side=Side.SELL, shares=25, at_ns=play.state.at_ns))
    play.hear(fill(play.live()[0], Decimal(25), OPEN_NS + 2 * MINUTE_NS))
    play.hear(Command(command_id="c1", verb="halt", who="ana", reason="lunch"))
    play.hear(LifeEnd(at_ns=play.state.at_ns, exit_code=4), boot(2, play.state.at_ns))
    play.hear(Command(command_id="c2", verb="resume", who="ana", reason="fed"))
    for days in (1, 2):
        play.hear(clock(OPEN_NS + days * DAY_NS, f"2026-01-{26 + days}", {"JD": 161_000}))
    now_ns = play.state.at_ns
    play.hear(*(GateReport(gate=gate, is_open=True, reason="") for gate in reversed(Gate)))
    play.hear(request("T", key="works", at_ns=now_ns), request("GS", key="doubt", at_ns=now_ns))
    (works, doubt) = play.live()
    play.hear(report(works, Claim.NEW, now_ns))
    play.hear(SendOutcome(client_order_id=doubt.client_order_id, outcome="unknown", reason="504"))
    play.hear(Command(command_id="c3", verb="flatten", subject="JD", who="ana", reason="enough"))
    play.hear(Command(command_id="c4", verb="halt", who="ana", reason="home"))
    return play


def written(play: Play, path: Path) -> Path:
    """The play as a database."""
    journal = open_journal(path, create=True, since="", inline=True)
    for batch in play.batches():
        journal.write(batch)
    journal.close()
    return path
