"""kill -9 in the life of a stop: after the restart the position has one at the broker, and never two."""

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.standing_broker import Account, Watched, standing_broker

CONFIG = """
broker = "alpaca-paper"
symbols = ["JD"]
[strategies.insistent]
kind = "insistent"
protection = { stop = 0.05 }
"""
HELD = "held"  # The report of the fill is committed: which one that is, nobody knows before.
# Where it is killed: steps to be reached in this order; the second order that leaves is the stop.
BEFORE = [
    ("bytes left", HELD),
    ("bytes left", "taken from the outbox"),
]
AFTER = [
    ("bytes left", "bytes left"),
    ("reply received", "reply received"),
    ("reply told", "reply told", "committed OrderReport"),
]
FAST = {("bytes left", "bytes left")}
CASES = [
    pytest.param(
        steps, is_sent, id=" - ".join(steps), marks=() if steps in FAST else pytest.mark.slow
    )
    for some, is_sent in ((BEFORE, False), (AFTER, True))
    for steps in some
]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        (tmp_path / "trader.toml").write_text(CONFIG)
        yield account


def hold_at(watched: Watched, account: Account, steps: tuple[str, ...]) -> None:
    watched.hold_at(("rows durable", *(one for one in steps if one != HELD)))
    if HELD in steps:
        while not account.ours("SELECT symbol FROM positions WHERE quantity > 0"):
            watched.let_go()
            watched.hold_at(("committed OrderReport",))


def stops(account: Account) -> list[dict[str, str]]:
    return [one for one in account.accepted() if one["side"] == "sell"]


@pytest.mark.parametrize(("steps", "is_sent"), CASES)
def test_killed_beside_its_stop_it_finds_it_again_or_sends_the_same(
    account: Account, steps: tuple[str, ...], is_sent: bool
) -> None:
    with account.watched() as first:
        hold_at(first, account, steps)
        while is_sent and not stops(account):
            pass  # The bytes are on their way: the kernel brings them, whatever becomes of us.
        before = {one["client_order_id"] for one in stops(account)}
        assert len(before) == is_sent
        assert first.end(signal.SIGKILL).code == -signal.SIGKILL
    with account.trading() as second:
        intended = {
            str(name)
            for (name,) in account.ours("SELECT client_order_id FROM orders WHERE side = 'SELL'")
        }
        if intended and not is_sent:
            # On record, and whether it left is in doubt: that takes a minute to prove, and somebody hears of it.
            second.wait_line(lambda line: "ALARM" in line and "no stop is proven" in line)
        else:
            while not stops(account):
                pass
        ended = second.end(signal.SIGTERM)
    assert ended.err == ""
    assert_one_stop(account, before, is_in_doubt=bool(intended) and not is_sent)


def assert_one_stop(account: Account, before: set[str], *, is_in_doubt: bool) -> None:
    found, bought = stops(account), [one for one in account.accepted() if one["side"] == "buy"]
    assert len(bought) == 1
    assert len(found) == (0 if is_in_doubt else 1)
    assert before <= {one["client_order_id"] for one in found}
    for stop in found:
        assert (stop["type"], stop["time_in_force"], stop["status"]) == ("stop", "gtc", "new")
        assert Decimal(stop["qty"]) == Decimal(bought[0]["filled_qty"])
    posted = account.posts()
    assert len(posted) == len(set(posted))
    assert account.difference() == ""
    assert account.ours("SELECT difference FROM proof") == [(0,)]
    assert account.ours("SELECT * FROM double_entries") == []
