"""The double entry as a Beancount ledger, so that another program's arithmetic can check ours."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from trader.accounting import USD
from trader.money import ZERO, canonical

NAMES = {
    "cash": "Assets:Cash",
    "cash:reserved": "Assets:Reserved",
    "fees": "Expenses:Fees",
    "realized": "Income:Realized",
    "equity:opening": "Equity:Opening",
    "equity:deposits": "Equity:Deposits",
}
_ROWS = """
SELECT p.sequence, substr(j.timestamp, 1, 10), json_extract(j.entry, '$.input.type'), p.account, p.instrument, p.amount
FROM posting_rows AS p JOIN journal AS j ON j.sequence = p.sequence ORDER BY p.sequence, p.line
"""


def ledger_lines(reader: sqlite3.Connection) -> Iterator[str]:
    """The whole ledger: accounts opened, each transaction, and at the end a balance of each account to the digit."""
    [(first, last)] = reader.execute(
        "SELECT min(substr(timestamp, 1, 10)), max(substr(timestamp, 1, 10)) FROM journal"
    )
    yield 'option "title" "trader"'
    yield f'option "operating_currency" "{USD}"'
    if first is None:
        return
    accounts = "SELECT DISTINCT account FROM posting_rows ORDER BY account"
    for (account,) in reader.execute(accounts):
        yield f"{first} open {name_of(account)}"
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    written = 0
    for sequence, day, heard, account, instrument, amount in reader.execute(_ROWS):
        if sequence != written:
            yield ""
            yield f'{day} * "{heard}" "journal row {sequence}"'
            written = sequence
        sums[account, instrument] += Decimal(amount)
        yield f"  {name_of(account)}  {amount} {commodity_of(instrument)}"
    yield ""
    # Beancount's balances are those of a day's beginning.
    after = date.fromisoformat(last) + timedelta(days=1)
    for (account, instrument), total in sorted(sums.items()):
        told = f"{canonical(total)} {commodity_of(instrument)}"
        yield f"{after} balance {name_of(account)}  {told}"


def name_of(account: str) -> str:
    """An account's name: letters, digits and hyphens, each part beginning with a capital or a digit."""
    kind, _, symbol = account.partition(":")
    if kind in ("position", "market"):
        root = "Assets:Position" if kind == "position" else "Equity:Market"
        return f"{root}:{_part(symbol)}"
    return NAMES[account]


def commodity_of(instrument: str) -> str:
    """A commodity's name: capitals, digits and .-_'; of a share it is not USD."""
    if instrument == USD:
        return USD
    return re.sub(r"[^A-Z0-9.\-]", "-", instrument.upper())


def _part(symbol: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", symbol)
