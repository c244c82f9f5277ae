"""Services with canned answers behind real gRPC: what the gateway asks of them is written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from kit import rpc, times
from kit.errors import Conflict, NotFound, OmsError
from kit.values.ids import derived_id
from oms.inventory.v1 import import_service_pb2 as imports
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import shelf_service_pb2 as shelf
from oms.inventory.v1 import supply_service_pb2 as supply
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceServicer, add_ImportServiceServicer_to_server
from oms.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceServicer,
    add_InventoryServiceServicer_to_server,
)
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceServicer, add_ShelfServiceServicer_to_server
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceServicer, add_SupplyServiceServicer_to_server
from oms.orders.v1 import customer_service_pb2 as customers
from oms.orders.v1 import offers_service_pb2 as offers
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import picking_service_pb2 as picking
from oms.orders.v1.orders_service_pb2_grpc import add_OrdersServiceServicer_to_server
from oms.payments.v1 import payments_service_pb2 as payments
from oms.payments.v1.payments_service_pb2_grpc import (
    PaymentsServiceServicer,
    add_PaymentsServiceServicer_to_server,
)
from oms.promise.v1 import promise_service_pb2 as promise
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceServicer, add_PromiseServiceServicer_to_server
from oms.relay.v1 import relay_service_pb2 as relay
from oms.relay.v1.relay_service_pb2_grpc import RelayServiceServicer, add_RelayServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.gateway.clients import Addresses
from tests.services.gateway import (
    fake_baskets,
    fake_booking,
    fake_capacity,
    fake_changes,
    fake_collections,
    fake_consolidation,
    fake_customers,
    fake_decisions,
    fake_desk,
    fake_documents,
    fake_figures,
    fake_finance,
    fake_handover,
    fake_images,
    fake_lockers,
    fake_merchandising,
    fake_notifications,
    fake_offers,
    fake_rulesets,
    fake_simulations,
    fake_store_work,
    fake_stored_value,
    fake_tracking,
    fake_transfers,
    fake_trials,
)
from tests.services.gateway.fake_life_cycles import FakeLifeCycles

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = types.Window(start=times.to_proto(NOON), end=times.to_proto(NOON.replace(day=22)))


HOLD = orders.Hold(
    hold_id="hld_1",
    kind="manual",
    reason="the customer calls back",
    since=times.to_proto(NOON),
    until=times.to_proto(NOON + timedelta(days=1)),
    default="release",
    roles=["customer_service"],
)

REFUND = orders.Refund(
    refund_id="rfd_1",
    order_id="ord_1",
    kind="goods",
    state="pending",
    amount=types.Money(amount_minor=5000, currency="EUR"),
    shipping=types.Money(amount_minor=0, currency="EUR"),
    units=[orders.RefundedUnits(line_number=1, from_unit=0, to_unit=1)],
    taxes=[orders.RefundedTax(tax_rate_basis_points=2000, net_minor=4167, tax_minor=833)],
    reason_code="withdrawal",
    requested_at=times.to_proto(NOON),
    attempts=1,
)


@dataclass
class World:
    """What the fakes hold, what they were asked, and what they fail with."""

    placed: dict[str, orders.Order] = field(default_factory=dict)
    work: dict[str, orders.GetFulfilmentResponse] = field(default_factory=dict)
    # What whoever takes work has to settle, by fulfilment; and what then becomes of its offer.
    claims: dict[str, orders.Claim] = field(default_factory=dict)
    settled: "offers.OfferState.ValueType" = offers.OFFER_STATE_ACCEPTED
    moved: bool = True
    marks: dict[str, str] = field(default_factory=dict)
    # What customers see of orders, by the token of a link.
    linked: dict[str, customers.CustomerOrder] = field(default_factory=dict)
    # By whom offered work would leave the point that has the offer.
    offered_carriers: dict[str, str] = field(default_factory=dict)
    # What may be given instead of an article.
    substitutes: dict[str, list[str]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    transfer_differences: list[Any] = field(default_factory=list)
    failures: dict[str, list[OmsError]] = field(default_factory=dict)
    oversold: bool = False
    obligations: list[orders.Obligation] = field(default_factory=list)
    # Of po-4711-1, by order.
    reserved: dict[str, int] = field(default_factory=dict)
    pick_list: picking.PickList = field(default_factory=fake_store_work.pick_list)
    # What may be done about orders, beside cancelling them.
    acts: list[Any] = field(default_factory=list)
    # A parcel was packed that does not leave.
    unpacked: bool = False
    # Nothing has happened that figures would count.
    idle: bool = False

    def note(self, name: str, request: Any) -> None:
        """Writes the call down; raises what was ordered for it."""
        self.asked.append((name, request))
        if waiting := self.failures.get(name):
            raise waiting.pop(0)

    def calls(self, name: str) -> list[Any]:
        return [request for called, request in self.asked if called == name]

    def add_order(self, order_id: str, channel_id: str, brand: str = "Aubier", **changes: Any) -> orders.Order:
        order = orders.Order(
            order_id=order_id,
            state=orders.ORDER_STATE_VALIDATED,
            customer_status="validated",
            fine_status="waiting",
            content=orders.OrderContent(
                channel_id=channel_id,
                channel_order_number="W-1",
                customer=orders.Customer(customer_id="c-1", name="Zoé Plantée", email="zoe@example.org"),
                ship_to=orders.Address(
                    name="Zoé Plantée", street_lines=["7 impasse du Secret"], city="Lyon", country="FR"
                ),
                lines=[orders.OrderLine(line_number=1, sku="SKU-1", brand=brand, quantity=2, net_minor=5000)],
                total=types.Money(amount_minor=5000, currency="EUR"),
                mode=types.DELIVERY_MODE_HOME_STANDARD,
            ),
            placed_at=times.to_proto(NOON),
            promise=WINDOW,
            cooling_off_until=times.to_proto(NOON),
        )
        for name, value in changes.items():
            setattr(order, name, value)
        self.placed[order_id] = order
        return order

    def add_work(self, fulfilment_id: str, point_id: str, brand: str = "Aubier") -> orders.GetFulfilmentResponse:
        found = orders.GetFulfilmentResponse(
            fulfilment=orders.Fulfilment(
                fulfilment_id=fulfilment_id,
                order_id="ord_1",
                point_id=point_id,
                state=orders.FULFILMENT_STATE_OFFERED,
                lines=[orders.FulfilmentLine(line_number=1, sku="SKU-1", quantity=2)],
                window=WINDOW,
                parcel=orders.Parcel(parcel_id="par_1", amount=types.Money(amount_minor=10, currency="EUR")),
            ),
            ship_to=orders.Address(name="Zoé Plantée", street_lines=["7 impasse du Secret"], country="FR"),
            channel_id="web-fr",
            brands=[brand],
        )
        self.work[fulfilment_id] = found
        return found


class FakeOrders(FakeLifeCycles):
    async def ListObligations(self, request: Any, context: Any) -> orders.ListObligationsResponse:
        return orders.ListObligationsResponse(obligations=self._world.obligations)

    async def RecordOrder(self, request: orders.RecordOrderRequest, context: Any) -> orders.RecordOrderResponse:
        self._world.note("RecordOrder", request)
        content = request.content
        order_id = derived_id("ord", content.channel_id, request.idempotency_key)
        existed = order_id in self._world.placed
        if not existed:
            self._world.placed[order_id] = orders.Order(
                order_id=order_id,
                state=orders.ORDER_STATE_RECORDED,
                customer_status="received",
                content=content,
                placed_at=request.placed_at,
            )
        order = self._world.placed[order_id]
        if order.content != content:
            raise Conflict("IDEMPOTENCY_CONFLICT", "the key was used with other content", field="content.total")
        facts = orders.OrderFacts(
            order_id=order_id,
            channel_id=content.channel_id,
            total=content.total,
            payment=content.payment,
            lines=[
                orders.LineFacts(line_number=one.line_number, sku=one.sku, quantity=one.quantity)
                for one in content.lines
            ],
            placed_at=request.placed_at,
        )
        return orders.RecordOrderResponse(order=order, existed=existed, facts=facts)

    async def GetOrder(self, request: orders.GetOrderRequest, context: Any) -> orders.GetOrderResponse:
        self._world.note("GetOrder", request)
        if request.order_id not in self._world.placed:
            raise NotFound("ORDER_NOT_FOUND", "no such order", order_id=request.order_id)
        return orders.GetOrderResponse(order=self._world.placed[request.order_id])

    async def ListOrders(self, request: orders.ListOrdersRequest, context: Any) -> orders.ListOrdersResponse:
        self._world.note("ListOrders", request)
        found = [
            order
            for order in self._world.placed.values()
            if not request.channel_ids or order.content.channel_id in request.channel_ids
        ]
        return orders.ListOrdersResponse(orders=found, page=types.PageInfo(next_cursor="more"))

    async def GetTimeline(self, request: orders.GetTimelineRequest, context: Any) -> orders.GetTimelineResponse:
        self._world.note("GetTimeline", request)
        entry = orders.TimelineEntry(
            entry_id=1,
            at=times.to_proto(NOON),
            kind="order.validated",
            text="The order was validated.",
            data_json='{"legs": 1}',
        )
        check = orders.TimelineEntry(
            entry_id=2, at=times.to_proto(NOON), kind="order.fraud_checked", text="The fraud rules gave it 60."
        )
        placed = self._world.placed.get(request.order_id)
        suspected = placed is not None and placed.HasField("fraud")
        return orders.GetTimelineResponse(entries=[entry, check] if suspected else [entry])

    async def RequestCancellation(
        self, request: orders.RequestCancellationRequest, context: Any
    ) -> orders.RequestCancellationResponse:
        self._world.note("RequestCancellation", request)
        return orders.RequestCancellationResponse(state=orders.ORDER_STATE_CANCELLING)

    async def GetFulfilment(
        self, request: orders.GetFulfilmentRequest, context: Any
    ) -> orders.GetFulfilmentResponse:
        self._world.note("GetFulfilment", request)
        if request.fulfilment_id not in self._world.work:
            raise _no_fulfilment(request.fulfilment_id)
        return self._world.work[request.fulfilment_id]

    async def ListWork(self, request: orders.ListWorkRequest, context: Any) -> orders.ListWorkResponse:
        self._world.note("ListWork", request)
        found = [self._as_listed(one.fulfilment) for one in self._world.work.values()]
        return orders.ListWorkResponse(fulfilments=[one for one in found if one.point_id in request.point_ids])

    async def ListWorkMarks(
        self, request: orders.ListWorkMarksRequest, context: Any
    ) -> orders.ListWorkMarksResponse:
        self._world.note("ListWorkMarks", request)
        return orders.ListWorkMarksResponse(
            marks={point: self._world.marks.get(point, "") for point in request.point_ids}
        )

    def _as_listed(self, work: orders.Fulfilment) -> orders.Fulfilment:
        listed = orders.Fulfilment()
        listed.CopyFrom(work)
        listed.carrier_id = self._world.offered_carriers.get(work.fulfilment_id, work.carrier_id)
        return listed

    async def AcceptOffer(self, request: orders.AcceptOfferRequest, context: Any) -> orders.AcceptOfferResponse:
        work = self._act("AcceptOffer", request)
        return orders.AcceptOfferResponse(fulfilment=work, claim=self._world.claims.get(request.fulfilment_id))

    async def RefuseOffer(self, request: orders.RefuseOfferRequest, context: Any) -> orders.RefuseOfferResponse:
        return orders.RefuseOfferResponse(fulfilment=self._act("RefuseOffer", request))

    async def RecordPick(self, request: orders.RecordPickRequest, context: Any) -> orders.RecordPickResponse:
        return orders.RecordPickResponse(fulfilment=self._act("RecordPick", request))

    async def BeginPersonalisation(
        self, request: orders.BeginPersonalisationRequest, context: Any
    ) -> orders.BeginPersonalisationResponse:
        return orders.BeginPersonalisationResponse(fulfilment=self._act("BeginPersonalisation", request))

    async def CompletePersonalisation(
        self, request: orders.CompletePersonalisationRequest, context: Any
    ) -> orders.CompletePersonalisationResponse:
        return orders.CompletePersonalisationResponse(fulfilment=self._act("CompletePersonalisation", request))

    async def ReportSpoiled(
        self, request: orders.ReportSpoiledRequest, context: Any
    ) -> orders.ReportSpoiledResponse:
        return orders.ReportSpoiledResponse(fulfilment=self._act("ReportSpoiled", request))

    async def CloseParcel(self, request: orders.CloseParcelRequest, context: Any) -> orders.CloseParcelResponse:
        return orders.CloseParcelResponse(fulfilment=self._act("CloseParcel", request))

    async def HandOver(self, request: orders.HandOverRequest, context: Any) -> orders.HandOverResponse:
        return orders.HandOverResponse(fulfilment=self._act("HandOver", request))

    async def RecordCapture(
        self, request: orders.RecordCaptureRequest, context: Any
    ) -> orders.RecordCaptureResponse:
        if not request.fulfilment_id:
            self._world.note("RecordCapture", request)
            return orders.RecordCaptureResponse()
        done = self._act("RecordCapture", request)
        return orders.RecordCaptureResponse(state=done.state, fulfilment=done)

    async def RetryCapture(self, request: orders.RetryCaptureRequest, context: Any) -> orders.RetryCaptureResponse:
        if request.fulfilment_id:
            return orders.RetryCaptureResponse(fulfilment=self._act("RetryCapture", request))
        self._world.note("RetryCapture", request)
        return orders.RetryCaptureResponse()

    async def GiveUpParcel(self, request: orders.GiveUpParcelRequest, context: Any) -> orders.GiveUpParcelResponse:
        return orders.GiveUpParcelResponse(fulfilment=self._act("GiveUpParcel", request))

    async def PlaceHold(self, request: orders.PlaceHoldRequest, context: Any) -> orders.PlaceHoldResponse:
        self._world.note("PlaceHold", request)
        return orders.PlaceHoldResponse(hold=HOLD)

    async def ReleaseHold(self, request: orders.ReleaseHoldRequest, context: Any) -> orders.ReleaseHoldResponse:
        self._world.note("ReleaseHold", request)
        return orders.ReleaseHoldResponse(hold=HOLD)

    async def ExtendHold(self, request: orders.ExtendHoldRequest, context: Any) -> orders.ExtendHoldResponse:
        self._world.note("ExtendHold", request)
        return orders.ExtendHoldResponse(hold=HOLD)

    async def RefuseHold(self, request: orders.RefuseHoldRequest, context: Any) -> orders.RefuseHoldResponse:
        self._world.note("RefuseHold", request)
        return orders.RefuseHoldResponse(hold=HOLD, state=orders.ORDER_STATE_CANCELLING)

    async def RequestAppointmentMove(
        self, request: orders.RequestAppointmentMoveRequest, context: Any
    ) -> orders.RequestAppointmentMoveResponse:
        self._world.note("RequestAppointmentMove", request)
        moving = orders.Appointment(
            booking_id="bkg_1",
            slot=request.slot,
            state="moving",
            wanted_slot_id=request.slot.slot_id,
            met_from=request.slot.date,
        )
        return orders.RequestAppointmentMoveResponse(appointment=moving)

    async def RequestRefund(
        self, request: orders.RequestRefundRequest, context: Any
    ) -> orders.RequestRefundResponse:
        self._world.note("RequestRefund", request)
        return orders.RequestRefundResponse(refund=REFUND)

    async def RetryRefund(self, request: orders.RetryRefundRequest, context: Any) -> orders.RetryRefundResponse:
        self._world.note("RetryRefund", request)
        return orders.RetryRefundResponse(refund=REFUND)

    async def RecordCarrierEvent(
        self, request: orders.RecordCarrierEventRequest, context: Any
    ) -> orders.RecordCarrierEventResponse:
        self._world.note("RecordCarrierEvent", request)
        return orders.RecordCarrierEventResponse(
            fulfilment=orders.Fulfilment(fulfilment_id="ful_1", state=orders.FULFILMENT_STATE_DELIVERED)
        )

    async def PutSalesChannels(
        self, request: orders.PutSalesChannelsRequest, context: Any
    ) -> orders.PutSalesChannelsResponse:
        self._world.note("PutSalesChannels", request)
        return orders.PutSalesChannelsResponse(changed=len(request.channels))

    def _act(self, name: str, request: Any) -> orders.Fulfilment:
        self._world.note(name, request)
        found, reach = self._world.work[request.fulfilment_id], request.reach
        out_of_reach = reach.point_ids and found.fulfilment.point_id not in reach.point_ids
        if out_of_reach or (reach.brands and not set(reach.brands) & set(found.brands)):
            raise _no_fulfilment(request.fulfilment_id)
        return found.fulfilment


def _no_fulfilment(fulfilment_id: str) -> NotFound:
    # As the service says it: services.orders.store.no_fulfilment.
    return NotFound(
        "FULFILMENT_NOT_FOUND",
        "there is no such fulfilment",
        field="fulfilment_id",
        fulfilment_id=fulfilment_id,
    )


class FakeInventory(InventoryServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def MoveReservation(
        self, request: inventory.MoveReservationRequest, context: Any
    ) -> inventory.MoveReservationResponse:
        self._world.note("MoveReservation", request)
        return inventory.MoveReservationResponse(moved=self._world.moved)

    async def FindDifferences(self, request: Any, context: Any) -> inventory.FindDifferencesResponse:
        return inventory.FindDifferencesResponse(checked=1)

    async def ListHolds(self, request: Any, context: Any) -> inventory.ListHoldsResponse:
        return inventory.ListHoldsResponse()

    async def PutChannels(self, request: Any, context: Any) -> inventory.PutChannelsResponse:
        self._world.note("PutChannels", request)
        return inventory.PutChannelsResponse(changed=len(request.channels))

    async def PutItems(self, request: Any, context: Any) -> inventory.PutItemsResponse:
        self._world.note("PutItems", request)
        return inventory.PutItemsResponse(changed=len(request.items))

    async def PutStockPoints(self, request: Any, context: Any) -> inventory.PutStockPointsResponse:
        self._world.note("PutStockPoints", request)
        return inventory.PutStockPointsResponse(changed=len(request.points))

    async def ListItems(self, request: Any, context: Any) -> inventory.ListItemsResponse:
        self._world.note("ListItems", request)
        engraved = inventory.PersonalisationField(name="engraved_name", max_characters=4, capability="engraving")
        known = {"SKU-1", *(sku for sku in request.skus if sku == "VALID")}
        if request.gtins:
            known = {"SKU-1"} if "4006381333931" in request.gtins else set()
        instead = self._world.substitutes
        known |= {sku for sku in request.skus if sku in {one for others in instead.values() for one in others}}
        items = [
            inventory.Item(sku=sku, weight_grams=5, personalisations=[engraved], substitutes=instead.get(sku, ()))
            for sku in sorted(known)
        ]
        return inventory.ListItemsResponse(items=items)

    async def ListStockPoints(self, request: Any, context: Any) -> inventory.ListStockPointsResponse:
        zone = "Europe/Paris"
        point = inventory.StockPoint(
            point_id="store-lyon", name="Lyon", type=types.POINT_TYPE_STORE, time_zone=zone
        )
        return inventory.ListStockPointsResponse(points=[point])

    async def ListChannels(self, request: Any, context: Any) -> inventory.ListChannelsResponse:
        return inventory.ListChannelsResponse(channels=[inventory.Channel(channel_id="web-fr", currency="EUR")])

    async def ListVersions(self, request: Any, context: Any) -> inventory.ListVersionsResponse:
        self._world.note("ListVersions", request)
        now = times.to_proto(NOON)
        made = inventory.SettingVersion(version=1, recorded_at=now, actor="paul", content_json='{"sku": "SKU-1"}')
        return inventory.ListVersionsResponse(versions=[made])

    async def AdjustStock(self, request: Any, context: Any) -> inventory.AdjustStockResponse:
        self._world.note("AdjustStock", request)
        balance = inventory.Balance(sku="SKU-1", point_id="store-lyon", on_hand=12)
        return inventory.AdjustStockResponse(balances=[balance])

    async def DeclareUnavailable(self, request: Any, context: Any) -> inventory.DeclareUnavailableResponse:
        self._world.note("DeclareUnavailable", request)
        return inventory.DeclareUnavailableResponse(balance=_BALANCE, declaration=_DECLARATION)

    async def ReleaseUnavailable(self, request: Any, context: Any) -> inventory.ReleaseUnavailableResponse:
        self._world.note("ReleaseUnavailable", request)
        return inventory.ReleaseUnavailableResponse(balance=_BALANCE, declarations=[_DECLARATION])

    async def ListBalances(self, request: Any, context: Any) -> inventory.ListBalancesResponse:
        skus = request.skus or ["SKU-1"]
        return inventory.ListBalancesResponse(balances=[inventory.Balance(sku=sku, on_hand=1) for sku in skus])

    async def ListMovements(self, request: Any, context: Any) -> inventory.ListMovementsResponse:
        movement = inventory.Movement(movement_id=1, sku="SKU-1", recorded_at=times.to_proto(NOON))
        return inventory.ListMovementsResponse(movements=[movement])

    async def GetAvailability(self, request: Any, context: Any) -> inventory.GetAvailabilityResponse:
        self._world.note("GetAvailability", request)
        points = [inventory.PointAvailability(point_id="store-lyon", available=1)] if request.explain else []
        found = [inventory.Availability(sku=sku, available_now=3, points=points) for sku in request.skus]
        return inventory.GetAvailabilityResponse(availabilities=found)


_BALANCE = inventory.Balance(sku="SKU-1", point_id="store-lyon", on_hand=12)
_DECLARATION = inventory.Declaration(
    declaration_id="dec_1",
    sku="SKU-1",
    point_id="store-lyon",
    quantity=1,
    remaining=1,
    reason=inventory.DECLARATION_REASON_DAMAGED,
    declared_at=times.to_proto(NOON),
)
_REPORT = shelf.AdjustmentReport(
    report_id="adj_1",
    point_id="store-lyon",
    business_date="2026-11-20",
    created_at=times.to_proto(NOON),
    declared_until=times.to_proto(NOON),
    line_count=1,
    units=1,
    lines=[
        shelf.AdjustmentLine(
            sku="SKU-1",
            reason=inventory.DECLARATION_REASON_DAMAGED,
            declaration_id="dec_1",
            declared=1,
            quantity=1,
        )
    ],
)
_RECEIPT = shelf.Receipt(
    receipt_id="rcp_1",
    point_id="store-lyon",
    received_at=times.to_proto(NOON),
    recorded_at=times.to_proto(NOON),
    lines=[shelf.ReceiptLine(sku="SKU-1", received=1)],
)
_COUNT = shelf.Count(
    count_id="cnt_1",
    point_id="store-lyon",
    state=shelf.COUNT_STATE_OPEN,
    opened_at=times.to_proto(NOON),
    lines=[shelf.CountLine(sku="SKU-1")],
)


class FakeShelf(ShelfServiceServicer):
    """Everything is at store-lyon."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def GetDeclaration(self, request: Any, context: Any) -> shelf.GetDeclarationResponse:
        return shelf.GetDeclarationResponse(declaration=_DECLARATION)

    async def ListDeclarations(self, request: Any, context: Any) -> shelf.ListDeclarationsResponse:
        self._world.note("ListDeclarations", request)
        return shelf.ListDeclarationsResponse(declarations=[_DECLARATION])

    async def RecordTillSale(self, request: Any, context: Any) -> shelf.RecordTillSaleResponse:
        self._world.note("RecordTillSale", request)
        return shelf.RecordTillSaleResponse(balance=_BALANCE, effect=shelf.TillEffect(taken=1))

    async def RecordTillReturn(self, request: Any, context: Any) -> shelf.RecordTillReturnResponse:
        self._world.note("RecordTillReturn", request)
        return shelf.RecordTillReturnResponse(balance=_BALANCE, effect=shelf.TillEffect(taken=1))

    async def CloseBusinessDay(self, request: Any, context: Any) -> shelf.CloseBusinessDayResponse:
        self._world.note("CloseBusinessDay", request)
        return shelf.CloseBusinessDayResponse(report=_REPORT)

    async def GetAdjustmentReport(self, request: Any, context: Any) -> shelf.GetAdjustmentReportResponse:
        return shelf.GetAdjustmentReportResponse(report=_REPORT)

    async def ListAdjustmentReports(self, request: Any, context: Any) -> shelf.ListAdjustmentReportsResponse:
        return shelf.ListAdjustmentReportsResponse(reports=[_REPORT])

    async def RecordReceipt(self, request: Any, context: Any) -> shelf.RecordReceiptResponse:
        self._world.note("RecordReceipt", request)
        return shelf.RecordReceiptResponse(receipt=_RECEIPT, balances=[_BALANCE])

    async def ListReceipts(self, request: Any, context: Any) -> shelf.ListReceiptsResponse:
        return shelf.ListReceiptsResponse(receipts=[_RECEIPT])

    async def OpenCount(self, request: Any, context: Any) -> shelf.OpenCountResponse:
        self._world.note("OpenCount", request)
        return shelf.OpenCountResponse(count=_COUNT)

    async def RecordCount(self, request: Any, context: Any) -> shelf.RecordCountResponse:
        self._world.note("RecordCount", request)
        return shelf.RecordCountResponse(count=_COUNT)

    async def CloseCount(self, request: Any, context: Any) -> shelf.CloseCountResponse:
        self._world.note("CloseCount", request)
        return shelf.CloseCountResponse(count=_COUNT)

    async def CancelCount(self, request: Any, context: Any) -> shelf.CancelCountResponse:
        self._world.note("CancelCount", request)
        return shelf.CancelCountResponse(count=_COUNT)

    async def GetCount(self, request: Any, context: Any) -> shelf.GetCountResponse:
        return shelf.GetCountResponse(count=_COUNT)

    async def ListCounts(self, request: Any, context: Any) -> shelf.ListCountsResponse:
        return shelf.ListCountsResponse(counts=[_COUNT])


class FakeSupply(SupplyServiceServicer):
    """One delivery, to store-lyon."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._delivery = supply.ExpectedDelivery(
            delivery_id="po-4711-1",
            sku="SKU-1",
            point_id="store-lyon",
            kind=supply.EXPECTED_KIND_ON_ORDER,
            state=supply.EXPECTED_STATE_EXPECTED,
            quantity=40,
        )

    async def PutExpectedDeliveries(self, request: Any, context: Any) -> supply.PutExpectedDeliveriesResponse:
        self._world.note("PutExpectedDeliveries", request)
        result = supply.PutResult(delivery_id="po-4711-1", outcome=supply.PUT_OUTCOME_STALE)
        return supply.PutExpectedDeliveriesResponse(results=[result])

    async def ListExpectedDeliveries(self, request: Any, context: Any) -> supply.ListExpectedDeliveriesResponse:
        self._world.note("ListExpectedDeliveries", request)
        return supply.ListExpectedDeliveriesResponse(deliveries=[self._delivery])

    async def ReceiveExpectedDelivery(self, request: Any, context: Any) -> supply.ReceiveExpectedDeliveryResponse:
        self._world.note("ReceiveExpectedDelivery", request)
        return supply.ReceiveExpectedDeliveryResponse(
            delivery=self._delivery, served=[supply.FutureShare(reservation_id="ord_1", quantity=2)]
        )

    async def CancelExpectedDelivery(self, request: Any, context: Any) -> supply.CancelExpectedDeliveryResponse:
        self._world.note("CancelExpectedDelivery", request)
        return supply.CancelExpectedDeliveryResponse(delivery=self._delivery)

    async def PutFutureRules(self, request: Any, context: Any) -> supply.PutFutureRulesResponse:
        self._world.note("PutFutureRules", request)
        return supply.PutFutureRulesResponse(changed=True)

    async def GetFutureRules(self, request: Any, context: Any) -> supply.GetFutureRulesResponse:
        rules = supply.FutureRules(kinds=[supply.EXPECTED_KIND_SUPPLIER], longest_promise_days=9)
        return supply.GetFutureRulesResponse(rules=rules)

    async def GetFutureAvailability(self, request: Any, context: Any) -> supply.GetFutureAvailabilityResponse:
        self._world.note("GetFutureAvailability", request)
        window = supply.FutureWindow(delivery_id="po-4711-1", kind=supply.EXPECTED_KIND_ON_ORDER, quantity=4)
        found = [supply.FutureAvailability(sku=sku, available_now=3, future=[window]) for sku in request.skus]
        return supply.GetFutureAvailabilityResponse(availabilities=found)

    async def GetFutureReservation(self, request: Any, context: Any) -> supply.GetFutureReservationResponse:
        if request.reservation_id not in self._world.reserved:
            raise NotFound("RESERVATION_NOT_FOUND", "there is no such reservation")
        units = self._world.reserved[request.reservation_id]
        lines = [supply.FutureLine(delivery_id="po-4711-1", quantity=units)]
        found = supply.FutureReservation(reservation_id=request.reservation_id, lines=lines)
        return supply.GetFutureReservationResponse(reservation=found)

    async def FindSupplyDifferences(self, request: Any, context: Any) -> supply.FindSupplyDifferencesResponse:
        found = supply.SupplyDifference(delivery_id="po-4711-1", open=40, held=41)
        return supply.FindSupplyDifferencesResponse(differences=[found] if self._world.oversold else [])

    async def PutPreorders(self, request: Any, context: Any) -> supply.PutPreordersResponse:
        self._world.note("PutPreorders", request)
        return supply.PutPreordersResponse(changed=len(request.preorders))

    async def ListPreorders(self, request: Any, context: Any) -> supply.ListPreordersResponse:
        self._world.note("ListPreorders", request)
        return supply.ListPreordersResponse(preorders=[supply.Preorder(preorder_id="tee-launch", quantity=200)])


class FakeImports(ImportServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def StartImport(self, request_iterator: AsyncIterator[Any], context: Any) -> imports.StartImportResponse:
        parts = [part async for part in request_iterator]
        content = b"".join(part.content for part in parts[1:])
        self._world.note("StartImport", (parts[0].header, content, max(len(part.content) for part in parts)))
        return imports.StartImportResponse(job=_import(parts[0].header.kind))

    async def GetImport(self, request: Any, context: Any) -> imports.GetImportResponse:
        return imports.GetImportResponse(job=_import())

    async def ListImports(self, request: Any, context: Any) -> imports.ListImportsResponse:
        return imports.ListImportsResponse(jobs=[_import()])

    async def ListImportRejections(self, request: Any, context: Any) -> imports.ListImportRejectionsResponse:
        self._world.note("ListImportRejections", request)
        wrong = imports.ImportRejection(line=3, reason="UNKNOWN_ITEM", detail="sku: none", record="X,store-lyon,1")
        return imports.ListImportRejectionsResponse(rejections=[wrong])

    async def CancelImport(self, request: Any, context: Any) -> imports.CancelImportResponse:
        self._world.note("CancelImport", request)
        return imports.CancelImportResponse(job=_import())


def _import(kind: Any = imports.IMPORT_KIND_SNAPSHOT) -> imports.ImportJob:
    return imports.ImportJob(job_id="imp_1", kind=kind, state=imports.IMPORT_STATE_DONE, read=3, changed=3)


class FakePromise(PromiseServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def Quote(self, request: Any, context: Any) -> promise.QuoteResponse:
        self._world.note("Quote", request)
        option = promise.DeliveryOption(
            mode=types.DELIVERY_MODE_HOME_STANDARD,
            window=WINDOW,
            price=types.Money(amount_minor=490, currency="EUR"),
            parcels=1,
            carbon=types.Carbon(grams_co2e=400, factor="GLEC"),
        )
        missing = promise.NotOffered(mode=types.DELIVERY_MODE_HOME_EXPRESS, reason="NO_CARRIER")
        later = promise.DeliveryOption(
            mode=types.DELIVERY_MODE_RELAY_POINT,
            window=WINDOW,
            waits_until=WINDOW.start,
            release_date="2026-11-21",
        )
        options = [option, later] if request.may_wait else [option]
        return promise.QuoteResponse(quote_id="quo_1", options=options, not_offered=[missing])

    async def QuoteListing(self, request: Any, context: Any) -> promise.QuoteListingResponse:
        self._world.note("QuoteListing", request)
        option = promise.ListedOption(
            mode=types.DELIVERY_MODE_CLICK_AND_COLLECT,
            window=WINDOW,
            price=types.Money(currency="EUR"),
            point_id="store-lyon",
        )
        items = [promise.ListedItem(sku=sku, options=[option]) for sku in request.skus]
        return promise.QuoteListingResponse(items=items)

    async def PutCarriers(self, request: Any, context: Any) -> promise.PutCarriersResponse:
        self._world.note("PutCarriers", request)
        return promise.PutCarriersResponse(changed=len(request.carriers))

    async def PutBoxes(self, request: Any, context: Any) -> promise.PutBoxesResponse:
        self._world.note("PutBoxes", request)
        return promise.PutBoxesResponse(changed=len(request.boxes))

    async def ListBoxes(self, request: Any, context: Any) -> promise.ListBoxesResponse:
        return promise.ListBoxesResponse(boxes=[promise.Box(box_id="S", length_millimetres=300)])

    async def ChooseBox(self, request: Any, context: Any) -> promise.ChooseBoxResponse:
        self._world.note("ChooseBox", request)
        small = promise.Box(box_id="S", name="Small", length_millimetres=300, width_millimetres=200)
        return promise.ChooseBoxResponse(boxes=[small, promise.Box(box_id="L", name="Large")], box_id="L")

    async def ListCarriers(self, request: Any, context: Any) -> promise.ListCarriersResponse:
        return promise.ListCarriersResponse(carriers=[promise.Carrier(carrier_id="colisvite", name="ColisVite")])


class FakePayments(PaymentsServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def FindDifferences(self, request: Any, context: Any) -> payments.FindDifferencesResponse:
        return payments.FindDifferencesResponse(checked=1)

    async def BatchGetPayments(self, request: Any, context: Any) -> payments.BatchGetPaymentsResponse:
        return payments.BatchGetPaymentsResponse()

    async def CompareWithProvider(self, request: Any, context: Any) -> payments.CompareWithProviderResponse:
        return payments.CompareWithProviderResponse()

    async def GetPayment(self, request: Any, context: Any) -> payments.GetPaymentResponse:
        self._world.note("GetPayment", request)
        amount = types.Money(amount_minor=5000, currency="EUR")
        payment = payments.Payment(
            order_id=request.order_id,
            status=payments.PAYMENT_STATUS_AUTHORIZED,
            authorized=amount,
            operations=[
                payments.Operation(
                    operation_id="op_1",
                    kind=payments.OPERATION_KIND_AUTHORIZE,
                    state=payments.OPERATION_STATE_SUCCEEDED,
                    amount=amount,
                    cause="placement",
                    intended_at=times.to_proto(NOON),
                ),
                *(
                    payments.Operation(
                        operation_id=f"op_{tender_id}_{state}",
                        kind=payments.OPERATION_KIND_CAPTURE,
                        state=state,
                        amount=types.Money(amount_minor=minor, currency="EUR"),
                        cause="parcel/par_1",
                        tender_id=tender_id,
                        tender_kind=kind,
                    )
                    for tender_id, kind, minor, state in (
                        ("ten_2", "cash", 120_000, payments.OPERATION_STATE_FAILED),
                        ("ten_2", "cash", 120_000, payments.OPERATION_STATE_SUCCEEDED),
                        ("ten_1", "stored_value_code", 6_000, payments.OPERATION_STATE_SUCCEEDED),
                    )
                ),
            ],
            tenders=[
                payments.PaymentTender(tender_id=tender_id, position=position)
                for position, tender_id in enumerate(("ten_1", "ten_2"))
            ],
        )
        return payments.GetPaymentResponse(payment=payment)

    async def ListOperations(self, request: Any, context: Any) -> payments.ListOperationsResponse:
        self._world.note("ListOperations", request)
        return payments.ListOperationsResponse()

    async def SendPaymentLink(self, request: Any, context: Any) -> payments.SendPaymentLinkResponse:
        self._world.note("SendPaymentLink", request)
        amount = types.Money(amount_minor=4_000, currency="EUR")
        return payments.SendPaymentLinkResponse(
            tender=payments.PaymentTender(next_action_url="http://shop.example/pay/x", amount=amount)
        )

    async def OpenPaymentLink(self, request: Any, context: Any) -> payments.OpenPaymentLinkResponse:
        self._world.note("OpenPaymentLink", request)
        if request.token == "unknown":
            raise NotFound("LINK_NOT_FOUND", "no such payment link")
        state = payments.PaymentLinkState.Value(f"PAYMENT_LINK_STATE_{request.token.upper()}")
        url = "https://provider.example/page" if request.token == "open" else ""
        return payments.OpenPaymentLinkResponse(state=state, url=url)

    async def ListTasks(self, request: Any, context: Any) -> payments.ListTasksResponse:
        self._world.note("ListTasks", request)
        return payments.ListTasksResponse(tasks=[self._task("ptk_1", request.order_id)])

    async def ResolveTask(self, request: Any, context: Any) -> payments.ResolveTaskResponse:
        self._world.note("ResolveTask", request)
        task = self._task(request.task_id, "ord_1")
        task.resolution, task.reference = request.resolution, request.reference
        return payments.ResolveTaskResponse(task=task)

    @staticmethod
    def _task(task_id: str, order_id: str) -> payments.Task:
        return payments.Task(
            task_id=task_id,
            kind=payments.TASK_KIND_REFUND_FAILED,
            order_id=order_id,
            amount=types.Money(amount_minor=4_000, currency="EUR"),
            reason="expired_or_canceled_card",
            opened_at=times.to_proto(NOON),
        )

    async def ReceiveProviderEvent(self, request: Any, context: Any) -> payments.ReceiveProviderEventResponse:
        self._world.note("ReceiveProviderEvent", request)
        return payments.ReceiveProviderEventResponse()


class FakeRelay(RelayServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def GetBacklog(self, request: Any, context: Any) -> relay.GetBacklogResponse:
        return relay.GetBacklogResponse()

    async def CreateEndpoint(self, request: Any, context: Any) -> relay.CreateEndpointResponse:
        self._world.note("CreateEndpoint", request)
        endpoint = relay.Endpoint(endpoint_id="end_1", url=request.url, created_at=times.to_proto(NOON))
        return relay.CreateEndpointResponse(endpoint=endpoint, secret="whsec_x")

    async def ListEndpoints(self, request: Any, context: Any) -> relay.ListEndpointsResponse:
        return relay.ListEndpointsResponse(endpoints=[relay.Endpoint(endpoint_id="end_1", url="https://x.test")])

    async def DeleteEndpoint(self, request: Any, context: Any) -> relay.DeleteEndpointResponse:
        self._world.note("DeleteEndpoint", request)
        return relay.DeleteEndpointResponse()

    async def ListDeliveries(self, request: Any, context: Any) -> relay.ListDeliveriesResponse:
        self._world.note("ListDeliveries", request)
        return relay.ListDeliveriesResponse(deliveries=[relay.Delivery(delivery_id="del_1", state="pending")])

    async def ReplayDeliveries(self, request: Any, context: Any) -> relay.ReplayDeliveriesResponse:
        self._world.note("ReplayDeliveries", request)
        return relay.ReplayDeliveriesResponse(queued=4)


@dataclass
class Peers:
    """Where the fakes answer, what they hold, and whether they say that they serve."""

    addresses: Addresses
    world: World
    health: HealthServicer


@asynccontextmanager
async def serving() -> AsyncIterator[Peers]:
    """All six services on one port. What a fake does not implement is answered UNIMPLEMENTED."""
    world = World()
    server = rpc.build_server()
    add_OrdersServiceServicer_to_server(FakeOrders(world), server)  # type: ignore[abstract]
    add_InventoryServiceServicer_to_server(FakeInventory(world), server)  # type: ignore[abstract]
    fake_transfers.register(world, server)
    fake_baskets.register(world, server)
    fake_booking.register(world, server)
    fake_capacity.register(world, server)
    fake_tracking.register(world, server)
    fake_handover.register(world, server)
    fake_changes.register(world, server)
    fake_trials.register(world, server)
    fake_notifications.register(world, server)
    fake_collections.register(world, server)
    fake_lockers.register(world, server)
    fake_store_work.register(world, server)
    fake_desk.register(world, server)
    fake_customers.register(world, server)
    fake_figures.register(world, server)
    fake_consolidation.register(world, server)
    fake_images.register(world, server)
    fake_merchandising.register(world, server)
    fake_rulesets.register(world, server)
    fake_simulations.register(world, server)
    fake_stored_value.register(world, server)
    fake_decisions.register(world, server)
    fake_documents.register(world, server)
    fake_finance.register(world, server)
    fake_offers.register(world, server)
    add_ShelfServiceServicer_to_server(FakeShelf(world), server)
    add_SupplyServiceServicer_to_server(FakeSupply(world), server)  # type: ignore[abstract]
    add_ImportServiceServicer_to_server(FakeImports(world), server)
    add_PromiseServiceServicer_to_server(FakePromise(world), server)  # type: ignore[abstract]
    add_PaymentsServiceServicer_to_server(FakePayments(world), server)  # type: ignore[abstract]
    add_RelayServiceServicer_to_server(FakeRelay(world), server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    yield Peers(Addresses(*[address] * 7), world, health)
    await server.stop(0)
