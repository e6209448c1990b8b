"""Processes of a play: the real program and a simulated broker as children, what they say, and what is left of them.

A child is killed at the end of its block. What is waited for and doesn't come ends the play as not played.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random

import trio
from msgspec import Struct

from trader.build import ROOT
from trader.config import Fees
from trader.evolve import fold
from trader.feeds.synthetic import SyntheticMarket
from trader.journal.sqlite import entries_of, reading_connection
from trader.live.embedded import Embedded, Sessions
from trader.model import Symbol
from trader.scenarios.play import Outcome, Unplayed
from trader.simulator.faults import FaultRule
from trader.simulator.store import BrokerStore
from trader.state import ExecutionState
from trader.venue import Venue, VenueOrder, VenueState

PATIENCE_S = 35.0  # for one word of a child
BROKER_BOOKS = "standing.broker.db"
SEED = 7
SPEED = "60"  # a bar a second
INSISTENT = "trader.scenarios.insistent"


class Child:
    """One process. What it says goes through a pipe, what it complains about into a file."""

    def __init__(
        self, process: trio.Process, complaints: Path, watcher: socket.socket | None
    ) -> None:
        self.process = process
        self.lines: list[str] = []
        self._complaints = complaints
        self._watcher = None if watcher is None else trio.socket.from_stdlib_socket(watcher)
        self._told = trio.Event()
        self._is_silent = False

    async def listen(self) -> None:
        """Keep what it says, until it ends: a full pipe would stop it."""
        assert self.process.stdout is not None, "opened with a pipe"
        rest = b""
        async for chunk in self.process.stdout:
            *whole, rest = (rest + chunk).split(b"\n")
            self.lines += [line.decode(errors="replace") for line in whole]
            self._tell()
        self._is_silent = True
        self._tell()

    def _tell(self) -> None:
        self._told.set()
        self._told = trio.Event()

    async def line(self, fits: Callable[[str], bool], what: str, after: int = 0) -> str:
        """The first line that fits, but so many; raises Unplayed if it ends or stays silent."""
        with trio.move_on_after(PATIENCE_S):
            while True:
                found = next((line for line in self.lines[after:] if fits(line)), None)
                if found is not None:
                    return found
                if self._is_silent:
                    raise Unplayed(f"it ended before {what!r}: {self.complaint()}")
                await self._told.wait()
        raise Unplayed(f"it never said {what!r}")

    async def says(self, words: str, after: int = 0) -> str:
        """The first line with these words, but so many."""
        return await self.line(lambda line: words in line, words, after)

    async def hold_at(self, *names: str) -> None:
        """Let it go on until it has reached these steps, in this order; it stands at the last one then."""
        assert self._watcher is not None, "started as watched"
        with trio.move_on_after(PATIENCE_S):
            for place, name in enumerate(names):
                if place:
                    await self._watcher.send(b".")
                while (reached := await self._watcher.recv(100)) != f"{name}\n".encode():
                    if not reached:
                        raise Unplayed(f"it ended before the step {name!r}: {self.complaint()}")
                    await self._watcher.send(b".")
            return
        raise Unplayed(f"it never reached the step {names[-1]!r}")

    async def steps_to_its_end(self) -> list[str]:
        """Let it go on until it ends, and say by which steps."""
        assert self._watcher is not None, "started as watched"
        steps: list[str] = []
        with trio.move_on_after(PATIENCE_S), suppress(OSError):  # It may end before it is let go.
            await self._watcher.send(b".")
            while reached := await self._watcher.recv(100):
                steps.append(reached.decode().strip())
                await self._watcher.send(b".")
        return steps

    async def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code when all that it said is heard, after this signal if any; raises Unplayed if it doesn't end."""
        if number is not None:
            self.process.send_signal(number)
        with trio.move_on_after(PATIENCE_S):
            code = await self.process.wait()
            while not self._is_silent:
                await self._told.wait()
            return code
        raise Unplayed("it did not end")

    def complaint(self) -> str:
        """What it said last on standard error."""
        return self._complaints.read_text().strip()[-300:]


@asynccontextmanager
async def child(
    folder: Path,
    *arguments: str,
    root: Path = ROOT,
    module: str = "trader",
    environment: Mapping[str, str] | None = None,
    watched: bool = False,
) -> AsyncIterator[Child]:
    """`trader` in this folder, of the sources below `root`; watched, it stands still at each of its steps."""
    ours, its = socket.socketpair()
    added = {"PYTHONPATH": str(root), **(environment or {})}
    if watched:
        added["TRADER_STEPS_FD"] = str(its.fileno())
    number, complaints = tempfile.mkstemp(".err", "child-", folder)
    with open(number, "wb") as errors:  # noqa: ASYNC230  # a new file of ours
        process = await trio.lowlevel.open_process(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=folder,
            env={**os.environ, **added},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=(its.fileno(),) if watched else (),
        )
    its.close()
    found = Child(process, Path(complaints), ours if watched else None)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(found.listen, name="listener")
            try:
                yield found
            finally:
                if process.poll() is None:
                    process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
                nursery.cancel_scope.cancel()
    finally:
        ours.close()


class StandingBroker(Struct, frozen=True, kw_only=True):
    """A simulated broker in a process of its own, which outlives whatever is done to those who trade with it."""

    folder: Path
    address: str
    keys: Mapping[str, str]

    def trader(
        self,
        symbols: Sequence[Symbol],
        *arguments: str,
        only: str = "",
        sells: Sequence[Symbol] = (),
        watched: bool = False,
    ) -> AbstractAsyncContextManager[Child]:
        """The real program on this account, which wants these symbols, or one `only`, at every tick."""
        wanted = ("--symbols", ",".join(symbols), "--strategy", "insistent", "--speed", SPEED)
        params = ("--param", f"only={only}", "--param", f"sells={','.join(sells)}")
        return self.verb("run", *wanted, *params, *arguments, watched=watched)

    def verb(self, *arguments: str, watched: bool = False) -> AbstractAsyncContextManager[Child]:
        """Any verb that asks the broker."""
        whom = ("--broker", "alpaca-paper", "--address", self.address)
        return child(
            self.folder, *arguments, *whom, module=INSISTENT, environment=self.keys, watched=watched
        )

    def accepted(self) -> list[VenueOrder]:
        """Each order that it has, from its own file."""
        return list(venue_state(self.folder / BROKER_BOOKS).orders.values())

    async def has(self, symbol: Symbol) -> None:
        """Wait for its order: the kernel brings what was sent, whatever becomes of the sender."""
        with trio.move_on_after(PATIENCE_S):
            while symbol not in {one.symbol for one in self.accepted()}:  # noqa: ASYNC110  # a file
                await trio.sleep(0.01)
            return
        raise Unplayed(f"{symbol}'s order never arrived")


@asynccontextmanager
async def standing_broker(folder: Path, symbols: Sequence[Symbol]) -> AsyncIterator[StandingBroker]:
    """On a free port, with books of its own."""
    wanted = ("--symbols", ",".join(symbols))
    arguments = ("broker", "--speed", SPEED, "--state", BROKER_BOOKS, *wanted)
    async with child(folder, *arguments) as broker:
        found = [(await broker.says(name)).split()[1] for name in ("address", "key", "secret")]
        address, key, secret = found
        yield StandingBroker(folder=folder, address=address, keys=_keys(key, secret))


@asynccontextmanager
async def own_broker(
    folder: Path,
    symbols: Sequence[Symbol],
    begun: Callable[[Embedded], Awaitable[Sequence[FaultRule]]],
) -> AsyncIterator[StandingBroker]:
    """The same in this process, by a running clock; `begun` begins a session, and says what goes wrong in it."""
    plan = Sessions(
        market=SyntheticMarket(SEED, symbols),
        seed=SEED,
        books=folder / BROKER_BOOKS,
        fees=Fees(),
        pre_market=False,
        session_max=None,
    )
    embedded = Embedded(plan, float(SPEED))
    async with embedded.served() as address, trio.open_nursery() as nursery:
        for fault in await begun(embedded):
            embedded.broker.faults.add(fault)
        nursery.start_soon(embedded.run_clock, float(SPEED), name="market")
        key, secret = embedded.credentials.key, embedded.credentials.secret()
        yield StandingBroker(folder=folder, address=address, keys=_keys(key, secret))
        nursery.cancel_scope.cancel()


def _keys(key: str, secret: str) -> Mapping[str, str]:
    return {"APCA_API_KEY_ID": key, "APCA_API_SECRET_KEY": secret}


def outcome_in(folder: Path, symbols: Sequence[Symbol], books: str = BROKER_BOOKS) -> Outcome:
    """What both files say when their processes have ended."""
    with closing(reading_connection(folder / "trading_data.db")) as reader:
        entries = list(entries_of(reader))
    state = venue_state(folder / books)
    return Outcome(
        state=fold(ExecutionState(), entries),
        accepted=tuple(state.orders.values()),
        symbols=tuple(symbols),
        venue=Venue(symbols, random=Random(0), state=state),
        journal=lambda: iter(entries),
    )


def venue_state(books: Path) -> VenueState:
    """What a simulated broker has saved, which it does before it answers."""
    with closing(BrokerStore(books)) as store:
        state, _ = store.load()
    return state
