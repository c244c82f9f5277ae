"""What a channel may show: availability and delivery promises."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query, Request

from kit import times
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.promise.v1 import promise_service_pb2 as promise
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import ChannelId, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.promises import (
    AvailabilityFilters,
    AvailabilityView,
    ListingRequest,
    ListingView,
    PromiseRequest,
    PromiseView,
)
from services.gateway.wire import message, plain, sent, shown

promises_router = router("promises")


@promises_router.get("/channels/{channel_id}/availability")
async def availability(
    channel_id: ChannelId,
    filters: Annotated[AvailabilityFilters, Query()],
    caller: CallerIs,
    clients: ClientsAre,
) -> Listed[AvailabilityView]:
    """Read the stock that the channel may show, in the order asked for."""
    access.check_asks_for(caller, channel_id)
    values = {
        "channel_id": channel_id,
        "skus": filters.sku,
        "explain": filters.explain,
        "purpose": filters.purpose,
    }
    request = message(inventory.GetAvailabilityRequest, values)
    found = await clients.read(clients.inventory.GetAvailability, request)
    return Listed(
        items=[
            AvailabilityView.model_validate(
                plain(one)
                | {
                    "zero_reason": one.zero_reason or None,
                    "points": [
                        plain(point) | {"barred": point.barred or None, "limited_by": point.limited_by or None}
                        for point in one.points
                    ],
                }
            )
            for one in found.availabilities
        ]
    )


@promises_router.post("/promises")
async def quote(body: PromiseRequest, caller: CallerIs, clients: ClientsAre, request: Request) -> PromiseView:
    """Ask how, when and for how much a basket can be delivered; nothing is held."""
    access.check_asks_for(caller, body.channel_id)
    lines = [
        {"line_number": line.line_number or place, "sku": line.sku, "quantity": line.quantity}
        for place, line in enumerate(body.lines, start=1)
    ]
    found = await clients.read(
        clients.promise.Quote, sent(promise.QuoteRequest, body, lines=lines, **_moments(body, request))
    )
    return shown(found, PromiseView)


@promises_router.post("/promises/listing")
async def quote_listing(
    body: ListingRequest, caller: CallerIs, clients: ClientsAre, request: Request
) -> ListingView:
    """Ask the same of a page of articles, one unit of each; nothing is kept."""
    access.check_asks_for(caller, body.channel_id)
    asked = sent(promise.QuoteListingRequest, body, **_moments(body, request))
    found = await clients.read(clients.promise.QuoteListing, asked)
    return shown(found, ListingView)


def _moments(body: PromiseRequest | ListingRequest, request: Request) -> dict[str, datetime | None]:
    """Now, and the end of cooling-off where the caller names no other beginning."""
    now = times.now()
    cooling_off = timedelta(seconds=request.app.state.options.quote_cooling_off_seconds)
    return {"as_of": now, "cooling_off_until": None if body.not_before else now + cooling_off}
