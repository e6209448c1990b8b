"""What became of a simulated world, as a campaign adds it up and a process tells it."""

from msgspec import Struct


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of a seed. violations is empty when the law was kept; journal_sha256 stands for every row."""

    seed: int
    hours: float
    violations: tuple[str, ...]
    journal_sha256: str
    rows: int
    orders: int
    fills: int
    lives: int
    torn_tails: int
    steps: int
    cpu_s: float
    faults: dict[str, int]
    reached: dict[str, int]
    trace: tuple[str, ...] = ()
