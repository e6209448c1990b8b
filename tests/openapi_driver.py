"""Asks a server everything that Alpaca's OpenAPI files say can be asked; prints what was answered against them.

Runs in the environment of lock/schemathesis.txt: ADDRESS KEY SECRET EXAMPLES. Schemathesis draws requests that keep to
the files and requests that don't. Every second one is *aimed*: it names an order, a symbol or a market that is there,
because nothing that is drawn ever hits one. Before each operation the account is given what it may ask for.
"""

import json
import sys
from collections import Counter
from importlib import resources
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SPECIFICATIONS = ("trading-api.json", "market-data-api.json")
# Every operation under these is the simulated broker's but for the parts that it says it has not.
SERVED = ("/v2/account", "/v2/orders", "/v2/positions", "/v2/assets", "/v2/clock", "/v2/calendar")
SERVED_TOO = ("/v3/clock", "/v3/calendar", "/v2/stocks")
LEFT_OUT = ("exercise", "auctions")
ORDER: dict[str, object] = {
    "symbol": "JD",
    "qty": "3",
    "side": "buy",
    "time_in_force": "gtc",
    "type": "limit",
}
# What makes a request meet something: by operation, and by the name of a parameter in any of them.
BODIES: dict[str, list[dict[str, object]]] = {
    "POST /v2/orders": [ORDER | {"limit_price": "1"}, ORDER | {"type": "market"}],
    "PATCH /v2/orders/{order_id}": [{"qty": "2"}, {"limit_price": "2"}],
    "PATCH /v2/account/configurations": [{"suspend_trade": False}, {"no_shorting": True}],
}
PARAMETERS = {
    "symbol": "JD",
    "symbol_or_asset_id": "JD",
    "market": "NYSE",
    "markets": "NYSE,NASDAQ",
    "symbols": "JD,GS",
    "timeframe": "5Min",
    "ticktype": "trade",
    "tape": "A",
    "activity_type": "FILL",
    "feed": "iex",
    "percentage": "50",
    "qty": "1",
    "time": "2026-01-26T15:00:00Z",
}


class Server:
    """Where it is, and what the account there has."""

    def __init__(self, address: str, key: str, secret: str) -> None:
        self.address = address
        self.headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        self.known: dict[str, list[str]] = {}

    def provide(self, label: str) -> None:
        """Shares of JD and, where they wouldn't be in the way of selling it, open orders; the ids of all."""
        self._ask("PATCH", "/v2/account/configurations", {"suspend_trade": False})
        is_of_positions = "/v2/positions" in label
        if is_of_positions:
            self._ask("DELETE", "/v2/orders")
        resting = [ORDER | {"limit_price": "1"}] * (0 if is_of_positions else 3)
        for order in (ORDER | {"type": "market"}, *resting):
            self._ask("POST", "/v2/orders", order)
        orders = self._ask("GET", "/v2/orders?status=all&limit=12")
        self.known = {
            "order_id": [order["id"] for order in orders],
            "client_order_id": [order["client_order_id"] for order in orders],
        }

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # whatever JSON it answers
        return requests.request(
            method, self.address + path, json=body, headers=self.headers, timeout=20
        ).json()


def aimed(case: Case, server: Server, turn: int) -> None:
    """Let the request name what is there; the first is nothing but what the operation needs."""
    bodies = BODIES.get(case.operation.label)
    if bodies and turn < 2 * len(bodies):
        case.body = bodies[turn // 2]
    elif isinstance(case.body, dict) and "symbol" in case.body:
        case.body["symbol"] = "JD"
    for place in ("path_parameters", "query"):
        given_ones = dict(getattr(case, place) or {})
        if turn == 0:
            required = {one.name for one in getattr(case.operation, place) if one.is_required}
            given_ones = dict.fromkeys(required, "")
        for name in given_ones:
            if name in server.known:
                given_ones[name] = server.known[name][turn // 2 % len(server.known[name])]
            elif name in PARAMETERS:
                given_ones[name] = PARAMETERS[name]
        setattr(case, place, given_ones)


class Report:
    """How often each status was answered, and each thing that is wrong once, with the request that shows it."""

    def __init__(self) -> None:
        self.answers: dict[str, Counter[int]] = {}
        self.wrong: dict[tuple[str, str, str], str] = {}

    def check(self, case: Case, response: Any) -> None:  # noqa: ANN401  # schemathesis has no types here
        label, status = case.operation.label, response.status_code
        self.answers.setdefault(label, Counter())[status] += 1
        for check in CHECKS:
            try:
                case.validate_response(response, checks=[check])
            except BaseExceptionGroup as failures:
                for leaf in failures.exceptions:
                    what = " ".join(str(getattr(leaf, "message", "") or leaf).split())[:200]
                    is_status = check is status_code_conformance
                    key = (label, check.__name__, str(status) if is_status else what)
                    shown = f"{case.as_curl_command()}\n  {status} {response.text[:300]}"
                    self.wrong.setdefault(key, shown)


def drive(server: Server, examples: int) -> Report:
    report = Report()
    for name in SPECIFICATIONS:
        text = resources.files("alpaca_mcp_server").joinpath("specs", name).read_text("utf-8")
        for found in openapi.from_dict(json.loads(text)).get_all_operations():
            operation = found.ok()
            is_served = operation.path.startswith((*SERVED, *SERVED_TOO))
            if is_served and not any(part in operation.path for part in LEFT_OUT):
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    server.provide(operation.label)
                    drive_operation(operation, mode, server, examples, report)
    return report


def drive_operation(
    operation: Any,  # noqa: ANN401  # schemathesis has no types here
    mode: GenerationMode,
    server: Server,
    examples: int,
    report: Report,
) -> None:
    turns = iter(range(sys.maxsize))

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        turn = next(turns)
        if turn % 2 == 0:
            aimed(case, server, turn)
        report.check(case, case.call(base_url=server.address, headers=server.headers))

    ask()


if __name__ == "__main__":
    where, key, secret, count = sys.argv[1:]
    seen = drive(Server(where, key, secret), int(count))
    wrong = [[*key, shown] for key, shown in seen.wrong.items()]
    print(json.dumps({"answers": seen.answers, "wrong": wrong}))
