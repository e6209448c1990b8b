"""Strategies of a person's own: NAME from strategies/NAME.py beside the configuration, or any module:Class.

They run in this process and with its rights: Python can't fence them in. What they can't do is send an order; they
wish, like those of the library. One that can't be loaded is told with file and line, and the others trade.
"""

import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import ClassVar, TypeVar

import click
from msgspec import Struct

from trader.cli.options import shown_path
from trader.config import Config
from trader.exits import Mistake
from trader.model import Bar, StrategyName
from trader.strategies import STRATEGIES, build
from trader.strategies.base import Strategy, StrategyError, SymbolView, Wish

T = TypeVar("T")
PACKAGE = "strategies"  # the folder's name, and under it the modules'
NAME = r"[a-z][a-z0-9-]{0,31}"
CLASS = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"


class StrategyBroken(Mistake):
    """A person's own strategy can't be loaded; `where` is its file and line, as far as they are known."""


class AnyParameters(Struct, frozen=True, kw_only=True):
    """Of what can't be loaded: nobody can say what they would have been."""


class Absent(Strategy):
    """In the place of one that can't be loaded: it wishes nothing, and its symbols are free for the others."""

    Parameters: ClassVar[type[Struct]] = AnyParameters

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        return ()


def folder_of(config_path: Path | None) -> Path:
    """Where one's own are kept."""
    return (config_path or Path("trader.toml")).absolute().with_name(PACKAGE)


def learn_strategies(config: Config, config_path: Path | None) -> None:
    """Make those that the configuration names known to the trader; raises StrategyBroken where it has no others.

    A kind for which there is no file is left to whoever builds it, who says which there are.
    """
    folder, broken = folder_of(config_path), dict[StrategyName, StrategyBroken]()
    for name, wanted in config.strategies.items():
        if wanted.kind in STRATEGIES or not _is_there(wanted.kind, folder):
            continue
        try:
            STRATEGIES[wanted.kind] = load(wanted.kind, folder)
            _tried(
                wanted.kind,
                folder,
                partial(build, wanted.kind, name, wanted.params, wanted.size.size),
            )
        except StrategyError as error:
            raise Mistake(str(error), where=str(config_path or "")) from None
        except StrategyBroken as error:
            broken[name] = error
            STRATEGIES[wanted.kind] = Absent
    if broken and len(broken) == len(config.strategies):
        raise next(iter(broken.values()))
    for strategy, why in broken.items():
        click.echo(f"trade: {why}: strategy {strategy} trades nothing in this run", err=True)


def load(kind: str, folder: Path) -> type[Strategy]:
    """The class of a NAME in this folder, or of a module:Class; raises StrategyBroken."""
    module_name, _, class_name = kind.partition(":")
    if not class_name:
        module_name = f"{PACKAGE}.{module_of(kind)}"
    module = _tried(kind, folder, lambda: _imported(module_name, folder))
    found = getattr(module, class_name, None) if class_name else _only_one(module)
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        raise StrategyBroken(f"{class_name} is no Strategy", where=_shown(module.__file__))
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise StrategyBroken(f"{found.__name__} lacks {missing}", where=_shown(module.__file__))
    return found


def module_of(name: str) -> str:
    """The module, and so the file, of a strategy's name."""
    return name.replace("-", "_")


def _is_there(kind: str, folder: Path) -> bool:
    if re.fullmatch(CLASS, kind):
        return True
    return bool(re.fullmatch(NAME, kind)) and _file_of(kind, folder).is_file()


def _imported(name: str, folder: Path) -> ModuleType:
    """The folder is no part of Python's path: a trio.py in it must not stand in for the package."""
    package = sys.modules.get(PACKAGE)
    if folder.is_dir() and getattr(package, "__path__", None) != [str(folder)]:
        for loaded in [one for one in sys.modules if one.startswith(f"{PACKAGE}.")]:
            del sys.modules[loaded]
        package = ModuleType(PACKAGE, "Strategies of one's own.")
        package.__path__ = [str(folder)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(name)


def _only_one(module: ModuleType) -> type[Strategy]:
    found = [
        one
        for one in vars(module).values()
        if inspect.isclass(one) and issubclass(one, Strategy) and one.__module__ == module.__name__
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.__name__ for one in found)
    what = f"has several strategies: {names}" if found else "has no class that is a Strategy"
    remedy = f'say which: kind = "{module.__name__}:{found[0].__name__}"' if found else ""
    raise StrategyBroken(what, where=_shown(module.__file__), remedy=remedy)


def _tried(kind: str, folder: Path, act: Callable[[], T]) -> T:
    """What it gives; raises StrategyBroken where a stranger's code fails in it."""
    try:
        return act()
    except (StrategyError, Mistake):
        raise
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}"
        raise StrategyBroken(what, where=_place(error, kind, folder)) from None


def _place(error: BaseException, kind: str, folder: Path) -> str:
    """File and line within the folder where it came from, the innermost; else what was to be loaded."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in frames if Path(one.filename).is_relative_to(folder)]
    if theirs:
        return f"{_shown(theirs[-1].filename)}:{theirs[-1].lineno}"
    return kind if ":" in kind else _shown(str(_file_of(kind, folder)))


def _file_of(name: str, folder: Path) -> Path:
    return folder / f"{module_of(name)}.py"


def _shown(file: str | None) -> str:
    return shown_path(Path(file or ""))
