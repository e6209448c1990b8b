"""A verb's side of the control socket: asks, waits for the answer, and knows when it doesn't know."""

import socket
from contextlib import suppress
from pathlib import Path

from trader.control.server import ANSWER_S
from trader.control.wire import LINE_BYTES_MAX, Answer, Asked, Unfit, address_of, answer_of, line_of

CONNECT_S = 2.0


class NobodyListens(Exception):
    """No socket, or nobody behind it."""


class NoAnswer(Exception):
    """It may have been heard, or not. Asked again with the same id, it is the same command."""


def ask(path: Path, asked: Asked, wait_s: float = ANSWER_S + CONNECT_S) -> Answer:
    """The program's answer; raises NobodyListens or NoAnswer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.settimeout(CONNECT_S)
        try:
            with address_of(path) as address:
                own.connect(address)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NobodyListens(str(error)) from None
        own.settimeout(wait_s)
        with suppress(OSError):
            own.sendall(line_of(asked))
            data = b""
            while not data.endswith(b"\n") and len(data) <= LINE_BYTES_MAX:
                more = own.recv(LINE_BYTES_MAX)
                if not more:
                    break
                data += more
            with suppress(Unfit):
                return answer_of(data)
    raise NoAnswer
