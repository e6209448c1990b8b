"""What can happen in the core simulation, the likely things more often: each deed gives the inputs that it leads to."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from tests.core.truth import DAYS, Fill, Held, dollars, execution_of
from tests.core.wishes import HANDS_OFF, TRADED
from tests.core.world import World
from trader import reducing
from trader.messages import (
    Activity,
    CancelOutcome,
    Claim,
    Command,
    ExecutionCorrected,
    Gate,
    GateReport,
    Input,
    LookupMissed,
    OrderReport,
    OrderRequest,
    Resolution,
    SendOutcome,
    SendStarted,
    WorkerReport,
)
from trader.model import (
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    Phase,
    Purpose,
    Side,
    Size,
    Symbol,
)
from trader.money import ZERO

Deed = Callable[[World], list[Input]]


T = TypeVar("T")


def pick(world: World, among: list[T]) -> T | None:
    """One of them, if there are any."""
    return among[int(world.chance.random() * len(among))] if among else None


# ------------------------------------------------------------------------------------------ requests


def wants_to_enter(world: World) -> list[Input]:
    symbol = TRADED[int(world.chance.random() * len(TRADED))]
    wish = world.wishes.wish(symbol, world.minute, Side.BUY, 1 + int(world.chance.random() * 40))
    if world.limits.adds_max and world.chance.random() < 0.3:
        wish = replace(wish, purpose=Purpose.ADD)
    return [world.wishes.guarded(wish) if world.chance.random() < 0.4 else wish]


def wants_to_exit(world: World) -> list[Input]:
    held = [one for one in TRADED if world.state.position(one).quantity > 0]
    symbol = pick(world, held)
    if symbol is None:
        return []
    position = world.state.position(symbol)
    left = max(2, int(position.quantity_sellable))
    shares = 1 + int(world.chance.random() * 1.1 * left)
    wish = world.wishes.wish(symbol, world.minute, Side.SELL, shares)
    if position.strategy and world.chance.random() < 0.9:
        wish = replace(wish, strategy=position.strategy)
    return [wish]


def wants_to_be_guarded(world: World) -> list[Input]:
    """A stop that rests; or to be out of what one holds, so that it has to make way."""
    wishes = wants_to_exit(world)
    if not wishes:
        return []
    (wish,) = wishes
    assert isinstance(wish, OrderRequest)
    if world.chance.random() < 0.7:
        return [world.wishes.resting(wish)]
    return [replace(wish, size=Size(unit="target", amount=ZERO))]


def a_reduction_goes_on(world: World) -> list[Input]:
    """As the task tells it that sees to positions which have to go."""
    step = pick(world, list(reducing.due(world.state)))
    return [] if step is None else [step.wants]


def wants_something_odd(world: World) -> list[Input]:
    (wish,) = wants_to_exit(world) or wants_to_enter(world)
    assert isinstance(wish, OrderRequest)
    return [world.wishes.wild(wish)]


def tells_again(world: World) -> list[Input]:
    """The same telling; the same decision in another; or another content under the same id."""
    wish = pick(world, world.wishes.told)
    if wish is None:
        return []
    dice = world.chance.random()
    if dice < 0.5:
        return [wish]
    if dice < 0.8:
        return [world.wishes.anew(wish)]
    return [replace(wish, reason="other words")]


def all_want_the_same(world: World) -> list[Input]:
    """Eight workers see the same bar."""
    symbol = TRADED[int(world.chance.random() * len(TRADED))]
    first = world.wishes.wish(symbol, world.minute, Side.BUY, 5)
    crowd = [first, *(world.wishes.another(first) for _ in range(7))]
    before = world.auditor.outcomes
    was = [*before]
    if not world.turn([*crowd]) or world.auditor.outcomes is not before:
        return []  # It died on the way, and all of them with it.
    accepted, blocked, denied = (
        now - then for now, then in zip(world.auditor.outcomes, was, strict=True)
    )
    assert accepted <= 1, f"A6: {accepted} of eight got {symbol}"
    assert not (accepted and denied), f"A6: {denied} denied beside the one that got {symbol}"
    assert accepted + blocked + denied >= 8, "A6: each has an outcome"
    world.seen["stampedes"] += accepted
    return []


# ------------------------------------------------------------------------------------------ the way out


def a_send_begins(world: World) -> list[Input]:
    if not world.outgoing:
        return []
    order = world.outgoing.pop(0)
    name = order.client_order_id
    if world.chance.random() < 0.04:
        return [SendOutcome(client_order_id=name, outcome="never_sent", reason="waited too long")]
    world.flying.append(order)
    if world.chance.random() < 0.02:
        return []  # Its telling waits; what comes of the send may be heard before.
    return [SendStarted(client_order_id=name)]


def a_send_ends(world: World) -> list[Input]:
    if not world.flying:
        return []
    order = world.flying.pop(int(world.chance.random() * len(world.flying)))
    name, dice = order.client_order_id, world.chance.random()
    loses = world.rates.loses
    if dice < loses / 2:
        if dice < loses / 4:
            world.arrives(order)
        elif dice < loses * 3 / 8:
            world.adrift.append(order)
        return [SendOutcome(client_order_id=name, outcome="unknown", reason="no answer")]
    if dice > 0.95:
        outcome = "rejected" if dice > 0.97 else "never_sent"
        return [SendOutcome(client_order_id=name, outcome=outcome, reason="at once")]
    world.arrives(order)
    reply = world.truth.orders[name].told(Claim.PENDING_NEW if dice > 0.85 else Claim.NEW, "reply")
    if dice > 0.7:
        world.mail.append(reply)
        return []
    return [reply]


def one_that_nobody_waits_for_arrives(world: World) -> list[Input]:
    if world.adrift:
        world.arrives(world.adrift.pop(0))
    return []


def a_cancel_arrives(world: World) -> list[Input]:
    if not world.cancels:
        return []
    name = world.cancels.pop(0)
    if name not in world.state.orders:
        return []
    one, dice = world.truth.orders.get(name), world.chance.random()
    if one is None or dice < 0.2:
        outcome = "unknown" if dice < 0.1 else "rejected"
        return [CancelOutcome(client_order_id=name, outcome=outcome)]
    if one.leaves > 0 and dice < 0.6:
        world.truth.ends(one, Claim.CANCELED)
        world.mail.append(one.told(Claim.CANCELED, "stream"))
    elif one.leaves > 0:
        claim = Claim.PENDING_CANCEL if dice < 0.8 else Claim.CANCEL_REJECTED
        world.mail.append(one.told(claim, "stream"))
    return [CancelOutcome(client_order_id=name, outcome="accepted")]


# ------------------------------------------------------------------------------------------ the broker


def the_broker_executes(world: World) -> list[Input]:
    one = pick(world, world.truth.live())
    if one is None:
        return []
    quantity = max(1, int(one.leaves * min(1.0, 1.4 * world.chance.random())))
    fill = executed(world, one, quantity)
    told = one.told(one.claim, "stream", fill)
    if world.chance.random() < 0.5:
        return [told]
    world.mail.append(told)
    return []


def executed(world: World, one: Held, quantity: int) -> Fill:
    """At its limit or a little better; a market order at the price of the moment."""
    order, better = one.order, int(world.chance.random() * 8)
    if order.limit_price is None:
        cents = world.wishes.cents[order.symbol]
    else:
        cents = int(order.limit_price * 100) + (-better if order.side is Side.BUY else better)
    return world.truth.executes(one, quantity, cents, world.minute)


def the_broker_ends_one(world: World) -> list[Input]:
    one = pick(world, world.truth.live())
    if one is not None:
        claim = Claim.CANCELED if world.chance.random() < 0.5 else Claim.EXPIRED
        world.truth.ends(one, claim)
        world.mail.append(one.told(claim, "stream"))
    return []


def a_report_arrives(world: World) -> list[Input]:
    """Any of those under way; lost, or told again later."""
    if not world.mail:
        return []
    at, dice = int(world.chance.random() * len(world.mail)), world.chance.random()
    if dice < world.rates.repeats:
        return [world.mail[at]]
    told = world.mail.pop(at)
    return [] if world.chance.random() < world.rates.loses else [told]


def a_lookup_is_answered(world: World) -> list[Input]:
    if not world.lookups:
        return []
    name = world.lookups.pop(int(world.chance.random() * len(world.lookups)))
    if name not in world.state.orders:
        return []
    one = world.truth.orders.get(name)
    if one is not None:
        return [*one.retold()]
    if on_its_way(world, name):
        world.lookups.append(name)
        return [LookupMissed(client_order_id=name, attempts=1)]
    if world.chance.random() < 0.5 and world.state.orders[name].state is OrderState.UNKNOWN:
        return [SendOutcome(client_order_id=name, outcome="never_sent", reason="proven")]
    world.lookups.append(name)
    return [LookupMissed(client_order_id=name, attempts=1)]


# ------------------------------------------------------------------------------------------ the books


def the_broker_states_its_books(world: World) -> list[Input]:
    """Fetched whole; or of a moment ago, or with nothing heard before it."""
    if world.chance.random() < 0.7:
        world.hears_everything()
        return []
    return [world.statement(attempts=1 + int(world.chance.random() * 3))]


def the_account_moves(world: World) -> list[Input]:
    kind = world.chance.choice(("DIV", "INT", "CSD", "CSW"))
    cents = 1 + int(world.chance.random() * 3_000)
    happens(world, kind, -cents if kind == "CSW" else cents)
    told = world.other_cents[-1]
    return [told] if world.chance.random() < 0.5 else []


def happens(world: World, kind: str, cents: int) -> None:
    """The broker books it, and tells with the next statement at the latest."""
    world.numbers += 1
    world.truth.cents += cents
    world.other_cents.append(
        Activity(
            activity_id=f"activity {world.numbers}",
            kind=kind,
            at_ns=world.now_ns,
            session=DAYS[world.day],
            amount=dollars(cents),
        )
    )


def the_owner_trades_by_hand(world: World) -> list[Input]:
    side = Side.BUY if world.chance.random() < 0.6 else Side.SELL
    quantity, cents = 1 + int(world.chance.random() * 5), 2_000 + int(world.chance.random() * 300)
    sign = 1 if side is Side.BUY else -1
    if world.truth.shares[HANDS_OFF] + sign * quantity < 1:
        return []
    world.numbers += 1
    world.truth.shares[HANDS_OFF] += sign * quantity
    world.truth.cents -= sign * quantity * cents
    told = a_foreign_report(world, HANDS_OFF, side, quantity)
    execution = Execution(
        execution_id=ExecutionId(f"hand {world.numbers}"),
        quantity=Decimal(quantity),
        price=dollars(cents),
        quantity_cumulative=Decimal(quantity),
        at_ns=world.now_ns,
    )
    told = replace(told, execution=execution, claim=Claim.FILLED)
    world.by_hand.append(told)
    return [told] if world.chance.random() < 0.5 else []


def a_foreign_report(world: World, symbol: Symbol, side: Side, quantity: int) -> OrderReport:
    """Of an order that is none of ours."""
    return OrderReport(
        client_order_id=ClientOrderId(f"foreign {world.numbers}"),
        broker_order_id=None,
        symbol=symbol,
        side=side,
        claim=Claim.NEW,
        quantity=Decimal(quantity),
        quantity_cumulative=Decimal(quantity),
        at_ns=world.now_ns,
        source="stream",
    )


def somebody_orders_elsewhere(world: World) -> list[Input]:
    world.numbers += 1
    symbol = TRADED[int(world.chance.random() * len(TRADED))]
    return [replace(a_foreign_report(world, symbol, Side.BUY, 3), quantity_cumulative=Decimal(0))]


def correctable(world: World) -> Held | None:
    """Its last execution is of today and in our books, and nothing else of its symbol moves."""
    among = [one for one in world.truth.changed.values() if one.fills]
    one = pick(world, among)
    if one is None or one.fills[-1].minute // 1_440 != world.day:
        return None
    order, fill = one.order, one.fills[-1]
    position = world.state.position(order.symbol)
    moving = {*position.entries, *position.exits} - {order.client_order_id}
    moving |= {out.client_order_id for out in world.outgoing if out.symbol == order.symbol}
    is_heard = (order.client_order_id, fill.cumulative) in world.auditor.heard
    is_known = order.client_order_id in world.state.orders
    if moving or not is_heard or not is_known:
        return None
    return one if world.truth.shares[order.symbol] == position.quantity else None


def the_broker_corrects(world: World) -> list[Input]:
    """A price was wrong, or the execution never was; what is under way about the order is of before."""
    one = correctable(world)
    if one is None:
        return []
    order, last = one.order, one.fills[-1]
    name = order.client_order_id
    (wrong,) = [
        known.execution.execution_id
        for known in world.state.orders[name].executions
        if known.execution.quantity_cumulative == last.cumulative and not known.is_busted
    ]
    if wrong.startswith("resolved"):
        return []  # A person's word has no id at the broker.
    replacement = None
    if world.chance.random() < 0.5:
        _, now = world.truth.corrects(one, last.cents + (-3 if order.side is Side.BUY else 3))
        replacement = execution_of(order, now, "corrected")
    elif order.side is Side.SELL or world.truth.shares[order.symbol] >= last.quantity:
        world.truth.takes_back(one)
    else:
        return []
    world.seen["corrections"] += 1
    told = ExecutionCorrected(
        client_order_id=name,
        symbol=order.symbol,
        execution_id=wrong,
        replacement=replacement,
        at_ns=world.now_ns,
    )
    while not world.turn([told]):
        pass  # A correction that is lost is found by nobody: the broker tells it until it is heard.
    return []


# ------------------------------------------------------------------------------------------ time, people


def time_passes(world: World) -> list[Input]:
    world.wishes.drift()
    world.minute += 1
    if world.minute % 1_440 > 420 and world.day < len(DAYS) - 1:
        a_day_passes(world)
    dice = world.chance.random()
    phase = Phase.REGULAR if dice > 0.05 else world.chance.choice(tuple(Phase))
    return [world.clock(phase)]


def a_day_passes(world: World) -> list[Input]:
    """Whatever lives expires, all is heard, and the broker charges the fees, a cent or two wrong perhaps."""
    if world.day == len(DAYS) - 1:
        return []
    for one in world.truth.live():
        world.truth.ends(one, Claim.EXPIRED)
    world.mail = []
    while not world.hears_everything():
        pass
    due = world.truth.fees_due[world.day]
    if due > 0:
        happens(world, "FEE", -max(1, due + int(world.chance.random() * 5) - 2))
    world.day += 1
    world.minute = world.day * 1_440
    while not world.turn([world.clock(Phase.REGULAR)]):
        pass
    return []


def a_person_commands(world: World) -> list[Input]:
    dice = world.chance.random()
    if dice < 0.02:
        return [command("halt")]
    if dice < 0.2:
        return [command("resume")]
    if dice < 0.4:
        return [command("cancel", "entries")]
    order = pick(world, world.live_with_us())
    return [] if order is None else [command("cancel", order.client_order_id)]


def a_person_releases(world: World) -> list[Input]:
    if not world.state.quarantined:
        return []
    return [command("release", symbol) for symbol in sorted(world.state.quarantined)]


def command(verb: str, subject: str = "") -> Command:
    """Ada's."""
    return Command(command_id="c", verb=verb, subject=subject, who="ada", reason="so be it")


def a_person_tells_the_truth(world: World) -> list[Input]:
    """About an order in doubt, of which no more than one execution is unheard."""
    doubtful = [one for one in world.live_with_us() if one.state is OrderState.UNKNOWN]
    order = pick(world, doubtful)
    if order is None:
        return []
    name = order.client_order_id
    one = world.truth.orders.get(name)
    if one is None:
        return [] if on_its_way(world, name) else [resolution(world, name, "never-sent")]
    unheard = [fill for fill in one.fills if (name, fill.cumulative) not in world.auditor.heard]
    if one.final in {Claim.CANCELED, Claim.EXPIRED} and not unheard:
        return [resolution(world, name, "canceled")]
    if one.final is not Claim.FILLED or len(unheard) != 1 or unheard[0] is not one.fills[-1]:
        return []
    (fill,) = unheard
    if fill.minute // 1_440 != world.day or one.cumulative > one.quantity:
        return []  # A person says no time: its fee would wait for another day's charge.
    told = resolution(world, name, "filled")
    return [replace(told, quantity=Decimal(fill.quantity), price=dollars(fill.cents))]


def on_its_way(world: World, name: ClientOrderId) -> bool:
    """It may still arrive."""
    under_way = (*world.flying, *world.outgoing, *world.adrift)
    return any(one.client_order_id == name for one in under_way)


def resolution(world: World, name: ClientOrderId, outcome: str) -> Resolution:
    """Ada's word."""
    world.numbers += 1
    return Resolution(
        command_id=f"r{world.numbers}",
        client_order_id=name,
        outcome=outcome,
        who="ada",
        reason="I called them",
    )


# ------------------------------------------------------------------------------------------ conditions


def a_gate_moves(world: World) -> list[Input]:
    gate = world.chance.choice(tuple(Gate))
    shut = [one for one, _ in world.state.gates_closed]
    if gate is Gate.RECONCILED:
        return []
    if gate not in shut and world.chance.random() < 0.5:
        return [GateReport(gate=gate, is_open=False, reason="so it is")]
    return [GateReport(gate=one, is_open=True, reason="") for one in shut if one is not gate]


def all_is_well_again(world: World) -> list[Input]:
    """Every gate opens, every worker is warm, the books agree."""
    shut = [one for one, _ in world.state.gates_closed if one is not Gate.RECONCILED]
    cold = [
        WorkerReport(worker=worker, symbol=symbol, ready=True)
        for symbol, workers in world.state.workers_cold.items()
        for worker in workers
    ]
    told = [GateReport(gate=one, is_open=True, reason="") for one in shut]
    if not (world.state.gates_closed or cold):
        return []
    if world.turn([*told, *sorted(cold, key=lambda one: (one.symbol, one.worker))]):
        world.hears_everything()
    return []


def a_worker_fails_or_is_warm(world: World) -> list[Input]:
    symbol = TRADED[int(world.chance.random() * len(TRADED))]
    ready = world.chance.random() < 0.7
    reason = "" if ready else "ValueError"
    return [WorkerReport(worker="w", symbol=symbol, ready=ready, reason=reason, failures=3)]


def order_of_state(world: World) -> Order | None:
    """Of any state that there is, rare ones as likely as others; the oldest are left alone."""
    names = [*world.auditor.orders][-60:]
    there = [world.state.orders[name] for name in names if name in world.state.orders]
    state = pick(world, sorted({one.state for one in there}))
    return pick(world, [one for one in there if one.state is state])


# A turn takes one of these: deeds by how often.
DEEDS: tuple[tuple[int, Deed], ...] = (
    (14, wants_to_enter),
    (12, wants_to_exit),
    (4, wants_to_be_guarded),
    (10, a_reduction_goes_on),
    (4, wants_something_odd),
    (4, tells_again),
    (2, all_want_the_same),
    (14, a_send_begins),
    (14, a_send_ends),
    (2, one_that_nobody_waits_for_arrives),
    (3, a_cancel_arrives),
    (14, the_broker_executes),
    (2, the_broker_ends_one),
    (14, a_report_arrives),
    (8, a_lookup_is_answered),
    (2, the_broker_states_its_books),
    (1, the_account_moves),
    (1, the_owner_trades_by_hand),
    (3, the_broker_corrects),
    (3, time_passes),
    (3, a_person_commands),
    (3, a_person_releases),
    (1, a_person_tells_the_truth),
    (1, a_gate_moves),
    (8, all_is_well_again),
    (1, a_worker_fails_or_is_warm),
)
