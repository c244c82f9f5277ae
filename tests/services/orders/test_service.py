"""Orders on a real database: placed once, raced for, never lost, never talking about people."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import derived_id
from services.orders.changing import Asked
from services.orders.domain.capture import Outcome
from services.orders.domain.model import LifeCycle, PaymentShare, PaymentTerms, PersonalText, Reach, Refusal
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from services.orders.reading import OrderFilter
from services.orders.store import content_digest
from tests.services.orders.builders import (
    BUYER,
    CHANNEL,
    COOLED,
    LIFE_CYCLE,
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
from tests.trips import round_trips

LATE = NOON + timedelta(hours=2)
RING = line(1, 2, personalisations=("engraved_name",))
ENGRAVED = PersonalText(1, "engraved_name", "Zoé")


# -- placement --------------------------------------------------------------------------------------------


async def test_an_order_is_read_as_it_was_sent(shop: Shop) -> None:
    sent = content(line(2, 80_000), line(1), channel_order_number="W-7")
    view, existed = await shop.service.record_order("key-1", sent, BUYER, NOON, NOON)
    read = await shop.service.get_order(view.order.order_id)
    assert not existed
    assert read == view
    assert read.order.order_id == derived_id("ord", "web-fr", "key-1")
    assert read.buyer == BUYER
    assert [one.line_number for one in read.order.content.lines] == [1, 2]
    assert read.customer_status == "received"
    assert read.order.life_cycle == LIFE_CYCLE


async def test_when_the_channel_took_the_order_is_kept_beside_when_it_was_placed(shop: Shop) -> None:
    sent = content(source_placed_at=NOON - timedelta(days=4000))
    view, _ = await shop.service.record_order("key-1", sent, BUYER, NOON, NOON)
    read = await shop.service.get_order(view.order.order_id)
    assert (read.order.content.source_placed_at, read.order.placed_at) == (sent.source_placed_at, NOON)
    again, existed = await shop.service.record_order("key-1", sent, BUYER, LATE, LATE)
    assert (again, existed) == (read, True)


def test_orders_of_before_the_source_date_keep_their_digest() -> None:
    """It was computed without the field: with another digest, their repeated placement would be a conflict."""
    before = "f00c633d39ee217965dee161900e0924bfce4541634f0fa8d054318b98347935"
    buyer = replace(BUYER, gift_message="")
    assert content_digest(content(), buyer).hex() == before
    assert content_digest(content(source_placed_at=NOON), buyer).hex() != before
    kept = PaymentTerms("payment_method_token", "pm_card_visa", save_means=True)
    assert content_digest(content(payment=kept), BUYER).hex() != before
    assert content_digest(content(replace(line(), taken_at_point_id="st-lyon")), BUYER).hex() != before
    assert content_digest(content(replace(line(), personalisations=("name",))), BUYER).hex() != before
    assert content_digest(content(), replace(BUYER, personalisations=(ENGRAVED,))).hex() != before


async def test_a_text_is_read_with_its_order_and_another_one_is_another_order(shop: Shop) -> None:
    sent, buyer = content(RING), replace(BUYER, personalisations=(ENGRAVED,))
    view, _ = await shop.service.record_order("key-1", sent, buyer, NOON, NOON)
    read = await shop.service.get_order(view.order.order_id)
    assert (read.buyer, read.order.content.lines) == (buyer, (RING,))
    again, existed = await shop.service.record_order("key-1", sent, buyer, LATE, LATE)
    assert existed
    assert again == read
    other = replace(buyer, personalisations=(replace(ENGRAVED, text="Zoe"),))
    with pytest.raises(Conflict) as caught:
        await shop.service.record_order("key-1", sent, other, LATE, LATE)
    assert caught.value.facts["field"] == "personalisations[0].text"


async def test_who_has_the_work_reads_the_texts_of_its_lines_and_says_how_far_it_is(shop: Shop) -> None:
    buyer = replace(BUYER, personalisations=(ENGRAVED,))
    view, _ = await shop.service.record_order("key-1", content(RING, line(2, 1)), buyer, NOON, NOON)
    order_id = view.order.order_id
    ring, other = await shop.accept(order_id, leg((1, 2)), leg((2, 1), point="store-nice"))
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    for one in (ring, other):
        await shop.service.offer_fulfilment(shop.asked(), one, NOON)
    assert (await shop.service.get_fulfilment(ring, ["store-lyon"])).texts == (ENGRAVED,)
    assert (await shop.service.get_fulfilment(other)).texts == ()
    await shop.service.accept_offer(shop.asked(), ring, "anna", NOON)
    await shop.service.record_pick(shop.asked(), ring, found((1, 2)), "anna", NOON)
    assert await outcome(shop.service.close_parcel(shop.asked(), ring, 900, "anna", NOON)) == "NOT_PERSONALISED"
    begun = await shop.service.begin_personalisation(shop.asked(), ring, "anna", NOON)
    assert (begun.personalising_since, begun.personalised_at) == (NOON, None)
    assert begun == (await shop.service.get_fulfilment(ring)).fulfilment
    done = await shop.service.complete_personalisation(shop.asked(), ring, "anna", LATE)
    assert done == (await shop.service.get_fulfilment(ring)).fulfilment
    assert done.personalised_at == LATE
    packed = await shop.service.close_parcel(shop.asked(), ring, 900, "anna", LATE, "colis-s")
    assert packed.state is FulfilmentState.PACKED
    kept = (await shop.service.get_fulfilment(ring)).fulfilment.parcel
    assert kept
    assert kept.box_id == "colis-s"


async def test_a_gift_message_is_for_the_point_that_sends_it_and_no_part_of_older_digests(shop: Shop) -> None:
    gift = replace(BUYER, gift_message="Happy birthday, Zoé!")
    view, _ = await shop.service.record_order("gift", content(), gift, NOON, NOON)
    assert (await shop.service.get_order(view.order.order_id)).buyer == gift
    (work,) = await shop.accept(view.order.order_id)
    assert (await shop.service.get_fulfilment(work)).gift_message == "Happy birthday, Zoé!"
    other = replace(gift, gift_message="Happy new year!")
    assert await outcome(shop.service.record_order("gift", content(), other, NOON, NOON)) == "IDEMPOTENCY_CONFLICT"
    for wrong in ("x" * 301, "two\nlines"):
        bad = replace(BUYER, gift_message=wrong)
        assert await outcome(shop.service.record_order("bad", content(), bad, NOON, NOON)) == "INVALID_FIELD"


async def test_spoiled_units_are_taken_from_the_work_once(shop: Shop) -> None:
    buyer = replace(BUYER, personalisations=(ENGRAVED,))
    view, _ = await shop.service.record_order("key-1", content(RING, line(2, 1)), buyer, NOON, NOON)
    order_id = view.order.order_id
    (ring,) = await shop.accept(order_id, leg((1, 2), (2, 1)))
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    await shop.service.offer_fulfilment(shop.asked(), ring, NOON)
    await shop.service.accept_offer(shop.asked(), ring, "anna", NOON)
    await shop.service.record_pick(shop.asked(), ring, found((1, 2), (2, 1)), "anna", NOON)
    await shop.service.begin_personalisation(shop.asked(), ring, "anna", NOON)
    asked = shop.asked()
    spoiled = await shop.service.report_spoiled(asked, ring, found((1, 1)), "anna", NOON)
    assert [one.quantity for one in spoiled.lines] == [1, 1]
    assert await shop.service.report_spoiled(asked, ring, found((1, 1)), "anna", LATE) == spoiled
    assert spoiled == (await shop.service.get_fulfilment(ring)).fulfilment
    order = (await shop.service.get_order(order_id)).order
    assert sum(one.quantity for one in order.ranges if one.state is UnitState.UNPLACED) == 1


async def test_the_same_key_and_content_give_the_same_order(shop: Shop) -> None:
    first, _ = await shop.service.record_order("key-1", content(line(1), line(2)), BUYER, NOON, NOON)
    again, existed = await shop.service.record_order("key-1", content(line(2), line(1)), BUYER, LATE, LATE)
    assert existed
    assert again == first


async def test_a_repeat_is_answered_even_when_the_channel_no_longer_sells_the_brand(shop: Shop) -> None:
    order_id = await shop.record()
    await shop.open(brands=("other",))
    assert await shop.record() == order_id
    with pytest.raises(InvalidArgument) as caught:
        await shop.record("key-2")
    assert caught.value.facts["field"] == "lines[0].brand"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quote_id": "quo_2"}, "quote_id"),
        ({"lines": (line(1), line(2))}, "lines"),
        ({"lines": (line(1, title="Other"),)}, "lines[0].title"),
        ({"channel_order_number": "W-2"}, "channel_order_number"),
        ({"source_placed_at": NOON}, "source_placed_at"),
    ],
)
async def test_the_same_key_with_other_content_names_the_field(
    shop: Shop, changes: dict[str, Any], field: str
) -> None:
    order_id = await shop.record()
    with pytest.raises(Conflict) as caught:
        await shop.record("key-1", **changes)
    assert (caught.value.reason, caught.value.facts["field"]) == ("IDEMPOTENCY_CONFLICT", field)
    assert caught.value.facts["order_id"] == order_id


async def test_another_address_under_the_same_key_names_the_field_and_no_address(shop: Shop) -> None:
    await shop.record()
    moved = replace(BUYER, ship_to=replace(BUYER.ship_to, postcode="75001"))
    with pytest.raises(Conflict) as caught:
        await shop.service.record_order("key-1", content(), moved, NOON, NOON)
    assert caught.value.facts["field"] == "ship_to.postcode"
    assert "69002" not in str(caught.value)
    assert "75001" not in str(caught.value)


async def test_fifty_placements_at_once_are_one_order(shop: Shop, orders_db: AsyncEngine) -> None:
    answers = await asyncio.gather(
        *(shop.service.record_order("key-1", content(), BUYER, NOON, NOON) for _ in range(50))
    )
    assert len({view.order.order_id for view, _ in answers}) == 1
    assert sum(not existed for _, existed in answers) == 1
    for table in ("orders", "order_line", "line_range", "outbox", "timeline"):
        assert (await rows(orders_db, f"SELECT count(*) FROM {table}"))[0][0] == 1


async def test_fifty_at_once_with_other_content_are_one_order_and_conflicts(shop: Shop) -> None:
    answers = await asyncio.gather(*(outcome(shop.record("key-1", quote_id=f"quo_{i % 5}")) for i in range(50)))
    assert Counter(answers) == {"done": 10, "IDEMPOTENCY_CONFLICT": 40}


async def test_one_key_in_two_channels_is_two_orders(shop: Shop) -> None:
    await shop.service.put_sales_channels([replace(CHANNEL, channel_id="app-fr")])
    assert await shop.record() != await shop.record("key-1", channel_id="app-fr")


async def test_an_unknown_channel_is_named(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await shop.record("key-1", channel_id="nowhere")
    assert (caught.value.reason, caught.value.facts["field"]) == ("UNKNOWN_CHANNEL", "channel_id")


async def test_a_placement_takes_at_most_four_round_trips(shop: Shop, orders_db: AsyncEngine) -> None:
    assert await round_trips(orders_db, shop.record("key-1", line(1), line(2, 80_000))) <= 4


async def test_a_step_of_a_fulfilment_takes_at_most_six_round_trips(shop: Shop, orders_db: AsyncEngine) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    accept = shop.service.accept_offer(shop.asked(), work, "anna", NOON)
    assert await round_trips(orders_db, accept) <= 6


# -- settings ---------------------------------------------------------------------------------------------


async def test_a_life_cycle_gets_a_new_version_only_when_something_differs(shop: Shop) -> None:
    assert await shop.service.publish_life_cycle(replace(LIFE_CYCLE, version=0)) == LIFE_CYCLE
    longer = await shop.service.publish_life_cycle(replace(LIFE_CYCLE, cooling_off_seconds=3600))
    assert longer.version == 2


async def test_an_order_keeps_the_life_cycle_that_it_began_with(shop: Shop) -> None:
    old = await shop.record("old")
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, offer_seconds=60))
    new = await shop.record("new")
    assert (await shop.service.get_order(old)).order.life_cycle.version == 1
    assert (await shop.service.get_order(new)).order.life_cycle.offer_seconds == 60


async def test_publishing_the_same_life_cycle_at_once_makes_one_version(shop: Shop) -> None:
    new = LifeCycle("fast", 0, 0, 60, 60, 0)
    published = await asyncio.gather(*(shop.service.publish_life_cycle(new) for _ in range(8)))
    assert {one.version for one in published} == {1}


async def test_only_channels_that_differ_are_written(shop: Shop) -> None:
    other = replace(CHANNEL, channel_id="app-fr")
    assert await shop.service.put_sales_channels([CHANNEL, other]) == 1
    assert await shop.service.put_sales_channels([CHANNEL, replace(other, name="App")]) == 1
    assert await shop.service.put_sales_channels([]) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"life_cycle_id": "none"}, "channels[0].life_cycle_id"),
        ({"currency": "euro"}, "channels[0].currency"),
        ({"channel_id": ""}, "channels[0].channel_id"),
    ],
)
async def test_a_bad_channel_is_named(shop: Shop, changes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await shop.service.put_sales_channels([replace(CHANNEL, **changes)])  # type: ignore[arg-type]
    assert caught.value.facts["field"] == field


# -- a whole life -----------------------------------------------------------------------------------------

LINES = (line(1, 3), line(2, 1))


async def test_an_order_goes_the_whole_way(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id, (one, two) = await shop.release(
        "key-1", leg((1, 2)), leg((1, 1), (2, 1), point="store-paris"), lines=LINES
    )
    await shop.pack(one)
    handed = await shop.service.hand_over(shop.asked(), one, "", "anna", NOON)
    assert (await shop.service.get_order(order_id)).customer_status == "partially shipped"
    await shop.pack(two)
    await shop.service.hand_over(shop.asked(), two, "TRACK-2", "bob", NOON)
    assert (await shop.service.get_order(order_id)).customer_status == "shipped"
    assert handed.parcel
    for number, code in enumerate((handed.parcel.tracking_code, "TRACK-2")):
        await shop.scan(f"e{number}", code, "delivered")
    assert await shop.service.close_order(shop.asked(), order_id, NOON) == OrderState.CLOSED
    view = await shop.service.get_order(order_id)
    assert view.customer_status == "delivered"
    assert {units.state for units in view.order.ranges} == {UnitState.DELIVERED}
    amounts = [work.parcel.amount_minor for work in view.order.fulfilments if work.parcel]
    assert sum(amounts) == view.order.content.total.amount_minor
    types = [row.type for row in await rows(orders_db, "SELECT type FROM outbox ORDER BY id")]
    steps = [f"fulfilment.{kind}" for kind in ("accepted", "picked", "packed", "captured", "handed_over")]
    steps.insert(4, "document.issued")
    assert types == [
        *(f"oms.orders.order.{kind}" for kind in ("recorded", "validated", "released")),
        *["oms.orders.fulfilment.offered"] * 2,
        *(f"oms.orders.{step}" for step in steps * 2),
        *["oms.orders.fulfilment.delivered"] * 2,
        "oms.orders.order.closed",
    ]


async def test_events_say_which_order_channel_and_point(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work)
    events = {row.type: row for row in await rows(orders_db, "SELECT type, subject, order_id, data FROM outbox")}
    packed = events["oms.orders.fulfilment.packed"]
    assert packed.subject == f"fulfilment/{work}"
    assert packed.order_id == order_id
    assert packed.data == {
        "order_id": order_id,
        "channel_id": "web-fr",
        "fulfilment_id": work,
        "point_id": "store-lyon",
        "parcel_id": packed.data["parcel_id"],
        "amount_minor": 6490,
        "currency": "EUR",
        "lines": [{"line_number": 1, "sku": "SKU-1", "quantity": 2}],
    }
    assert events["oms.orders.order.released"].subject == f"order/{order_id}"


async def test_the_timeline_tells_people_what_happened(shop: Shop) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.service.refuse_offer(shop.asked(), work, "no_staff", "anna", NOON)
    await shop.service.reroute_units(shop.asked(), order_id, [], found((1, 2)), "NO_STOCK", "dec_2", NOON)
    entries = await shop.service.get_timeline(order_id)
    assert [entry.kind for entry in entries] == [
        "order.recorded",
        "order.validated",
        "order.released",
        "fulfilment.offered",
        "fulfilment.refused",
        "order.units_cancelled",
    ]
    assert entries[0].text == "The order was received: 2 units for 64.90 EUR."
    assert entries[4].text == "store-lyon refused the work: no staff."
    assert (entries[4].actor, entries[4].fulfilment_id) == ("anna", work)
    assert [entry.entry_id for entry in entries] == sorted(entry.entry_id for entry in entries)


async def test_personal_data_stays_in_the_table_of_customers(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id, (one, two) = await shop.release(
        "key-1", leg((1, 2)), leg((1, 1), (2, 1)), lines=(line(1, 3, title="Ring engraved Zoé"), line(2, 1))
    )
    await shop.pack(one)
    await shop.service.hand_over(shop.asked(), one, "", "anna", NOON)
    await shop.service.accept_offer(shop.asked(), two, "anna", NOON)
    await shop.service.record_pick(shop.asked(), two, found((1, 0), (2, 0)), "anna", NOON)
    await shop.service.reroute_units(shop.asked(), order_id, [], found((1, 1), (2, 1)), "NONE", "dec", NOON)
    cancelled = await shop.record("key-2")
    await shop.service.request_cancellation(shop.asked(), cancelled, "Zoé Plantée asked", "customer", NOON)
    buyer = replace(BUYER, personalisations=(ENGRAVED,))
    engraved, _ = await shop.service.record_order("key-4", content(RING), buyer, NOON, NOON)
    (work,) = await shop.accept(engraved.order.order_id)
    await shop.service.release_order(shop.asked(), engraved.order.order_id, COOLED)
    await shop.service.offer_fulfilment(shop.asked(), work, NOON)
    await shop.service.accept_offer(shop.asked(), work, "anna", NOON)
    await shop.service.record_pick(shop.asked(), work, found((1, 2)), "anna", NOON)
    await shop.service.begin_personalisation(shop.asked(), work, "anna", NOON)
    await shop.service.request_cancellation(shop.asked(), engraved.order.order_id, "", "eve", NOON)
    refused = await shop.record("key-3")
    refusal = Refusal("NOT_DELIVERABLE", "impasse du Secret is unknown")
    await shop.service.refuse_order(shop.asked(), refused, refusal, NOON)
    for table in ("outbox", "timeline"):
        written = str(await rows(orders_db, f"SELECT * FROM {table}"))
        assert len(written) > 100
        assert not [word for word in PLANTED if word in written]
    kept = str(await rows(orders_db, "SELECT * FROM order_customer"))
    assert all(word in kept for word in PLANTED)


CODE, TOKEN = "7Q3XB2M4D9KF8W1A", "pm_secret_visa"
MEANS = PaymentTerms(
    "payment_method_token", TOKEN, (PaymentShare("stored_value_code", CODE, 3_000),), save_means=True
)


async def stand(shop: Shop, order_id: str, end: str) -> None:
    """Brings a recorded order to where its means are not needed any more."""
    if end == "accepted":
        await shop.accept(order_id)
    elif end == "refused":
        await shop.service.refuse_order(shop.asked(), order_id, Refusal("PAYMENT_DECLINED", "lost_card"), NOON)
    else:
        await shop.service.request_cancellation(shop.asked(), order_id, "anna", "changed my mind", NOON)
        await shop.service.complete_cancellation(shop.asked(), order_id, NOON)


async def test_means_are_kept_as_they_were_sent_until_the_order_stands(shop: Shop) -> None:
    """Whoever starts its missing workflow reads them from here."""
    order_id = await shop.record(payment=MEANS)
    (waiting,) = await shop.service.list_unstarted(LATE, 10)
    assert (waiting.order.order_id, waiting.order.content.payment) == (order_id, MEANS)


@pytest.mark.parametrize("end", ["accepted", "refused", "cancelled"])
async def test_what_could_pay_again_is_forgotten_once_the_order_stands_or_never_will(
    shop: Shop, orders_db: AsyncEngine, end: str
) -> None:
    order_id = await shop.record(payment=MEANS)
    await stand(shop, order_id, end)
    tables = [
        row.tablename
        for row in await rows(orders_db, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    written = [str(await rows(orders_db, f"SELECT to_jsonb(t) FROM {table} t")) for table in tables]
    assert not [secret for secret in (CODE, TOKEN) if any(secret in one for one in written)]
    payment = (await shop.service.get_order(order_id)).order.content.payment
    assert (payment.kind, payment.save_means, payment.first[0].amount_minor) == (MEANS.kind, True, 3_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, ""),
        ({"payment": replace(MEANS, value="pm_other")}, "payment"),
        ({"payment": replace(MEANS, save_means=False)}, "payment.save_means"),
        ({"quote_id": "quo_2"}, "quote_id"),
    ],
)
async def test_a_repeat_of_an_order_that_forgot_its_means_is_told_from_another(
    shop: Shop, changes: dict[str, Any], field: str
) -> None:
    order_id = await shop.record(payment=MEANS)
    await shop.accept(order_id)
    if not field:
        assert await shop.record(payment=MEANS) == order_id
        return
    with pytest.raises(Conflict) as caught:
        await shop.record(**{"payment": MEANS, **changes})
    assert caught.value.facts["field"] == field


async def test_a_reference_of_the_channel_s_is_no_secret(shop: Shop) -> None:
    order_id = await shop.record(payment=PaymentTerms("paid_by_channel_reference", "order-7"))
    await shop.accept(order_id)
    assert (await shop.service.get_order(order_id)).order.content.payment.value == "order-7"


# -- requests ---------------------------------------------------------------------------------------------


async def test_a_repeated_request_gives_the_first_answer_whatever_came_after(shop: Shop) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    accept = Asked("accept-1", b"same")
    first = await shop.service.accept_offer(accept, work, "anna", NOON)
    await shop.service.record_pick(shop.asked(), work, found((1, 2)), "anna", NOON)
    assert await shop.service.accept_offer(accept, work, "anna", LATE) == first
    assert first.state == FulfilmentState.ACCEPTED
    with pytest.raises(Conflict) as caught:
        await shop.service.accept_offer(Asked("accept-1", b"other"), work, "anna", NOON)
    assert caught.value.facts["field"] == "request_id"


async def test_one_request_sent_twenty_times_at_once_acts_once(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id = await shop.record()
    asked = Asked("accept", b"")
    plans = await asyncio.gather(
        *(
            shop.service.accept_order(asked, order_id, [leg((1, 2))], PROMISE, "dec", "authorized", NOON)
            for _ in range(20)
        )
    )
    assert len({plan.fulfilments for plan in plans}) == 1
    assert (await rows(orders_db, "SELECT count(*) FROM fulfilment"))[0][0] == 1


async def test_an_order_or_fulfilment_that_does_not_exist_is_named(shop: Shop) -> None:
    assert await outcome(shop.service.get_order("ord_none")) == "ORDER_NOT_FOUND"
    assert await outcome(shop.service.get_timeline("ord_none")) == "ORDER_NOT_FOUND"
    assert await outcome(shop.service.release_order(shop.asked(), "ord_none", NOON)) == "ORDER_NOT_FOUND"
    assert await outcome(shop.service.get_fulfilment("ful_none")) == "FULFILMENT_NOT_FOUND"
    with pytest.raises(NotFound) as caught:
        await shop.service.accept_offer(shop.asked(), "ful_none", "", NOON)
    assert caught.value.facts["field"] == "fulfilment_id"


# -- whose work it is -------------------------------------------------------------------------------------

MINE = [Reach(), Reach(frozenset({"store-lyon", "store-nice"})), Reach(brands=frozenset({"aubier", "maison"}))]
NOT_MINE = [
    Reach(frozenset({"store-nice"})),
    Reach(brands=frozenset({"aubier"})),
    Reach(frozenset({"store-lyon"}), frozenset({"aubier"})),
    Reach(frozenset({"store-nice"}), frozenset({"maison"})),
]


@pytest.mark.parametrize("reach", NOT_MINE)
async def test_work_out_of_reach_does_not_exist_whatever_is_asked(
    shop: Shop, orders_db: AsyncEngine, reach: Reach
) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work, captured=False)
    before = await rows(orders_db, "SELECT * FROM timeline")
    service, asked = shop.service, [replace(shop.asked(), reach=reach) for _ in range(6)]
    acts = [
        service.accept_offer(asked[0], work, "", NOON),
        service.refuse_offer(asked[1], work, "no such reason", "", NOON),
        service.record_pick(asked[2], work, found((9, 9)), "", NOON),
        service.close_parcel(asked[3], work, 900, "", NOON),
        service.record_capture(asked[4], work, Outcome("captured", "", "", NOON)),
        service.hand_over(asked[5], work, "", "", NOON),
    ]
    with pytest.raises(NotFound) as unknown:
        await service.accept_offer(shop.asked(), "ful_none", "", NOON)
    for act in acts:
        with pytest.raises(NotFound) as caught:
            await act
        assert (caught.value.reason, caught.value.detail) == (unknown.value.reason, unknown.value.detail)
        assert caught.value.facts == {"field": "fulfilment_id", "fulfilment_id": work}
    assert await rows(orders_db, "SELECT * FROM timeline") == before
    ids = {row.request_id for row in await rows(orders_db, "SELECT request_id FROM request")}
    assert ids.isdisjoint(one.request_id for one in asked), "the id of a request that did nothing is free"


@pytest.mark.parametrize("reach", MINE)
async def test_work_in_reach_is_done(shop: Shop, reach: Reach) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    done = await shop.service.accept_offer(replace(shop.asked(), reach=reach), work, "anna", NOON)
    assert done.state == FulfilmentState.ACCEPTED


async def test_a_first_answer_is_for_those_in_reach_only(shop: Shop) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    asked = Asked("accept-1", b"same", Reach(frozenset({"store-lyon"})))
    first = await shop.service.accept_offer(asked, work, "anna", NOON)
    await shop.service.record_pick(shop.asked(), work, found((1, 2)), "anna", NOON)
    for reach in MINE:
        assert await shop.service.accept_offer(replace(asked, reach=reach), work, "anna", NOON) == first
    for reach in NOT_MINE:
        again = shop.service.accept_offer(replace(asked, reach=reach), work, "anna", NOON)
        assert await outcome(again) == "FULFILMENT_NOT_FOUND"


async def test_a_request_without_an_id_is_refused(shop: Shop) -> None:
    order_id = await shop.record()
    with pytest.raises(InvalidArgument) as caught:
        await shop.service.release_order(Asked("", b""), order_id, NOON)
    assert caught.value.facts["field"] == "request_id"


# -- money, hand-over, carrier ----------------------------------------------------------------------------


async def test_a_parcel_leaves_only_with_its_money_or_a_decision(shop: Shop) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work, captured=False)
    service = shop.service
    assert await outcome(service.hand_over(shop.asked(), work, "", "", NOON)) == "NOT_CAPTURED"
    override = service.record_capture(shop.asked(), work, Outcome("overridden", "good customer", "carol", NOON))
    assert await outcome(override) == "ILLEGAL_TRANSITION"
    await service.record_capture(shop.asked(), work, Outcome("failed", "insufficient_funds", "", NOON))
    with pytest.raises(FailedPrecondition) as caught:
        await service.hand_over(shop.asked(), work, "", "", NOON)
    assert caught.value.facts["capture_state"] == "failed"
    await service.record_capture(shop.asked(), work, Outcome("overridden", "good customer", "carol", NOON))
    gone = await service.hand_over(shop.asked(), work, "", "", NOON)
    assert gone.state == FulfilmentState.HANDED_OVER


async def test_what_became_of_the_money_is_recorded_after_a_cancellation_too(shop: Shop) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work, captured=False)
    await shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)
    after = await shop.service.record_capture(shop.asked(), work, Outcome("captured", "", "", NOON))
    assert after.state == FulfilmentState.CANCELLED
    assert after.parcel
    assert after.parcel.capture_state == "captured"


async def test_carrier_events_come_twice_late_and_out_of_order(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, "T1", "", NOON)

    async def scan(event_id: str, status: str) -> tuple[FulfilmentState, bool]:
        after, duplicate = await shop.scan(event_id, "T1", status)
        return after.state, duplicate

    handed_over, delivered = FulfilmentState.HANDED_OVER, FulfilmentState.DELIVERED
    assert await scan("e1", "in_transit") == (handed_over, False)
    assert await scan("e1", "in_transit") == (handed_over, True)
    assert await scan("e2", "in_transit") == (handed_over, False)
    assert await scan("e3", "delivered") == (delivered, False)
    assert await scan("e4", "delivered") == (delivered, False)
    assert await scan("e5", "in_transit") == (delivered, False)
    assert await scan("e1", "in_transit") == (handed_over, True)
    told = await rows(orders_db, "SELECT type FROM outbox WHERE type ~ 'in_transit|delivered' ORDER BY id")
    assert [row.type.rpartition(".")[2] for row in told] == ["in_transit", "delivered"]
    assert len(await rows(orders_db, "SELECT * FROM carrier_event")) == 5
    assert (await shop.service.get_order(order_id)).customer_status == "delivered"


async def test_a_code_that_no_parcel_has_is_named(shop: Shop) -> None:
    with pytest.raises(NotFound) as caught:
        await shop.scan("e1", "nope", "delivered")
    assert caught.value.reason == "PARCEL_NOT_FOUND"


async def test_two_parcels_of_a_carrier_never_share_a_code(shop: Shop) -> None:
    for number, expected in ((1, "done"), (2, "TRACKING_CODE_TAKEN")):
        _, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        await shop.pack(work)
        assert await outcome(shop.service.hand_over(shop.asked(), work, "T1", "", NOON)) == expected


# -- lists ------------------------------------------------------------------------------------------------


async def test_orders_are_listed_newest_first_page_by_page(shop: Shop) -> None:
    ids = [
        (await shop.service.record_order(f"k{i}", content(), BUYER, NOON + timedelta(minutes=i // 2), NOON))[0]
        for i in range(7)
    ]
    expected = sorted(((v.order.placed_at, v.order.order_id) for v in ids), reverse=True)
    seen: list[tuple[Any, str]] = []
    after = None
    while page := await shop.service.list_orders(OrderFilter(), 3, after):
        seen += [(view.order.placed_at, view.order.order_id) for view in page]
        after = seen[-1]
    assert seen == expected


async def test_orders_are_filtered(shop: Shop) -> None:
    await shop.service.put_sales_channels([replace(CHANNEL, channel_id="app-fr")])
    one = await shop.record("k1", channel_order_number="W-1")
    two = await shop.record("k2", line(brand="other"), channel_id="app-fr", channel_order_number="W-2")
    await shop.accept(two)

    async def listed(**wanted: Any) -> list[str]:
        return [view.order.order_id for view in await shop.service.list_orders(OrderFilter(**wanted), 9, None)]

    assert await listed(channel_ids=("app-fr",)) == [two]
    assert await listed(brands=("maison", "none")) == [one]
    assert await listed(state=OrderState.VALIDATED) == [two]
    assert await listed(channel_order_number="W-1") == [one]
    assert await listed(channel_ids=("none",)) == []


async def test_a_work_list_shows_what_must_leave_first(shop: Shop) -> None:
    _, (late,) = await shop.release("k1", leg((1, 2), hours=9))
    _, (soon,) = await shop.release("k2", leg((1, 2), hours=2))
    _, (elsewhere,) = await shop.release("k3", leg((1, 2), point="store-paris"))
    order_id = await shop.record("k4")
    await shop.accept(order_id)

    async def listed(points: list[str], states: list[FulfilmentState]) -> list[str]:
        return [one.fulfilment_id for one in await shop.service.list_work(points, states, 9, None)]

    assert await listed(["store-lyon"], []) == [soon, late]
    assert await listed(["store-paris"], []) == [elsewhere]
    await shop.pack(soon)
    assert await listed(["store-lyon"], [FulfilmentState.PACKED]) == [soon]
    assert await listed(["store-lyon"], [FulfilmentState.OFFERED]) == [late]
    page = await shop.service.list_work([], [], 1, None)
    rest = await shop.service.list_work([], [], 9, (page[0].hand_over_by, page[0].fulfilment_id))
    assert {one.fulfilment_id for one in page + rest} == {late, soon, elsewhere}


async def test_the_mark_of_a_point_changes_with_its_open_work_and_with_nothing_else(shop: Shop) -> None:
    async def marks() -> dict[str, str]:
        return await shop.service.work_marks(["store-lyon", "store-paris"])

    assert await marks() == {"store-lyon": "", "store-paris": ""}
    seen = [await marks()]

    async def changed() -> set[str]:
        seen.append(await marks())
        return {point for point, mark in seen[-1].items() if mark != seen[-2][point]}

    _, (work,) = await shop.release("k1", leg((1, 2)))
    assert await changed() == {"store-lyon"}
    await shop.release("k2", leg((1, 2), point="store-paris"))
    assert await changed() == {"store-paris"}
    await shop.record("k3")
    assert await changed() == set()
    await shop.pack(work, captured=False)
    assert await changed() == {"store-lyon"}
    await shop.service.record_capture(shop.asked(), work, Outcome("captured", "", "", NOON))
    assert await changed() == {"store-lyon"}
    await shop.service.hand_over(shop.asked(), work, "", "anna", NOON)
    assert await changed() == {"store-lyon"}
    assert seen[-1]["store-lyon"] == ""


async def test_a_fulfilment_says_where_its_parcel_goes(shop: Shop) -> None:
    _, (work,) = await shop.release("k1", leg((1, 2)))
    read = await shop.service.get_fulfilment(work)
    assert (read.ship_to, read.channel_id, read.brands) == (BUYER.ship_to, "web-fr", ("maison",))


async def test_orders_that_nobody_started_are_found_oldest_first(shop: Shop) -> None:
    for i in range(4):
        await shop.service.record_order(f"k{i}", content(), BUYER, NOON, NOON + timedelta(minutes=i))
    started = derived_id("ord", "web-fr", "k1")
    await shop.accept(started)
    waiting = derived_id("ord", "web-fr", "k2")
    await shop.service.require_payment_action(shop.asked(), waiting, "https://pay.example", NOON)
    cancelled = derived_id("ord", "web-fr", "k0")
    await shop.service.request_cancellation(shop.asked(), cancelled, "", "", NOON)
    found_ = await shop.service.list_unstarted(NOON + timedelta(minutes=4), 10)
    assert [view.order.order_id for view in found_] == [cancelled, derived_id("ord", "web-fr", "k3")]
