"""Many worlds, one after the other: what broke in which, and what was reached in all of them.

PYTHONPATH=. .venv-develop/bin/python -m tests.core.campaign --seeds 1..400 --turns 2000
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import click

from tests.core.deeds import DEEDS, command, somebody_orders_elsewhere
from tests.core.interleavings import scenario, walk
from tests.core.lies import something_untrue_is_heard
from tests.core.reached import Pair, rows_counted, unreached
from tests.core.truth import Held
from tests.core.world import World, canonical
from trader.evolve import fold
from trader.messages import Claim, DenyReason, GateReport, Input, SendOutcome, decode_entry
from trader.model import FINAL_STATES
from trader.money import use_exact_context
from trader.state import ExecutionState

ODDS = [
    deed
    for often, deed in (*DEEDS, (9, something_untrue_is_heard), (1, somebody_orders_elsewhere))
    for _ in range(often)
]
# Scenarios that are walked whole by hand: deaths, losses, wishes, and how orders may end besides being filled.
LARGER = (
    (1, 1, 2, frozenset({Claim.CANCELED, Claim.EXPIRED, Claim.REJECTED})),
    (2, 0, 2, frozenset({Claim.CANCELED, Claim.REJECTED})),
    (0, 1, 3, frozenset({Claim.CANCELED})),
    (1, 0, 3, frozenset({Claim.CANCELED})),
    (1, 1, 3, frozenset[Claim]()),
)
TOGETHER = (1, 1, 1, 1, 2, 3)  # deeds in one batch


@dataclass
class Totals:
    """Of all worlds of a campaign."""

    worlds: int = 0
    turns: int = 0
    lives: int = 0
    orders: int = 0
    executions: int = 0
    requests: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[DenyReason] = field(default_factory=Counter)
    rows: Counter[Pair] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For a person."""
        seen = self.seen
        return (
            f"{self.worlds} worlds, {self.lives:,} lives, {self.turns:,} turns,"
            f" {seen['entries']:,} rows, {self.requests:,} requests, {self.orders:,} orders,"
            f" {self.executions:,} executions, {seen['corrections']:,} corrections,"
            f" {seen['stampedes']:,} stampedes, {seen['refused by the disk']:,} failed commits"
        )

    def add(self, world: World) -> None:
        """One more."""
        auditor = world.auditor
        self.worlds += 1
        self.turns += world.turns
        self.lives += world.lives
        self.orders += len(auditor.orders)
        self.executions += len(auditor.heard)
        self.requests += world.wishes.made
        self.seen += world.seen
        self.reasons += auditor.reasons


def campaign(seeds: Iterable[int], turns: int) -> Totals:
    """Every world of them; one that breaks a promise is named, and the rest go on."""
    totals = Totals()
    with rows_counted(totals.rows):
        for seed in seeds:
            try:
                totals.add(lived(seed, turns))
            except (AssertionError, ArithmeticError, LookupError, ValueError) as error:
                totals.failed.append(f"--seeds {seed} --turns {turns}: {error!r:.400}")
    return totals


def lived(seed: int, turns: int) -> World:
    """A world of so many turns, healed at its end."""
    world = World(seed)
    while world.turns < turns:
        step(world)
    heal(world)
    return world


def step(world: World) -> None:
    """A batch of what happens next."""
    chance, batch = world.chance, list[Input]()
    for _ in range(TOGETHER[int(chance.random() * len(TOGETHER))]):
        batch += ODDS[int(chance.random() * len(ODDS))](world)
    if batch:
        world.turn(batch)


# ------------------------------------------------------------------------------------------ the end


def heal(world: World) -> None:
    """Nothing goes wrong any more: everything is found, everything ends, and both sides agree."""
    world.rates = world.rates.none()
    for under_way in (world.outgoing, world.flying, world.adrift):
        while under_way:
            world.arrives(under_way.pop(0))
    for told in world.mail:
        world.turn([told])
    for one in world.truth.live():
        world.truth.ends(one, Claim.CANCELED)
    shut = [gate for gate, _ in world.state.gates_closed]
    world.turn([GateReport(gate=gate, is_open=True, reason="") for gate in shut])
    assert world.hears_everything()
    for order in world.live_with_us():
        name = order.client_order_id
        if name not in world.truth.orders:
            world.turn([SendOutcome(client_order_id=name, outcome="never_sent", reason="proven")])
    world.turn([command("resume")])
    assert world.hears_everything()
    settled(world)


def settled(world: World) -> None:
    """B6, D9, E3: on both sides the same has ended, nothing is reserved, and the rows add up to what is."""
    state, truth, lied = world.state, world.truth, world.lied_about
    wrong = [
        f"B6: {name} is {order.state}"
        for name, order in state.orders.items()
        if name not in lied and not is_so(truth.orders.get(name), order.state in FINAL_STATES)
    ]
    wrong += world.auditor.check_everything(state)
    if not world.live_with_us():
        assert state.books.reserved == 0, "D3: nothing lives, and cash is reserved"
    assert not wrong, "; ".join(wrong)
    entries = [*world.history, *map(decode_entry, world.rows)]
    assert canonical(fold(ExecutionState(), entries)) == canonical(state), "E3: fold and life"


def is_so(one: Held | None, has_ended: bool) -> bool:
    """The order has ended with us as it has at the broker."""
    return has_ended == (one is None or one.final is not None)


# ------------------------------------------------------------------------------------------ by hand


@click.command()
@click.option("--seeds", default="1..100", show_default=True, help="From..to.")
@click.option("--turns", default=2_000, show_default=True, help="Of each world.")
@click.option("--interleavings", is_flag=True, help="Walk the larger small scenarios, too.")
@click.option("--raising", is_flag=True, help="The first broken promise with its traceback.")
def main(seeds: str, turns: int, interleavings: bool, raising: bool) -> None:
    """Live through core worlds; exit 1 where a promise broke, or where something was not reached."""
    use_exact_context()
    first, _, last = seeds.partition("..")
    numbers = range(int(first), int(last or first) + 1)
    if raising:
        for seed in numbers:
            lived(seed, turns)
    began = time.process_time()
    totals = campaign(numbers, turns)
    spent = time.process_time() - began
    click.echo(totals.line())
    click.echo(f"{spent:.1f} CPU s, {totals.turns / spent:,.0f} turns a CPU second")
    missing = unreached(totals.rows, totals.reasons)
    for line in (*totals.failed, *(f"not reached: {one}" for one in missing)):
        click.echo(line)
    for crashes, losses, wishes, ends in LARGER if interleavings else ():
        counts = walk(scenario(crashes, losses, wishes), ends)
        what = f"{wishes} wishes, {crashes} deaths, {losses} losses, ends {sorted(ends)}"
        click.echo(f"{what}: {counts['nodes']:,} nodes, {counts['steps']:,} steps, all well")
    sys.exit(1 if totals.failed or missing else 0)


if __name__ == "__main__":
    main()
