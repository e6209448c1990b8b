"""Bad ticks in history: what a run's guard would not have let through leads to nothing, and is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.histories import FREE, GS, JD, MONDAY, RISING, after, days, minutes, outcome_of
from trader.backtest.fitness import NAMED_MAX, SPAN_NS_MAX, fit
from trader.backtest.outcome import Outcome
from trader.backtest.request import BacktestRequest, KnownJump
from trader.config import parse_config
from trader.feeds.columns import Columns, between
from trader.feeds.history import read_history
from trader.feeds.recorded import quote_around
from trader.market_guard import Guard, Rejection
from trader.model import Symbol

TUESDAY = "2026-01-27"
MARKET_DATA = Path(__file__).parents[3] / "shared" / "market-data"
STOPPED = RISING + "protection = { stop = 0.05 }\n" + FREE
DOLLAR = 10_000


def request_of(*histories: Columns, **more: object) -> BacktestRequest:
    wanted = {"config": parse_config(RISING + FREE), "histories": histories, **more}
    return BacktestRequest(**wanted)  # type: ignore[arg-type]


def fitted(columns: Columns, **more: object) -> tuple[Columns, tuple[str, ...]]:
    request, unfit = fit(request_of(columns, **more))
    return request.histories[0], unfit


def changed(columns: Columns, place: int, **numbers: int) -> Columns:
    """One bar is another."""
    copies = {name: getattr(columns, name).copy() for name in numbers}
    for name, number in numbers.items():
        copies[name][place] = number
    return replace(columns, **copies)


def off(columns: Columns, place: int, ratio: float) -> Columns:
    """A bar whose prices are all of another size."""
    names = ("open", "high", "low", "close")
    return changed(
        columns, place, **{one: round(getattr(columns, one)[place] * ratio) for one in names}
    )


def sides(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.side.value, str(one.price)) for one in outcome.fills]


CALM = minutes(JD, 30, 30, 31, 31, 31, 31, 31, 31, 31, 31)


def test_a_price_that_is_off_for_a_minute_fires_no_stop_and_no_entry_and_is_named() -> None:
    calm = outcome_of(CALM, config=STOPPED)
    assert [side for side, _ in sides(calm)] == ["BUY"]
    for ratio in (0.2, 0.8, 1.8, 5):
        found = outcome_of(off(CALM, 6, ratio), config=STOPPED)
        assert sides(found) == sides(calm)
        [line] = found.unfit
        assert line.startswith("JD 2026-01-26T14:35:00.000Z far from last: ")
        assert line.endswith(", after 31")
        assert found.bars == calm.bars - 1


def test_a_low_that_reaches_too_far_is_a_bad_tick_too() -> None:
    reached = changed(CALM, 6, low=6 * DOLLAR)
    found = outcome_of(reached, config=STOPPED)
    assert [side for side, _ in sides(found)] == ["BUY"]
    assert found.unfit == ("JD 2026-01-26T14:35:00.000Z far from last: 6 to 31, after 31",)


def test_what_the_next_bar_says_too_is_the_market_and_a_stop_trades_one_bar_later() -> None:
    fallen = minutes(
        JD, 30, 30, 31, 31, 27, 26.9, 26.8, 26.7, opens=(30, 30, 30, 31, 27, 26.95, 26.9, 26.8)
    )
    found = outcome_of(fallen, config=STOPPED)
    assert found.unfit == ("JD 2026-01-26T14:34:00.000Z far from last: 27 to 27, after 31",)
    assert sides(found)[-1] == ("SELL", "26.95")


def test_the_first_bar_of_a_day_is_held_against_the_day_before() -> None:
    night = after(CALM, off(minutes(JD, 31, 31, 31, 31, day=TUESDAY), 0, 0.2))
    found = outcome_of(night, config=STOPPED)
    assert found.quarantined == {}
    assert len(found.unfit) == 1
    assert [side for side, _ in sides(found)] == ["BUY"]


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ({"low": 32 * DOLLAR}, "inconsistent"),
        ({"high": 30 * DOLLAR}, "inconsistent"),
        ({"low": 0}, "non positive"),
        ({"volume": -1}, "non positive"),
    ],
)
def test_a_bar_that_contradicts_itself_is_left_out(numbers: dict[str, int], why: str) -> None:
    kept, [line] = fitted(changed(CALM, 5, **numbers))
    assert len(kept) == len(CALM) - 1
    assert f" {why}: " in line


def test_long_bars_are_the_markets_own() -> None:
    dates = (MONDAY, TUESDAY, "2026-01-28")
    for history in (days(JD, dates, 30, 25, 30), minutes(JD, 30, 25, 30, span=6)):
        kept, unfit = fitted(history)
        assert kept is history
        assert unfit == ()
    assert int((minutes(JD, 30, 25, span=5).ends_ns - minutes(JD, 30, 25, span=5).start_ns)[0]) == (
        SPAN_NS_MAX
    )
    assert fitted(minutes(JD, 30, 25, 30, span=5))[1] != ()


def test_a_thousand_are_named_and_the_rest_is_counted() -> None:
    wild = minutes(JD, *([30, 60] * 600))
    _, unfit = fitted(wild)
    assert len(unfit) == NAMED_MAX + 1
    assert unfit[-1] == f"and {len(wild) - len(fitted(wild)[0]) - NAMED_MAX:,} more"


@given(
    st.lists(st.sampled_from([-20, -9, -1, 0, 0, 0, 1, 8, 25]), min_size=1, max_size=80),
    st.integers(0, 79),
    st.sampled_from([100.0, 1.1, 0.2, 0.08]),
)
def test_it_is_the_guard_of_a_run_asked_about_every_bar(
    moves: list[int], cut: int, first: float
) -> None:
    closes = [first]
    for move in moves:
        closes.append(max(0.01, round(closes[-1] * (1 + move / 100), 2)))
    history = after(minutes(JD, *closes), minutes(JD, *reversed(closes), day=TUESDAY))
    kept, _ = fitted(history)
    assert kept.start_ns.tolist() == asked_about_every_bar(history)
    end_ns = int(history.ends_ns[min(cut, len(history) - 1)])
    shorter, _ = fitted(between(history, 0, end_ns))
    assert shorter.start_ns.tolist() == [one for one in kept.start_ns.tolist() if one < end_ns]


def asked_about_every_bar(history: Columns) -> list[int]:
    """When those begin that the guard lets through, as a tape has it look at each quote and bar."""
    guard, kept = Guard(JD), []
    for bar in history.bars():
        ends_ns = bar.start_ns + bar.span_ns
        quote = quote_around(bar, ends_ns)
        if guard.judge_quote(quote, ends_ns) is Rejection.HELD:
            guard.settle(guard.trusted)
            guard.judge_quote(quote, ends_ns)
        why = guard.judge_bar(bar, ends_ns)
        if why is Rejection.HELD:
            guard.settle(guard.trusted)
            why = guard.judge_bar(bar, ends_ns)
        if why is None:
            kept.append(bar.start_ns)
    return kept


# --- jumps that are real


def known(date: str = TUESDAY, symbol: Symbol = JD) -> list[KnownJump]:
    return [KnownJump(symbol=symbol, date=date, reason="a profit warning")]


HALVED = after(minutes(JD, 30, 31, 31), minutes(JD, 14, 14, 13.9, 14.1, 14.1, 14.1, day=TUESDAY))


def test_a_jump_that_is_known_takes_nothing_out_and_costs_what_it_costs() -> None:
    alone = outcome_of(HALVED)
    assert alone.quarantined.keys() == {JD}
    assert len(alone.unfit) == 1
    found = outcome_of(HALVED, jumps=known())
    assert found.quarantined == {}
    assert found.unfit == ()
    assert sides(found) == [("BUY", "31"), ("SELL", "14"), ("BUY", "14.1")]
    assert "JD jumped before 2026-01-27: a profit warning" in found.assumed


@pytest.mark.parametrize("other", [known(MONDAY), known(symbol=GS)])
def test_another_day_or_symbol_explains_nothing(other: list[KnownJump]) -> None:
    found = outcome_of(HALVED, minutes(GS, 20, 20), jumps=other)
    assert found.quarantined.keys() == {JD}


def test_a_known_jump_is_a_part_of_what_was_asked_for() -> None:
    assert (
        outcome_of(HALVED).identity.parameters
        != outcome_of(HALVED, jumps=known()).identity.parameters
    )


def test_daily_bars_jump_too() -> None:
    dates = ("2026-01-23", MONDAY, TUESDAY, "2026-01-28", "2026-01-29")
    history = days(JD, dates, 30, 31, 31, 14, 14, opens=(30, 30, 31, 14, 14))
    assert outcome_of(history).quarantined.keys() == {JD}
    assert outcome_of(history, jumps=known("2026-01-28")).quarantined == {}


# --- real bars


@pytest.mark.skipif(not MARKET_DATA.exists(), reason="needs ../shared/market-data")
def test_recorded_sessions_have_no_bad_ticks_and_a_planted_one_is_found() -> None:
    history = read_history([MARKET_DATA / "minute"])
    request = request_of(*history.values())
    same, unfit = fit(request)
    assert unfit == ()
    assert all(one is other for one, other in zip(same.histories, request.histories, strict=True))
    ibm = history[Symbol("IBM")]
    for place in (0, 400, len(ibm) - 1):
        planted, unfit = fitted(off(ibm, place, 0.2))
        first = place == 0  # There is nothing to hold the first one of all against.
        assert [str(one).startswith("IBM ") for one in unfit] == [True]
        assert len(planted) == len(ibm) - 1
        gone = set(ibm.start_ns.tolist()) - set(planted.start_ns.tolist())
        assert gone == {int(ibm.start_ns[1 if first else place])}


@pytest.mark.skipif(not MARKET_DATA.exists(), reason="needs ../shared/market-data")
def test_a_fall_by_half_in_september_2000_was_real() -> None:
    aapl = read_history([MARKET_DATA / "daily"], [Symbol("AAPL")], "2000-09-01", "2000-10-31")
    config = RISING.replace('"GS", "JD"', '"AAPL"') + FREE
    alone = outcome_of(*aapl.values(), config=config)
    assert alone.quarantined.keys() == {Symbol("AAPL")}
    jump = KnownJump(symbol=Symbol("AAPL"), date="2000-09-29", reason="a profit warning")
    found = outcome_of(*aapl.values(), config=config, jumps=[jump])
    assert found.quarantined == {}
    assert len(found.fills) > len(alone.fills)
