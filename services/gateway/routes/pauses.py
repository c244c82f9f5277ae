"""Pauses of points, items and channels."""

from typing import Annotated

from fastapi import Query

from oms.inventory.v1 import pause_service_pb2 as pb
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, PauseId, new_act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.pauses import PauseFilters, PauseRequest, PauseView
from services.gateway.wire import message, sent, shown

pauses_router = router("pauses")


@pauses_router.post("/pauses", status_code=201)
async def start_pause(
    body: PauseRequest, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PauseView:
    """Stop a point, an item or a channel now or on dates: an explicit 0; what is reserved stays."""
    more = {"request_id": new_act_id("pause", caller, key), "actor": caller.subject}
    answer = await clients.act(clients.pauses.StartPause, sent(pb.StartPauseRequest, body, **more))
    return _view(answer.pause)


@pauses_router.get("/pauses")
async def list_pauses(filters: Annotated[PauseFilters, Query()], clients: ClientsAre) -> Page[PauseView]:
    """List pauses in the order in which they were written; those that are over only on request."""
    values = {"include_ended": filters.include_ended, "page": filters.page}
    found = await clients.read(clients.pauses.ListPauses, message(pb.ListPausesRequest, values))
    return Page(items=[_view(pause) for pause in found.pauses], next_cursor=found.page.next_cursor or None)


@pauses_router.post("/pauses/{pause_id}/lift")
async def lift_pause(pause_id: PauseId, caller: CallerIs, clients: ClientsAre) -> PauseView:
    """End a pause now, or call off one that has not begun."""
    request = pb.LiftPauseRequest(pause_id=pause_id, actor=caller.subject)
    return _view((await clients.act(clients.pauses.LiftPause, request)).pause)


def _view(pause: pb.Pause) -> PauseView:
    return shown(pause, PauseView, id=pause.pause_id)
