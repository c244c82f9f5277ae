"""The promise of an order, watched: what must have happened when, whether it holds, and what lateness gives.

Tells nobody and asks nobody: when a late parcel can arrive is worked out by promise, and passed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import InvalidArgument
from kit.values.allocation import share
from services.orders.domain.model import Fulfilment, Order, Window
from services.orders.domain.pricing import shipping_minor
from services.orders.domain.states import LEFT_THE_POINT, OPEN_FULFILMENT, UNDONE

_BASIS_POINTS = 10_000
# Parcels that the customer has or will get: work that was given up is not waited for.
_COMING = OPEN_FULFILMENT | LEFT_THE_POINT


class Step(StrEnum):
    """What a parcel must have done by some instant."""

    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"


class Cause(StrEnum):
    """Why a parcel will not be there in time."""

    PLANNED_LATER = "planned_later"
    HAND_OVER_MISSED = "hand_over_missed"
    DELIVERY_MISSED = "delivery_missed"


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step and the last instant at which it is in time; `reached_at` once it happened."""

    step: Step
    due: datetime
    reached_at: datetime | None = None

    def is_missed(self, now: datetime) -> bool:
        """Reached too late, or not reached although its time is over."""
        return (self.reached_at or now) > self.due


@dataclass(frozen=True, slots=True)
class Drift:
    """A parcel that will not be there in time, and why."""

    fulfilment_id: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class LatenessRule:
    """An order that is at least so late is given this part of its delivery fee."""

    late_seconds: int
    fee_basis_points: int


# -- milestones and drifts --------------------------------------------------------------------------------


def milestones(work: Fulfilment) -> tuple[Milestone, ...]:
    """Of one parcel, in the order in which they come; none of work that was given up."""
    if work.state not in _COMING:
        return ()
    parcel = work.parcel
    found = [Milestone(Step.HANDED_OVER, work.hand_over_by, parcel.handed_over_at if parcel else None)]
    if work.window:
        found.append(Milestone(Step.DELIVERED, work.window.end, parcel.delivered_at if parcel else None))
    return tuple(found)


def next_due(order: Order, now: datetime) -> datetime | None:
    """When a milestone can be missed next; one clock is enough for all parcels."""
    waited_for = [one.due for work in order.fulfilments for one in milestones(work) if not one.reached_at]
    return min((due for due in waited_for if due >= now), default=None)


def drifts(order: Order, now: datetime) -> tuple[Drift, ...]:
    """Parcels that will not be there in time, each once: what is certain goes before what is likely."""
    if order.promise is None or order.state in UNDONE:
        return ()
    causes = ((work.fulfilment_id, _cause(work, order.promise, now)) for work in order.fulfilments)
    return tuple(Drift(fulfilment_id, cause) for fulfilment_id, cause in causes if cause)


def _cause(work: Fulfilment, promise: Window, now: datetime) -> Cause | None:
    missed = {one.step for one in milestones(work) if one.is_missed(now)}
    if Step.DELIVERED in missed:
        return Cause.DELIVERY_MISSED
    arrived_at = work.parcel.delivered_at if work.parcel else None
    if arrived_at and arrived_at <= promise.end:
        return None
    if work.state in _COMING and work.window and work.window.end > promise.end:
        return Cause.PLANNED_LATER
    return Cause.HAND_OVER_MISSED if Step.HANDED_OVER in missed else None


# -- the promise as it stands -----------------------------------------------------------------------------


def current_promise(order: Order, expected: Mapping[str, Window]) -> Window | None:
    """The accepted window, or that of the last parcel when it ends later; None before there is a promise.

    `expected`: by fulfilment, windows that replace what was planned, as promise worked them out.
    """
    if order.promise is None:
        return None
    coming = [work for work in order.fulfilments if work.state in _COMING]
    windows = [expected.get(work.fulfilment_id, work.window) for work in coming]
    return max((order.promise, *filter(None, windows)), key=lambda one: one.end)


def is_news(accepted: Window, told: Window, current: Window, tolerance: timedelta) -> bool:
    """Whether the customer is told: the first lateness, one that grew by more than `tolerance`, or none any more.

    Growth counts from what was told last, so that small steps add up.
    """
    if current.end <= accepted.end:
        return told.end > accepted.end
    first = told.end <= accepted.end
    return first or current.end - told.end > tolerance


# -- compensation -----------------------------------------------------------------------------------------


def check_lateness_rules(rules: Sequence[LatenessRule], path: str) -> None:
    """Raises InvalidArgument, naming the field: later is never worth less."""
    for i, one in enumerate(rules):
        if one.late_seconds < 1:
            raise InvalidArgument(f"{path}[{i}].late_seconds", "at least 1")
        if not 1 <= one.fee_basis_points <= _BASIS_POINTS:
            raise InvalidArgument(f"{path}[{i}].fee_basis_points", "1 to 10000 basis points of the delivery fee")
        if i and not rules[i - 1].late_seconds < one.late_seconds:
            raise InvalidArgument(f"{path}[{i}].late_seconds", "rules go from the shortest delay to the longest")
        if i and not rules[i - 1].fee_basis_points < one.fee_basis_points:
            raise InvalidArgument(f"{path}[{i}].fee_basis_points", "a longer delay gives more than a shorter one")


def compensation_minor(order: Order, current: Window, rules: Sequence[LatenessRule], given_minor: int) -> int:
    """What is due now, in minor units of the order's currency: what the rules give less what was given before.

    Nothing is taken back when the delay shrinks; an order that is cancelled gets its money back anyway.
    """
    if order.promise is None or order.state in UNDONE:
        return 0
    late = (current.end - order.promise.end).total_seconds()
    part = max((one.fee_basis_points for one in rules if late >= one.late_seconds), default=0)
    return max(0, share(shipping_minor(order.content.lines), _BASIS_POINTS, 0, part) - given_minor)
