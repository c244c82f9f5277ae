"""Erasing who bought, on a real database: what is left, who is found, what is refused, and what documents keep."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, NotFound
from kit.feed import Bell
from kit.times import to_proto
from oms.orders.v1 import customer_service_pb2 as links
from oms.orders.v1 import erasure_service_pb2 as pb
from services.orders.codes import Codes
from services.orders.customers import Customers
from services.orders.customers_rpc import CustomerRpc
from services.orders.desk import Desk, Who
from services.orders.desk_store import BlockedFilter
from services.orders.domain.erasing import Retention
from services.orders.domain.model import Buyer, HoldDefault, RefundKind, RefundWish, Refusal, Units
from services.orders.erasing import Erased, Erasing
from services.orders.erasing_rpc import ErasureRpc
from services.orders.holding import Holding
from services.orders.invoicing import Documents
from services.orders.invoicing_store import DocumentFilter
from services.orders.links import Links
from services.orders.refunding import Refunds
from services.orders.translate import from_view
from tests.services.orders.builders import BUYER, IDENTITIES, NOON, PLANTED, Shop, content, leg, outcome, rows

DAY = timedelta(days=1)
WEEK = NOON + 7 * DAY
TEN_YEARS = 3650 * DAY
REFUSAL = Refusal("PAYMENT_DECLINED", "Zoé Plantée has no money")


@pytest.fixture
def erasing(orders_db: AsyncEngine) -> Erasing:
    return Erasing(orders_db, Bell(), IDENTITIES, Retention(30, {"DE": 10}), Retention(3650))


async def closed(shop: Shop, key: str = "key-1") -> str:
    """Sold, delivered, billed."""
    order_id, (work,) = await shop.release(key, leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, f"T-{key}", "anna", NOON)
    await shop.scan(f"E-{key}", f"T-{key}", "delivered")
    await shop.service.close_order(shop.asked(), order_id, NOON)
    return order_id


async def refused(shop: Shop, key: str, buyer: Buyer = BUYER) -> str:
    """Never billed."""
    view, _ = await shop.service.record_order(key, content(), buyer, NOON, NOON)
    await shop.service.refuse_order(shop.asked(), view.order.order_id, REFUSAL, NOON)
    return view.order.order_id


async def everything(engine: AsyncEngine) -> dict[str, str]:
    """All that is stored, by table; not the first answers to requests, which name no order."""
    names = await rows(engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = [row.tablename for row in names if row.tablename != "request"]
    # Not the row's own text, which leaves out the middle of a long one.
    return {
        one: "\n".join(row.written for row in await rows(engine, f"SELECT t::text AS written FROM {one} t"))
        for one in tables
    }


def planted_in(stored: dict[str, str], words: Sequence[str] = (*PLANTED, "cus_1", "69002", "Lyon")) -> set[str]:
    return {f"{table}: {word}" for table, written in stored.items() for word in words if word in written}


async def test_nothing_of_a_refused_order_says_whose_it_was(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await refused(shop, "key-1")
    assert planted_in(await everything(orders_db))
    before = (await shop.service.get_order(order_id)).order
    assert await erasing.erase_customer("cus_1", "", "carla", WEEK) == Erased(1)
    assert planted_in(await everything(orders_db)) == set()
    assert await rows(orders_db, "SELECT * FROM order_trait") == []
    view = await shop.service.get_order(order_id)
    assert (view.order.erased_at, view.buyer.ship_to.country) == (WEEK, "FR")
    assert (view.order.content, view.order.ranges) == (before.content, before.ranges)
    assert from_view(view).erased_at == to_proto(WEEK)
    ((subject, data),) = await rows(orders_db, "SELECT subject, data FROM outbox WHERE type LIKE '%order.erased'")
    assert (subject, data) == (
        f"order/{order_id}",
        {"order_id": order_id, "channel_id": "web-fr", "cause": "asked_for"},
    )
    told = await shop.service.get_timeline(order_id)
    assert [(one.kind, one.actor) for one in told][-1] == ("order.erased", "carla")


async def test_erased_once_is_erased_and_is_told_once(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await refused(shop, "key-1")
    assert (await erasing.erase_customer("", order_id, "carla", WEEK)).orders == 1
    assert await erasing.erase_customer("cus_1", "", "carla", WEEK + DAY) == Erased()
    assert await erasing.erase_customer("", order_id, "carla", WEEK + DAY) == Erased()
    assert await erasing.erase_customer("cus_nobody", "", "carla", WEEK) == Erased()
    assert len(await rows(orders_db, "SELECT 1 FROM outbox WHERE type LIKE '%order.erased'")) == 1
    assert (await shop.service.get_order(order_id)).order.erased_at == WEEK


async def test_an_open_order_is_named_and_nothing_is_erased(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    await refused(shop, "key-1")
    open_id = await shop.record("key-2")
    stored = await everything(orders_db)
    with pytest.raises(FailedPrecondition) as caught:
        await erasing.erase_customer("cus_1", "", "carla", WEEK)
    assert (caught.value.reason, caught.value.facts["order_ids"]) == ("ORDERS_OPEN", open_id)
    assert open_id in caught.value.detail
    assert await everything(orders_db) == stored


async def test_a_refund_that_failed_still_needs_its_customer(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await closed(shop)
    refunds = Refunds(orders_db, Bell())
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "said Zoé", "carol", ("service",), lines=(Units(1, "", 1),))
    refund = await refunds.request(shop.asked(), order_id, wish, NOON)
    for state in ("pending", "failed"):
        if state == "failed":
            await refunds.record_outcome(shop.asked(), order_id, refund.refund_id, "failed", "card_closed", NOON)
        assert await outcome(erasing.erase_customer("cus_1", "", "carla", WEEK)) == "ORDERS_OPEN"
        assert await erasing.erase_due(NOON + 400 * DAY, 10) is None
        assert (await shop.service.get_order(order_id)).order.erased_at is None
    await refunds.retry(shop.asked(), order_id, refund.refund_id, "carol", NOON)
    await refunds.record_outcome(shop.asked(), order_id, refund.refund_id, "succeeded", "", NOON)
    assert (await erasing.erase_customer("cus_1", "", "carla", WEEK)).orders == 1
    stored = await everything(orders_db)
    assert planted_in({name: stored[name] for name in ("refund", "timeline", "outbox")}) == set()


async def test_guests_with_the_customers_address_go_too_and_another_customer_with_it_stays(
    shop: Shop, erasing: Erasing
) -> None:
    await refused(shop, "mine")
    guest = replace(BUYER, customer=replace(BUYER.customer, customer_id="", email="ZOE.Plantee@example.org "))
    other = replace(BUYER, customer=replace(BUYER.customer, customer_id="cus_2"))
    stranger = Buyer(ship_to=BUYER.ship_to)
    ids = [
        await refused(shop, key, buyer)
        for key, buyer in (("guest", guest), ("other", other), ("stranger", stranger))
    ]
    assert (await erasing.erase_customer("cus_1", "", "carla", WEEK)).orders == 2
    erased = [(await shop.service.get_order(one)).order.erased_at for one in ids]
    assert erased == [WEEK, None, None]
    # Who left nothing but an order is erased by it.
    assert (await erasing.erase_customer("", ids[2], "carla", WEEK)).orders == 1
    assert await outcome(erasing.erase_customer("", "ord_none", "carla", WEEK)) == "ORDER_NOT_FOUND"
    assert await outcome(erasing.erase_customer("", "", "carla", WEEK)) == "INVALID_FIELD"


async def test_who_was_erased_is_not_found_any_more(shop: Shop, erasing: Erasing, orders_db: AsyncEngine) -> None:
    order_id = await refused(shop, "key-1")
    desk = Desk(orders_db, IDENTITIES)
    everybody = (Who("cus_1"), Who(email="zoe.plantee@example.org"))
    for who in everybody:
        assert len((await desk.get_customer(who, [], [], WEEK, 10, None)).orders) == 1
    await erasing.erase_customer("cus_1", "", "carla", WEEK)
    for who in everybody:
        with pytest.raises(NotFound) as caught:
            await desk.get_customer(who, [], [], WEEK, 10, None)
        assert caught.value.reason == "CUSTOMER_NOT_FOUND"
    assert [
        one.order.order_id
        for one in (await desk.get_customer(Who(order_id=order_id), [], [], WEEK, 10, None)).orders
    ] == [order_id]
    found, _ = await desk.list_blocked(BlockedFilter(text="zoe.plantee@example.org"), WEEK, 10, None)
    assert found == []


async def test_the_customers_link_says_that_it_is_gone(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await refused(shop, "key-1")
    made = Links(["a key"], "https://shop.test")
    rpc = CustomerRpc(Customers(orders_db, made), Codes(["a key"]))
    token = made.url(order_id, WEEK + DAY).rpartition("/")[2]
    asked = links.GetOrderOfLinkRequest(token=token, as_of=to_proto(WEEK))
    assert (await rpc.GetOrderOfLink(asked, None)).order.order_id == order_id
    await erasing.erase_customer("cus_1", "", "carla", WEEK)
    assert await outcome(rpc.GetOrderOfLink(asked, None)) == "LINK_ERASED"


async def test_an_erased_order_is_not_placed_again_by_its_key(shop: Shop, erasing: Erasing) -> None:
    order_id = await refused(shop, "key-1")
    await erasing.erase_customer("cus_1", "", "carla", WEEK)
    with pytest.raises(Conflict) as caught:
        await shop.service.record_order("key-1", content(), BUYER, NOON, NOON)
    assert (caught.value.reason, caught.value.facts["order_id"]) == ("IDEMPOTENCY_CONFLICT", order_id)
    assert not [word for word in PLANTED if word in str(caught.value.facts)]


async def test_what_people_wrote_of_an_order_goes(shop: Shop, erasing: Erasing, orders_db: AsyncEngine) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    holding = Holding(orders_db, Bell())
    await holding.place_hold(
        shop.asked(), order_id, "", "call Zoé: she moves", None, HoldDefault.RELEASE, "carla", NOON
    )
    await shop.service.request_cancellation(shop.asked(), order_id, "Zoé Plantée asked", "carla", NOON)
    await shop.service.complete_cancellation(shop.asked(), order_id, NOON)
    assert "timeline: Zoé" in planted_in(await everything(orders_db))
    await erasing.erase_customer("cus_1", "", "carla", WEEK)
    assert planted_in(await everything(orders_db)) == set()
    (held,) = [one for one in await shop.service.get_timeline(order_id) if one.kind == "order.held"]
    assert held.text == "The order is held."


async def test_documents_keep_name_and_address_as_long_as_they_must_and_nothing_else_shows_them(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await closed(shop)
    documents = Documents(orders_db)
    (invoice,) = await documents.list_documents(DocumentFilter(order_id=order_id), 10, None)
    done = await erasing.erase_customer("cus_1", "", "carla", WEEK)
    assert done == Erased(1, 1, NOON + TEN_YEARS)
    stored = await everything(orders_db)
    kept = {"order_customer: " + word for word in ("Zoé", "Plantée", "impasse", "Secret", "69002", "Lyon")}
    assert planted_in(stored) == kept
    seen = await shop.service.get_order(order_id)
    assert [word for word in (*PLANTED, "69002", "cus_1") if word in str(from_view(seen))] == []
    _, buyer = await documents.get(invoice.number)
    assert buyer == BUYER.ship_to
    assert await erasing.forget_buyers(NOON + TEN_YEARS - DAY, 10) == 0
    assert await erasing.forget_buyers(NOON + TEN_YEARS, 10) == 1
    assert planted_in(await everything(orders_db)) == set()
    assert await documents.get(invoice.number) == (invoice, None)
    assert await erasing.forget_buyers(NOON + TEN_YEARS, 10) == 0


async def test_what_was_kept_long_enough_is_erased_bit_by_bit(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    ids = [await refused(shop, f"key-{n}") for n in range(3)]
    german = replace(BUYER, ship_to=replace(BUYER.ship_to, country="DE"))
    ids.append(await refused(shop, "german", german))
    open_id = await shop.record("open")
    # Ten days in Germany, thirty elsewhere, from the last change on.
    assert await erasing.erase_due(NOON + 10 * DAY, 10) is None
    assert await _erased(orders_db) == set()
    assert await erasing.erase_due(NOON + 11 * DAY, 10) is None
    assert await _erased(orders_db) == {ids[3]}
    # Whoever dies after a batch goes on with the next; with what is left, nothing is done twice.
    after = await erasing.erase_due(NOON + 31 * DAY, 2)
    assert after is not None
    assert len(await _erased(orders_db)) == 3
    assert await erasing.erase_due(NOON + 31 * DAY, 2, after) is None
    assert await _erased(orders_db) == set(ids)
    assert await erasing.erase_due(NOON + 31 * DAY, 10) is None
    causes = await rows(orders_db, "SELECT data ->> 'cause' FROM outbox WHERE type LIKE '%order.erased'")
    assert [cause for (cause,) in causes] == ["kept_long_enough"] * 4
    assert (await shop.service.get_order(open_id)).buyer == BUYER


async def test_erasing_does_not_disturb_what_the_services_compare(
    shop: Shop, erasing: Erasing, orders_db: AsyncEngine
) -> None:
    order_id = await closed(shop)
    before = await shop.service.list_obligations([order_id], "", 10)
    await ErasureRpc(erasing).EraseCustomer(
        pb.EraseCustomerRequest(order_id=order_id, actor="carla", as_of=to_proto(WEEK)), None
    )
    assert await shop.service.list_obligations([order_id], "", 10) == before
    assert before


async def _erased(engine: AsyncEngine) -> set[str]:
    return {one for (one,) in await rows(engine, "SELECT order_id FROM orders WHERE erased_at IS NOT NULL")}
