"""Expected deliveries on the real database: what is put, cancelled, received and told (SPEC STK-9)."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.future_holds import Share
from services.inventory.domain.holds import ReservationState
from services.inventory.domain.ledger import Balance
from services.inventory.domain.supply import ExpectedDelivery, ExpectedState, PutOutcome
from services.inventory.store.supply import Filters
from services.inventory.supply_answers import DeliveryView
from tests.services.inventory.shop import EDIT, NOON, Shop, line, with_rules
from tests.services.inventory.supply_shop import TODAY, Supply, delivery, of

CREATED, CHANGED, UNCHANGED = PutOutcome.CREATED, PutOutcome.CHANGED, PutOutcome.UNCHANGED
STALE, ENDED = PutOutcome.STALE, PutOutcome.ENDED
CLOSED, CONFIRMED, HELD = ReservationState.CLOSED, ReservationState.CONFIRMED, ReservationState.HELD


@pytest.fixture
async def supply(shop: Shop) -> Supply:
    return await Supply(shop).open()


# -- what its source says ---------------------------------------------------------------------------------


async def test_a_delivery_is_created_changed_or_left_and_each_is_said(supply: Supply) -> None:
    assert await supply.put(delivery(), delivery("po-2", 3)) == [CREATED, CREATED]
    assert await supply.put(delivery(), delivery("po-2", 4)) == [UNCHANGED, CHANGED]
    assert (await supply.view("po-2")).delivery.quantity == 4


@pytest.mark.parametrize(
    ("known", "sent", "outcome"),
    [
        ({"source_sequence": 5}, {"source_sequence": 4}, STALE),
        ({"source_sequence": 5}, {"source_sequence": 5}, CHANGED),
        ({"source_sequence": 5}, {"source_sequence": 6}, CHANGED),
        ({"source_sequence": 5}, {}, STALE),
        ({"source_updated_at": NOON}, {"source_updated_at": NOON - timedelta(seconds=1)}, STALE),
        ({"source_updated_at": NOON}, {"source_updated_at": NOON}, CHANGED),
        ({"source_updated_at": NOON}, {}, CHANGED),
        (
            {"source_sequence": 5, "source_updated_at": NOON},
            {"source_sequence": 6, "source_updated_at": NOON - timedelta(days=1)},
            CHANGED,
        ),
    ],
)
async def test_the_later_word_of_a_source_wins(
    supply: Supply, known: dict[str, Any], sent: dict[str, Any], outcome: PutOutcome
) -> None:
    await supply.put(delivery(quantity=10, **known))
    assert await supply.put(delivery(quantity=7, **sent)) == [outcome]
    assert (await supply.view()).delivery.quantity == (7 if outcome is CHANGED else 10)


async def test_what_has_ended_stays_ended(supply: Supply) -> None:
    await supply.put(delivery(), delivery("po-2"))
    await supply.cancel()
    await supply.receive(10, "po-2")
    assert await supply.put(delivery(quantity=20), delivery("po-2", 20)) == [ENDED, ENDED]
    with pytest.raises(FailedPrecondition, match="DELIVERY_ENDED"):
        await supply.receive(1)
    with pytest.raises(FailedPrecondition, match="DELIVERY_RECEIVED"):
        await supply.cancel("po-2")


async def test_a_delivery_never_changes_its_position_and_nothing_else_is_written(supply: Supply) -> None:
    await supply.put(delivery())
    with pytest.raises(FailedPrecondition, match="OTHER_POSITION") as refused:
        await supply.put(delivery("po-2"), delivery(point_id="PARIS"))
    assert refused.value.facts["field"] == "deliveries[1]"
    assert [one.delivery.delivery_id for one in await listed(supply)] == ["po-1"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (delivery("a b"), "deliveries[0].delivery_id"),
        (delivery(quantity=0), "deliveries[0].quantity"),
        (delivery(quantity=10**10), "deliveries[0].quantity"),
        (delivery(from_date=TODAY, until_date=TODAY - timedelta(days=1)), "deliveries[0].until_date"),
        (delivery(until_date=date(9999, 12, 31)), "deliveries[0].until_date"),
        (delivery(source_sequence=-1), "deliveries[0].source_sequence"),
        (delivery(sku="GHOST"), "deliveries[0].sku"),
        (delivery(point_id="GHOST"), "deliveries[0].point_id"),
    ],
)
async def test_a_wrong_delivery_is_refused_by_field(supply: Supply, wrong: ExpectedDelivery, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await supply.put(wrong)
    assert refused.value.facts["field"] == field
    assert await listed(supply) == []


async def test_the_same_delivery_twice_in_a_request_is_refused(supply: Supply) -> None:
    with pytest.raises(InvalidArgument, match="stands here twice"):
        await supply.put(delivery(), delivery(quantity=3))


async def listed(supply: Supply, **filters: Any) -> list[DeliveryView]:
    return await supply.service.list_deliveries(Filters(**filters), "", 100, NOON)


async def test_deliveries_are_found_by_what_they_are(supply: Supply) -> None:
    await supply.put(
        delivery("a", document="po/1"), delivery("b", sku="PAN", document="po/1"), delivery("c", point_id="PARIS")
    )
    await supply.cancel("c")

    async def ids(**filters: Any) -> str:
        return "".join(one.delivery.delivery_id for one in await listed(supply, **filters))

    assert await ids() == "abc"
    assert await ids(document="po/1") == "ab"
    assert await ids(skus=["DRESS"]) == "ac"
    assert await ids(point_ids=["LYON"], skus=["PAN"]) == "b"
    assert await ids(states=[ExpectedState.CANCELLED]) == "c"
    assert await ids(delivery_ids=["a", "ghost"]) == "a"


# -- receipts ---------------------------------------------------------------------------------------------


async def test_a_receipt_is_stock_and_those_who_waited_hold_it(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(3))
    await supply.reserve("basket", of(2), seconds=600)
    answer = await supply.receive(10)
    assert answer.view.delivery.state is ExpectedState.RECEIVED
    assert answer.served == (Share("ord_1", 3), Share("basket", 2))
    assert answer.balance == Balance("DRESS", "LYON", on_hand=10, reserved=5)
    first = await supply.shop.service.get_reservation("ord_1")
    assert (first.state, first.lines) == (CONFIRMED, (line("DRESS", 3),))
    basket = await supply.shop.service.get_reservation("basket")
    assert (basket.state, basket.expires_at) == (HELD, NOON + timedelta(seconds=600))
    assert (await supply.waiting("ord_1")).life.state is CLOSED
    movements = await supply.shop.service.list_movements("DRESS", "LYON", 0, 10)
    assert [(m.cause.cause, m.on_hand, m.reserved) for _, m, _ in movements] == [
        ("receipt", 10, 0),
        ("reserve", 0, 3),
        ("reserve", 0, 2),
    ]
    assert await supply.told("expected.received") == [("expected_delivery/po-1", "", 10)]
    assert await supply.told("expected.served") == [
        ("reservation/ord_1", "ord_1", 3),
        ("reservation/basket", "", 2),
    ]
    await supply.assert_sound()


async def test_units_come_in_several_receipts_and_the_first_to_take_is_the_first_served(supply: Supply) -> None:
    await supply.put(delivery(quantity=5))
    await supply.reserve("ord_z", of(2))
    await supply.reserve("ord_a", of(2))
    await supply.reserve("ord_z", of(1))
    assert (await supply.receive(3)).served == (Share("ord_z", 2), Share("ord_a", 1))
    view = await supply.view()
    assert (view.delivery.state, view.delivery.outstanding, view.held) == (ExpectedState.EXPECTED, 2, 2)
    assert (await supply.receive(2)).served == (Share("ord_a", 1), Share("ord_z", 1))
    assert (await supply.shop.balance()) == Balance("DRESS", "LYON", on_hand=5, reserved=5)
    await supply.assert_sound()


async def test_a_delivery_closed_short_tells_those_who_took_last(supply: Supply) -> None:
    await supply.put(delivery(quantity=5))
    await supply.reserve("ord_1", of(2))
    await supply.reserve("ord_2", of(3))
    answer = await supply.receive(3, close=True)
    assert (answer.served, answer.lost) == ((Share("ord_1", 2), Share("ord_2", 1)), (Share("ord_2", 2),))
    assert answer.view.delivery.state is ExpectedState.RECEIVED
    assert await supply.told("expected.short") == [("reservation/ord_2", "ord_2", 2)]
    assert (await supply.waiting("ord_2")).lines == ()
    await supply.assert_sound()


async def test_nothing_at_all_may_come_and_be_closed(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    answer = await supply.receive(0, close=True)
    assert (answer.balance, answer.lost) == (Balance("DRESS", "LYON"), (Share("ord_1", 2),))
    assert answer.view.delivery.state is ExpectedState.CANCELLED
    with pytest.raises(InvalidArgument, match="no unit came"):
        await supply.receive(0)


async def test_more_than_was_expected_is_plain_stock(supply: Supply) -> None:
    await supply.put(delivery(quantity=2))
    await supply.reserve("ord_1", of(2))
    answer = await supply.receive(5)
    assert answer.balance == Balance("DRESS", "LYON", on_hand=5, reserved=2)
    assert (answer.view.delivery.received, answer.view.delivery.outstanding) == (5, 0)
    assert await supply.shop.shown() == 3


async def test_damaged_units_are_declared_and_serve_nobody(supply: Supply) -> None:
    await supply.put(delivery(quantity=4))
    await supply.reserve("ord_1", of(4))
    answer = await supply.receive(3, damaged=1)
    assert answer.balance == Balance("DRESS", "LYON", on_hand=4, reserved=3, unavailable=1)
    assert (answer.served, answer.lost) == ((Share("ord_1", 3),), (Share("ord_1", 1),))
    async with supply.shop.engine.begin() as tx:
        found = (await tx.execute(text("SELECT reason, remaining, actor FROM declaration"))).all()
    assert [tuple(row) for row in found] == [("damaged", 1, "assoc_1")]
    await supply.assert_sound()


async def test_units_that_a_count_missed_are_made_good_before_anyone_who_waited_is_served(supply: Supply) -> None:
    await supply.put(delivery(quantity=4))
    await supply.shop.adjust(3)
    await supply.shop.reserve("ord_old", line("DRESS", 3))
    await supply.shop.adjust(-2, cause="count")
    await supply.reserve("ord_new", of(4))
    answer = await supply.receive(4)
    assert (answer.served, answer.lost) == ((Share("ord_new", 2),), (Share("ord_new", 2),))
    assert answer.balance == Balance("DRESS", "LYON", on_hand=5, reserved=5)
    await supply.assert_sound()


async def test_a_receipt_joins_what_the_holder_has_already(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.shop.adjust(1)
    await supply.shop.reserve("ord_1", line("DRESS", 1), seconds=0)
    await supply.reserve("ord_1", of(2))
    await supply.receive(10)
    assert (await supply.shop.service.get_reservation("ord_1")).lines == (line("DRESS", 3),)
    await supply.assert_sound()


async def test_a_receipt_is_not_refused_because_a_holder_used_another_channel(supply: Supply) -> None:
    await supply.shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await supply.put(delivery())
    await supply.shop.adjust(1)
    await supply.shop.reserve("ord_1", line("DRESS", 1), channel_id="app")
    await supply.reserve("ord_1", of(2))
    assert (await supply.receive(10)).served == (Share("ord_1", 2),)
    assert (await supply.shop.service.get_reservation("ord_1")).channel_id == "app"


async def test_a_basket_whose_time_has_passed_is_not_served_before_an_order_that_waits(supply: Supply) -> None:
    await supply.put(delivery(quantity=2))
    await supply.reserve("basket", of(1), seconds=60)
    await supply.reserve("ord_1", of(1))
    answer = await supply.receive(1, as_of=NOON + timedelta(seconds=60))
    assert answer.served == (Share("ord_1", 1),)
    assert (await supply.waiting("basket")).life.state is ReservationState.EXPIRED
    assert [subject for subject, *_ in await supply.told("future_reservation.expired")] == ["reservation/basket"]


async def test_a_repeated_receipt_gives_the_first_answer(supply: Supply) -> None:
    await supply.put(delivery(source_updated_at=NOON))
    await supply.reserve("ord_1", of(2))
    first = await supply.receive(4, damaged=1, request="r-1")
    assert await supply.receive(4, damaged=1, request="r-1", as_of=NOON + timedelta(days=1)) == first
    assert (await supply.shop.balance()).on_hand == 5
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await supply.receive(3, damaged=1, request="r-1")
    assert await supply.receive(4, damaged=1, request="r-1", at_points=["LYON"]) == first


async def test_a_store_receives_only_what_comes_to_its_points(supply: Supply) -> None:
    await supply.put(delivery())
    with pytest.raises(NotFound, match="DELIVERY_NOT_FOUND"):
        await supply.receive(1, at_points=["PARIS"])
    with pytest.raises(NotFound, match="DELIVERY_NOT_FOUND"):
        await supply.receive(1, "ghost")
    assert (await supply.receive(1, at_points=["PARIS", "LYON"])).balance


# -- changes, cancellations, delays -----------------------------------------------------------------------


async def test_a_cancelled_delivery_tells_those_who_wait_and_again_changes_nothing(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    first = await supply.cancel(request="c-1")
    assert (first.view.delivery.state, first.lost) == (ExpectedState.CANCELLED, (Share("ord_1", 2),))
    assert (await supply.view()).delivery.cancel_reason == "lost at sea"
    assert await supply.cancel(request="c-1") == first
    assert (await supply.cancel()).lost == ()
    assert await supply.told("expected.cancelled") == [("reservation/ord_1", "ord_1", 2)]
    assert await supply.shown() == {}
    await supply.assert_sound()


async def test_a_delivery_that_came_in_part_and_is_cancelled_was_received(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.receive(3)
    assert (await supply.cancel()).view.delivery.state is ExpectedState.RECEIVED


async def test_a_smaller_delivery_takes_from_those_who_took_last(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(4))
    await supply.reserve("ord_2", of(4))
    await supply.put(delivery(quantity=6))
    assert await supply.told("expected.short") == [("reservation/ord_2", "ord_2", 2)]
    assert (await supply.waiting("ord_1")).lines[0].quantity == 4
    assert (await supply.view()).held == 6
    await supply.receive(2)
    assert await supply.put(delivery(quantity=2)) == [CHANGED]
    assert (await supply.view()).delivery.state is ExpectedState.RECEIVED
    assert (await supply.view()).held == 0
    await supply.assert_sound()


async def test_who_waits_is_told_from_when_on_the_units_can_be_counted_on(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    await supply.put(delivery(until_date=date(2026, 12, 2)))
    # The day ends at midnight at the point.
    (told,) = await supply.events("expected.late")
    assert told["due_at"] == "2026-12-02T23:00:00+00:00"
    await supply.service.tell_overdue(datetime(2026, 12, 2, 23, 0, tzinfo=UTC), 10)
    assert (await supply.events("expected.late"))[-1]["due_at"] is None, "it has passed, and nobody knows more"


@pytest.mark.parametrize(
    ("days", "kind"),
    [((5, 9), "late"), ((6, 7), "changed"), ((1, 3), "changed")],
)
async def test_a_window_that_moves_is_told_to_those_who_wait(
    supply: Supply, days: tuple[int, int], kind: str
) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    first, last = (TODAY + timedelta(days=each) for each in days)
    await supply.put(delivery(from_date=first, until_date=last))
    told = {name: await supply.told(f"expected.{name}") for name in ("late", "changed")}
    assert told.pop(kind) == [("reservation/ord_1", "ord_1", 2)]
    assert not any(told.values())


async def test_a_change_that_moves_nothing_is_told_to_nobody(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    await supply.put(delivery(quantity=12, document="po/9"))
    for kind in ("late", "changed", "short"):
        assert await supply.told(f"expected.{kind}") == []


async def test_an_overdue_delivery_is_told_once_and_again_after_it_was_moved(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.reserve("ord_1", of(2))
    # The last day ends at 23:00 UTC, midnight at the point.
    before, after = datetime(2026, 11, 27, 22, 59, tzinfo=UTC), datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
    assert await supply.service.tell_overdue(before, 10) == []
    assert not (await supply.view(as_of=before)).overdue
    assert await supply.service.tell_overdue(after, 10) == ["po-1"]
    assert (await supply.view(as_of=after)).overdue
    assert await supply.service.tell_overdue(after, 10) == []
    assert await supply.told("expected.overdue") == [("expected_delivery/po-1", "", 0)]
    assert await supply.told("expected.late") == [("reservation/ord_1", "ord_1", 2)]
    await supply.put(delivery(until_date=date(2026, 11, 29)))
    assert await supply.service.tell_overdue(after, 10) == []
    assert await supply.service.tell_overdue(after + timedelta(days=2), 10) == ["po-1"]


async def test_a_delivery_that_came_late_is_no_longer_overdue(supply: Supply) -> None:
    await supply.put(delivery(quantity=2))
    late = NOON + timedelta(days=20)
    assert (await supply.receive(2, as_of=late)).served == ()
    assert not (await supply.view(as_of=late)).overdue
    assert await supply.service.tell_overdue(late, 10) == []


async def test_a_unit_held_by_nobody_s_delivery_is_a_difference(supply: Supply) -> None:
    await supply.put(delivery(quantity=2))
    await supply.reserve("ord_1", of(2))
    assert await supply.service.find_differences() == []
    async with supply.shop.engine.begin() as tx:
        await tx.execute(text("UPDATE future_line SET quantity = 3"))
    (found,) = await supply.service.find_differences()
    assert (found.source, found.open, found.held) == (of(1).source, 2, 3)
    async with supply.shop.engine.begin() as tx:
        await tx.execute(text("UPDATE future_line SET source_id = 'ghost', quantity = 1"))
    (found,) = await supply.service.find_differences()
    assert (found.source, found.open, found.held) == (of(1, "ghost").source, 0, 1)


# -- races ------------------------------------------------------------------------------------------------


async def test_two_hundred_want_the_last_unit_and_one_has_it(supply: Supply) -> None:
    await supply.put(delivery(quantity=1))
    answers = await asyncio.gather(*(supply.reserve(f"ord_{i}", of(1)) for i in range(200)))
    assert sum(answer.done for answer in answers) == 1
    await supply.assert_sound()


async def test_receipts_cancellations_changes_and_reserves_that_race_lose_no_unit(supply: Supply) -> None:
    for turn in range(8):
        name = f"po-{turn}"
        await supply.put(delivery(name))
        await supply.reserve(f"ord_{turn}_early", of(4, name))
        await asyncio.gather(
            *(supply.reserve(f"ord_{turn}_{i}", of(2, name)) for i in range(4)),
            supply.receive(6, name),
            supply.cancel(name),
            supply.put(delivery(name, 7)),
            supply.release(f"ord_{turn}_early", of(1, name)),
            supply.service.tell_overdue(NOON + timedelta(days=60), 10),
            return_exceptions=True,
        )
        await supply.assert_sound()
    balance = await supply.shop.balance()
    received = sum(one.delivery.received for one in await listed(supply))
    assert balance.on_hand == received


async def test_one_delivery_is_received_once_by_two_docks_with_one_request(supply: Supply) -> None:
    await supply.put(delivery())
    answers = await asyncio.gather(*(supply.receive(10, request="dock") for _ in range(10)))
    assert len(set(answers)) == 1
    assert (await supply.shop.balance()).on_hand == 10


async def test_puts_that_cross_each_other_do_not_stop(supply: Supply) -> None:
    names = [f"po-{i}" for i in range(20)]
    rows = [delivery(name) for name in names]
    await asyncio.gather(
        *(supply.put(*(replace(one, quantity=i + 1) for one in rows)) for i in range(5)),
        *(supply.put(*(replace(one, quantity=i + 1) for one in reversed(rows))) for i in range(5)),
    )
    assert len(await listed(supply)) == 20
