"""Pairs over history: both legs, one order each; and what a split of the one does to who hears it."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from random import Random
from typing import ClassVar

import pytest
from msgspec import Struct

from tests.histories import FREE, GS, JD, MONDAY, after, minutes, outcome_of
from trader.backtest.outcome import Outcome
from trader.calendar import session_on
from trader.feeds.columns import Columns, between
from trader.model import Bar, Size, StrategyName, Symbol
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.strategies import STRATEGIES
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish

TUESDAY = "2026-01-27"
PAIRS = (
    """
symbols = ["GS", "JD"]
[limits]
entries_per_symbol_per_day_max = 100
[strategies.both]
kind = "pairs"
params = { pair = "JD/GS", bars = 5, width = 1.5 }
size = { shares = 10 }
"""
    + FREE
)


def fills(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(one.symbol, one.side.value, str(one.price)) for one in outcome.fills]


def walk(seed: int, count: int, start: float) -> list[float]:
    random, closes = Random(seed), [start]
    while len(closes) < count:
        closes.append(round(closes[-1] + random.choice((-0.05, 0, 0.05)), 2))
    return closes


def test_the_cheap_one_is_bought_and_sold_at_the_mean() -> None:
    jd = (30, 30.05, 30, 30.05, 30, 29.5, 29.5, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30)
    gs = (60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 59, 59, 60, 60, 60)
    found = outcome_of(minutes(JD, *jd), minutes(GS, *gs), config=PAIRS)
    assert fills(found) == [
        ("JD", "BUY", "29.5"),
        ("JD", "SELL", "30"),
        ("GS", "BUY", "59"),
        ("GS", "SELL", "60"),
    ]


def test_the_future_cut_off_changes_nothing_of_what_was_decided() -> None:
    histories = minutes(JD, *walk(1, 200, 30.0)), minutes(GS, *walk(2, 200, 60.0))
    whole = outcome_of(*histories, config=PAIRS)
    assert len({one.symbol for one in whole.fills}) == 2
    for place in range(20, 200, 30):
        cut_ns = int(histories[0].ends_ns[place])
        shorter = outcome_of(*(between(one, 0, cut_ns) for one in histories), config=PAIRS)
        before = [one for one in whole.fills if one.at_ns < cut_ns]
        assert list(shorter.fills)[: len(before)] == before


def test_a_minute_without_a_bar_of_the_other_is_no_minute_to_decide_in() -> None:
    jd = minutes(JD, 30, 30.05, 30, 30.05, 30, 29.5, 29.5)
    gs = minutes(GS, 60, 60, 60, 60, 60, 60, 60)
    assert fills(outcome_of(jd, gs, config=PAIRS)) == [("JD", "BUY", "29.5")]
    without = after(between(gs, 0, int(gs.ends_ns[5])), between(gs, int(gs.start_ns[7]), 2**62))
    assert len(without) == len(gs) - 1
    assert fills(outcome_of(jd, without, config=PAIRS)) == []


class Heard(Strategy):
    """Writes down what it is told, and wishes nothing."""

    Parameters: ClassVar[type[Struct]] = NoParameters
    bars_needed = 3
    told: ClassVar[list[tuple[int, Symbol, Symbol, int]]] = []
    made: ClassVar[int] = 0

    def __init__(self, name: StrategyName, size: Size, parameters: Struct) -> None:
        super().__init__(name, size, parameters)
        Heard.made += 1
        self.number = Heard.made

    def hears(self, symbol: Symbol) -> Collection[Symbol]:
        return [GS] if symbol == JD else ()

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        self.told.append((self.number, view.symbol, bar.symbol, bar.close // 10_000))
        return ()

    def on_bar_of_other(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return self.on_bar(bar, view)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> type[Heard]:
    monkeypatch.setitem(STRATEGIES, "heard", Heard)
    monkeypatch.setattr(Heard, "told", [])
    return Heard


def over_a_night(*splits: Symbol) -> list[tuple[Symbol, list[int]]]:
    """What the worker of JD was told by each strategy that was made for it, in dollars, one after the other."""
    session = session_on(TUESDAY)
    assert session is not None
    events = [
        ScheduledEvent(
            at_ns=session.pre_open_ns, name=EventName.SPLIT, symbol=one, ratio=Decimal(2)
        )
        for one in splits
    ]

    def history(symbol: Symbol, *closes: float) -> Columns:
        later = [one / 2 for one in closes] if symbol in splits else list(closes)
        return after(minutes(symbol, *closes), minutes(symbol, *later, day=TUESDAY))

    config = PAIRS.replace('kind = "pairs"', 'kind = "heard"').replace("params", "# params")
    outcome_of(history(JD, 30, 32), history(GS, 60, 62), config=config, events=events)
    lives: dict[int, list[int]] = {}
    for number, of, _, close in Heard.told:
        if of == JD:
            lives.setdefault(number, []).append(close)
    return [(JD, told) for told in lives.values()]


def test_bars_of_the_other_come_first_and_each_once(heard: type[Heard]) -> None:
    assert MONDAY < TUESDAY
    assert over_a_night() == [(JD, [60, 30, 60, 30, 62, 32, 60, 30, 60, 30, 62, 32])]


def test_when_the_other_is_split_it_begins_anew_in_todays_shares(heard: type[Heard]) -> None:
    first, second = over_a_night(GS)
    assert first == (JD, [60, 30, 60, 30, 62, 32])
    assert second == (JD, [30, 30, 30, 30, 32, 31, 30, 30, 30, 30, 31, 32])


def test_when_its_own_is_split_the_other_comes_along(heard: type[Heard]) -> None:
    first, second = over_a_night(JD)
    assert first == (JD, [60, 30, 60, 30, 62, 32])
    assert second == (JD, [15, 60, 15, 60, 16, 62, 60, 15, 60, 15, 62, 16])


def test_when_both_are_split_both_are_in_todays_shares(heard: type[Heard]) -> None:
    told = over_a_night(GS, JD)[-1][1]
    assert set(told) == {30, 31, 15, 16}
    assert len(told) == 12
