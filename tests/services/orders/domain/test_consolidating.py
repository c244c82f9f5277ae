"""Units that meet at a hub: what is waited for there, what arrives, what does not, and what leaves in the end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import amending, capture, consolidating, fulfilment, holds, parcels, personalising
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.consolidating import Arrived
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    Fulfilment,
    Happening,
    HoldDefault,
    HoldKind,
    HoldRule,
    Leg,
    LifeCycle,
    Order,
    Reach,
    Window,
)
from services.orders.domain.parcels import Scan
from services.orders.domain.plan import counted_ranges, unplaced
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.settings import check_life_cycle
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status, fine_status
from tests.services.orders.builders import (
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    accepted,
    found,
    leg,
    line,
    recorded,
)

HUB, LYON, NICE = "hub", "store-lyon", "store-nice"
ARRIVAL = Window(NOON + timedelta(days=1), NOON + timedelta(days=1, hours=6))
DAY = timedelta(days=1)
SERVICE = ("customer_service",)
GOES_ON = replace(LIFE_CYCLE, hold_rules=(HoldRule(HoldKind.CONSOLIDATION, 3600, HoldDefault.RELEASE, SERVICE),))


def to_hub(*units: tuple[int, int], point: str = LYON) -> Leg:
    return replace(leg(*units, point=point), window=ARRIVAL, via_point_id=HUB)


def at_hub(*units: tuple[int, int]) -> Leg:
    """What the hub has itself."""
    return replace(leg(*units, point=HUB), carrier_id="", service_id="", via_point_id=HUB)


def onward(**changes: Any) -> Leg:
    return replace(leg(point=HUB, hours=36), **changes)


def meeting(*legs: Leg, units: int = 3, life_cycle: LifeCycle = LIFE_CYCLE, **changes: Any) -> Order:
    """Released; two units of Lyon and one of the hub, where nothing else is said."""
    chosen = legs or (to_hub((1, 2)), at_hub((1, 1)))
    planned = consolidating.with_onward(chosen, onward())
    order = recorded(line(1, units, **changes), life_cycle=life_cycle)
    return judged(life.release(judged(accepted(order, *planned)).order, COOLED)).order


def work_of(order: Order, point: str) -> Fulfilment:
    return [one for one in order.fulfilments if one.point_id == point][-1]


def done(decision: Decision) -> Order:
    return judged(decision).order


def taken(order: Order, point: str, at: datetime = COOLED) -> Order:
    order = done(fulfilment.offer(order, work_of(order, point), at))
    return done(fulfilment.accept_offer(order, work_of(order, point), "anna", at))


def packed(order: Order, point: str, found_units: Sequence[tuple[int, int]] = (), at: datetime = COOLED) -> Order:
    order = taken(order, point, at)
    work = work_of(order, point)
    units = found(*(found_units or [(one.line_number, one.quantity) for one in work.lines]))
    order = done(fulfilment.record_pick(order, work, units, "anna", at))
    return done(fulfilment.close_parcel(order, work_of(order, point), 900, "anna", at))


def sent(order: Order, point: str = LYON, at: datetime = COOLED) -> Order:
    order = packed(order, point, at=at)
    work = work_of(order, point)
    assert work.parcel is not None
    if work.parcel.amount_minor:
        order = done(capture.record(order, work, Outcome("captured", "", "", at)))
    return done(fulfilment.hand_over(order, work_of(order, point), "", "anna", at))


def arrive(order: Order, good: int, damaged: int = 0, point: str = LYON, at: datetime = NOON + DAY) -> Decision:
    work = work_of(order, point)
    return judged(consolidating.receive(order, work, [Arrived(1, good, damaged)], "henri", at))


def nowhere(order: Order) -> Decision:
    """No place is found for what looks for one."""
    lost = found(*unplaced(order, "").items())
    return judged(life.reroute(order, [], lost, "NO_STOCK", "", NOON + DAY))


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def told(decision: Decision, kind: str) -> Happening:
    return next(one for one in decision.happenings if one.kind == kind)


def counts(order: Order) -> dict[str, int]:
    return {state.value: n for state in UnitState if (n := quantity(in_state(order.ranges, state)))}


def waits(order: Order) -> list[tuple[str, datetime | None]]:
    return [(one.reason, one.until) for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION]


# -- the plan ---------------------------------------------------------------------------------------------


def test_a_plan_by_way_of_a_hub_is_work_there_that_waits_for_the_parcels_of_others() -> None:
    order = meeting()
    lyon, hub = work_of(order, LYON), work_of(order, HUB)
    assert (lyon.joins, lyon.window) == (hub.fulfilment_id, ARRIVAL)
    assert (hub.consolidates, hub.window, hub.carrier_id) == (True, PROMISE, "colis")
    assert [(one.line_number, one.quantity) for one in hub.lines] == [(1, 1)]
    assert waits(order) == [("it waits for 2 units from store-lyon", ARRIVAL.end + DAY)]
    assert fulfilment.offer(order, hub, COOLED).order.fulfilments[1].state is FulfilmentState.PLANNED
    assert done(fulfilment.offer(order, lyon, COOLED)).fulfilments[0].state is FulfilmentState.OFFERED


def test_a_hub_may_have_nothing_itself() -> None:
    order = meeting(to_hub((1, 2)), to_hub((1, 1), point=NICE))
    assert work_of(order, HUB).lines == ()
    assert waits(order)[0][0] == "it waits for 2 units from store-lyon and 1 unit from store-nice"


@pytest.mark.parametrize(
    ("legs", "way_on", "field"),
    [
        ((to_hub((1, 3)),), replace(onward(), lines=leg((1, 1)).lines), "onward.lines"),
        ((leg((1, 3)),), onward(), "onward"),
        ((to_hub((1, 3)),), onward(carrier_id=""), "onward.carrier_id"),
        ((replace(to_hub((1, 3)), via_point_id="elsewhere"),), onward(), "legs[0].via_point_id"),
        ((to_hub((1, 3)),), None, "legs[0].via_point_id"),
    ],
)
def test_a_plan_that_does_not_meet_is_refused(legs: tuple[Leg, ...], way_on: Leg | None, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(recorded(line(1, 3)), *consolidating.with_onward(legs, way_on))
    assert caught.value.facts["field"] == field


def test_only_a_hold_of_goods_waits_on_and_a_hub_never_cancels() -> None:
    check_life_cycle(GOES_ON)
    for default, seconds in ((HoldDefault.CANCEL, 60), (HoldDefault.CANCEL, 0)):
        rule = HoldRule(HoldKind.CONSOLIDATION, seconds, default, SERVICE)
        with pytest.raises(InvalidArgument) as caught:
            check_life_cycle(replace(LIFE_CYCLE, hold_rules=(rule,)))
        assert caught.value.facts["field"] == "life_cycle.hold_rules[0].default"


# -- on the way -------------------------------------------------------------------------------------------


def test_what_goes_to_a_hub_leaves_its_point_brings_no_money_and_is_no_news_for_the_customer() -> None:
    order = packed(meeting(), LYON)
    parcel = work_of(order, LYON).parcel
    assert parcel is not None
    assert (parcel.amount_minor, parcel.shipping_minor, parcel.capture_state.value) == (0, 0, "not_needed")
    decision = judged(fulfilment.hand_over(order, work_of(order, LYON), "", "anna", COOLED))
    assert kinds(decision) == ["fulfilment.forwarded"], "and no fulfilment.handed_over"
    assert told(decision, "fulfilment.forwarded").text.endswith(", for hub.")
    order = decision.order
    assert counts(order) == {"allocated": 1, "forwarded": 2}
    assert (customer_status(order), fine_status(order)) == ("validated", "to consolidate")
    assert consolidating.is_within(Reach(frozenset({HUB})), order, work_of(order, LYON))
    assert not consolidating.is_within(Reach(frozenset({LYON})), order, work_of(order, LYON))


def test_all_there_the_hub_begins_and_all_leaves_as_one_parcel_with_all_the_money() -> None:
    decision = arrive(sent(meeting()), 2)
    assert kinds(decision) == ["fulfilment.received", "order.hold_met", "fulfilment.hold_ended"]
    order = decision.order
    assert counts(order) == {"allocated": 1, "received": 2}
    assert fine_status(order) == "to consolidate"
    order = packed(order, HUB, at=NOON + DAY)
    assert fine_status(order) == "prepared"
    parcel = work_of(order, HUB).parcel
    assert parcel is not None
    assert parcel.amount_minor == order.content.total.amount_minor, "goods and delivery"
    order = done(capture.record(order, work_of(order, HUB), Outcome("captured", "", "", NOON + DAY)))
    left = judged(fulfilment.hand_over(order, work_of(order, HUB), "", "henri", NOON + DAY))
    facts = told(left, "fulfilment.handed_over").facts
    assert [one["quantity"] for one in facts["lines"]] == [3]
    assert [one["quantity"] for one in facts["issued"]] == [1], "what came from Lyon is no stock of the hub"
    assert customer_status(left.order) == "shipped"


def test_money_that_is_taken_at_the_pick_is_taken_at_that_of_the_hub() -> None:
    order = sent(meeting(life_cycle=replace(LIFE_CYCLE, capture_at=CaptureMoment.PREPARATION)))
    order = taken(arrive(order, 2).order, HUB, NOON + DAY)
    picked = done(fulfilment.record_pick(order, work_of(order, HUB), found((1, 3)), "henri", NOON + DAY))
    parcel = work_of(picked, HUB).parcel
    assert parcel is not None
    assert parcel.amount_minor == order.content.total.amount_minor


def test_what_is_missing_or_damaged_looks_for_another_place_and_the_rest_goes_on() -> None:
    order = sent(meeting())
    decision = arrive(order, 1, damaged=1)
    facts = told(decision, "fulfilment.received").facts
    assert ([one["quantity"] for one in facts["received"]], [one["quantity"] for one in facts["missing"]]) == (
        [1],
        [1],
    )
    assert unplaced(decision.order, "") == {1: 1}
    assert waits(decision.order), "it may come from elsewhere"
    order = nowhere(decision.order).order
    assert waits(order) == [], "what is not to come is not waited for"
    assert [one.quantity for one in work_of(order, HUB).lines] == [2]


@pytest.mark.parametrize(
    ("arrived", "field"),
    [
        ([], "units"),
        ([Arrived(2, 1)], "units[0].line_number"),
        ([Arrived(1, 1), Arrived(1, 1)], "units[1].line_number"),
        ([Arrived(1, 2, 1)], "units[0].quantity"),
        ([Arrived(1, -1)], "units[0].quantity"),
        ([Arrived(1, 2, sku="SKU-9")], "units[0].sku"),
    ],
)
def test_what_is_said_of_a_parcel_is_what_it_may_hold(arrived: list[Arrived], field: str) -> None:
    order = sent(meeting())
    with pytest.raises(InvalidArgument) as caught:
        consolidating.receive(order, work_of(order, LYON), arrived, "henri", NOON)
    assert caught.value.facts["field"] == field


def test_only_what_is_on_its_way_to_a_hub_is_received_and_once() -> None:
    order = packed(meeting(), LYON)
    for point, reason in ((LYON, "NOT_ON_ITS_WAY"), (HUB, "NOT_INBOUND")):
        with pytest.raises(FailedPrecondition) as caught:
            consolidating.receive(order, work_of(order, point), [Arrived(1, 2)], "henri", NOON)
        assert caught.value.reason == reason
    with pytest.raises(FailedPrecondition) as again:
        arrive(arrive(sent(meeting()), 2).order, 2)
    assert again.value.reason == "NOT_ON_ITS_WAY"


def test_carriers_say_where_a_parcel_is_and_the_hub_that_it_arrived() -> None:
    order = sent(meeting())
    for status in ("in_transit", "delivered"):
        scan = Scan(status, "", status, COOLED)
        decision = parcels.carrier_event(order, work_of(order, LYON), scan, COOLED)
        assert [one for one in decision.happenings if one.told] == [], "the customer's parcel is another one"
        order = decision.order
    assert counts(order) == {"allocated": 1, "forwarded": 2}


# -- the unhappy ways -------------------------------------------------------------------------------------


def refused_by_lyon(order: Order) -> Order:
    order = done(fulfilment.offer(order, work_of(order, LYON), COOLED))
    refused = judged(fulfilment.refuse_offer(order, work_of(order, LYON), "no_time", "anna", COOLED))
    assert kinds(refused) == ["fulfilment.refused"], "more may come from elsewhere"
    return refused.order


def test_a_hub_waits_until_it_is_known_that_nothing_comes_and_work_without_units_is_cancelled() -> None:
    order = refused_by_lyon(meeting())
    assert unplaced(order, "") == {1: 2}
    assert kinds(nowhere(order))[1:] == ["order.hold_met", "fulfilment.hold_ended"]
    elsewhere = judged(life.reroute(order, [leg((1, 2), point=NICE)], [], "refused", "dec_2", COOLED))
    assert kinds(elsewhere) == ["order.rerouted", "order.hold_met", "fulfilment.hold_ended"]
    order = refused_by_lyon(meeting(to_hub((1, 2)), units=2))
    gone = nowhere(order)
    assert kinds(gone)[1:] == ["fulfilment.cancelled"]
    assert waits(gone.order) == []


def again(order: Order, *legs: Leg) -> Decision:
    """Planned anew by way of the hub."""
    later = onward(hand_over_by=NOON + 3 * DAY)
    return judged(life.reroute(order, legs, [], "refused", "dec_2", COOLED, onward=later))


def test_what_another_point_sends_instead_joins_what_waits_at_the_hub_which_leaves_later() -> None:
    order = refused_by_lyon(meeting())
    late = replace(to_hub((1, 2), point=NICE), window=Window(ARRIVAL.start + DAY, ARRIVAL.end + DAY))
    decision = again(order, late)
    assert [one.point_id for one in decision.created] == [NICE]
    order = decision.order
    hub = work_of(order, HUB)
    assert (decision.created[0].joins, hub.hand_over_by) == (hub.fulfilment_id, NOON + 3 * DAY)
    assert waits(order) == [("it waits for 2 units from store-nice", ARRIVAL.end + 2 * DAY)]
    order = arrive(sent(order, NICE), 2, point=NICE).order
    assert [one.quantity for one in work_of(order, HUB).lines] == [3]
    assert counts(sent(order, HUB, NOON + DAY)) == {"shipped": 3}


def test_while_the_other_points_go_on() -> None:
    order = refused_by_lyon(meeting(to_hub((1, 1)), to_hub((1, 1), point=NICE), at_hub((1, 1))))
    order = again(sent(order, NICE), to_hub((1, 1), point="store-nancy")).order
    assert waits(order)[0][0] == "it waits for 1 unit from store-nice and 1 unit from store-nancy"
    assert waits(arrive(order, 1, point=NICE).order)[0][0] == "it waits for 1 unit from store-nancy"


def test_what_the_hub_has_itself_instead_is_work_that_it_has_already() -> None:
    order = refused_by_lyon(meeting())
    decision = again(order, at_hub((1, 2)))
    assert decision.created == ()
    assert kinds(decision) == ["order.rerouted", "order.hold_met", "fulfilment.hold_ended"]
    hub = work_of(decision.order, HUB)
    assert [one.quantity for one in hub.lines] == [3]
    assert counts(decision.order) == {"allocated": 3}
    assert len(decision.order.fulfilments) == 2
    both = again(order, at_hub((1, 1)), to_hub((1, 1), point=NICE)).order
    assert [one.quantity for one in work_of(both, HUB).lines] == [2]
    assert waits(both)[0][0] == "it waits for 1 unit from store-nice"


def test_at_a_hub_that_has_gone_on_they_meet_anew() -> None:
    order = meeting(to_hub((1, 1)), to_hub((1, 1), point=NICE), at_hub((1, 1)))
    order = refused_by_lyon(order)
    hold = next(one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION)
    order = done(holds.release(order, hold.hold_id, "", "ines", SERVICE, COOLED))
    order = sent(order, HUB)
    created = again(order, to_hub((1, 1), point="store-nancy")).created
    assert [(one.point_id, one.consolidates) for one in created] == [("store-nancy", False), (HUB, True)]
    assert created[0].joins == created[1].fulfilment_id


def test_what_is_sent_again_to_its_customer_goes_by_no_hub() -> None:
    with pytest.raises(InvalidArgument) as caught:
        life.reroute(meeting(), [to_hub((1, 1))], [], "", "dec_2", COOLED, replaces="ful_1", onward=onward())
    assert caught.value.facts["field"] == "onward"


def test_what_a_point_does_not_find_is_not_waited_for() -> None:
    order = packed(meeting(), LYON, found_units=[(1, 1)])
    assert waits(order)[0][0] == "it waits for 1 unit from store-lyon"


def test_where_the_rule_says_so_a_hub_sends_what_is_there_and_the_rest_follows() -> None:
    order = meeting(to_hub((1, 1)), to_hub((1, 1), point=NICE), at_hub((1, 1)), life_cycle=GOES_ON)
    order = arrive(sent(sent(order), NICE), 1).order
    (_, until), *_ = waits(order)
    assert until is not None
    lapsed = judged(life.lapse_holds(order, until))
    assert kinds(lapsed) == ["order.hold_lapsed", "fulfilment.hold_ended", "order.promise_changed"]
    order = sent(lapsed.order, HUB, until)
    assert counts(order) == {"shipped": 2, "forwarded": 1}
    assert customer_status(order) == "partially shipped"
    late = arrive(order, 1, point=NICE, at=until + DAY)
    follows = told(late, "fulfilment.received").facts["follows"]
    work = late.order.fulfilment(follows["fulfilment_id"])
    assert (work.point_id, work.carrier_id, [one.quantity for one in work.lines]) == (HUB, "colis", [1])
    assert work.hand_over_by > until, "a day's collection later"
    order = sent(late.order, HUB, until + DAY)
    assert counts(order) == {"shipped": 3}
    brought = [one.parcel.amount_minor for one in order.fulfilments if one.parcel]
    assert sum(brought) == order.content.total.amount_minor


def test_what_comes_before_the_hub_has_picked_leaves_with_it() -> None:
    order = meeting(to_hub((1, 1)), to_hub((1, 1), point=NICE), at_hub((1, 1)), life_cycle=GOES_ON)
    order = sent(sent(order), NICE)
    hold = next(one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION)
    order = done(holds.release(order, hold.hold_id, "", "ines", SERVICE, NOON + DAY))
    order = taken(order, HUB, NOON + DAY)
    order = arrive(arrive(order, 1).order, 1, point=NICE).order
    assert [one.quantity for one in work_of(order, HUB).lines] == [3]
    assert len(order.fulfilments) == 3


def test_a_hub_to_which_nothing_came_has_nothing_to_send() -> None:
    order = sent(meeting(to_hub((1, 3)), life_cycle=GOES_ON))
    (_, until), *_ = waits(order)
    hold = next(one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION)
    with pytest.raises(FailedPrecondition) as caught:
        holds.release(order, hold.hold_id, "", "ines", SERVICE, NOON)
    assert caught.value.reason == "NOT_THERE"
    assert until is not None
    lapsed = judged(life.lapse_holds(order, until))
    assert kinds(lapsed) == ["order.hold_extended", "order.promise_changed"]
    (_, later), *_ = waits(lapsed.order)
    assert later is not None
    assert later > until, "so that nobody looks at it all the time"


def test_a_hub_that_has_goods_of_others_cannot_be_without_its_work() -> None:
    order = arrive(sent(meeting()), 2).order
    order = done(fulfilment.offer(order, work_of(order, HUB), NOON + DAY))
    refused = judged(fulfilment.refuse_offer(order, work_of(order, HUB), "no_staff", "henri", NOON + DAY))
    assert kinds(refused) == ["fulfilment.set_aside", "order.held"]
    order = refused.order
    assert work_of(order, HUB).state is FulfilmentState.PLANNED
    assert unplaced(order, "") == {}
    ((reason, until),) = waits(order)
    assert "no staff" in reason
    assert until is None, "a person decides"
    assert fulfilment.offer(order, work_of(order, HUB), NOON + DAY).order == order
    hold = next(one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION)
    released = judged(holds.release(order, hold.hold_id, "", "ines", SERVICE, NOON + DAY))
    assert "fulfilment.hold_ended" in kinds(released)
    order = done(fulfilment.offer(released.order, work_of(released.order, HUB), NOON + DAY))
    lapsed = judged(fulfilment.lapse_offer(order, work_of(order, HUB), NOON + 2 * DAY))
    assert kinds(lapsed)[:1] == ["fulfilment.set_aside"], "silence is no answer either"


def test_a_hub_that_misses_units_misses_its_own_first() -> None:
    order = taken(arrive(sent(meeting()), 2).order, HUB, NOON + DAY)
    own = judged(fulfilment.record_pick(order, work_of(order, HUB), found((1, 2)), "henri", NOON + DAY))
    assert counts(own.order) == {"unplaced": 1, "received": 2}
    assert "unheld" not in told(own, "fulfilment.picked").facts
    both = judged(fulfilment.record_pick(order, work_of(order, HUB), found((1, 1)), "henri", NOON + DAY))
    assert counts(both.order) == {"unplaced": 2, "received": 1}
    facts = told(both, "fulfilment.picked").facts
    assert ([one["quantity"] for one in facts["short"]], [one["quantity"] for one in facts["unheld"]]) == (
        [2],
        [1],
    )


@pytest.mark.parametrize("decision", ["reship", "refund"])
def test_a_parcel_that_never_reaches_its_hub_is_decided_and_its_money_was_never_taken(decision: str) -> None:
    order = sent(meeting())
    lost = judged(parcels.declare(order, work_of(order, LYON), "lost", "truck burnt", "ines", COOLED))
    assert waits(lost.order), "it may still come"
    assert arrive(lost.order, 2).order.fulfilments[0].state is FulfilmentState.DELIVERED, "found again"
    decided = judged(parcels.decide(lost.order, work_of(lost.order, LYON), decision, "ines", COOLED))
    assert told(decided, "parcel.loss_decided").facts["inbound"] is True
    assert unplaced(decided.order, "") == {1: 2}
    assert decided.order.refunds == ()
    assert waits(nowhere(decided.order).order) == []
    back = arrive(decided.order, 2)
    assert told(back, consolidating.UNITS_BACK).facts["point_id"] == HUB
    assert counts(back.order) == counts(decided.order), "they are for no order any more"


def test_a_parcel_that_comes_back_to_its_point_goes_to_stock_there_and_its_units_are_planned_again() -> None:
    order = sent(meeting())
    scan = Scan("e1", "", "returned", COOLED)
    back = judged(parcels.carrier_event(order, work_of(order, LYON), scan, COOLED))
    assert told(back, consolidating.UNITS_BACK).facts["point_id"] == LYON
    assert unplaced(back.order, "") == {1: 2}


def test_until_the_hub_has_handed_over_an_order_can_be_cancelled_and_goods_under_way_go_to_its_stock() -> None:
    order = sent(meeting())
    cancelled = judged(life.request_cancellation(order, "", "ines", COOLED, SERVICE))
    assert cancelled.order.state is OrderState.CANCELLING
    assert kinds(cancelled).count("fulfilment.cancelled") == 2, "the story of the parcel under way ends too"
    assert consolidating.UNITS_BACK not in kinds(cancelled)
    assert work_of(cancelled.order, LYON).state is FulfilmentState.HANDED_OVER
    came = arrive(cancelled.order, 2)
    facts = told(came, consolidating.UNITS_BACK)
    assert (facts.facts["point_id"], facts.facts["lines"][0]["quantity"]) == (HUB, 2)
    assert facts.story.startswith("restock/")


def test_a_parcel_of_a_cancelled_order_may_be_lost_or_come_back_too() -> None:
    order = judged(life.request_cancellation(sent(meeting()), "", "ines", COOLED)).order
    lost = judged(parcels.declare(order, work_of(order, LYON), "lost", "truck burnt", "ines", COOLED)).order
    decided = judged(parcels.decide(lost, work_of(lost, LYON), "reship", "ines", COOLED)).order
    assert counts(decided) == {"cancelled": 3}, "nobody waits for it"
    back = judged(parcels.carrier_event(order, work_of(order, LYON), Scan("e1", "", "returned", COOLED), COOLED))
    assert told(back, consolidating.UNITS_BACK).facts["point_id"] == LYON
    assert counts(back.order) == {"cancelled": 3}


def test_what_is_at_the_hub_goes_to_its_stock_at_once_but_what_has_a_name_on_it() -> None:
    order = arrive(sent(meeting()), 2).order
    cancelled = judged(life.request_cancellation(order, "", "ines", NOON + DAY))
    assert told(cancelled, consolidating.UNITS_BACK).facts["lines"][0]["quantity"] == 2
    engraved = meeting(personalisations=("engraved_name",))
    work = replace(work_of(engraved, LYON), personalised_at=COOLED)
    works = tuple(work if one.point_id == LYON else one for one in engraved.fulfilments)
    engraved = arrive(sent(replace(engraved, fulfilments=works)), 2).order
    cancelled = judged(life.request_cancellation(engraved, "", "ines", NOON + DAY))
    assert consolidating.UNITS_BACK not in kinds(cancelled)


def test_a_hub_personalises_what_is_its_own() -> None:
    order = meeting(to_hub((1, 3)), personalisations=("engraved_name",))
    work = replace(work_of(order, LYON), personalised_at=COOLED)
    order = replace(order, fulfilments=tuple(work if one.point_id == LYON else one for one in order.fulfilments))
    order = packed(arrive(sent(order), 3).order, HUB, at=NOON + DAY)
    assert work_of(order, HUB).state is FulfilmentState.PACKED


def test_once_the_hub_has_handed_over_it_is_too_late_to_cancel() -> None:
    order = sent(arrive(sent(meeting()), 2).order, HUB, NOON + DAY)
    with pytest.raises(FailedPrecondition) as caught:
        life.request_cancellation(order, "", "ines", NOON + DAY)
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"


def test_units_that_are_not_wanted_come_off_the_shelf_and_not_out_of_what_came() -> None:
    order = arrive(sent(meeting()), 2).order
    with pytest.raises(FailedPrecondition) as caught:
        amending.cancel_lines(order, found((1, 2)), "", "ines", SERVICE, NOON + DAY)
    assert caught.value.facts["cancellable"] == 1
    order = done(amending.cancel_lines(order, found((1, 1)), "", "ines", SERVICE, NOON + DAY))
    assert counts(order) == {"cancelled": 1, "received": 2}
    assert work_of(order, HUB).state is FulfilmentState.PLANNED


def test_a_parcel_that_is_late_at_the_hub_is_news_before_the_promise_is_broken() -> None:
    order = meeting()
    late = NOON + timedelta(hours=6, minutes=1)
    decision = judged(replace(fulfilment.offer(order, work_of(order, LYON), late)))
    assert "order.promise_changed" in kinds(decision), "Lyon missed the collection that the hub counts on"
    text = told(decision, "order.promise_changed").text
    assert "The parcel of hub: " in text
    assert "what it waits for is late" in text
    assert decision.order.current_promise == Window(PROMISE.start + DAY, PROMISE.end + DAY)


def test_a_parcel_given_up_for_its_money_leaves_what_came_to_the_stock_of_the_hub() -> None:
    order = packed(arrive(sent(meeting()), 2).order, HUB, at=NOON + DAY)
    order = done(capture.record(order, work_of(order, HUB), Outcome("failed", "declined", "", NOON + DAY)))
    gone = judged(capture.give_up(order, work_of(order, HUB), "no money", "ines", NOON + DAY))
    assert [one["quantity"] for one in told(gone, "fulfilment.cancelled").facts["unheld"]] == [2]
    assert told(gone, consolidating.UNITS_BACK).facts["lines"][0]["quantity"] == 2


@given(
    lyon=st.integers(1, 5),
    nice=st.integers(1, 5),
    own=st.integers(0, 5),
    good=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    picked=st.integers(0, 15),
)
def test_no_unit_is_lost_or_made_and_what_leaves_the_stock_of_the_hub_is_what_it_held(
    lyon: int, nice: int, own: int, good: tuple[int, int], picked: int
) -> None:
    here = [at_hub((1, own))] if own else []
    order = meeting(to_hub((1, lyon)), to_hub((1, nice), point=NICE), *here, units=lyon + nice + own)
    order = sent(sent(order), NICE)
    arrived = min(good[0], lyon), min(good[1], nice)
    order = arrive(arrive(order, arrived[0]).order, arrived[1], point=NICE).order
    total = lyon + nice + own
    assert unplaced(order, "").total() == total - sum(arrived) - own
    order = nowhere(order).order
    if not sum(arrived) + own:
        assert work_of(order, HUB).state is FulfilmentState.CANCELLED
        assert counts(order) == {"cancelled": total}
        return
    order = taken(order, HUB, NOON + DAY)
    count = min(picked, sum(arrived) + own)
    decision = fulfilment.record_pick(order, work_of(order, HUB), found((1, count)), "henri", NOON + DAY)
    order = decision.order
    facts = decision.happenings[0].facts
    short = sum(one["quantity"] for one in facts["short"]) - sum(
        one["quantity"] for one in facts.get("unheld", [])
    )
    issued = 0
    if count:
        order = done(fulfilment.close_parcel(order, work_of(order, HUB), 1, "henri", NOON + DAY))
        order = done(capture.record(order, work_of(order, HUB), Outcome("captured", "", "", NOON + DAY)))
        left = fulfilment.hand_over(order, work_of(order, HUB), "", "henri", NOON + DAY)
        order, facts = left.order, left.happenings[0].facts
        issued = sum(one["quantity"] for one in facts.get("issued", facts["lines"]))
    assert short + issued == own, "all that was held at the hub was issued or reported"
    assert counted_ranges(order.ranges) == {1: total}
    assert counts(order).get("shipped", 0) == count
    assert unplaced(order, "").total() == sum(arrived) + own - count


# -- personalised at the hub ------------------------------------------------------------------------------


NAME = ("engraved_name",)


def plain_to_hub(*units: tuple[int, int]) -> Leg:
    return replace(to_hub(*units), plain_lines=tuple(number for number, _ in units))


def come_plain() -> Order:
    """Two units, sent to the hub as they are, and there."""
    return arrive(sent(meeting(plain_to_hub((1, 2)), units=2, personalisations=NAME)), 2).order


def picked_at_hub(order: Order, at: datetime = NOON + DAY) -> Order:
    order = taken(order, HUB, at)
    work = work_of(order, HUB)
    units = found(*((one.line_number, one.quantity) for one in work.lines))
    return done(fulfilment.record_pick(order, work, units, "anna", at))


def test_what_goes_to_a_hub_as_it_is_has_its_name_put_on_there() -> None:
    order = meeting(plain_to_hub((1, 2)), units=2, personalisations=NAME)
    assert [one.personalisations for one in work_of(order, LYON).lines] == [()]
    assert fine_status(sent(order)) == "to consolidate"
    order = picked_at_hub(arrive(sent(order), 2).order)
    hub = work_of(order, HUB)
    assert [one.personalisations for one in hub.lines] == [NAME]
    with pytest.raises(FailedPrecondition, match="NOT_PERSONALISED"):
        fulfilment.close_parcel(order, hub, 900, "anna", NOON + DAY)
    assert fine_status(order) == "in preparation"
    order = done(personalising.begin(order, hub, "anna", NOON + DAY))
    order = done(personalising.complete(order, work_of(order, HUB), "anna", NOON + DAY))
    order = done(fulfilment.close_parcel(order, work_of(order, HUB), 900, "anna", NOON + DAY))
    assert fine_status(order) == "prepared"


def test_only_what_goes_to_a_hub_is_personalised_elsewhere() -> None:
    for chosen in (replace(leg((1, 1)), plain_lines=(1,)), replace(to_hub((1, 1), point=HUB), plain_lines=(1,))):
        with pytest.raises(InvalidArgument) as caught:
            accepted(recorded(line(1, 1)), chosen)
        assert caught.value.facts["field"] == "legs[0].plain_lines"


def test_until_the_hub_has_begun_it_goes_to_stock_when_the_order_is_cancelled() -> None:
    def cancelled(order: Order) -> list[str]:
        return kinds(judged(life.request_cancellation(order, "", "ines", NOON + DAY)))

    assert consolidating.UNITS_BACK in cancelled(come_plain())
    picked = picked_at_hub(come_plain())
    assert consolidating.UNITS_BACK in cancelled(picked)
    begun = done(personalising.begin(picked, work_of(picked, HUB), "anna", NOON + DAY))
    assert consolidating.UNITS_BACK not in cancelled(begun)
    on_its_way = sent(meeting(plain_to_hub((1, 2)), units=2, personalisations=NAME))
    gone = judged(life.request_cancellation(on_its_way, "", "ines", NOON)).order
    back = told(arrive(gone, 2), consolidating.UNITS_BACK)
    assert [one["quantity"] for one in back.facts["lines"]] == [2]


def test_what_a_hub_spoils_of_what_came_is_held_nowhere_and_its_own_comes_first() -> None:
    order = meeting(plain_to_hub((1, 1)), at_hub((1, 1)), units=2, personalisations=NAME)
    order = picked_at_hub(arrive(sent(order), 1).order)
    order = done(personalising.begin(order, work_of(order, HUB), "anna", NOON + DAY))

    def spoiled(units: int) -> Decision:
        return judged(personalising.spoil(order, work_of(order, HUB), found((1, units)), "anna", NOON + DAY))

    assert "unheld" not in told(spoiled(1), "fulfilment.spoiled").facts
    both = spoiled(2)
    assert [one["quantity"] for one in told(both, "fulfilment.spoiled").facts["unheld"]] == [1]
    assert unplaced(both.order, "")[1] == 2
