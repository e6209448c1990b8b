"""Bugs planted in how an order lives and in what is booked of it."""

from tests.mutants.planted import Edit, core, planted, plays, properties, scenario, tidy, worlds

ORDERS = (
    planted(
        "a refusal that overtakes the reply to a cancel is forgotten",
        Edit(
            "reports.py",
            'if outcome.outcome == "accepted" and order.cancel_requested:',
            'if outcome.outcome == "accepted":',
        ),
        plays("reports", "a_refusal_that_overtakes_the_reply_to_a_cancel_stands"),
    ),
    planted(
        "an answer that changes nothing is none",
        Edit("reports.py", "not (events or order.lookup_open)", "not events"),
        plays("reports", "a_cancel_without_success_asks_what_became_of_the_order"),
    ),
    planted(
        "a cancel whose refusal nobody heard is pending for ever",
        Edit(
            "orders.py",
            "    return Claim.CANCEL_REJECTED if is_forgotten else claim",
            "    return claim",
        ),
        plays("reports", "a_cancel_whose_refusal_nobody_heard_is_not_pending_for_ever"),
    ),
    planted(
        "a canceled order goes on",
        Edit(
            "orders.py",
            "CANCELED          CANCELED    CANCELED    CANCELED    CANCELED      CANCELED      CANCELED\n",
            "CANCELED          CANCELED    CANCELED    CANCELED    CANCELED      .             CANCELED\n",
        ),
        plays("orders", "each_pair_does_what_the_table_says"),
        core("B6"),
    ),
    planted(
        "a lookup that misses is proof of absence to the decision",
        Edit(
            "reports.py",
            '    return (lookup_wanted(order, "the broker does not know it, or not yet"),)\n',
            '    return triggered(state, order, Trigger.PROVEN_NEVER_SENT, "")\n',
        ),
        plays("reports", "a_lost_reply_leaves_the_order_in_doubt_until_it_is_found"),
        core("A1"),
    ),
    planted(
        "a busted execution comes back under another id",
        Edit(
            "recognition.py",
            "        and known.at_ns // MILLISECOND_NS == told.at_ns // MILLISECOND_NS\n",
            "        and False\n",
        ),
        plays(
            "corrections",
            "a_busted_execution_stays_taken_back_under_the_id_that_a_list_of_fills_has_for_it",
        ),
        core("D9"),
    ),
    planted(
        "a late fill of a canceled order needs no look",
        Edit(
            "orders.py",
            "FILL_ALL          FILLED      .!!         FILLED!     ",
            "FILL_ALL          FILLED      .!!         FILLED      ",
        ),
        plays("orders", "each_pair_does_what_the_table_says"),
        scenario("s20-filled-after-all"),
    ),
    planted(
        "a claim of the end is believed before its executions came",
        Edit(
            "orders.py",
            "order.final_reported is None or is_unexplained(order) or",
            "order.final_reported is None or",
        ),
        plays("orders", "an_order_does_not_end_while_executions_are_missing"),
        properties("reports", "a_final_claim_that_overtakes_its_executions_waits_for_them"),
    ),
    planted(
        "the last claim says what is filled",
        Edit(
            "orders.py",
            "quantity_reported=max(order.quantity_reported, cumulative)",
            "quantity_reported=cumulative",
        ),
        Edit("orders.py", " or cumulative > order.quantity_reported:", " or True:"),
        plays("orders", "the_claims_high_water_mark_never_falls"),
    ),
    planted(
        "reports applied without order: an end is believed at once, and nothing is booked after it",
        Edit(
            "orders.py",
            "order.final_reported is None or is_unexplained(order) or",
            "order.final_reported is None or",
        ),
        Edit(
            "reports.py",
            "    if report.execution is not None and not recognition.knows(order, report.execution):\n",
            "    if report.execution is not None and orders.is_live(order)"
            " and not recognition.knows(order, report.execution):\n",
        ),
        properties("reports", "reports_of_a_buy_in_any_order_and_any_number_end_in_the_same_books"),
        core("D2"),
        masked="what comes after the end is booked all the same",
    ),
    planted(
        "a correction that can't be booked is an alarm each time it is told",
        Edit("corrections.py", "return () if reference in state.booked else ", "return "),
        plays("corrections", "a_correction_that_can_not_be_booked_stops_the_symbol_once"),
    ),
    planted(
        "a try that found no connection proves that an order of the broker's own word was never sent",
        Edit(
            "reports.py",
            'case "never_sent" if _foreign(order.client_order_id) in state.booked:',
            'case "never sent either":',
        ),
        plays("reports", "an_order_that_the_broker_has_told_of_is_not_proven_never_sent"),
    ),
    planted(
        "a rejection of what was executed is an alarm each time it is told",
        Edit("reports.py", "        if order.is_denied and not events:\n", "        if False:\n"),
        plays(
            "reports",
            "that_something_executed_was_rejected_is_one_alarm_however_often_it_is_told",
        ),
    ),
    planted(
        "what the broker denies is asked about with each statement",
        Edit("agreement.py", "        and not order.is_denied  # It", "        # It"),
        plays("reports", "an_order_that_the_broker_denies_is_not_asked_about_with_each_statement"),
    ),
    planted(
        "no execution-id dedupe",
        Edit(
            "recognition.py",
            "        if known.execution.execution_id == execution.execution_id:\n",
            "        if False:\n",
        ),
        plays("orders", "an_execution_is_known_by_its_id_or_by_where_it_ends"),
    ),
    planted(
        "an execution is booked each time that it is told",
        Edit(
            "reports.py",
            "    if report.execution is not None and not recognition.knows(order, report.execution):\n",
            "    if report.execution is not None:\n",
        ),
        plays("reports", "what_an_activity_and_the_stream_both_tell_is_booked_once"),
        properties("reports", "reports_of_a_buy_in_any_order_and_any_number_end_in_the_same_books"),
        worlds("repeats"),
        core("D2"),
        masked="an execution is known by its id, and by the quantity at which it ends",
    ),
    planted(
        "what comes after the end is not booked",
        Edit(
            "reports.py",
            "    if report.execution is not None and not recognition.knows(order, report.execution):\n",
            "    if report.execution is not None and orders.is_live(order)"
            " and not recognition.knows(order, report.execution):\n",
        ),
        plays("reports", "a_late_fill_is_booked_and_somebody_hears_of_it"),
        scenario("s06-fills-in-any-order"),
        core("D2"),
    ),
    planted(
        "a report that can't be about its order is believed",
        Edit("reports.py", "    misfit = _misfit(state, order, report)\n", '    misfit = ""\n'),
        plays("reports", "a_report_that_does_not_fit_its_order_books_nothing_and_stops_the_symbol"),
    ),
    planted(
        "an execution of another order is booked",
        Edit(
            "reports.py",
            "order.client_order_id) != order.client_order_id:",
            "order.client_order_id) is None:",
        ),
        plays("reports", "an_execution_of_one_order_told_of_another_is_quarantined"),
    ),
    planted(
        "a foreign order is nobody's business",
        Edit(
            "reports.py",
            "    reference = _foreign(report.client_order_id)\n",
            '    return known\n    reference = ""\n',
        ),
        plays("reports", "an_order_that_is_not_ours_is_recorded_and_never_adopted"),
    ),
    planted(
        "more than was ordered stops nothing",
        Edit("orders.py", "    if order.quantity_filled > order.quantity:\n", "    if False:\n"),
        plays("reports", "more_than_was_ordered_is_booked_and_stops_the_symbol"),
    ),
    planted(
        "a cancel is believed before the broker has proven it",
        Edit(
            "reports.py",
            "triggered(state, order, Trigger.CANCEL_PENDING, ",
            "triggered(state, order, Trigger.CANCELED, ",
        ),
        plays("reports", "a_cancel_is_proven_by_the_broker_only"),
    ),
    planted(
        "an order in doubt is taken for dead",
        Edit(
            "orders.py",
            "    return order.state not in FINAL_STATES\n",
            "    return order.state not in FINAL_STATES and order.state is not _S.UNKNOWN\n",
        ),
        plays("risk", "an_entry_in_doubt_is_alive"),
    ),
    planted(
        "what fills the gap of a bust is taken for an execution of before",
        Edit("recognition.py", "(not has_gap or _is_same(known.execution, execution))", "True"),
        plays("corrections", "what_fills_the_gap_of_a_bust_may_end_where_a_later_execution_ended"),
    ),
    planted(
        "an exit of shares that a bust took back goes on",
        Edit("corrections.py", "        if beyond > 0 and ", "        if False and "),
        plays("corrections", "an_exit_of_shares_that_a_bust_takes_back_is_canceled"),
    ),
    planted(
        "a busted execution is booked again when a list shows it",
        Edit("reports.py", "and recognition.was_busted(order, report.execution):", "and False:"),
        plays(
            "corrections",
            "an_order_whose_only_execution_was_busted_ends_though_lists_of_fills_go_on_showing_it",
        ),
        core("D2"),
    ),
)

BOOKS = (
    planted(
        "a reservation is not released",
        Edit(
            "evolve.py",
            "books = accounting.reserved(state.books, now.reserved - before.reserved)",
            "books = state.books",
        ),
        plays("reports", "proof_that_nothing_lives_gives_cash_and_symbol_free"),
        worlds("lost replies"),  # by the world's own sum, or by the next start's
        core("D3"),
    ),
    planted(
        "a final order keeps its reserve",
        Edit(
            "orders.py",
            "        return replace(now, reserved=ZERO) if now.reserved else now\n",
            "        return now\n",
        ),
        plays("orders", "a_final_order_holds_no_cash"),
        worlds("nothing", "D3"),
        core("D3"),
    ),
    planted(
        "a reservation is released twice",
        Edit(
            "accounting.py",
            "reserved=plain(books.reserved - event.released)",
            "reserved=plain(books.reserved - 2 * event.released)",
        ),
        plays("reports", "an_order_is_acknowledged_filled_in_parts_and_booked_once"),
        worlds("nothing"),
        core("D3"),
    ),
    planted(
        "a fill releases nothing of its reserve",
        Edit("orders.py", "reserved=plain(order.reserved - released)", "reserved=order.reserved"),
        properties(
            "orders", "the_reserve_shrinks_with_what_is_left_and_is_gone_with_the_last_share"
        ),
        core("D3"),
    ),
    planted(
        "a market order reserves the quote without the collar",
        Edit(
            "inquiry.py",
            "price_of(far) * (ONE + state.limits.price_deviation_max)",
            "price_of(far)",
        ),
        plays("risk", "a_limit_order_needs_a_price_and_a_market_order_none"),
    ),
    planted(
        "the wrong sign of a side in the positions",
        Edit(
            "positions.py",
            "position.quantity + sign * event.execution.quantity",
            "position.quantity - sign * event.execution.quantity",
        ),
        plays("reports", "an_order_is_acknowledged_filled_in_parts_and_booked_once"),
        plays("soundness", "a_day_of_fills_and_movements_adds_up", says="books_differ"),
        worlds("nothing"),
        core("D1"),
    ),
    planted(
        "our own books are not added up after a fill",
        Edit("soundness.py", "    if not what:\n", "    if True:\n"),
        plays("soundness", "books_that_do_not_add_up_after_a_fill_halt_and_raise_an_alarm"),
    ),
    planted(
        "somebody's halt hides that the books don't add up",
        Edit(
            "soundness.py",
            "state.halt is not None and state.halt.who == WHO",
            "state.halt is not None",
        ),
        plays(
            "soundness", "a_halt_that_stands_does_not_hide_it_and_loses_nothing_of_what_it_wants"
        ),
    ),
    planted(
        "a start believes books that don't add up",
        Edit(
            "live/opening.py",
            "    for what in soundness.all_differences(state):\n",
            "    for what in ():\n",
        ),
        plays("journal_opening", "books_that_do_not_add_up_refuse_the_start"),
    ),
    planted(
        "a start believes the history in the tables",
        Edit(
            "live/opening.py",
            "differing or list(map(str, appended_since(reader, mark)))",
            "differing",
        ),
        plays(
            "journal_opening",
            "rows_of_history_that_were_changed_are_found_by_the_start_and_the_doctor",
        ),
    ),
    planted(
        "the wrong sign of a side in the cash",
        Edit(
            "accounting.py",
            "    flow = -event.notional if is_buy else event.notional\n    return replace(",
            "    flow = event.notional if is_buy else -event.notional\n    return replace(",
        ),
        plays("accounting", "each_fill_balances_and_the_accounts_are_the_books"),
        worlds("nothing"),
        core("D2"),
    ),
    planted(
        "the fee is forgotten in the cash",
        Edit(
            "accounting.py",
            "cash=plain(books.cash + flow - event.fees)",
            "cash=plain(books.cash + flow)",
        ),
        plays("accounting", "each_fill_balances_and_the_accounts_are_the_books"),
        worlds("nothing"),
        core("D2"),
    ),
    planted(
        "buys pay the fee too",
        Edit("accounting.py", "    if side is Side.BUY:\n        return ZERO\n", ""),
        plays("accounting", "a_buy_pays_no_fee"),
    ),
    planted(
        "the fee is rounded for us",
        Edit(
            "accounting.py",
            "return rounded_up(notional * fees.sell_notional_rate + by_shares)",
            "return rounded_up(notional * fees.sell_notional_rate + by_shares) - Decimal('0.01')",
        ),
        plays("accounting", "fees_are_the_rates_in_fractions_of_a_cent_rounded_against_us"),
    ),
    planted(
        "average cost wrong on partial exits",
        Edit(
            "positions.py",
            "cost_closed = share(position.cost, closing, abs(held))",
            "cost_closed = position.cost",
        ),
        plays("positions", "a_trade_adds_cost_or_realizes_profit"),
        core("D7"),
    ),
    planted(
        "the last sale leaves a rest of the cost",
        Edit("positions.py", "    if closing == abs(held):\n", "    if False:\n"),
        properties("positions", "cash_and_cost_are_what_was_put_in_and_what_was_realized"),
    ),
    planted(
        "profit is told without its fee",
        Edit("positions.py", "- cost_closed - fees) if closing", "- cost_closed) if closing"),
        plays("positions", "a_trade_adds_cost_or_realizes_profit"),
    ),
    planted(
        "a bust does not take the fee back",
        Edit(
            "corrections.py",
            "cash = plain(sign * booked.notional + booked.fees)",
            "cash = plain(sign * booked.notional)",
        ),
        plays("corrections", "a_bust_of_a_sale_takes_back_its_profit_and_its_fee"),
        core("D2"),
    ),
    planted(
        "an activity is booked each time that it is told",
        Edit("splits.py", " if one.activity_id not in booked]", "]"),
        plays("movements", "an_activity_is_booked_once_and_the_broker_agrees"),
        core("D9"),
    ),
    planted(
        "a fee that was accrued is charged once more",
        Edit("movements.py", "amount + state.fees_accrued.get(activity.session, ZERO)", "amount"),
        plays("movements", "a_fee_that_was_accrued_at_the_fill_is_trued_up_when_it_is_charged"),
    ),
    planted(
        "a deposit is profit",
        Edit("movements.py", "amount if activity.kind in DEPOSITS else ZERO", "ZERO"),
        plays("movements", "a_deposit_is_no_profit_and_a_withdrawal_no_loss_to_the_brakes"),
        core("D6"),
    ),
    planted(
        "the legs of a split are booked one after the other",
        Edit(
            "splits.py",
            "(one.symbol, one.session) if is_leg else one.activity_id, []",
            "one.activity_id, []",
        ),
        Edit("movements.py", "if is_half and splits.may_be", "if False and splits.may_be"),
        plays("splits", "a_split_in_two_legs_is_the_split_in_one"),
        plays("splits", "a_stop_and_a_mark_follow_a_split_in_two_legs"),
        plays("splits", "a_flatten_survives_a_split_in_two_legs"),
    ),
    planted(
        "half a split is booked as soon as it is told",
        Edit("movements.py", "if is_half and splits.may_be", "if False and splits.may_be"),
        plays("splits", "a_split_in_two_legs_is_the_split_in_one"),
        plays("splits", "half_a_split_waits_until_the_day_after_its_own_is_over_and_is_told"),
    ),
    planted(
        "half a split is waited for without end",
        Edit("splits.py", "activity.session >= new_york_date(at_ns - DAY_NS)", "True"),
        plays("splits", "half_a_split_waits_until_the_day_after_its_own_is_over_and_is_told"),
    ),
    planted(
        "of a split only the first leg is remembered",
        Edit("movements.py", "        for one in legs[1:]\n", "        for one in legs[:0]\n"),
        plays("splits", "a_split_in_two_legs_is_the_split_in_one"),
    ),
    planted(
        "shares that are transferred in are a split",
        Edit("movements.py", "activity.kind in splits.SPLITS and not amount", "not amount"),
        plays(
            "movements",
            "shares_that_are_transferred_in_cost_nothing_and_leave_the_price_where_it_is",
        ),
        plays("protection", "shares_that_are_transferred_in_leave_a_stop_at_its_price"),
    ),
    planted(
        "the broker's statement is not compared",
        Edit(
            "agreement.py",
            "    differences = _differences(state, statement)\n",
            "    differences: list[DifferenceFound] = []\n",
        ),
        plays("reports", "a_difference_is_looked_at_again_before_it_is_called_one"),
        scenario("s10-empty-positions"),
        scenario("s11-other-hands"),
    ),
    planted(
        "a difference is called at the first look",
        Edit("agreement.py", "STATEMENT_ATTEMPTS_MAX = 3", "STATEMENT_ATTEMPTS_MAX = 0"),
        plays("reports", "a_difference_is_looked_at_again_before_it_is_called_one"),
    ),
    planted(
        "an empty statement is flat",
        Edit(
            "agreement.py",
            "for symbol in sorted({*state.positions.keys(), *statement.positions}):",
            "for symbol in sorted(statement.positions):",
        ),
        plays("reports", "an_empty_statement_is_not_flat"),
    ),
    planted(
        "cash is clamped at zero",
        Edit(
            "accounting.py",
            "        return self.cash - self.reserved\n",
            "        return max(ZERO, self.cash - self.reserved)\n",
        ),
        tidy("cash_is_never_clamped"),
    ),
    planted(
        "money in floats",
        Edit(
            "positions.py",
            "return ratio(self.cost, self.quantity)",
            "return float(self.cost / self.quantity)",
        ),
        tidy("money_is_never_float"),
    ),
)
