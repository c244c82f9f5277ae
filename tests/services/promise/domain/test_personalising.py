"""What is put on articles decides from where they come and when (SPEC ORD-6)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.promise.domain import network as n
from services.promise.domain import quoting
from services.promise.domain.engine import plan
from services.promise.domain.ranking import rank
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.network import (
    NOW,
    PARIS,
    coming,
    openings,
    point,
    request,
    ruleset,
    snapshot,
    stock,
    with_coming,
)

ENGRAVING = n.Personalisation("engraving", 8 * 60)
NAME, WRAP = "engraved_name", "wrapped"
ITEMS = [n.Item("ring", personalisations={NAME: ENGRAVING, WRAP: n.Personalisation()}), n.Item("scarf")]
# Working hours of 8 hours, before the visit of the carrier at 17:00.
OPEN = openings(opens=9 * 60, closes=17 * 60)
ABLE = frozenset({"engraving", n.SHIP_FROM_STORE})


def shop(free: dict[str, dict[str, int]]) -> Snapshot:
    """`near` is the cheaper one, and cannot engrave; `able` can."""
    points = [point("near", position=PARIS, openings=OPEN), point("able", openings=OPEN, capabilities=ABLE)]
    return snapshot(points, stock(free), items=ITEMS)


def engraved(*names: str, also: int = 0) -> n.PlanRequest:
    """A ring with these on it, and scarves."""
    lines = [n.BasketLine(1, "ring", 1, names)] + [n.BasketLine(2, "scarf", also)] * bool(also)
    return replace(request(("ring", 1)), lines=tuple(lines))


RULES = ruleset(distance_cost_minor_per_kilometre=1.0)


def test_a_point_that_cannot_do_it_sends_none_and_its_reason_is_told() -> None:
    network = shop({"ring": {"near": 1, "able": 1}})
    assert [leg.point_id for leg in plan(network, engraved(), RULES).plans[0].legs] == ["near"]
    outcome = plan(network, engraved(NAME), RULES)
    assert [leg.point_id for leg in outcome.plans[0].legs] == ["able"]
    (rejected,) = (one for one in outcome.rejected if one.point_id == "near")
    assert (rejected.reason, rejected.detail) == ("NOT_PERSONALISED_HERE", "cannot do engraving (ring)")


def test_what_any_point_can_do_is_done_anywhere_and_at_once() -> None:
    outcome = plan(shop({"ring": {"near": 1, "able": 1}}), engraved(WRAP), RULES)
    assert [leg.point_id for leg in outcome.plans[0].legs] == ["near"]
    assert outcome.plans == plan(shop({"ring": {"near": 1, "able": 1}}), engraved(), RULES).plans


def test_its_working_time_moves_the_promise_and_the_latest_start() -> None:
    """It is 10:00 on Monday: seven hours are left of this day, and one of the eight is Tuesday's."""
    network = shop({"ring": {"able": 1}})
    (plain,), (late,) = (
        plan(network, engraved(), RULES).plans[0].legs,
        plan(network, engraved(NAME), RULES).plans[0].legs,
    )
    day = timedelta(days=1)
    assert late.hand_over_by == plain.hand_over_by + day
    assert late.window.end == plain.window.end + day
    assert late.latest_start == late.hand_over_by - timedelta(hours=8)
    assert plan(network, engraved(NAME), RULES).plans[0].order_before == late.latest_start


def test_two_things_on_one_unit_are_done_one_after_the_other_and_units_side_by_side() -> None:
    twice = {NAME: n.Personalisation("engraving", 4 * 60), "date": n.Personalisation("engraving", 5 * 60)}
    items = [n.Item("ring", personalisations=twice)]
    network = snapshot(
        [point("able", openings=OPEN, capabilities=ABLE)], stock({"ring": {"able": 5}}), items=items
    )
    for lines, hours in (
        ((n.BasketLine(1, "ring", 1, (NAME, "date")),), 9),
        ((n.BasketLine(1, "ring", 3, (NAME,)), n.BasketLine(2, "ring", 1, ("date",))), 5),
    ):
        (leg,) = plan(network, replace(request(("ring", 1)), lines=lines), RULES).plans[0].legs
        before = timedelta(hours=hours) if hours <= 8 else timedelta(hours=hours + 16)
        assert leg.latest_start == leg.hand_over_by - before


def test_other_articles_of_the_basket_come_from_where_they_came_from() -> None:
    network = shop({"ring": {"near": 1, "able": 1}, "scarf": {"near": 2}})
    found = plan(network, engraved(NAME, also=2), ruleset(split_cost_minor=0)).plans[0]
    assert {leg.point_id: [line.sku for line in leg.lines] for leg in found.legs} == {
        "able": ["ring"],
        "near": ["scarf"],
    }
    by_point = {leg.point_id: leg for leg in found.legs}
    assert by_point["near"].hand_over_by < by_point["able"].hand_over_by


@pytest.mark.parametrize(
    ("free", "names", "reason"),
    [
        ({"near": 1}, (NAME,), "NOT_PERSONALISED"),
        ({"near": 1, "able": 1}, ("no such",), "NOT_PERSONALISED"),
        ({"near": 0}, (NAME,), "NO_STOCK"),
        ({"near": 1}, (NAME, WRAP), "NOT_PERSONALISED"),
    ],
)
def test_why_nobody_can_is_told_by_the_engine_and_by_a_quote(
    free: dict[str, int], names: tuple[str, ...], reason: str
) -> None:
    network, asked = shop({"ring": free}), engraved(*names)
    (missing,) = plan(network, asked, RULES).unplanned
    assert missing.reason == reason
    _, not_offered = quoting.all_modes(network, asked, RULES)
    (standard,) = (one for one in not_offered if one.mode is n.Mode.HOME_STANDARD)
    assert standard.reason == reason


def test_what_a_customer_orders_names_all_that_must_be_on_it_and_who_looks_need_not() -> None:
    must = {NAME: replace(ENGRAVING, required=True), WRAP: n.Personalisation()}
    points = [point("able", openings=OPEN, capabilities=ABLE)]
    items = [n.Item("ring", personalisations=must), n.Item("scarf")]
    network = snapshot(points, stock({"ring": {"able": 1}, "scarf": {"able": 1}}), items=items)
    ordered = replace(engraved(WRAP, also=1), check_required=True)
    outcome = plan(network, ordered, RULES)
    assert not outcome.plans
    (missing,) = outcome.unplanned
    assert (missing.line_number, missing.reason) == (1, "PERSONALISATION_REQUIRED")
    assert missing.missing_fields == (NAME,)
    assert plan(network, replace(ordered, check_required=False), RULES).is_complete, "only looked at, or it stands"
    assert plan(network, replace(engraved(NAME, also=1), check_required=True), RULES).is_complete


def test_a_quote_says_what_the_engine_plans() -> None:
    network, asked = shop({"ring": {"near": 1, "able": 1}, "scarf": {"near": 2}}), engraved(NAME, also=1)
    options, _ = quoting.all_modes(network, asked, RULES)
    (standard,) = (one for one in options if one.mode is n.Mode.HOME_STANDARD)
    assert standard.plan == plan(network, asked, RULES).plans[0]


def test_stock_to_come_is_waited_for_only_where_it_can_be_done() -> None:
    due = NOW + timedelta(days=2)
    network = with_coming(
        shop({"ring": {"near": 0, "able": 0}}),
        ring={"near": (coming("a", 1, due),), "able": (coming("b", 1, due),)},
    )
    waiting = ruleset(max_wait_days=5)
    (leg,) = plan(network, replace(engraved(NAME), may_wait=True), waiting).plans[0].legs
    assert leg.point_id == "able"


def test_only_points_that_can_do_it_compete_for_the_work() -> None:
    network = shop({"ring": {"near": 1, "able": 1}})
    ranked = rank(network, engraved(NAME), RULES, timedelta(hours=1))
    assert [one.leg.point_id for one in ranked] == ["able"]
