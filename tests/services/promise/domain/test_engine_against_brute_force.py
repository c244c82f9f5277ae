"""The engine's answer against every other answer, on small baskets; and what must hold for any basket."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

import pytest

from services.promise.domain import network as n
from services.promise.domain.engine import plan
from services.promise.domain.geography import distance_kilometres
from services.promise.domain.offers import Offers
from services.promise.domain.plans import Outcome
from services.promise.domain.rulesets import PreparationCost, Ruleset
from services.promise.domain.snapshot import Snapshot, place_of
from services.promise.domain.tariffs import parcels_of
from tests.services.promise.network import (
    CHANNEL,
    LILLE,
    LYON,
    NOW,
    PARIS,
    collections,
    euros,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

PARIS_TIME = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class Case:
    snapshot: Snapshot
    request: n.PlanRequest
    ruleset: Ruleset


def small_case(random: Random) -> Case:
    """Up to 4 points, 2 services, 3 SKUs: few enough to try everything."""
    carriers = [n.Carrier(f"c{i}", (small_service(random, i),)) for i in range(random.randint(1, 2))]
    points = [
        point(
            f"p{i}",
            type=random.choice([n.PointType.STORE, n.PointType.WAREHOUSE]),
            position=random.choice([LILLE, LYON, PARIS]),
            collections=tuple(
                visit
                for carrier in carriers
                if random.random() < 0.9
                for visit in collections(carrier.carrier_id, random.choice([9 * 60, 12 * 60, 18 * 60]))
            ),
        )
        for i in range(random.randint(1, 4))
    ]
    items = [
        n.Item(f"s{i}", "", random.choice([0, 300, 700, 1_000, 2_500]), 300) for i in range(random.randint(1, 3))
    ]
    free = {item.sku: {p.point_id: random.choice([0, 0, 1, 1, 2, 3]) for p in points} for item in items}
    wanted = [(random.choice(items).sku, random.randint(1, 3)) for _ in range(random.randint(1, 3))]
    return Case(
        snapshot(points, stock(free), carriers, items),
        request(*wanted, promised_until=random.choice([None, NOW + timedelta(days=1), NOW + timedelta(days=3)])),
        ruleset(
            split_cost_minor=random.choice([0, 50, 300]),
            distance_cost_minor_per_kilometre=random.choice([0.0, 0.37]),
            lateness_cost_minor_per_day=random.choice([0, 170]),
            preparation_costs=(PreparationCost(n.PointType.STORE, random.choice([0, 120])),),
            max_parcels=random.randint(1, 3),
            alternatives=random.randint(1, 3),
        ),
    )


def with_sizes(random: Random, case: Case) -> Case:
    """The same with sides of most articles; services that charge for volume or have limits of size, and boxes."""
    known = case.snapshot.stock
    items = {sku: sized(random, item) for sku, item in known.items.items()}
    carriers = tuple(
        replace(one, services=tuple(sized_service(random, service) for service in one.services))
        for one in case.snapshot.carriers
    )
    boxes = random_boxes(random) if random.random() < 0.7 else ()
    return replace(
        case,
        snapshot=replace(case.snapshot, stock=replace(known, items=items), carriers=carriers, boxes=boxes),
        ruleset=replace(case.ruleset, shipping_percent=random.choice([100, 100, 60])),
    )


def sized(random: Random, item: n.Item) -> n.Item:
    longest, middle, shortest = sorted((50 * random.randint(1, 6) for _ in range(3)), reverse=True)
    if random.random() < 0.15:
        return replace(item, longest_side_millimetres=longest)
    return replace(item, longest_side_millimetres=longest, other_sides_millimetres=(middle, shortest))


def sized_service(random: Random, service: n.CarrierService) -> n.CarrierService:
    length, *sides = random.choice([(2_000, 0, 0), (2_000, 0, 0), (2_000, 0, 0), (300, 0, 0), (300, 300, 250)])
    return replace(
        service,
        volumetric_divisor=random.choice([0, 4_000, 10_000]),
        max_length_millimetres=length,
        max_width_millimetres=sides[0],
        max_height_millimetres=sides[1],
    )


def random_boxes(random: Random) -> tuple[n.Box, ...]:
    return tuple(
        n.Box(
            f"b{number}",
            50 * random.randint(3, 9),
            50 * random.randint(3, 9),
            50 * random.randint(3, 9),
            max_weight_grams=random.choice([1_200, 3_000, 20_000]),
            tare_grams=random.choice([0, 100, 250]),
            cost=euros(random.choice([0, 30, 120])),
            wall_millimetres=random.choice([0, 5]),
            fill_percent=random.choice([100, 80]),
        )
        for number in range(random.randint(1, 4))
    )


def small_service(random: Random, number: int) -> n.CarrierService:
    limits = sorted(random.sample([500, 1_000, 2_000, 3_000, 5_000, 12_000], random.randint(1, 4)))
    prices = sorted(random.choices(range(300, 1500, 100), k=len(limits)))
    days = random.randint(0, 3)
    rates = tuple(n.RateStep(limit, euros(price)) for limit, price in zip(limits, prices, strict=True))
    return service(
        f"home{number}",
        max_weight_grams=random.choice([4_000, 30_000]),
        surcharge_basis_points=random.choice([0, 1_250]),
        zones=(terms(rates=rates, transit_days_min=days, transit_days_max=days + random.randint(0, 1)),),
    )


# -- every answer, the slow way -------------------------------------------------------------------------------


Carriage = Callable[[n.Carrier, dict[str, int]], int | None]


def best_by_brute_force(case: Case, carriage: Carriage | None = None) -> tuple[int, int] | None:
    """(units, total cost) of the best plan: most units, then least cost. None when nothing can be sent."""
    wanted: dict[str, int] = {}
    for line in case.request.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    best: tuple[int, int] | None = None
    for legs in possible_legs(case):
        for shares in possible_shares(case, legs, wanted):
            if cost := cost_of(case, legs, shares, carriage or partial(by_weight, case)):
                units = sum(sum(share) for share in shares)
                if best is None or (-units, cost) < (-best[0], best[1]):
                    best = (units, cost)
    return best


Leg = tuple[n.Point, n.Carrier]


def possible_legs(case: Case) -> Iterator[list[Leg]]:
    points = list(case.snapshot.stock.points.values())
    uses = [
        [None, *(c for c in case.snapshot.carriers if any(v.carrier_id == c.carrier_id for v in p.collections))]
        for p in points
    ]
    for use in itertools.product(*uses):
        legs = [(p, carrier) for p, carrier in zip(points, use, strict=True) if carrier is not None]
        is_one = len(legs) == 1 or not any(carrier.services[0].one_shipment for _, carrier in legs)
        if 1 <= len(legs) <= case.ruleset.max_parcels and is_one:
            yield legs


def possible_shares(case: Case, legs: list[Leg], wanted: dict[str, int]) -> Iterator[list[list[int]]]:
    by_sku = []
    for sku, units in wanted.items():
        rooms = [case.snapshot.stock.positions[sku][p.point_id].free for p, _ in legs]
        by_sku.append(
            [way for way in itertools.product(*(range(room + 1) for room in rooms)) if sum(way) <= units]
        )
    for ways in itertools.product(*by_sku):
        yield [[way[number] for way in ways] for number in range(len(legs))]


def cost_of(case: Case, legs: list[Leg], shares: list[list[int]], carriage: Carriage) -> int | None:
    skus = list(dict.fromkeys(line.sku for line in case.request.lines))
    total = (len(legs) - 1) * case.ruleset.split_cost_minor
    end = NOW
    for (at, carrier), share in zip(legs, shares, strict=True):
        parcels = carriage(carrier, {sku: units for sku, units in zip(skus, share, strict=True) if units})
        if not any(share) or parcels is None:
            return None
        total += parcels
        total += case.ruleset.preparation_cost(at.type) + case.ruleset.distance_cost(straight_line(at.position))
        end = max(end, arrival(at, carrier))
    return total + lateness(case, end)


def by_weight(case: Case, carrier: n.Carrier, units: dict[str, int]) -> int | None:
    """What a leg's parcels cost; None when the carrier does not take all of it."""
    sold = carrier.services[0]
    grams = {line.sku: case.snapshot.stock.items[line.sku].weight_grams for line in case.request.lines}
    limit = min(sold.max_weight_grams, sold.zones[0].rates[-1].up_to_grams)
    if any(grams[sku] > limit for sku in units):
        return None
    weight = sum(grams[sku] * count for sku, count in units.items())
    return parcels_cost(sold, weight, limit, max((g for g in grams.values() if g <= limit), default=0))


def by_tariff(case: Case) -> Carriage:
    """As the offers of the question say it: what they say is held against every way to pack (test_tariffs.py)."""
    wanted: dict[str, int] = {}
    for line in case.request.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    place = place_of(case.snapshot, case.request)
    assert not isinstance(place, str)
    offers = Offers(case.snapshot, case.request, case.ruleset, wanted, place, is_listing=False)
    by_carrier = {offer.carrier_id: offer for offer in offers.going}

    def carriage(carrier: n.Carrier, units: dict[str, int]) -> int | None:
        offer = by_carrier[carrier.carrier_id]
        if not offer.misfits.keys().isdisjoint(units):
            return None
        return parcels_of(offer, case.snapshot.stock.items, units).cost_minor

    return carriage


def parcels_cost(sold: n.CarrierService, weight: int, limit: int, heaviest: int) -> int:
    """One parcel, or full ones (of as many of the heaviest article as fit) and a last one."""

    def rate(grams: int) -> int:
        price = next(step.price.amount_minor for step in sold.zones[0].rates if grams <= step.up_to_grams)
        return int(price * (1 + sold.surcharge_basis_points / 10_000) + 0.5)

    if weight <= limit:
        return rate(weight)
    full = limit // max(1, heaviest) * max(1, heaviest)
    before = 1
    while weight - before * full > limit:
        before += 1
    return max(before * rate(full) + rate(weight - before * full), (before - 1) * rate(full) + rate(limit))


def straight_line(position: n.Position) -> float:
    return distance_kilometres(position, PARIS)


def arrival(at: n.Point, carrier: n.Carrier) -> datetime:
    """Open day and night, no holidays, collected and delivered every day: the arithmetic of a child."""
    local = NOW.astimezone(PARIS_TIME)
    cut_off = next(v.cut_off_minute for v in at.collections if v.carrier_id == carrier.carrier_id)
    day = local.date() + timedelta(days=local.hour * 60 + local.minute > cut_off)
    transit = carrier.services[0].zones[0].transit_days_max
    if transit == 0 and cut_off > carrier.services[0].delivery_from_minute:
        transit = 1
    day += timedelta(days=transit)
    return datetime(day.year, day.month, day.day, 18, tzinfo=PARIS_TIME).astimezone(UTC)


def lateness(case: Case, end: datetime) -> int:
    promised = case.request.promised_until
    if promised is None or end <= promised:
        return 0
    seconds = (end - promised).total_seconds()
    return int(-(-seconds // 86_400)) * case.ruleset.lateness_cost_minor_per_day


# -- properties -----------------------------------------------------------------------------------------------


def check_against_brute_force(seed: int) -> Outcome:
    return check_case(seed, small_case(Random(seed)))


def check_case(seed: int, case: Case, carriage: Carriage | None = None) -> Outcome:
    outcome = plan(case.snapshot, case.request, case.ruleset)
    best = best_by_brute_force(case, carriage)
    check_soundness(case, outcome)
    if best is None:
        assert not outcome.plans, seed
        return outcome
    first = outcome.plans[0]
    units = sum(line.quantity for leg in first.legs for line in leg.lines)
    if outcome.proved_optimal:
        assert (units, first.total_cost_minor) == best, seed
    else:
        assert (-units, first.total_cost_minor) >= (-best[0], best[1]), seed
    return outcome


def check_soundness(case: Case, outcome: Outcome) -> None:
    """No unit twice, none lost, none that is not there; costs add up; ranked; windows of allowed days."""
    for found in outcome.plans:
        taken: dict[tuple[str, str], int] = {}
        served: dict[int, int] = {}
        for leg in found.legs:
            assert leg.lines
            for line in leg.lines:
                taken[line.sku, leg.point_id] = taken.get((line.sku, leg.point_id), 0) + line.quantity
                served[line.line_number] = served.get(line.line_number, 0) + line.quantity
        for (sku, point_id), units in taken.items():
            assert units <= case.snapshot.stock.positions[sku][point_id].free
        missing = {u.line_number: u.quantity for u in outcome.unplanned}
        for asked in case.request.lines:
            assert served.get(asked.line_number, 0) + missing.get(asked.line_number, 0) == asked.quantity
        assert sum(cost.amount_minor for cost in found.costs) == found.total_cost_minor
        assert len({leg.point_id for leg in found.legs}) == len(found.legs) <= case.ruleset.max_parcels
        assert found.window.end == max(leg.window.end for leg in found.legs)
        assert all(NOW <= leg.hand_over_by < leg.window.end for leg in found.legs)
    costs = [found.total_cost_minor for found in outcome.plans]
    assert costs == sorted(costs)
    assert len(outcome.plans) <= case.ruleset.alternatives


@pytest.mark.parametrize("block", range(10))
def test_no_plan_is_cheaper_than_the_first_one(block: int) -> None:
    proved = sum(check_against_brute_force(seed).proved_optimal for seed in range(block * 200, block * 200 + 200))
    # Only a parcel's weight limit that makes units stay behind may leave a doubt.
    assert proved > 160


def test_a_service_that_makes_one_shipment_is_in_no_split_and_no_other_plan_is_cheaper() -> None:
    for seed in range(300):
        case = small_case(Random(seed))
        first, *others = case.snapshot.carriers
        once = replace(first, services=tuple(replace(one, one_shipment=True) for one in first.services))
        outcome = check_case(seed, replace(case, snapshot=replace(case.snapshot, carriers=(once, *others))))
        for found in outcome.plans:
            assert len(found.legs) == 1 or all(leg.carrier_id != once.carrier_id for leg in found.legs), seed


def check_with_sizes(seed: int) -> Outcome:
    random = Random(seed)
    case = with_sizes(random, small_case(random))
    return check_case(seed, case, by_tariff(case))


@pytest.mark.parametrize("block", range(2))
def test_no_plan_is_cheaper_where_volume_and_boxes_count(block: int) -> None:
    proved = sum(check_with_sizes(seed).proved_optimal for seed in range(block * 200, block * 200 + 200))
    assert proved > 160


@pytest.mark.attack
@pytest.mark.parametrize("block", range(3, 6))
def test_no_plan_is_cheaper_where_volume_and_boxes_count_in_thousands_of_baskets(block: int) -> None:
    for seed in range(block * 1_000, block * 1_000 + 1_000):
        check_with_sizes(seed)


@pytest.mark.attack
@pytest.mark.parametrize("block", range(10, 20))
def test_no_plan_is_cheaper_than_the_first_one_in_ten_thousand_baskets(block: int) -> None:
    for seed in range(block * 1_000, block * 1_000 + 1_000):
        check_against_brute_force(seed)


def test_the_same_question_has_the_same_answer_whatever_the_order_of_the_points() -> None:
    for seed in range(200):
        case = small_case(Random(seed))
        points = dict(reversed(list(case.snapshot.stock.points.items())))
        turned = replace(case.snapshot, stock=replace(case.snapshot.stock, points=points))
        assert plan(turned, case.request, case.ruleset) == plan(case.snapshot, case.request, case.ruleset)


def test_one_more_point_never_makes_the_plan_worse() -> None:
    for seed in range(300):
        random = Random(seed)
        case = small_case(random)
        before = plan(case.snapshot, case.request, case.ruleset)
        known = case.snapshot.stock
        visits = tuple(v for c in case.snapshot.carriers for v in collections(c.carrier_id, 17 * 60))
        positions = {
            sku: {**by_point, "extra": n.StockPosition(random.randint(0, 3), {CHANNEL: 0})}
            for sku, by_point in known.positions.items()
        }
        wider = replace(
            known, points={**known.points, "extra": point("extra", collections=visits)}, positions=positions
        )
        after = plan(replace(case.snapshot, stock=wider), case.request, case.ruleset)
        if before.proved_optimal and after.proved_optimal:
            assert worth(after) <= worth(before), seed


def worth(outcome: Outcome) -> tuple[int, int]:
    """Smaller is better."""
    left = sum(unplanned.quantity for unplanned in outcome.unplanned)
    return (left, outcome.plans[0].total_cost_minor if outcome.plans else 0)


def test_no_forbidden_day_is_ever_promised() -> None:
    holidays = {date(2026, 6, 2), date(2026, 6, 4)}
    for seed in range(200):
        case = small_case(Random(seed))
        weekdays_only = [
            replace(c, services=tuple(replace(s, delivery_weekdays=(1, 2, 3, 4, 5)) for s in c.services))
            for c in case.snapshot.carriers
        ]
        calm = replace(
            case.snapshot,
            carriers=tuple(weekdays_only),
            is_holiday=lambda day, _country, _subdivision: day in holidays,
        )
        for found in plan(calm, replace(case.request, now=NOW + timedelta(hours=seed)), case.ruleset).plans:
            for leg in found.legs:
                collected = leg.hand_over_by.astimezone(PARIS_TIME).date()
                assert collected not in holidays
                for edge in (leg.window.start, leg.window.end - timedelta(minutes=1)):
                    day = edge.astimezone(PARIS_TIME).date()
                    assert day.isoweekday() <= 5
                    assert day not in holidays
