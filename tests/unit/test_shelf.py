"""History that is too long for memory is read from a file: the same bars, and the same backtest of them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.histories import GS, JD
from tests.unit.test_backtest_hearing import same, sma, walk
from trader.exits import Mistake
from trader.feeds.columns import NUMBERS, Columns
from trader.feeds.history import data_identity, read_history
from trader.feeds.random_walk import random_walk
from trader.feeds.shelf import BLOCK, Shelf

HEADER = "timestamp,symbol,open,high,low,close,volume"


def of_a_file(*histories: Columns) -> list[Columns]:
    """The same, none of them in memory."""
    shelf = Shelf(in_memory_max=0)
    numbers = {one.symbol: [shelf.put(one)] for one in histories}
    found = list(shelf.take(numbers).values())
    assert all(not one.are_in_memory for one in found)
    return found


def listed(columns: Columns) -> list[list[int]]:
    return [getattr(columns, name).tolist() for name in NUMBERS]


@pytest.mark.parametrize("in_memory_max", [0, 3, 1_000])
def test_files_in_any_order_and_days_out_of_them_are_the_same_bars(
    tmp_path: Path, in_memory_max: int
) -> None:
    for name, symbol, day in (
        ("a", "JD", "08"),
        ("b", "GS", "07"),
        ("c", "JD", "07"),
        ("d", "JD", "09"),
    ):
        rows = [
            f"2013-10-{day}T14:0{minute}:00Z,{symbol},10,11,9,10,{day}{minute}"
            for minute in range(3)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join([HEADER, *rows]))
    for start, end in ((None, None), ("2013-10-08", None), (None, "2013-10-08")):
        expected = read_history([tmp_path], start=start, end=end)
        found = read_history([tmp_path], start=start, end=end, in_memory_max=in_memory_max)
        bars = sum(map(len, found.values()))
        assert all(one.are_in_memory == (bars <= in_memory_max) for one in found.values())
        assert {symbol: listed(one) for symbol, one in found.items()} == {
            symbol: listed(one) for symbol, one in expected.items()
        }
        assert data_identity(found) == data_identity(expected)


@given(st.integers(1, 3 * BLOCK), st.data())
def test_by_place_they_are_what_they_are_in_memory(bars: int, data: st.DataObject) -> None:
    walked = random_walk(3, bars)
    (found,) = of_a_file(walked)
    views = list(zip(walked.views(), found.views(), strict=True))
    assert [len(one) for _, one in views] == [bars] * len(NUMBERS)
    for place in data.draw(st.lists(st.integers(0, bars - 1), max_size=20)):
        last = place + data.draw(st.integers(0, 2 * BLOCK))
        for ours, theirs in views:
            assert theirs[place] == ours[place]
            assert theirs[place:last].tolist() == ours[place:last].tolist()


@pytest.mark.parametrize("ways", [["one by one"], ["in blocks while flat"], ["by column"]])
def test_a_backtest_of_them_has_the_same_journal(ways: list[str]) -> None:
    histories = [walk(JD, 5, 600), walk(GS, 6, 550, first=30, span=1)]
    in_memory = same(*histories, ways=ways, config=sma())
    assert in_memory.orders > 20
    assert same(*of_a_file(*histories), ways=ways, config=sma()) == in_memory


def test_their_numbers_rest_and_are_there_again() -> None:
    walked = random_walk(3, 10_000)
    (found,) = of_a_file(walked)
    for _ in range(2):
        assert listed(found) == listed(walked)
        found.rest()


def test_the_file_has_no_name_and_lies_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (found,) = of_a_file(random_walk(3, 10))
    assert os.listdir(tmp_path) == []  # nor a hidden one
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    with pytest.raises(Mistake) as refused:
        of_a_file(random_walk(3, 10))
    assert str(refused.value) == (
        f"{tmp_path}/gone: history finds no room there: No such file or directory "
        "(name another folder in TMPDIR)"
    )
    assert len(found) == 10
