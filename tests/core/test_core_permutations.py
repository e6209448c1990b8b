"""Reports in any order, with repeats: the same books and the same state of the order, from every state there is."""

from itertools import combinations
from random import Random

import pytest

from tests.core.lattice import LIVES, WORDS, Essence, begun, heard, told, walked
from trader.model import OrderState, Side
from trader.orders import is_live
from trader.state import ExecutionState

STATES = tuple(OrderState)
# From these only a question tells what became of the order: whoever was wrong once believes the last sign of life.
WRONG_ONCE = {OrderState.REJECTED, OrderState.NEVER_SENT}
SAMPLED = 40  # of the 2,002 sets of five words, for each state and side, in the quick run
SEED = 20_260_126


def last_word(words: list[str]) -> str:
    """What a query says of the order once all of it has happened."""
    finals = [word for word in words if word[0] in "cer"]
    return finals[0] if finals else max((word for word in words if word.isdigit()), default="n")


def endings(state: OrderState, side: Side, life: str, duplicates: int) -> int:
    """All permutations of all parts of a life, some told twice; how many multisets there were."""
    play, words = begun(state, side), life.split()
    order = play.order()
    reports = [told(order, word) for word in words]
    asked = state in WRONG_ONCE or "r0" in words
    number = 0
    for told_so_far, found in walked(play.state, reports, duplicates):
        number += 1
        where = f"{state} {side}: {life} told {told_so_far} times"
        if asked:
            part = [word for word, times in zip(words, told_so_far, strict=True) if times]
            assert_settled_by_an_answer(found, last_word(part), where)
        else:
            assert len(found) == 1, f"C2: {where}: {[one.order.state for one in found]}"
    return number


def assert_settled_by_an_answer(
    found: dict[Essence, ExecutionState], word: str, where: str
) -> None:
    """The books are the same at once; the states are, once the broker has been asked."""
    assert len({(one.held[:3], one.money[0], one.money[2:]) for one in found}) == 1, f"C2: {where}"
    answered = set()
    for one, state in found.items():
        order = one.order
        after = heard(state, told(order, word, "query")) if is_live(order) else state
        now = after.orders[order.client_order_id]
        answered.add((now.quantity_filled, is_live(now)))
    assert len(answered) == 1, f"C2: {where}: {answered}"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("side", Side)
def test_the_reports_of_a_life_in_any_order_with_repeats_end_in_the_same_state(
    state: OrderState, side: Side
) -> None:
    for life in LIVES:
        assert endings(state, side, life, duplicates=1) >= 2 ** len(life.split())


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("side", Side)
def test_the_reports_of_a_life_in_any_order_with_two_repeats_end_in_the_same_state(
    state: OrderState, side: Side
) -> None:
    for life in LIVES:
        endings(state, side, life, duplicates=2)


def same_books(state: OrderState, side: Side, words: tuple[str, ...], duplicates: int) -> None:
    """Contradictions too: whatever state they leave, the books are those of what was executed."""
    play = begun(state, side)
    reports = [told(play.order(), word) for word in words]
    for told_so_far, found in walked(play.state, reports, duplicates):
        books = {(one.held[:3], one.money[0], one.money[2:]) for one in found}
        assert len(books) == 1, f"C2: {state} {side}: {words} told {told_so_far} times"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("side", Side)
def test_reports_that_contradict_each_other_never_touch_the_books(
    state: OrderState, side: Side
) -> None:
    chance = Random(f"{SEED} {state} {side}")
    for words in chance.sample([*combinations(WORDS, 5)], 3):
        same_books(state, side, words, duplicates=0)


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("side", Side)
def test_reports_that_contradict_each_other_never_touch_the_books_at_length(
    state: OrderState, side: Side
) -> None:
    chance = Random(f"{SEED} {state} {side} at length")
    for words in chance.sample([*combinations(WORDS, 5)], SAMPLED):
        same_books(state, side, words, duplicates=1)
