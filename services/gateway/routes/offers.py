"""Work that several points are offered at once: who was asked, who won, and what a person gives away."""

from typing import Annotated

from fastapi import Query

from kit import telemetry
from oms.orders.v1 import offers_service_pb2 as offers
from services.gateway import access, claims
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.reading import fulfilment_values
from services.gateway.routes.common import FulfilmentId, OptionalKey, new_act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.offers import Assignment, OfferFilters, OfferView
from services.gateway.schemas.work import FulfilmentView
from services.gateway.wire import message, plain

offers_router = router("offers")


@offers_router.get("/offers")
async def list_offers(
    filters: Annotated[OfferFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[OfferView]:
    """List offers, newest first: whom work was offered to, who answered, how fast and what."""
    access.check_all_brands(caller)
    values = {
        "point_ids": filters.point_id,
        "states": filters.status,
        "order_id": filters.order_id or "",
        "fulfilment_id": filters.fulfilment_id or "",
        "page": filters.page,
    }
    found = await clients.read(clients.offers.ListOffers, message(offers.ListOffersRequest, values))
    return Page(items=[_view(one) for one in found.offers], next_cursor=found.page.next_cursor or None)


@offers_router.post("/fulfilments/{fulfilment_id}/assign")
async def assign(
    fulfilment_id: FulfilmentId,
    body: Assignment,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Give work that no point took to one of them. 409 NOT_UNCLAIMED when it does not wait for that."""
    request = offers.AssignWorkRequest(
        request_id=new_act_id(f"assign/{fulfilment_id}", caller, key),
        fulfilment_id=fulfilment_id,
        point_id=body.point_id,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.ASSIGNING),
    )
    answer = await clients.act(clients.offers.AssignWork, request)
    with telemetry.about_order(answer.fulfilment.order_id):
        work = answer.fulfilment
        if answer.HasField("claim"):
            work = await claims.settle(clients, answer.claim)
        return FulfilmentView.model_validate(fulfilment_values(work))


def _view(offer: offers.Offer) -> OfferView:
    values = plain(offer)
    return OfferView.model_validate(
        values | {"status": values["state"], "reason": offer.reason or None, "actor": offer.actor or None}
    )
