"""A service that restarts: what reads of the gateway make of it, over real connections."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client

from deploy.local.process import free_port
from kit import rpc
from kit.errors import Unavailable
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceServicer, add_OrdersServiceServicer_to_server
from services.gateway.clients import Addresses, Clients

ASKED = orders.ListWorkMarksRequest(point_ids=["store-lyon"])


class Marks(OrdersServiceServicer):
    async def ListWorkMarks(self, request: Any, context: Any) -> orders.ListWorkMarksResponse:
        return orders.ListWorkMarksResponse(marks={"store-lyon": "m"})


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def clients(port: int, temporal_client: Client) -> AsyncIterator[Clients]:
    """Of a gateway whose services are all at an address where nobody listens."""
    made = Clients(Addresses(*[f"127.0.0.1:{port}"] * len(Addresses.__dataclass_fields__)), temporal_client)
    yield made
    await made.close()


async def test_a_read_finds_a_service_again_that_has_just_come_back(clients: Clients, port: int) -> None:
    with pytest.raises(Unavailable):
        await clients.act(clients.orders.ListWorkMarks, ASKED)
    server = rpc.build_server()
    add_OrdersServiceServicer_to_server(Marks(), server)  # type: ignore[abstract]
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    # Its connection still keeps away from the address that refused it.
    assert (await clients.read(clients.orders.ListWorkMarks, ASKED)).marks["store-lyon"] == "m"
    await server.stop(None)


async def test_a_read_of_a_service_that_stays_away_says_so(clients: Clients) -> None:
    with pytest.raises(Unavailable, match="UNREACHABLE"):
        await clients.read(clients.orders.ListWorkMarks, ASKED)
