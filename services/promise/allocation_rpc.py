"""oms.promise.v1.AllocationService over PromiseService. Only translates."""

from datetime import timedelta

from kit import telemetry, times
from kit.errors import InvalidArgument
from oms.promise.v1 import allocation_service_pb2 as pb
from oms.promise.v1.allocation_service_pb2_grpc import AllocationServiceServicer
from services.promise import translate
from services.promise.service import PromiseService


class AllocationRpc(AllocationServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, service: PromiseService) -> None:
        self._service = service

    async def RankPoints(self, request: pb.RankPointsRequest, context: object) -> pb.RankPointsResponse:
        """The points that could do the work."""
        if request.answer_seconds < 1:
            raise InvalidArgument("answer_seconds", "at least 1")
        question = request.question
        with telemetry.about_order(question.order_id):
            ranked = await self._service.rank_points(
                question.order_id,
                translate.to_plan_request(question),
                translate.to_places(question.replaced_legs),
                timedelta(seconds=request.answer_seconds),
            )
        return pb.RankPointsResponse(
            points=[
                pb.RankedPoint(
                    leg=translate.leg_proto(one.leg),
                    answer_by=translate.stamp(one.answer_by),
                    cost_minor=one.cost_minor,
                )
                for one in ranked
            ]
        )

    async def MoveRoom(self, request: pb.MoveRoomRequest, context: object) -> pb.MoveRoomResponse:
        """The room of a leg goes to whoever took its work."""
        now = times.field_or_now(request, "as_of")
        hand_over_by = times.field_or_none(request, "hand_over_by")
        if hand_over_by is None:
            raise InvalidArgument("hand_over_by", "say when the parcel must leave")
        [place] = translate.to_places([request.from_leg])
        with telemetry.about_order(request.order_id):
            moved = await self._service.move_room(
                request.order_id,
                place,
                (request.to_point_id, request.carrier_id, request.service_id),
                hand_over_by,
                now,
            )
        return pb.MoveRoomResponse(moved=moved)
