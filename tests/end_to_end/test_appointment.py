"""Furniture by appointment on the full system: held, ordered, moved, missed by nobody, given back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cli.client import Api, Json, Problem
from cli.people import Buyer, Shop
from tests.end_to_end.journeys import found_again
from tests.stack import SharedStack

SKU = "CBIB-CHENE"
BUYER = Buyer()


def slots(api: Api) -> list[Json]:
    """Those of Lyon in the next four weeks that can be had."""
    until = (datetime.now(UTC).date() + timedelta(days=28)).isoformat()
    found = api.get(
        "/v1/delivery-slots",
        "customer_service",
        country=BUYER.country,
        postcode=BUYER.postcode,
        until_date=until,
        carrier_id="vallier",
        service_id="vallier-rendez-vous",
    )["items"]
    return [one for one in found if one["id"].startswith("vallier-lyon")]


def held(api: Api, slot: Json) -> Json:
    body = {"channel_id": "web-fr", "country": BUYER.country, "postcode": BUYER.postcode}
    return api.post(f"/v1/delivery-slots/{slot['id']}/holds", "customer_service", body)


def test_an_order_has_its_slot_moves_it_and_gives_it_back(stack: SharedStack) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, "web-fr")
        first, *_, last = slots(api)
        booking = held(api, first)
        assert booking["status"] == "held"
        content = shop.order_content([(SKU, 1)], BUYER, shipping_minor=5900)
        content |= {"mode": "appointment", "booking_id": booking["id"]}
        placed = shop.place(content)
        assert placed["promise"] == first["window"]
        order = shop.order(placed["id"])
        assert (order["appointment"]["status"], order["appointment"]["slot"]["slot_id"]) == ("booked", first["id"])
        (work,) = order["fulfilments"]
        assert work["carrier_id"] == "vallier"
        assert work["hand_over_by"] < first["window"]["start"]

        with pytest.raises(Problem) as caught:
            shop.place({**content, "channel_order_number": "another"})
        assert (caught.value.status, caught.value.reason) == (409, "BOOKED_BY_ANOTHER")
        assert caught.value.body["alternatives"]

        api.post(f"/v1/orders/{placed['id']}/appointment", "customer_service", {"slot_id": last["id"]})
        moved = shop.wait(placed["id"], "moved", lambda one: one["appointment"]["status"] == "booked")
        assert (moved["appointment"]["slot"]["slot_id"], moved["promise"]) == (last["id"], last["window"])
        by_order = api.get("/v1/bookings", "customer_service", order_id=placed["id"])["items"]
        assert [(one["id"], one["status"], one["slot_id"]) for one in by_order] == [
            (booking["id"], "confirmed", last["id"])
        ]
        left = next(one["left"] for one in slots(api) if one["id"] == last["id"])
        shop.cancel(placed["id"])
        shop.wait_status(placed["id"], "cancelled")
        assert next(one["left"] for one in slots(api) if one["id"] == last["id"]) == left + 1
        assert api.get("/v1/checks/appointments", "operator")["differences"] == []


async def test_booking_dies_at_each_boundary_of_an_order_and_one_place_is_taken_and_given_back(
    stack: SharedStack,
) -> None:
    def arm(act: str) -> None:
        for when in ("before_commit", "before_answer"):
            stack.arm("booking", f"{act}.{when}")

    async def fired(act: str) -> None:
        for when in ("before_commit", "before_answer"):
            await stack.wait_fired("booking", f"{act}.{when}")

    async def places_again(api: Api, *ids: str) -> list[int]:
        await stack.wait_ready("booking")
        found = await asyncio.to_thread(found_again, "the slots", lambda: slots(api))
        return [one["left"] for one in found if one["id"] in ids]

    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, "web-fr")
        _, first, second, *_ = slots(api)
        both = (first["id"], second["id"])
        before = await places_again(api, *both)
        booking = held(api, first)
        content = shop.order_content([(SKU, 1)], BUYER, shipping_minor=5900)
        content |= {"mode": "appointment", "booking_id": booking["id"]}
        arm("ConfirmBooking")
        order_id = (await asyncio.to_thread(shop.place, content))["id"]
        await fired("ConfirmBooking")
        await asyncio.to_thread(shop.wait_status, order_id, "validated")
        await stack.wait_ready("booking")
        arm("MoveBooking")
        path, body = f"/v1/orders/{order_id}/appointment", {"slot_id": second["id"]}
        await asyncio.to_thread(api.post, path, "customer_service", body)
        await fired("MoveBooking")
        await asyncio.to_thread(
            shop.wait, order_id, "moved", lambda one: one["appointment"]["slot"]["slot_id"] == second["id"]
        )
        assert await places_again(api, *both) == [before[0], before[1] - 1]
        arm("ReleaseBooking")
        await asyncio.to_thread(shop.cancel, order_id)
        await fired("ReleaseBooking")
        await asyncio.to_thread(shop.wait_status, order_id, "cancelled")
        assert await places_again(api, *both) == before
