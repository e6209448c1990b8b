"""What an account held before us is for a person to take in; what became of our own orders meanwhile is not."""

from tests.plays import Line, Play, buy, corrected, filled, opened, report, sell, sent, statement
from trader.live.alpaca import unknown_holdings
from trader.messages import Claim, Input


def said(play: Play, line: Line) -> Input:
    """What the broker will say, without its being heard yet."""
    return line(play) if callable(line) else line


def test_what_nothing_of_ours_explains_is_unknown() -> None:
    assert unknown_holdings(opened().state, [statement(positions={"GS": 3})]) == ["3 GS"]


def test_what_an_order_of_ours_bought_while_nobody_listened_is_not_unknown() -> None:
    play = opened() >> buy("JD", 5, "31.95") >> sent() >> report(Claim.NEW)
    bought = said(play, filled(5, "31.9"))
    assert unknown_holdings(play.state, [bought, statement(positions={"JD": 5})]) == []


def test_a_sale_that_was_taken_back_while_nobody_listened_leaves_no_unknown_holding() -> None:
    """Seeds 2009, 3003: the start was refused, `adopt` found it in the books already, and so for ever."""
    play = opened() >> buy("JD", 5, "31.95") >> sent() >> filled(5, "31.9")
    play = play >> sell("JD", 5, "31.9") >> sent() >> filled(5, "31.9")
    assert not play.state.position(play.order(-1).symbol).quantity
    (sold,) = [one.execution.execution_id for one in play.order(-1).executions]
    told = [said(play, corrected(sold)), statement(positions={"JD": 5})]
    assert unknown_holdings(play.state, told) == []
    assert unknown_holdings(play.state, told[1:]) == ["5 JD"]
