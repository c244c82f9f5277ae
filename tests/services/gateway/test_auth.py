"""Tokens: what holds and what does not."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc.jwk import Key

from kit.errors import Unauthenticated, Unavailable
from services.gateway.auth import CLOCK_SKEW_SECONDS, FileKeys, JwksKeys, Role, TokenVerifier
from tests.services.gateway.tokens import AUDIENCE, ISSUER, NOW, OTHER_KEYS, SECRET, Issuer, ed25519, sign


def part(value: dict[str, Any]) -> str:
    """A part of a hand-made token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    return caught.value.reason


async def test_a_token_tells_roles_and_scopes(issuer: Issuer) -> None:
    token = sign(
        issuer.key,
        sub="anna",
        roles=["store", "wizard"],
        stores=["store-lyon"],
        brands=["Aubier"],
        channels=["*"],
    )
    caller = await issuer.verifier().verify(token)
    assert caller.subject == "anna"
    assert caller.roles == {Role.STORE}
    scopes = (caller.stores, caller.brands, caller.channels)
    assert scopes == (frozenset({"store-lyon"}), frozenset({"Aubier"}), frozenset({"*"}))


async def test_an_expired_token_is_told_apart_and_clocks_may_differ_a_little(issuer: Issuer) -> None:
    verifier = TokenVerifier(FileKeys(issuer.file), issuer=ISSUER, audience=AUDIENCE, now=lambda: NOW)
    await verifier.verify(sign(issuer.key, exp=NOW - CLOCK_SKEW_SECONDS + 1))
    assert await refusal(verifier, sign(issuer.key, exp=NOW - CLOCK_SKEW_SECONDS)) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"sub": None},
        {"sub": "a\x00b"},
        {"sub": 7},
        {"nbf": NOW + 86_400},
        {"roles": "operator"},
        {"stores": [1]},
        {"channels": ["a\x00"]},
    ],
    ids=lambda claims: "-".join(claims),
)
async def test_a_token_with_wrong_claims_does_not_hold(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert await refusal(issuer.verifier(), sign(issuer.key, **claims)) == "TOKEN_INVALID"


async def test_a_token_for_several_audiences_holds(issuer: Issuer) -> None:
    await issuer.verifier().verify(sign(issuer.key, aud=["other", AUDIENCE]))


async def test_a_token_of_another_key_does_not_hold(issuer: Issuer) -> None:
    assert await refusal(issuer.verifier(), sign(ed25519())) == "TOKEN_INVALID"


async def test_a_token_without_a_signature_does_not_hold(issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": NOW + 60, "roles": ["operator"]}
    for algorithm in ("none", "None", "EdDSA"):
        token = f"{part({'alg': algorithm})}.{part(claims)}."
        assert await refusal(issuer.verifier(), token) == "TOKEN_INVALID"


async def test_a_public_key_is_never_taken_as_a_shared_secret(issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "exp": NOW + 60, "roles": ["operator"]}
    signed = f"{part({'alg': 'HS256'})}.{part(claims)}"
    code = hmac.new(issuer.file.read_bytes(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"
    assert await refusal(issuer.verifier(), token) == "TOKEN_INVALID"


@pytest.mark.parametrize("junk", ["", "x", "a.b.c", "é.é.é", "." * 5, "a" * 20_000, "a.b.c.d.e"])
async def test_junk_is_no_token(issuer: Issuer, junk: str) -> None:
    assert await refusal(issuer.verifier(), junk) == "TOKEN_INVALID"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@pytest.mark.parametrize("form", ["pem", "jwk"])
async def test_a_key_file_holds_pem_or_jwk(tmp_path: Path, algorithm: str, form: str) -> None:
    key = OTHER_KEYS[algorithm]()
    file = tmp_path / "key"
    file.write_text(
        key.as_pem(private=False).decode() if form == "pem" else json.dumps(key.as_dict(private=False))
    )
    verifier = TokenVerifier(FileKeys(file), issuer=ISSUER, audience=AUDIENCE)
    assert (await verifier.verify(sign(key, algorithm))).subject == "test"


@pytest.mark.parametrize("content", ["not a key", json.dumps(SECRET.as_dict())], ids=["junk", "a secret"])
def test_a_key_file_without_a_public_key_stops_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ValueError, match="key file"):
        FileKeys(file)


class Provider:
    """An identity provider that publishes its keys over HTTP."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.asked = 0
        self.away = False
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked += 1
        body = json.dumps({"keys": [key.as_dict(private=key is SECRET) for key in self.keys]}).encode()
        status = 500 if self.away else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def provider(unused_tcp_port: int) -> AsyncIterator[Provider]:
    provider = Provider()
    provider.url = f"http://127.0.0.1:{unused_tcp_port}/jwks"
    config = uvicorn.Config(provider, port=unused_tcp_port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(provider.url)
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
    provider.asked = 0
    yield provider
    server.should_exit = True
    await running


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_published_keys_are_fetched_once_and_again_for_a_key_that_is_new(provider: Provider) -> None:
    old, new, clock = ed25519("old"), ed25519("new"), Clock()
    provider.keys = [old]
    verifier = TokenVerifier(JwksKeys(provider.url, clock), issuer=ISSUER, audience=AUDIENCE)
    for _ in range(3):
        await verifier.verify(sign(old))
    assert provider.asked == 1

    provider.keys = [old, new]
    clock.seconds += 60
    await verifier.verify(sign(new))
    await verifier.verify(sign(old))
    assert provider.asked == 2

    provider.keys = [new]
    clock.seconds += 3600
    assert await refusal(verifier, sign(old)) == "TOKEN_INVALID"
    await verifier.close()


async def test_made_up_key_ids_do_not_hammer_the_provider(provider: Provider) -> None:
    provider.keys = [ed25519("real")]
    verifier = TokenVerifier(JwksKeys(provider.url, Clock()), issuer=ISSUER, audience=AUDIENCE)
    for i in range(20):
        assert await refusal(verifier, sign(ed25519(f"made-up-{i}"))) == "TOKEN_INVALID"
    assert provider.asked == 1
    await verifier.close()


async def test_a_shared_secret_among_the_published_keys_is_not_used(provider: Provider) -> None:
    provider.keys = [SECRET, ed25519("real")]
    verifier = TokenVerifier(JwksKeys(provider.url, Clock()), issuer=ISSUER, audience=AUDIENCE)
    assert await refusal(verifier, sign(SECRET, "HS256")) == "TOKEN_INVALID"
    await verifier.close()


async def test_known_keys_hold_while_the_provider_is_away(provider: Provider) -> None:
    key, clock = ed25519("real"), Clock()
    provider.keys, provider.away = [key], True
    verifier = TokenVerifier(JwksKeys(provider.url, clock), issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(Unavailable):
        await verifier.verify(sign(key))

    provider.away = False
    clock.seconds += 10
    await verifier.verify(sign(key))
    provider.away = True
    clock.seconds += 3600
    await verifier.verify(sign(key))
    await verifier.close()
