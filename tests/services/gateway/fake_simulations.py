"""Simulations with canned answers."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.promise.v1 import promise_service_pb2 as promise
from oms.promise.v1 import ruleset_service_pb2 as rules
from oms.promise.v1 import simulation_service_pb2 as pb
from oms.promise.v1.simulation_service_pb2_grpc import (
    SimulationServiceServicer,
    add_SimulationServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

LOAD = pb.Load(
    parcels=2,
    units=3,
    busiest_day="2026-11-20",
    busiest_day_parcels=2,
    days=[pb.DayLoad(day="2026-11-20", parcels=2, units=3)],
)
FIGURES = pb.SimulationFigures(
    whole_orders=2,
    units_shipped=3,
    parcels=2,
    real_cost_minor=1_240,
    shipping_minor=1_000,
    preparation_minor=240,
    objective=[promise.CostComponent(name="shipping", amount_minor=1_000)],
    promise_days=pb.Spread(mean=2.5, p50=2, p95=3, max=3),
    parcels_per_order=pb.Spread(mean=1.0, p50=1, p95=1, max=1),
)
PLANNED = pb.PlannedOrder(
    legs=[pb.PlannedLeg(point_id="store-lyon", carrier_id="post", service_id="home", units=2, parcels=1)],
    real_cost_minor=620,
)
RESULT = pb.SimulationResult(
    orders=2,
    live=FIGURES,
    candidate=FIGURES,
    changed_orders=1,
    points=[
        pb.PointLoad(point_id="store-lyon", point_type=types.POINT_TYPE_STORE, live=LOAD, candidate=pb.Load())
    ],
    point_types=[pb.PointTypeLoad(point_type=types.POINT_TYPE_STORE, live=LOAD, candidate=LOAD)],
    changed=[
        pb.ChangedOrder(order_id="ord_1", placed_at=times.to_proto(times.now()), live=PLANNED, candidate=PLANNED)
    ],
    skipped=[pb.ReasonCount(reason="PLANNED_AGAIN", count=4)],
    notes=["Each order is planned on the stock that its decision saw."],
    like_for_like=pb.LikeForLike(orders=2, live_real_cost_minor=1_240, candidate_real_cost_minor=1_240),
)


_FIGURES: Any = {"currency": "EUR", "max_parcels": 3, "alternatives": 3, "shipping_percent": 100}
LIVE = rules.Ruleset(ruleset_id="default", version=3, **_FIGURES)
CANDIDATE = rules.Ruleset(ruleset_id="draft", **_FIGURES)


class FakeSimulations(SimulationServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def KeepSimulationFile(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> pb.KeepSimulationFileResponse:
        parts = [part async for part in request_iterator]
        content = b"".join(part.content for part in parts[1:])
        self._world.note(
            "KeepSimulationFile", (parts[0].header, content, max(len(part.content) for part in parts))
        )
        file = pb.SimulationFile(file_id="sfl_1", file_name=parts[0].header.file_name, bytes=len(content))
        return pb.KeepSimulationFileResponse(file=file)

    async def CreateSimulation(self, request: Any, context: Any) -> pb.CreateSimulationResponse:
        self._world.note("CreateSimulation", request)
        told = pb.SimulationSetup()
        told.CopyFrom(request.setup)
        told.ruleset.CopyFrom(CANDIDATE)  # However it was sent, it is told whole.
        made = simulation(pb.SIMULATION_STATE_RECEIVED, setup=told)
        return pb.CreateSimulationResponse(simulation=made)

    async def GetSimulation(self, request: Any, context: Any) -> pb.GetSimulationResponse:
        self._world.note("GetSimulation", request)
        return pb.GetSimulationResponse(simulation=simulation(pb.SIMULATION_STATE_DONE, result=RESULT))

    async def ListSimulations(self, request: Any, context: Any) -> pb.ListSimulationsResponse:
        self._world.note("ListSimulations", request)
        return pb.ListSimulationsResponse(
            simulations=[simulation(pb.SIMULATION_STATE_RUNNING)], page=types.PageInfo(next_cursor="7")
        )

    async def CancelSimulation(self, request: Any, context: Any) -> pb.CancelSimulationResponse:
        self._world.note("CancelSimulation", request)
        return pb.CancelSimulationResponse(simulation=simulation(pb.SIMULATION_STATE_CANCELLED))

    async def RestartSimulation(self, request: Any, context: Any) -> pb.RestartSimulationResponse:
        self._world.note("RestartSimulation", request)
        return pb.RestartSimulationResponse(simulation=simulation(pb.SIMULATION_STATE_RECEIVED))


def simulation(state: Any, **values: Any) -> pb.Simulation:
    given = {"setup": pb.SimulationSetup(ruleset=CANDIDATE)} | values
    return pb.Simulation(simulation_id="sim_1", state=state, live=LIVE, planned=2, total=2, **given)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_SimulationServiceServicer_to_server(FakeSimulations(world), server)
