"""Takes the place of a process that hangs: end its life on disk, then wait until nothing of it can leave any more.

Its kernel lock can't be taken away, and it may wake at any instruction. What holds it off is the epoch: a newer life
is made durable before anything else, so that its next commit is refused, and its last look before bytes leave finds
the newer life. What it was sending already is cut off by that send's own deadline, in machine time that goes on while
it is stopped; so that long is waited, and a little more. One window remains, between its last look and the system
call; there the broker's refusal of an id that it has seen helps, and nothing of ours.
"""

import os
from collections.abc import Callable

import trio
from msgspec import Struct

from trader import __version__
from trader.brokers.alpaca.transport import HttpDeadlines
from trader.build import Build
from trader.executor import decided
from trader.exits import StartRefused
from trader.live.opening import Books
from trader.messages import Boot, Command, Input, LifeEnd
from trader.ports import Batch, JournalFailed

WAIT_S = HttpDeadlines().whole + 5.0  # machine time


class TakeOver(Struct, frozen=True, kw_only=True):
    """A person wants it, and says why."""

    who: str
    reason: str


async def taken_over(
    books: Books,
    wanted: TakeOver | None,
    build: Build,
    say: Callable[[str], None],
    *,
    pid: int | None = None,
) -> Books:
    """The same books, when nobody else holds them; else after a short life that ended the other process's.

    What that one had told nobody the outcome of is in doubt. Raises StartRefused, or JournalFenced where a third
    process was quicker.
    """
    holder = books.journal.taken_from
    if wanted is None or holder is None:
        return books
    state, epoch = books.state, books.journal.begin_life()
    boot = Boot(
        epoch=epoch,
        build=build.identity,
        pid=os.getpid() if pid is None else pid,
        version=__version__,
        broker=state.account.partition(":")[0],
        account=state.account,
        symbols=tuple(sorted(state.symbols)),
        limits=state.limits,
        strategies=dict(sorted(state.strategies.items())),
        fees=state.fees,
        at_ns=state.at_ns,
    )
    their_pid, since = holder
    command = Command(
        command_id=f"take-over-{epoch}",
        verb="take_over",
        subject=f"process {their_pid}, since {since}",
        who=wanted.who,
        reason=wanted.reason,
    )
    books = _after(books, [boot, command])
    say(f"took over from process {their_pid}, since {since}: {wanted.reason}")
    say(f"waiting {WAIT_S:.0f} s for what it may have been sending")
    try:
        await trio.sleep(WAIT_S)
    finally:
        # Somebody may stop us meanwhile. The other process holds its lock on: who comes next waits as long.
        books = _after(books, [LifeEnd(at_ns=books.state.at_ns, exit_code=0)])
    return books


def _after(books: Books, inputs: list[Input]) -> Books:
    state, entries = decided(books.state, inputs)
    try:
        books.journal.write(Batch(entries=tuple(entries), after=state))
    except JournalFailed as failure:
        raise StartRefused(str(failure), where=str(books.journal.path)) from None
    return books.after(state, entries)
