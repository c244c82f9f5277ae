"""Lockers over REST: who books and empties them, and what a bank posts is passed on as it came."""

import httpx

from services.gateway.auth import Role
from tests.services.gateway.fake_lockers import COMPARTMENT
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

WORK = "/v1/fulfilments/ful_1"


async def test_a_store_books_a_compartment_and_empties_it(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    store = issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])
    booked = await http.post(f"{WORK}/compartment", headers=store)
    assert booked.status_code == 200, booked.text
    locker = booked.json()["locker"]
    assert (locker["compartment"], locker["holds"], locker["full_at"]) == (COMPARTMENT, False, None)
    await http.post(f"{WORK}/compartment", headers=store)
    first, second = world.calls("BookCompartment")
    assert (first.actor, list(first.reach.point_ids)) == ("anna", ["store-lyon"])
    assert first.request_id != second.request_id, "where it was full it is asked again"
    assert (await http.post(f"{WORK}/take-out", json={"shelf": "B-12"}, headers=store)).status_code == 200
    (out,) = world.calls("TakeOut")
    assert (out.shelf, out.actor, list(out.reach.point_ids)) == ("B-12", "anna", ["store-lyon"])
    await http.post(f"{WORK}/ready", json={"at_counter": True}, headers=store)
    assert world.calls("MarkReady")[0].at_counter
    for role in (Role.CHANNEL, Role.CUSTOMER_SERVICE):
        other = issuer.bearer(role, subject="web", channels=["web-fr"])
        for act in ("compartment", "take-out"):
            assert (await http.post(f"{WORK}/{act}", json={}, headers=other)).status_code == 403, act


async def test_what_a_bank_posts_is_passed_on_as_it_came(http: httpx.AsyncClient, world: World) -> None:
    payload = b'{"events": [{"code": "OPENED"}] }'
    path, signed = "/v1/lockers/store-lyon/events", {"Locker-Signature": "t=1,v1=ab"}
    answer = await http.post(path, content=payload, headers=signed)
    assert answer.json() == {"taken": 2, "duplicates": 1}
    (asked,) = world.calls("ReceiveLockerEvents")
    assert (asked.point_id, asked.payload, asked.signature) == ("store-lyon", payload, "t=1,v1=ab")
    forged = await http.post(path, json={}, headers={"Locker-Signature": "forged"})
    assert (forged.status_code, forged.json()["reason"]) == (401, "SIGNATURE_INVALID")
