"""Codes of stored value: sixteen characters that a person can read out and type, the last of them a check.

Crockford's base 32 (no I, L, O, U; small letters and the look-alikes are read as meant). The check character makes
the sum of the characters, each times its power of two, zero in GF(32): every single mistake and every swap of two
characters is noticed. Fifteen characters of chance are 75 bits.
"""

import hashlib
import hmac

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS = 75
_LENGTH = 16
_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
# x^5 + x^2 + 1, by which GF(32) is made.
_POLYNOMIAL = 0b100101


def made_of(chance: int) -> str:
    """The code of a random number of 75 bits, as it is shown: four groups of four."""
    values = [chance >> shift & 31 for shift in range(BITS - 5, -1, -5)]
    code = "".join(ALPHABET[value] for value in [*values, _sum(values)])
    return "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4))


def read(typed: str) -> str:
    """The code that was meant, sixteen characters; empty when it cannot be one."""
    code = typed.upper().translate(_LOOK_ALIKES)
    if len(code) != _LENGTH or any(character not in ALPHABET for character in code):
        return ""
    values = [ALPHABET.index(character) for character in code]
    return code if values[-1] == _sum(values[:-1]) else ""


def digest(code: str, key: bytes) -> bytes:
    """What is kept of a code that was `read`: without the key it cannot be tried out."""
    return hmac.new(key, code.encode(), hashlib.sha256).digest()


def _sum(values: list[int]) -> int:
    total = 0
    for value in values:
        total = _doubled(total ^ value)
    return total


def _doubled(value: int) -> int:
    return value << 1 ^ (_POLYNOMIAL if value & 16 else 0)
