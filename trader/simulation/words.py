"""How the trace of a simulated world calls inputs and events."""

from msgspec import Struct


def words(value: Struct) -> str:
    """A message as a line of the trace: its kind and what tells it apart."""
    told = (str(getattr(value, name)) for name in _TOLD if getattr(value, name, None) is not None)
    return " ".join((type(value).__name__, *told))


_TOLD = (
    "request_id",
    "client_order_id",
    "symbol",
    "side",
    "state",
    "claim",
    "outcome",
    "gate",
    "is_open",
    "verb",
    "source",
    "reason",
)
