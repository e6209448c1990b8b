"""Takes an order in: judges it by all the rules, values it, and makes its first state and those of its legs."""

from decimal import Decimal

from msgspec.structs import replace

from trader.model import Side, Symbol, TimeInForce
from trader.money import CENT, MILL, ONE, ZERO, rounded_down
from trader.venue import acceptance, cover
from trader.venue.accounts import VenueAccount
from trader.venue.assets import ANY_ASSET, VenueAsset
from trader.venue.hours import works
from trader.venue.ledger import Ledger
from trader.venue.margin import power
from trader.venue.matching import Book, nano_shares, trailing_stop_price, value_price
from trader.venue.refusals import forbidden, invalid, price_unknown, unprocessable
from trader.venue.words import (
    Leg,
    NewOrder,
    OrderClass,
    OrderStatus,
    OrderType,
    Refusal,
    VenueOrder,
)

GUARD_BOUNDARY = Decimal(50)
GUARD_RATE_BELOW, GUARD_RATE = Decimal("1.04"), Decimal("1.025")


class Intake:
    """See the module. `assets` are those with restrictions; a symbol that isn't there has none."""

    def __init__(
        self, ledger: Ledger, books: dict[Symbol, Book], assets: dict[Symbol, VenueAsset]
    ) -> None:
        self._ledger = ledger
        self._books = books
        self._assets = assets

    # --- judging

    def judge(self, account: VenueAccount, new: NewOrder) -> Refusal | VenueOrder:
        """The order's first state, without identifiers, or why it is not taken."""
        objection = self._formal_objection(account, new)
        if objection is not None:
            return objection
        open_of = self._ledger.open_of
        other = Side.SELL if new.side is Side.BUY else Side.BUY
        draft = self._draft(account, new)
        return (
            acceptance.market_objection(
                new, self._asset(new.symbol), self._books[new.symbol], self._now_ns
            )
            or cover.wash_trade_objection(new, open_of(account.account_id, new.symbol, other))
            or self._cover_objection(account, new, draft)
            or draft
        )

    def _formal_objection(self, account: VenueAccount, new: NewOrder) -> Refusal | None:
        if new.symbol not in self._books:
            return unprocessable(f'asset "{new.symbol}" not found')
        used = new.client_order_id
        if used and self._ledger.order_by_client_id(account.account_id, used):
            return invalid("client_order_id must be unique")
        return acceptance.form_objection(
            new, self._asset(new.symbol)
        ) or cover.permission_objection(account, new)

    def _cover_objection(
        self,
        account: VenueAccount,
        new: NewOrder,
        draft: VenueOrder,
    ) -> Refusal | None:
        if account.reduces(new.symbol, new.side):
            return self._closing_objection(account, new, draft)
        if new.order_class is OrderClass.OCO and new.side is Side.BUY:
            return unprocessable("oco orders must be exit orders")
        if new.side is Side.SELL:
            objection = cover.short_objection(account, new, self._asset(new.symbol))
            if objection is not None:
                return objection
            if new.order_class is OrderClass.OCO:
                return unprocessable("oco orders must be exit orders")
        if not draft.is_opening:
            return price_unknown(new.symbol)
        return cover.intent_objection(new, is_opening=True) or cover.funds_objection(
            power(account, self._books), draft.reserved
        )

    def _closing_objection(
        self,
        account: VenueAccount,
        new: NewOrder,
        draft: VenueOrder,
    ) -> Refusal | None:
        if new.position_intent == "sell_to_open" and not account.may_short:
            return forbidden("account is not allowed to short")
        if new.order_class in (OrderClass.BRACKET, OrderClass.OTO):
            return unprocessable(f"{new.order_class} orders must be entry orders")
        if new.notional is not None and not draft.quantity:
            return price_unknown(new.symbol)
        holders = self._ledger.open_of(account.account_id, new.symbol, new.side)
        return cover.intent_objection(new, is_opening=False) or cover.shares_objection(
            account, new.symbol, draft.quantity, holders
        )

    # --- making

    def _draft(self, account: VenueAccount, new: NewOrder) -> VenueOrder:
        """As it will stand in the book, but for its identifiers."""
        book = self._books[new.symbol]
        best = book.far_side(new.side).price or book.mark()
        is_trailing = new.order_type is OrderType.TRAILING_STOP
        stop_price = new.stop_price
        if is_trailing and best:
            stop_price = trailing_stop_price(new.side, best, new.trail_price, new.trail_percent)
        draft = VenueOrder(
            number=0,
            order_id="",
            client_order_id=new.client_order_id or "",
            account_id=account.account_id,
            symbol=new.symbol,
            side=new.side,
            order_type=new.order_type,
            time_in_force=new.time_in_force,
            quantity=new.quantity,
            notional=new.notional,
            limit_price=new.limit_price,
            stop_price=stop_price,
            trail_price=new.trail_price,
            trail_percent=new.trail_percent,
            hwm=(best or None) if is_trailing else None,
            guard_price=guard_price(new.side, new.order_type, stop_price),
            extended_hours=new.extended_hours,
            nights=not account.configuration.disable_overnight_trading,
            position_intent=new.position_intent,
            order_class=new.order_class,
            leg=Leg.TAKE_PROFIT if new.order_class is OrderClass.OCO else Leg.ENTRY,
            status=OrderStatus.PENDING_NEW,
            submitted_ns=self._now_ns,
            updated_ns=self._now_ns,
            expires_ns=self._ledger.hours.expires_ns(
                new.time_in_force, new.extended_hours, self._now_ns
            ),
        )
        draft = self._valued(account, draft)
        at = self._ledger.hours.phase(self._now_ns)
        waits = not works(draft, at) or new.time_in_force is TimeInForce.OPG
        return replace(draft, status=OrderStatus.ACCEPTED) if waits else draft

    def _valued(self, account: VenueAccount, draft: VenueOrder) -> VenueOrder:
        """With what each share of it holds and, where dollars were named, how many shares those seem to be."""
        book, at = self._books[draft.symbol], self._ledger.hours.phase(self._now_ns)
        price = value_price(draft, book, at)
        if draft.order_type is OrderType.TRAILING_STOP and draft.hwm is None:
            price = ZERO
        is_closing = account.reduces(draft.symbol, draft.side)
        if draft.notional is not None:
            market = book.far_side(draft.side).price or book.buy_price(at)
            draft = replace(draft, quantity=nano_shares(draft.notional, market))
        return draft if is_closing else replace(draft, reserve_price=price)

    def legs_of(self, entry: VenueOrder, new: NewOrder) -> list[VenueOrder]:
        """The exits that come with an entry, held and holding nothing; of an OCO order the stop alone."""
        if new.take_profit is None and new.stop_loss is None:
            return []  # As almost always.
        exits: list[VenueOrder] = []
        is_oco = new.order_class is OrderClass.OCO
        side = entry.side if is_oco else (Side.SELL if entry.side is Side.BUY else Side.BUY)
        common = replace(
            entry,
            side=side,
            parent_id=entry.order_id,
            status=OrderStatus.HELD,
            holds=False,
            reserve_price=ZERO,
            position_intent=None,
            limit_price=None,
        )
        if new.take_profit is not None and not is_oco:
            exits.append(
                replace(
                    common,
                    leg=Leg.TAKE_PROFIT,
                    order_type=OrderType.LIMIT,
                    limit_price=new.take_profit,
                )
            )
        if new.stop_loss is not None:
            limit_price, stop_price = new.stop_loss.limit_price, new.stop_loss.stop_price
            order_type = OrderType.STOP if limit_price is None else OrderType.STOP_LIMIT
            exits.append(
                replace(
                    common,
                    leg=Leg.STOP_LOSS,
                    order_type=order_type,
                    limit_price=limit_price,
                    stop_price=stop_price,
                    guard_price=guard_price(side, order_type, stop_price),
                )
            )
        return exits

    # --- common

    @property
    def _now_ns(self) -> int:
        return self._ledger.state.now_ns

    def _asset(self, symbol: Symbol) -> VenueAsset:
        return self._assets.get(symbol, ANY_ASSET)


def guard_price(side: Side, order_type: OrderType, stop_price: Decimal | None) -> Decimal | None:
    """A stop bought at the market is worked as a stop-limit order, so far above its stop price."""
    if side is not Side.BUY or order_type is not OrderType.STOP or stop_price is None:
        return None
    rate = GUARD_RATE_BELOW if stop_price < GUARD_BOUNDARY else GUARD_RATE
    return rounded_down(stop_price * rate, CENT if stop_price >= ONE else MILL)
