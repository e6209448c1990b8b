"""kill -9 at each step of an order's life: after the restart there is one order for it, and the books agree."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.program import Ended
from tests.standing_broker import Account, is_blocked, standing_broker

REQUEST, SENDING, REPORT = "OrderRequest", "SendStarted", "OrderReport"

# Where it is killed: steps to be reached in this order, and whether an order is at the broker by then.
NOT_SENT = [
    (f"heard {REQUEST}",),
    (f"decided {REQUEST}",),
    (f"decided {REQUEST}", "rows written"),
    (f"decided {REQUEST}", "rows durable"),
    (f"committed {REQUEST}",),
    (f"acted {REQUEST}",),
    ("taken from the outbox",),
    ("last check passed",),
    ("bytes about to leave",),
]
# That they leave is recorded while they do: by then they have left, or they never will.
EITHER = [(f"decided {SENDING}",), (f"committed {SENDING}",)]
SENT = [
    ("bytes left",),
    ("reply received",),
    ("reply told",),
    (f"heard {REPORT}",),
    (f"decided {REPORT}",),
    (f"decided {REPORT}", "rows written"),
    (f"decided {REPORT}", "rows durable"),
    (f"committed {REPORT}",),
    (f"acted {REPORT}",),
    (f"committed {REPORT}", f"heard {REPORT}"),  # the next one: a fill after the reply
    (f"committed {REPORT}", f"decided {REPORT}", "rows written"),
    (f"committed {REPORT}", f"decided {REPORT}", "rows durable"),
    (f"committed {REPORT}", f"committed {REPORT}"),
    (f"committed {REPORT}", "log told"),
]
SAMPLE = {("last check passed",), ("bytes left",), (f"decided {REPORT}", "rows written")}
CASES = [
    pytest.param(
        steps, is_sent, id=" - ".join(steps), marks=() if steps in SAMPLE else pytest.mark.slow
    )
    for some, is_sent in ((NOT_SENT, False), (EITHER, None), (SENT, True))
    for steps in some
]


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with standing_broker(tmp_path) as account:
        yield account


@pytest.mark.parametrize(("steps", "is_sent"), CASES)
def test_killed_at_this_step_it_finds_its_order_again_and_sends_no_second_one(
    account: Account, steps: tuple[str, ...], is_sent: bool | None
) -> None:
    with account.watched() as first:
        first.hold_at(
            ("rows durable", *steps)
        )  # The first row is after the self-test, which has steps, too.
        while is_sent and not account.accepted():
            pass  # The bytes are on their way: the kernel brings them, whatever becomes of us.
        before = {order["client_order_id"] for order in account.accepted()}
        assert is_sent is None or bool(before) is is_sent
        killed = first.end(signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    with account.trading() as second:
        for symbol in ("JD", "T"):
            # It wants to buy at every tick, and has its order, or can't rule one out.
            second.wait_line(partial(is_blocked, symbol))
        ended = second.end(signal.SIGTERM)
    assert_one_order_each(account, ended, before)


def assert_one_order_each(account: Account, ended: Ended, before: set[str]) -> None:
    accepted = account.accepted()
    assert ended.err == ""
    assert len({order["symbol"] for order in accepted}) == len(accepted), "one for each symbol"
    rows = account.ours("SELECT client_order_id, state FROM orders")
    intended = {str(name): state for name, state in rows}
    assert before <= {order["client_order_id"] for order in accepted} <= set(intended)
    # An order that was never at the broker is in doubt until that is proven, which takes more than a minute.
    in_doubt = [name for name, state in intended.items() if state == "UNKNOWN"]
    assert ended.code == (1 if in_doubt else 0), ended.out
    assert not {order["client_order_id"] for order in accepted} & set(in_doubt)
    posted = account.posts()
    assert len(posted) == len(set(posted))
    assert account.difference() == ""
    assert account.ours("SELECT difference FROM proof") == [(0,)]
    assert account.ours("SELECT * FROM double_entries") == []
