"""What every verb takes: where the database, the log and the configuration are, and how to answer."""

import functools
import gc
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from msgspec import Struct

from trader.config import CONFIG_BYTES_MAX, Config, ConfigError, parse_config
from trader.exits import Mistake
from trader.journal.place import SQLITE
from trader.toml_lines import line_of

BOOKLESS = "history is gone through with books of its own and without a log"

P = ParamSpec("P")
R = TypeVar("R")


class Common(Struct, frozen=True, kw_only=True):
    """The options common to all verbs; the paths are absolute and are resolved only once, here."""

    database: Path
    log: Path
    config: Path | None  # None: there is no trader.toml here, and none was asked for
    json: bool


CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="The configuration.  [default: trader.toml, where there is one]",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def common_options(verb: Callable[Concatenate[Common, P], R]) -> Callable[P, R]:
    """Give a verb --database --log --config --json, bundled as its first argument."""

    @click.option(
        "--database",
        metavar="FILE",
        default="trading_data.db",
        show_default=True,
        help="The books.",
    )
    @click.option(
        "--log", metavar="FILE", help="The log.  [default: trader.log beside the database]"
    )
    @CONFIG
    @JSON
    @functools.wraps(verb)
    def with_options(*args: P.args, **kwargs: P.kwargs) -> R:
        common = _common(
            kwargs.pop("database"),
            kwargs.pop("log"),
            kwargs.pop("config"),
            bool(kwargs.pop("as_json")),
        )
        return verb(common, *args, **kwargs)

    return with_options


def bookless_options(verb: Callable[Concatenate[Common, P], R]) -> Callable[P, R]:
    """The same for a verb that has nothing to do with the books of a run; --database and --log are refused."""

    @click.option("--database", hidden=True)
    @click.option("--log", hidden=True)
    @CONFIG
    @JSON
    @functools.wraps(verb)
    def with_options(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in ("database", "log"):
            given = kwargs.pop(name)
            if given is not None:
                raise Mistake("means nothing here: " + BOOKLESS, where=f"--{name} {given}")
        common = Common(
            database=Path("trading_data.db").absolute(),
            log=Path("trader.log").absolute(),
            config=_config_path(kwargs.pop("config")),
            json=bool(kwargs.pop("as_json")),
        )
        return verb(common, *args, **kwargs)

    return with_options


def _common(database: object, log: object, config: object, as_json: bool) -> Common:
    database_path = file_path(str(database), "--database")
    log_path = (
        file_path(str(log), "--log") if log is not None else database_path.with_name("trader.log")
    )
    if log_path == database_path:
        raise Mistake("the log and the database are the same file", where=str(log_path))
    if log is not None:
        check_no_database(log_path, "--log")
    config_path = _config_path(config)
    return Common(database=database_path, log=log_path, config=config_path, json=as_json)


def _config_path(config: object) -> Path | None:
    if config is None and not Path("trader.toml").exists():
        return None
    return file_path("trader.toml" if config is None else str(config), "--config")


def file_path(text: str, option: str) -> Path:
    """An absolute path that names a plain file or nothing yet, in a folder that exists; raises Mistake."""
    where = f"{option} {text}"
    if not text or not text.isprintable():
        raise Mistake("not a file name", where=where)
    if text.startswith(("~", "file:", ":")):
        raise Mistake(
            "not a plain path", where=where, remedy="give a path without ~ and without a scheme"
        )
    path = Path(text)
    if path.is_symlink():
        raise Mistake("a symbolic link", where=where, remedy="give the path of the file itself")
    path = path.absolute().parent.resolve() / path.name
    if not path.parent.is_dir():
        raise Mistake("there is no such folder", where=where, remedy=f"mkdir -p {path.parent}")
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise Mistake("not a plain file", where=where)
    return path


def check_no_database(path: Path, option: str) -> None:
    """Raise Mistake where lines would be appended to somebody's database."""
    try:
        with path.open("rb") as file:
            is_database = file.read(len(SQLITE)) == SQLITE
    except OSError:
        return  # Not there yet, or not to be read: whoever opens it says so.
    if is_database:
        raise Mistake("is a database", where=f"{option} {path}", remedy="give a new name")


def new_file(text: str, option: str) -> Path:
    """The same of a file that isn't there yet: a verb that writes one replaces nobody's; raises Mistake."""
    path = file_path(text, option)
    if path.exists():
        raise _there(path, option)
    return path


def write_new(path: Path, option: str, data: bytes) -> None:
    """Write a file that still isn't there; raises Mistake where it can't."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise _there(path, option) from None
    except OSError as error:
        raise Mistake(f"can't be written: {error.strerror}", where=f"{option} {path}") from None


def _there(path: Path, option: str) -> Mistake:
    return Mistake("is there already", where=f"{option} {path}", remedy="give a new name")


def read_config(common: Common) -> Config:
    """The configuration of this start: the file's where there is one, else the defaults; raises ConfigError."""
    return (
        Config()
        if common.config is None
        else parse_config(config_text(common.config), where=str(common.config))
    )


def stated_at(config: Path | None, key: str) -> str:
    """FILE:LINE of a key, as far as that can be told."""
    if config is None:
        return ""
    line = line_of(key, config_text(config))
    return f"{config}:{line}" if line else str(config)


def config_text(path: Path, remedy: str = "bin/trade new-config writes one") -> str:
    """The text of a TOML file; raises ConfigError where it is missing, too long, or not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(str(error.strerror), where=str(path), remedy=remedy) from None
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigError(f"longer than {CONFIG_BYTES_MAX:,} bytes", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError("not UTF-8 text", where=f"{path}:{line}") from None


def parameters(texts: Sequence[str]) -> dict[str, object]:
    """What `--param NAME=VALUE` says, each once or more; raises Mistake."""
    for text in texts:
        if "=" not in text[1:]:
            raise Mistake(f"not NAME=VALUE: {text!r}", where="--param")
    return {**dict(text.split("=", 1) for text in texts)}


def write_page(path: Path, text: str) -> None:
    """What `--html` writes; raises Mistake where it can't."""
    write_new(path, "--html", text.encode())


def shown_path(path: Path) -> str:
    """As a person in this folder would type it."""
    folder = Path.cwd()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def quiet_interpreter() -> None:
    """Fewer pauses in the middle of a turn: what was loaded is never looked at again, and threads hand over sooner."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)
    sys.setswitchinterval(0.0005)
