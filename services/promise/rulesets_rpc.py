"""oms.promise.v1.RulesetService over Rulesets. Only translates."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from kit import times
from kit.errors import InvalidArgument
from oms.promise.v1 import ruleset_service_pb2 as pb
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceServicer
from oms.type.v1 import type_pb2
from services.promise import rulesets_translate as t
from services.promise.domain.ruleset_versions import Edit
from services.promise.rulesets import DRAFT, IN_FORCE, Rulesets

_MAX_SIZE, _DEFAULT_SIZE = 500, 50
# Above every number of a version and of a change.
_NEWEST = 2**31 - 1
T = TypeVar("T")
M = TypeVar("M", bound=Message)


class RulesetRpc(RulesetServiceServicer):
    """One method an RPC; errors are raised as they are (kit.rpc answers them)."""

    def __init__(self, rulesets: Rulesets) -> None:
        self._rulesets = rulesets

    async def ListRulesets(self, request: pb.ListRulesetsRequest, context: object) -> pb.ListRulesetsResponse:
        as_of = times.field_or_now(request, "as_of")
        books = await self._rulesets.listed()
        return pb.ListRulesetsResponse(rulesets=[t.state_out(book, as_of) for book in books])

    async def GetRuleset(self, request: pb.GetRulesetRequest, context: object) -> pb.GetRulesetResponse:
        book = await self._rulesets.get(request.ruleset_id)
        return pb.GetRulesetResponse(state=t.state_out(book, times.field_or_now(request, "as_of")))

    async def GetRulesetVersion(
        self, request: pb.GetRulesetVersionRequest, context: object
    ) -> pb.GetRulesetVersionResponse:
        book = await self._rulesets.get(request.ruleset_id)
        version, as_of = book.version(request.version), times.field_or_now(request, "as_of")
        return pb.GetRulesetVersionResponse(version=t.version_out(version, book, as_of))

    async def ListRulesetVersions(
        self, request: pb.ListRulesetVersionsRequest, context: object
    ) -> pb.ListRulesetVersionsResponse:
        before, size = _asked(request.page)
        book = await self._rulesets.get(request.ruleset_id)
        as_of = times.field_or_now(request, "as_of")
        found = [one for one in reversed(book.versions) if one.number < before]
        rows, page = _split(found, size, lambda version: version.number)
        return pb.ListRulesetVersionsResponse(
            versions=[t.version_out(one, book, as_of) for one in rows], page=page
        )

    async def ListRulesetChanges(
        self, request: pb.ListRulesetChangesRequest, context: object
    ) -> pb.ListRulesetChangesResponse:
        before, size = _asked(request.page)
        found = await self._rulesets.list_changes(request.ruleset_id, before, size + 1)
        rows, page = _split(found, size, lambda change: change.revision)
        return pb.ListRulesetChangesResponse(changes=[t.change_out(one) for one in rows], page=page)

    async def CompareRulesets(
        self, request: pb.CompareRulesetsRequest, context: object
    ) -> pb.CompareRulesetsResponse:
        found = await self._rulesets.compare(
            request.ruleset_id,
            request.before or IN_FORCE,
            request.after or DRAFT,
            times.field_or_now(request, "as_of"),
        )
        return pb.CompareRulesetsResponse(differences=t.differences_out(found))

    async def CheckRuleset(self, request: pb.CheckRulesetRequest, context: object) -> pb.CheckRulesetResponse:
        as_of = times.field_or_now(request, "as_of")
        checked = await self._rulesets.check(request.ruleset_id, t.content_in(request.content), as_of)
        return pb.CheckRulesetResponse(
            ruleset=t.ruleset_out(checked.ruleset),
            text=checked.text,
            differences=t.differences_out(checked.differences),
        )

    async def SaveDraft(self, request: pb.SaveDraftRequest, context: object) -> pb.SaveDraftResponse:
        edit = _edit(request, request.revision if request.HasField("revision") else None)
        book = await self._rulesets.save_draft(edit, t.content_in(request.content))
        return pb.SaveDraftResponse(state=t.state_out(book, edit.as_of))

    async def DiscardDraft(self, request: pb.DiscardDraftRequest, context: object) -> pb.DiscardDraftResponse:
        edit = _edit(request, request.revision, request.request_id)
        book = await self._rulesets.discard_draft(edit, _content(request))
        return pb.DiscardDraftResponse(state=t.state_out(book, edit.as_of))

    async def PublishDraft(self, request: pb.PublishDraftRequest, context: object) -> pb.PublishDraftResponse:
        edit = _edit(request, request.revision, request.request_id)
        effective_at = times.field_or_none(request, "effective_at")
        done = await self._rulesets.publish_draft(edit, effective_at, _content(request))
        return pb.PublishDraftResponse(version=done.version, state=t.state_out(done.book, edit.as_of))

    async def PublishRuleset(
        self, request: pb.PublishRulesetRequest, context: object
    ) -> pb.PublishRulesetResponse:
        as_of = times.field_or_now(request, "as_of")
        edit = Edit("", None, request.actor, request.reason, as_of)
        book, version = await self._rulesets.publish(edit, t.content_in(request.content))
        return pb.PublishRulesetResponse(version=t.version_out(version, book, as_of))

    async def WithdrawVersion(
        self, request: pb.WithdrawVersionRequest, context: object
    ) -> pb.WithdrawVersionResponse:
        edit = _edit(request, request.revision, request.request_id)
        book = await self._rulesets.withdraw(edit, request.version, _content(request))
        return pb.WithdrawVersionResponse(state=t.state_out(book, edit.as_of))

    async def RollBack(self, request: pb.RollBackRequest, context: object) -> pb.RollBackResponse:
        edit = _edit(request, request.revision, request.request_id)
        effective_at = times.field_or_none(request, "effective_at")
        done = await self._rulesets.roll_back(edit, request.version, effective_at, _content(request))
        return pb.RollBackResponse(version=done.version, state=t.state_out(done.book, edit.as_of))


def _edit(request: Message, revision: int | None, request_id: str = "") -> Edit:
    """Who acts, why, and what he has seen. Every request that changes something has these fields."""
    as_of = times.field_or_now(request, "as_of")
    ruleset_id, actor, reason = (getattr(request, name) for name in ("ruleset_id", "actor", "reason"))
    return Edit(ruleset_id, revision, actor, reason, as_of, request_id)


def _content(request: M) -> bytes:
    """What makes two requests the same: everything but the id and the moment of asking."""
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    content.ClearField("as_of")
    return content.SerializeToString(deterministic=True)


def _asked(page: type_pb2.PageRequest) -> tuple[int, int]:
    """Below which number, and how many."""
    if not 0 <= page.size <= _MAX_SIZE:
        raise InvalidArgument("page.size", f"not between 1 and {_MAX_SIZE}")
    cursor = page.cursor or str(_NEWEST)
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 11 and 0 < int(cursor) <= _NEWEST):
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return int(cursor), page.size or _DEFAULT_SIZE


def _split(found: Sequence[T], size: int, number: Callable[[T], int]) -> tuple[Sequence[T], type_pb2.PageInfo]:
    """A page out of up to one row more than was asked for, and how to go on."""
    rows = found[:size]
    more = str(number(rows[-1])) if len(found) > size else ""
    return rows, type_pb2.PageInfo(next_cursor=more)
