"""What the sentences of a decision have in common. Tells nothing by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.promise.domain import wording as w
from services.promise.domain.plans import Decision, Leg, Plan

LEGS_TOLD = 20
ARTICLES_TOLD = 20
POINTS_TOLD = 10


@dataclass(frozen=True, slots=True)
class Sentence:
    """`code` says what kind of sentence it is; with `facts` it can be told in another language."""

    code: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


def units_of(plan: Plan) -> dict[str, int]:
    """Units of each SKU that a plan sends."""
    units: dict[str, int] = {}
    for leg in plan.legs:
        for line in leg.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
    return units


def point_ids(plan: Plan) -> tuple[str, ...]:
    """Where it ships from."""
    return tuple(dict.fromkeys(leg.point_id for leg in plan.legs))


def parcels_of(leg: Leg) -> str:
    """What a leg is sent in, and for what weight it is charged where that is not its own."""
    boxed = sum(count for _, count in leg.boxes)
    boxes = [f"{count} x {box_id}" for box_id, count in leg.boxes]
    if boxes and boxed < leg.parcels:
        boxes.append(f"{leg.parcels - boxed} as they are")
    told = w.counted(leg.parcels, "parcel") + (f" ({w.listed(boxes, ARTICLES_TOLD)})" if boxes else "")
    if leg.chargeable_grams > leg.weight_grams:
        told += f" of {w.weight(leg.weight_grams)} that are charged for {w.weight(leg.chargeable_grams)} by volume"
    return told


def facts_of_parcels(leg: Leg) -> dict[str, str]:
    """The same for machines."""
    return {
        "parcels": str(leg.parcels),
        "boxes": " ".join(f"{box_id}:{count}" for box_id, count in leg.boxes),
        "weight_grams": str(leg.weight_grams),
        "chargeable_grams": str(leg.chargeable_grams),
    }


class Told:
    """A decision as its sentences look at it. `plan`: the chosen one."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.record = decision.record
        self.outcome = decision.outcome
        self.plan = decision.outcome.plans[0] if decision.outcome.plans else None
        self.points = {point.point_id: point for point in self.record.points}
        self._whole: dict[str, str] = {}
        self._by_service: dict[str, list[str]] = {}
        for rejected in self.outcome.rejected:
            if rejected.service_id:
                self._by_service.setdefault(rejected.point_id, []).append(rejected.reason)
            else:
                self._whole[rejected.point_id] = rejected.reason

    def why_out(self, point_id: str) -> tuple[str, ...]:
        """The reasons that dropped a point; none for one that could have sent something, or may have."""
        if point_id in self._whole:
            return (self._whole[point_id],)
        known = self.points.get(point_id)
        if known is None or known.can_send:
            return ()
        return tuple(dict.fromkeys(self._by_service.get(point_id, ())))

    def name(self, point_id: str, kilometres: float) -> str:
        known = self.points.get(point_id)
        kind = f"{known.type.value}, " if known else ""
        return f"{point_id} ({kind}{w.distance(kilometres)})"

    def amount(self, minor: int) -> str:
        return w.amount(minor, self.plan.price.currency if self.plan else "")

    def against(self, other: Plan, chosen: Plan) -> str:
        """How another plan stands to the chosen one."""
        more = other.total_cost_minor - chosen.total_cost_minor
        if more:
            amount = w.amount(abs(more), chosen.price.currency)
            return f"{amount} {'more' if more > 0 else 'less'} than the chosen plan"
        if other.window.rank > chosen.window.rank:
            return "as much as the chosen plan, but arrives later"
        if other.order_before < chosen.order_before:
            return "as much as the chosen plan, but must be ordered earlier"
        return "as much as the chosen plan: of equal ones, the first by name is taken"
