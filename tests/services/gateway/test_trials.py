"""Trials over REST: who decides, who takes back and where, and what is passed on."""

from datetime import UTC, datetime, timedelta

import httpx

from kit import times
from kit.errors import FailedPrecondition
from services.gateway.auth import Role
from tests.services.gateway.fake_trials import trial
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

TRIAL = "/v1/orders/ord_1/trial"
BACK = {"lines": [{"line_number": 1, "quantity": 1}], "point_id": "store-lyon"}


async def test_a_customer_says_through_the_channel_what_comes_back(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    body = {"returns": [{"line_number": 1, "quantity": 2}]}
    told = await http.post(TRIAL, json=body, headers=channel | {"Idempotency-Key": "key-1"})
    assert told.status_code == 200, told.text
    assert told.json()["trial"]["decided_at"] == "2026-11-20T12:00:00Z"
    await http.post(TRIAL, json={"returns": []}, headers=channel)
    first, all_kept = world.calls("DecideTrial")
    assert ([(one.line_number, one.quantity) for one in first.returns], first.actor) == ([(1, 2)], "web")
    assert not all_kept.returns
    assert first.request_id != all_kept.request_id
    world.failures["DecideTrial"] = [FailedPrecondition("NOT_AT_HOME", "the customer has 1 unit", at_home=1)]
    refused = await http.post(TRIAL, json=body, headers=channel)
    assert (refused.status_code, refused.json()["reason"], refused.json()["facts"]["at_home"]) == (
        409,
        "NOT_AT_HOME",
        "1",
    )
    other = issuer.bearer(Role.CHANNEL, subject="market", channels=["market"])
    assert (await http.post(TRIAL, json=body, headers=other)).status_code == 404


async def test_a_store_takes_back_at_its_own_point_and_customer_service_anywhere(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    told = await http.post(f"{TRIAL}/returns", json=BACK, headers=store)
    assert told.status_code == 200, told.text
    assert told.json() == {"order_id": "ord_1", "trial": None}
    for elsewhere in (BACK | {"point_id": "store-paris"}, {"lines": BACK["lines"]}):
        refused = await http.post(f"{TRIAL}/returns", json=elsewhere, headers=store)
        assert (refused.status_code, refused.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    scanned = {"lines": BACK["lines"], "returned_at": "2026-11-21T08:00:00Z"}
    assert (await http.post(f"{TRIAL}/returns", json=scanned, headers=service)).status_code == 200
    at_the_store, by_carrier = world.calls("GiveUnitsBack")
    assert (at_the_store.point_id, at_the_store.actor, at_the_store.lines[0].quantity) == ("store-lyon", "anna", 1)
    assert by_carrier.point_id == ""
    assert by_carrier.as_of == times.to_proto(datetime(2026, 11, 21, 8, tzinfo=UTC))


async def test_what_is_yet_to_come_did_not_come_back_in_the_future(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    ahead = (times.now() + timedelta(days=2)).isoformat()
    await http.post(f"{TRIAL}/returns", json=BACK | {"returned_at": ahead}, headers=service)
    (asked,) = world.calls("GiveUnitsBack")
    assert times.from_proto(asked.as_of) <= times.now()


async def test_an_order_shows_its_trial(http: httpx.AsyncClient, issuer: Issuer, world: World) -> None:
    world.add_order("ord_1", "web-fr")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    assert (await http.get("/v1/orders/ord_1", headers=service)).json()["trial"] is None
    world.placed["ord_1"].trial.CopyFrom(trial())
    shown = (await http.get("/v1/orders/ord_1", headers=service)).json()["trial"]
    assert (shown["ends_at"], shown["settled_at"], shown["kept"]) == ("2026-11-27T12:00:00Z", None, [])
