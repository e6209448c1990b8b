"""The rules asked again about one question: each with the numbers that it read, up to the one that objected."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from trader import allowance, brakes, risk
from trader.closing import minutes_left
from trader.explanation.facts import RuleSeen
from trader.messages import Brake, Gate
from trader.model import MINUTE_NS, SECOND_NS, Quote, Side
from trader.money import CENT, MILL, ONE, canonical, price_of, ratio
from trader.question import Question
from trader.risk import Rule

Numbers = dict[str, str]


def rules_for(question: Question) -> tuple[Rule, ...]:
    """The rules that a request of this kind answers to, in their order."""
    return risk.ENTRY_RULES if risk.is_entry(question.request) else risk.EXIT_RULES


def judged(question: Question) -> tuple[RuleSeen, ...]:
    """Every rule of the question: passed, objected (one at most), or not asked because that one decided."""
    blocked = risk.duplicate(question)
    seen = [duplicate_seen(question)]
    decided = blocked is not None
    for rule in rules_for(question):
        one = not_asked(rule) if decided else asked(rule, question)
        decided = decided or one.verdict == "objected"
        seen.append(one)
    return tuple(seen)


def asked(rule: Rule, question: Question) -> RuleSeen:
    """The rule's answer; a rule that the table below doesn't know shows the numbers of its objection only."""
    denial = rule(question)
    reads = READS.get(rule.__name__)
    numbers = reads(question) if reads is not None else {}
    return RuleSeen(
        name=rule.__name__,
        verdict="passed" if denial is None else "objected",
        numbers=numbers if denial is None else {**numbers, **denial.numbers},
        says=purpose_of(rule),
    )


def not_asked(rule: Rule) -> RuleSeen:
    """A rule before which the decision was taken."""
    return RuleSeen(name=rule.__name__, verdict="not asked", numbers={}, says=purpose_of(rule))


def duplicate_seen(question: Question) -> RuleSeen:
    """The rule that comes before all others."""
    blocked = risk.duplicate(question)
    live, position = question.live_entry, question.position
    numbers = _numbers(
        decision="ordered already" if question.decision_known else "new",
        live_entry=f"{live.client_order_id} {live.state.value}" if live is not None else "none",
        held=position.quantity,
    )
    if question.reduced is not None:
        numbers |= _numbers(reduced=" ".join(question.reduced))
    if question.request.purpose.value == "add":
        adds = max(position.entries_session - 1, 0)
        numbers |= _numbers(adds=adds, adds_max=question.limits.adds_max)
    return RuleSeen(
        name="duplicate",
        verdict="passed" if blocked is None else "objected",
        numbers=numbers,
        says=purpose_of(risk.duplicate),
    )


def purpose_of(rule: Callable[[Question], object]) -> str:
    """The first line of its docstring."""
    return (rule.__doc__ or "").strip().partition("\n")[0]


def _numbers(**values: Decimal | int | str) -> Numbers:
    return {
        name: canonical(value) if isinstance(value, Decimal) else str(value)
        for name, value in values.items()
    }


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


# ------------------------------------------------------------------------------------- what each rule reads


def _expired(question: Question) -> Numbers:
    age_ns = question.standing.at_ns - question.request.at_ns
    late = {"late": "yes"} if question.request.late else {}
    return {
        **_numbers(age_s=age_ns // SECOND_NS, age_max_s=question.limits.request_age_max),
        **late,
    }


def _not_ready(question: Question) -> Numbers:
    closed = [gate.value for gate, _ in question.standing.gates_closed]
    others = [gate for gate in closed if gate != Gate.FRESH_CODE.value]
    return _numbers(gates_closed=" ".join(others) or "none")


def _stale_code(question: Question) -> Numbers:
    closed = any(gate is Gate.FRESH_CODE for gate, _ in question.standing.gates_closed)
    return _numbers(code="stale" if closed else "fresh")


def _market_closed(question: Question) -> Numbers:
    halt = question.standing.trading_halt
    return _numbers(
        phase=question.standing.phase.value,
        extended_hours=_yes(question.request.extended_hours),
        order_type=question.request.order_type,
        **({"trading_halt": halt} if halt else {}),
    )


def _session_closing(question: Question) -> Numbers:
    closing = question.standing.closing
    if closing is None:
        return _numbers(at_close="keep")
    return _numbers(
        at_close=closing.at_close.value,
        minutes_left=minutes_left(question),
        minutes_before_close=closing.minutes_before_close,
    )


def _price_jump(question: Question) -> Numbers:
    quote, mark = question.request.quote, question.position.mark
    middle = 0 if quote is None else (quote.bid + quote.ask) // 2
    return _numbers(quote=price_of(middle), mark=price_of(mark))


def _not_owner(question: Question) -> Numbers:
    owner = question.position.strategy
    return _numbers(owner=owner or "nobody", strategy=question.request.strategy)


def _side(question: Question) -> Numbers:
    wanted = Side.BUY if risk.is_entry(question.request) else Side.SELL
    return _numbers(side=question.request.side.value, wanted=wanted.value)


def _no_quote(question: Question) -> Numbers:
    quote = question.request.quote
    if quote is None:
        return _numbers(quote="none")
    of = {"of": str(quote.symbol)} if quote.symbol != question.request.symbol else {}
    return {**_numbers(bid=price_of(quote.bid), ask=price_of(quote.ask)), **of}


def _stale_quote(question: Question) -> Numbers:
    quote = question.request.quote
    if quote is None:
        return _numbers(quote="none")
    age_ns = max(question.standing.at_ns, question.request.at_ns) - quote.at_ns
    return _numbers(age_s=age_ns // SECOND_NS, age_max_s=question.limits.quote_age_max)


def _price_tick(question: Question) -> Numbers:
    price = question.request.limit_price or question.request.stop_price
    if price is None:
        return _numbers(price="none", order_type=question.request.order_type.value)
    return _numbers(price=price, tick=CENT if price >= ONE else MILL)


def _price_collar(question: Question) -> Numbers:
    quote, price = question.request.quote, question.request.limit_price
    if price is None or quote is None or not _is_whole(quote):
        return _numbers(price="none" if price is None else price, quote="none")
    middle = price_of((quote.bid + quote.ask) // 2)
    return _numbers(
        price=price,
        quote=middle,
        deviation=ratio(abs(price - middle), middle),
        deviation_max=question.limits.price_deviation_max,
    )


def _is_whole(quote: Quote) -> bool:
    return 0 < quote.bid <= quote.ask


def _stop_required(question: Question) -> Numbers:
    guard = question.request.protection
    has_stop = guard is not None and guard.has_stop
    return _numbers(required=_yes(question.limits.stop_required), stop=_yes(has_stop))


def _protective_prices(question: Question) -> Numbers:
    guard = question.request.protection
    prices = {} if guard is None else {"stop": guard.stop_price, "profit": guard.take_profit}
    return {
        name: "none" if price is None else canonical(price) for name, price in prices.items()
    } or _numbers(protection="none")


def _position_notional(question: Question) -> Numbers:
    held = question.position
    pending = held.quantity_pending_buy * question.reserve_price
    return _numbers(
        held=held.value,
        pending=pending,
        cost=question.cost,
        notional=held.value + pending + question.cost,
        notional_max=question.limits.position_notional_max,
    )


def _exposure(question: Question) -> Numbers:
    return _numbers(
        exposure=question.exposure + question.cost,
        exposure_max=question.limits.exposure_max * question.equity,
    )


def _entries_per_minute(question: Question) -> Numbers:
    return _numbers(
        entries=question.entries_minute, entries_max=question.limits.entries_per_minute_max
    )


def _entries_per_day(question: Question) -> Numbers:
    return _numbers(
        entries=question.position.entries_session,
        entries_max=question.limits.entries_per_symbol_per_day_max,
    )


def _notional_per_day(question: Question) -> Numbers:
    return _numbers(
        notional=question.notional_session + question.cost,
        notional_max=question.limits.entries_notional_per_day_max,
    )


def _canary(question: Question) -> Numbers:
    if question.canary is None:
        return _numbers(canary="no")
    sums = allowance.canary_sums(question, question.canary)
    return _numbers(
        **{name.removesuffix("_max"): f"{wanted} of {most}" for name, wanted, most in sums}
    )


def _repeated_executions(question: Question) -> Numbers:
    at_ns = question.standing.at_ns
    filled = question.position.entries_filled_ns
    recent = sum(1 for one in filled if at_ns - one <= brakes.REPEATED_SPAN_NS)
    return _numbers(
        brake=_brake(question, Brake.REPEATED_EXECUTIONS),
        entries_filled=recent,
        entries_filled_max=question.limits.executions_repeated_max,
        minutes=brakes.REPEATED_SPAN_NS // MINUTE_NS,
    )


def _loss(question: Question, brake: Brake, base: Decimal, most: Decimal) -> Numbers:
    return _numbers(
        brake=_brake(question, brake),
        loss=base - question.equity,
        loss_max=base * most,
    )


def _brake(question: Question, brake: Brake) -> str:
    return "hit" if brake in question.standing.brakes else "off"


def _would_oversell(question: Question) -> Numbers:
    pending = question.position.quantity_pending_sell
    return _numbers(
        wanted=question.quantity,
        held=question.quantity_sellable + pending,
        in_exits=pending,
        exits_live=len(question.position.exits),
        exits_live_max=risk.EXITS_LIVE_MAX,
    )


def _self_trade(question: Question) -> Numbers:
    names: Iterable[str] = (order.client_order_id for order in question.opposite_orders)
    return _numbers(opposite_orders=" ".join(names) or "none")


READS: dict[str, Callable[[Question], Numbers]] = {
    "expired": _expired,
    "not_ready": _not_ready,
    "warming_up": lambda question: _numbers(warming_up=_yes(question.standing.is_warming_up)),
    "market_closed": _market_closed,
    "halted": lambda question: _numbers(halted=question.standing.halted or "no"),
    "line_shut": lambda question: _numbers(shut=_yes(question.standing.is_shut)),
    "stale_code": _stale_code,
    "quarantined": lambda question: _numbers(quarantined=question.standing.quarantined or "no"),
    "price_jump": _price_jump,
    "session_closing": _session_closing,
    "unknown_symbol": lambda question: _numbers(tradable=_yes(question.standing.is_tradable)),
    "not_owner": _not_owner,
    "hands_off": lambda question: _numbers(hands_off=_yes(question.position.is_hands_off)),
    "side": _side,
    "quantity": lambda question: _numbers(quantity=question.quantity),
    "order_quantity": lambda question: _numbers(
        quantity=question.quantity, quantity_max=question.limits.order_quantity_max
    ),
    "no_quote": _no_quote,
    "stale_quote": _stale_quote,
    "price_tick": _price_tick,
    "price_collar": _price_collar,
    "stop_required": _stop_required,
    "protective_prices": _protective_prices,
    "order_notional": lambda question: _numbers(
        notional=question.cost, notional_max=question.limits.order_notional_max
    ),
    "position_notional": _position_notional,
    "exposure": _exposure,
    "entries_open": lambda question: _numbers(
        open=question.entries_open, open_max=question.limits.entries_open_max
    ),
    "entries_per_minute": _entries_per_minute,
    "entries_per_day": _entries_per_day,
    "notional_per_day": _notional_per_day,
    "canary": _canary,
    "repeated_executions": _repeated_executions,
    "loss_day": lambda question: _loss(
        question, Brake.LOSS_DAY, question.equity_session, question.limits.loss_day_max
    ),
    "drawdown": lambda question: _loss(
        question, Brake.DRAWDOWN, question.equity_peak, question.limits.drawdown_max
    ),
    "buying_power": lambda question: _numbers(cost=question.cost, cash_free=question.cash_free),
    "would_oversell": _would_oversell,
    "self_trade": _self_trade,
}
