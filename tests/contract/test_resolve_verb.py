"""`trade resolve` says whether it settled anything: an order that is still alive afterwards is exit code 1."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.journal_plays import OPEN_NS, fill, opened, request
from trader.__main__ import main
from trader.journal.sqlite import open_journal
from trader.model import Order


@pytest.fixture
def part_filled(tmp_path: Path) -> tuple[Path, Order]:
    """A database of a life that ended while an order was partly filled."""
    path = tmp_path / "trading_data.db"
    play = opened().hear(request("GS", key="k", shares=10))
    play.hear(fill(play.live()[0], Decimal(1), OPEN_NS))
    journal = open_journal(path, create=True, since="", inline=True)
    for batch in play.batches():
        journal.write(batch)
    journal.close()
    return path, play.live()[0]


def resolve(path: Path, order: Order, outcome: str, *more: str) -> int:
    name = order.client_order_id
    return main(
        ["resolve", name, "--as", outcome, "--reason", "I looked", "--database", str(path), *more]
    )


@pytest.mark.parametrize("outcome", ["rejected", "never-sent"])
def test_what_the_broker_has_shown_to_be_alive_was_not_rejected_or_never_sent(
    part_filled: tuple[Path, Order], outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, order = part_filled
    assert resolve(path, order, outcome) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{order.client_order_id} is still PARTIALLY_FILLED")
    assert "--as canceled" in said
    assert resolve(path, order, outcome, "--json") == 1


def test_it_can_be_said_that_it_was_canceled(
    part_filled: tuple[Path, Order], capsys: pytest.CaptureFixture[str]
) -> None:
    path, order = part_filled
    assert resolve(path, order, "canceled") == 0
    assert capsys.readouterr().out.endswith("was PARTIALLY_FILLED, is CANCELED\n")
    assert resolve(path, order, "canceled") == 2
    assert "nothing to resolve" in capsys.readouterr().err
