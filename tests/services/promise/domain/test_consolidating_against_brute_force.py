"""Meeting at a hub against every other way to send a small basket; and what must hold for any basket."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from random import Random

import pytest

from services.promise.domain import network as n
from services.promise.domain import quoting
from services.promise.domain.engine import plan
from services.promise.domain.geography import distance_kilometres
from services.promise.domain.offers import Offer, Offers
from services.promise.domain.plans import HubVerdict, Outcome, Plan
from services.promise.domain.rulesets import Consolidation, PreparationCost, Tier
from services.promise.domain.snapshot import place_at, place_of
from services.promise.domain.tariffs import parcels_of as parcels_of_offer
from tests.services.promise.domain.test_engine_against_brute_force import (
    PARIS_TIME,
    Case,
    lateness,
    parcels_cost,
    possible_shares,
    small_service,
    with_sizes,
)
from tests.services.promise.network import (
    LILLE,
    LYON,
    NOW,
    PARIS,
    collections,
    euros,
    point,
    request,
    ruleset,
    snapshot,
    stock,
)


def small_case(random: Random) -> Case:
    """Up to 4 points of which some are hubs, a carrier or two that bring home and to points, 3 SKUs."""
    carriers = [
        n.Carrier(f"c{i}", (small_service(random, i), to_points(small_service(random, i))))
        for i in range(random.randint(1, 2))
    ]
    points = [
        point(
            f"p{i}",
            type=random.choice([n.PointType.STORE, n.PointType.WAREHOUSE]),
            position=random.choice([LILLE, LYON, PARIS]),
            postcode="75001",
            handling_minutes=random.choice([0, 90]),
            capabilities=frozenset(
                {n.SHIP_FROM_STORE, n.CONSOLIDATION} if random.random() < 0.6 else {n.SHIP_FROM_STORE}
            ),
            collections=tuple(
                visit
                for carrier in carriers
                if random.random() < 0.8
                for visit in collections(carrier.carrier_id, random.choice([9 * 60, 12 * 60, 18 * 60]))
            ),
        )
        for i in range(random.randint(2, 4))
    ]
    items = [n.Item(f"s{i}", "", random.choice([0, 300, 700, 1_000, 2_500]), 300) for i in range(3)]
    free = {item.sku: {p.point_id: random.choice([0, 0, 1, 2]) for p in points} for item in items}
    wanted = [(item.sku, random.randint(1, 2)) for item in random.sample(items, random.randint(2, 3))]
    wanted += wanted[: random.randint(0, 1)]
    return Case(
        snapshot(points, stock(free), carriers, items),
        request(
            *wanted,
            promised_until=random.choice([None, NOW + timedelta(days=1), NOW + timedelta(days=3)]),
            may_consolidate=True,
        ),
        ruleset(
            split_cost_minor=random.choice([0, 600, 1500]),
            distance_cost_minor_per_kilometre=random.choice([0.0, 0.37]),
            lateness_cost_minor_per_day=random.choice([0, 170]),
            preparation_costs=(PreparationCost(n.PointType.STORE, random.choice([0, 120])),),
            max_parcels=random.randint(2, 3),
            alternatives=random.randint(1, 3),
            consolidation=Consolidation(random.choice([0, 50, 200]), random.choice([0, 2, 4])),
        ),
    )


def to_points(home: n.CarrierService) -> n.CarrierService:
    """To points of ours, for a third of what it costs to customers."""
    zone = home.zones[0]
    rates = tuple(n.RateStep(rate.up_to_grams, euros(rate.price.amount_minor // 3)) for rate in zone.rates)
    return replace(home, service_id="in", mode=n.Mode.SHIP_TO_STORE, zones=(replace(zone, rates=rates),))


def without_hubs(case: Case) -> Outcome:
    return plan(case.snapshot, replace(case.request, may_consolidate=False), case.ruleset)


# -- every way by a hub, the slow way -------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A hub, the service from there, and who sends something to it by which carrier (None: the hub itself)."""

    hub: n.Point
    onward: n.Carrier
    legs: tuple[tuple[n.Point, n.Carrier | None], ...]


def ways(case: Case) -> Iterator[Way]:
    points = list(case.snapshot.stock.points.values())
    for hub in points:
        if n.CONSOLIDATION not in hub.capabilities:
            continue
        uses = [
            [(), ((hub, None),)] if p is hub else [(), *(((p, one),) for one in collecting(case, p))]
            for p in points
        ]
        for used in product(*uses):
            legs = tuple(leg for use in used for leg in use)
            is_meeting = any(carrier is not None for _, carrier in legs)
            if is_meeting and len(legs) <= case.ruleset.max_parcels:
                yield from (Way(hub, onward, legs) for onward in collecting(case, hub))


def collecting(case: Case, at: n.Point) -> list[n.Carrier]:
    return [c for c in case.snapshot.carriers if any(v.carrier_id == c.carrier_id for v in at.collections)]


# What a carrier asks for units to a hub, or (None) from there, and in how many parcels; None: it takes them not.
Sending = Callable[[n.Carrier, n.Point | None, dict[str, int]], tuple[int, int] | None]


def by_weight(case: Case, wanted: dict[str, int]) -> Sending:
    each = {sku: case.snapshot.stock.items[sku].weight_grams for sku in wanted}

    def sending(carrier: n.Carrier, to: n.Point | None, units: dict[str, int]) -> tuple[int, int] | None:
        sold = carrier.services[0 if to is None else 1]
        limit = min(sold.max_weight_grams, sold.zones[0].rates[-1].up_to_grams)
        if any(each[sku] > limit for sku in units):
            return None
        heaviest = max((one for one in each.values() if one <= limit), default=0)
        weight = sum(each[sku] * count for sku, count in units.items())
        return parcels_cost(sold, weight, limit, heaviest), parcels_of(weight, limit, heaviest)

    return sending


def by_offers(case: Case, wanted: dict[str, int]) -> Sending:
    """As the offers of the question say it: what they say is held against every way to pack (test_tariffs.py)."""
    items = case.snapshot.stock.items

    @cache
    def going(to: str) -> dict[str, Offer]:
        place = place_at(case.snapshot.stock.points[to]) if to else place_of(case.snapshot, case.request)
        assert not isinstance(place, str)
        asked = replace(case.request, mode=n.Mode.SHIP_TO_STORE) if to else case.request
        offers = Offers(case.snapshot, asked, case.ruleset, wanted, place, is_listing=False)
        return {offer.carrier_id: offer for offer in offers.going}

    def sending(carrier: n.Carrier, to: n.Point | None, units: dict[str, int]) -> tuple[int, int] | None:
        offer = going(to.point_id if to else "")[carrier.carrier_id]
        if not offer.misfits.keys().isdisjoint(wanted if to is None else units):
            return None
        joining = case.ruleset.consolidation.cost_minor if to else 0  # type: ignore[union-attr]
        if offer.tariff:  # Fewer parcels may be the cheapest only because each is joined.
            parcels = offer.tariff.dearer(joining).parcels(units)
            return parcels.cost_minor - parcels.count * joining, parcels.count
        parcels = parcels_of_offer(offer, items, units)
        return parcels.cost_minor, parcels.count

    return sending


def best_by_brute_force(
    case: Case, wanted: dict[str, int], limits: n.Limits | None, sending: Sending
) -> int | None:
    """The least cost of sending exactly these units by way of a hub; None when they cannot be."""
    best: int | None = None
    for way in ways(case):
        end, onward = leaves(way), sending(way.onward, None, wanted)
        price = way.onward.services[0].zones[0].customer_price.amount_minor
        if limits and (end > limits.window_end or price > limits.price.amount_minor):
            continue
        if onward is None:
            continue
        fixed = onward[0] + lateness(case, end)
        fixed += case.ruleset.preparation_cost(way.hub.type)
        fixed += case.ruleset.distance_cost(distance_kilometres(way.hub.position, PARIS))
        for shares in possible_shares(case, list(way.legs), wanted):  # type: ignore[arg-type]
            if [sum(units) for units in zip(*shares, strict=True)] != list(wanted.values()):
                continue
            cost = cost_to_hub(case, way, shares, wanted, sending)
            if cost is not None and (best is None or fixed + cost < best):
                best = fixed + cost
    return best


def cost_to_hub(
    case: Case, way: Way, shares: list[list[int]], wanted: dict[str, int], sending: Sending
) -> int | None:
    total = 0
    for (at, carrier), share in zip(way.legs, shares, strict=True):
        if not any(share):
            return None
        if carrier is None:
            continue
        sent = sending(carrier, way.hub, {sku: units for sku, units in zip(wanted, share, strict=True) if units})
        if sent is None:
            return None
        total += sent[0] + sent[1] * case.ruleset.consolidation.cost_minor  # type: ignore[union-attr]
        total += case.ruleset.preparation_cost(at.type)
        total += case.ruleset.distance_cost(distance_kilometres(at.position, way.hub.position))
    return total


def parcels_of(weight: int, limit: int, heaviest: int) -> int:
    full, parcels = limit // max(1, heaviest) * max(1, heaviest), 1
    while weight - (parcels - 1) * full > limit:
        parcels += 1
    return parcels


def leaves(way: Way) -> datetime:
    """When the customer has it: everybody begins now, and the hub when the last parcel is there."""
    there = NOW
    for at, carrier in way.legs:
        if carrier is not None:
            there = max(there, delivered(at, carrier, carrier.services[1], NOW))
    return delivered(way.hub, way.onward, way.onward.services[0], there)


def delivered(at: n.Point, carrier: n.Carrier, sold: n.CarrierService, begins: datetime) -> datetime:
    """Open day and night, collected and delivered every day: the arithmetic of a child."""
    local = (begins + timedelta(minutes=at.handling_minutes)).astimezone(PARIS_TIME)
    cut_off = next(v.cut_off_minute for v in at.collections if v.carrier_id == carrier.carrier_id)
    day = local.date() + timedelta(days=local.hour * 60 + local.minute > cut_off)
    transit = sold.zones[0].transit_days_max
    if transit == 0 and cut_off > sold.delivery_from_minute:
        transit = 1
    day += timedelta(days=transit)
    return datetime(day.year, day.month, day.day, 18, tzinfo=PARIS_TIME).astimezone(UTC)


# -- properties -----------------------------------------------------------------------------------------------


def check_against_brute_force(seed: int, *, is_sized: bool = False) -> Outcome:
    """`is_sized`: services charge for volume or have limits of size, and there are boxes."""
    random = Random(seed)
    case = small_case(random)
    if is_sized:
        case = with_sizes(random, case)
    outcome, direct = plan(case.snapshot, case.request, case.ruleset), without_hubs(case)
    check_soundness(case, outcome)
    there = stocked(case)
    sending = (by_offers if is_sized else by_weight)(case, there)
    is_all = bool(direct.plans) and served(direct.plans[0]) == there
    if is_all and len(direct.plans[0].legs) == 1:
        assert outcome == direct, seed
    elif is_all:
        first = direct.plans[0]
        latest = first.window.end + timedelta(days=case.ruleset.consolidation.wait_days)  # type: ignore[union-attr]
        best = best_by_brute_force(case, there, n.Limits(latest, first.price), sending)
        least = first.total_cost_minor if best is None else min(best, first.total_cost_minor)
        if outcome.proved_optimal:
            assert outcome.plans[0].total_cost_minor == least, seed
        assert least <= outcome.plans[0].total_cost_minor <= first.total_cost_minor, seed
        if outcome.plans[0].onward is None:
            assert outcome.plans[0] == first, seed
    elif there:
        best = best_by_brute_force(case, there, None, sending)
        if best is None:
            assert replace(outcome, consolidating=None) == direct, seed
        else:
            assert served(outcome.plans[0]) == there
            assert not outcome.proved_optimal or outcome.plans[0].total_cost_minor == best, seed
    return outcome


def stocked(case: Case) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in case.request.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    free = {sku: sum(p.free for p in case.snapshot.stock.positions[sku].values()) for sku in wanted}
    return {sku: min(units, free[sku]) for sku, units in wanted.items() if free[sku]}


def served(found: Plan) -> dict[str, int]:
    units: dict[str, int] = {}
    for leg in found.legs:
        for line in leg.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
    return units


def check_soundness(case: Case, outcome: Outcome) -> None:
    """No unit twice, none lost; all there before it leaves; costs, carbon and verdicts fit together."""
    for found in outcome.plans:
        assert sum(cost.amount_minor for cost in found.costs) == found.total_cost_minor
        assert sum(leg.carbon.grams_co2e for leg in found.shipments) == found.carbon.grams_co2e
        assert len({leg.point_id for leg in found.legs}) == len(found.legs) <= case.ruleset.max_parcels
        lines: dict[int, int] = {}
        for leg in found.legs:
            assert leg.lines
            for line in leg.lines:
                lines[line.line_number] = lines.get(line.line_number, 0) + line.quantity
        for sku, units in served(found).items():
            there = case.snapshot.stock.positions[sku]
            assert units <= sum(there[leg.point_id].free for leg in found.legs)
        missing = {one.line_number: one.quantity for one in outcome.unplanned}
        for asked in case.request.lines:
            assert lines.get(asked.line_number, 0) + missing.get(asked.line_number, 0) == asked.quantity
        if found.onward is not None:
            check_meeting(case, found)
    costs = [found.total_cost_minor for found in outcome.plans]
    assert costs == sorted(costs)
    assert len(outcome.plans) <= case.ruleset.alternatives
    if outcome.consolidating is not None:
        chosen = [hub for hub in outcome.consolidating.hubs if hub.verdict is HubVerdict.CHOSEN]
        assert len(chosen) == (bool(outcome.plans) and outcome.plans[0].onward is not None)


def check_meeting(case: Case, found: Plan) -> None:
    onward = found.onward
    assert onward is not None
    assert n.CONSOLIDATION in case.snapshot.stock.points[onward.point_id].capabilities
    assert {leg.via_point_id for leg in found.legs} == {onward.point_id}
    assert all(leg.hand_over_by < leg.window.end <= onward.hand_over_by for leg in found.legs if leg.carrier_id)
    assert any(leg.carrier_id for leg in found.legs)
    if not case.snapshot.boxes:
        assert onward.weight_grams == sum(leg.weight_grams for leg in found.legs)
    assert found.window == onward.window
    assert found.parcels == onward.parcels


@pytest.mark.parametrize("block", range(4))
def test_no_way_to_send_a_basket_is_cheaper_with_hubs_or_without(block: int) -> None:
    outcomes = [check_against_brute_force(seed) for seed in range(block * 150, block * 150 + 150)]
    joined = [one for one in outcomes if one.plans and one.plans[0].onward is not None]
    assert len(joined) > 10
    assert sum(one.proved_optimal for one in outcomes) > 140


def test_no_way_to_send_a_basket_is_cheaper_with_hubs_or_without_where_volume_and_boxes_count() -> None:
    outcomes = [check_against_brute_force(seed, is_sized=True) for seed in range(600, 720)]
    joined = [one.plans[0].onward for one in outcomes if one.plans and one.plans[0].onward is not None]
    assert len(joined) > 5
    assert any(onward.boxes for onward in joined)


@pytest.mark.attack
@pytest.mark.parametrize("block", range(20, 22))
def test_no_way_to_send_one_of_two_thousand_baskets_is_cheaper_where_volume_and_boxes_count(block: int) -> None:
    for seed in range(block * 1_000, block * 1_000 + 1_000):
        check_against_brute_force(seed, is_sized=True)


@pytest.mark.attack
@pytest.mark.parametrize("block", range(10, 15))
def test_no_way_to_send_one_of_five_thousand_baskets_is_cheaper(block: int) -> None:
    for seed in range(block * 1_000, block * 1_000 + 1_000):
        check_against_brute_force(seed)


def test_whoever_may_not_consolidate_gets_the_plans_of_before() -> None:
    for seed in range(100):
        case = small_case(Random(seed))
        never = plan(case.snapshot, case.request, replace(case.ruleset, consolidation=None))
        assert never == without_hubs(case), seed
        assert never.consolidating is None


def test_one_more_hub_never_makes_the_plan_cost_more() -> None:
    for seed in range(150):
        case = small_case(Random(seed))
        before = plan(case.snapshot, case.request, case.ruleset)
        points = {
            point_id: replace(one, capabilities=one.capabilities | {n.CONSOLIDATION})
            for point_id, one in case.snapshot.stock.points.items()
        }
        wider = replace(case.snapshot, stock=replace(case.snapshot.stock, points=points))
        after = plan(wider, case.request, case.ruleset)
        left = [sum(one.quantity for one in outcome.unplanned) for outcome in (after, before)]
        assert left[0] <= left[1], seed
        if left[0] == left[1] and before.plans and before.proved_optimal and after.proved_optimal:
            assert after.plans[0].total_cost_minor <= before.plans[0].total_cost_minor, seed


def test_the_same_question_has_the_same_answer_whatever_the_order_of_points_and_carriers() -> None:
    for seed in range(100):
        case = small_case(Random(seed))
        points = dict(reversed(list(case.snapshot.stock.points.items())))
        turned = replace(case.snapshot, stock=replace(case.snapshot.stock, points=points))
        again = plan(turned, case.request, case.ruleset)
        assert again == plan(case.snapshot, case.request, case.ruleset), seed


def test_a_quote_offers_the_first_plan_with_hubs_and_without() -> None:
    for seed in range(100):
        case = small_case(Random(seed))
        for question in (case.request, replace(case.request, may_consolidate=False)):
            options, _ = quoting.all_modes(case.snapshot, question, case.ruleset)
            quoted = [one.plan for one in options if one.mode is n.Mode.HOME_STANDARD]
            outcome = plan(case.snapshot, question, case.ruleset)
            assert len(quoted) == outcome.is_complete, seed
            if outcome.is_complete and outcome.proved_optimal:
                assert quoted[0].total_cost_minor == outcome.plans[0].total_cost_minor, seed
                assert quoted[0].window == outcome.plans[0].window, seed


def test_tiers_and_hubs_do_not_ask_points_that_the_direct_plan_may_not() -> None:
    tiers = (Tier((n.PointType.WAREHOUSE,)), Tier((n.PointType.STORE,)))
    for seed in range(100):
        case = small_case(Random(seed))
        strict = replace(case, ruleset=replace(case.ruleset, tiers=tiers))
        direct = without_hubs(strict)
        outcome = plan(strict.snapshot, strict.request, strict.ruleset)
        if direct.is_complete and types_of(strict, direct) == {n.PointType.WAREHOUSE}:
            assert types_of(strict, outcome) == {n.PointType.WAREHOUSE}, seed


def types_of(case: Case, outcome: Outcome) -> set[n.PointType]:
    return {case.snapshot.stock.points[leg.point_id].type for leg in outcome.plans[0].legs}
