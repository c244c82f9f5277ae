"""TransferService over gRPC: translates requests and answers, and nothing else."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.inventory.v1 import transfer_service_pb2 as pb
from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceServicer
from oms.type.v1 import type_pb2 as types
from services.inventory import paging
from services.inventory import translate as t
from services.inventory.domain import transfer_commands as commands
from services.inventory.domain.lanes import Lane, LaneCost, LaneDeparture, Window
from services.inventory.domain.transfers import (
    ActDone,
    Outcome,
    Quantity,
    Receipt,
    Settlement,
    Transfer,
    TransferState,
)
from services.inventory.lanes import Lanes, Load
from services.inventory.transfers import Transfers

DEFAULT_RUNS = 5
_STATES = {
    pb.TRANSFER_STATE_REQUESTED: TransferState.REQUESTED,
    pb.TRANSFER_STATE_DISPATCHED: TransferState.DISPATCHED,
    pb.TRANSFER_STATE_RECEIVED: TransferState.RECEIVED,
    pb.TRANSFER_STATE_CLOSED: TransferState.CLOSED,
    pb.TRANSFER_STATE_CANCELLED: TransferState.CANCELLED,
}
_STATES_OUT = {state: number for number, state in _STATES.items()}
_OUTCOMES = {
    pb.TRANSFER_OUTCOME_FOUND_AT_DESTINATION: Outcome.FOUND_AT_DESTINATION,
    pb.TRANSFER_OUTCOME_RETURNED: Outcome.RETURNED,
    pb.TRANSFER_OUTCOME_LOST: Outcome.LOST,
}


class TransferRpc(TransferServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, lanes: Lanes, transfers: Transfers) -> None:
        self._lanes = lanes
        self._transfers = transfers

    async def PutLanes(self, request: pb.PutLanesRequest, context: object) -> pb.PutLanesResponse:
        return pb.PutLanesResponse(changed=await self._lanes.put([_lane_in(lane) for lane in request.lanes]))

    async def ListLanes(self, request: pb.ListLanesRequest, context: object) -> pb.ListLanesResponse:
        found = await self._lanes.listed(request.point_ids)
        return pb.ListLanesResponse(lanes=[_lane_out(lane) for lane in found])

    async def DeleteLanes(self, request: pb.DeleteLanesRequest, context: object) -> pb.DeleteLanesResponse:
        return pb.DeleteLanesResponse(deleted=await self._lanes.delete(request.lane_ids))

    async def GetLaneSchedule(
        self, request: pb.GetLaneScheduleRequest, context: object
    ) -> pb.GetLaneScheduleResponse:
        found = await self._lanes.schedule(
            request.lane_id,
            times.field_or_now(request, "as_of"),
            request.count or DEFAULT_RUNS,
            Load(request.parcels, request.units, request.weight_grams),
        )
        runs = [
            pb.LaneRun(cut_off_at=times.to_proto(run.cut_off_at), arrives=_window_out(run.arrives))
            for run in found.runs
        ]
        return pb.GetLaneScheduleResponse(lane=_lane_out(found.lane), runs=runs, cost=_money_out(found.cost))

    async def RequestTransfer(
        self, request: pb.RequestTransferRequest, context: object
    ) -> pb.RequestTransferResponse:
        answer = await self._transfers.request(
            commands.RequestTransfer(
                request_id=request.request_id,
                origin_id=request.origin_id,
                destination_id=request.destination_id,
                lines=_quantities(request.lines),
                lane_id=request.lane_id,
                expected=_window_in(request),
                actor=request.actor,
                reason=request.reason,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.RequestTransferResponse(
            requested=answer.transfer is not None,
            transfer=_transfer_out(answer.transfer) if answer.transfer else None,
            shortfalls=t.shortfalls_out(answer.shortfalls),
        )

    async def DispatchTransfer(
        self, request: pb.DispatchTransferRequest, context: object
    ) -> pb.DispatchTransferResponse:
        transfer = await self._transfers.dispatch(
            commands.DispatchTransfer(
                request_id=request.request_id,
                transfer_id=request.transfer_id,
                lines=_quantities(request.lines),
                declare_not_found=request.declare_not_found,
                expected=_window_in(request),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.DispatchTransferResponse(transfer=_transfer_out(transfer))

    async def ReceiveTransfer(
        self, request: pb.ReceiveTransferRequest, context: object
    ) -> pb.ReceiveTransferResponse:
        transfer = await self._transfers.receive(
            commands.ReceiveTransfer(
                request_id=request.request_id,
                transfer_id=request.transfer_id,
                lines=tuple(Receipt(line.sku, line.quantity, line.damaged) for line in request.lines),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReceiveTransferResponse(transfer=_transfer_out(transfer))

    async def SettleTransfer(
        self, request: pb.SettleTransferRequest, context: object
    ) -> pb.SettleTransferResponse:
        transfer = await self._transfers.settle(
            commands.SettleTransfer(
                request_id=request.request_id,
                transfer_id=request.transfer_id,
                lines=tuple(_settlement_in(line, f"lines[{i}]") for i, line in enumerate(request.lines)),
                actor=request.actor,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.SettleTransferResponse(transfer=_transfer_out(transfer))

    async def CancelTransfer(
        self, request: pb.CancelTransferRequest, context: object
    ) -> pb.CancelTransferResponse:
        transfer = await self._transfers.cancel(
            commands.CancelTransfer(
                request_id=request.request_id,
                transfer_id=request.transfer_id,
                actor=request.actor,
                reason=request.reason,
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.CancelTransferResponse(transfer=_transfer_out(transfer))

    async def GetTransfer(self, request: pb.GetTransferRequest, context: object) -> pb.GetTransferResponse:
        transfer, acts = await self._transfers.get(request.transfer_id)
        return pb.GetTransferResponse(transfer=_transfer_out(transfer, acts))

    async def ListTransfers(self, request: pb.ListTransfersRequest, context: object) -> pb.ListTransfersResponse:
        asked = paging.read(request.page, [""])
        states = [_state_in(state, f"states[{i}]") for i, state in enumerate(request.states)]
        found = await self._transfers.listed(request.point_ids, states, str(asked.after[0]), asked.size + 1)
        rows, page = paging.split(asked, found, lambda one: [one.transfer_id])
        return pb.ListTransfersResponse(transfers=[_transfer_out(one) for one in rows], page=page)

    async def ListInTransit(self, request: pb.ListInTransitRequest, context: object) -> pb.ListInTransitResponse:
        asked = paging.read(request.page, ["", "", ""])
        sku, point_id, transfer_id = map(str, asked.after)
        found = await self._transfers.in_transit(
            request.skus, request.point_ids, (sku, point_id, transfer_id), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda one: [one.sku, one.destination_id, one.transfer_id])
        return pb.ListInTransitResponse(
            in_transit=[
                pb.InTransit(
                    sku=one.sku,
                    destination_id=one.destination_id,
                    origin_id=one.origin_id,
                    transfer_id=one.transfer_id,
                    quantity=one.quantity,
                    expected=_window_out(one.expected),
                )
                for one in rows
            ],
            page=page,
        )

    async def FindTransferDifferences(
        self, request: pb.FindTransferDifferencesRequest, context: object
    ) -> pb.FindTransferDifferencesResponse:
        checked, found = await self._transfers.find_differences()
        return pb.FindTransferDifferencesResponse(
            checked=checked,
            differences=[
                pb.TransferDifference(
                    transfer_id=one.transfer_id,
                    sku=one.sku,
                    quantity=one.quantity,
                    line=one.line,
                    ledger=one.ledger,
                )
                for one in found
            ],
        )


# -- lanes ------------------------------------------------------------------------------------------------


def _lane_in(message: pb.Lane) -> Lane:
    cost = message.cost
    return Lane(
        lane_id=message.lane_id,
        origin_id=message.origin_id,
        destination_id=message.destination_id,
        departures=tuple(LaneDeparture(each.weekday, each.cut_off_minute) for each in message.departures),
        transit_days=message.transit_days,
        cost=LaneCost(cost.currency, cost.per_parcel_minor, cost.per_unit_minor, cost.per_kilogram_minor),
    )


def _lane_out(lane: Lane) -> pb.Lane:
    return pb.Lane(
        lane_id=lane.lane_id,
        origin_id=lane.origin_id,
        destination_id=lane.destination_id,
        departures=[
            pb.LaneDeparture(weekday=each.weekday, cut_off_minute=each.cut_off_minute) for each in lane.departures
        ],
        transit_days=lane.transit_days,
        cost=pb.LaneCost(
            currency=lane.cost.currency,
            per_parcel_minor=lane.cost.per_parcel_minor,
            per_unit_minor=lane.cost.per_unit_minor,
            per_kilogram_minor=lane.cost.per_kilogram_minor,
        ),
    )


def _money_out(money: Money | None) -> types.Money | None:
    return None if money is None else types.Money(amount_minor=money.amount_minor, currency=money.currency)


# -- transfers --------------------------------------------------------------------------------------------


def _quantities(messages: Iterable[pb.TransferQuantity]) -> tuple[Quantity, ...]:
    return tuple(Quantity(line.sku, line.quantity) for line in messages)


def _settlement_in(message: pb.TransferSettlement, field: str) -> Settlement:
    if message.outcome not in _OUTCOMES:
        raise InvalidArgument(f"{field}.outcome", "an outcome is required")
    return Settlement(message.sku, message.quantity, _OUTCOMES[message.outcome], message.reason)


def _state_in(number: "pb.TransferState.ValueType", field: str) -> TransferState:
    if number not in _STATES:
        raise InvalidArgument(field, "not a state of a transfer")
    return _STATES[number]


def _window_in(message: Message) -> Window | None:
    if not message.HasField("expected"):
        return None
    expected: types.Window = message.expected  # type: ignore[attr-defined]
    for field in ("start", "end"):
        if not expected.HasField(field):
            raise InvalidArgument(f"expected.{field}", "an instant is required")
    return Window(times.from_proto(expected.start), times.from_proto(expected.end))


def _window_out(window: Window | None) -> types.Window | None:
    if window is None:
        return None
    return types.Window(start=times.to_proto(window.start), end=times.to_proto(window.end))


def _transfer_out(transfer: Transfer, acts: Iterable[ActDone] = ()) -> pb.Transfer:
    return pb.Transfer(
        transfer_id=transfer.transfer_id,
        origin_id=transfer.origin_id,
        destination_id=transfer.destination_id,
        state=_STATES_OUT[transfer.state],
        lane_id=transfer.lane_id,
        expected=_window_out(transfer.expected),
        requested_at=times.to_proto(transfer.requested_at),
        dispatched_at=times.to_proto(transfer.dispatched_at) if transfer.dispatched_at else None,
        closed_at=times.to_proto(transfer.closed_at) if transfer.closed_at else None,
        lines=[
            pb.TransferLine(
                sku=line.sku,
                quantity=line.quantity,
                dispatched=line.dispatched,
                received=line.received,
                settled=line.settled,
                lost=line.lost,
                over=line.over,
                damaged=line.damaged,
                in_transit=line.in_transit,
            )
            for line in transfer.lines
        ],
        acts=[_act_out(done) for done in acts],
    )


def _act_out(done: ActDone) -> pb.TransferAct:
    return pb.TransferAct(
        act=done.act.value,
        actor=done.actor,
        reason=done.reason,
        at=times.to_proto(done.at),
        lines=[
            pb.TransferActLine(
                sku=line.sku,
                quantity=line.quantity,
                damaged=line.damaged,
                over=line.over,
                outcome=line.outcome,
                reason=line.reason,
            )
            for line in done.lines
        ],
    )
