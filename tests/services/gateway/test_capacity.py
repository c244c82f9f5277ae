"""Capacity over REST: who may set limits, what is sent of them, how figures are shown."""

from typing import Any

import httpx
import pytest

from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

LIMITS = "/v1/capacity/limits"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="anna")


async def test_limits_are_set_with_who_set_them_and_no_limit_is_not_zero(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    limits: list[dict[str, Any]] = [
        {"point_id": "store-lyon", "weekday": 6, "most": 0},
        {"point_id": "store-lyon", "date": "2026-12-24", "most": None},
        {"carrier_id": "colis", "cut_off_minute": 0, "most": 60},
    ]
    answer = await http.put(LIMITS, json={"limits": limits}, headers=planner)
    assert answer.json() == {"changed": 3}
    asked = world.calls("PutLimits")[-1]
    assert asked.actor == "anna"
    assert [(one.HasField("most"), one.HasField("cut_off_minute")) for one in asked.limits] == [
        (True, False),
        (False, False),
        (True, True),
    ]
    assert [(one.weekday, one.date, one.most) for one in asked.limits] == [
        (6, "", 0),
        (0, "2026-12-24", 0),
        (0, "", 60),
    ]


@pytest.mark.parametrize(
    "limit",
    [
        {"point_id": "store-lyon"},
        {"point_id": "store-lyon", "most": -1},
        {"point_id": "store-lyon", "most": 1.5},
        {"point_id": "store-lyon", "most": 1, "weekday": 8},
        {"point_id": "store-lyon", "most": 1, "date": "2026-02-31"},
        {"point_id": "store-lyon", "most": 1, "cut_off_minute": 1441},
        {"point_id": "store-lyon", "most": 1, "weekdays": [1]},
    ],
)
async def test_a_wrong_limit_is_refused_before_anybody_is_asked(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, limit: dict[str, Any]
) -> None:
    answer = await http.put(LIMITS, json={"limits": [limit]}, headers=planner)
    assert (answer.status_code, world.calls("PutLimits")) == (422, [])
    assert answer.json()["errors"][0]["field"].startswith("limits[0]")


async def test_limits_are_listed_and_removed_by_what_they_are_of(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    items = (await http.get(f"{LIMITS}?point_id=store-lyon", headers=planner)).json()["items"]
    assert [(one["date"], one["cut_off_minute"], one["most"], one["set_by"]) for one in items] == [
        ("2026-12-24", None, 0, "anna"),
        (None, 1020, None, "anna"),
    ]
    assert world.calls("ListLimits")[-1].point_id == "store-lyon"
    body = {"limits": [{"point_id": "store-lyon", "date": "2026-12-24"}]}
    assert (await http.post(f"{LIMITS}/remove", json=body, headers=planner)).json() == {"changed": 1}
    assert world.calls("RemoveLimits")[-1].limits[0].date == "2026-12-24"


async def test_a_store_sees_how_full_its_own_days_are(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, stores=["store-lyon"])
    figures = (await http.get("/v1/points/store-lyon/capacity?from_date=2026-12-23", headers=store)).json()[
        "items"
    ]
    assert [(one["carrier_id"], one["most"], one["taken"], one["left"]) for one in figures] == [
        ("", 40, 41, 0),
        ("colis", None, 44, None),
    ]
    asked = world.calls("ListFigures")[-1]
    assert (asked.from_date, asked.until_date) == ("2026-12-23", "2026-12-23")
    assert (await http.get("/v1/points/store-paris/capacity", headers=store)).status_code == 403
    assert (
        await http.put(LIMITS, json={"limits": [{"point_id": "store-lyon", "most": 1}]}, headers=store)
    ).status_code == 403
