"""Services with canned answers behind real gRPC: what the gateway asks of them is written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from kit import rpc, times
from kit.errors import Conflict, NotFound, OmsError
from kit.values.ids import derived_id
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceServicer,
    add_InventoryServiceServicer_to_server,
)
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceServicer, add_OrdersServiceServicer_to_server
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

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WINDOW = types.Window(start=times.to_proto(NOON), end=times.to_proto(NOON.replace(day=22)))


@dataclass
class World:
    """What the fakes hold, what they were asked, and what they fail with."""

    placed: dict[str, orders.Order] = field(default_factory=dict)
    work: dict[str, orders.GetFulfilmentResponse] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    failures: dict[str, list[OmsError]] = field(default_factory=dict)

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


class FakeOrders(OrdersServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def ListObligations(self, request: Any, context: Any) -> orders.ListObligationsResponse:
        return orders.ListObligationsResponse()

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
        return orders.GetTimelineResponse(entries=[entry])

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
        found = [one.fulfilment for one in self._world.work.values()]
        return orders.ListWorkResponse(fulfilments=[one for one in found if one.point_id in request.point_ids])

    async def AcceptOffer(self, request: orders.AcceptOfferRequest, context: Any) -> orders.AcceptOfferResponse:
        return orders.AcceptOfferResponse(fulfilment=self._act("AcceptOffer", request))

    async def RefuseOffer(self, request: orders.RefuseOfferRequest, context: Any) -> orders.RefuseOfferResponse:
        return orders.RefuseOfferResponse(fulfilment=self._act("RefuseOffer", request))

    async def RecordPick(self, request: orders.RecordPickRequest, context: Any) -> orders.RecordPickResponse:
        return orders.RecordPickResponse(fulfilment=self._act("RecordPick", request))

    async def CloseParcel(self, request: orders.CloseParcelRequest, context: Any) -> orders.CloseParcelResponse:
        return orders.CloseParcelResponse(fulfilment=self._act("CloseParcel", request))

    async def HandOver(self, request: orders.HandOverRequest, context: Any) -> orders.HandOverResponse:
        return orders.HandOverResponse(fulfilment=self._act("HandOver", request))

    async def RecordCapture(
        self, request: orders.RecordCaptureRequest, context: Any
    ) -> orders.RecordCaptureResponse:
        done = self._act("RecordCapture", request)
        return orders.RecordCaptureResponse(state=done.state, fulfilment=done)

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
        return inventory.ListItemsResponse(items=[inventory.Item(sku="SKU-1", weight_grams=5)])

    async def ListStockPoints(self, request: Any, context: Any) -> inventory.ListStockPointsResponse:
        point = inventory.StockPoint(point_id="store-lyon", name="Lyon", type=types.POINT_TYPE_STORE)
        return inventory.ListStockPointsResponse(points=[point])

    async def ListChannels(self, request: Any, context: Any) -> inventory.ListChannelsResponse:
        return inventory.ListChannelsResponse(channels=[inventory.Channel(channel_id="web-fr", currency="EUR")])

    async def AdjustStock(self, request: Any, context: Any) -> inventory.AdjustStockResponse:
        self._world.note("AdjustStock", request)
        balance = inventory.Balance(sku="SKU-1", point_id="store-lyon", on_hand=12)
        return inventory.AdjustStockResponse(balances=[balance])

    async def ListBalances(self, request: Any, context: Any) -> inventory.ListBalancesResponse:
        return inventory.ListBalancesResponse(balances=[inventory.Balance(sku="SKU-1", on_hand=1)])

    async def ListMovements(self, request: Any, context: Any) -> inventory.ListMovementsResponse:
        movement = inventory.Movement(movement_id=1, sku="SKU-1", recorded_at=times.to_proto(NOON))
        return inventory.ListMovementsResponse(movements=[movement])

    async def GetAvailability(self, request: Any, context: Any) -> inventory.GetAvailabilityResponse:
        self._world.note("GetAvailability", request)
        found = [inventory.Availability(sku=sku, available_now=3) for sku in request.skus]
        return inventory.GetAvailabilityResponse(availabilities=found)


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
        return promise.QuoteResponse(quote_id="quo_1", options=[option], not_offered=[missing])

    async def ListDecisions(self, request: Any, context: Any) -> promise.ListDecisionsResponse:
        self._world.note("ListDecisions", request)
        decision = promise.Decision(decision_id="dec_1", plans=[promise.Plan(legs=[promise.Leg(window=WINDOW)])])
        return promise.ListDecisionsResponse(decisions=[decision])

    async def PutCarriers(self, request: Any, context: Any) -> promise.PutCarriersResponse:
        self._world.note("PutCarriers", request)
        return promise.PutCarriersResponse(changed=len(request.carriers))

    async def ListCarriers(self, request: Any, context: Any) -> promise.ListCarriersResponse:
        return promise.ListCarriersResponse(carriers=[promise.Carrier(carrier_id="colisvite", name="ColisVite")])


class FakePayments(PaymentsServiceServicer):
    def __init__(self, world: World) -> None:
        self._world = world

    async def FindDifferences(self, request: Any, context: Any) -> payments.FindDifferencesResponse:
        return payments.FindDifferencesResponse(checked=1)

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
                )
            ],
        )
        return payments.GetPaymentResponse(payment=payment)

    async def ListOperations(self, request: Any, context: Any) -> payments.ListOperationsResponse:
        self._world.note("ListOperations", request)
        return payments.ListOperationsResponse()

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
    """All five services on one port. What a fake does not implement is answered UNIMPLEMENTED."""
    world = World()
    server = rpc.build_server()
    add_OrdersServiceServicer_to_server(FakeOrders(world), server)  # type: ignore[abstract]
    add_InventoryServiceServicer_to_server(FakeInventory(world), server)  # type: ignore[abstract]
    add_PromiseServiceServicer_to_server(FakePromise(world), server)  # type: ignore[abstract]
    add_PaymentsServiceServicer_to_server(FakePayments(world), server)  # type: ignore[abstract]
    add_RelayServiceServicer_to_server(FakeRelay(world), server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    yield Peers(Addresses(address, address, address, address, address), world, health)
    await server.stop(0)
