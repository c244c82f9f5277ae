"""The gRPC face of holds: translates, and nothing else."""

from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceServicer
from services.orders import translate_holds as to
from services.orders import wire
from services.orders.domain.awaiting import Outcome
from services.orders.holding import Holding
from services.orders.translate import from_order_state


class HoldsRpc(OrdersServiceServicer):
    """What OrdersService answers about holds."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding

    @wire.checked
    async def PlaceHold(self, request: pb.PlaceHoldRequest, context: Any) -> pb.PlaceHoldResponse:
        hold = await self._holding.place_hold(
            wire.asked(request),
            request.order_id,
            request.fulfilment_id,
            request.reason,
            times.field_or_none(request, "until"),
            to.to_default(request.default, "default"),
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.PlaceHoldResponse(hold=to.from_hold(hold))

    @wire.checked
    async def ReleaseHold(self, request: pb.ReleaseHoldRequest, context: Any) -> pb.ReleaseHoldResponse:
        hold = await self._holding.release_hold(
            wire.asked(request),
            request.order_id,
            request.hold_id,
            request.reason,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
        )
        return pb.ReleaseHoldResponse(hold=to.from_hold(hold))

    @wire.checked
    async def ExtendHold(self, request: pb.ExtendHoldRequest, context: Any) -> pb.ExtendHoldResponse:
        until = times.field_or_none(request, "until")
        if until is None:
            raise InvalidArgument("until", "say until when it is held")
        hold = await self._holding.extend_hold(
            wire.asked(request),
            request.order_id,
            request.hold_id,
            until,
            request.reason,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
        )
        return pb.ExtendHoldResponse(hold=to.from_hold(hold))

    @wire.checked
    async def RefuseHold(self, request: pb.RefuseHoldRequest, context: Any) -> pb.RefuseHoldResponse:
        hold, state = await self._holding.refuse_hold(
            wire.asked(request),
            request.order_id,
            request.hold_id,
            request.reason,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
        )
        return pb.RefuseHoldResponse(hold=to.from_hold(hold), state=from_order_state(state))

    @wire.checked
    async def RecordSupply(self, request: pb.RecordSupplyRequest, context: Any) -> pb.RecordSupplyResponse:
        state, shares = await self._holding.record_supply(
            wire.asked(request),
            request.order_id,
            request.supply_id,
            wire.one_of(Outcome, request.outcome, "outcome"),
            request.quantity,
            times.field_or_none(request, "due_at"),
            request.reason,
            times.field_or_now(request, "as_of"),
        )
        return pb.RecordSupplyResponse(state=from_order_state(state), shares=map(to.from_share, shares))
