"""The talk on `/stream`: a client shows its keys and says what it would like to hear; it is told nothing before."""

from collections.abc import Callable

from trader.simulator.faults import AUTHENTICATE, LISTEN, FaultRule, FaultVerb
from trader.simulator.requests import MALFORMED
from trader.simulator.shapes import Json, Shape
from trader.simulator.stream_client import StreamClient
from trader.simulator.stream_messages import TradingMessage, decoded

UPDATES = "trade_updates"
INTERNAL_ERROR: Json = {"action": "error", "data": {"error_message": "internal server error"}}
Authorize = Callable[[str, str], str | None]


class TradingTalk:
    """`ask_fault` knows whether a word of an account is to fail; `replay` tells a client the last events again."""

    def __init__(
        self,
        authorize: Authorize,
        ask_fault: Callable[[str, str], FaultRule | None],
        replay: Callable[[StreamClient, int], None],
    ) -> None:
        self._authorize = authorize
        self._ask_fault = ask_fault
        self._replay = replay

    def hear(self, client: StreamClient, message: bytes) -> None:
        try:
            heard = decoded(message, TradingMessage, client.packed)
        except MALFORMED:
            client.close(client.encoded(_error("invalid")))
            return
        match heard.action:
            case "auth" | "authenticate":
                self._authenticate(client, heard)
            case "listen" if not client.account_id:
                _say_authorization(client, "listen")
            case "listen":
                self._listen(client, heard.data.streams)
            case _:
                client.say(_error("unknown action"))

    def _authenticate(self, client: StreamClient, heard: TradingMessage) -> None:
        key, secret = heard.key or heard.data.key_id, heard.secret or heard.data.secret_key
        account_id = self._authorize(key, secret) or ""
        if self._ask_fault(AUTHENTICATE, account_id) is None:
            client.account_id = account_id
        _say_authorization(client, "authenticate")

    def _listen(self, client: StreamClient, streams: list[str]) -> None:
        rule = self._ask_fault(LISTEN, client.account_id)
        verb = None if rule is None else rule.verb
        if verb is FaultVerb.REFUSE_STREAM:
            client.close(client.encoded(INTERNAL_ERROR))
            return
        known: list[Json] = [one for one in streams if one == UPDATES]
        client.audible = {UPDATES: {"*"}} if known else {}
        client.say({"stream": "listening", "data": {"streams": known}})
        client.is_mute = verb is FaultVerb.MUTE_SOCKET
        if rule is not None and verb is FaultVerb.REPLAY_EVENTS:
            self._replay(client, rule.count)


def _error(words: str) -> Shape:
    return {"action": "error", "data": {"error_message": words}}


def _say_authorization(client: StreamClient, action: str) -> None:
    status = "authorized" if client.account_id else "unauthorized"
    client.say({"stream": "authorization", "data": {"status": status, "action": action}})
