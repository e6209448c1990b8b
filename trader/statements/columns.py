"""Which column of a statement says what: found by its usual names, or told; asked for when two could be meant."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from trader.exits import Mistake

NAMES_SHOWN_MAX = 20
NOTHING = "-"  # told for a column that is there and isn't meant
# The usual names by role, the surest first: where it is there, the others are overlooked.
COLUMNS: dict[str, tuple[str, ...]] = {
    "time": tuple(
        "transaction_time timestamp time datetime date_time executed_at filled_at execution_time trade_time date"
        " trade_date activity_date transaction_date run_date".split()
    ),
    "kind": tuple(
        "activity_type transaction_type transaction activity action entry_type type".split()
    ),
    "symbol": tuple("symbol ticker instrument asset stock".split()),
    "side": tuple("side buy_sell b_s direction".split()),
    "quantity": tuple("filled_qty qty quantity shares filled_quantity units volume".split()),
    "price": tuple(
        "filled_avg_price price fill_price execution_price exec_price trade_price avg_price".split()
    ),
    "amount": tuple("net_amount amount net net_cash total cash_amount".split()),
    "fees": tuple("fees fee fees_comm comm_fee total_fees regulatory_fees reg_fee".split()),
    "commission": tuple("commission commissions comm".split()),
    "id": tuple("id activity_id execution_id exec_id trade_id transaction_id".split()),
    "order": tuple("order_id broker_order_id client_order_id".split()),
    "account": tuple("account_number account account_no".split()),
    "status": ("status",),
    "part": ("type",),  # Alpaca's of an execution: fill, partial_fill, trade_bust, trade_correct
    "previous": ("previous_id",),
}
SURE = {"quantity": 2, "price": 2}  # how many of the usual names overlook the others; else one
DATE = "date"  # where a row has no time of day, as Alpaca's activities that are no trades


class Columns(Struct, frozen=True, kw_only=True):
    """The file's own name of the column for each role that it has, and those that nobody reads."""

    by_role: dict[str, str]
    unread: tuple[str, ...]

    def line(self) -> str:
        """For people: `time=Trade Date, symbol=Symbol`."""
        return ", ".join(
            role if role == name else f"{role}={name}" for role, name in self.by_role.items()
        )


def told_columns(words: Sequence[str]) -> dict[str, str]:
    """What `--map` says, as `price=Fill Px`; raises Mistake."""
    told: dict[str, str] = {}
    for word in words:
        role, equals, name = word.partition("=")
        if not equals or not name or role not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise Mistake("not ROLE=COLUMN", where=f"--map {word}", remedy=f"roles: {known}")
        told[role] = name
    return told


def columns_of(present: Sequence[str], told: Mapping[str, str], where: str) -> Columns:
    """Raises Mistake where a column is missing that a statement needs, or several could be meant."""
    by_plain = {plain_name(name): name for name in reversed(present)}
    by_role: dict[str, str] = {}
    for role, usual in COLUMNS.items():
        if role in told:
            if told[role] == NOTHING:
                continue
            if told[role] not in present:
                raise Mistake(f"no column {told[role]}; {_listed(present)}", where=f"--map {role}")
            by_role[role] = told[role]
            continue
        found = [by_plain[name] for name in usual if name in by_plain]
        if len(found) > 1 and plain_name(found[0]) not in usual[: SURE.get(role, 1)]:
            raise Mistake(
                f"which column is the {role}: {' or '.join(found)}?",
                where=where,
                remedy=f"--map {role}={found[0]}",
            )
        if found:
            by_role[role] = found[0]
    if by_role.get("part") == by_role.get("kind"):
        by_role.pop("part", None)
    _check(by_role, present, where)
    read = {*by_role.values(), by_plain.get(DATE)}
    return Columns(by_role=by_role, unread=tuple(one for one in present if one not in read))


def plain_name(name: str) -> str:
    """'Trade Date' and 'trade-date ' are trade_date."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _check(by_role: Mapping[str, str], present: Sequence[str], where: str) -> None:
    """A time; and what an execution has, or an amount."""
    wanted = ["time"]
    if "amount" not in by_role:
        wanted += ["symbol", "quantity", "price"]
    missing = [role for role in wanted if role not in by_role]
    if missing:
        raise Mistake(
            f"no column looks like the {' or the '.join(missing)}; {_listed(present)}",
            where=where,
            remedy=f"--map {missing[0]}=COLUMN, if it is a statement",
        )


def _listed(names: Sequence[str]) -> str:
    """Somebody else's words, so that they stay one line."""
    shown = [name[:40] if name.isprintable() else repr(name[:40]) for name in names]
    more = ", …" if len(shown) > NAMES_SHOWN_MAX else ""
    return f"there are {', '.join(shown[:NAMES_SHOWN_MAX])}{more}"
