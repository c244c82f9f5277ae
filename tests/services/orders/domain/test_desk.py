"""What may be done about an order: what the rules say, tried on a copy."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import OmsError
from kit.values.money import Money
from services.orders.domain import capture, desk, fulfilment, holds, order
from services.orders.domain.capture import Outcome
from services.orders.domain.desk import Act, Wish
from services.orders.domain.model import GoodwillCap, HoldDefault, Order, Units
from services.orders.domain.states import OrderState
from tests.services.orders.builders import (
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    accepted,
    leg,
    line,
    recorded,
    released,
)

SERVICE = ("customer_service",)


def acts(one: Order, roles: tuple[str, ...] = SERVICE) -> dict[Act, desk.Possible]:
    return {each.act: each for each in desk.possible(one, roles, COOLED)}


def gave_way(one: Order, *wishes: Wish) -> list[str]:
    """The reasons against these, empty for none."""
    found = [desk.preview(one, wish, SERVICE, COOLED) for wish in wishes]
    return [each.refusal.reason if each.refusal else "" for each in found]


def test_everything_that_an_order_offers_is_asked_of_its_rule() -> None:
    cooling = accepted(recorded(), leg((1, 2))).order
    found = acts(cooling)
    assert {name for name, one in found.items() if one.refusal is None} == {
        Act.CANCEL,
        Act.CANCEL_LINES,
        Act.CHANGE_ADDRESS,
        Act.CHANGE_CONTENT,
        Act.PLACE_HOLD,
        Act.RELEASE_HOLD,
        Act.EXTEND_HOLD,
        Act.REFUSE_HOLD,
    }
    assert acts(cooling, ("supply_chain",))[Act.RELEASE_HOLD].refusal_text.startswith("who may decide")
    later = acts(released(leg((1, 2))))
    assert later[Act.CHANGE_CONTENT].refusal_text == "too late: only in cooling-off"
    assert Act.RELEASE_HOLD not in later


def test_what_a_point_has_not_begun_may_be_done_elsewhere() -> None:
    one = released(leg((1, 2)))
    assert Act.PLAN_AGAIN not in acts(one), "no point has it yet"
    one = fulfilment.offer(one, one.fulfilments[0], COOLED).order
    found = acts(one)[Act.PLAN_AGAIN]
    assert (found.refusal, found.target_id) == (None, one.fulfilments[0].fulfilment_id)
    wish = Wish(Act.PLAN_AGAIN, found.target_id, reason="flooded")
    effect = desk.preview(one, wish, SERVICE, COOLED).effect
    assert effect is not None
    assert "which store-lyon has not begun" in effect.sentences[0]


def test_a_hold_is_decided_on_each_by_itself() -> None:
    one, hold = holds.place(released(leg((1, 2))), "", "calls", None, HoldDefault.RELEASE, "carla", COOLED)
    found = [each for each in desk.possible(one.order, SERVICE, COOLED) if each.target_id == hold.hold_id]
    assert [each.act for each in found] == [Act.RELEASE_HOLD, Act.EXTEND_HOLD, Act.REFUSE_HOLD]
    told = desk.preview(one.order, Wish(Act.REFUSE_HOLD, hold.hold_id, reason="stolen"), SERVICE, COOLED)
    assert told.effect is not None
    assert told.effect.state is OrderState.CANCELLING


def test_an_effect_counts_units_by_where_they_are_held_and_money() -> None:
    one = released(leg((1, 1)), leg((1, 1), point="store-paris"), lines=(line(quantity=2),))
    wish = Wish(Act.CANCEL_LINES, lines=(Units(1, "", 2),), reason="none")
    effect = desk.preview(one, wish, SERVICE, COOLED).effect
    assert effect is not None
    assert {(each.quantity, each.point_id) for each in effect.units} == {(1, "store-lyon"), (1, "store-paris")}
    fewer = desk.preview(one, replace(wish, lines=(Units(1, "", 1),)), SERVICE, COOLED).effect
    assert fewer is not None
    assert fewer.no_longer_due == Money(3000, "EUR")
    assert gave_way(one, replace(wish, lines=(Units(1, "", 3),))) == ["TOO_LATE_TO_CHANGE"]


def test_goodwill_says_the_most_that_the_role_may_give() -> None:
    life_cycle = replace(LIFE_CYCLE, goodwill_caps=(GoodwillCap("customer_service", "EUR", 2_000),))
    one = order.accept(
        recorded(life_cycle=replace(life_cycle, capture_at="order")),  # type: ignore[arg-type]
        (leg((1, 2)),),
        PROMISE,
        "dec_1",
        "authorized",
        NOON,
    ).order
    one = order.release(one, COOLED).order
    assert acts(one)[Act.GOODWILL].refusal is not None
    paid = capture.record_of_order(one, Outcome("captured", "", "", COOLED)).order
    assert acts(paid)[Act.GOODWILL].limit == Money(2_000, "EUR")
    nobody = acts(paid, ("supply_chain",))[Act.GOODWILL]
    assert (nobody.refusal.reason if nobody.refusal else "") == "GOODWILL_OVER_CAP"
    rich = replace(
        paid, life_cycle=replace(life_cycle, goodwill_caps=(GoodwillCap("customer_service", "EUR", 10**9),))
    )
    assert acts(rich)[Act.GOODWILL].limit == Money(6_490, "EUR")


def test_what_is_wrong_or_unknown_is_a_refusal_and_no_failure() -> None:
    one = released(leg((1, 2)))
    past = COOLED - timedelta(days=1)
    assert gave_way(
        one,
        Wish(Act.ASSIGN, "ful_none"),
        Wish(Act.RELEASE_HOLD, "hld_none"),
        Wish(Act.RETRY_REFUND, "rfd_none"),
        Wish(Act.PLACE_HOLD, reason="x", until=past),
        Wish(Act.PLACE_HOLD, choice="explode"),
        Wish(Act.RETRY_CAPTURE),
        Wish(Act.MOVE_APPOINTMENT),
    ) == [
        "FULFILMENT_NOT_FOUND",
        "HOLD_NOT_FOUND",
        "REFUND_NOT_FOUND",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "CAPTURED_BY_PARCEL",
        "NO_APPOINTMENT",
    ]


@pytest.mark.parametrize("state", [OrderState.CANCELLING, OrderState.CANCELLED])
def test_what_is_cancelled_already_is_not_cancelled_again(state: OrderState) -> None:
    one = order.request_cancellation(released(leg((1, 2))), "no", "carla", COOLED).order
    if state is OrderState.CANCELLED:
        one = order.complete_cancellation(one, COOLED).order
    found = acts(one)[Act.CANCEL]
    assert isinstance(found.refusal, OmsError)
    assert found.refusal_text == f"the order is {state.value} already"
