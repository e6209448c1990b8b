"""How fast a journal becomes a state again, and how long a life with a thousand open orders takes to recover."""

from pathlib import Path

from msgspec.structs import replace

from tests.bench.measure import Sample, Stopwatch
from tests.bench.morning import LIMIT_BUY, TEN_NS, opening, symbols_of, wish
from trader.execution import ExecutionState, decide, fold
from trader.executor import decided
from trader.journal.sqlite import open_journal
from trader.messages import Boot, Claim, Entry, Input, OrderReport, SendStarted
from trader.model import BrokerOrderId, Execution, ExecutionId, Order, Side
from trader.money import ZERO
from trader.ports import Batch

WORK = 1_000  # symbols: each has one order filled, and one open at the end
WORK_TINY = 3


def once(work: int, folder: Path) -> list[Sample]:
    """Entries folded; read and folded; and all of a start: the file opened, read, folded, the new life decided."""
    path = folder.resolve() / "bench.db"
    entries = written(work, path)
    assert isinstance(entries[0].input, Boot)
    next_life = replace(entries[0].input, epoch=2)
    with Stopwatch() as folding:
        state = fold(ExecutionState(), entries)
    assert len(state.orders) == 2 * work
    with Stopwatch() as recovering:
        journal = open_journal(path, create=False, since="")
        with Stopwatch() as reading:
            recovered = fold(ExecutionState(), journal.entries())
        decide(recovered, next_life)
    journal.close()
    assert recovered == state
    count = len(entries)
    return [
        Sample(name="entries folded", value=count / folding.cpu_s, unit="1/s"),
        Sample(
            name="entries read, checked and folded",
            value=count / reading.cpu_s,
            unit="1/s",
        ),
        Sample(
            name=f"recovery with {WORK:,} open orders",
            value=recovering.wall_s,
            unit="s",
        ),
    ]


def written(work: int, path: Path) -> list[Entry]:
    """A journal on disk, and its entries: each symbol bought, then a sale of it that is open."""
    symbols, state = symbols_of(work), ExecutionState()
    journal = open_journal(path, create=True, since="", inline=True)
    entries: list[Entry] = []

    def commit(batch: list[Input]) -> None:
        nonlocal state
        state, fresh = decided(state, batch)
        journal.write(Batch(entries=tuple(fresh), after=state))
        entries.extend(fresh)

    commit(opening(symbols))
    for number, side in enumerate((Side.BUY, Side.SELL)):
        first = number * work
        commit([wish(one, first + place, TEN_NS, side) for place, one in enumerate(symbols)])
        orders = [one for one in state.orders.values() if one.side is side]
        commit([SendStarted(client_order_id=one.client_order_id) for one in orders])
        commit([_report(one, Claim.NEW) for one in orders])
        if side is Side.BUY:
            commit([_report(one, Claim.FILLED) for one in orders])
    journal.close()
    return entries


def _report(order: Order, claim: Claim) -> OrderReport:
    """That it is new, or filled in one."""
    is_filled = claim is Claim.FILLED
    execution = Execution(
        execution_id=ExecutionId(f"x-{order.client_order_id}"),
        quantity=order.quantity,
        price=LIMIT_BUY,
        quantity_cumulative=order.quantity,
        at_ns=TEN_NS,
    )
    return OrderReport(
        client_order_id=order.client_order_id,
        broker_order_id=BrokerOrderId(f"b-{order.client_order_id}"),
        symbol=order.symbol,
        side=order.side,
        claim=claim,
        quantity=order.quantity,
        quantity_cumulative=order.quantity if is_filled else ZERO,
        execution=execution if is_filled else None,
        at_ns=TEN_NS,
        source="stream",
    )
