"""The column form of each strategy of the library is its bar form, at every bar; and the check finds what isn't."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trader.feeds.columns import Columns
from trader.feeds.random_walk import random_walk
from trader.model import Bar, Purpose, Side, Size, StrategyName
from trader.strategies import STRATEGIES, build
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all
from trader.strategies.equality import differences
from trader.strategies.signals import BarColumns, Signals

TEN = Size(unit="shares", amount=Decimal(10))
WINDOW = st.integers(1, 12)
NOT_SIZED: dict[str, object] = {}
RISK: st.SearchStrategy[dict[str, object]] = st.just(NOT_SIZED) | st.fixed_dictionaries(
    {"risk": st.sampled_from(["0.05", "1", "20"]), "atr_bars": st.integers(1, 9)}
)
PARAMETERS: dict[str, st.SearchStrategy[dict[str, object]]] = {
    "sma-crossover": st.fixed_dictionaries({"fast": WINDOW, "slow": st.integers(13, 30)}),
    "ema-crossover": st.fixed_dictionaries({"fast": WINDOW, "slow": st.integers(13, 30)}),
    "momentum": st.fixed_dictionaries({"bars": WINDOW, "rise_bp": st.integers(0, 60)}),
    "donchian": st.fixed_dictionaries({"entry": WINDOW, "exit": WINDOW}),
    "rsi": st.fixed_dictionaries({"bars": st.integers(2, 12), "low": st.integers(1, 50)}),
    "bollinger": st.fixed_dictionaries(
        {"bars": st.integers(2, 20), "width": st.sampled_from(["0.5", "1", "1.37", "2"])}
    ),
    "buy-and-hold": st.just(NOT_SIZED),
}
# From a walk in single cents, in which much is equal, to prices of which a square has more than 64 bits.
WALKS = st.builds(
    random_walk,
    st.integers(0, 10**6),
    st.integers(0, 150),
    cents=st.sampled_from([5, 5_000, 70_000_000]),
    step=st.sampled_from([1, 5, 1_000_000]),
)


def made(kind: str, parameters: dict[str, object], size: Size = TEN) -> Strategy:
    return build(kind, StrategyName(kind), parameters, size)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_both_forms_are_the_same_at_every_bar(kind: str) -> None:
    @given(PARAMETERS[kind], RISK, WALKS)
    def holds(parameters: dict[str, object], risk: dict[str, object], bars: Columns) -> None:
        assert list(differences(lambda: made(kind, parameters | risk), bars)) == []

    @given(PARAMETERS[kind], st.sampled_from(["0.000001", "0.01"]), WALKS)
    def holds_by_volatility(parameters: dict[str, object], part: str, bars: Columns) -> None:
        size = Size(unit="volatility", amount=Decimal(part))
        assert list(differences(lambda: made(kind, parameters, size), bars)) == []

    holds()
    holds_by_volatility()


def test_every_strategy_of_the_library_with_signals_is_held_to_them() -> None:
    bars = random_walk(7, 300)
    of_one = STRATEGIES.keys() - {"pairs"}  # A column is of one symbol.
    given_ = {kind for kind in of_one if made(kind, {}).signals(bars) is not None}
    assert given_ == PARAMETERS.keys()


@pytest.mark.parametrize("kind", sorted(PARAMETERS.keys() - {"buy-and-hold"}))
def test_on_a_long_walk_each_enters_and_leaves(kind: str) -> None:
    signals = made(kind, {}).signals(random_walk(7, 3_000))
    assert signals is not None
    assert 10 < signals.enter.sum() < 300
    assert signals.leave.sum() > 10


def test_sizes_by_volatility_stand_at_the_entries_alone() -> None:
    bars = random_walk(7, 300)
    plain = made("sma-crossover", {}).signals(bars)
    sized = made("sma-crossover", {"risk": 20}).signals(bars)
    too_small = made("sma-crossover", {"risk": "0.001"}).signals(bars)
    assert plain is not None
    assert sized is not None
    assert too_small is not None
    assert sized.enter.tolist() == plain.enter.tolist()
    assert sized.size is not None
    assert {sized.size(int(place)).unit for place in sized.enter.nonzero()[0]} == {"shares"}
    assert not too_small.enter.any()  # not even one share


# --- the check itself


class Planted(Strategy):
    """In at each close above the one before, out at each below; what is wrong with it is set from outside."""

    wrong = ""

    def __init__(self) -> None:
        super().__init__(StrategyName("planted"), TEN, NoParameters())
        self._before: int | None = None
        self._entries = 0

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        before, self._before = self._before, bar.close
        if before is None:
            return
        if bar.close > before and view.is_idle():
            self._entries += 1
            if self.wrong == "remembers" and self._entries > 3:
                return
            wish = Wish(side=Side.BUY, purpose=Purpose.ENTER, size=TEN, reason="up")
            yield replace(wish, leg="a") if self.wrong == "leg" else wish
        if bar.close < before and view.held_by(self.name):
            if self.wrong != "sells twice" and view.working:
                return
            yield from exit_all("down")

    def signals(self, columns: BarColumns) -> Signals | None:
        moves = np.diff(columns.close, prepend=columns.close[:1])
        if self.wrong == "foresight":
            moves = np.roll(moves, -1)
        enter, leave = moves > 0, moves < 0
        if self.wrong == "short":
            enter = enter[1:]
        if self.wrong == "numbers":
            leave = leave.astype(np.int64)
        words = {Side.BUY: "up", Side.SELL: "fell" if self.wrong == "words" else "down"}
        return Signals(enter=enter, leave=leave, words=lambda place, side: words[side])


class Silent(Planted):
    def signals(self, columns: BarColumns) -> Signals | None:
        return None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("foresight", "on_bar nothing, signals: BUY enter 10 shares ('up')"),
        ("remembers", "on_bar nothing, signals: BUY enter 10 shares ('up')"),
        ("sells twice", "following: on_bar SELL exit ('down'), signals: nothing"),
        ("leg", "on_bar BUY enter 10 shares ('up', with more than signals can say)"),
        ("words", "on_bar SELL exit ('down'), signals: SELL exit ('fell')"),
        ("short", "enter must be 200 booleans, not 199 of bool"),
        ("numbers", "leave must be 200 booleans, not 200 of int64"),
    ],
)
def test_what_differs_is_told_with_its_bar(
    wrong: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Planted, "wrong", wrong)
    found = list(differences(Planted, random_walk(7, 200)))
    assert any(said in line for line in found), found[:3]


def test_what_is_right_or_has_no_signals_is_told_too() -> None:
    assert list(differences(Planted, random_walk(7, 200))) == []
    assert list(differences(Silent, random_walk(7, 9))) == ["Silent gives no signals"]
