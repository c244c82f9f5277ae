"""Which points could do the work of one leg: each judged alone, by the rules of a plan (SPEC RTE-10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cmp_to_key

from services.promise.domain.engine import BUDGET_STEPS, Levels
from services.promise.domain.found import Found, precedes
from services.promise.domain.grid import Row
from services.promise.domain.ground import Ground
from services.promise.domain.network import PlanRequest
from services.promise.domain.plans import Leg
from services.promise.domain.question import Question, asked
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.search import search
from services.promise.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RankedPoint:
    """A point with the leg that it would have, and when its time to answer is over."""

    leg: Leg
    answer_by: datetime
    cost_minor: int


def rank(
    snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, answer_within: timedelta
) -> list[RankedPoint]:
    """The points that could send all lines as one parcel in time, best first.

    Strict rules order them: those of a later tier, or that only have what a routing buffer keeps, come after all
    others. Within that it is the cost of the plan with this point alone.
    """
    question = asked(snapshot, request, replace(ruleset, alternatives=1, max_parcels=1))
    if isinstance(question, str):
        return []
    ground = Ground(snapshot, request, ruleset, question.wanted)
    levels = Levels(question, question.gatherer(ground).gather())
    rows = [question.row(one) for one in levels.gathered.candidates if _is_in_time(one.window.end, request)]
    ranked: dict[str, RankedPoint] = {}
    for _, able in levels.by_strictness(rows) if rows else ():
        found = _each_alone(question, [row for row in able if row.candidate.point.point_id not in ranked])
        for one in sorted(found, key=cmp_to_key(_order)):
            candidate = one.legs[0]
            answer_by = candidate.calendar.ready_at(request.now, answer_within)
            if answer_by:
                leg = question.plan(one).legs[0]
                ranked[candidate.point.point_id] = RankedPoint(leg, answer_by, one.cost)
    return list(ranked.values())


def _is_in_time(window_end: datetime, request: PlanRequest) -> bool:
    return request.promised_until is None or window_end <= request.promised_until


def _each_alone(question: Question, rows: Sequence[Row]) -> Iterator[Found]:
    """The best way of each point that has everything."""
    by_point: dict[str, list[Row]] = {}
    for row in rows:
        by_point.setdefault(row.candidate.point.point_id, []).append(row)
    for its in by_point.values():
        answer = search(its, question.whole, question.ruleset, BUDGET_STEPS, must_be_whole=True)
        yield from answer.found[:1]


def _order(one: Found, other: Found) -> int:
    if precedes(one, other):
        return -1
    return 1 if precedes(other, one) else 0
