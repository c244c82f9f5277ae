"""Click and collect over REST: who puts aside, who hands over, who sees a code, who decides for the customer."""

import httpx

from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.fake_collections import CODE
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

WORK = "/v1/fulfilments/ful_1"
ORDER = "/v1/orders/ord_1"
PLACEMENT = {
    "channel_id": "web-fr",
    "customer": {"name": "Ana Petit"},
    "lines": [
        {
            "line_number": 1,
            "sku": "SKU-1",
            "quantity": 1,
            "net_minor": 1000,
            "tax_minor": 0,
            "tax_rate_basis_points": 0,
        }
    ],
    "total": {"amount_minor": 1000, "currency": "EUR"},
    "collect_at_point_id": "store-lyon",
}


async def test_a_store_puts_aside_and_hands_over_what_is_its_own(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    ready = await http.post(f"{WORK}/ready", json={"shelf": "B-12"}, headers=store)
    assert ready.status_code == 200, ready.text
    body = ready.json()
    assert (body["status"], body["collected"], body["collection"]["shelf"]) == ("ready", True, "B-12")
    again = await http.post(f"{WORK}/ready", json={"shelf": "B-12"}, headers=store)
    assert again.status_code == 200
    first, second = world.calls("MarkReady")
    assert (first.request_id, first.shelf, list(first.reach.point_ids)) == (
        second.request_id,
        "B-12",
        ["store-lyon"],
    )
    taken = {"code": CODE, "collected_by": "other", "lines": [{"line_number": 1, "quantity": 1}]}
    done = await http.post(f"{WORK}/collect", json=taken, headers=store)
    assert done.json()["status"] == "delivered"
    wrong = await http.post(f"{WORK}/collect", json={"code": "aaa aaa"}, headers=store)
    assert (wrong.status_code, wrong.json()["reason"], wrong.json()["facts"]["attempts_left"]) == (
        409,
        "WRONG_CODE",
        "4",
    )
    document = await http.post(f"{WORK}/collect", json={"document_kind": "passport"}, headers=store)
    assert document.status_code == 200
    by_code, _, by_document = world.calls("Collect")
    assert (by_code.code, by_code.collected_by, by_code.lines[0].quantity) == (CODE, "other", 1)
    assert (by_document.code, by_document.document_kind, by_document.collected_by) == ("", "passport", "customer")
    for act, kept in (("ready", {}), ("collect", {"code": CODE}), ("put-back", None)):
        for role in (Role.CHANNEL, Role.CUSTOMER_SERVICE):
            other = issuer.bearer(role, subject="web", channels=["web-fr"])
            assert (await http.post(f"{WORK}/{act}", json=kept, headers=other)).status_code == 403, act


async def test_a_code_alone_finds_what_waits_at_the_own_store(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon", "store-nice"], brands=["Maison"])
    path = "/v1/points/store-lyon/find-collection"
    found = await http.post(path, json={"code": CODE}, headers=store)
    assert (found.status_code, found.json()["id"]) == (200, "ful_1"), found.text
    (asked,) = world.calls("FindByCode")
    assert (list(asked.reach.point_ids), list(asked.reach.brands)) == (["store-lyon"], ["Maison"])
    wrong = await http.post(path, json={"code": "222222"}, headers=store)
    assert (wrong.status_code, wrong.json()["reason"], wrong.json()["facts"]["attempts_left"]) == (
        404,
        "CODE_UNKNOWN",
        "19",
    )
    assert "222222" not in wrong.text
    elsewhere = "/v1/points/store-paris/find-collection"
    assert (await http.post(elsewhere, json={"code": CODE}, headers=store)).status_code == 403
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    assert (await http.post(path, json={"code": CODE}, headers=service)).status_code == 403
    assert len(world.calls("FindByCode")) == 2


async def test_what_is_to_be_put_back_is_a_list_of_the_store(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    listed = await http.get("/v1/points/store-lyon/put-backs", headers=store)
    assert [one["id"] for one in listed.json()["items"]] == ["ful_1"]
    assert (await http.get("/v1/points/store-paris/put-backs", headers=store)).status_code == 403
    assert (await http.post(f"{WORK}/put-back", headers=store)).status_code == 200
    (asked,) = world.calls("ConfirmPutBack")
    assert (asked.actor, list(asked.reach.point_ids)) == ("anna", ["store-lyon"])


async def test_customer_service_unlocks_and_keeps_longer(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_work("ful_1", "store-lyon")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    assert (await http.post(f"{WORK}/unlock-collection", headers=service)).status_code == 200
    later = {"keep_until": "2026-12-05T18:00:00Z"}
    assert (await http.post(f"{WORK}/extend-collection", json=later, headers=service)).status_code == 200
    (asked,) = world.calls("ExtendCollection")
    assert asked.keep_until.ToJsonString() == "2026-12-05T18:00:00Z"
    limited = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carl", brands=["Other"])
    assert (await http.post(f"{WORK}/unlock-collection", headers=limited)).status_code == 404
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    assert (await http.post(f"{WORK}/unlock-collection", headers=store)).status_code == 403


async def test_only_who_speaks_for_the_customer_sees_a_code_and_chooses(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    codes = await http.get(f"{ORDER}/collection-codes", headers=channel)
    assert codes.json()["items"][0]["code"] == CODE
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    assert (await http.get(f"{ORDER}/collection-codes", headers=store)).status_code == 403
    chosen = await http.post(
        f"{ORDER}/collection-choice", json={"kind": "store", "point_id": "store-paris"}, headers=channel
    )
    assert (chosen.status_code, chosen.json()["kind"]) == (200, "store"), chosen.text
    assert (chosen.json()["chosen_point_id"], chosen.json()["lines"][0]["quantity"]) == ("store-paris", 1)
    where = {"name": "Ana", "street_lines": ["3 rue"], "postcode": "69002", "city": "Lyon", "country": "FR"}
    await http.post(f"{ORDER}/collection-choice", json={"kind": "delivery", "ship_to": where}, headers=channel)
    _, delivery = world.calls("Choose")
    assert (delivery.ship_to.city, delivery.actor, delivery.point_id) == ("Lyon", "web", "")
    other = issuer.bearer(Role.CHANNEL, subject="market", channels=["market"])
    assert (await http.get(f"{ORDER}/collection-codes", headers=other)).status_code == 404
    world.placed["ord_1"].choices.add(
        choice_id="1", fulfilment_id="ful_1", asked_at=delivery.as_of, until=delivery.as_of
    )
    shown = (await http.get(ORDER, headers=channel)).json()
    assert (shown["choices"][0]["kind"], shown["collect_at_point_id"]) == ("", "")


async def test_no_shows_are_read_by_store_and_of_a_customer(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    found = await http.get("/v1/collections/no-shows?since=2026-11-01T00:00:00Z", headers=store)
    assert found.json()["items"] == [{"point_id": "store-lyon", "ended": 3, "no_shows": 1, "rate": 0.3333}]
    (asked,) = world.calls("GetNoShows")
    assert (list(asked.point_ids), asked.since.ToJsonString()) == (["store-lyon"], "2026-11-01T00:00:00Z")
    elsewhere = await http.get("/v1/collections/no-shows?point_id=store-paris", headers=store)
    assert elsewhere.status_code == 403
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    customer = await http.get(f"{ORDER}/no-shows", headers=service)
    assert customer.json() == {"point_id": None, "ended": 3, "no_shows": 1, "rate": 0.3333}


async def test_an_e_reservation_is_placed_without_a_payment_and_nothing_else_is(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"]) | {"Idempotency-Key": "key-1"}
    unpaid = await http.post("/v1/orders", json=PLACEMENT | {"mode": "click_and_collect"}, headers=channel)
    assert unpaid.status_code == 422
    assert unpaid.json()["errors"][0]["field"] == "payment"
    assert not world.calls("RecordOrder")
    await http.post("/v1/orders", json=PLACEMENT | {"mode": "e_reservation"}, headers=channel)
    (recorded,) = world.calls("RecordOrder")
    assert recorded.content.mode == types.DELIVERY_MODE_E_RESERVATION
    assert (recorded.content.collect_at_point_id, recorded.content.HasField("payment")) == ("store-lyon", False)


async def test_a_store_reads_whose_document_to_look_at(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    work = world.add_work("ful_1", "store-lyon")
    work.customer_name = "Zoé Plantée"
    work.fulfilment.state = orders.FULFILMENT_STATE_READY
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    assert (await http.get(WORK, headers=store)).json()["customer_name"] == "Zoé Plantée"


async def test_an_order_is_placed_that_is_sent_to_the_store_where_it_is_collected(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"]) | {"Idempotency-Key": "key-1"}
    paid = PLACEMENT | {"mode": "ship_to_store", "payment": {"payment_method_token": "pm_card_visa"}}
    await http.post("/v1/orders", json=paid, headers=channel)
    (recorded,) = world.calls("RecordOrder")
    assert recorded.content.mode == types.DELIVERY_MODE_SHIP_TO_STORE
    assert recorded.content.collect_at_point_id == "store-lyon"
