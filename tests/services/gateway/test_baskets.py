"""Baskets over REST: what reaches inventory, what a refusal says, and whose baskets are whose."""

import httpx
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import inventory_service_pb2 as inventory
from services.gateway.auth import Role
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

BASKET = "/v1/channels/web-fr/baskets/cart-1"


@pytest.fixture
def shop(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CHANNEL, subject="shop", channels=["web-fr"])


async def test_a_basket_is_held_for_ten_minutes_unless_it_says_otherwise(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    body = {"lines": [{"sku": "SKU-1", "quantity": 2, "point_id": "store-lyon"}], "purpose": "collect"}
    answer = await http.put(BASKET, json=body, headers=shop)
    assert answer.status_code == 200
    assert answer.json() == {
        "basket_id": "cart-1",
        "channel_id": "web-fr",
        "state": "held",
        "expires_at": None,
        "lines": [{"sku": "SKU-1", "point_id": "store-lyon", "quantity": 2}],
        "shortfalls": [],
    }
    (asked,) = world.calls("HoldBasket")
    assert (asked.channel_id, asked.basket_id, asked.time_to_live_seconds) == ("web-fr", "cart-1", 600)
    assert (asked.purpose, asked.lines[0].point_id) == (inventory.STOCK_PURPOSE_COLLECT, "store-lyon")


async def test_a_key_makes_a_repeated_request_one(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    body = {"lines": [{"sku": "SKU-1", "quantity": 1}]}
    for _ in range(2):
        await http.put(BASKET, json=body, headers=shop | {"Idempotency-Key": "k1"})
    await http.put(BASKET, json=body, headers=shop)
    first, again, other = (one.request_id for one in world.calls("HoldBasket"))
    assert first == again != other


async def test_a_refusal_names_the_line_and_what_could_be_had(
    http: httpx.AsyncClient, shop: dict[str, str]
) -> None:
    body = {"lines": [{"sku": "SKU-1", "quantity": 1}, {"sku": "SKU-2", "quantity": 3}]}
    answer = await http.put(BASKET, json=body, headers=shop)
    assert (answer.status_code, answer.json()["reason"]) == (409, "STOCK_UNAVAILABLE")
    assert answer.json()["lines"] == [
        {"line_number": 2, "sku": "SKU-2", "requested": 3, "available": 1, "reason": "NO_STOCK"}
    ]
    partly = (await http.put(BASKET, json=body | {"allow_partial": True}, headers=shop)).json()
    assert partly["shortfalls"] == [{"sku": "SKU-2", "point_id": None, "requested": 3, "available": 1}]


async def test_a_basket_is_read_extended_and_given_up(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    assert (await http.get(BASKET, headers=shop)).json()["state"] == "held"
    assert (await http.get("/v1/channels/web-fr/baskets/nobodys", headers=shop)).status_code == 404
    await http.post(f"{BASKET}/extend", json={"time_to_live_seconds": 900}, headers=shop)
    assert world.calls("ExtendBasket")[0].time_to_live_seconds == 900
    assert (await http.delete(BASKET, headers=shop)).status_code == 204
    assert world.calls("ReleaseBasket")[0].basket_id == "cart-1"


async def test_a_channel_has_its_own_baskets_only(http: httpx.AsyncClient, issuer: Issuer) -> None:
    other = issuer.bearer(Role.CHANNEL, subject="other", channels=["app-fr"])
    for method, path, body in (
        ("PUT", BASKET, {"lines": [{"sku": "SKU-1", "quantity": 1}]}),
        ("GET", BASKET, None),
        ("DELETE", BASKET, None),
        ("POST", f"{BASKET}/extend", {}),
    ):
        answer = await http.request(method, path, json=body, headers=other)
        assert (answer.status_code, answer.json()["reason"]) == (403, "CHANNEL_NOT_ALLOWED")


async def test_an_order_says_which_basket_it_takes_over(
    app: FastAPI, http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    address, options = request_of(app, "POST", "/v1/orders")
    options["headers"] |= shop
    await http.post(address, **options | {"json": options["json"] | {"basket_id": "cart-1"}})
    assert world.calls("RecordOrder")[0].content.basket_id == "cart-1"
