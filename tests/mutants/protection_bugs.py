"""Bugs planted in what guards a position: its stop at the broker, the levels held here, and the alarm."""

from tests.mutants.planted import Edit, planted, plays, scenario, tasks, worlds

PROTECTIONS = (
    planted(
        "what is filled in part waits for the rest of its entry, unguarded",
        Edit(
            "protector.py",
            "if self.now_s() - began_s >= ENTRY_WAITS_S and",
            "if self.now_s() - began_s >= 1e9 and",
        ),
        tasks(
            "protector",
            "what_is_filled_in_part_is_guarded_and_the_rest_of_the_entry_makes_way",
        ),
        worlds("stops")._replace(says="the rest of its entry keeps its stop away"),
    ),
    planted(
        "a stop does not follow a later fill",
        Edit(
            "protection.py",
            "missing=plain(max(held - position.quantity_pending_sell, ZERO)),",
            "missing=ZERO if stops else plain(max(held - position.quantity_pending_sell, ZERO)),",
        ),
        tasks("protector", "a_fill_that_comes_late_gets_a_stop_beside_the_other"),
    ),
    planted(
        "a stop that ended is not renewed",
        Edit("protection.py", "        str(position.stops),\n", ""),
        plays("protection", "the_same_state_wants_the_same_stop_and_a_renewed_one_is_another"),
        tasks("protector", "a_stop_that_ends_is_renewed_under_another_id"),
        worlds("stops")._replace(says="no order at the venue guards it"),
    ),
    planted(
        "an exit beside a live stop",
        Edit(
            "positions.py",
            "        return self.quantity - self.quantity_pending_sell",
            "        return self.quantity",
        ),
        plays("protection", "no_stop_sells_more_than_is_proven_and_free"),
        scenario("s27-stop-holds-the-shares"),
        worlds("stops", "C17"),
    ),
    planted(
        "an exit that leaves before the stop is proven gone",
        Edit("reducing.py", "    if live:\n        return", "    if False:\n        return"),
        Edit("inquiry.py", "    if live:\n        in_doubt", "    if False:\n        in_doubt"),
        Edit(
            "positions.py",
            "        return self.quantity - self.quantity_pending_sell",
            "        return self.quantity",
        ),
        tasks("protector", "the_exit_waits_for_proof_that_the_stop_is_gone"),
        masked="would_oversell",
    ),
    planted(
        "a stop keeps its shares from the strategy's exit for ever",
        Edit("reducing.py", "    makes_way = bool(holders) and (", "    makes_way = False and ("),
        tasks("protector", "a_strategys_exit_makes_the_stop_go_first_and_then_sells_once"),
        scenario("s27-stop-holds-the-shares"),
    ),
    planted(
        "a stop for what is not proven yet",
        Edit(
            "protection.py",
            "else max(position.quantity - max(surplus, ZERO), ZERO)",
            "else max(position.quantity + position.quantity_pending_buy - max(surplus, ZERO), ZERO)",
        ),
        plays("protection", "of_an_entry_in_doubt_only_what_is_proven_counts"),
    ),
    planted(
        "a stop that sells more than there is stays",
        Edit("protector.py", "        if excess > 0 or are_many", "        if are_many"),
        tasks("protector", "what_the_broker_does_not_hold_is_not_sold_by_a_stop"),
    ),
    planted(
        "a first look at a shorter holding takes the stop away",
        Edit("protector.py", " if symbol in state.quarantined else ZERO\n", "\n"),
        tasks("protector", "what_the_broker_does_not_hold_is_not_sold_by_a_stop"),
    ),
    planted(
        "nobody hears that a position is unprotected",
        Edit("protector.py", "UNPROTECTED_S_MAX = 4.0", "UNPROTECTED_S_MAX = 4e9"),
        tasks(
            "protector",
            "a_position_whose_stop_is_refused_raises_the_alarm_within_five_seconds",
        ),
        worlds("stops", "A10"),
    ),
    planted(
        "a stop in doubt counts as protection",
        Edit(
            "protection.py",
            "    proven = [one for one in exits if one.state in AT_BROKER]",
            "    proven = exits",
        ),
        plays("protection", "only_what_the_broker_is_known_to_have_covers"),
        tasks("protector", "a_stop_in_doubt_is_no_protection"),
    ),
    planted(
        "a stop's id is another one after a crash",
        Edit(
            "protector.py",
            "key=stop_key(state.account, position, cover.missing),",
            "key=firing_key(state.account, position, Leg.STOP, str(state.epoch)),",
        ),
        tasks(
            "protector",
            "a_life_that_ends_before_the_stop_was_told_is_followed_by_one_that_tells_the_same",
        ),
    ),
    planted(
        "nobody hears that prices are of new shares",
        Edit("tape.py", "                self.listener.split(symbol)\n", "                pass\n"),
        tasks("tape", "who_listens_hears_of_new_shares_before_their_first_price"),
    ),
    planted(
        "one tick fires",
        Edit(
            "protection.py",
            "self._first.get(leg, at_ns) < at_ns",
            "self._first.get(leg, at_ns) <= at_ns",
        ),
        plays("protection", "one_tick_confirms_nothing"),
        tasks("protector", "a_profit_is_taken_when_two_quotes_after_one_another_say_so"),
        worlds("levels", "S16: protector"),
    ),
    planted(
        "a bid that somebody took away meets a stop",
        Edit(
            "protection.py",
            "middle, bid = (tick.bid + tick.ask) // 2, tick.bid",
            "middle = bid = tick.bid",
        ),
        plays("protection", "which_levels_a_tick_meets"),
    ),
    planted(
        "what can't rest at the broker is not held here either",
        Edit("protection.py", "        met.add(Leg.STOP)\n", "        pass\n"),
        tasks("protector", "a_stop_that_cannot_rest_is_held_here_and_fires_when_confirmed"),
        worlds("levels")._replace(says="the market is beyond its stop"),
    ),
    planted(
        "an exit whose time has come waits for an entry that rests",
        Edit(
            "protector.py",
            "is taken.\n                for name in position.entries:",
            "is taken.\n                for name in ():",
        ),
        tasks("protector", "at_its_time_what_is_left_of_an_entry_makes_way_for_the_exit"),
    ),
    planted(
        "no profit is taken",
        Edit("protection.py", "        met.add(Leg.TAKE_PROFIT)\n", "        pass\n"),
        tasks("protector", "a_profit_is_taken_when_two_quotes_after_one_another_say_so"),
        worlds("levels")._replace(says="its profit could be taken"),
    ),
    planted(
        "nobody looks at the time",
        Edit(
            "protector.py", "            if now_ns >= guard.exit_ns and", "            if False and"
        ),
        tasks("protector", "a_position_ends_at_its_time_though_nobody_touches_it"),
        worlds("levels")._replace(says="its time is over"),
    ),
    planted(
        "an exit beside a live one passes every line, where others trade by hand, too",
        Edit(
            "positions.py",
            "        return self.quantity - self.quantity_pending_sell",
            "        return self.quantity",
        ),
        Edit(
            "conservation.py",
            '        return _uncovered(leaving, approved.there) if quantity > approved.there else ""',
            '        return ""',
        ),
        Edit(
            "conservation.py",
            "        if leaving.side is Side.SELL and leaving.quantity > (",
            "        if False and leaving.quantity > (",
        ),
        worlds("hands", "A10: trd-"),
        masked="the last line",
    ),
    planted(
        "a broker that refuses stops is stormed",
        Edit("protector.py", "min(2 * pause_s, most_s)", "pause_s / 2"),
        tasks(
            "protector",
            "a_position_whose_stop_is_refused_raises_the_alarm_within_five_seconds",
        ),
    ),
    planted(
        "a strategy takes the stop for its own exit",
        Edit("published.py", " and not is_resting_stop(order):\n", ":\n"),
        tasks("protector", "a_strategys_exit_makes_the_stop_go_first_and_then_sells_once"),
    ),
    planted(
        "a stop waits for regular hours to be placed",
        Edit(
            "hours.py",
            "        return None  # A stop waits for the session.\n",
            "        pass\n",
        ),
        plays("protection", "a_stop_is_an_order_like_any_other_and_waits_for_the_session"),
    ),
    planted(
        "a protection outlives its position",
        Edit("positions.py", 'protection=None, guarded_by="", high=0', "high=0"),
        plays(
            "protection",
            "a_protection_belongs_to_the_position_from_the_first_fill_until_it_is_flat",
        ),
    ),
    planted(
        "what a bust brings back is guarded by nothing",
        Edit(
            "evolve.py",
            "        after = protection.brought_back(after, event, state.orders)\n",
            "",
        ),
        plays("protection", "shares_that_a_bust_brings_back_are_guarded_as_they_were"),
        tasks("protector", "a_position_that_a_bust_brings_back_has_a_stop_again"),
    ),
    planted(
        "a split leaves a stop where it was",
        Edit(
            "evolve.py",
            "protection.after_split(before, positions.moved(before, event), event)",
            "positions.moved(before, event)",
        ),
        plays("protection", "over_a_split_prices_move_against_shares"),
    ),
    planted(
        "a stop for a fraction of a share",
        Edit("protection.py", "    held = rounded_down(held, ONE)\n", ""),
        plays("protection", "of_a_fraction_the_whole_shares_are_guarded_and_no_more_is_missed"),
        tasks("protector", "of_a_fraction_the_whole_shares_are_guarded_and_somebody_is_told_once"),
    ),
    planted(
        "an exit of a fraction of a share",
        Edit(
            "inquiry.py",
            "rounded_down(quantity_sellable(state, position) - amount, ONE)",
            "plain(quantity_sellable(state, position) - amount)",
        ),
        plays("protection", "who_wants_all_of_a_fraction_sold_sells_the_whole_shares"),
    ),
    planted(
        "a fraction of a share keeps a reduction standing for ever",
        Edit(
            "reducing.py", "return position.quantity < ONE and", "return position.quantity <= 0 and"
        ),
        plays("reducing", "what_goes_is_gone_with_its_last_whole_share"),
    ),
    planted(
        "nobody hears of a fraction that is left",
        Edit("protector.py", "        yield from self._fraction(position)\n", ""),
        tasks("protector", "of_a_fraction_the_whole_shares_are_guarded_and_somebody_is_told_once"),
    ),
    planted(
        "a price after a split meets a level of before",
        Edit("protector.py", "        if tick.symbol in self._split:\n", "        if False:\n"),
        tasks("protector", "over_a_split_no_price_meets_a_level_until_the_books_have_it"),
    ),
    planted(
        "what is held is looked after only once everything stands",
        Edit(
            "live/run.py",
            '        nursery.start_soon(parts.protector.keep_waking, name="protector\'s clock")\n',
            "",
        ),
        tasks("protector", "what_is_held_is_looked_after_before_everything_stands"),
        worlds("stops", "A10"),
    ),
    planted(
        "the program ends before the stop of what it has just bought is there",
        Edit("supervisor.py", "and not any(unguarded(state))", "and True"),
        tasks("protector", "an_end_of_the_program_waits_for_the_stop_of_what_was_just_bought"),
    ),
    planted(
        "a position is forgotten until its time comes, and then, too",
        Edit("protector.py", "self._pace.market_ns() < self._timed[symbol]", "True"),
        tasks("protector", "a_position_ends_at_its_time_though_nobody_touches_it"),
    ),
    planted(
        "what waits for its time waits for nothing else",
        Edit(
            "protector.py",
            "                if symbol in self._waiting:\n",
            "                if False:\n",
        ),
        tasks("protector", "what_waits_for_its_time_gets_its_stop_meanwhile"),
    ),
)
