"""What may become of an order, and what may not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import capture
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.content import first_difference
from services.orders.domain.model import Customer, DeliveryMode, Leg, Order, PaymentTerms, Refusal, RefusedLine
from services.orders.domain.ranges import quantity
from services.orders.domain.states import (
    FULFILMENT_MOVES,
    ORDER_MOVES,
    FulfilmentState,
    IllegalTransition,
    OrderState,
    UnitState,
    move,
)
from tests.services.orders.builders import (
    BUYER,
    COOLED,
    NOON,
    PROMISE,
    accepted,
    content,
    found,
    leg,
    line,
    recorded,
    released,
)

THREE = (line(1, 3), line(2, 1))


def units(order: Order, state: UnitState) -> int:
    return quantity(one for one in order.ranges if one.state == state)


# -- placing ----------------------------------------------------------------------------------------------


def test_what_is_delivered_today_has_no_cooling_off() -> None:
    order = recorded(*THREE)
    today = replace(order, content=replace(order.content, mode=DeliveryMode.SAME_DAY))
    decision = accepted(today, leg((1, 3), (2, 1)))
    assert (today.cooling_off_seconds, decision.order.cooling_off_until) == (0, NOON)


def test_an_accepted_order_has_a_place_for_each_unit() -> None:
    decision = accepted(recorded(*THREE), leg((1, 2), (2, 1)), leg((1, 1), point="store-paris"))
    order = decision.order
    assert order.state == OrderState.VALIDATED
    assert order.cooling_off_until == NOON + timedelta(minutes=30)
    assert [one.point_id for one in decision.created] == ["store-lyon", "store-paris"]
    first, second = (one.fulfilment_id for one in decision.created)
    assert [(one.line_number, one.from_unit, one.to_unit, one.fulfilment_id) for one in order.ranges] == [
        (1, 0, 2, first),
        (1, 2, 3, second),
        (2, 0, 1, first),
    ]


def test_the_ids_of_fulfilments_are_the_same_when_the_caller_tries_again() -> None:
    once, again = (accepted(recorded(), leg((1, 2))).created for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [leg((1, 2), (2, 1))],
        [leg((1, 4), (2, 1))],
        [leg((1, 3))],
        [leg((1, 3), (2, 1)), leg((2, 1))],
    ],
)
def test_a_plan_that_does_not_cover_the_units_exactly_is_refused(legs: list[Leg]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(recorded(*THREE), *legs)
    assert (caught.value.facts["field"], caught.value.reason) == ("legs", "PLAN_MISMATCH")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (replace(leg((1, 2)), point_id=""), "legs[1].point_id"),
        (replace(leg((1, 2)), hand_over_by=None), "legs[1].hand_over_by"),
        (replace(leg((1, 2)), lines=()), "legs[1].lines"),
        (leg((7, 2)), "legs[1].lines[0].line_number"),
        (leg((1, 0)), "legs[1].lines[0].quantity"),
    ],
)
def test_a_bad_leg_is_named(bad: Leg, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        accepted(recorded(*THREE), leg((1, 2)), bad)
    assert caught.value.facts["field"] == field


@pytest.mark.parametrize("state", [OrderState.CANCELLING, OrderState.CANCELLED])
def test_a_cancellation_that_came_first_is_an_answer(state: OrderState) -> None:
    order = replace(recorded(), state=state)
    for decision in (
        accepted(order, leg((1, 2))),
        life.refuse(order, Refusal("STOCK_UNAVAILABLE", ""), NOON),
        life.require_payment_action(order, "https://pay.example", NOON),
        life.release(order, COOLED),
        life.reroute(order, [leg((1, 2))], [], "", "dec", NOON),
        life.close(order, NOON),
        life.request_cancellation(order, "", "", NOON),
    ):
        assert decision.order is order
        assert not decision.happenings
        assert not decision.created


def test_a_refused_order_says_which_line_and_wants_no_unit() -> None:
    refusal = Refusal("STOCK_UNAVAILABLE", "gone", (RefusedLine(1, "SKU-1", 2, 1, "SHORT"),))
    decision = life.refuse(recorded(), refusal, NOON)
    assert decision.order.state == OrderState.REFUSED
    assert units(decision.order, UnitState.CANCELLED) == 2
    assert decision.happenings[0].facts["lines"][0]["available"] == 1


def test_a_payment_page_is_in_no_event() -> None:
    decision = life.require_payment_action(recorded(), "https://pay.example/secret", NOON)
    assert decision.order.next_action_url == "https://pay.example/secret"
    assert "secret" not in repr(decision.happenings)
    assert accepted(decision.order, leg((1, 2))).order.next_action_url == ""


@pytest.mark.parametrize("before", list(OrderState))
@pytest.mark.parametrize("after", list(OrderState))
def test_a_move_of_an_order_that_is_not_in_the_table_raises(before: OrderState, after: OrderState) -> None:
    if after in ORDER_MOVES[before]:
        assert move("order", ORDER_MOVES, before, after) == after
    else:
        with pytest.raises(IllegalTransition) as caught:
            move("order", ORDER_MOVES, before, after)
        assert caught.value.facts["state"] == before.value


@pytest.mark.parametrize("final", [FulfilmentState.DELIVERED, FulfilmentState.CANCELLED, FulfilmentState.SHORT])
def test_a_final_fulfilment_stays_as_it_is(final: FulfilmentState) -> None:
    assert not FULFILMENT_MOVES[final]


# -- offers -----------------------------------------------------------------------------------------------


def offered(*legs: Leg) -> Order:
    order = released(*(legs or (leg((1, 2)),)))
    for one in order.fulfilments:
        order = work.offer(order, order.fulfilment(one.fulfilment_id), NOON).order
    return order


def test_nothing_is_offered_before_the_release() -> None:
    order = accepted(recorded(), leg((1, 2))).order
    with pytest.raises(FailedPrecondition) as caught:
        work.offer(order, order.fulfilments[0], NOON)
    assert caught.value.reason == "NOT_RELEASED"


def test_an_offer_past_its_deadline_that_has_not_lapsed_can_be_accepted() -> None:
    order = offered()
    late = NOON + timedelta(hours=2)
    after = work.accept_offer(order, order.fulfilments[0], "anna", late).order
    assert after.fulfilments[0].state == FulfilmentState.ACCEPTED
    assert work.lapse_offer(after, after.fulfilments[0], late).order is after


def test_an_offer_does_not_lapse_before_its_deadline() -> None:
    order = offered()
    early = NOON + timedelta(seconds=3599)
    assert work.lapse_offer(order, order.fulfilments[0], early).order is order
    lapsed = work.lapse_offer(order, order.fulfilments[0], NOON + timedelta(seconds=3600)).order
    assert lapsed.fulfilments[0].state == FulfilmentState.LAPSED
    assert units(lapsed, UnitState.UNPLACED) == 2
    assert all(one.fulfilment_id == "" for one in lapsed.ranges)


def test_the_second_answer_to_an_offer_is_told_what_came_first() -> None:
    order = offered()
    refused = work.refuse_offer(order, order.fulfilments[0], "no_staff", "anna", NOON).order
    with pytest.raises(FailedPrecondition) as caught:
        work.accept_offer(refused, refused.fulfilments[0], "bob", NOON)
    assert (caught.value.reason, caught.value.facts["state"]) == ("OFFER_GONE", "refused")


def test_an_offer_is_refused_with_a_known_reason() -> None:
    order = offered()
    with pytest.raises(InvalidArgument) as caught:
        work.refuse_offer(order, order.fulfilments[0], "tired", "anna", NOON)
    assert caught.value.facts["field"] == "reason"


# -- pick -------------------------------------------------------------------------------------------------


def picking() -> Order:
    order = released(leg((1, 3), (2, 1)), lines=THREE)
    order = work.offer(order, order.fulfilments[0], NOON).order
    return work.accept_offer(order, order.fulfilments[0], "anna", NOON).order


def test_what_was_not_found_loses_its_place() -> None:
    order = picking()
    decision = work.record_pick(order, order.fulfilments[0], found((1, 2), (2, 0)), "anna", NOON)
    assert decision.order.fulfilments[0].state == FulfilmentState.PICKED
    assert [(one.line_number, one.quantity) for one in decision.order.fulfilments[0].lines] == [(1, 2)]
    assert (units(decision.order, UnitState.PICKED), units(decision.order, UnitState.UNPLACED)) == (2, 2)
    assert decision.happenings[0].kind == "fulfilment.picked"
    assert decision.happenings[0].facts == {
        "found": [{"line_number": 1, "sku": "SKU-1", "quantity": 2}],
        "short": [
            {"line_number": 1, "sku": "SKU-1", "quantity": 1, "reason": "not_found"},
            {"line_number": 2, "sku": "SKU-2", "quantity": 1, "reason": "not_found"},
        ],
    }


def test_nothing_found_is_the_end_of_the_fulfilment() -> None:
    order = picking()
    decision = work.record_pick(order, order.fulfilments[0], found((1, 0), (2, 0)), "anna", NOON)
    assert decision.order.fulfilments[0].state == FulfilmentState.SHORT
    assert units(decision.order, UnitState.UNPLACED) == 4
    assert (decision.happenings[0].kind, list(decision.happenings[0].facts)) == ("fulfilment.short", ["short"])


@pytest.mark.parametrize(
    ("units_found", "field"),
    [
        ([(1, 3)], "found"),
        ([(1, 4), (2, 1)], "found[0].quantity"),
        ([(1, 3), (2, -1)], "found[1].quantity"),
        ([(1, 3), (2, 1), (9, 1)], "found[2].line_number"),
        ([(1, 3), (1, 3)], "found[1].line_number"),
    ],
)
def test_a_bad_count_is_named(units_found: list[tuple[int, int]], field: str) -> None:
    order = picking()
    with pytest.raises(InvalidArgument) as caught:
        work.record_pick(order, order.fulfilments[0], found(*units_found), "anna", NOON)
    assert caught.value.facts["field"] == field


# -- routing again and the end ----------------------------------------------------------------------------


def unplaced() -> Order:
    order = picking()
    return work.record_pick(order, order.fulfilments[0], found((1, 0), (2, 0)), "anna", NOON).order


def test_units_without_a_place_get_another_or_are_cancelled() -> None:
    decision = life.reroute(
        unplaced(), [leg((1, 3), point="store-paris")], found((2, 1)), "NO_STOCK", "dec_2", NOON
    )
    assert [one.round for one in decision.order.fulfilments] == [1, 2]
    assert decision.created[0].point_id == "store-paris"
    assert decision.no_longer_due_minor == 6000
    assert units(decision.order, UnitState.CANCELLED) == 1


def test_the_delivery_fee_is_not_due_when_nothing_is_left() -> None:
    order = unplaced()
    first = life.reroute(order, [], found((2, 1)), "NO_STOCK", "dec_2", NOON)
    last = life.reroute(first.order, [], found((1, 3)), "NO_STOCK", "dec_3", NOON)
    assert first.no_longer_due_minor == 6000
    assert last.no_longer_due_minor == 6000 + 2 * 490
    assert life.close(last.order, NOON).order.state == OrderState.CANCELLED


def test_no_more_units_are_routed_again_than_lost_their_place() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        life.reroute(unplaced(), [leg((1, 3))], found((1, 1)), "", "dec_2", NOON)
    assert caught.value.reason == "PLAN_MISMATCH"


def test_an_order_with_work_left_is_not_closed() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        life.close(unplaced(), NOON)
    assert (caught.value.reason, caught.value.facts["units"]) == ("NOT_FINISHED", 4)


# -- cancellation -----------------------------------------------------------------------------------------


def test_a_cancellation_takes_every_open_fulfilment_with_it() -> None:
    order = picking()
    decision = life.request_cancellation(order, "changed my mind", "customer", NOON)
    assert decision.order.state == OrderState.CANCELLING
    assert [one.state for one in decision.order.fulfilments] == [FulfilmentState.CANCELLED]
    assert units(decision.order, UnitState.CANCELLED) == 4
    assert [one.kind for one in decision.happenings] == [
        "order.cancellation_requested",
        "fulfilment.cancelled",
    ]
    assert "mind" not in repr(decision.happenings)


@pytest.mark.parametrize("state", [OrderState.REFUSED, OrderState.CLOSED])
def test_an_order_that_is_over_cannot_be_cancelled(state: OrderState) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        life.request_cancellation(replace(recorded(), state=state), "", "", NOON)
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"


def test_a_cancelled_fulfilment_cannot_be_worked_on() -> None:
    order = life.request_cancellation(picking(), "", "", NOON).order
    one = order.fulfilments[0]
    acts: list[Callable[[], object]] = [
        lambda: work.record_pick(order, one, found((1, 3), (2, 1)), "", NOON),
        lambda: work.close_parcel(order, one, 0, "", NOON),
        lambda: work.hand_over(order, one, "", "", NOON),
    ]
    for act in acts:
        with pytest.raises(FailedPrecondition) as caught:
            act()
        assert caught.value.reason == "CANCELLED"


# -- money ------------------------------------------------------------------------------------------------


def packed() -> Order:
    order = picking()
    order = work.record_pick(order, order.fulfilments[0], found((1, 3), (2, 1)), "", NOON).order
    return work.close_parcel(order, order.fulfilments[0], 900, "", NOON).order


def captured(order: Order, *states: str) -> Order:
    for state in states:
        order = capture.record(order, order.fulfilments[0], Outcome(state, "why", "", NOON)).order
    return order


def capture_state(order: Order) -> str:
    parcel = order.fulfilments[0].parcel
    assert parcel
    return parcel.capture_state.value


@pytest.mark.parametrize(
    ("states", "end"),
    [
        (["captured", "captured"], "captured"),
        (["failed", "failed", "captured"], "captured"),
        (["failed", "overridden"], "overridden"),
        (["failed", "overridden", "failed"], "overridden"),
        (["failed", "overridden", "captured"], "captured"),
        (["not_needed"], "not_needed"),
    ],
)
def test_the_outcomes_of_captures_come_in_any_order(states: list[str], end: str) -> None:
    assert capture_state(captured(packed(), *states)) == end


@pytest.mark.parametrize(
    "states", [["overridden"], ["captured", "failed"], ["captured", "overridden"], ["not_needed", "captured"]]
)
def test_a_capture_that_was_settled_stays_as_it_is(states: list[str]) -> None:
    with pytest.raises(IllegalTransition):
        captured(packed(), *states)


def test_an_override_says_why() -> None:
    order = captured(packed(), "failed")
    with pytest.raises(InvalidArgument) as caught:
        capture.record(order, order.fulfilments[0], Outcome("overridden", "", "carol", NOON))
    assert caught.value.facts["field"] == "reason"
    told = capture.record(order, order.fulfilments[0], Outcome("overridden", "VIP", "carol", NOON)).happenings[0]
    assert (told.actor, told.notes, "VIP" in repr(told.facts)) == ("carol", {"reason": "VIP"}, False)


def test_a_parcel_is_not_paid_before_it_is_closed() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        captured(picking(), "captured")
    assert caught.value.reason == "NOT_PACKED"


# -- the same content -------------------------------------------------------------------------------------


def test_lines_in_another_order_are_the_same_content() -> None:
    assert not first_difference((BUYER, content(line(1), line(2))), (BUYER, content(line(2), line(1))))


def test_the_first_difference_is_named_where_it_was_sent() -> None:
    first = (BUYER, content(line(1), line(2)))
    other = content(line(2, title="Other"), line(1))
    assert first_difference(first, (BUYER, other)) == "lines[0].title"
    assert first_difference(first, (BUYER, content(line(1)))) == "lines"
    someone = replace(BUYER, customer=Customer("cus_2"))
    assert first_difference(first, (someone, first[1])) == "customer.customer_id"
    paid = replace(first[1], payment=PaymentTerms("payment_method_token", "pm_other"))
    assert first_difference(first, (BUYER, paid)) == "payment.payment_method_token"
    assert first_difference(first, (BUYER, replace(first[1], quote_id="quo_1"))) == "quote_id"


def test_personal_data_is_in_no_representation() -> None:
    assert "Plantée" not in repr(BUYER)
    assert "pm_card" not in repr(content())


def test_a_promise_is_kept_with_the_order() -> None:
    assert accepted(recorded(), leg((1, 2))).order.promise == PROMISE
