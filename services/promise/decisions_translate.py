"""Decisions and explanations as protos. Translates, never judges."""

from collections.abc import Sequence

from oms.promise.v1 import decision_service_pb2 as pb
from oms.promise.v1 import promise_service_pb2 as promise_pb
from services.promise import translate
from services.promise.capacities_translate import figure_proto
from services.promise.domain import plans as p
from services.promise.domain.explaining import Explanation

_VERDICTS = {verdict: pb.HubVerdict.Value(f"HUB_VERDICT_{verdict.name}") for verdict in p.HubVerdict}


def decision_proto(decision: p.Decision, seen: Sequence[p.SeenStock]) -> pb.Decision:
    """The record with a part of its stock."""
    outcome, record = decision.outcome, decision.record
    return pb.Decision(
        decision_id=decision.decision_id,
        order_id=decision.order_id,
        as_of=translate.stamp(decision.request.now),
        ruleset_id=decision.ruleset_id,
        ruleset_version=decision.ruleset_version,
        stock=translate.stock_view_proto(decision.stock),
        seen=[pb.SeenStock(sku=one.sku, point_id=one.point_id, available=one.available) for one in seen],
        rejected=[
            pb.RejectedCandidate(point_id=r.point_id, service_id=r.service_id, reason=r.reason, detail=r.detail)
            for r in outcome.rejected
        ],
        plans=[translate.plan_proto(plan) for plan in outcome.plans],
        unplanned=translate.unplanned_proto(decision),
        proved_optimal=outcome.proved_optimal,
        least_cost_minor=outcome.least_cost_minor,
        inputs_hash=record.inputs_hash,
        terms_version=record.terms_version,
        mode=translate.mode_proto(decision.request.mode),
        lines=[
            promise_pb.BasketLine(
                line_number=line.line_number,
                sku=line.sku,
                quantity=line.quantity,
                personalisations=line.personalisations,
            )
            for line in decision.request.lines
        ],
        time_zone=record.time_zone,
        points=[
            pb.KnownPoint(
                point_id=point.point_id,
                type=translate.POINT_TYPES_BACK[point.type],
                time_zone=point.time_zone,
                distance_kilometres=point.distance_kilometres,
                can_send=point.can_send,
            )
            for point in record.points
        ],
        quote_id=decision.quote_id,
        quoted=translate.option_proto(record.quoted) if record.quoted else None,
        quote_broken=decision.quote_broken,
        quote_problem=record.quote_problem,
        new_options=[translate.option_proto(option) for option in decision.new_options],
        coming=[
            pb.SeenComing(
                sku=one.sku,
                point_id=one.point_id,
                supply_id=one.supply_id,
                units=one.units,
                due_at=translate.stamp(one.due_at),
            )
            for one in outcome.coming
        ],
        capacity=[figure_proto(one.counter, one.most, one.taken) for one in record.capacity],
        consolidating=_consolidating(outcome.consolidating) if outcome.consolidating else None,
    )


def _consolidating(found: p.Consolidating) -> pb.Consolidating:
    return pb.Consolidating(
        direct_cost_minor=found.direct_cost_minor,
        hubs=[
            pb.AskedHub(
                point_id=hub.point_id,
                service_id=hub.service_id,
                verdict=_VERDICTS[hub.verdict],
                cost_minor=hub.cost_minor,
            )
            for hub in found.hubs
        ],
    )


def explanation_proto(explanation: Explanation) -> pb.Explanation:
    """Sentences with their facts."""
    return pb.Explanation(
        decision_id=explanation.decision_id,
        order_id=explanation.order_id,
        sections=[
            pb.ExplanationSection(
                name=section.name,
                sentences=[
                    pb.ExplanationSentence(code=one.code, text=one.text, facts=one.facts)
                    for one in section.sentences
                ],
            )
            for section in explanation.sections
        ],
    )
