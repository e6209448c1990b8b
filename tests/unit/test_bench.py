"""Every bench runs, with as little work as there is, and the published figures are all of them; nothing is timed."""

from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, Row, in_own_process, markdown_lines, rows_of
from tests.bench.measure import ROOT, Sample, quantile

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
