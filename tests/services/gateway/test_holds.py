"""Holds over REST: who stops an order, who lets it go on, what is passed on and told."""

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import PermissionDenied
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.schemas.orders import ORDER_EXAMPLE
from tests.services.gateway.fakes import HOLD, World
from tests.services.gateway.tokens import Issuer

HOLDS = "/v1/orders/ord_1/holds"
UNTIL = "2100-03-02T10:00:00Z"


@pytest.fixture
def service(issuer: Issuer, world: World) -> dict[str, str]:
    """Customer service, and an order that is held."""
    order = world.add_order("ord_1", "web-fr")
    order.holds.append(HOLD)
    order.customer_labels.append(orders.StatusLabel(status="validated", language="fr", text="Précommande"))
    return issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")


async def test_a_hold_says_what_is_stopped_until_when_and_by_whom(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    body = {"reason": "ask her", "fulfilment_id": "ful_1", "until": UNTIL, "default": "release"}
    answer = await http.post(HOLDS, json=body, headers=service | {"Idempotency-Key": "key-1"})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["hold_id"], told["fulfilment_id"], told["outcome"], told["ended_at"]) == (
        "hld_1",
        None,
        None,
        None,
    )
    await http.post(HOLDS, json={"reason": "another"}, headers=service)
    first, second = world.calls("PlaceHold")
    assert (first.fulfilment_id, first.reason, first.actor) == ("ful_1", "ask her", "carol")
    assert first.until.ToJsonString() == UNTIL
    assert (second.fulfilment_id, second.default, second.HasField("until")) == ("", "release", False)
    assert first.request_id != second.request_id


async def test_a_decision_is_passed_on_with_the_roles_of_who_decides(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    for path, body in (
        ("release", {"reason": "confirmed"}),
        ("extend", {"until": UNTIL}),
        ("refuse", {"reason": "stolen"}),
    ):
        answer = await http.post(f"{HOLDS}/hld_1/{path}", json=body, headers=service)
        assert (answer.status_code, answer.json()["hold_id"]) == (200, "hld_1"), path
    assert (await http.post(f"{HOLDS}/hld_1/release", headers=service)).status_code == 200, "without a reason"
    for name in ("ReleaseHold", "ExtendHold", "RefuseHold"):
        asked = world.calls(name)[0]
        assert (asked.order_id, asked.hold_id, asked.actor) == ("ord_1", "hld_1", "carol")
        assert list(asked.roles) == ["customer_service"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("", {}), ("", {"reason": "x", "default": "wait"}), ("/hld_1/extend", {}), ("/hld_1/refuse", {"reason": ""})],
)
async def test_a_wish_that_says_too_little_is_refused(
    http: httpx.AsyncClient, service: dict[str, str], path: str, body: dict[str, str]
) -> None:
    assert (await http.post(HOLDS + path, json=body, headers=service)).status_code == 422


async def test_a_channel_decides_on_its_own_orders_and_stops_none(
    http: httpx.AsyncClient, service: dict[str, str], issuer: Issuer, world: World
) -> None:
    own = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    other = issuer.bearer(Role.CHANNEL, subject="app", channels=["app-fr"])
    assert (await http.post(f"{HOLDS}/hld_1/release", headers=own)).status_code == 200
    assert (await http.post(f"{HOLDS}/hld_1/release", headers=other)).status_code == 404
    assert (await http.post(HOLDS, json={"reason": "x"}, headers=own)).status_code == 403
    world.failures["RefuseHold"] = [PermissionDenied("HOLD_OF_OTHERS", "who may decide: customer_service")]
    refused = await http.post(f"{HOLDS}/hld_1/refuse", json={"reason": "no"}, headers=own)
    assert (refused.status_code, refused.json()["reason"]) == (403, "HOLD_OF_OTHERS")


async def test_orders_show_what_holds_them_and_are_found_by_it(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    one = (await http.get("/v1/orders/ord_1", headers=service)).json()
    assert [hold["kind"] for hold in one["holds"]] == ["manual"]
    assert one["customer_labels"] == {"fr": "Précommande"}
    assert (await http.get("/v1/orders?held_for=fraud", headers=service)).status_code == 200
    assert world.calls("ListOrders")[-1].held_for == "fraud"
    assert (await http.get("/v1/orders?held_for=rain", headers=service)).status_code == 422


async def test_a_cancellation_says_in_which_roles_it_is_asked_for(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    await http.post("/v1/orders/ord_1/cancel", json={"reason": "no longer"}, headers=service)
    assert list(world.calls("RequestCancellation")[-1].roles) == ["customer_service"]


async def test_an_order_shows_for_which_delivery_it_waits_and_until_when(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    order = world.placed["ord_1"]
    due_at = Timestamp()
    due_at.FromJsonString(UNTIL)
    work = order.fulfilments.add(fulfilment_id="ful_1", order_id="ord_1", point_id="wh-1")
    work.state = orders.FULFILMENT_STATE_PLANNED
    work.awaited.add(line_number=1, sku="SKU-1", quantity=2, supply_id="po-1", due_at=due_at)
    order.holds.add(
        hold_id="hld_2", kind="stock", fulfilment_id="ful_1", until=due_at, default="wait", since=due_at
    )
    one = (await http.get("/v1/orders/ord_1", headers=service)).json()
    assert one["fulfilments"][0]["awaited"] == [
        {"line_number": 1, "sku": "SKU-1", "quantity": 2, "supply_id": "po-1", "due_at": UNTIL}
    ]
    assert [(hold["kind"], hold["default"], hold["until"]) for hold in one["holds"]][1] == ("stock", "wait", UNTIL)


@pytest.mark.parametrize("may_wait", [True, False])
async def test_an_order_says_whether_it_may_wait(
    http: httpx.AsyncClient, issuer: Issuer, world: World, may_wait: bool
) -> None:
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    body = ORDER_EXAMPLE | ({"may_wait": True} if may_wait else {})
    await http.post("/v1/orders", json=body, headers=channel | {"Idempotency-Key": "waits"})
    assert world.calls("RecordOrder")[-1].content.may_wait is may_wait
