"""What is collected at a store, with canned answers: everything is done at once, and one code is right."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import FailedPrecondition, NotFound
from oms.orders.v1 import collection_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.collection_service_pb2_grpc import (
    CollectionServiceServicer,
    add_CollectionServiceServicer_to_server,
)

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CODE = "K7M2XQ"


def waiting(state: "orders.FulfilmentState.ValueType" = orders.FULFILMENT_STATE_READY) -> orders.Fulfilment:
    """Put aside at noon, for a week."""
    return orders.Fulfilment(
        fulfilment_id="ful_1",
        order_id="ord_1",
        point_id="store-lyon",
        state=state,
        lines=[orders.FulfilmentLine(line_number=1, sku="SKU-1", quantity=2, title="Title 1")],
        hand_over_by=times.to_proto(NOON),
        collected=True,
        collection=orders.Collection(
            ready_at=times.to_proto(NOON),
            keep_until=times.to_proto(NOON + timedelta(days=7)),
            shelf="B-12",
        ),
    )


class FakeCollections(CollectionServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def MarkReady(self, request: Any, context: Any) -> pb.MarkReadyResponse:
        self._world.note("MarkReady", request)
        return pb.MarkReadyResponse(fulfilment=waiting())

    async def Collect(self, request: Any, context: Any) -> pb.CollectResponse:
        self._world.note("Collect", request)
        if request.code and request.code != CODE:
            raise FailedPrecondition("WRONG_CODE", "this is not its code", field="code", attempts_left=4)
        return pb.CollectResponse(fulfilment=waiting(orders.FULFILMENT_STATE_DELIVERED))

    async def FindByCode(self, request: Any, context: Any) -> pb.FindByCodeResponse:
        self._world.note("FindByCode", request)
        if request.code.upper() != CODE:
            raise NotFound("CODE_UNKNOWN", "nothing that waits here has this code", attempts_left=19)
        return pb.FindByCodeResponse(fulfilment=waiting())

    async def UnlockCollection(self, request: Any, context: Any) -> pb.UnlockCollectionResponse:
        self._world.note("UnlockCollection", request)
        return pb.UnlockCollectionResponse(fulfilment=waiting())

    async def ExtendCollection(self, request: Any, context: Any) -> pb.ExtendCollectionResponse:
        self._world.note("ExtendCollection", request)
        return pb.ExtendCollectionResponse(fulfilment=waiting())

    async def ConfirmPutBack(self, request: Any, context: Any) -> pb.ConfirmPutBackResponse:
        self._world.note("ConfirmPutBack", request)
        return pb.ConfirmPutBackResponse(fulfilment=waiting(orders.FULFILMENT_STATE_CANCELLED))

    async def ListPutBacks(self, request: Any, context: Any) -> pb.ListPutBacksResponse:
        self._world.note("ListPutBacks", request)
        found = [waiting(orders.FULFILMENT_STATE_CANCELLED)]
        if self._world.unpacked:
            units = [orders.PlannedLine(line_number=1, sku="SKU-1", quantity=2)]
            back = orders.PutBack(units=units, since=times.to_proto(NOON))
            found.append(
                orders.Fulfilment(
                    fulfilment_id="ful_2",
                    order_id="ord_2",
                    point_id="store-lyon",
                    state=orders.FULFILMENT_STATE_CANCELLED,
                    put_back=back,
                )
            )
        return pb.ListPutBacksResponse(fulfilments=found)

    async def GetCollectionCodes(self, request: Any, context: Any) -> pb.GetCollectionCodesResponse:
        self._world.note("GetCollectionCodes", request)
        code = pb.CollectionCode(
            fulfilment_id="ful_1", point_id="store-lyon", code=CODE, keep_until=times.to_proto(NOON)
        )
        return pb.GetCollectionCodesResponse(codes=[code])

    async def Choose(self, request: Any, context: Any) -> pb.ChooseResponse:
        self._world.note("Choose", request)
        choice = orders.CustomerChoice(
            choice_id="1",
            fulfilment_id="ful_1",
            point_id="store-lyon",
            reason="no_staff",
            lines=[orders.PlannedLine(line_number=1, sku="SKU-1", quantity=1)],
            asked_at=times.to_proto(NOON),
            until=times.to_proto(NOON + timedelta(days=2)),
            kind=request.kind,
            chosen_point_id=request.point_id,
            decided_at=times.to_proto(NOON),
        )
        return pb.ChooseResponse(choice=choice)

    async def GetNoShows(self, request: Any, context: Any) -> pb.GetNoShowsResponse:
        self._world.note("GetNoShows", request)
        point_id = "" if request.order_id else "store-lyon"
        return pb.GetNoShowsResponse(no_shows=[pb.NoShows(point_id=point_id, ended=3, no_shows=1)])


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_CollectionServiceServicer_to_server(FakeCollections(world), server)  # type: ignore[abstract]
