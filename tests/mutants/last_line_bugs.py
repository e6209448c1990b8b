"""Bugs planted in the last line before the socket, and bugs that nobody but it catches."""

from tests.mutants.planted import Edit, contract, planted, plays, tasks, tidy

NOT_ASKED = Edit(
    "brokers/alpaca/sending.py",
    "return judged(self._conservation, body, self._clock_ns() if self._clock_ns else None)",
    'return ""',
)

LAST_LINE = (
    planted(
        "the last line is not asked",
        NOT_ASKED,
        contract("last_line", "an_order_that_was_made_larger_on_its_way_never_leaves"),
        contract("last_line", "an_order_that_is_posted_twice_leaves_once"),
        contract("last_line", "without_the_rule_for_the_pace_no_more_entries_leave_in_a_minute"),
        contract("last_line", "where_the_position_map_shows_shares_twice_they_are_sold_once"),
    ),
    planted(
        "what was approved may leave again",
        Edit(
            "conservation.py",
            "ZERO < quantity <= order.quantity - approved.left",
            "ZERO < quantity <= order.quantity",
        ),
        plays("conservation", "what_was_approved_leaves_once"),
    ),
    planted(
        "another share than was approved may leave",
        Edit(
            "conservation.py",
            '("", f"{self.side} {self.symbol}", f"{order.side} {order.symbol}")',
            '("", self.side, order.side)',
        ),
        plays("conservation", "what_is_more_or_other_than_approved_stays"),
    ),
    planted(
        "the last line lets one entry more leave",
        Edit(
            "conservation.py",
            "if count < self._entries_max:",
            "if count <= self._entries_max:",
        ),
        plays("conservation", "no_more_entries_leave_in_a_minute_than_the_limit"),
    ),
    planted(
        "the last line lets any sale leave",
        Edit("conservation.py", "if quantity > approved.there else", "if False else"),
        plays("conservation", "shares_that_are_only_in_the_position_map_are_not_sold"),
    ),
    planted(
        "a sale without an answer gives its shares back",
        Edit("conservation.py", "max(self.left, self.executed))", "self.executed)"),
        plays("conservation", "a_sale_holds_all_of_its_shares_until_its_end_is_heard"),
    ),
    planted(
        "a reply that rejects what is alive ends it",
        Edit(
            "conservation.py",
            '(outcome="rejected" | "never_sent") if not approved.is_heard:',
            '(outcome="rejected" | "never_sent"):',
        ),
        plays("conservation", "a_sale_holds_all_of_its_shares_until_its_end_is_heard"),
    ),
    planted(
        "an execution with two ids brings its shares twice",
        Edit("conservation.py", "any(ends == one for", "any(False for"),
        plays("conservation", "the_same_execution_told_with_another_id_brings_shares_once"),
    ),
    planted(
        "a shut line opens with the next life",
        Edit("conservation.py", "case Halted() if event.shuts:", "case Halted() if False:"),
        plays("conservation", "a_later_life_finds_it_shut_until_somebody_resumes"),
    ),
    planted(
        "a new life sends what an older one had approved",
        Edit("conservation.py", "left=approved.order.quantity)", "left=approved.left)"),
        plays("conservation", "what_an_older_life_approved_is_not_sent_and_holds_its_shares"),
    ),
    planted(
        "entries of two market minutes leave within one",
        Edit("conservation.py", "and (why := self._too_soon(now_ns)):", "and (why := ''):"),
        plays(
            "conservation",
            "by_the_clock_no_more_entries_leave_in_any_minute_and_the_one_too_many_stays_alone",
        ),
        contract(
            "alpaca_sending",
            "an_entry_too_many_within_a_minute_of_the_clock_never_reaches_the_socket",
        ),
    ),
    planted(
        "a new life knows nothing of the entries that left a second ago",
        Edit("conservation.py", "for one in self._recent)\n", "for one in ())\n"),
        plays("conservation", "a_later_life_counts_what_the_one_before_may_have_sent_last"),
    ),
    planted(
        "the program is not told that the line is shut",
        Edit("outbox.py", "for heard in self._untold():", "for heard in ():"),
        contract("last_line", "an_order_that_was_made_larger_on_its_way_never_leaves"),
    ),
    planted(
        "a stop may leave without its price",
        Edit(
            "conservation.py",
            '("with a stop at ", self.stop_price, order.stop_price)',
            '("", "", "")',
        ),
        plays("conservation", "a_stop_that_leaves_as_something_else_stays"),
    ),
    planted(
        "a stop whose cancel is asked for gives its shares back",
        Edit(
            "conservation.py",
            "OVER = frozenset({Claim.CANCELED,",
            "OVER = frozenset({Claim.PENDING_CANCEL, Claim.CANCELED,",
        ),
        plays("conservation", "a_stop_gives_back_what_it_has_not_sold_once_its_end_is_heard"),
    ),
    planted(
        "an exit that its stop has overtaken shuts the line",
        Edit(
            "conservation.py",
            "if quantity > approved.there else",
            "if quantity > min(approved.there, self.free(order.symbol)) else",
        ),
        plays(
            "conservation", "an_exit_that_its_stop_overtakes_stays_alone_and_the_next_one_leaves"
        ),
    ),
    planted(
        "an exit that its stop has overtaken leaves",
        Edit("conservation.py", 'return f"since it was approved', 'f"since it was approved'),
        plays(
            "conservation", "an_exit_that_its_stop_overtakes_stays_alone_and_the_next_one_leaves"
        ),
    ),
    planted(
        "an operator's halt opens the shut line",
        Edit("commands.py", 'command.verb == "shut" or state.is_shut', 'command.verb == "shut"'),
        plays("commands", "only_resuming_opens_it_again"),
    ),
    planted(
        "stops are canceled for what a shut line won't sell",
        Edit("reducing.py", "is Phase.REGULAR and not state.is_shut", "is Phase.REGULAR"),
        plays("commands", "while_it_is_shut_stops_rest_on_and_entries_are_canceled"),
    ),
    planted(
        "stops are told to a shut line",
        Edit("protector.py", "in state.reductions or state.is_shut", "in state.reductions"),
        tasks("protector", "while_the_last_line_is_shut_no_stop_is_told_and_the_alarm_is"),
    ),
    planted(
        "the last line reads the state",
        Edit(
            "conservation.py",
            "from trader.money import ZERO, canonical\n",
            "from trader.money import ZERO, canonical\nfrom trader.state import ExecutionState\n",
        ),
        tidy("the_last_line_shares_nothing"),
    ),
)
