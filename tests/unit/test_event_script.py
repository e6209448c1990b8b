"""Event files: what a table says befalls at its time, and what is wrong with a file is one line that says where."""

from decimal import Decimal

import pytest

from trader.calendar import parse_iso
from trader.exits import Mistake
from trader.model import MINUTE_NS, Side, Symbol
from trader.simulator.event_script import EVENTS, Scene, event_lines, read_events
from trader.simulator.scheduled import EventName, ScheduledEvent
from trader.simulator.script import Script

SCENE = Scene(symbols=("GS", "JD"), accounts=2, day="2026-01-26")
MONDAY_1000_NS = parse_iso("2026-01-26T15:00:00Z")


def read(text: str) -> list[ScheduledEvent]:
    return read_events(Script(name="events.toml", text=text), SCENE)


def test_all_that_a_table_can_say_is_in_the_event() -> None:
    halt, trade, tick = read(
        """
        [[event]]
        name = "halt"
        at = 10:00:00
        symbol = "JD"
        duration = 300
        reason = "LUDP"

        [[event]]
        name = "hand-trade"
        at = "2026-01-26T15:00:00Z"
        symbol = "GS"
        side = "sell"
        quantity = 2.5
        price = "99.5"
        account = 1

        [[event]]
        name = "bad-tick"
        at = "10:00"
        symbol = "JD"
        ratio = 10
        """
    )
    assert halt == ScheduledEvent(
        at_ns=MONDAY_1000_NS,
        name=EventName.HALT,
        symbol=Symbol("JD"),
        duration_ns=5 * MINUTE_NS,
        description="LUDP",
    )
    assert trade == ScheduledEvent(
        at_ns=MONDAY_1000_NS,
        name=EventName.HAND_TRADE,
        symbol=Symbol("GS"),
        side=Side.SELL,
        quantity=Decimal("2.5"),
        price=Decimal("99.5"),
        account=1,
    )
    assert (tick.what, tick.ratio) == ("trade", Decimal(10))


def test_every_event_can_be_written() -> None:
    assert set(EVENTS) == set(EventName)
    values = {"symbol": '"JD"', "amount": "1", "ratio": "2", "quantity": "3", "price": "4"}
    values["seconds"] = "-30"
    for name, words in EVENTS.items():
        lines = [f"{key} = {values[key]}" for key in words.needs]
        if name is EventName.BAD_TICK:
            lines.append("price = 1")
        text = "\n".join(["[[event]]", f'name = "{name}"', 'at = "10:00"', *lines])
        assert [one.name for one in read(text)] == [name]


FEE = '[[event]]\nname = "fee"\nat = "10:00"\namount = 1\n'
WRONG = {
    '[[event]]\nname = "halted"': "events.toml:2: name: no such event: 'halted', did you mean halt?",
    '[[event]]\nname = "disconnect"': (
        'events.toml:1: at: a market time is wanted (write at = "10:30")'
    ),
    '[[event]]\nname = "halt"\nat = "10:00"': (
        "events.toml:2: name: halt needs symbol (write symbol = …)"
    ),
    '[[event]]\nname = "bad-tick"\nat = "10:00"\nsymbol = "JD"': (
        "events.toml:2: name: bad-tick needs price or ratio"
    ),
    '[[event]]\nname = "restart"\nat = "noon"': "events.toml:3: at: no time like 10:30, 2026-01-26T",
    '[[event]]\nname = "halt"\nat = "10:00"\nsymbol = "T"': (
        "events.toml:4: symbol: no T is traded here (GS, JD)"
    ),
    f'{FEE}symbol = "JD"': "events.toml:5: symbol: says nothing about fee (it has at, amount, date,",
    f"{FEE}account = 2": "events.toml:5: account: must be 0 to 1, not 2",
    f'{FEE}date = "26.1."': "events.toml:5: date: no date like 2026-01-26: '26.1.'",
    f"{FEE}\n{FEE}amuont = 2": "events.toml:10: amuont: unknown key, did you mean amount?",
    '[[event]]\nname = "fee"\nat = "10:00"\namount = inf': "events.toml:4: amount: not finite: Infinity",
    '[[event]]\nname = "split"\nat = "10:00"\nsymbol = "JD"\nratio = 0': (
        "events.toml:5: ratio: must be above 0, not 0"
    ),
    '[[event]]\nname = "hand-trade"\nat = "10:00"\nsymbol = "JD"\nquantity = 1\nside = "hold"': (
        "events.toml:6: side: must be buy or sell, not 'hold'"
    ),
    '[[event]]\nname = "bad-tick"\nat = "10:00"\nsymbol = "JD"\nprice = 1\nwhat = "tick"': (
        "events.toml:6: what: must be trade, quote or bar, not 'tick'"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_one_line_that_says_where_and_what_to_type(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        read(text)
    assert str(caught.value).startswith(WRONG[text])
    assert "\n" not in str(caught.value)


def test_every_event_is_explained_on_a_line() -> None:
    lines = list(event_lines())
    assert [line.split()[0] for line in lines] == list(EVENTS)
    assert all(len(line) < 140 for line in lines)
    assert "halt           nothing trades in it: symbol [duration, reason]" in lines
