"""What customers collect at a store: paid at the counter, kept for a time, and never sent elsewhere unasked."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from kit.errors import FailedPrecondition
from kit.times import from_proto, now, to_proto
from oms.orders.v1 import collection_service_pb2 as col
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, RECOVERABLE, _with_help
from tests.workflows.world import ACROSS, BESIDE, FAR, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = timedelta(days=1)
PARIS = ZoneInfo("Europe/Paris")
READY = orders.FULFILMENT_STATE_READY
# A week and more: the terms of the life cycle are over.
LATER = 9 * DAY
DECLINES = orders.PaymentTerms(payment_method_token="pm_card_captureDeclined")


async def placed(world: World, units: Mapping[str, int], wanted: int = 2, **options: Any) -> tuple[str, str]:
    """The article and the order that is collected at NEAR, which lies at these points."""
    sku = await world.stock(units)
    recorded = await world.record({sku: wanted}, collect_at=NEAR, **options)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    return sku, recorded.order.order_id


async def put_aside(world: World, order_id: str, missing: int = 0) -> orders.Fulfilment:
    """The store takes the work, picks it and puts it aside."""
    work = await world.accept(order_id)
    return await aside(world, await world.pick(work, missing))


async def aside(world: World, work: orders.Fulfilment, at: datetime | None = None) -> orders.Fulfilment:
    request = col.MarkReadyRequest(
        request_id=f"ready/{work.fulfilment_id}",
        fulfilment_id=work.fulfilment_id,
        shelf="B-12",
        actor="store",
        as_of=to_proto(at) if at else None,
    )
    return (await world.collections.MarkReady(request)).fulfilment


async def code_of(world: World, order_id: str) -> str:
    asked = col.GetCollectionCodesRequest(order_id=order_id)
    (found,) = (await world.collections.GetCollectionCodes(asked)).codes
    return found.code


async def collect(world: World, work: orders.Fulfilment, code: str, units: int = 0) -> orders.Fulfilment:
    """Somebody with this code takes so many units of the first line, or all."""
    request = col.CollectRequest(
        request_id=uuid4().hex,
        fulfilment_id=work.fulfilment_id,
        code=code,
        collected_by="customer",
        lines=[orders.PlannedLine(line_number=1, quantity=units)] if units else [],
        actor="store",
    )
    return (await world.collections.Collect(request)).fulfilment


async def collected(world: World, order_id: str, units: int = 0) -> None:
    """The customer shows the code, and has it once it is paid."""
    work = await world.work_in(order_id, READY)
    if work.parcel.capture_state == "pending":
        # It is paid with its preparation: nobody asks at the counter.
        await world.parcel_paid(work.fulfilment_id)
    await collect(world, work, await code_of(world, order_id), units)
    await world.work_in(order_id, orders.FULFILMENT_STATE_DELIVERED)


async def choose(world: World, order_id: str, kind: str, point: str = "", number: int = 1) -> None:
    await asked(world, order_id, number)
    request = col.ChooseRequest(
        request_id=uuid4().hex, order_id=order_id, kind=kind, point_id=point, actor="customer"
    )
    await world.collections.Choose(request)


async def asked(world: World, order_id: str, number: int = 1) -> orders.CustomerChoice:
    """What the customer is asked, for the so-manyth time."""

    async def look() -> orders.CustomerChoice | None:
        choices = (await world.order(order_id)).choices
        return choices[number - 1] if len(choices) >= number else None

    found = await until(look, f"{order_id}: the customer is asked")
    assert found
    return found


async def captures(world: World, order_id: str) -> list[int]:
    operations = (await world.payment(order_id)).operations
    succeeded = pay.OPERATION_STATE_SUCCEEDED
    kind = pay.OPERATION_KIND_CAPTURE
    return [one.amount.amount_minor for one in operations if (one.kind, one.state) == (kind, succeeded)]


async def _ends(world: World, order_id: str, state: str) -> None:
    assert await world.ended(order_id) == state


async def test_it_is_paid_at_the_counter_and_leaves_the_stock_there(world: World) -> None:
    async def all_of_it(channel: str) -> None:
        sku, order_id = await placed(world, {NEAR: 3}, channel=channel)
        work = await put_aside(world, order_id)
        assert (await world.holds_of(sku)) == {NEAR: 2}
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        total = 2 * PRICE_MINOR + SHIPPING_MINOR
        assert await captures(world, order_id) == [total]
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 2})
        assert work.collection.shelf == "B-12"

    async def some_of_it(channel: str) -> None:
        sku, order_id = await placed(world, {NEAR: 3}, channel=channel)
        await put_aside(world, order_id)
        await collected(world, order_id, units=1)
        await _ends(world, order_id, "CLOSED")
        kept = PRICE_MINOR + SHIPPING_MINOR
        if channel != "web":
            (refund,) = await world.refunds_in(order_id, "succeeded")
            assert refund.amount.amount_minor == PRICE_MINOR
        await world.assert_settled(order_id, kept_minor=kept, sold={sku: 1})

    lives = [life(channel) for life in (all_of_it, some_of_it) for channel in ("web", "prepared", "prepaid")]
    await asyncio.gather(*lives)


@pytest.mark.parametrize("told_after", [timedelta(), 3 * DAY], ids=["told_at_once", "told_days_later"])
async def test_the_opening_days_of_the_store_say_until_when_it_is_kept(
    world: World, told_after: timedelta
) -> None:
    """Counted from when it was ready, whenever that is told."""
    _, order_id = await placed(world, {NEAR: 2})
    picked = await world.pick(await world.accept(order_id))
    work = await aside(world, picked, now() - told_after)
    ready = from_proto(work.collection.ready_at)

    async def dated() -> bool:
        kept = from_proto((await world.work_in(order_id, READY)).collection.keep_until)
        # The store closes at midnight, seven days after the day on which it was ready.
        return timedelta(days=7) <= kept - ready <= timedelta(days=8)

    await until(dated, "kept for seven opening days")
    await collected(world, order_id)
    await _ends(world, order_id, "CLOSED")


async def test_nothing_is_paid_for_an_e_reservation_and_its_store_sells_it(world: World) -> None:
    async def comes() -> None:
        sku, order_id = await placed(world, {NEAR: 2}, reserved=True)
        await put_aside(world, order_id)
        await collected(world, order_id, units=1)
        await _ends(world, order_id, "CLOSED")
        assert await world.holds_of(sku) == {}
        await world.is_promised(sku, 1)

    async def never_comes() -> str:
        _, order_id = await placed(world, {NEAR: 2}, reserved=True, customer_id="cus_never")
        await put_aside(world, order_id)
        return order_id

    _, order_id = await asyncio.gather(comes(), never_comes())
    await world.watch(now() + LATER)
    await _ends(world, order_id, "CANCELLED")
    found = await world.collections.GetNoShows(col.GetNoShowsRequest(order_id=order_id))
    assert found.no_shows[0].no_shows == 1
    by_store = await world.collections.GetNoShows(col.GetNoShowsRequest(point_ids=[NEAR]))
    assert by_store.no_shows[0].ended > by_store.no_shows[0].no_shows
    backs = await world.collections.ListPutBacks(col.ListPutBacksRequest(reach=orders.Reach(point_ids=[NEAR])))
    assert order_id in {one.order_id for one in backs.fulfilments}


async def test_what_nobody_collects_is_sold_to_others_and_paid_by_nobody(world: World) -> None:
    async def life(channel: str) -> tuple[str, str]:
        sku, order_id = await placed(world, {NEAR: 2}, channel=channel)
        work = await put_aside(world, order_id)
        if channel == "prepared":
            # What is on its way to be paid is not given up.
            await world.parcel_paid(work.fulfilment_id)
        return sku, order_id

    lives = await asyncio.gather(*(life(channel) for channel in ("web", "prepared", "prepaid")))
    await world.watch(now() + LATER)
    for sku, order_id in lives:
        await _ends(world, order_id, "CANCELLED")
        for _ in (await world.order(order_id)).refunds:
            await world.refunds_in(order_id, "succeeded")
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_decline_at_the_counter_is_tried_again_when_somebody_is_there(world: World) -> None:
    _, order_id = await placed(world, {NEAR: 2}, payment=DECLINES)
    work = await put_aside(world, order_id)
    code = await code_of(world, order_id)
    for attempt in (1, 2):
        await collect(world, work, code)

        async def declined(attempt: int = attempt) -> bool:
            entries = (await world.orders.GetTimeline(orders.GetTimelineRequest(order_id=order_id))).entries
            return [one.kind for one in entries].count("fulfilment.capture_failed") == attempt

        await until(declined, "a decline")
    assert (await world.work_in(order_id, READY)).parcel.capture_state == "failed"
    await world.override(order_id, work.fulfilment_id)
    await collected(world, order_id)
    await _ends(world, order_id, "CLOSED")
    assert await captures(world, order_id) == []


async def test_a_wrong_code_is_counted_although_it_is_an_error(world: World) -> None:
    _, order_id = await placed(world, {NEAR: 2})
    work = await put_aside(world, order_id)
    for left in (4, 3):
        with pytest.raises(FailedPrecondition) as caught:
            await collect(world, work, "AAAAAA")
        assert (caught.value.reason, str(caught.value.facts["attempts_left"])) == ("WRONG_CODE", str(left))
    await collected(world, order_id)
    await _ends(world, order_id, "CLOSED")


async def test_a_store_that_refuses_or_is_short_lets_the_customer_choose(world: World) -> None:
    total = 2 * PRICE_MINOR + SHIPPING_MINOR

    async def another_store() -> None:
        sku, order_id = await placed(world, {NEAR: 2, BESIDE: 2})
        await world.refuse(order_id, "no_staff")
        offered = await asked(world, order_id)
        assert {one.point_id for one in offered.options} == {BESIDE, ""}
        await choose(world, order_id, "store", BESIDE)
        await put_aside(world, order_id)
        assert await world.holds_of(sku) == {BESIDE: 2}
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 2})

    async def delivered() -> None:
        sku, order_id = await placed(world, {NEAR: 2, FAR: 2})
        await world.refuse(order_id, "not_found")
        await choose(world, order_id, "delivery")
        await world.ship(order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 2})

    async def part_of_it() -> None:
        sku, order_id = await placed(world, {NEAR: 2, BESIDE: 2})
        await put_aside(world, order_id, missing=1)
        await choose(world, order_id, "refund")
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 1})

    async def refunded(channel: str) -> None:
        sku, order_id = await placed(world, {NEAR: 2}, channel=channel)
        await world.refuse(order_id, "no_staff")
        await choose(world, order_id, "refund")
        await _ends(world, order_id, "CANCELLED")
        for _ in (await world.order(order_id)).refunds:
            await world.refunds_in(order_id, "succeeded")
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def cancelled() -> None:
        sku, order_id = await placed(world, {NEAR: 2})
        await world.refuse(order_id, "no_staff")
        await asked(world, order_id)
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})

    async def asked_twice() -> None:
        """The other store refuses too: it is not sent on from there either."""
        sku, order_id = await placed(world, {NEAR: 2, BESIDE: 2, ACROSS: 2})
        await world.refuse(order_id, "no_staff")
        await choose(world, order_id, "store", BESIDE)
        work = await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
        assert work.point_id == BESIDE
        await world.refuse(order_id, "no_staff")
        again = await asked(world, order_id, 2)
        assert NEAR not in {one.point_id for one in again.options}
        await choose(world, order_id, "store", ACROSS, 2)
        await put_aside(world, order_id)
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 2})

    await asyncio.gather(
        another_store(),
        delivered(),
        part_of_it(),
        refunded("web"),
        refunded("prepaid"),
        cancelled(),
        asked_twice(),
    )


async def test_who_does_not_answer_is_refunded_at_the_deadline(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 2, BESIDE: 2})
    await world.refuse(order_id, "no_staff")
    choice = await asked(world, order_id)
    assert (await world.order(order_id)).customer_status == "choice required"
    await world.watch(from_proto(choice.until) + timedelta(seconds=1))
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


@pytest.mark.parametrize("fault", EACH)
async def test_whatever_goes_wrong_with_a_step_it_is_collected_and_paid_once(world: World, fault: Fault) -> None:
    async def live(step: str, channel: str = "web") -> None:
        sku, order_id = await placed(world, {NEAR: 2}, channel=channel)
        world.faults.plan(order_id, step, fault)

        async def go() -> None:
            await put_aside(world, order_id)
            await collected(world, order_id, units=1)
            await _ends(world, order_id, "CLOSED")
            for _ in (await world.order(order_id)).refunds:
                await world.refunds_in(order_id, "succeeded")

        await _with_help(world, order_id, go())
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 1})

    steps = ["closings", "set_collection_dates", "record_capture", "issue_stock", "release_hold", "void"]
    # For good it is a decline, which somebody tries again.
    steps += ["capture"] if fault in RECOVERABLE else []
    await asyncio.gather(*(live(step) for step in steps), live("release_hold", "prepared"))


@pytest.mark.parametrize("fault", EACH)
async def test_whatever_goes_wrong_with_a_step_what_is_not_collected_is_undone(world: World, fault: Fault) -> None:
    async def live(step: str) -> tuple[str, str]:
        sku, order_id = await placed(world, {NEAR: 2})
        await put_aside(world, order_id)
        world.faults.plan(order_id, step, fault)
        return sku, order_id

    lives = await asyncio.gather(*(live(step) for step in ("release_hold", "void", "close_order")))
    await world.watch(now() + LATER)
    ends: list[Awaitable[None]] = [_with_help(world, one, _ends(world, one, "CANCELLED")) for _, one in lives]
    await asyncio.gather(*ends)
    for sku, order_id in lives:
        assert world.faults.is_spent(order_id)
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_what_waits_for_its_money_waits_at_the_counter_until_that_is_decided(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 2}, channel="prepared", payment=DECLINES)
    work = await put_aside(world, order_id)

    async def declined() -> bool:
        return (order_id, "oms.orders.fulfilment.capture_failed") in world.told

    await until(declined, "a decline")
    await world.watch(now() + LATER)
    assert (await world.order(order_id)).fulfilments[0].state == READY
    await world.override(order_id, work.fulfilment_id)
    await world.watch(now() + LATER)
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_a_story_that_hears_of_it_all_at_once_lets_nothing_lie(world: World) -> None:
    """It was accepted, picked, put aside and never collected before its story heard of any of it."""
    sku = await world.stock({NEAR: 2})
    recorded = await world.record({sku: 2}, collect_at=NEAR)
    order_id = recorded.order.order_id

    async def a_week() -> None:
        await put_aside(world, order_id)
        await world.watch(now() + LATER)

        async def told() -> bool:
            return (order_id, "oms.orders.fulfilment.cancelled") in world.told

        await until(told, "the story of the work was told")

    world.faults.plan(order_id, "offer_fulfilment", Fault.ANSWER_LATE, a_week)
    await world.place(recorded)
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


@pytest.mark.parametrize("fault", EACH)
async def test_whatever_goes_wrong_with_a_step_the_customer_has_what_he_chose(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await placed(world, {NEAR: 2, BESIDE: 2})
        world.faults.plan(order_id, step, fault)

        async def go() -> None:
            await world.refuse(order_id, "no_staff")
            await choose(world, order_id, "store", BESIDE)
            await put_aside(world, order_id)
            await collected(world, order_id)
            await _ends(world, order_id, "CLOSED")

        await _with_help(world, order_id, go())
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        total = 2 * PRICE_MINOR + SHIPPING_MINOR
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 2})

    steps = ("collection_options", "ask_customer", "read_choice", "move_hold", "reroute_units")
    await asyncio.gather(*(live(step) for step in steps))
