"""Every figure of a ruleset has its bounds, and what breaks one is named."""

from typing import Any

import pytest

from kit.errors import InvalidArgument
from services.promise import ruleset_checks
from services.promise.domain.network import PointType
from services.promise.domain.rulesets import (
    Consolidation,
    LowCover,
    Markdown,
    PreparationCost,
    PriorityCost,
    Ruleset,
    Tier,
)
from tests.services.promise.network import ruleset

STORE, WAREHOUSE, SUPPLIER, PARTNER = PointType.STORE, PointType.WAREHOUSE, PointType.SUPPLIER, PointType.PARTNER
TOO_MUCH = ruleset_checks.MAX_COST_MINOR + 1


def tiers(*named: tuple[PointType, ...]) -> tuple[Tier, ...]:
    return tuple(Tier(types) for types in named)


RIGHT: list[dict[str, Any]] = [
    {},
    {"currency": "JPY", "shipping_percent": 0, "max_parcels": 20, "alternatives": 10},
    {"shipping_percent": 1_000, "max_distance_kilometres": 20_100, "max_delivery_days": 365},
    {"tiers": tiers((WAREHOUSE, STORE), (SUPPLIER,), (PARTNER,))},
    {"consolidation": Consolidation(0, 0)},
    {"consolidation": Consolidation(TOO_MUCH - 1, 30)},
    {"low_cover": LowCover(366, 1), "markdown": Markdown(366, 100)},
    {"low_cover": LowCover(1, TOO_MUCH - 1), "markdown": Markdown(1, 1)},
    {"together_tags": ("set", "été & hiver", "2026/27", "a-b_c:d.e+f'g")},
    {"together_tags": tuple(f"tag {i}" for i in range(20))},
    {"distance_cost_minor_per_kilometre": 10_000.0},
    {"max_wait_days": 90, "waiting_day_minor": TOO_MUCH - 1},
    {"distance_cost_minor_per_kilometre": 0.000001},
    {"replan_ruleset_id": "again", "ruleset_id": "a" * 64},
    {"preparation_costs": (), "priority_costs": (PriorityCost(STORE, TOO_MUCH - 1),)},
]

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"ruleset_id": ""}, "ruleset_id", "INVALID_FIELD"),
    ({"ruleset_id": "a b"}, "ruleset_id", "INVALID_FIELD"),
    ({"ruleset_id": "-a"}, "ruleset_id", "INVALID_FIELD"),
    ({"ruleset_id": "None"}, "ruleset_id", "INVALID_FIELD"),
    ({"ruleset_id": "a" * 65}, "ruleset_id", "INVALID_FIELD"),
    ({"currency": ""}, "currency", "INVALID_FIELD"),
    ({"currency": "euro"}, "currency", "INVALID_FIELD"),
    ({"currency": "eur"}, "currency", "INVALID_FIELD"),
    ({"currency": "EUX"}, "currency", "INVALID_FIELD"),
    ({"max_parcels": 0}, "max_parcels", "INVALID_FIELD"),
    ({"max_parcels": 21}, "max_parcels", "INVALID_FIELD"),
    ({"alternatives": 0}, "alternatives", "INVALID_FIELD"),
    ({"alternatives": 11}, "alternatives", "INVALID_FIELD"),
    ({"max_distance_kilometres": -1}, "max_distance_kilometres", "INVALID_FIELD"),
    ({"max_distance_kilometres": 20_101}, "max_distance_kilometres", "INVALID_FIELD"),
    ({"max_delivery_days": -1}, "max_delivery_days", "INVALID_FIELD"),
    ({"max_delivery_days": 366}, "max_delivery_days", "INVALID_FIELD"),
    ({"min_split_value_minor": -1}, "min_split_value_minor", "INVALID_FIELD"),
    ({"min_split_value_minor": TOO_MUCH}, "min_split_value_minor", "INVALID_FIELD"),
    ({"shipping_percent": -1}, "shipping_percent", "INVALID_FIELD"),
    ({"shipping_percent": 1_001}, "shipping_percent", "INVALID_FIELD"),
    ({"split_cost_minor": -1}, "split_cost_minor", "INVALID_FIELD"),
    ({"split_cost_minor": TOO_MUCH}, "split_cost_minor", "INVALID_FIELD"),
    ({"lateness_cost_minor_per_day": -1}, "lateness_cost_minor_per_day", "INVALID_FIELD"),
    ({"short_pick_cost_minor": -1}, "short_pick_cost_minor", "INVALID_FIELD"),
    ({"capacity_pressure_minor": -1}, "capacity_pressure_minor", "INVALID_FIELD"),
    ({"capacity_pressure_minor": TOO_MUCH}, "capacity_pressure_minor", "INVALID_FIELD"),
    ({"max_wait_days": -1}, "max_wait_days", "INVALID_FIELD"),
    ({"max_wait_days": 91}, "max_wait_days", "INVALID_FIELD"),
    ({"waiting_day_minor": -1}, "waiting_day_minor", "INVALID_FIELD"),
    ({"waiting_day_minor": TOO_MUCH}, "waiting_day_minor", "INVALID_FIELD"),
    ({"distance_cost_minor_per_kilometre": -0.1}, "distance_cost_minor_per_kilometre", "INVALID_FIELD"),
    ({"distance_cost_minor_per_kilometre": float("inf")}, "distance_cost_minor_per_kilometre", "INVALID_FIELD"),
    ({"distance_cost_minor_per_kilometre": float("nan")}, "distance_cost_minor_per_kilometre", "INVALID_FIELD"),
    ({"distance_cost_minor_per_kilometre": 10_001}, "distance_cost_minor_per_kilometre", "INVALID_FIELD"),
    ({"distance_cost_minor_per_kilometre": 0.0000001}, "distance_cost_minor_per_kilometre", "INVALID_FIELD"),
    (
        {"preparation_costs": (PreparationCost(STORE, 1), PreparationCost(STORE, 1))},
        "preparation_costs[1].point_type",
        "DUPLICATE",
    ),
    ({"preparation_costs": (PreparationCost(STORE, -1),)}, "preparation_costs[0].cost_minor", "INVALID_FIELD"),
    (
        {"priority_costs": (PriorityCost(STORE, 1), PriorityCost(WAREHOUSE, -1))},
        "priority_costs[1].cost_minor",
        "INVALID_FIELD",
    ),
    ({"priority_costs": (PriorityCost(STORE, 1),) * 2}, "priority_costs[1].point_type", "DUPLICATE"),
    ({"tiers": tiers(())}, "tiers[0].point_types", "INVALID_FIELD"),
    ({"tiers": tiers((STORE, STORE))}, "tiers[0].point_types[1]", "DUPLICATE"),
    ({"tiers": tiers((STORE,), (WAREHOUSE, STORE))}, "tiers[1].point_types[1]", "DUPLICATE"),
    ({"tiers": tiers((STORE,), (WAREHOUSE,), (WAREHOUSE, STORE))}, "tiers[2]", "UNREACHABLE_TIER"),
    ({"tiers": tiers((STORE,), (STORE,))}, "tiers[1]", "UNREACHABLE_TIER"),
    ({"together_tags": ("",)}, "together_tags[0]", "INVALID_FIELD"),
    ({"together_tags": ("a", "b ")}, "together_tags[1]", "INVALID_FIELD"),
    ({"together_tags": ("a\nb",)}, "together_tags[0]", "INVALID_FIELD"),
    ({"together_tags": ("a" * 65,)}, "together_tags[0]", "INVALID_FIELD"),
    ({"together_tags": ("a", "b", "a")}, "together_tags[2]", "DUPLICATE"),
    ({"together_tags": tuple(f"tag {i}" for i in range(21))}, "together_tags", "INVALID_FIELD"),
    ({"low_cover": LowCover(0, 5)}, "low_cover.days", "INVALID_FIELD"),
    ({"low_cover": LowCover(367, 5)}, "low_cover.days", "INVALID_FIELD"),
    ({"low_cover": LowCover(5, 0)}, "low_cover.cost_minor", "INVALID_FIELD"),
    ({"low_cover": LowCover(5, -1)}, "low_cover.cost_minor", "INVALID_FIELD"),
    ({"markdown": Markdown(0, 5)}, "markdown.days", "INVALID_FIELD"),
    ({"markdown": Markdown(5, 0)}, "markdown.gain_percent", "INVALID_FIELD"),
    ({"markdown": Markdown(5, 101)}, "markdown.gain_percent", "INVALID_FIELD"),
    ({"consolidation": Consolidation(-1, 2)}, "consolidation.cost_minor", "INVALID_FIELD"),
    ({"consolidation": Consolidation(5, -1)}, "consolidation.wait_days", "INVALID_FIELD"),
    ({"consolidation": Consolidation(5, 31)}, "consolidation.wait_days", "INVALID_FIELD"),
    ({"replan_ruleset_id": "a b"}, "replan_ruleset_id", "INVALID_FIELD"),
]


@pytest.mark.parametrize("change", RIGHT, ids=str)
def test_what_keeps_every_rule_passes(change: dict[str, Any]) -> None:
    ruleset_checks.check(ruleset(**change))


@pytest.mark.parametrize(("change", "field", "reason"), WRONG, ids=str)
def test_what_breaks_a_rule_is_named(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ruleset_checks.check(ruleset(**change))
    assert (caught.value.facts["field"], caught.value.reason) == (f"ruleset.{field}", reason)
    assert caught.value.detail.startswith(f"ruleset.{field}: ")


def test_every_figure_has_a_check() -> None:
    broken = {name for change, _, _ in WRONG for name in change}
    assert broken == {name for name in Ruleset.__slots__ if name != "version"}
