"""Who wants things in the simulation: restless workers, and a teller of requests that no worker would tell."""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

import trio
from msgspec.structs import replace
from trio.testing import MockClock

from trader.messages import OrderRequest
from trader.model import (
    MINUTE_NS,
    Bar,
    DecisionKey,
    Distances,
    OrderType,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
)
from trader.simulation.draw import Setting
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish
from trader.supervisor import WorkerPlan

SIZES = (
    Size(unit="shares", amount=Decimal(1)),
    Size(unit="shares", amount=Decimal(7)),
    Size(unit="notional", amount=Decimal(1_900)),
    Size(unit="equity", amount=Decimal("0.02")),
    Size(unit="target", amount=Decimal(10)),
)

GUARDS = (
    None,
    None,
    Distances(stop=Decimal("0.02")),
    Distances(stop=Decimal("0.002")),
    Distances(trail=Decimal("0.004")),
    Distances(stop=Decimal("0.01"), take_profit=Decimal("0.003")),
    Distances(stop=Decimal("0.005"), take_profit=Decimal("0.01"), exit_after=900),
    Distances(exit_after=300),
)


class Failing(Exception):
    """A worker of the simulation that breaks down because the plan says so."""


class Trouble:
    """What the plan has in store for workers: the next that hears a bar computes for long, or breaks down."""

    def __init__(self) -> None:
        self.breakdowns = 0
        self.stalls_s: list[float] = []

    def strike(self) -> None:
        if self.stalls_s:
            # Nothing else runs meanwhile; what has happened comes all at once.
            clock = trio.lowlevel.current_clock()
            assert isinstance(clock, MockClock), "time is virtual here"
            clock.jump(self.stalls_s.pop())
        if self.breakdowns:
            self.breakdowns -= 1
            raise Failing("the plan says so")


class Restless(Strategy):
    """Wants in or out by a draw for each bar: the same bar is always drawn the same, however often it is seen."""

    def __init__(
        self,
        name: StrategyName,
        symbol: Symbol,
        seed: int,
        restlessness: float,
        patience: float,
        trouble: Trouble,
    ) -> None:
        super().__init__(name, SIZES[1], NoParameters())
        self._symbol = symbol
        self._seed = seed
        self._restlessness = restlessness
        self._wants_out = 2 * restlessness / patience
        self._trouble = trouble

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        """Entries are wished without looking at the view: it is the executor that has to say no."""
        self._trouble.strike()
        random = Random(f"{self._seed}/{self.name}/{self._symbol}/{bar.start_ns}")
        drawn = random.random()
        if drawn < self._restlessness:
            return (_entry(random),)
        if drawn > 1 - self._wants_out and view.held_by(self.name):
            return (_exit(random),)
        return ()


class Jumpy(Restless):
    """The same at quotes, too: whatever price it is told, it may want in at it."""

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """Each quote is drawn once."""
        random = Random(f"{self._seed}/{self.name}/{self._symbol}/quote/{quote.at_ns}")
        return (_entry(random),) if random.random() < self._restlessness else ()


KINDS: dict[str, type[Restless]] = {"tide": Restless, "swell": Restless, "surf": Jumpy}


def _entry(random: Random) -> Wish:
    order_type = random.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET))
    # Some rest below the market, some are taken at once.
    offsets = (None, Decimal("-0.004"), Decimal("-0.0005"), Decimal("0.002"))
    return Wish(
        side=Side.BUY,
        purpose=random.choice((Purpose.ENTER, Purpose.ENTER, Purpose.ENTER, Purpose.ADD)),
        size=random.choice(SIZES),
        order_type=order_type,
        limit_offset=None if order_type is OrderType.MARKET else random.choice(offsets),
        protection=random.choice(GUARDS),
        reason="drawn: in",
    )


def _exit(random: Random) -> Wish:
    return Wish(
        side=Side.SELL,
        purpose=random.choice((Purpose.EXIT, Purpose.STOP)),
        size=random.choice((None, None, SIZES[0])),
        limit_offset=random.choice((None, Decimal("-0.002"))),
        reason="drawn: out",
    )


def cast(symbols: Iterable[Symbol], setting: Setting, trouble: Trouble) -> list[WorkerPlan]:
    """Three workers for each symbol."""
    return [
        WorkerPlan(
            name=f"{symbol}/{name}",
            symbol=symbol,
            make=lambda name=name, symbol=symbol: KINDS[name](  # type: ignore[misc]
                StrategyName(name),
                symbol,
                setting.seed,
                setting.restlessness,
                setting.patience,
                trouble,
            ),
        )
        for symbol in symbols
        for name in KINDS
    ]


def wanting_in(random: Random, told: OrderRequest, at_ns: int) -> OrderRequest:
    """The same entry as a decision of its own, at this market time, and at the market."""
    name = f"{random.getrandbits(128):032x}"
    return replace(
        told,
        request_id=RequestId(f"last/{name}"),
        decision_key=DecisionKey(name),
        at_ns=at_ns,
        purpose=Purpose.ENTER,
        order_type=OrderType.MARKET,
        limit_price=None,
    )


def wild(random: Random, told: OrderRequest, number: int) -> OrderRequest:
    """A request like one that was told, and wrong in one respect; or the very same again."""
    renewed = replace(
        told,
        request_id=RequestId(f"wild/{number}"),
        decision_key=DecisionKey(f"{random.getrandbits(128):032x}"),
    )
    match random.randrange(15):
        case 0:
            return told
        case 1:
            return replace(told, reason="told again, otherwise")
        case 2:
            return replace(told, request_id=renewed.request_id)
        case 3:
            return replace(renewed, symbol=Symbol("NOPE"))
        case 4:
            return replace(renewed, at_ns=told.at_ns - 10 * MINUTE_NS)
        case 5:
            return replace(renewed, size=Size(unit="shares", amount=Decimal("0.5")))
        case 6:
            return replace(renewed, order_type=OrderType.LIMIT, limit_price=Decimal("10.00123"))
        case 7:
            return replace(renewed, order_type=OrderType.LIMIT, limit_price=Decimal(1))
        case 8:
            return replace(renewed, quote=None)
        case 9 if told.quote is not None:
            stale = replace(told.quote, at_ns=told.quote.at_ns - 20 * MINUTE_NS)
            return replace(renewed, quote=stale)
        case 10:
            return replace(renewed, size=Size(unit="shares", amount=Decimal(900_000)))
        case 11:
            return replace(
                renewed,
                side=Side.SELL,
                purpose=Purpose.EXIT,
                size=Size(unit="shares", amount=Decimal(100_000)),
            )
        case 12:
            return replace(
                renewed, side=Side.SELL, purpose=Purpose.EXIT, strategy=StrategyName("stranger")
            )
        case 13:
            return replace(renewed, late=True)
        case _:
            return renewed
