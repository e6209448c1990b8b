"""Money that comes and goes, and splits, in what a backtest says of itself: neither is a profit."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.histories import FREE, JD, MONDAY, RISING, after, minutes, outcome_of
from tests.outcomes import outcome
from trader.backtest.charts import equity_chart
from trader.backtest.files import EQUITY, equity_row
from trader.backtest.outcome import Outcome
from trader.backtest.statistics import daily_returns, statistics_of
from trader.calendar import HOUR_NS, session_on
from trader.simulator.scheduled import EventName, ScheduledEvent

TUESDAY = "2026-01-27"
HISTORY = after(minutes(JD, 30, 31, 31, 30, 30), minutes(JD, 30, 31, 31, 30, 30, day=TUESDAY))


def event(date: str, name: EventName, amount: int = 0, **more: object) -> ScheduledEvent:
    """Two hours before the opening."""
    session = session_on(date)
    assert session is not None
    at_ns = session.open_ns - 2 * HOUR_NS
    return ScheduledEvent(at_ns=at_ns, name=name, amount=Decimal(amount), **more)  # type: ignore[arg-type]


def brought(date: str, amount: int) -> ScheduledEvent:
    name = EventName.DEPOSIT if amount > 0 else EventName.WITHDRAWAL
    return event(date, name, abs(amount))


@pytest.mark.parametrize("amount", [50_000, -50_000])
def test_money_that_comes_and_goes_is_no_return_and_no_profit(amount: int) -> None:
    without, found = outcome_of(HISTORY), outcome_of(HISTORY, events=[brought(TUESDAY, amount)])
    assert found.equity[-1].equity == without.equity[-1].equity + amount
    assert [one.deposited for one in found.equity] == [0, amount]
    said = statistics_of(found)
    assert said.profit == statistics_of(without).profit == -20
    days = (1 - 10 / 100_000) * (1 - 10 / (99_990 + amount))
    assert said.total_return == pytest.approx(days - 1)
    assert said.max_drawdown is not None
    assert said.max_drawdown.depth == pytest.approx(said.total_return)
    assert said.best_day is not None
    assert said.best_day.returned < 0
    assert said.months == {"2026-01": pytest.approx(said.total_return)}


def with_deposits(deposits: tuple[int, ...], *equity: int) -> Outcome:
    made = outcome(*equity)
    points = [
        replace(one, deposited=Decimal(amount))
        for one, amount in zip(made.equity, deposits, strict=True)
    ]
    return replace(made, equity=tuple(points))


def test_a_days_return_is_of_what_was_there_with_what_came_in_it() -> None:
    assert daily_returns(with_deposits((0, 100, -55), 110, 189, 107)) == pytest.approx(
        [0.1, -0.1, 107 / 134 - 1]
    )


def test_a_day_on_which_more_goes_than_was_there_before_has_no_returns() -> None:
    found = statistics_of(with_deposits((0, -110), 110, 5))
    assert (found.sharpe, found.total_return, found.max_drawdown) == (None, None, None)
    assert found.profit == 15


def test_fees_are_held_against_what_was_made_and_not_against_what_was_brought() -> None:
    made = replace(with_deposits((0, 100), 100, 215), fees=Decimal(5))
    assert statistics_of(made).fees_share == pytest.approx(0.25)


def test_equity_as_a_file_has_what_came_and_the_drawn_fall_is_that_of_the_figures() -> None:
    made = with_deposits((0, -50), 110, 60)
    assert EQUITY[-1] == "deposited"
    assert equity_row(made.equity[1])[-1] == "-50"
    lines = equity_chart(made)["data"]
    assert isinstance(lines, list)
    assert lines[1]["y"] == pytest.approx([0, 0])


def test_what_befell_before_the_first_day_is_left_out_and_said() -> None:
    early = [
        brought("2026-01-20", 500),
        event("2026-01-21", EventName.SPLIT, symbol=JD, ratio=Decimal(2)),
    ]
    found = outcome_of(HISTORY, events=early)
    assert found.equity == outcome_of(HISTORY).equity
    assert found.assumed[-1] == (
        "events before 2026-01-26T09:00:00.000Z or after 2026-01-27T14:35:00.000Z are left out: 2"
    )


def test_what_befalls_on_the_first_day_before_its_first_bar_counts() -> None:
    found = outcome_of(HISTORY, events=[brought(MONDAY, 500)])
    assert [one.deposited for one in found.equity] == [500, 0]


def test_what_befalls_after_the_last_day_is_said_too() -> None:
    found = outcome_of(HISTORY, events=[brought("2026-02-20", 500)])
    assert found.equity == outcome_of(HISTORY).equity
    assert found.assumed[-1].endswith("are left out: 1")


def test_a_trade_over_a_split_ends_when_its_last_share_is_sold() -> None:
    halved = after(minutes(JD, 30, 31, 31), minutes(JD, 15.5, 15.5, 15, 15, day=TUESDAY))
    split = event(TUESDAY, EventName.SPLIT, symbol=JD, ratio=Decimal(2))
    found = outcome_of(halved, config=RISING + FREE, events=[split])
    assert [int(one.quantity) for one in found.fills] == [10, 20]
    assert [int(one.position) for one in found.fills] == [10, 0]
    said = statistics_of(found)
    assert (said.trades, said.trades_open) == (1, 0)
    assert said.average_loss == -10
