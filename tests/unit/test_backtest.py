"""A backtest on a few bars: what trades when, at which price, and what the executor has a say in."""

from decimal import Decimal

import pytest

from tests.histories import BUILD, FREE, GS, JD, MONDAY, RISING, after, days, minutes, outcome_of
from trader.backtest.outcome import Outcome
from trader.backtest.request import Fills
from trader.calendar import HOUR_NS, clock_text, session_on
from trader.evolve import fold
from trader.journal.memory import MemoryJournal
from trader.model import MINUTE_NS, Side
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.state import ExecutionState
from trader.venue import VenueTerms

TUESDAY = "2026-01-27"


def fills(outcome: Outcome) -> list[tuple[str, str, str, int, str]]:
    return [
        (clock_text(one.at_ns), one.symbol, one.side.value, int(one.quantity), str(one.price))
        for one in outcome.fills
    ]


def test_what_is_decided_at_a_close_trades_at_the_next_open() -> None:
    found = outcome_of(minutes(JD, 30, 31, 32, 31, 31, opens=(30, 30, 31.1, 32, 30.9)))
    assert fills(found) == [
        ("09:32", "JD", "BUY", 10, "31.1"),
        ("09:34", "JD", "SELL", 10, "30.9"),
    ]
    assert found.equity[-1].equity == Decimal(99_998)
    assert found.orders == 2


def test_half_the_spread_is_paid_on_both_sides() -> None:
    terms = VenueTerms(spread_rate=Decimal("0.002"))
    found = outcome_of(minutes(JD, 30, 31, 31, 30, 30), terms=terms)
    assert fills(found) == [
        ("09:32", "JD", "BUY", 10, "31.031"),
        ("09:34", "JD", "SELL", 10, "29.97"),
    ]


def test_with_quotes_it_trades_at_once_around_the_close() -> None:
    found = outcome_of(minutes(JD, 30, 31, 32), fills=Fills.QUOTE, terms=VenueTerms())
    assert fills(found) == [("09:32", "JD", "BUY", 10, "31")]


def test_a_part_of_equity_at_risk_is_shares_by_how_far_bars_reach() -> None:
    config = RISING.replace("shares = 10", "volatility = 0.00013").replace(
        "slow = 2", "slow = 2, atr_bars = 2"
    )
    found = outcome_of(minutes(JD, 30, 31, 30, 31, 32, 32), config=config + FREE)
    # Ranges of nothing and of a dollar: 100,000 dollars x 0.00013 / (2 x 0.50) are 13 shares.
    assert fills(found)[0] == ("09:32", "JD", "BUY", 13, "31")


def test_what_the_last_bar_leads_to_is_never_filled() -> None:
    found = outcome_of(minutes(JD, 30, 31))
    assert (found.orders, len(found.fills)) == (1, 0)


def test_more_than_a_part_of_a_bar_is_had_bar_by_bar() -> None:
    config = RISING.replace("shares = 10", "shares = 30") + FREE
    found = outcome_of(minutes(JD, 30, 31, 31, 31, 31, volume=120), config=config)
    assert [one[3] for one in fills(found)] == [12, 12, 6]
    assert found.orders == 1


def test_a_wish_on_a_daily_bar_is_an_order_for_the_next_open() -> None:
    dates = ("2026-01-23", MONDAY, TUESDAY, "2026-01-28", "2026-01-29")
    found = outcome_of(days(JD, dates, 30, 30, 31, 32, 31, opens=(30, 30, 30, 31.1, 32)))
    assert fills(found) == [("09:30", "JD", "BUY", 10, "31.1")]
    assert found.fills[0].session == "2026-01-28"
    assert [one.session for one in found.equity] == list(dates)


def test_the_calendar_closes_the_market() -> None:
    evening = minutes(JD, 30, 31, 32, first=400)
    assert outcome_of(evening).denied == {"market_closed": 1}
    assert len(outcome_of(evening, is_always_open=True).fills) == 1


def test_bars_between_two_sessions_are_nobodys() -> None:
    night = minutes(JD, 30, 31, 32, first=15 * 60)
    found = outcome_of(after(minutes(JD, 30, 30), night))
    assert (found.bars, found.orders) == (3, 0)


def test_the_executor_hears_everything_and_a_rule_has_its_say() -> None:
    history = minutes(JD, *([30, 31] * 10))
    free = outcome_of(history)
    bound = outcome_of(history, config=RISING.replace("day_max = 100", "day_max = 2") + FREE)
    assert free.inputs["OrderRequest"] == free.accepted == free.orders == 19
    assert bound.denied["entries_per_day"] == 8
    assert len([one for one in bound.fills if one.side is Side.BUY]) == 2
    assert free.inputs["SendStarted"] == free.orders
    assert free.inputs["OrderReport"] == 2 * free.orders  # taken, then filled or expired


def test_two_who_want_the_last_cash_are_served_by_name() -> None:
    config = (
        RISING.replace("[limits]", "[limits]\nexposure_max = 1\nposition_notional_max = 1000")
        + FREE
    )
    both = (minutes(JD, 30, 31, 31, 31), minutes(GS, 30, 31, 31, 31))
    found = outcome_of(*both, config=config, cash=Decimal(400))
    assert fills(found) == [("09:32", "GS", "BUY", 10, "31")]
    assert sum(found.denied.values()) == 1


def test_an_open_comes_before_what_ends_later() -> None:
    """The hour's bar opens at 10:30; the sale of that moment pays for what is decided at 10:31."""
    hours = minutes(JD, 30, 31, 30, 30, span=30)
    quick = minutes(GS, 30, 30, 31, 31, 31, first=90)
    config = (
        RISING.replace("[limits]", "[limits]\nexposure_max = 1\nposition_notional_max = 1000")
        + FREE
    )
    found = outcome_of(hours, quick, config=config, cash=Decimal(330))
    assert fills(found) == [
        ("10:30", "JD", "BUY", 10, "31"),
        ("11:00", "JD", "SELL", 10, "30"),
        ("11:03", "GS", "BUY", 10, "31"),
    ]


def split(date: str, ratio: int, hours_before: int = 0) -> ScheduledEvent:
    """At 04:00, when the day begins, or before."""
    session = session_on(date)
    assert session is not None
    at_ns = session.pre_open_ns - hours_before * HOUR_NS
    return ScheduledEvent(at_ns=at_ns, name=EventName.SPLIT, symbol=JD, ratio=Decimal(ratio))


HALVED = after(minutes(JD, 30, 31, 31), minutes(JD, 15.5, 15.5, 15, 15, day=TUESDAY))


def test_a_jump_over_a_night_that_nothing_explains_takes_the_symbol_out() -> None:
    found = outcome_of(HALVED)
    assert found.quarantined.keys() == {JD}
    assert [one[2] for one in fills(found)] == ["BUY"]


def test_nobody_has_to_hold_it_for_that() -> None:
    flat = after(minutes(JD, 30, 30), minutes(JD, 15, 15.1, 15.1, day=TUESDAY))
    found = outcome_of(flat)
    assert found.quarantined == {
        JD: "its price went from 30 to 15 over a night, and no split is known"
    }
    assert found.denied == {"quarantined": 1}


@pytest.mark.parametrize("hours_before", [0, 4])
def test_a_split_that_is_known_is_booked_and_the_strategy_goes_on_in_todays_shares(
    hours_before: int,
) -> None:
    found = outcome_of(HALVED, events=[split(TUESDAY, 2, hours_before)])
    assert found.quarantined == {}
    assert fills(found) == [("09:32", "JD", "BUY", 10, "31"), ("09:33", "JD", "SELL", 20, "15")]
    assert found.equity[-1].equity == Decimal(99_990)


def test_a_dividend_is_cash() -> None:
    session = session_on(TUESDAY)
    assert session is not None
    paid = ScheduledEvent(
        at_ns=session.pre_open_ns, name=EventName.DIVIDEND, symbol=JD, amount=Decimal("0.5")
    )
    history = after(minutes(JD, 30, 31, 31), minutes(JD, 31, 31, day=TUESDAY))
    found = outcome_of(history, events=[paid])
    assert found.equity[-1].cash == Decimal(100_000) - 310 + 5


def test_a_stop_that_an_entry_brings_rests_at_the_venue_and_trades_within_a_bar() -> None:
    config = RISING + "protection = { stop = 0.05 }\n" + FREE
    history = minutes(
        JD, 30, 31, 32, 32, 32, 30, opens=(30, 30, 31, 32, 32, 32), lows=(30, 30, 31, 32, 32, 29)
    )
    found = outcome_of(history, config=config)
    assert [one[2] for one in fills(found)] == ["BUY", "SELL"]
    bought, sold = found.fills
    assert sold.price == bought.price * Decimal("0.95") or sold.price < bought.price
    assert sold.purpose.value == "stop"


def test_what_shall_not_be_held_overnight_is_sold_before_the_close() -> None:
    config = RISING + 'at_close = "flatten"\nminutes_before_close = 5\n' + FREE
    closes = [30.0, 31.0] + [31.0 + 0.01 * n for n in range(390)]
    found = outcome_of(minutes(JD, *closes[:390]), config=config)
    assert [one[2] for one in fills(found)] == ["BUY", "SELL"]
    assert found.fills[-1].at_ns >= session_close() - 6 * MINUTE_NS
    assert found.equity[-1].positions_value == 0


def session_close() -> int:
    session = session_on(MONDAY)
    assert session is not None
    return session.close_ns


def test_brakes_are_off_unless_asked_for() -> None:
    config = (
        RISING.replace("[limits]", "[limits]\nloss_day_max = 0.0001\ndrawdown_max = 0.9") + FREE
    )
    history = minutes(JD, 30, 31, 31, 29, 29, 30, 30, opens=(30, 30, 31, 31, 29, 29, 30))
    free = outcome_of(history, config=config)
    assert len(free.fills) == 3
    assert [one.partition(":")[0] for one in free.would_have_halted] == [
        "loss_day first on 2026-01-26 at 09"
    ]
    braked = outcome_of(history, config=config, brakes=True)
    assert len(braked.fills) == 2
    assert braked.denied == {"loss_day": 1}
    assert braked.would_have_halted == ()


def test_buys_that_repeat_would_have_halted() -> None:
    config = RISING.replace("[limits]", "[limits]\nexecutions_repeated_max = 3") + FREE
    found = outcome_of(minutes(JD, *([30, 31] * 5)), config=config)
    assert found.would_have_halted == (
        "repeated_executions first on 2026-01-26 at 09:36: JD entered again",
    )


def test_the_same_request_gives_the_same_journal_which_folds_to_agreement() -> None:
    heads = set()
    for _ in range(2):
        journal = MemoryJournal()
        outcome_of(
            HALVED, minutes(GS, *([20, 21] * 8)), events=[split(TUESDAY, 2)], journal=journal
        )
        heads.add(journal.head_hash)
    assert len(heads) == 1
    state = fold(ExecutionState(), journal.entries())
    assert state.agrees
    assert state.statements == 2
    assert state.build == BUILD.identity


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_and_every_setting_are_part_of_the_identity(seed: int) -> None:
    history = minutes(JD, 30, 31, 31)
    one = outcome_of(history, seed=seed).identity
    assert one.seed == seed
    other = outcome_of(history, seed=seed, cash=Decimal(5)).identity
    assert one.parameters != other.parameters
    assert one.data == other.data
