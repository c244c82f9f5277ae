"""Figures for the people who steer: stages, offers, picks, promises kept, lead times."""

from typing import Annotated

from fastapi import Query

from oms.orders.v1 import figures_service_pb2 as pb
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.figures import (
    FigureFilters,
    LeadTimesView,
    OfferFiguresView,
    PeriodFilters,
    PickFiguresView,
    PromiseFiguresView,
    StageFigureView,
    scope_values,
)
from services.gateway.wire import message, shown

figures_router = router("figures", "/v1/figures")


@figures_router.get("/stages")
async def stages(
    filters: Annotated[FigureFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Listed[StageFigureView]:
    """Count open orders by channel and stage, as they are now, whenever they were placed."""
    asked = pb.CountStagesRequest(scope=_scope(caller, filters))
    found = await clients.check(clients.figures.CountStages, asked)
    return Listed(items=[shown(one, StageFigureView) for one in found.stages])


@figures_router.get("/offers")
async def offers(
    filters: Annotated[PeriodFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> OfferFiguresView:
    """Count offers that were made in the period, by point: what became of them, and how long answers took.

    Times are those of the clock, closed hours included.
    """
    asked = pb.CountOffersRequest(scope=_scope(caller, filters))
    found = await clients.check(clients.figures.CountOffers, asked)
    return shown(found, OfferFiguresView)


@figures_router.get("/picks")
async def picks(
    filters: Annotated[PeriodFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> PickFiguresView:
    """Count picks of the period by point: units that were looked for, and those that were not found."""
    asked = pb.CountPicksRequest(scope=_scope(caller, filters))
    found = await clients.check(clients.figures.CountPicks, asked)
    return shown(found, PickFiguresView)


@figures_router.get("/promises")
async def promises(
    filters: Annotated[PeriodFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> PromiseFiguresView:
    """Count promises that ended in the period by week and channel, those kept, and why parcels were late.

    Kept: everything was delivered within the accepted window, with the tolerance of the life cycle. What is not
    delivered when that has passed is late. With a point only its parcels count.
    """
    asked = pb.CountPromisesRequest(scope=_scope(caller, filters))
    found = await clients.check(clients.figures.CountPromises, asked)
    return shown(found, PromiseFiguresView)


@figures_router.get("/lead-times")
async def lead_times(
    filters: Annotated[PeriodFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> LeadTimesView:
    """Measure how long after their orders were placed parcels were handed over, of those of the period.

    Waits that were agreed on (cooling-off, release dates, appointments, stock to come) are within it.
    """
    asked = pb.MeasureLeadTimesRequest(scope=_scope(caller, filters))
    found = await clients.check(clients.figures.MeasureLeadTimes, asked)
    return shown(found, LeadTimesView)


def _scope(caller: Caller, filters: FigureFilters) -> pb.FigureScope:
    """Raises PermissionDenied / BRAND_NOT_ALLOWED for a brand that is not the caller's."""
    brands = [filters.brand] if filters.brand else sorted(access.brands_seen(caller) or ())
    access.check_brands(caller, brands)
    return message(pb.FigureScope, scope_values(filters, brands))
