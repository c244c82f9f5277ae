"""Starts the orders process: its wiring, and the only reader of its environment."""

import asyncio

import grpc
import uvloop

from kit import db, rpc, telemetry, times
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from oms.orders.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from oms.orders.v1.orders_service_pb2_grpc import add_OrdersServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.orders.holding import Holding
from services.orders.invoicing import Documents
from services.orders.invoicing_rpc import DocumentRpc
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService

_SWEEP_SECONDS = 5
_LET_GO_SECONDS = 1
# Between two looks while there is something to let go.
_WAVE_SECONDS = 0.05
_SWEEP_BATCH = 100


async def main() -> None:
    settings = ServiceSettings()
    telemetry.start("orders")
    engine = db.connect(settings.database_url)
    bell = Bell()
    service = OrdersService(engine, bell)
    refunds = Refunds(engine, bell)
    holding = Holding(engine, bell)

    def register(server: grpc.aio.Server) -> None:
        add_OrdersServiceServicer_to_server(OrdersRpc(service, refunds, holding), server)
        add_DocumentServiceServicer_to_server(DocumentRpc(Documents(engine)), server)
        add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, "/orders"), server)

    async def sweep() -> None:
        await rpc.periodically("watch_promises", _SWEEP_SECONDS, watch)

    async def let_go() -> None:
        await rpc.periodically("lapse_holds", _LET_GO_SECONDS, lapse)

    async def lapse() -> None:
        # What it waits for happens in other processes.
        while await holding.lapse_holds(times.now(), _SWEEP_BATCH):  # noqa: ASYNC110
            await asyncio.sleep(_WAVE_SECONDS)

    async def watch() -> None:
        while await service.watch_promises(times.now(), _SWEEP_BATCH) == _SWEEP_BATCH:
            pass

    try:
        await rpc.serve(settings.listen, register, background=[sweep, let_go])
    finally:
        await engine.dispose()


if __name__ == "__main__":
    uvloop.run(main())
