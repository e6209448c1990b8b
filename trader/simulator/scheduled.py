"""Events of the outer world that befall an account or the venue at a market time: one struct, one way to do each."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct

from trader.model import Side, Symbol, TimeInForce
from trader.money import ONE, ZERO
from trader.simulator.reshaped import ReshapedMarket
from trader.venue import (
    ActivityKind,
    ExecutionKind,
    NewOrder,
    OrderEvent,
    OrderType,
    Refusal,
    Venue,
    VenueAccount,
    VenueExecution,
    VenueOrder,
)
from trader.venue.back_office import Undone


class EventName(StrEnum):
    """What befalls. In brackets: what of the event says how, beside its time."""

    FEE = "fee"  # [amount, date, description]
    INTEREST = "interest"  # [amount, perhaps negative]
    DEPOSIT = "deposit"  # [amount]
    WITHDRAWAL = "withdrawal"  # [amount]
    DIVIDEND = "dividend"  # [symbol, amount for each share]
    GAP = "gap"  # the market is worth more or less from then on [symbol, ratio: new price to old]
    HALT = "halt"  # [symbol, duration_ns, else until it is resumed; description: the reason's code]
    RESUME = "resume"  # [symbol]
    BAD_TICK = "bad-tick"  # told and later taken back; nobody traded there [symbol, price or ratio,
    # what: trade, quote or bar; duration_ns until it is taken back, if ever]
    SPLIT = "split"  # [symbol, ratio: new shares for each old one, adjusts_market]
    TRANSFER = "transfer"  # shares from another broker [symbol, quantity, price]
    TRADE_BUST = "trade-bust"  # of the latest trade [symbol, client_order_id_prefix]
    TRADE_CORRECT = "trade-correct"  # [the same, and the new price, quantity]
    FILL = (
        "fill"  # of the latest order, whatever its state [the same; more than ordered: an overfill]
    )
    REJECT = "reject"  # of the latest open order [symbol, client_order_id_prefix]
    HAND_TRADE = "hand-trade"  # an order that is not ours [symbol, side, quantity, price: a limit]
    LIQUIDATION = "liquidation"  # all that is held [symbol; '': of every symbol]
    CLOCK_JUMP = "clock-jump"  # the broker's clock as told [by_ns; duration_ns until it jumps back]
    DISCONNECT = "disconnect"  # every connection, of REST and streams, is cut
    RESTART = "restart"  # and the venue starts anew from its file


class ScheduledEvent(Struct, frozen=True, kw_only=True):
    """Amounts in dollars. `date` is New York's, of what it is about; by default that of `at_ns`.

    `account` is the number of the one it befalls, from 0 on by the order of opening; dividends are paid to all.

    `client_order_id_prefix`, `client_order_id` (with wildcards) and `symbol` choose an order or a trade; empty matches
    any.
    """

    at_ns: int
    name: EventName
    symbol: Symbol = Symbol("")
    amount: Decimal = ZERO
    ratio: Decimal = ONE
    quantity: Decimal | None = None
    price: Decimal | None = None
    side: Side = Side.BUY
    client_order_id_prefix: str = ""
    client_order_id: str = ""
    date: str = ""
    description: str = ""
    adjusts_market: bool = True
    account: int = 0
    duration_ns: int | None = None
    by_ns: int = 0
    what: str = ""


class Happened(Struct, frozen=True, kw_only=True):
    """An event whose time has come; `undone` says why nothing came of it, empty where something did."""

    event: ScheduledEvent
    undone: str = ""


ACTIVITIES = {
    EventName.FEE: ActivityKind.FEE,
    EventName.INTEREST: ActivityKind.INTEREST,
    EventName.DEPOSIT: ActivityKind.DEPOSIT,
    EventName.WITHDRAWAL: ActivityKind.WITHDRAWAL,
}


def perform(event: ScheduledEvent, venue: Venue, account: VenueAccount) -> list[OrderEvent]:
    """Do it to the account; raises Undone. What befalls connections or prices is the broker's own to do."""
    office = venue.back_office
    match event.name:
        case EventName.FEE | EventName.INTEREST | EventName.DEPOSIT | EventName.WITHDRAWAL:
            kind = ACTIVITIES[event.name]
            words = event.description or f"{event.name.capitalize()}"
            return office.move_cash(account, kind, event.amount, date=event.date, description=words)
        case EventName.DIVIDEND:
            return _dividend(event, venue)
        case EventName.HALT:
            return office.halt(event.symbol)
        case EventName.RESUME:
            return office.resume(event.symbol)
        case EventName.SPLIT:
            return office.split(event.symbol, event.ratio)
        case EventName.TRANSFER:
            quantity, price = event.quantity or ZERO, event.price or ZERO
            return office.transfer_in(account, event.symbol, quantity, price)
        case EventName.TRADE_BUST:
            return office.bust(_trade(event, venue).execution_id)
        case EventName.TRADE_CORRECT:
            trade = _trade(event, venue)
            return office.correct(trade.execution_id, quantity=event.quantity, price=event.price)
        case EventName.FILL:
            order = _order(event, venue, lambda order: True)
            return office.fill(order.order_id, event.quantity, event.price)
        case EventName.REJECT:
            order = _order(event, venue, lambda order: order.is_open)
            return office.reject(order.order_id, event.description)
        case EventName.HAND_TRADE:
            return _by_hand(event, venue, account)
        case EventName.LIQUIDATION:
            return _liquidated(event, venue, account)
        case (
            EventName.DISCONNECT
            | EventName.RESTART
            | EventName.GAP
            | EventName.BAD_TICK
            | EventName.CLOCK_JUMP
        ):
            raise AssertionError("done by the broker")


def reshape(event: ScheduledEvent, market: ReshapedMarket) -> None:
    """What an event will make of the market, from its own time on."""
    match event.name:
        case EventName.SPLIT if event.adjusts_market:
            market.split(event.symbol, event.at_ns, event.ratio)
        case EventName.DIVIDEND:
            market.dividend(event.symbol, event.at_ns, event.amount)
        case EventName.GAP:
            market.gap(event.symbol, event.at_ns, event.ratio)
        case EventName.HALT:
            market.halt(event.symbol, event.at_ns, resumes_ns(event))
        case EventName.RESUME:
            market.resume(event.symbol, event.at_ns)
        case _:
            pass


def resumes_ns(event: ScheduledEvent) -> int | None:
    """When a halt ends by itself."""
    is_timed = event.name is EventName.HALT and event.duration_ns is not None
    return event.at_ns + (event.duration_ns or 0) if is_timed else None


def _dividend(event: ScheduledEvent, venue: Venue) -> list[OrderEvent]:
    holders = [one for one in venue.state.accounts.values() if one.quantity(event.symbol)]
    if not holders:
        raise Undone(f"no {event.symbol} is held")
    office = venue.back_office
    return [
        told
        for account in holders
        for told in office.pay_dividend(account, event.symbol, event.amount, date=event.date)
    ]


def _order(event: ScheduledEvent, venue: Venue, fits: Callable[[VenueOrder], bool]) -> VenueOrder:
    for order in reversed(venue.state.orders.values()):
        if event.symbol in ("", order.symbol) and _is_named(event, order) and fits(order):
            return order
    raise Undone("no such order")


def _trade(event: ScheduledEvent, venue: Venue) -> VenueExecution:
    """The latest one that was not busted."""
    records = venue.state.executions
    busted = {record.corrects for record in records if record.kind is ExecutionKind.BUST}
    for record in reversed(records):
        order = venue.state.orders[record.order_id]
        if (
            record.kind is ExecutionKind.TRADE
            and record.execution_id not in busted
            and event.symbol in ("", record.symbol)
            and _is_named(event, order)
        ):
            return record
    raise Undone("no such trade")


def _is_named(event: ScheduledEvent, order: VenueOrder) -> bool:
    named = order.client_order_id
    return named.startswith(event.client_order_id_prefix) and fnmatchcase(
        named, event.client_order_id or "*"
    )


def _by_hand(event: ScheduledEvent, venue: Venue, account: VenueAccount) -> list[OrderEvent]:
    """Somebody uses the broker's own web page: the venue gives the order its client id."""
    outcome = venue.submit(
        account.account_id,
        NewOrder(
            symbol=event.symbol,
            side=event.side,
            order_type=OrderType.MARKET if event.price is None else OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=event.quantity or ZERO,
            limit_price=event.price,
        ),
    )
    if isinstance(outcome, Refusal):
        raise Undone(outcome.message)
    return outcome


def _liquidated(event: ScheduledEvent, venue: Venue, account: VenueAccount) -> list[OrderEvent]:
    """The broker cancels what is in the way and sells at the market, for whatever it brings."""
    told: list[OrderEvent] = []
    for symbol in [event.symbol] if event.symbol else sorted(account.positions):
        told += venue.back_office.cancel_all(account, symbol)
        sale = ScheduledEvent(
            at_ns=event.at_ns,
            name=EventName.HAND_TRADE,
            symbol=symbol,
            side=Side.SELL,
            quantity=account.quantity(symbol),
        )
        told += _by_hand(sale, venue, account)
    return told
