"""The services behind the gateway: one channel to each, and the Temporal client.

Owns deadlines and the one retry of reads. Never translates.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from temporalio.client import Client

from kit import rpc
from kit.errors import DeadlineExceeded, OmsError, Unavailable
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub
from oms.handover.v1.handover_service_pb2_grpc import HandoverServiceStub
from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceStub
from oms.inventory.v1.image_service_pb2_grpc import ImageServiceStub
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceStub
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceStub
from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceStub
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceStub
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub
from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceStub
from oms.orders.v1.bulk_service_pb2_grpc import BulkServiceStub
from oms.orders.v1.change_service_pb2_grpc import ChangeServiceStub
from oms.orders.v1.collection_service_pb2_grpc import CollectionServiceStub
from oms.orders.v1.consolidation_service_pb2_grpc import ConsolidationServiceStub
from oms.orders.v1.customer_service_pb2_grpc import CustomerServiceStub
from oms.orders.v1.desk_service_pb2_grpc import DeskServiceStub
from oms.orders.v1.document_service_pb2_grpc import DocumentServiceStub
from oms.orders.v1.erasure_service_pb2_grpc import ErasureServiceStub
from oms.orders.v1.figures_service_pb2_grpc import FiguresServiceStub
from oms.orders.v1.locker_service_pb2_grpc import LockerServiceStub
from oms.orders.v1.manifest_service_pb2_grpc import ManifestServiceStub
from oms.orders.v1.notification_service_pb2_grpc import NotificationServiceStub
from oms.orders.v1.offers_service_pb2_grpc import OffersServiceStub
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.orders.v1.picking_service_pb2_grpc import PickingServiceStub
from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceStub
from oms.orders.v1.trial_service_pb2_grpc import TrialServiceStub
from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceStub
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from oms.payments.v1.stored_value_service_pb2_grpc import StoredValueServiceStub
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub
from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceStub
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub
from oms.promise.v1.simulation_service_pb2_grpc import SimulationServiceStub
from oms.relay.v1.relay_service_pb2_grpc import RelayServiceStub

if TYPE_CHECKING:
    from oms.booking.v1.booking_service_pb2_grpc import BookingServiceAsyncStub
    from oms.handover.v1.handover_service_pb2_grpc import HandoverServiceAsyncStub
    from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceAsyncStub
    from oms.inventory.v1.image_service_pb2_grpc import ImageServiceAsyncStub
    from oms.inventory.v1.import_service_pb2_grpc import ImportServiceAsyncStub
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceAsyncStub
    from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceAsyncStub
    from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceAsyncStub
    from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceAsyncStub
    from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceAsyncStub
    from oms.orders.v1.bulk_service_pb2_grpc import BulkServiceAsyncStub
    from oms.orders.v1.change_service_pb2_grpc import ChangeServiceAsyncStub
    from oms.orders.v1.collection_service_pb2_grpc import CollectionServiceAsyncStub
    from oms.orders.v1.consolidation_service_pb2_grpc import ConsolidationServiceAsyncStub
    from oms.orders.v1.customer_service_pb2_grpc import CustomerServiceAsyncStub
    from oms.orders.v1.desk_service_pb2_grpc import DeskServiceAsyncStub
    from oms.orders.v1.document_service_pb2_grpc import DocumentServiceAsyncStub
    from oms.orders.v1.erasure_service_pb2_grpc import ErasureServiceAsyncStub
    from oms.orders.v1.figures_service_pb2_grpc import FiguresServiceAsyncStub
    from oms.orders.v1.locker_service_pb2_grpc import LockerServiceAsyncStub
    from oms.orders.v1.manifest_service_pb2_grpc import ManifestServiceAsyncStub
    from oms.orders.v1.notification_service_pb2_grpc import NotificationServiceAsyncStub
    from oms.orders.v1.offers_service_pb2_grpc import OffersServiceAsyncStub
    from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceAsyncStub
    from oms.orders.v1.picking_service_pb2_grpc import PickingServiceAsyncStub
    from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceAsyncStub
    from oms.orders.v1.trial_service_pb2_grpc import TrialServiceAsyncStub
    from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceAsyncStub
    from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub
    from oms.payments.v1.stored_value_service_pb2_grpc import StoredValueServiceAsyncStub
    from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceAsyncStub
    from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub
    from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceAsyncStub
    from oms.promise.v1.simulation_service_pb2_grpc import SimulationServiceAsyncStub
    from oms.relay.v1.relay_service_pb2_grpc import RelayServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")
_HEALTH_SECONDS = 1.0
# How long a peer that was away is waited for: a process that was killed is there again by then.
_BACK_SECONDS = 3.0
_CHECK_SECONDS = 15.0
_FILE_SECONDS = 3600.0


@dataclass(frozen=True)
class Addresses:
    """host:port of each service."""

    inventory: str
    promise: str
    orders: str
    payments: str
    relay: str
    booking: str
    handover: str


class Clients:
    """Made inside the event loop that uses it; connects at the first call."""

    def __init__(self, addresses: Addresses, temporal: Client, *, deadline_seconds: float = 5.0) -> None:
        self.temporal = temporal
        self._deadline_seconds = deadline_seconds
        self._channels: Mapping[str, grpc.aio.Channel] = {
            name: rpc.connect(address) for name, address in vars(addresses).items()
        }
        self.inventory: InventoryServiceAsyncStub = InventoryServiceStub(self._channels["inventory"])
        self.transfers: TransferServiceAsyncStub = TransferServiceStub(self._channels["inventory"])
        self.pauses: PauseServiceAsyncStub = PauseServiceStub(self._channels["inventory"])
        self.shelf: ShelfServiceAsyncStub = ShelfServiceStub(self._channels["inventory"])
        self.supply: SupplyServiceAsyncStub = SupplyServiceStub(self._channels["inventory"])
        self.imports: ImportServiceAsyncStub = ImportServiceStub(self._channels["inventory"])
        self.baskets: BasketServiceAsyncStub = BasketServiceStub(self._channels["inventory"])
        self.images: ImageServiceAsyncStub = ImageServiceStub(self._channels["inventory"])
        self.merchandising: MerchandisingServiceAsyncStub = MerchandisingServiceStub(self._channels["inventory"])
        self.promise: PromiseServiceAsyncStub = PromiseServiceStub(self._channels["promise"])
        self.decisions: DecisionServiceAsyncStub = DecisionServiceStub(self._channels["promise"])
        self.rulesets: RulesetServiceAsyncStub = RulesetServiceStub(self._channels["promise"])
        self.capacity: CapacityServiceAsyncStub = CapacityServiceStub(self._channels["promise"])
        self.simulations: SimulationServiceAsyncStub = SimulationServiceStub(self._channels["promise"])
        self.orders: OrdersServiceAsyncStub = OrdersServiceStub(self._channels["orders"])
        self.documents: DocumentServiceAsyncStub = DocumentServiceStub(self._channels["orders"])
        self.lockers: LockerServiceAsyncStub = LockerServiceStub(self._channels["orders"])
        self.tracking: TrackingServiceAsyncStub = TrackingServiceStub(self._channels["orders"])
        self.offers: OffersServiceAsyncStub = OffersServiceStub(self._channels["orders"])
        self.changes: ChangeServiceAsyncStub = ChangeServiceStub(self._channels["orders"])
        self.picking: PickingServiceAsyncStub = PickingServiceStub(self._channels["orders"])
        self.manifests: ManifestServiceAsyncStub = ManifestServiceStub(self._channels["orders"])
        self.figures: FiguresServiceAsyncStub = FiguresServiceStub(self._channels["orders"])
        self.erasure: ErasureServiceAsyncStub = ErasureServiceStub(self._channels["orders"])
        self.customers: CustomerServiceAsyncStub = CustomerServiceStub(self._channels["orders"])
        self.trials: TrialServiceAsyncStub = TrialServiceStub(self._channels["orders"])
        self.notifications: NotificationServiceAsyncStub = NotificationServiceStub(self._channels["orders"])
        self.collections: CollectionServiceAsyncStub = CollectionServiceStub(self._channels["orders"])
        self.bulk: BulkServiceAsyncStub = BulkServiceStub(self._channels["orders"])
        self.desk: DeskServiceAsyncStub = DeskServiceStub(self._channels["orders"])
        self.consolidation: ConsolidationServiceAsyncStub = ConsolidationServiceStub(self._channels["orders"])
        self.payments: PaymentsServiceAsyncStub = PaymentsServiceStub(self._channels["payments"])
        self.finance: FinanceServiceAsyncStub = FinanceServiceStub(self._channels["payments"])
        self.stored_value: StoredValueServiceAsyncStub = StoredValueServiceStub(self._channels["payments"])
        self.booking: BookingServiceAsyncStub = BookingServiceStub(self._channels["booking"])
        self.relay: RelayServiceAsyncStub = RelayServiceStub(self._channels["relay"])
        self.handover: HandoverServiceAsyncStub = HandoverServiceStub(self._channels["handover"])

    async def read(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request) -> Answer:
        """Asks, and once more when the peer is away: it may be back in a moment. Raises OmsError."""
        try:
            return await self.act(method, request)
        except Unavailable as away:
            try:
                return await method(request, timeout=_BACK_SECONDS, wait_for_ready=True)
            except DeadlineExceeded:
                raise away from None

    async def act(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request) -> Answer:
        """Asks once: whether to act again is the caller's to decide. Raises OmsError."""
        return await method(request, timeout=self._deadline_seconds)

    async def check(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request) -> Answer:
        """Asks what may take long: it reads much, or asks others. Raises OmsError."""
        return await method(request, timeout=_CHECK_SECONDS)

    async def wait(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Request, Answer]",
        request: Request,
        seconds: float,
    ) -> Answer:
        """Asks what answers once something happened, `seconds` later at most. Raises OmsError."""
        return await method(request, timeout=seconds + self._deadline_seconds)

    async def send(
        self, method: "grpc.aio.StreamUnaryMultiCallable[Request, Answer]", requests: AsyncIterator[Request]
    ) -> Answer:
        """Sends a stream, as slowly as it comes from a caller outside. Raises OmsError."""
        return await method(requests, timeout=_FILE_SECONDS)

    async def receive(
        self, method: "grpc.aio.UnaryStreamMultiCallable[Request, Answer]", request: Request
    ) -> AsyncIterator[Answer]:
        """Receives a stream, as slowly as a caller outside takes it. Raises OmsError."""
        try:
            async for part in method(request, timeout=_FILE_SECONDS):
                yield part
        except grpc.aio.AioRpcError as error:
            raise rpc.to_oms_error(error) from error

    async def not_serving(self) -> list[str]:
        """The services that do not answer SERVING."""
        names = list(self._channels)
        serving = await asyncio.gather(*(self._serves(name) for name in names))
        return [name for name, ok in zip(names, serving, strict=True) if not ok]

    async def close(self) -> None:
        """Closes every channel."""
        await asyncio.gather(*(channel.close(None) for channel in self._channels.values()))

    async def _serves(self, name: str) -> bool:
        stub = cast(Any, health_pb2_grpc.HealthStub(self._channels[name]))
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except OmsError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
