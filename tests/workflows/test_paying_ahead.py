"""Orders that wait longer than an authorisation holds: a means is kept, and charged before the release."""

from datetime import UTC, timedelta

import pytest

from kit.times import now, to_proto
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from tests.workflows.world import NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until
from workflows import policies

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
SAVED, AUTHORIZED = pay.PAYMENT_STATUS_SAVED, pay.PAYMENT_STATUS_AUTHORIZED


async def _pre_ordered(world: World, days: int, *, channel: str = "in-time", declines: int = 0) -> tuple[str, str]:
    """Its article and the order. `declines`: how often the kept means is refused."""
    sku = await world.stock({NEAR: 2}, release_date=(now().date() + timedelta(days=days)).isoformat())
    recorded = await world.record({sku: 1}, channel=channel)
    order_id = recorded.order.order_id
    if declines:
        world.provider.fault("create", "decline", declines, order_id)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    return sku, order_id


async def _held_for_its_money(world: World) -> tuple[str, str, orders.Hold]:
    """Declined at once, and again after each pause."""
    retries = policies.CAPTURE_RETRIES
    sku, order_id = await _pre_ordered(world, 40, channel="paid-early", declines=1 + len(retries))
    for number, pause in enumerate(retries, start=1):
        await world.declined(order_id, number)
        assert not [one for one in (await world.order(order_id)).holds if one.kind == "payment"]
        await world.clock.fast_forward(world.story(order_id), pause)
    hold = await world.hold_of(order_id, "payment")
    assert (hold.default, hold.fulfilment_id) == ("cancel", "")
    assert hold.until.ToDatetime() - hold.since.ToDatetime() == timedelta(days=2)
    order = await world.order(order_id)
    assert (order.state, order.fulfilments[0].state) == (
        orders.ORDER_STATE_VALIDATED,
        orders.FULFILMENT_STATE_PLANNED,
    )
    assert (await world.payment(order_id)).authorized.amount_minor == 0
    return sku, order_id, hold


async def _goes_out(world: World, sku: str, order_id: str) -> None:
    await world.let_go(order_id, (await world.hold_of(order_id, "release_date")).hold_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work, at=work.hand_over_from.ToDatetime(UTC)))
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_means_is_kept_and_charged_before_the_release(world: World) -> None:
    sku, order_id = await _pre_ordered(world, 40)
    assert (await world.payment(order_id)).status == SAVED
    due = await world.orders.GetPaymentDue(orders.GetPaymentDueRequest(order_id=order_id, as_of=to_proto(now())))
    (work,) = (await world.order(order_id)).fulfilments
    assert work.latest_start.ToDatetime() - due.authorise_from.ToDatetime() == timedelta(days=2)
    # Released early it would not be paid: so it is not released, whoever asks.
    asked = orders.ReleaseOrderRequest(request_id=f"early/{order_id}", order_id=order_id, as_of=to_proto(now()))
    assert (await world.orders.ReleaseOrder(asked)).state == orders.ORDER_STATE_VALIDATED
    assert (await world.payment(order_id)).status == SAVED
    await world.waits_its_days(order_id)
    payment = await world.paid_ahead(order_id, AUTHORIZED)
    assert payment.authorized.amount_minor == TOTAL
    await _goes_out(world, sku, order_id)


async def test_what_an_authorisation_outlasts_is_authorised_at_once(world: World) -> None:
    sku, order_id = await _pre_ordered(world, 4)
    assert (await world.payment(order_id)).status == AUTHORIZED
    await _goes_out(world, sku, order_id)


async def test_let_go_before_its_date_it_is_charged_at_once(world: World) -> None:
    sku, order_id = await _pre_ordered(world, 40)
    await _goes_out(world, sku, order_id)


async def test_units_cancelled_meanwhile_are_never_charged(world: World) -> None:
    sku = await world.stock({NEAR: 2}, release_date=(now().date() + timedelta(days=40)).isoformat())
    recorded = await world.record({sku: 2}, channel="in-time")
    await world.place(recorded)
    order_id = recorded.order.order_id
    await world.cancel_lines(order_id, {1: 1})
    assert await until(lambda: _holds_one(world, sku), "a unit is back")
    await _goes_out(world, sku, order_id)


async def _holds_one(world: World, sku: str) -> bool:
    return await world.holds_of(sku) == {NEAR: 1}


async def test_cancelled_before_it_is_charged_it_leaves_nothing(world: World) -> None:
    sku, order_id = await _pre_ordered(world, 40)
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert (await world.payment(order_id)).status == pay.PAYMENT_STATUS_CLOSED
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_decline_is_tried_again(world: World) -> None:
    sku, order_id = await _pre_ordered(world, 40, channel="paid-early", declines=1)
    await world.declined(order_id, 1)
    await world.clock.fast_forward(world.story(order_id), policies.CAPTURE_RETRIES[0])
    await world.paid_ahead(order_id, AUTHORIZED)
    await _goes_out(world, sku, order_id)


async def test_declined_for_good_it_waits_until_the_customer_pays_in_another_way(world: World) -> None:
    sku, order_id, _ = await _held_for_its_money(world)
    await world.pays_by_link(order_id)
    await world.work_in(order_id, orders.FULFILMENT_STATE_PLANNED)
    await _goes_out(world, sku, order_id)
    ended = next(one for one in (await world.order(order_id)).holds if one.kind == "payment")
    assert ended.outcome == "met"


async def test_let_go_by_customer_service_it_is_charged_once_more(world: World) -> None:
    sku, order_id, hold = await _held_for_its_money(world)
    await world.let_go(order_id, hold.hold_id)
    await world.paid_ahead(order_id, AUTHORIZED)
    await _goes_out(world, sku, order_id)


async def test_let_go_without_money_it_is_handed_over_only_after_another_decision(world: World) -> None:
    _, order_id, hold = await _held_for_its_money(world)
    world.provider.fault("create", "decline", order_id=order_id)
    await world.let_go(order_id, hold.hold_id)
    await world.let_go(order_id, (await world.hold_of(order_id, "release_date")).hold_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.override(order_id, work.fulfilment_id)
    await world.parcel_paid(work.fulfilment_id, "overridden")
    await world.deliver(await world.hand_over(work, at=work.hand_over_from.ToDatetime(UTC)))
    assert await world.ended(order_id) == "CLOSED"


async def test_nobody_decides_in_time_and_it_is_cancelled(world: World) -> None:
    sku, order_id, hold = await _held_for_its_money(world)
    # The story is days ahead of the clock by which holds lapse: its deadline is brought back to now.
    await world.orders.ExtendHold(
        orders.ExtendHoldRequest(
            request_id=f"soon/{order_id}",
            order_id=order_id,
            hold_id=hold.hold_id,
            until=to_proto(now() + timedelta(seconds=1)),
            actor="service",
            roles=["customer_service"],
        )
    )
    assert await world.ended(order_id) == "CANCELLED"
    ended = next(one for one in (await world.order(order_id)).holds if one.kind == "payment")
    assert ended.outcome == "lapsed"
    assert await world.holds_of(sku) == {}
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
