"""The journal's entries alone rebuild the state: at every prefix, over the codec, however they were batched."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from tests.plays import (
    ROOMY,
    SYMBOLS,
    TEN_NS,
    Line,
    Play,
    activity,
    adopted,
    agreement,
    asked,
    boot,
    buy,
    cancel_ended,
    clock,
    command,
    corrected,
    executed,
    filled,
    gate,
    missed,
    opened_from_older,
    reboot,
    report,
    request,
    resolved,
    sell,
    send_ended,
    sent,
    statement,
    taken_side,
    worker,
)
from trader.evolve import evolve, evolve_entry, fold
from trader.executor import decided
from trader.messages import (
    AlarmReport,
    Claim,
    Command,
    Entry,
    Event,
    Gate,
    Input,
    LifeEnd,
    Noted,
    OrderRequest,
    PriceJumped,
    SecurityStatus,
    decode_entry,
    encode,
)
from trader.model import OrderState, Phase, Size, Symbol
from trader.money import plain
from trader.state import ExecutionState

D = Decimal
JD = Symbol("JD")


def long_play() -> Play:
    """One of everything that can be heard, and nearly everything that can follow."""
    lines: list[Line] = [
        boot(limits=replace(ROOMY, loss_day_max=D("0.001"))),
        gate(Gate.TRADING_STREAM, True),
        gate(Gate.MARKET_DATA, True),
        opened_from_older(),
        statement(),
        clock(),
        worker("JD", ready=False),
        worker("JD", ready=True),
        buy("JD", 62, "31.95"),
        buy("JD", 62, "31.95"),
        sent(),
        report(Claim.NEW),
        filled(20, "31.92"),
        command("cancel", "entries"),
        cancel_ended("unknown"),
        report(Claim.CANCELED, 20, source="query"),
        buy("GS", 5, "901"),
        send_ended("unknown"),
        missed(),
        clock(1, JD=100_000),
        sell("JD", 7, "31.9"),
        filled(3, "31.91"),
        filled(4, "31.9"),
        report(Claim.FILLED, 62, executed(42, "31.9", 62, "late"), of=0),
        report(Claim.NEW, symbol=Symbol("T"), of=1),
        command("halt"),
        command("flatten", "*"),
        command("dance"),
        buy("T", 10, "22.5"),
        reboot,
        command("promote", "crossover"),
        boot(3, limits=replace(ROOMY, loss_day_max=D("0.002"))),
        gate(Gate.TRADING_STREAM, True),
        gate(Gate.MARKET_DATA, True),
        gate(Gate.FRESH_CODE, False, "edited"),
        statement(cash="1", attempts=3),
        command("release", "*"),
        clock(24 * 60, session="2026-01-27", JD=100_000),
        clock(24 * 60 + 1, session="2026-01-27", phase=Phase.CLOSED),
        sell("JD", Size(unit="target", amount=D(0)), "10"),
        clock(48 * 60, session="2026-01-28"),
        resolved("filled", 5, "900", of=1),
        asked("resume"),
        corrected("resolved r1", executed(5, "899", 5, "better"), of=1),
        activity("DIV", "3.5"),
        adopted("TRIP", 5, "90", treatment="hands-off"),
        taken_side("broker", statement(cash="249999")),
        SecurityStatus(symbol=JD, is_halted=True, reason="H T1", at_ns=TEN_NS),
        SecurityStatus(symbol=JD, is_halted=False, reason="T", at_ns=TEN_NS),
        PriceJumped(symbol=Symbol("T"), before=225_000, after=32_000, at_ns=TEN_NS),
        AlarmReport(alarm="silent", message="the feed says nothing"),
        LifeEnd(at_ns=TEN_NS, exit_code=0),
    ]
    play = Play()
    for line in lines:
        play >> line
    return play


PLAY = long_play()


def kinds(union: object) -> set[str]:
    return {kind.__name__ for kind in get_args(union)}


def test_the_long_play_hears_every_input_and_decides_every_event() -> None:
    assert {type(one.input).__name__ for one in PLAY.entries} == kinds(Input)
    assert {type(event).__name__ for one in PLAY.entries for event in one.events} == kinds(Event)


# ------------------------------------------------------------------------------------------------ fold


def test_folding_the_entries_gives_the_live_state_at_every_prefix() -> None:
    live = folded = ExecutionState()
    for entry in PLAY.entries:
        live, _ = decided(live, [entry.input])
        folded = evolve_entry(folded, entry)
        assert folded == live
        assert folded.at_ns == entry.at_ns
        assert folded.session == entry.session
        assert folded.epoch == entry.epoch
    assert folded == PLAY.state == fold(ExecutionState(), PLAY.entries)


def test_folding_goes_on_from_anywhere() -> None:
    for cut in range(len(PLAY.entries)):
        before = fold(ExecutionState(), PLAY.entries[:cut])
        assert fold(before, PLAY.entries[cut:]) == PLAY.state


def test_entries_are_numbered_without_gaps() -> None:
    assert [one.sequence for one in PLAY.entries] == [*range(1, len(PLAY.entries) + 1)]
    with pytest.raises(AssertionError):
        fold(ExecutionState(), PLAY.entries[1:])


def test_folding_does_not_change_the_state_it_started_from() -> None:
    before = fold(ExecutionState(), PLAY.entries[:20])
    again = fold(ExecutionState(), PLAY.entries[:20])
    fold(before, PLAY.entries[20:])
    assert before == again


def test_every_entry_survives_the_journals_bytes() -> None:
    read = [decode_entry(encode(entry)) for entry in PLAY.entries]
    assert read == PLAY.entries
    assert [encode(one) for one in read] == [encode(one) for one in PLAY.entries]
    assert fold(ExecutionState(), read) == PLAY.state


def decimals(value: object) -> Iterator[Decimal]:
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, Struct):
        yield from decimals(msgspec.structs.asdict(value))
    elif isinstance(value, dict):
        yield from decimals((*value.keys(), *value.values()))
    elif isinstance(value, tuple | list | frozenset):
        for one in value:
            yield from decimals(one)


def test_every_amount_in_an_event_has_its_one_form() -> None:
    for entry in PLAY.entries:
        for event in entry.events:
            for amount in decimals(event):
                assert str(amount) == str(plain(amount)), event


@pytest.mark.parametrize("size", ["1E+1", "10.0", "-0", "1E+10"])
def test_amounts_of_a_request_are_in_their_one_form_once_they_are_decided(size: str) -> None:
    state = fold(ExecutionState(), PLAY.entries[:6])
    _, (entry,) = decided(state, [request(1, shares=size, price="32.00")])
    for amount in decimals(entry.events):
        assert str(amount) == str(plain(amount)), entry.events


@pytest.mark.parametrize(
    "damaged",
    [b"", b"null", b"[]", b"{}", b"\xff", b'{"sequence":1}'],
)
def test_bytes_that_are_no_entry_are_refused(damaged: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        decode_entry(damaged)


def test_an_event_of_a_kind_that_nobody_knows_is_refused() -> None:
    data = encode(PLAY.entries[0]).replace(b'"life_began"', b'"life_bagan"')
    with pytest.raises(msgspec.ValidationError):
        decode_entry(data)


# -------------------------------------------------------------------------------------------- batches


@given(st.lists(st.integers(1, 9), max_size=40))
def test_the_same_inputs_in_any_batches_give_the_same_entries(cuts: list[int]) -> None:
    inputs = [one.input for one in PLAY.entries]
    state, entries = ExecutionState(), []
    while inputs:
        size = cuts.pop() if cuts else 1
        batch, inputs = inputs[:size], inputs[size:]
        state, more = decided(state, batch)
        entries += more
    assert entries == PLAY.entries
    assert state == PLAY.state


def test_what_decides_nothing_leaves_no_entry() -> None:
    state, entries = decided(PLAY.state, [PLAY.entries[-3].input] * 3)
    assert (state, entries) == (PLAY.state, [])


# --------------------------------------------------------------------------------------- no chance


def digest() -> str:
    """Of everything that was written and of the state at the end, in the order in which it says itself."""
    play = long_play()
    told = b"".join(encode(entry) for entry in play.entries)
    return sha256(told).hexdigest()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_journal_does_not_depend_on_how_python_hashes(seed: str) -> None:
    code = (
        "from trader.money import use_exact_context; use_exact_context();"
        "from tests.unit.test_state import digest; print(digest())"
    )
    path = ":".join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest()


# --------------------------------------------------------------------------------------- what is kept


def morning() -> Play:
    return Play(fold(ExecutionState(), PLAY.entries[:6]))


def test_an_order_is_kept_for_the_session_it_ended_in_and_the_next() -> None:
    play = morning() >> buy("JD", 10, "31.95") >> report(Claim.CANCELED)
    play >> clock(1440, session="2026-01-27")
    assert play.order().state is OrderState.CANCELED
    play >> clock(2880, session="2026-01-28")
    assert not play.state.orders
    assert play.orders[0] in play.state.used, "its id for ever"


def test_a_live_order_is_kept_for_ever() -> None:
    play = morning() >> buy("JD", 10, "31.95") >> send_ended("unknown")
    for day in range(1, 6):
        play >> clock(1440 * day, session=f"2026-02-0{day}")
    assert play.order().state is OrderState.UNKNOWN


def test_tellings_are_kept_for_a_session_and_the_next() -> None:
    play = morning() >> request(1)
    told = play.entries[0].input
    assert isinstance(told, OrderRequest)
    for day in (1, 2):
        assert play.state.telling(told.request_id)
        play >> clock(1440 * day, session=f"2026-02-0{day}")
    assert play.state.telling(told.request_id) is None


def test_a_new_session_starts_the_days_counters_over_and_keeps_what_is_held() -> None:
    play = morning() >> buy("JD", 10, "31.95") >> filled(10, "31.92")
    held = play.state.position(JD)
    assert (held.entries_session, len(held.entries_filled_ns)) == (1, 1)
    play >> clock(1440, session="2026-01-27")
    assert play.state.position(JD) == replace(held, entries_session=0, entries_filled_ns=())
    assert play.state.entries_recent == ()


def test_marks_of_symbols_without_a_position_are_nothing_to_us() -> None:
    play = morning() >> clock(1, GS=9_100_000)
    assert not play.state.positions
    assert play.state.positions_value == 0


def test_a_note_changes_nothing() -> None:
    assert evolve(PLAY.state, Noted(subject="x", message="y")) is PLAY.state


def test_a_state_that_was_given_away_never_changes() -> None:
    before = morning().state
    play = Play(before) >> buy("JD", 10, "31.95") >> filled(10, "31.92")
    assert before == morning().state
    assert play.state.positions.get(JD)
    assert before.positions.get(JD) is None
    assert before.symbols == set(SYMBOLS)


def test_a_command_is_an_input_like_any_other() -> None:
    entry = Entry(
        sequence=1,
        epoch=0,
        at_ns=0,
        session="",
        input=Command(command_id="c", verb="halt", who="a", reason="b"),
        events=(),
    )
    assert decode_entry(encode(entry)) == entry


def test_agreement_is_counted_anew_in_each_life() -> None:
    play = morning() >> agreement >> agreement
    assert play.state.statements == 3
    play >> reboot
    assert play.state.statements == 0
