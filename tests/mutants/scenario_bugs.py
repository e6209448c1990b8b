"""What scenarios guard, taken out: each scenario must say so."""

from tests.mutants.decision_bugs import FORGOTTEN, NO_DUPLICATE_RULE, WITHOUT_ORDERS
from tests.mutants.planted import Edit, planted, scenario, tasks

NO_SELF_TEST = Edit(
    "live/self_test.py", "if found.orders != 1 or found.blocked != TASKS - 1:", "if False:"
)
SELF_TEST = "the self-test at the start refuses to trade without the rule"
DOUBT_IS_DEATH = Edit(
    "reports.py",
    "            return doubted(state, order, outcome.reason)",
    "            return triggered(state, order, Trigger.REJECTED, outcome.reason)",
)

SCENARIOS = (
    planted(
        "the program starts without the duplicate rule",
        NO_DUPLICATE_RULE,
        tasks("self_test", "one_order_comes_out_of_eight_wishes"),
    ),
    planted(
        "neither the duplicate rule nor the self-test",
        NO_DUPLICATE_RULE,
        NO_SELF_TEST,
        scenario("s01-eight-tasks"),
        scenario("s15-two-strategies"),
        masked=SELF_TEST,
    ),
    planted(
        "each life begins with empty books",
        Edit("conditions.py", FORGOTTEN, WITHOUT_ORDERS),
        scenario("s02-made-anew"),
        scenario("s03-restart-in-doubt"),
        scenario("s19-kill-at-each-step"),
        scenario("s21-fills-replayed"),
    ),
    planted(
        "a life leaves no doubt behind",
        Edit("execution.py", "    for one in unanswered:\n", "    for one in unanswered[:0]:\n"),
        scenario("s19-kill-at-each-step"),
    ),
    planted(
        "a database that can't be read is made anew",
        Edit(
            "live/opening.py",
            "    journal = open_journal(\n"
            "        database, create=create, since=since, take_over=take_over, pid=pid, inline=inline\n"
            "    )\n",
            "    try:\n"
            "        journal = open_journal(database, create=create, since=since)\n"
            "    except StartRefused:\n"
            "        database.unlink()\n"
            "        journal = open_journal(database, create=True, since=since)\n",
        ),
        scenario("s04-unreadable-books"),
    ),
    planted(
        "an order without an answer is dead",
        DOUBT_IS_DEATH,
        scenario("s05-lost-acknowledgement"),
        scenario("s05-after-the-deadline"),
        scenario("s08-no-id-and-odd-words"),
    ),
    planted(
        "what others did to an order is believed",
        Edit("reports.py", "if report.claim is Claim.FOREIGN_CHANGE:", "if False:"),
        scenario("s08-no-id-and-odd-words"),
    ),
    planted(
        "nobody looks at what an account holds",
        Edit(
            "live/alpaca.py",
            "check_holdings(books, await broker.statement(since_ns), _options(run))",
            "pass",
        ),
        scenario("s11-account-with-holdings"),
    ),
    planted(
        "hands-off holdings are touched",
        Edit("risk.py", "if question.position.is_hands_off else None", "if False else None"),
        scenario("s11-account-with-holdings"),
    ),
    planted(
        "stale code may enter",
        Edit("risk.py", "        if gate is Gate.FRESH_CODE:\n", "        if False:\n"),
        scenario("s13-stale-code"),
    ),
    planted(
        "anybody may sell anybody's position",
        Edit(
            "risk.py",
            "if owner is None or question.request.strategy in {owner, OPERATOR}:",
            "if True:",
        ),
        scenario("s15-two-strategies"),
    ),
    planted(
        "a wish is executed however late",
        Edit(
            "risk.py",
            "if question.request.late or age_ns > question.limits.request_age_max * SECOND_NS:",
            "if False:",
        ),
        scenario("s17-too-late"),
    ),
    planted(
        "entries go on after one too many filled",
        Edit("reports.py", "        events.extend(_brakes(state, order, booked))\n", ""),
        scenario("s20-filled-after-all"),
    ),
    planted(
        "a cancel without an answer is taken for done",
        Edit(
            "reports.py",
            '    if outcome.outcome == "accepted" and order.cancel_requested:\n'
            "        return triggered(state, order, Trigger.CANCEL_PENDING, outcome.reason)",
            '    if outcome.outcome != "rejected":\n'
            "        return triggered(state, order, Trigger.CANCELED, outcome.reason)",
        ),
        scenario("s22-cancel-on-a-bad-link"),
    ),
    planted(
        "a burst is let through",
        Edit("risk.py", "    entries_per_minute,\n", ""),
        scenario("s18-burst-and-rate-limit"),
    ),
    planted(
        "a sale meets an order of our own",
        Edit("risk.py", "    price_collar,\n    self_trade,\n)", "    price_collar,\n)"),
        scenario("s26-own-order-rests"),
    ),
)
