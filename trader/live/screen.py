"""What a person sees while a run goes on: plain lines through a pipe; on a terminal a live table under them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click
import msgspec
import trio
from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trader import calendar
from trader.calendar import Session
from trader.log.words import visible
from trader.model import Symbol
from trader.money import price_of
from trader.positions import Position
from trader.state import ExecutionState

FRAME_S = 0.25
LINE_CHARACTERS_MAX = 400


class Scene(Protocol):
    """What the table shows: asked for each frame, so always as of now."""

    def state(self) -> ExecutionState: ...

    def market_ns(self) -> int: ...

    def marks(self) -> dict[Symbol, int]: ...


class PlainScreen:
    """Lines, as they come; what comes from outside is made harmless by whoever wrote the line."""

    def say(self, line: str) -> None:
        """One line."""
        click.echo(line)

    def conclude(self, result: Struct) -> None:
        """The facts of the lines, for programs: not here."""

    async def show(self, scene: Scene) -> None:
        """Nothing moves in a pipe."""
        await trio.sleep_forever()


class SilentScreen(PlainScreen):
    """For --json: the answer is one object at the end."""

    def say(self, line: str) -> None:
        """Nothing."""

    def conclude(self, result: Struct) -> None:
        """The one object."""
        click.echo(msgspec.json.encode(result))


class LiveScreen(PlainScreen):
    """Lines scroll; the table stays below them until the run is over."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def say(self, line: str) -> None:
        """One line, above the table."""
        self._console.print(Text(visible(line, LINE_CHARACTERS_MAX)), soft_wrap=True)

    async def show(self, scene: Scene) -> None:
        """Draw a few times a second, for ever."""
        with _drawing(self._console) as draw:
            while True:
                draw(scene)
                await trio.sleep(FRAME_S)


@contextmanager
def _drawing(console: Console) -> Iterator[Callable[[Scene], None]]:
    # auto_refresh would draw from a thread; we draw from this task.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda scene: live.update(picture(scene), refresh=True)


def picture(scene: Scene) -> Group:
    """The table of symbols, and how far the day has come."""
    state, marks, at_ns = scene.state(), scene.marks(), scene.market_ns()
    return Group(_progress(state, at_ns), _table(state, marks))


def _progress(state: ExecutionState, at_ns: int) -> Table:
    session = calendar.session_of(at_ns)
    head = Text(
        f"{calendar.clock_text(at_ns)} {state.session}  equity {state.equity:,.2f}  cash {state.books.cash:,.2f}"
        f"  reserved {state.books.reserved:,.2f}  orders {state.counts.accepted}"
        f"  blocked {state.counts.blocked}  denied {state.counts.denied}"
    )
    lines = Table.grid()
    lines.add_row(head)
    if session is not None:
        lines.add_row(_bar(session, at_ns))
    return lines


def _bar(session: Session, at_ns: int) -> ProgressBar:
    whole = session.close_ns - session.open_ns
    done = min(max(at_ns - session.open_ns, 0), whole)
    return ProgressBar(total=whole, completed=done, width=60)


def _table(state: ExecutionState, marks: dict[Symbol, int]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("symbol")
    for title in ("price", "held", "avg cost", "unrealized", "realized"):
        table.add_column(title, justify="right")
    table.add_column("working")
    for symbol in sorted(state.symbols):
        table.add_row(*_row(state, state.position(symbol), marks.get(symbol, 0)))
    return table


def _row(state: ExecutionState, position: Position, mark: int) -> tuple[str, ...]:
    held = position.quantity
    unrealized = held * price_of(mark) - position.cost if held and mark else None
    working = [state.orders[one] for one in (*position.entries, *position.exits)]
    return (
        position.symbol,
        f"{price_of(mark):,.2f}" if mark else "",
        f"{held:,}" if held else "",
        f"{position.avg_cost:,.2f}" if held else "",
        f"{unrealized:,.2f}" if unrealized is not None else "",
        f"{position.realized:,.2f}" if position.realized else "",
        ", ".join(f"{one.side.value} {one.quantity_leaves} {one.state.value}" for one in working),
    )
