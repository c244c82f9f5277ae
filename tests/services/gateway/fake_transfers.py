"""Lanes, transfers and pauses with canned answers: one transfer goes from store-lyon to store-paris."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import NotFound
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import pause_service_pb2 as pauses
from oms.inventory.v1 import transfer_service_pb2 as pb
from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceServicer, add_PauseServiceServicer_to_server
from oms.inventory.v1.transfer_service_pb2_grpc import (
    TransferServiceServicer,
    add_TransferServiceServicer_to_server,
)
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = types.Window(start=times.to_proto(NOON), end=times.to_proto(NOON.replace(day=22)))
LANE = pb.Lane(lane_id="lyon-paris", origin_id="store-lyon", destination_id="store-paris", transit_days=1)
TRANSFER = pb.Transfer(
    transfer_id="trf_1",
    origin_id="store-lyon",
    destination_id="store-paris",
    state=pb.TRANSFER_STATE_REQUESTED,
    expected=WINDOW,
    requested_at=times.to_proto(NOON),
    lines=[pb.TransferLine(sku="SKU-1", quantity=2)],
    acts=[pb.TransferAct(act="request", actor="paul", at=times.to_proto(NOON))],
)
PAUSE = pauses.Pause(pause_id="pau_1", sku="SKU-1", reason="recall", from_at=times.to_proto(NOON), in_force=True)


class FakeTransfers(TransferServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def PutLanes(self, request: Any, context: Any) -> pb.PutLanesResponse:
        self._world.note("PutLanes", request)
        return pb.PutLanesResponse(changed=len(request.lanes))

    async def ListLanes(self, request: Any, context: Any) -> pb.ListLanesResponse:
        self._world.note("ListLanes", request)
        return pb.ListLanesResponse(lanes=[LANE])

    async def DeleteLanes(self, request: Any, context: Any) -> pb.DeleteLanesResponse:
        self._world.note("DeleteLanes", request)
        return pb.DeleteLanesResponse(deleted=1)

    async def GetLaneSchedule(self, request: Any, context: Any) -> pb.GetLaneScheduleResponse:
        self._world.note("GetLaneSchedule", request)
        run = pb.LaneRun(cut_off_at=times.to_proto(NOON), arrives=WINDOW)
        cost = types.Money(amount_minor=450, currency="EUR")
        return pb.GetLaneScheduleResponse(lane=LANE, runs=[run], cost=cost)

    async def RequestTransfer(self, request: Any, context: Any) -> pb.RequestTransferResponse:
        self._world.note("RequestTransfer", request)
        if request.lines[0].quantity > 100:
            lacking = inventory.Shortfall(sku="SKU-1", point_id="store-lyon", requested=101, available=2, free=2)
            return pb.RequestTransferResponse(shortfalls=[lacking])
        return pb.RequestTransferResponse(requested=True, transfer=TRANSFER)

    async def DispatchTransfer(self, request: Any, context: Any) -> pb.DispatchTransferResponse:
        self._world.note("DispatchTransfer", request)
        return pb.DispatchTransferResponse(transfer=TRANSFER)

    async def ReceiveTransfer(self, request: Any, context: Any) -> pb.ReceiveTransferResponse:
        self._world.note("ReceiveTransfer", request)
        return pb.ReceiveTransferResponse(transfer=TRANSFER)

    async def SettleTransfer(self, request: Any, context: Any) -> pb.SettleTransferResponse:
        self._world.note("SettleTransfer", request)
        return pb.SettleTransferResponse(transfer=TRANSFER)

    async def CancelTransfer(self, request: Any, context: Any) -> pb.CancelTransferResponse:
        self._world.note("CancelTransfer", request)
        return pb.CancelTransferResponse(transfer=TRANSFER)

    async def GetTransfer(self, request: Any, context: Any) -> pb.GetTransferResponse:
        self._world.note("GetTransfer", request)
        if request.transfer_id != TRANSFER.transfer_id:
            raise NotFound("TRANSFER_NOT_FOUND", "there is no such transfer", transfer_id=request.transfer_id)
        return pb.GetTransferResponse(transfer=TRANSFER)

    async def ListTransfers(self, request: Any, context: Any) -> pb.ListTransfersResponse:
        self._world.note("ListTransfers", request)
        return pb.ListTransfersResponse(transfers=[TRANSFER], page=types.PageInfo(next_cursor="more"))

    async def ListInTransit(self, request: Any, context: Any) -> pb.ListInTransitResponse:
        self._world.note("ListInTransit", request)
        row = pb.InTransit(sku="SKU-1", destination_id="store-paris", transfer_id="trf_1", quantity=2)
        return pb.ListInTransitResponse(in_transit=[row])

    async def FindTransferDifferences(self, request: Any, context: Any) -> pb.FindTransferDifferencesResponse:
        return pb.FindTransferDifferencesResponse(checked=1, differences=self._world.transfer_differences)


class FakePauses(PauseServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def StartPause(self, request: Any, context: Any) -> pauses.StartPauseResponse:
        self._world.note("StartPause", request)
        return pauses.StartPauseResponse(pause=PAUSE)

    async def LiftPause(self, request: Any, context: Any) -> pauses.LiftPauseResponse:
        self._world.note("LiftPause", request)
        return pauses.LiftPauseResponse(pause=PAUSE)

    async def ListPauses(self, request: Any, context: Any) -> pauses.ListPausesResponse:
        self._world.note("ListPauses", request)
        return pauses.ListPausesResponse(pauses=[PAUSE])


def register(world: "World", server: grpc.aio.Server) -> None:
    """Both services, on the server of the others."""
    add_TransferServiceServicer_to_server(FakeTransfers(world), server)
    add_PauseServiceServicer_to_server(FakePauses(world), server)
