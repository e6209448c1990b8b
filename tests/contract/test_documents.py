"""The documents are true: their commands run, their outputs come out, their links and names lead somewhere.

Code blocks say what is done with them. `sh` is run, in one folder for each document, in order, with `bin/trade`
at hand; a line ends with `# exit N` where the code isn't 0. `sh no-run` is not: it needs keys, the network, or
minutes. `python run` is run. `text output` must be what the last of these printed: each line in its order, "…"
for whatever is left out or changes from run to run; several may follow one block. `json output` is the same for
one value, however it is broken into lines. A block without a word, plain `text`, `toml` and `ini` are only shown.
A comment `<!-- staged: ... -->` before a block lays out what the block is about; a reader doesn't see it.

Run as a program it writes the list of modules into docs/architecture.md.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
NOUNS_MAX = 12
SLOW = {"docs/start.md"}  # seven runs
BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
RUNNABLE = {"sh", "python run"}
KINDS = {*RUNNABLE, "", "sh no-run", "text", "text output", "json output", "toml", "ini"}
STAGED = re.compile(r"<!-- staged: (.*?) -->\s*\Z")
PAPER_S = 8  # a run on the broker of this machine, until it is ended in order
EXIT = re.compile(r"^(?P<command>.*\S)\s+# exit (?P<code>\d+)$")
# Set by the machine, not by the program: build, port, seconds, times of the wall clock, how rows were cut.
VARIES = re.compile(
    r"build [0-9a-f]{7}\b|127\.0\.0\.1:\d+|[\d,]+ journal entries|a day in \d+ s|as fast as it settles"
)
FLOORS = {
    0: "words",
    1: "rules",
    2: "mind",
    3: "hands",
    4: "tasks",
    5: "runs",
    6: "door",
}


class Block(NamedTuple):
    info: str
    body: str
    line: int
    staged: str = ""


def blocks(text: str) -> list[Block]:
    return [
        Block(
            found["info"].strip(),
            found["body"],
            text.count("\n", 0, found.start()) + 1,
            stage[1] if (stage := STAGED.search(text[: found.start()])) else "",
        )
        for found in BLOCK.finditer(text)
    ]


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def test_every_block_says_what_is_done_with_it() -> None:
    strange = [
        f"{name_of(document)}:{block.line} {block.info!r}"
        for document in DOCUMENTS
        for block in blocks(document.read_text())
        if block.info not in KINDS
    ]
    assert strange == []


# ---------------------------------------------------------------------------------------------- commands


def script(body: str) -> str:
    """A block as one shell script that ends at the first line with another exit code than announced."""
    lines = ["set -e"]
    for line in body.splitlines():
        announced = EXIT.match(line)
        if announced is None:
            lines.append(line)
        else:
            command, code = announced["command"], announced["code"]
            lines.append(f"code=0; {command} || code=$?; [ $code -eq {code} ]")
    return "\n".join(lines)


SHIM = f"""#!/bin/sh
case " $* " in
    *" alpaca-paper "*) # The one on this machine; it would go on for ever.
        set -- "$@" --address "$ADDRESS"
        [ "$1" != run ] || exec timeout --preserve-status -s TERM {PAPER_S} \\
            {sys.executable} -P -m trader "$@" --speed 60 ;;
    *) [ "${{1-}}" != run ] || {{ shift; set -- run --speed max "$@"; }} ;;
esac
exec {sys.executable} -P -m trader "$@"
"""


def prepared(folder: Path) -> dict[str, str]:
    """A folder where `bin/trade` is this program under this Python; `run` goes as fast as it can."""
    shim = folder / "bin" / "trade"
    shim.parent.mkdir()
    shim.write_text(SHIM)
    shim.chmod(0o755)
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}


def printed(block: Block, folder: Path, environment: dict[str, str], where: str) -> str:
    command = ["sh", "-c", script(block.body)]
    if block.info == "python run":
        command = [sys.executable, "-P", "-c", block.body]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, f"{where}: exit {ended.returncode}\n{block.body}\n{ended.stdout}"
    return ended.stdout


def missing(expected: str, output: str) -> str:
    """The first expected line that the output lacks from where the line before it was found; empty if none."""
    lines = iter(VARIES.sub("…", output).splitlines())
    for line in VARIES.sub("…", expected).splitlines():
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in re.split("…", line)))
        if line.strip() != "…" and not any(pattern.fullmatch(one.strip()) for one in lines):
            return line
    return ""


def missing_json(expected: str, output: str) -> str:
    """The expected value if the output doesn't have it; white space doesn't count."""
    parts = (re.escape("".join(part.split())) for part in expected.split("…"))
    return "" if re.search(".*".join(parts), "".join(output.split())) else expected


def test_the_comparison_finds_what_is_missing() -> None:
    output = "trader 0.1.0 build 0123abc | here\n09:46 BUY\ncash 12\n"
    assert missing("trader 0.1.0 build fedcba9 | here\n…\ncash …\n", output) == ""
    assert missing("cash 12\n09:46 BUY\n", output) == "09:46 BUY"
    assert missing("cash 13\n", output) == "cash 13"
    assert missing_json('{"a": 1, …\n "c": 3}', '{"a":1,"b":2,"c":3}') == ""
    assert missing_json('{"a": 1, … "c": 4}', '{"a":1,"b":2,"c":3}') != ""


def runnable() -> list[ParameterSet]:
    found: list[ParameterSet] = []
    for document in DOCUMENTS:
        if RUNNABLE & {block.info for block in blocks(document.read_text())}:
            marks = [pytest.mark.slow] if name_of(document) in SLOW else []
            found.append(pytest.param(document, id=name_of(document), marks=marks))
    return found


@pytest.mark.parametrize("document", runnable())
def test_the_commands_of_a_document_do_what_it_says(document: Path, tmp_path: Path) -> None:
    from tests.document_stages import STAGES  # a program of this file has to find tests/ first

    text = document.read_text()
    for program in ("sqlite3", "curl"):
        if f"\n{program} " in text and shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")
    environment = prepared(tmp_path)
    output = ""
    with ExitStack() as stage:
        for block in blocks(text):
            where = f"{name_of(document)}:{block.line}"
            if block.staged:
                environment |= STAGES[block.staged](tmp_path, environment, stage)
            if block.info in RUNNABLE:
                output = printed(block, tmp_path, environment, where)
            elif block.info.endswith(" output"):
                compare = missing if block.info == "text output" else missing_json
                lacking = compare(block.body, output)
                assert not lacking, f"{where}: not printed, or not there: {lacking}\n{output}"


def test_an_exit_code_that_was_not_announced_fails_the_block(tmp_path: Path) -> None:
    environment = prepared(tmp_path)
    for body, holds in (
        ("false  # exit 1\ntrue\n", True),
        ("true  # exit 1\n", False),
        ("false\ntrue\n", False),
        ("bin/trade nonsense  # exit 2\n", True),
    ):
        block = Block("sh", body, 1)
        if holds:
            printed(block, tmp_path, environment, "")
        else:
            with pytest.raises(AssertionError):
                printed(block, tmp_path, environment, "")


# --------------------------------------------------------------------------------------- links and names


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def broken_links(document: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", document.read_text())):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path) if path else document
        if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
            yield target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    assert list(broken_links(document)) == []


def defined(path: Path) -> set[str]:
    """Every name that a module defines at its top, and each class's own as Class.name."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names.update(_names(node))
        if isinstance(node, ast.ClassDef):
            names.update(f"{node.name}.{one}" for inner in node.body for one in _names(inner))
    return names


def _names(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign(targets=targets):
            yield from (one.id for one in targets if isinstance(one, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            pass


def wrong_names(document: Path) -> Iterator[str]:
    """`risk.py:duplicate` must be defined there; a `path.py` must exist, from the root or from trader/."""
    code = " ".join(re.findall(r"`([^`]+)`", BLOCK.sub("", document.read_text())))
    for path, name in re.findall(r"(?<![\w/.-])((?:\w+/)*\w+\.py)(?::([\w.]+))?", code):
        found = next((at for at in (ROOT / path, ROOT / "trader" / path) if at.exists()), None)
        if found is None or (name and name not in defined(found)):
            yield f"{path}:{name}" if name else path


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_modules_and_functions_that_are_named_exist(document: Path) -> None:
    assert list(wrong_names(document)) == []


def test_a_link_and_a_name_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "# A b\n[x](a.md#a-b) [y](b.md) [z](#c) `risk.py:duplicate` `risk.py:no` `no.py`"
    )
    assert list(broken_links(document)) == ["b.md", "#c"]
    assert list(wrong_names(document)) == ["risk.py:no", "no.py"]


def test_the_glossary_stays_short() -> None:
    entries = re.findall(
        r"^- \*\*(.+?)\*\*: ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    assert 0 < len(entries) <= NOUNS_MAX


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = " ".join((folder / "README.md").read_text().split())
    decisions = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    assert decisions
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04}-")
        text = path.read_text()
        title = text.splitlines()[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in listed
        for part in ("Context", "Choice", "Rejected", "Consequences"):
            assert f"**{part}.**" in text, f"{path.name} lacks {part}"


# ----------------------------------------------------------------------------------------------- modules


def openings() -> dict[str, str]:
    """Each module's path from trader/ with its first paragraph; packages that say nothing are left out."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "trader").rglob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[path.relative_to(ROOT / "trader").as_posix()] = " ".join(
            text.split("\n\n")[0].split()
        )
    return found


def module_list() -> str:
    """The part of docs/architecture.md that names every module, by floors, the highest first."""
    from tests.house_rules import floor_of  # a program of this file has to find tests/ first

    lines: list[str] = []
    for floor, word in sorted(FLOORS.items(), reverse=True):
        lines += ["", f"### Floor {floor}: {word}", ""]
        for path, opening in openings().items():
            name = "trader." + path.removesuffix(".py").replace("/", ".")
            if floor_of(name.removesuffix(".__init__")) == floor and path != "__init__.py":
                lines.append(f"- `{path}`: {opening}")
    return "\n".join([*lines, ""])


MODULES = re.compile(r"(?<=-->\n)(?P<list>.*?)(?=^<!-- end of modules)", re.MULTILINE | re.DOTALL)


def test_the_architecture_names_every_module_as_it_names_itself() -> None:
    found = MODULES.search(ARCHITECTURE.read_text())
    assert found is not None
    assert found["list"].splitlines() == module_list().splitlines(), (
        "write it anew: python tests/contract/test_documents.py"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    ARCHITECTURE.write_text(MODULES.sub(lambda _: module_list(), ARCHITECTURE.read_text(), count=1))
