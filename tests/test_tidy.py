"""The rules of the house (see house_rules.py) hold in every module; and each would catch what it forbids."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.house_rules import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    LIVE_CODE_LINES_MAX,
    LIVE_ROOTS,
    MACHINE_PATH,
    MODULES,
    MODULES_OF_EXTRAS,
    MUTABLE_STRUCTS,
    ORDER_PATH,
    ORDER_PATH_LINES_MAX,
    PACKAGE_OF,
    PLAYED_PACKAGES,
    ROOT,
    WISHING,
    Module,
    cash_is_never_clamped,
    deciding_is_a_plain_function,
    declared,
    endpoints_are_async,
    files_are_short,
    functions_fit_on_a_screen,
    imports_go_down,
    imports_of,
    lower_floors_are_pure,
    money_is_never_float,
    money_is_not_read_from_views,
    nothing_runs_what_it_was_sent,
    only_declared_packages_are_imported,
    orders_leave_by_one_door,
    reached_from,
    the_journal_is_never_changed,
    the_last_line_shares_nothing,
    the_venue_knows_only_words,
    values_are_frozen,
)

Rule = Callable[[Module], Iterator[str]]

PLANTED: list[tuple[Rule, str, str]] = [
    (imports_go_down, "trader.risk", "from trader.execution import decide"),
    (imports_go_down, "trader.model", "def f():\n    import trader.journal.schema"),
    (imports_go_down, "trader.mystery", ""),
    (imports_go_down, "trader.risk", "import trader.mystery"),
    (the_venue_knows_only_words, "trader.venue.venue", "from trader import positions"),
    (lower_floors_are_pure, "trader.risk", "import trio"),
    (lower_floors_are_pure, "trader.risk", "async def f(): ..."),
    (lower_floors_are_pure, "trader.wire.alpaca", "from os import path"),
    (lower_floors_are_pure, "trader.risk", "import random\nx = random.random()"),
    (lower_floors_are_pure, "trader.risk", "from random import choice"),
    (lower_floors_are_pure, "trader.risk", "from uuid import UUID, uuid4"),
    (lower_floors_are_pure, "trader.risk", "import uuid\nx = uuid.uuid1()"),
    (lower_floors_are_pure, "trader.risk", "from datetime import datetime\nx = datetime.now()"),
    (lower_floors_are_pure, "trader.state", "x = open('f')"),
    (
        deciding_is_a_plain_function,
        "trader.execution",
        "async def decide(): ...\ndef evolve(): ...",
    ),
    (the_last_line_shares_nothing, "trader.conservation", "from trader import positions"),
    (the_last_line_shares_nothing, "trader.conservation", "from trader.state import ALL_SYMBOLS"),
    (values_are_frozen, "trader.model", "class A(Struct, frozen=True): ..."),
    (values_are_frozen, "trader.model", "class A(msgspec.Struct, kw_only=True): ..."),
    (
        values_are_frozen,
        "trader.model",
        "class A(Struct, frozen=True, kw_only=True): ...\nclass B(A): ...",
    ),
    (functions_fit_on_a_screen, "trader.risk", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
    (files_are_short, "trader.risk", "x = 1\n" * (FILE_LINES_MAX + 1)),
    (endpoints_are_async, "trader.simulator", "def page(r): ...\nRoute('/', page)"),
    (
        endpoints_are_async,
        "trader.simulator",
        "class A:\n  def page(self, r): ...\n  def b(s): Route('/', s.page)",
    ),
    (endpoints_are_async, "trader.simulator", "def page(request: Request) -> JSONResponse: ..."),
    (money_is_not_read_from_views, "trader.executor", "q = 'SELECT cash ' 'from account'"),
    (
        money_is_not_read_from_views,
        "trader.executor",
        "q = f'SELECT {x} FROM positions WHERE symbol = ?'",
    ),
    (
        the_journal_is_never_changed,
        "trader.journal.tables",
        "q = 'INSERT OR REPLACE INTO x VALUES (1)'",
    ),
    (the_journal_is_never_changed, "trader.journal.tables", "q = 'delete from journal'"),
    (the_journal_is_never_changed, "trader.journal.tables", "q = 'UPDATE journal SET hash = 0'"),
    (nothing_runs_what_it_was_sent, "trader.log", "import pickle"),
    (nothing_runs_what_it_was_sent, "trader.log", "eval('1')"),
    (
        nothing_runs_what_it_was_sent,
        "trader.build",
        "import subprocess\nsubprocess.run('ls', shell=True)",
    ),
    (cash_is_never_clamped, "trader.accounting", "cash = max(ZERO, cash - cost)"),
    (cash_is_never_clamped, "trader.accounting", "x = max(books.cash - cost, 0)"),
    (money_is_never_float, "trader.positions", "x = float(y)"),
    (money_is_never_float, "trader.positions", "x = 0.5"),
    (orders_leave_by_one_door, "trader.outbox", "link.exchange('POST', '/v2/orders', body)"),
    (orders_leave_by_one_door, "trader.outbox", "self._link.exchange(method, target)"),
    (orders_leave_by_one_door, "trader.live.run", "import trader.simulator.conformance.asking"),
    (orders_leave_by_one_door, "trader.simulator.conformance.asking", "import trader.journal"),
    (only_declared_packages_are_imported, "trader.strategies.sma", "import pandas"),
    (only_declared_packages_are_imported, "trader.strategies.sma", "import pytest"),
    (only_declared_packages_are_imported, "trader.simulator.pytest_plugin", "import pandas"),
    (only_declared_packages_are_imported, "trader.pages", "import plotly"),
    (only_declared_packages_are_imported, "trader.feeds.parquet_columns", "import pyarrow"),
    (only_declared_packages_are_imported, "trader.pages", "def f():\n    import pyarrow"),
    (only_declared_packages_are_imported, "trader.risk", "def f():\n    import plotly"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in PLANTED))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_is_tidy(rule: Rule) -> None:
    assert [wrong for module in MODULES for wrong in rule(module)] == []


@pytest.mark.parametrize(
    ("rule", "name", "source"), PLANTED, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_rule_objects_to_what_it_forbids(rule: Rule, name: str, source: str) -> None:
    module = Module(name, ast.parse(source), source.count("\n"), 0)
    assert list(rule(module)) != []


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """Names left over after all that import nothing of the rest were taken away, again and again."""
    left = {name: imported & graph.keys() - {name} for name, imported in graph.items()}
    while free := [name for name, imported in left.items() if not imported & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_nothing_imports_what_only_an_extra_can() -> None:
    imported = {name for module in MODULES for name in imports_of(module)}
    assert imported & MODULES_OF_EXTRAS.keys() == set()
    assert {module.name for module in MODULES} >= MODULES_OF_EXTRAS.keys()


def test_no_imports_go_round_in_circles() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [
        "a",
        "b",
        "c",
        "d",
    ]
    assert cycle_in({module.name: set(imports_of(module)) for module in MODULES}) == []


def test_the_program_stays_small() -> None:
    path = sum(
        module.lines for module in MODULES if module.name.removeprefix("trader.") in ORDER_PATH
    )
    assert path < ORDER_PATH_LINES_MAX


def test_what_runs_with_somebodys_money_stays_small() -> None:
    reached = reached_from(LIVE_ROOTS)
    assert {"trader.executor", "trader.brokers.alpaca.sending", "trader.journal.sqlite"} <= reached
    live = [
        module
        for module in MODULES
        if module.name in reached
        and not module.name.startswith(PLAYED_PACKAGES)
        and module.name not in WISHING
    ]
    assert sum(module.code_lines for module in live) < LIVE_CODE_LINES_MAX


def test_nothing_that_is_counted_knows_a_strategy_of_the_library() -> None:
    assert "trader.strategies.sma_crossover" in WISHING
    assert "trader.strategies.base" not in WISHING
    live = reached_from(LIVE_ROOTS) - WISHING
    counted = [module for module in MODULES if module.name in live]
    knowing = {module.name for module in counted if WISHING & set(imports_of(module))}
    assert {name for name in knowing if not name.startswith(PLAYED_PACKAGES)} == {
        "trader.strategies"
    }


def test_nothing_that_trades_knows_of_the_audit_of_others() -> None:
    auditing = {module.name for module in MODULES if module.name.startswith("trader.audit")}
    assert auditing
    assert reached_from(LIVE_ROOTS) & auditing == set()
    assert "trader.brokers.alpaca.sending" not in reached_from(auditing)


def test_mutable_values_that_are_allowed_exist() -> None:
    defined = {
        f"{module.name}.{node.name}"
        for module in MODULES
        for node in module.nodes()
        if isinstance(node, ast.ClassDef)
    }
    assert defined >= MUTABLE_STRUCTS


def files() -> Iterator[Path]:
    """Every text of the repository; not what tools, runs and git leave in hidden folders."""
    kinds = (".py", ".md", ".txt", ".toml", ".html", ".css", ".js", "")
    for path in ROOT.rglob("*"):
        top = path.relative_to(ROOT).parts[0]
        if path.suffix in kinds and (top == ".ci" or not top.startswith(".")) and path.is_file():
            yield path


def test_no_file_speaks_of_one_machine() -> None:
    assert MACHINE_PATH.search("see /" + "work/main")
    spoken = [path for path in files() if MACHINE_PATH.search(path.read_text("utf-8", "replace"))]
    assert spoken == []


def test_the_lock_of_the_javascript_client_names_no_server_and_has_hashes() -> None:
    text = (ROOT / "tests" / "alpaca_js" / "package-lock.json").read_text()
    assert "://" not in text
    packages = [one for name, one in json.loads(text)["packages"].items() if name]
    assert packages
    assert all(one["integrity"].startswith("sha512-") for one in packages)


def pins(name: str) -> dict[str, str]:
    """Each package of a lock file with its version."""
    text = (ROOT / "lock" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def test_the_lock_files_agree_with_the_project_and_name_no_server() -> None:
    run, develop = pins("run"), pins("develop")
    assert run.items() <= develop.items()
    assert {PACKAGE_OF.get(name, name) for name in declared()} <= run.keys()
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert {
        re.split(r"[<>=]", need)[0] for need in groups["develop"]
    } <= develop.keys() - run.keys()
    for name in ("run", "develop", "schemathesis"):
        text = (ROOT / "lock" / f"{name}.txt").read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text
        assert all(
            "--hash=" in entry
            for entry in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
        )
