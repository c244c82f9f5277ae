"""The gateway and every service behind it in one process, over real sockets and on real databases.

It runs on a loop of its own in a thread, so that tests that know no event loop can send requests to it.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import httpx
import uvicorn
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, rpc, temporal
from kit.feed import Bell
from oms.booking.v1.booking_service_pb2_grpc import add_BookingServiceServicer_to_server
from oms.handover.v1.handover_service_pb2_grpc import add_HandoverServiceServicer_to_server
from oms.inventory.v1.basket_service_pb2_grpc import add_BasketServiceServicer_to_server
from oms.inventory.v1.image_service_pb2_grpc import add_ImageServiceServicer_to_server
from oms.inventory.v1.import_service_pb2_grpc import add_ImportServiceServicer_to_server
from oms.inventory.v1.inventory_service_pb2_grpc import add_InventoryServiceServicer_to_server
from oms.inventory.v1.merchandising_service_pb2_grpc import add_MerchandisingServiceServicer_to_server
from oms.inventory.v1.pause_service_pb2_grpc import add_PauseServiceServicer_to_server
from oms.inventory.v1.shelf_service_pb2_grpc import add_ShelfServiceServicer_to_server
from oms.inventory.v1.supply_service_pb2_grpc import add_SupplyServiceServicer_to_server
from oms.inventory.v1.transfer_service_pb2_grpc import add_TransferServiceServicer_to_server
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.bulk_service_pb2_grpc import add_BulkServiceServicer_to_server
from oms.orders.v1.change_service_pb2_grpc import add_ChangeServiceServicer_to_server
from oms.orders.v1.collection_service_pb2_grpc import add_CollectionServiceServicer_to_server
from oms.orders.v1.consolidation_service_pb2_grpc import add_ConsolidationServiceServicer_to_server
from oms.orders.v1.customer_service_pb2_grpc import add_CustomerServiceServicer_to_server
from oms.orders.v1.desk_service_pb2_grpc import add_DeskServiceServicer_to_server
from oms.orders.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from oms.orders.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from oms.orders.v1.figures_service_pb2_grpc import add_FiguresServiceServicer_to_server
from oms.orders.v1.locker_service_pb2_grpc import add_LockerServiceServicer_to_server
from oms.orders.v1.manifest_service_pb2_grpc import add_ManifestServiceServicer_to_server
from oms.orders.v1.notification_service_pb2_grpc import add_NotificationServiceServicer_to_server
from oms.orders.v1.offers_service_pb2_grpc import add_OffersServiceServicer_to_server
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub, add_OrdersServiceServicer_to_server
from oms.orders.v1.picking_service_pb2_grpc import add_PickingServiceServicer_to_server
from oms.orders.v1.tracking_service_pb2_grpc import add_TrackingServiceServicer_to_server
from oms.orders.v1.trial_service_pb2_grpc import add_TrialServiceServicer_to_server
from oms.payments.v1.finance_service_pb2_grpc import add_FinanceServiceServicer_to_server
from oms.payments.v1.payments_service_pb2_grpc import add_PaymentsServiceServicer_to_server
from oms.payments.v1.stored_value_service_pb2_grpc import add_StoredValueServiceServicer_to_server
from oms.promise.v1.capacity_service_pb2_grpc import add_CapacityServiceServicer_to_server
from oms.promise.v1.decision_service_pb2_grpc import add_DecisionServiceServicer_to_server
from oms.promise.v1.promise_service_pb2_grpc import add_PromiseServiceServicer_to_server
from oms.promise.v1.ruleset_service_pb2_grpc import add_RulesetServiceServicer_to_server
from oms.promise.v1.simulation_service_pb2_grpc import add_SimulationServiceServicer_to_server
from oms.relay.v1.relay_service_pb2_grpc import add_RelayServiceServicer_to_server
from services.booking.patterns import Patterns
from services.booking.rpc import BookingRpc
from services.booking.service import BookingService
from services.gateway.app import Options, create_app
from services.gateway.clients import Addresses, Clients
from services.handover.rpc import HandoverRpc
from services.handover.service import HandoverService
from services.handover.systems import Connection
from services.handover.systems.connecting import connect
from services.inventory.baskets import Baskets
from services.inventory.baskets_rpc import BasketRpc
from services.inventory.business_days import BusinessDays
from services.inventory.counting import Counting
from services.inventory.future import FutureService
from services.inventory.image_memory import ImageMemory
from services.inventory.images import Images
from services.inventory.images_rpc import ImageRpc
from services.inventory.imports import ImportService
from services.inventory.imports_rpc import ImportRpc
from services.inventory.lanes import Lanes
from services.inventory.merchandising import Merchandising
from services.inventory.merchandising_rpc import MerchandisingRpc
from services.inventory.pauses import Pausing
from services.inventory.pauses_rpc import PauseRpc
from services.inventory.rpc import InventoryRpc
from services.inventory.service import InventoryService
from services.inventory.shelf import Shelf
from services.inventory.shelf_rpc import ShelfRpc
from services.inventory.supply import SupplyService
from services.inventory.supply_rpc import SupplyRpc
from services.inventory.transfers import Transfers
from services.inventory.transfers_rpc import TransferRpc
from services.inventory.watch import StockWatch
from services.orders.amending import Amending
from services.orders.appointing import Appointments
from services.orders.bulk import Bulk
from services.orders.bulk_rpc import BulkRpc
from services.orders.changes_rpc import ChangesRpc
from services.orders.codes import Codes
from services.orders.collecting import Collecting
from services.orders.collecting_rpc import CollectionRpc
from services.orders.consolidating import Consolidating
from services.orders.consolidation_rpc import ConsolidationRpc
from services.orders.customers import Customers
from services.orders.customers_rpc import CustomerRpc
from services.orders.depositing import Depositing
from services.orders.depositing_rpc import LockerRpc
from services.orders.desk import Desk
from services.orders.desk_rpc import DeskRpc
from services.orders.domain.erasing import Retention
from services.orders.erasing import Erasing
from services.orders.erasing_rpc import ErasureRpc
from services.orders.figures import Figures
from services.orders.figures_rpc import FiguresRpc
from services.orders.holding import Holding
from services.orders.identities import Identities
from services.orders.invoicing import Documents
from services.orders.invoicing_rpc import DocumentRpc
from services.orders.labelling import Labels
from services.orders.links import Links
from services.orders.manifesting import Manifests
from services.orders.manifests_rpc import ManifestRpc
from services.orders.notifications_rpc import NotificationRpc
from services.orders.notifying import Notifying
from services.orders.offers_rpc import OffersRpc
from services.orders.picking import PickLists
from services.orders.picking_rpc import PickingRpc
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from services.orders.tracking_rpc import TrackingRpc
from services.orders.trying import Trying
from services.orders.trying_rpc import TrialRpc
from services.payments.finance_rpc import FinanceRpc
from services.payments.providers.stripe import StripeProvider
from services.payments.rpc import PaymentsRpc
from services.payments.service import PaymentsService
from services.payments.settlements import Settlements
from services.payments.stored_value import StoredValueService
from services.payments.stored_value_codes import CodeBook
from services.payments.stored_value_rpc import StoredValueRpc
from services.promise.capacities import Capacities
from services.promise.capacities_rpc import CapacityRpc
from services.promise.decisions import Decisions
from services.promise.decisions_rpc import DecisionRpc
from services.promise.follower import StockFollower
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.rulesets import Rulesets
from services.promise.rulesets_rpc import RulesetRpc
from services.promise.service import PromiseService
from services.promise.simulations import SimulationService
from services.promise.simulations_rpc import SimulationRpc
from services.relay.rpc import RelayRpc
from services.relay.service import RelayService
from tests.services.gateway.tokens import Issuer

CODEC_KEYS = "test:" + "A" * 43
SERVICES = ("booking", "handover", "inventory", "orders", "payments", "promise", "relay")
T = TypeVar("T")


@dataclass(frozen=True)
class House:
    """Where the gateway answers, and where the services do."""

    url: str
    services_address: str


@contextmanager
def running(databases: Mapping[str, str], temporal_address: str, issuer: Issuer) -> Iterator[House]:
    """`databases`: SQLAlchemy's URL by service."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    parts = AsyncExitStack()
    try:
        yield wait(_open(parts, databases, temporal_address, issuer))
    finally:
        wait(parts.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(
    parts: AsyncExitStack, databases: Mapping[str, str], temporal_address: str, issuer: Issuer
) -> House:
    address = await _serve_services(parts, databases)
    await _publish_life_cycle(address)
    client = await temporal.connect(temporal_address, "default", CODEC_KEYS, lazy=True)
    clients = Clients(Addresses(*[address] * 7), client)
    # No worker polls this queue: an order that is placed stays recorded.
    options = Options(placement_wait_seconds=0.02, task_queue="nobody-works-here")
    app = create_app(clients, issuer.verifier(), options)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve([listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    async def stop() -> None:
        server.should_exit = True
        await serving

    parts.push_async_callback(stop)
    async with httpx.AsyncClient() as http:
        await http.get(f"{url}/healthz", timeout=30)
    return House(url, address)


async def _serve_services(parts: AsyncExitStack, databases: Mapping[str, str]) -> str:
    """All services on one port."""
    engines = {name: db.connect(databases[name]) for name in SERVICES}
    for engine in engines.values():
        parts.push_async_callback(engine.dispose)
    owned = {name: (engine, Bell()) for name, engine in engines.items()}
    replica = StockReplica()
    promise = PromiseService(engines["promise"], replica, is_public_holiday)
    server = rpc.build_server()
    _add_inventory(server, *owned["inventory"])
    _add_orders(server, *owned["orders"])
    _add_payments(parts, server, *owned["payments"])
    _add_promise(server, engines["promise"], promise, replica)
    bookings = BookingService(*owned["booking"])
    add_BookingServiceServicer_to_server(BookingRpc(bookings, Patterns(engines["booking"])), server)
    add_RelayServiceServicer_to_server(RelayRpc(RelayService(*owned["relay"])), server)
    _add_handover(parts, server, *owned["handover"])
    await _say_serving(server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    parts.push_async_callback(server.stop, 0)
    await promise.refresh_terms()
    await _follow_stock(parts, address, replica)
    return address


def _add_inventory(server: grpc.aio.Server, engine: AsyncEngine, bell: Bell) -> None:
    stock = engine, bell
    inventory = InventoryService(*stock)
    add_InventoryServiceServicer_to_server(InventoryRpc(inventory, StockWatch(*stock)), server)
    add_TransferServiceServicer_to_server(TransferRpc(Lanes(engine), Transfers(*stock)), server)
    add_PauseServiceServicer_to_server(PauseRpc(Pausing(*stock)), server)
    shelf = ShelfRpc(Shelf(*stock), BusinessDays(*stock), Counting(*stock))
    add_ShelfServiceServicer_to_server(shelf, server)
    add_SupplyServiceServicer_to_server(SupplyRpc(SupplyService(*stock), FutureService(*stock)), server)
    add_MerchandisingServiceServicer_to_server(MerchandisingRpc(Merchandising(engine)), server)
    add_ImportServiceServicer_to_server(ImportRpc(ImportService(engine)), server)
    add_BasketServiceServicer_to_server(BasketRpc(Baskets(*stock), inventory), server)
    add_ImageServiceServicer_to_server(ImageRpc(Images(*stock, ImageMemory(*stock))), server)


def _add_orders(server: grpc.aio.Server, engine: AsyncEngine, bell: Bell) -> None:
    of_orders = engine, bell
    tracking = Tracking(*of_orders, {})
    identities = Identities("a key of tests")
    orders_service = OrdersService(*of_orders, identities)
    holding, amending = Holding(*of_orders), Amending(*of_orders, identities)
    orders_rpc = OrdersRpc(orders_service, Refunds(*of_orders), holding, tracking, Appointments(*of_orders))
    add_OrdersServiceServicer_to_server(orders_rpc, server)
    add_TrackingServiceServicer_to_server(TrackingRpc(tracking, Labels(engine, "9520417")), server)
    add_DocumentServiceServicer_to_server(DocumentRpc(Documents(engine)), server)
    add_OffersServiceServicer_to_server(OffersRpc(orders_service), server)
    add_BulkServiceServicer_to_server(BulkRpc(Bulk(engine, orders_service, holding, amending)), server)
    add_DeskServiceServicer_to_server(DeskRpc(Desk(engine, identities)), server)
    links, codes = Links(["a key of tests"], "https://shop.test"), Codes(["a key of tests"])
    add_ChangeServiceServicer_to_server(ChangesRpc(amending), server)
    add_TrialServiceServicer_to_server(TrialRpc(Trying(*of_orders)), server)
    depositing = Depositing(*of_orders, codes, {})
    collecting = CollectionRpc(Collecting(*of_orders, codes, identities), depositing)
    add_CollectionServiceServicer_to_server(collecting, server)
    add_LockerServiceServicer_to_server(LockerRpc(depositing), server)
    add_ConsolidationServiceServicer_to_server(ConsolidationRpc(Consolidating(*of_orders)), server)
    add_PickingServiceServicer_to_server(PickingRpc(PickLists(*of_orders)), server)
    add_ManifestServiceServicer_to_server(ManifestRpc(Manifests(*of_orders, "9520417")), server)
    add_CustomerServiceServicer_to_server(CustomerRpc(Customers(engine, links), codes), server)
    erasing = Erasing(*of_orders, identities, Retention(1095), Retention(3650))
    add_ErasureServiceServicer_to_server(ErasureRpc(erasing), server)
    add_FiguresServiceServicer_to_server(FiguresRpc(Figures(engine)), server)
    notifying = Notifying(engine, links, codes, {})
    add_NotificationServiceServicer_to_server(NotificationRpc(notifying), server)


def _add_payments(parts: AsyncExitStack, server: grpc.aio.Server, engine: AsyncEngine, bell: Bell) -> None:
    stripe = StripeProvider(
        url="http://127.0.0.1:1",
        api_key="sk_test_x",
        webhook_secret="whsec_x",
        return_url="http://127.0.0.1:1/",
        timeout_seconds=1,
    )
    parts.push_async_callback(stripe.close)
    payments = PaymentsService(engine, bell, {stripe.name: stripe}, stripe.name)
    add_PaymentsServiceServicer_to_server(PaymentsRpc(payments), server)
    settlements = Settlements(engine, {stripe.name})
    add_FinanceServiceServicer_to_server(FinanceRpc(payments.history, settlements), server)
    stored_value = StoredValueService(engine, bell, CodeBook("a key of tests"))
    add_StoredValueServiceServicer_to_server(StoredValueRpc(stored_value), server)


def _add_promise(
    server: grpc.aio.Server, engine: AsyncEngine, promise: PromiseService, replica: StockReplica
) -> None:
    add_PromiseServiceServicer_to_server(PromiseRpc(promise), server)
    add_RulesetServiceServicer_to_server(RulesetRpc(Rulesets(engine)), server)
    add_DecisionServiceServicer_to_server(DecisionRpc(Decisions(engine, promise)), server)
    add_CapacityServiceServicer_to_server(CapacityRpc(Capacities(engine, replica)), server)
    add_SimulationServiceServicer_to_server(SimulationRpc(SimulationService(engine, replica)), server)


def _add_handover(parts: AsyncExitStack, server: grpc.aio.Server, engine: AsyncEngine, bell: Bell) -> None:
    systems = connect({"wms-orleans": Connection("warehouse", "http://127.0.0.1:1", "key", "whsec_" + "QUJD" * 8)})
    for one in systems.values():
        parts.push_async_callback(one.close)
    add_HandoverServiceServicer_to_server(HandoverRpc(HandoverService(engine, systems, bell)), server)


async def _follow_stock(parts: AsyncExitStack, address: str, replica: StockReplica) -> None:
    channel = await parts.enter_async_context(rpc.connect(address))
    following = asyncio.create_task(StockFollower(channel, replica).run())

    async def stop_following() -> None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    parts.push_async_callback(stop_following)


async def _say_serving(server: grpc.aio.Server) -> None:
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    await health.set("", health_pb2.HealthCheckResponse.SERVING)


async def _publish_life_cycle(address: str) -> None:
    life_cycle = orders.LifeCycle(
        life_cycle_id="default",
        cooling_off_seconds=1800,
        offer_seconds=3600,
        payment_action_seconds=900,
        reroute_limit=3,
    )
    async with rpc.connect(address) as channel:
        request = orders.PublishLifeCycleRequest(life_cycle=life_cycle)
        await OrdersServiceStub(channel).PublishLifeCycle(request)
