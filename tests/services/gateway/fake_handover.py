"""The hand-over service with canned answers: one system, one preparation order with an alert and a message."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.handover.v1 import handover_service_pb2 as pb
from oms.handover.v1.handover_service_pb2_grpc import (
    HandoverServiceServicer,
    add_HandoverServiceServicer_to_server,
)

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOW = times.to_proto(times.now())
SYSTEM = pb.System(system_id="wms-orleans", name="Orléans", point_ids=["wh-orleans"], enabled=True)
ALERT = pb.Alert(
    alert_id="alt_1", fulfilment_id="ful_1", kind="not_shipped", text="It has not shipped the work.", raised_at=NOW
)
HANDOVER = pb.Handover(
    fulfilment_id="ful_1",
    order_id="ord_1",
    system_id="wms-orleans",
    point_id="wh-orleans",
    state=pb.HANDOVER_STATE_PACKED,
    created_at=NOW,
    acknowledge_by=NOW,
    alerts=[ALERT],
)
PICKED = pb.SystemMessage(
    message_id="msg_1",
    kind="picked",
    occurred_at=NOW,
    received_at=NOW,
    state="done",
    found=[pb.FoundLine(line_number=1, quantity=2)],
)


class FakeHandover(HandoverServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def PutSystems(self, request: Any, context: Any) -> pb.PutSystemsResponse:
        self._world.note("PutSystems", request)
        return pb.PutSystemsResponse(changed=len(request.systems))

    async def ListSystems(self, request: Any, context: Any) -> pb.ListSystemsResponse:
        self._world.note("ListSystems", request)
        return pb.ListSystemsResponse(systems=[SYSTEM])

    async def ReceiveMessages(self, request: Any, context: Any) -> pb.ReceiveMessagesResponse:
        self._world.note("ReceiveMessages", request)
        return pb.ReceiveMessagesResponse(accepted=1, duplicates=2)

    async def ListHandovers(self, request: Any, context: Any) -> pb.ListHandoversResponse:
        self._world.note("ListHandovers", request)
        return pb.ListHandoversResponse(handovers=[HANDOVER])

    async def GetHandover(self, request: Any, context: Any) -> pb.GetHandoverResponse:
        self._world.note("GetHandover", request)
        return pb.GetHandoverResponse(handover=HANDOVER, messages=[PICKED])

    async def CloseAlert(self, request: Any, context: Any) -> pb.CloseAlertResponse:
        self._world.note("CloseAlert", request)
        closed = pb.Alert(closed_at=NOW, closed_by=request.actor, note=request.note)
        closed.MergeFrom(ALERT)
        return pb.CloseAlertResponse(alert=closed)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_HandoverServiceServicer_to_server(FakeHandover(world), server)
