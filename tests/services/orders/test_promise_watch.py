"""The watched promise on a real database: found by the clock or by what happens, told once, kept."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders.domain.model import Cause, LatenessRule, Leg, Order, Window
from services.orders.domain.states import FulfilmentState
from services.orders.reading import OrderFilter
from tests.services.orders.builders import LIFE_CYCLE, NOON, PLANTED, PROMISE, Shop, leg, line, rows
from tests.trips import round_trips

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUT_OFF = NOON + 6 * HOUR
MISSED = CUT_OFF + 2 * HOUR
NEXT_WINDOW = Window(PROMISE.start + DAY, PROMISE.end + DAY)
RULES = (LatenessRule(86400, 5000), LatenessRule(2 * 86400, 10000))


def planned(*units: tuple[int, int], point: str = "store-lyon", hours: int = 6) -> Leg:
    """A leg that says when its work must begin and what becomes of a parcel that misses its collection."""
    one = leg(*units, point=point, hours=hours)
    assert one.hand_over_by is not None
    return replace(
        one,
        latest_start=one.hand_over_by - 2 * HOUR,
        next_hand_over_by=one.hand_over_by + DAY,
        next_window=NEXT_WINDOW,
    )


@pytest.fixture
async def ruled(shop: Shop) -> Shop:
    """A shop whose lateness is told after an hour and costs it the delivery fee."""
    await shop.service.publish_life_cycle(
        replace(LIFE_CYCLE, promise_tolerance_seconds=3600, lateness_rules=RULES)
    )
    return shop


async def read(shop: Shop, order_id: str) -> Order:
    return (await shop.service.get_order(order_id)).order


async def sweep(shop: Shop, as_of: datetime) -> int:
    return await shop.service.watch_promises(as_of, 100)


async def told(orders_db: AsyncEngine, kind: str = "order.promise_changed") -> list[Any]:
    return await rows(orders_db, f"SELECT subject, data FROM outbox WHERE type = 'oms.orders.{kind}' ORDER BY id")


async def late_orders(shop: Shop) -> list[str]:
    found = await shop.service.list_orders(OrderFilter(late=True), 10, None)
    return [view.order.order_id for view in found]


async def test_rules_and_milestones_are_read_as_they_were_written(ruled: Shop) -> None:
    order_id, _ = await ruled.release("key-1", planned((1, 2)))
    one = await read(ruled, order_id)
    assert one.life_cycle.lateness_rules == RULES
    work = one.fulfilments[0]
    assert (work.latest_start, work.next_hand_over_by) == (NOON + 4 * HOUR, CUT_OFF + DAY)
    assert work.next_window == NEXT_WINDOW
    assert one.watch_at == NOON + 5 * HOUR


async def test_rules_are_a_version_of_the_life_cycle(ruled: Shop) -> None:
    same = replace(LIFE_CYCLE, version=0, promise_tolerance_seconds=3600, lateness_rules=RULES)
    assert (await ruled.service.publish_life_cycle(same)).version == 2
    assert (await ruled.service.publish_life_cycle(replace(same, lateness_rules=RULES[:1]))).version == 3


async def test_silence_is_found_by_the_clock_and_told_once(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.pack(work)
    assert await sweep(ruled, CUT_OFF) == 0
    assert await sweep(ruled, MISSED) == 1
    assert await sweep(ruled, MISSED) == 0
    one = await read(ruled, order_id)
    assert (one.promise, one.current_promise, one.late_since) == (PROMISE, NEXT_WINDOW, MISSED)
    (change,) = one.promise_changes
    assert [(row.fulfilment_id, row.cause) for row in change.parcels] == [(work, Cause.HAND_OVER_MISSED)]
    ((subject, data),) = await told(orders_db)
    assert subject == f"order/{order_id}"
    assert (data["channel_id"], data["promise"]["end"]) == ("web-fr", NEXT_WINDOW.end.isoformat())
    entries = await ruled.service.get_timeline(order_id)
    assert [entry.kind for entry in entries][-2:] == ["order.promise_changed", "compensation.due"]


async def test_two_sweeps_at_once_tell_once(ruled: Shop, orders_db: AsyncEngine) -> None:
    for number in range(5):
        await ruled.release(f"key-{number}", planned((1, 2)))
    await asyncio.gather(*(sweep(ruled, MISSED) for _ in range(4)))
    assert len(await told(orders_db)) == 5
    assert len(await told(orders_db, "compensation.due")) == 5
    assert len(await told(orders_db, "fulfilment.start_missed")) == 5


async def test_work_that_nobody_took_is_marked_and_told_to_people(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    at = NOON + 5 * HOUR + timedelta(minutes=1)
    assert await sweep(ruled, at) == 1
    ((subject, data),) = await told(orders_db, "fulfilment.start_missed")
    assert (subject, data["point_id"]) == (f"fulfilment/{work}", "store-lyon")
    one = await read(ruled, order_id)
    assert one.fulfilments[0].start_missed_at == at
    assert one.fulfilments[0].state is FulfilmentState.OFFERED
    assert (one.promise_changes, one.watch_at) == ((), CUT_OFF + HOUR)


async def test_a_late_hand_over_is_told_in_its_own_transaction(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.pack(work)
    await ruled.service.hand_over(ruled.asked(), work, "T1", "anna", MISSED)
    assert len(await told(orders_db)) == 1
    assert (await read(ruled, order_id)).watch_at == NEXT_WINDOW.end + HOUR
    assert await sweep(ruled, NEXT_WINDOW.end) == 0


async def test_a_hand_over_in_time_takes_a_step_more_of_nothing(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.pack(work)
    gone = ruled.service.hand_over(ruled.asked(), work, "T1", "anna", CUT_OFF)
    assert await round_trips(orders_db, gone) <= 6
    assert await sweep(ruled, MISSED) == 0
    assert (await read(ruled, order_id)).watch_at == PROMISE.end + HOUR


async def test_of_two_parcels_the_one_that_drifts_is_named(ruled: Shop, orders_db: AsyncEngine) -> None:
    legs = planned((1, 2)), planned((2, 2), point="store-nice", hours=30)
    order_id, (first, second) = await ruled.release("key-1", *legs, lines=(line(1), line(2)))
    await ruled.pack(first)
    await ruled.pack(second)
    assert await sweep(ruled, MISSED) == 1
    ((_, data),) = await told(orders_db)
    assert [row["fulfilment_id"] for row in data["parcels"]] == [first]
    await ruled.service.hand_over(ruled.asked(), first, "T1", "anna", MISSED)
    await ruled.service.hand_over(ruled.asked(), second, "T2", "anna", MISSED + HOUR)
    assert len(await told(orders_db)) == 1
    assert (await read(ruled, order_id)).current_promise == NEXT_WINDOW


async def test_late_orders_are_a_work_list_until_they_arrive(ruled: Shop) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.release("key-2", planned((1, 2), hours=20))
    await ruled.pack(work)
    await sweep(ruled, MISSED)
    assert await late_orders(ruled) == [order_id]
    await ruled.service.hand_over(ruled.asked(), work, "T1", "anna", MISSED)
    arrived = NEXT_WINDOW.start
    await ruled.scan("e1", "T1", "delivered", arrived, arrived)
    assert await late_orders(ruled) == []


async def test_a_cancelled_order_is_not_late_any_more(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, _ = await ruled.release("key-1", planned((1, 2)))
    await sweep(ruled, MISSED)
    await ruled.service.request_cancellation(ruled.asked(), order_id, "waited too long", "cs", MISSED)
    assert await late_orders(ruled) == []
    assert await sweep(ruled, PROMISE.end + 9 * DAY) == 0
    assert len(await told(orders_db)) == 1


async def test_compensation_is_due_once_for_each_rule(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.pack(work)
    await sweep(ruled, MISSED)
    await ruled.service.hand_over(ruled.asked(), work, "T1", "anna", MISSED)
    for late in range(1, 60):
        await sweep(ruled, NEXT_WINDOW.end + late * DAY)
    due = [data for _, data in await told(orders_db, "compensation.due")]
    assert [(row["amount_minor"], row["total_minor"]) for row in due] == [(245, 245), (245, 490)]
    assert len({row["compensation_id"] for row in due}) == 2
    assert (await read(ruled, order_id)).compensation_minor == 490


async def test_a_parcel_that_arrives_too_late_unseen_gives_its_compensation(
    ruled: Shop, orders_db: AsyncEngine
) -> None:
    _, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.pack(work)
    await ruled.service.hand_over(ruled.asked(), work, "T1", "anna", CUT_OFF)
    arrived = PROMISE.end + 3 * DAY
    await ruled.scan("e1", "T1", "delivered", arrived, arrived)
    assert await told(orders_db) == []
    ((_, data),) = await told(orders_db, "compensation.due")
    assert (data["amount_minor"], data["late_seconds"]) == (490, 3 * 86400)


async def test_a_carrier_whose_clock_is_ahead_makes_nothing_late(ruled: Shop, orders_db: AsyncEngine) -> None:
    legs = planned((1, 2)), planned((2, 2), point="store-nice")
    _, (first, second) = await ruled.release("key-1", *legs, lines=(line(1), line(2)))
    await ruled.pack(first)
    await ruled.pack(second)
    await ruled.service.hand_over(ruled.asked(), first, "T1", "anna", NOON)
    ahead = PROMISE.end + 3 * DAY
    await ruled.scan("e1", "T1", "in_transit", ahead, NOON)
    await ruled.scan("e2", "T1", "delivered", ahead, NOON)
    assert await told(orders_db) == []
    assert await told(orders_db, "compensation.due") == []
    ((kept,),) = await rows(orders_db, "SELECT occurred_at FROM carrier_event WHERE event_id = 'e2'")
    assert kept == ahead, "what a carrier says is kept as it came"


async def test_a_new_plan_that_is_later_is_told_with_the_route(ruled: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await ruled.release("key-1", planned((1, 2)))
    await ruled.service.refuse_offer(ruled.asked(), work, "no_staff", "anna", NOON)
    later = replace(planned((1, 2), point="store-nice", hours=30), window=NEXT_WINDOW)
    again = await ruled.service.reroute_units(ruled.asked(), order_id, [later], [], "refused", "dec_2", NOON)
    ((_, data),) = await told(orders_db)
    (created,) = again.fulfilments
    assert [(row["fulfilment_id"], row["cause"]) for row in data["parcels"]] == [
        (created.fulfilment_id, "planned_later")
    ]


async def test_an_order_of_before_the_watch_is_watched_from_its_next_change(
    ruled: Shop, orders_db: AsyncEngine
) -> None:
    order_id, (work,) = await ruled.release("key-1", leg((1, 2)))
    async with orders_db.begin() as tx:
        await tx.execute(text("UPDATE orders SET watch_at = NULL"))
    assert await sweep(ruled, MISSED) == 0
    await ruled.pack(work)
    assert (await read(ruled, order_id)).watch_at == CUT_OFF + HOUR
    assert await sweep(ruled, MISSED) == 1
    assert (await read(ruled, order_id)).current_promise == NEXT_WINDOW


async def test_the_clock_reads_an_index(ruled: Shop, orders_db: AsyncEngine) -> None:
    async with orders_db.begin() as tx:
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(
            text("EXPLAIN SELECT order_id FROM orders WHERE watch_at < now() ORDER BY watch_at LIMIT 100")
        )
        assert "orders_watched" in "".join(row[0] for row in plan)


async def test_what_is_told_of_lateness_names_nobody(ruled: Shop, orders_db: AsyncEngine) -> None:
    await ruled.release("key-1", planned((1, 2)))
    await sweep(ruled, MISSED)
    kept = await rows(
        orders_db, "SELECT data::text FROM outbox UNION ALL SELECT promise_changes::text FROM orders"
    )
    assert not [row for row in kept for secret in PLANTED if secret in row[0]]
