"""The market-data service over a real socket: each kind, each form, pages, timeframes, adjustments, errors."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.simulator_served import GS, JD, MONDAY, TUESDAY, JsonObject, Served, open_ns, served
from trader.calendar import iso
from trader.feeds.recorded import RecordedMarket
from trader.model import MINUTE_NS, Bar, Symbol
from trader.simulator.bar_query import Timeframe, aggregated
from trader.simulator.reshaped import ReshapedMarket
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.simulator.tick_history import TickHistory
from trader.simulator.window import Window

OPEN_NS = open_ns(MONDAY)


class Page(msgspec.Struct):
    next_page_token: str | None
    bars: dict[str, list[JsonObject]] = {}
    quotes: dict[str, list[JsonObject]] = {}
    trades: dict[str, list[JsonObject]] = {}

    def counts(self, kind: str) -> dict[str, int]:
        found: dict[str, list[JsonObject]] = getattr(self, kind)
        return {symbol: len(values) for symbol, values in found.items()}


async def page(broker: Served, kind: str, **parameters: str) -> Page:
    reply = await broker.get(f"/v2/stocks/{kind}", **parameters)
    assert reply.status_code == 200, reply.text
    return msgspec.json.decode(reply.content, type=Page)


async def whole_day(broker: Served) -> None:
    while await broker.broker.advance() is not None:
        pass


@pytest.mark.parametrize(("kind", "each"), [("quotes", 3), ("trades", 8), ("bars", 2)])
async def test_a_limit_is_shared_and_pages_go_on_where_the_last_ended(kind: str, each: int) -> None:
    async with served() as broker:
        await broker.broker.advance()
        await broker.broker.advance()
        whole = await page(broker, kind, symbols="JD,GS")
        assert whole.counts(kind) == {"GS": each, "JD": each}
        seen: dict[str, list[JsonObject]] = {"GS": [], "JD": []}
        token: str | None = ""
        while token is not None:
            part = await page(broker, kind, symbols="JD,GS", limit="2", page_token=token)
            assert sum(part.counts(kind).values()) <= 2
            for symbol, values in getattr(part, kind).items():
                seen[symbol] += values
            token = part.next_page_token
        assert seen == getattr(whole, kind)
        newest = await page(broker, kind, symbols="JD", sort="desc")
        assert getattr(newest, kind)["JD"] == seen["JD"][::-1]


@pytest.mark.parametrize("kind", ["quotes", "trades", "bars"])
async def test_a_single_symbol_has_the_same_in_another_form(kind: str) -> None:
    async with served() as broker:
        await broker.broker.advance()
        many = await page(broker, kind, symbols="JD")
        one = await broker.read(f"/v2/stocks/JD/{kind}")
        assert one == {
            kind: getattr(many, kind)["JD"],
            "symbol": "JD",
            "next_page_token": None,
        }
        latest = (await broker.get(f"/v2/stocks/{kind}/latest", symbols="JD,XYZ")).json()
        word = kind.removesuffix("s")
        alone = await broker.read(f"/v2/stocks/JD/{kind}/latest")
        assert alone == {"symbol": "JD", word: latest[kind]["JD"]}
        assert list(latest[kind]) == ["JD"]
        assert alone[word] == getattr(many, kind)["JD"][-1]
        missing = await broker.get(f"/v2/stocks/XYZ/{kind}/latest")
        told = missing.json()
        assert (missing.status_code, told["code"]) == (404, 40410000)
        assert told["message"] == f"no {word} found for XYZ"


async def test_the_past_is_found_over_days_and_the_future_is_not() -> None:
    async with served(date=TUESDAY) as broker:
        await broker.broker.advance()
        for kind, each in (("quotes", 4 + 2), ("bars", 3 + 1), ("trades", 12 + 4)):
            both = await page(broker, kind, symbols="JD", start="2026-01-20", end="2026-02-20")
            assert both.counts(kind) == {"JD": each}
            today = await page(broker, kind, symbols="JD")
            assert len(getattr(today, kind)["JD"]) < each
            monday = await page(
                broker, kind, symbols="JD", start=iso(OPEN_NS), end=iso(OPEN_NS + MINUTE_NS)
            )
            assert {str(one["t"])[:10] for one in getattr(monday, kind)["JD"]} == {MONDAY}
        none = await page(broker, "quotes", symbols="JD", start="1975-01-01", end="1975-01-02")
        assert none.quotes == {}


async def test_a_snapshot_has_the_latest_and_both_days() -> None:
    async with served(date=TUESDAY) as broker:
        await broker.broker.advance()
        many = (await broker.get("/v2/stocks/snapshots", symbols="JD,XYZ")).json()
        one = await broker.read("/v2/stocks/JD/snapshot")
        assert one == {"symbol": "JD", **many["JD"]}
        assert one["dailyBar"] != one["prevDailyBar"]
        day, before = many["JD"]["dailyBar"], many["JD"]["prevDailyBar"]
        assert (day["v"], day["t"]) == (5_000, "2026-01-27T05:00:00.000Z")
        assert (before["v"], before["t"]) == (15_000, "2026-01-26T05:00:00.000Z")
        assert many["XYZ"] == {}


@pytest.mark.parametrize(
    ("timeframe", "starts"),
    [
        ("2Min", ["14:30", "14:32"]),
        ("1Hour", []),
        ("1H", []),
        ("1Day", ["05:00"]),
        ("1Week", ["05:00"]),
    ],
)
async def test_bars_of_a_timeframe_begin_where_the_timeframe_does(
    timeframe: str, starts: list[str]
) -> None:
    """The hour that the session opens in has begun before `start`: it isn't asked for."""
    async with served() as broker:
        await whole_day(broker)
        start = iso(OPEN_NS) if timeframe[-1] in "nrH" else MONDAY
        reply = await page(broker, "bars", symbols="JD", timeframe=timeframe, start=start)
        assert [str(bar["t"])[11:16] for bar in reply.bars.get("JD", [])] == starts


@pytest.mark.parametrize(
    ("count", "unit", "begins"),
    [
        (1, "W", ["2026-01-26", "2026-02-02"]),
        (1, "M", ["2026-01-01", "2026-02-01"]),
        (3, "M", ["2026-01-01"]),
    ],
)
def test_weeks_begin_on_mondays_and_months_on_their_first(
    count: int, unit: str, begins: list[str]
) -> None:
    days = ["2026-01-28", "2026-01-30", "2026-02-02", "2026-02-27"][: 4 if unit == "M" else 3]
    bars = [
        Bar(symbol=JD, start_ns=open_ns(day), open=1, high=2, low=1, close=1, volume=10)
        for day in days
    ]
    found = aggregated(bars, Timeframe(count=count, unit=unit))
    assert [iso(bar.start_ns)[:13] for bar in found] == [f"{day}T05" for day in begins]
    assert sum(bar.volume for bar in found) == 10 * len(days)


async def test_history_is_adjusted_as_it_is_asked_for() -> None:
    at_ns = OPEN_NS + 90 * 1_000_000_000
    events = (
        ScheduledEvent(at_ns=at_ns, name=EventName.SPLIT, symbol=JD, ratio=Decimal(2)),
        ScheduledEvent(at_ns=at_ns, name=EventName.DIVIDEND, symbol=GS, amount=Decimal(1)),
    )
    async with served(events=events) as broker:
        await whole_day(broker)
        closes = {}
        for adjustment in ("raw", "split", "dividend", "all"):
            found = await page(broker, "bars", symbols="JD,GS", adjustment=adjustment)
            closes[adjustment] = [
                [bar["c"] for bar in found.bars[symbol]] for symbol in ("JD", "GS")
            ]
        # Half of 20.01 on whole cents.
        assert closes["raw"] == [[20.01, 10.0, 10.0], [100.05, 100.05, 100.05]]
        assert closes["split"][0] == [10.0, 10.0, 10.0]
        assert closes["dividend"] == [closes["raw"][0], [99.05, 100.05, 100.05]]
        assert closes["all"] == [closes["split"][0], closes["dividend"][1]]
        volumes = await page(broker, "bars", symbols="JD", adjustment="split")
        assert [bar["v"] for bar in volumes.bars["JD"]] == [10_000, 10_000, 10_000]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("bars", {"symbols": ""}),
        ("quotes", {"symbols": "JD", "start": "soon"}),
        ("trades", {"symbols": "JD", "limit": "0"}),
        ("trades", {"symbols": "JD", "limit": "10001"}),
        ("bars", {"symbols": "JD", "sort": "up"}),
        ("bars", {"symbols": "JD", "adjustment": "some"}),
        ("bars", {"symbols": "JD", "feed": "mine"}),
        ("bars", {"symbols": "JD", "timeframe": "60Min"}),
        ("bars", {"symbols": "JD", "timeframe": "24Hour"}),
        ("bars", {"symbols": "JD", "timeframe": "2Day"}),
        ("bars", {"symbols": "JD", "timeframe": "5Month"}),
        ("bars", {"symbols": "JD", "start": "2026-01-27", "end": "2026-01-26"}),
        ("bars", {"symbols": "JD", "page_token": "LTE="}),
        ("quotes/latest", {"symbols": ""}),
        ("snapshots", {}),
        ("meta/conditions/bars", {}),
    ],
)
async def test_a_query_that_makes_no_sense_is_400(path: str, parameters: dict[str, str]) -> None:
    async with served() as broker:
        await broker.broker.advance()
        reply = await broker.get(f"/v2/stocks/{path}", **parameters)
        assert reply.status_code == 400, reply.text
        assert reply.json()["message"]


async def test_letters_in_the_messages_are_explained() -> None:
    async with served() as broker:
        await broker.broker.advance()
        trade = (await page(broker, "trades", symbols="JD")).trades["JD"][0]
        exchanges = await broker.read("/v2/stocks/meta/exchanges")
        assert trade["x"] in exchanges
        conditions = await broker.read("/v2/stocks/meta/conditions/trade")
        assert trade["c"] == list(conditions)


def test_recorded_trades_are_told_instead_of_made_ones(tmp_path: Path) -> None:
    rows = [
        "timestamp,symbol,price,size,exchange,suspicious",
        "2013-10-09T13:30:00.879Z,AIG,47.99,100,P,0",
        "2013-10-09T13:30:01.879Z,AIG,90,100,P,1",
        "2013-10-09T13:30:01.879Z,AIG,48.05,200,N,0",
        "2013-10-09T13:31:05Z,AIG,48,300,N,0",
    ]
    (tmp_path / "AIG.csv").write_text("\n".join(rows))
    market = ReshapedMarket(RecordedMarket([tmp_path], everything=True))
    aig = Symbol("AIG")
    instants = list(market.instants("2013-10-09"))
    end_ns = instants[-1].at_ns
    window = Window(
        start_ns=0,
        end_ns=end_ns,
        newest_first=False,
        skip=0,
        limit=10,
        now_ns=end_ns,
        is_recent=False,
    )
    trades = TickHistory(market).trades(aig, window)
    assert [(trade.price, trade.size, trade.exchange) for trade in trades] == [
        (479_900, 100, "P"),
        (480_500, 200, "N"),
        (480_000, 300, "N"),
    ]
    bars = market.history(aig, end_ns, 5)
    assert [(bar.open, bar.close, bar.volume) for bar in bars] == [
        (479_900, 480_500, 300),
        (480_000, 480_000, 300),
    ]
    assert [trade for instant in instants for trade in instant.trades] == trades
