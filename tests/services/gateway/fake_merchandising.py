"""Facts, cover and find rates with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.inventory.v1 import merchandising_service_pb2 as pb
from oms.inventory.v1.merchandising_service_pb2_grpc import (
    MerchandisingServiceServicer,
    add_MerchandisingServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

STATED = pb.Stated(source="erp", source_sequence=17, actor="paul", recorded_at=times.to_proto(times.now()))
FACTS = pb.PositionFacts(
    sku="SKU-1",
    point_id="store-lyon",
    assortment=pb.Assortment(in_assortment=False, stated=STATED),
    plan=pb.ReplenishmentPlan(is_replenished=True, min_quantity=2, target_quantity=6, stated=STATED),
    markdown=pb.Markdown(stated=STATED),
    location=pb.ShelfLocation(location="A-03-2", walk_order=30, stated=STATED),
)
COVERS = (
    pb.Cover(
        sku="SKU-1",
        point_id="store-lyon",
        available=3,
        daily_thousandths=250,
        rate_source=pb.RATE_SOURCE_IMPORTED,
        cover_days_tenths=120,
        sold=5,
        days=28,
    ),
    pb.Cover(sku="SKU-2", point_id="store-lyon", available=3, no_cover=pb.NO_COVER_NO_RATE),
)
RATES = (
    pb.FindRate(point_id="store-lyon", depth=pb.DEPTH_ONE, found=3, asked=4, rate_basis_points=9100),
    pb.FindRate(point_id="store-lyon", depth=pb.DEPTH_TWO),
)


class FakeMerchandising(MerchandisingServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def PutPositionFacts(self, request: Any, context: Any) -> pb.PutPositionFactsResponse:
        self._world.note("PutPositionFacts", request)
        result = pb.FactsResult(
            sku="SKU-1",
            point_id="store-lyon",
            outcome=pb.FACTS_OUTCOME_CHANGED,
            dropped=[pb.FACT_KIND_SALES_RATE],
        )
        return pb.PutPositionFactsResponse(results=[result])

    async def ListPositionFacts(self, request: Any, context: Any) -> pb.ListPositionFactsResponse:
        self._world.note("ListPositionFacts", request)
        return pb.ListPositionFactsResponse(facts=[FACTS], page=types.PageInfo(next_cursor="more"))

    async def ListFactVersions(self, request: Any, context: Any) -> pb.ListFactVersionsResponse:
        self._world.note("ListFactVersions", request)
        versions = [
            pb.FactVersion(kind=pb.FACT_KIND_PLAN, version=2, stated=STATED),
            pb.FactVersion(
                kind=pb.FACT_KIND_PLAN, version=1, content_json='{"is_replenished": false}', stated=STATED
            ),
        ]
        return pb.ListFactVersionsResponse(versions=versions)

    async def ListCover(self, request: Any, context: Any) -> pb.ListCoverResponse:
        self._world.note("ListCover", request)
        return pb.ListCoverResponse(covers=COVERS)

    async def ListFindRates(self, request: Any, context: Any) -> pb.ListFindRatesResponse:
        self._world.note("ListFindRates", request)
        return pb.ListFindRatesResponse(rates=RATES)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_MerchandisingServiceServicer_to_server(FakeMerchandising(world), server)
