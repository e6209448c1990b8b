"""What a person may set in trader.toml: typed, bounded, and refused with file, line and key where it is wrong.

Parsing is strict because a typing mistake in a limit must never become the limit's default: a key that isn't
known, a number in quotes, a limit that is zero or not finite stops the start. TOML's floats are read as Decimals,
digit for digit.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from trader.exits import Mistake, did_you_mean
from trader.limits import CANARY, CanaryLimits, Limits, Why, missing, objection
from trader.model import Distances, Size, StrategyName, Symbol
from trader.money import AmountError, bounded, plain
from trader.toml_lines import line_of

CONFIG_BYTES_MAX = 100_000
SYMBOLS_MAX = 1_000
COUNT_MAX = 1_000_000  # of a limit that counts something
SECONDS_MAX = 86_400
PROTECTED_S_MAX = 366 * 86_400
AUCTION_SHUT_MINUTES = 10  # before the close, when the closing auction takes no more orders
MINUTES_BEFORE_CLOSE_MAX = 120  # a half day has 210
DIGITS_MAX = 40  # before or after the point of a number that is read at all


class ConfigError(Mistake):
    """The configuration is wrong; `where` names the file and, where it is known, the line."""


class BrokerName(StrEnum):
    SIMULATED = "simulated"
    ALPACA_PAPER = "alpaca-paper"
    ALPACA_LIVE = "alpaca-live"


class Fees(Struct, frozen=True, kw_only=True):
    """Regulatory fees on sells: the SEC's on the notional, FINRA's activity fee on each share, capped by order."""

    sell_notional_rate: Decimal = Decimal("0.0000278")
    sell_share_rate: Decimal = Decimal("0.000166")
    sell_share_cap: Decimal = Decimal("8.3")


class SizeConfig(Struct, frozen=True, kw_only=True):
    """How much a strategy wants with each signal: exactly one of them (see model.Size)."""

    shares: Decimal | None = None
    notional: Decimal | None = None
    equity: Decimal | None = None
    target: Decimal | None = None
    volatility: Decimal | None = None

    @property
    def size(self) -> Size:
        ((unit, amount),) = self.given().items()
        return Size(unit=unit, amount=amount)

    def given(self) -> dict[str, Decimal]:
        return {
            unit: amount
            for unit, amount in msgspec.structs.asdict(self).items()
            if amount is not None
        }


class AtClose(StrEnum):
    """What becomes of a strategy's working entries and positions when the regular session ends."""

    KEEP = "keep"
    CANCEL = "cancel"  # working entries go, positions stay
    FLATTEN = "flatten"  # both go
    AUCTION = "auction"  # both go, positions with the closing auction


class Closing(Struct, frozen=True, kw_only=True):
    """That, and how long before the close."""

    at_close: AtClose = AtClose.KEEP
    minutes_before_close: int = 5


class StrategyConfig(Struct, frozen=True, kw_only=True):
    """One strategy to run. Its parameters are ints, Decimals, texts or booleans; their names are its own affair."""

    kind: str
    params: dict[str, object] = {}
    size: SizeConfig = SizeConfig(notional=Decimal(2_000))
    protection: Distances = Distances()  # of entries that bring none of their own
    at_close: AtClose = AtClose.KEEP
    minutes_before_close: int = 5

    @property
    def closing(self) -> Closing:
        return Closing(at_close=self.at_close, minutes_before_close=self.minutes_before_close)


def configured(strategy: StrategyConfig) -> str:
    """A hash of all that is set of a strategy: what changes it makes another one of it."""
    told = msgspec.json.encode(strategy, order="deterministic")
    return hashlib.blake2b(told, digest_size=8).hexdigest()


def _default_strategies() -> dict[StrategyName, StrategyConfig]:
    crossover = StrategyConfig(kind="sma-crossover", params={"fast": 10, "slow": 30})
    return {StrategyName("sma-crossover"): crossover}


class AlarmConfig(Struct, frozen=True, kw_only=True):
    """Whom to tell of an alarm: a program and its arguments, run without a shell (see alarm_command.py)."""

    command: tuple[str, ...] = ()


class Config(Struct, frozen=True, kw_only=True):
    """A whole trader.toml."""

    broker: BrokerName = BrokerName.SIMULATED
    account: str = ""  # the broker's account number; live needs it
    symbols: tuple[Symbol, ...] = tuple(
        map(Symbol, ("AAPL", "JD", "TERN", "TRIP", "SNDK", "CYBR", "GS", "T"))
    )
    extended_hours: bool = False
    limits: Limits = Limits()
    fees: Fees = Fees()
    alarm: AlarmConfig = AlarmConfig()
    strategies: dict[StrategyName, StrategyConfig] = field(default_factory=_default_strategies)


class _BadKey(Exception):
    """A key path, and what is wrong with its value."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(path, what)
        self.path = path
        self.what = what


def parse_config(text: str, *, where: str = "trader.toml") -> Config:
    """The configuration that a TOML text states; raises ConfigError. An empty text is the defaults."""
    raw = parse_toml(text, where)
    try:
        _check_alarm(raw.get("alarm"))
        config = msgspec.convert(raw, Config)
        _check_table(raw, Config, "")
        _check_config(config)
    except msgspec.ValidationError as error:
        raise _located(_named(error, raw), text, where) from None
    except _BadKey as error:
        raise _located(error, text, where) from None
    return config


def _named(error: msgspec.ValidationError, raw: Mapping[str, object]) -> _BadKey:
    """With the strategy's name, where it is about one, and with the words that would do."""
    what, _, path = str(error).partition(" - at `$")
    path = path.strip(".`")
    tables = raw.get("strategies")
    if path.startswith("strategies[...]") and isinstance(tables, dict):
        for name, table in tables.items():
            try:
                msgspec.convert(table, StrategyConfig)
            except msgspec.ValidationError as own:
                what, _, inner = str(own).partition(" - at `$")
                path = f"strategies.{name}{inner.rstrip('`')}"
                break
    if what.startswith("Invalid enum value"):
        words: type[StrEnum] = AtClose if path.endswith("at_close") else BrokerName
        what += f"; one of {', '.join(words)}"
    return _BadKey(path, what)


def limits_missing(text: str, *, where: str = "trader.toml") -> list[str]:
    """The limits that a text doesn't write out; real money wants every one of them stated."""
    return missing(_limits_written(text, where))


def for_real_money(config: Config, text: str) -> Config:
    """The configuration with the defaults that hold for real money only."""
    if "stop_required" in _limits_written(text, "trader.toml"):
        return config
    return replace(config, limits=replace(config.limits, stop_required=True))


def _limits_written(text: str, where: str) -> dict[str, object]:
    limits = parse_toml(text, where).get("limits")
    return limits if isinstance(limits, dict) else {}


def parse_toml(text: str, where: str) -> dict[str, object]:
    """The tables of a TOML text, its floats as Decimals; raises ConfigError."""
    if len(text) > CONFIG_BYTES_MAX:
        raise ConfigError(f"longer than {CONFIG_BYTES_MAX:,} bytes", where=where)
    if text.startswith("\ufeff"):
        raise ConfigError(
            "begins with a byte-order mark", where=f"{where}:1", remedy="save it as plain UTF-8"
        )
    try:
        return tomllib.loads(text, parse_float=_exact)
    except RecursionError:
        raise ConfigError("nested too deeply", where=where) from None
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        raise ConfigError(what, where=f"{where}:{line[1]}" if line else where) from None
    except ValueError:  # Python reads no integers of more than 4,300 digits.
        raise ConfigError("a number of thousands of digits", where=where) from None


def _exact(text: str) -> Decimal:
    """A TOML float in plain form; one that no Decimal can hold is NaN, which _check_number refuses by its key."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")
    return plain(value) if value.is_finite() and abs(value.adjusted()) <= DIGITS_MAX else value


PART_MAX = 4  # what may be no more than this is a part of something
# What a number may be: least (itself allowed or not) and most.
_BOUNDS: Mapping[str, tuple[str, int]] = {
    "order_notional_max": ("above", 10**9),
    "order_quantity_max": ("above", 10**7),
    "position_notional_max": ("above", 10**9),
    "exposure_max": ("above", 4),
    "entries_open_max": ("above", COUNT_MAX),
    "entries_per_minute_max": ("above", COUNT_MAX),
    "entries_per_symbol_per_day_max": ("above", COUNT_MAX),
    "entries_notional_per_day_max": ("above", 10**11),
    "entries_per_day_max": ("above", COUNT_MAX),
    "executions_repeated_max": ("above", COUNT_MAX),
    "loss_day_max": ("above", 1),
    "drawdown_max": ("above", 1),
    "price_deviation_max": ("above", 1),
    "quote_age_max": ("above", SECONDS_MAX),
    "request_age_max": ("above", SECONDS_MAX),
    "adds_max": ("from", COUNT_MAX),
    "sell_notional_rate": ("from", 1),
    "sell_share_rate": ("from", 1),
    "sell_share_cap": ("from", 10**6),
    "shares": ("above", 10**9),
    "notional": ("above", 10**9),
    "equity": ("above", 4),
    "target": ("from", 10**9),
    "volatility": ("above", 1),
    "stop": ("above", 1),
    "trail": ("above", 1),
    "take_profit": ("above", 100),
    "exit_after": ("above", PROTECTED_S_MAX),
    "minutes_before_close": ("above", MINUTES_BEFORE_CLOSE_MAX),
}

_TABLES: Mapping[str, type[Struct]] = {
    "limits": Limits,
    "fees": Fees,
    "size": SizeConfig,
    "alarm": AlarmConfig,
    "protection": Distances,
    CANARY: CanaryLimits,
}


def _check_table(raw: Mapping[str, object], kind: type[Struct], path: str) -> None:
    """Keys and numbers of a table whose types msgspec has accepted; raises _BadKey."""
    for key, value in raw.items():
        here = f"{path}.{key}" if path else key
        if key not in kind.__struct_fields__:
            raise _BadKey(here, f"unknown key{did_you_mean(key, kind.__struct_fields__)}")
        for name, table, inner in _tables_in(key, value, here):
            _check_table(table, inner, name)
        if key == "params":
            _check_params(value, here)
        elif key in _BOUNDS:
            _check_number(value, here, *_BOUNDS[key])


def _tables_in(
    key: str, value: object, path: str
) -> Iterator[tuple[str, dict[str, object], type[Struct]]]:
    if isinstance(value, dict):
        if key in _TABLES:
            yield path, value, _TABLES[key]
        elif key == "strategies":
            for name, table in value.items():
                yield f"{path}.{name}", table, StrategyConfig
        elif key == "why":
            for name, table in value.items():
                yield f"{path}.{name}", table, Why


def _check_number(value: object, path: str, least: str, most: int) -> None:
    if isinstance(value, str):
        raise _BadKey(path, "a number is wanted, without quotes")
    assert isinstance(value, int | Decimal), "msgspec has accepted its type"
    try:
        number = bounded(Decimal(value))
    except AmountError as error:
        raise _BadKey(path, str(error)) from None
    if number < 0 or (number == 0 and least == "above"):
        raise _BadKey(
            path, f"must be {'above' if least == 'above' else 'at least'} 0, not {number}"
        )
    if number > most:
        part = (
            f" (0.1 is a tenth: {number} per cent are {number / 100})" if most <= PART_MAX else ""
        )
        raise _BadKey(path, f"must be at most {most:,}, not {number}{part}")


def number_objection(key: str, number: Decimal) -> str:
    """What is wrong with it as a value of that key, wherever it was written; empty where nothing is."""
    try:
        _check_number(number, key, *_BOUNDS[key])
    except _BadKey as bad:
        return bad.what
    return ""


def _check_params(params: object, path: str) -> None:
    assert isinstance(params, dict), "msgspec has accepted its type"
    for name, value in params.items():
        if not isinstance(value, int | Decimal | str):
            raise _BadKey(f"{path}.{name}", "must be a number, a text or a boolean")
        if isinstance(value, Decimal) and not value.is_finite():
            raise _BadKey(f"{path}.{name}", f"not finite: {value}")


def _check_alarm(alarm: object) -> None:
    """A command in one text would want a shell to take it apart, and a shell takes apart what is in it, too."""
    if not isinstance(alarm, dict) or "command" not in alarm:
        return
    match alarm["command"]:
        case [str(program), *arguments] if program and all(
            isinstance(one, str) and "\0" not in one for one in (program, *arguments)
        ):
            return
        case _:
            wanted = (
                'a program and its arguments are wanted: command = ["mail", "-s", "trader", "me"]'
            )
            raise _BadKey("alarm.command", wanted)


def _check_config(config: Config) -> None:
    if no_limits := objection(config.limits):
        raise _BadKey(*no_limits)
    if not config.symbols:
        raise _BadKey("symbols", "at least one symbol is wanted")
    if len(config.symbols) > SYMBOLS_MAX:
        raise _BadKey("symbols", f"at most {SYMBOLS_MAX:,} symbols")
    for symbol in config.symbols:
        if not is_symbol(symbol):
            raise _BadKey("symbols", f"not a symbol: {symbol[:40]!r}")
    if len(set(config.symbols)) < len(config.symbols):
        raise _BadKey("symbols", "the same symbol twice")
    if not re.fullmatch(r"[A-Za-z0-9-]{0,40}", config.account):
        raise _BadKey("account", "letters, digits and dashes only, at most 40")
    for name, strategy in config.strategies.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
            raise _BadKey(
                f"strategies.{name}", "a name is 1 to 32 small letters, digits and dashes"
            )
        if len(strategy.size.given()) != 1:
            raise _BadKey(
                f"strategies.{name}.size",
                f"exactly one of {', '.join(SizeConfig.__struct_fields__)} is wanted",
            )
        if wrong := strategy.protection.objection():
            raise _BadKey(f"strategies.{name}.protection", wrong)
        is_late = strategy.minutes_before_close <= AUCTION_SHUT_MINUTES
        if strategy.at_close is AtClose.AUCTION and is_late:
            raise _BadKey(
                f"strategies.{name}.minutes_before_close",
                f"the closing auction takes no orders in its last {AUCTION_SHUT_MINUTES} minutes: give more",
            )


def is_symbol(text: str) -> bool:
    """Whether a text has the form of a symbol of a US exchange, such as AAPL or BRK.B."""
    return re.fullmatch(r"[A-Z]{1,6}(\.[A-Z]{1,3})?", text) is not None


def _located(error: _BadKey, text: str, where: str) -> ConfigError:
    line = line_of(error.path, text)
    return ConfigError(
        f"{error.path}: {error.what}" if error.path else error.what,
        where=f"{where}:{line}" if line else where,
    )
