"""Between the protos of rulesets and the domain. Translates, never judges."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from kit import times
from kit.errors import InvalidArgument
from oms.promise.v1 import ruleset_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.promise import ruleset_text
from services.promise.domain import rulesets as r
from services.promise.domain.network import PointType
from services.promise.domain.ruleset_versions import Act, Change, Rulebook, State, Version
from services.promise.domain.ruleset_words import Difference, differences
from services.promise.rulesets import Content
from services.promise.translate import POINT_TYPES, POINT_TYPES_BACK

_STATES: Mapping[State, pb.RulesetVersionState.ValueType] = {
    State.SCHEDULED: pb.RULESET_VERSION_STATE_SCHEDULED,
    State.IN_FORCE: pb.RULESET_VERSION_STATE_IN_FORCE,
    State.SUPERSEDED: pb.RULESET_VERSION_STATE_SUPERSEDED,
    State.WITHDRAWN: pb.RULESET_VERSION_STATE_WITHDRAWN,
}
_ACTS: Mapping[Act, pb.RulesetAct.ValueType] = {
    Act.SAVED: pb.RULESET_ACT_SAVED,
    Act.DISCARDED: pb.RULESET_ACT_DISCARDED,
    Act.PUBLISHED: pb.RULESET_ACT_PUBLISHED,
    Act.WITHDRAWN: pb.RULESET_ACT_WITHDRAWN,
    Act.ROLLED_BACK: pb.RULESET_ACT_ROLLED_BACK,
}


# -- requests -------------------------------------------------------------------------------------------------


def content_in(content: pb.RulesetContent) -> Content:
    """A ruleset or a text."""
    match content.WhichOneof("content"):
        case "ruleset":
            return ruleset_in(content.ruleset)
        case "text":
            return content.text
        case _:
            raise InvalidArgument("ruleset", "ruleset: a ruleset or a text is required", "CONTENT_MISSING")


def ruleset_in(ruleset: pb.Ruleset) -> r.Ruleset:
    """A ruleset, in the order in which it was written; what is absent has its default."""
    given = ruleset.HasField
    return r.Ruleset(
        ruleset_id=ruleset.ruleset_id,
        version=0,
        currency=ruleset.currency,
        split_cost_minor=ruleset.split_cost_minor,
        preparation_costs=tuple(
            r.PreparationCost(*cost) for cost in _costs_in(ruleset.preparation_costs, "preparation_costs")
        ),
        distance_cost_minor_per_kilometre=ruleset.distance_cost_minor_per_kilometre,
        lateness_cost_minor_per_day=ruleset.lateness_cost_minor_per_day,
        max_parcels=ruleset.max_parcels if given("max_parcels") else ruleset_text.DEFAULT_MAX_PARCELS,
        alternatives=ruleset.alternatives if given("alternatives") else ruleset_text.DEFAULT_ALTERNATIVES,
        shipping_percent=ruleset.shipping_percent if given("shipping_percent") else 100,
        priority_costs=tuple(
            r.PriorityCost(*cost) for cost in _costs_in(ruleset.priority_costs, "priority_costs")
        ),
        tiers=tuple(
            r.Tier(
                tuple(
                    _point_type_in(number, f"tiers[{i}].point_types[{j}]")
                    for j, number in enumerate(tier.point_types)
                )
            )
            for i, tier in enumerate(ruleset.tiers)
        ),
        max_distance_kilometres=ruleset.max_distance_kilometres,
        max_delivery_days=ruleset.max_delivery_days,
        min_split_value_minor=ruleset.min_split_value_minor,
        together_tags=tuple(ruleset.together_tags),
        low_cover=r.LowCover(ruleset.low_cover.days, ruleset.low_cover.cost_minor) if given("low_cover") else None,
        markdown=r.Markdown(ruleset.markdown.days, ruleset.markdown.gain_percent) if given("markdown") else None,
        short_pick_cost_minor=ruleset.short_pick_cost_minor,
        replan_ruleset_id=ruleset.replan_ruleset_id,
        capacity_pressure_minor=ruleset.capacity_pressure_minor,
        consolidation=(
            r.Consolidation(ruleset.consolidation.cost_minor, ruleset.consolidation.wait_days)
            if given("consolidation")
            else None
        ),
        max_wait_days=ruleset.max_wait_days,
        waiting_day_minor=ruleset.waiting_day_minor,
    )


def _costs_in(costs: Iterable[pb.PointTypeCost], name: str) -> Iterable[tuple[PointType, int]]:
    for i, cost in enumerate(costs):
        yield _point_type_in(cost.point_type, f"{name}[{i}].point_type"), cost.cost_minor


def _point_type_in(number: type_pb2.PointType.ValueType, name: str) -> PointType:
    if number not in POINT_TYPES:
        field = f"ruleset.{name}"
        raise InvalidArgument(field, f"{field}: a type of point is required", "UNKNOWN_POINT_TYPE")
    return POINT_TYPES[number]


# -- answers --------------------------------------------------------------------------------------------------


def state_out(book: Rulebook, as_of: datetime) -> pb.RulesetState:
    """A ruleset as it stands; its texts carry the revision."""
    standing = book.in_force(as_of)
    return pb.RulesetState(
        ruleset_id=book.ruleset_id,
        revision=book.revision,
        in_force=version_out(standing, book, as_of, book.revision) if standing else None,
        scheduled=[version_out(one, book, as_of, book.revision) for one in book.scheduled(as_of)],
        draft=_draft_out(book, as_of) if book.draft else None,
    )


def _draft_out(book: Rulebook, as_of: datetime) -> pb.RulesetDraft:
    draft, standing = book.the_draft(), book.in_force(as_of)
    return pb.RulesetDraft(
        ruleset=ruleset_out(draft.ruleset),
        text=ruleset_text.write(draft.ruleset, book.revision),
        saved_at=times.to_proto(draft.saved_at),
        saved_by=draft.saved_by,
        reason=draft.reason,
        differences=differences_out(differences(standing.ruleset if standing else None, draft.ruleset)),
    )


def version_out(version: Version, book: Rulebook, as_of: datetime, revision: int = 0) -> pb.RulesetVersion:
    """A published version; with a revision, to be edited."""
    withdrawn = version.withdrawal
    return pb.RulesetVersion(
        ruleset=ruleset_out(version.ruleset),
        text=ruleset_text.write(version.ruleset, revision),
        state=_STATES[book.state(version, as_of)],
        effective_at=times.to_proto(version.effective_at),
        published_at=times.to_proto(version.published_at),
        published_by=version.published_by,
        reason=version.reason,
        restored_version=version.restored,
        withdrawn_at=times.to_proto(withdrawn.at) if withdrawn else None,
        withdrawn_by=withdrawn.actor if withdrawn else "",
        withdrawn_reason=withdrawn.reason if withdrawn else "",
    )


def change_out(change: Change) -> pb.RulesetChange:
    """Who changed what."""
    return pb.RulesetChange(
        revision=change.revision,
        act=_ACTS[change.act],
        changed_at=times.to_proto(change.at),
        actor=change.actor,
        reason=change.reason,
        version=change.version,
        effective_at=times.to_proto(change.effective_at) if change.effective_at else None,
        restored_version=change.restored,
        differences=differences_out(differences(change.before, change.after)),
    )


def differences_out(found: Iterable[Difference]) -> list[pb.RulesetDifference]:
    """What differs, in order."""
    return [pb.RulesetDifference(path=one.path, before=one.before, after=one.after) for one in found]


def ruleset_out(ruleset: r.Ruleset) -> pb.Ruleset:
    """A ruleset with its version."""
    return pb.Ruleset(
        ruleset_id=ruleset.ruleset_id,
        version=ruleset.version,
        currency=ruleset.currency,
        split_cost_minor=ruleset.split_cost_minor,
        preparation_costs=_costs_out(ruleset.preparation_costs),
        distance_cost_minor_per_kilometre=ruleset.distance_cost_minor_per_kilometre,
        lateness_cost_minor_per_day=ruleset.lateness_cost_minor_per_day,
        max_parcels=ruleset.max_parcels,
        alternatives=ruleset.alternatives,
        shipping_percent=ruleset.shipping_percent,
        priority_costs=_costs_out(ruleset.priority_costs),
        tiers=[pb.Tier(point_types=[POINT_TYPES_BACK[one] for one in tier.point_types]) for tier in ruleset.tiers],
        max_distance_kilometres=ruleset.max_distance_kilometres,
        max_delivery_days=ruleset.max_delivery_days,
        min_split_value_minor=ruleset.min_split_value_minor,
        together_tags=ruleset.together_tags,
        low_cover=(
            pb.LowCover(days=ruleset.low_cover.days, cost_minor=ruleset.low_cover.cost_minor)
            if ruleset.low_cover
            else None
        ),
        markdown=(
            pb.Markdown(days=ruleset.markdown.days, gain_percent=ruleset.markdown.gain_percent)
            if ruleset.markdown
            else None
        ),
        short_pick_cost_minor=ruleset.short_pick_cost_minor,
        replan_ruleset_id=ruleset.replan_ruleset_id,
        capacity_pressure_minor=ruleset.capacity_pressure_minor,
        consolidation=(
            pb.Consolidation(
                cost_minor=ruleset.consolidation.cost_minor, wait_days=ruleset.consolidation.wait_days
            )
            if ruleset.consolidation
            else None
        ),
        max_wait_days=ruleset.max_wait_days,
        waiting_day_minor=ruleset.waiting_day_minor,
    )


def _costs_out(costs: Iterable[r.PreparationCost] | Iterable[r.PriorityCost]) -> list[pb.PointTypeCost]:
    return [
        pb.PointTypeCost(point_type=POINT_TYPES_BACK[one.point_type], cost_minor=one.cost_minor) for one in costs
    ]
