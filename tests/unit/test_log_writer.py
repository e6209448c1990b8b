"""The log file: whatever the disk does, nothing raises, and what was lost is counted in the log itself."""

import logging
import resource
import signal
from pathlib import Path

from trader.log.events import Adapter, Event, Library, LogLost, Program, event_of
from trader.log.writer import LogBridge, LogWriter, bridged_logging


def said(text: str) -> Program:
    return Program(timestamp="2026-01-26T15:00:00.000Z", message=text, subject="test")


def events_in(path: Path) -> list[Event]:
    return [event_of(line) for line in path.read_bytes().splitlines()]


def messages_in(path: Path) -> list[str]:
    return [event.message for event in events_in(path)]


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    for text in ("one", "two"):
        writer = LogWriter(path)
        assert writer.write([said(text)]) is None
        writer.close()
    assert messages_in(path) == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_ends_within_a_line_goes_on_with_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    path.write_bytes(b'{"timestamp":"20')
    writer = LogWriter(path)
    writer.write([said("one")])
    writer.close()
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"timestamp":"20'
    assert event_of(whole) == said("one")


def test_a_removed_log_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    writer = LogWriter(path)
    writer.write([said("one")])
    path.unlink()
    assert writer.write([said("two")]) is None
    path.rename(tmp_path / "trader.log.1")
    writer.write([said("three")])
    writer.close()
    assert messages_in(path) == ["three"]
    assert messages_in(tmp_path / "trader.log.1") == ["two"]


def test_a_full_disk_is_told_once_and_counted(tmp_path: Path) -> None:
    link = tmp_path / "trader.log"
    link.symlink_to("/dev/full")
    writer = LogWriter(link)
    complaint = writer.write([said("a"), said("b")])
    assert complaint is not None
    assert "No space left" in complaint
    assert writer.write([said("c")]) is None, "told once"
    assert writer.lost == 3
    link.unlink()
    assert writer.write([said("d")]) is None
    writer.close()
    gap, last = events_in(link)
    assert isinstance(gap, LogLost)
    assert gap.count == 3
    assert last == said("d")
    assert writer.lost == 0


def test_a_folder_that_is_gone_is_no_reason_to_stop(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    writer = LogWriter(folder / "trader.log")
    assert writer.write([said("a")]) is not None
    folder.mkdir()
    writer.write([said("b")])
    writer.close()
    assert messages_in(folder / "trader.log") == ["1 lines are missing here", "b"]


def test_a_disk_that_is_full_in_the_middle_of_a_line_loses_that_line_and_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trader.log"
    writer = LogWriter(path)
    writer.write([said("before")])
    room = path.stat().st_size * 5 // 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        complaint = writer.write([said("fits 1"), said("fits 2"), said("fits 3")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert complaint is not None
    assert path.stat().st_size == room
    assert writer.lost == 2
    writer.write([said("after")])
    writer.close()
    whole = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert [event_of(line).message for line in whole] == [
        "before",
        "fits 1",
        "2 lines are missing here",
        "after",
    ]


def test_secrets_never_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    writer = LogWriter(path, secrets=("canary-4711", ""))
    with bridged_logging(writer):
        logging.getLogger("trader.adapter.rest").info("header %s", "canary-4711")
    writer.write([said("key canary-4711")])
    writer.close()
    assert b"canary" not in path.read_bytes()
    assert path.read_bytes().count(b"***") == 2


def test_library_warnings_and_all_of_the_adapters_records_become_events(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    writer = LogWriter(path)
    with bridged_logging(writer):
        logging.getLogger("trader.adapter.rest").debug("POST /v2/orders %d", 200)
        logging.getLogger("httpx2").debug("too much")
        logging.getLogger("hypercorn").warning("a\nb %s", "c")
        try:
            raise ValueError("inside")
        except ValueError:
            logging.getLogger("hypercorn").exception("oh")
    logging.getLogger("hypercorn").debug("afterwards")
    writer.close()
    adapter, warning, error = events_in(path)
    assert isinstance(adapter, Adapter)
    assert (adapter.level, adapter.message) == ("debug", "POST /v2/orders 200")
    assert isinstance(warning, Library)
    assert warning.level == "warning"
    assert "\\n" in warning.message
    assert error.level == "error"
    assert "ValueError: inside" in error.message


def test_a_record_whose_arguments_do_not_fit_is_written_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    writer = LogWriter(path)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "a %d", ("b",), None)
    LogBridge(writer).emit(record)
    writer.close()
    assert messages_in(path) == ["'a %d' ('b',)"]
