"""Which orders a look leaves in doubt, and how soon all is asked for again because of them."""

import pytest

from tests.plays import buy, opened, report, send_ended, sent
from trader.messages import Claim
from trader.model import ClientOrderId
from trader.patience import Patience, in_doubt

A, B = ClientOrderId("a"), ClientOrderId("b")


@pytest.mark.parametrize(
    "claim", [Claim.PENDING_NEW, Claim.NEW, Claim.PARTIALLY_FILLED, Claim.PENDING_CANCEL]
)
def test_what_the_broker_has_acknowledged_and_shows_open_is_in_no_doubt(claim: Claim) -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent() >> report(claim)
    name = play.orders[-1]
    assert in_doubt(play.state, frozenset({name})) == frozenset()
    assert in_doubt(play.state, frozenset()) == {name}


def test_what_has_not_been_acknowledged_is_in_doubt_whatever_is_shown() -> None:
    play = opened() >> buy("JD", 62, "31.95")
    name = play.orders[-1]
    assert in_doubt(play.state, frozenset({name})) == {name}
    play >> sent()
    assert in_doubt(play.state, frozenset({name})) == {name}
    play >> send_ended("unknown")
    assert in_doubt(play.state, frozenset({name})) == {name}
    play >> report(Claim.CANCELED)
    assert in_doubt(play.state, frozenset()) == frozenset()


def asked(patience: Patience, *about: frozenset[ClientOrderId]) -> str:
    return "".join("S" if patience.is_over(one) else "." for one in about)


def test_without_doubt_nothing_is_asked() -> None:
    assert asked(Patience(), *[frozenset[ClientOrderId]()] * 5) == "....."


def test_the_longer_it_lasts_the_more_seldom_but_twice_a_minute() -> None:
    assert asked(Patience(), *[frozenset({A})] * 26) == "SS.S...S.....S.....S.....S"


def test_another_order_in_doubt_is_asked_about_at_once() -> None:
    patience, one, both = Patience(), frozenset({A}), frozenset({A, B})
    assert asked(patience, one, one, one, both, both, both, one) == "SS.SS.S"
    assert asked(patience, frozenset(), one) == ".S", "it had been out of doubt"
