"""Reservations on the real database: STK-7 and DESIGN's holds."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.catalogue import BufferRule, Purpose
from services.inventory.domain.holds import HoldLine, HoldMove, ReservationState, Shortfall
from services.inventory.domain.ledger import Balance, Position
from tests.services.inventory.shop import EDIT, NOON, POINTS, SKUS, Shop, line, with_rules

HELD, CONFIRMED = ReservationState.HELD, ReservationState.CONFIRMED
CLOSED, EXPIRED = ReservationState.CLOSED, ReservationState.EXPIRED
LATER = NOON + timedelta(seconds=601)


async def test_a_reservation_holds_is_confirmed_and_leaves_stock(shop: Shop) -> None:
    await shop.adjust(5)
    held = (await shop.reserve("ord_1", line("DRESS", 2))).reservation
    assert held is not None
    assert (held.state, held.expires_at) == (HELD, NOON + timedelta(seconds=600))
    confirmed = await shop.service.confirm("ord_1", NOON)
    assert (confirmed.state, confirmed.expires_at) == (CONFIRMED, None)
    assert await shop.issue("ord_1", line("DRESS", 2)) == (Balance("DRESS", "LYON", on_hand=3),)
    assert (await shop.service.get_reservation("ord_1")).state == CLOSED
    assert await shop.service.confirm("ord_1", LATER) == await shop.service.get_reservation("ord_1")
    await shop.assert_sound()


async def test_a_refusal_tells_the_true_figures_and_leaves_nothing_behind(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=2),))], EDIT)
    await shop.adjust(5)
    answer = await shop.reserve("ord_1", line("PAN", 1, "PARIS"), line("DRESS", 4))
    assert not answer.done
    assert answer.reservation is None
    assert answer.shortfalls == (
        Shortfall("PAN", "PARIS", requested=1, available=0, free=0),
        Shortfall("DRESS", "LYON", requested=4, available=3, free=5),
    )
    with pytest.raises(NotFound, match="RESERVATION_NOT_FOUND"):
        await shop.service.get_reservation("ord_1")
    assert (await shop.balance()).reserved == 0


async def test_the_same_sku_twice_counts_twice(shop: Shop) -> None:
    await shop.adjust(3)
    answer = await shop.reserve("ord_1", line("DRESS", 2), line("DRESS", 2))
    assert answer.shortfalls == (Shortfall("DRESS", "LYON", requested=4, available=3, free=3),)
    assert (await shop.reserve("ord_1", line("DRESS", 1), line("DRESS", 2))).done
    assert (await shop.balance()).reserved == 3


async def test_a_partial_reserve_holds_what_there_is_and_says_what_lacks(shop: Shop) -> None:
    await shop.adjust(3)
    answer = await shop.reserve("ord_1", line("DRESS", 5), line("PAN", 1), partial=True)
    assert answer.done
    assert answer.reservation is not None
    assert answer.reservation.lines == (line("DRESS", 3),)
    assert [shortfall.sku for shortfall in answer.shortfalls] == ["DRESS", "PAN"]
    nothing = await shop.reserve("ord_2", line("DRESS", 1), partial=True)
    assert not nothing.done


async def test_the_figure_shown_is_the_figure_that_can_be_taken(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(category="home", quantity=1),))], EDIT)
    await shop.adjust(4)
    await shop.declare(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    shown = await shop.shown()
    assert shown == 1
    assert not (await shop.reserve("ord_2", line("DRESS", shown + 1))).done
    assert (await shop.reserve("ord_2", line("DRESS", shown))).done


async def test_nothing_can_be_taken_where_the_channel_is_not_activated(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(activated_points=("PARIS",))], EDIT)
    await shop.adjust(4)
    assert (await shop.reserve("ord_1", line("DRESS", 1))).shortfalls == (Shortfall("DRESS", "LYON", 1, 0, 4),)


async def test_a_reservation_without_expiry_is_confirmed_at_once(shop: Shop) -> None:
    await shop.adjust(1)
    answer = await shop.reserve("ord_1", line("DRESS", 1), seconds=0)
    assert answer.reservation is not None
    assert answer.reservation.state == CONFIRMED


async def test_a_further_reserve_adds_to_an_open_reservation(shop: Shop) -> None:
    await shop.adjust(5)
    await shop.reserve("ord_1", line("DRESS", 1))
    await shop.service.confirm("ord_1", NOON)
    answer = await shop.reserve("ord_1", line("DRESS", 2))
    assert answer.reservation is not None
    assert answer.reservation.state == CONFIRMED, "confirmed stays confirmed"
    assert answer.reservation.lines == (line("DRESS", 3),)
    refused = await shop.reserve("ord_1", line("DRESS", 9))
    assert (refused.done, refused.reservation) == (False, answer.reservation)


async def test_a_reservation_belongs_to_one_channel(shop: Shop) -> None:
    await shop.service.put_channels([with_rules(channel_id="app")], EDIT)
    await shop.adjust(5)
    await shop.reserve("ord_1", line("DRESS", 1))
    with pytest.raises(FailedPrecondition, match="OTHER_CHANNEL"):
        await shop.reserve("ord_1", line("DRESS", 1), channel_id="app")
    with pytest.raises(InvalidArgument, match="UNKNOWN_CHANNEL"):
        await shop.reserve("ord_2", line("DRESS", 1), channel_id="ghost")


async def test_an_expired_reservation_gives_back_tells_it_and_cannot_be_confirmed(shop: Shop) -> None:
    await shop.adjust(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    assert await shop.service.expire_reservations(NOON + timedelta(seconds=599), 10) == []
    assert await shop.service.expire_reservations(LATER, 10) == ["ord_1"]
    assert (await shop.balance()).reserved == 0
    assert (await shop.service.get_reservation("ord_1")).state == EXPIRED
    with pytest.raises(FailedPrecondition, match="RESERVATION_EXPIRED"):
        await shop.service.confirm("ord_1", NOON)
    async with shop.engine.begin() as tx:
        (row,) = await tx.execute(text("SELECT subject, order_id, data FROM outbox WHERE type LIKE '%expired'"))
    assert (row.subject, row.order_id) == ("reservation/ord_1", "ord_1")
    assert row.data["lines"] == [{"sku": "DRESS", "point_id": "LYON", "quantity": 1}]
    await shop.assert_sound()


async def test_an_expired_or_closed_reservation_may_take_units_again(shop: Shop) -> None:
    await shop.adjust(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    await shop.service.expire_reservations(LATER, 10)
    again = await shop.reserve("ord_1", line("DRESS", 1), as_of=LATER)
    assert again.reservation is not None
    assert again.reservation.state == HELD
    await shop.release("ord_1")
    assert (await shop.service.get_reservation("ord_1")).state == CLOSED
    refused = await shop.reserve("ord_1", line("DRESS", 2))
    assert refused.reservation is not None
    assert refused.reservation.state == CLOSED, "a refusal opens nothing"
    assert (await shop.reserve("ord_1", line("DRESS", 1), seconds=0)).done


async def test_too_late_is_judged_by_the_instant_given_swept_or_not(shop: Shop) -> None:
    await shop.adjust(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    with pytest.raises(FailedPrecondition, match="RESERVATION_EXPIRED"):
        await shop.service.confirm("ord_1", LATER)


async def test_a_released_reservation_cannot_be_confirmed(shop: Shop) -> None:
    await shop.adjust(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    await shop.release("ord_1")
    with pytest.raises(FailedPrecondition, match="RESERVATION_CLOSED"):
        await shop.service.confirm("ord_1", NOON)


async def test_release_accepts_that_nothing_is_held_and_gives_back_what_is(shop: Shop) -> None:
    await shop.adjust(5)
    assert await shop.release("ord_never") == ()
    await shop.reserve("ord_1", line("DRESS", 3))
    assert await shop.release("ord_1", line("DRESS", 1), line("DRESS", 1), line("PAN", 7)) == (line("DRESS", 2),)
    assert await shop.release("ord_1", line("DRESS", 9), request="all") == (line("DRESS", 1),)
    assert await shop.release("ord_1", line("DRESS", 9), request="all") == (line("DRESS", 1),), "the first answer"
    assert await shop.release("ord_1") == ()
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=5)


async def test_only_held_units_can_be_issued(shop: Shop) -> None:
    await shop.adjust(5)
    await shop.reserve("ord_1", line("DRESS", 2))
    with pytest.raises(FailedPrecondition) as refusal:
        await shop.issue("ord_1", line("DRESS", 1), line("DRESS", 2))
    assert (refusal.value.reason, refusal.value.facts["held"]) == ("NOT_HELD", 2)
    with pytest.raises(NotFound):
        await shop.issue("ord_2", line("DRESS", 1))


async def test_units_that_a_count_found_missing_cannot_leave(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.reserve("ord_1", line("DRESS", 2))
    await shop.adjust(-1, cause="count")
    with pytest.raises(FailedPrecondition, match="STOCK_BELOW_ZERO"):
        await shop.issue("ord_1", line("DRESS", 2))
    assert await shop.issue("ord_1", line("DRESS", 1)) == (Balance("DRESS", "LYON", 0, 1, 0, 1),)
    await shop.assert_sound()


async def test_a_hold_moves_to_another_point_or_stays_where_it_is(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.adjust(1, point_id="PARIS")
    await shop.reserve("ord_1", line("DRESS", 2))
    refused = await shop.move("ord_1", HoldMove("DRESS", "LYON", "PARIS", 2))
    assert not refused.done
    assert refused.shortfalls == (Shortfall("DRESS", "PARIS", requested=2, available=1, free=1),)
    assert (await shop.balance()).reserved == 2
    moved = await shop.move("ord_1", HoldMove("DRESS", "LYON", "PARIS", 1))
    assert moved.reservation is not None
    assert moved.reservation.lines == (line("DRESS", 1, "LYON"), line("DRESS", 1, "PARIS"))
    with pytest.raises(FailedPrecondition, match="NOT_HELD"):
        await shop.move("ord_1", HoldMove("DRESS", "LYON", "PARIS", 2))
    await shop.assert_sound()


async def test_a_move_is_judged_by_the_channels_image_at_the_arrival(shop: Shop) -> None:
    rule = BufferRule(point_id="PARIS", quantity=1)
    await shop.service.put_channels([with_rules(safety_stock=(rule,), activated_points=("LYON", "PARIS"))], EDIT)
    for point_id in POINTS:
        await shop.adjust(1, point_id=point_id)
    await shop.reserve("ord_1", line("DRESS", 1))
    assert not (await shop.move("ord_1", HoldMove("DRESS", "LYON", "PARIS", 1))).done, "safety stock"
    assert not (await shop.move("ord_1", HoldMove("DRESS", "LYON", "WAREHOUSE", 1))).done, "not activated"


async def test_two_full_points_may_exchange_their_holds(shop: Shop) -> None:
    for point_id in ("LYON", "PARIS"):
        await shop.adjust(1, point_id=point_id)
    await shop.reserve("ord_1", line("DRESS", 1, "LYON"), line("DRESS", 1, "PARIS"))
    swap = (HoldMove("DRESS", "LYON", "PARIS", 1), HoldMove("DRESS", "PARIS", "LYON", 1))
    assert (await shop.move("ord_1", *swap)).done


async def test_a_short_pick_leaves_the_hold_and_the_image_at_once(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.reserve("ord_1", line("DRESS", 1))
    (balance,) = await shop.report_short("ord_1", line("DRESS", 1))
    assert balance == Balance("DRESS", "LYON", on_hand=2, unavailable=1)
    assert await shop.shown() == 1
    async with shop.engine.begin() as tx:
        (row,) = await tx.execute(text("SELECT subject, order_id FROM outbox WHERE type LIKE '%short_reported'"))
    assert tuple(row) == ("reservation/ord_1", "ord_1")
    assert (await shop.reserve("ord_1", line("DRESS", 1))).done, "the order is planned again"
    await shop.assert_sound()


async def test_units_that_a_count_missed_already_are_not_taken_out_of_the_image_twice(shop: Shop) -> None:
    await shop.adjust(1)
    await shop.reserve("ord_1", line("DRESS", 1))
    await shop.adjust(-1, cause="count")
    assert await shop.report_short("ord_1", line("DRESS", 1)) == (Balance("DRESS", "LYON"),)


async def test_a_repeat_gets_the_first_answer_refusals_included(shop: Shop) -> None:
    refused = await shop.reserve("ord_1", line("DRESS", 1), request="early")
    await shop.adjust(2)
    assert await shop.reserve("ord_1", line("DRESS", 1), request="early", as_of=LATER) == refused
    held = await shop.reserve("ord_1", line("DRESS", 1), request="now")
    assert await shop.reserve("ord_1", line("DRESS", 1), request="now", as_of=LATER) == held
    assert (await shop.balance()).reserved == 1


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((), "lines"),
        ((line("DRESS", 1), line("DRESS", 0)), "lines[1].quantity"),
        ((line("a b", 1),), "lines[0].sku"),
        ((line("DRESS", 1, ""),), "lines[0].point_id"),
    ],
)
async def test_a_bad_line_is_named(shop: Shop, lines: tuple[HoldLine, ...], field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await shop.reserve("ord_1", *lines)
    assert error.value.facts["field"] == field


# -- races ------------------------------------------------------------------------------------------------


async def test_the_last_unit_bought_by_a_hundred_at_once_is_sold_once(shop: Shop) -> None:
    await shop.adjust(1)
    # The pool opens its connections first: else the first buyer is done before the second one is let in.
    await asyncio.gather(*(shop.shown() for _ in range(100)))
    answers = await asyncio.gather(*(shop.reserve(f"ord_{n}", line("DRESS", 1)) for n in range(100)))
    assert sum(answer.done for answer in answers) == 1
    assert all(answer.shortfalls[0].available == 0 for answer in answers if not answer.done)
    assert (await shop.balance()).reserved == 1
    await shop.assert_sound()


async def test_one_reservation_named_by_twenty_at_once_holds_each_wish_once(shop: Shop) -> None:
    await shop.adjust(30)
    await asyncio.gather(*(shop.reserve("ord_1", line("DRESS", 1)) for _ in range(20)))
    assert (await shop.service.get_reservation("ord_1")).lines == (line("DRESS", 20),)
    await shop.assert_sound()


async def test_random_baskets_never_deadlock_and_nothing_leaks(shop: Shop) -> None:
    for sku in SKUS:
        for point_id in POINTS:
            await shop.adjust(8, sku, point_id)
    chance = random.Random(7)
    ends: list[Callable[..., Awaitable[object]]] = [shop.release, shop.issue, shop.report_short]

    async def buyer(holder: str) -> None:
        for _ in range(3):
            wishes = [line(chance.choice(SKUS), 1, chance.choice(POINTS)) for _ in range(chance.randint(1, 6))]
            if (await shop.reserve(holder, *wishes)).done:
                try:
                    await move_and_end(holder, wishes[0])
                except FailedPrecondition as lost:
                    if lost.reason != "NOT_HELD":  # the sweep may have taken it away
                        raise

    async def move_and_end(holder: str, first: HoldLine) -> None:
        elsewhere = chance.choice([point_id for point_id in POINTS if point_id != first.point_id])
        await shop.move(holder, HoldMove(first.sku, first.point_id, elsewhere, 1))
        held = (await shop.service.get_reservation(holder)).lines
        if held:
            end = chance.choice(ends)
            await end(holder, *held)

    async def sweep() -> None:
        for _ in range(10):
            await shop.service.expire_reservations(LATER, 5)

    await asyncio.gather(*(buyer(f"ord_{n}") for n in range(32)), sweep())
    await shop.service.expire_reservations(LATER, 1000)
    for balance in await shop.service.list_balances([], [], Position("", ""), 100):
        assert balance.reserved == 0
    await shop.assert_sound()


async def test_confirmation_and_expiry_never_both_win(shop: Shop) -> None:
    rounds = 25
    await shop.adjust(rounds)
    confirmed = 0
    for n in range(rounds):
        await shop.reserve(f"ord_{n}", line("DRESS", 1))
        outcome, expired = await asyncio.gather(
            shop.service.confirm(f"ord_{n}", NOON),
            shop.service.expire_reservations(LATER, 10),
            return_exceptions=True,
        )
        state = (await shop.service.get_reservation(f"ord_{n}")).state
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, FailedPrecondition)
            assert (outcome.reason, state, expired) == ("RESERVATION_EXPIRED", EXPIRED, [f"ord_{n}"])
        else:
            assert (state, expired) == (CONFIRMED, [])
            confirmed += 1
    assert (await shop.balance()).reserved == confirmed
    await shop.assert_sound()


async def test_what_is_only_shown_is_not_sold(shop: Shop) -> None:
    await shop.adjust(5)
    with pytest.raises(InvalidArgument) as error:
        await shop.reserve("ord_1", line("DRESS", 1), purpose=Purpose.SHOW)
    assert error.value.facts["field"] == "purpose"


async def test_a_unit_that_was_declared_before_is_not_declared_again_by_a_short_pick(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.reserve("ord_1", line("DRESS", 2))
    await shop.declare(1)
    await shop.report_short("ord_1", line("DRESS", 2))
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=2, unavailable=2)
    await shop.assert_sound()


@pytest.mark.parametrize("cause", ["snapshot", "end_of_day"])
async def test_causes_of_the_system_itself_are_refused(shop: Shop, cause: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await shop.adjust(1, cause=cause)
    assert error.value.facts["field"] == "cause.cause"
