"""Pick lists and manifests on a real database: who gets which work, and what is picked and leaves together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, NotFound
from kit.feed import Bell
from kit.values.gs1 import check_digit
from services.orders.changing import Asked
from services.orders.domain.model import Reach
from services.orders.domain.picking import FoundArticle
from services.orders.domain.states import FulfilmentState
from services.orders.domain.substituting import Substitute
from services.orders.manifesting import Manifests
from services.orders.picking import PickLists
from services.orders.picking_store import PickList
from tests.services.orders.builders import COOLED, NOON, Shop, found, leg, line, outcome, rows

LYON = "store-lyon"
_S = FulfilmentState


@pytest.fixture
def pick_lists(orders_db: AsyncEngine) -> PickLists:
    return PickLists(orders_db, Bell())


@pytest.fixture
def manifests(orders_db: AsyncEngine) -> Manifests:
    return Manifests(orders_db, Bell(), "3012345")


async def accepted(shop: Shop, *quantities: int) -> list[str]:
    """Orders of so many units each of one article, the first to leave first, accepted by Lyon."""
    works: list[str] = []
    for n, quantity in enumerate(quantities, start=1):
        _, (one,) = await shop.release(f"key-{n}", leg((1, quantity), hours=n), lines=[line(1, quantity)])
        await shop.service.accept_offer(shop.asked(), one, "anna", NOON)
        works.append(one)
    return works


def slots(listed: PickList) -> dict[str, str]:
    return {
        work.fulfilment.picking.slot: work.fulfilment.fulfilment_id
        for work in listed.works
        if work.fulfilment.picking
    }


async def open_list(
    pick_lists: PickLists, asked: Asked, *works: str, size: int = 0, actor: str = "anna"
) -> PickList:
    return await pick_lists.open(asked, LYON, works, size, actor, COOLED)


def states(listed: PickList) -> Sequence[FulfilmentState]:
    return [work.fulfilment.state for work in listed.works]


async def test_a_proposal_is_what_must_leave_first_and_nobody_picks(shop: Shop, pick_lists: PickLists) -> None:
    first, second, third = await accepted(shop, 1, 1, 1)
    asked = shop.asked()
    listed = await open_list(pick_lists, asked, size=2)
    assert slots(listed) == {"A": first, "B": second}
    assert (await open_list(pick_lists, asked, size=2)).pick_list_id == listed.pick_list_id, "asked again"
    assert slots(await open_list(pick_lists, shop.asked(), actor="bob")) == {"A": third}
    with pytest.raises(FailedPrecondition) as refused:
        await open_list(pick_lists, shop.asked())
    assert refused.value.reason == "NOTHING_TO_PICK"
    assert {one.actor for one in await pick_lists.list_open([LYON])} == {"anna", "bob"}


async def test_a_proposal_is_of_the_brands_of_who_asks(shop: Shop, pick_lists: PickLists) -> None:
    await accepted(shop, 1, 1)
    _, (other,) = await shop.release("key-9", leg((1, 1)), lines=[line(1, 1, brand="atelier")])
    await shop.service.accept_offer(shop.asked(), other, "anna", NOON)
    asked = replace(shop.asked(), reach=Reach(frozenset({LYON}), frozenset({"atelier"})))
    listed = await open_list(pick_lists, asked, size=1)
    assert slots(listed) == {"A": other}
    assert await pick_lists.get(listed.pick_list_id, asked.reach) == listed
    with pytest.raises(NotFound):
        await pick_lists.get(listed.pick_list_id, Reach(brands=frozenset({"maison"})))
    assert await pick_lists.list_open([LYON], Reach(brands=frozenset({"maison"}))) == []


async def test_works_that_are_named_are_claimed_all_or_none(shop: Shop, pick_lists: PickLists) -> None:
    first, second, third = await accepted(shop, 1, 1, 1)
    assert slots(await open_list(pick_lists, shop.asked(), third, first)) == {"A": third, "B": first}
    refusal = await outcome(open_list(pick_lists, shop.asked(), second, first, actor="bob"))
    assert refusal == "BEING_PICKED"
    assert slots(await open_list(pick_lists, shop.asked(), second, actor="bob")) == {"A": second}
    assert await outcome(open_list(pick_lists, shop.asked(), "ful_none")) == "FULFILMENT_NOT_FOUND"


async def test_many_who_begin_at_once_never_share_a_work(shop: Shop, pick_lists: PickLists) -> None:
    works = await accepted(shop, *[1] * 6)
    lists = await asyncio.gather(
        *(open_list(pick_lists, shop.asked(), size=2, actor=f"picker_{n}") for n in range(3))
    )
    assert sorted(one for listed in lists for one in slots(listed).values()) == sorted(works)


async def test_claimed_work_is_picked_by_who_has_it_or_by_all_once_it_is_put_back(
    shop: Shop, pick_lists: PickLists
) -> None:
    first, second = await accepted(shop, 1, 1)
    listed = await open_list(pick_lists, shop.asked(), actor="anna")

    async def pick(work: str, actor: str) -> str:
        return await outcome(shop.service.record_pick(shop.asked(), work, found((1, 1)), actor, COOLED))

    assert await pick(first, "bob") == "PICKED_BY_ANOTHER"
    assert await pick(first, "anna") == "done"
    after = await pick_lists.put_back(shop.asked(), listed.pick_list_id, [], "carl", COOLED)
    assert (slots(after), after.closed_at) == ({}, COOLED)
    assert await pick(second, "bob") == "done"
    again = pick_lists.put_back(shop.asked(), listed.pick_list_id, [], "carl", COOLED)
    assert await outcome(again) == "PICK_LIST_CLOSED"


async def test_a_list_goes_on_while_a_work_of_it_is_left(shop: Shop, pick_lists: PickLists) -> None:
    first, second = await accepted(shop, 1, 1)
    listed = await open_list(pick_lists, shop.asked())
    after = await pick_lists.put_back(shop.asked(), listed.pick_list_id, [first], "anna", COOLED)
    assert (slots(after), after.closed_at) == ({"B": second}, None)
    wrong = pick_lists.put_back(shop.asked(), listed.pick_list_id, ["ful_none"], "anna", COOLED)
    assert await outcome(wrong) == "INVALID_FIELD"


async def test_a_finished_list_picks_each_work_and_says_what_is_short_and_why(
    shop: Shop, pick_lists: PickLists, orders_db: AsyncEngine
) -> None:
    first, second, third = await accepted(shop, 2, 2, 1)
    listed = await open_list(pick_lists, shop.asked())
    asked = shop.asked()
    said = [FoundArticle("SKU-1", 3, "damaged")]
    for _ in range(2):
        done = await pick_lists.finish(asked, listed.pick_list_id, said, "anna", COOLED)
        assert states(done.pick_list) == [_S.PICKED, _S.PICKED, _S.SHORT]
        assert [sum(one.quantity for one in work.fulfilment.lines) for work in done.pick_list.works[:2]] == [2, 1]
        assert (done.pick_list.closed_at, done.left_over) == (COOLED, {})
    events = await rows(
        orders_db,
        "SELECT type, data FROM outbox WHERE type LIKE '%.picked' OR type LIKE '%.short' ORDER BY id",
    )
    assert [(one.type.rpartition(".")[2], [row["reason"] for row in one.data["short"]]) for one in events] == [
        ("picked", []),
        ("picked", ["damaged"]),
        ("short", ["damaged"]),
    ]
    assert {first, second, third} == {one.data["fulfilment_id"] for one in events}


async def test_what_was_cancelled_meanwhile_is_put_back_on_its_shelf(shop: Shop, pick_lists: PickLists) -> None:
    await accepted(shop, 1, 2)
    listed = await open_list(pick_lists, shop.asked())
    order_id = listed.works[0].fulfilment.order_id
    await shop.service.request_cancellation(shop.asked(), order_id, "changed_mind", "cust", COOLED)
    done = await pick_lists.finish(shop.asked(), listed.pick_list_id, [FoundArticle("SKU-1", 3)], "anna", COOLED)
    assert states(done.pick_list) == [_S.CANCELLED, _S.PICKED]
    assert done.left_over == {"SKU-1": 1}


async def test_a_list_says_which_lines_take_something_else_and_gives_it_to_their_work(
    shop: Shop, pick_lists: PickLists, orders_db: AsyncEngine
) -> None:
    (strict,) = await accepted(shop, 1)
    _, (open_minded,) = await shop.release(
        "key-9", leg((1, 2), hours=9), lines=[line(1, 2, allow_substitutes=True)]
    )
    await shop.service.accept_offer(shop.asked(), open_minded, "anna", NOON)
    listed = await open_list(pick_lists, shop.asked())
    assert [(one.substitutable, one.channel_id) for one in listed.works] == [
        (frozenset(), "web-fr"),
        ({1}, "web-fr"),
    ]
    pears = [Substitute(1, "PEARS", 1, "Pears")]

    async def finish(units: int, given: Mapping[str, Sequence[Substitute]], asked: Asked | None = None) -> str:
        said = [FoundArticle("SKU-1", units, "damaged")]
        finishing = pick_lists.finish(asked or shop.asked(), listed.pick_list_id, said, "anna", COOLED, given)
        return await outcome(finishing)

    assert await finish(0, {strict: pears}) == "SUBSTITUTES_NOT_ALLOWED"
    assert await finish(3, {open_minded: pears}) == "INVALID_FIELD", "nothing of it is missing"
    assert await finish(2, {"ful_none": pears}) == "INVALID_FIELD"
    asked = shop.asked()
    for _ in range(2):
        assert await finish(2, {open_minded: pears}, asked) == "done"
    after = await pick_lists.get(listed.pick_list_id)
    assert states(after) == [_S.PICKED, _S.PICKED]
    assert [(one.sku, one.quantity, one.ordered_sku) for one in after.works[1].fulfilment.lines] == [
        ("SKU-1", 1, ""),
        ("PEARS", 1, "SKU-1"),
    ]
    assert [one.substitutable for one in after.works] == [frozenset()] * 2, "nothing of it is to be picked"
    told = await rows(orders_db, "SELECT data FROM outbox WHERE type LIKE '%.picked' ORDER BY id")
    assert [one.data.get("substituted") for one in told] == [
        None,
        [{"line_number": 1, "sku": "PEARS", "quantity": 1, "ordered_sku": "SKU-1"}],
    ]


async def test_what_is_given_to_work_that_was_cancelled_meanwhile_is_put_back(
    shop: Shop, pick_lists: PickLists
) -> None:
    await accepted(shop, 1)
    order_id, (gone,) = await shop.release(
        "key-9", leg((1, 1), hours=9), lines=[line(1, 1, allow_substitutes=True)]
    )
    await shop.service.accept_offer(shop.asked(), gone, "anna", NOON)
    listed = await open_list(pick_lists, shop.asked())
    await shop.service.request_cancellation(shop.asked(), order_id, "changed_mind", "cust", COOLED)
    said, given = [FoundArticle("SKU-1", 1)], {gone: [Substitute(1, "PEARS", 1, "Pears")]}
    done = await pick_lists.finish(shop.asked(), listed.pick_list_id, said, "anna", COOLED, given)
    assert states(done.pick_list) == [_S.PICKED, _S.CANCELLED]
    assert done.left_over == {"PEARS": 1}


async def test_a_list_is_finished_by_who_has_it_and_says_every_article(shop: Shop, pick_lists: PickLists) -> None:
    await accepted(shop, 1)
    listed = await open_list(pick_lists, shop.asked())
    finish = pick_lists.finish
    said = [FoundArticle("SKU-1", 1)]
    assert await outcome(finish(shop.asked(), listed.pick_list_id, said, "bob", COOLED)) == "PICKED_BY_ANOTHER"
    assert await outcome(finish(shop.asked(), listed.pick_list_id, [], "anna", COOLED)) == "INVALID_FIELD"
    assert slots(await pick_lists.get(listed.pick_list_id)), "nothing was picked"


async def test_a_list_of_another_point_does_not_exist(shop: Shop, pick_lists: PickLists) -> None:
    (first,) = await accepted(shop, 1)
    listed = await open_list(pick_lists, shop.asked())
    elsewhere = Reach(frozenset({"store-paris"}))
    with pytest.raises(NotFound):
        await pick_lists.get(listed.pick_list_id, elsewhere)
    asked = replace(shop.asked(), reach=elsewhere)
    assert await outcome(pick_lists.put_back(asked, listed.pick_list_id, [], "x", COOLED)) == "PICK_LIST_NOT_FOUND"
    other_brand = replace(shop.asked(), reach=Reach(brands=frozenset({"other"})))
    refusal = await outcome(pick_lists.put_back(other_brand, listed.pick_list_id, [], "x", COOLED))
    assert refusal == "PICK_LIST_NOT_FOUND"
    assert await outcome(open_list(pick_lists, replace(shop.asked(), reach=elsewhere), first)) != "done"


# -- manifests --------------------------------------------------------------------------------------------


async def packed(shop: Shop, *captured: bool) -> list[str]:
    works: list[str] = []
    for n, is_captured in enumerate(captured, start=1):
        _, (one,) = await shop.release(f"key-{n}", leg((1, 2), hours=n))
        await shop.pack(one, captured=is_captured)
        works.append(one)
    return works


async def test_a_manifest_hands_over_what_may_leave_and_says_what_stays(
    shop: Shop, manifests: Manifests, orders_db: AsyncEngine
) -> None:
    first, unpaid, third = await packed(shop, True, False, True)
    asked = shop.asked()
    for _ in range(2):
        closed = await manifests.close(asked, LYON, "colis", "anna", COOLED)
        assert closed.manifest is not None
        assert [one.fulfilment_id for one in closed.manifest.parcels] == [first, third]
        assert [(one.fulfilment_id, one.reason) for one in closed.kept] == [(unpaid, "NOT_CAPTURED")]
        assert closed.left == 0
    assert closed.manifest is not None
    parcel = closed.manifest.parcels[0]
    assert (parcel.weight_grams, parcel.units) == (900, 2)
    assert parcel.sscc[-1] == check_digit(parcel.sscc[:-1])
    assert len({one.tracking_code for one in closed.manifest.parcels}) == 2
    work = (await shop.service.get_fulfilment(first)).fulfilment
    assert work.parcel is not None
    assert (work.state, work.parcel.tracking_code) == (_S.HANDED_OVER, parcel.tracking_code)
    told = await rows(orders_db, "SELECT data FROM outbox WHERE type = 'oms.orders.fulfilment.handed_over'")
    assert {one.data["fulfilment_id"] for one in told} == {first, third}


async def test_manifests_are_numbered_in_the_order_of_their_closing(shop: Shop, manifests: Manifests) -> None:
    await packed(shop, True)
    one = (await manifests.close(shop.asked(), LYON, "colis", "anna", COOLED)).manifest
    _, (later,) = await shop.release("key-9", leg((1, 2)))
    await shop.pack(later)
    two = (await manifests.close(shop.asked(), LYON, "colis", "anna", COOLED + timedelta(hours=1))).manifest
    assert one
    assert two
    assert one.number < two.number
    assert [found.number for found in await manifests.list_of(LYON, 0, 10)] == [two.number, one.number]
    assert await manifests.list_of(LYON, two.number, 10) == [one] == [await manifests.get(one.manifest_id)]
    assert await manifests.list_of("store-paris", 0, 10) == []
    with pytest.raises(NotFound):
        await manifests.get(one.manifest_id, Reach(frozenset({"store-paris"})))


async def test_without_a_parcel_that_may_leave_there_is_no_manifest(shop: Shop, manifests: Manifests) -> None:
    close = manifests.close
    assert await outcome(close(shop.asked(), LYON, "colis", "anna", COOLED)) == "NOTHING_TO_HAND_OVER"
    await packed(shop, False)
    assert await outcome(close(shop.asked(), LYON, "other", "anna", COOLED)) == "NOTHING_TO_HAND_OVER"
    closed = await close(shop.asked(), LYON, "colis", "anna", COOLED)
    assert (closed.manifest, [one.reason for one in closed.kept]) == (None, ["NOT_CAPTURED"])


async def test_two_who_close_at_once_hand_each_parcel_over_once(shop: Shop, manifests: Manifests) -> None:
    works = await packed(shop, True, True)
    outcomes = await asyncio.gather(
        *(manifests.close(shop.asked(), LYON, "colis", "anna", COOLED) for _ in range(2)), return_exceptions=True
    )
    made = [one.manifest for one in outcomes if not isinstance(one, BaseException) and one.manifest]
    assert [parcel.fulfilment_id for one in made for parcel in one.parcels] == works
    refused = [one for one in outcomes if isinstance(one, FailedPrecondition)]
    assert [one.reason for one in refused] == ["NOTHING_TO_HAND_OVER"]
