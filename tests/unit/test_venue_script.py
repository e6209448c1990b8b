"""Files that describe a venue: its accounts, assets and terms; and what is wrong with one, on one line."""

from decimal import Decimal

import pytest

from trader.exits import Mistake
from trader.simulator.keys import Keys, Opening
from trader.simulator.script import BadKey, Script
from trader.simulator.venue_script import (
    Described,
    TermsRow,
    read_venue,
    term_lines,
    terms_of_table,
)
from trader.venue import VenueAsset, VenueTerms


def read(text: str) -> Described:
    return read_venue(Script(name="venue.toml", text=text), Decimal(1_000))


def test_all_that_a_file_can_say_is_there() -> None:
    described = read(
        """
        [terms]
        latency = 0.25
        slippage_rate = 0.001
        sell_share_fee_max = 9.79
        partial_probability = 0.1

        [[account]]
        key = "PKONE"
        secret = "one"

        [[account]]
        key = "PKTWO"
        secret = "two"
        cash = 25_000.50
        multiplier = 4
        shorting = false

        [[asset]]
        symbol = "BRK.B"
        fractionable = false
        shortable = false
        """
    )
    assert described.accounts == (
        Opening(keys=Keys(key="PKONE", secret="one"), cash=Decimal(1_000)),
        Opening(
            keys=Keys(key="PKTWO", secret="two"),
            cash=Decimal("25000.50"),
            multiplier=4,
            may_short=False,
        ),
    )
    assert described.assets == {"BRK.B": VenueAsset(is_fractionable=False, is_shortable=False)}
    assert described.terms == VenueTerms(
        latency_ns=250_000_000,
        slippage_rate=Decimal("0.001"),
        sell_share_fee_max=Decimal("9.79"),
        partial_probability=0.1,
    )
    assert read("") == Described()


def test_every_term_of_the_venue_can_be_stated_but_the_seed_and_what_is_for_backtests() -> None:
    others = {"seed", "is_always_open", "trades_at_open", "quoted"}
    names = {name.removesuffix("_ns") for name in VenueTerms.__struct_fields__} - others
    assert set(TermsRow.__struct_fields__) == names
    for name in names:
        assert terms_of_table({name: "0.5"}) != terms_of_table({name: "0.25"})
        with pytest.raises(BadKey, match=name):
            terms_of_table({name: "-1"})


ACCOUNT = '[[account]]\nkey = "K"\nsecret = "S"\n'
WRONG = {
    '[[account]]\nkey = "K"': "venue.toml:1: object missing required field `secret`",
    '[[account]]\nkey = ""\nsecret = "S"': "venue.toml:2: key: 1 to 128 plain letters and digits",
    '[[account]]\nkey = "K"\nsecret = "ö"': "venue.toml:3: secret: 1 to 128 plain letters",
    f"{ACCOUNT}{ACCOUNT}": "venue.toml:5: key: another account has the same key",
    f"{ACCOUNT}multiplier = 3": "venue.toml:4: multiplier: must be 1, 2 or 4, not 3",
    f"{ACCOUNT}cash = -1": "venue.toml:4: cash: must be at least 0, not -1",
    f'{ACCOUNT}cash = "lots"': "venue.toml:4: cash: invalid decimal string",
    f"{ACCOUNT}short = true": "venue.toml:4: short: unknown key, did you mean shorting?",
    '[[asset]]\nsymbol = "jd"': "venue.toml:2: symbol: not a symbol: 'jd'",
    '[[asset]]\nsymbol = "JD"\n[[asset]]\nsymbol = "JD"': "venue.toml:4: symbol: the same symbol twice",
    "[terms]\nbar_participation = 2": "venue.toml:2: bar_participation: must be 0 to 1, not 2",
    "[terms]\nlatancy = 2": "venue.toml:2: latancy: unknown key, did you mean latency?",
    "[terms]\nlatency = nan": "venue.toml:2: latency: not finite: NaN",
    "[[terms]]\n[[terms]]": "venue.toml:1: terms is no such table (write [terms] once)",
    "[account]": "venue.toml:1: account is no such table (write [[account]])",
    "[[event]]": "venue.toml:1: unknown table event (it is [[account]], [[asset]], [terms])",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_one_line_that_says_where_and_what_to_type(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        read(text)
    assert str(caught.value).startswith(WRONG[text])
    assert "\n" not in str(caught.value)


def test_every_term_is_explained_on_a_line_with_what_it_is() -> None:
    lines = list(term_lines())
    assert [line.split()[0] for line in lines] == list(TermsRow.__struct_fields__)
    assert "latency                until an order reaches the book (0 s)" in lines
    assert lines[4] == "bar_participation      of a bar's volume that orders may take (0.1)"
