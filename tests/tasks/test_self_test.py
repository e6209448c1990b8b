"""The self-test of every start: it passes with the rules as they are, and refuses the start with any that are not."""

import pytest
from trio.testing import MockClock

from trader import risk
from trader.exits import Exit, StartRefused
from trader.live.self_test import TASKS, self_test
from trader.messages import Blocking, DenyReason
from trader.question import Denial, Question


async def test_one_order_comes_out_of_eight_wishes() -> None:
    found = await self_test()
    assert (found.orders, found.blocked) == (1, TASKS - 1)
    assert str(found) == (
        "8 tasks wanted JD in the same instant: 1 order, 7 blocked. Safe to start."
    )


async def test_it_leaves_nothing_behind_and_can_be_run_again() -> None:
    assert await self_test() == await self_test()


async def test_code_without_the_duplicate_rule_must_not_trade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(question: Question) -> tuple[Blocking, str] | None:
        return None

    monkeypatch.setattr(risk, "duplicate", never)
    with pytest.raises(StartRefused, match="self-test failed") as refused:
        await self_test()
    assert refused.value.exit_code is Exit.REFUSED


async def test_code_that_denies_everything_must_not_trade_either(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def always(question: Question) -> Denial:
        return Denial(reason=DenyReason.HALTED, numbers={})

    monkeypatch.setattr(risk, "first_denial", always)
    with pytest.raises(StartRefused, match="self-test failed"):
        await self_test()
