"""`trade broker` with files that a person wrote, over real sockets: what they state comes true, or nothing starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker_process import PATIENCE_SECONDS, ROOT, post_order, running


def refused(*arguments: str) -> str:
    """The one line of a start that is refused as a mistake."""
    ended = subprocess.run(
        [sys.executable, "-m", "trader", "broker", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=ROOT,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_fault_file_makes_the_named_order_lose_its_reply(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nverb = "accept-then-504"\nclient_order_id = "lost-*"\n')
    with running("--faults", str(script), "--speed", "1") as (_, client):
        assert post_order(client, "kept-1").status_code == 200
        assert post_order(client, "lost-1").status_code == 504
        assert post_order(client, "lost-2").status_code == 200, "once is the default"
        orders = client.get("/v2/orders").json()
        assert [one["client_order_id"] for one in orders] == ["lost-2", "lost-1", "kept-1"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[fault]]\nverb = "drop"', "faults.toml:2: verb: no such fault: 'drop'"),
        ('[[fault]]\nverb = "no-id"\nsymbol = "XX"', "faults.toml:3: symbol: no XX is traded here"),
        (None, "faults.toml: No such file or directory"),
    ],
)
def test_a_wrong_fault_file_is_a_mistake_of_one_line(
    tmp_path: Path, text: str | None, line: str
) -> None:
    script = tmp_path / "faults.toml"
    if text is not None:
        script.write_text(text)
    assert line in refused("--faults", str(script))


def test_the_faults_are_listed() -> None:
    command = [sys.executable, "-m", "trader", "broker", "--list-faults"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "accept-then-504        it is done, the reply says gateway timeout [status, body]" in (
        listed.stdout
    )
