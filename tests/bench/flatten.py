"""The stop button: from `bin/trade halt --flatten` being typed to the last exit's POST, over real sockets."""

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tests.bench.measure import Sample
from tests.bench.morning import symbols_of
from tests.crowded import write_market
from tests.program import PATIENCE_S
from tests.standing_broker import Account, standing_broker
from trader.control.client import ask
from trader.control.wire import Asked, socket_path
from trader.model import SECOND_NS

WORK = 50  # positions
WORK_TINY = 3
CONFIG = """
broker = "alpaca-paper"
symbols = {symbols}
[limits]
entries_open_max = 100
entries_per_minute_max = 1000
[strategies.insistent]
kind = "insistent"
size = {{ shares = 5 }}
{protection}
"""
STOP = "protection = { stop = 0.2 }"
SALE = r"^POST /v2/orders client_order_id=\S+-S-"
CANCEL = r"^DELETE /v2/orders "


def once(work: int, folder: Path) -> list[Sample]:
    """Bought one of each, then halted and flattened; the same with a stop at rest beneath each."""
    path = folder.resolve()
    return [*flattened(path / "bare", work, ""), *flattened(path / "guarded", work, STOP)]


def flattened(path: Path, work: int, protection: str) -> list[Sample]:
    """One account's morning and its end. The second time nobody types: the socket is asked, as the verb would."""
    symbols, data = symbols_of(work), path / "data"
    data.mkdir(parents=True)
    write_market(data, symbols)
    with standing_broker(path, "--data", str(data)) as account:
        (path / "trader.toml").write_text(
            CONFIG.format(symbols=list(symbols), protection=protection)
        )
        with account.trading() as running:
            while not is_ready(account, work, bool(protection)):
                running.wait_line(lambda line: True)
            began_s = time.time_ns() / SECOND_NS
            if protection:
                asked(account)
            else:
                halted(account)
            answered_s = time.time_ns() / SECOND_NS
            while account.asked("positions"):
                running.wait_line(lambda line: "FLAT " in line)
            # What left before it was a stop.
            exits_s = [at for at in sent_s(account, SALE) if at > began_s]
    assert len(exits_s) == work, f"{len(exits_s)} exits for {work} positions"
    if not protection:
        return samples_of("halt --flatten typed", began_s, answered_s, exits_s)
    cancels = Sample(
        name="stops resting: cancels sent", value=len(sent_s(account, CANCEL)), unit="requests"
    )
    asking = "stops resting: halt --flatten asked of the socket"
    return [*samples_of(asking, began_s, answered_s, exits_s), cancels]


def samples_of(
    beginning: str, began_s: float, answered_s: float, exits_s: Sequence[float]
) -> list[Sample]:
    return [
        Sample(name=f"{beginning}, to its answer", value=answered_s - began_s, unit="s"),
        Sample(
            name=f"{beginning}, to the last exit sent",
            value=max(exits_s) - began_s,
            unit="s",
            goal=2.0,
            is_ceiling=True,
        ),
        Sample(
            name=f"{beginning}: from the first exit sent to the last",
            value=max(exits_s) - min(exits_s),
            unit="s",
        ),
    ]


def asked(account: Account) -> None:
    """The command's arrival, without the second that Python takes to start."""
    flatten = Asked(command_id="bench", verb="halt", subject="flatten", who="bench", reason="bench")
    assert ask(socket_path(account.path / "trading_data.db"), flatten).outcome == "done"


def is_ready(account: Account, work: int, is_guarded: bool) -> bool:
    """All is held, and every stop rests."""
    if len(account.asked("positions")) < work:
        return False
    open_orders = account.asked("orders?status=open&limit=500")
    return not is_guarded or sum(one["type"] == "stop" for one in open_orders) == work


def halted(account: Account) -> None:
    """The verb, as a person types it."""
    subprocess.run(
        [sys.executable, "-P", "-m", "trader", "halt", "--flatten", "--reason", "bench"],
        cwd=account.path,
        env=account.environment(),
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )


def sent_s(account: Account, request: str) -> list[float]:
    """When each request of a kind left, by the adapter's own lines."""
    return [
        seconds_of(line)
        for line in account.log()
        if line["event"] == "adapter" and re.search(request, str(line["message"]))
    ]


def seconds_of(line: Mapping[str, object]) -> float:
    return datetime.fromisoformat(str(line["timestamp"])).timestamp()
