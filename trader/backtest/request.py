"""What a backtest is asked for."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from trader.config import Config
from trader.feeds.columns import Columns
from trader.feeds.columns import between as bars_between
from trader.feeds.quotes import Quotes
from trader.feeds.quotes import between as quotes_between
from trader.limits import Limits
from trader.messages import Command
from trader.model import Symbol
from trader.simulator.scheduled import ScheduledEvent
from trader.venue import VenueTerms


class Fills(StrEnum):
    """At which price an order meets the market."""

    OPEN = "open"  # the next bar's open, half the spread worse
    QUOTE = "quote"  # a quote around the close that it was decided on: what the simulated broker does with bars
    NEXT_QUOTE = "next-quote"  # the next that is told; at the open where a symbol has none


class Hearing(StrEnum):
    """Whose column form stands for what it would wish bar by bar; the outcome is the same where the two forms are."""

    AUTO = "auto"  # the library's strategies, whose forms are held together by tests
    ON = "on"  # every strategy that has one: `check-strategy` holds it to the other
    OFF = "off"


class KnownJump(Struct, frozen=True, kw_only=True):
    """A price that was another one when the session of that date (New York's) began, and not for a split; and why."""

    symbol: Symbol
    date: str
    reason: str

    @property
    def release(self) -> Command:
        """What a person would tell a run about it."""
        return Command(
            command_id=f"jump-{self.symbol}-{self.date}",
            verb="release",
            subject=self.symbol,
            who="events file",
            reason=self.reason,
        )


class BacktestRequest(Struct, frozen=True, kw_only=True):
    """The same request gives the same outcome. histories: one of each of the configuration's symbols, by symbol.

    begins_ns: nothing is traded on bars that begin before; strategies are told the last of them first, as at the start
    of a run. quotes: of those that have any, for Fills.NEXT_QUOTE. told and left_out: what the outcome is to say of how
    history was read. columns and runs_ahead only say how it is gone through: nothing of the outcome depends on them.
    """

    config: Config
    histories: Sequence[Columns]
    begins_ns: int = 0
    quotes: Sequence[Quotes] = ()
    told: Sequence[str] = ()
    left_out: Sequence[str] = ()
    cash: Decimal = Decimal(100_000)
    fills: Fills = Fills.OPEN
    terms: VenueTerms = VenueTerms()
    is_always_open: bool = False
    brakes: bool = False
    events: Sequence[ScheduledEvent] = ()
    jumps: Sequence[KnownJump] = ()
    seed: int = 7
    columns: Hearing = Hearing.AUTO
    runs_ahead: bool = True

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(one.symbol for one in self.histories)

    @property
    def limits(self) -> Limits:
        """Those of the configuration; brakes that a person releases make no sense where there is none."""
        limits = self.config.limits
        if self.brakes:
            return limits
        return replace(
            limits, loss_day_max=Decimal(1), drawdown_max=Decimal(1), executions_repeated_max=10**6
        )

    def venue_terms(self) -> VenueTerms:
        """Fees are those that our own books count on."""
        fees = self.config.fees
        return replace(
            self.terms,
            sell_notional_rate=fees.sell_notional_rate,
            sell_share_rate=fees.sell_share_rate,
            sell_share_fee_max=fees.sell_share_cap,
            is_always_open=self.is_always_open,
            trades_at_open=self.fills is not Fills.QUOTE,
            quoted=frozenset(self.quotes_by_symbol),
            seed=self.seed,
        )

    @property
    def quotes_by_symbol(self) -> dict[Symbol, Quotes]:
        """Those that orders trade with."""
        is_wanted = self.fills is Fills.NEXT_QUOTE
        return {one.symbol: one for one in self.quotes} if is_wanted else {}

    def between(self, first_ns: int, last_ns: int) -> "BacktestRequest":
        """Over bars that begin at or after the one moment and end at or before the other, and quotes until then.

        Those of before stay, for strategies to be told first.
        """
        return replace(
            self,
            begins_ns=first_ns,
            histories=[bars_between(one, 0, last_ns) for one in self.histories],
            quotes=[quotes_between(one, 0, last_ns) for one in self.quotes],
        )
