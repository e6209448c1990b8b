"""Bugs planted in the audit of another program's books, in their repair, and in the import from them."""

from tests.mutants.planted import Edit, contract, planted, plays, properties

AUDIT = (
    planted(
        "every repeated buy is a phantom, whatever is held",
        Edit(
            "audit/judging.py",
            "        if _left(trades, reading) == recorded.quantity and not",
            "        if reading or _left(trades, reading) == recorded.quantity and not",
        ),
        Edit("audit/judging.py", '    yield NONE, "all rows explain it"\n', ""),
        plays(
            "audit_judging",
            "a_buy_that_was_added_and_is_held_is_real_and_still_counted_as_close",
        ),
    ),
    planted(
        "a choice that explains the shares is sure, whatever they cost",
        Edit("audit/judging.py", "is_sure=not reading, why=", "is_sure=True, why="),
        plays("audit_judging", "a_cost_that_no_choice_explains_leaves_the_repeats_unproved"),
    ),
    planted(
        "a sale does not end a group of repeated buys",
        Edit("audit/repeats.py", "            last_ns = None\n", ""),
        plays("audit_judging", "a_second_round_trip_in_the_same_hour_is_no_repeat"),
    ),
    planted(
        "what phantoms did to cash stays in the sums",
        Edit(
            "audit/judging.py",
            "    explained = added_up(trades, phantoms) if phantoms else told\n",
            "    explained = told\n",
        ),
        plays("audit_judging", "of_a_group_that_the_position_knows_nothing_of_the_first_is_real"),
        properties(
            "audit_judging", "of_a_sound_history_with_duplicates_exactly_the_duplicates_are_found"
        ),
    ),
    planted(
        "an execution of the broker stands behind any number of rows",
        Edit(
            "audit/matching.py",
            "        if index not in real and number not in taken:\n",
            "        if index not in real:\n",
        ),
        plays(
            "audit_judging",
            "an_execution_stands_behind_one_row_only_and_may_be_recorded_nowhere",
        ),
    ),
    planted(
        "a REAL is read as all the digits of its bits",
        Edit("audit/cells.py", "value = Decimal(repr(cell))", "value = Decimal(cell)"),
        plays("audit_cells", "numbers_that_were_computed_are_counted_as_dust"),
    ),
    planted(
        "a time without a zone is UTC",
        Edit(
            "audit/cells.py",
            "            found = found.replace(tzinfo=self.zone)\n",
            "            found = found.replace(tzinfo=UTC)\n",
        ),
        plays("audit_cells", "a_time_in_any_usual_form_is_the_same_moment"),
    ),
    planted(
        "books from which sales were deleted are judged by what is left",
        Edit(
            "audit/auditing.py",
            "    can_tell = not traces.is_cleaned_up\n",
            "    can_tell = True\n",
        ),
        contract("audit_verb", "the_cleaned_books_cannot_be_mended_from_themselves[own]"),
    ),
    planted(
        "any later buy of what is still held may be a phantom",
        Edit(
            "audit/judging.py",
            "        if buy and held > 0 and last_ns is not None and at_ns - last_ns <= WINDOW_NS:\n",
            "        if buy and held > 0:\n",
        ),
        plays(
            "audit_judging",
            "a_buy_long_after_another_is_no_phantom_though_the_position_denies_it",
        ),
    ),
    planted(
        "a cash that can't be read is taken for one that isn't recorded",
        Edit(
            "audit/reading.py",
            "if read[name] is None and (cell is not None or must):",
            "if False:",
        ),
        contract("audit_legacy", "a_cell_of_the_account_that_cannot_be_read_is_found"),
    ),
    planted(
        "what a verb writes replaces any file",
        Edit(
            "cli/options.py",
            "    if path.exists():\n        raise _there(",
            "    if False:\n        raise _there(",
        ),
        Edit("cli/options.py", 'path.open("xb")', 'path.open("wb")'),
        contract("repair_verb", "a_plan_replaces_no_file_the_books_least_of_all"),
        masked="the file is made, never opened where it is",
    ),
    planted(
        "rows that can't be read are left out without a word",
        Edit("audit/reading.py", "        self.unreadable_rows += unreadable\n", ""),
        contract("audit_legacy", "rows_that_say_nothing_usable_are_named_and_in_no_sum"),
    ),
)
REPAIR = (
    planted(
        "a repair deletes what it leaves out",
        Edit(
            "audit/repair.py",
            '    database.executemany(\n        "INSERT INTO repair_adjustments',
            "    database.executemany(\n"
            '        f"DELETE FROM {trades} WHERE rowid = ?", [(one.trade,) for one in plan.voids]\n'
            "    )\n"
            "    database.executemany(\n"
            '        "INSERT INTO repair_adjustments',
        ),
        contract(
            "repair_verb",
            "the_incident_is_repaired_undone_and_its_tables_are_what_they_were[own]",
        ),
    ),
    planted(
        "a repair is many transactions",
        Edit("audit/repair.py", '"BEGIN EXCLUSIVE"', '"SELECT 1"'),
        Edit(
            "audit/repair.py",
            '        _verify(database, wanted, plan, before)\n        database.execute("COMMIT")\n',
            "        _verify(database, wanted, plan, before)\n",
        ),
        contract("repair_verb", "whoever_is_killed_at_any_statement_leaves_all_of_it_or_nothing"),
    ),
    planted(
        "a plan is carried out on any file",
        Edit("audit/repair.py", "    if file_digest(path) != plan.sha256:\n", "    if False:\n"),
        contract("repair_verb", "a_plan_is_for_one_file_as_it_was"),
    ),
    planted(
        "a plan that somebody changed is carried out",
        Edit(
            "audit/repair.py",
            "    if not same_but_for_names(planned(wanted, audit(wanted)), plan):\n",
            "    if False:\n",
        ),
        contract("repair_verb", "a_plan_that_somebody_changed_is_refused"),
    ),
    planted(
        "nobody asks who has the database open",
        Edit(
            "audit/safekeeping.py",
            "    for process in _processes_with(path):\n",
            "    for process in ():\n",
        ),
        contract("repair_verb", "it_is_refused_while_a_trader_or_anybody_holds_the_database"),
    ),
    planted(
        "a repair is undone although trades were added",
        Edit(
            "audit/repair.py",
            "        if originals_digest(database) != originals:\n"
            "            raise StartRefused(\n"
            '                f"trades',
            '        if False:\n            raise StartRefused(\n                f"trades',
        ),
        contract("repair_verb", "undoing_is_refused_once_trades_were_added"),
    ),
    planted(
        "a backup of other books is taken for one of these",
        Edit(
            "audit/safekeeping.py",
            "        if _digest_or_nothing(to) != wanted:\n",
            "        if False:\n",
        ),
        Edit(
            "audit/safekeeping.py",
            'if whole != "ok" or originals_digest(database) != wanted:',
            'if whole != "ok":',
        ),
        contract("repair_verb", "a_backup_of_other_books_is_not_taken_for_ours"),
        masked="the rehearsed restore is held against the books",
    ),
    planted(
        "positions at FIFO cost are called unexplained",
        Edit("audit/judging.py", "            opinion.is_fifo = True\n", ""),
        plays("audit_judging", "books_at_fifo_cost_are_recognized_and_their_profit_is_fifos"),
        contract("audit_legacy", "books_at_fifo_cost_are_sound_and_that_is_said"),
    ),
    planted(
        "an import takes what is not proved",
        Edit(
            "audit/opening.py",
            "        if not one.is_sure or one.missing:\n",
            "        if one.missing:\n",
        ),
        contract("import_verb", "what_is_not_proved_opens_nothing"),
    ),
    planted(
        "what older books had is booked again",
        Edit("state.py", "0 < at_ns <= self.opened_ns", "False"),
        plays("opening", "an_execution_that_the_older_books_had_is_known_and_not_booked_again"),
    ),
    planted(
        "a comma in a text may stand anywhere",
        Edit(
            "audit/cells.py",
            "                    if not _SEPARATED.fullmatch(text):\n",
            "                    if False:\n",
        ),
        contract("audit_awkward", "a_comma_that_may_be_a_decimal_point_is_no_amount"),
    ),
    planted(
        "money that went is a deposit",
        Edit("audit/reading.py", "-abs(value) if is_outgoing(kind) else value", "value"),
        contract("audit_awkward", "money_that_went_is_no_deposit"),
    ),
    planted(
        "cash is proved although money moved in rows that nobody can read",
        Edit("audit/auditing.py", "    if damage or not reading.is_whole:\n", "    if damage:\n"),
        contract("audit_awkward", "a_flow_that_cannot_be_read_leaves_the_cash_unproved"),
    ),
    planted(
        "a fee that can't be read is nothing",
        Edit(
            "audit/reading.py",
            "fee = ZERO if raw_fees is None else amount(raw_fees)\n",
            "fee = ZERO if raw_fees is None else amount(raw_fees) or ZERO\n",
        ),
        contract("audit_awkward", "a_fee_that_cannot_be_read_is_not_nothing"),
    ),
    planted(
        "a profit that isn't realized yet is the trace of a sale",
        Edit(
            "audit/traces.py",
            "account.total - sum(known, ZERO) if len",
            "account.total if len",
        ),
        contract("audit_awkward", "a_profit_that_is_not_realized_is_no_trace_of_a_sale"),
    ),
    planted(
        "an execution that the broker took back stands behind a row",
        Edit("audit/statement.py", "if not one.id or one.id not in gone]", "if True]"),
        contract("audit_awkward", "an_execution_that_was_taken_back_stands_behind_no_row"),
    ),
    planted(
        "a damaged file is audited by the rows that are left",
        Edit("audit/auditing.py", "        *_about_file(damage),\n", ""),
        contract("audit_awkward", "a_file_that_lost_rows_without_a_word_is_called_damaged"),
    ),
)
