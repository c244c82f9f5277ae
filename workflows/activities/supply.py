"""Steps about stock to come: inventory holds units of deliveries, orders knows what waits for them."""

import grpc
from temporalio import activity

from oms.inventory.v1 import supply_service_pb2 as pb
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from workflows.activities.translate import CALL_SECONDS, instant, instant_or_none, text_or_empty
from workflows.messages import Line
from workflows.supply_messages import SupplyAnswer, SupplyRequest, SupplyShare, SupplyStep, SupplyUnits


class SupplyActivities:
    """One call each."""

    def __init__(self, inventory: grpc.aio.Channel, orders: grpc.aio.Channel) -> None:
        self._inventory = SupplyServiceStub(inventory)
        self._orders = OrdersServiceStub(orders)

    @activity.defn
    async def reserve_supply(self, request: SupplyRequest) -> SupplyAnswer:
        """ReserveFuture, all lines or none, without expiry."""
        reply = await self._inventory.ReserveFuture(
            pb.ReserveFutureRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                channel_id=request.channel_id,
                lines=_lines(request.units),
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return SupplyAnswer(
            reply.reserved, [SupplyUnits(row.delivery_id, row.available) for row in reply.shortfalls]
        )

    @activity.defn
    async def release_supply(self, request: SupplyRequest) -> list[SupplyUnits]:
        """ReleaseFuture."""
        reply = await self._inventory.ReleaseFuture(
            pb.ReleaseFutureRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                lines=_lines(request.units),
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return [SupplyUnits(row.delivery_id, row.quantity) for row in reply.released]

    @activity.defn
    async def record_supply(self, request: SupplyStep) -> list[SupplyShare]:
        """RecordSupply."""
        reply = await self._orders.RecordSupply(
            orders.RecordSupplyRequest(
                request_id=request.request_id,
                order_id=request.order_id,
                supply_id=request.supply_id,
                outcome=request.outcome,
                quantity=request.quantity,
                due_at=instant_or_none(request.due_at),
                reason=request.reason,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return [
            SupplyShare(
                fulfilment_id=share.fulfilment_id,
                point_id=share.point_id,
                lines=[Line(line.line_number, line.sku, line.quantity) for line in share.lines],
                emptied=share.emptied,
                window_end=text_or_empty(share.window, "end"),
            )
            for share in reply.shares
        ]


def _lines(units: list[SupplyUnits]) -> list[pb.FutureLine]:
    return [pb.FutureLine(delivery_id=one.supply_id, quantity=one.quantity) for one in units]
