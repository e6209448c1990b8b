"""What the interpreter is told before it runs in earnest takes nothing away from it: told to a process of its own."""

import subprocess
import sys

SCRIPT = """
from enum import Enum, EnumType
from trader.cli.options import quiet_interpreter
from trader.model import Side

class Odd(Enum):
    name = 1
    value = 2
    plain = 3

quiet_interpreter()
quiet_interpreter()
assert not hasattr(EnumType, "__getattr__")
assert Side.BUY is Side("BUY") is Side["BUY"] and Side.BUY.name == Side.BUY.value == "BUY"
assert [one.value for one in (Odd.name, Odd.value, Odd.plain)] == [1, 2, 3]
assert [one.name for one in Odd] == ["name", "value", "plain"]

class Later(Enum):
    plain = 1

assert Later.plain.value == 1
for missing in (Side, Odd, Later):
    try:
        missing.NOTHING
    except AttributeError:
        continue
    raise AssertionError(missing)
print("well")
"""


def test_members_of_an_enum_are_found_without_the_hook() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("well\n", "")
