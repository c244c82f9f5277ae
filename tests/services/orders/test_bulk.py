"""Bulk actions on a real database: tried before, decided on one by one, done once whatever dies."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from kit.feed import Bell
from services.orders.amending import Amending
from services.orders.bulk import Bulk
from services.orders.bulk_store import BulkWish
from services.orders.changing import Asked
from services.orders.domain.model import ChangeRefusal, HoldDefault, HoldKind
from services.orders.domain.states import OrderState
from services.orders.holding import Holding
from tests.services.orders.builders import COOLED, IDENTITIES, NOON, Shop, found, leg, rows

SERVICE = ("customer_service",)
CANCEL = BulkWish("cancel", None, "recalled by the maker", SERVICE, channel_ids=("web-fr",))
RELEASE = BulkWish("release_hold", HoldKind.MANUAL, "checked", SERVICE, held_for=HoldKind.MANUAL)


@pytest.fixture
def holding(orders_db: AsyncEngine) -> Holding:
    return Holding(orders_db, Bell())


@pytest.fixture
def amending(orders_db: AsyncEngine) -> Amending:
    return Amending(orders_db, Bell(), IDENTITIES)


@pytest.fixture
def bulk(orders_db: AsyncEngine, shop: Shop, holding: Holding, amending: Amending) -> Bulk:
    return Bulk(orders_db, shop.service, holding, amending)


async def work(bulk: Bulk) -> int:
    done = 0
    while count := await bulk.work(COOLED, 2):
        done += count
    return done


async def test_a_set_is_tried_then_cancelled_order_by_order(
    shop: Shop, bulk: Bulk, orders_db: AsyncEngine
) -> None:
    prepared = [(await shop.release(key, leg((1, 2))))[0] for key in ("a", "b")]
    gone, (parcel,) = await shop.release("gone", leg((1, 2)))
    await shop.pack(parcel)
    await shop.service.hand_over(shop.asked(), parcel, "T-1", "anna", COOLED)
    verdicts = {(one.reason, one.state): one.orders for one in await bulk.preview(CANCEL, COOLED)}
    assert verdicts == {
        ("", OrderState.RELEASED): 2,
        ("TOO_LATE_TO_CANCEL", OrderState.RELEASED): 1,
    }
    assert await rows(orders_db, "SELECT * FROM bulk_item") == []

    asked = Asked("req-bulk", b"all")
    action = await bulk.start(asked, CANCEL, "carla", COOLED)
    assert (action.pending, action.done) == (3, 0)
    assert await work(bulk) == 3
    after = await bulk.get(action.bulk_id)
    assert (after.pending, after.done, after.refused) == (0, 2, 1)
    results = {one.order_id: one for one in await bulk.results(action.bulk_id, 0, 50)}
    assert results[gone].reason == "TOO_LATE_TO_CANCEL"
    for order_id in prepared:
        assert (await shop.service.get_order(order_id)).order.state is OrderState.CANCELLING
        told = await shop.service.get_timeline(order_id)
        assert [one.actor for one in told if one.kind == "order.cancellation_requested"] == ["carla"]
    again = {(one.reason, one.state): one.orders for one in await bulk.preview(CANCEL, COOLED)}
    assert again == {("", OrderState.CANCELLING): 2, ("TOO_LATE_TO_CANCEL", OrderState.RELEASED): 1}
    # Said again, it is the same one, as far as it is.
    assert await bulk.start(asked, CANCEL, "carla", COOLED + timedelta(hours=1)) == after
    assert [one.number for one in await bulk.results(action.bulk_id, 2, 50)] == [3]


async def test_holds_of_a_kind_are_let_go_and_others_stay(shop: Shop, bulk: Bulk, holding: Holding) -> None:
    order_id, _ = await shop.release("a", leg((1, 2)))
    for reason in ("one", "two"):
        await holding.place_hold(shop.asked(), order_id, "", reason, None, HoldDefault.RELEASE, "x", COOLED)
    await shop.release("b", leg((1, 2)))
    nobody = replace(RELEASE, roles=("supply_chain",))
    assert [one.reason for one in await bulk.preview(nobody, COOLED)] == ["HOLD_OF_OTHERS"]
    action = await bulk.start(shop.asked(), RELEASE, "carla", COOLED)
    assert (await work(bulk), (await bulk.get(action.bulk_id)).done) == (1, 1)
    held = [one for one in (await shop.service.get_order(order_id)).order.holds if one.kind is HoldKind.MANUAL]
    assert [(one.outcome, one.actor) for one in held] == [("released", "carla")] * 2


async def test_what_died_between_an_act_and_its_result_is_done_once(
    shop: Shop, bulk: Bulk, orders_db: AsyncEngine
) -> None:
    order_id, _ = await shop.release("a", leg((1, 2)))
    action = await bulk.start(shop.asked(), CANCEL, "carla", COOLED)
    await work(bulk)
    async with orders_db.begin() as tx:
        await tx.execute(text("UPDATE bulk_item SET state = 'pending', decided_at = NULL"))
    assert await work(bulk) == 1
    assert (await bulk.get(action.bulk_id)).done == 1
    told = await shop.service.get_timeline(order_id)
    assert len([one for one in told if one.kind == "order.cancellation_requested"]) == 1


async def test_what_is_stopped_leaves_the_rest_as_it_is(shop: Shop, bulk: Bulk) -> None:
    ids = [(await shop.release(key, leg((1, 2))))[0] for key in ("a", "b", "c")]
    action = await bulk.start(shop.asked(), CANCEL, "carla", COOLED)
    assert await bulk.work(COOLED, 1) == 1
    stopped = await bulk.stop(action.bulk_id)
    assert (stopped.done, stopped.stopped, stopped.pending) == (1, 2, 0)
    assert await work(bulk) == 0
    states = [(await shop.service.get_order(order_id)).order.state for order_id in ids]
    assert sorted(states) == [OrderState.CANCELLING, OrderState.RELEASED, OrderState.RELEASED]


async def test_the_work_of_a_point_is_asked_for_once_and_its_stories_say_what_came_of_it(
    shop: Shop, bulk: Bulk, amending: Amending, orders_db: AsyncEngine
) -> None:
    """Of four orders one is at another point, one was picked, and two may leave."""
    wish = BulkWish("plan_again", None, "flooded", SERVICE, point_id="store-lyon")
    (moves, _), (stays, _), (late, (parcel,)) = [await shop.release(key, leg((1, 2))) for key in "abc"]
    await shop.release("elsewhere", leg((1, 2), point="b"))
    await shop.service.accept_offer(shop.asked(), parcel, "anna", COOLED)
    await shop.service.record_pick(shop.asked(), parcel, found((1, 2)), "anna", COOLED)
    verdicts = {one.reason: one.orders for one in await bulk.preview(wish, COOLED)}
    assert verdicts == {"": 2, "TOO_LATE_TO_CHANGE": 1}

    bulk_id = (await bulk.start(shop.asked(), wish, "carla", COOLED)).bulk_id
    for _ in range(2):
        assert await bulk.work(COOLED, 20) in (0, 1)
        results = {one.order_id: one.state for one in await bulk.results(bulk_id, 0, 50)}
        assert results == {moves: "asked", stays: "asked", late: "refused"}
    assert (await bulk.get(bulk_id)).pending == 2
    (change,) = (await shop.service.get_order(moves)).order.changes
    await amending.apply(shop.asked(), moves, change.change_id, [leg((1, 2), point="c")], None, "dec_2", COOLED)
    # What was asked is answered, though the rest is stopped.
    assert (await bulk.stop(bulk_id)).stopped == 0
    assert await bulk.work(COOLED, 20) == 1
    (change,) = (await shop.service.get_order(stays)).order.changes
    refusal = ChangeRefusal("STOCK_UNAVAILABLE", "nobody else has it")
    await amending.refuse(shop.asked(), stays, change.change_id, refusal, COOLED)
    assert await bulk.work(COOLED, 20) == 1
    came = {one.order_id: (one.state, one.reason) for one in await bulk.results(bulk_id, 0, 50)}
    assert came == {
        moves: ("done", ""),
        stays: ("refused", "STOCK_UNAVAILABLE"),
        late: ("refused", "TOO_LATE_TO_CHANGE"),
    }
    told = [one for one in await shop.service.get_timeline(moves) if one.kind == "order.change_proposed"]
    assert [(one.actor, one.data["reason"]) for one in told] == [("carla", "flooded")]


async def test_a_story_that_cannot_go_on_keeps_no_others_waiting(shop: Shop, bulk: Bulk) -> None:
    await shop.release("a", leg((1, 2)))
    wish = BulkWish("plan_again", None, "", SERVICE, point_id="store-lyon")
    bulk_id = (await bulk.start(shop.asked(), wish, "carla", COOLED)).bulk_id
    assert await bulk.work(COOLED, 1) == 0
    assert await bulk.work(COOLED + timedelta(minutes=11), 1) == 1
    (one,) = await bulk.results(bulk_id, 0, 50)
    assert (one.state, one.reason) == ("refused", "NOT_DECIDED_YET")


async def test_a_set_is_named_and_not_too_large(
    shop: Shop, bulk: Bulk, holding: Holding, amending: Amending, orders_db: AsyncEngine
) -> None:
    for key in ("a", "b"):
        await shop.release(key, leg((1, 2)))
    for wish in (
        replace(CANCEL, channel_ids=()),
        replace(CANCEL, reason=""),
        replace(CANCEL, act="explode"),
        replace(CANCEL, hold_kind=HoldKind.FRAUD),
        replace(RELEASE, hold_kind=None),
        replace(CANCEL, order_ids=("x",) * 2_001),
    ):
        with pytest.raises(InvalidArgument):
            await bulk.preview(wish, NOON)
    assert await bulk.preview(replace(CANCEL, late=True), NOON) == []
    with pytest.raises(NotFound, match="BULK_ACTION_NOT_FOUND"):
        await bulk.get("blk_none")
    small = Bulk(orders_db, shop.service, holding, amending, max_orders=1)
    with pytest.raises(InvalidArgument, match="TOO_MANY_ORDERS"):
        await small.start(shop.asked(), CANCEL, "carla", NOON)
