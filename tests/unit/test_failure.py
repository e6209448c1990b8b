"""What the journal says of a failure: enough to find it, and nothing of the machine it happened on."""

from pathlib import Path

import pytest

from trader.failure import FRAMES_MAX, failure_text

HERE = __name__


class Trouble(Exception):
    """A strategy's own."""


def deeper(depth: int) -> None:
    if depth:
        deeper(depth - 1)
    raise Trouble("no use for it")


def anew(*, is_told: bool) -> None:
    try:
        deeper(0)
    except Trouble as trouble:
        raise ValueError("so") from (trouble if is_told else None)


def failed(error: type[Exception], depth: int = 1) -> str:
    try:
        deeper(depth)
    except error as found:
        return failure_text(found)
    raise AssertionError("it fails")


def test_a_failure_is_told_by_module_line_and_function_the_last_call_last() -> None:
    first, *frames, last = failed(Trouble).splitlines()
    assert first == "Traceback (most recent call last):"
    assert [one.split(", ")[0] for one in frames] == [f"  {HERE}"] * 3
    assert [one.rpartition(" ")[2] for one in frames] == ["failed", "deeper", "deeper"]
    assert last == f"{HERE}.Trouble: no use for it"


def test_nothing_in_it_says_where_the_program_lies() -> None:
    text = failed(Trouble)
    assert str(Path(__file__).parent) not in text
    assert "/" not in text
    assert ".py" not in text


def test_a_fault_of_pythons_own_has_its_plain_name() -> None:
    with pytest.raises(IndexError) as raised:
        [][0]
    assert failure_text(raised.value).endswith("\nIndexError: list index out of range")


def test_what_led_to_it_is_told_before_it() -> None:
    with pytest.raises(ValueError, match="so") as raised:
        anew(is_told=True)
    before, after = failure_text(raised.value).split("\nwhich led to:\n")
    assert before.endswith("Trouble: no use for it")
    assert after.endswith("ValueError: so")


def test_what_was_hidden_on_purpose_stays_so() -> None:
    with pytest.raises(ValueError, match="so") as raised:
        anew(is_told=False)
    assert "Trouble" not in failure_text(raised.value)


def test_a_group_tells_what_it_holds() -> None:
    group = ExceptionGroup("two at once", [Trouble("one"), ValueError("other")])
    text = failure_text(group)
    assert "ExceptionGroup: two at once (2 sub-exceptions)" in text
    assert "1 of 2:" in text
    assert f"{HERE}.Trouble: one" in text
    assert text.endswith("ValueError: other")


def test_a_recursion_without_end_is_told_in_a_few_lines() -> None:
    lines = failed(Trouble, depth=400).splitlines()
    assert len(lines) == FRAMES_MAX + 3
    assert "  ... 372 more ..." in lines
