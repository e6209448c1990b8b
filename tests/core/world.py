"""A seeded world around `decide` and `evolve`: no task, no clock, no disk, and all that can go wrong between them.

A turn takes a batch, decides it, and commits it, unless the program dies or the disk refuses just then. What a life has
committed is kept as bytes; a new life folds its state out of them, and must find what was there. The auditor looks at
every committed turn; the broker's own books stand at the end.
"""

from collections import Counter
from decimal import Decimal
from random import Random

import msgspec

from tests.core.auditor import Auditor
from tests.core.truth import DAYS, TEN_NS, Truth, dollars
from tests.core.wishes import HANDS_OFF, TRADED, Wishes, limits_of
from trader.config import Fees
from trader.evolve import fold
from trader.executor import decided, effect_of
from trader.inbox import in_order
from trader.messages import (
    Adoption,
    Boot,
    Cancel,
    Clock,
    Entry,
    Gate,
    GateReport,
    Input,
    Lookup,
    OrderReport,
    OrderRequest,
    Statement,
    Submit,
    decode_entry,
    encode,
)
from trader.model import (
    MINUTE_NS,
    AccountId,
    ClientOrderId,
    Order,
    Phase,
    Side,
    Symbol,
)
from trader.state import ExecutionState

ACCOUNT = AccountId("pure:1")
HANDS_OFF_SHARES = 50
_CANONICAL = msgspec.json.Encoder(order="deterministic", enc_hook=dict)


def canonical(state: ExecutionState) -> bytes:
    """The one text of a state, whatever order its maps are walked in."""
    return _CANONICAL.encode(state)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How often what goes wrong; each world has its own."""

    dies: float
    disk_refuses: float
    loses: float
    repeats: float
    lies: float

    @staticmethod
    def drawn(chance: Random) -> "Rates":
        """Each may be nothing."""

        def rate(most: float) -> float:
            return chance.choice((0.0, most / 4, most))

        return Rates(
            dies=rate(0.012),
            disk_refuses=rate(0.01),
            loses=rate(0.3),
            repeats=rate(0.4),
            lies=rate(1.0),
        )

    @staticmethod
    def none() -> "Rates":
        """All is well."""
        return Rates(dies=0.0, disk_refuses=0.0, loses=0.0, repeats=0.0, lies=0.0)


class World:
    """What is so, what is under way, and what has been committed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.rates = Rates.drawn(self.chance)
        self.limits = limits_of(self.chance)
        self.wishes = Wishes(self.chance)
        cents = 100 * self.chance.choice((250_000, 50_000, 6_000))
        self.truth, self.auditor = Truth(cents), Auditor(cents)
        self.state = ExecutionState()
        self.begun = self.state  # where the bytes of this life begin
        self.rows: list[bytes] = []
        self.history: list[Entry] = []  # of the lives before, read back
        self.minute, self.day = 0, 0
        self.numbers = 0
        self.turns, self.lives = 0, 0
        self.seen: Counter[str] = Counter()
        # Between the program and the broker.
        self.outgoing: list[Order] = []
        self.flying: list[Order] = []
        self.adrift: list[Order] = []  # nobody waits for them any more, and they may arrive yet
        self.cancels: list[ClientOrderId] = []
        self.lookups: list[ClientOrderId] = []
        self.mail: list[OrderReport] = []
        self.kept: list[Input] = []
        self.other_cents: list[Input] = []  # activities, told with the next statement
        self.by_hand: list[OrderReport] = []
        self.lied_about: set[ClientOrderId] = set()
        self._begin()

    # ------------------------------------------------------------------------------------------ lives

    def _begin(self) -> None:
        """The first life: opened, agreed, a holding that is to be left alone."""
        # The auditor starts from the opening balance.
        opening = [self._boot(), *self.open_gates(), self.statement()]
        self.state, entries = decided(self.state, opening)
        self._write(entries)
        self.truth.shares[HANDS_OFF] = HANDS_OFF_SHARES
        self.take([self._adopted(), self.clock(Phase.REGULAR)])

    def _adopted(self) -> Adoption:
        return Adoption(
            command_id="adopt",
            symbol=HANDS_OFF,
            treatment="hands-off",
            quantity=Decimal(HANDS_OFF_SHARES),
            cost=Decimal(1_000),
            strategy=None,
            who="ada",
            reason="mine",
        )

    def _boot(self) -> Boot:
        self.lives += 1
        return Boot(
            epoch=self.lives,
            build="core",
            pid=self.lives,
            version="0",
            broker="pure",
            account=ACCOUNT,
            symbols=(*TRADED, HANDS_OFF),
            limits=self.limits,
            fees=Fees(),
            at_ns=self.now_ns,
        )

    def dies(self) -> None:
        """What was in memory is gone: the state, what was to be sent, what was told and not committed."""
        before = canonical(self.state)
        entries = [decode_entry(row) for row in self.rows]
        self.state = fold(self.begun, entries)
        assert canonical(self.state) == before, "E3: what was committed adds up to what was"
        self.begun, self.rows = self.state, []
        self.history += entries
        self.adrift += self.flying[::2]  # the others never left
        self.outgoing, self.flying, self.cancels, self.lookups = [], [], [], []
        self.kept = []
        self.seen["deaths"] += 1
        phase = self.state.phase
        self.take([self._boot()])
        self.take([self.clock(phase)])

    @property
    def now_ns(self) -> int:
        """Market time of the world."""
        return TEN_NS + self.minute * MINUTE_NS

    # ------------------------------------------------------------------------------------------ turns

    def turn(self, told: list[Input]) -> bool:
        """Decide and commit what was told, unless something comes in between; says whether it is durable."""
        batch, self.kept = [*self.kept, *told], []
        if not batch:
            return False
        self.turns += 1
        fate = self.chance.random()
        if fate < self.rates.dies:  # before the commit: all of the batch is lost
            decided(self.state, in_order(batch))
            self.dies()
            return False
        fate -= self.rates.dies
        if fate < self.rates.disk_refuses:
            decided(self.state, in_order(batch))
            self.kept = [one for one in batch if not isinstance(one, OrderRequest)]
            self.seen["refused by the disk"] += 1
            return False
        fate -= self.rates.disk_refuses
        if fate < self.rates.dies:  # after it, with all or some of it not acted on
            effects = self._commit(in_order(batch))
            self._act(effects[: int(self.chance.random() * (len(effects) + 1))])
            self.dies()
            return True
        self.take(batch)
        return True

    def take(self, batch: list[Input]) -> None:
        """A turn that nothing comes in between."""
        self._act(self._commit(in_order(batch)))

    def _commit(self, batch: list[Input]) -> list[Submit | Cancel | Lookup]:
        state, entries = decided(self.state, batch)
        self.auditor.audit(batch, entries, state)
        self.state = state
        self._write(entries)
        found = [effect_of(event, state) for entry in entries for event in entry.events]
        return [effect for effect in found if effect is not None]

    def _write(self, entries: list[Entry]) -> None:
        self.rows += [encode(entry) for entry in entries]
        self.seen["entries"] += len(entries)

    def _act(self, effects: list[Submit | Cancel | Lookup]) -> None:
        for effect in effects:
            name = effect.order.client_order_id
            match effect:
                case Submit():
                    self.outgoing.append(effect.order)
                case Cancel():
                    self.cancels.append(name)
                case Lookup() if name not in self.lookups:
                    self.lookups.append(name)
                case Lookup():
                    pass

    # ------------------------------------------------------------------------------------------ what is told

    def open_gates(self) -> list[Input]:
        """Both streams are up."""
        streams = (Gate.TRADING_STREAM, Gate.MARKET_DATA)
        return [GateReport(gate=gate, is_open=True, reason="") for gate in streams]

    def clock(self, phase: Phase) -> Clock:
        """The market's time, with the prices of everything."""
        marks = {symbol: cents * 100 for symbol, cents in self.wishes.cents.items()}
        return Clock(at_ns=self.now_ns, session=DAYS[self.day], phase=phase, marks=marks)

    def statement(self, attempts: int = 1) -> Statement:
        """What the broker has, now."""
        return Statement(
            at_ns=self.now_ns,
            account=ACCOUNT,
            cash=dollars(self.truth.cents),
            positions={one: Decimal(held) for one, held in self.truth.shares.items() if held},
            open_orders={one.order.client_order_id: one.order.symbol for one in self.truth.live()},
            attempts=attempts,
        )

    def hears_everything(self) -> bool:
        """As a statement is fetched: executions, orders, activities, and then the books; both sides must agree."""
        reports: list[Input] = [
            told for one in self.truth.changed.values() for told in one.retold()
        ]
        agreed = self.statement()
        self.auditor.must_agree = agreed
        is_heard = self.turn([*reports, *self.by_hand, *self.other_cents, agreed])
        self.auditor.must_agree = None
        if is_heard:
            self.truth.all_heard()
            self.by_hand, self.other_cents = [], []
        else:
            # Half of it may be kept for the next turn; what the broker has may be another by then.
            self.kept = [one for one in self.kept if one is not agreed]
        return is_heard

    def arrives(self, order: Order) -> None:
        """At the broker, whose own books are held against what must never happen."""
        truth, symbol = self.truth, order.symbol
        assert order.client_order_id not in truth.orders, f"B3: {order.client_order_id} again"
        if symbol not in self.auditor.wronged:
            live = [one for one in truth.live() if one.order.symbol == symbol]
            held = truth.shares[symbol]
            if order.side is Side.BUY:
                beside = [one for one in live if one.order.side is Side.BUY]
                assert not beside, f"A1: {order.client_order_id} beside a live entry"
                assert order.purpose == "add" or not held, f"A2: {order.client_order_id}"
            else:
                selling = sum(one.leaves for one in live if one.order.side is Side.SELL)
                assert selling + order.quantity <= held, f"A10: {order.client_order_id}"
        truth.takes(order)

    def live_with_us(self, symbols: tuple[Symbol, ...] = TRADED) -> list[Order]:
        """By the position map."""
        positions = [self.state.position(symbol) for symbol in symbols]
        names = [name for one in positions for name in (*one.entries, *one.exits)]
        return [self.state.orders[name] for name in names]
