"""TrialService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import trial_service_pb2 as pb
from oms.orders.v1.trial_service_pb2_grpc import TrialServiceServicer
from services.orders import translate as to
from services.orders import wire
from services.orders.translate_trial import from_trial
from services.orders.trying import Trying


class TrialRpc(TrialServiceServicer):
    """Its two calls."""

    def __init__(self, trying: Trying) -> None:
        self._trying = trying

    @wire.checked
    async def DecideTrial(self, request: pb.DecideTrialRequest, context: Any) -> pb.DecideTrialResponse:
        trial = await self._trying.decide(
            wire.asked(request),
            request.order_id,
            to.to_units(request.returns),
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.DecideTrialResponse(trial=from_trial(trial))

    @wire.checked
    async def GiveUnitsBack(self, request: pb.GiveUnitsBackRequest, context: Any) -> pb.GiveUnitsBackResponse:
        trial = await self._trying.give_back(
            wire.asked(request),
            request.order_id,
            to.to_units(request.lines),
            request.point_id,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.GiveUnitsBackResponse(trial=from_trial(trial))
