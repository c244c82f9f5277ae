"""DeskService over gRPC: translates, and nothing else."""

from collections.abc import Mapping
from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import desk_service_pb2 as pb
from oms.orders.v1.desk_service_pb2_grpc import DeskServiceServicer
from services.orders import translate_desk as to
from services.orders import wire
from services.orders.desk import Desk, Who
from services.orders.desk_store import BlockedFilter
from services.orders.translate import from_view

MAX_TEXT = 320


class DeskRpc(DeskServiceServicer):
    """Its three calls."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @wire.checked
    async def ListBlockedOrders(
        self, request: pb.ListBlockedOrdersRequest, context: Any
    ) -> pb.ListBlockedOrdersResponse:
        if len(request.text) > MAX_TEXT:
            raise InvalidArgument("text", f"at most {MAX_TEXT} characters")
        wanted = BlockedFilter(
            request.reason,
            tuple(request.channel_ids),
            tuple(request.brands),
            request.brand,
            request.point_id,
            request.text,
        )
        size, after = wire.to_page(request.page)
        found, counts = await self._desk.list_blocked(wanted, times.field_or_now(request, "as_of"), size, after)
        return pb.ListBlockedOrdersResponse(
            orders=[to.from_blocked(one) for one in found],
            counts=_counts(counts),
            page=wire.from_page([(one.urgent_at, one.order_id) for one in found], size),
        )

    @wire.checked
    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        if len(request.email) > MAX_TEXT:
            raise InvalidArgument("email", f"at most {MAX_TEXT} characters")
        size, after = wire.to_page(request.page)
        known = await self._desk.get_customer(
            Who(request.customer_id, request.order_id, request.email),
            list(request.channel_ids),
            list(request.brands),
            times.field_or_now(request, "as_of"),
            size,
            after,
        )
        positions = [(view.order.placed_at, view.order.order_id) for view in known.orders]
        return pb.GetCustomerResponse(
            orders=[from_view(view) for view in known.orders],
            totals=to.from_totals(known.totals),
            issues=[to.from_blocked(one) for one in known.issues],
            page=wire.from_page(positions, size),
        )

    @wire.checked
    async def PreviewActs(self, request: pb.PreviewActsRequest, context: Any) -> pb.PreviewActsResponse:
        wish = to.to_wish(request.wish) if request.HasField("wish") else None
        acts = await self._desk.preview(
            request.order_id, list(request.roles), wish, times.field_or_now(request, "as_of")
        )
        return pb.PreviewActsResponse(acts=[to.from_possible(one) for one in acts])


def _counts(counts: Mapping[str, int]) -> list[pb.BlockCount]:
    return [pb.BlockCount(reason=reason, orders=number) for reason, number in sorted(counts.items())]
