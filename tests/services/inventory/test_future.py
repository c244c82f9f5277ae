"""What channels may promise of stock to come, pre-orders, embargoes, and who holds units (SPEC STK-5, 9, 11)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.catalogue import BufferRule, Exclusion, PointType
from services.inventory.domain.future_holds import FutureShortfall
from services.inventory.domain.holds import ReservationState, Shortfall
from services.inventory.domain.ledger import Balance
from services.inventory.domain.supply import ExpectedKind, FutureRules
from tests.services.inventory.shop import EDIT, NOON, Shop, item, line, with_rules
from tests.services.inventory.supply_shop import OPEN, TODAY, Supply, delivery, of, pre, presale

CLOSED, CONFIRMED, HELD = ReservationState.CLOSED, ReservationState.CONFIRMED, ReservationState.HELD
LATER = NOON + timedelta(seconds=601)


@pytest.fixture
async def supply(shop: Shop) -> Supply:
    return await Supply(shop).open()


def protecting(*rules: BufferRule) -> FutureRules:
    return replace(OPEN, protection=rules)


# -- what may be promised ---------------------------------------------------------------------------------


async def test_a_channel_that_did_not_opt_in_promises_nothing(supply: Supply) -> None:
    await supply.shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await supply.put(delivery())
    assert await supply.shown() == {"po-1": 10}
    assert await supply.shown(channel_id="app") == {}


async def test_only_the_kinds_that_a_channel_opted_into_are_promised(supply: Supply) -> None:
    await supply.put(*(delivery(kind.value, kind=kind) for kind in ExpectedKind))
    await supply.future.put_rules("web", replace(OPEN, kinds=(ExpectedKind.IN_TRANSIT,)))
    assert await supply.shown() == {"in_transit": 10}
    assert (await supply.reasons())["supplier"] == "KIND_NOT_OPTED_IN"


async def test_what_comes_is_never_added_to_what_is_there(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.future.put_preorders([presale()])
    await supply.shop.adjust(2)
    assert (await supply.figures()).available_now == 2
    assert await supply.shop.shown() == 2
    refused = await supply.shop.reserve("ord_1", line("DRESS", 3))
    assert refused.shortfalls == (Shortfall("DRESS", "LYON", 3, 2, 2),)


@pytest.mark.parametrize(("days", "is_promised"), [(6, False), (7, True), (8, True)])
async def test_a_window_that_ends_beyond_the_longest_promise_is_not_shown(
    supply: Supply, days: int, is_promised: bool
) -> None:
    await supply.put(delivery())
    await supply.future.put_rules("web", replace(OPEN, longest_promise_days=days))
    assert await supply.shown() == ({"po-1": 10} if is_promised else {})
    assert await supply.reasons() == {"po-1": "" if is_promised else "BEYOND_LONGEST_PROMISE"}


async def test_days_are_those_of_the_point(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.future.put_rules("web", replace(OPEN, longest_promise_days=6))
    # At 23:00 UTC the next day has begun in Lyon: the last day is six days away.
    assert await supply.shown(as_of=datetime(2026, 11, 20, 22, 59, tzinfo=UTC)) == {}
    assert await supply.shown(as_of=datetime(2026, 11, 20, 23, 0, tzinfo=UTC)) == {"po-1": 10}


@pytest.mark.parametrize(
    ("grace", "days", "is_promised"), [(0, 7, True), (0, 8, False), (2, 9, True), (2, 10, False)]
)
async def test_an_overdue_delivery_is_promised_only_for_the_days_of_grace(
    supply: Supply, grace: int, days: int, is_promised: bool
) -> None:
    await supply.put(delivery())
    await supply.future.put_rules("web", replace(OPEN, grace_days=grace))
    as_of = NOON + timedelta(days=days)
    assert await supply.shown(as_of=as_of) == ({"po-1": 10} if is_promised else {})
    assert await supply.reasons(as_of=as_of) == {"po-1": "" if is_promised else "OVERDUE"}


async def test_only_activated_points_count_and_an_excluded_item_is_an_explicit_zero(supply: Supply) -> None:
    await supply.put(delivery(), delivery("po-2", point_id="PARIS"), delivery("po-3", sku="PAN"))
    await supply.future.put_preorders([presale(), presale("pre-2", sku="PAN")])
    await supply.shop.service.put_channels(
        [with_rules(activated_points=("PARIS",), exclusions=(Exclusion("PAN", reason="recall"),))], EDIT
    )
    assert await supply.shown() == {"po-2": 10}
    assert await supply.reasons() == {"po-1": "POINT_NOT_ACTIVATED", "po-2": ""}
    pan = await supply.figures("PAN")
    assert (pan.available_now, pan.zero_reason) == (0, "EXCLUDED: recall")
    assert [one.available for one in pan.prospects] == [0]
    assert [one.available for one in pan.preorders] == [0]
    ghost = await supply.figures("GHOST")
    assert (ghost.zero_reason, ghost.prospects, ghost.preorders) == ("UNKNOWN_ITEM", (), ())


LEVELS = (
    BufferRule(quantity=1),
    BufferRule(point_type=PointType.STORE, quantity=2),
    BufferRule(point_id="LYON", quantity=3),
    BufferRule(category="home", quantity=4),
    BufferRule(category="kitchen", point_id="LYON", quantity=5),
    BufferRule(sku="DRESS", quantity=6),
    BufferRule(sku="DRESS", point_id="LYON", quantity=7),
)


@pytest.mark.parametrize("known", range(1, len(LEVELS) + 1))
async def test_the_most_specific_protection_counts(supply: Supply, known: int) -> None:
    await supply.put(delivery(quantity=20))
    await supply.future.put_rules("web", protecting(*LEVELS[:known]))
    (found,) = (await supply.figures()).prospects
    assert (found.protected.quantity, found.available) == (known, 20 - known)
    assert str(known) in found.protected.rule


async def test_at_one_level_the_larger_protection_wins_and_never_takes_more_than_comes(supply: Supply) -> None:
    await supply.put(delivery(quantity=4))
    rules = (BufferRule(category="home", quantity=1), BufferRule(category="kitchen", quantity=9))
    await supply.future.put_rules("web", protecting(*rules))
    (found,) = (await supply.figures()).prospects
    assert (found.protected.quantity, found.available) == (4, 0)


async def test_protection_is_of_a_position_and_is_taken_from_its_earliest_deliveries(supply: Supply) -> None:
    early = delivery("early", 2, from_date=TODAY, until_date=TODAY)
    await supply.put(delivery("b", 5), early, delivery("elsewhere", 2, point_id="PARIS"))
    await supply.future.put_rules("web", protecting(BufferRule(quantity=3)))
    assert await supply.shown() == {"b": 4}
    assert (await supply.reserve("ord_1", of(4, "b"))).done
    assert (await supply.reserve("ord_1", of(1, "early"))).shortfalls[0].available == 0
    # What can no longer be promised protects nothing either.
    assert await supply.shown(as_of=NOON + timedelta(days=2)) == {}


async def test_safety_stock_is_another_buffer(supply: Supply) -> None:
    await supply.shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=5),))], EDIT)
    await supply.put(delivery())
    assert await supply.shown() == {"po-1": 10}


async def test_rules_are_kept_as_they_were_put(supply: Supply) -> None:
    rules = FutureRules((ExpectedKind.SUPPLIER, ExpectedKind.ON_ORDER), 30, 2, LEVELS)
    assert await supply.future.put_rules("web", rules)
    assert not await supply.future.put_rules("web", rules)
    assert await supply.future.get_rules("web") == rules
    assert await supply.future.put_rules("web", FutureRules())
    assert await supply.future.get_rules("web") == FutureRules()


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (replace(OPEN, longest_promise_days=-1), "rules.longest_promise_days"),
        (replace(OPEN, grace_days=1001), "rules.grace_days"),
        (replace(OPEN, kinds=(ExpectedKind.SUPPLIER,) * 2), "rules.kinds[1]"),
        (protecting(BufferRule(quantity=-1)), "rules.protection[0].quantity"),
        (protecting(BufferRule(sku="A", category="b")), "rules.protection[0].category"),
        (protecting(BufferRule(), BufferRule(point_id="GHOST")), "rules.protection[1].point_id"),
    ],
)
async def test_wrong_rules_are_refused_by_field(supply: Supply, rules: FutureRules, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await supply.future.put_rules("web", rules)
    assert refused.value.facts["field"] == field
    assert await supply.future.get_rules("web") == OPEN


async def test_a_channel_must_exist(supply: Supply) -> None:
    await supply.put(delivery())
    for call in (
        supply.future.put_rules("ghost", OPEN),
        supply.future.get_rules("ghost"),
        supply.figures(channel_id="ghost"),
        supply.reserve("ord_1", of(1), channel_id="ghost"),
        supply.future.put_preorders([presale(channel_id="ghost")]),
    ):
        with pytest.raises(InvalidArgument, match="UNKNOWN_CHANNEL"):
            await call


# -- who holds units to come ------------------------------------------------------------------------------


async def test_the_figure_shown_is_the_figure_that_can_be_taken(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.future.put_rules("web", protecting(BufferRule(quantity=3)))
    await supply.reserve("ord_1", of(2))
    assert await supply.shown() == {"po-1": 5}
    refused = await supply.reserve("ord_2", of(3), of(3))
    assert (refused.done, refused.reservation) == (False, None)
    assert refused.shortfalls == (FutureShortfall(of(1).source, 6, 5, ""),), "the same delivery twice counts twice"
    with pytest.raises(NotFound):
        await supply.waiting("ord_2")
    assert (await supply.reserve("ord_2", of(2), of(3))).done
    assert await supply.shown() == {}
    await supply.assert_sound()


async def test_all_or_nothing_or_as_many_as_there_are(supply: Supply) -> None:
    await supply.put(delivery(quantity=2), delivery("po-2", 5, point_id="PARIS"))
    assert not (await supply.reserve("ord_1", of(3), of(1, "po-2"))).done
    answer = await supply.reserve("ord_1", of(3), of(1, "po-2"), partial=True)
    assert answer.done
    assert answer.reservation is not None
    assert answer.reservation.held() == {of(1).source: 2, of(1, "po-2").source: 1}
    assert [one.available for one in answer.shortfalls] == [2]
    assert not (await supply.reserve("ord_2", of(1), partial=True)).done


async def test_a_repeated_reserve_gives_the_first_answer_and_takes_once(supply: Supply) -> None:
    await supply.put(delivery(quantity=3))
    first = await supply.reserve("ord_1", of(2), request="r-1", seconds=600)
    again = await supply.reserve("ord_1", of(2), request="r-1", seconds=600, as_of=LATER)
    assert first.reservation is not None
    assert again.reservation is not None
    assert (again.done, again.reservation.held(), again.reservation.life) == (
        True,
        first.reservation.held(),
        first.reservation.life,
    )
    assert (await supply.view()).held == 2
    refused = await supply.reserve("ord_2", of(2), request="r-2")
    await supply.release("ord_1")
    assert await supply.reserve("ord_2", of(2), request="r-2") == refused
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await supply.reserve("ord_1", of(1), request="r-1", seconds=600)


async def test_a_basket_expires_is_told_and_may_take_again(supply: Supply) -> None:
    await supply.put(delivery(quantity=1))
    await supply.reserve("ord_1", of(1), seconds=600)
    assert await supply.future.expire(NOON + timedelta(seconds=599), 10) == []
    with pytest.raises(FailedPrecondition, match="RESERVATION_EXPIRED"):
        await supply.future.confirm("ord_1", LATER)
    assert await supply.future.expire(LATER, 10) == ["ord_1"]
    assert await supply.future.expire(LATER, 10) == []
    assert await supply.told("future_reservation.expired") == [("reservation/ord_1", "ord_1", 0)]
    assert await supply.shown() == {"po-1": 1}
    assert (await supply.reserve("ord_1", of(1))).done
    assert (await supply.waiting("ord_1")).life.state is CONFIRMED


async def test_confirmed_stays_confirmed_and_belongs_to_one_channel(supply: Supply) -> None:
    await supply.shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await supply.future.put_rules("app", OPEN)
    await supply.put(delivery())
    await supply.reserve("ord_1", of(1), seconds=600)
    confirmed = await supply.future.confirm("ord_1", NOON)
    assert (confirmed.life.state, confirmed.life.expires_at) == (CONFIRMED, None)
    assert await supply.future.confirm("ord_1", LATER) == confirmed
    await supply.reserve("ord_1", of(1), seconds=600)
    assert (await supply.waiting("ord_1")).life.state is CONFIRMED
    with pytest.raises(FailedPrecondition, match="OTHER_CHANNEL"):
        await supply.reserve("ord_1", of(1), channel_id="app")


async def test_what_is_given_back_is_what_was_taken_last(supply: Supply) -> None:
    await supply.put(delivery(quantity=4))
    await supply.reserve("ord_1", of(1))
    await supply.reserve("ord_2", of(1))
    await supply.reserve("ord_1", of(2))
    assert await supply.release("ord_1", of(2)) == (of(2),)
    assert (await supply.receive(1)).served[0].reservation_id == "ord_1"


async def test_a_release_accepts_that_nothing_was_held_and_repeats_itself(supply: Supply) -> None:
    await supply.put(delivery())
    assert await supply.release("ghost") == ()
    await supply.reserve("ord_1", of(3))
    assert await supply.release("ord_1", of(9), of(1, "po-9"), request="r-1") == (of(3),)
    assert await supply.release("ord_1", of(9), of(1, "po-9"), request="r-1") == (of(3),)
    assert (await supply.waiting("ord_1")).life.state is CLOSED
    await supply.assert_sound()


async def test_a_delivery_that_is_not_there_is_an_error_and_one_that_has_ended_a_refusal(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.cancel()
    with pytest.raises(InvalidArgument, match="UNKNOWN_DELIVERY") as unknown:
        await supply.reserve("ord_1", of(1), of(1, "ghost"))
    assert unknown.value.facts["field"] == "lines[1].delivery_id"
    assert (await supply.reserve("ord_1", of(1))).shortfalls == (
        FutureShortfall(of(1).source, 1, 0, "DELIVERY_ENDED"),
    )


# -- pre-order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "units"),
    [
        (timedelta(days=-1, microseconds=-1), 0),
        (timedelta(days=-1), 5),
        (timedelta(days=10, microseconds=-1), 5),
        (timedelta(days=10), 0),
    ],
)
async def test_a_preorder_is_open_from_its_first_instant_until_before_its_last(
    supply: Supply, at: timedelta, units: int
) -> None:
    await supply.future.put_preorders([presale()])
    assert await supply.preorderable(NOON + at) == units
    assert (await supply.reserve("ord_1", pre(1), as_of=NOON + at)).done == bool(units)


async def test_a_preorder_is_of_its_channel_or_of_all(supply: Supply) -> None:
    await supply.shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await supply.future.put_preorders([presale(), presale("pre-app", 3, channel_id="app")])
    assert await supply.preorderable() == 5
    assert await supply.preorderable(channel_id="app") == 8
    assert (await supply.reserve("ord_1", pre(1, "pre-app"))).shortfalls[0].zero_reason == "OTHER_CHANNEL"


async def test_a_preorder_is_never_oversold(supply: Supply) -> None:
    await supply.future.put_preorders([presale(quantity=3)])
    answers = await asyncio.gather(*(supply.reserve(f"ord_{i}", pre(1)) for i in range(60)))
    assert sum(answer.done for answer in answers) == 3
    assert await supply.preorderable() == 0
    await supply.assert_sound()


async def test_a_preorder_is_put_again_but_not_below_what_is_taken(supply: Supply) -> None:
    assert await supply.future.put_preorders([presale()]) == 1
    assert await supply.future.put_preorders([presale()]) == 0
    await supply.reserve("ord_1", pre(4))
    with pytest.raises(FailedPrecondition, match="PREORDER_TAKEN"):
        await supply.future.put_preorders([presale(quantity=3)])
    assert await supply.future.put_preorders([presale(quantity=4)]) == 1
    with pytest.raises(FailedPrecondition, match="OTHER_PREORDER"):
        await supply.future.put_preorders([presale(sku="PAN")])
    ((found, held),) = await supply.future.list_preorders(["DRESS"], "web", "", 10)
    assert (found.quantity, held) == (4, 4)


async def test_wrong_preorders_are_refused_by_field(supply: Supply) -> None:
    for wrong, field in (
        (presale(closes_at=NOON - timedelta(days=1)), "closes_at"),
        (presale(release_at=NOON - timedelta(days=1)), "release_at"),
        (presale(quantity=-1), "quantity"),
        (presale(sku="GHOST"), "sku"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await supply.future.put_preorders([wrong])
        assert refused.value.facts["field"] == f"preorders[0].{field}"


async def test_preordered_units_become_stock_where_the_caller_says(supply: Supply) -> None:
    await supply.future.put_preorders([presale()])
    await supply.reserve("ord_1", pre(3))
    refused = await supply.convert("ord_1", line("DRESS", 2), request="c-0")
    assert (refused.hold.done, refused.hold.reservation) == (False, None)
    assert refused.hold.shortfalls == (Shortfall("DRESS", "LYON", 2, 0, 0),)
    assert refused.waiting.held() == {pre(1).source: 3}
    await supply.shop.adjust(2)
    await supply.shop.adjust(5, point_id="PARIS")
    assert await supply.convert("ord_1", line("DRESS", 2), request="c-0") == refused, "the first answer"
    done = await supply.convert("ord_1", line("DRESS", 1), line("DRESS", 1, "PARIS"), request="c-1")
    assert done.hold.done
    assert done.hold.reservation is not None
    assert done.hold.reservation.lines == (line("DRESS", 1), line("DRESS", 1, "PARIS"))
    assert done.waiting.held() == {pre(1).source: 1}
    assert await supply.convert("ord_1", line("DRESS", 1), line("DRESS", 1, "PARIS"), request="c-1") == done
    assert (await supply.shop.balance()) == Balance("DRESS", "LYON", on_hand=2, reserved=1)
    assert await supply.preorderable() == 2, "what was converted is not sold again"
    with pytest.raises(FailedPrecondition, match="NOT_HELD"):
        await supply.convert("ord_1", line("DRESS", 2, "PARIS"))
    await supply.assert_sound()


async def test_what_was_never_preordered_is_not_converted(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.shop.adjust(5)
    with pytest.raises(NotFound, match="RESERVATION_NOT_FOUND"):
        await supply.convert("ord_1", line("DRESS", 1))
    await supply.reserve("ord_1", of(2))
    with pytest.raises(FailedPrecondition, match="NOT_HELD"):
        await supply.convert("ord_1", line("DRESS", 1))
    await supply.future.put_preorders([presale()])
    await supply.reserve("basket", pre(1), seconds=60)
    with pytest.raises(FailedPrecondition, match="RESERVATION_EXPIRED"):
        await supply.convert("basket", line("DRESS", 1), as_of=LATER)


async def test_ten_conversions_at_once_convert_each_unit_once(supply: Supply) -> None:
    await supply.future.put_preorders([presale()])
    await supply.reserve("ord_1", pre(3))
    await supply.shop.adjust(10)
    answers = await asyncio.gather(
        *(supply.convert("ord_1", line("DRESS", 1)) for _ in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 3
    assert (await supply.shop.balance()).reserved == 3
    await supply.assert_sound()


# -- release dates ----------------------------------------------------------------------------------------


async def test_an_embargo_ends_with_the_day_in_the_zone_of_the_destination(supply: Supply) -> None:
    await supply.shop.service.put_items([replace(item("DRESS"), release_date="2026-11-21")], EDIT)
    await supply.shop.adjust(3)
    figures = await supply.figures()
    assert (figures.release_date, figures.under_embargo, figures.available_now) == ("2026-11-21", True, 3)
    evening = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert not (await supply.figures(as_of=evening, time_zone="Europe/Paris")).under_embargo
    assert (await supply.figures(as_of=evening, time_zone="Europe/London")).under_embargo
    assert not (await supply.figures("PAN")).under_embargo
    with pytest.raises(InvalidArgument, match="IANA"):
        await supply.figures(time_zone="Mars/Olympus")


async def test_a_release_date_is_a_date_and_is_kept_with_the_item(supply: Supply) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await supply.shop.service.put_items([replace(item("DRESS"), release_date="21.11.2026")], EDIT)
    assert refused.value.facts["field"] == "items[0].release_date"
    await supply.shop.service.put_items([replace(item("DRESS"), release_date="2026-11-21")], EDIT)
    assert (await supply.shop.service.list_items(["DRESS"], "", 1))[0].release_date == "2026-11-21"
