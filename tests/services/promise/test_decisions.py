"""Decisions on a real database: read whole and in parts, told, and asked why not."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from oms.promise.v1 import decision_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.promise.decisions import Decisions
from services.promise.decisions_rpc import DecisionRpc
from services.promise.domain import network as n
from services.promise.domain.explaining import Explanation
from services.promise.domain.plans import NO_RECORD, Decision
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import Change, StockReplica
from services.promise.service import PromiseService
from tests.services.promise.conftest import publish
from tests.services.promise.network import CHANNEL, LILLE, NOW, PARIS, block, point, request, ruleset


@pytest.fixture
def decisions(promise: PromiseService, promise_db: AsyncEngine) -> Decisions:
    return Decisions(promise_db, promise)


async def decide(promise: PromiseService, asked: n.PlanRequest, request_id: str = "r1") -> Decision:
    return await promise.plan_order(request_id, "ord_1", asked, "", b"1")


def said(told: Explanation, section: str) -> list[str]:
    return [one.text for part in told.sections if part.name == section for one in part.sentences]


async def test_a_decision_is_read_as_it_was_made(promise: PromiseService, decisions: Decisions) -> None:
    made = await decide(promise, request(("x", 1), exclusions=(n.ExcludedPoint("lille", "refused"),)))
    assert made.record.points
    assert await decisions.get(made.decision_id) == made
    with pytest.raises(NotFound) as missing:
        await decisions.get("dec_0")
    assert missing.value.reason == "DECISION_NOT_FOUND"
    with pytest.raises(InvalidArgument):
        await decisions.get("")


async def test_decisions_of_an_order_are_listed_oldest_first_without_what_is_large(
    promise: PromiseService, decisions: Decisions
) -> None:
    made = [await decide(promise, request(("x", 1)), f"r{i}") for i in range(3)]
    await promise.plan_order("other", "ord_2", request(("x", 1)), "", b"")
    listed = await decisions.of_order("ord_1", 0, 10)
    assert [one.decision_id for _, one in listed] == [one.decision_id for one in made]
    brief = listed[0][1]
    assert brief.outcome.plans == made[0].outcome.plans
    assert (brief.outcome.seen, brief.outcome.rejected, brief.record.points) == ((), (), ())
    assert brief.record.inputs_hash == made[0].record.inputs_hash
    assert [one.decision_id for _, one in await decisions.of_order("ord_1", listed[0][0], 1)] == [
        made[1].decision_id
    ]
    assert await decisions.of_order("ord_9", 0, 10) == []


async def test_the_same_question_on_the_same_stock_has_the_same_hash_and_plans(
    promise: PromiseService, replica: StockReplica
) -> None:
    first, second = [await decide(promise, request(("x", 2)), request_id) for request_id in ("a", "b")]
    assert first.record.inputs_hash == second.record.inputs_hash
    assert first.outcome == second.outcome
    replica.take(Change(99, positions=block(("x", "lyon", n.StockPosition(2, {CHANNEL: 0})))), NOW)
    third = await decide(promise, request(("x", 2)), "c")
    assert third.record.inputs_hash != first.record.inputs_hash
    again = await decide(promise, request(("x", 2)), "d")
    assert again.record.inputs_hash == third.record.inputs_hash


async def test_a_decision_is_told_on_the_stock_that_it_saw_and_by_the_rules_that_judged_it(
    promise: PromiseService, decisions: Decisions, replica: StockReplica, promise_db: AsyncEngine
) -> None:
    made = await decide(promise, request(("x", 1)))
    replica.take(Change(99, positions=block(("x", "lyon", n.StockPosition(0, {CHANNEL: 0})))), NOW)
    await publish(promise_db, ruleset(distance_cost_minor_per_kilometre=50.0))
    told = await decisions.explain(made.decision_id, "lyon")
    # 196 and 392 km at half a cent.
    assert said(told, "why_not") == [
        "The cheapest plan that uses lyon ships from lyon and costs 7.96 EUR, 0.94 EUR more than the chosen plan."
    ]


async def test_a_split_that_one_point_could_have_avoided_says_what_that_costs(
    promise: PromiseService, decisions: Decisions, replica: StockReplica, promise_db: AsyncEngine
) -> None:
    await publish(
        promise_db, ruleset(split_cost_minor=0, preparation_costs=(), distance_cost_minor_per_kilometre=50.0)
    )
    near = Change(
        99,
        points=(point("paris", position=PARIS), point("lille", position=LILLE)),
        positions=block(
            ("x", "paris", n.StockPosition(1, {CHANNEL: 0})),
            ("y", "lille", n.StockPosition(1, {CHANNEL: 0})),
            ("x", "lille", n.StockPosition(0, {CHANNEL: 0})),
        ),
    )
    replica.take(near, NOW)
    made = await decide(promise, request(("x", 1), ("y", 1)))
    told = await decisions.explain(made.decision_id, "")
    although, alone = said(told, "split")
    assert although == "It is split although 1 point had every unit: lyon."
    assert alone.startswith("lyon alone would have cost ")
    assert alone.endswith("more than the chosen plan.")


async def test_a_decision_of_before_there_were_records_is_read_and_told(
    promise: PromiseService, decisions: Decisions, promise_db: AsyncEngine
) -> None:
    made = await decide(promise, request(("x", 1)))
    async with promise_db.begin() as tx:
        document = (await tx.execute(text("SELECT document FROM decision"))).scalar_one()
        del document["record"]
        await tx.execute(
            text(
                """INSERT INTO decision (decision_id, request_id, digest, order_id, document)
                   SELECT 'dec_old', 'old', digest, 'ord_old', CAST(:document AS jsonb) FROM decision"""
            ),
            {"document": json.dumps(document)},
        )
    assert (await decisions.get("dec_old")).record == NO_RECORD
    ((_, brief),) = await decisions.of_order("ord_old", 0, 10)
    assert brief.outcome.plans == made.outcome.plans
    assert said(await decisions.explain("dec_old", "lyon"), "why_not")


async def test_a_decision_without_a_unit_is_asked_why_not(promise: PromiseService, decisions: Decisions) -> None:
    made = await decide(promise, request(("ghost", 1)))
    told = await decisions.explain(made.decision_id, "lyon")
    assert said(told, "why_not") == ["lyon: it had nothing to send."]


# -- in parts -------------------------------------------------------------------------------------------------


async def test_the_stock_of_a_large_decision_is_read_in_pages(
    promise_db: AsyncEngine, promise: PromiseService, replica: StockReplica
) -> None:
    skus, points = [f"s{i:03}" for i in range(200)], [f"p{i:02}" for i in range(60)]
    replica.take(
        Change(
            99,
            items=tuple(n.Item(sku, "maison", 100, 100) for sku in skus),
            points=tuple(point(point_id) for point_id in points),
            positions=block(*((sku, at, n.StockPosition(1, {CHANNEL: 0})) for sku in skus for at in points)),
        ),
        NOW,
    )
    made = await decide(promise, request(*((sku, 1) for sku in skus)))
    reading = DecisionRpc(Decisions(promise_db, promise))
    seen: list[tuple[str, str]] = []
    cursor = ""
    while True:
        page = types.PageRequest(size=500, cursor=cursor)
        found = await reading.GetDecision(pb.GetDecisionRequest(decision_id=made.decision_id, page=page), None)
        assert len(found.decision.seen) <= 500
        seen += [(one.sku, one.point_id) for one in found.decision.seen]
        cursor = found.page.next_cursor
        if not cursor:
            break
    assert len(set(seen)) == len(seen) == 12_000
    of_one = await reading.GetDecision(pb.GetDecisionRequest(decision_id=made.decision_id, skus=["s007"]), None)
    assert {one.sku for one in of_one.decision.seen} == {"s007"}
    told = await reading.ExplainDecision(
        pb.ExplainDecisionRequest(decision_id=made.decision_id, why_not_point_id="lyon"), None
    )
    assert told.ByteSize() < 50_000
    listed = await reading.ListDecisions(pb.ListDecisionsRequest(order_id="ord_1"), None)
    assert listed.ByteSize() < 200_000


@pytest.mark.parametrize(
    ("page", "field"),
    [({"size": 501}, "page.size"), ({"size": -1}, "page.size"), ({"cursor": "x"}, "page.cursor")],
)
async def test_a_page_that_cannot_be_names_its_field(
    decisions: Decisions, page: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as wrong:
        await DecisionRpc(decisions).ListDecisions(
            pb.ListDecisionsRequest(order_id="ord_1", page=types.PageRequest(**page)), None
        )
    assert wrong.value.facts["field"] == field


async def test_while_stock_is_unknown_a_decision_is_told_without_planning_again(
    promise: PromiseService, promise_db: AsyncEngine
) -> None:
    made = await decide(promise, request(("x", 1)))
    fresh = PromiseService(promise_db, StockReplica(), is_public_holiday)
    assert said(await Decisions(promise_db, fresh).explain(made.decision_id, ""), "chosen")
