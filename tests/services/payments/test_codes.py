"""Codes: read as they are meant, and mistakes are noticed."""

from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain import codes

_CHANCE = st.integers(0, 2**codes.BITS - 1)


@given(chance=_CHANCE)
def test_a_code_is_read_as_it_was_made_however_it_is_typed(chance: int) -> None:
    shown = codes.made_of(chance)
    code = codes.read(shown)
    assert code == shown.replace("-", "")
    assert len(code) == 16
    typed = f" {shown.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    assert codes.read(typed) == code


@given(chance=_CHANCE, other=_CHANCE)
def test_two_numbers_make_two_codes(chance: int, other: int) -> None:
    assert (codes.made_of(chance) == codes.made_of(other)) == (chance == other)


@given(chance=_CHANCE, at=st.integers(0, 15), character=st.sampled_from(codes.ALPHABET))
def test_one_wrong_character_is_noticed(chance: int, at: int, character: str) -> None:
    code = codes.read(codes.made_of(chance))
    mistyped = code[:at] + character + code[at + 1 :]
    assert codes.read(mistyped) == (code if mistyped == code else "")


@given(chance=_CHANCE, first=st.integers(0, 15), second=st.integers(0, 15))
def test_two_characters_that_changed_places_are_noticed(chance: int, first: int, second: int) -> None:
    code = codes.read(codes.made_of(chance))
    swapped = list(code)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    mistyped = "".join(swapped)
    assert codes.read(mistyped) == (code if mistyped == code else "")


@given(typed=st.text())
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    assert len(codes.read(typed)) in (0, 16)


def test_without_the_key_a_digest_says_nothing() -> None:
    code = codes.read(codes.made_of(1))
    assert codes.digest(code, b"one") != codes.digest(code, b"another")
    assert code.encode() not in codes.digest(code, b"one")
