"""The simulated broker, `bin/trade broker` in another process: many symbols, orders over HTTP, a flood of quotes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.bench.crowded_market import SYMBOLS, record
from tests.bench.measure import ENVIRONMENT, Sample, cpu_s_of, quantile
from tests.bench.morning import symbols_of
from tests.bench.raw_client import KeptConnection, QuoteStream, all_sent, count_in

WORK = 2_000  # orders; a tenth are instants of the flood, a hundredth seconds of market time
WORK_TINY = 100
CONNECTIONS = 8
START_SECONDS = 40  # of market time, more than it takes to send all orders
STEP_INSTANTS = 200
CLOCK_LOOKS = 20
STOPS = 4  # each fourth order is one
NAMES = symbols_of(SYMBOLS)
LIMIT = '"type":"limit","limit_price":"20"'
STOP = '"type":"stop","stop_price":"45"'
MARKETABLE = '"type":"limit","limit_price":"45"'


class Served(Struct, frozen=True, kw_only=True):
    """A broker, and how to reach it."""

    pid: int
    address: tuple[str, int]
    words: dict[str, str]

    def request(self, verb: str, path: str, body: str = "") -> bytes:
        head = [
            f"{verb} {path} HTTP/1.1",
            "Host: bench",
            f"APCA-API-KEY-ID: {self.words['key']}",
            f"APCA-API-SECRET-KEY: {self.words['secret']}",
            f"Authorization: Bearer {self.words['admin-token']}",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", body]).encode()

    def stream(self) -> QuoteStream:
        return QuoteStream(self.address, self.words["key"], self.words["secret"])

    def orders(self, count: int) -> Iterable[bytes]:
        """Far from the market, over all symbols in turn: they rest; each fourth is a stop."""
        for number in range(count):
            yield self.order(number, LIMIT if (number // SYMBOLS) % STOPS else STOP)

    def order(self, number: int, kind: str) -> bytes:
        """Of one share, over all symbols in turn."""
        return self.request(
            "POST",
            "/v2/orders",
            f'{{"symbol":"{NAMES[number % SYMBOLS]}","qty":"1","side":"buy",{kind},'
            f'"time_in_force":"day","client_order_id":"bench-{number}"}}',
        )


def once(work: int, folder: Path) -> list[Sample]:
    """The same market for both: with time that stands or steps, and with time that passes as the machine's."""
    seconds = max(1, work // 100)
    record(folder, max(work // 10, START_SECONDS + seconds))
    with served(folder, "stepped") as broker:
        samples = [*flooded(broker, work // 10), *posted(broker, work)]
    with served(folder, "stepped", "09:59:30") as broker:
        samples += filled(broker, work)
    with served(folder, "clock") as broker:
        return [*kept_up(broker, work, seconds), *samples]


@contextmanager
def served(folder: Path, pace: str, start: str = "10:00") -> Iterator[Served]:
    command = [sys.executable, "-P", "-m", "trader", "broker", "--data", str(folder)]
    command += [
        "--start",
        f"2026-01-26T{start}",
        "--pace",
        pace,
        "--speed",
        "1",
        "--cash",
        "10000000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            words = dict(line.split() for line in islice(process.stdout, 4))
            host, _, port = words["address"].removeprefix("http://").rpartition(":")
            yield Served(pid=process.pid, address=(host, int(port)), words=words)
        finally:
            process.send_signal(signal.SIGTERM)


def kept_up(broker: Served, orders: int, seconds: int) -> list[Sample]:
    """Does it tell each second's quotes before the next second, with all the orders open?"""
    all_sent(broker.address, broker.orders(orders), CONNECTIONS)
    with closing(broker.stream()) as stream:
        next(stream.frames)
        origin_s, cpu_s = clock_origin(broker), cpu_s_of(broker.pid)
        lags = []
        for frame in islice(stream.frames, seconds):
            arrived_s = time.perf_counter()
            assert count_in(frame) == SYMBOLS
            lags.append(arrived_s - origin_s - moment_of(frame))
        cpu_s = cpu_s_of(broker.pid) - cpu_s
    name = "500 symbols, a quote a second each, 2,000 orders open"
    return [
        Sample(
            name=f"{name}: CPU of a market minute",
            value=60 * cpu_s / seconds,
            unit="s",
            goal=60,
            is_ceiling=True,
        ),
        Sample(
            name=f"{name}: a second's quotes heard, p50", value=1e3 * quantile(lags, 0.5), unit="ms"
        ),
        Sample(
            name=f"{name}: a second's quotes heard, latest",
            value=1e3 * max(lags),
            unit="ms",
            goal=1_000,
            is_ceiling=True,
        ),
    ]


def clock_origin(broker: Served) -> float:
    """The machine's time at market time 0, rather too early than too late: of some looks the earliest.

    A look asks before it is told, and is told no later time than that of the instant that is to come.
    """
    with closing((connection := KeptConnection(broker.address)).stream):
        looks = []
        for _ in range(CLOCK_LOOKS):
            asked_s = time.perf_counter()
            told = msgspec.json.decode(connection.ask(broker.request("GET", "/admin")))
            looks.append(asked_s - datetime.fromisoformat(told["time"]).timestamp())
        return min(looks)


def moment_of(frame: bytes) -> float:
    """Of its first quote, in seconds."""
    at = msgspec.msgpack.decode(frame)[0]["t"]
    assert isinstance(at, datetime)
    return at.timestamp()


def posted(broker: Served, orders: int) -> list[Sample]:
    """Time stands still meanwhile: what is measured is the way of an order."""
    began_s, cpu_s = time.perf_counter(), cpu_s_of(broker.pid)
    all_sent(broker.address, broker.orders(orders), CONNECTIONS)
    wall_s, cpu_s = time.perf_counter() - began_s, cpu_s_of(broker.pid) - cpu_s
    name = "order POSTs, 8 connections"
    return [
        Sample(name=name, value=orders / wall_s, unit="1/s", goal=800),
        Sample(name=f"{name}: CPU of the broker", value=1e6 * cpu_s / orders, unit="µs"),
    ]


def filled(broker: Served, orders: int) -> list[Sample]:
    """Before ten no price is known: orders wait for the first, and all trade with it; as many come while it stands."""
    wanted = [broker.order(number, MARKETABLE) for number in range(2 * orders)]
    all_sent(broker.address, wanted[:orders], CONNECTIONS)
    began_s, cpu_s = time.perf_counter(), cpu_s_of(broker.pid)
    with closing((connection := KeptConnection(broker.address)).stream):
        connection.ask(broker.request("POST", "/admin/step", '{"instants":1}'))
        burst_s, burst_cpu_s = time.perf_counter() - began_s, cpu_s_of(broker.pid) - cpu_s
        began_s, cpu_s = time.perf_counter(), cpu_s_of(broker.pid)
        all_sent(broker.address, wanted[orders:], CONNECTIONS)
        wall_s, cpu_s = time.perf_counter() - began_s, cpu_s_of(broker.pid) - cpu_s
        (books,) = msgspec.json.decode(connection.ask(broker.request("GET", "/admin/books")))[
            "accounts"
        ]
    bought = sum(int(one["qty"]) for one in books["positions"])
    assert bought == 2 * orders, bought
    burst, each = (
        "fills of an instant, 2,000 orders",
        "order POSTs that fill, 8 connections",
    )
    return [
        Sample(name=burst, value=orders / burst_s, unit="1/s"),
        Sample(name=f"{burst}: CPU of the broker", value=1e6 * burst_cpu_s / orders, unit="µs"),
        Sample(name=each, value=orders / wall_s, unit="1/s"),
        Sample(name=f"{each}: CPU of the broker", value=1e6 * cpu_s / orders, unit="µs"),
    ]


def flooded(broker: Served, instants: int) -> list[Sample]:
    """As fast as it can: the venue takes each instant's quotes, and one client is told them."""
    steps, quotes = range(0, instants, STEP_INSTANTS), 0
    with (
        closing(broker.stream()) as stream,
        closing((connection := KeptConnection(broker.address)).stream),
    ):
        began_s, cpu_s = time.perf_counter(), cpu_s_of(broker.pid)
        for first in steps:
            count = min(STEP_INSTANTS, instants - first)
            connection.send(broker.request("POST", "/admin/step", f'{{"instants":{count}}}'))
            quotes += sum(count_in(frame) for frame in islice(stream.frames, count))
            while connection.receive() is None:
                pass
        wall_s, cpu_s = time.perf_counter() - began_s, cpu_s_of(broker.pid) - cpu_s
    assert quotes == instants * SYMBOLS
    name = "quotes to one MessagePack client, 500 a frame"
    return [
        Sample(name=name, value=quotes / wall_s, unit="1/s", goal=200_000),
        Sample(name=f"{name}: CPU of the broker", value=1e6 * cpu_s / quotes, unit="µs"),
    ]
