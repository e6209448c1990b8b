"""Every interleaving of a small scenario: who speaks, what is sent, executed, told, lost, and where the program dies.

Nodes that differ in nothing that can matter later are one, so that the walk ends; every edge is taken. The broker of
these nodes is a value, too: the orders that it took, each with what was executed and how it ended.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from tests.core.truth import DAYS, TEN_NS, dollars
from tests.plays import OPENING, boot, booted, clock, gate, request
from trader.evolve import fold
from trader.executor import decided, effect_of
from trader.messages import (
    Claim,
    Entry,
    Gate,
    Input,
    Lookup,
    OrderReport,
    OrderRequest,
    SendOutcome,
    SendStarted,
    Statement,
    StatementCompared,
    Submit,
    decode_entry,
    encode,
)
from trader.model import (
    FINAL_STATES,
    AccountId,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    ExecutionId,
    Order,
    OrderState,
    Purpose,
    Side,
    Symbol,
)
from trader.state import ExecutionState

JD = Symbol("JD")
CENTS = {Side.BUY: 3_190, Side.SELL: 3_185}
SHARES = 2


class Taken(NamedTuple):
    """An order at the broker: how many shares of it are executed, one by one, and how it ended."""

    order: Order
    executed: int = 0
    final: Claim | None = None

    @property
    def is_live(self) -> bool:
        return self.final is None

    def told(self, source: str, at: int | None = None) -> OrderReport:
        """What the broker says of it, or of the execution after which so many shares were."""
        order, execution = self.order, None
        claim = self.final or (Claim.PARTIALLY_FILLED if self.executed else Claim.NEW)
        if at is not None:
            claim = Claim.FILLED if at == SHARES else Claim.PARTIALLY_FILLED
            execution = Execution(
                execution_id=ExecutionId(f"{order.client_order_id}/{at}"),
                quantity=Decimal(1),
                price=dollars(CENTS[order.side]),
                quantity_cumulative=Decimal(at),
                at_ns=TEN_NS,
            )
        return OrderReport(
            client_order_id=order.client_order_id,
            broker_order_id=BrokerOrderId(f"B-{order.client_order_id}"),
            symbol=order.symbol,
            side=order.side,
            claim=claim,
            quantity=order.quantity,
            quantity_cumulative=Decimal(self.executed if at is None else at),
            execution=execution,
            at_ns=TEN_NS,
            source=source,
        )


class Node(NamedTuple):
    """Everything that is so at one moment."""

    state: ExecutionState
    entries: tuple[Entry, ...]  # of this program since the scenario began
    wishes: tuple[OrderRequest, ...]
    outgoing: tuple[Order, ...] = ()
    flying: tuple[Order, ...] = ()
    lookups: tuple[ClientOrderId, ...] = ()
    mail: tuple[OrderReport, ...] = ()
    broker: tuple[Taken, ...] = ()
    crashes: int = 0  # that may still come
    losses: int = 0

    @property
    def held(self) -> int:
        """Shares at the broker."""
        return sum(
            one.executed if one.order.side is Side.BUY else -one.executed for one in self.broker
        )


def key(node: Node) -> tuple[object, ...]:
    """What can matter later; not how many rows it took to get here, nor why."""
    state = node.state
    orders = frozenset(
        (
            name,
            one.state,
            one.quantity_filled,
            one.quantity_reported,
            one.final_reported,
            one.is_denied,
            one.cancel_requested,
            one.lookup_open,
            frozenset(known.execution.quantity_cumulative for known in one.executions),
        )
        for name, one in state.orders.items()
    )
    return (
        orders,
        frozenset(state.tellings),
        state.gates_closed,
        frozenset(one.request_id for one in node.wishes),
        frozenset(one.client_order_id for one in node.outgoing),
        frozenset(one.client_order_id for one in node.flying),
        frozenset(node.lookups),
        frozenset((one.client_order_id, one.claim, one.quantity_cumulative) for one in node.mail),
        frozenset((one.order.client_order_id, one.executed, one.final) for one in node.broker),
        node.crashes,
        node.losses,
    )


# ------------------------------------------------------------------------------------------ turns


def turns(node: Node, batch: list[Input]) -> Iterator[Node]:
    """The batch decided, committed and acted on; and dead before the commit, after it, and after the first effect."""
    state, entries = decided(node.state, batch)
    durable = node._replace(state=state, entries=(*node.entries, *entries))
    effects = [effect_of(event, state) for entry in entries for event in entry.events]
    for effect in effects:
        if isinstance(effect, Submit):
            assert effect.order.client_order_id not in node.state.used, "A3: an id is used once"
    yield acted(durable, effects)
    if node.crashes:
        yield reborn(node)
        if entries:
            yield reborn(durable)
        if len(effects) > 1:
            yield reborn(acted(durable, effects[:1]))


def acted(node: Node, effects: Sequence[object]) -> Node:
    """What was decided is on its way."""
    for effect in effects:
        match effect:
            case Submit():
                node = node._replace(outgoing=(*node.outgoing, effect.order))
            case Lookup() if effect.order.client_order_id not in node.lookups:
                node = node._replace(lookups=(*node.lookups, effect.order.client_order_id))
            case _:
                pass
    return node


def reborn(node: Node) -> Node:
    """A new life: folded out of the rows, with nothing sent again, and agreed with the broker before it enters."""
    read = [decode_entry(encode(entry)) for entry in node.entries]
    state = fold(BEGUN, read)
    assert state == node.state, "E3: the rows are the state"
    # A send that had begun may still arrive; what waited behind it has gone.
    state, began = decided(state, [boot(state.epoch + 1)])
    events = [event for entry in began for event in entry.events]
    assert not [one for one in events if isinstance(effect_of(one, state), Submit)], (
        "B7: sent again"
    )
    doubtful = {S.INTENT, S.SENT}
    assert not [one for one in state.orders.values() if one.state in doubtful], "B7: not in doubt"
    node = node._replace(state=state, entries=(*node.entries, *began), outgoing=(), lookups=())
    node = node._replace(crashes=node.crashes - 1)
    up: list[Input] = [gate(Gate.TRADING_STREAM, True), gate(Gate.MARKET_DATA, True), clock()]
    node = acted(node, [effect_of(one, state) for one in events])
    return agreed(node, up)


def agreed(node: Node, first: list[Input]) -> Node:
    """All that the broker has is heard, and the books are held against each other: B8, D9."""
    batch = [*first, *(told for one in node.broker for told in retold(one)), statement(node)]
    state, entries = decided(node.state, batch)
    verdicts = [
        event.agrees
        for entry in entries
        for event in entry.events
        if isinstance(event, StatementCompared)
    ]
    assert verdicts == [True], f"D9: the books differ: {state.books}, {node.broker}"
    effects = [effect_of(event, state) for entry in entries for event in entry.events]
    return acted(node._replace(state=state, entries=(*node.entries, *entries)), effects)


def retold(one: Taken) -> Iterator[OrderReport]:
    """As a query for its executions and for itself brings it."""
    for at in range(1, one.executed + 1):
        yield one.told("activity", at)
    yield one.told("query")


def statement(node: Node) -> Statement:
    """The broker's books: sums."""
    cents = sum(
        (-1 if one.order.side is Side.BUY else 1) * one.executed * CENTS[one.order.side]
        for one in node.broker
    )
    live = {one.order.client_order_id: JD for one in node.broker if one.is_live}
    return Statement(
        at_ns=TEN_NS,
        account=AccountId("simulated:1"),
        cash=OPENING + dollars(cents),
        positions={JD: Decimal(node.held)} if node.held else {},
        open_orders=live,
    )


# ------------------------------------------------------------------------------------------ what can come next


def followers(node: Node, ends: frozenset[Claim]) -> Iterator[Node]:
    """Every node that one step leads to."""
    for at, wish in enumerate(node.wishes):
        rest = (*node.wishes[:at], *node.wishes[at + 1 :])
        yield from turns(node._replace(wishes=rest), [wish])
    if node.outgoing:
        order, *others = node.outgoing
        begun = node._replace(outgoing=tuple(others), flying=(*node.flying, order))
        yield from turns(begun, [SendStarted(client_order_id=order.client_order_id)])
    for at, order in enumerate(node.flying):
        rest_flying = (*node.flying[:at], *node.flying[at + 1 :])
        landed = node._replace(flying=rest_flying)
        there = arrived(landed, order)
        yield there._replace(mail=(*there.mail, there.broker[-1].told("reply")))
        if node.losses:
            name = order.client_order_id
            unknown = SendOutcome(client_order_id=name, outcome="unknown", reason="no reply")
            for place in (there, landed):
                yield from turns(place._replace(losses=node.losses - 1), [unknown])
    for at, one in enumerate(node.broker):
        if one.is_live:
            yield from broker_moves(node, at, one, ends)
    for at, heard in enumerate(node.mail):
        rest_mail = (*node.mail[:at], *node.mail[at + 1 :])
        yield from turns(node._replace(mail=rest_mail), [heard])
        if node.losses:
            yield node._replace(mail=rest_mail, losses=node.losses - 1)
            yield from turns(node._replace(losses=node.losses - 1), [heard])  # and again, later
    for at, name in enumerate(node.lookups):
        answered = node._replace(lookups=(*node.lookups[:at], *node.lookups[at + 1 :]))
        yield from turns(answered, answer(node, name))


def answer(node: Node, name: ClientOrderId) -> list[Input]:
    """To a question; what is neither there nor on its way is proven never to have been sent."""
    for one in node.broker:
        if one.order.client_order_id == name:
            return [*retold(one)]
    if any(order.client_order_id == name for order in (*node.flying, *node.outgoing)):
        return []
    return [SendOutcome(client_order_id=name, outcome="never_sent", reason="proven")]


def arrived(node: Node, order: Order) -> Node:
    """At the broker, whose own books are held against A1, A2, A3 and A10."""
    names = [one.order.client_order_id for one in node.broker]
    assert order.client_order_id not in names, f"A3: {order.client_order_id} again"
    live = [one for one in node.broker if one.is_live]
    if order.side is Side.BUY:
        assert not [one for one in live if one.order.side is Side.BUY], "A1: two live entries"
        assert node.held == 0, "A2: an entry on a position"
    else:
        selling = sum(SHARES - one.executed for one in live if one.order.side is Side.SELL)
        assert selling + order.quantity <= node.held, "A10: more than is held"
    return node._replace(broker=(*node.broker, Taken(order)))


def broker_moves(node: Node, at: int, one: Taken, ends: frozenset[Claim]) -> Iterator[Node]:
    """One share more is executed, or the order ends."""

    def now(after: Taken, told: OrderReport) -> Node:
        broker = (*node.broker[:at], after, *node.broker[at + 1 :])
        return node._replace(broker=broker, mail=(*node.mail, told))

    more = one.executed + 1
    filled = one._replace(executed=more, final=Claim.FILLED if more == SHARES else None)
    yield now(filled, filled.told("stream", more))
    for claim in sorted(ends):
        if claim is not Claim.REJECTED or not one.executed:
            ended = one._replace(final=claim)
            yield now(ended, ended.told("stream"))


# ------------------------------------------------------------------------------------------ the walk


S = OrderState
BEGUN = booted()


def scenario(crashes: int, losses: int, wishes: int = 3) -> Node:
    """Two workers want the same symbol, and one wants to be out of it."""
    entries = [request(number, shares=SHARES) for number in (1, 2)]
    exits = replace(request(3, shares=SHARES, price="31.85"), side=Side.SELL, purpose=Purpose.EXIT)
    told = (*entries, exits)[:wishes]
    return Node(state=BEGUN, entries=(), wishes=told, crashes=crashes, losses=losses)


def walk(start: Node, ends: frozenset[Claim]) -> Counter[str]:
    """Every node, each once; where nothing more can come, both sides agree and everything has ended."""
    seen, left, counts = {key(start)}, [start], Counter[str]()
    while left:
        node = left.pop()
        check(node)
        counts["nodes"] += 1
        is_end = True
        for follower in followers(node, ends):
            is_end = False
            counts["steps"] += 1
            if (one := key(follower)) not in seen:
                seen.add(one)
                left.append(follower)
        if is_end:
            settle(node)
            counts["ends"] += 1
            counts[f"entered {sum(one.order.side is Side.BUY for one in node.broker)}"] += 1
            counts[f"left {sum(one.order.side is Side.SELL for one in node.broker)}"] += 1
    return counts


def check(node: Node) -> None:
    """A1, A2, A10 and the reserve, on our side."""
    state = node.state
    live = [one for one in state.orders.values() if one.state not in FINAL_STATES]
    if any(one.final is Claim.REJECTED for one in node.broker):
        live = [one for one in live if not is_ghost(node, one)]
    buys = [one for one in live if one.side is Side.BUY]
    assert len(buys) <= 1, f"A1: {buys}"
    every = [one for one in state.orders.values() if one.side is Side.BUY]
    left = sum((one.quantity_leaves * one.reserve_price for one in every), Decimal(0))
    assert state.books.reserved == left, "D3"
    selling = sum((one.quantity_leaves for one in live if one.side is Side.SELL), Decimal(0))
    assert selling <= state.position(JD).quantity, "A10"
    assert state.session == DAYS[0]


def is_ghost(node: Node, order: Order) -> bool:
    """An acknowledgement that comes after the rejection: a sign of life, they say, and the symbol is closed."""
    rejected = {one.order.client_order_id for one in node.broker if one.final is Claim.REJECTED}
    acknowledged = order.state in {S.PENDING_NEW, S.NEW}
    return acknowledged and order.client_order_id in rejected and JD in node.state.quarantined


def settle(node: Node) -> None:
    """At the end: B6, what never arrived is called so, and what has ended there has ended here."""
    there = {one.order.client_order_id: one for one in node.broker}
    state = agreed(node, []).state
    for name, order in state.orders.items():
        if name in there:
            assert (order.state in FINAL_STATES) == (not there[name].is_live), f"B6: {order}"
            assert order.quantity_filled == there[name].executed, f"C4: {order}"
        else:
            assert order.state is S.NEVER_SENT, f"B6: {order}"
