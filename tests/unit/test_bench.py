"""Every bench runs, with as little work as there is, and the published figures are all of them; nothing is timed."""

import os
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import (
    BENCHES,
    PEER_NAMES,
    Row,
    in_own_process,
    markdown_lines,
    rows_of,
)
from tests.bench.measure import ROOT, PeerRun, Sample, quantile
from tests.bench.peers import PEERS, DoesNotRun, Measured, measured, table

DOCUMENT = (ROOT / "docs" / "benchmarks.md").read_text()
NEEDS_AN_ENVIRONMENT = {"program"}  # It runs bin/trade, which may have to be set up first.


@pytest.mark.parametrize("name", [name for name in BENCHES if name not in NEEDS_AN_ENVIRONMENT])
def test_a_bench_runs_and_its_figures_are_published(name: str, tmp_path: Path) -> None:
    samples = in_own_process(name, tiny=True, folder=tmp_path)
    assert samples
    for sample in samples:
        assert sample.value >= 0
        assert f"| {sample.name} |" in DOCUMENT


@pytest.mark.slow
def test_the_program_itself_is_measured(tmp_path: Path) -> None:
    for sample in in_own_process("program", tiny=True, folder=tmp_path):
        assert sample.value > 0
        assert f"| {sample.name} |" in DOCUMENT


def test_a_figure_of_several_rounds_is_their_median_with_its_spread() -> None:
    rounds = [[Sample(name="orders", value=value, unit="1/s", goal=2)] for value in (3.0, 1.0, 2.5)]
    (row,) = rows_of("durable", rounds)
    assert (row.least, row.median, row.most) == (1.0, 2.5, 3.0)
    assert row.is_reached
    assert "| orders | 2.5 1/s | 1 to 3 | at least 2 |" in markdown_lines([row])


def test_a_ceiling_is_missed_from_above() -> None:
    (row,) = rows_of(
        "latency", [[Sample(name="p99", value=11, unit="ms", goal=10, is_ceiling=True)]]
    )
    assert isinstance(row, Row)
    assert not row.is_reached
    assert "| p99 | 11 ms | 11 to 11 | at most 10: missed |" in markdown_lines([row])


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.99) == 3
    assert quantile([7], 0.5) == 7


# --- peers, which are installed only when a person asks for them


def test_every_peer_has_a_script_and_pinned_versions() -> None:
    assert set(PEER_NAMES) == PEERS.keys()
    for peer in PEERS.values():
        assert (ROOT / "tests" / "bench" / peer.script).is_file()
        assert all("==" in one for one in peer.requirements)
        assert f"| {peer.title} |" in DOCUMENT


def test_what_a_process_says_last_is_what_came_of_it() -> None:
    said = '{"bars": 10, "orders": 2, "fills": 1, "profit": -1.5, "cpu_s": 0.5}'
    found = measured([sys.executable, "-c", f"print('hm'); print('{said}')"], os.environ)
    assert found.run == PeerRun(bars=10, orders=2, fills=1, profit=-1.5, cpu_s=0.5)
    assert found.rate == 20
    assert found.process_cpu_s > 0
    assert found.peak_mb > 1


def test_a_peer_that_fails_says_so() -> None:
    with pytest.raises(DoesNotRun, match="exit code 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"], os.environ)


def test_a_pair_is_compared_within_its_round() -> None:
    def one(bars: int) -> Measured:
        run = PeerRun(bars=bars, orders=18, fills=17, profit=111.0, cpu_s=1.0)
        return Measured(run=run, process_cpu_s=2.0, peak_mb=50.0)

    pairs = [(one(400), one(100)), (one(200), one(100)), (one(600), one(200))]
    _, _, row, ours = table({"backtrader": pairs})
    assert "| 100 (100 to 200) | 400 (200 to 600) | 3.00 (2.00 to 4.00) | 18, 17, 111.00 |" in row
    assert row.endswith("| 2.0 s | 50 MB |")
    assert ours.startswith("| ours | 400 (200 to 600) |")
