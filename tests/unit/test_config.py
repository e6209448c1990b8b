"""What trader.toml may say, and how each way of getting it wrong is answered."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.cli.new_config import TEMPLATE
from trader.config import (
    CONFIG_BYTES_MAX,
    BrokerName,
    Config,
    ConfigError,
    Fees,
    for_real_money,
    is_symbol,
    limits_missing,
    parse_config,
)
from trader.exits import Exit
from trader.limits import (
    CANARY_NAMES,
    NAMES,
    CanaryLimits,
    Change,
    Limits,
    Why,
    changes,
    lines_of,
    unexplained,
    why_of,
)
from trader.model import Distances, Size, StrategyName
from trader.money import plain


def test_an_empty_text_is_the_defaults() -> None:
    assert parse_config("") == Config()


NUMBERS = [name for name in NAMES if name != "stop_required"]


def test_the_template_writes_the_defaults_out() -> None:
    written = parse_config(TEMPLATE)
    plain_limits = msgspec.structs.replace(written.limits, canary=None, why={})
    assert msgspec.structs.replace(written, limits=plain_limits) == Config()
    assert written.limits.canary == CanaryLimits()
    assert limits_missing(TEMPLATE) == []


def test_the_default_limits_are_the_published_ones() -> None:
    assert msgspec.structs.asdict(Limits()) == {
        "order_notional_max": Decimal(5000),
        "order_quantity_max": 10_000_000,
        "position_notional_max": Decimal(12500),
        "exposure_max": Decimal(1),
        "entries_open_max": 20,
        "entries_per_minute_max": 10,
        "entries_per_symbol_per_day_max": 3,
        "entries_notional_per_day_max": Decimal(100_000),
        "executions_repeated_max": 3,
        "loss_day_max": Decimal("0.02"),
        "drawdown_max": Decimal("0.06"),
        "price_deviation_max": Decimal("0.03"),
        "quote_age_max": 90,
        "request_age_max": 60,
        "adds_max": 0,
        "stop_required": False,
        "canary": None,
        "owner": "",
        "reason": "",
        "why": {},
    }
    assert Limits().quote_age_ns_max == 90 * 10**9
    assert Limits().request_age_ns_max == 60 * 10**9


def test_every_section_is_read() -> None:
    config = parse_config(
        """
        broker = "alpaca-paper"
        account = "PA3XYZ"
        symbols = ["SPY", "BRK.B"]
        extended_hours = true
        limits.loss_day_max = 0.013
        fees = { sell_share_cap = 9 }
        [strategies.open-close]
        kind = "open-close"
        params = { minutes = 5, share = 0.10, label = "x", late = false }
        size = { equity = 0.05 }
        """
    )
    assert config.broker is BrokerName.ALPACA_PAPER
    assert config.account == "PA3XYZ"
    assert config.symbols == ("SPY", "BRK.B")
    assert config.extended_hours
    assert config.limits == Limits(loss_day_max=Decimal("0.013"))
    assert config.fees == Fees(sell_share_cap=Decimal(9))
    ((name, strategy),) = config.strategies.items()
    assert (name, strategy.kind) == ("open-close", "open-close")
    assert strategy.params == {"minutes": 5, "share": Decimal("0.1"), "label": "x", "late": False}
    assert strategy.size.size == Size(unit="equity", amount=Decimal("0.05"))


def test_carriage_returns_and_tabs_are_no_mistake() -> None:
    assert parse_config("[limits]\r\n\tadds_max = 2\r\n").limits.adds_max == 2


@given(st.decimals(min_value="0.000000001", max_value=1, places=9))
def test_a_float_is_read_digit_for_digit(fraction: Decimal) -> None:
    read = parse_config(f"[limits]\nloss_day_max = {fraction:f}").limits.loss_day_max
    assert str(read) == str(plain(fraction))


WRONG = {
    "max_posiion = 3": ":1: max_posiion: unknown key",
    "[limits]\nquote_age = 3": ":2: limits.quote_age: unknown key, did you mean quote_age_max?",
    "[fees]\nx = 3": ":2: fees.x: unknown key",
    "[strategies.a]\nkind = 'a'\nsise = 3": ":3: strategies.a.sise: unknown key, did you mean size?",
    "[strategies.a]\nparams = {}": ":1: strategies.a: Object missing required field `kind`",
    "[limits]\nadds_max = 1\nadds_max = 2\n\n": ":3: Cannot overwrite a value",
    "[limits]\n[limits]": ":2: Cannot declare ('limits',) twice",
    "[limits]\norder_notional_max = nan": ":2: limits.order_notional_max: not finite: NaN",
    "[limits]\norder_notional_max = -inf": ":2: limits.order_notional_max: not finite: -Infinity",
    "[limits]\norder_notional_max = 1e999": ":2: limits.order_notional_max: beyond",
    "[limits]\norder_notional_max = 1e99999999999999999999": ":2: limits.order_notional_max: not finite",
    "[limits]\norder_notional_max = 1e-99999": ":2: limits.order_notional_max: more than 9 decimals",
    "[limits]\norder_notional_max = -5": ":2: limits.order_notional_max: must be above 0, not -5",
    "[limits]\norder_notional_max = 0": ":2: limits.order_notional_max: must be above 0, not 0",
    "[limits]\norder_notional_max = -0.0": ":2: limits.order_notional_max: must be above 0, not 0",
    "[limits]\norder_notional_max = '1e9'": ":2: limits.order_notional_max: a number is wanted, without quotes",
    "[limits]\norder_notional_max = 1e10": ":2: limits.order_notional_max: must be at most 1,000,000,000",
    "[limits]\norder_notional_max = true": ":2: limits.order_notional_max: Expected `decimal`, got `bool`",
    "[limits]\norder_notional_max = [5]": ":2: limits.order_notional_max: Expected `decimal`, got `array`",
    "[limits]\norder_notional_max = 2026-01-26": ":2: limits.order_notional_max: Expected `decimal`, got `date`",
    "[limits]\nloss_day_max = 2": ":2: limits.loss_day_max: must be at most 1, not 2 (0.1 is a tenth: 2 per cent are",
    "[limits]\nentries_open_max = 0": ":2: limits.entries_open_max: must be above 0, not 0",
    "[limits]\nentries_open_max = 20.0": ":2: limits.entries_open_max: Expected `int`",
    "[limits]\nentries_open_max = '20'": ":2: limits.entries_open_max: Expected `int`, got `str`",
    "[limits]\nadds_max = -1": ":2: limits.adds_max: must be at least 0, not -1",
    "limits.adds_max = -1": ":1: limits.adds_max: must be at least 0, not -1",
    "[[limits]]\nadds_max = 1": ":1: limits: Expected `object`, got `array`",
    "limits = 5": ":1: limits: Expected `object`, got `int`",
    "[limits.canary]\norder_notional_max = 0": ":2: limits.canary.order_notional_max: must be above 0",
    "[limits.canary]\norder_notional_max = 6_000": ":2: limits.canary.order_notional_max: must be at most"
    " limits.order_notional_max, 5000, not 6000",
    "[limits.canary]\norder_notional = 1": ":2: limits.canary.order_notional: unknown key, did you mean"
    " order_notional_max?",
    "[limits.canary]\nentries_per_day_max = 1.5": ":2: limits.canary.entries_per_day_max: Expected `int`",
    "[limits]\ncanary = true": ":2: limits.canary: Expected `object | null`, got `bool`",
    "[limits]\nowner = 5": ":2: limits.owner: Expected `str`, got `int`",
    '[limits]\nowner = "a\\nb"': ":2: limits.owner: one line of up to 200 characters is wanted",
    '[limits]\nreason = "   "': ":2: limits.reason: one line of up to 200 characters is wanted",
    f'[limits]\nreason = "{"x" * 201}"': ":2: limits.reason: one line of up to 200 characters",
    "[limits.why]\nadds = { owner = 'ada' }": ":2: limits.why.adds: no such limit, did you mean adds_max?",
    "[limits.why]\nadds_max = 'so'": ": limits.why[...]: Expected `object`, got `str`",
    "[limits.why]\nadds_max = { who = 'ada' }": ":2: limits.why.adds_max.who: unknown key",
    "[limits.why]\nadds_max = { reason = '' , owner = \"\\u0007\" }": ":2: limits.why.adds_max.owner: one line",
    f"[limits]\nadds_max = {'9' * 5000}": ": a number of thousands of digits",
    f"x = {'[' * 50_000}": ": nested too deeply",
    "limits: {adds_max: 1}": ":1: Expected '='",
    "\ufeffbroker = 'simulated'": ":1: begins with a byte-order mark",
    "broker = 'simulator'": ":1: broker: Invalid enum value 'simulator'; one of simulated, alpaca-paper, alpaca-live",
    "\n[strategies.a]\nat_close = 'keep'": ":2: strategies.a: Object missing required field `kind`",
    "\n[strategy.a]\nkind = 'a'": ":2: strategy: unknown key, did you mean strategies?",
    "\n[[fees]]\nsell_share_cap = 1": ":2: fees: Expected `object`, got `array`",
    "[strategies.a]\nkind = 'a'\nprotection.stop = 0.00001": (
        ":3: strategies.a.protection: stop must be whole hundredths of a percent, not 0.00001"
    ),
    "extended_hours = 1": ":1: extended_hours: Expected `bool`, got `int`",
    "shorting = true": ":1: shorting: unknown key",
    "account = 'a\\nb'": ":1: account: letters, digits and dashes only",
    "symbols = []": ":1: symbols: at least one symbol is wanted",
    "symbols = ['JD', 'JD']": ":1: symbols: the same symbol twice",
    'symbols = ["JD\\n"]': ":1: symbols: not a symbol: 'JD\\n'",
    "symbols = [3]": ":1: symbols[0]: Expected `str`, got `int`",
    "[strategies.'A b']\nkind = 'a'": ":1: strategies.A b: a name is",
    "[strategies.a]\nkind = 'a'\nsize = {shares = 1, notional = 5}": ":3: strategies.a.size: exactly one of",
    "[strategies.a]\nkind = 'a'\nsize = {}": ":3: strategies.a.size: exactly one of",
    "[strategies.a]\nkind = 'a'\nsize = {volatility = 1.1}": ":3: strategies.a.size.volatility: must be at most 1",
    "[strategies.a]\nkind = 'a'\nsize = {volatility = 0}": ":3: strategies.a.size.volatility: must be above 0",
    "[strategies.a]\nkind = 'a'\nsize = {shares = 0}": ":3: strategies.a.size.shares: must be above 0",
    "[strategies.a]\nkind = 'a'\nat_close = 'sell'": ":3: strategies.a.at_close: Invalid enum value 'sell'; one of",
    "[strategies.a]\nkind = 'a'\nat_close = 'auction'\nminutes_before_close = 10": (
        ":4: strategies.a.minutes_before_close: the closing auction takes no orders"
    ),
    "[strategies.a]\nkind = 'a'\nminutes_before_close = 0": ":3: strategies.a.minutes_before_close: must be above 0",
    "[strategies.a]\nkind = 'a'\nminutes_before_close = 121": ":3: strategies.a.minutes_before_close: must be at most",
    "[strategies.a]\nkind = 'a'\nminutes_before_close = 1.5": ":3: strategies.a.minutes_before_close: Expected `int`",
    "[alarm]\ncommand = 'mail me'": ":2: alarm.command: a program and its arguments are wanted",
    "[alarm]\ncommand = []": ":2: alarm.command: a program and its arguments are wanted",
    "[alarm]\ncommand = ['mail', 3]": ":2: alarm.command: a program and its arguments are wanted",
    "[alarm]\ncommand = ['']": ":2: alarm.command: a program and its arguments are wanted",
    '[alarm]\ncommand = ["mail", "a\\u0000b"]': ":2: alarm.command: a program and its arguments are wanted",
    "[alarm]\ncomand = ['mail']": ":2: alarm.comand: unknown key, did you mean command?",
    "[strategies.a]\nkind = 'a'\nparams = {fast = nan}": ":3: strategies.a.params.fast: not finite",
    "[strategies.a]\nkind = 'a'\nparams = {fast = [1]}": ":3: strategies.a.params.fast: must be a number",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_a_mistake_is_named_with_file_line_and_key(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, where="my.toml")
    assert str(caught.value).startswith("my.toml" + WRONG[text])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is Exit.MISTAKE


def test_a_text_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="longer than"):
        parse_config("#" * (CONFIG_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("table", "name"),
    [("limits", one) for one in NUMBERS]
    + [("limits.canary", one) for one in CANARY_NAMES]
    + [("fees", one) for one in Fees.__struct_fields__],
)
def test_every_number_has_bounds(table: str, name: str) -> None:
    for number in ("-1", str(10**12)):
        with pytest.raises(ConfigError, match="must be"):
            parse_config(f"{table}.{name} = {number}")


def test_the_limits_that_live_still_lacks_are_named() -> None:
    canary = [f"canary.{name}" for name in CANARY_NAMES]
    assert limits_missing("") == [*NUMBERS, *canary]
    written = "".join(f"{name} = 1\n" for name in NUMBERS if name != "drawdown_max")
    assert limits_missing(f"[limits]\n{written}") == ["drawdown_max", *canary]
    also = "[limits.canary]\norder_notional_max = 1\nentries_per_day_max = 1\n"
    assert limits_missing(f"[limits]\n{written}{also}") == [
        "drawdown_max",
        "canary.position_notional_max",
    ]
    assert limits_missing("limits = 3") == [*NUMBERS, *canary]


def test_real_money_wants_a_stop_with_each_entry_unless_somebody_says_otherwise() -> None:
    assert not Config().limits.stop_required
    assert for_real_money(Config(), "").limits.stop_required
    for word, wanted in (("true", True), ("false", False)):
        text = f"limits.stop_required = {word}"
        assert for_real_money(parse_config(text), text).limits.stop_required is wanted


def test_what_guards_a_strategys_entries_is_read() -> None:
    text = 'strategies.a = { kind = "x", protection = { stop = 0.02, take_profit = 0.05, exit_after = 3600 } }'
    guard = parse_config(text).strategies[StrategyName("a")].protection
    assert guard == Distances(stop=Decimal("0.02"), take_profit=Decimal("0.05"), exit_after=3600)


@pytest.mark.parametrize(
    ("protection", "complaint"),
    [
        ("stop = 1", "below 1, not"),
        ("stop = 0", "must be above 0"),
        ("trail = 0.00015", "hundredths of a percent"),
        ("stop = 0.1, trail = 0.1", "exclude each other"),
        ("exit_after = 0", "must be above 0"),
        ("stops = 0.1", "did you mean stop"),
    ],
)
def test_what_cannot_guard_is_refused(protection: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_config(f'strategies.a = {{ kind = "x", protection = {{ {protection} }} }}')


def test_the_summary_states_every_limit_in_plain_numbers() -> None:
    limits = Limits(order_notional_max=Decimal("1E+3"), canary=CanaryLimits())
    text = ", ".join(lines_of(limits))
    assert "order_notional_max 1000" in text
    assert all(name in text for name in NAMES)
    assert all(f"canary.{name}" in text for name in CANARY_NAMES)


# ------------------------------------------------------------------------------- whose, and why, and what changed

OWNED = """
[limits]
owner = "ada"
reason = "as last year"
[limits.why]
loss_day_max = { reason = "two bad days are a week's profit" }
adds_max = { owner = "grace" }
canary = { owner = "joan", reason = "nobody knows it yet" }
[limits.canary]
order_notional_max = 100
"""


def test_a_limit_has_its_own_owner_and_reason_or_those_of_the_table() -> None:
    limits = parse_config(OWNED).limits
    assert why_of(limits, "order_notional_max") == Why(owner="ada", reason="as last year")
    assert why_of(limits, "loss_day_max").owner == "ada"
    assert why_of(limits, "loss_day_max").reason == "two bad days are a week's profit"
    assert why_of(limits, "adds_max") == Why(owner="grace", reason="as last year")
    assert why_of(limits, "canary.order_notional_max").owner == "joan"
    assert unexplained(limits) == []


def test_limits_that_nobody_answers_for_are_named() -> None:
    assert unexplained(Limits()) == list(NAMES)
    assert unexplained(Limits(owner="ada")) == list(NAMES)
    whys = {name: Why(owner="ada", reason="so") for name in NAMES if name != "adds_max"}
    assert unexplained(Limits(why=whys)) == ["adds_max"]
    assert unexplained(Limits(why=whys, canary=CanaryLimits()))[1:] == [
        f"canary.{name}" for name in CANARY_NAMES
    ]


def test_a_change_says_what_was_and_is_and_who_wanted_it() -> None:
    before = Limits(canary=CanaryLimits())
    after = Limits(order_notional_max=Decimal(6000), adds_max=1, owner="ada", reason="more cash")
    why = Why(owner="ada", reason="more cash")
    assert list(changes(before, after)) == [
        Change(limit="order_notional_max", before="5000", after="6000", why=why),
        Change(limit="adds_max", before="0", after="1", why=why),
        *(
            Change(limit=f"canary.{name}", before=was, after="", why=why)
            for name, was in zip(CANARY_NAMES, ("2000", "2000", "20"), strict=True)
        ),
    ]
    assert list(changes(after, after)) == []


@pytest.mark.parametrize("text", ["AAPL", "T", "BRK.B"])
def test_a_symbol_is_capitals_with_perhaps_a_class(text: str) -> None:
    assert is_symbol(text)


NO_SYMBOLS = ["", " JD", "jd", "JD ", "JD\n", "JD\0", "A" * 1000, "😀", "\u0410APL", "\u202eJD"]
NO_SYMBOLS += ["../../etc/passwd", "'; DROP TABLE trades;--", "BRK/B", "BRK.", ".B", "JD.B.C"]


@pytest.mark.parametrize("text", NO_SYMBOLS)
def test_nothing_else_is_a_symbol(text: str) -> None:
    assert not is_symbol(text)
