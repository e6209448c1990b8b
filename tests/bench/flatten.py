"""The stop button: from `bin/trade halt --flatten` being typed to the last exit's POST, over real sockets."""

import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from tests.bench.measure import Sample
from tests.bench.morning import symbols_of
from tests.crowded import write_market
from tests.program import PATIENCE_S
from tests.standing_broker import Account, standing_broker
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
"""


def once(work: int, folder: Path) -> list[Sample]:
    """Bought one of each, then halted and flattened."""
    symbols, path = symbols_of(work), folder.resolve()
    data = path / "data"
    data.mkdir()
    write_market(data, symbols)
    with standing_broker(path, "--data", str(data)) as account:
        (path / "trader.toml").write_text(CONFIG.format(symbols=list(symbols)))
        with account.trading() as running:
            while len(account.asked("positions")) < work:
                running.wait_line(lambda line: " BUY " in line)
            typed_s = time.time_ns() / SECOND_NS
            halted(account)
            answered_s = time.time_ns() / SECOND_NS - typed_s
            while account.asked("positions"):
                running.wait_line(lambda line: "FLAT " in line)
            posts_s = exits_sent_s(account)
    assert len(posts_s) == work, f"{len(posts_s)} exits for {work} positions"
    return [
        Sample(
            name="halt --flatten typed, to its answer",
            value=answered_s,
            unit="s",
        ),
        Sample(
            name="halt --flatten typed, to the last exit sent",
            value=max(posts_s) - typed_s,
            unit="s",
            goal=2.0,
            is_ceiling=True,
        ),
        Sample(
            name="from the first exit sent to the last",
            value=max(posts_s) - min(posts_s),
            unit="s",
        ),
    ]


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


def exits_sent_s(account: Account) -> list[float]:
    """When each POST of a sale left, by the adapter's own lines."""
    return [
        datetime.fromisoformat(str(line["timestamp"])).timestamp()
        for line in account.log()
        if line["event"] == "adapter"
        and "POST /v2/orders client_order_id=" in str(line["message"])
        and "-S-" in str(line["message"])
    ]
