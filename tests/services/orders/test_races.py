"""Whoever comes first wins, the others are told, and no unit is ever lost: decided by the database."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import NOON, Shop, leg, line, outcome, rows

LATE = NOON + timedelta(hours=2)
ROUNDS = [12, pytest.param(150, marks=[pytest.mark.attack, pytest.mark.timeout(600)])]
ANSWERS = {"accept": "fulfilment.accepted", "refuse": "fulfilment.refused", "lapse": "fulfilment.lapsed"}


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_accept_refuse_lapse_and_cancel_have_exactly_one_winner(
    shop: Shop, orders_db: AsyncEngine, rounds: int
) -> None:
    winners: Counter[str] = Counter()
    for number in range(rounds):
        order_id, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        answers = await race_for_an_offer(shop, order_id, work, first=number % 4)
        happened = await rows(orders_db, f"SELECT kind FROM timeline WHERE fulfilment_id = '{work}'")
        # A cancellation may come after an answer: it stops accepted work, and finds nothing to stop otherwise.
        won = [row.kind for row in happened if row.kind in ANSWERS.values()]
        assert len(won) <= 1
        assert answers["cancel"] == "done"
        for name in ("accept", "refuse"):
            assert answers[name] == ("done" if won == [ANSWERS[name]] else "OFFER_GONE")
        order = (await shop.service.get_order(order_id)).order
        assert order.state == OrderState.CANCELLING
        assert all(units.state == UnitState.CANCELLED for units in order.ranges)
        winners[won[0] if won else "fulfilment.cancelled"] += 1
    assert len(winners) >= 2


async def race_for_an_offer(shop: Shop, order_id: str, work: str, first: int) -> dict[str, str]:
    """What each of the four was answered. Who starts first is given; who wins is not."""
    service = shop.service
    acts = {
        "accept": outcome(service.accept_offer(shop.asked(), work, "anna", LATE)),
        "refuse": outcome(service.refuse_offer(shop.asked(), work, "no_time", "bob", LATE)),
        "lapse": outcome(service.lapse_offer(shop.asked(), work, LATE)),
        "cancel": outcome(service.request_cancellation(shop.asked(), order_id, "", "", LATE)),
    }
    names = list(acts)[first:] + list(acts)[:first]
    return dict(zip(names, await asyncio.gather(*(acts[name] for name in names)), strict=True))


async def test_without_a_cancellation_one_of_accept_refuse_and_lapse_wins(shop: Shop) -> None:
    for number in range(12):
        _, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        service = shop.service
        acts = [
            outcome(service.accept_offer(shop.asked(), work, "anna", LATE)),
            outcome(service.refuse_offer(shop.asked(), work, "no_time", "bob", LATE)),
        ]
        lapse = asyncio.create_task(service.lapse_offer(shop.asked(), work, LATE))
        answers = await asyncio.gather(*acts)
        final = (await lapse).state
        assert final in (FulfilmentState.ACCEPTED, FulfilmentState.REFUSED, FulfilmentState.LAPSED)
        assert answers.count("done") == (0 if final == FulfilmentState.LAPSED else 1)
        read = await service.get_fulfilment(work)
        assert read.fulfilment.state == final


async def test_twenty_accepts_of_one_offer_have_one_winner(shop: Shop) -> None:
    for number in range(3):
        _, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        answers = await asyncio.gather(
            *(outcome(shop.service.accept_offer(shop.asked(), work, f"a{i}", NOON)) for i in range(20))
        )
        assert Counter(answers) == {"done": 1, "OFFER_GONE": 19}


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_hand_over_against_cancel_has_exactly_one_winner(shop: Shop, rounds: int) -> None:
    winners: Counter[OrderState] = Counter()
    for number in range(rounds):
        order_id, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        await shop.pack(work)
        acts = [
            outcome(shop.service.hand_over(shop.asked(), work, "", "anna", NOON)),
            outcome(shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)),
        ]
        if number % 2:
            cancelled, handed = await asyncio.gather(*reversed(acts))
        else:
            handed, cancelled = await asyncio.gather(*acts)
        assert (handed, cancelled) in [("done", "TOO_LATE_TO_CANCEL"), ("CANCELLED", "done")]
        view = await shop.service.get_order(order_id)
        assert (view.order.state == OrderState.CANCELLING) == (cancelled == "done")
        winners[view.order.state] += 1
    assert len(winners) == 2


async def test_a_placement_against_a_cancellation_ends_cancelling(shop: Shop) -> None:
    for number in range(10):
        order_id = await shop.record(f"key-{number}")
        cancel = shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)
        await asyncio.gather(shop.accept(order_id), cancel)
        order = (await shop.service.get_order(order_id)).order
        assert order.state == OrderState.CANCELLING
        assert all(one.state == FulfilmentState.CANCELLED for one in order.fulfilments)
        assert all(one.state == UnitState.CANCELLED for one in order.ranges)


async def test_all_points_of_an_order_working_at_once_lose_no_unit(shop: Shop) -> None:
    legs = [leg((1, 1), point=f"store-{i}") for i in range(8)]
    order_id, works = await shop.release("key-1", *legs, lines=(line(1, 8),))
    await asyncio.gather(*(shop.pack(work) for work in works))
    order = (await shop.service.get_order(order_id)).order
    amounts = [work.parcel.amount_minor for work in order.fulfilments if work.parcel]
    assert sum(amounts) == order.content.total.amount_minor
    assert [(one.from_unit, one.to_unit, one.state) for one in order.ranges] == [
        (i, i + 1, UnitState.PACKED) for i in range(8)
    ]
