"""Turns a request into the Question that the rules answer: how many shares, at what worst price, and what stands.

Sizes that depend on the account (dollars, a part of equity, a target) are computed here, where positions and cash are
known; a worker only says what it would like.
"""

from decimal import Decimal

from trader import protection, risk
from trader.messages import Blocking, DenyReason, OrderRequest
from trader.model import MINUTE_NS, ClientOrderId, DecisionKey, Order, OrderState, Side, Symbol
from trader.money import MILL, ONE, ZERO, plain, price_of, rounded, rounded_down, rounded_up, share
from trader.positions import Position
from trader.question import Denial, Question, Standing, Wanted
from trader.reductions import Reduction, decision_key
from trader.state import ALL_SYMBOLS, ExecutionState

QUOTE_TICKS_MAX = 10**11


def client_order_id(request: OrderRequest) -> ClientOrderId:
    """The one id of a decision's order: FIX 11, at most 48 characters, a function of the decision alone."""
    return _order_of(request.symbol, request.side, request.decision_key)


def _order_of(symbol: Symbol, side: Side, key: DecisionKey) -> ClientOrderId:
    return ClientOrderId(f"trd-{symbol}-{side[0]}-{key[:24]}")


def exit_key(state: ExecutionState, symbol: Symbol, reduction: Reduction) -> DecisionKey:
    """Of the next exit of a reduction: the first whose order never was."""
    attempt, shares = reduction.exits, shares_to_go(state, symbol)
    while True:
        attempt += 1
        key = decision_key(state.account, reduction.reference, symbol, attempt, shares)
        if _order_of(symbol, Side.SELL, key) not in state.used:
            return key


def unsound(request: OrderRequest) -> Denial | None:
    """Numbers that no arithmetic may see."""
    size, price = request.size.amount, request.limit_price
    if not (size.is_finite() and size.copy_abs() <= risk.AMOUNT_MAX and size == rounded(size)):
        return Denial(reason=DenyReason.QUANTITY, numbers={"size": str(size)[:40]})
    if price is not None and not (
        price.is_finite() and ZERO < price <= protection.PRICE_MAX and price == rounded(price, MILL)
    ):
        return Denial(reason=DenyReason.PRICE_TICK, numbers={"price": str(price)[:40]})
    quote = request.quote
    if quote is not None and max(abs(quote.bid), abs(quote.ask)) > QUOTE_TICKS_MAX:
        return Denial(reason=DenyReason.NO_QUOTE, numbers={})
    return protection.unsound_prices(request)


def wanted_of(state: ExecutionState, request: OrderRequest) -> Wanted:
    """What is there already of what a request wants."""
    position = state.position(request.symbol)
    return Wanted(
        request=request,
        position=position,
        live_entry=state.orders[position.entries[0]] if position.entries else None,
        decision_known=client_order_id(request) in state.used,
        reduced=_reduced_by(state, request),
        limits=state.limits,
    )


def shares_to_go(state: ExecutionState, symbol: Symbol) -> Decimal:
    """What the next exit of a reduction sells: all that may be sold, in whole shares."""
    return rounded_down(quantity_sellable(state, state.position(symbol)), ONE)


def _reduced_by(state: ExecutionState, request: OrderRequest) -> tuple[Blocking, str] | None:
    """While a position goes, nobody else sells it, and the reduction itself waits until every exit is over."""
    reduction = state.reductions.get(request.symbol)
    if reduction is None or risk.is_entry(request):
        return None
    live = state.position(request.symbol).exits
    if live:
        in_doubt = state.orders[live[0]].state is OrderState.UNKNOWN
        return Blocking.UNKNOWN_ORDER if in_doubt else Blocking.LIVE_ORDER, live[0]
    if request.decision_key == exit_key(state, request.symbol, reduction):
        return None
    return Blocking.REDUCTION, reduction.words


def question_of(
    state: ExecutionState, request: OrderRequest, wanted: Wanted | None = None
) -> Question:
    """What the rules may read about a request whose numbers are sound; `wanted` where that is known already."""
    wanted = wanted or wanted_of(state, request)
    position = wanted.position
    reserve_price = _reserve_price(state, request)
    if risk.is_entry(request):
        opposite = [state.orders[one] for one in position.exits]
    else:
        opposite = entries_that_work(state, position)
    return Question(
        request=request,
        quantity=_quantity(state, request, position, reserve_price),
        reserve_price=reserve_price,
        position=position,
        live_entry=wanted.live_entry,
        decision_known=wanted.decision_known,
        reduced=wanted.reduced,
        standing=_standing(state, request),
        limits=state.limits,
        cash_free=state.books.cash_free,
        equity=state.equity,
        exposure=state.positions_value + state.books.reserved,
        entries_open=state.entries_open,
        entries_minute=sum(
            [count for at_ns, count in state.entries_recent if abs(at_ns - state.at_ns) < MINUTE_NS]
        ),
        notional_session=state.entries_notional,
        entries_strategy=state.entries_of.get(request.strategy, 0),
        canary=None if state.is_promoted(request.strategy) else state.limits.canary,
        equity_session=state.equity_session,
        equity_peak=state.equity_peak,
        opposite_orders=tuple(opposite),
        quantity_sellable=quantity_sellable(state, position),
    )


def entries_that_work(state: ExecutionState, position: Position) -> list[Order]:
    """Entries that what is held may have to wait for: not those that the broker calls rejected.

    Such a one was executed in part, and all that is claimed of it is booked. What it bought is held, and may go: no
    more than that is sold. The rest keeps its cash and its symbol until a person says that it is over.
    """
    return [order for one in position.entries if not (order := state.orders[one]).is_denied]


def _reserve_price(state: ExecutionState, request: OrderRequest) -> Decimal:
    """The limit or stop, or for a market order the far side of the quote at the end of the collar."""
    if request.limit_price is not None or request.stop_price is not None:
        return request.limit_price or request.stop_price or ZERO
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
            return rounded_down(quantity_sellable(state, position) - amount, ONE)
        case "notional" if price:
            return rounded_down(share(amount, ONE, price), ONE)
        case "equity" if price:
            return rounded_down(share(amount * state.equity, ONE, price), ONE)
        case "per_equity":
            return rounded_down(share(amount, state.equity, ONE), ONE)
        case _:
            return ZERO


def quantity_sellable(state: ExecutionState, position: Position) -> Decimal:
    """Proven shares that no live exit may take; where the broker's books differ from ours, by the smaller holding."""
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
        halted=state.halted or _reduced(state, symbol),
        is_shut=state.is_shut,
        quarantined=quarantined,
        trading_halt=state.halts.get(symbol, ("", 0))[0],
        session_began_ns=state.session_began_ns,
        session_closes_ns=state.session_closes_ns,
        closing=state.closings.get(request.strategy),
        brakes=brakes,
    )


def _reduced(state: ExecutionState, symbol: Symbol) -> str:
    """A position that has to go is not entered meanwhile."""
    reduction = state.reductions.get(symbol)
    return f"{symbol} is {reduction.words}" if reduction is not None else ""
