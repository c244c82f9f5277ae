"""An order that stops waiting: its units have other places at once, all of them, or it waits on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import amending, fulfilment, holds, planning_again, replacing
from services.orders.domain import order as life
from services.orders.domain.model import ChangeRefusal, HoldDefault, HoldKind, Leg, Order, Picking
from services.orders.domain.states import ChangeState, FulfilmentState, OrderState
from tests.services.orders.builders import COOLED, accepted, found, leg, line, recorded, released
from tests.services.orders.domain.test_awaiting import OTHER, PO, awaited, coming, held, waiting

LATER = COOLED + timedelta(hours=1)


def asked() -> Order:
    """Two units wait for two deliveries beside one that is there, and one waits at another point."""
    order = waiting(coming((1, 1, PO), (1, 1, OTHER), there=1), coming((1, 1, PO), point="b"), units=4)
    return judged(planning_again.propose(order, "carol", LATER)).order


def applied(order: Order, *units: int) -> Order:
    legs = [leg((1, count), point=f"p{i}") for i, count in enumerate(units)]
    change_id = order.changes[-1].change_id
    return judged(planning_again.apply(order, change_id, legs, "dec_2", LATER)).order


def test_units_to_come_have_other_places_and_what_is_there_goes_on() -> None:
    order = applied(asked(), 2, 1)
    assert [(one.point_id, one.state, sum(row.quantity for row in one.lines)) for one in order.fulfilments] == [
        ("store-lyon", FulfilmentState.PLANNED, 1),
        ("b", FulfilmentState.CANCELLED, 1),
        ("p0", FulfilmentState.PLANNED, 2),
        ("p1", FulfilmentState.PLANNED, 1),
    ]
    assert (awaited(order), held(order)) == ([0, 0, 0, 0], [])
    assert not holds.holds_work(order, order.fulfilments[0])
    assert (order.changes[-1].state, order.changes[-1].settled) == (ChangeState.APPLIED, False)
    assert applied(order, 3) == order, "it is applied once"
    settled = judged(amending.settle(order, order.changes[-1].change_id, LATER)).order
    with pytest.raises(FailedPrecondition, match="NOTHING_AWAITED"):
        planning_again.propose(settled, "carol", LATER)


def test_a_plan_of_less_than_all_or_of_more_to_come_is_none() -> None:
    order = asked()
    with pytest.raises(InvalidArgument, match="exactly"):
        applied(order, 2)
    change_id = order.changes[-1].change_id
    with pytest.raises(InvalidArgument, match="exactly"):
        planning_again.apply(order, change_id, [coming((1, 3, PO))], "dec_2", LATER)


def test_refused_it_waits_on() -> None:
    order = asked()
    refused = replacing.refuse(order, order.changes[-1].change_id, ChangeRefusal("STOCK_UNAVAILABLE"), LATER)
    after = judged(refused).order
    assert (after.fulfilments, after.holds, after.ranges) == (order.fulfilments, order.holds, order.ranges)
    assert after.changes[-1].settled
    assert judged(planning_again.propose(after, "carol", LATER)).order.changes[-1].state is ChangeState.PROPOSED


def test_a_cancellation_that_comes_first_refuses_it_and_no_other_change_comes_between() -> None:
    order = asked()
    with pytest.raises(FailedPrecondition, match="CHANGE_OPEN"):
        planning_again.propose(order, "carol", LATER)
    stopped = judged(holds.place(order, "", "wait", None, HoldDefault.RELEASE, "carol", LATER)[0]).order
    assert stopped.changes[-1].state is ChangeState.PROPOSED, "whatever else happens leaves it alone"
    gone = judged(life.request_cancellation(order, "", "ana", LATER)).order
    assert (gone.changes[-1].state, gone.changes[-1].settled) == (ChangeState.REFUSED, True)
    assert applied(gone, 3) == gone


def test_only_a_released_order_is_planned_again() -> None:
    order = judged(accepted(recorded(line(1, 2)), coming((1, 2, PO)))).order
    assert order.state is OrderState.VALIDATED
    with pytest.raises(FailedPrecondition, match="NOT_RELEASED"):
        planning_again.propose(order, "carol", COOLED)
    assert any(one.kind is HoldKind.STOCK for one in holds.open_holds(order))


LYON = "store-lyon"


def at_points(*legs: Leg) -> Order:
    """Released, and offered to its points; one line for each leg."""
    order = released(*legs, lines=[line(number, 2) for number in range(1, len(legs) + 1)])
    for work in order.fulfilments:
        order = judged(fulfilment.offer(order, work, LATER)).order
    return order


def moving(order: Order, point_id: str = LYON) -> Order:
    return judged(planning_again.propose(order, "carol", LATER, point_id, "the store is flooded")).order


def moved(order: Order, *legs: Leg) -> Order:
    return judged(planning_again.apply(order, order.changes[-1].change_id, legs, "dec_2", LATER)).order


@pytest.mark.parametrize("is_accepted", [False, True])
def test_what_a_point_has_not_begun_is_done_elsewhere_and_other_points_go_on(is_accepted: bool) -> None:
    order = at_points(leg((1, 2)), leg((2, 2), point="b"))
    if is_accepted:
        order = judged(fulfilment.accept_offer(order, order.fulfilments[0], "anna", LATER)).order
    asked = moving(order)
    assert (asked.fulfilments, asked.ranges) == (order.fulfilments, order.ranges), "nothing is given up yet"
    decision = planning_again.apply(asked, asked.changes[-1].change_id, [leg((1, 2), point="c")], "dec_2", LATER)
    after = decision.order
    assert [(one.point_id, one.state) for one in after.fulfilments] == [
        (LYON, FulfilmentState.CANCELLED),
        ("b", FulfilmentState.OFFERED),
        ("c", FulfilmentState.PLANNED),
    ]
    told = {one.kind: one for one in decision.happenings}
    assert told["fulfilment.cancelled"].facts["reason"] == "planned_again"
    assert told["order.planned_again"].actor == "carol"
    assert moved(after, leg((1, 2), point="d")) == after, "it is applied once"


def test_a_point_that_begins_meanwhile_is_faster_and_the_order_stands() -> None:
    order = at_points(leg((1, 2)))
    order = judged(fulfilment.accept_offer(order, order.fulfilments[0], "anna", LATER)).order
    asked = moving(order)
    picked = judged(fulfilment.record_pick(asked, asked.fulfilments[0], found((1, 2)), "anna", LATER)).order
    after = moved(picked, leg((1, 2), point="c"))
    change = after.changes[-1]
    assert (change.state, change.refusal and change.refusal.reason) == (ChangeState.REFUSED, "TOO_LATE_TO_CHANGE")
    assert (after.fulfilments, after.ranges) == (picked.fulfilments, picked.ranges)
    with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_CHANGE"):
        moving(after)


def test_why_the_work_of_a_point_stays_is_said() -> None:
    order = at_points(leg((1, 2)))
    work = order.fulfilments[0]

    def why(**changes: Any) -> str:
        one = replace(order, fulfilments=(replace(work, **changes),))
        with pytest.raises(FailedPrecondition) as refused:
            moving(one)
        return refused.value.reason

    with pytest.raises(FailedPrecondition, match="NOT_AT_POINT"):
        moving(order, "b")
    assert why(carrier_id="", service_id="") == "COLLECTED"
    assert why(joins="ful_hub") == why(consolidates=True) == "MEETS_OTHERS"
    assert why(replaces="ful_lost") == "SENT_AGAIN"
    assert (
        why(state=FulfilmentState.ACCEPTED, picking=Picking("pck_1", "A", "anna", LATER)) == "TOO_LATE_TO_CHANGE"
    )
    held = judged(
        holds.place(order, work.fulfilment_id, "wait", None, HoldDefault.RELEASE, "carol", LATER)[0]
    ).order
    with pytest.raises(FailedPrecondition, match="ON_HOLD"):
        moving(held)
    waits = waiting(coming((1, 2, PO)), units=2)
    with pytest.raises(FailedPrecondition, match="UNITS_AWAITED"):
        moving(waits)
