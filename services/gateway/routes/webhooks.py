"""Webhook endpoints, the log of their deliveries, and replay."""

from typing import Annotated, Any

from fastapi import Query, Response

from oms.relay.v1 import relay_service_pb2 as relay
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import EndpointId, OptionalKey, new_act_id, router
from services.gateway.schemas.base import Listed, Page
from services.gateway.schemas.webhooks import (
    DeliveryFilters,
    DeliveryView,
    EndpointCreated,
    EndpointRequest,
    EndpointView,
    Replay,
    Replayed,
)
from services.gateway.wire import message, plain, sent

webhooks_router = router("webhooks")


@webhooks_router.post("/webhook-endpoints", status_code=201)
async def create(
    body: EndpointRequest, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> EndpointCreated:
    """Register an endpoint. Its signing secret (Standard Webhooks) is shown this once."""
    request_id = new_act_id("webhook-endpoint", caller, key)
    answer = await clients.act(
        clients.relay.CreateEndpoint, sent(relay.CreateEndpointRequest, body, request_id=request_id)
    )
    return EndpointCreated.model_validate(_endpoint(answer.endpoint) | {"secret": answer.secret})


@webhooks_router.get("/webhook-endpoints")
async def list_endpoints(clients: ClientsAre) -> Listed[EndpointView]:
    """List the registered endpoints."""
    found = await clients.read(clients.relay.ListEndpoints, relay.ListEndpointsRequest())
    return Listed(items=[EndpointView.model_validate(_endpoint(one)) for one in found.endpoints])


@webhooks_router.delete("/webhook-endpoints/{endpoint_id}", status_code=204)
async def delete(endpoint_id: EndpointId, clients: ClientsAre) -> Response:
    """Remove an endpoint and what waits for it."""
    await clients.act(clients.relay.DeleteEndpoint, relay.DeleteEndpointRequest(endpoint_id=endpoint_id))
    return Response(status_code=204)


@webhooks_router.get("/webhook-deliveries")
async def list_deliveries(filters: Annotated[DeliveryFilters, Query()], clients: ClientsAre) -> Page[DeliveryView]:
    """List deliveries, newest first."""
    values = filters.model_dump(exclude={"cursor", "size"}) | {"page": filters.page}
    found = await clients.read(clients.relay.ListDeliveries, message(relay.ListDeliveriesRequest, values))
    return Page(
        items=[DeliveryView.model_validate(_delivery(one)) for one in found.deliveries],
        next_cursor=found.page.next_cursor or None,
    )


@webhooks_router.post("/webhook-endpoints/{endpoint_id}/replay", status_code=202)
async def replay(
    endpoint_id: EndpointId, body: Replay, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> Replayed:
    """Deliver events again: one, or all since an instant."""
    request_id = new_act_id("replay", caller, key)
    request = sent(relay.ReplayDeliveriesRequest, body, request_id=request_id, endpoint_id=endpoint_id)
    return Replayed(queued=(await clients.act(clients.relay.ReplayDeliveries, request)).queued)


def _endpoint(endpoint: relay.Endpoint) -> dict[str, Any]:
    return plain(endpoint) | {"id": endpoint.endpoint_id}


def _delivery(delivery: relay.Delivery) -> dict[str, Any]:
    return plain(delivery) | {
        "id": delivery.delivery_id,
        "order_id": delivery.order_id or None,
        "last_error": delivery.last_error or None,
        "last_status_code": delivery.last_status_code or None,
    }
