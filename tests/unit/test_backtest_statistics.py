"""Statistics of a run against tables reckoned by hand; what has no value is None."""

import math
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from tests.outcomes import fill, outcome
from trader.backtest.statistics import (
    DEFINITIONS,
    Day,
    Drawdown,
    Statistics,
    daily_returns,
    fees_share,
    statistics_of,
)
from trader.backtest.telling import told
from trader.backtest.trips import trips_of
from trader.model import Side

BUY, SELL = Side.BUY, Side.SELL


def test_returns_are_simple_and_the_first_is_against_the_opening_cash() -> None:
    assert daily_returns(outcome(110, 99, opening=100)) == pytest.approx([0.1, -0.1])


def test_a_curve_gives_the_returns_and_risks_that_a_hand_reckons() -> None:
    # Returns of +10 %, -10 %, +20 %: mean 1/15, sum of squares about it 0.06 - 3/225.
    said = statistics_of(outcome(110, 99, "118.8"))
    mean, deviation = 0.2 / 3, math.sqrt((0.06 - 0.04 / 3) / 2)
    assert said.total_return == pytest.approx(0.188)
    assert said.cagr == pytest.approx(1.188**84 - 1)
    assert said.volatility == pytest.approx(deviation * math.sqrt(252))
    assert said.sharpe == pytest.approx(mean / deviation * math.sqrt(252))
    # One day of three lost, 10 %: downside is the root of 0.01 / 3.
    assert said.sortino == pytest.approx(mean / math.sqrt(0.01 / 3) * math.sqrt(252))
    assert said.calmar == pytest.approx((1.188**84 - 1) / 0.1)
    assert _shown(said.best_day) == ("2026-01-07", "0.20")
    assert _shown(said.worst_day) == ("2026-01-06", "-0.10")
    assert (said.final_equity, said.profit) == (Decimal("118.8"), Decimal("18.8"))


def _shown(day: Day | None) -> tuple[str, str]:
    assert day is not None
    return day.session, f"{day.returned:.2f}"


def test_the_drawdown_has_its_height_its_depth_its_recovery_and_its_length() -> None:
    said = statistics_of(outcome(120, 110, 90, 100, 120, 119)).max_drawdown
    assert said is not None
    assert said.depth == pytest.approx(-0.25)
    assert said == Drawdown(
        depth=said.depth,
        peak="2026-01-05",
        trough="2026-01-07",
        recovered="2026-01-09",
        sessions=4,
    )


def test_the_deepest_of_two_drawdowns_is_told_and_may_be_open_at_the_end() -> None:
    said = statistics_of(outcome(110, 99, 120, 90, 91)).max_drawdown
    assert said is not None
    assert (said.peak, said.trough, said.recovered) == ("2026-01-07", "2026-01-08", None)
    assert said.depth == pytest.approx(-0.25)
    assert said.sessions == 2


def test_a_height_that_is_reached_twice_is_left_the_second_time() -> None:
    said = statistics_of(outcome(110, 105, 110, 99, 110)).max_drawdown
    assert said is not None
    assert (said.peak, said.recovered, said.sessions) == ("2026-01-07", "2026-01-09", 2)


def test_a_fall_from_the_opening_cash_is_a_drawdown_without_a_session_of_its_height() -> None:
    said = statistics_of(outcome(90, 95)).max_drawdown
    assert said is not None
    assert said.depth == pytest.approx(-0.1)
    assert said == Drawdown(depth=said.depth, trough="2026-01-05", recovered=None, sessions=2)


def test_without_sessions_nothing_has_a_value() -> None:
    said = statistics_of(outcome())
    undefined = msgspec.structs.asdict(said)
    assert undefined.pop("final_equity") == 100
    assert undefined.pop("total_return") == 0
    assert {name: value for name, value in undefined.items() if value} == {}
    for name in ("cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "best_day"):
        assert undefined[name] is None, name


@pytest.mark.parametrize("equity", [(100, 100, 100), (110, 121, "133.1", "146.41")])
def test_where_nothing_deviates_or_falls_there_is_no_ratio(equity: tuple[int | str, ...]) -> None:
    said = statistics_of(outcome(*equity))
    assert said.volatility == 0
    assert (said.sharpe, said.sortino, said.calmar) == (None, None, None)
    assert said.max_drawdown == Drawdown(depth=0.0)


def test_one_session_has_a_return_and_no_deviation() -> None:
    said = statistics_of(outcome(101))
    assert (said.volatility, said.sharpe, said.sortino) == (None, None, None)
    assert said.cagr == pytest.approx(1.01**252 - 1)


def test_growth_beyond_any_float_has_no_value_rather_than_infinity() -> None:
    said = statistics_of(outcome(10_000, 9_999))
    assert said.total_return == pytest.approx(98.99)
    assert statistics_of(outcome(10_000)).cagr is None
    assert statistics_of(outcome(1_000_000, 900_000)).calmar is None


@pytest.mark.parametrize("last", [0, -20])
def test_an_account_that_lost_everything_has_its_loss_and_no_ratios(last: int) -> None:
    said = statistics_of(outcome(50, last))
    assert said.total_return == pytest.approx(last / 100 - 1)
    assert said.max_drawdown is not None
    assert said.max_drawdown.depth == pytest.approx(last / 100 - 1)
    assert (said.cagr, said.sharpe, said.months, said.best_day) == (None, None, {}, None)
    assert said.exposure_invested is None


def test_no_statistic_is_ever_infinite_or_not_a_number() -> None:
    curves = [(), (0,), (100,), (1, 10**12), (100, 100), (-5, 3), (10**12, 1, 10**12), (0, 0)]
    for curve in curves:
        for opening in (0, 100):
            for name, value in msgspec.structs.asdict(
                statistics_of(outcome(*curve, opening=opening))
            ).items():
                assert not isinstance(value, float) or math.isfinite(value), (curve, name)


def test_months_and_years_compound_their_days() -> None:
    curve = outcome(110, 99, 198, "217.8", first=date(2025, 12, 30))
    said = statistics_of(curve)
    assert [point.session for point in curve.equity][1:3] == ["2025-12-31", "2026-01-01"]
    assert said.months == pytest.approx({"2025-12": -0.01, "2026-01": 1.2})
    assert said.years == pytest.approx({"2025": -0.01, "2026": 1.2})


# ------------------------------------------------------------------------------------------------ trades


def test_a_trade_is_from_flat_to_flat_however_many_fills_it_took() -> None:
    closed, still_open = trips_of(
        [
            fill(BUY, 10, 10, left=10, fees="0.50"),
            fill(BUY, 5, 100, left=5, symbol="BABA"),
            fill(BUY, 10, 12, left=20),
            fill(SELL, 15, 11, left=5, fees=1),
            fill(SELL, 5, 14, left=0, fees=1),
            fill(BUY, 1, 9, left=1),
        ]
    )
    # 165 + 70 came, 100 + 120 went, and 2.50 of fees.
    assert [(one.symbol, one.profit, one.fees, one.fills) for one in closed] == [
        ("JD", Decimal("12.5"), Decimal("2.5"), 4)
    ]
    assert [(one.symbol, one.ends_ns) for one in still_open] == [("BABA", None), ("JD", None)]


def test_a_split_while_shares_are_held_makes_no_trade_and_no_profit_of_its_own() -> None:
    closed, _ = trips_of([fill(BUY, 10, 70, left=10), fill(SELL, 70, 10, left=0)])
    assert [one.profit for one in closed] == [0]


def of_trades(*profits: int) -> Statistics:
    fills = []
    for profit in profits:
        fills += [fill(BUY, 1, 1_000, left=1), fill(SELL, 1, 1_000 + profit, left=0)]
    return statistics_of(outcome(100, fills=fills))


def test_wins_losses_and_their_means_are_those_of_trades() -> None:
    said = of_trades(30, -10, 0, 20, -5)
    assert (said.trades, said.trades_open) == (5, 0)
    assert said.win_rate == pytest.approx(0.4), "one that came out even did not win"
    assert said.profit_factor == pytest.approx(50 / 15)
    assert (said.average_win, said.average_loss) == (Decimal(25), Decimal("-7.5"))


def test_a_mean_that_no_decimal_has_is_told_to_the_cent() -> None:
    assert of_trades(1, 1, 2).average_win == Decimal("1.33")


def test_without_losses_there_is_no_profit_factor_and_without_trades_no_win_rate() -> None:
    said = of_trades(30)
    assert (said.profit_factor, said.average_loss, said.win_rate) == (None, None, 1)
    assert of_trades().win_rate is None
    assert of_trades(-30).profit_factor == 0


# ------------------------------------------------------------------------------------ exposure and costs


def test_a_session_is_exposed_by_a_position_at_its_close_or_by_a_fill_in_it() -> None:
    by_day = [
        fill(BUY, 1, 10, left=1, session="2026-01-06"),
        fill(SELL, 1, 10, left=0, session="2026-01-06"),
    ]
    said = statistics_of(outcome(100, 100, 200, 100, invested=(50, 0, 50, 0), fills=by_day))
    assert said.exposure_time == pytest.approx(0.75)
    assert said.exposure_invested == pytest.approx((0.5 + 0.25) / 4)


def test_turnover_is_one_where_the_account_went_in_and_out_once_in_a_year() -> None:
    in_and_out = [fill(BUY, 10, 10, left=10), fill(SELL, 10, 10, left=0)]
    said = statistics_of(outcome(*[100] * 252, fills=in_and_out))
    assert said.turnover == pytest.approx(1)
    half_a_year = statistics_of(outcome(*[100] * 126, fills=in_and_out))
    assert half_a_year.turnover == pytest.approx(2)


def test_fees_are_told_as_a_part_of_what_was_made_before_them() -> None:
    said = statistics_of(outcome(130, fills=[fill(BUY, 1, 1, left=1, fees=10)]))
    assert said.fees == 10
    assert said.fees_share == pytest.approx(0.25)
    assert fees_share(Decimal(-20), Decimal(10)) is None


def test_what_is_told_is_defined() -> None:
    """The table by month is no figure; everything else that is shown has its sentence."""
    assert set(told(statistics_of(outcome(100)))) | {"monthly"} == set(DEFINITIONS)
    assert all(sentence.endswith(".") for sentence in DEFINITIONS.values())
