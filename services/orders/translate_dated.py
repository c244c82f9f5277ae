"""Work that has other times for another appointment, from protobuf."""

from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.model import Leg
from services.orders.translate import to_legs


def to_dated(message: pb.RecordAppointmentMoveRequest) -> dict[str, Leg]:
    """By fulfilment. A leg says when its parcel must leave."""
    legs = to_legs(one.leg for one in message.dated)
    for i, (one, leg) in enumerate(zip(message.dated, legs, strict=True)):
        if not one.fulfilment_id:
            raise InvalidArgument(f"dated[{i}].fulfilment_id", "say which work")
        if leg.hand_over_by is None:
            raise InvalidArgument(f"dated[{i}].leg.hand_over_by", "a leg says when its parcel must leave")
    return {one.fulfilment_id: leg for one, leg in zip(message.dated, legs, strict=True)}
