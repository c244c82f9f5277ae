"""The inventory process: wiring only."""

from datetime import timedelta

import grpc
import uvloop
from pydantic import Field

from kit import db, rpc, telemetry, times
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from oms.inventory.v1.basket_service_pb2_grpc import add_BasketServiceServicer_to_server
from oms.inventory.v1.image_service_pb2_grpc import add_ImageServiceServicer_to_server
from oms.inventory.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from oms.inventory.v1.inventory_service_pb2_grpc import add_InventoryServiceServicer_to_server
from oms.inventory.v1.merchandising_service_pb2_grpc import add_MerchandisingServiceServicer_to_server
from oms.inventory.v1.pause_service_pb2_grpc import add_PauseServiceServicer_to_server
from oms.inventory.v1.shelf_service_pb2_grpc import add_ShelfServiceServicer_to_server
from oms.inventory.v1.supply_service_pb2_grpc import add_SupplyServiceServicer_to_server
from oms.inventory.v1.transfer_service_pb2_grpc import add_TransferServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.inventory.baskets import Baskets
from services.inventory.baskets_rpc import BasketRpc
from services.inventory.business_days import BusinessDays
from services.inventory.counting import Counting
from services.inventory.domain.business_day import WriteOffRules
from services.inventory.domain.declarations import Reason
from services.inventory.future import FutureService
from services.inventory.image_memory import ImageMemory
from services.inventory.images import Images
from services.inventory.images_rpc import ImageRpc
from services.inventory.importing import ImportRunner
from services.inventory.imports import ImportService
from services.inventory.imports_rpc import ImportRpc
from services.inventory.lanes import Lanes
from services.inventory.merchandising import Merchandising
from services.inventory.merchandising_rpc import MerchandisingRpc
from services.inventory.pauses import BATCH, Pausing
from services.inventory.pauses_rpc import PauseRpc
from services.inventory.projecting import Projector
from services.inventory.rpc import InventoryRpc
from services.inventory.service import InventoryService
from services.inventory.shelf import Shelf
from services.inventory.shelf_rpc import ShelfRpc
from services.inventory.supply import SupplyService
from services.inventory.supply_rpc import SupplyRpc
from services.inventory.transfers import Transfers
from services.inventory.transfers_rpc import TransferRpc
from services.inventory.watch import StockWatch

EXPIRY_SECONDS = 1.0
EXPIRY_BATCH = 200
# A change is to be seen on every channel within a second (SPEC STK-12): one by the clock, too.
TURN_SECONDS = 0.5
# Changes that come together are projected together, and told together to whoever has a webhook.
GATHER_SECONDS = 0.1
TELL_SECONDS = 0.5
FOLLOW_SECONDS = 0.02
UPKEEP_SECONDS = 60.0
IMPORT_SECONDS = 0.5
UPLOAD_LIFE = timedelta(days=1)


class InventorySettings(ServiceSettings):
    """Which declarations the end of a day writes off, and how many hours after midnight at the point."""

    write_off_reasons: frozenset[Reason] = WriteOffRules().reasons
    write_off_hours_after_midnight: int = Field(default=2, ge=0, le=23)


async def main() -> None:
    """Serves until it is told to stop."""
    settings = InventorySettings()
    telemetry.start("inventory")
    engine = db.connect(settings.database_url)
    bell, image_bell = Bell(), Bell()
    service = InventoryService(engine, bell)
    pausing = Pausing(engine, bell)
    rules = WriteOffRules(settings.write_off_reasons, settings.write_off_hours_after_midnight)
    days = BusinessDays(engine, bell, rules)

    supply, future = SupplyService(engine, bell), FutureService(engine, bell)
    imports = ImportService(engine)
    projector, memory = Projector(engine, bell, image_bell), ImageMemory(engine, image_bell)

    async def expire() -> None:
        while len(await service.expire_reservations(times.now(), EXPIRY_BATCH)) == EXPIRY_BATCH:
            pass
        while len(await future.expire(times.now(), EXPIRY_BATCH)) == EXPIRY_BATCH:
            pass

    async def tell_overdue() -> None:
        while len(await supply.tell_overdue(times.now(), EXPIRY_BATCH)) == EXPIRY_BATCH:
            pass

    async def tell_turns() -> None:
        await service.tell_turns(times.now())
        while await pausing.tell(times.now()) == BATCH:
            pass

    async def close_ended_days() -> None:
        await days.close_ended(times.now())

    async def forget_uploads() -> None:
        await imports.forget_orphans(times.now() - UPLOAD_LIFE)

    def register(server: grpc.aio.Server) -> None:
        add_InventoryServiceServicer_to_server(InventoryRpc(service, StockWatch(engine, bell)), server)
        add_TransferServiceServicer_to_server(TransferRpc(Lanes(engine), Transfers(engine, bell)), server)
        add_BasketServiceServicer_to_server(BasketRpc(Baskets(engine, bell), service), server)
        add_PauseServiceServicer_to_server(PauseRpc(pausing), server)
        add_ShelfServiceServicer_to_server(ShelfRpc(Shelf(engine, bell), days, Counting(engine, bell)), server)
        add_SupplyServiceServicer_to_server(SupplyRpc(supply, future), server)
        add_ImportServiceServicer_to_server(ImportRpc(imports), server)
        add_ImageServiceServicer_to_server(ImageRpc(Images(engine, image_bell, memory)), server)
        add_MerchandisingServiceServicer_to_server(MerchandisingRpc(Merchandising(engine)), server)
        add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, "/inventory"), server)

    await rpc.serve(
        settings.listen,
        register,
        background=[
            lambda: rpc.periodically("expire_reservations", EXPIRY_SECONDS, expire),
            lambda: rpc.periodically("tell_turns", TURN_SECONDS, tell_turns),
            lambda: rpc.periodically("project_images", GATHER_SECONDS, projector.run),
            lambda: rpc.periodically("follow_images", FOLLOW_SECONDS, memory.run),
            lambda: rpc.periodically("tell_images", TELL_SECONDS, projector.tell),
            lambda: rpc.periodically("close_ended_days", UPKEEP_SECONDS, close_ended_days),
            lambda: rpc.periodically("tell_overdue", UPKEEP_SECONDS, tell_overdue),
            lambda: rpc.periodically("forget_old_marks", UPKEEP_SECONDS, service.forget_old_marks),
            lambda: rpc.periodically("run_imports", IMPORT_SECONDS, ImportRunner(engine, bell).run),
            lambda: rpc.periodically("forget_uploads", UPKEEP_SECONDS, forget_uploads),
        ],
    )
    await engine.dispose()


if __name__ == "__main__":
    uvloop.run(main())
