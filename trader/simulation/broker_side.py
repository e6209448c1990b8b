"""The broker of a simulated world: its market and its terms, its time, and the hands that act there beside ours."""

from collections.abc import Callable
from functools import partial
from random import Random

import trio

from trader.config import Fees
from trader.credentials import Credentials
from trader.feeds.synthetic import FIRST_SESSION, SyntheticMarket
from trader.model import SECOND_NS
from trader.simulation.draw import Setting
from trader.simulator.broker import SimulatedBroker
from trader.simulator.faults import FaultRule, FaultVerb
from trader.simulator.keys import new_keys
from trader.venue import VenueTerms

AFTER_CLOSE_S = 1.0  # between two looks at what is due
HAND_S = (0.0, 0.0, 0.5, 6.0, 60.0)  # until somebody cancels an order of ours
SOON_S = (0.0, 0.0, 1.0, 4.0)
CANCEL_REFUSED = FaultRule(verb=FaultVerb.REJECT_CANCEL)


def broker_of(setting: Setting, fees: Fees) -> tuple[SimulatedBroker, Credentials]:
    """And the keys to it."""
    random = Random(f"{setting.seed}/keys")
    keys = new_keys(random.choice)
    broker = SimulatedBroker(
        SyntheticMarket(setting.seed),
        keys=keys,
        seed=setting.seed,
        cash=setting.cash,
        terms=VenueTerms(
            sell_notional_rate=fees.sell_notional_rate,
            sell_share_rate=fees.sell_share_rate,
            sell_share_fee_max=fees.sell_share_cap,
            bar_participation=setting.participation,
            partial_probability=setting.partial,
            latency_ns=int(setting.arrival_s * SECOND_NS),
            cancel_latency_ns=int(setting.cancel_s * SECOND_NS),
        ),
    )
    return broker, Credentials(keys.key, keys.secret)


async def run_market(broker: SimulatedBroker) -> None:
    """A session; after its close time goes on, and what is on its way still comes."""
    await broker.run_clock(1.0)
    closed_s, closed_ns = trio.current_time(), broker.now_ns
    while True:
        await trio.sleep(AFTER_CLOSE_S)
        passed_ns = int((trio.current_time() - closed_s) * SECOND_NS)
        await broker.advance_to(closed_ns + passed_ns, FIRST_SESSION)


class Hands:
    """Somebody at the broker's own page."""

    def __init__(self, broker: SimulatedBroker, random: Random) -> None:
        self._broker = broker
        self._random = random

    def do_soon(self, deed: Callable[[], object]) -> None:
        """Some seconds from now, or as soon as the market moves."""
        self._do(self._random.choice(SOON_S), deed)

    def cancel_newest(self, rate: float) -> bool:
        """By chance, and at some time, the order that has come last; now and then the broker then refuses to."""
        newest = next(reversed(self._broker.venue.state.orders), None)
        if self._random.random() >= rate or newest is None:
            return False
        account = self._broker.account.account_id
        fault = self._random.choice((None, None, None, CANCEL_REFUSED))
        cancel = partial(self._broker.cancel, account, newest, fault)
        self._do(self._random.choice(HAND_S), cancel)
        return True

    def cancel_all(self) -> None:
        """Whatever is open."""
        for order in self._broker.venue.open_orders():
            self._broker.cancel(order.account_id, order.order_id)

    def _do(self, after_s: float, deed: Callable[[], object]) -> None:
        if after_s:
            self._broker.agenda.add(self._broker.now_ns + int(after_s * SECOND_NS), deed)
        else:
            deed()
