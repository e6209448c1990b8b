"""What a person types when an alarm is raised: one table, for `status`, the alarm command and docs/operations.md."""

from collections.abc import Mapping

REMEDIES: Mapping[str, str] = {
    "account_in_debt": 'bin/trade resume --release "*" --reason "…"',
    "account_refused": "bin/trade doctor",
    "alarm_command": "bin/trade doctor",
    "beyond_reserve": "bin/trade account",
    "books_differ": "bin/trade reconcile",
    "brake_tripped": 'bin/trade resume --reason "…"',
    "clock_skew": "timedatectl set-ntp true",
    "difference_found": "bin/trade reconcile",
    "execution_busted": "bin/trade explain {symbol}",
    "foreign_order": 'bin/trade resume --release {symbol} --reason "…"',
    "fraction_held": "bin/trade explain {symbol}",
    "halted": 'bin/trade resume --reason "…"',
    "journal_unavailable": "bin/trade doctor",
    "machine_slept": "bin/trade status",
    "more_alarms": "bin/trade status",
    "no_statement": "bin/trade doctor",
    "not_flat": "bin/trade explain {symbol}",
    "order_surprise": "bin/trade explain {symbol}",
    "position_unprotected": "bin/trade explain {symbol}",
    "price_jump": 'bin/trade resume --release {symbol} --reason "…"',
    "quarantined": 'bin/trade resume --release {symbol} --reason "…"',
    "silent_task": "bin/trade logs --level alarm",
    "stale_code": "bin/trade version",
    "worker_failing": "bin/trade logs --event worker_failed",
}
OTHERWISE = "bin/trade status"
ALL = '"*"'  # as a shell takes it


def remedy(alarm: str, symbol: str | None) -> str:
    """The command that mends it, or that shows what to mend; the symbol is ours, checked when it was configured."""
    return REMEDIES.get(alarm, OTHERWISE).replace("{symbol}", symbol or ALL)
