"""The market of `/v2/test`: FAKEPACA, quoted and traded every second of the machine, whatever the exchange does."""

from collections.abc import Callable, Iterator
from random import Random

import trio

from trader.feeds.market import MarketTrade
from trader.model import MINUTE_NS, SECOND_NS, Bar, Quote, Symbol
from trader.simulator.market_words import MarketWord, Told

FAKEPACA = Symbol("FAKEPACA")
CENT_TICKS = 100
PRICE_FIRST = 1_334_000
STEP_MAX = 5  # cents a second


async def tell_test_feed(tell: Callable[[Told], None], began_ns: int, seed: int) -> None:
    """For ever; its time begins at `began_ns` and runs with the machine's, though the market's may stand still."""
    began = trio.current_time()
    for second, told in enumerate(told_each_second(began_ns, seed)):
        await trio.sleep_until(began + second)
        tell(told)


def told_each_second(began_ns: int, seed: int) -> Iterator[Told]:
    """A quote and a trade; after each minute its bar."""
    random = Random(f"{seed}/test feed")
    price, minute = PRICE_FIRST, list[MarketTrade]()
    number = 0
    while True:
        at_ns = began_ns + number * SECOND_NS
        number += 1
        price = max(CENT_TICKS, price + random.randint(-STEP_MAX, STEP_MAX) * CENT_TICKS)
        told: dict[str, list[MarketWord]] = {}
        if minute and minute[0].at_ns // MINUTE_NS != at_ns // MINUTE_NS:
            told["bars"] = [_bar(minute)]
            minute = []
        size = random.randint(1, 9) * 100
        trade = MarketTrade(symbol=FAKEPACA, at_ns=at_ns, price=price, size=size, number=number)
        minute.append(trade)
        told["trades"] = [trade]
        told["quotes"] = [
            Quote(
                symbol=FAKEPACA,
                at_ns=at_ns,
                bid=price,
                bid_size=size,
                ask=price + CENT_TICKS,
                ask_size=size,
            )
        ]
        yield told


def _bar(trades: list[MarketTrade]) -> Bar:
    prices = [trade.price for trade in trades]
    return Bar(
        symbol=FAKEPACA,
        start_ns=trades[0].at_ns // MINUTE_NS * MINUTE_NS,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(trade.size for trade in trades),
    )
