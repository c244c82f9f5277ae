"""Codes of stored value at rest and at the counter: made by chance, kept as keyed digests, and hard to guess.

A code is in memory while it is asked about, and leaves the service once, in the answer that made it.
"""

import secrets
from datetime import datetime

from kit.db import AsyncConnection
from services.payments import stored_value_store as store
from services.payments.domain import codes
from services.payments.domain.stored_value import Instrument, Refusal

# Wrong codes that a channel may try in a minute. One whose check character is wrong opens nothing and is not
# counted: customers mistype.
ATTEMPTS_PER_MINUTE = 30


class CodeBook:
    """Knows the key of the digests; without it, codes in the database cannot be tried out."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def fresh(self) -> str:
        """A new code, as it is shown."""
        return codes.made_of(secrets.randbits(codes.BITS))

    def digest(self, code: str) -> bytes:
        """What is kept of it; of a code that was `read`."""
        return codes.digest(code, self._key)

    async def find(
        self, tx: AsyncConnection, typed: str, channel_id: str, now: datetime, *, lock: bool = False
    ) -> Instrument | Refusal:
        """The instrument that goes by this code; NOT_FOUND, or TOO_MANY_ATTEMPTS whatever the code is.

        The caller commits also when nothing was found: that is what counts the attempt.
        """
        minute = now.replace(second=0, microsecond=0)
        if await store.failures(tx, channel_id, minute) >= ATTEMPTS_PER_MINUTE:
            return Refusal.TOO_MANY_ATTEMPTS
        code = codes.read(typed)
        if not code:
            return Refusal.NOT_FOUND
        look = store.lock_coded if lock else store.read_coded
        found = await look(tx, self.digest(code))
        if found is None:
            await store.count_failure(tx, channel_id, minute)
            return Refusal.NOT_FOUND
        return found
