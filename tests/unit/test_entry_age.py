"""An entry that was decided before the machine slept must not leave after it; whoever wants out still gets out."""

import pytest
from msgspec.structs import replace

from tests.plays import buy, opened
from trader.live.watch import ENTRY_AGE_NS_MAX, entry_age
from trader.model import Order, Purpose, Symbol


def order() -> Order:
    state = (opened() >> buy("JD", 62, "31.95")).state
    return state.orders[state.position(Symbol("JD")).entries[0]]


def test_an_entry_leaves_in_its_minute_and_not_hours_later() -> None:
    entry = order()
    assert entry_age(entry, entry.created_ns + ENTRY_AGE_NS_MAX, 1.0) == ""
    late_ns = entry.created_ns + 7_200 * 1_000_000_000
    assert entry_age(entry, late_ns, 1.0) == "decided by the time of 7,200 s ago"
    # Where the market runs faster, more of it passes while an order is on its way.
    assert entry_age(entry, late_ns, 60.0) == ""


@pytest.mark.parametrize("purpose", [Purpose.EXIT, Purpose.STOP])
def test_an_exit_leaves_however_late(purpose: Purpose) -> None:
    leaving = replace(order(), purpose=purpose)
    assert entry_age(leaving, leaving.created_ns + 10**15, 1.0) == ""
