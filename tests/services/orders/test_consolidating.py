"""Hubs on a real database: what comes to them, what is received, and requests that come twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import NotFound
from kit.feed import Bell
from services.orders.changing import Asked
from services.orders.consolidating import Consolidating
from services.orders.domain.capture import Outcome
from services.orders.domain.consolidating import Arrived
from services.orders.domain.model import Leg, Reach, Units, Window
from services.orders.domain.states import FulfilmentState
from services.orders.holding import Holding
from tests.services.orders.builders import COOLED, NOON, PROMISE, Shop, leg, line, rows

HUB = "hub"
DAY = timedelta(days=1)
ARRIVAL = Window(NOON + DAY, NOON + DAY + timedelta(hours=4))


@pytest.fixture
def hubs(orders_db: AsyncEngine) -> Consolidating:
    return Consolidating(orders_db, Bell())


def to_hub(quantity: int, point: str) -> Leg:
    return replace(leg((1, quantity), point=point), window=ARRIVAL, via_point_id=HUB)


async def meeting(shop: Shop, key: str = "key-1") -> tuple[str, str, str]:
    """An order of three units, and its works: two of Lyon that are on their way, and one at the hub."""
    order_id = await shop.record(key, line(1, 3))
    own = replace(leg((1, 1), point=HUB), carrier_id="", service_id="", via_point_id=HUB)
    planned = await shop.service.accept_order(
        shop.asked(),
        order_id,
        [to_hub(2, "store-lyon"), own],
        PROMISE,
        "dec_1",
        "authorized",
        NOON,
        onward=leg(point=HUB, hours=36),
    )
    lyon, hub = (one.fulfilment_id for one in planned.fulfilments)
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    for work in (lyon, hub):
        await shop.service.offer_fulfilment(shop.asked(), work, COOLED)
    await shop.pack(lyon, captured=False)
    await shop.service.hand_over(shop.asked(), lyon, f"T-{key}", "bob", NOON)
    return order_id, lyon, hub


async def test_an_order_that_meets_at_a_hub_is_lived_to_its_end(
    shop: Shop, hubs: Consolidating, orders_db: AsyncEngine
) -> None:
    order_id, lyon, hub = await meeting(shop)
    (arrival,) = await hubs.list_arrivals([HUB], 10, None)
    assert (arrival.work.fulfilment_id, arrival.hub_point_id, arrival.is_cancelled) == (lyon, HUB, False)
    assert await hubs.list_arrivals(["store-lyon"], 10, None) == []
    assert await hubs.list_arrivals([], 10, arrival.position) == []
    assert [one.point_id for one in await shop.service.list_work([HUB], [], 10, None)] == [], "it waits"
    view = await shop.service.get_order(order_id)
    assert (view.customer_status, view.fine_status) == ("validated", "to consolidate")
    seen = await shop.service.get_fulfilment(lyon)
    assert (seen.ship_to, seen.hub_point_id) == (None, HUB)
    (due,) = await shop.service.list_obligations([order_id], "", 1)
    assert due.units == (("SKU-1", HUB, 1),), "what is on its way is held nowhere"
    for reach in (Reach(frozenset({"store-lyon"})), Reach(frozenset({HUB}), frozenset({"another"}))):
        with pytest.raises(NotFound):
            await hubs.receive(Asked("r0", b"", reach), lyon, [Arrived(1, 2)], "henri", NOON + DAY)
    asked = Asked("r1", b"", Reach(frozenset({HUB})))
    for _ in range(2):
        got = await hubs.receive(asked, lyon, [Arrived(1, 2)], "henri", NOON + DAY)
        assert got.state is FulfilmentState.DELIVERED
    assert await hubs.list_arrivals([HUB], 10, None) == []
    assert (await shop.service.offer_fulfilment(shop.asked(), hub, NOON + DAY)).state is FulfilmentState.OFFERED
    await shop.service.accept_offer(shop.asked(), hub, "henri", NOON + DAY)
    await shop.service.record_pick(shop.asked(), hub, [Units(1, "SKU-1", 3)], "henri", NOON + DAY)
    packed = await shop.service.close_parcel(shop.asked(), hub, 900, "henri", NOON + DAY)
    assert packed.parcel is not None
    assert packed.parcel.amount_minor == view.order.content.total.amount_minor
    assert (await shop.service.list_obligations([order_id], "", 1))[0].units == (("SKU-1", HUB, 1),)
    await shop.service.record_capture(shop.asked(), hub, Outcome("captured", "", "", NOON + DAY))
    await shop.service.hand_over(shop.asked(), hub, "T-2", "henri", NOON + DAY)
    await shop.scan("e1", "T-2", "delivered", NOON + 2 * DAY)
    assert (await shop.service.close_order(shop.asked(), order_id, NOON + 2 * DAY)).value == "closed"
    told = [one.type for one in await rows(orders_db, "SELECT type FROM outbox ORDER BY id")]
    assert told.count("oms.orders.fulfilment.handed_over") == 1
    assert told.count("oms.orders.fulfilment.received") == 1
    assert told.count("oms.orders.fulfilment.delivered") == 1


async def test_goods_of_a_cancelled_order_are_told_to_the_hub_and_go_to_its_stock(
    shop: Shop, hubs: Consolidating, orders_db: AsyncEngine
) -> None:
    order_id, lyon, _ = await meeting(shop)
    await shop.service.request_cancellation(shop.asked(), order_id, "", "ines", NOON)
    await shop.service.complete_cancellation(shop.asked(), order_id, NOON)
    (arrival,) = await hubs.list_arrivals([HUB], 10, None)
    assert arrival.is_cancelled
    await hubs.receive(shop.asked(), lyon, [Arrived(1, 1, damaged=1)], "henri", NOON + DAY)
    (back,) = await rows(
        orders_db, "SELECT subject, data FROM outbox WHERE type = 'oms.orders.order.inbound_units_back'"
    )
    assert back.subject.startswith("restock/")
    assert (back.data["point_id"], back.data["lines"][0]["quantity"]) == (HUB, 1)


async def test_what_comes_after_the_others_have_left_is_work_of_its_own(
    shop: Shop, hubs: Consolidating, orders_db: AsyncEngine
) -> None:
    order_id, lyon, hub = await meeting(shop)
    order = (await shop.service.get_order(order_id)).order
    (hold,) = (one for one in order.holds if one.fulfilment_id == hub)
    holding = Holding(orders_db, Bell())
    await holding.release_hold(shop.asked(), order_id, hold.hold_id, "", "ines", ["customer_service"], NOON)
    await shop.service.offer_fulfilment(shop.asked(), hub, NOON)
    await shop.pack(hub)
    await hubs.receive(shop.asked(), lyon, [Arrived(1, 2)], "henri", NOON + DAY)
    works = (await shop.service.get_order(order_id)).order.fulfilments
    assert [(one.point_id, one.state.value) for one in works] == [
        ("store-lyon", "delivered"),
        (HUB, "packed"),
        (HUB, "planned"),
    ]
    assert works[2].lines[0].quantity == 2
