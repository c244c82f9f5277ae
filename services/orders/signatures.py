"""Proof that whoever posts something knows the secret of the carrier, or bank of lockers, that it speaks for.

Signature: `t=<seconds since 1970>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>` with the webhook secret.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

# Older posts may be somebody's who has seen one.
_AGE = timedelta(minutes=5)


class BadSignature(Exception):
    """Whoever posted this does not know the secret."""


def check(secret: bytes, payload: bytes, signature: str, now: datetime) -> None:
    """Raises BadSignature."""
    parts = dict(part.partition("=")[::2] for part in signature.split(","))
    at, given = parts.get("t", ""), parts.get("v1", "")
    if not (at.isascii() and at.isdigit() and len(at) < 12):
        raise BadSignature
    wanted = hmac.new(secret, at.encode() + b"." + payload, hashlib.sha256).hexdigest()
    is_fresh = abs(now.timestamp() - int(at)) <= _AGE.total_seconds()
    if not (hmac.compare_digest(wanted.encode(), given.encode()) and is_fresh):
        raise BadSignature
