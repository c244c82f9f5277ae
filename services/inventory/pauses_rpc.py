"""PauseService over gRPC: translates requests and answers, and nothing else."""

from datetime import datetime

from kit import times
from oms.inventory.v1 import pause_service_pb2 as pb
from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceServicer
from services.inventory import paging
from services.inventory.domain.pause_commands import StartPause
from services.inventory.domain.pauses import Pause
from services.inventory.pauses import Pausing


class PauseRpc(PauseServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, pausing: Pausing) -> None:
        self._pausing = pausing

    async def StartPause(self, request: pb.StartPauseRequest, context: object) -> pb.StartPauseResponse:
        as_of = times.field_or_now(request, "as_of")
        pause = await self._pausing.start(
            StartPause(
                request_id=request.request_id,
                point_id=request.point_id,
                sku=request.sku,
                channel_id=request.channel_id,
                reason=request.reason,
                from_at=times.field_or_none(request, "from_at"),
                until_at=times.field_or_none(request, "until_at"),
                actor=request.actor,
                as_of=as_of,
            )
        )
        return pb.StartPauseResponse(pause=_pause_out(pause, as_of))

    async def LiftPause(self, request: pb.LiftPauseRequest, context: object) -> pb.LiftPauseResponse:
        as_of = times.field_or_now(request, "as_of")
        pause = await self._pausing.lift(request.pause_id, request.actor, as_of)
        return pb.LiftPauseResponse(pause=_pause_out(pause, as_of))

    async def ListPauses(self, request: pb.ListPausesRequest, context: object) -> pb.ListPausesResponse:
        asked = paging.read(request.page, [""])
        as_of = times.field_or_now(request, "as_of")
        found = await self._pausing.listed(
            as_of, str(asked.after[0]), asked.size + 1, include_ended=request.include_ended
        )
        rows, page = paging.split(asked, found, lambda pause: [pause.pause_id])
        return pb.ListPausesResponse(pauses=[_pause_out(pause, as_of) for pause in rows], page=page)


def _pause_out(pause: Pause, now: datetime) -> pb.Pause:
    return pb.Pause(
        pause_id=pause.pause_id,
        point_id=pause.point_id,
        sku=pause.sku,
        channel_id=pause.channel_id,
        reason=pause.reason,
        from_at=times.to_proto(pause.from_at),
        until_at=times.to_proto(pause.until_at) if pause.until_at else None,
        paused_by=pause.paused_by,
        lifted_by=pause.lifted_by,
        lifted_at=times.to_proto(pause.lifted_at) if pause.lifted_at else None,
        in_force=pause.in_force(now),
    )
