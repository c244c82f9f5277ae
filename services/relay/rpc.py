"""RelayService over gRPC: translates, nothing else."""

import asyncio
from collections.abc import Sequence

from google.protobuf.message import Message

from kit.errors import OmsError
from kit.times import field_or_none, now, to_proto
from oms.outbox.v1 import outbox_service_pb2 as outbox
from oms.relay.v1 import relay_service_pb2 as pb
from oms.relay.v1.relay_service_pb2_grpc import RelayServiceServicer
from oms.type.v1 import type_pb2 as types
from services.relay.domain import Delivery, Endpoint
from services.relay.following import Source
from services.relay.service import RelayService
from services.relay.store import Cursor

_COUNT_SECONDS = 3.0


class RelayRpc(RelayServiceServicer):
    """The servicer."""

    def __init__(self, service: RelayService, sources: Sequence[Source] = ()) -> None:
        self._service = service
        self._sources = sources

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

    async def GetBacklog(self, request: pb.GetBacklogRequest, context: object) -> pb.GetBacklogResponse:
        backlogs = [
            pb.Backlog(
                way=f"webhooks to {one.endpoint_id}",
                waiting=one.deliveries,
                oldest_at=to_proto(one.oldest_at) if one.oldest_at else None,
            )
            for one in await self._service.list_waiting()
        ]
        sources = {source.name: source for source in self._sources}
        cursors = [cursor for cursor in await self._service.list_cursors() if cursor.source in sources]
        backlogs += await asyncio.gather(*(_events(sources[cursor.source], cursor) for cursor in cursors))
        return pb.GetBacklogResponse(backlogs=backlogs)


async def _events(source: Source, cursor: Cursor) -> pb.Backlog:
    way = f"{cursor.consumer} of {cursor.source}"
    asked = outbox.CountEventsRequest(after_sequence=cursor.sequence)
    try:
        found = await source.stub.CountEvents(asked, timeout=_COUNT_SECONDS)
    except OmsError:
        return pb.Backlog(way=way, unreachable=True)
    oldest_at = found.oldest_at if found.HasField("oldest_at") else None
    return pb.Backlog(way=way, waiting=found.waiting, oldest_at=oldest_at)


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
