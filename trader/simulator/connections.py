"""The open connections of the server, by the client's address, so that one of them can be cut."""

from collections.abc import Callable

from starlette.requests import HTTPConnection


class Connections:
    """Inside one process, without sockets, there is nothing to cut: `cut` does nothing then."""

    def __init__(self) -> None:
        self._close: dict[tuple[str, int], Callable[[], None]] = {}

    def opened(self, address: tuple[str, int], close: Callable[[], None]) -> None:
        self._close[address] = close

    def closed(self, address: tuple[str, int]) -> None:
        self._close.pop(address, None)

    def cut(self, connection: HTTPConnection) -> None:
        """Close the connection under the request: no reply, no closing frame."""
        if connection.client is not None:
            close = self._close.pop((connection.client.host, connection.client.port), None)
            if close is not None:
                close()

    def cut_all(self) -> None:
        for close in list(self._close.values()):
            close()
        self._close.clear()
