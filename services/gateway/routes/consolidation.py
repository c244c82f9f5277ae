"""Parcels that meet at a hub and leave as one shipment: what comes there, and what of it was there."""

from typing import Annotated

from fastapi import Query

from kit import telemetry
from oms.orders.v1 import consolidation_service_pb2 as consolidation
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.reading import fulfilment_values
from services.gateway.routes.common import FulfilmentId, OptionalKey, PointId, act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.consolidation import ArrivalFilters, ArrivalView, Receipt
from services.gateway.schemas.work import FulfilmentView
from services.gateway.wire import message

consolidation_router = router("consolidation")


@consolidation_router.get("/points/{point_id}/arrivals")
async def list_arrivals(
    point_id: PointId, filters: Annotated[ArrivalFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[ArrivalView]:
    """List the parcels that other points send to this one to be joined there, the earliest expected first."""
    access.check_point(caller, point_id)
    access.check_all_brands(caller)
    values = {"point_ids": [point_id], "page": filters.page}
    asked = message(consolidation.ListArrivalsRequest, values)
    found = await clients.read(clients.consolidation.ListArrivals, asked)
    items = [
        ArrivalView(
            fulfilment=FulfilmentView.model_validate(fulfilment_values(one.fulfilment)),
            hub_point_id=one.hub_point_id,
            cancelled=one.cancelled,
        )
        for one in found.arrivals
    ]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@consolidation_router.post("/fulfilments/{fulfilment_id}/receive")
async def receive(
    fulfilment_id: FulfilmentId, body: Receipt, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Say what was in a parcel that came to your hub; what is missing or damaged looks for another place.

    When all parcels are there, or will not come, the hub is offered its work. Goods of an order that was cancelled
    meanwhile go to the stock of the hub. 409 NOT_INBOUND, NOT_ON_ITS_WAY.
    """
    request = message(
        consolidation.ReceiveParcelRequest,
        {
            "request_id": act_id("receive", fulfilment_id, caller, body, key),
            "fulfilment_id": fulfilment_id,
            "actor": caller.subject,
            **body.model_dump(),
        },
    )
    request.reach.CopyFrom(access.reach(caller, fulfilment_id, frozenset()))
    done = (await clients.act(clients.consolidation.ReceiveParcel, request)).fulfilment
    with telemetry.about_order(done.order_id):
        return FulfilmentView.model_validate(fulfilment_values(done))
