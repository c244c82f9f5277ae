"""The channel image and the precedence of safety stock: STK-4 and STK-5."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.catalogue import Exclusion, PointType, SafetyStockRule
from services.inventory.domain.image import SafetyStockRules, Terms, availability, categories
from services.inventory.domain.ledger import Balance

PATH = ("home", "kitchen", "pans")
# Most specific first, as SPEC STK-5 lists them; quantities grow so that "the larger" would be the wrong one.
LEVELS = (
    SafetyStockRule(sku="PAN", point_id="LYON", quantity=1),
    SafetyStockRule(sku="PAN", quantity=2),
    SafetyStockRule(category="kitchen", point_id="LYON", quantity=3),
    SafetyStockRule(category="kitchen", quantity=4),
    SafetyStockRule(point_id="LYON", quantity=5),
    SafetyStockRule(point_type=PointType.STORE, quantity=6),
    SafetyStockRule(quantity=7),
)


def at_lyon(*rules: SafetyStockRule) -> tuple[int, str]:
    kept = SafetyStockRules(rules).at("PAN", PATH, "LYON", PointType.STORE)
    return kept.quantity, kept.rule


@pytest.mark.parametrize("pair", list(combinations(LEVELS, 2)))
def test_the_more_specific_rule_wins(pair: tuple[SafetyStockRule, SafetyStockRule]) -> None:
    assert at_lyon(*pair)[0] == at_lyon(*reversed(pair))[0] == pair[0].quantity


@pytest.mark.parametrize("rule", LEVELS)
def test_at_one_level_the_larger_quantity_wins(rule: SafetyStockRule) -> None:
    same_level = SafetyStockRule(rule.sku, rule.category, rule.point_id, rule.point_type, rule.quantity + 10)
    assert at_lyon(same_level, rule)[0] == rule.quantity + 10


def test_of_several_categories_the_larger_quantity_wins() -> None:
    assert at_lyon(
        SafetyStockRule(category="home", quantity=3), SafetyStockRule(category="home/kitchen", quantity=2)
    ) == (3, "category home: 3")


def test_a_specific_rule_of_zero_switches_a_general_one_off() -> None:
    assert at_lyon(SafetyStockRule(sku="PAN", quantity=0), SafetyStockRule(quantity=9)) == (0, "item PAN: 0")


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
def test_the_rule_is_told_in_words(rule: SafetyStockRule, words: str) -> None:
    assert at_lyon(rule) == (rule.quantity, words)


def test_rules_about_other_things_keep_nothing_back() -> None:
    assert at_lyon(
        SafetyStockRule(sku="POT", quantity=1),
        SafetyStockRule(category="garden", quantity=1),
        SafetyStockRule(category="kitchen/pans", quantity=1),
        SafetyStockRule(point_id="PARIS", quantity=1),
        SafetyStockRule(point_type=PointType.WAREHOUSE, quantity=1),
    ) == (0, "")


def test_a_category_is_an_element_of_the_path_or_a_path_from_the_root() -> None:
    assert categories(PATH) == ("home", "kitchen", "pans", "home/kitchen", "home/kitchen/pans")


def terms(*exclusions: Exclusion, keep: int = 0) -> Terms:
    return Terms(
        "web",
        {"PAN": PATH},
        {"LYON": PointType.STORE, "PARIS": PointType.STORE},
        exclusions,
        SafetyStockRules([SafetyStockRule(quantity=keep)]),
    )


def test_a_shortage_at_one_point_never_eats_the_stock_of_another() -> None:
    balances = [Balance("PAN", "LYON", on_hand=1, unavailable=1), Balance("PAN", "PARIS", on_hand=5)]
    figure = availability(terms(keep=2), "PAN", balances, explain=True)
    assert figure.available_now == 3
    assert [(point.point_id, point.available) for point in figure.points] == [("LYON", 0), ("PARIS", 3)]


@pytest.mark.parametrize(
    ("exclusion", "reason"),
    [
        (Exclusion(sku="PAN", reason="recall"), "EXCLUDED: recall"),
        (Exclusion(category="home/kitchen"), "EXCLUDED"),
    ],
)
def test_an_excluded_item_is_an_explicit_zero_with_its_reason(exclusion: Exclusion, reason: str) -> None:
    figure = availability(terms(exclusion), "PAN", [Balance("PAN", "LYON", on_hand=9)], explain=False)
    assert (figure.available_now, figure.zero_reason) == (0, reason)


def test_an_unknown_item_is_an_explicit_zero() -> None:
    assert availability(terms(), "GHOST", [], explain=True).zero_reason == "UNKNOWN_ITEM"


quantities = st.integers(0, 20)


@given(st.lists(st.tuples(quantities, quantities, quantities), min_size=2, max_size=2), quantities)
def test_the_figure_is_the_sum_of_what_can_be_taken_point_by_point(
    stocks: list[tuple[int, int, int]], keep: int
) -> None:
    balances = [
        Balance("PAN", point_id, on_hand, reserved, unavailable)
        for point_id, (on_hand, reserved, unavailable) in zip(("LYON", "PARIS"), stocks, strict=True)
    ]
    rules = terms(keep=keep)
    figure = availability(rules, "PAN", balances, explain=True)
    expected = [max(0, on_hand - reserved - unavailable - keep) for on_hand, reserved, unavailable in stocks]
    assert [rules.available(balance) for balance in balances] == expected
    assert figure.available_now == sum(expected) == sum(point.available for point in figure.points)
