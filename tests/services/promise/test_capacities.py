"""Room that orders take with their plan and give back, on a real database and with several replicas of promise."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from oms.promise.v1 import decision_service_pb2 as pb
from services.promise.capacities import MEMORY_DAYS, Capacities
from services.promise.decisions import Decisions
from services.promise.decisions_translate import decision_proto
from services.promise.domain import network as n
from services.promise.domain.capacity import Counter, Limit, SeenCapacity
from services.promise.domain.plans import Decision
from services.promise.domain.rulesets import Consolidation
from services.promise.domain.takings import LegPlace
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import Change, StockReplica
from services.promise.service import PromiseService
from tests.services.promise.conftest import publish
from tests.services.promise.network import (
    CHANNEL,
    LYON,
    NOW,
    PARIS,
    block,
    collections,
    euros,
    point,
    request,
    ruleset,
    service,
    terms,
)

MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)
PROMISED = NOW + timedelta(days=3)


@pytest.fixture
def capacities(promise_db: AsyncEngine, replica: StockReplica) -> Capacities:
    return Capacities(promise_db, replica)


async def plan_order(promise: PromiseService, order_id: str, number: int = 1, **asked: Any) -> Decision:
    replaced = asked.pop("replaced", ())
    question = request(("x", asked.pop("units", 1)), **asked)
    return await promise.plan_order(f"{order_id}/{number}", order_id, question, "", b"1", replaced)


def where(decision: Decision) -> list[tuple[str, date | None]]:
    return [(leg.point_id, leg.prepared_on) for leg in decision.outcome.plans[0].legs]


async def taken(capacities: Capacities, point_id: str, day: date = MONDAY) -> int:
    figure, *_ = await capacities.figures(point_id, day, day)
    return figure.taken


async def assert_counted(database: AsyncEngine) -> None:
    """Every counter is the sum of what legs have taken."""
    async with database.connect() as tx:
        differing = await tx.execute(
            text(
                """WITH told AS (
                       SELECT point_id, prepared_on AS day, '' AS carrier_id, '' AS service_id,
                              -1 AS cut_off_minute, 1 AS taken FROM capacity_taking
                       UNION ALL
                       SELECT point_id, collected_on, carrier_id, service, minute, parcels
                       FROM capacity_taking CROSS JOIN LATERAL (VALUES (''), (service_id)) AS s (service)
                            CROSS JOIN LATERAL (VALUES (-1), (cut_off_minute)) AS m (minute)),
                   summed AS (
                       SELECT point_id, day, carrier_id, service_id, cut_off_minute, sum(taken) AS taken
                       FROM told GROUP BY 1, 2, 3, 4, 5)
                   SELECT * FROM summed FULL JOIN (SELECT * FROM capacity_count WHERE taken > 0) AS counted
                        USING (point_id, day, carrier_id, service_id, cut_off_minute)
                   WHERE summed.taken IS DISTINCT FROM counted.taken"""
            )
        )
        assert differing.all() == []


# -- taken ----------------------------------------------------------------------------------------------------


async def test_an_order_takes_a_place_at_its_point_and_room_for_its_parcels(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    await plan_order(promise, "ord_1")
    await capacities.put_limits([Limit(5, "lille"), Limit(9, "lille", "post", "home")], NOW, "anna")
    figures = await capacities.figures("lille", MONDAY, TUESDAY)
    assert [
        (one.counter.day, one.counter.carrier_id, one.counter.service_id, one.most, one.taken) for one in figures
    ] == [
        (MONDAY, "", "", 5, 1),
        (MONDAY, "post", "", None, 1),
        (MONDAY, "post", "home", 9, 1),
        (TUESDAY, "", "", 5, 0),
        (TUESDAY, "post", "home", 9, 0),
    ]
    await assert_counted(promise_db)


async def test_a_full_day_makes_a_later_window_and_the_quote_sees_it_too(
    promise: PromiseService, capacities: Capacities, replica: StockReplica
) -> None:
    replica.take(Change(50, positions=block(("x", "lyon", n.StockPosition(0, {CHANNEL: 0})))), NOW)
    await capacities.put_limits([Limit(1, "lille")], NOW, "anna")
    before = await promise.quote(request(("x", 1)))
    assert where(await plan_order(promise, "ord_1")) == [("lille", MONDAY)]
    assert where(await plan_order(promise, "ord_2")) == [("lille", TUESDAY)]
    after = await promise.quote(request(("x", 1)))
    shown = [quote.option(n.Mode.HOME_STANDARD) for quote in (before, after)]
    assert [option.plan.legs[0].prepared_on for option in shown if option] == [MONDAY, date(2026, 6, 3)]


async def test_the_same_request_takes_its_room_once(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    decisions = await asyncio.gather(*(plan_order(promise, "ord_1") for _ in range(6)))
    assert len({decision.decision_id for decision in decisions}) == 1
    assert await taken(capacities, "lille") == 1
    await assert_counted(promise_db)


async def test_what_is_planned_again_does_not_stand_in_its_own_way(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    await capacities.put_limits([Limit(1, "lille"), Limit(0, "lyon")], NOW, "anna")
    for number in (1, 2, 3):
        assert where(await plan_order(promise, "ord_1", number)) == [("lille", MONDAY)]
    assert await taken(capacities, "lille") == 1
    await assert_counted(promise_db)


async def test_a_promised_order_gives_back_the_leg_that_is_replaced_and_keeps_the_others(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    both = await plan_order(promise, "ord_1", units=5)
    assert where(both) == [("lille", MONDAY), ("lyon", MONDAY)]
    lost = LegPlace("lille", {1: 3})
    out = (n.ExcludedPoint("lille", "no_time"),)
    again = await plan_order(
        promise, "ord_1", 2, units=3, promised_until=PROMISED, exclusions=out, replaced=[lost]
    )
    assert where(again) == [("lyon", MONDAY)]
    assert (await taken(capacities, "lille"), await taken(capacities, "lyon")) == (0, 2)
    await assert_counted(promise_db)


async def test_a_plan_that_finds_nothing_gives_back_all_the_same(
    promise: PromiseService, capacities: Capacities
) -> None:
    await plan_order(promise, "ord_1")
    out = (n.ExcludedPoint("lille", "no_time"), n.ExcludedPoint("lyon", "no_time"))
    lost = LegPlace("lille", {1: 1})
    await plan_order(promise, "ord_1", 2, promised_until=PROMISED, exclusions=out, replaced=[lost])
    assert await capacities.of_order("ord_1") == []
    assert await taken(capacities, "lille") == 0


async def test_a_limit_that_was_lowered_takes_nothing_away_and_lets_nobody_in(
    promise: PromiseService, capacities: Capacities
) -> None:
    for number in range(3):
        await plan_order(promise, f"ord_{number}")
    await capacities.put_limits([Limit(1, "lille"), Limit(0, "lyon")], NOW, "anna")
    assert where(await plan_order(promise, "ord_9")) == [("lille", TUESDAY)]
    assert await taken(capacities, "lille") == 3
    assert where(await plan_order(promise, "ord_0", 2)) == [("lille", date(2026, 6, 3))]


async def test_many_at_once_on_several_replicas_never_pass_a_limit_and_none_is_lost(
    promise_db: AsyncEngine, promise: PromiseService, replica: StockReplica, capacities: Capacities
) -> None:
    positions = block(*(("x", at, n.StockPosition(500, {CHANNEL: 0})) for at in ("lille", "lyon")))
    replica.take(Change(60, positions=positions), NOW)
    replicas = [promise, *(PromiseService(promise_db, replica, is_public_holiday) for _ in range(2))]
    await publish(promise_db, ruleset(distance_cost_minor_per_kilometre=0.5, capacity_pressure_minor=1_000))
    limits = [Limit(7, "lille"), Limit(5, "lyon", on=MONDAY), Limit(11, "", "post")]
    await capacities.put_limits(limits, NOW, "anna")
    # So many that the last one is not kept waiting for longer than anybody waits for a lock.
    orders = [f"ord_{number}" for number in range(30)]
    decisions = await asyncio.gather(
        *(plan_order(replicas[number % 3], order_id) for number, order_id in enumerate(orders))
    )
    legs = [where(decision) for decision in decisions]
    assert legs.count([("lille", MONDAY)]) == 7
    assert legs.count([("lyon", MONDAY)]) == 5
    assert sum(map(len, legs)) == len(orders)
    for at in ("lille", "lyon"):
        for figure in await capacities.figures(at, MONDAY, MONDAY + timedelta(days=20)):
            assert figure.most is None or figure.taken <= figure.most
    await assert_counted(promise_db)
    await asyncio.gather(*(capacities.release(order_id, []) for order_id in orders for _ in range(2)))
    assert await taken(capacities, "lille") == 0
    await assert_counted(promise_db)


async def test_a_decision_keeps_the_limits_that_it_met_and_lists_leave_them_out(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    await capacities.put_limits([Limit(1, "lille")], NOW, "anna")
    await plan_order(promise, "ord_1")
    met = [SeenCapacity(Counter("lille", MONDAY), 1, 1), SeenCapacity(Counter("lille", TUESDAY), 1, 0)]
    made = await plan_order(promise, "ord_2")
    decisions = Decisions(promise_db, promise)
    assert list(made.record.capacity) == met
    assert await decisions.get(made.decision_id) == made
    ((_, listed),) = await decisions.of_order("ord_2", 0, 10)
    assert listed.record.capacity == ()
    shown = decision_proto(made, ()).capacity
    assert [(one.point_id, one.date, one.most, one.taken, one.left) for one in shown] == [
        ("lille", "2026-06-01", 1, 1, 0),
        ("lille", "2026-06-02", 1, 0, 1),
    ]


# -- given back -----------------------------------------------------------------------------------------------


async def test_giving_back_twice_is_giving_back_once(
    promise: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    await plan_order(promise, "ord_1")
    await plan_order(promise, "ord_2")
    assert await capacities.release("ord_1", []) == 1
    assert await capacities.release("ord_1", []) == 0
    assert await capacities.release("never", []) == 0
    assert await taken(capacities, "lille") == 1
    await assert_counted(promise_db)


async def test_only_the_leg_that_is_named_is_given_back(promise: PromiseService, capacities: Capacities) -> None:
    await plan_order(promise, "ord_1", units=5)
    assert await capacities.release("ord_1", [LegPlace("lyon", {1: 3})]) == 0
    assert await capacities.release("ord_1", [LegPlace("lyon", {1: 2})]) == 1
    assert [one.place for one in await capacities.of_order("ord_1")] == [LegPlace("lille", {1: 3})]


async def test_days_that_are_long_past_are_forgotten(promise: PromiseService, capacities: Capacities) -> None:
    await plan_order(promise, "ord_1")
    assert await capacities.forget(NOW + timedelta(days=MEMORY_DAYS)) == 0
    assert await capacities.forget(NOW + timedelta(days=MEMORY_DAYS + 1)) > 0
    assert await capacities.of_order("ord_1") == []


# -- limits ---------------------------------------------------------------------------------------------------


async def test_limits_stand_until_they_are_removed_and_a_point_falls_back_to_its_own_data(
    promise: PromiseService, capacities: Capacities, replica: StockReplica
) -> None:
    lyon = point("lyon", position=LYON, collections=collections("post", 19 * 60), daily_capacity=30)
    replica.take(Change(70, points=(lyon,)), NOW)
    limits = [Limit(4, "lyon"), Limit(None, "lyon", weekday=2)]
    assert await capacities.put_limits(limits, NOW, "anna") == 2
    assert await capacities.put_limits(limits, NOW, "bob") == 0
    assert [(one.limit, one.actor) for one in await capacities.list_limits("lyon", "")] == [
        (limit, "anna") for limit in limits
    ]
    assert [one.most for one in await capacities.figures("lyon", MONDAY, TUESDAY)] == [4, None]
    assert await capacities.remove_limits([replace(limit, most=None) for limit in limits]) == 2
    assert await capacities.remove_limits(limits) == 0
    assert [one.most for one in await capacities.figures("lyon", MONDAY, TUESDAY)] == [30, 30]


@pytest.mark.parametrize(
    ("limit", "field", "reason"),
    [
        (Limit(1), "limits[1].point_id", "INVALID_FIELD"),
        (Limit(-1, "lyon"), "limits[1].most", "INVALID_FIELD"),
        (Limit(1_000_001, "lyon"), "limits[1].most", "INVALID_FIELD"),
        (Limit(1, "nowhere"), "limits[1].point_id", "UNKNOWN_POINT"),
        (Limit(1, "lyon", "nobody"), "limits[1].carrier_id", "UNKNOWN_CARRIER"),
        (Limit(1, "lyon", "post", "none"), "limits[1].service_id", "UNKNOWN_SERVICE"),
        (Limit(1, "lyon", "", "home"), "limits[1].service_id", "INVALID_FIELD"),
        (Limit(1, "lyon", cut_off_minute=600), "limits[1].cut_off_minute", "INVALID_FIELD"),
        (Limit(1, "lyon", "post", cut_off_minute=1441), "limits[1].cut_off_minute", "INVALID_FIELD"),
        (Limit(1, "lyon", weekday=8), "limits[1].weekday", "INVALID_FIELD"),
        (Limit(1, "lyon", weekday=1, on=MONDAY), "limits[1].date", "INVALID_FIELD"),
        (Limit(9, "lille"), "limits[1]", "DUPLICATE"),
    ],
)
async def test_a_wrong_limit_is_refused_by_its_field_and_nothing_is_set(
    promise: PromiseService, capacities: Capacities, limit: Limit, field: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await capacities.put_limits([Limit(1, "lille"), limit], NOW, "anna")
    assert (caught.value.facts["field"], caught.value.reason) == (field, reason)
    assert await capacities.list_limits("", "") == []


async def test_figures_name_what_they_cannot_tell(promise: PromiseService, capacities: Capacities) -> None:
    with pytest.raises(NotFound):
        await capacities.figures("nowhere", MONDAY, MONDAY)
    for last in (MONDAY - timedelta(days=1), MONDAY + timedelta(days=92)):
        with pytest.raises(InvalidArgument) as caught:
            await capacities.figures("lille", MONDAY, last)
        assert caught.value.facts["field"] == "until_date"


# -- hubs -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def joining(promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica) -> PromiseService:
    """Parcels meet at a hub that has nothing of what was ordered."""
    hub = point("hub", postcode="75001", position=PARIS, capabilities=frozenset({n.CONSOLIDATION}))
    replica.take(Change(50, points=(hub,), positions=block(("x", "lyon", n.StockPosition(0, {CHANNEL: 0})))), NOW)
    inbound = terms(transit_days_max=1, rates=(n.RateStep(30_000, euros(200)),))
    [carrier] = await promise.list_carriers()
    to_points = service("in", mode=n.Mode.SHIP_TO_STORE, zones=(inbound,))
    await promise.put_carriers([replace(carrier, services=(*carrier.services, to_points))])
    await publish(promise_db, ruleset(split_cost_minor=900, consolidation=Consolidation(50, 3)))
    return promise


async def plan_both(promise: PromiseService, order_id: str, quote_id: str = "") -> Decision:
    question = request(("x", 1), ("y", 1), may_consolidate=True)
    return await promise.plan_order(f"{order_id}/1", order_id, question, quote_id, b"1")


async def test_a_hub_starts_one_order_and_what_was_quoted_by_way_of_it_is_kept(
    joining: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    quote = await joining.quote(request(("x", 1), ("y", 1), may_consolidate=True))
    option = quote.option(n.Mode.HOME_STANDARD)
    assert option is not None
    assert option.plan.parcels == 1
    decision = await plan_both(joining, "ord_1", quote.quote_id)
    assert not decision.quote_broken
    assert decision.outcome.plans[0] == option.plan
    onward = option.plan.onward
    assert onward is not None
    assert onward.prepared_on is not None
    assert [await taken(capacities, at) for at in ("lille", "lyon")] == [1, 1]
    assert await taken(capacities, "hub", onward.prepared_on) == 1
    await assert_counted(promise_db)
    # What the order gives back is named as it was planned: nothing of its own of the hub.
    assert await capacities.release("ord_1", [LegPlace("hub", {})]) == 1
    assert await taken(capacities, "hub", onward.prepared_on) == 0
    assert await capacities.release("ord_1", []) == 2
    await assert_counted(promise_db)


async def test_a_full_day_of_a_hub_without_stock_is_seen_and_told(
    joining: PromiseService, capacities: Capacities, promise_db: AsyncEngine
) -> None:
    await capacities.put_limits([Limit(1, "hub")], NOW, "anna")
    first, second = await plan_both(joining, "ord_1"), await plan_both(joining, "ord_2")
    days = [one.outcome.plans[0].onward for one in (first, second)]
    assert [day.prepared_on for day in days if day] == [TUESDAY, date(2026, 6, 3)]
    assert SeenCapacity(Counter("hub", TUESDAY), 1, 1) in second.record.capacity
    read = await Decisions(promise_db, joining).get(second.decision_id)
    told = decision_proto(read, read.outcome.seen)
    assert told.plans[0].onward.point_id == "hub"
    assert [leg.via_point_id for leg in told.plans[0].legs] == ["hub", "hub"]
    assert [(hub.point_id, hub.verdict) for hub in told.consolidating.hubs] == [("hub", pb.HUB_VERDICT_CHOSEN)]


async def test_without_being_told_so_no_order_meets_anywhere(joining: PromiseService) -> None:
    plain = await joining.plan_order("ord_1/1", "ord_1", request(("x", 1), ("y", 1)), "", b"1")
    assert plain.outcome.plans[0].onward is None
    assert plain.outcome.consolidating is None
