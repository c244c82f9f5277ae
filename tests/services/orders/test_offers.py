"""Competition on a real database: twenty points answer at once and one wins, whatever else happens."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, NotFound, OmsError, Unavailable
from services.orders import offering
from services.orders.changing import Asked
from services.orders.domain.model import Fulfilment, Reach
from services.orders.domain.states import FulfilmentState, OfferState, OrderState
from services.orders.offers_store import OfferFilter
from services.orders.reading import OrderFilter
from tests.services.orders.builders import COOLED, NOON, Shop
from tests.services.orders.competing import ASKS_A_PERSON, COMPETING, HOUR, candidates, offer

PLANNED = "store-lyon"
POINTS = [PLANNED, *(f"store-{number:02}" for number in range(1, 20))]
ROUNDS = [10, pytest.param(200, marks=[pytest.mark.attack, pytest.mark.timeout(900)])]
LATER = NOON + 2 * HOUR


def of_point(shop: Shop, point: str, key: str = "") -> Asked:
    asked = shop.asked()
    return Asked(key or asked.request_id, asked.content, Reach(frozenset({point})))


async def answer(act: Awaitable[Fulfilment]) -> str:
    try:
        await act
    except OmsError as error:
        return error.reason
    return "done"


async def store_takes(shop: Shop, work: str, point: str, *, held: bool = True) -> str:
    """A store's answer as it comes about: the claim, then what became of its units."""
    try:
        taken = await shop.service.accept_offer(of_point(shop, point), work, "anna", NOON)
        claim = next((one for one in taken.offers if one.state == OfferState.CLAIMED), None)
        if claim:
            settled = await shop.service.settle_claim(shop.asked(), work, claim.claim_id, NOON, held=held)
            return "won" if settled.point_id == point else "STOCK_NOT_THERE"
    except OmsError as error:
        if error.reason == "OFFER_CLAIMED":
            # It is not known yet whether another keeps it: the store asks again.
            return await store_takes(shop, work, point, held=held)
        return error.reason
    return "won"


async def states(db: AsyncEngine, work: str) -> Counter[str]:
    async with db.connect() as tx:
        found = await tx.execute(text("SELECT state FROM offer WHERE fulfilment_id = :work"), {"work": work})
        return Counter(found.scalars())


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_of_twenty_points_that_take_it_at_once_exactly_one_has_it(
    shop: Shop, orders_db: AsyncEngine, rounds: int
) -> None:
    winners: Counter[str] = Counter()
    for number in range(rounds):
        _, work = await offer(shop, f"key-{number}", POINTS)
        turn = number % len(POINTS)
        asked = POINTS[turn:] + POINTS[:turn]
        answers = await asyncio.gather(*(store_takes(shop, work, point) for point in asked))
        assert Counter(answers) == {"won": 1, "OFFER_GONE": 19}, number
        winner = asked[answers.index("won")]
        found = (await shop.service.get_fulfilment(work)).fulfilment
        assert (found.point_id, found.state) == (winner, FulfilmentState.ACCEPTED)
        assert await states(orders_db, work) == {"accepted": 1, "lost": 19}
        winners[winner] += 1
    assert len(winners) > 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_a_claim_that_fails_leaves_the_work_to_those_who_waited_for_it(
    shop: Shop, orders_db: AsyncEngine, rounds: int
) -> None:
    """The units are at two points only: whoever took it first and had none does not keep it from the others."""
    for number in range(rounds):
        _, work = await offer(shop, f"key-{number}", POINTS[1:7])
        has = {POINTS[1], POINTS[6]}
        points = POINTS[1:7]
        answers = await asyncio.gather(*(store_takes(shop, work, point, held=point in has) for point in points))
        by_point = dict(zip(points, answers, strict=True))
        assert Counter(by_point[point] for point in has) == {"won": 1, "OFFER_GONE": 1}
        assert {by_point[point] for point in points if point not in has} <= {"STOCK_NOT_THERE", "OFFER_GONE"}
        found = await states(orders_db, work)
        assert (found["accepted"], found["claimed"], found["open"]) == (1, 0, 0)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_accept_lapse_cancel_and_the_end_have_one_outcome(
    shop: Shop, orders_db: AsyncEngine, rounds: int
) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(rounds):
        order_id, work = await offer(shop, f"key-{number}", POINTS[:4])
        acts = [
            store_takes(shop, work, POINTS[1]),
            store_takes(shop, work, POINTS[2]),
            answer(shop.service.look_at_offers(shop.asked(), work, LATER)),
            answer(shop.service.end_offering(shop.asked(), work, LATER)),
            answer(_cancelled(shop, order_id)),
        ]
        turn = number % len(acts)
        await asyncio.gather(*acts[turn:], *acts[:turn])
        order = (await shop.service.get_order(order_id)).order
        found = await states(orders_db, work)
        assert order.state == OrderState.CANCELLING
        assert (found["open"], found["claimed"]) == (0, 0)
        assert found["accepted"] <= 1
        [one] = order.fulfilments
        assert one.state == FulfilmentState.CANCELLED
        outcomes["accepted" if found["accepted"] else "nobody"] += 1
    assert outcomes.total() == rounds


async def _cancelled(shop: Shop, order_id: str) -> Any:
    return await shop.service.request_cancellation(shop.asked(), order_id, "", "", LATER)


async def test_the_database_itself_lets_nobody_win_twice(shop: Shop, orders_db: AsyncEngine) -> None:
    _, work = await offer(shop, "key-1", POINTS[:3])
    async with orders_db.begin() as tx:
        update = text("UPDATE offer SET state = 'claimed' WHERE fulfilment_id = :work AND point_id = :point")
        await tx.execute(update, {"work": work, "point": POINTS[1]})
        with pytest.raises(IntegrityError, match="offer_winner"):
            await tx.execute(update, {"work": work, "point": POINTS[2]})


async def test_an_answer_waits_until_anothers_claim_is_settled(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[:3])
    first = await shop.service.accept_offer(of_point(shop, POINTS[1]), work, "anna", NOON)
    claim = next(one for one in first.offers if one.claim_id)
    waiting = asyncio.create_task(store_takes(shop, work, POINTS[2]))
    await asyncio.sleep(5 * offering.LOOK_SECONDS)
    assert not waiting.done()
    await shop.service.settle_claim(shop.asked(), work, claim.claim_id, NOON, held=False)
    assert await waiting == "won"


async def test_a_claim_that_nobody_settles_keeps_others_waiting_no_longer_than_a_moment(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[:3])
    await shop.service.accept_offer(of_point(shop, POINTS[1]), work, "anna", NOON)
    with pytest.raises(Unavailable) as refused:
        await shop.service.accept_offer(of_point(shop, POINTS[2]), work, "bob", NOON)
    assert refused.value.reason == "OFFER_CLAIMED"


async def test_a_repeated_answer_gets_the_first_one_also_when_it_is_settled(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[:3])
    asked = of_point(shop, POINTS[1], "click-1")
    first = await shop.service.accept_offer(asked, work, "anna", NOON)
    [claim] = [one for one in first.offers if one.claim_id]
    await shop.service.settle_claim(shop.asked(), work, claim.claim_id, NOON, held=True)
    assert await shop.service.accept_offer(asked, work, "anna", NOON) == first


async def test_a_request_id_that_was_another_points_wins_nothing(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[:3])
    await shop.service.accept_offer(of_point(shop, POINTS[1], "click-1"), work, "anna", NOON)
    with pytest.raises(OmsError) as refused:
        await shop.service.accept_offer(of_point(shop, POINTS[2], "click-1"), work, "anna", NOON)
    assert refused.value.reason in ("OFFER_GONE", "OFFER_CLAIMED")


async def test_offers_are_nobody_elses(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[1:3])
    others = of_point(shop, "store-of-others")
    with pytest.raises(NotFound):
        await shop.service.accept_offer(others, work, "eve", NOON)
    with pytest.raises(NotFound):
        await shop.service.refuse_offer(others, work, "no_time", "eve", NOON)
    # Who only has an offer may answer it, and do nothing else.
    with pytest.raises(NotFound):
        await shop.service.record_pick(of_point(shop, POINTS[1]), work, [], "eve", NOON)


async def test_each_point_finds_its_own_offer_on_its_work_list_while_it_is_open(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[1:3])

    async def listed(*points: str, **more: Any) -> list[tuple[str, str]]:
        found = await shop.service.list_work(points, [], more.get("size", 50), more.get("after"))
        return [(one.point_id, one.carrier_id) for one in found]

    assert await listed(PLANNED) == []
    before = await shop.service.work_marks(POINTS[:3])
    assert all(before[point] for point in POINTS[1:3])
    assert await listed(POINTS[1]) == [(POINTS[1], f"carrier-of-{POINTS[1]}")]
    assert [point for point, _ in await listed(*POINTS[:3])] == POINTS[1:3]
    first, after = POINTS[1], (NOON + 5 * HOUR, f"{work}/{POINTS[1]}")
    assert await listed(*POINTS[:3], size=1) == [(first, f"carrier-of-{first}")]
    assert [point for point, _ in await listed(*POINTS[:3], after=after)] == [POINTS[2]]
    await shop.service.refuse_offer(of_point(shop, POINTS[1]), work, "no_time", "bob", NOON)
    assert await listed(POINTS[1]) == []
    assert (await shop.service.work_marks([POINTS[1]]))[POINTS[1]] == ""
    await store_takes(shop, work, POINTS[2])
    [one] = await shop.service.list_work([POINTS[2]], [], 50, None)
    assert (one.state, one.point_id) == (FulfilmentState.ACCEPTED, POINTS[2])


async def test_who_has_an_offer_reads_it_as_its_own_and_without_the_customers_address(shop: Shop) -> None:
    _, work = await offer(shop, "key-1", POINTS[1:3])
    mine = await shop.service.get_fulfilment(work, [POINTS[1]])
    assert (mine.fulfilment.point_id, mine.ship_to) == (POINTS[1], None)
    others = await shop.service.get_fulfilment(work, ["store-of-others"])
    assert others.fulfilment.point_id == PLANNED
    await store_takes(shop, work, POINTS[1])
    won = await shop.service.get_fulfilment(work, [POINTS[1]])
    assert won.ship_to
    lost = await shop.service.get_fulfilment(work, [POINTS[2]])
    assert lost.fulfilment.point_id == POINTS[1]


async def test_offers_are_listed_newest_first_by_point_state_order_and_work(shop: Shop) -> None:
    first_order, first = await offer(shop, "key-1", POINTS[1:3])
    _, second = await offer(shop, "key-2", POINTS[1:3])
    await store_takes(shop, second, POINTS[2])

    async def found(**wanted: Any) -> list[tuple[str, str]]:
        listed = await shop.service.list_offers(OfferFilter(**wanted), 50, None)
        return [(one.fulfilment_id, one.offer.point_id) for one in listed]

    assert len(await found()) == 4
    assert await found(order_id=first_order, point_ids=(POINTS[1],)) == [(first, POINTS[1])]
    assert await found(states=(OfferState.ACCEPTED,)) == [(second, POINTS[2])]
    assert await found(fulfilment_id=second, states=(OfferState.LOST,)) == [(second, POINTS[1])]
    page = await shop.service.list_offers(OfferFilter(), 3, None)
    rest = await shop.service.list_offers(OfferFilter(), 3, page[-1].position)
    assert len({one.position for one in (*page, *rest)}) == 4


async def test_smoothing_counts_the_offers_that_points_have_open(shop: Shop) -> None:
    for number in range(2):
        await offer(shop, f"key-{number}", ["a"])
    _, work = await offer(shop, "key-x", ["a", "b", "c"], sizes=(2,))
    listed = await shop.service.list_offers(OfferFilter(fulfilment_id=work), 50, None)
    assert sorted(one.offer.point_id for one in listed) == ["a", "b"]
    _, work = await offer(shop, "key-y", ["a", "b", "c"], sizes=(2,))
    listed = await shop.service.list_offers(OfferFilter(fulfilment_id=work), 50, None)
    assert sorted(one.offer.point_id for one in listed) == ["b", "c"]


async def test_work_that_nobody_took_is_a_list_and_a_person_gives_it_away(shop: Shop) -> None:
    order_id, work = await offer(shop, "key-1", [PLANNED, "a"])
    patient = replace(COMPETING, competition=replace(ASKS_A_PERSON, rings=(20,)))
    await shop.service.publish_life_cycle(patient)
    order_id = await shop.record("key-2")
    [work] = await shop.accept(order_id)
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    await shop.service.offer_ring(shop.asked(), work, 1, candidates(PLANNED, "a"), NOON)
    await shop.service.look_at_offers(shop.asked(), work, LATER)
    assert await _unclaimed(shop) == []
    await shop.service.end_offering(shop.asked(), work, LATER)
    assert await _unclaimed(shop) == [order_id]
    with pytest.raises(FailedPrecondition):
        await shop.service.accept_offer(of_point(shop, "a"), work, "anna", LATER)
    given = await shop.service.assign_work(shop.asked(), work, "a", "eve", LATER)
    [claim] = [one for one in given.offers if one.state == OfferState.CLAIMED]
    await shop.service.settle_claim(shop.asked(), work, claim.claim_id, LATER + timedelta(seconds=1), held=True)
    assert await _unclaimed(shop) == []


async def _unclaimed(shop: Shop) -> list[str]:
    return [one.order.order_id for one in await shop.service.list_orders(OrderFilter(unclaimed=True), 50, None)]


async def test_what_is_owed_elsewhere_is_uncertain_while_a_claim_is_not_settled(shop: Shop) -> None:
    order_id, work = await offer(shop, "key-1", POINTS[1:3])
    assert not (await shop.service.list_obligations([order_id], "", 1))[0].in_flux
    taken = await shop.service.accept_offer(of_point(shop, POINTS[1]), work, "anna", NOON)
    assert (await shop.service.list_obligations([order_id], "", 1))[0].in_flux
    [claim] = [one for one in taken.offers if one.claim_id]
    await shop.service.settle_claim(shop.asked(), work, claim.claim_id, NOON, held=True)
    [owed] = await shop.service.list_obligations([order_id], "", 1)
    assert (owed.in_flux, owed.units) == (False, (("SKU-1", POINTS[1], 2),))
