"""An error raised in a service is the same error in its client."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from psycopg.errors import DiskFull, LockNotAvailable
from sqlalchemy.exc import OperationalError

from kit import rpc
from kit.errors import Conflict, FailedPrecondition, Internal, InvalidArgument, NotFound, OmsError, Unavailable
from oms.outbox.v1 import outbox_service_pb2 as pb
from oms.outbox.v1.outbox_service_pb2_grpc import (
    OutboxServiceServicer,
    OutboxServiceStub,
    add_OutboxServiceServicer_to_server,
)

if TYPE_CHECKING:
    from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceAsyncStub

Served = tuple["_Raises", "OutboxServiceAsyncStub"]


class _Raises(OutboxServiceServicer):
    def __init__(self) -> None:
        self.error: Exception = RuntimeError()
        self.gives_up_with: grpc.StatusCode | None = None

    async def PullEvents(
        self, request: pb.PullEventsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.PullEventsResponse:
        if self.gives_up_with:
            await context.abort(self.gives_up_with)
        raise self.error

    async def CountEvents(self, request: pb.CountEventsRequest, context: object) -> pb.CountEventsResponse:
        raise self.error


@pytest.fixture
async def service() -> AsyncIterator[Served]:
    servicer = _Raises()
    server = rpc.build_server()
    add_OutboxServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        yield servicer, OutboxServiceStub(channel)
    await server.stop(0)


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("lines[2].quantity", "must be at least 1"),
        NotFound("ORDER_NOT_FOUND", "no such order", order_id="ord_1"),
        Conflict("IDEMPOTENCY_CONFLICT", "used before", field="total"),
        FailedPrecondition("TOO_LATE_TO_CANCEL", "handed over é ü", parcels=2),
        Unavailable("PROVIDER_DOWN", "ask again"),
    ],
)
async def test_reason_detail_and_facts_cross_the_wire(service: Served, error: OmsError) -> None:
    servicer, stub = service
    servicer.error = error
    with pytest.raises(type(error)) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert (caught.value.reason, caught.value.detail) == (error.reason, error.detail)
    assert caught.value.facts == {name: str(value) for name, value in error.facts.items()}
    assert caught.value.retryable == error.retryable


async def test_a_defect_tells_the_caller_nothing_but_that_it_is_one(
    service: Served,
) -> None:
    servicer, stub = service
    servicer.error = RuntimeError("select * from secret")
    with pytest.raises(Internal) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert "secret" not in str(caught.value)


async def test_a_database_that_is_away_can_be_asked_again(service: Served) -> None:
    servicer, stub = service
    servicer.error = OperationalError("select", {}, Exception("connection refused"))
    with pytest.raises(Unavailable) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_a_row_that_somebody_holds_for_too_long_can_be_asked_for_again(service: Served) -> None:
    servicer, stub = service
    servicer.error = OperationalError("select", {}, LockNotAvailable("canceling statement due to lock timeout"))
    with pytest.raises(Unavailable) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert (caught.value.reason, caught.value.retryable) == ("HELD_ELSEWHERE", True)


async def test_a_disk_that_is_full_is_called_by_its_name(service: Served) -> None:
    servicer, stub = service
    servicer.error = OperationalError("insert", {}, DiskFull("could not extend file: No space left on device"))
    with pytest.raises(Unavailable) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert caught.value.reason == "STORAGE_FULL"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_peer_that_gives_a_call_up_is_unavailable(service: Served, code: grpc.StatusCode) -> None:
    servicer, stub = service
    servicer.gives_up_with = code
    with pytest.raises(Unavailable) as caught:
        await stub.PullEvents(pb.PullEventsRequest())
    assert (caught.value.reason, caught.value.retryable) == ("UNREACHABLE", True)


async def test_a_peer_that_is_away_is_unavailable() -> None:
    async with rpc.connect("127.0.0.1:1") as channel:
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(OutboxServiceStub(channel).PullEvents(pb.PullEventsRequest()), 10)
    assert caught.value.retryable


@pytest.mark.parametrize("taken", [0, 1, 40])
async def test_an_upload_that_is_refused_is_told_why_and_goes_no_further(taken: int) -> None:
    sent = 0

    async def refuse(parts: AsyncIterator[bytes], context: object) -> bytes:
        for _ in range(taken):
            await anext(parts)
        raise InvalidArgument("header.brand", "no such brand")

    async def upload() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(20_000):
            yield b"x" * 10_000
            sent += 1

    server = rpc.build_server()
    handlers = {"Upload": grpc.stream_unary_rpc_method_handler(refuse, bytes, bytes)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Files", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        method = channel.stream_unary("/tests.Files/Upload", bytes, bytes)
        for _ in range(60):
            sent = 0
            with pytest.raises(InvalidArgument, match="no such brand"):
                await method(upload())
            assert sent < 10_000
    await server.stop(0)
