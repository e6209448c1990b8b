"""What every start looks at first, and the checks that a person passes by: by name, with a reason, journaled."""

import getpass
from pathlib import Path

from trader import doctor
from trader.build import Build
from trader.cli.commands import checked_reason
from trader.config import BrokerName
from trader.doctor import Verdict
from trader.exits import Mistake, StartRefused
from trader.live.screen import PlainScreen
from trader.live.watch import Bypass


def checked_start(
    database: Path,
    build: Build,
    broker: BrokerName,
    *,
    bypassed: tuple[str, ...],
    reason: str | None,
    screen: PlainScreen,
) -> tuple[Bypass, ...]:
    """Say what is doubtful, and give what was passed by for the journal; raises StartRefused for what fails."""
    if bypassed and reason is None:
        raise Mistake("wants a --reason", where=f"--bypass {bypassed[0]}")
    findings = list(
        doctor.at_start(
            database,
            build,
            is_real=broker is not BrokerName.SIMULATED,
            is_live=broker is BrokerName.ALPACA_LIVE,
        )
    )
    refusal = doctor.refusing(findings, bypassed)
    if refusal is not None:
        bypass = f"; or --bypass {refusal.check} --reason" * (refusal.check in doctor.BYPASSABLE)
        raise StartRefused(refusal.what, where=refusal.check, remedy=refusal.remedy + bypass)
    for one in findings:
        if one.verdict is not Verdict.OK:
            screen.say(f"{one.verdict} {one.check}: {one.what} ({one.remedy})")
    if not bypassed:
        return ()
    words = checked_reason(reason or "")
    return tuple(Bypass(check=one, who=getpass.getuser(), reason=words) for one in bypassed)
