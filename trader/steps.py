"""Names each step of an order's life to whoever watches, and waits there until told to go on; else it does nothing.

For the tests that kill a real process exactly between two instructions: TRADER_STEPS_FD names an inherited socket,
which gets a line for each step and gives a byte back. Steps of the executor are named by what it heard, too.
"""

import os
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress

STEPS = (
    "heard OrderRequest",
    "decided OrderRequest",
    "rows written",  # in the transaction, which is not committed
    "rows durable",  # and nobody in this process knows it
    "committed OrderRequest",
    "acted OrderRequest",  # it is in the outbox
    "taken from the outbox",
    "last check passed",
    "heard SendStarted",
    "committed SendStarted",
    "bytes about to leave",
    "bytes left",
    "reply received",
    "reply told",
    "heard OrderReport",
    "decided OrderReport",
    "committed OrderReport",
    "acted OrderReport",
    "log told",
)

_LOCK = threading.Lock()  # commits are written in a thread of their own
_DESCRIPTOR = os.environ.get("TRADER_STEPS_FD")
_WATCHER = None if _DESCRIPTOR is None else socket.socket(fileno=int(_DESCRIPTOR))


def reach(step: str, heard: Iterable[object] = ()) -> None:
    """This is where we are; `heard` completes the name, once for each kind in it."""
    if _WATCHER is None:
        return
    kinds = sorted({type(one).__name__ for one in heard})
    with _LOCK:
        for name in [f"{step} {kind}" for kind in kinds] or [step]:
            with suppress(OSError):  # Nobody watches any more.
                _WATCHER.sendall(f"{name}\n".encode())
                _WATCHER.recv(1)
