"""The calendar as the simulated broker tells it: sessions by the day that they trade or settle on."""

import pytest

from tests.simulator_served import served


@pytest.mark.parametrize(
    ("day", "settles"),
    [
        ("1999-10-05", "1999-10-08"),
        (
            "1999-10-08",
            "1999-10-14",
        ),  # over Columbus Day, when banks are shut and the exchange is not
        ("1999-10-11", "1999-10-14"),
        ("2000-12-29", "2001-01-04"),
        ("2017-09-01", "2017-09-07"),  # the last of three days
        ("2017-09-05", "2017-09-07"),
        ("2024-05-24", "2024-05-29"),  # the last of two
        ("2024-05-28", "2024-05-29"),
        ("2026-01-16", "2026-01-20"),  # a weekend and a holiday between
        ("2026-11-10", "2026-11-12"),  # Veterans Day
        ("2029-11-09", "2029-11-13"),  # the same, on a Sunday
        ("2029-12-28", "2029-12-31"),
        ("2029-12-31", "2030-01-02"),  # beyond the table
    ],
)
async def test_trades_settle_by_the_rule_of_their_day(day: str, settles: str) -> None:
    async with served() as broker:
        (told,) = await broker.read_list("/v2/calendar", start=day, end=day)
        assert (told["date"], told["settlement_date"]) == (day, settles)
        same = await broker.read_list("/v2/calendar", start=day, end=day, date_type="trading")
        assert same == [told]
        settling = await broker.read_list(
            "/v2/calendar", start=settles, end=settles, date_type="SETTLEMENT"
        )
        assert told in settling
        assert {one["settlement_date"] for one in settling} <= {settles}


async def test_what_settles_from_a_day_to_another_was_traded_before() -> None:
    async with served() as broker:
        span = {"start": "2026-10-12", "end": "2026-10-14"}
        settling = await broker.read_list("/v2/calendar", date_type="SETTLEMENT", **span)
        assert [one["date"] for one in settling] == ["2026-10-09", "2026-10-12", "2026-10-13"]
        trading = await broker.read_list("/v2/calendar", **span)
        assert [one["date"] for one in trading] == ["2026-10-12", "2026-10-13", "2026-10-14"]
        days = await broker.read_list("/v2/calendar")
        known = await broker.read_list("/v2/calendar", date_type="SETTLEMENT")
        assert (days[0]["date"], days[-1]["date"]) == ("1998-01-02", "2029-12-31")
        assert known == [one for one in days if str(one["settlement_date"]) < "2030"]
        early = await broker.read_list("/v2/calendar", start="0001-01-01", end="1998-01-07")
        assert len(early) == 4
        refused = await broker.get("/v2/calendar", date_type="YESTERDAY")
        assert refused.status_code == 400
