"""What the scenarios look for in what came out, in a line each for what is wrong."""

from collections import Counter

from trader.messages import BooksMoved, ExecutionBooked, OrderChanged, Quarantined, RequestDenied
from trader.model import OrderState, Side, Symbol
from trader.orders import is_live
from trader.scenarios.play import Outcome


class Checks:
    """Collects what does not hold."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.wrong: list[str] = []

    def that(self, holds: object, otherwise: str) -> "Checks":
        """Note it."""
        if not holds:
            self.wrong.append(otherwise)
        return self

    def bought_once(self, *symbols: Symbol) -> "Checks":
        """The venue accepted one buy of each, and no intent of ours was sent or recorded beside it."""
        for symbol in symbols:
            count = len(self.outcome.orders(symbol, Side.BUY))
            self.that(count == 1, f"{symbol}: the venue accepted {count} buys, not 1")
        return self

    def nothing_in_doubt(self) -> "Checks":
        """Every order came to an end that is proven."""
        live = [
            f"{one.client_order_id} {one.state}"
            for one in self.outcome.state.orders.values()
            if is_live(one)
        ]
        return self.that(not live, f"not ended: {', '.join(live)}")

    def was_unknown(self, symbol: Symbol) -> "Checks":
        """It stood as UNKNOWN while nobody knew."""
        return self.that(
            any(
                one.symbol == symbol and one.state is OrderState.UNKNOWN
                for one in self.outcome.events(OrderChanged)
            ),
            f"{symbol}: its order was never UNKNOWN",
        )

    def booked_once(self) -> "Checks":
        """Each execution at the venue is in our books once, and what is held is the venue's."""
        outcome = self.outcome
        assert outcome.venue is not None, "asked of a run of ours"
        booked = Counter(
            (one.client_order_id, one.execution.quantity_cumulative)
            for one in outcome.events(ExecutionBooked)
        )
        for (name, _), count in booked.items():
            self.that(count == 1, f"an execution of {name} is booked {count} times")
        for symbol in sorted(outcome.state.symbols):
            ours = outcome.state.position(symbol).quantity
            theirs = outcome.shares_at_venue(symbol)
            self.that(ours == theirs, f"{symbol}: {ours} held, {theirs} at the venue")
        (account,) = outcome.venue.state.accounts.values()
        ours = outcome.state.cash_at_broker
        return self.that(ours == account.cash, f"cash {ours}, {account.cash} at the venue")

    def quarantined(self, *symbols: Symbol) -> "Checks":
        """These take no entries until somebody has looked, and no other does not."""
        found = sorted(self.outcome.state.quarantined.keys())
        return self.that(found == sorted(symbols), f"quarantined: {', '.join(found) or 'nothing'}")

    def raw_kept(self, words: str) -> "Checks":
        """What was heard and not understood is in the journal, word for word."""
        heard = self.outcome.events(Quarantined)
        return self.that(any(words in one.raw for one in heard), f"{words!r} was not kept")

    def denied(self, symbol: Symbol, *reasons: str) -> "Checks":
        """A wish for it was denied, for one of these."""
        found = {one.reason for one in self.outcome.events(RequestDenied) if one.symbol == symbol}
        return self.that(found & set(reasons), f"{symbol}: never denied as {' or '.join(reasons)}")

    def struck(self, symbol: Symbol, times: int) -> "Checks":
        """So many POSTs of the symbol met the fault that waits for all of them."""
        for rule, count in self.outcome.struck:
            if rule.symbol == symbol and rule.method == "POST":
                self.that(count == times, f"{symbol}: {count} POSTs left, not {times}")
        return self

    def moved(self, *kinds: str) -> "Checks":
        """The books were moved by these, once each."""
        about = Counter(
            one.description.split()[0]
            for one in self.outcome.events(BooksMoved)
            if one.kind in {"activity", "split"}
        )
        for kind in kinds:
            self.that(about[kind] == 1, f"{kind} was booked {about[kind]} times")
        return self
