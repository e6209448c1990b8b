"""The simulated venue as a backtest asks it: at once, without a wire; each answer is what the executor hears."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random

from trader.brokers.direct import new_order_of, report_of
from trader.messages import Activity, CancelOutcome, Input, SendOutcome, SendStarted, Statement
from trader.model import AccountId, Bar, ClientOrderId, Order, Quote, Symbol
from trader.money import ZERO, plain
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.splits import joined
from trader.venue import ActivityKind, OrderEvent, Refusal, Venue, VenueTerms
from trader.venue.back_office import Undone
from trader.venue.words import Activity as VenueActivity

OWNER = "backtest"
ACCOUNT = AccountId(f"backtest:{OWNER}")
# What a dividend was paid on is no change of shares.
SHARES_MOVE = frozenset({ActivityKind.SPLIT, ActivityKind.TRANSFER})
CASH_KINDS = {
    EventName.DEPOSIT: ActivityKind.DEPOSIT,
    EventName.WITHDRAWAL: ActivityKind.WITHDRAWAL,
    EventName.FEE: ActivityKind.FEE,
    EventName.INTEREST: ActivityKind.INTEREST,
}
BEFALLS = frozenset({EventName.SPLIT, EventName.DIVIDEND, *CASH_KINDS})


class ReplayBroker:
    """One account at one venue."""

    def __init__(
        self, symbols: Iterable[Symbol], *, terms: VenueTerms, cash: Decimal, at_ns: int, seed: int
    ) -> None:
        self.venue = Venue(symbols, random=Random(seed), terms=terms)
        self.venue.advance(at_ns)
        self.venue.open_account(OWNER, OWNER, cash)
        self._activities_told = 0

    def send(self, order: Order) -> list[Input]:
        """The order goes out, and what comes of it at once."""
        started = SendStarted(client_order_id=order.client_order_id)
        outcome = self.venue.submit(OWNER, new_order_of(order))
        if isinstance(outcome, Refusal):
            return [
                started,
                SendOutcome(
                    client_order_id=order.client_order_id,
                    outcome="rejected",
                    reason=outcome.message,
                ),
            ]
        # What came of it before it traded is told by the reply: nobody could hear of anything between.
        at_once = next((n for n, one in enumerate(outcome) if one.execution), len(outcome))
        reply = outcome[max(at_once - 1, 0)]
        return [started, report_of(reply.order, None, "reply"), *told(outcome[at_once:])]

    def cancel(self, order: Order) -> list[Input]:
        """Ask for its end."""
        known = self.venue.order_by_client_id(OWNER, order.client_order_id)
        outcome = self.venue.cancel(OWNER, known.order_id if known else "")
        if isinstance(outcome, Refusal):
            return [
                CancelOutcome(
                    client_order_id=order.client_order_id,
                    outcome="rejected",
                    reason=outcome.message,
                )
            ]
        accepted = CancelOutcome(client_order_id=order.client_order_id, outcome="accepted")
        return [accepted, *told(outcome)]

    def advance(
        self, at_ns: int, bars: Sequence[Bar] = (), quotes: Sequence[Quote] = ()
    ) -> list[Input]:
        """Time passes; what was due on the way is at its own time."""
        heard: list[Input] = []
        while (due_ns := self.venue.next_due_ns()) is not None and due_ns < at_ns:
            if due_ns <= self.venue.now_ns:
                break
            heard += told(self.venue.advance(due_ns))
        return heard + told(self.venue.advance(at_ns, bars, quotes))

    def open_bar(self, bar: Bar) -> list[Input]:
        """Its open is a price to trade at."""
        return told(self.venue.open_bar(bar))

    def end_day(self, date: str, at_ns: int) -> list[Input]:
        """What was good for the day expires, and the day's fees are charged."""
        heard = self.advance(at_ns)
        return heard + told(self.venue.end_session(date, at_ns)) + self.activities()

    def befall(self, event: ScheduledEvent) -> list[Input]:
        """A split, a dividend, or money that comes or goes; what nobody held concerns nobody."""
        heard = self.advance(max(event.at_ns, self.venue.now_ns))
        office, account = self.venue.back_office, self.venue.account(OWNER)
        with suppress(Undone):
            if event.name is EventName.SPLIT:
                heard += told(office.split(event.symbol, event.ratio))
            elif event.name is EventName.DIVIDEND:
                office.pay_dividend(account, event.symbol, event.amount, date=event.date)
            else:
                office.move_cash(account, CASH_KINDS[event.name], event.amount, date=event.date)
        return heard + self.activities()

    def activities(self) -> list[Input]:
        """What has moved the account without a trade since this was last asked."""
        news = self.venue.state.activities[self._activities_told :]
        self._activities_told += len(news)
        account = self.venue.account(OWNER)
        held = {symbol: one.quantity for symbol, one in account.positions.items()}
        return list(joined(map(_activity, news), held))

    def has_open(self, symbol: Symbol) -> bool:
        """An order of it may still trade."""
        return self.venue.has_open(symbol)

    def statement(self) -> Statement:
        """The account as the venue has it."""
        account = self.venue.account(OWNER)
        return Statement(
            at_ns=self.venue.now_ns,
            account=ACCOUNT,
            cash=plain(account.cash),
            positions={
                symbol: one.quantity for symbol, one in account.positions.items() if one.quantity
            },
            open_orders={
                ClientOrderId(one.client_order_id): one.symbol for one in self.venue.open_orders()
            },
        )


def told(events: Iterable[OrderEvent]) -> list[Input]:
    """As a stream would tell them."""
    return [report_of(one.order, one.execution, "stream") for one in events]


def _activity(of: VenueActivity) -> Activity:
    moves = of.kind in SHARES_MOVE and of.quantity is not None
    return Activity(
        activity_id=of.activity_id,
        kind=of.kind.value,
        at_ns=0,
        session=of.date,
        amount=plain(of.net_amount),
        symbol=of.symbol,
        quantity=plain(of.quantity) if moves and of.quantity is not None else ZERO,
        description=of.description,
    )
