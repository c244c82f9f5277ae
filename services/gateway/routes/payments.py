"""Money: the operations that finance reads, and the events that providers post."""

from typing import Annotated, Any

from fastapi import Header, Path, Query, Request

from kit.errors import InvalidArgument
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, OrderId, act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.payments import (
    EventTaken,
    OperationFilters,
    OperationView,
    PaymentLinkView,
    SendLink,
)
from services.gateway.wire import message, plain

payments_router = router("payments")

_ANY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {"event": {"value": {"id": "evt_1", "type": "payment_intent.succeeded", "data": {}}}},
            }
        },
    }
}


@payments_router.get("/payment-operations")
async def list_operations(
    filters: Annotated[OperationFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[OperationView]:
    """List authorisations, captures, voids and refunds, newest first."""
    if access.brands_seen(caller) is not None:
        if len(filters.order_id) != 1:
            raise InvalidArgument("order_id", "a token limited to brands reads the operations of one order")
        await reading.check_visible(clients, caller, filters.order_id[0])
    values = {"filter": filters.filter, "page": filters.page}
    found = await clients.read(clients.payments.ListOperations, message(payments.ListOperationsRequest, values))
    return Page(
        items=[OperationView.model_validate(plain(one)) for one in found.operations],
        next_cursor=found.page.next_cursor or None,
    )


@payments_router.post("/orders/{order_id}/payment-links")
async def send_link(
    order_id: OrderId, body: SendLink, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PaymentLinkView:
    """Make a link by which the customer pays what was declined or has ended. 409 when nothing is to be paid."""
    await reading.check_visible(clients, caller, order_id)
    request = payments.SendPaymentLinkRequest(
        request_id=act_id("payment-link", order_id, caller, body, key),
        order_id=order_id,
        lifetime_seconds=body.hours * 3_600,
        cause="payment link",
        actor=caller.subject,
    )
    tender = plain((await clients.act(clients.payments.SendPaymentLink, request)).tender)
    return PaymentLinkView(
        order_id=order_id,
        url=tender["next_action_url"],
        amount=tender["amount"],
        expires_at=tender["authorization_expires_at"],
    )


@payments_router.post("/payment-providers/{provider}/events", openapi_extra=_ANY_BODY)
async def provider_event(
    provider: Annotated[str, Path(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")],
    request: Request,
    clients: ClientsAre,
    signature: Annotated[str, Header(alias="Stripe-Signature", max_length=2_000)] = "",
) -> EventTaken:
    """Take an event that a payment provider posts, proven by its signature; no bearer token."""
    answer = await clients.act(
        clients.payments.ReceiveProviderEvent,
        payments.ReceiveProviderEventRequest(provider=provider, payload=await request.body(), signature=signature),
    )
    return EventTaken(duplicate=answer.duplicate)
