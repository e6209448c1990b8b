"""Scenarios of several lives: cut off, refused, replayed to, broken from within, tampered with, stopped."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import trio

from trader.build import ROOT
from trader.calendar import Session
from trader.exits import Exit
from trader.journal.backup import copied, remove
from trader.journal.sqlite import reading_connection
from trader.messages import CancelRequested, ExecutionBooked, Gate, GateMoved, SendStarted
from trader.model import ClientOrderId, OrderState, Side
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import JD, RESTING, Insistent, T, cast_of
from trader.scenarios.replies import mute, on_post
from trader.simulator.faults import CONNECT, LISTEN, FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.state import ExecutionState
from trader.supervisor import WorkerPlan
from trader.verification.verify import Wanted, proved

TRADING = "/stream"
SECOND_START_S = 30.0


class Trading(Play):
    """A life in which JD is wanted each minute; others build on it."""

    story = "JD is wanted each minute"

    def __init__(self, ends_minute: int, code: Exit | None = Exit.WELL) -> None:
        super().__init__()
        self.ends_minute = ends_minute
        self.code = code

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD))

    def violations(self, outcome: Outcome) -> list[str]:
        return Checks(outcome).bought_once(JD).booked_once().nothing_in_doubt().wrong


# ------------------------------------------------------------------------------------------- S03, S21


class RestartInDoubt(Play):
    """S03."""

    name = "s03-restart-in-doubt"
    number = "S03"
    story = "the program is cut off while JD's order rests and nobody knows of T's; then it is started again"
    expectation = "both are found at the broker and adopted; no second order"

    def lives(self) -> list[Play]:
        return [_CutOffInDoubt(), _Restarted()]


class _CutOffInDoubt(Play):
    story = "JD rests, T's reply is lost: cut off in the same moment"
    code: Exit | None = None

    def __init__(self) -> None:
        super().__init__()
        self.cut_off = _is_in_doubt

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD, offset=RESTING), Insistent(symbol=T, enters=2))

    def faults(self, session: Session) -> list[FaultRule]:
        return [on_post(FaultVerb.ACCEPT_THEN_504, T), mute(T, session, minutes=5)]


def _is_in_doubt(state: ExecutionState) -> bool:
    return any(order.state is OrderState.UNKNOWN for order in state.orders.values())


class _Restarted(Play):
    story = "started again; both are wanted each minute"
    ends_minute: int | None = 6

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD, offset=RESTING), Insistent(symbol=T))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).was_unknown(T).booked_once()
        held = outcome.state.position(T).quantity
        return checks.that(held, "T's fill was not adopted").nothing_in_doubt().wrong

    def verdict(self, outcome: Outcome) -> str:
        return "JD's order was found open, T's filled; 1 order each over both lives"


class FillsReplayed(Play):
    """S21."""

    name = "s21-fills-replayed"
    number = "S21"
    story = "JD is bought; at each of two restarts the stream tells all that it ever told once more"
    expectation = "booked once; nothing synthesised, nothing flat that isn't"

    def lives(self) -> list[Play]:
        return [Trading(3), _Replayed(6), _Replayed(9)]


class _Replayed(Trading):
    story = "restarted, and everything told again"

    def faults(self, session: Session) -> list[FaultRule]:
        return [FaultRule(verb=FaultVerb.REPLAY_EVENTS, method=LISTEN, count=50)]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD).booked_once()
        fills = outcome.events(ExecutionBooked)
        checks.that(len(fills) == 1, f"{len(fills)} executions booked, not 1")
        return checks.that(not outcome.orders(JD, Side.SELL), "an opposite order").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "told again at each start, booked once"


# -------------------------------------------------------------------------------------- S04, S12, S25


class UnreadableBooks(Play):
    """S04."""

    name = "s04-unreadable-books"
    number = "S04"
    story = "JD is held; the database is overwritten with something else; the program is started"
    expectation = (
        "refuses to start, and names the file; an account that can't be read is not an empty one"
    )

    def lives(self) -> list[Play]:
        return [Trading(3), _Spoiled()]


class _Spoiled(Trading):
    story = "the first page of the database is gone"
    refusal = "trading_data.db"

    def __init__(self) -> None:
        super().__init__(6, Exit.REFUSED)

    def before(self, database: Path) -> None:
        with database.open("r+b") as file:
            file.write(b"somebody else's bytes " * 200)


class TamperedBooks(Play):
    """S25."""

    name = "s25-tampered-books"
    number = "S25"
    story = "the books are changed on disk, one cell at a time, by somebody who knows how to get round the triggers"
    expectation = "verify names the table and the column; a changed journal refuses the start"

    def lives(self) -> list[Play]:
        return [Trading(3), _Tampered()]


# One cell of each, and the column that has to be named; of the journal's entry, the row.
_CHANGES = {
    "execution_rows": ("price", "UPDATE execution_rows SET price = '1'"),
    "posting_rows": ("amount", "UPDATE posting_rows SET amount = '1' WHERE account = 'cash'"),
    "equity_rows": ("equity", "UPDATE equity_rows SET equity = '1'"),
    "decision_rows": ("reason", "UPDATE decision_rows SET reason = 'none'"),
    "order_rows": ("quantity", "UPDATE order_rows SET quantity = '9'"),
    "position_rows": ("cost", "UPDATE position_rows SET cost = '9' WHERE symbol = 'JD'"),
    "account_row": ("cash", "UPDATE account_row SET cash = '250000.01'"),
    "life_rows": ("pid", "UPDATE life_rows SET pid = 1"),
    "journal": (
        "row ",
        """UPDATE journal SET entry = replace(entry, '"quantity":"5"', '"quantity":"9"')""",
    ),
}


class _Tampered(Trading):
    story = "verify sees sound books, then each table changed; then the journal says 9 instead of 5"
    refusal = "chain of hashes is broken"

    def __init__(self) -> None:
        super().__init__(6, Exit.REFUSED)

    def before(self, database: Path) -> None:
        found = _first_difference(database)
        self.judgement = [f"sound books, and verify says {found}"] if found else []
        changed = database.with_name("changed.db")
        for table, (column, statement) in _CHANGES.items():
            copied(database, changed)
            _change(changed, table, statement)
            found = _first_difference(changed)
            if table not in found or column not in found:
                self.judgement.append(f"{table} was changed, and verify says {found or 'well'}")
            remove(changed)
        _change(database, "journal", _CHANGES["journal"][1])


def _change(database: Path, table: str, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


def _first_difference(database: Path) -> str:
    """As `trade verify` has it."""
    with closing(reading_connection(database)) as reader:
        first = proved(reader, Wanted()).verification.first_difference
    return "" if first is None else f"{first.name}: {first.difference}"


class SecondProcess(Trading):
    """S12; a paused process that was taken over is another play."""

    name = "s12-second-process"
    number = "S12"
    story = "while the program trades, a second one is started on the same account"
    expectation = "the second is refused, and says who holds the account; the first goes on"

    def __init__(self) -> None:
        super().__init__(6)
        self._database = Path()
        self._second: tuple[int, str] = (0, "")

    def before(self, database: Path) -> None:
        self._database = database

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns != minute(stage.session, 3):
            return
        with trio.move_on_after(SECOND_START_S):
            arguments = ("run", "--speed", "max", "--database", str(self._database))
            ended = await trio.run_process(
                [sys.executable, "-P", "-m", "trader", *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
            self._second = ended.returncode, ended.stderr.decode()

    def violations(self, outcome: Outcome) -> list[str]:
        code, words = self._second
        checks = Checks(outcome).bought_once(JD).booked_once()
        checks.that(code == Exit.REFUSED, f"the second ended with {code}")
        return checks.that(str(os.getpid()) in words, f"the second said {words!r}").wrong

    def verdict(self, outcome: Outcome) -> str:
        return f"the second was refused: {self._second[1].strip()}"


# ------------------------------------------------------------------------------------------ S23, S24


class StopWhileReconnecting(Play):
    """S23."""

    name = "s23-stop-while-reconnecting"
    number = "S23"
    story = "JD's order rests; the link breaks, the stream refuses to come back, and the program is stopped"
    expectation = (
        "the gate closes first, then the order is canceled, then that is verified at the broker"
    )
    ends_minute: int | None = 4

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD, offset=RESTING))

    def faults(self, session: Session) -> list[FaultRule]:
        return [
            FaultRule(
                verb=FaultVerb.REFUSE_STREAM,
                method=CONNECT,
                path_prefix=TRADING,
                from_ns=minute(session, 4),
                times=None,
                status=503,
            )
        ]

    def events(self, session: Session) -> list[ScheduledEvent]:
        return [ScheduledEvent(at_ns=minute(session, 4), name=EventName.DISCONNECT)]

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD).booked_once().nothing_in_doubt()
        [order] = outcome.orders(JD, Side.BUY)[:1]
        checks.that(order.canceled_ns is not None, "JD's order lives on at the venue")
        told: list[str] = []
        for entry in outcome.journal():
            for event in entry.events:
                if isinstance(event, GateMoved) and event.gate is Gate.SHUTDOWN:
                    told.append("gate")
                elif isinstance(event, CancelRequested):
                    told.append("cancel")
        return checks.that(told == ["gate", "cancel"], f"in this order: {told}").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "gate, cancel, proof: nothing is left behind"


class WorkerAndExecutorFail(Play):
    """S24."""

    name = "s24-worker-and-executor-fail"
    number = "S24"
    story = (
        "JD's worker breaks down; T's goes on; then the executor meets something that can't be, and dies;"
        " the program is started again"
    )
    expectation = "others go on; without the executor the whole program ends, with a code that isn't 0; books hold"

    def lives(self) -> list[Play]:
        return [_Broken(), _AfterTheBug()]


class _Broken(Play):
    story = "JD's worker fails at 09:32, the executor at 09:35"
    ends_minute: int | None = 20
    code: Exit | None = Exit.BUG

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        fails = frozenset({2})
        return cast_of(session, Insistent(symbol=JD, fails_at=fails), Insistent(symbol=T, enters=3))

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 5):
            await stage.inbox.tell(SendStarted(client_order_id=ClientOrderId("of no order at all")))


class _AfterTheBug(Play):
    story = "started again; both are wanted each minute"
    ends_minute: int | None = 9

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(session, Insistent(symbol=JD), Insistent(symbol=T))

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T).booked_once().nothing_in_doubt()
        bought = [one for one in outcome.state.orders.values() if one.symbol == T]
        # The first of the two lives: while JD's worker was being made anew.
        went_on = any(one.epoch < outcome.state.epoch for one in bought)
        return checks.that(went_on, "T's worker did not go on").wrong

    def verdict(self, outcome: Outcome) -> str:
        return "T was bought while JD's worker was down; the program died whole; 1 order each"
