"""RelayService over real gRPC."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, OmsError
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.relay.v1 import relay_service_pb2 as pb
from oms.relay.v1.relay_service_pb2_grpc import RelayServiceStub, add_RelayServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.relay.following import Source
from services.relay.rpc import RelayRpc
from services.relay.service import RelayService
from services.relay.webhooks import Webhooks
from tests.services.relay.builders import endpoint, event, queue, register
from tests.services.relay.conftest import FakeOrders

if TYPE_CHECKING:
    from oms.relay.v1.relay_service_pb2_grpc import RelayServiceAsyncStub

URL = "https://example.com/hook"


@pytest.fixture
async def stub(service: RelayService, orders: FakeOrders) -> AsyncIterator["RelayServiceAsyncStub"]:
    server = grpc.aio.server(interceptors=[rpc._AnswerErrors()])
    add_RelayServiceServicer_to_server(RelayRpc(service, [orders.source]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        yield RelayServiceStub(channel)
    await server.stop(0)


def create(request_id: str = "req_1", **changes: Any) -> pb.CreateEndpointRequest:
    return pb.CreateEndpointRequest(**{"request_id": request_id, "url": URL, **changes})


async def test_an_endpoint_is_created_listed_without_its_secret_and_deleted(
    stub: "RelayServiceAsyncStub",
) -> None:
    created = await stub.CreateEndpoint(create(event_types=["oms.orders.*"], channel_ids=["web-fr"]))
    assert created.secret.startswith("whsec_")
    assert created.endpoint.enabled
    listed = await stub.ListEndpoints(pb.ListEndpointsRequest())
    assert list(listed.endpoints) == [created.endpoint]
    assert created.secret not in str(listed)
    await stub.DeleteEndpoint(pb.DeleteEndpointRequest(endpoint_id=created.endpoint.endpoint_id))
    assert not (await stub.ListEndpoints(pb.ListEndpointsRequest())).endpoints
    with pytest.raises(NotFound) as caught:
        await stub.DeleteEndpoint(pb.DeleteEndpointRequest(endpoint_id=created.endpoint.endpoint_id))
    assert caught.value.reason == "ENDPOINT_NOT_FOUND"


async def test_a_repeated_creation_gives_the_first_answer_and_the_secret_is_kept_once(
    stub: "RelayServiceAsyncStub", relay_db: AsyncEngine
) -> None:
    first = await stub.CreateEndpoint(create())
    assert await stub.CreateEndpoint(create()) == first
    async with relay_db.begin() as tx:
        kept = await tx.execute(text("SELECT answer::text FROM request"))
        assert "whsec" not in kept.scalar_one()
    with pytest.raises(Conflict) as caught:
        await stub.CreateEndpoint(create(url=URL + "/other"))
    assert caught.value.reason == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (create(url="example.com"), "url"),
        (create(event_types=["ok.*", "not ok"]), "event_types[1]"),
        (create(channel_ids=[""]), "channel_ids[0]"),
        (create(request_id=""), "request_id"),
    ],
)
async def test_a_wrong_endpoint_is_refused_by_field(
    request_: pb.CreateEndpointRequest, field: str, stub: "RelayServiceAsyncStub"
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await stub.CreateEndpoint(request_)
    assert caught.value.facts["field"] == field


async def test_the_log_is_read_page_by_page_newest_first(
    stub: "RelayServiceAsyncStub", relay_db: AsyncEngine, webhooks: Webhooks
) -> None:
    await register(relay_db, endpoint(URL))
    await queue(relay_db, webhooks, *(event(n, f"ord_{n % 2}") for n in range(1, 6)))
    seen, cursor = [], ""
    while True:
        page = await stub.ListDeliveries(pb.ListDeliveriesRequest(page=types.PageRequest(size=2, cursor=cursor)))
        seen += [each.event_id for each in page.deliveries]
        if not (cursor := page.page.next_cursor):
            break
    assert seen == ["evt_5", "evt_4", "evt_3", "evt_2", "evt_1"]


async def test_the_log_is_filtered(
    stub: "RelayServiceAsyncStub", relay_db: AsyncEngine, webhooks: Webhooks
) -> None:
    await register(relay_db, endpoint(URL), endpoint(URL, endpoint_id="whk_2", event_types=["no.*"]))
    await queue(relay_db, webhooks, *(event(n, f"ord_{n % 2}") for n in range(1, 6)))

    async def ids(**filters: str) -> list[str]:
        request = pb.ListDeliveriesRequest()
        for name, value in filters.items():
            setattr(request, name, value)
        answer = await stub.ListDeliveries(request)
        return [each.event_id for each in answer.deliveries]

    assert await ids(order_id="ord_0") == ["evt_4", "evt_2"]
    assert await ids(endpoint_id="whk_2") == []
    assert await ids(state="delivered") == []
    assert len(await ids(endpoint_id="whk_1", state="pending")) == 5


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"state": "lost"}, "state"),
        ({"order_id": "ord_\x00"}, "order_id"),
        ({"endpoint_id": "w" * 201}, "endpoint_id"),
        ({"page": types.PageRequest(size=501)}, "page.size"),
        ({"page": types.PageRequest(size=-1)}, "page.size"),
        ({"page": types.PageRequest(cursor="é")}, "page.cursor"),
        ({"page": types.PageRequest(cursor="bm8=")}, "page.cursor"),
        ({"page": types.PageRequest(cursor="OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5")}, "page.cursor"),
    ],
)
async def test_a_wrong_filter_is_refused_by_field(
    filters: dict[str, Any], field: str, stub: "RelayServiceAsyncStub"
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await stub.ListDeliveries(pb.ListDeliveriesRequest(**filters))
    assert caught.value.facts["field"] == field


async def test_a_replay_counts_what_it_queued_and_repeats_its_answer(
    stub: "RelayServiceAsyncStub", relay_db: AsyncEngine, webhooks: Webhooks
) -> None:
    await register(relay_db, endpoint(URL))
    await queue(relay_db, webhooks, event(1), event(2))
    request = pb.ReplayDeliveriesRequest(
        request_id="req_1", endpoint_id="whk_1", since=times.to_proto(times.now() - timedelta(hours=1))
    )
    assert (await stub.ReplayDeliveries(request)).queued == 2
    await queue(relay_db, webhooks, event(3))
    assert (await stub.ReplayDeliveries(request)).queued == 2


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"delivery_id": "dlv_none"}, NotFound, "DELIVERY_NOT_FOUND"),
        ({"delivery_id": "dlv_1", "endpoint_id": "whk_none"}, NotFound, "ENDPOINT_NOT_FOUND"),
        ({"delivery_id": "dlv_1", "endpoint_id": "whk_off"}, FailedPrecondition, "ENDPOINT_DISABLED"),
        ({}, InvalidArgument, "INVALID_FIELD"),
        ({"delivery_id": "dlv_1", "since": times.to_proto(times.now())}, InvalidArgument, "INVALID_FIELD"),
    ],
)
async def test_a_replay_that_cannot_be_says_why(
    changes: dict[str, Any],
    kind: type[OmsError],
    reason: str,
    stub: "RelayServiceAsyncStub",
    relay_db: AsyncEngine,
) -> None:
    await register(relay_db, endpoint(URL), endpoint(URL, endpoint_id="whk_off", enabled=False))
    request = pb.ReplayDeliveriesRequest(**{"request_id": "req_1", "endpoint_id": "whk_1", **changes})
    with pytest.raises(kind) as caught:
        await stub.ReplayDeliveries(request)
    assert caught.value.reason == reason


async def test_what_waits_is_counted_for_each_way(
    stub: "RelayServiceAsyncStub", relay_db: AsyncEngine, webhooks: Webhooks, orders: FakeOrders
) -> None:
    await register(relay_db, endpoint(URL), endpoint(URL, endpoint_id="whk_2", enabled=False))
    await queue(relay_db, webhooks, event(1), event(2))
    for _ in range(3):
        await orders.tell("oms.orders.order.validated", "order/ord_1")
    backlogs = (await stub.GetBacklog(pb.GetBacklogRequest())).backlogs
    assert [(one.way, one.waiting) for one in backlogs] == [("webhooks to whk_1", 2), ("webhooks of orders", 3)]
    assert all(one.HasField("oldest_at") for one in backlogs)


async def test_a_source_that_is_away_is_told_apart_from_one_with_nothing_to_tell(
    service: RelayService, relay_db: AsyncEngine, webhooks: Webhooks, unused_tcp_port: int
) -> None:
    await queue(relay_db, webhooks, event(1))
    async with rpc.connect(f"127.0.0.1:{unused_tcp_port}") as nowhere:
        away = RelayRpc(service, [Source("orders", OutboxServiceStub(nowhere))])
        [backlog] = (await away.GetBacklog(pb.GetBacklogRequest(), None)).backlogs
    assert (backlog.way, backlog.unreachable) == ("webhooks of orders", True)
