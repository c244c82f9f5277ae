"""Whose work a point's is."""

from dataclasses import replace

import pytest

from kit.errors import InvalidArgument
from services.handover.domain.model import System
from services.handover.domain.settings import check_systems

ONE = System("one", "One", ("wh-a", "wh-b"), True, 0, 0)
OTHER = System("other", "Other", ("wh-c",), True, 0, 0)
CONNECTED = ("one", "other")


def test_a_point_moves_from_one_system_to_another_in_one_go() -> None:
    moved = [replace(OTHER, point_ids=("wh-b", "wh-c")), replace(ONE, point_ids=("wh-a",))]
    check_systems(moved, CONNECTED, {})


@pytest.mark.parametrize(
    ("systems", "owners", "field"),
    [
        ([ONE], {"wh-b": "other"}, "systems[0].point_ids[1]"),
        ([ONE, replace(OTHER, point_ids=("wh-c", "wh-a"))], {}, "systems[1].point_ids[1]"),
    ],
)
def test_a_point_of_another_system_is_not_taken(systems: list[System], owners: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument) as wrong:
        check_systems(systems, CONNECTED, owners)
    assert (wrong.value.reason, wrong.value.facts["field"]) == ("POINT_TAKEN", field)


@pytest.mark.parametrize(("systems", "field"), [([], "systems"), ([ONE, ONE], "systems[1].system_id")])
def test_systems_are_said_once_and_at_least_one(systems: list[System], field: str) -> None:
    with pytest.raises(InvalidArgument) as wrong:
        check_systems(systems, CONNECTED, {})
    assert wrong.value.facts["field"] == field
