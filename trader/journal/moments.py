"""When an entry was decided and in which life, where the input itself brings a newer time or a new life."""

from trader.messages import Boot, Clock, Entry, LifeEnd


def moment_of(entry: Entry) -> tuple[int, str]:
    """Market time (ns) and session: those of the executor's state, or of the clock input that moved them."""
    match entry.input:
        case Clock(at_ns=at_ns, session=session):
            return at_ns, session
        case Boot(at_ns=at_ns) | LifeEnd(at_ns=at_ns):
            return at_ns, entry.session
        case _:
            return entry.at_ns, entry.session


def epoch_of(entry: Entry) -> int:
    """The life that an entry belongs to: the one that begins with it, or the one it was decided in."""
    return entry.input.epoch if isinstance(entry.input, Boot) else entry.epoch
