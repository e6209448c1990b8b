"""Bugs planted where the program meets what it did not see: an account with a past, and a machine that slept."""

from tests.mutants.planted import Edit, planted, plays, tasks

PAST = (
    planted(
        "what was over when the broker opened our books alarms",
        Edit("movements.py", "at_ns=max(0, statement.at_ns - 1)", "at_ns=0"),
        plays("opening", "what_was_over_before_the_broker_opened_our_books_alarms_nobody"),
    ),
    planted(
        "a deposit of long before the opening is paid in again",
        Edit(
            "movements.py",
            "return activity.session < new_york_date(state.opened_activities_ns)",
            "return state.opened_activities_ns == state.opened_ns",
        ),
        plays("opening", "an_activity_of_long_before_the_broker_opened_our_books_is_in_their_cash"),
    ),
    planted(
        "an activity that came after the opening about a day before it is taken for known",
        Edit("evolve.py", "=event.activities_ns or event.at_ns", "=event.at_ns"),
        plays("opening", "an_activity_of_long_before_the_broker_opened_our_books_is_in_their_cash"),
    ),
)

DENIED = (
    planted(
        "what an entry bought before it was rejected waits for a person",
        Edit(
            "inquiry.py",
            "if not (order := state.orders[one]).is_denied]",
            "if (order := state.orders[one])]",
        ),
        plays("reducing", "what_an_entry_bought_that_the_broker_calls_rejected_can_be_sold"),
        tasks(
            "protector", "what_an_entry_bought_before_it_was_rejected_is_guarded_and_can_be_left"
        ),
    ),
    planted(
        "no exit waits for an entry that works",
        Edit(
            "inquiry.py",
            "if not (order := state.orders[one]).is_denied]",
            "if not (order := state.orders[one])]",
        ),
        plays("reducing", "an_entry_that_the_broker_has_not_called_rejected_is_still_waited_for"),
    ),
)

WORDS = (
    planted(
        "the screen never says that gates are open again",
        Edit("log/transcript.py", "            if not self._closed:\n", "            if False:\n"),
        plays(
            "log_narrator",
            "the_screen_says_that_gates_are_open_again_once_all_are_that_it_said_were_closed",
        ),
    ),
    planted(
        "tasks that could not be heard are called silent",
        Edit("heartbeat.py", "                heart.stood_still(late_s)\n", ""),
        plays(
            "heartbeat", "a_loop_that_stood_still_is_alarmed_and_no_task_that_could_not_be_heard"
        ),
    ),
)

SLEEP = (
    planted(
        "who has slept goes on by the time of before",
        Edit("clock.py", "            self.set_forward(slept_ns)\n", "            pass\n"),
        tasks(
            "clock_check",
            "what_the_system_tells_of_a_sleep_is_in_the_clock_at_once",
            "who_sleeps_until_a_minute_wakes_when_the_clock_is_set_forward",
        ),
    ),
    planted(
        "the broker's clock alone is followed",
        Edit(
            "live/clock_check.py",
            "if apart_s > ALARM_S and abs(apart_s - self._left_s()) <= ALARM_S:",
            "if apart_s > ALARM_S:",
        ),
        tasks(
            "clock_check",
            "the_brokers_clock_alone_is_not_followed_until_the_wall_says_the_same",
        ),
    ),
    planted(
        "a wall's clock that runs away is looked at when its minutes are over",
        Edit(
            "live/clock_check.py",
            "if abs(self._left_s() - self._seen_s) > ALARM_S:",
            "if False:",
        ),
        tasks(
            "clock_check",
            "a_machine_that_slept_has_the_markets_time_within_seconds_and_says_so_once",
        ),
    ),
    planted(
        "an entry leaves that was decided before the machine slept",
        Edit(
            "live/watch.py",
            "if order.purpose not in ENTRY_PURPOSES or age_ns",
            "if age_ns is not None or age_ns",
        ),
        plays("entry_age", "an_entry_leaves_in_its_minute_and_not_hours_later"),
    ),
    planted(
        "an exit that was decided before the machine slept is held back",
        Edit("live/watch.py", "if order.purpose not in ENTRY_PURPOSES or age_ns", "if age_ns"),
        plays("entry_age", "an_exit_leaves_however_late"),
    ),
    planted(
        "after minutes in which it was stopped the program asks nobody",
        Edit("supervisor.py", "if has_slept or self._minute", "if self._minute"),
        tasks(
            "supervisor",
            "after_minutes_in_which_the_program_was_stopped_the_broker_is_asked_at_once",
        ),
    ),
    planted(
        "a start by the clock is not over before the last worker is warm",
        Edit("live/run.py", "parts, stopped, warm_s=WARM_S)", "parts, stopped)"),
        tasks("start", "time_goes_on_and_a_person_gets_out"),
    ),
)
