"""FiguresService over gRPC: translates, and nothing else."""

from dataclasses import asdict
from typing import Any

from kit import times
from oms.orders.v1 import figures_service_pb2 as pb
from oms.orders.v1.figures_service_pb2_grpc import FiguresServiceServicer
from services.orders import wire
from services.orders.figures import Figures, period_of
from services.orders.figures_store import LeadTime, Scope


class FiguresRpc(FiguresServiceServicer):
    """Its five calls."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    @wire.checked
    async def CountStages(self, request: pb.CountStagesRequest, context: Any) -> pb.CountStagesResponse:
        found = await self._figures.stages(_to_scope(request.scope))
        return pb.CountStagesResponse(stages=[pb.StageFigure(**asdict(one)) for one in found])

    @wire.checked
    async def CountOffers(self, request: pb.CountOffersRequest, context: Any) -> pb.CountOffersResponse:
        found = [pb.OfferFigure(**asdict(one)) for one in await self._figures.offers(_to_scope(request.scope))]
        return pb.CountOffersResponse(points=found[:-1], total=found[-1])

    @wire.checked
    async def CountPicks(self, request: pb.CountPicksRequest, context: Any) -> pb.CountPicksResponse:
        points, articles = await self._figures.picks(_to_scope(request.scope))
        return pb.CountPicksResponse(
            points=[pb.PickFigure(**asdict(one)) for one in points],
            articles=[pb.ShortArticle(**asdict(one)) for one in articles],
        )

    @wire.checked
    async def CountPromises(self, request: pb.CountPromisesRequest, context: Any) -> pb.CountPromisesResponse:
        weeks, reasons = await self._figures.promises(_to_scope(request.scope))
        return pb.CountPromisesResponse(
            weeks=[pb.PromiseFigure(**asdict(one)) for one in weeks],
            reasons=[pb.LateFigure(**asdict(one)) for one in reasons],
        )

    @wire.checked
    async def MeasureLeadTimes(
        self, request: pb.MeasureLeadTimesRequest, context: Any
    ) -> pb.MeasureLeadTimesResponse:
        found = await self._figures.lead_times(_to_scope(request.scope))
        return pb.MeasureLeadTimesResponse(
            channels=[_from_lead_time(one) for one in found.channels],
            weeks=[_from_lead_time(one) for one in found.weeks],
            total=_from_lead_time(found.total),
        )


def _to_scope(message: pb.FigureScope) -> Scope:
    as_of = times.field_or_now(message, "as_of")
    wanted = times.field_or_none(message, "from_at"), times.field_or_none(message, "until_at")
    from_at, until_at = period_of(*wanted, as_of)
    return Scope(
        from_at,
        until_at,
        as_of,
        tuple(message.channel_ids),
        tuple(message.brands),
        tuple(message.point_ids),
    )


def _from_lead_time(one: LeadTime) -> pb.LeadTime:
    return pb.LeadTime(**asdict(one))
