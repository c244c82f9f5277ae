"""Facts of articles at points, how long stock lasts and how well it is found. A store sees its own points."""

import json
from typing import Annotated

from fastapi import Query

from oms.inventory.v1 import merchandising_service_pb2 as pb
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import router
from services.gateway.schemas.base import Page
from services.gateway.schemas.merchandising import (
    CoverView,
    FactResults,
    FactResultView,
    FactVersionFilters,
    FactVersionView,
    FindRateFilters,
    FindRateView,
    PositionFacts,
    PositionFactsView,
    PositionFilters,
)
from services.gateway.wire import message, sent, shown

merchandising_router = router("merchandising")


@merchandising_router.put("/merchandising/facts")
async def put_facts(body: PositionFacts, caller: CallerIs, clients: ClientsAre) -> FactResults:
    """Say what is so of articles at points. What is earlier than what is known is dropped, and said so.

    A fact that is left out stays as it is; one that is sent replaces the whole fact; `{}` takes it back.
    """
    request = sent(pb.PutPositionFactsRequest, body, actor=caller.subject)
    answer = await clients.act(clients.merchandising.PutPositionFacts, request)
    return FactResults(items=[shown(one, FactResultView) for one in answer.results])


@merchandising_router.get("/merchandising/facts")
async def list_facts(
    filters: Annotated[PositionFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[PositionFactsView]:
    """List what is known of articles at points. What nobody spoke of is null, which is not "no"."""
    points = access.points_asked(caller, filters.point_id)
    if points is None:
        return Page(items=[])
    request = message(pb.ListPositionFactsRequest, filters.asked(points))
    found = await clients.read(clients.merchandising.ListPositionFacts, request)
    items = [shown(one, PositionFactsView) for one in found.facts]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@merchandising_router.get("/merchandising/facts/versions")
async def list_versions(
    filters: Annotated[FactVersionFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[FactVersionView]:
    """List what was said of an article at a point, and who changed it, newest first. Rates have no versions."""
    access.check_point(caller, filters.point_id, access.PLANNERS)
    values = {"sku": filters.sku, "point_id": filters.point_id, "page": filters.page}
    request = message(pb.ListFactVersionsRequest, values)
    found = await clients.read(clients.merchandising.ListFactVersions, request)
    items = [
        shown(one, FactVersionView, content=json.loads(one.content_json) if one.content_json else None)
        for one in found.versions
    ]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@merchandising_router.get("/merchandising/cover")
async def list_cover(
    filters: Annotated[PositionFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[CoverView]:
    """Read how fast articles sell at points that have or had stock, and how long what is available lasts."""
    points = access.points_asked(caller, filters.point_id)
    if points is None:
        return Page(items=[])
    request = message(pb.ListCoverRequest, filters.asked(points))
    found = await clients.read(clients.merchandising.ListCover, request)
    items = [shown(one, CoverView) for one in found.covers]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@merchandising_router.get("/merchandising/find-rates")
async def list_find_rates(
    filters: Annotated[FindRateFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[FindRateView]:
    """Read how often points find what they are asked to pick, by how many units the books had there."""
    points = access.points_asked(caller, filters.point_id)
    if points is None:
        return Page(items=[])
    values = {
        "point_ids": points,
        "category": filters.category,
        "depths": filters.depth,
        "window_days": filters.window_days,
        "page": filters.page,
    }
    # It reads every pick of the window, of all points.
    found = await clients.check(clients.merchandising.ListFindRates, message(pb.ListFindRatesRequest, values))
    items = [shown(one, FindRateView) for one in found.rates]
    return Page(items=items, next_cursor=found.page.next_cursor or None)
