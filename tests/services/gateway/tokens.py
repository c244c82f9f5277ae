"""Tokens for tests, and the keys that sign them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from services.gateway.auth import FileKeys, Role, TokenVerifier

ISSUER, AUDIENCE = "oms-local", "oms"
NOW = int(time.time())


def ed25519(key_id: str = "k1") -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": key_id})


def sign(key: Key, algorithm: str = "EdDSA", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token; a claim of None is left out."""
    standard = {"iss": ISSUER, "aud": AUDIENCE, "sub": "test", "exp": NOW + 3600, "iat": NOW}
    kept = {name: value for name, value in {**standard, **claims}.items() if value is not None}
    head = {"alg": algorithm, **({"kid": key.kid} if key.kid else {}), **(header or {})}
    return jwt.encode(head, kept, key, algorithms=[algorithm])


class Issuer:
    """One key, and the tokens that it signs."""

    def __init__(self, folder: Path) -> None:
        self.key = ed25519()
        self.file = folder / "jwt-public.pem"
        self.file.write_bytes(self.key.as_pem(private=False))

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(FileKeys(self.file), issuer=ISSUER, audience=AUDIENCE)

    def token(self, *roles: Role | str, subject: str = "test", **scope: Sequence[str]) -> str:
        """`scope`: stores, brands, channels. A store or channel role has all of them unless some are named."""
        named: dict[str, Any] = {"stores": ["*"], "channels": ["*"], **scope}
        return sign(self.key, sub=subject, roles=[str(role) for role in roles], **named)

    def bearer(self, *roles: Role | str, subject: str = "test", **scope: Sequence[str]) -> dict[str, str]:
        """As a header."""
        return {"Authorization": f"Bearer {self.token(*roles, subject=subject, **scope)}"}


OTHER_KEYS: dict[str, Callable[[], ECKey | RSAKey]] = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "RS256": lambda: RSAKey.generate_key(2048),
}
SECRET = OctKey.generate_key(256, {"kid": "secret"})
