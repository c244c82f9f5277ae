"""What a request may say, and that the field at fault is named."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kit.values.money import Money
from services.inventory.domain import item_validation, validation
from services.inventory.domain.catalogue import (
    Activation,
    BufferRule,
    ChannelPrice,
    Collection,
    Exclusion,
    OpeningHours,
    PointType,
    Purpose,
)
from services.inventory.domain.holds import HoldMove
from services.inventory.domain.ledger import Cause
from services.inventory.domain.validation import Problem
from tests.services.inventory.shop import NOON, WEB, item, point

SHOWN = frozenset({Purpose.SHOW})


def fields(problems: Iterator[Problem]) -> list[str]:
    return [problem.field for problem in problems]


def test_a_sound_catalogue_has_no_problem() -> None:
    sound = replace(
        point("P1"),
        gln="3012345678902",
        subdivision="FR-67",
        closed_dates=("2026-12-26",),
        opening_hours=(OpeningHours(1, 540, 720), OpeningHours(1, 720, 1440)),
        collections=(Collection("colis", 1, 1020),),
    )
    goods = replace(item("A/1.b_c-d"), gtin="4006381333931", prices=(ChannelPrice("web", Money(990, "EUR")),))
    assert fields(item_validation.check_items([goods])) == []
    assert fields(validation.check_points([sound])) == []
    assert fields(validation.check_channels([WEB])) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "a b"}, "sku"),
        ({"sku": "x" * 65}, "sku"),
        ({"gtin": "4006381333932"}, "gtin"),
        ({"gtin": "40063813"}, "gtin"),
        ({"gtin": "four"}, "gtin"),
        ({"title": "tab\there"}, "title"),
        ({"weight_grams": -1}, "weight_grams"),
        ({"height_millimetres": -1}, "height_millimetres"),
        ({"category_path": ("home", "")}, "category_path[1]"),
        ({"category_path": ("home/kitchen",)}, "category_path[0]"),
        ({"prices": (ChannelPrice("web", Money(-1, "EUR")),)}, "prices[0].price.amount_minor"),
        ({"prices": (ChannelPrice("web", Money(1, "eur")),)}, "prices[0].price.currency"),
        ({"prices": (ChannelPrice("web", Money(1, "EUR")),) * 2}, "prices[1].channel_id"),
    ],
)
def test_what_is_wrong_with_an_item_is_named(change: dict[str, Any], field: str) -> None:
    assert fields(item_validation.check_items([item("OK"), replace(item("PAN"), **change)])) == [
        f"items[1].{field}"
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"point_id": "a/b"}, "point_id"),
        ({"gln": "3012345678901"}, "gln"),
        ({"gln": "4006381333931 "}, "gln"),
        ({"latitude": 90.1}, "position.latitude"),
        ({"longitude": float("nan")}, "position.longitude"),
        ({"country": "fr"}, "country"),
        ({"subdivision": "DE-67"}, "subdivision"),
        ({"time_zone": "Europe/Lyon"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"opening_hours": (OpeningHours(8, 0, 10),)}, "opening_hours[0].weekday"),
        ({"opening_hours": (OpeningHours(1, 10, 10),)}, "opening_hours[0].closes_minute"),
        (
            {"opening_hours": (OpeningHours(1, 540, 720), OpeningHours(1, 700, 800))},
            "opening_hours[1].opens_minute",
        ),
        ({"closed_dates": ("2026-02-30",)}, "closed_dates[0]"),
        ({"closed_dates": ("20260201",)}, "closed_dates[0]"),
        ({"collections": (Collection("c", 0, 0),)}, "collections[0].weekday"),
        ({"collections": (Collection("c", 1, 1441),)}, "collections[0].cut_off_minute"),
        ({"daily_capacity": -1}, "daily_capacity"),
        ({"handling_minutes": -1}, "handling_minutes"),
        ({"ownership": "rented"}, "ownership"),
    ],
)
def test_what_is_wrong_with_a_point_is_named(change: dict[str, Any], field: str) -> None:
    assert fields(validation.check_points([replace(point("P"), **change)])) == [f"points[0].{field}"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency": "euro"}, "currency"),
        ({"activated_points": ("P", "P")}, "activated_points[1]"),
        ({"activations": (Activation("P", frozenset()),)}, "activations[0].purposes"),
        ({"activated_points": ("P",), "activations": (Activation("P", SHOWN),)}, "activations[0].point_id"),
        ({"activations": (Activation("P", SHOWN), Activation("P", SHOWN))}, "activations[1].point_id"),
        ({"exclusions": (Exclusion(reason="names nothing"),)}, "exclusions[0]"),
        (
            {"exclusions": (Exclusion(point_id="P", point_type=PointType.STORE),)},
            "exclusions[0].point_type",
        ),
        ({"exclusions": (Exclusion(sku="PAN", from_at=NOON, until_at=NOON),)}, "exclusions[0].until_at"),
        ({"routing_buffers": (BufferRule(percent=101),)}, "routing_buffers[0].percent"),
        ({"safety_stock": (BufferRule(quantity=1, percent=1),)}, "safety_stock[0].percent"),
        ({"brands": ("",)}, "brands[0]"),
        ({"safety_stock": (BufferRule("PAN", "home"),)}, "safety_stock[0].category"),
        (
            {"safety_stock": (BufferRule("PAN", point_type=PointType.STORE),)},
            "safety_stock[0].point_type",
        ),
        ({"safety_stock": (BufferRule(quantity=-1),)}, "safety_stock[0].quantity"),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(change: dict[str, Any], field: str) -> None:
    assert fields(validation.check_channels([replace(WEB, **change)])) == [f"channels[0].{field}"]


def test_a_channel_names_points_that_exist() -> None:
    rule = BufferRule(point_id="MARS", quantity=1)
    channel = replace(WEB, activated_points=("LYON", "MOON"), safety_stock=(rule,))
    problems = list(validation.check_known_points([channel], ["LYON"]))
    assert [problem.field for problem in problems] == [
        "channels[0].activated_points[1]",
        "channels[0].safety_stock[0].point_id",
    ]
    assert {problem.reason for problem in problems} == {"UNKNOWN_POINT"}


def test_the_same_thing_twice_in_one_request_is_named() -> None:
    assert fields(item_validation.check_items([item("A"), item("A")])) == ["items[1].sku"]
    assert fields(validation.check_points([point("A"), point("A")])) == ["points[1].point_id"]
    assert fields(validation.check_channels([WEB, WEB])) == ["channels[1].channel_id"]


def test_a_cause_says_why_and_who() -> None:
    assert fields(validation.check_cause(Cause("Till sale", ""))) == ["cause.cause", "cause.actor"]


def test_a_move_goes_somewhere_else() -> None:
    assert fields(validation.check_moves([HoldMove("A", "P", "P", 1)])) == ["moves[0].to_point_id"]


@pytest.mark.parametrize("seconds", [-1, 366 * 24 * 3600 + 1])
def test_a_hold_lasts_a_time_that_makes_sense(seconds: int) -> None:
    assert fields(validation.check_time_to_live(seconds)) == ["time_to_live_seconds"]
