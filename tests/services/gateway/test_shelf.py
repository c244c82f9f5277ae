"""What a shop says of its shelf over REST: whose it is, who says it, and the files for the stock master."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import inventory_service_pb2 as inventory
from services.gateway.access import ACCESS
from services.gateway.auth import Role
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

OF_SHELVES = ("/v1/points/", "/v1/declarations/", "/v1/adjustment-reports/", "/v1/counts/")
SHELF = [key for key in ACCESS if ACCESS[key] == {Role.STORE, Role.SUPPLY_CHAIN} and key[1].startswith(OF_SHELVES)]


@pytest.fixture
def associate(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])


async def ask(
    app: FastAPI, http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], **more: Any
) -> httpx.Response:
    address, options = request_of(app, method, path)
    return await http.request(method, address, **(options | {"headers": options["headers"] | headers} | more))


@pytest.mark.parametrize(("method", "path"), SHELF)
async def test_a_shelf_is_its_own_peoples_and_the_supply_chains(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, associate: dict[str, str], method: str, path: str
) -> None:
    assert (await ask(app, http, method, path, associate)).is_success
    assert (await ask(app, http, method, path, issuer.bearer(Role.SUPPLY_CHAIN, stores=[]))).is_success
    neighbour = await ask(app, http, method, path, issuer.bearer(Role.STORE, stores=["store-paris"]))
    if "/points/" in path:
        assert (neighbour.status_code, neighbour.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    else:
        assert neighbour.status_code == 404, "as if it did not exist"
        assert neighbour.json()["reason"].endswith("_NOT_FOUND")


def test_there_are_shelves_to_ask_about() -> None:
    assert len(SHELF) == 19


@pytest.mark.parametrize(
    ("path", "rpc"),
    [
        ("/v1/points/{point_id}/till-sales", "RecordTillSale"),
        ("/v1/points/{point_id}/till-returns", "RecordTillReturn"),
        ("/v1/points/{point_id}/receipts", "RecordReceipt"),
        ("/v1/points/{point_id}/counts", "OpenCount"),
        ("/v1/counts/{count_id}/lines", "RecordCount"),
        ("/v1/points/{point_id}/declarations", "DeclareUnavailable"),
        ("/v1/declarations/{declaration_id}/release", "ReleaseUnavailable"),
    ],
)
async def test_a_fact_needs_a_key_and_says_who_tells_it(
    app: FastAPI, http: httpx.AsyncClient, world: World, associate: dict[str, str], path: str, rpc: str
) -> None:
    address, options = request_of(app, "POST", path)
    without = await http.post(address, json=options["json"], headers=associate)
    assert without.json()["reason"] == "IDEMPOTENCY_KEY_REQUIRED"
    for key in ("1", "1", "2"):
        await http.post(address, json=options["json"], headers=associate | {"Idempotency-Key": key})
    first, again, other = world.calls(rpc)
    assert first.request_id == again.request_id != other.request_id
    assert (first.cause.actor if hasattr(first, "cause") else first.actor) == "anna"


async def test_a_declaration_carries_its_reason(
    app: FastAPI, http: httpx.AsyncClient, world: World, associate: dict[str, str]
) -> None:
    answer = await ask(app, http, "POST", "/v1/points/{point_id}/declarations", associate)
    assert (answer.status_code, answer.json()["declaration"]["ended_by"]) == (201, None)
    (asked,) = world.calls("DeclareUnavailable")
    assert asked.reason == inventory.DECLARATION_REASON_DAMAGED
    assert (asked.cause.cause, asked.cause.source, asked.quantity) == ("damaged", "terminal 3", 1)


async def test_all_that_is_left_comes_back_without_a_quantity(
    app: FastAPI, http: httpx.AsyncClient, world: World, associate: dict[str, str]
) -> None:
    path = "/v1/declarations/{declaration_id}/release"
    await ask(app, http, "POST", path, associate, json={"quantity": None})
    (asked,) = world.calls("ReleaseUnavailable")
    assert (asked.declaration_id, asked.quantity, asked.sku) == ("dec_1", 0, "")


async def test_two_evenings_without_a_key_are_two_requests(
    app: FastAPI, http: httpx.AsyncClient, world: World, associate: dict[str, str]
) -> None:
    for _ in range(2):
        await http.post("/v1/points/store-lyon/end-of-day", json={}, headers=associate)
    first, second = world.calls("CloseBusinessDay")
    assert first.request_id != second.request_id
    assert (first.business_date, first.point_id, first.actor) == ("", "store-lyon", "anna")


async def test_a_report_is_a_file_for_the_stock_master(http: httpx.AsyncClient, associate: dict[str, str]) -> None:
    csv = await http.get("/v1/adjustment-reports/adj_1/lines.csv", headers=associate)
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text.splitlines() == [
        "report_id,point_id,business_date,sku,reason,declaration_id,declared,quantity",
        "adj_1,store-lyon,2026-11-20,SKU-1,damaged,dec_1,1,1",
    ]
    lines = await http.get("/v1/adjustment-reports/adj_1/lines.ndjson", headers=associate)
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    (line,) = map(json.loads, lines.text.splitlines())
    assert (line["business_date"], line["reason"], line["quantity"]) == ("2026-11-20", "damaged", 1)


async def test_an_open_count_shows_nothing_of_the_books(
    http: httpx.AsyncClient, associate: dict[str, str]
) -> None:
    (line,) = (await http.get("/v1/counts/cnt_1", headers=associate)).json()["lines"]
    assert {line[name] for name in ("expected", "moved", "difference", "adjusted", "counted")} == {None}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("till-sales", {"sku": "A", "quantity": 0}, "quantity"),
        ("till-sales", {"sku": "A", "quantity": 1, "sold_at": "yesterday"}, "sold_at"),
        ("declarations", {"sku": "A", "quantity": 1, "reason": "stolen"}, "reason"),
        ("receipts", {"reference": "r", "lines": [{"sku": "A", "received": -1}]}, "lines[0].received"),
        ("receipts", {"reference": "r", "lines": []}, "lines"),
        ("end-of-day", {"business_date": "yesterday"}, "business_date"),
    ],
)
async def test_what_cannot_be_so_is_refused_by_its_field(
    http: httpx.AsyncClient, associate: dict[str, str], path: str, body: dict[str, Any], field: str
) -> None:
    answer = await http.post(
        f"/v1/points/store-lyon/{path}", json=body, headers=associate | {"Idempotency-Key": "k"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
