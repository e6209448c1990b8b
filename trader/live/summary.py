"""What a run amounts to: what was asked and became of it, the cash identity, and the proof that the books agree."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from trader.evolve import evolve_entry
from trader.journal.comparing import tables_that_differ
from trader.journal.failures import JournalDamaged
from trader.messages import BooksMoved, Entry, ExecutionBooked, OrderChanged, RequestAccepted
from trader.model import ClientOrderId, OrderState, Side, Symbol
from trader.money import ZERO, plain
from trader.state import Counts, ExecutionState
from trader.venue import Venue

ENDED_WORDS = ("filled", "canceled", "expired", "rejected", "never_sent", "unknown")


class Orders(Struct, frozen=True, kw_only=True):
    """The orders of one life, by where they ended up; working is everything that is still alive and known."""

    sent: int
    by_state: dict[str, int]


class Proof(Struct, frozen=True, kw_only=True):
    """What was recomputed from the journal's bytes, and what it was held against; each list should be empty."""

    entries: int
    damage: str
    tables_differing: tuple[str, ...]
    fold_differing: tuple[str, ...]
    positions_differing: tuple[str, ...]
    broker_differing: (
        tuple[str, ...] | None
    )  # None: we don't have the broker's own books to compare with

    @property
    def holds(self) -> bool:
        """Nothing differs."""
        return not (
            self.damage
            or self.tables_differing
            or self.fold_differing
            or self.positions_differing
            or self.broker_differing
        )


class Summary(Struct, frozen=True, kw_only=True):
    """Everything that the last lines of a run say."""

    counts: Counts
    orders: Orders
    opening: Decimal
    bought: Decimal
    sold: Decimal
    fees: Decimal
    other: Decimal  # cash that moved without an order of ours
    cash: Decimal
    equity: Decimal
    positions: int
    proof: Proof

    @property
    def cash_difference(self) -> Decimal:
        """Of the identity cash = opening - buys + sells - fees."""
        explained = self.opening - self.bought + self.sold - self.fees + self.other
        return plain(self.cash - explained)


def orders_of_life(entries: Iterable[Entry], epoch: int) -> Orders:
    """Count the orders that a life intended, by their last state."""
    states: dict[ClientOrderId, OrderState] = {}
    for entry in entries:
        for event in entry.events:
            match event:
                case RequestAccepted() if entry.epoch == epoch:
                    states[event.order.client_order_id] = OrderState.INTENT
                case OrderChanged() if event.client_order_id in states:
                    states[event.client_order_id] = event.state
    counted = Counter(state.value.lower() for state in states.values())
    return Orders(sent=len(states), by_state=dict(sorted(counted.items())))


def proven(
    reader: sqlite3.Connection,
    entries: Iterable[Entry],
    state: ExecutionState,
    venue: Venue | None,
    account_id: str,
) -> Proof:
    """Recompute everything from the journal's bytes; the venue's own books are there with the embedded broker only."""
    folded, held = ExecutionState(), defaultdict[Symbol, Decimal](Decimal)
    damage, count = "", 0
    tables: tuple[str, ...] = ()
    try:
        for entry in entries:
            folded = evolve_entry(folded, entry)
            count += 1
            for event in entry.events:
                if isinstance(event, ExecutionBooked):
                    sign = 1 if event.side is Side.BUY else -1
                    held[event.symbol] += sign * event.execution.quantity
                if isinstance(event, BooksMoved) and event.symbol is not None:
                    held[event.symbol] += event.quantity
        tables = tuple(tables_that_differ(reader))
    except JournalDamaged as damaged:
        damage = str(damaged)
    return Proof(
        entries=count,
        damage=damage,
        tables_differing=tables,
        fold_differing=_fields_differing(folded, state),
        positions_differing=tuple(
            symbol
            for symbol in sorted({*held, *state.positions.keys()})
            if held[symbol] != state.position(symbol).quantity
        ),
        broker_differing=None if venue is None else _venue_differing(venue, account_id, state),
    )


def _fields_differing(one: ExecutionState, other: ExecutionState) -> tuple[str, ...]:
    return tuple(
        name
        for name in ExecutionState.__struct_fields__
        if getattr(one, name) != getattr(other, name)
    )


def _venue_differing(venue: Venue, account_id: str, state: ExecutionState) -> tuple[str, ...]:
    """Our books against the venue's own, which share no code with them."""
    account = venue.account(account_id)
    found: list[str] = []
    if account.cash != state.cash_at_broker:
        found.append(f"cash {account.cash}, ours {state.cash_at_broker}")
    theirs = {symbol: one.quantity for symbol, one in account.positions.items() if one.quantity}
    ours = {symbol: one.quantity for symbol, one in state.positions.items() if one.quantity}
    for symbol in sorted({*theirs, *ours}):
        if theirs.get(symbol, ZERO) != ours.get(symbol, ZERO):
            found.append(f"{symbol} {theirs.get(symbol, ZERO)}, ours {ours.get(symbol, ZERO)}")
    foreign = [
        one.client_order_id
        for one in venue.state.orders.values()
        if one.client_order_id not in state.used
    ]
    return (*found, *(f"order {one} isn't ours" for one in foreign))


def summed_up(state: ExecutionState, orders: Orders, proof: Proof) -> Summary:
    """The facts of the last lines."""
    books = state.books
    return Summary(
        counts=state.counts,
        orders=orders,
        opening=books.opening,
        bought=books.bought,
        sold=books.sold,
        fees=books.fees,
        other=books.other,
        cash=books.cash,
        equity=plain(state.equity),
        positions=sum(1 for one in state.positions.values() if one.quantity),
        proof=proof,
    )


def summary_lines(summary: Summary) -> list[str]:
    """The last lines of a run, for people."""
    counts, proof = summary.counts, summary.proof
    ended = [
        f"{summary.orders.by_state[word]} {word if word != 'unknown' else 'UNKNOWN'}"
        for word in ENDED_WORDS
        if summary.orders.by_state.get(word)
    ]
    working = summary.orders.sent - sum(
        summary.orders.by_state.get(word, 0) for word in ENDED_WORDS
    )
    if working:
        ended.append(f"{working} working")
    if not summary.orders.by_state.get("unknown"):
        ended.append("0 UNKNOWN")
    difference = summary.cash_difference
    other = f" + other {summary.other:,.2f}" if summary.other else ""
    return [
        f"requests {counts.requests:,}: {counts.accepted:,} accepted, {counts.denied:,} denied, "
        f"{counts.blocked:,} duplicates blocked | orders {summary.orders.sent:,}: {', '.join(ended)}",
        f"cash     {summary.cash:,.2f} = {summary.opening:,.2f} - buys {summary.bought:,.2f} "
        f"+ sells {summary.sold:,.2f} - fees {summary.fees:,.2f}{other}   "
        + ("to the cent" if not difference else f"DIFFERENCE {difference}"),
        "proof    " + _proof_line(proof),
    ]


def _proof_line(proof: Proof) -> str:
    if proof.damage:
        return f"FAILED: {proof.damage}"
    parts = [f"{proof.entries:,} journal entries, chain intact"]
    for right, wrong in (
        ("tables = journal", proof.tables_differing + proof.fold_differing),
        ("positions = trades", proof.positions_differing),
        ("the broker's own books agree", proof.broker_differing),
    ):
        if wrong is not None:
            parts.append(right if not wrong else f"NOT {right}: {', '.join(wrong)}")
    return "; ".join(parts)
