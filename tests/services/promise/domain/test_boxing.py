"""The box that a packer is shown holds the work, and none that is smaller does."""

from dataclasses import replace

import pytest

from services.promise.domain import boxing
from services.promise.domain import network as n
from tests.services.promise.network import euros

SMALL = n.Box("S", 300, 200, 100, 3_000, 100, euros(20))
LARGE = n.Box("L", 600, 400, 300, 20_000, 500, euros(90))
FLAT = n.Box("F", 500, 400, 20, 2_000, 50, euros(15), point_ids=("lyon",))
ITEMS = {
    "book": n.Item("book", "", 500, 200, (150, 30)),
    "poster": n.Item("poster", "", 200, 480, (350, 10)),
    "iron": n.Item("iron", "", 2_800, 150, (150, 90)),
    "unknown": n.Item("unknown", "", 500, 200, (150, 0)),
    "weightless": n.Item("weightless", "", 0, 200, (150, 30)),
}


@pytest.mark.parametrize(
    ("wanted", "box"),
    [
        ({"book": 1}, "S"),
        # 5 x 900 cm3 fill 4500 of 6000 cm3; 2500 of 2900 g.
        ({"book": 5}, "S"),
        # The weight of the box itself counts.
        ({"book": 6}, "L"),
        ({"iron": 1}, "S"),
        ({"iron": 1, "book": 1}, "L"),
        # Its volume has room, its side has none.
        ({"poster": 1}, "F"),
        ({"poster": 1, "book": 1}, "L"),
        ({"book": 40}, None),
        ({"unknown": 1}, None),
        ({"weightless": 1}, None),
        ({"book": 1, "never heard of": 1}, None),
        ({"book": 1, "never heard of": 0}, "S"),
        ({}, None),
    ],
)
def test_the_smallest_box_that_holds_all_units(wanted: dict[str, int], box: str | None) -> None:
    chosen = boxing.smallest(boxing.of_point([LARGE, FLAT, SMALL], "lyon"), ITEMS, wanted)
    assert (chosen.box_id if chosen else None) == box


def test_goods_fill_no_more_of_a_box_than_it_takes() -> None:
    assert boxing.smallest([replace(SMALL, fill_percent=75)], ITEMS, {"book": 5})
    assert boxing.smallest([replace(SMALL, fill_percent=74)], ITEMS, {"book": 5}) is None


def test_a_point_packs_into_the_boxes_that_it_has() -> None:
    boxes = [LARGE, SMALL, FLAT]
    assert [one.box_id for one in boxing.of_point(boxes, "lyon")] == ["F", "S", "L"]
    assert [one.box_id for one in boxing.of_point(boxes, "lille")] == ["S", "L"]
