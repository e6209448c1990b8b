"""A bot of somebody else's, and his tests of it: what the fixture of `trader.simulator.pytest_plugin` is for.

It knows nothing of this program but the fixture, and runs in an environment that has it installed, too.
"""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

pytest_plugins = ["trader.simulator.pytest_plugin"]


class Bot:
    """Buys ten shares when they are cheap; keeps the id of an order in doubt, and asks for it before it sends again."""

    def __init__(self, address: str, key: str, secret: str) -> None:
        self.address = address
        self.headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        self.in_doubt = ""

    def look(self, symbol: str, below: float) -> None:
        quote = self.ask("GET", f"/v2/stocks/{symbol}/quotes/latest")["quote"]
        if quote["ap"] < below and not self.is_bought(symbol):
            order = {"symbol": symbol, "qty": "10", "side": "buy", "type": "limit"}
            order |= {"limit_price": str(quote["ap"]), "time_in_force": "day"}
            self.in_doubt = f"bot-{symbol}-1"
            self.ask("POST", "/v2/orders", order | {"client_order_id": self.in_doubt})

    def is_bought(self, symbol: str) -> bool:
        if not self.in_doubt:
            return False
        try:
            self.ask("GET", f"/v2/orders:by_client_order_id?client_order_id={self.in_doubt}")
        except urllib.error.HTTPError as error:
            return error.code != 404
        return True

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # whatever JSON it answers
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, self.headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)


@pytest.fixture
def bot(simulated_broker: Any) -> Bot:  # noqa: ANN401  # his tests have no types
    return Bot(simulated_broker.address, simulated_broker.key, simulated_broker.secret)


def test_it_buys_once_when_the_price_has_come_down(simulated_broker: Any, bot: Bot) -> None:  # noqa: ANN401
    simulated_broker.quote("JD", "30.00", "30.02")
    bot.look("JD", below=29)
    assert simulated_broker.orders == []
    simulated_broker.quote("JD", "28.00", "28.02")
    bot.look("JD", below=29)
    bot.look("JD", below=29)
    assert [order["status"] for order in simulated_broker.orders] == ["filled"]
    assert simulated_broker.positions == {"JD": 10}


def test_a_lost_reply_makes_no_second_order(simulated_broker: Any, bot: Bot) -> None:  # noqa: ANN401
    simulated_broker.quote("JD", "28.00", "28.02")
    simulated_broker.fail("accept-then-504", method="POST")
    with pytest.raises(urllib.error.HTTPError):
        bot.look("JD", below=29)
    bot.look("JD", below=29)
    assert [order["qty"] for order in simulated_broker.orders] == ["10"]


@pytest.mark.parametrize("simulated_broker_setting", [{"cash": 100, "symbols": ["JD"]}])
def test_it_says_when_it_has_no_money(simulated_broker: Any, bot: Bot) -> None:  # noqa: ANN401
    simulated_broker.quote("JD", "28.00", "28.02")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        bot.look("JD", below=29)
    assert simulated_broker.orders == []
