"""Items, points, channels and the image over them, on the real database."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import InvalidArgument
from kit.values.money import Money
from services.inventory.domain.catalogue import (
    Activation,
    BufferRule,
    ChannelPrice,
    Collection,
    Edit,
    Exclusion,
    OpeningHours,
    PointType,
    Purpose,
)
from services.inventory.domain.explaining import Availability, PointAvailability
from tests.services.inventory.shop import EDIT, NOON, POINTS, SKUS, WEB, Shop, item, line, point, with_rules

FULL_ITEM = replace(
    item("PAN"),
    gtin="4006381333931",
    weight_grams=900,
    tags=("iron", "new"),
    prices=(ChannelPrice("web", Money(4990, "EUR")),),
    substitutes=("SOFA", "not-there-yet"),
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
    safety_stock=(BufferRule(point_type=PointType.STORE, quantity=2), BufferRule(sku="PAN", quantity=1)),
)


async def test_what_was_put_is_read_back_as_it_was(shop: Shop) -> None:
    assert await shop.service.put_items([FULL_ITEM], EDIT) == 1
    assert await shop.service.put_stock_points([FULL_POINT], EDIT) == 1
    assert await shop.service.put_channels([FULL_CHANNEL], EDIT) == 1
    assert await shop.service.list_items(["PAN"], "", 10) == [FULL_ITEM]
    assert (await shop.service.list_stock_points())[0] == FULL_POINT
    assert await shop.service.list_channels() == [FULL_CHANNEL]


async def test_only_rows_that_differ_are_written(shop: Shop) -> None:
    await shop.service.put_items([FULL_ITEM], EDIT)
    await shop.service.put_stock_points([FULL_POINT], EDIT)
    await shop.service.put_channels([FULL_CHANNEL], EDIT)
    assert await shop.service.put_items([item("DRESS"), replace(FULL_ITEM, title="Poêle"), item("HAT")], EDIT) == 2
    assert await shop.service.put_stock_points([FULL_POINT, replace(point("PARIS"), daily_capacity=9)], EDIT) == 1
    assert await shop.service.put_channels([FULL_CHANNEL, with_rules(channel_id="app")], EDIT) == 1
    assert await shop.service.put_channels([replace(FULL_CHANNEL, exclusions=())], EDIT) == 1
    assert await shop.service.put_items([], EDIT) == 0


async def test_items_are_listed_in_order_after_a_key(shop: Shop) -> None:
    assert [found.sku for found in await shop.service.list_items([], "DRESS", 10)] == ["PAN", "SOFA"]
    assert [found.sku for found in await shop.service.list_items(["SOFA", "DRESS"], "", 1)] == ["DRESS"]


async def test_an_article_is_found_by_its_code_however_long_it_was_read(shop: Shop) -> None:
    codes = {"PAN": "036000291452", "SOFA": "4006381333931", "DRESS": ""}
    await shop.service.put_items([replace(item(sku), gtin=gtin) for sku, gtin in codes.items()], EDIT)

    async def found(*gtins: str) -> list[str]:
        return [one.sku for one in await shop.service.list_items([], "", 10, gtins=gtins)]

    assert await found("036000291452") == await found("0036000291452") == ["PAN"]
    assert await found("04006381333931", "0036000291452") == ["PAN", "SOFA"]
    assert await found("00000000") == []
    with pytest.raises(InvalidArgument) as error:
        await found("4006381333931", "4006381333932")
    assert error.value.facts["field"] == "gtins[1]"


async def test_a_channel_cannot_name_a_point_that_is_not_there(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as error:
        await shop.service.put_channels([with_rules(activated_points=("LYON", "MARS"))], EDIT)
    assert error.value.facts["field"] == "channels[0].activated_points[1]"


async def test_the_image_answers_in_the_order_asked_with_explicit_zeros(shop: Shop) -> None:
    await shop.service.put_channels([FULL_CHANNEL], EDIT)
    for sku in SKUS:
        for point_id in POINTS:
            await shop.adjust(5, sku, point_id)
    await shop.reserve("ord_1", line("PAN", 3))
    await shop.declare(1, "PAN")
    figures = await shop.service.get_availability("web", ["SOFA", "GHOST", "PAN", "DRESS"], now=NOON)
    assert figures == [
        Availability("SOFA", 0, "EXCLUDED: too big"),
        Availability("GHOST", 0, "UNKNOWN_ITEM"),
        Availability("PAN", 0 + 4),
        Availability("DRESS", 3 + 3),
    ]


async def test_the_image_explains_itself_point_by_point(shop: Shop) -> None:
    await shop.service.put_channels([FULL_CHANNEL], EDIT)
    await shop.adjust(5, "DRESS", "LYON")
    await shop.adjust(9, "DRESS", "WAREHOUSE")
    figure = await shop.figure("DRESS")
    assert figure.points == (PointAvailability("LYON", 5, 0, 0, 2, 3, "point type store: 2"),), (
        "the warehouse is not activated"
    )


async def test_each_channel_has_its_own_image(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(channel_id="app", activated_points=("PARIS",))], EDIT)
    await shop.adjust(5)
    assert (await shop.shown(channel_id="web"), await shop.shown(channel_id="app")) == (5, 0)


async def test_the_image_needs_a_channel_and_up_to_500_skus(shop: Shop) -> None:
    with pytest.raises(InvalidArgument, match="UNKNOWN_CHANNEL"):
        await shop.service.get_availability("ghost", ["PAN"], now=NOON)
    for skus in ([], ["PAN"] * 501):
        with pytest.raises(InvalidArgument, match="500 are needed"):
            await shop.service.get_availability(WEB.channel_id, skus, now=NOON)
    assert len(await shop.service.get_availability("web", [f"S{n}" for n in range(500)], now=NOON)) == 500


async def test_a_channel_with_every_kind_of_rule_is_read_back_as_it_was_put(shop: Shop) -> None:
    channel = replace(
        FULL_CHANNEL,
        activated_points=("WAREHOUSE",),
        activations=(
            Activation("PARIS", frozenset({Purpose.SHOW})),
            Activation("LYON", frozenset({Purpose.SHIP})),
        ),
        exclusions=(
            Exclusion(tag="fragile", point_type=PointType.STORE, reason="ships from the warehouse only"),
            Exclusion(brand="Cairn", point_id="LYON", from_at=NOON, until_at=NOON + timedelta(days=1)),
        ),
        safety_stock=(BufferRule(category="home", percent=5), BufferRule(quantity=1)),
        routing_buffers=(BufferRule(point_type=PointType.STORE, quantity=2),),
        brands=("Cairn", "Ondelle"),
    )
    assert await shop.service.put_channels([channel], EDIT) == 1
    assert await shop.service.list_channels() == [channel]
    assert await shop.service.put_channels([channel], EDIT) == 0, "nothing differs"


async def test_a_reserve_is_judged_by_the_figure_that_its_purpose_shows(shop: Shop) -> None:
    await shop.service.put_channels(
        [
            with_rules(
                activated_points=("WAREHOUSE",),
                activations=(Activation("LYON", frozenset({Purpose.COLLECT, Purpose.SHOW})),),
            )
        ],
        EDIT,
    )
    await shop.adjust(5)
    purposes = (None, Purpose.SHIP, Purpose.COLLECT, Purpose.SHOW)
    assert [await shop.shown(purpose=purpose) for purpose in purposes] == [5, 0, 5, 5]
    refused = await shop.reserve("ord_1", line("DRESS", 1), purpose=Purpose.SHIP)
    assert [(s.available, s.free) for s in refused.shortfalls] == [(0, 5)]
    assert (await shop.reserve("ord_1", line("DRESS", 1), purpose=Purpose.COLLECT)).done


async def test_a_reserve_is_judged_by_the_rules_of_its_instant(shop: Shop) -> None:
    begins = NOON + timedelta(hours=1)
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="DRESS", from_at=begins),))], EDIT)
    await shop.adjust(5)
    early, late = await asyncio.gather(
        shop.reserve("ord_1", line("DRESS", 1)), shop.reserve("ord_2", line("DRESS", 1), as_of=begins)
    )
    assert (early.done, late.done) == (True, False), "though they may share a transaction"
    assert (await shop.figure(now=begins)).zero_reason == "EXCLUDED"


async def test_a_share_that_is_kept_back_stays_the_same_while_units_are_reserved(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(percent=30),))], EDIT)
    await shop.adjust(10)
    shown = [await shop.shown()]
    for nth in range(3):
        await shop.reserve(f"ord_{nth}", line("DRESS", 2))
        shown.append(await shop.shown())
    assert shown == [7, 5, 3, 1]


async def test_each_real_change_of_a_setting_is_a_version_with_its_author(shop: Shop) -> None:
    titles = ["Dress", "Robe", "Robe", "Kleid"]
    for nth, title in enumerate(titles):
        edit = Edit(f"user_{nth}", NOON + timedelta(minutes=nth))
        await shop.service.put_items([replace(item("DRESS"), title=title)], edit)
    found = await shop.service.list_versions("item", "DRESS", 2**31 - 1, 10)
    told = [(one.version, one.actor, json.loads(one.content)["title"]) for one in found]
    assert told == [(3, "user_3", "Kleid"), (2, "user_1", "Robe"), (1, "tester", "Dress")]
    assert [one.version for one in await shop.service.list_versions("item", "DRESS", 3, 1)] == [2]
    assert await shop.service.list_versions("item", "GHOST", 2**31 - 1, 10) == []


async def test_points_and_channels_have_versions_too(shop: Shop) -> None:
    await shop.service.put_stock_points([replace(point("LYON"), city="Lyon")], EDIT)
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="PAN", from_at=NOON),))], EDIT)
    (city, _) = await shop.service.list_versions("point", "LYON", 2**31 - 1, 10)
    (rules, _) = await shop.service.list_versions("channel", "web", 2**31 - 1, 10)
    assert json.loads(city.content)["city"] == "Lyon"
    assert json.loads(rules.content)["exclusions"][0]["from_at"] == NOON.isoformat()


async def test_concurrent_changes_of_one_setting_are_versions_one_after_the_other(shop: Shop) -> None:
    changed = [[replace(item("DRESS"), title=f"Dress {nth}")] for nth in range(8)]
    await asyncio.gather(*(shop.service.put_items(one, EDIT) for one in changed))
    found = await shop.service.list_versions("item", "DRESS", 2**31 - 1, 20)
    assert [one.version for one in found] == list(range(9, 0, -1))
    (kept,) = await shop.service.list_items(["DRESS"], "", 1)
    assert json.loads(found[0].content)["title"] == kept.title, "the last version is what stands"
