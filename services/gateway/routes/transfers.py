"""Lanes and transfers. A point's people dispatch what leaves it, receive what comes to it, and see no others."""

from typing import Annotated

from fastapi import Query, Response

from oms.inventory.v1 import transfer_service_pb2 as pb
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import LaneId, OptionalKey, RequiredKey, TransferId, act_id, router
from services.gateway.schemas.base import Changed, Listed, Page
from services.gateway.schemas.transfers import (
    Dispatch,
    InTransitFilters,
    InTransitView,
    LaneFilters,
    Lanes,
    LaneView,
    Receipts,
    ScheduleFilters,
    ScheduleView,
    Settlements,
    TransferAnswer,
    TransferCancellation,
    TransferDetail,
    TransferFilters,
    TransferShortfallView,
    TransferView,
    TransferWish,
)
from services.gateway.wire import message, sent, shown

lanes_router = router("lanes")
transfers_router = router("transfers")


# -- lanes ------------------------------------------------------------------------------------------------


@lanes_router.put("/lanes")
async def put_lanes(body: Lanes, clients: ClientsAre) -> Changed:
    """Create or replace lanes by id."""
    answer = await clients.act(clients.transfers.PutLanes, sent(pb.PutLanesRequest, body))
    return Changed(changed=answer.changed)


@lanes_router.get("/lanes")
async def list_lanes(filters: Annotated[LaneFilters, Query()], clients: ClientsAre) -> Listed[LaneView]:
    """List lanes in id order."""
    request = pb.ListLanesRequest(point_ids=filters.point_id)
    found = await clients.read(clients.transfers.ListLanes, request)
    return Listed(items=[shown(lane, LaneView) for lane in found.lanes])


@lanes_router.delete("/lanes/{lane_id}", status_code=204)
async def delete_lane(lane_id: LaneId, clients: ClientsAre) -> Response:
    """Delete a lane, if it is there; transfers on their way keep their window."""
    await clients.act(clients.transfers.DeleteLanes, pb.DeleteLanesRequest(lane_ids=[lane_id]))
    return Response(status_code=204)


@lanes_router.get("/lanes/{lane_id}/schedule")
async def read_schedule(
    lane_id: LaneId, filters: Annotated[ScheduleFilters, Query()], clients: ClientsAre
) -> ScheduleView:
    """Read the next departures of a lane with their arrivals, and what a load would cost."""
    request = message(pb.GetLaneScheduleRequest, {"lane_id": lane_id, **filters.model_dump()})
    found = await clients.read(clients.transfers.GetLaneSchedule, request)
    return shown(found, ScheduleView)


# -- transfers --------------------------------------------------------------------------------------------


@transfers_router.post("/transfers")
async def request_transfer(
    body: TransferWish, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> TransferAnswer:
    """Ask for units: every line is held at the origin at once, or none and `shortfalls` says what lacks."""
    request_id = act_id("request-transfer", "", caller, None, key)
    request = sent(pb.RequestTransferRequest, body, request_id=request_id, actor=caller.subject)
    answer = await clients.act(clients.transfers.RequestTransfer, request)
    return TransferAnswer(
        requested=answer.requested,
        transfer=_view(answer.transfer) if answer.HasField("transfer") else None,
        shortfalls=[shown(one, TransferShortfallView) for one in answer.shortfalls],
    )


@transfers_router.get("/transfers")
async def list_transfers(
    filters: Annotated[TransferFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[TransferView]:
    """List transfers in the order in which they were asked for."""
    points = access.points_asked(caller, filters.point_id)
    if points is None:
        return Page(items=[])
    values = {"point_ids": points, "states": filters.state, "page": filters.page}
    found = await clients.read(clients.transfers.ListTransfers, message(pb.ListTransfersRequest, values))
    return Page(items=[_view(one) for one in found.transfers], next_cursor=found.page.next_cursor or None)


@transfers_router.get("/transfers/{transfer_id}")
async def read_transfer(transfer_id: TransferId, caller: CallerIs, clients: ClientsAre) -> TransferDetail:
    """Read one transfer with what was done to it."""
    found = await _seen(clients, caller, transfer_id)
    return shown(found, TransferDetail, id=found.transfer_id)


@transfers_router.post("/transfers/{transfer_id}/dispatch")
async def dispatch_transfer(
    transfer_id: TransferId, body: Dispatch, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> TransferView:
    """Say what was found and leaves the origin; the rest is given back, or declared not found."""
    if access.points_worked(caller, access.PLANNERS) is not None:
        # The ends of a transfer never change: who may dispatch it now may do so a moment later.
        access.check_point(caller, (await _seen(clients, caller, transfer_id)).origin_id, access.PLANNERS)
    request_id = act_id("dispatch-transfer", transfer_id, caller, body, key)
    more = {"request_id": request_id, "transfer_id": transfer_id, "actor": caller.subject}
    request = sent(pb.DispatchTransferRequest, body, **more)
    return _view((await clients.act(clients.transfers.DispatchTransfer, request)).transfer)


@transfers_router.post("/transfers/{transfer_id}/receive")
async def receive_transfer(
    transfer_id: TransferId, body: Receipts, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> TransferView:
    """Take in what arrived, perhaps one of several times; damaged units stay out of every image."""
    if access.points_worked(caller, access.PLANNERS) is not None:
        access.check_point(caller, (await _seen(clients, caller, transfer_id)).destination_id, access.PLANNERS)
    request_id = act_id("receive-transfer", transfer_id, caller, None, key)
    more = {"request_id": request_id, "transfer_id": transfer_id, "actor": caller.subject}
    request = sent(pb.ReceiveTransferRequest, body, **more)
    return _view((await clients.act(clients.transfers.ReceiveTransfer, request)).transfer)


@transfers_router.post("/transfers/{transfer_id}/settle")
async def settle_transfer(
    transfer_id: TransferId, body: Settlements, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> TransferView:
    """Say what became of missing units: found at one of the ends, or lost."""
    request_id = act_id("settle-transfer", transfer_id, caller, None, key)
    more = {"request_id": request_id, "transfer_id": transfer_id, "actor": caller.subject}
    request = sent(pb.SettleTransferRequest, body, **more)
    return _view((await clients.act(clients.transfers.SettleTransfer, request)).transfer)


@transfers_router.post("/transfers/{transfer_id}/cancel")
async def cancel_transfer(
    transfer_id: TransferId,
    body: TransferCancellation,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> TransferView:
    """Give everything back before it leaves."""
    request_id = act_id("cancel-transfer", transfer_id, caller, body, key)
    more = {"request_id": request_id, "transfer_id": transfer_id, "actor": caller.subject}
    request = sent(pb.CancelTransferRequest, body, **more)
    return _view((await clients.act(clients.transfers.CancelTransfer, request)).transfer)


@transfers_router.get("/stock/in-transit")
async def list_in_transit(
    filters: Annotated[InTransitFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[InTransitView]:
    """List units that have left their origin and are on hand nowhere, with when they are expected."""
    points = access.points_asked(caller, filters.point_id)
    if points is None:
        return Page(items=[])
    values = {"skus": filters.sku, "point_ids": points, "page": filters.page}
    found = await clients.read(clients.transfers.ListInTransit, message(pb.ListInTransitRequest, values))
    items = [shown(one, InTransitView) for one in found.in_transit]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


async def _seen(clients: Clients, caller: Caller, transfer_id: str) -> pb.Transfer:
    request = pb.GetTransferRequest(transfer_id=transfer_id)
    found = (await clients.read(clients.transfers.GetTransfer, request)).transfer
    access.check_transfer(caller, found)
    return found


def _view(transfer: pb.Transfer) -> TransferView:
    return shown(transfer, TransferView, id=transfer.transfer_id)
