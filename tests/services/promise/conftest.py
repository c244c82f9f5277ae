"""A promise service on a real database, with a hand-filled replica."""

from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promise.domain import network as n
from services.promise.domain.ruleset_versions import Edit, Version
from services.promise.domain.rulesets import Ruleset
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import Change, StockReplica
from services.promise.rulesets import Rulesets
from services.promise.service import PromiseService
from tests.services.promise.network import (
    CHANNEL,
    FRANCE,
    LYON,
    NOW,
    PARIS_AREA,
    block,
    collections,
    euros,
    point,
    ruleset,
    service,
    terms,
)


def shop_carriers() -> list[n.Carrier]:
    """Standard in one to two days for 4.90, express the next day for 9.90."""
    express = service(
        "express",
        mode=n.Mode.HOME_EXPRESS,
        zones=(
            terms(
                transit_days_max=1,
                customer_price=euros(990),
                rates=(n.RateStep(30_000, euros(1_200)),),
            ),
        ),
    )
    return [n.Carrier("post", (service("home"), express), "La Poste de test")]


def shop_stock() -> Change:
    """Three of x in Lille and in Lyon; one of y in Lyon. Lyon's carrier comes later."""
    free = {("x", "lille"): 3, ("x", "lyon"): 3, ("y", "lyon"): 1}
    return Change(
        sequence=40,
        items=(n.Item("x", "maison", 400, 300), n.Item("y", "maison", 700, 300, (150, 100))),
        points=(point("lille"), point("lyon", position=LYON, collections=collections("post", 19 * 60))),
        channels=(CHANNEL,),
        positions=block(*((sku, at, n.StockPosition(units, {CHANNEL: 0})) for (sku, at), units in free.items())),
        is_snapshot=True,
        completes_snapshot=True,
        sent_at=NOW,
    )


async def publish(database: AsyncEngine, wanted: Ruleset, as_of: datetime = NOW) -> Version:
    """At once, as whoever sets a system up does."""
    edit = Edit("", None, "tester", "for a test", as_of)
    _, version = await Rulesets(database).publish(edit, wanted)
    return version


@pytest.fixture
def replica() -> StockReplica:
    filled = StockReplica()
    filled.opened()
    filled.take(shop_stock(), NOW)
    return filled


@pytest.fixture
async def promise(promise_db: AsyncEngine, replica: StockReplica) -> PromiseService:
    """Carriers, geography and a ruleset that prefers the nearer point."""
    ready = PromiseService(promise_db, replica, is_public_holiday)
    await ready.put_carriers(shop_carriers())
    await ready.put_geography([FRANCE], [PARIS_AREA])
    await publish(promise_db, ruleset(distance_cost_minor_per_kilometre=0.5))
    return ready
