"""Events of the outer world at the simulated broker, over real sockets: books, activities, streams and market data."""

from decimal import Decimal

import pytest
from trio_websocket import ConnectionClosed

from tests.simulator_served import (
    GS,
    JD,
    MONDAY,
    TUESDAY,
    Served,
    WrittenMarket,
    hear_data,
    hear_kinds,
    hear_update,
    open_ns,
    served,
)
from trader.feeds.market import Instant
from trader.model import MINUTE_NS, Side
from trader.simulator.reshaped import ReshapedMarket
from trader.simulator.scheduled import EventName, Happened, ScheduledEvent

OPEN_NS = open_ns(MONDAY)
NOON_NS = OPEN_NS + MINUTE_NS  # of a session of three minutes
OVERNIGHT_NS = open_ns(TUESDAY) - MINUTE_NS


async def whole_night(broker: Served) -> None:
    """To Tuesday's first instant."""
    while await broker.broker.advance() is not None:
        pass
    broker.broker.begin_session(TUESDAY)
    await broker.broker.advance()


async def cash_of(broker: Served) -> object:
    return (await broker.read("/v2/account"))["cash"]


@pytest.mark.parametrize(
    ("name", "amount", "kind", "net_amount", "cash"),
    [
        (EventName.FEE, "1.50", "FEE", "-1.5", "249998.5"),
        (EventName.INTEREST, "0.42", "INT", "0.42", "250000.42"),
        (EventName.INTEREST, "-0.42", "INT", "-0.42", "249999.58"),
        (EventName.DEPOSIT, "1000", "CSD", "1000", "251000"),
        (EventName.WITHDRAWAL, "1000", "CSW", "-1000", "249000"),
    ],
)
async def test_cash_moves_overnight(
    name: EventName, amount: str, kind: str, net_amount: str, cash: str
) -> None:
    event = ScheduledEvent(at_ns=OVERNIGHT_NS, name=name, amount=Decimal(amount), date=MONDAY)
    async with served(events=(event,)) as broker:
        assert await cash_of(broker) == "250000"
        await whole_night(broker)
        assert await cash_of(broker) == cash
        (activity,) = await broker.read_list(f"/v2/account/activities/{kind}")
        assert activity["net_amount"] == net_amount
        assert (activity["activity_type"], activity["date"]) == (kind, MONDAY)
        assert activity["description"]
        assert "symbol" not in activity
        assert activity == (await broker.read_list("/v2/account/activities"))[0]
        assert [one.net_amount for one in broker.broker.venue.state.activities] == [
            Decimal(net_amount)
        ]


async def test_a_dividend_is_paid_on_what_is_held() -> None:
    events = [
        ScheduledEvent(
            at_ns=OVERNIGHT_NS, name=EventName.DIVIDEND, symbol=one, amount=Decimal("0.5")
        )
        for one in (JD, GS)
    ]
    async with served(events=tuple(events)) as broker:
        await broker.order()
        await whole_night(broker)
        (dividend,) = await broker.read_list("/v2/account/activities/DIV")
        assert dividend["symbol"] == "JD"
        assert (dividend["qty"], dividend["per_share_amount"]) == ("10", "0.5")
        assert dividend["net_amount"] == "5"
        assert await cash_of(broker) == "249804.8"
        assert broker.broker.happened == [
            Happened(event=events[0]),
            Happened(event=events[1], undone="no GS is held"),
        ]


async def test_a_split_changes_positions_orders_and_the_market() -> None:
    event = ScheduledEvent(at_ns=OVERNIGHT_NS, name=EventName.SPLIT, symbol=JD, ratio=Decimal(4))
    async with served(events=(event,)) as broker:
        await broker.order()
        resting = await broker.order(limit_price="15.00", time_in_force="gtc")
        async with broker.trading_stream() as stream:
            await whole_night(broker)
            canceled = await hear_update(stream)
            assert (canceled["event"], canceled["reason"]) == ("canceled", "CORPORATE_ACTION")
        assert (await broker.read(f"/v2/orders/{resting['id']}"))["status"] == "canceled"
        (position,) = await broker.read_list("/v2/positions")
        assert (position["qty"], position["avg_entry_price"]) == ("40", "5.005")
        assert position["cost_basis"] == "200.2"
        added, removed = await broker.read_list("/v2/account/activities/SPLIT")
        assert (added["symbol"], added["qty"], added["price"]) == ("JD", "40", "5.005")
        assert (removed["symbol"], removed["qty"]) == ("JD", "-10")
        assert added["net_amount"] == removed["net_amount"] == "0"
        assert added["activity_sub_type"] == removed["activity_sub_type"] == "FSPLIT"
        assert added["id"] != removed["id"]
        quotes = await broker.read("/v2/stocks/quotes/latest", symbols="JD,GS")
        assert str(quotes).count("'ap': 5.01") == str(quotes).count("'ap': 100.1") == 1
        sold = await broker.order(side="sell", qty="40", limit_price="4.99")
        assert (await broker.read(f"/v2/orders/{sold['id']}"))["filled_avg_price"] == "5"


async def test_a_reverse_split_pays_cash_for_the_fraction_of_a_share() -> None:
    event = ScheduledEvent(
        at_ns=NOON_NS, name=EventName.SPLIT, symbol=JD, ratio=Decimal("0.4"), adjusts_market=False
    )
    async with served(events=(event,)) as broker:
        await broker.order(qty="9")
        await broker.broker.advance()
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == "3"
        added, removed = await broker.read_list("/v2/account/activities/SPLIT")
        assert (removed["qty"], removed["net_amount"]) == ("-9", "0")
        assert (added["qty"], added["net_amount"]) == ("3", "30.03")
        assert position["cost_basis"] == "150.15"
        quotes = await broker.read("/v2/stocks/quotes/latest", symbols="JD")
        assert "'ap': 20.02" in str(quotes)


def test_a_split_market_tells_the_past_as_it_was() -> None:
    market = ReshapedMarket(WrittenMarket())
    before = list(market.instants(MONDAY))
    market.split(JD, NOON_NS, Decimal(7))
    after = list(market.instants(MONDAY))
    assert after[0] == before[0]

    def of(instant: Instant) -> tuple[int, int, int, int]:
        quote = next(one for one in instant.quotes if one.symbol == JD)
        bar = next(one for one in instant.bars if one.symbol == JD)
        return quote.bid, quote.ask, bar.close, bar.volume

    assert of(before[2]) == (200_000, 200_200, 200_100, 5_000)
    assert of(after[2]) == (28_600, 28_700, 28_600, 35_000)
    assert after[2].bars[0] == before[2].bars[0]
    assert [bar.close for bar in market.history(JD, open_ns(TUESDAY), 3)] == [28_600] * 3


async def test_shares_are_brought_from_another_broker() -> None:
    event = ScheduledEvent(
        at_ns=0, name=EventName.TRANSFER, symbol=GS, quantity=Decimal(7), price=Decimal(90)
    )
    async with served(events=(event,)) as broker:
        (position,) = await broker.read_list("/v2/positions")
        assert (position["qty"], position["avg_entry_price"]) == ("7", "90")
        assert await cash_of(broker) == "250000"


async def test_a_trade_is_busted() -> None:
    event = ScheduledEvent(at_ns=NOON_NS, name=EventName.TRADE_BUST, symbol=JD)
    async with served(events=(event,)) as broker, broker.trading_stream() as stream:
        order = await broker.order()
        await hear_kinds(stream, 2)
        fill = await hear_update(stream)
        await broker.broker.advance()
        bust = await hear_update(stream)
        assert bust["event"] == "trade_bust"
        assert bust["previous_execution_id"] == fill["execution_id"] != bust["execution_id"]
        assert (bust["qty"], bust["price"], bust["position_qty"]) == ("10", "20.02", "0")
        after = await broker.read(f"/v2/orders/{order['id']}")
        assert (after["status"], after["filled_qty"]) == ("canceled", "0")
        assert await broker.read_list("/v2/positions") == []
        assert await cash_of(broker) == "250000"
        record, original = await broker.read_list("/v2/account/activities/FILL")
        assert (record["type"], original["type"]) == ("trade_bust", "fill")
        assert (record["qty"], record["side"], record["cum_qty"]) == ("10", "buy", "0")
        assert record["previous_id"] == fill["execution_id"]


async def test_a_busted_sale_gives_the_shares_and_the_fee_back() -> None:
    event = ScheduledEvent(at_ns=NOON_NS, name=EventName.TRADE_BUST)
    async with served(events=(event,)) as broker:
        await broker.order()
        await broker.order(side="sell", limit_price="19.95")
        assert (await broker.read("/v2/account"))["accrued_fees"] == "0.01"
        await broker.broker.advance()
        account = await broker.read("/v2/account")
        assert (account["cash"], account["accrued_fees"]) == ("249799.8", "0")
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == "10"


async def test_a_trade_whose_shares_were_sold_cannot_be_busted() -> None:
    event = ScheduledEvent(
        at_ns=NOON_NS, name=EventName.TRADE_BUST, client_order_id_prefix="bought"
    )
    async with served(events=(event,)) as broker:
        await broker.order(client_order_id="bought")
        await broker.order(side="sell", limit_price="19.95")
        await broker.broker.advance()
        assert broker.broker.happened[0].undone
        assert len(await broker.read_list("/v2/account/activities/FILL")) == 2


@pytest.mark.parametrize(
    ("price", "quantity", "told", "cash", "held"),
    [
        ("19.50", None, ("19.5", "10"), "249805", "10"),
        (None, "6", ("20.02", "6"), "249879.88", "6"),
    ],
)
async def test_a_trade_is_corrected(
    price: str | None, quantity: str | None, told: tuple[str, str], cash: str, held: str
) -> None:
    event = ScheduledEvent(
        at_ns=NOON_NS,
        name=EventName.TRADE_CORRECT,
        price=None if price is None else Decimal(price),
        quantity=None if quantity is None else Decimal(quantity),
    )
    async with served(events=(event,)) as broker, broker.trading_stream() as stream:
        await broker.order()
        await hear_kinds(stream, 2)
        fill = await hear_update(stream)
        await broker.broker.advance()
        correction = await hear_update(stream)
        assert correction["event"] == "trade_correct"
        assert correction["previous_execution_id"] == fill["execution_id"]
        assert (correction["price"], correction["qty"]) == told
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == correction["position_qty"] == held
        assert await cash_of(broker) == cash
        record = (await broker.read_list("/v2/account/activities/FILL"))[0]
        assert (record["type"], record["cum_qty"]) == ("trade_correct", held)


async def test_a_dead_order_is_filled_and_a_live_one_overfilled() -> None:
    events = (
        ScheduledEvent(at_ns=NOON_NS, name=EventName.FILL, client_order_id_prefix="dead"),
        ScheduledEvent(
            at_ns=NOON_NS,
            name=EventName.FILL,
            client_order_id_prefix="live",
            quantity=Decimal(25),
        ),
    )
    async with served(events=events) as broker:
        dead = await broker.order(limit_price="19.00", client_order_id="dead")
        await broker.client.delete(f"/v2/orders/{dead['id']}")
        live = await broker.order(limit_price="19.00", client_order_id="live")
        await broker.broker.advance()
        for order, filled in ((dead, "10"), (live, "25")):
            after = await broker.read(f"/v2/orders/{order['id']}")
            assert (after["status"], after["filled_qty"]) == ("filled", filled)
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == "35"
        account = await broker.read("/v2/account")
        assert account["buying_power"] == account["cash"] == "249335"


async def test_an_open_order_is_rejected_later() -> None:
    event = ScheduledEvent(at_ns=NOON_NS, name=EventName.REJECT, symbol=JD)
    async with served(events=(event,)) as broker:
        order = await broker.order(limit_price="19.00")
        await broker.broker.advance()
        assert (await broker.read(f"/v2/orders/{order['id']}"))["status"] == "rejected"


async def test_somebody_trades_by_hand() -> None:
    events = (
        ScheduledEvent(at_ns=NOON_NS, name=EventName.HAND_TRADE, symbol=JD, quantity=Decimal(3)),
        ScheduledEvent(
            at_ns=NOON_NS,
            name=EventName.HAND_TRADE,
            symbol=GS,
            quantity=Decimal(1),
            price=Decimal(50),
        ),
        ScheduledEvent(
            at_ns=NOON_NS, name=EventName.HAND_TRADE, symbol=GS, side=Side.SELL, quantity=Decimal(1)
        ),
    )
    async with served(events=events) as broker, broker.trading_stream() as stream:
        await broker.broker.advance()
        assert await hear_kinds(stream, 5) == ["pending_new", "new", "fill", "pending_new", "new"]
        (open_order,) = await broker.read_list("/v2/orders")
        assert (open_order["symbol"], open_order["limit_price"]) == ("GS", "50")
        assert [one.undone != "" for one in broker.broker.happened] == [False, False, True]


async def test_the_broker_liquidates() -> None:
    event = ScheduledEvent(at_ns=NOON_NS, name=EventName.LIQUIDATION)
    async with served(events=(event,)) as broker:
        await broker.order()
        await broker.order(symbol="GS", limit_price="101")
        held = await broker.order(side="sell", limit_price="25.00")
        await broker.broker.advance()
        assert await broker.read_list("/v2/positions") == []
        assert (await broker.read(f"/v2/orders/{held['id']}"))["status"] == "canceled"


async def test_the_venue_restarts_with_open_orders() -> None:
    event = ScheduledEvent(at_ns=NOON_NS, name=EventName.RESTART)
    async with served(events=(event,)) as broker:
        order = await broker.order(limit_price="19.00", time_in_force="gtc")
        await broker.order()
        async with broker.trading_stream() as stream, broker.data_stream(bars=["*"]) as data:
            await broker.broker.advance()
            with pytest.raises(ConnectionClosed):
                await hear_update(stream)
            with pytest.raises(ConnectionClosed):
                await hear_data(data)
        assert broker.frames == []
        assert (await broker.read(f"/v2/orders/{order['id']}"))["status"] == "new"
        (position,) = await broker.read_list("/v2/positions")
        assert position["qty"] == "10"
        async with broker.trading_stream() as stream:
            await broker.order(client_order_id="after")
            assert await hear_kinds(stream, 3) == ["pending_new", "new", "fill"]


async def test_events_come_between_instants_where_a_clock_runs() -> None:
    events = (
        ScheduledEvent(at_ns=NOON_NS - 1, name=EventName.DEPOSIT, amount=Decimal(1)),
        ScheduledEvent(at_ns=OPEN_NS + 1, name=EventName.DEPOSIT, amount=Decimal(2)),
    )
    async with served(events=events) as broker:
        await broker.broker.run_clock(1_000.0)
        deposits = broker.broker.venue.state.activities
        assert [(one.at_ns, one.net_amount) for one in deposits] == [
            (OPEN_NS + 1, Decimal(2)),
            (NOON_NS - 1, Decimal(1)),
        ]


async def test_what_the_market_tells_next_is_as_a_split_of_just_now_leaves_it() -> None:
    """Though the instant had been seen ahead when it was asked how far the time may go."""
    async with served() as broker:
        venue = broker.broker
        await venue.advance_to(OPEN_NS + 1, MONDAY)
        split = ScheduledEvent(
            at_ns=venue.now_ns, name=EventName.SPLIT, symbol=JD, ratio=Decimal(2)
        )
        assert venue.befall(split) == Happened(event=split)
        assert (await venue.advance()) is not None
        assert venue.tape.quotes[JD].bid == 100_000
