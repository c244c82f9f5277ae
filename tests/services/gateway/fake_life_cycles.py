"""What orders answers about life cycles and reviews, kept in memory."""

from typing import TYPE_CHECKING, Any

from kit.errors import NotFound
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceServicer

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


class FakeLifeCycles(OrdersServiceServicer):
    """Every publication is a new version; one life cycle is there."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._published = [
            orders.LifeCycle(
                life_cycle_id="default",
                version=1,
                offer_seconds=60,
                capture_at="shipment",
                lost_parcel="ask",
            )
        ]

    async def PublishLifeCycle(self, request: Any, context: Any) -> orders.PublishLifeCycleResponse:
        self._world.note("PublishLifeCycle", request)
        new = orders.LifeCycle()
        new.CopyFrom(request.life_cycle)
        new.version = 1 + sum(one.life_cycle_id == new.life_cycle_id for one in self._published)
        self._published.append(new)
        return orders.PublishLifeCycleResponse(life_cycle=new)

    async def ListLifeCycles(self, request: Any, context: Any) -> orders.ListLifeCyclesResponse:
        latest = {one.life_cycle_id: one for one in self._published}
        return orders.ListLifeCyclesResponse(life_cycles=latest.values())

    async def GetLifeCycle(self, request: Any, context: Any) -> orders.GetLifeCycleResponse:
        wanted = request.life_cycle_id
        versions = [one for one in self._published if one.life_cycle_id == wanted]
        found = [one for one in versions if request.version in (0, one.version)]
        if not found:
            raise NotFound("LIFE_CYCLE_NOT_FOUND", "there is no such life cycle")
        return orders.GetLifeCycleResponse(life_cycle=found[-1])

    async def ListReviews(self, request: Any, context: Any) -> orders.ListReviewsResponse:
        self._world.note("ListReviews", request)
        found = [one for one in self._world.placed.values() if any(hold.kind == "fraud" for hold in one.holds)]
        return orders.ListReviewsResponse(orders=found)
