"""What a scenario guards is taken out of a copy of the program; the scenario must say so."""

import subprocess
from pathlib import Path

import pytest

from tests.mutants import Mutant
from tests.program import PATIENCE_S

pytestmark = pytest.mark.slow
Edit = tuple[str, str, str]

NO_SELF_TEST: Edit = (
    "live/self_test.py",
    "if found.orders != 1 or found.blocked != TASKS - 1:",
    "if False:",
)
NO_DUPLICATE_RULE: Edit = (
    "execution.py",
    "blocked = risk.duplicate(question)",
    "blocked = None",
)
DOUBT_IS_DEATH: Edit = ("reports.py", "return doubted(state, order, outcome.reason)", NotImplemented)  # type: ignore[assignment]
