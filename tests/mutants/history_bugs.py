"""Bugs planted in how history is read and gone through: a backtest that knows more, or pays less, than it could."""

from tests.mutants.planted import Edit, contract, planted, plays, properties

TICKS = (
    planted(
        "buys fill at the bid",
        Edit(
            "venue/matching.py",
            "return self.ask if side is Side.BUY else self.bid",
            "return self.bid if side is Side.BUY else self.ask",
        ),
        plays("backtest_quotes", "buys_trade_at_the_ask_and_sales_at_the_bid_of_the_next_quote"),
        properties(
            "backtest_quotes",
            "nothing_trades_better_than_the_quote_that_stood_nor_with_one_of_before_it_was_decided",
        ),
    ),
    planted(
        "an order meets the quote that it was decided on",
        Edit(
            "venue/trading.py",
            "order.time_in_force is not TimeInForce.CLS and order.symbol not in self._terms.quoted",
            "order.time_in_force is not TimeInForce.CLS",
        ),
        plays("venue_open", "an_order_meets_the_quotes_after_it_and_not_the_one_that_stands"),
        plays(
            "backtest_quotes", "a_quote_of_the_moment_of_a_decision_is_one_that_it_was_decided_on"
        ),
        properties(
            "backtest_quotes",
            "nothing_trades_better_than_the_quote_that_stood_nor_with_one_of_before_it_was_decided",
        ),
    ),
    planted(
        "the quote of the moment of a decision is waited for",
        Edit(
            "backtest/between.py",
            "place = lane.quotes.place_after(now_ns)",
            "place = lane.quotes.place_after(now_ns - 1)",
        ),
        plays(
            "backtest_quotes", "a_quote_of_the_moment_of_a_decision_is_one_that_it_was_decided_on"
        ),
    ),
    planted(
        "quotes of the moment are met after what was decided in it",
        Edit(
            "backtest/driver.py",
            "        quotes = self._between.take_quotes(at_ns, are_heard=True)\n",
            "        quotes: list[Quote] = []\n",
        ),
        plays(
            "backtest_quotes", "a_second_order_does_not_meet_the_quote_that_the_first_one_waits_for"
        ),
    ),
    planted(
        "a bar fills the limit that no quote came to",
        Edit(
            "venue/trading.py",
            "        elif order.symbol in self._terms.quoted:\n            return ZERO\n",
            "",
        ),
        plays("venue_open", "no_bar_fills_a_limit_where_quotes_do"),
    ),
    planted(
        "a worker is shown the quote after its bar",
        Edit(
            "feeds/quotes.py",
            "place = self.place_after(at_ns) - 1",
            "place = min(self.place_after(at_ns), len(self) - 1)",
        ),
        plays("backtest_quotes", "the_request_carries_the_quote_that_stood"),
        properties("backtest_quotes", "without_what_comes_later_the_same_is_decided_and_trades"),
    ),
    planted(
        "the last quotes of minutes are known when these begin",
        Edit("feeds/quotes.py", "else stamps + MINUTE_NS", "else stamps"),
        plays("history_ticks", "quotes_of_minutes_are_known_when_these_are_over"),
        plays("quotes", "stamps_of_whole_minutes_are_known_a_minute_later"),
    ),
    planted(
        "a bar of quotes has one that is known after its end",
        Edit(
            "feeds/gathering.py",
            "slots = (quotes.at_ns[both] - 1) // span_ns",
            "slots = (quotes.at_ns[both] - 2) // span_ns",
        ),
        properties("gathering", "a_bar_of_quotes_closes_with_the_last_that_is_known_when_it_ends"),
    ),
    planted(
        "a trade at the end of a bar is in it",
        Edit(
            "feeds/gathering.py",
            "_gathered(symbol, at_ns // span_ns, prices",
            "_gathered(symbol, (at_ns - 1) // span_ns, prices",
        ),
        plays(
            "gathering", "a_quote_at_the_end_of_a_bar_is_its_close_and_a_trade_there_is_of_the_next"
        ),
        properties("gathering", "minutes_of_trades_are_those_of_the_simulated_broker"),
    ),
    planted(
        "suspicious trades make bars",
        Edit("feeds/history_file.py", "~suspicious & (numbers[SIZE] > 0)", "numbers[SIZE] > 0"),
        plays(
            "history_ticks",
            "trades_become_minutes_without_those_that_are_suspicious_or_of_no_shares",
        ),
    ),
    planted(
        "crossed quotes are traded with",
        Edit("feeds/quotes.py", "        keeps[place] = False\n", ""),
        plays("history_ticks", "quotes_that_are_not_fit_are_left_out_and_named"),
        properties("quotes", "it_is_what_the_guard_says_of_each_one_after_the_other"),
    ),
)

# What a run says of itself, and where it begins.
TOLD = (
    planted(
        "money that is brought is a return",
        Edit("backtest/statistics.py", "            scale *= float(before) / float(began)\n", ""),
        plays("backtest_money", "money_that_comes_and_goes_is_no_return_and_no_profit"),
    ),
    planted(
        "money that is brought is a profit",
        Edit(
            "backtest/statistics.py",
            "plain(final - outcome.opening_cash - brought)",
            "plain(final - outcome.opening_cash)",
        ),
        plays("backtest_money", "money_that_comes_and_goes_is_no_return_and_no_profit"),
    ),
    planted(
        "a trade over a split is never over",
        Edit(
            "backtest/recorder.py",
            "self._held[event.symbol] += event.quantity",
            "pass",
        ),
        plays("backtest_money", "a_trade_over_a_split_ends_when_its_last_share_is_sold"),
    ),
    planted(
        "what befell before a run befalls it",
        Edit("backtest/run.py", "if begins_ns <= one.at_ns <= last_ns", "if one.at_ns <= last_ns"),
        plays("backtest_money", "what_befell_before_the_first_day_is_left_out_and_said"),
    ),
    planted(
        "a fold begins without what lies before it",
        Edit(
            "backtest/request.py",
            "bars_between(one, 0, last_ns)",
            "bars_between(one, first_ns, last_ns)",
        ),
        plays(
            "backtest_begin",
            "a_part_of_a_request_is_told_what_lies_before_and_not_what_comes_after",
        ),
    ),
    planted(
        "strategies are told prices of before an unexplained jump",
        Edit("backtest/shares.py", "return bars[place:]", "return bars"),
        plays("backtest_begin", "what_lies_before_an_unexplained_jump_is_not_told"),
    ),
    planted(
        "a fold does not look at the night before it",
        Edit(
            "backtest/lanes.py",
            "columns = from_place(self._history.columns, self._before - 1)",
            "pass",
        ),
        plays("backtest_begin", "a_jump_that_nothing_explains_is_one_where_it_begins_too"),
    ),
    planted(
        "a column is cut off at a few moments only",
        Edit(
            "cli/lookahead.py",
            "for place in sorted(places.union(_places(len(beginning), PLACES))):",
            "for place in ():",
        ),
        contract("sweep_verb", "columns_that_see_one_bar_more_are_found"),
    ),
    planted(
        "one bar's signals are as good as their sizes",
        Edit("cli/lookahead.py", "nonzero()[0][-ASKED:].tolist()", "nonzero()[0][:0].tolist()"),
        contract("sweep_verb", "columns_that_see_one_bar_more_are_found"),
    ),
    planted(
        "a strategy keeps what it has seen of the future",
        Edit(
            "cli/lookahead.py",
            "    renew()\n    heard = _Heard()\n",
            "    heard = _Heard()\n",
        ),
        contract("sweep_verb", "what_a_strategy_keeps_of_one_run_is_gone_in_the_next"),
    ),
)
