"""Alpaca's official client for JavaScript, unmodified, against `trade broker`: it trades, and follows both streams."""

import json
import shutil
import subprocess

import pytest

from tests.official_clients import ALPACA_JS, CLIENT_S, alpaca_js, standing_broker


@pytest.mark.slow
def test_the_official_javascript_client_trades_and_follows_both_streams() -> None:
    environment = alpaca_js()
    # Beside its package: that is where Node looks for it.
    shutil.copyfile(ALPACA_JS / "client.mjs", environment / "client.mjs")
    with standing_broker("--seed", "7", "--speed", "240") as told:
        ended = subprocess.run(
            ["node", "client.mjs", *told],
            cwd=environment,
            capture_output=True,
            text=True,
            timeout=CLIENT_S,
        )
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    updates = [event for event, _ in seen.pop("updates")]
    assert [word for word in updates if word in ("fill", "replaced", "canceled")] == [
        "fill",
        "replaced",
        "canceled",
        "fill",
    ]
    assert {(symbol, positive) for symbol, positive in seen.pop("bars")} == {("JD", True)}
    assert seen == {
        "account": ["ACTIVE", "250000", "PA"],
        "clock": True,
        "asset": "JD",
        "bought": "filled",
        "found": True,
        "open": ["resting"],
        "moved": [True, "3", "1.5"],
        "left": 0,
        "refusals": {
            "twice": [422, 40010001, True],
            "poor": [403, 40310000, True],
            "unknown": [404, 40410000, True],
        },
        "positions": [["JD", "5", "long"]],
        "flat": 0,
        "history": 7,
        "latest": True,
    }
