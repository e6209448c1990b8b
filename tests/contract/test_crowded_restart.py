"""Killed with a thousand orders open: the next start finds them all, agrees, opens entries, and sends none again."""

import signal
from pathlib import Path

import pytest

from tests.crowded import crowd, is_open
from tests.standing_broker import is_blocked


@pytest.mark.parametrize(
    "orders", [pytest.param(16, id="16"), pytest.param(1_000, id="1,000", marks=pytest.mark.slow)]
)
def test_killed_with_many_orders_open_it_agrees_and_sends_none_twice(
    tmp_path: Path, orders: int
) -> None:
    with crowd(tmp_path, orders) as crowded:
        crowded.crowded()
        account, before = crowded.account, crowded.open_orders()
        assert len(before) == orders
        with account.trading() as running:
            ready = running.wait_line(is_open)
            assert f"{orders} open orders" in ready
            running.wait_line(lambda line: is_blocked("AAA", line))
            ended = running.end(signal.SIGTERM)
        assert (ended.code, ended.err) == (0, "")
        assert crowded.open_orders() == before
        assert account.difference() == ""
        posted = account.posts()
        assert len(posted) == len(set(posted)) == orders + orders // 8
        assert account.ours("SELECT difference FROM proof") == [(0,)]
