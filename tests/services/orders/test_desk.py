"""The desk of customer service on a real database: what blocks, who the customer is, what may be done."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from kit.feed import Bell
from services.orders import store
from services.orders.desk import Desk, Who
from services.orders.desk_store import BLOCKED, DEPARTS, NOT_BEGUN, BlockedFilter, Reason
from services.orders.domain.capture import Outcome
from services.orders.domain.desk import Act, Wish
from services.orders.domain.model import (
    Appointment,
    Charge,
    Decision,
    Fulfilment,
    Happening,
    Hold,
    HoldDefault,
    HoldKind,
    Leg,
    Order,
    Refund,
    RefundKind,
    Slot,
    Window,
)
from services.orders.domain.states import CaptureState, RefundState
from services.orders.holding import Holding
from tests.services.orders.builders import (
    BUYER,
    COOLED,
    IDENTITIES,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    Shop,
    leg,
    line,
    rows,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = NOON + timedelta(days=4)
SERVICE = ("customer_service",)


@pytest.fixture
def desk(orders_db: AsyncEngine) -> Desk:
    return Desk(orders_db, IDENTITIES)


async def blocked(desk: Desk, **wanted: object) -> list[str]:
    found, _ = await desk.list_blocked(BlockedFilter(**wanted), NOON, 50, None)  # type: ignore[arg-type]
    return [one.order_id for one in found]


async def test_what_does_not_go_on_is_one_list_the_most_urgent_first(
    shop: Shop, desk: Desk, orders_db: AsyncEngine
) -> None:
    holding = Holding(orders_db, Bell())
    until = NOON + timedelta(hours=1)
    held, _ = await shop.release("held", leg((1, 2)))
    await holding.place_hold(shop.asked(), held, "", "calls back", until, HoldDefault.CANCEL, "carla", NOON)
    unpaid, (work,) = await shop.release("unpaid", leg((1, 2), point="store-paris", hours=3))
    await shop.pack(work, captured=False)
    failed = Outcome("failed", "card_declined", "", NOON, NOON + timedelta(minutes=30))
    await shop.service.record_capture(shop.asked(), work, failed)
    late, _ = await shop.release("late", leg((1, 2)))
    await shop.service.watch_promises(LATER, 100)
    astray, (gone,) = await shop.release("astray", leg((1, 2)))
    await shop.pack(gone)
    await shop.service.hand_over(shop.asked(), gone, "T-1", "anna", NOON)
    await shop.scan("evt-1", "T-1", "lost")
    well, _ = await shop.release("well", leg((1, 2)))

    found, counts = await desk.list_blocked(BlockedFilter(), NOON, 50, None)
    by_id = {one.order_id: one for one in found}
    assert well not in by_id
    assert [one.urgent_at for one in found] == sorted(one.urgent_at for one in found)
    assert found[0].order_id == held
    (hold,) = [one for one in by_id[held].reasons if one.reason == "held_manual"]
    assert (hold.detail, hold.due_at, hold.then) == ("calls back", until, "cancel")
    (money,) = [one for one in by_id[unpaid].reasons if one.reason == "payment_failed"]
    assert (money.detail, money.then, money.fulfilment_id) == ("card_declined", "retry", work)
    assert by_id[unpaid].point_ids == ("store-paris",)
    (loss,) = [one for one in by_id[astray].reasons if one.reason == "undecided_loss"]
    assert (loss.then, loss.fulfilment_id) == ("refund", gone)
    assert "late" in {one.reason for one in by_id[late].reasons}
    assert by_id[late].promise == PROMISE
    assert counts["held_manual"] == counts["undecided_loss"] == counts["payment_failed"] == 1
    assert counts[""] == len(found)

    assert await blocked(desk, reason="payment_failed") == [unpaid]
    assert await blocked(desk, point_id="store-paris") == [unpaid]
    assert await blocked(desk, brand="other") == []
    assert await blocked(desk, brands=("maison",)) == await blocked(desk)
    assert await blocked(desk, text=held) == [held]
    assert await blocked(desk, text=BUYER.customer.email.upper()) == await blocked(desk)
    assert await blocked(desk, text="nobody@example.org") == []
    with pytest.raises(InvalidArgument, match="one of held_fraud"):
        await blocked(desk, reason="bad_weather")


async def test_pages_of_the_queue_hold_each_order_once(shop: Shop, desk: Desk, orders_db: AsyncEngine) -> None:
    holding = Holding(orders_db, Bell())
    for key in ("a", "b", "c", "d", "e"):
        order_id, _ = await shop.release(key, leg((1, 2)))
        await holding.place_hold(shop.asked(), order_id, "", "why", None, HoldDefault.RELEASE, "carla", NOON)
    first, counts = await desk.list_blocked(BlockedFilter(), NOON, 3, None)
    after = (first[-1].urgent_at, first[-1].order_id)
    second, none = await desk.list_blocked(BlockedFilter(), NOON, 3, after)
    assert (len(first), len(second), counts[""], none) == (3, 2, 5, {})
    assert len({one.order_id for one in [*first, *second]}) == 5


async def test_what_waits_as_planned_does_not_block(shop: Shop, desk: Desk) -> None:
    cooling_off = await shop.record("key-1")
    await shop.accept(cooling_off)
    assert await blocked(desk) == []


def departing(point: str = "store-lyon", *, next_window: Window = PROMISE) -> Leg:
    """To be begun in four hours and to leave in six; what misses that leaves a day later, for this window."""
    at = NOON + 6 * HOUR
    begun, then = at - 2 * HOUR, at + 24 * HOUR
    return replace(leg((1, 2), point=point), latest_start=begun, next_hand_over_by=then, next_window=next_window)


async def test_what_misses_its_departure_is_told_while_its_promise_holds(shop: Shop, desk: Desk) -> None:
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, promise_tolerance_seconds=3600))
    leaves = NOON + 6 * HOUR
    idle, (waiting,) = await shop.release("idle", departing())
    ready, (packed,) = await shop.release("ready", departing("store-paris"))
    await shop.pack(packed)
    slow, (taken,) = await shop.release("slow", departing())
    await shop.service.accept_offer(shop.asked(), taken, "anna", NOON)
    gone, (handed,) = await shop.release("gone", departing())
    await shop.pack(handed)
    await shop.service.hand_over(shop.asked(), handed, "T-1", "anna", NOON)

    async def told(at: datetime) -> dict[str, Reason]:
        await shop.service.watch_promises(at, 100)
        found, counts = await desk.list_blocked(BlockedFilter(), at, 50, None)
        assert counts.get("", 0) == len(found)
        return {one.order_id: why for one in found for why in one.reasons}

    assert await told(NOON + 4 * HOUR) == {}
    not_begun = (await told(NOON + 5 * HOUR + MINUTE))[idle]
    assert (not_begun.reason, not_begun.detail, not_begun.since) == ("start_missed", "store-lyon", NOON + 4 * HOUR)
    assert (not_begun.due_at, not_begun.then, not_begun.fulfilment_id) == (leaves, "hand_over", waiting)
    # What is packed waits for its carrier; what is not is about to miss it.
    near = await told(leaves - 30 * MINUTE)
    assert {one: why.reason for one, why in near.items()} == {idle: "start_missed", slow: "hand_over_near"}
    assert (near[slow].since, near[slow].due_at) == (leaves - 30 * MINUTE, leaves)
    missed = await told(leaves + HOUR + MINUTE)
    assert {one: why.reason for one, why in missed.items()} == dict.fromkeys(
        (idle, ready, slow), "hand_over_missed"
    )
    assert (missed[ready].since, missed[ready].due_at) == (leaves, leaves + 24 * HOUR)
    found, _ = await desk.list_blocked(BlockedFilter(reason="hand_over_missed"), leaves + 2 * HOUR, 50, None)
    assert {one.urgent_at for one in found} == {min(leaves + 24 * HOUR, PROMISE.end)}
    await shop.service.hand_over(shop.asked(), packed, "T-2", "anna", leaves + 2 * HOUR)
    assert ready not in await told(leaves + 2 * HOUR)
    assert gone not in missed


async def test_what_comes_late_for_its_missed_departure_is_late_and_nothing_else(shop: Shop, desk: Desk) -> None:
    later = Window(PROMISE.start + 48 * HOUR, PROMISE.end + 48 * HOUR)
    order_id, _ = await shop.release("late", departing(next_window=later))
    at = NOON + 7 * HOUR
    await shop.service.watch_promises(at, 100)
    ((one,), counts) = await desk.list_blocked(BlockedFilter(), at, 50, None)
    assert (one.order_id, [why.reason for why in one.reasons]) == (order_id, ["late"])
    assert counts == {"": 1, "late": 1}


@pytest.mark.parametrize(
    ("index", "wanted"),
    [("fulfilment_departs", f"{DEPARTS} AND hand_over_by <= now()"), ("fulfilment_not_begun", NOT_BEGUN)],
)
async def test_departures_are_found_by_their_indexes(orders_db: AsyncEngine, index: str, wanted: str) -> None:
    async with orders_db.begin() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await tx.execute(text(f"EXPLAIN SELECT order_id FROM fulfilment WHERE {wanted}"))).scalars()
        assert index in "\n".join(plan)


async def test_the_queue_is_found_by_its_index(shop: Shop, orders_db: AsyncEngine) -> None:
    async with orders_db.begin() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = (await tx.execute(text(f"EXPLAIN SELECT order_id FROM orders WHERE {BLOCKED}"))).scalars()
        assert "orders_blocked" in "\n".join(plan)


async def test_a_customer_is_known_over_all_channels(shop: Shop, desk: Desk, orders_db: AsyncEngine) -> None:
    kept, (work,) = await shop.release("kept", leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, "T-1", "anna", NOON)
    await shop.scan("evt-1", "T-1", "delivered", PROMISE.end + timedelta(hours=1))
    cancelled = await shop.record("cancelled", line(quantity=5))
    await shop.service.request_cancellation(shop.asked(), cancelled, "no longer", "carla", NOON, SERVICE)
    async with orders_db.begin() as tx:
        # An order of before customers were known by digests.
        await tx.execute(text("DELETE FROM order_trait WHERE order_id = :id"), {"id": cancelled})

    known = await desk.get_customer(Who("cus_1"), (), (), NOON, 50, None)
    assert {view.order.order_id for view in known.orders} == {kept, cancelled}
    totals = known.totals
    assert (totals.orders, totals.cancelled_orders, totals.late_orders) == (2, 1, 1)
    assert (totals.kept_units, totals.returned_units) == (2, 0)
    (money,) = totals.money
    assert (money.ordered_minor, money.captured_minor, money.refunded_minor) == (6490, 6490, 0)
    by_order = await desk.get_customer(Who(order_id=cancelled), (), (), NOON, 50, None)
    assert by_order.totals == totals
    by_mail = await desk.get_customer(Who(email=f" {BUYER.customer.email.upper()}"), (), (), NOON, 1, None)
    assert [view.order.order_id for view in by_mail.orders] == [kept]
    for who, channels, brands in (
        (Who("cus_2"), (), ()),
        (Who("cus_1"), ("app-fr",), ()),
        (Who(order_id=kept), (), ("other",)),
    ):
        with pytest.raises(NotFound, match="CUSTOMER_NOT_FOUND"):
            await desk.get_customer(who, channels, brands, NOON, 50, None)
    with pytest.raises(InvalidArgument):
        await desk.get_customer(Who("cus_1", kept), (), (), NOON, 50, None)


async def test_a_preview_says_what_would_come_of_an_act_and_does_nothing(
    shop: Shop, desk: Desk, orders_db: AsyncEngine
) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    before = await rows(orders_db, "SELECT * FROM timeline")
    (cancel,) = await desk.preview(order_id, SERVICE, Wish(Act.CANCEL, reason="no longer"), COOLED)
    assert cancel.refusal is None
    assert cancel.effect is not None
    (units,) = cancel.effect.units
    assert (units.quantity, units.before, units.after) == (2, "allocated", "cancelled")
    assert units.point_id == "store-lyon"
    assert await rows(orders_db, "SELECT * FROM timeline") == before
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, "T-1", "anna", COOLED)
    by_act = {one.act: one for one in await desk.preview(order_id, SERVICE, None, COOLED)}
    assert by_act[Act.CANCEL].refusal is not None
    assert "handed over on 20 Nov 2026 12:30 UTC" in by_act[Act.CANCEL].refusal_text
    assert by_act[Act.REFUND].refusal is None
    assert by_act[Act.DECLARE_LOST].target_id == work


async def written(engine: AsyncEngine, order_id: str, change: Callable[[Order], Order]) -> None:
    """The order as a rule would have left it."""
    async with engine.begin() as tx:
        before = await store.lock_order(tx, order_id)
        await store.save(tx, before, Decision(change(before), (Happening("order.seen", "It was so.", NOON),)))


async def test_every_other_reason_is_read_as_it_is_written(shop: Shop, desk: Desk, orders_db: AsyncEngine) -> None:
    day = timedelta(days=1)
    slot = Slot("lyon.20261207", (NOON + day).date(), PROMISE)
    booked = Appointment("bkg_1", slot, slot.day)
    waits = Hold("hld_9", HoldKind.STOCK, "", "2 units come", NOON - day, NOON - day, HoldDefault.WAIT, ())
    failed = Charge(6490, CaptureState.FAILED, "card_declined", NOON, None)
    refund = Refund(
        "rfd_1", "", 1, RefundKind.GOODS, RefundState.FAILED, 100, "EUR", 0, (), (), "other", "", "carla", NOON,
        failure="expired_card",
    )  # fmt: skip

    def work(one: Order, **changes: Any) -> tuple[Fulfilment, ...]:
        return (replace(one.fulfilments[0], **changes),)

    become: dict[str, Callable[[Order], Order]] = {
        "appointment_missed": lambda one: replace(one, appointment=replace(booked, missed_at=NOON)),
        "appointment_moving": lambda one: replace(one, appointment=replace(booked, wanted_slot_id="lyon.next")),
        "held_stock": lambda one: replace(one, holds=(*one.holds, waits)),
        "not_due": lambda one: replace(one, holds=(*one.holds, replace(waits, until=NOON + day))),
        "payment_failed": lambda one: replace(one, charge=failed),
        "unclaimed": lambda one: replace(one, fulfilments=work(one, unclaimed_since=NOON)),
        "refund_failed": lambda one: replace(one, refunds=(replace(refund, order_id=one.order_id),)),
    }
    ids = {}
    for name, change in become.items():
        ids[name], _ = await shop.release(name, leg((1, 2)))
        await written(orders_db, ids[name], change)
    found, counts = await desk.list_blocked(BlockedFilter(), NOON, 50, None)
    seen = {one.order_id: one.reasons for one in found}
    assert seen.keys() == {ids[name] for name in become if name != "not_due"}
    for name in become.keys() - {"not_due"}:
        (reason,) = seen[ids[name]]
        assert (reason.reason, counts[name]) == (name, 1)
        assert not reason.then
    details = {name: seen[ids[name]][0].detail for name in become.keys() - {"not_due"}}
    assert details == {
        "appointment_missed": slot.day.isoformat(),
        "appointment_moving": "lyon.next",
        "held_stock": "2 units come",
        "payment_failed": "card_declined",
        "unclaimed": "store-lyon",
        "refund_failed": "expired_card",
    }
    assert seen[ids["refund_failed"]][0].refund_id == "rfd_1"
    # What has ended blocks nothing, but for money that did not go back.
    async with orders_db.begin() as tx:
        await tx.execute(text("UPDATE orders SET state = 'closed'"))
    assert await blocked(desk) == [ids["refund_failed"]]
