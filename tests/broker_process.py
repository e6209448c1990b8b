"""`trade broker` in a process of its own, and a client that shows the keys which it has printed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60.0


LINES = 4  # address, key, secret, admin-token


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """`trade broker`, and a client with the keys and the operator's token that it printed."""
    command = [sys.executable, "-m", "trader", "broker", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = (process.stdout.readline().split() for _ in range(LINES))
        told = dict(line for line in lines if len(line) == 2)
        headers = {"APCA-API-KEY-ID": told["key"], "APCA-API-SECRET-KEY": told["secret"]}
        headers |= {"Authorization": f"Bearer {told['admin-token']}"}
        try:
            with httpx2.Client(
                base_url=told["address"], headers=headers, trust_env=False
            ) as client:
                yield process, client
        finally:
            process.kill()


def post_order(client: httpx2.Client, client_order_id: str) -> httpx2.Response:
    body = {
        "symbol": "JD",
        "qty": "1",
        "side": "buy",
        "type": "limit",
        "limit_price": "1.00",
        "time_in_force": "gtc",
        "client_order_id": client_order_id,
    }
    return client.post("/v2/orders", json=body)
