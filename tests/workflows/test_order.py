"""An order's life from the record to the door, and each way in which it can go otherwise."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import FailedPrecondition, NotFound, OmsError
from kit.times import from_proto, now, to_proto
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from tests.workflows.faults import Fault
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World
from workflows.starting import ensure_started

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
HOUR = timedelta(hours=1)


async def test_an_order_goes_all_the_way_to_the_door(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    recorded = await world.record({sku: 1})
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    assert placement.promise_end > placement.promise_start
    order_id = recorded.order.order_id
    (work,) = (await world.order(order_id)).fulfilments
    assert from_proto(work.latest_start) < from_proto(work.hand_over_by)
    assert from_proto(work.next_hand_over_by) > from_proto(work.hand_over_by)
    assert from_proto(work.next_window.end) > from_proto(work.window.end)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert (await world.order(order_id)).customer_status == "delivered"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


# Placement


async def test_an_order_without_stock_is_refused_and_says_which_line(world: World) -> None:
    sku, plenty = await world.stock({NEAR: 1}), await world.stock({NEAR: 9})
    recorded = await world.record({plenty: 1, sku: 3})
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "refused"
    assert placement.refusal is not None
    assert placement.refusal.reason == "STOCK_UNAVAILABLE"
    assert [(line.line_number, line.sku, line.requested) for line in placement.refusal.lines] == [(2, sku, 3)]
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0, plenty: 0})


async def test_an_order_takes_over_the_units_of_its_basket(world: World) -> None:
    sku = await world.stock({NEAR: 1, FAR: 1})
    assert await world.lay_aside("cart-1", {sku: 2})
    others = await world.place(await world.record({sku: 1}))
    assert others is not None
    assert others.state == "refused"
    recorded = await world.record({sku: 2}, basket="cart-1")
    order_id = recorded.order.order_id
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    assert await world.in_basket("cart-1") == {}
    await world.ship(order_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})


async def test_an_order_that_wants_more_than_there_is_leaves_its_basket_alone(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    assert await world.lay_aside("cart-2", {sku: 1})
    placement = await world.place(await world.record({sku: 3}, basket="cart-2"))
    assert placement is not None
    assert placement.refusal is not None
    assert [(line.requested, line.available) for line in placement.refusal.lines] == [(3, 2)]
    assert await world.in_basket("cart-2") == {sku: 1}


async def test_an_order_of_a_basket_that_is_gone_takes_what_there_is(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    placement = await world.place(await world.record({sku: 1}, basket="never-was"))
    assert placement is not None
    assert placement.state == "validated"


async def test_a_declined_payment_refuses_the_order_and_gives_the_stock_back(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, token="pm_card_visa_chargeDeclinedInsufficientFunds")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.refusal is not None
    assert (placement.refusal.reason, placement.refusal.detail) == ("PAYMENT_DECLINED", "insufficient_funds")
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})
    assert (await world.order(recorded.order.order_id)).state == orders.ORDER_STATE_REFUSED


async def test_a_lost_answer_of_the_provider_leads_to_one_authorisation(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    order_id = recorded.order.order_id
    world.provider.fault("create", "timeout_after_success", order_id=order_id)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    assert len(await asyncio.to_thread(world.provider.books, order_id)) == 1
    await world.ship(order_id)
    await world.ended(order_id)
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_paid_by_its_channel_is_shipped_without_our_money(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    terms = orders.PaymentTerms(paid_by_channel_reference="market/4711")
    recorded = await world.record({sku: 1}, channel="market", payment=terms)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    await world.ship(recorded.order.order_id)
    assert await world.ended(recorded.order.order_id) == "CLOSED"
    assert (await world.payment(recorded.order.order_id)).status == pay.PAYMENT_STATUS_PAID_BY_CHANNEL
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 1})


async def test_an_order_that_costs_nothing_needs_no_payment(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, free=True)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    await world.ship(recorded.order.order_id)
    assert await world.ended(recorded.order.order_id) == "CLOSED"
    with pytest.raises(NotFound):
        await world.payment(recorded.order.order_id)
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 1})


async def test_an_order_that_costs_nothing_is_cancelled_like_any_other(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="slow", free=True)
    await world.place(recorded)
    await world.cancel(recorded.order.order_id)
    assert await world.ended(recorded.order.order_id) == "CANCELLED"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})


async def test_a_channel_that_was_paid_is_asked_to_give_back_what_no_point_has(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    terms = orders.PaymentTerms(paid_by_channel_reference="market/4712")
    recorded = await world.record({sku: 2}, channel="market", payment=terms)
    await world.place(recorded)
    order_id = recorded.order.order_id
    await world.ship(order_id, missing=1)
    assert await world.ended(order_id) == "CLOSED"
    (asked,) = [
        operation
        for operation in (await world.payment(order_id)).operations
        if operation.kind == pay.OPERATION_KIND_REFUND
    ]
    assert (asked.state, asked.amount.amount_minor) == (pay.OPERATION_STATE_SUCCEEDED, PRICE_MINOR)
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})


async def test_fifty_requests_with_one_key_are_one_order(world: World) -> None:
    sku = await world.stock({NEAR: 9})
    key = uuid4().hex

    async def once() -> str:
        recorded = await world.record({sku: 1}, key=key)
        placement = await world.place(recorded)
        assert placement is not None
        assert placement.state == "validated"
        return recorded.order.order_id

    (order_id,) = set(await asyncio.gather(*(once() for _ in range(50))))
    await world.ship(order_id)
    await world.ended(order_id)
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_key_used_again_after_the_story_ended_names_the_same_order(world: World) -> None:
    sku = await world.stock({NEAR: 9})
    key = uuid4().hex
    recorded = await world.record({sku: 1}, key=key)
    await world.place(recorded)
    await world.ship(recorded.order.order_id)
    await world.ended(recorded.order.order_id)
    again = await world.record({sku: 1}, key=key)
    assert again.existed
    assert again.order.state == orders.ORDER_STATE_CLOSED
    first_answer = await world.place(again)
    assert first_answer is not None
    assert first_answer.state == "validated", "the story is over; its first answer stands"
    with pytest.raises(OmsError) as caught:
        await world.record({sku: 2}, key=key)
    assert caught.value.reason == "IDEMPOTENCY_CONFLICT"
    await world.assert_settled(recorded.order.order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_the_last_unit_bought_by_a_hundred_at_once_is_sold_once(world: World) -> None:
    sku = await world.stock({NEAR: 1})

    async def buy() -> tuple[str, str]:
        recorded = await world.record({sku: 1})
        placement = await world.place(recorded)
        assert placement is not None
        return placement.state, recorded.order.order_id

    outcomes = await asyncio.gather(*(buy() for _ in range(100)))
    sold = [order_id for state, order_id in outcomes if state == "validated"]
    assert len(sold) == 1
    assert {state for state, _ in outcomes} == {"validated", "refused"}
    await world.ship(sold[0])
    await world.ended(sold[0])
    await world.assert_settled(sold[0], kept_minor=TOTAL, sold={sku: 1})
    for _, order_id in outcomes:
        if order_id != sold[0]:
            await world.assert_money(order_id, 0)


async def _unstarted(world: World, order_id: str) -> orders.OrderFacts:
    reply = await world.orders.ListUnstarted(orders.ListUnstartedRequest(limit=500))
    (facts,) = [facts for facts in reply.orders if facts.order_id == order_id]
    return facts


async def test_an_order_cancelled_before_its_story_began_is_cancelled_all_the_same(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    order_id = recorded.order.order_id
    await world.cancel(order_id)
    assert await ensure_started(world.clock.client, await _unstarted(world, order_id), world.task_queue)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_recorded_order_without_a_story_is_found_and_started(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    order_id = recorded.order.order_id
    facts = await _unstarted(world, order_id)
    assert await ensure_started(world.clock.client, facts, world.task_queue)
    assert not await ensure_started(world.clock.client, facts, world.task_queue)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"


# The customer's action (3-D Secure)


async def _waiting_for_the_customer(world: World, sku: str) -> str:
    recorded = await world.record({sku: 1}, token="pm_card_authenticationRequired")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "action_required"
    assert placement.next_action_url.startswith("http")
    order = await world.order(recorded.order.order_id)
    assert order.state == orders.ORDER_STATE_ACTION_REQUIRED
    return order.order_id


async def test_an_order_goes_on_when_the_customer_approves_the_payment(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.customer_confirms(order_id, "approve")
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_is_refused_when_the_customer_refuses_the_payment(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.customer_confirms(order_id, "refuse")
    assert await world.ended(order_id) == "REFUSED"
    assert (await world.order(order_id)).refusal.reason == "PAYMENT_DECLINED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_payment_that_nobody_confirms_expires_and_everything_is_undone(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.clock.fast_forward(world.story(order_id), timedelta(seconds=901))
    assert await world.ended(order_id) == "REFUSED"
    assert (await world.order(order_id)).refusal.reason == "PAYMENT_ACTION_EXPIRED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_hold_that_expired_while_the_customer_confirmed_is_taken_again(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.clock.fast_forward(world.story(order_id), timedelta(seconds=700))
    await world.customer_confirms(order_id, "approve")
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_whose_expired_hold_was_sold_is_refused_and_its_money_given_up(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.is_promised(sku, 1, is_so=False)
    await world.clock.fast_forward(world.story(order_id), timedelta(seconds=700))
    await world.inventory.ExpireReservations(inv.ExpireReservationsRequest(as_of=_in(timedelta(seconds=700))))
    await world.is_promised(sku, 1)
    rival = await world.record({sku: 1})
    placement = await world.place(rival)
    assert placement is not None
    assert placement.state == "validated"
    await world.customer_confirms(order_id, "approve")
    assert await world.ended(order_id) == "REFUSED"
    assert (await world.order(order_id)).refusal.reason == "STOCK_UNAVAILABLE"
    await world.assert_money(order_id, 0)
    await world.cancel(rival.order.order_id)
    await world.ended(rival.order.order_id)


async def test_an_expired_hold_that_was_sold_is_taken_elsewhere_even_if_a_task_is_lost(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _waiting_for_the_customer(world, sku)
    await world.is_promised(sku, 2, is_so=False)
    await world.clock.fast_forward(world.story(order_id), timedelta(seconds=700))
    await world.inventory.ExpireReservations(inv.ExpireReservationsRequest(as_of=_in(timedelta(seconds=700))))
    await world.is_promised(sku, 2)
    rival = await world.record({sku: 1})
    await world.place(rival)
    world.faults.plan(order_id, "accept_order", Fault.TASK_LOST)
    await world.customer_confirms(order_id, "approve")
    assert (await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)).point_id == MID
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert world.faults.is_spent(order_id)
    await world.cancel(rival.order.order_id)
    await world.ended(rival.order.order_id)
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


def _in(later: timedelta) -> Timestamp:
    return to_proto(now() + later)


# Cooling-off


async def test_an_order_is_released_when_its_cooling_off_ends(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="slow")
    await world.place(recorded)
    order_id = recorded.order.order_id
    assert (await world.order(order_id)).state == orders.ORDER_STATE_VALIDATED
    await world.clock.fast_forward(world.story(order_id), HOUR)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_whose_cooling_off_somebody_ends_goes_on_at_once(world: World) -> None:
    """Held by a person as well, it goes on with the last of the two; no time passes in this test."""
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="slow")
    await world.place(recorded)
    order_id = recorded.order.order_id
    stopped = await world.hold(order_id)
    for hold_id in ((await world.hold_of(order_id, "cooling_off")).hold_id, stopped.hold_id):
        assert (await world.order(order_id)).state == orders.ORDER_STATE_VALIDATED
        await world.let_go(order_id, hold_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


# Points


async def test_a_refused_order_goes_to_the_next_best_point(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _placed(world, {sku: 1})
    assert (await world.refuse(order_id)).point_id == NEAR
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert [row.point_id for row in (await world.order(order_id)).fulfilments] == [NEAR, MID]
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_point_that_keeps_silent_loses_the_work(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _placed(world, {sku: 1})
    silent = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.clock.fast_forward(world.work_story(silent.fulfilment_id), HOUR + timedelta(seconds=1))
    await world.work_in(order_id, orders.FULFILMENT_STATE_LAPSED)
    with pytest.raises(FailedPrecondition) as caught:
        await world.orders.AcceptOffer(
            orders.AcceptOfferRequest(request_id="late", fulfilment_id=silent.fulfilment_id, actor="store")
        )
    assert caught.value.reason == "OFFER_GONE"
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_that_every_point_refuses_is_cancelled_and_nothing_is_charged(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _placed(world, {sku: 1})
    first = await world.refuse(order_id)
    second = await world.refuse(order_id)
    assert [first.point_id, second.point_id] == [NEAR, MID]
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_point_that_does_not_have_it_takes_it_out_of_the_image(world: World) -> None:
    sku = await world.stock({NEAR: 1, FAR: 1})
    order_id = await _placed(world, {sku: 1})
    await world.refuse(order_id, "not_found")
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    balances = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    assert {row.point_id: (row.on_hand, row.unavailable) for row in balances} == {NEAR: (1, 1), FAR: (0, 0)}
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_short_pick_ships_what_was_found_and_plans_the_rest_again(world: World) -> None:
    sku = await world.stock({NEAR: 3, MID: 1})
    order_id = await _placed(world, {sku: 3})
    work = await world.pick(await world.accept(order_id), missing=1)
    rest = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED, not_in=(work.fulfilment_id,))
    assert (rest.point_id, rest.lines[0].quantity) == (MID, 1)
    work = await world.pack(work)
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=3 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 3})
    order = await world.order(order_id)
    assert sorted(row.parcel.amount.amount_minor for row in order.fulfilments) == [
        PRICE_MINOR,
        2 * PRICE_MINOR + SHIPPING_MINOR,
    ]


async def test_a_unit_that_is_nowhere_is_cancelled_and_never_captured(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    order_id = await _placed(world, {sku: 2})
    await world.ship(order_id, missing=1)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_order_of_which_nothing_is_found_anywhere_is_cancelled(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1})
    await world.pick(await world.accept(order_id), missing=1)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_an_order_split_over_two_points_captures_each_parcel_and_the_fee_once(world: World) -> None:
    sku, other = await world.stock({NEAR: 2}), await world.stock({FAR: 1})
    order_id = await _placed(world, {sku: 2, other: 1})
    await world.ship(order_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    amounts = [row.parcel.amount.amount_minor for row in (await world.order(order_id)).fulfilments]
    assert sum(amounts) == 3 * PRICE_MINOR + SHIPPING_MINOR
    assert sum(amount % PRICE_MINOR == SHIPPING_MINOR for amount in amounts) == 1
    await world.assert_settled(order_id, kept_minor=sum(amounts), sold={sku: 2, other: 1})


# The money of a parcel


async def test_a_declined_capture_holds_the_parcel_and_is_tried_again_after_an_hour(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1})
    world.provider.fault("capture", "decline", order_id=order_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    with pytest.raises(FailedPrecondition) as caught:
        await world.hand_over(work)
    assert caught.value.reason == "NOT_CAPTURED"
    await world.clock.fast_forward(world.work_story(work.fulfilment_id), HOUR)
    await world.parcel_paid(work.fulfilment_id, "captured")
    handed = await world.orders.HandOver(
        orders.HandOverRequest(request_id="again", fulfilment_id=work.fulfilment_id, actor="store")
    )
    await world.deliver(handed.fulfilment)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_person_may_decide_to_ship_without_the_money(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1}, token="pm_card_captureDeclined")
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.orders.RecordCapture(
        orders.RecordCaptureRequest(
            request_id="override",
            fulfilment_id=work.fulfilment_id,
            capture_state="overridden",
            reason="a good customer",
            actor="finance",
        )
    )
    await world.deliver(await world.hand_over(work))
    assert await world.ended(order_id) == "CLOSED"
    captured = (await world.payment(order_id)).captured
    assert captured.amount_minor == 0


# Telling


async def test_an_event_told_twice_is_taken_once(world: World) -> None:
    sku = await world.stock({NEAR: 2, MID: 2})
    order_id = await _placed(world, {sku: 1})
    work = await world.accept(order_id)
    story = world.work_story(work.fulfilment_id)
    for _ in range(3):
        await story.signal("happened", {"event_id": "evt_same", "type": "oms.orders.fulfilment.accepted"})
    await world.deliver(await _hand_over_picked(world, work))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def _hand_over_picked(world: World, work: orders.Fulfilment) -> orders.Fulfilment:
    work = await world.pack(await world.pick(work))
    await world.parcel_paid(work.fulfilment_id)
    return await world.hand_over(work)


async def _placed(world: World, lines: dict[str, int], **options: Any) -> str:
    recorded = await world.record(lines, **options)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    return recorded.order.order_id


async def test_a_suspected_order_is_refused_and_undone_and_nobody_outside_learns_why(world: World) -> None:
    sku = await world.stock({NEAR: 3})
    recorded = await world.record({sku: 3}, channel="judged")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.refusal is not None
    assert (placement.state, placement.refusal.reason) == ("refused", "FRAUD_SUSPECTED")
    assert "unit" not in placement.refusal.detail
    order_id = recorded.order.order_id
    assert await world.ended(order_id) == "REFUSED"
    order = await world.order(order_id)
    assert (order.fraud.score, order.fraud.band) == (100, "refuse")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_review_that_nobody_decides_on_in_time_cancels_the_order(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    recorded = await world.record({sku: 2}, channel="judged-briefly")
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    order_id = recorded.order.order_id
    assert await world.ended(order_id) == "CANCELLED"
    (review,) = [one for one in (await world.order(order_id)).holds if one.kind == "fraud"]
    assert (review.outcome, review.default) == ("lapsed", "cancel")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
