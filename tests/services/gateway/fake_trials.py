"""Trials with canned answers: one that began at noon, and is decided or given back at once."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import trial_service_pb2 as pb
from oms.orders.v1.trial_service_pb2_grpc import TrialServiceServicer, add_TrialServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def trial(**changes: Any) -> orders.Trial:
    """A week from noon on."""
    return orders.Trial(
        begun_at=times.to_proto(NOON),
        ends_at=times.to_proto(NOON + timedelta(days=7)),
        remind_at=times.to_proto(NOON + timedelta(days=5)),
        **changes,
    )


class FakeTrials(TrialServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def DecideTrial(self, request: Any, context: Any) -> pb.DecideTrialResponse:
        self._world.note("DecideTrial", request)
        return pb.DecideTrialResponse(trial=trial(decided_at=times.to_proto(NOON)))

    async def GiveUnitsBack(self, request: Any, context: Any) -> pb.GiveUnitsBackResponse:
        self._world.note("GiveUnitsBack", request)
        return pb.GiveUnitsBackResponse()


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_TrialServiceServicer_to_server(FakeTrials(world), server)
