"""Stock to come over REST."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import supply_service_pb2 as supply
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

RECEIVE = "/v1/expected-deliveries/po-4711-1/receive"


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


def delivery_of(app: FastAPI, **changes: str) -> tuple[str, dict[str, Any]]:
    """The example of a delivery with some fields changed."""
    address, options = request_of(app, "PUT", "/v1/expected-deliveries")
    (example,) = options["json"]["deliveries"]
    return address, {"deliveries": [example | changes]}


async def test_a_delivery_reaches_inventory_whole_and_what_was_dropped_is_said(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    address, body = delivery_of(app, source_updated_at="2026-11-20T12:00:00Z")
    answer = await http.put(address, json=body, headers=planner)
    assert answer.json() == {"items": [{"delivery_id": "po-4711-1", "outcome": "stale"}]}
    (asked,) = world.calls("PutExpectedDeliveries")
    (sent,) = asked.deliveries
    assert (sent.kind, sent.quantity, sent.until_date) == (supply.EXPECTED_KIND_ON_ORDER, 40, "2026-12-04")
    assert (sent.source_sequence, sent.source_updated_at.seconds) == (17, 1_795_176_000)


@pytest.mark.parametrize("day", ["2026-02-31", "1.12.2026", "2026-W01-1", ""])
async def test_a_day_that_does_not_exist_is_refused_by_field(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World, day: str
) -> None:
    address, body = delivery_of(app, until_date=day)
    answer = await http.put(address, json=body, headers=planner)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "deliveries[0].until_date"
    assert not world.calls("PutExpectedDeliveries")


async def test_a_receipt_needs_a_key_names_who_received_and_says_who_was_served(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    body = {"quantity": 38, "damaged": 2, "close": True, "source": "dock/17"}
    assert (await http.post(RECEIVE, json=body, headers=planner)).json()["reason"] == "IDEMPOTENCY_KEY_REQUIRED"
    for key in ("1", "1", "2"):
        answer = await http.post(RECEIVE, json=body, headers=planner | {"Idempotency-Key": key})
    assert answer.json()["served"] == [{"reservation_id": "ord_1", "quantity": 2}]
    first, again, other = world.calls("ReceiveExpectedDelivery")
    assert first.request_id == again.request_id != other.request_id
    assert (first.actor, first.source, first.quantity, first.damaged, first.close) == (
        "paul",
        "dock/17",
        38,
        2,
        True,
    )
    assert list(first.at_points) == [], "supply chain receives anywhere"


async def test_store_people_receive_and_see_what_comes_to_their_points_only(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    mine = issuer.bearer(Role.STORE, stores=["store-lyon", "store-nice"])
    key = {"Idempotency-Key": "1"}
    assert (await http.post(RECEIVE, json={"quantity": 1}, headers=mine | key)).status_code == 200
    assert list(world.calls("ReceiveExpectedDelivery")[-1].at_points) == ["store-lyon", "store-nice"]
    await http.get("/v1/expected-deliveries", headers=mine)
    assert list(world.calls("ListExpectedDeliveries")[-1].point_ids) == ["store-lyon", "store-nice"]
    await http.get("/v1/expected-deliveries?point_id=store-nice&point_id=store-paris", headers=mine)
    assert list(world.calls("ListExpectedDeliveries")[-1].point_ids) == ["store-nice"]
    asked = len(world.asked)
    foreign = await http.get("/v1/expected-deliveries?point_id=store-paris", headers=mine)
    assert foreign.json() == {"items": [], "next_cursor": None}
    nobody = issuer.bearer(Role.STORE, stores=[])
    refused = await http.post(RECEIVE, json={"quantity": 1}, headers=nobody | key)
    assert (refused.status_code, refused.json()["reason"]) == (404, "DELIVERY_NOT_FOUND")
    assert (await http.get("/v1/expected-deliveries", headers=nobody)).json()["items"] == []
    assert len(world.asked) == asked, "no points would have meant every point"


async def test_a_channel_reads_what_it_may_promise_and_no_other_channel(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    mine = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    path = "/v1/channels/{}/future-availability?sku=SKU-1&explain=true&time_zone=Europe/Paris"
    answer = await http.get(path.format("web-fr"), headers=mine)
    (found,) = answer.json()["items"]
    assert (found["available_now"], [one["quantity"] for one in found["future"]]) == (3, [4])
    assert (found["zero_reason"], found["release_date"]) == (None, None)
    (asked,) = world.calls("GetFutureAvailability")
    assert (asked.explain, asked.time_zone) == (True, "Europe/Paris")
    other = await http.get(path.format("marketplace"), headers=mine)
    assert other.json()["reason"] == "CHANNEL_NOT_ALLOWED"


async def test_rules_and_preorders_reach_inventory_whole(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    address, options = request_of(app, "PUT", "/v1/channels/{channel_id}/future-rules")
    assert (await http.put(address, json=options["json"], headers=planner)).json() == {"changed": 1}
    (asked,) = world.calls("PutFutureRules")
    assert (asked.channel_id, asked.rules.longest_promise_days) == ("web-fr", 30)
    assert asked.rules.protection[0].point_type == types.POINT_TYPE_STORE
    rules = (await http.get(address, headers=planner)).json()
    assert (rules["kinds"], rules["longest_promise_days"]) == (["supplier"], 9)

    address, options = request_of(app, "PUT", "/v1/preorders")
    assert (await http.put(address, json=options["json"], headers=planner)).json() == {"changed": 1}
    assert world.calls("PutPreorders")[0].preorders[0].quantity == 200
    await http.get("/v1/preorders?channel_id=web-fr&sku=SKU-1", headers=planner)
    (listed,) = world.calls("ListPreorders")
    assert (listed.channel_id, list(listed.skus)) == ("web-fr", ["SKU-1"])


async def test_more_held_than_comes_is_found_by_the_check_of_stock(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    operator = issuer.bearer(Role.OPERATOR)
    assert (await http.get("/v1/checks/stock", headers=operator)).json()["differences"] == []
    world.oversold = True
    (found,) = (await http.get("/v1/checks/stock", headers=operator)).json()["differences"]
    assert (found["kind"], found["subject"]) == ("MORE_HELD_THAN_COMES", "delivery po-4711-1")


async def test_what_orders_wait_for_is_compared_with_what_is_reserved_for_them(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    waits = [orders.AwaitedSupply(supply_id="po-4711-1", quantity=2)]
    released = orders.ORDER_STATE_RELEASED
    world.obligations = [
        orders.Obligation(order_id="ord_right", state=released, awaited=waits),
        orders.Obligation(order_id="ord_less", state=released, awaited=waits),
        orders.Obligation(order_id="ord_none", state=released, awaited=waits),
        orders.Obligation(order_id="ord_changing", state=released, awaited=waits, in_flux=True),
        # Until it is released, its story is not told of deliveries.
        orders.Obligation(order_id="ord_cools", state=orders.ORDER_STATE_VALIDATED, awaited=waits),
    ]
    world.reserved = {"ord_right": 2, "ord_less": 1}
    answer = await http.get("/v1/checks/orders", headers=issuer.bearer(Role.OPERATOR))
    found = [(one["kind"], one["order_id"], one["expected"], one["found"]) for one in answer.json()["differences"]]
    assert found == [
        ("SUPPLY_NOT_RESERVED", "ord_less", "2", "1"),
        ("SUPPLY_NOT_RESERVED", "ord_none", "2", "0"),
    ]


@pytest.mark.parametrize(
    "body", [{"quantity": -1}, {"damaged": 10**10}, {"quantity": "1"}, {"close": "yes"}, {"units": 1}]
)
async def test_a_wrong_receipt_is_refused(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, body: dict[str, Any]
) -> None:
    answer = await http.post(RECEIVE, json=body, headers=planner | {"Idempotency-Key": "1"})
    assert answer.status_code == 422
    assert not world.calls("ReceiveExpectedDelivery")
