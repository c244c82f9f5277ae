"""Capacity with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.promise.v1 import capacity_service_pb2 as pb
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceServicer, add_CapacityServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

LIMITS = (
    pb.CapacityLimit(point_id="store-lyon", date="2026-12-24", most=0),
    pb.CapacityLimit(point_id="store-lyon", carrier_id="colis", cut_off_minute=1020, weekday=5),
)
FIGURES = (
    pb.CapacityFigure(date="2026-12-23", most=40, taken=41, left=0),
    pb.CapacityFigure(date="2026-12-23", carrier_id="colis", taken=44),
)


class FakeCapacity(CapacityServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def PutLimits(self, request: Any, context: Any) -> pb.PutLimitsResponse:
        self._world.note("PutLimits", request)
        return pb.PutLimitsResponse(changed=3)

    async def RemoveLimits(self, request: Any, context: Any) -> pb.RemoveLimitsResponse:
        self._world.note("RemoveLimits", request)
        return pb.RemoveLimitsResponse(changed=1)

    async def ListLimits(self, request: Any, context: Any) -> pb.ListLimitsResponse:
        self._world.note("ListLimits", request)
        at = times.to_proto(times.now())
        return pb.ListLimitsResponse(
            limits=[pb.SetCapacityLimit(limit=limit, set_at=at, set_by="anna") for limit in LIMITS]
        )

    async def ListFigures(self, request: Any, context: Any) -> pb.ListFiguresResponse:
        self._world.note("ListFigures", request)
        return pb.ListFiguresResponse(figures=FIGURES)

    async def ListTakers(self, request: Any, context: Any) -> pb.ListTakersResponse:
        self._world.note("ListTakers", request)
        return pb.ListTakersResponse()

    async def FindCapacityDifferences(self, request: Any, context: Any) -> pb.FindCapacityDifferencesResponse:
        self._world.note("FindCapacityDifferences", request)
        return pb.FindCapacityDifferencesResponse(checked=2)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_CapacityServiceServicer_to_server(FakeCapacity(world), server)  # type: ignore[abstract]
