"""Lockers at stores: compartments that are booked and emptied, and what their banks post (SPEC PRM-7)."""

from typing import Annotated

from fastapi import Header, Request

from kit import telemetry
from oms.orders.v1 import locker_service_pb2 as lockers
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access, reading
from services.gateway.auth import Role
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import FulfilmentId, OptionalKey, PointId, new_act_id, router
from services.gateway.schemas.lockers import LockerEventsTaken, TakenOut
from services.gateway.schemas.work import FulfilmentView
from services.gateway.wire import message, plain

lockers_router = router("lockers")

_NOBODY_ELSE: frozenset[Role] = frozenset()
_EVENT = {"reference": "ful_01hx", "code": "OPENED", "occurred_at": "2026-11-20T19:42:00Z"}
_ANY_BODY = {
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


@lockers_router.post("/fulfilments/{fulfilment_id}/compartment")
async def book(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Book a compartment for picked work; `ready` then says that it lies in it. Asked again, it is the same one.

    Where none is free `locker.full_at` says so: put it aside at the counter.
    409 NOT_FOR_LOCKER, NO_LOCKER_BANK, NOT_PICKED, NOT_CAPTURED, CANCELLED; 503 LOCKER_AWAY.
    """
    values = {
        "request_id": new_act_id(f"compartment/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "actor": caller.subject,
        "reach": plain(access.reach(caller, fulfilment_id, _NOBODY_ELSE)),
    }
    request = message(lockers.BookCompartmentRequest, values)
    return _view((await clients.act(clients.lockers.BookCompartment, request)).fulfilment)


@lockers_router.post("/fulfilments/{fulfilment_id}/take-out")
async def take_out(
    fulfilment_id: FulfilmentId, body: TakenOut, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Take it out of its compartment, to wait at the counter with the same code.

    It is `delivered` where its customer was there first. 409 NOT_IN_LOCKER; 503 LOCKER_AWAY.
    """
    values = {
        "request_id": new_act_id(f"take-out/{fulfilment_id}", caller, key),
        "fulfilment_id": fulfilment_id,
        "shelf": body.shelf,
        "actor": caller.subject,
        "reach": plain(access.reach(caller, fulfilment_id, _NOBODY_ELSE)),
    }
    request = message(lockers.TakeOutRequest, values)
    return _view((await clients.act(clients.lockers.TakeOut, request)).fulfilment)


@lockers_router.post("/lockers/{point_id}/events", openapi_extra=_ANY_BODY)
async def locker_events(
    point_id: PointId,
    request: Request,
    clients: ClientsAre,
    signature: Annotated[str, Header(alias="Locker-Signature", max_length=2_000)] = "",
) -> LockerEventsTaken:
    """Take what the lockers of a point post in their own format, proven by their signature; no bearer token."""
    answer = await clients.act(
        clients.lockers.ReceiveLockerEvents,
        lockers.ReceiveLockerEventsRequest(point_id=point_id, payload=await request.body(), signature=signature),
    )
    return LockerEventsTaken(taken=answer.taken, duplicates=answer.duplicates)


def _view(fulfilment: orders.Fulfilment) -> FulfilmentView:
    # The caller named a fulfilment; only the answer tells which order the act was about.
    with telemetry.about_order(fulfilment.order_id):
        return FulfilmentView.model_validate(reading.fulfilment_values(fulfilment))
