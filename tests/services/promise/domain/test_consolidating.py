"""Parcels that meet at a hub: when they do, when all is there, what that costs and what room it takes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.promise.domain import consolidating, engine, quoting, takings
from services.promise.domain import network as n
from services.promise.domain.capacity import Capacity, Counter, Limit, Limits
from services.promise.domain.plans import HubVerdict, Outcome, Plan
from services.promise.domain.rulesets import Consolidation, Ruleset, Tier
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.domain.decided import decide
from tests.services.promise.network import (
    LILLE,
    LYON,
    NOW,
    PARIS,
    collections,
    coming,
    euros,
    openings,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
    with_coming,
)

JOINING = ruleset(consolidation=Consolidation(50, 2))
BOTH = (("a", 1), ("b", 1))


def paris(hour: int, minute: int = 0, day: int = 1) -> datetime:
    """In June 2026, when Paris is two hours ahead of UTC."""
    return datetime(2026, 6, day, hour - 2, minute, tzinfo=UTC)


def hub(**values: Any) -> n.Point:
    """In Lille, an hour for an order, day and night; the post comes at 17:00."""
    given: dict[str, Any] = {
        "position": LILLE,
        "postcode": "59000",
        "handling_minutes": 60,
        "capabilities": frozenset({n.SHIP_FROM_STORE, n.CONSOLIDATION}),
    }
    return point("hub", **(given | values))


def lyon(**values: Any) -> n.Point:
    return point("lyon", **({"position": LYON} | values))


def to_points(**values: Any) -> n.CarrierService:
    """To points of ours the day after, until 18:00, for 2 euros."""
    zone = terms(
        transit_days_min=1, transit_days_max=1, rates=(n.RateStep(30_000, euros(200)),), customer_price=euros(0)
    )
    given: dict[str, Any] = {"mode": n.Mode.SHIP_TO_STORE, "zones": (zone,)}
    return service("inbound", **(given | values))


def post(*services: n.CarrierService) -> list[n.Carrier]:
    return [n.Carrier("post", services or (service(), to_points()))]


def shop(*points: n.Point, carriers: list[n.Carrier] | None = None, **values: Any) -> Snapshot:
    """The hub has `a`, Lyon has `b`."""
    known = list(points) or [hub(), lyon()]
    positions = stock({"a": {"hub": 5}, "b": {"lyon": 5}})
    return snapshot(known, positions, carriers or post(), **values)


def asked(*units: tuple[str, int], **values: Any) -> n.PlanRequest:
    return request(*(units or BOTH), **({"may_consolidate": True} | values))


def best(network: Snapshot, question: n.PlanRequest, rules: Ruleset = JOINING) -> Plan:
    outcome = engine.plan(network, question, rules)
    assert outcome.is_complete, outcome
    return outcome.plans[0]


def verdicts(outcome: Outcome) -> list[HubVerdict]:
    assert outcome.consolidating is not None
    return [one.verdict for one in outcome.consolidating.hubs]


# -- what a plan says -----------------------------------------------------------------------------------------


def test_all_is_at_the_hub_before_it_leaves_as_one_shipment() -> None:
    found = best(shop(), asked())
    own, sent = found.legs
    assert (own.point_id, own.carrier_id, own.parcels, own.via_point_id) == ("hub", "", 0, "hub")
    assert (sent.point_id, sent.service_id, sent.via_point_id) == ("lyon", "inbound", "hub")
    # Collected on Monday, there on Tuesday by 18:00, joined by 19:00: the post comes on Wednesday at 17:00.
    assert sent.window == n.Window(paris(8, day=2), paris(18, day=2))
    assert own.window == n.Window(paris(18, day=2), paris(19, day=2))
    assert found.onward is not None
    assert found.onward.hand_over_by == own.hand_over_by == paris(17, day=3)
    assert found.window == found.onward.window == n.Window(paris(8, day=4), paris(18, day=5))
    assert (found.onward.lines, found.onward.weight_grams, found.parcels) == ((), 800, 1)
    assert found.order_before == paris(17)


def test_what_comes_or_is_under_embargo_asks_no_hub() -> None:
    network = shop()
    patient = replace(JOINING, max_wait_days=5)
    comes = with_coming(network, a={"lyon": (coming("po-1", 3, paris(2, day=6)),)})
    assert engine.plan(comes, asked(), patient).plans[0].onward is not None, "nobody asked to wait"
    assert engine.plan(comes, asked(may_wait=True), patient).consolidating is None
    items = {**network.stock.items, "a": replace(network.stock.items["a"], release_date=date(2026, 6, 4))}
    embargoed = replace(network, stock=replace(network.stock, items=items))
    outcome = engine.plan(embargoed, asked(), JOINING)
    assert outcome.consolidating is None
    assert all(leg.hand_over_by >= paris(2, day=4) for leg in outcome.plans[0].legs if leg.point_id == "hub")


def test_costs_are_told_apart_and_kilometres_and_carbon_are_those_of_all_parts() -> None:
    found = best(shop(), asked())
    costs = {cost.name: cost.amount_minor for cost in found.costs}
    assert costs == {
        "shipping": 200 + 500,
        "preparation": 100 + 100,
        "split": 0,
        "distance": 0,
        "lateness": 0,
        "consolidation": 50,
    }
    assert found.total_cost_minor == 950
    own, sent = found.legs
    assert found.onward is not None
    assert own.distance_kilometres == 0
    # Lyon to Lille, Lille to Paris.
    assert (round(sent.distance_kilometres), round(found.onward.distance_kilometres)) == (557, 204)
    assert found.carbon.grams_co2e == sent.carbon.grams_co2e + found.onward.carbon.grams_co2e
    assert sent.carbon.grams_co2e == round(0.0004 * 100 * sent.distance_kilometres)


def test_each_parcel_that_is_joined_costs() -> None:
    light = replace(to_points(), max_weight_grams=1_000)
    found = best(
        shop(carriers=post(service(), light)), asked(("a", 1), ("b", 5)), replace(JOINING, split_cost_minor=900)
    )
    assert found.legs[1].parcels == 3
    assert next(cost.amount_minor for cost in found.costs if cost.name == "consolidation") == 150


def test_a_quote_tells_the_one_parcel_of_the_customer_and_the_window_from_the_hub() -> None:
    options, _ = quoting.all_modes(shop(), asked(), JOINING)
    (option,) = (one for one in options if one.mode is n.Mode.HOME_STANDARD)
    assert (option.plan.parcels, option.plan.window.end, option.plan.price) == (1, paris(18, day=5), euros(490))
    plain, _ = quoting.all_modes(shop(), asked(may_consolidate=False), JOINING)
    assert [one.plan.parcels for one in plain if one.mode is n.Mode.HOME_STANDARD] == [2]


# -- when it is worth it --------------------------------------------------------------------------------------


def test_the_direct_plan_stands_beside_it_and_says_what_is_saved() -> None:
    outcome = engine.plan(shop(), asked(), JOINING)
    assert [plan.total_cost_minor for plan in outcome.plans] == [950, 1_500]
    assert [plan.onward is None for plan in outcome.plans] == [False, True]
    assert outcome.consolidating is not None
    assert outcome.consolidating.direct_cost_minor == 1_500
    assert verdicts(outcome) == [HubVerdict.CHOSEN]
    assert outcome.proved_optimal
    assert outcome.least_cost_minor == 950


@pytest.mark.parametrize(("cost", "is_joined"), [(599, True), (600, False), (601, False)])
def test_of_equal_cost_the_direct_plan_stays(cost: int, is_joined: bool) -> None:
    found = best(shop(), asked(), replace(JOINING, consolidation=Consolidation(cost, 2)))
    assert (found.onward is not None) is is_joined


@pytest.mark.parametrize(("days", "is_joined"), [(2, True), (1, False), (0, False)])
def test_the_customer_waits_no_longer_for_it_than_the_rules_allow(days: int, is_joined: bool) -> None:
    found = best(shop(), asked(), replace(JOINING, consolidation=Consolidation(50, days)))
    assert (found.onward is not None) is is_joined


def test_the_customer_never_pays_more_for_it() -> None:
    # For a parcel alone it is dearer, for both together it would be cheaper.
    other = service("other", zones=(terms(rates=(n.RateStep(30_000, euros(550)),), customer_price=euros(491)),))
    carriers = [*post(), n.Carrier("other", (other,))]
    there = hub(collections=(*collections("post", 17 * 60), *collections("other", 17 * 60)))
    items = [n.Item(sku, "maison", 600, 300) for sku in ("a", "b")]
    outcome = engine.plan(shop(there, lyon(), carriers=carriers, items=items), asked(), JOINING)
    assert outcome.plans[0].onward is not None
    assert outcome.plans[0].onward.service_id == "home"
    assert outcome.consolidating is not None
    assert [one.service_id for one in outcome.consolidating.hubs] == ["home"]


def test_what_was_quoted_is_kept() -> None:
    limits = n.Limits(paris(18, day=5), euros(490))
    assert best(shop(), asked(limits=limits)).onward is not None
    earlier = replace(limits, window_end=paris(17, day=5))
    assert best(shop(), asked(limits=earlier)).onward is None


def test_lateness_is_that_of_what_leaves_the_hub() -> None:
    rules = replace(JOINING, lateness_cost_minor_per_day=200)
    found = best(shop(), asked(promised_until=paris(18, day=3)), rules)
    assert found.onward is not None
    assert next(cost.amount_minor for cost in found.costs if cost.name == "lateness") == 400
    dearer = replace(JOINING, lateness_cost_minor_per_day=300)
    assert best(shop(), asked(promised_until=paris(18, day=3)), dearer).onward is None


# -- when it is not asked -------------------------------------------------------------------------------------


def test_what_leaves_from_one_point_needs_no_hub() -> None:
    outcome = engine.plan(shop(), asked(("a", 2)), JOINING)
    assert outcome.consolidating is None
    assert outcome == engine.plan(shop(), request(("a", 2)), JOINING)


def test_nothing_is_joined_unless_the_rules_and_whoever_asks_say_so() -> None:
    plain = engine.plan(shop(), request(*BOTH), JOINING)
    assert plain == engine.plan(shop(), asked(), replace(JOINING, consolidation=None))
    assert plain.consolidating is None


@pytest.mark.parametrize("mode", [n.Mode.CLICK_AND_COLLECT, n.Mode.SHIP_TO_STORE])
def test_what_is_collected_meets_at_its_store_and_at_no_hub(mode: n.Mode) -> None:
    counter = point("counter", type=n.PointType.STORE, capabilities=frozenset({"click_and_collect"}))
    network = shop(hub(), lyon(), counter)
    question = asked(mode=mode, destination=n.Destination("", "", "counter"))
    assert engine.plan(network, question, JOINING).consolidating is None


def test_a_hub_that_was_ruled_out_joins_nothing() -> None:
    stocked = replace(shop(hub(), lyon(), point("lille", postcode="59000")))
    stocked = replace(
        stocked, stock=replace(stocked.stock, positions=stock({"a": {"lille": 1}, "b": {"lyon": 1}}))
    )
    assert best(stocked, asked()).onward is not None
    excluded = asked(exclusions=(n.ExcludedPoint("hub", "refused"),))
    outcome = engine.plan(stocked, excluded, JOINING)
    assert outcome.plans[0].onward is None
    assert verdicts(outcome) == []


def test_a_store_that_does_not_ship_joins_what_others_send_but_adds_nothing() -> None:
    shy = hub(type=n.PointType.STORE, capabilities=frozenset({n.CONSOLIDATION}))
    network = shop(shy, lyon(), point("lille"))
    stocked = stock({"a": {"hub": 5, "lille": 5}, "b": {"lyon": 5}})
    found = best(replace(network, stock=replace(network.stock, positions=stocked)), asked())
    assert found.onward is not None
    assert [leg.point_id for leg in found.legs] == ["lille", "lyon"]


def test_a_hub_says_why_nothing_goes_by_way_of_it() -> None:
    no_way_on = shop(hub(collections=collections("other", 17 * 60)), lyon())
    assert verdicts(engine.plan(no_way_on, asked(), JOINING)) == [HubVerdict.NO_WAY_ON]
    not_there = shop(carriers=post(service()))
    assert verdicts(engine.plan(not_there, asked(), JOINING)) == [HubVerdict.NOT_ALL_THERE]
    dear = terms(transit_days_max=1, rates=(n.RateStep(30_000, euros(900)),))
    network = shop(carriers=post(service(), to_points(zones=(dear,))))
    assert verdicts(engine.plan(network, asked(), JOINING)) == [HubVerdict.NOT_CHEAPER]
    never = replace(JOINING, consolidation=Consolidation(1_000, 2))
    assert verdicts(engine.plan(shop(), asked(), never)) == [HubVerdict.CANNOT_BE_CHEAPER]


def test_of_many_hubs_the_cheapest_are_asked_and_the_answer_says_whether_another_could_be_cheaper() -> None:
    at_paris = {"position": PARIS, "postcode": "75001", "capabilities": frozenset({n.CONSOLIDATION})}
    others = [point(f"hub{number:02}", **at_paris) for number in range(30)]
    rules = replace(JOINING, distance_cost_minor_per_kilometre=1.0)
    network = shop(hub(), lyon(), *others)
    outcome = engine.plan(network, asked(), rules)
    assert outcome.consolidating is not None
    assert len(outcome.consolidating.hubs) <= consolidating.HUBS
    assert verdicts(outcome).count(HubVerdict.NOT_ASKED) == consolidating.HUBS - consolidating.ASKED
    assert not outcome.proved_optimal
    assert outcome.least_cost_minor < outcome.plans[0].total_cost_minor
    dear = replace(rules, split_cost_minor=0, consolidation=Consolidation(2_000, 2))
    assert engine.plan(network, asked(), dear).proved_optimal


# -- where it is needed ---------------------------------------------------------------------------------------


def test_a_locker_takes_a_basket_of_two_points_that_was_joined() -> None:
    room = {"max_width_millimetres": 400, "max_height_millimetres": 400, "max_length_millimetres": 600}
    network = shop(carriers=post(service("locker", mode=n.Mode.LOCKER, **room), to_points()))
    plain = engine.plan(network, asked(mode=n.Mode.LOCKER, may_consolidate=False), JOINING)
    assert not plain.is_complete
    outcome = engine.plan(network, asked(mode=n.Mode.LOCKER), JOINING)
    assert outcome.is_complete
    assert outcome.plans[0].onward is not None
    assert outcome.consolidating is not None
    assert outcome.consolidating.direct_cost_minor is None


def test_what_must_travel_together_does_so_from_the_hub() -> None:
    items = [n.Item(sku, "maison", 400, 300, tags=frozenset({"set"})) for sku in ("a", "b")]
    rules = replace(JOINING, together_tags=("set",))
    assert not engine.plan(shop(items=items), asked(may_consolidate=False), rules).plans
    assert best(shop(items=items), asked(), rules).onward is not None


def test_a_service_that_comes_once_brings_what_one_point_has_or_a_hub_joined() -> None:
    network = shop(carriers=post(service("glove", mode=n.Mode.WHITE_GLOVE, one_shipment=True), to_points()))
    plain = engine.plan(network, request(*BOTH, mode=n.Mode.WHITE_GLOVE), JOINING)
    assert len(plain.plans[0].legs) == 1
    assert [one.reason for one in plain.unplanned] == ["ONE_SHIPMENT"]
    assert best(network, asked(mode=n.Mode.WHITE_GLOVE)).onward is not None
    alone = engine.plan(network, asked(("a", 2), mode=n.Mode.WHITE_GLOVE), JOINING)
    assert alone.plans[0].onward is None


def test_what_no_carrier_takes_to_the_customer_goes_by_way_of_the_hub() -> None:
    van = [n.Carrier("post", (service(),)), n.Carrier("van", (to_points(),))]
    network = shop(hub(), lyon(collections=collections("van", 17 * 60)), carriers=van)
    assert not engine.plan(network, asked(may_consolidate=False), JOINING).is_complete
    assert best(network, asked()).onward is not None


def test_what_needs_a_hub_keeps_tiers_and_routing_buffers_as_far_as_it_can() -> None:
    van = [n.Carrier("post", (service(),)), n.Carrier("van", (to_points(),))]
    by_van = {"collections": collections("van", 17 * 60)}
    near = point("near", type=n.PointType.STORE, position=LILLE, **by_van)
    network = shop(hub(), lyon(**by_van), near, carriers=van)
    shelves = stock({"a": {"hub": 5}, "b": {"lyon": 5, "near": 5}})
    network = replace(network, stock=replace(network.stock, positions=shelves))
    rules = replace(JOINING, preparation_costs=(), distance_cost_minor_per_kilometre=1.0)
    assert [leg.point_id for leg in best(network, asked(), rules).legs] == ["hub", "near"]
    strict = replace(rules, tiers=(Tier((n.PointType.WAREHOUSE,)),))
    assert [leg.point_id for leg in best(network, asked(), strict).legs] == ["hub", "lyon"]
    shelves["b"]["near"] = replace(shelves["b"]["near"], routing_buffers={"web": 5})
    assert [leg.point_id for leg in best(network, asked(), rules).legs] == ["hub", "lyon"]
    assert [leg.point_id for leg in best(network, asked(("a", 1), ("b", 6)), rules).legs] == [
        "hub",
        "lyon",
        "near",
    ]


def test_pressure_on_the_hub_is_that_of_the_day_on_which_it_could_begin_at_once() -> None:
    capacity = Capacity(Limits([Limit(10, "hub")]), {Counter("hub", date(2026, 6, 1)): 5})
    found = best(replace(shop(), capacity=capacity), asked(), replace(JOINING, capacity_pressure_minor=60))
    assert found.onward is not None
    assert next(cost.amount_minor for cost in found.costs if cost.name == "capacity") == 30
    assert sum(cost.amount_minor for cost in found.costs) == found.total_cost_minor == 980


def test_units_that_are_nowhere_stay_without_a_place_and_the_rest_meets() -> None:
    outcome = engine.plan(shop(), asked(("a", 1), ("b", 9)), JOINING)
    assert outcome.plans[0].onward is not None
    assert [(one.sku, one.quantity, one.reason) for one in outcome.unplanned] == [("b", 4, "NO_STOCK")]


def test_an_appointment_is_kept_by_the_last_visit_to_the_hub_that_is_in_time() -> None:
    visit = n.Appointment(n.Window(paris(10, day=9), paris(12, day=9)))
    carriers = post(service("visit", mode=n.Mode.APPOINTMENT), to_points())
    found = best(shop(carriers=carriers), asked(mode=n.Mode.APPOINTMENT, appointment=visit))
    assert found.onward is not None
    assert found.window == visit.window
    # Two days in transit at most.
    assert found.onward.hand_over_by == paris(17, day=7)
    # What Lyon sends on Friday is there on Saturday evening; a day later it would be there after the visit.
    assert found.order_before == paris(17, day=5)


def test_an_appointment_that_the_hub_cannot_keep_is_kept_directly() -> None:
    soon = n.Appointment(n.Window(paris(10, day=4), paris(12, day=4)))
    carriers = post(service("visit", mode=n.Mode.APPOINTMENT), to_points())
    assert best(shop(carriers=carriers), asked(mode=n.Mode.APPOINTMENT, appointment=soon)).onward is None


# -- time -----------------------------------------------------------------------------------------------------


def only_by_hub(**values: Any) -> Snapshot:
    """Nobody brings what Lyon has to the customer; the hub works and is collected on workdays."""
    carriers = [n.Carrier("post", (service(),)), n.Carrier("van", (to_points(),))]
    workdays = (1, 2, 3, 4, 5)
    there = hub(
        openings=openings(workdays, 8 * 60, 17 * 60),
        collections=(*collections("post", 11 * 60, workdays), *collections("post", 16 * 60, workdays)),
        handling_minutes=150,
    )
    here = lyon(
        openings=openings((1, 2, 3, 4, 5, 6), 9 * 60, 18 * 60),
        collections=collections("van", 15 * 60, (1, 3, 5, 6)),
        handling_minutes=90,
    )
    return shop(there, here, carriers=carriers, **values)


@pytest.mark.parametrize("hours", range(0, 24 * 14, 19))
def test_the_countdown_is_exact(hours: int) -> None:
    network, now = only_by_hub(), NOW + timedelta(hours=hours, minutes=hours % 60)
    question = asked(now=now, cooling_off_until=now + timedelta(minutes=30))
    found = best(network, question)
    assert found.order_before >= now

    def at(instant: datetime) -> n.Window:
        moved = replace(question, now=instant, cooling_off_until=instant + timedelta(minutes=30))
        return best(network, moved).window

    assert at(found.order_before) == found.window
    assert at(found.order_before + timedelta(seconds=1)).rank > found.window.rank


def full(*limits: Limit, taken: dict[Counter, int] | None = None) -> Snapshot:
    return replace(only_by_hub(), capacity=Capacity(Limits(limits), taken))


def test_a_full_day_of_the_hub_is_passed_over_and_the_countdown_knows_it() -> None:
    found = best(only_by_hub(), asked())
    assert found.onward is not None
    # There on Tuesday at 18:00, begun on Wednesday.
    assert found.onward.prepared_on == date(2026, 6, 3)
    later = best(full(Limit(0, "hub", on=date(2026, 6, 3))), asked())
    assert later.onward is not None
    assert later.onward.prepared_on == date(2026, 6, 4)
    assert later.window.end > found.window.end
    assert later.order_before == paris(13, 30)


def test_a_full_collection_of_the_onward_carrier_is_passed_over() -> None:
    found = best(full(Limit(0, "hub", "post", on=date(2026, 6, 3))), asked())
    assert found.onward is not None
    assert found.onward.collected_on == date(2026, 6, 4)


def test_an_order_takes_one_place_at_the_hub_and_its_parcels_where_they_are_collected() -> None:
    taken = takings.of_best_plan(decide(only_by_hub(), asked(), JOINING))
    assert [(one.place.point_id, one.carrier_id, one.prepared_on, one.parcels) for one in taken] == [
        ("lyon", "van", date(2026, 6, 1), 1),
        ("hub", "post", date(2026, 6, 3), 1),
    ]
    assert [one.place.lines for one in taken] == [{2: 1}, {}]
    counted = [counter.point_id for one in taken for counter, _ in one.counted if not counter.carrier_id]
    assert counted == ["lyon", "hub"]


def test_same_day_is_joined_only_if_it_still_arrives_on_the_day() -> None:
    courier = service(
        "courier",
        mode=n.Mode.SAME_DAY,
        zones=(terms(transit_days_min=0, transit_days_max=0),),
        delivery_from_minute=18 * 60,
        delivery_until_minute=21 * 60,
    )
    early = to_points(
        zones=(terms(transit_days_min=0, transit_days_max=0, rates=(n.RateStep(30_000, euros(200)),)),),
        delivery_from_minute=13 * 60,
        delivery_until_minute=14 * 60,
    )
    near = lyon(collections=collections("post", 12 * 60))
    question = asked(mode=n.Mode.SAME_DAY)
    found = best(shop(hub(), near, carriers=post(courier, early)), question)
    assert found.onward is not None
    assert found.window == n.Window(paris(18), paris(21))
    late = replace(early, delivery_until_minute=17 * 60)
    assert best(shop(hub(), near, carriers=post(courier, late)), question).onward is None
