"""Orders that ended long ago, on a real database: what is packed, what is forgotten, and that nobody sees it."""

import asyncio
import inspect
import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import times
from kit.feed import Bell
from services.orders import desk_store, figures_store
from services.orders.archiving import Archiving
from services.orders.archiving_store import COUNTED
from services.orders.domain.erasing import Retention
from services.orders.domain.model import HoldDefault, RefundKind, RefundWish, Units
from services.orders.erasing import Erasing
from services.orders.figures import Figures
from services.orders.figures_store import Scope
from services.orders.holding import Holding
from services.orders.refunding import Refunds
from tests.services.orders.builders import IDENTITIES, NOON, Shop, rows

DAY = timedelta(days=1)
AFTER = 90 * DAY
LATER = NOON + 91 * DAY


@pytest.fixture
def archiving(orders_db: AsyncEngine) -> Archiving:
    return Archiving(orders_db, AFTER)


@pytest.fixture
def refunds(orders_db: AsyncEngine) -> Refunds:
    return Refunds(orders_db, Bell())


async def closed(shop: Shop, key: str = "key-1") -> str:
    order_id, (work,) = await shop.release(key)
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, f"T-{key}", "anna", NOON)
    await shop.scan(f"E-{key}", f"T-{key}", "delivered")
    await shop.service.close_order(shop.asked(), order_id, NOON)
    return order_id


async def refunded(shop: Shop, refunds: Refunds, order_id: str) -> None:
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "", "carol", ("service",), lines=(Units(1, "", 1),))
    refund = await refunds.request(shop.asked(), order_id, wish, LATER)
    await refunds.record_outcome(shop.asked(), order_id, refund.refund_id, "succeeded", "", LATER)


async def packed(engine: AsyncEngine) -> str:
    ((entries,),) = await rows(engine, "SELECT entries::text FROM archived_timeline")
    return str(entries)


async def in_rows(engine: AsyncEngine) -> set[str]:
    return {one.kind for one in await rows(engine, "SELECT kind FROM timeline")}


async def test_an_archived_order_reads_as_it_did(shop: Shop, archiving: Archiving, orders_db: AsyncEngine) -> None:
    order_id = await closed(shop)
    scope = Scope(NOON - 7 * DAY, NOON + 7 * DAY, NOON + 7 * DAY)
    figures = Figures(orders_db)
    before = await shop.service.get_timeline(order_id)
    counted = await figures.offers(scope), await figures.picks(scope), await figures.promises(scope)
    view = await shop.service.get_order(order_id)

    assert await archiving.archive_due(LATER, 10) == 1
    assert await in_rows(orders_db) == {"fulfilment.offered", "fulfilment.accepted", "fulfilment.picked"}
    assert await shop.service.get_timeline(order_id) == before
    assert (await figures.offers(scope), await figures.picks(scope), await figures.promises(scope)) == counted
    assert await shop.service.get_order(order_id) == view
    assert await archiving.archive_due(LATER, 10) == 0, "once is enough"


async def test_what_has_not_ended_or_not_long_ago_or_owes_money_stays_as_it_is(
    shop: Shop, archiving: Archiving, refunds: Refunds, orders_db: AsyncEngine
) -> None:
    await shop.release("key-open")
    order_id = await closed(shop)
    assert await archiving.archive_due(NOON + 89 * DAY, 10) == 0, "too young"
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "", "carol", ("service",), lines=(Units(1, "", 1),))
    refund = await refunds.request(shop.asked(), order_id, wish, NOON)
    assert await archiving.archive_due(LATER, 10) == 0, "the refund is on its way"
    await refunds.record_outcome(shop.asked(), order_id, refund.refund_id, "succeeded", "", NOON)
    assert await archiving.archive_due(LATER, 10) == 1
    assert [one.order_id for one in await rows(orders_db, "SELECT order_id FROM archived_timeline")] == [order_id]


async def test_what_happens_to_an_archived_order_is_told_after_the_rest_and_archived_in_its_turn(
    shop: Shop, archiving: Archiving, refunds: Refunds, orders_db: AsyncEngine
) -> None:
    order_id = await closed(shop)
    await archiving.archive_due(LATER, 10)
    before = await shop.service.get_timeline(order_id)
    await refunded(shop, refunds, order_id)
    told = await shop.service.get_timeline(order_id)
    assert told[: len(before)] == before
    assert "order.refund_requested" in {one.kind for one in told[len(before) :]}
    assert await archiving.archive_due(LATER + 89 * DAY, 10) == 0
    assert await archiving.archive_due(LATER + 91 * DAY, 10) == 1
    assert "order.refund_requested" not in await in_rows(orders_db)
    assert await shop.service.get_timeline(order_id) == told


async def test_who_bought_is_erased_from_the_archive_too(
    shop: Shop, archiving: Archiving, orders_db: AsyncEngine
) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    words = ("call Zoé: she moves", None, HoldDefault.RELEASE, "carla", NOON)
    await Holding(orders_db, Bell()).place_hold(shop.asked(), order_id, "", *words)
    await shop.service.request_cancellation(shop.asked(), order_id, "Zoé Plantée asked", "carla", NOON)
    await shop.service.complete_cancellation(shop.asked(), order_id, NOON)
    await archiving.archive_due(LATER + 91 * DAY, 10)
    assert "Zoé" in await packed(orders_db)
    before = await shop.service.get_timeline(order_id)
    erasing = Erasing(orders_db, Bell(), IDENTITIES, Retention(1000), Retention(3650))
    await erasing.erase_customer("", order_id, "carla", LATER + 92 * DAY)
    told = await shop.service.get_timeline(order_id)
    assert [one.entry_id for one in told[:-1]] == [one.entry_id for one in before]
    assert "Zoé" not in str(told)
    assert await archiving.archive_due(LATER + 190 * DAY, 10) == 1
    assert "Zoé" not in await packed(orders_db)
    assert await shop.service.get_timeline(order_id) == told


async def test_many_who_archive_at_once_archive_each_order_once(
    shop: Shop, archiving: Archiving, orders_db: AsyncEngine
) -> None:
    order_ids = [await closed(shop, f"key-{number}") for number in range(6)]
    told = {one: await shop.service.get_timeline(one) for one in order_ids}
    done = await asyncio.gather(*(archiving.archive_due(LATER, 2) for _ in range(5)))
    while some := await archiving.archive_due(LATER, 2):
        done.append(some)
    assert sum(done) == len(told)
    assert {one: await shop.service.get_timeline(one) for one in told} == told


async def test_an_order_that_changes_while_it_is_to_be_archived_is_left(
    shop: Shop, archiving: Archiving, orders_db: AsyncEngine
) -> None:
    order_id = await closed(shop)
    async with orders_db.begin() as tx:
        await tx.execute(text("SELECT 1 FROM orders FOR UPDATE"))
        assert await archiving.archive_due(LATER, 10) == 0
    assert await archiving.archive_due(LATER, 10) == 1
    assert len(await shop.service.get_timeline(order_id)) > len(COUNTED)


async def test_first_answers_and_told_events_are_forgotten_when_they_are_as_old(
    shop: Shop, archiving: Archiving, orders_db: AsyncEngine
) -> None:
    done_id, (open_id, (work,)) = await closed(shop), await shop.release("key-2")
    stories = [f"order/{done_id}/close", f"order/{open_id}/accept", f"fulfilment/{work}/offer"]
    async with orders_db.begin() as tx:
        await tx.execute(text("DELETE FROM request"))
        for request_id in (*stories, "req-old", "req-new"):
            age = "1 day" if request_id == "req-new" else "91 days"
            await tx.execute(
                text(f"INSERT INTO request VALUES (:id, '', '{{}}', now() - interval '{age}')"), {"id": request_id}
            )
        await tx.execute(text("UPDATE outbox SET occurred_at = now() - interval '91 days'"))
        await tx.execute(text("UPDATE outbox SET sequence = id WHERE id < (SELECT max(id) FROM outbox)"))
        await tx.execute(text("UPDATE outbox SET occurred_at = now() WHERE id = 3"))
    while await archiving.forget_due(times.now(), 4) == 4:
        pass
    left = {one.request_id for one in await rows(orders_db, "SELECT request_id FROM request")}
    assert left == {"req-new", *stories[1:]}, "a story may repeat its steps while its order is open"
    events = await rows(orders_db, "SELECT id, sequence FROM outbox ORDER BY id")
    assert [one.id for one in events if one.id < 3] == []
    assert events[0].id == 3, "young"
    assert events[-1].sequence is None, "nobody has read it"


def test_every_entry_that_is_counted_stays_a_row() -> None:
    counting = inspect.getsource(figures_store) + inspect.getsource(desk_store)
    assert set(re.findall(r"'((?:order|fulfilment)\.[a-z_]+)'", counting)) == set(COUNTED)
