"""What scripted faults and events may name: the symbols and accounts of a broker as it stands, and its day."""

from trader.simulator.broker import SimulatedBroker
from trader.simulator.event_script import Scene
from trader.simulator.fault_script import FaultScene


def fault_scene(broker: SimulatedBroker) -> FaultScene:
    return FaultScene(symbols=broker.symbols, accounts=broker.key_ring.accounts_by_key())


def event_scene(broker: SimulatedBroker, day: str = "") -> Scene:
    """Without a `day` it is the broker's own, and an event without a time is of now."""
    return Scene(
        symbols=broker.symbols,
        accounts=len(broker.key_ring.owners),
        day=day or broker.last_session,
        now_ns=None if day else broker.market_ns(),
    )
