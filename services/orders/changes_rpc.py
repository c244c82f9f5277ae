"""The gRPC face of changes: translates, and nothing else."""

from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import change_service_pb2 as pb
from oms.orders.v1.change_service_pb2_grpc import ChangeServiceServicer
from services.orders import translate as to
from services.orders import translate_changes as changes
from services.orders import wire
from services.orders.amending import Amending
from services.orders.translate import from_change, from_fulfilment, from_order_state


class ChangesRpc(ChangeServiceServicer):
    """ChangeService over gRPC."""

    def __init__(self, amending: Amending) -> None:
        self._amending = amending

    @wire.checked
    async def CancelLines(self, request: pb.CancelLinesRequest, context: Any) -> pb.CancelLinesResponse:
        done = await self._amending.cancel_lines(
            wire.asked(request),
            request.order_id,
            to.to_units(request.lines),
            request.reason,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
        )
        return pb.CancelLinesResponse(change=from_change(done.change), state=from_order_state(done.state))

    @wire.checked
    async def ChangeAddress(self, request: pb.ChangeAddressRequest, context: Any) -> pb.ChangeAddressResponse:
        if not request.HasField("ship_to"):
            raise InvalidArgument("ship_to", "say where the order goes")
        done = await self._amending.change_address(
            wire.asked(request),
            request.order_id,
            changes.to_address(request.ship_to),
            request.accepts_later,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
        )
        return pb.ChangeAddressResponse(change=from_change(done.change), state=from_order_state(done.state))

    @wire.checked
    async def ProposeChange(self, request: pb.ProposeChangeRequest, context: Any) -> pb.ProposeChangeResponse:
        done = await self._amending.propose(
            wire.asked(request),
            request.order_id,
            changes.to_wanted(request),
            changes.to_address(request.ship_to) if request.HasField("ship_to") else None,
            request.actor,
            request.roles,
            times.field_or_now(request, "as_of"),
            to.to_texts(request.lines),
            request.gift_message if request.HasField("gift_message") else None,
        )
        return pb.ProposeChangeResponse(change=from_change(done.change), state=from_order_state(done.state))

    @wire.checked
    async def PlanAgain(self, request: pb.PlanAgainRequest, context: Any) -> pb.PlanAgainResponse:
        done = await self._amending.plan_again(
            wire.asked(request),
            request.order_id,
            request.actor,
            times.field_or_now(request, "as_of"),
            request.point_id,
            request.reason,
        )
        return pb.PlanAgainResponse(change=from_change(done.change), state=from_order_state(done.state))

    @wire.checked
    async def GetProposal(self, request: pb.GetProposalRequest, context: Any) -> pb.GetProposalResponse:
        return changes.from_proposal(await self._amending.get_proposal(request.order_id, request.change_id))

    @wire.checked
    async def ApplyChange(self, request: pb.ApplyChangeRequest, context: Any) -> pb.ApplyChangeResponse:
        done = await self._amending.apply(
            wire.asked(request),
            request.order_id,
            request.change_id,
            to.to_legs(request.legs),
            wire.to_window(request.promise, "promise"),
            request.decision_id,
            times.field_or_now(request, "as_of"),
            to.to_onward(request),
        )
        return pb.ApplyChangeResponse(
            change=from_change(done.change),
            state=from_order_state(done.state),
            fulfilments=[from_fulfilment(one) for one in done.fulfilments],
        )

    @wire.checked
    async def RefuseChange(self, request: pb.RefuseChangeRequest, context: Any) -> pb.RefuseChangeResponse:
        done = await self._amending.refuse(
            wire.asked(request),
            request.order_id,
            request.change_id,
            changes.to_change_refusal(request),
            times.field_or_now(request, "as_of"),
        )
        return pb.RefuseChangeResponse(change=from_change(done.change), state=from_order_state(done.state))

    @wire.checked
    async def SettleChange(self, request: pb.SettleChangeRequest, context: Any) -> pb.SettleChangeResponse:
        done = await self._amending.settle(
            wire.asked(request), request.order_id, request.change_id, times.field_or_now(request, "as_of")
        )
        return pb.SettleChangeResponse(change=from_change(done.change), state=from_order_state(done.state))
