"""Hubs over REST: who sees what comes, who receives it, and what is passed on."""

import httpx

from kit.errors import FailedPrecondition
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

RECEIVE = "/v1/fulfilments/ful_1/receive"
BODY = {"units": [{"line_number": 1, "quantity": 1, "damaged": 1}]}


async def test_a_hub_lists_what_comes_to_it_and_receives_it(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, subject="henri", stores=["store-lyon"])
    (shown,) = (await http.get("/v1/points/store-lyon/arrivals", headers=store)).json()["items"]
    assert (shown["fulfilment"]["point_id"], shown["fulfilment"]["joins"]) == ("store-paris", "ful_hub")
    assert (shown["hub_point_id"], shown["cancelled"]) == ("store-lyon", True)
    (asked,) = world.calls("ListArrivals")
    assert list(asked.point_ids) == ["store-lyon"]
    got = await http.post(RECEIVE, json=BODY, headers=store)
    assert (got.status_code, got.json()["status"]) == (200, "delivered"), got.text
    await http.post(RECEIVE, json=BODY, headers=store)
    first, again = world.calls("ReceiveParcel")
    assert ([(one.line_number, one.quantity, one.damaged) for one in first.units], first.actor) == (
        [(1, 1, 1)],
        "henri",
    )
    assert list(first.reach.point_ids) == ["store-lyon"]
    assert first.request_id == again.request_id, "a second click is the same act"
    world.failures["ReceiveParcel"] = [FailedPrecondition("NOT_ON_ITS_WAY", "the parcel is packed")]
    refused = await http.post(RECEIVE, json=BODY, headers=store)
    assert (refused.status_code, refused.json()["reason"]) == (409, "NOT_ON_ITS_WAY")


async def test_another_points_arrivals_are_not_ones_own(http: httpx.AsyncClient, issuer: Issuer) -> None:
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-paris"])
    seen = await http.get("/v1/points/store-lyon/arrivals", headers=store)
    assert (seen.status_code, seen.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    assert (await http.get("/v1/points/store-lyon/arrivals", headers=service)).status_code == 200
    assert (await http.post(RECEIVE, json=BODY, headers=service)).status_code == 403
    assert (await http.post(RECEIVE, json={"units": []}, headers=store)).status_code == 422
