"""What holds an order, who ends it, and what becomes of it at its date."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.orders.changing import judged
from services.orders.domain import fulfilment as work
from services.orders.domain import holds
from services.orders.domain import order as life
from services.orders.domain.model import (
    Appointment,
    CaptureMoment,
    Decision,
    DeliveryMode,
    Hold,
    HoldDefault,
    HoldKind,
    HoldOutcome,
    HoldRule,
    Order,
    Slot,
    Window,
)
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState
from services.orders.domain.status import fine_status
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, PROMISE, accepted, found, leg, line, recorded

SERVICE = ("customer_service",)
LATER = NOON + timedelta(days=3)
MIDNIGHT = NOON + timedelta(days=2, hours=11)
TWO = (line(1, 2),)


def validated(**changes: Any) -> Order:
    return accepted(recorded(*TWO), replace(leg((1, 2)), **changes)).order


def place(
    order: Order,
    fulfilment_id: str = "",
    until: datetime | None = None,
    default: HoldDefault = HoldDefault.RELEASE,
    at: datetime = NOON,
) -> tuple[Order, Hold]:
    decision, hold = holds.place(order, fulfilment_id, "the customer calls back", until, default, "carol", at)
    return judged(decision).order, hold


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def outcomes(order: Order) -> list[tuple[HoldKind, str]]:
    return [(one.kind, one.outcome) for one in order.holds]


# -- of the whole order -----------------------------------------------------------------------------------


def test_an_accepted_order_is_held_by_its_cooling_off_and_by_nothing_else() -> None:
    order = validated()
    assert [(one.kind, one.until) for one in holds.open_holds(order)] == [(HoldKind.COOLING_OFF, COOLED)]
    early = life.release(order, COOLED - timedelta(seconds=1))
    assert (early.order.state, early.happenings) == (OrderState.VALIDATED, ())
    decision = life.release(order, COOLED)
    assert decision.order.state == OrderState.RELEASED
    assert kinds(decision) == ["order.released"]
    assert outcomes(decision.order) == [(HoldKind.COOLING_OFF, HoldOutcome.LAPSED)]


def test_a_person_holds_an_order_until_it_is_let_go() -> None:
    order, hold = place(validated())
    still = life.release(order, COOLED)
    assert still.order.state == OrderState.VALIDATED
    assert fine_status(still.order) == "waiting: manual"
    decision = holds.release(still.order, hold.hold_id, "it is fine", "carol", SERVICE, COOLED)
    assert kinds(decision) == ["order.hold_released", "order.holds_ended"]
    ended = decision.order.holds[-1]
    assert (ended.outcome, ended.actor, ended.ended_at) == (HoldOutcome.RELEASED, "carol", COOLED)
    assert life.release(decision.order, COOLED).order.state == OrderState.RELEASED


def test_only_the_last_hold_that_ends_lets_an_order_go() -> None:
    order, first = place(validated())
    order, second = place(order)
    assert first.hold_id != second.hold_id
    order = life.release(order, COOLED).order
    one = holds.release(order, first.hold_id, "", "carol", SERVICE, COOLED)
    assert kinds(one) == ["order.hold_released"]
    both = holds.release(one.order, second.hold_id, "", "carol", SERVICE, COOLED)
    assert kinds(both)[-1] == "order.holds_ended"


def test_a_hold_is_extended_and_then_ends_at_its_new_date() -> None:
    order, hold = place(validated(), until=NOON + timedelta(hours=1))
    decision = holds.extend(order, hold.hold_id, LATER, "on holiday", "carol", SERVICE, NOON)
    assert kinds(decision) == ["order.hold_extended"]
    order = decision.order
    assert life.release(order, NOON + timedelta(hours=2)).order.state == OrderState.VALIDATED
    assert life.release(order, LATER).order.state == OrderState.RELEASED


def test_cooling_off_that_is_extended_is_told_and_lasts_longer() -> None:
    order = validated()
    longer = holds.extend(order, order.holds[0].hold_id, LATER, "", "carol", SERVICE, NOON).order
    assert longer.cooling_off_until == LATER
    assert life.release(longer, COOLED).order.state == OrderState.VALIDATED


def test_a_decision_against_an_order_cancels_it_and_ends_every_hold() -> None:
    order, hold = place(validated())
    decision = judged(life.refuse_hold(order, hold.hold_id, "stolen card", "carol", SERVICE, NOON))
    assert decision.order.state == OrderState.CANCELLING
    assert decision.order.cancellation_reason == "stolen card"
    assert outcomes(decision.order) == [
        (HoldKind.COOLING_OFF, HoldOutcome.GONE),
        (HoldKind.MANUAL, HoldOutcome.REFUSED),
    ]
    assert "order.cancellation_requested" in kinds(decision)


def test_an_order_whose_hold_says_so_is_cancelled_at_its_date() -> None:
    order, _ = place(validated(), until=LATER, default=HoldDefault.CANCEL)
    assert life.lapse_holds(order, LATER - timedelta(seconds=1)).order.state == OrderState.VALIDATED
    decision = judged(life.lapse_holds(order, LATER))
    assert decision.order.state == OrderState.CANCELLING
    assert outcomes(decision.order)[-1] == (HoldKind.MANUAL, HoldOutcome.LAPSED)
    assert holds.open_holds(decision.order) == ()


def test_what_has_left_is_not_cancelled_by_a_date() -> None:
    order = handed_over()
    order, _ = place(order, until=LATER, default=HoldDefault.CANCEL)
    decision = life.lapse_holds(order, LATER)
    assert (decision.order.state, outcomes(decision.order)[-1][1]) == (OrderState.RELEASED, HoldOutcome.LAPSED)


def test_who_may_not_decide_is_told_who_may() -> None:
    order, hold = place(validated())
    with pytest.raises(PermissionDenied, match="customer_service") as refused:
        holds.release(order, hold.hold_id, "", "anna", ("store", "channel"), NOON)
    assert refused.value.reason == "HOLD_OF_OTHERS"
    # The customer's channel may end the cooling-off.
    assert holds.release(order, order.holds[0].hold_id, "send it now", "web", ("channel",), NOON)


def test_the_life_cycle_says_who_decides() -> None:
    rule = HoldRule(HoldKind.MANUAL, 0, HoldDefault.RELEASE, ("operator",))
    order = accepted(recorded(*TWO, life_cycle=replace(LIFE_CYCLE, hold_rules=(rule,))), leg((1, 2))).order
    order, hold = place(order)
    with pytest.raises(PermissionDenied):
        holds.release(order, hold.hold_id, "", "carol", SERVICE, NOON)
    assert holds.release(order, hold.hold_id, "", "otto", ("operator",), NOON)


def test_what_cannot_be_decided_says_why() -> None:
    order, hold = place(validated())
    with pytest.raises(NotFound, match="no such hold"):
        holds.release(order, "hld_other", "", "carol", SERVICE, NOON)
    ended = holds.release(order, hold.hold_id, "", "carol", SERVICE, NOON).order
    with pytest.raises(FailedPrecondition, match="released"):
        holds.extend(ended, hold.hold_id, LATER, "", "carol", SERVICE, NOON)
    with pytest.raises(InvalidArgument, match="still to come"):
        holds.extend(order, hold.hold_id, NOON, "", "carol", SERVICE, NOON)
    with pytest.raises(InvalidArgument, match="say why"):
        life.refuse_hold(order, hold.hold_id, "", "carol", SERVICE, NOON)
    with pytest.raises(InvalidArgument, match="no such work"):
        place(order, "ful_other")
    with pytest.raises(InvalidArgument, match="with a date"):
        place(order, default=HoldDefault.CANCEL)
    with pytest.raises(FailedPrecondition, match="can be stopped"):
        place(recorded(*TWO))
    with pytest.raises(FailedPrecondition, match="can be stopped"):
        place(handed_over(parcels=1))


# -- of the work of a point -------------------------------------------------------------------------------


def test_work_of_a_release_date_waits_until_its_latest_start() -> None:
    start = MIDNIGHT - timedelta(hours=8)
    order = validated(hand_over_from=MIDNIGHT, latest_start=start)
    hold = order.holds[-1]
    assert (hold.kind, hold.until, hold.fulfilment_id) == (
        HoldKind.RELEASE_DATE,
        start,
        order.fulfilments[0].fulfilment_id,
    )
    order = life.release(order, COOLED).order
    assert order.state == OrderState.RELEASED, "it holds its own work only"
    assert work.offer(order, order.fulfilments[0], COOLED) == Decision(order)
    assert fine_status(order) == "waiting"
    decision = life.lapse_holds(order, start)
    assert kinds(decision) == ["order.hold_lapsed", "fulfilment.hold_ended"]
    (freed,) = decision.order.fulfilments
    assert freed.let_go_at == start
    offered = work.offer(decision.order, freed, start).order
    assert offered.fulfilments[0].state == FulfilmentState.OFFERED


def test_work_that_is_prepared_ahead_begins_earlier() -> None:
    ahead = replace(LIFE_CYCLE, prepare_ahead_seconds=3600)
    legs = replace(leg((1, 2)), latest_start=LATER)
    slot = Slot("slt_1", LATER.date(), Window(LATER, LATER + timedelta(hours=2)))
    order = recorded(*TWO, life_cycle=ahead, booking_id="bkg_1", mode=DeliveryMode.APPOINTMENT)
    decision = life.accept(
        order, [legs], PROMISE, "dec_1", "authorized", NOON, Appointment("bkg_1", slot, met_from=slot.day)
    )
    assert [(one.kind, one.until) for one in decision.order.holds[1:]] == [
        (HoldKind.APPOINTMENT, LATER - timedelta(hours=1))
    ]


@pytest.mark.parametrize("start", [NOON, NOON - timedelta(hours=1)])
def test_work_whose_time_has_come_is_not_held(start: datetime) -> None:
    assert len(validated(hand_over_from=MIDNIGHT, latest_start=start).holds) == 1


def test_nothing_leaves_before_its_release_date_and_while_it_is_held() -> None:
    order = packed(hand_over_from=MIDNIGHT, latest_start=NOON)
    (parcel,) = order.fulfilments
    with pytest.raises(FailedPrecondition) as early:
        work.hand_over(order, parcel, "", "anna", MIDNIGHT - timedelta(seconds=1))
    assert early.value.reason == "NOT_BEFORE"
    held, hold = place(order, parcel.fulfilment_id)
    with pytest.raises(FailedPrecondition) as stopped:
        work.hand_over(held, parcel, "", "anna", MIDNIGHT)
    assert stopped.value.reason == "ON_HOLD"
    freed = holds.release(held, hold.hold_id, "", "carol", SERVICE, MIDNIGHT).order
    gone = work.hand_over(freed, freed.fulfilments[0], "", "anna", MIDNIGHT).order
    assert gone.fulfilments[0].state == FulfilmentState.HANDED_OVER


def test_a_released_order_that_is_held_stops_work_that_was_not_offered_yet() -> None:
    order = life.release(validated(), COOLED).order
    order, hold = place(order)
    (one,) = order.fulfilments
    assert work.offer(order, one, COOLED) == Decision(order)
    decision = holds.release(order, hold.hold_id, "", "carol", SERVICE, COOLED)
    assert kinds(decision) == ["order.hold_released", "fulfilment.hold_ended"]
    with_offer = work.offer(decision.order, decision.order.fulfilments[0], COOLED).order
    # An offer that is out is not taken back: the work goes on until its parcel would leave.
    held, _ = place(with_offer, one.fulfilment_id)
    after = work.accept_offer(held, held.fulfilments[0], "anna", COOLED).order
    assert after.fulfilments[0].state == FulfilmentState.ACCEPTED


def test_a_hold_of_work_ends_with_that_work() -> None:
    order = life.release(accepted(recorded(line(1, 2)), leg((1, 1)), leg((1, 1), point="b")).order, COOLED).order
    first, second = order.fulfilments
    order, _ = place(work.offer(order, first, COOLED).order, first.fulfilment_id)
    refused = judged(work.refuse_offer(order, order.fulfilments[0], "no_time", "anna", COOLED)).order
    assert outcomes(refused)[-1] == (HoldKind.MANUAL, HoldOutcome.GONE)
    order, _ = place(refused, second.fulfilment_id)
    cancelled = judged(life.request_cancellation(order, "", "carol", COOLED)).order
    assert outcomes(cancelled)[-1] == (HoldKind.MANUAL, HoldOutcome.GONE)


def test_units_that_get_another_place_wait_there_as_well() -> None:
    order = life.release(validated(), COOLED).order
    (one,) = order.fulfilments
    order = work.offer(order, one, COOLED).order
    order = work.refuse_offer(order, order.fulfilments[0], "no_time", "anna", COOLED).order
    other = replace(leg((1, 2), point="b"), hand_over_from=MIDNIGHT, latest_start=LATER)
    order = life.reroute(order, [other], [], "no_time", "dec_2", COOLED).order
    assert [(hold.kind, hold.fulfilment_id) for hold in holds.open_holds(order)] == [
        (HoldKind.RELEASE_DATE, order.fulfilments[-1].fulfilment_id)
    ]


def test_what_a_hold_waited_for_has_come() -> None:
    order = validated(hand_over_from=MIDNIGHT, latest_start=LATER)
    order = life.release(order, COOLED).order
    (one,) = order.fulfilments
    decision = holds.meet(order, HoldKind.RELEASE_DATE, one.fulfilment_id, NOON)
    assert kinds(decision) == ["order.hold_met", "fulfilment.hold_ended"]
    assert holds.meet(decision.order, HoldKind.RELEASE_DATE, one.fulfilment_id, NOON).happenings == ()


def test_the_next_date_leaves_cooling_off_to_the_story_of_the_order() -> None:
    order, _ = place(validated())
    assert holds.next_date(order) == COOLED + holds.STORY_FIRST
    order, _ = place(order, until=NOON + timedelta(minutes=5))
    assert holds.next_date(order) == NOON + timedelta(minutes=5)
    assert holds.next_date(life.release(validated(), COOLED).order) is None


def packed(**changes: Any) -> Order:
    order = life.release(validated(**changes), COOLED).order
    order = work.offer(order, order.fulfilments[0], COOLED).order
    order = work.accept_offer(order, order.fulfilments[0], "anna", COOLED).order
    order = work.record_pick(order, order.fulfilments[0], found((1, 2)), "anna", COOLED).order
    order = work.close_parcel(order, order.fulfilments[0], 900, "anna", COOLED).order
    (one,) = order.fulfilments
    assert one.parcel is not None
    assert order.life_cycle.capture_at == CaptureMoment.SHIPMENT
    paid = replace(one, parcel=replace(one.parcel, capture_state=CaptureState.CAPTURED))
    return replace(order, fulfilments=(paid,))


def handed_over(parcels: int = 2) -> Order:
    """One parcel has left; the work of another point, if there is one, has not begun."""
    order = packed()
    order = work.hand_over(order, order.fulfilments[0], "", "anna", COOLED).order
    other = replace(
        order.fulfilments[0], fulfilment_id="ful_2", state=FulfilmentState.PLANNED, parcel=None, position=1
    )
    return replace(order, fulfilments=(*order.fulfilments, other)[:parcels])
