"""Until when an order may be changed, and by whom."""

from dataclasses import replace

import pytest

from kit.errors import FailedPrecondition
from services.orders.domain import changes
from services.orders.domain import order as life
from services.orders.domain.model import Change, ChangeRule, Order, Stage
from services.orders.domain.states import FulfilmentState, OrderState
from tests.services.orders.builders import LIFE_CYCLE, NOON, accepted, leg, line, recorded, released

ANYBODY = ("channel",)
STATES = {
    Stage.RELEASE: FulfilmentState.ACCEPTED,
    Stage.PICK: FulfilmentState.PICKED,
    Stage.PACK: FulfilmentState.PACKED,
    Stage.HAND_OVER: FulfilmentState.HANDED_OVER,
}


def at(stage: Stage, *rules: ChangeRule) -> Order:
    """An order of two parcels, one of which got there."""
    cycle = replace(LIFE_CYCLE, change_rules=rules)
    if stage is Stage.NEVER:
        return accepted(recorded(line(1, 2), life_cycle=cycle), leg((1, 2))).order
    order = replace(released(leg((1, 1)), leg((1, 1), point="b"), lines=[line(1, 2)]), life_cycle=cycle)
    first, second = order.fulfilments
    return replace(order, fulfilments=(replace(first, state=STATES[stage]), second))


@pytest.mark.parametrize(
    ("change", "in_time", "too_late"),
    [
        (Change.CANCEL, (Stage.NEVER, Stage.RELEASE, Stage.PICK, Stage.PACK), (Stage.HAND_OVER,)),
        (Change.LINES, (Stage.NEVER, Stage.RELEASE), (Stage.PICK, Stage.PACK, Stage.HAND_OVER)),
        (Change.ADDRESS, (Stage.NEVER, Stage.RELEASE, Stage.PICK), (Stage.PACK, Stage.HAND_OVER)),
    ],
)
def test_without_a_rule_a_change_is_in_time_as_long_as_it_can_be_made(
    change: Change, in_time: tuple[Stage, ...], too_late: tuple[Stage, ...]
) -> None:
    assert all(changes.is_in_time(at(stage), change, ANYBODY) for stage in in_time)
    assert not any(changes.is_in_time(at(stage), change, ANYBODY) for stage in too_late)


def test_a_role_has_its_own_time_and_others_have_theirs() -> None:
    rules = (
        ChangeRule(Change.CANCEL, "", Stage.RELEASE),
        ChangeRule(Change.CANCEL, "customer_service", Stage.PACK),
        ChangeRule(Change.CANCEL, "finance", Stage.NEVER),
    )
    picked = at(Stage.PICK, *rules)
    assert changes.is_in_time(picked, Change.CANCEL, ("customer_service", "finance"))
    assert not changes.is_in_time(picked, Change.CANCEL, ANYBODY)
    assert not changes.is_in_time(at(Stage.NEVER, *rules), Change.CANCEL, ("finance",))
    assert changes.is_in_time(at(Stage.NEVER, *rules), Change.CANCEL, ANYBODY)
    with pytest.raises(FailedPrecondition, match="only before release") as late:
        life.request_cancellation(picked, "", "web", NOON, ANYBODY)
    assert (late.value.reason, late.value.facts["reached"]) == ("TOO_LATE_TO_CANCEL", "pick")
    by_service = life.request_cancellation(picked, "", "carol", NOON, ("customer_service",))
    assert by_service.order.state == OrderState.CANCELLING


def test_who_is_never_allowed_is_told_so() -> None:
    order = at(Stage.NEVER, ChangeRule(Change.ADDRESS, "", Stage.NEVER))
    with pytest.raises(FailedPrecondition, match="may not be changed") as never:
        changes.check_in_time(order, Change.ADDRESS, ANYBODY)
    assert never.value.reason == "TOO_LATE_TO_CHANGE"
