"""Decisions with canned answers, of one order."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import NotFound
from oms.promise.v1 import decision_service_pb2 as pb
from oms.promise.v1 import promise_service_pb2 as promise
from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceServicer, add_DecisionServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from tests.services.gateway.bodies import PARAMETERS

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

WINDOW = types.Window(start=times.to_proto(times.now()), end=times.to_proto(times.now()))
PRICE = types.Money(amount_minor=490, currency="EUR")
PLAN = promise.Plan(
    legs=[promise.Leg(point_id="store-lyon", window=WINDOW, parcels=1)],
    window=WINDOW,
    total_cost_minor=620,
    costs=[promise.CostComponent(name="shipping", amount_minor=620)],
    price=PRICE,
)
BRIEF = pb.Decision(
    decision_id="dec_1",
    order_id=PARAMETERS["order_id"],
    as_of=WINDOW.start,
    mode=types.DELIVERY_MODE_HOME_STANDARD,
    lines=[promise.BasketLine(line_number=1, sku="SKU-1", quantity=1)],
    ruleset_id="default",
    ruleset_version=3,
    plans=[PLAN],
    proved_optimal=True,
    least_cost_minor=620,
    inputs_hash="ab" * 32,
    time_zone="Europe/Paris",
    quote_id="quo_1",
    quoted=promise.DeliveryOption(mode=types.DELIVERY_MODE_HOME_STANDARD, window=WINDOW, price=PRICE, plan=PLAN),
)
EXPLANATION = pb.Explanation(
    decision_id="dec_1",
    order_id=PARAMETERS["order_id"],
    sections=[
        pb.ExplanationSection(
            name="split",
            sentences=[
                pb.ExplanationSentence(
                    code="NOT_SPLIT",
                    text="It is not split: store-lyon had all that is sent.",
                    facts={"point_id": "store-lyon"},
                )
            ],
        )
    ],
)


class FakeDecisions(DecisionServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def GetDecision(self, request: Any, context: Any) -> pb.GetDecisionResponse:
        self._world.note("GetDecision", request)
        _check(request.decision_id)
        whole = pb.Decision(
            seen=[pb.SeenStock(sku="SKU-1", point_id="store-lyon", available=2)],
            rejected=[pb.RejectedCandidate(point_id="store-nice", reason="NO_STOCK", detail="no unit")],
            points=[pb.KnownPoint(point_id="store-lyon", type=types.POINT_TYPE_STORE, can_send=True)],
        )
        whole.MergeFrom(BRIEF)
        return pb.GetDecisionResponse(decision=whole, page=types.PageInfo(next_cursor="50"))

    async def ListDecisions(self, request: Any, context: Any) -> pb.ListDecisionsResponse:
        self._world.note("ListDecisions", request)
        return pb.ListDecisionsResponse(decisions=[BRIEF], page=types.PageInfo(next_cursor="7"))

    async def ExplainDecision(self, request: Any, context: Any) -> pb.ExplainDecisionResponse:
        self._world.note("ExplainDecision", request)
        _check(request.decision_id)
        return pb.ExplainDecisionResponse(explanation=EXPLANATION)


def _check(decision_id: str) -> None:
    if decision_id != BRIEF.decision_id:
        raise NotFound("DECISION_NOT_FOUND", f"there is no decision {decision_id}", decision_id=decision_id)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_DecisionServiceServicer_to_server(FakeDecisions(world), server)
