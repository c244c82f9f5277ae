"""Links to orders on a real database, over the wire: who has one sees the order, and nothing of who bought it."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from kit.times import to_proto
from oms.orders.v1 import customer_service_pb2 as pb
from services.orders.codes import Codes
from services.orders.customers import Customers
from services.orders.customers_rpc import CustomerRpc
from services.orders.links import Links
from tests.services.orders.builders import NOON, PLANTED, Shop, leg, outcome

DAY = timedelta(days=1)


@pytest.fixture
def rpc(orders_db: AsyncEngine) -> CustomerRpc:
    return CustomerRpc(Customers(orders_db, Links(["a key"], "https://shop.test")), Codes(["a key"]))


async def link(rpc: CustomerRpc, order_id: str, days: float = 90) -> str:
    ends_at = to_proto(NOON + days * DAY)
    made = await rpc.MakeCustomerLink(
        pb.MakeCustomerLinkRequest(order_id=order_id, ends_at=ends_at, as_of=to_proto(NOON)), None
    )
    return made.url.rpartition("/")[2]


async def see(rpc: CustomerRpc, token: str, days: float = 1) -> pb.CustomerOrder:
    asked = pb.GetOrderOfLinkRequest(token=token, as_of=to_proto(NOON + days * DAY))
    return (await rpc.GetOrderOfLink(asked, None)).order


async def test_who_has_the_link_sees_the_order_and_nobody_in_it(shop: Shop, rpc: CustomerRpc) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, "T1", "bob", NOON)
    found = await see(rpc, await link(rpc, order_id))
    assert (found.order_id, found.channel_order_number, found.channel_name) == (order_id, "W-1001", "Web shop")
    assert (found.customer_status, found.step, list(found.brands)) == ("shipped", "on_its_way", ["maison"])
    assert (found.city, found.country, found.total.amount_minor) == ("Lyon", "FR", 6490)
    (parcel,) = found.parcels
    assert (parcel.stage, parcel.tracking_code, parcel.units[0].title) == ("on_its_way", "T1", "Title 1")
    assert [text for text in (*PLANTED, "69002", "store-lyon", "pm_card") if text in str(found)] == []


async def test_a_link_ends_and_no_other_text_is_one(shop: Shop, rpc: CustomerRpc) -> None:
    token = await link(rpc, await shop.record(), days=2)
    # Until the end of the hour that it was asked for.
    assert (await see(rpc, token, 2)).customer_status == "received"
    assert await outcome(see(rpc, token, 2.05)) == "LINK_ENDED"
    assert await outcome(see(rpc, token[:-1])) == "LINK_UNKNOWN"
    elsewhere = Links(["a key"], "https://shop.test").url("ord_gone", NOON + DAY).rpartition("/")[2]
    assert await outcome(see(rpc, elsewhere)) == "LINK_UNKNOWN"


async def test_a_link_is_made_for_an_order_that_is_there_and_lasts_at_most_a_year(
    shop: Shop, rpc: CustomerRpc
) -> None:
    order_id = await shop.record()
    usual = await rpc.MakeCustomerLink(pb.MakeCustomerLinkRequest(order_id=order_id, as_of=to_proto(NOON)), None)
    assert usual.ends_at == to_proto(NOON + 90 * DAY + timedelta(hours=1))
    for days in (0, -1, 366.1):
        with pytest.raises(InvalidArgument) as caught:
            await link(rpc, order_id, days)
        assert caught.value.facts["field"] == "ends_at"
    with pytest.raises(NotFound) as unknown:
        await link(rpc, "ord_other")
    assert unknown.value.reason == "ORDER_NOT_FOUND"
