"""Pairs: which of two symbols is cheap, said exactly; bought once, and sold from the mean on."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import parse_iso
from trader.live.assembly import heard_by
from trader.model import MINUTE_NS, Bar, Purpose, Side, Size, StrategyName, Symbol
from trader.strategies import build
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish
from trader.strategies.pairs import PairedCloses

JD, GS, T = Symbol("JD"), Symbol("GS"), Symbol("T")
TEN = Size(unit="shares", amount=Decimal(10))
OPEN_NS = parse_iso("2026-01-26T14:30:00Z")
FLAT = SymbolView(symbol=JD)
HELD = SymbolView(symbol=JD, quantity=Decimal(10), strategy=StrategyName("pairs"), cost=Decimal(50))
CLOSES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=60)


def made(**parameters: object) -> Strategy:
    return build("pairs", StrategyName("pairs"), {"pair": "JD/GS", **parameters}, TEN)


def bar(symbol: Symbol, close: int, minute: int) -> Bar:
    """In cents, flat."""
    return Bar(
        symbol=symbol,
        start_ns=OPEN_NS + minute * MINUTE_NS,
        open=100 * close,
        high=100 * close,
        low=100 * close,
        close=100 * close,
        volume=100,
    )


def minute(
    strategy: Strategy, place: int, own: int, other: int, view: SymbolView, *, own_first: bool
) -> list[Wish]:
    """What it wishes on JD in a minute in which both have a bar."""
    told = bar(JD, own, place), bar(GS, other, place)
    wished: list[Wish] = []
    for one in told if own_first else reversed(told):
        hear = strategy.on_bar if one.symbol == JD else strategy.on_bar_of_other
        wished += hear(one, view)
    return wished


def wished(
    pairs: Iterable[tuple[int, int]],
    view: SymbolView,
    *,
    own_first: bool = True,
    **parameters: object,
) -> list[list[Wish]]:
    strategy = made(**parameters)
    return [
        minute(strategy, place, own, other, view, own_first=own_first)
        for place, (own, other) in enumerate(pairs)
    ]


def test_what_falls_below_is_bought_once_and_sold_from_the_mean_on() -> None:
    pairs = [(1000, 5000), (1001, 5000), (999, 5000), (980, 5000), (979, 5000), (1000, 5000)]
    entries = wished(pairs, FLAT, bars=4, width="1.5")
    assert [[one.side for one in told] for told in entries] == [[], [], [], [], [], []]
    entries = wished([(1000, 5000), *pairs], FLAT, bars=4, width="1.5")
    [entry] = entries[4]
    assert entries[:4] + entries[5:] == [[]] * 6
    assert (entry.side, entry.purpose, entry.size) == (Side.BUY, Purpose.ENTER, TEN)
    assert entry.reason == ("9.80 beside GS at 50.00: 1.73 deviations below the mean of 4 bars")
    exits = wished([(1000, 5000), *pairs], HELD, bars=4, width="1.5")
    assert [len(told) for told in exits] == [0, 0, 0, 0, 0, 0, 1]
    assert exits[6][0].reason == ("10.00 beside GS at 50.00: no cheaper than in the mean of 4 bars")
    assert exits[6][0].purpose is Purpose.EXIT


def test_what_rises_together_is_never_cheap() -> None:
    rising = [(1000 + 10 * n, 5000 + 50 * n) for n in range(30)]
    assert not any(wished(rising, FLAT, bars=5))


def test_where_the_other_has_no_bar_nothing_is_decided() -> None:
    strategy = made(bars=2, width="0.5")
    for place in range(3):
        assert minute(strategy, place, 1000, 5000, FLAT, own_first=True) == []
    assert list(strategy.on_bar(bar(JD, 900, 3), FLAT)) == []
    assert list(strategy.on_bar_of_other(bar(GS, 6000, 4), FLAT)) == []
    assert list(strategy.on_bar(bar(JD, 900, 5), FLAT)) == []
    assert len(minute(strategy, 6, 900, 5000, FLAT, own_first=True)) == 1


@given(CLOSES, st.integers(2, 8), st.sampled_from(["0.5", "1", "1.37"]), st.booleans())
def test_whichever_bar_comes_last_and_at_most_one_leg_is_cheap(
    closes: list[tuple[int, int]], bars: int, width: str, is_held: bool
) -> None:
    view = HELD if is_held else FLAT
    found = wished(closes, view, bars=bars, width=width)
    assert found == wished(closes, view, own_first=False, bars=bars, width=width)
    mirrored = wished([(b, a) for a, b in closes], view, bars=bars, width=width)
    for ours, theirs in zip(found, mirrored, strict=True):
        assert not (is_held is False and ours and theirs)


@given(CLOSES, st.integers(2, 8))
def test_the_five_sums_say_what_fractions_say(closes: list[tuple[int, int]], window: int) -> None:
    kept = PairedCloses(window)
    for count, (own, other) in enumerate(closes, start=1):
        kept.add(own, other)
        last = closes[max(0, count - window) : count]
        mean_own = Fraction(sum(one for one, _ in last), len(last))
        mean_other = Fraction(sum(one for _, one in last), len(last))
        spreads = [a / mean_own - b / mean_other for a, b in last]
        scale = mean_own * mean_other * len(last)
        assert sum(spreads) == 0
        assert kept.spread == spreads[-1] * scale
        assert kept.variation == sum(one * one for one in spreads) * scale * scale
        assert kept.is_full() is (count >= window)


def test_each_of_the_two_hears_the_other_and_nobody_else_anybody() -> None:
    strategy = made()
    assert [list(strategy.hears(one)) for one in (JD, GS, T)] == [[GS], [JD], []]
    assert heard_by(strategy, [GS, JD, T]) == {GS: (JD,), JD: (GS,), T: ()}


@pytest.mark.parametrize(
    ("symbols", "wrong"),
    [
        ([JD, T], "pairs on JD hears GS, which is none of the symbols"),
        ([T], "pairs trades none of the symbols"),
    ],
)
def test_both_have_to_be_traded(symbols: list[Symbol], wrong: str) -> None:
    with pytest.raises(StrategyError, match=wrong):
        heard_by(made(), symbols)


def test_history_is_as_long_as_the_window_or_the_average_range() -> None:
    assert made(bars=60).bars_needed == 61
    assert made(bars=60, risk=1, atr_bars=10).bars_needed == 100


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"pair": "JD"}, "pair must be two symbols such as KO/PEP, not 'JD'"),
        ({"pair": "JD/JD"}, "pair must be two symbols"),
        ({"pair": "JD/GS/T"}, "pair must be two symbols"),
        ({"pair": "jd/gs"}, "pair must be two symbols"),
        ({"bars": 1}, "bars"),
        ({"width": 0}, "width must be above 0 and at most 100, not 0"),
        ({"risk": "-1"}, "risk must be above 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    parameters: dict[str, object], wrong: str
) -> None:
    with pytest.raises(StrategyError, match=wrong):
        made(**parameters)


def test_the_pair_has_to_be_given() -> None:
    with pytest.raises(StrategyError, match="missing required field `pair`"):
        build("pairs", StrategyName("pairs"), {}, TEN)
