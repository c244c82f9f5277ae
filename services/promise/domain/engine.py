"""The one planning engine: what can be promised, and where to ship it from.

plan(snapshot, request, ruleset) is pure: the same arguments give the same answer. It chooses the points, services
and quantities of least total cost. The strict rules come first: the tiers of the ruleset one after the other, and
routing buffers, which only give way when an order could not be served whole otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from services.promise.domain import carbon, together
from services.promise.domain.candidates import Candidate, Gathered, Gatherer
from services.promise.domain.found import Found
from services.promise.domain.grid import Demand, Row
from services.promise.domain.ground import Ground
from services.promise.domain.modes import TERMS, Appointments
from services.promise.domain.network import BasketLine, PlanRequest, StockSlice
from services.promise.domain.plans import CostComponent, Leg, LegLine, Outcome, Plan, Rejected, Unplanned
from services.promise.domain.rates import step_of
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.search import Answer, search
from services.promise.domain.shelves import NO_UNIT_COSTS, UnitCosts
from services.promise.domain.snapshot import Place, Snapshot, place_of
from services.promise.domain.together import Article

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
    question = _ask(snapshot, request, ruleset, ground)
    if isinstance(question, str):
        unplanned = tuple(Unplanned(ln.line_number, ln.sku, ln.quantity, question) for ln in request.lines)
        return Outcome((), unplanned, (), (), proved_optimal=True)
    gathered, articles = question.gathered, question.articles
    answer = question.answer(budget_steps)
    served = {
        sku: units * each
        for article, units in zip(articles, answer.units, strict=True)
        for sku, each in article.units_each.items()
    }
    reasons = {
        sku: why_not(sku, units, gathered, answer.found, question.ruleset)
        for sku, units in question.wanted.items()
        if served[sku] < units
    }
    return Outcome(
        plans=tuple(question.plan(found) for found in answer.found),
        unplanned=_unplanned(request.lines, served, reasons),
        rejected=(*gathered.rejected, *question.later),
        seen=tuple(gathered.seen),
        proved_optimal=answer.proved,
        least_cost_minor=answer.least_cost,
    )


def search_question(snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset) -> tuple[list[Row], Demand]:
    """What the search is asked when no strict rule holds: for those who ask another solver the same."""
    question = _ask(snapshot, request, ruleset)
    if isinstance(question, str):
        return [], Demand((), (), (), ())
    rows = question.rows()
    return rows, question.demand(rows)


def wanted_units(stock: StockSlice, request: PlanRequest) -> dict[str, int]:
    """Of a basket, by SKU, as far as its articles are known."""
    wanted: dict[str, int] = {}
    for line in request.lines:
        if line.sku in stock.items:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _ask(
    snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, ground: Ground | None = None
) -> "_Question | str":
    """The question; or the reason that it cannot be asked."""
    terms = TERMS[request.mode]
    if terms.appointments is Appointments.NEEDED and request.appointment is None:
        return "NO_APPOINTMENT"
    place = place_of(snapshot, request)
    if isinstance(place, str):
        return place
    wanted = wanted_units(snapshot.stock, request)
    if not wanted:
        return "UNKNOWN_ITEM"
    if terms.is_one_parcel:
        ruleset = replace(ruleset, max_parcels=1)
    return _Question(snapshot, request, ruleset, wanted, place, ground)


class _Question:
    """What is asked of the search, and its answers as plans."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        wanted: Mapping[str, int],
        place: Place,
        ground: Ground | None,
    ) -> None:
        self._snapshot = snapshot
        self._request = request
        self.ruleset = ruleset
        self.wanted = wanted
        self.gathered = Gatherer(snapshot, request, ruleset, wanted, place, ground).gather()
        self.articles = articles = together.articles(snapshot.stock.items, wanted, ruleset.together_tags)
        self._candidates = self.gathered.candidates
        items = snapshot.stock.items
        self._weights = [
            sum(items[sku].weight_grams * each for sku, each in article.units_each.items()) for article in articles
        ]
        self._values = [
            sum(
                items[sku].price_minor(request.channel_id, ruleset.currency) * each
                for sku, each in article.units_each.items()
            )
            for article in articles
        ]
        self._no_costs = (0,) * len(articles)
        self._pieces: dict[int, tuple[int, ...]] = {}
        # Points that a strict rule kept out of the answer.
        self.later: tuple[Rejected, ...] = ()

    def answer(self, budget_steps: int) -> Answer:
        """Of the first level of freedom at which all that can be served at all is served."""
        all_rows = self.rows()
        whole = self.demand(all_rows)
        is_sure = True
        for rows in self._levels(all_rows):
            if rows is not all_rows and self.demand(rows).units != whole.units:
                continue
            answer = search(rows, whole, self.ruleset, budget_steps, must_be_whole=rows is not all_rows)
            if answer.found or rows is all_rows:
                self._reject_others(rows, all_rows)
                return replace(answer, proved=answer.proved and is_sure)
            is_sure = is_sure and answer.proved
        raise AssertionError("the last level has all rows")

    def rows(self) -> list[Row]:
        """Each candidate with all that it could take."""
        return [self._row(candidate) for candidate in self._candidates]

    def _levels(self, rows: list[Row]) -> Iterator[list[Row]]:
        """From the strictest to all there is: one tier more each time, then without routing buffers."""
        has_buffers = any(row.candidate.kept_back for row in rows)
        tier_of = [self.ruleset.tier(row.candidate.point.type) for row in rows]
        for tier in sorted(set(tier_of)):
            is_last = tier == max(tier_of)
            if not is_last or has_buffers:
                yield [self._kept_back(row) for row, its in zip(rows, tier_of, strict=True) if its <= tier]
        yield rows

    def _reject_others(self, rows: Sequence[Row], all_rows: Sequence[Row]) -> None:
        """Says of the points that a strict rule kept out which one it was."""
        asked = {row.candidate.point.point_id for row in rows}
        able = {row.candidate.point.point_id for row in rows if any(row.capacity)}
        stocked = {row.candidate.point.point_id for row in all_rows if any(row.capacity)}
        self.later = tuple(
            Rejected(point_id, "", *_why_not(is_asked=point_id in asked, is_stocked=point_id in stocked))
            for point_id in sorted({candidate.point.point_id for candidate in self._candidates} - able)
        )

    def _row(self, candidate: Candidate) -> Row:
        pieces = self._pieces.get(id(candidate.capacity))
        if pieces is None:  # Mostly all services of a point take the same.
            pieces = self._pieces[id(candidate.capacity)] = self._pieces_of(candidate.capacity)
        costs = candidate.unit_costs
        return Row(
            candidate,
            pieces,
            tuple([self._unit_cost(article, costs) for article in self.articles]) if costs else self._no_costs,
        )

    def _pieces_of(self, units: Mapping[str, int]) -> tuple[int, ...]:
        return tuple([article.pieces(units) for article in self.articles])

    def _kept_back(self, row: Row) -> Row:
        """Without what the routing buffer keeps."""
        kept = row.candidate.kept_back
        if not kept:
            return row
        left = {sku: units - kept.get(sku, 0) for sku, units in row.candidate.capacity.items()}
        return Row(row.candidate, self._pieces_of(left), row.unit_costs)

    def _unit_cost(self, article: Article, costs: Mapping[str, UnitCosts]) -> int:
        return sum(costs.get(sku, NO_UNIT_COSTS).total * each for sku, each in article.units_each.items())

    def demand(self, rows: Sequence[Row]) -> Demand:
        """What is wanted, as far as there is anything of it to send. Of a point the roomiest candidate counts."""
        roomiest: dict[str, list[int]] = {}
        for row in rows:
            room = roomiest.setdefault(row.candidate.point.point_id, [0] * len(self.articles))
            room[:] = map(max, room, row.capacity)
        reachable = [sum(room[n] for room in roomiest.values()) for n in range(len(self.articles))]
        return Demand(
            skus=tuple(article.name for article in self.articles),
            weights=tuple(self._weights),
            values=tuple(self._values),
            units=tuple(
                min(article.wanted, units) for article, units in zip(self.articles, reachable, strict=True)
            ),
        )

    def plan(self, found: Found) -> Plan:
        """What was found, in legs and order lines."""
        lines = _LineFiller(self._request.lines)
        pairs = sorted(zip(found.legs, found.shares, strict=True), key=lambda pair: pair[0].id)
        taken = [
            (
                candidate,
                {
                    sku: units * each
                    for article, units in zip(self.articles, share, strict=True)
                    for sku, each in article.units_each.items()
                },
            )
            for candidate, share in pairs
        ]
        legs = tuple(self._leg(candidate, units, lines) for candidate, units in taken)
        return Plan(
            legs=legs,
            window=found.window,
            order_before=found.order_before,
            total_cost_minor=found.cost,
            costs=self._costs(taken, found),
            carbon=carbon.total(leg.carbon for leg in legs),
            price=max((c.terms.customer_price for c in found.legs), key=lambda money: money.amount_minor),
        )

    def _costs(
        self, taken: Sequence[tuple[Candidate, Mapping[str, int]]], found: Found
    ) -> tuple[CostComponent, ...]:
        units = [
            (candidate.unit_costs.get(sku, NO_UNIT_COSTS), count)
            for candidate, share in taken
            for sku, count in share.items()
        ]
        amounts = {
            "shipping": sum(step_of(c.steps, self._weight(share)).cost_minor for c, share in taken),
            "preparation": sum(c.preparation_cost for c, _ in taken),
            "split": (len(taken) - 1) * self.ruleset.split_cost_minor,
            "distance": sum(c.distance_cost for c, _ in taken),
            "lateness": max(c.lateness_cost for c, _ in taken),
            "priority": sum(c.priority_cost for c, _ in taken),
            "capacity": sum(c.capacity_cost for c, _ in taken),
            "low_cover": sum(cost.low_cover * count for cost, count in units),
            "markdown": sum(cost.markdown * count for cost, count in units),
            "short_pick": sum(cost.short_pick * count for cost, count in units),
        }
        return tuple(
            CostComponent(name, amount) for name, amount in amounts.items() if amount or name in _ALWAYS_TOLD
        )

    def _weight(self, units: Mapping[str, int]) -> int:
        return sum(count * self._snapshot.stock.items[sku].weight_grams for sku, count in units.items())

    def _leg(self, candidate: Candidate, units: Mapping[str, int], lines: "_LineFiller") -> Leg:
        weight = self._weight(units)
        step = step_of(candidate.rates, weight)
        return Leg(
            point_id=candidate.point.point_id,
            carrier_id=candidate.carrier_id,
            service_id=candidate.service.service_id,
            lines=tuple(part for sku, count in units.items() for part in lines.take(sku, count)),
            window=candidate.window,
            hand_over_by=candidate.hand_over.at,
            weight_grams=weight,
            shipping_cost_minor=step.cost_minor,
            carbon=carbon.of_parcel(candidate.service, weight, candidate.distance_kilometres),
            distance_kilometres=candidate.distance_kilometres,
            parcels=step.parcels,
            prepared_on=candidate.prepared_on,
            collected_on=candidate.hand_over.day,
            cut_off_minute=candidate.hand_over.cut_off_minute,
        )


def _why_not(*, is_asked: bool, is_stocked: bool) -> tuple[str, str]:
    if not is_asked:
        return "LATER_TIER", "points of earlier tiers have all"
    if is_stocked:
        return "ROUTING_BUFFER", "its units are kept back for the shop"
    return "MUST_TRAVEL_TOGETHER", "has only a part of what must travel together"


# The others are only told when they are not 0.
_ALWAYS_TOLD = frozenset({"shipping", "preparation", "split", "distance", "lateness"})


class _LineFiller:
    """Gives units of a SKU to the order lines that want it, first line first."""

    def __init__(self, lines: Sequence[BasketLine]) -> None:
        self._open: dict[str, list[tuple[int, int]]] = {}
        for line in reversed(lines):
            self._open.setdefault(line.sku, []).append((line.line_number, line.quantity))

    def take(self, sku: str, units: int) -> list[LegLine]:
        """Parts of lines that make up `units`."""
        taken: list[LegLine] = []
        waiting = self._open[sku]
        while units:
            line_number, wanted = waiting.pop()
            part = min(units, wanted)
            taken.append(LegLine(line_number, sku, part))
            units -= part
            if wanted > part:
                waiting.append((line_number, wanted - part))
        return taken


def _unplanned(
    lines: Sequence[BasketLine], served: Mapping[str, int], reasons: Mapping[str, str]
) -> tuple[Unplanned, ...]:
    """What no plan serves, taken from the last lines of a SKU."""
    left = dict(served)
    unplanned: list[Unplanned] = []
    for line in lines:
        part = min(line.quantity, left.get(line.sku, 0))
        if line.sku in left:
            left[line.sku] -= part
        if part < line.quantity:
            reason = reasons.get(line.sku, "UNKNOWN_ITEM")
            unplanned.append(Unplanned(line.line_number, line.sku, line.quantity - part, reason))
    return tuple(unplanned)


# Why a parcel that could be sent is not, the most telling first.
_TELLING = (
    "NOT_TODAY",
    "AFTER_APPOINTMENT",
    "OTHER_APPOINTMENT",
    "SEVERAL_PARCELS",
    "AFTER_QUOTED_WINDOW",
    "ABOVE_QUOTED_PRICE",
    "TOO_LATE",
    "TOO_FAR",
    "CARRIER_PAUSED",
)


def why_not(sku: str, units: int, gathered: Gathered, found: Sequence[Found], ruleset: Ruleset) -> str:
    """Why not all of so many units of a SKU have a place."""
    if gathered.stocked.get(sku, 0) < units:
        return "NO_STOCK"
    roomiest: dict[str, int] = {}
    for candidate in gathered.candidates:
        point_id = candidate.point.point_id
        roomiest[point_id] = max(roomiest.get(point_id, 0), candidate.capacity.get(sku, 0))
    if sum(roomiest.values()) < units and sku in gathered.crowded:
        return "NO_CAPACITY"
    if sum(roomiest.values()) < units:
        met = {rejected.reason for rejected in gathered.rejected}
        return gathered.misfits.get(sku) or next((reason for reason in _TELLING if reason in met), "NO_CARRIER")
    if found and len(found[0].legs) == ruleset.max_parcels:
        return "TOO_MANY_PARCELS"
    return "MUST_TRAVEL_TOGETHER" if ruleset.together_tags else "BELOW_SPLIT_VALUE"


__all__ = ["BUDGET_STEPS", "Snapshot", "plan", "search_question", "why_not"]
