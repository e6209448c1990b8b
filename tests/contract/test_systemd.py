"""What systemd hears of the program: over a real datagram socket, from the real program."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import Folder
from trader import systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd has it, with the name that NOTIFY_SOCKET would hold."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@trader-test-{os.getpid()}"
    address = "\0" + name[1:] if name.startswith("@") else name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(60)
        yield name, listening


def test_a_word_arrives_as_one_datagram(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    assert systemd.tell("READY=1", systemd.status("a\nb"), environment={"NOTIFY_SOCKET": name})
    assert listening.recv(1_000) == b"READY=1\nSTATUS=a b"


@pytest.mark.parametrize("name", [None, "", "relative", "/nobody/listens", "@nobody-listens"])
def test_where_nobody_listens_nothing_is_said_and_nothing_fails(name: str | None) -> None:
    environment = {} if name is None else {"NOTIFY_SOCKET": name}
    assert not systemd.tell("READY=1", environment=environment)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "ours"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
    ids=str,
)
def test_the_watchdogs_interval(environment: dict[str, str], seconds: float | None) -> None:
    told = {name: str(os.getpid()) if it == "ours" else it for name, it in environment.items()}
    assert systemd.watchdog_s(told) == seconds


class UnderSystemd(Folder):
    """Runs with the variables that systemd sets."""

    socket_name = ""

    def environment(self) -> dict[str, str]:
        told = {"NOTIFY_SOCKET": self.socket_name, "WATCHDOG_USEC": "1000000"}
        return {**super().environment(), **told}


def test_the_program_is_ready_then_well_then_stopping(
    manager: tuple[str, socket.socket], tmp_path: Path
) -> None:
    name, listening = manager
    folder = UnderSystemd(tmp_path)
    folder.socket_name = name
    heard: list[str] = []
    with folder.started("--speed", "60") as running:
        running.wait_line(lambda line: "Entries allowed" in line)
        while not any("entries open" in words for words in heard):
            heard.append(listening.recv(1_000).decode())
        running.process.send_signal(signal.SIGTERM)
        while heard[-1] != "STOPPING=1":
            heard.append(listening.recv(1_000).decode())
        assert running.end().code == 0
    assert "READY=1" in heard
    assert any(words.startswith("WATCHDOG=1\nSTATUS=entries open, ") for words in heard)
    assert heard.index("READY=1") < heard.index("STOPPING=1")
