"""A page of articles says of each what a quote of one unit of it says."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from services.promise.domain import listing, quoting
from services.promise.domain import network as n
from services.promise.domain.listing import Listed, ListedOption
from services.promise.domain.modes import CLICK_AND_COLLECT, E_RESERVATION, STORE_LOCKER
from services.promise.domain.plans import DeliveryOption, NotOffered
from services.promise.domain.rulesets import LowCover, Markdown, PriorityCost, Ruleset, Tier
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.network import (
    CHANNEL,
    LILLE,
    LYON,
    NOW,
    PARIS,
    TO_PARIS,
    collections,
    coming,
    euros,
    openings,
    point,
    request,
    ruleset,
    service,
    snapshot,
    terms,
)

CARRIERS = ("a", "b")


def random_carriers(random: Random) -> list[n.Carrier]:
    def sold(carrier: str, mode: n.Mode) -> n.CarrierService:
        is_today = mode is n.Mode.SAME_DAY
        base = random.choice((300, 400))
        zone = terms(
            transit_days_min=0 if is_today else 1,
            transit_days_max=0 if is_today else random.choice((1, 2)),
            rates=(n.RateStep(1_000, euros(base)), n.RateStep(5_000, euros(base + random.choice((0, 150))))),
            customer_price=euros(random.choice((0, 490))),
        )
        return service(
            f"{carrier}-{mode.value}",
            mode=mode,
            zones=(zone,) if random.random() < 0.9 else (),
            delivery_from_minute=18 * 60 if is_today else 480,
            delivery_until_minute=21 * 60,
            max_length_millimetres=random.choice((250, 2_000)),
            max_weight_grams=random.choice((900, 30_000)),
            max_distance_kilometres=random.choice((0, 0, 300)),
        )

    return [
        n.Carrier(name, tuple(sold(name, mode) for mode in n.Mode if random.random() < 0.6)) for name in CARRIERS
    ]


def random_network(random: Random, points: int = 0) -> Snapshot:
    places = [
        point(
            f"p{i}",
            type=random.choice((n.PointType.STORE, n.PointType.WAREHOUSE)),
            position=random.choice((LILLE, LYON, PARIS)),
            openings=openings(opens=random.choice((0, 600)), closes=1140),
            handling_minutes=random.choice((0, 120)),
            collections=tuple(
                visit
                for name in CARRIERS
                if random.random() < 0.8
                for visit in collections(name, random.choice((720, 1_080)))
            ),
            capabilities=frozenset(
                ability
                for ability in (n.SHIP_FROM_STORE, CLICK_AND_COLLECT, E_RESERVATION, STORE_LOCKER)
                if random.random() < 0.7
            ),
            brands=random.choice((frozenset(), frozenset(), frozenset({"b"}))),
            postcode="75001",
        )
        for i in range(points or random.randint(2, 8))
    ]
    items = [
        n.Item(
            f"s{i}",
            random.choice("ab"),
            random.choice((200, 1_000, 1_500, 40_000)),
            random.choice((100, 300)),
            tags=frozenset({"pair"} if i < 2 else ()),
            prices={CHANNEL: euros(2_000)},
        )
        for i in range(6)
    ]

    def position() -> n.StockPosition:
        facts = n.Facts(
            daily_sales=random.choice((0.0, 2.0)),
            markdown_date=random.choice((None, (NOW + timedelta(days=5)).date())),
            markdown_percent=40,
            find_rate=random.choice((1.0, 0.6)),
        )
        return n.StockPosition(
            free=random.choice((-1, 0, 1, 2, 5)),
            safety_stock={CHANNEL: random.choice((0, 1))} if random.random() < 0.9 else {},
            routing_buffers={CHANNEL: random.choice((1, 2))} if random.random() < 0.3 else {},
            facts=facts,
            purposes=random.choice(({}, {}, {CHANNEL: frozenset({random.choice((n.SHIP, n.COLLECT))})})),
        )

    positions = {
        item.sku: {one.point_id: position() for one in places if random.random() < 0.7}
        for item in items
        if random.random() < 0.9
    }
    return snapshot(places, positions, random_carriers(random), items)


def sized_network(random: Random, shop: Snapshot) -> Snapshot:
    """The same with services that charge for volume or have limits of size, and boxes."""

    def sold(service: n.CarrierService) -> n.CarrierService:
        return replace(
            service,
            volumetric_divisor=random.choice((0, 3_000, 8_000)),
            max_width_millimetres=(width := random.choice((0, 0, 250))),
            max_height_millimetres=width,
        )

    def box(number: int) -> n.Box:
        length, width, height = (random.choice((120, 240, 320, 600)) for _ in range(3))
        weight, cost = random.choice((1_100, 4_000, 25_000)), euros(random.choice((0, 40)))
        return n.Box(f"b{number}", length, width, height, weight, random.choice((0, 150)), cost)

    sides = {sku: random.choice(((0, 0), (80, 60), (100, 100))) for sku in shop.stock.items}
    items = {sku: replace(one, other_sides_millimetres=sides[sku]) for sku, one in shop.stock.items.items()}
    carriers = tuple(replace(one, services=tuple(map(sold, one.services))) for one in shop.carriers)
    boxes = tuple(map(box, range(random.choice((0, 2, 4)))))
    return replace(shop, stock=replace(shop.stock, items=items), carriers=carriers, boxes=boxes)


def random_rules(random: Random) -> Ruleset:
    given: dict[str, Any] = {
        "distance_cost_minor_per_kilometre": random.choice((0.0, 0.3)),
        "shipping_percent": random.choice((100, 60)),
        "max_distance_kilometres": random.choice((0, 0, 250)),
        "max_delivery_days": random.choice((0, 0, 2)),
    }
    if random.random() < 0.5:
        given |= {
            "tiers": (Tier((random.choice((n.PointType.STORE, n.PointType.WAREHOUSE)),)),),
            "priority_costs": (PriorityCost(n.PointType.STORE, random.choice((-150, 90))),),
        }
    if random.random() < 0.5:
        given |= {
            "low_cover": LowCover(5, 300),
            "markdown": Markdown(30, random.choice((50, 100))),
            "short_pick_cost_minor": 200,
        }
    return ruleset(**given)


def shown(option: DeliveryOption) -> ListedOption:
    """What a page shows of a quote's option."""
    plan = option.plan
    return ListedOption(
        option.mode,
        plan.window,
        plan.order_before,
        plan.price,
        plan.carbon,
        plan.total_cost_minor,
        option.point_id,
        plan.waits_until,
        plan.release_date,
    )


def with_arrivals(random: Random, shop: Snapshot) -> Snapshot:
    """Units that come to some positions, an article or two under embargo."""
    deliveries: dict[str, dict[str, tuple[n.Coming, ...]]] = {}
    for sku in shop.stock.items:
        for point_id in shop.stock.points:
            for place in range(random.choice((0, 0, 1, 2))):
                due_at = NOW + timedelta(hours=random.choice((3, 14, 38, 62, 200)))
                purposes = frozenset(random.choice(((n.SHIP,), (n.COLLECT,), (n.SHIP, n.COLLECT))))
                here = deliveries.setdefault(sku, {}).get(point_id, ())
                one = coming(f"{sku}/{point_id}/{place}", random.randint(1, 2), due_at, purposes)
                deliveries[sku][point_id] = (*here, one)
    items = {
        sku: replace(
            item, release_date=random.choice((None, None, (NOW + timedelta(days=random.randint(0, 3))).date()))
        )
        for sku, item in shop.stock.items.items()
    }
    return replace(shop, stock=replace(shop.stock, items=items, coming=deliveries))


def quoted(shop: Snapshot, asked: n.PlanRequest, rules: Ruleset) -> Listed:
    options, refused = quoting.all_modes(shop, asked, rules)
    first = {option.mode: option for option in reversed(options)}
    return Listed(asked.lines[0].sku, tuple(shown(first[mode]) for mode in n.Mode if mode in first), refused)


def reasons(not_offered: tuple[NotOffered, ...]) -> dict[n.Mode, str]:
    return {one.mode: one.reason for one in not_offered}


def check(seed: int, *, comes: bool = False, is_sized: bool = False) -> int:
    random = Random(seed)
    shop, rules = random_network(random), random_rules(random)
    if is_sized:
        shop = sized_network(random, shop)
    if comes:
        shop = with_arrivals(random, shop)
        rules = replace(
            rules, max_wait_days=random.choice((0, 1, 3)), waiting_day_minor=random.choice((0, 30, 400))
        )
    destination = random.choice((TO_PARIS, n.Destination("", "", "p1"), n.Destination("FR", "75011", "p0")))
    asked = request(
        *[(f"s{i}", 1) for i in range(7)],
        now=NOW + timedelta(hours=random.choice((0, 5, 9))),
        cooling_off_until=NOW + timedelta(hours=random.choice((0, 10))),
        destination=destination,
        may_wait=comes,
    )
    offered = 0
    for one, line in zip(listing.page(shop, asked, rules), asked.lines, strict=True):
        expected = quoted(shop, replace(asked, lines=(line,)), rules)
        assert one.options == expected.options, (seed, line.sku)
        assert reasons(one.not_offered) == reasons(expected.not_offered), (seed, line.sku)
        offered += len(one.options)
    return offered


def test_a_page_says_what_a_quote_of_one_unit_says() -> None:
    assert sum(check(seed) for seed in range(250)) > 1_000


def test_a_page_says_what_a_quote_says_of_what_comes_and_what_is_under_embargo() -> None:
    assert sum(check(seed, comes=True) for seed in range(120)) > 700


def test_a_page_says_what_a_quote_of_one_unit_says_where_volume_and_boxes_count() -> None:
    assert sum(check(seed, is_sized=True) for seed in range(500, 570)) > 200


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_a_page_says_what_a_quote_of_one_unit_says_where_volume_and_boxes_count_in_hundreds_of_networks() -> None:
    assert sum(check(seed, is_sized=True) for seed in range(5_000, 5_500)) > 1_500


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_a_page_says_what_a_quote_says_in_hundreds_of_networks_to_which_units_come() -> None:
    assert sum(check(seed, comes=True) for seed in range(1_000, 1_500)) > 3_000


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_a_page_says_what_a_quote_of_one_unit_says_in_hundreds_of_networks() -> None:
    assert sum(check(seed) for seed in range(1_000, 1_600)) > 2_400
