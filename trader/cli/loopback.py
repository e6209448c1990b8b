"""An address on this machine: the only place that keys go to besides Alpaca's own hosts."""

from urllib.parse import urlsplit

from trader.exits import Mistake

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def loopback(address: str) -> str:
    """The address without a trailing slash; raises Mistake unless it is plain http on this machine."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in HOSTS or parts.path not in {"", "/"}:
        raise Mistake(
            f"not a server on this machine: {address!r}",
            where="--address",
            remedy="http://127.0.0.1:PORT, as bin/trade broker prints it",
        )
    return address.rstrip("/")
