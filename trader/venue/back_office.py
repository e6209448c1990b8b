"""What the venue does of its own accord: cash, corporate actions, rejections, late fills, busts and corrections.

Nothing here asks whether a client would like it. Each deed returns the order events that it caused, in order; an empty
list where it moved cash or shares only, and `Undone` where there was nothing that it could be done to.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypedDict, Unpack

from msgspec.structs import replace

from trader.calendar import new_york_date
from trader.model import Side, Symbol
from trader.money import ONE, ZERO, canonical, ratio
from trader.venue.accounts import Configuration, VenueAccount
from trader.venue.ledger import Ledger
from trader.venue.matching import Book
from trader.venue.terms import VenueTerms
from trader.venue.words import (
    Activity,
    ActivityKind,
    EventKind,
    ExecutionKind,
    OrderEvent,
    OrderStatus,
    VenueExecution,
    VenueOrder,
)

CORPORATE_ACTION = "CORPORATE_ACTION"
SIGNED = {ActivityKind.FEE: -ONE, ActivityKind.WITHDRAWAL: -ONE}


class Undone(Exception):
    """It could not be done; the words say why, and nothing has changed."""


class _What(TypedDict, total=False):
    """Of an activity, beside when and to whom."""

    net_amount: Decimal
    symbol: Symbol
    quantity: Decimal
    price: Decimal
    per_share_amount: Decimal
    factor: Decimal
    quantity_before: Decimal
    quantity_after: Decimal
    description: str


class BackOffice:
    """See the module."""

    def __init__(self, ledger: Ledger, books: dict[Symbol, Book], terms: VenueTerms) -> None:
        self._ledger = ledger
        self._books = books
        self._terms = terms

    # --- cash and shares

    def move_cash(
        self,
        account: VenueAccount,
        kind: ActivityKind,
        amount: Decimal,
        *,
        date: str = "",
        description: str = "",
    ) -> list[OrderEvent]:
        """A fee, interest, a deposit or a withdrawal; `amount` as one says it: a fee of 1.50 costs 1.50."""
        net_amount = SIGNED.get(kind, ONE) * amount
        account.cash += net_amount
        self._note(account, kind, date, net_amount=net_amount, description=description)
        return []

    def pay_dividend(
        self, account: VenueAccount, symbol: Symbol, per_share: Decimal, *, date: str = ""
    ) -> list[OrderEvent]:
        """On all shares held now."""
        quantity = account.quantity(symbol)
        if not quantity:
            raise Undone(f"no {symbol} is held")
        account.cash += quantity * per_share
        self._note(
            account,
            ActivityKind.DIVIDEND,
            date,
            net_amount=quantity * per_share,
            symbol=symbol,
            quantity=quantity,
            per_share_amount=per_share,
            description=f"Cash dividend of {symbol}",
        )
        return []

    def transfer_in(
        self, account: VenueAccount, symbol: Symbol, quantity: Decimal, price: Decimal
    ) -> list[OrderEvent]:
        """Shares come from another broker, at what they cost there."""
        self._book(symbol)
        account.put_in(symbol, quantity, price)
        self._note(
            account,
            ActivityKind.TRANSFER,
            symbol=symbol,
            quantity=quantity,
            price=price,
            description=f"Transfer of {symbol}",
        )
        return []

    def split(self, symbol: Symbol, factor: Decimal) -> list[OrderEvent]:
        """`factor` new shares for each old one, in all accounts; open orders of the symbol are canceled.

        Written down as Alpaca does it: all old shares go, then all new ones come, each under an id of its own.
        """
        book = self._book(symbol)
        for order in self._ledger.open_orders(symbol):
            self._ledger.cancel(order.order_id, CORPORATE_ACTION)
        for account in self._accounts():
            if before := account.quantity(symbol):
                _, cash = account.split(symbol, factor)
                after = account.quantity(symbol)
                self._note_split(account, symbol, before, after, factor=factor, cash=cash)
        book.forget_quote()
        book.last = ratio(book.last, factor)
        return self._ledger.take_told()

    def configure(self, account: VenueAccount, configuration: Configuration) -> list[OrderEvent]:
        """As its owner wishes; open orders stay."""
        account.configuration = configuration
        return []

    def restrict(
        self,
        account: VenueAccount,
        *,
        trading_blocked: bool,
        account_blocked: bool,
        only_liquidation: bool,
        may_short: bool,
    ) -> list[OrderEvent]:
        """What the account may do from now on; open orders stay."""
        account.trading_blocked = trading_blocked
        account.account_blocked = account_blocked
        account.is_restricted_to_liquidation = only_liquidation
        account.is_shorting_allowed = may_short
        return []

    def halt(self, symbol: Symbol) -> list[OrderEvent]:
        """Nothing trades in the symbol until it is resumed; orders are taken, and may be canceled."""
        self._book(symbol).is_halted = True
        return []

    def resume(self, symbol: Symbol) -> list[OrderEvent]:
        """What waits trades with the next quote."""
        self._book(symbol).is_halted = False
        return []

    # --- orders

    def reject(self, order_id: str, reason: str = "") -> list[OrderEvent]:
        """After it was accepted."""
        order = self._ledger.state.orders[order_id]
        if not order.is_open:
            raise Undone(f"the order is {order.status}")
        self._ledger.reject(order_id, reason)
        return self._ledger.take_told()

    def refuse_cancel(self, order_id: str) -> list[OrderEvent]:
        """An order whose cancel is pending lives on."""
        order = self._ledger.state.orders[order_id]
        if order.status is not OrderStatus.PENDING_CANCEL:
            raise Undone(f"the order is {order.status}")
        status = OrderStatus.PARTIALLY_FILLED if order.quantity_filled else OrderStatus.NEW
        self._ledger.change(
            order_id, EventKind.CANCEL_REJECTED, status=status, reason="TOO_LATE_TO_CANCEL"
        )
        return self._ledger.take_told()

    def cancel_all(self, account: VenueAccount, symbol: Symbol) -> list[OrderEvent]:
        """The account's open orders of a symbol, at once and without being asked."""
        for order in self._ledger.open_orders(symbol):
            if order.account_id == account.account_id:
                self._ledger.cancel(order.order_id, "LIQUIDATION")
        return self._ledger.take_told()

    def fill(
        self, order_id: str, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> list[OrderEvent]:
        """Trade an order whatever its state, for all that was not traded and at its limit unless told otherwise.

        More than was ordered is an overfill. A sell of a cash account needs shares: it is never short.
        """
        order = self._ledger.state.orders[order_id]
        traded = order.quantity - order.quantity_filled if quantity is None else quantity
        paid = price or order.limit_price or self._books[order.symbol].mark()
        if traded <= ZERO or not paid:
            raise Undone("nothing is left of the order" if paid else "no price is known")
        account = self._ledger.account(order.account_id)
        free = account.available(order.symbol) + order.shares_held
        if not order.is_opening and traded > free:
            raise Undone(f"only {canonical(free)} {order.symbol} could be traded")
        self._ledger.fill(
            order_id, traded, paid, self._terms.fee(order.side, traded, paid), amiss=True
        )
        return self._ledger.take_told()

    # --- trades

    def bust(self, execution_id: str) -> list[OrderEvent]:
        """The trade never was: shares, cash and the fee go back; an order that is done is not worked again."""
        trade = self._standing(execution_id)
        self._undo(trade)
        record = self._record(trade, ExecutionKind.BUST, trade.quantity, trade.price, ZERO)
        self._amend(record, trade, ZERO, ZERO)
        return self._ledger.take_told()

    def correct(
        self, execution_id: str, *, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> list[OrderEvent]:
        """The trade was of another price or quantity, all else equal."""
        trade = self._standing(execution_id)
        traded, paid = quantity or trade.quantity, price or trade.price
        account = self._ledger.account(trade.account_id)
        more = traded - trade.quantity
        if not self._order(trade).is_opening and more > account.available(trade.symbol):
            raise Undone(f"more {trade.symbol} than could be traded")
        fee = self._terms.fee(trade.side, traded, paid)
        record = self._record(trade, ExecutionKind.CORRECTION, traded, paid, fee)
        if traded == trade.quantity:
            account.reprice(trade, paid, fee)
        else:
            self._undo(trade)
            account.book(record)
        self._amend(record, trade, traded, traded * paid)
        return self._ledger.take_told()

    def _standing(self, execution_id: str) -> VenueExecution:
        trade = self._ledger.trade(execution_id)
        if trade is None:
            raise Undone("no such trade stands")
        return trade

    def _undo(self, trade: VenueExecution) -> None:
        """What was opened by it must be there still; what was closed must not have been opened the other way."""
        account = self._ledger.account(trade.account_id)
        other = Side.SELL if trade.side is Side.BUY else Side.BUY
        if self._order(trade).is_opening:
            available = account.available(trade.symbol)
            stands = account.reduces(trade.symbol, other) and available >= trade.quantity
        else:
            stands = not account.reduces(trade.symbol, other)
        if not stands:
            raise Undone(
                f"the {trade.symbol} of that trade were traded on, or are held by an order"
            )
        account.unbook(trade)

    def _order(self, trade: VenueExecution) -> VenueOrder:
        return self._ledger.state.orders[trade.order_id]

    def _record(
        self,
        trade: VenueExecution,
        kind: ExecutionKind,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
    ) -> VenueExecution:
        """Not yet what the order and the account are after it: `_amend` sees to that."""
        return replace(
            trade,
            execution_id=self._ledger.identifier(),
            kind=kind,
            # Always the trade itself, never an earlier correction of it.
            corrects=trade.corrects or trade.execution_id,
            quantity=quantity,
            price=price,
            fee=fee,
            at_ns=self._now_ns,
        )

    def _amend(
        self, record: VenueExecution, trade: VenueExecution, quantity: Decimal, notional: Decimal
    ) -> None:
        order = self._order(trade)
        after = replace(
            order,
            quantity_filled=order.quantity_filled - trade.quantity + quantity,
            notional_filled=order.notional_filled - trade.quantity * trade.price + notional,
            updated_ns=self._now_ns,
        )
        after = replace(after, status=_status_after(after), filled_ns=_filled_ns(after))
        account = self._ledger.account(trade.account_id)
        whole = replace(
            record,
            quantity_cumulative=after.quantity_filled,
            quantity_leaves=after.quantity_leaves,
            position_quantity=account.quantity(trade.symbol),
        )
        is_bust = record.kind is ExecutionKind.BUST
        self._ledger.amend(
            whole, after, EventKind.TRADE_BUST if is_bust else EventKind.TRADE_CORRECT
        )

    # --- common

    @property
    def _now_ns(self) -> int:
        return self._ledger.state.now_ns

    def _book(self, symbol: Symbol) -> Book:
        if symbol not in self._books:
            raise Undone(f"no {symbol} is traded here")
        return self._books[symbol]

    def _accounts(self) -> Iterable[VenueAccount]:
        return self._ledger.state.accounts.values()

    def _note_split(
        self,
        account: VenueAccount,
        symbol: Symbol,
        before: Decimal,
        after: Decimal,
        *,
        factor: Decimal,
        cash: Decimal,
    ) -> None:
        """Cash for a fraction comes with the last leg; where nothing is left, that is the first."""
        position = account.positions.get(symbol)
        legs = [(-before, ZERO), (after, cash)] if after else [(-before, cash)]
        for quantity, net_amount in legs:
            self._note(
                account,
                ActivityKind.SPLIT,
                net_amount=net_amount,
                symbol=symbol,
                quantity=quantity,
                price=position.avg_entry_price if position else ZERO,
                factor=factor,
                quantity_before=before,
                quantity_after=after,
                description=f"Split of {symbol}: {canonical(factor)} for 1",
            )

    def _note(
        self, account: VenueAccount, kind: ActivityKind, date: str = "", **what: Unpack[_What]
    ) -> None:
        self._ledger.note(
            Activity(
                activity_id=self._ledger.identifier(),
                account_id=account.account_id,
                kind=kind,
                date=date or new_york_date(self._now_ns),
                at_ns=self._now_ns,
                **what,
            )
        )


def _status_after(order: VenueOrder) -> OrderStatus:
    """By what is filled now. A filled order of which a part is taken back is canceled: nobody works it again."""
    if order.quantity_filled >= order.quantity:
        return OrderStatus.FILLED
    if order.status is OrderStatus.FILLED:
        return OrderStatus.CANCELED
    if order.status is OrderStatus.PARTIALLY_FILLED and not order.quantity_filled:
        return OrderStatus.NEW
    return order.status


def _filled_ns(order: VenueOrder) -> int | None:
    return order.filled_ns if order.quantity_filled >= order.quantity else None
