"""Rulesets as the supply chain owns them: looked at, drafted, compared, published, withdrawn and rolled back."""

from typing import Annotated

from fastapi import Path, Query

from oms.promise.v1 import ruleset_service_pb2 as pb
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, act_id, router
from services.gateway.schemas.base import MAX_INT32, Listed, Page, Paged
from services.gateway.schemas.rulesets import (
    ActSent,
    CheckedView,
    ComparisonAsked,
    Content,
    DifferenceView,
    DraftSaved,
    PublicationSent,
    PublishedView,
    RulesetChangeView,
    RulesetStateView,
    RulesetVersionView,
)
from services.gateway.wire import message, sent, shown

rulesets_router = router("rulesets")

RulesetId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
VersionNumber = Annotated[int, Path(ge=1, le=MAX_INT32)]


@rulesets_router.get("/rulesets")
async def list_rulesets(clients: ClientsAre) -> Listed[RulesetStateView]:
    """List rulesets in id order, as they stand."""
    found = await clients.read(clients.rulesets.ListRulesets, pb.ListRulesetsRequest())
    return Listed(items=[shown(one, RulesetStateView) for one in found.rulesets])


@rulesets_router.get("/rulesets/{ruleset_id}")
async def get_ruleset(ruleset_id: RulesetId, clients: ClientsAre) -> RulesetStateView:
    """Show a ruleset: what is in force, what is scheduled and what is drafted, as fields and as text."""
    found = await clients.read(clients.rulesets.GetRuleset, pb.GetRulesetRequest(ruleset_id=ruleset_id))
    return shown(found.state, RulesetStateView)


@rulesets_router.get("/rulesets/{ruleset_id}/versions")
async def list_versions(
    ruleset_id: RulesetId, page: Annotated[Paged, Query()], clients: ClientsAre
) -> Page[RulesetVersionView]:
    """List published versions, newest first."""
    request = message(pb.ListRulesetVersionsRequest, {"ruleset_id": ruleset_id, "page": page.page})
    found = await clients.read(clients.rulesets.ListRulesetVersions, request)
    items = [shown(one, RulesetVersionView) for one in found.versions]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@rulesets_router.get("/rulesets/{ruleset_id}/versions/{version}")
async def get_version(ruleset_id: RulesetId, version: VersionNumber, clients: ClientsAre) -> RulesetVersionView:
    """Show a published version."""
    request = pb.GetRulesetVersionRequest(ruleset_id=ruleset_id, version=version)
    return shown((await clients.read(clients.rulesets.GetRulesetVersion, request)).version, RulesetVersionView)


@rulesets_router.get("/rulesets/{ruleset_id}/changes")
async def list_changes(
    ruleset_id: RulesetId, page: Annotated[Paged, Query()], clients: ClientsAre
) -> Page[RulesetChangeView]:
    """List who saved, published, withdrew or rolled back what, and why, newest first."""
    request = message(pb.ListRulesetChangesRequest, {"ruleset_id": ruleset_id, "page": page.page})
    found = await clients.read(clients.rulesets.ListRulesetChanges, request)
    items = [shown(one, RulesetChangeView) for one in found.changes]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@rulesets_router.get("/rulesets/{ruleset_id}/differences")
async def compare(
    ruleset_id: RulesetId, sides: Annotated[ComparisonAsked, Query()], clients: ClientsAre
) -> Listed[DifferenceView]:
    """Compare two versions, or the draft with a version, in the words of the text form."""
    request = pb.CompareRulesetsRequest(ruleset_id=ruleset_id, before=sides.before, after=sides.after)
    found = await clients.read(clients.rulesets.CompareRulesets, request)
    return Listed(items=[shown(one, DifferenceView) for one in found.differences])


@rulesets_router.post("/rulesets/{ruleset_id}/check")
async def check(ruleset_id: RulesetId, body: Content, clients: ClientsAre) -> CheckedView:
    """Check what a save would check, and tell what differs from what is in force. Saves nothing."""
    request = message(pb.CheckRulesetRequest, {"ruleset_id": ruleset_id, "content": _content(body)})
    found = await clients.read(clients.rulesets.CheckRuleset, request)
    return shown(found, CheckedView)


@rulesets_router.put("/rulesets/{ruleset_id}/draft")
async def save_draft(
    ruleset_id: RulesetId, body: DraftSaved, caller: CallerIs, clients: ClientsAre
) -> RulesetStateView:
    """Open the draft or replace it. The same content again changes nothing.

    What breaks a rule is a 422 that names the field, or for a text its line: facts `line` and `path`.
    """
    values = {
        "ruleset_id": ruleset_id,
        "content": _content(body),
        "revision": body.revision,
        "actor": caller.subject,
        "reason": body.reason,
    }
    answer = await clients.act(clients.rulesets.SaveDraft, message(pb.SaveDraftRequest, values))
    return shown(answer.state, RulesetStateView)


@rulesets_router.post("/rulesets/{ruleset_id}/draft/discard")
async def discard_draft(
    ruleset_id: RulesetId, body: ActSent, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> RulesetStateView:
    """Throw the draft away; its content stays in the changes."""
    request_id = act_id("discard-ruleset", ruleset_id, caller, body, key)
    more = {"request_id": request_id, "ruleset_id": ruleset_id, "actor": caller.subject}
    answer = await clients.act(clients.rulesets.DiscardDraft, sent(pb.DiscardDraftRequest, body, **more))
    return shown(answer.state, RulesetStateView)


@rulesets_router.post("/rulesets/{ruleset_id}/draft/publish")
async def publish_draft(
    ruleset_id: RulesetId, body: PublicationSent, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PublishedView:
    """Publish the draft as a version that judges from now on, or from an instant."""
    request_id = act_id("publish-ruleset", ruleset_id, caller, body, key)
    more = {"request_id": request_id, "ruleset_id": ruleset_id, "actor": caller.subject}
    answer = await clients.act(clients.rulesets.PublishDraft, sent(pb.PublishDraftRequest, body, **more))
    return shown(answer, PublishedView)


@rulesets_router.post("/rulesets/{ruleset_id}/versions/{version}/withdraw")
async def withdraw(
    ruleset_id: RulesetId,
    version: VersionNumber,
    body: ActSent,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> RulesetStateView:
    """Take a version back before it becomes effective."""
    request_id = act_id("withdraw-ruleset", f"{ruleset_id}/{version}", caller, body, key)
    more = {"request_id": request_id, "ruleset_id": ruleset_id, "version": version, "actor": caller.subject}
    answer = await clients.act(clients.rulesets.WithdrawVersion, sent(pb.WithdrawVersionRequest, body, **more))
    return shown(answer.state, RulesetStateView)


@rulesets_router.post("/rulesets/{ruleset_id}/versions/{version}/roll-back")
async def roll_back(
    ruleset_id: RulesetId,
    version: VersionNumber,
    body: PublicationSent,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> PublishedView:
    """Publish the content of an older version again, as a new one."""
    request_id = act_id("roll-back-ruleset", f"{ruleset_id}/{version}", caller, body, key)
    more = {"request_id": request_id, "ruleset_id": ruleset_id, "version": version, "actor": caller.subject}
    answer = await clients.act(clients.rulesets.RollBack, sent(pb.RollBackRequest, body, **more))
    return shown(answer, PublishedView)


def _content(body: Content) -> dict[str, object]:
    """As a RulesetContent."""
    return {"ruleset": body.ruleset.model_dump() if body.ruleset else None, "text": body.text}
