"""Figures of a small house: two channels, two stores, two weeks."""

from typing import TYPE_CHECKING, Any

import grpc

from oms.orders.v1 import figures_service_pb2 as pb
from oms.orders.v1.figures_service_pb2_grpc import FiguresServiceServicer, add_FiguresServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

STAGES = pb.CountStagesResponse(
    stages=[
        pb.StageFigure(channel_id="app-fr", stage="in preparation", orders=4, late=1),
        pb.StageFigure(channel_id="web-fr", stage="in preparation", orders=9, held=2, blocked=1),
        pb.StageFigure(channel_id="web-fr", stage="waiting", orders=3, held=1),
    ]
)
OFFERS = pb.CountOffersResponse(
    points=[
        pb.OfferFigure(
            point_id="store-lyon", offers=20, accepted=15, refused=2, lapsed=1, lost=1, open=1,
            median_seconds=754, p95_seconds=7_260,
        ),
        pb.OfferFigure(point_id="store-paris", offers=1, withdrawn=1),
    ],
    total=pb.OfferFigure(offers=21, accepted=15, refused=2, median_seconds=754, p95_seconds=7_260),
)  # fmt: skip
PICKS = pb.CountPicksResponse(
    points=[pb.PickFigure(point_id="store-lyon", picks=16, short_picks=4, units=40, short_units=5)],
    articles=[
        pb.ShortArticle(point_id="store-lyon", sku="SKU-1", short_units=3),
        pb.ShortArticle(point_id="store-lyon", sku="GONE", short_units=2),
    ],
)
PROMISES = pb.CountPromisesResponse(
    weeks=[
        pb.PromiseFigure(
            week="2026-11-09", channel_id="web-fr", orders=10, orders_kept=9, parcels=12, parcels_kept=11
        ),
        pb.PromiseFigure(
            week="2026-11-16", channel_id="app-fr", orders=4, orders_kept=4, parcels=4, parcels_kept=4
        ),
        pb.PromiseFigure(
            week="2026-11-16", channel_id="web-fr", orders=6, orders_kept=3, parcels=6, parcels_kept=3
        ),
    ],
    reasons=[pb.LateFigure(channel_id="web-fr", reason="hand_over_missed", parcels=4)],
)
LEAD_TIMES = pb.MeasureLeadTimesResponse(
    channels=[pb.LeadTime(key="web-fr", parcels=16, median_seconds=90_000, p95_seconds=180_000)],
    weeks=[
        pb.LeadTime(key="2026-11-09", parcels=10, median_seconds=86_400, p95_seconds=172_800),
        pb.LeadTime(key="2026-11-16", parcels=6, median_seconds=100_000, p95_seconds=190_000),
    ],
    total=pb.LeadTime(parcels=16, median_seconds=90_000, p95_seconds=180_000),
)
NOTHING = {
    "CountStages": pb.CountStagesResponse(),
    "CountOffers": pb.CountOffersResponse(total=pb.OfferFigure()),
    "CountPicks": pb.CountPicksResponse(),
    "CountPromises": pb.CountPromisesResponse(),
    "MeasureLeadTimes": pb.MeasureLeadTimesResponse(total=pb.LeadTime()),
}


class FakeFigures(FiguresServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    def _answer(self, name: str, request: Any, found: Any) -> Any:
        self._world.note(name, request)
        return NOTHING[name] if self._world.idle else found

    async def CountStages(self, request: Any, context: Any) -> Any:
        return self._answer("CountStages", request, STAGES)

    async def CountOffers(self, request: Any, context: Any) -> Any:
        return self._answer("CountOffers", request, OFFERS)

    async def CountPicks(self, request: Any, context: Any) -> Any:
        return self._answer("CountPicks", request, PICKS)

    async def CountPromises(self, request: Any, context: Any) -> Any:
        return self._answer("CountPromises", request, PROMISES)

    async def MeasureLeadTimes(self, request: Any, context: Any) -> Any:
        return self._answer("MeasureLeadTimes", request, LEAD_TIMES)


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_FiguresServiceServicer_to_server(FakeFigures(world), server)
