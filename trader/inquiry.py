"""Turns a request into the Question that the rules answer: how many shares, at what worst price, and what stands.

Sizes that depend on the account (dollars, a part of equity, a target) are computed here, where positions and cash are
known; a worker only says what it would like.
"""

from decimal import Decimal

from trader import risk
from trader.messages import DenyReason, OrderRequest
from trader.model import MINUTE_NS, ClientOrderId, Side
from trader.money import MILL, ONE, ZERO, plain, price_of, rounded, rounded_down, rounded_up, share
from trader.positions import Position
from trader.question import Denial, Question, Standing, Wanted
from trader.state import ALL_SYMBOLS, ExecutionState

QUOTE_TICKS_MAX = 10**11


def client_order_id(request: OrderRequest) -> ClientOrderId:
    """The one id of a decision's order: FIX 11, at most 48 characters, a function of the decision alone."""
    return ClientOrderId(
        f"trd-{request.symbol}-{request.side.value[0]}-{request.decision_key[:24]}"
    )


def unsound(request: OrderRequest) -> Denial | None:
    """Numbers that no arithmetic may see."""
    size, price = request.size.amount, request.limit_price
    if not (size.is_finite() and size.copy_abs() <= risk.AMOUNT_MAX and size == rounded(size)):
        return Denial(reason=DenyReason.QUANTITY, numbers={"size": str(size)[:40]})
    if price is not None and not (
        price.is_finite() and ZERO < price <= risk.PRICE_MAX and price == rounded(price, MILL)
    ):
        return Denial(reason=DenyReason.PRICE_TICK, numbers={"price": str(price)[:40]})
    quote = request.quote
    if quote is not None and max(abs(quote.bid), abs(quote.ask)) > QUOTE_TICKS_MAX:
        return Denial(reason=DenyReason.NO_QUOTE, numbers={})
    return None


def wanted_of(state: ExecutionState, request: OrderRequest) -> Wanted:
    """What is there already of what a request wants."""
    position = state.position(request.symbol)
    return Wanted(
        request=request,
        position=position,
        live_entry=state.orders[position.entries[0]] if position.entries else None,
        decision_known=client_order_id(request) in state.used,
        limits=state.limits,
    )


def question_of(state: ExecutionState, request: OrderRequest) -> Question:
    """What the rules may read about a request whose numbers are sound."""
    wanted = wanted_of(state, request)
    position = wanted.position
    reserve_price = _reserve_price(state, request)
    opposite = position.exits if risk.is_entry(request) else position.entries
    return Question(
        request=request,
        quantity=_quantity(state, request, position, reserve_price),
        reserve_price=reserve_price,
        position=position,
        live_entry=wanted.live_entry,
        decision_known=wanted.decision_known,
        standing=_standing(state, request),
        limits=state.limits,
        cash_free=state.books.cash_free,
        equity=state.equity,
        exposure=state.positions_value + state.books.reserved,
        entries_open=state.entries_open,
        entries_minute=sum(
            count for at_ns, count in state.entries_recent if abs(at_ns - state.at_ns) < MINUTE_NS
        ),
        notional_session=state.entries_notional,
        entries_strategy=state.entries_of.get(request.strategy, 0),
        canary=None if state.is_promoted(request.strategy) else state.limits.canary,
        equity_session=state.equity_session,
        equity_peak=state.equity_peak,
        opposite_orders=tuple(state.orders[one] for one in opposite),
        quantity_sellable=_quantity_sellable(state, position),
    )


def _reserve_price(state: ExecutionState, request: OrderRequest) -> Decimal:
    """The limit, or for a market order the far side of the quote at the end of the collar."""
    if request.limit_price is not None:
        return request.limit_price
    if request.quote is None:
        return ZERO
    far = request.quote.ask if request.side is Side.BUY else request.quote.bid
    return rounded_up(price_of(far) * (ONE + state.limits.price_deviation_max))


def _quantity(
    state: ExecutionState, request: OrderRequest, position: Position, price: Decimal
) -> Decimal:
    """Shares wanted, rounded down to whole ones where dollars were stated; may be nothing, or not whole."""
    amount = request.size.amount
    match request.size.unit:
        case "shares":
            return plain(amount)
        case "target" if risk.is_entry(request):
            return plain(amount - position.quantity - position.quantity_pending_buy)
        case "target":
            return plain(_quantity_sellable(state, position) - amount)
        case "notional" if price:
            return rounded_down(share(amount, ONE, price), ONE)
        case "equity" if price:
            return rounded_down(share(amount * state.equity, ONE, price), ONE)
        case _:
            return ZERO


def _quantity_sellable(state: ExecutionState, position: Position) -> Decimal:
    """Where the broker's books differ from ours, the smaller holding counts."""
    surplus = state.differing.get(position.symbol, ZERO)
    return position.quantity_sellable - max(surplus, ZERO)


def _standing(state: ExecutionState, request: OrderRequest) -> Standing:
    symbol = request.symbol
    quarantined = state.quarantined.get(symbol) or state.quarantined.get(ALL_SYMBOLS) or ""
    brakes = (
        tuple(sorted(one for one, where in state.brakes if where in {symbol, ALL_SYMBOLS}))
        if state.brakes
        else ()
    )
    return Standing(
        at_ns=state.at_ns,
        phase=state.phase,
        gates_closed=state.gates_closed,
        is_tradable=symbol in state.symbols,
        is_warming_up=bool(state.workers_cold.get(symbol)),
        halted=state.halted,
        quarantined=quarantined,
        brakes=brakes,
    )
