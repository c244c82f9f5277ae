"""What each mode of delivery asks of points, carriers and the customer."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.promise.domain import engine, quoting
from services.promise.domain import network as n
from services.promise.domain.modes import CLICK_AND_COLLECT, E_RESERVATION, STORE_LOCKER
from services.promise.domain.plans import DeliveryOption
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.network import (
    LILLE,
    LYON,
    PARIS,
    collections,
    euros,
    openings,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

SHOP_HOURS = openings((1, 2, 3, 4, 5, 6), 10 * 60, 19 * 60)
TO_RIVOLI = n.Destination("", "", "rivoli")
RULES = ruleset()


def paris(hour: int, minute: int = 0, day: int = 1) -> datetime:
    """In June 2026, when Paris is two hours ahead of UTC."""
    return datetime(2026, 6, day, hour - 2, minute, tzinfo=UTC)


def store(point_id: str, **values: Any) -> n.Point:
    """A shop in Paris, 10:00 to 19:00, two hours for an order, everything allowed."""
    given: dict[str, Any] = {
        "type": n.PointType.STORE,
        "position": PARIS,
        "openings": SHOP_HOURS,
        "handling_minutes": 120,
        "capabilities": frozenset({n.SHIP_FROM_STORE, CLICK_AND_COLLECT, E_RESERVATION}),
        "postcode": "75001",
    }
    return point(point_id, **(given | values))


def one_service(mode: n.Mode, **values: Any) -> list[n.Carrier]:
    return [n.Carrier("post", (service("it", mode=mode, **values),))]


def option(shop: Snapshot, asked: n.PlanRequest) -> DeliveryOption:
    outcome = engine.plan(shop, asked, RULES)
    assert outcome.is_complete, outcome
    return DeliveryOption(asked.mode, outcome.plans[0], *quoting.choice(asked))


def reason(shop: Snapshot, asked: n.PlanRequest) -> str:
    outcome = engine.plan(shop, asked, RULES)
    assert not outcome.plans
    return outcome.unplanned[0].reason


# -- same day -------------------------------------------------------------------------------------------------


def courier(**values: Any) -> list[n.Carrier]:
    given: dict[str, Any] = {
        "zones": (terms(transit_days_min=0, transit_days_max=0),),
        "delivery_from_minute": 18 * 60,
        "delivery_until_minute": 21 * 60,
        "max_distance_kilometres": 10,
    }
    return one_service(n.Mode.SAME_DAY, **(given | values))


def near(**values: Any) -> n.Point:
    return store("rivoli", collections=collections("post", 17 * 60), **values)


def test_same_day_is_today_and_says_until_when_it_is() -> None:
    shop = snapshot([near()], stock({"x": {"rivoli": 5}}), courier())
    found = option(shop, request(("x", 1), mode=n.Mode.SAME_DAY))
    assert found.plan.window == n.Window(paris(18), paris(21))
    # Ready at 17:00 after two hours of work.
    assert found.plan.order_before == paris(15)


def test_same_day_is_not_offered_when_today_is_over() -> None:
    shop = snapshot([near()], stock({"x": {"rivoli": 5}}), courier())
    late = request(("x", 1), mode=n.Mode.SAME_DAY, now=paris(15, 1))
    assert reason(shop, late) == "NOT_TODAY"


def test_same_day_does_not_wait_for_a_cooling_off_but_for_a_wish() -> None:
    shop = snapshot([near()], stock({"x": {"rivoli": 5}}), courier())
    asked = request(("x", 1), mode=n.Mode.SAME_DAY, now=paris(14, 45), cooling_off_until=paris(15, 15))
    assert option(shop, asked).plan.order_before == paris(15)
    assert reason(shop, replace(asked, not_before=paris(15, 15))) == "NOT_TODAY"
    # Others wait for it, and their countdown is the shorter for it.
    standard = snapshot([near()], stock({"x": {"rivoli": 5}}))
    waits = replace(asked, mode=n.Mode.HOME_STANDARD, now=paris(14), cooling_off_until=paris(14, 30))
    assert option(standard, waits).plan.order_before == paris(14, 30)


def test_same_day_needs_a_point_that_is_near_enough() -> None:
    far = point("lille", position=LILLE)
    shop = snapshot([near(), far], stock({"x": {"rivoli": 1, "lille": 9}}), courier())
    assert option(shop, request(("x", 1), mode=n.Mode.SAME_DAY)).plan.legs[0].point_id == "rivoli"
    assert reason(
        snapshot([far], stock({"x": {"lille": 9}}), courier()), request(("x", 1), mode=n.Mode.SAME_DAY)
    ) == ("TOO_FAR")


# -- sizes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ""),
        ({"max_length_millimetres": 599}, "TOO_LONG"),
        ({"max_width_millimetres": 399, "max_height_millimetres": 300}, "TOO_LARGE"),
        ({"max_width_millimetres": 400, "max_height_millimetres": 199}, "TOO_LARGE"),
        ({"max_width_millimetres": 400, "max_height_millimetres": 200}, ""),
        ({"max_girth_millimetres": 1_799}, "TOO_LARGE"),
        ({"max_girth_millimetres": 1_800}, ""),
        ({"max_weight_grams": 999}, "TOO_HEAVY"),
    ],
)
def test_an_article_fits_a_service_whichever_way_it_is_turned_or_not_at_all(
    limits: dict[str, int], expected: str
) -> None:
    item = n.Item("x", "", 1_000, 600, (400, 200))
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), one_service(n.Mode.RELAY_POINT, **limits), [item])
    asked = request(("x", 1), mode=n.Mode.RELAY_POINT)
    assert expected == "" or reason(shop, asked) == expected
    assert expected or option(shop, asked).plan.legs[0].service_id == "it"


LOCKER = {"max_length_millimetres": 600, "max_width_millimetres": 400, "max_height_millimetres": 400}


def test_a_locker_takes_what_fits_into_it_as_one_parcel() -> None:
    items = [n.Item("x", "", 1_000, 600, (400, 100)), n.Item("y", "", 100, 100, (100, 100))]
    shop = snapshot(
        [point("w"), point("v")],
        stock({"x": {"w": 9, "v": 9}, "y": {"v": 9}}),
        one_service(n.Mode.LOCKER, max_weight_grams=4_000, **LOCKER),
        items,
    )
    assert option(shop, request(("x", 4), mode=n.Mode.LOCKER)).plan.legs[0].parcels == 1
    assert reason(shop, request(("x", 4), ("y", 1), mode=n.Mode.LOCKER)) == "SEVERAL_PARCELS"  # No room.
    heavy = replace(items[0], weight_grams=1_001)
    shop = replace(shop, stock=replace(shop.stock, items={"x": heavy}))
    assert reason(shop, request(("x", 4), mode=n.Mode.LOCKER)) == "SEVERAL_PARCELS"  # Too heavy together.


def test_a_locker_is_never_filled_from_two_points() -> None:
    shop = snapshot(
        [point("w"), point("v")],
        stock({"x": {"w": 1}, "y": {"v": 1}}),
        one_service(n.Mode.LOCKER, **LOCKER),
    )
    outcome = engine.plan(shop, request(("x", 1), ("y", 1), mode=n.Mode.LOCKER), RULES)
    assert not outcome.is_complete
    assert outcome.unplanned[0].reason == "TOO_MANY_PARCELS"


# -- appointments ---------------------------------------------------------------------------------------------


def slot(day: int, service_id: str = "") -> n.Appointment:
    return n.Appointment(n.Window(paris(14, day=day), paris(16, day=day)), service_id)


def lorry(mode: n.Mode = n.Mode.APPOINTMENT, **values: Any) -> list[n.Carrier]:
    return one_service(mode, zones=(terms(transit_days_min=2, transit_days_max=3),), **values)


def test_an_appointment_is_kept_by_the_last_visit_that_is_in_time() -> None:
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), lorry())
    found = option(shop, request(("x", 1), mode=n.Mode.APPOINTMENT, appointment=slot(12)))
    assert found.plan.window == slot(12).window
    # Three days on the way at most: collected on the 9th, prepared just before.
    assert found.plan.legs[0].hand_over_by == paris(17, day=9)
    assert found.plan.order_before == paris(17, day=9)
    assert found.plan.legs[0].next_window is None, "who misses it misses the appointment"


def test_an_appointment_that_is_too_soon_is_refused() -> None:
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), lorry())
    soon = request(("x", 1), mode=n.Mode.APPOINTMENT, appointment=slot(3))
    assert reason(shop, soon) == "AFTER_APPOINTMENT"
    assert option(shop, replace(soon, appointment=slot(4))).plan.legs[0].hand_over_by == paris(17)


def test_an_appointment_counts_the_day_at_the_destination() -> None:
    # Delivered by 24:00, which is the next day for a clock in Paris but not for the carrier.
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), lorry(delivery_until_minute=1440))
    asked = request(("x", 1), mode=n.Mode.APPOINTMENT, appointment=slot(4))
    assert option(shop, asked).plan.legs[0].hand_over_by == paris(17)


def test_all_parcels_of_an_order_keep_one_appointment() -> None:
    shop = snapshot(
        [point("w"), point("v", collections=collections("post", 9 * 60))],
        stock({"x": {"w": 1}, "y": {"v": 1}}),
        lorry(),
    )
    asked = request(("x", 1), ("y", 1), mode=n.Mode.APPOINTMENT, appointment=slot(12))
    assert {leg.window for leg in option(shop, asked).plan.legs} == {slot(12).window}
    # The second point was collected this morning already.
    assert reason(shop, replace(asked, lines=asked.lines[1:], appointment=slot(4))) == "AFTER_APPOINTMENT"


def test_an_appointment_is_with_one_service_where_it_names_it() -> None:
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), lorry())
    asked = request(("x", 1), mode=n.Mode.APPOINTMENT, appointment=slot(12, "it"))
    assert option(shop, asked).appointment == slot(12, "it")
    assert reason(shop, replace(asked, appointment=slot(12, "other"))) == "OTHER_APPOINTMENT"


def test_without_an_appointment_there_is_none_but_white_glove_comes_in_its_days() -> None:
    stocked = stock({"x": {"w": 5}})
    asked = request(("x", 1), mode=n.Mode.APPOINTMENT)
    assert reason(snapshot([point("w")], stocked, lorry()), asked) == "NO_APPOINTMENT"
    gloves = snapshot([point("w")], stocked, lorry(n.Mode.WHITE_GLOVE))
    free = option(gloves, replace(asked, mode=n.Mode.WHITE_GLOVE))
    assert free.plan.window == n.Window(paris(8, day=3), paris(18, day=4))
    kept = option(gloves, replace(asked, mode=n.Mode.WHITE_GLOVE, appointment=slot(12)))
    assert kept.plan.window == slot(12).window


def test_a_mode_that_keeps_no_appointment_does_not_look_at_one() -> None:
    shop = snapshot([point("w")], stock({"x": {"w": 5}}))
    asked = request(("x", 1), appointment=slot(12))
    found = option(shop, asked)
    assert found.appointment is None
    assert found.plan == option(shop, replace(asked, appointment=None)).plan


# -- collected at a store -------------------------------------------------------------------------------------


def collect(*units: tuple[str, int], **values: Any) -> n.PlanRequest:
    given: dict[str, Any] = {"mode": n.Mode.CLICK_AND_COLLECT, "destination": TO_RIVOLI, "now": paris(11)}
    return request(*units, **(given | values))


def test_what_a_store_has_is_ready_after_its_handling_time_until_it_closes() -> None:
    shop = snapshot([store("rivoli", collections=())], stock({"x": {"rivoli": 2}}), [])
    found = option(shop, collect(("x", 2)))
    assert found.plan.window == n.Window(paris(13), paris(19))
    assert found.plan.order_before == paris(17)
    leg = found.plan.legs[0]
    assert (leg.carrier_id, leg.service_id, leg.shipping_cost_minor, leg.distance_kilometres) == ("", "", 0, 0.0)
    assert (found.point_id, found.plan.price) == ("rivoli", euros(0))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (paris(16, 59), n.Window(paris(18, 59), paris(19))),
        # Ready when it closes: to be had when it opens.
        (paris(17), n.Window(paris(10, day=2), paris(19, day=2))),
        (paris(18), n.Window(paris(11, day=2), paris(19, day=2))),
        # Saturday evening: closed on Sunday.
        (paris(18, day=6), n.Window(paris(11, day=8), paris(19, day=8))),
    ],
)
def test_a_store_works_and_hands_over_in_its_hours(now: datetime, expected: n.Window) -> None:
    shop = snapshot([store("rivoli")], stock({"x": {"rivoli": 2}}), [])
    assert option(shop, collect(("x", 1), now=now)).plan.window == expected


# What a compartment takes: a service of the mode, which goes nowhere.
_CASIER = {"max_weight_grams": 4_000, "zones": (), **LOCKER}


@pytest.mark.parametrize(
    ("asked", "item", "expected"),
    [
        ((("x", 4),), n.Item("x", "", 1_000, 600, (400, 100)), ""),
        ((("x", 5),), n.Item("x", "", 1_000), "SEVERAL_PARCELS"),
        ((("x", 5),), n.Item("x", "", 100, 600, (400, 100)), "SEVERAL_PARCELS"),
        ((("x", 1),), n.Item("x", "", 1_000, 601, (400, 100)), "TOO_LONG"),
        ((("x", 1),), n.Item("x", "", 1_000, 600, (401, 100)), "TOO_LARGE"),
        ((("x", 1),), n.Item("x", "", 4_001), "TOO_HEAVY"),
        # Of two articles one does not fit: the basket does not.
        ((("x", 1), ("y", 1)), n.Item("x", "", 4_001), "TOO_HEAVY"),
    ],
)
def test_a_locker_of_a_store_takes_what_it_has_and_what_one_compartment_takes(
    asked: tuple[tuple[str, int], ...], item: n.Item, expected: str
) -> None:
    able = store("rivoli", collections=(), capabilities=frozenset({STORE_LOCKER}))
    items = [item, n.Item("y", "", 100)]
    casier = one_service(n.Mode.STORE_LOCKER, **_CASIER)
    shop = snapshot([able, point("w")], stock({"x": {"rivoli": 9, "w": 9}, "y": {"rivoli": 9}}), casier, items)
    wanted = collect(*asked, mode=n.Mode.STORE_LOCKER)
    answer = quoted(shop, wanted)
    if expected:
        outcome = engine.plan(shop, wanted, RULES)
        assert not outcome.is_complete
        assert answer["reasons"]["store_locker"] == outcome.unplanned[0].reason == expected
    else:
        assert ("store_locker", "rivoli", None) in answer["options"]
        leg = option(shop, wanted).plan.legs[0]
        assert (leg.carrier_id, leg.service_id, leg.parcels, leg.shipping_cost_minor) == ("", "", 1, 0)


def test_a_store_without_a_locker_offers_none_and_without_its_size_all_fits() -> None:
    large = n.Item("x", "", 90_000, 2_000, (1_000, 1_000))
    shop = snapshot([store("rivoli")], stock({"x": {"rivoli": 2}}), [], [large])
    wanted = collect(("x", 1), mode=n.Mode.STORE_LOCKER)
    assert reason(shop, wanted) == "NOT_COLLECTED_THERE"
    able = store("rivoli", capabilities=frozenset({STORE_LOCKER}))
    assert option(snapshot([able], stock({"x": {"rivoli": 2}}), [], [large]), wanted).point_id == "rivoli"


def test_only_the_store_itself_counts_for_what_is_collected() -> None:
    points = [store("rivoli"), store("other"), point("w")]
    shop = snapshot(points, stock({"x": {"rivoli": 1, "other": 9, "w": 9}}))
    outcome = engine.plan(shop, collect(("x", 2)), RULES)
    assert [(u.quantity, u.reason) for u in outcome.unplanned] == [(1, "NO_STOCK")]
    assert outcome.rejected == ()


@pytest.mark.parametrize("mode", [n.Mode.CLICK_AND_COLLECT, n.Mode.E_RESERVATION, n.Mode.SHIP_TO_STORE])
def test_a_store_must_hand_over_that_way_and_be_known(mode: n.Mode) -> None:
    ships = store("rivoli", capabilities=frozenset({n.SHIP_FROM_STORE}))
    shop = snapshot([ships], stock({"x": {"rivoli": 2}}))
    assert reason(shop, collect(("x", 1), mode=mode)) == "NOT_COLLECTED_THERE"
    nowhere = n.Destination("FR", "75011", "nowhere")
    assert reason(shop, collect(("x", 1), mode=mode, destination=nowhere)) == "UNKNOWN_STORE"


def test_a_store_that_does_not_ship_still_hands_over() -> None:
    quiet = store("rivoli", capabilities=frozenset({E_RESERVATION}))
    shop = snapshot([quiet], stock({"x": {"rivoli": 2}}), [])
    assert option(shop, collect(("x", 1), mode=n.Mode.E_RESERVATION)).point_id == "rivoli"


def test_a_channel_hands_over_where_it_may_and_ships_where_it_may() -> None:
    only_ship = n.StockPosition(2, {"web": 0}, purposes={"web": frozenset({n.SHIP})})
    only_collect = n.StockPosition(2, {"web": 0}, purposes={"web": frozenset({n.COLLECT, n.SHOW})})
    carriers = [n.Carrier("post", (service(), service("it", mode=n.Mode.SHIP_TO_STORE)))]
    ships = store("rivoli", collections=collections("post", 17 * 60))
    shop = snapshot([ships, point("w")], {"x": {"rivoli": only_ship}, "y": {"rivoli": only_collect}}, carriers)
    assert reason(shop, collect(("x", 1))) == "NO_STOCK"
    assert option(shop, collect(("y", 1))).point_id == "rivoli"
    assert reason(shop, request(("y", 1))) == "NO_STOCK"
    assert option(shop, request(("x", 1))).plan.legs[0].point_id == "rivoli"
    outcome = engine.plan(shop, request(("y", 1)), RULES)
    assert "NOT_ACTIVATED" in {rejected.reason for rejected in outcome.rejected}


def test_what_is_sent_to_a_store_is_ready_when_it_has_arrived_and_was_unpacked() -> None:
    to_store = one_service(n.Mode.SHIP_TO_STORE, delivery_from_minute=480, delivery_until_minute=12 * 60)
    shop = snapshot([store("rivoli"), point("w")], stock({"x": {"w": 2}}), to_store)
    found = option(shop, collect(("x", 1), mode=n.Mode.SHIP_TO_STORE))
    # Collected at 17:00, there by noon in at most two days, two hours of work.
    assert found.plan.window == n.Window(paris(14, day=3), paris(19, day=3))
    assert found.plan.order_before == paris(17)
    assert found.plan.legs[0].hand_over_by == paris(17)


def test_what_arrives_at_a_closed_store_is_ready_when_it_opens() -> None:
    to_store = one_service(n.Mode.SHIP_TO_STORE, delivery_until_minute=12 * 60, zones=(terms(transit_days_max=1),))
    shop = snapshot([store("rivoli"), point("w")], stock({"x": {"w": 2}}), to_store)
    # Collected on Saturday, brought on Sunday, unpacked on Monday.
    found = option(shop, collect(("x", 1), mode=n.Mode.SHIP_TO_STORE, now=paris(11, day=6)))
    assert found.plan.window == n.Window(paris(12, day=8), paris(19, day=8))


def test_a_store_adds_its_own_to_what_is_sent_there() -> None:
    to_store = one_service(n.Mode.SHIP_TO_STORE)
    shop = snapshot([store("rivoli"), point("w")], stock({"x": {"w": 1}, "y": {"rivoli": 1}}), to_store)
    found = option(shop, collect(("x", 1), ("y", 1), mode=n.Mode.SHIP_TO_STORE))
    assert {leg.point_id: leg.service_id for leg in found.plan.legs} == {"w": "it", "rivoli": ""}
    assert found.plan.window == max((leg.window for leg in found.plan.legs), key=lambda window: window.rank)


# -- the whole quote ------------------------------------------------------------------------------------------


def quoted(shop: Snapshot, asked: n.PlanRequest, *slots: n.Appointment) -> dict[str, Any]:
    options, not_offered = quoting.all_modes(shop, asked, RULES, slots)
    return {
        "options": [(one.mode.value, one.point_id, one.appointment) for one in options],
        "reasons": {one.mode.value: one.reason for one in not_offered},
    }


def test_every_mode_is_offered_or_says_why_not() -> None:
    shop = snapshot([store("rivoli", collections=collections("post", 17 * 60))], stock({"x": {"rivoli": 3}}))
    answer = quoted(shop, request(("x", 1)))
    assert answer["options"] == [
        ("home_standard", "", None),
        ("click_and_collect", "rivoli", None),
        ("e_reservation", "rivoli", None),
    ]
    assert set(answer["reasons"]) == {mode.value for mode in n.Mode} - {name for name, _, _ in answer["options"]}
    assert answer["reasons"].pop("store_locker") == "NO_STORE_NEAR"
    assert set(answer["reasons"].values()) == {"NO_CARRIER"}


def test_a_customer_who_named_no_store_is_offered_the_nearest_that_have_all() -> None:
    away = [n.Position(PARIS.latitude + step / 100, PARIS.longitude) for step in range(9)]
    points = [store(f"s{i}", position=position) for i, position in enumerate(away)]
    points.append(store("lyon", position=LYON))
    has = {point.point_id: 2 for point in points} | {"s1": 1, "s3": 0}
    shop = snapshot(points, stock({"x": has}), [])
    offered = [point_id for mode, point_id, _ in quoted(shop, request(("x", 2)))["options"] if "collect" in mode]
    assert offered == ["s0", "s2", "s4", "s5", "s6"]
    only_lyon = snapshot([points[-1]], stock({"x": has}), [])
    assert quoted(only_lyon, request(("x", 2)))["reasons"]["click_and_collect"] == "NO_STORE_NEAR"


def test_a_store_that_is_out_is_no_place_to_send_anything_to() -> None:
    carriers = one_service(n.Mode.SHIP_TO_STORE)
    away = n.Position(PARIS.latitude + 0.01, PARIS.longitude)
    shop = snapshot([store("rivoli"), store("opera", position=away), point("w")], stock({"x": {"w": 2}}), carriers)
    asked = request(("x", 1))
    assert ("ship_to_store", "rivoli", None) in quoted(shop, asked)["options"]
    out = replace(asked, exclusions=(n.ExcludedPoint("rivoli", "elsewhere"),))
    assert ("ship_to_store", "opera", None) in quoted(shop, out)["options"]


def test_a_store_alone_is_destination_enough_for_what_is_collected() -> None:
    shop = snapshot([store("rivoli")], stock({"x": {"rivoli": 2}}))
    answer = quoted(shop, request(("x", 1), destination=TO_RIVOLI))
    assert [name for name, _, _ in answer["options"]] == ["click_and_collect", "e_reservation"]
    assert answer["reasons"]["home_standard"] == "UNKNOWN_DESTINATION"


def test_each_appointment_that_can_be_kept_is_an_option_the_first_one_first() -> None:
    shop = snapshot([point("w")], stock({"x": {"w": 5}}), lorry())
    answer = quoted(shop, request(("x", 1)), slot(12), slot(3), slot(8))
    assert answer["options"] == [("appointment", "", slot(8)), ("appointment", "", slot(12))]
    none = quoted(shop, request(("x", 1)), slot(3))
    assert none["reasons"]["appointment"] == "AFTER_APPOINTMENT"


def test_a_holiday_at_the_store_moves_what_is_collected_there() -> None:
    def whit(day: Any, country: str, subdivision: str) -> bool:
        return (day.day, country, subdivision) == (2, "FR", "FR-67")

    shop = snapshot([store("rivoli", subdivision="FR-67")], stock({"x": {"rivoli": 1}}), [], is_holiday=whit)
    found = option(shop, collect(("x", 1), now=paris(18)))
    assert found.plan.window.start == paris(11, day=3)


def test_the_distance_of_a_sending_is_that_to_the_store() -> None:
    to_store = one_service(n.Mode.SHIP_TO_STORE)
    shop = snapshot([store("rivoli", position=LYON), point("w")], stock({"x": {"w": 2}}), to_store)
    leg = option(shop, collect(("x", 1), mode=n.Mode.SHIP_TO_STORE)).plan.legs[0]
    assert 550 < leg.distance_kilometres < 560
    assert leg.carbon.grams_co2e == round(400 / 1e6 * leg.distance_kilometres * 100)
