"""Erasing customers over REST: who may, what is said, and what is refused."""

import httpx

from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]


async def test_a_customer_is_erased_by_id_or_by_an_order(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    headers = issuer.bearer(Role.CUSTOMER_SERVICE)
    for path in ("/v1/customers/c-1/erasure", f"/v1/orders/{ORDER}/customer/erasure"):
        done = (await http.post(path, headers=headers)).json()
        assert done == {"orders": 2, "kept_for_documents": 1, "documents_until": "2026-11-20T12:00:00Z"}
    by_id, by_order = world.calls("EraseCustomer")
    assert (by_id.customer_id, by_id.order_id, by_order.customer_id, by_order.order_id) == ("c-1", "", "", ORDER)
    assert by_id.actor == by_order.actor != ""


async def test_open_orders_are_named(http: httpx.AsyncClient, issuer: Issuer) -> None:
    refused = await http.post("/v1/customers/c-open/erasure", headers=issuer.bearer(Role.CUSTOMER_SERVICE))
    assert (refused.status_code, refused.json()["reason"]) == (409, "ORDERS_OPEN")
    assert refused.json()["facts"] == {"orders": "1", "order_ids": "ord_1"}


async def test_who_does_not_see_every_order_erases_nobody(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    limited = issuer.bearer(Role.CUSTOMER_SERVICE, brands=["Aubier"])
    answer = await http.post("/v1/customers/c-1/erasure", headers=limited)
    assert (answer.status_code, answer.json()["reason"]) == (403, "BRAND_NOT_ALLOWED")
    for role in (Role.CHANNEL, Role.STORE, Role.FINANCE):
        assert (await http.post("/v1/customers/c-1/erasure", headers=issuer.bearer(role))).status_code == 403
    assert not world.calls("EraseCustomer")
