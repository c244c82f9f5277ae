"""Orders whose means was kept: when they are to be paid, and what a decline holds."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import holds, paying
from services.orders.domain import order as life
from services.orders.domain.model import Decision, HoldDefault, HoldKind, HoldOutcome, HoldRule, LifeCycle, Order
from services.orders.domain.paying import Outcome
from services.orders.domain.states import OrderState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, PROMISE, leg, line, recorded

SERVICE = ("customer_service",)
DAY = timedelta(days=1)
BEGIN = NOON + 30 * DAY


def kept(*begins: datetime | None, life_cycle: LifeCycle = LIFE_CYCLE) -> Order:
    """An order of one leg for each instant at which its work is to begin; None: at once."""
    order = replace(recorded(*(line(number + 1, 1) for number in range(len(begins)))), life_cycle=life_cycle)
    legs = [
        replace(leg((number + 1, 1)), point_id=f"st-{number}", **_waits(begin))
        for number, begin in enumerate(begins)
    ]
    return judged(life.accept(order, legs, PROMISE, "dec_1", paying.SAVED, NOON)).order


def _waits(begin: datetime | None) -> dict[str, Any]:
    return {"latest_start": begin, "hand_over_from": begin + DAY} if begin else {}


def told(
    order: Order, name: str, reason: str = "", again: datetime | None = None, at: datetime = NOON
) -> Decision:
    return judged(paying.record(order, Outcome(name, reason, again, at)))


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def test_it_is_paid_so_long_before_its_first_work_as_its_life_cycle_says() -> None:
    assert paying.due(kept(BEGIN, BEGIN + 9 * DAY), NOON).authorise_from == BEGIN - 2 * DAY
    week = replace(LIFE_CYCLE, authorise_ahead_seconds=7 * 86_400)
    assert paying.due(kept(BEGIN, life_cycle=week), NOON).authorise_from == BEGIN - 7 * DAY


def test_it_is_paid_now_when_its_work_has_begun_to_wait_for_nothing() -> None:
    assert paying.due(kept(BEGIN, None), NOON).authorise_from == NOON
    assert paying.due(kept(BEGIN), BEGIN - DAY).authorise_from == BEGIN - DAY
    order = kept(BEGIN)
    let_go = holds.release(order, order.holds[-1].hold_id, "", "carol", SERVICE, NOON)
    assert kinds(let_go) == ["order.hold_released", holds.WAIT_CHANGED]
    assert paying.due(let_go.order, NOON).authorise_from == NOON


def test_another_date_of_what_it_waits_for_is_told() -> None:
    order = kept(BEGIN)
    later = holds.extend(order, order.holds[-1].hold_id, BEGIN + DAY, "", "carol", SERVICE, NOON)
    assert kinds(later) == ["order.hold_extended", holds.WAIT_CHANGED]
    assert paying.due(later.order, NOON).authorise_from == BEGIN - DAY


def test_it_is_released_only_once_it_is_paid() -> None:
    order = life.release(kept(BEGIN), COOLED).order
    assert order.state is OrderState.VALIDATED
    paid = told(order, "authorized", at=COOLED)
    assert kinds(paid) == ["order.payment_authorized"]
    assert life.release(paid.order, COOLED).order.state is OrderState.RELEASED
    assert told(paid.order, "authorized").happenings == ()


def test_a_decline_that_is_tried_again_holds_nothing() -> None:
    decision = told(kept(BEGIN), "declined", "insufficient_funds", NOON + DAY)
    assert kinds(decision) == ["order.payment_declined"]
    assert decision.happenings[0].facts == {
        "reason": "insufficient_funds",
        "next_try_at": (NOON + DAY).isoformat(),
    }
    assert not paying.due(decision.order, NOON).held


def test_the_last_decline_holds_the_order_until_its_deadline_and_then_cancels_it() -> None:
    order = life.release(kept(BEGIN), COOLED).order
    decision = told(order, "declined", "insufficient_funds", at=COOLED)
    assert kinds(decision) == ["order.payment_declined", "order.held"]
    hold = decision.order.holds[-1]
    assert (hold.kind, hold.until, hold.default) == (HoldKind.PAYMENT, COOLED + 2 * DAY, HoldDefault.CANCEL)
    assert paying.due(decision.order, COOLED).held
    again = told(decision.order, "declined", "insufficient_funds", at=COOLED)
    assert kinds(again) == ["order.payment_declined"], "it is held once"
    early = life.lapse_holds(decision.order, COOLED + 2 * DAY - timedelta(seconds=1))
    assert early.order.state is OrderState.VALIDATED
    undone = judged(life.lapse_holds(decision.order, COOLED + 2 * DAY)).order
    assert undone.state is OrderState.CANCELLING
    assert undone.holds[-1].outcome == HoldOutcome.LAPSED
    assert told(undone, "authorized").order == undone, "it comes too late"


def test_its_deadline_is_that_of_the_life_cycle() -> None:
    hour = replace(LIFE_CYCLE, hold_rules=(HoldRule(HoldKind.PAYMENT, 3600, HoldDefault.CANCEL, ("finance",)),))
    hold = told(kept(BEGIN, life_cycle=hour), "declined", "stolen_card").order.holds[-1]
    assert (hold.until, hold.roles) == (NOON + timedelta(hours=1), ("finance",))


def test_money_that_comes_ends_the_hold() -> None:
    held = told(life.release(kept(BEGIN), COOLED).order, "declined", "insufficient_funds", at=COOLED).order
    paid = told(held, "authorized", at=COOLED)
    assert kinds(paid) == ["order.payment_authorized", "order.hold_met", "order.holds_ended"]
    assert paid.order.holds[-1].outcome == HoldOutcome.MET
    assert life.release(paid.order, COOLED).order.state is OrderState.RELEASED


def test_somebody_lets_it_go_without_its_money() -> None:
    held = told(life.release(kept(BEGIN), COOLED).order, "declined", "insufficient_funds", at=COOLED).order
    let_go = holds.release(held, held.holds[-1].hold_id, "she pays in the shop", "carol", SERVICE, COOLED)
    assert kinds(let_go) == ["order.hold_released", "order.holds_ended"]
    assert life.release(let_go.order, COOLED).order.state is OrderState.VALIDATED, (
        "its money is tried for once more"
    )
    goes_on = told(let_go.order, "let_go", at=COOLED)
    assert kinds(goes_on) == ["order.payment_let_go"]
    assert life.release(goes_on.order, COOLED).order.state is OrderState.RELEASED


@pytest.mark.parametrize(
    ("outcome", "field"),
    [
        (Outcome("paid", "", None, NOON), "outcome"),
        (Outcome("declined", "", None, NOON), "reason"),
        (Outcome("declined", "stolen_card", NOON, NOON), "next_try_at"),
    ],
)
def test_an_outcome_that_cannot_be_names_its_field(outcome: Outcome, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        paying.record(kept(BEGIN), outcome)
    assert refused.value.facts["field"] == field


def test_of_an_order_whose_means_was_not_kept_nothing_is_recorded() -> None:
    with pytest.raises(FailedPrecondition, match="NOT_ACCEPTED"):
        paying.record(recorded(line()), Outcome("authorized", "", None, NOON))
