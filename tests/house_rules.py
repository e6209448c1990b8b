"""The rules of the house that a program can check: a rule takes a module and yields what is wrong with it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# Where each module or package stands. A module imports its own floor or lower ones.
FLOORS = {
    0: "model messages money calendar calendar_table limits config exits remedies sources toml_lines",
    1: "orders recognition positions reductions question protection risk allowance brakes accounting lots"
    " reconcile market_guard marks nights splits closing hours strategies venue wire",
    2: "execution inquiry state evolve conditions reports agreement movements corrections"
    " soundness reducing commands disruptions sessions limit_changes tally published pricing",
    3: "ports journal brokers feeds simulator control dashboard log freshness clock metrics"
    " alerts build credentials failure heartbeat steps systemd alarm_command"
    " conservation",
    4: "supervisor executor worker reconciler reducer inbox mailbox outbox doubt patience tape protector"
    " overnight lost_line",
    5: "live doctor backtest scenarios simulation explanation audit verification statements pages",
    6: "__main__ cli",
}
PURE_FLOOR_MAX = 2
VENUE_MAY_IMPORT = ("trader.venue", *(f"trader.{name}" for name in FLOORS[0].split()))

IMPURE_MODULES = frozenset(
    "trio time os pathlib logging io socket subprocess threading secrets tempfile shutil sqlite3 sqlite_utils"
    " httpx2 contextvars".split()
)
IMPURE_CALLS = frozenset("open print input hash id globals".split())
# What these two hold that isn't chance.
SEEDED = {"random": {"Random"}, "uuid": {"UUID", "uuid5", "NAMESPACE_URL"}}
FORBIDDEN_MODULES = frozenset("asyncio pickle marshal shelve dill yaml multiprocessing".split())
FORBIDDEN_CALLS = frozenset("eval exec compile __import__".split())

# The venue's own books change in place: they are a simulated exchange's, and nothing of ours refers to them.
VENUE_STRUCTS = "accounts.VenuePosition accounts.VenueAccount ledger.VenueState matching.Liquidity matching.Book"
MUTABLE_STRUCTS = frozenset(f"trader.venue.{name}" for name in VENUE_STRUCTS.split())
MONEY_WITHOUT_FLOAT = frozenset(
    f"trader.{name}"
    for name in "model money orders positions accounting risk reconcile execution state reports"
    " audit.cash audit.judging audit.ledger audit.matching audit.timing audit.traces audit.report".split()
)
VIEWS = re.compile(
    r"\b(FROM|JOIN)\s+(positions|orders|trades|account|equity_history)\b", re.IGNORECASE
)
VIEW_READERS = ("trader.cli", "trader.journal.views", "trader.journal.schema")
JOURNAL_CHANGES = re.compile(
    r"\bOR\s+REPLACE\b|\bREPLACE\s+INTO\b|\bUPDATE\s+journal\b|\bDELETE\s+FROM\s+journal\b",
    re.IGNORECASE,
)

# The scenario s25 changes a journal on purpose, in a folder of its own, to show that it is found.
TAMPERING = "trader.scenarios.lives"

CONFORMANCE, CONFORMANCE_VERB = "trader.simulator.conformance", "trader.cli.conformance"
# The simulation's link is the line itself: what it carries comes from these.
CHANGES_AT_THE_BROKER = frozenset(
    {"trader.brokers.alpaca.sending", f"{CONFORMANCE}.asking", "trader.simulation.link"}
)
# What a tool that asks on an empty account has nothing to do with.
TRADERS_OWN = ("trader.journal", "trader.brokers.alpaca.sending", "trader.state", "trader.log")

ORDER_PATH = frozenset("worker executor execution orders positions risk".split())
ORDER_PATH_LINES_MAX = 1_500
LIVE_CODE_LINES_MAX = 18_500
# What a process with somebody's money in it can load begins here ...
LIVE_ROOTS = ("trader.__main__", "trader.cli.run")
# ... and these are programs of their own, or plays, that it loads only when no money is about.
PLAYED_PACKAGES = (
    *("trader.venue", "trader.simulator", "trader.simulation", "trader.scenarios"),
    # the markets that the simulated broker plays
    *("trader.feeds.synthetic", "trader.feeds.recorded", "trader.feeds.csv_rows"),
)
FILE_LINES_MAX = 400
# Closed unions of words: one list each, read as one.
LONG_FILES = {"trader.messages": 900, "trader.log.events": 500}
FUNCTION_LINES_MAX = 70

# Nothing of the program imports these: whoever installed their extra does.
MODULES_OF_EXTRAS = {"trader.simulator.pytest_plugin": "simulator"}
# These import what an extra brings only in a function, which says what to install where it is missing.
FUNCTIONS_OF_EXTRAS = {"trader.pages": "charts", "trader.feeds.parquet_columns": "parquet"}
PACKAGE_OF = {"sqlite_utils": "sqlite-utils", "trio_websocket": "trio-websocket"}
# Paths that exist on one machine only; written so that this line isn't one.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(work|root|Users|home)/\w")


class Module(NamedTuple):
    name: str  # dotted
    tree: ast.Module
    lines: int
    code_lines: int  # without blank lines, comments and docstrings: explaining is not what makes a house crowded

    def nodes(self) -> tuple[ast.AST, ...]:
        return nodes_of(self.tree)


@cache
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


@cache
def calls_in(tree: ast.Module) -> tuple[tuple[str, ast.Call], ...]:
    calls = (node for node in nodes_of(tree) if isinstance(node, ast.Call))
    return tuple((ast.unparse(node.func), node) for node in calls)


def read_module(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(text)
    return Module(name, tree, text.count("\n"), code_lines_of(text, tree))


def code_lines_of(text: str, tree: ast.Module) -> int:
    explained: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            explained.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    stripped = (line.strip() for line in text.splitlines())
    return sum(
        bool(line) and not line.startswith("#") and number not in explained
        for number, line in enumerate(stripped, 1)
    )


MODULES = [read_module(path) for path in sorted((ROOT / "trader").rglob("*.py"))]
NAMES = frozenset(module.name for module in MODULES)

# A strategy is anybody's code, the library's too: it can only wish, and what it wishes is judged by what is counted.
WISHING = frozenset(name for name in NAMES if name.startswith("trader.strategies.")) - {
    "trader.strategies.base",
    "trader.strategies.signals",
}


def floor_of(name: str) -> int | None:
    if name == "trader":
        return 0
    part = name.split(".")[1]
    return next((floor for floor, names in FLOORS.items() if part in names.split()), None)


def imports_of(module: Module) -> Iterator[str]:
    """Every module that is imported, at the top or within a function; `from trader import risk` is trader.risk."""
    for node in module.nodes():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else node.module


def reached_from(roots: Iterable[str]) -> set[str]:
    """The modules that these load, or could load later, themselves included."""
    modules = {module.name: module for module in MODULES}
    found: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name in modules and name not in found:
            found.add(name)
            left.extend(imports_of(modules[name]))
            left.append(name.rpartition(".")[0])  # A package is loaded before what is in it.
    return found


def calls_of(module: Module) -> tuple[tuple[str, ast.Call], ...]:
    """Every call with the name it is called by: `open`, `datetime.now`."""
    return calls_in(module.tree)


def texts_of(module: Module) -> Iterator[str]:
    """Every text but docstrings: those explain, and may name what is forbidden."""
    explained = {id(node.value) for node in module.nodes() if isinstance(node, ast.Expr)}
    for node in module.nodes():
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in explained
        ):
            yield node.value


def imports_go_down(module: Module) -> Iterator[str]:
    floor = floor_of(module.name)
    if floor is None:
        yield f"{module.name} has no floor: give it one in tests/house_rules.py"
        return
    for name in imports_of(module):
        if name.split(".")[0] == "trader" and ((other := floor_of(name)) is None or other > floor):
            yield f"{module.name} (floor {floor}) imports {name} (floor {other})"


def the_venue_knows_only_words(module: Module) -> Iterator[str]:
    if module.name.startswith("trader.venue"):
        for name in imports_of(module):
            if name.startswith("trader.") and not name.startswith(VENUE_MAY_IMPORT):
                yield f"{module.name} imports {name}"


def lower_floors_are_pure(module: Module) -> Iterator[str]:
    floor = floor_of(module.name)
    if floor is None or floor > PURE_FLOOR_MAX:
        return
    for name in imports_of(module):
        if name.split(".")[0] in IMPURE_MODULES:
            yield f"{module.name} imports {name}"
    for node in module.nodes():
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{module.name}:{node.lineno} is asynchronous"
        elif isinstance(node, ast.ImportFrom) and node.module in SEEDED:
            chance = {alias.name for alias in node.names} - SEEDED[node.module]
            yield from (f"{module.name} imports {node.module}.{name}" for name in sorted(chance))
    for called, call in calls_of(module):
        if called in IMPURE_CALLS or re.search(
            r"\b(now|utcnow|today)$|^random\.(?!Random$)|^uuid\.(?!UUID$|uuid5$)", called
        ):
            yield f"{module.name}:{call.lineno} calls {called}"


def deciding_is_a_plain_function(module: Module) -> Iterator[str]:
    if module.name == "trader.execution":
        plain = {node.name for node in module.nodes() if isinstance(node, ast.FunctionDef)}
        evolve = {
            alias.name
            for node in module.nodes()
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        if "decide" not in plain or "evolve" not in plain | evolve:
            yield f"{module.name} has no plain decide and evolve"


def values_are_frozen(module: Module) -> Iterator[str]:
    structs = {"Struct", "msgspec.Struct"}
    for node in module.nodes():
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(base) in structs for base in node.bases
        ):
            structs.add(node.name)
            stated = {word.arg for word in node.keywords if ast.unparse(word.value) == "True"}
            if f"{module.name}.{node.name}" in MUTABLE_STRUCTS:
                stated.add("frozen")
            for missing in sorted({"frozen", "kw_only"} - stated):
                yield f"{module.name}.{node.name} isn't {missing}"


def functions_fit_on_a_screen(module: Module) -> Iterator[str]:
    for node in module.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if (lines := node.end_lineno - node.lineno + 1) > FUNCTION_LINES_MAX:
                yield f"{module.name}.{node.name} has {lines} lines"


def files_are_short(module: Module) -> Iterator[str]:
    if module.lines > LONG_FILES.get(module.name, FILE_LINES_MAX):
        yield f"{module.name} has {module.lines} lines"


def endpoints_are_async(module: Module) -> Iterator[str]:
    """Starlette runs a plain `def` endpoint in a thread, which breaks virtual time."""
    plain = {node.name for node in module.nodes() if isinstance(node, ast.FunctionDef)}
    requests = (
        "Request",
        "WebSocket",
        "starlette.requests.Request",
        "starlette.websockets.WebSocket",
    )
    for called, call in calls_of(module):
        if called.split(".")[-1] in ("Route", "WebSocketRoute", "add_route", "add_websocket_route"):
            given = call.args[1:2] + [
                word.value for word in call.keywords if word.arg == "endpoint"
            ]
            for endpoint in (ast.unparse(node).split(".")[-1] for node in given):
                if endpoint in plain:
                    yield f"{module.name}: endpoint {endpoint} isn't async"
    for node in module.nodes():
        if isinstance(node, ast.FunctionDef) and node.returns is not None and node.args.args:
            first = node.args.args[-1].annotation
            answers = ast.unparse(node.returns).endswith("Response")
            if answers and first is not None and ast.unparse(first) in requests:
                yield f"{module.name}: {node.name} answers a request and isn't async"


def money_is_not_read_from_views(module: Module) -> Iterator[str]:
    if not module.name.startswith(VIEW_READERS):
        for text in texts_of(module):
            if found := VIEWS.search(text):
                yield f"{module.name} reads a view: {found[0]}"


def the_journal_is_never_changed(module: Module) -> Iterator[str]:
    if module.name == TAMPERING:
        return
    for text in texts_of(module):
        if found := JOURNAL_CHANGES.search(re.sub(r"--.*", "", text)):  # without SQL's comments
            yield f"{module.name} holds {found[0]}"


def nothing_runs_what_it_was_sent(module: Module) -> Iterator[str]:
    for name in imports_of(module):
        if name.split(".")[0] in FORBIDDEN_MODULES:
            yield f"{module.name} imports {name}"
    for called, call in calls_of(module):
        shell = any(word.arg == "shell" for word in call.keywords)
        if called in FORBIDDEN_CALLS or called == "os.system" or shell:
            yield f"{module.name}:{call.lineno} calls {called}"


def cash_is_never_clamped(module: Module) -> Iterator[str]:
    """Cash that would be negative is a difference to be seen, not one to be hidden."""
    for called, call in calls_of(module):
        arguments = [ast.unparse(argument) for argument in call.args] if called == "max" else []
        if (
            called == "max"
            and {"0", "ZERO", "Decimal(0)"} & set(arguments)
            and "cash" in "".join(arguments).lower()
        ):
            yield f"{module.name}:{call.lineno} clamps cash"


def money_is_never_float(module: Module) -> Iterator[str]:
    if module.name in MONEY_WITHOUT_FLOAT:
        for node in module.nodes():
            if isinstance(node, ast.Name) and node.id == "float":
                yield f"{module.name}:{node.lineno} says float"
            elif isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield f"{module.name}:{node.lineno} holds the float {node.value}"


def orders_leave_by_one_door(module: Module) -> Iterator[str]:
    """Only the sender changes anything at a broker, and one tool beside the trader, which one verb knows."""
    if module.name not in CHANGES_AT_THE_BROKER:
        for called, call in calls_of(module):
            words = [one.value for one in call.args if isinstance(one, ast.Constant)]
            if called.endswith(".exchange") and words[:1] != ["GET"]:
                yield f"{module.name}:{call.lineno} asks a broker for more than an answer"
    is_tool = module.name.startswith(CONFORMANCE)
    forbidden = TRADERS_OWN if is_tool else (CONFORMANCE,)
    if module.name != CONFORMANCE_VERB:
        for name in imports_of(module):
            if name.startswith(forbidden):
                yield f"{module.name} imports {name}"


def the_last_line_shares_nothing(module: Module) -> Iterator[str]:
    """It is there for the day on which the rules, or what they read, are wrong."""
    if module.name == "trader.conservation":
        for name in imports_of(module):
            if name.split(".")[0] == "trader" and floor_of(name) != 0:
                yield f"{module.name} imports {name}"


def only_declared_packages_are_imported(module: Module) -> Iterator[str]:
    known = {"trader", *declared(), *declared(MODULES_OF_EXTRAS.get(module.name))}
    late = declared(FUNCTIONS_OF_EXTRAS.get(module.name))
    at_top = {name.split(".")[0] for name in imports_of(module._replace(tree=top_of(module)))}
    for name in imports_of(module):
        package = name.split(".")[0]
        is_known = package in known or (package in late and package not in at_top)
        if package not in sys.stdlib_module_names and not is_known:
            yield f"{module.name} imports {package}, which isn't a run-time dependency"


def top_of(module: Module) -> ast.Module:
    """The imports that are carried out when the module is loaded."""
    imports = [one for one in module.tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    return ast.Module(body=[*imports], type_ignores=[])


@cache
def declared(extra: str | None = None) -> frozenset[str]:
    """What the project needs at run time, or what an extra of it needs more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    names = {re.split(r"[^\w.-]", dependency, maxsplit=1)[0] for dependency in needed}
    return frozenset(
        imported
        for imported in (*names, *PACKAGE_OF)
        if PACKAGE_OF.get(imported, imported) in names
    )
