"""Development tokens: what an identity provider would issue in production, signed with the local key."""

import time
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

ISSUER = "oms-local"
AUDIENCE = "oms"
LIFETIME_SECONDS = 12 * 3600
ALL = "*"
# The gateway's roles (services/gateway/auth.py); a test holds the two together.
ROLES = ("channel", "store", "customer_service", "supply_chain", "finance", "carrier", "operator")


@dataclass(frozen=True)
class Scope:
    """What the bearer works for: stores and channels by name (or ALL); brands limit only when some are named."""

    subject: str = ""
    stores: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def sign(private_file: Path, role: str, scope: Scope, now: float | None = None) -> str:
    """A JWT (EdDSA) that carries one role and its scope, valid for twelve hours from `now`."""
    issued = int(time.time() if now is None else now)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": scope.subject or f"{role}@local",
        "jti": uuid.uuid4().hex,
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
        "roles": [role],
        "stores": list(scope.stores),
        "brands": list(scope.brands),
        "channels": list(scope.channels),
    }
    key = OKPKey.import_key(private_file.read_bytes())
    with warnings.catch_warnings():
        # RFC 9864 renames it to "Ed25519", which few verifiers accept so far.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.encode({"alg": "EdDSA", "typ": "JWT"}, claims, key, algorithms=["EdDSA"])
