"""What is put on units between pick and pack: when it may begin, and what cannot be taken back after."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import capture, changes, holds, personalising, pricing, texts
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    CaptureMoment,
    Change,
    ChangeRule,
    Decision,
    HoldKind,
    Leg,
    Line,
    Order,
    PersonalText,
    Stage,
    Units,
)
from services.orders.domain.states import FulfilmentState, UnitState
from tests.services.orders.builders import (
    BUYER,
    CHANNEL,
    COOLED,
    LIFE_CYCLE,
    NOON,
    accepted,
    content,
    leg,
    line,
    recorded,
)

NAME = "engraved_name"
FIRST = "lines[0].personalisations[0]"
RING = line(1, 2, personalisations=(NAME,))
ZOE = replace(BUYER, personalisations=(PersonalText(1, NAME, "Zoé"),))


def picked(
    *legs: Leg,
    lines: Sequence[Line] = (RING,),
    moment: CaptureMoment = CaptureMoment.SHIPMENT,
    rules: tuple[ChangeRule, ...] = (),
    found: Sequence[int] = (2,),
) -> Order:
    cycle = replace(LIFE_CYCLE, capture_at=moment, change_rules=rules)
    order = recorded(*lines, life_cycle=cycle)
    order = life.release(accepted(order, *(legs or (leg((1, 2)),))).order, COOLED).order
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.accept_offer(order, order.fulfilments[0], "anna", NOON).order
    counts = [Units(number, "", count) for number, count in enumerate(found, start=1)]
    return work.record_pick(order, order.fulfilments[0], counts, "anna", NOON).order


def begin(order: Order, number: int = 0) -> Decision:
    return personalising.begin(order, order.fulfilments[number], "anna", NOON)


def complete(order: Order) -> Decision:
    return personalising.complete(order, order.fulfilments[0], "anna", NOON)


def pack(order: Order) -> Decision:
    return work.close_parcel(order, order.fulfilments[0], 500, "anna", NOON)


def reason_of(act: Callable[[], Any]) -> str:
    with pytest.raises(FailedPrecondition) as caught:
        act()
    return caught.value.reason


def test_it_is_begun_after_the_pick_and_done_before_the_pack() -> None:
    order = picked()
    assert reason_of(lambda: pack(order)) == "NOT_PERSONALISED"
    assert reason_of(lambda: complete(order)) == "NOT_BEGUN"
    begun = begin(order)
    assert reason_of(lambda: pack(begun.order)) == "NOT_PERSONALISED"
    assert reason_of(lambda: begin(begun.order)) == "ALREADY_BEGUN"
    done = complete(begun.order)
    assert reason_of(lambda: complete(done.order)) == "ALREADY_PERSONALISED"
    assert pack(done.order).order.fulfilments[0].state is FulfilmentState.PACKED
    (told,) = begun.happenings
    assert (told.kind, told.text) == (
        "fulfilment.personalisation_begun",
        "store-lyon began to personalise 2 units.",
    )
    assert [one.kind for one in done.happenings] == ["fulfilment.personalised"]


def test_only_work_with_something_on_its_units_has_the_step() -> None:
    plain = picked(lines=(line(1, 2),))
    assert reason_of(lambda: begin(plain)) == "NOTHING_TO_PERSONALISE"
    assert pack(plain).order.fulfilments[0].state is FulfilmentState.PACKED
    mixed = picked(leg((1, 2)), leg((2, 1), point="b"), lines=(RING, line(2, 1)))
    assert [personalising.is_needed(one) for one in mixed.fulfilments] == [True, False]


def test_what_is_not_picked_or_cancelled_is_not_begun() -> None:
    order = picked()
    waiting = replace(order, fulfilments=(replace(order.fulfilments[0], state=FulfilmentState.ACCEPTED),))
    assert reason_of(lambda: begin(waiting)) == "NOT_PICKED"
    cancelled = life.request_cancellation(order, "", "anna", NOON).order
    assert reason_of(lambda: begin(cancelled)) == "CANCELLED"
    gone = life.request_cancellation(begin(order).order, "", "anna", NOON).order
    assert reason_of(lambda: complete(gone)) == "CANCELLED"


def test_what_cannot_be_undone_waits_for_holds_and_for_money_that_is_taken_before() -> None:
    order = picked()
    hold = holds.begin(order, HoldKind.MANUAL, "she calls back", NOON)
    assert reason_of(lambda: begin(replace(order, holds=(hold,)))) == "ON_HOLD"
    prepaid = picked(moment=CaptureMoment.PREPARATION)
    assert reason_of(lambda: begin(prepaid)) == "NOT_CAPTURED"
    paid = capture.record(prepaid, prepaid.fulfilments[0], Outcome("captured", "", "", NOON)).order
    assert begin(paid).order.fulfilments[0].personalising_since == NOON


def test_only_what_was_found_is_personalised() -> None:
    (told,) = begin(picked(found=(1,))).happenings
    assert told.facts == {"lines": [{"line_number": 1, "sku": "SKU-1", "quantity": 1}]}


def test_once_it_is_begun_customers_cancel_no_more_and_only_roles_that_are_named_do() -> None:
    order = picked()
    assert changes.is_in_time(order, Change.CANCEL, ("channel",))
    begun = begin(order).order
    assert changes.reached(begun) is Stage.PERSONALISE
    assert changes.is_in_time(begun, Change.ADDRESS, ("channel",)), "it is not packed yet"
    assert reason_of(lambda: life.request_cancellation(begun, "", "", NOON, ("channel",))) == "TOO_LATE_TO_CANCEL"
    assert reason_of(lambda: changes.check_in_time(begun, Change.LINES, ("channel",))) == "TOO_LATE_TO_CHANGE"
    rules = (
        ChangeRule(Change.CANCEL, "", Stage.HAND_OVER),
        ChangeRule(Change.CANCEL, "customer_service", Stage.PACK),
    )
    ruled = begin(picked(rules=rules)).order
    assert not changes.is_in_time(ruled, Change.CANCEL, ("channel",))
    assert changes.is_in_time(ruled, Change.CANCEL, ("customer_service",))


def test_a_life_cycle_may_end_the_time_where_it_is_begun() -> None:
    rules = (ChangeRule(Change.CANCEL, "", Stage.PERSONALISE),)
    assert changes.is_in_time(picked(rules=rules), Change.CANCEL, ())
    assert not changes.is_in_time(begin(picked(rules=rules)).order, Change.CANCEL, ())
    plain = pack(picked(lines=(line(1, 2),), rules=rules)).order
    assert not changes.is_in_time(plain, Change.CANCEL, ())


def test_a_cancellation_says_which_units_nobody_else_can_have() -> None:
    lines = (RING, line(2, 1))
    order = picked(leg((1, 2)), leg((2, 1), point="b"), lines=lines)
    before = life.request_cancellation(order, "", "eve", NOON).happenings[0]
    assert "spoiled" not in before.facts
    after = life.request_cancellation(begin(order).order, "", "eve", NOON).happenings[0]
    assert after.kind == "order.cancellation_requested"
    assert after.facts["spoiled"] == [
        {
            "fulfilment_id": order.fulfilments[0].fulfilment_id,
            "point_id": "store-lyon",
            "lines": [{"line_number": 1, "sku": "SKU-1", "quantity": 2}],
        }
    ]


def test_a_parcel_that_is_given_up_says_so_too() -> None:
    order = pack(complete(begin(picked()).order).order).order
    order = capture.record(order, order.fulfilments[0], Outcome("failed", "declined", "", NOON)).order
    (told,) = capture.give_up(order, order.fulfilments[0], "stolen card", "eve", NOON).happenings
    assert told.facts["spoiled"] == told.facts["lines"]


def spoil(order: Order, *units: tuple[int, int]) -> Decision:
    named = [Units(number, "", count) for number, count in units]
    return personalising.spoil(order, order.fulfilments[0], named, "anna", NOON)


def test_what_is_spoiled_looks_for_another_place_and_the_rest_is_packed() -> None:
    lines = (RING, line(2, 1))
    order = begin(picked(leg((1, 2), (2, 1)), lines=lines, found=(2, 1))).order
    decision = spoil(order, (1, 1))
    (told,) = decision.happenings
    assert (told.kind, told.text) == ("fulfilment.spoiled", "store-lyon spoiled 1 unit: planned anew.")
    assert [row["quantity"] for row in told.facts["lines"]] == [1]
    assert [row["quantity"] for row in told.facts["left"]] == [1, 1]
    after = decision.order
    assert [(one.line_number, one.quantity) for one in after.ranges if one.state is UnitState.UNPLACED] == [(1, 1)]
    packed = pack(complete(after).order).order.fulfilments[0]
    assert packed.parcel is not None
    assert (
        packed.parcel.amount_minor
        == after.content.total.amount_minor - lines[0].net_minor // 2 - lines[0].tax_minor // 2
    )
    again = life.reroute(after, [leg((1, 1), point="b")], [], "spoiled", "", NOON)
    assert [one.point_id for one in again.created] == ["b"]
    assert again.no_longer_due_minor == 0


def test_work_without_a_unit_left_is_over_and_customers_may_cancel_until_it_is_begun_again() -> None:
    order = spoil(begin(picked()).order, (1, 2)).order
    assert order.fulfilments[0].state is FulfilmentState.SHORT
    assert changes.is_in_time(order, Change.CANCEL, ("channel",))
    anew = life.reroute(order, [], [Units(1, "SKU-1", 2)], "spoiled", "", NOON)
    assert anew.no_longer_due_minor == order.content.total.amount_minor, "nobody pays for what nobody can have"


def test_only_begun_units_of_which_no_money_is_taken_are_spoiled() -> None:
    order = picked()
    assert reason_of(lambda: spoil(order, (1, 1))) == "NOT_BEGUN"
    begun = begin(order).order
    assert spoil(complete(begun).order, (1, 1)).order.fulfilments[0].personalised_at == NOON, (
        "seen before the pack"
    )
    assert reason_of(lambda: spoil(pack(complete(begun).order).order, (1, 1))) == "NOT_BEGUN"
    gone = life.request_cancellation(begun, "", "anna", NOON).order
    assert reason_of(lambda: spoil(gone, (1, 1))) == "CANCELLED"
    prepaid = picked(moment=CaptureMoment.PREPARATION)
    paid = capture.record(prepaid, prepaid.fulfilments[0], Outcome("captured", "", "", NOON)).order
    assert reason_of(lambda: spoil(begin(paid).order, (1, 1))) == "PAID_ALREADY"


def test_what_is_wrong_of_spoiled_units_is_named() -> None:
    order = begin(picked(leg((1, 2), (2, 1)), lines=(RING, line(2, 1)), found=(2, 1))).order
    for units, field in (
        ([], "spoiled"),
        ([(2, 1)], "spoiled[0].line_number"),
        ([(1, 1), (1, 1)], "spoiled[1].line_number"),
        ([(1, 3)], "spoiled[0].quantity"),
        ([(1, 0)], "spoiled[0].quantity"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            spoil(order, *units)
        assert caught.value.facts["field"] == field


def test_a_text_fits_its_line_and_every_name_has_one() -> None:
    texts.check((RING,), ZOE)
    for lines, buyer, field in (
        ((RING,), BUYER, f"{FIRST}.text"),
        (
            (RING,),
            replace(ZOE, personalisations=(PersonalText(1, NAME, " "),)),
            f"{FIRST}.text",
        ),
        (
            (RING,),
            replace(ZOE, personalisations=(PersonalText(2, NAME, "Zoé"),)),
            f"{FIRST}.text",
        ),
        (
            (RING,),
            replace(ZOE, personalisations=(PersonalText(1, NAME, "x" * 1_001),)),
            f"{FIRST}.text",
        ),
        ((replace(RING, personalisations=(NAME, NAME)),), ZOE, "lines[0].personalisations[1].name"),
        ((replace(RING, personalisations=("",)),), ZOE, f"{FIRST}.name"),
        ((line(2), replace(RING, taken_at_point_id="a", shipping_minor=0)), ZOE, "lines[1].personalisations"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            pricing.check(content(*lines), buyer, CHANNEL)
        assert caught.value.facts["field"] == field


def test_other_content_has_the_texts_that_are_sent_and_else_those_of_the_same_article() -> None:
    kept = texts.after_change([RING], ZOE, [RING, line(2)], ())
    assert kept == ZOE.personalisations
    new = PersonalText(1, NAME, "Zoe")
    assert texts.after_change([RING], ZOE, [RING], [new]) == (new,)
    # A text is of its line and article: another one there begins without.
    assert texts.after_change([RING], ZOE, [replace(RING, sku="SKU-9")], ()) == ()
    moved = replace(RING, line_number=2)
    assert texts.after_change([RING], ZOE, [moved], [PersonalText(2, NAME, "Léa")]) == (
        PersonalText(2, NAME, "Léa"),
    )
    assert texts.after_change([RING], ZOE, [replace(RING, personalisations=())], [new]) == ()
    assert not texts.differ(ZOE, replace(ZOE, personalisations=kept))
    assert texts.differ(ZOE, replace(ZOE, personalisations=(new,)))
    assert texts.differ(ZOE, replace(ZOE, gift_message="With love"))


def test_a_text_is_in_no_representation() -> None:
    assert "Zoé" not in repr(ZOE)
