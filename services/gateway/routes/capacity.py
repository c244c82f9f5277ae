"""Capacity: how many orders points start a day, how many parcels carriers take there, and what is taken of it."""

from typing import Annotated

from fastapi import Query

from oms.promise.v1 import capacity_service_pb2 as pb
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import PointId, router
from services.gateway.schemas.base import Changed, Listed
from services.gateway.schemas.capacity import (
    CapacityFigureView,
    CapacityLimits,
    CapacityLimitView,
    FigureFilters,
    LimitFilters,
    Scopes,
)
from services.gateway.wire import plain, sent, shown

capacity_router = router("capacity")


@capacity_router.put("/capacity/limits")
async def put_limits(body: CapacityLimits, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Set limits of points and carriers, all or none. What orders have taken already stays theirs."""
    request = sent(pb.PutLimitsRequest, body, actor=caller.subject)
    return Changed(changed=(await clients.act(clients.capacity.PutLimits, request)).changed)


@capacity_router.post("/capacity/limits/remove")
async def remove_limits(body: Scopes, clients: ClientsAre) -> Changed:
    """Remove limits: what is wider holds again, at last the daily capacity of the stock point."""
    request = sent(pb.RemoveLimitsRequest, body)
    return Changed(changed=(await clients.act(clients.capacity.RemoveLimits, request)).changed)


@capacity_router.get("/capacity/limits")
async def list_limits(filters: Annotated[LimitFilters, Query()], clients: ClientsAre) -> Listed[CapacityLimitView]:
    """List the limits that were set, of all, of a point or of a carrier."""
    request = sent(pb.ListLimitsRequest, filters)
    found = await clients.read(clients.capacity.ListLimits, request)
    return Listed(items=[shown(one, CapacityLimitView, **plain(one.limit)) for one in found.limits])


@capacity_router.get("/points/{point_id}/capacity")
async def list_figures(
    point_id: PointId, filters: Annotated[FigureFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Listed[CapacityFigureView]:
    """Show what is taken and left of each day: of the point first, then of the carriers that come there."""
    access.check_point(caller, point_id, access.PLANNERS)
    request = pb.ListFiguresRequest(
        point_id=point_id,
        from_date=filters.from_date,
        until_date=filters.until_date or filters.from_date,
    )
    found = await clients.read(clients.capacity.ListFigures, request)
    return Listed(items=[shown(one, CapacityFigureView) for one in found.figures])
