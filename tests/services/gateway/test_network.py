"""Network data, stock, webhooks and provider events over REST."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


async def test_a_channel_is_written_where_it_sells_and_where_it_shows(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    address, options = request_of(app, "PUT", "/v1/channels")
    options["json"]["channels"][0]["brands"] = ["Aubier"]
    answer = await http.put(address, json=options["json"], headers=planner)
    assert answer.json() == {"changed": 1}
    (sales,) = world.calls("PutSalesChannels")
    (stock,) = world.calls("PutChannels")
    assert (sales.channels[0].life_cycle_id, list(sales.channels[0].brands)) == ("default", ["Aubier"])
    assert list(stock.channels[0].activated_points) == ["store-lyon"]
    assert stock.channels[0].safety_stock[0].point_type == types.POINT_TYPE_STORE


@pytest.mark.parametrize(
    ("path", "rpc", "inner"),
    [
        ("/v1/items", "PutItems", "items"),
        ("/v1/stock-points", "PutStockPoints", "points"),
        ("/v1/carriers", "PutCarriers", "carriers"),
        ("/v1/boxes", "PutBoxes", "boxes"),
    ],
)
async def test_the_whole_body_reaches_its_service(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World, path: str, rpc: str, inner: str
) -> None:
    address, options = request_of(app, "PUT", path)
    assert (await http.put(address, json=options["json"], headers=planner)).json() == {"changed": 1}
    (asked,) = world.calls(rpc)
    (sent,) = next(iter(options["json"].values()))
    (received,) = getattr(asked, inner)
    for name, value in sent.items():
        if isinstance(value, str) and name not in ("type",):
            assert getattr(received, name) == value
        assert getattr(received, name), f"{name} was lost"


async def test_who_changed_a_setting_is_told_with_the_whole_of_it(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    answer = await http.get("/v1/setting-versions?kind=item&key=SKU-1", headers=planner)
    (version,) = answer.json()["items"]
    assert (version["version"], version["actor"], version["content"]) == (1, "paul", {"sku": "SKU-1"})
    (asked,) = world.calls("ListVersions")
    assert asked.key == "SKU-1"


@pytest.mark.parametrize(("path", "inner"), [("/v1/items", "PutItems"), ("/v1/stock-points", "PutStockPoints")])
async def test_a_setting_is_put_in_the_name_of_its_caller(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World, path: str, inner: str
) -> None:
    address, options = request_of(app, "PUT", path)
    await http.put(address, json=options["json"], headers=planner)
    (asked,) = world.calls(inner)
    assert asked.actor == "paul"


async def test_an_adjustment_needs_a_key_and_names_who_did_it(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    address, options = request_of(app, "POST", "/v1/stock/adjustments")
    without = await http.post(address, json=options["json"], headers=planner)
    assert without.json()["reason"] == "IDEMPOTENCY_KEY_REQUIRED"
    for key in ("1", "1", "2"):
        await http.post(address, json=options["json"], headers=planner | {"Idempotency-Key": key})
    first, again, other = world.calls("AdjustStock")
    assert first.request_id == again.request_id != other.request_id
    assert (first.cause.actor, first.cause.cause, first.cause.source) == ("paul", "receipt", "wms/4711")


@pytest.mark.parametrize("quantity", [0, 2**63, -(2**63), 1.5, "1"])
async def test_an_impossible_change_of_stock_is_refused(
    http: httpx.AsyncClient, planner: dict[str, str], quantity: Any
) -> None:
    body = {"deltas": [{"sku": "A", "point_id": "p", "quantity": quantity}], "cause": "count"}
    answer = await http.post("/v1/stock/adjustments", json=body, headers=planner | {"Idempotency-Key": "1"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "deltas[0].quantity"


@pytest.mark.parametrize("latitude", ["NaN", "Infinity", "91", "1e999"])
async def test_an_impossible_position_is_refused(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], latitude: str
) -> None:
    _, options = request_of(app, "PUT", "/v1/stock-points")
    body = json.dumps(options["json"]).replace("45.7578", latitude)
    answer = await http.put(
        "/v1/stock-points", content=body, headers=planner | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "stock_points[0].position.latitude"


async def test_an_endpoint_is_registered_with_its_secret_shown_once(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    operator = issuer.bearer(Role.OPERATOR)
    body = {"url": "https://shop.example/hooks", "event_types": ["oms.orders.order.*"]}
    for headers in (operator, operator, operator | {"Idempotency-Key": "1"}, operator | {"Idempotency-Key": "1"}):
        answer = await http.post("/v1/webhook-endpoints", json=body, headers=headers)
        assert (answer.status_code, answer.json()["secret"]) == (201, "whsec_x")
    one, two, keyed, keyed_again = (request.request_id for request in world.calls("CreateEndpoint"))
    assert one != two
    assert keyed == keyed_again
    listed = await http.get("/v1/webhook-endpoints", headers=operator)
    assert "secret" not in listed.text
    assert (await http.delete("/v1/webhook-endpoints/end_1", headers=operator)).status_code == 204


@pytest.mark.parametrize("url", ["ftp://x.test", "https://a b", "javascript:alert(1)", "https://x.test/\x00"])
async def test_an_endpoint_is_an_http_address(http: httpx.AsyncClient, issuer: Issuer, url: str) -> None:
    answer = await http.post("/v1/webhook-endpoints", json={"url": url}, headers=issuer.bearer(Role.OPERATOR))
    assert answer.json()["errors"][0]["field"] == "url"


@pytest.mark.parametrize("body", [{}, {"delivery_id": "d", "since": "2026-03-02T00:00:00Z"}])
async def test_a_replay_names_one_delivery_or_an_instant(
    http: httpx.AsyncClient, issuer: Issuer, world: World, body: dict[str, Any]
) -> None:
    answer = await http.post("/v1/webhook-endpoints/end_1/replay", json=body, headers=issuer.bearer(Role.OPERATOR))
    assert answer.status_code == 422
    assert not world.calls("ReplayDeliveries")


async def test_a_providers_event_reaches_payments_byte_for_byte(http: httpx.AsyncClient, world: World) -> None:
    payload = b'{ "id" : "evt_1",\n "type":"payment_intent.succeeded" }'
    headers = {"Stripe-Signature": "t=1,v1=ab", "Content-Type": "application/json"}
    answer = await http.post("/v1/payment-providers/stripe/events", content=payload, headers=headers)
    assert answer.json() == {"duplicate": False}
    (asked,) = world.calls("ReceiveProviderEvent")
    assert (asked.provider, asked.payload, asked.signature) == ("stripe", payload, "t=1,v1=ab")
