"""The workers of the scenarios: they want what they want at every bar; only the executor stands in between."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trader.calendar import Session
from trader.model import Bar, Distances, Purpose, Side, Size, StrategyName, Symbol
from trader.scenarios.play import minute
from trader.strategies.base import NoParameters, Strategy, SymbolView, Wish, exit_all
from trader.supervisor import WorkerPlan

JD, T, GS, TRIP, TERN = map(Symbol, ("JD", "T", "GS", "TRIP", "TERN"))
RESTING = Decimal("-0.02")  # of the ask: a limit that the market doesn't come to
SHARES = Decimal(5)


class Insistent(Struct, frozen=True, kw_only=True):
    """One worker: from which minute of the session on it wants in, and from which one it wants out, if ever.

    `offset` is its limit's, `fails_at` the minutes at which its strategy breaks down instead.
    """

    symbol: Symbol
    name: str = "insistent"
    enters: int = 1
    enters_until: int = 390
    exits: int = 390
    offset: Decimal | None = None
    fails_at: frozenset[int] = frozenset()
    purpose: Purpose = Purpose.ENTER
    protection: Distances | None = None

    def plan(self, session: Session) -> WorkerPlan:
        """The task to keep alive."""
        return WorkerPlan(
            name=f"{self.symbol}/{self.name}",
            symbol=self.symbol,
            make=lambda: _Insisting(self, session),
        )


class StagedFailure(Exception):
    """A worker that fails on purpose."""


class _Insisting(Strategy):
    def __init__(self, part: Insistent, session: Session) -> None:
        size = Size(unit="shares", amount=SHARES)
        super().__init__(StrategyName(part.name), size, NoParameters())
        self._part = part
        self._session = session

    def on_bar(self, bar: Bar, view: SymbolView) -> Sequence[Wish]:
        """The view is looked at for getting out only."""
        now_ns, part = bar.start_ns + bar.span_ns, self._part
        if now_ns in {minute(self._session, one) for one in part.fails_at}:
            raise StagedFailure(f"{part.name} of {part.symbol} fails on purpose")
        if now_ns >= minute(self._session, part.exits):
            return exit_all("wants out") if view.held_by(self.name) else ()
        enters, until = (minute(self._session, one) for one in (part.enters, part.enters_until))
        if not enters <= now_ns < until:
            return ()
        return (
            Wish(
                side=Side.BUY,
                purpose=part.purpose,
                size=self.size,
                limit_offset=part.offset,
                protection=part.protection,
                reason="wants it now",
            ),
        )


def cast_of(session: Session, *parts: Insistent) -> list[WorkerPlan]:
    """Their tasks."""
    return [part.plan(session) for part in parts]
