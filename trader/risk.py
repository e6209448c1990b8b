"""May we? One small rule for each thing that could be wrong with a request; the first that objects decides.

They run in the house's order (identity, duplicate, gates, limits) and read a Question, so all they read is in the
journal. Exits answer only to those that keep an exit safe: a person in trouble must be able to get out.
"""

from collections.abc import Callable
from decimal import Decimal

from trader.allowance import canary, notional_per_day, order_quantity
from trader.brakes import line_shut
from trader.closing import session_closing
from trader.hours import market_closed
from trader.messages import Blocking, Brake, DenyReason, Gate, OrderRequest
from trader.model import (
    ENTRY_PURPOSES,
    SECOND_NS,
    STOP_TYPES,
    Order,
    OrderState,
    OrderType,
    Purpose,
    Side,
)
from trader.model import OPERATOR as OPERATOR
from trader.money import CENT, MILL, ONE, ZERO, canonical, price_of, ratio, rounded_down, rounded_up
from trader.nights import price_jump
from trader.protection import protective_prices, stop_required
from trader.question import Denial, Question, Wanted, deny

EXITS_LIVE_MAX = 8  # for each symbol; the outbox's capacity is proved with it
QUANTITY_MAX = Decimal(10_000_000)  # shares in one order; beyond it a number is a mistake
AMOUNT_MAX = Decimal(10) ** 12


Rule = Callable[[Question], Denial | None]


def is_entry(request: OrderRequest) -> bool:
    """It opens exposure."""
    return request.purpose in ENTRY_PURPOSES


# --------------------------------------------------------------------------------------------- duplicate


def duplicate(wanted: Wanted) -> tuple[Blocking, str] | None:
    """What the request wants exists, or may exist: the mistake that this program was written against.

    A symbol is released for a new entry by a final state of the entry before it, and by nothing else: no time-out,
    no exception, no restart. `add` may stand on a position (within adds_max), never beside a live entry.
    """
    if wanted.decision_known:
        return Blocking.DECISION, wanted.request.decision_key
    if not is_entry(wanted.request):
        return wanted.reduced
    live = wanted.live_entry
    if live is not None:
        in_doubt = live.state is OrderState.UNKNOWN
        return Blocking.UNKNOWN_ORDER if in_doubt else Blocking.LIVE_ORDER, live.client_order_id
    held = wanted.position.quantity and not wanted.position.is_hands_off
    if held and not _is_allowed_add(wanted):
        return Blocking.POSITION, canonical(wanted.position.quantity)
    return None


def _is_allowed_add(wanted: Wanted) -> bool:
    # A position held overnight has no entries this session; its opening doesn't make up for an add.
    adds = max(wanted.position.entries_session - 1, 0)
    return wanted.request.purpose is Purpose.ADD and adds < wanted.limits.adds_max


# ------------------------------------------------------------------------------------------------- gates


def expired(question: Question) -> Denial | None:
    """A wish is for its moment; one that waited is not executed late."""
    age_ns = question.standing.at_ns - question.request.at_ns
    if question.request.late or age_ns > question.limits.request_age_max * SECOND_NS:
        return deny(
            DenyReason.EXPIRED, age_s=age_ns // SECOND_NS, age_max_s=question.limits.request_age_max
        )
    return None


def not_ready(question: Question) -> Denial | None:
    """Every gate must be open: books agreed with the broker, its reports and prices reach us, not stopping."""
    for gate, why in question.standing.gates_closed:
        if gate is not Gate.FRESH_CODE:
            return deny(DenyReason.NOT_READY, gate=gate.value, why=why)
    return None


def warming_up(question: Question) -> Denial | None:
    """A worker of this symbol is fed history, or has failed and is being restarted."""
    return deny(DenyReason.WARMING_UP) if question.standing.is_warming_up else None


def halted(question: Question) -> Denial | None:
    """Somebody, or a rule that only somebody can undo, has stopped entries."""
    standing = question.standing
    return deny(DenyReason.HALTED, why=standing.halted) if standing.halted else None


def stale_code(question: Question) -> Denial | None:
    """The code on disk is not the code that runs."""
    for gate, why in question.standing.gates_closed:
        if gate is Gate.FRESH_CODE:
            return deny(DenyReason.STALE_CODE, why=why)
    return None


def quarantined(question: Question) -> Denial | None:
    """Something about this symbol, or the account, is unexplained."""
    why = question.standing.quarantined
    return deny(DenyReason.QUARANTINED, why=why) if why else None


def unknown_symbol(question: Question) -> Denial | None:
    """Only the configured universe."""
    return None if question.standing.is_tradable else deny(DenyReason.UNKNOWN_SYMBOL)


def not_owner(question: Question) -> Denial | None:
    """A position belongs to the strategy that opened it."""
    owner = question.position.strategy
    if owner is None or question.request.strategy in {owner, OPERATOR}:
        return None
    return deny(DenyReason.NOT_OWNER, owner=owner)


def hands_off(question: Question) -> Denial | None:
    """A holding that a person wants left alone."""
    return deny(DenyReason.HANDS_OFF) if question.position.is_hands_off else None


# ------------------------------------------------------------------------------------------------ limits


def quantity(question: Question) -> Denial | None:
    """Whole shares, at least one."""
    wanted = question.quantity
    if wanted > 0 and wanted == wanted.to_integral_value() and wanted <= QUANTITY_MAX:
        return None
    return deny(DenyReason.QUANTITY, quantity=wanted)


def side(question: Question) -> Denial | None:
    """Entries buy and exits sell: shorting is off."""
    wanted = Side.BUY if is_entry(question.request) else Side.SELL
    if question.request.side is wanted:
        return None
    return deny(DenyReason.QUANTITY, side=question.request.side.value, wanted=wanted.value)


def price_tick(question: Question) -> Denial | None:
    """Whole cents from one dollar up, hundredths of a cent below (SEC rule 612)."""
    price = question.request.limit_price
    if question.request.order_type in STOP_TYPES:
        price = question.request.stop_price or CENT
    elif question.request.order_type is OrderType.MARKET and price is None:
        return None
    if price is None or price <= 0:
        return deny(DenyReason.PRICE_TICK, price=price if price is not None else "none")
    tick = CENT if price >= ONE else MILL
    return None if price % tick == 0 else deny(DenyReason.PRICE_TICK, price=price, tick=tick)


def no_quote(question: Question) -> Denial | None:
    """An entry needs both sides of a price of this very symbol."""
    quote = question.request.quote
    if quote is None or quote.symbol != question.request.symbol:
        return deny(DenyReason.NO_QUOTE)
    if quote.bid <= 0 or quote.ask <= 0 or quote.bid > quote.ask:
        return deny(DenyReason.NO_QUOTE, bid=price_of(quote.bid), ask=price_of(quote.ask))
    return None


def stale_quote(question: Question) -> Denial | None:
    """The price must be of now, in market time."""
    quote = question.request.quote
    assert quote is not None, "no_quote runs first"
    age_ns = max(question.standing.at_ns, question.request.at_ns) - quote.at_ns
    limit = question.limits.quote_age_max
    if age_ns <= limit * SECOND_NS:
        return None
    return deny(DenyReason.STALE_QUOTE, age_s=age_ns // SECOND_NS, age_max_s=limit)


def price_collar(question: Question) -> Denial | None:
    """The limit price lies near the quote's middle; a foreign or broken price does not."""
    quote, price = question.request.quote, question.request.limit_price
    if quote is None or price is None or not 0 < quote.bid <= quote.ask:
        return None  # An entry has no_quote against it by now; an exit must get out.
    middle = price_of((quote.bid + quote.ask) // 2)
    deviation = abs(price - middle)
    if deviation <= question.limits.price_deviation_max * middle:
        return None
    return deny(
        DenyReason.PRICE_COLLAR,
        price=price,
        quote=middle,
        deviation=ratio(deviation, middle),
        deviation_max=question.limits.price_deviation_max,
    )


def order_notional(question: Question) -> Denial | None:
    """One order's size in dollars."""
    cost, limit = question.cost, question.limits.order_notional_max
    return (
        None
        if cost <= limit
        else deny(DenyReason.ORDER_NOTIONAL, notional=cost, notional_max=limit)
    )


def position_notional(question: Question) -> Denial | None:
    """One symbol's size in dollars, what is in flight included."""
    held = question.position
    total = held.value + held.quantity_pending_buy * question.reserve_price + question.cost
    limit = question.limits.position_notional_max
    if total <= limit:
        return None
    return deny(DenyReason.POSITION_NOTIONAL, notional=total, notional_max=limit)


def exposure(question: Question) -> Denial | None:
    """All positions and open buys together, as a part of equity."""
    limit = question.limits.exposure_max * question.equity
    total = question.exposure + question.cost
    return None if total <= limit else deny(DenyReason.EXPOSURE, exposure=total, exposure_max=limit)


def entries_open(question: Question) -> Denial | None:
    """Entry orders alive at the same time."""
    limit = question.limits.entries_open_max
    if question.entries_open < limit:
        return None
    return deny(DenyReason.ENTRIES_OPEN, open=question.entries_open, open_max=limit)


def entries_per_minute(question: Question) -> Denial | None:
    """Entries accepted in the last minute of market time: over it a wish is denied, never queued."""
    limit = question.limits.entries_per_minute_max
    if question.entries_minute < limit:
        return None
    return deny(DenyReason.ENTRIES_PER_MINUTE, entries=question.entries_minute, entries_max=limit)


def entries_per_day(question: Question) -> Denial | None:
    """Entries of one symbol in one session."""
    limit = question.limits.entries_per_symbol_per_day_max
    entries = question.position.entries_session
    if entries < limit:
        return None
    return deny(DenyReason.ENTRIES_PER_DAY, entries=entries, entries_max=limit)


def _braked(brake: Brake, reason: DenyReason) -> Rule:
    def rule(question: Question) -> Denial | None:
        return deny(reason, brake=brake.value) if brake in question.standing.brakes else None

    rule.__doc__ = f"The {brake.value} brake was hit; only a person releases it."
    rule.__name__ = brake.value
    return rule


def buying_power(question: Question) -> Denial | None:
    """Cash that is not reserved covers the worst case; so cash never falls below zero, without any clamp."""
    if question.cost <= question.cash_free:
        return None
    return deny(DenyReason.BUYING_POWER, cost=question.cost, cash_free=question.cash_free)


def would_oversell(question: Question) -> Denial | None:
    """Only proven shares can be sold, each of them once: an exit in doubt still holds what it has left."""
    position = question.position
    if len(position.exits) >= EXITS_LIVE_MAX:
        return deny(
            DenyReason.WOULD_OVERSELL, exits_live=len(position.exits), exits_live_max=EXITS_LIVE_MAX
        )
    if ZERO < question.quantity_sellable >= question.quantity:
        return None
    return deny(
        DenyReason.WOULD_OVERSELL,
        wanted=question.quantity,
        held=question.quantity_sellable + position.quantity_pending_sell,
        in_exits=position.quantity_pending_sell,
    )


def self_trade(question: Question) -> Denial | None:
    """No order that could meet one of our own on the other side of the market."""
    for other in question.opposite_orders:
        if _would_meet(question, other):
            return deny(DenyReason.SELF_TRADE, order=other.client_order_id)
    return None


def _would_meet(question: Question, other: Order) -> bool:
    """A buy and a sell meet unless both have limits, and the buy's is below the sell's."""
    price, theirs = question.request.limit_price, other.limit_price
    if price is None or theirs is None:
        return True
    buy, sell = (price, theirs) if question.request.side is Side.BUY else (theirs, price)
    return buy >= sell


ENTRY_RULES: tuple[Rule, ...] = (
    expired,
    not_ready,
    warming_up,
    market_closed,
    session_closing,
    halted,
    stale_code,
    quarantined,
    unknown_symbol,
    not_owner,
    hands_off,
    side,
    quantity,
    order_quantity,
    no_quote,
    stale_quote,
    price_tick,
    price_collar,
    stop_required,
    protective_prices,
    order_notional,
    position_notional,
    exposure,
    entries_open,
    entries_per_minute,
    entries_per_day,
    notional_per_day,
    canary,
    _braked(Brake.REPEATED_EXECUTIONS, DenyReason.REPEATED_EXECUTIONS),
    _braked(Brake.LOSS_DAY, DenyReason.LOSS_DAY),
    _braked(Brake.DRAWDOWN, DenyReason.DRAWDOWN),
    buying_power,
    self_trade,
)
# An exit is judged by what keeps it an exit. Its price may be far from a stale quote: getting out comes first.
EXIT_RULES: tuple[Rule, ...] = (
    expired,
    line_shut,
    market_closed,
    price_jump,
    not_owner,
    hands_off,
    side,
    would_oversell,
    quantity,
    price_tick,
    price_collar,
    self_trade,
)


def first_denial(question: Question) -> Denial | None:
    """The objection of the first rule that has one."""
    for rule in ENTRY_RULES if is_entry(question.request) else EXIT_RULES:
        denial = rule(question)
        if denial is not None:
            return denial
    return None


def limit_price(side: Side, quote_bid: int, quote_ask: int, through: Decimal) -> Decimal | None:
    """A marketable limit: `through` (a fraction) beyond the far side, on the price tick; None without that side."""
    far = quote_ask if side is Side.BUY else quote_bid
    if far <= 0:
        return None
    price = price_of(far) * (ONE + through if side is Side.BUY else ONE - through)
    tick = CENT if price >= ONE else MILL
    return rounded_up(price, tick) if side is Side.BUY else rounded_down(price, tick)
