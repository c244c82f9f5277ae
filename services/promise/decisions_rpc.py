"""oms.promise.v1.DecisionService over Decisions. Only translates."""

from kit.errors import InvalidArgument
from oms.promise.v1 import decision_service_pb2 as pb
from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceServicer
from oms.type.v1 import type_pb2 as types
from services.promise import decisions_translate as translate
from services.promise.decisions import Decisions

_MAX_SIZE, _DEFAULT_SIZE = 500, 50


class DecisionRpc(DecisionServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    async def GetDecision(self, request: pb.GetDecisionRequest, context: object) -> pb.GetDecisionResponse:
        """A recorded decision with a page of its stock."""
        start, size = _asked(request.page)
        decision = await self._decisions.get(request.decision_id)
        wanted = frozenset(request.skus)
        seen = [one for one in decision.outcome.seen if not wanted or one.sku in wanted]
        end = start + size
        return pb.GetDecisionResponse(
            decision=translate.decision_proto(decision, seen[start:end]),
            page=types.PageInfo(next_cursor=str(end) if end < len(seen) else ""),
        )

    async def ListDecisions(self, request: pb.ListDecisionsRequest, context: object) -> pb.ListDecisionsResponse:
        """A page of an order's decisions."""
        after, size = _asked(request.page)
        found = await self._decisions.of_order(request.order_id, after, size + 1)
        page, more = found[:size], len(found) > size
        return pb.ListDecisionsResponse(
            decisions=[translate.decision_proto(decision, ()) for _, decision in page],
            page=types.PageInfo(next_cursor=str(page[-1][0]) if more else ""),
        )

    async def ExplainDecision(
        self, request: pb.ExplainDecisionRequest, context: object
    ) -> pb.ExplainDecisionResponse:
        """A decision in sentences."""
        told = await self._decisions.explain(request.decision_id, request.why_not_point_id)
        return pb.ExplainDecisionResponse(explanation=translate.explanation_proto(told))


def _asked(page: types.PageRequest) -> tuple[int, int]:
    """Where a page begins, and its size."""
    if not 0 <= page.size <= _MAX_SIZE:
        raise InvalidArgument("page.size", f"not between 1 and {_MAX_SIZE}")
    cursor = page.cursor
    is_number = cursor.isascii() and cursor.isdigit() and len(cursor) < 19
    if cursor and not is_number:
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return int(cursor or 0), page.size or _DEFAULT_SIZE
