"""HandoverService over gRPC: translates, nothing else."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import InvalidArgument
from kit.times import field_or_now, to_proto
from oms.handover.v1 import handover_service_pb2 as pb
from oms.handover.v1.handover_service_pb2_grpc import HandoverServiceServicer
from oms.type.v1 import type_pb2 as types
from services.handover.domain.model import Alert, Heard, State, System
from services.handover.service import Filters, HandoverService, Shown

_PREFIX = "HANDOVER_STATE_"
_STATES: dict[int, State] = {
    number: State(name.removeprefix(_PREFIX).lower()) for name, number in pb.HandoverState.items() if number
}
_NUMBERS = {state: number for number, state in _STATES.items()}


class HandoverRpc(HandoverServiceServicer):
    """The servicer."""

    def __init__(self, service: HandoverService) -> None:
        self._service = service

    async def PutSystems(self, request: pb.PutSystemsRequest, context: object) -> pb.PutSystemsResponse:
        systems = [
            System(
                one.system_id,
                one.name,
                tuple(one.point_ids),
                one.enabled,
                one.acknowledge_tolerance_seconds,
                one.ship_tolerance_seconds,
            )
            for one in request.systems
        ]
        changed = await self._service.put_systems(systems, request.actor, field_or_now(request, "as_of"))
        return pb.PutSystemsResponse(changed=changed)

    async def ListSystems(self, request: pb.ListSystemsRequest, context: object) -> pb.ListSystemsResponse:
        return pb.ListSystemsResponse(systems=[_system(one) for one in await self._service.list_systems()])

    async def ReceiveMessages(
        self, request: pb.ReceiveMessagesRequest, context: object
    ) -> pb.ReceiveMessagesResponse:
        accepted, duplicates = await self._service.receive(
            request.system_id, request.payload, request.headers, field_or_now(request, "as_of")
        )
        return pb.ReceiveMessagesResponse(accepted=accepted, duplicates=duplicates)

    async def ListHandovers(self, request: pb.ListHandoversRequest, context: object) -> pb.ListHandoversResponse:
        filters = Filters(request.alert, list(request.system_ids), _states(request.states), request.order_id)
        page = await self._service.list_handovers(filters, request.page.size, request.page.cursor)
        return pb.ListHandoversResponse(
            handovers=[_handover(one) for one in page.handovers],
            page=types.PageInfo(next_cursor=page.next_cursor),
        )

    async def GetHandover(self, request: pb.GetHandoverRequest, context: object) -> pb.GetHandoverResponse:
        found, heard = await self._service.get_handover(request.fulfilment_id)
        return pb.GetHandoverResponse(handover=_handover(found), messages=[_message(one) for one in heard])

    async def CloseAlert(self, request: pb.CloseAlertRequest, context: object) -> pb.CloseAlertResponse:
        as_of = field_or_now(request, "as_of")
        request.ClearField("as_of")
        closed = await self._service.close_alert(
            request.request_id,
            request.SerializeToString(deterministic=True),
            request.alert_id,
            request.note,
            request.actor,
            as_of,
        )
        return pb.CloseAlertResponse(alert=_alert(closed))


def _states(numbers: Sequence[int]) -> list[State]:
    for i, number in enumerate(numbers):
        if number not in _STATES:
            raise InvalidArgument(f"states[{i}]", "not a value of this field")
    return [_STATES[number] for number in numbers]


def _system(system: System) -> pb.System:
    return pb.System(
        system_id=system.system_id,
        name=system.name,
        point_ids=system.point_ids,
        enabled=system.enabled,
        acknowledge_tolerance_seconds=system.acknowledge_tolerance_seconds,
        ship_tolerance_seconds=system.ship_tolerance_seconds,
    )


def _handover(shown: Shown) -> pb.Handover:
    one = shown.handover
    made = pb.Handover(
        fulfilment_id=one.fulfilment_id,
        order_id=one.order_id,
        system_id=one.system_id,
        point_id=one.point_id,
        state=_NUMBERS[one.state],  # type: ignore[arg-type]
        attempts=one.attempts,
        last_error=one.last_error,
        alerts=[_alert(each) for each in shown.alerts],
    )
    for name in ("created_at", "sent_at", "heard_at", "acknowledge_by", "ship_by", "due_at"):
        if instant := getattr(one, name):
            stamp: Timestamp = getattr(made, name)
            stamp.CopyFrom(to_proto(instant))
    return made


def _alert(alert: Alert) -> pb.Alert:
    return pb.Alert(
        alert_id=alert.alert_id,
        fulfilment_id=alert.fulfilment_id,
        kind=alert.kind.value,
        text=alert.text,
        raised_at=to_proto(alert.raised_at),
        closed_at=to_proto(alert.closed_at) if alert.closed_at else None,
        closed_by=alert.closed_by,
        note=alert.note,
    )


def _message(heard: Heard) -> pb.SystemMessage:
    one = heard.message
    return pb.SystemMessage(
        message_id=one.message_id,
        kind=one.kind.value,
        occurred_at=to_proto(one.occurred_at),
        received_at=to_proto(heard.received_at),
        state=heard.state.value,
        reason=heard.reason,
        found=[pb.FoundLine(line_number=number, quantity=quantity) for number, quantity in one.found],
        weight_grams=one.weight_grams,
        tracking_code=one.tracking_code,
    )
