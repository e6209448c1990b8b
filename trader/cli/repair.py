"""`trade repair`: mend the books of another program by rows beside theirs, which are never changed."""

import getpass
import time
from pathlib import Path

import click
import msgspec

from trader.audit.auditing import Wanted
from trader.audit.plan import Plan, read_plan, written
from trader.audit.repair import Signed, apply, planned, undo
from trader.calendar import iso
from trader.cli.commands import checked_reason
from trader.cli.foreign import audited, existing, foreign_options
from trader.cli.options import file_path, new_file, write_new
from trader.exits import Exit, Mistake
from trader.log.words import visible

SHOWN_MAX = 20


@click.command("repair")
@foreign_options
@click.option(
    "--plan", "plan_file", metavar="FILE", help="Write what would be done, to a new file."
)
@click.option("--apply", "apply_file", metavar="FILE", help="Carry out the plan in this file.")
@click.option("--undo", "is_undo", is_flag=True, help="Take the last repair back.")
@click.option("--backup", metavar="FILE", help="Where to.  [default: OLD.db.before-HASH]")
@click.option("--reason", default="repaired", show_default=True, metavar="TEXT", help="Why.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    wanted: Wanted,
    plan_file: str | None,
    apply_file: str | None,
    is_undo: bool,
    backup: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Plan a repair, carry the plan out, or take it back; no row of theirs is ever changed or deleted."""
    if (plan_file is not None) + (apply_file is not None) + is_undo != 1:
        raise Mistake("give one of --plan FILE, --apply FILE, --undo", where="repair")
    signed = Signed(who=getpass.getuser(), at=iso(time.time_ns()), reason=checked_reason(reason))
    if plan_file is not None:
        return _plan(wanted, new_file(plan_file, "--plan"), as_json)
    if apply_file is not None:
        plan = read_plan(existing(apply_file, "--apply"))
        return _apply(wanted.path, plan, backup, signed, as_json)
    number = undo(wanted.path, signed)
    _say(as_json, {"undone": number}, f"repair {number} is undone; the original tables are as ever")
    return int(Exit.WELL)


def _plan(wanted: Wanted, path: Path, as_json: bool) -> int:
    found = audited(wanted)
    plan = planned(wanted, found)
    if plan.is_empty:
        left = len(plan.left_alone)
        what = (
            f"nothing that can be proved: {left} things are left alone" if left else "nothing to do"
        )
        _say(as_json, plan, "\n".join([what, *map(visible, plan.left_alone[:SHOWN_MAX])]))
        return int(Exit.DIFFERENCES if left else Exit.WELL)
    write_new(path, "--plan", written(plan))
    _say(as_json, plan, "\n".join(_lines(plan, path, wanted.path)))
    return int(Exit.WELL)


def _lines(plan: Plan, path: Path, database: Path) -> list[str]:
    symbols = len({one.symbol for one in plan.voids})
    lines = [f"{len(plan.voids):,} rows of {symbols} symbols to be left out; none is deleted"]
    for one in plan.adjustments:
        lines.append(f"{one.subject} {one.recorded} + {one.amount} = {one.adjusted}: {one.reason}")
    lines += [f"left alone: {visible(one)}" for one in plan.left_alone[:SHOWN_MAX]]
    lines.append(f"written to {path}; bin/trade repair {database} --apply {path} carries it out")
    return lines


def _apply(database: Path, plan: Plan, backup: str | None, signed: Signed, as_json: bool) -> int:
    default = f"{database}.before-{plan.sha256[:12]}"
    to = file_path(backup or default, "--backup")
    if not apply(database, plan, to, signed):
        _say(as_json, {"applied": False}, "this plan is carried out already; nothing to do")
        return int(Exit.WELL)
    said = [
        f"backup written to {to}, and its restore rehearsed",
        f"{len(plan.voids):,} rows are left out and {len(plan.adjustments)} figures adjusted;"
        " SELECT * FROM effective_trades shows what is left",
        f"bin/trade repair {database} --undo takes it back",
    ]
    _say(as_json, {"applied": True, "backup": str(to)}, "\n".join(said))
    return int(Exit.WELL)


def _say(as_json: bool, answer: object, text: str) -> None:
    click.echo(msgspec.json.encode(answer).decode() if as_json else text)
