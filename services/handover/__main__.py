"""Starts the hand-over process: its wiring, and the only reader of its environment."""

from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import uvloop
from pydantic import Field

from kit import db, rpc, telemetry
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from oms.handover.v1.handover_service_pb2_grpc import add_HandoverServiceServicer_to_server
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub, add_OutboxServiceServicer_to_server
from services.handover.advancing import Advancer
from services.handover.following import Follower
from services.handover.orders import Orders
from services.handover.rpc import HandoverRpc
from services.handover.service import HandoverService
from services.handover.systems import Connection
from services.handover.systems.connecting import connect


class HandoverSettings(ServiceSettings):
    """`handover_connections`: where each system answers and its secrets, by its id, as a JSON object."""

    orders_address: str
    handover_connections: dict[str, Connection] = Field(default_factory=dict)
    handover_poll_seconds: float = 300.0


async def main() -> None:
    """Serves until it is told to stop."""
    settings = HandoverSettings.model_validate({})
    telemetry.start("handover")
    async with AsyncExitStack() as stack:
        engine = db.connect(settings.database_url)
        stack.push_async_callback(engine.dispose)
        channel = await stack.enter_async_context(rpc.connect(settings.orders_address))
        systems = connect(settings.handover_connections)
        for one in systems.values():
            stack.push_async_callback(one.close)
        bell, told = Bell(look_again_seconds=1.0), Bell()
        advancer = Advancer(
            engine,
            Orders(OrdersServiceStub(channel)),
            systems,
            bell,
            poll_every=timedelta(seconds=settings.handover_poll_seconds),
        )
        follower = Follower(engine, OutboxServiceStub(channel), bell)

        def register(server: grpc.aio.Server) -> None:
            add_HandoverServiceServicer_to_server(HandoverRpc(HandoverService(engine, systems, bell)), server)
            add_OutboxServiceServicer_to_server(OutboxRpc(engine, told, "/handover"), server)

        await rpc.serve(settings.listen, register, background=[advancer.run, follower.run])


if __name__ == "__main__":
    uvloop.run(main())
