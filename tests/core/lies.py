"""What a broker or a person says that is not so, and what a broker does that nobody can foresee, to any order.

What is executed is real, whatever the order was called before; the rest is words, which may end an order or call it
back to life, but never touch the books.
"""

from decimal import Decimal

from msgspec.structs import replace

from tests.core.deeds import executed, order_of_state, resolution
from tests.core.truth import Held
from tests.core.world import World
from trader.messages import (
    CancelOutcome,
    Claim,
    Input,
    OrderReport,
    SendOutcome,
    SendStarted,
)
from trader.model import BrokerOrderId, Execution, ExecutionId, Order, Side
from trader.orders import Trigger

CLAIM_OF_TRIGGER = {
    Trigger.ACK_PENDING: Claim.PENDING_NEW,
    Trigger.ACK_NEW: Claim.NEW,
    Trigger.CANCEL_PENDING: Claim.PENDING_CANCEL,
    Trigger.CANCEL_REJECTED: Claim.CANCEL_REJECTED,
    Trigger.CANCELED: Claim.CANCELED,
    Trigger.EXPIRED: Claim.EXPIRED,
    Trigger.REJECTED: Claim.REJECTED,
}
HARMLESS = {Trigger.SEND_STARTED, Trigger.DOUBT}
TRIGGERS = tuple(Trigger)


def something_untrue_is_heard(world: World) -> list[Input]:
    """One of all the things that can happen to an order, to an order of any state."""
    if world.chance.random() > world.rates.lies:
        return []
    order = order_of_state(world)
    if order is None or order.symbol not in world.wishes.cents:
        return []
    if world.chance.random() < 0.1:
        return nonsense(world, order)
    trigger = TRIGGERS[int(world.chance.random() * len(TRIGGERS))]
    if trigger not in HARMLESS:
        world.auditor.wronged.add(order.symbol)
        world.lied_about.add(order.client_order_id)
    return told(world, order, trigger)


def told(world: World, order: Order, trigger: Trigger) -> list[Input]:
    """The input that has the order meet this trigger."""
    name = order.client_order_id
    by_another_way = world.chance.random() < 0.5
    match trigger:
        case Trigger.SEND_STARTED:
            return [SendStarted(client_order_id=name)]
        case Trigger.DOUBT:
            return [SendOutcome(client_order_id=name, outcome="unknown", reason="late")]
        case Trigger.PROVEN_NEVER_SENT if by_another_way:
            return [resolution(world, name, "never-sent")]
        case Trigger.PROVEN_NEVER_SENT:
            return [SendOutcome(client_order_id=name, outcome="never_sent", reason="so they say")]
        case Trigger.REJECTED if by_another_way:
            return [SendOutcome(client_order_id=name, outcome="rejected", reason="so they say")]
        case Trigger.CANCEL_PENDING if by_another_way:
            return [CancelOutcome(client_order_id=name, outcome="accepted")]
        case Trigger.FILL_PART | Trigger.FILL_ALL:
            return late_fill(world, order, trigger)
        case _:
            claim = CLAIM_OF_TRIGGER[trigger]
            one = world.truth.orders.get(name) or Held(order)
            return [replace(one.told(claim, "stream"), quantity_cumulative=order.quantity_filled)]


def late_fill(world: World, order: Order, trigger: Trigger) -> list[Input]:
    """Executed although it was over, or more than was ordered, or before anybody said that it arrived."""
    name = order.client_order_id
    for under_way in (world.outgoing, world.flying, world.adrift):
        under_way[:] = [one for one in under_way if one.client_order_id != name]
    one = world.truth.orders.get(name) or world.truth.takes(order)
    left = one.quantity - one.cumulative
    quantity = max(1, left - 1 if trigger is Trigger.FILL_PART else left)
    fill = executed(world, one, quantity)
    world.seen["executed beyond"] += one.cumulative > one.quantity
    return [one.told(one.claim, "stream", fill)]


def nonsense(world: World, order: Order) -> list[Input]:
    """A report that can't be about this order: it is quarantined with what was heard, and nothing is booked."""
    one = world.truth.orders.get(order.client_order_id) or Held(order)
    execution = Execution(
        execution_id=ExecutionId(f"nonsense {world.numbers}"),
        quantity=Decimal(0),
        price=Decimal(1),
        quantity_cumulative=Decimal(1),
        at_ns=world.now_ns,
    )
    report = replace(one.told(one.claim, "stream"), execution=execution)
    other = Side.SELL if order.side is Side.BUY else Side.BUY
    real = replace(execution, quantity=Decimal(1))
    kinds: list[OrderReport] = [
        report,
        replace(report, execution=replace(real, price=Decimal(0))),
        replace(report, execution=real, side=other),
        replace(report, execution=real, quantity=order.quantity + 1),
        replace(report, execution=None, claim=Claim.FOREIGN_CHANGE),
    ]
    if order.broker_order_id:
        kinds.append(replace(report, execution=real, broker_order_id=BrokerOrderId("B-other")))
    return [world.chance.choice(kinds)]
