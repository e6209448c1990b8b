"""Bugs planted in what stops the program and brings positions home: reductions, the kill switch, the control socket."""

from tests.mutants.planted import Edit, contract, planted, plays, scenario, tasks

REDUCTIONS = (
    planted(
        "a second exit beside one that is live or in doubt",
        Edit("inquiry.py", "    if live:\n        in_doubt", "    if False:\n        in_doubt"),
        Edit("reducing.py", "    if live:\n        return", "    if False:\n        return"),
        Edit(
            "inquiry.py",
            "        if _order_of(symbol, Side.SELL, key) not in state.used:\n",
            "        if True:\n",
        ),
        Edit(
            "positions.py",
            "        return self.quantity - self.quantity_pending_sell",
            "        return self.quantity",
        ),
        plays("reducing", "an_exit_in_doubt_is_never_followed_by_a_second_one"),
        masked="would_oversell",
    ),
    planted(
        "an exit is told while an order of its symbol is live",
        Edit("reducing.py", "    if live:\n        return", "    if False:\n        return"),
        plays("reducing", "an_entry_in_flight_is_canceled_once_the_broker_has_shown_it"),
    ),
    planted(
        "a symbol that is reduced is entered again",
        Edit("inquiry.py", "state.halted or _reduced(state, symbol)", "state.halted"),
        plays("reducing", "an_add_is_denied_by_the_reduction_in_its_own_words"),
    ),
    planted(
        "an entry that waits to be sent leaves although its symbol is reduced",
        Edit("executor.py", "    if order.symbol in state.reductions:\n", "    if False:\n"),
        plays("reducing", "while_it_goes_nobody_enters_and_the_words_say_why"),
    ),
    planted(
        "others sell what is reduced",
        Edit("risk.py", "        return wanted.reduced\n", "        return None\n"),
        plays("reducing", "nobody_else_sells_what_goes_already"),
    ),
    planted(
        "a reduction goes on when it is over",
        Edit(
            "execution.py",
            "(*events, *reducing.followed(state, events))",
            "events",
        ),
        plays("reducing", "what_is_held_is_sold_whole_at_the_market_and_then_it_is_over"),
        tasks("reducer", "everything_is_sold_the_dearest_first_and_it_is_over"),
    ),
    planted(
        "a reduction is over with the shares, whatever is still live",
        Edit("reducing.py", " and not (position.entries or position.exits)", ""),
        plays("reducing", "an_entry_in_flight_is_canceled_once_the_broker_has_shown_it"),
    ),
    planted(
        "a life forgets what has to go",
        Edit(
            "conditions.py",
            "        workers_cold=Map(),\n",
            "        workers_cold=Map(),\n        reductions=Map(),\n",
        ),
        plays("reducing", "the_exits_name_is_the_same_after_a_crash_and_so_is_the_intention"),
        tasks("reducer", "a_life_that_ends_at_any_commit_is_followed_by_one_that_goes_on"),
    ),
    planted(
        "exits go before the broker has said what is held",
        Edit("reducing.py", "    if not state.statements or _is", "    if _is"),
        Edit("reducing.py", "    if not state.statements:\n", "    if False:\n"),
        plays("reducing", "the_exits_name_is_the_same_after_a_crash_and_so_is_the_intention"),
    ),
    planted(
        "a failed exit is followed by the next at once",
        Edit("reducing.py", "last.created_ns == state.at_ns", "False"),
        plays("reducing", "an_exit_that_failed_is_followed_by_another_a_minute_later"),
        tasks("reducer", "rejected_exits_are_tried_again_a_minute_later_and_not_before"),
    ),
    planted(
        "a cancel that came to nothing is not asked for again",
        Edit("reducing.py", "at_ns // MINUTE_NS - since_ns // MINUTE_NS > 1", "False"),
        plays("commands", "a_cancel_that_came_to_nothing_is_asked_for_again_a_minute_later"),
    ),
    planted(
        "a cancel is asked for again in the next minute of what had rested for longer",
        Edit("reducing.py", "max(order.cancel_asked_ns, order.state_ns)", "order.state_ns"),
        plays(
            "reducing",
            "a_cancel_of_what_has_rested_for_long_is_asked_for_once_and_not_in_the_next_minute",
        ),
    ),
    planted(
        "stops are canceled by the alphabet",
        Edit(
            "reducing.py",
            "key=lambda one: (-_urgency(state, one[0]), one[0])",
            "key=lambda one: one[0]",
        ),
        plays("reducing", "what_holds_the_dearest_position_is_canceled_first"),
    ),
    planted(
        "a cancel that is under way is asked for again and again",
        Edit("outbox.py", "if effect.order.client_order_id not in self._canceling:", "if True:"),
        tasks("outbox", "a_cancel_that_is_under_way_is_not_asked_for_twice"),
    ),
    planted(
        "entries without an answer hold up exits",
        Edit("outbox.py", "apart = self._senders > 1 and", "apart = False and"),
        tasks("outbox", "entries_without_an_answer_hold_up_no_exit"),
    ),
    planted(
        "what protects overnight is canceled overnight",
        Edit(
            "reducing.py",
            "state.phase is Phase.REGULAR and not state.is_shut",
            "not state.is_shut",
        ),
        plays("reducing", "out_of_regular_hours_what_protects_stays_and_entries_are_canceled"),
    ),
    planted(
        "what is hands-off is flattened",
        Edit("reducing.py", " or position.is_hands_off", ""),
        plays("reducing", "what_is_hands_off_is_never_flattened"),
    ),
    planted(
        "a reduction sells more than the smaller of both holdings",
        Edit(
            "inquiry.py",
            "position.quantity_sellable - max(surplus, ZERO)",
            "position.quantity_sellable",
        ),
        plays("reducing", "where_both_sides_differ_the_smaller_holding_goes"),
    ),
    planted(
        "the dearest position waits its turn by the alphabet",
        Edit("inbox.py", "-heard.urgency", "0"),
        Edit("reducing.py", "sorted(exits, key=lambda one: -one.urgency)", "exits"),
        tasks("reducer", "everything_is_sold_the_dearest_first_and_it_is_over"),
    ),
)

KILL_SWITCH = (
    planted(
        "what was to be canceled while nothing ran is forgotten",
        Edit("reducing.py", "    yield from _wanted_cancels(state)\n", ""),
        plays(
            "commands",
            "what_is_to_be_canceled_while_nothing_runs_is_asked_for_after_the_next_agreement",
        ),
        contract(
            "stop_button", "an_order_that_rests_while_nothing_runs_is_canceled_by_the_next_life"
        ),
    ),
    planted(
        "what is halted enters",
        Edit(
            "risk.py",
            "deny(DenyReason.HALTED, why=standing.halted) if standing.halted",
            "None if 1",
        ),
        plays("commands", "halted_there_are_no_entries_and_exits_go_on"),
        scenario("s14-halt-in-flight"),
    ),
    planted(
        "a second halt loosens the first",
        Edit(
            "commands.py",
            '    flattens = command.subject == "flatten" or (before is not None and before.flattens)',
            '    flattens = command.subject == "flatten"',
        ),
        plays("commands", "a_second_halt_wants_more_or_as_much_and_never_less"),
    ),
    planted(
        "entries are resumed while an order is in doubt",
        Edit("commands.py", "    if unknown:\n", "    if False:\n"),
        plays("commands", "nobody_resumes_while_an_order_is_in_doubt"),
    ),
    planted(
        "a command that is told again is done again",
        Edit(
            "commands.py",
            "    if state.answer(command.command_id) is not None:\n",
            "    if False:\n",
        ),
        plays("commands", "the_same_command_again_changes_nothing_and_writes_nothing"),
    ),
    planted(
        "halt and cancel forgets the entries that the broker shows later",
        Edit(
            "reducing.py",
            "(halt := state.halt) is None or not halt.cancels",
            "(halt := state.halt) is None or halt",
        ),
        plays("commands", "halt_and_cancel_takes_back_what_works_and_what_the_broker_shows_later"),
    ),
    planted(
        "while reducing, what turns up later stays",
        Edit(
            "reducing.py",
            "    return (*ends, *_began_by_halt(state, symbols))",
            "    return (*ends,)",
        ),
        plays("commands", "while_reducing_what_turns_up_later_goes_too"),
    ),
    planted(
        "the socket is everybody's",
        Edit("control/server.py", "path.chmod(0o600)", "path.chmod(0o666)"),
        tasks("control", "only_this_user_may_connect_and_the_file_goes_with_the_program"),
    ),
    planted(
        "another user's commands are heard",
        Edit("control/server.py", "if not _is_our_user(stream):", "if False:"),
        tasks("control", "another_user_is_sent_away"),
    ),
    planted(
        "a file that is no socket is removed for one",
        Edit("control/server.py", "if not stat.S_ISSOCK(path.lstat().st_mode):", "if False:"),
        tasks("control", "a_file_that_is_no_socket_is_left_alone"),
    ),
    planted(
        "a line may be as long as it likes",
        Edit(
            "control/server.py",
            "            if len(data) > LINE_BYTES_MAX:\n",
            "            if 0:\n",
        ),
        Edit("control/server.py", "        if len(line) > LINE_BYTES_MAX:\n", "        if 0:\n"),
        Edit("control/wire.py", "{ascii(str(error))[1:-1][:200]}", "{ascii(line)}"),
        tasks("control", "what_is_no_command_gets_one_line_and_nobody_hears_of_it"),
    ),
    planted(
        "text that is none ends the program",
        Edit(
            "control/wire.py",
            "(msgspec.MsgspecError, UnicodeDecodeError) as",
            "msgspec.MsgspecError as",
        ),
        tasks("control", "what_is_no_command_gets_one_line_and_nobody_hears_of_it"),
    ),
    planted(
        "a verb is answered before its command is durable",
        Edit(
            "live/controlled.py",
            "    await parts.executor.wait_until(is_answered)\n    assert answered is not None\n    return answered",
            "    return CommandAnswered(command_id='', verb='', subject='', who='', outcome='done', message='halted')",
        ),
        contract("stop_button", "a_program_that_hangs_hears_of_it_once_it_wakes"),
    ),
    planted(
        "nobody looks for the file HALT",
        Edit("live/controlled.py", "if reason is not None and not", "if False and not"),
        contract("stop_button", "a_start_with_the_file_there_enters_nothing"),
    ),
    planted(
        "who looks while nothing runs is not told of the file HALT",
        Edit(
            "doctor.py",
            "    if (reason := halt_file.wanted(database)) is not None:\n",
            "    if (reason := None) is not None:\n",
        ),
        Edit(
            "cli/status.py",
            "    if (reason := halt_file.wanted(common.database)) is not None:\n",
            "    if (reason := None) is not None:\n",
        ),
        contract("look_verbs", "the_file_halt_is_seen_while_nothing_runs"),
    ),
    planted(
        "stop is heard and not done",
        Edit("live/controlled.py", "                stop()\n", "                pass\n"),
        contract("stop_button", "stop_ends_the_program_and_positions_stay"),
    ),
)
