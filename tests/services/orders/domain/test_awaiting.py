"""Units that are still to come: what holds their work, what ends that, and which units look for another place."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import amending, awaiting, fulfilment, holds
from services.orders.domain import order as life
from services.orders.domain.awaiting import Share, Supplied
from services.orders.domain.model import (
    Decision,
    HoldDefault,
    HoldKind,
    HoldOutcome,
    HoldRule,
    LatenessRule,
    Leg,
    LifeCycle,
    Order,
    Units,
)
from services.orders.domain.plan import unplaced
from services.orders.domain.settings import check_life_cycle
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, PROMISE, accepted, leg, line, recorded

DUE = NOON + timedelta(days=1)
PO, OTHER = "po-1", "po-2"
ROLES = ("customer_service",)


def coming(*units: tuple[int, int, str], point: str = "store-lyon", there: int = 0) -> Leg:
    """A leg of (line number, quantity, delivery), and so many units of line 1 that are there."""
    lines = [Units(number, f"SKU-{number}", count, supply_id) for number, count, supply_id in units]
    lines += [Units(1, "SKU-1", there)] if there else []
    return replace(leg((1, 1), point=point), lines=tuple(lines), waits_until=DUE)


def waiting(*legs: Leg, units: int, life_cycle: LifeCycle = LIFE_CYCLE, **changes: Any) -> Order:
    """Released, of so many units of one line."""
    order = recorded(line(1, units), life_cycle=life_cycle, **changes)
    return life.release(judged(accepted(order, *legs)).order, COOLED).order


def after(supplied: Supplied) -> Order:
    return judged(supplied.decision).order


def awaited(order: Order) -> list[int]:
    return [sum(one.quantity for one in work.awaited) for work in order.fulfilments]


def held(order: Order) -> list[tuple[str, datetime | None]]:
    return [(one.reason, one.until) for one in holds.open_holds(order) if one.kind is HoldKind.STOCK]


def units(shares: tuple[Share, ...]) -> list[tuple[str, int, bool]]:
    return [(one.point_id, sum(row.quantity for row in one.lines), one.emptied) for one in shares]


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def offered(order: Order, number: int = 0) -> FulfilmentState:
    decision = fulfilment.offer(order, order.fulfilments[number], COOLED)
    return decision.order.fulfilments[number].state


def test_work_with_units_to_come_is_held_and_says_for_what_and_until_when() -> None:
    order = waiting(coming((1, 2, PO), there=1), leg((1, 1), point="b"), units=4)
    assert held(order) == [("it waits for 2 x SKU-1 of po-1", DUE)]
    assert offered(order) is FulfilmentState.PLANNED
    assert offered(order, 1) is FulfilmentState.OFFERED, "other work goes on"


def test_a_leg_with_units_to_come_says_when_they_are_due() -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(recorded(line(1, 2)), replace(coming((1, 2, PO)), waits_until=None))
    assert caught.value.facts["field"] == "legs[0].waits_until"


def test_it_goes_on_when_the_last_unit_came_and_not_before() -> None:
    order = waiting(coming((1, 2, PO), (1, 1, OTHER)), units=3)
    first = awaiting.served(order, PO, 2, COOLED)
    order = after(first)
    assert units(first.shares) == [("store-lyon", 2, False)]
    assert held(order) == [("it waits for 1 x SKU-1 of po-2", DUE)]
    assert offered(order) is FulfilmentState.PLANNED
    last = awaiting.served(order, OTHER, 1, COOLED)
    assert "fulfilment.hold_ended" in kinds(last.decision)
    order = after(last)
    assert held(order) == []
    assert order.holds[-1].outcome is HoldOutcome.MET
    assert offered(order) is FulfilmentState.OFFERED


def test_more_than_waits_is_nothing_to_the_order() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    done = awaiting.served(order, PO, 5, COOLED)
    assert units(done.shares) == [("store-lyon", 2, False)]
    again = awaiting.served(after(done), PO, 1, COOLED)
    assert (again.shares, again.decision.happenings) == ((), ())
    assert awaiting.lost(after(done), PO, 1, "supply_short", COOLED).shares == ()


def test_its_date_lets_nothing_go_and_neither_does_a_person() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    late = DUE + timedelta(days=9)
    assert holds.next_date(order) is None
    assert life.lapse_holds(order, late).happenings == ()
    hold = holds.open_holds(order)[0]
    with pytest.raises(FailedPrecondition, match="not there"):
        holds.release(order, hold.hold_id, "", "carol", ROLES, late)
    decision = life.refuse_hold(order, hold.hold_id, "too long", "carol", ROLES, late)
    assert decision.order.state is OrderState.CANCELLING


@pytest.mark.parametrize("default", list(HoldDefault))
def test_whatever_a_life_cycle_says_what_is_not_there_is_waited_for(default: HoldDefault) -> None:
    rule = HoldRule(HoldKind.STOCK, 0, default, ("supply_chain",))
    order = waiting(coming((1, 2, PO)), units=2, life_cycle=replace(LIFE_CYCLE, hold_rules=(rule,)))
    (hold,) = [one for one in order.holds if one.kind is HoldKind.STOCK]
    assert (hold.default, hold.roles) == (HoldDefault.WAIT, ("supply_chain",))


def test_nothing_else_waits_without_an_end() -> None:
    rule = HoldRule(HoldKind.MANUAL, 0, HoldDefault.WAIT, ())
    with pytest.raises(InvalidArgument) as caught:
        check_life_cycle(replace(LIFE_CYCLE, hold_rules=(rule,)))
    assert caught.value.facts["field"] == "life_cycle.hold_rules[0].default"
    order = waiting(coming((1, 2, PO)), units=2)
    with pytest.raises(InvalidArgument) as caught:
        holds.place(order, "", "she calls back", None, HoldDefault.WAIT, "carol", COOLED)
    assert caught.value.facts["field"] == "default"


def test_units_that_will_not_come_look_for_another_place_and_the_rest_goes_on() -> None:
    order = waiting(coming((1, 2, PO), there=1), units=3)
    lost = awaiting.lost(order, PO, 2, "supply_short", COOLED)
    order = after(lost)
    assert units(lost.shares) == [("store-lyon", 2, False)]
    assert unplaced(order, "")[1] == 2
    assert [row.quantity for row in order.fulfilments[0].lines] == [1]
    assert offered(order) is FulfilmentState.OFFERED
    rerouted = life.reroute(order, [leg((1, 2), point="b")], [], "supply_short", "dec_2", COOLED)
    assert [row.point_id for row in rerouted.created] == ["b"]


def test_work_that_nothing_is_left_of_is_cancelled_with_its_hold() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    lost = awaiting.lost(order, PO, 2, "supply_cancelled", COOLED)
    order = after(lost)
    assert units(lost.shares) == [("store-lyon", 2, True)]
    assert order.fulfilments[0].state is FulfilmentState.CANCELLED
    assert kinds(lost.decision) == ["order.supply_lost", "fulfilment.cancelled"]
    assert [one.outcome for one in order.holds if one.kind is HoldKind.STOCK] == [HoldOutcome.GONE]
    assert order.state is OrderState.RELEASED


def test_who_was_planned_last_loses_first_and_who_was_planned_first_is_served_first() -> None:
    order = waiting(coming((1, 2, PO)), coming((1, 2, PO), point="b"), units=4)
    assert awaited(after(awaiting.served(order, PO, 1, COOLED))) == [1, 2]
    assert awaited(after(awaiting.lost(order, PO, 1, "supply_short", COOLED))) == [2, 1]
    assert units(awaiting.lost(order, PO, 3, "supply_short", COOLED).shares) == [
        ("b", 2, True),
        ("store-lyon", 1, False),
    ]


def test_a_late_delivery_moves_the_date_the_parcel_and_the_promise() -> None:
    rules = (LatenessRule(late_seconds=86_400, fee_basis_points=5_000),)
    order = waiting(coming((1, 2, PO)), units=2, life_cycle=replace(LIFE_CYCLE, lateness_rules=rules))
    moved = awaiting.moved(order, PO, DUE + timedelta(days=2, hours=1), COOLED)
    later = after(moved)
    assert [until for _, until in held(later)] == [DUE + timedelta(days=2, hours=1)]
    was, now = order.fulfilments[0], later.fulfilments[0]
    assert now.hand_over_by - was.hand_over_by == timedelta(days=3), "whole days: a carrier comes at its hour"
    assert later.current_promise is not None
    assert later.current_promise.end == PROMISE.end + timedelta(days=3)
    assert later.compensation_minor == 245, "half of the delivery fee"
    assert units(moved.shares) == [("store-lyon", 2, False)]


def test_an_earlier_delivery_is_no_news_and_one_without_a_date_keeps_the_last() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    earlier = after(awaiting.moved(order, PO, DUE - timedelta(hours=30), COOLED))
    assert [until for _, until in held(earlier)] == [DUE - timedelta(hours=30)]
    assert earlier.fulfilments[0].hand_over_by == order.fulfilments[0].hand_over_by
    assert earlier.promise_changes == ()
    unknown = awaiting.moved(order, PO, None, COOLED)
    assert [until for _, until in held(after(unknown))] == [DUE]
    assert "nobody knows" in unknown.decision.happenings[0].text


def test_what_is_to_come_is_cancelled_before_what_is_there() -> None:
    order = waiting(coming((1, 2, PO), (1, 1, OTHER), there=1), units=4)
    decision = amending.cancel_lines(order, [Units(1, "", 2)], "too many", "web", ("channel",), COOLED)
    (share,) = decision.happenings[0].facts["released"]
    assert share["supplies"] == [
        {"supply_id": OTHER, "sku": "SKU-1", "quantity": 1},
        {"supply_id": PO, "sku": "SKU-1", "quantity": 1},
    ]
    assert held(judged(decision).order) == [("it waits for 1 x SKU-1 of po-1", DUE)]
    decision = amending.cancel_lines(decision.order, [Units(1, "", 1)], "too many", "web", ("channel",), COOLED)
    assert "fulfilment.hold_ended" in kinds(decision), "what is left is there"


def test_of_an_order_that_is_cancelled_nothing_is_waited_for() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    order = judged(life.request_cancellation(order, "changed my mind", "ana", COOLED)).order
    for done in (
        awaiting.served(order, PO, 2, COOLED),
        awaiting.lost(order, PO, 2, "supply_short", COOLED),
        awaiting.moved(order, PO, DUE + timedelta(days=3), COOLED),
    ):
        assert (done.shares, done.decision.happenings) == ((), ())
    assert all(one.state is UnitState.CANCELLED for one in order.ranges)


def test_a_reason_names_three_deliveries_and_counts_the_others() -> None:
    found = [(1, 1, f"po-{number}") for number in range(1, 6)]
    ((reason, _),) = held(waiting(coming(*found), units=5))
    assert reason == "it waits for 1 x SKU-1 of po-1, 1 x SKU-1 of po-2, 1 x SKU-1 of po-3 and 2 more"
