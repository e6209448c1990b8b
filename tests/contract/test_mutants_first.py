"""What the program was written against is planted into a copy of it; the copy must be found out."""

from pathlib import Path

import pytest

from tests.mutants import Mutant

NO_RULE = ("execution.py", "blocked = risk.duplicate(wanted_of(state, request))", "blocked = None")
NO_SELF_TEST = (
    "live/self_test.py",
    "if found.orders != 1 or found.blocked != TASKS - 1:",
    "if False:",
)
STAMPEDE = "tests/tasks/test_stampede.py"
EXECUTOR = "tests/tasks/test_executor.py"
OUTBOX = "tests/tasks/test_outbox.py"
SUPERVISOR = "tests/tasks/test_supervisor.py"
SELF_TEST = "tests/tasks/test_self_test.py"


@pytest.fixture
def mutant(tmp_path: Path) -> Mutant:
    return Mutant(tmp_path)


@pytest.mark.slow
def test_an_unchanged_copy_passes_so_that_red_means_something(mutant: Mutant) -> None:
    assert mutant.passes(STAMPEDE, EXECUTOR, OUTBOX, SUPERVISOR, SELF_TEST)


def test_an_edit_that_does_not_apply_is_an_error(mutant: Mutant) -> None:
    with pytest.raises(AssertionError, match="has 0 of"):
        mutant.edit("execution.py", "nothing like this", "")


def test_without_the_duplicate_rule_the_program_refuses_to_start(mutant: Mutant) -> None:
    mutant.edit(*NO_RULE)
    ended = mutant.folder.run("--symbols", "JD", "--scenario", "stampede")
    assert ended.code == 3
    assert ended.err.startswith("trade: self-test failed: 8 tasks wanted JD in the same instant")
    assert ended.err.count("\n") == 1


def test_without_the_duplicate_rule_and_the_self_test_a_stampede_buys_more_than_once(
    mutant: Mutant,
) -> None:
    mutant.edit(*NO_RULE)
    mutant.edit(*NO_SELF_TEST)
    ended = mutant.folder.run("--symbols", "JD", "--scenario", "stampede")
    [(bought,)] = mutant.folder.theirs("SELECT count(*) FROM orders WHERE symbol = 'JD'")
    assert int(str(bought)) > 1, "the same play with the rule buys once: see test_run"
    assert f"VIOLATION JD was bought {bought} times" in ended.out
    assert ended.code == 1
    assert int(str(bought)) <= 3, "the limits for one symbol hold even so"


WRONG_SIGN = (
    "positions.py",
    "quantity=plain(position.quantity + sign * event.execution.quantity)",
    "quantity=plain(position.quantity - sign * event.execution.quantity)",
)
IMPATIENT = ("live/self_test.py", "PATIENCE_S = 10.0", "PATIENCE_S = 0.1")


def test_a_wrong_sign_in_the_positions_ends_the_program_before_anything_of_it_is_written(
    mutant: Mutant,
) -> None:
    for edit in (WRONG_SIGN, NO_SELF_TEST, IMPATIENT):
        mutant.edit(*edit)
    ended = mutant.folder.run("--symbols", "JD,GS")
    assert ended.code == 70
    assert "and their holdings" in ended.err
    assert mutant.folder.ours("SELECT count(*) FROM trades") == [(0,)]
    assert mutant.folder.ours("SELECT * FROM positions WHERE quantity <> 0") == []


def test_a_wrong_sign_that_our_own_ledger_lets_pass_is_caught_by_the_venues_books(
    mutant: Mutant,
) -> None:
    for edit in (WRONG_SIGN, NO_SELF_TEST, IMPATIENT):
        mutant.edit(*edit)
    for checked in (
        'assert ledger.realized == state.books.realized, "so do their profits"',
        'assert ledger.value == state.positions_value, "and their holdings"',
    ):
        mutant.edit("journal/projection.py", checked, "pass")
    ended = mutant.folder.run("--symbols", "JD,GS")
    assert ended.code == 1
    proof = ended.line("proof ")
    assert "NOT positions = trades: GS" in proof
    assert "NOT the broker's own books agree: GS" in proof


PLANTED = [
    # Money that stays reserved, and symbols that are let go too early.
    (
        "a reservation is not released",
        (
            "evolve.py",
            "books = accounting.reserved(state.books, plain(now.reserved - before.reserved))",
            "books = state.books",
        ),
        SUPERVISOR,
    ),
    (
        "an order in doubt is taken for dead",
        ("orders.py", "return order.state not in FINAL_STATES", "return order.state is _S.NEW"),
        SUPERVISOR,
    ),
    (
        "a live entry blocks nothing",
        ("risk.py", "if live is not None:", "if live is not None and False:"),
        STAMPEDE,
    ),
    (
        "a position blocks nothing",
        (
            "risk.py",
            "return Blocking.POSITION, canonical(wanted.position.quantity)",
            "return None",
        ),
        STAMPEDE,
    ),
    # Turns that are not decide, commit, act.
    (
        "acting before the commit",
        (
            "executor.py",
            "        try:\n            with trio.CancelScope(shield=True):",
            "        self._act(entries)\n        try:\n            with trio.CancelScope(shield=True):",
        ),
        EXECUTOR,
    ),
    (
        "a commit that can be cancelled",
        ("executor.py", "trio.CancelScope(shield=True)", "trio.CancelScope()"),
        EXECUTOR,
    ),
    (
        "the new state stands although the commit failed",
        (
            "executor.py",
            "        except JournalFailed as failure:\n",
            "        except JournalFailed as failure:\n            self._state = state\n",
        ),
        EXECUTOR,
    ),
    (
        "reports of a failed batch are lost",
        (
            "executor.py",
            "self._inbox.keep([one for one in batch if not isinstance(one, OrderRequest)])",
            "pass",
        ),
        EXECUTOR,
    ),
    (
        "each input of a batch is decided on the state before the batch",
        (
            "executor.py",
            "        events = decide(state, heard)\n",
            "        first = first if entries else state\n        events = decide(first, heard)\n",
        ),
        EXECUTOR,
    ),
    # Lanes that send too much, or say too little.
    (
        "the last check is not asked",
        ("outbox.py", "return self._last_check(order)", 'return ""'),
        OUTBOX,
    ),
    (
        "an old intent leaves",
        ("outbox.py", "if waited_s > INTENT_AGE_MAX_S:", "if False:"),
        OUTBOX,
    ),
    (
        "a send that was cut off is taken for never sent",
        ("outbox.py", 'outcome="unknown"', 'outcome="never_sent"'),
        OUTBOX,
    ),
    (
        "a question that failed is taken for an answer",
        (
            "outbox.py",
            "except BrokerUnavailable:\n                continue",
            "except BrokerUnavailable:\n                return",
        ),
        OUTBOX,
    ),
    # A nursery that forgets.
    (
        "a failed worker keeps its symbol open",
        (
            "supervisor.py",
            "                        ready=False,\n                        reason",
            "                        ready=True,\n                        reason",
        ),
        SUPERVISOR,
    ),
    (
        "a restarted worker's wishes about history are told",
        (
            "worker.py",
            "            if bar.start_ns > self._bar_seen_ns:\n                self._bar_seen_ns = bar.start_ns",
            "            if bar.start_ns > self._bar_seen_ns:\n                self._bar_seen_ns = -1",
        ),
        "tests/tasks/test_worker.py",
    ),
    (
        "a statement that failed is an empty account",
        (
            "supervisor.py",
            "except BrokerUnavailable:\n                pass",
            "except BrokerUnavailable:\n                return []",
        ),
        SUPERVISOR,
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "test"),
    [(edit, test) for _, edit, test in PLANTED],
    ids=[name for name, *_ in PLANTED],
)
def test_a_planted_mistake_is_found(mutant: Mutant, edit: tuple[str, str, str], test: str) -> None:
    mutant.edit(*edit)
    assert not mutant.passes(test)
