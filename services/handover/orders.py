"""Orders, as this service asks it: what work is, and the acts that points' people do. Each call is one RPC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.times import field_or_none
from kit.values.ids import derived_id
from oms.orders.v1 import orders_service_pb2 as pb
from services.handover.domain.agreeing import Step
from services.handover.domain.model import Handover, Message, Work
from services.handover.systems import Line, PreparationOrder, ShipTo

if TYPE_CHECKING:
    from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceAsyncStub

_Answer = (
    pb.AcceptOfferResponse
    | pb.RefuseOfferResponse
    | pb.RecordPickResponse
    | pb.CloseParcelResponse
    | pb.HandOverResponse
)
_TIMEOUT_SECONDS = 5.0
# What becomes of a parcel on its way is no matter of who prepared it.
_ON_ITS_WAY = (
    pb.FULFILMENT_STATE_LOST,
    pb.FULFILMENT_STATE_DAMAGED,
    pb.FULFILMENT_STATE_RETURNING,
    pb.FULFILMENT_STATE_RETURNED,
)
# What its customer collects waits prepared, as what a carrier takes does.
_PREPARED = (pb.FULFILMENT_STATE_READY,)


def _state_of(name: str, number: int) -> Work:
    if number in _PREPARED:
        return Work.PACKED
    return Work.HANDED_OVER if number in _ON_ITS_WAY else Work(name.removeprefix("FULFILMENT_STATE_").lower())


_WORK: Mapping[int, Work] = {
    number: _state_of(name, number) for name, number in pb.FulfilmentState.items() if number
}


@dataclass(frozen=True, slots=True)
class Found:
    """Work as it stands, and what a system would be sent of it: that holds an address, and is never kept."""

    work: Work
    order: PreparationOrder = field(repr=False)


class Orders:
    """The acts carry ids that are made of the message, so that an act whose answer was lost is done once."""

    def __init__(self, stub: "OrdersServiceAsyncStub") -> None:
        self._stub = stub

    async def find(self, fulfilment_id: str) -> Found:
        """Raises OmsError."""
        request = pb.GetFulfilmentRequest(fulfilment_id=fulfilment_id)
        answer = await self._stub.GetFulfilment(request, timeout=_TIMEOUT_SECONDS)
        work, to = answer.fulfilment, answer.ship_to
        order = PreparationOrder(
            fulfilment_id=work.fulfilment_id,
            order_id=work.order_id,
            point_id=work.point_id,
            carrier_id=work.carrier_id,
            service_id=work.service_id,
            lines=tuple(Line(one.line_number, one.sku, one.title, one.quantity) for one in work.lines),
            start_by=field_or_none(work, "latest_start"),
            hand_over_by=field_or_none(work, "hand_over_by"),
            # What goes to a hub is sent to that point, by the id that both know it by.
            ship_to=ShipTo(
                answer.hub_point_id or to.name, tuple(to.street_lines), to.postcode, to.city, to.country
            ),
        )
        return Found(_WORK[work.state], order)

    async def act(self, handover: Handover, step: Step, message: Message) -> Work:
        """Asks for one step in the name of the system, for work at its point only. Raises OmsError."""
        actor = f"system:{handover.system_id}"
        about: dict[str, Any] = {
            "request_id": derived_id("req", actor, message.fulfilment_id, message.message_id, step),
            "fulfilment_id": message.fulfilment_id,
            "actor": actor,
            "reach": pb.Reach(point_ids=[handover.point_id]),
        }
        return _WORK[(await self._ask(step, message, about)).fulfilment.state]

    async def _ask(self, step: Step, message: Message, about: Mapping[str, Any]) -> _Answer:
        match step:
            case Step.ACCEPT:
                return await self._stub.AcceptOffer(pb.AcceptOfferRequest(**about), timeout=_TIMEOUT_SECONDS)
            case Step.REFUSE:
                refusal = pb.RefuseOfferRequest(**about, reason=message.refusal)
                return await self._stub.RefuseOffer(refusal, timeout=_TIMEOUT_SECONDS)
            case Step.PICK:
                found = [pb.PlannedLine(line_number=number, quantity=many) for number, many in message.found]
                pick = pb.RecordPickRequest(**about, found=found)
                return await self._stub.RecordPick(pick, timeout=_TIMEOUT_SECONDS)
            case Step.CLOSE:
                parcel = pb.CloseParcelRequest(**about, weight_grams=message.weight_grams)
                return await self._stub.CloseParcel(parcel, timeout=_TIMEOUT_SECONDS)
            case Step.HAND_OVER:
                gone = pb.HandOverRequest(**about, tracking_code=message.tracking_code)
                return await self._stub.HandOver(gone, timeout=_TIMEOUT_SECONDS)
