"""What a point cannot put on its units is put on at a hub that can, on their way (SPEC RTE-8, ORD-6)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.promise.domain import engine, quoting
from services.promise.domain import network as n
from services.promise.domain.plans import HubVerdict, Outcome
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.domain.test_consolidating import JOINING, lyon, paris, post, to_points
from tests.services.promise.domain.test_personalising import ENGRAVING, ITEMS, NAME, WRAP, engraved
from tests.services.promise.network import LILLE, collections, openings, point, ruleset, service, snapshot, stock

ENGRAVES = frozenset({n.SHIP_FROM_STORE, "engraving"})
JOINS = frozenset({n.SHIP_FROM_STORE, n.CONSOLIDATION})


def able(point_id: str = "able", **values: Any) -> n.Point:
    """In Lille: it engraves, but is no hub otherwise."""
    given: dict[str, Any] = {"position": LILLE, "postcode": "59000", "capabilities": ENGRAVES}
    return point(point_id, **(given | values))


def shop(*points: n.Point, free: dict[str, dict[str, int]] | None = None, **values: Any) -> Snapshot:
    """The ring is in Lyon, where nobody engraves."""
    given: dict[str, Any] = {"items": ITEMS} | values
    known = list(points) or [able(), lyon()]
    return snapshot(known, stock(free or {"ring": {"lyon": 1}}), post(service(), to_points()), **given)


def asked(*names: str, also: int = 0, **values: Any) -> n.PlanRequest:
    return replace(engraved(*names, also=also), may_consolidate=True, **values)


def plan(network: Snapshot, request: n.PlanRequest) -> Outcome:
    return engine.plan(network, request, JOINING)


def test_a_unit_goes_to_the_point_that_can_engrave_it_and_leaves_from_there() -> None:
    outcome = plan(shop(), asked(NAME))
    assert outcome.is_complete
    best = outcome.plans[0]
    (sent,) = best.legs
    assert (sent.point_id, sent.via_point_id, sent.parcels) == ("lyon", "able", 1)
    assert [(line.sku, line.plain) for line in sent.lines] == [("ring", True)]
    assert best.onward is not None
    assert (best.onward.point_id, best.parcels) == ("able", 1)


def test_its_promise_counts_the_way_there_and_the_time_that_engraving_takes() -> None:
    best = plan(shop(), asked(NAME)).plans[0]
    # Collected on Monday at 17:00, there on Tuesday by 18:00, engraved in eight hours: it leaves on Wednesday.
    assert best.legs[0].hand_over_by == paris(17)
    assert best.legs[0].window.end == paris(18, day=2)
    assert best.onward is not None
    assert best.onward.hand_over_by == paris(17, day=3)
    assert best.window == best.onward.window
    assert best.order_before == paris(17)
    # In the hours of a shop the eight are a day more.
    shop_hours = able(openings=openings(opens=9 * 60, closes=17 * 60 - 1))
    later = plan(shop(shop_hours, lyon()), asked(NAME)).plans[0]
    assert later.onward is not None
    assert later.onward.hand_over_by == paris(17, day=4)


def test_without_a_point_that_can_or_a_way_there_it_is_not_planned() -> None:
    for network in (
        shop(able(capabilities=JOINS), lyon()),
        shop(able(collections=collections("other", 17 * 60)), lyon()),
        shop(able(), lyon(capabilities=frozenset(), type=n.PointType.STORE)),
    ):
        (missing,) = plan(network, asked(NAME)).unplanned
        assert missing.reason == "NOT_PERSONALISED"
    (missing,) = engine.plan(shop(), replace(asked(NAME), may_consolidate=False), JOINING).unplanned
    assert missing.reason == "NOT_PERSONALISED"
    assert not engine.plan(shop(), asked(NAME), ruleset()).plans, "the rules know no cost of joining"
    excluded = asked(NAME, exclusions=(n.ExcludedPoint("able", "refused"),))
    assert not plan(shop(), excluded).plans


def test_where_a_point_that_can_has_it_no_hub_is_asked() -> None:
    outcome = plan(shop(free={"ring": {"able": 1, "lyon": 1}}), asked(NAME))
    assert [leg.point_id for leg in outcome.plans[0].legs] == ["able"]
    assert (outcome.plans[0].onward, outcome.consolidating) == (None, None)


def test_units_of_both_meet_and_are_all_engraved_where_that_can_be_done() -> None:
    request = replace(asked(NAME), lines=(n.BasketLine(1, "ring", 2, (NAME,)),))
    best = plan(shop(free={"ring": {"able": 1, "lyon": 1}}), request).plans[0]
    assert {leg.point_id: [line.plain for line in leg.lines] for leg in best.legs} == {
        "able": [False],
        "lyon": [True],
    }


def test_what_else_is_in_the_basket_leaves_with_it() -> None:
    network = shop(able(), lyon(), point("near"), free={"ring": {"lyon": 1}, "scarf": {"near": 1}})
    best = plan(network, asked(NAME, also=1)).plans[0]
    plain = {leg.point_id: [line.plain for line in leg.lines] for leg in best.legs}
    assert plain == {"lyon": [True], "near": [False]}
    assert best.parcels == 1


def test_of_two_points_that_can_the_cheaper_does_it_and_the_other_says_why_not() -> None:
    outcome = plan(shop(able("far"), able(), lyon()), asked(NAME))
    assert outcome.plans[0].onward is not None
    assert outcome.plans[0].onward.point_id == "able"
    assert outcome.consolidating is not None
    assert outcome.consolidating.direct_cost_minor is None
    verdicts = {one.point_id: one.verdict for one in outcome.consolidating.hubs}
    assert verdicts["able"] is HubVerdict.CHOSEN
    assert "far" in verdicts


def test_what_a_hub_cannot_do_is_done_before_it() -> None:
    """A hub that only joins: the ring is engraved where it comes from, as ever."""
    joins = able("hub", capabilities=JOINS)
    engraves = lyon(capabilities=ENGRAVES)
    network = shop(joins, engraves, free={"ring": {"lyon": 1}, "scarf": {"hub": 1}})
    best = plan(network, asked(NAME, also=1)).plans[0]
    assert best.onward is not None
    assert [line.plain for leg in best.legs for line in leg.lines] == [False, False]
    day = timedelta(hours=8)
    assert next(leg for leg in best.legs if leg.point_id == "lyon").hand_over_by >= asked().now + day


def test_what_any_point_can_do_is_done_where_it_lies() -> None:
    outcome = plan(shop(), asked(WRAP))
    assert [leg.point_id for leg in outcome.plans[0].legs] == ["lyon"]
    both = plan(shop(), asked(NAME, WRAP)).plans[0]
    assert [line.plain for line in both.legs[0].lines] == [True]


def test_units_that_are_nowhere_keep_nobody_else_from_meeting() -> None:
    """The scarves meet though the ring cannot be engraved anywhere."""
    joins = able("hub", capabilities=JOINS)
    engraves = able(collections=collections("other", 17 * 60))
    items = [*ITEMS, n.Item("hat")]
    network = shop(
        joins,
        lyon(),
        engraves,
        free={"ring": {"lyon": 1}, "scarf": {"hub": 1}, "hat": {"lyon": 1}},
        items=items,
    )
    lines = (n.BasketLine(1, "ring", 1, (NAME,)), n.BasketLine(2, "scarf", 1), n.BasketLine(3, "hat", 1))
    outcome = plan(network, replace(asked(NAME), lines=lines))
    assert outcome.plans[0].onward is not None
    assert [one.sku for one in outcome.unplanned] == ["ring"]


@pytest.mark.parametrize("may", [True, False])
def test_a_quote_promises_what_the_engine_plans(may: bool) -> None:
    request = replace(asked(NAME), may_consolidate=may)
    options, not_offered = quoting.all_modes(shop(), request, JOINING)
    found = {one.mode: one.plan for one in options}
    if may:
        assert found[n.Mode.HOME_STANDARD] == plan(shop(), request).plans[0]
    else:
        (refused,) = (one for one in not_offered if one.mode is n.Mode.HOME_STANDARD)
        assert refused.reason == "NOT_PERSONALISED"


def test_engraving_takes_the_hub_as_long_as_the_article_says() -> None:
    quick = {NAME: replace(ENGRAVING, minutes=0)}
    busy = able(openings=openings(opens=9 * 60, closes=17 * 60 - 1))
    slow = plan(shop(busy, lyon()), asked(NAME)).plans[0]
    fast = plan(shop(busy, lyon(), items=[n.Item("ring", personalisations=quick)]), asked(NAME)).plans[0]
    assert slow.window.end > fast.window.end
