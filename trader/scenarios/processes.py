"""Scenarios that take real processes: sources edited under a running one, one paused and taken over, many killed."""

import os
import re
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from trader.build import ROOT
from trader.exits import Exit
from trader.live.embedded import Embedded
from trader.messages import Alarmed, Gate, GateMoved, RequestAccepted, RequestDenied
from trader.model import ENTRY_PURPOSES, OrderState, Side, Symbol
from trader.scenarios.checks import Checks
from trader.scenarios.children import (
    StandingBroker,
    child,
    outcome_in,
    own_broker,
    standing_broker,
    venue_state,
)
from trader.scenarios.play import Enacted, Outcome, minute
from trader.scenarios.players import GS, JD, SHARES, TERN, TRIP, T
from trader.simulator.faults import MARKET, FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent

STRATEGY = '[strategies.insistent]\nkind = "insistent"\n'
Say = Callable[[str], None]
BLOCKED = "DUPLICATE BUY BLOCKED: {}"


# ------------------------------------------------------------------------------------------------ S13


class StaleCode(Enacted):
    """S13; the running tree itself is never touched."""

    name = "s13-stale-code"
    number = "S13"
    story = "while a copy of the program trades, one of its sources is edited, with the size and the times of before"
    expectation = "within 5 s entries are denied `stale_code`; exits go on; an alarm and `status` name the file"
    SPEED = 780.0  # a day in half a minute
    CLOSED_S_MAX = 5.0
    HELD = " SNDK "  # bought early, and sold long after entries must have closed
    SOURCE = "trader/risk.py"
    BOOKS = "trading_data.broker.db"

    async def enact(self, folder: Path, say: Say) -> list[str]:
        """Judged by the copy's journal, and what its `status` says meanwhile."""
        copy = _copied(folder / "copy")
        async with child(folder, "run", "--speed", f"{self.SPEED:.0f}", root=copy) as running:
            await running.says(self.HELD)
            edited_ns = venue_state(folder / self.BOOKS).now_ns
            _edit_unseen(copy / self.SOURCE)
            say(f"{self.SOURCE} edited: another text, the same size and times")
            said = await running.says("gate fresh_code")
            say(said)
            await running.says("stale_code")
            await running.says(" SELL ")
            async with child(folder, "status", root=copy) as status:
                await status.end()
                await status.says("alarms since the start")
            code = await running.end()
        outcome = outcome_in(folder, [JD], self.BOOKS)
        checks = Checks(outcome).that(code == Exit.WELL, f"it ended with {code}")
        checks.that(self.SOURCE in said, f"the file is not named: {said}")
        named = [line for line in status.lines if self.SOURCE in line]
        checks.that(named[:1] and named[0].startswith("entries   closed"), "status says nothing")
        checks.that(len(named) > 1, "status shows no alarm")
        return self._judged(checks, edited_ns, say)

    def _judged(self, checks: Checks, edited_ns: int, say: Say) -> list[str]:
        entries = list(checks.outcome.journal())
        moved = [
            (entry.at_ns, entry.sequence)
            for entry in entries
            for event in entry.events
            if isinstance(event, GateMoved) and event.gate is Gate.FRESH_CODE
        ]
        checks.that(len(moved) == 1, f"the gate moved {len(moved)} times")
        closed_ns, sequence = moved[0]
        # By the market's clock, which waits for a machine that is busy.
        took_s = (closed_ns - edited_ns) / 1e9 / self.SPEED
        checks.that(took_s <= self.CLOSED_S_MAX, f"entries closed after {took_s:.1f} s")
        later = [event for entry in entries if entry.sequence > sequence for event in entry.events]
        accepted = [one.order for one in later if isinstance(one, RequestAccepted)]
        entered = [one for one in accepted if one.purpose in ENTRY_PURPOSES]
        checks.that(not entered, f"{len(entered)} entries on stale code")
        checks.that(accepted, "no exit went on")
        denied = [one for one in later if isinstance(one, RequestDenied)]
        stale = [one for one in denied if one.reason == "stale_code"]
        checks.that(stale, "no entry was denied as stale_code")
        alarms = [one for one in checks.outcome.events(Alarmed) if one.alarm == "stale_code"]
        checks.that(any(self.SOURCE in one.message for one in alarms), "no alarm names the file")
        say(
            f"closed {took_s:.1f} s after the edit; {len(stale)} entries denied, {len(accepted)} exits went on"
        )
        return checks.wrong


def _copied(root: Path) -> Path:
    shutil.copytree(ROOT / "trader", root / "trader", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def _edit_unseen(path: Path) -> None:
    """Another text of the same size, and the times of before: a look at the file's status shows nothing."""
    before = path.stat()
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"[a-z]", lambda one: one[0].upper(), text, count=1), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# ------------------------------------------------------------------------------------------------ S12


class PausedProcess(Enacted):
    """S12, the other half."""

    name = "s12-paused-process"
    number = "S12"
    story = (
        "a process is stopped with an order in its hand that nothing has held back yet; another one takes over;"
        " then the first wakes and goes on"
    )
    expectation = "the first sends nothing and ends with exit code 5; the second goes on, and no second order leaves"
    SYMBOLS = (JD, T)
    LEAVING = "bytes about to leave"
    TAKE_OVER = ("--take-over", "--reason", "it hangs")

    async def enact(self, folder: Path, say: Say) -> list[str]:
        """The second waits out the longest send for real, some 20 s."""
        async with standing_broker(folder, self.SYMBOLS) as broker:
            async with broker.trader(self.SYMBOLS, only=JD, watched=True) as first:
                await first.hold_at("rows durable", "taken from the outbox")
                first.process.send_signal(signal.SIGSTOP)
                say("the first has an order for JD in its hand, and stands still")
                async with broker.trader(self.SYMBOLS, *self.TAKE_OVER) as second:
                    say(await second.says("took over from"))
                    say(await second.says("waiting"))
                    first.process.send_signal(signal.SIGCONT)
                    steps = await first.steps_to_its_end()
                    code = await first.end()
                    say(f"the first woke, and ended with {code}: {first.complaint()}")
                    sent = broker.accepted()
                    for symbol in self.SYMBOLS:
                        say(await second.says(BLOCKED.format(symbol)))
                    ended = await second.end(signal.SIGTERM)
            say(f"the second ended with {ended}: JD's order can't be proven absent within a minute")
        checks = Checks(outcome_in(folder, self.SYMBOLS))
        checks.that(code == Exit.FENCED, f"the first ended with {code}")
        checks.that("another life has begun" in first.complaint(), "it did not say why")
        checks.that(self.LEAVING not in steps, "it was about to send its order when it woke")
        checks.that(not sent, f"it sent {len(sent)} orders when it woke")
        checks.bought_once(T).booked_once()
        checks.that(not checks.outcome.orders(JD, Side.BUY), "JD was bought, after all")
        checks.that(_states(checks.outcome, JD) == [OrderState.UNKNOWN], "JD is not in doubt")
        return checks.wrong


def _states(outcome: Outcome, symbol: Symbol) -> list[OrderState]:
    return [one.state for one in outcome.state.orders.values() if one.symbol == symbol]


# ------------------------------------------------------------------------------------------------ S19

REPORT = "decided OrderReport"
UNDECIDED = "decided OrderRequest"  # and not committed yet
WRITTEN, DURABLE = "rows written", "rows durable"
SPY, IBM, AAPL, SNDK, CYBR = map(Symbol, ("SPY", "IBM", "AAPL", "SNDK", "CYBR"))
Killed = tuple[Symbol, tuple[str, ...], bool]


class KilledAtEachStep(Enacted):
    """S19; a power cut takes more than the process, and is had in the simulated worlds: trader/simulation/disk.py."""

    name = "s19-kill-at-each-step"
    number = "S19"
    story = (
        "ten times the program is killed (SIGKILL) at another step of an order's life, each order another symbol's,"
        " and started again on the same broker; in the end it wants all ten at every tick"
    )
    expectation = (
        "each was sent once, or is in doubt and was never sent; the books agree with the broker's"
    )
    # Those that are sent come first: what is in doubt is asked about, and the answers take the same steps.
    KILLED: tuple[Killed, ...] = (
        (JD, ("bytes left",), True),
        (T, ("reply received",), True),
        (GS, ("bytes left", REPORT, WRITTEN), True),
        (TRIP, ("bytes left", REPORT, DURABLE), True),
        (TERN, ("bytes left", "committed OrderReport"), True),
        (AAPL, (UNDECIDED,), False),
        (SNDK, (UNDECIDED, WRITTEN), False),
        (CYBR, ("committed OrderRequest",), False),
        (SPY, ("last check passed",), False),
        (IBM, ("bytes about to leave",), False),
    )

    async def enact(self, folder: Path, say: Say) -> list[str]:
        """One life for each, and a last one."""
        symbols = [symbol for symbol, _, _ in self.KILLED]
        async with standing_broker(folder, symbols) as broker:
            for symbol, names, is_sent in self.KILLED:
                async with broker.trader(symbols, only=symbol, watched=True) as one:
                    await one.hold_at(DURABLE, *names)
                    if is_sent:
                        await broker.has(symbol)
                    await one.end(signal.SIGKILL)
                there = "at the broker" if is_sent else "not sent"
                say(f"killed at {' - '.join(names)}: {symbol}'s order {there}")
            async with broker.trader(symbols) as last:
                for symbol in symbols:
                    await last.says(BLOCKED.format(symbol))
                for symbol, names, _ in self.KILLED:
                    if (
                        names[0] == UNDECIDED
                    ):  # Wanted anew: a stop would hold it back on its way out.
                        await broker.has(symbol)
                await last.end(signal.SIGTERM)
        return self._judged(Checks(outcome_in(folder, symbols)).booked_once(), say)

    def _judged(self, checks: Checks, say: Say) -> list[str]:
        for symbol, names, is_sent in self.KILLED:
            count, states = (
                len(checks.outcome.orders(symbol, Side.BUY)),
                _states(checks.outcome, symbol),
            )
            step = " - ".join(names)
            checks.that(
                len(states) == 1, f"{symbol}, killed at {step}: {len(states)} orders of ours"
            )
            in_doubt = states.count(OrderState.UNKNOWN)
            checks.that(
                count + in_doubt == 1,
                f"{symbol}, killed at {step}: {count} sent, {in_doubt} in doubt",
            )
            checks.that(count or not is_sent, f"{symbol}, killed at {step}: the venue has no order")
        say(f"{len(checks.outcome.accepted)} orders at the broker, none twice")
        return checks.wrong


# ------------------------------------------------------------------------------------------- S09, S11


class MuteMarketData(Enacted):
    """S09, of market data."""

    name = "s09-mute-market-data"
    number = "S09"
    story = (
        "JD is held, and T never heard of yet; then the stream of market data stays open, answers each ping, and tells"
        " nothing any more"
    )
    expectation = "found by the age of the last tick: entries close, the line is left; T is bought on the new one only"
    SYMBOLS = (JD, T)
    MUTE_MINUTE = 6

    async def enact(self, folder: Path, say: Say) -> list[str]:
        """Both are wanted at every tick."""
        async with (
            own_broker(folder, self.SYMBOLS, self._begun) as broker,
            broker.trader(self.SYMBOLS) as trader,
        ):
            await trader.says(BLOCKED.format(JD))
            say(await trader.says("gate market_data"))
            say(await trader.says("BUY      T"))
            await trader.says(BLOCKED.format(T))
            code = await trader.end(signal.SIGTERM)
        checks = Checks(outcome_in(folder, self.SYMBOLS)).bought_once(JD, T).booked_once()
        checks.that(code == Exit.WELL, f"it ended with {code}")
        told = [event for entry in checks.outcome.journal() for event in entry.events]
        gate = [
            "open" if one.is_open else "mute" if "no market data" in one.reason else "closed"
            for one in told
            if isinstance(one, GateMoved) and one.gate is Gate.MARKET_DATA
        ]
        checks.that("mute open" in " ".join(gate), f"the gate did not close and open: {gate}")
        return checks.wrong

    async def _begun(self, embedded: Embedded) -> list[FaultRule]:
        session = embedded.next_session()
        assert session is not None, "a new account has one"
        at_ns = minute(session, self.MUTE_MINUTE)
        unheard = FaultRule(
            verb=FaultVerb.DROP_EVENT, method=MARKET, symbol=T, until_ns=at_ns, times=None
        )
        return [unheard, FaultRule(verb=FaultVerb.MUTE_SOCKET, method=MARKET, from_ns=at_ns)]


class AccountWithHoldings(Enacted):
    """S11, of an account that was not empty."""

    name = "s11-account-with-holdings"
    number = "S11"
    story = (
        "an account holds JD, T and GS since last month; the program is started, told to `adopt` JD to trade and T to"
        " leave alone, started, told of GS, and started: it wants to sell JD and T and to buy GS, at every tick"
    )
    expectation = "refused, naming `adopt`, until each is adopted; JD is sold; what is hands-off stays as it is"
    SYMBOLS = (GS, JD, T)
    SESSIONS_AGO = 8

    async def enact(self, folder: Path, say: Say) -> list[str]:
        """Somebody bought the shares by hand."""
        settings = f"symbols = {[*map(str, self.SYMBOLS)]}\n{STRATEGY}"
        await trio.Path(folder / "trader.toml").write_text(settings)
        async with own_broker(folder, self.SYMBOLS, self._begun) as broker:
            refused = [await self._refused(broker, say)]
            await self._adopt(broker, say, "--trade", JD, "--hands-off", T)
            refused.append(await self._refused(broker, say))
            await self._adopt(broker, say, "--hands-off", GS)
            async with broker.trader(self.SYMBOLS, sells=(JD, T)) as trader:
                say(await trader.line(lambda line: " SELL " in line and "FILLED" in line, "SELL"))
                for symbol in (GS, T):
                    say(await trader.line(partial(_is_denied, symbol), f"{symbol} denied"))
                code = await trader.end(signal.SIGTERM)
        checks = Checks(outcome_in(folder, self.SYMBOLS)).booked_once()
        checks.that(code == Exit.WELL, f"it ended with {code}")
        for words, names in zip(refused, (self.SYMBOLS, (GS,)), strict=True):
            named = all(f" {one}" in words for one in names) and "adopt" in words
            checks.that(named, f"refused with {words!r}")
        for symbol, left in ((JD, 0), (T, SHARES), (GS, SHARES)):
            held = checks.outcome.shares_at_venue(symbol)
            checks.that(held == left, f"{symbol}: {held} left at the venue, not {left}")
        sent = [one.symbol for one in checks.outcome.state.orders.values()]
        checks.that(sent == [JD], f"orders were sent for {', '.join(sent)}")
        return checks.wrong

    async def _begun(self, embedded: Embedded) -> list[FaultRule]:
        """So long ago that no statement tells of the orders any more."""
        for _ in range(self.SESSIONS_AGO):
            session = embedded.next_session()
            assert session is not None, "the synthetic market goes on"
            if not embedded.broker.account.positions:
                for symbol in self.SYMBOLS:
                    embedded.broker.schedule(
                        ScheduledEvent(
                            at_ns=minute(session, 3),
                            name=EventName.HAND_TRADE,
                            symbol=symbol,
                            side=Side.BUY,
                            quantity=SHARES,
                        )
                    )
            while await embedded.broker.advance() is not None:
                pass
        embedded.next_session()
        return []

    async def _refused(self, broker: StandingBroker, say: Say) -> str:
        async with broker.trader(self.SYMBOLS) as trader:
            code = await trader.end()
        say(f"ended with {code}: {trader.complaint()}")
        return trader.complaint() if code == Exit.REFUSED else ""

    async def _adopt(self, broker: StandingBroker, say: Say, *arguments: str) -> None:
        async with broker.verb("adopt", *arguments) as adopting:
            await adopting.end()
        for line in (*adopting.lines, adopting.complaint()):
            say(line)


def _is_denied(symbol: Symbol, line: str) -> bool:
    return f" {symbol} " in line and "hands" in line
