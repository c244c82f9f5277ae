"""Points compete for work: the life of an order in each way in which it can go."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition
from kit.times import from_proto
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import offers_service_pb2 as ofr
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_capacity import takings
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, RING_SECONDS, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
RING = timedelta(seconds=RING_SECONDS + 1)


async def placed(world: World, units: dict[str, int], channel: str = "contest") -> tuple[str, str]:
    """An order of one unit, and its article."""
    sku = await world.stock(units)
    recorded = await world.record({sku: 1}, channel=channel)
    await world.place(recorded)
    return recorded.order.order_id, sku


async def balance(world: World, sku: str, point: str) -> inv.Balance:
    reply = await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku], point_ids=[point]))
    return reply.balances[0]


async def offer_states(world: World, order_id: str) -> dict[str, str]:
    found = (await world.offers.ListOffers(ofr.ListOffersRequest(order_id=order_id))).offers
    return {one.point_id: ofr.OfferState.Name(one.state).removeprefix("OFFER_STATE_") for one in found}


async def delivered(world: World, order_id: str, sku: str) -> orders.Fulfilment:
    await world.prepare(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})
    *_, work = (await world.order(order_id)).fulfilments
    return work


async def test_the_first_to_take_it_has_it_with_its_hold_its_leg_and_its_room(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1, FAR: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    assert (await balance(world, sku, NEAR)).reserved == 1
    assert [one.point_id for one in await takings(world, order_id)] == [NEAR]
    assert await world.win(work, MID)
    with pytest.raises(FailedPrecondition) as refused:
        await world.take(work, NEAR)
    assert refused.value.reason == "OFFER_GONE"
    assert [(await balance(world, sku, one)).reserved for one in (NEAR, MID)] == [0, 1]

    async def followed() -> bool:
        return [one.point_id for one in await takings(world, order_id)] == [MID]

    await until(followed, "the room of the winner")
    assert await offer_states(world, order_id) == {NEAR: "LOST", MID: "ACCEPTED"}
    assert (await delivered(world, order_id, sku)).point_id == MID


async def test_the_planned_point_takes_it_without_any_move(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    assert await world.take(work, NEAR) is None
    assert (await delivered(world, order_id, sku)).point_id == NEAR
    assert world.faults.seen[order_id, "move_room"] == 0


async def test_all_of_a_ring_refused_and_the_next_is_asked_at_once_then_the_planned_point_is_out(
    world: World,
) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1, FAR: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR)
    await world.decline(work, MID, "no_staff")
    assert await world.asked_for(order_id, FAR) == work
    await world.decline(work, FAR, "other")
    # Nobody is left in this order: its units find no place.
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    assert await takings(world, order_id) == []


async def test_the_next_ring_is_of_points_that_have_what_is_left_of_the_work(world: World) -> None:
    sku = await world.stock({NEAR: 2, MID: 1})
    recorded = await world.record({sku: 2}, channel="contest")
    order_id = recorded.order.order_id
    await world.place(recorded)
    work = await world.asked_for(order_id, NEAR)
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    await world.decline(work, NEAR)
    assert await world.asked_for(order_id, MID) == work
    assert await world.win(work, MID)
    assert (await delivered(world, order_id, sku)).point_id == MID


async def test_nobody_answers_ring_after_ring_and_the_planned_point_has_it(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1, FAR: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    await world.clock.fast_forward(world.work_story(work), RING)
    await world.asked_for(order_id, FAR)
    await world.clock.fast_forward(world.work_story(work), RING)
    assert (await delivered(world, order_id, sku)).point_id == NEAR
    assert set((await offer_states(world, order_id)).values()) == {"LAPSED"}


async def test_a_point_that_has_no_unit_after_all_does_not_have_it_and_the_others_go_on(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    # Sold over the counter since it was offered.
    await world.inventory.AdjustStock(
        inv.AdjustStockRequest(
            request_id=f"sold/{sku}",
            deltas=[inv.StockDelta(sku=sku, point_id=MID, quantity=-1)],
            cause=inv.Cause(cause="sale", actor="till", source="test"),
        )
    )
    assert not await world.win(work, MID)
    assert await offer_states(world, order_id) == {NEAR: "OPEN", MID: "REFUSED"}
    assert await world.win(work, NEAR)
    await world.prepare(order_id)
    assert await world.ended(order_id) == "CLOSED"


async def test_what_the_planned_point_does_not_find_is_sold_to_nobody_and_another_takes_it(
    world: World,
) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR, "not_found")

    async def declared() -> bool:
        return (await balance(world, sku, NEAR)).unavailable == 1

    await until(declared, "declared unavailable")
    assert (await balance(world, sku, NEAR)).reserved == 1
    assert await offer_states(world, order_id) == {NEAR: "REFUSED", MID: "OPEN"}
    assert await world.win(work, MID)
    await world.prepare(order_id)
    assert await world.ended(order_id) == "CLOSED"
    at_near = await balance(world, sku, NEAR)
    assert (at_near.on_hand, at_near.reserved, at_near.unavailable) == (1, 0, 1)


async def test_another_point_that_does_not_find_it_sells_it_to_nobody_either(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 3})
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, MID, "damaged")

    async def declared() -> bool:
        return (await balance(world, sku, MID)).unavailable == 1

    await until(declared, "declared unavailable")
    assert await world.win(work, NEAR)
    await world.prepare(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert [(await balance(world, sku, point)).unavailable for point in (NEAR, MID)] == [0, 1]


async def test_the_planned_point_refused_and_nobody_took_it_then_it_is_planned_without_those_who_refused(
    world: World,
) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1, FAR: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR, "not_found")
    await world.decline(work, MID)
    await world.asked_for(order_id, FAR)
    await world.clock.fast_forward(world.work_story(work), RING)
    # FAR kept silent: it did not refuse, and is planned now.
    again = await world.asked_for(order_id, FAR)
    assert again != work
    assert await world.take(again, FAR) is None
    await world.prepare(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert (await world.order(order_id)).fulfilments[-1].point_id == FAR
    assert (await balance(world, sku, NEAR)).unavailable == 1


async def test_work_that_nobody_takes_waits_for_a_person_who_gives_it_to_a_point(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1}, channel="asked")
    work = await world.asked_for(order_id, NEAR, MID)
    await world.clock.fast_forward(world.work_story(work), RING)
    story = world.work_story(work)

    async def unclaimed() -> bool:
        return (await world.order(order_id)).HasField("unclaimed_since") and bool(await story.query("blocked_by"))

    await until(unclaimed, "a person is asked")
    assert await story.query("blocked_by") == "UNCLAIMED"
    listed = await world.orders.ListOrders(orders.ListOrdersRequest(unclaimed=True))
    assert order_id in {one.order_id for one in listed.orders}
    claim = await world.assign(work, MID)
    assert await world.move(claim)
    await world.settle(claim, held=True)
    assert (await delivered(world, order_id, sku)).point_id == MID
    assert await story.query("blocked_by") == ""
    assert not (await world.order(order_id)).HasField("unclaimed_since")


async def test_a_cancellation_undoes_everything_whoever_was_about_to_have_it(
    world: World,
) -> None:
    async def while_offered() -> None:
        order_id, sku = await placed(world, {NEAR: 1, MID: 1})
        await world.asked_for(order_id, NEAR, MID)
        await cancelled(order_id, sku)

    async def while_unclaimed() -> None:
        order_id, sku = await placed(world, {NEAR: 1, MID: 1}, channel="asked")
        work = await world.asked_for(order_id, NEAR, MID)
        await world.decline(work, NEAR)
        await world.decline(work, MID)

        async def unclaimed() -> bool:
            return (await world.order(order_id)).HasField("unclaimed_since")

        await until(unclaimed, "a person is asked")
        await cancelled(order_id, sku)

    async def while_claimed() -> None:
        order_id, sku = await placed(world, {NEAR: 1, MID: 1})
        claim = await world.take(await world.asked_for(order_id, NEAR, MID), MID)
        assert claim
        assert await world.move(claim)
        await world.cancel(order_id)
        settled = await world.settle(claim, held=True)
        assert settled.state == ofr.OFFER_STATE_WITHDRAWN
        await cancelled(order_id, sku)

    async def before_the_move() -> None:
        order_id, sku = await placed(world, {NEAR: 1, MID: 1})
        claim = await world.take(await world.asked_for(order_id, NEAR, MID), MID)
        assert claim
        await cancelled(order_id, sku)
        with pytest.raises(FailedPrecondition):
            await world.move(claim)
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def cancelled(order_id: str, sku: str) -> None:
        await world.cancel(order_id)
        assert await world.ended(order_id) == "CANCELLED"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
        assert await takings(world, order_id) == []
        states = set((await offer_states(world, order_id)).values())
        assert not states & {"OPEN", "CLAIMED", "ACCEPTED"}

    await asyncio.gather(while_offered(), while_unclaimed(), while_claimed(), before_the_move())


@pytest.mark.parametrize("died", ["after the claim", "after the move", "after the refusal of the move"])
async def test_a_gateway_that_dies_leaves_a_claim_that_the_story_settles(world: World, died: str) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    if died == "after the refusal of the move":
        sold = inv.StockDelta(sku=sku, point_id=MID, quantity=-1)
        cause = inv.Cause(cause="sale", actor="till", source="test")
        await world.inventory.AdjustStock(
            inv.AdjustStockRequest(request_id=f"sold/{sku}", deltas=[sold], cause=cause)
        )
    claim = await world.take(work, MID)
    assert claim
    if died != "after the claim":
        await world.move(claim)
    if died == "after the refusal of the move":

        async def refused() -> bool:
            return (await offer_states(world, order_id))[MID] == "REFUSED"

        await until(refused, "the claim is settled by the story")
        assert await world.win(work, NEAR)
        await world.prepare(order_id)
        assert await world.ended(order_id) == "CLOSED"
        return
    assert (await delivered(world, order_id, sku)).point_id == MID
    # Whoever repeats it after that is told the same.
    assert await world.take(work, MID) == claim
    assert await world.move(claim)
    assert (await world.settle(claim, held=True)).state == ofr.OFFER_STATE_ACCEPTED


async def test_the_winners_milestones_are_watched_and_answers_are_measured(world: World) -> None:
    order_id, sku = await placed(world, {NEAR: 1, MID: 1})
    work = await world.asked_for(order_id, NEAR, MID)
    assert await world.win(work, MID)
    [found] = (await world.order(order_id)).fulfilments
    assert from_proto(found.latest_start) < from_proto(found.hand_over_by) < from_proto(found.window.end)
    [won] = (await world.offers.ListOffers(ofr.ListOffersRequest(fulfilment_id=work, point_ids=[MID]))).offers
    assert from_proto(won.answered_at) >= from_proto(won.offered_at)
    await delivered(world, order_id, sku)


STEPS = (
    "rank_points",
    "offer_ring",
    "look_at_offers",
    "move_room",
    "settle_claim",
    "end_offering",
    "declare_doubted",
)
Life = Callable[[World, str], Awaitable[None]]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault is Fault.TASK_LOST else pytest.mark.attack)
        for fault in (Fault.FAILS_ONCE, Fault.ANSWER_LOST, Fault.TAKEN_TWICE, Fault.TASK_LOST)
    ],
)
async def test_a_step_that_fails_and_comes_back_changes_nothing(world: World, fault: Fault) -> None:
    """The planned point does not find it, another takes it and its gateway dies; or nobody answers at all."""

    async def live(step: str) -> None:
        sku = await world.stock({NEAR: 1, MID: 1})
        recorded = await world.record({sku: 1}, channel="contest")
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)
        work = await world.asked_for(order_id, NEAR, MID)
        if step == "end_offering":
            await world.clock.fast_forward(world.work_story(work), RING)
        else:
            await world.decline(work, NEAR, "not_found")
            assert await world.take(work, MID)
        await world.prepare(order_id)
        assert await world.ended(order_id) == "CLOSED", step
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        assert (await world.order(order_id)).fulfilments[0].point_id == (NEAR if step == "end_offering" else MID)
        assert [(await balance(world, sku, one)).reserved for one in (NEAR, MID)] == [0, 0]

    await asyncio.gather(*(live(step) for step in STEPS))
