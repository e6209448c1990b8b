"""What a scenario guards is taken out of a copy of the program; the scenario must say so."""

import subprocess
from pathlib import Path

import pytest

from tests.mutants import Mutant
from tests.program import PATIENCE_S
from trader.exits import Exit

pytestmark = pytest.mark.slow
Edit = tuple[str, str, str]

NO_SELF_TEST: Edit = (
    "live/self_test.py",
    "if found.orders != 1 or found.blocked != TASKS - 1:",
    "if False:",
)
NO_DUPLICATE_RULE: Edit = (
    "execution.py",
    "blocked = risk.duplicate(wanted_of(state, request))",
    "blocked = None",
)
DOUBT_IS_DEATH: Edit = (
    "reports.py",
    "            return doubted(state, order, outcome.reason)",
    "            return triggered(state, order, Trigger.REJECTED, outcome.reason)",
)
FORGOTTEN = "orders=Map({name: _unasked(order) for name, order in state.orders.items()}),"
DIFFERENCES_IGNORED: Edit = (
    "agreement.py",
    "    differences = _differences(state, statement)\n",
    "    differences: list[DifferenceFound] = []\n",
)
OPENED = (
    "    journal = open_journal(\n"
    "        database, create=create, since=since, take_over=take_over, pid=pid, inline=inline\n"
    "    )\n"
)

TAKEN_OUT: list[tuple[str, str, list[Edit]]] = [
    ("s01-eight-tasks", "the duplicate rule", [NO_DUPLICATE_RULE, NO_SELF_TEST]),
    (
        "s02-made-anew",
        "the memory of the lives before",
        [("evolve.py", FORGOTTEN, "orders=Map(), positions=Map(), positions_value=ZERO,")],
    ),
    (
        "s03-restart-in-doubt",
        "the orders of the life before",
        [("evolve.py", FORGOTTEN, "orders=Map(), positions=Map(), positions_value=ZERO,")],
    ),
    (
        "s04-unreadable-books",
        "the refusal of what can't be read",
        [
            (
                "live/opening.py",
                OPENED,
                "    try:\n"
                "        journal = open_journal(database, create=create, since=since)\n"
                "    except StartRefused:\n"
                "        database.unlink()\n"
                "        journal = open_journal(database, create=True, since=since)\n",
            )
        ],
    ),
    ("s05-lost-acknowledgement", "UNKNOWN", [DOUBT_IS_DEATH]),
    ("s05-after-the-deadline", "UNKNOWN", [DOUBT_IS_DEATH]),
    (
        "s06-fills-in-any-order",
        "the booking of what comes after the end",
        [
            (
                "reports.py",
                "if report.execution is not None and not orders.knows(order, report.execution):",
                "if report.execution is not None and not orders.knows(order, report.execution)"
                " and orders.is_live(order):",
            )
        ],
    ),
    (
        "s07-not-found-yet",
        "patience with an order that isn't found",
        [("outbox.py", "if is_proven:", "if isinstance(answer, LookupMissed):")],
    ),
    ("s08-no-id-and-odd-words", "UNKNOWN", [DOUBT_IS_DEATH]),
    (
        "s08-no-id-and-odd-words",
        "the quarantine of words that nobody knows",
        [("reports.py", "if report.claim is Claim.FOREIGN_CHANGE:", "if False:")],
    ),
    (
        "s09-events-missing",
        "polling",
        [("supervisor.py", "POLL_LIVE_MINUTES = 5", "POLL_LIVE_MINUTES = 10**9")],
    ),
    (
        "s09-mute-market-data",
        "the look at the age of the last tick",
        [
            (
                "brokers/alpaca/data_stream.py",
                "elif now_ns - since_ns > self._silence.ns_max:",
                "elif False:",
            )
        ],
    ),
    ("s10-empty-positions", "calling a difference", [DIFFERENCES_IGNORED]),
    (
        "s10-half-an-answer",
        "the refusal of a list that breaks off",
        [
            (
                "wire/alpaca.py",
                "        return _POSITIONS.decode(body)\n",
                "        return _POSITIONS.decode(body if body.endswith(b']') else b'[]')\n",
            )
        ],
    ),
    (
        "s11-account-with-holdings",
        "the look at what an account holds",
        [
            (
                "live/alpaca.py",
                "check_holdings(books, await broker.statement(max(0, since_ns)))",
                "pass",
            )
        ],
    ),
    (
        "s11-account-with-holdings",
        "the rule on hands-off",
        [("risk.py", "if question.position.is_hands_off else None", "if False else None")],
    ),
    ("s11-other-hands", "calling a difference", [DIFFERENCES_IGNORED]),
    (
        "s12-second-process",
        "the lock",
        [
            (
                "journal/lock.py",
                "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
                "pass",
            )
        ],
    ),
    (
        "s12-paused-process",
        "the last look before bytes leave",
        [("live/opening.py", "if not self.journal.is_current(order.epoch):", "if False:")],
    ),
    (
        "s13-stale-code",
        "the watch over the sources",
        [("freshness.py", "        if stale != told:\n", "        if False:\n")],
    ),
    (
        "s13-stale-code",
        "the rule on stale code",
        [("risk.py", "        if gate is Gate.FRESH_CODE:\n", "        if False:\n")],
    ),
    ("s15-two-strategies", "the duplicate rule", [NO_DUPLICATE_RULE, NO_SELF_TEST]),
    (
        "s15-two-strategies",
        "the rule of ownership",
        [
            (
                "risk.py",
                "if owner is None or question.request.strategy in {owner, OPERATOR}:",
                "if True:",
            )
        ],
    ),
    (
        "s17-too-late",
        "the age of requests",
        [
            (
                "risk.py",
                "if question.request.late or age_ns > question.limits.request_age_max * SECOND_NS:",
                "if False:",
            )
        ],
    ),
    (
        "s19-kill-at-each-step",
        "the memory of the lives before",
        [("evolve.py", FORGOTTEN, "orders=Map(), positions=Map(), positions_value=ZERO,")],
    ),
    (
        "s19-kill-at-each-step",
        "the doubt about what a life left behind",
        [
            (
                "execution.py",
                "    for one in unanswered:\n",
                "    for one in unanswered[:0]:\n",
            )
        ],
    ),
    (
        "s20-filled-after-all",
        "the brake",
        [("reports.py", "    events.extend(_brakes(state, order, events))\n", "")],
    ),
    (
        "s20-filled-after-all",
        "the alarm",
        [
            (
                "orders.py",
                "FILL_ALL          FILLED      .!!         FILLED!     ",
                "FILL_ALL          FILLED      .!!         FILLED      ",
            )
        ],
    ),
    (
        "s21-fills-replayed",
        "the memory of the lives before",
        [("evolve.py", FORGOTTEN, "orders=Map(), positions=Map(), positions_value=ZERO,")],
    ),
    (
        "s22-cancel-on-a-bad-link",
        "the proof of a cancel",
        [
            (
                "reports.py",
                '    if outcome.outcome == "accepted":\n'
                "        return triggered(state, order, Trigger.CANCEL_PENDING, outcome.reason)",
                '    if outcome.outcome != "rejected":\n'
                "        return triggered(state, order, Trigger.CANCELED, outcome.reason)",
            )
        ],
    ),
    (
        "s23-stop-while-reconnecting",
        "the gate that closes first",
        [
            (
                "supervisor.py",
                'is_open=False, reason="shutting down"',
                'is_open=True, reason="shutting down"',
            )
        ],
    ),
    (
        "s24-worker-and-executor-fail",
        "the nursery of the workers",
        [
            (
                "supervisor.py",
                "            except Exception:\n",
                "            except ZeroDivisionError:\n",
            )
        ],
    ),
    (
        "s25-tampered-books",
        "the chain of hashes",
        [("journal/chain.py", "if previous != stored:", "if False:")],
    ),
    (
        "s28-no-second-post",
        "the restraint of the adapter",
        [
            (
                "brokers/alpaca/sending.py",
                '            reply = await self._link.exchange("POST", "/v2/orders", body)\n',
                '            reply = await self._link.exchange("POST", "/v2/orders", body)\n'
                "            if reply.status >= 429:\n"
                '                reply = await self._link.exchange("POST", "/v2/orders", body)\n',
            )
        ],
    ),
]


def scenario(mutant: Mutant, name: str) -> tuple[int, str]:
    ended = subprocess.run(
        mutant.folder.command("scenario", "run", name),
        cwd=mutant.folder.path,
        env=mutant.folder.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def mutant(tmp_path: Path) -> Mutant:
    return Mutant(tmp_path)


def test_an_unchanged_copy_passes_so_that_a_failure_means_something(mutant: Mutant) -> None:
    code, said = scenario(mutant, "s28-no-second-post")
    assert code == Exit.WELL, said


@pytest.mark.parametrize(
    ("name", "edits"),
    [pytest.param(name, edits, id=f"{name} without {what}") for name, what, edits in TAKEN_OUT],
)
def test_a_scenario_fails_without_what_it_guards(
    mutant: Mutant, name: str, edits: list[Edit]
) -> None:
    for edit in edits:
        mutant.edit(*edit)
    code, said = scenario(mutant, name)
    # Judged and found wanting; or a lower guard, which stands behind the one that is gone, ended the program.
    assert code in {Exit.DIFFERENCES, Exit.FENCED, Exit.BUG}, said
    assert code != Exit.DIFFERENCES or "FAILED   " in said
