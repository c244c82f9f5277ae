"""What is told of capacity in more than one service of promise, as protos. Translates, never judges."""

from oms.promise.v1 import capacity_service_pb2 as pb
from services.promise.domain.capacity import ALL_DAY, Counter


def figure_proto(counter: Counter, most: int | None, taken: int) -> pb.CapacityFigure:
    """How full a day is."""
    return pb.CapacityFigure(
        point_id=counter.point_id,
        date=counter.day.isoformat(),
        carrier_id=counter.carrier_id,
        service_id=counter.service_id,
        cut_off_minute=cut_off_proto(counter.cut_off_minute),
        most=most,
        taken=taken,
        left=None if most is None else max(0, most - taken),
    )


def cut_off_proto(minute: int) -> int | None:
    """One cut-off; None for the whole day."""
    return None if minute == ALL_DAY else minute
