"""What every test starts from: the exact decimal context of the program; and what is run when time is short.

With Hypothesis installed, pytest-trio makes Trio's scheduler deterministic for the whole session: each batch of
runnable tasks is shuffled by one generator, which Hypothesis seeds inside @given. So the order of tasks is a fresh
one in each plain test, and a repeatable one in a property: a race belongs into a property.
"""

import os
import secrets
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings

from trader.money import use_exact_context
from trader.strategies import STRATEGIES

use_exact_context()

# Deadlines are timed asserts: on a busy machine they fail for no reason of ours.
settings.register_profile(
    "trader", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("trader")

DRAWN = "TRADER_TESTS_DRAWN"  # by the process that hands tests out, for all that run them
BEGAN_S = time.monotonic()
LINES_OF_A_FAILURE = 25


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--within",
        type=float,
        metavar="MINUTES",
        help="begin no slow test after that; they come last, in an order that is drawn afresh (--draw)",
    )
    parser.addoption("--draw", metavar="WORD", help="draw that order by this word")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--within") is not None:
        os.environ.setdefault(DRAWN, config.getoption("--draw") or secrets.token_hex(4))
        config.pluginmanager.register(AtOnce(config))


class AtOnce:
    """Says what failed when it fails: a run that is cut off never comes to its summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or terminal is None:  # Who runs tests for another has no terminal.
            return
        terminal.ensure_newline()
        for line in [
            f"FAILED {report.nodeid}",
            *report.longreprtext.splitlines()[-LINES_OF_A_FAILURE:],
        ]:
            terminal.write_line(line)


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("--within") is None:
        return ""
    return f"slow tests as time allows, in the order drawn by --draw {os.environ[DRAWN]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With little time the fast tests come first; then the slow ones, each for itself where nothing is shared."""
    if config.getoption("--within") is None:
        return
    places = {id(one): Random(f"{os.environ[DRAWN]}/{group_of(one)}").random() for one in items}
    items.sort(key=lambda one: places[id(one)] if is_slow(one) else -1.0)
    for one in items:
        one.add_marker(pytest.mark.xdist_group(group_of(one)))


def group_of(item: pytest.Item) -> str:
    """What one process has to run: a file, or of slow tests what shares a fixture."""
    file = item.nodeid.partition("::")[0]
    if not is_slow(item):
        return file
    return f"{file} slow" if shares_fixtures(item.path) else item.nodeid


@cache
def shares_fixtures(path: Path) -> bool:
    return 'scope="' in path.read_text()


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("--within")
    if minutes is not None and is_slow(item) and time.monotonic() - BEGAN_S > 60 * minutes:
        pytest.skip(f"the {minutes:g} minutes for slow tests are over")


@pytest.fixture(autouse=True)
def strategies_of_the_library() -> Iterator[None]:
    """What a test adds to the strategies that there are is gone after it."""
    before = dict(STRATEGIES)
    yield
    STRATEGIES.clear()
    STRATEGIES.update(before)


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None
