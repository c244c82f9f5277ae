"""PickingService over gRPC: translates, and nothing else."""

from collections import defaultdict
from typing import Any

from kit import times
from oms.orders.v1 import picking_service_pb2 as pb
from oms.orders.v1.picking_service_pb2_grpc import PickingServiceServicer
from services.orders import wire
from services.orders.domain import picking
from services.orders.domain.picking import FoundArticle
from services.orders.domain.substituting import Substitute
from services.orders.picking import PickLists
from services.orders.picking_store import PickList
from services.orders.translate import from_fulfilment


class PickingRpc(PickingServiceServicer):
    """Its calls."""

    def __init__(self, pick_lists: PickLists) -> None:
        self._pick_lists = pick_lists

    @wire.checked
    async def OpenPickList(self, request: pb.OpenPickListRequest, context: Any) -> pb.OpenPickListResponse:
        found = await self._pick_lists.open(
            wire.asked(request),
            request.point_id,
            request.fulfilment_ids,
            request.size,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.OpenPickListResponse(pick_list=_from_pick_list(found))

    @wire.checked
    async def GetPickList(self, request: pb.GetPickListRequest, context: Any) -> pb.GetPickListResponse:
        found = await self._pick_lists.get(request.pick_list_id, wire.to_reach(request.reach))
        return pb.GetPickListResponse(pick_list=_from_pick_list(found))

    @wire.checked
    async def ListPickLists(self, request: pb.ListPickListsRequest, context: Any) -> pb.ListPickListsResponse:
        found = await self._pick_lists.list_open(request.point_ids, wire.to_reach(request.reach))
        return pb.ListPickListsResponse(pick_lists=[_from_pick_list(one) for one in found])

    @wire.checked
    async def PutBackWork(self, request: pb.PutBackWorkRequest, context: Any) -> pb.PutBackWorkResponse:
        found = await self._pick_lists.put_back(
            wire.asked(request),
            request.pick_list_id,
            request.fulfilment_ids,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.PutBackWorkResponse(pick_list=_from_pick_list(found))

    @wire.checked
    async def FinishPickList(self, request: pb.FinishPickListRequest, context: Any) -> pb.FinishPickListResponse:
        given = defaultdict[str, list[Substitute]](list)
        for one in request.substituted:
            units = one.units
            given[one.fulfilment_id].append(Substitute(units.line_number, units.sku, units.quantity, units.title))
        done = await self._pick_lists.finish(
            wire.asked(request),
            request.pick_list_id,
            [FoundArticle(one.sku, one.quantity, one.reason, one.note) for one in request.found],
            request.actor,
            times.field_or_now(request, "as_of"),
            given,
        )
        return pb.FinishPickListResponse(
            pick_list=_from_pick_list(done.pick_list),
            left_over=[pb.LeftOver(sku=sku, quantity=quantity) for sku, quantity in done.left_over.items()],
        )


def _from_pick_list(one: PickList) -> pb.PickList:
    return pb.PickList(
        pick_list_id=one.pick_list_id,
        point_id=one.point_id,
        actor=one.actor,
        opened_at=wire.from_instant(one.opened_at),
        closed_at=wire.from_instant(one.closed_at),
        works=[
            pb.PickWork(
                slot=slot,
                fulfilment=from_fulfilment(work.fulfilment),
                is_open=picking.is_on(work.fulfilment, one.pick_list_id),
                channel_order_number=work.channel_order_number,
                channel_id=work.channel_id,
                substitutable=sorted(work.substitutable),
            )
            for slot, work in zip(picking.SLOTS, one.works, strict=False)
        ],
    )
