"""What a plan takes of the capacity of points and carriers, and what an order gives back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from services.promise.domain.capacity import Counter, Limits, collected
from services.promise.domain.network import Point
from services.promise.domain.plans import Decision, Leg


@dataclass(frozen=True, slots=True)
class LegPlace:
    """A leg of an order as it was planned: where, and units by line. `decision_id`: only by this plan."""

    point_id: str
    lines: Mapping[int, int]
    decision_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Taking:
    """A leg's place in the day of a point, and the room of its parcels in a collection."""

    decision_id: str
    leg: int
    place: LegPlace
    carrier_id: str
    service_id: str
    prepared_on: date
    collected_on: date
    cut_off_minute: int
    parcels: int

    @property
    def counted(self) -> Iterator[tuple[Counter, int]]:
        """Every counter that it counts in, and how much."""
        point_id = self.place.point_id
        yield Counter(point_id, self.prepared_on), 1
        for counter in collected(
            point_id, self.carrier_id, self.service_id, self.collected_on, self.cut_off_minute
        ):
            yield counter, self.parcels


def of_best_plan(decision: Decision) -> list[Taking]:
    """What the first plan of a decision takes; nothing without a plan.

    Of a hub that is what goes on from there, which has no lines: what the hub has itself is prepared with it. What
    joins others that wait there takes no more of it.
    """
    best = decision.outcome.plans[0] if decision.outcome.plans else None
    joins, hub = decision.request.joins, best.onward if best else None
    is_taken = joins is not None and hub is not None and hub.point_id == joins.point_id
    legs = () if best is None else best.legs if is_taken else best.shipments
    return [
        Taking(
            decision.decision_id,
            number,
            LegPlace(leg.point_id, _units(leg)),
            leg.carrier_id,
            leg.service_id,
            leg.prepared_on,
            leg.collected_on,
            leg.cut_off_minute,
            leg.parcels,
        )
        for number, leg in enumerate(legs)
        if leg.prepared_on is not None and leg.collected_on is not None
    ]


def _units(leg: Leg) -> dict[int, int]:
    units: dict[int, int] = {}
    for line in leg.lines:
        units[line.line_number] = units.get(line.line_number, 0) + line.quantity
    return units


def at(takings: Iterable[Taking], places: Iterable[LegPlace]) -> list[Taking]:
    """One of each leg that is named: of several alike the one that was taken last (ids of decisions rise)."""
    left = sorted(takings, key=lambda one: (one.decision_id, one.leg))
    found: list[Taking] = []
    for place in places:
        alike = [one for one in left if one.place == place and place.decision_id in ("", one.decision_id)]
        if alike:
            found.append(alike[-1])
            left.remove(alike[-1])
    return found


def changes(taken: Iterable[Taking], given_back: Iterable[Taking]) -> dict[Counter, int]:
    """What each counter goes up or down by; those that stay as they are left out."""
    found: dict[Counter, int] = {}
    for sign, takings in ((1, taken), (-1, given_back)):
        for taking in takings:
            for counter, amount in taking.counted:
                found[counter] = found.get(counter, 0) + sign * amount
    return {counter: found[counter] for counter in sorted(found) if found[counter]}


def of_others(taken: Mapping[Counter, int], own: Iterable[Taking]) -> dict[Counter, int]:
    """What is taken, without what these have."""
    freed = changes((), own)
    return {counter: amount + freed.get(counter, 0) for counter, amount in taken.items()}


def is_too_much(
    changed: Mapping[Counter, int], after: Mapping[Counter, int], limits: Limits, points: Mapping[str, Point]
) -> bool:
    """Whether a counter that went up has passed its limit. One that did not may lie above a limit set since."""
    return any(
        amount > 0
        and (most := limits.most(counter, points[counter.point_id].daily_capacity)) is not None
        and after[counter] > most
        for counter, amount in changed.items()
    )
