"""RelayService over gRPC: translates, nothing else."""

from google.protobuf.message import Message

from kit.times import field_or_none, now, to_proto
from oms.relay.v1 import relay_service_pb2 as pb
from oms.relay.v1.relay_service_pb2_grpc import RelayServiceServicer
from oms.type.v1 import type_pb2 as types
from services.relay.domain import Delivery, Endpoint
from services.relay.service import RelayService


class RelayRpc(RelayServiceServicer):
    """The servicer."""

    def __init__(self, service: RelayService) -> None:
        self._service = service

    async def CreateEndpoint(
        self, request: pb.CreateEndpointRequest, context: object
    ) -> pb.CreateEndpointResponse:
        endpoint, secret = await self._service.create_endpoint(
            request.request_id,
            _content(request),
            request.url,
            list(request.event_types),
            list(request.channel_ids),
            now(),
        )
        return pb.CreateEndpointResponse(endpoint=_endpoint(endpoint), secret=secret)

    async def ListEndpoints(self, request: pb.ListEndpointsRequest, context: object) -> pb.ListEndpointsResponse:
        endpoints = await self._service.list_endpoints()
        return pb.ListEndpointsResponse(endpoints=[_endpoint(each) for each in endpoints])

    async def DeleteEndpoint(
        self, request: pb.DeleteEndpointRequest, context: object
    ) -> pb.DeleteEndpointResponse:
        await self._service.delete_endpoint(request.endpoint_id)
        return pb.DeleteEndpointResponse()

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: object
    ) -> pb.ListDeliveriesResponse:
        page = await self._service.list_deliveries(
            request.endpoint_id, request.order_id, request.state, request.page.size, request.page.cursor
        )
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(each) for each in page.deliveries],
            page=types.PageInfo(next_cursor=page.next_cursor),
        )

    async def ReplayDeliveries(
        self, request: pb.ReplayDeliveriesRequest, context: object
    ) -> pb.ReplayDeliveriesResponse:
        queued = await self._service.replay(
            request.request_id,
            _content(request),
            request.endpoint_id,
            request.delivery_id,
            field_or_none(request, "since"),
            now(),
        )
        return pb.ReplayDeliveriesResponse(queued=queued)


def _content(request: Message) -> bytes:
    return request.SerializeToString(deterministic=True)


def _endpoint(endpoint: Endpoint) -> pb.Endpoint:
    return pb.Endpoint(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        channel_ids=endpoint.channel_ids,
        enabled=endpoint.enabled,
        created_at=to_proto(endpoint.created_at),
    )


def _delivery(delivery: Delivery) -> pb.Delivery:
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        order_id=delivery.order_id,
        state=delivery.state,
        attempts=delivery.attempts,
        last_status_code=delivery.last_status_code,
        last_error=delivery.last_error,
        next_attempt_at=to_proto(delivery.next_attempt_at) if delivery.state == "pending" else None,
        delivered_at=to_proto(delivery.delivered_at) if delivery.delivered_at else None,
        created_at=to_proto(delivery.created_at),
    )
