"""Picking several works at once: who has which, whose a found unit is, and why others are missing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import fulfilment, picking
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import Decision, Fulfilment, FulfilmentLine, Order, Picking
from services.orders.domain.picking import FoundArticle
from services.orders.domain.states import FulfilmentState, UnitState
from tests.services.orders.builders import COOLED, NOON, found, leg, line, released

MINE = Picking("pkl_1", "A", "anna", NOON)


def offered(*quantities: int) -> tuple[Order, Fulfilment]:
    """An order that is offered to one point, with a line for each quantity."""
    lines = [line(number, quantity) for number, quantity in enumerate(quantities, start=1)]
    order = released(leg(*((one.line_number, one.quantity) for one in lines)), lines=lines)
    order = fulfilment.offer(order, order.fulfilments[0], COOLED).order
    return order, order.fulfilments[0]


def accepted(*quantities: int) -> tuple[Order, Fulfilment]:
    order, work = offered(*quantities)
    order = fulfilment.accept_offer(order, work, "anna", COOLED).order
    return order, order.fulfilments[0]


def claimed(*quantities: int) -> tuple[Order, Fulfilment]:
    order = picking.claim(*accepted(*quantities), MINE).order
    return order, order.fulfilments[0]


def work_of(fulfilment_id: str, hours: int, *lines: tuple[str, int]) -> Fulfilment:
    """Accepted work that must leave so many hours after noon."""
    _, one = accepted(1)
    made = tuple(FulfilmentLine(n, sku, quantity, sku, ()) for n, (sku, quantity) in enumerate(lines, start=1))
    return replace(one, fulfilment_id=fulfilment_id, lines=made, hand_over_by=NOON + timedelta(hours=hours))


# -- who has it -------------------------------------------------------------------------------------------


def test_work_that_somebody_picks_is_claimed_by_nobody_else_until_it_is_put_back() -> None:
    order, work = claimed(2)
    with pytest.raises(FailedPrecondition) as refused:
        picking.claim(order, work, replace(MINE, pick_list_id="pkl_2", actor="bob"))
    assert (refused.value.reason, refused.value.facts["actor"]) == ("BEING_PICKED", "anna")
    with pytest.raises(FailedPrecondition) as refused:
        picking.check_may_pick(work, "bob")
    assert (refused.value.reason, refused.value.facts["pick_list_id"]) == ("PICKED_BY_ANOTHER", "pkl_1")
    picking.check_may_pick(work, "anna")

    order = picking.put_back(order, work, "pkl_1", "carl", COOLED).order
    picking.check_may_pick(order.fulfilments[0], "bob")
    assert picking.claim(order, order.fulfilments[0], replace(MINE, actor="bob")).happenings


def test_the_work_of_another_list_is_not_put_back() -> None:
    order, work = claimed(2)
    assert picking.put_back(order, work, "pkl_2", "carl", COOLED) == Decision(order)


def test_only_accepted_work_is_picked() -> None:
    order, work = offered(2)
    with pytest.raises(FailedPrecondition) as refused:
        picking.claim(order, work, MINE)
    assert (refused.value.reason, refused.value.facts["state"]) == ("NOT_TO_PICK", "offered")


def test_a_claim_is_told_in_the_timeline_and_to_no_story() -> None:
    decision = picking.claim(*accepted(2), MINE)
    assert [(one.kind, one.told, one.actor) for one in decision.happenings] == [
        ("fulfilment.claimed", False, "anna")
    ]


def test_a_claim_ends_with_the_pick() -> None:
    order, work = claimed(2)
    picked = fulfilment.record_pick(order, work, found((1, 2)), "anna", COOLED).order.fulfilments[0]
    assert (picked.state, picked.picking) == (FulfilmentState.PICKED, None)
    assert picking.picking_of(replace(work, state=FulfilmentState.CANCELLED)) is None


# -- whose a unit is --------------------------------------------------------------------------------------


def test_a_unit_goes_to_the_work_that_must_leave_first() -> None:
    late, early = work_of("ful_a", 6, ("TEE", 2)), work_of("ful_b", 3, ("TEE", 1), ("TEE", 1))
    shared = picking.share_out([late, early], [FoundArticle("TEE", 3)])
    assert [one.quantity for one in shared.by_work["ful_b"]] == [1, 1]
    assert [one.quantity for one in shared.by_work["ful_a"]] == [1]
    assert not shared.left_over


articles = st.sampled_from(["TEE", "HAT"])
some_works = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.tuples(articles, st.integers(1, 5)), min_size=1, max_size=3)),
    min_size=1,
    max_size=4,
)


@given(some_works, st.integers(0, 20), st.integers(0, 20))
def test_every_unit_that_was_found_is_in_a_container_or_left_over(
    drawn: Sequence[tuple[int, Sequence[tuple[str, int]]]], tees: int, hats: int
) -> None:
    works = [work_of(f"ful_{n}", hours, *lines) for n, (hours, lines) in enumerate(drawn)]
    shared = picking.share_out(works, [FoundArticle("TEE", tees), FoundArticle("HAT", hats)])
    given_out: Counter[str] = Counter()
    for work in works:
        units = shared.by_work[work.fulfilment_id]
        for one, asked in zip(units, work.lines, strict=True):
            assert (one.line_number, one.sku) == (asked.line_number, asked.sku)
            assert 0 <= one.quantity <= asked.quantity
            given_out[one.sku] += one.quantity
    wanted = Counter[str]()
    for work in works:
        for line_ in work.lines:
            wanted[line_.sku] += line_.quantity
    for sku, units_found in (("TEE", tees), ("HAT", hats)):
        assert given_out[sku] == min(units_found, wanted[sku])
        assert shared.left_over.get(sku, 0) == units_found - given_out[sku]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ([FoundArticle("TEE", 1)], "found"),
        ([FoundArticle("TEE", 1), FoundArticle("HAT", 1), FoundArticle("TEE", 1)], "found[2].sku"),
        ([FoundArticle("TEE", -1), FoundArticle("HAT", 1)], "found[0].quantity"),
        ([FoundArticle("TEE", 1, "eaten"), FoundArticle("HAT", 1)], "found[0].reason"),
        ([FoundArticle("TEE", 1, "other"), FoundArticle("HAT", 1)], "found[0].note"),
        ([FoundArticle("TEE", 1, "other", "x" * 201), FoundArticle("HAT", 1)], "found[0].note"),
    ],
)
def test_every_article_of_a_list_is_told_once(said: list[FoundArticle], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        picking.check_found([work_of("ful_a", 1, ("TEE", 1), ("HAT", 1))], said)
    assert refused.value.facts["field"] == field


# -- why units are missing --------------------------------------------------------------------------------


def test_the_reason_of_an_article_is_that_of_the_works_that_lack_it() -> None:
    early, late = work_of("ful_a", 1, ("TEE", 1)), work_of("ful_b", 2, ("TEE", 2), ("HAT", 1))
    said = [FoundArticle("TEE", 2, "damaged"), FoundArticle("HAT", 0)]
    shared = picking.share_out([early, late], said)
    assert picking.reasons(early, shared.by_work["ful_a"], said) == []
    assert picking.reasons(late, shared.by_work["ful_b"], said) == [Missing(1, "damaged", "")]


def test_a_short_pick_says_why_in_its_event_and_in_words() -> None:
    order, work = accepted(3, 2, 1)
    reasons = [Missing(1, "damaged"), Missing(3, "other", "behind the locked door")]
    decision = fulfilment.record_pick(order, work, found((1, 1), (2, 1), (3, 0)), "anna", COOLED, reasons)
    (told,) = decision.happenings
    assert [(one["line_number"], one["quantity"], one["reason"]) for one in told.facts["short"]] == [
        (1, 2, "damaged"),
        (2, 1, "not_found"),
        (3, 1, "other"),
    ]
    assert told.text == ("store-lyon picked 2 units; 1 unit not found, 2 units damaged, 1 unit missing otherwise.")
    assert told.notes == {"missing_notes": {"3": "behind the locked door"}}
    assert "missing_notes" not in told.facts, "what people write stays here"
    assert sum(one.quantity for one in decision.order.ranges if one.state == UnitState.UNPLACED) == 4


def test_a_pick_without_a_reason_says_not_found() -> None:
    order, work = accepted(2)
    (told,) = fulfilment.record_pick(order, work, found((1, 0)), "anna", COOLED).happenings
    assert (told.kind, told.text) == ("fulfilment.short", "store-lyon picked none of 2 units; 2 units not found.")


@pytest.mark.parametrize(
    ("reasons", "field"),
    [
        ([Missing(1, "eaten")], "missing[0].reason"),
        ([Missing(1, "other", " ")], "missing[0].note"),
        ([Missing(1, "damaged", "x" * 201)], "missing[0].note"),
        ([Missing(1, "damaged"), Missing(1, "damaged")], "missing[1].line_number"),
        ([Missing(2, "damaged")], "missing[0].line_number"),
        ([Missing(9, "damaged")], "missing[0].line_number"),
    ],
)
def test_a_reason_is_of_a_line_that_is_short(reasons: list[Missing], field: str) -> None:
    order, work = accepted(2, 1)
    with pytest.raises(InvalidArgument) as refused:
        fulfilment.record_pick(order, work, found((1, 1), (2, 1)), "anna", COOLED, reasons)
    assert refused.value.facts["field"] == field
