"""The process as the others see it: gRPC, health, events, its sweep, and logs that keep secrets."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit import rpc, times
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, OmsError, Unauthenticated
from kit.values.ids import new_id
from oms.outbox.v1 import outbox_service_pb2
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.payments.v1 import payments_service_pb2 as pb
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from oms.type.v1 import type_pb2
from simulators.payment_provider.webhooks import sign
from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import API_KEY, WEBHOOK_SECRET, RunningProvider
from workflows.activities.payments import PaymentActivities
from workflows.messages import Amount, AmountChange, AuthorizeRequest, PaymentAnswer, SavedMeansRequest, Tender


@dataclass(frozen=True)
class Running:
    """`python -m services.payments`."""

    address: str
    log: Path


@pytest.fixture(scope="module")
def process(
    make_database: MakeDatabase, provider_server: RunningProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        running = Running(f"127.0.0.1:{free.getsockname()[1]}", tmp_path_factory.mktemp("payments") / "log")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((".", "protos/gen")),
        "OMS_LISTEN": running.address,
        "OMS_DATABASE_URL": make_database("payments").url,
        "OMS_PAYMENT_PROVIDER_URL": provider_server.url,
        "OMS_PAYMENT_PROVIDER_API_KEY": API_KEY,
        "OMS_PAYMENT_PROVIDER_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "OMS_STORED_VALUE_KEY": "a key of tests",
        "OMS_LOG_LEVEL": "DEBUG",
    }
    with running.log.open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "services.payments"], env=environment, stdout=log, stderr=log
        )
    try:
        yield running
    finally:
        started.terminate()
        assert started.wait(20) == 0


@pytest_asyncio.fixture
async def channel(process: Running, provider: RunningProvider) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the process, once it is SERVING."""
    async with rpc.connect(process.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        deadline = time.monotonic() + 60
        status = health_pb2.HealthCheckResponse.UNKNOWN
        while status != health_pb2.HealthCheckResponse.SERVING:
            assert time.monotonic() < deadline, process.log.read_text()
            try:
                status = (await health.Check(health_pb2.HealthCheckRequest())).status
            except OmsError:
                await asyncio.sleep(0.05)
        yield channel


def eur(minor: int) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=minor, currency="EUR")


def authorize(order_id: str, means: str = "pm_card_visa") -> pb.AuthorizeRequest:
    return pb.AuthorizeRequest(
        request_id=f"{order_id}/authorize",
        order_id=order_id,
        channel_id="web",
        amount=eur(10_000),
        tender=pb.Tender(payment_method_token=means),
        cause="placement",
        actor="test",
    )


async def test_a_story_changes_the_total_and_waits_for_the_customer_where_it_must(
    channel: grpc.aio.Channel, provider: RunningProvider
) -> None:
    payments, steps = PaymentsServiceStub(channel), PaymentActivities(channel)
    order_id = new_id("ord")
    await payments.Authorize(authorize(order_id, "pm_card_visa_noIncrement"))

    async def change(minor: int, link_until: str = "") -> PaymentAnswer:
        request_id = f"order/{order_id}/change/{minor}/{link_until}"
        return await steps.change_amount(
            AmountChange(request_id, order_id, Amount(minor, "EUR"), "modification", link_until)
        )

    assert await change(9_000) == await change(10_000) == PaymentAnswer("authorized")
    assert await change(12_000) == PaymentAnswer("declined", decline_code="no_means_for_more")
    waits = await change(12_000, (times.now() + timedelta(days=1)).isoformat())
    assert (waits.status, waits.next_action_url.startswith("http")) == ("action_required", True)
    payment = (await payments.GetPayment(pb.GetPaymentRequest(order_id=order_id))).payment
    assert (payment.status, payment.tenders[1].raises) == (pb.PAYMENT_STATUS_AUTHORIZED, True)


async def test_a_story_keeps_means_at_placement_and_charges_them_before_the_release(
    channel: grpc.aio.Channel, provider: RunningProvider
) -> None:
    steps, order_id, amount = PaymentActivities(channel), new_id("ord"), Amount(10_000, "EUR")
    until = (times.now() + timedelta(days=20)).isoformat()
    means = Tender("payment_method", "pm_card_visa")
    placed = AuthorizeRequest(f"order/{order_id}/save_means", order_id, "web", amount, means)
    assert await steps.save_means(placed) == PaymentAnswer("saved")
    provider.fault("create", "decline", order_id=order_id)
    first = SavedMeansRequest(f"order/{order_id}/authorize/1", order_id, "web", amount, until)
    assert await steps.authorize_saved(first) == PaymentAnswer("declined", decline_code="generic_decline")
    again = replace(first, request_id=f"order/{order_id}/authorize/2")
    assert await steps.authorize_saved(again) == PaymentAnswer("authorized")
    other = replace(placed, order_id=new_id("ord"), request_id=new_id("req"), needed_until=until)
    assert await steps.authorize(other) == PaymentAnswer("authorized")
    stub = PaymentsServiceStub(channel)
    for held in (order_id, other.order_id):
        payment = (await stub.GetPayment(pb.GetPaymentRequest(order_id=held))).payment
        ends = times.from_proto(payment.authorization_expires_at)
        assert ends > datetime.fromisoformat(until), "it holds for as long as it was asked to"


async def test_a_payment_goes_its_whole_way_over_grpc(
    channel: grpc.aio.Channel, process: Running, provider: RunningProvider
) -> None:
    payments = PaymentsServiceStub(channel)
    order_id = new_id("ord")
    paid = (await payments.Authorize(authorize(order_id))).payment
    assert paid.status == pb.PAYMENT_STATUS_AUTHORIZED
    assert paid.HasField("authorization_expires_at")
    captured = await payments.Capture(
        pb.CaptureRequest(request_id=f"{order_id}/c", order_id=order_id, amount=eur(4_000), cause="parcel/p")
    )
    assert captured.operation.state == pb.OPERATION_STATE_SUCCEEDED
    refunded = await payments.Refund(
        pb.RefundRequest(request_id=f"{order_id}/r", order_id=order_id, amount=eur(1_000))
    )
    assert refunded.operation.kind == pb.OPERATION_KIND_REFUND
    voided = await payments.Void(pb.VoidRequest(request_id=f"{order_id}/v", order_id=order_id))
    assert voided.operation.amount == eur(6_000)
    again = await payments.Void(pb.VoidRequest(request_id=f"{order_id}/v2", order_id=order_id))
    assert not again.HasField("operation")
    undone = await payments.Unwind(pb.UnwindRequest(request_id=f"{order_id}/u", order_id=order_id))
    assert undone.complete
    payment = (await payments.GetPayment(pb.GetPaymentRequest(order_id=order_id))).payment
    assert payment.status == pb.PAYMENT_STATUS_CLOSED
    assert (payment.captured, payment.voided, payment.refunded) == (eur(4_000), eur(6_000), eur(4_000))
    listed = await payments.ListOperations(
        pb.ListOperationsRequest(order_id=order_id, page=type_pb2.PageRequest(size=2))
    )
    assert len(listed.operations) == 2
    assert listed.page.next_cursor
    pulled = await OutboxServiceStub(channel).PullEvents(outbox_service_pb2.PullEventsRequest(limit=100))
    told = [event.type for event in pulled.events if event.order_id == order_id]
    assert told == [f"oms.payments.payment.{what}" for what in ("captured", "refunded", "voided", "refunded")]
    assert provider.book(order_id)["capturable"] == 0

    absent = await payments.Unwind(pb.UnwindRequest(request_id="nothing", order_id="ord_nothing"))
    assert absent.complete
    assert not absent.HasField("payment")

    await payments.Authorize(authorize(new_id("ord"), "pm_card_planted_secret"))
    log = process.log.read_text()
    for secret in ("pm_card_planted_secret", API_KEY, WEBHOOK_SECRET):
        assert secret not in log


async def test_errors_name_their_reason_and_field(channel: grpc.aio.Channel) -> None:
    payments = PaymentsServiceStub(channel)
    order_id = new_id("ord")
    await payments.Authorize(authorize(order_id))
    no_tender = authorize(new_id("ord"))
    no_tender.ClearField("tender")
    cases: list[tuple[str, Message, type[OmsError], str, str]] = [
        ("Authorize", no_tender, InvalidArgument, "INVALID_FIELD", "tender"),
        ("Authorize", pb.AuthorizeRequest(), InvalidArgument, "INVALID_FIELD", "order_id"),
        (
            "Capture",
            pb.CaptureRequest(request_id="1", order_id=order_id, amount=eur(10_001), cause="parcel/1"),
            FailedPrecondition,
            "CAPTURE_EXCEEDS_AUTHORISATION",
            "",
        ),
        (
            "Capture",
            pb.CaptureRequest(order_id=order_id, amount=eur(1), cause="parcel/1"),
            InvalidArgument,
            "INVALID_FIELD",
            "request_id",
        ),
        (
            "Refund",
            pb.RefundRequest(request_id="2", order_id=order_id, amount=eur(1)),
            FailedPrecondition,
            "REFUND_EXCEEDS_CAPTURE",
            "",
        ),
        ("GetPayment", pb.GetPaymentRequest(order_id="ord_no"), NotFound, "PAYMENT_NOT_FOUND", ""),
        ("ResolveUnknown", pb.ResolveUnknownRequest(limit=501), InvalidArgument, "INVALID_FIELD", "limit"),
        (
            "ReceiveProviderEvent",
            pb.ReceiveProviderEventRequest(provider="stripe", payload=b"\xff", signature="t=1,v1=0"),
            Unauthenticated,
            "BAD_SIGNATURE",
            "",
        ),
    ]
    for method, request, kind, reason, field in cases:
        with pytest.raises(kind) as refusal:
            await getattr(payments, method)(request)
        assert refusal.value.reason == reason, method
        assert refusal.value.facts.get("field", "") == field, method


async def test_a_provider_s_event_and_the_sweep_find_what_was_lost(
    channel: grpc.aio.Channel, provider: RunningProvider
) -> None:
    payments = PaymentsServiceStub(channel)
    asked, lost = new_id("ord"), new_id("ord")
    reply = await payments.Authorize(authorize(asked, "pm_card_authenticationRequired"))
    assert reply.payment.status == pb.PAYMENT_STATUS_ACTION_REQUIRED
    provider.act(asked, "approve")
    payload = provider.get("/_events").json()["events"][-1]
    body = json.dumps(payload)
    event = pb.ReceiveProviderEventRequest(
        provider="stripe", payload=body.encode(), signature=sign(body, WEBHOOK_SECRET, int(time.time()))
    )
    assert not (await payments.ReceiveProviderEvent(event)).duplicate
    assert (await payments.ReceiveProviderEvent(event)).duplicate
    payment = (await payments.GetPayment(pb.GetPaymentRequest(order_id=asked))).payment
    assert payment.status == pb.PAYMENT_STATUS_AUTHORIZED

    provider.fault("create", "down", order_id=lost)
    assert (await payments.Authorize(authorize(lost))).payment.status == pb.PAYMENT_STATUS_PENDING
    resolved = await payments.ResolveUnknown(pb.ResolveUnknownRequest())
    assert (resolved.resolved, resolved.unknown) == (1, 0)
