"""Rights: every endpoint against every role, and scopes by channel, store and brand."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from deploy.local import tokens as local_tokens
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.access import ACCESS, PUBLIC
from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS, request_of
from tests.services.gateway.fake_changes import change
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]
ACTS = {
    "accept": None,
    "refuse": {"reason": "no_time"},
    "pick": {"found": [{"line_number": 1, "quantity": 2}]},
    "pack": {"weight_grams": 500},
    "hand-over": {},
}
REST = [(method, path) for method, path in ACCESS if path.startswith("/v1/")]


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in context.methods or ():
                yield method, str(context.path)


@pytest.fixture
def filled(world: World) -> World:
    world.add_order(ORDER, "web-fr").changes.append(change("lines"))
    # What every paper can be printed of.
    world.add_work("ful_1", "store-lyon").fulfilment.state = orders.FULFILMENT_STATE_PACKED
    return world


def test_the_local_tokens_know_the_same_roles() -> None:
    assert set(local_tokens.ROLES) == set(Role)


async def test_the_table_of_rights_names_every_route_and_nothing_else(
    app: FastAPI, http: httpx.AsyncClient
) -> None:
    assert set(routes_of(app)) == set(ACCESS)


@pytest.mark.parametrize(("method", "path"), REST, ids=lambda part: str(part))
async def test_an_endpoint_is_open_to_its_roles_and_closed_to_the_others(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, filled: World, method: str, path: str
) -> None:
    address, options = request_of(app, method, path)
    headers = options.pop("headers")
    anonymous = await http.request(method, address, headers=headers, **options)
    if ACCESS[method, path] is PUBLIC:
        assert anonymous.status_code == 200
        return
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"].startswith("Bearer")
    for role in Role:
        answer = await http.request(method, address, headers=headers | issuer.bearer(role), **options)
        if role in ACCESS[method, path]:
            # Behind the guard; that there is no workflow server here is no matter of rights.
            assert answer.is_success or "WORKFLOWS_UNAVAILABLE" in answer.text, (role, answer.text)
        else:
            assert answer.status_code == 403, role
            assert answer.json()["reason"] == "ROLE_NOT_ALLOWED"
    nobody = await http.request(method, address, headers=headers | issuer.bearer(), **options)
    assert nobody.status_code == 403


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/promises", "/v1/carrier-events", "/v1/stock/adjustments"])
async def test_who_asks_is_settled_before_the_body_is_read(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.post(path, content=b"{ this is no json", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


async def test_a_channel_sees_its_own_orders_and_no_others(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    mine = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    other = issuer.bearer(Role.CHANNEL, channels=["marketplace"])
    for path in ("", "/timeline"):
        assert (await http.get(f"/v1/orders/{ORDER}{path}", headers=mine)).status_code == 200
        hidden = await http.get(f"/v1/orders/{ORDER}{path}", headers=other)
        assert hidden.status_code == 404
        assert hidden.json()["reason"] == "ORDER_NOT_FOUND"
    cancelled = await http.post(f"/v1/orders/{ORDER}/cancel", headers=other, json={"reason": "x"})
    assert cancelled.status_code == 404
    assert not filled.calls("RequestCancellation")


async def test_a_list_holds_the_orders_of_the_callers_channels_only(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    filled.add_order("ord_2", "marketplace")
    both = issuer.bearer(Role.CHANNEL, channels=["web-fr", "app"])
    page = (await http.get("/v1/orders", headers=both)).json()
    assert [one["id"] for one in page["items"]] == [ORDER]
    assert set(filled.calls("ListOrders")[-1].channel_ids) == {"web-fr", "app"}

    foreign = await http.get("/v1/orders?channel_id=marketplace", headers=both)
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "CHANNEL_NOT_ALLOWED")


async def test_a_channel_token_that_names_no_channel_sees_nothing(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    none = issuer.bearer(Role.CHANNEL, channels=[])
    page = (await http.get("/v1/orders", headers=none)).json()
    assert page == {"items": [], "next_cursor": None}
    assert not filled.calls("ListOrders"), "an empty filter would have meant every channel"
    assert (await http.get(f"/v1/orders/{ORDER}", headers=none)).status_code == 404


async def test_a_channel_places_for_itself_only(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    address, options = request_of(app, "POST", "/v1/orders")
    options["headers"] |= issuer.bearer(Role.CHANNEL, channels=["marketplace"])
    answer = await http.post(address, **options)
    assert (answer.status_code, answer.json()["reason"]) == (403, "CHANNEL_NOT_ALLOWED")
    assert not filled.calls("RecordOrder")


async def test_another_role_does_not_lend_a_channel_its_reach(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    """Finance sees every order; together with a foreign channel it still neither places nor sees names."""
    both = issuer.bearer(Role.CHANNEL, Role.FINANCE, channels=["marketplace"])
    shown = (await http.get(f"/v1/orders/{ORDER}", headers=both)).json()
    assert shown["customer"] is None
    assert shown["ship_to"] is None
    cancelled = await http.post(f"/v1/orders/{ORDER}/cancel", headers=both, json={"reason": "x"})
    assert cancelled.status_code == 403


async def test_names_and_addresses_are_shown_to_whom_they_concern(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    concerned = {Role.CHANNEL, Role.CUSTOMER_SERVICE}
    for role in ACCESS["GET", "/v1/orders/{order_id}"]:
        answer = await http.get(f"/v1/orders/{ORDER}", headers=issuer.bearer(role))
        assert ("Plantée" in answer.text) == (role in concerned), role
        listed = await http.get("/v1/orders", headers=issuer.bearer(role))
        assert "Plantée" not in listed.text


async def test_a_store_works_at_its_own_points_only(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    other = issuer.bearer(Role.STORE, stores=["store-paris"])
    listed = await http.get("/v1/points/store-lyon/work", headers=other)
    assert (listed.status_code, listed.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    assert (await http.get("/v1/fulfilments/ful_1", headers=other)).status_code == 404
    filled.asked.clear()
    for act, body in ACTS.items():
        answer = await http.post(f"/v1/fulfilments/ful_1/{act}", headers=other, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (404, "FULFILMENT_NOT_FOUND"), act
    assert len(filled.asked) == len(ACTS)
    reaches = [request.reach for _, request in filled.asked]
    assert reaches == [orders.Reach(point_ids=["store-paris"])] * len(ACTS), "orders was told whose work it may be"


async def test_a_store_token_that_names_no_store_works_nowhere(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    nowhere = issuer.bearer(Role.STORE, stores=[])
    assert (await http.get("/v1/fulfilments/ful_1", headers=nowhere)).status_code == 404
    filled.asked.clear()
    for act, body in ACTS.items():
        answer = await http.post(f"/v1/fulfilments/ful_1/{act}", headers=nowhere, json=body)
        assert (answer.status_code, answer.json()["reason"]) == (404, "FULFILMENT_NOT_FOUND"), act
    assert filled.asked == [], "a reach without points would have meant every point"


async def test_a_hidden_fulfilment_is_answered_like_one_that_does_not_exist(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.text.replace("ful_1", "ful_none")

    other, nowhere = issuer.bearer(Role.STORE, stores=["store-paris"]), issuer.bearer(Role.STORE, stores=[])
    missing = told(await http.get("/v1/fulfilments/ful_none", headers=other))
    assert missing[0] == 404
    assert told(await http.get("/v1/fulfilments/ful_1", headers=other)) == missing
    for token in (other, nowhere):
        assert told(await http.post("/v1/fulfilments/ful_1/accept", headers=token)) == missing


async def test_an_act_reaches_the_callers_points_and_brands_and_no_others(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    lyon = issuer.bearer(Role.STORE, stores=["store-lyon", "store-nice"], brands=["Aubier"])
    both = issuer.bearer(Role.STORE, Role.FINANCE, Role.CUSTOMER_SERVICE, stores=["store-lyon"])
    mine = orders.Reach(point_ids=["store-lyon", "store-nice"], brands=["Aubier"])
    for token, reach in ((lyon, mine), (both, orders.Reach(point_ids=["store-lyon"]))):
        filled.asked.clear()
        for act, body in ACTS.items():
            assert (await http.post(f"/v1/fulfilments/ful_1/{act}", headers=token, json=body)).status_code == 200
        assert [request.reach for _, request in filled.asked] == [reach] * len(ACTS)
    every = issuer.bearer(Role.STORE)
    assert (await http.post("/v1/fulfilments/ful_1/accept", headers=every)).status_code == 200
    assert filled.calls("AcceptOffer")[-1].reach == orders.Reach()


async def test_money_of_a_brand_overrides_captures_of_its_brand_only(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    for brand, status in (("Aubier", 200), ("Rivage", 404)):
        finance = issuer.bearer(Role.FINANCE, stores=[], brands=[brand])
        body = {"reason": "paid by transfer"}
        answer = await http.post("/v1/fulfilments/ful_1/capture-override", headers=finance, json=body)
        assert answer.status_code == status
        assert filled.calls("RecordCapture")[-1].reach == orders.Reach(brands=[brand])


async def test_customer_service_reads_a_stores_work_but_does_not_do_it(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    service = issuer.bearer(Role.CUSTOMER_SERVICE, Role.STORE, stores=["store-paris"])
    assert (await http.get("/v1/fulfilments/ful_1", headers=service)).status_code == 200
    assert (await http.post("/v1/fulfilments/ful_1/accept", headers=service)).status_code == 404


async def test_a_brand_limits_what_its_people_see(
    app: FastAPI, http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    address, options = request_of(app, "POST", "/v1/orders")
    for brand, status in (("Aubier", 200), ("Rivage", 404)):
        service = issuer.bearer(Role.CUSTOMER_SERVICE, brands=[brand])
        for path in ("", "/timeline", "/payment", "/decisions"):
            answer = await http.get(f"/v1/orders/{ORDER}{path}", headers=service)
            assert answer.status_code == status, (brand, path)
        store = issuer.bearer(Role.STORE, stores=["store-lyon"], brands=[brand])
        work = (await http.get("/v1/points/store-lyon/work", headers=store)).json()["items"]
        assert bool(work) == (status == 200)
        assert (await http.get("/v1/fulfilments/ful_1", headers=store)).status_code == status
        for act, body in ACTS.items():
            answer = await http.post(f"/v1/fulfilments/ful_1/{act}", headers=store, json=body)
            assert answer.status_code == status, (brand, act)
        placed = await http.post(
            address,
            json=options["json"],
            headers=options["headers"] | issuer.bearer(Role.CHANNEL, brands=[brand]),
        )
        assert placed.status_code == (202 if status == 200 else 403)
    await http.get("/v1/orders", headers=issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Rivage"]))
    assert list(filled.calls("ListOrders")[-1].brands) == ["Rivage"]


async def test_finance_of_a_brand_reads_operations_order_by_order(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    finance = issuer.bearer(Role.FINANCE, brands=["Rivage"])
    every = await http.get("/v1/payment-operations", headers=finance)
    assert (every.status_code, every.json()["errors"][0]["field"]) == (422, "order_id")
    assert (await http.get(f"/v1/payment-operations?order_id={ORDER}", headers=finance)).status_code == 404
    assert not filled.calls("ListOperations")
    tasks = await http.get("/v1/payment-tasks", headers=finance)
    assert (tasks.status_code, tasks.json()["errors"][0]["field"]) == (422, "order_id")
    body = {"resolution": "by_hand", "reference": "transfer 7"}
    refused = await http.post("/v1/payment-tasks/ptk_1/resolve", headers=finance, json=body)
    assert (refused.status_code, refused.json()["reason"]) == (403, "BRAND_NOT_ALLOWED")
    assert not filled.calls("ListTasks") + filled.calls("ResolveTask")
