"""What parcels cost by weight, volume and boxes: said by hand, and held against every way to pack a few units."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from services.promise.domain import network as n
from services.promise.domain.levels import BOUNDLESS, Levels, volumetric_grams
from services.promise.domain.parcelling import tariff_of
from services.promise.domain.rates import Step, with_surcharge
from services.promise.domain.tariffs import Choice, Parcels, Tariff
from tests.services.promise.domain.test_engine_against_brute_force import (
    random_boxes,
    sized,
    sized_service,
    small_service,
)
from tests.services.promise.network import euros, service, terms

RATES = (n.RateStep(1_000, euros(500)), n.RateStep(5_000, euros(700)), n.RateStep(20_000, euros(1_000)))
# 30 x 20 x 10 cm take 6 litres, 60 x 40 x 40 cm take 96.
SMALL = n.Box("small", 300, 200, 100, 5_000, 100, euros(20))
LARGE = n.Box("large", 600, 400, 400, 15_000, 400, euros(80))
BOOK = n.Item("book", "", 800, 200, other_sides_millimetres=(150, 30))
PILLOW = n.Item("pillow", "", 900, 500, other_sides_millimetres=(400, 200))
LAMP = n.Item("lamp", "", 2_000, 580, other_sides_millimetres=(380, 380))
SOFA = n.Item("sofa", "", 19_000, 1_800, other_sides_millimetres=(800, 700))


Units = tuple[n.Item, int]


def sent(shop: n.CarrierService, boxes: tuple[n.Box, ...], *units: Units) -> Parcels:
    found = tariff(shop, boxes, *units)
    assert found is not None
    return found.parcels({item.sku: count for item, count in units})


def tariff(shop: n.CarrierService, boxes: tuple[n.Box, ...], *units: Units) -> Tariff | None:
    items, wanted = {item.sku: item for item, _ in units}, {item.sku: count for item, count in units}
    return tariff_of(Levels(shop, shop.zones[0], boxes), items, wanted, 100, is_one_parcel=False)


def sold(**values: Any) -> n.CarrierService:
    return service(zones=(terms(rates=RATES),), **values)


def test_a_parcel_is_charged_for_its_weight_or_its_volume_whichever_is_more() -> None:
    # 40 litres at 5000 cm3 by kilogram are 8 kg.
    assert sent(sold(volumetric_divisor=5_000), (), (PILLOW, 1)) == Parcels(1, 900, 8_000, 1_000, 1_000)
    assert sent(sold(volumetric_divisor=40_000), (), (PILLOW, 1)) == Parcels(1, 900, 1_000, 500, 500)
    both = sent(sold(volumetric_divisor=20_000), (), (PILLOW, 1), (LAMP, 1))
    assert (both.weight_grams, both.chargeable_grams) == (2_900, volumetric_grams(40_000_000 + 83_752_000, 20_000))


def test_a_volumetric_weight_is_rounded_up_to_the_gram() -> None:
    assert [volumetric_grams(volume, 5_000) for volume in (0, 1, 5_000, 5_001)] == [0, 1, 1, 2]
    assert volumetric_grams(5_000, 0) == 0


def test_weight_alone_decides_where_no_article_is_charged_for_its_volume() -> None:
    assert tariff(sold(volumetric_divisor=5_000), (), (BOOK, 3)) is None
    assert tariff(sold(volumetric_divisor=5_000), (), (replace(PILLOW, other_sides_millimetres=(0, 0)), 3)) is None
    assert tariff(sold(), (), (PILLOW, 3)) is None


def test_what_is_too_large_together_for_a_service_with_limits_of_size_leaves_in_several_parcels() -> None:
    shop = sold(max_length_millimetres=500, max_width_millimetres=400, max_height_millimetres=400)
    assert sent(shop, (), (PILLOW, 3)) == Parcels(2, 2_700, 2_700, 1_400, 1_400)


def test_goods_are_put_into_the_cheapest_box_that_takes_them() -> None:
    found = sent(sold(), (SMALL, LARGE), (BOOK, 2))
    assert found == Parcels(1, 1_700, 1_700, 720, 700, 20, (("small", 1),))
    assert sent(sold(), (SMALL, LARGE), (LAMP, 1)).boxes == (("large", 1),)


def test_the_weight_of_a_box_counts_as_goods_do() -> None:
    light = replace(BOOK, weight_grams=950)
    assert sent(sold(), (replace(SMALL, tare_grams=50),), (light, 1)).billed_minor == 500
    assert sent(sold(), (replace(SMALL, tare_grams=51),), (light, 1)).billed_minor == 700


def test_a_box_is_charged_for_the_volume_of_its_outer_sides() -> None:
    box = replace(SMALL, wall_millimetres=5)
    found = sent(sold(volumetric_divisor=5_000), (box,), (BOOK, 1))
    assert found.chargeable_grams == -(-310 * 210 * 110 // 5_000) == 1_433
    assert found.billed_minor == 700


def test_no_more_goods_are_put_into_a_box_than_fill_so_much_of_it() -> None:
    # Six books are 5.4 of 6 litres.
    flat = replace(BOOK, weight_grams=100)
    assert sent(sold(), (SMALL,), (flat, 6)).count == 1
    assert sent(sold(), (replace(SMALL, fill_percent=80),), (flat, 6)).count == 2


def test_a_service_is_sent_no_box_beyond_its_limits() -> None:
    shop = sold(max_length_millimetres=500)
    assert sent(shop, (SMALL, LARGE), (BOOK, 8)).boxes == (("small", 2),)
    levels = Levels(shop, shop.zones[0], (SMALL, LARGE))
    assert levels.misfit(PILLOW) == "TOO_LARGE"
    assert levels.misfit(replace(BOOK, weight_grams=4_950)) == "TOO_HEAVY"


def test_what_fits_no_box_is_sent_as_it_is() -> None:
    found = sent(sold(), (SMALL, LARGE), (SOFA, 1), (BOOK, 1))
    assert (found.count, found.boxes, found.billed_minor) == (2, (("small", 1),), 1_500)
    assert found.weight_grams == 19_000 + 900


def test_what_fits_another_box_than_the_rest_is_sent_in_that() -> None:
    tube = n.Box("tube", 1_000, 100, 100, 3_000, 200, euros(40))
    poster = n.Item("poster", "", 300, 900, other_sides_millimetres=(80, 80))
    found = sent(sold(), (LARGE, tube), (poster, 2), (BOOK, 1), (PILLOW, 1))
    assert found.boxes == (("large", 1), ("tube", 2))


def test_several_boxes_are_of_one_kind_and_as_many_as_any_packing_needs() -> None:
    # A lamp fills most of a large box: each has its own.
    assert sent(sold(), (SMALL, LARGE), (LAMP, 4)).boxes == (("large", 4),)
    # Twelve of these fill one to the brim.
    third = n.Item("third", "", 100, 600, other_sides_millimetres=(400, 100))
    assert sent(sold(), (LARGE,), (third, 12)).boxes == (("large", 3),)


def test_where_there_is_room_for_one_parcel_there_is_no_second() -> None:
    shop = sold()
    wanted, items = {"lamp": 2}, {"lamp": LAMP}
    found = tariff_of(Levels(shop, shop.zones[0], (LARGE,)), items, wanted, 100, is_one_parcel=True)
    assert found is not None
    with pytest.raises(ValueError, match="no parcels"):
        found.parcels(wanted)


def test_boxes_are_no_part_of_what_the_ruleset_weighs_of_the_carrier() -> None:
    shop = sold()
    wanted, items = {"book": 1}, {"book": BOOK}
    found = tariff_of(Levels(shop, shop.zones[0], (SMALL,)), items, wanted, 50, is_one_parcel=False)
    assert found is not None
    parcels = found.parcels(wanted)
    assert (parcels.cost_minor, parcels.billed_minor, parcels.packaging_minor) == (270, 500, 20)


def test_what_joining_costs_is_added_for_each_parcel() -> None:
    found = tariff(sold(), (LARGE,), (SOFA, 1), (LAMP, 2))
    assert found is not None
    units = {"sofa": 1, "lamp": 2}
    assert found.dearer(30).parcels(units).cost_minor == found.parcels(units).cost_minor + 3 * 30


# -- against every way to pack --------------------------------------------------------------------------------


def billed(sold: n.CarrierService, box: n.Box | None, goods: list[n.Item]) -> int | None:
    """Of one parcel with these units; None when it cannot be."""
    grams = sum(item.weight_grams for item in goods) + (box.tare_grams if box else 0)
    volume = sum(item.volume_cubic_millimetres for item in goods)
    if box is not None:
        inner = sorted((box.length_millimetres, box.width_millimetres, box.height_millimetres))
        if any(side > room for item in goods for side, room in zip(sorted(item.sides), inner, strict=True)):
            return None
        if grams > box.max_weight_grams or volume * 100 > inner[0] * inner[1] * inner[2] * box.fill_percent:
            return None
        volume = 1
        for side in inner:
            volume *= side + 2 * box.wall_millimetres
        if not sold.takes(box.outer_sides):
            return None
    elif sold.room_cubic_millimetres and volume > sold.room_cubic_millimetres:
        return None
    if grams > sold.max_weight_grams:
        return None
    for rate in sold.zones[0].rates:
        if grams <= rate.up_to_grams and (
            not sold.volumetric_divisor or volume <= rate.up_to_grams * sold.volumetric_divisor
        ):
            return with_surcharge(rate.price.amount_minor, sold.surcharge_basis_points)
    return None


def packings(units: list[n.Item], parcels: int) -> Iterator[list[list[n.Item]]]:
    """Every way to put units into at most so many parcels."""
    if not units:
        yield []
        return
    for packed in packings(units[1:], parcels):
        for place in range(len(packed)):
            yield [*packed[:place], [*packed[place], units[0]], *packed[place + 1 :]]
        if len(packed) < parcels:
            yield [*packed, [units[0]]]


def least_billed(sold: n.CarrierService, box: n.Box | None, units: list[n.Item], parcels: int) -> int | None:
    """What the cheapest way to send the units in so many of a box is billed; None when there is none."""
    least: int | None = None
    for packing in packings(units, parcels):
        costs = [billed(sold, box, goods) for goods in packing]
        total = sum(cost for cost in costs if cost is not None)
        if None not in costs and (least is None or total < least):
            least = total
    return least


def check(seed: int) -> tuple[Choice, bool] | None:
    """Of random units: they can be packed as the tariff says, for no more; and one parcel is the cheapest one."""
    random = Random(seed)
    shop = sized_service(random, small_service(random, 0))
    boxes = random_boxes(random) if random.random() < 0.8 else ()
    levels = Levels(shop, shop.zones[0], boxes)
    weights = (0, 300, 700, 1_000, 2_500)
    items = [sized(random, n.Item(f"s{i}", "", random.choice(weights), 300)) for i in range(random.randint(1, 4))]
    fit = [item for item in items if shop.takes(item.sides) and not levels.misfit(item)]
    wanted = {item.sku: random.randint(1, 4) for item in fit}
    by_sku = {item.sku: item for item in fit}
    found = tariff_of(levels, by_sku, wanted, 100, is_one_parcel=False) if wanted else None
    if found is None:
        return None
    units = {sku: random.randint(0, count) for sku, count in wanted.items()}
    shared = [by_sku[sku] for sku, count in units.items() for _ in range(count) if sku not in found.own][:6]
    counted = {item.sku: shared.count(item) for item in shared}
    choice = found.choice(counted)
    singles = [
        cost + (box.cost.amount_minor if box else 0)
        for box in (boxes or (None,))
        if (cost := billed(shop, box, shared)) is not None
    ]
    if shared:
        assert choice.cost_minor <= min(singles, default=choice.cost_minor), seed
        assert choice.parcels > 1 or choice.cost_minor == min(singles), seed
        least = least_billed(shop, choice.box, shared, choice.parcels)
        assert least is not None, seed
        assert least <= choice.billed_minor, seed
    for sku, own in found.own.items():
        cost = billed(shop, own.box, [by_sku[sku]])
        assert cost is not None, seed
        assert cost <= own.billed_minor, seed
        assert own.box is not None or not any(box.may_hold(by_sku[sku]) for box in boxes), seed
    least_by_weight = [step for step in found.steps if sum(i.weight_grams for i in shared) <= step.up_to_grams]
    assert least_by_weight[0].cost_minor <= choice.cost_minor, seed
    assert choice.parcels <= found.most_parcels(wanted), seed
    return choice, bool(found.own)


def test_goods_can_be_packed_as_is_said_for_no_more_than_is_said() -> None:
    found = [one for seed in range(1_500) if (one := check(seed)) is not None]
    assert sum(choice.parcels > 1 for choice, _ in found) > 100
    assert sum(choice.box is not None for choice, _ in found) > 300
    assert sum(own for _, own in found) > 50


@pytest.mark.attack
def test_goods_can_be_packed_as_is_said_in_thousands_of_baskets() -> None:
    for seed in range(10_000, 25_000):
        check(seed)


def test_the_least_by_weight_has_one_step_where_weight_says_nothing() -> None:
    tube = n.Box("tube", 1_000, 100, 100, 3_000, 200, euros(40))
    poster = n.Item("poster", "", 300, 900, other_sides_millimetres=(80, 80))
    found = tariff(sold(), (SMALL, tube), (poster, 2), (BOOK, 1))
    assert found is not None
    assert found.own
    assert found.steps == (Step(BOUNDLESS, 0, 0),)
