"""One order in place of another: what may be changed of it, what both hold meanwhile, and which of the two lives on.

The client is given the new order at once, but the old one stays in the book until the new one arrives: it may still
trade until then. What the old one has traded counts: a new `qty` is the total that is wanted of both. If the old one
has ended by then, the new one is rejected.
"""

from decimal import Decimal

from msgspec.structs import replace

from trader.model import Side, Symbol
from trader.money import ZERO
from trader.venue import acceptance, cover
from trader.venue.accounts import VenueAccount
from trader.venue.assets import ANY_ASSET
from trader.venue.intake import guard_price
from trader.venue.ledger import Ledger
from trader.venue.margin import power
from trader.venue.matching import Book, trailing_stop_price, value_price
from trader.venue.refusals import invalid, unprocessable
from trader.venue.words import (
    LIMITED,
    EventKind,
    NewOrder,
    OrderClass,
    OrderStatus,
    OrderType,
    Refusal,
    Replacement,
    VenueOrder,
)

REPLACEABLE = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.HELD})


class Replacing:
    """See the module."""

    def __init__(self, ledger: Ledger, books: dict[Symbol, Book]) -> None:
        self._ledger = ledger
        self._books = books

    # --- may it be?

    def judge(
        self, account: VenueAccount, old: VenueOrder, wish: Replacement
    ) -> Refusal | VenueOrder:
        """The new order, without identifiers, or why the old one stays as it is."""
        objection = _standing_objection(old) or _wish_objection(old, wish)
        if objection is not None:
            return objection
        used = wish.client_order_id
        if used and self._ledger.order_by_client_id(old.account_id, used):
            return invalid("client_order_id must be unique")
        draft = self._draft(old, wish)
        new = _as_new(draft)
        objection = acceptance.form_objection(new, ANY_ASSET)
        if objection is None and (wish.stop_price or wish.time_in_force):
            book = self._books[old.symbol]
            objection = acceptance.market_objection(new, ANY_ASSET, book, self._now_ns)
        if objection is not None:
            return objection
        return self._account_objection(account, old, new, draft) or draft

    def _account_objection(
        self, account: VenueAccount, old: VenueOrder, new: NewOrder, draft: VenueOrder
    ) -> Refusal | None:
        other = Side.SELL if old.side is Side.BUY else Side.BUY
        if not cover.is_unwashed(old.order_type, old.order_class):
            opposite = self._ledger.open_of(old.account_id, old.symbol, other)
            objection = cover.wash_trade_objection(new, opposite)
            if objection is not None:
                return objection
        if not old.holds:
            return None
        if old.is_opening:
            return cover.funds_objection(power(account, self._books) + old.reserved, draft.reserved)
        holders = self._ledger.open_of(old.account_id, old.symbol, old.side)
        others = [order for order in holders if order.order_id != old.order_id]
        return cover.shares_objection(
            account, old.symbol, draft.quantity, others, own=old.shares_held
        )

    def _draft(self, old: VenueOrder, wish: Replacement) -> VenueOrder:
        time_in_force = wish.time_in_force or old.time_in_force
        draft = replace(
            old,
            number=0,
            order_id="",
            client_order_id=wish.client_order_id or "",
            quantity=(wish.quantity or old.quantity) - old.quantity_filled,
            quantity_filled=ZERO,
            notional_filled=ZERO,
            filled_before=old.quantity_filled,
            limit_price=wish.limit_price or old.limit_price,
            stop_price=wish.stop_price or old.stop_price,
            time_in_force=time_in_force,
            status=OrderStatus.PENDING_NEW,
            submitted_ns=self._now_ns,
            updated_ns=self._now_ns,
            expires_ns=old.expires_ns
            if time_in_force is old.time_in_force
            else self._ledger.hours.expires_ns(time_in_force, old.extended_hours, self._now_ns),
            replaces=old.order_id,
            extra=ZERO,
        )
        draft = _trailing(draft, wish.trail)
        draft = replace(
            draft, guard_price=guard_price(draft.side, draft.order_type, draft.stop_price)
        )
        if not old.is_opening:
            return draft
        price = value_price(draft, self._books[old.symbol], self._ledger.hours.phase(self._now_ns))
        return replace(draft, reserve_price=price or old.reserve_price)

    # --- let it be

    def begin(self, old: VenueOrder, new: VenueOrder) -> None:
        """Both stand: the old one in the book, holding what the larger of them needs."""
        more = new.reserved - old.reserved + new.shares_held - old.shares_held
        self._ledger.change(
            old.order_id,
            EventKind.PENDING_REPLACE,
            status=OrderStatus.PENDING_REPLACE,
            extra=max(more, ZERO),
        )
        self._ledger.add(replace(new, holds=False), EventKind.PENDING_NEW)

    def arrive(self, order_id: str, *, status: OrderStatus = OrderStatus.NEW) -> bool:
        """The new order takes the old one's place, if that is still there; whether it does."""
        new = self._ledger.state.orders[order_id]
        assert new.replaces is not None, "only a replacement can take a place"
        old = self._ledger.state.orders[new.replaces]
        left = new.quantity - (old.quantity_filled - new.filled_before)
        if old.status is not OrderStatus.PENDING_REPLACE or left <= ZERO:
            self._give_up(old, new)
            return False
        for leg in self._ledger.legs(old.order_id):
            if leg.is_open:
                self._ledger.change(leg.order_id, None, parent_id=new.order_id)
        self._ledger.change(
            old.order_id,
            EventKind.REPLACED,
            status=OrderStatus.REPLACED,
            replaced_by=new.order_id,
            replaced_ns=self._now_ns,
        )
        self._ledger.change(
            new.order_id,
            None if status is OrderStatus.HELD else EventKind.NEW,
            status=status,
            quantity=left,
            holds=old.holds,
        )
        return True

    def _give_up(self, old: VenueOrder, new: VenueOrder) -> None:
        if old.status is OrderStatus.PENDING_REPLACE:
            status = OrderStatus.PARTIALLY_FILLED if old.quantity_filled else OrderStatus.NEW
            self._ledger.change(old.order_id, EventKind.REPLACE_REJECTED, status=status, extra=ZERO)
        self._ledger.reject(new.order_id, f"order is {old.status}")

    @property
    def _now_ns(self) -> int:
        return self._ledger.state.now_ns


# --- rules


def _standing_objection(old: VenueOrder) -> Refusal | None:
    if not old.is_open:
        return unprocessable("order is not open")
    if old.status not in REPLACEABLE:
        return unprocessable(f"cannot replace order in {old.status} status")
    if old.notional is not None:
        return unprocessable("notional orders cannot be replaced")
    if old.order_class is OrderClass.OTO:
        return unprocessable("oto orders cannot be replaced")
    return None


def _wish_objection(old: VenueOrder, wish: Replacement) -> Refusal | None:
    if wish == Replacement():
        return unprocessable("order parameters are not changed")
    return (
        acceptance.id_objection(wish.client_order_id)
        or _quantity_objection(old, wish.quantity)
        or _price_objection(old, wish)
    )


def _quantity_objection(old: VenueOrder, quantity: Decimal | None) -> Refusal | None:
    if quantity is None or quantity == old.quantity:
        return None
    objection = acceptance.quantity_objection(quantity)
    if objection is not None:
        return objection
    if old.order_class is not OrderClass.SIMPLE:
        return unprocessable("qty of complex orders cannot be changed")
    if quantity % 1 or old.quantity % 1:
        return unprocessable("qty of a replacement must be in whole shares")
    if quantity <= old.quantity_filled:
        return unprocessable("qty must be > filled_qty")
    return None


def _price_objection(old: VenueOrder, wish: Replacement) -> Refusal | None:
    if wish.limit_price is not None and old.order_type not in LIMITED:
        return unprocessable(f"limit_price of a {old.order_type} order cannot be replaced")
    is_stop = old.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    if wish.stop_price is not None and not is_stop:
        return unprocessable(f"stop_price of a {old.order_type} order cannot be replaced")
    if wish.trail is not None and old.order_type is not OrderType.TRAILING_STOP:
        return unprocessable(f"trail of a {old.order_type} order cannot be replaced")
    return None


def _trailing(draft: VenueOrder, trail: Decimal | None) -> VenueOrder:
    """The new trail, behind the same best price."""
    if trail is None or draft.hwm is None:
        return draft
    in_dollars = draft.trail_price is not None
    price, percent = (trail, None) if in_dollars else (None, trail)
    return replace(
        draft,
        trail_price=price,
        trail_percent=percent,
        stop_price=trailing_stop_price(draft.side, draft.hwm, price, percent),
    )


def _as_new(draft: VenueOrder) -> NewOrder:
    """As if it were sent by itself: the rules of form apply to it, too."""
    is_trailing = draft.order_type is OrderType.TRAILING_STOP
    return NewOrder(
        symbol=draft.symbol,
        side=draft.side,
        order_type=draft.order_type,
        time_in_force=draft.time_in_force,
        quantity=draft.quantity,
        limit_price=draft.limit_price,
        stop_price=None if is_trailing else draft.stop_price,
        trail_price=draft.trail_price,
        trail_percent=draft.trail_percent,
        extended_hours=draft.extended_hours,
    )
