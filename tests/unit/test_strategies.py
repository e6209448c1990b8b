from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import parse_iso
from trader.model import MINUTE_NS, Bar, Purpose, Quote, Side, Size, StrategyName, Symbol
from trader.strategies import STRATEGIES, build
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish, WorkingOrder

JD = Symbol("JD")
TEN = Size(unit="shares", amount=Decimal(10))
OPEN_NS = parse_iso("2026-01-26T14:30:00Z")
FLAT = SymbolView(symbol=JD)


def made(kind: str, **parameters: object) -> Strategy:
    return build(kind, StrategyName(kind), parameters, TEN)


def held(strategy: Strategy, *working: Side) -> SymbolView:
    return SymbolView(
        symbol=JD,
        quantity=Decimal(10),
        strategy=strategy.name,
        cost=Decimal(319),
        working=tuple(WorkingOrder(side=side, quantity_leaves=Decimal(10)) for side in working),
    )


def bar(close: int, minute: int = 0) -> Bar:
    """A flat bar that starts that many minutes after 09:30."""
    start_ns = OPEN_NS + minute * MINUTE_NS
    return Bar(
        symbol=JD, start_ns=start_ns, open=close, high=close, low=close, close=close, volume=100
    )


def quote(minute: int) -> Quote:
    at_ns = OPEN_NS + minute * MINUTE_NS
    return Quote(symbol=JD, at_ns=at_ns, bid=319_000, bid_size=100, ask=319_100, ask_size=100)


def wishes(strategy: Strategy, closes: list[int], view: SymbolView = FLAT) -> list[Wish]:
    return [wish for close in closes for wish in strategy.on_bar(bar(close), view)]


# --- SMA crossover


def test_a_fast_average_that_rises_above_the_slow_one_is_an_entry_with_its_reason() -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    assert (
        wishes(strategy, [320_000, 319_000, 318_000, 317_000, 320_000]) == []
    )  # equal is not above
    (entry,) = wishes(strategy, [322_000])
    assert (entry.side, entry.purpose, entry.size) == (Side.BUY, Purpose.ENTER, TEN)
    assert entry.reason == "2-bar average 32.10 rose above 4-bar 31.93"


def test_only_the_crossing_is_an_entry() -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    falling_then_rising = [320_000, 319_000, 318_000, 317_000, 322_000, 323_000, 324_000, 325_000]
    assert len(wishes(strategy, falling_then_rising)) == 1


def test_an_average_that_is_above_from_the_start_never_crossed() -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    assert wishes(strategy, [317_000, 318_000, 319_000, 320_000, 321_000]) == []


@pytest.mark.parametrize("holding", [True, False])
def test_there_is_no_entry_while_something_is_held_or_under_way(holding: bool) -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    buying = SymbolView(
        symbol=JD, working=(WorkingOrder(side=Side.BUY, quantity_leaves=Decimal(1)),)
    )
    view = held(strategy) if holding else buying
    wishes(strategy, [320_000, 319_000, 318_000, 317_000], view)
    assert wishes(strategy, [322_000], view) == []


def test_below_the_slow_average_everything_is_sold_until_a_sale_is_working() -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    view = held(strategy)
    (sale,) = wishes(strategy, [320_000, 319_000, 318_000, 317_000], view)
    assert (sale.side, sale.purpose, sale.size) == (Side.SELL, Purpose.EXIT, None)
    assert sale.reason == "2-bar average 31.75 fell below 4-bar 31.85"
    assert len(wishes(strategy, [316_000], view)) == 1
    assert wishes(strategy, [315_000], held(strategy, Side.SELL)) == []


def test_a_position_of_another_strategy_is_left_alone() -> None:
    strategy = made("sma-crossover", fast=2, slow=4)
    view = held(made("open-close"))
    assert wishes(strategy, [320_000, 319_000, 318_000, 317_000, 316_000], view) == []


def test_averages_that_look_equal_are_shown_with_more_decimals() -> None:
    strategy = made("sma-crossover", fast=1, slow=2)
    (entry,) = wishes(strategy, [319_010, 319_000, 319_010])
    assert entry.reason == "1-bar average 31.9010 rose above 2-bar 31.9005"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=120))
def test_the_crossover_trades_where_plain_averages_cross(closes: list[int]) -> None:
    fast, slow = 3, 7
    strategy = made("sma-crossover", fast=fast, slow=slow)
    was_above = True
    for count, close in enumerate(closes, start=1):
        sides = [wish.side for wish in strategy.on_bar(bar(close), FLAT)]
        if count < slow:
            assert sides == []
            continue
        mean_fast = sum(closes[count - fast : count]) * slow
        mean_slow = sum(closes[count - slow : count]) * fast
        assert sides == ([Side.BUY] if mean_fast > mean_slow and not was_above else [])
        was_above = mean_fast > mean_slow


def test_history_of_one_bar_more_than_the_slow_window_is_needed() -> None:
    assert made("sma-crossover").bars_needed == 31


# --- buy the open, sell the close


def test_the_first_regular_bar_is_bought() -> None:
    strategy = made("open-close")
    assert list(strategy.on_bar(bar(319_000, -1), FLAT)) == []
    (entry,) = strategy.on_bar(bar(319_000, 0), FLAT)
    assert (entry.side, entry.purpose, entry.size) == (Side.BUY, Purpose.ENTER, TEN)
    assert entry.reason == "first bar of 2026-01-26 ended at 09:31"
    assert list(strategy.on_bar(bar(319_000, 1), FLAT)) == []


def test_a_restart_in_the_middle_of_the_session_is_not_its_open() -> None:
    strategy = made("open-close")
    assert strategy.bars_needed == 1
    strategy.on_bar(bar(319_000, 120), FLAT)  # history: the wish is not looked at
    assert list(strategy.on_bar(bar(319_000, 121), FLAT)) == []


def test_five_minutes_before_the_close_the_position_is_sold() -> None:
    strategy = made("open-close")
    view = held(strategy)
    assert list(strategy.on_bar(bar(319_000, 383), view)) == []
    (sale,) = strategy.on_bar(bar(319_000, 384), view)
    assert (sale.side, sale.purpose, sale.size) == (Side.SELL, Purpose.EXIT, None)
    assert list(strategy.on_bar(bar(319_000, 385), held(strategy, Side.SELL))) == []


def test_a_quote_is_enough_to_sell_by_and_after_the_close_it_is_too_late() -> None:
    strategy = made("open-close", exit_minutes=10)
    view = held(strategy)
    assert list(strategy.on_quote(quote(379), view)) == []
    assert len(list(strategy.on_quote(quote(380), view))) == 1
    assert list(strategy.on_quote(quote(390), view)) == []
    assert list(strategy.on_quote(quote(380), FLAT)) == []


# --- making one


def test_every_strategy_is_made_with_its_defaults_and_by_its_name() -> None:
    for kind in STRATEGIES:
        strategy = made(kind, **({"pair": "JD/GS"} if kind == "pairs" else {}))
        assert strategy.name == kind
        assert strategy.size == TEN


def test_values_may_be_texts_as_on_a_command_line() -> None:
    assert made("sma-crossover", fast="5", slow="20").bars_needed == 21


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("smacross", {}, "unknown strategy 'smacross'; there are: bollinger, .*sma-crossover"),
        ("sma-crossover", {"fsat": 5}, "fsat"),
        ("sma-crossover", {"fast": "five"}, "fast"),
        ("sma-crossover", {"fast": 0}, "fast"),
        ("sma-crossover", {"fast": -1}, "fast"),
        ("sma-crossover", {"slow": 10**9}, "slow"),
        ("sma-crossover", {"fast": 30, "slow": 30}, r"fast \(30\) must be smaller than slow"),
        ("sma-crossover", {"fast": 2.5}, "fast"),
        ("sma-crossover", {"fast": True}, "fast"),
        ("open-close", {"exit_minutes": 0}, "exit_minutes"),
        ("open-close", {"fast": 5}, "fast"),
    ],
)
def test_a_strategy_that_makes_no_sense_is_refused(
    kind: str, parameters: dict[str, object], said: str
) -> None:
    with pytest.raises(StrategyError, match=said):
        build(kind, StrategyName("x"), parameters, TEN)
