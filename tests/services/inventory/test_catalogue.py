"""Items, points, channels and the image over them, on the real database."""

from dataclasses import replace

import pytest

from kit.errors import InvalidArgument
from kit.values.money import Money
from services.inventory.domain.catalogue import (
    ChannelPrice,
    Collection,
    Exclusion,
    OpeningHours,
    PointType,
    SafetyStockRule,
)
from services.inventory.domain.image import Availability, PointAvailability
from tests.services.inventory.shop import POINTS, SKUS, WEB, Shop, item, line, point, with_rules

FULL_ITEM = replace(
    item("PAN"),
    gtin="4006381333931",
    weight_grams=900,
    tags=("iron", "new"),
    prices=(ChannelPrice("web", Money(4990, "EUR")),),
)
FULL_POINT = replace(
    point("LYON"),
    gln="3012345678902",
    opening_hours=(OpeningHours(1, 600, 1140),),
    closed_dates=("2026-12-24",),
    collections=(Collection("colis", 1, 960),),
    capabilities=("ship_from_store",),
    brands=("maison",),
)
FULL_CHANNEL = with_rules(
    activated_points=("PARIS", "LYON"),
    exclusions=(Exclusion(sku="SOFA", reason="too big"), Exclusion(category="garden")),
    safety_stock=(SafetyStockRule(point_type=PointType.STORE, quantity=2), SafetyStockRule(sku="PAN", quantity=1)),
)


async def test_what_was_put_is_read_back_as_it_was(shop: Shop) -> None:
    assert await shop.service.put_items([FULL_ITEM]) == 1
    assert await shop.service.put_stock_points([FULL_POINT]) == 1
    assert await shop.service.put_channels([FULL_CHANNEL]) == 1
    assert await shop.service.list_items(["PAN"], "", 10) == [FULL_ITEM]
    assert (await shop.service.list_stock_points())[0] == FULL_POINT
    assert await shop.service.list_channels() == [FULL_CHANNEL]


async def test_only_rows_that_differ_are_written(shop: Shop) -> None:
    await shop.service.put_items([FULL_ITEM])
    await shop.service.put_stock_points([FULL_POINT])
    await shop.service.put_channels([FULL_CHANNEL])
    assert await shop.service.put_items([item("DRESS"), replace(FULL_ITEM, title="Poêle"), item("HAT")]) == 2
    assert await shop.service.put_stock_points([FULL_POINT, replace(point("PARIS"), daily_capacity=9)]) == 1
    assert await shop.service.put_channels([FULL_CHANNEL, with_rules(channel_id="app")]) == 1
    assert await shop.service.put_channels([replace(FULL_CHANNEL, exclusions=())]) == 1
    assert await shop.service.put_items([]) == 0


async def test_items_are_listed_in_order_after_a_key(shop: Shop) -> None:
    assert [found.sku for found in await shop.service.list_items([], "DRESS", 10)] == ["PAN", "SOFA"]
    assert [found.sku for found in await shop.service.list_items(["SOFA", "DRESS"], "", 1)] == ["DRESS"]


async def test_a_channel_cannot_name_a_point_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as error:
        await shop.service.put_channels([with_rules(activated_points=("LYON", "MARS"))])
    assert error.value.facts["field"] == "channels[0].activated_points[1]"


async def test_the_image_answers_in_the_order_asked_with_explicit_zeros(shop: Shop) -> None:
    await shop.service.put_channels([FULL_CHANNEL])
    for sku in SKUS:
        for point_id in POINTS:
            await shop.adjust(5, sku, point_id)
    await shop.reserve("ord_1", line("PAN", 3))
    await shop.declare(1, "PAN")
    figures = await shop.service.get_availability("web", ["SOFA", "GHOST", "PAN", "DRESS"])
    assert figures == [
        Availability("SOFA", 0, "EXCLUDED: too big"),
        Availability("GHOST", 0, "UNKNOWN_ITEM"),
        Availability("PAN", 0 + 4),
        Availability("DRESS", 3 + 3),
    ]


async def test_the_image_explains_itself_point_by_point(shop: Shop) -> None:
    await shop.service.put_channels([FULL_CHANNEL])
    await shop.adjust(5, "DRESS", "LYON")
    await shop.adjust(9, "DRESS", "WAREHOUSE")
    (figure,) = await shop.service.get_availability("web", ["DRESS"], explain=True)
    assert figure.points == (PointAvailability("LYON", 5, 0, 0, 2, 3, "point type store: 2"),), (
        "the warehouse is not activated"
    )


async def test_each_channel_has_its_own_image(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(channel_id="app", activated_points=("PARIS",))])
    await shop.adjust(5)
    assert (await shop.shown(channel_id="web"), await shop.shown(channel_id="app")) == (5, 0)


async def test_the_image_needs_a_channel_and_up_to_500_skus(shop: Shop) -> None:
    with pytest.raises(InvalidArgument, match="UNKNOWN_CHANNEL"):
        await shop.service.get_availability("ghost", ["PAN"])
    for skus in ([], ["PAN"] * 501):
        with pytest.raises(InvalidArgument, match="500 are needed"):
            await shop.service.get_availability(WEB.channel_id, skus)
    assert len(await shop.service.get_availability("web", [f"S{n}" for n in range(500)])) == 500
