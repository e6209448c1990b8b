"""A worker's mailbox: quotes conflate, bars never get lost, and whoever fell too far behind is told so."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.rig import OPEN_NS, bar_ending, quote_at
from trader.clock import SettledPace
from trader.mailbox import BARS_MAX, FellBehind, Mailbox
from trader.model import MINUTE_NS, Side, Symbol
from trader.strategies.base import Fill, SymbolView


class CountingPace(SettledPace):
    """Says which tokens are under way."""

    def __init__(self) -> None:
        super().__init__(lambda: OPEN_NS, speed=None)

    @property
    def busy(self) -> int:
        return len(self._tokens)


@pytest.fixture
def pace() -> CountingPace:
    return CountingPace()


@pytest.fixture
def mailbox(pace: CountingPace) -> Mailbox:
    return Mailbox(pace, SymbolView(symbol=Symbol("JD")))


def fill(quantity: int) -> Fill:
    return Fill(
        symbol=Symbol("JD"),
        side=Side.BUY,
        quantity=quantity,  # type: ignore[arg-type]  # whatever it is, it is only carried
        price=quantity,  # type: ignore[arg-type]
        at_ns=OPEN_NS,
    )


async def test_fills_come_first_then_the_newest_quote_then_all_bars_in_order(
    mailbox: Mailbox,
) -> None:
    bars = [bar_ending("JD", OPEN_NS + n * MINUTE_NS) for n in range(5)]
    quotes = [quote_at("JD", OPEN_NS + n) for n in range(5)]
    for bar, quote in zip(bars, quotes, strict=True):
        mailbox.put(bar)
        mailbox.put(quote)
    mailbox.put(fill(1))
    mailbox.put(fill(2))
    assert await mailbox.take() == [fill(1), fill(2), quotes[-1], *bars]


async def test_what_was_taken_is_gone_and_the_next_take_waits(mailbox: Mailbox) -> None:
    mailbox.put(quote_at("JD", OPEN_NS))
    await mailbox.take()
    taken: list[object] = []

    async def take() -> None:
        taken.extend(await mailbox.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert taken == []
        mailbox.put(quote_at("JD", OPEN_NS + 1))
    assert taken == [quote_at("JD", OPEN_NS + 1)]


async def test_a_worker_that_falls_behind_is_told_instead_of_losing_a_bar(
    mailbox: Mailbox,
) -> None:
    for number in range(BARS_MAX):
        mailbox.put(bar_ending("JD", OPEN_NS + number * MINUTE_NS))
        mailbox.put(quote_at("JD", OPEN_NS + number))
    assert len(await mailbox.take()) == BARS_MAX + 1
    for number in range(BARS_MAX + 1):
        mailbox.put(bar_ending("JD", OPEN_NS + number * MINUTE_NS))
    with pytest.raises(FellBehind):
        await mailbox.take()


async def test_the_market_waits_from_the_letter_until_its_reader_asks_for_more(
    mailbox: Mailbox, pace: CountingPace
) -> None:
    assert pace.busy == 0
    mailbox.put(quote_at("JD", OPEN_NS))
    assert pace.busy == 1
    await mailbox.take()
    assert pace.busy == 1, "it is being worked on"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.take)
        await wait_all_tasks_blocked()
        assert pace.busy == 0
        nursery.cancel_scope.cancel()


async def test_nobody_waits_for_a_mailbox_that_nobody_reads(
    mailbox: Mailbox, pace: CountingPace
) -> None:
    mailbox.put(quote_at("JD", OPEN_NS))
    mailbox.close()
    assert pace.busy == 0
