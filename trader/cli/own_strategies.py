"""Strategies of a person's own: NAME from strategies/NAME.py beside the configuration, or any module:Class.

They run in this process and with its rights: Python can't fence them in. What they can't do is send an order; they
wish, like those of the library. One that can't be loaded is told with file and line, and the others trade.
"""

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import click
from msgspec import Struct

from trader.cli.options import config_text, shown_path, stated_at
from trader.config import Config, parse_config
from trader.exits import Mistake
from trader.model import Bar
from trader.strategies import STRATEGIES, build
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish

T = TypeVar("T")
PACKAGE = "strategies"  # the folder's name, and under it the modules'
NAME = r"[a-z][a-z0-9-]{0,31}"
LIBRARY = frozenset(STRATEGIES)
WISHES_READ = {"trader.worker", "trader.strategies.base"}  # where what a strategy gave is looked at
CLASS = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"


class StrategyBroken(Mistake):
    """A person's own strategy can't be loaded; `where` is its file and line, as far as they are known."""


class Absent(Strategy):
    """In the place of one that can't be loaded: it wishes nothing, and its symbols are free for the others."""

    Parameters = Struct  # of any name: nobody can say what they would have been

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return ()


def folder_of(config_path: Path | None) -> Path:
    """Where one's own are kept."""
    return (config_path or Path("trader.toml")).absolute().with_name(PACKAGE)


def learn_strategies(config: Config, config_path: Path | None) -> None:
    """Make those that the configuration names known to the trader; raises StrategyBroken where it has no others.

    A kind for which there is no file is left to whoever builds it, who says which there are.
    """
    folder, known = folder_of(config_path), frozenset(STRATEGIES)
    broken: dict[str, StrategyBroken] = {}
    for name, wanted in config.strategies.items():
        kind = wanted.kind
        try:
            if kind not in known and _is_there(kind, folder):
                STRATEGIES[kind] = load(kind, folder)
                _tried(kind, folder, partial(build, kind, name, wanted.params, wanted.size.size))
        except StrategyError as error:
            raise Mistake(str(error), where=str(config_path or "")) from None
        except StrategyBroken as error:
            broken[kind] = error
    _check_stated(config, config_path, broken)
    STRATEGIES.update(dict.fromkeys(broken, Absent))
    absent = {name: one.kind for name, one in config.strategies.items() if one.kind in broken}
    if absent.keys() == config.strategies.keys():
        raise next(iter(broken.values()))
    for name, kind in absent.items():
        click.echo(f"trade: {broken[kind]}: strategy {name} trades nothing in this run", err=True)


def renew_strategies(config: Config, config_path: Path | None) -> None:
    """Load those of the folder again: nothing is left of what their modules have kept."""
    own = {one.kind for one in config.strategies.values() if re.fullmatch(NAME, one.kind)}
    own -= LIBRARY
    if not own:
        return
    for kind in own:
        STRATEGIES.pop(kind, None)
    for loaded in [one for one in sys.modules if one.startswith(f"{PACKAGE}.")]:
        del sys.modules[loaded]
    learn_strategies(config, config_path)


@contextmanager
def blaming_strategies(config: Config, config_path: Path | None) -> Iterator[None]:
    """What fails in one's own strategies, or in what they gave, is a StrategyBroken with its place."""
    kinds = [one.kind for one in config.strategies.values() if one.kind not in LIBRARY]
    try:
        yield
    except (Exception, SystemExit) as error:
        if not kinds or isinstance(error, Mistake):
            raise
        where = _within(error, folder_of(config_path), kinds) or _given_by(error, kinds)
        if not where:
            raise
        raise StrategyBroken(f"{type(error).__name__}: {error}", where=where) from None


def _within(error: BaseException, folder: Path, kinds: Sequence[str]) -> str:
    """File and line, the innermost, of one's own code; empty where it isn't in it."""
    files = {_source(kind) for kind in kinds}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path in files or path.is_relative_to(folder):
            return f"{shown_path(path)}:{frame.lineno}"
    return ""


def _given_by(error: BaseException, kinds: Sequence[str]) -> str:
    """The files of those whose wishes may be what it fails on; empty where it doesn't fail on a wish."""
    modules = {
        frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)
    }
    return ", ".join(shown_path(_source(kind)) for kind in kinds) if WISHES_READ & modules else ""


def _source(kind: str) -> Path:
    module = sys.modules.get(STRATEGIES[kind].__module__)
    return Path(getattr(module, "__file__", None) or kind)


def _check_stated(config: Config, config_path: Path | None, broken: Collection[str]) -> None:
    """Raise Mistake with the line of a strategy that can't be made, where a file states it."""
    if config_path is None:
        return
    text = config_text(config_path)
    stated = parse_config(text, where=str(config_path)).strategies
    for name, wanted in config.strategies.items():
        if wanted.kind in broken:
            continue
        try:
            build(wanted.kind, name, wanted.params, wanted.size.size)
        except StrategyError as error:
            if stated.get(name) != wanted:
                raise Mistake(str(error)) from None  # By the command line.
            what, _, inner = str(error).partition(" - at `$")
            key = f"strategies.{name}.params{inner.rstrip('`')}"
            if wanted.kind not in STRATEGIES:
                key = f"strategies.{name}.kind"
            raise Mistake(f"{key}: {what}", where=stated_at(config_path, key)) from None


def load(kind: str, folder: Path) -> type[Strategy]:
    """The class of a NAME in this folder, or of a module:Class; raises StrategyBroken."""
    name, _, class_name = kind.partition(":")
    module_name = name if class_name else f"{PACKAGE}.{module_of(name)}"
    module = _tried(kind, folder, lambda: _imported(module_name, folder))
    where = shown_path(Path(module.__file__ or name))
    found = getattr(module, class_name, None) if class_name else _only_one(module, where)
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        raise StrategyBroken(f"{class_name} is no Strategy", where=where)
    if missing := ", ".join(sorted(found.__abstractmethods__)):
        raise StrategyBroken(f"{found.__name__} lacks {missing}", where=where)
    return found


def module_of(name: str) -> str:
    """The module, and so the file, of a strategy's name."""
    return name.replace("-", "_")


def _is_there(kind: str, folder: Path) -> bool:
    is_file = re.fullmatch(NAME, kind) and _file_of(kind, folder).is_file()
    return bool(is_file or re.fullmatch(CLASS, kind))


def _imported(name: str, folder: Path) -> ModuleType:
    """The folder is no part of Python's path: a trio.py in it must not stand in for the package."""
    package = sys.modules.get(PACKAGE)
    if folder.is_dir() and getattr(package, "__path__", None) != [str(folder)]:
        for loaded in [one for one in sys.modules if one.startswith(f"{PACKAGE}.")]:
            del sys.modules[loaded]
        sys.modules[PACKAGE] = package = ModuleType(PACKAGE, "Strategies of one's own.")
        package.__path__ = [str(folder)]
    return importlib.import_module(name)


def _only_one(module: ModuleType, where: str) -> type[Strategy]:
    classes = [one for one in vars(module).values() if inspect.isclass(one)]
    own = [one for one in classes if one.__module__ == module.__name__]
    found = [one for one in own if issubclass(one, Strategy)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.__name__ for one in found) or "none"
    raise StrategyBroken(
        f"one Strategy is wanted, there are: {names}",
        where=where,
        remedy=f'or say which: kind = "{module.__name__}:NAME"',
    )


def _tried(kind: str, folder: Path, act: Callable[[], T]) -> T:
    """What it gives; raises StrategyBroken where a stranger's code fails in it."""
    try:
        return act()
    except (Exception, SystemExit) as error:
        if isinstance(error, StrategyError | Mistake):
            raise
        where = _place(error, kind, folder)
        raise StrategyBroken(f"{type(error).__name__}: {error}", where=where) from None


def _place(error: BaseException, kind: str, folder: Path) -> str:
    """File and line within the folder where it came from, the innermost; else what was to be loaded."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown_path(Path(error.filename))}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(folder):
            return f"{shown_path(Path(frame.filename))}:{frame.lineno}"
    return kind if ":" in kind else shown_path(_file_of(kind, folder))


def _file_of(name: str, folder: Path) -> Path:
    return folder / f"{module_of(name)}.py"
