"""Units that are planned again, from what is there: those to come, or what a point has not begun (SPEC RTE-9).

Proposed, then applied whole or refused: refused, the order stands as it did and has lost nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import appointments, awaiting, holds, replacing
from services.orders.domain.amending import NOT_PICKED, TOO_LATE, begun, check_open, find, having
from services.orders.domain.fulfilment import moved, without_place
from services.orders.domain.model import (
    ChangeKind,
    ChangeRefusal,
    Decision,
    Fulfilment,
    Happening,
    HoldKind,
    Leg,
    Order,
    OrderChange,
)
from services.orders.domain.offers import claimed, withdrawn
from services.orders.domain.plan import check_legs, counted, counted_ranges, place, unit_facts
from services.orders.domain.replacing import PROPOSED
from services.orders.domain.states import (
    CHANGE_MOVES,
    OPEN_FULFILMENT,
    ChangeState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)

_REASON = "planned_again"
# What the new plan begins again by itself.
_OF_THE_PLAN = (HoldKind.APPOINTMENT, HoldKind.RELEASE_DATE)


def waiting(order: Order) -> Counter[int]:
    """The units that are still to come, by line number."""
    units: Counter[int] = Counter()
    for work in order.fulfilments:
        if work.state in OPEN_FULFILMENT:
            for one in work.awaited:
                units[one.line_number] += one.quantity
    return units


def leaving(order: Order, point_id: str) -> tuple[Fulfilment, ...]:
    """The point's work that it has not begun, and that others could do as well."""
    return tuple(one for one in order.fulfilments if one.point_id == point_id and _against(order, one) is None)


def wanted(order: Order, change: OrderChange) -> Counter[int]:
    """The units that a change is about, by line number."""
    if not change.point_id:
        return waiting(order)
    ids = {work.fulfilment_id for work in leaving(order, change.point_id)}
    return counted_ranges(one for one in order.ranges if one.fulfilment_id in ids)


def propose(order: Order, actor: str, as_of: datetime, point_id: str = "", reason: str = "") -> Decision:
    """Of a released order: what it waits for or, with a point, what that has not begun.

    Raises NOT_RELEASED, CHANGE_OPEN, NOTHING_AWAITED; with a point NOT_AT_POINT, and why its work stays.
    """
    check_open(order)
    if order.state is not OrderState.RELEASED:
        text = "only a released order is planned again: in cooling-off, its content is changed"
        raise FailedPrecondition("NOT_RELEASED", text, state=order.state.value)
    if not all(one.settled for one in order.changes):
        raise FailedPrecondition("CHANGE_OPEN", "stock and money do not follow another change yet")
    change = begun(order, ChangeKind.PLAN_AGAIN, ChangeState.PROPOSED, actor, as_of)
    change = replace(change, point_id=point_id)
    units = wanted(order, change)
    if not units:
        raise _nothing(order, point_id)
    after = replace(having(order, change), updated_at=as_of)
    text = f"Another place is looked for from which {_words(units)} can be sent"
    text += f", which {point_id} has not begun." if point_id else " at once."
    facts, notes = {"change_id": change.change_id}, {"reason": reason} if reason else {}
    return Decision(after, (Happening(PROPOSED, text, as_of, facts, notes, actor=actor),))


def _nothing(order: Order, point_id: str) -> FailedPrecondition:
    if not point_id:
        return FailedPrecondition("NOTHING_AWAITED", "the order waits for no stock", state=order.state.value)
    there = (one for one in order.fulfilments if one.point_id == point_id and one.state in OPEN_FULFILMENT)
    none = FailedPrecondition("NOT_AT_POINT", f"nothing of the order is open at {point_id}", point_id=point_id)
    return next(filter(None, (_against(order, one) for one in there)), none)


def _against(order: Order, work: Fulfilment) -> FailedPrecondition | None:
    """Why the work stays where it is."""
    own = (one for one in holds.open_holds(order) if one.fulfilment_id == work.fulfilment_id)
    why = {
        TOO_LATE: ("its point has begun it", work.state not in NOT_PICKED or work.picking is not None),
        "OFFER_CLAIMED": ("it is being given to another point", claimed(work) is not None),
        "COLLECTED": ("its customer comes to this point for it", work.is_collected),
        "MEETS_OTHERS": ("its parcel meets others", bool(work.joins) or work.consolidates),
        "SENT_AGAIN": ("it replaces a lost parcel", bool(work.replaces)),
        "UNITS_AWAITED": ("it waits for stock: that is planned again without a point", bool(work.awaited)),
        "ON_HOLD": ("it is held", any(one.kind not in _OF_THE_PLAN for one in own)),
    }
    facts = {"point_id": work.point_id, "fulfilment_id": work.fulfilment_id, "state": work.state.value}
    return next((FailedPrecondition(name, text, **facts) for name, (text, is_so) in why.items() if is_so), None)


def apply(order: Order, change_id: str, legs: Sequence[Leg], decision_id: str, as_of: datetime) -> Decision:
    """proposed -> applied: the units have other places. As it is, once refused.

    A point that has begun some of its work meanwhile was faster: then it is refused.
    """
    change = find(order, change_id)
    if change.state is not ChangeState.PROPOSED:
        return Decision(order)
    check_legs(order.content, legs)
    units = wanted(order, change)
    wants_more = any(line.supply_id for leg in legs for line in leg.lines)
    covers = not wants_more and counted(line for leg in legs for line in leg.lines) == units
    if change.point_id and not covers:
        faster = f"{change.point_id} has begun some of it"
        return replacing.refuse(order, change_id, ChangeRefusal(TOO_LATE, faster), as_of)
    if not covers:
        raise InvalidArgument("legs", "the plan does not cover what is awaited exactly", reason="PLAN_MISMATCH")
    given_up = _taken_away(order, change, as_of) if change.point_id else _not_awaited(order, as_of)
    after, told = given_up.order, given_up.happenings
    ranges, created = place(after, legs, UnitState.UNPLACED, decision_id)
    after = replace(after, ranges=ranges, fulfilments=(*after.fulfilments, *created), updated_at=as_of)
    after = replace(after, holds=(*after.holds, *holds.of_legs(after, legs, created, as_of)))
    after = having(appointments.planned_anew(after), _applied(change, as_of))
    facts = {
        "change_id": change_id,
        "decision_id": decision_id,
        "fulfilments": [
            {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.lines)}
            for one in created
        ],
    }
    points = ", ".join(one.point_id for one in created)
    instead = f"of {change.point_id}" if change.point_id else "of being waited for"
    text = f"{_words(units)} are sent from {points} instead {instead}."
    planned = Happening("order.planned_again", text, as_of, facts, actor=change.actor)
    return Decision(after, (*told, planned), created)


def _not_awaited(order: Order, as_of: datetime) -> Decision:
    """The units look for a place."""
    after, told = order, tuple[Happening, ...]()
    for supply_id, count in _supplies(order).items():
        lost = awaiting.lost(after, supply_id, count, _REASON, as_of).decision
        after, told = lost.order, (*told, *lost.happenings)
    return Decision(after, told)


def _taken_away(order: Order, change: OrderChange, as_of: datetime) -> Decision:
    """The same of a point's work: it has it no more, nor has anybody who was offered it."""
    after, told = order, list[Happening]()
    for work in leaving(order, change.point_id):
        gone = moved(withdrawn(work), FulfilmentState.CANCELLED)
        works = tuple(gone if one.fulfilment_id == work.fulfilment_id else one for one in after.fulfilments)
        after = replace(without_place(after, work), fulfilments=works)
        text = f"The work of {work.point_id} was taken away: others do it."
        facts = {"reason": _REASON, "lines": unit_facts(work.lines)}
        told.append(Happening("fulfilment.cancelled", text, as_of, facts, fulfilment=gone, actor=change.actor))
    return Decision(after, tuple(told))


def _applied(change: OrderChange, as_of: datetime) -> OrderChange:
    state = move("change", CHANGE_MOVES, change.state, ChangeState.APPLIED)
    return replace(change, state=state, decided_at=as_of, settled=False)


def _supplies(order: Order) -> Counter[str]:
    supplies: Counter[str] = Counter()
    for work in order.fulfilments:
        if work.state in OPEN_FULFILMENT:
            for one in work.awaited:
                supplies[one.supply_id] += one.quantity
    return supplies


def _words(units: Counter[int]) -> str:
    count = units.total()
    return f"{count} unit" if count == 1 else f"{count} units"
