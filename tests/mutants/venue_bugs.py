"""Bugs planted in the simulated broker: a venue that is kinder than a real one proves nothing."""

from tests.mutants.planted import Edit, contract, planted, plays

TRADES = (
    planted(
        "a split is one activity at the simulated broker",
        Edit(
            "venue/back_office.py",
            "[(-before, ZERO), (after, cash)] if after else",
            "[(after - before, cash)] if after else",
        ),
        contract("simulator_scheduled", "a_split_changes_positions_orders_and_the_market"),
        contract("alpaca_simulated", "a_split_in_two_legs_is_told_as_the_one_thing_it_is"),
    ),
    planted(
        "what an order took of a quote is there for the next one, too",
        Edit("venue/trading.py", "        book.far_side(order.side).quantity -= quantity\n", ""),
        plays("venue_orders", "what_one_order_took_of_a_quote_the_next_one_cannot_have"),
    ),
    planted(
        "an order fills at its limit instead of the quote",
        Edit(
            "venue/matching.py",
            "    return min(wanted(order, price), far.quantity), price\n",
            "    price = order.limit_price or price\n"
            "    return min(wanted(order, price), far.quantity), price\n",
        ),
        plays("venue_orders", "a_marketable_limit_fills_at_the_quote_and_not_at_its_limit"),
    ),
    planted(
        "an order is filled beyond the quoted size",
        Edit(
            "venue/matching.py",
            "    return min(wanted(order, price), far.quantity), price\n",
            "    return wanted(order, price), price\n",
        ),
        plays(
            "venue_orders", "an_order_beyond_the_quoted_size_fills_in_parts_with_the_next_quotes"
        ),
    ),
    planted(
        "there is a night before a holiday",
        Edit(
            "calendar.py",
            "    if session is None or not night_begins_ns(session) <= at_ns < session.pre_open_ns:\n"
            "        return None\n    return session\n",
            "    return session or next_session(at_ns)\n",
        ),
        plays("venue_orders", "before_a_weekend_or_a_holiday_there_is_no_night"),
    ),
    planted(
        "orders for regular hours trade by night",
        Edit(
            "venue/hours.py",
            "        return at is Phase.REGULAR\n    return",
            "        return at is not Phase.CLOSED\n    return",
        ),
        plays(
            "venue_orders", "an_order_for_extended_hours_trades_in_the_night_before_a_session_too"
        ),
    ),
    planted(
        "who does not trade by night does",
        Edit("venue/hours.py", "(order.nights or at is not Phase.NIGHT)", "True"),
        plays("venue_orders", "whose_account_does_not_trade_by_night_waits_until_four"),
    ),
    planted(
        "a limit that a bar touched is filled",
        Edit("venue/matching.py", "price_of(bar.low) < limit", "price_of(bar.low) <= limit"),
        plays("venue_orders", "a_bar_fills_a_resting_limit_only_when_it_traded_through"),
    ),
    planted(
        "an order trades with a bar that began before it",
        Edit(
            "venue/matching.py",
            "    if order.working_ns > bar.start_ns or order.is_resting_stop:\n",
            "    if order.is_resting_stop:\n",
        ),
        plays("venue_orders", "an_order_sent_within_a_bar_does_not_trade_with_it"),
    ),
    planted(
        "an order for the opening meets a bar as if it rested in the book",
        Edit(
            "venue/trading.py",
            "            volume_left -= self._opening_auction(order_ids, bar, volume_left)\n",
            "",
        ),
        plays(
            "venue_types",
            "where_a_bar_comes_first_its_open_is_the_opening",
            "the_opening_comes_before_all_else_that_a_bar_brings",
        ),
    ),
    planted(
        "each order may take its part of a bar's volume",
        Edit(
            "venue/trading.py",
            "                volume_left -= self._meet_bar(",
            "                self._meet_bar(",
        ),
        plays("venue_orders", "what_one_order_took_of_a_bar_the_next_one_cannot_have"),
    ),
    planted(
        "the worst limit trades first",
        Edit(
            "venue/trading.py",
            "-worst if order.side is Side.BUY else worst, order.number",
            "worst if order.side is Side.BUY else -worst, order.number",
        ),
        plays("venue_orders", "better_limits_trade_first_and_equal_ones_in_order_of_arrival"),
    ),
    planted(
        "FOK takes a part",
        Edit(
            "venue/trading.py",
            "if not quantity or (order.time_in_force is TimeInForce.FOK and not is_whole):",
            "if not quantity:",
        ),
        plays("venue_orders", "ioc_takes_what_is_there_and_fok_all_or_nothing"),
    ),
    planted(
        "a quote outlives its session",
        Edit("venue/venue.py", "            book.forget_quote()\n", "            pass\n"),
        plays("venue_orders", "a_quote_does_not_outlive_its_session"),
    ),
    planted(
        "a halted symbol trades",
        Edit(
            "venue/matching.py", "order.is_resting_stop or book.is_halted", "order.is_resting_stop"
        ),
        plays("venue_types", "during_a_halt_nothing_trades_and_cancels_work"),
    ),
    planted(
        "a trailing stop goes back with the market",
        Edit(
            "venue/matching.py",
            "far >= order.hwm if order.side is Side.BUY else far <= order.hwm",
            "far == order.hwm",
        ),
        plays(
            "venue_types",
            "a_trailing_stop_follows_the_best_bid_and_never_goes_back",
            "a_trailing_buy_follows_the_best_ask_by_percent",
        ),
    ),
    planted(
        "a stop is triggered by the near side of the quote",
        Edit(
            "venue/matching.py",
            "far, stop = book.far_side(order.side).price, order.stop_price",
            "far, stop = (book.bid if order.side is Side.BUY else book.ask).price, order.stop_price",
        ),
        plays("venue_types", "a_stop_waits_for_the_bid_and_then_sells_at_the_market"),
    ),
    planted(
        "market orders don't slip",
        Edit("venue/matching.py", "if terms.slippage_rate and", "if not terms.slippage_rate and"),
        plays("venue_types", "an_order_without_a_limit_slips"),
    ),
)

BOOKS = (
    planted(
        "buying power is not held for open orders",
        Edit(
            "venue/accounts.py",
            "            self.reserved += sign * order.reserved\n",
            "            self.reserved += 0 * sign * order.reserved\n",
        ),
        plays("venue_orders", "open_buys_hold_buying_power_until_they_end"),
    ),
    planted(
        "shares are not held for open orders",
        Edit(
            "venue/accounts.py",
            "        shares = order.shares_held\n",
            "        shares = 0 * order.shares_held\n",
        ),
        plays("venue_orders", "open_sells_hold_their_shares_until_they_end"),
    ),
    planted(
        "a refused order uses its client order id up",
        Edit(
            "venue/intake.py",
            "        used = new.client_order_id\n",
            "        used = new.client_order_id\n"
            "        self._ledger._client_order_ids[account.account_id, used or ''] = ''\n",
        ),
        plays(
            "venue_orders",
            "a_client_order_id_is_used_up_for_ever_but_not_by_a_refusal",
            "a_refused_order_leaves_no_trace",
        ),
    ),
    planted(
        "a client order id may be used again",
        Edit(
            "venue/intake.py",
            "if used and self._ledger.order_by_client_id(account.account_id, used):",
            "if used == ():",
        ),
        plays("venue_orders", "a_client_order_id_is_used_up_for_ever_but_not_by_a_refusal"),
        contract("simulator_rest", "the_same_client_order_id_is_refused_for_ever"),
    ),
    planted(
        "an order without a limit may overdraw a cash account",
        Edit(
            "venue/trading.py",
            "if not order.is_opening or quantity * price <= spendable:",
            "if spendable >= 0:",
        ),
        plays("venue_orders", "a_market_order_never_spends_what_its_account_does_not_have"),
    ),
    planted(
        "day orders live on",
        Edit(
            "venue/venue.py",
            "        elif order.is_open:\n",
            "        elif not order.is_open:\n",
        ),
        plays("venue_orders", "a_day_order_expires_at_the_close_and_a_gtc_order_does_not"),
    ),
    planted(
        "fees are charged at each sale and again at the end of the day",
        Edit(
            "venue/accounts.py",
            "        self._trade(execution, 1)\n        self.accrued_fees += execution.fee\n",
            "        self._trade(execution, 1)\n        self.accrued_fees += execution.fee\n"
            "        self.cash -= execution.fee\n",
        ),
        plays(
            "venue_orders",
            "fees_are_on_sells_rounded_up_by_execution_and_charged_once_at_the_end",
        ),
    ),
    planted(
        "a busted sale keeps its fee",
        Edit("venue/accounts.py", "        self.accrued_fees -= execution.fee\n", ""),
        contract("simulator_scheduled", "a_busted_sale_gives_the_shares_and_the_fee_back"),
    ),
    planted(
        "an order that has ended holds on to what was set aside for it",
        Edit("venue/ledger.py", "            account.release(before)\n", ""),
        plays("venue_orders", "open_buys_hold_buying_power_until_they_end"),
    ),
    planted(
        "wash trades pass",
        Edit(
            "venue/cover.py",
            "            standing.side is not new.side\n",
            "            standing.side is new.side\n",
        ),
        plays("venue_accounts", "the_table_of_wash_trades"),
        plays("venue_orders", "an_order_that_could_trade_with_our_own_is_a_wash_trade"),
    ),
    planted(
        "interest on what is owed is forgotten",
        Edit("venue/day_end.py", "    account.cash -= owed\n", ""),
        plays("venue_accounts", "at_the_end_of_the_day_debts_cost_something"),
    ),
)

GROUPS = (
    planted(
        "the exits of a bracket are worked at once",
        Edit(
            "venue/intake.py",
            "            status=OrderStatus.HELD,\n",
            "            status=OrderStatus.NEW,\n",
        ),
        plays("venue_groups", "the_exits_of_a_bracket_are_held_until_it_is_completely_filled"),
    ),
    planted(
        "a profit taken leaves the stop in the book",
        Edit(
            "venue/groups.py",
            "        for order in self._others(ended):\n            if not order.is_triggered:\n",
            "        for order in self._others(ended):\n            if order.is_triggered:\n",
        ),
        plays("venue_groups", "a_profit_taken_ends_the_stop"),
    ),
    planted(
        "a triggered stop sells beside the take-profit",
        Edit("venue/groups.py", "        self._ledger.cancel(profit.order_id)\n", ""),
        plays("venue_groups", "a_stop_that_is_triggered_ends_the_profit_before_it_sells"),
    ),
    planted(
        "what a replaced order has traded is bought again",
        Edit(
            "venue/replacing.py",
            "            quantity=(wish.quantity or old.quantity) - old.quantity_filled,\n",
            "            quantity=wish.quantity or old.quantity,\n",
        ),
        plays("venue_replace", "what_the_old_order_has_traded_counts"),
    ),
    planted(
        "what trades while a replacement is under way is bought again",
        Edit(
            "venue/replacing.py",
            "        left = new.quantity - (old.quantity_filled - new.filled_before)\n",
            "        left = new.quantity\n",
        ),
        plays("venue_replace", "a_part_that_trades_meanwhile_is_taken_off_the_replacement"),
    ),
    planted(
        "a cancel is done at once, whatever its latency",
        Edit(
            "venue/venue.py",
            "        if at_once:\n            self._cancel_due(order_id)\n",
            "        self._ledger.cancel(order_id)\n",
        ),
        plays("venue_orders", "an_order_may_fill_while_its_cancel_is_under_way"),
    ),
)

WIRE = (
    planted(
        "a rule strikes every time that its occasion comes",
        Edit(
            "simulator/faults.py",
            "        if count < 0 or (rule.times is not None and count >= rule.times):\n"
            "            return False\n",
            "",
        ),
        contract("simulator_faults", "a_rule_picks_its_requests"),
    ),
    planted(
        "a rule for one symbol strikes all",
        Edit(
            "simulator/faults.py", 'self.symbol in ("", occasion.symbol)', "self.symbol is not None"
        ),
        contract("simulator_faults", "a_rule_for_one_symbol_leaves_the_others_alone"),
    ),
    planted(
        "a duplicate is another execution's event",
        Edit(
            "simulator/post.py",
            "                for _ in range(rule.count):\n",
            "                for _ in range(rule.count - 1):\n",
        ),
        contract("simulator_mistold", "a_duplicate_is_the_same_execution"),
    ),
    planted(
        "the rate limit counts and lets all through",
        Edit(
            "simulator/rate_limit.py", "return self._used <= self._limit", "return self._used > 0"
        ),
        contract(
            "simulator_errors", "beyond_the_limit_of_requests_the_headers_say_when_to_come_back"
        ),
    ),
    planted(
        "what was recorded before the opening is told at the opening",
        Edit(
            "simulator/market_time.py",
            "night_begins_ns(coming) > at_ns or self.first_ns(coming) > at_ns",
            "coming.open_ns > at_ns",
        ),
        contract(
            "simulator_hours", "steps_from_the_night_before_meet_the_first_tick_of_the_next_day"
        ),
    ),
    planted(
        "orders that wait for the opening wait for the first quote after it",
        Edit(
            "simulator/market_time.py",
            "            self.agenda.add(session.open_ns, lambda: None)\n",
            "            pass\n",
        ),
        contract(
            "simulator_hours", "recorded_ticks_are_told_from_the_first_one_on_and_trade_what_may"
        ),
    ),
    planted(
        "a clock that has jumped stamps trade updates as if it had not",
        Edit(
            "simulator/streams.py",
            "trade_update(self._setting.stamped(event), word)",
            "trade_update(event, word)",
        ),
        contract(
            "simulator_clock_jump",
            "from_the_jump_on_it_shows_another_time_and_trades_as_before",
        ),
    ),
    planted(
        "an order's new state is not saved",
        Edit(
            "simulator/store.py",
            'status = excluded.status, "order" = excluded."order"',
            "status = excluded.status",
        ),
        contract("simulator_store", "a_session_that_was_cut_off_goes_on_where_it_stood"),
    ),
    planted(
        "executions are saved anew with each save",
        Edit(
            "simulator/store.py", "state.executions[self._saved_executions :]", "state.executions"
        ),
        contract("simulator_store", "the_next_session_goes_on_with_the_same_account"),
    ),
)
