"""All questions, asked of a service and of the simulated broker, and what the two say to each."""

import secrets
from collections.abc import Sequence

import trio
from msgspec import Struct
from msgspec.structs import replace

from trader.credentials import Credentials
from trader.exits import StartRefused
from trader.feeds.synthetic import FIRST_SESSION, LISTINGS, SyntheticMarket
from trader.model import MINUTE_NS, Side, Symbol, TimeInForce
from trader.money import ONE
from trader.simulator.application import build_application
from trader.simulator.books import Service
from trader.simulator.broker import SimulatedBroker, new_keys
from trader.simulator.conformance.asking import PREFIX, Asking, Circumstances, Place, Silent
from trader.simulator.conformance.questions import QUESTIONS, Answer
from trader.simulator.server import serve
from trader.simulator.venue_script import MULTIPLIERS
from trader.venue import NewOrder, OrderType, Refusal

DAY_MINUTES = 24 * 60
TO_A_CLOSED_HOUR_MINUTES = 16 * 60  # from the opening to 01:30
CLEAN_S = 30.0
SEED = 7


class Compared(Struct, frozen=True, kw_only=True):
    """`is_same` None: one of the two could not be asked."""

    question: str
    about: str
    service: str | None
    service_detail: str
    simulated: str | None
    simulated_detail: str

    @property
    def is_same(self) -> bool | None:
        if self.service is None or self.simulated is None:
            return None
        return self.service == self.simulated


class Report(Struct, frozen=True, kw_only=True):
    asked: Circumstances
    answers: tuple[Compared, ...]
    left_open: int  # orders of this tool that could not be canceled


async def compared(place: Place, credentials: Credentials, symbol: str) -> Report:
    """Ask there, then here; raises StartRefused where it must not be asked at all."""
    async with _asking(place, credentials, symbol) as on:
        circumstances = await on.checked()
        there, left_open = await _answers(on)
    here = await _simulated(symbol, circumstances)
    return Report(
        asked=circumstances,
        answers=tuple(
            Compared(
                question=question.name,
                about=question.about,
                service=one.said,
                service_detail=one.detail,
                simulated=other.said,
                simulated_detail=other.detail,
            )
            for question, one, other in zip(QUESTIONS, there, here, strict=True)
        ),
        left_open=left_open,
    )


def _asking(place: Place, credentials: Credentials, symbol: str) -> Asking:
    return Asking(place, credentials, run=secrets.token_hex(4), symbol=symbol)


async def _answers(on: Asking) -> tuple[list[Answer], int]:
    """In their order; after an order of which nobody knows what became, nothing more is asked."""
    answers: list[Answer] = []
    silence = ""
    try:
        for question in QUESTIONS:
            if silence:
                answers.append(Answer(said=None, detail=silence))
                continue
            try:
                answers.append(await question.ask(on))
            except StartRefused as refused:
                answers.append(Answer(said=None, detail=str(refused)))
            except Silent as silent:
                answers.append(Answer(said=None, detail=str(silent)))
                silence = "not asked after a request that had no answer"
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLEAN_S):
            left_open = await on.clean()
    return answers, left_open


async def _simulated(symbol: str, like: Circumstances) -> Sequence[Answer]:
    """Of a broker of our own, on the second day of such an account that traded on its first, at such an hour."""
    keys = new_keys(secrets.choice)
    broker = SimulatedBroker(
        SyntheticMarket(SEED, [Symbol(symbol)]),
        keys=keys,
        seed=SEED,
        service=Service(
            multiplier=max(one for one in MULTIPLIERS if one <= max(1, like.multiplier)),
            may_short=like.may_short,
        ),
    )
    minutes = DAY_MINUTES if like.is_open else TO_A_CLOSED_HOUR_MINUTES
    try:
        await _live_a_day(broker, Symbol(symbol), minutes)
        async with trio.open_nursery() as nursery:
            address = await nursery.start(serve, build_application(broker), broker.connections)
            place = Place(
                trading=address, trading_stream=address.replace("http:", "ws:", 1), data=address
            )
            async with _asking(place, Credentials(keys.key, keys.secret), symbol) as on:
                await on.checked()
                answers, _ = await _answers(on)
            nursery.cancel_scope.cancel()
    finally:
        broker.close()
    return answers


async def _live_a_day(broker: SimulatedBroker, symbol: Symbol, minutes: int) -> None:
    """One share bought and sold, and an order of this tool canceled; then the next day, so much later."""
    broker.begin_session(FIRST_SESSION)
    await broker.advance()
    account = broker.account.account_id
    new = NewOrder(
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=ONE,
    )
    resting = {"order_type": OrderType.LIMIT, "limit_price": ONE, "client_order_id": f"{PREFIX}0"}
    outcomes = [
        broker.submit(account, one)
        for one in (new, replace(new, side=Side.SELL), replace(new, **resting))
    ]
    last = outcomes[-1]
    assert not isinstance(last, Refusal), "an account with money"
    broker.cancel(account, last[0].order.order_id)
    await broker.advance_to(broker.now_ns + minutes * MINUTE_NS, FIRST_SESSION)


def is_known(symbol: str) -> bool:
    """Can the simulated broker be asked about it?"""
    return symbol in LISTINGS
