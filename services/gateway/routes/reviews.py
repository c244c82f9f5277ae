"""Reviews: the queue of orders that fraud rules hold. They are decided on as holds are."""

from typing import Annotated

from fastapi import Query

from kit.times import from_proto
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import router
from services.gateway.schemas.base import Page
from services.gateway.schemas.reviews import ReviewFilters, ReviewView
from services.gateway.wire import message, plain

reviews_router = router("holds")


@reviews_router.get("/reviews")
async def list_reviews(
    filters: Annotated[ReviewFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[ReviewView]:
    """List orders that wait for a fraud review, the earliest deadline first.

    Decide with `/v1/orders/{order_id}/holds/{hold_id}/release` or `.../refuse`.
    """
    request = message(
        orders.ListReviewsRequest,
        {
            "channel_ids": [filters.channel_id] if filters.channel_id else [],
            "brands": sorted(access.brands_seen(caller) or ()),
            "page": filters.page,
        },
    )
    found = await clients.read(clients.orders.ListReviews, request)
    return Page(items=[_view(one) for one in found.orders], next_cursor=found.page.next_cursor or None)


def _view(order: orders.Order) -> ReviewView:
    content = order.content
    hold = next(one for one in order.holds if one.kind == "fraud" and not one.HasField("ended_at"))
    return ReviewView.model_validate(
        {
            "order_id": order.order_id,
            "channel_id": content.channel_id,
            "channel_order_number": content.channel_order_number,
            "trade": content.trade,
            "total": plain(content.total),
            "placed_at": from_proto(order.placed_at),
            "hold": reading.hold_values(hold),
            "fraud": plain(order.fraud),
        }
    )
