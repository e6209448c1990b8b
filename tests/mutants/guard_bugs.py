"""Bugs planted where bad market data is kept out, and where alarms reach people."""

from tests.mutants.planted import Edit, contract, planted, tasks

ALARMS = (
    planted(
        "that nothing can be written down is told only where a request was denied",
        Edit(
            "executor.py",
            "        self._unjournaled(batch, why)\n",
            "        if any(isinstance(one, OrderRequest) for one in batch):\n"
            "            self._unjournaled(batch, why)\n",
        ),
        tasks("executor", "a_failed_commit_changes_nothing_and_sends_nothing"),
    ),
    planted(
        "each alarm is a call of the command",
        Edit(
            "alarm_command.py",
            "if self._is_ending or one not in self._quiet_until]",
            "if self._is_ending or one]",
        ),
        tasks("alarm_command", "an_alarm_is_told_at_once_and_its_repeats_once_with_their_count"),
    ),
    planted(
        "an alarm command that hangs is waited for",
        Edit("alarm_command.py", "trio.move_on_after(seconds_max)", "trio.move_on_after(25)"),
        contract("alarm_command", "one_that_hangs_is_killed_with_its_children"),
    ),
    planted(
        "what is still to be told when the program ends is not",
        Edit(
            "alarm_command.py",
            "while not (self._is_ending and not self._waiting)",
            "while not self._is_ending",
        ),
        tasks("alarm_command", "what_waits_is_told_when_the_program_ends_even_by_a_failure"),
    ),
    planted(
        "a failed alarm command fails unseen",
        Edit("alarm_command.py", "if why and why != self._told_failure", "if why == why + '.'"),
        tasks("alarm_command", "a_command_that_fails_is_told_of_once_until_it_has_gone_well_again"),
    ),
)
