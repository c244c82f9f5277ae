"""Rulesets over gRPC: every field crosses the wire, errors keep their field and line."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import Conflict, InvalidArgument, NotFound
from oms.promise.v1 import ruleset_service_pb2 as pb
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub, add_RulesetServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.promise.rulesets import Rulesets
from services.promise.rulesets_rpc import RulesetRpc
from tests.services.promise.network import NOW

if TYPE_CHECKING:
    from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceAsyncStub

AT_NOW = times.to_proto(NOW)
WHO: dict[str, Any] = {"ruleset_id": "default", "actor": "anna", "reason": "season", "as_of": AT_NOW}
FULL = pb.Ruleset(
    ruleset_id="default",
    currency="EUR",
    split_cost_minor=300,
    preparation_costs=[pb.PointTypeCost(point_type=types.POINT_TYPE_STORE, cost_minor=200)],
    distance_cost_minor_per_kilometre=0.15,
    lateness_cost_minor_per_day=500,
    max_parcels=4,
    alternatives=2,
    shipping_percent=0,
    priority_costs=[pb.PointTypeCost(point_type=types.POINT_TYPE_SUPPLIER, cost_minor=90)],
    tiers=[
        pb.Tier(point_types=[types.POINT_TYPE_WAREHOUSE, types.POINT_TYPE_STORE]),
        pb.Tier(point_types=[types.POINT_TYPE_PARTNER]),
    ],
    max_distance_kilometres=800,
    max_delivery_days=9,
    min_split_value_minor=1_500,
    together_tags=["set"],
    low_cover=pb.LowCover(days=14, cost_minor=40),
    consolidation=pb.Consolidation(cost_minor=150, wait_days=2),
    markdown=pb.Markdown(days=21, gain_percent=2),
    short_pick_cost_minor=60,
    capacity_pressure_minor=70,
    max_wait_days=5,
    waiting_day_minor=80,
)


@pytest_asyncio.fixture
async def stub(promise_db: AsyncEngine) -> "AsyncIterator[RulesetServiceAsyncStub]":
    server = rpc.build_server()
    add_RulesetServiceServicer_to_server(RulesetRpc(Rulesets(promise_db)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = rpc.connect(f"127.0.0.1:{port}")
    yield RulesetServiceStub(channel)
    await channel.close(None)
    await server.stop(None)


def content(**values: Any) -> pb.RulesetContent:
    ruleset = pb.Ruleset()
    ruleset.CopyFrom(FULL)
    for name, value in values.items():
        setattr(ruleset, name, value)
    return pb.RulesetContent(ruleset=ruleset)


async def published(stub: "RulesetServiceAsyncStub", **values: Any) -> pb.RulesetVersion:
    request = pb.PublishRulesetRequest(content=content(**values), actor="anna", reason="first", as_of=AT_NOW)
    return (await stub.PublishRuleset(request)).version


async def test_every_field_crosses_the_wire_as_fields_and_as_text(stub: "RulesetServiceAsyncStub") -> None:
    version = await published(stub)
    expected = content(version=1).ruleset
    assert version.ruleset == expected
    as_text = pb.RulesetContent(text=version.text)
    checked = await stub.CheckRuleset(pb.CheckRulesetRequest(ruleset_id="default", content=as_text, as_of=AT_NOW))
    assert checked.ruleset == FULL
    assert checked.text == version.text
    assert not checked.differences
    again = pb.PublishRulesetRequest(content=as_text, actor="bert", reason="again", as_of=AT_NOW)
    assert (await stub.PublishRuleset(again)).version == version


async def test_what_is_absent_has_its_default(stub: "RulesetServiceAsyncStub") -> None:
    bare = pb.RulesetContent(ruleset=pb.Ruleset(currency="EUR"))
    checked = await stub.CheckRuleset(pb.CheckRulesetRequest(ruleset_id="season", content=bare))
    found = checked.ruleset
    assert (found.ruleset_id, found.max_parcels, found.alternatives, found.shipping_percent) == (
        "season",
        3,
        3,
        100,
    )
    assert not found.HasField("low_cover")
    assert not found.HasField("markdown")


async def test_a_ruleset_goes_through_its_life(stub: "RulesetServiceAsyncStub") -> None:
    await published(stub)
    wanted = content(max_parcels=2)
    saved = (await stub.SaveDraft(pb.SaveDraftRequest(content=wanted, revision=1, **WHO))).state
    assert (saved.revision, saved.draft.ruleset, saved.draft.saved_by) == (2, wanted.ruleset, "anna")
    assert "revision: 2\n" in saved.draft.text
    assert "revision: 2\n" in saved.in_force.text
    difference = pb.RulesetDifference(path="max_parcels", before="4", after="2")
    assert list(saved.draft.differences) == [difference]
    compared = await stub.CompareRulesets(pb.CompareRulesetsRequest(ruleset_id="default", as_of=AT_NOW))
    assert list(compared.differences) == [difference]

    edited = saved.draft.text.replace("max_parcels: 2", "max_parcels: 3")
    by_text = pb.SaveDraftRequest(content=pb.RulesetContent(text=edited), **WHO)
    assert (await stub.SaveDraft(by_text)).state.draft.ruleset.max_parcels == 3

    later = times.to_proto(NOW + timedelta(hours=1))
    publish = pb.PublishDraftRequest(request_id="p", revision=3, effective_at=later, **WHO)
    done = await stub.PublishDraft(publish)
    assert await stub.PublishDraft(publish) == done
    assert (done.version, done.state.scheduled[0].effective_at) == (2, later)
    assert done.state.scheduled[0].state == pb.RULESET_VERSION_STATE_SCHEDULED
    assert done.state.in_force.ruleset.version == 1

    withdraw = pb.WithdrawVersionRequest(request_id="w", version=2, revision=4, **WHO)
    assert not (await stub.WithdrawVersion(withdraw)).state.scheduled
    which = pb.GetRulesetVersionRequest(ruleset_id="default", version=2, as_of=AT_NOW)
    gone = (await stub.GetRulesetVersion(which)).version
    assert (gone.state, gone.withdrawn_by) == (pb.RULESET_VERSION_STATE_WITHDRAWN, "anna")
    assert gone.withdrawn_at == AT_NOW
    assert "revision" not in gone.text, "it is to be read, not to be saved"

    back = await stub.RollBack(pb.RollBackRequest(request_id="b", version=2, revision=5, **WHO))
    assert (back.version, back.state.in_force.restored_version) == (3, 2)
    await stub.SaveDraft(pb.SaveDraftRequest(content=content(max_parcels=9), revision=6, **WHO))
    discarded = await stub.DiscardDraft(pb.DiscardDraftRequest(request_id="d", revision=7, **WHO))
    assert not discarded.state.HasField("draft")
    (listed,) = (await stub.ListRulesets(pb.ListRulesetsRequest(as_of=AT_NOW))).rulesets
    assert listed == discarded.state
    found = await stub.GetRuleset(pb.GetRulesetRequest(ruleset_id="default", as_of=AT_NOW))
    assert found.state == listed


async def test_versions_and_changes_come_in_pages_newest_first(stub: "RulesetServiceAsyncStub") -> None:
    for parcels in (1, 2, 3):
        await published(stub, max_parcels=parcels)
    cursor = ""
    versions: list[pb.RulesetVersion] = []
    changes: list[pb.RulesetChange] = []
    for _ in range(3):
        page = types.PageRequest(size=1, cursor=cursor)
        of_versions = await stub.ListRulesetVersions(
            pb.ListRulesetVersionsRequest(ruleset_id="default", page=page, as_of=AT_NOW)
        )
        of_changes = await stub.ListRulesetChanges(pb.ListRulesetChangesRequest(ruleset_id="default", page=page))
        versions += of_versions.versions
        changes += of_changes.changes
        assert of_versions.page == of_changes.page
        cursor = of_versions.page.next_cursor
    assert not cursor
    assert [(one.ruleset.version, one.state) for one in versions] == [
        (3, pb.RULESET_VERSION_STATE_IN_FORCE),
        (2, pb.RULESET_VERSION_STATE_SUPERSEDED),
        (1, pb.RULESET_VERSION_STATE_SUPERSEDED),
    ]
    assert [(one.revision, one.act, one.version) for one in changes] == [
        (number, pb.RULESET_ACT_PUBLISHED, number) for number in (3, 2, 1)
    ]
    assert changes[0].differences[0] == pb.RulesetDifference(path="max_parcels", before="2", after="3")
    for cursor in ("0", "x", "-1", "²", "99999999999"):
        with pytest.raises(InvalidArgument, match="not a cursor"):
            await stub.ListRulesetChanges(
                pb.ListRulesetChangesRequest(ruleset_id="default", page=types.PageRequest(cursor=cursor))
            )
    with pytest.raises(InvalidArgument, match="not between"):
        await stub.ListRulesetChanges(
            pb.ListRulesetChangesRequest(ruleset_id="default", page=types.PageRequest(size=501))
        )


async def test_errors_name_the_field_as_it_was_sent_or_the_line(stub: "RulesetServiceAsyncStub") -> None:
    no_type = pb.Ruleset(
        currency="EUR", tiers=[pb.Tier(point_types=[types.POINT_TYPE_STORE, types.POINT_TYPE_UNSPECIFIED])]
    )
    twice = pb.Ruleset(
        currency="EUR",
        priority_costs=[
            pb.PointTypeCost(point_type=number, cost_minor=1)
            for number in (types.POINT_TYPE_STORE, types.POINT_TYPE_WAREHOUSE, types.POINT_TYPE_STORE)
        ],
    )
    for ruleset, field in (
        (no_type, "ruleset.tiers[0].point_types[1]"),
        (twice, "ruleset.priority_costs[2].point_type"),
        (pb.Ruleset(currency="EUR", low_cover=pb.LowCover(cost_minor=5)), "ruleset.low_cover.days"),
    ):
        request = pb.SaveDraftRequest(content=pb.RulesetContent(ruleset=ruleset), revision=0, **WHO)
        with pytest.raises(InvalidArgument) as caught:
            await stub.SaveDraft(request)
        assert caught.value.facts["field"] == field
    text = pb.RulesetContent(text="currency: EUR\nmax_parcles: 3")
    with pytest.raises(InvalidArgument) as typo:
        await stub.SaveDraft(pb.SaveDraftRequest(content=text, revision=0, **WHO))
    assert (typo.value.reason, typo.value.facts["line"]) == ("UNKNOWN_KEY", "2")
    with pytest.raises(InvalidArgument, match="CONTENT_MISSING"):
        await stub.SaveDraft(pb.SaveDraftRequest(revision=0, **WHO))
    with pytest.raises(NotFound, match="RULESET_NOT_FOUND"):
        await stub.GetRuleset(pb.GetRulesetRequest(ruleset_id="default"))
    await published(stub)
    with pytest.raises(InvalidArgument, match="REVISION_MISSING"):
        await stub.SaveDraft(pb.SaveDraftRequest(content=content(max_parcels=2), **WHO))
    with pytest.raises(Conflict, match="RULESET_CHANGED"):
        await stub.SaveDraft(pb.SaveDraftRequest(content=content(max_parcels=2), revision=0, **WHO))
    with pytest.raises(NotFound, match="VERSION_NOT_FOUND"):
        await stub.GetRulesetVersion(pb.GetRulesetVersionRequest(ruleset_id="default", version=2))


async def test_the_same_request_id_with_other_content_is_a_conflict(stub: "RulesetServiceAsyncStub") -> None:
    await stub.SaveDraft(pb.SaveDraftRequest(content=content(), revision=0, **WHO))
    await stub.PublishDraft(pb.PublishDraftRequest(request_id="p", revision=1, **WHO))
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await stub.PublishDraft(pb.PublishDraftRequest(request_id="p", revision=2, **WHO))
    at_another_moment = WHO | {"as_of": times.to_proto(NOW + timedelta(minutes=1))}
    assert (
        await stub.PublishDraft(pb.PublishDraftRequest(request_id="p", revision=1, **at_another_moment))
    ).version == 1
