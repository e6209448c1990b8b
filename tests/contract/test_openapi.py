"""The simulated broker against Alpaca's own OpenAPI files: no 5xx, no wrong shape, no status that they don't have."""

import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from trader.simulator.in_process import simulated_broker

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-schemathesis" / "bin" / "python"
EXAMPLES = 8  # of each operation as it should be asked, and as many as it shouldn't
DRIVEN_S = 1_000

# Statuses that the files don't name where we answer with them, and why we do so all the same.
UNDOCUMENTED = {
    401: "keys that are wrong: of all operations; Alpaca's page on authentication has it, the files don't",
    403: "what the account may not do now, such as selling what is held for another order: named for POST alone",
    404: "what the path or the id names isn't there: seen at Alpaca, and its clients know it",
    422: "parameters that can't be: Alpaca's word for them at the trading service; the files name mostly success",
}
# Shapes that the files don't have, by operation and a part of what is said of them, and why we keep them.
ODD_SHAPES = {
    ("GET /v2/account/activities/{activity_type}", "under more than one of the schemas"): (
        "an activity is to be exactly one of two shapes that require nothing: every fill is both"
    ),
    ("DELETE /v2/positions", "a required property"): (
        "the body is to be an order; where none could be sent it says why, and alpaca-py reads it so"
    ),
}


class Report(Struct, frozen=True, kw_only=True):
    answers: dict[str, dict[int, int]]
    wrong: list[tuple[str, str, str, str]]


@pytest.fixture(scope="module")
def report() -> Report:
    """What the driver found out about a broker whose time stands; skips where its environment can't be made."""
    made = subprocess.run(
        [ROOT / "bin" / "set-up", "schemathesis"], capture_output=True, text=True, timeout=600
    )
    if made.returncode:
        pytest.skip(f"no environment with schemathesis can be made here: {made.stderr[-300:]}")
    driver: list[str | Path] = [PYTHON, "-W", "ignore", ROOT / "tests" / "openapi_driver.py"]
    with simulated_broker() as broker:
        ended = subprocess.run(
            [*driver, broker.address, broker.key, broker.secret, str(EXAMPLES)],
            capture_output=True,
            text=True,
            timeout=DRIVEN_S,
        )
    assert ended.returncode == 0, ended.stderr
    return msgspec.convert(json.loads(ended.stdout), Report, strict=False)


@pytest.mark.slow
def test_nothing_fails_and_no_shape_is_wrong(report: Report) -> None:
    wrong = [
        (label, check, what, shown)
        for label, check, what, shown in report.wrong
        if check != "status_code_conformance"
        and not any(label == odd and part in what for odd, part in ODD_SHAPES)
    ]
    assert wrong == [], "\n".join(" ".join(one) for one in wrong)


@pytest.mark.slow
def test_no_status_is_answered_that_has_no_reason(report: Report) -> None:
    strange = {
        (label, int(status))
        for label, check, status, _ in report.wrong
        if check == "status_code_conformance"
    }
    assert {status for _, status in strange} <= UNDOCUMENTED.keys()
    nameless = {
        label
        for label, status in strange
        if status == 404 and "{" not in label and ":" not in label
    }
    assert nameless == set(), "404 where nothing is named"


@pytest.mark.slow
def test_every_operation_was_asked_and_succeeded(report: Report) -> None:
    assert len(report.answers) >= 35
    failed = [
        label
        for label, answers in report.answers.items()
        if not any(200 <= status < 300 for status in answers)
    ]
    assert failed == []
