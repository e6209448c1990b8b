"""The broker's keys, as verbs are told where they are."""

import os
from pathlib import Path

from trader.credentials import Credentials, credentials_from_environment, credentials_from_file
from trader.exits import Mistake


def credentials(file: str | None) -> Credentials:
    """From a file or the environment; raises Mistake where there are none."""
    found = (
        credentials_from_environment(os.environ)
        if file is None
        else credentials_from_file(Path(file).absolute())
    )
    if found is None:
        raise Mistake(
            "there are no keys",
            where="APCA_API_KEY_ID, APCA_API_SECRET_KEY",
            remedy="set both, or name a file with --keys",
        )
    return found
