"""The core against a world that loses, repeats and reorders, and an auditor who knows nothing but sums.

The world keeps its own truth: which orders the broker has, what it executed. The core only hears of it, late, twice or
not at all. After every step the auditor adds up what was accepted and what was heard, and compares; at the end, once
everything that was lost has been found, both sides must agree to the cent and to the share.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from tests.plays import (
    OPENING,
    PRICES,
    ROOMY,
    SESSION,
    TEN_NS,
    Line,
    Play,
    activity,
    adopted,
    boot,
    buy,
    clock,
    command,
    corrected,
    executed,
    gate,
    opened,
    quote,
    reboot,
    request,
    resolved,
    sell,
    statement,
    taken_side,
)
from trader.accounting import cash_explained
from trader.evolve import fold
from trader.journal.sqlite import open_journal
from trader.messages import (
    Activity,
    Alarmed,
    BooksMoved,
    Cancel,
    CancelOutcome,
    Claim,
    DuplicateBlocked,
    Gate,
    Input,
    Lookup,
    LookupMissed,
    OrderReport,
    OrderRequest,
    Quarantined,
    RequestAccepted,
    RequestDenied,
    Resolution,
    SendOutcome,
    SendStarted,
    Statement,
    StatementCompared,
    Submit,
    decode_entry,
    encode,
)
from trader.model import (
    FINAL_STATES,
    MINUTE_NS,
    BrokerOrderId,
    ClientOrderId,
    Execution,
    Order,
    OrderState,
    OrderType,
    Purpose,
    Side,
    StrategyName,
    Symbol,
)
from trader.ports import Batch
from trader.recognition import MILLISECOND_NS
from trader.state import ExecutionState

LIMITS = replace(
    ROOMY, loss_day_max=Decimal("0.9"), drawdown_max=Decimal("0.9"), exposure_max=Decimal(4)
)
SYMBOLS = ("JD", "GS")
LIMIT_PRICE = {
    ("JD", Side.BUY): "31.95",
    ("JD", Side.SELL): "31.5",
    ("GS", Side.BUY): "901",
    ("GS", Side.SELL): "890",
}
DAYS = (SESSION, "2026-01-27", "2026-01-28", "2026-01-29")
ENDINGS = ("reply", "reply", "reply", "reply lost", "lost", "never_sent", "rejected")
parts = st.integers(1, 10_000)


class Fill(NamedTuple):
    """One execution, as the broker made it."""

    symbol: str
    side: Side
    quantity: int
    price: Decimal
    day: int = 0
    minutes: int = 0
    version: int = 0  # of what the broker says of it: corrected ones have another id

    @property
    def flow(self) -> Decimal:
        """What it does to cash, before fees."""
        return (-1 if self.side is Side.BUY else 1) * self.quantity * self.price

    @property
    def fee(self) -> Fraction:
        if self.side is Side.BUY:
            return Fraction(0)
        by_shares = min(self.quantity * Fraction("0.000166"), Fraction("8.3"))
        exact = self.quantity * Fraction(self.price) * Fraction("0.0000278") + by_shares
        return Fraction(ceil(exact * 100), 100)


class AtTheBroker:
    """One order that reached the broker, and what became of it there."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.final: Claim | None = None
        self.fills: list[tuple[int, Fill]] = []  # each with the cumulative quantity after it

    @property
    def cumulative(self) -> int:
        return self.fills[-1][0] if self.fills else 0

    @property
    def leaves(self) -> int:
        return 0 if self.final else int(self.order.quantity) - self.cumulative

    @property
    def claim(self) -> Claim:
        if self.final:
            return self.final
        return Claim.PARTIALLY_FILLED if self.fills else Claim.NEW

    def told(self, claim: Claim, source: str, at: int | None = None) -> OrderReport:
        """What the broker says of it; `at` names the execution that the report carries."""
        order = self.order
        cumulative, execution = self.cumulative, None
        if at is not None:
            cumulative, fill = self.fills[at]
            name = f"{source}/{order.client_order_id}/{cumulative}/{fill.version}"
            # No two executions are of one millisecond: one that was busted is known by its time, too.
            at_ns = TEN_NS + fill.minutes * MINUTE_NS + fill.version * MILLISECOND_NS
            execution = executed(fill.quantity, str(fill.price), cumulative, name, at_ns=at_ns)
        return OrderReport(
            client_order_id=order.client_order_id,
            broker_order_id=BrokerOrderId(f"B-{order.client_order_id}"),
            symbol=order.symbol,
            side=order.side,
            claim=claim,
            quantity=order.quantity,
            quantity_cumulative=Decimal(cumulative),
            execution=execution,
            at_ns=0,
            source=source,
        )


class Core(RuleBasedStateMachine):
    """The rules are what the world can do; the invariants are the auditor."""

    def __init__(self) -> None:
        super().__init__()
        self.play: Play = opened(limits=LIMITS)
        self.minutes, self.day, self.numbers = 0, 0, 0
        self.requests: list[OrderRequest] = []
        # Between the core and the broker.
        self.outgoing: list[Order] = []
        self.cancels: list[Order] = []
        self.lookups: list[Order] = []
        self.reports: list[OrderReport] = []
        self.broker: dict[ClientOrderId, AtTheBroker] = {}
        # What else moves the account there.
        self.activities: list[Activity] = []
        self.by_hand: list[OrderReport] = []  # in T, which is the owner's business
        self.found = 0  # shares of TRIP that came from elsewhere
        self.unexplained = Decimal(0)
        # The auditor's own lists.
        self.known: dict[str, Activity] = {}
        self.hand_heard: dict[str, OrderReport] = {}
        self.accepted_cash = Decimal(0)
        self.beside = Decimal(0)  # profit and loss of no symbol
        self.may_differ = False
        self.accepted: dict[ClientOrderId, Order] = {}
        self.heard: dict[tuple[ClientOrderId, int], Fill] = {}
        self.marks: dict[str, int] = {}
        self.outcomes = [0, 0, 0]
        self.tell(adopted("T", 50, "1100", treatment="hands-off"))

    # ------------------------------------------------------------------------------------ telling

    def tell(self, line: Line) -> None:
        """One input; the auditor writes down what was decided, the world what is to be done."""
        seen = len(self.play.effects)
        self.play >> line
        match self.play.heard:
            case OrderReport() as heard if heard.symbol == "T":
                self.hand_heard[heard.client_order_id] = heard
            case OrderReport() as heard if heard.execution is not None:
                self.note_fill(heard)
            case Activity() as heard:
                self.known[heard.activity_id] = heard
            case _:
                pass
        for event in self.play.events:
            match event:
                case RequestAccepted():
                    name = event.order.client_order_id
                    assert name not in self.accepted, "an id is used once, for ever"
                    self.accepted[name] = event.order
                    self.outcomes[0] += 1
                case DuplicateBlocked():
                    self.outcomes[1] += 1
                case RequestDenied():
                    self.outcomes[2] += 1
                case Quarantined():
                    assert self.may_differ, f"the broker told the truth: {event}"
                case BooksMoved() if event.symbol is None:
                    self.beside += event.realized
                case Alarmed():
                    assert event.alarm != "order_surprise", event
                case _:
                    pass
        for effect in self.play.effects[seen:]:
            match effect:
                case Submit():
                    self.outgoing.append(effect.order)
                case Cancel():
                    self.cancels.append(effect.order)
                case Lookup():
                    self.lookups.append(effect.order)

    def note_fill(self, told: OrderReport) -> None:
        assert told.execution is not None
        key = (told.client_order_id, int(told.execution.quantity_cumulative))
        if key not in self.heard:
            fills = dict(self.broker[told.client_order_id].fills)
            self.heard[key] = fills[key[1]]
            self.marks[told.symbol] = int(told.execution.price * 10_000)

    # ----------------------------------------------------------------------------------- requests

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        purpose=st.sampled_from([Purpose.ENTER, Purpose.ENTER, Purpose.ADD]),
        shares=st.integers(1, 40),
        who=st.sampled_from("ab"),
    )
    def want_to_enter(self, symbol: str, purpose: Purpose, shares: int, who: str) -> None:
        self.want(symbol, Side.BUY, purpose, shares, who)

    @precondition(lambda self: self.held())
    @rule(pick=parts, shares=st.integers(1, 40), who=st.sampled_from("ab"))
    def want_to_exit(self, pick: int, shares: int, who: str) -> None:
        symbol = self.held()[pick % len(self.held())]
        self.want(symbol, Side.SELL, Purpose.EXIT, shares, who)

    @precondition(lambda self: self.held())
    @rule(pick=parts, part=parts)
    def want_to_exit_a_part_of_what_is_held(self, pick: int, part: int) -> None:
        symbol = self.held()[pick % len(self.held())]
        position = self.play.state.position(Symbol(symbol))
        shares = max(1, int(position.quantity - position.quantity_pending_sell) * part // 9_000)
        self.want(symbol, Side.SELL, Purpose.EXIT, shares, position.strategy or "a")

    def held(self) -> list[str]:
        return [one for one in SYMBOLS if self.play.state.position(Symbol(one)).quantity]

    def want(self, symbol: str, side: Side, purpose: Purpose, shares: int, who: str) -> None:
        self.numbers += 1
        now = self.play.state.at_ns
        wish = request(
            self.numbers,
            symbol,
            shares,
            LIMIT_PRICE[symbol, side],
            side=side,
            purpose=purpose,
            strategy=StrategyName(who),
            at_ns=now,
            quote=quote(symbol, at_ns=now),
        )
        self.requests.append(wish)
        self.tell(wish)
        assert len(self.play.events) == 1

    @precondition(lambda self: self.requests)
    @rule(pick=parts)
    def tell_again(self, pick: int) -> None:
        before = self.play.state
        self.tell(self.requests[pick % len(self.requests)])
        if self.day < 2:
            assert self.play.state == before, "the same telling has its answer"

    @precondition(lambda self: self.requests)
    @rule(pick=parts)
    def decide_the_same_anew(self, pick: int) -> None:
        self.numbers += 1
        old = self.requests[pick % len(self.requests)]
        self.tell(replace(old, request_id=f"anew/{self.numbers}", at_ns=self.play.state.at_ns))

    # -------------------------------------------------------------------------------- the way out

    @precondition(lambda self: self.outgoing)
    @rule(end=st.sampled_from(ENDINGS))
    def send(self, end: str) -> None:
        order = self.outgoing.pop(0)
        name = order.client_order_id
        self.tell(SendStarted(client_order_id=name))
        if end in {"reply", "reply lost"}:
            self.arrive(order)
        if end == "reply":
            self.reports.append(self.broker[name].told(Claim.NEW, "reply"))
        else:
            outcome = end if end in {"never_sent", "rejected"} else "unknown"
            self.tell(SendOutcome(client_order_id=name, outcome=outcome, reason=end))

    def arrive(self, order: Order) -> None:
        """The broker takes it; here its own books are held against what must never happen."""
        assert order.client_order_id not in self.broker, "sent twice"
        held = self.held_at_the_broker(order.symbol)
        live = [
            one for one in self.broker.values() if one.order.symbol == order.symbol and one.leaves
        ]
        if order.side is Side.BUY:
            assert held == 0, "an entry on a position"
            assert not [one for one in live if one.order.side is Side.BUY], "two live entries"
        else:
            selling = sum(one.leaves for one in live if one.order.side is Side.SELL)
            assert selling + order.quantity <= held, "an exit of more than there is"
        self.broker[order.client_order_id] = AtTheBroker(order)

    def held_at_the_broker(self, symbol: str) -> int:
        return sum(
            fill.quantity if fill.side is Side.BUY else -fill.quantity
            for one in self.broker.values()
            for _, fill in one.fills
            if fill.symbol == symbol
        )

    # --------------------------------------------------------------------------------- the broker

    def live_at_the_broker(self) -> list[AtTheBroker]:
        return [one for one in self.broker.values() if one.leaves]

    @precondition(lambda self: self.outgoing)
    @rule(part=parts, pick=parts)
    def send_and_execute(self, part: int, pick: int) -> None:
        """What mostly happens."""
        self.send("reply")
        self.tell(self.reports.pop())
        self.execute(len(self.live_at_the_broker()) - 1, part, pick % 30)
        self.tell(self.reports.pop())

    @precondition(lambda self: self.live_at_the_broker())
    @rule(pick=parts, part=parts, better=st.integers(0, 30))
    def execute(self, pick: int, part: int, better: int) -> None:
        live = self.live_at_the_broker()
        one = live[pick % len(live)]
        order = one.order
        quantity = max(1, one.leaves * part // 10_000)
        assert order.limit_price is not None
        sign = -1 if order.side is Side.BUY else 1
        price = order.limit_price + sign * Decimal(better).scaleb(-2)
        total = one.cumulative + quantity
        self.numbers += 1
        fill = Fill(order.symbol, order.side, quantity, price, self.day, self.minutes, self.numbers)
        one.fills.append((total, fill))
        if not one.leaves:
            one.final = Claim.FILLED
        self.reports.append(one.told(one.claim, "stream", len(one.fills) - 1))

    @precondition(lambda self: self.live_at_the_broker())
    @rule(pick=parts, claim=st.sampled_from([Claim.CANCELED, Claim.EXPIRED]))
    def end(self, pick: int, claim: Claim) -> None:
        live = self.live_at_the_broker()
        one = live[pick % len(live)]
        one.final = claim
        self.reports.append(one.told(claim, "stream"))

    @precondition(lambda self: self.reports)
    @rule(pick=parts, keep=st.booleans())
    def report_arrives(self, pick: int, keep: bool) -> None:
        number = pick % len(self.reports)
        told = self.reports[number] if keep else self.reports.pop(number)
        self.tell(told)
        if keep:
            before = self.play.state
            self.tell(told)
            assert self.play.state.books == before.books

    @precondition(lambda self: self.reports)
    @rule(pick=parts)
    def report_is_lost(self, pick: int) -> None:
        self.reports.pop(pick % len(self.reports))

    @precondition(lambda self: self.lookups)
    @rule(pick=parts)
    def lookup_is_answered(self, pick: int) -> None:
        order = self.lookups.pop(pick % len(self.lookups))
        self.answer(order.client_order_id)

    def answer(self, name: ClientOrderId) -> None:
        one = self.broker.get(name)
        if one is None:
            if name in self.play.state.orders:
                self.tell(LookupMissed(client_order_id=name, attempts=0))
            return
        for at, (cumulative, _) in enumerate(one.fills):
            whole = cumulative == one.order.quantity
            claim = Claim.FILLED if whole else Claim.PARTIALLY_FILLED
            self.tell(one.told(claim, "activity", at))
        self.tell(one.told(one.claim, "query"))

    def lost(self) -> list[Order]:
        """In doubt with us, and never seen by the broker."""
        return [
            one
            for one in self.live()
            if one.state is OrderState.UNKNOWN and one.client_order_id not in self.broker
        ]

    @precondition(lambda self: self.lost())
    @rule(pick=parts)
    def proof_comes_that_it_was_never_sent(self, pick: int) -> None:
        order = self.lost()[pick % len(self.lost())]
        name = order.client_order_id
        self.tell(SendOutcome(client_order_id=name, outcome="never_sent", reason="proven"))

    @precondition(lambda self: self.cancels)
    @rule(outcome=st.sampled_from(["accepted", "rejected", "unknown"]))
    def cancel_arrives(self, outcome: str) -> None:
        order = self.cancels.pop(0)
        if order.client_order_id not in self.play.state.orders:
            return
        self.tell(CancelOutcome(client_order_id=order.client_order_id, outcome=outcome))

    # ---------------------------------------------------------------------- time, people, crashes

    @rule(
        minutes=st.integers(1, 5),
        marks=st.fixed_dictionaries({one: st.integers(-3_000, 3_000) for one in SYMBOLS}),
    )
    def time_passes(self, minutes: int, marks: dict[str, int]) -> None:
        self.minutes += minutes
        for symbol, change in marks.items():
            self.marks[symbol] = PRICES[symbol] + change
        told = clock(self.minutes, session=DAYS[self.day])
        self.tell(replace(told, marks={Symbol(one): self.marks[one] for one in SYMBOLS}))
        assert self.play.state.at_ns % MINUTE_NS == 0

    @precondition(lambda self: self.day < 3)
    @rule(wrong_by=st.integers(-2, 2))
    def a_day_passes(self, wrong_by: int = 0) -> None:
        """The broker charges the day's fees in the night, a little wrong perhaps."""
        fees = sum(fill.fee for fill in self.fills() if fill.day == self.day)
        if fees:
            cents = max(int(fees * 100) + wrong_by, 1)
            self.happens("FEE", Decimal(-cents).scaleb(-2))
        self.day += 1
        self.minutes += 24 * 60
        self.tell(clock(self.minutes, session=DAYS[self.day]))

    @rule(symbol=st.sampled_from(SYMBOLS))
    def somebody_halts_and_resumes(self, symbol: str) -> None:
        self.tell(command("halt"))
        self.want(symbol, Side.BUY, Purpose.ENTER, 1, "a")
        assert not isinstance(self.play.events[0], RequestAccepted)
        self.tell(command("resume"))

    @rule()
    def somebody_cancels_all_entries(self) -> None:
        self.tell(command("cancel", "entries"))

    @rule(finds_out=st.booleans())
    def the_program_is_killed_and_starts_again(self, finds_out: bool) -> None:
        """What was on its way out is lost with it; what is in the mail from the broker may still come."""
        self.outgoing, self.cancels, self.lookups = [], [], []
        submitted = len(self.play.submitted())
        self.outcomes = [0, 0, 0]
        self.tell(reboot)
        assert len(self.play.submitted()) == submitted, "nothing is sent again"
        self.tell(gate(Gate.TRADING_STREAM, True))
        self.tell(gate(Gate.MARKET_DATA, True))
        if finds_out:
            self.ask_about_everything()

    @rule()
    def the_stream_comes_back_after_a_loss(self) -> None:
        self.tell(gate(Gate.TRADING_STREAM, False, "reset"))
        self.tell(gate(Gate.TRADING_STREAM, True))
        self.ask_about_everything()

    def ask_about_everything(self) -> None:
        self.hear_everything()
        assert self.state_books(), "once everything is found, both sides agree"

    def hear_everything(self) -> None:
        """Executions, what the orders claim, then the activities: as a statement brings them."""
        for told in self.by_hand:
            self.tell(told)
        for name in self.broker:
            self.answer(name)
        for happened in self.activities:
            self.tell(happened)

    @rule()
    def the_broker_states_its_books(self) -> None:
        self.state_books()

    def state_books(self) -> bool:
        self.tell(self.statement())
        (verdict,) = [one for one in self.play.events if isinstance(one, StatementCompared)]
        return verdict.agrees

    def statement(self, attempts: int = 1) -> Statement:
        positions = {symbol: self.held_at_the_broker(symbol) for symbol in SYMBOLS}
        positions |= {"T": 50 + sum(map(shares, self.by_hand)), "TRIP": self.found}
        listed = tuple(one.order.client_order_id for one in self.live_at_the_broker())
        flows = [fill.flow for fill in self.fills()] + [paid(one) for one in self.by_hand]
        flows += [one.amount for one in self.activities]
        cash = OPENING + self.unexplained + sum(flows, Decimal(0))
        return statement(cash=cash, positions=positions, open_orders=listed, attempts=attempts)

    def fills(self) -> list[Fill]:
        return [fill for one in self.broker.values() for _, fill in one.fills]

    # ------------------------------------------------------------- what moves the account otherwise

    def happens(self, kind: str, amount: Decimal, symbol: str | None = None, more: int = 0) -> None:
        name = f"activity {len(self.activities)}"
        told = activity(kind, str(amount), symbol, str(more), name=name)
        self.activities.append(replace(told, session=DAYS[self.day]))

    @rule(kind=st.sampled_from(["DIV", "INT", "CSD", "CSW"]), cents=st.integers(1, 90_000))
    def the_account_moves(self, kind: str, cents: int) -> None:
        sign = -1 if kind == "CSW" else 1
        self.happens(kind, sign * Decimal(cents).scaleb(-2))

    @precondition(lambda self: self.activities)
    @rule(pick=parts)
    def an_activity_is_told(self, pick: int) -> None:
        """Maybe again; a fee only after what it is for."""
        told = self.activities[pick % len(self.activities)]
        if told.kind != "FEE":
            self.tell(told)

    @rule(side=st.sampled_from(Side), quantity=st.integers(1, 5), cents=st.integers(2_100, 2_400))
    def the_owner_trades_by_hand(self, side: Side, quantity: int, cents: int) -> None:
        if side is Side.SELL and 50 + sum(map(shares, self.by_hand)) < quantity:
            return
        name = f"hand-{len(self.by_hand)}"
        told = OrderReport(
            client_order_id=ClientOrderId(name),
            broker_order_id=None,
            symbol=Symbol("T"),
            side=side,
            claim=Claim.FILLED,
            quantity=Decimal(quantity),
            quantity_cumulative=Decimal(quantity),
            execution=executed(quantity, str(Decimal(cents).scaleb(-2)), quantity, name),
            at_ns=0,
            source="stream",
        )
        self.by_hand.append(told)
        self.reports.append(told)

    @rule()
    def shares_come_from_elsewhere_and_are_adopted_or_split(self) -> None:
        if self.found:
            if self.found < 1_000:
                self.happens("SPLIT", Decimal(0), "TRIP", self.found)
                self.found *= 2
            return
        self.found = 7
        self.tell(adopted("TRIP", 7, "126.1", name="adopt TRIP"))

    @rule(cents=st.integers(-500, 500))
    def cash_differs_and_a_person_accepts_it(self, cents: int) -> None:
        self.hear_everything()
        change = Decimal(cents).scaleb(-2)
        self.unexplained += change
        told = self.statement(attempts=3)
        self.may_differ = True
        self.tell(told)
        self.numbers += 1
        self.tell(taken_side("broker", told, name=f"accept {self.numbers}"))
        self.may_differ = False
        self.accepted_cash += change
        assert self.state_books(), "an accepted difference is none"

    # ------------------------------------------------------------------- corrections and resolutions

    def correctable(self) -> list[ClientOrderId]:
        """Orders whose last execution is of today and in the books, and whose symbol stands still."""
        found = []
        for name, one in self.broker.items():
            position = self.play.state.position(one.order.symbol)
            moving = {*position.entries, *position.exits} - {name}
            on_its_way = [order for order in self.outgoing if order.symbol == one.order.symbol]
            is_heard = one.fills and (name, one.cumulative) in self.heard
            if not is_heard or moving or on_its_way or one.fills[-1][1].day != self.day:
                continue
            if self.held_at_the_broker(one.order.symbol) == position.quantity:
                found.append(name)
        return found

    @precondition(lambda self: self.correctable())
    @rule(pick=parts, cents=st.integers(1, 60))
    def the_broker_corrects_a_price(self, pick: int, cents: int) -> None:
        name = self.correctable()[pick % len(self.correctable())]
        one = self.broker[name]
        at, before = one.fills[-1]
        assert one.order.limit_price is not None
        sign = -1 if one.order.side is Side.BUY else 1
        self.numbers += 1
        now = before._replace(
            price=one.order.limit_price + sign * Decimal(cents).scaleb(-2), version=self.numbers
        )
        wrong = self.booked_as(name, at)
        one.fills[-1] = (at, now)
        replacement = one.told(one.claim, "corrected", len(one.fills) - 1).execution
        self.heard[name, at] = now
        self.marks[now.symbol] = int(now.price * 10_000)
        self.correct(name, wrong, replacement)

    @precondition(lambda self: self.correctable())
    @rule(pick=parts)
    def the_broker_takes_an_execution_back(self, pick: int) -> None:
        name = self.correctable()[pick % len(self.correctable())]
        one = self.broker[name]
        at, fill = one.fills[-1]
        if fill.side is Side.BUY and self.held_at_the_broker(fill.symbol) < fill.quantity:
            return
        wrong = self.booked_as(name, at)
        one.fills.pop()
        if one.final is Claim.FILLED:
            one.final = None
        # Reports that say more of it had arrived long before.
        self.reports = [told for told in self.reports if told.client_order_id != name]
        del self.heard[name, at]
        self.correct(name, wrong, None)

    def booked_as(self, name: ClientOrderId, at: int) -> str:
        """The id under which we know the execution that ended there."""
        (known,) = [
            known.execution.execution_id
            for known in self.play.state.orders[name].executions
            if known.execution.quantity_cumulative == at and not known.is_busted
        ]
        return known

    def correct(self, name: ClientOrderId, wrong: str, now: Execution | None) -> None:
        told = corrected(wrong, now, of=self.play.orders.index(name))
        self.tell(told)
        before = self.play.state
        self.tell(told)
        assert self.play.state == before, "an execution is taken back once"

    @precondition(lambda self: self.in_doubt())
    @rule(pick=parts)
    def a_person_tells_the_truth(self, pick: int) -> None:
        """About an order in doubt of which at most one execution is unheard."""
        order = self.in_doubt()[pick % len(self.in_doubt())]
        name, of = order.client_order_id, self.play.orders.index(order.client_order_id)
        one = self.broker.get(name)
        self.numbers += 1
        if one is None:
            self.resolve(resolved("never-sent", of=of))
            return
        unheard = [(at, fill) for at, fill in one.fills if (name, at) not in self.heard]
        if one.final in {Claim.CANCELED, Claim.EXPIRED} and not unheard:
            self.resolve(resolved("canceled", of=of))
        elif one.final is Claim.FILLED and [at for at, _ in unheard] == [one.cumulative]:
            ((at, fill),) = unheard
            if fill.day != self.day:
                return  # A person says no time: its fee would wait for another day's charge.
            self.heard[name, at] = fill
            self.marks[fill.symbol] = int(fill.price * 10_000)
            self.resolve(resolved("filled", fill.quantity, str(fill.price), of=of))

    def resolve(self, line: Callable[[Play], Input]) -> None:
        told = line(self.play)
        assert isinstance(told, Resolution)
        self.tell(replace(told, command_id=f"resolution {self.numbers}"))

    def in_doubt(self) -> list[Order]:
        return [one for one in self.live() if one.state is OrderState.UNKNOWN]

    # -------------------------------------------------------------------------------- the auditor

    def live(self) -> list[Order]:
        now = [self.play.state.orders.get(name) for name in self.accepted]
        return [one for one in now if one is not None and one.state not in FINAL_STATES]

    @invariant()
    def the_cash_is_what_was_paid_and_received(self) -> None:
        books, fills = self.play.state.books, self.heard.values()
        charges = [one for one in self.known.values() if one.kind == "FEE"]
        charged = {one.session for one in charges}
        accrued = sum(fill.fee for fill in fills if DAYS[fill.day] not in charged)
        flows = [fill.flow for fill in fills] + [paid(one) for one in self.hand_heard.values()]
        flows += [one.amount for one in self.known.values()]
        raw = OPENING + self.accepted_cash + sum(flows, Decimal(0))
        assert self.play.state.cash_at_broker == raw
        assert Fraction(books.cash) == Fraction(raw) - accrued
        assert Fraction(books.fees) == accrued - Fraction(sum(one.amount for one in charges))
        assert cash_explained(books) == books.cash
        assert books.cash_free >= 0

    @invariant()
    def the_shares_are_what_was_bought_and_sold(self) -> None:
        for symbol in SYMBOLS:
            fills = [fill for fill in self.heard.values() if fill.symbol == symbol]
            held = sum(one.quantity if one.side is Side.BUY else -one.quantity for one in fills)
            assert self.play.state.position(Symbol(symbol)).quantity == held
            assert held >= 0
        by_hand = sum(map(shares, self.hand_heard.values()))
        assert self.play.state.position(Symbol("T")).quantity == 50 + by_hand
        for name, order in self.play.state.orders.items():
            filled = sum(one.quantity for (of, _), one in self.heard.items() if of == name)
            assert order.quantity_filled == filled <= order.quantity

    @invariant()
    def cash_and_cost_are_what_was_put_in_and_what_was_realized(self) -> None:
        state = self.play.state
        cost = sum((one.cost for one in state.positions.values()), Decimal(0))
        put_in = state.books.opening + state.books.deposits
        assert state.books.cash + cost == put_in + state.books.realized
        realized = sum((one.realized for one in state.positions.values()), Decimal(0))
        assert state.books.realized == realized + self.beside
        assert all(one.quantity or not one.cost for one in state.positions.values())

    @invariant()
    def the_value_is_what_is_held_at_its_last_price(self) -> None:
        state = self.play.state
        value = sum(
            (
                state.position(Symbol(one)).quantity * self.marks.get(one, 0) / 10_000
                for one in SYMBOLS
            ),
            Decimal(0),
        )
        value += state.position(Symbol("T")).cost + state.position(Symbol("TRIP")).cost
        assert state.positions_value == value
        assert state.equity == state.books.cash + value

    @invariant()
    def the_reserve_is_what_live_buys_may_still_cost(self) -> None:
        left = [
            one.quantity_leaves * one.limit_price
            for one in self.live()
            if one.side is Side.BUY and one.limit_price is not None
        ]
        assert self.play.state.books.reserved == sum(left, Decimal(0))
        assert all(
            one.reserved == 0 for one in self.play.state.orders.values() if one not in self.live()
        )

    @invariant()
    def a_symbol_has_one_live_entry_at_most_and_never_sells_what_it_has_not(self) -> None:
        live, state = self.live(), self.play.state
        for symbol in SYMBOLS:
            position = state.position(Symbol(symbol))
            entries = [one for one in live if one.symbol == symbol and one.side is Side.BUY]
            exits = [one for one in live if one.symbol == symbol and one.side is Side.SELL]
            assert len(entries) <= 1
            assert position.entries == tuple(one.client_order_id for one in entries)
            assert sorted(position.exits) == sorted(one.client_order_id for one in exits)
            assert position.quantity_pending_buy == sum(one.quantity_leaves for one in entries)
            assert position.quantity_pending_sell == sum(one.quantity_leaves for one in exits)
            assert position.quantity_pending_sell <= position.quantity
            assert (position.strategy is None) == position.is_flat
            assert not position.is_hands_off
        assert state.entries_open == sum(one.side is Side.BUY for one in live)

    @invariant()
    def every_telling_has_one_outcome(self) -> None:
        counts = self.play.state.counts
        assert [counts.accepted, counts.blocked, counts.denied] == self.outcomes
        assert counts.requests == sum(self.outcomes)

    @invariant()
    def every_id_is_used_for_ever(self) -> None:
        assert set(self.play.state.used) == set(self.accepted)

    # -------------------------------------------------------------------- once the faults are over

    def teardown(self) -> None:
        for told in self.reports:
            self.tell(told)
        self.ask_about_everything()
        for name, one in self.broker.items():
            ours = self.play.state.orders.get(name)
            if ours is None:
                assert one.final, "only what is over is forgotten"
            else:
                assert (ours.state in FINAL_STATES) == (one.final is not None)
        self.the_cash_is_what_was_paid_and_received()
        self.the_reserve_is_what_live_buys_may_still_cost()
        read = [decode_entry(encode(entry)) for entry in self.play.entries]
        begun = opened(limits=LIMITS).state
        assert fold(begun, read) == self.play.state


def shares(told: OrderReport) -> int:
    """What a trade by hand brought in."""
    return int(told.quantity_cumulative) * (1 if told.side is Side.BUY else -1)


def paid(told: OrderReport) -> Decimal:
    """What it did to cash."""
    assert told.execution is not None
    return -shares(told) * told.execution.price


def test_the_core_keeps_its_promises_in_a_world_that_loses_repeats_and_reorders() -> None:
    run_state_machine_as_test(Core, settings=settings(max_examples=80, stateful_step_count=80))


# ------------------------------------------------------------------------------- the same, for longer


def steps_of(core: Core, chance: Random) -> list[Callable[[], None]]:
    """What can happen next, the likely things named more often."""
    pick, part = chance.randrange(1, 10_000), chance.randrange(1, 10_000)
    symbol, shares, who = chance.choice(SYMBOLS), chance.randrange(1, 41), chance.choice("ab")
    happening: list[tuple[int, bool, Callable[[], None]]] = [
        (8, True, lambda: core.want_to_enter(symbol, Purpose.ENTER, shares, who)),
        (1, True, lambda: core.want_to_enter(symbol, Purpose.ADD, shares, who)),
        (4, bool(core.held()), lambda: core.want_to_exit(pick, shares, who)),
        (8, bool(core.held()), lambda: core.want_to_exit_a_part_of_what_is_held(pick, part)),
        (1, bool(core.requests), lambda: core.tell_again(pick)),
        (1, bool(core.requests), lambda: core.decide_the_same_anew(pick)),
        (8, bool(core.outgoing), lambda: core.send("reply")),
        (3, bool(core.outgoing), lambda: core.send(chance.choice(ENDINGS))),
        (9, bool(core.live_at_the_broker()), lambda: core.execute(pick, part, pick % 30)),
        (2, bool(core.live_at_the_broker()), lambda: core.end(pick, Claim.CANCELED)),
        (9, bool(core.reports), lambda: core.report_arrives(pick, chance.random() < 0.3)),
        (1, bool(core.reports), lambda: core.report_is_lost(pick)),
        (6, bool(core.lookups), lambda: core.lookup_is_answered(pick)),
        (3, bool(core.lost()), lambda: core.proof_comes_that_it_was_never_sent(pick)),
        (3, bool(core.cancels), lambda: core.cancel_arrives("accepted")),
        (
            2,
            True,
            lambda: core.time_passes(1, {one: chance.randrange(-3_000, 3_000) for one in SYMBOLS}),
        ),
        (1, True, core.somebody_cancels_all_entries),
        (1, True, lambda: core.the_program_is_killed_and_starts_again(True)),
        (1, True, core.the_stream_comes_back_after_a_loss),
        (1, True, core.the_broker_states_its_books),
        (1, True, lambda: core.the_account_moves(chance.choice(["DIV", "CSD", "CSW"]), pick)),
        (1, bool(core.activities), lambda: core.an_activity_is_told(pick)),
        (1, True, lambda: core.the_owner_trades_by_hand(chance.choice([*Side]), 2, 2_200)),
        (1, True, core.shares_come_from_elsewhere_and_are_adopted_or_split),
        (1, True, lambda: core.cash_differs_and_a_person_accepts_it(pick % 100 - 50)),
        (2, bool(core.correctable()), lambda: core.the_broker_corrects_a_price(pick, pick % 50)),
        (2, bool(core.correctable()), lambda: core.the_broker_takes_an_execution_back(pick)),
        (2, bool(core.in_doubt()), lambda: core.a_person_tells_the_truth(pick)),
    ]
    return [step for weight, can_be, step in happening if can_be for _ in range(weight)]


AUDIT = (
    "the_cash_is_what_was_paid_and_received the_shares_are_what_was_bought_and_sold"
    " cash_and_cost_are_what_was_put_in_and_what_was_realized the_value_is_what_is_held_at_its_last_price"
    " the_reserve_is_what_live_buys_may_still_cost every_telling_has_one_outcome every_id_is_used_for_ever"
    " a_symbol_has_one_live_entry_at_most_and_never_sells_what_it_has_not"
).split()


@pytest.mark.parametrize("seed", range(6))
def test_the_core_keeps_its_promises_on_a_long_walk(seed: int) -> None:
    core, chance = Core(), Random(seed)
    for number in range(600):
        if number == 300:
            core.a_day_passes()
        chance.choice(steps_of(core, chance))()
        for check in AUDIT:
            getattr(core, check)()
    assert len(core.accepted) > 10
    assert len(core.heard) > 10
    core.teardown()


# --------------------------------------------------------------------- a broker that talks nonsense


def nonsense(play: Play, chance: Random) -> Line:
    """Anything that can be heard about orders that exist, true or not, in any order."""
    name = chance.choice(play.orders)
    order = play.state.orders.get(name)
    if order is None:
        return clock()
    cumulative = Decimal(chance.randrange(0, 15))
    execution = None
    if chance.random() < 0.6:
        quantity, price = chance.randrange(-1, 12), chance.choice(["31.9", "0", "33.07", "0.0001"])
        execution = executed(quantity, price, str(cumulative), f"{name}/{chance.choice('xyz')}")
    told = OrderReport(
        client_order_id=name,
        broker_order_id=chance.choice(
            [None, BrokerOrderId("B1"), BrokerOrderId("B1"), BrokerOrderId("B2")]
        ),
        symbol=order.symbol,
        side=order.side if chance.random() < 0.95 else Side.SELL,
        claim=chance.choice(sorted(Claim)),
        quantity=chance.choice([None, order.quantity, order.quantity, Decimal(3)]),
        quantity_cumulative=cumulative,
        execution=execution,
        at_ns=0,
        source=chance.choice(["reply", "stream", "query", "activity"]),
    )
    outcome = chance.choice(["never_sent", "rejected", "unknown", "accepted"])
    choices: list[Line] = [told] * 12
    return chance.choice(
        [
            *choices,
            SendStarted(client_order_id=name),
            SendOutcome(client_order_id=name, outcome=outcome, reason=""),
            CancelOutcome(client_order_id=name, outcome=outcome),
            LookupMissed(client_order_id=name, attempts=0),
            command("cancel", chance.choice([name, "entries"])),
            command("resume"),
            reboot,
            clock(chance.randrange(0, 400), JD=chance.randrange(1, 400_000)),
            statement(positions={"JD": chance.randrange(0, 20)}, attempts=chance.choice([1, 3])),
        ]
    )


@pytest.mark.parametrize("seed", range(24))
def test_no_nonsense_breaks_the_core_or_what_its_books_say_of_themselves(
    seed: int, tmp_path: Path
) -> None:
    chance, play = Random(seed), Play()
    play >> boot(limits=LIMITS) >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    play >> statement() >> clock() >> buy("JD", 10, "31.95")
    for number in range(60):
        exit_wish = sell("JD", chance.randrange(1, 12), None, order_type=OrderType.MARKET)
        play >> (nonsense(play, chance) if number % 5 else exit_wish)
        books, held = play.state.books, play.state.positions.values()
        assert cash_explained(books) == books.cash
        cost = sum((one.cost for one in held), Decimal(0))
        assert books.cash + cost == books.opening + books.deposits + books.realized
        live = [one for one in play.state.orders.values() if one.state not in FINAL_STATES]
        assert books.reserved == sum((one.reserved for one in live), Decimal(0))
        assert play.state.positions_value == sum((one.value for one in held), Decimal(0))
        assert play.state.entries_open == sum(one.side is Side.BUY for one in live)
        for position in held:
            buys = sum(one.quantity_leaves for one in live if one.side is Side.BUY)
            assert position.quantity_pending_buy == buys
    assert fold(ExecutionState(), play.entries) == play.state
    journal = open_journal(tmp_path / "nonsense.db", create=True, since="", inline=True)
    after = ExecutionState()
    for _, life in groupby(play.entries, key=lambda entry: entry.epoch):
        entries = tuple(life)
        after = fold(after, entries)
        journal.write(Batch(entries=entries, after=after))
    journal.close()
