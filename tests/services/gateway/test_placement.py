"""Placing: what each outcome of the story becomes outside. On a real Temporal, with a stand-in story."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.worker import Worker

from kit import temporal
from kit.times import from_proto
from kit.values.ids import derived_id
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from services.gateway.schemas.orders import ORDER_EXAMPLE
from tests.services.gateway.conftest import CODEC_KEYS
from tests.services.gateway.fakes import WINDOW, World
from tests.services.gateway.stories import StandInOrder
from tests.services.gateway.tokens import Issuer


@pytest.fixture
async def temporal_client(temporal_address: str, app: FastAPI) -> AsyncIterator[Client]:
    client = await temporal.connect(temporal_address, "default", CODEC_KEYS)
    async with Worker(client, task_queue=app.state.options.task_queue, workflows=[StandInOrder]):
        yield client


class Channel:
    """A web shop that places orders; its keys are its own in every test."""

    def __init__(self, http: httpx.AsyncClient, issuer: Issuer, prefix: str) -> None:
        self._http = http
        self._bearer = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
        self._prefix = prefix

    def order_id(self, key: str) -> str:
        return derived_id("ord", "web-fr", self._prefix + key)

    async def place(
        self, sku: str, key: str = "1", line: dict[str, Any] | None = None, **more: Any
    ) -> httpx.Response:
        lines = [{**ORDER_EXAMPLE["lines"][0], "sku": sku, **(line or {})}]
        body: dict[str, Any] = ORDER_EXAMPLE | {"lines": lines} | more
        headers = self._bearer | {"Idempotency-Key": self._prefix + key}
        return await self._http.post("/v1/orders", json=body, headers=headers)


@pytest.fixture
def channel(http: httpx.AsyncClient, issuer: Issuer, request: pytest.FixtureRequest) -> Channel:
    return Channel(http, issuer, f"{request.node.name}/{id(request)}/")


async def test_a_validated_order_is_answered_with_its_promise(channel: Channel, world: World) -> None:
    answer = await channel.place("VALID")
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/orders/{channel.order_id('1')}" == body["status_url"]
    assert body["id"] == channel.order_id("1")
    assert (body["status"], body["customer_status"]) == ("validated", "validated")
    assert body["promise"] == {"start": "2026-11-22T07:00:00Z", "end": "2026-11-22T18:00:00Z"}
    assert body["cooling_off_until"] == "2026-11-20T12:30:00Z"
    assert body["total"] == ORDER_EXAMPLE["total"]
    assert [line["sku"] for line in body["lines"]] == ["VALID"]
    assert [name for name, _ in world.asked] == ["RecordOrder"], "the budget of placement: one call of ours"


async def test_what_is_recorded_is_what_was_sent(channel: Channel, world: World) -> None:
    await channel.place("VALID")
    (request,) = world.calls("RecordOrder")
    content = request.content
    assert content.customer.name == ORDER_EXAMPLE["customer"]["name"]
    assert list(content.ship_to.street_lines) == ORDER_EXAMPLE["ship_to"]["street_lines"]
    assert content.payment.WhichOneof("kind") == "payment_method_token"
    assert content.lines[0].shipping_minor == 490
    assert request.HasField("placed_at")
    assert not content.HasField("source_placed_at")


async def test_means_of_payment_are_recorded_in_the_order_in_which_they_are_said(
    channel: Channel, world: World
) -> None:
    receipt = {"reference": "R-1", "point_id": "store-lyon"}
    first = [{"stored_value_code": "ABCD", "amount_minor": 1_000}, {"cash": receipt, "amount_minor": 2_000}]
    payment: dict[str, Any] = {"till_card": receipt, "amount_minor": 2_480, "first": first}
    assert (await channel.place("VALID", payment=payment)).status_code == 201
    sent = world.calls("RecordOrder")[0].content.payment
    assert [(one.WhichOneof("kind"), one.amount_minor) for one in sent.first] == [
        ("stored_value_code", 1_000),
        ("cash", 2_000),
    ]
    assert (sent.till_card.reference, sent.till_card.point_id, sent.amount_minor) == ("R-1", "store-lyon", 2_480)
    assert sent.first[1].cash == sent.till_card
    for wrong, field in (
        ({"cash": receipt, "till_card": receipt}, "payment"),
        ({"cash": None}, "payment.cash"),
        ({"cash": {"reference": "R-1"}}, "payment.cash.point_id"),
        ({"till_card": receipt, "first": [{"cash": receipt}]}, "payment.first[0].amount_minor"),
    ):
        refused = await channel.place("VALID", "2", payment=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)


async def test_what_is_taken_along_is_answered_with_its_receipt_also_when_it_is_asked_again(
    channel: Channel, world: World
) -> None:
    line = {**ORDER_EXAMPLE["lines"][0], "sku": "TAKEN", "shipping_minor": 0, "taken_at_point_id": "store-lyon"}
    bare = {name: value for name, value in ORDER_EXAMPLE.items() if name != "ship_to"}
    order: dict[str, Any] = {**bare, "lines": [line], "ship_to": None}
    for _ in range(2):
        answer = await channel.place("TAKEN", **order)
        body = answer.json()
        assert (answer.status_code, body["receipt_number"]) == (201, "STORE-LYON-SR-2026-000001")
        assert body["lines"][0]["taken_at_point_id"] == "store-lyon"
        world.placed[body["id"]].state = orders.ORDER_STATE_CLOSED
    sent = world.calls("RecordOrder")[0].content
    assert (sent.lines[0].taken_at_point_id, sent.HasField("ship_to")) == ("store-lyon", False)
    (asked,) = world.calls("ListDocuments")
    assert list(asked.kinds) == ["sales_receipt"]
    assert (await channel.place("VALID", "2")).json()["receipt_number"] is None


ZOE = {"name": "engraved_name", "text": "Zoé"}


async def test_what_is_put_on_units_is_recorded_and_shown_to_whom_it_concerns(
    channel: Channel, world: World, http: httpx.AsyncClient, issuer: Issuer
) -> None:
    answer = await channel.place("VALID", line={"personalisations": [ZOE]})
    assert answer.json()["lines"][0]["personalisations"] == [ZOE]
    assert [name for name, _ in world.asked] == ["ListItems", "RecordOrder"]
    (sent,) = world.calls("RecordOrder")[0].content.lines[0].personalisations
    assert (sent.name, sent.text) == ("engraved_name", "Zoé")
    address = f"/v1/orders/{answer.json()['id']}"
    for role, text in ((Role.CUSTOMER_SERVICE, "Zoé"), (Role.SUPPLY_CHAIN, None)):
        read = await http.get(address, headers=issuer.bearer(role))
        assert read.json()["lines"][0]["personalisations"] == [{"name": "engraved_name", "text": text}]


@pytest.mark.parametrize(
    ("sku", "wanted", "field", "reason"),
    [
        ("VALID", ZOE | {"text": "Zoë-L"}, "lines[0].personalisations[0].text", "TEXT_TOO_LONG"),
        ("VALID", ZOE | {"name": "colour"}, "lines[0].personalisations[0].name", "UNKNOWN_PERSONALISATION"),
        ("OTHER", ZOE, "lines[0].personalisations[0].name", "UNKNOWN_PERSONALISATION"),
    ],
)
async def test_what_an_article_cannot_have_on_it_is_told_at_the_door_and_nothing_is_recorded(
    channel: Channel, world: World, sku: str, wanted: dict[str, str], field: str, reason: str
) -> None:
    answer = await channel.place(sku, line={"personalisations": [wanted]})
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert answer.json()["errors"][0]["field"] == field
    assert wanted["text"] not in answer.text
    assert not world.calls("RecordOrder")


async def test_what_was_recorded_under_the_key_is_not_judged_again(channel: Channel) -> None:
    """What the article may have on it may have changed since: whether it is the same order, orders says."""
    await channel.place("VALID", line={"personalisations": [ZOE]})
    again = await channel.place("VALID", line={"personalisations": [ZOE | {"text": "Zoë-L"}]})
    assert (again.status_code, again.json()["reason"]) == (409, "IDEMPOTENCY_CONFLICT")


async def test_a_channel_may_say_when_it_took_the_order(channel: Channel, world: World) -> None:
    await channel.place("VALID", source_placed_at="2010-12-01T08:26:00Z")
    (request,) = world.calls("RecordOrder")
    assert from_proto(request.content.source_placed_at) == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    refused = await channel.place("VALID", source_placed_at="2010-12-01T08:26:00")
    assert refused.status_code == 422, "an instant has an offset"
    assert refused.json()["errors"][0]["field"] == "source_placed_at"


async def test_stock_that_has_gone_is_a_conflict_that_names_its_lines(channel: Channel) -> None:
    answer = await channel.place("SOLD-OUT")
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (409, "STOCK_UNAVAILABLE")
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["order_id"] == channel.order_id("1")
    assert body["lines"] == [
        {"line_number": 1, "sku": "SOLD-OUT", "requested": 2, "available": 1, "reason": "NO_STOCK"}
    ]


async def test_a_promise_that_changed_comes_with_the_new_options(channel: Channel) -> None:
    answer = await channel.place("CHANGED")
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (409, "PROMISE_CHANGED")
    assert body["options"] == [
        {
            "mode": "home_express",
            "window_start": "2026-11-23T07:00:00+00:00",
            "window_end": "2026-11-23T18:00:00+00:00",
            "price": {"amount_minor": 990, "currency": "EUR"},
            "parcels": 2,
            "point_id": "",
        }
    ]


async def test_a_declined_payment_tells_the_providers_code(channel: Channel) -> None:
    answer = await channel.place("DECLINED")
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (422, "PAYMENT_DECLINED")
    assert body["decline_code"] == "insufficient_funds"


async def test_an_address_that_no_carrier_serves_is_refused_with_its_lines(channel: Channel) -> None:
    answer = await channel.place("FAR")
    assert (answer.status_code, answer.json()["reason"]) == (422, "NOT_DELIVERABLE")
    assert answer.json()["lines"][0]["reason"] == "NO_CARRIER"


async def test_a_payment_that_needs_the_customer_is_accepted_with_the_next_step(channel: Channel) -> None:
    answer = await channel.place("ACTION")
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == body["status_url"]
    assert (body["status"], body["next_action_url"]) == ("action_required", "https://pay.example/3ds/1")
    assert body["customer_status"] == "action required"


async def test_an_order_cancelled_while_it_was_placed_stands_as_such(channel: Channel) -> None:
    answer = await channel.place("CANCELLED")
    assert (answer.status_code, answer.json()["status"]) == (201, "cancelling")


async def test_an_answer_that_takes_long_is_followed_at_its_address(channel: Channel, app: FastAPI) -> None:
    patient = app.state.options
    app.state.options = replace(patient, placement_wait_seconds=0.3)
    try:
        answer = await channel.place("SLOW")
    finally:
        app.state.options = patient
    assert (answer.status_code, answer.json()["status"]) == (202, "recorded")
    assert answer.headers["location"] == f"/v1/orders/{channel.order_id('1')}"


async def test_an_order_whose_story_has_ended_is_told_by_its_state(channel: Channel, world: World) -> None:
    assert (await channel.place("VALID")).status_code == 201
    world.placed[channel.order_id("1")].state = orders.ORDER_STATE_RECORDED
    again = await channel.place("VALID")
    assert again.status_code in (201, 202)
    world.placed[channel.order_id("1")].state = orders.ORDER_STATE_CLOSED
    assert (await channel.place("VALID")).json()["status"] == "closed"


async def test_a_repeated_placement_is_answered_from_the_order(channel: Channel, world: World) -> None:
    first = await channel.place("VALID")
    order = world.placed[channel.order_id("1")]
    order.state, order.customer_status = orders.ORDER_STATE_VALIDATED, "validated"
    order.promise.CopyFrom(WINDOW)
    again = await channel.place("VALID")
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.json()["promise"] == {"start": "2026-11-20T12:00:00Z", "end": "2026-11-22T12:00:00Z"}
    assert set(again.json()) == set(first.json())


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("STOCK_UNAVAILABLE", 409),
        ("PROMISE_CHANGED", 409),
        ("PAYMENT_DECLINED", 422),
        ("NOT_DELIVERABLE", 422),
        ("PAYMENT_ACTION_EXPIRED", 422),
    ],
)
async def test_a_refusal_is_the_same_problem_when_the_placement_is_repeated(
    channel: Channel, world: World, reason: str, status: int
) -> None:
    await channel.place("VALID")
    order = world.placed[channel.order_id("1")]
    order.state = orders.ORDER_STATE_REFUSED
    line = orders.RefusedLine(line_number=1, sku="VALID", requested=2, available=0, reason="NO_STOCK")
    order.refusal.CopyFrom(orders.Refusal(reason=reason, detail="why", lines=[line]))
    answer = await channel.place("VALID")
    body = answer.json()
    assert (answer.status_code, body["reason"], body["order_id"]) == (status, reason, order.order_id)
    assert body["lines"][0]["sku"] == "VALID"
    assert ("options" in body) == (reason == "PROMISE_CHANGED")
    if reason == "PROMISE_CHANGED":
        assert [one["mode"] for one in body["options"]] == ["home_standard"], (
            "what can be had now, without waiting"
        )


async def test_the_system_is_ready_when_services_serve_and_workers_poll(
    http: httpx.AsyncClient, app: FastAPI
) -> None:
    app.state.readiness._looked_at = float("-inf")
    for _ in range(100):
        answer = await http.get("/readyz")
        if answer.status_code == 200:
            break
        assert "worker" in answer.json()["detail"]
        await asyncio.sleep(0.1)
    assert answer.json() == {"status": "ok"}
