"""A parcel that was packed and does not leave: what of it goes back to its shelf, and when that is done."""

from dataclasses import replace

import pytest

from kit.errors import FailedPrecondition
from services.orders.domain import capture, personalising, unpacking
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import Decision, Order, PutBack, Units
from services.orders.domain.states import FulfilmentState
from tests.services.orders.builders import COOLED, NOON, accepted, leg, line, recorded

UNITS = (Units(1, "SKU-1", 2), Units(2, "SKU-2", 1))
PLAIN, RING = line(1, 2), line(2, 1, personalisations=("engraved_name",))


def picked() -> Order:
    order = life.release(accepted(recorded(PLAIN, line(2, 1)), leg((1, 2), (2, 1))).order, COOLED).order
    return taken(order)


def taken(order: Order) -> Order:
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.accept_offer(order, order.fulfilments[0], "anna", NOON).order
    return work.record_pick(order, order.fulfilments[0], [Units(1, "", 2), Units(2, "", 1)], "anna", NOON).order


def packed() -> Order:
    order = picked()
    return work.close_parcel(order, order.fulfilments[0], 500, "anna", NOON).order


def cancelled(order: Order) -> Decision:
    return life.request_cancellation(order, "changed my mind", "carol", COOLED)


def test_a_packed_parcel_of_a_cancelled_order_is_to_be_unpacked() -> None:
    asked = cancelled(packed())
    (one,) = asked.order.fulfilments
    assert (one.state, one.put_back) == (FulfilmentState.CANCELLED, PutBack(UNITS, COOLED))
    lines = [{"line_number": unit.line_number, "sku": unit.sku, "quantity": unit.quantity} for unit in UNITS]
    share = {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": lines}
    assert asked.happenings[0].facts["put_back"] == [share]
    assert asked.happenings[1].facts["put_back"] == lines


def test_what_was_not_packed_yet_is_nothing_to_unpack() -> None:
    asked = cancelled(picked())
    assert asked.order.fulfilments[0].put_back is None
    assert "put_back" not in asked.happenings[0].facts
    with pytest.raises(FailedPrecondition) as caught:
        unpacking.confirm(asked.order, asked.order.fulfilments[0], "anna", COOLED)
    assert caught.value.reason == "NOTHING_TO_PUT_BACK"


def test_a_parcel_that_is_given_up_for_want_of_its_money_is_unpacked_once() -> None:
    order = packed()
    order = capture.record(order, order.fulfilments[0], Outcome("failed", "stolen", "", NOON)).order
    given_up = capture.give_up(order, order.fulfilments[0], "the card is stolen", "fred", COOLED)
    assert given_up.order.fulfilments[0].put_back == PutBack(UNITS, COOLED)
    assert len(given_up.happenings[0].facts["put_back"]) == 2
    # What was told of it then is not told again with the order.
    assert "put_back" not in cancelled(given_up.order).happenings[0].facts


def test_what_has_something_on_it_is_nobody_elses_and_goes_to_no_shelf() -> None:
    order = taken(life.release(accepted(recorded(PLAIN, RING), leg((1, 2), (2, 1))).order, COOLED).order)
    order = personalising.begin(order, order.fulfilments[0], "anna", NOON).order
    order = personalising.complete(order, order.fulfilments[0], "anna", NOON).order
    order = work.close_parcel(order, order.fulfilments[0], 500, "anna", NOON).order
    assert cancelled(order).order.fulfilments[0].put_back == PutBack(UNITS[:1], COOLED)


def test_units_are_back_once_and_what_tells_of_it_names_them() -> None:
    order = cancelled(packed()).order
    done = unpacking.confirm(order, order.fulfilments[0], "anna", COOLED)
    (one,) = done.order.fulfilments
    assert one.put_back == replace(PutBack(UNITS, COOLED), done_at=COOLED)
    told, released = done.happenings
    assert (told.kind, told.actor) == ("fulfilment.put_back", "anna")
    assert (released.kind, released.story) == (unpacking.UNITS_BACK, f"put-back/{one.fulfilment_id}")
    assert released.facts["point_id"] == one.point_id
    with pytest.raises(FailedPrecondition) as caught:
        unpacking.confirm(done.order, one, "anna", COOLED)
    assert caught.value.reason == "NOTHING_TO_PUT_BACK"
