"""The work of points over REST: one click is one act, and the picker names lines, not SKUs."""

from typing import Any

import httpx
import pytest

from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ACTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("accept", "AcceptOffer", None),
    ("refuse", "RefuseOffer", {"reason": "no_staff"}),
    ("pick", "RecordPick", {"found": [{"line_number": 1, "quantity": 1}]}),
    ("personalisation-begin", "BeginPersonalisation", None),
    ("personalisation-complete", "CompletePersonalisation", None),
    ("pack", "CloseParcel", {"weight_grams": 700}),
    ("hand-over", "HandOver", {"tracking_code": "6A1"}),
]


@pytest.fixture
def lyon(issuer: Issuer, world: World) -> dict[str, str]:
    world.add_work("ful_1", "store-lyon")
    return issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])


@pytest.mark.parametrize(("act", "rpc", "body"), ACTS)
async def test_an_act_done_twice_is_one_act_and_two_people_are_two(
    http: httpx.AsyncClient, issuer: Issuer, lyon: dict[str, str], world: World, act: str, rpc: str, body: Any
) -> None:
    address = f"/v1/fulfilments/ful_1/{act}"
    assert (await http.post(address, json=body, headers=lyon)).status_code == 200
    await http.post(address, json=body, headers=lyon)
    await http.post(address, json=body, headers=issuer.bearer(Role.STORE, subject="bob"))
    await http.post(address, json=body, headers=lyon | {"Idempotency-Key": "k"})
    await http.post(address, json=body, headers=lyon | {"Idempotency-Key": "k"})
    first, again, bob, keyed, keyed_again = (request.request_id for request in world.calls(rpc))
    assert first == again
    assert keyed == keyed_again
    assert len({first, bob, keyed}) == 3
    assert world.calls(rpc)[0].actor == "anna"


async def test_the_picker_names_lines_and_no_skus(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    await http.post(
        "/v1/fulfilments/ful_1/pick", json={"found": [{"line_number": 1, "quantity": 0}]}, headers=lyon
    )
    (asked,) = world.calls("RecordPick")
    assert list(asked.found) == [orders.PlannedLine(line_number=1, quantity=0)]


@pytest.mark.parametrize(("act", "rpc", "body"), ACTS)
async def test_an_act_is_one_call(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World, act: str, rpc: str, body: Any
) -> None:
    done = await http.post(f"/v1/fulfilments/ful_1/{act}", json=body, headers=lyon)
    assert done.json()["order_id"] == "ord_1"
    assert [name for name, _ in world.asked] == [rpc]


async def test_spoiled_units_are_the_same_ones_only_under_one_key(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    address, body = (
        "/v1/fulfilments/ful_1/personalisation-spoiled",
        {"spoiled": [{"line_number": 1, "quantity": 1}]},
    )
    assert (await http.post(address, json=body, headers=lyon)).status_code == 422
    for key in ("first", "first", "second"):
        done = await http.post(address, json=body, headers=lyon | {"Idempotency-Key": key})
        assert done.status_code == 200
    first, again, other = (one.request_id for one in world.calls("ReportSpoiled"))
    assert first == again != other
    assert list(world.calls("ReportSpoiled")[0].spoiled) == [orders.PlannedLine(line_number=1, quantity=1)]


async def test_a_line_that_the_fulfilment_does_not_have_is_named(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    world.failures["RecordPick"] = [InvalidArgument("found[1].line_number", "the fulfilment has no such line")]
    body = {"found": [{"line_number": 1, "quantity": 1}, {"line_number": 9, "quantity": 1}]}
    answer = await http.post("/v1/fulfilments/ful_1/pick", json=body, headers=lyon)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "found[1].line_number"


async def test_a_parcel_may_leave_without_a_body(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    assert (await http.post("/v1/fulfilments/ful_1/hand-over", headers=lyon)).status_code == 200
    assert world.calls("HandOver")[0].tracking_code == ""


async def test_finance_lets_a_parcel_leave_with_its_reason(
    http: httpx.AsyncClient, issuer: Issuer, lyon: dict[str, str], world: World
) -> None:
    finance = issuer.bearer(Role.FINANCE, subject="fred")
    address, body = "/v1/fulfilments/ful_1/capture-override", {"reason": "paid by transfer"}
    answer = await http.post(address, json=body, headers=finance)
    assert (answer.status_code, answer.json()["id"]) == (200, "ful_1")
    assert [name for name, _ in world.asked] == ["RecordCapture"]
    (asked,) = world.calls("RecordCapture")
    assert (asked.capture_state, asked.reason, asked.actor) == ("overridden", "paid by transfer", "fred")


async def test_a_label_has_its_address_and_a_list_has_none(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    detail = (await http.get("/v1/fulfilments/ful_1", headers=lyon)).json()
    assert detail["ship_to"]["name"] == "Zoé Plantée"
    assert (detail["channel_id"], detail["brands"]) == ("web-fr", ["Aubier"])
    listed = await http.get("/v1/points/store-lyon/work?status=offered&status=accepted", headers=lyon)
    assert "Plantée" not in listed.text
    (asked,) = world.calls("ListWork")
    assert list(asked.states) == [orders.FULFILMENT_STATE_OFFERED, orders.FULFILMENT_STATE_ACCEPTED]


async def test_who_packs_is_told_the_boxes_of_the_point_and_which_holds_the_work(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    told = (await http.get("/v1/fulfilments/ful_1/boxes", headers=lyon)).json()
    assert (told["suggested"], [box["box_id"] for box in told["boxes"]]) == ("L", ["S", "L"])
    (asked,) = world.calls("ChooseBox")
    assert (asked.point_id, [(one.sku, one.quantity) for one in asked.units]) == ("store-lyon", [("SKU-1", 2)])
    await http.post("/v1/fulfilments/ful_1/pack", json={"weight_grams": 700, "box_id": "L"}, headers=lyon)
    assert [one.box_id for one in world.calls("CloseParcel")] == ["L"]


async def test_a_carriers_event_keeps_the_carriers_own_id(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    event = {
        "event_id": "evt-1",
        "carrier_id": "colisvite",
        "tracking_code": "6A1",
        "status": "delivered",
        "occurred_at": "2026-03-04T10:12:00+01:00",
    }
    answer = await http.post("/v1/carrier-events", json=event, headers=issuer.bearer(Role.CARRIER))
    assert answer.json() == {"fulfilment_id": "ful_1", "status": "delivered", "duplicate": False}
    (asked,) = world.calls("RecordCarrierEvent")
    assert asked.request_id == "evt-1"
    assert asked.occurred_at.ToJsonString() == "2026-03-04T09:12:00Z"
