"""Bugs planted in what proves the books: a proof that passes by what differs proves nothing."""

from tests.mutants.planted import Edit, contract, planted, plays, properties, scenario

PROOFS = (
    planted(
        "verify passes by what happened once",
        Edit(
            "journal/comparing.py",
            "                self._note(self._stored[table].differs(rows))\n",
            "                self._stored[table].differs(rows)\n",
        ),
        plays("verification", "a_cell_changed_in_any_table_is_found_and_named"),
        scenario("s25-tampered-books"),
    ),
    planted(
        "verify passes by orders that are over",
        Edit(
            "journal/comparing.py",
            '                self._note(first_difference("order_rows", stored, rows))\n',
            "",
        ),
        plays("verification", "a_cell_changed_in_any_table_is_found_and_named"),
    ),
    planted(
        "verify passes by rows that follow from nothing",
        Edit(
            "journal/stored.py",
            "        if row is None:\n            return None\n        return Difference(",
            "        if True:\n            return None\n        return Difference(",
        ),
        plays("verification", "the_last_rows_of_each_table_twice_are_found"),
    ),
    planted(
        "verify leaves the file itself unlooked at",
        Edit(
            "verification/verify.py",
            '        wrong = next(file.differences(reader), "")\n',
            '        wrong = ""\n',
        ),
        plays("verification", "a_schema_that_was_changed_is_found"),
    ),
    planted(
        "verify decides nothing again",
        Edit("verification/decisions.py", "    if events == entry.events:\n", "    if True:\n"),
        plays("verification", "decisions_that_today_would_be_others_are_named"),
    ),
    planted(
        "a leg of a fill is missing in the double entry",
        Edit(
            "accounting.py",
            '        ("cash", USD, flow - event.fees),\n        (f"position:{event.symbol}", USD, event.cost),\n',
            '        ("cash", USD, flow - event.fees),\n',
        ),
        plays("accounting", "each_fill_balances_and_the_accounts_are_the_books"),
        properties("verification", "any_day_is_proved_at_each_prefix"),
    ),
    planted(
        "the last shares in are sold first",
        Edit(
            "lots.py", "        lot = held[0]\n", "        held.reverse()\n        lot = held[0]\n"
        ),
        plays("lots", "the_oldest_shares_are_sold_first"),
    ),
    planted(
        "a busted execution stays in the lots",
        Edit("lots.py", "            kept[place] = None\n", "            pass\n"),
        plays("lots", "a_bust_never_was_and_its_correction_was_always_so"),
    ),
    planted(
        "a backup is not proved",
        Edit("cli/backup.py", "    if first is not None:\n", "    if False:\n"),
        contract("backup", "books_that_are_not_what_their_journal_says_are_no_backup"),
    ),
    planted(
        "a rebuilt entry gets bytes of today",
        Edit(
            "journal/rebuilding.py",
            "journal.write(Batch(entries=entries, after=after), some)",
            "journal.write(Batch(entries=entries, after=after))",
        ),
        contract("rebuild", "the_bytes_of_an_older_program_stay_what_they_are"),
    ),
    planted(
        "a rebuild believes an entry that doesn't fit its hash",
        Edit("journal/chain.py", "        if previous != stored:\n", "        if False:\n"),
        contract(
            "rebuild", "a_damaged_entry_is_named_and_what_is_whole_before_it_can_be_taken_over"
        ),
    ),
    planted(
        "a restore takes no lock",
        Edit(
            "cli/restore.py",
            "    lock = ProcessLock(common.database, iso(now_ns))",
            "    lock = ProcessLock(common.database.with_name('none'), iso(now_ns))",
        ),
        contract("backup", "nothing_is_restored_under_a_process_that_holds_the_books"),
    ),
    planted(
        "a restore overwrites the books",
        Edit("cli/restore.py", "            moved_aside(database, folder)\n", "            pass\n"),
        contract("backup", "a_restore_moves_the_books_aside_and_says_what_they_lack"),
    ),
    planted(
        "verify ends well whatever it has found",
        Edit(
            "cli/verify.py",
            "return Exit.WELL if verification.first_difference is None else Exit.DIFFERENCES",
            "return Exit.WELL",
        ),
        contract("verify_verb", "the_first_difference_is_the_last_line_and_in_the_json"),
    ),
    planted(
        "a statement's row of another price passes",
        Edit(
            "statements/matching.py",
            "    if not _equal(one.quantity, other.quantity) or not _equal(one.price, other.price):\n",
            "    if not _equal(one.quantity, other.quantity):\n",
        ),
        contract(
            "statement_verb", "whatever_a_statement_says_otherwise_is_one_row_with_all_three_values"
        ),
        properties(
            "statements", "the_same_lines_in_any_order_agree_and_one_less_or_another_is_found"
        ),
    ),
    planted(
        "what only two of three tell passes as agreed",
        Edit(
            "statements/matching.py",
            "            and theirs is not None\n",
            "",
        ),
        Edit(
            "statements/matching.py",
            "            and is_same(ours, theirs)\n",
            "            and (theirs is None or is_same(ours, theirs))\n",
        ),
        properties(
            "statements", "the_same_lines_in_any_order_agree_and_one_less_or_another_is_found"
        ),
    ),
    planted(
        "in a statement all legs of a split but the first are missing from our books",
        Edit(
            "statements/told.py",
            "one for one in legs if one is not leg]",
            "one for one in legs[:0]]",
        ),
        plays("splits", "a_statement_has_both_legs_and_so_have_our_books"),
    ),
    planted(
        "a fee of a statement is held against what it was wrong by",
        Edit(
            "statements/told.py",
            "plain(event.cash - accrued - sum(",
            "plain(event.cash - sum(",
        ),
        contract("statement_verb", "fees_of_a_day_are_what_was_accrued_and_what_it_was_wrong_by"),
    ),
    planted(
        "a decimal comma is read as a thousand's",
        Edit(
            "statements/statement.py",
            r"(\d{1,3}(,\d{3})+|\d+)(\.\d+)?|",
            r"[\d,]+(\.\d+)?|",
        ),
        contract("statement_verb", "a_file_that_is_no_statement_is_one_line"),
    ),
    planted(
        "one id twice in a statement is one thing twice",
        Edit(
            "statements/statement.py",
            "in places and name:\n",
            "in places and not name:\n",
        ),
        contract("statement_verb", "a_file_that_is_no_statement_is_one_line"),
    ),
    planted(
        "verify proves whatever books a log of another database shows",
        Edit(
            "cli/answers.py",
            "            check_log(common.database, rows_noted(common.database))\n",
            "            pass\n",
        ),
        contract("bad_databases", "a_file_that_is_no_sound_journal_is_one_line_and_stays_as_it_is"),
    ),
    planted(
        "nobody asks for the rows that a killed process has committed",
        Edit("journal/sqlite.py", "        self._lock.note(draft.head)\n", ""),
        plays(
            "journal_noted",
            "rows_that_were_committed_and_are_gone_refuse_the_start_and_every_look",
        ),
    ),
    planted(
        "the second start has forgotten what the first refused",
        Edit(
            "journal/lock.py",
            'self._write(f"\\n{self.rows_noted}" if self.rows_noted else "")',
            'self._write("")',
        ),
        plays(
            "journal_noted",
            "rows_that_were_committed_and_are_gone_refuse_the_start_and_every_look",
        ),
    ),
    planted(
        "what a statement's executions were charged is held against nothing",
        Edit("cli/statement.py", "    if tells_fees(rows):\n", "    if False:\n"),
        contract("statement_fees", "a_column_of_fees_is_held_against_the_days_fee"),
        contract("statement_fees", "cash_that_is_not_shares_times_price_is_a_fee"),
    ),
    planted(
        "any cash fits an execution whose fee is told",
        Edit(
            "statements/matching.py",
            "    return off in (ZERO, rounded(paper.fee, CENT))\n",
            "    return True\n",
        ),
        contract(
            "statement_fees",
            "cash_that_the_told_fee_does_not_explain_is_a_difference_of_its_execution",
        ),
    ),
    planted(
        "a bust is nobody's",
        Edit("cli/pnl.py", "  ifnull(o.strategy, ''), ''", "  '', ''"),
        contract("pnl_verb", "a_bust_is_taken_from_the_strategy_whose_execution_it_was"),
    ),
    planted(
        "a moment with more digits than a timestamp is an earlier one",
        Edit("verification/past.py", "iso(at_ns)[:-1][", "iso(at_ns)["),
        contract("journal_verb", "a_moment_told_to_the_nanosecond_is_the_same_moment"),
    ),
)
