"""What tests of simulations are made with: setups, files, and a worker in this process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.promise.domain.network import Destination, Mode, PointType
from services.promise.domain.rulesets import PreparationCost, Ruleset
from services.promise.domain.simulations import (
    NamedDestination,
    OrderColumns,
    OrdersFile,
    Setup,
    Simulation,
    StockSource,
    StoredFile,
)
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.simulation_work import SimulationWork
from services.promise.simulations import SimulationService
from tests.services.promise.network import CHANNEL, NOW, ruleset

# The shop's live ruleset prefers Lille, the nearer point; this one has no way to tell them apart but their names.
LIVE = ruleset(distance_cost_minor_per_kilometre=0.5)
NO_DISTANCE = ruleset(
    ruleset_id="flat", preparation_costs=(PreparationCost(PointType.WAREHOUSE, 50),), max_parcels=1
)

# As dirty as real files: a return, postage, a free line, an article twice, an order that comes back, no quantity,
# a row that is too short, an article that nobody knows.
DIRTY = """invoice_no,stock_code,description,quantity,invoice_date,unit_price,country
A1,x,WHITE THING,1,2026-05-04T08:26:00,2.55,France
A1,y,"RED, THING",1,2026-05-04T08:26:00,0.00,France
A1,POST,POSTAGE,1,2026-05-04T08:26:00,18.00,France
A2,x,WHITE THING,2,2026-05-05T10:00:00,2.55,France
A2,x,WHITE THING,1,2026-05-05T10:00:00,2.55,France
C3,x,WHITE THING,-4,2026-05-05T11:00:00,2.55,France
A4,x,WHITE THING,,2026-05-06T11:00:00,2.55,France
A5,85123A,UNKNOWN THING,6,2026-05-03T09:00:00,2.55,France
A6,x,WHITE THING,1,2026-05-06T12:00:00,2.55,Atlantis
short,row
A1,x,WHITE THING,1,2026-05-07T08:26:00,2.55,France
"""


def orders_file(file_id: str, **changes: Any) -> OrdersFile:
    given: dict[str, Any] = {
        "file_id": file_id,
        "channel_id": CHANNEL,
        "mode": Mode.HOME_STANDARD,
        "columns": OrderColumns("invoice_no", "stock_code", "quantity", "invoice_date", "country"),
        "destinations": (NamedDestination("France", Destination("FR", "75011")),),
        "not_articles": ("POST",),
    }
    return OrdersFile(**(given | changes))


def setup(candidate: Ruleset = NO_DISTANCE, **changes: Any) -> Setup:
    """Recorded orders on the stock they saw, unless told otherwise."""
    return Setup(candidate=candidate, **({"stock": StockSource.RECORDED} | changes))


async def keep(service: SimulationService, content: bytes, *, gzip: bool = False) -> StoredFile:
    async def portions() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return await service.keep_file("orders.csv", portions(), NOW, gzip=gzip)


async def create(service: SimulationService, asked: Setup, request_id: str = "r1") -> Simulation:
    def asked_with(ruleset: Ruleset) -> Setup:
        return replace(asked, candidate=ruleset)

    return await service.create(request_id, asked.candidate, asked_with, "paul", repr(asked).encode(), NOW)


def work(database: AsyncEngine, replica: StockReplica) -> SimulationWork:
    async def read_stock() -> StockReplica:
        return replica

    return SimulationWork(database, read_stock, is_public_holiday)


async def result_of(
    service: SimulationService, database: AsyncEngine, replica: StockReplica, asked: Setup
) -> Simulation:
    """Made and worked at once."""
    made = await create(service, asked, request_id=repr(asked))
    assert await work(database, replica).run()
    return await service.get(made.simulation_id)
