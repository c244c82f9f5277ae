"""Kept images and the feed of their changes: STK-12, STK-13."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.inventory import projecting
from services.inventory.domain.catalogue import Activation, BufferRule, Exclusion, Purpose
from services.inventory.domain.explaining import Availability
from services.inventory.domain.figures import Figures
from services.inventory.domain.holds import HoldMove
from services.inventory.image_memory import ImageMemory
from services.inventory.images import Images
from services.inventory.pauses import Pausing
from services.inventory.projecting import Projector
from services.inventory.store import feed
from services.inventory.store import images as images_store
from services.inventory.store.images import Kept
from tests.services.inventory.shop import EDIT, NOON, POINTS, SKUS, WEB, Shop, item, line, with_rules
from tests.services.inventory.test_pauses import start

APP = replace(WEB, channel_id="app", name="App", activated_points=("LYON",))


class Reader:
    """A channel's system: it keeps a copy of the image and goes on from where it was."""

    def __init__(self, images: Images, channel_id: str = "web") -> None:
        self._images = images
        self._channel_id = channel_id
        self.sequence = 0
        self.copy: dict[str, Figures] = {}

    async def read(self, limit: int = 0, wait_seconds: float = 0) -> Sequence[Kept]:
        found = await self._images.changes(self._channel_id, self.sequence, limit, wait_seconds)
        for kept in found:
            assert kept.sequence > self.sequence, "numbers go up"
            self.sequence = kept.sequence
            self.copy[kept.sku] = kept.figures
        return found

    async def catch_up(self) -> None:
        while await self.read(limit=2):
            pass


@pytest.fixture
async def projector(shop: Shop) -> Projector:
    return Projector(shop.engine, shop.bell, Bell(), clock=lambda: NOON)


@pytest.fixture
def images(shop: Shop) -> Images:
    return Images(shop.engine, Bell(), ImageMemory(shop.engine, Bell()))


async def project(projector: Projector) -> None:
    while await projector.project():
        pass


async def events(shop: Shop, name: str) -> list[dict[str, Any]]:
    async with shop.engine.begin() as tx:
        rows = await tx.execute(
            text("SELECT data FROM outbox WHERE type = :type ORDER BY id"), {"type": f"oms.inventory.image.{name}"}
        )
        return list(rows.scalars())


async def kept_image(images: Images, channel_id: str) -> dict[str, Figures]:
    return {kept.sku: kept.figures for kept in await images.changes(channel_id, 0, 1000, 0)}


async def counted(shop: Shop, channel_id: str) -> dict[str, Figures]:
    """The image as it is counted anew."""
    skus = [one.sku for one in await shop.service.list_items((), "", 500)]

    async def count(purpose: Purpose | None = None) -> list[Availability]:
        return await shop.service.get_availability(channel_id, skus, now=NOON, purpose=purpose)

    purposes = (None, Purpose.SHIP, Purpose.COLLECT, Purpose.SHOW)
    each = zip(*[await count(purpose) for purpose in purposes], strict=True)
    return {
        sold.sku: Figures(
            sold.available_now, ship.available_now, collect.available_now, show.available_now, sold.zero_reason
        )
        for sold, ship, collect, show in each
    }


async def test_what_stood_before_gets_an_image_and_explicit_zeros(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await shop.adjust(4)
    await project(projector)
    found = await images.get("web", ["DRESS", "SOFA", "GHOST"])
    assert {sku: kept.figures.available for sku, kept in found.items()} == {"DRESS": 4, "SOFA": 0}


async def test_a_change_is_told_once_to_each_channel_that_it_touches(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await shop.service.put_channels([APP], EDIT)
    await project(projector)
    web, app = Reader(images), Reader(images, "app")
    await web.catch_up()
    await app.catch_up()
    await shop.adjust(3, point_id="PARIS")
    await shop.adjust(2, point_id="PARIS")
    await project(projector)
    assert [(kept.sku, kept.figures.available) for kept in await web.read()] == [("DRESS", 5)]
    assert await app.read() == []


async def test_what_leaves_the_figures_as_they_are_is_not_told(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await shop.adjust(3)
    await project(projector)
    web = Reader(images)
    await web.catch_up()
    await shop.reserve("res-1", line("DRESS", 1))
    await shop.release("res-1")
    await project(projector)
    assert await web.read() == []


async def test_purposes_have_figures_of_their_own(shop: Shop, projector: Projector, images: Images) -> None:
    some = {"LYON": Purpose.COLLECT, "PARIS": Purpose.SHOW}
    activations = tuple(Activation(point_id, frozenset({purpose})) for point_id, purpose in some.items())
    await shop.service.put_channels([with_rules(activated_points=("WAREHOUSE",), activations=activations)], EDIT)
    for quantity, point_id in ((1, "LYON"), (2, "PARIS"), (4, "WAREHOUSE")):
        await shop.adjust(quantity, point_id=point_id)
    await project(projector)
    found = (await images.get("web", ["DRESS"]))["DRESS"].figures
    assert found == Figures(available=5, ship=4, collect=5, show=6)


async def test_a_rule_that_changes_goes_around_all_items(shop: Shop, projector: Projector, images: Images) -> None:
    for sku in SKUS:
        await shop.adjust(5, sku)
    await project(projector)
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=2),))], EDIT)
    await project(projector)
    found = await images.get("web", SKUS)
    assert {kept.figures.available for kept in found.values()} == {3}


async def test_a_rule_that_changes_in_the_middle_of_a_round_goes_once_around_from_there(
    shop: Shop, projector: Projector, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "_ROUND_ITEMS", 2)
    await shop.service.put_items([item(f"MUG-{number}") for number in range(6)], EDIT)
    await project(projector)
    for quantity in (1, 2):
        await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=quantity),))], EDIT)
        await projector.project()
    await shop.adjust(9, "MUG-0")
    await project(projector)
    assert await kept_image(images, "web") == await counted(shop, "web")


async def test_an_exclusion_and_a_pause_are_explicit_zeros_with_their_reason(
    shop: Shop, projector: Projector, images: Images
) -> None:
    for sku in SKUS:
        await shop.adjust(5, sku)
    rules = with_rules(exclusions=(Exclusion(sku="PAN", reason="recall"),))
    await shop.service.put_channels([rules], EDIT)
    await start(Pausing(shop.engine, shop.bell), sku="SOFA")
    await project(projector)
    found = await images.get("web", SKUS)
    assert {sku: (kept.figures.available, kept.figures.zero_reason) for sku, kept in found.items()} == {
        "DRESS": (5, ""),
        "PAN": (0, "EXCLUDED: recall"),
        "SOFA": (0, "PAUSED: burst pipe"),
    }


async def test_a_rule_that_turns_by_the_clock_changes_the_image(shop: Shop, images: Images) -> None:
    now = NOON
    projector = Projector(shop.engine, shop.bell, Bell(), clock=lambda: now)
    tomorrow = NOON + timedelta(days=1)
    rules = with_rules(exclusions=(Exclusion(sku="DRESS", reason="season", from_at=tomorrow),))
    await shop.service.put_channels([rules], EDIT)
    await shop.adjust(5)
    await project(projector)
    assert (await images.get("web", ["DRESS"]))["DRESS"].figures.available == 5
    now = tomorrow
    await shop.service.tell_turns(tomorrow)
    await project(projector)
    assert (await images.get("web", ["DRESS"]))["DRESS"].figures == Figures(zero_reason="EXCLUDED: season")


async def test_a_projector_that_was_away_longer_than_marks_are_kept_looks_at_everything(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await project(projector)
    await shop.adjust(5)
    await shop.adjust(5, "PAN")
    async with db.single(shop.engine).connect() as connection:
        await feed.has_news(connection, 0)
    async with shop.engine.begin() as tx:
        await feed.forget_old(tx, 1)
    await project(projector)
    assert {sku: kept.figures.available for sku, kept in (await images.get("web", SKUS)).items()} == {
        "DRESS": 5,
        "PAN": 5,
        "SOFA": 0,
    }


async def test_replicas_take_turns_and_know_of_rules_that_another_one_took(shop: Shop, images: Images) -> None:
    first, second = (Projector(shop.engine, shop.bell, Bell(), clock=lambda: NOON) for _ in range(2))
    await shop.adjust(5)
    await project(first)
    await project(second)
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=2),))], EDIT)
    await project(second)
    await shop.adjust(1)
    await project(first)
    assert (await images.get("web", ["DRESS"]))["DRESS"].figures.available == 4


# -- reading ----------------------------------------------------------------------------------------------


async def test_a_reader_waits_for_the_first_change(shop: Shop) -> None:
    image_bell = Bell()
    projector = Projector(shop.engine, shop.bell, image_bell, clock=lambda: NOON)
    await project(projector)
    web = Reader(Images(shop.engine, image_bell, ImageMemory(shop.engine, image_bell)))
    await web.catch_up()
    waiting = asyncio.create_task(web.read(wait_seconds=10))
    await shop.adjust(1)
    await project(projector)
    assert [kept.sku for kept in await waiting] == ["DRESS"]


async def test_a_reader_who_waits_for_nothing_gets_nothing(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await project(projector)
    web = Reader(images)
    await web.catch_up()
    assert await web.read(wait_seconds=0.05) == []


async def test_a_number_that_the_feed_has_not_come_to_is_refused(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await project(projector)
    with pytest.raises(FailedPrecondition) as refused:
        await images.changes("web", 10**9, 0, 0)
    assert refused.value.reason == "CURSOR_AHEAD"


async def test_a_wrong_question_names_its_field(shop: Shop, images: Images) -> None:
    for asking, field in (
        (images.changes("ghost", 0, 0, 0), "channel_id"),
        (images.changes("web", -1, 0, 0), "after_sequence"),
        (images.changes("web", 0, 1001, 0), "limit"),
        (images.changes("web", 0, 0, 21), "wait_milliseconds"),
        (images.get("ghost", ["DRESS"]), "channel_id"),
        (images.get("web", []), "skus"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await asking
        assert refused.value.facts["field"] == field


# -- in memory --------------------------------------------------------------------------------------------


@dataclass
class Seconds:
    now: float = 0

    def __call__(self) -> float:
        return self.now


async def available(memory: ImageMemory, *skus: str, channel_id: str = "web") -> dict[str, int]:
    return {sku: kept.figures.available for sku, kept in (await memory.get(channel_id, skus)).items()}


async def test_what_was_read_once_is_given_from_memory_until_the_feed_says_otherwise(
    shop: Shop, projector: Projector
) -> None:
    memory = ImageMemory(shop.engine, Bell(), clock=Seconds())
    await shop.adjust(5)
    await project(projector)
    await memory.follow()
    assert await available(memory, "DRESS", "PAN", "GHOST") == {"DRESS": 5, "PAN": 0}
    await shop.adjust(1)
    await project(projector)
    assert await available(memory, "DRESS", "SOFA") == {"DRESS": 5, "SOFA": 0}
    await memory.follow()
    assert await available(memory, "DRESS") == {"DRESS": 6}


async def test_a_memory_that_could_not_look_is_not_trusted(shop: Shop, projector: Projector) -> None:
    seconds = Seconds()
    memory = ImageMemory(shop.engine, Bell(), clock=seconds)
    await project(projector)
    await memory.follow()
    assert await available(memory, "DRESS") == {"DRESS": 0}
    await shop.adjust(1)
    await project(projector)
    seconds.now += 1.1
    assert await available(memory, "DRESS") == {"DRESS": 1}


async def test_what_the_feed_tells_while_a_figure_is_read_is_not_lost(
    shop: Shop, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = ImageMemory(shop.engine, Bell(), clock=Seconds())
    await project(projector)
    await memory.follow()
    await available(memory, "PAN")
    read = images_store.read

    async def slowly(connection: AsyncConnection, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
        old = await read(connection, channel_id, skus)
        await shop.adjust(7)
        await project(projector)
        await memory.follow()
        return old

    monkeypatch.setattr(images_store, "read", slowly)
    assert await available(memory, "DRESS") == {"DRESS": 0}
    monkeypatch.undo()
    assert await available(memory, "DRESS") == {"DRESS": 7}


async def test_a_figure_never_goes_back_to_what_a_slower_look_has_found(
    shop: Shop, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = ImageMemory(shop.engine, Bell(), clock=Seconds())
    await project(projector)
    await memory.follow()
    await available(memory, "PAN")
    await shop.adjust(1)
    await project(projector)
    changes_of = images_store.changes_of

    async def slowly(connection: AsyncConnection, after: Mapping[str, int], limit: int) -> list[tuple[str, Kept]]:
        old = await changes_of(connection, after, limit)
        await shop.adjust(7)
        await project(projector)
        assert await available(memory, "DRESS") == {"DRESS": 8}
        return old

    monkeypatch.setattr(images_store, "changes_of", slowly)
    await memory.follow()
    assert await available(memory, "DRESS") == {"DRESS": 8}


async def test_a_memory_that_is_full_forgets_and_reads_again(shop: Shop, projector: Projector) -> None:
    memory = ImageMemory(shop.engine, Bell(), most=2, clock=Seconds())
    await shop.adjust(5)
    await project(projector)
    await memory.follow()
    for _ in range(2):
        for sku in SKUS:
            assert await available(memory, sku) == {sku: 5 if sku == "DRESS" else 0}


# -- events -----------------------------------------------------------------------------------------------


async def test_changes_are_told_as_events_that_join_without_a_gap(
    shop: Shop, projector: Projector, images: Images
) -> None:
    await project(projector)
    await projector.tell()
    await shop.adjust(5)
    await project(projector)
    await projector.tell()
    await projector.tell()
    first, second = await events(shop, "changed")
    assert second["after_sequence"] == first["sequence"]
    assert [(one["sku"], one["available"]) for one in second["figures"]] == [("DRESS", 5)]
    assert (second["changed"], second["channel_id"]) == (1, "web")


async def test_of_many_changes_only_the_number_is_told(
    shop: Shop, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "TOLD_AT_ONCE", 2)
    await project(projector)
    await projector.tell()
    (told,) = await events(shop, "changed")
    assert (told["changed"], told["figures"]) == (3, [])


async def test_what_can_be_sold_again_is_told_and_what_is_new_or_goes_is_not(
    shop: Shop, projector: Projector
) -> None:
    await shop.adjust(1)
    await project(projector)
    await shop.reserve("res-1", line("DRESS", 1))
    await project(projector)
    assert await events(shop, "back_in_stock") == []
    await shop.release("res-1")
    await project(projector)
    await shop.adjust(1)
    await project(projector)
    assert await events(shop, "back_in_stock") == [
        {"channel_id": "web", "items": [{"sku": "DRESS", "available": 1}]}
    ]


# -- whatever happens -------------------------------------------------------------------------------------


@pytest.fixture
async def two_projectors(shop: Shop) -> AsyncIterator[Bell]:
    """Two replicas at work beside the test; the bell rings for images."""
    image_bell = Bell()
    projectors = [Projector(shop.engine, shop.bell, image_bell, clock=lambda: NOON) for _ in range(2)]

    async def work(projector: Projector) -> None:
        while True:
            await projector.run()

    working = [asyncio.create_task(work(projector)) for projector in projectors]
    yield image_bell
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def test_a_reader_ends_with_the_image_that_is_counted_anew_whatever_happens_meanwhile(
    shop: Shop, two_projectors: Bell
) -> None:
    await shop.service.put_channels([APP], EDIT)
    images = Images(shop.engine, two_projectors, ImageMemory(shop.engine, two_projectors))
    readers = [Reader(images), Reader(images, "app")]
    chance = random.Random(7)

    async def life(number: int) -> None:
        # All that is left to chance is chosen before anything is awaited: each run is the same lives.
        sku, (point_id, elsewhere) = chance.choice(SKUS), chance.sample(POINTS, 2)
        units, kept_back = chance.randint(1, 5), chance.randint(0, 2)
        await shop.adjust(units, sku, point_id)
        held = f"res-{number}"
        answer = await shop.reserve(held, line(sku, 1, point_id))
        if answer.done and number % 3 == 0:
            await shop.move(held, HoldMove(sku, point_id, elsewhere, 1))
        if number % 5 == 0:
            rules = with_rules(safety_stock=(BufferRule(quantity=kept_back, sku=sku),))
            await shop.service.put_channels([rules], EDIT)
        if number % 4 == 0:
            await shop.release(held)

    async def follow(reader: Reader) -> None:
        while True:
            await reader.read(wait_seconds=5)

    following = [asyncio.create_task(follow(reader)) for reader in readers]
    for first in range(0, 60, 6):
        await asyncio.gather(*(life(first + i) for i in range(6)))
    wanted = [await counted(shop, "web"), await counted(shop, "app")]
    async with asyncio.timeout(20):
        while [reader.copy for reader in readers] != wanted:
            await asyncio.wait(following, timeout=0.05)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
