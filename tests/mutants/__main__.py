"""`bin/test --mutants [NAME…]`: plants every bug of the registry, or those with one of the names in theirs.

`--fast` leaves out contract tests, scenarios and worlds; `--list` names them; `--write` writes docs/safety.md's table.
"""

import sys
from collections.abc import Sequence

import trio

from tests.mutants.planted import DEEP, Planted
from tests.mutants.registry import MUTANTS, write_table
from tests.mutants.runner import Outcome, run, works


def main(arguments: Sequence[str]) -> int:
    options = {one for one in arguments if one.startswith("--")}
    names = [one for one in arguments if one not in options]
    if unknown := options - {"--fast", "--list", "--write"}:
        print(f"no such option: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if "--write" in options:
        write_table()
        return 0
    chosen = [one for one in MUTANTS if not names or any(name in one.name for name in names)]
    if "--fast" in options:
        chosen = [fast for one in chosen if (fast := without_deep(one)).catches]
    if not chosen:
        print("no planted bug has such a name: --list has them all", file=sys.stderr)
        return 2
    if "--list" in options:
        print("\n".join(one.name for one in chosen))
        return 0
    return planted_and_caught(chosen)


def without_deep(one: Planted) -> Planted:
    return one._replace(catches=tuple(catch for catch in one.catches if catch.layer not in DEEP))


def planted_and_caught(chosen: Sequence[Planted]) -> int:
    todo = works(chosen)
    told = 0

    def tell(outcome: Outcome) -> None:
        nonlocal told
        told += 1
        work = outcome.work
        word = "FAILED" if outcome.trouble else "caught" if work.planted else "green"
        print(
            f"[{told:3}/{len(todo)}] {word} {outcome.seconds:5.1f} s  {work.layer}: {work.name}",
            flush=True,
        )
        if outcome.trouble:
            print(f"    {outcome.trouble}".replace("\n", "\n    "), flush=True)

    outcomes = trio.run(run, todo, tell)
    failed = {one.work.name for one in outcomes if one.trouble}
    bugs = {one.name for one in chosen}
    green = "" if failed <= bugs else "; tests fail without any bug, too"
    print(f"{len(bugs - failed)} passed, {len(bugs & failed)} failed{green}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
