"""Each rule of risk.py off, for entries and for exits: read from the program, so that none can be forgotten."""

import ast
from collections.abc import Iterator

from tests.mutants.planted import Catch, Edit, Planted, core, planted, plays
from tests.program import ROOT

MODULE = "risk.py"
REASON = "each_reason_denies_and_changes_nothing_but_the_count"
# Which play notices; of a rule for entries that isn't named here, the one that reaches its reason.
OF_ENTRIES = {
    "side": plays("risk", "entries_buy_and_exits_sell"),
    "order_quantity": plays(
        "risk", "an_entry_of_more_shares_than_one_order_may_have_is_denied_and_an_exit_is_not"
    ),
    "protective_prices": plays("protection", "an_entry_whose_protection_makes_no_sense_is_denied"),
    "session_closing": plays("sessions", "nobody_enters_who_is_about_to_leave"),
    "not_owner": plays("risk", "an_add_of_another_strategy_is_denied"),
    "self_trade": plays("risk", "an_add_meets_none_of_our_exits"),
}
OF_EXITS = {
    "expired": plays("risk", "a_late_exit_is_not_executed_either"),
    "line_shut": plays(
        "commands", "while_the_last_line_is_shut_nothing_is_wanted_that_would_come_back"
    ),
    "market_closed": plays("risk", "nothing_trades_while_the_exchange_is_closed"),
    "price_jump": plays("disruptions", "nobody_sells_on_a_price_that_jumped_over_a_night"),
    "not_owner": plays("risk", "only_the_owner_and_an_operator_may_reduce_a_position"),
    "hands_off": plays("movements", "a_hands_off_holding_counts_and_is_never_touched"),
    "side": plays("risk", "entries_buy_and_exits_sell"),
    "would_oversell": plays("risk", "an_exit_sells_no_more_than_is_held"),
    "quantity": plays("risk", "an_exit_sells_whole_shares"),
    "price_tick": plays("risk", "an_exit_is_priced_on_the_tick_too"),
    "price_collar": plays("risk", "an_exit_priced_by_another_symbols_tick_is_denied"),
    "self_trade": plays("risk", f"{REASON}[self_trade]"),
}
# Of these the core simulation has sums of its own.
BY_SUMS = {
    ("not_ready", "entries"): core("A9"),
    ("halted", "entries"): core("A9"),
    ("buying_power", "entries"): core("D4"),
    ("would_oversell", "exits"): core("A10"),
}


def rules_off() -> Iterator[Planted]:
    """A new rule has its mutants as soon as it is in one of the two lists, and a rule for exits needs its play."""
    for kind, table in (("entries", "ENTRY_RULES"), ("exits", "EXIT_RULES")):
        for rule, before, after in _lists_without_one(table):
            name = f"the rule {rule} is off for {kind}"
            yield planted(name, Edit(MODULE, before, after), *_noticed(kind, rule))


def _noticed(kind: str, rule: str) -> Iterator[Catch]:
    if kind == "exits":
        yield OF_EXITS[rule]
    else:
        yield OF_ENTRIES.get(rule) or plays("risk", f"{REASON}[{rule}]")
    if (rule, kind) in BY_SUMS:
        yield BY_SUMS[rule, kind]


def _lists_without_one(table: str) -> Iterator[tuple[str, str, str]]:
    """Each rule of a list with the list's source, and the same without it."""
    source = (ROOT / "trader" / MODULE).read_text()
    [found] = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == table
    ]
    before = ast.get_source_segment(source, found)
    assert before is not None
    assert isinstance(found.value, ast.Tuple)
    for element in found.value.elts:
        text = ast.get_source_segment(source, element)
        line = f"    {text},\n"
        assert before.count(line) == 1, line
        # A brake's rule is made on the spot, and named by its reason.
        rule = element.args[1] if isinstance(element, ast.Call) else element
        yield (
            ast.unparse(rule).removeprefix("DenyReason.").lower(),
            before,
            before.replace(line, ""),
        )
