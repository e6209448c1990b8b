"""A word to systemd, where it has started us: ready, well, stopping, and how things stand.

The protocol is one datagram of KEY=VALUE lines to the socket in NOTIFY_SOCKET (sd_notify(3)); a path that begins with
@ is in Linux's abstract namespace. Nobody waits for it: where the word can't be said, it isn't.
"""

import os
import socket
from collections.abc import Mapping

STATUS_CHARACTERS_MAX = 200


def tell(*words: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Say READY=1, WATCHDOG=1, STOPPING=1 or STATUS=...; whether it was said."""
    path = environment.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(words).encode(), address)
    except OSError:
        return False
    return True


def status(words: str) -> str:
    """One line for `systemctl status`."""
    line = "".join(one if one.isprintable() else " " for one in words)
    return f"STATUS={line[:STATUS_CHARACTERS_MAX]}"


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds within which systemd wants to hear that we are well; None where it doesn't, or asks another process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or not int(microseconds):
        return None
    return int(microseconds) / 1_000_000
