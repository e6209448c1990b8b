"""The person of a simulated world: settles, when all is calm, what only a person may."""

import trio
from msgspec.structs import replace

from trader.brokers.alpaca import AlpacaBroker
from trader.messages import (
    Acceptance,
    Claim,
    Command,
    Input,
    OrderReport,
    Resolution,
    Statement,
)
from trader.model import OrderState
from trader.ports import BrokerRefused, BrokerUnavailable
from trader.simulation.life import MachineDead, Process
from trader.state import ExecutionState


async def settle(process: Process) -> bool:
    """Accept the broker's side of differences, release what is quarantined, resume what halted; False: none of it."""
    parts, broker = process.parts, process.broker
    if parts is None or broker is None:
        return False
    state = parts.executor.state
    heard: list[Input] = []
    if state.quarantined or state.differing:
        try:
            statement = (await broker.statement(state.session_began_ns))[-1]
        except (BrokerUnavailable, BrokerRefused, MachineDead):
            return True
        assert isinstance(statement, Statement), "a statement ends with its Statement"
        # The statement once more, as the verb does: now both sides agree.
        heard += [_accepted(statement), replace(statement, attempts=1)]
        heard += [_command("release", subject) for subject in sorted(state.quarantined.keys())]
    if state.halted or state.brakes:
        heard.append(_command("resume"))
    heard += await _resolved(parts.executor.state, broker)
    for one in heard:
        await parts.inbox.tell(one)
    return bool(heard)


async def _resolved(state: ExecutionState, broker: AlpacaBroker) -> list[Input]:
    """What was executed in part and then rejected is no state that an order may be in: a person says that it ended."""
    said: list[Input] = []
    for order in state.orders.values():
        if order.state is not OrderState.PARTIALLY_FILLED:
            continue
        try:
            found = await broker.lookup(order, 1)
        except (BrokerUnavailable, BrokerRefused, MachineDead):
            continue
        claims = (
            [one.claim for one in found if isinstance(one, OrderReport)]
            if isinstance(found, list)
            else []
        )
        if Claim.REJECTED in claims:
            said.append(
                Resolution(
                    command_id=_name(f"resolve {order.client_order_id}"),
                    client_order_id=order.client_order_id,
                    outcome="canceled",
                    who="operator",
                    reason="looked at it",
                )
            )
    return said


def _accepted(statement: Statement) -> Acceptance:
    return Acceptance(
        command_id=_name("reconcile"),
        side="broker",
        statement=statement,
        who="operator",
        reason="looked at it",
    )


def _command(verb: str, subject: str = "") -> Command:
    return Command(
        command_id=_name(f"{verb} {subject}"),
        verb=verb,
        subject=subject,
        who="operator",
        reason="looked at it",
    )


def _name(what: str) -> str:
    return f"{what} at {trio.current_time():.3f}"
