"""Bugs planted where bad market data is kept out, and where alarms reach people."""

from tests.mutants.planted import Edit, contract, planted, plays, scenario, tasks, worlds

ALARMS = (
    planted(
        "that nothing can be written down is told only where a request was denied",
        Edit(
            "executor.py",
            "        self._unjournaled(batch, why)\n",
            "        if any(isinstance(one, OrderRequest) for one in batch):\n"
            "            self._unjournaled(batch, why)\n",
        ),
        tasks("executor", "a_failed_commit_changes_nothing_and_sends_nothing"),
    ),
    planted(
        "each alarm is a call of the command",
        Edit(
            "alarm_command.py",
            "if self._is_ending or one not in self._quiet_until]",
            "if self._is_ending or one]",
        ),
        tasks("alarm_command", "an_alarm_is_told_at_once_and_its_repeats_once_with_their_count"),
    ),
    planted(
        "an alarm command that hangs is waited for",
        Edit("alarm_command.py", "trio.move_on_after(seconds_max)", "trio.move_on_after(25)"),
        contract("alarm_command", "one_that_hangs_is_killed_with_its_children"),
    ),
    planted(
        "four calls that hang hold the fifth alarm up",
        Edit("alarm_command.py", "trio.move_on_at(until_s)", "trio.move_on_at(until_s + 25)"),
        tasks("alarm_command", "calls_that_hang_hold_no_other_alarm_up_for_five_seconds"),
    ),
    planted(
        "what is still to be told when the program ends is not",
        Edit(
            "alarm_command.py",
            "while not (self._is_ending and not self._waiting)",
            "while not self._is_ending",
        ),
        tasks("alarm_command", "what_waits_is_told_when_the_program_ends_even_by_a_failure"),
    ),
    planted(
        "a failed alarm command fails unseen",
        Edit("alarm_command.py", "if why and why != self._told_failure", "if why == why + '.'"),
        tasks("alarm_command", "a_command_that_fails_is_told_of_once_until_it_has_gone_well_again"),
    ),
)

DATA = (
    *(
        planted(name, Edit("market_guard.py", before, after), worlds("wrong data", "S16"))
        for name, before, after in (
            ("a crossed quote is believed", "        if bid > ask > 0:", "        if False:"),
            (
                "a bar that is upside down is believed",
                "        if min(prices) < bar.low or max(prices) > bar.high or bar.span_ns <= 0:",
                "        if False:",
            ),
            (
                "quotes that stand still are believed for ever",
                "        return others_moved_ns() > self._since_ns + FROZEN_NS_MAX // 2",
                "        return False",
            ),
            (
                "a quote of before is believed",
                "            is_older = quote.at_ns < self._quote_at_ns",
                "            is_older = False",
            ),
            (
                "a bar is believed again",
                "bar.start_ns <= self._bar_start_ns and not is_update",
                "False",
            ),
            (
                "a tick of the future is believed",
                "is_late_in_line or at_ns > now_ns + AHEAD_NS_MAX",
                "is_late_in_line",
            ),
        )
    ),
    planted(
        "quotes beyond the price band are believed",
        Edit(
            "market_guard.py",
            "if low <= band.up and high >= band.down and not is_at(band, quote):",
            "if band.up:",
        ),
        plays("market_guard", "where_nobody_may_trade_a_quote_says_nothing"),
    ),
    planted(
        "a price band holds quotes back for ever",
        Edit("market_guard.py", "if is_old or new_york_date", "if new_york_date"),
        plays("market_guard", "a_band_that_the_market_has_left_for_a_minute_is_an_old_one"),
    ),
    planted(
        "a price band of before a lost connection goes on",
        Edit("brokers/alpaca/data_stream.py", "        self._gap.forget_bands()\n", ""),
        contract("alpaca_mute", "a_price_band_of_before_a_loss_holds_nothing_back_after_it"),
    ),
    planted(
        "a quote at its price band fires what rests on it",
        Edit("market_guard.py", " and not is_at(band, quote):", ":"),
        plays("market_guard", "where_nobody_may_trade_a_quote_says_nothing"),
        tasks("tape", "a_quote_at_its_band_reaches_nobody_and_is_told_as_a_limit_state_once"),
    ),
    planted(
        "a symbol in a limit state is entered",
        Edit(
            "tape.py", "                self._note_limit(guard, tick)\n", "                pass\n"
        ),
        tasks("tape", "a_quote_at_its_band_reaches_nobody_and_is_told_as_a_limit_state_once"),
    ),
    planted(
        "a limit state hides the exchange's halt",
        Edit(
            "disruptions.py",
            "halt is None or (halt[0] == LIMIT_STATE and",
            "halt is None or (False and",
        ),
        plays(
            "disruptions",
            "a_limit_state_takes_no_entries_and_is_not_confused_with_the_exchanges_halt",
        ),
    ),
    planted(
        "every tick is fit to decide on",
        Edit(
            "tape.py",
            "        if rejection is not None:\n",
            "        if rejection is None:\n            pass\n        if False:\n",
        ),
        tasks("tape", "a_tick_that_is_not_fit_reaches_nobody_and_is_told_and_counted"),
        scenario("s16-bad-ticks"),
        worlds("wrong prices", "S16"),
    ),
    planted(
        "one tick alone moves a mark",
        Edit("marks.py", "sorted((mark, before, price))[1]", "price"),
        plays("marks", "one_wrong_tick_anywhere_leaves_every_mark_among_the_right_ones"),
        tasks("tape", "one_wrong_tick_moves_no_mark_and_two_that_agree_do"),
    ),
    planted(
        "a thousand ticks of one second are a thousand witnesses",
        Edit("marks.py", "if moment != self._moment:", "if True:"),
        tasks("tape", "one_wrong_tick_moves_no_mark_and_two_that_agree_do"),
    ),
    planted(
        "a feed that repeats itself is believed for ever",
        Edit("market_guard.py", "        self._repeats += 1\n", "        self._repeats = 0\n"),
        tasks("tape", "a_feed_that_repeats_itself_while_others_move_is_frozen"),
    ),
    planted(
        "a wrong tick among ones that stand still is movement",
        Edit(
            "market_guard.py",
            "        if values != self._values:\n            return False\n",
            "        if values != self._values:\n            self.saw(values, at_ns)\n            return False\n",
        ),
        tasks("tape", "a_wrong_tick_among_ones_that_stand_still_is_no_movement"),
    ),
    planted(
        "nobody asks about the night",
        Edit(
            "market_guard.py",
            "        self.is_held = True\n        return True\n",
            "        return False\n",
        ),
        tasks("tape", "a_split_that_is_known_is_no_jump_and_its_workers_start_over"),
    ),
    planted(
        "a jump over a night that nothing explains is the market",
        Edit("market_guard.py", "if is_far(self.trusted, price) else None", "if False else None"),
        tasks("tape", "a_jump_that_nothing_explains_waits_for_agreement_and_is_told"),
        scenario("s16-bad-ticks"),
    ),
    planted(
        "after a split the workers go on with what they remember",
        Edit("tape.py", "                reader.start_over()\n", "                pass\n"),
        tasks("tape", "a_split_that_is_known_is_no_jump_and_its_workers_start_over"),
    ),
    planted(
        "the mark of a split that is not booked is a loss",
        Edit("disruptions.py", "mark, began_ns)\n    }", "mark, 0)\n    }"),
        plays(
            "disruptions",
            "the_mark_of_a_split_that_is_not_booked_yet_is_not_taken_and_no_brake_trips",
        ),
    ),
    planted(
        "a halted symbol is entered",
        Edit("hours.py", "    if halt and request.purpose in ENTRY_PURPOSES:\n", "    if False:\n"),
        plays("disruptions", "while_trading_halts_a_symbol_takes_no_entries_and_the_others_do"),
        scenario("s16-bad-ticks"),
    ),
    planted(
        "what the exchange says of halts is not heard",
        Edit("wire/alpaca_data.py", "is_halted=message.sc in HALTS", "is_halted=False"),
        plays("wire_alpaca_data", "a_trading_status_says_whether_the_symbol_trades"),
        scenario("s16-bad-ticks"),
    ),
)

SESSIONS = (
    planted(
        "what comes too late for the closing auction is sent to it",
        Edit("reducing.py", "meets = is_taken and", "meets ="),
        plays(
            "sessions",
            "the_closing_auction_sells_what_is_held_and_the_market_what_comes_too_late_for_it",
        ),
    ),
    planted(
        "yesterday's auction is today's",
        Edit(
            "reductions.py", "return self.reference == auction_of(session)", "return bool(session)"
        ),
        plays("sessions", "who_wants_out_at_once_does_not_wait_for_the_auction"),
    ),
    planted(
        "who wants out at once waits for the auction",
        Edit("reducing.py", "kind is not ReductionKind.FLATTEN or not", "True or not"),
        plays("sessions", "who_wants_out_at_once_does_not_wait_for_the_auction"),
    ),
    planted(
        "a life goes by the part of the day in which the last one ended",
        Edit(
            "sessions.py",
            "if state.phase is Phase.CLOSED and not state.session_closes_ns:",
            "if True:",
        ),
        plays("sessions", "at_a_start_nobody_knows_the_part_of_the_day_before_the_first_clock"),
    ),
    planted(
        "what a close has left that nobody lived to see is nobody's business",
        Edit(
            "sessions.py", "has_closed = 0 < state.session_closes_ns <= at_ns", "has_closed = False"
        ),
        plays("sessions", "what_is_still_there_after_a_close_that_nobody_lived_to_see_is_an_alarm"),
    ),
    planted(
        "quotes of an evening are the price that a split is told by",
        Edit(
            "market_guard.py",
            "before = self._close if 0 <= ended_ns == self._close_ns else self.trusted",
            "before = self.trusted",
        ),
        tasks(
            "overnight",
            "an_evening_in_which_only_quotes_move_is_no_split",
            "a_split_over_such_a_night_is_one_and_is_known_the_night_after",
        ),
    ),
    planted(
        "a split is found again the night after",
        Edit("market_guard.py", "        self._close = self._close * reference // before\n", ""),
        tasks("overnight", "a_split_over_such_a_night_is_one_and_is_known_the_night_after"),
    ),
    planted(
        "over a night every symbol waits for the answer about each",
        Edit(
            "overnight.py",
            "                    nursery.start_soon(self._settle, symbol, before_ns)\n",
            "                    await self._settle(symbol, before_ns)\n",
        ),
        tasks("overnight", "a_symbol_without_an_answer_keeps_no_other_one_waiting"),
    ),
    planted(
        "every day closes at four",
        Edit(
            "supervisor.py",
            "closes_ns=session.close_ns if session is not None else 0",
            "closes_ns=session.open_ns + 390 * MINUTE_NS if session is not None else 0",
        ),
        tasks("sessions", "three_minutes_before_the_close_all_is_sold_once_and_nothing_bought"),
    ),
    planted(
        "what should go before the close stays",
        Edit("sessions.py", "if _is_due(state, rule) and rule.at_close in LEAVES:", "if False:"),
        plays("sessions", "what_is_held_goes_so_long_before_the_close_of_that_day"),
        tasks("sessions", "three_minutes_before_the_close_all_is_sold_once_and_nothing_bought"),
    ),
    planted(
        "the close of one strategy is everybody's",
        Edit("sessions.py", "if position.strategy == strategy:", "if True:"),
        plays("sessions", "of_another_strategy_nothing_goes"),
    ),
    planted(
        "working entries rest on over the close",
        Edit(
            "sessions.py",
            "if is_its and works and reducing.can_cancel(order, state.at_ns):",
            "if False:",
        ),
        plays("sessions", "its_working_entries_go_and_silence_is_asked_again"),
    ),
    planted(
        "who has left by the close enters again after it",
        Edit(
            "closing.py",
            "    if standing.closing is None or not has_begun(\n",
            "    if standing.closing is None or not is_due(\n",
        ),
        plays("sessions", "who_has_left_enters_nothing_in_extended_hours_either"),
    ),
    planted(
        "a market order leaves for extended hours",
        Edit(
            "hours.py", "request.extended_hours and request.order_type is OrderType.LIMIT", "True"
        ),
        plays("risk", "a_market_order_outside_regular_hours_is_denied_however_it_is_marked"),
    ),
    planted(
        "a bad tick of the past is traded on",
        Edit("backtest/fitness.py", "keeps[list(unfit)] = False", "pass"),
        plays(
            "backtest_fitness",
            "a_price_that_is_off_for_a_minute_fires_no_stop_and_no_entry_and_is_named",
        ),
    ),
    planted(
        "every wish is marked for extended hours",
        Edit("worker.py", " and order_type is OrderType.LIMIT,", ","),
        tasks("worker", "only_a_limit_is_marked_for_extended_hours"),
    ),
    planted(
        "what did not go by the close is nobody's business",
        Edit("sessions.py", "if reduction.kind is ReductionKind.SESSION:", "if False:"),
        plays("sessions", "what_is_still_there_when_the_session_has_closed_is_an_alarm_once"),
    ),
)
