"""What a client of the simulated broker shows, and the number of an account there."""

import string
from collections.abc import Callable
from random import Random

from msgspec import Struct

WORDS = string.ascii_uppercase + string.digits
NUMBER_LENGTH = 9


class Keys(Struct, frozen=True, kw_only=True):
    """What a client shows; the secret is kept out of repr."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"Keys(key={self.key!r}, secret=...)"


def new_keys(choose: Callable[[str], str]) -> Keys:
    """Keys like Alpaca's: 'PK' and capitals or digits, a secret of letters and digits; `choose` picks one of a text."""
    key = "PK" + "".join(choose(WORDS) for _ in range(18))
    return Keys(
        key=key, secret="".join(choose(string.ascii_letters + string.digits) for _ in range(40))
    )


def account_number(random: Random) -> str:
    """Like Alpaca's paper accounts': 'PA' and capitals or digits."""
    return "PA" + "".join(WORDS[random.randrange(len(WORDS))] for _ in range(NUMBER_LENGTH))
