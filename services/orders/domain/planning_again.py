"""Stock to come that is not waited for any more: its units are planned again, from what is there (SPEC RTE-9).

Proposed, then applied whole or refused: refused, the order waits on as it did and has lost nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import appointments, awaiting, holds
from services.orders.domain.amending import begun, check_open, find, having
from services.orders.domain.model import (
    ChangeKind,
    Decision,
    Happening,
    Leg,
    Order,
    OrderChange,
)
from services.orders.domain.plan import check_legs, counted, place, unit_facts
from services.orders.domain.replacing import PROPOSED
from services.orders.domain.states import (
    CHANGE_MOVES,
    OPEN_FULFILMENT,
    ChangeState,
    OrderState,
    UnitState,
    move,
)

_REASON = "planned_again"


def waiting(order: Order) -> Counter[int]:
    """The units that are still to come, by line number."""
    units: Counter[int] = Counter()
    for work in order.fulfilments:
        if work.state in OPEN_FULFILMENT:
            for one in work.awaited:
                units[one.line_number] += one.quantity
    return units


def propose(order: Order, actor: str, as_of: datetime) -> Decision:
    """Of a released order. Raises NOT_RELEASED, NOTHING_AWAITED, CHANGE_OPEN, TOO_LATE_TO_CHANGE."""
    check_open(order)
    if order.state is not OrderState.RELEASED:
        text = "only a released order is planned again: in cooling-off, its content is changed"
        raise FailedPrecondition("NOT_RELEASED", text, state=order.state.value)
    if not all(one.settled for one in order.changes):
        raise FailedPrecondition("CHANGE_OPEN", "stock and money do not follow another change yet")
    units = waiting(order)
    if not units:
        raise FailedPrecondition("NOTHING_AWAITED", "the order waits for no stock", state=order.state.value)
    change = begun(order, ChangeKind.PLAN_AGAIN, ChangeState.PROPOSED, actor, as_of)
    after = replace(having(order, change), updated_at=as_of)
    text = f"Another place is looked for from which {_words(units)} can be sent at once."
    return Decision(after, (Happening(PROPOSED, text, as_of, {"change_id": change.change_id}, actor=actor),))


def apply(order: Order, change_id: str, legs: Sequence[Leg], decision_id: str, as_of: datetime) -> Decision:
    """proposed -> applied: the units have other places, and nothing is waited for. As it is, once refused."""
    change = find(order, change_id)
    if change.state is not ChangeState.PROPOSED:
        return Decision(order)
    check_legs(order.content, legs)
    units = waiting(order)
    wants_more = any(line.supply_id for leg in legs for line in leg.lines)
    if wants_more or counted(line for leg in legs for line in leg.lines) != units:
        raise InvalidArgument("legs", "the plan does not cover what is awaited exactly", reason="PLAN_MISMATCH")
    told: tuple[Happening, ...] = ()
    after = order
    for supply_id, count in _supplies(order).items():
        lost = awaiting.lost(after, supply_id, count, _REASON, as_of).decision
        after, told = lost.order, (*told, *lost.happenings)
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
    text = f"{_words(units)} are sent from {points} instead of being waited for."
    planned = Happening("order.planned_again", text, as_of, facts, actor=change.actor)
    return Decision(after, (*told, planned), created)


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
