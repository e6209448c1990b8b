"""Bugs planted in what the program decides of requests: duplicates, identity, limits and gates."""

from tests.mutants.planted import (
    Edit,
    contract,
    core,
    planted,
    plays,
    properties,
    scenario,
    tidy,
    tight,
    walk,
    worlds,
)

NO_DUPLICATE_RULE = Edit("execution.py", "blocked = risk.duplicate(wanted)", "blocked = None")
FORGOTTEN = """orders=Map(
            {
                name: replace(order, lookup_open=False, cancel_requested=False, cancel_asked_ns=0)
                for name, order in state.orders.items()
            }
        ),"""
WITHOUT_ORDERS = "orders=Map(), positions=Map(), positions_value=plain(0 * state.positions_value),"
SELLABLE_TWICE = Edit(
    "positions.py", "return self.quantity - self.quantity_pending_sell", "return self.quantity"
)

DUPLICATES = (
    planted(
        "the duplicate rule is off",
        NO_DUPLICATE_RULE,
        plays("execution", "a_second_entry_is_blocked"),
        properties("execution", "eight_workers_get_one_order_in_any_order_and_over_any_batches"),
        worlds("nothing", "A"),
        core("A1"),
    ),
    planted(
        "a decision that has its order is ordered again",
        Edit("risk.py", "    if wanted.decision_known:\n", "    if False:\n"),
        plays("execution", "the_same_decision_told_anew_is_blocked_by_itself"),
        core("A3"),
    ),
    planted(
        "a live entry blocks nothing",
        Edit("risk.py", "if live is not None:", "if live is not None and False:"),
        plays("execution", "a_second_entry_is_blocked"),
        worlds("nothing", "A1"),
    ),
    planted(
        "a position blocks nothing",
        Edit(
            "risk.py",
            "return Blocking.POSITION, canonical(wanted.position.quantity)",
            "return None",
        ),
        plays("execution", "a_second_entry_is_blocked"),
        worlds("nothing", "A2"),
    ),
    planted(
        "an add is allowed once more than the limit says",
        Edit("risk.py", "adds < wanted.limits.adds_max", "adds <= wanted.limits.adds_max"),
        plays("risk", "adding_is_off"),
    ),
    planted(
        "pending set released in finally: an unknown outcome is taken for never sent",
        Edit(
            "reports.py",
            "            return doubted(state, order, outcome.reason)\n",
            "            return triggered(state, order, Trigger.PROVEN_NEVER_SENT, outcome.reason)\n",
        ),
        plays("reports", "an_outcome_that_proves_nothing_is_doubt"),
        worlds("lost replies"),
        walk("A1"),
    ),
    planted(
        "the id of an order is of its telling, not of its decision",
        Edit(
            "inquiry.py",
            "request.side, request.decision_key)",
            "request.side, DecisionKey(request.request_id[-24:]))",
        ),
        properties("execution", "the_id_of_an_order_is_a_function_of_the_decision_alone"),
    ),
    planted(
        "the id of an order is random",
        Edit(
            "inquiry.py",
            "{symbol}-{side[0]}-{key[:24]}",
            "{symbol}-{__import__('random').getrandbits(64)}",
        ),
        properties("execution", "the_id_of_an_order_is_a_function_of_the_decision_alone"),
    ),
    planted(
        "ids that were used are forgotten",
        Edit("evolve.py", "        used=state.used.set(order.client_order_id, ZERO),\n", ""),
        plays("execution", "the_same_decision_told_anew_is_blocked_by_itself"),
    ),
    planted(
        "the same telling again is a new one",
        Edit("execution.py", "    if first_told == digest:\n", "    if False:\n"),
        plays("execution", "the_same_telling_again_writes_nothing"),
        core("A4"),
    ),
    planted(
        "a telling with other content is taken for the first",
        Edit("execution.py", "    if first_told == digest:\n", "    if first_told is not None:\n"),
        plays("execution", "a_telling_with_other_content_is_a_conflict_and_the_first_stands"),
    ),
    planted(
        "tellings are forgotten with the session",
        Edit("conditions.py", "tellings_before=state.tellings", "tellings_before=Map()"),
        plays("state", "tellings_are_kept_for_a_session_and_the_next"),
    ),
    planted(
        "a life forgets the orders before it",
        Edit("conditions.py", FORGOTTEN, WITHOUT_ORDERS),
        plays("execution", "an_order_that_was_answered_stays_what_it_is_over_a_crash"),
        worlds("deaths"),
    ),
    planted(
        "an intent without an answer is not in doubt after a crash",
        Edit("execution.py", "    for one in unanswered:\n", "    for one in unanswered[:0]:\n"),
        plays(
            "execution",
            "an_intent_without_an_answer_is_in_doubt_after_a_crash_and_never_sent_again",
        ),
        worlds("deaths"),
        walk("B7"),
    ),
    planted(
        "await inside the decision",
        Edit("execution.py", "\ndef decide(state", "\nasync def decide(state"),
        tidy("deciding_is_a_plain_function"),
    ),
)

LIMITS = (
    planted(
        "the cap on live entries is off by one",
        Edit("risk.py", "if question.entries_open < limit:", "if question.entries_open <= limit:"),
        plays("risk", "each_reason_denies_and_changes_nothing_but_the_count[entries_open]"),
        properties("risk", "never_more_entries_live_than_the_limit_whoever_comes_and_goes"),
    ),
    planted(
        "entries that are over still count as alive",
        Edit("evolve.py", "(lives if now.purpose in ENTRY_PURPOSES else 0)", "0"),
        plays("risk", "entries_alive_at_once_are_counted_until_they_are_over"),
    ),
    planted(
        "an exit in doubt frees the shares that it may sell",
        SELLABLE_TWICE,
        plays("risk", "an_exit_in_doubt_still_holds_all_that_it_has_left"),
        core("A10"),
    ),
    planted(
        "an exit goes by our holding where the broker's is smaller",
        Edit(
            "inquiry.py",
            "position.quantity_sellable - max(surplus, ZERO)",
            "position.quantity_sellable",
        ),
        plays("reports", "exits_sell_no_more_than_the_smaller_of_both_holdings"),
    ),
    planted(
        "an exit goes by our holding until a difference is called one",
        Edit("agreement.py", "        surplus=_surplus(differences),\n", ""),
        plays("reports", "exits_sell_no_more_than_the_smaller_of_both_holdings"),
    ),
    planted(
        "shares that the broker had not for a moment stay lost while cash differs",
        Edit(
            "evolve.py",
            "differing = state.differing if event.surplus is None else Map(event.surplus)",
            "differing = Map(event.surplus or state.differing)",
        ),
        plays(
            "movements", "shares_that_a_later_statement_has_again_may_be_sold_while_cash_differs"
        ),
    ),
    planted(
        "what a person's word has emptied keeps its owner and its highest price",
        Edit(
            "evolve.py",
            "            after = positions.released_when_flat(after)\n",
            "            pass\n",
        ),
        plays("movements", "what_is_emptied_by_a_persons_word_belongs_to_nobody"),
    ),
    planted(
        "a reply that rejects frees what the broker has acknowledged",
        Edit(
            "reports.py",
            'case "rejected" if order.state in AT_BROKER:',
            'case "rejected" if False:',
        ),
        plays("reports", "a_reply_that_rejects_what_the_stream_has_proven_alive_frees_nothing"),
    ),
    planted(
        "what is in flight is no exposure",
        Edit(
            "inquiry.py",
            "exposure=state.positions_value + state.books.reserved",
            "exposure=state.positions_value",
        ),
        plays("risk", "what_is_in_flight_counts_as_exposure"),
    ),
    planted(
        "the minute's entries are counted for ever",
        Edit("inquiry.py", "if abs(at_ns - state.at_ns) < MINUTE_NS", "if at_ns"),
        plays("risk", "entries_of_a_minute_are_forgotten_after_it"),
    ),
    planted(
        "a session doesn't start the day's counters over",
        Edit("conditions.py", "entries_session=0, entries_filled_ns=()", "entries_filled_ns=()"),
        plays("risk", "a_symbol_has_so_many_entries_a_session_and_new_ones_the_next"),
    ),
    planted(
        "the brake of repeated executions is off",
        Edit("reports.py", "        events.extend(_brakes(state, order, booked))\n", ""),
        plays("risk", "the_third_filled_entry_of_a_symbol_in_ten_minutes_stops_it"),
    ),
    planted(
        "a loss trips no brake",
        Edit("brakes.py", "base - equity > limit * base", "base - equity > base"),
        plays("risk", "a_loss_beyond_the_days_limit_stops_entries_until_somebody_resumes"),
    ),
    planted(
        "a halt is forgotten by the next life",
        Edit(
            "conditions.py",
            "        workers_cold=Map(),\n",
            "        workers_cold=Map(), halt=None,\n",
        ),
        plays("execution", "a_halt_survives_a_crash_and_says_so"),
        scenario("s14-halt-in-flight"),
        core("A9"),
    ),
    planted(
        "a life begins with its gates open",
        Edit(
            "conditions.py",
            '(gate, "starting") for gate in GATES_AT_START',
            '(gate, "starting") for gate in ()',
        ),
        plays("execution", "a_life_begins_with_its_gates_shut"),
        core("A9"),
    ),
    planted(
        "a lost trading stream leaves the books agreed",
        Edit("execution.py", "if report.gate is Gate.TRADING_STREAM and", "if False and"),
        plays("execution", "a_lost_trading_stream_ends_the_agreement"),
    ),
    planted(
        "another limit is nobody's news",
        Edit("execution.py", "[began, *limits_changed(state, boot)]", "[began]"),
        plays("limits", "a_limit_that_is_another_one_in_the_next_life_is_an_event"),
        contract(
            "limits_of_runs", "a_limit_that_is_changed_between_runs_is_in_journal_log_and_status"
        ),
    ),
    planted(
        "a promotion holds however the strategy is configured",
        Edit(
            "state.py",
            'return self.promoted.get(strategy) == self.strategies.get(strategy, "")',
            "return strategy in self.promoted",
        ),
        plays("limits", "a_promotion_holds_over_lives_until_the_strategy_is_configured_otherwise"),
    ),
    planted(
        "each new strategy is promoted",
        Edit(
            "inquiry.py",
            "canary=None if state.is_promoted(request.strategy) else state.limits.canary",
            "canary=None",
        ),
        plays("limits", "a_strategy_that_nobody_has_promoted_has_smaller_limits"),
        contract("limits_of_runs", "a_new_strategy_trades_small_until_somebody_promotes_it"),
    ),
    planted(
        "a session's dollars are never forgotten",
        Edit("tally.py", "entries_notional=Decimal(0), ", ""),
        plays("limits", "the_next_session_begins_at_nothing"),
    ),
    planted(
        "real money trades by limits that nobody answers for",
        Edit("cli/run.py", "if nobodys := unexplained(config.limits):", "if nobodys := []:"),
        contract("limits_of_runs", "real_money_wants_every_limit_its_owner_and_its_reason"),
    ),
    *(
        planted(
            f"the venue is sent more than the limit says: {rule}",
            Edit("risk.py", f"    {rule},\n", ""),
            tight(reason),
        )
        for rule, reason in (
            ("order_notional", "order_notional"),
            ("entries_per_day", "entries_per_day"),
            ("notional_per_day", "notional_per_day"),
            ("canary", "canary"),
            ("position_notional", "position_notional"),
            ("exposure", "exposure"),
            ("entries_open", "entries_open"),
            ("stop_required", "stop_required"),
        )
    ),
    *(
        planted(
            f"the venue is sent entries after the brake: {reason}",
            Edit("risk.py", f"    _braked(Brake.{name}, DenyReason.{name}),\n", ""),
            tight(reason),
        )
        for name in ("REPEATED_EXECUTIONS", "LOSS_DAY", "DRAWDOWN")
        for reason in (name.lower(),)
    ),
    planted(
        "of a canary only the order counts, not what it has already",
        Edit(
            "allowance.py",
            "            held.value + on_its_way + question.cost,\n",
            "            question.cost,\n",
        ),
        plays(
            "risk",
            "a_canarys_position_is_what_it_holds_what_is_on_its_way_and_what_it_wants",
        ),
    ),
    planted(
        "of a canary what is on its way is not counted",
        Edit(
            "allowance.py", "held.value + on_its_way + question.cost", "held.value + question.cost"
        ),
        plays(
            "risk",
            "a_canarys_position_is_what_it_holds_what_is_on_its_way_and_what_it_wants",
        ),
    ),
    planted(
        "a canary has no limit for its position",
        Edit("allowance.py", "held.value + on_its_way + question.cost,", "Decimal(0),"),
        plays(
            "risk",
            "a_canarys_position_is_what_it_holds_what_is_on_its_way_and_what_it_wants",
        ),
        tight("canary position"),
    ),
    planted(
        "the venue is sent more than the limit says: entries_per_minute",
        Edit("risk.py", "    entries_per_minute,\n", ""),
        tight("entries_per_minute", "C17"),
    ),
    planted(
        "a clock that is set back forgets the minute",
        Edit("tally.py", "0 < abs(one[0] - now_ns) < MINUTE_NS", "0 < now_ns - one[0] < MINUTE_NS"),
        plays(
            "risk",
            "a_clock_that_is_set_back_forgets_no_entry_of_the_minute_and_keeps_none_of_another",
        ),
    ),
)
