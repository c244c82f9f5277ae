"""Something else instead of what a pick lacks, on a real database: recorded once, read back, and told."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders.domain.model import FulfilmentLine
from services.orders.domain.substituting import Substitute
from services.orders.figures import Figures
from services.orders.figures_store import Scope
from services.orders.store import content_digest
from tests.services.orders.builders import BUYER, NOON, Shop, content, found, leg, line, outcome, rows

DAY = timedelta(days=1)
PEARS = Substitute(1, "PEARS", 1, "Pears")


async def test_what_is_given_instead_is_recorded_once_and_told_with_its_article(
    shop: Shop, orders_db: AsyncEngine
) -> None:
    lines = [line(1, 3, allow_substitutes=True), line(2, 1)]
    order_id, (work,) = await shop.release("key-1", leg((1, 3), (2, 1)), lines=lines)
    await shop.service.accept_offer(shop.asked(), work, "anna", NOON)
    assert (await shop.service.get_fulfilment(work)).substitutable == {1}
    refused = shop.service.record_pick(
        shop.asked(), work, found((1, 3), (2, 0)), "anna", NOON, (), [replace(PEARS, line_number=2)]
    )
    assert await outcome(refused) == "SUBSTITUTES_NOT_ALLOWED"
    asked = shop.asked()
    picked = await shop.service.record_pick(asked, work, found((1, 1), (2, 1)), "anna", NOON, (), [PEARS])
    given = FulfilmentLine(1, "PEARS", 1, "Pears", ordered_sku="SKU-1")
    own = FulfilmentLine(1, "SKU-1", 1, "Title 1"), FulfilmentLine(2, "SKU-2", 1, "Title 2")
    assert picked.lines == (own[0], given, own[1])
    assert await shop.service.record_pick(asked, work, found((1, 1), (2, 1)), "anna", NOON, (), [PEARS]) == picked
    order = (await shop.service.get_order(order_id)).order
    assert order.fulfilment(work).lines == picked.lines
    assert [one.allow_substitutes for one in order.content.lines] == [True, False]
    (told,) = await rows(orders_db, "SELECT data FROM outbox WHERE type = 'oms.orders.fulfilment.picked'")
    assert told.data["substituted"] == [{"line_number": 1, "sku": "PEARS", "quantity": 1, "ordered_sku": "SKU-1"}]
    assert [one["quantity"] for one in told.data["short"]] == [1]
    # What something else is given for was not found all the same.
    (picks,), articles = await Figures(orders_db).picks(Scope(NOON - DAY, NOON + DAY, NOON + DAY))
    assert (picks.units, picks.short_units) == (4, 2)
    assert [(one.sku, one.short_units) for one in articles] == [("SKU-1", 2)]


def test_who_allows_something_else_sends_another_order() -> None:
    plain, allowing = content(line(1, 3)), content(line(1, 3, allow_substitutes=True))
    assert content_digest(plain, BUYER) != content_digest(allowing, BUYER)
