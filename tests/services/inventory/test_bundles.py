"""Bundles and formats on the real database: what is shown, held, moved, sold and told (STK-7, STK-10, STK-13)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import BufferRule, Exclusion, Purpose
from services.inventory.domain.holds import HoldMove, ReservationState
from services.inventory.domain.ledger import Position
from services.inventory.domain.receiving import ReceiptLine
from services.inventory.domain.till import Effect
from services.inventory.domain.transfers import Quantity
from services.inventory.projecting import Projector
from services.inventory.store import images as images_store
from services.inventory.supply import SupplyService
from services.inventory.watch import StockPosition
from tests.services.inventory import files
from tests.services.inventory.files import Desk
from tests.services.inventory.roads import Roads
from tests.services.inventory.shelves import ShelfShop
from tests.services.inventory.shop import EDIT, NOON, item, line, with_rules
from tests.services.inventory.supply_shop import Supply, delivery, pre, presale
from tests.services.inventory.test_watch import next_change, snapshot, web

SET = replace(item("SET"), parts=(Part("DRESS", 1), Part("PAN", 2)))


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.service.put_items([SET], EDIT)
    return found


async def stock(shop: ShelfShop, point_id: str = "LYON", **units: int) -> None:
    for sku, quantity in units.items():
        await shop.adjust(quantity, sku.upper(), point_id)


async def reserved(shop: ShelfShop, point_id: str = "LYON") -> tuple[int, int]:
    """Of the two parts."""
    dress, pan = await shop.balance("DRESS", point_id), await shop.balance("PAN", point_id)
    return dress.reserved, pan.reserved


# -- what is shown ----------------------------------------------------------------------------------------


async def test_a_bundle_shows_what_every_part_allows_point_by_point(shop: ShelfShop) -> None:
    await stock(shop, dress=9, pan=5)
    await stock(shop, "PARIS", dress=1)
    await stock(shop, "WAREHOUSE", dress=1, pan=9)
    found = await shop.figure("SET")
    assert found.available_now == 3, "2 at Lyon, none at Paris, 1 at the warehouse"
    assert [(p.point_id, p.on_hand, p.available, p.limited_by) for p in found.points] == [
        ("LYON", 2, 2, "PAN"),
        ("PARIS", 0, 0, "PAN"),
        ("WAREHOUSE", 1, 1, "DRESS"),
    ]


async def test_what_is_kept_back_or_barred_of_a_part_is_not_sold_in_a_bundle(shop: ShelfShop) -> None:
    await stock(shop, dress=5, pan=5)
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(sku="PAN", quantity=2),))], EDIT)
    assert await shop.shown("SET") == 1
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="PAN", reason="recall"),))], EDIT)
    found = await shop.figure("SET")
    assert (found.available_now, found.zero_reason) == (0, "PART PAN: EXCLUDED: recall")
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="PAN", point_id="LYON"),))], EDIT)
    (lyon,) = (await shop.figure("SET")).points
    assert (lyon.available, lyon.barred) == (0, "PART PAN: EXCLUDED")
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="SET", reason="not yet"),))], EDIT)
    assert await shop.shown("PAN") == 5, "a bundle that is not sold takes nothing from its parts"
    assert (await shop.figure("SET")).zero_reason == "EXCLUDED: not yet"


async def test_the_replicas_are_told_of_bundles_as_of_articles(shop: ShelfShop) -> None:
    rules = (BufferRule(sku="PAN", quantity=1),)
    routing = (BufferRule(sku="DRESS", quantity=3),)
    await shop.service.put_channels([with_rules(safety_stock=rules, routing_buffers=routing)], EDIT)
    await stock(shop, dress=4, pan=8)
    await stock(shop, "PARIS", dress=4)
    replica = await snapshot(shop)
    assert replica.positions[Position("SET", "LYON")] == StockPosition("SET", "LYON", 4, (web(1, 2),))
    assert replica.positions[Position("SET", "PARIS")] == StockPosition("SET", "PARIS", 0, (web(0, 0),))
    await shop.adjust(-7, "PAN")
    told = {Position(p.sku, p.point_id): p for p in (await next_change(shop, replica.sequence)).positions}
    assert told[Position("SET", "LYON")] == StockPosition("SET", "LYON", 0, (web(0, 0),))


async def test_a_bundle_that_changes_its_parts_is_told_at_every_point(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=8)
    await stock(shop, "PARIS", sofa=2)
    replica = await snapshot(shop)
    await shop.service.put_items([replace(SET, parts=(Part("SOFA", 1),))], EDIT)
    later = await snapshot(shop)
    first = await next_change(shop, replica.sequence)
    assert [one.sku for one in first.items] == ["SET"]
    assert later.positions[Position("SET", "PARIS")].free == 2
    assert Position("SET", "LYON") not in later.positions, "nothing of it there any more"


async def test_kept_images_follow_the_parts_of_a_bundle(shop: ShelfShop) -> None:
    projector = Projector(shop.engine, shop.bell, Bell(), clock=lambda: NOON)

    async def kept() -> int:
        while await projector.project():
            pass
        async with shop.engine.connect() as connection:
            return (await images_store.read(connection, "web", ["SET"]))["SET"].figures.available

    assert await kept() == 0
    await stock(shop, dress=4, pan=4)
    assert await kept() == 2
    await shop.reserve("ord_1", line("PAN", 1))
    assert await kept() == 1
    await shop.service.put_items([replace(SET, parts=(Part("DRESS", 1),))], EDIT)
    assert await kept() == 4


# -- what is held -----------------------------------------------------------------------------------------


async def test_a_bundle_is_held_by_its_sku_and_its_parts_are_what_moves(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=8)
    answer = await shop.reserve("ord_1", line("SET", 2))
    assert answer.reservation is not None
    assert answer.reservation.lines == (line("SET", 2),)
    assert await reserved(shop) == (2, 4)
    await shop.release("ord_1", line("SET", 1))
    assert await reserved(shop) == (1, 2)
    balances = await shop.issue("ord_1", line("SET", 1))
    assert {b.sku: (b.on_hand, b.reserved) for b in balances} == {"DRESS": (3, 0), "PAN": (6, 0)}
    assert (await shop.service.get_reservation("ord_1")).state is ReservationState.CLOSED
    await shop.assert_sound()


async def test_an_article_counts_twice_when_it_is_in_the_basket_alone_and_in_a_bundle(shop: ShelfShop) -> None:
    await stock(shop, dress=1, pan=2)
    refused = await shop.reserve("ord_1", line("SET", 1), line("PAN", 1))
    assert not refused.done
    assert [(s.sku, s.requested, s.available, s.free) for s in refused.shortfalls] == [("PAN", 1, 0, 0)]
    refused = await shop.reserve("ord_1", line("PAN", 1), line("SET", 1))
    assert [(s.sku, s.requested, s.available, s.free) for s in refused.shortfalls] == [("SET", 1, 0, 0)]
    assert await reserved(shop) == (0, 0)
    partly = await shop.reserve("ord_1", line("PAN", 1), line("SET", 1), partial=True)
    assert partly.done
    assert await reserved(shop) == (0, 1)
    await shop.assert_sound()


async def test_a_bundle_is_sold_beside_every_one_of_its_parts(shop: ShelfShop) -> None:
    await stock(shop, dress=2, pan=3)
    answer = await shop.reserve("ord_1", line("SET", 1), line("DRESS", 1), line("PAN", 1))
    assert answer.done
    assert await reserved(shop) == (2, 3)
    assert not (await shop.reserve("ord_2", line("DRESS", 1))).done
    await shop.assert_sound()


async def test_two_bundles_that_share_a_part_never_oversell_it(shop: ShelfShop) -> None:
    await shop.service.put_items([replace(item("DUO"), parts=(Part("SOFA", 1), Part("PAN", 1)))], EDIT)
    await stock(shop, dress=9, pan=3, sofa=9)
    answer = await shop.reserve("ord_1", line("SET", 1), line("DUO", 2))
    assert [(s.sku, s.available) for s in answer.shortfalls] == [("DUO", 1)]


async def test_the_last_bundle_is_sold_once_whoever_buys_its_parts(shop: ShelfShop) -> None:
    await stock(shop, dress=1, pan=2)
    wishes: Sequence[str] = ("SET", "DRESS") * 20
    answers = await asyncio.gather(*(shop.reserve(f"ord_{n}", line(sku, 1)) for n, sku in enumerate(wishes)))
    assert sum(answer.done for answer in answers) == 1
    assert (await reserved(shop))[0] == 1
    await shop.assert_sound()


async def test_what_is_held_keeps_the_parts_that_it_was_taken_with(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=8, sofa=3)
    await shop.reserve("ord_1", line("SET", 1))
    await shop.service.put_items([replace(SET, parts=(Part("SOFA", 1),))], EDIT)
    await shop.reserve("ord_1", line("SET", 1))
    assert await reserved(shop) == (2, 4), "more of the same for whoever has some"
    await shop.reserve("ord_2", line("SET", 1))
    assert (await shop.balance("SOFA")).reserved == 1
    await shop.release("ord_1")
    await shop.reserve("ord_1", line("SET", 1))
    assert await reserved(shop) == (0, 0), "whoever gave all back takes it as it is now"
    assert (await shop.balance("SOFA")).reserved == 2
    await shop.assert_sound()


async def test_a_bundle_moves_whole_and_is_refused_where_a_part_is_missing(shop: ShelfShop) -> None:
    await stock(shop, dress=1, pan=2)
    await stock(shop, "PARIS", dress=1, pan=1)
    await shop.reserve("ord_1", line("SET", 1))
    refused = await shop.move("ord_1", HoldMove("SET", "LYON", "PARIS", 1))
    assert not refused.done
    assert [(s.sku, s.point_id, s.available, s.free) for s in refused.shortfalls] == [("SET", "PARIS", 0, 0)]
    assert await reserved(shop) == (1, 2)
    await stock(shop, "PARIS", pan=1)
    assert (await shop.move("ord_1", HoldMove("SET", "LYON", "PARIS", 1))).done
    assert (await reserved(shop), await reserved(shop, "PARIS")) == ((0, 0), (1, 2))
    await shop.assert_sound()


async def test_a_bundle_does_not_join_one_with_other_parts(shop: ShelfShop) -> None:
    await stock(shop, dress=2, pan=4)
    await stock(shop, "PARIS", dress=2, pan=4)
    await shop.reserve("ord_1", line("SET", 1))
    await shop.service.put_items([replace(SET, parts=(Part("DRESS", 1),))], EDIT)
    await shop.reserve("ord_1", line("SET", 1, "PARIS"))
    with pytest.raises(FailedPrecondition) as refused:
        await shop.move("ord_1", HoldMove("SET", "LYON", "PARIS", 1))
    assert refused.value.reason == "OTHER_PARTS"
    await shop.assert_sound()


async def test_a_bundle_that_was_not_found_takes_all_its_parts_out_of_the_image(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=8)
    await shop.reserve("ord_1", line("SET", 1))
    await shop.report_short("ord_1", line("SET", 1))
    dress, pan = await shop.balance("DRESS"), await shop.balance("PAN")
    assert (dress.reserved, dress.unavailable, pan.reserved, pan.unavailable) == (0, 1, 0, 2)
    assert await shop.shown("SET") == 3
    await shop.give_back(1, "DRESS")
    await shop.assert_sound()


async def test_a_basket_with_a_bundle_expires_whole(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=8)
    await shop.reserve("basket", line("SET", 2), seconds=60)
    await shop.service.expire_reservations(NOON + timedelta(seconds=61), 10)
    assert await reserved(shop) == (0, 0)
    await shop.assert_sound()


async def test_nothing_is_missed_any_more_once_a_bundle_whose_part_was_sold_away_expires(shop: ShelfShop) -> None:
    await stock(shop, dress=2, pan=8)
    await shop.reserve("basket", line("SET", 2), seconds=60)
    await shop.sell(1)
    assert (await shop.balance("DRESS")).short == 1
    await shop.service.expire_reservations(NOON + timedelta(seconds=61), 10)
    dress = await shop.balance("DRESS")
    assert (dress.on_hand, dress.reserved, dress.short) == (1, 0, 0)
    await shop.assert_sound()


# -- what a bundle is not ---------------------------------------------------------------------------------


async def test_no_stock_is_put_on_a_bundle(shop: ShelfShop) -> None:
    roads, supply = Roads(shop), SupplyService(shop.engine, shop.bell)
    for field, asked in (
        ("deltas[0].sku", shop.adjust(1, "SET")),
        ("lines[0].sku", shop.receive(ReceiptLine("SET", 1, 1, 0))),
        ("skus[0]", shop.open_count("SET")),
        ("lines[0].sku", roads.ask(Quantity("SET", 1))),
        ("deliveries[0].sku", supply.put_deliveries([delivery(sku="SET")], NOON)),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await asked
        assert (refused.value.facts["field"], refused.value.reason) == (field, "BUNDLE_HAS_NO_STOCK")
    await stock(shop, dress=1)
    desk = Desk(shop)
    for content, header in (
        (files.snapshot(("DRESS", "LYON", 3), ("SET", "LYON", 2)), files.SNAPSHOT),
        (files.delta(("DRESS", "LYON", 1, 7), ("SET", "LYON", 2, 7)), files.DELTA),
    ):
        job = await desk.work(content, header)
        assert await desk.reasons(job.job_id) == {3: "BUNDLE_HAS_NO_STOCK"}
    assert (await shop.balance()).on_hand == 4


async def test_a_pre_ordered_bundle_becomes_held_parts(shop: ShelfShop) -> None:
    supply = Supply(shop)
    await supply.open()
    await supply.future.put_preorders([presale(sku="SET")])
    await supply.reserve("ord_1", pre(2))
    await stock(shop, dress=4, pan=8)
    assert (await supply.convert("ord_1", line("SET", 2))).hold.done
    assert await reserved(shop) == (2, 4)
    await supply.assert_sound()


async def test_a_bundle_is_released_with_the_last_of_its_parts(shop: ShelfShop) -> None:
    await shop.service.put_items([replace(item("PAN"), release_date="2026-12-24")], EDIT)
    found = await Supply(shop).figures("SET")
    assert (found.release_date, found.under_embargo) == ("2026-12-24", True)


async def test_a_bundle_at_the_till_leaves_and_comes_back_part_by_part(shop: ShelfShop) -> None:
    await stock(shop, dress=4, pan=3)
    sold = await shop.sell(2, "SET", request="ticket-1")
    assert sold.effect == Effect(taken=5, unknown=1), "2 dresses and 3 of 4 pans were on the books"
    assert await shop.sell(2, "SET", request="ticket-1") == sold
    assert ((await shop.balance("DRESS")).on_hand, (await shop.balance("PAN")).on_hand) == (2, 0)
    await shop.take_back(1, "SET")
    assert ((await shop.balance("DRESS")).on_hand, (await shop.balance("PAN")).on_hand) == (3, 2)
    await shop.assert_sound()


async def test_an_article_that_has_had_stock_is_refused_as_a_bundle(shop: ShelfShop) -> None:
    await stock(shop, sofa=1)
    await shop.adjust(-1, "SOFA")
    with pytest.raises(InvalidArgument) as refused:
        await shop.service.put_items([replace(item("SOFA"), parts=(Part("PAN", 1),))], EDIT)
    assert (refused.value.facts["field"], refused.value.reason) == ("items[0].parts", "HAS_STOCK")


async def test_of_two_bundles_that_would_be_parts_of_each_other_one_is_put(shop: ShelfShop) -> None:
    await shop.service.put_items([item("A"), item("B")], EDIT)
    one, other = replace(item("A"), parts=(Part("B", 1),)), replace(item("B"), parts=(Part("A", 1),))
    outcomes = await asyncio.gather(
        shop.service.put_items([one], EDIT), shop.service.put_items([other], EDIT), return_exceptions=True
    )
    assert sorted(isinstance(outcome, InvalidArgument) for outcome in outcomes) == [False, True]


# -- formats ----------------------------------------------------------------------------------------------


async def test_samples_never_eat_full_size_stock(shop: ShelfShop) -> None:
    full = replace(item("CREAM"), reference="CREAM-50")
    sample = replace(item("CREAM-S"), reference="CREAM-50", format="sample")
    await shop.service.put_items([full, sample], EDIT)
    await stock(shop, cream=2)
    await shop.adjust(5, "CREAM-S")
    assert [one.sku for one in await shop.service.list_items([], "", 10, reference="CREAM-50")] == [
        "CREAM",
        "CREAM-S",
    ]
    assert not (await shop.reserve("ord_1", line("CREAM-S", 6))).done, "though seven lie there of the reference"
    assert (await shop.reserve("ord_1", line("CREAM-S", 5))).done
    assert (await shop.shown("CREAM"), await shop.shown("CREAM-S")) == (2, 0)
    assert await shop.shown("CREAM", purpose=Purpose.SHIP) == 2
    with pytest.raises(InvalidArgument) as refused:
        await shop.service.put_items([replace(sample, sku="CREAM-T")], EDIT)
    assert refused.value.reason == "FORMAT_TAKEN"
