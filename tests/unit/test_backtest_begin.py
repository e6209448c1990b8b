"""A backtest that begins within its history: strategies are told the last bars before, as at the start of a run."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.histories import FREE, GS, JD, RISING, after, minutes, outcome_of
from tests.unit.test_backtest_hearing import same
from tests.unit.test_backtest_pairs import PAIRS
from trader.backtest.outcome import Outcome
from trader.backtest.request import BacktestRequest
from trader.calendar import clock_text, session_on
from trader.config import parse_config
from trader.feeds.columns import Columns
from trader.feeds.random_walk import random_walk
from trader.model import MINUTE_NS, Symbol
from trader.simulator.scheduled import EventName, ScheduledEvent

MONDAY, TUESDAY, WEDNESDAY = "2026-01-26", "2026-01-27", "2026-01-28"
SATURDAY_NS = 5 * 24 * 60 * MINUTE_NS
SLOW = RISING.replace("slow = 2", "slow = 4") + FREE


def begins_ns(day: str) -> int:
    session = session_on(day)
    assert session is not None
    return session.pre_open_ns


def trades(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    return [
        (one.session, clock_text(one.at_ns), one.side.value, str(one.price))
        for one in outcome.fills
    ]


def split(day: str, ratio: int) -> ScheduledEvent:
    return ScheduledEvent(
        at_ns=begins_ns(day), name=EventName.SPLIT, symbol=JD, ratio=Decimal(ratio)
    )


TWO_DAYS = after(
    minutes(JD, 30, 31, 31, 30, 30, 30, 30), minutes(JD, 30, 31, 31, 30, 30, day=TUESDAY)
)


def test_it_decides_at_once_on_what_it_was_told_of_before_and_trades_none_of_that() -> None:
    found = same(TWO_DAYS, config=SLOW, begins_ns=begins_ns(TUESDAY))
    assert trades(found) == [
        (TUESDAY, "09:32", "BUY", "31"),
        (TUESDAY, "09:34", "SELL", "30"),
    ]
    assert (found.bars, [one.session for one in found.equity]) == (6, [TUESDAY])


def test_without_anything_before_it_has_to_hear_its_bars_first() -> None:
    tuesday = minutes(JD, 30, 31, 31, 30, 30, day=TUESDAY)
    assert trades(same(tuesday, config=SLOW, begins_ns=begins_ns(TUESDAY))) == []


def test_a_part_of_a_request_is_told_what_lies_before_and_not_what_comes_after() -> None:
    last = minutes(JD, 30, 35, 36, day=WEDNESDAY)
    request = BacktestRequest(config=parse_config(SLOW), histories=[after(TWO_DAYS, last)])
    part = request.between(begins_ns(TUESDAY), begins_ns(WEDNESDAY))
    [history] = part.histories
    assert (part.begins_ns, len(history)) == (begins_ns(TUESDAY), len(TWO_DAYS))


def test_a_split_between_is_in_the_shares_of_the_first_bar() -> None:
    halved = after(
        minutes(JD, 60, 62, 62, 60, 60, 60, 60), minutes(JD, 30, 31, 31, 30, 30, day=TUESDAY)
    )
    found = same(halved, config=SLOW, begins_ns=begins_ns(TUESDAY), events=[split(TUESDAY, 2)])
    assert trades(found)[0] == (TUESDAY, "09:32", "BUY", "31")
    assert found.quarantined == {}


def test_a_jump_that_nothing_explains_is_one_where_it_begins_too() -> None:
    halved = after(minutes(JD, 60, 62, 62, 60), minutes(JD, 30, 31, 31, 30, day=TUESDAY))
    found = same(halved, config=SLOW, begins_ns=begins_ns(TUESDAY))
    assert found.quarantined.keys() == {JD}


def test_what_lies_before_an_unexplained_jump_is_not_told() -> None:
    jumped = after(
        minutes(JD, 60, 62, 62, 60, 60, 60, day="2026-01-23"),
        minutes(JD, 30, 30, day=MONDAY),
        minutes(JD, 30, 31, 31, 31, 32, day=TUESDAY),
    )
    slow = SLOW.replace("slow = 4", "slow = 7")
    # Two bars of Monday and what Tuesday has are too few; with Friday's, the average would stand at twice the price.
    assert trades(same(jumped, config=slow, begins_ns=begins_ns(TUESDAY))) == []
    quiet = SLOW.replace("slow = 4", "slow = 3")
    assert trades(same(jumped, config=quiet, begins_ns=begins_ns(TUESDAY)))


def test_two_splits_within_what_is_told_are_both_in_it() -> None:
    history = after(
        minutes(JD, 120, 120, 120),
        minutes(JD, 60, 60, day=TUESDAY),
        minutes(JD, 30, 31, 31, 30, 30, day=WEDNESDAY),
    )
    splits = [split(TUESDAY, 2), split(WEDNESDAY, 2)]
    slow = SLOW.replace("slow = 4", "slow = 7")
    for begins in (0, begins_ns(WEDNESDAY)):
        found = same(history, config=slow, events=splits, begins_ns=begins)
        assert trades(found)[0] == (WEDNESDAY, "09:32", "BUY", "31")


def walked(symbol: Symbol, seed: int) -> Columns:
    """Two days of a hundred and thirty minutes each."""
    parts = []
    columns = random_walk(seed, 260, symbol=symbol, cents=3_000, step=9)
    for place, day in enumerate((MONDAY, TUESDAY)):
        session = session_on(day)
        assert session is not None
        starts = [session.open_ns + minute * MINUTE_NS for minute in range(130)]
        some = minutes(symbol, *([30] * 129), day=day)
        numbers = {
            name: getattr(columns, name)[130 * place : 130 * (place + 1)]
            for name in ("open", "high", "low", "close")
        }
        assert len(some) == len(starts)
        parts.append(replace(some, **numbers))
    return after(*parts)


@pytest.mark.parametrize("kind", ["donchian", "rsi", "bollinger", "ema-crossover", "momentum"])
def test_every_way_of_hearing_begins_alike(kind: str) -> None:
    config = RISING.replace('"sma-crossover"', f'"{kind}"')
    config = config.replace("params = { fast = 1, slow = 2 }\n", "") + FREE
    same(walked(JD, 3), walked(GS, 4), config=config, begins_ns=begins_ns(TUESDAY))


def test_who_hears_another_symbol_is_told_of_its_past_as_well() -> None:
    jd = after(
        minutes(JD, 30, 30.05, 30, 30.05, 30, 30.05, 30),
        minutes(JD, 29.5, 29.5, 30, 30, 30, day=TUESDAY),
    )
    gs = after(minutes(GS, *([60] * 7)), minutes(GS, *([60] * 5), day=TUESDAY))
    found = outcome_of(jd, gs, config=PAIRS, begins_ns=begins_ns(TUESDAY))
    assert trades(found)[0] == (TUESDAY, "09:30", "BUY", "29.5")


def test_bars_of_no_session_are_left_out_and_counted() -> None:
    saturday = replace(minutes(JD, 30, 31), start_ns=minutes(JD, 30, 31).start_ns + SATURDAY_NS)
    saturday = replace(saturday, ends_ns=saturday.start_ns + MINUTE_NS)
    found = outcome_of(after(minutes(JD, 30, 30), saturday))
    assert found.bars == 3
    assert "3 bars of no session (nights, weekends, holidays) are left out" in found.assumed
    inside = outcome_of(minutes(JD, 30, 30))
    assert not [one for one in inside.assumed if "no session" in one]
