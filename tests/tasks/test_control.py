"""The control socket: what it lets in, what it answers, and that nothing that is sent to it hurts anybody."""

import os
import socket
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trio

from trader.control import halt_file
from trader.control.client import NoAnswer, NobodyListens, ask
from trader.control.server import CONNECTIONS_MAX, served
from trader.control.wire import (
    ADDRESS_BYTES_MAX,
    LINE_BYTES_MAX,
    Answer,
    Asked,
    TooLong,
    Unfit,
    address_of,
    answer_of,
    command_of,
    line_of,
    socket_path,
)
from trader.messages import Command, CommandAnswered

HALT = Asked(command_id="halt-1", verb="halt", who="ada", reason="odd")


class Desk:
    """Decides at once, or when it may; and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Command] = []
        self.heard = trio.Event()
        self.may_answer = trio.Event()
        self.may_answer.set()

    async def decide(self, command: Command) -> CommandAnswered:
        self.told.append(command)
        self.heard.set()
        await self.may_answer.wait()
        return CommandAnswered(
            command_id=command.command_id,
            verb=command.verb,
            subject=command.subject,
            who=command.who,
            outcome="done",
            message=f"{command.verb}ed",
        )


@asynccontextmanager
async def listening(path: Path, desk: Desk) -> AsyncIterator[Path]:
    async with served(socket_path(path / "x.db"), desk.decide):
        yield socket_path(path / "x.db")


RESET = Answer(outcome="unheard", message="hung up on, with no answer")


async def asked_raw(path: Path, data: bytes, *, ends: bool = True) -> Answer:
    """What comes back for these bytes; `ends`: and no more will come. Who sends on and on may be hung up on."""
    with address_of(path) as address:
        stream = await trio.open_unix_socket(address)
    async with stream:
        with suppress(trio.BrokenResourceError, OSError):  # It may have heard enough.
            await stream.send_all(data)
            if ends:
                stream.socket.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            async for part in stream:
                heard += part
        except trio.BrokenResourceError:
            return RESET
    assert heard.count(b"\n") == 1, heard
    return answer_of(heard)


async def test_a_command_is_decided_and_answered(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as path:
        answer = await asked_raw(path, line_of(HALT), ends=False)
    assert answer == Answer(outcome="done", message="halted")
    assert desk.told == [
        Command(command_id="halt-1", verb="halt", who="ada", reason="odd", wants_answer=True)
    ]


async def test_nobody_is_answered_before_it_is_decided(tmp_path: Path) -> None:
    desk = Desk()
    desk.may_answer = trio.Event()
    answers: list[Answer] = []
    async with listening(tmp_path, desk) as path, trio.open_nursery() as nursery:

        async def wait() -> None:
            answers.append(await asked_raw(path, line_of(HALT), ends=False))

        nursery.start_soon(wait)
        await desk.heard.wait()
        assert answers == []
        desk.may_answer.set()
    assert [one.outcome for one in answers] == ["done"]


HOSTILE = {
    "nothing": b"",
    "an empty line": b"\n",
    "no end": line_of(HALT)[:-1],
    "not JSON": b"halt\n",
    "not text": b"\xff\xfe\x00\n",
    "an array": b"[]\n",
    "null": b"null\n",
    "deep": b"[" * 4_000 + b"\n",
    "deep object": b'{"verb":' * 500 + b"\n",
    "too long": b"x" * (LINE_BYTES_MAX + 1) + b"\n",
    "endless": b"x" * (64 * LINE_BYTES_MAX),
    "unknown verb": line_of(HALT).replace(b'"halt"', b'"sell"'),
    "unknown field": line_of(HALT).replace(b'"who"', b'"root":true,"who"'),
    "no reason": line_of(HALT).replace(b'"odd"', b'""'),
    "long reason": line_of(HALT).replace(b'"odd"', b'"' + b"x" * 201 + b'"'),
    "a reason of two lines": line_of(HALT).replace(b'"odd"', rb'"a\nb"'),
    "a reason that steers a terminal": line_of(HALT).replace(b'"odd"', rb'"\u001b[2J"'),
    "a name that ends a line": line_of(HALT).replace(b'"ada"', rb'"ada\n"'),
    "a name that is no text": line_of(HALT).replace(b'"ada"', b"7"),
    "no id": line_of(HALT).replace(b'"halt-1"', b'""'),
    "no text in a string": line_of(HALT).replace(b'"odd"', b'"\xff"'),
    "surrogates": line_of(HALT).replace(b'"odd"', rb'"\ud800"'),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_command_gets_one_line_and_nobody_hears_of_it(
    tmp_path: Path, data: bytes
) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as path:
        answer = await asked_raw(path, data)
        assert answer.outcome == "unheard"
        assert answer.message.isprintable()
        assert len(answer.message) < 300
        assert desk.told == []
        assert (await asked_raw(path, line_of(HALT))).outcome == "done", "and it still listens"


async def test_of_two_lines_the_first_is_heard(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as path:
        await asked_raw(path, line_of(HALT) * 2)
    assert len(desk.told) == 1


async def test_who_hangs_up_early_hurts_nobody(tmp_path: Path) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as path:
        for data in (b"", b"{", line_of(HALT)):
            stream = await trio.open_unix_socket(str(path))
            await stream.send_all(data) if data else None
            await stream.aclose()
        await desk.heard.wait()
        assert (await asked_raw(path, line_of(HALT))).outcome == "done"


async def test_more_than_a_few_at_a_time_are_sent_away_and_places_come_back(
    tmp_path: Path,
) -> None:
    desk = Desk()
    async with listening(tmp_path, desk) as path:
        silent = [await trio.open_unix_socket(str(path)) for _ in range(CONNECTIONS_MAX)]
        answer = Answer(outcome="done", message="")
        while answer.outcome == "done":  # until all of them have been let in
            answer = await asked_raw(path, line_of(HALT))
        assert answer == RESET or "try again" in answer.message
        for one in silent:
            await one.aclose()
        while answer.outcome != "done":
            answer = await asked_raw(path, line_of(HALT))


async def test_another_user_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    async with listening(tmp_path, Desk()) as path:
        answer = await asked_raw(path, line_of(HALT))
    assert answer == Answer(outcome="unheard", message="another user's process may not")


# ------------------------------------------------------------------------------------------ the socket's file


async def test_only_this_user_may_connect_and_the_file_goes_with_the_program(
    tmp_path: Path,
) -> None:
    async with listening(tmp_path, Desk()) as path:
        found = path.lstat().st_mode
        assert stat.S_ISSOCK(found)
        assert stat.S_IMODE(found) == 0o600
    assert os.listdir(tmp_path) == []


async def test_what_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with listening(tmp_path, Desk()):
        assert (await asked_raw(path, line_of(HALT))).outcome == "done"


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    path.write_text("precious")
    with pytest.raises(OSError, match=r"x\.db\.control is there, and is no socket"):
        async with listening(tmp_path, Desk()):
            pass
    assert path.read_text() == "precious"


async def test_who_was_taken_over_leaves_the_successors_socket(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    async with listening(tmp_path, Desk()):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
    assert path.exists()


@pytest.mark.parametrize("length", [ADDRESS_BYTES_MAX, ADDRESS_BYTES_MAX + 60, 1_000])
async def test_a_long_path_is_no_hindrance(tmp_path: Path, length: int) -> None:
    folder = tmp_path
    while len(str(folder / "x.db.control")) < length:
        folder /= "d" * min(200, max(1, length - len(str(folder / "x.db.control")) - 1))
    folder.mkdir(parents=True, exist_ok=True)
    async with listening(folder, Desk()) as path:
        assert (await asked_raw(path, line_of(HALT))).outcome == "done"


def test_a_name_that_is_too_long_itself_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TooLong, match="103"), address_of(tmp_path / ("x" * 120)):
        pass


# ----------------------------------------------------------------------------------------------- the client


def test_without_a_socket_or_with_a_dead_one_nobody_listens(tmp_path: Path) -> None:
    path = socket_path(tmp_path / "x.db")
    with pytest.raises(NobodyListens):
        ask(path, HALT)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NobodyListens):
        ask(path, HALT)


@pytest.mark.parametrize("answer", [b"", b"hello\n", b"{", b"x" * 10_000])
def test_an_answer_that_is_none_is_not_known(tmp_path: Path, answer: bytes) -> None:
    path = socket_path(tmp_path / "x.db")
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(str(path))
        own.listen()

        def reply() -> None:
            peer, _ = own.accept()
            with peer:
                peer.recv(10_000)
                peer.sendall(answer)

        serving = threading.Thread(target=reply)
        serving.start()
        with pytest.raises(NoAnswer):
            ask(path, HALT)
        serving.join()


async def test_the_client_and_the_server_understand_each_other(tmp_path: Path) -> None:
    async with listening(tmp_path, Desk()) as path:
        answer = await trio.to_thread.run_sync(ask, path, HALT)
    assert answer == Answer(outcome="done", message="halted")


def test_a_command_survives_the_wire() -> None:
    heard = command_of(line_of(HALT).strip())
    assert (heard.command_id, heard.who, heard.reason) == ("halt-1", "ada", "odd")
    with pytest.raises(Unfit):
        command_of(msgspec.json.encode({"verb": "halt"}))


# ------------------------------------------------------------------------------------------- the file HALT


def nothing(path: Path) -> None:
    path.touch()


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (nothing, "the file HALT is there"),
    "a reason": (lambda path: path.write_text("  prices look odd \nmore\n"), "prices look odd"),
    "a folder": (lambda path: path.mkdir(), "the file HALT is there"),
    "a dangling link": (lambda path: path.symlink_to("gone"), "the file HALT is there"),
    "a link": (lambda path: path.symlink_to("/etc/hostname"), "the file HALT is there"),
    "a pipe": (lambda path: os.mkfifo(path), "the file HALT is there"),
    "escapes": (lambda path: path.write_text("a\x1b[2Jb"), "a?[2Jb"),
    "not text": (lambda path: path.write_bytes(b"\xff\xfe"), "\ufffd\ufffd"),
    "long": (lambda path: path.write_text("x" * 100_000), "x" * 200),
}


@pytest.mark.parametrize(("make", "reason"), FILES.values(), ids=FILES)
def test_whatever_is_named_halt_halts(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    assert halt_file.wanted(tmp_path / "x.db") is None
    make(tmp_path / "HALT")
    assert halt_file.wanted(tmp_path / "x.db") == reason
