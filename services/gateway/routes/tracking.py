"""Parcels on their way: what carriers post in their own format, and what is decided about lost ones."""

from typing import Annotated, Any

from fastapi import Header, Request

from kit import telemetry
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import tracking_service_pb2 as tracking
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.reading import fulfilment_values
from services.gateway.routes.common import CarrierId, FulfilmentId, OptionalKey, act_id, new_act_id, router
from services.gateway.schemas.tracking import CarrierEventsTaken
from services.gateway.schemas.work import FulfilmentView, LostParcelDecision, ParcelLost

tracking_router = router("parcels")

_EVENT = {
    "id": "evt_1",
    "tracking_code": "6A12345678901",
    "code": "DELIVERED",
    "occurred_at": "2026-03-04T10:12:00Z",
    "photo": "pod-871",
}
_ANY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {"events": {"value": {"events": [_EVENT]}}},
            }
        },
    }
}


@tracking_router.post("/carriers/{carrier_id}/events", openapi_extra=_ANY_BODY)
async def carrier_events(
    carrier_id: CarrierId,
    request: Request,
    clients: ClientsAre,
    signature: Annotated[str, Header(alias="Carrier-Signature", max_length=2_000)] = "",
) -> CarrierEventsTaken:
    """Take events that a carrier posts in its own format, proven by its signature; no bearer token.

    404 PARCEL_NOT_FOUND when one is of a parcel that is not known (yet): the carrier posts it again.
    """
    answer = await clients.act(
        clients.tracking.ReceiveCarrierEvents,
        tracking.ReceiveCarrierEventsRequest(
            carrier_id=carrier_id, payload=await request.body(), signature=signature
        ),
    )
    return CarrierEventsTaken(taken=answer.taken, duplicates=answer.duplicates)


@tracking_router.post("/fulfilments/{fulfilment_id}/declare-lost")
async def declare_lost(
    fulfilment_id: FulfilmentId,
    body: ParcelLost,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Declare a parcel on its way lost or damaged. 409 NOT_ON_ITS_WAY for any other."""
    request = tracking.DeclareParcelLostRequest(
        # A parcel that was found may be lost again, and be declared so in the same words.
        request_id=new_act_id(f"declare-lost/{fulfilment_id}", caller, key),
        fulfilment_id=fulfilment_id,
        cause=body.cause,
        reason=body.reason,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.SERVICE),
    )
    return _done((await clients.act(clients.tracking.DeclareParcelLost, request)).fulfilment)


@tracking_router.post("/fulfilments/{fulfilment_id}/decide")
async def decide(
    fulfilment_id: FulfilmentId,
    body: LostParcelDecision,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Send the units of a lost parcel again, or refund them. 409 ALREADY_DECIDED, NOT_LOST, UNITS_REFUNDED."""
    request = tracking.DecideLostParcelRequest(
        request_id=act_id("decide", fulfilment_id, caller, body, key),
        fulfilment_id=fulfilment_id,
        decision=body.decision,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.SERVICE),
    )
    return _done((await clients.act(clients.tracking.DecideLostParcel, request)).fulfilment)


def _done(fulfilment: orders.Fulfilment) -> FulfilmentView:
    # The caller named a fulfilment; only the answer tells which order the act was about.
    with telemetry.about_order(fulfilment.order_id):
        return FulfilmentView.model_validate(fulfilment_values(fulfilment))
