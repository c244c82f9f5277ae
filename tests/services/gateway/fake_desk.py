"""The desk with canned answers: one order that does not go on, one customer, and what may be done."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import FailedPrecondition, NotFound
from oms.orders.v1 import bulk_service_pb2 as bulk
from oms.orders.v1 import desk_service_pb2 as pb
from oms.orders.v1 import erasure_service_pb2 as erasure
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.bulk_service_pb2_grpc import BulkServiceServicer, add_BulkServiceServicer_to_server
from oms.orders.v1.desk_service_pb2_grpc import DeskServiceServicer, add_DeskServiceServicer_to_server
from oms.orders.v1.erasure_service_pb2_grpc import ErasureServiceServicer, add_ErasureServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EUR_50 = types.Money(amount_minor=5000, currency="EUR")


def blocked(order_id: str) -> pb.BlockedOrder:
    """Held by somebody, and cancelled by itself in an hour."""
    return pb.BlockedOrder(
        order_id=order_id,
        channel_id="web-fr",
        channel_order_number="W-1",
        state=orders.ORDER_STATE_RELEASED,
        total=EUR_50,
        placed_at=times.to_proto(NOON),
        promise=types.Window(start=times.to_proto(NOON), end=times.to_proto(NOON + timedelta(days=2))),
        urgent_at=times.to_proto(NOON + timedelta(hours=1)),
        reasons=[
            pb.BlockReason(
                reason="held_manual",
                detail="the customer calls back",
                since=times.to_proto(NOON),
                due_at=times.to_proto(NOON + timedelta(hours=1)),
                then="cancel",
                hold_id="hld_1",
            )
        ],
        point_ids=["store-lyon"],
    )


class FakeDesk(DeskServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ListBlockedOrders(self, request: Any, context: Any) -> pb.ListBlockedOrdersResponse:
        self._world.note("ListBlockedOrders", request)
        return pb.ListBlockedOrdersResponse(
            orders=[blocked(order_id) for order_id in self._world.placed],
            counts=[pb.BlockCount(reason="", orders=3), pb.BlockCount(reason="held_manual", orders=3)],
            page=types.PageInfo(next_cursor="more"),
        )

    async def GetCustomer(self, request: Any, context: Any) -> pb.GetCustomerResponse:
        self._world.note("GetCustomer", request)
        if request.customer_id == "nobody":
            raise NotFound("CUSTOMER_NOT_FOUND", "no order is of this customer")
        money = pb.CustomerMoney(ordered=EUR_50, captured=EUR_50, refunded=EUR_50, kept=EUR_50)
        return pb.GetCustomerResponse(
            orders=self._world.placed.values(),
            totals=pb.CustomerTotals(orders=1, kept_units=2, ordered_units=3, money=[money]),
            issues=[blocked(order_id) for order_id in self._world.placed],
            page=types.PageInfo(next_cursor="more"),
        )

    async def PreviewActs(self, request: Any, context: Any) -> pb.PreviewActsResponse:
        self._world.note("PreviewActs", request)
        known = [*self._world.acts, pb.PossibleAct(act="cancel", effect=EFFECT)]
        if not request.HasField("wish"):
            return pb.PreviewActsResponse(acts=known)
        of_it = [one for one in known if one.act == request.wish.act]
        usual = pb.PossibleAct(act=request.wish.act, target_id=request.wish.target_id, effect=EFFECT)
        return pb.PreviewActsResponse(acts=[*of_it, usual][:1])


EFFECT = pb.ActEffect(
    sentences=["Cancellation of the order was asked for."],
    state=orders.ORDER_STATE_CANCELLING,
    units=[
        pb.MovedUnits(
            line_number=1,
            sku="SKU-1",
            quantity=2,
            from_state="allocated",
            to_state="cancelled",
            point_id="store-lyon",
        )
    ],
    no_longer_due=EUR_50,
)


class FakeBulk(BulkServiceServicer):
    """Three orders, of which one is refused."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def PreviewBulkAction(self, request: Any, context: Any) -> bulk.PreviewBulkActionResponse:
        self._world.note("PreviewBulkAction", request)
        late = bulk.BulkVerdict(
            state=orders.ORDER_STATE_RELEASED, reason="TOO_LATE_TO_CANCEL", detail="it has left", orders=1
        )
        return bulk.PreviewBulkActionResponse(
            orders=3, verdicts=[bulk.BulkVerdict(state=orders.ORDER_STATE_RELEASED, orders=2), late]
        )

    async def StartBulkAction(self, request: Any, context: Any) -> bulk.StartBulkActionResponse:
        self._world.note("StartBulkAction", request)
        return bulk.StartBulkActionResponse(action=self._action(pending=3))

    async def GetBulkAction(self, request: Any, context: Any) -> bulk.GetBulkActionResponse:
        self._world.note("GetBulkAction", request)
        late = bulk.BulkResult(number=2, order_id="ord_2", state="refused", reason="TOO_LATE_TO_CANCEL")
        first = bulk.BulkResult(number=1, order_id="ord_1", state="done", decided_at=times.to_proto(NOON))
        page = types.PageInfo(next_cursor="" if request.page.cursor else "1")
        found = [late] if request.page.cursor else [first]
        return bulk.GetBulkActionResponse(action=self._action(done=2, refused=1), results=found, page=page)

    async def StopBulkAction(self, request: Any, context: Any) -> bulk.StopBulkActionResponse:
        self._world.note("StopBulkAction", request)
        return bulk.StopBulkActionResponse(action=self._action(done=1, stopped=2))

    @staticmethod
    def _action(**counts: Any) -> bulk.BulkAction:
        asked_at = times.to_proto(NOON)
        return bulk.BulkAction(
            bulk_id="blk_1",
            act="cancel",
            reason="recalled",
            actor="carla",
            requested_at=asked_at,
            orders=3,
            **counts,
        )


class FakeErasure(ErasureServiceServicer):
    """Two orders, of which one was billed; one of `c-open` is open."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def EraseCustomer(self, request: Any, context: Any) -> erasure.EraseCustomerResponse:
        self._world.note("EraseCustomer", request)
        if request.customer_id == "c-open":
            raise FailedPrecondition("ORDERS_OPEN", "orders are not closed: ord_1", orders=1, order_ids="ord_1")
        until = times.to_proto(NOON)
        return erasure.EraseCustomerResponse(orders=2, kept_for_documents=1, documents_until=until)


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_BulkServiceServicer_to_server(FakeBulk(world), server)
    add_ErasureServiceServicer_to_server(FakeErasure(world), server)
    add_DeskServiceServicer_to_server(FakeDesk(world), server)
