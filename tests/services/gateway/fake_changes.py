"""Changes with canned answers: each is applied at once, but another postcode is proposed."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.orders.v1 import change_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.change_service_pb2_grpc import ChangeServiceServicer, add_ChangeServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


def change(kind: str, state: str = "applied") -> orders.OrderChange:
    """A change that was asked for now."""
    now = times.to_proto(times.now())
    return orders.OrderChange(
        change_id="chg_1", kind=kind, state=state, asked_at=now, actor="carol", decided_at=now, settled=True
    )


class FakeChanges(ChangeServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def CancelLines(self, request: Any, context: Any) -> pb.CancelLinesResponse:
        self._world.note("CancelLines", request)
        return pb.CancelLinesResponse(change=change("lines"))

    async def ChangeAddress(self, request: Any, context: Any) -> pb.ChangeAddressResponse:
        self._world.note("ChangeAddress", request)
        return pb.ChangeAddressResponse(change=change("address"))

    async def ProposeChange(self, request: Any, context: Any) -> pb.ProposeChangeResponse:
        self._world.note("ProposeChange", request)
        proposed = change("content", "proposed")
        if not self._world.placed[request.order_id].changes:
            # Decided at the first look.
            self._world.placed[request.order_id].changes.append(change("content"))
        return pb.ProposeChangeResponse(change=proposed)

    async def PlanAgain(self, request: Any, context: Any) -> pb.PlanAgainResponse:
        self._world.note("PlanAgain", request)
        return pb.PlanAgainResponse(change=change("plan_again"))


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_ChangeServiceServicer_to_server(FakeChanges(world), server)  # type: ignore[abstract]
