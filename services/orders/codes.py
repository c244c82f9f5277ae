"""The codes by which what waits at a counter is collected: derived when they are asked for, kept nowhere.

A code is of one work and of the instant at which it was ready; who has neither key nor order cannot know it.
"""

import hashlib
import hmac
from collections.abc import Sequence

from services.orders.domain.model import Fulfilment

# Without what looks alike: 0 and O, 1 and I and L, U and V.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 6


class Codes:
    """Makes codes with the first of its keys and knows those of all: a key is changed by adding one before it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def of(self, work: Fulfilment) -> str:
        """Six letters and digits; of work that was put aside."""
        return _code(self._keys[0], work)

    def is_of(self, work: Fulfilment, code: str) -> bool:
        """Whether it is the work's, in whatever case and with whatever blanks it was typed."""
        if work.collection is None:
            return False
        typed = "".join(one for one in code.upper() if one.isalnum())
        return any(hmac.compare_digest(typed.encode(), _code(key, work).encode()) for key in self._keys)


def _code(key: bytes, work: Fulfilment) -> str:
    assert work.collection is not None, "only what was put aside has a code"
    claim = f"collect\0{work.fulfilment_id}\0{work.collection.ready_at.timestamp()}"
    number = int.from_bytes(hmac.digest(key, claim.encode(), hashlib.sha256))
    letters: list[str] = []
    for _ in range(LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)
