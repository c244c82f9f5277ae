"""Orders with a name to engrave: only points that can do it have their work; an engraved unit is nobody else's."""

import asyncio

import pytest

from kit.errors import FailedPrecondition
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, TOTAL, _with_help
from tests.workflows.world import ENGRAVED, FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _placed(world: World, units: dict[str, int], quantity: int = 1, channel: str = "web") -> tuple[str, str]:
    sku = await world.stock(units)
    recorded = await world.record({sku: quantity}, channel=channel, engraved="Zoé")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    return sku, recorded.order.order_id


async def _at(world: World, sku: str, point: str) -> inv.Balance:
    balances = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    return next(row for row in balances if row.point_id == point)


async def test_a_unit_comes_from_where_it_can_be_engraved_and_leaves_when_it_is(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 1, MID: 1})
    work = await world.pick(await world.accept(order_id))
    assert work.point_id == MID, "the nearest cannot engrave"
    found = await world.orders.GetFulfilment(orders.GetFulfilmentRequest(fulfilment_id=work.fulfilment_id))
    assert [(one.line_number, one.name, one.text) for one in found.texts] == [(1, ENGRAVED.name, "Zoé")]
    with pytest.raises(FailedPrecondition) as caught:
        await world.pack(work)
    assert caught.value.reason == "NOT_PERSONALISED"
    work = await world.pack(await world.engrave(work))
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})
    history = await world.story(order_id).fetch_history()
    assert "Zoé" not in str(history.to_json()), "a story carries no text, not even encrypted"


async def test_units_that_were_short_are_engraved_elsewhere(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 2, MID: 2, FAR: 1}, quantity=2)
    first = await world.pick(await world.accept(order_id), missing=1)
    other = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    assert (first.point_id, other.point_id) == (MID, FAR), "the nearest has units, and cannot engrave"
    assert list(other.lines[0].personalisations) == [ENGRAVED.name]
    for work in (first, await world.pick(await world.accept(order_id))):
        packed = await world.pack(await world.engrave(work))
        await world.parcel_paid(packed.fulfilment_id)
        await world.deliver(await world.hand_over(packed))
    assert await world.ended(order_id) == "CLOSED"
    assert (await _at(world, sku, NEAR)).on_hand == 2


async def test_without_a_point_that_can_engrave_it_the_order_is_refused(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, engraved="Zoé")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "refused"
    assert placement.refusal is not None
    assert await world.ended(recorded.order.order_id) == "REFUSED"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})


async def test_without_what_must_be_on_it_an_article_is_neither_ordered_nor_had_by_a_change(world: World) -> None:
    must = inv.PersonalisationField(name="initials", max_characters=3, required=True)
    plain, sku = await world.stock({NEAR: 2}), await world.stock({NEAR: 1}, field=must)
    told = f"{sku} is not sold without initials"
    placement = await world.place(await world.record({plain: 1, sku: 1}))
    assert placement is not None
    assert placement.refusal is not None
    assert (placement.refusal.reason, placement.refusal.detail) == ("PERSONALISATION_REQUIRED", f"line 2: {told}")
    assert [(line.line_number, line.missing_fields) for line in placement.refusal.lines] == [(2, ["initials"])]

    recorded = await world.record({plain: 1}, channel="slow")
    await world.place(recorded)
    await world.propose(recorded.order.order_id, {sku: 1, plain: 1})
    change = await world.change_in(recorded.order.order_id, "refused")
    assert (change.refusal.reason, change.refusal.detail) == ("PERSONALISATION_REQUIRED", f"line 1: {told}")
    assert (await world.holds_of(plain), await world.holds_of(sku)) == ({NEAR: 1}, {})
    await world.cancel(recorded.order.order_id)


async def test_an_engraved_unit_of_a_cancelled_order_is_nobody_elses(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 2})
    await world.begin_engraving(await world.pick(await world.accept(order_id)))
    with pytest.raises(FailedPrecondition) as caught:
        await world.orders.RequestCancellation(
            orders.RequestCancellationRequest(
                request_id=f"too-late/{order_id}", order_id=order_id, actor="customer", roles=["channel"]
            )
        )
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (2, 1, 0)


async def test_a_spoiled_unit_is_planned_anew_and_nobody_elses(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 2, FAR: 1}, quantity=2)
    first = await world.pick(await world.accept(order_id))
    await world.begin_engraving(first)
    await world.spoil(first)
    other = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    assert (first.point_id, other.point_id) == (MID, FAR)
    assert list(other.lines[0].personalisations) == [ENGRAVED.name]
    assert (await _at(world, sku, MID)).unavailable == 1
    assert await world.holds_of(sku) == {MID: 1, FAR: 1}
    await world.complete_engraving(first)
    second = await world.pick(await world.accept(order_id))
    await world.engrave(second)
    for work in (first, second):
        packed = await world.pack(work)
        await world.parcel_paid(packed.fulfilment_id)
        await world.deliver(await world.hand_over(packed))
    assert await world.ended(order_id) == "CLOSED"
    kept = 2 * PRICE_MINOR + SHIPPING_MINOR
    await world.assert_settled(order_id, kept_minor=kept, sold={sku: 2})


async def test_what_is_all_spoiled_comes_from_the_same_shelf_again_or_is_not_paid(world: World) -> None:
    """Twice: then nobody has one any more."""
    sku, order_id = await _placed(world, {MID: 2})
    for unavailable in (1, 2):
        work = await world.pick(await world.accept(order_id))
        await world.begin_engraving(work)
        assert (await world.spoil(work)).state == orders.FULFILMENT_STATE_SHORT
        if unavailable == 1:
            await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    assert await world.ended(order_id) == "CANCELLED"
    found = await _at(world, sku, MID)
    assert (found.on_hand, found.reserved, found.unavailable) == (2, 0, 2)
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_what_was_spoiled_before_a_cancellation_is_nobody_elses_either(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 3}, quantity=2)
    work = await world.pick(await world.accept(order_id))
    await world.begin_engraving(work)
    await world.spoil(work)
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (3, 2, 0)


async def test_what_was_spoiled_is_nobody_elses_though_all_is_heard_at_once(world: World) -> None:
    """The answer of the offer comes when the units are picked, one is spoiled and the order is cancelled."""
    sku = await world.stock({MID: 4})
    recorded = await world.record({sku: 3}, engraved="Zoé")
    order_id = recorded.order.order_id

    async def meanwhile() -> None:
        work = await world.pick(await world.accept(order_id), missing=1)
        await world.begin_engraving(work)
        await world.spoil(work)
        await world.cancel(order_id)
        await world.has_told(order_id, "oms.orders.fulfilment.cancelled")

    world.faults.plan(order_id, "offer_fulfilment", Fault.ANSWER_LATE, meanwhile)
    await world.place(recorded)
    assert await world.ended(order_id) == "CANCELLED"
    assert world.faults.is_spent(order_id)
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (4, 3, 0), "missing, spoiled, begun"


@pytest.mark.parametrize("fault", EACH)
async def test_a_unit_is_written_off_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _placed(world, {MID: 2})
        world.faults.plan(order_id, step, fault)
        first = await world.pick(await world.accept(order_id))
        await world.begin_engraving(first)
        await world.spoil(first)
        await _with_help(world, order_id, _ships(world, order_id))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        assert (await _at(world, sku, MID)).unavailable == 1
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    await asyncio.gather(live("declare_doubted"), live("release_hold"))


async def _ships(world: World, order_id: str) -> None:
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    work = await world.pack(await world.engrave(await world.pick(await world.accept(order_id))))
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    assert await world.ended(order_id) == "CLOSED"


async def test_what_was_picked_and_not_begun_goes_back_to_stock(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 1})
    await world.pick(await world.accept(order_id))
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (1, 0, 0)


async def test_an_engraved_unit_that_was_never_paid_is_nobody_elses(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 1})
    work = await world.engrave(await world.pick(await world.accept(order_id)))
    world.provider.fault("capture", "decline", order_id=order_id)
    await world.pack(work)
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.give_up(work.fulfilment_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (1, 1, 0)


async def test_what_was_not_paid_is_nobody_elses_though_the_order_is_cancelled_at_once(world: World) -> None:
    sku, order_id = await _placed(world, {MID: 1})
    work = await world.engrave(await world.pick(await world.accept(order_id)))

    async def meanwhile() -> None:
        await world.give_up(work.fulfilment_id)
        await world.cancel(order_id)
        await world.has_told(order_id, "oms.orders.order.cancellation_requested")

    world.provider.fault("capture", "decline", order_id=order_id)
    world.faults.plan(order_id, "record_capture", Fault.ANSWER_LATE, meanwhile)
    await world.pack(work)
    assert await world.ended(order_id) == "CANCELLED"
    assert world.faults.is_spent(order_id)
    balance = await _at(world, sku, MID)
    assert (balance.on_hand, balance.unavailable, balance.reserved) == (1, 1, 0)


async def test_only_points_that_can_engrave_compete_for_it(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 1, MID: 1, FAR: 1}, channel="contest")
    work = await world.asked_for(order_id, MID, FAR)
    assert await world.win(work, FAR)
    packed = await world.pack(
        await world.engrave(await world.pick(await world.work_in(order_id, orders.FULFILMENT_STATE_ACCEPTED)))
    )
    await world.parcel_paid(packed.fulfilment_id)
    await world.deliver(await world.hand_over(packed))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})
