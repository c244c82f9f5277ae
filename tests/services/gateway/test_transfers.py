"""Lanes, transfers and pauses over REST: what reaches inventory, and whose transfers are whose."""

from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from oms.inventory.v1 import transfer_service_pb2 as pb
from services.gateway.auth import Role
from services.gateway.schemas.transfers import TransferOutcome, TransferState
from services.gateway.wire import enum_names
from tests.services.gateway.bodies import request_of
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

ACTS = {
    "dispatch": ("DispatchTransfer", {"lines": [{"sku": "SKU-1", "quantity": 0}], "declare_not_found": True}),
    "receive": ("ReceiveTransfer", {"lines": [{"sku": "SKU-1", "quantity": 2, "damaged": 1}]}),
    "settle": ("SettleTransfer", {"lines": [{"sku": "SKU-1", "quantity": 1, "outcome": "returned"}]}),
    "cancel": ("CancelTransfer", {"reason": "not needed"}),
}


@pytest.fixture
def planner(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.SUPPLY_CHAIN, subject="paul")


@pytest.mark.parametrize(
    ("names", "enum"), [(TransferState, pb.TransferState), (TransferOutcome, pb.TransferOutcome)]
)
def test_the_words_of_rest_are_those_of_the_protos(names: Any, enum: Any) -> None:
    assert set(get_args(names)) == enum_names(enum.DESCRIPTOR)


async def test_a_lane_reaches_inventory_whole(
    app: FastAPI, http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    address, options = request_of(app, "PUT", "/v1/lanes")
    assert (await http.put(address, json=options["json"], headers=planner)).json() == {"changed": 1}
    (asked,) = world.calls("PutLanes")
    (lane,) = asked.lanes
    assert (lane.lane_id, lane.origin_id, lane.destination_id) == ("lyon-paris", "store-lyon", "store-paris")
    assert [(each.weekday, each.cut_off_minute) for each in lane.departures] == [(1, 1080), (4, 1080)]
    assert lane.cost == pb.LaneCost(currency="EUR", per_parcel_minor=450, per_kilogram_minor=12)
    assert (await http.delete("/v1/lanes/lyon-paris", headers=planner)).status_code == 204
    assert list(world.calls("DeleteLanes")[0].lane_ids) == ["lyon-paris"]


async def test_a_schedule_is_read_for_an_instant_and_a_load(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    query = "as_of=2026-11-20T12:00:00Z&count=2&parcels=1&units=9&weight_grams=500"
    answer = (await http.get(f"/v1/lanes/lyon-paris/schedule?{query}", headers=planner)).json()
    (asked,) = world.calls("GetLaneSchedule")
    assert (asked.count, asked.parcels, asked.units, asked.weight_grams) == (2, 1, 9, 500)
    assert asked.as_of.ToSeconds() == 1795176000
    assert answer["cost"] == {"amount_minor": 450, "currency": "EUR"}
    assert answer["runs"][0]["cut_off_at"] == "2026-11-20T12:00:00Z"


async def test_a_request_needs_a_key_and_a_refusal_shows_the_true_figures(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    body = {"origin_id": "A", "destination_id": "B", "lines": [{"sku": "SKU-1", "quantity": 2}]}
    without = await http.post("/v1/transfers", json=body, headers=planner)
    assert without.json()["reason"] == "IDEMPOTENCY_KEY_REQUIRED"
    for key in ("1", "1", "2"):
        answer = await http.post("/v1/transfers", json=body, headers=planner | {"Idempotency-Key": key})
    assert (answer.json()["requested"], answer.json()["transfer"]["id"]) == (True, "trf_1")
    first, again, other = world.calls("RequestTransfer")
    assert first.request_id == again.request_id != other.request_id
    assert (first.actor, first.lines[0].quantity) == ("paul", 2)

    body["lines"] = [{"sku": "SKU-1", "quantity": 101}]
    refused = await http.post("/v1/transfers", json=body, headers=planner | {"Idempotency-Key": "3"})
    assert refused.json() == {
        "requested": False,
        "transfer": None,
        "shortfalls": [{"sku": "SKU-1", "point_id": "store-lyon", "requested": 101, "available": 2}],
    }


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_names_who_did_it_and_is_one_with_its_repeat(
    http: httpx.AsyncClient, planner: dict[str, str], world: World, act: str
) -> None:
    rpc, body = ACTS[act]
    for _ in range(2):
        answer = await http.post(
            f"/v1/transfers/trf_1/{act}", json=body, headers=planner | {"Idempotency-Key": "1"}
        )
        assert (answer.status_code, answer.json()["state"]) == (200, "requested")
    first, again = world.calls(rpc)
    assert first == again
    assert (first.transfer_id, first.actor) == ("trf_1", "paul")


async def test_receipts_of_the_same_content_are_two_unless_the_key_says_one(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    for act in ("receive", "settle"):
        answer = await http.post(f"/v1/transfers/trf_1/{act}", json=ACTS[act][1], headers=planner)
        assert answer.json()["reason"] == "IDEMPOTENCY_KEY_REQUIRED"
    for key in ("1", "2"):
        headers = planner | {"Idempotency-Key": key}
        await http.post("/v1/transfers/trf_1/receive", json=ACTS["receive"][1], headers=headers)
    one, two = world.calls("ReceiveTransfer")
    assert one.request_id != two.request_id


async def test_a_window_that_ends_before_it_begins_is_refused(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    window = {"start": "2026-11-20T12:00:00Z", "end": "2026-11-20T12:00:00Z"}
    answer = await http.post("/v1/transfers/trf_1/dispatch", json={"expected": window}, headers=planner)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "expected"
    assert not world.calls("DispatchTransfer")


# -- whose transfers --------------------------------------------------------------------------------------


async def test_a_store_dispatches_what_leaves_it_and_receives_what_comes_to_it(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    key = {"Idempotency-Key": "1"}
    for store, allowed in (("store-lyon", "dispatch"), ("store-paris", "receive")):
        token = issuer.bearer(Role.STORE, stores=[store])
        for act in ("dispatch", "receive"):
            rpc, body = ACTS[act]
            world.asked.clear()
            answer = await http.post(f"/v1/transfers/trf_1/{act}", json=body, headers=token | key)
            if act == allowed:
                assert answer.status_code == 200
                assert world.calls(rpc)
            else:
                assert (answer.status_code, answer.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
                assert not world.calls(rpc)
        for act in ("settle", "cancel"):
            answer = await http.post(f"/v1/transfers/trf_1/{act}", json=ACTS[act][1], headers=token | key)
            assert answer.json()["reason"] == "ROLE_NOT_ALLOWED"


@pytest.mark.parametrize("stores", [["store-nice"], []])
async def test_another_points_transfer_is_answered_like_one_that_does_not_exist(
    http: httpx.AsyncClient, issuer: Issuer, world: World, stores: list[str]
) -> None:
    other = issuer.bearer(Role.STORE, stores=stores) | {"Idempotency-Key": "1"}

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.text.replace("trf_1", "trf_none")

    missing = told(await http.get("/v1/transfers/trf_none", headers=other))
    assert missing[0] == 404
    assert told(await http.get("/v1/transfers/trf_1", headers=other)) == missing
    for act in ("dispatch", "receive"):
        answer = await http.post(f"/v1/transfers/trf_1/{act}", json=ACTS[act][1], headers=other)
        assert told(answer) == missing
        assert not world.calls(ACTS[act][0])


@pytest.mark.parametrize(
    ("path", "rpc"), [("/v1/transfers", "ListTransfers"), ("/v1/stock/in-transit", "ListInTransit")]
)
async def test_a_list_holds_what_concerns_the_callers_points_only(
    http: httpx.AsyncClient, issuer: Issuer, planner: dict[str, str], world: World, path: str, rpc: str
) -> None:
    both = issuer.bearer(Role.STORE, stores=["store-lyon", "store-nice"])
    assert (await http.get(path, headers=both)).json()["items"]
    assert list(world.calls(rpc)[-1].point_ids) == ["store-lyon", "store-nice"]
    await http.get(f"{path}?point_id=store-nice", headers=both)
    assert list(world.calls(rpc)[-1].point_ids) == ["store-nice"]
    foreign = await http.get(f"{path}?point_id=store-paris", headers=both)
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "POINT_NOT_ALLOWED")
    world.asked.clear()
    nowhere = await http.get(path, headers=issuer.bearer(Role.STORE, stores=[]))
    assert nowhere.json() == {"items": [], "next_cursor": None}
    assert not world.asked, "an empty filter would have meant every point"
    await http.get(path, headers=planner)
    assert list(world.calls(rpc)[-1].point_ids) == []


async def test_transfers_are_listed_by_state(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    page = (await http.get("/v1/transfers?state=requested&state=received", headers=planner)).json()
    assert (page["items"][0]["id"], page["next_cursor"]) == ("trf_1", "more")
    assert list(world.calls("ListTransfers")[0].states) == [
        pb.TRANSFER_STATE_REQUESTED,
        pb.TRANSFER_STATE_RECEIVED,
    ]
    detail = (await http.get("/v1/transfers/trf_1", headers=planner)).json()
    assert detail["acts"][0]["actor"] == "paul"


async def test_the_check_of_stock_tells_of_a_transfer_that_the_ledger_does_not_know(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    operator = issuer.bearer(Role.OPERATOR)
    assert (await http.get("/v1/checks/stock", headers=operator)).json()["differences"] == []
    found = pb.TransferDifference(transfer_id="trf_1", sku="SKU-1", quantity="received", line=2, ledger=1)
    world.transfer_differences.append(found)
    (told,) = (await http.get("/v1/checks/stock", headers=operator)).json()["differences"]
    assert (told["kind"], told["subject"]) == ("TRANSFER_NOT_LEDGER", "received of SKU-1 in trf_1")
    assert (told["expected"], told["found"]) == ("1", "2")


# -- pauses -----------------------------------------------------------------------------------------------


async def test_a_pause_names_who_started_and_who_lifted_it(
    http: httpx.AsyncClient, planner: dict[str, str], world: World
) -> None:
    body = {"sku": "SKU-1", "reason": "recall", "from_at": "2026-11-20T12:00:00Z"}
    answer = await http.post("/v1/pauses", json=body, headers=planner)
    assert (answer.status_code, answer.json()["id"], answer.json()["in_force"]) == (201, "pau_1", True)
    (asked,) = world.calls("StartPause")
    assert (asked.sku, asked.actor, asked.from_at.ToSeconds()) == ("SKU-1", "paul", 1795176000)
    assert not asked.HasField("until_at")
    assert (await http.post("/v1/pauses/pau_1/lift", headers=planner)).status_code == 200
    assert (world.calls("LiftPause")[0].pause_id, world.calls("LiftPause")[0].actor) == ("pau_1", "paul")
    await http.get("/v1/pauses?include_ended=true", headers=planner)
    assert world.calls("ListPauses")[0].include_ended
