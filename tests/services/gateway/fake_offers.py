"""Competition with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.orders.v1 import offers_service_pb2 as pb
from oms.orders.v1.offers_service_pb2_grpc import OffersServiceServicer, add_OffersServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

AT = times.from_proto(times.to_proto(times.now()))


class FakeOffers(OffersServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def SettleClaim(self, request: pb.SettleClaimRequest, context: Any) -> pb.SettleClaimResponse:
        self._world.note("SettleClaim", request)
        work = self._world.work[request.fulfilment_id].fulfilment
        return pb.SettleClaimResponse(state=self._world.settled, fulfilment=work)

    async def AssignWork(self, request: pb.AssignWorkRequest, context: Any) -> pb.AssignWorkResponse:
        self._world.note("AssignWork", request)
        work = self._world.work[request.fulfilment_id].fulfilment
        return pb.AssignWorkResponse(fulfilment=work, claim=self._world.claims.get(request.fulfilment_id))

    async def ListOffers(self, request: pb.ListOffersRequest, context: Any) -> pb.ListOffersResponse:
        self._world.note("ListOffers", request)
        one = pb.Offer(
            fulfilment_id="ful_1",
            order_id="ord_1",
            point_id="store-lyon",
            ring=1,
            state=pb.OFFER_STATE_OPEN,
            offered_at=times.to_proto(AT),
            deadline=times.to_proto(AT),
            hand_over_by=times.to_proto(AT),
        )
        return pb.ListOffersResponse(offers=[one], page=types.PageInfo(next_cursor="next"))


def register(world: "World", server: grpc.aio.Server) -> None:
    add_OffersServiceServicer_to_server(FakeOffers(world), server)  # type: ignore[abstract]
