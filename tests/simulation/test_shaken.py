"""What happens behind our back shakes its symbol, and no other, until our books have it."""

from decimal import Decimal
from random import Random

import pytest
from immutables import Map
from msgspec.structs import replace

from trader.messages import Entry, ExecutionBooked, LifeEnd
from trader.model import (
    ClientOrderId,
    Execution,
    ExecutionId,
    Quote,
    Side,
    StrategyName,
    Symbol,
    TimeInForce,
)
from trader.money import ZERO
from trader.ports import Batch
from trader.positions import Position
from trader.simulation.shaken import OURS, Shaken
from trader.state import ExecutionState
from trader.venue import NewOrder, OrderType, Venue, VenueExecution

JD, GS = Symbol("JD"), Symbol("GS")
TEN = Decimal(10)
NOW_NS = 1_769_445_000_000_000_000  # 2026-01-26, 11:30 in New York


class Stage:
    """A venue with one account, and what our books have of it."""

    def __init__(self) -> None:
        self.venue = Venue((JD, GS), random=Random(1))
        self.account = self.venue.open_account("one", "1", Decimal(100_000))
        quotes = [
            Quote(symbol=one, at_ns=NOW_NS, bid=300_000, bid_size=900, ask=300_100, ask_size=900)
            for one in (JD, GS)
        ]
        self.venue.advance(NOW_NS, quotes=quotes)
        self.shaken = Shaken(lambda: self.venue, lambda: self.account)
        self.state = ExecutionState()

    def order(self, name: str, symbol: Symbol, *, limit: int | None = None) -> str:
        """Bought at once, or resting at a limit; the venue's id of it."""
        new = NewOrder(
            symbol=symbol,
            side=Side.BUY,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=TEN,
            limit_price=None if limit is None else Decimal(limit),
            client_order_id=name,
        )
        assert isinstance(self.venue.submit("one", new), list)
        return next(reversed(self.venue.state.orders))

    def book(self, symbol: Symbol, *records: VenueExecution) -> None:
        """Our journal has these, and holds what the venue holds."""
        position = Position(symbol=symbol, quantity=self.account.quantity(symbol))
        self.state = replace(self.state, positions=self.state.positions.set(symbol, position))
        entry = Entry(
            sequence=1,
            epoch=1,
            at_ns=1,
            session="",
            input=LifeEnd(at_ns=1, exit_code=0),
            events=tuple(map(_booked, records)),
        )
        self.shaken.committed(Batch(entries=(entry,), after=self.state))

    @property
    def last(self) -> VenueExecution:
        return self.venue.state.executions[-1]


def _booked(record: VenueExecution) -> ExecutionBooked:
    return ExecutionBooked(
        client_order_id=ClientOrderId("any"),
        symbol=record.symbol,
        side=record.side,
        strategy=StrategyName("any"),
        execution=Execution(
            execution_id=ExecutionId(record.execution_id),
            quantity=record.quantity,
            price=record.price,
            quantity_cumulative=record.quantity_cumulative,
            at_ns=record.at_ns,
        ),
        notional=ZERO,
        fees=ZERO,
        cost=ZERO,
        realized=ZERO,
        released=ZERO,
    )


def test_what_we_ordered_shakes_nothing() -> None:
    stage = Stage()
    before = stage.shaken.since(JD)
    stage.order(f"{OURS}1", JD)
    stage.shaken.look()
    assert stage.shaken.is_sound(JD, before)


def test_a_late_fill_shakes_its_symbol_alone_until_it_is_booked() -> None:
    stage = Stage()
    order_id = stage.order(f"{OURS}1", JD, limit=20)
    stage.venue.cancel("one", order_id)
    before = {one: stage.shaken.since(one) for one in (JD, GS)}
    stage.venue.back_office.fill(order_id)
    stage.shaken.look()
    assert stage.shaken.since(JD) is None
    assert stage.shaken.is_sound(GS, before[GS])
    stage.book(JD)
    assert stage.shaken.since(JD) is None, "both hold the same, but the execution isn't known"
    stage.book(JD, stage.last)
    assert stage.shaken.since(JD) is not None
    assert not stage.shaken.is_sound(JD, before[JD]), "of what was decided before nothing is known"


def test_somebodys_own_order_shakes_for_as_long_as_it_is_open() -> None:
    stage = Stage()
    order_id = stage.order("by hand", JD, limit=20)
    stage.book(JD)
    assert stage.shaken.since(JD) is None
    stage.venue.cancel("one", order_id)
    stage.book(JD)
    assert stage.shaken.since(JD) is not None


def test_what_the_books_hold_otherwise_stays_shaken() -> None:
    stage = Stage()
    stage.order("by hand", JD)
    stage.shaken.committed(Batch(entries=(), after=stage.state))
    assert stage.shaken.since(JD) is None, "the venue holds ten, our books none"
    stage.book(JD)
    assert stage.shaken.since(JD) is not None
    stage.state = replace(stage.state, differing=Map({JD: TEN}))
    stage.order("by hand again", JD)
    stage.book(JD)
    assert stage.shaken.since(JD) is None, "a difference is not settled yet"


@pytest.mark.parametrize("is_read", [False, True])
def test_a_restored_journal_shakes_all_until_it_has_what_was_executed(is_read: bool) -> None:
    stage = Stage()
    stage.order(f"{OURS}1", JD)
    stage.book(JD, stage.last)
    stage.shaken.restored()
    assert stage.shaken.since(JD) is None
    stage.book(JD, *((stage.last,) if is_read else ()))
    assert (stage.shaken.since(JD) is not None) is is_read
