"""Lives whose histories are kept: one for each way through the stories."""

from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from temporalio.service import RPCError

from kit.errors import FailedPrecondition
from kit.times import now
from oms.booking.v1 import booking_service_pb2 as booking
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.collected_lives import (
    collected_at_another_store,
    collected_in_part,
    reserved_and_collected,
    short_at_the_counter_and_refunded,
)
from tests.workflows.faults import Fault
from tests.workflows.to_store_lives import not_sent_to_its_store_by_anybody, sent_to_its_store_by_another_point
from tests.workflows.world import FAR, MID, NEAR, RING_SECONDS, World, until
from workflows import policies

HOUR = timedelta(hours=1)
Life = Callable[[World], Awaitable[str]]


async def _placed(world: World, units: dict[str, int], quantity: int = 1, **options: Any) -> str:
    sku = await world.stock(units)
    recorded = await world.record({sku: quantity}, **options)
    await world.place(recorded)
    return recorded.order.order_id


async def delivered(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    await world.ship(order_id)
    return order_id


async def placed_from_a_basket(world: World) -> str:
    sku = await world.stock({NEAR: 1})
    assert await world.lay_aside(sku, {sku: 1})
    recorded = await world.record({sku: 1}, basket=sku)
    await world.place(recorded)
    await world.ship(recorded.order.order_id)
    return recorded.order.order_id


async def delivered_after_cooling_off(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    await world.clock.fast_forward(world.story(order_id), HOUR)
    await world.ship(order_id)
    return order_id


async def let_go_in_cooling_off(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    await world.let_go(order_id, (await world.hold_of(order_id, "cooling_off")).hold_id)
    await world.ship(order_id)
    return order_id


async def cancelled_in_cooling_off(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    await world.cancel(order_id)
    return order_id


async def cancelled_after_capture(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    await world.cancel(order_id)
    return order_id


async def declined(world: World) -> str:
    return await _placed(world, {NEAR: 1}, token="pm_card_visa_chargeDeclined")


async def approved_by_the_customer(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, token="pm_card_authenticationRequired")
    await world.customer_confirms(order_id, "approve")
    await world.ship(order_id)
    return order_id


async def approved_after_the_hold_expired(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, token="pm_card_authenticationRequired")
    await world.clock.fast_forward(world.story(order_id), timedelta(seconds=policies.HOLD_SECONDS + 60))
    await world.customer_confirms(order_id, "approve")
    await world.ship(order_id)
    return order_id


async def refused_then_silent_then_cancelled(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1})
    await world.refuse(order_id)
    silent = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.clock.fast_forward(world.work_story(silent.fulfilment_id), HOUR + timedelta(seconds=1))
    return order_id


async def short_and_sent_from_two_points(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2, MID: 1}, quantity=2)
    work = await world.pick(await world.accept(order_id), missing=1)
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    work = await world.pack(work)
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    await world.ship(order_id)
    return order_id


async def captured_at_the_second_attempt(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    world.provider.fault("capture", "decline", order_id=order_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.clock.fast_forward(world.work_story(work.fulfilment_id), HOUR)
    await world.parcel_paid(work.fulfilment_id, "captured")
    await world.deliver(await world.hand_over(work))
    return order_id


async def placed_slowly(world: World) -> str:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    world.faults.plan(recorded.order.order_id, "authorize", Fault.TAKES_LONG)
    await world.place(recorded)
    await world.ship(recorded.order.order_id)
    return recorded.order.order_id


async def helped_by_a_person(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    world.faults.plan(order_id, "issue_stock", Fault.FAILS_FOR_GOOD)
    await world.ship(order_id)
    (work,) = (await world.order(order_id)).fulfilments
    story = world.work_story(work.fulfilment_id)

    async def is_blocked() -> str:
        reason: str = await story.query("blocked_by")
        return reason

    assert await until(is_blocked) == "PLANNED"
    await story.signal("resume")
    return order_id


async def paid_with_the_order(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="prepaid")
    await world.ship(order_id)
    return order_id


async def paid_with_the_order_and_not_all_found(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2}, quantity=2, channel="prepaid")
    await world.ship(order_id, missing=1)
    return order_id


async def paid_with_the_order_at_the_second_attempt(world: World) -> str:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="prepaid")
    order_id = recorded.order.order_id
    world.provider.fault("capture", "decline", order_id=order_id)
    await world.place(recorded)
    await world.order_paid(order_id, "failed")
    await world.retry_capture(order_id)
    await world.ship(order_id)
    return order_id


async def paid_at_preparation(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2, MID: 1}, quantity=3, channel="prepared")
    await world.ship(order_id)
    await world.ship(order_id)
    return order_id


async def given_up_for_want_of_money(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, token="pm_card_captureDeclined")
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.give_up(work.fulfilment_id)
    return order_id


async def refunded_at_the_second_attempt(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    await world.ship(order_id)
    await world.ended(order_id)
    world.provider.fault("refund", "decline", order_id=order_id)
    refund = await world.refund(order_id, kind="goods", whole=True)
    await world.refunds_in(order_id, "failed")
    await world.retry_refund(refund)
    return order_id


async def held_by_a_person(world: World) -> str:
    """Stopped in cooling-off, and let go long after it."""
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    hold = await world.hold(order_id)
    await world.clock.fast_forward(world.story(order_id), HOUR)
    await until(lambda: _has_cooled_off(world, order_id), "the order cooled off")
    await world.let_go(order_id, hold.hold_id)
    await world.ship(order_id)
    return order_id


async def lost_and_sent_again(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1})
    lost = await world.scan(await world.hand_over_all(order_id), "lost")
    await world.decide(lost, "reship")
    await world.ship(order_id)
    return order_id


async def decided_against(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    hold = await world.hold(order_id)
    await world.clock.fast_forward(world.story(order_id), HOUR)
    await until(lambda: _has_cooled_off(world, order_id), "the order cooled off")
    await world.let_go(order_id, hold.hold_id, refused=True)
    return order_id


async def suspected(world: World) -> str:
    """Refused when it would be accepted, with its stock held and its money authorised."""
    return await _placed(world, {NEAR: 3}, quantity=3, channel="judged")


async def reviewed_and_let_go(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2}, quantity=2, channel="judged")
    await world.let_go(order_id, (await world.hold_of(order_id, "fraud")).hold_id)
    await world.ship(order_id)
    return order_id


async def pre_ordered(world: World) -> str:
    """Its work begins before the release date, and its parcel leaves on it."""
    order_id = await _pre_ordered(world, days=4)
    await until(lambda: _is_waiting(world, order_id), "its work waits")
    await _leaves_on_its_day(world, order_id)
    return order_id


async def pre_ordered_long_before(world: World) -> str:
    """Its means is kept, and charged two days before its work begins."""
    order_id = await _pre_ordered(world, days=40)
    await world.waits_its_days(order_id)
    await until(lambda: _is_waiting(world, order_id), "its work waits")
    await _leaves_on_its_day(world, order_id)
    return order_id


async def pre_ordered_and_paid_by_a_link(world: World) -> str:
    sku = await world.stock({NEAR: 1}, release_date=(now().date() + timedelta(days=40)).isoformat())
    recorded = await world.record({sku: 1}, channel="paid-early")
    order_id = recorded.order.order_id
    world.provider.fault("create", "decline", 1 + len(policies.CAPTURE_RETRIES), order_id)
    await world.place(recorded)
    for number, pause in enumerate(policies.CAPTURE_RETRIES, start=1):
        await world.declined(order_id, number)
        await world.clock.fast_forward(world.story(order_id), pause)
    await world.hold_of(order_id, "payment")
    await world.pays_by_link(order_id)
    await until(lambda: _is_waiting(world, order_id), "its work waits")
    await _leaves_on_its_day(world, order_id)
    return order_id


async def _pre_ordered(world: World, days: int) -> str:
    sku = await world.stock({NEAR: 1}, release_date=(now().date() + timedelta(days=days)).isoformat())
    recorded = await world.record({sku: 1}, channel="in-time")
    await world.place(recorded)
    return recorded.order.order_id


async def _leaves_on_its_day(world: World, order_id: str) -> None:
    await world.let_go(order_id, (await world.hold_of(order_id, "release_date")).hold_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    with pytest.raises(FailedPrecondition, match="NOT_BEFORE"):
        await world.hand_over(work)
    await world.deliver(await world.hand_over(work, at=work.hand_over_from.ToDatetime(UTC)))


async def waited_and_came_in_part(world: World) -> str:
    """One of two came; for the other there is one elsewhere."""
    sku = await world.stock({MID: 1})
    delivery_id = await world.expect(sku, 3)
    await world.is_promised(sku, 4, may_wait=True)
    recorded = await world.record({sku: 3}, may_wait=True)
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.hold_of(order_id, "stock")
    await world.receive(delivery_id, 2, close=True)
    await world.ship(order_id)
    await world.ship(order_id)
    return order_id


async def waited_and_planned_again(world: World) -> str:
    sku = await world.stock({MID: 1})
    await world.expect(sku, 1)
    await world.is_promised(sku, 2, may_wait=True)
    recorded = await world.record({sku: 2}, may_wait=True)
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.hold_of(order_id, "stock")
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.bring(sku, FAR, 1)
    await world.plan_again(order_id)
    await world.change_in(order_id, "applied")
    await world.ship(order_id)
    await world.ship(order_id)
    return order_id


async def taken_from_its_point(world: World) -> str:
    sku = await world.stock({NEAR: 1, MID: 1})
    recorded = await world.record({sku: 1})
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.plan_again(order_id, NEAR)
    await world.change_in(order_id, "applied")
    await world.ship(order_id)
    return order_id


async def waited_and_became_another(world: World) -> str:
    sku = await world.stock({MID: 1})
    await world.expect(sku, 2)
    await world.is_promised(sku, 3, may_wait=True)
    recorded = await world.record({sku: 2}, may_wait=True, channel="slow")
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.hold_of(order_id, "stock")
    await world.propose(order_id, {sku: 1})
    await world.change_in(order_id, "applied")
    await world.cools_off(order_id)
    await world.ship(order_id)
    return order_id


async def waited_and_cancelled(world: World) -> str:
    sku = await world.stock({MID: 1})
    await world.expect(sku, 2)
    await world.is_promised(sku, 3, may_wait=True)
    recorded = await world.record({sku: 2}, may_wait=True)
    await world.place(recorded)
    await world.hold_of(recorded.order.order_id, "stock")
    await world.cancel(recorded.order.order_id)
    return recorded.order.order_id


async def held_at_its_point_and_cancelled(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1}, channel="slow")
    work = (await world.order(order_id)).fulfilments[0]
    await world.hold(order_id, fulfilment_id=work.fulfilment_id)
    await world.clock.fast_forward(world.story(order_id), HOUR)
    await until(lambda: _is_waiting(world, order_id), "its work waits")
    await world.cancel(order_id)
    return order_id


async def less_in_cooling_off(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2}, quantity=2, channel="slow")
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    await world.cools_off(order_id)
    await world.ship(order_id)
    return order_id


async def less_at_its_point(world: World) -> str:
    """Of two parcels one is not wanted; then the point of the other refuses what is left of it."""
    order_id = await _placed(world, {NEAR: 2, MID: 2}, quantity=4)
    await world.cancel_lines(order_id, {1: 3})
    await world.change_in(order_id, "applied")
    await world.refuse(order_id)
    await world.ship(order_id)
    return order_id


async def less_of_what_was_paid_with_the_order(world: World) -> str:
    order_id = await _placed(world, {NEAR: 2}, quantity=2, channel="prepaid")
    await world.accept(order_id)
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    work = await world.work_in(order_id, orders.FULFILMENT_STATE_ACCEPTED)
    work = await world.pack(await world.pick(work))
    await world.deliver(await world.hand_over(work))
    return order_id


async def changed_in_cooling_off(world: World) -> str:
    """To more, then to less: both are had and given back."""
    sku = await world.stock({NEAR: 3})
    recorded = await world.record({sku: 2}, channel="slow")
    order_id = recorded.order.order_id
    await world.place(recorded)
    for quantity in (3, 1):
        await world.propose(order_id, {sku: quantity})
        await world.change_in(order_id, "applied")
    await world.cools_off(order_id)
    await world.ship(order_id)
    return order_id


async def a_change_that_could_not_be_paid(world: World) -> str:
    sku = await world.stock({NEAR: 3})
    recorded = await world.record({sku: 1}, channel="slow", token="pm_card_noIncrement")
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.propose(order_id, {sku: 2})
    await world.change_in(order_id, "refused")
    await world.cools_off(order_id)
    await world.ship(order_id)
    return order_id


async def _has_cooled_off(world: World, order_id: str) -> bool:
    (cooling_off,) = [one for one in (await world.order(order_id)).holds if one.kind == "cooling_off"]
    return cooling_off.HasField("ended_at")


async def _is_waiting(world: World, order_id: str) -> bool:
    """The work has a story, which was told that it is held."""
    order = await world.order(order_id)
    if order.state != orders.ORDER_STATE_RELEASED:
        return False
    try:
        told = await world.work_story(order.fulfilments[0].fulfilment_id).describe()
    except RPCError:
        return False
    return told.history_length > 4


async def lost_and_sent_again_from_the_second_point(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1, FAR: 1})
    lost = await world.scan(await world.hand_over_all(order_id), "damaged")
    await world.decide(lost, "reship")
    await world.refuse(order_id)
    await world.ship(order_id)
    return order_id


async def _placed_at_an_appointment(world: World, slot: booking.Slot) -> tuple[str, str]:
    """The order and its booking."""
    sku = await world.stock({NEAR: 1, MID: 1})
    held = await world.hold_slot(slot)
    recorded = await world.record({sku: 1}, booking=held.booking_id)
    await world.place(recorded)
    return recorded.order.order_id, held.booking_id


async def moved_refused_and_met(world: World) -> str:
    _, first, second, full = (await world.slots())[:4]
    order_id, _ = await _placed_at_an_appointment(world, first)
    await world.move_appointment(order_id, second)
    await world.hold_slot(full)
    await world.move_appointment(order_id, full)
    await world.refuse(order_id)
    await world.ship(order_id)
    return order_id


async def lost_and_nowhere_to_be_had_again(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    lost = await world.scan(await world.hand_over_all(order_id), "lost")
    await world.decide(lost, "reship")
    return order_id


async def lost_and_refunded(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    lost = await world.scan(await world.hand_over_all(order_id), "lost")
    await world.decide(lost, "refund")
    return order_id


async def returned_to_sender(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1})
    work = await world.hand_over_all(order_id)
    for status in ("delivery_failed", "returning", "returned"):
        await world.scan(work, status)
    return order_id


_RING = timedelta(seconds=RING_SECONDS + 1)


async def taken_by_another_point(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1}, channel="contest")
    assert await world.win(await world.asked_for(order_id, NEAR, MID), MID)
    await world.prepare(order_id)
    return order_id


async def taken_by_nobody_and_given_to_the_planned_point(world: World) -> str:
    # The next ring has nobody. (A third point would come sooner while other lives keep the near ones busy.)
    order_id = await _placed(world, {NEAR: 1, MID: 1}, channel="contest")
    work = await world.asked_for(order_id, NEAR, MID)
    await world.clock.fast_forward(world.work_story(work), _RING)
    await world.prepare(order_id)
    return order_id


async def not_found_then_claimed_by_one_whose_gateway_died(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1}, channel="contest")
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR, "not_found")
    assert await world.take(work, MID)
    await world.prepare(order_id)
    return order_id


async def refused_by_all(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1}, channel="contest")
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR)
    await world.decline(work, MID)
    return order_id


async def given_away_by_a_person(world: World) -> str:
    order_id = await _placed(world, {NEAR: 1, MID: 1}, channel="asked")
    work = await world.asked_for(order_id, NEAR, MID)
    await world.decline(work, NEAR)
    await world.decline(work, MID)
    claim = await world.assign(work, MID)
    assert await world.move(claim)
    await world.settle(claim, held=True)
    await world.prepare(order_id)
    return order_id


async def missed_and_met_at_another_time(world: World) -> str:
    _, first, second = (await world.slots())[:3]
    order_id, booking_id = await _placed_at_an_appointment(world, first)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    work = await world.hand_over(work)
    await world.miss(booking_id)
    await world.appointment_in(order_id, "missed")
    await world.move_appointment(order_id, second)
    await world.deliver(work)
    return order_id


async def appointment_gone_and_cancelled(world: World) -> str:
    slot = (await world.slots())[1]
    order_id, booking_id = await _placed_at_an_appointment(world, slot)
    sku = await world.stock({NEAR: 1})
    refused = await world.record({sku: 1}, booking=booking_id)
    await world.place(refused)
    await world.cancel(order_id)
    await world.ended(order_id)
    return refused.order.order_id


async def appointment_and_nothing_could_be_sent(world: World) -> str:
    order_id, _ = await _placed_at_an_appointment(world, (await world.slots())[1])
    await world.refuse(order_id)
    await world.refuse(order_id)
    return order_id


async def _taken_along(world: World) -> str:
    sent, taken = await world.stock({MID: 1}), await world.stock({NEAR: 1})
    recorded = await world.record({sent: 1}, taken={taken: 1})
    await world.place(recorded)
    return recorded.order.order_id


async def taken_along_and_the_rest_sent(world: World) -> str:
    order_id = await _taken_along(world)
    await world.ship(order_id)
    return order_id


async def taken_along_and_the_rest_cancelled(world: World) -> str:
    order_id = await _taken_along(world)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    await world.cancel(order_id)
    return order_id


async def taken_along_all_of_it(world: World) -> str:
    taken = await world.stock({NEAR: 1})
    recorded = await world.record({}, taken={taken: 1})
    await world.place(recorded)
    return recorded.order.order_id


async def tried_and_partly_kept(world: World) -> str:
    sku = await world.stock({NEAR: 2})
    recorded = await world.record({sku: 2}, channel="tried", customer_id="cus_1")
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.ship(order_id)
    await world.decide_trial(order_id, {1: 1})
    await world.give_back(order_id, {1: 1}, at=NEAR)
    return order_id


async def tried_and_declined_at_first(world: World) -> str:
    payment = orders.PaymentTerms(payment_method_token="pm_card_captureDeclined")
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="tried", customer_id="cus_1", payment=payment)
    order_id = recorded.order.order_id
    await world.place(recorded)
    await world.ship(order_id)
    await world.decide_trial(order_id, {})
    await world.order_paid(order_id, "failed")
    await world.override(order_id)
    return order_id


async def _under_way(world: World, **more: int) -> tuple[str, orders.Fulfilment]:
    """An order whose two articles meet at NEAR, one of them on its way there."""
    here, there = await world.stock({NEAR: 1}), await world.stock({MID: 1} | more)
    recorded = await world.record({here: 1, there: 1}, channel="meeting")
    await world.place(recorded)
    return recorded.order.order_id, await world.send_on(recorded.order.order_id, MID)


async def met_at_a_hub_that_refused_first(world: World) -> str:
    order_id, parcel = await _under_way(world)
    await world.arrive(parcel)
    await world.work_at(order_id, NEAR)
    await world.refuse(order_id, "no_staff")
    await world.let_go(order_id, (await world.hold_of(order_id, "consolidation")).hold_id)
    await world.deliver(await world.send_on(order_id, NEAR))
    return order_id


async def came_to_a_hub_when_the_rest_had_left(world: World) -> str:
    order_id, parcel = await _under_way(world)
    await world.let_go(order_id, (await world.hold_of(order_id, "consolidation")).hold_id)
    await world.deliver(await world.send_on(order_id, NEAR))
    await world.arrive(parcel)
    await world.deliver(await world.send_on(order_id, NEAR))
    return order_id


async def missing_at_a_hub(world: World) -> str:
    order_id, parcel = await _under_way(world, **{FAR: 1})
    await world.arrive(parcel, missing=1)
    await world.arrive(await world.send_on(order_id, FAR))
    await world.deliver(await world.send_on(order_id, NEAR))
    return order_id


async def lost_on_the_way_to_a_hub_and_cancelled(world: World) -> str:
    order_id, parcel = await _under_way(world)
    await world.scan(parcel, "lost")
    await world.decide(parcel, "refund")
    await world.work_at(order_id, NEAR)
    await world.cancel(order_id)
    return order_id


async def cancelled_on_the_way_to_a_hub(world: World) -> str:
    order_id, parcel = await _under_way(world)
    await world.cancel(order_id)
    await world.ended(order_id)
    await world.arrive(parcel)
    return order_id


async def spoiled_in_part_and_then_all(world: World) -> str:
    order_id = await _placed(world, {MID: 3}, quantity=2, engraved="Zoé")
    first = await world.pick(await world.accept(order_id))
    await world.begin_engraving(first)
    await world.spoil(first)
    second = await world.pick(await world.accept(order_id))
    await world.begin_engraving(second)
    await world.spoil(second)
    await world.complete_engraving(first)
    packed = await world.pack(first)
    await world.parcel_paid(packed.fulfilment_id)
    await world.deliver(await world.hand_over(packed))
    return order_id


LIVES: tuple[Life, ...] = (
    met_at_a_hub_that_refused_first,
    came_to_a_hub_when_the_rest_had_left,
    missing_at_a_hub,
    lost_on_the_way_to_a_hub_and_cancelled,
    cancelled_on_the_way_to_a_hub,
    delivered,
    placed_from_a_basket,
    delivered_after_cooling_off,
    let_go_in_cooling_off,
    cancelled_in_cooling_off,
    cancelled_after_capture,
    declined,
    approved_by_the_customer,
    approved_after_the_hold_expired,
    refused_then_silent_then_cancelled,
    short_and_sent_from_two_points,
    captured_at_the_second_attempt,
    placed_slowly,
    helped_by_a_person,
    paid_with_the_order,
    paid_with_the_order_and_not_all_found,
    paid_with_the_order_at_the_second_attempt,
    paid_at_preparation,
    given_up_for_want_of_money,
    refunded_at_the_second_attempt,
    held_by_a_person,
    decided_against,
    suspected,
    reviewed_and_let_go,
    pre_ordered,
    waited_and_came_in_part,
    waited_and_planned_again,
    waited_and_became_another,
    waited_and_cancelled,
    pre_ordered_long_before,
    pre_ordered_and_paid_by_a_link,
    held_at_its_point_and_cancelled,
    lost_and_sent_again,
    lost_and_sent_again_from_the_second_point,
    lost_and_nowhere_to_be_had_again,
    lost_and_refunded,
    returned_to_sender,
    taken_by_another_point,
    taken_by_nobody_and_given_to_the_planned_point,
    not_found_then_claimed_by_one_whose_gateway_died,
    refused_by_all,
    given_away_by_a_person,
    moved_refused_and_met,
    missed_and_met_at_another_time,
    appointment_gone_and_cancelled,
    appointment_and_nothing_could_be_sent,
    spoiled_in_part_and_then_all,
    less_in_cooling_off,
    less_at_its_point,
    less_of_what_was_paid_with_the_order,
    changed_in_cooling_off,
    a_change_that_could_not_be_paid,
    taken_along_and_the_rest_sent,
    taken_along_and_the_rest_cancelled,
    taken_along_all_of_it,
    tried_and_partly_kept,
    tried_and_declined_at_first,
    collected_in_part,
    collected_at_another_store,
    short_at_the_counter_and_refunded,
    reserved_and_collected,
    sent_to_its_store_by_another_point,
    not_sent_to_its_store_by_anybody,
    taken_from_its_point,
)
