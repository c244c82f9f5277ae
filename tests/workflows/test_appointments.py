"""Orders that are brought at an appointment: the place is taken with the order, moves, and is given back."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition
from kit.times import from_proto, now, to_proto
from oms.booking.v1 import booking_service_pb2 as bkg
from oms.orders.v1 import orders_service_pb2 as pb
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH_FINAL, EACH_RECOVERABLE
from tests.workflows.world import MID, NEAR, VISA, World, until
from workflows.messages import Placement

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def order(world: World, booking: bkg.Booking, token: str = VISA) -> tuple[str, Placement]:
    sku = await world.stock({NEAR: 1, MID: 1})
    recorded = await world.record({sku: 1}, booking=booking.booking_id, token=token)
    placement = await world.place(recorded)
    assert placement is not None
    return recorded.order.order_id, placement


async def test_an_order_takes_its_slot_and_is_planned_for_it(world: World) -> None:
    slot = (await world.slots())[5]
    order_id, placement = await order(world, await world.hold_slot(slot))
    assert placement.state == "validated"
    placed = await world.order(order_id)
    assert (placed.promise, placed.appointment.slot.window) == (slot.window, slot.window)
    assert (placed.appointment.state, placed.appointment.met_from) == ("booked", slot.date)
    booked = await world.booked(placed.appointment.booking_id)
    assert (booked.state, booked.order_id) == (bkg.BOOKING_STATE_CONFIRMED, order_id)
    (work,) = placed.fulfilments
    # In transit for two days at most: it leaves no sooner than it must.
    early = from_proto(slot.window.start) - from_proto(work.hand_over_by)
    assert timedelta(days=1) < early < timedelta(days=3)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"


async def test_a_slot_that_another_has_taken_refuses_the_order_and_nothing_is_kept(world: World) -> None:
    slot = (await world.slots())[1]
    over = await world.hold_slot(slot, time_to_live_seconds=60, as_of=to_proto(now() - timedelta(minutes=2)))

    async def is_over() -> bool:
        return (await world.booked(over.booking_id)).state == bkg.BOOKING_STATE_EXPIRED

    await until(is_over, "the hold expired")
    mine = await world.hold_slot(slot)
    order_id, placement = await order(world, over)
    assert placement.refusal is not None
    assert placement.refusal.reason == "SLOT_FULL"
    assert await world.ended(order_id) == "REFUSED"
    assert (await world.booked(over.booking_id)).state == bkg.BOOKING_STATE_RELEASED
    assert (await world.booked(mine.booking_id)).state == bkg.BOOKING_STATE_HELD
    assert await world.taken(slot) == 1


async def test_a_booking_that_is_another_orders_stays_so(world: World) -> None:
    slot = (await world.slots())[1]
    booking = await world.hold_slot(slot)
    first, _ = await order(world, booking)
    second, placement = await order(world, booking)
    assert placement.refusal is not None
    assert placement.refusal.reason == "BOOKED_BY_ANOTHER"
    assert await world.ended(second) == "REFUSED"
    assert (await world.booked(booking.booking_id)).order_id == first
    assert await world.taken(slot) == 1


async def test_an_order_of_which_nothing_can_be_sent_gives_its_slot_back(world: World) -> None:
    slot = (await world.slots())[2]
    booking = await world.hold_slot(slot)
    order_id, _ = await order(world, booking)
    await world.refuse(order_id)
    await world.refuse(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert (await world.booked(booking.booking_id)).state == bkg.BOOKING_STATE_RELEASED
    assert await world.taken(slot) == 0


async def test_an_order_that_is_cancelled_or_declined_gives_its_slot_back(world: World) -> None:
    one, other = (await world.slots())[1:3]
    cancelled, _ = await order(world, await world.hold_slot(one))
    declined, placement = await order(world, await world.hold_slot(other), token="pm_card_visa_chargeDeclined")
    assert placement.state == "refused"
    await world.cancel(cancelled)
    assert await world.ended(cancelled) == "CANCELLED"
    assert await world.ended(declined) == "REFUSED"
    assert (await world.taken(one), await world.taken(other)) == (0, 0)


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_whatever_happens_to_a_step_a_place_is_taken_once_and_given_back_once(
    world: World, fault: Fault
) -> None:
    slot = (await world.slots())[1]
    booking = await world.hold_slot(slot)
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, booking=booking.booking_id)
    order_id = recorded.order.order_id
    for step in ("confirm_booking", "release_booking"):
        world.faults.plan(order_id, step, fault)
    await world.place(recorded)
    assert await world.taken(slot) == 1
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert world.faults.is_spent(order_id)
    assert await world.taken(slot) == 0


@pytest.mark.parametrize("fault", EACH_FINAL)
async def test_an_order_whose_booking_fails_for_good_is_refused_and_keeps_no_place(
    world: World, fault: Fault
) -> None:
    slot = (await world.slots())[1]
    booking = await world.hold_slot(slot)
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, booking=booking.booking_id)
    world.faults.plan(recorded.order.order_id, "confirm_booking", fault)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "refused"
    assert await world.ended(recorded.order.order_id) == "REFUSED"
    assert (await world.booked(booking.booking_id)).state == bkg.BOOKING_STATE_RELEASED
    assert await world.taken(slot) == 0


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_whatever_happens_to_a_move_it_is_made_once_and_its_order_told(world: World, fault: Fault) -> None:
    _, first, second = (await world.slots())[:3]
    order_id, _ = await order(world, await world.hold_slot(first))
    for step in ("move_booking", "record_appointment_move"):
        world.faults.plan(order_id, step, fault)
    moved = await world.move_appointment(order_id, second)
    assert (moved.slot.slot_id, moved.refusal) == (second.slot_id, "")
    assert (await world.booked(moved.booking_id)).moves == 1
    assert (await world.taken(first), await world.taken(second)) == (0, 1)

    async def is_spent() -> bool:
        return world.faults.is_spent(order_id)

    await until(is_spent, "every fault has happened")


async def test_a_customer_moves_the_appointment_and_that_is_the_new_promise(world: World) -> None:
    _, first, second, third = (await world.slots())[:4]
    order_id, _ = await order(world, await world.hold_slot(first))
    moved = await world.move_appointment(order_id, third)
    assert (moved.slot.slot_id, moved.refusal) == (third.slot_id, "")
    after = await world.order(order_id)
    assert (after.promise, after.fulfilments[0].window) == (third.window, third.window)
    assert (await world.taken(first), await world.taken(third)) == (0, 1)
    await world.hold_slot(second)
    refused = await world.move_appointment(order_id, second)
    assert (refused.slot.slot_id, refused.refusal) == (third.slot_id, "SLOT_FULL")
    with pytest.raises(FailedPrecondition, match="SLOT_TOO_EARLY"):
        await world.move_appointment(order_id, (await world.slots())[0])
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"


async def test_work_that_waits_for_its_day_follows_the_appointment_there_and_back(world: World) -> None:
    first, second = (await world.slots())[5], (await world.slots())[8]
    sku = await world.stock({NEAR: 1})
    booking = await world.hold_slot(first, "in-time")
    recorded = await world.record({sku: 1}, booking=booking.booking_id, channel="in-time")
    order_id = recorded.order.order_id
    await world.place(recorded)
    planned = (await world.order(order_id)).fulfilments[0]
    begins = [from_proto(planned.latest_start)]
    for slot in (second, first):
        await world.move_appointment(order_id, slot)
        (work,) = (await world.order(order_id)).fulfilments
        assert (await world.hold_of(order_id, "appointment")).until == work.latest_start
        begins.append(from_proto(work.latest_start))
        assert timedelta(0) < from_proto(slot.window.start) - from_proto(work.hand_over_by) < timedelta(days=4)
    assert begins[0] < begins[1]
    assert begins[2] == begins[0]
    await world.let_go(order_id, (await world.hold_of(order_id, "appointment")).hold_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"


async def test_a_point_that_refuses_is_replaced_for_the_appointment_as_it_is_now(world: World) -> None:
    _, first, second = (await world.slots())[:3]
    order_id, _ = await order(world, await world.hold_slot(first))
    await world.move_appointment(order_id, second)
    await world.refuse(order_id)
    work = await world.work_in(order_id, pb.FULFILMENT_STATE_OFFERED)
    assert (work.point_id, work.window) == (MID, second.window)
    assert (await world.order(order_id)).appointment.met_from == second.date
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"


async def test_a_cancellation_and_a_move_at_once_leave_no_place_taken(world: World) -> None:
    _, first, second = (await world.slots())[:3]
    order_id, _ = await order(world, await world.hold_slot(first))

    async def move() -> None:
        slot = pb.AppointmentSlot(slot_id=second.slot_id, date=second.date, window=second.window)
        asked = pb.RequestAppointmentMoveRequest(request_id=f"move/{order_id}", order_id=order_id, slot=slot)
        await world.orders.RequestAppointmentMove(asked)

    await asyncio.gather(move(), world.cancel(order_id), return_exceptions=True)
    assert await world.ended(order_id) == "CANCELLED"

    async def is_free() -> bool:
        return await world.taken(first) + await world.taken(second) == 0

    await until(is_free, "both slots free")


async def test_whom_the_carrier_misses_chooses_another_slot(world: World) -> None:
    _, first, second = (await world.slots())[:3]
    booking = await world.hold_slot(first)
    order_id, _ = await order(world, booking)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id)
    work = await world.hand_over(work)
    with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_MOVE"):
        await world.move_appointment(order_id, second)
    await world.miss(booking.booking_id)
    missed = await world.appointment_in(order_id, "missed")
    assert missed.slot.slot_id == first.slot_id
    assert (await world.order(order_id)).compensation.amount_minor == 0
    moved = await world.move_appointment(order_id, second)
    assert (moved.state, moved.slot.slot_id) == ("booked", second.slot_id)
    await world.miss(booking.booking_id)
    await world.appointment_in(order_id, "missed")
    await world.deliver(work)
    assert await world.ended(order_id) == "CLOSED"


async def test_work_for_an_appointment_waits_until_it_must_begin(world: World) -> None:
    slot = (await world.slots())[5]
    sku = await world.stock({NEAR: 1})
    booking = await world.hold_slot(slot, "in-time")
    recorded = await world.record({sku: 1}, booking=booking.booking_id, channel="in-time")
    order_id = recorded.order.order_id
    await world.place(recorded)
    hold = await world.hold_of(order_id, "appointment")
    (work,) = (await world.order(order_id)).fulfilments
    assert (hold.until, hold.fulfilment_id) == (work.latest_start, work.fulfilment_id)
    await world.let_go(order_id, hold.hold_id)
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
