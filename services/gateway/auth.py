"""Who asks: bearer tokens (JWT) checked against a key file or a JWKS address.

Owns what a token must prove. Never decides what its bearer may do: that is `access`.
"""

import asyncio
import json
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import httpx
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from kit.errors import Unauthenticated, Unavailable

ALGORITHMS = ("EdDSA", "ES256", "RS256")
CLOCK_SKEW_SECONDS = 30
ALL = "*"
_JWKS_KEPT_SECONDS = 600
# Tokens with made-up key ids must not make us hammer the identity provider.
_JWKS_REFRESH_SECONDS = 5
_MAX_TOKEN_CHARACTERS = 16_384
_MAX_SCOPE_ENTRIES = 1_000
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,200}")
_PUBLIC_KEY_TYPES = (OKPKey, ECKey, RSAKey)
_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)

# RFC 9864 gives Ed25519 a name of its own; identity providers still say EdDSA.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)


class Role(StrEnum):
    """What a token's bearer works as."""

    CHANNEL = "channel"
    STORE = "store"
    CUSTOMER_SERVICE = "customer_service"
    SUPPLY_CHAIN = "supply_chain"
    FINANCE = "finance"
    CARRIER = "carrier"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Caller:
    """A proven identity: its roles, and the stores, brands and channels that its token names.

    No brand named means no limit by brand; no store or channel named means none, for the roles that need one.
    """

    subject: str
    roles: frozenset[Role]
    stores: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    expires_at: int = 0


class Keys(Protocol):
    """Where public keys come from."""

    async def find(self, key_id: str | None) -> Key:
        """The key of this id. Unauthenticated when there is none, Unavailable when its source is away."""
        ...

    async def close(self) -> None:
        """Gives back what it holds."""
        ...


class FileKeys:
    """One key, read once from a PEM file or a file with a JWK."""

    def __init__(self, file: Path) -> None:
        content = file.read_text()
        self._key = _from_jwk(json.loads(content)) if content.lstrip().startswith("{") else _from_pem(content)

    async def find(self, key_id: str | None) -> Key:
        """The one key, whatever its id."""
        return self._key

    async def close(self) -> None:
        """Holds nothing."""


class JwksKeys:
    """The keys that an identity provider publishes; fetched again when they are old or an id is unknown."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=5)
        self._lock = asyncio.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = 0.0

    async def find(self, key_id: str | None) -> Key:
        """The key of this id; without an id the only key there is."""
        if key := self._known(key_id, _JWKS_KEPT_SECONDS):
            return key
        async with self._lock:
            if key := self._known(key_id, _JWKS_KEPT_SECONDS):
                return key
            if self._keys is None or self._clock() - self._fetched_at > _JWKS_REFRESH_SECONDS:
                await self._fetch()
        if key := self._known(key_id, float("inf")):
            return key
        raise Unauthenticated("TOKEN_INVALID", "the token is signed with a key that is not known")

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    def _known(self, key_id: str | None, seconds: float) -> Key | None:
        if self._keys is None or self._clock() - self._fetched_at > seconds:
            return None
        keys = self._keys.keys
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.kid == key_id), None)

    async def _fetch(self) -> None:
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            found = [key for data in answer.json()["keys"] if (key := _usable(data))]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if self._keys is None:
                raise Unavailable("IDENTITY_PROVIDER_AWAY", "keys cannot be had; ask again") from error
            # Old keys are better than none while the provider is away.
        else:
            self._keys = KeySet(found)
        self._fetched_at = self._clock()


class TokenVerifier:
    """Turns a token into a Caller, or says why not."""

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, now: Callable[[], int] = lambda: int(time.time())
    ) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            now=now,
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verify(self, token: str) -> Caller:
        """The caller that the token proves. Raises Unauthenticated / TOKEN_INVALID or TOKEN_EXPIRED."""
        if len(token) > _MAX_TOKEN_CHARACTERS or not token.isascii():
            raise _invalid()
        try:
            header = jws.extract_compact(token.encode(), registry=_REGISTRY).headers()
            key_id = header.get("kid")
            if header.get("alg") not in ALGORITHMS or not (key_id is None or isinstance(key_id, str)):
                raise _invalid()
            key = await self._keys.find(key_id)
            claims = jwt.decode(token, key, algorithms=ALGORITHMS, registry=_REGISTRY).claims
            self._claims.validate(claims)
        except ExpiredTokenError as error:
            raise Unauthenticated("TOKEN_EXPIRED", "the token has expired") from error
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _invalid() from error
        return _caller(claims)

    async def close(self) -> None:
        """Gives back what its keys hold."""
        await self._keys.close()


def _caller(claims: Mapping[str, Any]) -> Caller:
    subject = claims["sub"]
    if not isinstance(subject, str) or not _PRINTABLE.fullmatch(subject):
        raise _invalid()
    known = {str(role) for role in Role}
    return Caller(
        subject=subject,
        roles=frozenset(Role(role) for role in _texts(claims, "roles") & known),
        stores=_texts(claims, "stores"),
        brands=_texts(claims, "brands"),
        channels=_texts(claims, "channels"),
        expires_at=int(claims["exp"]),
    )


def _texts(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    found = claims.get(name, [])
    if not isinstance(found, list) or len(found) > _MAX_SCOPE_ENTRIES:
        raise _invalid()
    if not all(isinstance(one, str) and one.isprintable() and 0 < len(one) <= 200 for one in found):
        raise _invalid()
    return frozenset(found)


def _invalid() -> Unauthenticated:
    return Unauthenticated("TOKEN_INVALID", "the token is not valid here")


def _from_pem(text: str) -> Key:
    for kind in _PUBLIC_KEY_TYPES:
        try:
            key: Key = kind.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
        return key
    raise ValueError("the key file holds no Ed25519, EC or RSA public key in PEM")


def _from_jwk(data: dict[str, Any]) -> Key:
    if key := _usable(data):
        return key
    raise ValueError("the key file holds no Ed25519, EC or RSA key as JWK")


def _usable(data: dict[str, Any]) -> Key | None:
    """The key if it can prove a signature of ours; a symmetric one must never be taken from the outside."""
    try:
        key = KeySet.import_key_set({"keys": [data]}).keys[0]
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, OctKey) or data.get("use", "sig") != "sig":
        return None
    return key
