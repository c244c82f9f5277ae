"""The process itself dies where it matters: what was sent and not written is sent again, and prepared once."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from oms.handover.v1 import handover_service_pb2 as pb
from oms.handover.v1.handover_service_pb2_grpc import HandoverServiceStub
from oms.outbox.v1.outbox_service_pb2 import PullEventsRequest
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from services.orders.domain.capture import Outcome
from tests.conftest import MakeDatabase
from tests.processes import running
from tests.services.handover.world import POINT, WMS, Shop, eventually, serving_orders
from tests.simulators.warehouse import API_KEY, WEBHOOK_SECRET
from tests.simulators.warehouse import running as running_warehouse

# In the order of the work: the event is taken in, the hand-over claimed, the order sent and not yet written.
POINTS = ("follow.before_commit", "claim.before_commit", "advance.before_commit")


async def one_life(environment: dict[str, str]) -> int:
    """Starts the process, which need not live to be ready; how it ends."""
    command = (sys.executable, "-m", "services.handover")
    told = {**os.environ, **environment, "PYTHONPATH": "protos/gen"}
    process = await asyncio.create_subprocess_exec(*command, env=told, cwd=Path(__file__).parents[3])
    return await asyncio.wait_for(process.wait(), 60)


async def test_it_dies_at_each_boundary_and_the_order_is_prepared_once(
    make_database: MakeDatabase,
    orders_db: AsyncEngine,
    handover_db: AsyncEngine,
    tmp_path: Path,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    async with serving_orders(orders_db) as (orders, orders_address):
        with running_warehouse(tmp_path, pace_seconds=0.02) as warehouse:
            connection = {
                "kind": "warehouse",
                "url": warehouse.url,
                "api_key": API_KEY,
                "webhook_secret": WEBHOOK_SECRET,
            }
            environment = {
                "OMS_DATABASE_URL": make_database("handover").url,
                "OMS_ORDERS_ADDRESS": orders_address,
                "OMS_HANDOVER_CONNECTIONS": json.dumps({WMS: connection}),
                "OMS_HANDOVER_POLL_SECONDS": "0.2",
                "OMS_FAILPOINTS": str(failpoints),
            }
            address = f"127.0.0.1:{unused_tcp_port_factory()}"
            async with (
                running("services.handover", address, environment) as first,
                rpc.connect(address) as channel,
            ):
                system = pb.System(system_id=WMS, name="WMS", point_ids=[POINT], enabled=True)
                put = pb.PutSystemsRequest(systems=[system], actor="anna")
                stub = HandoverServiceStub(channel)
                assert (await stub.PutSystems(put)).changed == 1
                for point in POINTS:
                    (failpoints / point).touch()
                shop = Shop(orders=orders)
                await shop.open_shop()
                work = await shop.offer(2)
                assert await asyncio.wait_for(first.wait(), 20) == -signal.SIGKILL
            for _ in POINTS[1:]:
                assert await one_life({**environment, "OMS_LISTEN": address}) == -signal.SIGKILL
            assert len(warehouse.preparations()) == 1, "it was sent, and nobody wrote that down"
            async with running("services.handover", address, environment) as last, rpc.connect(address) as channel:

                async def packed() -> bool:
                    return await shop.state(work) == "packed"

                await eventually(packed, seconds=60)
                await orders.record_capture(shop.asked(), work, Outcome("captured", "", "", times.now()))

                async def shipped() -> bool:
                    request = pb.GetHandoverRequest(fulfilment_id=work)
                    found = (await HandoverServiceStub(channel).GetHandover(request)).handover
                    return found.state == pb.HANDOVER_STATE_SHIPPED

                await eventually(shipped, seconds=60)
                assert await shop.state(work) == "handed_over"
                assert len(warehouse.preparations()) == 1
                told = await OutboxServiceStub(channel).PullEvents(PullEventsRequest())
                assert not [one for one in told.events if not one.type.startswith("oms.handover.")]
                last.terminate()
                assert await asyncio.wait_for(last.wait(), 10) == 0
