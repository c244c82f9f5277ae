"""oms.promise.v1.CapacityService over Capacities. Only translates."""

from collections.abc import Iterable
from datetime import date

from kit import telemetry, times
from kit.errors import InvalidArgument
from oms.promise.v1 import capacity_service_pb2 as pb
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceServicer
from oms.type.v1 import type_pb2 as types
from services.promise import translate
from services.promise.capacities import Capacities
from services.promise.capacities_translate import cut_off_proto, figure_proto
from services.promise.domain.capacity import ALL_DAY, Counter, Limit, SetLimit
from services.promise.domain.takings import Taking

_MOST_ORDERS = 500


class CapacityRpc(CapacityServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, capacities: Capacities) -> None:
        self._capacities = capacities

    async def PutLimits(self, request: pb.PutLimitsRequest, context: object) -> pb.PutLimitsResponse:
        """Sets limits."""
        at = times.field_or_now(request, "as_of")
        changed = await self._capacities.put_limits(_to_limits(request.limits), at, request.actor)
        return pb.PutLimitsResponse(changed=changed)

    async def RemoveLimits(self, request: pb.RemoveLimitsRequest, context: object) -> pb.RemoveLimitsResponse:
        """Removes limits."""
        return pb.RemoveLimitsResponse(changed=await self._capacities.remove_limits(_to_limits(request.limits)))

    async def ListLimits(self, request: pb.ListLimitsRequest, context: object) -> pb.ListLimitsResponse:
        """Limits as they stand."""
        found = await self._capacities.list_limits(request.point_id, request.carrier_id)
        return pb.ListLimitsResponse(limits=[_set_limit_proto(one) for one in found])

    async def ListFigures(self, request: pb.ListFiguresRequest, context: object) -> pb.ListFiguresResponse:
        """What is taken of each day."""
        first, last = _to_date(request.from_date, "from_date"), _to_date(request.until_date, "until_date")
        found = await self._capacities.figures(request.point_id, first, last)
        return pb.ListFiguresResponse(figures=[figure_proto(one.counter, one.most, one.taken) for one in found])

    async def ListTakings(self, request: pb.ListTakingsRequest, context: object) -> pb.ListTakingsResponse:
        """What an order has taken."""
        found = await self._capacities.of_order(request.order_id)
        return pb.ListTakingsResponse(takings=[_taking_proto(one) for one in found])

    async def ListTakers(self, request: pb.ListTakersRequest, context: object) -> pb.ListTakersResponse:
        """A page of orders that have taken something."""
        after, size = _asked(request)
        found = await self._capacities.takers(request.order_ids, after, size)
        more = not request.order_ids and len(found) == size
        return pb.ListTakersResponse(
            takers=[pb.Taker(order_id=order_id, point_ids=point_ids) for order_id, point_ids in found],
            page=types.PageInfo(next_cursor=found[-1][0] if more else ""),
        )

    async def FindCapacityDifferences(
        self, request: pb.FindCapacityDifferencesRequest, context: object
    ) -> pb.FindCapacityDifferencesResponse:
        """Counters that are wrong."""
        checked, found = await self._capacities.differences()
        return pb.FindCapacityDifferencesResponse(
            checked=checked, differences=[_difference_proto(*one) for one in found]
        )

    async def ReleaseCapacity(
        self, request: pb.ReleaseCapacityRequest, context: object
    ) -> pb.ReleaseCapacityResponse:
        """Gives back what legs took."""
        with telemetry.about_order(request.order_id):
            released = await self._capacities.release(request.order_id, translate.to_places(request.legs))
        return pb.ReleaseCapacityResponse(released=released)


def _asked(request: pb.ListTakersRequest) -> tuple[str, int]:
    """After which id a page begins, and its size."""
    if len(request.order_ids) > _MOST_ORDERS:
        raise InvalidArgument("order_ids", f"at most {_MOST_ORDERS}")
    if not 0 <= request.page.size <= _MOST_ORDERS:
        raise InvalidArgument("page.size", f"1 to {_MOST_ORDERS}")
    return ("", _MOST_ORDERS) if request.order_ids else (request.page.cursor, request.page.size or 50)


def _difference_proto(counter: Counter, counted: int, taken: int) -> pb.CapacityDifference:
    return pb.CapacityDifference(
        point_id=counter.point_id,
        date=counter.day.isoformat(),
        carrier_id=counter.carrier_id,
        service_id=counter.service_id,
        cut_off_minute=cut_off_proto(counter.cut_off_minute),
        counted=counted,
        taken=taken,
    )


def _to_limits(limits: Iterable[pb.CapacityLimit]) -> list[Limit]:
    return [
        Limit(
            most=limit.most if limit.HasField("most") else None,
            point_id=limit.point_id,
            carrier_id=limit.carrier_id,
            service_id=limit.service_id,
            cut_off_minute=limit.cut_off_minute if limit.HasField("cut_off_minute") else ALL_DAY,
            weekday=limit.weekday,
            on=_to_date(limit.date, f"limits[{i}].date") if limit.date else None,
        )
        for i, limit in enumerate(limits)
    ]


def _to_date(value: str, field: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InvalidArgument(field, f"{field}: must be a date in ISO 8601, for example 2026-12-24") from None


def _set_limit_proto(found: SetLimit) -> pb.SetCapacityLimit:
    limit = found.limit
    return pb.SetCapacityLimit(
        limit=pb.CapacityLimit(
            point_id=limit.point_id,
            carrier_id=limit.carrier_id,
            service_id=limit.service_id,
            cut_off_minute=cut_off_proto(limit.cut_off_minute),
            weekday=limit.weekday,
            date=limit.on.isoformat() if limit.on else "",
            most=limit.most,
        ),
        set_at=times.to_proto(found.at),
        set_by=found.actor,
    )


def _taking_proto(taking: Taking) -> pb.CapacityTaking:
    return pb.CapacityTaking(
        decision_id=taking.decision_id,
        point_id=taking.place.point_id,
        prepared_on=taking.prepared_on.isoformat(),
        carrier_id=taking.carrier_id,
        service_id=taking.service_id,
        collected_on=taking.collected_on.isoformat(),
        cut_off_minute=taking.cut_off_minute,
        parcels=taking.parcels,
    )
