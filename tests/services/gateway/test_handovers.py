"""Work of other systems over REST: systems, the work list of alerts, and what systems post."""

from typing import Any

import httpx
import pytest

from oms.handover.v1 import handover_service_pb2 as pb
from services.gateway.auth import Role
from services.gateway.schemas.handovers import HandoverState
from services.gateway.wire import enum_names
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="anna")


async def test_a_system_is_put_with_sensible_tolerances(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    system: dict[str, Any] = {"system_id": "wms", "name": "WMS", "point_ids": ["wh-orleans"], "enabled": True}
    answer = await http.put("/v1/handover-systems", json={"systems": [system]}, headers=planner)
    assert answer.json() == {"changed": 1}
    [asked] = world.calls("PutSystems")
    assert asked.actor == "anna"
    assert asked.systems[0] == pb.System(**system, acknowledge_tolerance_seconds=900, ship_tolerance_seconds=3600)
    [shown] = (await http.get("/v1/handover-systems", headers=planner)).json()["items"]
    assert (shown["system_id"], shown["point_ids"]) == ("wms-orleans", ["wh-orleans"])


async def test_the_work_list_is_those_with_an_open_alert(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    operator = issuer.bearer(Role.OPERATOR)
    query = "?alert=true&state=packed&state=sent&system_id=wms&order_id=ord_1&size=7"
    [row] = (await http.get(f"/v1/handovers{query}", headers=operator)).json()["items"]
    assert (row["state"], row["alerts"][0]["kind"], row["sent_at"]) == ("packed", "not_shipped", None)
    [asked] = world.calls("ListHandovers")
    assert (asked.alert, asked.order_id, asked.page.size) == (True, "ord_1", 7)
    assert list(asked.states) == [pb.HANDOVER_STATE_PACKED, pb.HANDOVER_STATE_SENT]
    detail = (await http.get("/v1/handovers/ful_1", headers=operator)).json()
    assert detail["messages"][0]["found"] == [{"line_number": 1, "quantity": 2}]


async def test_an_alert_is_closed_by_who_asks_and_a_repeated_click_is_one_act(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    for _ in range(2):
        answer = await http.post("/v1/handover-alerts/alt_1/close", json={"note": "called"}, headers=planner)
        assert (answer.json()["closed_by"], answer.json()["note"]) == ("anna", "called")
    assert len({one.request_id for one in world.calls("CloseAlert")}) == 1


async def test_what_a_system_posts_goes_on_as_it_came_with_its_proofs_and_no_token(
    http: httpx.AsyncClient, world: World
) -> None:
    body = b'{"message_id": "msg_1" }'
    headers = {
        "Webhook-Id": "msg_1",
        "webhook-signature": "v1,abc",
        "X-Signature": "def",
        "authorization": "Bearer not-for-services",
        "cookie": "session=1",
    }
    answer = await http.post("/v1/handover/wms-orleans/messages", content=body, headers=headers)
    assert answer.json() == {"accepted": 1, "duplicates": 2}
    [asked] = world.calls("ReceiveMessages")
    assert (asked.system_id, asked.payload) == ("wms-orleans", body)
    assert dict(asked.headers) == {"webhook-id": "msg_1", "webhook-signature": "v1,abc", "x-signature": "def"}


@pytest.mark.parametrize("role", [Role.STORE, Role.CHANNEL, Role.CARRIER])
async def test_it_is_for_planners_and_operators(http: httpx.AsyncClient, issuer: Issuer, role: Role) -> None:
    assert (await http.get("/v1/handovers", headers=issuer.bearer(role))).status_code == 403


async def test_a_token_of_one_brand_does_not_see_what_belongs_to_none(
    http: httpx.AsyncClient, issuer: Issuer
) -> None:
    narrow = issuer.bearer(Role.SUPPLY_CHAIN, brands=["Aubier"])
    for path in ("/v1/handovers", "/v1/handovers/ful_1"):
        assert (await http.get(path, headers=narrow)).json()["reason"] == "BRAND_NOT_ALLOWED"


def test_the_words_are_those_of_the_proto() -> None:
    assert set(HandoverState.__args__) == enum_names(pb.HandoverState.DESCRIPTOR)  # type: ignore[attr-defined]
