"""What is unpacked, on a real database: listed at its store until it is back, and told once."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from services.orders.codes import Codes
from services.orders.collecting import Collecting
from services.orders.domain.model import PutBack, Reach, Units
from tests.services.orders.builders import COOLED, IDENTITIES, NOON, Shop, outcome, rows


@pytest.fixture
def collecting(orders_db: AsyncEngine) -> Collecting:
    return Collecting(orders_db, Bell(), Codes(["a key of tests"]), IDENTITIES)


async def test_a_packed_parcel_of_a_cancelled_order_is_put_back_once(
    shop: Shop, collecting: Collecting, orders_db: AsyncEngine
) -> None:
    order_id, (work,) = await shop.release("key-1")
    await shop.pack(work)
    assert await collecting.list_put_backs(Reach(), 10) == []
    await shop.service.request_cancellation(shop.asked(), order_id, "changed my mind", "carol", COOLED)
    (listed,) = await collecting.list_put_backs(Reach(), 10)
    assert listed.put_back == PutBack((Units(1, "SKU-1", 2),), COOLED)
    assert await collecting.list_put_backs(Reach(frozenset({listed.point_id})), 10) == [listed]
    assert await collecting.list_put_backs(Reach(frozenset({"elsewhere"})), 10) == []
    asked = shop.asked()
    first = await collecting.confirm_put_back(asked, work, "anna", COOLED)
    assert await collecting.confirm_put_back(asked, work, "anna", COOLED) == first
    assert (await outcome(collecting.confirm_put_back(shop.asked(), work, "bob", NOON))) == "NOTHING_TO_PUT_BACK"
    assert await collecting.list_put_backs(Reach(), 10) == []
    query = "SELECT subject, data FROM outbox WHERE type = 'oms.orders.order.packed_units_back'"
    (told,) = await rows(orders_db, query)
    assert told.subject == f"put-back/{work}"
    assert told.data["lines"] == [{"line_number": 1, "sku": "SKU-1", "quantity": 2}]
