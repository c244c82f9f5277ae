"""Two losses of one line, open at once, as orders keeps them: each gives back the money of its very units."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders.domain.capture import Outcome
from services.orders.domain.states import UnitState
from tests.services.orders.builders import NOON, Shop, found, leg, line

FAILED = Outcome("failed", "declined", "", NOON)
CAPTURED = Outcome("captured", "", "", NOON)


async def test_a_given_up_parcel_gives_back_what_its_own_units_brought(shop: Shop, orders_db: AsyncEngine) -> None:
    # 100 over 7 units: the first two bear 28, the next two 29, the others 43.
    order_id, (first, second, third) = await shop.release(
        "key-1",
        leg((1, 2)),
        leg((1, 2), point="store-paris"),
        leg((1, 3), point="store-nice"),
        lines=[line(1, 7, net_minor=84, tax_minor=16, shipping_minor=0)],
    )
    await shop.pack(third)
    for work in (first, second):
        await shop.pack(work, captured=False)
        await shop.service.record_capture(shop.asked(), work, FAILED)
        await shop.service.give_up_parcel(shop.asked(), work, "stolen", "carol", NOON)
    await shop.service.record_capture(shop.asked(), second, CAPTURED)
    order = (await shop.service.get_order(order_id)).order
    assert [(one.state, one.fulfilment_id) for one in order.ranges[:2]] == [
        (UnitState.UNPLACED, first),
        (UnitState.UNPLACED, second),
    ]
    told = []
    for work in (second, first):
        asked = shop.asked()
        for _ in range(2):
            gone = await shop.service.reroute_units(
                asked, order_id, [], found((1, 2)), "payment_failed", "", NOON, given_up=work
            )
            told.append((gone.captured_minor, gone.no_longer_due_minor))
    assert told == [(29, 0), (29, 0), (0, 28), (0, 28)]
    order = (await shop.service.get_order(order_id)).order
    assert [(one.state, one.fulfilment_id) for one in order.ranges] == [
        (UnitState.CANCELLED, ""),
        (UnitState.PACKED, third),
    ]
