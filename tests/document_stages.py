"""What a document's commands are about, laid out before they run: an order in doubt, a broker or a run on its way."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from tests.old_books import STAGES as STAGES_OF_OLD_BOOKS
from tests.old_books import incident
from trader.build import running_build
from trader.cli.visits import write
from trader.config import Config
from trader.exits import Exit
from trader.live.assembly import boot_of
from trader.live.opening import opened
from trader.messages import (
    Clock,
    Gate,
    GateReport,
    LifeEnd,
    OrderRequest,
    SendOutcome,
    SendStarted,
    Statement,
)
from trader.model import (
    DecisionKey,
    Phase,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)

Stage = Callable[[Path, dict[str, str], ExitStack], dict[str, str]]


def order_in_doubt(key: str) -> Stage:
    """A stage on which the books have one order of JD without an answer, and the program has ended."""

    def lay_out(folder: Path, _environment: dict[str, str], _stage: ExitStack) -> dict[str, str]:
        books = opened(folder / "trading_data.db", create=False)
        state, symbol = books.state, Symbol("JD")
        at_ns = state.at_ns
        identity = books.identity("simulated", state.account, running_build())
        request = OrderRequest(
            request_id=RequestId(f"JD/sma-crossover/{identity.epoch}.0/00000001"),
            decision_key=DecisionKey(key.ljust(64, "0")),
            at_ns=at_ns,
            symbol=symbol,
            strategy=StrategyName("sma-crossover"),
            side=Side.BUY,
            purpose=Purpose.ENTER,
            size=Size(unit="shares", amount=Decimal(33)),
            limit_price=Decimal("31.92"),
            quote=Quote(
                symbol=symbol, at_ns=at_ns, bid=318_900, bid_size=100, ask=319_100, ask_size=100
            ),
            reason="10-bar average 31.90 rose above 30-bar 31.88",
        )
        agreement = Statement(
            at_ns=at_ns,
            account=state.account,
            cash=state.cash_at_broker,
            positions={name: one.quantity for name, one in state.positions.items()},
            open_orders={},
        )
        up = [
            GateReport(gate=gate, is_open=True, reason="up")
            for gate in (Gate.TRADING_STREAM, Gate.MARKET_DATA)
        ]
        clock = Clock(at_ns=at_ns, session=state.session, phase=Phase.REGULAR, marks={})
        boot = boot_of(Config(), identity, at_ns)
        try:
            state = write(books, state, [boot, *up, agreement, clock, request])
            [order] = [one for one in state.orders.values() if one.epoch == identity.epoch]
            ours = {"client_order_id": order.client_order_id}
            lost = SendOutcome(**ours, outcome="unknown", reason="no reply within 15 s")
            ended = LifeEnd(at_ns=at_ns, exit_code=Exit.DIFFERENCES)
            write(books, state, [SendStarted(**ours), lost, ended])
        finally:
            books.journal.close()
        return {}

    return lay_out


def standing_broker(folder: Path, environment: dict[str, str], stage: ExitStack) -> dict[str, str]:
    """The simulated broker in a process of its own, until the document ends; how it is reached."""
    command = [sys.executable, "-P", "-m", "trader", "broker", "--speed", "60"]
    broker = stage.enter_context(
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    )
    stage.callback(broker.terminate)
    assert broker.stdout is not None
    told = dict(broker.stdout.readline().split() for _ in range(3))
    return {
        "ADDRESS": told["address"],
        "APCA_API_KEY_ID": told["key"],
        "APCA_API_SECRET_KEY": told["secret"],
    }


def run_on_its_way(folder: Path, environment: dict[str, str], stage: ExitStack) -> dict[str, str]:
    """A run that holds something, until the document stops it."""
    command = [sys.executable, "-P", "-m", "trader", "run", "--speed", "780", "--scenario", "none"]
    run = stage.enter_context(
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    )
    stage.callback(run.kill)
    assert run.stdout is not None
    for line in run.stdout:
        if "10:10" <= line[:5] <= "16:00":
            return {}
    raise AssertionError("the run ended before it held anything")


def old_books(folder: Path, _environment: dict[str, str], _stage: ExitStack) -> dict[str, str]:
    """Another program's books: before the incident, after it, and cleaned up."""
    for stage in STAGES_OF_OLD_BOOKS:
        incident(folder / f"{stage}.db", stage)
    return {}


STAGES: dict[str, Stage] = {
    "an order in doubt": order_in_doubt("0a1b2c3d4e5f60718293a4b5"),
    "another order in doubt": order_in_doubt("ffeeddccbbaa998877665544"),
    "a broker on this machine": standing_broker,
    "a run on its way": run_on_its_way,
    "another program's books": old_books,
}
