"""What an item may be because of others: formats and bundles (STK-10, STK-13), personalisation (STK-2)."""

from dataclasses import replace
from typing import Any

import pytest

from kit.values.money import Money
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import ChannelPrice, Item, Personalisation
from services.inventory.domain.item_validation import check_catalogue, check_items
from tests.services.inventory.shop import item

PAN, LID = item("PAN"), item("LID")
SET = replace(item("SET"), parts=(Part("PAN", 1), Part("LID", 2)))
CREAM = replace(item("CREAM"), reference="CREAM-50")
SAMPLE = replace(item("CREAM-S"), reference="CREAM-50", format="sample")
NAME = Personalisation(
    "engraved_name", 12, (ChannelPrice("web", Money(900, "EUR")),), capability="engraving", work_minutes=480
)


def refused(*items: Item, known: tuple[Item, ...] = (), stocked: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    others = {one.sku: one for one in known}
    return [(problem.field, problem.reason) for problem in check_catalogue(items, others, frozenset(stocked))]


def test_a_bundle_its_parts_a_format_and_a_personalisation_are_sound() -> None:
    items = [PAN, LID, SET, CREAM, SAMPLE, replace(item("RING"), personalisations=(NAME,))]
    assert [problem.field for problem in check_items(items)] == []
    assert refused(*items) == []
    assert refused(SET, SAMPLE, known=(PAN, LID, CREAM)) == [], "parts that were there before"
    assert refused(SET, SAMPLE, known=(PAN, LID, SET, CREAM, SAMPLE)) == [], "again"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"parts": (Part("SET", 1),)}, "parts[0].sku"),
        ({"parts": (Part("", 1),)}, "parts[0].sku"),
        ({"parts": (Part("PAN", 0),)}, "parts[0].quantity"),
        ({"parts": (Part("PAN", 10_001),)}, "parts[0].quantity"),
        ({"parts": (Part("PAN", 1), Part("PAN", 1))}, "parts[1].sku"),
        ({"parts": tuple(Part(f"P{n}", 1) for n in range(51))}, "parts"),
        ({"reference": "no spaces"}, "reference"),
        ({"format": "sample"}, "reference"),
        ({"reference": "R", "format": "Travel size"}, "format"),
        ({"reference": "R", "format": "s" * 65}, "format"),
        ({"personalisations": (replace(NAME, name="Engraved name"),)}, "personalisations[0].name"),
        ({"personalisations": (replace(NAME, max_characters=0),)}, "personalisations[0].max_characters"),
        ({"personalisations": (NAME, NAME)}, "personalisations[1].name"),
        ({"personalisations": (replace(NAME, capability="no words"),)}, "personalisations[0].capability"),
        ({"personalisations": (replace(NAME, work_minutes=-1),)}, "personalisations[0].work_minutes"),
        ({"personalisations": (replace(NAME, work_minutes=43_201),)}, "personalisations[0].work_minutes"),
        (
            {"personalisations": (replace(NAME, surcharges=(ChannelPrice("web", Money(-1, "EUR")),)),)},
            "personalisations[0].surcharges[0].price.amount_minor",
        ),
        ({"personalisations": tuple(replace(NAME, name=f"n{n}") for n in range(21))}, "personalisations"),
        ({"substitutes": ("SET",)}, "substitutes[0]"),
        ({"substitutes": ("PAN", "no spaces")}, "substitutes[1]"),
        ({"substitutes": ("PAN", "LID", "PAN")}, "substitutes[2]"),
        ({"substitutes": tuple(f"S{n}" for n in range(21))}, "substitutes"),
    ],
)
def test_what_is_wrong_with_a_bundle_a_format_or_a_personalisation_is_named(
    change: dict[str, Any], field: str
) -> None:
    wrong = replace(item("SET"), **change)
    assert [problem.field for problem in check_items([wrong])] == [f"items[0].{field}"]


def test_a_part_must_exist() -> None:
    assert refused(SET, known=(PAN,)) == [("items[0].parts[1].sku", "UNKNOWN_ITEM")]


def test_a_bundle_is_no_part_of_a_bundle() -> None:
    hamper = replace(item("HAMPER"), parts=(Part("SET", 1),))
    assert refused(hamper, known=(SET, PAN, LID)) == [("items[0].parts[0].sku", "NESTED_BUNDLE")]
    assert refused(PAN, LID, SET, hamper) == [
        ("items[2].parts", "NESTED_BUNDLE"),
        ("items[3].parts[0].sku", "NESTED_BUNDLE"),
    ]
    assert refused(replace(PAN, parts=(Part("LID", 1),)), known=(SET, PAN, LID)) == [
        ("items[0].parts", "NESTED_BUNDLE")
    ], "a part that becomes a bundle"


def test_a_bundle_stays_one_and_an_article_with_stock_never_becomes_one() -> None:
    assert refused(item("SET"), known=(SET, PAN, LID)) == [("items[0].parts", "IS_BUNDLE")]
    assert refused(SET, known=(item("SET"), PAN, LID), stocked=("SET",)) == [("items[0].parts", "HAS_STOCK")]
    assert refused(SET, known=(item("SET"), PAN, LID)) == []


def test_a_reference_has_one_item_a_format() -> None:
    other = replace(SAMPLE, sku="CREAM-S2")
    assert refused(other, known=(SAMPLE,)) == [("items[0].format", "FORMAT_TAKEN")]
    assert refused(SAMPLE, other) == [("items[1].format", "FORMAT_TAKEN")]
    assert refused(replace(CREAM, sku="CREAM-2"), known=(CREAM,)) == [("items[0].format", "FORMAT_TAKEN")]
    moved = replace(SAMPLE, format="travel-size")
    assert refused(moved, other, known=(SAMPLE,)) == [], "it makes room in the same request"
