"""The desk over REST: its queue, customers and possible acts, within what the caller may see."""

import httpx
import pytest

from oms.orders.v1 import desk_service_pb2 as desk
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]


@pytest.fixture
def filled(world: World) -> World:
    world.add_order(ORDER, "web-fr")
    return world


async def test_the_queue_has_reasons_counts_and_pages(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    headers = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Aubier"])
    asked = {"reason": "held_manual", "brand": "Aubier", "point_id": "store-lyon", "order": "W-1", "size": "5"}
    first = (await http.get("/v1/blocked-orders", params=asked, headers=headers)).json()
    assert (first["total"], first["counts"], first["next_cursor"]) == (3, {"held_manual": 3}, "more")
    (order,) = first["items"]
    (reason,) = order["reasons"]
    assert (order["id"], order["status"], order["point_ids"]) == (ORDER, "released", ["store-lyon"])
    assert (reason["then"], reason["hold_id"], reason["fulfilment_id"]) == ("cancel", "hld_1", None)
    (sent,) = filled.calls("ListBlockedOrders")
    assert (sent.brands, sent.brand, sent.text, sent.page.size) == (["Aubier"], "Aubier", "W-1", 5)
    later = (await http.get("/v1/blocked-orders?cursor=more", headers=headers)).json()
    assert (later["total"], later["counts"]) == (None, None)
    for wrong in ("reason=bad_weather", "order=zoe@example.org", "mood=bad"):
        assert (await http.get(f"/v1/blocked-orders?{wrong}", headers=headers)).status_code == 422


async def test_a_customer_is_read_by_id_by_an_order_or_by_an_address_that_is_sent(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    headers = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Aubier"])
    by_id = (await http.get("/v1/customers/c-1/orders?size=7", headers=headers)).json()
    assert by_id["totals"]["money"][0]["kept"] == {"amount_minor": 5000, "currency": "EUR"}
    assert (by_id["items"][0]["id"], by_id["issues"][0]["id"]) == (ORDER, ORDER)
    assert "Plantée" not in str(by_id)
    await http.get(f"/v1/orders/{ORDER}/customer", headers=headers)
    await http.post("/v1/customers/search", json={"email": "zoe@example.org", "size": 3}, headers=headers)
    first, second, third = filled.calls("GetCustomer")
    assert (first.customer_id, first.page.size, first.brands) == ("c-1", 7, ["Aubier"])
    assert (second.order_id, third.email, third.page.size) == (ORDER, "zoe@example.org", 3)
    assert (await http.get("/v1/customers/nobody/orders", headers=headers)).status_code == 404
    assert (await http.post("/v1/customers/search", json={"email": "zoe"}, headers=headers)).status_code == 422
    other = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Other"])
    for path in ("customer", "acts"):
        assert (await http.get(f"/v1/orders/{ORDER}/{path}", headers=other)).status_code == 404


async def test_acts_are_asked_for_with_the_roles_of_the_caller(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    filled.acts = [
        desk.PossibleAct(act="goodwill", limit=types.Money(amount_minor=2000, currency="EUR")),
        desk.PossibleAct(
            act="release_hold", target_id="hld_1", refusal_reason="HOLD_ENDED", refusal="it has ended"
        ),
    ]
    answer = await http.get(f"/v1/orders/{ORDER}/acts", headers=issuer.bearer(Role.CUSTOMER_SERVICE))
    goodwill, release, cancel = answer.json()["items"]
    assert (goodwill["possible"], goodwill["limit"]["amount_minor"], goodwill["target_id"]) == (True, 2000, None)
    assert (release["possible"], release["reason"], release["detail"]) == (False, "HOLD_ENDED", "it has ended")
    assert (cancel["act"], cancel["possible"]) == ("cancel", True)
    assert filled.calls("PreviewActs")[0].roles == ["customer_service"]
