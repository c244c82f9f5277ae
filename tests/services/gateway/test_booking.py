"""Delivery slots over REST: who may ask what, what is sent on, and what a full slot is answered."""

from typing import Any

import httpx
import pytest

from kit.values.ids import derived_id
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.placement import content_of
from services.gateway.schemas.orders import ORDER_EXAMPLE, OrderPlacement
from tests.services.gateway.fake_booking import FULL, SLOT
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

HOLD = {"channel_id": "web-fr", "country": "FR", "postcode": "69002"}


@pytest.fixture
def channel(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CHANNEL, channels=["web-fr"])


@pytest.fixture
def carrier(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CARRIER, subject="vallier")


async def test_slots_of_a_destination_are_shown_with_what_is_left(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    query = {"country": "FR", "postcode": "69002", "from_date": "2026-12-07"}
    (slot,) = (await http.get("/v1/delivery-slots", params=query, headers=channel)).json()["items"]
    assert (slot["id"], slot["left"], slot["price"]["amount_minor"]) == (SLOT.slot_id, 2, 900)
    assert "taken" not in slot
    (asked,) = world.calls("ListSlots")
    assert (asked.destination.postcode, asked.until_date, asked.only_open) == ("69002", "2026-12-21", True)


async def test_a_place_is_held_once_for_one_key(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    path = f"/v1/delivery-slots/{SLOT.slot_id}/holds"
    sent = [await http.post(path, json=HOLD, headers=channel | {"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [201, 201]
    assert sent[0].headers["Location"] == "/v1/bookings/bkg_1"
    assert (sent[0].json()["status"], sent[0].json()["order_id"]) == ("held", None)
    first, again = world.calls("HoldSlot")
    assert first == again
    assert (first.time_to_live_seconds, first.channel_id) == (900, "web-fr")


async def test_a_full_slot_is_a_conflict_that_tells_the_nearest_others(
    http: httpx.AsyncClient, channel: dict[str, str]
) -> None:
    answer = await http.post(f"/v1/delivery-slots/{FULL}/holds", json=HOLD, headers=channel)
    told = answer.json()
    assert (answer.status_code, told["reason"]) == (409, "SLOT_FULL")
    assert [one["id"] for one in told["alternatives"]] == [SLOT.slot_id]


async def test_a_channel_holds_and_sees_its_own_places_only(
    http: httpx.AsyncClient, channel: dict[str, str], carrier: dict[str, str], world: World
) -> None:
    other = HOLD | {"channel_id": "app"}
    refused = await http.post(f"/v1/delivery-slots/{SLOT.slot_id}/holds", json=other, headers=channel)
    assert (refused.status_code, refused.json()["reason"]) == (403, "CHANNEL_NOT_ALLOWED")
    hidden = await http.get("/v1/bookings/bkg_app", headers=channel)
    assert (hidden.status_code, hidden.json()["reason"]) == (404, "BOOKING_NOT_FOUND")
    assert (await http.post("/v1/bookings/bkg_app/release", headers=channel)).status_code == 404
    assert not world.calls("ReleaseBooking")
    assert (await http.get("/v1/bookings/bkg_app", headers=carrier)).json()["channel_id"] == "app"
    for headers, channels in ((channel, ["web-fr"]), (carrier, [])):
        await http.get("/v1/bookings?order_id=ord_1&status=confirmed&carrier_id=vallier", headers=headers)
        asked = world.calls("ListBookings")[-1]
        assert (list(asked.channel_ids), asked.order_id, asked.carrier_id) == (channels, "ord_1", "vallier")


async def test_a_carrier_says_how_an_appointment_went(
    http: httpx.AsyncClient, carrier: dict[str, str], channel: dict[str, str], world: World
) -> None:
    missed = await http.post("/v1/bookings/bkg_1/missed", json={"reason": "not_at_home"}, headers=carrier)
    assert (missed.json()["status"], missed.json()["order_id"]) == ("missed", "ord_1")
    (asked,) = world.calls("RecordMissed")
    assert (asked.reason, asked.actor) == ("not_at_home", "vallier")
    assert (await http.post("/v1/bookings/bkg_1/kept", headers=carrier)).json()["status"] == "kept"
    assert (await http.post("/v1/bookings/bkg_1/kept", headers=channel)).status_code == 403


async def test_patterns_are_written_by_the_supply_chain(
    http: httpx.AsyncClient, issuer: Issuer, channel: dict[str, str], world: World
) -> None:
    planner = issuer.bearer(Role.SUPPLY_CHAIN, subject="anna")
    pattern: dict[str, Any] = {
        "pattern_id": "lyon-morning",
        "carrier_id": "vallier",
        "service_id": "vallier-rendez-vous",
        "country": "FR",
        "weekdays": [1],
        "from_minute": 480,
        "until_minute": 720,
        "time_zone": "Europe/Paris",
        "capacity": 3,
        "price": {"amount_minor": 900, "currency": "EUR"},
        "valid_from": "2026-11-01",
    }
    written = await http.put("/v1/slot-patterns", json={"patterns": [pattern]}, headers=planner)
    assert written.json() == {"changed": 1}
    (asked,) = world.calls("PutSlotPatterns")
    assert (asked.actor, asked.patterns[0].price.amount_minor, asked.patterns[0].valid_until) == ("anna", 900, "")
    (known,) = (await http.get("/v1/slot-patterns", headers=planner)).json()["items"]
    assert (known["version"], known["valid_until"]) == (2, None)
    (version,) = (await http.get("/v1/slot-patterns/lyon-morning/versions", headers=planner)).json()["items"]
    assert (version["set_by"], version["pattern"]["version"]) == ("anna", 2)
    wrong = pattern | {"weekdays": [8]}
    refused = await http.put("/v1/slot-patterns", json={"patterns": [wrong]}, headers=planner)
    assert refused.json()["errors"][0]["field"] == "patterns[0].weekdays[0]"
    assert (await http.put("/v1/slot-patterns", json={"patterns": [pattern]}, headers=channel)).status_code == 403


async def test_an_order_names_its_booking_and_one_that_cannot_be_had_is_told_the_nearest_slots(
    http: httpx.AsyncClient, channel: dict[str, str], world: World
) -> None:
    body = ORDER_EXAMPLE | {"mode": "appointment", "booking_id": "bkg_1"}
    order_id = derived_id("ord", "web-fr", "key-1")
    refusal = orders.Refusal(reason="SLOT_FULL", detail="the appointment can no longer be had")
    content = content_of(OrderPlacement.model_validate(body))
    world.placed[order_id] = orders.Order(
        order_id=order_id, state=orders.ORDER_STATE_REFUSED, refusal=refusal, content=content
    )
    answer = await http.post("/v1/orders", json=body, headers=channel | {"Idempotency-Key": "key-1"})
    told = answer.json()
    assert (answer.status_code, told["reason"]) == (409, "SLOT_FULL")
    assert [one["id"] for one in told["alternatives"]] == [SLOT.slot_id]
    assert world.calls("RecordOrder")[-1].content.booking_id == "bkg_1"
    (asked,) = world.calls("ListAlternatives")
    assert (asked.booking_id, asked.destination.postcode) == ("bkg_1", "69002")


async def test_an_appointment_is_moved_by_whom_it_concerns(
    http: httpx.AsyncClient, channel: dict[str, str], issuer: Issuer, world: World
) -> None:
    order_id = "ord_" + "0" * 32
    world.placed[order_id] = orders.Order(order_id=order_id, content=orders.OrderContent(channel_id="web-fr"))
    path, body = f"/v1/orders/{order_id}/appointment", {"slot_id": SLOT.slot_id}
    moving = await http.post(path, json=body, headers=channel)
    assert (moving.status_code, moving.json()["status"]) == (202, "moving")
    assert (moving.json()["wanted_slot_id"], moving.json()["refusal"]) == (SLOT.slot_id, None)
    (asked,) = world.calls("RequestAppointmentMove")
    assert (asked.slot.date, asked.slot.window) == (SLOT.date, SLOT.window)
    finance = issuer.bearer(Role.FINANCE)
    assert (await http.post(path, json=body, headers=finance)).status_code == 403


async def test_a_place_that_is_booked_for_no_order_is_found(http: httpx.AsyncClient, issuer: Issuer) -> None:
    found = (await http.get("/v1/checks/appointments", headers=issuer.bearer(Role.OPERATOR))).json()
    (difference,) = found["differences"]
    assert (difference["kind"], difference["subject"], difference["order_id"]) == (
        "BOOKING_OF_UNKNOWN_ORDER",
        "bkg_1",
        "ord_1",
    )
    assert found["checked"] == 2
