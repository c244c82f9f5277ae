"""What a store does not have comes to it from other points, and is put aside there for its customer."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.changing import judged
from services.orders.domain import (
    amending,
    capture,
    choosing,
    collecting,
    consolidating,
    customer_view,
    fulfilment,
    holds,
    replacing,
    watch,
)
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.collecting import AtCounter
from services.orders.domain.consolidating import UNITS_BACK, Arrived
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    DeliveryMode,
    Fulfilment,
    Happening,
    HoldKind,
    Leg,
    LifeCycle,
    Order,
    Units,
    Wanted,
    Window,
)
from services.orders.domain.plan import unplaced
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status, fine_status
from tests.services.orders.builders import LIFE_CYCLE, NOON, content, found, leg, line

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STORE, LYON, NICE = "store-paris", "store-lyon", "store-nice"
TODAY = Window(NOON + HOUR, NOON + 6 * HOUR)
# When it can be collected that comes from Lyon, and from Nice.
TOMORROW = Window(NOON + DAY, NOON + DAY + 6 * HOUR)
LATER = Window(TOMORROW.start + DAY, TOMORROW.end + DAY)
ARRIVED = NOON + DAY - HOUR
COLLECTED = TOMORROW.end
BY_CODE = AtCounter(True, "", "customer")


def sending(*units: tuple[int, int], point: str = LYON, window: Window = TOMORROW) -> Leg:
    return replace(leg(*units, point=point), window=window, via_point_id=STORE)


def own(*units: tuple[int, int]) -> Leg:
    """What the store has itself."""
    return replace(leg(*units, point=STORE), carrier_id="", service_id="", window=TODAY)


def placed(
    *legs: Leg, life_cycle: LifeCycle = LIFE_CYCLE, mode: DeliveryMode = DeliveryMode.SHIP_TO_STORE
) -> Order:
    """Released; two units come from Lyon to the store that has one, where nothing else is said."""
    made = content(line(1, 3), mode=mode, collect_at_point_id=STORE)
    order = life.record("ord_1", made, life_cycle, NOON, NOON).order
    chosen = legs or (own((1, 1)), sending((1, 2)))
    order = judged(life.accept(order, chosen, TOMORROW, "dec_1", "authorized", NOON)).order
    return judged(life.release(order, NOON + HOUR)).order


def at(order: Order, point: str) -> Fulfilment:
    return [one for one in order.fulfilments if one.point_id == point][-1]


def done(decision: Decision) -> Order:
    return judged(decision).order


def picked(order: Order, point: str, when: Any = NOON + HOUR, units: int | None = None) -> Order:
    order = done(fulfilment.offer(order, at(order, point), when))
    order = done(fulfilment.accept_offer(order, at(order, point), "anna", when))
    work = at(order, point)
    count = sum(one.quantity for one in work.lines) if units is None else units
    return done(fulfilment.record_pick(order, work, found((1, count)), "anna", when))


def sent(order: Order, point: str = LYON) -> Order:
    order = picked(order, point)
    order = done(fulfilment.close_parcel(order, at(order, point), 900, "anna", NOON + HOUR))
    return done(fulfilment.hand_over(order, at(order, point), "", "anna", NOON + 2 * HOUR))


def receive(order: Order, good: int, point: str = LYON) -> Decision:
    return judged(consolidating.receive(order, at(order, point), [Arrived(1, good)], "henri", ARRIVED))


def ready(order: Order) -> Order:
    return done(collecting.ready(order, at(order, STORE), "B-12", "henri", ARRIVED + HOUR))


def waiting(*legs: Leg, **options: Any) -> Order:
    """All of it is put aside: what came, with what the store had."""
    order = receive(sent(placed(*legs, **options)), 3 if legs else 2).order
    return ready(picked(order, STORE, ARRIVED) if not legs else done(offered(order)))


def offered(order: Order) -> Decision:
    return judged(fulfilment.offer(order, at(order, STORE), ARRIVED))


def collect(order: Order, units: int = 0) -> Decision:
    who = replace(BY_CODE, units=(Units(1, "SKU-1", units),) if units else ())
    asked = judged(collecting.collect(order, at(order, STORE), who, "henri", COLLECTED))
    paid, work = Outcome("captured", "", "", COLLECTED), at(asked.order, STORE)
    return judged(collecting.after_capture(capture.record(asked.order, work, paid), work.fulfilment_id, paid))


def told(decision: Decision, kind: str) -> Happening:
    return next(one for one in decision.happenings if one.kind == kind)


def facts(count: int) -> list[dict[str, Any]]:
    return [{"line_number": 1, "sku": "SKU-1", "quantity": count}] if count else []


def back(decision: Decision) -> list[Any]:
    """Where units go to stock that are for no order any more."""
    return [(one.facts["point_id"], one.facts["lines"]) for one in decision.happenings if one.kind == UNITS_BACK]


# -- the plan ---------------------------------------------------------------------------------------------


def test_what_a_store_lacks_is_sent_there_and_its_own_work_waits_for_it() -> None:
    order = placed()
    lyon, store = at(order, LYON), at(order, STORE)
    assert (lyon.joins, lyon.is_collected) == (store.fulfilment_id, False)
    assert (store.is_collected, store.consolidates, store.window) == (True, True, TOMORROW)
    assert [(one.line_number, one.quantity) for one in store.lines] == [(1, 1)]
    (hold,) = [one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION]
    assert (hold.fulfilment_id, hold.reason) == (store.fulfilment_id, "it waits for 2 units from store-lyon")
    assert hold.until == TOMORROW.end + DAY
    assert at(offered(order).order, STORE).state is FulfilmentState.PLANNED
    assert watch.look(order, NOON + HOUR)[0].expected == TOMORROW


def test_a_store_that_has_all_of_it_waits_for_nothing() -> None:
    order = placed(own((1, 3)))
    assert [(one.point_id, one.consolidates) for one in order.fulfilments] == [(STORE, False)]
    assert done(fulfilment.offer(order, at(order, STORE), NOON + HOUR)).fulfilments[0].offer_deadline


@pytest.mark.parametrize(
    ("legs", "field"),
    [
        ((sending((1, 2)), replace(sending((1, 1), point=NICE), via_point_id=NICE)), "legs"),
        ((sending((1, 2)), sending((1, 1), point=STORE)), "legs"),
    ],
)
def test_what_is_collected_comes_to_one_store(legs: tuple[Leg, ...], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        placed(*legs)
    assert refused.value.facts["field"] == field


def test_what_an_order_becomes_in_cooling_off_is_sent_to_its_store_too() -> None:
    made = content(line(1, 3), mode=DeliveryMode.SHIP_TO_STORE, collect_at_point_id=STORE)
    order = life.record("ord_1", made, LIFE_CYCLE, NOON, NOON).order
    order = done(life.accept(order, (sending((1, 3)),), TOMORROW, "dec_1", "authorized", NOON))
    less = content(line(1, 2), mode=DeliveryMode.SHIP_TO_STORE, collect_at_point_id=STORE)
    wanted = Wanted(less.lines, less.total, less.mode, "", less.standard_shipping)
    order = done(replacing.propose(order, wanted, "ada", ["channel"], NOON))
    change = order.changes[-1].change_id
    order = done(replacing.apply(order, change, (sending((1, 2)),), TOMORROW, "dec_2", NOON))
    assert (at(order, LYON).joins, at(order, STORE).consolidates) == (at(order, STORE).fulfilment_id, True)
    assert at(order, STORE).state is FulfilmentState.PLANNED


# -- arrival ----------------------------------------------------------------------------------------------


def test_what_came_is_put_aside_without_being_offered_or_picked() -> None:
    order = sent(placed(sending((1, 3))))
    assert (customer_status(order), fine_status(order)) == ("validated", "to consolidate")
    order = receive(order, 3).order
    decision = offered(order)
    assert told(decision, "fulfilment.picked").facts == {"found": facts(3), "short": []}
    order = ready(decision.order)
    store = at(order, STORE)
    assert (store.state, store.collection and store.collection.shelf) == (FulfilmentState.READY, "B-12")
    assert customer_status(order) == "ready for collection"
    assert quantity(in_state(order.ranges, UnitState.RECEIVED)) == 3, "it is no stock of the store"


def test_the_store_is_asked_for_what_it_has_itself() -> None:
    order = receive(sent(placed()), 2).order
    assert offered(order).happenings[0].kind == "fulfilment.offered"


def test_money_that_is_taken_at_the_pick_is_asked_for_when_all_came() -> None:
    cycle = replace(LIFE_CYCLE, capture_at=CaptureMoment.PREPARATION)
    decision = offered(receive(sent(placed(sending((1, 3)), life_cycle=cycle)), 3).order)
    parcel = at(decision.order, STORE).parcel
    assert parcel is not None
    assert parcel.capture_state is CaptureState.PENDING
    assert told(decision, "fulfilment.picked").facts["amount_minor"] == decision.order.content.total.amount_minor


def test_what_comes_after_the_rest_is_collected_is_a_collection_of_its_own() -> None:
    order = sent(placed())
    (hold,) = [one for one in holds.open_holds(order) if one.kind is HoldKind.CONSOLIDATION]
    order = done(holds.release(order, hold.hold_id, "", "svc", ["customer_service"], NOON + 3 * HOUR))
    order = collect(ready(picked(order, STORE, NOON + 3 * HOUR))).order
    decision = receive(order, 2)
    follows = told(decision, "fulfilment.received").facts["follows"]
    assert (follows["point_id"], follows["collected"], follows["lines"]) == (STORE, True, facts(2))
    order = collect(ready(offered(decision.order).order)).order
    assert customer_status(order) == "delivered"
    paid = sum(one.parcel.amount_minor for one in order.fulfilments if one.parcel)
    assert paid == order.content.total.amount_minor


# -- at the counter ---------------------------------------------------------------------------------------


def test_what_is_collected_leaves_the_stock_only_as_far_as_it_was_in_it() -> None:
    decision = collect(waiting())
    collected = told(decision, "fulfilment.collected").facts
    assert (collected["lines"], collected["issued"], collected["released"]) == (facts(3), facts(1), [])
    assert (back(decision), customer_status(decision.order)) == ([], "delivered")
    parcel = at(decision.order, STORE).parcel
    assert parcel is not None
    assert parcel.amount_minor == decision.order.content.total.amount_minor
    sender = at(decision.order, LYON).parcel
    assert sender is not None
    assert (sender.amount_minor, sender.capture_state) == (0, CaptureState.NOT_NEEDED)


@given(st.integers(1, 3))
def test_what_is_left_at_the_counter_goes_where_it_came_from_and_to_stock(taken: int) -> None:
    order = waiting()
    decision = collect(order, taken)
    collected = told(decision, "fulfilment.collected").facts
    issued = sum(one["quantity"] for one in collected["issued"])
    released = sum(one["quantity"] for one in collected["released"])
    returned = sum(row["quantity"] for _, lines in back(decision) for row in lines)
    assert issued + released == 1, "the store's own is issued, or its hold given back"
    assert released + returned == 3 - taken
    states = {one.state for one in decision.order.ranges}
    assert states <= {UnitState.DELIVERED, UnitState.CANCELLED}


def test_what_nobody_collects_goes_to_the_stock_of_the_store() -> None:
    order = waiting()
    waits = at(order, STORE).collection
    assert waits is not None
    decision = watch.judge(Decision(order), waits.keep_until)
    gone = told(decision, "fulfilment.cancelled").facts
    assert (gone["lines"], gone["released"]) == (facts(3), facts(1))
    assert back(decision) == [(STORE, facts(2))]
    store = at(decision.order, STORE)
    assert store.collection is not None
    assert store.collection.put_back == (Units(1, "SKU-1", 3),)


def test_an_order_that_is_cancelled_at_the_counter_leaves_what_came_to_the_store() -> None:
    decision = judged(life.request_cancellation(waiting(), "", "ada", ARRIVED + 2 * HOUR))
    assert decision.order.state is OrderState.CANCELLING
    assert back(decision) == [(STORE, facts(2))]


def test_what_was_collected_elsewhere_tells_nothing_new() -> None:
    order = placed(own((1, 3)), mode=DeliveryMode.CLICK_AND_COLLECT)
    decision = collect(ready(picked(order, STORE)), 2)
    collected = told(decision, "fulfilment.collected").facts
    assert not {"issued", "released"} & collected.keys()
    assert (collected["lines"], collected["left"], back(decision)) == (facts(2), facts(1), [])


# -- what does not come -----------------------------------------------------------------------------------


def test_what_its_point_refuses_is_sent_by_another_one_to_the_same_store() -> None:
    order = placed(sending((1, 3)))
    order = done(fulfilment.offer(order, at(order, LYON), NOON + HOUR))
    order = done(fulfilment.refuse_offer(order, at(order, LYON), "no_time", "anna", NOON + HOUR))
    assert at(order, STORE).state is FulfilmentState.CANCELLED
    again = sending((1, 3), point=NICE, window=LATER)
    order = done(life.reroute(order, (again,), (), "refused", "d", NOON + HOUR))
    nice, store = at(order, NICE), at(order, STORE)
    assert (nice.joins, store.is_collected, store.window) == (store.fulfilment_id, True, LATER)
    assert [one.fulfilment_id for one in holds.open_holds(order)] == [store.fulfilment_id]


def test_it_joins_what_waits_there_already() -> None:
    order = placed(sending((1, 1)), sending((1, 2), point=NICE))
    order = done(fulfilment.offer(order, at(order, LYON), NOON + HOUR))
    order = done(fulfilment.refuse_offer(order, at(order, LYON), "no_time", "anna", NOON + HOUR))
    assert unplaced(order, "") == {1: 1}
    again = sending((1, 1), point="store-lille", window=LATER)
    order = done(life.reroute(order, (again,), (), "refused", "d", NOON + HOUR))
    assert len([one for one in order.fulfilments if one.point_id == STORE]) == 1
    assert at(order, "store-lille").joins == at(order, STORE).fulfilment_id
    (hold,) = holds.open_holds(order)
    assert hold.reason == "it waits for 2 units from store-nice and 1 unit from store-lille"
    assert (at(order, STORE).window, hold.until) == (LATER, LATER.end + DAY)
    assert order.promise_changes[-1].window == LATER, "its customer is told that it is ready later"


def test_what_joins_no_more_is_a_collection_of_its_own() -> None:
    order = placed()
    order = done(fulfilment.offer(order, at(order, LYON), NOON + HOUR))
    order = done(fulfilment.refuse_offer(order, at(order, LYON), "no_time", "anna", NOON + HOUR))
    first = at(order, STORE)
    order = done(life.reroute(order, (sending((1, 2), point=NICE),), (), "refused", "d", NOON + HOUR))
    assert (at(order, NICE).joins, at(order, STORE) == first) == (at(order, STORE).fulfilment_id, False)
    assert [one.fulfilment_id for one in holds.open_holds(order)] == [at(order, STORE).fulfilment_id]


def test_its_customer_is_asked_about_the_store_and_not_about_the_point_that_sends() -> None:
    order = placed(sending((1, 3)))
    order = done(fulfilment.offer(order, at(order, LYON), NOON + HOUR))
    order = done(fulfilment.refuse_offer(order, at(order, LYON), "no_time", "anna", NOON + HOUR))
    units = (Units(1, "SKU-1", 3),)
    asked = choosing.ask(order, at(order, LYON).fulfilment_id, units, "refused", (), NOON + HOUR)
    assert asked.order.choices[0].point_id == STORE
    assert told(asked, "order.customer_asked").facts["point_id"] == STORE


def test_units_on_their_way_cannot_be_cancelled_by_line() -> None:
    order = sent(placed(sending((1, 3))))
    with pytest.raises(FailedPrecondition, match="too late"):
        amending.cancel_lines(order, (Units(1, "SKU-1", 1),), "", "ada", ["channel"], NOON)


def test_the_customer_sees_where_it_goes() -> None:
    order = sent(placed(sending((1, 3))))
    (parcel,) = customer_view.see(order, False, NOON + 2 * HOUR).parcels
    assert (parcel.stage, parcel.point_id) == (customer_view.Stage.TO_STORE, STORE)
