"""What `status` reckons from the tables is what the rules read in the state, whatever the day was."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.journal_plays import LIMITS, OPEN_NS, Play, boot, day, fill, opened, request
from trader.brakes import REPEATED_SPAN_NS
from trader.cli.limits_left import Left, limits_left, lines_of
from trader.journal.sqlite import open_journal, reading_connection
from trader.limits import CanaryLimits, Why
from trader.messages import Command
from trader.model import MINUTE_NS, StrategyName

D = Decimal


def told(play: Play) -> dict[str, Left]:
    """By limit; of a canary's by limit and strategy."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "books.db"
        journal = open_journal(path, create=True, since="", inline=True)
        for batch in play.batches(after=journal.head):
            journal.write(batch)
        journal.close()
        reader = reading_connection(path)
        try:
            found = limits_left(reader)
        finally:
            reader.close()
    return {f"{one.limit} {one.about}" if "." in one.limit else one.limit: one for one in found}


@given(st.lists(st.integers(0, 255), max_size=60))
def test_it_is_what_the_rules_read(numbers: list[int]) -> None:
    play = day(numbers)
    state, left = play.state, told(play)

    def used(name: str) -> Decimal:
        return D(left[name].used or "none")

    minute = [
        count for at_ns, count in state.entries_recent if abs(at_ns - state.at_ns) < MINUTE_NS
    ]
    assert used("entries_per_minute_max") == sum(minute)
    assert used("entries_open_max") == state.entries_open
    assert used("entries_notional_per_day_max") == state.entries_notional
    assert used("exposure_max") == state.positions_value + state.books.reserved
    assert D(left["exposure_max"].max) == LIMITS.exposure_max * state.equity
    positions = state.positions.values()
    assert used("entries_per_symbol_per_day_max") == max(
        (one.entries_session for one in positions), default=0
    )
    recent = [
        sum(state.at_ns - at_ns <= REPEATED_SPAN_NS for at_ns in one.entries_filled_ns)
        for one in positions
    ]
    assert used("executions_repeated_max") == max(recent, default=0)
    assert used("loss_day_max") == state.equity_session - state.equity
    assert used("drawdown_max") == state.equity_peak - state.equity


def test_position_and_orders_on_their_way_count_together() -> None:
    play = opened().hear(request("JD", key="a", shares=40))
    play.hear(fill(play.live()[0], D(30), OPEN_NS))
    left = told(play)["position_notional_max"]
    assert (left.about, left.used) == ("JD", "1276.8")
    assert left.left == "48723.2"


def test_nothing_booked_is_nothing_to_tell() -> None:
    assert told(Play()) == {}


def canary_life(epoch: int, configured: str, limits: CanaryLimits | None) -> object:
    return replace(
        boot(epoch),
        limits=replace(
            LIMITS,
            canary=limits,
            owner="ada",
            reason="as last year",
            why={"entries_open_max": Why(reason="so many fit on a screen")},
        ),
        strategies={StrategyName("sma-crossover"): configured},
    )


@pytest.fixture
def canary() -> Play:
    play = opened()
    play.hear(canary_life(2, "a", CanaryLimits(entries_per_day_max=3)))  # type: ignore[arg-type]
    return play


def test_a_canary_is_told_until_it_is_promoted_as_it_is(canary: Play) -> None:
    name = "canary.entries_per_day_max sma-crossover"
    assert told(canary)[name].left == "3"
    canary.hear(
        Command(command_id="p", verb="promote", subject="sma-crossover", who="ada", reason="so")
    )
    assert name not in told(canary)
    canary.hear(canary_life(3, "b", CanaryLimits(entries_per_day_max=3)))  # type: ignore[arg-type]
    assert told(canary)[name].left == "3", "it is configured otherwise now"


def test_each_limit_is_told_with_its_owner_and_reason(canary: Play) -> None:
    left = told(canary)
    assert {one.owner for one in left.values()} == {"ada"}
    assert left["entries_open_max"].reason == "so many fit on a screen"
    assert left["adds_max"].reason == "as last year"


def test_people_read_what_is_left(canary: Play) -> None:
    lines = list(lines_of([*told(canary).values()]))
    assert "entries_per_minute_max 1,000 of 1,000 left" in lines
    assert "canary.entries_per_day_max 3 of 3 left (sma-crossover)" in lines
    assert any(
        line.startswith("each order: order_notional_max 50,000, order_quantity_max 10,000,000, ")
        for line in lines
    )
    assert lines[-1].startswith("sma-crossover is a canary: canary.order_notional_max 2,000")
    assert "bin/trade promote sma-crossover" in lines[-1]
