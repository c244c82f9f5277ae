"""Links that customers follow without a login: who has one may see its order, until the link ends.

A link is its own proof: nothing is stored for it. It names the order and its last hour, with a digest of both.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from kit.errors import NotFound

PATH = "/track"
_DIGEST_BYTES = 18
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Links:
    """Makes links with the first of its keys and knows those of all: a key is changed by adding one before it."""

    def __init__(self, keys: Sequence[str], public_url: str) -> None:
        """`public_url` is where customers reach the gateway, without a path."""
        self._keys = [key.encode() for key in keys]
        self._base = public_url.rstrip("/") + PATH

    def url(self, order_id: str, ends_at: datetime) -> str:
        """The address of the order's page, which lasts until the end of the hour of `ends_at`."""
        claim = f"{order_id}.{(ends_at - _EPOCH) // _HOUR}"
        return f"{self._base}/{claim}.{_digest(self._keys[0], claim)}"

    def order_of(self, token: str, now: datetime) -> str:
        """The id of the order whose link this is. Raises NotFound: LINK_UNKNOWN, LINK_ENDED."""
        claim, _, digest = token.rpartition(".")
        if not any(hmac.compare_digest(digest.encode(), _digest(key, claim).encode()) for key in self._keys):
            raise NotFound("LINK_UNKNOWN", "no order has this link")
        order_id, _, hour = claim.rpartition(".")
        if now >= _EPOCH + (int(hour) + 1) * _HOUR:
            raise NotFound("LINK_ENDED", "this link has ended")
        return order_id


def _digest(key: bytes, claim: str) -> str:
    digest = hmac.digest(key, claim.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_DIGEST_BYTES]).decode()
