"""Buy the open, sell the close: in after the first regular bar of the session, out some minutes before its end."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.calendar import Session, clock_text, session_of
from trader.model import MINUTE_NS, Bar, Purpose, Quote, Side, Size, StrategyName
from trader.strategies.base import Strategy, SymbolView, Wish, exit_all


class OpenCloseParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """exit_minutes: how long before the close of the session (16:00, or 13:00) it sells."""

    exit_minutes: Annotated[int, Meta(ge=1, le=180)] = 5


class OpenClose(Strategy):
    """Buys once a session; after a restart in the middle of one, the bar fed as history tells it is not the first."""

    Parameters: ClassVar[type[Struct]] = OpenCloseParameters
    bars_needed = 1

    def __init__(self, name: StrategyName, size: Size, parameters: OpenCloseParameters) -> None:
        super().__init__(name, size, parameters)
        self._exit_ns = parameters.exit_minutes * MINUTE_NS
        self._session: Session | None = None  # the last one that a regular bar was seen of

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        session = session_of(bar.start_ns)
        if session is None or not session.open_ns <= bar.start_ns < session.close_ns:
            return ()
        is_first = session != self._session
        self._session = session
        ends_ns = bar.start_ns + bar.span_ns
        if ends_ns >= session.close_ns - self._exit_ns:
            return self._leave(session, ends_ns, view)
        if is_first and view.is_idle():
            reason = f"first bar of {session.date} ended at {clock_text(ends_ns)}"
            return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason=reason),)
        return ()

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """A share that nobody trades near the close has quotes, but no bars."""
        session = session_of(quote.at_ns) if view.held_by(self.name) else None
        return () if session is None else self._leave(session, quote.at_ns, view)

    def _leave(self, session: Session, at_ns: int, view: SymbolView) -> Iterable[Wish]:
        due = session.close_ns - self._exit_ns <= at_ns < session.close_ns
        if not due or not view.held_by(self.name) or view.working:
            return ()
        return exit_all(f"{self._exit_ns // MINUTE_NS} minutes or less to the close")
