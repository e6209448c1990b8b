"""What workers ask for in the core simulation: mostly sound wishes, now and then one that a rule has to object to."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from msgspec.structs import replace

from tests.core.truth import TEN_NS, dollars
from trader.limits import CanaryLimits, Limits
from trader.messages import OrderRequest, encode
from trader.model import (
    MINUTE_NS,
    DecisionKey,
    OrderType,
    Protection,
    Purpose,
    Quote,
    RequestId,
    Side,
    Size,
    StrategyName,
    Symbol,
    TimeInForce,
)
from trader.money import CENT, price_of

TRADED = tuple(map(Symbol, ("AA", "BB", "CC", "DD")))
HANDS_OFF, FOREIGN = Symbol("HO"), Symbol("XX")
WORKERS = tuple(map(StrategyName, ("fast", "slow", "late")))
KEPT = 64  # requests that may be told again


def limits_of(chance: Random) -> Limits:
    """Each limit wide, or so tight that it is met."""

    def either(tight: str, wide: str) -> Decimal:
        return Decimal(tight if chance.random() < 0.3 else wide)

    limits = Limits(
        order_notional_max=either("900", "100000"),
        position_notional_max=either("1500", "200000"),
        exposure_max=either("0.02", "4"),
        entries_open_max=int(either("2", "20")),
        entries_per_minute_max=int(either("2", "1000")),
        entries_per_symbol_per_day_max=int(either("6", "10000")),
        executions_repeated_max=int(either("2", "10000")),
        loss_day_max=either("0.0003", "0.9"),
        drawdown_max=either("0.0005", "0.9"),
        quote_age_max=90,
        adds_max=chance.choice((0, 0, 2)),
        stop_required=chance.random() < 0.1,
    )
    own = Random(encode(limits))  # so that what else is drawn stays what it was
    return replace(
        limits,
        entries_notional_per_day_max=Decimal(30_000 if own.random() < 0.2 else 10**8),
        canary=CanaryLimits(entries_per_day_max=40) if own.random() < 0.1 else None,
    )


class Wishes:
    """Makes requests; remembers some, to tell them again."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.made = 0
        self.told: list[OrderRequest] = []
        self.cents = {symbol: 1_000 * (2 + 3 * at) for at, symbol in enumerate(TRADED)}

    def guarded(self, wish: OrderRequest) -> OrderRequest:
        """The same entry, with a stop that comes with it."""
        assert wish.quote is not None
        stop = price_of(wish.quote.bid) - CENT * (1 + int(self._chance.random() * 50))
        return replace(wish, protection=Protection(stop_price=stop))

    def resting(self, wish: OrderRequest) -> OrderRequest:
        """Of an exit: the same shares, in a stop that waits below the market."""
        assert wish.quote is not None
        return replace(
            wish,
            purpose=Purpose.STOP,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.GTC,
            limit_price=None,
            stop_price=price_of(wish.quote.bid) - CENT * (1 + int(self._chance.random() * 50)),
        )

    def drift(self) -> None:
        """Prices go on."""
        for symbol in TRADED:
            now = self.cents[symbol]
            self.cents[symbol] = max(500, now + int(self._chance.gauss(0, now / 400)))

    def wish(self, symbol: Symbol, minute: int, side: Side, shares: int) -> OrderRequest:
        """A new decision to enter or to exit, at a price that crosses the quote, or nearly."""
        chance = self._chance
        self.made += 1
        at_ns, cents = TEN_NS + minute * MINUTE_NS, self.cents.get(symbol, 2_000)
        off = int(chance.random() * 6) - 1
        is_buy = side is Side.BUY
        made = OrderRequest(
            request_id=RequestId(f"{symbol}/{self.made:08d}"),
            decision_key=DecisionKey(f"{self.made:024x}"),
            at_ns=at_ns,
            symbol=symbol,
            strategy=WORKERS[int(chance.random() * 3)],
            side=side,
            purpose=Purpose.ENTER if is_buy else Purpose.EXIT,
            size=Size(unit="shares", amount=Decimal(shares)),
            limit_price=dollars(cents + (off if is_buy else -off)),
            quote=Quote(
                symbol=symbol,
                at_ns=at_ns,
                bid=(cents - 1) * 100,
                bid_size=100,
                ask=(cents + 1) * 100,
                ask_size=100,
            ),
            reason="core",
        )
        if len(self.told) < KEPT:
            self.told.append(made)
        else:
            self.told[self.made % KEPT] = made
        return made

    def anew(self, wish: OrderRequest) -> OrderRequest:
        """The same, as somebody else's decision or in another telling."""
        self.made += 1
        return replace(wish, request_id=RequestId(f"anew/{self.made:08d}"))

    def another(self, wish: OrderRequest) -> OrderRequest:
        """A decision of its own, of the same content."""
        self.made += 1
        return replace(
            wish,
            request_id=RequestId(f"{wish.symbol}/{self.made:08d}"),
            decision_key=DecisionKey(f"{self.made:024x}"),
        )

    def wild(self, wish: OrderRequest) -> OrderRequest:
        """Something is wrong with it, or at least unusual."""
        return self._chance.choice(WILD)(wish)


def _with_quote(wish: OrderRequest, **changes: object) -> OrderRequest:
    assert wish.quote is not None
    return replace(wish, quote=replace(wish.quote, **changes))


def _sized(wish: OrderRequest, unit: str, amount: str) -> OrderRequest:
    return replace(wish, size=Size(unit=unit, amount=Decimal(amount)))


def _dearer(wish: OrderRequest) -> OrderRequest:
    assert wish.limit_price is not None
    return replace(wish, limit_price=wish.limit_price + 9)


def _other_way(wish: OrderRequest) -> OrderRequest:
    return replace(wish, side=Side.SELL if wish.side is Side.BUY else Side.BUY)


def _finer(wish: OrderRequest) -> OrderRequest:
    assert wish.limit_price is not None
    return replace(wish, limit_price=wish.limit_price + Decimal("0.005"))


WILD: tuple[Callable[[OrderRequest], OrderRequest], ...] = (
    lambda wish: replace(wish, late=True),
    lambda wish: replace(wish, at_ns=wish.at_ns - 5 * MINUTE_NS),
    lambda wish: replace(wish, symbol=FOREIGN),
    lambda wish: replace(wish, symbol=HANDS_OFF, side=Side.SELL, purpose=Purpose.EXIT),
    lambda wish: replace(wish, strategy=StrategyName("operator")),
    lambda wish: replace(wish, extended_hours=True),
    lambda wish: replace(wish, quote=None),
    lambda wish: replace(wish, limit_price=None, order_type=OrderType.MARKET),
    lambda wish: replace(wish, limit_price=Decimal("NaN")),
    lambda wish: _with_quote(wish, bid=0),
    lambda wish: _with_quote(wish, at_ns=wish.at_ns - 3 * MINUTE_NS),
    lambda wish: _sized(wish, "shares", "0"),
    lambda wish: _sized(wish, "shares", "1.5"),
    lambda wish: _sized(wish, "shares", "100"),
    lambda wish: _sized(wish, "shares", "3000"),
    lambda wish: _sized(wish, "target", "3"),
    lambda wish: _sized(wish, "notional", "700"),
    lambda wish: _sized(wish, "equity", "0.01"),
    _dearer,
    _other_way,
    _finer,
)
