"""What was found at stages, told at the earliest ones: a leg waits for nothing that it does not take."""

from collections.abc import Sequence
from functools import cmp_to_key

from services.promise.domain.candidates import Candidate
from services.promise.domain.found import Found, latest, precedes
from services.promise.domain.grid import Row


def without_waiting(rows: Sequence[Row]) -> list[Row]:
    """Those that need no delivery."""
    return [row for row in rows if row.candidate.stage.due_at is None]


def settled(found: Sequence[Found], rows: Sequence[Row]) -> tuple[Found, ...]:
    """Each plan with the earliest stage of each of its legs that has the units, best first; no plan twice.

    Mostly they are the same: where stages cost the same, the search may have taken any of them.
    """
    stages: dict[tuple[str, str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.candidate.stage.number):
        stages.setdefault(row.candidate.id[:3], []).append(row)
    plans: list[Found] = []
    for one in found:
        pairs = zip(one.legs, one.shares, strict=True)
        legs = tuple(_earliest(stages[leg.id[:3]], share) for leg, share in pairs)
        plan = Found(legs, one.shares, one.cost - _saved(one.legs, legs), latest(legs))
        if all(plan.ids != other.ids for other in plans):
            plans.append(plan)
    return tuple(sorted(plans, key=cmp_to_key(_rank)))


def _rank(one: Found, other: Found) -> int:
    return precedes(other, one) - precedes(one, other)


def _earliest(stages: Sequence[Row], share: Sequence[int]) -> Candidate:
    return next(
        row.candidate
        for row in stages
        if all(units >= taken for units, taken in zip(row.capacity, share, strict=True))
    )


def _saved(before: Sequence[Candidate], after: Sequence[Candidate]) -> int:
    fixed = sum(one.fixed_cost - other.fixed_cost for one, other in zip(before, after, strict=True))
    return fixed + max(one.lateness_cost for one in before) - max(one.lateness_cost for one in after)
