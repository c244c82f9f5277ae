"""The inventory process: wiring only."""

import grpc
import uvloop

from kit import db, rpc, telemetry, times
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from oms.inventory.v1.inventory_service_pb2_grpc import add_InventoryServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.inventory.rpc import InventoryRpc
from services.inventory.service import InventoryService
from services.inventory.watch import StockWatch

EXPIRY_SECONDS = 1.0
EXPIRY_BATCH = 200
UPKEEP_SECONDS = 60.0


async def main() -> None:
    """Serves until it is told to stop."""
    settings = ServiceSettings()
    telemetry.start("inventory")
    engine = db.connect(settings.database_url)
    bell = Bell()
    service = InventoryService(engine, bell)

    async def expire() -> None:
        while len(await service.expire_reservations(times.now(), EXPIRY_BATCH)) == EXPIRY_BATCH:
            pass

    def register(server: grpc.aio.Server) -> None:
        add_InventoryServiceServicer_to_server(InventoryRpc(service, StockWatch(engine, bell)), server)
        add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, "/inventory"), server)

    await rpc.serve(
        settings.listen,
        register,
        background=[
            lambda: rpc.periodically("expire_reservations", EXPIRY_SECONDS, expire),
            lambda: rpc.periodically("forget_old_marks", UPKEEP_SECONDS, service.forget_old_marks),
        ],
    )
    await engine.dispose()


if __name__ == "__main__":
    uvloop.run(main())
