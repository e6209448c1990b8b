"""What clients of the simulated broker show, whose account that is, and the number of an account there."""

import hmac
import string
from collections.abc import Callable
from decimal import Decimal
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


class Opening(Struct, frozen=True, kw_only=True):
    """An account to be opened, and what it may do: `multiplier` is 1, 2 or 4."""

    keys: Keys
    cash: Decimal
    multiplier: int = 1
    may_short: bool = True


class Owner(Struct, frozen=True, kw_only=True):
    """Who may use an account; without keys nobody, until somebody is given some."""

    account_id: str
    keys: Keys | None = None


class KeyRing:
    """The owners of all accounts, in the order in which the accounts were opened."""

    def __init__(self) -> None:
        self.owners: list[Owner] = []

    def add(self, owner: Owner) -> None:
        self.owners.append(owner)

    def accounts_by_key(self) -> dict[str, str]:
        return {one.keys.key: one.account_id for one in self.owners if one.keys is not None}

    def account_of(self, key: str, secret: str) -> str | None:
        """The account behind the keys, None when they are nobody's."""
        for owner in self.owners:
            keys = owner.keys
            if keys is not None and _is(key, keys.key) and _is(secret, keys.secret):
                return owner.account_id
        return None


def _is(shown: str, right: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), right.encode())


def new_keys(choose: Callable[[str], str]) -> Keys:
    """Keys like Alpaca's: 'PK' and capitals or digits, a secret of letters and digits; `choose` picks one of a text."""
    key = "PK" + "".join(choose(WORDS) for _ in range(18))
    return Keys(
        key=key, secret="".join(choose(string.ascii_letters + string.digits) for _ in range(40))
    )


def account_number(random: Random) -> str:
    """Like Alpaca's paper accounts': 'PA' and capitals or digits."""
    return "PA" + "".join(WORDS[random.randrange(len(WORDS))] for _ in range(NUMBER_LENGTH))
