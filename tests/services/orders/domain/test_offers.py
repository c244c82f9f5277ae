"""Points that compete for work: who is asked, who wins, who is told what, and what becomes of work nobody took."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, OmsError, Unavailable
from services.orders.domain import amending, fulfilment, offers, settings
from services.orders.domain import order as life
from services.orders.domain.model import Competition, Decision, Fallback, Offer, Order, Reach, Units
from services.orders.domain.states import (
    OFFER_MOVES,
    FulfilmentState,
    IllegalTransition,
    OfferState,
    OrderState,
    UnitState,
    move,
)
from tests.services.orders.builders import LIFE_CYCLE, NOON, leg, recorded
from tests.services.orders.competing import (
    ASKS_A_PERSON,
    COMPETITION,
    HOUR,
    candidate,
    candidates,
    offered,
    released,
    work_of,
)

PLANNED = "store-lyon"
LATER = NOON + 2 * HOUR
MINUTE = timedelta(minutes=1)


def states(order: Order) -> dict[str, str]:
    return {one.point_id: one.state.value for one in work_of(order).offers}


def of(order: Order, point: str) -> Offer:
    found = offers.of_point(work_of(order), point)
    assert found
    return found


def accept(order: Order, point: str, claim: str = "clm_1", at: datetime = NOON) -> Decision:
    return offers.accept(order, work_of(order), of(order, point), claim, f"anna of {point}", at)


def refuse(order: Order, point: str, reason: str = "no_time") -> Order:
    return offers.refuse(order, work_of(order), of(order, point), reason, "bob", NOON + MINUTE).order


def settle(order: Order, held: bool, claim: str = "clm_1") -> Decision:
    return offers.settle(order, work_of(order), claim, NOON + MINUTE, held=held)


def ring(order: Order, number: int, *points: str) -> Order:
    return offers.offer_ring(order, work_of(order), number, candidates(*points), {}, NOON + MINUTE).order


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def reason_of(act: Any) -> str:
    with pytest.raises(OmsError) as refused:
        act()
    return refused.value.reason


# -- rings ------------------------------------------------------------------------------------------------


def test_a_ring_asks_as_many_points_as_it_has_the_best_first_and_the_next_ring_further_ones() -> None:
    order = offered("a", PLANNED, "b", "c")
    assert states(order) == {"a": "open", PLANNED: "open"}
    assert work_of(order).state == FulfilmentState.OFFERED
    order = refuse(refuse(order, "a"), PLANNED)
    order = ring(order, 2, "a", PLANNED, "b", "c", "d")
    assert states(order) == {"a": "refused", PLANNED: "refused", "b": "open", "c": "open"}
    assert [(one.ring, one.place) for one in work_of(order).offers] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_point_comes_one_place_later_for_each_offer_that_it_has_open() -> None:
    assert list(states(offered("a", "b", "c", load={"a": 1}))) == ["a", "b"]
    assert list(states(offered("a", "b", "c", load={"a": 2}))) == ["b", "a"]
    assert list(states(offered("a", "b", "c", load={"a": 3, "b": 1}))) == ["b", "c"]


def test_nobody_is_asked_anew_while_somebody_may_still_answer() -> None:
    order = offered("a", "b")
    assert ring(order, 2, "c") is order
    order = accept(order, "a").order
    assert ring(order, 2, "c") is order


def test_a_deadline_is_never_later_than_the_point_must_begin_nor_than_the_planned_point_must() -> None:
    order = released(replace(leg((1, 2)), latest_start=NOON + HOUR))
    asked = [
        candidate("own", answer_by=NOON + 3 * HOUR, latest_start=NOON + HOUR / 2),
        candidate("planned", answer_by=NOON + 3 * HOUR),
    ]
    made = offers.offer_ring(order, work_of(order), 1, asked, {}, NOON).order
    assert [one.deadline for one in work_of(made).offers] == [NOON + HOUR / 2, NOON + HOUR]
    assert work_of(made).offer_deadline == NOON + HOUR
    patient = released(replace(leg((1, 2)), latest_start=NOON + HOUR), competition=ASKS_A_PERSON)
    made = offers.offer_ring(patient, work_of(patient), 1, asked, {}, NOON).order
    assert [one.deadline for one in work_of(made).offers] == [NOON + HOUR / 2, NOON + 3 * HOUR]


def test_a_point_whose_time_is_over_before_it_began_is_passed_over() -> None:
    order = released()
    asked = [candidate("late", latest_start=NOON), *candidates("a", "b")]
    made = offers.offer_ring(order, work_of(order), 1, asked, {}, NOON).order
    assert list(states(made)) == ["a", "b"]


def test_a_ring_without_points_leaves_the_work_offered_to_nobody() -> None:
    order = offered()
    assert (states(order), work_of(order).state) == ({}, FulfilmentState.OFFERED)


def test_a_point_that_refused_an_article_is_not_asked_for_it_again_by_other_work_of_the_order() -> None:
    order = refuse(refuse(offered("a", PLANNED), "a"), PLANNED)
    order = offers.end(order, work_of(order), NOON).order
    again = life.reroute(order, [leg((1, 2), point="c")], [], "no_time", "dec_2", NOON).order
    made = offers.offer_ring(again, work_of(again, 1), 1, candidates("a", PLANNED, "c", "d"), {}, NOON).order
    assert [one.point_id for one in work_of(made, 1).offers] == ["c", "d"]


@pytest.mark.parametrize("state", [OrderState.VALIDATED, OrderState.CANCELLING])
def test_nothing_is_offered_before_the_release(state: OrderState) -> None:
    order = replace(released(), state=state)
    act = lambda: offers.offer_ring(order, work_of(order), 1, candidates("a"), {}, NOON)  # noqa: E731
    assert reason_of(act) == "NOT_RELEASED"


@pytest.mark.parametrize(
    ("number", "asked", "field"),
    [
        (0, candidates("a"), "ring"),
        (3, candidates("a"), "ring"),
        (1, candidates("a", "a"), "candidates[1].leg.point_id"),
        (1, candidates(""), "candidates[0].leg.point_id"),
        (1, [replace(candidate("a"), answer_by=None)], "candidates[0].answer_by"),
        (
            1,
            [replace(candidate("a"), leg=replace(leg((1, 2)), hand_over_by=None))],
            "candidates[0].leg.hand_over_by",
        ),
        (1, [replace(candidate("a"), leg=replace(leg((1, 2)), carrier_id=""))], "candidates[0].leg.carrier_id"),
    ],
)
def test_a_ring_that_makes_no_sense_names_the_field(number: int, asked: Any, field: str) -> None:
    order = released()
    with pytest.raises(InvalidArgument) as refused:
        offers.offer_ring(order, work_of(order), number, asked, {}, NOON)
    assert refused.value.facts["field"] == field


def test_points_compete_only_where_the_life_cycle_says_so() -> None:
    order = replace(released(), life_cycle=LIFE_CYCLE)
    act = lambda: offers.offer_ring(order, work_of(order), 1, candidates("a"), {}, NOON)  # noqa: E731
    assert reason_of(act) == "NOT_COMPETITIVE"


# -- answers ----------------------------------------------------------------------------------------------


def test_the_planned_point_has_the_work_at_once_and_the_others_lost_it() -> None:
    decision = accept(offered("a", PLANNED), PLANNED, at=NOON + MINUTE)
    assert states(decision.order) == {"a": "lost", PLANNED: "accepted"}
    work = work_of(decision.order)
    assert (work.state, work.point_id) == (FulfilmentState.ACCEPTED, PLANNED)
    assert kinds(decision) == ["fulfilment.accepted"]
    assert decision.happenings[0].facts == {"ring": 1, "answer_seconds": 60}
    assert of(decision.order, PLANNED).answered_at == NOON + MINUTE


def test_another_point_claims_it_and_has_it_when_the_units_are_held_there() -> None:
    claimed = accept(offered("a", "b"), "a")
    assert states(claimed.order) == {"a": "claimed", "b": "open"}
    assert work_of(claimed.order).state == FulfilmentState.OFFERED
    [happening] = claimed.happenings
    assert (happening.kind, happening.facts["claim_id"]) == ("fulfilment.claimed", "clm_1")
    assert happening.fulfilment
    assert happening.fulfilment.point_id == "a"
    won = settle(claimed.order, held=True)
    assert states(won.order) == {"a": "accepted", "b": "lost"}
    work = work_of(won.order)
    assert (work.point_id, work.carrier_id, work.service_id) == ("a", "carrier-of-a", "home")
    assert work.window == candidate("a").leg.window
    assert (work.hand_over_by, work.state) == (NOON + 5 * HOUR, FulfilmentState.ACCEPTED)


def test_a_claim_whose_units_are_not_there_is_refused_and_the_others_go_on() -> None:
    decision = settle(accept(offered("a", "b"), "a").order, held=False)
    assert states(decision.order) == {"a": "refused", "b": "open"}
    assert of(decision.order, "a").reason == offers.STOCK_NOT_THERE
    assert kinds(decision) == ["fulfilment.claim_refused"]
    won = settle(accept(decision.order, "b", claim="clm_2").order, held=True, claim="clm_2")
    assert states(won.order) == {"a": "refused", "b": "accepted"}


def test_to_settle_twice_changes_nothing_and_a_claim_that_never_was_is_not_found() -> None:
    won = settle(accept(offered("a", "b"), "a").order, held=True).order
    assert settle(won, held=True).order is won
    assert settle(won, held=False).order is won
    with pytest.raises(NotFound):
        settle(won, held=True, claim="clm_other")


def test_while_a_claim_is_not_settled_others_are_neither_winners_nor_losers() -> None:
    order = accept(offered("a", "b"), "a").order
    with pytest.raises(Unavailable) as refused:
        accept(order, "b", claim="clm_2")
    assert refused.value.reason == "OFFER_CLAIMED"
    # A colleague of the point that took it is told the same as whoever was first.
    assert accept(order, "a", claim="clm_3").order is order


@pytest.mark.parametrize("first", ["accepted", "lapsed", "refused", "cancelled"])
def test_who_comes_second_is_told_what_came_first(first: str) -> None:
    order = offered("a", PLANNED)
    if first == "accepted":
        order, state = accept(order, PLANNED).order, "lost"
    elif first == "lapsed":
        order, state = offers.lapse(order, work_of(order), LATER).order, "lapsed"
    elif first == "refused":
        order, state = refuse(order, "a"), "refused"
    else:
        order, state = life.request_cancellation(order, "", "", NOON).order, "withdrawn"
    for act in (lambda: accept(order, "a"), lambda: refuse(order, "a")):
        with pytest.raises(FailedPrecondition) as refused:
            act()
        assert (refused.value.reason, refused.value.facts["state"]) == ("OFFER_GONE", state)
        assert PLANNED not in refused.value.detail


def test_a_deadline_that_has_passed_but_not_lapsed_does_not_forbid_an_acceptance() -> None:
    order = accept(offered("a", PLANNED), PLANNED, at=LATER).order
    assert offers.lapse(order, work_of(order), LATER).order is order


def test_only_offers_whose_time_is_over_lapse() -> None:
    order = released()
    asked = [candidate("a"), candidate("b", answer_by=NOON + 3 * HOUR)]
    order = offers.offer_ring(order, work_of(order), 1, asked, {}, NOON).order
    assert offers.lapse(order, work_of(order), NOON + HOUR - MINUTE).order is order
    lapsed = offers.lapse(order, work_of(order), NOON + HOUR)
    assert states(lapsed.order) == {"a": "lapsed", "b": "open"}
    assert lapsed.happenings[0].facts == {"point_ids": ["a"]}


def test_a_refusal_has_a_reason_and_blocks_nobody() -> None:
    order = refuse(offered("a", PLANNED), "a", "no_staff")
    refused = of(order, "a")
    assert (refused.reason, refused.actor, refused.answered_at) == ("no_staff", "bob", NOON + MINUTE)
    assert states(order) == {"a": "refused", PLANNED: "open"}
    assert reason_of(lambda: refuse(order, PLANNED, "too lazy")) == "INVALID_FIELD"


# -- nobody -----------------------------------------------------------------------------------------------


def lapsed(competition: Competition = COMPETITION) -> Order:
    order = offered("a", PLANNED, competition=competition)
    return offers.lapse(order, work_of(order), LATER).order


def test_nobody_took_it_and_the_planned_point_has_it() -> None:
    order = lapsed()
    decision = offers.end(order, work_of(order), LATER)
    work = work_of(decision.order)
    assert (work.state, work.point_id, work.carrier_id) == (FulfilmentState.ACCEPTED, PLANNED, "colis")
    assert decision.happenings[0].facts == {"given": True}


def test_nobody_took_it_and_the_planned_point_had_refused_then_its_units_look_for_another_place() -> None:
    order = refuse(offered("a", PLANNED), PLANNED, "not_found")
    order = offers.lapse(order, work_of(order), LATER).order
    decision = offers.end(order, work_of(order), LATER)
    work = work_of(decision.order)
    assert (work.state, work.refusal_reason) == (FulfilmentState.REFUSED, "not_found")
    assert {one.state for one in decision.order.ranges} == {UnitState.UNPLACED}
    assert kinds(decision) == ["fulfilment.refused"]


def test_nothing_ends_while_somebody_may_still_answer() -> None:
    order = offered("a", "b")
    assert offers.end(order, work_of(order), LATER).order is order
    order = accept(order, "a").order
    assert offers.end(order, work_of(order), LATER).order is order


def test_nobody_took_it_and_a_person_gives_it_to_the_planned_point() -> None:
    order = lapsed(ASKS_A_PERSON)
    decision = offers.end(order, work_of(order), LATER)
    assert kinds(decision) == ["fulfilment.unclaimed"]
    assert decision.order.unclaimed_since == LATER
    assert offers.end(decision.order, work_of(decision.order), LATER).order is decision.order
    given = offers.assign(decision.order, work_of(decision.order), PLANNED, "clm_9", "eve", LATER).order
    assert (work_of(given).state, given.unclaimed_since) == (FulfilmentState.ACCEPTED, None)
    assert states(given) == {"a": "lapsed", PLANNED: "accepted"}


def test_a_person_gives_it_to_another_point_as_often_as_needed() -> None:
    order = lapsed(ASKS_A_PERSON)
    order = offers.end(order, work_of(order), LATER).order
    for number, held in enumerate((False, True)):
        claim = f"clm_{number}"
        order = offers.assign(order, work_of(order), "a", claim, "eve", LATER).order
        assert states(order)["a"] == "claimed"
        assert offers.assign(order, work_of(order), "a", "clm_again", "eve", LATER).order is order
        with pytest.raises(FailedPrecondition):
            offers.assign(order, work_of(order), PLANNED, "clm_x", "eve", LATER)
        order = settle(order, held=held, claim=claim).order
        assert (order.unclaimed_since is None) is held
    assert (work_of(order).point_id, work_of(order).state) == ("a", FulfilmentState.ACCEPTED)


def test_a_person_gives_work_only_when_it_waits_and_only_to_whom_it_was_offered() -> None:
    order = offered("a", PLANNED, competition=ASKS_A_PERSON)
    assert reason_of(lambda: offers.assign(order, work_of(order), "a", "clm_1", "eve", NOON)) == "NOT_UNCLAIMED"
    waiting = lapsed(ASKS_A_PERSON)
    waiting = offers.end(waiting, work_of(waiting), LATER).order
    assert (
        reason_of(lambda: offers.assign(waiting, work_of(waiting), "zzz", "clm_1", "eve", NOON)) == "NOT_OFFERED"
    )


def test_the_planned_point_is_given_work_that_it_was_never_asked_for() -> None:
    order = offered("a", competition=ASKS_A_PERSON)
    order = offers.lapse(order, work_of(order), LATER).order
    order = offers.end(order, work_of(order), LATER).order
    given = offers.assign(order, work_of(order), PLANNED, "clm_1", "eve", LATER).order
    assert (work_of(given).state, work_of(given).point_id) == (FulfilmentState.ACCEPTED, PLANNED)


# -- cancellation -----------------------------------------------------------------------------------------


def test_a_cancellation_withdraws_offers_and_a_claim_and_whoever_settles_finds_that_out() -> None:
    order = accept(offered("a", "b"), "a").order
    cancelled = life.request_cancellation(order, "", "", LATER).order
    assert states(cancelled) == {"a": "withdrawn", "b": "withdrawn"}
    assert work_of(cancelled).state == FulfilmentState.CANCELLED
    assert settle(cancelled, held=True).order is cancelled
    assert ring(cancelled, 2, "c") is cancelled
    assert offers.end(cancelled, work_of(cancelled), LATER).order is cancelled


def test_a_cancellation_ends_the_waiting_for_a_person() -> None:
    order = lapsed(ASKS_A_PERSON)
    order = offers.end(order, work_of(order), LATER).order
    assert life.request_cancellation(order, "", "", LATER).order.unclaimed_since is None


# -- who sees what ----------------------------------------------------------------------------------------


def test_a_point_sees_its_own_leg_and_deadline_and_nobody_elses() -> None:
    order = offered("a", "b")
    seen = offers.as_offered(work_of(order), of(order, "a"))
    assert (seen.point_id, seen.carrier_id, seen.offers) == ("a", "carrier-of-a", ())
    assert (seen.state, seen.offer_deadline) == (FulfilmentState.OFFERED, NOON + HOUR)


def test_offers_reach_the_points_that_have_them_and_the_work_itself_only_its_own() -> None:
    order = offered("a", "b")
    work = work_of(order)
    mine, others = Reach(frozenset({"a"})), Reach(frozenset({"z"}))
    assert offers.is_within(mine, order, work)
    assert not offers.is_within(others, order, work)
    assert not fulfilment.is_within(mine, order, work)
    assert not offers.is_within(Reach(frozenset({"a"}), frozenset({"another brand"})), order, work)


def test_whoever_has_several_points_says_which() -> None:
    work = work_of(offered("a", "b"))
    assert offers.meant(work, Reach(frozenset({"a", "z"})), "").point_id == "a"
    assert offers.meant(work, Reach(), "b").point_id == "b"
    assert reason_of(lambda: offers.meant(work, Reach(frozenset({"a", "b"})), "")) == "POINT_NEEDED"
    assert reason_of(lambda: offers.meant(work, Reach(frozenset({"z"})), "")) == "NOT_OFFERED"
    assert reason_of(lambda: offers.meant(work, Reach(), "z")) == "NOT_OFFERED"


# -- tables and settings ----------------------------------------------------------------------------------


def test_what_was_lost_or_withdrawn_stays_so() -> None:
    for ended in (OfferState.ACCEPTED, OfferState.LOST, OfferState.WITHDRAWN):
        assert not OFFER_MOVES[ended]
    with pytest.raises(IllegalTransition):
        move("offer", OFFER_MOVES, OfferState.CLAIMED, OfferState.LAPSED)
    assert set(OFFER_MOVES) == set(OfferState)


@pytest.mark.parametrize(
    ("competition", "field"),
    [
        (Competition((), 60), "life_cycle.competition.rings"),
        (Competition((3, 0), 60), "life_cycle.competition.rings[1]"),
        (Competition((3,), 0), "life_cycle.competition.ring_seconds"),
    ],
)
def test_a_competition_that_nobody_could_win_names_the_field(competition: Competition, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        settings.check_life_cycle(replace(LIFE_CYCLE, competition=competition))
    assert refused.value.facts["field"] == field


def test_a_competition_that_makes_sense_is_one() -> None:
    settings.check_life_cycle(replace(LIFE_CYCLE, competition=replace(COMPETITION, fallback=Fallback.PLANNED)))
    assert recorded(life_cycle=replace(LIFE_CYCLE, competition=COMPETITION)).life_cycle.competition == COMPETITION


# -- units that are not wanted any more --------------------------------------------------------------------


def not_wanted(order: Order, count: int) -> Order:
    return amending.cancel_lines(order, [Units(1, "", count)], "too many", "web", ["channel"], NOON).order


def test_work_without_any_units_left_is_offered_to_nobody() -> None:
    order = released(leg((1, 1)), leg((1, 1), point="store-lille"))
    order = offers.offer_ring(order, work_of(order, 1), 1, candidates("store-paris"), {}, NOON).order
    order = offers.offer_ring(order, work_of(order), 1, candidates(PLANNED), {}, NOON).order
    gone = work_of(not_wanted(order, 1), 1)
    assert (gone.state, gone.offers[0].state) == (FulfilmentState.CANCELLED, OfferState.WITHDRAWN)


def test_units_that_are_being_moved_to_whoever_took_them_are_not_cancelled() -> None:
    order = accept(offered(PLANNED, "store-paris"), "store-paris").order
    with pytest.raises(FailedPrecondition) as refused:
        not_wanted(order, 1)
    assert (refused.value.reason, refused.value.facts["cancellable"]) == ("TOO_LATE_TO_CHANGE", 0)
    order = settle(order, held=True).order
    assert [line.quantity for line in work_of(not_wanted(order, 1)).lines] == [1]
