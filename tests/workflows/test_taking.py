"""What customers take along from a store while the rest is sent: held, paid and gone at once, or not at all."""

import asyncio

import pytest

from kit.errors import FailedPrecondition
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, EACH_FINAL, EACH_RECOVERABLE, _ends, _story_ended, _with_help
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = 2 * PRICE_MINOR + SHIPPING_MINOR
PLACING = ("plan_order", "reserve", "authorize", "confirm_hold", "capture")
AFTER = ("accept_order", "issue_stock")


async def _placed(world: World, **options: object) -> tuple[str, str, str]:
    sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
    recorded = await world.record({sent: 1}, taken={taken: 1}, **options)  # type: ignore[arg-type]
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    return recorded.order.order_id, sent, taken


async def test_what_is_taken_along_is_sold_at_once_and_the_rest_is_sent(world: World) -> None:
    sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
    recorded = await world.record({sent: 1}, taken={taken: 1})
    order_id = recorded.order.order_id
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.receipt_number.startswith("NEAR-SR-")
    order = await world.order(order_id)
    along = next(one for one in order.fulfilments if one.taken)
    assert (along.point_id, along.state) == (NEAR, orders.FULFILMENT_STATE_DELIVERED)
    assert (along.parcel.amount.amount_minor, along.parcel.capture_state) == (PRICE_MINOR, "captured")
    (operation,) = [
        one for one in (await world.payment(order_id)).operations if one.kind == pay.OPERATION_KIND_CAPTURE
    ]
    assert (operation.cause, operation.point_id) == (f"receipt/{order_id}", NEAR)
    assert (await world.payment(order_id)).authorized.amount_minor == TOTAL
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert (await world.order(order_id)).customer_status == "delivered"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sent: 1, taken: 1})


async def test_a_plain_store_sale_ends_closed_at_once(world: World) -> None:
    async def sell(channel: str) -> None:
        sku = await world.stock({NEAR: 2})
        recorded = await world.record({}, taken={sku: 2}, channel=channel)
        order_id = recorded.order.order_id
        placement = await world.place(recorded)
        assert placement is not None
        assert (placement.state, placement.promise_start) == ("validated", "")
        assert placement.receipt_number
        assert await world.ended(order_id) == "CLOSED", channel
        with pytest.raises(FailedPrecondition) as caught:
            await world.cancel(order_id)
        assert caught.value.reason == "TOO_LATE_TO_CANCEL"
        await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR, sold={sku: 2})

    # Neither cooling-off nor a capture of the whole order comes between.
    await asyncio.gather(*(sell(channel) for channel in ("web", "slow", "prepaid")))


async def test_what_a_store_does_not_have_refuses_the_whole_order(world: World) -> None:
    sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1, MID: 9}))
    recorded = await world.record({sent: 1}, taken={taken: 2})
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.refusal is not None
    assert placement.refusal.reason == "STOCK_UNAVAILABLE"
    assert [(one.line_number, one.available) for one in placement.refusal.lines] == [(2, 1)]
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sent: 0, taken: 0})


async def test_one_article_may_be_taken_along_and_sent_from_elsewhere(world: World) -> None:
    sku = await world.stock({NEAR: 1, FAR: 1})
    other = await world.stock({FAR: 1})
    content = (await world.record({sku: 1, other: 1}, taken={})).order.content
    line = content.lines.add()
    line.CopyFrom(content.lines[0])
    line.line_number, line.shipping_minor, line.taken_at_point_id = 3, 0, NEAR
    content.total.amount_minor += PRICE_MINOR
    recorded = await world.orders.RecordOrder(orders.RecordOrderRequest(idempotency_key=sku, content=content))
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement.refusal
    works = (await world.order(recorded.order.order_id)).fulfilments
    assert {(one.point_id, one.taken) for one in works} == {(NEAR, True), (FAR, False)}


@pytest.mark.parametrize("step", ["capture", "authorize"])
async def test_a_decline_refuses_the_whole_order_before_anything_leaves(world: World, step: str) -> None:
    sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
    token = "pm_card_captureDeclined" if step == "capture" else "pm_card_visa_chargeDeclined"
    recorded = await world.record({sent: 1}, taken={taken: 1}, token=token)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.refusal is not None
    assert placement.refusal.reason == "PAYMENT_DECLINED"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sent: 0, taken: 0})


async def test_with_an_order_that_is_paid_at_once_the_rest_is_captured_at_its_release(world: World) -> None:
    order_id, sent, taken = await _placed(world, channel="prepaid")
    charge = await world.order_paid(order_id, "captured")
    assert charge.amount.amount_minor == PRICE_MINOR + SHIPPING_MINOR
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sent: 1, taken: 1})


async def test_what_the_channel_was_paid_for_is_taken_along_without_a_capture(world: World) -> None:
    payment = orders.PaymentTerms(paid_by_channel_reference="till-1")
    order_id, _, _ = await _placed(world, payment=payment)
    along = next(one for one in (await world.order(order_id)).fulfilments if one.taken)
    assert along.parcel.capture_state == "not_needed"
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CLOSED"
    (refund,) = await world.refunds_in(order_id, "succeeded")
    assert refund.amount.amount_minor == PRICE_MINOR + SHIPPING_MINOR


async def test_a_cancellation_leaves_what_was_taken_along_and_its_money(world: World) -> None:
    async def live(channel: str, reach: str) -> None:
        order_id, sent, taken = await _placed(world, channel=channel)
        if reach == "paid":
            await world.order_paid(order_id, "captured")
        if reach in ("accepted", "packed"):
            work = await world.accept(order_id)
        if reach == "packed":
            work = await world.pack(await world.pick(work))
            await world.parcel_paid(work.fulfilment_id)
        await world.cancel(order_id)
        assert await world.ended(order_id) == "CLOSED", (channel, reach)
        assert (await world.order(order_id)).customer_status == "delivered"
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR, sold={sent: 0, taken: 1})
        assert {one.state for one in (await world.order(order_id)).refunds} <= {"succeeded"}

    lives = [
        ("web", "accepted"),
        ("web", "packed"),
        ("slow", "cooling off"),
        ("prepaid", "paid"),
        ("web", "offered"),
    ]
    await asyncio.gather(*(live(*one) for one in lives))


async def test_what_was_taken_along_comes_back_as_a_refund_only(world: World) -> None:
    order_id, sent, taken = await _placed(world)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    line = orders.PlannedLine(line_number=2, quantity=1)
    refund = await world.refund(order_id, kind="goods", lines=[line])
    assert (refund.amount.amount_minor, refund.shipping.amount_minor) == (PRICE_MINOR, 0)
    await world.refunds_in(order_id, "succeeded")
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sent: 1, taken: 1})


# -- the unwind matrix ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_step_of_taking_that_fails_and_comes_back_changes_nothing(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
        recorded = await world.record({sent: 1}, taken={taken: 1})
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        placement = await world.place(recorded)
        assert placement is not None
        assert placement.state == "validated", step
        await world.ship(order_id)
        assert await world.ended(order_id) == "CLOSED", step
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sent: 1, taken: 1})

    await asyncio.gather(*(live(step) for step in (*PLACING, *AFTER)))


@pytest.mark.parametrize("fault", EACH_FINAL)
async def test_a_step_before_the_sale_that_fails_for_good_refuses_and_undoes_it(
    world: World, fault: Fault
) -> None:
    async def live(step: str) -> None:
        sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
        recorded = await world.record({sent: 1}, taken={taken: 1})
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)
        assert await until(lambda: _story_ended(world, order_id)) == "REFUSED", step
        await world.assert_settled(order_id, kept_minor=0, sold={sent: 0, taken: 0})

    await asyncio.gather(*(live(step) for step in PLACING))


@pytest.mark.parametrize("fault", EACH_FINAL)
async def test_after_the_sale_a_step_that_fails_for_good_waits_for_a_person(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
        recorded = await world.record({sent: 1}, taken={taken: 1})
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        placing = asyncio.create_task(world.place(recorded))
        await _with_help(world, order_id, world.ship(order_id))
        await _with_help(world, order_id, _ends(world, order_id, "CLOSED"))
        await placing
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sent: 1, taken: 1})

    await asyncio.gather(*(live(step) for step in AFTER))


@pytest.mark.parametrize("fault", EACH)
async def test_the_cancelling_of_the_rest_may_fail_and_is_finished_all_the_same(
    world: World, fault: Fault
) -> None:
    async def live(step: str) -> None:
        order_id, sent, taken = await _placed(world)
        await world.accept(order_id)
        world.faults.plan(order_id, step, fault)
        await world.cancel(order_id)
        await _with_help(world, order_id, _ends(world, order_id, "CLOSED"))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR, sold={sent: 0, taken: 1})

    await asyncio.gather(
        *(live(step) for step in ("release_capacity", "release_hold", "void", "complete_cancellation"))
    )


async def test_a_cancellation_that_comes_before_the_acceptance_undoes_everything(world: World) -> None:
    async def live(step: str) -> None:
        sent, taken = await asyncio.gather(world.stock({MID: 1}), world.stock({NEAR: 1}))
        recorded = await world.record({sent: 1}, taken={taken: 1})
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, Fault.TASK_LOST, lambda: world.cancel(order_id))
        await world.place(recorded)
        assert await world.ended(order_id) == "CANCELLED", step
        await world.assert_settled(order_id, kept_minor=0, sold={sent: 0, taken: 0})

    await asyncio.gather(*(live(step) for step in PLACING))
