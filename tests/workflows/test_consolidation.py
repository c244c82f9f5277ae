"""Parcels that meet at a hub: joined and sent as one, late, lost, missing, refused, cancelled under way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH_RECOVERABLE, _ends, _with_help
from tests.workflows.world import BESIDE, ENGRAVED, FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
HANDED_OVER = orders.FULFILMENT_STATE_HANDED_OVER
BOTH = 2 * PRICE_MINOR + SHIPPING_MINOR
ONE = PRICE_MINOR + SHIPPING_MINOR


async def _placed(world: World, **more: int) -> tuple[str, str, str]:
    """Articles of the hub and of MID (and of `more` points), and an order of one of each, which meet at NEAR."""
    here, there = await world.stock({NEAR: 1}), await world.stock({MID: 1} | more)
    recorded = await world.record({here: 1, there: 1}, channel="meeting")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    return here, there, recorded.order.order_id


async def _under_way(world: World, **more: int) -> tuple[str, str, str, orders.Fulfilment]:
    here, there, order_id = await _placed(world, **more)
    return here, there, order_id, await world.send_on(order_id, MID)


async def _sent_from_hub(world: World, order_id: str) -> None:
    await world.deliver(await world.send_on(order_id, NEAR))


async def _balance(world: World, sku: str, point: str) -> tuple[int, int]:
    """On hand and reserved."""
    rows = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    return next(((row.on_hand, row.reserved) for row in rows if row.point_id == point), (0, 0))


async def _parcels(world: World, order_id: str) -> int:
    """That the customer had."""
    works = (await world.order(order_id)).fulfilments
    return sum(one.state == orders.FULFILMENT_STATE_DELIVERED and not one.joins for one in works)


async def _comes_to_stock(world: World, sku: str, hub: str = NEAR) -> None:
    async def look() -> bool:
        return await _balance(world, sku, hub) == (1, 0)

    await until(look, f"{sku} in the stock of the hub")


async def test_two_points_prepare_and_one_parcel_leaves_the_hub_with_all_the_money(world: World) -> None:
    here, there, order_id, parcel = await _under_way(world)
    order = await world.order(order_id)
    hub = next(row for row in order.fulfilments if row.consolidates)
    assert (hub.point_id, parcel.joins) == (NEAR, hub.fulfilment_id)
    hold = await world.hold_of(order_id, "consolidation")
    assert hold.reason == f"it waits for 1 unit from {MID}"
    await until(lambda: _is_issued(world, there), "issued at MID")
    assert await world.holds_of(here) == {NEAR: 1}
    assert (await world.payment(order_id)).captured.amount_minor == 0
    with pytest.raises(Exception, match="NOT_INBOUND"):
        await world.arrive(hub)
    await world.arrive(parcel)
    await _sent_from_hub(world, order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})
    moved = (await world.inventory.ListMovements(inv.ListMovementsRequest(sku=there))).movements
    assert {row.point_id for row in moved} == {MID}, "it was never stock of the hub"


async def _is_issued(world: World, sku: str) -> bool:
    return await _balance(world, sku, MID) == (0, 0)


async def test_what_was_sent_has_left_the_stock_though_all_is_heard_at_once(world: World) -> None:
    """The answers of the offers come when the parcel is on its way and the order is cancelled."""
    here, there = await world.stock({NEAR: 1}), await world.stock({MID: 1})
    recorded = await world.record({here: 1, there: 1}, channel="meeting")
    order_id = recorded.order.order_id

    async def meanwhile() -> None:
        await world.send_on(order_id, MID)
        await world.cancel(order_id)
        await world.has_told(order_id, "oms.orders.fulfilment.cancelled")

    world.faults.plan(order_id, "offer_fulfilment", Fault.ANSWER_LATE, meanwhile, times=2)
    await world.place(recorded)
    await _ends(world, order_id, "CANCELLED")
    assert world.faults.is_spent(order_id)
    await world.assert_settled(order_id, kept_minor=0, sold={here: 0, there: 1})


async def test_a_task_that_fails_while_a_hub_is_followed_is_run_again(world: World) -> None:
    """The first step after the release is taken by what follows the hub, and not by the story itself."""
    here, there = await world.stock({NEAR: 1}), await world.stock({MID: 1})
    recorded = await world.record({here: 1, there: 1}, channel="meeting")
    order_id = recorded.order.order_id

    async def meanwhile() -> None:
        await world.cancel(order_id)

    world.faults.plan(order_id, "release_order", Fault.TASK_LOST, meanwhile)
    await world.place(recorded)
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={here: 0, there: 0})
    await world.assert_room(await world.order(order_id))


async def test_who_was_to_send_what_a_hub_misses_has_the_room_back_when_the_order_is_cancelled_meanwhile(
    world: World,
) -> None:
    here, there, order_id, parcel = await _under_way(world, **{FAR: 1})

    async def meanwhile() -> None:
        await world.cancel(order_id)

    world.faults.plan(order_id, "plan_order", Fault.ANSWER_LATE, meanwhile)
    await world.arrive(parcel, missing=1)
    await _ends(world, order_id, "CANCELLED")
    assert world.faults.is_spent(order_id)
    await world.assert_settled(order_id, kept_minor=0, sold={here: 0, there: 1})
    await world.assert_room(await world.order(order_id))


async def test_goods_of_a_cancelled_order_go_to_the_stock_of_the_hub(world: World) -> None:
    async def under_way() -> None:
        here, there, order_id, parcel = await _under_way(world)
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await world.assert_settled(order_id, kept_minor=0, sold={here: 0, there: 1})
        await world.arrive(parcel)
        await _comes_to_stock(world, there)

    async def at_the_hub() -> None:
        _, there, order_id, parcel = await _under_way(world)
        await world.arrive(parcel)
        await world.work_at(order_id, NEAR)
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await _comes_to_stock(world, there)

    await asyncio.gather(under_way(), at_the_hub())


async def test_what_does_not_come_joins_the_others_at_the_hub_from_elsewhere_or_is_not_paid(world: World) -> None:
    async def refuse(order_id: str) -> None:
        work = await world.work_at(order_id, MID)
        asked = orders.RefuseOfferRequest(
            request_id=f"refuse/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            reason="no_time",
            actor="store",
        )
        await world.orders.RefuseOffer(asked)

    async def refused(**more: int) -> tuple[str, str, str]:
        here, there, order_id = await _placed(world, **more)
        await refuse(order_id)
        return here, there, order_id

    async def from_elsewhere() -> None:
        here, there, order_id = await refused(**{FAR: 1})
        await world.arrive(await world.send_on(order_id, FAR))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})
        assert await _parcels(world, order_id) == 1

    async def short_of_one() -> None:
        """What was found goes on, and what was not comes from the shelf of the hub."""
        here, there = await world.stock({NEAR: 1}), await world.stock({MID: 2})
        recorded = await world.record({here: 1, there: 2}, channel="meeting")
        order_id = recorded.order.order_id
        await world.place(recorded)
        await world.bring(there, NEAR, 1)
        work = await world.pick(await world.accept(order_id), missing=1)
        assert (work.point_id, len(work.lines)) == (MID, 1)
        parcel = await world.pack(work)
        await world.parcel_paid(parcel.fulfilment_id)
        await world.arrive(await world.hand_over(parcel))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH + PRICE_MINOR, sold={here: 1, there: 2})
        assert await _parcels(world, order_id) == 1

    async def silent() -> None:
        here, there, order_id = await _placed(world, **{FAR: 1})
        work = await world.work_at(order_id, MID)
        await world.clock.fast_forward(world.work_story(work.fulfilment_id), timedelta(hours=1, seconds=1))
        await world.arrive(await world.send_on(order_id, FAR))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})

    async def when_the_hub_has_gone_on() -> None:
        """Then it is a parcel of its own."""
        here, there, order_id = await _placed(world, **{FAR: 1})
        await world.let_go(order_id, (await world.hold_of(order_id, "consolidation")).hold_id)
        await _sent_from_hub(world, order_id)
        await refuse(order_id)
        await world.deliver(await world.send_on(order_id, FAR))
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})
        assert await _parcels(world, order_id) == 2

    async def from_nowhere() -> None:
        here, there, order_id = await refused()
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=ONE, sold={here: 1, there: 0})

    async def missing_at_the_hub() -> None:
        here, there, order_id, parcel = await _under_way(world, **{FAR: 1})
        await world.arrive(parcel, missing=1)
        await world.arrive(await world.send_on(order_id, FAR))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 2})

    async def lost(decision: str) -> None:
        here, there, order_id, parcel = await _under_way(world, **{FAR: 1})
        await world.scan(parcel, "lost")
        await world.decide(parcel, decision)
        if decision == "reship":
            await world.arrive(await world.send_on(order_id, FAR))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        units = 2 if decision == "reship" else 1
        kept = BOTH if decision == "reship" else ONE
        await world.assert_settled(order_id, kept_minor=kept, sold={here: 1, there: units})

    await asyncio.gather(
        from_elsewhere(),
        short_of_one(),
        silent(),
        when_the_hub_has_gone_on(),
        from_nowhere(),
        missing_at_the_hub(),
        lost("reship"),
        lost("refund"),
    )


async def test_somebody_lets_the_hub_go_on_and_the_rest_follows(world: World) -> None:
    here, there, order_id, parcel = await _under_way(world)
    await world.let_go(order_id, (await world.hold_of(order_id, "consolidation")).hold_id)
    await _sent_from_hub(world, order_id)
    await world.arrive(parcel)
    await _sent_from_hub(world, order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert (await world.payment(order_id)).captured.amount_minor == BOTH
    assert len((await world.order(order_id)).fulfilments) == 3
    assert await _balance(world, there, NEAR) == (0, 0)
    assert await world.holds_of(here) == {}


async def test_a_hub_that_does_not_take_the_work_is_asked_again_when_a_person_says_so(world: World) -> None:
    here, there, order_id, parcel = await _under_way(world)
    await world.arrive(parcel)
    work = await world.work_at(order_id, NEAR)
    await world.refuse(order_id, "no_staff")
    hold = await world.hold_of(order_id, "consolidation")
    assert "no staff" in hold.reason
    await world.let_go(order_id, hold.hold_id)
    assert (await world.work_at(order_id, NEAR)).fulfilment_id == work.fulfilment_id
    await _sent_from_hub(world, order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})


async def test_an_order_that_meets_at_a_hub_is_changed_and_stock_and_money_follow(world: World) -> None:
    async def slowly() -> tuple[str, str, str]:
        here, there = await world.stock({NEAR: 1}), await world.stock({MID: 2})
        recorded = await world.record({here: 1, there: 1}, channel="meeting-slowly")
        await world.place(recorded)
        return here, there, recorded.order.order_id

    async def more_of_it() -> None:
        here, there, order_id = await slowly()
        await world.propose(order_id, {here: 1, there: 2})
        await world.change_in(order_id, "applied")
        assert (await world.holds_of(here), await world.holds_of(there)) == ({NEAR: 1}, {MID: 2})
        await world.cools_off(order_id)
        await world.arrive(await world.send_on(order_id, MID))
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=BOTH + PRICE_MINOR, sold={here: 1, there: 2})
        assert await _parcels(world, order_id) == 1

    async def without_the_other() -> None:
        here, there, order_id = await slowly()
        await world.propose(order_id, {here: 1})
        await world.change_in(order_id, "applied")
        assert (await world.holds_of(here), await world.holds_of(there)) == ({NEAR: 1}, {})
        await world.cools_off(order_id)
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=ONE, sold={here: 1, there: 0})

    async def less_before_it_is_picked() -> None:
        """The hub waits for nothing any more."""
        here, there, order_id = await _placed(world)
        await world.work_at(order_id, MID)
        await world.cancel_lines(order_id, {2: 1})
        await world.change_in(order_id, "applied")
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=ONE, sold={here: 1, there: 0})

    async def too_late_for_what_is_under_way() -> None:
        here, there, order_id, parcel = await _under_way(world)
        with pytest.raises(FailedPrecondition) as caught:
            await world.cancel_lines(order_id, {2: 1})
        assert caught.value.reason == "TOO_LATE_TO_CHANGE"
        await world.cancel_lines(order_id, {1: 1})
        await world.change_in(order_id, "applied")
        await world.arrive(parcel)
        await _sent_from_hub(world, order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=ONE, sold={here: 0, there: 1})

    await asyncio.gather(
        more_of_it(), without_the_other(), less_before_it_is_picked(), too_late_for_what_is_under_way()
    )


async def _engraved(world: World, units: dict[str, int]) -> tuple[str, str]:
    """An order of one unit with a name on it."""
    sku = await world.stock(units)
    recorded = await world.record({sku: 1}, channel="meeting", engraved="Zoé")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    return sku, recorded.order.order_id


async def test_what_lies_where_nobody_engraves_goes_to_a_point_that_does_and_leaves_there(world: World) -> None:
    async def lived() -> None:
        sku, order_id = await _engraved(world, {NEAR: 1})
        parcel = await world.send_on(order_id, NEAR)
        assert not parcel.lines[0].personalisations
        seen = await world.orders.GetFulfilment(orders.GetFulfilmentRequest(fulfilment_id=parcel.fulfilment_id))
        assert (seen.hub_point_id, list(seen.texts)) == (BESIDE, [])
        await world.arrive(parcel)
        work = await world.pick(await world.accept(order_id))
        assert (work.point_id, list(work.lines[0].personalisations)) == (BESIDE, [ENGRAVED.name])
        assert (await world.order(order_id)).fine_status == "in preparation"
        seen = await world.orders.GetFulfilment(orders.GetFulfilmentRequest(fulfilment_id=work.fulfilment_id))
        assert [one.text for one in seen.texts] == ["Zoé"]
        work = await world.pack(await world.engrave(work))
        await world.parcel_paid(work.fulfilment_id)
        await world.deliver(await world.hand_over(work))
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})

    async def cancelled() -> None:
        """Before anything is on it, it is anybody's."""
        sku, order_id = await _engraved(world, {NEAR: 1})
        await world.arrive(await world.send_on(order_id, NEAR))
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await _comes_to_stock(world, sku, BESIDE)

    await asyncio.gather(lived(), cancelled())


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_step_that_fails_and_comes_back_changes_nothing(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        here, there = await world.stock({NEAR: 1}), await world.stock({MID: 1})
        recorded = await world.record({here: 1, there: 1}, channel="meeting")
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)

        async def life() -> Any:
            await world.arrive(await world.send_on(order_id, MID))
            await _sent_from_hub(world, order_id)
            return await world.ended(order_id)

        await _with_help(world, order_id, life())
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})

    await asyncio.gather(*(live(step) for step in ("accept_order", "offer_fulfilment", "issue_stock")))
