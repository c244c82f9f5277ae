"""Work that several points are offered, over REST: an answer settles its claim, and errors say what was first."""

import httpx
import pytest

from kit.errors import FailedPrecondition, Unavailable
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import offers_service_pb2 as offers
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

CLAIM = orders.Claim(
    claim_id="clm_1",
    fulfilment_id="ful_1",
    order_id="ord_1",
    from_point_id="store-paris",
    to_point_id="store-lyon",
    lines=[orders.PlannedLine(line_number=1, sku="SKU-1", quantity=2)],
)
ACCEPT = "/v1/fulfilments/ful_1/accept"


@pytest.fixture
def lyon(issuer: Issuer, world: World) -> dict[str, str]:
    """Has an offer of work whose stock is held in Paris."""
    world.add_work("ful_1", "store-lyon")
    world.claims["ful_1"] = CLAIM
    return issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])


async def test_an_acceptance_moves_the_units_and_settles_the_claim_under_the_claims_own_ids(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    answer = await http.post(ACCEPT, headers=lyon)
    assert (answer.status_code, answer.json()["id"]) == (200, "ful_1")
    assert [name for name, _ in world.asked] == ["AcceptOffer", "MoveReservation", "SettleClaim"]
    [moved], [settled] = world.calls("MoveReservation"), world.calls("SettleClaim")
    assert (moved.request_id, moved.reservation_id) == ("move/clm_1", "ord_1")
    hold = inventory.HoldMove(sku="SKU-1", from_point_id="store-paris", to_point_id="store-lyon", quantity=2)
    assert list(moved.moves) == [hold]
    assert (settled.request_id, settled.claim_id, settled.held) == ("settle/clm_1/held", "clm_1", True)


async def test_units_that_are_not_there_leave_the_work_to_the_others(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    world.moved, world.settled = False, offers.OFFER_STATE_REFUSED
    answer = await http.post(ACCEPT, headers=lyon)
    assert (answer.status_code, answer.json()["reason"]) == (409, "STOCK_NOT_THERE")
    [settled] = world.calls("SettleClaim")
    assert (settled.request_id, settled.held) == ("settle/clm_1/not-there", False)


async def test_a_cancellation_that_took_the_hold_away_is_told(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    world.failures["MoveReservation"] = [FailedPrecondition("NOT_HELD", "0 are held")]
    world.settled = offers.OFFER_STATE_WITHDRAWN
    answer = await http.post(ACCEPT, headers=lyon)
    assert (answer.status_code, answer.json()["reason"]) == (409, "OFFER_GONE")
    assert answer.json()["facts"] == {"state": "withdrawn"}


async def test_a_stock_service_that_is_away_leaves_the_claim_to_the_story_or_to_the_next_click(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    world.failures["MoveReservation"] = [Unavailable("UNREACHABLE", "away")]
    assert (await http.post(ACCEPT, headers=lyon)).status_code == 503
    assert world.calls("SettleClaim") == []
    assert (await http.post(ACCEPT, headers=lyon)).status_code == 200
    first, again = world.calls("AcceptOffer")
    assert first.request_id == again.request_id


async def test_who_works_at_several_points_says_whose_answer_it_is(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_work("ful_1", "store-lyon")
    region = issuer.bearer(Role.STORE, stores=["store-lyon", "store-paris"])
    await http.post(ACCEPT, json={"point_id": "store-lyon"}, headers=region)
    await http.post(
        "/v1/fulfilments/ful_1/refuse", json={"reason": "no_time", "point_id": "store-paris"}, headers=region
    )
    [accepted], [refused] = world.calls("AcceptOffer"), world.calls("RefuseOffer")
    assert (accepted.point_id, refused.point_id) == ("store-lyon", "store-paris")
    assert list(accepted.reach.point_ids) == ["store-lyon", "store-paris"]


async def test_one_account_that_answers_for_two_points_answers_twice(
    http: httpx.AsyncClient, issuer: Issuer, lyon: dict[str, str], world: World
) -> None:
    paris = issuer.bearer(Role.STORE, subject="anna", stores=["store-paris"])
    for headers in (lyon, paris, lyon):
        await http.post(ACCEPT, headers=headers)
        await http.post("/v1/fulfilments/ful_1/refuse", json={"reason": "no_time"}, headers=headers)
    for rpc in ("AcceptOffer", "RefuseOffer"):
        first, other, again = (one.request_id for one in world.calls(rpc))
        assert first == again
        assert first != other


async def test_a_point_reads_work_as_it_is_offered_to_it(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    assert (await http.get("/v1/fulfilments/ful_1", headers=lyon)).status_code == 200
    [asked] = world.calls("GetFulfilment")
    assert list(asked.point_ids) == ["store-lyon"]


async def test_a_list_of_a_brands_people_shows_each_point_its_own_offer(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    """Which brands work has is asked for the work; what is shown is the offer."""
    world.add_work("ful_1", "store-lyon", brand="Aubier")
    world.offered_carriers = {"ful_1": "carrier-of-lyon"}
    token = issuer.bearer(Role.STORE, stores=["store-lyon"], brands=["Aubier"])
    [row] = (await http.get("/v1/points/store-lyon/work", headers=token)).json()["items"]
    assert row["carrier_id"] == "carrier-of-lyon"


async def test_offers_are_listed_for_those_who_plan_and_those_who_serve_customers(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    query = "?point_id=store-lyon&status=open&status=claimed&order_id=ord_1&size=2"
    for role in (Role.SUPPLY_CHAIN, Role.CUSTOMER_SERVICE):
        page = (await http.get(f"/v1/offers{query}", headers=issuer.bearer(role))).json()
        assert page["next_cursor"] == "next"
        [one] = page["items"]
        assert (one["point_id"], one["status"], one["reason"], one["answered_at"]) == (
            "store-lyon",
            "open",
            None,
            None,
        )
    asked = world.calls("ListOffers")[0]
    assert (list(asked.point_ids), asked.order_id, asked.page.size) == (["store-lyon"], "ord_1", 2)
    assert list(asked.states) == [offers.OFFER_STATE_OPEN, offers.OFFER_STATE_CLAIMED]
    branded = issuer.bearer(Role.SUPPLY_CHAIN, brands=["Aubier"])
    assert (await http.get("/v1/offers", headers=branded)).status_code == 403


async def test_a_person_gives_work_that_nobody_took_to_a_point(
    http: httpx.AsyncClient, issuer: Issuer, lyon: dict[str, str], world: World
) -> None:
    token = issuer.bearer(Role.CUSTOMER_SERVICE, subject="eve")
    body = {"point_id": "store-lyon"}
    answer = await http.post("/v1/fulfilments/ful_1/assign", json=body, headers=token)
    assert answer.status_code == 200
    assert [name for name, _ in world.asked] == ["AssignWork", "MoveReservation", "SettleClaim"]
    [asked] = world.calls("AssignWork")
    assert (asked.point_id, asked.actor, list(asked.reach.point_ids)) == ("store-lyon", "eve", [])
    assert (await http.post("/v1/fulfilments/ful_1/assign", json=body, headers=lyon)).status_code == 403
    world.failures["AssignWork"] = [FailedPrecondition("NOT_UNCLAIMED", "it does not wait")]
    refused = await http.post("/v1/fulfilments/ful_1/assign", json=body, headers=token)
    assert (refused.status_code, refused.json()["reason"]) == (409, "NOT_UNCLAIMED")


async def test_orders_with_work_that_nobody_took_are_a_list(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    await http.get("/v1/orders?unclaimed=true", headers=issuer.bearer(Role.CUSTOMER_SERVICE))
    assert world.calls("ListOrders")[0].unclaimed
