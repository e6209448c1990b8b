"""Every event that moves money or shares balances, and the accounts add up to the books."""

from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from sqlite3 import connect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plays import (
    OPENING,
    Play,
    accepted,
    again,
    as_booked,
    boot,
    buy,
    clock,
    executed,
    filled,
    gate,
    opened,
    report,
    sell,
    send_ended,
    sent,
    statement,
)
from trader.accounting import (
    USD,
    Books,
    Posting,
    booked,
    fee_of,
    postings_of,
    release_postings,
    reserved,
)
from trader.accounting import opened as with_opening
from trader.config import Fees
from trader.journal.sqlite import open_journal
from trader.messages import (
    Claim,
    Event,
    ExecutionBooked,
    Gate,
    OpeningBooked,
    OrderChanged,
    RequestAccepted,
)
from trader.model import FINAL_STATES, OrderState, Side, Symbol
from trader.ports import Batch
from trader.positions import Position

D = Decimal
NO_FEES = Fees(sell_notional_rate=D(0), sell_share_rate=D(0), sell_share_cap=D(0))


# ------------------------------------------------------------------------------------------------ fees


@pytest.mark.parametrize(
    ("quantity", "notional", "fee"),
    [
        (62, "2000", "0.07"),  # 0.0556 on the notional and 0.010292 on the shares, up to the cent
        (1, "0.01", "0.01"),
        (100_000, "1", "8.31"),  # 16.6 would be above the cap of 8.3
    ],
)
def test_a_sale_pays_its_fees_up_to_the_cent(quantity: int, notional: str, fee: str) -> None:
    assert fee_of(Side.SELL, D(quantity), D(notional), Fees()) == D(fee)


def test_a_buy_pays_no_fee() -> None:
    assert fee_of(Side.BUY, D(62), D(2000), Fees()) == 0


def test_a_sale_where_fees_are_off_pays_none() -> None:
    assert fee_of(Side.SELL, D(62), D(2000), NO_FEES) == 0


@given(st.integers(1, 10**6), st.integers(1, 10**9))
def test_fees_are_the_rates_in_fractions_of_a_cent_rounded_against_us(
    quantity: int, ticks: int
) -> None:
    notional = Fraction(quantity * ticks, 10_000)
    by_shares = min(quantity * Fraction("0.000166"), Fraction("8.3"))
    wanted = Fraction(ceil((notional * Fraction("0.0000278") + by_shares) * 100), 100)
    fee = fee_of(Side.SELL, D(quantity), quantity * D(ticks).scaleb(-4), Fees())
    assert Fraction(fee) == wanted


# ----------------------------------------------------------------------------------------------- books


def test_free_cash_is_what_is_not_held_for_buys() -> None:
    books = reserved(with_opening(Books(), OPENING), D("1980.9"))
    assert (books.opening, books.cash, books.cash_free) == (OPENING, OPENING, D("248019.1"))
    assert reserved(books, D(0)) is books


def test_nothing_clamps_cash_that_fell_below_zero() -> None:
    event = as_booked(Position(symbol=Symbol("JD")), Side.BUY, 10, D(40), D(0))
    assert booked(with_opening(Books(), D(100)), event).cash == -300


trades = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 100),
        st.integers(1, 10**7).map(lambda ticks: Decimal(ticks).scaleb(-4)),
        st.integers(0, 500).map(lambda cents: Decimal(cents).scaleb(-2)),
    ),
    max_size=10,
)


def balance(events: list[Event]) -> dict[str, Decimal]:
    """Postings summed by account; each event's own must sum to zero in each instrument."""
    accounts: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        each: dict[str, Decimal] = defaultdict(Decimal)
        for posting in postings_of(event):
            assert posting.amount, "an empty leg says nothing"
            each[posting.instrument] += posting.amount
            accounts[f"{posting.account}/{posting.instrument}"] += posting.amount
        assert not any(each.values()), f"{event} does not balance: {dict(each)}"
    return accounts


@given(trades)
def test_each_fill_balances_and_the_accounts_are_the_books(
    done: list[tuple[Side, int, Decimal, Decimal]],
) -> None:
    position, books = Position(symbol=Symbol("JD")), with_opening(Books(), OPENING)
    events: list[Event] = [OpeningBooked(cash=OPENING)]
    for side, quantity, price, fees in done:
        event = as_booked(position, side, quantity, price, fees)
        events.append(event)
        sign = 1 if side is Side.BUY else -1
        books = booked(books, event)
        position = Position(
            symbol=position.symbol,
            quantity=position.quantity + sign * quantity,
            cost=position.cost + event.cost,
        )
    accounts = balance(events)
    assert accounts[f"cash/{USD}"] == books.cash
    assert accounts[f"fees/{USD}"] == books.fees
    assert accounts[f"realized/{USD}"] == -(books.realized + books.fees)
    assert accounts[f"equity:opening/{USD}"] == -books.opening
    assert accounts[f"position:JD/{USD}"] == position.cost
    assert accounts["position:JD/JD"] == position.quantity == -accounts["market:JD/JD"]
    assert books.cash == books.opening - books.bought + books.sold - books.fees


def test_an_event_without_money_posts_nothing() -> None:
    play = opened() >> clock(1)
    assert not any(postings_of(event) for event in play.events)
    play >> buy("JD", 62, "31.95") >> sent()
    assert not any(postings_of(event) for event in play.events)
    assert release_postings(D(0)) == ()


def test_an_exit_reserves_nothing() -> None:
    play = _bought()
    play >> sell("JD", 62, "31.9") << accepted("JD", 62)
    assert not any(postings_of(event) for event in play.events)
    assert play.state.books.reserved == 0


def _bought() -> Play:
    return opened() >> buy("JD", 62, "31.95") >> sent() >> filled(62, "31.92")


def test_the_accounts_of_a_whole_play_are_its_books() -> None:
    play = opened()
    play >> buy("JD", 62, "31.95") >> sent() >> filled(20, "31.92") >> again
    play >> buy("GS", 5, "901") >> send_ended("never_sent")
    play >> report(Claim.CANCELED, 20, of=0)
    play >> sell("JD", 7, "31.9") >> filled(3, "31.91") >> filled(4, "31.9")
    play >> buy("T", 10, "22.5")
    events: list[Event] = [OpeningBooked(cash=OPENING)]
    events += [event for entry in play.entries for event in entry.events]
    accounts = balance(events)
    for posting in _releases(play):
        accounts[f"{posting.account}/{posting.instrument}"] += posting.amount
    books = play.state.books
    assert accounts[f"cash/{USD}"] == books.cash_free
    assert accounts[f"cash:reserved/{USD}"] == books.reserved == 225
    assert accounts["position:JD/JD"] == 13
    assert accounts["position:GS/GS"] == 0


def _releases(play: Play) -> list[Posting]:
    """What final orders still held, from the events alone."""
    held: dict[str, Decimal] = {}
    found: list[Posting] = []
    for entry in play.entries:
        for event in entry.events:
            match event:
                case ExecutionBooked():
                    held[event.client_order_id] -= event.released
                case OrderChanged() if event.state in FINAL_STATES:
                    found += release_postings(held.pop(event.client_order_id, D(0)))
                case RequestAccepted():
                    held[event.order.client_order_id] = event.order.reserved
                case _:
                    pass
    return found


def test_an_order_that_comes_back_to_life_is_in_the_journal_with_its_reserve(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trading_data.db"
    play = Play() >> boot() >> gate(Gate.TRADING_STREAM, True) >> gate(Gate.MARKET_DATA, True)
    play >> statement() >> clock() >> buy("JD", 62, "31.95") >> sent() >> send_ended("never_sent")
    play >> report(Claim.NEW) >> filled(20, "31.92")
    assert play.state.books.reserved == 42 * D("31.95")
    journal = open_journal(path, create=True, since="", inline=True)
    journal.write(Batch(entries=tuple(play.entries), after=play.state))
    journal.close()
    with closing(connect(path)) as reader:
        held = reader.execute("SELECT amount FROM posting_rows WHERE account = 'cash:reserved'")
        assert sum(Decimal(amount) for (amount,) in held) == play.state.books.reserved


def test_a_fill_changes_equity_by_its_fee_alone() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent()
    play >> filled(62, "31.92")
    assert play.state.equity == OPENING
    play >> sell("JD", 30, "31.92") >> filled(30, "31.92")
    assert play.state.equity == OPENING - play.state.books.fees
    assert play.state.books.fees == D("0.04")


def test_a_fill_above_the_limit_is_booked_as_it_was() -> None:
    play = opened() >> buy("JD", 62, "31.95") >> sent()
    play >> report(Claim.FILLED, 62, executed(62, "33", 62))
    assert play.order().state is OrderState.FILLED
    assert play.state.books.cash == OPENING - 62 * 33
    assert play.state.books.reserved == 0
