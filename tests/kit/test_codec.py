"""Payloads are sealed, keys rotate, nothing readable remains."""

import base64
import os

import pytest
from temporalio.api.common.v1 import Payload

from kit import codec, temporal


def _key() -> bytes:
    return os.urandom(32)


async def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealing = codec.EncryptionCodec([("k1", _key())])
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"Marguerite"')
    sealed = await sealing.encode([payload])
    assert b"Marguerite" not in sealed[0].SerializeToString()
    assert await sealing.decode(sealed) == [payload]


async def test_an_old_key_still_opens_after_rotation() -> None:
    old, new = _key(), _key()
    sealed = await codec.EncryptionCodec([("old", old)]).encode([Payload(data=b"x")])
    rotated = codec.EncryptionCodec([("new", new), ("old", old)])
    assert (await rotated.decode(sealed))[0].data == b"x"
    assert (await rotated.encode([Payload(data=b"y")]))[0].metadata["key-id"] == b"new"


async def test_an_unknown_key_is_named() -> None:
    sealed = await codec.EncryptionCodec([("gone", _key())]).encode([Payload(data=b"x")])
    with pytest.raises(ValueError, match="gone"):
        await codec.EncryptionCodec([("k1", _key())]).decode(sealed)


async def test_failures_are_sealed_too() -> None:
    encoded = base64.urlsafe_b64encode(_key()).decode()
    converter = temporal.data_converter(f"k1:{encoded}")
    from temporalio.api.failure.v1 import Failure

    failure = Failure()
    await converter.encode_failure(RuntimeError("Marguerite does not answer"), failure)
    assert b"Marguerite" not in failure.SerializeToString()


def test_keys_are_read_in_order_and_a_short_one_is_named() -> None:
    first, second = _key(), _key()
    text = ",".join(
        f"{name}:{base64.urlsafe_b64encode(key).decode()}" for name, key in (("a", first), ("b", second))
    )
    assert codec.parse_keys(text) == [("a", first), ("b", second)]
    with pytest.raises(ValueError, match="'short'"):
        codec.parse_keys("short:AAAA")
