"""Encrypts every payload that enters a workflow history: arguments, results, signals, failures.

AES-256-GCM with a random nonce; the key's id travels beside the ciphertext, so keys can be rotated: the first key
encrypts, every key known decrypts.
"""

import base64
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

_ENCODING = b"binary/encrypted"
_NONCE_BYTES = 12


class EncryptionCodec(PayloadCodec):
    """The payload codec of every Temporal client and worker."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys`: (id, 32 bytes), the one that encrypts first."""
        if not keys:
            raise ValueError("at least one key is needed")
        self._current = keys[0][0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypts whole payloads, their own metadata included."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypts; what was never encrypted passes as it is. ValueError for an unknown key."""
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), None)
        return Payload(
            metadata={"encoding": _ENCODING, "key-id": self._current.encode()},
            data=nonce + sealed,
        )

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            return payload
        key_id = payload.metadata["key-id"].decode()
        if key_id not in self._ciphers:
            raise ValueError(f"payload encrypted with unknown key {key_id}")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        return Payload.FromString(self._ciphers[key_id].decrypt(nonce, sealed, None))


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """Reads `id:base64url[,id:base64url...]`. ValueError names the id whose key is not 32 bytes."""
    keys = []
    for part in filter(None, text.split(",")):
        key_id, _, encoded = part.strip().partition(":")
        key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if len(key) != 32:
            raise ValueError(f"codec key {key_id!r} is not 32 bytes")
        keys.append((key_id, key))
    return keys
