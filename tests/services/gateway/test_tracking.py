"""Parcels on their way over REST: who may post and decide, and what is passed on as it came."""

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

LOST = {"cause": "lost", "reason": "the claims desk says so"}


@pytest.fixture
def service(issuer: Issuer, world: World) -> dict[str, str]:
    world.add_work("ful_1", "store-lyon")
    return issuer.bearer(Role.CUSTOMER_SERVICE)


async def test_what_a_carrier_posts_is_passed_on_as_it_came(http: httpx.AsyncClient, world: World) -> None:
    payload = b'{"events": [{"code": "DELIVERED"}] }'
    answer = await http.post(
        "/v1/carriers/hexagone/events", content=payload, headers={"Carrier-Signature": "t=1,v1=ab"}
    )
    assert answer.json() == {"taken": 2, "duplicates": 1}
    (asked,) = world.calls("ReceiveCarrierEvents")
    assert (asked.carrier_id, asked.payload, asked.signature) == ("hexagone", payload, "t=1,v1=ab")


async def test_who_is_not_proven_by_the_signature_is_turned_away(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/carriers/hexagone/events", json={}, headers={"Carrier-Signature": "forged"})
    assert (answer.status_code, answer.json()["reason"]) == (401, "SIGNATURE_INVALID")


async def test_customer_service_declares_and_decides(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    answer = await http.post("/v1/fulfilments/ful_1/declare-lost", json=LOST, headers=service)
    assert (answer.status_code, answer.json()["id"]) == (200, "ful_1")
    (asked,) = world.calls("DeclareParcelLost")
    assert (asked.cause, asked.reason) == ("lost", LOST["reason"])
    assert asked.actor
    for _ in range(2):
        await http.post("/v1/fulfilments/ful_1/decide", json={"decision": "reship"}, headers=service)
    one, two = world.calls("DecideLostParcel")
    assert (one.decision, one.request_id) == ("reship", two.request_id), "a repeated click is one act"


@pytest.mark.parametrize("role", [Role.STORE, Role.CHANNEL, Role.FINANCE, Role.CARRIER])
@pytest.mark.parametrize(("act", "body"), [("declare-lost", LOST), ("decide", {"decision": "refund"})])
async def test_nobody_else_does(
    http: httpx.AsyncClient, issuer: Issuer, role: Role, act: str, body: dict[str, str]
) -> None:
    answer = await http.post(f"/v1/fulfilments/ful_1/{act}", json=body, headers=issuer.bearer(role))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("declare-lost", {"cause": "stolen", "reason": "x"}),
        ("declare-lost", {"cause": "lost", "reason": ""}),
        ("decide", {"decision": "ask"}),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    http: httpx.AsyncClient, service: dict[str, str], act: str, body: dict[str, str]
) -> None:
    answer = await http.post(f"/v1/fulfilments/ful_1/{act}", json=body, headers=service)
    assert answer.status_code == 422


async def test_a_lost_parcel_shows_what_is_known_of_it(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    work = world.work["ful_1"].fulfilment
    work.state = orders.FULFILMENT_STATE_LOST
    work.replaces = "ful_0"
    work.parcel.CopyFrom(
        orders.Parcel(
            parcel_id="par_1",
            failed_deliveries=1,
            failure_reason="recipient_absent",
            loss=orders.ParcelLoss(
                at=Timestamp(seconds=1_772_000_000), source="carrier", decide_by=Timestamp(seconds=1_772_100_000)
            ),
        )
    )
    shown = (await http.get("/v1/fulfilments/ful_1", headers=service)).json()
    assert (shown["status"], shown["replaces"]) == ("lost", "ful_0")
    assert shown["parcel"]["failure_reason"] == "recipient_absent"
    loss = shown["parcel"]["loss"]
    assert (loss["source"], loss["decision"], loss["turned_up_at"]) == ("carrier", None, None)


async def test_a_parcel_may_be_declared_lost_again_in_the_same_words(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    for headers in (service, service, service | {"Idempotency-Key": "k"}, service | {"Idempotency-Key": "k"}):
        await http.post("/v1/fulfilments/ful_1/declare-lost", json=LOST, headers=headers)
    one, two, keyed, keyed_again = (request.request_id for request in world.calls("DeclareParcelLost"))
    assert keyed == keyed_again
    assert len({one, two, keyed}) == 3
