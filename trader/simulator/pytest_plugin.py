"""A pytest fixture that serves the simulated broker to one test: `pytest_plugins = ["trader.simulator.pytest_plugin"]`.

It is no entry point: those are loaded by every run of pytest in an environment, with all modules of their package
rewritten for it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from trader.simulator import in_process


@pytest.fixture
def simulated_broker_setting() -> Mapping[str, Any]:
    """The words of `standing.Standing`: for a test to override, or to parametrize."""
    return {}


@pytest.fixture
def simulated_broker(
    simulated_broker_setting: Mapping[str, Any],
) -> Iterator[in_process.InProcessBroker]:
    """A broker on 127.0.0.1, standing at the opening of a session; its time passes with `advance`."""
    with in_process.simulated_broker(**simulated_broker_setting) as broker:
        yield broker
