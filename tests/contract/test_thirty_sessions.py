"""Thirty sessions in one life and in thirty: the same books, and a memory that does not grow with the days."""

import gc
import json
import logging
import resource
import sys
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from tests.program import Folder
from trader.build import running_build
from trader.calendar import Session, next_session, session_on
from trader.config import Config
from trader.exits import Exit
from trader.feeds.synthetic import SESSIONS_CACHED, SyntheticMarket
from trader.live.screen import SilentScreen
from trader.live.simulated import SimulatedRun, run_simulated
from trader.model import MINUTE_NS, Bar, Purpose, Side, Size, StrategyName, Symbol
from trader.scenarios.play import Play, Stage, minute
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.supervisor import WorkerPlan

SESSIONS = 30
FIRST = "2026-10-28"  # The clocks go back on 1 November; 27 November is a half day.
GS, JD = Symbol("GS"), Symbol("JD")
EARLY, LATE = -4 * 60, 90  # minutes from the open: in the night, and at 11:00
BEFALLS = (
    ("2026-10-30", LATE, EventName.DEPOSIT, {"amount": Decimal("1000.07")}),
    ("2026-11-02", EARLY, EventName.FEE, {"amount": Decimal("3.21")}),
    ("2026-11-05", EARLY, EventName.DIVIDEND, {"symbol": GS, "amount": Decimal("0.37")}),
    ("2026-11-11", EARLY, EventName.SPLIT, {"symbol": GS, "ratio": Decimal(2)}),
    ("2026-11-17", LATE, EventName.INTEREST, {"amount": Decimal("1.23")}),
    ("2026-11-20", LATE, EventName.SPLIT, {"symbol": GS, "ratio": Decimal(3)}),
    ("2026-11-27", EARLY, EventName.DIVIDEND, {"symbol": GS, "amount": Decimal("0.11")}),
    ("2026-12-01", LATE, EventName.FEE, {"amount": Decimal("0.55")}),
    ("2026-12-03", EARLY, EventName.WITHDRAWAL, {"amount": Decimal("500.01")}),
)
BLOCKS_A_SESSION_MAX = 3_000  # one symbol's bars and quotes of a day are 6,000
RESIDENT_KB_MAX = 8_000  # over twenty sessions


def events() -> Iterable[ScheduledEvent]:
    for date, minutes, name, how in BEFALLS:
        session = session_on(date)
        assert session is not None
        yield ScheduledEvent(at_ns=minute(session, minutes), name=name, **how)


class Holder(Strategy):
    """In once, and never out."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        if not view.is_idle():
            return ()
        return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason="to hold"),)


class Held(Struct, frozen=True, kw_only=True):
    """What the process held at the end of a session's first minute."""

    blocks: int
    resident_kb: int


class Month(Play):
    """A plain run, with one who holds GS through everything; it looks at the process each morning."""

    def __init__(self) -> None:
        super().__init__()
        self.mornings: list[Held] = []

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        size = Size(unit="shares", amount=Decimal(4))
        holder = WorkerPlan(
            name="GS/holder",
            symbol=GS,
            make=lambda: Holder(StrategyName("holder"), size, NoParameters()),
        )
        return [*(plan for plan in plans if plan.symbol != GS), holder]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        session = session_on(stage.state.session)
        if session is not None and at_ns == session.open_ns + MINUTE_NS:
            gc.collect()
            self.mornings.append(Held(blocks=sys.getallocatedblocks(), resident_kb=_resident_kb()))


def _resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def lived(folder: Path, sessions: int) -> Month:
    """One life of so many sessions, on the account in this folder."""
    month, config = Month(), Config(symbols=(GS, JD))
    run = SimulatedRun(
        config=config,
        config_path=None,
        database=folder / "trading_data.db",
        log=folder / "trader.log",
        market=SyntheticMarket(7, config.symbols),
        is_recorded=False,
        seed=7,
        speed=None,
        is_clocked=False,
        sessions=sessions,
        first=FIRST,
        play=month,
        fresh=False,
        events=tuple(events()),
    )
    assert trio.run(run_simulated, run, running_build(), SilentScreen()) == Exit.WELL
    return month


def fill_the_markets_cache() -> None:
    """The market keeps a bounded number of days: so many from the beginning, it takes no more on the way."""
    market, date = SyntheticMarket(8, (GS, JD)), FIRST
    for _ in range(SESSIONS_CACHED):
        deque(market.instants(date), maxlen=0)
        date = next_session(date).date


def books(folder: Folder) -> dict[str, list[tuple[object, ...]]]:
    """What is the same however the days are cut into lives."""
    questions = {
        "trades": "SELECT timestamp, session, client_order_id, symbol, side, quantity, price, fees,"
        " realized_pnl FROM trades ORDER BY id",
        "orders": "SELECT timestamp, session, client_order_id, quantity, limit_price, avg_price,"
        " state FROM orders ORDER BY decision_id",
        "positions": "SELECT symbol, quantity, avg_cost, realized_pnl FROM positions",
        "account": "SELECT cash, cash_reserved, equity, realized_pnl FROM account",
    }
    return {name: folder.ours(question) for name, question in questions.items()}


@pytest.mark.slow
@pytest.mark.timeout(3000)  # Sixty starts.
def test_thirty_sessions_in_one_life_and_in_thirty_give_the_same_books_and_memory_stays_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What captures logs for the tests keeps every record: some thousand a session, of each question to the broker.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    one, many = Folder(tmp_path / "one"), Folder(tmp_path / "many")
    one.path.mkdir()
    many.path.mkdir()
    fill_the_markets_cache()
    month = lived(one.path, SESSIONS)
    for _ in range(SESSIONS):
        lived(many.path, 1)
    assert books(one) == books(many)
    for folder in (one, many):
        assert folder.difference() == ""
        assert folder.ours("SELECT * FROM double_entries") == []
        assert folder.ours("SELECT difference FROM proof") == [(0,)]
    assert one.ours("SELECT epoch, exit_code FROM lives") == [(1, 0)]
    assert [code for (code,) in many.ours("SELECT exit_code FROM lives")] == [0] * SESSIONS
    assert_everything_befell_the_account(one)
    assert_flat(month.mornings)


def assert_everything_befell_the_account(folder: Folder) -> None:
    """The month was what it was meant to be: nothing of it passed by without an effect."""
    sessions = folder.ours("SELECT DISTINCT session FROM orders ORDER BY session")
    assert len(sessions) == SESSIONS
    half_day = session_on("2026-11-27")
    assert half_day is not None
    assert half_day.close_ns - half_day.open_ns == 210 * MINUTE_NS
    assert ("2026-11-27",) in sessions
    assert folder.ours("SELECT quantity FROM positions WHERE symbol = 'GS'") == [(4 * 2 * 3,)]
    told = [json.loads(str(one)) for (one,) in folder.theirs("SELECT activity FROM activities")]
    amounts = Counter(one["kind"] for one in told if Decimal(one.get("net_amount", "0")))
    shares = Counter(one["kind"] for one in told if one["kind"] == "SPLIT" and one["quantity"])
    assert amounts["DIV"] == 2
    assert amounts["FEE"] > 2, "the two that were planned, and those of the days"
    assert (amounts["INT"], amounts["CSD"], amounts["CSW"]) == (1, 1, 1)
    assert shares["SPLIT"] == 4, "two splits, of two legs each"


def assert_flat(mornings: Sequence[Held]) -> None:
    """From the tenth morning to the last."""
    assert len(mornings) == SESSIONS
    tenth, last = mornings[9], mornings[-1]
    assert (last.blocks - tenth.blocks) / (SESSIONS - 10) < BLOCKS_A_SESSION_MAX, mornings
    assert last.resident_kb - tenth.resident_kb < RESIDENT_KB_MAX, mornings
