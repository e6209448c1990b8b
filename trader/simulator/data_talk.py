"""The talk on `/v2/{feed}`: keys, subscriptions that add up, and an error with its number for all that is refused."""

from collections.abc import Callable

from trader.simulator.faults import AUTHENTICATE, LISTEN, FaultRule, FaultVerb
from trader.simulator.market_words import CHANNELS, FOLLOWING
from trader.simulator.plan import TEST_FEED, Plan
from trader.simulator.requests import MALFORMED
from trader.simulator.shapes import Json, Shape
from trader.simulator.stream_client import StreamClient
from trader.simulator.stream_messages import DataMessage, decoded

Authorize = Callable[[str, str], str | None]
COUNTED = ("trades", "quotes")  # against a plan's number of symbols
SYMBOLS_MAX = 10_000  # of any channel
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    412: "option messages are only available in MsgPack format",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}
SLOW_CLIENT: Json = [{"T": "error", "code": 407, "msg": ERRORS[407]}]


class DataTalk:
    """`ask_fault` knows whether a word of an account is to fail; `connected` counts its connections of this kind."""

    def __init__(
        self,
        authorize: Authorize,
        ask_fault: Callable[[str, str], FaultRule | None],
        connected: Callable[[str, StreamClient], int],
        plan: Plan,
    ) -> None:
        self._authorize = authorize
        self._ask_fault = ask_fault
        self._connected = connected
        self._plan = plan

    def greet(self, client: StreamClient, key: str, secret: str) -> None:
        """The first word is the server's; keys may have come with the handshake."""
        _say(client, {"T": "success", "msg": "connected"})
        if key:
            self._authenticate(client, key, secret)

    def hear(self, client: StreamClient, message: bytes) -> None:
        try:
            heard = decoded(message, DataMessage, client.packed)
        except MALFORMED:
            _say_error(client, 400)
            return
        match heard.action:
            case "auth":
                self._authenticate(client, heard.key, heard.secret)
            case _ if not client.account_id:
                _say_error(client, 401)
            case "subscribe" | "unsubscribe" if not heard.has_only_symbols():
                _say_error(client, 400)
            case "subscribe" | "unsubscribe" if heard.is_for_another_feed():
                _say_error(client, 410)
            case "subscribe":
                self._subscribe(client, heard)
            case "unsubscribe":
                for channel, symbols in heard.wanted():
                    client.audible.get(channel, set()).difference_update(symbols)
                _follow(client)
                _say_subscription(client)
            case _:
                _say_error(client, 400)

    def time_out(self, client: StreamClient) -> None:
        if not client.account_id:
            _close_with(client, 404)

    def _authenticate(self, client: StreamClient, key: str, secret: str) -> None:
        if client.account_id:
            _say_error(client, 403)
            return
        account_id = self._authorize(key, secret)
        rule = self._ask_fault(AUTHENTICATE, account_id or "")
        if rule is not None:
            _close_with(client, rule.status or 406, rule.word)
        elif account_id is None:
            _say_error(client, 402)
        elif self._connected(account_id, client) >= self._plan.connections_max:
            _close_with(client, 406)
        elif client.feed not in (TEST_FEED, *self._plan.feeds):
            _close_with(client, 409)
        else:
            client.account_id = account_id
            _say(client, {"T": "success", "msg": "authenticated"})

    def _subscribe(self, client: StreamClient, heard: DataMessage) -> None:
        audible = {
            channel: client.audible.get(channel, set()) | set(symbols)
            for channel, symbols in heard.wanted()
        }
        rule = self._ask_fault(LISTEN, client.account_id)
        if rule is not None and rule.verb is FaultVerb.REFUSE_STREAM:
            _say_error(client, rule.status or 405, rule.word)
            return
        if any(len(symbols) > self._symbols_max(one) for one, symbols in audible.items()):
            _say_error(client, 405)
            return
        client.is_mute = rule is not None and rule.verb is FaultVerb.MUTE_SOCKET
        client.audible = audible
        _follow(client)
        _say_subscription(client)

    def _symbols_max(self, channel: str) -> int:
        return self._plan.symbols_max if channel in COUNTED else SYMBOLS_MAX


def _follow(client: StreamClient) -> None:
    for channel in FOLLOWING:
        client.audible[channel] = set(client.audible.get("trades", ()))


def _say_subscription(client: StreamClient) -> None:
    message: Shape = {"T": "subscription"}
    for channel in (*CHANNELS, *FOLLOWING):
        message[channel] = [*sorted(client.audible.get(channel, set()))]
    _say(client, message)


def _error(code: int, words: str = "") -> Json:
    return [{"T": "error", "code": code, "msg": ERRORS.get(code, words)}]


def _say_error(client: StreamClient, code: int, words: str = "") -> None:
    client.say(_error(code, words))


def _close_with(client: StreamClient, code: int, words: str = "") -> None:
    client.close(client.encoded(_error(code, words)))


def _say(client: StreamClient, message: Shape) -> None:
    """Control frames have exactly one element."""
    client.say([message])
