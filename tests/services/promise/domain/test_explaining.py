"""What a decision says to a person, case by case, in the words that he reads."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from kit.values.money import Money
from services.promise.domain import engine, explaining, explaining_points, replaying, wording
from services.promise.domain import network as n
from services.promise.domain.capacity import Capacity, Counter, Limit, Limits
from services.promise.domain.plans import (
    NO_RECORD,
    CostComponent,
    Decision,
    DeliveryOption,
    Rejected,
    SeenStock,
    Unplanned,
)
from services.promise.domain.rulesets import Ruleset, Tier
from services.promise.domain.snapshot import Snapshot
from services.promise.domain.telling import ARTICLES_TOLD, Sentence
from tests.services.promise.domain.decided import decide
from tests.services.promise.network import (
    LILLE,
    LYON,
    NOW,
    PARIS,
    PARIS_AREA,
    coming,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    with_coming,
)

LILLE_POINT, LYON_POINT = point("lille", position=LILLE), point("lyon", position=LYON, type=n.PointType.STORE)
BY_DISTANCE = ruleset(distance_cost_minor_per_kilometre=1.0)


def section(
    decision: Decision, name: str, seen: Snapshot | None = None, rules: Ruleset | None = None
) -> list[Sentence]:
    alone = {}
    if seen is not None and rules is not None:
        alone = replaying.alone(decision, explaining_points.points_with_all(decision), seen, rules)
    told = explaining.explain(decision, alone)
    return [sentence for part in told.sections if part.name == name for sentence in part.sentences]


def texts(sentences: list[Sentence]) -> list[str]:
    return [sentence.text for sentence in sentences]


def why_not(decision: Decision, point_id: str, seen: Snapshot, rules: Ruleset) -> list[Sentence]:
    told = explaining.explain(decision, why_not=replaying.why_not(decision, point_id, seen, rules))
    assert told.sections[0].name == "why_not", "what was asked for is answered first"
    return list(told.sections[0].sentences)


# -- what was chosen ------------------------------------------------------------------------------------------


def test_the_points_their_units_and_the_days_are_told_in_local_time() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 2}}))
    whole, leg = section(decide(seen, request(("x", 2)), ruleset()), "chosen")
    assert whole.text == (
        "The order (2 units) ships from 1 point by home delivery and arrives "
        "Tue 2 Jun 2026 08:00 to Wed 3 Jun 2026 18:00 (Europe/Paris)."
    )
    assert leg.text == (
        "lille (warehouse, 204 km) sends 2 x x with post home in 1 parcel, handed over by "
        "Mon 1 Jun 2026 17:00 (Europe/Paris); carriage 5.00 EUR."
    )
    assert leg.facts["hand_over_by"] == "2026-06-01T15:00:00+00:00"
    assert (leg.facts["point_id"], leg.facts["shipping_cost_minor"]) == ("lille", "500")


def test_the_boxes_of_a_leg_and_the_weight_that_it_is_charged_for_are_told() -> None:
    sold = service(volumetric_divisor=5_000)
    box = n.Box("M", 400, 300, 200, 15_000, 300, Money(49, "EUR"))
    items = [n.Item("x", "", 400, 350, (250, 100)), n.Item("sofa", "", 9_000, 1_800, (900, 20))]
    seen = snapshot(
        [LILLE_POINT], stock({"x": {"lille": 2}, "sofa": {"lille": 1}}), [n.Carrier("post", (sold,))], items
    )
    seen = replace(seen, boxes=(box,))
    decision = decide(seen, request(("x", 2)), ruleset())
    _, leg = section(decision, "chosen")
    assert "in 1 parcel (1 x M) of 1.1 kg that are charged for 4.8 kg by volume, handed over" in leg.text
    facts = {"parcels": "1", "boxes": "M:1", "weight_grams": "1100", "chargeable_grams": "4800"}
    assert facts.items() <= leg.facts.items()
    assert "0.49 EUR is for boxes." in texts(section(decision, "cost"))
    _, leg = section(decide(seen, request(("x", 1), ("sofa", 1)), ruleset()), "chosen")
    assert "in 2 parcels (1 x M and 1 as they are) of 9.7 kg that are charged for" in leg.text


def test_the_hand_over_is_told_in_the_zone_of_its_point() -> None:
    london = point("lille", time_zone="Europe/London")
    seen = snapshot([london], stock({"x": {"lille": 1}}))
    _, leg = section(decide(seen, request(("x", 1)), ruleset()), "chosen")
    assert "handed over by Mon 1 Jun 2026 17:00 (Europe/London)" in leg.text


def test_nothing_planned_is_said() -> None:
    decision = decide(snapshot([LILLE_POINT], stock({"x": {}})), request(("x", 1)), ruleset())
    assert texts(section(decision, "chosen")) == ["Nothing was planned."]
    assert [part.name for part in explaining.explain(decision).sections] == [
        "chosen",
        "dropped_points",
        "stock_seen",
        "not_shipped",
        "freshness",
    ]


# -- why split ------------------------------------------------------------------------------------------------


def test_an_order_that_no_point_has_whole_is_split_for_that() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 2, "lyon": 1}, "y": {"lyon": 1}}))
    (said,) = section(decide(seen, request(("x", 3), ("y", 1)), ruleset()), "split")
    assert said.text == (
        "It is split because no single point had every unit: the most that one had was 2 of 4 units (lille)."
    )
    assert said.facts == {"point_id": "lille", "units": "2", "wanted": "4"}


def cheaper_split() -> tuple[Snapshot, Ruleset]:
    """Far has both articles but is far; the near ones have one each, and a split costs next to nothing."""
    far = point("far", position=n.Position(43.3, 5.4))
    seen = snapshot(
        [LILLE_POINT, LYON_POINT, far], stock({"x": {"lille": 1, "far": 1}, "y": {"lyon": 1, "far": 1}})
    )
    costs = ruleset(
        split_cost_minor=1, preparation_costs=(), distance_cost_minor_per_kilometre=10.0, alternatives=1
    )
    return seen, costs


def test_an_order_that_one_point_has_whole_is_split_when_that_is_cheaper() -> None:
    seen, rules = cheaper_split()
    decision = decide(seen, request(("x", 1), ("y", 1)), rules)
    assert [leg.point_id for leg in decision.outcome.plans[0].legs] == ["lille", "lyon"]
    although, alone = section(decision, "split", seen, rules)
    assert although.text == "It is split although 1 point had every unit: far."
    more = int(alone.facts["total_cost_minor"]) - decision.outcome.plans[0].total_cost_minor
    assert more > 0
    assert alone.text.startswith("far alone would have cost ")
    assert alone.text.endswith(f", {Money(more, 'EUR')} more than the chosen plan.")


def test_a_point_with_all_that_was_dropped_says_why() -> None:
    seen, rules = cheaper_split()
    shut = replace(seen.stock.points["far"], openings=())
    seen = replace(seen, stock=replace(seen.stock, points={**seen.stock.points, "far": shut}))
    decision = decide(seen, request(("x", 1), ("y", 1)), rules)
    assert texts(section(decision, "split", seen, rules))[1] == (
        "far: it is closed, without working time to prepare a parcel."
    )


def test_one_point_is_not_split() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 2}}))
    decision = decide(seen, request(("x", 2)), ruleset())
    assert texts(section(decision, "split")) == ["It is not split: lille had all that is sent."]


# -- nearer points --------------------------------------------------------------------------------------------


def test_nearer_points_are_told_by_their_reason() -> None:
    """Lyon sends; nearer ones are out of stock, closed, not activated, without ship-from-store."""
    nearer = [
        point("empty-1", position=PARIS),
        point("empty-2", position=PARIS),
        point("shut", openings=()),
        point("other-channel"),
        point("counter", type=n.PointType.STORE, capabilities=frozenset()),
        point("uncollected", collections=()),
    ]
    positions = stock({"x": {"lyon": 1, "shut": 1, "counter": 1, "empty-2": 0, "uncollected": 1}})
    positions["x"]["other-channel"] = n.StockPosition(5, {})
    seen = snapshot([LYON_POINT, *nearer], positions)
    told = section(decide(seen, request(("x", 1)), ruleset()), "nearer_points")
    assert {sentence.facts["reasons"]: sentence.text for sentence in told} == {
        "NO_STOCK": (
            "2 nearer points (empty-1 (0.0 km) and empty-2 (0.0 km)): no unit that the channel may take."
        ),
        "CLOSED": "1 nearer point (shut (204 km)): it is closed, without working time to prepare a parcel.",
        "NOT_ACTIVATED": "1 nearer point (other-channel (204 km)): the channel may not sell from there.",
        "NO_SHIP_FROM_STORE": "1 nearer point (counter (204 km)): the store does not ship.",
        "NO_COLLECTION": "1 nearer point (uncollected (204 km)): the carrier does not collect there.",
    }


def test_a_nearer_point_that_is_dearer_says_by_how_much() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    store_first = ruleset(preparation_costs=(replace(ruleset().preparation_costs[1], cost_minor=900),))
    decision = decide(seen, request(("x", 1)), store_first)
    (said,) = section(decision, "nearer_points")
    assert said.text == (
        "1 nearer point (lille (204 km)) could have sent something, but no plan with one of them is better. The "
        "best kept with lille costs 14.00 EUR, 9.00 EUR more than the chosen plan."
    )
    unproved = replace(decision, outcome=replace(decision.outcome, proved_optimal=False))
    assert "no better plan with one of them was found" in section(unproved, "nearer_points")[0].text


def test_the_nearest_point_needs_no_excuse() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    decision = decide(seen, request(("x", 1)), BY_DISTANCE)
    assert texts(section(decision, "nearer_points")) == [
        "No point that is not used is nearer than those that are."
    ]


def test_many_dropped_points_are_one_sentence() -> None:
    empty = [point(f"p{i:02}", position=PARIS) for i in range(42)]
    decision = decide(snapshot([*empty, LYON_POINT], stock({"x": {"lyon": 1}})), request(("x", 1)), ruleset())
    (said,) = section(decision, "dropped_points")
    assert said.text == (
        "42 points (p00, p01, p02, p03, p04, p05, p06, p07, p08, p09 and 32 more): "
        "no unit that the channel may take."
    )
    assert said.facts == {"reason": "NO_STOCK", "points": "42"}


# -- stock, cost, next best -----------------------------------------------------------------------------------


def test_the_stock_seen_is_told_shortest_first_and_cut() -> None:
    free = {f"s{i:02}": {"lille": 5} for i in range(ARTICLES_TOLD + 3)} | {"short": {"lille": 1}, "none": {}}
    asked = request(*((sku, 2) for sku in free))
    told = texts(section(decide(snapshot([LILLE_POINT], stock(free)), asked, ruleset()), "stock_seen"))
    assert told[0] == "none: 2 wanted, none that the channel may take."
    assert told[1] == "short: 2 wanted, 1 available at 1 point, at most 1 at one."
    assert told[-1] == "And 5 more articles."
    assert len(told) == ARTICLES_TOLD + 1


def test_the_cost_is_told_by_component_in_major_units() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    assert texts(section(decision, "cost")) == [
        "It is judged to cost 6.00 EUR in all.",
        "5.00 EUR is for carriage by the carriers' rates.",
        "1.00 EUR is for preparation.",
    ]
    plan = replace(
        decision.outcome.plans[0],
        costs=(CostComponent("markdown", -120), CostComponent("short_pick", 40), CostComponent("new_one", 5)),
    )
    decision = replace(decision, outcome=replace(decision.outcome, plans=(plan,)))
    assert texts(section(decision, "cost"))[1:] == [
        "1.20 EUR less for units sold that would be marked down soon.",
        "0.40 EUR is for how often the points do not find such articles.",
        "0.05 EUR is for new_one.",
    ]


def test_the_next_best_plan_is_told_with_what_it_costs_more() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    (said,) = section(decision, "next_best")
    assert "ships from lyon" in said.text
    assert said.text.endswith("costs 7.00 EUR, 1.00 EUR more than the chosen plan.")
    assert said.facts["more_minor"] == "100"
    only = decide(seen, request(("x", 1)), ruleset(alternatives=1))
    assert texts(section(only, "next_best")) == ["No other plan was kept."]


def test_an_equal_plan_that_was_not_taken_says_what_decided() -> None:
    later = point("a-later", collections=())
    later = replace(later, collections=tuple(replace(c, cut_off_minute=9 * 60) for c in LILLE_POINT.collections))
    twin = replace(LILLE_POINT, point_id="twin")
    for other, why in (
        (twin, "as much as the chosen plan: of equal ones, the first by name is taken."),
        (later, "as much as the chosen plan, but arrives later."),
    ):
        seen = snapshot([LILLE_POINT, other], stock({"x": {"lille": 1, other.point_id: 1}}))
        (said,) = section(decide(seen, request(("x", 1)), ruleset()), "next_best")
        assert said.text.endswith(why)


# -- not shipped ----------------------------------------------------------------------------------------------


def test_units_without_a_place_are_told_by_reason() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 1}}))
    decision = decide(seen, request(("x", 3), ("ghost", 1)), ruleset())
    assert texts(section(decision, "chosen"))[0].startswith("A part of the order (1 unit)")
    assert texts(section(decision, "not_shipped")) == [
        "2 units not planned (2 x x): there are not enough units that the channel may take.",
        "1 unit not planned (1 x ghost): the article is not known.",
    ]


@pytest.mark.parametrize("reason", [*wording.UNPLANNED, "BRAND_NEW"])
def test_every_reason_of_units_without_a_place_has_its_words(reason: str) -> None:
    decision = decide(snapshot([LILLE_POINT], stock({"x": {}})), request(("x", 1)), ruleset())
    decision = replace(decision, outcome=replace(decision.outcome, unplanned=(Unplanned(1, "x", 1, reason),)))
    (said,) = section(decision, "not_shipped")
    assert said.facts["reason"] == reason
    assert (reason in said.text) == (reason == "BRAND_NEW"), "an unknown reason is its own word"


@pytest.mark.parametrize("reason", [*wording.DROPPED, "BRAND_NEW"])
def test_every_reason_of_a_dropped_point_has_its_words(reason: str) -> None:
    decision = decide(snapshot([LILLE_POINT], stock({"x": {}})), request(("x", 1)), ruleset())
    decision = replace(decision, outcome=replace(decision.outcome, rejected=(Rejected("lille", "", reason, ""),)))
    (said,) = section(decision, "dropped_points")
    assert (reason in said.text) == (reason == "BRAND_NEW")


# -- proof and freshness --------------------------------------------------------------------------------------


def test_a_plan_is_proved_or_says_how_far_it_may_be_off() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    assert texts(section(decision, "proof")) == ["No plan for these units is cheaper: that is proved."]
    open_ended = replace(decision.outcome, proved_optimal=False, least_cost_minor=540)
    assert texts(section(replace(decision, outcome=open_ended), "proof")) == [
        "The search ended at its limit: a plan that is not found could be cheaper by at most 0.60 EUR (10.0 %)."
    ]
    unknown = replace(open_ended, least_cost_minor=0)
    assert section(replace(decision, outcome=unknown), "proof")[0].code == "NOT_PROVED"


def test_the_rules_and_the_age_of_the_stock_are_told() -> None:
    decision = decide(snapshot([LILLE_POINT], stock({"x": {"lille": 1}})), request(("x", 1)), ruleset(version=4))
    judged, fresh = section(decision, "freshness")
    assert judged.text == (
        "Asked Mon 1 Jun 2026 10:00 (Europe/Paris), judged by version 4 of the ruleset default."
    )
    assert (fresh.text, fresh.code) == ("The stock was 4 s old.", "STOCK_FRESH")
    view = replace(decision.stock, as_of=NOW - timedelta(minutes=5), stale=True)
    stale = section(replace(decision, stock=view), "freshness")[1]
    assert stale.text == "The stock was stale: the feed was broken or behind, and last heard of 5 min before."


# -- waiting --------------------------------------------------------------------------------------------------


def waiting(decision: Decision, seen: Snapshot, rules: Ruleset) -> list[Sentence]:
    told = explaining.explain(decision, at_once=replaying.at_once(decision, seen, rules))
    return [sentence for part in told.sections if part.name == "waiting" for sentence in part.sentences]


def test_a_plan_that_waits_says_for_what_and_what_not_waiting_would_have_cost() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1}, "y": {"lyon": 1}}))
    seen = with_coming(seen, y={"lille": (coming("po-1", 2, NOW + timedelta(hours=38)),)})
    rules = ruleset(max_wait_days=3, waiting_day_minor=50)
    decision = decide(seen, request(("x", 1), ("y", 1), may_wait=True), rules)
    said = waiting(decision, seen, rules)
    assert texts(said) == [
        "lille waits for 1 x y of po-1, due by Wed 3 Jun 2026 00:00 (Europe/Paris).",
        "It waits instead of a split over 2 points at once, which would have cost 16.00 EUR, "
        "9.00 EUR more than the chosen plan.",
    ]
    assert said[0].facts["supplies"] == "po-1"
    assert said[1].facts["more_minor"] == "900"
    assert texts(section(decision, "split")) == ["It is not split: lille has, or gets, all that is sent."]


def test_a_plan_that_could_not_have_gone_at_once_says_so() -> None:
    seen = with_coming(
        snapshot([LILLE_POINT], stock({"x": {"lille": 1}})),
        x={"lille": (coming("po-1", 2, NOW + timedelta(hours=38)),)},
    )
    rules = ruleset(max_wait_days=3)
    decision = decide(seen, request(("x", 3), may_wait=True), rules)
    assert texts(waiting(decision, seen, rules))[1] == "Without waiting 2 units could not have been sent."


def test_a_release_date_that_holds_a_leg_is_told() -> None:
    items = [n.Item("x", "maison", 400, 300, release_date=date(2026, 6, 4))]
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 1}}), items=items)
    decision = decide(seen, request(("x", 1)), ruleset())
    assert texts(section(decision, "waiting")) == [
        "lille hands nothing over before 2026-06-04, when its articles are released."
    ]


# -- quotes ---------------------------------------------------------------------------------------------------


def quoted(problem: str) -> Decision:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    option = DeliveryOption(n.Mode.HOME_STANDARD, decision.outcome.plans[1])
    record = replace(decision.record, quoted=option, quote_problem=problem)
    return replace(decision, quote_id="quo_1", record=record)


def test_what_was_quoted_stands_beside_what_was_planned() -> None:
    was, kept = texts(section(quoted(""), "quote"))
    assert was == (
        "Quoted was Tue 2 Jun 2026 08:00 to Wed 3 Jun 2026 18:00 (Europe/Paris) for 4.90 EUR, from lyon."
    )
    assert kept == "It was kept, from lille instead."


@pytest.mark.parametrize("problem", wording.QUOTE_PROBLEMS)
def test_a_broken_quote_says_why_and_what_could_be_had(problem: str) -> None:
    decision = quoted(problem)
    option = DeliveryOption(n.Mode.HOME_EXPRESS, decision.outcome.plans[0])
    decision = replace(
        decision, quote_broken=True, new_options=(option,), outcome=replace(decision.outcome, plans=())
    )
    told = texts(section(decision, "quote"))
    assert told[1] == f"The quote could not be kept: {wording.QUOTE_PROBLEMS[problem]}."
    assert told[2].startswith("Could be had instead: express home delivery Tue 2 Jun 2026 08:00")


# -- why not that point ---------------------------------------------------------------------------------------


def test_a_point_that_was_asked_about_is_answered_with_what_it_would_have_cost() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    (said,) = why_not(decision, "lyon", seen, ruleset())
    assert said.text == (
        "The cheapest plan that uses lyon ships from lyon and costs 7.00 EUR, 1.00 EUR more than the chosen plan."
    )
    assert texts(why_not(decision, "lille", seen, ruleset())) == ["lille is used."]
    assert "no point nowhere" in why_not(decision, "nowhere", seen, ruleset())[0].text


def test_a_point_that_was_dropped_is_answered_with_its_reason_and_detail() -> None:
    shop = point("shop", position=PARIS, type=n.PointType.STORE)
    rules = ruleset(tiers=(Tier((n.PointType.WAREHOUSE,)),), distance_cost_minor_per_kilometre=1.0)
    seen = snapshot([LILLE_POINT, shop], stock({"x": {"lille": 1, "shop": 1}}))
    dropped, cost = texts(why_not(decide(seen, request(("x", 1)), rules), "shop", seen, rules))
    assert dropped == (
        "shop: the rules ask points of other types first, and those had all (points of earlier tiers have all)."
    )
    assert cost.startswith("Had it been taken all the same: the cheapest plan that uses shop ships from shop")
    assert cost.endswith("less than the chosen plan.")


def test_a_nearer_point_that_was_full_says_on_which_day_and_what_its_limit_was() -> None:
    full = {Counter("near", date(2026, 6, 1)): 12, Counter("near", date(2026, 6, 2), "post"): 30}
    limits = Limits([Limit(12, "near"), Limit(30, "", "post")])
    points = [point("near", position=LILLE), point("far", position=LYON)]
    network = snapshot(points, stock({"x": {"near": 3, "far": 3}}))
    rules = ruleset(distance_cost_minor_per_kilometre=0.1, capacity_pressure_minor=500)
    decision = decide(replace(network, capacity=Capacity(limits, full)), request(("x", 1)), rules)
    assert [leg.point_id for leg in decision.outcome.plans[0].legs] == ["far"]
    said = [
        "near (warehouse, 204 km) had no room on Mon 1 Jun 2026 (12 of 12 orders).",
        "post took no more from near (warehouse, 204 km) on Tue 2 Jun 2026 (30 of 30 parcels).",
    ]
    assert texts(section(decision, "full")) == said
    told = texts(why_not(decision, "near", network, rules))
    assert told[-2:] == said
    assert "costs" in told[0]


def test_a_changed_network_is_admitted() -> None:
    seen = snapshot([LILLE_POINT, LYON_POINT], stock({"x": {"lille": 1, "lyon": 1}}))
    decision = decide(seen, request(("x", 1)), ruleset())
    today = snapshot([replace(LILLE_POINT, openings=()), LYON_POINT], stock({"x": {}}))
    assert why_not(decision, "lyon", today, ruleset())[-1].code == "WHY_NOT_CHANGED"


# -- all of them ----------------------------------------------------------------------------------------------


def test_a_decision_of_before_there_were_records_is_told_as_far_as_it_goes() -> None:
    seen, rules = cheaper_split()
    old = replace(decide(seen, request(("x", 1), ("y", 1)), rules), record=NO_RECORD)
    told = explaining.explain(old)
    assert "nearer_points" not in {part.name for part in told.sections}
    assert "(UTC)" in told.sections[0].sentences[0].text


def test_an_order_of_600_lines_over_60_points_is_told_in_a_page() -> None:
    """What is long is cut: no sentence is longer than a paragraph, and there are few of them."""
    points = [point(f"p{i:02}", position=n.Position(43 + i * 0.12, 3.0)) for i in range(60)]
    asked = request(*((f"s{i:03}", 1) for i in range(600)))
    free = {f"s{i:03}": {f"p{i % 60:02}": 1} for i in range(600)}
    decision = decide(snapshot(points, stock(free)), asked, ruleset(max_parcels=3))
    seen = tuple(SeenStock(f"s{i:03}", one.point_id, 1) for i in range(600) for one in points)
    told = explaining.explain(replace(decision, outcome=replace(decision.outcome, seen=seen)))
    sentences = [sentence for part in told.sections for sentence in part.sentences]
    assert len(sentences) < 60
    assert max(len(sentence.text) for sentence in sentences) < 800


def test_a_destination_that_nobody_knows_is_told() -> None:
    seen = snapshot([LILLE_POINT], stock({"x": {"lille": 1}}), areas=(replace(PARIS_AREA, prefix="13"),))
    decision = decide(seen, request(("x", 1)), ruleset())
    assert engine.plan(seen, request(("x", 1)), ruleset()).unplanned[0].reason == "UNKNOWN_DESTINATION"
    assert texts(section(decision, "not_shipped")) == [
        "1 unit not planned (1 x x): no zone or no position is known for this postcode."
    ]
