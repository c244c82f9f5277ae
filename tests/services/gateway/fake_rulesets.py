"""Rulesets with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.promise.v1 import ruleset_service_pb2 as pb
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceServicer, add_RulesetServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

AT = times.to_proto(times.now())
RULESET = pb.Ruleset(
    ruleset_id="default",
    version=3,
    currency="EUR",
    max_parcels=3,
    alternatives=3,
    shipping_percent=100,
    distance_cost_minor_per_kilometre=0.15,
    preparation_costs=[pb.PointTypeCost(point_type=types.POINT_TYPE_STORE, cost_minor=220)],
    tiers=[pb.Tier(point_types=[types.POINT_TYPE_WAREHOUSE, types.POINT_TYPE_STORE])],
    low_cover=pb.LowCover(days=14, cost_minor=40),
)
DIFFERENCE = pb.RulesetDifference(path="low_cover.days", before="14", after="none")
VERSION = pb.RulesetVersion(
    ruleset=RULESET,
    text="currency: EUR\n",
    state=pb.RULESET_VERSION_STATE_IN_FORCE,
    effective_at=AT,
    published_at=AT,
    published_by="anna",
    reason="season",
    restored_version=1,
)
DRAFT = pb.RulesetDraft(
    ruleset=RULESET, text="revision: 7\ncurrency: EUR\n", saved_at=AT, saved_by="bert", differences=[DIFFERENCE]
)
STATE = pb.RulesetState(ruleset_id="default", revision=7, in_force=VERSION, draft=DRAFT)
CHANGE = pb.RulesetChange(
    revision=7, act=pb.RULESET_ACT_SAVED, changed_at=AT, actor="bert", reason="try", differences=[DIFFERENCE]
)


class FakeRulesets(RulesetServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ListRulesets(self, request: Any, context: Any) -> pb.ListRulesetsResponse:
        self._world.note("ListRulesets", request)
        return pb.ListRulesetsResponse(rulesets=[STATE, pb.RulesetState(ruleset_id="season", revision=1)])

    async def GetRuleset(self, request: Any, context: Any) -> pb.GetRulesetResponse:
        self._world.note("GetRuleset", request)
        return pb.GetRulesetResponse(state=STATE)

    async def GetRulesetVersion(self, request: Any, context: Any) -> pb.GetRulesetVersionResponse:
        self._world.note("GetRulesetVersion", request)
        return pb.GetRulesetVersionResponse(version=VERSION)

    async def ListRulesetVersions(self, request: Any, context: Any) -> pb.ListRulesetVersionsResponse:
        self._world.note("ListRulesetVersions", request)
        return pb.ListRulesetVersionsResponse(versions=[VERSION], page=types.PageInfo(next_cursor="3"))

    async def ListRulesetChanges(self, request: Any, context: Any) -> pb.ListRulesetChangesResponse:
        self._world.note("ListRulesetChanges", request)
        return pb.ListRulesetChangesResponse(changes=[CHANGE])

    async def CompareRulesets(self, request: Any, context: Any) -> pb.CompareRulesetsResponse:
        self._world.note("CompareRulesets", request)
        return pb.CompareRulesetsResponse(differences=[DIFFERENCE])

    async def CheckRuleset(self, request: Any, context: Any) -> pb.CheckRulesetResponse:
        self._world.note("CheckRuleset", request)
        return pb.CheckRulesetResponse(ruleset=RULESET, text="currency: EUR\n", differences=[DIFFERENCE])

    async def SaveDraft(self, request: Any, context: Any) -> pb.SaveDraftResponse:
        self._world.note("SaveDraft", request)
        return pb.SaveDraftResponse(state=STATE)

    async def DiscardDraft(self, request: Any, context: Any) -> pb.DiscardDraftResponse:
        self._world.note("DiscardDraft", request)
        return pb.DiscardDraftResponse(state=STATE)

    async def PublishDraft(self, request: Any, context: Any) -> pb.PublishDraftResponse:
        self._world.note("PublishDraft", request)
        return pb.PublishDraftResponse(version=4, state=STATE)

    async def WithdrawVersion(self, request: Any, context: Any) -> pb.WithdrawVersionResponse:
        self._world.note("WithdrawVersion", request)
        return pb.WithdrawVersionResponse(state=STATE)

    async def RollBack(self, request: Any, context: Any) -> pb.RollBackResponse:
        self._world.note("RollBack", request)
        return pb.RollBackResponse(version=4, state=STATE)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_RulesetServiceServicer_to_server(FakeRulesets(world), server)  # type: ignore[abstract]
