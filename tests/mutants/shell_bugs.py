"""Bugs planted around the mind: turns, lanes, the journal, the line to the broker, and who watches over it all."""

from tests.mutants.planted import Edit, contract, planted, plays, scenario, tasks, tidy, worlds

SEND = "            answer = await self._broker.submit(order)\n"
POSTED_TWICE = Edit("outbox.py", SEND, SEND.replace("answer = ", "") + SEND)


TURNS = (
    planted(
        "check, then await, then send: requests that come together are checked before any is recorded",
        Edit(
            "executor.py",
            "    for heard in batch:\n        events = decide(state, heard)\n",
            "    before = state\n    for heard in batch:\n"
            "        seen = replace(before, sequence=state.sequence)\n"
            "        events = decide(seen if isinstance(heard, OrderRequest) else state, heard)\n",
        ),
        tasks("executor", "a_batch_is_one_commit_and_each_input_sees_what_the_one_before_it_did"),
        tasks("stampede", "any_number_of_tasks_buys_once"),
        worlds("nothing", "C17"),  # The last line is the first to see it.
    ),
    planted(
        "intent written after sending",
        Edit(
            "executor.py",
            "        try:\n            with trio.CancelScope(shield=True):",
            "        self._act(entries)\n        try:\n            with trio.CancelScope(shield=True):",
        ),
        tasks("executor", "nothing_is_sent_or_shown_before_the_commit_has_returned"),
        worlds("deaths"),
    ),
    planted(
        "what is held and not configured is not shown beside what concerns all",
        Edit(
            "executor.py",
            "sorted(every | touched.keys() - {ALL_SYMBOLS})",
            "sorted(every or touched.keys() - {ALL_SYMBOLS})",
        ),
        tasks("executor", "what_is_not_configured_is_shown_beside_what_concerns_all"),
    ),
    planted(
        "an exit rests at a limit of an hour ago",
        Edit("pricing.py", "    return is_old and is_of_today", "    return False"),
        tasks("worker", "an_exit_that_no_quote_tells_the_price_of_goes_at_the_market"),
    ),
    planted(
        "a commit that can be cancelled",
        Edit("executor.py", "trio.CancelScope(shield=True)", "trio.CancelScope()"),
        tasks("executor", "cancelling_the_executor_in_a_commit_lets_the_commit_finish"),
    ),
    planted(
        "the new state stands although the commit failed",
        Edit(
            "executor.py",
            "        except JournalFailed as failure:\n",
            "        except JournalFailed as failure:\n            self._state = state\n",
        ),
        tasks("executor", "a_failed_commit_changes_nothing_and_sends_nothing"),
    ),
    planted(
        "reports of a failed batch are lost",
        Edit(
            "executor.py",
            "self._inbox.keep([one for one in batch if not isinstance(one, OrderRequest)])",
            "pass",
        ),
        tasks("executor", "a_failed_commit_changes_nothing_and_sends_nothing"),
    ),
)

LANES = (
    planted(
        "a POST is sent twice",
        POSTED_TWICE,
        tasks("outbox", "orders_leave_one_after_the_other_in_the_order_in_which_they_were_put"),
        worlds("nothing", "C17"),
    ),
    planted(
        "resend under a new id after a timeout",
        Edit(
            "outbox.py",
            SEND,
            SEND + "            if getattr(answer, 'outcome', '') == 'unknown':\n"
            "                import msgspec\n"
            "                again = ClientOrderId(order.client_order_id + '-2')\n"
            "                order = msgspec.structs.replace(order, client_order_id=again)\n"
            "    " + SEND,
        ),
        scenario("s05-lost-acknowledgement"),
        worlds("lost replies"),
    ),
    planted(
        "the last check is not asked",
        Edit("outbox.py", "return self._last_check(order)", 'return ""'),
        tasks("outbox", "the_last_check_before_the_bytes_can_refuse"),
    ),
    planted(
        "an old intent leaves",
        Edit("outbox.py", "if waited_s > INTENT_AGE_MAX_S:", "if False:"),
        tasks("outbox", "an_intent_that_grew_too_old_in_the_lane_is_not_sent"),
    ),
    planted(
        "a send that was cut off is taken for never sent",
        Edit("outbox.py", 'outcome="unknown"', 'outcome="never_sent"'),
        tasks("outbox", "a_send_that_is_cancelled_on_the_way_is_unknown"),
    ),
    planted(
        "a question that failed is taken for an answer",
        Edit(
            "outbox.py",
            "except BrokerUnavailable:\n                continue",
            "except BrokerUnavailable:\n                return",
        ),
        tasks("outbox", "a_question_that_fails_says_nothing_and_is_asked_again_later_each_time"),
    ),
    planted(
        '"not found" is believed at once',
        Edit("outbox.py", "if is_proven:", "if isinstance(answer, LookupMissed):"),
        tasks("doubt", "silence_becomes_proof_a_minute_after_the_send_and_not_before"),
        scenario("s07-not-found-yet"),
        worlds("late acceptance", "B5"),
    ),
    planted(
        "absence is proven while bytes may be on their way",
        Edit("doubt.py", " or closed_s < self._socket_closed_s", ""),
        tasks("doubt", "never_while_bytes_of_the_send_may_be_on_their_way"),
    ),
    planted(
        "one look is proof enough",
        Edit("doubt.py", "now_s - first_s < self._misses_apart_s or ", ""),
        tasks("doubt", "never_with_one_miss_or_two_close_together"),
    ),
    planted(
        "absence is proven without the walk over all orders",
        Edit("doubt.py", "return await broker.is_absent(order)", "return True"),
        tasks("doubt", "never_while_the_walk_shows_it_or_what_may_be_it"),
    ),
)

JOURNAL = (
    planted(
        "no fsync: commits are not synchronous",
        Edit("journal/sqlite.py", '("synchronous", "FULL", 2)', '("synchronous", "NORMAL", 1)'),
        plays("journal_opening", "commits_are_made_durable"),
        worlds("deaths", "E6"),
    ),
    planted(
        "the epoch of a row is not checked",
        Edit(
            "journal/schema.py",
            "WHEN NEW.epoch <> (SELECT ifnull(max(epoch), 0) FROM life_rows)",
            "WHEN FALSE",
        ),
        Edit(
            "journal/schema.py",
            "WHEN NEW.sequence <> (SELECT ifnull(max(sequence), 0) + 1 FROM journal)",
            "WHEN FALSE",
        ),
        tasks("journal_faults", "a_writer_of_an_older_life_is_fenced_by_the_database_itself"),
        masked="the first row of the newer life has the number that the older one would take",
    ),
    planted(
        "the epoch is not looked at right before bytes leave",
        Edit("live/opening.py", "if not self.journal.is_current(order.epoch):", "if False:"),
        contract("two_processes", "an_order_on_its_way_out_is_held_back_by_the_last_check"),
        scenario("s12-paused-process"),
    ),
    planted(
        "the journal's lock is not taken",
        Edit("journal/lock.py", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),
        plays("journal_opening", "a_second_opening_in_the_same_process_is_refused"),
        scenario("s12-second-process"),
    ),
    planted(
        "a lock file that was replaced is still ours",
        Edit(
            "journal/lock.py",
            "return (on_disk.st_ino, on_disk.st_dev) == (held.st_ino, held.st_dev)",
            "return True",
        ),
        plays("journal_opening", "the_lock_notices_that_its_file_was_removed"),
    ),
    planted(
        "the chain of hashes is not checked",
        Edit("journal/chain.py", "if previous != stored:", "if False:"),
        tasks("journal_faults", "a_changed_row_is_found_by_number"),
        scenario("s25-tampered-books"),
    ),
    planted(
        "rows of the journal can be changed",
        Edit(
            "journal/schema.py",
            '        for verb in ("UPDATE", "DELETE")\n',
            "        for verb in ()\n",
        ),
        tasks("journal_faults", "what_has_happened_can_be_neither_changed_nor_deleted"),
    ),
    planted(
        "a row of the journal is replaced in the code",
        Edit(
            "journal/tables.py",
            'INSERT_ENTRY = _insert("journal")',
            'INSERT_ENTRY = _insert("journal").replace("INSERT INTO", "INSERT OR REPLACE INTO")',
        ),
        tidy("the_journal_is_never_changed"),
    ),
    planted(
        "a commit that failed for good is tried again",
        Edit(
            "journal/sqlite.py",
            'raise self._break(f"COMMIT failed: {error}") from error',
            "raise self._failure(error) from error",
        ),
        tasks(
            "journal_faults",
            "after_a_sync_that_failed_nobody_knows_and_this_life_writes_nothing_more",
        ),
    ),
)

LINE = (
    planted(
        "a POST is sent again after an error of the server",
        Edit(
            "brokers/alpaca/sending.py",
            '        steps.reach("reply received")\n',
            "        if reply.status >= 429:\n"
            '            reply = await self._link.exchange("POST", "/v2/orders", body)\n'
            '        steps.reach("reply received")\n',
        ),
        contract("alpaca_sending", "a_reply_proves_this_and_is_asked_for_once"),
        scenario("s28-no-second-post"),
    ),
    planted(
        "a POST without an answer is sent again",
        Edit(
            "brokers/alpaca/sending.py",
            '            return self._failed(order, "unknown", str(doubt))\n',
            "            try:\n"
            '                reply = await self._link.exchange("POST", "/v2/orders", body)\n'
            "            except NoReply:\n"
            '                return self._failed(order, "unknown", str(doubt))\n',
        ),
        contract("alpaca_sending", "a_broken_reply_is_unknown_and_the_post_is_not_repeated"),
    ),
    planted(
        "a reply that did not come is proof that nothing was sent",
        Edit(
            "brokers/alpaca/sending.py",
            'return self._failed(order, "unknown", str(doubt))',
            'return self._failed(order, "never_sent", str(doubt))',
        ),
        contract("alpaca_sending", "a_reply_that_does_not_come_is_unknown"),
    ),
    planted(
        "a 504 is a rejection",
        Edit(
            "wire/alpaca_answers.py",
            "_REFUSALS = frozenset({400, 401, 403, 422})",
            "_REFUSALS = frozenset({400, 401, 403, 422, 504})",
        ),
        plays("wire_alpaca", "a_reply_proves_this_and_no_more"),
    ),
    planted(
        "an error that isn't the broker's own is a rejection",
        Edit(
            "wire/alpaca_answers.py",
            "(status in _REFUSALS and error is not None)",
            "status in _REFUSALS",
        ),
        plays("wire_alpaca", "a_reply_proves_this_and_no_more"),
    ),
    planted(
        "an id that the broker has seen is rejected, not adopted",
        Edit(
            "wire/alpaca_answers.py",
            "if error and error.code == UNIQUE_CODE and",
            "if False and error and",
        ),
        plays("wire_alpaca", "a_reply_proves_this_and_no_more"),
        contract(
            "alpaca_sending", "an_id_that_is_not_unique_is_our_order_from_before_and_is_adopted"
        ),
    ),
    planted(
        "a reply about another order is ours",
        Edit(
            "wire/alpaca_answers.py",
            "    if report.client_order_id != order.client_order_id:\n",
            "    if False:\n",
        ),
        plays("wire_alpaca", "a_reply_proves_this_and_no_more"),
    ),
    planted(
        "a word that nobody knows means that the order lives",
        Edit(
            "wire/alpaca_claims.py",
            '        return Claim.FOREIGN_CHANGE, f"a word unknown',
            '        return Claim.NEW, f"a word unknown',
        ),
        plays("wire_alpaca", "what_we_never_ask_for_is_a_foreign_change_with_a_reason"),
        scenario("s08-no-id-and-odd-words"),
    ),
    planted(
        "a list that breaks off is an empty one",
        Edit(
            "wire/alpaca.py",
            "        return _POSITIONS.decode(body)\n",
            "        return _POSITIONS.decode(body if body.endswith(b']') else b'[]')\n",
        ),
        scenario("s10-half-an-answer"),
    ),
    planted(
        "a failed fetch is read as empty",
        Edit(
            "brokers/alpaca/rest.py",
            '        positions = await self._get("/v2/positions", decode_positions)\n'
            "        funds = await self._account()\n",
            "        try:\n"
            '            positions = await self._get("/v2/positions", decode_positions)\n'
            "        except BrokerUnavailable:\n"
            "            positions = []\n"
            "        funds = await self._account()\n",
        ),
        contract("alpaca_simulated", "a_statement_is_whole_or_none"),
    ),
    planted(
        "only the first page is read",
        Edit(
            "brokers/alpaca/rest.py",
            "            if len(page) < ORDERS_PAGE:\n",
            "            if True:\n",
        ),
        contract("alpaca_simulated", "pages_of_orders_that_nothing_was_filled_of_are_all_turned"),
    ),
    planted(
        "a fill in the middle of a statement goes unseen",
        Edit(
            "brokers/alpaca/rest.py",
            '            return [], "the account is trading"\n',
            "            pass\n",
        ),
        contract("alpaca_simulated", "a_fill_in_the_middle_of_a_statement_makes_it_be_asked_again"),
    ),
    planted(
        "entries use up the requests that are kept for cancels",
        Edit(
            "brokers/alpaca/budget.py",
            "if left < (self._reserve() if is_entry else self._reserve() // 2) + 1:",
            "if False:",
        ),
        contract("alpaca_rate", "when_little_is_left_entries_are_held_back_and_cancels_go"),
    ),
    planted(
        "a mute line is believed",
        Edit(
            "brokers/alpaca/data_stream.py",
            "elif now_ns - since_ns > self._silence.ns_max:",
            "elif False:",
        ),
        scenario("s09-mute-market-data"),
    ),
)

WATCH = (
    planted(
        "a quote that comes before the last one was read is lost",
        Edit(
            "mailbox.py",
            "            case Quote():\n",
            "            case Quote() if self._quote is None:\n",
        ),
        tasks("mailbox", "fills_come_first_then_the_newest_quote_then_all_bars_in_order"),
        contract(
            "twice_the_peak",
            "by_the_clock_twice_the_peak_conflates_quotes_and_loses_or_doubles_no_bar_and_no_order",
        ),
    ),
    planted(
        "working entries outlive the line on which their fills would be told",
        Edit(
            "live/run.py",
            "nursery.start_soon(keep_line, parts.executor, parts.inbox",
            "(lambda *a, **k: 0)(0",
        ),
        tasks("lost_line", "a_line_that_stays_down_takes_working_entries_with_it_after_the_gate"),
    ),
    planted(
        "a line that is back at once takes working entries with it",
        Edit(
            "lost_line.py",
            "await executor.wait_until(lambda state: not is_lost(state))",
            "await trio.sleep_forever()",
        ),
        Edit("lost_line.py", "if is_lost(state) and state.entries_open:", "if state.entries_open:"),
        tasks("lost_line", "a_line_that_is_back_in_time_takes_nothing_with_it"),
    ),
    planted(
        "time stands still until every worker is warm",
        Edit(
            "live/run.py",
            "lambda state: state.epoch == parts.boot.epoch and state.statements > 0",
            "lambda state: all(state.workers_cold.get(one.symbol) == () for one in parts.workers)",
        ),
        tasks(
            "start",
            "time_goes_on_and_a_person_gets_out",
            "a_days_loss_stops_entries",
            "working_entries_go_with_the_line",
        ),
    ),
    planted(
        "a failed worker keeps its symbol open",
        Edit(
            "supervisor.py",
            "                        ready=False,\n                        reason",
            "                        ready=True,\n                        reason",
        ),
        tasks("supervisor", "a_symbol_with_a_failed_worker_takes_no_entries_and_the_others_do"),
    ),
    planted(
        "a restarted worker's wishes about history are told",
        Edit(
            "worker.py",
            "elif bar.start_ns > self._bar_seen_ns:\n                self._bar_seen_ns = bar.start_ns",
            "elif bar.start_ns > self._bar_seen_ns:\n                self._bar_seen_ns = -1",
        ),
        tasks("worker", "history_that_repeats_a_bar_tells_it_once"),
    ),
    planted(
        "which bar of a pair comes last makes another decision of it",
        Edit("worker.py", "decided_on(replace(bar, symbol=self.symbol))", "decided_on(bar)"),
        tasks("worker", "what_is_decided_on_anothers_bar_is_the_decision_of_ones_own"),
    ),
    planted(
        "a wish is listened to where its own symbol has no bar",
        Edit("worker.py", "if not wishes or bar.start_ns != self._bar_seen_ns:", "if not wishes:"),
        tasks("worker", "without_a_bar_of_its_own_a_strategy_wishes_nothing_but_hears_everything"),
    ),
    planted(
        "who hears a symbol that is split goes on with prices of before",
        Edit(
            "tape.py",
            "(*self._readers[symbol], *self._hearers.get(symbol, ()))",
            "self._readers[symbol]",
        ),
        tasks("tape", "who_hears_a_symbol_that_was_split_starts_over_too"),
    ),
    planted(
        "a statement that failed is an empty account",
        Edit(
            "reconciler.py",
            "self._failure = str(trouble)",
            "return []",
        ),
        tasks("supervisor", "a_statement_that_cannot_be_had_is_not_an_empty_account"),
    ),
    planted(
        "an order with several legs keeps us from reading the others",
        Edit(
            "wire/alpaca.py", "if not order.symbol and not has_legs(order):", "if not order.symbol:"
        ),
        plays(
            "wire_alpaca",
            "an_order_with_several_legs_is_told_and_keeps_nobody_from_reading_the_others",
        ),
    ),
    planted(
        "what was agreed while the stream was down lasts when it is back",
        Edit(
            "execution.py",
            "is Gate.TRADING_STREAM and events and",
            "is Gate.TRADING_STREAM and not report.is_open and",
        ),
        plays(
            "execution",
            "what_was_agreed_while_the_trading_stream_was_down_ends_when_it_is_back",
        ),
        tasks("supervisor", "what_a_broken_line_has_agreed_on_opens_no_entries_when_it_is_back"),
    ),
    planted(
        "a statement that is older than the line agrees for it",
        Edit("reconciler.py", "            if lines != self._lines:\n", "            if False:\n"),
        tasks("supervisor", "what_a_broken_line_has_agreed_on_opens_no_entries_when_it_is_back"),
    ),
    planted(
        "the oldest order that rests says how far back is asked",
        Edit("reconciler.py", "(_is_doubted(order) or not state.told_ns)", "True"),
        tasks(
            "supervisor",
            "how_far_back_is_asked_goes_by_orders_in_doubt_and_not_by_those_that_rest",
        ),
    ),
    planted(
        "an order in doubt has no say in how far back is asked",
        Edit("reconciler.py", "(_is_doubted(order) or not state.told_ns)", "False"),
        tasks(
            "supervisor",
            "how_far_back_is_asked_goes_by_orders_in_doubt_and_not_by_those_that_rest",
        ),
    ),
    planted(
        "whoever wants another look at a difference begins a new count",
        Edit(
            "reconciler.py",
            "            is_wanted, self._statement_wanted = self._statement_wanted, False\n",
            "            is_wanted, self._statement_wanted = self._statement_wanted, False\n"
            "            self._attempts = 0\n",
        ),
        tasks("polling", "wanting_a_statement_again_begins_no_new_count"),
    ),
    planted(
        "while everything is asked for the broker is polled, and each poll counts anew",
        Edit("reconciler.py", " and not self._is_agreeing", ""),
        Edit(
            "reconciler.py",
            "            is_wanted, self._statement_wanted = self._statement_wanted, False\n",
            "            is_wanted, self._statement_wanted = self._statement_wanted, False\n"
            "            self._attempts = 0\n",
        ),
        tasks(
            "polling",
            "a_slow_broker_is_not_stormed_and_a_difference_is_called_after_three_looks",
        ),
        masked="the count goes on, however often a statement is begun",
    ),
    planted(
        "nobody misses a statement that doesn't come",
        Edit("reconciler.py", "            nursery.start_soon(self._miss)\n", ""),
        tasks(
            "supervisor",
            "where_no_statement_comes_for_two_minutes_entries_wait_and_a_person_is_told_once",
            "a_statement_that_hangs_is_missed_too",
        ),
    ),
    planted(
        "a broker that refuses in mid-day is nobody's business",
        Edit("reconciler.py", "                await self._wait_for_it(alarm)\n", ""),
        tasks("supervisor", "keys_that_fail_at_the_start_refuse_it_and_in_mid_day_close_entries"),
    ),
    planted(
        "a worker that fails ends the program",
        Edit(
            "supervisor.py",
            "            except Exception as failure:\n",
            "            except ZeroDivisionError as failure:\n",
        ),
        tasks("supervisor", "a_failure_is_journaled_with_its_traceback_and_the_others_go_on"),
        scenario("s24-worker-and-executor-fail"),
    ),
    planted(
        "the gate stays open while shutting down",
        Edit(
            "supervisor.py",
            'is_open=False, reason="shutting down"',
            'is_open=True, reason="shutting down"',
        ),
        tasks("supervisor", "shutting_down_closes_the_gate_and_ends_with_the_last_row"),
        scenario("s23-stop-while-reconnecting"),
    ),
    planted(
        "nobody asks for statements",
        Edit("supervisor.py", "STATEMENT_MINUTES = 5", "STATEMENT_MINUTES = 10**9"),
        scenario("s09-events-missing"),
    ),
    planted(
        "a look is enough although an order is in doubt",
        Edit("patience.py", "        return bool(doubted)\n", "        return False\n"),
        plays("patience", "the_longer_it_lasts_the_more_seldom_but_twice_a_minute"),
        tasks("polling", "an_order_in_doubt_is_asked_for_whole"),
    ),
    planted(
        "all is asked for every five seconds while an order is in doubt",
        Edit("patience.py", "if self._looks < self._interval:", "if False:"),
        plays("patience", "the_longer_it_lasts_the_more_seldom_but_twice_a_minute"),
        tasks("polling", "an_order_that_stays_in_doubt_is_asked_for_whole_more_and_more_seldom"),
    ),
    planted(
        "nobody watches over the sources",
        Edit("freshness.py", "        if stale != told:\n", "        if False:\n"),
        plays("freshness", "the_watch_tells_only_what_changes"),
        scenario("s13-stale-code"),
    ),
    planted(
        "an entry leaves though its code was just edited",
        Edit("live/watch.py", " or freshness.entry_check(fresh, order)", ""),
        contract(
            "freshness_live",
            "an_entry_on_its_way_out_is_held_back_when_a_file_was_just_edited",
        ),
    ),
    planted(
        "a glance at the sources goes by their size and time",
        Edit("freshness.py", "found.st_ctime_ns)", "found.st_mtime_ns)"),
        plays("freshness", "a_glance_sees_an_edit_that_hides_its_size_and_time"),
    ),
    planted(
        "a missing trigger is not missed",
        Edit("journal/sqlite.py", "            self._check_schema()\n", ""),
        plays("journal_opening", "a_spoiled_file_is_refused_and_left_alone"),
    ),
    planted(
        "tables are believed whatever the journal says",
        Edit("live/opening.py", "        _check_books(journal, state, mark)\n", ""),
        plays(
            "journal_opening",
            "a_table_that_was_changed_by_hand_refuses_the_start_and_the_doctor_names_it",
        ),
    ),
    planted(
        "any write-ahead log will do",
        Edit(
            "journal/sqlite.py",
            "            check_log(path, lock.rows_noted)\n",
            "            pass\n",
        ),
        plays(
            "journal_opening",
            "a_write_ahead_log_of_another_database_is_refused_and_both_are_left_alone",
        ),
    ),
    planted(
        "the last row of a life is any row",
        Edit("supervisor.py", "state: state.is_ended", "state: not parts.inbox.has_mail()"),
        tasks(
            "supervisor", "the_last_words_of_a_life_are_waited_for_though_others_were_told_before"
        ),
    ),
    planted(
        "a file with two names is nobody's business",
        Edit("journal/place.py", "    if found.st_nlink != 1:\n", "    if False:\n"),
        plays("journal_opening", "a_second_name_of_the_same_file_is_refused"),
    ),
    planted(
        "a take-over does not wait for what may be on its way",
        Edit("live/take_over.py", "        await trio.sleep(WAIT_S)\n", "        pass\n"),
        contract(
            "take_over",
            "who_takes_over_begins_only_once_no_send_of_the_old_life_can_be_under_way",
        ),
    ),
)
