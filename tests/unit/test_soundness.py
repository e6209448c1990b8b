"""Our own books are added up in two ways after each fill; what doesn't agree halts the program, durably."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.plays import (
    Play,
    activity,
    alarmed,
    booked,
    buy,
    command,
    filled,
    halted,
    moved,
    opened,
    reboot,
    sell,
    sent,
)
from trader.model import Symbol
from trader.soundness import all_differences, differences
from trader.state import ExecutionState

JD = Symbol("JD")


def held() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> sent() >> filled(62, "31.92")


def wrong(play: Play, **changes: object) -> Play:
    """The same state, but for what a bug has done to it."""
    play.state = replace(play.state, **changes)
    return play


def lost_shares(play: Play) -> Play:
    position = replace(play.state.position(JD), quantity=Decimal(9))
    return wrong(play, positions=play.state.positions.set(JD, position))


def lost_cash(play: Play) -> Play:
    return wrong(play, books=replace(play.state.books, cash=play.state.books.cash - 1))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lost_shares, "JD: position 0, its fills and movements 53"),
        (lost_cash, "the books: cash "),
    ],
)
def test_books_that_do_not_add_up_after_a_fill_halt_and_raise_an_alarm(
    spoil: Callable[[Play], Play], says: str
) -> None:
    play = spoil(held()) >> sell("JD", 9, "31.9") >> sent() >> filled(9, "31.92")
    play << (booked(9), moved("FILLED"), alarmed("books_differ"), halted("the books"))
    assert says in play.state.halted
    assert play.state.halted.startswith("the books: ")
    # Nobody but a person ends it, and a restart doesn't.
    assert (play >> reboot).state.halted
    assert not (play >> command("resume")).state.halted


def test_it_halts_once_and_alarms_each_time() -> None:
    play = lost_shares(held()) >> sell("JD", 9, "31.9") >> sent()
    (
        play
        >> filled(4, "31.92")
        << (
            booked(4),
            moved("PARTIALLY_FILLED"),
            alarmed("books_differ"),
            halted("the books"),
        )
    )
    play >> filled(5, "31.92") << (booked(5), moved("FILLED"), alarmed("books_differ"))


def test_a_halt_that_stands_does_not_hide_it_and_loses_nothing_of_what_it_wants() -> None:
    play = held() >> sell("JD", 9, "31.9") >> sent() >> command("halt", subject="flatten")
    lost_cash(play) >> filled(9, "31.92")
    play << (booked(9), moved("FILLED"), alarmed("books_differ"), halted("the books"))
    assert play.state.halt is not None
    assert play.state.halt.flattens


def test_a_day_of_fills_and_movements_adds_up() -> None:
    play = held() >> activity("DIV", "12.40", symbol="JD")
    play >> sell("JD", 20, "31.9") >> sent() >> filled(20, "31.95")
    play >> buy("T", 10, "22.6") >> sent() >> filled(4, "22.5")
    assert list(all_differences(play.state)) == [], "books_differ"
    assert not play.state.halted


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"positions_value": Decimal(1)}, "at their marks"),
        ({"orders": None}, "orders have"),
    ],
)
def test_a_start_looks_at_the_sums_over_all_symbols(changes: dict[str, object], says: str) -> None:
    play = held() >> buy("T", 10, "22.6") >> sent()
    if "orders" in changes:
        order = replace(play.order(), quantity=Decimal(11))
        changes = {"orders": play.state.orders.set(order.client_order_id, order)}
    state = replace(play.state, **changes)
    assert any(says in one for one in all_differences(state))


@pytest.mark.parametrize("field", ["realized", "reserved", "opening"])
def test_a_sum_of_money_that_is_off_is_found(field: str) -> None:
    play = held() >> buy("T", 10, "22.6")
    books = replace(play.state.books, **{field: getattr(play.state.books, field) + 1})
    assert list(all_differences(replace(play.state, books=books)))


def test_nothing_is_wrong_with_nothing() -> None:
    assert list(all_differences(ExecutionState())) == []
    assert list(differences(ExecutionState(), {None, JD})) == []
