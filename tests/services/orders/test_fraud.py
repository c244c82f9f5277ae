"""Fraud over real rows: who is known again, orders that come at once, reviews; and life cycles as are kept."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument
from kit.feed import Bell
from oms.orders.v1 import orders_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.orders.amending import Amending
from services.orders.appointing import Appointments
from services.orders.domain.fraud_policy import (
    AmountOver,
    Band,
    Condition,
    DeliveredOutside,
    FraudPolicy,
    FraudRule,
    NewCustomer,
    NoEmail,
    Trait,
    UnitsOver,
    Velocity,
)
from services.orders.domain.model import (
    Buyer,
    Customer,
    HoldDefault,
    HoldKind,
    HoldRule,
    LifeCycle,
    PaymentTerms,
    Wanted,
)
from services.orders.domain.states import OrderState
from services.orders.holding import Holding
from services.orders.identities import Identities
from services.orders.reading import OrderFilter
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.translate import from_life_cycle, to_life_cycle
from tests.services.orders.builders import (
    BUYER,
    IDENTITIES,
    LIFE_CYCLE,
    NOON,
    PLANTED,
    PROMISE,
    Shop,
    content,
    leg,
    line,
    outcome,
    rows,
)
from tests.trips import round_trips

EVERYTHING = OrderFilter()
GUEST = replace(BUYER, customer=Customer(name="Guest"))


async def judge_by(shop: Shop, *conditions: Condition, weight: int = 60, hold_seconds: int = 0) -> None:
    rules = tuple(
        FraudRule(f"{one.kind}-{i}", weight, "in words", one) for i, one in enumerate(conditions, start=1)
    )
    seconds = HoldRule(HoldKind.FRAUD, hold_seconds, HoldDefault.CANCEL, ("customer_service",))
    hold_rules = (seconds,) if hold_seconds else ()
    policy = FraudPolicy(rules, review_at=50, refuse_at=100)
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, fraud=policy, hold_rules=hold_rules))


async def record(shop: Shop, key: str, buyer: Buyer = BUYER, at: datetime = NOON, **changes: Any) -> str:
    view, _ = await shop.service.record_order(key, content(**changes), buyer, at, at)
    return view.order.order_id


async def band(shop: Shop, order_id: str) -> Band | None:
    """What the rules make of it, now that it is accepted."""
    await shop.accept(order_id)
    check = (await shop.service.get_order(order_id)).order.fraud
    return check.band if check else None


async def test_what_orders_are_known_by_says_nothing_of_people(shop: Shop, orders_db: AsyncEngine) -> None:
    await shop.record()
    kept = await rows(orders_db, "SELECT digest FROM order_trait")
    assert len(kept) == 4, "customer, e-mail, address, payment"
    assert not [word for row in kept for word in PLANTED if word.encode() in bytes(row.digest)]
    others = {one for each in Identities("another key").of(content(), BUYER).values() for one in each}
    assert not others & {bytes(row.digest) for row in kept}


def test_people_are_known_again_however_they_write() -> None:
    loud = replace(
        BUYER,
        customer=replace(BUYER.customer, customer_id="", email=" ZOE.Plantee@Example.org "),
        ship_to=replace(BUYER.ship_to, street_lines=("7, Impasse", "du  Secret"), name="Z. P."),
    )
    paid_otherwise = content(payment=PaymentTerms("provider_authorisation_id", "auth_1"))
    once, again = IDENTITIES.of(content(), BUYER), IDENTITIES.of(paid_otherwise, loud)
    assert set(again) == {Trait.EMAIL, Trait.ADDRESS}
    assert all(once[trait] == again[trait] for trait in again)
    assert IDENTITIES.of(paid_otherwise, Buyer()) == {}


async def test_haste_counts_orders_of_the_trait_within_its_hours_whatever_became_of_them(shop: Shop) -> None:
    await judge_by(shop, Velocity(Trait.EMAIL, hours=2, more_than_orders=2))
    await record(shop, "long ago", at=NOON - timedelta(hours=3))
    await record(shop, "other", buyer=GUEST)
    first = await record(shop, "first", at=NOON - timedelta(hours=1))
    assert await band(shop, first) is None
    await shop.service.request_cancellation(shop.asked(), first, "no", "zoe", NOON)
    second, third = await record(shop, "second"), await record(shop, "third")
    assert await band(shop, third) is Band.REVIEW
    assert await band(shop, second) is Band.REVIEW, "when it was accepted there were three"


async def test_haste_counts_money_in_its_currency(shop: Shop) -> None:
    await judge_by(shop, Velocity(Trait.ADDRESS, 1, more_than_minor=3 * 6490 - 1, currency="EUR"))
    made = [await record(shop, f"key-{i}") for i in range(2)]
    assert [await band(shop, one) for one in made] == [None, None]
    assert await band(shop, await record(shop, "key-3")) is Band.REVIEW


async def test_of_orders_that_come_at_once_one_at_least_is_found(shop: Shop) -> None:
    await judge_by(shop, Velocity(Trait.PAYMENT, 1, more_than_orders=3))

    async def placed(i: int) -> Band | None:
        return await band(shop, await record(shop, f"key-{i}"))

    assert Band.REVIEW in await asyncio.gather(*(placed(i) for i in range(4)))


async def test_a_customer_is_new_until_an_order_of_his_stood(shop: Shop) -> None:
    await judge_by(shop, NewCustomer())
    assert await band(shop, await record(shop, "guest", GUEST)) is Band.REVIEW
    first = await record(shop, "first")
    await shop.service.request_cancellation(shop.asked(), first, "no", "zoe", NOON)
    second = await record(shop, "second", at=NOON + timedelta(minutes=1))
    assert await band(shop, second) is Band.REVIEW, "the first did not stand"
    elsewhere = replace(BUYER, customer=replace(BUYER.customer, customer_id="cus_9"))
    third = await record(shop, "third", elsewhere, at=NOON + timedelta(minutes=2))
    assert await band(shop, third) is None, "known by her e-mail"


async def test_a_refusal_is_answered_kept_and_repeated(shop: Shop, orders_db: AsyncEngine) -> None:
    await judge_by(shop, NoEmail(), weight=100)
    order_id = await record(shop, "key", GUEST)
    asked = shop.asked()
    for request in (asked, asked, shop.asked()):
        planned = await shop.service.accept_order(
            request, order_id, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON
        )
        assert planned.refusal is not None
        assert (planned.state, planned.fulfilments) == (OrderState.RECORDED, ())
        assert (planned.refusal.reason, planned.refusal.lines) == ("FRAUD_SUSPECTED", ())
    assert planned.refusal is not None
    state = await shop.service.refuse_order(shop.asked(), order_id, planned.refusal, NOON)
    assert state == OrderState.REFUSED
    events = str(await rows(orders_db, "SELECT type, data FROM outbox"))
    assert "no_email" not in events
    assert "score" not in events
    entries = await shop.service.get_timeline(order_id)
    assert [one.data["score"] for one in entries if one.kind == "order.fraud_checked"] == [100]


async def test_a_changed_order_is_judged_where_it_goes_then_and_by_the_means_that_it_had(
    shop: Shop, orders_db: AsyncEngine
) -> None:
    desk = Amending(orders_db, Bell(), IDENTITIES)
    await judge_by(
        shop,
        DeliveredOutside(("FR",)),
        Velocity(Trait.PAYMENT, 1, more_than_minor=3 * 6490 - 1, currency="EUR"),
        hold_seconds=3600,
    )
    made = [await record(shop, f"key-{i}") for i in range(2)]
    assert [await band(shop, one) for one in made] == [None, None]
    abroad = replace(BUYER.ship_to, country="BE", postcode="1000", city="Bruxelles")
    moved = await desk.change_address(shop.asked(), made[0], abroad, True, "web", ("channel",), NOON)
    await desk.apply(shop.asked(), made[0], moved.change.change_id, [leg((1, 2))], PROMISE, "dec_2", NOON)
    more = content(line(1, 5, net_minor=12_500, tax_minor=2_500))
    wanted = Wanted(more.lines, more.total, more.mode)
    asked = await desk.propose(shop.asked(), made[1], wanted, None, "web", ("channel",), NOON)
    await desk.apply(shop.asked(), made[1], asked.change.change_id, [leg((1, 5))], PROMISE, "dec_2", NOON)
    for order_id, rule in zip(made, ("delivered_outside-1", "velocity-2"), strict=True):
        one = (await shop.service.get_order(order_id)).order
        assert one.fraud is not None
        assert [hit.rule for hit in one.fraud.hits] == [rule]
    queue = await shop.service.list_reviews(EVERYTHING, 10, None)
    assert {view.order.order_id for view in queue} == set(made)


async def test_a_cancellation_wins_over_a_refusal(shop: Shop) -> None:
    await judge_by(shop, NoEmail(), weight=100)
    order_id = await record(shop, "key", GUEST)
    legs = [leg((1, 2))]
    await shop.service.accept_order(shop.asked(), order_id, legs, PROMISE, "dec_1", "authorized", NOON)
    await shop.service.request_cancellation(shop.asked(), order_id, "no", "zoe", NOON)
    planned = await shop.service.accept_order(shop.asked(), order_id, legs, PROMISE, "dec_1", "authorized", NOON)
    assert (planned.state, planned.refusal) == (OrderState.CANCELLING, None)


async def test_reviews_are_a_queue_by_deadline(shop: Shop, orders_db: AsyncEngine) -> None:
    await judge_by(shop, NoEmail())
    late, soon, let_go, refused = [await record(shop, f"key-{i}", GUEST) for i in range(4)]
    for one in (late, soon, let_go, refused):
        assert await band(shop, one) is Band.REVIEW
    await shop.accept(await record(shop, "calm"))
    holding = Holding(orders_db, Bell())

    async def hold_of(order_id: str) -> str:
        (hold,) = [
            one for one in (await shop.service.get_order(order_id)).order.holds if one.kind is HoldKind.FRAUD
        ]
        return hold.hold_id

    who: Any = ("carol", ("customer_service",), NOON)
    await holding.extend_hold(shop.asked(), soon, await hold_of(soon), NOON + timedelta(hours=1), "", *who)
    await holding.release_hold(shop.asked(), let_go, await hold_of(let_go), "known", *who)
    await holding.refuse_hold(shop.asked(), refused, await hold_of(refused), "stolen", *who)
    found = await shop.service.list_reviews(EVERYTHING, 10, None)
    assert [one.order.order_id for one in found] == [soon, late]
    after = NOON + timedelta(hours=1), soon
    assert [one.order.order_id for one in await shop.service.list_reviews(EVERYTHING, 10, after)] == [late]
    assert await shop.service.list_reviews(OrderFilter(("app-fr",)), 10, None) == []
    assert await shop.service.list_reviews(OrderFilter(brands=("other",)), 10, None) == []
    assert (await shop.service.get_order(let_go)).order.state == OrderState.VALIDATED
    assert (await shop.service.get_order(refused)).order.state == OrderState.CANCELLING
    # Nobody decides on the others in time: their default cancels them.
    await holding.lapse_holds(NOON + timedelta(days=2), 10)
    assert await shop.service.list_reviews(EVERYTHING, 10, None) == []
    assert (await shop.service.get_order(late)).order.state == OrderState.CANCELLING


async def test_who_has_no_rules_pays_nothing_for_them(shop: Shop, orders_db: AsyncEngine) -> None:
    plain = await shop.record("plain")
    without = await round_trips(orders_db, shop.accept(plain))
    await judge_by(shop, Velocity(Trait.EMAIL, 1, 5), Velocity(Trait.ADDRESS, 24, 5), NewCustomer())
    judged = await shop.record("judged")
    assert await round_trips(orders_db, shop.accept(judged)) == without + 2, "the buyer, and one query for all"


async def test_published_life_cycles_are_listed_by_their_latest_version_and_found_by_any(shop: Shop) -> None:
    await judge_by(shop, NoEmail())
    other = LifeCycle("another", 1, 0, 60, 60, 0)
    await shop.service.publish_life_cycle(other)
    found = await shop.service.list_life_cycles()
    assert [(one.life_cycle_id, one.version) for one in found] == [("another", 1), ("standard", 2)]
    assert await shop.service.get_life_cycle("standard", 0) == found[1]
    first = await shop.service.get_life_cycle("standard", 1)
    assert first == LIFE_CYCLE
    again = await shop.service.publish_life_cycle(found[1])
    assert again.version == 2, "nothing differs"
    assert await outcome(shop.service.get_life_cycle("standard", 3)) == "LIFE_CYCLE_NOT_FOUND"
    assert await outcome(shop.service.get_life_cycle("none", 0)) == "LIFE_CYCLE_NOT_FOUND"


def test_every_condition_is_the_same_on_the_wire_and_back() -> None:
    conditions: tuple[Condition, ...] = (
        AmountOver("EUR", 100),
        Velocity(Trait.PAYMENT, 24, 3, 200, "EUR"),
        DeliveredOutside(("FR", "BE")),
        NoEmail(),
        UnitsOver(3),
        NewCustomer(("home_express",)),
    )
    rules = tuple(FraudRule(one.kind, 10, "so", one) for one in conditions)
    whole = replace(LIFE_CYCLE, fraud=FraudPolicy(rules, 50, 100))
    assert to_life_cycle(from_life_cycle(whole)) == whole
    assert to_life_cycle(from_life_cycle(LIFE_CYCLE)) == LIFE_CYCLE
    nothing = pb.LifeCycle(fraud=pb.FraudPolicy(rules=[pb.FraudRule(name="none")]))
    policy = to_life_cycle(nothing).fraud
    assert policy is not None
    assert policy.rules[0].condition is None


async def test_a_page_of_reviews_tells_how_to_go_on(shop: Shop, orders_db: AsyncEngine) -> None:
    await judge_by(shop, NoEmail())
    made = [await record(shop, f"key-{i}", GUEST) for i in range(3)]
    for one in made:
        await shop.accept(one)
    parts = orders_db, Bell()
    rpc = OrdersRpc(shop.service, Refunds(*parts), Holding(*parts), shop.tracking, Appointments(*parts))
    told, cursor = [], ""
    for size in (2, 1):
        page = types.PageRequest(size=2, cursor=cursor)
        answer = await rpc.ListReviews(pb.ListReviewsRequest(page=page), None)
        assert len(answer.orders) == size
        assert {one.fraud.score for one in answer.orders} == {60}
        told += [one.order_id for one in answer.orders]
        cursor = answer.page.next_cursor
    assert (told, cursor) == (sorted(made), "")
    with pytest.raises(InvalidArgument):
        await rpc.GetLifeCycle(pb.GetLifeCycleRequest(life_cycle_id="standard", version=-1), None)
