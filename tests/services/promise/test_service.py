"""Quotes, decisions and terms on a real database."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, OmsError
from kit.values.money import Money
from services.promise.decisions import Decisions
from services.promise.domain import network as n
from services.promise.domain.plans import Decision, Quote
from services.promise.domain.ruleset_versions import Edit
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import Change, StockReplica
from services.promise.rulesets import Rulesets
from services.promise.service import QUOTE_LIFE, QUOTE_MEMORY, PromiseService
from tests.services.promise.conftest import publish, shop_carriers
from tests.services.promise.network import (
    CHANNEL,
    FRANCE,
    NOW,
    PARIS_AREA,
    basket,
    block,
    coming,
    euros,
    request,
    ruleset,
    service,
    terms,
)


async def plan_order(
    promise: PromiseService,
    asked: n.PlanRequest,
    *,
    request_id: str = "r1",
    quote_id: str = "",
    content: bytes = b"1",
) -> Decision:
    return await promise.plan_order(request_id, "ord_1", asked, quote_id, content)


def sell(replica: StockReplica, sku: str, point_id: str, left: int) -> None:
    replica.take(Change(99, positions=block((sku, point_id, n.StockPosition(left, {CHANNEL: 0})))), NOW)


async def count(database: AsyncEngine, table: str) -> int:
    async with database.connect() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


# -- quotes ---------------------------------------------------------------------------------------------------


async def test_a_quote_offers_each_mode_with_its_price_window_and_countdown(promise: PromiseService) -> None:
    quote = await promise.quote(request(("x", 2)))
    standard, express = quote.option(n.Mode.HOME_STANDARD), quote.option(n.Mode.HOME_EXPRESS)
    assert standard is not None
    assert express is not None
    assert standard.plan.price == euros(490)
    assert express.plan.price == euros(990)
    assert express.plan.window.end < standard.plan.window.end
    assert standard.plan.order_before == NOW.replace(hour=15)
    assert standard.plan.legs[0].point_id == "lille"
    assert standard.plan.carbon.grams_co2e > 0
    assert {no.mode for no in quote.not_offered} == set(n.Mode) - {n.Mode.HOME_STANDARD, n.Mode.HOME_EXPRESS}
    assert quote.stock.sequence == 40


async def test_a_mode_that_cannot_serve_the_whole_basket_says_why(
    promise: PromiseService,
) -> None:
    quote = await promise.quote(request(("x", 7)))
    assert not quote.options
    reasons = {no.mode: no.reason for no in quote.not_offered}
    assert set(reasons) == set(n.Mode)
    assert reasons[n.Mode.HOME_STANDARD] == reasons[n.Mode.HOME_EXPRESS] == "NO_STOCK"
    assert reasons[n.Mode.LOCKER] == "NO_CARRIER"
    assert reasons[n.Mode.CLICK_AND_COLLECT] == "NO_STORE_NEAR"
    only_standard = replace(shop_carriers()[0], services=shop_carriers()[0].services[:1])
    await promise.put_carriers([only_standard])
    quote = await promise.quote(request(("x", 1)))
    assert [option.mode for option in quote.options] == [n.Mode.HOME_STANDARD]
    assert (quote.not_offered[0].mode, quote.not_offered[0].reason) == (n.Mode.HOME_EXPRESS, "NO_CARRIER")


async def test_expired_quotes_are_forgotten_in_the_end(promise: PromiseService, promise_db: AsyncEngine) -> None:
    await promise.quote(request(("x", 1)))
    assert await promise.forget_quotes(NOW + QUOTE_LIFE + QUOTE_MEMORY - timedelta(seconds=1)) == 0
    assert await promise.forget_quotes(NOW + QUOTE_LIFE + QUOTE_MEMORY + timedelta(seconds=1)) == 1
    assert await count(promise_db, "quote") == 0


# -- decisions ------------------------------------------------------------------------------------------------


async def test_a_decision_is_kept_with_what_it_saw(promise: PromiseService) -> None:
    asked = request(
        ("x", 1),
        exclusions=(n.ExcludedPoint("lille", "refused"),),
        overlays=(n.StockOverlay("x", "lyon", 1),),
        own_holds=(n.OwnHold("x", "lyon", 1),),
    )
    decision = await plan_order(promise, asked)
    assert decision.outcome.plans[0].legs[0].point_id == "lyon"
    assert ("lille", "EXCLUDED", "refused") in {
        (r.point_id, r.reason, r.detail) for r in decision.outcome.rejected
    }
    assert {(s.point_id, s.available) for s in decision.outcome.seen} == {("lille", 3), ("lyon", 2)}
    assert decision.ruleset_version == 1
    assert decision.stock.sequence == 40
    assert decision.outcome.proved_optimal


async def test_the_same_request_has_the_first_answer_even_when_the_stock_moved(
    promise: PromiseService, replica: StockReplica
) -> None:
    first = await plan_order(promise, request(("x", 1)))
    sell(replica, "x", "lille", 0)
    assert await plan_order(promise, request(("x", 1), now=NOW + timedelta(minutes=5))) == first
    assert (await plan_order(promise, request(("x", 1)), request_id="r2")).outcome.plans[0].legs[
        0
    ].point_id == "lyon"


async def test_the_same_request_id_with_other_content_is_a_conflict(promise: PromiseService) -> None:
    await plan_order(promise, request(("x", 1)))
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT") as caught:
        await plan_order(promise, request(("x", 2)), content=b"2")
    assert caught.value.facts["field"] == "request_id"


async def test_twenty_twins_at_once_make_one_decision(promise: PromiseService, promise_db: AsyncEngine) -> None:
    answers = await asyncio.gather(*(plan_order(promise, request(("x", 1))) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert await count(promise_db, "decision") == 1


async def test_a_decision_cannot_be_changed(promise: PromiseService, promise_db: AsyncEngine) -> None:
    await plan_order(promise, request(("x", 1)))
    async with promise_db.connect() as tx:
        with pytest.raises(DBAPIError, match="append-only"):
            await tx.execute(text("UPDATE decision SET order_id = 'ord_2'"))


# -- a quote that must be kept --------------------------------------------------------------------------------


async def quoted(promise: PromiseService, *units: tuple[str, int]) -> Quote:
    return await promise.quote(request(*units))


async def test_a_quote_is_kept_by_another_point_when_its_own_is_too_late(promise: PromiseService) -> None:
    quote = await quoted(promise, ("x", 1))
    # Lille's cut-off (17:00) has passed, Lyon's (19:00) has not.
    late = request(("x", 1), now=NOW + QUOTE_LIFE - timedelta(seconds=1), not_before=NOW.replace(hour=16))
    without = await plan_order(promise, late, request_id="without")
    assert without.outcome.plans[0].legs[0].point_id == "lille"
    kept = await plan_order(promise, late, quote_id=quote.quote_id)
    assert kept.outcome.plans[0].legs[0].point_id == "lyon"
    option = quote.option(n.Mode.HOME_STANDARD)
    assert option is not None
    assert kept.outcome.plans[0].window == option.plan.window
    assert "AFTER_QUOTED_WINDOW" in {rejected.reason for rejected in kept.outcome.rejected}


async def test_a_quote_that_cannot_be_kept_is_said_broken_with_what_can_be_had(
    promise: PromiseService, replica: StockReplica
) -> None:
    quote = await quoted(promise, ("x", 1))
    # After Lille's cut-off (17:00 in Paris), before Lyon's (19:00).
    too_late = request(("x", 1), not_before=NOW.replace(hour=16))
    decision = await plan_order(promise, too_late, quote_id=quote.quote_id, request_id="late")
    assert not decision.quote_broken
    sell(replica, "x", "lyon", 0)
    decision = await plan_order(promise, too_late, quote_id=quote.quote_id)
    assert decision.quote_broken
    assert not decision.outcome.plans
    option = quote.option(n.Mode.HOME_STANDARD)
    assert option is not None
    assert decision.new_options[0].plan.window.end > option.plan.window.end
    assert (decision.record.quoted, decision.record.quote_problem) == (option, "NOT_KEPT")
    again = await plan_order(promise, too_late, quote_id=quote.quote_id)
    assert again == decision


async def test_an_option_that_waits_is_quoted_and_refused_to_an_order_that_may_not(
    promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await publish(promise_db, ruleset(version=2, max_wait_days=3, waiting_day_minor=10), NOW)
    due_at = NOW + timedelta(hours=38)
    replica.take(Change(99, coming={("y", "lille"): (coming("po-1", 5, due_at),)}), NOW)
    asked = request(("y", 3), may_wait=True)
    quote = await promise.quote(asked)
    option = quote.option(n.Mode.HOME_STANDARD)
    assert option is not None
    assert option.plan.waits_until == due_at
    assert [line.supply_id for leg in option.plan.legs for line in leg.lines] == ["po-1"]
    assert (await promise.quote_listing(request(("y", 1), may_wait=True)))[0][0].options[0].waits_until is None
    refused = await plan_order(promise, replace(asked, may_wait=False), quote_id=quote.quote_id)
    assert (refused.quote_broken, refused.record.quote_problem) == (True, "MUST_WAIT")
    assert not refused.outcome.plans
    assert not refused.new_options, "nothing can be had without waiting"
    kept = await plan_order(promise, asked, quote_id=quote.quote_id, request_id="r2")
    assert kept.outcome.plans[0] == option.plan
    assert [(one.supply_id, one.units, one.due_at) for one in kept.outcome.coming] == [("po-1", 5, due_at)]


async def test_an_order_for_an_article_under_embargo_is_handed_over_when_that_ends(
    promise: PromiseService, replica: StockReplica
) -> None:
    released = n.Item("x", "maison", 400, 300, release_date=date(2026, 6, 9))
    replica.take(Change(99, items=(released,)), NOW)
    quote = await quoted(promise, ("x", 1))
    decision = await plan_order(promise, request(("x", 1)), quote_id=quote.quote_id)
    (leg,) = decision.outcome.plans[0].legs
    assert (leg.release_date, leg.hand_over_by) == (date(2026, 6, 9), NOW.replace(day=9, hour=15))


async def test_a_page_of_articles_is_promised_and_nothing_kept(
    promise: PromiseService, promise_db: AsyncEngine
) -> None:
    items, view = await promise.quote_listing(request(("y", 1), ("x", 1), ("gone", 1)))
    assert [item.sku for item in items] == ["y", "x", "gone"]
    standard = (await promise.quote(request(("x", 1)))).option(n.Mode.HOME_STANDARD)
    assert standard is not None
    assert items[1].options[0].window == standard.plan.window
    assert not items[2].options
    assert {one.reason for one in items[2].not_offered} >= {"UNKNOWN_ITEM"}
    assert view.sequence == 40
    assert await count(promise_db, "quote") == 1  # Ours of above.
    for units, field in (([], "skus"), ([(f"s{i}", 1) for i in range(51)], "skus"), ([("x", 1)] * 2, "skus[1]")):
        with pytest.raises(InvalidArgument) as caught:
            await promise.quote_listing(request(*units))
        assert the_field(caught) == field


async def test_of_several_options_of_a_mode_the_quote_keeps_the_one_that_was_chosen(
    promise: PromiseService,
) -> None:
    lorry = service("lorry", mode=n.Mode.APPOINTMENT, zones=(terms(transit_days_min=2, transit_days_max=3),))
    await promise.put_carriers([n.Carrier("post", (lorry,))])
    slots = [
        n.Appointment(n.Window(NOW.replace(day=day, hour=12), NOW.replace(day=day, hour=14)), "lorry")
        for day in (9, 12)
    ]
    quote = await promise.quote(request(("x", 1)), slots)
    assert [option.appointment for option in quote.options] == slots
    asked = request(("x", 1), mode=n.Mode.APPOINTMENT, appointment=slots[1])
    decision = await plan_order(promise, asked, quote_id=quote.quote_id)
    assert decision.outcome.plans[0].window == slots[1].window
    assert decision.record.quoted == quote.options[1]
    other = n.Appointment(n.Window(NOW.replace(day=10), NOW.replace(day=10, hour=10)), "lorry")
    broken = await plan_order(promise, replace(asked, appointment=other), quote_id=quote.quote_id, request_id="o")
    assert (broken.quote_broken, broken.record.quote_problem) == (True, "MODE_NOT_QUOTED")
    assert [option.appointment for option in broken.new_options] == [other]


async def test_an_appointment_begins_before_it_ends_and_is_one_of_a_few(promise: PromiseService) -> None:
    backwards = n.Appointment(n.Window(NOW + timedelta(hours=2), NOW + timedelta(hours=2)))
    fine = n.Appointment(n.Window(NOW, NOW + timedelta(hours=2)))
    for wrong, field in (([fine, backwards], "appointments[1].window.end"), ([fine] * 21, "appointments")):
        with pytest.raises(InvalidArgument) as caught:
            await promise.quote(request(("x", 1)), wrong)
        assert the_field(caught) == field


async def test_a_dearer_delivery_breaks_the_quote(promise: PromiseService) -> None:
    quote = await quoted(promise, ("x", 1))
    dearer = service("home", zones=(terms(customer_price=euros(590)),))
    await promise.put_carriers([n.Carrier("post", (dearer,))])
    decision = await plan_order(promise, request(("x", 1)), quote_id=quote.quote_id)
    assert decision.quote_broken
    assert decision.new_options[0].plan.price == euros(590)
    assert "ABOVE_QUOTED_PRICE" in {rejected.reason for rejected in decision.outcome.rejected}


@pytest.mark.parametrize("quote_id", ["unknown", "expired"])
async def test_an_unknown_or_expired_quote_is_broken(promise: PromiseService, quote_id: str) -> None:
    asked = request(("x", 1))
    if quote_id == "expired":
        quote_id = (await promise.quote(asked)).quote_id
        asked = replace(asked, now=NOW + QUOTE_LIFE)
    decision = await plan_order(promise, asked, quote_id=quote_id)
    assert decision.quote_broken
    assert decision.record.quote_problem == ("UNKNOWN_QUOTE" if quote_id == "unknown" else "EXPIRED")
    assert (decision.record.quoted is None) == (quote_id == "unknown")
    assert decision.outcome.seen, "what it saw is kept though nothing was planned"
    assert [option.mode for option in decision.new_options] == [n.Mode.HOME_STANDARD, n.Mode.HOME_EXPRESS]


async def test_a_quote_without_the_wanted_mode_is_broken(promise: PromiseService) -> None:
    await promise.put_carriers([replace(shop_carriers()[0], services=shop_carriers()[0].services[:1])])
    quote = await quoted(promise, ("x", 1))
    decision = await plan_order(promise, request(("x", 1), mode=n.Mode.HOME_EXPRESS), quote_id=quote.quote_id)
    assert decision.quote_broken
    assert decision.record.quote_problem == "MODE_NOT_QUOTED"


# -- terms ----------------------------------------------------------------------------------------------------


async def test_only_what_differs_is_written(promise: PromiseService) -> None:
    assert await promise.put_carriers(shop_carriers()) == 0
    renamed = replace(shop_carriers()[0], name="Autre")
    assert await promise.put_carriers([renamed, n.Carrier("van", ())]) == 2
    assert [carrier.carrier_id for carrier in await promise.list_carriers()] == ["post", "van"]
    assert await promise.put_geography([FRANCE], [PARIS_AREA]) == 0
    moved = replace(PARIS_AREA, position=n.Position(48.9, 2.3))
    assert await promise.put_geography([FRANCE], [moved, replace(moved, prefix="92")]) == 2


async def test_another_replica_sees_new_terms_at_once(
    promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    twin = PromiseService(promise_db, replica, is_public_holiday)
    assert len((await twin.quote(request(("x", 1)))).options) == 2
    await promise.put_carriers([n.Carrier("post", ())])
    assert not (await twin.quote(request(("x", 1)))).options


async def test_without_a_ruleset_nothing_is_planned(promise_db: AsyncEngine, replica: StockReplica) -> None:
    bare = PromiseService(promise_db, replica, is_public_holiday)
    with pytest.raises(FailedPrecondition, match="NO_RULESET"):
        await bare.quote(request(("x", 1)))


async def test_the_first_ruleset_is_known_to_every_replica_at_once(
    promise_db: AsyncEngine, replica: StockReplica
) -> None:
    first, twin = (PromiseService(promise_db, replica, is_public_holiday) for _ in range(2))
    with pytest.raises(FailedPrecondition, match="NO_RULESET"):
        await twin.quote(request(("x", 1)))
    await first.put_geography([FRANCE], [PARIS_AREA])
    await first.put_carriers(shop_carriers())
    await publish(promise_db, ruleset())
    assert len((await twin.quote(request(("x", 1)))).options) == 2


async def test_a_map_of_thousands_of_areas_is_put_at_once(promise: PromiseService) -> None:
    areas = [n.PostcodeArea("FR", f"{i:05}", n.Position(45, 3)) for i in range(5_000)]
    assert await promise.put_geography([], areas) == 5_000
    assert await promise.put_geography([], areas) == 0


# -- bad input ------------------------------------------------------------------------------------------------


def the_field(caught: pytest.ExceptionInfo[OmsError]) -> object:
    return caught.value.facts["field"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": ()}, "lines"),
        ({"lines": basket(*[("x", 1)] * 2_001)}, "lines"),
        ({"lines": basket(("x", 1), ("x", 1), ("x", 0))}, "lines[2].quantity"),
        ({"lines": basket(("x", 1), ("", 1))}, "lines[1].sku"),
        ({"lines": (n.BasketLine(1, "x", 1), n.BasketLine(1, "x", 1))}, "lines[1].line_number"),
        ({"destination": n.Destination("fr", "75011")}, "destination.country"),
        ({"destination": n.Destination("FR", " ")}, "destination.postcode"),
        ({"channel_id": ""}, "channel_id"),
        ({"channel_id": "nowhere"}, "channel_id"),
        ({"exclusions": (n.ExcludedPoint("a", ""),)}, "excluded_points[0].reason"),
        ({"overlays": (n.StockOverlay("x", "", 1),)}, "overlays[0].point_id"),
        ({"own_holds": (n.OwnHold("x", "a", -1),)}, "own_holds[0].quantity"),
        ({"supply_overlays": (n.SupplyOverlay("x", "a", "", 1),)}, "supply_overlays[0].supply_id"),
        ({"supply_overlays": (n.SupplyOverlay("x", "a", "po-1", -1),)}, "supply_overlays[0].units"),
    ],
)
async def test_a_bad_question_names_the_field(
    promise: PromiseService, change: dict[str, object], field: str
) -> None:
    asked = request(("x", 1), **change)
    with pytest.raises(InvalidArgument) as caught:
        await promise.quote(asked)
    assert the_field(caught) == field
    with pytest.raises(InvalidArgument) as caught:
        await plan_order(promise, asked)
    assert the_field(caught) == field


async def test_as_many_lines_as_an_order_may_have_are_planned(promise: PromiseService) -> None:
    decision = await plan_order(promise, request(*[("x", 1)] * 2_000))
    outcome = decision.outcome
    planned = sum(line.quantity for plan in outcome.plans[:1] for leg in plan.legs for line in leg.lines)
    assert planned + sum(line.quantity for line in outcome.unplanned) == 2_000


async def test_a_decision_needs_its_request_and_its_order(promise: PromiseService) -> None:
    for request_id, order_id, field in (("", "o", "request_id"), ("r", "", "order_id")):
        with pytest.raises(InvalidArgument) as caught:
            await promise.plan_order(request_id, order_id, request(("x", 1)), "", b"")
        assert the_field(caught) == field


RATE = n.RateStep


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zones": (terms(rates=(RATE(500, euros(1)), RATE(500, euros(2)))),)}, "zones[0].rates"),
        ({"zones": (terms(rates=(RATE(500, euros(2)), RATE(600, euros(1)))),)}, "zones[0].rates"),
        ({"zones": (terms(rates=()),)}, "zones[0].rates"),
        ({"zones": (terms(rates=(RATE(500, euros(-1)),)),)}, "zones[0].rates[0].price.amount_minor"),
        ({"zones": (terms(), terms())}, "zones[1].zone_id"),
        ({"zones": (terms(transit_days_max=0),)}, "zones[0].transit_days_max"),
        ({"zones": (terms(transit_days_min=-1),)}, "zones[0].transit_days_min"),
        ({"delivery_weekdays": (0,)}, "delivery_weekdays"),
        ({"delivery_until_minute": 480}, "delivery_until_minute"),
        ({"delivery_from_minute": 1440}, "delivery_from_minute"),
        ({"max_weight_grams": 0}, "max_weight_grams"),
        ({"max_length_millimetres": 0}, "max_length_millimetres"),
        (
            {"carbon_legs": (n.CarbonLeg("road", 0, float("nan")),)},
            "carbon_legs[0].grams_per_tonne_kilometre",
        ),
        ({"carbon_legs": (n.CarbonLeg("", 0, 1.0),)}, "carbon_legs[0].transport"),
        ({"carbon_legs": (n.CarbonLeg("van", -1, 1.0),)}, "carbon_legs[0].kilometres"),
        ({"carbon_legs": (n.CarbonLeg("van", 30, 1.0),)}, "carbon_legs"),
        ({"max_girth_millimetres": -1}, "max_girth_millimetres"),
        ({"volumetric_divisor": -1}, "volumetric_divisor"),
        ({"max_distance_kilometres": -1}, "max_distance_kilometres"),
        ({"max_width_millimetres": 300}, "max_width_millimetres"),
        ({"max_width_millimetres": 300, "max_height_millimetres": 301}, "max_width_millimetres"),
        ({"carbon_factor": ""}, "carbon_factor"),
        ({"surcharge_basis_points": -1}, "surcharge_basis_points"),
    ],
)
async def test_a_bad_carrier_names_the_field(
    promise: PromiseService, change: dict[str, object], field: str
) -> None:
    carriers = [n.Carrier("post", (service("good"), service("bad", **change)))]
    with pytest.raises(InvalidArgument) as caught:
        await promise.put_carriers(carriers)
    assert the_field(caught) == f"carriers[0].services[1].{field}"


BOX = n.Box("S", 320, 200, 150, 8_000, 150, euros(25), wall_millimetres=4, fill_percent=85, name="Small")


async def test_goods_are_planned_in_the_boxes_of_the_catalogue_until_they_are_gone(
    promise: PromiseService, promise_db: AsyncEngine
) -> None:
    large = replace(BOX, box_id="L", length_millimetres=600)
    assert await promise.put_boxes([BOX, large]) == 2
    assert await promise.list_boxes() == [large, BOX]
    quote = await promise.quote(request(("x", 2)))
    (leg,) = quote.options[0].plan.legs
    assert (leg.boxes, leg.weight_grams, leg.packaging_cost_minor) == ((("L", 1),), 950, 25)
    decision = await plan_order(promise, request(("x", 2)), quote_id=quote.quote_id)
    assert await Decisions(promise_db, promise).get(decision.decision_id) == decision
    assert decision.outcome.plans[0].legs[0].boxes == (("L", 1),)
    assert await promise.put_boxes([BOX, replace(large, tare_grams=100)]) == 1
    assert await promise.put_boxes([BOX]) == 1
    assert await promise.put_boxes([BOX]) == 0
    assert (await promise.quote(request(("x", 2)))).options[0].plan.legs[0].boxes == (("S", 1),)
    assert await promise.put_boxes([]) == 1
    assert (await promise.quote(request(("x", 2)))).options[0].plan.legs[0].boxes == ()


async def test_a_packer_is_told_the_smallest_box_of_the_point(promise: PromiseService) -> None:
    here, there = replace(BOX, point_ids=("lille",)), replace(BOX, box_id="L", length_millimetres=600)
    await promise.put_boxes([here, there])
    assert await promise.put_boxes([here, there]) == 0
    assert await promise.choose_box("lille", [("y", 1)]) == ([here, there], here)
    # 2 x 4500 cm3 in 9600 cm3 that are filled to 85 of 100.
    assert await promise.choose_box("lille", [("y", 1), ("y", 1)]) == ([here, there], there)
    assert await promise.choose_box("lyon", [("y", 1)]) == ([there], there)
    # Of which no side is known.
    assert await promise.choose_box("lyon", [("x", 1)]) == ([there], None)


async def test_boxes_of_another_currency_are_not_used(promise: PromiseService) -> None:
    await promise.put_boxes([replace(BOX, cost=Money(25, "GBP"))])
    assert (await promise.quote(request(("x", 1)))).options[0].plan.legs[0].boxes == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"box_id": ""}, "box_id"),
        ({"box_id": "S"}, "box_id"),
        ({"length_millimetres": 0}, "length_millimetres"),
        ({"width_millimetres": 10_001}, "width_millimetres"),
        ({"height_millimetres": -1}, "height_millimetres"),
        ({"tare_grams": -1}, "tare_grams"),
        ({"max_weight_grams": 150}, "max_weight_grams"),
        ({"wall_millimetres": -1}, "wall_millimetres"),
        ({"fill_percent": 101}, "fill_percent"),
        ({"cost": euros(-1)}, "cost.amount_minor"),
        ({"cost": Money(1, "")}, "cost.currency"),
    ],
)
async def test_a_bad_box_names_the_field(promise: PromiseService, change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await promise.put_boxes([BOX, replace(BOX, **({"box_id": "bad"} | change))])
    assert the_field(caught) == f"boxes[1].{field}"
    assert await promise.list_boxes() == []


async def test_bad_geography_names_the_field(promise: PromiseService) -> None:
    cases: list[tuple[list[n.Zone], list[n.PostcodeArea], str]] = [
        ([replace(FRANCE, time_zone="Europe/Atlantis")], [], "zones[0].time_zone"),
        ([FRANCE, replace(FRANCE, zone_id="X", country="France")], [], "zones[1].country"),
        ([replace(FRANCE, postcode_prefixes=())], [], "zones[0].postcode_prefixes"),
        ([FRANCE, FRANCE], [], "zones[1].zone_id"),
        ([], [PARIS_AREA, replace(PARIS_AREA, position=n.Position(91, 0))], "areas[1].prefix"),
        ([], [replace(PARIS_AREA, position=n.Position(91, 0))], "areas[0].position.latitude"),
    ]
    for zones, areas, field in cases:
        with pytest.raises(InvalidArgument) as caught:
            await promise.put_geography(zones, areas)
        assert the_field(caught) == field


# -- rulesets -------------------------------------------------------------------------------------------------


async def test_a_question_is_judged_by_the_version_of_its_own_instant_in_every_process(
    promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    twin = PromiseService(promise_db, replica, is_public_holiday)
    await twin.refresh_terms()
    rulesets, takes_over = Rulesets(promise_db), NOW + timedelta(hours=1)
    edit = Edit("default", 1, "anna", "season", NOW, "req_1")
    await rulesets.save_draft(edit, ruleset(distance_cost_minor_per_kilometre=0.1))
    await rulesets.publish_draft(replace(edit, revision=2), takes_over, b"")
    for asked, version in ((NOW, 1), (takes_over - timedelta(microseconds=1), 1), (takes_over, 2)):
        for process in (promise, twin):
            asker = f"{asked}/{id(process)}"
            decision = await plan_order(process, request(("x", 1), now=asked), request_id=asker)
            assert (decision.ruleset_id, decision.ruleset_version) == ("default", version)
    await rulesets.withdraw(replace(edit, revision=3, request_id="req_2"), 2, b"")
    for process in (twin, promise):
        decision = await plan_order(process, request(("x", 1), now=takes_over), request_id=f"again/{id(process)}")
        assert decision.ruleset_version == 1


async def test_a_new_version_judges_the_next_question_wherever_it_is_asked(
    promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    twin = PromiseService(promise_db, replica, is_public_holiday)
    before = await plan_order(twin, request(("x", 1)), request_id="before")
    await publish(promise_db, ruleset(alternatives=1))
    after = await plan_order(twin, request(("x", 1)), request_id="after")
    assert (before.ruleset_version, after.ruleset_version) == (1, 2)
    assert (len(before.outcome.plans), len(after.outcome.plans)) == (2, 1)


async def test_an_order_that_a_point_refused_is_planned_again_by_the_ruleset_for_that(
    promise: PromiseService, promise_db: AsyncEngine
) -> None:
    await publish(promise_db, ruleset(ruleset_id="again"))
    await publish(promise_db, ruleset(replan_ruleset_id="again"))
    first = await plan_order(promise, request(("x", 1)), request_id="first")
    assert (first.ruleset_id, first.ruleset_version) == ("default", 2)
    for exclusion in (n.ExcludedPoint("lille", "no_time"), n.ExcludedPoint("lille", "short", "x")):
        asked = request(("x", 1), exclusions=(exclusion,))
        decision = await plan_order(promise, asked, request_id=f"{exclusion}")
        assert (decision.ruleset_id, decision.ruleset_version) == ("again", 1)
        assert decision.outcome.plans[0].legs[0].point_id == "lyon"
    quote = await promise.quote(request(("x", 1)))
    assert quote.options, "a quote is of the ruleset itself"


async def test_without_a_ruleset_for_it_an_order_is_planned_again_by_the_same_one(promise: PromiseService) -> None:
    asked = request(("x", 1), exclusions=(n.ExcludedPoint("lille", "no_time"),))
    assert (await plan_order(promise, asked)).ruleset_id == "default"


async def test_where_none_is_called_default_the_oldest_judges_whatever_is_added(
    promise_db: AsyncEngine, replica: StockReplica
) -> None:
    promise = PromiseService(promise_db, replica, is_public_holiday)
    await promise.put_carriers(shop_carriers())
    await promise.put_geography([FRANCE], [PARIS_AREA])
    await publish(promise_db, ruleset(ruleset_id="zebra"))
    await publish(promise_db, ruleset(ruleset_id="aardvark"), NOW + timedelta(seconds=1))
    late = request(("x", 1), now=NOW + timedelta(hours=1))
    assert (await plan_order(promise, late)).ruleset_id == "zebra"
    await publish(promise_db, ruleset())
    assert (await plan_order(promise, late, request_id="r2")).ruleset_id == "default"


async def test_a_scheduled_first_version_judges_nothing_before_its_instant(
    promise_db: AsyncEngine, replica: StockReplica
) -> None:
    promise = PromiseService(promise_db, replica, is_public_holiday)
    await promise.put_carriers(shop_carriers())
    await promise.put_geography([FRANCE], [PARIS_AREA])
    rulesets, opening = Rulesets(promise_db), NOW + timedelta(hours=1)
    edit = Edit("default", 0, "anna", "opening", NOW, "req_1")
    await rulesets.save_draft(edit, ruleset())
    await rulesets.publish_draft(replace(edit, revision=1), opening, b"")
    with pytest.raises(FailedPrecondition, match="NO_RULESET"):
        await promise.quote(request(("x", 1)))
    assert (await promise.quote(request(("x", 1), now=opening))).options
