"""Orders that wait for stock to come: it comes, late, short or never; and nobody has the same unit."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from kit.times import from_proto, now
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH_RECOVERABLE, _ends, _with_help
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until
from workflows.messages import Placement

pytestmark = pytest.mark.asyncio(loop_scope="module")
# There is one at MID alone, so that the planner knows the article.
ELSEWHERE = {MID: 1}


def money(units: int) -> int:
    return units * PRICE_MINOR + SHIPPING_MINOR


async def _coming(world: World, units: int, there: dict[str, int] | None = None) -> tuple[str, str]:
    """An article, and a delivery of it to NEAR that may be promised with what is there."""
    there = ELSEWHERE if there is None else there
    sku = await world.stock(there)
    delivery_id = await world.expect(sku, units)
    await world.is_promised(sku, units + sum(there.values()), may_wait=True)
    return sku, delivery_id


async def _place(world: World, sku: str, quantity: int, **options: Any) -> tuple[str, Placement | None]:
    recorded = await world.record({sku: quantity}, may_wait=True, **options)
    return recorded.order.order_id, await world.place(recorded)


async def _waits(world: World, units: int = 2, **options: Any) -> tuple[str, str, str]:
    """An order of units that all come with one delivery."""
    sku, delivery_id = await _coming(world, units)
    order_id, _ = await _place(world, sku, units, **options)
    await world.hold_of(order_id, "stock")
    return sku, delivery_id, order_id


async def _awaited(world: World, order_id: str) -> int:
    works = (await world.order(order_id)).fulfilments
    return sum(one.quantity for work in works for one in work.awaited)


async def _comes_to(world: World, order_id: str, awaited: int) -> None:
    async def look() -> bool:
        return await _awaited(world, order_id) == awaited

    await until(look, f"{order_id} waits for {awaited}")


async def _released(world: World, order_id: str) -> None:
    await world.work_in(order_id, orders.FULFILMENT_STATE_PLANNED)

    async def look() -> bool:
        return (await world.order(order_id)).state == orders.ORDER_STATE_RELEASED

    await until(look, "released")


async def _settled(world: World, order_id: str, sku: str, delivery_id: str, units: int, sold: int) -> None:
    await world.assert_settled(order_id, kept_minor=money(units) if units else 0, sold={sku: sold})
    assert (await world.expected(delivery_id)).held == 0


async def test_an_order_waits_for_a_delivery_says_so_and_goes_on_when_all_of_it_came(world: World) -> None:
    sku, delivery_id = await _coming(world, 2)
    order_id, placement = await _place(world, sku, 2)
    assert placement is not None
    assert placement.state == "validated"
    order = await world.order(order_id)
    (work,) = order.fulfilments
    (units,) = work.awaited
    assert (units.sku, units.quantity, units.supply_id) == (sku, 2, delivery_id)
    hold = await world.hold_of(order_id, "stock")
    assert hold.fulfilment_id == work.fulfilment_id
    assert hold.reason == f"it waits for 2 x {sku} of {delivery_id}"
    assert hold.default == "wait"
    assert from_proto(hold.until) == from_proto(units.due_at) > now() + timedelta(days=4)
    assert from_proto(order.promise.end) > from_proto(hold.until)
    assert (await world.expected(delivery_id)).held == 2
    with pytest.raises(FailedPrecondition, match="NOT_THERE"):
        await world.let_go(order_id, hold.hold_id)
    _, refused = await _place(world, sku, 2)
    assert refused is not None
    assert refused.state == "refused", "what one waits for, nobody else can have"
    await world.receive(delivery_id, 1)
    await _comes_to(world, order_id, 1)
    await world.hold_of(order_id, "stock")
    assert await world.holds_of(sku) == {NEAR: 1}
    await world.receive(delivery_id, 1)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    ended = next(one for one in (await world.order(order_id)).holds if one.kind == "stock")
    assert ended.outcome == "met"
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_without_leave_nobody_waits(world: World) -> None:
    sku, _ = await _coming(world, 2)
    recorded = await world.record({sku: 2})
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "refused"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})


async def test_of_many_that_want_the_last_unit_to_come_one_has_it(world: World) -> None:
    sku, delivery_id = await _coming(world, 2)
    placed = await asyncio.gather(*(_place(world, sku, 2) for _ in range(6)))
    won = [order_id for order_id, placement in placed if placement and placement.state == "validated"]
    assert len(won) == 1
    assert (await world.expected(delivery_id)).held == 2
    for order_id, _ in placed:
        await world.cancel(order_id) if order_id in won else None
        await _ends(world, order_id, "CANCELLED" if order_id in won else "REFUSED")
        await _settled(world, order_id, sku, delivery_id, 0, sold=0) if order_id in won else None


async def test_what_is_there_waits_for_what_is_to_come_with_it(world: World) -> None:
    """One parcel of both: the unit on the shelf is held, and stays when the order is cancelled."""
    sku, delivery_id = await _coming(world, 1, {NEAR: 1})
    order_id, _ = await _place(world, sku, 2)
    await world.hold_of(order_id, "stock")
    assert await world.holds_of(sku) == {NEAR: 1}
    assert await _awaited(world, order_id) == 1
    await _released(world, order_id)
    await world.cancel(order_id)
    await _ends(world, order_id, "CANCELLED")
    await _settled(world, order_id, sku, delivery_id, 0, sold=0)


async def test_units_that_will_not_come_are_sent_from_elsewhere_and_the_rest_goes_on(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world)
    await world.receive(delivery_id, 1, close=True)
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.ship(order_id)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    works = (await world.order(order_id)).fulfilments
    assert sorted(work.point_id for work in works) == [MID, NEAR]
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_units_that_will_not_come_and_are_nowhere_else_are_cancelled_and_never_captured(
    world: World,
) -> None:
    sku, delivery_id, order_id = await _waits(world, units=3)
    await world.cancel_expected(delivery_id)
    # One of three is at MID.
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 1, sold=1)


async def test_a_late_delivery_is_waited_for_and_the_customer_is_told(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world)
    before = await world.order(order_id)
    await _released(world, order_id)
    await world.put_expected(await world.expected(delivery_id), days=9)

    async def told() -> bool:
        return bool((await world.order(order_id)).promise_changes)

    await until(told, "the customer is told")
    after = await world.order(order_id)
    hold = await world.hold_of(order_id, "stock")
    assert from_proto(hold.until) - from_proto(before.fulfilments[0].awaited[0].due_at) == timedelta(days=4)
    assert from_proto(after.current_promise.end) >= from_proto(before.promise.end) + timedelta(days=4)
    assert (await world.expected(delivery_id)).held == 2
    await world.receive(delivery_id, 2)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_a_late_delivery_is_left_for_a_place_that_has_the_units(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world)
    await _released(world, order_id)
    await world.adjust(sku, FAR, 2)
    await world.is_promised(sku, 3)
    await world.put_expected(await world.expected(delivery_id), days=20)
    work = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    assert work.point_id == FAR
    assert (await world.expected(delivery_id)).held == 0
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_lines_that_are_cancelled_are_not_waited_for(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world, units=3)
    await _released(world, order_id)
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    assert (await world.expected(delivery_id)).held == 2
    assert await _awaited(world, order_id) == 2
    await world.receive(delivery_id, 3)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_a_unit_that_comes_while_it_is_cancelled_is_given_back(world: World) -> None:
    """Whichever of both is first, and whatever the story has heard of it."""

    async def live() -> None:
        sku, delivery_id, order_id = await _waits(world, units=2)
        await _released(world, order_id)
        await asyncio.gather(world.receive(delivery_id, 2), world.cancel_lines(order_id, {1: 1}))
        await world.ship(order_id)
        await _ends(world, order_id, "CLOSED")
        await _settled(world, order_id, sku, delivery_id, 1, sold=1)

    await asyncio.gather(*(live() for _ in range(4)))


async def test_other_content_is_had_from_what_is_there_or_the_order_waits_on(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world, channel="slow")
    await world.propose(order_id, {sku: 3})
    refused = await world.change_in(order_id, "refused")
    assert refused.refusal.reason == "STOCK_UNAVAILABLE"
    assert (await _awaited(world, order_id), (await world.expected(delivery_id)).held) == (2, 2)
    await world.propose(order_id, {sku: 1})
    await world.change_in(order_id, "applied")
    assert (await _awaited(world, order_id), (await world.expected(delivery_id)).held) == (0, 0)
    assert await world.holds_of(sku) == {MID: 1}
    await world.cools_off(order_id)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 1, sold=1)


async def test_a_unit_that_comes_while_the_order_becomes_another_is_given_back(world: World) -> None:
    """Half of what it waits for is there already; the rest comes while it is changed."""
    sku, delivery_id, order_id = await _waits(world, channel="slow")
    other = await world.stock({NEAR: 1})
    await world.receive(delivery_id, 1)
    await asyncio.gather(world.receive(delivery_id, 1), world.propose(order_id, {other: 1}))
    await world.change_in(order_id, "applied")
    await world.cools_off(order_id)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 1, sold=0)


async def test_customer_service_ends_the_waiting_when_the_units_can_be_had_and_never_loses_any(
    world: World,
) -> None:
    """One of two came; for the other there is first nothing elsewhere, then one."""
    sku, delivery_id = await _coming(world, 2)
    order_id, _ = await _place(world, sku, 3)
    await _released(world, order_id)
    await world.receive(delivery_id, 1)
    await _comes_to(world, order_id, 1)
    await world.plan_again(order_id)
    refused = await world.change_in(order_id, "refused")
    assert refused.refusal.reason == "STOCK_UNAVAILABLE"
    assert (await _awaited(world, order_id), (await world.expected(delivery_id)).held) == (1, 1)
    await world.bring(sku, FAR, 1)
    await world.plan_again(order_id)
    await world.change_in(order_id, "applied")
    assert (await _awaited(world, order_id), (await world.expected(delivery_id)).held) == (0, 0)
    for _ in range(3):
        await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    assert (await world.order(order_id)).fulfilments[-1].point_id == FAR
    await _settled(world, order_id, sku, delivery_id, 3, sold=3)


async def test_who_stops_waiting_when_all_of_it_has_come_is_told_so(world: World) -> None:
    sku, delivery_id, order_id = await _waits(world)
    await _released(world, order_id)
    world.faults.plan(order_id, "record_supply", Fault.FAILS_FOR_GOOD)
    await world.receive(delivery_id, 2)

    async def asks() -> bool:
        return bool(await world.story(order_id).query("blocked_by"))

    await until(asks, "the story needs a person")
    # The order does not know yet that it came, and lets somebody ask.
    await world.plan_again(order_id)
    await world.story(order_id).signal("resume")
    refused = await world.change_in(order_id, "refused")
    assert refused.refusal.reason == "NOTHING_AWAITED"
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


async def test_a_delivery_that_comes_while_the_order_stops_waiting_is_given_back(world: World) -> None:
    """Whichever of both is first."""
    sku, delivery_id = await _coming(world, 1, {MID: 1})
    order_id, _ = await _place(world, sku, 2)
    await _released(world, order_id)
    await world.bring(sku, FAR, 1)
    told = await asyncio.gather(world.receive(delivery_id, 1), world.plan_again(order_id), return_exceptions=True)
    assert all("NOTHING_AWAITED" in str(one) for one in told if isinstance(one, Exception))
    await world.ship(order_id)
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await _settled(world, order_id, sku, delivery_id, 2, sold=2)


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_waiting_survives_failures_of_its_steps(world: World, fault: Fault) -> None:
    async def came(step: str) -> None:
        sku, delivery_id = await _coming(world, 2)
        recorded = await world.record({sku: 2}, may_wait=True)
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)
        await world.hold_of(order_id, "stock")
        await world.receive(delivery_id, 1, close=True)
        await world.ship(order_id)
        await world.ship(order_id)
        await _ends(world, order_id, "CLOSED")
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await _settled(world, order_id, sku, delivery_id, 2, sold=2)

    async def cancelled() -> None:
        sku, delivery_id, order_id = await _waits(world)
        world.faults.plan(order_id, "release_supply", fault)
        await world.cancel(order_id)
        await _with_help(world, order_id, _ends(world, order_id, "CANCELLED"))
        await _settled(world, order_id, sku, delivery_id, 0, sold=0)

    await asyncio.gather(
        *(came(step) for step in ("reserve_supply", "record_supply", "reroute_units")), cancelled()
    )
