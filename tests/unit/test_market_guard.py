import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.calendar import parse_iso
from trader.market_guard import AHEAD_NS_MAX, PRICE_MAX, SHARES_MAX, Guard, Rejection
from trader.model import MINUTE_NS, SECOND_NS, Bar, PriceBand, Quote, Symbol

T = Symbol("T")
OPEN_NS = parse_iso("2026-01-26T14:30:00Z")
PRICE = 225_000


def bar(minute: int = 0, close: int = PRICE, **changes: int) -> Bar:
    prices = {"open": close, "high": close, "low": close} | changes
    start_ns = OPEN_NS + minute * MINUTE_NS
    return Bar(symbol=T, start_ns=start_ns, close=close, **({"volume": 100} | prices))


def quote(second: int = 0, bid: int = PRICE, ask: int = PRICE + 100, size: int = 100) -> Quote:
    at_ns = OPEN_NS + second * SECOND_NS
    return Quote(symbol=T, at_ns=at_ns, bid=bid, bid_size=size, ask=ask, ask_size=size)


def judged(guard: Guard, *ticks: Bar | Quote) -> list[Rejection | None]:
    """Each tick judged at the moment when it became known."""
    return [
        guard.judge_bar(tick, tick.start_ns + tick.span_ns)
        if isinstance(tick, Bar)
        else guard.judge_quote(tick, tick.at_ns)
        for tick in ticks
    ]


def seasoned() -> Guard:
    guard = Guard(T)
    assert judged(guard, bar(-1)) == [None]
    return guard


def test_an_ordinary_minute_is_fit() -> None:
    guard = Guard(T)
    assert judged(guard, quote(0), quote(0), quote(30), bar(0), quote(60), bar(1)) == [None] * 6
    assert not guard.rejections


@pytest.mark.parametrize(
    ("tick", "reason"),
    [
        (bar(close=0), "non_positive"),
        (bar(close=-PRICE), "non_positive"),
        (bar(low=0), "non_positive"),
        (bar(volume=-1), "non_positive"),
        (quote(bid=0, ask=0), "non_positive"),
        (quote(bid=-1), "non_positive"),
        (quote(size=-5), "non_positive"),
        (bar(close=PRICE_MAX + 1), "oversized"),
        (bar(volume=2**64), "oversized"),
        (quote(ask=10**30), "oversized"),
        (quote(size=SHARES_MAX + 1), "oversized"),
        (quote(bid=PRICE + 200), "crossed"),
        (bar(high=PRICE - 100), "inconsistent"),
        (bar(low=PRICE + 100), "inconsistent"),
        (bar(open=PRICE + 100), "inconsistent"),
        (bar(span_ns=0), "inconsistent"),
        (bar(close=PRICE * 100), "far_from_last"),
        (bar(high=PRICE * 100), "far_from_last"),
        (bar(close=441_000), "far_from_last"),  # another symbol's tick
        (quote(ask=PRICE * 100), "far_from_last"),
        (quote(bid=100, ask=PRICE + 100), "far_from_last"),  # a stub
    ],
)
def test_a_tick_that_is_not_fit_is_named_counted_and_forgotten(
    tick: Bar | Quote, reason: str
) -> None:
    guard = seasoned()
    assert judged(guard, tick) == [Rejection(reason)]
    assert guard.rejections == {Rejection(reason): 1}
    assert guard.trusted == PRICE
    assert judged(guard, bar(0), quote(0)) == [None, None]


def test_another_symbols_tick_is_not_looked_at() -> None:
    guard = Guard(Symbol("JD"))
    assert judged(guard, bar(), quote()) == [Rejection.WRONG_SYMBOL] * 2
    assert guard.trusted is None


def test_locked_and_one_sided_quotes_are_fit() -> None:
    assert judged(seasoned(), quote(0, ask=PRICE), quote(1, bid=0), quote(2, ask=0)) == [None] * 3


def test_time_does_not_go_back() -> None:
    guard = seasoned()
    assert judged(guard, bar(3), bar(2), bar(3), bar(4)) == [
        None,
        Rejection.OUT_OF_ORDER,
        Rejection.OUT_OF_ORDER,
        None,
    ]
    assert judged(guard, quote(300), quote(299)) == [None, Rejection.OUT_OF_ORDER]


def test_an_update_may_repeat_a_bar_and_does_not_turn_time_back() -> None:
    guard = seasoned()
    judged(guard, bar(3))
    now_ns = OPEN_NS + 4 * MINUTE_NS
    assert guard.judge_bar(bar(3, PRICE + 100), now_ns, is_update=True) is None
    assert guard.judge_bar(bar(3), now_ns) is Rejection.OUT_OF_ORDER
    assert guard.judge_bar(bar(4), now_ns + MINUTE_NS) is None


def test_what_is_older_than_ninety_seconds_is_stale() -> None:
    guard = seasoned()
    assert guard.judge_quote(quote(0), OPEN_NS + 90 * SECOND_NS) is None
    assert guard.judge_quote(quote(1), OPEN_NS + 92 * SECOND_NS) is Rejection.STALE
    assert guard.judge_bar(bar(0), OPEN_NS + MINUTE_NS + 91 * SECOND_NS) is Rejection.STALE


def test_a_tick_of_the_future_does_not_make_the_present_look_old() -> None:
    guard = seasoned()
    future = quote(3_600)
    assert guard.judge_quote(future, future.at_ns - AHEAD_NS_MAX - 1) is Rejection.OUT_OF_ORDER
    assert judged(guard, quote(1)) == [None]


def test_three_ticks_that_agree_confirm_a_jump() -> None:
    guard = seasoned()
    halved = [bar(minute, PRICE // 2 + minute) for minute in range(5)]
    assert judged(guard, *halved) == [Rejection.FAR_FROM_LAST] * 3 + [None, None]
    assert guard.trusted == PRICE // 2 + 4


def test_a_good_tick_in_between_starts_the_confirmation_over() -> None:
    guard = seasoned()
    far, near = Rejection.FAR_FROM_LAST, None
    wrong = [quote(second, PRICE * 2, PRICE * 2 + 100) for second in range(9)]
    alternating = [wrong[0], wrong[1], wrong[2], quote(3), wrong[4], wrong[5], wrong[6], quote(7)]
    assert judged(guard, *alternating) == [far, far, far, near, far, far, far, near]


def test_far_ticks_that_do_not_agree_confirm_nothing() -> None:
    guard = seasoned()
    ticks = [bar(minute, PRICE * (2 + minute % 2)) for minute in range(12)]
    assert set(judged(guard, *ticks)) == {Rejection.FAR_FROM_LAST}


def test_a_stub_quote_is_never_confirmed() -> None:
    stubs = [quote(second, bid=100, ask=1_999_999_900) for second in range(10)]
    assert set(judged(seasoned(), *stubs)) == {Rejection.FAR_FROM_LAST}
    assert set(judged(Guard(T), *stubs)) == {Rejection.FAR_FROM_LAST}


numbers = st.one_of(st.integers(-(2**70), 2**70), st.integers(-5, 5), st.integers(200_000, 250_000))
moments = st.integers(OPEN_NS - 10 * MINUTE_NS, OPEN_NS + 10 * MINUTE_NS)
bars = st.builds(
    Bar,
    symbol=st.sampled_from([T, Symbol("JD")]),
    start_ns=moments,
    span_ns=st.sampled_from([MINUTE_NS, SECOND_NS, 0, -1]),
    open=numbers,
    high=numbers,
    low=numbers,
    close=numbers,
    volume=numbers,
)
quotes = st.builds(
    Quote,
    symbol=st.sampled_from([T, Symbol("JD")]),
    at_ns=moments,
    bid=numbers,
    bid_size=numbers,
    ask=numbers,
    ask_size=numbers,
)


@given(st.lists(st.one_of(bars, quotes), max_size=30), st.booleans())
def test_whatever_comes_only_sound_ticks_pass_and_the_count_adds_up(
    ticks: list[Bar | Quote], with_history: bool
) -> None:
    guard = seasoned() if with_history else Guard(T)
    verdicts = judged(guard, *ticks)
    for tick in (tick for tick, verdict in zip(ticks, verdicts, strict=True) if verdict is None):
        assert tick.symbol == T
        if isinstance(tick, Bar):
            assert 0 < tick.low <= min(tick.open, tick.close)
            assert max(tick.open, tick.close) <= tick.high <= PRICE_MAX
            assert 0 <= tick.volume <= SHARES_MAX
        else:
            assert tick.bid >= 0
            assert tick.ask >= 0
            assert tick.bid or tick.ask
            assert not tick.ask or tick.bid <= tick.ask
    assert guard.rejections.total() == sum(verdict is not None for verdict in verdicts)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=40))
def test_one_tick_alone_never_moves_the_trusted_price_by_more_than_a_tenth(
    closes: list[int],
) -> None:
    guard = seasoned()
    confirming = 0
    for minute, close in enumerate(closes):
        before = guard.trusted
        assert before is not None
        (verdict,) = judged(guard, bar(minute, close))
        is_near = abs(close - before) * 10 <= before
        assert (verdict is None) == (guard.trusted == close) or close == before
        assert not is_near or verdict is None
        assert is_near or verdict is not None or confirming >= 3
        confirming = 0 if verdict is None else confirming + 1


# --- price bands

BAND = PriceBand(symbol=T, at_ns=OPEN_NS, up=PRICE + 5_000, down=PRICE - 5_000)


def banded(band: PriceBand = BAND) -> Guard:
    guard = seasoned()
    guard.take_band(band)
    return guard


@pytest.mark.parametrize(
    ("told", "rejection"),
    [
        (quote(1, bid=BAND.up - 100, ask=BAND.up), None),
        (quote(1, bid=BAND.up - 1, ask=BAND.up + 100), None),
        (quote(1, bid=BAND.up, ask=BAND.up + 100), "outside_band"),
        (quote(1, bid=BAND.up, ask=0), "outside_band"),
        (quote(1, bid=BAND.down, ask=BAND.down + 1), None),
        (quote(1, bid=BAND.down - 100, ask=BAND.down), "outside_band"),
        (quote(1, bid=BAND.down - 100, ask=BAND.down + 1), None),
        (quote(1, bid=BAND.up + 1, ask=BAND.up + 100), "outside_band"),
        (quote(1, bid=BAND.down - 100, ask=BAND.down - 1), "outside_band"),
        (quote(1, bid=0, ask=BAND.down - 1), "outside_band"),
        (quote(1, bid=BAND.up + 1, ask=0), "outside_band"),
    ],
)
def test_where_nobody_may_trade_a_quote_says_nothing(told: Quote, rejection: str | None) -> None:
    assert judged(banded(), told) == [rejection]
    assert judged(seasoned(), told) == [None], "within a tenth of the last price"


def test_a_band_that_the_market_has_left_for_a_minute_is_an_old_one() -> None:
    guard, far = banded(), BAND.up + 100
    outside = [quote(second, bid=far, ask=far + 100) for second in (1, 30, 61, 62, 63)]
    assert judged(guard, *outside) == ["outside_band"] * 3 + [None] * 2


def test_a_quote_within_the_band_between_begins_the_minute_anew() -> None:
    guard, far = banded(), BAND.up + 100
    assert judged(guard, quote(1, bid=far, ask=far + 100), quote(50)) == ["outside_band", None]
    assert judged(guard, quote(63, bid=far, ask=far + 100)) == ["outside_band"]


@pytest.mark.parametrize(
    "instead",
    [
        PriceBand(symbol=T, at_ns=OPEN_NS, up=0, down=0),
        PriceBand(symbol=T, at_ns=OPEN_NS, up=PRICE + 9_000, down=PRICE),
        PriceBand(symbol=T, at_ns=OPEN_NS - 24 * 60 * MINUTE_NS, up=BAND.up, down=BAND.down),
    ],
    ids=["not known any more", "another one", "of the day before"],
)
def test_another_band_takes_its_place(instead: PriceBand) -> None:
    guard = banded()
    guard.take_band(instead)
    assert judged(guard, quote(1, bid=BAND.up + 100, ask=BAND.up + 200)) == [None]
