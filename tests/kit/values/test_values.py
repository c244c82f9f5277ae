"""Ids, money and GS1 keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.values import gs1, ids
from kit.values.money import CurrencyMismatch, Money, is_currency


def test_ids_made_later_sort_later_to_the_millisecond() -> None:
    made = [ids.new_id("ord") for _ in range(2000)]
    assert len(set(made)) == len(made)
    stamps = [one[4:16] for one in made]
    assert stamps == sorted(stamps)
    assert all(one[16] == "7" and one[20] in "89ab" for one in made)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_a_derived_id_is_the_same_only_for_the_same_parts(one: list[str], other: list[str]) -> None:
    assert (ids.derived_id("x", *one) == ids.derived_id("x", *other)) == (one == other)


def test_money_prints_with_the_exponent_of_its_currency() -> None:
    assert str(Money(123456, "EUR")) == "1234.56 EUR"
    assert str(Money(-5, "EUR")) == "-0.05 EUR"
    assert str(Money(1234, "JPY")) == "1234 JPY"
    assert str(Money(1234, "KWD")) == "1.234 KWD"


def test_amounts_of_two_currencies_never_meet() -> None:
    assert Money(1, "EUR") + Money(2, "EUR") - Money(4, "EUR") == Money(-1, "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize("code", ["eur", "EU", "EURO", "E1R", "ÉUR", ""])
def test_a_currency_code_is_three_upper_case_letters(code: str) -> None:
    assert not is_currency(code)


@pytest.mark.parametrize("code", ["96385074", "036000291452", "4006381333931", "10614141000415"])
def test_published_gtins_are_valid_and_each_wrong_digit_is_found(code: str) -> None:
    assert gs1.is_gtin(code)
    for i, digit in enumerate(code):
        wrong = code[:i] + str((int(digit) + 1) % 10) + code[i + 1 :]
        assert not gs1.is_gtin(wrong)


@pytest.mark.parametrize("code", ["", "123", "40063813339\uff131", "4006381333931 ", "-006381333931"])
def test_what_is_not_all_digits_of_a_known_length_is_no_gtin(code: str) -> None:
    assert not gs1.is_gtin(code)


def test_a_gln_has_thirteen_digits() -> None:
    assert gs1.is_gln("9501101020016")
    assert not gs1.is_gln("96385074")


def test_a_shipping_container_code_has_18_digits_and_tells_parcels_apart() -> None:
    # The example of GS1 General Specifications, figure 2.2.1-1: extension digit 0, prefix 0614141.
    assert gs1.sscc("0614141", 123456789) == "006141411234567890"
    codes = {gs1.sscc("9520417", serial) for serial in (0, 1, 9_999_999_999)}
    assert {len(code) for code in codes} == {18}
    assert len(codes) == 3
    assert gs1.sscc("9520417", 10**10 + 1) == gs1.sscc("9520417", 1)


@pytest.mark.parametrize(
    ("code", "is_one"), [("952041", False), ("9520417", True), ("9520417000", True), ("95204170001", False)]
)
def test_a_company_prefix_has_seven_to_ten_digits(code: str, is_one: bool) -> None:
    assert gs1.is_company_prefix(code) is is_one
    assert not gs1.is_company_prefix(code[:-1] + "x")
