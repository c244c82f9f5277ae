"""Erasing who bought: of which orders it may be done, what is left of them, and how long a buyer is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition
from services.orders.domain import erasing
from services.orders.domain.erasing import Retention
from services.orders.domain.model import Order, Refund, RefundKind, Refusal
from services.orders.domain.states import ENDED, OrderState, RefundState
from tests.services.orders.builders import NOON, leg, recorded, released


def refund(state: RefundState) -> Refund:
    return Refund(
        "ref_1", "ord_1", 1, RefundKind.GOODS, state, 3000, "EUR", 0, (), (), "withdrawal", "said Zoé", "eve", NOON
    )


def closed(**changes: object) -> Order:
    return replace(released(leg((1, 2))), state=OrderState.CLOSED, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", OrderState)
def test_only_an_order_that_is_done_loses_its_buyer(state: OrderState) -> None:
    one = replace(recorded(), state=state)
    if state in ENDED:
        assert erasing.erase(one, "asked_for", "carla", NOON).order.erased_at == NOON
        return
    with pytest.raises(FailedPrecondition) as refused:
        erasing.erase(one, "asked_for", "carla", NOON)
    assert (refused.value.reason, refused.value.facts["order_ids"]) == ("ORDERS_OPEN", "ord_1")


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        (RefundState.PENDING, True),
        (RefundState.FAILED, True),
        (RefundState.SUCCEEDED, False),
        (RefundState.SUPERSEDED, False),
    ],
)
def test_money_that_does_not_come_back_needs_its_customer(state: RefundState, is_open: bool) -> None:
    assert erasing.is_open(closed(refunds=(refund(state),))) is is_open


def test_what_people_wrote_goes_and_what_happened_stays() -> None:
    one = closed(
        refunds=(refund(RefundState.SUCCEEDED),),
        cancellation_reason="Zoé asked",
        refusal=Refusal("NOT_DELIVERABLE", "impasse du Secret is unknown"),
    )
    decision = erasing.erase(one, "asked_for", "carla", NOON)
    after = decision.order
    assert "Zoé" not in str(after)
    assert "Secret" not in str(after)
    assert (after.ranges, after.refunds[0].amount_minor, after.content) == (one.ranges, 3000, one.content)
    (told,) = decision.happenings
    assert (told.kind, told.facts, told.actor) == ("order.erased", {"cause": "asked_for"}, "carla")
    # Once more it is nothing.
    assert erasing.erase(after, "kept_long_enough", "retention", NOON + timedelta(days=1)).happenings == ()


def test_many_orders_in_the_way_are_not_all_named() -> None:
    error = erasing.orders_open([f"ord_{n}" for n in range(30)])
    assert (error.facts["orders"], error.detail.endswith("ord_19 and more")) == (30, True)


def test_a_buyer_is_kept_as_the_country_wants_it() -> None:
    kept = Retention.parse("1095,DE=730,FR=1825")
    assert [kept.of(country).days for country in ("DE", "FR", "IT", "")] == [730, 1825, 1095, 1095]
    assert kept.shortest == timedelta(days=730)


@pytest.mark.parametrize("text", ["", "soon", "0", "-3", "1095,DE", "1095,DE=0", "1095,Germany=3", "1095,de=3"])
def test_a_retention_that_says_nothing_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="days, and those of countries"):
        Retention.parse(text)
