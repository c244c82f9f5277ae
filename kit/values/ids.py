"""Identifiers: text with a prefix that says what they name."""

import hashlib
import os
import time


def new_id(prefix: str) -> str:
    """A fresh id, for example `ord_0199...`: a UUIDv7 in hex (RFC 9562): ids made later sort later."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return f"{prefix}_{value:032x}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same parts always give the same id, so that a caller who tries again names the same thing."""
    # Lengths are hashed too: ("a", "bc") and ("ab", "c") must differ.
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"
