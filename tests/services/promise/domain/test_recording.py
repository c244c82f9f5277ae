"""The hash of what decided, and the points that are kept for whoever asks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.promise.domain import engine, recording
from services.promise.domain import network as n
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.domain.decided import decide
from tests.services.promise.network import (
    CHANNEL,
    LILLE,
    LYON,
    NOW,
    PARIS,
    coming,
    point,
    request,
    ruleset,
    snapshot,
    stock,
    with_coming,
)

POINTS = [
    point("lyon", position=LYON, brands=frozenset({"maison", "autre", "tierce"})),
    point("lille", position=LILLE),
    point("paris", position=PARIS, type=n.PointType.STORE, capabilities=frozenset()),
]
SHELVES = {"x": {"lille": 1, "lyon": 3, "paris": 1}, "y": {"lyon": 2}}
ASKED = request(("x", 2), ("y", 1))


def seen() -> Snapshot:
    return snapshot(POINTS, stock(SHELVES))


def hashed(seen: Snapshot, asked: n.PlanRequest = ASKED, rules: Ruleset | None = None, terms: int = 7) -> str:
    return recording.inputs_hash(seen, asked, rules or ruleset(), terms_version=terms)


def with_position(**values: object) -> Snapshot:
    found = seen()
    position = replace(found.stock.positions["x"]["lyon"], **values)  # type: ignore[arg-type]
    positions = {**found.stock.positions, "x": {**found.stock.positions["x"], "lyon": position}}
    return replace(found, stock=replace(found.stock, positions=positions))


def test_the_hash_is_the_same_for_the_same_inputs_in_whatever_order_they_come() -> None:
    other = snapshot(POINTS[::-1], {sku: dict(reversed(by.items())) for sku, by in stock(SHELVES).items()})
    assert hashed(other) == hashed(seen())
    assert len(hashed(seen())) == 64


def test_the_hash_is_the_same_in_every_process() -> None:
    """Sets are written sorted: Python gives each process an order of its own."""
    assert recording._canonical(frozenset({"b", "a"})) == "{'a','b'}"
    assert recording._canonical({"b": 1, "a": frozenset({n.Mode.HOME_EXPRESS})}) == "{'a':{'home_express'},'b':1}"


def test_the_age_of_the_stock_decides_nothing() -> None:
    found = seen()
    view = n.StockView(1, ASKED.now - timedelta(days=1), stale=True)
    older = replace(found, stock=replace(found.stock, view=view))
    assert hashed(older) == hashed(found)


def test_stock_of_another_channel_decides_nothing() -> None:
    both = with_position(safety_stock={CHANNEL: 0, "other": 3}, routing_buffers={"other": 2})
    assert hashed(both) == hashed(seen())


@pytest.mark.parametrize(
    "change",
    [
        lambda: hashed(with_position(free=2)),
        lambda: hashed(with_position(safety_stock={CHANNEL: 1})),
        lambda: hashed(with_position(safety_stock={})),
        lambda: hashed(with_position(routing_buffers={CHANNEL: 1})),
        lambda: hashed(with_position(facts=n.Facts(daily_sales=0.5))),
        lambda: hashed(with_position(facts=n.Facts(markdown_date=date(2026, 7, 1), markdown_percent=20))),
        lambda: hashed(snapshot([replace(POINTS[0], handling_minutes=9), *POINTS[1:]], stock(SHELVES))),
        lambda: hashed(
            snapshot(POINTS, stock(SHELVES), items=[n.Item("x", "maison", 401), n.Item("y", "maison")])
        ),
        lambda: hashed(seen(), replace(ASKED, now=ASKED.now + timedelta(seconds=1))),
        lambda: hashed(seen(), replace(ASKED, own_holds=(n.OwnHold("x", "lille", 1),))),
        lambda: hashed(seen(), rules=ruleset(split_cost_minor=301)),
        lambda: hashed(seen(), terms=8),
    ],
)
def test_whatever_decides_changes_the_hash(change: Callable[[], str]) -> None:
    assert change() != hashed(seen())


def test_what_comes_decides_only_where_it_is_asked_for() -> None:
    one_comes = with_coming(seen(), x={"lille": (coming("po-1", 1, NOW + timedelta(days=1)),)})
    assert hashed(one_comes) == hashed(seen())
    patient = replace(ASKED, may_wait=True)
    assert hashed(one_comes, patient) != hashed(seen(), patient)


def test_equal_hashes_have_equal_plans() -> None:
    first, second = decide(seen(), ASKED, ruleset()), decide(seen(), ASKED, ruleset())
    assert first.record.inputs_hash == second.record.inputs_hash
    assert first.outcome == second.outcome


def test_points_are_kept_nearest_first_with_what_a_sentence_needs() -> None:
    kept = decide(seen(), ASKED, ruleset()).record.points
    assert [(one.point_id, one.can_send) for one in kept] == [("paris", False), ("lille", True), ("lyon", True)]
    assert kept[0].type is n.PointType.STORE
    assert 200 < kept[1].distance_kilometres < 210
    assert {one.time_zone for one in kept} == {"Europe/Paris"}


def test_of_points_that_are_not_used_only_the_nearest_are_kept_and_those_used_always() -> None:
    near = [point(f"p{i:03}", position=PARIS) for i in range(recording.NEAREST + 5)]
    decision = decide(
        snapshot([*near, point("lyon", position=LYON)], stock({"x": {"lyon": 1}})), request(("x", 1)), ruleset()
    )
    kept = [one.point_id for one in decision.record.points]
    assert len(kept) == recording.NEAREST + 1
    assert kept[-1] == "lyon"


def test_terms_of_positions_are_kept_where_there_are_any() -> None:
    facts = n.Facts(find_rate=0.8)
    decision = decide(with_position(facts=facts, routing_buffers={CHANNEL: 1}), ASKED, ruleset())
    (kept,) = decision.record.terms
    assert (kept.sku, kept.point_id, kept.routing_buffer, kept.facts) == ("x", "lyon", 1, facts)


def test_a_destination_that_is_unknown_leaves_no_points() -> None:
    nowhere = replace(ASKED, destination=n.Destination("XX", "1"))
    record = decide(seen(), nowhere, ruleset()).record
    assert (record.points, record.time_zone) == ((), "")
    assert record.inputs_hash
    assert engine.plan(seen(), nowhere, ruleset()).unplanned
