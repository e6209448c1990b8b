"""`trade replay`: a recorded session is decided again alike, or the first difference is named."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.eventful import eventful, written
from tests.journal_plays import Play
from trader.__main__ import main
from trader.evolve import evolve_entry
from trader.exits import Exit
from trader.messages import DenyReason, Event, RequestDenied

Captured = pytest.CaptureFixture[str]


def said(captured: Captured, path: Path, *arguments: str, code: int = 0) -> str:
    assert main(["replay", "--database", str(path), *arguments]) == code
    told = captured.readouterr()
    return told.err if code == Exit.MISTAKE else told.out


def by_other_rules() -> Play:
    """The same journal, recorded by code that would have denied for another reason."""
    play = Play()
    for entry in eventful().entries:
        events = tuple(map(_otherwise, entry.events))
        play.state = evolve_entry(play.state, replace(entry, events=events))
        play.entries.append(replace(entry, events=events))
        play.states.append(play.state)
    return play


def _otherwise(event: Event) -> Event:
    return replace(event, reason=DenyReason.NO_QUOTE) if isinstance(event, RequestDenied) else event


def test_a_session_is_decided_again_alike(tmp_path: Path, capsys: Captured) -> None:
    path = written(eventful(), tmp_path / "trading_data.db")
    for session in ("2026-01-26", "2026-01-27", "2026-01-28"):
        assert "decides every one of them alike" in said(capsys, path, session)
    told = json.loads(said(capsys, path, "2026-01-26", "--json"))
    assert told["first"] is None
    assert told["requests"] == {"requests": 7, "accepted": 3, "blocked": 3, "denied": 1}


def test_the_first_decision_that_would_be_another_is_named(
    tmp_path: Path, capsys: Captured
) -> None:
    path = written(by_other_rules(), tmp_path / "trading_data.db")
    told = said(capsys, path, "2026-01-26", code=Exit.DIFFERENCES)
    assert "decides 1 of them otherwise; first:" in told
    assert '"reason":"no_quote"' in told
    assert '"reason":"price_collar"' in told
    assert "alike" in said(capsys, path, "2026-01-28")


def test_a_session_that_was_never_traded_is_a_mistake(tmp_path: Path, capsys: Captured) -> None:
    path = written(eventful(), tmp_path / "trading_data.db")
    told = said(capsys, path, "2026-01-25", code=Exit.MISTAKE)
    assert "the last ones: 2026-01-26, 2026-01-27, 2026-01-28" in told
