"""Stores compete for work on the whole system, and the gateway dies between the steps of whoever takes it."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from benchmarks.contest import CHANNEL, content, open_contest, question
from cli.client import Api, Json, Problem, wait_for
from deploy.local.tokens import Scope
from tests.stack import SharedStack

STORES = 3
_SCOPE = Scope(channels=(CHANNEL,))
DEATHS = ("settle_claim.claimed", "settle_claim.moved", "settle_claim.settled")


@pytest.fixture(scope="module")
def contest(stack: SharedStack) -> Iterator[Api]:
    """The gateway, of a system where three stores compete."""
    asyncio.run(open_contest(stack.addresses, STORES, units=20))
    with Api.of(stack.gateway_url, stack.state) as api:
        wait_for("a promise", lambda: api.post("/v1/promises", "channel", question(), scope=_SCOPE)["options"])
        yield api


def placed(api: Api) -> tuple[str, str, list[str]]:
    """An order, its work, and the stores that it is offered to, the planned one last."""
    headers = {"Idempotency-Key": f"contest-{uuid4().hex}"}
    order_id: str = api.post("/v1/orders", "channel", content(), scope=_SCOPE, headers=headers)["id"]

    def offered() -> Json | None:
        found = api.get("/v1/offers", "supply_chain", order_id=order_id, status="open")
        return found if len(found["items"]) == STORES else None

    offers = wait_for(f"offers of {order_id}", offered)["items"]
    planned = work_of(api, order_id)["point_id"]
    points = sorted((one["point_id"] for one in offers), key=lambda point: point == planned)
    return order_id, offers[0]["fulfilment_id"], points


def work_of(api: Api, order_id: str) -> Json:
    order = api.get(f"/v1/orders/{order_id}", "customer_service")
    [work] = order["fulfilments"]
    return dict(work)


def accept(api: Api, work: str, point: str) -> Json:
    return api.post(f"/v1/fulfilments/{work}/accept", "store", scope=Scope(stores=(point,)))


def held(api: Api, order_id: str, sku: str) -> dict[str, int]:
    """Units by point, as movements of stock tell."""
    found: dict[str, int] = {}
    for one in api.rows("/v1/stock/movements", "supply_chain", sku=sku, size=500):
        if one["reservation_id"] == order_id:
            found[one["point_id"]] = found.get(one["point_id"], 0) + one["reserved_delta"]
    return {point: units for point, units in found.items() if units}


def check_won(api: Api, order_id: str, work: str, points: list[str], winner: str) -> None:
    """It is the winner's, with its units, and nobody else's."""
    found = wait_for(
        f"{winner} has the work", lambda: one if (one := work_of(api, order_id))["point_id"] == winner else None
    )
    assert found["status"] == "accepted"
    assert held(api, order_id, found["lines"][0]["sku"]) == {winner: 1}
    for other in points:
        with pytest.raises(Problem) as gone:
            accept(api, work, other) if other != winner else api.post(
                f"/v1/fulfilments/{work}/refuse", "store", {"reason": "other"}, scope=Scope(stores=(other,))
            )
        assert (gone.value.status, gone.value.reason) == (409, "OFFER_GONE")


def test_the_first_store_has_it_and_the_others_are_told_in_the_same_call(contest: Api) -> None:
    order_id, work, points = placed(contest)
    assert accept(contest, work, points[0])["point_id"] == points[0]
    check_won(contest, order_id, work, points, points[0])


@pytest.mark.parametrize("clicks_again", [True, False], ids=["the store clicks again", "nobody clicks again"])
@pytest.mark.parametrize(
    "point", [pytest.param(one, marks=() if one == DEATHS[1] else pytest.mark.attack) for one in DEATHS]
)
async def test_a_gateway_dies_in_the_middle_of_an_acceptance_and_the_work_is_the_stores_all_the_same(
    stack: SharedStack, contest: Api, point: str, clicks_again: bool
) -> None:
    order_id, work, points = await asyncio.to_thread(placed, contest)
    starts = stack.starts("gateway")
    stack.arm("gateway", point)
    with pytest.raises(httpx.TransportError):
        await asyncio.to_thread(accept, contest, work, points[0])
    await stack.wait_fired("gateway", point)
    await stack.wait_started("gateway", starts + 1)
    if clicks_again:
        assert (await asyncio.to_thread(accept, contest, work, points[0]))["point_id"] == points[0]
    await asyncio.to_thread(check_won, contest, order_id, work, points, points[0])
