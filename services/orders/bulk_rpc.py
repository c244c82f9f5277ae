"""BulkService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import bulk_service_pb2 as pb
from oms.orders.v1.bulk_service_pb2_grpc import BulkServiceServicer
from oms.type.v1 import type_pb2
from services.orders import translate as to
from services.orders import wire
from services.orders.bulk import Bulk
from services.orders.bulk_store import BulkAction, BulkItem, BulkWish
from services.orders.domain.model import HoldKind


class BulkRpc(BulkServiceServicer):
    """Its four calls."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    @wire.checked
    async def PreviewBulkAction(
        self, request: pb.PreviewBulkActionRequest, context: Any
    ) -> pb.PreviewBulkActionResponse:
        found = await self._bulk.preview(_to_wish(request.wish), times.field_or_now(request, "as_of"))
        verdicts = [
            pb.BulkVerdict(
                state=to.from_order_state(one.state), reason=one.reason, detail=one.detail, orders=one.orders
            )
            for one in found
        ]
        return pb.PreviewBulkActionResponse(orders=sum(one.orders for one in found), verdicts=verdicts)

    @wire.checked
    async def StartBulkAction(
        self, request: pb.StartBulkActionRequest, context: Any
    ) -> pb.StartBulkActionResponse:
        action = await self._bulk.start(
            wire.asked(request), _to_wish(request.wish), request.actor, times.field_or_now(request, "as_of")
        )
        return pb.StartBulkActionResponse(action=_from_action(action))

    @wire.checked
    async def GetBulkAction(self, request: pb.GetBulkActionRequest, context: Any) -> pb.GetBulkActionResponse:
        size, cursor = wire.to_id_page(request.page)
        if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
            raise InvalidArgument("page.cursor", "this cursor was not given by a page")
        action = await self._bulk.get(request.bulk_id)
        found = await self._bulk.results(request.bulk_id, int(cursor or 0), size)
        last = str(found[-1].number) if len(found) == size else ""
        return pb.GetBulkActionResponse(
            action=_from_action(action),
            results=[_from_item(one) for one in found],
            page=type_pb2.PageInfo(next_cursor=last),
        )

    @wire.checked
    async def StopBulkAction(self, request: pb.StopBulkActionRequest, context: Any) -> pb.StopBulkActionResponse:
        return pb.StopBulkActionResponse(action=_from_action(await self._bulk.stop(request.bulk_id)))


def _to_wish(message: pb.BulkWish) -> BulkWish:
    def kind(name: str) -> HoldKind | None:
        value = getattr(message, name)
        return wire.one_of(HoldKind, value, name) if value else None

    return BulkWish(
        message.act,
        kind("hold_kind"),
        message.reason,
        tuple(message.roles),
        tuple(message.channel_ids),
        to.to_order_state(message.state),
        kind("held_for"),
        message.late,
        message.payment_failed,
        message.unclaimed,
        tuple(message.order_ids),
        message.point_id,
    )


def _from_action(one: BulkAction) -> pb.BulkAction:
    return pb.BulkAction(
        bulk_id=one.bulk_id,
        act=one.act,
        hold_kind=one.hold_kind,
        reason=one.reason,
        actor=one.actor,
        requested_at=times.to_proto(one.requested_at),
        orders=one.pending + one.done + one.refused + one.stopped,
        pending=one.pending,
        done=one.done,
        refused=one.refused,
        stopped=one.stopped,
        point_id=one.point_id,
    )


def _from_item(one: BulkItem) -> pb.BulkResult:
    return pb.BulkResult(
        number=one.number,
        order_id=one.order_id,
        state=one.state,
        reason=one.reason,
        detail=one.detail,
        decided_at=wire.from_instant(one.decided_at),
    )
