"""The precedence of what is kept back: STK-5."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.buffers import BufferRules, Kept, categories
from services.inventory.domain.catalogue import BufferRule, PointType

PATH = ("home", "kitchen", "pans")
# Most specific first, as SPEC STK-5 lists them; quantities grow so that "the larger" would be the wrong one.
LEVELS = (
    BufferRule(sku="PAN", point_id="LYON", quantity=1),
    BufferRule(sku="PAN", quantity=2),
    BufferRule(category="kitchen", point_id="LYON", quantity=3),
    BufferRule(category="kitchen", quantity=4),
    BufferRule(point_id="LYON", quantity=5),
    BufferRule(point_type=PointType.STORE, quantity=6),
    BufferRule(quantity=7),
)


def at_lyon(*rules: BufferRule, on_hand: int = 100) -> tuple[int, str]:
    kept = BufferRules(rules).at("PAN", PATH, "LYON", PointType.STORE, on_hand)
    return kept.quantity, kept.rule


@pytest.mark.parametrize("pair", list(combinations(LEVELS, 2)))
def test_the_more_specific_rule_wins(pair: tuple[BufferRule, BufferRule]) -> None:
    assert at_lyon(*pair)[0] == at_lyon(*reversed(pair))[0] == pair[0].quantity


@pytest.mark.parametrize("rule", LEVELS)
def test_at_one_level_the_larger_quantity_wins(rule: BufferRule) -> None:
    same_level = BufferRule(rule.sku, rule.category, rule.point_id, rule.point_type, rule.quantity + 10)
    assert at_lyon(same_level, rule)[0] == rule.quantity + 10


def test_of_several_categories_the_larger_quantity_wins() -> None:
    assert at_lyon(BufferRule(category="home", quantity=3), BufferRule(category="home/kitchen", quantity=2)) == (
        3,
        "category home: 3",
    )


def test_a_specific_rule_of_zero_switches_a_general_one_off() -> None:
    assert at_lyon(BufferRule(sku="PAN", quantity=0), BufferRule(quantity=9)) == (0, "item PAN: 0")


@pytest.mark.parametrize(
    ("rule", "words"),
    list(
        zip(
            LEVELS,
            [
                "item PAN at point LYON: 1",
                "item PAN: 2",
                "category kitchen at point LYON: 3",
                "category kitchen: 4",
                "point LYON: 5",
                "point type store: 6",
                "channel: 7",
            ],
            strict=True,
        )
    ),
)
def test_the_rule_is_told_in_words(rule: BufferRule, words: str) -> None:
    assert at_lyon(rule) == (rule.quantity, words)


def test_rules_about_other_things_keep_nothing_back() -> None:
    assert at_lyon(
        BufferRule(sku="POT", quantity=1),
        BufferRule(category="garden", quantity=1),
        BufferRule(category="kitchen/pans", quantity=1),
        BufferRule(point_id="PARIS", quantity=1),
        BufferRule(point_type=PointType.WAREHOUSE, quantity=1),
    ) == (0, "")


def test_a_category_is_an_element_of_the_path_or_a_path_from_the_root() -> None:
    assert categories(PATH) == ("home", "kitchen", "pans", "home/kitchen", "home/kitchen/pans")


@pytest.mark.parametrize(("on_hand", "kept"), [(0, 0), (1, 1), (9, 1), (10, 1), (11, 2), (100, 10)])
def test_a_share_is_of_what_is_on_hand_and_rounded_up(on_hand: int, kept: int) -> None:
    words = f"channel: 10 % of {on_hand}: {kept}"
    assert at_lyon(BufferRule(percent=10), on_hand=on_hand) == (kept, words)


def test_at_one_level_a_share_and_a_quantity_are_compared_by_the_units_they_keep() -> None:
    rules = (BufferRule(category="kitchen", percent=50), BufferRule(category="pans", quantity=3))
    assert at_lyon(*rules, on_hand=4)[0] == 3
    assert at_lyon(*rules, on_hand=10)[0] == 5


def test_a_specific_share_beats_a_larger_general_quantity() -> None:
    assert at_lyon(BufferRule(sku="PAN", percent=0), BufferRule(quantity=50))[0] == 0
    assert at_lyon(BufferRule(point_id="LYON", percent=10), BufferRule(quantity=50))[0] == 10


@given(st.integers(0, 10**6), st.integers(0, 100))
def test_a_share_never_keeps_more_than_there_is(on_hand: int, percent: int) -> None:
    kept, _ = at_lyon(BufferRule(percent=percent), on_hand=on_hand)
    assert 0 <= kept <= on_hand
    assert kept * 100 >= on_hand * percent


def test_no_rule_keeps_nothing() -> None:
    assert BufferRules(()).at("PAN", PATH, "LYON", PointType.STORE, 9) == Kept()
