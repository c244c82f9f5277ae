"""The codes by which what waits at a counter is collected: derived when they are asked for, kept nowhere.

A code is of one work and of the instant at which it was ready, or its compartment booked; who has neither key nor
order cannot know it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.orders.domain.model import Fulfilment

# Without what looks alike: 0 and O, 1 and I and L, U and V.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 6


def read(code: str) -> str:
    """As it was made, from whatever case and blanks it was typed in."""
    return "".join(one for one in code.upper() if one.isalnum())


class Codes:
    """Makes codes with the first of its keys and knows those of all: a key is changed by adding one before it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def of(self, work: Fulfilment) -> str:
        """Six letters and digits; of work that was put aside."""
        mine = (key for key in self._keys if work.locker and _name(key) == work.locker.key)
        assert work.coded_at is not None, "only what was put aside, or has a compartment, has a code"
        return _code(next(mine, self._keys[0]), work.fulfilment_id, work.coded_at)

    @property
    def key(self) -> str:
        """Tells the key that codes are made with from others: a bank that was told a code is not told another."""
        return _name(self._keys[0])

    def is_of(self, work: Fulfilment, code: str) -> bool:
        """Whether it is the work's, in whatever case and with whatever blanks it was typed."""
        if work.collection is None or work.coded_at is None:
            return False
        return bool(self.whose([(work.fulfilment_id, work.coded_at)], code))

    def whose(self, waiting: Iterable[tuple[str, datetime]], code: str) -> list[str]:
        """Those of this work whose code it is: ids, each with the instant that its code is made of.

        Takes as long whichever it is.
        """
        typed = read(code).encode()
        return [
            work_id
            for work_id, coded_at in waiting
            if sum(hmac.compare_digest(typed, _code(key, work_id, coded_at).encode()) for key in self._keys)
        ]


def _name(key: bytes) -> str:
    return hmac.digest(key, b"name", hashlib.sha256).hex()[:8]


def _code(key: bytes, fulfilment_id: str, coded_at: datetime) -> str:
    claim = f"collect\0{fulfilment_id}\0{coded_at.timestamp()}"
    number = int.from_bytes(hmac.digest(key, claim.encode(), hashlib.sha256))
    letters: list[str] = []
    for _ in range(LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)
