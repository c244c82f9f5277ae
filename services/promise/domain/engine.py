"""The one planning engine: what can be promised, and where to ship it from.

plan(snapshot, request, ruleset) is pure: the same arguments give the same answer. It chooses the points, services
and quantities of least total cost. The strict rules come first: the tiers of the ruleset one after the other, and
routing buffers, which only give way when an order could not be served whole otherwise. Stock to come is waited for
when they have given way, not before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from services.promise.domain import consolidating, personalising, stages
from services.promise.domain.candidates import Gathered
from services.promise.domain.grid import Demand, Row
from services.promise.domain.ground import Ground
from services.promise.domain.network import PlanRequest
from services.promise.domain.plans import Outcome, Rejected, Unplanned
from services.promise.domain.question import Question, asked
from services.promise.domain.reasons import unplanned, why_not
from services.promise.domain.rulesets import NO_RULE, Ruleset, Strictness
from services.promise.domain.search import Answer, search
from services.promise.domain.settling import settled, without_waiting
from services.promise.domain.snapshot import Snapshot
from services.promise.domain.stages import NOW

# About a fifth of a second of one core. Steps, not seconds: an answer must not depend on the machine.
BUDGET_STEPS = 150_000


def plan(
    snapshot: Snapshot,
    request: PlanRequest,
    ruleset: Ruleset,
    budget_steps: int = BUDGET_STEPS,
    ground: Ground | None = None,
) -> Outcome:
    """Ranked plans, best first; what is not planned and why; what was rejected and why.

    When not every unit can be served, the plans serve the most units. `ground`: of other questions about a basket.
    """
    if missing := personalising.incomplete(snapshot.stock.items, request):
        return Outcome((), missing, (), (), proved_optimal=True)
    question = asked(snapshot, request, ruleset)
    if isinstance(question, str):
        nothing = tuple(Unplanned(ln.line_number, ln.sku, ln.quantity, question) for ln in request.lines)
        return Outcome((), nothing, (), (), proved_optimal=True)
    ground = ground or Ground(snapshot, request, ruleset, question.wanted)
    if request.joins and (joined := consolidating.joined(snapshot, request, ruleset, ground, budget_steps)):
        return joined
    levels = Levels(question, question.gatherer(ground).gather())
    gathered = levels.gathered
    answer = levels.answer(budget_steps)
    served = question.units(answer.units)
    reasons = {
        sku: why_not(sku, units, gathered, answer.found, question.ruleset)
        for sku, units in question.wanted.items()
        if served[sku] < units
    }
    direct = Outcome(
        plans=tuple(question.plan(found) for found in answer.found),
        unplanned=unplanned(request.lines, served, reasons),
        rejected=(*gathered.rejected, *levels.later),
        seen=tuple(gathered.seen),
        proved_optimal=answer.proved,
        least_cost_minor=answer.least_cost,
        coming=tuple(gathered.coming),
    )
    # What comes, or is under embargo, meets nobody on its way.
    is_plain = not stages.are_there(snapshot.stock, request, ruleset)
    if not is_plain or not consolidating.is_asked(request, ruleset, direct):
        return direct
    stocked = {sku: min(units, gathered.stocked.get(sku, 0)) for sku, units in question.wanted.items()}
    joining = consolidating.Asked(snapshot, request, ruleset, stocked, levels.strictness, ground)
    return consolidating.with_hubs(joining, direct, budget_steps)


def search_question(snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset) -> tuple[list[Row], Demand]:
    """What the search is asked when no strict rule holds: for those who ask another solver the same."""
    question = asked(snapshot, request, ruleset)
    if isinstance(question, str):
        return [], Demand((), (), (), ())
    rows = [question.row(candidate) for candidate in question.gatherer().gather().candidates]
    return rows, question.demand(rows)


class Levels:
    """A question with all its candidates, asked with ever more of them."""

    def __init__(self, question: Question, gathered: Gathered) -> None:
        self._question = question
        self.gathered = gathered
        self._is_plain = all(candidate.stage is NOW for candidate in gathered.candidates)
        # Points that a strict rule kept out of the answer.
        self.later: tuple[Rejected, ...] = ()
        # How far strict rules are kept in the answer.
        self.strictness = NO_RULE

    def answer(self, budget_steps: int) -> Answer:
        """Of the first level of freedom at which all that can be served at all is served."""
        all_rows = [self._question.row(candidate) for candidate in self.gathered.candidates]
        whole = self._question.demand(all_rows)
        is_sure = True
        for strictness, rows in self._in_turn(all_rows):
            if rows is not all_rows and self._question.demand(rows).units != whole.units:
                continue
            answer = search(rows, whole, self._question.ruleset, budget_steps, must_be_whole=rows is not all_rows)
            if answer.found or rows is all_rows:
                self.strictness = strictness
                self._reject_others(rows, all_rows)
                found = answer.found if self._is_plain else settled(answer.found, rows)
                return replace(answer, found=found, proved=answer.proved and is_sure)
            is_sure = is_sure and answer.proved
        raise AssertionError("the last level has all rows")

    def _in_turn(self, rows: list[Row]) -> Iterable[tuple[Strictness, list[Row]]]:
        """Those at which somebody must wait for stock to come after the others."""
        levels = self.by_strictness(rows)
        if self._is_plain:
            return levels
        demand = self._question.demand
        whole = demand(rows).units
        return sorted(levels, key=lambda level: demand(without_waiting(level[1])).units != whole)

    def by_strictness(self, rows: list[Row]) -> Iterator[tuple[Strictness, list[Row]]]:
        """From the strictest to all there is: one tier more each time, then without routing buffers."""
        has_buffers = any(row.candidate.kept_back for row in rows)
        tier_of = [self._question.ruleset.tier(row.candidate.point.type) for row in rows]
        for tier in sorted(set(tier_of)):
            is_last = tier == max(tier_of)
            if not is_last or has_buffers:
                left = [row for row, its in zip(rows, tier_of, strict=True) if its <= tier]
                yield Strictness(tier, keeps_buffers=True), [self._question.kept_back(row) for row in left]
        yield NO_RULE, rows

    def _reject_others(self, rows: Sequence[Row], all_rows: Sequence[Row]) -> None:
        """Says of the points that a strict rule kept out which one it was."""
        asked = {row.candidate.point.point_id for row in rows}
        able = {row.candidate.point.point_id for row in rows if any(row.capacity)}
        stocked = {row.candidate.point.point_id for row in all_rows if any(row.capacity)}
        self.later = tuple(
            Rejected(point_id, "", *_why_not(is_asked=point_id in asked, is_stocked=point_id in stocked))
            for point_id in sorted({candidate.point.point_id for candidate in self.gathered.candidates} - able)
        )


def _why_not(*, is_asked: bool, is_stocked: bool) -> tuple[str, str]:
    if not is_asked:
        return "LATER_TIER", "points of earlier tiers have all"
    if is_stocked:
        return "ROUTING_BUFFER", "its units are kept back for the shop"
    return "MUST_TRAVEL_TOGETHER", "has only a part of what must travel together"


__all__ = ["BUDGET_STEPS", "Snapshot", "plan", "search_question"]
