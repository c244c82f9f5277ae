"""Simulations over REST: how they are meant reaches the service, and what came of them the caller."""

from typing import Any

import httpx
import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from oms.promise.v1 import ruleset_service_pb2 as rules
from oms.promise.v1 import simulation_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

CANDIDATE: dict[str, Any] = {
    "ruleset_id": "fewer",
    "currency": "EUR",
    "split_cost_minor": 900,
    "preparation_costs": [{"point_type": "store", "cost_minor": 220}],
    "max_parcels": 2,
}
OF_FILE: dict[str, Any] = {
    "ruleset": CANDIDATE,
    "orders": {
        "file_id": "sfl_1",
        "channel_id": "web-fr",
        "columns": {"order": "invoice_no", "sku": "stock_code", "quantity": "quantity", "country": "country"},
        "destinations": [{"name": "France", "destination": {"country": "FR", "postcode": "75011"}}],
        "not_articles": ["POST"],
    },
    "stock": "present",
    "deplete": True,
    "assumed_items": {"weight_grams": 300, "units": 40, "percent": 60, "seed": 7},
}
ADDRESS = "/v1/simulations"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


async def test_a_file_reaches_the_service_in_portions(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    """The app under test takes other bodies up to 100,000 bytes."""
    content = b"order_id,sku\n" * 200_000
    answer = await http.post(
        f"{ADDRESS}/files",
        params={"file_name": "orders.csv.gz"},
        content=content,
        headers=planner | {"Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()["file_id"]) == (201, "sfl_1")
    ((header, sent, largest),) = world.calls("KeepSimulationFile")
    assert (header.file_name, header.gzip) == ("orders.csv.gz", True)
    assert sent == content
    assert largest <= 1024**2


async def test_a_simulation_of_a_file_reaches_the_service_whole(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    answer = await http.post(ADDRESS, json=OF_FILE, headers=planner)
    assert (answer.status_code, answer.json()["state"]) == (202, "received")
    (asked,) = world.calls("CreateSimulation")
    assert asked.actor == "paul"
    setup = asked.setup
    assert setup.ruleset == rules.Ruleset(
        ruleset_id="fewer",
        currency="EUR",
        split_cost_minor=900,
        preparation_costs=[rules.PointTypeCost(point_type=types.POINT_TYPE_STORE, cost_minor=220)],
        max_parcels=2,
    )
    assert (setup.stock, setup.deplete) == (pb.SIMULATION_STOCK_PRESENT, True)
    assert setup.orders.mode == types.DELIVERY_MODE_HOME_STANDARD
    assert setup.orders.columns.sku == "stock_code"
    assert setup.orders.destinations[0].destination.postcode == "75011"
    assert setup.assumed_items == pb.AssumedItems(weight_grams=300, units=40, percent=60, seed=7)
    assert setup.listed_orders == 50


async def test_recorded_orders_need_nothing_but_a_ruleset(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    body = {"ruleset": CANDIDATE, "from_at": "2026-11-01T00:00:00Z"}
    assert (await http.post(ADDRESS, json=body, headers=planner)).status_code == 202
    (asked,) = world.calls("CreateSimulation")
    assert asked.setup.stock == pb.SIMULATION_STOCK_RECORDED
    assert not asked.setup.HasField("orders")
    assert asked.setup.from_at.seconds


async def test_a_key_makes_two_requests_one(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    for key in ("a", "a", "b", None):
        headers = planner | ({"Idempotency-Key": key} if key else {})
        await http.post(ADDRESS, json=OF_FILE, headers=headers)
    first, again, other, none = (asked.request_id for asked in world.calls("CreateSimulation"))
    assert first == again
    assert len({first, other, none}) == 3


async def test_the_candidate_may_be_a_text_or_the_draft_of_a_ruleset(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    for candidate in ({"text": "currency: EUR"}, {"draft_of": "default"}):
        assert (await http.post(ADDRESS, json=candidate, headers=planner)).status_code == 202
    text, draft = (asked.setup for asked in world.calls("CreateSimulation"))
    assert (text.text, draft.draft_of) == ("currency: EUR", "default")
    for wrong in ({}, {"text": "currency: EUR", "draft_of": "default"}):
        answer = await http.post(ADDRESS, json=wrong, headers=planner)
        assert answer.status_code == 422
        assert "one of ruleset, text and draft_of is required" in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stock": "old"}, "stock"),
        ({"ruleset": CANDIDATE | {"max_parcels": 0}}, "ruleset.max_parcels"),
        ({"ruleset": CANDIDATE | {"tier": 1}}, "ruleset.tier"),
        ({"orders": OF_FILE["orders"] | {"mode": "drone"}}, "orders.mode"),
        ({"assumed_items": {"weight_grams": 0, "units": 1, "percent": 1}}, "assumed_items.weight_grams"),
        ({"from_at": "2026-11-01"}, "from_at"),
    ],
)
async def test_a_wrong_field_is_named(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, change: dict[str, Any], field: str
) -> None:
    answer = await http.post(ADDRESS, json=OF_FILE | change, headers=planner)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert not world.calls("CreateSimulation")


async def test_refusals_of_the_service_are_told(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    world.failures["CreateSimulation"] = [
        InvalidArgument("ruleset.currency", "must be EUR", "OTHER_CURRENCY"),
        FailedPrecondition("NO_RULESET", "no ruleset was published"),
    ]
    refused = await http.post(ADDRESS, json=OF_FILE, headers=planner)
    assert (refused.status_code, refused.json()["reason"]) == (422, "OTHER_CURRENCY")
    assert refused.json()["errors"][0]["field"] == "ruleset.currency"
    assert (await http.post(ADDRESS, json=OF_FILE, headers=planner)).json()["reason"] == "NO_RULESET"


async def test_the_comparison_is_shown_with_both_rulesets(
    http: httpx.AsyncClient, planner: dict[str, str]
) -> None:
    shown = (await http.get(f"{ADDRESS}/sim_1", headers=planner)).json()
    assert (shown["state"], shown["live"]["version"], shown["setup"]["ruleset"]["ruleset_id"]) == (
        "done",
        3,
        "draft",
    )
    result = shown["result"]
    assert result["live"]["real_cost_minor"] == 1_240
    assert result["points"][0]["point_type"] == "store"
    assert result["points"][0]["live"]["days"] == [{"day": "2026-11-20", "parcels": 2, "units": 3}]
    assert result["changed"][0]["live"]["legs"][0]["point_id"] == "store-lyon"
    assert result["skipped"] == [{"reason": "PLANNED_AGAIN", "count": 4}]


async def test_jobs_are_listed_cancelled_and_run_again(
    http: httpx.AsyncClient, issuer: Issuer, planner: dict[str, str], world: World
) -> None:
    page = (await http.get(f"{ADDRESS}?size=5", headers=issuer.bearer(Role.OPERATOR))).json()
    assert ([one["result"] for one in page["items"]], page["next_cursor"]) == ([None], "7")
    assert world.calls("ListSimulations")[0].page.size == 5
    cancelled = await http.post(f"{ADDRESS}/sim_1/cancel", headers=planner)
    assert cancelled.json()["state"] == "cancelled"
    assert (await http.post(f"{ADDRESS}/sim_1/restart", headers=planner)).json()["state"] == "received"
    assert world.calls("RestartSimulation")[0].simulation_id == "sim_1"
