"""Changes of an order that stands, as rules: which units go, until when, what of the money, and who was faster."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import amending, fulfilment, replacing
from services.orders.domain import order as life
from services.orders.domain.dues import due_minor
from services.orders.domain.model import (
    Change,
    ChangeRefusal,
    ChangeRule,
    HoldKind,
    Line,
    Order,
    Stage,
    Units,
    Wanted,
)
from services.orders.domain.plan import counted_ranges
from services.orders.domain.states import ChangeState, FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import (
    COOLED,
    LIFE_CYCLE,
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

ANYBODY = ("channel",)


def cancel(order: Order, *units: tuple[int, int]) -> Order:
    wanted = [Units(number, "", count) for number, count in units]
    return amending.cancel_lines(order, wanted, "too many", "web", ANYBODY, NOON).order


def kept(order: Order) -> Counter[int]:
    return counted_ranges(one for one in order.ranges if one.state is not UnitState.CANCELLED)


def two_parcels() -> Order:
    """Of line 1 there are three units at a and two at b, whose work was accepted."""
    order = released(leg((1, 3), point="a"), leg((1, 2), point="b"), lines=[line(1, 5)])
    order = fulfilment.offer(order, order.fulfilments[1], NOON).order
    return fulfilment.accept_offer(order, order.fulfilments[1], "anna", NOON).order


def test_units_that_nobody_has_begun_go_first_and_then_those_of_others() -> None:
    less = cancel(two_parcels(), (1, 2))
    assert [[one.quantity for one in work.lines] for work in less.fulfilments] == [[1], [2]]
    emptied = cancel(two_parcels(), (1, 4))
    assert [work.state for work in emptied.fulfilments] == [FulfilmentState.CANCELLED, FulfilmentState.ACCEPTED]
    assert emptied.fulfilments[1].lines[0].quantity == 1
    assert kept(emptied) == {1: 1}


def test_what_was_picked_stays_and_how_much_could_be_cancelled_is_told() -> None:
    order = two_parcels()
    order = fulfilment.record_pick(order, order.fulfilments[1], found((1, 2)), "anna", NOON).order
    with pytest.raises(FailedPrecondition) as late:
        cancel(order, (1, 4))
    assert late.value.reason == "TOO_LATE_TO_CHANGE"
    assert (late.value.facts["line_number"], late.value.facts["cancellable"]) == (1, 3)
    assert kept(cancel(order, (1, 3))) == {1: 2}, "the work that is not picked has its own time"


@pytest.mark.parametrize("limit", [Stage.NEVER, Stage.RELEASE])
def test_a_rule_may_give_less_time(limit: Stage) -> None:
    rules = (ChangeRule(Change.LINES, "", limit), ChangeRule(Change.LINES, "customer_service", Stage.PICK))
    order = replace(two_parcels(), life_cycle=replace(LIFE_CYCLE, change_rules=rules))
    with pytest.raises(FailedPrecondition, match="0 units"):
        cancel(order, (1, 1))
    wanted = [Units(1, "", 1)]
    assert amending.cancel_lines(order, wanted, "", "carol", ("customer_service",), NOON).order.changes


def test_without_a_unit_left_the_order_is_cancelled() -> None:
    after = cancel(two_parcels(), (1, 5))
    assert (after.state, after.changes[0].settled) == (OrderState.CANCELLING, True)


@given(
    quantities=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    data=st.data(),
    has_cooled=st.booleans(),
)
def test_the_money_of_what_is_kept_and_of_what_goes_is_the_total(
    quantities: list[int], data: st.DataObject, has_cooled: bool
) -> None:
    lines = [line(number, count) for number, count in enumerate(quantities, start=1)]
    legs = [leg((one.line_number, one.quantity), point=f"p{one.line_number}") for one in lines]
    order = accepted(recorded(*lines), *legs).order
    order = life.release(order, COOLED).order if has_cooled else order
    given_up, total = 0, due_minor(order)
    for _ in range(2):
        gone = {n: data.draw(st.integers(0, left), label=f"of {n}") for n, left in kept(order).items()}
        if not sum(gone.values()) or sum(gone.values()) == kept(order).total():
            continue
        wanted = [Units(number, "", count) for number, count in gone.items() if count]
        decision = amending.cancel_lines(order, wanted, "", "web", ANYBODY, NOON)
        told = decision.happenings[0]
        given_up += told.facts["no_longer_due_minor"]
        released_units = Counter[int]()
        for share in told.facts["released"]:
            for one in share["lines"]:
                released_units[one["line_number"]] += one["quantity"]
        assert released_units == Counter(gone), "each unit that goes is given back where it lay"
        order = decision.order
        assert told.facts["due_minor"] == due_minor(order)
    assert given_up + due_minor(order) == total
    at_work = counted_ranges(one for one in order.ranges if one.fulfilment_id)
    in_lines = Counter[int]()
    for work in order.fulfilments:
        for each in work.lines if work.state is not FulfilmentState.CANCELLED else ():
            in_lines[each.line_number] += each.quantity
    assert at_work == in_lines == kept(order)


def test_in_cooling_off_the_order_waits_until_stock_and_money_follow() -> None:
    order = cancel(accepted(recorded(line(1, 2)), leg((1, 2))).order, (1, 1))
    assert life.release(order, COOLED).order.state is OrderState.VALIDATED
    settled = amending.settle(order, order.changes[0].change_id, COOLED)
    assert life.release(settled.order, COOLED).order.state is OrderState.RELEASED
    assert amending.settle(settled.order, order.changes[0].change_id, COOLED).happenings == ()


def test_a_cancelled_order_has_no_change_that_anything_is_to_follow() -> None:
    less = cancel(two_parcels(), (1, 1))
    assert not less.changes[0].settled
    cancelling = judged(life.request_cancellation(less, "no longer", "web", NOON)).order
    done = judged(life.complete_cancellation(cancelling, NOON)).order
    assert (done.state, done.changes[0].state) == (OrderState.CANCELLED, ChangeState.APPLIED)
    assert done.changes[0].settled
    assert amending.settle(done, done.changes[0].change_id, NOON).order == done, "told late, it is no news"


def test_an_order_is_not_closed_before_its_changes_are_settled() -> None:
    order = cancel(two_parcels(), (1, 4))
    done = replace(
        order, ranges=tuple(replace(one, state=UnitState.CANCELLED, fulfilment_id="") for one in order.ranges)
    )
    assert life.close(done, NOON).order.state is OrderState.RELEASED
    settled = amending.settle(done, order.changes[0].change_id, NOON).order
    assert life.close(settled, NOON).order.state is OrderState.CANCELLED


# -- other content ----------------------------------------------------------------------------------------


def wanted(*lines: Line) -> Wanted:
    made = content(*lines)
    return Wanted(made.lines, made.total, made.mode)


def proposed() -> Order:
    order = accepted(recorded(line(1, 2)), leg((1, 2))).order
    return replacing.propose(order, wanted(line(1, 1), line(2, 3)), "web", ANYBODY, NOON).order


def test_a_proposed_change_holds_the_order_and_is_applied_whole() -> None:
    order = proposed()
    assert life.release(order, COOLED - timedelta(minutes=1)).order.state is OrderState.VALIDATED
    change_id = order.changes[0].change_id
    legs = [leg((1, 1)), leg((2, 3), point="b")]
    after = judged(replacing.apply(order, change_id, legs, PROMISE, "dec_2", NOON)).order
    assert (after.changes[0].state, after.changes[0].wanted) == (ChangeState.APPLIED, None)
    assert kept(after) == {1: 1, 2: 3}
    assert [one.state for one in after.fulfilments] == [
        FulfilmentState.CANCELLED,
        FulfilmentState.PLANNED,
        FulfilmentState.PLANNED,
    ]
    assert after.cooling_off_until == order.cooling_off_until
    assert life.release(after, COOLED).order.state is OrderState.VALIDATED, "stock and money do not follow yet"
    settled = judged(amending.settle(after, change_id, COOLED)).order
    assert life.release(settled, COOLED).order.state is OrderState.RELEASED
    with pytest.raises(InvalidArgument, match="exactly"):
        replacing.apply(order, change_id, legs[:1], PROMISE, "dec_2", NOON)


def test_a_refused_change_leaves_all_as_it_was() -> None:
    order = proposed()
    refusal = ChangeRefusal("STOCK_UNAVAILABLE")
    after = replacing.refuse(order, order.changes[0].change_id, refusal, NOON).order
    assert (after.content, after.ranges, after.fulfilments) == (order.content, order.ranges, order.fulfilments)
    assert (after.changes[0].state, after.changes[0].refusal) == (ChangeState.REFUSED, refusal)


def test_whatever_else_comes_first_refuses_a_proposed_change() -> None:
    order = proposed()
    cancelled = judged(life.request_cancellation(order, "no longer", "web", NOON)).order
    refused = cancelled.changes[0]
    assert refused.refusal is not None
    assert (refused.state, refused.refusal.reason, refused.settled) == (
        ChangeState.REFUSED,
        "TOO_LATE_TO_CHANGE",
        True,
    )
    waited = NOON + timedelta(hours=1)
    lapsed = judged(life.lapse_holds(order, waited)).order
    assert lapsed.changes[0].refusal is not None
    assert lapsed.changes[0].refusal.reason == "CHANGE_EXPIRED"
    assert not any(one.kind is HoldKind.CHANGE and one.ended_at is None for one in lapsed.holds)
    applied = replacing.apply(lapsed, lapsed.changes[0].change_id, [], None, "", waited)
    assert applied.order == lapsed, "whoever wants to apply it hears that it is refused"


def test_one_change_is_decided_at_a_time_and_something_must_change() -> None:
    order = proposed()
    with pytest.raises(FailedPrecondition) as open_:
        cancel(order, (1, 1))
    assert open_.value.reason == "CHANGE_OPEN"
    plain = accepted(recorded(line(1, 2)), leg((1, 2))).order
    with pytest.raises(InvalidArgument) as same:
        replacing.propose(plain, wanted(line(1, 2)), "web", ANYBODY, NOON)
    assert same.value.reason == "NOTHING_CHANGES"
    with pytest.raises(FailedPrecondition, match="cooling-off"):
        replacing.propose(life.release(plain, COOLED).order, wanted(line(1, 1)), "web", ANYBODY, COOLED)
    with pytest.raises(FailedPrecondition) as early:
        cancel(recorded(line(1, 2)), (1, 1))
    assert early.value.reason == "NOT_PLACED"
