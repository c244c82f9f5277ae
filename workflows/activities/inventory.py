"""Steps that inventory answers. The reservation of an order has the order's id."""

import grpc
from temporalio import activity

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from oms.inventory.v1 import basket_service_pb2 as basket_pb
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1 import shelf_service_pb2 as shelf_pb
from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceStub
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceStub
from workflows.activities.translate import CALL_SECONDS, instant
from workflows.messages import (
    BasketRequest,
    Hold,
    HoldAnswer,
    HoldChange,
    MoveRequest,
    OrderStep,
    PutBack,
    ReserveRequest,
    Restock,
    Shortfall,
)
from workflows.offer_messages import DoubtRequest

_REASONS = {
    "damaged": pb.DECLARATION_REASON_DAMAGED,
    "being_sold": pb.DECLARATION_REASON_BEING_SOLD,
    "other": pb.DECLARATION_REASON_OTHER,
}


class InventoryActivities:
    """One call each."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = InventoryServiceStub(channel)
        self._baskets = BasketServiceStub(channel)
        self._shelf = ShelfServiceStub(channel)

    @activity.defn
    async def reserve(self, request: ReserveRequest) -> HoldAnswer:
        """Reserve, all lines or none."""
        reply = await self._stub.Reserve(
            pb.ReserveRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                channel_id=request.channel_id,
                lines=_lines(request.holds),
                time_to_live_seconds=request.time_to_live_seconds,
                as_of=instant(request.as_of),
                basket_id=request.basket_id,
            ),
            timeout=CALL_SECONDS,
        )
        return HoldAnswer(reply.reserved, _shortfalls(reply.shortfalls))

    @activity.defn
    async def basket_holds(self, request: BasketRequest) -> list[Hold]:
        """GetBasket; nothing of one that never was."""
        asked = basket_pb.GetBasketRequest(channel_id=request.channel_id, basket_id=request.basket_id)
        try:
            reply = await self._baskets.GetBasket(asked, timeout=CALL_SECONDS)
        except NotFound:
            return []
        return [Hold(line.sku, line.point_id, line.quantity) for line in reply.basket.lines]

    @activity.defn
    async def confirm_hold(self, request: OrderStep) -> bool:
        """Confirm; False when the hold had expired."""
        try:
            await self._stub.Confirm(
                pb.ConfirmRequest(reservation_id=request.order_id, as_of=instant(request.as_of)),
                timeout=CALL_SECONDS,
            )
        except FailedPrecondition as error:
            if error.reason == "RESERVATION_EXPIRED":
                return False
            raise
        return True

    @activity.defn
    async def move_hold(self, request: MoveRequest) -> HoldAnswer:
        """MoveReservation."""
        moves = [
            pb.HoldMove(
                sku=move.sku,
                from_point_id=move.from_point_id,
                to_point_id=move.to_point_id,
                quantity=move.quantity,
            )
            for move in request.moves
        ]
        reply = await self._stub.MoveReservation(
            pb.MoveReservationRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                moves=moves,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return HoldAnswer(reply.moved, _shortfalls(reply.shortfalls))

    @activity.defn
    async def release_hold(self, request: HoldChange) -> bool:
        """Release."""
        await self._stub.Release(
            pb.ReleaseRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                lines=_lines(request.holds),
                reason=request.reason,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return True

    @activity.defn
    async def report_short(self, request: HoldChange) -> bool:
        """ReportShort."""
        await self._stub.ReportShort(
            pb.ReportShortRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                lines=_lines(request.holds),
                actor="workflows",
                as_of=instant(request.as_of),
                reasons=_reasons(request.holds),
            ),
            timeout=CALL_SECONDS,
        )
        return True

    @activity.defn
    async def declare_doubted(self, request: DoubtRequest) -> bool:
        """DeclareUnavailable. Fewer that lie there are missing already; of a bundle nobody knows which part is."""
        asked = pb.DeclareUnavailableRequest(
            request_id=request.request_id,
            sku=request.line.sku,
            point_id=request.point_id,
            quantity=request.line.quantity,
            cause=pb.Cause(cause=request.reason, actor="workflows", source=request.order_id),
            as_of=instant(request.as_of),
        )
        try:
            await self._stub.DeclareUnavailable(asked, timeout=CALL_SECONDS)
        except (FailedPrecondition, InvalidArgument) as error:
            if error.reason not in ("NOT_ON_HAND", "BUNDLE_HAS_NO_STOCK"):
                raise
        return True

    @activity.defn
    async def release_packed(self, request: PutBack) -> bool:
        """ReleaseUnavailable, by the request that declared them. What was counted since is known as it is."""
        asked = pb.ReleaseUnavailableRequest(
            request_id=request.request_id,
            declared_by=request.declared_by,
            sku=request.line.sku,
            point_id=request.point_id,
            cause=pb.Cause(cause="unpacked", actor="workflows", source=request.order_id),
            as_of=instant(request.as_of),
        )
        try:
            await self._stub.ReleaseUnavailable(asked, timeout=CALL_SECONDS)
        except NotFound as error:
            if error.reason != "DECLARATION_NOT_FOUND":
                raise
            return False
        except FailedPrecondition as error:
            if error.reason != "DECLARATION_ENDED":
                raise
        return True

    @activity.defn
    async def restock(self, request: Restock) -> bool:
        """RecordTillReturn; the receipt is the order."""
        await self._shelf.RecordTillReturn(
            shelf_pb.RecordTillReturnRequest(
                request_id=request.request_id,
                sku=request.units.sku,
                point_id=request.units.point_id,
                quantity=request.units.quantity,
                returned_at=instant(request.returned_at),
                actor="workflows",
                receipt=request.order_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return True

    @activity.defn
    async def issue_stock(self, request: HoldChange) -> bool:
        """Issue; the reason names the parcel."""
        await self._stub.Issue(
            pb.IssueRequest(
                request_id=request.request_id,
                reservation_id=request.order_id,
                lines=_lines(request.holds),
                reference=request.reason,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return True


def _lines(holds: list[Hold]) -> list[pb.HoldLine]:
    return [pb.HoldLine(sku=hold.sku, point_id=hold.point_id, quantity=hold.quantity) for hold in holds]


def _reasons(holds: list[Hold]) -> list[pb.ShortReason]:
    """Of those that were not just not found, which is what inventory takes missing units for."""
    return [
        pb.ShortReason(sku=hold.sku, point_id=hold.point_id, quantity=hold.quantity, reason=_REASONS[hold.reason])
        for hold in holds
        if hold.reason in _REASONS
    ]


def _shortfalls(rows: object) -> list[Shortfall]:
    return [
        Shortfall(row.sku, row.point_id, row.requested, row.available, row.free)
        for row in rows  # type: ignore[attr-defined]
    ]
