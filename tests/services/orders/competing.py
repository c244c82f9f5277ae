"""Points that compete, for tests: a life cycle, candidates, and an order whose work is offered to rings."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.orders.domain import offers
from services.orders.domain import order as life
from services.orders.domain.model import (
    Competition,
    Fallback,
    Fulfilment,
    Leg,
    Order,
    Units,
    Window,
)
from services.orders.domain.offers import Candidate
from tests.services.orders.builders import CHANNEL, COOLED, LIFE_CYCLE, NOON, Shop, accepted, leg, recorded

HOUR = timedelta(hours=1)
COMPETITION = Competition((2, 2), 1800)
COMPETING = replace(LIFE_CYCLE, life_cycle_id="competing", competition=COMPETITION)
ASKS_A_PERSON = replace(COMPETITION, fallback=Fallback.CUSTOMER_SERVICE)


def candidate(point: str, *, answer_by: datetime = NOON + HOUR, latest_start: datetime | None = None) -> Candidate:
    """A point with its own carrier, window and hand-over."""
    window = Window(NOON + timedelta(days=1), NOON + timedelta(days=2))
    units = (Units(1, "SKU-1", 2),)
    made = Leg(point, f"carrier-of-{point}", "home", units, window, NOON + 5 * HOUR, latest_start)
    return Candidate(made, answer_by)


def candidates(*points: str) -> list[Candidate]:
    """These points, the best first."""
    return [candidate(point) for point in points]


def released(*legs: Leg, competition: Competition = COMPETITION) -> Order:
    """An order whose work points may compete for: two units planned at store-lyon unless given."""
    life_cycle = replace(COMPETING, competition=competition)
    planned = accepted(recorded(life_cycle=life_cycle), *(legs or (leg((1, 2)),))).order
    return life.release(planned, COOLED).order


def work_of(order: Order, number: int = 0) -> Fulfilment:
    return order.fulfilments[number]


def offered(*points: str, competition: Competition = COMPETITION, load: dict[str, int] | None = None) -> Order:
    """The first ring among these."""
    order = released(competition=competition)
    return offers.offer_ring(order, work_of(order), 1, candidates(*points), load or {}, NOON).order


async def offer(shop: Shop, key: str, points: Sequence[str], sizes: tuple[int, ...] = (20,)) -> tuple[str, str]:
    """An order with its work, planned at store-lyon, offered to these points: the ids of both."""
    competition = Competition(sizes, 1800)
    await shop.service.publish_life_cycle(replace(COMPETING, competition=competition))
    await shop.service.put_sales_channels([replace(CHANNEL, life_cycle_id=COMPETING.life_cycle_id)])
    order_id = await shop.record(key)
    [work] = await shop.accept(order_id)
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    await shop.service.offer_ring(shop.asked(), work, 1, candidates(*points), NOON)
    return order_id, work
