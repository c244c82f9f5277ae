"""Other content for an order in cooling-off: applied whole, or the order stands as it was to the last unit."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from oms.orders.v1 import change_service_pb2 as chg
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, _ends, _with_help
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, VISA, World
from workflows.messages import Happening

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Of this one no more can be had than was authorised at the placement.
RIGID = "pm_card_noIncrement"


async def _placed(world: World, sku: str, quantity: int, **options: Any) -> str:
    recorded = await world.record({sku: quantity}, **{"channel": "slow", **options})
    await world.place(recorded)
    return recorded.order.order_id


async def _ships_as(world: World, order_id: str, sold: Mapping[str, int]) -> None:
    """It cools off, goes to its point in one parcel, and is paid as it is."""
    await world.cools_off(order_id)
    work = await world.accept(order_id)
    assert {line.sku: line.quantity for line in work.lines} == {sku: count for sku, count in sold.items() if count}
    work = await world.pack(await world.pick(work))
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    await _ends(world, order_id, "CLOSED")
    kept = sum(sold.values()) * PRICE_MINOR + SHIPPING_MINOR
    await world.assert_settled(order_id, kept_minor=kept, sold=sold)


async def test_more_of_a_line_and_a_new_one_are_held_and_paid(world: World) -> None:
    first, second = await world.stock({NEAR: 3}), await world.stock({NEAR: 1})
    order_id = await _placed(world, first, 1)
    before = await world.order(order_id)
    await world.propose(order_id, {first: 3, second: 1})
    await world.change_in(order_id, "applied")
    after = await world.order(order_id)
    assert [line.quantity for line in after.content.lines] == [3, 1]
    assert after.cooling_off_until == before.cooling_off_until, "it goes on as it began"
    assert (await world.holds_of(first), await world.holds_of(second)) == ({NEAR: 3}, {NEAR: 1})
    assert (await world.payment(order_id)).authorized.amount_minor == 4 * PRICE_MINOR + SHIPPING_MINOR
    await _ships_as(world, order_id, {first: 3, second: 1})


async def test_another_article_takes_the_place_of_the_first_and_less_is_given_back(world: World) -> None:
    first, second = await world.stock({NEAR: 3}), await world.stock({NEAR: 1})
    order_id = await _placed(world, first, 3)
    await world.propose(order_id, {second: 1})
    await world.change_in(order_id, "applied")
    assert (await world.holds_of(first), await world.holds_of(second)) == ({}, {NEAR: 1})
    await _ships_as(world, order_id, {first: 0, second: 1})


async def test_its_own_units_may_be_planned_again_elsewhere(world: World) -> None:
    """NEAR had the last unit for itself; both are at MID."""
    sku = await world.stock({NEAR: 1, MID: 1})
    order_id = await _placed(world, sku, 1)
    await world.propose(order_id, {sku: 2})
    await world.change_in(order_id, "applied")
    assert await world.holds_of(sku) == {NEAR: 1, MID: 1}
    await world.cancel(order_id)
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_another_place_needs_another_plan_and_the_same_place_none(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    order_id = await _placed(world, sku, 1)
    ship_to = (await world.order(order_id)).content.ship_to
    ship_to.street_lines[:] = ["2 rue Plantée"]
    about: Any = {"order_id": order_id, "actor": "customer", "roles": ["channel"]}
    within = await world.changes.ChangeAddress(
        chg.ChangeAddressRequest(request_id=f"a/{order_id}", ship_to=ship_to, **about)
    )
    assert (within.change.kind, within.change.state) == ("address", "applied")
    ship_to.postcode = "75012"
    elsewhere = await world.changes.ChangeAddress(
        chg.ChangeAddressRequest(request_id=f"b/{order_id}", ship_to=ship_to, **about)
    )
    assert (elsewhere.change.kind, elsewhere.change.state) == ("content", "proposed")
    await world.change_in(order_id, "applied")
    after = (await world.order(order_id)).content.ship_to
    assert (after.postcode, list(after.street_lines)) == ("75012", ["2 rue Plantée"])
    # The same leg as before: of both takings one is left.
    await _ships_as(world, order_id, {sku: 1})


async def test_what_cannot_be_raised_is_authorised_beside_it_with_means_that_were_kept(world: World) -> None:
    sku = await world.stock({NEAR: 3})
    payment = orders.PaymentTerms(payment_method_token=RIGID, save_means=True)
    order_id = await _placed(world, sku, 1, payment=payment)
    await world.propose(order_id, {sku: 3})
    await world.change_in(order_id, "applied")
    tenders = (await world.payment(order_id)).tenders
    assert [one.authorized.amount_minor for one in tenders] == [PRICE_MINOR + SHIPPING_MINOR, 2 * PRICE_MINOR]
    await _ships_as(world, order_id, {sku: 3})


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [("STOCK_UNAVAILABLE", 9), ("PAYMENT_DECLINED", 2)],
)
async def test_what_cannot_be_had_leaves_the_order_as_it_was(world: World, reason: str, wanted: int) -> None:
    sku = await world.stock({NEAR: 2})
    order_id = await _placed(world, sku, 1, token=RIGID)
    await world.propose(order_id, {sku: wanted})
    change = await world.change_in(order_id, "refused")
    assert change.refusal.reason == reason
    assert await world.holds_of(sku) == {NEAR: 1}
    await _ships_as(world, order_id, {sku: 1})


async def test_a_later_promise_is_refused_with_it_unless_it_is_accepted(world: World) -> None:
    near, far = await world.stock({NEAR: 1}), await world.stock({FAR: 1})
    order_id = await _placed(world, near, 1)
    promised = (await world.order(order_id)).promise.end.ToDatetime()
    # A release date in ten days.
    late = await world.stock({NEAR: 1}, release_date=f"{(promised + timedelta(days=9)).date()}")
    await world.propose(order_id, {near: 1, far: 1, late: 1})
    refused = await world.change_in(order_id, "refused")
    assert refused.refusal.reason == "PROMISE_CHANGED"
    assert refused.options[0].window.end.ToDatetime() > promised
    assert await world.holds_of(late) == {}
    await world.propose(order_id, {near: 1, far: 1, late: 1}, accepts_later=True)
    await world.change_in(order_id, "applied")
    assert (await world.order(order_id)).promise.end.ToDatetime() > promised
    await world.cancel(order_id)
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={near: 0, far: 0, late: 0})


async def test_after_cooling_off_it_is_too_late(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    order_id = await _placed(world, sku, 1, channel="web")
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    with pytest.raises(FailedPrecondition, match="cooling-off"):
        await world.propose(order_id, {sku: 2})


STEPS = ("read_proposal", "plan_order", "reserve", "change_amount", "apply_change", "settle_change")
LESS = ("release_hold", "release_capacity", "change_amount", "apply_change", "settle_change")
UNDO = ("plan_order", "release_hold", "release_capacity", "change_amount", "refuse_change", "settle_change")


@pytest.mark.parametrize("fault", EACH)
async def test_a_change_is_made_once_or_not_at_all_whatever_goes_wrong_with_a_step(
    world: World, fault: Fault
) -> None:
    async def live(step: str, has: int, wants: int, left: int, token: str = VISA) -> None:
        sku = await world.stock({NEAR: 3})
        order_id = await _placed(world, sku, has, token=token)
        world.faults.plan(order_id, step, fault)
        await world.propose(order_id, {sku: wants})
        state = "applied" if left == wants else "refused"
        await _with_help(world, order_id, _decided(world, order_id, state))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        assert await world.holds_of(sku) == {NEAR: left}
        await _with_help(world, order_id, _ships_as(world, order_id, {sku: left}))

    await asyncio.gather(
        *(live(step, 1, 3, 3) for step in STEPS),
        *(live(step, 3, 1, 1) for step in LESS),
        *(live(step, 1, 3, 1, RIGID) for step in UNDO),
    )


async def _decided(world: World, order_id: str, state: str) -> None:
    await world.change_in(order_id, state)


@pytest.mark.parametrize("step", ["plan_order", "reserve", "change_amount", "apply_change"])
async def test_a_cancellation_that_comes_meanwhile_undoes_the_change_with_the_order(
    world: World, step: str
) -> None:
    sku = await world.stock({NEAR: 3})
    order_id = await _placed(world, sku, 1)

    async def cancelled_meanwhile() -> None:
        await world.cancel(order_id)
        told = Happening(f"test/{order_id}", "order.cancellation_requested")
        await world.story(order_id).signal("happened", told)

    world.faults.plan(order_id, step, Fault.TASK_LOST, cancelled_meanwhile)
    await world.propose(order_id, {sku: 3})
    await _ends(world, order_id, "CANCELLED")
    assert world.faults.is_spent(order_id), f"{step} was never taken"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
