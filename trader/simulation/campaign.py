"""Many seeds, what they reached together, and the fewest faults with which a seed still fails."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from trader.messages import DenyReason
from trader.orders import Trigger
from trader.simulation.draw import drawn
from trader.simulation.fault import Fault
from trader.simulation.jobs import lived
from trader.simulation.reached import rows_beyond, rows_missing
from trader.simulation.verdict import Verdict
from trader.simulation.world import simulated


class Totals(Struct, frozen=True, kw_only=True):
    """What a campaign amounts to.

    unreached are rows of the order table, deny reasons and faults that no seed met and one should have; beyond are
    rows that none should have met, and one did.
    """

    seeds: int
    hours: float
    orders: int
    fills: int
    lives: int
    torn_tails: int
    unknown_found: int
    unknown_never_sent: int
    cpu_s: float
    failed: tuple[int, ...]
    unreached: tuple[str, ...]
    beyond: tuple[str, ...]


def verdicts(
    seeds: Iterable[int],
    hours: float,
    faults: Sequence[Fault],
    *,
    aimed: bool = False,
    jobs: int = 1,
    done: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """In the order of the seeds, whatever the number of processes; `done` hears of each as it ends. 1: this process."""

    if jobs > 1:
        options = [f"--hours={hours!r}", f"--faults={','.join(faults) or 'none'}"]
        return lived(seeds, [*options, *(["--aimed"] if aimed else [])], jobs, done)
    found: list[Verdict] = []
    for seed in seeds:
        found.append(simulated(drawn(seed, hours, faults, aimed=aimed)))
        done(found[-1])
    return found


def totalled(found: Sequence[Verdict]) -> Totals:
    """Their sums."""
    reached: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for one in found:
        reached.update(one.reached)
        faults.update(one.faults)
    from_unknown = {
        trigger: reached[name]
        for trigger in Trigger
        for name in reached
        if name.endswith(f" {trigger.name}") and name.startswith("row UNKNOWN ")
    }
    never_sent = from_unknown.pop(Trigger.PROVEN_NEVER_SENT, 0)
    from_unknown.pop(Trigger.DOUBT, None)
    return Totals(
        seeds=len(found),
        hours=sum(one.hours for one in found),
        orders=sum(one.orders for one in found),
        fills=sum(one.fills for one in found),
        lives=sum(one.lives for one in found),
        torn_tails=sum(one.torn_tails for one in found),
        unknown_found=sum(from_unknown.values()),
        unknown_never_sent=never_sent,
        cpu_s=round(sum(one.cpu_s for one in found), 1),
        failed=tuple(one.seed for one in found if one.violations),
        unreached=tuple(_unreached(reached, faults)),
        beyond=tuple(sorted({name for one in found for name in _beyond(one)})),
    )


def _beyond(one: Verdict) -> list[str]:
    is_restored = one.faults.get(Fault.RESTORED_BACKUP, 0) > 0
    return rows_beyond(Counter(one.reached), is_restored=is_restored)


def _unreached(reached: Counter[str], faults: Counter[str]) -> Iterator[str]:
    yield from rows_missing(reached)
    yield from sorted(f"reason {one}" for one in DenyReason if not reached[f"outcome {one}"])
    yield from sorted(f"fault {one}" for one in Fault if not faults[one])


def shrunk(
    seed: int,
    hours: float,
    faults: Sequence[Fault],
    tried: Callable[[Sequence[Fault], bool], None] = lambda faults, failed: None,
) -> tuple[Fault, ...]:
    """The fewest faults, taken away one by one, with which the seed still fails; empty where it doesn't fail at all."""
    on = drawn(seed, hours, faults).rates
    left = [fault for fault in faults if fault in on]
    if not _fails(seed, hours, left):
        return ()
    for fault in list(left):
        fewer = [one for one in left if one is not fault]
        failed = _fails(seed, hours, fewer)
        tried(fewer, failed)
        if failed:
            left = fewer
    return tuple(left)


def _fails(seed: int, hours: float, faults: Sequence[Fault]) -> bool:
    return bool(simulated(drawn(seed, hours, faults)).violations)
