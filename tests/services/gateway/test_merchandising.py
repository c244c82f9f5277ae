"""Facts of articles at points, cover and find rates over REST."""

from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import merchandising_service_pb2 as pb
from services.gateway.auth import Role
from services.gateway.schemas.merchandising import Depth, FactKind, FactsOutcome, NoCover, RateSource
from services.gateway.wire import enum_names
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

FACTS = "/v1/merchandising/facts"
LISTS = {FACTS: "ListPositionFacts", "/v1/merchandising/cover": "ListCover"}
LISTS |= {"/v1/merchandising/find-rates": "ListFindRates"}


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        (FactKind, pb.FactKind),
        (FactsOutcome, pb.FactsOutcome),
        (RateSource, pb.RateSource),
        (NoCover, pb.NoCover),
        (Depth, pb.Depth),
    ],
)
def test_every_word_of_the_protos_is_one_of_ours(words: Any, enum: Any) -> None:
    assert set(get_args(words)) == enum_names(enum.DESCRIPTOR)


async def test_facts_reach_inventory_whole_with_who_hands_them_in_and_what_was_dropped_is_said(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    _, options = request_of(app, "PUT", FACTS)
    answer = await http.put(FACTS, json=options["json"], headers=planner)
    (result,) = answer.json()["items"]
    assert (result["outcome"], result["dropped"]) == ("changed", ["sales_rate"])
    (asked,) = world.calls("PutPositionFacts")
    assert asked.actor == "paul"
    (sent,) = asked.facts
    assert sent.assortment.in_assortment
    assert (sent.plan.min_quantity, sent.plan.target_quantity, sent.plan.next_date) == (2, 6, "")
    assert (sent.markdown.from_date, sent.markdown.basis_points) == ("2027-01-13", 3000)
    assert (sent.sales_rate.daily_thousandths, sent.source, sent.source_sequence) == (250, "erp", 17)


async def test_what_is_left_out_is_not_spoken_of_and_an_empty_object_takes_it_back(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    position = {"sku": "SKU-1", "point_id": "store-lyon"}
    empty: dict[str, Any] = {kind: {} for kind in get_args(FactKind)}
    zero = {"assortment": {"in_assortment": False}, "sales_rate": {"daily_thousandths": 0}}
    body = {"facts": [position, position | empty, position | zero]}
    assert (await http.put(FACTS, json=body, headers=planner)).status_code == 200
    (asked,) = world.calls("PutPositionFacts")
    nothing, taken_back, said = asked.facts
    for kind in get_args(FactKind):
        assert not nothing.HasField(kind)
        assert taken_back.HasField(kind)
        assert getattr(taken_back, kind) == type(getattr(taken_back, kind))()
    assert said.assortment.HasField("in_assortment")
    assert said.sales_rate.HasField("daily_thousandths")
    assert not said.HasField("markdown")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"plan": {"min_quantity": -1}}, "plan.min_quantity"),
        ({"plan": {"next_date": "2026-02-31"}}, "plan.next_date"),
        ({"markdown": {"from_date": "2026-02-28", "basis_points": 10_001}}, "markdown.basis_points"),
        ({"markdown": {"from_date": "2026-02-28", "basis_points": 0}}, "markdown.basis_points"),
        ({"sales_rate": {"daily_thousandths": -1}}, "sales_rate.daily_thousandths"),
        ({"sales_rate": {"daily_thousandths": 0.25}}, "sales_rate.daily_thousandths"),
        ({"assortment": {"in_assortment": "no"}}, "assortment.in_assortment"),
        ({"price": 1}, "price"),
        ({"sku": ""}, "sku"),
    ],
)
async def test_a_wrong_record_is_refused_by_field(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, wrong: dict[str, Any], field: str
) -> None:
    right = {"sku": "SKU-1", "point_id": "store-lyon"}
    answer = await http.put(FACTS, json={"facts": [right, right | wrong]}, headers=planner)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"facts[1].{field}")
    assert not world.calls("PutPositionFacts")


async def test_what_is_known_comes_with_who_said_it_and_null_for_the_rest(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    page = (await http.get(f"{FACTS}?sku=SKU-1&size=1", headers=planner)).json()
    (found,) = page["items"]
    assert page["next_cursor"] == "more"
    assert found["assortment"]["in_assortment"] is False
    assert (found["assortment"]["stated"]["source"], found["assortment"]["stated"]["actor"]) == ("erp", "paul")
    assert (found["plan"]["target_quantity"], found["plan"]["next_date"]) == (6, None)
    assert (found["markdown"]["from_date"], found["markdown"]["basis_points"]) == (None, None), "taken back"
    assert found["sales_rate"] is None, "nobody spoke of it"
    (asked,) = world.calls("ListPositionFacts")
    assert (list(asked.skus), list(asked.point_ids), asked.page.size) == (["SKU-1"], [], 1)


async def test_versions_tell_each_state_and_when_it_was_taken_back(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    path = f"{FACTS}/versions?sku=SKU-1&point_id=store-lyon"
    last, first = (await http.get(path, headers=planner)).json()["items"]
    assert (last["kind"], last["version"], last["content"]) == ("plan", 2, None)
    assert first["content"] == {"is_replenished": False}


async def test_figures_that_cannot_be_had_are_null_with_the_reason_beside(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    known, unknown = (await http.get("/v1/merchandising/cover", headers=planner)).json()["items"]
    assert (known["daily_thousandths"], known["cover_days_tenths"]) == (250, 120)
    assert (known["rate_source"], known["no_cover"]) == ("imported", None)
    assert (unknown["daily_thousandths"], unknown["cover_days_tenths"]) == (None, None)
    assert (unknown["rate_source"], unknown["no_cover"]) == (None, "no_rate")
    path = "/v1/merchandising/find-rates?category=home/kitchen&depth=one&depth=two&window_days=30"
    one, two = (await http.get(path, headers=planner)).json()["items"]
    assert (one["depth"], one["found"], one["asked"], one["rate_basis_points"]) == ("one", 3, 4, 9100)
    assert (two["asked"], two["rate_basis_points"]) == (0, None)
    (asked,) = world.calls("ListFindRates")
    assert (asked.category, list(asked.depths), asked.window_days) == (
        "home/kitchen",
        [pb.DEPTH_ONE, pb.DEPTH_TWO],
        30,
    )


@pytest.mark.parametrize("query", ["depth=seven", "depth=one&depth=one", "window_days=0", "window_days=367"])
async def test_a_question_that_nobody_can_answer_is_refused(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, query: str
) -> None:
    answer = await http.get(f"/v1/merchandising/find-rates?{query}", headers=planner)
    assert answer.status_code == 422
    assert not world.calls("ListFindRates")


@pytest.mark.parametrize(("path", "call"), LISTS.items())
async def test_store_people_see_their_own_points_and_no_others(
    http: httpx.AsyncClient, issuer: Issuer, world: World, path: str, call: str
) -> None:
    mine = issuer.bearer(Role.STORE, stores=["store-lyon", "store-nice"])
    assert (await http.get(path, headers=mine)).status_code == 200
    assert list(world.calls(call)[-1].point_ids) == ["store-lyon", "store-nice"]
    await http.get(f"{path}?point_id=store-nice", headers=mine)
    assert list(world.calls(call)[-1].point_ids) == ["store-nice"]
    asked = len(world.asked)
    foreign = await http.get(f"{path}?point_id=store-paris", headers=mine)
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    nobody = issuer.bearer(Role.STORE, stores=[])
    assert (await http.get(path, headers=nobody)).json()["items"] == []
    assert len(world.asked) == asked, "no points would have meant every point"


async def test_store_people_neither_write_facts_nor_read_the_history_of_other_points(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    mine = issuer.bearer(Role.STORE, stores=["store-lyon"])
    _, options = request_of(app, "PUT", FACTS)
    assert (await http.put(FACTS, json=options["json"], headers=mine)).status_code == 403
    own = await http.get(f"{FACTS}/versions?sku=SKU-1&point_id=store-lyon", headers=mine)
    other = await http.get(f"{FACTS}/versions?sku=SKU-1&point_id=store-nice", headers=mine)
    assert (own.status_code, other.status_code) == (200, 403)
    assert len(world.asked) == 1
