"""Watches over a run: code that is stale, tasks that are silent, checks that somebody bypassed; and tells systemd."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio
from msgspec import Struct

from trader import freshness, heartbeat, sources, systemd
from trader.build import running_sources
from trader.freshness import Freshness
from trader.live.opening import Books
from trader.live.telling import Telling
from trader.messages import AlarmReport, Command
from trader.model import ENTRY_PURPOSES, MINUTE_NS, SECOND_NS, Order
from trader.state import ExecutionState
from trader.supervisor import Parts

CODE_SILENT_S_MAX = 30.0
# A clock that ticks once a minute, a commit, and what an order may wait to be sent.
ENTRY_AGE_NS_MAX = 3 * MINUTE_NS


class Bypass(Struct, frozen=True, kw_only=True):
    """A check of the start that a person passes by, and why."""

    check: str
    who: str
    reason: str


def freshness_of_run() -> Freshness:
    """Of this process's code."""
    return Freshness(running_sources(), sources.compiled)


def last_check(books: Books, fresh: Freshness, order: Order) -> str:
    """Right before an order's bytes leave: why not, or nothing."""
    return books.last_check(order) or freshness.entry_check(fresh, order)


def last_check_of_late(
    books: Books, fresh: Freshness, market_ns: Callable[[], int], speed: float, order: Order
) -> str:
    """The same where the market runs by a clock that goes on while the machine sleeps."""
    return last_check(books, fresh, order) or entry_age(order, market_ns(), speed)


def entry_age(order: Order, market_ns: int, speed: float) -> str:
    """Right before its bytes leave: why an entry must not, after a machine was suspended with it in hand.

    Its price was right when it was decided, hours ago. And until the executor has heard the time after waking, all that
    it accepts it accepts by the time of before.
    """
    age_ns = market_ns - order.created_ns
    if order.purpose not in ENTRY_PURPOSES or age_ns <= ENTRY_AGE_NS_MAX * max(1.0, speed):
        return ""
    return f"decided by the time of {age_ns // SECOND_NS:,} s ago"


@asynccontextmanager
async def watched(
    parts: Parts, telling: Telling, fresh: Freshness, bypasses: Sequence[Bypass] = ()
) -> AsyncIterator[None]:
    """While inside, watch; from the first row of this life on, for nothing may be written before it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, parts, telling, fresh, bypasses, name="watch")
        yield
        nursery.cancel_scope.cancel()


async def _watch(
    parts: Parts, telling: Telling, fresh: Freshness, bypasses: Sequence[Bypass]
) -> None:
    await parts.executor.wait_until(lambda state: state.epoch == parts.boot.epoch)
    for bypass in bypasses:
        await parts.inbox.tell(
            Command(
                command_id=f"bypass-{parts.boot.epoch}-{bypass.check}",
                verb="bypass",
                subject=bypass.check,
                who=bypass.who,
                reason=bypass.reason,
            )
        )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_code, parts, fresh, name="freshness")
        nursery.start_soon(_watch_tasks, parts, telling, name="heartbeats")


async def _watch_code(parts: Parts, fresh: Freshness) -> None:
    await freshness.watch(
        fresh,
        parts.inbox.tell,
        lambda: parts.heart.beat("freshness", CODE_SILENT_S_MAX),
    )


async def _watch_tasks(parts: Parts, telling: Telling) -> None:
    async def alarm(message: str) -> None:
        telling.program("silent_task", message, is_alarm=True)
        await parts.inbox.tell(AlarmReport(alarm="silent_task", message=message))

    def well() -> None:
        systemd.tell("WATCHDOG=1", systemd.status(_status_words(parts.executor.state)))

    within_s = systemd.watchdog_s() or 2 * heartbeat.WATCH_PAUSE_S
    await heartbeat.watch(
        parts.heart,
        alarm,
        well=well,
        pause_s=min(heartbeat.WATCH_PAUSE_S, within_s / 2),
        prints_traces=True,
    )


def _status_words(state: ExecutionState) -> str:
    held = sum(1 for one in state.positions.values() if one.quantity)
    closed = [f"{gate.value}: {why}" for gate, why in state.gates_closed]
    entries = f"entries closed ({'; '.join(closed)})" if closed else "entries open"
    return f"{'HALTED' if state.halted else entries}, {held} positions"
