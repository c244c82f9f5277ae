"""Until when an order that stands may be changed, and by whom: the rules of its life cycle (SPEC ORD-7)."""

from collections.abc import Sequence

from kit.errors import FailedPrecondition
from services.orders.domain.model import Change, Fulfilment, Order, Stage
from services.orders.domain.states import LEFT_THE_POINT, FulfilmentState, OrderState

# Where a life cycle says nothing: as long as it can be done.
USUAL = {Change.CANCEL: Stage.HAND_OVER, Change.LINES: Stage.PICK, Change.ADDRESS: Stage.PACK}
_ORDER = (Stage.NEVER, Stage.RELEASE, Stage.PICK, Stage.PERSONALISE, Stage.PACK, Stage.HAND_OVER)
_REACHED_BY = {
    FulfilmentState.PICKED: Stage.PICK,
    FulfilmentState.PACKED: Stage.PACK,
    FulfilmentState.READY: Stage.PACK,
    **dict.fromkeys(LEFT_THE_POINT, Stage.HAND_OVER),
}
_TOO_LATE = {
    Change.CANCEL: "TOO_LATE_TO_CANCEL",
    Change.LINES: "TOO_LATE_TO_CHANGE",
    Change.ADDRESS: "TOO_LATE_TO_CHANGE",
}


def until(order: Order, change: Change, roles: Sequence[str]) -> Stage:
    """The latest stage that one of the roles is given; that of everybody else, when none is named.

    Once something is put on a unit, only roles that are named may still do without it.
    """
    rules = [one for one in order.life_cycle.change_rules if one.change is change]
    named = [one.until for one in rules if one.role in roles]
    others = [one.until for one in rules if not one.role] or [USUAL[change]]
    limit = max(named or others, key=_ORDER.index)
    is_begun = any(one.personalising_since for one in order.sent)
    if is_begun and not named and change is not Change.ADDRESS:
        return min(limit, Stage.PERSONALISE, key=_ORDER.index)
    return limit


def reached(order: Order) -> Stage:
    """How far the first of its units that are sent have come."""
    stages = [reached_by(order, one) for one in order.sent]
    return max(stages, key=_ORDER.index, default=Stage.NEVER)


def reached_by(order: Order, work: Fulfilment) -> Stage:
    """How far the units of this work have come."""
    if work.joins and work.state in LEFT_THE_POINT:
        return Stage.PACK
    if work.compartment:
        return Stage.HAND_OVER
    if work.state is FulfilmentState.PICKED and work.personalising_since:
        return Stage.PERSONALISE
    released = Stage.RELEASE if order.state is OrderState.RELEASED else Stage.NEVER
    return _REACHED_BY.get(work.state, released)


def is_before(stage: Stage, limit: Stage) -> bool:
    """Whether what has come to this stage may still be changed until the limit."""
    return limit is not Stage.NEVER and _ORDER.index(stage) < _ORDER.index(limit)


def is_in_time(order: Order, change: Change, roles: Sequence[str]) -> bool:
    """Whether people of these roles may still change it."""
    return is_before(reached(order), until(order, change, roles))


def check_in_time(order: Order, change: Change, roles: Sequence[str]) -> None:
    """Raises FailedPrecondition / TOO_LATE_TO_CANCEL or TOO_LATE_TO_CHANGE, with the stage it had to precede."""
    if not is_in_time(order, change, roles):
        raise too_late(order, change, roles)


def too_late(order: Order, change: Change, roles: Sequence[str]) -> FailedPrecondition:
    """What who comes too late is told."""
    limit = until(order, change, roles)
    words = "it may not be changed so" if limit is Stage.NEVER else f"only before {limit.value.replace('_', ' ')}"
    return FailedPrecondition(
        _TOO_LATE[change],
        f"too late: {words}",
        change=change.value,
        until=limit.value,
        reached=reached(order).value,
    )
