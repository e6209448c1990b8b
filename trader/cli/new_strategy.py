"""`trade new-strategy`: a strategy of one's own to begin with, and a test that holds its two forms together."""

import re
from pathlib import Path

import click
import msgspec

from trader.cli.options import Common, common_options, shown_path
from trader.cli.own_strategies import NAME, folder_of, module_of
from trader.exits import Mistake
from trader.strategies import STRATEGIES

STRATEGY = '''\
"""{title}: in when the close is above its own average of the last bars, out while it is below."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from trader.model import Bar, Purpose, Quote, Side, Size, StrategyName
from trader.strategies.base import Fill, Strategy, SymbolView, Wish, exit_all
from trader.strategies.indicators import MovingSum, mean_text
from trader.strategies.signals import BarColumns, Signals


class {title}Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """bars: how many closes the average is taken over. Set in trader.toml: params = {{ bars = 50 }}."""

    bars: Annotated[int, Meta(ge=2, le=10_000)] = 20


class {title}Strategy(Strategy):
    """One of these for each symbol: what it keeps in itself is of that symbol alone.

    Prices are whole price ticks, ten thousand to the dollar: compare them as integers, and no rounding decides.
    """

    Parameters: ClassVar[type[Struct]] = {title}Parameters

    def __init__(self, name: StrategyName, size: Size, parameters: {title}Parameters) -> None:
        super().__init__(name, size, parameters)
        self.bars_needed = parameters.bars + 1  # of history, before it may trade
        self._closes = MovingSum(parameters.bars)
        self._was_above = True  # until there is an average nothing rises above it

    def on_bar(self, bar: Bar, view: SymbolView) -> Iterable[Wish]:
        """A bar has ended. Enter when it begins to be so; leave at every bar at which it is so.

        Don't remember what you wished: a wish may be denied, and what came of it stands in the view.
        """
        self._closes.add(bar.close)
        if not self._closes.is_full():
            return ()
        difference = self._closes.window * bar.close - self._closes.total
        rose = difference > 0 and not self._was_above
        self._was_above = difference > 0
        if rose and view.is_idle():
            reason = self._words(Side.BUY, bar.close, self._closes.total)
            return (Wish(side=Side.BUY, purpose=Purpose.ENTER, size=self.size, reason=reason),)
        if difference < 0 and view.held_by(self.name) and not view.working:
            return exit_all(self._words(Side.SELL, bar.close, self._closes.total))
        return ()

    def on_quote(self, quote: Quote, view: SymbolView) -> Iterable[Wish]:
        """Bid or ask has changed. Leave this out if quotes say nothing to you, and on_fill as well."""
        return ()

    def on_fill(self, fill: Fill, view: SymbolView) -> Iterable[Wish]:
        """One of its own orders was executed."""
        return ()

    def signals(self, columns: BarColumns) -> Signals:
        """The same as on_bar for all bars at once: fast, and held to it by the test. May be left out."""
        from trader.strategies import by_column

        close, bars = columns.close, self._closes.window
        total = by_column.sums(close, bars)
        difference = bars * close - total
        return Signals(
            enter=by_column.begins(difference > 0, bars - 1),
            leave=by_column.since(difference < 0, bars - 1),
            words=lambda place, side: self._words(side, int(close[place]), int(total[place])),
        )

    def _words(self, side: Side, close: int, total: int) -> str:
        """The reason, for people: one line with the numbers that made it so."""
        verb = "above" if side is Side.BUY else "below"
        average = mean_text(total, self._closes.window, 4)
        return f"{{mean_text(close, 1, 2)}} {{verb}} {{self._closes.window}}-bar average {{average}}"
'''

TEST = '''\
"""{title} wishes bar by bar what its signals say of the whole column.

`bin/trade check-strategy {name}` does the same; this is for pytest.
"""

from decimal import Decimal
from itertools import islice
from pathlib import Path

from trader.cli.own_strategies import load
from trader.feeds.random_walk import random_walk
from trader.model import Size, StrategyName
from trader.strategies.base import Strategy
from trader.strategies.equality import differences


def fresh() -> Strategy:
    strategy = load("{name}", Path(__file__).parent)
    size = Size(unit="shares", amount=Decimal(10))
    return strategy(StrategyName("{name}"), size, strategy.Parameters())


def test_signals_say_what_on_bar_wishes() -> None:
    for seed in range(5):
        found = list(islice(differences(fresh, random_walk(seed, 2_000)), 3))
        assert not found, "\\n".join(found)
'''


@click.command("new-strategy")
@click.argument("name")
@common_options
def command(common: Common, name: str) -> None:
    """Write strategies/NAME.py beside the configuration, and a test of it; never over one that is there."""
    if not re.fullmatch(NAME, name):
        raise Mistake(
            "a name is 1 to 32 small letters, digits and dashes, a letter first", where=name[:40]
        )
    if name in STRATEGIES:
        raise Mistake("is the name of one that comes with the program", where=name)
    folder, module = folder_of(common.config), module_of(name)
    title = "".join(part.capitalize() for part in name.split("-"))
    texts = {
        folder / f"{module}.py": STRATEGY.format(title=title),
        folder / f"test_{module}.py": TEST.format(title=title, name=name),
    }
    _write(texts, folder)
    written = [shown_path(path) for path in texts]
    if common.json:
        click.echo(msgspec.json.encode({"written": written}).decode())
        return
    click.echo(f"written  {'  '.join(written)}")
    click.echo(f"next     bin/trade check-strategy {name}      bin/trade run --strategy {name}")


def _write(texts: dict[Path, str], folder: Path) -> None:
    """All of them or, where one is there already, none."""
    for path in texts:
        if path.exists():
            raise Mistake("is there already", where=shown_path(path), remedy="give another name")
    try:
        folder.mkdir(exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Mistake(str(error.strerror), where=str(folder)) from None
