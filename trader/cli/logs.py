"""`trade logs`: the log, filtered, and followed as it grows."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec
from msgspec import Struct

from trader.cli.moments import beginning
from trader.cli.options import Common, common_options
from trader.exits import StartRefused
from trader.log.events import LEVELS, Event
from trader.log.words import outside

FOLLOW_PAUSE_S = 0.2
_EVENTS = sorted(str(kind.__struct_config__.tag) for kind in get_args(Event))


class Line(Struct, frozen=True, kw_only=True):
    """What the filters and the shown line need of an event."""

    timestamp: str
    level: str
    event: str
    message: str
    symbol: str | None = None
    client_order_id: str | None = None
    broker_order_id: str | None = None
    blocked_by: str | None = None
    count: int = 1


class Filter(Struct, frozen=True, kw_only=True):
    """Which lines are wanted."""

    event: str | None
    symbol: str | None
    order: str | None
    since: str
    level: str

    def admits(self, line: Line) -> bool:
        """Every given condition holds."""
        orders = (line.client_order_id, line.broker_order_id, line.blocked_by)
        return (
            (self.event is None or line.event == self.event)
            and (self.symbol is None or line.symbol == self.symbol)
            and (self.order is None or self.order in orders)
            and line.timestamp >= self.since
            and (line.level not in LEVELS or _rank(line.level) >= _rank(self.level))
        )


@click.command("logs")
@click.option("--event", type=click.Choice(_EVENTS), metavar="NAME", help="See docs/log-events.md.")
@click.option("--symbol", metavar="SYMBOL", help="Only this symbol.")
@click.option("--order", metavar="ID", help="Ours or the broker's.")
@click.option("--since", metavar="TIME", default="", help="UTC, as 2026-01-26T15:00, or its start.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="And what is graver.")
@click.option("--follow", is_flag=True, help="Go on as the log grows, until Ctrl-C.")
@common_options
def command(
    common: Common,
    event: str | None,
    symbol: str | None,
    order: str | None,
    since: str,
    level: str,
    follow: bool,
) -> None:
    """Show the log."""
    if since:
        since = beginning(since, "--since")
    if not common.log.exists():
        raise StartRefused(
            "there is no log", where=str(common.log), remedy="bin/trade run writes it"
        )
    wanted = Filter(event=event, symbol=symbol, order=order, since=since, level=level)
    decoder = msgspec.json.Decoder(Line)
    for raw in _lines(common.log, follow=follow):
        try:
            line = decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # Not of ours, or not whole.
        if wanted.admits(line):
            click.echo(raw.decode() if common.json else _shown(line))


def _shown(line: Line) -> str:
    time_of_day = line.timestamp.replace("T", " ").removesuffix("Z")
    return f"{time_of_day:<23} {line.level:<7} {line.event:<18} {outside(line.symbol or ''):<6} {line.message}"


def _rank(level: str) -> int:
    return next(rank for rank, name in enumerate(LEVELS) if name == level)


def _lines(path: Path, *, follow: bool) -> Iterator[bytes]:
    """Whole lines, without their ends; `follow` waits for more, also where the file is replaced or begins anew."""
    rest = b""
    file = path.open("rb")
    try:
        while True:
            while block := file.read(1 << 20):
                *lines, rest = (rest + block).split(b"\n")
                yield from lines
            if not follow:
                return
            time.sleep(FOLLOW_PAUSE_S)
            if _is_another(path, file.fileno(), file.tell()):
                file.close()
                file, rest = path.open("rb"), b""
    finally:
        file.close()


def _is_another(path: Path, descriptor: int, read: int) -> bool:
    held = os.fstat(descriptor)
    try:
        found = path.stat()
    except OSError:
        return False
    return (found.st_ino, found.st_dev) != (held.st_ino, held.st_dev) or found.st_size < read
