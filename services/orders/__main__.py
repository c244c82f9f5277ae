"""Starts the orders process: its wiring, and the only reader of its environment."""

import grpc
import uvloop

from kit import db, rpc, telemetry
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from oms.orders.v1.orders_service_pb2_grpc import add_OrdersServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService


async def main() -> None:
    settings = ServiceSettings()
    telemetry.start("orders")
    engine = db.connect(settings.database_url)
    bell = Bell()

    def register(server: grpc.aio.Server) -> None:
        add_OrdersServiceServicer_to_server(OrdersRpc(OrdersService(engine, bell)), server)
        add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, "/orders"), server)

    try:
        await rpc.serve(settings.listen, register)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    uvloop.run(main())
