"""Work of points that other systems do: which systems, how far they are, what they post."""

from typing import Annotated, Any

from fastapi import Header, Path, Query, Request

from oms.handover.v1 import handover_service_pb2 as pb
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import FulfilmentId, OptionalKey, act_id, router
from services.gateway.schemas.base import Changed, Listed, Page
from services.gateway.schemas.handovers import (
    AlertClosing,
    AlertView,
    HandoverDetail,
    HandoverFilters,
    HandoverSystems,
    HandoverSystemView,
    HandoverView,
    MessagesTaken,
)
from services.gateway.wire import message, plain, sent, shown

handovers_router = router("hand-over")

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SystemId = Annotated[str, Path(min_length=1, max_length=64, pattern=_ID)]
AlertId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]
# What systems sign with, after Standard Webhooks or a scheme of their own.
_PROOFS = ("webhook-", "x-")
_ANY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {
                    "message": {
                        "value": {
                            "message_id": "msg_1",
                            "type": "preparation.acknowledged",
                            "occurred_at": "2026-03-02T09:30:00Z",
                            "preparation_id": "ful_1",
                            "data": {},
                        }
                    }
                },
            }
        },
    }
}


@handovers_router.put("/handover-systems")
async def put_systems(body: HandoverSystems, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Say which points' work other systems do. 422 UNKNOWN_SYSTEM without a connection to it, POINT_TAKEN."""
    access.check_all_brands(caller)
    request = sent(pb.PutSystemsRequest, body, actor=caller.subject)
    return Changed(changed=(await clients.act(clients.handover.PutSystems, request)).changed)


@handovers_router.get("/handover-systems")
async def list_systems(clients: ClientsAre) -> Listed[HandoverSystemView]:
    """List the systems that do the work of points."""
    found = await clients.read(clients.handover.ListSystems, pb.ListSystemsRequest())
    return Listed(items=[shown(one, HandoverSystemView) for one in found.systems])


@handovers_router.get("/handovers")
async def list_handovers(
    filters: Annotated[HandoverFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[HandoverView]:
    """List preparation orders that went to other systems, newest first; `alert=true` is the work list."""
    access.check_all_brands(caller)
    values = {
        "alert": filters.alert,
        "system_ids": filters.system_id,
        "states": filters.state,
        "order_id": filters.order_id,
        "page": filters.page,
    }
    found = await clients.read(clients.handover.ListHandovers, message(pb.ListHandoversRequest, values))
    return Page(
        items=[shown(one, HandoverView) for one in found.handovers],
        next_cursor=found.page.next_cursor or None,
    )


@handovers_router.get("/handovers/{fulfilment_id}")
async def read_handover(fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre) -> HandoverDetail:
    """Read one with everything that its system said."""
    access.check_all_brands(caller)
    request = pb.GetHandoverRequest(fulfilment_id=fulfilment_id)
    found = await clients.read(clients.handover.GetHandover, request)
    return shown(found.handover, HandoverDetail, messages=[plain(one) for one in found.messages])


@handovers_router.post("/handover-alerts/{alert_id}/close")
async def close_alert(
    alert_id: AlertId, body: AlertClosing, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> AlertView:
    """Say that an alert has been dealt with. 409 ALERT_CLOSED when it is not open any more."""
    access.check_all_brands(caller)
    request = pb.CloseAlertRequest(
        request_id=act_id("close-alert", alert_id, caller, body, key),
        alert_id=alert_id,
        note=body.note,
        actor=caller.subject,
    )
    return shown((await clients.act(clients.handover.CloseAlert, request)).alert, AlertView)


@handovers_router.post("/handover/{system_id}/messages", openapi_extra=_ANY_BODY)
async def take_messages(
    system_id: SystemId,
    request: Request,
    clients: ClientsAre,
    signature: Annotated[str, Header(alias="webhook-signature", max_length=2_000)] = "",
) -> MessagesTaken:
    """Take what a system posts, proven by its signature; no bearer token. Repeated messages are taken calmly."""
    proofs = {name: value for name, value in request.headers.items() if name.startswith(_PROOFS)}
    answer = await clients.act(
        clients.handover.ReceiveMessages,
        pb.ReceiveMessagesRequest(system_id=system_id, payload=await request.body(), headers=proofs),
    )
    return MessagesTaken(accepted=answer.accepted, duplicates=answer.duplicates)
