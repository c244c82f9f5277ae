"""Orders of which something is taken along, on a real database."""

import asyncio
from collections import Counter
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders.domain.states import OrderState, UnitState
from services.orders.invoicing import Documents
from services.orders.invoicing_store import DocumentFilter
from services.orders.service import Planned
from tests.services.orders.builders import COOLED, NOON, PROMISE, Shop, leg, line, outcome, rows

ALONG = replace(line(2, 3, shipping_minor=0), taken_at_point_id="st-lyon")


async def _accept(shop: Shop, order_id: str, request_id: str = "accept-1") -> Planned:
    asked = replace(shop.asked(), request_id=request_id)
    return await shop.service.accept_order(
        asked, order_id, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON, taken="captured"
    )


async def test_what_is_taken_along_is_kept_as_it_was_accepted_with_its_receipt(
    shop: Shop, orders_db: AsyncEngine
) -> None:
    order_id = await shop.record("key-1", line(1), ALONG)
    planned = await _accept(shop, order_id)
    assert await _accept(shop, order_id) == planned
    assert planned.receipt_number == "ST-LYON-SR-2026-000001"
    assert [one.taken for one in planned.fulfilments] == [False], "nobody works on what is gone"
    order = (await shop.service.get_order(order_id)).order
    assert order.taken is not None
    assert order.taken.parcel is not None
    assert (order.taken.point_id, order.taken.parcel.amount_minor) == ("st-lyon", 6000)
    assert order.content.taken == (ALONG,)
    (obligation,) = await shop.service.list_obligations([order_id], "", 10)
    assert (obligation.units, obligation.prepared_at) == ((("SKU-1", "store-lyon", 2),), ("store-lyon",))
    assert obligation.captured_minor == 6000
    ((subject, data),) = await rows(
        orders_db, "SELECT subject, data FROM outbox WHERE type = 'oms.orders.fulfilment.taken'"
    )
    assert (subject, data["point_id"]) == (f"fulfilment/{order.taken.fulfilment_id}", "st-lyon")


async def test_the_rest_is_cancelled_and_keeps_the_place_that_it_had(shop: Shop) -> None:
    order_id = await shop.record("key-1", line(1), ALONG)
    (work,) = [one.fulfilment_id for one in (await _accept(shop, order_id)).fulfilments]
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    await shop.service.offer_fulfilment(shop.asked(), work, NOON)
    await shop.pack(work)
    await shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)
    order = (await shop.service.get_order(order_id)).order
    assert {one.line_number: (one.state, one.fulfilment_id == work) for one in order.ranges} == {
        1: (UnitState.CANCELLED, True),
        2: (UnitState.DELIVERED, False),
    }
    assert [one.amount_minor for one in order.refunds] == [6490]
    assert await shop.service.complete_cancellation(shop.asked(), order_id, NOON) == OrderState.CLOSED


async def test_a_cancellation_and_an_acceptance_at_once_are_decided_once(
    shop: Shop, orders_db: AsyncEngine
) -> None:
    documents = Documents(orders_db)
    ended: Counter[str] = Counter()
    for number in range(8):
        order_id = await shop.record(f"key-{number}", line(1), ALONG)
        cancel = shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)
        await asyncio.gather(outcome(cancel), _accept(shop, order_id, f"accept-{number}"))
        order = (await shop.service.get_order(order_id)).order
        receipts = await documents.list_documents(DocumentFilter(order_id=order_id), 10, None)
        assert bool(receipts) == bool(order.taken)
        state = await shop.service.complete_cancellation(shop.asked(), order_id, NOON)
        assert state == (OrderState.CLOSED if order.taken else OrderState.CANCELLED)
        ended[state] += 1
    assert ended.total() == 8
