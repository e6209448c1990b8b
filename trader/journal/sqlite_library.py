"""sqlite-utils without what it brings along: it imports NumPy wherever that is installed, and no run needs it.

27 MB and a tenth of a second of every verb that opens the books.
"""

import sys

_is_absent = "numpy" not in sys.modules
if _is_absent:
    sys.modules["numpy"] = None  # type: ignore[assignment]  # what Python looks for, to find nothing
try:
    from sqlite_utils import Database, Migrations
finally:
    if _is_absent:
        del sys.modules["numpy"]

__all__ = ["Database", "Migrations"]
