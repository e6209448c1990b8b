"""HTTP, behind a seam that a simulation can take over: one request out, one reply or one of two failures back.

It goes through an httpx2 transport without its client: no redirects, cookies, proxies or environment, nothing that
repeats a request. What that raises is translated once: NeverSent is certain, NoReply is everything else.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import cache, lru_cache, partial
from urllib.parse import urlsplit

import httpx2
import trio
from msgspec import Struct

from trader import steps
from trader.brokers.alpaca.budget import LIMIT_HEADERS, RequestBudget
from trader.credentials import Credentials
from trader.wire.unreadable import shown

# Client and server both close idle connections; a POST on one that the server is just closing ends as unknown.
# So ours give up long before any server's do.
KEEPALIVE_SECONDS_MAX = 2.0
CONNECTIONS_MAX = 20
QUESTIONS_KEPT = 64
REPLY_BYTES_MAX = 16 * 2**20
CLOSE_SECONDS_MAX = 2.0
FIRST_BYTE = "http11.send_request_headers.started"
LAST_BYTE = "http11.send_request_body.complete"
REQUEST_ID = "x-request-id"
_HEADERS = {name.encode(): name for name in (REQUEST_ID, *LIMIT_HEADERS)}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


Trace = Callable[[str, object], Awaitable[None]]  # what a transport calls at each step of a request


class NeverSent(Exception):
    """No byte of the request left this machine, for certain."""


class NoReply(Exception):
    """The request may or may not have arrived: no reply, half a reply, or one beyond all bounds."""


def _by_nothing() -> str:
    return ""


class HttpReply(Struct, frozen=True, kw_only=True):
    """A whole reply; request_id is the broker's name for the exchange."""

    status: int
    body: bytes
    request_id: str


class HttpDeadlines(Struct, frozen=True, kw_only=True):
    """Seconds for each step of a request, and for all of it: a reply that drips keeps every step short."""

    connect: float = 5.0
    write: float = 5.0
    read: float = 10.0
    pool: float = 5.0
    whole: float = 15.0

    def extension(self) -> dict[str, float]:
        """As the transport wants to be told."""
        return {
            "connect": self.connect,
            "write": self.write,
            "read": self.read,
            "pool": self.pool,
        }


class HttpLink:
    """Requests to one host, with the keys that are meant for it and for no other."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        deadlines: HttpDeadlines | None = None,
        budget: RequestBudget | None = None,
        is_patient: bool = False,
    ) -> None:
        """A patient link waits when the budget is short. Raises ValueError for an address that keys may not go to."""
        self._base_url = checked_address(base_url, "http")
        headers = {
            "APCA-API-KEY-ID": credentials.key,
            "APCA-API-SECRET-KEY": credentials.secret(),
            # A compressed reply could be a bomb, and ours are small.
            "Accept-Encoding": "identity",
            "Accept": "application/json",
        }
        self._headers = httpx2.Headers(headers)
        self._headers_with_body = httpx2.Headers(headers | {"Content-Type": "application/json"})
        self._transport = transport or open_transport()
        self._deadlines = deadlines or HttpDeadlines()
        self._budget = budget or RequestBudget()
        self._is_patient = is_patient
        # A few questions are asked again and again; nothing changes a request that has no body.
        self._question = lru_cache(maxsize=QUESTIONS_KEPT)(partial(self._request, "GET"))

    async def exchange(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        held_back: Callable[[], str] = _by_nothing,
    ) -> HttpReply:
        """Send once and read the whole reply. Raises NeverSent or NoReply.

        `held_back` is asked on the open connection, with no wait between it and the first byte: a reason, and
        nothing is sent.
        """
        if method == "GET":
            request = self._question(target)
        else:
            request = self._request(method, target, body, _last_look(held_back))
        if self._is_patient:
            await self._budget.wait_for_query()
        seconds = self._deadlines.whole
        self._budget.spent()
        try:
            with trio.move_on_after(seconds):
                return await self._exchange(request)
        finally:
            self._budget.ended()
        raise NoReply(f"no whole reply within {seconds:g} s")

    def _request(
        self, method: str, target: str, body: bytes | None = None, trace: Trace | None = None
    ) -> httpx2.Request:
        return httpx2.Request(
            method,
            self._base_url + target,
            headers=self._headers if body is None else self._headers_with_body,
            content=body,
            extensions={"timeout": self._deadlines.extension()}
            | ({"trace": trace} if method == "POST" else {}),
        )

    async def _exchange(self, request: httpx2.Request) -> HttpReply:
        try:
            response = await self._transport.handle_async_request(request)
            try:
                body = await _whole_body(response)
            finally:
                await response.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NeverSent(failure_words(error)) from None
        except httpx2.TransportError as error:
            raise NoReply(failure_words(error)) from None
        said = _said(response.headers.raw)
        self._budget.told(response.status_code, said)
        return HttpReply(
            status=response.status_code, body=body, request_id=shown(said.get(REQUEST_ID, ""), 64)
        )

    async def aclose(self) -> None:
        """Close the connections, also while being cancelled."""
        with trio.move_on_after(CLOSE_SECONDS_MAX, shield=True):
            await self._transport.aclose()


def open_transport() -> httpx2.AsyncBaseTransport:
    """Real sockets; certificates are checked against the system's authorities."""
    return httpx2.AsyncHTTPTransport(
        verify=_authorities(),
        trust_env=False,
        retries=0,
        limits=httpx2.Limits(
            max_connections=CONNECTIONS_MAX, keepalive_expiry=KEEPALIVE_SECONDS_MAX
        ),
    )


@cache
def _authorities() -> ssl.SSLContext:
    """Read once for all connections of a process: hundreds of certificates, a part of every start's time."""
    return httpx2.create_ssl_context(verify=True, trust_env=False)


def _last_look(held_back: Callable[[], str]) -> Trace:
    """The transport alone knows when a request's first byte is about to leave, and when the last one has left."""

    async def trace(moment: str, _: object) -> None:
        if moment == FIRST_BYTE and (why := held_back()):
            raise NeverSent(why)
        if moment == LAST_BYTE:
            steps.reach("bytes left")

    return trace


def _said(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers that say something to us, in small letters; what is told twice is no number any more."""
    said: dict[str, str] = {}
    for name, value in headers:
        known = _HEADERS.get(name.lower())
        if known is not None:
            text = value.decode("latin-1")
            said[known] = f"{said[known]}, {text}" if known in said else text
    return said


async def _whole_body(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    assert isinstance(response.stream, httpx2.AsyncByteStream), "an asynchronous transport's"
    async for part in response.stream:
        size += len(part)
        if size <= REPLY_BYTES_MAX:
            parts.append(part)
        else:
            # Not left by raising: that would abandon the library's own generators, half-way. On a closed
            # connection they come to their end by themselves.
            await response.aclose()
    if size > REPLY_BYTES_MAX:
        raise NoReply(f"a reply of more than {REPLY_BYTES_MAX} bytes")
    return b"".join(parts)


def failure_words(error: BaseException) -> str:
    """The failure and the first of its causes that has something to say: often that is the operating system's."""
    name = type(error).__name__
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__ or cause.__context__
    return f"{name}: {shown(str(cause))}" if cause is not None else name


def checked_address(url: str, scheme: str) -> str:
    """The address without a slash at its end; ValueError unless keys may go there: in the clear only to ourselves."""
    parts = urlsplit(url)
    if parts.scheme not in {scheme, f"{scheme}s"} or not parts.hostname:
        raise ValueError(f"not an address beginning with {scheme}:// or {scheme}s://: {shown(url)}")
    if parts.username or parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError(f"more than a host in {shown(url)}")
    if parts.scheme == scheme and parts.hostname not in _LOOPBACK:
        raise ValueError(f"{shown(url)} is not encrypted: keys are not sent there")
    return url.rstrip("/")
