"""The simulated broker within somebody's own process, for tests and scripts: served from a thread, moved by hand.

    with simulated_broker(symbols=["JD"]) as broker:
        client = TradingClient(broker.key, broker.secret, url_override=broker.address)
        broker.advance(minutes=5)

The caller may be plain, or on any event loop: the broker has a thread and a Trio run of its own, and what is asked of
it here waits for it. On Trio, `asgi.py` does without the thread.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import trio

from trader.feeds.synthetic import FIRST_SESSION
from trader.model import MINUTE_NS, Quote, Symbol
from trader.money import amount, ticks_of, use_exact_context
from trader.simulator import shapes
from trader.simulator.application import build_application
from trader.simulator.broker import Keys, SimulatedBroker
from trader.simulator.event_script import event_of_table
from trader.simulator.fault_script import fault_of_table
from trader.simulator.scenes import event_scene, fault_scene
from trader.simulator.script import BadKey
from trader.simulator.server import serve
from trader.simulator.standing import Standing, begin, pass_sessions
from trader.simulator.wishes import Served

T = TypeVar("T")


@contextmanager
def simulated_broker(*, port: int = 0, **how: Any) -> Iterator["InProcessBroker"]:  # noqa: ANN401  # Standing's own
    """Serve one on 127.0.0.1 for the length of a block; `how` are the words of `standing.Standing`."""
    started: Future[InProcessBroker] = Future()
    with ThreadPoolExecutor(1, thread_name_prefix="simulated broker") as threads:
        ended = threads.submit(_live, Standing(**how), port, started)
        broker = started.result()
        try:
            yield broker
        finally:
            broker.stop()
            ended.result()


def _live(standing: Standing, port: int, started: "Future[InProcessBroker]") -> None:
    use_exact_context()
    try:
        served = standing.served()
        try:
            trio.run(_serve, served, standing.speed, port, started)
        finally:
            served.broker.keep_time()
            served.close()
    except BaseException as error:
        if not started.done():  # Somebody waits for it.
            started.set_exception(error)
        raise


async def _serve(
    served: Served, speed: float | None, port: int, started: "Future[InProcessBroker]"
) -> None:
    broker = served.broker
    await begin(served)
    async with trio.open_nursery() as nursery:
        address = await nursery.start(serve, build_application(broker), broker.connections, port)
        if speed is not None:
            nursery.start_soon(pass_sessions, served, speed)
        elif served.start_ns is None:
            await broker.advance()  # with the first quotes
        stop = nursery.cancel_scope.cancel
        token = trio.lowlevel.current_trio_token()
        started.set_result(InProcessBroker(broker, served.keys, address, token, stop))


class InProcessBroker:
    """Where it is, the keys of its account, and what can be done to it from outside of its thread."""

    def __init__(
        self,
        broker: SimulatedBroker,
        keys: Keys,
        address: str,
        token: trio.lowlevel.TrioToken,
        stop: Callable[[], None],
    ) -> None:
        self.address = address
        self.key, self.secret = keys.key, keys.secret
        self._broker = broker
        self._token = token
        self._stop = stop

    @property
    def trading_stream(self) -> str:
        return f"{self._sockets}/stream"

    def data_stream(self, feed: str = "iex") -> str:
        return f"{self._sockets}/v2/{feed}"

    @property
    def _sockets(self) -> str:
        return self.address.replace("http:", "ws:", 1)

    @property
    def environment(self) -> dict[str, str]:
        """For a bot that is a process of its own; the names that Alpaca's clients read."""
        return {
            "APCA_API_BASE_URL": self.address,
            "APCA_API_KEY_ID": self.key,
            "APCA_API_SECRET_KEY": self.secret,
        }

    # --- what is done to it

    def advance(self, minutes: int = 1) -> None:
        """Let that much market time pass, over nights too; not where a clock runs."""

        async def pass_time() -> None:
            use_exact_context()  # Its tasks come with the caller's.
            until_ns = self._broker.now_ns + minutes * MINUTE_NS
            await self._broker.advance_to(until_ns, FIRST_SESSION)

        if self._broker.is_clocked:
            raise ValueError("its time passes by itself: serve it without a speed")
        trio.from_thread.run(pass_time, trio_token=self._token)

    def quote(self, symbol: str, bid: str | Decimal, ask: str | Decimal, size: int = 100) -> None:
        """What is bid and asked from now on, until the market's next quote."""

        def give() -> None:
            quote = Quote(
                symbol=Symbol(symbol),
                at_ns=self._broker.market_ns(),
                bid=ticks_of(amount(bid)),
                bid_size=size,
                ask=ticks_of(amount(ask)),
                ask_size=size,
            )
            self._broker.give_quote(quote)

        self._do(give)

    def fail(self, verb: str, **how: object) -> None:
        """From now on this goes wrong: a verb and the words of a [[fault]], with `from_` for `from`; or ValueError."""
        table: dict[str, object] = {name.rstrip("_"): value for name, value in how.items()}

        def add() -> None:
            rule = fault_of_table(fault_scene(self._broker), {"verb": verb, **table})
            self._broker.faults.add(rule)

        self._do(add)

    def mend(self) -> None:
        """From now on nothing goes wrong any more."""
        self._do(self._broker.faults.clear)

    def befall(self, name: str, **what: object) -> None:
        """This happens, now or `at` its time: a name and the words of an [[event]].

        ValueError: it makes no sense, or there was nothing that it could be done to.
        """

        def happen() -> None:
            event = event_of_table(event_scene(self._broker), {"name": name, **what})
            happened = self._broker.befall(event)
            if happened is not None and happened.undone:
                raise ValueError(f"{name}: {happened.undone}")

        self._do(happen)

    # --- the ground truth

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Every order that was ever accepted, oldest first, as its REST interface shows them."""
        orders = self._do(
            lambda: [shapes.order_shape(one) for one in self._broker.venue.state.orders.values()]
        )
        return msgspec.convert(msgspec.to_builtins(orders), list[dict[str, Any]])

    @property
    def positions(self) -> dict[str, Decimal]:
        """How many shares are held of each symbol; less than zero: short."""
        held = self._do(lambda: dict(self._broker.account.positions))
        return {str(symbol): position.quantity for symbol, position in held.items()}

    @property
    def cash(self) -> Decimal:
        return self._do(lambda: self._broker.account.cash)

    def _do(self, deed: Callable[[], T]) -> T:
        def exactly() -> T:
            use_exact_context()
            try:
                return deed()
            except BadKey as bad:
                raise ValueError(str(bad)) from None

        return trio.from_thread.run_sync(exactly, trio_token=self._token)

    def stop(self) -> None:
        """End its thread; every connection is cut."""
        with suppress(trio.RunFinishedError):  # It has failed, and whoever waits for it hears why.
            self._token.run_sync_soon(self._stop)
