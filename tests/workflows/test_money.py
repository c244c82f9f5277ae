"""Money at its moment: with the order, at the preparation or at the shipment; held, given up, given back."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from kit.errors import FailedPrecondition, PermissionDenied
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from oms.type.v1 import type_pb2 as types
from tests.workflows.faults import Fault
from tests.workflows.start import CAP_MINOR
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until
from workflows import policies

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
DECLINES = "pm_card_captureDeclined"


async def _placed(world: World, lines: dict[str, int], **options: Any) -> str:
    recorded = await world.record(lines, **options)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    return recorded.order.order_id


async def _captured(world: World, order_id: str) -> int:
    return (await world.payment(order_id)).captured.amount_minor


def _eur(amount_minor: int) -> types.Money:
    return types.Money(amount_minor=amount_minor, currency="EUR")


# With the order


async def test_an_order_paid_at_once_ships_without_another_capture(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _placed(world, {sku: 2}, channel="prepaid")
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    assert await _captured(world, order_id) == 2 * PRICE_MINOR + SHIPPING_MINOR
    await world.ship(order_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    order = await world.order(order_id)
    assert {row.parcel.capture_state for row in order.fulfilments} == {"not_needed"}
    captures = [
        one for one in (await world.payment(order_id)).operations if one.kind == pay.OPERATION_KIND_CAPTURE
    ]
    assert [one.cause for one in captures] == [f"order/{order_id}"]
    await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})


async def test_units_that_were_paid_for_and_are_nowhere_are_refunded_to_the_cent(world: World) -> None:
    async def partly() -> None:
        sku = await world.stock({NEAR: 2})
        order_id = await _placed(world, {sku: 2}, channel="prepaid")
        await world.ship(order_id, missing=1)
        assert await world.ended(order_id) == "CLOSED"
        (refund,) = await world.refunds_in(order_id, "succeeded")
        assert (refund.kind, refund.amount.amount_minor) == ("cancelled_units", PRICE_MINOR)
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    async def wholly() -> None:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1}, channel="prepaid")
        await world.pick(await world.accept(order_id), missing=1)
        assert await world.ended(order_id) == "CANCELLED"
        (refund,) = await world.refunds_in(order_id, "succeeded")
        assert (refund.amount.amount_minor, refund.shipping.amount_minor) == (TOTAL, SHIPPING_MINOR)
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(partly(), wholly())


async def test_an_order_paid_at_once_is_cancelled_with_a_void_or_a_refund(world: World) -> None:
    async def in_cooling_off() -> None:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1}, channel="prepaid-slow")
        await world.cancel(order_id)
        assert await world.ended(order_id) == "CANCELLED"
        assert await _captured(world, order_id) == 0
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def at_the_point() -> None:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1}, channel="prepaid")
        await world.accept(order_id)
        await world.cancel(order_id)
        assert await world.ended(order_id) == "CANCELLED"
        assert await _captured(world, order_id) == TOTAL
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def before_it_is_paid() -> None:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1}, channel="prepaid", token=DECLINES)
        await world.order_paid(order_id, "failed")
        await world.cancel(order_id)
        assert await world.ended(order_id) == "CANCELLED"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(in_cooling_off(), at_the_point(), before_it_is_paid())


async def test_no_point_works_for_an_order_that_is_not_paid_until_somebody_decides(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1}, channel="prepaid", token=DECLINES)
    charge = await world.order_paid(order_id, "failed")
    assert charge.reason == "do_not_honor"
    assert charge.next_try_at.seconds - charge.failed_since.seconds == 3600
    (work,) = (await world.order(order_id)).fulfilments
    assert work.state == orders.FULFILMENT_STATE_PLANNED
    await world.override(order_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert await _captured(world, order_id) == 0


async def test_what_needs_no_money_of_ours_needs_none_at_any_moment(world: World) -> None:
    by_channel = orders.PaymentTerms(paid_by_channel_reference="market/4713")

    async def live(channel: str, **options: Any) -> None:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1}, channel=channel, **options)
        await world.ship(order_id)
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})

    options: tuple[dict[str, Any], ...] = ({"free": True}, {"payment": by_channel})
    await asyncio.gather(*(live(channel, **one) for channel in ("prepaid", "prepared") for one in options))


# At the preparation


async def test_a_picked_parcel_is_paid_before_it_is_packed_and_only_for_what_was_found(world: World) -> None:
    sku = await world.stock({NEAR: 3, MID: 1})
    order_id = await _placed(world, {sku: 3}, channel="prepared")
    work = await world.pick(await world.accept(order_id), missing=1)
    await world.parcel_paid(work.fulfilment_id, "captured")
    assert await _captured(world, order_id) == 2 * PRICE_MINOR + SHIPPING_MINOR
    work = await world.pack(work)
    assert (work.parcel.capture_state, work.parcel.weight_grams) == ("captured", 500)
    await world.deliver(await world.hand_over(work))
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=3 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 3})


async def test_what_was_paid_at_the_pick_is_refunded_when_the_order_is_cancelled(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1}, channel="prepared")
    work = await world.pick(await world.accept(order_id))
    await world.parcel_paid(work.fulfilment_id, "captured")
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


# Held for want of money


async def test_a_declined_parcel_is_tried_again_when_somebody_asks(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1})
    world.provider.fault("capture", "decline", order_id=order_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    order = await world.order(order_id)
    parcel = order.fulfilments[0].parcel
    assert parcel.capture_reason == "generic_decline"
    assert order.payment_failed_since == parcel.capture_failed_since
    await world.retry_capture(order_id, work.fulfilment_id)
    await world.parcel_paid(work.fulfilment_id, "captured")
    with pytest.raises(FailedPrecondition) as caught:
        await world.retry_capture(order_id, work.fulfilment_id)
    assert caught.value.reason == "CAPTURE_NOT_FAILED"
    assert not (await world.order(order_id)).HasField("payment_failed_since")
    await world.deliver(await world.hand_over(work))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_an_authorisation_that_ended_while_the_goods_waited_holds_the_parcel(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1})
    work = await world.pick(await world.accept(order_id))
    await world.authorisation_ends(order_id)
    await world.pack(work)
    await world.parcel_paid(work.fulfilment_id, "failed")
    assert (await world.order(order_id)).fulfilments[0].parcel.capture_reason == "authorisation_ended"
    await world.give_up(work.fulfilment_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_parcel_given_up_is_not_sent_and_the_rest_of_the_order_goes_on(world: World) -> None:
    async def live(*, first_given_up: bool) -> None:
        sku, other = await world.stock({NEAR: 1}), await world.stock({FAR: 1})
        order_id = await _placed(world, {sku: 1, other: 1})
        near = await world.pick(await world.accept(order_id))
        world.provider.fault("capture", "decline", order_id=order_id)
        near = await world.pack(near)
        await world.parcel_paid(near.fulfilment_id, "failed")
        if first_given_up:
            await world.give_up(near.fulfilment_id)
        await world.ship(order_id)
        if not first_given_up:
            await world.give_up(near.fulfilment_id)
        assert await world.ended(order_id) == "CLOSED"
        # Whoever is paid first brings the fee; given up later, it is gone.
        kept = TOTAL if first_given_up else PRICE_MINOR
        sold = sorted(row.parcel.amount.amount_minor for row in (await world.order(order_id)).fulfilments)
        assert kept in sold
        left = next(
            row for row in (await world.order(order_id)).fulfilments if row.fulfilment_id != near.fulfilment_id
        )
        await world.assert_settled(
            order_id, kept_minor=kept, sold={line.sku: line.quantity for line in left.lines}
        )

    await asyncio.gather(live(first_given_up=True), live(first_given_up=False))


async def _given_up_and_paid(world: World, sku: str, other: str) -> tuple[str, str]:
    """An order of two parcels, and the one that was given up while its money, with the fee, came."""
    order_id = await _placed(world, {sku: 1, other: 1})
    near = await world.pick(await world.accept(order_id))
    world.provider.fault("capture", "decline", order_id=order_id)
    near = await world.pack(near)
    await world.parcel_paid(near.fulfilment_id, "failed")
    world.faults.plan(order_id, "capture", Fault.TAKES_LONG)
    await world.retry_capture(order_id, near.fulfilment_id)
    await until(lambda: _is_asked_again(world, order_id))
    await world.give_up(near.fulfilment_id)
    await world.parcel_paid(near.fulfilment_id, "captured")
    return order_id, near.fulfilment_id


@pytest.mark.attack
async def test_money_that_comes_while_its_parcel_is_given_up_is_refunded(world: World) -> None:
    sku, other = await world.stock({NEAR: 1}), await world.stock({FAR: 1})
    order_id, given_up = await _given_up_and_paid(world, sku, other)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    # The fee came with the parcel that was given up, and is not captured again with the other one.
    assert await _captured(world, order_id) == 2 * PRICE_MINOR + SHIPPING_MINOR
    (left,) = [one for one in (await world.order(order_id)).fulfilments if one.fulfilment_id != given_up]
    sold = {line.sku: line.quantity for line in left.lines}
    await world.assert_settled(order_id, kept_minor=TOTAL, sold=sold)


@pytest.mark.attack
async def test_the_fee_of_a_given_up_parcel_goes_back_when_the_rest_finds_no_place(world: World) -> None:
    sku, other = await world.stock({NEAR: 1}), await world.stock({FAR: 1})
    order_id, _ = await _given_up_and_paid(world, sku, other)
    await world.refuse(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert await _captured(world, order_id) == PRICE_MINOR + SHIPPING_MINOR
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0, other: 0})


async def _is_asked_again(world: World, order_id: str) -> bool:
    return world.faults.is_spent(order_id)


# Given back


async def test_money_is_given_back_after_the_order_has_ended(world: World) -> None:
    sku = await world.stock({NEAR: 3})
    order_id = await _placed(world, {sku: 3})
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    line = orders.PlannedLine(line_number=1, quantity=1)
    refund = await world.refund(order_id, kind="goods", lines=[line])
    assert refund.amount.amount_minor == PRICE_MINOR
    await world.refund(order_id, kind="goodwill", amount=_eur(CAP_MINOR), reason_code="gesture")
    with pytest.raises(PermissionDenied) as refused:
        await world.refund(order_id, kind="goodwill", amount=_eur(1), reason_code="gesture")
    assert refused.value.reason == "GOODWILL_OVER_CAP"
    assert [refused.value.facts[name] for name in ("cap_minor", "given_minor")] == [str(CAP_MINOR)] * 2
    rest = await world.refund(order_id, kind="goods", whole=True)
    assert rest.amount.amount_minor == 2 * PRICE_MINOR + SHIPPING_MINOR - CAP_MINOR
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 3})


async def test_a_channel_that_was_paid_is_asked_to_refund(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    terms = orders.PaymentTerms(paid_by_channel_reference="market/4714")
    order_id = await _placed(world, {sku: 1}, channel="market", payment=terms)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.refund(order_id, kind="goods", whole=True)
    await world.refunds_in(order_id, "succeeded")
    (asked,) = [one for one in (await world.payment(order_id)).operations if one.kind == pay.OPERATION_KIND_REFUND]
    assert (asked.state, asked.amount.amount_minor) == (pay.OPERATION_STATE_SUCCEEDED, TOTAL)


async def test_a_refund_that_a_cancellation_overtakes_is_superseded(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, {sku: 1}, channel="prepaid")
    await world.accept(order_id)
    world.faults.plan(order_id, "give_back", Fault.FAILS_FOR_GOOD)
    refund = await world.refund(order_id, kind="goodwill", amount=_eur(500))
    story = world.client.get_workflow_handle(f"refund/{refund.refund_id}")
    await until(lambda: _is_blocked(story))
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await story.signal("resume")
    await world.refunds_in(order_id, "superseded")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def _is_blocked(story: WorkflowHandle[Any, Any]) -> bool:
    try:
        return bool(await story.query("blocked_by"))
    except RPCError:
        return False  # the event that starts it is under way


async def test_a_refund_that_failed_ends_as_somebody_brings_it_to_its_end(world: World) -> None:
    async def failed() -> orders.Refund:
        sku = await world.stock({NEAR: 1})
        order_id = await _placed(world, {sku: 1})
        await world.ship(order_id)
        world.provider.fault("refund", "decline", order_id=order_id)
        await world.refund(order_id, kind="goods", whole=True)
        (refund,) = await world.refunds_in(order_id, "failed")
        return refund

    async def tried_again() -> None:
        refund = await failed()
        await world.retry_refund(refund)
        (done,) = await world.refunds_in(refund.order_id, "succeeded")
        assert done.attempts == 2
        await world.assert_money(refund.order_id, 0)

    async def by_hand() -> None:
        refund = await failed()
        (task,) = (await world.payments.ListTasks(pay.ListTasksRequest(order_id=refund.order_id))).tasks
        await world.payments.ResolveTask(
            pay.ResolveTaskRequest(
                request_id=f"by-hand/{refund.refund_id}",
                task_id=task.task_id,
                resolution=pay.TASK_RESOLUTION_BY_HAND,
                reference="transfer 4711",
                actor="finance",
            )
        )
        story = world.client.get_workflow_handle(f"refund/{refund.refund_id}")
        await world.clock.fast_forward(story, policies.REFUND_LOOK)
        await world.refunds_in(refund.order_id, "succeeded")
        assert await story.result() == "succeeded"

    await asyncio.gather(tried_again(), by_hand())
