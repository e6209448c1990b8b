"""Scenarios of what guards a position: a stop that rests at the broker, and others who want its shares."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from trader.calendar import Session
from trader.messages import Command, OrderChanged
from trader.model import Distances, OrderState, Side, Symbol
from trader.scenarios.checks import Checks
from trader.scenarios.play import Outcome, Play, Stage, minute
from trader.scenarios.players import GS, JD, SHARES, TRIP, Insistent, T, cast_of
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.supervisor import WorkerPlan
from trader.venue.words import OrderStatus, OrderType, VenueOrder

FAR = Distances(stop=Decimal("0.05"))  # a stop that the market doesn't come to
MET = Distances(trail=Decimal("0.0002"))  # and one that it does


class StopHoldsTheShares(Play):
    """S27."""

    name = "s27-stop-holds-the-shares"
    number = "S27"
    story = (
        "stops rest for JD, T, GS and TRIP; JD's strategy wants out at every bar, and the first cancel gets lost;"
        " a person flattens T; the broker throws GS's stop out; TRIP's is met"
    )
    expectation = "cancel, proof, and only then one exit; nothing sold twice; GS's stop renewed"
    ends_minute: int | None = 14

    def cast(self, plans: Sequence[WorkerPlan], session: Session) -> list[WorkerPlan]:
        return cast_of(
            session,
            Insistent(symbol=JD, enters_until=2, exits=5, protection=FAR),
            Insistent(symbol=T, enters_until=2, protection=FAR),
            Insistent(symbol=GS, enters_until=2, protection=FAR),
            Insistent(symbol=TRIP, enters_until=2, protection=MET),
        )

    def faults(self, session: Session) -> list[FaultRule]:
        return [FaultRule(verb=FaultVerb.DROP_BEFORE_ACCEPT, method="DELETE")]

    def events(self, session: Session) -> list[ScheduledEvent]:
        return [ScheduledEvent(at_ns=minute(session, 4), name=EventName.REJECT, symbol=GS)]

    async def on_instant(self, stage: Stage, at_ns: int) -> None:
        if at_ns == minute(stage.session, 6):
            await stage.inbox.tell(
                Command(
                    command_id="play-flatten", verb="flatten", subject=T, who="play", reason="out"
                )
            )

    def violations(self, outcome: Outcome) -> list[str]:
        checks = Checks(outcome).bought_once(JD, T, GS, TRIP).booked_once()
        rejected = [
            one.client_order_id
            for one in outcome.events(OrderChanged)
            if one.state is OrderState.REJECTED and one.symbol != GS
        ]
        checks.that(not rejected, f"the broker refused {', '.join(rejected)}")
        for symbol in (JD, T):
            self._left_in_order(outcome, checks, symbol)
        held = [order for order in outcome.orders(GS, Side.SELL) if order.is_open]
        guards = [(one.order_type, one.quantity_leaves) for one in held]
        checks.that(guards == [(OrderType.STOP, SHARES)], f"GS is guarded by {guards}")
        met = [_sold(one) for one in outcome.orders(TRIP, Side.SELL)]
        checks.that(met == [(OrderType.TRAILING_STOP, SHARES)], f"TRIP was sold by {met}")
        return checks.wrong

    def _left_in_order(self, outcome: Outcome, checks: Checks, symbol: Symbol) -> None:
        sales = outcome.orders(symbol, Side.SELL)
        told = [_sold(one) for one in sales]
        wanted = [(OrderType.STOP, Decimal(0)), (OrderType.MARKET, SHARES)]
        checks.that(told == wanted, f"{symbol} was sold by {told}")
        for stop, way_out in pairwise(sales):
            is_gone = stop.status is OrderStatus.CANCELED and stop.canceled_ns is not None
            is_later = is_gone and (stop.canceled_ns or 0) <= way_out.submitted_ns
            checks.that(is_later, f"{symbol}: sold before its stop was gone")
        left = outcome.shares_at_venue(symbol)
        checks.that(left == 0, f"{symbol}: {left} left at the venue")

    def verdict(self, outcome: Outcome) -> str:
        return "2 stops made way for 2 exits, each after proof; GS's is back, TRIP's has sold"


def _sold(order: VenueOrder) -> tuple[OrderType, Decimal]:
    return order.order_type, order.quantity_filled
