"""Changes as they are kept: one transaction each, raced by picks, and nothing personal outside the buyer's row."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.orders.amending import Amending
from services.orders.domain import personalising
from services.orders.domain.model import ChangeRefusal, PersonalText, Units, Wanted
from services.orders.domain.states import ChangeState, OrderState
from tests.services.orders.builders import (
    BUYER,
    COOLED,
    IDENTITIES,
    NOON,
    PLANTED,
    PROMISE,
    Shop,
    content,
    found,
    leg,
    line,
    outcome,
    rows,
)

ANYBODY = ("channel",)
ELSEWHERE = replace(BUYER.ship_to, postcode="75011", city="Paris", street_lines=("1 rue Cachée",))


@pytest.fixture
def desk(orders_db: AsyncEngine) -> Amending:
    return Amending(orders_db, Bell(), IDENTITIES)


def wanted(*lines: object) -> Wanted:
    made = content(*lines)  # type: ignore[arg-type]
    return Wanted(made.lines, made.total, made.mode)


async def test_units_are_cancelled_once_and_the_point_has_less_to_do(
    shop: Shop, desk: Amending, orders_db: AsyncEngine
) -> None:
    order_id, (work_id,) = await shop.release("key-1", leg((1, 3)), lines=[line(1, 3)])
    asked = shop.asked()
    for _ in range(2):
        done = await desk.cancel_lines(asked, order_id, [Units(1, "", 1)], "", "web", ANYBODY, NOON)
    assert (done.change.state, done.change.settled) == (ChangeState.APPLIED, False)
    work = (await shop.service.get_fulfilment(work_id)).fulfilment
    assert [one.quantity for one in work.lines] == [2]
    told = await rows(orders_db, "SELECT type, data FROM outbox WHERE type LIKE '%lines_cancelled' ORDER BY id")
    assert [row.type for row in told] == [
        "oms.orders.order.lines_cancelled",
        "oms.orders.fulfilment.lines_cancelled",
    ]
    (flux,) = await shop.service.list_obligations([order_id], "", 10)
    assert flux.in_flux
    await desk.settle(shop.asked(), order_id, done.change.change_id, NOON)
    (calm,) = await shop.service.list_obligations([order_id], "", 10)
    assert (calm.in_flux, calm.units) == (False, (("SKU-1", "store-lyon", 2),))


async def test_a_pick_and_a_cancellation_of_the_same_units_have_one_winner(shop: Shop, desk: Amending) -> None:
    for number in range(8):
        order_id, (work_id,) = await shop.release(f"key-{number}", leg((1, 2)), lines=[line(1, 2)])
        await shop.service.accept_offer(shop.asked(), work_id, "anna", NOON)
        picked, cancelled = await asyncio.gather(
            outcome(shop.service.record_pick(shop.asked(), work_id, found((1, 2)), "anna", NOON)),
            outcome(desk.cancel_lines(shop.asked(), order_id, [Units(1, "", 1)], "", "web", ANYBODY, NOON)),
        )
        assert (picked, cancelled) in (("done", "TOO_LATE_TO_CHANGE"), ("INVALID_FIELD", "done"))


async def test_an_address_is_written_with_the_buyer_and_nowhere_else(
    shop: Shop, desk: Amending, orders_db: AsyncEngine
) -> None:
    order_id, (work_id,) = await shop.release("key-1", leg((1, 2)))
    address = replace(BUYER.ship_to, street_lines=("9 impasse du Secret",))
    done = await desk.change_address(shop.asked(), order_id, address, False, "web", ANYBODY, NOON)
    assert done.change.state is ChangeState.APPLIED
    assert (await shop.service.get_fulfilment(work_id)).ship_to == address
    for table in ("outbox", "timeline", "request", "orders"):
        text = str(await rows(orders_db, f"SELECT to_jsonb(t) FROM {table} t"))
        assert not any(word in text for word in PLANTED), table
    with pytest.raises(FailedPrecondition, match="cooling-off"):
        await desk.change_address(shop.asked(), order_id, ELSEWHERE, False, "web", ANYBODY, NOON)
    await shop.pack(work_id)
    with pytest.raises(FailedPrecondition) as late:
        await desk.change_address(shop.asked(), order_id, address, False, "web", ANYBODY, NOON)
    assert late.value.reason == "TOO_LATE_TO_CHANGE"


async def test_other_content_is_the_order_once_it_is_applied(shop: Shop, desk: Amending) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    new = wanted(line(1, 1), line(2, 3))
    done = await desk.propose(shop.asked(), order_id, new, ELSEWHERE, "web", ANYBODY, NOON)
    change_id = done.change.change_id
    proposal = await desk.get_proposal(order_id, change_id)
    assert (proposal.country, proposal.postcode, proposal.change.wanted) == (
        "FR",
        "75011",
        replace(new, other_address=True),
    )
    assert (await shop.service.get_order(order_id)).buyer == BUYER, "until it is applied it goes where it went"
    legs = [leg((1, 1)), leg((2, 3), point="b")]
    asked = shop.asked()
    for _ in range(2):
        applied = await desk.apply(asked, order_id, change_id, legs, PROMISE, "dec_2", NOON)
    assert len(applied.fulfilments) == 2
    view = await shop.service.get_order(order_id)
    assert (view.order.content.lines, view.order.content.total) == (new.lines, new.total)
    assert view.buyer.ship_to == ELSEWHERE
    assert [(one.line_number, one.quantity) for one in view.order.ranges] == [(1, 1), (2, 3)]
    # The channel sends the order again, as it was placed: it is the same order.
    assert await shop.record() == order_id


async def test_other_content_keeps_what_is_put_on_its_units(shop: Shop, desk: Amending) -> None:
    engraved = line(1, 2, personalisations=("name",))
    text = PersonalText(1, "name", "Zoé")
    buyer = replace(BUYER, personalisations=(text,))
    view, _ = await shop.service.record_order("key-1", content(engraved), buyer, NOON, NOON)
    order_id = view.order.order_id
    await shop.accept(order_id)
    new = wanted(replace(engraved, quantity=1), line(2, 3))
    done = await desk.propose(shop.asked(), order_id, new, ELSEWHERE, "web", ANYBODY, NOON, [text])
    legs = [leg((1, 1)), leg((2, 3), point="b")]
    applied = await desk.apply(shop.asked(), order_id, done.change.change_id, legs, PROMISE, "dec_2", NOON)
    assert [personalising.is_needed(one) for one in applied.fulfilments] == [True, False]
    assert (await shop.service.get_order(order_id)).buyer == replace(buyer, ship_to=ELSEWHERE)


ENGRAVED = line(1, 2, personalisations=("name",))
TEXT = PersonalText(1, "name", "Zoé Plantée")


async def engraved(shop: Shop, key: str = "key-1") -> str:
    """An order in cooling-off with a text on its units."""
    buyer = replace(BUYER, personalisations=(TEXT,), gift_message="Joyeux Noël")
    view, _ = await shop.service.record_order(key, content(ENGRAVED), buyer, NOON, NOON)
    await shop.accept(view.order.order_id)
    return view.order.order_id


async def test_texts_alone_are_changed_at_once_and_plan_nothing_anew(
    shop: Shop, desk: Amending, orders_db: AsyncEngine
) -> None:
    order_id = await engraved(shop)
    before = await shop.service.get_order(order_id)
    other = replace(TEXT, text="Léa Secret")
    asked = shop.asked()
    for _ in range(2):
        done = await desk.propose(
            asked, order_id, wanted(ENGRAVED), None, "web", ANYBODY, NOON, [other], "Bonne fête"
        )
        assert (done.change.state, done.change.settled) == (ChangeState.APPLIED, True)
    after = await shop.service.get_order(order_id)
    assert after.buyer == replace(before.buyer, personalisations=(other,), gift_message="Bonne fête")
    assert (after.order.fulfilments, after.order.ranges) == (before.order.fulfilments, before.order.ranges)
    assert after.order.content == before.order.content
    assert after.order.holds == before.order.holds
    kinds = [one.type for one in await rows(orders_db, "SELECT type FROM outbox ORDER BY id")]
    assert kinds.count("oms.orders.order.texts_changed") == 1
    assert "oms.orders.order.change_proposed" not in kinds
    for table in ("outbox", "timeline", "request", "orders", "notification"):
        told = str(await rows(orders_db, f"SELECT to_jsonb(t) FROM {table} t"))
        assert not any(word in told for word in ("Secret", "Bonne", *PLANTED)), table
    # One thing alone; an empty message is none.
    await desk.propose(shop.asked(), order_id, wanted(ENGRAVED), None, "web", ANYBODY, NOON, (), "")
    assert (await shop.service.get_order(order_id)).buyer == replace(after.buyer, gift_message="")
    with pytest.raises(InvalidArgument, match="NOTHING_CHANGES"):
        await desk.propose(shop.asked(), order_id, wanted(ENGRAVED), None, "web", ANYBODY, NOON, [other])
    # The channel sends the order again, as it was placed: it is the same order.
    again = replace(BUYER, personalisations=(TEXT,), gift_message="Joyeux Noël")
    assert (await shop.service.record_order("key-1", content(ENGRAVED), again, NOON, NOON))[1]


async def test_texts_are_judged_as_at_the_placement_and_only_in_cooling_off(shop: Shop, desk: Amending) -> None:
    order_id = await engraved(shop)
    buyer = (await shop.service.get_order(order_id)).buyer
    for text, message, field in (
        ("x" * 1_001, None, "lines[0].personalisations[0].text"),
        ("  ", None, "lines[0].personalisations[0].text"),
        ("Léa", "two\nlines", "gift_message"),
        ("Léa", "x" * 301, "gift_message"),
    ):
        sent = [replace(TEXT, text=text)]
        with pytest.raises(InvalidArgument) as caught:
            await desk.propose(shop.asked(), order_id, wanted(ENGRAVED), None, "web", ANYBODY, NOON, sent, message)
        assert caught.value.facts["field"] == field
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    with pytest.raises(FailedPrecondition) as late:
        await desk.propose(
            shop.asked(), order_id, wanted(ENGRAVED), None, "web", ANYBODY, COOLED, [replace(TEXT, text="Léa")]
        )
    assert late.value.reason == "TOO_LATE_TO_CHANGE"
    assert (await shop.service.get_order(order_id)).buyer == buyer


async def test_new_texts_come_with_other_content_and_not_before_it_is_applied(shop: Shop, desk: Amending) -> None:
    order_id = await engraved(shop)
    before = (await shop.service.get_order(order_id)).buyer
    second = replace(line(2, 3), personalisations=("name",))
    new = wanted(replace(ENGRAVED, quantity=1), second)
    sent = [replace(TEXT, text="Léa"), PersonalText(2, "name", "Tom")]

    async def propose() -> str:
        done = await desk.propose(shop.asked(), order_id, new, None, "web", ANYBODY, NOON, sent, "Bonne fête")
        assert done.change.state is ChangeState.PROPOSED
        return done.change.change_id

    refused = await propose()
    assert (await shop.service.get_order(order_id)).buyer == before
    with pytest.raises(FailedPrecondition, match="CHANGE_OPEN"):
        await desk.propose(shop.asked(), order_id, wanted(ENGRAVED), None, "web", ANYBODY, NOON, (), "Salut")
    await desk.refuse(shop.asked(), order_id, refused, ChangeRefusal("STOCK_UNAVAILABLE"), NOON)
    # What was refused is in nothing that is applied later.
    plain = await desk.propose(
        shop.asked(), order_id, wanted(replace(ENGRAVED, quantity=1)), None, "web", ANYBODY, NOON
    )
    legs = [leg((1, 1))]
    await desk.apply(shop.asked(), order_id, plain.change.change_id, legs, PROMISE, "dec_2", NOON)
    assert (await shop.service.get_order(order_id)).buyer == before
    await desk.settle(shop.asked(), order_id, plain.change.change_id, NOON)
    change_id = await propose()
    legs = [leg((1, 1), (2, 3))]
    await desk.apply(shop.asked(), order_id, change_id, legs, PROMISE, "dec_3", NOON)
    after = (await shop.service.get_order(order_id)).buyer
    assert after == replace(before, personalisations=tuple(sent), gift_message="Bonne fête")


async def test_what_comes_first_wins_against_a_proposed_change(shop: Shop, desk: Amending) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    done = await desk.propose(shop.asked(), order_id, wanted(line(1, 1)), None, "web", ANYBODY, NOON)
    await shop.service.request_cancellation(shop.asked(), order_id, "no longer", "web", NOON)
    late = await desk.apply(shop.asked(), order_id, done.change.change_id, [leg((1, 1))], PROMISE, "dec_2", NOON)
    assert (late.change.state, late.state, late.fulfilments) == (ChangeState.REFUSED, OrderState.CANCELLING, ())
    again = ChangeRefusal("STOCK_UNAVAILABLE")
    refused = await desk.refuse(shop.asked(), order_id, done.change.change_id, again, NOON)
    assert refused.change.refusal == late.change.refusal, "the first reason stays"


async def test_content_that_does_not_add_up_is_not_proposed(shop: Shop, desk: Amending) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    wrong = replace(wanted(line(1, 1)), total=content(line(2, 2), line(1, 1)).total)
    with pytest.raises(InvalidArgument) as caught:
        await desk.propose(shop.asked(), order_id, wrong, None, "web", ANYBODY, NOON)
    assert caught.value.reason == "TOTAL_MISMATCH"
    assert not (await shop.service.get_order(order_id)).order.changes
