"""Every event is documented, becomes one line, and no text from outside can pass for another line."""

import re
import unicodedata
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.log import events as log
from trader.log.events import FIRST_KEYS, Event, event_of, line_of
from trader.log.words import TEXT_CHARACTERS_MAX, outside, visible

DOCUMENT = Path(__file__).parents[2] / "docs" / "log-events.md"
KINDS = get_args(Event)
NASTY = 'a\r\nb\x00c\u2028d\u2029e\x1b[31mf\u202eg\x85h\ud800i"j\\k'


def tag_of(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]


def own_keys(kind: type) -> list[str]:
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    return [name for name in fields if name not in FIRST_KEYS]


def filled(kind: type, text: str) -> Event:
    """An event of this kind with the text wherever text can be."""
    values: dict[str, object] = {"timestamp": "2026-01-26T15:00:00.000Z", "sequence": 7}
    for field in msgspec.structs.fields(kind):
        by_type = {str: text, int: 1, bool: True, float: 1.5, dict[str, str]: {"price": text}}
        if field.name not in values and field.name != "level":
            values[field.name] = by_type.get(field.type, text)
    return kind(**values)  # type: ignore[no-any-return]


def test_the_document_names_every_event_and_every_key_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| .+ \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    documented = {event: re.findall(r"`([a-z_]+)`", keys) for event, keys in rows}
    expected = {tag_of(kind): own_keys(kind) for kind in KINDS}
    assert {name: documented.get(name) for name in expected} == expected
    assert set(documented) - set(expected) <= set(FIRST_KEYS)


@pytest.mark.parametrize("kind", KINDS, ids=tag_of)
def test_an_event_is_one_line_with_the_same_first_keys_and_reads_back_equal(kind: type) -> None:
    event = filled(kind, "plain text")
    line = line_of(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert list(msgspec.json.decode(line))[: len(FIRST_KEYS)] == list(FIRST_KEYS)
    assert event_of(line) == event


@pytest.mark.parametrize("kind", KINDS, ids=tag_of)
def test_nasty_text_anywhere_stays_one_harmless_line(kind: type) -> None:
    text = line_of(filled(kind, NASTY)).decode()
    assert text.splitlines() == [text[:-1]]
    assert all(unicodedata.category(one) not in {"Cc", "Cf", "Zl", "Zp", "Cs"} for one in text[:-1])


@pytest.mark.parametrize("kind", KINDS, ids=tag_of)
def test_the_operators_phrase_can_not_be_forged(kind: type) -> None:
    forged = "x\nDUPLICATE BUY BLOCKED: JD and duplicate sell  blocked"
    said = msgspec.json.decode(line_of(filled(kind, forged)), type=dict[str, object])
    if kind is log.DuplicateBlocked:
        del said["message"]  # which is ours: the narrator cleans what it puts in
    assert not re.search(r"duplicate\s+(buy|sell)\s+blocked", repr(said), re.IGNORECASE)


@given(st.text(st.characters(codec=None)))
def test_outside_text_is_printable_short_and_stable(text: str) -> None:
    shown = outside(text)
    assert shown.isprintable()
    assert outside(shown) == shown or len(shown) > TEXT_CHARACTERS_MAX
    assert len(visible(text)) <= TEXT_CHARACTERS_MAX * 10


def test_a_megabyte_is_cut() -> None:
    assert len(outside("x" * 1_000_000)) == TEXT_CHARACTERS_MAX
    assert len(line_of(filled(log.Alarm, "x" * 1_000_000))) < 40_000
