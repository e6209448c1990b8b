"""Our table of sessions against exchange_calendars, in an environment of its own (it brings pandas)."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from trader.calendar import next_session, session_on
from trader.calendar_table import FIRST_YEAR, LAST_YEAR
from trader.model import SECOND_NS

ORACLE = f"""
import json, exchange_calendars
calendar = exchange_calendars.get_calendar("XNYS", start="{FIRST_YEAR}-01-01", end="{LAST_YEAR}-12-31")
print(json.dumps([
    (str(day.date()), int(row.open.timestamp()), int(row.close.timestamp()))
    for day, row in calendar.schedule.iterrows()
]))
"""


@pytest.mark.slow
def test_every_session_opens_and_closes_when_the_oracle_says(tmp_path: Path) -> None:
    printed = subprocess.run(
        [oracle_python(tmp_path), "-W", "ignore", "-c", ORACLE], capture_output=True, check=True
    ).stdout
    theirs = [
        (day, opens * SECOND_NS, closes * SECOND_NS) for day, opens, closes in json.loads(printed)
    ]
    first = session_on(theirs[0][0])
    assert first is not None, "the first session of the oracle is one of ours"
    ours = [(first.date, first.open_ns, first.close_ns)]
    while ours[-1][0] < theirs[-1][0]:
        session = next_session(ours[-1][0])
        ours.append((session.date, session.open_ns, session.close_ns))
    assert ours == theirs


def oracle_python(folder: Path) -> Path:
    """A Python that has exchange_calendars; skips the test where none can be made."""
    environment = folder / "oracle"
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    install: list[str | Path]
    try:
        if uv:
            subprocess.run(
                [uv, "venv", "-q", "-p", sys.executable, environment], check=True, timeout=120
            )
            install = [uv, "pip", "install", "-q", "-p", python]
        else:
            venv.create(environment, with_pip=True)
            install = [python, "-m", "pip", "install", "-q"]
        subprocess.run(
            [*install, "exchange_calendars"], check=True, timeout=300, capture_output=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"no environment with exchange_calendars can be made here: {error}")
    return python
