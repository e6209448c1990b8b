"""The strategies of the library bar by bar: when they enter, when they leave, in which words, of which size."""

from decimal import Decimal

import pytest

from trader.calendar import parse_iso
from trader.model import MINUTE_NS, Bar, Purpose, Quote, Side, Size, StrategyName, Symbol
from trader.strategies import build
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish, WorkingOrder

JD = Symbol("JD")
TEN = Size(unit="shares", amount=Decimal(10))
OPEN_NS = parse_iso("2026-01-26T14:30:00Z")
FLAT = SymbolView(symbol=JD)
CLOSE = 390  # minutes of the session


def made(kind: str, **parameters: object) -> Strategy:
    return build(kind, StrategyName(kind), parameters, TEN)


def held(kind: str, *working: Side) -> SymbolView:
    orders = tuple(WorkingOrder(side=side, quantity_leaves=Decimal(10)) for side in working)
    return SymbolView(
        symbol=JD,
        quantity=Decimal(10),
        strategy=StrategyName(kind),
        cost=Decimal(50),
        working=orders,
    )


def bar(close: int, minute: int = 0, *, high: int = 0, low: int = 0) -> Bar:
    """In cents; flat unless told otherwise, and starts that many minutes after 09:30."""
    return Bar(
        symbol=JD,
        start_ns=OPEN_NS + minute * MINUTE_NS,
        open=100 * close,
        high=100 * (high or close),
        low=100 * (low or close),
        close=100 * close,
        volume=100,
    )


def reasons(strategy: Strategy, closes: list[int], view: SymbolView) -> list[str]:
    """At each bar: what it wishes, as side and reason, or nothing."""
    found: list[str] = []
    for close in closes:
        wishes = list(strategy.on_bar(bar(close), view))
        assert len(wishes) <= 1
        found.append(said(wishes[0]) if wishes else "")
    return found


def said(wish: Wish) -> str:
    is_entry = wish.side is Side.BUY
    assert wish.purpose is (Purpose.ENTER if is_entry else Purpose.EXIT)
    assert (wish.size is None) is not is_entry
    return f"{wish.side}: {wish.reason}"


def test_momentum_is_bought_when_the_rise_begins_and_sold_below_where_it_was() -> None:
    closes = [1000, 1000, 1000, 1010, 1011, 1030, 1020, 1000]
    assert reasons(made("momentum", bars=2, rise_bp=100), closes, FLAT) == [
        *[""] * 4,  # one percent exactly is not more
        "BUY: rose in 2 bars from 10.00 to 10.11",
        "",
        "",
        "",
    ]
    sold = reasons(made("momentum", bars=2, rise_bp=100), [*closes, 1001], held("momentum"))
    assert sold[-2:] == [
        "SELL: fell in 2 bars from 10.30 to 10.00",
        "SELL: fell in 2 bars from 10.20 to 10.01",
    ]
    assert sold[:-2] == [""] * 7


def test_a_rise_that_is_there_from_the_first_comparison_did_not_begin() -> None:
    assert reasons(made("momentum", bars=1), [1000, 1100, 1200], FLAT) == [""] * 3


def test_a_breakout_is_a_close_above_the_bars_before_it_and_is_bought_once() -> None:
    closes = [1000, 1002, 1001, 1003, 1004, 1001, 1000]
    assert reasons(made("donchian", entry=2, exit=2), closes, FLAT) == [
        "",
        "",
        "",
        "BUY: 10.03 above 10.02, highest of 2 bars",
        "",
        "",
        "",
    ]
    sold = reasons(made("donchian", entry=2, exit=2), closes, held("donchian"))
    assert sold[4:] == [
        "",
        "SELL: 10.01 below 10.03, lowest of 2 bars",
        "SELL: 10.00 below 10.01, lowest of 2 bars",
    ]


def test_a_breakout_is_measured_by_highs_and_lows() -> None:
    strategy = made("donchian", entry=1, exit=1)
    for one in (bar(1000, high=1005, low=990), bar(1004, high=1005, low=990)):
        assert list(strategy.on_bar(one, FLAT)) == []
    assert list(strategy.on_bar(bar(989), held("donchian"))) != []


def test_a_strength_that_falls_below_the_level_is_bought_once_and_sold_above_the_other() -> None:
    closes = [1000, 1010, 1020, 1019, 1000, 999, 1020, 1030]
    entries = reasons(made("rsi", bars=2, low=30, high=60), closes, FLAT)
    assert [bool(one) for one in entries] == [*[False] * 4, True, *[False] * 3]
    assert entries[4] == "BUY: 2-bar RSI 20.41 fell below 30"
    exits = reasons(made("rsi", bars=2, low=30, high=60), closes, held("rsi"))
    assert exits[6].startswith("SELL: 2-bar RSI ")
    assert exits[6].endswith(" is above 60")
    assert exits[4:6] == ["", ""]


def test_a_price_that_never_moves_is_no_reason_for_either() -> None:
    assert reasons(made("rsi", bars=2), [1000] * 9, FLAT) == [""] * 9
    assert reasons(made("rsi", bars=2), [1000] * 9, held("rsi")) == [""] * 9
    assert reasons(made("bollinger", bars=2), [1000] * 9, FLAT) == [""] * 9


def test_below_the_band_is_bought_once_and_at_the_mean_it_is_sold() -> None:
    closes = [1000, 1001, 999, 1000, 980, 979, 1000]
    entries = reasons(made("bollinger", bars=4, width="1.5"), closes, FLAT)
    assert entries == [*[""] * 4, "BUY: 9.80 fell below the 4-bar band 9.8197", "", ""]
    exits = reasons(made("bollinger", bars=4, width="1.5"), closes, held("bollinger"))
    assert exits[3:] == [
        "SELL: 10.00 back at the 4-bar average 10.0000",
        "",
        "",
        "SELL: 10.00 back at the 4-bar average 9.8975",
    ]


def test_exponential_averages_cross_later_than_they_rise() -> None:
    closes = [1000, 990, 980, 970, 990, 1010, 1020, 990, 960]
    entries = reasons(made("ema-crossover", fast=2, slow=3), closes, FLAT)
    assert [one for one in entries if one] == [
        "BUY: 2-bar exponential average 10.0167 rose above 3-bar 9.9750"
    ]
    exits = reasons(made("ema-crossover", fast=2, slow=3), closes, held("ema-crossover"))
    assert exits[2].startswith("SELL: 2-bar exponential average 9.8")
    assert exits[5] == ""
    assert exits[8].startswith("SELL: ")


def test_buy_and_hold_wishes_to_be_in_until_it_is_and_never_out() -> None:
    assert reasons(made("buy-and-hold"), [1000, 900], FLAT) == ["BUY: nothing is held"] * 2
    assert reasons(made("buy-and-hold"), [1000, 100], held("buy-and-hold")) == ["", ""]
    buying = SymbolView(
        symbol=JD, working=(WorkingOrder(side=Side.BUY, quantity_leaves=Decimal(1)),)
    )
    assert reasons(made("buy-and-hold"), [1000], buying) == [""]


@pytest.mark.parametrize("kind", ["momentum", "donchian", "rsi", "bollinger", "ema-crossover"])
def test_what_is_anothers_or_is_being_sold_is_left_alone(kind: str) -> None:
    parameters: dict[str, dict[str, object]] = {
        "momentum": {"bars": 1},
        "donchian": {"entry": 1, "exit": 1},
        "rsi": {"bars": 2, "high": 50},
        "bollinger": {"bars": 2},
        "ema-crossover": {"fast": 1, "slow": 2},
    }
    closes = [1000, 1100, 900, 1200, 800, 1300, 700]
    assert any(reasons(made(kind, **parameters[kind]), closes, held(kind)))
    for view in (held("another"), held(kind, Side.SELL)):
        assert not any(reasons(made(kind, **parameters[kind]), closes, view))


# --- opening range


def opening(minute: int, close: int, view: SymbolView, strategy: Strategy) -> str:
    wishes = list(strategy.on_bar(bar(close, minute), view))
    return said(wishes[0]) if wishes else ""


def test_the_first_close_above_the_range_is_bought_once_a_session() -> None:
    strategy = made("opening-range", range_minutes=2)
    found = [
        opening(minute, close, FLAT, strategy)
        for minute, close in enumerate([1000, 1010, 1010, 1011, 1000, 1012])
    ]
    expected = "BUY: 10.11 above 10.10, the range of the first 2 minutes"
    assert found == ["", "", "", expected, "", ""]
    day = 24 * 60
    found = [
        opening(day + minute, close, FLAT, strategy)
        for minute, close in enumerate([900, 900, 901, 902])
    ]
    assert found == ["", "", "BUY: 9.01 above 9.00, the range of the first 2 minutes", ""]


def test_below_the_range_and_before_the_close_it_is_sold() -> None:
    strategy, view = made("opening-range", range_minutes=1, exit_minutes=10), held("opening-range")
    assert opening(-5, 900, view, strategy) == ""  # before the session
    assert opening(0, 1000, view, strategy) == ""
    expected = "SELL: 9.99 below 10.00, the range of the first 1 minutes"
    assert opening(1, 999, view, strategy) == expected
    assert opening(CLOSE - 12, 1001, view, strategy) == ""
    for minute in (CLOSE - 11, CLOSE - 1):
        assert opening(minute, 1001, view, strategy) == "SELL: 10 minutes or less to the close"
    assert opening(CLOSE, 1001, view, strategy) == ""
    assert opening(CLOSE - 5, 1001, FLAT, strategy) == ""


def test_a_range_that_nobody_traded_in_is_not_broken() -> None:
    strategy = made("opening-range", range_minutes=2)
    assert opening(5, 1000, FLAT, strategy) == ""
    assert opening(6, 1001, FLAT, strategy) == ""


def test_a_quote_is_enough_to_end_the_day_by() -> None:
    strategy, view = made("opening-range"), held("opening-range")

    def at(minute: int, view: SymbolView) -> int:
        at_ns = OPEN_NS + minute * MINUTE_NS
        quote = Quote(symbol=JD, at_ns=at_ns, bid=99_900, bid_size=100, ask=100_000, ask_size=100)
        return len(list(strategy.on_quote(quote, view)))

    assert [at(minute, view) for minute in (CLOSE - 6, CLOSE - 5, CLOSE - 1, CLOSE)] == [0, 1, 1, 0]
    assert at(CLOSE - 5, FLAT) == 0
    assert at(CLOSE - 5, held("opening-range", Side.SELL)) == 0


# --- sizes by volatility


def test_so_many_shares_that_the_average_range_twice_costs_the_risk() -> None:
    strategy = made("momentum", bars=1, rise_bp=0, risk=100, atr_bars=2, atr_multiple="2")
    sizes: list[Size | None] = []
    for close in (1000, 1000, 1010, 1000, 1006):
        for wish in strategy.on_bar(bar(close, high=close + 10, low=close - 10), FLAT):
            sizes.append(wish.size)
    # True ranges of 20 cents, each with no gap beyond it: 100 dollars / (2 x 0.20) a share.
    assert sizes == [Size(unit="shares", amount=Decimal(250))] * 2


def test_there_is_no_entry_where_the_risk_buys_no_share_or_nothing_moves() -> None:
    for risk, reach in (("0.3", 10), ("100", 0)):
        strategy = made("buy-and-hold", risk=risk, atr_bars=1)
        for _ in range(3):
            flat = bar(1000, high=1000 + reach, low=1000 - reach)
            assert list(strategy.on_bar(flat, FLAT)) == []
    strategy = made("buy-and-hold", risk="0.4", atr_bars=1)
    wishes = [list(strategy.on_bar(bar(1000, high=1010, low=990), FLAT)) for _ in range(2)]
    assert [len(one) for one in wishes] == [0, 1]  # the first bar has no range yet
    assert wishes[1][0].size == Size(unit="shares", amount=Decimal(1))


def test_a_part_of_equity_is_so_many_shares_for_each_dollar_of_it() -> None:
    size = Size(unit="volatility", amount=Decimal("0.01"))
    parameters = {"bars": 1, "rise_bp": 0, "atr_bars": 2, "atr_multiple": "3"}
    strategy = build("momentum", StrategyName("momentum"), parameters, size)
    assert strategy.bars_needed == 20
    wished = [
        wish
        for close in (1000, 1000, 1010, 1000, 1006)
        for wish in strategy.on_bar(bar(close, high=close + 10, low=close - 10), FLAT)
    ]
    # True ranges of 20 cents: 0.01 / (3 x 0.20) shares a dollar of equity, rounded down.
    assert [one.size for one in wished] == [
        Size(unit="per_equity", amount=Decimal("0.016666666"))
    ] * 2


@pytest.mark.parametrize(
    ("kind", "parameters", "amount", "wrong"),
    [
        ("open-close", {}, "0.01", "strategy open-close can't size by volatility"),
        ("rsi", {"risk": 5}, "0.01", "risk and size.volatility exclude each other"),
        ("rsi", {}, "1.5", "size.volatility must be above 0 and at most 1, not 1.5"),
        ("rsi", {"atr_multiple": 0}, "0.01", "atr_multiple must be above 0"),
    ],
)
def test_a_size_by_volatility_that_makes_no_sense_is_refused(
    kind: str, parameters: dict[str, object], amount: str, wrong: str
) -> None:
    with pytest.raises(StrategyError, match=wrong):
        build(kind, StrategyName(kind), parameters, Size(unit="volatility", amount=Decimal(amount)))


def test_history_is_long_enough_for_what_a_recursive_mean_began_with_to_fade() -> None:
    assert made("ema-crossover", fast=5, slow=20).bars_needed == 100
    assert made("rsi", bars=14).bars_needed == 140
    assert made("momentum", bars=60).bars_needed == 62
    assert made("momentum", bars=60, risk=1, atr_bars=10).bars_needed == 100
    assert made("donchian", entry=20, exit=55).bars_needed == 57


@pytest.mark.parametrize(
    ("kind", "parameters", "wrong"),
    [
        ("momentum", {"risk": 0}, "risk must be above 0 and at most 1,000,000,000, not 0"),
        ("momentum", {"risk": "NaN"}, "risk must be above 0"),
        ("momentum", {"risk": "Infinity"}, "risk must be above 0"),
        ("momentum", {"risk": "much"}, "risk"),
        ("momentum", {"risk": 1, "atr_multiple": "-1"}, "atr_multiple must be above 0"),
        ("momentum", {"risk": 1, "atr_bars": 0}, "atr_bars"),
        ("momentum", {"bars": 0}, "bars"),
        ("bollinger", {"width": 0}, "width must be above 0 and at most 100, not 0"),
        ("bollinger", {"bars": 1}, "bars"),
        ("rsi", {"low": 60}, r"low \(60\) must not be above high \(50\)"),
        ("ema-crossover", {"fast": 26}, r"fast \(26\) must be smaller than slow \(26\)"),
        ("donchian", {"entry": 10_001}, "entry"),
        ("opening-range", {"range_minutes": 181}, "range_minutes"),
        ("buy-and-hold", {"bars": 1}, "bars"),
        ("open-close", {"risk": 1}, "risk"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    kind: str, parameters: dict[str, object], wrong: str
) -> None:
    with pytest.raises(StrategyError, match=wrong):
        made(kind, **parameters)
