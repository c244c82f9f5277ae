"""Another article instead of what a pick lacks: it leaves the stock once, and costs what was ordered."""

import asyncio
from uuid import uuid4

import pytest

from oms.inventory.v1 import basket_service_pb2 as baskets
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as pb
from tests.workflows.test_order import _placed
from tests.workflows.world import NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until
from workflows.substituting import basket_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEPT_MINOR = 3 * PRICE_MINOR + SHIPPING_MINOR


async def _balance(world: World, sku: str) -> tuple[int, int, int]:
    """On hand, reserved and declared unavailable at NEAR."""
    asked = inv.ListBalancesRequest(skus=[sku], point_ids=[NEAR])
    (row,) = (await world.inventory.ListBalances(asked)).balances
    return row.on_hand, row.reserved, row.unavailable


async def _taken_over(world: World, work: pb.Fulfilment) -> None:
    """The story holds what is given; what it replaces is declared before."""

    async def look() -> bool:
        return not await world.in_basket(basket_of(work.fulfilment_id))

    await until(look, "the basket is the order's")


async def _lay_aside(world: World, work: pb.Fulfilment, sku: str, quantity: int) -> bool:
    """As whoever records a pick does it."""
    request = baskets.HoldBasketRequest(
        request_id=uuid4().hex,
        channel_id="web",
        basket_id=basket_of(work.fulfilment_id),
        lines=[baskets.BasketLine(sku=sku, quantity=quantity, point_id=NEAR)],
    )
    return (await world.baskets.HoldBasket(request)).held


async def _pick(world: World, work: pb.Fulfilment, found: int, other: str, quantity: int) -> pb.Fulfilment:
    request = pb.RecordPickRequest(
        request_id=f"pick/{work.fulfilment_id}",
        fulfilment_id=work.fulfilment_id,
        found=[pb.PlannedLine(line_number=1, quantity=found)],
        missing=[pb.MissingUnits(line_number=1, reason="damaged")],
        substituted=[pb.SubstitutedUnits(line_number=1, sku=other, quantity=quantity, title="Pears")],
        actor="store",
    )
    return (await world.orders.RecordPick(request)).fulfilment


async def _ships(world: World, work: pb.Fulfilment) -> None:
    work = await world.pack(work)
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))


async def _given_and_shipped(world: World) -> None:
    apples, pears = await world.stock({NEAR: 3}), await world.stock({NEAR: 4})
    order_id = await _placed(world, {apples: 3}, substitutes=True)
    work = await world.accept(order_id)
    assert await _lay_aside(world, work, pears, 2)
    work = await _pick(world, work, 1, pears, 2)
    assert [(line.sku, line.quantity, line.ordered_sku) for line in work.lines] == [
        (apples, 1, ""),
        (pears, 2, apples),
    ]
    await _taken_over(world, work)
    assert await _balance(world, apples) == (3, 1, 2)
    assert await _balance(world, pears) == (4, 2, 0)
    await _ships(world, work)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=KEPT_MINOR, sold={apples: 1, pears: 2})


async def _some_are_short_all_the_same(world: World) -> None:
    """One unit is replaced, one found nowhere: its money is not taken."""
    apples, pears = await world.stock({NEAR: 3}), await world.stock({NEAR: 1})
    order_id = await _placed(world, {apples: 3}, substitutes=True)
    work = await world.accept(order_id)
    assert await _lay_aside(world, work, pears, 1)
    await _ships(world, await _pick(world, work, 1, pears, 1))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=KEPT_MINOR - PRICE_MINOR, sold={apples: 1, pears: 1})


async def _cancelled_when_packed(world: World) -> None:
    """Both articles are in the closed parcel: sold to nobody, and held for nobody."""
    apples, pears = await world.stock({NEAR: 3}), await world.stock({NEAR: 2})
    order_id = await _placed(world, {apples: 3}, substitutes=True)
    work = await world.accept(order_id)
    assert await _lay_aside(world, work, pears, 2)
    work = await world.pack(await _pick(world, work, 1, pears, 2))
    await _taken_over(world, work)
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={apples: 0, pears: 0})
    assert await _balance(world, apples) == (3, 0, 3)
    assert await _balance(world, pears) == (2, 0, 2)


async def test_what_is_given_instead_leaves_the_stock_once_and_the_price_stays(world: World) -> None:
    await asyncio.gather(
        _given_and_shipped(world), _some_are_short_all_the_same(world), _cancelled_when_packed(world)
    )


async def test_what_somebody_else_holds_is_not_taken_from_them_and_a_person_is_asked(world: World) -> None:
    """Nobody laid it aside in time: the story waits until the books have a unit for this order."""
    apples, pears = await world.stock({NEAR: 3}), await world.stock({NEAR: 1})
    order_id = await _placed(world, {apples: 3}, substitutes=True)
    other = await _placed(world, {pears: 1})
    work = await _pick(world, await world.accept(order_id), 2, pears, 1)
    story = world.client.get_workflow_handle(f"fulfilment/{work.fulfilment_id}")

    async def is_blocked() -> bool:
        return bool(await story.query("blocked_by") == "SUBSTITUTE_NOT_HELD")

    await until(is_blocked, "a person is asked")
    assert await _balance(world, pears) == (1, 1, 0)
    await world.adjust(pears, NEAR, 1)
    await story.signal("resume")
    await _ships(world, work)
    assert await world.ended(order_id) == "CLOSED"
    await world.cancel(other)
    assert await world.ended(other) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=KEPT_MINOR, sold={apples: 2, pears: 1})
