"""Explanations: the rules that are shown decide what the journal says was decided, and the books shown add up."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.journal_plays import OPEN_NS, OPENING, Play, clock, day, fill, opened, report, request
from trader import risk
from trader.explanation.decisions import Step, answer_of, decision_of
from trader.explanation.facts import Decision, OrderExplained, RequestExplained, SymbolExplained
from trader.explanation.orders import order_of
from trader.explanation.rules import READS
from trader.explanation.symbols import DECISIONS_MAX, SymbolStory
from trader.explanation.text import lines_of
from trader.messages import Claim, Command, OrderRequest, SendOutcome, SendStarted
from trader.model import MINUTE_NS, ClientOrderId, Size, Symbol
from trader.state import ExecutionState

DAYS = st.lists(st.integers(0, 16 * 48 - 1), max_size=60)
BUILD = "3f9a1c2"
RULES = {rule.__name__ for rule in (*risk.ENTRY_RULES, *risk.EXIT_RULES)}


def steps_of(play: Play) -> list[Step]:
    befores = [ExecutionState(), *play.states]
    return [
        Step(before=before, entry=entry)
        for before, entry in zip(befores, play.entries, strict=False)
    ]


def decisions_of(play: Play, build: str = BUILD) -> list[Decision]:
    steps = steps_of(play)
    return [decision_of(one, build) for one in steps if isinstance(one.entry.input, OrderRequest)]


def steps_about(play: Play, name: ClientOrderId) -> list[Step]:
    return [one for one in steps_of(play) if name in repr(one.entry)]


def symbol_of(play: Play, symbol: str) -> SymbolExplained:
    story = SymbolStory(Symbol(symbol))
    for step in steps_of(play):
        story.hear(step.before, step.entry)
    return story.told(play.state, "running", BUILD)


def text_of(explained: OrderExplained | RequestExplained | SymbolExplained) -> str:
    return "\n".join(lines_of(explained))


def objecting(decision: Decision) -> list[str]:
    return [rule.name for rule in decision.rules if rule.verdict == "objected"]


def test_every_rule_says_which_numbers_it_reads_and_what_it_is_for() -> None:
    assert set(READS) == RULES
    assert all(rule.__doc__ for rule in (*risk.ENTRY_RULES, *risk.EXIT_RULES))


@given(DAYS)
def test_the_rules_that_are_shown_decide_as_the_journal_says(numbers: list[int]) -> None:
    for decision in decisions_of(day(numbers)):
        assert decision.decided_now == ""
        verdicts = Counter(rule.verdict for rule in decision.rules)
        if decision.outcome == "accepted":
            assert set(verdicts) == {"passed"}
            continue
        assert verdicts["objected"] == 1
        (stopper,) = (rule for rule in decision.rules if rule.verdict == "objected")
        left = decision.rules[decision.rules.index(stopper) + 1 :]
        assert all(rule.verdict == "not asked" for rule in left)
        assert decision.numbers.items() <= stopper.numbers.items()
        if decision.outcome == "duplicate_blocked":
            assert stopper.name == "duplicate"
        elif stopper.name != "side":
            assert stopper.name == decision.why


@given(DAYS)
def test_every_order_of_a_day_is_explained_with_books_that_add_up(numbers: list[int]) -> None:
    play = day(numbers)
    for name, order in play.state.orders.items():
        told = order_of(name, steps_about(play, name), BUILD)
        assert told.state == order.state.value
        sums = Counter[str]()
        moved = Counter[str]()
        for happening in told.happenings:
            for posting in happening.postings:
                sums[posting.instrument] += Decimal(posting.amount)  # type: ignore[assignment]
                moved[posting.account] += Decimal(posting.amount)  # type: ignore[assignment]
        assert all(not amount for amount in sums.values())
        sign = -1 if told.side == "BUY" else 1
        assert moved["cash"] + moved["cash:reserved"] == sign * order.notional_filled - order.fees
        assert moved["cash:reserved"] == order.reserved
        assert text_of(told)


def test_an_order_is_told_from_the_market_to_the_books() -> None:
    play = opened().hear(request("JD", key="jd", shares=33))
    order = play.live()[0]
    play.hear(SendStarted(client_order_id=order.client_order_id))
    play.hear(report(order, Claim.NEW, OPEN_NS), fill(order, Decimal(33), OPEN_NS))
    told = order_of(order.client_order_id, steps_about(play, order.client_order_id), BUILD)
    assert [one.kind for one in told.happenings] == [
        "request",
        "send_started",
        "order_report",
        "order_report",
    ]
    assert [one.state_after for one in told.happenings] == ["INTENT", "SENT", "NEW", "FILLED"]
    last = told.happenings[-1]
    assert last.before is not None
    assert last.after is not None
    assert (last.before.quantity, last.after.quantity) == ("0", "33")
    assert Decimal(last.after.cash) == OPENING - 33 * Decimal("31.92")
    for words in (
        "market    09:30:00  JD bid 31.91, ask 31.93, quoted 09:30:00",
        "ok  buying_power         cost 1053.36, cash_free 250000",
        "sent      09:30:00  the last checks passed, the bytes leave; INTENT -> SENT",
        "report    09:30:00  stream: filled, 33 executed; NEW -> FILLED",
        "position   flat -> 33 at 31.92, sma-crossover",
        "cash       250,000.00 -> 248,946.64",
    ):
        assert words in text_of(told), words


def test_doubt_is_told_with_the_answer_that_was_none_and_the_question_to_the_broker() -> None:
    play = opened().hear(request("GS", key="gs"), *(request("GS", key=f"g{i}") for i in range(7)))
    name = play.live()[0].client_order_id
    play.hear(SendStarted(client_order_id=name))
    play.hear(SendOutcome(client_order_id=name, outcome="unknown", reason="504\nlost"))
    told = order_of(name, steps_about(play, name), BUILD)
    assert told.state == "UNKNOWN"
    assert len(told.blocked) == 7
    assert "answer    09:30:00  unknown, 504\\nlost; SENT -> UNKNOWN" in text_of(told)
    assert "the broker is asked, for the 1st time: 504\\nlost" in text_of(told)
    assert "7 requests ran into it, the first: r-g0" in text_of(told)


def test_a_denial_shows_the_rule_that_decided_and_names_those_that_were_not_asked() -> None:
    (decision,) = decisions_of(opened().hear(request("T", key="t", price="44.10")))
    assert objecting(decision) == ["price_collar"]
    text = text_of(RequestExplained(request_id="r-t", decisions=(decision,), order=None))
    assert "NO  price_collar         price 44.1, quote 22.47, deviation 0.962616822" in text
    assert "The limit price lies near the quote's middle" in text
    assert "not asked: stop_required, protective_prices, order_notional, position_notional" in text


@pytest.mark.parametrize(
    ("changed", "stopper"),
    [
        ({"size": Size(unit="shares", amount=Decimal("NaN"))}, "numbers"),
        ({"size": Size(unit="shares", amount=Decimal("1E+99"))}, "numbers"),
        ({"limit_price": Decimal(-1)}, "numbers"),
        ({"limit_price": Decimal("1E+999999")}, "numbers"),
        ({"limit_price": None}, "price_tick"),
        ({"quote": None}, "no_quote"),
    ],
)
def test_a_request_with_impossible_numbers_is_explained_too(
    changed: dict[str, Size | Decimal | None], stopper: str
) -> None:
    play = opened().hear(replace(request("T", key="t"), **changed))
    (decision,) = decisions_of(play)
    assert objecting(decision) == [stopper]
    assert decision.decided_now == ""
    assert text_of(RequestExplained(request_id="r-t", decisions=(decision,), order=None))


def test_another_telling_under_the_same_id_is_a_conflict_before_any_rule() -> None:
    play = opened().hear(request("T", key="t", telling="r"), request("GS", key="g", telling="r"))
    first, second = decisions_of(play)
    assert first.outcome == "accepted"
    assert [rule.name for rule in second.rules] == ["identity"]
    assert second.why == "request_id_conflict"


def test_another_build_and_other_rules_are_pointed_out() -> None:
    play = opened().hear(request("T", key="t", price="44.10"))
    (same,), (other,) = decisions_of(play), decisions_of(play, build="another")
    assert same.is_running_build
    assert not other.is_running_build
    step = steps_of(play)[-1]
    kinder = replace(step.before.limits, price_deviation_max=Decimal(9))
    ruled = Step(before=replace(step.before, limits=kinder), entry=step.entry)
    changed = decision_of(ruled, "another")
    assert (changed.why, changed.decided_now) == ("price_collar", "accepted")
    text = text_of(RequestExplained(request_id="r", decisions=(changed,), order=None))
    assert "another build decided" in text
    assert "these rules would decide otherwise: accepted" in text


def test_a_symbol_says_what_stands_against_an_entry_now() -> None:
    play = opened().hear(request("JD", key="jd", shares=33))
    play.hear(fill(play.live()[0], Decimal(33), OPEN_NS))
    assert [one.name for one in symbol_of(play, "JD").objections] == ["duplicate"]
    assert symbol_of(play, "GS").entries == "open"
    play.hear(Command(command_id="c", verb="halt", who="ana", reason="lunch"))
    assert [one.name for one in symbol_of(play, "GS").objections] == ["halted"]
    assert [one.name for one in symbol_of(play, "NONE").objections] == ["halted", "unknown_symbol"]
    assert "closed: halted (halted ana: lunch" in text_of(symbol_of(play, "GS"))


def test_repeats_in_a_row_are_one_line_with_a_count() -> None:
    play = opened().hear(*(request("GS", key=f"g{i}") for i in range(20)))
    told = symbol_of(play, "GS")
    assert [(one.outcome, one.count) for one in told.decisions] == [
        ("accepted", 1),
        ("duplicate_blocked", 19),
    ]
    assert told.decisions_session == 20
    assert "x19" in text_of(told)


def test_only_the_last_decisions_of_the_present_session_are_told() -> None:
    play = opened()
    for i in range(DECISIONS_MAX):
        price = "44.10" if i % 2 else "22.471"
        play.hear(request("T", key=f"t{i}", price=price), request("T", key=f"u{i}", shares=0))
    told = symbol_of(play, "T")
    assert len(told.decisions) == DECISIONS_MAX
    assert told.decisions_session == 2 * DECISIONS_MAX
    assert f"{2 * DECISIONS_MAX} requests in this session, the last {DECISIONS_MAX}:" in text_of(
        told
    )
    play.hear(clock(OPEN_NS + 1440 * MINUTE_NS, "2026-01-27"))
    assert symbol_of(play, "T").decisions == ()
    assert "nobody has asked for anything in this session" in text_of(symbol_of(play, "T"))


def test_words_from_outside_cannot_steer_the_terminal() -> None:
    evil = "x\n10:00:00 BUY\x1b[31m\u202e"
    play = opened().hear(request("T", key="t", telling=evil, reason=evil))
    name = play.live()[0].client_order_id
    play.hear(SendOutcome(client_order_id=name, outcome="rejected", reason=evil))
    told = order_of(name, steps_about(play, name), BUILD)
    lines: Sequence[str] = list(lines_of(told)) + list(lines_of(symbol_of(play, "T")))
    assert any("\\x1b[31m" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_an_entry_about_something_else_answers_no_request() -> None:
    assert all(answer_of(step.entry.events) is None for step in steps_of(opened()))
