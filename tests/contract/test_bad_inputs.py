"""Which tests hold what the program does with bad input of each kind; and that every one of them exists.

The numbers are those of the list of bad inputs. The words say what must come out.
"""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXECUTION = "tests/unit/test_execution.py"
RISK = "tests/unit/test_risk.py"
REPORTS = "tests/unit/test_reports.py"
CORRECTIONS = "tests/unit/test_corrections.py"
WIRE = "tests/unit/test_wire_alpaca.py"
FUZZ = "tests/contract/test_wire_fuzz.py"
SENDING = "tests/contract/test_alpaca_sending.py"
STREAMS = "tests/contract/test_alpaca_streams.py"
SIMULATED = "tests/contract/test_alpaca_simulated.py"
MUTE = "tests/contract/test_alpaca_mute.py"
HOSTILE = "tests/contract/test_hostile_streams.py"
SUPERVISOR = "tests/tasks/test_supervisor.py"
BUDGET = "tests/tasks/test_request_budget.py"
CONFIG = "tests/unit/test_config.py"
CONFIG_FILE = "tests/contract/test_configuration_file.py"
OPENING = "tests/unit/test_journal_opening.py"
FAULTS = "tests/tasks/test_journal_faults.py"
LOST = "tests/contract/test_database_lost.py"
PROCESSES = "tests/contract/test_two_processes.py"
REDUCING = "tests/unit/test_reducing.py"
COMMANDS = "tests/unit/test_commands.py"
CLOCKS = "tests/contract/test_doctor.py"
LEGACY = "tests/contract/test_audit_legacy.py"
AUDIT = "tests/contract/test_audit_verb.py"
DATABASES = "tests/contract/test_bad_databases.py"
STATEMENT = "tests/contract/test_statement_verb.py"
REPAIR = "tests/contract/test_repair_verb.py"
OWN = "tests/contract/test_own_strategies.py"

COVERED: dict[int, tuple[str, ...]] = {
    # --- what workers ask for
    1: (  # many at once for a flat symbol: one order
        f"{EXECUTION}::test_of_n_workers_that_want_a_flat_symbol_in_the_same_instant_one_gets_it",
        f"{EXECUTION}::test_eight_workers_get_one_order_in_any_order_and_over_any_batches",
        "tests/tasks/test_stampede.py::test_any_number_of_tasks_buys_once",
    ),
    2: (  # one id, two contents
        f"{EXECUTION}::test_a_telling_with_other_content_is_a_conflict_and_the_first_stands",
    ),
    3: (  # held, working or in doubt: blocked
        f"{EXECUTION}::test_a_second_entry_is_blocked",
        f"{EXECUTION}::test_nothing_but_a_final_state_gives_the_symbol_free",
    ),
    4: (  # before the books are agreed
        f"{EXECUTION}::test_a_request_during_boot_is_denied",
    ),
    5: (  # too old when its turn comes
        f"{EXECUTION}::test_a_request_that_waited_too_long_is_denied",
        f"{RISK}::test_a_request_is_for_a_minute_and_not_longer",
        "tests/tasks/test_executor.py::test_a_request_that_waited_too_long_says_so",
    ),
    6: (  # no number of shares, by value and by type
        f"{EXECUTION}::test_a_quantity_that_is_no_quantity_is_denied",
        f"{EXECUTION}::test_ten_as_a_thousandth_power_is_the_same_quantity",
        "tests/tasks/test_worker.py::test_a_wish_of_the_wrong_types_fails_its_own_worker_and_reaches_nobody",
    ),
    7: (  # more shares than there are
        f"{EXECUTION}::test_a_quantity_that_is_no_quantity_is_denied",
    ),
    8: (  # a product beyond all money
        f"{EXECUTION}::test_quantity_times_price_beyond_all_money_is_denied_before_it_is_stored",
        "tests/unit/test_money.py::test_a_product_of_two_admitted_amounts_is_exact",
    ),
    9: (  # no finite price, from wherever
        f"{EXECUTION}::test_a_price_that_is_no_price_is_denied",
        f"{CONFIG}::test_a_mistake_is_named_with_file_line_and_key",
        "tests/unit/test_recorded.py::test_a_bad_row_is_named_with_its_file_and_line",
    ),
    10: (  # text that only Decimal takes for a number
        "tests/unit/test_money.py::test_a_text_that_is_not_an_amount_is_refused_as_one",
        f"{WIRE}::test_a_number_that_is_no_amount_makes_the_object_unreadable",
    ),
    11: (  # no price above nothing
        f"{EXECUTION}::test_a_price_that_is_no_price_is_denied",
    ),
    12: (  # off its tick, far from the market, or without one
        f"{RISK}::test_prices_move_in_cents_and_below_a_dollar_in_hundredths",
        f"{RISK}::test_a_price_lies_within_three_percent_of_the_quotes_middle",
        f"{RISK}::test_an_entry_needs_both_sides_of_a_price_of_its_own_symbol",
        f"{RISK}::test_a_quote_is_fresh_for_ninety_seconds",
    ),
    13: (  # only what was configured is a symbol
        f"{EXECUTION}::test_a_symbol_outside_the_universe_is_denied",
        f"{CONFIG}::test_nothing_else_is_a_symbol",
    ),
    14: (  # a side that is none, or the wrong one
        f"{RISK}::test_entries_buy_and_exits_sell",
        "tests/tasks/test_worker.py::test_a_wish_of_the_wrong_types_fails_its_own_worker_and_reaches_nobody",
    ),
    15: (  # no short sale by accident
        f"{RISK}::test_an_exit_sells_no_more_than_is_held",
        f"{RISK}::test_live_exits_and_the_new_one_together_sell_no_more_than_is_held",
        f"{RISK}::test_a_target_beyond_flat_is_no_way_to_sell_short",
    ),
    16: (  # more than there is cash for, alone or together
        f"{RISK}::test_an_entry_may_cost_all_free_cash_and_no_cent_more",
        f"{RISK}::test_of_two_buys_for_most_of_the_cash_one_is_accepted",
    ),
    17: (  # too small, too large, or a part of a share
        f"{EXECUTION}::test_a_size_of_less_than_a_share_is_denied",
        f"{RISK}::test_an_exit_sells_whole_shares",
        f"{RISK}::test_an_entry_exactly_at_a_limit_passes",
        f"{RISK}::test_each_reason_denies_and_changes_nothing_but_the_count",
    ),
    18: (  # at that hour nothing trades
        f"{RISK}::test_outside_regular_hours_only_orders_that_say_so",
        f"{RISK}::test_nothing_trades_while_the_exchange_is_closed",
    ),
    19: (  # what can't be traded: halted, unknown here, or refused by the broker, and then free again
        "tests/unit/test_disruptions.py"
        "::test_while_trading_halts_a_symbol_takes_no_entries_and_the_others_do",
        f"{EXECUTION}::test_a_symbol_outside_the_universe_is_denied",
        f"{RISK}::test_what_is_held_of_a_symbol_that_left_the_universe_can_be_sold",
        f"{REPORTS}::test_proof_that_nothing_lives_gives_cash_and_symbol_free",
        f"{SIMULATED}::test_a_refusal_comes_back_in_the_brokers_words",
    ),
    20: (  # a flood of requests
        f"{RISK}::test_a_thousand_requests_in_a_second_are_limited_and_nothing_halts",
        "tests/tasks/test_executor.py::test_a_turn_takes_a_bounded_batch_and_leaves_the_rest_in_order",
    ),
    # --- what the broker says
    21: (  # no message at all
        f"{WIRE}::test_a_frame_that_names_no_order_is_unreadable",
        f"{WIRE}::test_nonsense_in_place_of_an_order_is_unreadable_and_nothing_else",
        f"{WIRE}::test_nonsense_in_place_of_an_answer_is_unreadable_and_nothing_else",
        f"{STREAMS}::test_unreadable_frames_are_logged_escaped_and_the_line_is_kept",
    ),
    22: (  # bytes that are no text
        f"{WIRE}::test_no_bytes_at_all_can_raise_anything_but_unreadable",
        f"{STREAMS}::test_unreadable_frames_are_logged_escaped_and_the_line_is_kept",
    ),
    23: (  # nesting without end
        f"{WIRE}::test_a_frame_that_names_no_order_is_unreadable",
        f"{STREAMS}::test_unreadable_data_is_logged_and_the_line_is_kept",
    ),
    24: (  # a key that comes twice
        f"{WIRE}::test_of_a_key_that_comes_twice_the_last_value_counts_and_is_judged",
    ),
    25: (  # words that nobody knows
        f"{WIRE}::test_what_we_never_ask_for_is_a_foreign_change_with_a_reason",
        f"{WIRE}::test_the_signs_of_the_handshake_are_told_apart",
        f"{FUZZ}::test_kinds_of_messages_that_nobody_knows_are_counted_in_bounded_memory",
        f"{FUZZ}::test_a_changed_frame_is_well_formed_or_unreadable",
    ),
    26: (  # either kind of frame is read by what is in it
        f"{WIRE}::test_text_and_binary_frames_of_json_are_the_same",
        f"{WIRE}::test_a_frame_that_names_no_order_is_unreadable",
        "tests/unit/test_wire_alpaca_data.py::test_a_text_frame_is_json",
    ),
    27: (  # a frame beyond all bounds
        f"{HOSTILE}::test_a_line_that_goes_bad_closes_the_gate_and_is_begun_again",
        f"{HOSTILE}::test_a_server_that_is_always_bad_is_called_less_and_less_often",
    ),
    28: (  # half of something, and then nothing
        f"{HOSTILE}::test_a_line_that_goes_bad_closes_the_gate_and_is_begun_again",
        f"{HOSTILE}::test_a_flood_in_which_there_is_no_message_is_left_before_it_fills_the_memory",
        f"{STREAMS}::test_a_bad_line_is_noticed_left_and_replaced",
    ),
    29: (  # frames against the protocol
        f"{HOSTILE}::test_a_line_that_goes_bad_closes_the_gate_and_is_begun_again",
    ),
    30: (  # floods, and a reader who is busy
        f"{HOSTILE}::test_a_listener_that_is_busy_holds_the_server_back",
        f"{HOSTILE}::test_a_flood_in_which_there_is_no_message_is_left_before_it_fills_the_memory",
    ),
    31: (  # one execution, however often it is told
        f"{REPORTS}"
        "::test_an_execution_is_booked_once_however_often_in_however_many_lives_and_days_it_is_told",
        f"{REPORTS}::test_an_order_is_acknowledged_filled_in_parts_and_booked_once",
        f"{REPORTS}::test_what_an_activity_and_the_stream_both_tell_is_booked_once",
        f"{REPORTS}::test_a_fill_that_is_booked_is_nothing_new_days_later_under_another_id",
    ),
    32: (  # one execution, two contents
        f"{REPORTS}::test_an_execution_told_again_with_other_numbers_is_quarantined",
        f"{REPORTS}::test_an_execution_told_twice_but_differently_is_quarantined",
    ),
    33: (  # any order of telling
        f"{REPORTS}::test_reports_of_a_buy_in_any_order_and_any_number_end_in_the_same_books",
        f"{REPORTS}::test_reports_of_a_sale_in_any_order_end_in_the_same_books",
        "tests/core/test_core_permutations.py"
        "::test_the_reports_of_a_life_in_any_order_with_repeats_end_in_the_same_state",
    ),
    34: (  # a fill of what should be dead
        f"{REPORTS}::test_a_late_fill_is_booked_and_somebody_hears_of_it",
        f"{REPORTS}::test_a_fill_of_a_dead_order_is_booked_and_stops_the_symbol",
        "tests/tasks/test_doubt.py::test_an_order_that_was_proven_absent_and_fills_is_adopted_and_stops_its_symbol",
    ),
    35: (  # more than was ordered
        f"{REPORTS}::test_more_than_was_ordered_is_booked_and_stops_the_symbol",
    ),
    36: (  # sums that don't add up
        "tests/unit/test_orders.py::test_the_claims_high_water_mark_never_falls",
        f"{REPORTS}::test_a_claimed_fill_without_its_execution_is_asked_about_until_it_is_found",
        f"{REPORTS}::test_filled_with_less_than_its_quantity_is_quarantined",
    ),
    37: (  # what is taken back
        f"{CORRECTIONS}::test_a_bust_of_a_whole_buy_takes_everything_back_and_asks_what_became_of_the_order",
        f"{CORRECTIONS}::test_a_correction_of_what_is_not_in_the_books_stops_the_symbol",
        f"{CORRECTIONS}::test_a_busted_execution_that_is_told_again_stays_taken_back",
    ),
    38: (  # about something that was never asked for
        f"{REPORTS}::test_a_report_that_does_not_fit_its_order_books_nothing_and_stops_the_symbol",
        f"{REPORTS}::test_an_order_that_is_not_ours_is_recorded_and_never_adopted",
        f"{EXECUTION}::test_the_books_of_one_account_are_not_used_for_another",
    ),
    39: (  # an execution that can't be
        f"{FUZZ}::test_an_execution_that_cannot_be_is_quarantined_and_books_nothing",
        f"{REPORTS}::test_a_report_that_does_not_fit_its_order_books_nothing_and_stops_the_symbol",
    ),
    40: (  # times that are none
        f"{FUZZ}::test_whatever_its_time_stamp_an_execution_is_booked_alike",
        f"{WIRE}::test_a_bad_time_stamp_is_not_fatal",
    ),
    41: (  # there are no numbers to miss: what was not heard is found by asking
        f"{MUTE}::test_a_trading_stream_that_keeps_a_polled_fill_to_itself_is_left_for_a_new_one",
        "tests/tasks/test_polling.py::test_what_has_moved_at_the_broker_is_asked_for_whole",
        f"{SUPERVISOR}::test_a_stream_that_was_lost_closes_entries_until_the_books_agree_again",
    ),
    42: (  # absent is not flat
        f"{REPORTS}::test_an_empty_statement_is_not_flat",
        f"{SIMULATED}::test_a_statement_is_whole_or_none",
        f"{SUPERVISOR}::test_a_statement_that_cannot_be_had_is_not_an_empty_account",
    ),
    43: (  # no answer is no answer
        f"{WIRE}::test_a_reply_proves_this_and_no_more",
        f"{SENDING}::test_a_reply_that_does_not_come_is_unknown",
        f"{SENDING}::test_an_id_that_is_not_unique_is_our_order_from_before_and_is_adopted",
        f"{REPORTS}::test_a_lost_reply_leaves_the_order_in_doubt_until_it_is_found",
        f"{REPORTS}::test_a_reply_that_rejects_what_the_stream_has_proven_alive_frees_nothing",
    ),
    44: (  # told to wait, for how long ever
        f"{BUDGET}::test_a_wait_that_the_broker_names_is_neither_nothing_nor_endless",
        "tests/contract/test_alpaca_rate.py"
        "::test_a_429_rejects_its_order_and_holds_the_next_one_back_whatever_it_says",
        "tests/tasks/test_outbox.py::test_an_intent_that_grew_too_old_in_the_lane_is_not_sent",
    ),
    45: (  # keys that fail in mid day
        f"{STREAMS}::test_keys_that_fail_in_mid_day_close_the_gate_and_are_tried_as_seldom_as_can_be",
        f"{SUPERVISOR}::test_keys_that_fail_at_the_start_refuse_it_and_in_mid_day_close_entries",
        f"{WIRE}::test_a_reply_proves_this_and_no_more",
    ),
    46: (  # the keys go to one host, and to nobody who can't prove to be it
        f"{SENDING}::test_a_redirect_is_not_followed_and_the_keys_go_nowhere_else",
        f"{HOSTILE}::test_a_redirect_to_another_host_takes_neither_the_order_nor_the_keys_there",
        f"{SENDING}::test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent",
        f"{SENDING}::test_a_stream_whose_certificate_nobody_vouches_for_is_told_no_keys",
    ),
    47: (  # words that would forge, steer or flood
        f"{WIRE}::test_foreign_text_is_shown_on_one_line_and_cut",
        "tests/unit/test_log_narrator.py::test_a_brokers_message_can_forge_no_line",
        "tests/unit/test_log_events.py::test_a_megabyte_is_cut",
    ),
    48: (  # an account that is no longer ours to trade
        f"{WIRE}::test_an_account_that_cannot_be_traded_says_why",
        f"{REPORTS}::test_an_account_that_owes_money_buys_nothing_until_a_person_has_looked",
        f"{REPORTS}::test_an_account_that_the_broker_refuses_in_mid_day_takes_no_entry_and_exits_go_on",
    ),
    # --- what the market seems to say
    49: (  # prices that nobody trades at, or none
        "tests/unit/test_market_guard.py::test_a_tick_that_is_not_fit_is_named_counted_and_forgotten",
        "tests/unit/test_market_guard.py::test_time_does_not_go_back",
        "tests/tasks/test_tape.py::test_a_tick_that_is_not_fit_reaches_nobody_and_is_told_and_counted",
        "tests/tasks/test_tape.py::test_one_wrong_tick_moves_no_mark_and_two_that_agree_do",
        "tests/tasks/test_tape.py::test_a_feed_that_repeats_itself_while_others_move_is_frozen",
        f"{MUTE}::test_a_mute_data_stream_is_left_and_the_gate_opens_with_the_next_tick",
        f"{REDUCING}::test_no_price_keeps_a_position_from_going",
    ),
    50: (  # a split is no loss, and no reason to sell
        "tests/tasks/test_tape.py::test_a_split_that_is_known_is_no_jump_and_its_workers_start_over",
        "tests/unit/test_disruptions.py"
        "::test_the_mark_of_a_split_that_is_not_booked_yet_is_not_taken_and_no_brake_trips",
        "tests/unit/test_disruptions.py::test_nobody_sells_on_a_price_that_jumped_over_a_night",
        "tests/unit/test_movements.py::test_a_split_keeps_cost_and_value_and_moves_the_shares",
        f"{REDUCING}::test_a_split_while_it_goes_is_sold_whole_and_begins_nothing",
    ),
    # --- settings, files, the machine
    51: (  # settings that are none
        f"{CONFIG}::test_a_mistake_is_named_with_file_line_and_key",
        f"{CONFIG}::test_the_limits_that_live_still_lacks_are_named",
        f"{CONFIG_FILE}::test_a_file_that_is_named_must_be_there",
        f"{CONFIG_FILE}::test_ten_megabytes_are_refused",
    ),
    52: (  # paths to somewhere else
        f"{OPENING}::test_what_is_not_a_file_of_ours_is_refused",
        f"{OPENING}::test_a_pipe_a_folder_and_a_link_are_refused",
        f"{OPENING}::test_names_that_could_pass_for_another_line_are_refused",
        f"{CONFIG_FILE}::test_a_path_is_resolved_once_and_may_lead_upwards",
        "tests/contract/test_door.py::test_a_mistake_is_one_line_and_exit_code_2",
    ),
    53: (  # not our file, or not all of it
        f"{OPENING}::test_a_spoiled_file_is_refused_and_left_alone",
        f"{OPENING}::test_where_no_database_is_none_is_made_unless_asked_for",
        f"{OPENING}::test_a_write_ahead_log_without_its_database_is_refused",
        f"{OPENING}::test_a_write_ahead_log_of_another_database_is_refused_and_both_are_left_alone",
        f"{OPENING}::test_a_file_of_another_user_is_refused",
        f"{OPENING}::test_a_network_file_system_is_refused",
        f"{FAULTS}::test_a_checkpoint_that_was_cut_off_anywhere_is_no_obstacle",
        f"{FAULTS}::test_one_flipped_byte_of_any_entry_is_found",
        f"{AUDIT}::test_what_cannot_be_read_is_one_line_and_makes_nothing",
        f"{AUDIT}::test_a_locked_database_is_said_to_be_locked",
        f"{AUDIT}::test_our_own_books_are_not_somebody_elses",
        f"{DATABASES}::test_a_file_that_is_no_sound_journal_is_one_line_and_stays_as_it_is",
        f"{STATEMENT}::test_a_file_that_is_no_statement_is_one_line",
    ),
    54: (  # books of an older program
        f"{OPENING}::test_the_books_of_an_older_program_are_refused_and_left_alone",
        f"{LEGACY}::test_rows_that_say_nothing_usable_are_named_and_in_no_sum",
        f"{LEGACY}::test_three_forms_of_time_lower_case_and_float_dust_are_notes_and_no_findings",
        f"{LEGACY}::test_duplicate_ids_two_accounts_and_orphans_are_found",
        f"{LEGACY}::test_what_has_no_table_is_not_judged_and_that_is_said",
        f"{LEGACY}::test_books_at_fifo_cost_are_sound_and_that_is_said",
        f"{REPAIR}::test_what_cannot_be_proved_is_listed_and_left_alone",
        f"{REPAIR}::test_rows_without_a_lasting_number_are_not_voided",
    ),
    55: (  # disks that fail
        f"{FAULTS}::test_each_single_statement_can_fail_without_a_trace",
        f"{FAULTS}::test_a_full_disk_is_a_failure_that_ends_when_there_is_room_again",
        f"{FAULTS}::test_after_a_sync_that_failed_nobody_knows_and_this_life_writes_nothing_more",
        "tests/contract/test_failed_commits_live.py"
        "::test_on_a_full_disk_nothing_is_sent_until_there_is_room_again",
        f"{LOST}::test_a_program_whose_files_are_taken_away_ends_with_one_line",
        f"{LOST}::test_files_that_can_not_grow_stop_the_orders_and_nothing_else",
        f"{LOST}::test_a_folder_that_is_made_read_only_changes_nothing_until_the_next_start",
    ),
    56: (  # clocks that jump
        f"{CLOCKS}::test_a_machine_that_believes_it_is_1970_is_refused",
        f"{EXECUTION}::test_a_clock_that_jumps_back_changes_nothing_else",
        "tests/tasks/test_clock_check.py::test_seconds_are_logged_each_time_and_half_a_minute_is_an_alarm_once",
        f"{SUPERVISOR}::test_after_a_week_of_sleep_all_is_asked_for_since_the_last_statement",
        "tests/unit/test_calendar.py::test_clocks_change_in_the_same_minute_as_in_the_time_zone_database",
    ),
    57: (  # one writer
        f"{OPENING}::test_of_many_processes_at_once_one_gets_the_lock",
        f"{OPENING}::test_the_lock_notices_that_its_file_was_removed",
        f"{PROCESSES}::test_of_two_processes_one_trades_and_one_is_refused",
        f"{PROCESSES}::test_a_stopped_process_that_was_taken_over_sends_nothing_when_it_wakes",
        f"{EXECUTION}::test_the_id_of_an_order_is_a_function_of_the_decision_alone",
        f"{SENDING}::test_an_id_that_is_not_unique_is_our_order_from_before_and_is_adopted",
    ),
    58: (  # code that is not what runs
        "tests/contract/test_launcher.py::test_an_edit_of_the_same_size_and_time_runs_and_has_another_identity",
        "tests/contract/test_freshness_live.py::test_entries_stop_exits_go_on_and_the_file_is_named",
        "tests/unit/test_freshness.py"
        "::test_a_module_compiled_from_an_edited_file_stays_stale_when_the_file_is_put_back",
    ),
    59: (  # ended anywhere, by anybody
        "tests/contract/test_kill_at_each_step.py"
        "::test_killed_at_this_step_it_finds_its_order_again_and_sends_no_second_one",
        f"{FAULTS}::test_a_write_ahead_log_cut_anywhere_keeps_every_acknowledged_batch_whole",
        "tests/tasks/test_executor.py::test_cancelling_the_executor_in_a_commit_lets_the_commit_finish",
        "tests/contract/test_run_stopped.py::test_ctrl_c_stops_as_cleanly_and_says_interrupted",
        "tests/contract/test_run_stopped.py::test_a_second_signal_while_it_stops_changes_nothing",
        "tests/contract/test_stopped_in_the_start.py::test_stopped_while_the_books_are_being_agreed",
        "tests/contract/test_kill_while_reducing.py"
        "::test_killed_at_this_step_it_goes_on_and_sells_each_share_once",
    ),
    # --- what a person types
    69: (  # the way out of a halt: once, kept, and not while anything is in doubt
        f"{COMMANDS}::test_resuming_twice_has_one_effect_and_both_are_kept",
        f"{COMMANDS}::test_the_same_command_again_changes_nothing_and_writes_nothing",
        f"{COMMANDS}::test_nobody_resumes_while_an_order_is_in_doubt",
        f"{COMMANDS}::test_answers_are_kept_for_as_many_commands_as_can_be_waited_for",
        "tests/contract/test_stop_button.py"
        "::test_halt_and_flatten_leaves_nothing_and_resume_lets_it_trade_again",
        "tests/tasks/test_control.py::test_what_is_no_command_gets_one_line_and_nobody_hears_of_it",
    ),
    75: (  # a strategy that can't be loaded, fails, or wishes nonsense: named, and for nobody else
        f"{OWN}::test_what_is_broken_is_told_with_file_and_line",
        f"{OWN}::test_a_broken_one_is_told_and_the_others_trade",
        f"{OWN}::test_what_lies_in_the_folder_stands_in_for_no_package",
        f"{SUPERVISOR}::test_a_failure_is_journaled_with_its_traceback_and_the_others_go_on",
        f"{SUPERVISOR}::test_a_worker_that_fails_on_its_history_is_set_aside_and_the_day_begins",
        "tests/tasks/test_worker.py::test_a_wish_of_the_wrong_types_fails_its_own_worker_and_reaches_nobody",
    ),
    77: (  # mending what somebody has open, twice, half, with other books' backup; undoing too late
        f"{REPAIR}::test_it_is_refused_while_a_trader_or_anybody_holds_the_database",
        f"{REPAIR}::test_the_incident_is_repaired_undone_and_its_tables_are_what_they_were",
        f"{REPAIR}::test_whoever_is_killed_at_any_statement_leaves_all_of_it_or_nothing",
        f"{REPAIR}::test_a_backup_of_other_books_is_not_taken_for_ours",
        f"{REPAIR}::test_undoing_is_refused_once_trades_were_added",
    ),
}


def test_every_kind_of_bad_input_has_its_tests() -> None:
    assert sorted(COVERED) == [*range(1, 60), 69, 75, 77]
    assert all(COVERED.values())
    for number, tests in COVERED.items():
        assert len(set(tests)) == len(tests), number


@pytest.mark.parametrize("number", COVERED)
def test_the_tests_that_are_named_exist(number: int) -> None:
    for test in COVERED[number]:
        path, _, name = test.partition("::")
        assert name in names_in(path), test


def test_a_test_that_does_not_exist_is_missed() -> None:
    assert "test_that_nobody_wrote" not in names_in(EXECUTION)


@functools.cache
def names_in(path: str) -> frozenset[str]:
    module = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(one.name for one in module.body if isinstance(one, functions))
