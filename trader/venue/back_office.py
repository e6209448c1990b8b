"""What the venue does of its own accord: cash, corporate actions, rejections, late fills, busts and corrections.

Nothing here asks whether a client would like it. Each deed returns the order events that it caused, in order; an empty
list where it moved cash or shares only, and `Undone` where there was nothing that it could be done to.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from trader.calendar import new_york_date
from trader.model import Side, Symbol
from trader.money import ONE, ZERO, canonical, ratio
from trader.venue.accounts import VenueAccount
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
        """`factor` new shares for each old one, in all accounts; open orders of the symbol are canceled."""
        book = self._book(symbol)
        for order in self._ledger.open_orders(symbol):
            self._cancel(order, CORPORATE_ACTION)
        for account in self._accounts():
            if account.quantity(symbol):
                change, cash = account.split(symbol, factor)
                position = account.positions.get(symbol)
                self._note(
                    account,
                    ActivityKind.SPLIT,
                    net_amount=cash,
                    symbol=symbol,
                    quantity=change,
                    price=position.avg_entry_price if position else ZERO,
                    description=f"Split of {symbol}: {canonical(factor)} for 1",
                )
        book.forget_quote()
        book.last = ratio(book.last, factor)
        return self._ledger.take_told()

    # --- orders

    def reject(self, order_id: str, reason: str = "") -> list[OrderEvent]:
        """After it was accepted."""
        order = self._ledger.state.orders[order_id]
        if not order.is_open:
            raise Undone(f"the order is {order.status}")
        self._ledger.change(
            order_id,
            EventKind.REJECTED,
            status=OrderStatus.REJECTED,
            failed_ns=self._now_ns,
            reason=reason,
        )
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
                self._cancel(order, "LIQUIDATION")
        return self._ledger.take_told()

    def fill(
        self, order_id: str, quantity: Decimal | None = None, price: Decimal | None = None
    ) -> list[OrderEvent]:
        """Trade an order whatever its state, for all that was not traded and at its limit unless told otherwise.

        More than was ordered is an overfill. A sell needs shares: nobody is ever short here.
        """
        order = self._ledger.state.orders[order_id]
        traded = order.quantity - order.quantity_filled if quantity is None else quantity
        paid = price or order.limit_price or self._books[order.symbol].mark()
        if traded <= ZERO or not paid:
            raise Undone("nothing is left of the order" if paid else "no price is known")
        free = (
            self._ledger.account(order.account_id).available(order.symbol) + order.quantity_leaves
        )
        if order.side is Side.SELL and traded > free:
            raise Undone(f"only {canonical(free)} {order.symbol} could be sold")
        fee = self._terms.sell_fee(traded, paid) if order.side is Side.SELL else ZERO
        self._ledger.fill(order_id, traded, paid, fee, amiss=True)
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
        is_sell = trade.side is Side.SELL
        if is_sell and traded > trade.quantity + account.available(trade.symbol):
            raise Undone(f"more {trade.symbol} than could be sold")
        fee = self._terms.sell_fee(traded, paid) if is_sell else ZERO
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
        account = self._ledger.account(trade.account_id)
        if trade.side is Side.BUY and account.available(trade.symbol) < trade.quantity:
            raise Undone(f"the {trade.symbol} of that trade were sold, or are held by an order")
        account.unbook(trade)

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
        order = self._ledger.state.orders[trade.order_id]
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

    def _cancel(self, order: VenueOrder, reason: str) -> None:
        self._ledger.change(
            order.order_id,
            EventKind.CANCELED,
            status=OrderStatus.CANCELED,
            canceled_ns=self._now_ns,
            reason=reason,
        )

    def _note(
        self,
        account: VenueAccount,
        kind: ActivityKind,
        date: str = "",
        *,
        net_amount: Decimal = ZERO,
        symbol: Symbol | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        per_share_amount: Decimal | None = None,
        description: str = "",
    ) -> None:
        self._ledger.note(
            Activity(
                activity_id=self._ledger.identifier(),
                account_id=account.account_id,
                kind=kind,
                date=date or new_york_date(self._now_ns),
                at_ns=self._now_ns,
                net_amount=net_amount,
                symbol=symbol,
                quantity=quantity,
                price=price,
                per_share_amount=per_share_amount,
                description=description,
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
