"""What is collected, on a real database: codes that are counted, requests that come twice, time, and no-shows."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, TooManyRequests
from kit.feed import Bell
from services.orders.changing import Asked
from services.orders.codes import Codes
from services.orders.collecting import ATTEMPTS, ATTEMPTS_LAST, Collecting
from services.orders.domain.collecting import IN_STORE, AtCounter
from services.orders.domain.model import (
    Address,
    CollectionTerms,
    DeliveryMode,
    DeliveryOption,
    Fulfilment,
    Leg,
    PaymentTerms,
    Reach,
    Units,
    Window,
)
from services.orders.domain.states import FulfilmentState
from tests.services.orders.builders import BUYER, IDENTITIES, LIFE_CYCLE, NOON, PLANTED, Shop, content, line, rows

DAY = timedelta(days=1)
STORE = "store-lyon"
CUSTOMER = AtCounter(None, "", "customer")
TODAY = Window(NOON, NOON + timedelta(hours=6))
TERMS = replace(LIFE_CYCLE, collection=CollectionTerms(code_attempts=2, reminder_days=1, keep_days=3))


@pytest.fixture
def collecting(orders_db: AsyncEngine) -> Collecting:
    return Collecting(orders_db, Bell(), Codes(["a key of tests"]), IDENTITIES)


async def offered(shop: Shop, key: str = "key-1", **changes: Any) -> tuple[str, str]:
    """An e-reservation of two units that its store was offered, and the work."""
    await shop.service.publish_life_cycle(TERMS)
    reserved = {"mode": DeliveryMode.E_RESERVATION, "payment": PaymentTerms("", ""), "collect_at_point_id": STORE}
    made = content(line(1, 2, shipping_minor=0), **(reserved | changes))
    view, existed = await shop.service.record_order(key, made, BUYER, NOON, NOON)
    assert not existed
    order_id = view.order.order_id
    leg = Leg(STORE, "", "", (Units(1, "SKU-1", 2),), TODAY, TODAY.end)
    planned = await shop.service.accept_order(shop.asked(), order_id, [leg], TODAY, "dec_1", IN_STORE, NOON)
    await shop.service.release_order(shop.asked(), order_id, NOON)
    work = planned.fulfilments[0].fulfilment_id
    await shop.service.offer_fulfilment(shop.asked(), work, NOON)
    return order_id, work


async def ready(shop: Shop, collecting: Collecting, key: str = "key-1") -> tuple[str, Fulfilment]:
    order_id, work = await offered(shop, key)
    await shop.service.accept_offer(shop.asked(), work, "anna", NOON)
    await shop.service.record_pick(shop.asked(), work, [Units(1, "SKU-1", 2)], "anna", NOON)
    return order_id, await collecting.mark_ready(shop.asked(), work, "B-12", "anna", NOON)


async def test_what_waits_is_kept_as_it_is_and_its_code_nowhere(
    shop: Shop, collecting: Collecting, orders_db: AsyncEngine
) -> None:
    order_id, work = await ready(shop, collecting)
    ((found, code),) = await collecting.codes(order_id)
    assert (found, found.state) == (work, FulfilmentState.READY)
    listed = (await shop.service.list_work([STORE], [FulfilmentState.READY], 10, None))[0]
    assert listed.collection == work.collection
    for table in ("fulfilment", "outbox", "timeline", "request", "orders"):
        kept = str([tuple(row) for row in await rows(orders_db, f"SELECT * FROM {table}")])
        assert code not in kept, table
        assert not [one for one in PLANTED if one in kept], table
    assert (await shop.service.get_fulfilment(work.fulfilment_id)).customer_name == BUYER.customer.name


async def test_a_wrong_code_is_counted_though_it_is_an_error_and_once_for_each_request(
    shop: Shop, collecting: Collecting
) -> None:
    order_id, work = await ready(shop, collecting)
    ((_, code),) = await collecting.codes(order_id)
    asked = shop.asked()
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as caught:
            await collecting.collect(asked, work.fulfilment_id, "WRONG2", CUSTOMER, "bob", NOON)
        assert (caught.value.reason, caught.value.facts["attempts_left"]) == ("WRONG_CODE", 1)
    with pytest.raises(FailedPrecondition, match="WRONG_CODE"):
        await collecting.collect(shop.asked(), work.fulfilment_id, "WRONG2", CUSTOMER, "bob", NOON)
    with pytest.raises(FailedPrecondition, match="CODE_LOCKED"):
        await collecting.collect(shop.asked(), work.fulfilment_id, code, CUSTOMER, "bob", NOON)
    await collecting.unlock(shop.asked(), work.fulfilment_id, "carol", NOON)
    again = shop.asked()
    first = await collecting.collect(again, work.fulfilment_id, code.lower(), CUSTOMER, "bob", NOON)
    assert first.state is FulfilmentState.DELIVERED
    assert await collecting.collect(again, work.fulfilment_id, code, CUSTOMER, "bob", NOON) == first
    assert await collecting.codes(order_id) == []


async def test_another_store_cannot_hand_over_what_is_not_its_own(shop: Shop, collecting: Collecting) -> None:
    order_id, work = await ready(shop, collecting)
    ((_, code),) = await collecting.codes(order_id)
    elsewhere = Asked("req-else", b"", Reach(frozenset({"store-paris"})))
    with pytest.raises(NotFound):
        await collecting.collect(elsewhere, work.fulfilment_id, code, CUSTOMER, "eve", NOON)


async def test_time_gives_up_what_nobody_collects_and_no_shows_are_counted(
    shop: Shop, collecting: Collecting, orders_db: AsyncEngine
) -> None:
    order_id, work = await ready(shop, collecting)
    came, other = await ready(shop, collecting, "key-2")
    ((_, code),) = await collecting.codes(came)
    await collecting.collect(
        shop.asked(), other.fulfilment_id, code, replace(CUSTOMER, units=(Units(1, "", 1),)), "bob", NOON
    )
    assert await shop.service.watch_promises(NOON + 5 * DAY, 10)
    kinds = [one.type for one in await rows(orders_db, "SELECT type FROM outbox ORDER BY id")]
    assert kinds.count("oms.orders.fulfilment.cancelled") == 1
    backs = await collecting.list_put_backs(Reach(frozenset({STORE})), 10)
    units = {one.fulfilment_id: one.collection.put_back[0].quantity for one in backs if one.collection}
    assert list(units.items()) == [
        (other.fulfilment_id, 1),
        (work.fulfilment_id, 2),
    ]
    assert await collecting.list_put_backs(Reach(frozenset({"store-paris"})), 10) == []
    for one in backs:
        await collecting.confirm_put_back(shop.asked(), one.fulfilment_id, "anna", NOON + 6 * DAY)
    assert await collecting.list_put_backs(Reach(), 10) == []
    (at_store,) = await collecting.no_shows([], None, None)
    assert (at_store.point_id, at_store.ended, at_store.no_shows) == (STORE, 2, 1)
    assert await collecting.no_shows(["store-paris"], None, None) == []
    (early,) = await collecting.no_shows([STORE], None, NOON + DAY)
    assert (early.ended, early.no_shows) == (1, 0)
    of_customer = await collecting.no_shows_of_customer(order_id)
    assert (of_customer.ended, of_customer.no_shows) == (2, 1)


async def test_what_a_customer_chooses_is_kept_with_the_address_of_a_delivery(
    shop: Shop, collecting: Collecting, orders_db: AsyncEngine
) -> None:
    order_id, work = await offered(shop)
    await shop.service.refuse_offer(shop.asked(), work, "no_staff", "anna", NOON)
    options = [DeliveryOption(DeliveryMode.HOME_STANDARD, TODAY, None, 1)]
    units = [Units(1, "SKU-1", 2)]
    asked = shop.asked()
    choice_id = await collecting.ask(asked, order_id, work, units, "no_staff", options, NOON)
    assert choice_id == await collecting.ask(asked, order_id, work, units, "no_staff", options, NOON) == "1"
    with pytest.raises(InvalidArgument):
        await collecting.choose(shop.asked(), order_id, "", "delivery", "", Address(), "carol", NOON)
    where = Address("Ada", ("1 rue Neuve",), "75011", "Paris", "FR")
    chosen = shop.asked()
    made = await collecting.choose(chosen, order_id, "", "delivery", "", where, "carol", NOON)
    assert made == await collecting.choose(chosen, order_id, "", "delivery", "", where, "carol", NOON)
    choice, still, view = await collecting.choice(order_id, "1")
    assert (choice.kind, [one.quantity for one in still], view.buyer.ship_to) == ("delivery", [2], where)
    told = [one.type for one in await rows(orders_db, "SELECT type FROM outbox ORDER BY id")]
    assert told[-2:] == ["oms.orders.order.customer_asked", "oms.orders.order.collection_chosen"]
    assert "75011" not in str([one.data for one in await rows(orders_db, "SELECT data FROM outbox")])


async def test_the_same_order_is_one_and_another_store_is_other_content(shop: Shop) -> None:
    await offered(shop)
    reserved = {"mode": DeliveryMode.E_RESERVATION, "payment": PaymentTerms("", "")}
    other = content(line(1, 2, shipping_minor=0), **reserved, collect_at_point_id="store-paris")
    with pytest.raises(Exception, match="collect_at_point_id"):
        await shop.service.record_order("key-1", other, BUYER, NOON, NOON)


async def test_a_code_alone_finds_what_waits_at_its_own_store(shop: Shop, collecting: Collecting) -> None:
    order_id, work = await ready(shop, collecting)
    await ready(shop, collecting, "key-2")
    ((_, code),) = await collecting.codes(order_id)
    here = Reach(frozenset({STORE}))
    assert await collecting.find_by_code(here, f" {code[:3].lower()} {code[3:]}", NOON) == work
    for elsewhere in (Reach(frozenset({"store-paris"})), Reach(frozenset({STORE}), frozenset({"Another"}))):
        with pytest.raises(NotFound, match="CODE_UNKNOWN"):
            await collecting.find_by_code(elsewhere, code, NOON)
    # An article that was scanned is no attempt.
    with pytest.raises(InvalidArgument, match="NOT_A_CODE"):
        await collecting.find_by_code(here, "4006381333931", NOON)
    await collecting.collect(shop.asked(), work.fulfilment_id, code, CUSTOMER, "bob", NOON)
    with pytest.raises(NotFound):
        await collecting.find_by_code(here, code, NOON)


async def test_a_key_that_is_changed_still_finds_what_it_made_a_code_for(
    shop: Shop, collecting: Collecting, orders_db: AsyncEngine
) -> None:
    order_id, work = await ready(shop, collecting)
    ((_, code),) = await collecting.codes(order_id)
    changed = Collecting(orders_db, Bell(), Codes(["a new key", "a key of tests"]), IDENTITIES)
    assert await changed.find_by_code(Reach(frozenset({STORE})), code, NOON) == work


async def test_codes_are_not_guessed_however_many_are_tried_at_once(shop: Shop, collecting: Collecting) -> None:
    order_id, work = await ready(shop, collecting)
    ((_, code),) = await collecting.codes(order_id)
    here, elsewhere = Reach(frozenset({STORE})), Reach(frozenset({"store-paris"}))
    wrong = "222222" if code != "222222" else "333333"
    tries = [collecting.find_by_code(here, wrong, NOON) for _ in range(ATTEMPTS + 5)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    left = sorted(int(one.facts["attempts_left"]) for one in told if isinstance(one, NotFound))
    assert left == list(range(ATTEMPTS))
    assert len([one for one in told if isinstance(one, TooManyRequests)]) == 5
    with pytest.raises(TooManyRequests, match="TOO_MANY_CODES"):
        await collecting.find_by_code(here, code, NOON + ATTEMPTS_LAST / 2)
    # Another store has its own, and who has the order's number is not kept from it.
    with pytest.raises(NotFound):
        await collecting.find_by_code(elsewhere, wrong, NOON)
    assert await collecting.find_by_code(here, code, NOON + ATTEMPTS_LAST) == work
    with pytest.raises(NotFound) as again:
        await collecting.find_by_code(here, wrong, NOON + ATTEMPTS_LAST)
    assert again.value.facts["attempts_left"] == ATTEMPTS - 1


async def test_one_code_of_two_things_opens_neither(shop: Shop, orders_db: AsyncEngine) -> None:
    class Alike(Codes):
        def whose(self, waiting: Iterable[tuple[str, datetime]], code: str) -> list[str]:
            return [work_id for work_id, _ in waiting]

    alike = Collecting(orders_db, Bell(), Alike(["a key of tests"]), IDENTITIES)
    await ready(shop, alike)
    await ready(shop, alike, "key-2")
    with pytest.raises(FailedPrecondition, match="CODE_OF_SEVERAL"):
        await alike.find_by_code(Reach(frozenset({STORE})), "222222", NOON)
