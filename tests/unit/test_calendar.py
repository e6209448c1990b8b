from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import (
    clock_text,
    iso,
    new_york_clock_ns,
    new_york_date,
    new_york_ns,
    next_session,
    night_of,
    parse_iso,
    phase,
    previous_session,
    session_of,
    session_on,
)
from trader.model import MINUTE_NS, SECOND_NS, Phase

UTC = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
FIRST_NS = parse_iso("1998-01-03T00:00:00Z")
LAST_NS = parse_iso("2029-12-31T00:00:00Z")
moments = st.integers(FIRST_NS, LAST_NS)


def at(text: str) -> int:
    """A New York wall clock time in nanoseconds."""
    local = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
    return int(local.timestamp()) * SECOND_NS


def test_a_winter_session_opens_at_half_past_two_utc_and_a_summer_one_an_hour_earlier() -> None:
    winter, summer = session_on("2026-01-26"), session_on("2026-07-27")
    assert winter is not None
    assert summer is not None
    assert iso(winter.open_ns) == "2026-01-26T14:30:00.000Z"
    assert iso(winter.pre_open_ns) == "2026-01-26T09:00:00.000Z"
    assert iso(winter.close_ns) == "2026-01-26T21:00:00.000Z"
    assert iso(winter.post_close_ns) == "2026-01-27T01:00:00.000Z"
    assert iso(summer.open_ns) == "2026-07-27T13:30:00.000Z"


@pytest.mark.parametrize(
    "day", ["2026-01-24", "2026-01-25", "2026-01-19", "2001-09-11", "2012-10-29", "2025-01-09"]
)
def test_there_is_no_session_on_weekends_holidays_and_days_of_mourning(day: str) -> None:
    assert session_on(day) is None


def test_the_day_after_thanksgiving_closes_at_one() -> None:
    session = session_on("2026-11-27")
    assert session is not None
    assert session.close_ns == at("2026-11-27T13:00")
    assert phase(at("2026-11-27T13:00")) is Phase.POST


def test_the_phases_of_a_day_begin_on_their_minute() -> None:
    expected = {
        "2026-01-26T03:59": Phase.CLOSED,
        "2026-01-26T04:00": Phase.PRE,
        "2026-01-26T09:29": Phase.PRE,
        "2026-01-26T09:30": Phase.REGULAR,
        "2026-01-26T15:59": Phase.REGULAR,
        "2026-01-26T16:00": Phase.POST,
        "2026-01-26T19:59": Phase.POST,
        "2026-01-26T20:00": Phase.CLOSED,
        "2026-01-25T12:00": Phase.CLOSED,
    }
    assert {text: phase(at(text)) for text in expected} == expected


def test_what_trades_around_the_clock_is_always_in_its_regular_phase() -> None:
    assert phase(at("2026-01-25T03:00"), always=True) is Phase.REGULAR


def test_a_bar_that_ends_at_eight_in_the_evening_belongs_to_its_session() -> None:
    session = session_of(at("2026-01-26T20:00"))
    assert session is not None
    assert session.date == "2026-01-26"
    assert session_of(at("2026-01-26T20:00") + 1) is None


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2026-01-25T19:59", None),  # a Sunday
        ("2026-01-25T20:00", "2026-01-26"),
        ("2026-01-26T03:59", "2026-01-26"),
        ("2026-01-26T04:00", None),
        ("2026-01-26T12:00", None),
        ("2026-01-26T20:00", "2026-01-27"),
        ("2026-01-30T20:00", None),  # a Friday
        ("2026-11-25T20:00", None),  # before Thanksgiving
        ("2026-11-26T20:00", "2026-11-27"),  # before a half day
        ("2026-03-08T20:00", "2026-03-09"),  # the day on which the clocks changed
    ],
)
def test_the_night_of_a_session_is_the_one_before_it(moment: str, session: str | None) -> None:
    found = night_of(at(moment))
    assert (None if found is None else found.date) == session


def test_the_next_and_the_previous_session_of_a_date_are_other_days() -> None:
    assert next_session("2026-01-26").date == "2026-01-27"
    assert next_session("2026-01-16").date == "2026-01-20"  # over Martin Luther King's day
    assert previous_session("2026-01-20").date == "2026-01-16"
    assert previous_session("2026-01-18").date == "2026-01-16"


def test_the_next_session_of_a_time_is_the_one_that_opens_after_it() -> None:
    assert next_session(at("2026-01-26T09:29")).date == "2026-01-26"
    assert next_session(at("2026-01-26T09:30")).date == "2026-01-27"
    assert next_session(at("2026-01-24T12:00")).date == "2026-01-26"
    assert previous_session(at("2026-01-26T15:59")).date == "2026-01-23"
    assert previous_session(at("2026-01-26T16:00")).date == "2026-01-26"


@given(moments)
def test_every_moment_lies_between_a_close_and_an_open_with_at_most_one_session_between(
    moment: int,
) -> None:
    last, following = previous_session(moment), next_session(moment)
    assert last.close_ns <= moment < following.open_ns
    between = next_session(last.date)
    assert between == following or next_session(between.date) == following


@given(moments)
def test_new_yorks_clock_is_that_of_the_time_zone_database(moment: int) -> None:
    local = datetime.fromtimestamp(moment // SECOND_NS, NEW_YORK)
    assert new_york_date(moment) == f"{local:%Y-%m-%d}"
    assert clock_text(moment) == f"{local:%H:%M}"


@pytest.mark.parametrize("year", range(1998, 2030))
def test_clocks_change_in_the_same_minute_as_in_the_time_zone_database(year: int) -> None:
    moment, end = datetime(year, 1, 1, 12, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC)
    while moment < end:
        for minute in (5 * 60 + 59, 6 * 60, 6 * 60 + 59, 7 * 60):
            instant = moment.replace(hour=minute // 60, minute=minute % 60)
            ours = clock_text(int(instant.timestamp()) * SECOND_NS)
            assert ours == f"{instant.astimezone(NEW_YORK):%H:%M}"
        moment += timedelta(days=1)


@pytest.mark.parametrize(
    "day", ["1997-12-31", "2030-01-02", "26-01-2026", "2026-02-30", "", "today"]
)
def test_a_date_outside_the_table_or_no_date_at_all_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match=r"calendar covers|date|day"):
        session_on(day)
    with pytest.raises(ValueError, match=r"calendar covers|date|day"):
        next_session(day)


def test_the_calendar_ends_with_a_clear_message() -> None:
    with pytest.raises(ValueError, match="1998-01-02 to 2029-12-31"):
        next_session("2029-12-31")
    with pytest.raises(ValueError, match="1998-01-02 to 2029-12-31"):
        previous_session("1998-01-02")
    for moment in (parse_iso("1971-01-01T00:00:00Z"), parse_iso("2031-01-01T00:00:00Z"), 10**30):
        with pytest.raises(ValueError, match="covers 1998 to 2029"):
            new_york_date(moment)


@given(st.integers(0, parse_iso("2199-12-31T23:59:59Z")))
def test_a_time_written_is_the_time_read(moment: int) -> None:
    assert parse_iso(iso(moment)) == moment


def test_a_time_has_as_many_decimals_as_it_needs() -> None:
    start = parse_iso("2026-01-26T14:46:00Z")
    assert iso(start) == "2026-01-26T14:46:00.000Z"
    assert iso(start + 123_000_000) == "2026-01-26T14:46:00.123Z"
    assert iso(start + 123_456_000) == "2026-01-26T14:46:00.123456Z"
    assert iso(start + 1) == "2026-01-26T14:46:00.000000001Z"


def test_zones_are_taken_into_account() -> None:
    assert parse_iso("2026-01-26T09:46:00-05:00") == parse_iso("2026-01-26T14:46:00Z")
    assert parse_iso("2026-01-26 15:46:00.5+01:00") == parse_iso("2026-01-26T14:46:00.5Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-26",
        "2026-01-26T14:46:00",  # no zone
        "2026-01-26T24:00:00Z",
        "2026-01-26T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-01-26T14:46:00.1234567890Z",
        "2026-01-26T14:46:00Z\n",
        "2026-01-26T14:46:00+99:00",
        "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "٢٠٢٦-01-26T14:46:00Z",
    ],
)
def test_what_is_no_exact_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|year|zone|day|month"):
        parse_iso(text)


def test_a_session_lasts_six_and_a_half_hours() -> None:
    session = session_on("2026-01-26")
    assert session is not None
    assert session.close_ns - session.open_ns == 390 * MINUTE_NS


@given(moments)
def test_new_yorks_date_and_clock_name_a_moment(at_ns: int) -> None:
    named_ns = new_york_ns(new_york_date(at_ns), new_york_clock_ns(at_ns))
    # The hour that is there twice, in autumn, is the second of the two.
    assert named_ns == at_ns or named_ns == at_ns + 60 * MINUTE_NS


def test_an_hour_that_is_there_twice_is_the_second_of_the_two() -> None:
    half_past_one = 90 * MINUTE_NS
    assert new_york_ns("2026-11-01", half_past_one) == parse_iso("2026-11-01T06:30:00Z")
    assert new_york_ns("2026-01-26", 570 * MINUTE_NS) == parse_iso("2026-01-26T14:30:00Z")
    assert new_york_ns("2026-07-27", 570 * MINUTE_NS) == parse_iso("2026-07-27T13:30:00Z")
    with pytest.raises(ValueError, match="calendar covers"):
        new_york_ns("2031-01-01", 0)
