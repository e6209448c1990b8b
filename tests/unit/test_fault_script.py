"""Fault files: what a rule says is what it does, and what is wrong with a file is one line that says where."""

from decimal import Decimal

import pytest

from trader.calendar import parse_iso
from trader.exits import Mistake
from trader.model import MINUTE_NS, SECOND_NS
from trader.simulator.fault_script import VERBS, FaultScene, read_faults, verb_lines
from trader.simulator.faults import EVENT, MARKET, FaultRule, Faults, FaultVerb, Occasion
from trader.simulator.script import Script

MONDAY_0930_NS = parse_iso("2026-01-26T14:30:00Z")
SCENE = FaultScene(symbols=("GS", "JD"), accounts={"PKONE": "account-1", "PKTWO": "account-2"})


def read(text: str) -> list[FaultRule]:
    return read_faults(Script(name="faults.toml", text=text), SCENE)


def rule(*lines: str) -> FaultRule:
    (only,) = read("\n".join(["[[fault]]", *lines]))
    return only


def order_at(at_ns: int, client_order_id: str = "momo-1") -> Occasion:
    return Occasion(
        method="POST",
        path="/v2/orders",
        at_ns=at_ns,
        symbol="JD",
        client_order_id=client_order_id,
    )


def test_all_that_a_table_can_say_is_in_the_rule() -> None:
    said = rule(
        'verb = "reject-after-accept"',
        'method = "post"',
        'path = "/v2/ord"',
        'symbol = "JD"',
        'client_order_id = "momo-*"',
        'key = "PKTWO"',
        'from = "2026-01-26T09:31:00"',
        "until = 2026-01-26T14:40:00Z",
        "nth = 2",
        'times = "always"',
        "probability = 0.25",
        "reply_delay = 0.5",
        "delay = 60",
        'word = "too odd"',
    )
    assert said == FaultRule(
        verb=FaultVerb.REJECT_AFTER_ACCEPT,
        method="POST",
        path_prefix="/v2/ord",
        symbol="JD",
        client_order_id="momo-*",
        account_id="account-2",
        from_ns=MONDAY_0930_NS + MINUTE_NS,
        until_ns=MONDAY_0930_NS + 10 * MINUTE_NS,
        nth=2,
        times=None,
        probability=0.25,
        delay_s=0.5,
        delay_ns=60 * SECOND_NS,
        word="too odd",
    )


def test_a_verb_strikes_where_it_belongs_unless_it_is_told_another_place() -> None:
    def place(*lines: str) -> tuple[str, str]:
        said = rule(*lines)
        return said.method, said.path_prefix

    assert place('verb = "accept-then-504"') == ("POST", "/v2/orders")
    assert place('verb = "Accept-Then-504"', 'method = "*"') == ("", "")
    assert place('verb = "stale-GET"', 'path = "/v2/positions"') == ("", "/v2/positions")
    assert place('verb = "drop-event"', 'event = "fill"') == (EVENT, "fill")
    assert place('verb = "drop-event"', 'channel = "quotes"') == (MARKET, "quotes")
    for verb, words in VERBS.items():
        needs = {"word": 'word = "odd"'}.get(words.needs, f"{words.needs} = 1")
        assert place(f'verb = "{verb}"', needs if words.needs else "") == words.on


def test_every_verb_is_explained_on_a_line() -> None:
    assert [line.split()[0] for line in verb_lines()] == list(VERBS)
    assert set(VERBS) == set(FaultVerb)


@pytest.mark.parametrize(
    ("lines", "struck"),
    [
        (['client_order_id = "momo-?"', 'times = "always"'], [0, 1, 2]),
        (['client_order_id = "*-9"', 'times = "always"'], []),
        (["from = 09:31:00", 'times = "always"'], [1, 2]),
        (['until = "09:31"', 'times = "always"'], [0]),
        (['from = "09:31"', 'until = "09:32"', 'times = "always"'], [1]),
        (["nth = 2"], [1]),
        (['symbol = "GS"'], []),
    ],
)
@pytest.mark.parametrize("day", [0, 1], ids=["today", "tomorrow"])
def test_orders_and_hours_are_picked(lines: list[str], struck: list[int], day: int) -> None:
    faults = Faults([rule('verb = "accept-then-504"', *lines)])
    start_ns = MONDAY_0930_NS + day * 24 * 60 * MINUTE_NS
    seen = [faults.rule_for(order_at(start_ns + minute * MINUTE_NS)) for minute in range(3)]
    assert [minute for minute, one in enumerate(seen) if one] == struck


def test_a_rule_that_is_taken_away_strikes_no_more_and_keeps_its_count() -> None:
    faults = Faults([rule('verb = "accept-then-504"', 'times = "always"') for _ in range(2)])
    assert faults.rule_for(order_at(MONDAY_0930_NS))
    faults.remove(0)
    assert faults.rule_for(order_at(MONDAY_0930_NS))
    assert faults.strikes == [1, 1]
    assert [one.number for one in faults.standing()] == [1]
    assert faults.add(rule('verb = "drop-event"')) == 2
    faults.clear()
    assert faults.rule_for(order_at(MONDAY_0930_NS)) is None
    with pytest.raises(KeyError):
        faults.remove(2)


WRONG = {
    '[[fault]]\nverb = "accept-then-503"': (
        "faults.toml:2: verb: no such fault: 'accept-then-503', did you mean accept-then-504?"
        " (bin/trade broker --list-faults shows them all)"
    ),
    "[[fault]]": "faults.toml:1: object missing required field `verb`",
    "[[faults]]": "faults.toml:1: unknown table faults, did you mean fault? (it is [[fault]])",
    "[fault]": "faults.toml:1: fault is no such table (write [[fault]])",
    "fault = [1]": "faults.toml:1: a table of keys is wanted",
    "x = \n": "faults.toml:1: Invalid value",
    '[[fault]]\nverb = "drop-event"\n\n[[fault]]\nverb = "drop-event"\ncoutn = 2': (
        "faults.toml:6: coutn: unknown key, did you mean count? (it may have verb,"
    ),
    '[[fault]]\nverb = "drop-event"\ncount = 2': "faults.toml:3: count: says nothing about drop-event",
    '[[fault]]\nverb = "drop-event"\nmethod = "POST"': (
        "faults.toml:3: method: drop-event can't strike there (it strikes on EVENT, MARKET)"
    ),
    '[[fault]]\nverb = "no-id"\nmethod = "PUT"': "faults.toml:3: method: no such method: 'PUT'",
    '[[fault]]\nverb = "no-id"\nevent = "fill"': "faults.toml:3: event: no-id can't strike there",
    '[[fault]]\nverb = "drop-event"\nevent = "filled"': (
        "faults.toml:3: event: no such event: 'filled', did you mean fill? (accepted, pending_new, new,"
    ),
    '[[fault]]\nverb = "drop-event"\nevent = "fill"\nchannel = "bars"': (
        "faults.toml:4: channel: one of method with path, event, channel is wanted"
    ),
    '[[fault]]\nverb = "odd-word"': "faults.toml:2: verb: odd-word needs word (write word = …)",
    '[[fault]]\nverb = "no-id"\nsymbol = "T"': "faults.toml:3: symbol: no T is traded here (GS, JD)",
    '[[fault]]\nverb = "no-id"\nkey = "PK"': (
        "faults.toml:3: key: no account has the key 'PK' (PKONE, PKTWO)"
    ),
    '[[fault]]\nverb = "refuse-stream"\nkey = "PKONE"': (
        "faults.toml:3: key: nobody's account is known on CONNECT (write method = "
    ),
    '[[fault]]\nverb = "no-id"\nsymbol = 3': "faults.toml:3: symbol: expected `str`, got `int`",
    '[[fault]]\nverb = "no-id"\nfrom = "25:00"': "faults.toml:3: from: no such time of day: 25:00",
    '[[fault]]\nverb = "no-id"\nuntil = 7': "faults.toml:3: until: no time like 10:30, 2026-",
    '[[fault]]\nverb = "no-id"\nnth = 0': "faults.toml:3: nth: must be 1 to 1,000,000, not 0",
    '[[fault]]\nverb = "no-id"\ntimes = "all"': 'faults.toml:3: times: must be a number or "always"',
    '[[fault]]\nverb = "no-id"\nprobability = 2': "faults.toml:3: probability: must be above 0 and",
    '[[fault]]\nverb = "no-id"\nprobability = nan': "faults.toml:3: probability: must be above 0",
    '[[fault]]\nverb = "stale-get"\ndelay = -1': "faults.toml:3: delay: must be 0 to 31,622,400 sec",
    '[[fault]]\nverb = "429-burst"\nreply_delay = inf': "faults.toml:3: reply_delay: not finite",
    '[[fault]]\nverb = "answer-instead"\nstatus = 99': "faults.toml:3: status: must be 200 to 599",
    '[[fault]]\nverb = "fill-while-cancelling"\nquantity = 0': "faults.toml:3: quantity: must be above 0",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_one_line_that_says_where_and_what_to_type(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        read(text)
    assert str(caught.value).startswith(WRONG[text])
    assert "\n" not in str(caught.value)


def test_an_empty_file_has_no_faults_and_amounts_may_be_texts() -> None:
    assert read("# nothing yet\n") == []
    said = rule('verb = "fill-while-cancelling"', 'quantity = "2.5"')
    assert said.quantity == Decimal("2.5")
