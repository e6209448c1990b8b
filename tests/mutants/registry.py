"""All planted bugs, and the table of them in docs/safety.md: who catches whom."""

import re
from collections.abc import Sequence

from tests.mutants import (
    audit_bugs,
    book_bugs,
    decision_bugs,
    guard_bugs,
    history_bugs,
    last_line_bugs,
    proof_bugs,
    protection_bugs,
    scenario_bugs,
    shell_bugs,
    stop_bugs,
    time_bugs,
    venue_bugs,
)
from tests.mutants.planted import Catch, Planted
from tests.mutants.risk_rules import rules_off
from tests.program import ROOT

AREAS: dict[str, Sequence[Planted]] = {
    "One decision, one order": decision_bugs.DUPLICATES,
    "The rules": tuple(rules_off()),
    "Limits and gates": decision_bugs.LIMITS,
    "Order states and reports": book_bugs.ORDERS,
    "The books": book_bugs.BOOKS,
    "An account with a past": (*time_bugs.PAST, *time_bugs.DENIED),
    "The proof of the books": proof_bugs.PROOFS,
    "Turns": shell_bugs.TURNS,
    "Lanes and doubt": shell_bugs.LANES,
    "The journal": shell_bugs.JOURNAL,
    "The line to the broker": shell_bugs.LINE,
    "The last line": last_line_bugs.LAST_LINE,
    "Supervision": shell_bugs.WATCH,
    "Market data": guard_bugs.DATA,
    "Sessions": guard_bugs.SESSIONS,
    "A machine that slept, and its words": (*time_bugs.SLEEP, *time_bugs.WORDS),
    "Alarms": guard_bugs.ALARMS,
    "Reductions": stop_bugs.REDUCTIONS,
    "The kill switch": stop_bugs.KILL_SWITCH,
    "What guards a position": protection_bugs.PROTECTIONS,
    "What scenarios guard": scenario_bugs.SCENARIOS,
    "The simulated broker": (
        *venue_bugs.TRADES,
        *venue_bugs.BOOKS,
        *venue_bugs.GROUPS,
        *venue_bugs.WIRE,
    ),
    "Quotes and trades as history": history_bugs.TICKS,
    "What a backtest says, and where it begins": history_bugs.TOLD,
    "Another program's books": (*audit_bugs.AUDIT, *audit_bugs.REPAIR),
}
MUTANTS = tuple(one for area in AREAS.values() for one in area)
SAFETY = ROOT / "docs" / "safety.md"
BEGIN = "<!-- mutants: written by `bin/test --mutants --write`, from tests/mutants -->\n"
END = "<!-- end of mutants -->\n"


def table() -> str:
    """Markdown: each planted bug, and of each layer that has to notice it the tests."""
    lines = [""]
    for area, members in AREAS.items():
        lines += [f"| {area} | Caught by |", "|---|---|"]
        for one in members:
            masked = f" (with its second layer off: {one.masked})" if one.masked else ""
            lines.append(f"| {one.name}{masked} | {'; '.join(map(_words, one.catches))} |")
        lines.append("")
    return "\n".join(lines) + "\n"


def _words(catch: Catch) -> str:
    names = (re.sub(r"^.*::test_|^tests/", "", test) for test in catch.tests)
    return f"{catch.layer}: " + ", ".join(f"`{name}`" for name in names)


def table_written() -> str:
    """As it stands in docs/safety.md."""
    return SAFETY.read_text().partition(BEGIN)[2].partition(END)[0]


def write_table() -> None:
    """Between its two marks."""
    before, begin, rest = SAFETY.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, "docs/safety.md has lost its first mark"
    assert end, "docs/safety.md has lost its second mark"
    SAFETY.write_text(before + begin + table() + end + after)
