"""A worker: turns what a strategy would like into requests that say what was decided, and on which price."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
import trio
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from tests.rig import OPEN_NS, bar_ending, quote_at
from trader.clock import FreePace
from trader.inbox import Inbox
from trader.mailbox import Mailbox
from trader.messages import OrderRequest
from trader.model import (
    MINUTE_NS,
    SECOND_NS,
    AccountId,
    Bar,
    OrderType,
    Purpose,
    Quote,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.strategies.base import (
    Fill,
    NoParameters,
    Strategy,
    StrategyError,
    SymbolView,
    Wish,
    exit_all,
)
from trader.worker import Worker, run_worker

JD = Symbol("JD")
SIZE = Size(unit="notional", amount=Decimal(2_000))
BUY = Wish(side=Side.BUY, purpose=Purpose.ENTER, size=SIZE, reason="it rose")
VIEW = SymbolView(symbol=JD)


class Scripted(Strategy):
    """Wishes the same at every event."""

    def __init__(self, *wishes: Wish) -> None:
        super().__init__(StrategyName("scripted"), SIZE, NoParameters())
        self.wishes = wishes
        self.seen: list[object] = []

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        self.seen.append(bar)
        return self.wishes

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        self.seen.append(quote)
        return self.wishes

    def on_fill(self, fill: Fill, view: SymbolView) -> Iterable[Wish]:
        self.seen.append(fill)
        return self.wishes


def worker(*wishes: Wish, incarnation: str = "1.0", account: str = "direct:1") -> Worker:
    return Worker(
        name="JD/scripted",
        incarnation=incarnation,
        account=AccountId(account),
        symbol=JD,
        strategy=Scripted(*wishes),
    )


def test_only_a_limit_is_marked_for_extended_hours() -> None:
    """The exchanges take no market order outside regular hours, and none at any time that is marked for them."""
    one = Worker(
        name="JD/scripted",
        incarnation="1.0",
        account=AccountId("direct:1"),
        symbol=JD,
        strategy=Scripted(BUY, replace(BUY, order_type=OrderType.MARKET, leg="second")),
        extended_hours=True,
    )
    one.on_letter(quote_at("JD", OPEN_NS - 1), VIEW)
    limit, market = at_bar(one)
    assert (limit.order_type, limit.extended_hours) == (OrderType.LIMIT, True)
    assert (market.order_type, market.extended_hours) == (OrderType.MARKET, False)


def at_bar(one: Worker, minutes: int = 0) -> list[OrderRequest]:
    return one.on_letter(bar_ending("JD", OPEN_NS + minutes * MINUTE_NS), VIEW)


def test_a_request_carries_the_time_and_the_price_that_it_was_decided_on() -> None:
    one = worker(BUY)
    one.on_letter(quote_at("JD", OPEN_NS - 1), VIEW)
    [request] = at_bar(one)
    assert (request.at_ns, request.quote) == (OPEN_NS, quote_at("JD", OPEN_NS - 1))
    assert (request.symbol, request.strategy, request.side) == ("JD", "scripted", Side.BUY)
    assert (request.size, request.reason, request.late) == (SIZE, "it rose", False)


def test_a_limit_goes_half_a_percent_through_the_far_side_on_the_price_tick() -> None:
    one = worker(BUY, *exit_all("it fell"))
    one.on_letter(quote_at("JD", OPEN_NS), VIEW)  # 31.90 / 31.92
    buy, sell = at_bar(one)
    assert (buy.limit_price, sell.limit_price) == (Decimal("32.08"), Decimal("31.74"))
    assert (sell.side, sell.size) == (Side.SELL, Size(unit="target", amount=Decimal(0)))


def test_without_a_quote_there_is_no_price_and_a_market_order_never_has_one() -> None:
    market = replace(BUY, order_type=OrderType.MARKET)
    one = worker(BUY, market)
    assert [request.limit_price for request in at_bar(one)] == [None, None]
    one.on_letter(quote_at("JD", OPEN_NS), VIEW)
    assert [request.limit_price for request in at_bar(one, 1)] == [Decimal("32.08"), None]


@pytest.mark.parametrize(
    ("age_s", "minutes", "order_type"),
    [
        (90, 1, OrderType.LIMIT),
        (91, 1, OrderType.MARKET),
        (3_600, 1, OrderType.MARKET),
        (18 * 3_600, 1, OrderType.LIMIT),  # over a night: is it the same share?
        (3_600, -5, OrderType.LIMIT),  # no exchange takes a market order before the open
        (3_600, 390, OrderType.LIMIT),  # nor at the close
    ],
)
def test_an_exit_that_no_quote_tells_the_price_of_goes_at_the_market(
    age_s: int, minutes: int, order_type: OrderType
) -> None:
    one = worker(BUY, *exit_all("it fell"))
    at_ns = OPEN_NS + minutes * MINUTE_NS
    one.on_letter(quote_at("JD", at_ns - age_s * SECOND_NS), VIEW)
    buy, sell = at_bar(one, minutes)
    assert (buy.order_type, buy.limit_price) == (OrderType.LIMIT, Decimal("32.08"))
    assert sell.order_type is order_type
    assert (sell.limit_price is None) is (order_type is OrderType.MARKET)
    patient = worker(*(replace(one, limit_offset=Decimal("-0.01")) for one in exit_all("it fell")))
    assert at_bar(patient, minutes)[0].order_type is OrderType.LIMIT


def test_the_same_decision_has_the_same_key_in_every_life_and_a_telling_of_its_own() -> None:
    first, second = worker(BUY), worker(BUY, incarnation="2.0")
    first.on_letter(quote_at("JD", OPEN_NS), VIEW)
    [one], [other] = at_bar(first), at_bar(second)
    assert one.decision_key == other.decision_key
    assert one.request_id != other.request_id


def test_another_event_side_purpose_leg_or_account_is_another_decision() -> None:
    others = (
        replace(BUY, side=Side.SELL),
        replace(BUY, purpose=Purpose.ADD),
        replace(BUY, leg="2"),
    )
    keys = [request.decision_key for request in at_bar(worker(BUY, *others))]
    keys += [request.decision_key for request in at_bar(worker(BUY), minutes=1)]
    keys += [request.decision_key for request in at_bar(worker(BUY, account="direct:2"))]
    keys += [one.decision_key for one in worker(BUY).on_letter(quote_at("JD", OPEN_NS), VIEW)]
    assert len(set(keys)) == len(keys) == 7


def test_size_price_and_words_are_no_part_of_what_was_decided() -> None:
    bigger = replace(BUY, size=Size(unit="shares", amount=Decimal(1)), reason="other words")
    [one], [other] = at_bar(worker(BUY)), at_bar(worker(bigger))
    assert one.decision_key == other.decision_key


def test_every_telling_is_numbered() -> None:
    one = worker(BUY, BUY)
    names = [request.request_id for minute in range(3) for request in at_bar(one, minute)]
    assert names == [f"JD/scripted/1.0/{number:08d}" for number in range(1, 7)]


def test_history_is_fed_and_its_wishes_are_nobodys() -> None:
    one = worker(BUY)
    history = [bar_ending("JD", OPEN_NS + minute * MINUTE_NS) for minute in range(3)]
    one.warm_up(history, VIEW)
    assert isinstance(one.strategy, Scripted)
    assert one.strategy.seen == history
    assert at_bar(one, 2) == [], "the stream tells the last bar of history again"
    assert len(at_bar(one, 3)) == 1


def test_history_that_repeats_a_bar_tells_it_once() -> None:
    one = worker()
    bar = bar_ending("JD", OPEN_NS)
    one.warm_up([bar, bar], VIEW)
    assert isinstance(one.strategy, Scripted)
    assert one.strategy.seen == [bar]


async def test_it_tells_the_executor_and_waits_for_no_answer() -> None:
    inbox = Inbox()
    mailbox = Mailbox(FreePace(lambda: OPEN_NS), VIEW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_worker, worker(BUY), mailbox, inbox)
        for minute in range(3):
            mailbox.put(bar_ending("JD", OPEN_NS + minute * MINUTE_NS))
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(inbox.drain()) == 3


async def test_what_the_strategy_raises_leaves_the_task() -> None:
    class Broken(Scripted):
        def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
            raise ZeroDivisionError

    one = Worker(
        name="JD/broken",
        incarnation="1.0",
        account=AccountId("direct:1"),
        symbol=JD,
        strategy=Broken(),
    )
    mailbox = Mailbox(FreePace(lambda: OPEN_NS), VIEW)
    mailbox.put(bar_ending("JD", OPEN_NS))
    with pytest.raises(ZeroDivisionError):
        await run_worker(one, mailbox, Inbox())


MISTYPED: dict[str, dict[str, object]] = {
    "a whole number for an amount": {"size": Size(unit="shares", amount=10)},  # type: ignore[arg-type]
    "a float for an amount": {"size": Size(unit="shares", amount=10.5)},  # type: ignore[arg-type]
    "true for an amount": {"size": Size(unit="shares", amount=True)},  # type: ignore[arg-type]
    "text for an amount": {"size": Size(unit="shares", amount="10")},  # type: ignore[arg-type]
    "nothing for a unit": {"size": Size(unit=None, amount=Decimal(10))},  # type: ignore[arg-type]
    "half a character for a unit": {"size": Size(unit="\ud800", amount=Decimal(10))},
    "a number for a size": {"size": 10},
    "text for a side": {"side": "BUY"},
    "text for a purpose": {"purpose": "enter"},
    "text for an order type": {"order_type": "market"},
    "a float for an offset": {"limit_offset": 0.01},
    "bytes for a reason": {"reason": b"it rose"},
    "nothing for a leg": {"leg": None},
}


@pytest.mark.parametrize("how", MISTYPED)
def test_a_wish_of_the_wrong_types_fails_its_own_worker_and_reaches_nobody(how: str) -> None:
    """A strategy is anybody's code. Past its worker such a value would end the executor, or spoil the journal."""
    changes = MISTYPED[how]
    with pytest.raises(StrategyError, match=f"a wish's {next(iter(changes))}"):
        at_bar(worker(BUY, replace(BUY, **changes)))


class Listening(Scripted):
    """Wishes the same at every bar of another symbol, and nothing at its own."""

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        self.seen.append(bar)
        return ()

    def on_bar_of_other(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        self.seen.append(bar)
        yield from self.wishes


def listening() -> Worker:
    return Worker(
        name="JD/scripted",
        incarnation="1.0",
        account=AccountId("direct:1"),
        symbol=JD,
        strategy=Listening(BUY),
    )


def test_what_is_decided_on_anothers_bar_is_the_decision_of_ones_own() -> None:
    one = listening()
    one.on_letter(quote_at("JD", OPEN_NS), VIEW)
    assert at_bar(one) == []
    [request] = one.on_letter(bar_ending("GS", OPEN_NS), VIEW)
    [own] = at_bar(worker(BUY))
    assert (request.decision_key, request.at_ns) == (own.decision_key, OPEN_NS)
    assert (request.symbol, request.limit_price) == (JD, Decimal("32.08"))


def test_without_a_bar_of_its_own_a_strategy_wishes_nothing_but_hears_everything() -> None:
    one = listening()
    assert one.on_letter(bar_ending("GS", OPEN_NS), VIEW) == []
    at_bar(one, 1)
    assert one.on_letter(bar_ending("GS", OPEN_NS + 2 * MINUTE_NS), VIEW) == []
    assert isinstance(one.strategy, Scripted)
    assert len(one.strategy.seen) == 3


def test_bars_of_others_are_told_once_each_history_included() -> None:
    one = listening()
    history = [bar_ending("GS", OPEN_NS), bar_ending("JD", OPEN_NS)]
    one.warm_up(history, VIEW)
    assert isinstance(one.strategy, Scripted)
    assert one.strategy.seen == history
    assert one.on_letter(history[0], VIEW) == []
    assert one.strategy.seen == history
    assert one.on_letter(bar_ending("T", OPEN_NS), VIEW) != []
