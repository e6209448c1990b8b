"""By column, in blocks or one by one: however history is gone through, the journal is the same to the byte."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.histories import (
    FREE,
    GS,
    JD,
    MONDAY,
    RISING,
    after,
    days,
    minutes,
    outcome_of,
    quotes,
)
from trader.backtest.outcome import Outcome
from trader.backtest.request import Fills, Hearing
from trader.calendar import HOUR_NS, session_on
from trader.exits import Mistake
from trader.feeds.columns import Columns
from trader.feeds.random_walk import random_walk
from trader.journal.memory import MemoryJournal
from trader.model import MINUTE_NS, SECOND_NS, Bar, Side, Symbol
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.strategies import STRATEGIES
from trader.strategies.base import Strategy, SymbolView, Wish
from trader.strategies.by_bars import BarStrategy
from trader.strategies.signals import BarColumns, Signals
from trader.venue import VenueTerms

TUESDAY, WEDNESDAY = "2026-01-27", "2026-01-28"
WAYS: dict[str, dict[str, object]] = {
    "one by one": {"columns": Hearing.OFF, "runs_ahead": False},
    "in blocks while flat": {"columns": Hearing.OFF},
    "by column": {"columns": Hearing.ON},
}


def same(*histories: Columns, ways: Sequence[str] = tuple(WAYS), **more: object) -> Outcome:
    """What all of these ways come to, which is one journal and one outcome."""
    found: list[tuple[str, Outcome]] = []
    for way in ways:
        journal = MemoryJournal()
        outcome = outcome_of(*histories, journal=journal, **(more | WAYS[way]))  # type: ignore[arg-type]
        assert outcome.heard == way
        found.append((journal.head_hash, replace(outcome, heard="")))
    assert [one for one in found if one != found[0]] == []
    return found[0][1]


def walk(symbol: Symbol, seed: int, bars: int, *, first: int = 0, span: int = 1) -> Columns:
    """From the opening of a Monday on."""
    walked = random_walk(seed, bars, symbol=symbol, cents=3_000, step=9)
    session = session_on(MONDAY)
    assert session is not None
    starts = session.open_ns + (first + np.arange(bars)) * span * MINUTE_NS
    return replace(walked, start_ns=starts, ends_ns=starts + span * MINUTE_NS)


def sma(limits: str = "", strategy: str = "", size: str = "shares = 10") -> str:
    config = RISING.replace("[limits]", f"[limits]\n{limits}").replace("shares = 10", size)
    return config.replace("fast = 1, slow = 2", "fast = 2, slow = 5") + strategy + FREE


CASH = "exposure_max = 1\nposition_notional_max = 1000\n"
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (sma(), {}),
    "the last cash": (sma(CASH), {"cash": Decimal(400)}),
    "a part of equity": (sma(CASH, size="equity = 0.5"), {"cash": Decimal(1_000)}),
    "brakes": (sma("loss_day_max = 0.00001\nexecutions_repeated_max = 1000\n"), {"brakes": True}),
    "repeated buys": (sma("executions_repeated_max = 3\n"), {"brakes": True}),
    "a few a day": (sma("entries_per_minute_max = 1\n"), {}),
    "stops": (sma(strategy="protection = { stop = 0.002 }\n"), {}),
    "flat by the close": (sma(strategy='at_close = "flatten"\nminutes_before_close = 5\n'), {}),
    "quotes": (sma(), {"fills": Fills.QUOTE, "terms": VenueTerms()}),
    "late": (sma(), {"terms": VenueTerms(latency_ns=90 * SECOND_NS)}),
    "bit by bit": (sma(size="shares = 250"), {"terms": VenueTerms(spread_rate=Decimal("0.0004"))}),
    "around the clock": (sma(), {"is_always_open": True}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_over_random_walks_every_way_has_the_same_journal(name: str) -> None:
    config, more = CONFIGS[name]

    @settings(max_examples=12)
    @given(
        st.integers(0, 10**6), st.integers(0, 90), st.integers(0, 90), st.sampled_from([1, 5, 30])
    )
    def holds(seed: int, bars: int, others: int, span: int) -> None:
        other = walk(GS, seed + 1, min(others, 600 // span), first=3 // span, span=span)
        same(walk(JD, seed, bars), other, config=config, **more)

    holds()


@pytest.mark.parametrize(("name", "denied"), [
    ("the last cash", "exposure"), ("brakes", "loss_day"), ("repeated buys", "repeated_executions"),
])  # fmt: skip
def test_what_the_walks_are_for_happens_in_them(name: str, denied: str) -> None:
    config, more = CONFIGS[name]
    found = same(walk(JD, 9, 90), walk(GS, 10, 90), config=config, **more)
    assert any(denied in reason for reason in found.denied), found.denied
    assert found.fills


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([17.0, 60.0, 131.0]), st.booleans())
def test_with_quotes_too_every_way_has_the_same_journal(
    seed: int, seconds: float, are_stopped: bool
) -> None:
    config = CONFIGS["stops" if are_stopped else "bit by bit"][0]
    closes = walk(JD, seed, 90).close / 10_000
    told = [
        (
            place * seconds,
            closes[int(place * seconds / 60)],
            closes[int(place * seconds / 60)] + 0.02,
        )
        for place in range(int(5_400 / seconds))
    ]
    same(
        walk(JD, seed, 90),
        walk(GS, seed + 1, 90, first=3),
        config=config,
        fills=Fills.NEXT_QUOTE,
        quotes=[quotes(JD, *told)],
    )


def test_a_limit_that_fills_bars_later_meets_each_of_them() -> None:
    """It may be half a percent above the ask, and the market opens above that for two bars."""
    history = minutes(JD, 30, 31, 33, 33, 31, 31, 29, 29, opens=(30, 30, 32, 33, 33, 31, 31, 29))
    found = same(history, minutes(GS, *([20] * 20)))
    assert found.fills[0].at_ns > int(history.start_ns[4])
    assert [one.side for one in found.fills] == [Side.BUY, Side.SELL]


def test_splits_money_and_days_without_bars() -> None:
    session, before = session_on(WEDNESDAY), session_on(TUESDAY)
    assert session is not None
    assert before is not None
    split = ScheduledEvent(
        at_ns=session.pre_open_ns, name=EventName.SPLIT, symbol=JD, ratio=Decimal(2)
    )
    paid = ScheduledEvent(
        at_ns=before.open_ns + HOUR_NS, name=EventName.DEPOSIT, amount=Decimal(100)
    )
    history = after(
        minutes(JD, 30, 31, 31, 30, 31),
        minutes(JD, 15.5, 15.6, 15, 15, 15.2, 15.3, 15, day=WEDNESDAY),
        minutes(JD, 15, 15.5, 15, day="2026-01-30"),
    )
    other = after(minutes(GS, 20, 21, 20), minutes(GS, 20, 20.5, 20, 21, 20, day="2026-01-29"))
    for bars_needed in ("fast = 1, slow = 2", "fast = 2, slow = 3"):
        config = RISING.replace("fast = 1, slow = 2", bars_needed) + FREE
        found = same(history, other, config=config, events=[paid, split])
        assert found.quarantined == {}
        assert len(found.fills) > 2
    assert len(found.equity) == 5  # On Tuesday there was money, and no bar.


def test_a_jump_over_a_night_takes_a_symbol_out_at_its_bar() -> None:
    history = after(minutes(JD, 30, 31, 31), minutes(JD, 15.5, 15.5, 15, 15, 16, day=TUESDAY))
    found = same(history, after(minutes(GS, 20, 21), minutes(GS, 20, 21, 20, day=TUESDAY)))
    assert found.quarantined.keys() == {JD}


def test_so_does_one_after_hours_without_a_bar() -> None:
    history = after(minutes(JD, 30, 31, 32), minutes(JD, 64, 65, 66, 64, 65, first=300))
    found = same(history, minutes(GS, *([20, 21] * 90)))
    assert found.quarantined.keys() == {JD}


def test_daily_bars_and_minutes() -> None:
    dates = ("2026-01-23", MONDAY, TUESDAY, WEDNESDAY)
    same(days(JD, dates, 30, 31, 30, 32), minutes(GS, 20, 21, 20, 21, 20))


@pytest.mark.parametrize("kind", ["buy-and-hold", "rsi", "bollinger", "donchian", "momentum"])
def test_the_rest_of_the_library(kind: str) -> None:
    config = RISING.replace('"sma-crossover"', f'"{kind}"')
    config = config.replace("params = { fast = 1, slow = 2 }\n", "") + FREE
    same(walk(JD, 5, 200), walk(GS, 6, 150), config=config)


def test_two_strategies_of_a_symbol_say_both_by_column() -> None:
    config = sma() + (
        '[strategies.other]\nkind = "momentum"\nparams = { bars = 3 }\nsize = { shares = 5 }\n'
    )
    found = same(
        walk(JD, 8, 300), walk(GS, 9, 300), config=config, ways=["one by one", "by column"]
    )
    assert {one.strategy for one in found.fills} == {"rising", "other"}


def test_what_hears_quotes_or_bars_of_no_day_has_every_bar_visited() -> None:
    quoted = RISING.replace('"sma-crossover"', '"open-close"')
    quoted = quoted.replace("params = { fast = 1, slow = 2 }\n", "") + FREE
    assert outcome_of(minutes(JD, 30, 31, 30), config=quoted).heard == "one by one"
    night = after(minutes(JD, 30, 30), minutes(JD, 30, 31, 32, first=15 * 60))
    assert outcome_of(night).heard == "one by one"


class Own(BarStrategy):
    """In at every rise and out at every fall; `is_wrong`: by column it also enters at the first bar."""

    is_wrong = False

    def side_of(self, bar: Bar) -> Side | None:
        return None if bar.close == bar.open else Side.BUY if bar.close > bar.open else Side.SELL

    def words(self, side: Side) -> str:
        return side.value

    def signals(self, columns: BarColumns) -> Signals:
        rose, fell = columns.close > columns.open, columns.close < columns.open
        words = lambda _place, side: self.words(side)  # noqa: E731
        return Signals(enter=rose[1:] if self.is_wrong else rose, leave=fell, words=words)


class Looking(Own):
    """It doesn't enter while no entry would be accepted, which is more than bars say."""

    bars_alone = False

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return super().on_bar(bar, view) if view.entries_open else ()

    def signals(self, columns: BarColumns) -> Signals:
        raise AssertionError("nobody asks")


OWN = RISING.replace('"sma-crossover"', '"own"').replace("{ fast = 1, slow = 2 }", "{}") + FREE


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "own", Own)


@pytest.mark.usefixtures("_known")
def test_columns_of_ones_own_strategies_are_taken_where_that_is_asked_for() -> None:
    history = walk(JD, 11, 60)
    assert outcome_of(history, config=OWN).heard == "in blocks while flat"
    assert same(history, config=OWN).fills


@pytest.mark.usefixtures("_known")
def test_signals_for_other_bars_are_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "is_wrong", True)
    with pytest.raises(Mistake, match="enter must be 61 booleans, not 60"):
        outcome_of(minutes(JD, *([30] * 60)), config=OWN, columns=Hearing.ON)


def test_who_looks_at_the_account_hears_bars_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "own", Looking)
    assert outcome_of(walk(JD, 11, 60), config=OWN).heard == "one by one"


def test_a_strategy_says_so_itself() -> None:
    assert not Strategy.bars_alone
    assert {kind for kind, one in STRATEGIES.items() if not one.bars_alone} == {"open-close"}
