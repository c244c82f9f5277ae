"""The unwind matrix: each step failed, lost, repeated; cancelled at each wait. Nothing may be left behind.

The cases are data; those of one fault run side by side, each with its own article and order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from oms.inventory.v1 import basket_service_pb2 as bsk
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.world import MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until
from workflows.messages import Happening, Placement

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
Life = Callable[[World, str], Awaitable[None]]

PLACEMENT = ("plan_order", "reserve", "authorize", "confirm_hold")
AFTER_ACCEPTANCE = (
    "accept_order",
    "release_order",
    "offer_fulfilment",
    "capture",
    "record_capture",
    "issue_stock",
    "close_order",
)
UNDO = ("release_capacity", "release_hold", "unwind_payment", "complete_cancellation")
REROUTE_HELD = ("plan_order", "move_hold", "reroute_units")
REROUTE_SHORT = ("report_short", "reserve", "reroute_units")
GIVING_UP = ("release_hold", "void")
CAPTURE = ("capture", "record_capture")
RECOVERABLE = (Fault.FAILS_ONCE, Fault.ANSWER_LOST, Fault.TAKEN_TWICE, Fault.TASK_LOST)
FINAL = (Fault.FAILS_FOR_GOOD, Fault.ACTS_AND_FAILS_FOR_GOOD)
# Each of them, but only the worst in every run of the tests: the others are for the attack.
_ALWAYS = (Fault.TASK_LOST, Fault.ACTS_AND_FAILS_FOR_GOOD)


def _worst_always(faults: tuple[Fault, ...]) -> list[Any]:
    return [pytest.param(one, marks=() if one in _ALWAYS else pytest.mark.attack) for one in faults]


EACH_RECOVERABLE, EACH_FINAL = _worst_always(RECOVERABLE), _worst_always(FINAL)
EACH = EACH_RECOVERABLE + [pytest.param(one, marks=pytest.mark.attack) for one in FINAL]


async def _record(world: World, step: str, fault: Fault, units: dict[str, int], **options: Any) -> tuple[str, str]:
    sku = await world.stock(units)
    recorded = await world.record({sku: 1}, **options)
    order_id = recorded.order.order_id
    world.faults.plan(order_id, step, fault)
    placing = asyncio.create_task(world.place(recorded))
    _keep.add(placing)
    placing.add_done_callback(_keep.discard)
    return sku, order_id


_keep: set[asyncio.Task[Placement | None]] = set()


async def _help_when_asked(world: World, order_id: str) -> None:
    """The person whom a blocked story asks: looks at the order's stories and lets them go on."""
    while True:
        stories = [world.story(order_id)]
        stories += [world.work_story(row.fulfilment_id) for row in (await world.order(order_id)).fulfilments]
        refunds = (await world.order(order_id)).refunds
        stories += [world.client.get_workflow_handle(f"refund/{one.refund_id}") for one in refunds]
        for story in stories:
            try:
                if await story.query("blocked_by"):
                    await story.signal("resume")
            except Exception:
                continue
        await asyncio.sleep(0.1)


async def _with_help(world: World, order_id: str, life: Awaitable[None]) -> None:
    helper = asyncio.create_task(_help_when_asked(world, order_id))
    try:
        await life
    finally:
        helper.cancel()
        await asyncio.gather(helper, return_exceptions=True)


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_step_that_fails_and_comes_back_changes_nothing(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1})
        await world.ship(order_id)
        assert await world.ended(order_id) == "CLOSED", step
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    async def live_paid(step: str, channel: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1}, channel=channel)
        await world.ship(order_id)
        assert await world.ended(order_id) == "CLOSED", step
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    early = [live_paid(step, channel) for step in CAPTURE for channel in ("prepaid", "prepared")]
    await asyncio.gather(*early, *(live(step) for step in (*PLACEMENT, *AFTER_ACCEPTANCE)))


@pytest.mark.parametrize("fault", EACH)
async def test_a_refund_is_given_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku = await world.stock({NEAR: 1})
        recorded = await world.record({sku: 1}, channel="prepaid")
        await world.place(recorded)
        order_id = recorded.order.order_id
        work = await world.accept(order_id)
        world.faults.plan(order_id, step, fault)
        await world.pick(work, missing=1)
        await _with_help(world, order_id, _ends(world, order_id, "CANCELLED"))
        await _with_help(world, order_id, _refunded(world, order_id))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(*(live(step) for step in ("give_back", "record_refund")))


async def _refunded(world: World, order_id: str) -> None:
    (refund,) = await world.refunds_in(order_id, "succeeded")
    assert refund.amount.amount_minor == TOTAL


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_basket_is_taken_over_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku = await world.stock({NEAR: 2})
        assert await world.lay_aside(sku, {sku: 1})
        recorded = await world.record({sku: 1}, basket=sku)
        order_id = recorded.order.order_id

        async def meanwhile() -> None:
            """The customer puts another unit aside: for another order, or too late for this one."""
            await world.lay_aside(sku, {sku: 1})

        world.faults.plan(order_id, step, fault, meanwhile if fault is Fault.TASK_LOST else None)
        placement = await world.place(recorded)
        assert placement is not None
        assert placement.state == "validated", step
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.ship(order_id)
        assert await world.ended(order_id) == "CLOSED", step
        await world.baskets.ReleaseBasket(
            bsk.ReleaseBasketRequest(request_id=f"empty/{sku}", channel_id="web", basket_id=sku)
        )
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    await asyncio.gather(*(live(step) for step in ("basket_holds", *PLACEMENT)))


@pytest.mark.parametrize("fault", EACH_FINAL)
async def test_a_placement_whose_step_fails_for_good_is_refused_and_undone(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1})
        assert await until(lambda: _story_ended(world, order_id)) == "REFUSED", step
        assert (await world.order(order_id)).refusal.reason == "PLANNED"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(*(live(step) for step in PLACEMENT))


async def _story_ended(world: World, order_id: str) -> str:
    order = await world.order(order_id)
    return "" if order.state == orders.ORDER_STATE_RECORDED else await world.ended(order_id)


@pytest.mark.parametrize("fault", EACH_FINAL)
async def test_after_acceptance_a_step_that_fails_for_good_waits_for_a_person(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1})
        await _with_help(world, order_id, world.ship(order_id))
        await _with_help(world, order_id, _ends(world, order_id, "CLOSED"))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    await asyncio.gather(*(live(step) for step in AFTER_ACCEPTANCE))


async def _ends(world: World, order_id: str, state: str) -> None:
    assert await world.ended(order_id) == state


@pytest.mark.parametrize("fault", EACH)
async def test_the_undoing_itself_may_fail_and_is_finished_all_the_same(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1})
        await world.accept(order_id)
        await world.cancel(order_id)
        await _with_help(world, order_id, _ends(world, order_id, "CANCELLED"))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def live_refused(step: str) -> None:
        sku, order_id = await _record(world, step, fault, {NEAR: 1}, token="pm_card_visa_chargeDeclined")
        await until(lambda: _exists(world, order_id))
        await _with_help(world, order_id, _ends(world, order_id, "REFUSED"))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def live_suspected(step: str) -> None:
        sku = await world.stock({NEAR: 3})
        recorded = await world.record({sku: 3}, channel="judged")
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        placing = asyncio.create_task(world.place(recorded))
        await until(lambda: _exists(world, order_id))
        await _with_help(world, order_id, _ends(world, order_id, "REFUSED"))
        await placing
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        assert (await world.order(order_id)).refusal.reason == "FRAUD_SUSPECTED", step
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    lives = [live(step) for step in UNDO]
    refusing = (*UNDO[:3], "refuse_order")
    await asyncio.gather(
        *lives,
        *(live_refused(step) for step in refusing),
        *(live_suspected(step) for step in ("accept_order", *refusing)),
    )


async def _exists(world: World, order_id: str) -> bool:
    return world.faults.seen[order_id, "plan_order"] > 0


@pytest.mark.parametrize("fault", EACH)
async def test_routing_again_survives_failures_of_its_steps(world: World, fault: Fault) -> None:
    async def refused(step: str) -> None:
        sku, order_id = await _record(world, "-", fault, {NEAR: 1, MID: 1})
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
        world.faults.plan(order_id, step, fault)
        await world.refuse(order_id)
        await _with_help(world, order_id, world.ship(order_id))
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    async def short(step: str) -> None:
        sku, order_id = await _record(world, "-", fault, {NEAR: 1, MID: 1})
        work = await world.accept(order_id)
        world.faults.plan(order_id, step, fault)
        await world.pick(work, missing=1)
        await _with_help(world, order_id, world.ship(order_id))
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    async def nowhere(step: str) -> None:
        sku, order_id = await _record(world, "-", fault, {NEAR: 1})
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
        world.faults.plan(order_id, step, fault)
        await world.refuse(order_id)
        await _with_help(world, order_id, _ends(world, order_id, "CANCELLED"))
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(
        *(refused(step) for step in REROUTE_HELD),
        *(short(step) for step in REROUTE_SHORT),
        *(nowhere(step) for step in GIVING_UP),
    )


async def test_what_was_begun_is_gone_on_with_when_a_task_is_run_again_and_knows_more(world: World) -> None:
    """A cancellation comes while units are given another place, and the workflow task of that is lost."""

    async def live(step: str, units: dict[str, int]) -> None:
        sku = await world.stock(units)
        recorded = await world.record({sku: 1})
        await world.place(recorded)
        order_id = recorded.order.order_id
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)

        async def cancelled_meanwhile() -> None:
            await world.cancel(order_id)
            cancelled = Happening(f"test/{order_id}", "order.cancellation_requested")
            await world.story(order_id).signal("happened", cancelled)

        world.faults.plan(order_id, step, Fault.TASK_LOST, cancelled_meanwhile)
        await world.refuse(order_id)
        await _ends(world, order_id, "CANCELLED")
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    await asyncio.gather(
        *(live(step, {NEAR: 1, MID: 1}) for step in REROUTE_HELD),
        *(live(step, {NEAR: 1}) for step in ("release_hold", "reroute_units")),
    )


# Cancelled at each wait


async def _before_anything(world: World, order_id: str) -> None:
    return None


async def _in_cooling_off(world: World, order_id: str) -> None:
    await until(lambda: _is(world, order_id, orders.ORDER_STATE_VALIDATED))


async def _at_the_payment(world: World, order_id: str) -> None:
    await until(lambda: _is(world, order_id, orders.ORDER_STATE_ACTION_REQUIRED))


async def _offered(world: World, order_id: str) -> None:
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)


async def _accepted(world: World, order_id: str) -> None:
    await world.accept(order_id)


async def _picked(world: World, order_id: str) -> None:
    await world.pick(await world.accept(order_id))


async def _packed_and_paid(world: World, order_id: str) -> None:
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)


async def _packed(world: World, order_id: str) -> None:
    await world.pack(await world.pick(await world.accept(order_id)))


async def _refused_by_its_point(world: World, order_id: str) -> None:
    await world.refuse(order_id)


async def _is(world: World, order_id: str, state: "orders.OrderState.ValueType") -> bool:
    return (await world.order(order_id)).state == state


WAITS: list[tuple[Life, dict[str, Any]]] = [
    (_before_anything, {}),
    (_at_the_payment, {"token": "pm_card_authenticationRequired"}),
    (_in_cooling_off, {"channel": "slow"}),
    (_offered, {}),
    (_accepted, {}),
    (_picked, {}),
    (_packed, {}),
    (_packed_and_paid, {}),
    (_refused_by_its_point, {}),
]


async def test_a_cancellation_at_any_wait_undoes_exactly_what_was_done(world: World) -> None:
    async def live(reach: Life, options: dict[str, Any]) -> None:
        sku = await world.stock({NEAR: 1, MID: 1})
        recorded = await world.record({sku: 1}, **options)
        order_id = recorded.order.order_id
        placing = asyncio.create_task(world.place(recorded))
        await reach(world, order_id)
        await world.cancel(order_id)
        await placing
        assert await world.ended(order_id) == "CANCELLED", reach.__name__
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
        assert (await world.order(order_id)).state == orders.ORDER_STATE_CANCELLED

    await asyncio.gather(*(live(reach, options) for reach, options in WAITS))


async def test_after_the_hand_over_scan_a_cancellation_comes_too_late(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    await world.place(recorded)
    order_id = recorded.order.order_id
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    handed = await world.hand_over(work)
    with pytest.raises(FailedPrecondition) as caught:
        await world.cancel(order_id)
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"
    await world.deliver(handed)
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_what_was_missed_before_a_cancellation_is_not_for_sale_again_however_late_it_is_heard(
    world: World,
) -> None:
    """The story hears of the pick and of the cancellation in one go."""
    sku = await world.stock({NEAR: 2})
    recorded = await world.record({sku: 2})
    order_id = recorded.order.order_id

    async def short_and_cancelled() -> None:
        await world.pick(await world.accept(order_id), missing=1)
        await world.cancel(order_id)

        async def told() -> bool:
            return (order_id, "oms.orders.fulfilment.cancelled") in world.told

        await until(told, "the story of the work was told")

    world.faults.plan(order_id, "offer_fulfilment", Fault.ANSWER_LATE, short_and_cancelled)
    await world.place(recorded)
    assert await world.ended(order_id) == "CANCELLED"
    (row,) = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    assert (row.on_hand, row.reserved, row.unavailable) == (2, 0, 1)
